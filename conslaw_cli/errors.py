"""The errors a user can meet. Every message names the thing and the bad value."""

from __future__ import annotations


class ConslawError(Exception):
    """Base of all errors that are reported as one message, without a traceback."""


class SpecError(ConslawError):
    """The input is wrong: an architecture, a flag, a YAML file, an output path (exit code 2)."""


class MemoryBudgetError(ConslawError):
    """The computation would not fit the memory budget; nothing has been allocated."""


class ContradictionError(ConslawError):
    """A lower bound lies above an upper bound: a bug in this program, never a result."""


class OutputError(ConslawError):
    """Output could not be written: closed, full (exit code 4)."""
