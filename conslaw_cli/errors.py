"""The errors a user can meet. Every message names the thing and the bad value."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator


class ConslawError(Exception):
    """Base of all errors that are reported without a traceback: one line for each argument.

    A line end or anything else that cannot be shown, such as in the name of a file, is escaped.

    >>> from conslaw_cli import MLP, ConslawError, count_laws
    >>> for widths in (3, 4, 2), (3, 0, 2):
    ...     try:
    ...         print(count_laws(MLP(widths)).laws)
    ...     except ConslawError as error:
    ...         print(error)
    4
    widths: expected positive integers, got 0
    """

    def __str__(self) -> str:
        return "\n".join(one_line(str(each)) for each in self.args)


class SpecError(ConslawError):
    """The input is wrong: an architecture, a flag, a YAML file, an output path (exit code 2).

    >>> from conslaw_cli import MLP
    >>> try:
    ...     MLP((3, 4, 2), bias="hiden")
    ... except SpecError as error:
    ...     print(error)
    bias: expected one of false, hidden, all, got 'hiden' (did you mean hidden?)
    """


class LayerError(SpecError):
    """A layer does not fit. ``path`` says which: indices into nested lists of layers."""

    def __init__(self, path: tuple[int, ...], message: str) -> None:
        super().__init__(message)
        self.path = path


class ArrayError(SpecError):
    """A flow names an array that the model has not. name: that array."""

    def __init__(self, message: str, name: str) -> None:
        super().__init__(message)
        self.name = name


class OutputError(ConslawError):
    """Output could not be written: closed, full (exit code 4)."""


class MemoryBudgetError(ConslawError):
    """The computation would not fit the memory budget; nothing has been allocated.

    >>> from conslaw_cli import MLP, count_laws
    >>> try:
    ...     count_laws(MLP((3, 4, 4, 2), "exp"), memory=2**20)
    ... except MemoryBudgetError as error:
    ...     print(error)
    36 parameters need about 129 MiB, more than the memory budget
    """


class NotSearchedError(SpecError):
    """Polynomials are not looked for among the laws of a problem under its flow; what is known
    is listed.

    >>> from conslaw_cli import MLP, Hypentropy, Mirror, Problem, find_laws
    >>> try:
    ...     find_laws(Problem(MLP((1, 1, 1)), Mirror((("U1", Hypentropy(1)),))), 2)
    ... except NotSearchedError as error:
    ...     print(str(error).rpartition(": ")[2])
    under a hypentropy, whose fields contain √(θ² + β²), polynomials in θ are not searched
    """


class ContradictionError(ConslawError):
    """A lower bound lies above an upper bound: a bug in this program, never a result."""


class ResourceError(ConslawError):
    """The system gives too little to go on: processes, descriptors (exit code 3)."""


def one_line(text: str) -> str:
    """Return the text on one line, everything that cannot be shown as a backslash escape."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def reason(error: Exception) -> str:
    """Return what lies behind an error that no command expects: the system's limits, or a bug."""
    if isinstance(error, ConslawError):
        return str(error)
    if (known := lack(error)) is not None:
        return known
    *_, first = _causes(error)
    return one_line(f"{type(first).__name__}: {first}") + f" ({origin(first)})"


def origin(error: BaseException) -> str:
    """Return the file and the line in which an error was raised."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    assert place is not None
    return f"{os.path.basename(place.tb_frame.f_code.co_filename)}:{place.tb_lineno}"


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
