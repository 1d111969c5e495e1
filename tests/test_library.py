"""What the library promises its users: wrong values are refused where they are given, equal values
are equal, the keys of a row are a spec, and a type checker sees it all.
"""

# ruff: noqa: E501 - messages are compared as literals, one to a line.

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import conslaw_cli
from conslaw_cli import (
    MLP,
    Activation,
    Attention,
    Branch,
    Convolution,
    CustomFields,
    CustomMap,
    Decay,
    Flat,
    Friction,
    Hypentropy,
    LawCount,
    Layers,
    Linear,
    Mirror,
    Momentum,
    Pool,
    Power,
    Problem,
    SpecError,
    count_laws,
    find_laws,
)
from conslaw_cli.checks import near
from conslaw_cli.families.formulas.fields import RandomFields
from conslaw_cli.families.layers import Layer
from conslaw_cli.families.mlp import BIASES, LOSSES
from conslaw_cli.networks.operations.convolution import PADDINGS
from conslaw_cli.networks.operations.elementwise import ACTIVATIONS
from conslaw_cli.specs.spec import parse

ROOT = Path(__file__).parent.parent
RELU = Activation("relu")
NET = MLP((3, 4, 2))
any_value: Any = lambda value: value  # noqa: E731 - hides a wrong type from the type checker


# ---- wrong values

WRONG: dict[str, tuple[Callable[[], object], str]] = {
    "widths one by one": (
        lambda: MLP(*any_value((3, 4, 2))),
        "widths: expected a tuple such as (3, 4, 2), as in MLP((3, 4, 2)), got 3",
    ),
    "widths as text": (lambda: MLP(any_value("3,4,2")), "widths: expected a tuple such as"),
    "a width that is true": (
        lambda: MLP((3, True)),
        "widths: expected positive integers, got True",
    ),
    "a width of 5,000 digits": (lambda: MLP((3, 10**5000)), "widths: a huge int is above"),
    "an activation in capitals": (
        lambda: MLP((3, 4, 2), "ReLU"),
        "activation: expected one of linear, identity, relu, leaky_relu, abs, homogeneous, exp, smooth, power:2, got 'ReLU' (did you mean relu?)",
    ),
    "no activation": (
        lambda: MLP((3, 4, 2), any_value(None)),
        "activation: expected a name, or a tuple of names, one per hidden layer, got None",
    ),
    "an empty activation": (lambda: MLP((3, 4, 2), ""), "activation: expected one of linear,"),
    "an activation that is a list": (
        lambda: MLP((3, 4, 2), any_value([["relu"]])),
        "activation: expected one of linear, identity, relu, leaky_relu, abs, homogeneous, exp, smooth, power:2, got ['relu']",
    ),
    "a loss by its initials": (
        lambda: MLP((3, 4, 2), loss=any_value("ce")),
        "loss: expected one of mse, logistic, cross_entropy, got 'ce' (did you mean cross_entropy?)",
    ),
    "bias true": (
        lambda: MLP((3, 4, 2), bias=any_value(True)),
        "bias: expected one of false, hidden, all, got True",
    ),
    "bias 0": (
        lambda: MLP((3, 4, 2), bias=any_value(0)),
        "bias: expected one of false, hidden, all, got 0",
    ),
    "a name that is a number": (
        lambda: MLP((3, 2), name=any_value(7)),
        "name: expected text, got 7",
    ),
    "an unknown activation of a layer": (
        lambda: Activation("tahn"),
        "activation: expected one of linear, identity, relu, leaky_relu, abs, homogeneous, got 'tahn'",
    ),
    "an activation of a layer in capitals": (lambda: Activation("ReLU"), "(did you mean relu?)"),
    "an unknown padding": (
        lambda: Convolution(2, (3,), (1,), any_value("reflect")),
        "padding: expected one of valid, same, circular, got 'reflect'",
    ),
    "padding in capitals": (
        lambda: Convolution(2, (3,), (1,), any_value("SAME")),
        "padding: expected one of valid, same, circular, got 'SAME' (did you mean same?)",
    ),
    "stride 0": (
        lambda: Convolution(2, (2,), (0,)),
        "stride: expected an integer from 1 to 1000000000, got 0",
    ),
    "stride -1": (lambda: Convolution(2, (2,), (-1,)), "stride: expected an integer from 1"),
    "a stride that is a number": (
        lambda: Convolution(2, (2,), any_value(1)),
        "stride: expected a tuple of sizes such as (3, 3), got 1",
    ),
    "kernel 0": (lambda: Convolution(2, (2, 0), (1, 1)), "kernel: expected an integer from 1"),
    "kernel of three": (
        lambda: Convolution(2, (2, 2, 2), (1, 1, 1)),
        "kernel: expected 1 or 2 sizes, got 3",
    ),
    "no kernel": (lambda: Convolution(2, (), ()), "kernel: expected at least one size"),
    "a flow by its name": (
        lambda: Problem(NET, any_value("momentum")),
        "flow: expected one such as Momentum(), got 'momentum'",
    ),
    "a kind of flow": (lambda: Problem(NET, any_value(Momentum)), "flow: expected one such as"),
    "no flow": (lambda: Problem(NET, any_value(None)), "got None"),
    "a friction that is a number": (
        lambda: Momentum(any_value(0)),
        "friction: expected one such as Friction.NONE, got 0",
    ),
    "a metric by its name": (
        lambda: Momentum(Friction.NONE, any_value("nmf")),
        "flow: expected one such as Momentum(), got 'nmf'",
    ),
    "an array that decays alone": (
        lambda: Decay(any_value("U1")),
        "only: expected arrays such as ('U1', 'U2'), got 'U1'",
    ),
    "an array that is a number": (
        lambda: Decay(any_value(("U1", 2))),
        "only: expected text, got 2",
    ),
    "no array that decays": (lambda: Decay(()), "only: expected at least one array, got none"),
    "a negative power": (lambda: Power(-1), "power: expected an integer from 0 to 100, got -1"),
    "a power that is true": (lambda: Power(True), "power: expected an integer from 0 to 100"),
    "a hypentropy of 0": (
        lambda: Hypentropy(Fraction(0)),
        "hypentropy: expected a positive integer or Fraction of parts up to 1,000,000, got Fraction(0, 1)",
    ),
    "a hypentropy that is rounded": (lambda: Hypentropy(any_value(0.5)), "hypentropy: expected a"),
    "a metric that is a word": (
        lambda: Mirror(any_value((("U1", "entropy"),))),
        "metric: U1: expected one such as Power(1), got 'entropy'",
    ),
    "metrics that are no pairs": (
        lambda: Mirror(any_value({"U1": Power(1)})),
        "metric: expected pairs such as (('U1', Power(1)),), got {'U1': Power(exponent=1)}",
    ),
    "one pair instead of pairs": (
        lambda: Mirror((), any_value(("U1", 2))),
        "rates: expected pairs such as (('U1', Fraction(1, 10)),), got 'U1'",
    ),
    "a negative rate": (
        lambda: Mirror((), (("U1", Fraction(-1, 2)),)),
        "rates: U1: expected a positive integer or Fraction of parts up to",
    ),
    "a rate that is rounded": (lambda: Mirror((), any_value((("U1", 0.1),))), "got 0.1"),
    "no channels": (lambda: Convolution(0, (2,), (1,)), "channels: expected an integer from 1"),
    "bias of a convolution": (
        lambda: Convolution(2, (2,), (1,), bias=any_value("hidden")),
        "bias: expected True or False, got 'hidden'",
    ),
    "a pool with stride 0": (lambda: Pool((2,), (0,)), "stride: expected an integer from 1"),
    "a pool with kernel 0": (lambda: Pool((0,), (1,)), "kernel: expected an integer from 1"),
    "negative units": (
        lambda: Linear(-2),
        "units: expected an integer from 1 to 1000000000, got -2",
    ),
    "units that are true": (lambda: Linear(True), "units: expected an integer from 1"),
    "bias of a layer": (
        lambda: Linear(2, any_value("yes")),
        "bias: expected True or False, got 'yes'",
    ),
    "a negative input": (
        lambda: Layers((-3,), (Linear(2),)),
        "input: expected an integer from 1 to 1000000000, got -3",
    ),
    "an input that is a number": (
        lambda: Layers(any_value(3), (Linear(2),)),
        "input: expected a shape: (units,), (channels, length) or (channels, height, width), got 3",
    ),
    "an input of four sizes": (
        lambda: Layers((1, 2, 2, 2), (Flat(), Linear(2))),
        "input: expected a shape",
    ),
    "a layer that is a string": (
        lambda: Layers((3,), any_value((Linear(2), "relu", Linear(1)))),
        "layers: expected layers such as Linear(2), got 'relu' (did you mean Activation('relu')?)",
    ),
    "a layer that is a class": (
        lambda: Layers((3,), any_value((Linear(2), Flat))),
        "layers: expected layers such as Linear(2), got <class",
    ),
    "one layer": (
        lambda: Layers((3,), any_value(Linear(2))),
        "layers: expected a tuple of layers such as (Linear(2),), got Linear(units=2, bias=False)",
    ),
    "a string in a branch": (
        lambda: Branch(any_value((Linear(2), "relu"))),
        "layers: expected layers such as Linear(2), got 'relu'",
    ),
    "a loss of layers": (
        lambda: Layers((3,), (Linear(2),), any_value("MSE")),
        "loss: expected one of mse, logistic, cross_entropy, got 'MSE' (did you mean mse?)",
    ),
    "heads that are text": (
        lambda: Attention(2, any_value("4"), 2),
        "heads: expected an integer from 1 to 4096, got '4'",
    ),
    "components as text": (
        lambda: CustomMap((), any_value("u*v")),
        "phi: components: expected expressions such as ('u*v',), got 'u*v'",
    ),
    "variables as text": (
        lambda: CustomMap(any_value("uv"), ("u*v",)),
        "phi: variables: expected names such as ('x1', 'x2'), got 'uv'",
    ),
    "a component that is a number": (
        lambda: CustomMap((), any_value((1,))),
        "phi: components: expected expressions such as 'u*v', got 1",
    ),
    "a text that is none": (
        lambda: CustomMap.from_text(any_value(3)),
        "phi: components: expected text, got 3",
    ),
    "a field as text": (
        lambda: CustomFields((), any_value(("y", "-x"))),
        "fields: components: expected fields, each a tuple of expressions, such as (('y', '-x'),), got 'y'",
    ),
    "a dimension that is text": (
        lambda: RandomFields(any_value("3"), 1, 1),
        "random_fields: dimension: expected an integer from 1 to 2000, got '3'",
    ),
    "a tuple for an architecture": (
        lambda: count_laws(any_value((3, 4, 2))),
        "architecture: expected one such as MLP((3, 4, 2), 'relu'), got (3, 4, 2)",
    ),
    "a text for an architecture": (
        lambda: count_laws(any_value("relu 3-4-2")),
        "architecture: expected one such as MLP((3, 4, 2), 'relu'), got 'relu 3-4-2'",
    ),
    "a class for an architecture": (
        lambda: count_laws(any_value(MLP)),
        "architecture: expected one such as",
    ),
    "nothing for an architecture": (
        lambda: find_laws(any_value(None), 2),
        "architecture: expected one such as",
    ),
    "homogeneous no": (
        lambda: find_laws(NET, 2, homogeneous=any_value("no")),
        "homogeneous: expected True or False, got 'no'",
    ),
    **{
        f"the seed {seed!r} of {call.__name__}": (
            lambda call=call, seed=seed: call(
                NET, **({"degree": 2} if call is find_laws else {}), seed=seed
            ),  # type: ignore[misc]
            f"seed: expected an integer from 0 to 4294967295, got {seed!r}",
        )
        for call in (count_laws, find_laws)
        for seed in ("a", 1.5, -1, 2**70, 2**32, True, None)
    },
    **{
        f"the memory {memory!r} of {call.__name__}": (
            lambda call=call, memory=memory: call(
                NET, **({"degree": 2} if call is find_laws else {}), memory=memory
            ),  # type: ignore[misc]
            f"memory: expected a number of bytes, an integer such as 8 * 2**30, got {memory!r}",
        )
        for call in (count_laws, find_laws)
        for memory in ("8G", 8e9, -1, True)
    },
}


@pytest.mark.parametrize(("build", "message"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_value_is_refused_where_it_is_given(
    build: Callable[[], object], message: str
) -> None:
    with pytest.raises(SpecError) as caught:
        build()
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_endless_branches_are_refused_before_python_gives_up() -> None:
    layer: Layer = Linear(2)
    for _ in range(50):
        layer = Branch((layer,))
    assert Layers((2,), (layer,)).parameters == 4
    too_deep = Branch((layer,))
    for build in (lambda: Layers((2,), (too_deep,)), lambda: Branch((too_deep,))):
        with pytest.raises(SpecError, match="layers: expected at most 50 branches inside one"):
            build()


@pytest.mark.parametrize(
    ("word", "known", "meant"),
    [
        ("ReLU", ACTIVATIONS, "relu"),
        ("leaky-ReLU", ACTIVATIONS, "leaky_relu"),
        ("CE", LOSSES, "cross_entropy"),
        ("cross", LOSSES, "cross_entropy"),
        ("log", LOSSES, "logistic"),
        ("mae", LOSSES, "mse"),
        ("hiden", ("false", "hidden", "all"), "hidden"),
        ("", LOSSES, None),
        ("l", LOSSES, None),
        ("tanh", ACTIVATIONS, None),
        ("hinge", LOSSES, None),
    ],
)
def test_the_word_that_is_meant(word: str, known: tuple[str, ...], meant: str | None) -> None:
    assert near(word, known) == (f" (did you mean {meant}?)" if meant else "")


# ---- equal values

PAIRS: list[tuple[Callable[[], Any], Any]] = [
    (lambda: MLP(any_value([3, 4, 2])), MLP((3, 4, 2))),
    (
        lambda: MLP(any_value([3, 4, 4, 2]), any_value(["relu", "linear"])),
        MLP((3, 4, 4, 2), ("relu", "linear")),
    ),
    (lambda: MLP(any_value([3, 2]), any_value([])), MLP((3, 2), ())),
    (lambda: Layers(any_value([3]), any_value([Linear(2)])), Layers((3,), (Linear(2),))),
    (
        lambda: Convolution(2, any_value([2, 1]), any_value([1, 1])),
        Convolution(2, (2, 1), (1, 1)),
    ),
    (lambda: Pool(any_value([2]), any_value([1])), Pool((2,), (1,))),
    (
        lambda: Layers((2,), any_value([Branch(any_value([Linear(3), Branch(any_value([RELU])), Linear(2)]))])),
        Layers((2,), (Branch((Linear(3), Branch((RELU,)), Linear(2))),)),
    ),
    (lambda: CustomMap(any_value(["u", "v"]), any_value(["u*v"])), CustomMap(("u", "v"), ("u*v",))),
    (lambda: CustomMap(any_value([]), any_value(["u*v"])), CustomMap((), ("u*v",))),
    (
        lambda: CustomFields(any_value([]), any_value([["y", "-x"], ("x", "y")])),
        CustomFields(("x", "y"), (("y", "-x"), ("x", "y"))),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("build", "tuples"), PAIRS, ids=lambda value: getattr(value, "name", ""))
def test_lists_become_tuples(build: Callable[[], Any], tuples: Any) -> None:
    listed = build()
    assert listed == tuples
    assert hash(listed) == hash(tuples)
    if hasattr(listed, "describe"):
        assert count_laws(listed).to_dict() | {"seconds": 0} == count_laws(tuples).to_dict() | {
            "seconds": 0
        }


def test_a_memory_budget_of_nothing_is_one() -> None:
    assert count_laws(MLP((10**4, 10**4, 10)), memory=0).laws == 10**4


# ---- the keys of a row are a spec

SIZE = st.integers(1, 4)


@st.composite
def dense_layers(draw: st.DrawFn, units: int, levels: int = 2) -> list[Layer]:
    """Return layers that read and give a vector; the last width is drawn."""
    found: list[Layer] = []
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(["dense", "word", "flatten", "residual"]))
        if kind == "dense":
            units = draw(SIZE)
            found.append(Linear(units, draw(st.booleans())))
        elif kind == "word":
            found.append(Activation(draw(st.sampled_from(ACTIVATIONS))))
        elif kind == "flatten":
            found.append(Flat())
        elif levels:
            inner = draw(dense_layers(units, levels - 1))
            found.append(Branch((*inner, Linear(units))))
    return found


@st.composite
def layered(draw: st.DrawFn) -> Layers:
    shape = tuple(draw(st.lists(SIZE, min_size=1, max_size=3)))
    space, found = len(shape) - 1, list[Layer]()
    if space:
        sizes = st.tuples(*[st.integers(1, 2)] * space)
        window = st.builds(
            Convolution, SIZE, sizes, sizes, st.sampled_from(PADDINGS), st.booleans()
        )
        pool = st.builds(Pool, sizes | st.tuples(st.just(1)), st.tuples(st.just(1)))
        found += draw(st.lists(window | pool | st.just(RELU), max_size=3))
        found += [Branch((Convolution(shape[0], (1,) * space, (1,) * space),)), Flat()]
    found += draw(dense_layers(1))
    try:
        return Layers(shape, tuple(found), draw(st.sampled_from(LOSSES)))
    except SpecError:
        assume(False)
        raise


@st.composite
def perceptrons(draw: st.DrawFn) -> MLP:
    widths = tuple(draw(st.lists(st.integers(1, 10**9), min_size=2, max_size=5)))
    name = st.sampled_from(ACTIVATIONS)
    activation = draw(name | st.tuples(*[name] * (len(widths) - 2)))
    return MLP(widths, activation, draw(st.sampled_from(BIASES)), draw(st.sampled_from(LOSSES)))


NAMES = st.lists(
    st.sampled_from(["x", "y", "true", "null", "no", "e1", "é", "θ_1", "b1", "v" * 300]),
    min_size=2,
    max_size=4,
    unique=True,
).map(tuple)


@st.composite
def maps(draw: st.DrawFn) -> CustomMap:
    names = draw(NAMES)
    texts = [f"{a}*{b}**2 - 3/{a}" for a, b in pairwise(names)]
    return CustomMap(names, tuple(texts))


@st.composite
def fields(draw: st.DrawFn) -> CustomFields:
    names = draw(NAMES)
    return CustomFields(names, (names[::-1], tuple(f"-{name}" for name in names)))


@st.composite
def random_fields(draw: st.DrawFn) -> RandomFields:
    dimension, count, degree = draw(
        st.sampled_from(
            [(2000, 1, 0), (300, 1, 1), (1, 10**4, 3), (1, 5, 100), (3, 2, 2), (2, 1, 0)]
        )
    )
    return RandomFields(dimension, count, degree, draw(st.integers(0, 2**32 - 1)))


ARCHITECTURES = (
    perceptrons()
    | layered()
    | st.builds(Attention, SIZE, st.integers(1, 4096), SIZE)
    | maps()
    | fields()
    | random_fields()
)


@settings(max_examples=150, deadline=None)
@given(ARCHITECTURES)
def test_the_keys_of_a_row_are_a_spec(architecture: Any) -> None:
    row = json.dumps(architecture.describe(), ensure_ascii=False)
    (read,) = parse(row, "row.yaml").architectures
    assert read == replace(architecture, name="")
    assert type(read) is type(architecture)


def test_a_network_without_a_hidden_layer_may_have_a_list_of_no_activations() -> None:
    assert parse("{widths: [3, 2], activation: []}", "s.yaml").architectures == (MLP((3, 2), ()),)


# ---- names, types, texts


def test_the_public_names_are_shown_before_they_are_used() -> None:
    code = "import conslaw_cli, sys; print(*dir(conslaw_cli)); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert set(conslaw_cli.__all__) <= set(done.stdout.split())
    own = {name for name in done.stderr.split() if name.startswith("conslaw_cli")}
    assert own == {"conslaw_cli"}
    assert not {"numpy", "flint", "sympy", "yaml", "click"} & set(done.stderr.split())


@pytest.mark.parametrize("name", conslaw_cli.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(conslaw_cli, name) is not None


def test_other_names_are_not() -> None:
    with pytest.raises(AttributeError, match="no attribute 'count_flaws'"):
        any_value(conslaw_cli).count_flaws  # noqa: B018


def test_a_count_as_a_mapping_and_on_one_line() -> None:
    row = count_laws(MLP((3, 4, 2), "relu", name="two\nlines"))
    assert row.to_json() == row.to_dict()
    assert repr(row) == (
        r"<LawCount 'two\nlines': D = 20, dim Lie = 16, laws = 4 (4 known), proved>"
    )
    failed = LawCount("a", {}, 0, "1", 0.5, "failed", reason="time limit of 10 s reached")
    assert repr(failed) == "<LawCount 'a': failed>"
    assert len(repr(count_laws(MLP((2,) * 60)))) < 200
