"""Which parameters write and read which spaces of units, read off a network's blocks: where its
known laws come from.

Walking through the blocks, a cursor stands on the space that the current values live in. A block
with weights reads that space and writes a new one; a gate marks its space; a residual branch that
returns to the space it left makes both one. A space that is the network's input or output, or is
joined to one without weights, has no laws of its own (``wired``). Every other space is a junction
(laws.py): linear, mixed, convolutional and residual networks share this one derivation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from conslaw_cli.networks.known_laws import Junction

Index = NDArray[np.intp]


@dataclass(slots=True)
class Space:
    """A space of units: parameter indices that write it and read it, one row per unit, and what
    acts on it.
    """

    units: int
    written: list[Index] = field(default_factory=list)
    read: list[Index] = field(default_factory=list)
    gated: bool = False
    wired: bool = False
    text: list[tuple[str, str]] = field(default_factory=list)

    def write(self, rows: Index, text: str, latex: str) -> None:
        """Note rows of parameters that write the units."""
        self.written.append(rows)
        self.text.append((f" + {text}", f" + {latex}"))

    def reads(self, rows: Index, text: str, latex: str) -> None:
        """Note rows of parameters that read the units."""
        self.read.append(rows)
        self.text.append((f" − {text}", f" - {latex}"))

    def junction(self) -> Junction:
        """Return the space as a junction, writers before readers in its formula."""
        signs = sorted(self.text, key=lambda term: term[0].startswith(" −"))
        text, latex = ("".join(parts) for parts in zip(*signs, strict=True))
        return Junction(
            tuple(self.written),
            tuple(self.read),
            self.gated,
            text.removeprefix(" + "),
            latex.removeprefix(" + "),
        )


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where values live: a space, and the unit that each row of the values belongs to."""

    space: Space
    rows: Index

    @classmethod
    def on(cls, space: Space) -> Cursor:
        """One row per unit."""
        return cls(space, np.arange(space.units))

    def by_unit(self, rows: Index) -> Index:
        """Regroup (rows, m) parameter indices into (units, copies · m): all rows of one unit beside
        each other.
        """
        if len(self.rows) == self.space.units:  # one row per unit, in order
            return rows
        order = np.argsort(self.rows, kind="stable")
        return rows[order].reshape(self.space.units, -1)

    def join(self, end: Cursor) -> Cursor:
        """Add a branch that left from here and returns: its last space and this one are the same
        units.

        Where the branch shares its values among units in another way than this space does, no law
        is claimed.
        """
        here, there = self.space, end.space
        if there is here:
            return self
        here.gated |= there.gated
        here.wired |= there.wired
        here.text += there.text
        if np.array_equal(self.rows, end.rows):
            here.written += there.written
            here.read += there.read
        elif np.array_equal(end.rows, np.arange(there.units)):
            here.written += [self.by_unit(rows) for rows in there.written]
            here.read += [self.by_unit(rows) for rows in there.read]
        else:
            here.wired = True
        return self


def junctions(spaces: Iterable[Space]) -> Iterator[Junction]:
    """Yield the spaces that have laws: not wired, and both written and read."""
    for space in spaces:
        if space.written and space.read and not space.wired:
            yield space.junction()
