"""The theorems on chains that are small at the ends (docs/any-width.md, sections 11 and 12), step
by step: a check to be run at length.

    python tests/small_ends.py [UNITS] [PARAMETERS]

It holds the fields at ε = 0 against those of networks, finds the ranks that are claimed of their
brackets modulo a prime, for all chains of three matrices of up to so many units a layer, and holds
both theorems against brackets at generic points of networks. It stops at the first that differs.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import cycle, islice, pairwise, product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from conslaw_cli import Problem, count_laws
from conslaw_cli.lie import chains
from conslaw_cli.lie.theorems import THEOREMS, Evidence
from conslaw_cli.networks.chains import Chain
from conslaw_cli.problems.problem import Architecture

Ints = NDArray[Any]
PRIME = 2**31 - 1
AT_ONCE = 5
"""Brackets with other fields, one after the other, that are made side by side."""
ROUNDS = 40
"""Brackets with random fields after which ranks are given up, many more than are needed."""

BY_NAME = {theorem.name: theorem for theorem in THEOREMS}


class Sizes(NamedTuple):
    """Widths ``n_0-n-m-n_3``, and whether the units of the first hidden layer have gates."""

    inputs: int
    first: int
    second: int
    outputs: int
    gated: bool

    @property
    def rank(self) -> int:
        return min(self.first, self.second)

    @property
    def more(self) -> int:
        """d of the proof: rows or columns of W."""
        return self.second - self.rank if self.gated else self.first - self.rank


class Constants(NamedTuple):
    middle: Ints
    """T (n × l), or S as a diagonal matrix."""
    inverse: Ints
    """Of a square T, or of S, modulo the prime."""
    w: Ints


class Point(NamedTuple):
    u: Ints
    v: Ints
    r: Ints


def generic(sizes: Sizes, draw: np.random.Generator) -> Constants:
    """Return S, T and W as the proof has them."""
    unit = np.eye(sizes.more, sizes.outputs if sizes.gated else sizes.inputs, dtype=object)
    if not sizes.gated:
        s = integers(draw, sizes.rank)
        turned = [pow(int(value), -1, PRIME) for value in s]
        return Constants(np.diag(s), np.diag(np.array(turned, dtype=object)), unit.T)
    middle = integers(draw, sizes.first, sizes.rank)
    square = sizes.first == sizes.rank
    return Constants(middle, inverse(middle) if square else middle.T * 0, unit)


def integers(draw: np.random.Generator, *shape: int) -> Ints:
    return draw.integers(1, PRIME, shape).astype(object)


def limit(sizes: Sizes, fixed: Constants, probes: Ints, at: Point) -> tuple[Ints, ...]:
    """Return u', v', r', what moves of U_2 (τ' or σ') and ω' at ε = 0. probes: E_k, one for each
    unit of the first hidden layer, all the same without gates.
    """
    u, v, r = at
    if sizes.gated:
        x = np.array([column @ probe for column, probe in zip(u.T, probes, strict=True)])
        ends = [probe @ v.T @ t for probe, t in zip(probes, fixed.middle, strict=True)]
        return np.array(ends).T, fixed.middle.T @ x, x @ fixed.w.T, x @ v.T, r.T @ x
    probe, (s, _, w) = probes[0], fixed
    return probe @ v.T @ s, s @ u.T @ probe, w.T @ probe @ v.T, u.T @ probe @ v.T, probe @ v.T @ r.T


def surface(sizes: Sizes, fixed: Constants, u: Ints, v: Ints) -> Point:
    """Return the point above u and v of the surface to which all fields are tangent."""
    if sizes.gated:
        return Point(u, v, fixed.inverse.T @ v @ fixed.w.T % PRIME)
    return Point(u, v, fixed.w.T @ u @ fixed.inverse % PRIME)


def field(matrices: tuple[Ints, Ints, Ints], probes: Ints) -> tuple[Ints, ...]:
    """Return the gradient of the network's output for the probes, at three matrices."""
    first, second, third = matrices
    x = np.array([column @ probe for column, probe in zip(first.T, probes, strict=True)])
    ends = [probe @ third.T @ t for probe, t in zip(probes, second, strict=True)]
    return np.array(ends).T, x @ third.T, second.T @ x


def check_limit(sizes: Sizes, draw: np.random.Generator) -> None:
    """Scale a network's fields by powers of an integer ε: they are those at ε = 0 modulo ε²."""
    fixed, e, k, d = generic(sizes, draw), 10**6 + 3, sizes.rank, sizes.more
    u, v = integers(draw, sizes.inputs, sizes.first), integers(draw, sizes.second, sizes.outputs)
    u, v = (u, v[:k]) if sizes.gated else (u[:, :k], v)
    r = integers(draw, *((sizes.first, d) if sizes.gated else (d, sizes.second)))
    probes = random_probes(sizes, draw)
    claimed = limit(sizes, fixed, probes, Point(u, v, r))
    if sizes.gated:
        second, third = np.hstack([fixed.middle, e**2 * r]), np.vstack([e * v, e * fixed.w])
        one, two, three = field((e * u, second, third), probes)
        found = (one, three[:k], two[:, k:], two[:, :k], three[k:])
    else:
        first, second = np.hstack([e * u, e * fixed.w]), np.vstack([fixed.middle, e**2 * r])
        one, two, three = field((first, second, e * v), probes)
        found = (one[:, :k], three, two[k:], two[:k], one[:, k:])
    for here, there, power in zip(found, claimed, (1, 1, 2, 2, 3), strict=True):
        assert not np.any((here - e**power * there) % e ** (power + 2)), sizes


def random_probes(sizes: Sizes, draw: np.random.Generator) -> Ints:
    shape = (sizes.first if sizes.gated else 1, sizes.inputs, sizes.outputs)
    return np.broadcast_to(integers(draw, *shape), (sizes.first, *shape[1:]))


class Element(NamedTuple):
    """A field (L y, Q(y)), Q as symmetric matrices, one for each coordinate of B."""

    linear: Ints
    quadratic: Ints

    def bracket(self, other: Element) -> Element:
        """Return the bracket with another, up to sign."""
        (here, q), (there, p) = self, other
        halves = p @ here - q @ there
        return Element((there @ here - here @ there) % PRIME, (halves + turned(halves)) % PRIME)

    def at(self, y: Ints) -> list[int]:
        return [*(self.linear @ y % PRIME), *((self.quadratic @ y % PRIME) @ y % PRIME)]


def turned(matrices: Ints) -> Ints:
    return np.swapaxes(matrices, -1, -2)


def element(sizes: Sizes, fixed: Constants, probes: Ints) -> Element:
    """Return the field of the probes on the surface, of u, v and what B has, read off its values at
    sums of unit vectors.
    """
    ends, k = sizes.inputs * (sizes.first if sizes.gated else sizes.rank), sizes.rank

    def values(y: Ints) -> tuple[Ints, Ints]:
        u, v = y[:ends].reshape(sizes.inputs, -1), y[ends:].reshape(k, sizes.outputs)
        one, two, r, middle, more = limit(sizes, fixed, probes, surface(sizes, fixed, u, v))
        moved = surface(sizes, fixed, one % PRIME, two % PRIME).r
        assert not np.any((r - moved) % PRIME), sizes  # fields are tangent to the surface
        moving = [*middle.ravel(), *more.ravel()] if sizes.gated else [*more.ravel()]
        ends_moved = [*one.ravel(), *two.ravel()]
        return np.array(ends_moved, dtype=object), np.array(moving, dtype=object)

    unit = np.eye(ends + k * sizes.outputs, dtype=object)
    alone = [values(each) for each in unit]
    half = pow(2, -1, PRIME)
    pairs = [
        [(values(a + b)[1] - p - q) * half % PRIME for b, (_, q) in zip(unit, alone, strict=True)]
        for a, (_, p) in zip(unit, alone, strict=True)
    ]
    linear = np.array([one for one, _ in alone], dtype=object).T % PRIME
    return Element(linear, np.moveaxis(np.array(pairs, dtype=object), -1, 0))


def check_rank(sizes: Sizes, draw: np.random.Generator) -> None:
    """Brackets of the fields at ε = 0 have the rank of the proof."""
    fixed = generic(sizes, draw)
    count = sizes.inputs * sizes.outputs * (sizes.first if sizes.gated else 1)
    given = cycle([element(sizes, fixed, random_probes(sizes, draw)) for _ in range(count)])
    moved, claimed, rank = [*islice(given, max(count, AT_ONCE))], complete(sizes), 0
    y = integers(draw, len(moved[0].linear))
    rows = [each.at(y) for each in moved]
    for _ in range(ROUNDS):
        moved = [next(given).bracket(each) for each in moved[-AT_ONCE:]]
        rows += [each.at(y) for each in moved]
        if (rank := rank_of(rows)) >= claimed:
            break
    assert rank == claimed, (sizes, rank)


def complete(sizes: Sizes) -> int:
    """Return the number of parameters less that of the laws."""
    inputs, n, m, outputs, gated = sizes
    return inputs * n + n * m + m * outputs - (n if gated else n * (n + 1) // 2) - m * (m + 1) // 2


def rank_of(rows: list[list[int]]) -> int:
    """Return the rank modulo the prime."""
    matrix = np.array(rows, dtype=object) % PRIME
    rank = 0
    for column in range(matrix.shape[1]):
        pivots = np.flatnonzero(matrix[rank:, column])
        if not pivots.size:
            continue
        matrix[[rank, rank + pivots[0]]] = matrix[[rank + pivots[0], rank]]
        scaled = matrix[rank] * pow(int(matrix[rank, column]), -1, PRIME) % PRIME
        matrix[rank + 1 :] -= np.outer(matrix[rank + 1 :, column], scaled)
        matrix %= PRIME
        rank += 1
        if rank == len(matrix):
            break
    return rank


def inverse(matrix: Ints) -> Ints:
    """Return the inverse modulo the prime."""
    size = len(matrix)
    both = np.hstack([matrix, np.eye(size, dtype=object)])
    for i in range(size):
        both[i] = both[i] * pow(int(both[i, i]), -1, PRIME) % PRIME
        for j in set(range(size)) - {i}:
            both[j] = (both[j] - both[j, i] * both[i]) % PRIME
    return both[:, size:]


def all_sizes(most: int) -> Iterator[Sizes]:
    """Yield the chains of the proof up to so many units a layer, not read backwards."""
    units = range(1, most + 1)
    for inputs, n, m, outputs, gated in product(units, units, units, units, (False, True)):
        spare = m > n + outputs if gated else n > inputs + m
        if not spare and (n > 1 if gated else n >= m and inputs + outputs > 2):
            yield Sizes(inputs, n, m, outputs, gated)


def networks(most: int) -> Iterator[tuple[str, Architecture]]:
    """Yield networks of up to so many parameters to which a theorem applies, with its name."""
    patterns = [("linear",) * layers for layers in (2, 3, 4)]
    for pattern in [*patterns, ("relu", "linear"), ("linear", "relu")]:
        for widths in product(range(1, 6), repeat=len(pattern) + 2):
            if sum(a * b for a, b in pairwise(widths)) > most:
                continue
            found = Chain(widths, tuple(each == "linear" for each in pattern), ())
            for biased in product((False, True), repeat=len(widths) - 1):
                network = chains.network(found._replace(biased=biased))
                yield from ((name, network) for name in applying(network))


def applying(network: Architecture) -> list[str]:
    names = ("two hidden layers", "equal layers")
    return [name for name in names if BY_NAME[name].settles(Problem(network))]


def check_network(name: str, network: Architecture) -> None:
    """A theorem says what brackets at a generic point say."""
    problem = Problem(network)
    row, proof = count_laws(problem), BY_NAME[name](problem, Evidence(count_laws))
    assert row.lower[0].method in ("brackets", "transport"), row
    assert proof is not None, network
    assert (row.dim_lie, row.unknown_laws) == (proof.lower[0].value, 0), network


if __name__ == "__main__":
    units, most = (int(text) for text in (*sys.argv[1:], *("4", "60")[len(sys.argv) - 1 :]))
    draw, tried = np.random.default_rng(units), [*all_sizes(units)]
    for sizes in tried:
        check_limit(sizes, draw)
        check_rank(sizes, draw)
    print(f"{len(tried)} chains of three matrices have the ranks of the proof at ε = 0")
    given = [*networks(most)]
    for name, network in given:
        check_network(name, network)
    print(f"{len(given)} networks have the laws of the theorems")
