"""Theorems on flows: at any size, and never apart from what the engine counts."""

from __future__ import annotations

from typing import Any

import oracle_flows as oracle
import oracle_layers
import pytest
from graphs import FUNCTIONS, NAMED, Given

from conslaw_cli import (
    MLP,
    Activation,
    Attention,
    Branch,
    Convolution,
    CustomMap,
    Flat,
    Layers,
    Linear,
    Pool,
    Problem,
    count_laws,
)
from conslaw_cli.flows import Asked
from conslaw_cli.flows.decay import Decay
from conslaw_cli.flows.friction import Friction
from conslaw_cli.flows.gradient import GRADIENT
from conslaw_cli.flows.metrics import Hypentropy, Power
from conslaw_cli.flows.mirror import Mirror, Shorthand
from conslaw_cli.flows.momentum import Momentum
from conslaw_cli.lie import budget
from conslaw_cli.lie.theorems import THEOREMS, flows
from conslaw_cli.lie.theorems.flows import is_homogeneous
from conslaw_cli.networks.graph import Graph
from conslaw_cli.problems.records import LawCount


def counted(architecture: Any, flow: Asked) -> LawCount:
    return count_laws(Problem(architecture, flow.of(architecture)))


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "ENGINE_LIMIT", 0)


@pytest.mark.usefixtures("no_engine")
@pytest.mark.parametrize(
    "widths", [(1, 1, 1), (1, 2, 1), (1, 2, 2), (2, 2, 1), (1, 7, 1), (2, 3, 3)]
)
@pytest.mark.parametrize("bias", [False, "hidden", "all"])
@pytest.mark.parametrize("loss", ["mse", "cross_entropy"])
@pytest.mark.parametrize("friction", Friction, ids=lambda friction: friction.value)
def test_two_layers_under_momentum(
    widths: tuple[int, ...], bias: Any, loss: Any, friction: Friction
) -> None:
    """The closed form alone against the engine, whose known laws are listed."""
    network = MLP(widths, "linear", bias, loss)
    if loss == "cross_entropy" and widths[-1] == 1:
        return  # nothing moves
    flow = Momentum(friction)
    alone = counted(network, flow)
    assert [bound.method for bound in alone.upper] == ["momentum pair"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(budget, "ENGINE_LIMIT", 550)
        engine = counted(network, flow)
    assert "known laws" in [bound.method for bound in engine.upper]
    for figure in ("dim_lie", "laws", "known_listed", "known_independent", "timeless", "verdict"):
        assert getattr(alone, figure) == getattr(engine, figure), figure


@pytest.mark.usefixtures("no_engine")
@pytest.mark.parametrize("bias", [False, "hidden", "all"])
@pytest.mark.parametrize("flow", [Shorthand("nmf"), Shorthand("icnn")], ids=str)
def test_monomial_maps_under_mirror_flows(bias: Any, flow: Asked) -> None:
    network = MLP((1, 2, 2, 1), "relu", bias)
    alone = counted(network, flow)
    assert [bound.method for bound in alone.lower] == ["mirror paths"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(budget, "ENGINE_LIMIT", 550)
        engine = counted(network, flow)
    assert "brackets" in [bound.method for bound in engine.lower]
    for figure in ("dim_lie", "laws", "known_listed", "known_independent", "verdict"):
        assert getattr(alone, figure) == getattr(engine, figure), figure


@pytest.mark.usefixtures("no_engine")
@pytest.mark.parametrize("widths", [(1, 1, 1), (2, 2, 1), (1, 2, 2), (1, 2, 1, 2), (1, 1, 1, 1, 1)])
@pytest.mark.parametrize("bias", [False, "hidden", "all"])
@pytest.mark.parametrize("loss", ["mse", "cross_entropy"])
@pytest.mark.parametrize("friction", Friction, ids=lambda friction: friction.value)
def test_relu_under_momentum(
    widths: tuple[int, ...], bias: Any, loss: Any, friction: Friction
) -> None:
    network = MLP(widths, "relu", bias, loss)
    alone = counted(network, Momentum(friction))
    assert [bound.method for bound in alone.upper] == ["momentum paths"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(budget, "ENGINE_LIMIT", 550)
        engine = counted(network, Momentum(friction))
    assert engine.trace is not None
    assert {"orbit", "brackets"} & {bound.method for bound in engine.lower}
    for figure in ("dim_lie", "laws", "known_listed", "known_independent", "timeless", "verdict"):
        assert getattr(alone, figure) == getattr(engine, figure), figure


@pytest.mark.parametrize(
    "text",
    [
        "x[1×4]\nc[2] = conv(x, kernel=2; U1)\nr = relu(c)\nv = flatten(r)\ny[1] = dense(v; U2)",
        "x[1×5]\nc[1] = conv(x, kernel=1; U1)\nr = relu(c)\np = avg_pool(r, kernel=3, stride=2)\n"
        "d[1] = conv(p, kernel=2; U2, b2)\nq = relu(d)\ny = flatten(q)",
        "x[2]\nh[2] = dense(x; U1)\ng = relu(h)\nb[2] = dense(g; U2)\nr = relu(b)\n"
        "c[2] = dense(r; U3)\ns = add(g, c)\nq = relu(s)\ny[1] = dense(q; U4)",
    ],
)
def test_monomial_networks_that_are_no_chains_under_momentum(text: str) -> None:
    problem = Problem(Given(Graph.parse(text)), Momentum())
    row = count_laws(problem)
    assert (row.laws, row.known_independent, row.verdict) == (0, 0, "proved")
    assert "orbit" in {bound.method for bound in row.lower}
    settled = {theorem.name for theorem in THEOREMS if theorem.settles(problem)}
    assert settled == {"momentum paths"}


@pytest.mark.parametrize("widths", [(3, 3, 2, 1), (1, 3, 1, 1), (1, 3, 1, 3, 1)])
@pytest.mark.parametrize("bias", [False, "hidden", "all"])
def test_what_stands_still_lists_rotations_too(widths: tuple[int, ...], bias: Any) -> None:
    """One output under cross-entropy moves nothing."""
    activations = ("linear", *["relu"] * (len(widths) - 3))
    problem = Problem(MLP(widths, activations, bias, "cross_entropy"), Momentum())
    row = count_laws(problem)
    assert row.laws == 2 * problem.parameters
    assert row.known_listed == len(problem.laws()) > row.laws


def test_any_size() -> None:
    assert counted(MLP((784, 4096, 4096, 10), "relu", "all"), Momentum()).laws == 0
    wide = MLP((10**5, 10**6, 10**3), "relu", "hidden")
    assert counted(wide, Shorthand("nmf")).laws == 10**6
    row = counted(MLP((300, 1000, 200), "linear"), Momentum())
    assert (row.laws, row.verdict) == (1000 * 999 // 2, "proved")
    assert (row.timeless, row.known_listed) == (1000 * 999 // 2 - 1, 1000 * 999 // 2)


def test_metrics_that_are_no_powers() -> None:
    metrics = (("U1", Hypentropy(Power(1).square / 2)), ("U3", Power(2)), ("b1", Power(3)))
    row = counted(MLP((2, 3, 2, 1), "relu", "hidden"), Mirror(metrics))
    assert (row.laws, row.known_independent, row.verdict) == (5, 5, "proved")
    assert {"brackets", "mirror paths"} >= {bound.method for bound in row.lower}


@pytest.mark.parametrize("widths", [(1, 2, 2, 1), (2, 3, 2)])
def test_decay_of_homogeneous_maps_is_a_theorem(widths: tuple[int, ...]) -> None:
    row = counted(MLP(widths, "linear"), Decay())
    found = oracle.decay(MLP(widths, "linear"))
    assert (row.laws, row.timeless, row.verdict) == (found.laws, found.timeless, "proved")


RELU, CHANNELS = Activation("relu"), Convolution(1, (2,), (1,))
HOMOGENEOUS = [
    Layers((1,), (Linear(2), Branch((Linear(1), RELU, Linear(2))), Linear(1))),
    Layers((1,), (Linear(1), Branch((Linear(1), RELU, Linear(1, True))), Linear(2))),
    Layers((1, 3), (CHANNELS, Pool((2,), (1,)), Flat(), Linear(2))),
    Layers((1, 3), (Convolution(1, (2,), (1,), "valid", True), RELU, Flat(), Linear(1, True))),
    Layers((2,), (Linear(2), Linear(2), Linear(1)), "cross_entropy"),
    Layers((2,), (Linear(2), Linear(3)), "cross_entropy"),
]
"""Networks that no chain is, whose components have degrees of their own."""


@pytest.mark.parametrize("network", HOMOGENEOUS, ids=lambda network: network.name)
def test_decay_of_networks_that_are_no_chains(network: Layers) -> None:
    row, found = counted(network, Decay()), oracle.decay_of(oracle_layers.layered(network))
    assert (row.state, row.laws, row.timeless) == (found.state, found.laws, found.timeless)
    assert is_homogeneous(Problem(network, Decay()))
    assert "under gradient flow" in row.lower[0].shown


@pytest.mark.parametrize(("dim", "heads", "head_dim"), [(1, 1, 2), (2, 1, 1), (2, 2, 1)])
def test_decay_of_attention(dim: int, heads: int, head_dim: int) -> None:
    row = counted(Attention(dim, heads, head_dim), Decay())
    found = oracle.decay_of(oracle_layers.attention(dim, heads, head_dim))
    assert (row.laws, row.timeless, row.verdict) == (found.laws, found.timeless, "proved")


@pytest.mark.usefixtures("no_engine")
def test_decay_of_attention_of_any_size() -> None:
    layer = Attention(512, 8, 64)
    assert counted(layer, Decay()).laws == counted(layer, GRADIENT).laws == 33280


@pytest.mark.parametrize(
    ("text", "homogeneous"),
    [
        ("x*y + z**2, x*y*z", True),
        ("x*y + z**2 + 3, x + y", True),
        ("(x + y)*sqrt(x*y) + z**2", True),
        ("sqrt(x**2 + y**2), x*z/y", True),
        ("x*y + z, x", False),
        ("(x + 1)*y, z", False),
        ("x/(y + 1), z", False),
    ],
)
def test_decay_of_maps_of_ones_own(text: str, homogeneous: bool) -> None:
    """With the theorem and without it the row has the same figures."""
    phi = CustomMap.from_text(text)
    assert phi.homogeneous is homogeneous
    row = counted(phi, Decay())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flows, "decays_as_one", lambda problem: False)
        engine = counted(phi, Decay())
    assert (row.dim_lie, row.laws, row.known_listed) == (
        engine.dim_lie,
        engine.laws,
        engine.known_listed,
    )
    assert row.timeless in (None, engine.timeless)
    assert (row.laws == counted(phi, GRADIENT).laws) or not homogeneous


@pytest.mark.parametrize("name", [*NAMED, *FUNCTIONS])
def test_decay_of_graphs_is_what_the_engine_counts(name: str) -> None:
    network = Given(Graph.parse({**NAMED, **FUNCTIONS}[name]))
    if not network.graph.homogeneous:
        return
    row = counted(network, Decay())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flows, "decays_as_one", lambda problem: False)
        engine = counted(network, Decay())
    for figure in ("dim_lie", "laws", "known_listed", "known_independent"):
        assert getattr(row, figure) == getattr(engine, figure), figure
    assert row.timeless in (None, engine.timeless)


def test_one_field_in_a_metric() -> None:
    row = counted(MLP((1, 2, 2, 1), "linear"), Shorthand("nmf"))
    assert (row.laws, row.unknown_laws, row.verdict) == (7, 3, "proved")


def test_maps_of_ones_own() -> None:
    phi = CustomMap(("u", "v", "w"), ("u*v", "u**2"))
    row = counted(phi, Momentum())
    assert (row.state, row.laws, row.timeless, row.verdict) == (7, 2, 1, "proved")  # w stands still
    assert counted(phi, Shorthand("nmf")).laws == 1
    roots = CustomMap(("u", "v"), ("u*sqrt(v)",))
    assert [counted(roots, flow).laws for flow in (Decay(), Momentum())] == [1, 0]


def test_exponentials() -> None:
    """Their law, b − ‖out‖²/2, is of two degrees: decay has none, momentum neither."""
    network = MLP((2, 2, 2), "exp", "hidden")
    laws = [counted(network, flow).laws for flow in (GRADIENT, Decay(), Momentum())]
    assert laws == [2, 0, 0]
