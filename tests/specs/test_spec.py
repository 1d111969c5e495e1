"""What a spec may say, what it means, and how every mistake in one is reported."""

# ruff: noqa: E501 - messages are compared as literals, one to a line.

from __future__ import annotations

import io
import json
import subprocess
import sys
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conslaw_cli.errors import SpecError
from conslaw_cli.families.mlp import BIASES, LOSSES, MLP
from conslaw_cli.networks.operations.elementwise import ACTIVATIONS
from conslaw_cli.problems.problem import Problem
from conslaw_cli.specs import spec
from conslaw_cli.specs.flags import Sweep, from_flags
from conslaw_cli.specs.spec import load, parse

CONFIGS = Path(__file__).parents[2] / "configs"


def names(text: str) -> list[str]:
    return [architecture.name for architecture in parse(text, "s.yaml").architectures]


def message(text: str) -> str:
    with pytest.raises(SpecError) as caught:
        parse(text, "s.yaml")
    return str(caught.value)


# ---- one architecture


@st.composite
def networks(draw: st.DrawFn) -> MLP:
    widths = tuple(draw(st.lists(st.integers(1, 10**9), min_size=2, max_size=6)))
    name = st.sampled_from(ACTIVATIONS)
    per_layer = st.tuples(*[name] * (len(widths) - 2)) if len(widths) > 2 else name
    activation = draw(name | per_layer)
    bias, loss = draw(st.sampled_from(BIASES)), draw(st.sampled_from(LOSSES))
    printable = st.text(st.characters(categories=["L", "N", "P", "S"]), max_size=20)
    return MLP(widths, activation, bias, loss, name=draw(printable))


@given(networks())
def test_a_network_written_as_yaml_reads_as_itself(network: MLP) -> None:
    text = json.dumps({"name": network.name, **network.describe()}, ensure_ascii=False)
    assert parse(text, "a/b.yaml") == Sweep("b", (Problem(network),))


@given(networks())
def test_a_network_written_as_flags_reads_as_itself(network: MLP) -> None:
    one = isinstance(network.activation, str) or len(network.activation) == 1
    activation = network.activations[0] if one and network.activations else "relu"
    activation = activation if one else ",".join(network.activations)
    flags = from_flags(
        ",".join(map(str, network.widths)), activation, str(network.bias).lower(), network.loss
    )
    assert flags.widths == network.widths
    assert flags.activations == network.activations or not network.activations
    assert (flags.bias, flags.loss) == (network.bias, network.loss)


def test_defaults() -> None:
    assert parse("widths: [3, 4, 2]", "s.yaml") == Sweep("s", (Problem(MLP((3, 4, 2))),), seed=0)


def test_every_key_of_an_architecture() -> None:
    text = """
        widths: [3, 4, 5, 2]
        activation: [relu, linear]
        bias: all
        loss: logistic
        name: a label
        source: >-
          a place
          in the literature
        expect: 15
        seed: 7
    """
    network = MLP((3, 4, 5, 2), ("relu", "linear"), "all", "logistic", "a label")
    sources = {"a label": "a place in the literature"}
    assert parse(text, "s.yaml") == Sweep(
        "s", (Problem(network),), 7, {"a label": 15}, sources=sources
    )


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("true", "hidden"),
        ("True", "hidden"),
        ("hidden", "hidden"),
        ("all", "all"),
        ("false", False),
        ("none", False),
    ],
)
def test_bias(written: str, meant: Any) -> None:
    assert parse(f"{{widths: [1, 2, 1], bias: {written}}}", "s.yaml").architectures == (
        MLP((1, 2, 1), bias=meant),
    )
    assert from_flags("1,2,1", "relu", written.lower(), "mse").bias == meant


def test_integers_follow_yaml_1_2() -> None:
    assert names("widths: [010, 0x10, 0o10, +3]") == ["relu 10-16-8-3"]


# ---- sweeps


def test_parts_come_in_the_order_of_the_file_and_equal_rows_once() -> None:
    text = """
        grid: {depth: 1, widths: [2, 1]}
        name: mine
        seed: 3
        architectures:
          - {widths: [1, 1], expect: 0}
          - {widths: [1, 1], name: again}
          - {widths: [5, 5]}
    """
    sweep = parse(text, "s.yaml")
    labels = [architecture.name for architecture in sweep.architectures]
    assert labels == ["relu 2-2", "relu 2-1", "relu 1-2", "relu 1-1", "again", "relu 5-5"]
    assert (sweep.name, sweep.seed, sweep.expected) == ("mine", 3, {"relu 1-1": 0})


def test_a_grid_is_the_product_of_its_alternatives() -> None:
    text = """
        grid:
          - widths: [[3, 4, 2], [1, 1, 1]]
            activation: [linear, [relu]]
            bias: [false, all]
            loss: [mse, cross_entropy]
          - {depth: {from: 1, to: 2}, widths: {from: 8, to: 9}, activation: linear}
    """
    listed = [
        MLP(widths, activation, bias, loss)
        for widths in ((3, 4, 2), (1, 1, 1))
        for activation in ("linear", ("relu",))
        for bias in (False, "all")
        for loss in ("mse", "cross_entropy")
    ]
    by_layer = [
        MLP(widths, "linear") for depth in (1, 2) for widths in product((8, 9), repeat=depth + 1)
    ]
    assert list(parse(text, "s.yaml").architectures) == listed + by_layer


widths_of_layers = st.lists(st.integers(1, 9), min_size=1, max_size=4, unique=True)


@given(st.lists(st.integers(1, 4), min_size=1, max_size=3), widths_of_layers)
def test_up_to_reversal_keeps_one_of_each_chain_and_its_reversal(
    depths: list[int], widths: list[int]
) -> None:
    grid = {"depth": depths, "widths": widths, "activation": "linear"}
    every = {a.widths for a in parse(json.dumps({"grid": grid}), "s.yaml").architectures}  # type: ignore[attr-defined]
    folded = parse(json.dumps({"grid": {**grid, "up_to_reversal": True}}), "s.yaml").architectures
    kept = [a.widths for a in folded]  # type: ignore[attr-defined]
    assert every == {chain for depth in depths for chain in product(widths, repeat=depth + 1)}
    assert {min(chain, chain[::-1]) for chain in every} == {
        min(chain, chain[::-1]) for chain in kept
    }
    assert len({min(chain, chain[::-1]) for chain in kept}) == len(kept)


@given(
    st.lists(st.integers(1, 4), min_size=1, max_size=3, unique=True),
    widths_of_layers,
    st.booleans(),
)
def test_a_sweep_is_counted_exactly_before_it_is_built(
    depths: list[int], widths: list[int], folded: bool
) -> None:
    grid = {
        "depth": depths,
        "widths": widths,
        "activation": "linear",
        "up_to_reversal": folded,
        "loss": ["mse", "logistic"],
    }
    text = json.dumps({"grid": grid})
    rows = parse(text, "s.yaml").architectures
    for limit, what, number in (
        ("MAX_ARCHITECTURES", "architectures", len(rows)),
        ("MAX_WIDTHS", "widths", sum(len(row.describe()["widths"]) for row in rows)),
    ):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(spec, limit, 0)
            assert (
                message(text)
                == f"s.yaml:1:10: grid: expected at most 0 {what} in a sweep, got {number:,}"
            )


# ---- random draws


def notebook(upper: int, with_bias: bool) -> list[tuple[tuple[int, ...], bool]]:
    """Draw as the authors' notebook does, from NumPy's global generator."""
    state = np.random.get_state()
    np.random.seed(0)
    rows = []
    for _ in range(50):
        depth = np.random.randint(2, 5)
        widths = tuple(int(np.random.randint(2, upper)) for _ in range(depth + 1))
        rows.append((widths, with_bias and np.random.random() < 0.5))
    np.random.set_state(state)
    return rows


@pytest.mark.parametrize(("name", "upper", "with_bias"), [("linear", 6, False), ("relu", 10, True)])
def test_the_notebooks_draws(name: str, upper: int, with_bias: bool) -> None:
    drawn = load(str(CONFIGS / f"{name}.yaml")).architectures[:50]
    expected = [
        MLP(widths, name, "hidden" if bias else False).describe()
        for widths, bias in notebook(upper, with_bias)
    ]
    assert [architecture.describe() for architecture in drawn] == expected


def test_the_first_draws_of_the_notebook_as_literals() -> None:
    linear, relu = (
        load(str(CONFIGS / f"{name}.yaml")).architectures for name in ("linear", "relu")
    )
    assert [row.name for row in linear[:3]] == [
        "notebook 01: linear 5-3-2",
        "notebook 02: linear 5-3-4-2",
        "notebook 03: linear 2-2-2-4-3",
    ]
    assert [row.name for row in relu[:3]] == [
        "notebook 01: relu 9-7-2",
        "notebook 02: relu 5-7-4-6 bias",
        "notebook 03: relu 2-6-4 bias",
    ]


def test_draws_lie_in_their_ranges_and_reach_both_ends() -> None:
    text = """
        random:
          {count: 300, depth: {from: 1, to: 3}, widths: {from: 4, to: 6}, bias_probability: 0.5, loss: logistic}
    """
    rows = [architecture.describe() for architecture in parse(text, "s.yaml").architectures]
    assert len(rows) == 300
    assert {len(row["widths"]) - 1 for row in rows} == {1, 2, 3}
    assert {width for row in rows for width in row["widths"]} == {4, 5, 6}
    assert {row["bias"] for row in rows} == {False, "hidden"}
    assert {(row["activation"], row["loss"]) for row in rows} == {("relu", "logistic")}


def test_equal_draws_stay_distinct_rows() -> None:
    text = "random: {name: d, count: 3, depth: 1, widths: 2, activation: linear}"
    assert names(text) == ["d 01: linear 2-2", "d 02: linear 2-2", "d 03: linear 2-2"]


@pytest.mark.parametrize("rng", ["numpy", "numpy-legacy"])
def test_draws_depend_on_their_seed_alone(rng: str) -> None:
    draw = "{name: %s, count: 9, depth: 3, widths: {from: 1, to: 99}, rng: %s, seed: %d}"
    first, other = draw % ("a", rng, 5), draw % ("b", rng, 6)
    alone = names(f"{{random: {first}, seed: 1}}")
    assert names(f"{{random: [{other}, {first}], seed: 2}}")[9:] == alone
    assert [label[1:] for label in names(f"random: {other}")] != [label[1:] for label in alone]


def test_bias_probability_at_its_ends() -> None:
    draw = "random: {{count: 20, depth: 2, widths: 3, bias_probability: {}}}"
    for probability, bias in (("0", False), ("1", "hidden"), ("0e-5", False), ("1.0", "hidden")):
        rows = parse(draw.format(probability), "s.yaml").architectures
        assert {row.describe()["bias"] for row in rows} == {bias}


# ---- configs


def test_the_papers_experiments() -> None:
    for name, widths, biases in (
        ("linear", range(2, 7), {False}),
        ("relu", range(2, 11), {False, "hidden"}),
    ):
        sweep = load(str(CONFIGS / f"{name}.yaml"))
        assert (sweep.name, len(sweep.architectures)) == (name, 100)
        paper = [row.describe() for row in sweep.architectures[50:]]
        assert {width for row in paper for width in row["widths"]} == set(widths)
        assert {len(row["widths"]) - 1 for row in paper} == {2, 3, 4, 5}
        assert {row["bias"] for row in paper} == biases
        assert {row["activation"] for row in paper} == {name}


def test_every_example_has_its_count() -> None:
    sweep = load(str(CONFIGS / "examples.yaml"))
    assert sweep.expected.keys() == {row.name for row in sweep.architectures}
    for row in sweep.architectures:
        m, *hidden, n = row.describe()["widths"]
        if row.describe()["activation"] != "linear":
            assert sweep.expected[row.name] == sum(hidden), (
                "Proposition 4.1: one law for each hidden neuron"
            )
        elif len(hidden) == 1:
            r, rk = hidden[0], min(n + m, hidden[0])
            assert sweep.expected[row.name] == rk * (2 * r + 1 - rk) // 2, "Proposition 4.2"
        else:
            assert sweep.expected[row.name] == sum(r * (r + 1) // 2 for r in hidden), (
                "Proposition 4.1"
            )


def test_the_atlas_is_complete_up_to_reversal() -> None:
    chains = [
        tuple(row.describe()["widths"])
        for row in load(str(CONFIGS / "atlas-linear.yaml")).architectures
    ]
    assert len(chains) == len(set(chains)) == 4858
    limits = {0: 4, 1: 8, 2: 6, 3: 4, 4: 4, 5: 3, 6: 2}
    expected = {
        min(chain, chain[::-1])
        for hidden, width in limits.items()
        for chain in product(range(1, width + 1), repeat=hidden + 2)
    }
    assert set(chains) == expected


# ---- mistakes

WIDTH = "widths: expected an integer from 1 to 1000000000, got"
KINDS = (
    "expected an architecture (key widths, layers, attention, phi, fields, random_fields) "
    "or a sweep (keys architectures, grid, random), got"
)
TOP = (
    "architectures, grid, random, name, source, seed, laws, published, expect, flow, widths, activation, bias, loss,"
    " input, layers, attention, phi, fields, random_fields"
)
BIAS = "bias: expected one of false, none, true, hidden, all, got"
DRAW = "count: 3, depth: 2, widths: 3"

MISTAKES = {
    # widths
    "widths: [3, 0, 2]": f"1:13: {WIDTH} 0",
    "widths: [3, -1]": f"1:13: {WIDTH} -1",
    "widths:\n  - 2.5\n  - 1": f"2:5: {WIDTH} 2.5",
    "widths: [1e3, 2]": f"1:10: {WIDTH} 1e3",
    "widths: [3x4, 2]": f"1:10: {WIDTH} '3x4'",
    "widths: ['3', 2]": f"1:10: {WIDTH} '3'",
    "widths: [1:30, 2]": f"1:10: {WIDTH} '1:30'",
    "widths: [true, 2]": f"1:10: {WIDTH} true",
    "widths: [.nan, 2]": f"1:10: {WIDTH} .nan",
    "widths: [NaN, 2]": f"1:10: {WIDTH} 'NaN'",
    "widths: [-.inf, 2]": f"1:10: {WIDTH} -.inf",
    f"widths: [1{'0' * 30}, 2]": f"1:10: {WIDTH} 1{'0' * 30}",
    f"widths: [{'9' * 5000}, 2]": (
        f"1:10: widths: expected a number of at most 300 digits, got '{'9' * 60}…' (5000 digits)"
    ),
    "widths: [, 2]": (
        "1:10: not valid YAML: while parsing a flow node: expected the node content, but found ','"
    ),
    "widths: [[3, 4, 2]]": f"1:10: {WIDTH} a list of 3",
    "widths: 3x4": "1:9: widths: expected a list of widths such as [3, 4, 2], got '3x4'",
    "widths: []": "1:9: widths: expected a list of widths such as [3, 4, 2], got an empty list",
    "widths:": "1:8: widths: expected a list of widths such as [3, 4, 2], got nothing",
    "widths: ~": "1:9: widths: expected a list of widths such as [3, 4, 2], got ~",
    "widths: {from: 1, to: 3}": (
        "1:9: widths: expected a list of widths such as [3, 4, 2], got a mapping"
    ),
    "widths: [3]": "1:9: widths: need an input and an output width, got [3]",
    # the other keys of a network
    "widths: [3, 4, 2]\nactivation: rellu": (
        "2:13: activation: expected one of linear, identity, relu, leaky_relu, abs, homogeneous, exp, smooth, power:2,"
        " got 'rellu' (did you mean relu?)"
    ),
    "{widths: [3, 4, 2], bias: yes}": f"1:27: {BIAS} 'yes' (did you mean true?)",
    "{widths: [3, 4, 2], bias: off}": f"1:27: {BIAS} 'off' (did you mean false?)",
    "{widths: [3, 4, 2], bias: 1}": f"1:27: {BIAS} 1",
    "{widths: [3, 4, 2], loss: mae}": (
        "1:27: loss: expected one of mse, logistic, cross_entropy, got 'mae' (did you mean mse?)"
    ),
    "{widths: [3, 4, 2], expect: -1}": "1:29: expect: expected an integer of at least 0, got -1",
    "{widths: [3, 4, 2], seed: 4294967296}": (
        "1:27: seed: expected an integer from 0 to 4294967295, got 4294967296"
    ),
    '{widths: [3, 4, 2], name: "a\\e[31m"}': (
        "1:27: name: expected one line of text, at most 200 characters, got 'a\\x1b[31m'"
    ),
    '{widths: [3, 4, 2], name: "\\uD800"}': (
        "1:27: name: expected one line of text, at most 200 characters, got '\\ud800'"
    ),
    "{widths: [3, 4, 2], source: []}": "1:29: source: expected text, got an empty list",
    # keys
    "width: [3, 4, 2]": f"1:1: unknown key 'width' (did you mean widths?); expected one of {TOP}",
    "architectrues: []": (
        f"1:1: unknown key 'architectrues' (did you mean architectures?); expected one of {TOP}"
    ),
    "{widths: [1, 1], 3: 4}": (
        "1:18: unknown key '3'; expected one of widths, activation, bias, loss, flow, name, source,"
        " expect, seed"
    ),
    "{widths: [1, 1], <<: {}}": (
        "1:18: unknown key '<<'; expected one of widths, activation, bias, loss, flow, name, source,"
        " expect, seed"
    ),
    "{grid: {depth: 1, widths: 1}, widths: [1, 1]}": (
        "1:31: unknown key 'widths'; expected one of name, source, seed, laws, published, architectures,"
        " grid, random"
    ),
    "widths: [1, 2]\nbias: all\nwidths: [3, 4]": (
        "3:1: key 'widths' is given twice, first on line 1"
    ),
    "? [a]\n: 1": "1:3: expected a key, got a list of 1",
    "architectures:\n  - {bias: all}": "2:5: architectures: key 'widths' is missing",
    # documents
    "": f"1:1: {KINDS} nothing",
    "# nothing\n": f"1:1: {KINDS} nothing",
    "---\n...\n": f"2:1: {KINDS} nothing",
    "- widths: [1, 2]": f"1:1: {KINDS} a list of 1",
    "3,4,2": f"1:1: {KINDS} '3,4,2'",
    "name: only": f"1:1: {KINDS} a mapping",
    "--- {widths: [1, 1]}\n--- {widths: [1, 2]}": "2:1: a second document; expected one per file",
    "widths: [1, 2": (
        "1:14: not valid YAML: while parsing a flow sequence: expected ',' or ']', but got '<stream"
        " end>'"
    ),
    "widths: [1, 2]\n\tbias: all": (
        "2:1: not valid YAML: while scanning for the next token: found character '\\t' that cannot"
        " start any token"
    ),
    "widths: a: b": "1:10: not valid YAML: mapping values are not allowed here",
    "widths: [1, 2]\nname: a\0b": "2:8: not valid YAML: character '\\x00' is not allowed",
    'name: "\\UFFFFFFFF"': "1:10: not valid YAML: an escape or a version number is out of range",
    "!!python/object/apply:os.system [ls]": (
        "1:1: tag 'tag:yaml.org,2002:python/object/apply:os.system': tags are not supported"
    ),
    "widths: !mine [1, 2]": "1:9: tag '!mine': tags are not supported",
    "a: &a [1, *a]": "1:11: alias *a stands inside its own anchor",
    "a: *b": "1:4: alias *b: no anchor &b stands before it",
    "[" * 100_000: "1:21: nested more than 20 levels deep",
    # sweeps
    "architectures: []": "1:16: architectures: expected a list of architectures, got an empty list",
    "architectures: {widths: [1, 2]}": (
        "1:16: architectures: expected a list of architectures, got a mapping"
    ),
    "architectures: [3]": (
        "1:17: architectures: expected a mapping with keys such as widths, activation, bias, loss,"
        " got 3"
    ),
    "{name: ../up, grid: {depth: 1, widths: 1}}": (
        "1:8: name: expected a name of letters, digits, '.', '_' and '-', for the file of results,"
        " got '../up'"
    ),
    "architectures:\n- {widths: [1, 2], name: a}\n- {widths: [2, 2], name: a}": (
        "3:3: architectures: name 'a' belongs to an earlier, different architecture;"
        " give each a name of its own"
    ),
    "architectures:\n- {widths: [1, 2], expect: 0}\n- {widths: [1, 2], expect: 1}": (
        "3:3: architectures: expect 1, but 0 was expected for the same 'relu 1-2'"
    ),
    # grids
    "grid: []": "1:7: grid: expected a list of one or more values, got an empty list",
    "grid: 7": (
        "1:7: grid: expected a mapping with keys such as depth, widths, up_to_reversal, activation,"
        " got 7"
    ),
    "grid: {depth: 2}": "1:7: grid: key 'widths' is missing",
    "grid: {widths: [5]}": (
        "1:17: widths: expected a list of widths such as [3, 4, 2] (without depth, every"
        " alternative is one), got 5"
    ),
    "grid: {widths: {from: 1, to: 4}}": (
        "1:16: widths: expected a list of width lists such as [[3, 4, 2], [2, 2]] (or of numbers,"
        " with depth), got a mapping"
    ),
    "grid: {depth: 0, widths: 1}": "1:15: depth: expected an integer from 1 to 10000, got 0",
    "grid: {depth: {from: 4, to: 1}, widths: 3}": (
        "1:15: depth: expected 'from' at most 'to', got 4 and 1"
    ),
    "grid: {depth: {from: 4}, widths: 3}": "1:15: depth: key 'to' is missing",
    "grid: {depth: 1..4, widths: 3}": (
        "1:15: depth: expected an integer from 1 to 10000, got '1..4'"
    ),
    "grid: {depth: 2, widths: {from: 1, to: 10000}}": (
        "1:7: grid: expected at most 1,000,000 architectures in a sweep, got 1,000,000,000,000"
    ),
    "grid: {depth: 10000, widths: {from: 1, to: 1000000000}}": (
        "1:7: grid: expected at most 1,000,000 architectures in a sweep, got more than 10^30"
    ),
    "grid: {depth: {from: 1, to: 10000}, widths: 1}": (
        "1:7: grid: expected at most 10,000,000 widths in a sweep, got 50,015,000"
    ),
    "grid: {depth: 3, widths: [1, 2], activation: [[relu], linear]}": (
        "1:46: activation: expected 2 names, one per hidden layer, got 1: ['relu']"
    ),
    "grid: {depth: 3, widths: [1, 2], bias: [], activation: [[]]}": (
        "1:40: bias: expected a list of one or more values, got an empty list\ns.yaml:1:57:"
        " activation: expected a list of activations, one per hidden layer, got an empty list"
    ),
    **{
        f"grid: {{depth: 2, widths: 1, up_to_reversal: true, {key}}}": (
            "1:29: up_to_reversal: expected no biases, one activation for all layers and no"
            " cross_entropy; other networks may have other laws than their reversals"
        )
        for key in ("loss: cross_entropy", "loss: [mse, cross_entropy]", "activation: [[relu]]")
    },
    **{
        f"grid: {{widths: [[3, 4, 2]], expect: closed form, {key}}}": (
            "1:37: expect: a closed form is known for linear networks without biases and"
            f" cross_entropy only, not for {name}"
        )
        for key, name in {
            "activation: relu": "relu 3-4-2",
            "activation: [linear, abs]": "abs 3-4-2",
            "activation: linear, bias: hidden": "linear 3-4-2 bias",
            "activation: linear, loss: cross_entropy": "linear 3-4-2 cross_entropy",
        }.items()
    },
    "grid: {depth: 2, widths: 1, up_to_reversal: true, bias: all}": (
        "1:29: up_to_reversal: expected no biases, one activation for all layers and no"
        " cross_entropy; other networks may have other laws than their reversals"
    ),
    # random draws
    "random: {count: 3}": (
        "1:9: random: key 'depth' is missing\ns.yaml:1:9: random: key 'widths' is missing"
    ),
    "random: {count: 1000000000000, depth: 2, widths: 3}": (
        "1:9: random: expected at most 1,000,000 architectures in a sweep, got 1,000,000,000,000"
    ),
    "random: {count: 5000, depth: {from: 2, to: 5000}, widths: 3}": (
        "1:9: random: expected at most 10,000,000 widths in a sweep, got 25,005,000"
    ),
    f"random: {{{DRAW}, bias_probability: 1.5}}": (
        "1:59: bias_probability: expected a probability from 0 to 1, got 1.5"
    ),
    f"random: {{{DRAW}, bias_probability: .nan}}": (
        "1:59: bias_probability: expected a probability from 0 to 1, got .nan"
    ),
    f"random: {{{DRAW}, bias_probability: true}}": (
        "1:59: bias_probability: expected a probability from 0 to 1, got true"
    ),
    f"random: {{{DRAW}, rng: legacy}}": (
        "1:46: rng: expected one of numpy, numpy-legacy, got 'legacy' (did you mean numpy-legacy?)"
    ),
    "random: {count: 3, depth: 2, widths: [3, 4]}": f"1:38: {WIDTH} a list of 2",
    f"random: [{{{DRAW}}}, {{{DRAW}}}]": (
        "1:43: random: name 'random' belongs to earlier draws; expected one of its own"
    ),
}


@pytest.mark.parametrize("text", MISTAKES, ids=lambda text: repr(text[:60]))
def test_a_mistake_is_reported_with_its_place(text: str) -> None:
    assert message(text) == f"s.yaml:{MISTAKES[text]}"


def test_all_faults_are_reported_at_once() -> None:
    text = """\
architectures:
  - {widths: [0, 2, x], bais: all}
  - {widths: [1, 1], loss: mae}
grid: {depth: 0}
"""
    assert message(text).splitlines() == [
        f"s.yaml:2:15: {WIDTH} 0",
        f"s.yaml:2:21: {WIDTH} 'x'",
        (
            "s.yaml:2:25: unknown key 'bais' (did you mean bias?); expected one of widths,"
            " activation, bias, loss, flow, name, source, expect"
        ),
        (
            "s.yaml:3:28: loss: expected one of mse, logistic, cross_entropy, got 'mae' (did you"
            " mean mse?)"
        ),
        "s.yaml:4:15: depth: expected an integer from 1 to 10000, got 0",
        "s.yaml:4:7: grid: key 'widths' is missing",
    ]


def test_many_faults_are_cut() -> None:
    lines = message("architectures:\n" + "- {widths: [0, 1]}\n" * 300).splitlines()
    assert (len(lines), lines[0], lines[-1]) == (21, f"s.yaml:2:13: {WIDTH} 0", "… and 280 more")


def test_aliases_may_repeat_but_not_explode() -> None:
    assert names("architectures: [{widths: &w [3, 4, 2]}, {widths: *w, bias: all}]") == [
        "relu 3-4-2",
        "relu 3-4-2 bias=all",
    ]
    bomb = "a: &a [lol]\n" + "".join(
        f"{c}: &{c} [{', '.join([f'*{p}'] * 9)}]\n"
        for p, c in zip("abcdefgh", "bcdefghi", strict=True)
    )
    assert message(bomb) == "s.yaml:7:12: more than 200,000 values, aliases written out"


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (
            ("3x4-2", "relu", "none", "mse"),
            "--widths: expected positive integers such as 3,4,2, got '3x4-2'",
        ),
        (
            ("3,,2", "relu", "none", "mse"),
            "--widths: expected positive integers such as 3,4,2, got '3,,2'",
        ),
        (
            ("3,-1", "relu", "none", "mse"),
            "--widths: expected positive integers such as 3,4,2, got '3,-1'",
        ),
        (
            ("3,2.5", "relu", "none", "mse"),
            "--widths: expected positive integers such as 3,4,2, got '3,2.5'",
        ),
        (
            ("٣,2", "relu", "none", "mse"),
            "--widths: expected positive integers such as 3,4,2, got '٣,2'",
        ),
        (("", "relu", "none", "mse"), "--widths: expected positive integers such as 3,4,2, got ''"),
        (("3,0", "relu", "none", "mse"), "--widths: expected positive integers, got 0"),
        (("3", "relu", "none", "mse"), "--widths: need an input and an output width, got [3]"),
        (
            ("3,4,2", "relu", "yes", "mse"),
            "--bias: expected one of false, none, true, hidden, all, got 'yes'",
        ),
        (
            ("3,4,2", "relu", "all", "mae"),
            "--loss: expected one of mse, logistic, cross_entropy, got 'mae' (did you mean mse?)",
        ),
        (
            ("3,4,4,2", "relu,tanh", "all", "mse"),
            (
                "--activation: expected one of linear, identity, relu, leaky_relu, abs,"
                " homogeneous, exp, smooth, power:2, got 'tanh'"
            ),
        ),
    ],
)
def test_a_mistake_in_a_flag_is_reported(flags: tuple[str, str, str, str], expected: str) -> None:
    with pytest.raises(SpecError) as caught:
        from_flags(*flags)
    assert str(caught.value) == expected


@pytest.mark.parametrize(
    "widths", ["3,4,2", "3-4-2", "3x4x2", "3×4×2", "[3, 4, 2]", "(3,4,2)", "3 4 2"]
)
def test_widths_are_read_as_they_are_printed(widths: str) -> None:
    assert from_flags(widths, "relu", "false", "mse") == MLP((3, 4, 2))


@pytest.mark.parametrize(
    "widths", ["3-4,2", "3--4", "3-", "-3-4", "3xx4", "[3,4", "3,4]", "[]", "3;4", "a-b", "3.4"]
)
def test_what_is_no_list_of_widths_is_refused(widths: str) -> None:
    with pytest.raises(SpecError, match="--widths: expected positive integers such as 3,4,2"):
        from_flags(widths, "relu", "false", "mse")


@given(networks())
def test_a_network_is_read_as_its_name_is_printed(network: MLP) -> None:
    """``linear/relu 3-4-5-2``: what a table says of a network are flags for it."""
    activation, widths, *_ = replace(network, name="").name.split()
    again = from_flags(widths, activation, str(network.bias), network.loss)
    assert (again.activations, again.widths) == (network.activations, network.widths)


def test_flags_and_files_forgive_capitals_and_keep_the_word() -> None:
    network = MLP((3, 4, 4, 2), ("leaky_relu", "linear"), "all", "cross_entropy")
    assert from_flags("3,4,4,2", "Leaky_ReLU, LINEAR", "All", "Cross_Entropy") == network
    text = (
        "{widths: [3, 4, 4, 2], activation: [Leaky_ReLU, LINEAR], bias: ALL, loss: Cross_entropy}"
    )
    assert parse(text, "s.yaml").architectures == (network,)
    grid = "grid: {depth: 1, widths: 2, activation: Linear, bias: FALSE, loss: MSE, expect: Closed Form}"
    assert parse(grid, "s.yaml").expected == {"linear 2-2": 0}
    shouted = "{input: {channels: 1, length: 3}, layers: [conv1d: {channels: 1, kernel: 2, padding: SAME}, ReLU, Flatten, dense: {units: 2, bias: TRUE}]}"
    assert parse(shouted, "s.yaml") == parse(
        shouted.replace("SAME", "same")
        .replace("ReLU", "relu")
        .replace("Fl", "fl")
        .replace("TRUE", "true"),
        "s.yaml",
    )


@pytest.mark.parametrize(
    ("flags", "meant"),
    [
        (("3,4,2", "rleu", "false", "mse"), "got 'rleu' (did you mean relu?)"),
        (("3,4,2", "leaky-relu", "false", "mse"), "(did you mean leaky_relu?)"),
        (("3,4,2", "relu", "hiden", "mse"), "got 'hiden' (did you mean hidden?)"),
        (("3,4,2", "relu", "false", "CE"), "got 'CE' (did you mean cross_entropy?)"),
        (("3,4,2", "", "false", "mse"), "--activation: expected one of linear, identity, relu"),
        (("3,4,2", "power:1", "false", "mse"), "--activation: power: expected an integer from 2"),
        (("3,4,2", "Power:99", "false", "mse"), "--activation: power: expected an integer from 2"),
        (
            ("3,4,2", "relu", "", "mse"),
            "--bias: expected one of false, none, true, hidden, all, got ''",
        ),
        (
            ("3,4,2", "relu", "false", ""),
            "--loss: expected one of mse, logistic, cross_entropy, got ''",
        ),
    ],
)
def test_a_near_word_is_named_and_an_empty_one_is_none(
    flags: tuple[str, str, str, str], meant: str
) -> None:
    with pytest.raises(SpecError) as caught:
        from_flags(*flags)
    assert meant in str(caught.value)


def test_a_closed_form_is_held_against_every_row_of_its_grid() -> None:
    text = "grid: {depth: [1, 2], widths: [1, 2], activation: linear, loss: [mse, logistic], expect: closed form}"
    sweep = parse(text, "s.yaml")
    assert len(sweep.expected) == len(sweep.architectures) == 2 * (4 + 8)
    # One matrix: no law. n-2-m: a symmetric 2×2 matrix, and for n = m = 1 one less than 4
    # parameters; n-1-m: one law. (Proposition 4.2)
    laws = {(1, 2, 1): 3, (1, 2, 2): 3, (2, 2, 1): 3, (2, 2, 2): 3}
    for network in sweep.architectures:
        widths = network.widths  # type: ignore[attr-defined]
        expected = 0 if len(widths) == 2 else laws.get(widths, 1)
        assert sweep.expected[network.name] == expected


def test_a_map_may_be_written_as_one_text() -> None:
    (listed,) = parse('phi: ["u*v1", "u*v2"]', "s.yaml").architectures
    for text in ('phi: "u*v1, u*v2"', "phi: u*v1, u*v2", 'phi: {components: "u*v1, u*v2"}'):
        assert parse(text, "s.yaml").architectures == (listed,)
    (named,) = parse("{phi: 'x*y, (x + y)**2', name: mine}", "s.yaml").architectures
    assert (named.name, named.components) == ("mine", ("x*y", "(x + y)**2"))  # type: ignore[attr-defined]
    assert message('phi: "u*, v"').startswith("s.yaml:1:6: phi: the list of components")
    assert (
        message('phi: ""')
        == "s.yaml:1:6: phi: expected a list of expressions such as [u*v, u**2], got ''"
    )


words = [
    "widths",
    "grid",
    "random",
    "architectures",
    "depth",
    "name",
    "from",
    "to",
    "relu",
    "&a",
    "*a",
    "!t",
    "1",
    "-1",
    "1.5",
]
signs = [": ", "- ", " ", "\n", "\n  ", "---", *":-[]{},'\"\\#|>?%"]
pieces = st.sampled_from(words + signs)


@given(st.lists(pieces, max_size=40).map("".join) | st.text(max_size=60))
def test_any_text_is_a_spec_or_a_spec_error(text: str) -> None:
    try:
        outcome = parse(text, "s.yaml").name
    except SpecError as error:
        outcome = str(error)
    assert outcome == "s" or outcome.startswith("s.yaml:")


# ---- files


def fault(path: str) -> str:
    with pytest.raises(SpecError) as caught:
        load(path)
    return str(caught.value)


def test_a_file_and_its_name(tmp_path: Path) -> None:
    path = tmp_path / "my spec.yaml"
    path.write_bytes("﻿widths: [1, 2] # é".encode())
    assert load(str(path)) == Sweep("my spec", (Problem(MLP((1, 2))),))


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"widths: [1, 2]")))
    assert load("-") == Sweep("stdin", (Problem(MLP((1, 2))),))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"widths: [1, 0]")))
    assert fault("-") == f"stdin:1:13: {WIDTH} 0"
    monkeypatch.setattr(sys, "stdin", None)
    assert fault("-") == "stdin: expected a spec, but standard input is closed"


def test_a_large_file_is_refused_without_reading_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "large.yaml"
    with path.open("wb") as file:
        file.truncate(100_000_000)
    refusal = "expected a spec of at most 1,000,000 bytes, got more"
    assert fault(str(path)) == f"{path}: {refusal}"
    assert fault("/dev/zero") == f"/dev/zero: {refusal}"
    with Path("/dev/zero").open() as endless:
        monkeypatch.setattr(sys, "stdin", endless)
        assert fault("-") == f"stdin: {refusal}"


def test_a_file_of_the_largest_size_is_read(tmp_path: Path) -> None:
    path = tmp_path / "largest.yaml"
    path.write_text("#" * spec.MAX_BYTES)
    assert fault(str(path)) == f"{path}:1:1: {KINDS} nothing"


def test_what_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert fault(str(tmp_path)) == f"{tmp_path}: cannot be read: Is a directory"
    assert (
        fault(str(tmp_path / "no")) == f"{tmp_path}/no: cannot be read: No such file or directory"
    )
    assert fault("") == "'': cannot be read: Is a directory"
    assert fault("a\0b") == "'a\\x00b': cannot be read: embedded null byte"

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    assert fault("secret.yaml") == "secret.yaml: cannot be read: Permission denied"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\x89PNG\r\n", "1:1: expected UTF-8 text, got byte 0x89"),
        (b"widths: [1, 2]\nname: \xff", "2:7: expected UTF-8 text, got byte 0xff"),
        ("widths: [1, 2]".encode("utf-16"), "1:1: expected UTF-8 text, got byte 0xff"),
        (b"\x7fELF\x02\x01\x01\x00", "1:1: not valid YAML: character '\\x7f' is not allowed"),
    ],
)
def test_bytes_that_are_not_text(tmp_path: Path, data: bytes, expected: str) -> None:
    path = tmp_path / "b.yaml"
    path.write_bytes(data)
    assert fault(str(path)) == f"{path}:{expected}"


def test_flags_need_no_yaml() -> None:
    code = (
        "import sys; from conslaw_cli.specs.flags import from_flags;"
        "from_flags('1,2', 'relu', 'none', 'mse'); assert 'yaml' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=CONFIGS.parent)
