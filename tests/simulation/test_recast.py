"""M of Prop. 3.7 as a function of z and the start alone, against ∂φ∂φᵀ at θ that a flow has led to,
and the flow of z against that of θ.
"""

from __future__ import annotations

import numpy as np
import pytest

from conslaw_cli import MLP, Activation, Branch, CustomMap, Layers, Linear, Problem, SpecError
from conslaw_cli.errors import ConslawError
from conslaw_cli.networks.operations.convolution import Convolution
from conslaw_cli.networks.wiring import labels
from conslaw_cli.problems.problem import Architecture
from conslaw_cli.simulation.integrator import DivergedError, Vector
from conslaw_cli.simulation.metrics import Polar, TwoLayers
from conslaw_cli.simulation.recast import (
    Fibre,
    Reparametrisation,
    check_start,
    closed_form,
    laws_of,
    recast,
    reparametrisation,
)

POLAR = "u*sqrt(v1**2+v2**2+v3**2), " + ", ".join(
    f"v{i}/sqrt(v1**2+v2**2+v3**2)" for i in (1, 2, 3)
)
CLOSED: list[Architecture] = [
    CustomMap.from_text("u*v1, u*v2, u*v3"),  # Example 3.8
    CustomMap.from_text(POLAR),  # arXiv Example F.2
    MLP((3, 4, 2), "relu"),  # Example 3.5
    MLP((2, 3, 2), "relu", "hidden"),
    MLP((2, 2, 3), "relu", "all"),
    MLP((3, 1, 2), "linear"),
    CustomMap.from_text("u*v, w, x*y"),
]
NEWTON: list[Architecture] = [
    MLP((2, 2, 2, 1), "relu"),
    MLP((1, 2, 2, 2), "relu", "all"),
    MLP((1, 3, 1), "linear"),
    MLP((1, 2, 2, 1), "linear"),  # decided by an Abelian integral
    CustomMap.from_text("x*y + z*w"),
    CustomMap.from_text("x*y, x + y"),
    CustomMap.from_text("x + y, z**2"),  # by a law that is searched
    CustomMap.from_text("exp(x)*y, z"),
    Layers((1, 3), (Convolution(1, (2,), (1,)), Convolution(1, (2,), (1,)))),
    Layers((2,), (Branch((Linear(2), Activation("relu"))), Linear(1))),
    CustomMap((), ("A*B", "C"), arrays={"A": (1, 2), "B": (2, 1), "C": (1, 1)}),
]


def named(architecture: Architecture) -> str:
    return architecture.name[:40]


def led(phi: Reparametrisation, theta: Vector, target: Vector, time: float = 0.3) -> Vector:
    """Follow gradient flow of ½‖φ − target‖² by 60 steps of the classical Runge-Kutta method."""

    def field(x: Vector) -> Vector:
        return (target - phi.values(x)) @ phi.jacobian(x)

    step = time / 60
    for _ in range(60):
        a = field(theta)
        b = field(theta + step / 2 * a)
        c = field(theta + step / 2 * b)
        d = field(theta + step * c)
        theta = theta + step / 6 * (a + 2 * b + 2 * c + d)
    return theta


def square(phi: Reparametrisation, theta: Vector) -> Vector:
    slopes = phi.jacobian(theta)
    product: Vector = slopes @ slopes.T
    return product


def drawn(architecture: Architecture, seed: int) -> tuple[Problem, Reparametrisation, Vector]:
    problem = Problem(architecture)
    theta = np.random.default_rng(seed).normal(size=architecture.parameters)
    return problem, reparametrisation(problem), theta


@pytest.mark.parametrize("architecture", CLOSED, ids=named)
@pytest.mark.parametrize("seed", [0, 1])
def test_closed_forms(architecture: Architecture, seed: int) -> None:
    problem, phi, theta = drawn(architecture, seed)
    metric = closed_form(problem, phi, theta)
    assert metric is not None
    for target in np.random.default_rng(9).normal(size=(2, len(phi.names))):
        after = led(phi, theta, target)
        assert metric(phi.values(after)) == pytest.approx(square(phi, after), abs=1e-7)
    assert metric(phi.values(theta)) == pytest.approx(square(phi, theta), abs=1e-12)


def test_example_f2_holds_in_two_readings_and_not_as_it_is_printed() -> None:
    problem, phi, theta = drawn(CustomMap.from_text(POLAR), 3)
    (r, *h), (u, *v) = phi.values(theta), theta
    projection = np.eye(3) - np.outer(h, h)
    difference = u**2 - np.dot(v, v)

    def entries(first: float, second: float) -> Vector:
        return np.block([[np.full((1, 1), first), np.zeros((1, 3))],
                         [np.zeros((3, 1)), second * projection]])  # fmt: skip

    exact = square(phi, theta)
    root = np.sqrt(difference**2 + 4 * r**2)
    assert exact == pytest.approx(entries(root, 2 / (root - difference)))
    half = -difference / 2
    root = np.sqrt(half**2 + r**2)
    assert exact == pytest.approx(entries(2 * root, 1 / (half + root)))
    root = np.sqrt(difference**2 + r**2)
    assert abs(exact - entries(root, 1 / (difference + root))).max() > 0.1
    metric = closed_form(problem, phi, theta)
    assert isinstance(metric, Polar)
    assert metric.delta == pytest.approx(difference)


@pytest.mark.parametrize(
    "text",
    ["x*y, y*z, z*w", "x*y, y*z, x*z", "x*y, x", "2*x*y", "x**2", "x*y, x*y", "x/y", "x*y*z"],
)
def test_what_are_no_two_layers(text: str) -> None:
    problem, phi, theta = drawn(CustomMap.from_text(text), 0)
    assert closed_form(problem, phi, theta) is None


@pytest.mark.parametrize("text", ["v1/sqrt(v1**2+v2**2), v2/sqrt(v1**2+v2**2), u", "u*v, u + v"])
def test_what_are_no_polar_coordinates(text: str) -> None:
    problem, phi, theta = drawn(CustomMap.from_text(text), 0)
    assert closed_form(problem, phi, theta) is None


@pytest.mark.parametrize(
    ("text", "formula"),
    [
        ("u*v1, u*v2", "M = ‖z‖_δ I + zzᵀ/‖z‖_δ, ‖z‖_δ = δ + √(δ² + ‖z‖²), δ = (u² − ‖v‖²)/2"),
        ("u*v, x*y, w", "(u² − ‖v‖²)/2, for each u and v; 1 for components that are one parameter"),
        ("u*x, u*y, v*x, v*y", "M[G] = ZZᵀG/(ρ − δ) + GZᵀZ/(ρ + δ), ρ = √(δ² + ‖Z‖²)"),
        ("x, y", "M = I, as every component is one parameter"),
    ],
)
def test_how_they_are_written(text: str, formula: str) -> None:
    problem, phi, theta = drawn(CustomMap.from_text(text), 0)
    metric = closed_form(problem, phi, theta)
    assert metric is not None
    assert formula in metric.lines(labels(problem.architecture.parameter_arrays()))[0]


def test_small_factors_keep_their_digits() -> None:
    """ρ − |δ| would lose them."""
    theta = np.array([1e-7, 3.0, 4.0])
    problem, phi, _ = drawn(CustomMap.from_text("u*v1, u*v2"), 0)
    metric = closed_form(problem, phi, theta)
    assert isinstance(metric, TwoLayers)
    exact = square(phi, theta)
    assert abs(metric(phi.values(theta)) - exact).max() < 1e-14 * abs(exact).max()


@pytest.mark.parametrize("architecture", [*NEWTON, *CLOSED[:3]], ids=named)
def test_newton_on_the_fibre(architecture: Architecture) -> None:
    """z alone is given, θ is not."""
    problem, phi, theta = drawn(architecture, 2)
    metric = Fibre(phi, laws_of(problem, phi, theta), theta)
    for target in np.random.default_rng(8).normal(size=(2, len(phi.names))):
        for time in (0.05, 0.1):
            after = led(phi, theta, target, time)
            assert metric(phi.values(after)) == pytest.approx(square(phi, after), abs=1e-7)
        metric(phi.values(theta))


def test_where_the_condition_fails_m_is_no_function_of_z_and_the_laws() -> None:
    """Linear 2-2-2: along the one direction that moves neither φ nor a law, M changes."""
    problem, phi, theta = drawn(MLP((2, 2, 2), "linear"), 0)
    laws = problem.laws()

    def still(x: Vector) -> tuple[Vector, Vector]:
        (slopes,) = laws.gradients(x, len(laws))
        return np.concatenate([phi.values(x), laws.values(x[None], lambda each: None)[0]]), slopes

    start, before = still(theta)[0], np.zeros(8)
    first = square(phi, theta)
    for _ in range(40):
        for _ in range(3):  # back to where φ and the laws are what they were
            values, slopes = still(theta)
            derivative = np.concatenate([phi.jacobian(theta), slopes])
            theta = theta - np.linalg.lstsq(derivative, values - start)[0]
        direction = np.linalg.svd(derivative)[2][-1]
        before = direction if before @ direction >= 0 else -direction
        theta = theta + 0.02 * before
    assert still(theta)[0] == pytest.approx(start, abs=1e-3)
    assert abs(square(phi, theta) - first).max() > 0.1


def test_where_the_known_laws_decide_nothing() -> None:
    problem, phi, theta = drawn(CustomMap.from_text("x**2 + y**2"), 0)
    with pytest.raises(ConslawError, match="decide 1 of 2 coordinates of θ"):
        laws_of(problem, phi, theta)


def test_a_fibre_ends_where_no_theta_is_near() -> None:
    problem, phi, theta = drawn(CustomMap.from_text("x*y"), 0)
    metric = Fibre(phi, laws_of(problem, phi, theta), theta)
    with pytest.raises(DivergedError):
        metric(np.array([np.nan]))


def test_where_phi_is_not_written_out() -> None:
    with pytest.raises(SpecError, match="expected a network of linear layers and gates"):
        reparametrisation(Problem(MLP((2, 2, 1), "exp")))
    with pytest.raises(SpecError, match="without constants"):
        reparametrisation(Problem(CustomMap((), ("a*x*y",), constants={"a": ()})))
    _, phi, theta = drawn(CustomMap.from_text("u*v1, u*v2"), 0)
    with pytest.raises(SpecError, match="expected rank ∂φ = 2, as near it, got 1"):
        check_start(phi, theta * [0, 1, 1], 2)


# ---- flows, which SciPy integrates


@pytest.mark.parametrize("architecture", [*CLOSED, *NEWTON[:3], *NEWTON[5:]], ids=named)
def test_both_flows_agree(architecture: Architecture, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("scipy")
    monkeypatch.setattr("conslaw_cli.simulation.recast.POINTS", 13)
    problem, phi, theta = drawn(architecture, 4)
    run = recast(problem, phi, theta, np.random.default_rng(7).normal(size=len(phi.names)), 0.5)
    assert run.failed is None
    assert len(run.times) > 5
    assert run.difference < 1e-9
    assert run.moved[-1] == pytest.approx(run.direct[-1], abs=1e-9)
    assert abs(run.moved[-1] - run.moved[0]).max() > 1e-3
    after = led(phi, theta, run.target, float(run.times[-1]))
    assert phi.values(after) == pytest.approx(run.direct[-1], abs=1e-5)
    assert run.metric == pytest.approx(square(phi, theta))


def test_flows_of_an_abelian_integral(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("scipy")
    monkeypatch.setattr("conslaw_cli.simulation.recast.POINTS", 6)
    problem, phi, theta = drawn(MLP((1, 2, 2, 1), "linear"), 1)
    run = recast(problem, phi, theta, np.array([2.0]), 0.1)
    assert run.difference < 1e-11
    assert run.mismatch < 1e-9


@pytest.mark.parametrize(
    ("text", "theta", "target"),
    [("u*v1, u*v2", [0.5, 1.0, 1.0], [-1.0, -1.0]), ("x*y, z*x", [0.3, 1.0, 2.0], [-1.0, -2.0])],
)
def test_they_end_where_the_rank_drops(text: str, theta: list[float], target: list[float]) -> None:
    """u passes through 0, where φ(u, v) is 0 for all v."""
    pytest.importorskip("scipy")
    problem, phi, _ = drawn(CustomMap.from_text(text), 0)
    told = list[float]()
    run = recast(problem, phi, np.array(theta), np.array(target), 3.0, told.append)
    assert run.dropped
    assert run.times[-1] < 3
    assert run.difference < 1e-9
    assert len(told) == len(run.times) - 1
    on = led(phi, np.array(theta), np.array(target), float(run.times[-1]) + 0.06)
    assert on[0] < 0 < theta[0]


def test_they_go_on_where_a_product_passes_zero_but_the_rank_stays() -> None:
    pytest.importorskip("scipy")
    problem, phi, _ = drawn(CustomMap.from_text("u*v"), 0)
    run = recast(problem, phi, np.array([0.5, 1.0]), np.array([-1.0]), 3.0)
    assert not run.dropped
    assert run.moved[0, 0] > 0 > run.moved[-1, 0]
    assert run.difference < 1e-9
