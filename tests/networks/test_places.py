"""Views of networks on some places, against the networks themselves at probes that are zero
elsewhere.
"""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from graphs import NAMED, random_graphs
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from conslaw_cli.algebra.rings import Exact
from conslaw_cli.networks.graph import Graph
from conslaw_cli.networks.operation import Flags, Shape
from conslaw_cli.networks.places import Live, View, live, on_some_places, restrictable, view

Floats = NDArray[np.float64]
NETWORKS = {
    "padding, strides, dilation": (
        "x[2×5×5]\na[2] = conv(x, kernel=3×3, stride=2×1, padding=same; U1)\nr = relu(a)\n"
        "b[1] = conv(r, kernel=2×2, dilation=1×2, padding=circular; U2, b2)\n"
        "p = avg_pool(b, kernel=2, stride=1)\nf = flatten(p)\ny[2] = dense(f; U3, b3)"
    ),
    "a stream with gates": (
        "x[1×6]\na[2] = conv(x, kernel=3, padding=same; U1)\nr = relu(a)\n"
        "b[2] = conv(r, kernel=3, padding=same; U2)\ns = add(a, b)\nm = multiply(s, r)\n"
        "f = flatten(m)\ng = relu(f)\nq = power(g, k=2)\ny[1] = dense(q; U3)"
    ),
    "groups, transposed": (
        "x[2×4]\na[4] = conv(x, kernel=2, groups=2; U1)\nr = relu(a)\n"
        "t[2] = conv_transpose(r, kernel=3, stride=2; U2)\nf = flatten(t)\ny[1] = dense(f; U3)"
    ),
    "two images, two outputs": (
        "x[1×4]\nu[1×4]\na[2] = conv(x, kernel=2, padding=same; U1)\n"
        "b[2] = conv(u, kernel=3, padding=same; U2)\ns = add(a, b)\nf = flatten(s)\n"
        "y[1] = dense(f; U3)\noutput s, y"
    ),
}


def drawn(graph: Graph, random: Random) -> Live | None:
    """Cut inputs and gated values off at random."""

    def cut(place: int, shape: Shape, made: Flags) -> Flags:
        kept: Flags = made & np.array([random.random() < 0.6 for _ in made])
        return kept

    return live(graph, cut)


def entries(at: Live, place: int, shape: Shape) -> Flags:
    """Return which entries of an input, a state or an output are live."""
    units = shape[0] * shape[1] // len(at.places[place])
    return np.tile(at.places[place], units)


def probe_entries(graph: Graph, at: Live) -> Flags:
    """Return which entries of a probe are those of the view."""
    plan = graph.plan
    kept = [entries(at, i, part.shape) for i, part in enumerate(plan.inputs)]
    kept += [
        entries(at, step.output, step.state.shape) for step in plan.steps if step.state is not None
    ]
    kept += [entries(at, place, part.shape) for place, part in plan.outputs]
    return np.concatenate(kept)


def theta_entries(graph: Graph, seen: View) -> Flags:
    """Return which parameters are those of the view."""
    parts = []
    for array in graph.arrays:
        flags = np.ones((1, 1, array.size), bool)
        if array.name in seen.slots:
            slots = seen.slots[array.name]
            rows = array.size // array.shape[-1] // len(slots)
            flags = np.broadcast_to(slots[None, :, None], (rows, len(slots), array.shape[-1]))
        parts.append(flags.ravel())
    return np.concatenate(parts)


def gradients(graph: Graph, theta: Floats, probe: Floats) -> Floats:
    inside, weights = probe[:, : graph.plan.drawn], probe[:, graph.plan.drawn :]
    found: Floats = graph.gradient(Exact(), theta, inside, weights)
    return found


def check(graph: Graph, seed: int) -> bool:
    """Whether some view of a graph has places everywhere; its gradients are the graph's then."""
    at = drawn(graph, Random(seed))
    if at is None or (seen := view(graph, at)) is None:
        return False
    rng = np.random.default_rng(seed)
    of_probe, of_theta = probe_entries(graph, at), theta_entries(graph, seen)
    theta = rng.integers(-3, 4, (1, graph.dimension)).astype(np.float64)
    probe = rng.integers(-3, 4, (4, graph.probe_size)).astype(np.float64) * of_probe
    assert (of_probe.sum(), of_theta.sum()) == (seen.graph.probe_size, seen.graph.dimension)
    whole = gradients(graph, theta, probe)
    part = gradients(seen.graph, theta[:, of_theta], probe[:, of_probe])
    np.testing.assert_allclose(whole[:, of_theta], part, atol=1e-9)
    assert not whole[:, ~of_theta].any()
    return True


@pytest.mark.parametrize("name", NETWORKS)
def test_a_view_has_the_gradients_of_the_network_at_its_probes(name: str) -> None:
    graph = Graph.parse(NETWORKS[name])
    assert restrictable(graph)
    assert sum(check(graph, seed) for seed in range(40)) > 5


@given(random_graphs(), st.integers(0, 10**6))
@settings(max_examples=200)
def test_views_of_random_graphs(graph: Graph, seed: int) -> None:
    if graph.arrays and restrictable(graph):
        check(graph, seed)


def test_a_linear_convolution_spreads_and_a_gate_cuts_off() -> None:
    graph = Graph.parse(
        "x[1×9]\na[2] = conv(x, kernel=3, padding=same; U1)\nr = relu(a)\n"
        "b[2] = conv(r, kernel=3, padding=same; U2)\nf = flatten(b)\ny[1] = dense(f; U3)"
    )
    middle = np.arange(9) == 4
    at = live(graph, lambda place, shape, made: made & middle)
    assert at is not None
    seen = view(graph, at)
    assert seen is not None
    assert on_some_places(seen.graph)
    found = {name: np.flatnonzero(flags).tolist() for name, flags in seen.slots.items()}
    assert found == {"U1": [1], "U2": [0, 1, 2], "U3": [3, 4, 5]}
    assert seen.graph.dimension == 2 + 2 * 3 * 2 + 2 * 3
    other = at.at("U3", np.arange(9) == 3)  # not what these probes see, but what has its laws
    fewer = view(graph, other)
    assert fewer is not None
    assert fewer.graph.dimension == 2 + 2 * 3 * 2 + 2


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (NAMED["chain"], "no windows"),
        ("x[1×4]\na[1] = conv(x, kernel=2; U1)\nb[1] = conv(a, kernel=2; U1)", "one array twice"),
        ("x[1×4]\na[1] = conv(x, kernel=2; U1)\nb = exp(a)", "exp(0) is not 0"),
        ("x[1×4]\na[1] = conv(x, kernel=2; U1)\nfrozen U1", "a frozen array"),
        ("x[1×4]\na[2] = conv(x, kernel=2; U1)\nr = relu(a | s)\nq = abs(r | s)", "one state"),
    ],
)
def test_what_has_no_views(text: str, what: str) -> None:
    assert not restrictable(Graph.parse(text)), what
