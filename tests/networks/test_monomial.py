"""Networks whose paths are known by their gates, and others."""

from __future__ import annotations

import pytest
from graphs import Given
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conslaw_cli.errors import SpecError
from conslaw_cli.lie import count
from conslaw_cli.lie.count import count_laws
from conslaw_cli.lie.theorems import THEOREMS
from conslaw_cli.networks.graph import Graph
from conslaw_cli.networks.monomial import hidden_units

X = "x[1×4]\nc[2] = conv(x, kernel=2; U1)\nr = relu(c)\n"
MONOMIAL = {
    "convolutions": X
    + "d[2] = conv(r, kernel=2; U2, b2)\nq = relu(d)\nv = flatten(q)\ny[1] = dense(v; U3)",
    "pools apart": X
    + "p = avg_pool(r, kernel=2)\nd[1] = conv(p, kernel=1; U2)\nq = relu(d)\ny = flatten(q)",
    "groups": (
        X + "g[4] = conv(r, kernel=2, groups=2; U2, b2)\nq = relu(g)\nv = flatten(q)\n"
        "y[1] = dense(v; U3)"
    ),
    "taps that are apart": (
        "x[1×5]\nc[2] = conv(x, kernel=3, padding=same, dilation=2; U1)\nr = relu(c)\n"
        "v = flatten(r)\ny[1] = dense(v; U2)"
    ),
    "taps that hang together, none everywhere": (
        "x[1×5]\nc[2] = conv(x, kernel=2, padding=same, dilation=2; U1)\nr = relu(c)\n"
        "v = flatten(r)\ny[1] = dense(v; U2)"
    ),
    "transposed, taps that hang together": (
        "x[1×3]\nc[2] = conv_transpose(x, kernel=3, stride=1; U1)\nr = relu(c)\n"
        "d[1] = conv(r, kernel=2; U2)\nq = relu(d)\nv = flatten(q)\ny[1] = dense(v; U3)"
    ),
    "transposed, one tap everywhere": (
        "x[1×3]\nc[2] = conv_transpose(x, kernel=3, padding=1; U1)\nr = relu(c)\n"
        "v = flatten(r)\ny[1] = dense(v; U2)"
    ),
    "pools that overlap, before taps": (
        "x[1×8]\nc[2] = conv(x, kernel=2; U1)\nr = relu(c)\np = avg_pool(r, kernel=3, stride=2)\n"
        "d[2] = conv(p, kernel=2; U2, b2)\nq = relu(d)\nv = flatten(q)\ny[1] = dense(v; U3)"
    ),
    "pools that overlap, on the input": (
        "x[2×5]\np = avg_pool(x, kernel=3, stride=2)\nc[2] = conv(p, kernel=2; U1)\nr = relu(c)\n"
        "v = flatten(r)\ny[1] = dense(v; U2)"
    ),
    "pools that overlap": (
        X + "p = avg_pool(r, kernel=2, stride=1)\nv = flatten(p)\ny[1] = dense(v; U2)"
    ),
    "pools that overlap, at the end": X + "p = avg_pool(r, kernel=2, stride=1)\ny = flatten(p)",
    "a branch with gates": (
        "x[2]\nh[2] = dense(x; U1)\ng = relu(h)\nz[3] = dense(g; U2)\nr = relu(z)\n"
        "b[2] = dense(r; U3)\ns = add(g, b)\nq = relu(s)\ny[1] = dense(q; U4)"
    ),
    "a projection beside a branch": (
        "x[2]\nh[2] = dense(x; U1)\ng = relu(h)\nz[2] = dense(g; U2)\nr = relu(z)\n"
        "b[3] = dense(r; U3)\np[3] = dense(g; U4)\ns = add(p, b)\nq = relu(s)\ny[1] = dense(q; U5)"
    ),
}
OTHERS = {
    "two layers without gates": "x[2]\nh[2] = dense(x; U1)\ny[2] = dense(h; U2)",
    "a branch without gates": (
        "x[2]\nh[2] = dense(x; U1)\ng = relu(h)\nb[2] = dense(g; U2)\ns = add(g, b)\n"
        "q = relu(s)\ny[1] = dense(q; U3)"
    ),
    "a sum without gates": (
        "x[2]\nh[2] = dense(x; U1)\ng = relu(h)\nz[2] = dense(g; U2)\nr = relu(z)\n"
        "b[2] = dense(r; U3)\ns = add(g, b)\ny[1] = dense(s; U4)"
    ),
    "pools without a position of their own": (
        "x[1×6]\nc[2] = conv(x, kernel=2; U1)\nr = relu(c)\np = avg_pool(r, kernel=3, stride=1)\n"
        "v = flatten(p)\ny[1] = dense(v; U2)"
    ),
    "a kernel that goes around twice": (
        "x[1×2]\nc[2] = conv(x, kernel=3, padding=circular; U1)\nr = relu(c)\nv = flatten(r)\n"
        "y[1] = dense(v; U2)"
    ),
    "taps that meet around a circle": (
        "x[1×4]\nc[2] = conv(x, kernel=3, padding=circular, dilation=2; U1)\nr = relu(c)\n"
        "v = flatten(r)\ny[1] = dense(v; U2)"
    ),
    "no tap that all places have": (
        "x[1×2]\nc[2] = conv_transpose(x, kernel=2, stride=2; U1)\nr = relu(c)\n"
        "v = flatten(r)\ny[1] = dense(v; U2)"
    ),
    "places that hang together by one that nothing reads": (
        "x[1×4]\nc[2] = conv(x, kernel=2, dilation=3, padding=same; U1)\nr = relu(c)\n"
        "d[1] = conv(r, kernel=1, stride=2; U2)\nq = relu(d)\nv = flatten(q)\ny[1] = dense(v; U3)"
    ),
    "a pool that overlaps, beside another reader": (
        "x[1×8]\nc[2] = conv(x, kernel=2; U1)\nr = relu(c)\np = avg_pool(r, kernel=3, stride=2)\n"
        "d[2] = conv(p, kernel=2; U2)\nq = relu(d)\ne[2] = conv(r, kernel=6; U4)\n"
        "t = relu(e)\nh = add(q, t)\nv = flatten(h)\ny[1] = dense(v; U3)"
    ),
    "biases that add up": (
        "x[2]\na[2] = dense(x; U1, b1)\nc[2] = dense(x; U2, b2)\ns = add(a, c)\nr = relu(s)\n"
        "y[1] = dense(r; U3)"
    ),
    "a shared array": (
        "x[2]\na[2] = dense(x; U1)\nr = relu(a)\nb[2] = dense(r; U1)\nq = relu(b)\n"
        "y[1] = dense(q; U2)"
    ),
    "shared gates": (
        "x[2]\na[2] = dense(x; U1)\nb[2] = dense(x; U2)\nr = relu(a | s)\nq = relu(b | s)\n"
        "h = add(r, q)\ny[1] = dense(h; U3)"
    ),
    "a tap that reads nothing": (
        "x[1×1]\nc[2] = conv(x, kernel=3, padding=same; U1)\nr = relu(c)\nv = flatten(r)\n"
        "y[1] = dense(v; U2)"
    ),
    "a weight that reaches no output": (
        "x[2]\na[2] = dense(x; U1)\nr = relu(a)\nd[1] = dense(r; U2)\ny[1] = dense(r; U3)\noutput y"
    ),
}


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Count without the theorem on paths."""
    others = tuple(each for each in THEOREMS if each.name != "paths")
    monkeypatch.setattr(count, "THEOREMS", others)


def check(graph: Graph) -> None:
    """One law a hidden unit, and fields that need no brackets."""
    units, row = hidden_units(graph), count_laws(Given(graph))
    assert units is not None
    assert row.laws == units
    assert row.trace is not None
    assert row.trace.dimensions[0] == graph.dimension - units


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("name", MONOMIAL)
def test_a_monomial_map_has_one_law_a_hidden_unit_and_its_fields_need_no_brackets(
    name: str,
) -> None:
    check(Graph.parse(MONOMIAL[name]))


@st.composite
def stacks(draw: st.DrawFn) -> Graph:
    """Draw windows of all kinds over a line, most of them with gates behind them."""
    lines = [f"x[{draw(st.integers(1, 2))}×{draw(st.integers(2, 6))}]"]
    value, few = "x", st.integers(1, 3)
    for i in range(1, draw(st.integers(2, 4))):
        stride = draw(st.integers(1, 2))
        lines.append(
            draw(
                st.sampled_from(
                    [
                        f"c{i}[2] = conv({value}, kernel={draw(few)}, padding=same; U{i}, b{i})",
                        f"c{i}[2] = conv({value}, kernel=2, dilation={draw(few)}; U{i})",
                        f"c{i}[2] = conv({value}, kernel=2, stride={stride},"
                        f" padding=same, dilation={draw(few)}; U{i})",
                        f"c{i}[1] = conv({value}, kernel={draw(few)}, padding=circular; U{i})",
                        f"c{i}[1] = conv_transpose({value}, kernel=2, stride={draw(few)}; U{i})",
                        f"c{i} = avg_pool({value}, kernel={draw(few)}, stride={draw(few)})",
                    ]
                )
            )
        )
        value = f"c{i}"
        if draw(st.integers(0, 5)):
            lines.append(f"r{i} = relu({value})")
            value = f"r{i}"
    head = draw(st.sampled_from(["", f"\nv = flatten({value})\ny[1] = dense(v; U)"]))
    try:
        graph = Graph.parse("\n".join(lines) + head)
        graph.plan  # noqa: B018  # the shapes of its pieces are found here
    except SpecError:
        return draw(st.nothing())
    return graph


@pytest.mark.usefixtures("engine")
@given(stacks().filter(lambda graph: bool(hidden_units(graph))))
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.function_scoped_fixture],
)
def test_so_it_is_for_any_graph(graph: Graph) -> None:
    check(graph)


@pytest.mark.parametrize("name", OTHERS)
def test_others_are_not_taken_for_monomial(name: str) -> None:
    assert hidden_units(Graph.parse(OTHERS[name])) is None
