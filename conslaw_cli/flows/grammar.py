"""How flows are written: what their keys hold, for specs/flow_spec.py to read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple


class Whole(NamedTuple):
    """An integer from ``least`` to ``most``, and what is made of it."""

    least: int
    most: int
    make: Callable[[int], Any]


class Rational(NamedTuple):
    """A positive rational number such as 1/10, of parts up to ``largest``, and what is made of the
    Fraction.
    """

    largest: int
    make: Callable[..., Any]


class Names(NamedTuple):
    """A list of arrays such as [U1, U2]."""


class ByArray(NamedTuple):
    """A mapping from arrays to such values; read as pairs."""

    value: Value


class Keys(NamedTuple):
    """A mapping with some of these keys, and what is made of their values, by name."""

    keys: Mapping[str, Value]
    make: Callable[..., Any]
    required: tuple[str, ...] = ()


class Choice(NamedTuple):
    """One of some words, for what it stands for, or a mapping with one of some keys.

    expected: the words as errors have them, where these are to say more; hint: advice behind.
    """

    words: Mapping[str, Any]
    keys: Mapping[str, Value] = {}
    expected: str = ""
    hint: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The keys, then the words."""
        return tuple(dict.fromkeys((*self.keys, *self.words)))


Value = Whole | Rational | Names | ByArray | Keys | Choice
