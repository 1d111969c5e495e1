"""Every theorem: held against the engine where it applies, silent where a hypothesis is broken."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any, ClassVar

import pytest

from conslaw_cli.families.formulas.custom import CustomMap
from conslaw_cli.families.layers import Layers
from conslaw_cli.families.mlp import BIASES, LOSSES, MLP
from conslaw_cli.flows import Dynamics
from conslaw_cli.flows.gradient import Gradient
from conslaw_cli.lie import count
from conslaw_cli.lie.count import count_laws
from conslaw_cli.lie.theorems import THEOREMS, Evidence, Needs, Proof, Theorem
from conslaw_cli.networks.operations.dense import Linear
from conslaw_cli.problems.problem import Problem
from conslaw_cli.problems.records import LawCount

BY_NAME = {theorem.name: theorem for theorem in THEOREMS}
NAME = lambda case: getattr(case, "name", str(case))  # noqa: E731


def without(*names: str) -> tuple[Theorem, ...]:
    return tuple(theorem for theorem in THEOREMS if theorem.name not in names)


def said(name: str, architecture: Any) -> Proof | None:
    return BY_NAME[name](Problem(architecture), Evidence(count_laws))


@pytest.mark.parametrize("theorem", THEOREMS, ids=NAME)
def test_a_theorem_has_a_statement_hypotheses_a_proof_and_a_source(theorem: Theorem) -> None:
    first, *rest = theorem.statement.split("\n\n")
    assert first.endswith(".")
    assert [part.partition(".")[0] for part in rest[:2]] == ["Hypotheses", "Proof"]
    assert theorem.title
    assert theorem.source


def test_their_names_are_different() -> None:
    assert len(BY_NAME) == len(THEOREMS)


class Other(Gradient):
    """A flow of its own, for which no theorem on gradient flow is stated."""

    __slots__ = ()
    dynamics: ClassVar[Dynamics] = Dynamics()

    def describe(self) -> str:
        return "other"


@pytest.mark.parametrize(
    "architecture",
    [MLP((3, 4, 2)), MLP((1, 2, 1), "linear"), CustomMap.from_text("u*v, x*y")],
    ids=NAME,
)
def test_theorems_on_gradient_flow_are_silent_for_another(architecture: Any) -> None:
    problem, evidence = Problem(architecture, Other()), Evidence(count_laws)
    early = [each for each in THEOREMS if each.needs in (Needs.STRUCTURE, Needs.PARTS)]
    assert len(early) > 3
    assert [each.name for each in early if each(problem, evidence)] == []
    assert not any(each.settles(problem) for each in THEOREMS)


# ---- two-layer linear networks


def engine(mlp: MLP, monkeypatch: pytest.MonkeyPatch) -> LawCount:
    """Count without the theorem."""
    with monkeypatch.context() as patch:
        patch.setattr(count, "THEOREMS", without("linear pair"))
        return count_laws(mlp)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("bias", BIASES)
def test_two_layers_have_the_dimensions_that_the_engine_counts(
    bias: Any, loss: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bounds, rank of the known laws and, as far as it is told, the trace."""
    sizes = [*product((1, 2, 3), (1, 2, 3, 5, 8), (1, 2, 4)), (5, 9, 4), (2, 12, 3)]
    for widths in sizes:
        mlp = MLP(widths, "linear", bias, loss)
        proof, row = said("linear pair", mlp), engine(mlp, monkeypatch)
        if loss == "cross_entropy" and widths[-1] == 1:
            assert proof is None
            continue
        assert proof is not None
        assert proof.trace is not None
        assert row.trace is not None
        assert row.verdict == "proved"
        assert (proof.lower[0].value, proof.upper[0].value) == (row.dim_lie, row.dim_lie), mlp.name
        assert proof.independent == row.known_independent == row.laws, mlp.name
        steps, given = row.trace.dimensions, proof.trace.dimensions
        assert given == (steps if proof.trace.complete else (steps[0], steps[-1])), mlp.name


def test_two_layers_of_any_size_are_proved_without_the_engine() -> None:
    row = count_laws(MLP((10_000, 20_000, 30_000), "linear"), memory=0)
    assert (row.verdict, row.laws, row.unknown_laws) == ("proved", 20_000 * 20_001 // 2, 0)
    assert row.seconds < 0.1
    wide = count_laws(MLP((30, 10**6, 20), "linear", "all"))
    assert (wide.verdict, wide.dim_lie) == ("proved", 51 * 50 // 2 + 20)
    chain = Layers((10**4,), (Linear(10**6), Linear(10**4)))
    assert [bound.method for bound in count_laws(chain).lower] == ["linear pair"]


def test_small_networks_show_what_the_engine_found() -> None:
    row = count_laws(MLP((3, 4, 2), "linear"))
    assert [bound.method for bound in (*row.lower, *row.upper)] == ["brackets", "known laws"]


@pytest.mark.parametrize(
    "mlp",
    [
        MLP((3, 4, 2), "relu"),
        MLP((3, 2), "linear"),
        MLP((3, 4, 4, 2), "linear"),
        MLP((3, 4, 1), "linear", loss="cross_entropy"),
    ],
    ids=NAME,
)
def test_other_networks_are_no_linear_pair(mlp: MLP) -> None:
    assert said("linear pair", mlp) is None


# ---- the others, against the engine


@pytest.mark.parametrize(
    ("name", "mlp"),
    [
        ("paths", MLP((3, 4, 2))),
        ("paths", MLP((2, 1, 3, 2), ("linear", "relu"), False, "cross_entropy")),
        ("single field", MLP((1, 3, 2, 1), "linear")),
        ("scalar segments", MLP((1, 2, 2, 1, 2), "linear")),
        ("scalar segments", Layers((2,), (Linear(2, True), Linear(1), Linear(2), Linear(1)))),
    ],
    ids=NAME,
)
def test_a_bound_is_that_of_the_engine(
    name: str, mlp: MLP | Layers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of these is sharp, and no row rests on it alone but that of segments."""
    row = count_laws(mlp)
    assert [bound.value for bound in row.upper if bound.method == name] == [row.dim_lie]
    monkeypatch.setattr(count, "THEOREMS", without(name))
    assert count_laws(mlp).dim_lie == row.dim_lie


@pytest.mark.parametrize("widths", [(2, 3, 2), (2, 1, 3, 2), (4, 3, 4), (3, 2, 2, 5)])
def test_the_image_of_a_product_of_matrices_has_the_dimension_of_w_0(
    widths: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    proof = said("image", MLP(widths, "linear"))
    monkeypatch.setattr(count, "THEOREMS", without("image"))
    trace = count_laws(MLP(widths, "linear")).trace
    assert proof is not None
    assert trace is not None
    assert proof.image == trace.dimensions[0]
    assert said("image", replace(MLP(widths, "linear"), bias="hidden", name="")) is None
