"""Checks of values that come from outside, for all families and functions of the library alike.

Every error is a SpecError that begins with the name of the value, says what was expected and shows
what was given. Readers of YAML and flags check their text beforehand, to say where it stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from importlib import import_module
from typing import Any

from conslaw_cli.errors import SpecError

MAX_SEED = 2**32 - 1
_LONGEST_SHOWN = 80


def integer(key: str, value: object, low: int, high: int | None = None) -> None:
    """Raise SpecError unless this is an integer between low and high, both included."""
    if type(value) is int and value >= low and (high is None or value <= high):
        return
    limits = f"of at least {low}" if high is None else f"from {low} to {high}"
    raise SpecError(f"{key}: expected an integer {limits}, got {shown(value)}")


def choice(key: str, value: object, choices: Sequence[object]) -> None:
    """Raise SpecError, with the choice that is meant, unless this is one of the choices: words and
    False.
    """
    for each in choices:
        if value is each or (type(value) is str and value == each):
            return
    words = ["false" if each is False else str(each) for each in choices]
    meant = near(value, words) if isinstance(value, str) else ""
    raise SpecError(f"{key}: expected one of {', '.join(words)}, got {shown(value)}{meant}")


def flag(key: str, value: object) -> None:
    """Raise SpecError unless this is True or False."""
    if type(value) is not bool:
        raise SpecError(f"{key}: expected True or False, got {shown(value)}")


def text(key: str, value: object) -> None:
    """Raise SpecError unless this is text."""
    if not isinstance(value, str):
        raise SpecError(f"{key}: expected text, got {shown(value)}")


def entries(key: str, value: object, expected: str) -> tuple[Any, ...]:
    """Return a list or tuple as a tuple, so that equal values are equal and have a hash. Raise
    SpecError for anything else.
    """
    if isinstance(value, list | tuple):
        return tuple(value)
    raise SpecError(f"{key}: expected {expected}, got {shown(value)}")


def sizes(key: str, value: object, most: int) -> tuple[int, ...]:
    """Return a list or tuple of positive integers as a tuple. Raise SpecError for anything else."""
    found = entries(key, value, "a tuple of sizes such as (3, 3)")
    for size in found:
        integer(key, size, 1, most)
    return found


def architecture(architecture: object) -> None:
    """Raise SpecError unless this is an architecture."""
    if isinstance(architecture, type) or not callable(getattr(architecture, "describe", None)):
        raise SpecError(
            f"architecture: expected one such as MLP((3, 4, 2), 'relu'), got {shown(architecture)}"
        )


def flow(flow: object) -> None:
    """Raise SpecError unless this is a flow."""
    if isinstance(flow, type) or not callable(getattr(flow, "of", None)):
        raise SpecError(f"flow: expected one such as Momentum(), got {shown(flow)}")


def positive(key: str, value: object, most: int) -> Fraction:
    """Return a positive rational, an integer or a Fraction, of parts up to ``most``, as a Fraction.
    Raise SpecError for anything else.
    """
    if type(value) is int or isinstance(value, Fraction):
        found = Fraction(value)
        if 0 < found.numerator <= most and found.denominator <= most:
            return found
    raise SpecError(
        f"{key}: expected a positive integer or Fraction of parts up to {most:,}, got"
        f" {shown(value)}"
    )


def pairs(key: str, value: object, example: str) -> tuple[tuple[str, Any], ...]:
    """Return pairs of an array's name and a value, in tuples. Raise SpecError for anything else."""
    expected = f"pairs such as {example}"
    found = [entries(key, each, expected) for each in entries(key, value, expected)]
    if all(len(each) == 2 and isinstance(each[0], str) for each in found):
        return tuple((name, each) for name, each in found)
    raise SpecError(f"{key}: expected {expected}, got {shown(value)}")


def job(seed: object, memory: object) -> None:
    """Raise SpecError unless these are a seed and a memory budget (or None)."""
    integer("seed", seed, 0, MAX_SEED)
    if memory is not None and (type(memory) is not int or memory < 0):
        raise SpecError(
            f"memory: expected a number of bytes, an integer such as 8 * 2**30, got {shown(memory)}"
        )


def extra(module: str, name: str) -> Any:
    """Import a module of a library that only an extra brings (``pip install 'conslaw[name]'``).
    Raise SpecError, which says so in one line, where it is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        library = module.partition(".")[0]
        if error.name is None or error.name.partition(".")[0] != library:
            raise  # installed, and broken
        raise SpecError(f"{library} is not installed: pip install 'conslaw[{name}]'") from None


def near(word: str, known: Iterable[str]) -> str:
    """Return `` (did you mean …?)`` with the known word that is meant, or nothing: one written in
    other letters, begun, abbreviated by its initials, or misspelt.
    """
    import difflib  # dear, and needed for errors only

    known = list(known)
    plain = word.lower().replace("-", "_").replace(" ", "_")
    for meant in (
        [each for each in known if each.lower() == plain],
        [each for each in known if len(plain) > 1 and each.startswith(plain)],
        [each for each in known if "_" in each and _initials(each) == plain],
        difflib.get_close_matches(plain, known, 1),
    ):
        if len(meant) == 1:
            return f" (did you mean {meant[0]}?)"
    return ""


def _initials(word: str) -> str:
    return "".join(part[0] for part in word.split("_") if part)


def shown(value: object) -> str:
    """Return a value as a message shows it: on one line, not too long."""
    try:
        shape = repr(value).replace("\n", " ")
    except ValueError:  # an integer with too many digits for Python to print
        return f"a huge {type(value).__name__}"
    return shape if len(shape) <= _LONGEST_SHOWN else f"{shape[:_LONGEST_SHOWN]}…"
