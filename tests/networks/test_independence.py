"""Networks with exponentials, powers and any smooth function, against brackets of symbolic
derivatives, evaluated in floats; and exponentials whose values are not independent.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations_with_replacement, product
from typing import Any

import numpy as np
import pytest
import sympy
from numpy.typing import NDArray

from conslaw_cli.algebra.field import PrimeField
from conslaw_cli.errors import SpecError
from conslaw_cli.families.layers import Layers
from conslaw_cli.families.mlp import MLP
from conslaw_cli.lie.count import count_laws
from conslaw_cli.networks.gradients import GradientFields
from conslaw_cli.networks.graph import Graph
from conslaw_cli.networks.independence import independent
from conslaw_cli.networks.operations.dense import Linear
from conslaw_cli.networks.operations.elementwise import Exp, Power, activation

FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "exp": sympy.exp,
    "smooth": lambda z: sympy.sin(z + sympy.Rational(7, 10)),  # one of them
    "power:2": lambda z: z**2,
    "power:3": lambda z: z**3,
}
SAMPLES = [
    *((0.3, -0.7), (1.1, 0.4), (-0.9, 0.8), (0.2, 1.3), (-1.2, -0.5), (0.6, -1.4)),
    *((1.3, 1.2), (-0.4, 0.1), (0.9, -0.2)),
]


def plain_count(mlp: MLP) -> int:
    """Return the rank, in floats, of gradients at SAMPLES, of their brackets and of the brackets
    with these.
    """
    first, second, third = derivatives(mlp)
    # [f, g]_i and the derivative of it along j, for all pairs (f, g)
    once = np.einsum("gij,fj->fgi", second, first) - np.einsum("fij,gj->fgi", second, first)
    slope = (
        np.einsum("gikj,fk->fgij", third, first)
        + np.einsum("gik,fkj->fgij", second, second)
        - np.einsum("fikj,gk->fgij", third, first)
        - np.einsum("fik,gkj->fgij", second, second)
    )
    twice = np.einsum("fgij,hj->hfgi", slope, first) - np.einsum("hij,fgj->hfgi", second, once)
    rows = np.concatenate([each.reshape(-1, first.shape[1]) for each in (first, once, twice)])
    values = np.linalg.svd(rows, compute_uv=False)
    kept = int((values > 1e-9 * values[0]).sum())
    assert kept == len(values) or values[kept] < 1e-11 * values[0]  # a gap: the rank is certain
    return kept


def derivatives(mlp: MLP) -> list[NDArray[np.float64]]:
    """Return the first, second and third derivatives in θ of every output at every sample."""
    theta, outputs = plain_network(mlp)
    point = np.random.default_rng(5).uniform(0.3, 1.4, len(theta))
    result = []
    for order in (1, 2, 3):
        ways = list(combinations_with_replacement(range(len(theta)), order))
        entries = [sympy.diff(y, *(theta[i] for i in way)) for y in outputs for way in ways]
        compute = sympy.lambdify([*theta, *x_symbols(mlp)], entries, "numpy", cse=True)
        values = np.array([compute(*point, *sample[: mlp.widths[0]]) for sample in SAMPLES])
        place = {way: k for k, way in enumerate(ways)}
        every = [place[tuple(sorted(index))] for index in product(range(len(theta)), repeat=order)]
        shape = (-1, *(len(theta),) * order)
        result.append(values.reshape(-1, len(ways))[:, every].reshape(shape))
    return result


def x_symbols(mlp: MLP) -> list[Any]:
    return list(sympy.symbols(f"x0:{mlp.widths[0]}"))


def plain_network(mlp: MLP) -> tuple[list[Any], list[Any]]:
    theta: list[Any] = []

    def fresh() -> Any:
        theta.append(sympy.Symbol(f"t{len(theta)}"))
        return theta[-1]

    h = x_symbols(mlp)
    for layer, units in enumerate(mlp.widths[1:], start=1):
        u = [[fresh() for _ in range(units)] for _ in h]
        z = [sum(x * row[j] for x, row in zip(h, u, strict=True)) for j in range(units)]
        if layer < mlp.depth:
            z = [each + fresh() for each in z] if mlp.bias else z
            z = [FUNCTIONS[mlp.activations[layer - 1]](each) for each in z]
        h = z
    return theta, h


@pytest.mark.parametrize(
    ("widths", "name", "bias"),
    [
        ((1, 1, 1), "exp", False),
        ((1, 1, 1), "exp", "hidden"),
        ((1, 2, 1), "exp", "hidden"),
        ((2, 1, 2), "exp", "hidden"),
        ((1, 1, 1), "smooth", "hidden"),
        ((2, 2, 1), "smooth", False),
        ((1, 2, 1), "power:2", False),
        ((2, 2, 1), "power:2", False),
        ((1, 1, 1), "power:3", "hidden"),
        ((2, 1, 2), "power:3", False),
    ],
)
def test_counts_are_those_of_brackets_in_floats(
    widths: tuple[int, ...], name: str, bias: Any
) -> None:
    mlp = MLP(widths, name, bias)
    row = count_laws(mlp)
    assert row.dim_lie == plain_count(mlp)
    assert (row.verdict == "proved") is (row.unknown_laws == 0)


def test_exponentials_with_bias_keep_it_less_half_the_squares_behind_it() -> None:
    """b_j − ‖U2[j,:]‖²/2: a shift of the argument is a scaling of the value."""
    laws = MLP((3, 2, 2), "exp", "hidden").laws()
    assert [family.text for family in laws.families] == ["2·b1 − diag(U2U2ᵀ)"]


def test_powers_weigh_what_they_read() -> None:
    laws = MLP((3, 2, 2), "power:3").laws()
    assert [family.text for family in laws.families] == ["diag(U1ᵀU1 − 3·U2U2ᵀ)"]


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("x[2]\nz[3] = dense(x; U1, b1)\nh = exp(z)\ny[1] = dense(h; U2)", True),
        (  # equal arguments share their value
            "x[1]\nz[1] = dense(x; U1)\nw[1] = dense(x; U1)\nh = exp(z)\nk = exp(w)\n"
            "a[1] = dense(h; U2)\nb[1] = dense(k; U3)\ny = add(a, b)",
            True,
        ),
        (  # e^{ux} e^{rx} = e^{(u+r)x}
            "x[1]\nz[1] = dense(x; U1)\nw[1] = dense(x; U2)\nv = add(z, w)\nh = exp(z)\n"
            "k = exp(w)\nl = exp(v)\nq = multiply(h, k)\na[1] = dense(q; U3)\n"
            "b[1] = dense(l; U4)\ny = add(a, b)",
            False,
        ),
        (  # the argument of the second is twice that of the first, through an exponential
            "x[1]\nz[1] = dense(x; U1)\nh = exp(z)\ns = add(h, h)\nk = exp(h)\nl = exp(s)\n"
            "q = multiply(k, l)\ny[1] = dense(q; U2)",
            False,
        ),
    ],
)
def test_values_are_independent_where_differences_of_arguments_are(text: str, known: bool) -> None:
    graph = Graph.parse(text)
    assert independent(graph, np.random.default_rng(1)) is known
    fields = GradientFields(graph)
    draw = np.random.default_rng(0)
    field = PrimeField(8388593)
    if known:
        fields.at(field, draw)
    else:
        with pytest.raises(SpecError, match="exp in this network are not known to be independent"):
            fields.at(field, draw)


def test_layers_take_them_as_well() -> None:
    by_layers = Layers((2,), (Linear(2, True), Exp(), Linear(1)))
    assert count_laws(by_layers).laws == count_laws(MLP((2, 2, 1), "exp", "hidden")).laws == 2
    assert by_layers.describe()["layers"][1] == "exp"
    powers = Layers((2,), (Linear(2), Power(2), Linear(1)))
    assert powers.describe()["layers"][1] == {"power": {"exponent": 2}}


@pytest.mark.parametrize("name", ["power:1", "power:65", "power:0"])
def test_powers_are_within_bounds(name: str) -> None:
    with pytest.raises(SpecError, match="power: expected an integer from 2 to 64"):
        activation(name)
