"""Block lifting: the laws of a wide network from those of a few narrow ones (docs/any-width.md).

The units of all spaces are dealt out to *strands*. At a *block-diagonal* point every parameter
whose two units belong to different strands is zero. Lie(W) at such a point contains that of the
network of any few strands (a *witness*), and the gradients of known laws lie in blocks, one for
each pair of strands. So if the laws of witnesses that contain every pair are complete at
block-diagonal points, ``dim Lie = D − rank``, then so are those of the network, generically; and
only as many witnesses are needed as there are pairs of kinds of strands.

Ranks at block-diagonal points stagnate and rise again, so a rank is only ever a lower bound here:
a witness is complete where it meets the upper bound of the laws, and decides nothing elsewhere.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, combinations_with_replacement
from math import comb
from typing import NamedTuple

import numpy as np

from conslaw_cli.algebra.field import TERMS, Array, PrimeField, Span
from conslaw_cli.errors import ContradictionError
from conslaw_cli.flows import Clocked, Flow, Transporting, VectorFields
from conslaw_cli.lie.closure import Sampler, driven
from conslaw_cli.lie.memo import shared
from conslaw_cli.lie.orbit import Steps, orbit
from conslaw_cli.lie.transport import transported
from conslaw_cli.networks.gradients import GradientFields
from conslaw_cli.networks.graph import Graph
from conslaw_cli.networks.known_laws import Laws
from conslaw_cli.networks.operation import Index
from conslaw_cli.networks.places import on_some_places
from conslaw_cli.networks.units import Ends, Sizes, Units
from conslaw_cli.networks.wiring import Array as Parameters
from conslaw_cli.problems.problem import Problem

Strand = Sizes
"""How many units of each space a strand has (networks/units.py); of the constant unit, 1 or 0."""
Pair = tuple[int, int]
Kinds = tuple[Strand, ...]
"""Of one strand, or of two."""

MORE = 1
"""Strands that are added, one by one, to a witness that is not found complete."""
IDLE = 2
"""Levels in a row that may add nothing."""
JOINT_STRANDS, JOINT_PARAMETERS = 6, 100
"""Those of a witness of several pairs at most: a larger one takes longer than several (measured on
the atlas).
"""
SEVERAL = 4
"""Strands of a kind that witnesses are chosen from."""
LADDER, LEVELS = 3, 6
"""Levels of nested brackets that are drawn together, and all of them."""
FEW = 64
"""Brackets of each level that are drawn together."""
HEIGHTS = (4, 5)
"""Heights of balanced brackets that are tried after them."""
DIAGONAL = re.compile(r"diag|[()]")
"""What a formula of the diagonal of a matrix has beyond that of the matrix."""


@dataclass(frozen=True, slots=True)
class Witness:
    """A few strands whose laws are complete at one block-diagonal point.

    strands: in order. dimension, rank: of the state, and of the Lie algebra there modulo a prime.
    laws: for each two strands, by their places, the rank of the laws' gradients in their block.
    seed: what the point was drawn with.
    """

    strands: tuple[Strand, ...]
    dimension: int
    rank: int
    laws: Mapping[Pair, int]
    prime: int
    seed: int


@dataclass(frozen=True, slots=True)
class Network:
    """A graph as flows know what they move (flows.Model), under squared error."""

    graph: Graph

    def fields(self) -> GradientFields:
        """Return the gradients."""
        return GradientFields(self.graph)

    def laws(self) -> Laws:
        """Return the laws that the wiring gives."""
        return self.fields().known_laws()

    def parameter_arrays(self) -> Sequence[Parameters]:
        """Return the arrays that move."""
        return self.graph.trained


@dataclass(frozen=True, slots=True)
class Lifting:
    """What witnesses prove of a network: it has so many independent laws, all functions of the
    known ones, under a loss whose output gradients are free.

    strands: how often each kind occurs. gated: how many units with gates are not among them;
    added: the laws that these have.
    """

    strands: Mapping[Strand, int]
    witnesses: tuple[Witness, ...]
    laws: int
    gated: int = 0
    added: int = 0


def lifts(problem: Problem) -> bool:
    """Whether the hypotheses of block lifting hold: every operation separates its units (S), every
    known law is an entry of matrices M Nᵀ of parameters, with one row per unit (P), and the flow
    keeps parameters that are zero where gradients along them are, as changing their signs shows.
    """
    graph = problem.graph
    if graph is None or graph.frozen or not problem.flow.dynamics.isometric:
        return False
    return _separable(graph)


@lru_cache(maxsize=256)
def _separable(graph: Graph) -> bool:
    """Whether (S) and (P) hold. Chains are asked for with few units, and there are few of those."""
    separating = all(step.operation.separating for step in graph.steps)
    return separating and all(form.kind != "scalar" for form in graph.wiring(skips=True).forms())


def lifted(
    problem: Problem, strands: Mapping[Strand, int], core: Sequence[Strand]
) -> Lifting | None:
    """Return what block lifting says of a problem whose units are dealt out to strands, so many of
    each kind; None if it does not apply, or a pair of strands has no complete witness.

    core: strands that every witness contains; more are added where that is not enough.
    """
    if problem.graph is None or not lifts(problem) or not _hopeful(problem):
        return None
    few = tuple(sorted((strand, min(n, SEVERAL)) for strand, n in strands.items()))
    found = _witnesses(_skeleton(problem.graph), problem.flow, few, tuple(core))
    return None if found is None else found.lifting(strands)


class _Found(NamedTuple):
    """Witnesses, and the ranks of the laws' gradients in blocks, by the kinds of their strands."""

    witnesses: tuple[Witness, ...]
    blocks: Mapping[Kinds, int]

    def lifting(self, strands: Mapping[Strand, int]) -> Lifting:
        """Return what they prove: the sum over all strands and pairs."""
        dealt = Counter(strands)
        own = sum(times * self.blocks[(strand,)] for strand, times in dealt.items())
        pairs = (pair for pair in _pairs(dealt) if pair[1:])
        laws = own + sum(_times(dealt, pair) * self.blocks[pair] for pair in pairs)
        return Lifting(strands, self.witnesses, laws)


@lru_cache(maxsize=4096)
def _witnesses(
    skeleton: Graph, flow: Flow, few: tuple[tuple[Strand, int], ...], core: tuple[Strand, ...]
) -> _Found | None:
    """Return a complete witness for every pair of strands: it depends on their kinds alone, as long
    as there are some of each; None if one has none.
    """
    dealt = Counter(dict(few))
    least = Counter(core) | Counter(_constant(skeleton, dealt))
    first = [*_first(dealt, least, Units.of(skeleton).weights(skeleton))]
    shared.fill(((skeleton, flow, strands) for strands in first), lambda asked: _drawn(*asked))
    witnesses, blocks = list[Witness](), dict[Kinds, int]()
    for strands in first:
        if (witness := _complete(skeleton, flow, strands)) is None:
            break
        witnesses.append(witness)
        _note(witness, blocks)
    for pair in _pairs(dealt):
        if pair not in blocks:
            witness = _containing(skeleton, flow, dealt, _least(dealt, least | Counter(pair)))
            if witness is None:
                return None
            witnesses.append(witness)
            _note(witness, blocks)
    return _Found(tuple(witnesses), blocks)


def _first(
    dealt: Counter[Strand], least: Counter[Strand], weights: Sequence[tuple[Ends, int]]
) -> Iterator[tuple[Strand, ...]]:
    """Yield the witnesses that are needed if all of them are complete: each for the first pair that
    those before do not contain, and for others with it while it is small.
    """
    left = set(_pairs(dealt))
    for pair in _pairs(dealt):
        if pair in left:
            chosen = _least(dealt, least | Counter(pair))
            while (more := _joining(dealt, chosen, left, weights)) is not None:
                chosen[more] += 1
            left -= _within(chosen)
            yield _ordered(chosen.elements())


def _joining(
    dealt: Counter[Strand],
    chosen: Counter[Strand],
    left: set[Kinds],
    weights: Sequence[tuple[Ends, int]],
) -> Strand | None:
    """Return the strand that makes most pairs of those that are left with chosen ones, at least two
    of them, so that it needs fewer witnesses; None if there is none with which it stays small.
    """
    if chosen.total() >= JOINT_STRANDS:
        return None
    left = left - _within(chosen)
    found = list[tuple[int, int, Strand]]()
    for strand in dealt - chosen:
        wider = chosen + Counter([strand])
        sizes, gain = _sizes(wider.elements()), len(left & _within(wider))
        parameters = sum(ends.pairs(sizes) * times for ends, times in weights)
        if gain > 1 and parameters <= JOINT_PARAMETERS:
            found.append((gain, -parameters, strand))
    return max(found)[2] if found else None


def _within(chosen: Counter[Strand]) -> set[Kinds]:
    """Return the pairs of kinds of these strands, in the order of :func:`_pairs`, and each kind."""
    strands = _ordered(chosen.elements())
    return {*combinations(strands, 2), *((strand,) for strand in strands)}


def _hopeful(problem: Problem) -> bool:
    """Whether the laws of a network with one or two units in each space are complete, which a path
    tells soon: where those of momentum are not all known, large witnesses take long to miss.
    """
    assert problem.graph is not None
    small = tuple(min(n, 2) for n in Units.of(problem.graph).sizes)
    return problem.flow.dynamics.copies == 1 or complete(problem, [small]) is not None


def _constant(skeleton: Graph, strands: Iterable[Strand]) -> list[Strand]:
    """Return the strand that the constant unit is in, if there is one."""
    biased = not Units.of(skeleton).openers[-1]
    return [strand for strand in strands if biased and strand[-1]]


def _pairs(dealt: Counter[Strand]) -> list[Kinds]:
    """Return the kinds of two strands that there are; of one strand itself."""
    kinds = sorted(dealt, reverse=True)
    pairs = [
        (first, second)
        for first, second in combinations_with_replacement(kinds, 2)
        if first != second or dealt[first] > 1
    ]
    return [*pairs] or [(kinds[0],)]


def _containing(
    skeleton: Graph, flow: Flow, dealt: Counter[Strand], chosen: Counter[Strand]
) -> Witness | None:
    """Return a complete witness that contains some strands."""
    for _ in range(1 + MORE):
        if (witness := _complete(skeleton, flow, _ordered(chosen.elements()))) is not None:
            return witness
        if not (rest := dealt - chosen):
            return None
        chosen[max(rest, key=_fullness)] += 1
    return None


def _least(dealt: Counter[Strand], least: Counter[Strand]) -> Counter[Strand]:
    """Return some strands, as far as there are such, with others until there are units in every
    space.
    """
    chosen = dealt & least
    while empty := [i for i, n in enumerate(_sizes(chosen.elements())) if not n]:
        fitting = [strand for strand in dealt - chosen if strand[empty[0]]]
        chosen = chosen + Counter([max(fitting, key=_fullness)])
    return chosen


def _fullness(strand: Strand) -> tuple[int, int, Strand]:
    """Sort key: strands that touch many spaces with few units come last."""
    return sum(n > 0 for n in strand), -sum(strand), strand


def _sizes(strands: Iterable[Strand]) -> Sizes:
    return tuple(map(sum, zip(*strands, strict=True)))


def _note(witness: Witness, blocks: dict[Kinds, int]) -> None:
    """Note the ranks of blocks by the kinds of their strands, of one strand or two."""
    count = len(witness.strands)
    for i, j in combinations_with_replacement(range(count), 2):
        kinds = (witness.strands[i], witness.strands[j])[: 1 + (i < j)]
        rank = witness.laws.get((i, j), 0)
        if blocks.setdefault(kinds, rank) != rank:
            raise ContradictionError(f"blocks of {kinds} have ranks {blocks[kinds]} and {rank}")


def _times(dealt: Counter[Strand], pair: Kinds) -> int:
    first, second = pair
    return comb(dealt[first], 2) if first == second else dealt[first] * dealt[second]


def complete(problem: Problem, strands: Sequence[Strand]) -> Witness | None:
    """Return the witness of some strands of a problem's network, under a loss whose output
    gradients are free, if its laws are found to be complete; None decides nothing.

    Deterministic, whatever the order of the strands and the sizes of the network.
    """
    graph, sizes = problem.graph, _sizes(strands)
    if graph is None or not all(sizes):
        return None
    return _complete(_skeleton(graph), problem.flow, _ordered(strands))


def _ordered(strands: Iterable[Strand]) -> tuple[Strand, ...]:
    return tuple(sorted(strands, reverse=True))


def capped(problem: Problem, graph: Graph, most: int) -> Iterator[Sizes]:
    """Yield the units of narrower networks in which no space has more than some number of them, the
    largest first, those whose state has at most so many dimensions.
    """
    units, found = Units.of(graph), list[Sizes]()
    weights = units.weights(graph)
    for cap in range(1, max(units.sizes)):
        sizes = tuple(min(n, cap) for n in units.sizes)
        parameters = sum(ends.pairs(sizes) * times for ends, times in weights)
        if problem.flow.dynamics.state(parameters) > most:
            break
        found.append(sizes)
    yield from reversed(found)


@lru_cache(maxsize=256)
def _skeleton(graph: Graph) -> Graph:
    """Return the graph with two units in every space."""
    units = Units.of(graph)
    return units.resized(graph, (2,) * len(units.sizes))


@lru_cache(maxsize=1024)
def _kinds(graph: Graph, flow: Flow) -> frozenset[str]:
    """Return the formulas of the known laws: some are laws only where a size is 1, as charges
    under momentum. Of a matrix with one entry the diagonal is all.
    """
    texts = (family.text for family in flow.laws(Network(graph)).families)
    return frozenset(DIAGONAL.sub("", text) for text in texts)


@lru_cache(maxsize=1 << 14)
def _complete(skeleton: Graph, flow: Flow, strands: tuple[Strand, ...]) -> Witness | None:
    """Return the witness if its laws are complete, found in this process or in another one."""
    asked = skeleton, flow, strands
    witness: Witness | None = shared.get(asked, lambda: _drawn(*asked))
    return witness


def _drawn(skeleton: Graph, flow: Flow, strands: tuple[Strand, ...]) -> Witness | None:
    """Return the witness if its laws are complete at a point drawn from what it is."""
    graph = Units.of(skeleton).resized(skeleton, _sizes(strands))
    if not _kinds(graph, flow) <= _kinds(skeleton, flow):
        return None
    content = json.dumps([str(graph), flow.describe(), strands])
    seed = int.from_bytes(hashlib.sha256(content.encode()).digest()[:8])
    rng = np.random.Generator(np.random.PCG64(seed))
    network = Network(graph)
    fields = flow.fields(network)
    field = PrimeField(fields.prime(rng))
    there, state = fields.at(field, rng)
    blocks = _blocks(skeleton, graph, fields, strands)
    state[:, blocks[0] != blocks[1]] = 0
    sampler = Sampler(driven(there), field, state, rng)
    laws = _ranks(flow.laws(network), sampler, blocks)
    if laws is None:
        return None
    enough = fields.dimension - sum(laws.values())
    if isinstance(there, Steps):
        rank = orbit(there, field, rng, enough, state).rank
    else:
        rank = _reached(sampler, enough, everywhere=not on_some_places(graph))
    if rank > enough:
        raise ContradictionError(f"{strands}: rank {rank} at seed {seed}, laws leave {enough}")
    if rank < enough:
        return None
    return Witness(strands, fields.dimension, rank, laws, field.p, seed)


def _blocks(
    skeleton: Graph, graph: Graph, fields: VectorFields, strands: Sequence[Strand]
) -> Index:
    """Return the two strands of each coordinate of a state, in order, (2, n); of time −1."""
    labels = [np.repeat(np.arange(len(strands)), counts) for counts in zip(*strands, strict=True)]
    ends = np.sort(Units.of(skeleton).ends(graph, labels), axis=0)
    clock = int(isinstance(fields, Clocked))
    times = (fields.dimension - clock) // graph.dimension
    return np.concatenate([np.tile(ends, times), np.full((2, clock), -1)], axis=1)


def _ranks(laws: Laws, sampler: Sampler, blocks: Index) -> dict[Pair, int] | None:
    """Return the rank of the laws' gradients in each block; None if one lies in no single block."""
    field, spans = sampler.field, dict[Pair, Span]()
    fields = sampler.rows(0, 4).T
    pairs = sorted(set(map(tuple, blocks.T.tolist())) - {(-1, -1)})
    columns = {(i, j): (blocks[0] == i) & (blocks[1] == j) for i, j in pairs}
    for gradients in laws.over(field).gradients(sampler.theta[0, :, 0], TERMS):
        field.reduce(gradients)
        if field.matmul(gradients, fields).any():
            raise ContradictionError("a known law is not conserved at a block-diagonal point")
        inside = {pair: gradients[:, columns[pair]] for pair in pairs}
        touched = np.stack([part.any(axis=1) for part in inside.values()])
        if (touched.sum(axis=0) > 1).any():
            return None
        for pair, rows in zip(pairs, touched, strict=True):
            if rows.any():
                spans.setdefault(pair, Span(field)).add(inside[pair][rows])
    return {pair: span.rank for pair, span in spans.items()}


def _reached(sampler: Sampler, enough: int, everywhere: bool) -> int:
    """Return a rank of nested brackets, then of covectors carried along curves or of balanced
    brackets, as soon as it is ``enough``, or has not risen for some levels. everywhere: whether
    covectors are worth their time: of networks on some places others do with fewer brackets.
    """
    span, idle, fields = _climbed(sampler, enough), 0, sampler.fields
    carries = isinstance(fields, Transporting) and fields.transports
    for draw, order in _steps(sampler, () if carries else HEIGHTS):
        if span.rank >= enough or idle > IDLE:
            return span.rank
        before = span.rank
        for rows in draw(order, enough + 1 - span.rank):
            if span.add(rows) < len(rows):
                break
        idle = 0 if span.rank > before else idle + 1
    if span.rank >= enough or not isinstance(fields, Transporting) or not (carries and everywhere):
        return span.rank
    return transported(fields, sampler.field, sampler.theta, sampler.rng, enough).rank


def _climbed(sampler: Sampler, enough: int) -> Span:
    """Return the span of nested brackets of up to LADDER levels, a few of all levels at a time."""
    span, before = Span(sampler.field), -1
    while before < span.rank < enough:
        before = span.rank
        for rows in sampler.ladder(LADDER, min(enough + 1 - span.rank, FEW)):
            span.add(rows)
            if span.rank >= enough:
                break
    return span


def _steps(
    sampler: Sampler, heights: Sequence[int]
) -> Iterator[tuple[Callable[[int, int], Iterator[Array]], int]]:
    yield from ((sampler.nested, level) for level in range(LADDER + 1, LEVELS))
    yield from ((sampler.balanced, height) for height in heights)
