"""The pipeline: from an architecture to a proved count, whatever the seed, the prime, or the luck
of a trial.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import replace
from itertools import product
from math import comb
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import laws_of_chain

from conslaw_cli.algebra.field import random_prime
from conslaw_cli.errors import ContradictionError, MemoryBudgetError
from conslaw_cli.families.attention import Attention
from conslaw_cli.families.formulas.custom import CustomMap
from conslaw_cli.families.formulas.fields import CustomFields, RandomFields
from conslaw_cli.families.layers import Branch, Layer, Layers
from conslaw_cli.families.mlp import BIASES, LOSSES, MLP
from conslaw_cli.lie import budget, closure, count, ranks, trials
from conslaw_cli.lie.budget import needed_memory
from conslaw_cli.lie.closure import RankTrace, Sampler, confirms
from conslaw_cli.lie.count import count_laws
from conslaw_cli.lie.theorems import THEOREMS, Proof
from conslaw_cli.lie.theorems.direct_sum import direct_sum
from conslaw_cli.lie.theorems.direct_sum import summed as summed_up
from conslaw_cli.lie.trials import SURE, TRACE_SURE
from conslaw_cli.networks.gradients import GradientFields
from conslaw_cli.networks.known_laws import Laws, join
from conslaw_cli.networks.operations.dense import Linear
from conslaw_cli.networks.operations.elementwise import Activation
from conslaw_cli.problems.problem import Problem
from conslaw_cli.problems.records import Bound, LawCount, Trace
from conslaw_cli.sweeps.jobs import plan

PROPERTY = settings(max_examples=40, deadline=None)
NAME = lambda case: getattr(case, "name", str(case))  # noqa: E731
small_networks = st.builds(
    lambda widths, kinds, bias, loss: MLP(
        tuple(widths), tuple(kinds[: len(widths) - 2]), bias, loss
    ),
    st.lists(st.integers(1, 3), min_size=2, max_size=5),
    st.lists(st.sampled_from(["linear", "relu"]), min_size=3, max_size=3),
    st.sampled_from(BIASES),
    st.sampled_from(LOSSES),
)


def result(row: LawCount) -> tuple[object, ...]:
    """Return what must not depend on chance."""
    assert row.trace is not None
    return (
        row.verdict,
        row.dim_lie,
        row.laws,
        row.known_independent,
        row.unknown_laws,
        row.trace.dimensions,
        row.involutive,
    )


# ---- what every count must satisfy


@PROPERTY
@given(small_networks)
def test_counts_add_up_and_do_not_depend_on_the_seed(mlp: MLP) -> None:
    rows = [count_laws(mlp, seed=seed) for seed in (0, 1, 2**32 - 1)]
    row = rows[0]
    assert [result(other) for other in rows] == [result(row)] * 3
    assert row.trace is not None
    assert row.dim_lie == row.trace.dimensions[-1]
    assert row.parameters == mlp.parameters == row.dim_lie + row.laws  # type: ignore[operator]
    assert row.laws == row.known_independent + row.unknown_laws  # type: ignore[operator]
    assert row.unknown_laws >= 0  # type: ignore[operator]
    assert row.known_independent <= row.known_listed == mlp.known_listed  # type: ignore[operator]
    assert list(row.trace.dimensions) == sorted(set(row.trace.dimensions))
    assert row.involutive == (len(row.trace.dimensions) == 1)
    assert row.error_bound is None if row.verdict == "proved" else row.error_bound < SURE  # type: ignore[operator]
    assert max(bound.value for bound in row.lower) <= min(bound.value for bound in row.upper)
    assert len({bound.prime for other in rows for bound in other.lower if bound.prime}) == 3


def test_the_same_seed_gives_the_same_bytes() -> None:
    for mlp in (
        MLP((2, 3, 2), "linear"),
        MLP((4, 4, 4), "relu", "all"),
        MLP((1, 2, 2, 2), "linear"),
    ):
        first, second = (replace(count_laws(mlp, seed=3), seconds=0.0).to_json() for _ in range(2))
        assert json.dumps(first) == json.dumps(second)


@PROPERTY
@given(st.lists(st.integers(1, 4), min_size=2, max_size=5), st.sampled_from(["linear", "relu"]))
def test_a_network_without_biases_has_as_many_laws_as_its_reversal(
    widths: list[int], activation: str
) -> None:
    """Their functions are each other's transposes."""
    there, back = (count_laws(MLP(tuple(order), activation)) for order in (widths, widths[::-1]))
    assert result(there) == result(back)


@PROPERTY
@given(small_networks)
def test_cross_entropy_is_one_output_less_and_the_sums(mlp: MLP) -> None:
    row = count_laws(replace(mlp, loss="cross_entropy", name=""))
    if mlp.widths[-1] == 1:
        assert result(row) == ("proved", 0, mlp.parameters, mlp.parameters, 0, (0,), True)
        return
    smaller = count_laws(
        replace(mlp, loss="mse", name="", widths=(*mlp.widths[:-1], mlp.widths[-1] - 1))
    )
    sums = mlp.widths[-2] + (mlp.bias == "all")
    assert smaller.laws is not None
    assert smaller.known_independent is not None
    assert (row.laws, row.known_independent) == (
        smaller.laws + sums,
        smaller.known_independent + sums,
    )
    assert (row.trace and row.trace.dimensions, row.verdict) == (
        smaller.trace and smaller.trace.dimensions,
        smaller.verdict,
    )


@pytest.mark.parametrize("activation", ["leaky_relu", "abs", "homogeneous"])
def test_homogeneous_activations_count_alike(activation: str) -> None:
    assert result(count_laws(MLP((2, 3, 2), activation, "all"))) == result(
        count_laws(MLP((2, 3, 2), "relu", "all"))
    )


@PROPERTY
@given(small_networks)
def test_logistic_loss_counts_like_squared_error(mlp: MLP) -> None:
    """Both can produce every output gradient (condition (9))."""
    first, second = (count_laws(replace(mlp, loss=loss, name="")) for loss in ("mse", "logistic"))
    assert result(first) == result(second)


# ---- literature and closed forms


def chains() -> Iterator[tuple[int, ...]]:
    """Yield chains of widths up to reversal: up to 3 hidden layers of widths 1 to 3, one hidden
    layer of any width to 7.
    """
    every = [widths for depth in (1, 2, 3, 4) for widths in product((1, 2, 3), repeat=depth + 1)]
    every += product(range(1, 8), repeat=3)
    yield from sorted({min(widths, widths[::-1]) for widths in every})


def test_linear_chains_have_as_many_laws_as_the_closed_form_says() -> None:
    rows = {widths: count_laws(MLP(widths, "linear")) for widths in chains()}
    assert len(rows) > 300
    assert [
        widths
        for widths, row in rows.items()
        if (row.laws, row.verdict) != (laws_of_chain(widths), "proved")
    ] == []


def test_the_smallest_linear_network_with_an_unknown_law() -> None:
    row = count_laws(MLP((1, 2, 2, 1), "linear"))
    assert result(row) == ("proved", 1, 7, 6, 1, (1,), True)
    assert min(row.upper, key=lambda bound: bound.value).method == "scalar segments"


@pytest.mark.parametrize(
    ("mlp", "laws"),
    [
        (MLP((3, 4, 5, 3), "relu", "all", "cross_entropy"), 15),
        (MLP((3, 4, 5, 3), "linear", False, "cross_entropy"), 30),
        (MLP((3, 4, 5, 2), ("linear", "relu")), 15),
        (MLP((3, 4, 5, 2), ("relu", "linear")), 4 + 15),
        (MLP((4, 3), "linear"), 0),
        (MLP((4, 3), "relu", "all"), 0),
        (MLP((4, 3), "relu", "all", "cross_entropy"), 5),
        (MLP((4, 1), "linear", False, "cross_entropy"), 4),
        (MLP((5, 5, 5, 5, 5), "linear"), 45),
    ],
    ids=NAME,
)
def test_counts_that_follow_from_the_theory(mlp: MLP, laws: int) -> None:
    row = count_laws(mlp)
    assert (row.laws, row.known_independent, row.verdict) == (laws, laws, "proved")


@pytest.mark.parametrize(
    ("mlp", "laws", "trace"),
    [
        (MLP((1, 120, 1), "relu"), 120, (120,)),
        (MLP((1, 90, 1), "relu", "hidden"), 90, (180,)),
        (MLP((1, 120, 2), "relu", False, "cross_entropy"), 240, (120,)),
        (MLP((1, 30, 1, 30, 1, 30, 1, 30, 1, 30), "linear"), 240, (30,)),
    ],
    ids=NAME,
)
def test_fields_with_few_entries_each_lose_no_rank(
    mlp: MLP, laws: int, trace: tuple[int, ...]
) -> None:
    """Sparse rows, in more coordinates than they span: what saves time on dense ones may lose ranks
    here.
    """
    for seed in range(4):
        row = count_laws(mlp, seed=seed)
        assert result(row) == ("proved", mlp.parameters - laws, laws, laws, 0, trace, True)


# ---- structure and engine


@PROPERTY
@given(
    st.lists(st.integers(1, 4), min_size=2, max_size=5),
    st.sampled_from(BIASES),
    st.sampled_from(LOSSES),
)
def test_graph_and_engine_agree_on_relu_networks(widths: list[int], bias: Any, loss: Any) -> None:
    row = count_laws(MLP(tuple(widths), "relu", bias, loss))
    by_method = {bound.method: bound.value for bound in row.lower}
    assert by_method["brackets"] == by_method["paths"] == row.dim_lie
    assert {bound.method for bound in row.upper if bound.value == row.dim_lie} >= {
        "known laws",
        "paths",
    }


@pytest.mark.parametrize("bias", BIASES)
def test_a_huge_relu_network_is_counted_from_its_graph_alone(bias: Any) -> None:
    tracemalloc.start()
    row = count_laws(MLP((10**6, 10**6, 10), "relu", bias))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (row.laws, row.known_independent, row.verdict) == (10**6, 10**6, "proved")
    assert [bound.method for bound in (*row.lower, *row.upper)] == ["paths", "paths"]
    assert peak < 10**6
    assert row.seconds < 1


def test_the_answer_is_the_same_on_both_sides_of_the_engine_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mlp = MLP((5, 6, 7, 4), "relu", "all")
    with_engine = count_laws(mlp)
    monkeypatch.setattr(budget, "ENGINE_LIMIT", mlp.parameters - 1)
    assert result(count_laws(mlp)) == result(with_engine)


# ---- memory


def test_a_network_beyond_the_budget_is_bounded_before_anything_is_allocated() -> None:
    tracemalloc.start()
    row = count_laws(MLP((10**5, 10**5, 10**5, 10), ("linear", "smooth")))
    assert (row.verdict, row.laws, row.laws_at_least) == ("bounded", None, 10**5 * (10**5 + 1) // 2)
    assert row.reason is not None
    wanted = "20001000000 parameters need about .* EiB, more than the memory budget"
    assert re.match(wanted, row.reason)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10**7


@pytest.mark.parametrize(
    "layers",
    [
        (Linear(300), Linear(200), Linear(300), Linear(10)),
        (Linear(300), Branch((Linear(300), Activation("relu"), Linear(300))), Linear(10)),
    ],
    ids=["chain", "residual"],
)
def test_layered_networks_are_bounded_before_anything_is_allocated(
    layers: tuple[Layer, ...],
) -> None:
    network = Layers((10,), layers)
    tracemalloc.start()
    row = count_laws(network, memory=10**6)
    assert row.verdict == "bounded"
    assert row.reason is not None
    assert row.reason.startswith(f"{network.parameters} parameters need ")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100 * network.parameters  # no more than indices of the parameters


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (1, "1 bytes"),
        (1023, "1023 bytes"),
        (1024, "1 KiB"),
        (1010 * 1024, "1010 KiB"),
        (545259520, "520 MiB"),
        (2**29 * 3, "1.5 GiB"),
        (2126008811520, "1.93 TiB"),
        (2**70, "1024 EiB"),
    ],
)
def test_budgets_are_written_in_the_largest_unit_that_fits(size: int, text: str) -> None:
    with pytest.raises(MemoryBudgetError, match=f"^these need about {text}, the memory budget is "):
        budget.check_budget("these", size, 0)


def test_the_budget_is_what_was_asked_for() -> None:
    mlp = MLP((3, 3, 3, 3), "linear")
    assert count_laws(mlp, memory=needed_memory(Problem(mlp)) - 1).laws_at_least == 12
    assert count_laws(mlp, memory=needed_memory(Problem(mlp))).laws == 12
    assert count_laws(MLP((10**4, 10**4, 10), "relu"), memory=0).laws == 10**4


def test_the_parts_of_a_direct_sum_have_its_memory() -> None:
    """The second part has the three parameters w, x, y, and nobody knows laws of it."""
    with pytest.raises(MemoryBudgetError, match="3 parameters"):
        count_laws(CustomMap.from_text("u*v, w*x + w*y, w*y"), memory=1)


@pytest.mark.parametrize(
    "mlp",
    [MLP((20,) * 5, "linear"), MLP((3, 60, 3), "linear", "hidden"), MLP((1, 9, 9, 2), "linear")],
    ids=NAME,
)
def test_needed_memory_is_an_upper_estimate(mlp: MLP) -> None:
    tracemalloc.start()
    count_laws(mlp)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak <= needed_memory(Problem(mlp))


# ---- bugs and bad luck


def patched(monkeypatch: pytest.MonkeyPatch, name: str, change: Callable[[Proof], Proof]) -> None:
    """Change what a theorem says."""
    theorems = {each.name: each for each in THEOREMS}
    honest = theorems[name]

    def prove(*given: Any) -> Proof | None:
        proof = honest.prove(*given)
        return None if proof is None else change(proof)

    theorems[name] = replace(honest, prove=prove)
    monkeypatch.setattr(count, "THEOREMS", tuple(theorems.values()))


def lowered(proof: Proof) -> Proof:
    return proof._replace(upper=tuple(b._replace(value=b.value - 1) for b in proof.upper))


def test_a_wrong_theorem_is_a_contradiction(monkeypatch: pytest.MonkeyPatch) -> None:
    patched(monkeypatch, "paths", lowered)
    with pytest.raises(
        ContradictionError, match=r"relu 3-4-2: lower bound 16 above upper bound 15"
    ):
        count_laws(MLP((3, 4, 2), "relu"))


@pytest.mark.parametrize("name", ["known laws", "linear pair"])
def test_a_wrong_upper_bound_is_a_contradiction(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    patched(monkeypatch, name, lowered)
    with pytest.raises(
        ContradictionError, match=r"linear 1-1-2: lower bound 2 above upper bound 1"
    ):
        count_laws(MLP((1, 1, 2), "linear"))


def test_a_wrong_lower_bound_is_a_contradiction(monkeypatch: pytest.MonkeyPatch) -> None:
    def raised(proof: Proof) -> Proof:
        return proof._replace(lower=(proof.lower[0]._replace(value=3),))

    patched(monkeypatch, "linear pair", raised)
    with pytest.raises(ContradictionError, match=r"lower bound 3 above upper bound 2"):
        count_laws(MLP((1, 1, 2), "linear"))


def test_a_wrong_law_is_a_contradiction(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = MLP.laws

    def flipped(self: MLP) -> Laws:
        laws = honest(self)
        return replace(laws, coefficient=abs(laws.coefficient))

    monkeypatch.setattr(MLP, "laws", flipped)
    with pytest.raises(ContradictionError, match="is listed as a law, but it is not conserved"):
        count_laws(MLP((2, 2, 2), "linear"))


@pytest.fixture
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the known laws and other theorems, so that no count can be proved."""
    monkeypatch.setattr(MLP, "laws", lambda self: join([]))
    left = ("brackets", "known laws", "image", "stagnation")
    theorems = tuple(each for each in THEOREMS if each.name in left)
    monkeypatch.setattr(count, "THEOREMS", theorems)


@pytest.mark.usefixtures("nothing_known")
def test_without_a_proof_a_count_is_computed_until_it_is_sure() -> None:
    for mlp in (
        MLP((2, 2, 2), "linear"),
        MLP((1, 2, 2, 2), "linear"),
        MLP((2, 3, 2), ("linear",), "all"),
    ):
        row = count_laws(mlp)
        stagnation = row.upper[-1]
        assert row.verdict == "computed"
        assert row.known_independent == 0
        assert row.unknown_laws == row.laws == mlp.known_listed
        assert row.error_bound is not None
        assert row.error_bound == stagnation.error_bound
        assert 0 < row.error_bound < SURE == 2**-60
        assert (stagnation.method, stagnation.kind, stagnation.value) == (
            "stagnation",
            "random",
            row.dim_lie,
        )


class Scripted:
    """Replaces ``confirms``: says no at the given calls and yes at others, else what is true."""

    def __init__(self, no_at: Set[int] = frozenset(), yes_at: Set[int] = frozenset()) -> None:
        self.no_at, self.yes_at, self.answers, self.honest = no_at, yes_at, list[bool](), confirms

    def __call__(self, sampler: Sampler, trace: RankTrace) -> bool:
        call = len(self.answers)
        self.answers.append(
            call in self.yes_at or (call not in self.no_at and self.honest(sampler, trace))
        )
        return self.answers[-1]


@pytest.mark.usefixtures("nothing_known")
@pytest.mark.parametrize("no_at", [set(), {0}, {1}, {0, 2, 3}])
def test_the_error_bound_pays_for_every_trial_that_did_not_agree(
    no_at: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    mlp, script = MLP((2, 2, 2), "linear"), Scripted(no_at)
    monkeypatch.setattr(trials, "confirms", script)
    row = count_laws(mlp)
    miss = trials.miss_probability(mlp.fields(), 5, 3)
    attempts, passes = len(script.answers), sum(script.answers)
    assert attempts - passes == len(no_at)
    assert row.error_bound == pytest.approx(comb(attempts, passes) * miss**passes, rel=1e-9, abs=0)
    assert comb(attempts - 1, passes - 1) * miss ** (passes - 1) >= SURE


@pytest.mark.usefixtures("nothing_known")
def test_a_count_that_never_becomes_sure_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = list[Sampler]()

    def never(at: Sampler, _: RankTrace) -> bool:
        calls.append(at)
        return False

    monkeypatch.setattr(trials, "confirms", never)
    row = count_laws(MLP((2, 2, 2), "linear"))
    assert (row.verdict, row.dim_lie, row.error_bound) == ("computed", 5, 1.0)
    assert len(calls) == 100


def unlucky_at_first(
    monkeypatch: pytest.MonkeyPatch, dimensions: tuple[int, ...], closed: bool = True
) -> None:
    """Let the first attempt see these ranks, as if minors had vanished there."""
    honest, calls = trials.attempt, []

    def attempt(*args: Any) -> Any:
        calls.append(args)
        run = honest(*args)
        return run._replace(ranks=RankTrace(dimensions, closed)) if len(calls) == 1 else run

    monkeypatch.setattr(trials, "attempt", attempt)


@pytest.mark.usefixtures("nothing_known")
def test_trials_that_agreed_with_a_wrong_rank_do_not_count_for_the_right_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mlp, script = MLP((2, 2, 2), "linear"), Scripted(yes_at={0, 1})
    unlucky_at_first(monkeypatch, (4,))
    monkeypatch.setattr(trials, "confirms", script)
    row = count_laws(mlp)
    assert row.dim_lie == 5
    assert script.answers[:3] == [True, True, False]
    assert all(script.answers[3:])
    miss = trials.miss_probability(mlp.fields(), 5, 3)
    assert row.error_bound == pytest.approx(miss ** len(script.answers[3:]), rel=1e-9, abs=0)


UNLUCKY = [(3,), (4,), (3, 4), (3, 5)]


@pytest.mark.parametrize("seen", UNLUCKY, ids=str)
def test_an_unlucky_first_attempt_changes_nothing(
    seen: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    mlp = MLP((2, 2, 2), "linear")
    honest = result(count_laws(mlp))
    assert honest[5] == (4, 5)
    unlucky_at_first(monkeypatch, seen)
    assert result(count_laws(mlp)) == honest


@pytest.mark.usefixtures("nothing_known")
@pytest.mark.parametrize("seen", UNLUCKY, ids=str)
def test_an_unlucky_first_attempt_changes_nothing_without_a_proof(
    seen: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    mlp = MLP((2, 2, 2), "linear")
    honest = count_laws(mlp)
    unlucky_at_first(monkeypatch, seen)
    row = count_laws(mlp)
    assert result(row) == result(honest)
    assert row.error_bound is not None
    assert 0 < row.error_bound < SURE


@pytest.mark.parametrize(
    "mlp",
    [
        MLP((2, 3, 2), "linear"),
        MLP((1, 2, 2, 1), "linear"),
        MLP((3, 4, 2), "relu", "all"),
        MLP((2, 2, 2), "linear", loss="cross_entropy"),
    ],
    ids=NAME,
)
@pytest.mark.parametrize("prime", [3, 5, 7])
def test_a_prime_at_which_ranks_drop_changes_nothing(
    mlp: MLP, prime: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Modulo a tiny prime all ranks are too small again and again, those of the known laws as
    well.
    """
    honest = [result(count_laws(mlp, seed=seed)) for seed in range(8)]
    for seed, expected in enumerate(honest):
        draws = iter([prime])
        monkeypatch.setattr(
            GradientFields,
            "prime",
            lambda _, rng, draws=draws: next(draws, None) or random_prime(rng),
        )
        assert result(count_laws(mlp, seed=seed)) == expected


def added_up(whole: CustomMap, parts: Sequence[tuple[LawCount, int]]) -> LawCount:
    proof = summed_up(parts)
    assert proof.trace is not None
    return count._row(Problem(whole), {direct_sum: proof}, proof.trace)


def test_the_error_of_a_direct_sum_is_that_of_its_counts_not_of_their_traces() -> None:
    """The trace's own probability, often larger, is stated beside the trace."""
    root = CustomMap.from_text("x*(u**3 - v**3), y*(u**3 - v**3)")
    part = count_laws(root)
    assert part.trace is not None
    assert part.error_bound is not None
    unsure = replace(part, trace=part.trace._replace(error_bound=2.0**-20))
    row = added_up(root, [(unsure, 1)])
    assert (row.verdict, row.error_bound) == ("computed", part.error_bound)
    assert row.trace is not None
    assert row.trace.error_bound == 2.0**-20


def test_trials_that_agreed_with_wrong_ranks_do_not_count_for_a_trace_either(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """(5, 7) reaches its bound, so that only the 5 is open; the trial that sees it draws again.

    From then on nothing rests on the first attempt: two trials have to agree with (6, 7), where
    one would do if the first attempt had seen these ranks.
    """
    mlp, script = MLP((2, 2, 2), "linear", "hidden"), Scripted()
    unlucky_at_first(monkeypatch, (5, 7), closed=False)
    monkeypatch.setattr(trials, "confirms", script)
    row = count_laws(mlp)
    assert row.trace is not None
    assert (row.verdict, row.trace.dimensions) == ("proved", (6, 7))
    assert script.answers == [False, True, True]
    miss = trials.miss_probability(mlp.fields(), 7, 2)
    assert row.trace.error_bound == pytest.approx(miss**2, rel=1e-9, abs=0)
    assert miss**2 < TRACE_SURE < miss


def test_a_folded_attempt_counts_for_nothing_in_the_error_of_a_trace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A fold may lose rank in an earlier level, whatever the point."""
    mlp, script, folds = MLP((12, 20, 12), "linear", "hidden"), Scripted(), list[object]()
    honest = ranks.folding

    def folding(at: Sampler, columns: int) -> Any:
        folds.append(honest(at, columns))
        return folds[-1]

    monkeypatch.setattr(trials, "folding", folding)
    monkeypatch.setattr(trials, "confirms", script)
    row = count_laws(mlp)
    assert folds[-1] is not None
    assert row.dim_lie is not None
    assert row.trace is not None
    assert (row.verdict, len(row.trace.dimensions)) == ("proved", 2)
    miss = trials.miss_probability(mlp.fields(), row.dim_lie, 2)
    passes = sum(script.answers)
    assert row.trace.error_bound == pytest.approx(miss**passes, rel=1e-9, abs=0)


@pytest.mark.usefixtures("nothing_known")
@pytest.mark.parametrize("seed", range(3))
def test_every_trial_has_a_prime_and_a_point_of_its_own(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stated probability is that of independent trials; seven of them are needed here."""
    seen = list[Sampler]()

    def recorded(at: Sampler, trace: RankTrace) -> bool:
        seen.append(at)
        return confirms(at, trace)

    monkeypatch.setattr(trials, "confirms", recorded)
    row = count_laws(MLP((3, 4, 3), "linear"), seed=seed)
    primes = [row.lower[0].prime, *(at.field.p for at in seen)]
    assert len(seen) > 2
    assert len(set(primes)) == len(primes)
    assert len({at.theta.tobytes() for at in seen}) == len(seen)


def test_the_seed_changes_the_primes_of_every_part() -> None:
    """The text of a direct sum names the prime of each part."""
    for architecture, parts in (
        (Attention(2, 2, 1), 1),
        (CustomMap.from_text("x*y + z, a*b*c + a, d"), 3),
    ):
        found = [
            re.findall(r"modulo (\d+)", count_laws(architecture, seed=seed).lower[0].shown)
            for seed in range(4)
        ]
        assert [len(primes) for primes in found] == [parts] * 4
        assert len({prime for primes in found for prime in primes}) == 4 * parts


# ---- jobs


def test_the_key_of_a_job_is_the_hash_of_its_canonical_json() -> None:
    defining = '"architecture":{"activation":"relu","bias":false,"loss":"mse","widths":[3,4,2]}'
    mlp = MLP((3, 4, 2), "relu", name="any name")
    for text, key in (
        (f'{{{defining},"seed":5}}', Problem(mlp).key(5)),
        (f'{{{defining},"degree":2,"seed":5}}', Problem(mlp).key(5, 2)),
    ):
        assert key == hashlib.sha256(text.encode()).hexdigest()


ARCHITECTURES: list[Any] = [
    MLP((3, 4, 2)),
    MLP((3, 4, 2), "linear"),
    MLP((3, 4, 2), "relu", "hidden"),
    MLP((3, 4, 2), "relu", "all"),
    MLP((3, 4, 2), loss="logistic"),
    MLP((3, 4, 2), loss="cross_entropy"),
    MLP((3, 2, 2)),
    MLP((3, 2, 4)),
    MLP((3, 4, 4, 2), ("relu", "linear")),
    MLP((3, 4, 4, 2), ("linear", "relu")),
    Layers((3,), (Linear(4), Activation("relu"), Linear(2))),
    Layers((3,), (Linear(4, True), Activation("relu"), Linear(2))),
    Layers((3,), (Linear(4), Activation("abs"), Linear(2))),
    Layers((3,), (Linear(4), Activation("relu"), Linear(2)), "cross_entropy"),
    Layers((4,), (Linear(4), Activation("relu"), Linear(2))),
    Attention(3, 4, 2),
    Attention(4, 3, 2),
    Attention(2, 3, 4),
    CustomMap.from_text("x*y"),
    CustomMap(("x", "y", "z"), ("x*y",)),
    CustomMap.from_text("x*y, x"),
    CustomFields(("x", "y"), (("x", "y"),)),
    CustomFields(("x", "y"), (("y", "x"),)),
    *(RandomFields(*sizes) for sizes in ((3, 2, 1), (2, 3, 1), (3, 1, 2), (3, 2, 1, 4))),
]


def test_every_defining_key_changes_the_job() -> None:
    """Whatever the name: a named row that is given another loss is another job."""
    named = [replace(architecture, name="same") for architecture in ARCHITECTURES]
    jobs = [*named, *named]
    keys = [Problem(each).key(0) for each in named] + [Problem(each).key(0, 2) for each in named]
    keys += [Problem(named[0]).key(1), Problem(named[0]).key(0, 3)]
    assert len(set(keys)) == len(jobs) + 2
    assert keys[: len(named)] == [Problem(each).key(0) for each in ARCHITECTURES]


def test_a_planned_job_has_the_key_of_all_that_it_is_asked_for() -> None:
    mlp = MLP((3, 4, 2))
    for seed, degree in ((0, None), (5, None), (5, 2), (5, 3)):
        (job,) = plan([mlp], seed, degree)
        assert (job.key, job.seed, job.degree) == (Problem(mlp).key(seed, degree), seed, degree)


# ---- long traces


def test_a_trace_with_steps_left_out_says_so() -> None:
    """Nested brackets of eight fields span 13 dimensions, balanced ones all 18."""
    row = count_laws(MLP((1, 9, 9, 2), "linear"))
    assert row.trace is not None
    assert (row.trace.dimensions[-2:], row.trace.complete) == ((13, 18), False)
    assert row.to_json()["evidence"]["trace"]["complete"] is False
    assert count_laws(MLP((1, 2, 2), "linear")).to_json()["evidence"]["trace"]["complete"] is True


@pytest.mark.usefixtures("nothing_known")
def test_a_trace_that_balanced_brackets_only_confirm_is_complete(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No step is left out if the nested brackets had reached the last rank already."""
    monkeypatch.setattr(closure, "NESTED", 1)
    row = count_laws(MLP((2, 2, 2), "linear"))
    assert (row.verdict, row.trace and row.trace.dimensions) == ("computed", (4, 5))
    assert row.trace is not None
    assert row.trace.complete


def test_balanced_ranks_that_start_where_the_nested_ones_end_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Linear 1-14-14-3 without transport: V_3 has the 27 dimensions of W_7, V_4 all 42."""
    monkeypatch.setattr(closure, "LONG", math.inf)
    row = count_laws(MLP((1, 14, 14, 3), "linear"))
    assert (row.verdict, row.dim_lie, row.laws, row.unknown_laws) == ("proved", 42, 210, 0)
    assert row.trace is not None
    assert row.trace.dimensions[-2:] == (27, 42)


# ---- direct sums


def part(
    trace: Trace,
    verdict: Literal["proved", "computed"] = "proved",
    error: float | None = None,
    prime: int = 5000011,
) -> LawCount:
    """Return a count of 100 parameters with one known law."""
    rank = trace.dimensions[-1]
    known = Bound(99, "known laws", "proof", prime, "known")
    sure = Bound(rank, "theorem", "proof", None, "by a theorem")
    unsure = Bound(rank, "stagnation", "random", None, "they stagnate", error)
    return LawCount(
        "part",
        {},
        0,
        "",
        0.0,
        verdict,
        100,
        rank,
        100 - rank,
        known_independent=1,
        trace=trace,
        lower=(Bound(1, "single", "proof", None, "one"), Bound(rank, "b", "proof", prime, "it")),
        upper=(known, sure if verdict == "proved" else unsure),
        error_bound=error,
    )


def summed(*parts: tuple[LawCount, int]) -> LawCount:
    size = 100 * sum(times for _, times in parts)
    whole = CustomMap(tuple(f"x{i}" for i in range(size)), ("x0",))
    return added_up(whole, parts)


def test_one_computed_part_makes_a_direct_sum_computed() -> None:
    root = CustomMap.from_text("a*b, x*(u**3 - v**3), y*(u**3 - v**3)")
    row = count_laws(root)
    assert (row.laws, row.verdict) == (3, "computed")
    assert row.error_bound is not None
    assert 0 < row.error_bound < SURE
    for order in (1, -1):
        parts = [(part(Trace((7,))), 2), (part(Trace((9,)), "computed", 1e-20), 1)][::order]
        row = summed(*parts)
        assert (row.verdict, row.dim_lie, row.error_bound) == ("computed", 23, 1e-20)
    assert (summed((part(Trace((7,))), 2)).verdict, row.known_independent) == ("proved", 3)


def test_the_errors_of_computed_parts_add_up_once_for_equal_parts() -> None:
    """Copies of one part were computed together: they are right or wrong together."""
    row = summed(
        (part(Trace((7,)), "computed", 2e-20), 3), (part(Trace((9,)), "computed", 1e-20), 2)
    )
    assert row.error_bound == pytest.approx(3e-20, rel=1e-12, abs=0)


def test_the_errors_of_traces_add_up() -> None:
    traces = (Trace((3, 7), 1e-7), 3), (Trace((9,)), 1), (Trace((2, 4, 5), 2e-7), 2)
    row = summed(*((part(trace), times) for trace, times in traces))
    assert row.trace is not None
    assert row.trace.dimensions == (22, 38, 40)
    assert row.trace.error_bound == pytest.approx(3e-7, rel=1e-12, abs=0)
    assert (row.error_bound, row.verdict, row.trace.complete) == (None, "proved", True)
    sure = summed((part(Trace((3, 7))), 2)).trace
    assert sure is not None
    assert sure.error_bound is None


@pytest.mark.parametrize(
    ("traces", "dimensions"),
    [
        ([((2, 3, 9), False, 1)], (2, 3, 9)),
        ([((2, 3, 9), False, 1), ((1,), True, 1)], (3, 4, 10)),
        ([((1,), True, 2), ((2, 3, 9), False, 3)], (8, 11, 29)),
        ([((2, 3, 9), False, 1), ((1, 2, 3, 4, 5), True, 1)], (3, 5, 14)),
        ([((2, 3, 9), False, 1), ((1, 2, 3, 8), False, 1)], (3, 5, 17)),
        ([((2, 9), False, 1), ((1, 2, 3, 8), False, 2)], (4, 25)),
    ],
)
def test_a_direct_sum_keeps_the_gap_in_a_trace(
    traces: list[tuple[tuple[int, ...], bool, int]], dimensions: tuple[int, ...]
) -> None:
    """Every step that is shown is the sum of the parts' dimensions at that step, or the last."""
    rows = [(part(Trace(d, complete=complete)), times) for d, complete, times in traces]
    row = summed(*rows)
    assert row.trace == Trace(dimensions, complete=False)
    assert row.to_json()["evidence"]["trace"]["complete"] is False


def test_a_direct_sum_keeps_what_is_proved_of_computed_parts() -> None:
    """A bound by theorems on all parts is a proof, whatever else rests on chance."""
    rows = (
        (part(Trace((7,)), "computed", 1e-20, 5000011), 2),
        (part(Trace((9,)), prime=6000011), 1),
    )
    row = summed(*rows)
    assert [(b.value, b.kind, b.error_bound) for b in row.upper] == [
        (2 * 99 + 9, "proof", None),
        (2 * 7 + 9, "random", 1e-20),
    ]
    assert [(b.value, b.kind, b.prime) for b in row.lower] == [(23, "proof", 5000011)]
    assert row.lower[0].shown == (
        "a direct sum: 2 × 7 (it modulo 5000011) + 1 × 9 (it modulo 6000011)"
    )
    assert row.upper[0].prime == 5000011
    (proved,) = summed((part(Trace((9,))), 1)).upper
    assert (proved.value, proved.prime) == (9, None)
    other = replace(rows[1][0], upper=(rows[1][0].upper[1], rows[0][0].upper[0]))
    assert [b.prime for b in summed((other, 1), *rows).upper] == [5000011, None]


def test_of_equal_bounds_of_a_part_the_proved_one_counts() -> None:
    row = part(Trace((9,)))
    chance = Bound(9, "stagnation", "random", None, "they stagnate", 1e-20)
    for upper in ((chance, *row.upper), (*row.upper, chance)):
        assert summed((replace(row, upper=upper), 2)).verdict == "proved"
        assert [b.kind for b in summed((replace(row, upper=upper), 2)).upper] == ["proof"]


# ---- what the graph alone proves


@pytest.mark.parametrize("memory", [0, 10**6])
@pytest.mark.parametrize(
    "architecture",
    [
        MLP((3, 4, 2)),
        MLP((3, 4, 2), "relu", "all", "cross_entropy"),
        MLP((2, 1, 1, 3), "linear"),
        MLP((2, 3, 1), "linear", loss="cross_entropy"),
        Layers((3,), (Linear(4), Activation("relu"), Linear(2))),
        CustomMap.from_text("x*y, y*z, a*b, sqrt(c)*d**2"),
    ],
    ids=NAME,
)
def test_no_memory_is_needed_for_what_the_graph_proves(
    architecture: Any, memory: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = count_laws(architecture)
    monkeypatch.setattr(trials, "close", lambda *_: pytest.fail("the engine ran"))
    row = count_laws(architecture, memory=memory)
    assert result(row) == result(honest)
    assert [bound.method for bound in (*row.lower, *row.upper)] == ["paths", "paths"]


@pytest.mark.parametrize("loss", LOSSES)
def test_a_linear_chain_of_single_neurons_is_counted_from_its_graph(loss: Any) -> None:
    """Each weight is a power of another one: D − 1 laws; or nothing moves at all."""
    start = time.process_time()
    tracemalloc.start()
    mlp = MLP((1,) * 10_001, "linear", loss=loss)
    row = count_laws(mlp)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    moves = int(loss != "cross_entropy")
    assert result(row) == ("proved", moves, 10_000 - moves, 10_000 - moves, 0, (moves,), True)
    assert plan([mlp], 0)[0].cost < 0.01
    assert peak < 2 * 10**7
    assert time.process_time() - start < 3


@PROPERTY
@given(st.integers(1, 3), st.integers(1, 3), st.integers(0, 4), st.sampled_from(LOSSES))
def test_graph_and_engine_agree_on_linear_chains_of_single_neurons(
    inputs: int, outputs: int, hidden: int, loss: Any
) -> None:
    mlp = MLP((inputs, *[1] * hidden, outputs), "linear", loss=loss)
    row = count_laws(mlp)
    by_method = {bound.method: bound.value for bound in row.lower}
    assert by_method["brackets"] == by_method["paths"] == row.dim_lie
    if loss == "mse":
        assert row.laws == laws_of_chain(mlp.widths)
