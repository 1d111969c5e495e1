"""Standard streams that are closed, full or gone, so that no command has to think of them.

What cannot be written to stdout is an OutputError; a reader that has gone away, such as ``head``,
is no error. What cannot be written to stderr is not written: there is nobody to tell.
"""

from __future__ import annotations

import codecs
import io
import os
import sys
from typing import TYPE_CHECKING, TextIO

from conslaw_cli.errors import OutputError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


def prepare() -> None:
    """Replace sys.stdout and sys.stderr by streams that do so, also where they are closed."""
    codecs.register_error(_ESCAPE, _escape)
    _fill_gaps()
    sys.stdout = _text(_Output(1, "w", closefd=False), sys.stdout, _ESCAPE)
    sys.stderr = _text(_Messages(2, "w", closefd=False), sys.stderr, "backslashreplace")


def _fill_gaps() -> None:
    """Open something useless under the numbers of closed streams, before a file gets them."""
    for number, mode in enumerate((os.O_WRONLY, os.O_RDONLY, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, mode)


def _text(raw: io.FileIO, old: TextIO | None, errors: str) -> TextIO:
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=old.encoding if old is not None else "utf-8",
        errors=errors,
        newline="",
        line_buffering=True,
    )


class _Output(io.FileIO):
    """Where it cannot be written to it says so once, and swallows what is left in buffers."""

    _lost = False

    def write(self, data: ReadableBuffer, /) -> int:
        if self._lost:
            return memoryview(data).nbytes
        try:
            return super().write(data)
        except OSError as error:
            self._lost = True
            if isinstance(error, BrokenPipeError):
                return memoryview(data).nbytes
            raise OutputError(f"standard output: cannot be written: {error.strerror}") from None


class _Messages(io.FileIO):
    """Messages that cannot be written are dropped."""

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


_ESCAPE = "conslaw.escape"


def _escape(error: UnicodeError) -> tuple[str, int]:
    r"""Write what an encoding does not have as ``\u00e9``, which JSON reads as well."""
    import json  # dear, and hardly ever needed

    assert isinstance(error, UnicodeEncodeError)
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end
