"""Which linear maps of the units pass through a network: where its known laws come from.

A *generator* on a value h is (S, t): h → h + ε(S h + t). An array U that reads h and writes z
moves along: ``dU = U S'ᵀ − Sᵀ U, db = S' b + t'``. Where generators on all spaces fit together so
that the outputs stay, the network function stays, so the motion ξ(θ) of the parameters is
orthogonal to every gradient; where it is a gradient itself, which needs S symmetric, it is that of
the law

    h = tr S(Σ W Wᵀ − Σ Rᵀ R)/2 + t·b

over the arrays W (biases being columns) that write the space and R that read it (Prop. 4.1).

Every space of units has an unknown S, and an unknown t if a bias writes it. What an operation maps
its inputs' generators to is a linear combination of unknowns, its *charge*; what it does not let
pass are equations. They are the same for every entry of the matrices: one system for entries off
the diagonal, one for those on it, one for multiples of the identity, each over the spaces of the
network and not over their units. So widths cost nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import partial
from math import lcm
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from conslaw_cli.networks.known_laws import Family, Form, Kind, Laws, Part, Sums, join, listed
from conslaw_cli.networks.tex import symbol

T = TypeVar("T")
Index = NDArray[np.intp]
Combination = dict[int, int | Fraction]
"""A linear combination of unknowns: coefficients by their numbers."""


class Array(NamedTuple):
    """A parameter array: the name, the shape, where it stands, row by row, in θ or among the frozen
    parameters, and whether training moves it.
    """

    name: str
    shape: tuple[int, ...]
    entries: slice
    trainable: bool = True

    @property
    def size(self) -> int:
        """Number of entries."""
        size: int = self.entries.stop - self.entries.start
        return size

    def label(self, place: Sequence[int | None]) -> str:
        """Return the name of an entry, its indices counted from 1: ``U1[2,3]``; of several, where
        an index may be any: ``U1[:,3]``.
        """
        return f"{self.name}[{_counted(place, ',')}]" if place else self.name

    def latex(self, place: Sequence[int | None]) -> str:
        """Return the name of an entry in TeX: ``(U_{1})_{2,3}``."""
        name = symbol(self.name)
        return f"({name})_{{{_counted(place, ',')}}}" if place else name

    def identifier(self, place: Sequence[int]) -> str:
        """Return the name of an entry as one of Python's: ``U1_2_3``."""
        return f"{self.name}_{_counted(place, '_')}" if place else self.name

    @property
    def indices(self) -> Iterator[tuple[int, ...]]:
        """The indices of its entries, from 0, row by row."""
        return np.ndindex(*self.shape)

    def place(self, entry: int) -> tuple[int, ...]:
        """Return the indices, from 0, of the entry at a place of θ."""
        place, left = [], entry - self.entries.start
        for size in reversed(self.shape):
            left, index = divmod(left, size)
            place.append(index)
        return tuple(reversed(place))

    @property
    def groups(self) -> int:
        """Into how many groups its units fall: an array with four axes has one matrix for each."""
        return self.shape[0] if len(self.shape) == 4 else 1

    @property
    def places(self) -> Index:
        """The places of its entries in θ, as a matrix from what is read to what is written, of that
        in the same group if there are groups; a bias is one row.
        """
        columns = self.shape[-1]
        return np.arange(self.entries.start, self.entries.stop).reshape(-1, columns)

    @property
    def written(self) -> Index:
        """The places of its entries in θ, one row per unit that it writes."""
        each = self.places.reshape(self.groups, -1, self.shape[-1])
        return each.swapaxes(1, 2).reshape(self.groups * self.shape[-1], -1)


def _counted(place: Sequence[int | None], between: str) -> str:
    return between.join(":" if i is None else str(i + 1) for i in place)


def labels(arrays: Iterable[Array]) -> tuple[str, ...]:
    """Return the names of all entries of some arrays."""
    return tuple(array.label(place) for array in arrays for place in array.indices)


class Wire(NamedTuple):
    """The generator of a value: its charge (the S) and shift (the t) in the unknowns.

    units: of the spaces in the charge. rows: the unit that each row of the value belongs to, None
    for one row per unit in order. positions: at how many places the value has its rows.
    """

    charge: Combination
    shift: Combination
    units: int
    rows: Index | None = None
    positions: int = 1

    def repeated(self, copies: int) -> Wire:
        """Return the wire of a value that has each row several times, one copy beside the next."""
        if copies == 1:
            return self
        rows = np.arange(self.units) if self.rows is None else self.rows
        return Wire(self.charge, self.shift, self.units, np.repeat(rows, copies))

    def flattened(self) -> Wire:
        """Return the wire of a value whose positions become rows."""
        return self.repeated(self.positions)


class _Use(NamedTuple):
    """What an array adds to the laws of an unknown: ``factor · M Mᵀ`` for the matrix M with one row
    per unit, or ``factor`` times the entries of a bias (linear).
    """

    order: int
    factor: int | Fraction
    array: Array
    written: bool
    rows: Index | None = None
    linear: bool = False


def _indices(array: Array, written: bool, rows: Index | None, copies: Sequence[Index]) -> Index:
    """Return the indices of an array's parameters, one row per unit.

    rows: the units of the value that it reads; copies: the units of which these are copies, of a
    space that it was merged with, and so on.
    """
    index = array.written if written else _by_unit(array.places, rows)
    for each in copies:
        index = _by_unit(index, each)
    return index


def _lines(array: Array, written: bool, rows: Index | None, copies: Sequence[Index]) -> Index:
    """Return the rows of an array that are a unit's, or its columns if it writes the units, one row
    per unit.
    """
    last = array.shape[-1]
    index = np.arange(last * array.groups if written else array.size // last)[:, None]
    for each in copies if written else (rows, *copies):
        index = _by_unit(index, each)
    return index


class Space(NamedTuple):
    """Units that one generator acts on, merged from all places where it must be the same.

    units: how many there are; written, read: parameter indices, one row per unit, of the arrays
    that write them (biases as columns) and read them; gated: whether only diagonal generators pass;
    wired: whether none does.
    """

    units: int
    written: tuple[Index, ...]
    read: tuple[Index, ...]
    gated: bool
    wired: bool


class Junction(NamedTuple):
    """A space of units and what meets there.

    units: how many; values: those whose rows are its units; written, read: the arrays that write
    and read it; families: its laws, of which one that acts on several spaces stands at each.
    """

    units: int
    values: tuple[str, ...]
    written: tuple[str, ...]
    read: tuple[str, ...]
    families: tuple[Family, ...]


class Wiring:
    """Collects the unknowns and equations of a network, then solves them."""

    def __init__(self) -> None:
        self._units: list[int] = []
        self._uses: list[list[_Use]] = []
        self._shifts: set[int] = set()
        self._merged: dict[int, tuple[int, Index | None]] = {}
        self._matrices_used: dict[str, tuple[Wire, Wire]] = {}
        self._biases_used: dict[str, Wire] = {}
        self._written: list[tuple[str, Combination]] = []
        self._read: list[tuple[str, Combination]] = []
        self._touched: set[int] = set()
        self._skips: set[str] = set()
        self._off, self._diagonal, self._scalar = Equations(), Equations(), Equations()
        self._groups: dict[int, set[int]] = {}
        self._sums: list[Sums] = []
        self._order = 0
        self._labelled = True
        self._multiples = False

    # ---- what operations say

    def given(self, units: int) -> Wire:
        """Return the wire of an input of the network, on which nothing acts."""
        wire = self._fresh(units)
        self._vanish(wire.charge)
        return wire

    def beside_identity(self, wire: Wire, matrix: Array, *bias: Array) -> Wire:
        """Return the wire of what a layer writes plus what it reads, without copies of rows: U is
        a translation of the matrix I + U, so the laws are those of this one.
        """
        self._labelled = False
        self._skips.add(matrix.name)
        return self.layer(wire, wire.units, matrix, *bias)

    def layer(self, wire: Wire, units: int, matrix: Array, *bias: Array) -> Wire:
        """Return the wire of a new space of units that a matrix writes, reading another, and
        perhaps a bias. A shift of what is read does not pass.
        """
        opened = self._fresh(units, shift=len(bias) > 0)
        self._read.append((matrix.name, wire.charge))
        self._written += [(array.name, opened.charge) for array in (matrix, *bias)]
        self._touched.update(wire.charge)
        self._vanish(wire.shift)
        self._matrix(matrix, wire, opened)
        for array in bias:
            self._bias(array, opened)
        return opened

    def grouped(self, wire: Wire, groups: int) -> Wire:
        """Say that only maps within groups of neighbouring units pass, so many of equal size."""
        self._touched.update(wire.charge)
        if not _single(wire):
            self._off.add(wire.charge)
        for unknown in wire.charge:
            self._groups.setdefault(unknown, set()).add(groups)
        return wire

    def unshifted(self, wire: Wire) -> Wire:
        """Say that no shift passes."""
        self._vanish(wire.shift)
        return Wire(wire.charge, {}, wire.units, wire.rows, wire.positions)

    def diagonal(self, wire: Wire) -> Wire:
        """Say that only scalings of single units pass, and no shift."""
        self._touched.update(wire.charge)
        self._vanish(wire.shift)
        self._off.add(wire.charge)
        return Wire(wire.charge, {}, wire.units, wire.rows, wire.positions)

    def fixed(self, wire: Wire) -> None:
        """Say that nothing passes."""
        self._touched.update(wire.charge)
        self._vanish(wire.shift)
        self._vanish(wire.charge)

    def stopped(self, wire: Wire) -> Wire:
        """Return the wire of a value through which nothing passes, whatever acts on another."""
        self._labelled = False
        self.fixed(wire)
        return Wire({}, {}, wire.units, wire.rows, wire.positions)

    def scaled(self, wire: Wire, factor: int) -> Wire:
        """Return the wire of a value whose scalings are those of another to a power."""
        self._labelled = False
        charge = {unknown: factor * c for unknown, c in wire.charge.items()}
        return Wire(charge, {}, wire.units, wire.rows, wire.positions)

    def exponentiated(self, wire: Wire) -> Wire:
        """Return the wire of the exponential of a value: its shifts become scalings."""
        self._labelled = False
        self._touched.update(wire.charge)
        self._vanish(wire.charge)
        return Wire(wire.shift, {}, wire.units, wire.rows, wire.positions)

    def joined(self, first: Wire, second: Wire) -> Wire:
        """Return the wire of the sum of two values: the same S acts on both, shifts add up.

        Where they share their rows among units in different ways, the units of one may be rows of
        the other; else nothing passes.
        """
        self._touched.update(first.charge, second.charge)
        if _same(first.rows, second.rows):
            self._merge(first, second)
            shift = _difference(first.shift, _difference({}, second.shift))
            return Wire(first.charge, shift, first.units, first.rows)
        self._vanish(first.shift)
        self._vanish(second.shift)
        for here, there in ((first, second), (second, first)):
            if there.rows is None and _single(here) and _single(there):
                self._merge(here, there, here.rows)
                return Wire(here.charge, {}, here.units, here.rows)
        return self._lost(first, second)

    def multiplied(self, first: Wire, second: Wire) -> Wire:
        """Return the wire of the product of two values, of which only scalings are left."""
        if not _same(first.rows, second.rows):
            return self._lost(first, second)
        self._labelled = False
        charge = _difference(first.charge, _difference({}, second.charge))
        return Wire(charge, {}, first.units, first.rows)

    def output(self, wire: Wire, zero_sum: bool) -> None:
        """Say that the value is an output of the network, on which nothing acts.

        zero_sum: only output weights with sum zero occur, so that nobody sees the sum over the
        outputs. If it is a space that nothing else touches, the sums of what writes it are laws.
        """
        spaces = set(wire.charge)
        plain = wire.rows is None and wire.positions == 1
        if zero_sum and plain and len(spaces) == 1 and not spaces & (self._touched | self._shifts):
            (space,) = spaces
            self._sums += [_sums(u.array) for u in self._uses[space] if u.array.trainable]
        self.fixed(wire)

    # ---- what follows

    def laws(self) -> Laws:
        """Return the laws of gradient flow, space by space, and what the loss adds."""
        return join([listed([*self.forms()]), *(each.laws() for each in self._sums)])

    def size(self) -> tuple[int, int]:
        """Return how many these are, and how many terms they have together, without listing
        them.
        """
        families = self.families()
        return sum(each.size for each in families), sum(each.terms for each in families)

    def families(self) -> list[Form | Sums]:
        """Return the matrices of laws, and what the loss adds, without listing their entries."""
        return [*self.forms(), *self._sums]

    def forms(self) -> Iterator[Form]:
        """Yield the matrices of laws, in the order in which their spaces are opened."""
        for vector, kind in self._generators():
            yield self._form(vector, kind)

    def _generators(self) -> Iterator[tuple[Combination, Kind]]:
        vectors = self._diagonal.solutions(len(self._units))
        for vector in vectors:
            if self._has_laws(vector):
                yield vector, "full" if self._off.holds(vector) else "diagonal"
        if not self._multiples:
            return
        for vector in self._scalar.solutions(len(self._units), beyond=vectors):
            if self._has_laws(vector):
                yield vector, "scalar"

    def junctions(self, wires: Mapping[str, Wire]) -> list[Junction]:
        """Return the spaces of the values that have these wires, in the order in which they are
        opened.
        """
        families: list[tuple[Family, Combination]] = [
            (self._form(vector, kind), vector) for vector, kind in self._generators()
        ]
        families += [(each, dict(self._written)[each.array]) for each in self._sums]
        values = self._by_space((name, wire.charge) for name, wire in wires.items())
        written, read = self._by_space(self._written), self._by_space(self._read)
        laws = self._by_space(families)
        return [
            Junction(
                self._units[at],
                tuple(values.get(at, ())),
                tuple(written.get(at, ())),
                tuple(read.get(at, ())),
                tuple(laws.get(at, ())),
            )
            for at in sorted({*values, *written, *read})
        ]

    def _by_space(self, things: Iterable[tuple[T, Combination]]) -> dict[int, dict[T, None]]:
        """Return what acts on, or is acted on by, some unknowns by their spaces, each once."""
        found: dict[int, dict[T, None]] = {}
        for thing, combination in things:
            for root in self._roots(combination):
                found.setdefault(root, {})[thing] = None
        return found

    def _roots(self, combination: Combination) -> list[int]:
        """Return the spaces of some unknowns, each once; a shift has the space whose it is none."""
        spaces = sorted(combination.keys() - self._shifts)
        return list(dict.fromkeys(self._leading(each)[0] for each in spaces))

    def spaces(self) -> list[Space] | None:
        """Return all spaces, also those on which nothing acts, in the order in which they are
        opened; None if a sign flip of their units need not be a symmetry of the gradients.
        """
        if not self._labelled:
            return None
        vectors = self._diagonal.solutions(len(self._units))
        free = {space for vector in vectors for space in vector}
        whole = [v for v in vectors if self._off.holds(v) and self._groups.keys().isdisjoint(v)]
        full = {space for vector in whole for space in vector}
        grouped: dict[int, list[int]] = {}
        for unknown in range(len(self._units)):
            if unknown not in self._shifts:
                grouped.setdefault(self._leading(unknown)[0], []).append(unknown)
        return [
            Space(
                self._units[root],
                tuple(self._matrices(members, written=True)),
                tuple(self._matrices(members, written=False)),
                root not in full,
                root not in free,
            )
            for root, members in grouped.items()
        ]

    # ---- unknowns

    def _fresh(self, units: int, shift: bool = False) -> Wire:
        space = self._unknown(units)
        shifts: Combination = {self._unknown(units): 1} if shift else {}
        self._shifts.update(shifts)
        for unknown in shifts:
            self._off.add({unknown: 1})
        return Wire({space: 1}, shifts, units)

    def _unknown(self, units: int) -> int:
        self._units.append(units)
        self._uses.append([])
        return len(self._units) - 1

    def _use(
        self,
        unknown: int,
        factor: int | Fraction,
        array: Array,
        *,
        written: bool,
        rows: Index | None = None,
        linear: bool = False,
    ) -> None:
        self._order += 1
        use = _Use(self._order, factor, array, written, rows, linear)
        self._uses[unknown].append(use)

    def _vanish(self, combination: Combination) -> None:
        if combination:
            for system in (self._off, self._diagonal, self._scalar):
                system.add(combination)

    def _merge(self, first: Wire, second: Wire, rows: Index | None = None) -> None:
        """Make two charges one; ``rows``: the units of the first that those of the second are
        copies of.
        """
        self._vanish(_difference(first.charge, second.charge))
        if not (_single(first) and _single(second)):
            self._labelled = False
            return
        here, there = min(first.charge), min(second.charge)
        (root, *copies), (other, *others) = self._leading(here), self._leading(there)
        if root == other:
            self._labelled &= not (rows is not None or copies or others)
        elif rows is None and not copies and not others:
            self._merged[max(root, other)] = (min(root, other), None)
        elif not others:
            self._merged[other] = (here, rows)
        elif rows is None and not copies:
            self._merged[root] = (there, None)
        else:
            self._lost(first, second)

    def _leading(self, space: int) -> tuple[int, *tuple[Index, ...]]:
        """Return the space that stands for all that it was merged with, and what units of it the
        space's own are copies of, step by step.
        """
        copies = []
        while space in self._merged:
            space, rows = self._merged[space]
            if rows is not None:
                copies.append(rows)
        return space, *copies

    def _lost(self, first: Wire, second: Wire) -> Wire:
        self.fixed(first)
        self.fixed(second)
        self._labelled = False
        return Wire({}, {}, first.units, first.rows)

    def _matrix(self, array: Array, wire: Wire, opened: Wire) -> None:
        """Note what a matrix adds to laws; what is frozen lets multiples of the identity pass."""
        known = self._matrices_used.setdefault(array.name, (wire, opened))
        if known[1] is not opened:
            self._tie(known, wire, opened)
            return
        for unknown, factor in wire.charge.items():
            self._use(unknown, -factor, array, written=False, rows=wire.rows)
        self._use(min(opened.charge), 1, array, written=True)
        if not array.trainable:
            self._labelled, self._multiples = False, True
            for system in (self._off, self._diagonal):
                system.add(wire.charge)
                system.add(opened.charge)
            self._scalar.add(_difference(wire.charge, opened.charge))

    def _bias(self, array: Array, opened: Wire) -> None:
        """Note what a bias adds to laws; what is frozen, or moves for another layer, ties them."""
        known = self._biases_used.setdefault(array.name, opened)
        if known is not opened:
            self._labelled = False
            self._vanish(_difference(known.charge, opened.charge))
            self._vanish(_difference(known.shift, opened.shift))
            return
        self._use(min(opened.charge), 1, array, written=True)
        self._use(min(opened.shift), 2, array, written=True, linear=True)
        if not array.trainable:
            self._labelled = False
            self._vanish(opened.charge)
            self._vanish(opened.shift)

    def _tie(self, known: tuple[Wire, Wire], wire: Wire, opened: Wire) -> None:
        """A matrix that is used again moves as before: the generators around it are equal, up to a
        multiple c of the identity, ``(U + εc U) = U + U εc``.
        """
        self._labelled, self._multiples = False, True
        if not _same(known[0].rows, wire.rows):
            self.fixed(wire)
            self.fixed(opened)
            for each in known:
                self._vanish(each.charge)
            return
        multiple: Combination = {self._unknown(1): 1}
        self._shifts.update(multiple)
        for unknown in multiple:
            self._off.add({unknown: 1})
            self._diagonal.add({unknown: 1})
        for before, now in ((known[0].charge, wire.charge), (known[1].charge, opened.charge)):
            self._vanish(_difference(_difference(before, now), multiple))

    # ---- laws

    def _has_laws(self, vector: Combination) -> bool:
        """Whether not all that it acts on moves in one direction only, so that nothing in the
        network moves it.
        """
        signs = {use.factor * c > 0 for unknown, c in vector.items() for use in self._uses[unknown]}
        return len(signs) == 2

    def _form(self, vector: Combination, kind: Kind) -> Form:
        common = lcm(*(c.denominator for c in vector.values()))
        found = sorted(  # no two uses have the same order
            (use.factor * c < 0, use.order, unknown, use, int(use.factor * c * common))
            for unknown, c in vector.items()
            for use in self._uses[unknown]
            if use.array.trainable
        )
        parts = [self._part(unknown, use, factor) for _, _, unknown, use, factor in found]
        units = self._units[self._leading(min(vector))[0]]
        blocks = self._blocks(vector, units) if kind == "full" else (units,)
        if len(blocks) == 1:
            return Form(units, tuple(parts), kind)
        if len(blocks) == units:
            return Form(units, tuple(parts), "diagonal")
        return Form(units, tuple(parts), "blocks", blocks)

    def _blocks(self, vector: Combination, units: int) -> tuple[int, ...]:
        """Return the sizes of the runs of units that no groups divide. A unit that has copies
        belongs to the groups of all of these.
        """
        labels = list[Index]()
        for unknown in self._groups.keys() & vector.keys():
            size = self._units[unknown]
            for groups in self._groups[unknown]:
                label = (np.arange(size) * groups // size)[:, None]
                for copies in self._leading(unknown)[1:]:
                    label = _by_unit(label, copies)
                labels.append(label)
        if not labels:
            return (units,)
        rows = np.concatenate(labels, axis=1)
        starts = np.flatnonzero((rows[1:] != rows[:-1]).any(axis=1)) + 1
        return tuple(np.diff([0, *starts, units]).tolist())

    def _part(self, unknown: int, use: _Use, factor: int) -> Part:
        array, (root, *copies) = use.array, self._leading(unknown)
        return Part(
            factor,
            array.name,
            use.written,
            not use.written and array.size // array.shape[-1] > self._units[unknown],
            use.linear,
            array.size,
            array.size // self._units[root],
            partial(_indices, array, use.written, use.rows, copies),
            array.name in self._skips,
            partial(_lines, array, use.written, use.rows, copies),
        )

    def _matrices(self, members: Sequence[int], *, written: bool) -> Iterator[Index]:
        uses = [(use.order, space, use) for space in members for use in self._uses[space]]
        for _, space, use in sorted(uses, key=lambda each: each[0]):
            if use.written == written:
                yield _indices(use.array, written, use.rows, self._leading(space)[1:])


class Equations:
    """Homogeneous linear equations over unknowns that are numbered as they appear."""

    def __init__(self) -> None:
        self._zero: set[int] = set()
        self._rows: list[Combination] = []

    def add(self, combination: Combination) -> None:
        """Add an equation: the combination is 0."""
        if len(combination) == 1:
            self._zero.update(combination)
        elif combination:
            self._rows.append(combination)

    def holds(self, vector: Combination) -> bool:
        """Whether a vector satisfies all equations."""
        return self._zero.isdisjoint(vector) and not any(
            sum(c * vector[unknown] for unknown, c in row.items() if unknown in vector)
            for row in self._rows
        )

    def solutions(self, unknowns: int, beyond: Sequence[Combination] = ()) -> list[Combination]:
        """Return a basis of the solutions, each 1 at an unknown that the equations leave free and 0
        at the other free ones; ``beyond``: of the solutions modulo the span of these.
        """
        solved = self._solved()
        vectors: dict[int, Combination] = {}
        values: dict[int, Combination] = {}
        for unknown in range(unknowns):
            if unknown in solved:
                values[unknown] = _combined(solved[unknown], values)
                for free, c in values[unknown].items():
                    vectors[free][unknown] = c
            else:
                values[unknown], vectors[unknown] = {unknown: 1}, {unknown: 1}
        if not beyond:
            return [*vectors.values()]
        known = Equations()
        for vector in beyond:
            known.add({free: c for free, c in vector.items() if free in vectors})
        spanned = known._solved()
        return [vectors[free] for free in vectors if free not in spanned]

    def _solved(self) -> dict[int, Combination]:
        """Return the unknowns that others decide, the last of each equation, with how."""
        solved: dict[int, Combination] = {unknown: {} for unknown in self._zero}
        for row in self._rows:
            if reduced := _reduced(row, solved):
                pivot = max(reduced)
                c = -reduced.pop(pivot)
                if abs(c) == 1:
                    solved[pivot] = {unknown: c * x for unknown, x in reduced.items()}
                else:
                    solved[pivot] = {unknown: Fraction(x) / c for unknown, x in reduced.items()}
        return solved


def _reduced(row: Combination, solved: Mapping[int, Combination]) -> Combination:
    """Replace solved unknowns, the last of them first, by what they are combinations of."""
    row = dict(row)
    while pivots := [unknown for unknown in row if unknown in solved]:
        pivot = max(pivots)
        factor = row.pop(pivot)
        for unknown, c in solved[pivot].items():
            total = row.get(unknown, 0) + factor * c
            if total:
                row[unknown] = total
            else:
                row.pop(unknown, None)
    return row


def _combined(row: Combination, values: Mapping[int, Combination]) -> Combination:
    if len(row) == 1:
        ((unknown, factor),) = row.items()
        return {free: factor * c for free, c in values[unknown].items()}
    total: Combination = {}
    for unknown, factor in row.items():
        total = _difference(total, {free: -factor * c for free, c in values[unknown].items()})
    return total


def _difference(left: Combination, right: Combination) -> Combination:
    total = dict(left)
    for unknown, c in right.items():
        total[unknown] = total.get(unknown, 0) - c
    return {unknown: c for unknown, c in total.items() if c}


def _single(wire: Wire) -> bool:
    """Whether the charge is the generator of one space itself."""
    return [*wire.charge.values()] == [1]


def _same(left: Index | None, right: Index | None) -> bool:
    if left is None or right is None:
        return left is right
    return bool(np.array_equal(left, right))


def _by_unit(index: Index, rows: Index | None) -> Index:
    """Regroup (rows, m) parameter indices into (units, copies · m): all rows of one unit beside
    each other.
    """
    if rows is None:
        return index
    order = np.argsort(rows, kind="stable")
    return index[order].reshape(int(rows.max()) + 1, -1)


def _sums(array: Array) -> Sums:
    """Return the sums of what an array writes: of a matrix its row sums, of a bias all of it."""
    columns = array.shape[-1]
    rows = array.size // columns
    return Sums(array.name, array.entries.start, rows, columns, len(array.shape) > 1)
