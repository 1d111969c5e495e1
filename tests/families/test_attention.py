"""Multi-head attention: the engine against the oracle, the published formula, the sum of its
parts.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import oracle
import oracle_layers
import pytest
from reference import law_polynomials
from sympy import ZZ
from sympy.polys.rings import ring

from conslaw_cli.algebra.rings import Exact
from conslaw_cli.errors import SpecError
from conslaw_cli.families.attention import Attention
from conslaw_cli.families.mlp import MLP
from conslaw_cli.lie.count import count_laws

SIZES = [
    (1, 1, 1),
    (2, 1, 1),
    (1, 1, 2),
    (1, 1, 3),
    (1, 2, 1),
    (1, 2, 2),
    (2, 2, 1),
    (3, 1, 1),
    (2, 1, 2),
]
SMALL = [Attention(*sizes) for sizes in SIZES]
every_layer = pytest.mark.parametrize("layer", SMALL, ids=lambda layer: layer.name)


class Whole(Attention):
    """The same layer, counted without using that it is a direct sum."""

    __slots__ = ()

    def parts(self) -> Any:
        return ((self, 1),)

    @property
    def known_listed(self) -> int:
        return len(self.laws())

    @property
    def known_terms(self) -> int:
        return len(self.laws().law)

    @property
    def image_dimension(self) -> Any:
        return None


@every_layer
def test_engine_agrees_with_oracle(layer: Attention) -> None:
    phi = oracle_layers.attention(layer.dim, layer.heads, layer.head_dim)
    known, fields = law_polynomials(layer.laws(), phi.gens), phi.fields()
    assert all(oracle.is_law(h, fields, phi.gens) for h in known)
    expected, row = oracle_layers.count(phi, known), count_laws(layer)
    assert row.trace is not None
    assert (
        row.parameters,
        row.trace.dimensions,
        row.dim_lie,
        row.laws,
        row.known_listed,
        row.known_independent,
    ) == (
        expected.parameters,
        expected.trace,
        expected.dim_lie,
        expected.laws,
        expected.known_listed,
        expected.known_independent,
    )


@every_layer
def test_the_gradient_is_that_of_the_products(layer: Attention) -> None:
    """Over the integers: every entry of every product has its own pair of an input and an
    output.
    """
    phi, fields = (
        oracle_layers.attention(layer.dim, layer.heads, layer.head_dim),
        layer.fields(),
    )
    network = fields.graph
    draw = np.random.default_rng(0)
    theta, probe = draw.integers(-9, 9, len(phi.gens)), draw.integers(-9, 9, network.probe_size)
    x, w = (
        probe[: network.input_size].reshape(-1, layer.dim),
        probe[network.input_size :].reshape(-1, layer.dim),
    )
    coefficients = [
        int(a * b) for inputs, outputs in zip(x, w, strict=True) for a in inputs for b in outputs
    ]
    f = sum(c * poly for c, poly in zip(coefficients, phi.components, strict=True))
    expected = [oracle.evaluate(f.diff(t), theta.tolist()) for t in phi.gens]
    found = fields.gradient(Exact(), theta.astype(object)[None], probe.astype(object)[None])
    assert found.ravel().tolist() == expected


@pytest.mark.parametrize("dim", [1, 2, 3, 5])
@pytest.mark.parametrize("heads", [1, 3])
@pytest.mark.parametrize("head_dim", [1, 2, 4, 7, 11])
def test_the_published_formula(dim: int, heads: int, head_dim: int) -> None:
    """2H·c(dim, dim, head_dim) laws (ICML 2025, Cor. 3.9), all of them known, proved for any number
    of heads.
    """
    c = (
        head_dim * (head_dim + 1) // 2
        if head_dim <= 2 * dim
        else 2 * dim * head_dim - dim * (2 * dim - 1)
    )
    row = count_laws(Attention(dim, heads, head_dim))
    assert (row.laws, row.unknown_laws, row.verdict) == (2 * heads * c, 0, "proved")
    assert row.known_listed == 2 * heads * head_dim * (head_dim + 1) // 2


@pytest.mark.parametrize("sizes", [(2, 2, 2), (3, 2, 1), (1, 2, 3), (2, 1, 5)], ids=str)
def test_a_layer_counted_as_a_whole_is_the_sum_of_its_parts(sizes: tuple[int, int, int]) -> None:
    row, whole = count_laws(Attention(*sizes)), count_laws(Whole(*sizes))
    assert row.trace is not None
    assert whole.trace is not None
    assert row.trace.dimensions == whole.trace.dimensions
    assert {bound.method for bound in row.lower} == {"direct sum"}
    assert {bound.method for bound in whole.lower} == {"brackets"}
    for key in (
        "parameters",
        "dim_lie",
        "laws",
        "known_listed",
        "known_independent",
        "unknown_laws",
        "involutive",
        "verdict",
    ):
        assert getattr(row, key) == getattr(whole, key), key


class Sum:
    """Networks side by side on parameters of their own."""

    def __init__(self, *parts: tuple[MLP, int]) -> None:
        self.networks = [mlp for mlp, count in parts for _ in range(count)]
        self.name, self.scope, self.graph, self.formula = "sum", None, None, None
        self.parts = lambda: parts

    @property
    def parameters(self) -> int:
        return sum(mlp.parameters for mlp in self.networks)

    @property
    def known_listed(self) -> int:
        return sum(mlp.known_listed for mlp in self.networks)

    loss = "mse"

    def under(self, loss: str) -> Sum:
        assert loss == self.loss
        return self

    def describe(self) -> dict[str, Any]:
        return {"parts": [mlp.describe() for mlp in self.networks]}

    def joint(self) -> oracle_layers.Map:
        """Return φ of all of them, in one ring."""
        gens, components = ring([f"t{i}" for i in range(self.parameters)], ZZ)[1:], []
        start = 0
        for mlp in self.networks:
            theta = oracle.Parameters(mlp)
            before, after = (0,) * start, (0,) * (self.parameters - start - len(theta.gens))
            for output in oracle.reparametrisation(mlp, theta):
                components += [
                    gens[0].ring.from_dict({(*before, *m, *after): c for m, c in p.terms()})
                    for p in output.values()
                ]
            start += len(theta.gens)
        return oracle_layers.Map(tuple(gens), tuple(components))


@pytest.mark.parametrize(
    "parts",
    [
        ((MLP((1, 1, 1), "linear"), 1), (MLP((1, 2, 1), "relu"), 2)),
        ((MLP((1, 1, 1, 1), "linear", "hidden"), 1), (MLP((2, 1, 2), "linear"), 1)),
        ((MLP((1, 1, 2), "relu"), 1), (MLP((1, 2, 1), "linear", "all"), 1)),
    ],
    ids=str,
)
def test_a_direct_sum_of_different_parts(parts: tuple[tuple[MLP, int], ...]) -> None:
    """Also of parts whose iterations take different numbers of steps, against the oracle on all
    parameters at once.
    """
    architecture = Sum(*parts)
    row, expected = count_laws(architecture), oracle_layers.count(architecture.joint(), [])  # type: ignore[arg-type]
    assert row.trace is not None
    assert (row.parameters, row.trace.dimensions, row.dim_lie) == (
        expected.parameters,
        expected.trace,
        expected.dim_lie,
    )
    assert row.known_independent == sum(
        count_laws(mlp).known_independent or 0 for mlp in architecture.networks
    )
    assert row.involutive is (len(expected.trace) == 1)


def test_laws_and_parameters_bear_the_names_of_the_matrices() -> None:
    layer = Attention(2, 2, 1)
    names = layer.fields().graph.parameter_names()
    assert names[:8] == [
        "Q1[1,1]",
        "Q1[2,1]",
        "K1[1,1]",
        "K1[1,2]",
        "V1[1,1]",
        "V1[2,1]",
        "O1[1,1]",
        "O1[1,2]",
    ]
    assert names[8:10] == ["Q2[1,1]", "Q2[2,1]"]
    texts = [family.text for family in layer.laws().families]
    assert texts == ["Q1ᵀQ1 − K1K1ᵀ", "V1ᵀV1 − O1O1ᵀ", "Q2ᵀQ2 − K2K2ᵀ", "V2ᵀV2 − O2O2ᵀ"]


def test_evidence_says_what_was_added_up() -> None:
    row = count_laws(Attention(2, 2, 1))
    (upper,) = row.upper
    assert (upper.value, upper.kind, upper.error_bound) == (row.dim_lie, "proof", None)
    assert upper.shown.startswith("a direct sum: 4 × 3 (")
    assert (
        row.scope
        == "The count is that of φ = (Q_h K_h, V_h O_h)_h, on which the layer depends (arXiv"
        " 2506.06194)."
    )


def test_one_part_is_counted_for_any_number_of_heads() -> None:
    """4096 heads cost no more than one."""
    row = count_laws(Attention(3, 4096, 2))
    assert row.laws == 2 * 4096 * 3
    assert row.parameters == 4 * 4096 * 6


def test_a_layer_of_any_size_is_counted_by_its_products() -> None:
    """2H · r(r+1)/2 laws for r ≤ 2n (arXiv 2506.06194, Corollary 3.9)."""
    row = count_laws(Attention(10**9, 3, 10**9))
    assert (row.verdict, row.laws) == ("proved", 6 * 10**9 * (10**9 + 1) // 2)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((0, 1, 1), "dim: expected an integer from 1 to 1000000000, got 0"),
        ((2, -1, 1), "heads: expected an integer from 1 to 4096, got -1"),
        ((2, 4097, 1), "heads: expected an integer from 1 to 4096, got 4097"),
        ((2, 1, 10**10), "head_dim: expected an integer from 1 to 1000000000, got 10000000000"),
        ((2, True, 1), "heads: expected an integer from 1 to 4096, got True"),
        ((2.0, 1, 1), "dim: expected an integer from 1 to 1000000000, got 2.0"),
    ],
    ids=str,
)
def test_a_wrong_size_is_named(sizes: tuple[Any, Any, Any], message: str) -> None:
    with pytest.raises(SpecError) as raised:
        Attention(*sizes)
    assert str(raised.value) == message
