"""What passes through the places where branches meet, and the laws that follow."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest
from graphs import FUNCTIONS, NAMED, pruned, random_graphs
from hypothesis import given, settings
from numpy.typing import NDArray
from oracle_wiring import FIELD, wired
from reference import law_polynomials, rank
from sympy import ZZ
from sympy.polys.rings import ring

from conslaw_cli.algebra.field import Array as Numbers
from conslaw_cli.families.layers import Layers
from conslaw_cli.networks.gradients import GradientFields
from conslaw_cli.networks.graph import Graph
from conslaw_cli.networks.known_laws import Form
from conslaw_cli.networks.operations.convolution import Convolution
from conslaw_cli.networks.operations.reshape import Flat
from conslaw_cli.networks.wiring import Array, Wire, Wiring


class Arrays:
    """Hands out parameter arrays, one behind the other in θ."""

    def __init__(self) -> None:
        self.made: list[Array] = []

    def __call__(self, *shape: int) -> Array:
        start = sum(array.size for array in self.made)
        entries = slice(start, start + prod(shape))
        self.made.append(Array(f"U{len(self.made) + 1}", shape, entries))
        return self.made[-1]


def shared(wire: Wire, *rows: int) -> Wire:
    """Return the wire of a value whose rows belong to these units."""
    return wire._replace(rows=np.array(rows))


def forms(wiring: Wiring) -> list[tuple[str, str]]:
    return [(form.laws().families[0].text, form.kind) for form in wiring.forms()]


def indices(form: Form) -> list[NDArray[np.intp]]:
    """Return the parameters of every part of a form, one row per unit."""
    return [part.matrix() for part in form.parts]


def test_rows_are_grouped_by_unit_in_whatever_order_they_come() -> None:
    """Rows 0 and 2 of what reads the space belong to its first unit."""
    wiring, make = Wiring(), Arrays()
    h = wiring.layer(wiring.given(1), 2, make(1, 2))
    y = wiring.layer(shared(h, 0, 1, 0, 1), 1, make(4, 1))
    wiring.output(y, zero_sum=False)
    (form,) = wiring.forms()
    assert [part.tolist() for part in indices(form)] == [[[0], [1]], [[2, 4], [3, 5]]]


def test_branches_that_share_their_rows_in_different_ways_leave_no_law() -> None:
    """So does everything that joins the space later."""
    wiring, make = Wiring(), Arrays()
    x = wiring.given(1)
    here, there = (wiring.layer(x, 2, make(1, 2)) for _ in range(2))
    outer = wiring.layer(x, 4, make(1, 4))
    wiring.layer(outer, 1, make(4, 1))
    wiring.layer(shared(here, 0, 0, 1, 1), 1, make(4, 1))
    before = [(text, kind) for text, kind in forms(wiring)]
    assert before == [("U1ᵀU1 − Σ U5U5ᵀ", "full"), ("U3ᵀU3 − U4U4ᵀ", "full")]
    mixed = wiring.joined(shared(here, 0, 0, 1, 1), shared(there, 0, 1, 0, 1))
    assert forms(wiring) == [("U3ᵀU3 − U4U4ᵀ", "full")]
    wiring.joined(outer, shared(mixed, 0, 0, 1, 1))
    assert forms(wiring) == []


def test_branches_that_share_their_rows_alike_are_one_space() -> None:
    """Also where each row is a unit of one branch and the rows of the other are copies."""
    wiring, make = Wiring(), Arrays()
    x = wiring.given(1)
    first, second = (wiring.layer(x, 2, make(1, 2)) for _ in range(2))
    rows = wiring.layer(x, 4, make(1, 4))
    alike = wiring.joined(shared(first, 0, 0, 1, 1), shared(second, 0, 0, 1, 1))
    both = wiring.joined(alike, rows)
    wiring.output(wiring.layer(both, 1, make(4, 1)), zero_sum=False)
    (form,) = wiring.forms()
    (family,) = form.laws().families
    assert (family.text, form.kind) == ("U1ᵀU1 + U2ᵀU2 + U3ᵀU3 − Σ U4U4ᵀ", "full")
    assert [part.tolist() for part in indices(form)] == [
        [[0], [1]],
        [[2], [3]],
        [[4, 5], [6, 7]],
        [[8, 9], [10, 11]],
    ]


# ---- whole graphs


def gradients(graph: Graph, theta: NDArray[np.int64]) -> Numbers:
    """Return the gradients of the listed laws at integers θ, mod p."""
    laws = graph.wiring().laws()
    rows = [FIELD.reduce(part.copy()) for part in laws.gradients(theta.astype(np.float64), 100)]
    found: Numbers = np.concatenate([np.empty((0, graph.dimension)), *rows])
    assert len(found) == len(laws) == graph.wiring().size()[0]
    assert len(laws.law) == graph.wiring().size()[1]
    return found


def fields_at(graph: Graph, theta: NDArray[np.int64]) -> Numbers:
    """Return more random gradients of the network at θ than they have dimensions, mod p."""
    draw = np.random.default_rng(0)
    fields = GradientFields(graph).bound(FIELD.random(draw, (1, graph.constants)))
    point = FIELD.reduce(theta.astype(np.float64))[None, :, None]
    found = fields.evaluate(FIELD, point, fields.sample(FIELD, draw, graph.dimension + 2))
    rows: Numbers = found[..., 0]
    return rows


def point(graph: Graph) -> NDArray[np.int64]:
    return np.random.default_rng(1).integers(1, 10**6, graph.dimension)


def check_laws(graph: Graph, complete: bool = True) -> None:
    """The listed laws are orthogonal to random gradients; and they span, at a random point, what
    the equations for single entries of symmetric generators leave, or part of it.
    """
    theta = point(graph)
    listed, plain = gradients(graph, theta), wired(graph).motions(graph, theta)
    assert not FIELD.matmul(listed, fields_at(graph, theta).T).any(), "laws"
    both = np.concatenate([listed, plain])
    assert FIELD.rank(plain) == FIELD.rank(both)
    assert FIELD.rank(listed) == FIELD.rank(plain) or not complete


@pytest.mark.parametrize("text", [*NAMED.values(), *FUNCTIONS.values()])
def test_laws_of_graphs_are_those_of_single_entries(text: str) -> None:
    check_laws(pruned(Graph.parse(text)))


@settings(max_examples=200, deadline=None)
@given(random_graphs(functions=True))
def test_laws_of_random_graphs_are_those_of_single_entries(graph: Graph) -> None:
    """Where positions become rows, rows of one unit may meet units of their own; then only what is
    the same for all units is found.
    """
    graph = pruned(graph)
    check_laws(graph, complete=not any(isinstance(n.operation, Flat) for n in graph.nodes))


@settings(max_examples=50, deadline=None)
@given(random_graphs(functions=True))
def test_what_nothing_reads_adds_no_false_law(graph: Graph) -> None:
    theta = point(graph)
    assert not FIELD.matmul(gradients(graph, theta), fields_at(graph, theta).T).any()


@settings(max_examples=100, deadline=None)
@given(random_graphs(functions=True))
def test_laws_under_cross_entropy_are_laws(graph: Graph) -> None:
    """Output weights with sum zero; sums of what writes an output, where they are listed."""
    constants = FIELD.random(np.random.default_rng(0), (1, graph.constants))
    orthogonal(GradientFields(graph, zero_sum=True).bound(constants))


def orthogonal(fields: GradientFields) -> None:
    draw = np.random.default_rng(1)
    theta, laws = point(fields.graph).astype(np.float64), fields.known_laws()
    assert fields.known_size() == (len(laws), len(laws.law))
    found = fields.evaluate(
        FIELD, FIELD.reduce(theta.copy())[None, :, None], fields.sample(FIELD, draw, 5)
    )[..., 0]
    for rows in laws.gradients(theta, 100):
        assert not FIELD.matmul(FIELD.reduce(rows.copy()), found.T).any()


def test_a_wrong_generator_is_noticed() -> None:
    """The check of laws can fail: gates let no entry beside the diagonal pass."""
    linear = Graph.parse("x[2]\nh[2] = dense(x; U1)\ny[2] = dense(h; U2)")
    gated = Graph.parse("x[2]\nh[2] = dense(x; U1)\nr = relu(h)\ny[2] = dense(r; U2)")
    theta = point(linear)
    assert FIELD.matmul(gradients(linear, theta), fields_at(gated, theta).T).any()


HARD = [
    # a bias of two layers
    "x[2]\nh[2] = dense(x; U1, b1)\nr = relu(h)\ng[2] = dense(r; U2, b1)\ny[1] = dense(g; U3)",
    # a matrix of two layers, one of them with a bias
    "x[2]\nh[1] = dense(x; U1)\ng[2] = dense(h; U2)\nk[1] = dense(g; U1, b3)\ny[1] = dense(k; U4)",
    "x[2]\nh[2] = dense(x; U1)\nr[2] = dense(h; U1, b1)\ny[1] = dense(r; U3)",
    "x[2]\nh[2] = dense(x; U1, b1)\nr[2] = dense(h; U1, b2)\ny[1] = dense(r; U3)",
    # multiples of the identity on spaces of different widths
    "x[2]\nh[2] = dense(x; U1)\ng[1] = dense(h; U2)\ny[1] = dense(g; U3)\nfrozen U2",
    "x[1]\nh[2] = dense(x; U1)\ng[1] = dense(h; U4)\ny[2] = dense(g; U1)",
    # nothing reads the product
    "x[2]\na[2] = dense(x; U1)\nb[2] = dense(x; U2)\ny = multiply(a, b)",
    # biases that one sum adds up
    "x[2]\na[2] = dense(x; U1, b1)\nb[2] = dense(x; U2, b2)\ns = add(a, b)\ny[1] = dense(s; U3)",
    "x[2]\na[2] = dense(x; U1, b1)\nb[2] = dense(x; U2)\nc[2] = dense(x; U3, b3)\ns = add(a, b, c)",
    # a bias that one sum adds twice
    "x[2]\na[2] = dense(x; U1, b1)\nb[2] = dense(x; U2, b1)\nc[2] = dense(x; U3, b2)\n"
    "s = add(a, b, c)",
    # a bias that does not move
    "u[2]\nh[1] = dense(u; U1)\ny[1] = dense(h; U3, b4)\nfrozen b4",
]  # fmt: skip


@pytest.mark.parametrize("text", HARD)
def test_laws_where_arrays_are_shared_or_frozen(text: str) -> None:
    check_laws(Graph.parse(text))


@pytest.mark.parametrize(
    "text",
    [
        "x[1×2]\nc[2] = conv(x, kernel=1; U1)\nv = flatten(c)\na[4] = dense(v; U2)\n"
        "b[4] = dense(a; U2)\ny[1] = dense(b; U3)",
        "x[1]\nu[1×2]\na[4] = dense(x; U1)\nb[4] = dense(a; U2)\nc[2] = conv(u, kernel=1; U3)\n"
        "v = flatten(c)\nd[4] = dense(v; U2)\ns = add(b, d)\ny[1] = dense(s; U4)",
    ],
)
def test_a_matrix_that_reads_rows_of_other_units_elsewhere_adds_no_false_law(text: str) -> None:
    check_laws(Graph.parse(text), complete=False)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x[2]\ny[3] = dense(x; U1, b1)", ["U1·1", "b1·1"]),
        ("x[2]\nz[3] = dense(x; U1)\ny = relu(z)", []),
        ("x[2]\nz[2] = dense(x; U1, b1)\ny = exp(z)", []),
        # The sum runs over positions as well.
        ("x[1×3]\ny[2] = conv(x, kernel=2; U1)", []),
        ("x[1×2]\ny[2] = conv(x, kernel=2; U1)", ["U1·1"]),
        # Two writers of one output.
        ("x[2]\na[2] = dense(x; U1)\nb[2] = dense(x; U2, b2)\ny = add(a, b)", []),
        # An output that another layer reads.
        ("x[2]\ny[2] = dense(x; U1)\nz[1] = dense(y; U2)\noutput y", []),
        ("x[2]\ny[2] = dense(x; U1)\nz[2] = dense(x; U2)\noutput y, z", []),
        ("x[2]\ny[1] = dense(x; U1, b1)", ["θ"]),
    ],
)
def test_sums_under_cross_entropy(text: str, expected: list[str]) -> None:
    """Of what writes an output that nothing else touches; each of them is conserved."""
    fields = GradientFields(Graph.parse(text), zero_sum=True)
    assert [family.text for family in fields.known_laws().families] == expected
    orthogonal(fields)


def test_biases_that_add_up_differ_by_a_constant() -> None:
    text = "x[1]\na[2] = dense(x; U1, b1)\nc[2] = dense(x; U2, b2)\ns = add(a, c)\nr = relu(s)"
    laws = Graph.parse(text).laws()
    assert [family.text for family in laws.families] == ["2·b1 − 2·b2"]


@pytest.mark.parametrize("size", [2, 3, 4, 5])
def test_full_circular_convolutions_keep_their_autocorrelations(size: int) -> None:
    """Held against the product of the kernels as polynomials modulo z^p − 1, by the definition."""
    layer = Convolution(1, (size,), (1,), "circular")
    laws = Layers((1, size), (layer, layer, layer)).laws()
    _, *theta = ring([f"x{i}" for i in range(3 * size)], ZZ)
    total = [theta[0] ** 0, *[0] * (size - 1)]
    for start in (0, size, 2 * size):
        kernel = theta[start : start + size]
        total = [sum(total[t] * kernel[(i - t) % size] for t in range(size)) for i in range(size)]
    fields = [[entry.diff(x) for x in theta] for entry in total]
    polynomials = law_polynomials(laws, theta)
    assert len(polynomials) == 2 * (size // 2 + 1)
    for law in polynomials:
        for field in fields:
            assert sum(law.diff(x) * y for x, y in zip(theta, field, strict=True)) == 0
    point = list(zip(theta, (3, 1, 4, 15, 9, 2, 6, 5, 35, 8, 97, 93, 23, 84, 62), strict=False))
    gradients = [[int(law.diff(x).evaluate(point)) for x in theta] for law in polynomials]
    assert rank(gradients) == len(polynomials)


@pytest.mark.parametrize("text", [*NAMED.values()])
@pytest.mark.parametrize("zero_sum", [False, True])
def test_junctions_hold_all_values_ends_and_laws(text: str, zero_sum: bool) -> None:
    graph = Graph.parse(text)
    found = graph.junctions(zero_sum)
    laws = {each.text for space in found for each in space.families}
    wiring = graph.wiring(zero_sum, skips=True)
    assert laws == {each.text for each in [*wiring.families(), *graph.correlations]}
    assert {name for space in found for name in space.values} == set(graph.shapes)
    matrices = {each.name for each in graph.arrays if len(each.shape) > 1}
    for node in graph.nodes:
        for array in node.parameters:
            assert any(node.name in each.values and array in each.written for each in found)
            assert array not in matrices or any(
                {node.inputs[0]} <= set(each.values) and array in each.read for each in found
            )
