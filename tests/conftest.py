"""What all tests take for granted of the process they run in."""

from __future__ import annotations

import signal


def pytest_configure() -> None:
    """A shell starts what runs in the background with interrupts ignored; tests send some."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
