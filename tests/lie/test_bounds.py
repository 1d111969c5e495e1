"""Bounds and what they rest on: law ranks, paths, segments, and how probable it is that a trial
misses.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st

from conslaw_cli.algebra.field import SMALLEST_PRIME, Folding, PrimeField
from conslaw_cli.errors import ContradictionError
from conslaw_cli.families.formulas.custom import CustomMap
from conslaw_cli.families.layers import Layers
from conslaw_cli.families.mlp import BIASES, MLP, Bias
from conslaw_cli.lie import ranks, trials
from conslaw_cli.lie.closure import RankTrace, Sampler, close, confirms
from conslaw_cli.lie.count import count_laws
from conslaw_cli.lie.theorems import Evidence, Theorem
from conslaw_cli.lie.theorems.direct_sum import added
from conslaw_cli.lie.theorems.known_laws import known_laws
from conslaw_cli.lie.theorems.paths import paths
from conslaw_cli.lie.theorems.segments import segments
from conslaw_cli.lie.theorems.single_field import single_field
from conslaw_cli.networks.known_laws import Laws
from conslaw_cli.networks.operations.convolution import Convolution, Pool
from conslaw_cli.networks.operations.dense import Linear
from conslaw_cli.networks.operations.reshape import Flat
from conslaw_cli.problems.problem import Architecture, Problem
from conslaw_cli.problems.records import Bound

P = 8388593
PROPERTY = settings(max_examples=50, deadline=None)
NAME = lambda case: getattr(case, "name", str(case))  # noqa: E731


def sampler(mlp: MLP, seed: int = 0, p: int = P) -> Sampler:
    return Sampler.at_random_point(mlp.fields(), PrimeField(p), np.random.default_rng(seed))


def said(theorem: Theorem, architecture: Architecture) -> Bound | None:
    """Return the upper bound that a theorem gives, None if it does not apply."""
    rng = np.random.default_rng(0)
    at = Sampler.at_random_point(architecture.fields(), PrimeField(P), rng)
    proof = theorem(Problem(architecture), Evidence(count_laws, at))
    return None if proof is None else proof.upper[0]


# ---- known laws


def test_known_laws_bound_the_dimension_from_above() -> None:
    mlp = MLP((1, 3, 1), "linear")
    bound = said(known_laws, mlp)
    assert bound is not None
    assert (bound.value, bound.kind, bound.prime, bound.error_bound) == (1, "proof", P, None)
    assert "6 known laws have rank 5" in bound.shown


def changed(laws: Laws, law: int) -> Laws:
    """Return the laws with one sign of one of them flipped."""
    coefficient = laws.coefficient.copy()
    coefficient[np.flatnonzero(laws.law == law)[0]] *= -1
    return replace(laws, coefficient=coefficient)


@pytest.mark.parametrize(
    "mlp",
    [
        MLP((2, 3, 2), "linear"),
        MLP((2, 3, 2), "relu", "all"),
        MLP((2, 40, 2), "linear"),
        MLP((3, 2, 3), "relu", "all", "cross_entropy"),
    ],
    ids=NAME,
)
def test_every_listed_law_that_is_none_is_caught_and_named(mlp: MLP) -> None:
    laws = mlp.laws()
    for law in range(0, len(laws), max(1, len(laws) // 8)):
        with pytest.raises(ContradictionError) as caught:
            ranks.law_rank(changed(laws, law), sampler(mlp))
        assert laws.name(law) in str(caught.value)


@pytest.mark.parametrize(
    ("mlp", "independent"),
    [
        (MLP((1, 120, 1), "relu"), 120),
        (MLP((1, 120, 2), "relu", False, "cross_entropy"), 240),
        (MLP((1, 120, 1), "relu", "all", "cross_entropy"), 361),
        (MLP((1, 70, 3), "linear"), 70 * 71 // 2 - 66 * 67 // 2),
        (MLP((20, 20, 20), "linear"), 210),
        (MLP((3, 50, 2), "linear", "hidden"), 50 * 51 // 2 - 44 * 45 // 2),
    ],
    ids=NAME,
)
def test_the_rank_of_the_laws_of_wide_networks_is_exact(mlp: MLP, independent: int) -> None:
    """Whatever is done to save time, no rank may be lost: a lost one would be reported as an
    unknown law.
    """
    assert [ranks.law_rank(mlp.laws(), sampler(mlp, seed)) for seed in range(2)] == [
        independent
    ] * 2


def test_a_fold_that_loses_rank_is_not_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """472 laws, of which those of the piece 1-3-1 are dependent: 465 + 1 + 5 are independent."""
    mlp = MLP((30, 30, 1, 3, 1), "linear")
    folds = list[Folding]()

    def narrow(at: Sampler, columns: int) -> Folding:
        folds.append(Folding.random(at.field, at.rng, mlp.parameters, 5))
        return folds[-1]

    monkeypatch.setattr(ranks, "folding", narrow)
    assert len(mlp.laws()) == 472
    assert ranks.law_rank(mlp.laws(), sampler(mlp)) == 471
    assert len(folds) == 1


# ---- direct sums


def test_a_direct_sum_adds_up_values_and_errors_and_is_proved_if_all_parts_are() -> None:
    sure = Bound(7, "known laws", "proof", 5000011, "seven")
    graph = Bound(4, "paths", "proof", None, "four")
    first, second = (
        Bound(9, "stagnation", "random", None, "nine", error) for error in (1e-20, 3e-20)
    )
    found = added([(graph, 2), (sure, 3)])
    shown = "a direct sum: 2 × 4 (four) + 3 × 7 (seven modulo 5000011)"
    assert found == Bound(29, "direct sum", "proof", 5000011, shown)
    for parts in ([(sure, 2), (first, 1)], [(first, 1), (sure, 2)]):
        found = added(parts)
        assert (found.value, found.kind, found.error_bound) == (23, "random", 1e-20)
    found = added([(first, 4), (sure, 1), (second, 1)])
    assert found.value == 52
    assert found.error_bound == pytest.approx(4e-20, rel=1e-12, abs=0)


# ---- paths


def path_matrix(mlp: MLP) -> list[list[int]]:
    """Return which parameters lie on which path from an input or a bias to an output, one row per
    path.
    """
    number = {name: e for e, name in enumerate(mlp.graph.parameter_names())}

    def onward(layer: int, unit: int) -> Iterator[list[int]]:
        if layer == mlp.depth:
            yield []
            return
        for following in range(1, mlp.widths[layer + 1] + 1):
            for rest in onward(layer + 1, following):
                yield [number[f"U{layer + 1}[{unit},{following}]"], *rest]

    paths = [path for unit in range(1, mlp.widths[0] + 1) for path in onward(0, unit)]
    for layer, n in enumerate(mlp.widths[1:], start=1):
        if f"b{layer}[1]" in number:
            paths += [
                [number[f"b{layer}[{j}]"], *rest]
                for j in range(1, n + 1)
                for rest in onward(layer, j)
            ]
    return [[int(e in path) for e in range(mlp.parameters)] for path in map(set, paths)]


@pytest.mark.parametrize("bias", BIASES)
def test_path_rank_is_the_rank_of_the_explicit_path_edge_matrix(bias: Bias) -> None:
    for sizes, depth in ((1, 2, 3), 1), ((1, 2, 3), 2), ((1, 2), 3):
        for widths in product(sizes, repeat=depth + 1):
            mlp = MLP(widths, "relu", bias)
            bound = said(paths, mlp)
            assert bound is not None
            assert bound.value == reference.rank(path_matrix(mlp)), mlp.name


@pytest.mark.parametrize("widths", [(2, 3, 3), (1, 2, 2, 2), (3, 2, 1), (2, 1), (2, 2)])
@pytest.mark.parametrize("bias", BIASES)
def test_under_cross_entropy_it_is_that_of_one_output_less(
    widths: tuple[int, ...], bias: Bias
) -> None:
    mlp = MLP(widths, "relu", bias, "cross_entropy")
    smaller = (*widths[:-1], widths[-1] - 1)
    expected = reference.rank(path_matrix(MLP(smaller, "relu", bias))) if smaller[-1] else 0
    bound = said(paths, mlp)
    assert bound is not None
    assert bound.value == expected


# ---- segments


EXCEPTIONAL = [
    "1-2-2-1",
    "1-3-2-1",
    "1-2-3-2-1",
    "1-2-2-1-2",
    "3-1-2-2-1-4",
    "1-2-2-1-1-3-2-1",
    "1-1-3-3-1-5-1",
]


@pytest.mark.parametrize("chain", EXCEPTIONAL)
def test_segments_prove_what_the_closed_form_says_of_exceptional_chains(chain: str) -> None:
    widths = tuple(map(int, chain.split("-")))
    mlp = MLP(widths, "linear")
    bound = said(segments, mlp)
    assert bound is not None
    assert (bound.value, bound.kind) == (mlp.parameters - reference.laws_of_chain(widths), "proof")
    assert bound.value < mlp.parameters - ranks.law_rank(mlp.laws(), sampler(mlp))


@pytest.mark.parametrize(
    "mlp",
    [MLP((2, 3, 2), "linear"), MLP((2, 1, 1, 2), "linear"), MLP((1, 2, 2, 1), "linear", "hidden")],
    ids=NAME,
)
def test_segments_say_nothing_where_no_piece_is_a_scalar_function(mlp: MLP) -> None:
    assert said(segments, mlp) is None


@PROPERTY
@given(st.lists(st.integers(1, 3), min_size=2, max_size=6), st.data())
def test_segments_never_contradict_the_brackets(widths: list[int], data: st.DataObject) -> None:
    kinds = data.draw(
        st.lists(
            st.sampled_from(["linear", "relu"]), min_size=len(widths) - 2, max_size=len(widths) - 2
        )
    )
    mlp = MLP(tuple(widths), tuple(kinds))
    bound = said(segments, mlp)
    assert bound is None or close(sampler(mlp), mlp.parameters).rank <= bound.value


def test_a_single_field_spans_one_dimension() -> None:
    bound = said(single_field, CustomMap.from_text("x*y*z + x"))
    assert bound == Bound(1, "single field", "proof", None, "W_φ is spanned by one field")
    assert said(single_field, CustomMap.from_text("x*y*z + x, x")) is None


# ---- evidence


@dataclass(frozen=True)
class Sizes:
    """Only what the error bound asks for."""

    in_theta: int
    in_probe: int
    coefficients: float

    def degree(self) -> tuple[int, int]:
        return self.in_theta, self.in_probe

    def bits(self) -> float:
        return math.log2(self.coefficients)


def factorial_bits(size: int) -> float:
    return math.log2(math.factorial(size))


@pytest.mark.parametrize(
    ("mlp", "rank", "length", "by_hand", "value"),
    [
        # F has 3·(3·(3 + 1) + 1) = 39 monomials, degree 2 in θ and 2 in (x, w): entries of a field
        # have degree 1 + 2, brackets of three fields 3·3 − 2 = 7, norm ≤ (2·3·1·39)^3.
        (
            MLP((3, 3, 3), "linear", "all"),
            10,
            3,
            (11 * 3 * math.log2(2 * 3 * 1 * 39) + factorial_bits(11)) / 22 / 268216
            + 11 * 7 / 2**22,
            6.66525e-05,
        ),
        # 3^5 monomials, degree 4 in θ: fields have degree 3 + 2, brackets 3·5 − 2 = 13.
        (
            MLP((3, 3, 3, 3, 3), "linear"),
            10,
            3,
            (11 * 3 * math.log2(2 * 3 * 3 * 243) + factorial_bits(11)) / 22 / 268216
            + 11 * 13 / 2**22,
            1.06013e-04,
        ),
        # 2·3·2 monomials, one gate: degree 1 in θ, 3 in the probe; one field is no bracket.
        (
            MLP((2, 3, 2), "relu"),
            5,
            1,
            (6 * math.log2(2 * 1 * 1 * 12) + factorial_bits(6)) / 22 / 268216 + 6 * 4 / 2**22,
            1.19927e-05,
        ),
        # Cross-entropy: −w_1 − … in place of the last weight at most doubles the 2·3·2 monomials.
        (
            MLP((2, 3, 2), "linear", loss="cross_entropy"),
            5,
            2,
            (6 * 2 * math.log2(2 * 2 * 1 * 24) + factorial_bits(6)) / 22 / 268216
            + 6 * (2 * 3 - 1) / 2**22,
            2.21526e-05,
        ),
        # One monomial, constant fields: the degree and the bits count as 1 where they are 0.
        (
            MLP((1, 1), "linear"),
            2,
            2,
            (3 * 2 * (1 + math.log2(2 * 2 * 1)) + factorial_bits(3)) / 22 / 268216 + 3 * 3 / 2**22,
            5.63430e-06,
        ),
    ],
    ids=NAME,
)
def test_the_probability_of_a_miss_is_what_the_docstrings_derive(
    mlp: MLP, rank: int, length: int, by_hand: float, value: float
) -> None:
    """Of (rank + 1)-minors: their size, in bits, over 22 bits a prime and the primes in the range,
    and their degree over the smallest prime.
    """
    assert by_hand == pytest.approx(value, rel=1e-5, abs=0)
    assert trials.miss_probability(mlp.fields(), rank, length) == pytest.approx(by_hand, rel=1e-12)


def test_denominators_of_averages_are_cleared_in_the_size_of_coefficients() -> None:
    """Two channels of a convolution by one weight, each averaged over two pairs, read by one unit:
    2·F is a sum of 2·4 monomials with coefficient 1.
    """
    average = Layers(
        (1, 4), (Convolution(2, (1,), (1,)), Pool((2,), (2,)), Flat(), Linear(1))
    ).fields()
    assert average.bits() == pytest.approx(3)
    by_hand = (2 * 2 * (3 + math.log2(2 * 2 * 1)) + 1) / 22 / 268216 + 2 * 5 / 2**22
    assert trials.miss_probability(average, 1, 2) == pytest.approx(by_hand, rel=1e-12)


def test_no_probability_is_larger_than_one() -> None:
    mlp = MLP((5,) * 8, "linear")
    assert trials.miss_probability(mlp.fields(), 10**6, 12) == 1.0


sizes = st.builds(Sizes, st.integers(0, 30), st.integers(1, 30), st.floats(1, 1e30))


@PROPERTY
@given(sizes, st.integers(0, 5000), st.integers(1, 12))
def test_larger_ranks_more_levels_and_larger_coefficients_raise_it(
    fields: Any, rank: int, levels: int
) -> None:
    probability = trials.miss_probability(fields, rank, levels)
    assert 0 < probability <= 1
    assert probability <= trials.miss_probability(fields, rank + 1, levels)
    assert probability <= trials.miss_probability(fields, rank, levels + 1)
    assert probability <= trials.miss_probability(replace(fields, coefficients=2e30), rank, levels)


@pytest.mark.parametrize(
    "mlp",
    [MLP((9, 9, 9), "relu", "hidden"), MLP((5, 5, 5, 5, 5), "linear"), MLP((50,) * 5, "linear")],
    ids=NAME,
)
def test_few_trials_make_a_count_sure(mlp: MLP) -> None:
    assert trials.miss_probability(mlp.fields(), mlp.parameters, 3) < 2**-1


@pytest.mark.parametrize(
    ("mlp", "true", "missed"),
    [
        (MLP((1, 1, 1), "linear"), (1,), RankTrace((0, 1), closed=False)),
        (MLP((2, 2, 1), "relu"), (4,), RankTrace((3, 4), closed=False)),
        (MLP((1, 8, 1), "relu"), (8,), RankTrace((7, 8), closed=False)),
        (MLP((1, 2, 2), "linear"), (2, 3), RankTrace((2,), closed=True)),
        (MLP((1, 2, 2, 2), "linear"), (2, 3, 4), RankTrace((2, 3), closed=True)),
    ],
    ids=NAME,
)
def test_trials_miss_no_oftener_than_the_bound_says(
    mlp: MLP, true: tuple[int, ...], missed: RankTrace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Modulo a small prime misses are frequent enough to be counted: how often is a rank found that
    is one too small?
    """
    p, draws = 601, 500
    assert close(sampler(mlp), mlp.parameters).dimensions == true
    monkeypatch.setattr(trials, "SMALLEST_PRIME", p)
    monkeypatch.setattr(trials, "PRIMES_IN_RANGE", 10**12)  # so that only the points' share is left
    bound = trials.miss_probability(
        mlp.fields(), true[-1] - 1, len(missed.dimensions) + missed.closed
    )
    misses = sum(confirms(sampler(mlp, seed, p), missed) for seed in range(draws))
    assert 0 < bound < 0.1
    assert 0 < misses / draws <= bound + 3 * math.sqrt(bound / draws)


@pytest.mark.parametrize("levels", [1, 2, 3])
@pytest.mark.parametrize(
    "mlp",
    [
        MLP((2, 1, 1, 2), "linear"),
        MLP((1, 1, 1), "relu", "all"),
        MLP((2, 1, 2), "linear", loss="cross_entropy"),
    ],
    ids=NAME,
)
def test_brackets_have_at_most_the_degree_and_the_coefficients_that_are_assumed(
    mlp: MLP, levels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With sizes chosen so that one term of the bound is left, it shows the degree, or the bits, of
    an entry: of 5 × 5 minors, for rank 4.
    """
    first, *rest = (function.gradient() for function in reference.network_functions(mlp, levels))
    theta = reference.network_functions(mlp, levels)[0].theta
    for field in rest:
        first = [
            reference.derivative_along(f, first, theta)
            - reference.derivative_along(x, field, theta)
            for f, x in zip(field, first, strict=True)
        ]
    monkeypatch.setattr(trials, "PRIMES_IN_RANGE", 10**30)
    degree = trials.miss_probability(mlp.fields(), 4, levels) * SMALLEST_PRIME / 5
    assert max(sum(exponents) for entry in first for exponents in entry.monoms()) <= degree + 1e-6
    monkeypatch.setattr(trials, "PRIMES_IN_RANGE", 1)
    monkeypatch.setattr(trials, "SMALLEST_PRIME", 2**500)
    bits = (trials.miss_probability(mlp.fields(), 4, levels) * 500 - factorial_bits(5)) / 5
    assert max(sum(abs(int(c)) for c in entry.coeffs()) for entry in first) <= 2**bits * (1 + 1e-9)
