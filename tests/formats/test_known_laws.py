"""Known laws as matrices: code that is run and held against the laws, entry by entry."""

from __future__ import annotations

import json
import re
import time
import tracemalloc
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy
from graphs import NAMED, Given
from small_networks import SELECTED

from conslaw_cli.families.layers import Branch, Layers
from conslaw_cli.families.mlp import MLP
from conslaw_cli.flows.decay import Decay
from conslaw_cli.flows.friction import Friction
from conslaw_cli.flows.kept import Kept
from conslaw_cli.flows.metrics import Power
from conslaw_cli.flows.mirror import Mirror, Shorthand
from conslaw_cli.flows.momentum import Momentum
from conslaw_cli.flows.names import Arrays
from conslaw_cli.formats.laws import NAMES, Known, render
from conslaw_cli.lie.count import count_laws
from conslaw_cli.networks.graph import Graph
from conslaw_cli.networks.known_laws import Form
from conslaw_cli.networks.operations.convolution import (
    Convolution,
    Pool,
    TransposedConvolution,
)
from conslaw_cli.networks.operations.dense import Linear
from conslaw_cli.networks.operations.elementwise import Activation
from conslaw_cli.networks.operations.reshape import Flat
from conslaw_cli.problems.problem import Architecture, Problem
from conslaw_cli.problems.records import LawCount

RELU = Activation("relu")
ROW = LawCount("a", {}, 0, "1", 0.5, "bounded", laws_at_least=1, reason="a test")
KERNEL = Convolution(4, (3,), (1,), "same", True)
ARCHITECTURES: list[Any] = [
    *SELECTED,
    Layers((2, 6), (KERNEL, RELU, Pool((2,), (2,)), Flat(), Linear(3, True)), "cross_entropy"),
    Layers((2, 6), (KERNEL, KERNEL, Flat(), Linear(3))),
    Layers((2, 3), (KERNEL, Convolution(4, (2,), (1,), groups=2), Flat(), Linear(2))),
    Layers((2, 3), (KERNEL, Convolution(4, (2,), (1,), groups=4), RELU, Flat(), Linear(2))),
    Layers((2,), (Linear(3), Branch((Linear(4, True), RELU, Linear(3))), RELU, Linear(2))),
    Layers((2,), (Linear(3), Branch((Linear(4), Linear(3))), Linear(2))),
    *(Given(Graph.parse(text), name) for name, text in NAMED.items()),
]


def known(architecture: Architecture | Problem, row: LawCount = ROW) -> Known:
    families = Problem.of(architecture).families()
    assert families is not None
    return Known(Problem.of(architecture), families, row, "a test")


def values(architecture: Architecture, theta: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    found: np.ndarray[Any, Any] = architecture.laws().values(theta[None], lambda terms: None)[0]
    return found


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda each: each.name)
def test_the_function_has_the_values_of_the_laws(architecture: Architecture) -> None:
    scope: dict[str, Any] = {}
    exec(render("python", [known(architecture)]), scope)
    theta = np.random.default_rng(0).integers(-9, 9, architecture.parameters).astype(float)
    np.testing.assert_array_equal(scope["laws"](theta), values(architecture, theta))


@pytest.mark.parametrize(
    "architecture", [each for each in ARCHITECTURES if each.parameters < 60], ids=lambda e: e.name
)
def test_the_matrices_have_the_values_of_the_laws(architecture: Architecture) -> None:
    """Symbols stand for arrays, read by rows or by columns."""
    result = known(architecture)
    scope: dict[str, Any] = {}
    exec(render("sympy", [result]), scope)
    theta = np.random.default_rng(0).integers(-9, 9, architecture.parameters)
    numbers = []
    for law, family in zip(scope["laws"], result.families, strict=True):
        matrix = _evaluated(law, architecture, theta)
        full = isinstance(family, Form) and family.kind == "full"
        picked = np.triu_indices(family.units) if full and isinstance(family, Form) else ...
        numbers += np.array(matrix.tolist()).astype(float)[picked].ravel().tolist()
    np.testing.assert_array_equal(numbers, values(architecture, theta.astype(float)))


def _evaluated(law: Any, architecture: Any, theta: np.ndarray[Any, Any]) -> Any:
    arrays = {a.name: theta[a.entries] for a in architecture.graph.arrays if a.trainable}
    given = {}
    for symbol in law.atoms(sympy.MatrixSymbol):
        name = re.sub("_(read|written|lines)$", "", symbol.name)
        flat = arrays.get(name, theta)
        given[symbol] = sympy.Matrix(flat.reshape(symbol.shape).tolist())
    value = law.subs(given).doit()
    return value if isinstance(value, sympy.MatrixBase) else sympy.Matrix([[value]])


def test_text_names_families_and_says_what_is_not_decided() -> None:
    row = LawCount(
        *("linear/smooth 4-3-2-2", {}, 0, "1", 0.5, "bounded", 22, None, None, 6, 6),
        reason="too large",
        laws_at_least=6,
    )
    assert render("text", [known(MLP((4, 3, 2, 2), ("linear", "smooth")), row)]) == (
        "linear/smooth 4-3-2-2: 22 parameters, known laws\n"
        "  known laws: 6 listed, 6 independent\n"
        "  laws in all: at least 6 (proved); whether there are more is not decided: too large\n"
        "\n"
        "  U1ᵀU1 − U2U2ᵀ = const   (3×3 symmetric, 6 laws)\n"
        "\n"
        "U1[i,j] leads from unit i to unit j of the next layer (x ↦ x U1 U2 …, row vectors).\n"
    )


def test_json_says_that_others_were_not_searched() -> None:
    network = MLP((2, 3, 2), "relu")
    (value,) = json.loads(render("json", [known(network, count_laws(network))]))["results"]
    assert (value["searched"], value["not_searched_because"]) == (False, "a test")
    assert (value["laws"], value["known_listed"], value["complete"]) == (3, 3, True)
    assert value["families"] == [
        {
            "formula": "diag(U1ᵀU1 − U2U2ᵀ)",
            "latex": r"\operatorname{diag}\bigl(U_{1}^\top U_{1} - U_{2} U_{2}^\top\bigr)",
            "shape": "3×3 diagonal",
            "laws": 3,
        }
    ]


@pytest.mark.parametrize("name", NAMES)
def test_every_format_is_made_at_any_width_at_once(name: str) -> None:
    network = MLP((10**6,) * 4, ("linear", "smooth"), "all", "cross_entropy")
    row = count_laws(network)
    tracemalloc.start()
    start = time.process_time()
    text = render(name, [known(network, row)])
    seconds, peak = time.process_time() - start, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "1000000" in text
    assert len(text) < 5000
    assert seconds < 1
    assert peak < 10**7


CIRCLE = Convolution(1, (4,), (1,), "circular")
PAIRED = Convolution(4, (4,), (1,), "circular", True, groups=2)
SPREAD = TransposedConvolution(2, (2,), (2,), (0,))
MOVING: list[Any] = [
    MLP((2, 3, 4, 2), "linear", "all", "cross_entropy"),
    MLP((1, 3, 1), "linear"),
    MLP((2, 3, 2), "exp", "hidden"),
    MLP((2, 3, 1), "relu", loss="cross_entropy"),
    Layers((2, 3), (KERNEL, Convolution(4, (2,), (1,), groups=2), Flat(), Linear(2))),
    Layers((3,), (Branch((Linear(3),)), Linear(2))),
    Layers((1, 4), (CIRCLE, CIRCLE, Flat(), Linear(2))),
    Given(
        Graph.parse(
            "x[2]\nh[3] = dense(x; U1, b1)\ng = relu(h)\nk[2] = dense(g; U2, b2)\n"
            "z[2] = dense(x; U3, b3)\ns = add(k, z)\ne = abs(h)\n"
            "w[2] = dense(e; U4, b4)\ny = add(s, w)"
        ),
        "added biases",
    ),
    Layers((2, 4), (PAIRED, Convolution(4, (4,), (1,), "circular", groups=2), RELU)),
    Layers((1, 2), (SPREAD, Flat(), Linear(2))),
    Layers((1, 2), (SPREAD, RELU, Flat(), Linear(2))),
]
METRIC = Mirror(
    (("U1", Power(1)), ("U2", Power(3)), ("b1", Power(2))),
    (("U1", Fraction(2, 3)),),
)
FLOWS: list[Any] = [
    Momentum(Friction.NONE),
    Momentum(Friction.CONSTANT),
    Momentum(Friction.NESTEROV),
    Momentum(Friction.NONE, Mirror(rates=(("U2", Fraction(2, 3)),))),
    Momentum(Friction.NESTEROV, Mirror(rates=(("b2", Fraction(2, 3)), ("b4", Fraction(5, 2))))),
    Momentum(Friction.CONSTANT, METRIC),
    Decay(),
    Decay(("U1", "U2")),
    Mirror(rates=(("U1", Fraction(2, 3)),)),
    Shorthand("nmf"),
    METRIC,
]


@pytest.mark.parametrize("flow", FLOWS, ids=str)
@pytest.mark.parametrize("network", MOVING, ids=lambda each: each.name)
def test_the_function_changes_as_the_laws_of_a_flow_do(network: Any, flow: Any) -> None:
    """In the coordinates of the laws: θ, p and s; q; θ, Y and η. Squares of I + U have a constant
    besides; positions are divided by rates, or multiplied by their denominators.
    """
    problem = Problem(network, fitting(flow, network))
    scope: dict[str, Any] = {}
    exec(render("python", [known(problem)]), scope)
    rng, laws = np.random.default_rng(0), problem.laws()
    points = [states(problem, rng) for _ in range(3)]
    printed = np.array([scope["laws"](*given) for given, _ in points])
    wanted = np.array([laws.values(x[None], lambda terms: None)[0] for _, x in points])
    ratios = np.diff(printed, axis=0) / np.diff(wanted, axis=0)
    np.testing.assert_allclose(ratios[0], ratios[1], rtol=1e-9)
    if not isinstance(problem.flow, Momentum) or problem.flow.metric is None:
        scale = 2 if getattr(problem.flow, "friction", None) is Friction.NESTEROV else 1
        assert set(np.round(ratios[0], 9)) <= {1, 1 / scale}


@pytest.mark.parametrize("flow", FLOWS, ids=str)
@pytest.mark.parametrize(  # symbols in groups have an order of their own; SymPy fails at (I + U)ᵀV
    "network",
    [each for each in MOVING if not re.search("groups|residual", each.name)],
    ids=lambda each: each.name,
)
def test_the_matrices_are_what_the_function_computes(network: Any, flow: Any) -> None:
    problem = Problem(network, fitting(flow, network))
    result = known(problem)
    given, _ = states(problem, np.random.default_rng(0))
    scope: dict[str, Any] = {}
    exec(render("python", [result]), scope)
    function = scope["laws"]
    wanted, point = function(*given), dict(zip(function.__code__.co_varnames, given, strict=False))
    exec(render("sympy", [result]), scope)
    found = []
    for law, family in zip(scope["laws"], result.families, strict=True):
        matrix = np.array(_at(law, problem, point).tolist()).astype(float)
        base = family.base if isinstance(family, Kept) else family
        picked: Any = ...
        if isinstance(base, Form) and base.blocks:
            labels = np.repeat(range(len(base.blocks)), base.blocks)
            shift = int(isinstance(family, Kept) and family.moving)
            picked = np.nonzero(np.triu(np.equal.outer(labels, labels), shift))
        found += matrix[picked].ravel().tolist()
    np.testing.assert_allclose(found, wanted, rtol=1e-9)


def _at(law: Any, problem: Problem, point: dict[str, Any]) -> Any:
    """Evaluate an expression: symbols stand for arrays, read by rows or by columns."""
    arrays = Arrays.of(problem.architecture)
    numbers = {name: value for name, value in point.items() if isinstance(value, float)}
    given: dict[Any, Any] = {sympy.Symbol(name): value for name, value in numbers.items()}
    for symbol in law.atoms(sympy.MatrixSymbol):
        name = re.sub("_(read|written|lines)$", "", symbol.name)
        flat = point.get(name)
        for array in arrays.every:
            if array.name == name:
                flat = point["theta"][array.entries]
            elif arrays.velocity(array.name) == name:
                flat = point["velocity"][array.entries]
        assert flat is not None
        given[symbol] = sympy.Matrix(flat.reshape(symbol.shape).tolist())
    value = law.subs(given).doit()
    return value if isinstance(value, sympy.MatrixBase) else sympy.Matrix([[value]])


def fitting(flow: Any, network: Any) -> Any:
    """Return a flow without the arrays that a network has not."""
    if isinstance(flow, Momentum) and flow.metric is not None:
        return Momentum(flow.friction, fitting(flow.metric, network))
    if not isinstance(flow, Mirror):
        return flow
    names = {array.name for array in network.graph.arrays}
    metric = tuple(each for each in flow.metric if each[0] in names)
    return Mirror(metric, tuple(each for each in flow.rates if each[0] in names))


def states(problem: Problem, rng: np.random.Generator) -> tuple[list[Any], np.ndarray[Any, Any]]:
    """Return arguments of the function, and the coordinates of the laws."""
    size, flow = problem.parameters, problem.flow
    theta, velocity = rng.uniform(1, 2, size), rng.uniform(1, 2, size)
    t, rate = rng.uniform(1, 2, 2).tolist()
    if isinstance(flow, Momentum):
        p, s = CLOCKS[flow.friction](t, rate)
        given = [theta, velocity, t, *([rate] if flow.friction is Friction.CONSTANT else [])]
        functions = () if flow.metric is None else dual(problem, flow.metric, theta)
        return given, np.concatenate([theta, p * velocity, [s], *functions])
    if isinstance(flow, Decay):
        assert problem.graph is not None
        alike = [
            np.full(a.size, flow.only is None or a.name in flow.only) for a in problem.graph.arrays
        ]
        return [theta, t, rate], np.append(np.exp(rate * t * np.concatenate(alike)) * theta, t)
    return [theta], np.concatenate([theta, *dual(problem, flow, theta)])


CLOCKS: dict[Any, Any] = {
    Friction.NONE: lambda t, tau: (1, t),
    Friction.CONSTANT: lambda t, tau: (np.exp(tau * t), -np.exp(-tau * t) / tau),
    Friction.NESTEROV: lambda t, tau: (t**3, -1 / (2 * t * t)),
}


def dual(problem: Problem, flow: Any, theta: np.ndarray[Any, Any]) -> list[np.ndarray[Any, Any]]:
    """Return Y and η of every parameter, apart from the constants that metrics leave out."""
    assert isinstance(flow, Mirror)
    assert problem.graph is not None
    squares, shifts = theta**2, theta.copy()
    for name, (metric, _) in flow.scales(problem.architecture).items():
        (array,) = [a for a in problem.graph.arrays if a.name == name]
        x = theta[array.entries]
        p = metric.describe()["power"]
        y = np.log(x) if p == 2 else x ** (2.0 - p)
        eta = np.log(x) if p == 1 else x ** (1.0 - p)
        squares[array.entries], shifts[array.entries] = y, eta
    return [squares, shifts]


def test_what_is_said_of_correlations_is_what_they_are() -> None:
    """Three channels around a circle of five places: the sums that the legend writes down."""
    circle = (Convolution(n, (5,), (1,), "circular") for n in (3, 2))
    network = Layers((2, 5), tuple(circle))
    said = render("text", [known(network)]).partition("⋆ at a lag s: ")[2].partition("\n")[0]
    assert said == (
        "entry (a,b) of U1⋆U1 is Σ U1[i,t+s,a]·U1[i,t,b], that of U2⋆U2, behind it, is"
        " Σ U2[b,t+s,j]·U2[a,t,j], over taps at places t + s and t."
    )
    theta = np.random.default_rng(0).integers(-9, 9, network.parameters).astype(float)
    first, second = theta[:30].reshape(2, 5, 3), theta[30:].reshape(3, 5, 2)
    moved = [(np.roll(first, -s, axis=1), np.roll(second, -s, axis=1)) for s in (1, 2)]
    wanted = [
        np.einsum("ita,itb->ab", u, first) - np.einsum("btj,atj->ab", v, second) for u, v in moved
    ]
    (correlations,) = network.graph.correlations
    found = correlations.laws().values(theta[None], lambda terms: None)[0]
    np.testing.assert_array_equal(found.reshape(2, 3, 3), wanted)


def test_classes_of_taps_are_explained() -> None:
    layers = TransposedConvolution(2, (3,), (2,)), Activation("relu"), Flat(), Linear(2)
    said = render("text", [known(Layers((1, 5), layers))])
    assert "\n[k], [l]: summed over the pairs (k,l) of taps in a class.\n" in said
