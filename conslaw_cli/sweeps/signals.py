"""Ctrl-C, SIGTERM and SIGHUP: heard once, at a time when it does no harm, until the program has
ended.

A terminal sends Ctrl-C to all processes at once, batch systems end a job with SIGTERM, a terminal
that is closed sends SIGHUP. All are one request to stop, and people repeat it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from types import FrameType

INTERRUPTED = 130
"""The exit code after any of them."""
PATIENCE = 2.0
"""Seconds after a first signal from which another one ends the program in the middle of things."""
_STOP = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_heard: float | None = None


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Let the signals wait for the end of the block.

    Processes and threads that are started in the block go on not hearing them: only the first
    process is to act on a signal, and it stops the others. A thread from before, such as a
    library's, may hear one and pass it on to the main thread at any time; there it is noted, and
    heard at the end of the block.
    """
    if _handlers and _in_main_thread():
        yield  # they wait for the end of a block around this one: a row is in four of them
        return
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _STOP)
    noting = _note_all()
    try:
        yield
    finally:
        if noting:
            _note_none()
        _unmask(mask)


@contextlib.contextmanager
def let_through() -> Iterator[None]:
    """Hear the signals in the block, and those that came before it."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    noting = _note_none()
    try:
        _unmask(mask - set(_STOP))
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if noting:
            _note_all()


_handlers: dict[int, signal._HANDLER] = {}
"""Who hears the signals that are only noted now."""
_noted: list[int] = []


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _note_all() -> bool:
    """Only note the signals that somebody hears; return whether that is new. In threads other than
    the main one nothing is heard.
    """
    if _handlers or not _in_main_thread():
        return False
    for number in _STOP:
        if callable(handler := signal.getsignal(number)):
            _handlers[number] = handler
            signal.signal(number, lambda number, _: _noted.append(number))
    return bool(_handlers)


def _note_none() -> bool:
    """Undo :func:`_note_all`; return whether there was something to undo."""
    if not _handlers or not _in_main_thread():
        return False
    for number, handler in _handlers.items():
        signal.signal(number, handler)
    _handlers.clear()
    return True


def _unmask(mask: Iterable[int]) -> None:
    """Block these signals only; hear the first one that comes then, or that was noted: the others
    were the same request.
    """
    noted: list[int] = []
    if not _handlers and _in_main_thread():
        noted[:], _noted[:] = _noted, []
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    if noted and callable(handler := signal.getsignal(noted[0])):
        handler(noted[0], None)


def leave() -> None:
    """From now on a signal ends the program at once, as long as there is nothing to lose."""
    _handle(lambda *_: os._exit(INTERRUPTED))


def listen() -> None:
    """From now on a signal raises KeyboardInterrupt, the first time; see PATIENCE for others."""
    global _heard
    _heard = None
    _handle(_interrupt)
    sys.unraisablehook = _unraisable


def heard() -> bool:
    """Whether there was a signal. Some C code turns KeyboardInterrupt into an error of its own."""
    return _heard is not None


def ignore() -> None:
    """From now on no signal is heard: the end is near, and has its exit code."""
    _handle(signal.SIG_IGN)


def _handle(handler: signal._HANDLER) -> None:
    """Set the handler of those signals that are not ignored, as ``nohup`` and ``&`` in a script
    want it.
    """
    for number in _STOP:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, handler)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    global _heard
    now = time.monotonic()
    if _heard is None:
        _heard = now
        raise KeyboardInterrupt
    if now > _heard + PATIENCE:
        os._exit(INTERRUPTED)


def _unraisable(found: sys.UnraisableHookArgs, /) -> None:
    """Stop where an interrupt came inside a finaliser, in which Python would drop it."""
    if issubclass(found.exc_type, KeyboardInterrupt):
        os.write(2, b"Interrupted.\n")
        os._exit(INTERRUPTED)
    sys.__unraisablehook__(found)
