"""Graphs that no family has: shared and frozen arrays, products, branches read twice, several
inputs and outputs, nodes that nothing reads.
"""

from __future__ import annotations

import tracemalloc
from itertools import product
from math import prod
from typing import Any

import numpy as np
import oracle
import oracle_layers
import pytest
from graphs import FUNCTIONS, NAMED, Given, random_graphs
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from reference import law_polynomials
from sympy import QQ, ZZ
from sympy.polys.rings import ring

from conslaw_cli.algebra.field import Array, PrimeField
from conslaw_cli.algebra.rings import Exact, derivative, lift, multiply
from conslaw_cli.algebra.rings import ring as ring_of
from conslaw_cli.laws.polynomials import find_laws
from conslaw_cli.lie.count import count_laws
from conslaw_cli.networks.gradients import GradientFields
from conslaw_cli.networks.graph import Graph
from conslaw_cli.networks.operation import Shape
from conslaw_cli.networks.operations.convolution import (
    Convolution,
    Pool,
    TransposedConvolution,
)
from conslaw_cli.networks.operations.dense import Linear
from conslaw_cli.networks.operations.elementwise import Activation, Power
from conslaw_cli.networks.operations.product import Add, Multiply
from conslaw_cli.networks.operations.reshape import Flat

P = 8388593
FIELD = PrimeField(P)
GRAPHS = {name: Graph.parse(text) for name, text in NAMED.items()}
every_graph = pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS.keys())
PROPERTY = settings(max_examples=60, deadline=None)


# ---- against the network written plainly


def values(graph: Graph, theta: Any, probe: Any, constants: Any) -> dict[str, NDArray[Any]]:
    """Return the value of every node, (units, …), computed node by node as a reader of the graph
    would, from lists of numbers or symbols.
    """
    unread, free, held = iter(probe), iter(theta), iter(constants)
    found = {name: _array(unread, shape) for name, shape in graph.inputs}
    shapes = _parameter_shapes(graph)
    arrays = {
        name: _array(held if name in graph.frozen else free, shape)
        for name, shape in shapes.items()
    }
    states: dict[str, NDArray[Any]] = {}
    for node in graph.nodes:
        x = [found[name] for name in node.inputs]
        p = [arrays[name] for name in node.parameters]
        match node.operation:
            case Activation(name):
                if name not in ("linear", "identity"):
                    slopes = states.get(node.state or "")
                    slopes = _array(unread, x[0].shape) if slopes is None else slopes
                    if node.state is not None:
                        states[node.state] = slopes
                    x = [x[0] * slopes]
                found[node.name] = x[0]
            case Linear():
                found[node.name] = p[0].T.dot(x[0]) + (p[1] if len(p) > 1 else 0)
            case Add():
                found[node.name] = sum(x[1:], start=x[0])
            case Power(exponent):
                found[node.name] = x[0] ** exponent
            case Multiply():
                found[node.name] = x[0] * x[1]
            case Flat():
                found[node.name] = x[0].reshape(-1)
            case Pool(kernel, stride):
                found[node.name] = _pooled(x[0], kernel, stride)
            case Convolution():
                found[node.name] = _convolved(x[0], node.operation, p)
            case TransposedConvolution():
                found[node.name] = _transposed(x[0], node.operation, p)
            case _:
                raise NotImplementedError(node)
    return found


def _array(numbers: Any, shape: Shape) -> NDArray[Any]:
    array = np.empty(prod(shape), dtype=object)
    for i in range(array.size):
        array[i] = next(numbers)
    return array.reshape(shape)


def _parameter_shapes(graph: Graph) -> dict[str, Shape]:
    shapes, found = dict(graph.inputs), dict[str, Shape]()
    for node in graph.nodes:
        read = [shapes[name] for name in node.inputs]
        shapes[node.name] = node.operation.output(*read)
        for name, (_, shape) in zip(node.parameters, node.operation.parameters(*read), strict=True):
            found.setdefault(name, shape)
    return found


def _pooled(x: NDArray[Any], kernel: Shape, stride: Shape) -> NDArray[Any]:
    sizes = x.shape[1:]
    kernel, stride = (each * len(sizes) if len(each) == 1 else each for each in (kernel, stride))
    counts = [(n - k) // s + 1 for n, k, s in zip(sizes, kernel, stride, strict=True)]
    result = np.empty((len(x), *counts), dtype=object)
    for place in np.ndindex(*counts):
        window = tuple(
            slice(o * s, o * s + k) for o, s, k in zip(place, stride, kernel, strict=True)
        )
        for c in range(len(x)):
            result[(c, *place)] = x[c][window].sum() * QQ(1, prod(kernel))
    return result


def _convolved(x: NDArray[Any], layer: Convolution, p: list[NDArray[Any]]) -> NDArray[Any]:
    sizes, taps = x.shape[1:], list(np.ndindex(*layer.kernel))
    kernels = p[0].reshape(layer.groups, -1, len(taps), layer.channels // layer.groups)
    where = list(oracle_layers.places(layer, sizes))
    result = np.zeros((layer.channels, *np.add(where[-1], 1)), dtype=object)
    for place, (t, tap), j in product(where, enumerate(taps), range(layer.channels)):
        group, column = divmod(j, layer.channels // layer.groups)
        at = oracle_layers.read_at(layer, sizes, place, tap)
        if all(0 <= o < n for o, n in zip(at, sizes, strict=True)):
            own = range(group * len(kernels[0]), (group + 1) * len(kernels[0]))
            total = sum(x[(i, *at)] * kernels[group, i - own[0], t, column] for i in own)
            result[(j, *place)] = result[(j, *place)] + total
    return _shifted(result, p)


def _transposed(
    x: NDArray[Any], layer: TransposedConvolution, p: list[NDArray[Any]]
) -> NDArray[Any]:
    """Every value is spread over a window; ends are cut off."""
    taps = list(np.ndindex(*layer.kernel))
    kernels = p[0].reshape(len(x), len(taps), layer.channels)
    sides = zip(x.shape[1:], layer.stride, layer.kernel, strict=True)
    whole = np.zeros((layer.channels, *((n - 1) * s + k for n, s, k in sides)), dtype=object)
    for place, (t, tap), i in product(np.ndindex(*x.shape[1:]), enumerate(taps), range(len(x))):
        at = tuple(o * s + k for o, s, k in zip(place, layer.stride, tap, strict=True))
        for j in range(layer.channels):
            whole[(j, *at)] = whole[(j, *at)] + x[(i, *place)] * kernels[i, t, j]
    cut = (slice(c, n - c) for c, n in zip(layer.padding, whole.shape[1:], strict=True))
    return _shifted(whole[(slice(None), *cut)], p)


def _shifted(x: NDArray[Any], p: list[NDArray[Any]]) -> NDArray[Any]:
    return x + p[1].reshape(-1, *(1,) * (x.ndim - 1)) if len(p) > 1 else x


@every_graph
def test_the_gradient_is_the_symbolic_derivative(graph: Graph) -> None:
    """Of ``<w, g>`` over the rationals, at integers for the probe and the frozen arrays."""
    agrees_with_symbols(graph)


@PROPERTY
@given(random_graphs())
def test_the_gradient_of_random_graphs_is_the_symbolic_derivative(graph: Graph) -> None:
    agrees_with_symbols(graph)


def agrees_with_symbols(graph: Graph) -> None:
    draw = np.random.default_rng(0)
    probe, constants, point = (
        draw.integers(-9, 9, size).tolist()
        for size in (graph.probe_size, graph.constants, graph.dimension)
    )
    _, *gens = ring([f"t{i}" for i in range(max(1, graph.dimension))], QQ)
    gens = gens[: graph.dimension]
    found = values(graph, gens, probe, constants)
    outputs = [y for name in graph.outputs for y in found[name].ravel()]
    weights = probe[len(probe) - len(outputs) :]
    f = sum(w * y for w, y in zip(weights, outputs, strict=True))
    expected = [_at(f.diff(x), point) if hasattr(f, "diff") else 0 for x in gens]
    given = [np.array([each], dtype=object) for each in (point, probe, constants)]
    fields = GradientFields(graph).bound(given[2])
    (gradient,) = fields.gradient(Exact(), given[0], given[1])
    assert [QQ(x.numerator, x.denominator) for x in gradient.tolist()] == expected
    forward = graph.forward(Exact(), *given)
    flat = [QQ(y.numerator, y.denominator) for each in forward for y in each[0].ravel().tolist()]
    plain = values(graph, point, probe, constants)
    assert flat == [y for name in graph.outputs for y in plain[name].ravel().tolist()]


def _at(poly: Any, point: list[int]) -> Any:
    return sum(
        c * prod(x**e for x, e in zip(point, exponents, strict=True))
        for exponents, c in poly.terms()
    )


# ---- the adjoint over jets


@pytest.mark.parametrize("order", [0, 1, 2, 4])
@every_graph
def test_the_gradient_is_the_adjoint_of_the_derivative(graph: Graph, order: int) -> None:
    is_adjoint(graph, order, 0)


@pytest.mark.parametrize("order", [0, 1, 2, 4])
@pytest.mark.parametrize("text", FUNCTIONS.values(), ids=FUNCTIONS.keys())
def test_the_gradient_is_the_adjoint_where_functions_are_no_polynomials(
    text: str, order: int
) -> None:
    is_adjoint(Graph.parse(text), order, 0)


@PROPERTY
@given(random_graphs(functions=True), st.sampled_from([0, 1, 2, 4]), st.integers(0, 10**6))
def test_the_gradient_of_random_graphs_is_the_adjoint(graph: Graph, order: int, seed: int) -> None:
    is_adjoint(graph, order, seed)


def is_adjoint(graph: Graph, order: int, seed: int) -> None:
    """``<w, Dg(v)> = <∇_θ <w, g>, v>``, coefficient by coefficient, mod p."""
    draw, size = np.random.default_rng(seed), 2**order
    theta, v = FIELD.random(draw, (2, 1, graph.dimension, size))
    probe = FIELD.random(draw, (3, graph.probe_size))
    constants = FIELD.random(draw, (1, graph.constants))
    weights = FIELD.random(draw, (3, graph.output_size))
    moved = graph.forward(ring_of(FIELD, 2 * size), lift(theta, v), probe, constants)
    change, start = np.zeros(size), 0
    for each in moved:
        y = np.zeros((3, *each.shape[1:3], 2 * size))
        y[..., : each.shape[-1]] = each
        w = weights[:, start : start + prod(y.shape[1:3])].reshape(y.shape[:3])
        start += prod(y.shape[1:3])
        change = FIELD.reduce(change + FIELD.reduce(w[..., None] * derivative(y)).sum((0, 1, 2)))
    over = ring_of(FIELD, size)
    if order == 0:
        gradient = graph.gradient(over, theta[..., 0], probe, weights, constants)[..., None]
    else:
        gradient = graph.gradient(over, theta, probe, weights, constants)
    assert gradient.shape == (3, graph.dimension, size)
    terms = multiply(FIELD, gradient, np.broadcast_to(v, gradient.shape))
    found: Array = FIELD.reduce(terms.sum(axis=(0, 1)))
    assert not FIELD.reduce(found - change).any()


# ---- degrees and sizes


def bounds_the_function(graph: Graph) -> None:
    """Of every entry of a field: degrees in θ and in the probe, and the sum of its coefficients'
    absolute values, denominators cleared; frozen parameters count as 1.
    """
    names = [f"t{i}" for i in range(graph.dimension)] + [f"a{i}" for i in range(graph.probe_size)]
    _, *gens = ring(names, QQ)
    theta, probe = gens[: graph.dimension], gens[graph.dimension :]
    found = values(graph, theta, probe, [1] * graph.constants)
    outputs = [y for name in graph.outputs for y in found[name].ravel()]
    f = sum(w * y for w, y in zip(probe[len(probe) - len(outputs) :], outputs, strict=True))
    fields = GradientFields(graph).bound(np.ones((1, graph.constants)))
    in_theta, in_probe = fields.degree()
    bound, n = 2.0 ** fields.bits() * (1 + 1e-9), graph.dimension
    for x in theta:
        entry = f.diff(x).clear_denoms()[1]
        assert all(sum(m[:n]) <= in_theta for m in entry.monoms() if entry)
        assert all(sum(m[n:]) <= in_probe for m in entry.monoms() if entry)
        assert bound >= sum(abs(int(c)) for c in entry.coeffs())


@PROPERTY
@given(random_graphs())
def test_degrees_and_terms_bound_random_functions(graph: Graph) -> None:
    bounds_the_function(graph)


AVERAGES = [
    # an average of four beside a sum of four
    "x[1×4]\nc[1] = conv(x, kernel=1; U1)\np = avg_pool(c, kernel=4)\n"
    "d[1] = conv(x, kernel=4; U2)\ns = add(p, d)\nv = flatten(s)\ny[1] = dense(v; U3)",
    # its square beside a long sum, which denominators of 64 multiply
    "x[1×8]\nc[1] = conv(x, kernel=1; U1)\np = avg_pool(c, kernel=8)\nq = multiply(p, p)\n"
    "d[1] = conv(x, kernel=8; U2)\nh[100] = conv(d, kernel=1; U4)\nk[1] = conv(h, kernel=1; U5)\n"
    "s = add(q, k)\nv = flatten(s)\ny[1] = dense(v; U3)",
    # an average of four beside a bias
    "x[1×4]\nc[1] = conv(x, kernel=1; U1)\np = avg_pool(c, kernel=4)\n"
    "d[1] = conv(p, kernel=1; U2, b2)\nv = flatten(d)\ny[1] = dense(v; U3)",
    # an average that two branches read
    "x[1×4]\nc[1] = conv(x, kernel=1; U1)\np = avg_pool(c, kernel=4)\n"
    "d[1] = conv(p, kernel=1; U2)\nq = multiply(p, d)\ne[1] = conv(x, kernel=4; U3)\n"
    "s = add(p, q, e)\nv = flatten(s)\n"
    "y[2] = dense(v; U4)",
]


@pytest.mark.parametrize("text", [*NAMED.values(), *AVERAGES])
def test_degrees_and_terms_bound_the_function(text: str) -> None:
    bounds_the_function(Graph.parse(text))


def test_sizes_of_a_probe_are_those_of_inputs_states_and_outputs() -> None:
    graph = GRAPHS["two inputs, two outputs"]
    assert (graph.input_size, graph.state_size, graph.output_size, graph.probe_size) == (3, 0, 2, 5)
    graph = GRAPHS["shared gates"]
    assert (graph.input_size, graph.state_size, graph.output_size) == (2, 2, 1)
    graph = GRAPHS["frozen in the middle"]
    assert (graph.dimension, graph.constants) == (8, 4)
    assert graph.parameter_names() == [
        *(f"U1[{i},{j}]" for i in (1, 2) for j in (1, 2)),
        *(f"U3[{i},{j}]" for i in (1, 2) for j in (1, 2)),
    ]


def test_no_cotangent_is_asked_for_where_nothing_trainable_stands() -> None:
    """Of inputs, of what frozen arrays make of them, and of these arrays."""
    wanted = [step.wanted for step in GRAPHS["frozen first layer"].steps]
    assert wanted == [(False, False), (False, True), (True, True)]
    wanted = [step.wanted for step in GRAPHS["frozen in the middle"].steps]
    assert wanted == [(False, True), (True, False), (True, True)]


def test_what_nothing_reads_has_no_gradient() -> None:
    """Also where an array of it is used elsewhere."""
    graph = GRAPHS["dead nodes"]
    draw = np.random.default_rng(0)
    theta = draw.integers(1, 9, (1, graph.dimension)).astype(object)
    probe = draw.integers(1, 9, (1, graph.probe_size)).astype(object)
    (gradient,) = GradientFields(graph).gradient(Exact(), theta, probe)
    dead = {name for name in graph.parameter_names() if name.startswith(("U2[", "U1a["))}
    zero = {name for name, x in zip(graph.parameter_names(), gradient, strict=True) if x == 0}
    assert zero == dead


def test_one_array_in_two_places_is_one_array() -> None:
    """``y = x u²`` in one parameter: the gradient is ``2 w x u``."""
    graph = Graph.parse("x[1]\nh[1] = dense(x; U)\ny[1] = dense(h; U)")
    theta, probe = np.array([[3]], dtype=object), np.array([[5, 7]], dtype=object)
    assert GradientFields(graph).gradient(Exact(), theta, probe).tolist() == [[2 * 7 * 5 * 3]]


# ---- counts

COUNTED = [name for name in GRAPHS if name != "dead nodes"]


def reparametrisation(graph: Graph) -> oracle_layers.Map:
    """Return φ: for each output, the coefficients of the monomials in inputs and states; frozen
    arrays are numbers.
    """
    size = graph.probe_size - graph.output_size
    names = [f"t{i}" for i in range(graph.dimension)]
    joint, *gens = ring([*names, *(f"a{i}" for i in range(size))], QQ)
    constants = oracle.random_point(graph.constants, 5)
    found = values(graph, gens[: graph.dimension], gens[graph.dimension :], constants)
    plain, *theta = ring(names, ZZ)
    components = []
    for name in graph.outputs:
        for y in found[name].ravel():
            parts: dict[Any, Any] = {}
            for m, c in joint(y).clear_denoms()[1].terms():
                key, mine = m[graph.dimension :], m[: graph.dimension]
                parts.setdefault(key, {})[mine] = int(c)
            components += [plain.from_dict(part) for part in parts.values()]
    return oracle_layers.Map(tuple(theta), tuple(each for each in components if not each.is_ground))


@pytest.mark.parametrize("name", COUNTED)
def test_counts_agree_with_the_oracle(name: str) -> None:
    graph = GRAPHS[name]
    phi, row = reparametrisation(graph), count_laws(Given(graph, name))
    known, fields = law_polynomials(Given(graph).laws(), phi.gens), phi.fields()
    assert [h for h in known if not oracle.is_law(h, fields, phi.gens)] == []
    expected = oracle_layers.count(phi, known)
    assert row.trace is not None
    trace = list(row.trace.dimensions)
    while len(trace) > 1 and trace[-1] == trace[-2]:
        trace.pop()
    assert (row.parameters, tuple(trace), row.laws, row.known_independent) == (
        expected.parameters,
        expected.trace,
        expected.laws,
        expected.known_independent,
    )


@pytest.mark.parametrize(
    ("name", "laws"),
    [("chain", 3), ("chain with biases", 8), ("residual stream", 5), ("bilinear GLU", 4)],
)
def test_the_known_laws_are_all(name: str, laws: int) -> None:
    row = count_laws(Given(GRAPHS[name], name))
    assert (row.laws, row.known_independent, row.unknown_laws, row.verdict) == (
        laws,
        laws,
        0,
        "proved",
    )


MORE = {
    # Every parameter that nothing reads, and what an output needs of them.
    "dead nodes": 9,
    # One gate for both: only U1 + U2 matters, so U1 − U2 is conserved.
    "shared gates": 6,
    # (1 + U2)ᵀ(1 + U2) − Σ U3 U3ᵀ around the branch.
    "images": 5,
}


@pytest.mark.parametrize("name", GRAPHS)
def test_a_search_finds_the_quadratic_laws(name: str) -> None:
    """Whatever the frozen arrays hold: those of the wiring, and in some networks more."""
    graph = GRAPHS[name]
    found = find_laws(Given(graph, name), 2)
    known = graph.wiring().size()[0]
    assert (found.known, found.independent) == (known, MORE.get(name, known))


@pytest.mark.parametrize(("order", "count"), [(0, 1000), (2, 300)])
@every_graph
def test_what_an_evaluation_holds(graph: Graph, order: int, count: int) -> None:
    """Never more than is declared, nor a tenth of it."""
    draw = np.random.default_rng(0)
    fields = GradientFields(graph).bound(FIELD.random(draw, (1, graph.constants)))
    theta = FIELD.random(draw, (1 if order == 0 else count, graph.dimension, 2**order))
    probes = fields.sample(FIELD, draw, count)
    fields.evaluate(FIELD, theta, probes)
    tracemalloc.start()
    fields.evaluate(FIELD, theta, probes)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 0.1 < peak / (8 * count * 2**order * fields.held) < 1
