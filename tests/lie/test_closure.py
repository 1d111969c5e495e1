"""Generated Lie algebras of vector fields that have nothing to do with networks, whose growth is
known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from conslaw_cli.algebra.field import Array, Folding, PrimeField, random_prime
from conslaw_cli.algebra.rings import Jets
from conslaw_cli.families.mlp import MLP
from conslaw_cli.flows import VectorFields
from conslaw_cli.lie import closure
from conslaw_cli.lie.closure import RankTrace, Sampler, close, confirms

P = 8388593
FIELD = PrimeField(P)
PROPERTY = settings(max_examples=30, deadline=None)
Matrix = NDArray[np.int64]


@dataclass(frozen=True)
class PolynomialFields:
    """Combinations of given vector fields on F_p^D; a probe holds the coefficients.

    A component is a list of terms (coefficient, indices of the coordinates to multiply).
    """

    dimension: int
    generators: tuple[tuple[tuple[tuple[int, tuple[int, ...]], ...], ...], ...]

    @property
    def held(self) -> int:
        return 8 * self.dimension

    @property
    def everywhere(self) -> bool:
        return True

    def prime(self, rng: np.random.Generator) -> int:
        return random_prime(rng)

    def at(self, field: PrimeField, rng: np.random.Generator) -> tuple[PolynomialFields, Array]:
        return self, field.random(rng, (1, self.dimension, 1))

    def sample(self, field: PrimeField, rng: np.random.Generator, count: int) -> Array:
        return field.random(rng, (count, len(self.generators)))

    def evaluate(self, field: PrimeField, theta: Array, probes: Array) -> Array:
        size = theta.shape[2]
        values = np.zeros((len(self.generators), len(theta), self.dimension, size))
        for k, generator in enumerate(self.generators):
            for component, terms in enumerate(generator):
                for term in terms:
                    values[k, :, component] += self._term(Jets(field), theta, term)
        field.reduce(values)
        total = np.zeros((len(probes), self.dimension, size))
        for k, value in enumerate(values):
            total = field.reduce(total + field.reduce(probes[:, k, None, None] * value))
        return total

    def _term(self, jets: Jets, theta: Array, term: tuple[int, tuple[int, ...]]) -> Array:
        coefficient, coordinates = term
        value = np.zeros((len(theta), 1, 1, theta.shape[2]))
        value[..., 0] = coefficient
        for i in coordinates:
            value = jets.matmul(value, theta[:, i, None, None])
        return value[:, 0, 0]

    def drift(self, field: PrimeField, theta: Array) -> None:
        return

    def degree(self) -> tuple[int, int]:
        return max(len(i) for field in self.generators for terms in field for _, i in terms), 1

    def bits(self) -> float:
        return float(
            np.log2(
                max(
                    1, sum(abs(c) for field in self.generators for terms in field for c, _ in terms)
                )
            )
        )


def linear(*matrices: Sequence[Sequence[int]] | Matrix) -> PolynomialFields:
    """Return the span of the fields ``θ ↦ A θ``; ``[A θ, B θ] = (A B − B A) θ``."""
    generators = tuple(
        tuple(tuple((int(a), (j,)) for j, a in enumerate(row) if a) for row in np.array(matrix))
        for matrix in matrices
    )
    return PolynomialFields(len(generators[0]), generators)


def sampler(fields: VectorFields, seed: int = 0, p: int = P) -> Sampler:
    return Sampler.at_random_point(fields, PrimeField(p), np.random.default_rng(seed))


def trace(fields: VectorFields, seed: int = 0) -> RankTrace:
    return close(sampler(fields, seed), fields.dimension)


X, Y, Z, U, V = range(5)
ONE: tuple[int, tuple[int, ...]] = (1, ())
E1: Any = ((ONE,), (), ())
CONTACT = PolynomialFields(3, (E1, ((), (ONE,), ((1, (X,)),))))
PLANES = PolynomialFields(3, (((), (ONE,), ((1, (X,)),)), ((), (), ((1, (X, Y, Z)),))))
MARTINET = PolynomialFields(3, (E1, ((), (ONE,), ((1, (X, X)),))))
ENGEL = PolynomialFields(4, (((), (), (), (ONE,)), ((ONE,), ((1, (Z,)),), ((1, (U,)),), ())))
CARTAN = PolynomialFields(
    5, (((ONE,), (), (), (), ()), ((), (ONE,), ((1, (X,)),), ((1, (X, X)),), ((1, (X, Y)),)))
)


@pytest.mark.parametrize(
    ("fields", "growth", "closed"),
    [
        pytest.param(CONTACT, (2, 3), False, id="contact distribution"),
        pytest.param(PLANES, (2,), True, id="involutive distribution"),
        pytest.param(MARTINET, (2, 3), False, id="Martinet distribution, at a generic point"),
        pytest.param(ENGEL, (2, 3, 4), False, id="Engel distribution"),
        pytest.param(CARTAN, (2, 3, 5), False, id="Cartan's (2, 3, 5) distribution"),
        pytest.param(PolynomialFields(4, (((ONE,), (), (), ()),)), (1,), True, id="one field"),
        pytest.param(PolynomialFields(2, ((((0, ()),), ()),)), (0,), True, id="the zero field"),
    ],
)
def test_growth_of_classical_distributions(
    fields: PolynomialFields, growth: tuple[int, ...], closed: bool
) -> None:
    for seed in range(3):
        assert trace(fields, seed) == RankTrace(growth, closed)


ROTATIONS = [
    [[0, 0, 0], [0, 0, -1], [0, 1, 0]],
    [[0, 0, 1], [0, 0, 0], [-1, 0, 0]],
    [[0, -1, 0], [1, 0, 0], [0, 0, 0]],
]
E12, E21 = [[0, 1], [0, 0]], [[0, 0], [1, 0]]


def by_columns(matrix: Sequence[Sequence[int]], copies: int) -> Matrix:
    """Return the matrix acting on several vectors at once."""
    return np.kron(np.eye(copies, dtype=np.int64), np.array(matrix))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param(linear(*ROTATIONS), RankTrace((2,), True), id="so(3) on R^3: the spheres"),
        pytest.param(linear(*ROTATIONS[:2]), RankTrace((2,), True), id="two rotations of R^3"),
        pytest.param(
            linear(*[by_columns(m, 2) for m in ROTATIONS[:2]]),
            RankTrace((2, 3), True),
            id="so(3) on two vectors",
        ),
        pytest.param(
            linear(*[by_columns(m, 2) for m in (E12, E21)]),
            RankTrace((2, 3), True),
            id="sl(2) on two vectors",
        ),
        pytest.param(
            linear(*[by_columns(m, 2) for m in (E12, E21, [[1, 0], [0, 0]])]),
            RankTrace((3, 4), False),
            id="gl(2) on two vectors",
        ),
        pytest.param(
            linear(
                *[
                    by_columns(m, 3)
                    for m in ([[0, 1, 0], [0, 0, 0], [0, 0, 0]], [[0, 0, 0], [0, 0, 1], [0, 0, 0]])
                ]
            ),
            RankTrace((2, 3), True),
            id="Heisenberg",
        ),
    ],
)
def test_growth_of_linear_fields(fields: PolynomialFields, expected: RankTrace) -> None:
    assert trace(fields) == expected


def algebra(matrices: list[Matrix]) -> list[int]:
    """Return the dimensions of W_0, W_1, … generated by matrices under commutators, until they
    stop.
    """
    spanned, level, dimensions = [m.ravel().tolist() for m in matrices], matrices, [0]
    while (dimension := reference.rank(spanned, P)) > dimensions[-1]:
        dimensions.append(dimension)
        level = [(a @ b - b @ a) % P for a in matrices for b in level]
        spanned += [m.ravel().tolist() for m in level]
    return dimensions[1:] or [0]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.integers(-1, 1), min_size=9, max_size=9), min_size=1, max_size=2))
def test_matrix_algebras_grow_as_their_commutators_do(flat: list[list[int]]) -> None:
    """Acting on invertible 3 × 3 matrices from the left, an algebra moves a point in as many
    directions as it has dimensions.
    """
    matrices = [np.array(entries).reshape(3, 3) for entries in flat]
    found = trace(linear(*[by_columns(m.tolist(), 3) for m in matrices]))
    assert list(found.dimensions) == algebra(matrices)
    assert found.closed == (found.rank < 9)


# ---- brackets

NETWORKS = [
    MLP((2, 2, 2), "linear"),
    MLP((1, 2, 2), "relu", "all"),
    MLP((2, 2, 1, 2), ("linear", "relu"), "hidden"),
]
FIELDS: list[VectorFields] = [
    ENGEL,
    CARTAN,
    linear(*ROTATIONS),
    *(mlp.fields() for mlp in NETWORKS),
]


def bracket(fields: VectorFields, theta: Array, *probes: Array) -> Array:
    """Return ``[f_1, [f_2, …]]`` at θ, the fields being given by their probes."""
    return Sampler(fields, FIELD, theta, np.random.default_rng())._nested(theta, probes)[..., 0]


def drawn(fields: VectorFields, seed: int, count: int) -> tuple[Array, list[Array]]:
    draw = np.random.default_rng(seed)
    return FIELD.random(draw, (1, fields.dimension, 1)), [
        fields.sample(FIELD, draw, 2) for _ in range(count)
    ]


def vanishes(x: Array) -> bool:
    return not FIELD.reduce(x).any()


@PROPERTY
@given(st.sampled_from(FIELDS), st.integers(0, 10**6))
def test_brackets_are_antisymmetric(fields: VectorFields, seed: int) -> None:
    theta, (f, g) = drawn(fields, seed, 2)
    assert vanishes(bracket(fields, theta, f, g) + bracket(fields, theta, g, f))
    assert vanishes(bracket(fields, theta, f, f))


@PROPERTY
@given(st.sampled_from(FIELDS), st.integers(0, 10**6))
def test_brackets_satisfy_the_jacobi_identity(fields: VectorFields, seed: int) -> None:
    theta, (f, g, h) = drawn(fields, seed, 3)
    cyclic = [bracket(fields, theta, *order) for order in [(f, g, h), (g, h, f), (h, f, g)]]
    assert vanishes(FIELD.reduce(cyclic[0] + cyclic[1]) + cyclic[2])


@PROPERTY
@given(
    st.lists(st.lists(st.integers(-3, 3), min_size=9, max_size=9), min_size=3, max_size=3),
    st.integers(0, 10**6),
)
def test_brackets_of_linear_fields_are_commutators(flat: list[list[int]], seed: int) -> None:
    a, b, c = matrices = [np.array(entries).reshape(3, 3) for entries in flat]
    fields, (probe_a, probe_b, probe_c) = linear(*matrices), np.eye(3)[:, None]
    theta = FIELD.random(np.random.default_rng(seed), (1, 3, 1))
    inner = b @ c - c @ b
    point = theta[0, :, 0].astype(np.int64)
    assert vanishes(bracket(fields, theta, probe_b, probe_c) - inner @ point)
    assert vanishes(
        bracket(fields, theta, probe_a, probe_b, probe_c) - (a @ inner - inner @ a) @ point
    )


@pytest.mark.parametrize("mlp", NETWORKS, ids=lambda mlp: mlp.name)
def test_brackets_of_network_fields_are_the_symbolic_ones(mlp: MLP) -> None:
    function = reference.network_function(mlp)
    theta, (f, g) = drawn(mlp.fields(), 3, 2)
    point = [int(x) for x in theta[0, :, 0]]

    def fixed(probes: Array) -> list[reference.Poly]:
        probe = list(zip(function.probe, map(int, probes[0]), strict=True))
        return [entry.subs(probe) for entry in function.gradient()]

    first, second = fixed(f), fixed(g)
    found = bracket(mlp.fields(), theta, f, g)[0]
    for i, entry in enumerate(found):
        expected = reference.derivative_along(first[i], second, function.theta)
        expected -= reference.derivative_along(second[i], first, function.theta)
        assert reference.evaluated(expected, function.theta, point) % P == int(entry) % P


# ---- drawing rows


@pytest.mark.parametrize("fields", FIELDS)
def test_how_rows_are_drawn_in_parts_does_not_matter(
    fields: VectorFields, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = trace(fields)
    monkeypatch.setattr(closure, "CHUNK_BYTES", 1)
    monkeypatch.setattr(closure, "TERMS", 3)
    assert trace(fields) == whole
    assert [len(rows) for rows in sampler(fields).nested(1, 8)] == [3, 3, 2]
    for draw in (sampler(fields).nested, sampler(fields).balanced):
        assert [sum(map(len, draw(order, 20))) for order in (1, 4)] == [20, 20]


@PROPERTY
@given(st.sampled_from(FIELDS), st.integers(0, 10**6), st.data())
def test_a_fold_of_the_coordinates_never_raises_a_rank(
    fields: VectorFields, seed: int, data: st.DataObject
) -> None:
    kept = data.draw(st.integers(1, fields.dimension))
    fold = Folding.random(FIELD, np.random.default_rng(seed), fields.dimension, kept)
    whole, folded = trace(fields, seed), close(sampler(fields, seed), fields.dimension, fold)
    assert folded.rank <= min(kept, whole.rank)


def test_a_fold_into_enough_columns_keeps_the_ranks_of_a_network() -> None:
    fields = MLP((4, 4, 4), "linear").fields()
    whole = trace(fields)
    for seed in range(5):
        fold = Folding.random(FIELD, np.random.default_rng(seed), 32, whole.rank + 1)
        assert close(sampler(fields, seed), 32, fold) == whole


# ---- when it stops


@pytest.mark.parametrize("enough", [1, 2, 3])
def test_it_stops_when_the_ranks_reach_what_is_enough(enough: int) -> None:
    """One row more than needed shows a bound that is too small."""
    found = close(sampler(ENGEL), enough)
    assert not found.closed
    assert found.dimensions == {1: (2,), 2: (2,), 3: (2, 3)}[enough]
    assert close(sampler(ENGEL), 5) == RankTrace((2, 3, 4), True)


@pytest.mark.parametrize(
    ("found", "nested", "balanced"),
    [
        (RankTrace((5,), closed=False), (), ()),
        (RankTrace((5,), closed=True), (5, 5), ()),
        (RankTrace((2, 3, 4), closed=False), (2, 3), ()),
        (RankTrace((2, 3, 4), closed=True), (2, 3, 4, 4), ()),
        (RankTrace((2, 3), closed=False, tail=(5, 8)), (2, 3), (5,)),
        (RankTrace((2, 3), closed=True, tail=(5, 8, 8)), (2, 3), (5, 8, 8)),
    ],
)
def test_what_rests_on_chance(
    found: RankTrace, nested: tuple[int, ...], balanced: tuple[int, ...]
) -> None:
    assert (found.unproved, found.unproved_tail) == (nested, balanced)


@pytest.mark.parametrize(
    ("dimensions", "closed", "confirmed"),
    [
        ((2, 3, 4), True, True),
        ((2, 3, 4), False, True),
        ((2, 3, 9), False, True),  # the last rank has reached a bound
        ((2, 4), False, True),
        ((2, 3), True, False),
        ((2,), True, False),
        ((1,), True, False),
        ((1, 4), False, False),
        ((3, 4), False, False),
        ((2, 2, 4), False, False),
        ((2, 4, 5), False, False),
        ((2, 3, 4, 5), True, False),
        ((0,), True, False),
    ],
)
def test_another_point_and_prime_confirm_true_ranks_only(
    dimensions: tuple[int, ...], closed: bool, confirmed: bool
) -> None:
    for seed, p in enumerate([P, 4194319, 7340033]):
        assert confirms(sampler(ENGEL, seed, p), RankTrace(dimensions, closed)) is confirmed


# ---- balanced brackets, where nested ones would be too many


def derived(matrices: list[Matrix], heights: int) -> list[int]:
    """Return the dimensions of V_0, V_1, …, with ``V_{h+1} = V_h + [V_h, V_h]``, for matrices under
    commutators.
    """
    spanned, dimensions = matrices, []
    for _ in range(heights + 1):
        basis: list[Matrix] = []
        for m in spanned:
            if reference.rank([b.ravel().tolist() for b in [*basis, m]], P) > len(basis):
                basis.append(m)
        dimensions.append(len(basis))
        spanned = basis + [(a @ b - b @ a) % P for a, b in combinations(basis, 2)]
    return dimensions


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.integers(-1, 1), min_size=9, max_size=9), min_size=1, max_size=2))
def test_balanced_brackets_span_the_sums_of_all_brackets(flat: list[list[int]]) -> None:
    matrices = [np.array(entries).reshape(3, 3) for entries in flat]
    at = sampler(linear(*[by_columns(m.tolist(), 3) for m in matrices]))
    found = [at.field.rank(np.concatenate(list(at.balanced(height, 10)))) for height in range(4)]
    assert found == derived(matrices, 3)


@pytest.mark.parametrize("nested", [0, 1, 2])
@pytest.mark.parametrize("fields", FIELDS)
def test_balanced_brackets_end_where_nested_ones_do(
    fields: VectorFields, nested: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = trace(fields)
    monkeypatch.setattr(closure, "NESTED", nested)
    found = trace(fields)
    assert (found.rank, found.closed) == (whole.rank, whole.closed)
    assert found.dimensions == whole.dimensions[: nested + 1]
    assert confirms(sampler(fields, 5, 4194319), found)


@pytest.mark.parametrize(
    ("tail", "closed"), [((3,), False), ((4, 3), True), ((3, 3), True), ((4, 5), True)]
)
def test_wrong_ranks_of_balanced_brackets_are_not_confirmed(
    tail: tuple[int, ...], closed: bool
) -> None:
    found = RankTrace((2,), closed, (*tail, 9) if not closed else tail)
    assert confirms(sampler(ENGEL), RankTrace((2,), True, (4, 4)))
    assert not confirms(sampler(ENGEL), found)


def test_samplers_are_reproducible_and_differ_by_seed() -> None:
    for order in (0, 2):
        first, again, other = (
            [
                next(draw(order, 4))
                for at in [sampler(CARTAN, seed)]
                for draw in (at.nested, at.balanced)
            ]
            for seed in (1, 1, 2)
        )
        assert np.array_equal(first, again)
        assert not np.array_equal(first, other)


def long_tail(steps: int) -> PolynomialFields:
    """Return ∂_x and ``Σ_i x^i ∂_{y_i}``: the derivatives of the second along the first commute."""
    powers = tuple(((1, (X,) * i),) for i in range(1, steps + 1))
    return PolynomialFields(1 + steps, (((ONE,), *[()] * steps), ((), *powers)))


@pytest.fixture
def few_nested(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let balanced brackets be tried early, after W_5, so that the tails here may be shorter."""
    monkeypatch.setattr(closure, "NESTED", 5)


@pytest.mark.usefixtures("few_nested")
def test_nested_brackets_go_on_where_balanced_ones_lag_behind() -> None:
    """Each level gains the next derivative; V_h of the balanced ones gains one for each h."""
    assert trace(long_tail(8)) == RankTrace((2, 3, 4, 5, 6, 7, 8, 9), closed=False)
    at = sampler(long_tail(8))
    assert at.field.rank(np.concatenate(list(at.balanced(closure.LOWEST_TREE, 12)))) == 5


@pytest.mark.usefixtures("few_nested")
def test_a_long_tail_that_reaches_no_bound_is_closed_by_a_level_that_adds_nothing() -> None:
    """With one idle coordinate there is one direction that no bracket takes."""
    tail = long_tail(7)
    idle = PolynomialFields(9, tuple((*field, ()) for field in tail.generators))
    found = trace(idle)
    assert found == RankTrace((2, 3, 4, 5, 6, 7, 8), closed=True)
    assert confirms(sampler(idle, 5, 4194319), found)


@dataclass
class ScriptedSampler:
    """Rows of given ranks: of all nested levels up to each one, and of each balanced height.

    Notes what was drawn: ("nested", level) or ("balanced", height).
    """

    nested_ranks: tuple[int, ...]
    balanced_ranks: tuple[int, ...] = ()
    held: int = 1
    field: PrimeField = FIELD

    def __post_init__(self) -> None:
        self.drawn = list[tuple[str, int]]()
        self.fields = self  # of which only ``held`` is asked

    def nested(self, level: int, count: int) -> list[Array]:
        self.drawn.append(("nested", level))
        return [np.eye(30)[: self.nested_ranks[level]], np.zeros((1, 30))]

    def balanced(self, height: int, count: int) -> list[Array]:
        self.drawn.append(("balanced", height))
        rows = np.eye(30)[: self.balanced_ranks[height - closure.LOWEST_TREE]]
        return [rows[:count], np.zeros((max(0, count - len(rows)), 30))]


def closed_by(script: ScriptedSampler, enough: int = 30) -> RankTrace:
    return close(script, enough)  # type: ignore[arg-type]


EIGHT = (2, 3, 4, 5, 6, 7, 8, 9)
"""Ranks of as many levels as nested brackets are used for in any case."""
DEAREST = closure.CHUNK_BYTES
"""So many numbers held that no further nested bracket fits the memory."""


def test_balanced_ranks_that_agree_below_the_nested_ones_do_not_end_it() -> None:
    """A point may be unlucky, but what is proved already is the least that there is."""
    script = ScriptedSampler(EIGHT, (7, 7, 8, 12, 12), DEAREST)
    assert closed_by(script) == RankTrace(EIGHT, True, (7, 7, 8, 12, 12))


def test_the_first_balanced_rank_is_compared_with_none_of_the_nested_ones() -> None:
    """V_3 may have the dimension of W_7 without being it."""
    script = ScriptedSampler(EIGHT, (9, 11, 11))
    assert closed_by(script) == RankTrace(EIGHT, True, (9, 11, 11))


def test_balanced_brackets_end_it_once_their_rank_is_enough() -> None:
    assert closed_by(ScriptedSampler(EIGHT, (8, 12), DEAREST), 12) == RankTrace(
        EIGHT, False, (8, 12)
    )
    wrong_bound = closed_by(ScriptedSampler(EIGHT, (8, 12), DEAREST), 10)
    assert wrong_bound == RankTrace(EIGHT, False, (8, 11))  # one row more than it allows


def test_the_cheaper_brackets_come_next_where_the_balanced_ones_lag_behind() -> None:
    """With ranks 9, 10, 11: 8·3^8, 8·3^9 < 13·7^5 = 218,491, 14·7^5 < 8·3^10 = 472,392 < 15·7^6."""
    script = ScriptedSampler((*EIGHT, 10, 11, 12), (5, 6, 7))
    assert closed_by(script, 12) == RankTrace((*EIGHT, 10, 11, 12), closed=False)
    assert script.drawn == [
        *[("nested", level) for level in range(8)],
        *[("balanced", 3), ("balanced", 4)],
        *[("nested", 8), ("nested", 9)],
        *[("balanced", 5)],
        *[("nested", 10)],
    ]


@pytest.mark.parametrize(("held", "fits"), [(2**26 // 2**11, True), (2**26 // 2**11 + 1, False)])
def test_nested_brackets_go_on_only_if_their_jets_fit_the_memory(held: int, fits: bool) -> None:
    """8 bytes for each of 2^8 coefficients of what a field holds, in 64 MiB."""
    script = ScriptedSampler((*EIGHT, 12), (5, 6, 12), held)
    closed_by(script, 12)
    assert script.drawn[-1] == (("nested", 8) if fits else ("balanced", 5))


@pytest.mark.parametrize("ranks", [(9, 10, 11, 11), (5, 10, 11, 11), (5, 9, 10, 10)])
def test_balanced_brackets_go_on_unless_two_in_a_row_lag_behind(ranks: tuple[int, ...]) -> None:
    script = ScriptedSampler((*EIGHT, 30), ranks)
    assert closed_by(script) == RankTrace(EIGHT, True, ranks)


@pytest.mark.parametrize(
    ("tail", "most"), [((), 8), ((9,), 2**3), ((9, 10), 2**4), ((9, 10, 10), 2**5)]
)
def test_how_many_fields_a_bracket_combines(tail: tuple[int, ...], most: int) -> None:
    """k + 1 in W_k; 2^h in V_h, of which V_3 is the first that is computed."""
    assert RankTrace(EIGHT, closed=True, tail=tail).length == most
