"""The errors a user can meet. Every message names the thing and the bad value."""

from __future__ import annotations


class ConslawError(Exception):
    """Base of all errors that are reported without a traceback: one line for each argument.

    A line end or anything else that cannot be shown, such as in the name of a file, is escaped.
    """

    def __str__(self) -> str:
        return "\n".join(one_line(str(each)) for each in self.args)


class SpecError(ConslawError):
    """The input is wrong: an architecture, a flag, a YAML file, an output path (exit code 2)."""


class OutputError(ConslawError):
    """Output could not be written: closed, full (exit code 4)."""


class MemoryBudgetError(ConslawError):
    """The computation would not fit the memory budget; nothing has been allocated."""


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
