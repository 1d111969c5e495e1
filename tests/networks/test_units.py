"""The units that parameters join, and what is left of fields where strands are separate."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from graphs import random_graphs
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from conslaw_cli.algebra.field import Array, PrimeField
from conslaw_cli.algebra.rings import Residues
from conslaw_cli.networks.gradients import GradientFields
from conslaw_cli.networks.graph import Graph
from conslaw_cli.networks.units import Ends, Units

FIELD = PrimeField(8388593)


def gradient(graph: Graph, theta: Array, inputs: Array, outputs: Array) -> Array:
    """Return ``∇_θ F`` with all gates open."""
    probe = np.concatenate([inputs, np.ones(graph.state_size), outputs])
    found = GradientFields(graph).gradient(Residues(FIELD), theta[None], probe[None])
    return FIELD.reduce(found[0].copy())


def thawed(graph: Graph) -> Graph:
    """Return the graph with all its arrays trained."""
    return replace(graph, frozen=frozenset())


@settings(deadline=None, max_examples=60)
@given(random_graphs().map(thawed), st.randoms(use_true_random=False))
def test_fields_of_some_strands_are_those_of_their_network(graph: Graph, random: Any) -> None:
    """Units of all spaces are inside or outside, the constant and one of each space inside. At a
    point whose parameters between the two are zero, for inputs and output weights that are zero
    outside, a field has no component but inside, and is there that of the smaller network.
    """
    assume(graph.dimension and all(step.operation.separating for step in graph.steps))
    units, draw = Units.of(graph), np.random.default_rng(random.randrange(2**32))
    inside = [np.append(True, draw.random(n - 1) < 0.5) for n in units.sizes]
    read, written = units.ends(graph, [each.astype(np.intp) for each in inside])
    ends = units.probes(graph, [each.astype(np.intp) for each in inside])
    theta = np.where(read == written, FIELD.random(draw, (graph.dimension,)), 0)
    x, w = (np.where(end, FIELD.random(draw, end.shape), 0) for end in ends)
    found = gradient(graph, theta, x, w)
    both: NDArray[np.bool_] = (read == 1) & (written == 1)
    assert not found[~both].any()
    small = units.resized(graph, tuple(int(each.sum()) for each in inside))
    alone = gradient(small, theta[both], x[ends[0] == 1], w[ends[1] == 1])
    assert np.array_equal(found[both], alone)


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        ("x[3]\nh[4] = dense(x; U1, b1)\ny[2] = dense(h; U2)", (3, 4, 2, 1)),
        (
            "x[3]\nh[4] = dense(x; U1)\nb[4] = dense(h; U2)\ns = add(h, b)\ny[2] = dense(s; U3)",
            (3, 4, 2),
        ),
        ("x[4]\nb[4] = dense(x; U1)\ns = add(x, b)", (4,)),
        ("x[2]\na[3] = dense(x; U1)\nb[3] = dense(x; U2)\nh = multiply(a, b)", (2, 3)),
        ("x[2×3]\nv = flatten(x)\nb[6] = dense(v; U1)\ns = add(v, b)", (2,)),
        (
            "x[2]\na[3] = dense(x; U1)\nb[3] = dense(x; U2)\nr = relu(a | s)\n"
            "q = relu(b | s)\noutput r, q",
            (2, 3),
        ),
        ("x[2]\na[2] = dense(x; U1)\nb[2] = dense(a; U1)", (2,)),
        ("x[4×2]\ny[6] = conv(x, kernel=1, groups=2; U1, b1)", (2, 1)),
        ("x[4×2]\ny[4] = conv(x, kernel=1, groups=2; U1)\ns = add(x, y)", (2,)),
        (
            "x[6×2]\na[6] = conv(x, kernel=1, groups=2; U1)\n"
            "b[6] = conv(x, kernel=1, groups=3; U2)",
            (1,),
        ),
        (
            "x[8×2]\na[4] = conv(x, kernel=1, groups=4; U1)\n"
            "b[2] = conv(x, kernel=2, groups=2; U2)",
            (2,),
        ),
        (
            "x[4×2]\na[4] = conv(x, kernel=1, groups=4; U1)\n"
            "b[4] = conv(a, kernel=1, groups=2; U2)\nh[3] = conv(b, kernel=1; U3)",
            (2, 3),
        ),
        (
            "x[4×1]\na[4] = conv(x, kernel=1, groups=2; U1)\n"
            "b[4] = conv(a, kernel=1, groups=2; U1)",
            (2,),
        ),
    ],
)
def test_values_that_are_added_multiplied_or_gated_alike_have_the_same_units(
    text: str, sizes: tuple[int, ...]
) -> None:
    assert Units.of(Graph.parse(text)).sizes == sizes


def test_rows_that_belong_together_in_two_ways_are_one_unit() -> None:
    """Of six rows, two and three beside each other are one unit: all six are."""
    text = "x[3×2]\nu[2×3]\nv = flatten(x)\nw = flatten(u)\ns = add(v, w)\ny[1] = dense(s; U1)"
    units = Units.of(Graph.parse(text))
    assert units.sizes == (1, 1)
    assert dict(units.openers[0]) == {"x": 3, "u": 2}


def test_parameters_of_groups_join_units_to_themselves() -> None:
    """Two groups of two channels that are read, and one that is written, by two taps, of units 7
    and 9; biases are read from the constant, 1.
    """
    graph = Graph.parse("x[4×3]\ny[2] = conv(x, kernel=2, groups=2; U1, b1)")
    units = Units.of(graph)
    (kernels, bias), labels = units.weights(graph), [np.array([7, 9]), np.array([1])]
    assert kernels == (Ends(0, 0, within=True), 4)
    assert bias == (Ends(1, 0), 1)
    ends = units.ends(graph, labels)
    assert ends.tolist() == [[7] * 4 + [9] * 4 + [1, 1], [7] * 4 + [9] * 4 + [7, 9]]
    one = units.resized(graph, (1, 1))
    assert units.ends(one, [np.array([7]), np.array([1])]).tolist() == [[7] * 4 + [1], [7] * 5]
    assert Units.of_rows(graph).sizes == (4, 2, 1)
