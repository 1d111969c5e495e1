"""The program ``conslaw`` from its first moment to its last: whatever happens in between is one
line on stderr and a documented exit code.
"""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Iterator

from conslaw_cli import signals
from conslaw_cli.errors import ConslawError, one_line

_FAILED = 3


def main() -> None:
    """Run the command line and exit."""
    sys.exit(_run())


def _run() -> int | str | None:
    signals.leave()
    try:
        # Only now, as imports take time, and may fail where there is little memory.
        from conslaw_cli import streams
        from conslaw_cli.cli import main as program

        streams.prepare()
        _forget_absurd_sizes()
        signals.listen()
        program(prog_name="conslaw")
    except SystemExit as end:
        return end.code
    except KeyboardInterrupt:
        return signals.INTERRUPTED
    except Exception as error:
        return _failed(error)
    finally:
        signals.ignore()
    return 0


def _forget_absurd_sizes() -> None:
    """Remove sizes of a terminal that are none: not all who read them check them."""
    for name in ("COLUMNS", "LINES"):
        size = os.environ.get(name, "")
        if not (size.isdecimal() and len(size) <= 5 and int(size)):
            os.environ.pop(name, None)


def _failed(error: Exception) -> int:
    """Say what went wrong, if it was no interrupt, and return the exit code."""
    if signals.heard():
        return signals.INTERRUPTED
    if sys.stderr is not None:
        print(f"Error: {reason(error)}", file=sys.stderr)
    return _FAILED


def reason(error: Exception) -> str:
    """Return what lies behind an error that no command expects: the system's limits, or a bug."""
    if isinstance(error, ConslawError):
        return str(error)
    if (known := lack(error)) is not None:
        return known
    *_, first = _causes(error)
    place = traceback.extract_tb(first.__traceback__)[-1]
    what = one_line(f"{type(first).__name__}: {first}")
    return f"{what} ({os.path.basename(place.filename)}:{place.lineno})"


def lack(error: BaseException) -> str | None:
    """Return what the system had too little of, if that lies behind an error."""
    causes = [*_causes(error)]
    for number, known in _LIMITS.items():
        if any(_is(each, number) for each in causes):
            return known
    return None


_LIMITS = {
    errno.ENOMEM: "out of memory",
    errno.EMFILE: "too many open files for the limit of this process (ulimit -n)",
    errno.ENFILE: "too many open files in this system",
    errno.EAGAIN: "no process or thread can be started: the limit is reached (ulimit -u)",
}


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield the error and those that led to it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _is(error: BaseException, number: int) -> bool:
    """Whether the system has answered with an error number. Loading a library tells it in words."""
    if isinstance(error, MemoryError):
        return number == errno.ENOMEM
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno == number
    words = [os.strerror(number), *(["failed to map"] if number == errno.ENOMEM else [])]
    return isinstance(error, ImportError) and any(word in str(error) for word in words)
