"""How the units of a network are dealt out to strands (strands.py), from sizes alone.

A strand without an input or an output unit moves with no other: the flip of the signs of its units
is a symmetry of all fields at block-diagonal points. So each part of a strand that hangs together
is to touch an end of the network (the constant unit is one). A number of strands is chosen, and
the units of every space are spread over them evenly, as one unit each, or as many as there are for
each and one more for some; perhaps over the first of them alone, as many as a neighbour has units.
Of an input or an output with more units than that the others are strands by themselves. Which
attempt has complete witnesses is found out by trying: those whose witnesses are small come first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice, pairwise, product

from conslaw_cli.errors import ContradictionError
from conslaw_cli.lie.strands import Strand
from conslaw_cli.networks.graph import Graph
from conslaw_cli.networks.units import Ends, Sizes, Units

ATTEMPTS = 4
"""Ways of dealing that are tried."""
SMALL, LARGE = 200, 700
"""Parameters of a witness: of those that are tried, and of those tried where there are none."""


@dataclass(frozen=True, slots=True)
class Dealing:
    """Strands, how often each kind occurs, and those that every witness contains."""

    strands: Mapping[Strand, int]
    core: tuple[Strand, ...]


def dealings(
    graph: Graph,
    sizes: range = range(LARGE + 1),
    given: Iterable[Dealing] = (),
    units: Sizes | None = None,
) -> Iterator[Dealing]:
    """Yield ways to deal out the units of a graph: first what is ``given``, and then those with
    small witnesses first; with large ones only where there are no others. sizes: numbers of
    parameters that witnesses may have. units: numbers of units, if not those of the graph.
    """
    shape = _Shape.of(graph, units)
    known = [(shape.largest(dealing), dealing) for dealing in given]
    first = sorted((each for each in known if each[0] in sizes), key=lambda each: each[0])
    for dealing in chain((each for _, each in first), islice(_spread(shape, sizes), ATTEMPTS)):
        shape.check(dealing)
        yield dealing


def _spread(shape: _Shape, sizes: range) -> Iterator[Dealing]:
    """Yield ways in which every space is spread evenly, over all strands; then, over those alone
    that can have units beside its own.
    """
    plain = _different(shape, near=False)
    yield from _fitting(plain, sizes)
    known = [dealing.strands for _, dealing in plain]
    near = (each for each in _different(shape, near=True) if each[1].strands not in known)
    yield from _fitting(near, sizes)


def _different(shape: _Shape, near: bool) -> list[tuple[int, Dealing]]:
    """Return ways that differ between the ends, by sizes, with their sizes."""
    found = dict[frozenset[tuple[Strand, int]], Dealing]()
    for number, late, spread in product(shape.numbers(), (True, False), (True, False)):
        strands = shape.dealt(number, late, spread, near)
        if strands.total() > 1:
            found.setdefault(frozenset(strands.items()), Dealing(strands, shape.core(strands)))
    sized = [(shape.largest(dealing), dealing) for dealing in found.values()]
    ordered = sorted(sized, key=lambda each: (each[0], len(each[1].strands)))
    admissible = [each for each in ordered if all(map(shape.admissible, each[1].strands))]
    inside = {shape.inside(each[1]): each for each in reversed(admissible)}
    return [each for each in admissible if inside[shape.inside(each[1])] is each]


def _fitting(sized: Iterable[tuple[int, Dealing]], sizes: range) -> Iterator[Dealing]:
    """Yield those whose witnesses have some of these sizes, large ones only if the first is."""
    most = 0
    for size, dealing in sized:
        most = most or (SMALL if size <= SMALL else max(LARGE, sizes.stop))
        if size > most:
            return
        if size in sizes:
            yield dealing


@dataclass(frozen=True, slots=True)
class _Shape:
    """The spaces of a graph. ends: inputs, outputs and the constant; weights: for each array the
    spaces at its ends, and how many parameters join two units of these.
    """

    units: Units
    ends: frozenset[int]
    weights: Sequence[tuple[Ends, int]]

    @classmethod
    def of(cls, graph: Graph, sizes: Sizes | None) -> _Shape:
        units = Units.of(graph)
        constant = (i for i, openers in enumerate(units.openers) if not openers)
        ends = frozenset((*units.inputs, *units.outputs, *constant))
        return cls(replace(units, sizes=sizes or units.sizes), ends, units.weights(graph))

    def check(self, dealing: Dealing) -> None:
        """Raise ContradictionError unless all units are dealt out."""
        rows = [[n * times for n in strand] for strand, times in dealing.strands.items()]
        if tuple(map(sum, zip(*rows, strict=True))) != self.units.sizes:
            raise ContradictionError(f"strands {dealing.strands} of units {self.units.sizes}")

    def numbers(self) -> list[int]:
        """Return numbers of strands to try."""
        sizes = [self.units.sizes[i] for i in self.ends]
        most = sum(sizes)
        return sorted({n for n in (*self.units.sizes, most) if n <= most}, reverse=True)

    def dealt(self, number: int, late: bool, spread: bool, near: bool) -> Counter[Strand]:
        """Deal out to so many strands. late: outputs go to the last of them, all else to the first;
        spread: what an end has beyond one for each is spread over them too; near: a space between
        ends has units in as many of them at most as a neighbour has units.
        """
        columns, tips = list[list[int]](), Counter[Strand]()
        for space, n in enumerate(self.units.sizes):
            if space in self.ends and n > number and not spread:
                tips[tuple(int(i == space) for i in range(len(self.units.sizes)))] = n - number
                n = number
            last = min(number, self.beside[space]) if near else number
            least, more = divmod(n, last)
            behind = late and space in self.units.outputs and space not in self.units.inputs
            first = number - more if behind else 0
            columns.append([first, first + more, last, least])
        strands = self._strands(number, columns)
        return Counter({strand: n for strand, n in strands.items() if any(strand)}) + tips

    @property
    def beside(self) -> list[int]:
        """Return the largest number of units that a neighbour of each space has; at ends, all."""
        sizes = self.units.sizes
        found = [sum(sizes) if i in self.ends else 1 for i in range(len(sizes))]
        for ends, _ in self.weights:
            for here, there in ((ends.read, ends.written), (ends.written, ends.read)):
                if here != there and self.units.openers[there]:
                    found[here] = max(found[here], sizes[there])
        return found

    def _strands(self, number: int, columns: Sequence[Sequence[int]]) -> Counter[Strand]:
        """Count equal strands: the k-th has ``least`` units of a space up to a last one, and one
        more if k is between the first two numbers.
        """
        bounds = sorted({0, number, *(k for *ends, _ in columns for k in ends)})
        strands = Counter[Strand]()
        for start, stop in pairwise(bounds):
            strand = tuple(
                (start < last) * least + (first <= start < end)
                for first, end, last, least in columns
            )
            strands[strand] += stop - start
        return strands

    def admissible(self, strand: Strand) -> bool:
        """Whether every part of a strand touches an end."""
        reached = {i for i in self.ends if strand[i]}
        joined = [(ends.read, ends.written) for ends, _ in self.weights]
        edges = [(a, b) for a, b in joined if strand[a] and strand[b]]
        while any((a in reached) != (b in reached) for a, b in edges):
            reached.update(x for a, b in edges if a in reached or b in reached for x in (a, b))
        return reached == {i for i, n in enumerate(strand) if n}

    def inside(self, dealing: Dealing) -> frozenset[Strand]:
        """Return what strands have between the ends. Where a way with few units at the ends has no
        witnesses, one that is the same between them seldom has.
        """
        between = [i for i in range(len(self.units.sizes)) if i not in self.ends]
        kinds = {tuple(strand[i] for i in between) for strand in dealing.strands}
        return frozenset(filter(any, kinds) if between else dealing.strands)

    def core(self, strands: Mapping[Strand, int]) -> tuple[Strand, ...]:
        """Return the strand that touches most spaces with fewest units."""
        return (max(strands, key=lambda s: (sum(n > 0 for n in s), -sum(s), s)),)

    def largest(self, dealing: Dealing) -> int:
        """Return the number of parameters of the two largest strands with the core."""
        strands = Counter({strand: min(2, n) for strand, n in dealing.strands.items()})
        ordered = sorted(strands.elements(), key=lambda s: (self.parameters(s), s))
        total = Counter(dealing.core) | Counter(ordered[-2:])
        return self.parameters([sum(column) for column in zip(*total.elements(), strict=True)])

    def parameters(self, sizes: Sequence[int]) -> int:
        """Return the number of parameters of so many units."""
        return sum(ends.pairs(sizes) * times for ends, times in self.weights)
