"""Theorems on chains of any width: against brackets where these are cheap, against the sizes of
what they claim where nothing else is.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from fractions import Fraction
from itertools import combinations_with_replacement, pairwise, product
from random import Random
from typing import Any
from unittest.mock import patch

import full_chains
import numpy as np
import pytest

from conslaw_cli import MLP, Activation, Decay, Layers, Linear, Momentum, Problem, count_laws
from conslaw_cli.errors import ContradictionError, MemoryBudgetError
from conslaw_cli.families.layers import Branch
from conslaw_cli.flows import Asked
from conslaw_cli.flows.mirror import Mirror
from conslaw_cli.lie import budget, chains, count, strands, trials
from conslaw_cli.lie.intervals import by_intervals
from conslaw_cli.lie.theorems import THEOREMS, Evidence
from conslaw_cli.lie.theorems.structure import chain_of
from conslaw_cli.networks.chains import Chain
from conslaw_cli.problems.records import LawCount

BY_NAME = {theorem.name: theorem for theorem in THEOREMS}
FIGURES = ("dim_lie", "laws", "known_listed", "known_independent", "timeless", "verdict")
LINEAR = "linear"


def chain(*widths: int) -> Chain:
    return Chain(widths, (True,) * (len(widths) - 2), (False,) * (len(widths) - 1))


def without_brackets(asked: Problem) -> LawCount | None:
    """Return the row that theorems give by themselves, as they do where a network is wide; None if
    they do not decide.
    """

    def refused(*_: object) -> LawCount:
        raise MemoryBudgetError("no brackets")

    count._part.cache_clear()
    try:
        with patch.object(budget, "ENGINE_LIMIT", 0), patch.object(count, "_from_engine", refused):
            return count_laws(asked)
    except MemoryBudgetError:
        return None
    finally:
        count._part.cache_clear()


def alike(problem: Problem, method: str) -> None:
    """A theorem decides, and as brackets do."""
    alone, row = without_brackets(problem), count_laws(problem)
    assert alone is not None, problem
    assert alone.lower[0].method == method, problem
    for figure in FIGURES:
        assert getattr(alone, figure) == getattr(row, figure), (problem, figure)


@pytest.mark.parametrize(
    ("network", "method"),
    [
        (MLP((3, 5, 4, 2), LINEAR, "hidden"), "two hidden layers"),
        (MLP((3, 5, 4, 4, 2), LINEAR, "hidden"), "block lifting"),
        (MLP((2, 1, 3, 3, 1), LINEAR), "cut chain"),
        (MLP((1, 3, 3, 1), LINEAR), "cut chain"),
        (MLP((2, 1, 3, 2), ("relu", LINEAR)), "cut chain"),
        (MLP((2, 3, 1, 3), (LINEAR, "relu"), "hidden"), "cut chain"),
        (MLP((3, 3, 2, 2), LINEAR), "full chain"),
        (MLP((3, 3, 3, 3), LINEAR, "hidden", "cross_entropy"), "full chain"),
        (MLP((3, 2, 2, 1, 2), LINEAR, "all"), "full chain"),
        (MLP((1, 6, 2, 2), LINEAR), "wide linear layers"),
        (MLP((2, 8, 3, 2), LINEAR, "all", "cross_entropy"), "wide linear layers"),
        (MLP((2, 2, 7, 2), (LINEAR, "relu")), "two hidden layers"),
        (MLP((2, 2, 6, 5, 2), (LINEAR, "relu", "relu"), "hidden"), "wide gated layers"),
        (MLP((2, 3, 3, 1, 2), (LINEAR, "relu", LINEAR)), "cut chain"),
    ],
    ids=lambda each: getattr(each, "name", ""),
)
def test_each_theorem_counts_as_brackets_do(network: MLP, method: str) -> None:
    alike(Problem(network), method)


@pytest.mark.parametrize(
    ("widths", "bias", "flow"),
    [
        ((1, 9, 2, 1), False, Momentum()),
        ((1, 7, 1, 1), False, Momentum()),
        ((1, 4, 1, 2), "hidden", Decay()),
        ((1, 5, 1, 2), "hidden", Decay(("U3",))),
        ((2, 6, 2, 2), False, Decay(("U1", "U2"))),
        ((2, 5, 1, 1), False, Mirror(rates=(("U1", Fraction(1, 3)),))),
        ((1, 6, 1, 2), False, Momentum(metric=Mirror(rates=(("U2", Fraction(3)),)))),
    ],
)
def test_spare_units_under_other_flows(widths: tuple[int, ...], bias: Any, flow: Asked) -> None:
    network = MLP(widths, LINEAR, bias)
    problem = Problem(network, flow)  # type: ignore[arg-type]
    theorem = BY_NAME["wide linear layers"]
    proof, row = theorem(problem, Evidence(count_laws)), count_laws(problem)
    assert proof is not None
    assert (proof.lower[0].value, proof.independent) == (row.dim_lie, row.known_independent)
    assert proof.timeless == row.timeless


@pytest.mark.parametrize("flow", [Momentum(), Decay()], ids=lambda flow: flow.describe())
def test_strands_under_other_flows(flow: Any) -> None:
    """Decay of linear layers with biases is no theorem of homogeneous maps."""
    alike(Problem(MLP((2, 3, 3, 2), LINEAR, "hidden"), flow), "block lifting")
    alike(
        Problem(MLP((2, 3, 2, 2), (LINEAR, "relu"), "all", "cross_entropy"), flow), "block lifting"
    )


def test_layers_some_of_which_have_biases() -> None:
    layers = (Linear(7, True), Linear(2), Activation("relu"), Linear(3, True), Linear(2))
    alike(Problem(Layers((2,), layers)), "wide linear layers")
    alike(Problem(Layers((2,), (Linear(3, True), Linear(1), Linear(2), Linear(2)))), "cut chain")


def test_strands_from_end_to_end() -> None:
    for depth in (1, 2, 3):
        for some in full_chains.sets(depth):
            full_chains.check_set(some)
    for number, widths in zip(range(30), full_chains.chains(Random(1)), strict=False):
        biased = [number % 2 > layer % 2 for layer, _ in enumerate(widths[1:])]
        full_chains.check_chain(widths, biased)


@pytest.mark.parametrize(
    ("name", "network"),
    [
        ("full chain", MLP((3, 4, 4, 3), (LINEAR, "relu"))),
        ("full chain", MLP((3, 5, 4, 2), LINEAR)),  # f = 0
        ("full chain", MLP((3, 4, 1), LINEAR, loss="cross_entropy")),
        ("cut chain", MLP((3, 1, 4, 3), LINEAR, "hidden")),
        ("cut chain", MLP((3, 2, 4, 1), LINEAR)),
        ("wide linear layers", MLP((3, 7, 4, 3), LINEAR)),
        ("wide linear layers", MLP((3, 8, 4, 3), LINEAR, "hidden")),
        ("wide linear layers", MLP((3, 8, 3, 3), "relu")),
        ("wide gated layers", MLP((3, 5, 4, 3), ("relu", LINEAR))),
        ("wide gated layers", MLP((3, 9, 3, 3), LINEAR)),
    ],
)
def test_theorems_are_silent_where_a_hypothesis_is_broken(name: str, network: MLP) -> None:
    assert BY_NAME[name](Problem(network), Evidence(count_laws)) is None


def test_a_piece_with_more_laws_spoils_no_other() -> None:
    """The gated layer is clamped inside its piece: the last piece is one function."""
    alike(Problem(MLP((2, 5, 1, 3, 2, 1), ("relu", "relu", LINEAR, LINEAR))), "cut chain")


# ---- sizes


def fewest_loops(widths: tuple[int, ...], through: int) -> int:
    """Try all intervals of two layers at least that touch no end, few at first: what is left is to
    be made of strands from the input, which are as many as end somewhere, and to the output.
    """
    inner = [(a, b) for b in range(1, len(widths) - 1) for a in range(1, b)]
    for number in range(sum(widths)):
        for some in combinations_with_replacement(inner, number):
            covered = Counter(layer for a, b in some for layer in range(a, b + 1))
            rest = [n - through - covered[layer] for layer, n in enumerate(widths)]
            ending = sum(max(0, a - b) for a, b in pairwise(rest))
            if min(rest) >= 0 and ending <= rest[0]:
                return number
    raise AssertionError(widths)


@pytest.mark.parametrize("through", [0, 1])
def test_intervals_have_all_units_and_the_fewest_loops(through: int) -> None:
    tried = 0
    for widths in product((1, 2, 3), repeat=5):
        ways = by_intervals(chain(*widths))
        found = next((way for way in ways if all(way.core[0]) == bool(through)), None)
        if found is None:
            continue
        strands, tried = found.strands, tried + 1
        for layer, n in enumerate(widths):
            assert sum(strand[layer] * times for strand, times in strands.items()) == n
        intervals = sum(max(0, b - a) for a, b in pairwise((0, *widths)))
        assert intervals - sum(strands.values()) == fewest_loops(widths, through), widths
    assert tried > 30


@pytest.mark.parametrize("seed", range(4))
def test_as_many_known_laws_are_independent_as_their_ranks_say(seed: int) -> None:
    draw = Random(seed)
    for _ in range(12):
        widths = tuple(draw.choice((1, 1, 2, 2, 3, 4, 7)) for _ in range(draw.randint(3, 5)))
        activations = tuple(draw.choice((LINEAR, LINEAR, "relu")) for _ in widths[2:])
        bias, loss = draw.choice((False, "hidden", "all")), draw.choice(("mse", "cross_entropy"))
        problem = Problem(MLP(widths, activations, bias, loss))  # type: ignore[arg-type]
        proof, row = BY_NAME["chain laws"](problem, Evidence(count_laws)), count_laws(problem)
        assert proof is not None
        assert row.known_independent is not None
        assert proof.independent == row.known_independent, problem.name
        assert proof.upper[0].value == problem.state - row.known_independent


def test_the_rank_of_known_laws_counts_spare_units() -> None:
    assert chains.independent(chain(2, 7, 3)) == 28 - 3
    assert chains.spare(chain(2, 7, 3), 2) == (0,)
    assert chains.narrowed(chain(2, 7, 1, 5, 2)).widths == (2, 3, 1, 3, 2)
    assert chains.full(chain(784, 512, 256, 10)) == 10


# ---- large networks


@pytest.mark.parametrize(
    ("network", "method"),
    [
        (MLP((97, 89, 101, 83), LINEAR), "full chain"),
        (MLP((1024,) * 6, LINEAR), "full chain"),
        (MLP((10**6, 8 * 10**5, 9 * 10**5, 7 * 10**5), LINEAR), "full chain"),
        (MLP((2,) * 403, LINEAR), "full chain"),
        (MLP((784, 1000, 1000, 10), LINEAR), "two hidden layers"),
        (MLP((784, 512, 256, 10), LINEAR, "all", "cross_entropy"), "full chain"),
        (MLP((784, 900, 800, 10), LINEAR, "all", "cross_entropy"), "two hidden layers"),
        (MLP((300, 400, 500, 200), LINEAR), "two hidden layers"),
        (MLP((300, 400, 500, 400, 200), LINEAR), "block lifting"),
        (MLP((784, 900, 800, 700, 10), LINEAR, "all", "cross_entropy"), "block lifting"),
        (MLP((10000, 3, 20000, 7), LINEAR), "wide linear layers"),
        (MLP((300, 400, 500, 200), (LINEAR, "relu")), "two hidden layers"),
        (MLP((300, 400, 500, 400, 200), (LINEAR, "relu", LINEAR)), "wide gated layers"),
        (MLP((1, 500, 600, 1), LINEAR), "cut chain"),
    ],
    ids=lambda each: getattr(each, "name", "")[:40],
)
def test_large_chains_are_proved_at_once(network: MLP, method: str) -> None:
    row = count_laws(network, memory=0)
    assert (row.verdict, row.lower[0].method, row.upper[0].method) == ("proved", method, method)
    found = chain_of(Problem(network))
    assert found is not None
    assert row.known_independent == chains.independent(found)
    assert row.seconds < 5
    assert budget.estimated_seconds(Problem(network)) < 0.01
    witnesses = "; complete at block-diagonal points" in row.lower[0].shown
    assert witnesses == (method in ("block lifting", "wide gated layers"))


def test_chains_that_no_few_strands_make_up_are_estimated_by_the_engine() -> None:
    assert budget.estimated_seconds(Problem(MLP((1, 20, 20, 19, 2), LINEAR))) > 1


@pytest.mark.parametrize(
    ("hidden", "biased", "pieces"),
    [
        (("relu", LINEAR, LINEAR), (True, True, True, True), 2),
        ((LINEAR, LINEAR, LINEAR), (False, True, True, True), 2),
        ((LINEAR, LINEAR, LINEAR), (True, False, False, False), 2),
        ((LINEAR, LINEAR, LINEAR), (True, True, False, False), 1),
        ((LINEAR, LINEAR, LINEAR), (True, False, True, False), 1),
    ],
)
def test_biases_on_both_sides_of_a_cut_take_gates(
    hidden: tuple[str, ...], biased: tuple[bool, ...], pieces: int
) -> None:
    """2-1-2-2-1 and its pieces, each by brackets alone."""
    whole = Chain((2, 1, 2, 2, 1), tuple(each == LINEAR for each in hidden), biased)
    parts = chains.cut(whole)
    assert len(parts) == pieces
    assert closed(whole) == sum(map(closed, parts)) - (pieces - 1)


def closed(chain: Chain) -> int:
    """Return the rank of all brackets at a random point."""
    at = trials.fresh(chains.network(chain).fields(), np.random.default_rng(1))
    return trials.attempt(at, chain.parameters + 1, None, fold=False, carry=False).ranks.rank


def test_streams_are_estimated_by_their_strands() -> None:
    """Where few inputs and outputs share a wide stream, strands are wide."""
    few, many = (
        Layers((inputs,), (Linear(512), Branch((Linear(512),)), Linear(10))) for inputs in (64, 784)
    )
    assert (
        budget.estimated_seconds(Problem(many)) < 0.01 < 1 < budget.estimated_seconds(Problem(few))
    )


def test_evidence_names_the_part_and_what_decides_it() -> None:
    """One reduction after the other: a cut, spare units, strands or a theorem on what is left."""
    network = MLP((100, 3000, 50, 1, 20, 30, 300, 7), (LINEAR, "relu", *(LINEAR,) * 4))
    shown = count_laws(network).lower[0].shown
    assert "linear/relu 100-3000-50-1 by wide linear layers: 2850 units to spare" in shown
    assert "linear/relu 100-150-50-1 by two hidden layers: brackets" in shown
    assert "linear 1-20-30-37-7 by block lifting: strands" in shown


def test_a_row_does_not_depend_on_what_was_counted_before() -> None:
    """Witnesses that one network finds are used by others: its row is that of a lone count."""
    caches = (strands._complete, strands._witnesses, strands._kinds, count._part)
    asked = [
        Problem(MLP((30, 40, 50, 45, 20), LINEAR)),
        Problem(MLP((30, 42, 50, 45, 20), LINEAR)),
        Problem(MLP((20, 45, 50, 40, 30), LINEAR)),
        Problem(MLP((30, 40, 90, 50, 20), (LINEAR, "relu", LINEAR), "all")),
        Problem(MLP((30, 40, 50, 20), LINEAR), Momentum()),
        Problem(MLP((30, 200, 90, 1, 30, 40, 60, 20), LINEAR)),
    ]

    def rows(problems: list[Problem], alone: bool) -> dict[Problem, LawCount]:
        found = dict[Problem, LawCount]()
        for problem in problems:
            for cache in caches if alone or not found else ():
                cache.cache_clear()
            found[problem] = replace(count_laws(problem), seconds=0.0)
        return found

    lone = rows(asked, alone=True)
    assert {row.verdict for row in lone.values()} == {"proved"}
    assert rows(asked, alone=False) == lone == rows(asked[::-1], alone=False)


@pytest.mark.parametrize("widths", [(5, 6, 4, 2), (10, 300, 20, 10), (200, 150, 140, 30)])
def test_decay_lists_as_many_laws_as_it_has(widths: tuple[int, ...]) -> None:
    """Every law of a chain decays with one factor, so it lists those of gradient flow."""
    network = MLP(widths, LINEAR, "all")
    row, gradient = count_laws(Problem(network, Decay())), count_laws(network)
    assert row.known_listed == gradient.known_listed
    assert row.known_listed == sum(n * (n + 1) // 2 for n in widths[1:-1])


def test_strands_are_named_with_the_points_of_their_witnesses() -> None:
    shown = count_laws(MLP((300, 400, 500, 400, 200), LINEAR)).lower[0].shown
    strands, _, witnesses = shown.partition("; complete at block-diagonal points: ")
    assert strands == (
        "strands 1 × 1-1-1-1-1, 200 × 1-1-1-1-0, 99 × 0-1-1-1-1, 100 × 0-0-1-1-1, 1 × 1-2-2-0-0,"
        " 98 × 1-1-1-0-0"
    )
    first = "1-2-2-0-0 + 1-1-1-1-1 + 1-1-1-0-0 + 0-1-1-1-1 + 0-0-1-1-1"
    assert witnesses.startswith(f"{first} (rank 30 of 72 modulo ")


def test_a_wrong_number_of_laws_stops_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = chains.independent
    monkeypatch.setattr(chains, "independent", lambda found: honest(found) - 1)
    for network in (MLP((300, 400, 500, 400, 200), LINEAR), MLP((100, 3, 200, 7), LINEAR)):
        with pytest.raises(ContradictionError, match="by"):
            count_laws(network)
