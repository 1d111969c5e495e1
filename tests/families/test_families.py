"""What every family owes: a battery over small architectures, and what each says of itself."""

from __future__ import annotations

import json
import pickle
import pkgutil
from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np
import pytest
from reference import laws_of_chain

from conslaw_cli import families
from conslaw_cli.algebra.field import PrimeField
from conslaw_cli.errors import SpecError
from conslaw_cli.families.attention import Attention
from conslaw_cli.families.formulas.custom import CustomMap
from conslaw_cli.families.formulas.fields import CustomFields, RandomFields
from conslaw_cli.families.layers import Branch, Layers
from conslaw_cli.families.mlp import BIASES, LOSSES, MLP, Bias
from conslaw_cli.lie import ranks
from conslaw_cli.lie.chains import cut
from conslaw_cli.lie.closed_forms import closed_form
from conslaw_cli.lie.closure import Sampler, close, confirms
from conslaw_cli.lie.count import count_laws
from conslaw_cli.lie.theorems import Evidence
from conslaw_cli.lie.theorems.single_field import single_field
from conslaw_cli.lie.theorems.structure import Chain, chain_of
from conslaw_cli.networks.chains import chain, scope
from conslaw_cli.networks.operations.convolution import Convolution, Pool
from conslaw_cli.networks.operations.dense import Linear
from conslaw_cli.networks.operations.elementwise import HOMOGENEOUS, Activation
from conslaw_cli.networks.operations.reshape import Flat
from conslaw_cli.problems.problem import Architecture, Problem

RELU = Activation("relu")
BATTERY: Mapping[str, Sequence[Architecture]] = {
    "mlp": [
        MLP((2, 3)),
        MLP((3, 4, 2), "relu"),
        MLP((2, 3, 2), "linear"),
        MLP((1, 4, 2), "linear"),
        MLP((1, 2, 2, 1), "linear"),
        MLP((2, 2, 2, 2), "linear", "all"),
        MLP((2, 2, 3, 2), ("linear", "relu"), "hidden"),
        MLP((2, 3, 2), "relu", "all", "cross_entropy"),
        MLP((2, 3, 3), "linear", "hidden", "cross_entropy"),
        MLP((2, 3, 1), "abs", "all", "cross_entropy"),
        MLP((2, 1, 2, 2), "leaky_relu", "hidden", "logistic"),
    ],
    "layers": [
        Layers((2,), (Linear(3), RELU, Linear(2))),
        Layers((2,), (Linear(3), Branch((Linear(2), RELU, Linear(3))), Linear(2, bias=True))),
        Layers((2,), (Linear(2), Branch((Linear(2), Linear(2))), Linear(2)), "cross_entropy"),
        Layers(
            (1, 5),
            (
                Convolution(2, (2,), (1,)),
                RELU,
                Convolution(1, (2,), (1,), bias=True),
                Flat(),
                Linear(2),
            ),
        ),
        Layers(
            (1, 4), (Convolution(2, (3,), (1,), "circular"), Convolution(1, (2,), (2,), "same"))
        ),
        Layers(
            (1, 3, 3), (Convolution(2, (2, 2), (1, 1)), RELU, Pool((2,), (1,)), Flat(), Linear(2))
        ),
        Layers(
            (1, 3, 2),
            (
                Convolution(2, (2, 1), (2, 1), "same", bias=True),
                Convolution(1, (1, 2), (1, 1), "circular"),
            ),
        ),
        Layers(
            (1, 6),
            (
                Convolution(2, (1,), (1,), bias=True),
                Pool((2,), (2,)),
                Convolution(1, (2,), (1,), bias=True),
            ),
        ),
        Layers(
            (1, 3), (Convolution(1, (3,), (1,), "circular"), Convolution(1, (3,), (1,), "circular"))
        ),
        Layers((2,), (Branch((Linear(2), Branch((Linear(2), RELU, Linear(2))), Linear(2))),)),
        Layers(
            (2,),
            (
                Linear(2),
                Branch((RELU, Linear(2))),
                Branch((Linear(2),)),
                RELU,
                Linear(1, bias=True),
            ),
        ),
        Layers(
            (1, 2), (Convolution(2, (1,), (1,)), Flat(), Branch((Linear(2), Linear(4))), Linear(2))
        ),
        Layers((2,), (Branch((Linear(2), RELU, Linear(2))), Linear(1)), "cross_entropy"),
    ],
    "attention": [
        Attention(1, 2, 1),
        Attention(2, 1, 1),
        Attention(2, 2, 3),
        Attention(3, 1, 2),
        Attention(2, 1, 5),
    ],
    "formulas": [
        CustomMap.from_text("u*v1, u*v2"),
        CustomMap.from_text("x**2*y, y**3*z, x + w"),
        CustomFields(("x", "y", "z"), (("1", "0", "0"), ("0", "1", "x"))),
        RandomFields(4, 2, 2),
        RandomFields(3, 1, 3),
    ],
}
every_architecture = pytest.mark.parametrize(
    "architecture",
    [a for family in BATTERY.values() for a in family],
    ids=lambda a: f"{a.name} {getattr(a, 'loss', '')}",
)


def sampler(architecture: Architecture, p: int, seed: int = 0) -> Sampler:
    return Sampler.at_random_point(
        architecture.fields(), PrimeField(p), np.random.default_rng(seed)
    )


# ---- the battery


def test_no_family_is_left_out() -> None:
    assert {module.name for module in pkgutil.iter_modules(families.__path__)} == set(BATTERY)


@every_architecture
def test_known_laws_are_conserved_at_random_points(architecture: Architecture) -> None:
    """Every gradient of a law is orthogonal to many random fields, at several points and primes."""
    for seed, p in enumerate((8388593, 4194319, 7340033)):
        at = sampler(architecture, p, seed)
        fields, theta = at.rows(0, 20), at.theta[0, :, 0]
        for gradients in architecture.laws().gradients(theta, 7):
            assert not at.field.matmul(at.field.reduce(gradients), fields.T).any()


@every_architecture
def test_known_laws_stay_laws_along_brackets(architecture: Architecture) -> None:
    at = sampler(architecture, 8388593)
    for gradients in architecture.laws().gradients(at.theta[0, :, 0], 7):
        for level in (1, 2):
            assert not at.field.matmul(at.field.reduce(gradients), at.rows(level, 3).T).any()


@every_architecture
def test_three_seeds_give_one_count_between_its_bounds(architecture: Architecture) -> None:
    rows = [count_laws(architecture, seed=seed) for seed in range(3)]
    assert (
        len(
            {
                (
                    row.dim_lie,
                    row.known_independent,
                    row.verdict,
                    row.trace and row.trace.dimensions,
                )
                for row in rows
            }
        )
        == 1
    )
    for row in rows:
        assert row.unknown_laws is not None
        assert row.unknown_laws >= 0
        assert max(bound.value for bound in row.lower) <= min(bound.value for bound in row.upper)


@every_architecture
def test_two_primes_give_the_same_ranks(architecture: Architecture) -> None:
    first, second = (
        close(sampler(architecture, p), architecture.parameters) for p in (8388593, 4194319)
    )
    assert first == second
    assert confirms(sampler(architecture, 7340033), first)
    assert count_laws(architecture).dim_lie == first.rank


@every_architecture
def test_sizes_are_those_of_what_is_made(architecture: Architecture) -> None:
    laws = architecture.laws()
    assert architecture.parameters == architecture.fields().dimension
    assert architecture.known_listed == len(laws)
    assert architecture.known_terms >= len(laws.law)
    assert (
        ranks.law_rank(laws, sampler(architecture, 8388593))
        == count_laws(architecture).known_independent
    )


@every_architecture
def test_architectures_are_values(architecture: Architecture) -> None:
    assert pickle.loads(pickle.dumps(architecture)) == architecture
    assert hash(architecture) == hash(pickle.loads(pickle.dumps(architecture)))
    assert json.loads(json.dumps(architecture.describe())) == architecture.describe()
    assert architecture.name


def test_different_architectures_have_different_keys() -> None:
    keys = {Problem(a).key(seed) for family in BATTERY.values() for a in family for seed in (0, 1)}
    assert len(keys) == 2 * sum(map(len, BATTERY.values()))


# ---- multi-layer perceptrons


@pytest.mark.parametrize(
    ("mlp", "scalar"),
    [
        (MLP((1, 1)), True),
        (MLP((1, 3, 2, 1), "linear"), True),
        (MLP((1, 3, 2, 1), "identity", loss="logistic"), True),
        (MLP((1, 3, 1), "relu"), False),
        (MLP((1, 3, 1), "linear", "hidden"), False),
        (MLP((2, 1), "linear"), False),
        (MLP((1, 2), "linear"), False),
        (MLP((1, 2, 1), "linear", loss="cross_entropy"), False),
    ],
    ids=lambda case: getattr(case, "name", str(case)),
)
def test_a_scalar_network_has_one_field(mlp: MLP, scalar: bool) -> None:
    said = single_field(Problem(mlp), Evidence(count_laws))
    assert (said is not None) is scalar
    if scalar:
        assert close(sampler(mlp, 8388593), mlp.parameters).dimensions == (1,)


def pieces(mlp: MLP | Layers) -> tuple[Chain, ...]:
    chain = chain_of(Problem(mlp))
    assert chain is not None
    return cut(chain)


def test_segments_are_cut_at_hidden_layers_of_width_one() -> None:
    mlp = MLP((2, 3, 1, 1, 4, 1, 2), ("linear", "relu", "linear", "abs", "linear"))
    assert [(piece.widths, piece.linear) for piece in pieces(mlp)] == [
        ((2, 3, 1), (True,)),
        ((1, 1), ()),
        ((1, 4, 1), (False,)),
        ((1, 2), ()),
    ]
    biased = (Linear(1, True), Linear(1), Linear(2, True), Linear(1), Linear(2))
    assert [piece.widths for piece in pieces(Layers((2,), biased))] == [(2, 1, 1, 2, 1), (1, 2)]
    assert len(pieces(MLP((2, 1, 2), "linear", "all"))) == 1
    (piece,) = pieces(MLP((1, 2, 2, 2), "linear", loss="cross_entropy"))
    assert piece.widths == (1, 2, 2, 1)


@pytest.mark.parametrize(
    "widths",
    [w for depth in (1, 2, 3, 4) for w in product((1, 2, 3, 5), repeat=depth + 1)][::7],
    ids=str,
)
def test_the_closed_form_of_linear_chains(widths: tuple[int, ...]) -> None:
    assert closed_form(Problem(MLP(widths, "linear"))) == laws_of_chain(widths)
    if len(widths) > 2:
        assert closed_form(Problem(MLP(widths, "linear", "hidden"))) is None


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"widths": ()}, "widths: need an input and an output width"),
        ({"widths": (3,)}, r"widths: .*\[3\]"),
        ({"widths": (3, 0, 2)}, "widths: expected positive integers, got 0"),
        ({"widths": (3, -1)}, "widths: .* got -1"),
        ({"widths": (3, 2.0)}, "widths: .* got 2.0"),
        ({"widths": (3, True)}, "widths: .* got True"),
        ({"widths": ("3", 2)}, "widths: .* got '3'"),
        ({"widths": (3, 10**10)}, "widths: 10000000000 is above"),
        ({"widths": (1,) * 10_002}, "widths: 10002 layers, at most 10001"),
        ({"widths": (3, 2), "activation": "tanh"}, "activation: .* got 'tanh'"),
        (
            {"widths": (3, 2, 2), "activation": ("relu", "relu")},
            "activation: expected 1 names?, .* got 2",
        ),
        ({"widths": (3, 2, 2), "activation": ("gelu",)}, "activation: .* got 'gelu'"),
        (
            {"widths": (3, 2), "bias": "none"},
            "bias: expected one of false, hidden, all, got 'none'",
        ),
        ({"widths": (3, 2), "bias": True}, "bias: .* got True"),
        ({"widths": (3, 2), "bias": 0}, "bias: .* got 0"),
        ({"widths": (3, 2), "loss": "hinge"}, "loss: .* got 'hinge'"),
    ],
    ids=str,
)
def test_a_wrong_value_is_named(keys: dict[str, object], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        MLP(**keys)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("mlp", "name"),
    [
        (MLP((3, 4, 2)), "relu 3-4-2"),
        (MLP((3, 4, 2), "linear", "hidden"), "linear 3-4-2 bias"),
        (
            MLP((3, 4, 5, 2), ("linear", "relu"), "all", "cross_entropy"),
            "linear/relu 3-4-5-2 bias=all cross_entropy",
        ),
        (MLP((3, 2), name="mine"), "mine"),
        (MLP((3, 2), (), "all"), "3-2 bias=all"),
    ],
)
def test_names(mlp: MLP, name: str) -> None:
    assert mlp.name == name


# ---- what is open between φ and the network

OPEN, TWO_PATTERNS, FREE = "(paper, section 2.4)", "at most two patterns", "gates are free"
SCOPES: list[tuple[Architecture, str | None]] = [
    # Theorem 2.14: linear networks, and two-layer networks with two inputs, or one and biases.
    (MLP((3, 4, 2), "relu"), None),
    (MLP((2, 4, 2), "leaky_relu", "all", "logistic"), None),
    (MLP((2, 4, 3), "abs", False, "cross_entropy"), None),
    (MLP((1, 4, 2), "relu", "hidden"), None),
    (MLP((1, 4, 4, 2), "linear"), None),
    (MLP((3, 2)), None),
    (MLP((1, 2)), None),
    # A single hidden neuron shares its hyperplane with no other.
    (MLP((1, 1, 3), "relu"), None),
    # Two hidden layers or more.
    (MLP((2, 3, 3, 1), "relu"), OPEN),
    (MLP((2, 3, 3, 1), ("linear", "homogeneous")), OPEN),
    (MLP((1, 3, 3, 1), "relu", "hidden"), OPEN),
    (MLP((2, 3, 3, 3, 1), "abs", False, "logistic"), OPEN),
    # One input without biases: every neuron switches at 0.
    *(
        (MLP((1, 2, outputs), activation, False, loss), TWO_PATTERNS)
        for activation in HOMOGENEOUS
        for loss in LOSSES
        for outputs in (1, 2)
    ),
    (MLP((1, 1, 1, 1), "relu"), TWO_PATTERNS),
    (MLP((1, 3, 3, 1), ("linear", "relu")), TWO_PATTERNS),
    # The same by layers; other networks of layers.
    (Layers((1,), (Linear(2), RELU, Linear(1))), TWO_PATTERNS),
    (Layers((1,), (Linear(2, bias=True), RELU, Linear(1))), None),
    (Layers((2,), (Linear(3), RELU, Linear(3), RELU, Linear(1))), OPEN),
    (Layers((2,), (Linear(3, True), RELU, Linear(3), RELU, Linear(1))), OPEN),
    (Layers((1, 1), (Convolution(2, (1,), (1,)), RELU, Flat(), Linear(1))), FREE),
    (Layers((2,), (Branch((Linear(3), Branch((RELU,)), Linear(2))),)), FREE),
    (Layers((2,), (Branch((Linear(3), Linear(2))), Linear(1))), None),
    # One smooth function stands for a generic one; exp and powers are themselves.
    (MLP((2, 3, 1), "smooth", "hidden"), "of a generic smooth activation"),
    (MLP((2, 3, 3, 1), ("smooth", "relu")), "of a generic smooth activation"),
    (MLP((2, 3, 3, 1), ("smooth", "relu")), FREE),
    (MLP((2, 3, 1), "exp"), None),
    (MLP((2, 3, 1), "power:2"), None),
    (Attention(2, 1, 2), "(arXiv 2506.06194)"),
    (CustomMap.from_text("u*v1, u*v2"), None),
    (RandomFields(3, 1, 2), None),
]


@pytest.mark.parametrize(
    ("architecture", "said"),
    SCOPES,
    ids=lambda value: f"{value.name} {value.describe()}" if hasattr(value, "name") else "",
)
def test_a_row_says_what_is_open(architecture: Architecture, said: str | None) -> None:
    scope = count_laws(architecture).to_dict()["evidence"]["scope"]
    assert (scope is None) == (said is None)
    assert said is None or said in scope


@pytest.mark.parametrize(
    ("network", "realised", "more"),
    [
        # Neurons 1 and 2 are active for x > 0, neuron 3 for x < 0.
        (MLP((1, 3, 1)), "u1*v1 + u2*v2, u3*v3", 1),
        (MLP((1, 3, 1)), "u1*v1 + u2*v2 + u3*v3", 2),
        (MLP((1, 1, 1)), "u1*v1", 0),
        # With biases each neuron has a place of its own, and inputs on either side of it.
        (MLP((1, 2, 1), "relu", "hidden"), "u1*v1, u1*b1, u2*v2, u2*b2", 0),
    ],
)
def test_a_network_with_one_input_keeps_more_than_its_path_map(
    network: MLP, realised: str, more: int
) -> None:
    """The fields at a θ are those of the patterns that occur there."""
    assert (count_laws(CustomMap.from_text(realised)).laws or 0) - (
        count_laws(network).laws or 0
    ) == more


# ---- attention


@pytest.mark.parametrize(("dim", "heads", "head_dim"), [(2, 1, 1), (3, 2, 2), (2, 1, 5), (1, 3, 1)])
def test_attention_is_the_direct_sum_of_its_products(dim: int, heads: int, head_dim: int) -> None:
    """The whole layer closed at once has the dimensions that its parts add up to."""
    layer = Attention(dim, heads, head_dim)
    row, part = count_laws(layer), count_laws(MLP((dim, head_dim, dim), "linear"))
    whole = close(sampler(layer, 8388593), layer.parameters)
    assert part.laws is not None
    assert row.laws == 2 * heads * part.laws == layer.parameters - whole.rank
    assert row.trace is not None
    assert row.trace.dimensions == whole.dimensions
    assert row.verdict == "proved"


@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize(
    "activation",
    ["linear", "identity", "relu", "abs", "exp", "power:2", "smooth", ("relu", "linear")],
)
@pytest.mark.parametrize("widths", [(2, 3, 4, 2), (1, 1, 2, 1), (1, 1)])
def test_a_chain_from_sizes_is_that_of_the_graph(
    widths: tuple[int, ...], activation: str | tuple[str, ...], bias: Bias
) -> None:
    hidden = len(widths) - 2
    mlp = MLP(widths, activation if isinstance(activation, str) else activation[:hidden], bias)
    assert mlp.chain == chain(mlp.graph)
    assert mlp.scope == scope(mlp.graph)
