"""Small graphs of operations: random ones, and some that are known by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from hypothesis import strategies as st

from conslaw_cli.networks.graph import Graph
from conslaw_cli.networks.operation import Input, Node, Operation, Shape, ShapeError
from conslaw_cli.networks.operations.convolution import (
    Convolution,
    Pool,
    TransposedConvolution,
)
from conslaw_cli.networks.operations.dense import Linear
from conslaw_cli.networks.operations.elementwise import Activation, Exp, Power, Smooth
from conslaw_cli.networks.operations.product import Add, Multiply
from conslaw_cli.networks.operations.reshape import Flat
from conslaw_cli.networks.wired import Wired

FUNCTIONS: dict[str, str] = {
    "exponential": "x[2]\nz[2] = dense(x; U1, b1)\nh = exp(z)\ny[2] = dense(h; U2)",
    "exponential without bias": "x[2]\nz[2] = dense(x; U1)\nh = exp(z)\ny[2] = dense(h; U2)",
    "smooth GLU": (
        "x[2]\na[2] = dense(x; U1, b1)\nb[2] = dense(x; U2)\ng = smooth(a)\n"
        "h = multiply(g, b)\ny[2] = dense(h; U3)"
    ),
    "exponential GLU": (
        "x[2]\na[2] = dense(x; U1, b1)\nb[2] = dense(x; U2)\ng = exp(a)\n"
        "h = multiply(g, b)\nq = power(h, k=2)\ny[2] = dense(q; U3)"
    ),
    "smooth residual stream": (
        "x[2]\nh[2] = dense(x; U1)\nz[2] = dense(h; U2)\nr = smooth(z)\nb[2] = dense(r; U3)\n"
        "s = add(h, b)\ny[1] = dense(s; U4)"
    ),
}
NAMED: dict[str, str] = {
    "powers": "x[2]\nz[2] = dense(x; U1)\nh = power(z, k=3)\nq = power(h, k=2)\ny[1] = dense(q; U)",
    "chain": "x[2]\nh[2] = dense(x; U1)\ny[2] = dense(h; U2)",
    "chain with biases": (
        "x[2]\nz[2] = dense(x; U1, b1)\nh = relu(z)\ng[3] = dense(h; U2, b2)\ny[1] = dense(g; U3)"
    ),
    "residual stream": (
        "x[2]\nh[2] = dense(x; U1)\nz[2] = dense(h; U2)\nr = relu(z)\nb[2] = dense(r; U3)\n"
        "s = add(h, b)\ny[1] = dense(s; U4)"
    ),
    "bilinear GLU": (
        "x[2]\na[2] = dense(x; U1)\nb[2] = dense(x; U2)\nh = multiply(a, b)\ny[2] = dense(h; U3)"
    ),
    "product of a value with itself": (
        "x[2]\na[2] = dense(x; U1)\nh = multiply(a, a)\ny[1] = dense(h; U2)"
    ),
    "one array twice": "x[2]\nh[2] = dense(x; U1)\ng[2] = dense(h; U1)\ny[1] = dense(g; U2)",
    "one array twice, gated": (
        "x[2]\nz[2] = dense(x; U1)\nh = relu(z)\nk[2] = dense(h; U1)\ng = relu(k)\n"
        "y[2] = dense(g; U2)"
    ),
    "recurrent": (
        "x[1]\nu[1]\na[2] = dense(x; U1)\nb[2] = dense(a; U2)\nc[2] = dense(u; U1)\n"
        "s = add(b, c)\ny[1] = dense(s; U3)"
    ),
    "frozen first layer": (
        "x[2]\nh[2] = dense(x; U1)\ng[2] = dense(h; U2)\ny[2] = dense(g; U3)\nfrozen U1"
    ),
    "frozen in the middle": (
        "x[2]\nh[2] = dense(x; U1)\ng[2] = dense(h; U2)\ny[2] = dense(g; U3)\nfrozen U2"
    ),
    "frozen bias": "x[2]\nz[2] = dense(x; U1, b1)\ny[2] = dense(z; U2)\nfrozen b1",
    "two inputs, two outputs": (
        "x[2]\nu[1]\na[2] = dense(x; U1)\nb[2] = dense(u; U2)\ns = add(a, b)\n"
        "y[1] = dense(s; U3)\nv[1] = dense(s; U4)\noutput y, v"
    ),
    "a value that is output and read": (
        "x[2]\na[2] = dense(x; U1)\nb[2] = dense(a; U2)\ny[1] = dense(b; U3)\noutput a, y"
    ),
    "dead nodes": (
        "x[2]\na[2] = dense(x; U1)\nd[2] = dense(a; U2)\ne[1] = dense(d; U1a)\n"
        "y[1] = dense(a; U3)\noutput y"
    ),
    "shared gates": (
        "x[2]\na[2] = dense(x; U1)\nb[2] = dense(x; U2)\nr = relu(a | s)\nq = abs(b | s)\n"
        "h = add(r, q)\ny[1] = dense(h; U3)"
    ),
    "images": (
        "x[1×4]\nc[2] = conv(x, kernel=2, padding=same; U1, b1)\nr = relu(c)\n"
        "p = avg_pool(r, kernel=2)\nd[2] = conv(p, kernel=1; U2)\ns = add(p, d)\n"
        "v = flatten(s)\ny[1] = dense(v; U3)"
    ),
}


class _Builder:
    """Draws nodes one by one; what does not fit is left out."""

    def __init__(self, random: Random, functions: bool) -> None:
        self.random, self.functions = random, functions
        self.inputs = [Input("x", random.choice([(1,), (2,), (2,), (1, 3), (2, 2, 2)]))]
        if random.random() < 0.3:
            self.inputs.append(Input("u", random.choice([(1,), (2,)])))
        self.nodes: list[Node] = []
        self.shapes: dict[str, Shape] = dict(self.inputs)
        self.arrays: dict[str, Shape] = {}
        self.states: dict[str, Shape] = {}

    def operation(self, shape: Shape) -> Operation:
        draw, kind = self.random, self.random.random()
        if kind < 0.08:
            return draw.choice([Exp(), Smooth()]) if self.functions else Power(draw.randint(2, 3))
        if kind < 0.2:
            return Activation(draw.choice(["relu", "abs", "linear"]))
        if kind < 0.35:
            return draw.choice([Add(), Multiply()])
        if len(shape) == 1:
            return Linear(draw.randint(1, 2), draw.random() < 0.3)
        if kind < 0.5:
            return draw.choice([Flat(), Pool((2,), (1,)), Pool((1,), (2,))])
        return self.convolution(shape)

    def convolution(self, shape: Shape) -> Operation:
        draw, sizes = self.random, range(len(shape) - 1)
        kernel, stride, dilation = (
            tuple(draw.choice([1, 1, 2]) if k else draw.randint(1, 2) for _ in sizes)
            for k in range(3)
        )
        channels, bias = draw.randint(1, 2), draw.random() < 0.3
        if draw.random() < 0.2:
            return TransposedConvolution(channels, kernel, stride, bias=bias)
        groups = draw.choice([1, 1, channels])
        padding: Any = draw.choice(["valid", "same", "circular"])
        return Convolution(channels, kernel, stride, padding, bias, dilation, groups)

    def add(self) -> None:
        names = list(self.shapes)
        first = self.random.choice(names[-3:])
        operation = self.operation(self.shapes[first])
        alike = [name for name in names if self.shapes[name] == self.shapes[first]]
        count = operation.arity or self.random.randint(2, 3)
        inputs = (first, *(self.random.choice(alike) for _ in range(count - 1)))
        shapes = [self.shapes[name] for name in inputs]
        try:
            shape = operation.output(*shapes)
        except ShapeError:
            return
        arrays = tuple(self.array(*each) for each in operation.parameters(*shapes))
        node = Node(
            f"h{len(self.nodes) + 1}", operation, inputs, arrays, self.state(operation, shapes)
        )
        self.nodes.append(node)
        self.shapes[node.name] = shape

    def array(self, symbol: str, shape: Shape) -> str:
        known = [name for name, each in self.arrays.items() if each == shape]
        if known and self.random.random() < 0.3:
            return self.random.choice(known)
        name = f"{symbol}{len(self.arrays) + 1}"
        self.arrays[name] = shape
        return name

    def state(self, operation: Operation, shapes: list[Shape]) -> str | None:
        shape = operation.state(*shapes)
        if shape is None or self.random.random() < 0.7:
            return None
        known = [name for name, each in self.states.items() if each == shape]
        name = self.random.choice([*known, f"s{len(self.states) + 1}"])
        self.states[name] = shape
        return name

    def graph(self) -> Graph:
        ends = [self.nodes[-1].name]
        if self.random.random() < 0.3:
            ends.append(self.random.choice(self.nodes).name)
        names = sorted({*ends}, key=ends.index)
        frozen = {name for name in self.arrays if self.random.random() < 0.15}
        return Graph(tuple(self.inputs), tuple(self.nodes), tuple(names), frozenset(frozen))


@st.composite
def random_graphs(draw: st.DrawFn, functions: bool = False) -> Graph:
    """Draw a graph: values read twice, shared and frozen arrays, products, nodes that nothing
    reads, several inputs and outputs, images; perhaps functions that are no polynomials.
    """
    random = draw(st.randoms(use_true_random=False))
    builder = _Builder(random, functions and random.random() < 0.5)
    for _ in range(draw(st.integers(1, 7))):
        builder.add()
    if not builder.nodes:
        shape = builder.inputs[0].shape
        builder.nodes.append(Node("h1", Activation("relu"), ("x",)))
        builder.shapes["h1"] = shape
    return builder.graph()


def pruned(graph: Graph) -> Graph:
    """Return the graph without what no output depends on."""
    live = set(graph.outputs)
    for node in reversed(graph.nodes):
        if node.name in live:
            live.update(node.inputs)
    nodes = tuple(node for node in graph.nodes if node.name in live)
    arrays = {name for node in nodes for name in node.parameters}
    inputs = tuple(each for each in graph.inputs if each.name in live)
    return replace(graph, nodes=nodes, inputs=inputs, frozen=graph.frozen & arrays)


@dataclass(frozen=True)
class Given(Wired):
    """A family of one graph, of which no theorem knows anything (problems.Architecture)."""

    given: Graph
    name: str = "a graph"
    scope: str | None = None
    loss: str = "mse"

    @property
    def graph(self) -> Graph:
        return self.given

    def under(self, loss: str) -> Given:
        assert loss == self.loss
        return self

    def describe(self) -> dict[str, Any]:
        return {"graph": str(self.graph)}

    def outline(self) -> Sequence[tuple[str, str, int]]:
        return []
