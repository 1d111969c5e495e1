"""The laws that are printed, as SymPy and Python read them, are constant along the flow, for every
loss: the whole derivative by time vanishes.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import oracle
import pytest
import sympy
from graphs import Given

from conslaw_cli import MLP, CustomMap, Problem, count_laws, find_laws
from conslaw_cli.families.layers import Branch, Layers
from conslaw_cli.flows import Asked
from conslaw_cli.flows.decay import Decay
from conslaw_cli.flows.friction import Friction
from conslaw_cli.flows.metrics import ENTROPY
from conslaw_cli.flows.mirror import Mirror
from conslaw_cli.flows.momentum import Momentum
from conslaw_cli.formats.laws import Result, render
from conslaw_cli.networks.graph import Graph
from conslaw_cli.networks.operations.convolution import Convolution
from conslaw_cli.networks.operations.dense import Linear
from conslaw_cli.networks.operations.reshape import Flat

LINEAR = MLP((1, 2, 1), "linear")
BIASED = MLP((1, 2, 1), "linear", "all")
ENTROPIC = MLP((1, 2, 2), "linear", loss="cross_entropy")
WIDE = MLP((2, 2, 2), "linear", "hidden")
RELU = MLP((1, 2, 1), "relu", "hidden")
STILL = MLP((1, 2, 1), "relu", "hidden", "cross_entropy")
EXP = MLP((1, 2, 1), "exp", "hidden")

CASES: list[tuple[MLP, Asked, str, int]] = [
    (LINEAR, Decay(), "e^{2λt}(U1ᵀU1 − U2U2ᵀ)", 3),
    (ENTROPIC, Decay(), "e^{λt}(U2·1)", 5),
    (BIASED, Decay(("U1", "U2", "b1")), "e^{2λt}(U1ᵀU1 + b1ᵀb1 − U2U2ᵀ)", 3),
    (RELU, Decay(), "e^{2λt}(diag(U1ᵀU1 + b1ᵀb1 − U2U2ᵀ))", 2),
    (STILL, Decay(), "e^{λt}(θ)", 6),
    (STILL, Decay(("U1", "b1")), "e^{λt}(U1)", 6),
    (LINEAR, Momentum(), "e^{τt}(U1ᵀV1 − V1ᵀU1 + U2V2ᵀ − V2U2ᵀ)", 2),
    (LINEAR, Momentum(Friction.NESTEROV), "t³(U1ᵀV2ᵀ − V1ᵀU2ᵀ + U2V1 − V2U1)", 2),
    (WIDE, Momentum(), "e^{τt}(U1ᵀV1 − V1ᵀU1 + b1ᵀc1 − c1ᵀb1 + U2V2ᵀ − V2U2ᵀ)", 1),
    (ENTROPIC, Momentum(), "U2·1 + (V2·1)/τ", 6),
    (ENTROPIC, Momentum(Friction.NONE), "U2·1 − t·V2·1", 6),
    (ENTROPIC, Momentum(Friction.NESTEROV), "U2·1 + (t/2)·V2·1", 6),
    (LINEAR, Mirror((("U1", ENTROPY), ("U2", ENTROPY))), "U1ᵀ·1 − U2·1", 2),
    (LINEAR, Mirror(rates=(("U1", Fraction(1, 3)),)), "3·U1ᵀU1 − U2U2ᵀ", 3),
]
IDS = [f"{network.name} {flow}" for network, flow, _, _ in CASES]


def result_of(network: MLP | CustomMap, flow: Asked) -> Result:
    problem = Problem(network, flow.of(network))
    return Result(find_laws(problem, 2), count_laws(problem))


def scripted(text: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(text, names)
    return names


def symbols_of(network: MLP) -> tuple[list[sympy.Symbol], list[sympy.Symbol]]:
    """Return the symbols of the script for parameters and velocities."""
    names = [
        name.replace("[", "_").replace(",", "_").rstrip("]") for name in network.parameter_names()
    ]
    moving = [name.replace("U", "V").replace("b", "c") for name in names]
    return list(map(sympy.Symbol, names)), list(map(sympy.Symbol, moving))


def force(network: MLP) -> list[sympy.Expr]:
    """Return the gradient of a random loss, for free coefficients of the components of φ."""
    theta = oracle.Parameters(network)
    rename = dict(zip(theta.gens, symbols_of(network)[0], strict=True))
    fields = oracle.generators(network, theta)
    total = [sympy.Integer(0)] * len(theta.gens)
    for k, field in enumerate(fields):
        u = sympy.Symbol(f"u{k}")
        for e, entry in enumerate(field):
            total[e] += u * entry.as_expr(*rename.values())
    return total


def velocity(network: MLP, flow: Asked) -> dict[sympy.Symbol, sympy.Expr]:
    """Return the derivatives by time of θ and of velocities."""
    t, tau, lam = sympy.symbols("t tau lam")
    (theta, moving), gradient = symbols_of(network), force(network)
    if isinstance(flow, Decay):
        decays = [flow.only is None or str(x).partition("_")[0] in flow.only for x in theta]
        return {
            x: -lam * x * int(decayed) - g
            for x, decayed, g in zip(theta, decays, gradient, strict=True)
        }
    if isinstance(flow, Mirror):
        metrics, rates = dict(flow.metric), dict(flow.rates)
        arrays = [str(x).partition("_")[0] for x in theta]
        speeds = [
            rates.get(a, 1) * (x if a in metrics else 1) for x, a in zip(theta, arrays, strict=True)
        ]
        return {x: -m * g for x, m, g in zip(theta, speeds, gradient, strict=True)}
    assert isinstance(flow, Momentum)
    friction = {Friction.CONSTANT: tau, Friction.NONE: 0, Friction.NESTEROV: 3 / t}[flow.friction]
    pushed = {v: -friction * v - g for v, g in zip(moving, gradient, strict=True)}
    return {**dict(zip(theta, moving, strict=True)), **pushed}


@pytest.mark.parametrize(("network", "flow", "formula", "laws"), CASES, ids=IDS)
def test_laws_are_constant_along_the_flow(
    network: MLP, flow: Asked, formula: str, laws: int
) -> None:
    result = result_of(network, flow)
    text = render("text", [result])
    assert formula in text
    found = scripted(render("sympy", [result]))["laws"]
    assert len(found) == laws == result.search.independent
    motion = velocity(network, flow)
    for law in found:
        by_time = law.diff(sympy.Symbol("t"))
        whole = by_time + sum(law.diff(x) * speed for x, speed in motion.items())
        assert sympy.expand(whole) == 0


@pytest.mark.parametrize(("network", "flow", "formula", "laws"), CASES, ids=IDS)
def test_python_computes_what_sympy_says(
    network: MLP, flow: Asked, formula: str, laws: int
) -> None:
    result, rng = result_of(network, flow), np.random.default_rng(0)
    theta, moving = symbols_of(network)
    point, speeds = rng.standard_normal(len(theta)), rng.standard_normal(len(theta))
    arguments = result.search.coordinates.arguments
    numbers = [1.25 + k for k in range(len(arguments))]
    at = {
        **dict(zip(theta, point.tolist(), strict=True)),
        **dict(zip(moving, speeds.tolist(), strict=True)),
        **{sympy.Symbol(name): number for name, number in zip(arguments, numbers, strict=True)},
    }
    expected = [float(law.subs(at)) for law in scripted(render("sympy", [result]))["laws"]]
    states = [point, speeds] if result.search.coordinates.velocities else [point]
    computed = scripted(render("python", [result]))["laws"](*states, *numbers)
    assert np.allclose(sorted(computed), sorted(expected))


def test_latex_and_json_have_the_factor() -> None:
    result = result_of(LINEAR, Momentum())
    assert r"e^{\tau t} \bigl(U_{1}^\top V_{1} - V_{1}^\top U_{1}" in render("latex", [result])
    assert '"factor": "exp(tau*t)"' in render("json", [result])


GROUPS = Layers(
    (2, 3), (Convolution(4, (1,), (1,)), Convolution(4, (2,), (1,), groups=2), Flat(), Linear(2))
)
PRODUCT = Graph.parse(
    "x[2]\na[2] = dense(x; U1)\nb[2] = dense(x; U2)\nh = multiply(a, b)\n"
    "s[3] = dense(h; U3)\ny[2] = dense(s; U4)"
)
SKIP = Layers((3,), (Branch((Linear(3),)), Linear(2)))


def test_formulas_of_mirror_flows() -> None:
    """What stands beside exp is a shift, and a skip is I + U; with the entropy that is ln."""
    texts: dict[tuple[Any, tuple[str, ...], Fraction], str] = {
        (EXP, (), Fraction(1, 3)): "6·b1 − diag(U2U2ᵀ)",
        (EXP, ("U2",), Fraction(1, 3)): "6·b1 − 2·U2·1",
        (EXP, ("b1", "U2"), Fraction(1)): "2·ln(b1) − 2·U2·1",
        (SKIP, ("U1", "U2"), Fraction(1)): "2·U1ᵀ·1 + 2·ln(diag(U1)) − 2·U2·1",
    }
    for (network, arrays, rate), text in texts.items():
        metrics = tuple((name, ENTROPY) for name in arrays)
        rates = (("b1", rate),) if network is EXP else ()
        families = Problem(network, Mirror(metrics, rates)).laws().families
        assert [family.text for family in families] == [text]


@pytest.mark.parametrize(
    ("network", "families"),
    [
        (GROUPS, ["4×4 antisymmetric, in blocks of 2"] * 2),
        (Given(PRODUCT), ["3×3 antisymmetric"]),
        (SKIP, ["3×3 antisymmetric"]),
    ],
    ids=["groups", "product", "skip"],
)
def test_rotations_of_groups_beside_products_and_behind_skips(
    network: Any, families: list[str]
) -> None:
    """Each is held against random fields in the count."""
    problem = Problem(network, Momentum())
    assert [family.shape for family in problem.laws().families] == families
    row = count_laws(problem)
    assert (row.verdict, row.unknown_laws) == ("proved", 0)
    assert row.known_listed == sum(family.size for family in problem.laws().families)


def test_velocities_have_names_that_no_array_and_no_variable_has() -> None:
    """V1 would be that of U1."""
    phi = CustomMap((), ("U1*V1",), arrays={"U1": (2, 2), "V1": (2, 2)})
    result = result_of(phi, Momentum())
    assert result.search.coordinates.names[8:12] == tuple(f"U1_dot[{i},{j}]" for i, j in PLACES)
    code = scripted(render("python", [result]))["laws"]
    u, v, du, dv = state = np.random.default_rng(0).normal(size=(4, 2, 2))
    (law,) = code(state[:2].ravel(), state[2:].ravel(), 0.5, 2.0)
    charge = u.T @ du - du.T @ u + v @ dv.T - dv @ v.T
    assert law == pytest.approx(np.exp(1) * charge[0, 1])
    dotted = result_of(CustomMap((), ("x*x_dot",)), Momentum()).search.coordinates.names
    assert dotted[:4] == ("x", "x_dot", "x_dot_dot", "x_dot_dot_dot")


PLACES = [(1, 1), (1, 2), (2, 1), (2, 2)]


def test_arrays_of_formulas_are_arrays_beside_numbers() -> None:
    """A φ that is no network: its arrays move, decay and are cut from θ as those of networks."""
    phi = CustomMap((), ("x*einsum(ir,jr->ij; U, V)",), arrays={"U": (2, 2), "V": (2, 2)})
    assert Decay(("x", "V", "U")).of(phi) == Decay()
    assert Decay(("V",)).of(phi).describe() == {"decay": {"only": ["V"]}}
    result = result_of(phi, Momentum())
    assert result.search.coordinates.names[8:11] == ("x", "U_dot[1,1]", "U_dot[1,2]")
    assert r"(U)_{1,1} (\dot{U})_{1,2}" in render("latex", [result])
    assert "U_dot is the velocity of U." in render("text", [result])
    theta, moving = np.random.default_rng(0).normal(size=(2, 9))
    (law,) = scripted(render("python", [result]))["laws"](theta, moving, 0.5, 2.0)
    (u, v), (du, dv) = theta[:8].reshape(2, 2, 2), moving[:8].reshape(2, 2, 2)
    charge = u.T @ du - du.T @ u + v.T @ dv - dv.T @ v
    assert law == pytest.approx(np.exp(1) * charge[0, 1])
