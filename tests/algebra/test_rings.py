"""Jets against plain polynomials in nilpotent variables, and against derivatives of sympy's
polynomials.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import product
from math import prod
from typing import Any

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sympy import ZZ
from sympy.polys.rings import ring

from conslaw_cli.algebra.field import TERMS, Array, PrimeField
from conslaw_cli.algebra.rings import (
    Exact,
    Jets,
    Residues,
    Ring,
    Sizes,
    Values,
    derivative,
    lift,
    multiply,
    value,
)
from conslaw_cli.algebra.rings import (
    ring as jets_of,
)
from conslaw_cli.algebra.series import Series

PRIMES = (5, 101, 8388593)
PROPERTY = settings(max_examples=40, deadline=None)
SEEDS = st.integers(0, 10**6)


Axiom = Callable[[Ring, Array, Array, Array], Array]
"""The difference of two sides, as an expression in a ring and three elements of it."""


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def plain(jet: NDArray[Any], p: int) -> reference.Jet:
    """Return one jet (2^k coefficients) as a polynomial in the ε_i: bit i of an index stands for
    ε_i.
    """
    return {
        frozenset(i for i in range(8) if index >> i & 1): int(c) % p for index, c in enumerate(jet)
    }


def same(x: reference.Jet, y: reference.Jet) -> bool:
    return all(x.get(s, 0) == y.get(s, 0) for s in x.keys() | y.keys())


def one(field: PrimeField, draw: np.random.Generator, order: int) -> Array:
    """Draw one random jet, as a 1 × 1 matrix."""
    return field.random(draw, (1, 1, 1, 2**order))


@PROPERTY
@given(
    SEEDS,
    st.sampled_from(PRIMES),
    st.tuples(*[st.integers(1, 3)] * 3),
    st.integers(0, 3),
    st.sampled_from([1, 2]),
)
def test_matrix_products_agree_with_plain_nilpotent_polynomials(
    seed: int, p: int, sizes: tuple[int, int, int], order: int, copies: int
) -> None:
    m, k, n = sizes
    field, draw = PrimeField(p), rng(seed)
    a, b = field.random(draw, (copies, m, k, 2**order)), field.random(draw, (2, k, n, 2**order))
    found = Jets(field).matmul(a, b)
    assert found.shape == (2, m, n, 2**order)
    for batch, i, j in product(range(2), range(m), range(n)):
        expected: reference.Jet = {}
        for left, right in zip(a[batch % copies, i], b[batch, :, j], strict=True):
            expected = reference.add_jets(
                expected, reference.multiply_jets(plain(left, p), plain(right, p), p), p
            )
        assert same(plain(found[batch, i, j], p), expected)


def test_long_sums_of_large_jets_are_exact() -> None:
    p, inner = 8388593, TERMS // 3
    a, b = np.full((1, 1, inner, 8), p // 2 + 0.0), np.full((1, inner, 1, 8), p // 2 + 0.0)
    found = Jets(PrimeField(p)).matmul(a, b)[0, 0, 0]
    products = [2 ** bin(s).count("1") * inner * (p // 2) ** 2 for s in range(8)]
    assert [int(x) % p for x in found] == [x % p for x in products]


def jets(field: PrimeField, draw: np.random.Generator, axiom: Axiom) -> Array:
    """Return the difference of two expressions in three random jets."""
    order = int(draw.integers(5))
    x, y, z = (one(field, draw, order) for _ in range(3))
    return axiom(Jets(field), x, y, z)


def residues(field: PrimeField, draw: np.random.Generator, axiom: Axiom) -> Array:
    x, y, z = (one(field, draw, 0)[..., 0] for _ in range(3))
    return axiom(Residues(field), x, y, z)


def power_series(field: PrimeField, draw: np.random.Generator, axiom: Axiom) -> Array:
    """Also the coefficients of these are those of ε_1, …, ε_m, none for one of them."""
    length, m = int(draw.integers(1, min(8, field.p))), int(draw.integers(3))
    sizes = draw.permutation([1, 1 + m, 1 + m])
    terms = [field.random(draw, (length, 1, 1, 1, size)) for size in sizes.tolist()]
    over, found = Series(field, length), []
    for coefficients in zip(*terms, strict=True):
        found.append(axiom(over, *coefficients))
        over = over.next()
    return np.stack(found)


AXIOMS: dict[str, Axiom] = {
    "xy = yx": lambda r, x, y, z: difference(r, r.matmul(x, y), r.matmul(y, x)),
    "(xy)z = x(yz)": lambda r, x, y, z: difference(
        r, r.matmul(r.matmul(x, y), z), r.matmul(x, r.matmul(y, z))
    ),
    "x(y + z) = xy + xz": lambda r, x, y, z: difference(
        r, r.matmul(x, r.add(y, z)), r.add(r.matmul(x, y), r.matmul(x, z))
    ),
    "x ⊙ y = xy": lambda r, x, y, z: difference(r, r.multiply(x, y), r.matmul(x, y)),
    "Σ x = x": lambda r, x, y, z: difference(r, r.sum(x, 1)[:, None], x),
    "x + x = 2x": lambda r, x, y, z: difference(r, r.add(x, x), r.scale(x, Fraction(2))),
    "(xy)/2 = x(y/2)": lambda r, x, y, z: difference(
        r, r.scale(r.matmul(x, y), Fraction(1, 2)), r.matmul(x, r.scale(y, Fraction(1, 2)))
    ),
}


def difference(over: Ring, a: Array, b: Array) -> Array:
    return over.add(a, over.scale(b, Fraction(-1)))


@pytest.mark.parametrize("axiom", AXIOMS)
@pytest.mark.parametrize("ring", [residues, jets, power_series])
@PROPERTY
@given(SEEDS, st.sampled_from(PRIMES))
def test_they_are_commutative_rings(
    ring: Callable[..., Array], axiom: str, seed: int, p: int
) -> None:
    assert not ring(PrimeField(p), rng(seed), AXIOMS[axiom]).any()


@pytest.mark.parametrize("order", [1, 2, 3])
def test_the_square_of_every_epsilon_is_zero(order: int) -> None:
    jets = Jets(PrimeField(101))
    for i in range(order):
        epsilon = np.zeros((1, 1, 1, 2**order))
        epsilon[..., 1 << i] = 1
        assert not jets.matmul(epsilon, epsilon).any()


# ---- every operation of every ring


def numbers(array: NDArray[Any], p: int) -> NDArray[Any]:
    """Return the jets of an array (…, 2^k), a constant having one coefficient, as an object array
    of plain ones.
    """
    result = np.empty(array.shape[:-1], dtype=object)
    for place in np.ndindex(*result.shape):
        result[place] = plain(array[place], p)
    return result


def sizes(draw: np.random.Generator, order: int) -> tuple[int, int]:
    """Draw numbers of coefficients, one of them perhaps that of a constant."""
    full = 2**order
    return [(full, full), (full, 1), (1, full), (1, 1)][int(draw.integers(4))]


def agree(found: Array, expected: NDArray[Any], p: int) -> bool:
    """Whether an array of jets has centred residues, which are those of plain jets."""
    pairs = zip(numbers(found, p).ravel(), expected.ravel(), strict=True)
    small = np.abs(found).max(initial=0) <= p / 2
    return bool(small) and found.shape[:-1] == expected.shape and all(same(x, y) for x, y in pairs)


def entrywise(function: Any, p: int, *arrays: NDArray[Any]) -> NDArray[Any]:
    """Apply a function of plain jets to broadcast arrays of them."""
    total, *others = arrays
    for other in others:
        total = np.frompyfunc(lambda x, y: function(x, y, p), 2, 1)(total, other)
    return np.asarray(total, dtype=object)


@PROPERTY
@given(SEEDS, st.sampled_from(PRIMES), st.integers(0, 4))
def test_sums_and_products_of_jets_and_constants(seed: int, p: int, order: int) -> None:
    """Arrays that broadcast against each other; a term that has one coefficient is a constant."""
    field, draw = PrimeField(p), rng(seed)
    jets, (left, right) = Jets(field), sizes(draw, order)
    shapes = [[(2, 3, 2), (1, 3, 1)], [(1, 3, 2), (2, 3, 2)], [(2, 1, 2), (2, 1, 2)]]
    first, second = shapes[int(draw.integers(3))]
    x, y = field.random(draw, (*first, left)), field.random(draw, (*second, right))
    z = field.random(draw, (*first, sizes(draw, order)[0]))
    a, b, c = (numbers(each, p) for each in (x, y, z))
    copies = [each.copy() for each in (x, y, z)]
    assert agree(jets.add(x, y), entrywise(reference.add_jets, p, a, b), p)
    assert agree(jets.add(x, y, z), entrywise(reference.add_jets, p, a, b, c), p)
    assert agree(jets.add(x), a, p)
    assert agree(jets.multiply(x, y), entrywise(reference.multiply_jets, p, a, b), p)
    assert agree(jets.multiply(y, x), entrywise(reference.multiply_jets, p, a, b), p)
    assert all(map(np.array_equal, copies, (x, y, z))), "nothing is computed in place"


@PROPERTY
@given(SEEDS, st.sampled_from(PRIMES), st.integers(0, 4), st.tuples(*[st.integers(1, 3)] * 3))
def test_matrix_products_with_constants(
    seed: int, p: int, order: int, shape: tuple[int, int, int]
) -> None:
    field, draw = PrimeField(p), rng(seed)
    m, k, n = shape
    left, right = sizes(draw, order)
    x, y = field.random(draw, (2, m, k, left)), field.random(draw, (2, k, n, right))
    if draw.integers(2):
        x = x[:1]
    a, b = numbers(x, p), numbers(y, p)
    products = entrywise(reference.multiply_jets, p, a[:, :, :, None], b[:, None])
    parts = [products[:, :, i] for i in range(k)]
    expected = entrywise(reference.add_jets, p, *parts)
    assert agree(Jets(field).matmul(x, y), expected, p)


@PROPERTY
@given(SEEDS, st.sampled_from(PRIMES), st.integers(0, 2), st.integers(0, 2))
def test_sums_over_an_axis_and_multiples(seed: int, p: int, order: int, axis: int) -> None:
    field, draw = PrimeField(p), rng(seed)
    x = field.random(draw, (2, 3, 2, 2**order))
    a = numbers(x, p)
    parts = [a.take(i, axis) for i in range(a.shape[axis])]
    assert agree(Jets(field).sum(x, axis), entrywise(reference.add_jets, p, *parts), p)
    for factor in (Fraction(1, 4), Fraction(-3), Fraction(2, 3)):
        by = {frozenset[int](): factor.numerator * pow(factor.denominator, -1, p) % p}
        multiples = entrywise(reference.multiply_jets, p, a, np.array(by, dtype=object))
        assert agree(Jets(field).scale(x, factor), multiples, p)


def test_what_is_joined_is_read_back() -> None:
    """A constant has zeros behind its first coefficient, which is a jet of the same value."""
    field = PrimeField(101)
    x, y = (field.random(rng(seed), (2, 3, size)) for seed, size in ((0, 8), (1, 1)))
    found = Jets(field).joined([x, y, x], 8)
    assert found.shape == (2, 9, 8)
    for part, before in zip(np.split(found, 3, axis=1), (x, y, x), strict=True):
        pairs = zip(numbers(part, 101).flat, numbers(before, 101).flat, strict=True)
        assert all(same(*pair) for pair in pairs)
    flat = Residues(field).joined([x[..., 0], y[..., 0]], 3)
    assert np.array_equal(flat, np.concatenate([x[..., 0], y[..., 0]], axis=1))


def test_products_of_jets_beyond_the_exact_sums_are_split() -> None:
    """1024 products of residues, more than may be added: their sum is odd and above 2^53, so that
    it would be rounded.
    """
    p, order = 8388593, 10
    x = np.full(2**order, p // 2 - 1.0)
    x[0] = p // 2
    found = multiply(PrimeField(p), x, np.full(2**order, p // 2 - 1.0))
    sums = [(p // 2 - 1) * (2 ** bin(s).count("1") * (p // 2 - 1) + 1) for s in range(2**order)]
    assert sums[-1] > 2**53
    assert sums[-1] % 2
    assert [int(c) % p for c in found] == [each % p for each in sums]


@pytest.mark.parametrize("p", PRIMES)
@PROPERTY
@given(SEEDS)
def test_all_rings_compute_the_same(p: int, seed: int) -> None:
    """One expression of all operations in fractions, reduced; in residues; as jets of order 0 and,
    where nothing moves, of order 2.
    """
    field, draw = PrimeField(p), rng(seed)
    drawn = [field.random(draw, shape) for shape in ((2, 3, 2), (1, 2, 3), (2, 3, 2))]
    x, y, z = drawn
    exact = [each.astype(int).astype(object) for each in drawn]
    rational = np.vectorize(lambda c: c.numerator * pow(int(c.denominator), -1, p) % p)(
        expression(Exact(), *exact)
    )
    assert np.array_equal(expression(Residues(field), x, y, z) % p, rational)
    for over, size in ((Jets(field), 1), (jets_of(field, 4), 4)):
        moved = over.joined([x[..., None]], size)
        found = expression(over, moved, over.constant(y), over.constant(z))
        assert np.array_equal(found[..., 0] % p, rational)
        assert not found[..., 1:].any()


def expression(over: Ring, x: Values, y: Values, z: Values) -> Values:
    """Return ``z + (3/4) r ⊙ z + (x y) z``, r the column sums of x y."""
    xy = over.matmul(x, y)
    rows = over.sum(xy, 1)[:, :, None]
    return over.add(over.scale(over.multiply(rows, z), Fraction(3, 4)), z, over.matmul(xy, z))


class Plain:
    """A function whose derivatives at z are ``z + 3 + order`` (there is one), as residues."""

    def residues(self, field: PrimeField, z: Array, count: int) -> list[Array]:
        return [field.reduce(z + 3.0 + order) for order in range(count)]

    def real(self, z: Values, order: int) -> Values:
        return z + 3 + order


def partitions(members: list[int]) -> Iterator[list[list[int]]]:
    """Yield all partitions of a set."""
    if not members:
        yield []
        return
    first, *others = members
    for rest in partitions(others):
        yield [[first], *rest]
        for i, block in enumerate(rest):
            yield [*rest[:i], [first, *block], *rest[i + 1 :]]


@PROPERTY
@given(SEEDS, st.sampled_from(PRIMES), st.integers(0, 4), st.integers(0, 2))
def test_functions_of_jets_are_composed(seed: int, p: int, depth: int, order: int) -> None:
    """The coefficient at S of σ(z) is the sum over partitions of S of σ's derivative, as many times
    as there are blocks, times the coefficients of z at the blocks (Faà di Bruno).
    """
    field = PrimeField(p)
    z = field.random(rng(seed), (2, 1, 2**depth))
    found = Jets(field).function(Plain(), z, order)
    assert found.shape == z.shape
    for place in np.ndindex(2, 1):
        c = [int(x) for x in z[place]]
        for s in range(2**depth):
            bits = [1 << i for i in range(depth) if s >> i & 1]
            expected = sum(
                (c[0] + 3 + order + len(blocks)) * prod(c[sum(block)] for block in blocks)
                for blocks in partitions(bits)
            )
            assert int(found[(*place, s)]) % p == expected % p
    plain = Residues(field).function(Plain(), z[..., 0], order)
    assert np.array_equal(plain, found[..., 0])
    assert Exact().function(Plain(), np.array([[0.5]]), order).tolist() == [[3.5 + order]]


def test_sizes_are_those_of_sums_of_absolute_values() -> None:
    ones = np.full((1, 1, 1), 5.0)
    assert Sizes().scale(ones, Fraction(-3, 4)).tolist() == [[[15.0]]]
    assert Sizes().function(Plain(), ones).tolist() == [[[25.0]]]
    assert Sizes().function(Plain(), ones / 10).tolist() == [[[1.0]]]
    assert Exact().scale(ones, Fraction(3, 4)).tolist() == [[[3.75]]]


def test_which_ring_is_for_which_jets() -> None:
    field = PrimeField(101)
    assert jets_of(field, 1) == Residues(field)
    assert jets_of(field, 2) == jets_of(field, 8) == Jets(field)


# ---- derivatives

POLYNOMIALS = ring("x,y,z", ZZ)
"""A ring and its three variables."""
integer_polynomials = st.dictionaries(
    st.tuples(*[st.integers(0, 3)] * 3), st.integers(-5, 5).filter(bool), min_size=1, max_size=5
).map(POLYNOMIALS[0].from_dict)
vectors = st.lists(st.integers(-20, 20), min_size=3, max_size=3)


def at(poly: reference.Poly, point: list[int], p: int) -> int:
    return reference.evaluated(poly, POLYNOMIALS[1:], point) % p


def evaluated(poly: reference.Poly, x: Array, jets: Jets) -> Array:
    """Evaluate a polynomial at a point (1, 3, 2^k) of jets, by sums and products alone; return 2^k
    coefficients.
    """
    total = np.zeros((1, 1, 1, x.shape[-1]))
    for exponents, c in poly.terms():
        term = np.zeros_like(total)
        term[..., 0] = int(c)
        for i in (i for i, e in enumerate(exponents) for _ in range(e)):
            term = jets.matmul(term, x[:, i, None, None])
        total = jets.add(total, term)
    coefficients: Array = total[0, 0, 0]
    return coefficients


def jet(vector: list[int]) -> Array:
    return np.array(vector, dtype=np.float64)[None, :, None]


def along(poly: reference.Poly, v: list[int]) -> reference.Poly:
    return sum((poly.diff(x) * c for x, c in zip(POLYNOMIALS[1:], v, strict=True)), start=0 * poly)


@PROPERTY
@given(integer_polynomials, vectors, vectors)
def test_the_newest_epsilon_holds_the_directional_derivative(
    poly: reference.Poly, point: list[int], v: list[int]
) -> None:
    p = 8388593
    found = evaluated(poly, lift(jet(point), jet(v)), Jets(PrimeField(p)))
    assert int(value(found)[0]) % p == at(poly, point, p)
    assert int(derivative(found)[0]) % p == at(along(poly, v), point, p)


@PROPERTY
@given(integer_polynomials, vectors, vectors, vectors)
def test_lifting_along_a_vector_that_depends_on_an_epsilon(
    poly: reference.Poly, point: list[int], v: list[int], w: list[int]
) -> None:
    """``(x + ε_1 v) + ε_2 (w + ε_1 u)`` has at ε_1 ε_2 the second derivative along v and w, plus
    the first along u.
    """
    p, u = 8388593, [c + 1 for c in v]
    moved = lift(lift(jet(point), jet(v)), lift(jet(w), jet(u)))
    found = evaluated(poly, moved, Jets(PrimeField(p)))
    expected = at(along(along(poly, v), w), point, p) + at(along(poly, u), point, p)
    assert int(derivative(derivative(found))[0]) % p == expected % p
    assert int(derivative(value(found))[0]) % p == at(along(poly, v), point, p)
    assert int(value(derivative(found))[0]) % p == at(along(poly, w), point, p)


def test_lift_repeats_a_shared_point() -> None:
    x, v = np.arange(3.0)[None, :, None], np.ones((4, 3, 1))
    lifted = lift(x, v)
    assert lifted.shape == (4, 3, 2)
    assert np.array_equal(value(lifted)[2], x[0])
    assert np.array_equal(derivative(lifted), v)


@PROPERTY
@given(SEEDS)
def test_integers_are_exact_beyond_any_word(seed: int) -> None:
    draw = rng(seed)
    a, b = (draw.integers(0, 2**62, shape).astype(object) * 10**30 for shape in [(2, 3), (3, 2)])
    found = Exact().matmul(a[None], b[None])[0]
    for i, j in product(range(2), range(2)):
        assert found[i, j] == sum(a[i, k] * b[k, j] for k in range(3))


def test_fractions_stay_fractions() -> None:
    eight = np.full((1, 1, 1), 8, dtype=object)
    assert Exact().scale(eight, Fraction(1, 3)).tolist() == [[[Fraction(8, 3)]]]
    assert Exact().scale(eight, Fraction(3)).tolist() == [[[24]]]


def test_averages_are_divided_modulo_a_prime() -> None:
    """3·(−34) = −102 = −1 and 3·(−17) = −51 = 50."""
    field = PrimeField(101)
    for over in (Residues(field), Jets(field)):
        assert over.scale(np.array([3.0, -1.0, 50.0]), Fraction(1, 3)).tolist() == [1, -34, -17]


def test_a_sum_of_one_is_that_one_and_batches_of_one_stand_for_any() -> None:
    field, draw = PrimeField(101), rng(3)
    x, y, z = (field.random(draw, (batch, 2, 2)) for batch in (1, 1, 4))
    assert np.array_equal(Residues(field).add(x), x)
    assert np.array_equal(Residues(field).add(x, y, z), field.reduce(x + y + z))
    jets = [each[..., None].repeat(2, axis=-1) for each in (x, y, z)]
    assert np.array_equal(Jets(field).add(jets[0]), jets[0])
    assert np.array_equal(Jets(field).add(*jets), field.reduce(jets[0] + jets[1] + jets[2]))
