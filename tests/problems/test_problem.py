"""A problem: what is at its default changes neither key nor row, what is not changes both."""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

import pytest

from conslaw_cli import (
    MLP,
    Attention,
    CustomMap,
    Layers,
    Linear,
    Loss,
    Problem,
    SpecError,
    count_laws,
    find_laws,
)
from conslaw_cli.flows import Dynamics, Model, VectorFields
from conslaw_cli.flows.coordinates import Coordinates
from conslaw_cli.flows.gradient import GRADIENT, Gradient
from conslaw_cli.flows.grammar import Choice
from conslaw_cli.flows.motion import Motion
from conslaw_cli.networks.known_laws import Family, Laws
from conslaw_cli.problems.records import LawCount
from conslaw_cli.sweeps.jobs import plan
from conslaw_cli.sweeps.validity import flaw

LINEAR = MLP((3, 4, 2), "linear")


@dataclass(frozen=True, slots=True)
class Slower:
    """Gradient flow under another name."""

    dynamics: ClassVar[Dynamics] = Dynamics()
    title: ClassVar[str] = "slower"
    statement: ClassVar[str] = ""
    source: ClassVar[str] = ""
    even_handed: ClassVar[bool] = True

    @classmethod
    def written(cls) -> Choice:
        return Choice({"slower": cls()})

    def describe(self) -> dict[str, Any]:
        return {"slower": 2}

    def of(self, model: Model) -> Slower:
        return self

    def fields(self, model: Model) -> VectorFields:
        return model.fields()

    def laws(self, model: Model) -> Laws:
        return model.laws()

    def kept(self, model: Model, families: Sequence[Family]) -> Sequence[Family]:
        return families

    def motion(self, model: Model, decay: float | None) -> Motion:
        return Motion()

    def timed(self, families: Sequence[Family]) -> int:
        return 0

    def coordinates(self, model: Model) -> Coordinates:
        return GRADIENT.coordinates(model)


def key_of(job: dict[str, Any]) -> str:
    text = json.dumps(job, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def test_a_key_is_the_hash_of_what_is_not_at_its_default() -> None:
    architecture = {
        "activation": "linear",
        "widths": [3, 4, 2],
        "bias": False,
        "loss": "mse",
    }
    problem = Problem(LINEAR)
    assert problem.key(7) == key_of({"architecture": architecture, "seed": 7})
    assert problem.key(7, 2) == key_of({"architecture": architecture, "seed": 7, "degree": 2})
    other = {"architecture": architecture, "seed": 7, "flow": {"slower": 2}}
    assert replace(problem, flow=Slower()).key(7) == key_of(other)


def test_a_problem_is_a_value() -> None:
    problem = Problem(LINEAR)
    assert Problem.of(LINEAR) == problem == Problem.of(problem)
    assert pickle.loads(pickle.dumps(problem)) == problem
    assert problem != Problem(LINEAR, flow=Slower())
    assert len({problem, Problem(MLP((3, 4, 2), "linear")), Problem(LINEAR, Gradient())}) == 1
    assert (problem.flow, problem.loss, problem.state) == (GRADIENT, Loss.MSE, 20)


def test_a_problem_has_five_factors() -> None:
    names = [field.name for field in fields(Problem)]
    assert sorted(names) == ["architecture", "data", "flow", "loss", "where"]


def test_the_loss_is_by_default_that_of_the_architecture() -> None:
    entropy = Problem(MLP((3, 4, 2), loss="cross_entropy"))
    assert (entropy.loss, entropy.loss.zero_sum) == (Loss.CROSS_ENTROPY, True)
    assert not Problem(CustomMap.from_text("u*v")).loss.zero_sum
    assert Problem.of(entropy.architecture) == entropy


@pytest.mark.parametrize("loss", Loss)
def test_a_loss_is_a_factor_however_the_architecture_was_written(loss: Loss) -> None:
    for network in (MLP((3, 4, 2)), Layers((3,), (Linear(4), Linear(2)))):
        written = network.under(loss.value)
        problem = Problem(network, loss=loss)
        assert problem == Problem(written) == Problem(written.under("logistic"), loss=loss)
        assert (problem.loss, problem.key(0)) == (loss, Problem(written).key(0))
        laws = {Loss.CROSS_ENTROPY: 4}  # the row sums of the last matrix
        assert len(problem.laws()) == len(Problem(network).laws()) + laws.get(loss, 0)
        named = replace(network, name="mine")
        assert Problem(named, loss=loss).name == "mine"


@pytest.mark.parametrize(
    ("own", "message"),
    [
        (CustomMap.from_text("u*v"), "outputs: expected at least two for a softmax, got one"),
        (Attention(2, 1, 1), "loss: expected one of mse, got 'cross_entropy'"),
    ],
)
def test_a_softmax_needs_outputs(own: CustomMap | Attention, message: str) -> None:
    assert Problem(own, loss=Loss.MSE) == Problem(own)
    with pytest.raises(SpecError, match=message):
        Problem(own, loss=Loss.CROSS_ENTROPY)


@pytest.mark.parametrize("wrong", ["cross_entropy", 3, Loss])
def test_what_is_no_loss_is_refused(wrong: Any) -> None:
    with pytest.raises(SpecError, match=r"loss: expected one such as Loss\.MSE, got"):
        Problem(LINEAR, loss=wrong)


@pytest.mark.parametrize("wrong", [3, "linear 3-4-2", MLP, None])
def test_what_is_no_architecture_is_refused(wrong: Any) -> None:
    with pytest.raises(SpecError, match="architecture: expected one such as"):
        Problem(wrong)
    with pytest.raises(SpecError, match="architecture: expected one such as"):
        count_laws(wrong)


def test_a_problem_is_counted_as_its_architecture_and_a_search_knows_both() -> None:
    problem = Problem(LINEAR)
    (row, other) = (replace(count_laws(each), seconds=0.0) for each in (problem, LINEAR))
    assert row == other
    assert (row.flow, row.state) == ("gradient", 20)
    assert not {"flow", "state"} & row.to_dict().keys()
    found = find_laws(problem, 2)
    assert (found.problem, found.architecture) == (problem, LINEAR)


def test_the_row_of_another_flow_says_so_and_comes_back() -> None:
    (job,) = plan([Problem(LINEAR, Slower())], seed=0)
    row = count_laws(job.problem)
    written = json.loads(json.dumps(row.to_dict()))
    assert (written["flow"], written["state"]) == ({"slower": 2}, 20)
    assert LawCount.from_json(written) == row
    assert flaw(row, job.key) is None
    assert flaw(row, Problem(LINEAR).key(0)) == "job is not that of these keys"
    assert flaw(replace(row, state=21), job.key) == "laws is not state − dim_lie"
