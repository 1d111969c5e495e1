"""What all tests take for granted of the process they run in."""

from __future__ import annotations

import signal


def pytest_configure() -> None:
    """A shell starts what runs in the background with interrupts ignored, nohup with hang-ups;
    tests, and the programs that they start, are sent some.
    """
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
