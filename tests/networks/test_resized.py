"""Graphs of other sizes, against their texts with other numbers."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest
from graphs import NAMED, random_graphs
from hypothesis import given, settings
from hypothesis import strategies as st

from conslaw_cli.errors import SpecError
from conslaw_cli.networks.graph import Graph

OPENED = re.compile(r"^(\w+)\[(\d+)", re.MULTILINE)
GROUPS = re.compile(r"groups=(\d+)")


def renumbered(text: str, sizes: dict[str, int]) -> str:
    """Return a text with other numbers of units; groups have as many as before."""
    lines = []
    for line in text.splitlines():
        found, groups = OPENED.match(line), GROUPS.search(line)
        if found and found[1] in sizes:
            units = sizes[found[1]]
            line = line.replace(f"[{found[2]}", f"[{units}", 1)
            if groups:
                share = Fraction(units * int(groups[1]), int(found[2]))
                line = GROUPS.sub(f"groups={share}", line)  # 3/2 is no number of groups
        lines.append(line)
    return "\n".join(lines)


@settings(max_examples=200, deadline=None)
@given(random_graphs(functions=True), st.data())
def test_a_resized_graph_is_that_of_the_text_with_other_numbers(
    graph: Graph, data: st.DataObject
) -> None:
    """Where the text is none, the sizes are refused; sizes that a graph has change nothing."""
    before = {name: int(units) for name, units in OPENED.findall(str(graph))}
    assert graph.resized(before) == graph.resized({}) == graph
    chosen = st.dictionaries(st.sampled_from(sorted(before)), st.integers(1, 3))
    alike = st.integers(1, 5).map(lambda units: dict.fromkeys(before, units))
    sizes = data.draw(chosen | alike)
    try:
        expected = Graph.parse(renumbered(str(graph), sizes))
    except SpecError:
        with pytest.raises(SpecError):
            graph.resized(sizes)
        return
    resized = graph.resized(sizes)
    assert resized == expected
    assert (resized.shapes, resized.arrays) == (expected.shapes, expected.arrays)
    if str(graph).count("groups=") == str(resized).count("groups="):  # one group is none
        assert resized.resized({name: before[name] for name in sizes}) == graph


def test_groups_are_as_many_as_before_in_size() -> None:
    """Each has two channels that are read and three that are written."""
    text = "x[3×2]\nh[4] = conv(x, kernel=1; U1)\ny[6] = conv(h, kernel=2, groups=2; U2)"
    graph = Graph.parse(text)
    wider = graph.resized({"h": 10, "y": 15})
    assert [array.shape for array in wider.arrays] == [(3, 10), (5, 2, 2, 3)]
    assert [array.shape for array in graph.resized({"h": 2, "y": 3}).arrays] == [(3, 2), (2, 2, 3)]
    with pytest.raises(SpecError, match="y: expected a multiple of 3, the channels of a group"):
        graph.resized({"h": 4, "y": 8})


def test_all_that_follows_from_a_size_follows() -> None:
    """Channels of a convolution become entries of a vector; a residual stream is one space."""
    images = Graph.parse(NAMED["images"])
    assert images.shapes["v"] == (4,)
    resized = images.resized({"x": 3, "c": 5, "d": 5})
    assert (resized.shapes["v"], resized.shapes["p"]) == ((10,), (5, 2))
    assert {array.name: array.shape for array in resized.arrays} == {
        "U1": (3, 2, 5),
        "b1": (5,),
        "U2": (5, 5),
        "U3": (10, 1),
    }
    stream = Graph.parse(NAMED["residual stream"]).resized({"h": 4, "b": 4})
    assert stream.dimension == 2 * 4 + 4 * 2 + 2 * 4 + 4 * 1


@pytest.mark.parametrize(
    ("name", "sizes", "message"),
    [
        ("residual stream", {"r": 3}, "space: 'r' opens none"),
        ("residual stream", {"hh": 3}, "space: 'hh' opens none (did you mean h?)"),
        ("residual stream", {"U1": 3}, "space: 'U1' opens none"),
        ("residual stream", {"h": 3}, "s: add: expected equal shapes, got 3, 2"),
        ("one array twice", {"g": 3}, "g: U1 is 2×2, but dense needs 2×3"),
        ("shared gates", {"b": 3}, "q: s is a state of 2×1, but abs needs 3×1"),
        ("chain", {"h": 0}, "h: expected an integer from 1 to 1000000000, got 0"),
        ("chain", {"x": 2.0}, "x: expected an integer from 1 to 1000000000, got 2.0"),
    ],
)
def test_what_fits_no_graph_is_refused(name: str, sizes: dict[str, int], message: str) -> None:
    with pytest.raises(SpecError) as fault:
        Graph.parse(NAMED[name]).resized(sizes)
    assert str(fault.value) == message
