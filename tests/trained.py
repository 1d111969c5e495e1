"""Networks and maps with every kind of known laws, to be trained."""

from __future__ import annotations

from graphs import NAMED, Given

from conslaw_cli.families.attention import Attention
from conslaw_cli.families.formulas.custom import CustomMap
from conslaw_cli.families.layers import Branch, Layers
from conslaw_cli.families.mlp import MLP
from conslaw_cli.networks.graph import Graph
from conslaw_cli.networks.operations.convolution import Convolution, Pool
from conslaw_cli.networks.operations.dense import Linear
from conslaw_cli.networks.operations.elementwise import Activation
from conslaw_cli.networks.operations.reshape import Flat
from conslaw_cli.problems.problem import Architecture

MANY = """
x[2]
u[1×3]
h[2] = dense(x; U1)
g[2] = dense(h; U2)
a[2] = dense(g; U4, b4)
b[2] = dense(g; U5)
m = multiply(a, b)
y[1] = dense(m; U6)
c[1] = conv(u, kernel=3, padding=circular; K1)
d[1] = conv(c, kernel=3, padding=circular; K2)
v = flatten(d)
w[1] = dense(v; U7)
output y, w
frozen U2
"""
"""A frozen matrix in the middle, a gated unit, two circular convolutions."""
SKIP = """
x[2]
h[2] = dense(x; U1)
p[2] = dense(h; U2)
t = add(h, p)
y[1] = dense(t; U3)
"""

NETWORKS: dict[str, Architecture] = {
    "full and diagonal, sums": MLP((2, 3, 3, 2), ("linear", "relu"), "all", "cross_entropy"),
    "exponents": MLP((2, 3, 2, 2), ("exp", "power:2"), "hidden", "logistic"),
    "many": Given(Graph.parse(MANY.strip())),
    "skip": Given(Graph.parse(SKIP.strip())),
    "blocks": Layers(
        (2, 2),
        (
            Convolution(4, (1,), (1,), groups=2),
            Convolution(2, (2,), (1,), groups=2),
            Flat(),
            Activation("abs"),
            Linear(1, True),
        ),
        "logistic",
    ),
    "attention": Attention(2, 1, 2),
    "map": CustomMap((), ("u*v1", "u*v2*exp(u*v1)", "w*u*v1*v2*u"), constants=("w",)),
    "tensor": CustomMap((), ("einsum(ir,jr->ij; U, V)",), arrays={"U": (2, 2), "V": (2, 2)}),
}
OTHERS: dict[str, Architecture] = {
    "two heads": Attention(3, 2, 2),
    "product": CustomMap(
        (), ("A*B*C",), arrays={"A": (2, 2), "C": (2, 3)}, constants={"B": (2, 2)}
    ),
    "softmax": CustomMap((), ("a*b", "a*c", "d"), loss="cross_entropy"),
    "residual": Layers(
        (2, 4),
        (
            Convolution(3, (2,), (1,), "same", True),
            Pool((2,), (2,)),
            Flat(),
            Branch((Linear(3), Activation("relu"), Linear(6))),
            Linear(3),
        ),
        "cross_entropy",
    ),
    "smooth": MLP((2, 3, 2), "smooth", "all"),
    "homogeneous": MLP((2, 3, 2), ("homogeneous",), "hidden"),
    "functions": CustomMap(
        (), ("sin(2*a + b/3)", "tanh(a*b)", "erf(a - b)", "sqrt(a**2 + b**2)/b", "sigmoid(c)*a")
    ),
    "one output": MLP((2, 2, 1), "relu", loss="cross_entropy"),
    **{name: Given(Graph.parse(text)) for name, text in NAMED.items() if name != "dead nodes"},
}
