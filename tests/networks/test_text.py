"""The text of a graph, read back; and every fault in one, with its line and column."""

from __future__ import annotations

import pytest
from graphs import FUNCTIONS, NAMED, pruned, random_graphs
from hypothesis import given, settings
from hypothesis import strategies as st

from conslaw_cli.errors import SpecError
from conslaw_cli.families.attention import Attention
from conslaw_cli.families.layers import Branch, Layers
from conslaw_cli.families.mlp import BIASES, MLP
from conslaw_cli.networks.graph import Graph
from conslaw_cli.networks.operations.convolution import Convolution, Pool
from conslaw_cli.networks.operations.dense import Linear
from conslaw_cli.networks.operations.elementwise import Activation
from conslaw_cli.networks.operations.listed import OPERATIONS
from conslaw_cli.networks.operations.reshape import Flat

FAMILIES = [
    *(MLP((2, 3, 2, 1), ("linear", "relu"), bias) for bias in BIASES),
    MLP((3, 2), "relu"),
    Attention(2, 2, 1),
    Layers(
        (2, 6, 6),
        (
            Convolution(4, (3, 3), (2, 2), "same", True),
            Activation("leaky_relu"),
            Branch((Convolution(4, (3, 3), (1, 1), "circular"), Activation("abs"))),
            Pool((2,), (1,)),
            Flat(),
            Branch((Linear(2, True), Branch((Activation("relu"),)), Linear(16))),
            Linear(1),
        ),
    ),
    Layers((1, 5), (Convolution(2, (2,), (1,)), Pool((2,), (2,)), Flat(), Linear(3)), "logistic"),
]


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_graphs_of_families_are_read_back(family: MLP | Layers | Attention) -> None:
    graph = family.fields().graph
    assert Graph.parse(str(graph)) == graph


@settings(max_examples=200, deadline=None)
@given(random_graphs(functions=True))
def test_random_graphs_are_read_back(graph: Graph) -> None:
    for each in (graph, pruned(graph)):
        read = Graph.parse(str(each))
        assert read == each
        assert hash(read) == hash(each)
        assert str(read) == str(each)
        assert (read.shapes, read.arrays) == (each.shapes, each.arrays)


def test_the_text_literally() -> None:
    """Blank lines and blanks are read and not written; a list of one default output is left out."""
    text = """\

  x[ 2×6 ]
u[3]

h1[2]=conv( x , kernel=3;U1,b1 )
h2 = relu(h1|slopes)
  h3[2] = conv(h2, kernel=3, stride=2, padding=circular ; U2)
v = flatten( h3 )
w[3] = dense(v; U3)
s = add(w, u,w)
p = multiply(s, u)
frozen  U3 , U1
output p
""".replace("[ 2×6 ]", "[2x6]")
    assert str(Graph.parse(text)) == "\n".join(
        [
            "x[2×6]",
            "u[3]",
            "h1[2] = conv(x, kernel=3; U1, b1)",
            "h2 = relu(h1 | slopes)",
            "h3[2] = conv(h2, kernel=3, stride=2, padding=circular; U2)",
            "v = flatten(h3)",
            "w[3] = dense(v; U3)",
            "s = add(w, u, w)",
            "p = multiply(s, u)",
            "frozen U1, U3",
        ]
    )


@pytest.mark.parametrize("text", [*NAMED.values(), *FUNCTIONS.values()])
def test_what_is_written_is_what_was_read(text: str) -> None:
    graph = Graph.parse(text)
    written = str(graph).split("\n")
    assert all(line in text.split("\n") for line in written)
    assert len(written) in (text.count("\n"), text.count("\n") + 1)


FAULTS = {
    "nothing": ("", "1:1: expected an input and a node"),
    "no node": ("x[2]\n", "1:1: expected an input and a node"),
    "no input": ("h = relu(x)", "1:1: x is no value given before"),
    "no line": (
        "x[2]\n\n   hello world",
        "3:4: expected x[3], h[4] = dense(x; U1), frozen U1 or output h, got 'hello world'",
    ),
    "four sizes": (
        "x[1×2×3×4]\nh = relu(x)",
        "1:1: expected an input of one to three sizes, before all nodes",
    ),
    "no size": (
        "x[2××3]\nh = relu(x)",
        "1:1: expected an input of one to three sizes, before all nodes",
    ),
    "a long size": (
        "x[123456789]\nh = relu(x)",
        "1:1: expected an input of one to three sizes, before all nodes",
    ),
    "an input behind a node": (
        "x[2]\nh = relu(x)\n u[2]",
        "3:2: expected an input of one to three sizes, before all nodes",
    ),
    "a size of zero": ("x[2×0]\nh = relu(x)", "1:1: expected positive sizes, got 2×0"),
    "an input twice": ("x[2]\nx[2]\nh = relu(x)", "2:1: x is given twice"),
    "a node called as an input": ("x[2]\n  x = relu(x)", "2:3: x is given twice"),
    "a node twice": ("x[2]\nh = relu(x)\nh = relu(x)", "3:1: h is given twice"),
    "an unknown operation": (
        "x[2]\nh = dens(x; U)",
        "2:1: expected an operation, got 'dens' (did you mean dense?)",
    ),
    "an inner operation": (
        "x[2×3]\nh = windows(x)",
        "2:1: windows: is made from others, not written",
    ),
    "an unknown value": (
        "x[2]\nh = relu(g)\ng = relu(x)",
        "2:1: g is no value given before",
    ),
    "an unknown option": (
        "x[2]\nh[2] = dense(x, kernel=3; U)",
        "2:1: unknown option 'kernel': it has none",
    ),
    "an unknown option of several": (
        "x[2×3]\nh[2] = conv(x, kernel=3, size=2; U)",
        "2:1: unknown option 'size': expected kernel, stride, padding, dilation, groups",
    ),
    "a wrong option": (
        "x[2×3]\nh[2] = conv(x, kernel=a; U)",
        "2:1: kernel: expected sizes such as 3 or 3×3, got 'a'",
    ),
    "no kernel": (
        "x[2×3]\nh[2] = conv(x; U)",
        "2:1: conv: expected channels and a kernel, as in h[8] = conv(x, kernel=3)",
    ),
    "a wrong padding": (
        "x[2×3]\nh[2] = conv(x, kernel=3, padding=sam; U)",
        "2:1: padding: expected one of valid, same, circular, got 'sam' (did you mean same?)",
    ),
    "no units": (
        "x[2]\nh = dense(x; U)",
        "2:1: dense: expected its units, as in h[4] = dense(x; U1)",
    ),
    "no unit": (
        "x[2]\nh[0] = dense(x; U)",
        "2:1: units: expected an integer from 1 to 1000000000, got 0",
    ),
    "no array": (
        "x[2]\nh[2] = dense(x)",
        "2:1: dense: expected a matrix, or a matrix and a bias, got 0",
    ),
    "three arrays": (
        "x[2×3]\nh[2] = conv(x, kernel=1; U, b, c)",
        "2:1: conv: expected a matrix, or a matrix and a bias, got 3",
    ),
    "too few inputs": ("x[2]\nh = multiply(x)", "2:1: multiply: expected 2 inputs, got 1"),
    "too many inputs": ("x[2]\nh = relu(x, x)", "2:1: relu: expected 1 inputs, got 2"),
    "no inputs": ("x[2]\nh = add()", "2:1: add: expected inputs, and no units of its own"),
    "units of its own": (
        "x[2]\nh[2] = relu(x)",
        "2:1: relu: expected inputs, and no units of its own",
    ),
    "what does not fit": (
        "x[2×3]\nh[2] = dense(x; U)",
        "2:1: dense: expected a vector, got 2×3; put flatten before it",
    ),
    "different shapes": (
        "x[2]\nu[3]\nh = add(x, u)",
        "3:1: add: expected equal shapes, got 2, 3",
    ),
    "an array of two shapes": (
        "x[2]\nh[2] = dense(x; U)\ng[3] = dense(h; U)",
        "3:1: U is 2×2, but dense needs 2×3",
    ),
    "an array that is its own bias": (
        "x[2]\nh[2] = dense(x; U, U)",
        "2:1: U is 2×2, but dense needs 2",
    ),
    "two lists": (
        "x[2]\nh = relu(x)\noutput h\n output h",
        "4:2: output: is given twice",
    ),
    "an output that is none": ("x[2]\nh = relu(x)\noutput h, g", "3:1: g is no node"),
    "an input as output": ("x[2]\nh = relu(x)\noutput x", "3:1: x is no node"),
    "a frozen value": ("x[2]\nfrozen h\nh[2] = dense(x; U)", "2:1: h is no array"),
}


@pytest.mark.parametrize(("text", "message"), FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_is_named_with_its_place(text: str, message: str) -> None:
    with pytest.raises(SpecError) as fault:
        Graph.parse(text)
    assert str(fault.value) == message


UNNAMED = {
    "an array of an operation that has none": "x[3]\nh = relu(x; U1)",
    "arrays of a sum": "x[3]\nh = add(x, x; U1)",
    "arrays of a pool": "x[1×3]\nh = avg_pool(x, kernel=2; U1)",
    "one state of two shapes": "x[2]\nr = relu(x | s)\ng[3] = dense(r; U1)\nk = relu(g | s)",
    "a state of an operation that has none": "x[2]\nh = add(x, x | s)",
    "a number of many digits": f"x[2]\nh[{'1' * 5000}] = dense(x; U1)",
    "arrays twice": "x[2]\nh[2] = dense(x; ;U1)",
    "an option twice": "x[2×3]\nh[2] = conv(x, kernel=2, kernel=3; U1)",
    "a dense layer at every position": "x[2×3]\nh[2] = pointwise(x; U1)",
}


@pytest.mark.parametrize("text", UNNAMED.values(), ids=UNNAMED.keys())
def test_what_is_no_graph_is_refused(text: str) -> None:
    """At the last line."""
    with pytest.raises(SpecError, match=rf"^{text.count(chr(10)) + 1}:1: "):
        Graph.parse(text)


MUTATIONS = [*"[](),;|=× \nx0h", "frozen ", "output ", "relu", "U1", "kernel=2", "²"]


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([*NAMED.values(), *FUNCTIONS.values()]),
    st.lists(
        st.tuples(st.integers(0, 200), st.integers(0, 3), st.sampled_from(MUTATIONS)), max_size=3
    ),
)
def test_any_text_is_a_graph_or_a_fault_with_a_place(
    text: str, edits: list[tuple[int, int, str]]
) -> None:
    for place, cut, put in edits:
        text = text[: place % len(text)] + put + text[place % len(text) + cut :]
    try:
        graph = Graph.parse(text)
    except SpecError as fault:
        line, column, _ = str(fault).split(":", 2)
        assert 1 <= int(line) <= max(1, len(text.splitlines()))
        assert int(column) >= 1
    else:
        assert Graph.parse(str(graph)) == graph
        assert graph.probe_size > 0


def test_every_operation_that_is_not_inner_has_a_word() -> None:
    for kind in OPERATIONS:
        for operation, shapes in kind.examples():
            if kind.inner:
                continue
            names = [f"x{i}" for i in range(len(shapes))]
            arrays = [name for name, _ in operation.parameters(*shapes)]
            options = [f"{key}={value}" for key, value in operation.options().items()]
            lines = [
                f"{name}[{'×'.join(map(str, shape))}]"
                for name, shape in zip(names, shapes, strict=True)
            ]
            opened = "" if operation.opened is None else f"[{operation.opened}]"
            inside = ", ".join([*names, *options]) + "".join(
                ["; ", ", ".join(arrays)] * bool(arrays)
            )
            lines.append(f"y{opened} = {operation.word}({inside})")
            graph = Graph.parse("\n".join(lines))
            assert graph.nodes[0].operation == operation
            assert str(graph) == "\n".join(lines)
