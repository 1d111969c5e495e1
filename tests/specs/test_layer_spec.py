"""The grammar of layers: what can be written, what it means, and how every mistake is reported with
its place.
"""

# ruff: noqa: E501 - messages are compared as literals, one to a line.

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conslaw_cli.errors import SpecError
from conslaw_cli.families.attention import Attention
from conslaw_cli.families.layers import Branch, Layers
from conslaw_cli.networks.operations.convolution import Convolution, Pool, TransposedConvolution
from conslaw_cli.networks.operations.dense import Linear
from conslaw_cli.networks.operations.elementwise import ACTIVATIONS, Activation
from conslaw_cli.networks.operations.reshape import Flat
from conslaw_cli.specs.spec import parse

LAYERS = (
    "dense, power, conv1d, conv2d, conv_transpose1d, conv_transpose2d, avg_pool, residual, attention, linear, identity, relu, leaky_relu,"
    " abs, homogeneous, exp, smooth, flatten"
)
WORDS = "linear, identity, relu, leaky_relu, abs, homogeneous, exp, smooth, flatten"
VECTOR, LINE, IMAGE = (
    "input: 4",
    "input: {channels: 2, length: 6}",
    "input: {channels: 1, height: 6, width: 5}",
)


def architecture(text: str) -> Any:
    (found,) = parse(text, "s.yaml").architectures
    return found


def message(text: str) -> str:
    with pytest.raises(SpecError) as caught:
        parse(text, "s.yaml")
    return str(caught.value)


# ---- what can be written


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        ("dense: 8", Linear(8)),
        ("dense: {units: 8}", Linear(8)),
        ("dense: {units: 8, bias: true}", Linear(8, True)),
        ("dense: {units: 8, bias: false}", Linear(8)),
        ("residual: [dense: 4, relu]", Branch((Linear(4), Activation("relu")))),
        (
            "residual: [residual: [dense: 4], leaky_relu]",
            Branch((Branch((Linear(4),)), Activation("leaky_relu"))),
        ),
        *(
            (f"residual: [dense: 4, {name}]", Branch((Linear(4), Activation(name))))
            for name in ACTIVATIONS
        ),
    ],
)
def test_layers_on_vectors(layer: str, expected: object) -> None:
    assert architecture(f"{VECTOR}\nlayers: [{layer}]") == Layers((4,), (expected,))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        ("conv1d: {channels: 3, kernel: 2}", Convolution(3, (2,), (1,))),
        (
            "conv1d: {channels: 4, kernel: 2, dilation: 3, groups: 2}",
            Convolution(4, (2,), (1,), dilation=(3,), groups=2),
        ),
        (
            "conv_transpose1d: {channels: 4, kernel: 2, stride: 2, padding: 0}",
            TransposedConvolution(4, (2,), (2,)),
        ),
        ("conv1d: {channels: 3, kernel: [2], stride: [2]}", Convolution(3, (2,), (2,))),
        (
            "conv1d: {channels: 3, kernel: 2, padding: same, bias: true}",
            Convolution(3, (2,), (1,), "same", True),
        ),
        (
            "conv1d: {channels: 3, kernel: 9, stride: 3, padding: circular}",
            Convolution(3, (9,), (3,), "circular"),
        ),
    ],
)
def test_layers_on_lines(layer: str, expected: Convolution | TransposedConvolution) -> None:
    assert architecture(f"{LINE}\nlayers: [{layer}]") == Layers((2, 6), (expected,))


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        ("conv2d: {channels: 3, kernel: 2}", Convolution(3, (2, 2), (1, 1))),
        ("conv2d: {channels: 3, kernel: [2, 3]}", Convolution(3, (2, 3), (1, 1))),
        ("conv2d: {channels: 3, kernel: [2], stride: [2, 1]}", Convolution(3, (2, 2), (2, 1))),
        ("conv2d: {channels: 3, kernel: 1, padding: valid}", Convolution(3, (1, 1), (1, 1))),
        ("avg_pool: 2", Pool((2,), (2,))),
        ("avg_pool: [2, 3]", Pool((2, 3), (2, 3))),
        ("avg_pool: {kernel: 2}", Pool((2,), (2,))),
        ("avg_pool: {kernel: [2, 3], stride: 1}", Pool((2, 3), (1,))),
        ("avg_pool: {kernel: 2, stride: [1, 2]}", Pool((2,), (1, 2))),
        ("flatten", Flat()),
    ],
)
def test_layers_on_images(layer: str, expected: Any) -> None:
    found = architecture(f"{IMAGE}\nlayers: [{layer}, flatten, dense: 1]")
    assert found == Layers((1, 6, 5), (expected, Flat(), Linear(1)))


def test_keys_beside_the_layers() -> None:
    text = (
        "{name: mine, source: me, input: 3, layers: [dense: 2, relu, dense: 2], loss:"
        " cross_entropy, expect: 3}"
    )
    sweep = parse(f"architectures: [{text}]", "s.yaml")
    assert sweep.architectures == (
        Layers((3,), (Linear(2), Activation("relu"), Linear(2)), "cross_entropy", "mine"),
    )
    assert sweep.expected == {"mine": 3}


@pytest.mark.parametrize(
    "text",
    [
        "attention: {dim: 8, heads: 2, head_dim: 4}",
        "attention: {dim: 8, heads: 2, head_dim: 4, bias: false}",
        "input: 8\nlayers: [attention: {heads: 2, head_dim: 4}]",
        "input: 8\nlayers: [attention: {heads: 2, head_dim: 4, bias: false}]\nloss: mse",
    ],
)
def test_attention_is_a_key_or_a_layer_that_stands_alone(text: str) -> None:
    assert architecture(text) == Attention(8, 2, 4)


def test_a_sweep_mixes_families() -> None:
    text = (
        "architectures:\n- {widths: [2, 2]}\n- {input: 2, layers: [dense: 2]}\n- {attention: {dim:"
        " 2, heads: 1, head_dim: 1}}\n"
    )
    assert [a.name for a in parse(text, "s.yaml").architectures] == [
        "relu 2-2",
        "2 → dense 2",
        "attention 2-1x1",
    ]


def test_names_made_from_the_layers_tell_all_options() -> None:
    text = """
input: {channels: 1, height: 9, width: 9}
layers:
  - conv2d: {channels: 2, kernel: [3, 2], stride: [1, 2], padding: same, bias: true}
  - relu
  - residual: [conv2d: {channels: 2, kernel: 1}]
  - avg_pool: {kernel: 2, stride: 1}
  - flatten
  - dense: {units: 1, bias: true}
"""
    name = (
        "1×9×9 → conv2d 2 3×2/1×2 same+b relu residual[conv2d 2 1×1] avg_pool 2/1 flatten dense 1+b"
    )
    assert architecture(text).name == name


def test_architectures_that_differ_in_one_option_can_stand_in_one_sweep() -> None:
    """Made names differ wherever the architectures do, so that no two of a sweep share one."""
    pooled = [
        f"avg_pool: {{kernel: 2, stride: {stride}}}, flatten, dense: 1"
        for stride in (1, 2, "[1, 2]")
    ]
    convolved = [
        f"conv2d: {{channels: 1, kernel: {kernel}, stride: {stride}, padding: {padding}}}"
        for kernel in (2, "[2, 1]")
        for stride in (1, 2, "[1, 2]")
        for padding in ("valid", "same", "circular")
    ]
    rows = "".join(f"- {{{IMAGE}, layers: [{layer}]}}\n" for layer in (*pooled, *convolved))
    losses = "".join(
        f"- {{input: 2, layers: [dense: 2], loss: {loss}}}\n"
        for loss in ("mse", "logistic", "cross_entropy")
    )
    assert len(parse(f"architectures:\n{rows}{losses}", "s.yaml").architectures) == 3 + 18 + 3


# ---- mistakes

MISTAKES = {
    # Which keys.
    "layers: [dense: 3]": "1:1: key 'input' is missing",
    "input: 3\nlayers: [dense: 4, power: 100]": "2:27: power: expected an integer from 2 to 64, got 100",
    "input: 4": "1:1: expected an architecture (key widths, layers, attention",
    f"{VECTOR}\nlayers: [dense: 3]\nactivation: relu": (
        "3:1: unknown key 'activation'; expected one of input, layers, loss, flow, name, source, expect,"
        " seed"
    ),
    f"{VECTOR}\nlayers: [dense: 3]\nbias: true": (
        "3:1: unknown key 'bias'; expected one of input, layers, loss, flow, name, source, expect, seed"
    ),
    f"{VECTOR}\nlayers: [dense: 3]\nlos: mse": (
        "3:1: unknown key 'los' (did you mean loss?); expected one of input, layers, loss, flow, name,"
        " source, expect, seed"
    ),
    f"{VECTOR}\nlayers: [dense: 3]\nloss: hinge": (
        "3:7: loss: expected one of mse, logistic, cross_entropy, got 'hinge'"
    ),
    "attention: {dim: 3, heads: 1, head_dim: 2}\nlayers: [dense: 3]\ninput: 3": (
        "1:1: unknown key 'attention'; expected one of input, layers, loss, flow, name, source, expect,"
        " seed"
    ),
    # The input.
    "input: 0\nlayers: [dense: 3]": "1:8: input: expected an integer from 1 to 1000000000, got 0",
    "input: 1.5\nlayers: [dense: 3]": (
        "1:8: input: expected an integer from 1 to 1000000000, got 1.5"
    ),
    "input: [1, 0]\nlayers: [flatten, dense: 3]": (
        "1:12: input: expected an integer from 1 to 1000000000, got 0"
    ),
    "input: [1, 2, 3, 4]\nlayers: [flatten, dense: 3]": (
        "1:8: input: expected at most three sizes: channels, height, width, got a list of 4"
    ),
    "input: []\nlayers: [dense: 3]": (
        "1:8: input: expected a list of sizes such as [3, 6, 6], got an empty list"
    ),
    "input: {length: 3}\nlayers: [dense: 3]": "1:8: input: key 'channels' is missing",
    "input: {channels: 1, height: 3}\nlayers: [dense: 3]": "1:8: input: key 'width' is missing",
    "input: {channels: 1, length: 3, width: 3}\nlayers: [dense: 3]": (
        "1:33: unknown key 'width'; expected one of channels, length"
    ),
    "input: {channels: 0, length: 3}\nlayers: [dense: 3]": (
        "1:19: channels: expected an integer from 1 to 1000000000, got 0"
    ),
    "input: {channels: 1000, height: 10000, width: 10000}\nlayers: [flatten, dense: 1]": (
        "1:8: the input of 100,000,000,000 values (1000×10000×10000), at most 10,000,000 are"
        " supported"
    ),
    # The list.
    f"{VECTOR}\nlayers: []": (
        "2:9: layers: expected a list of layers such as relu or dense: 8, got an empty list"
    ),
    f"{VECTOR}\nlayers: relu": (
        "2:9: layers: expected a list of layers such as relu or dense: 8, got 'relu'"
    ),
    f"{VECTOR}\nlayers: {{dense: 3}}": (
        "2:9: layers: expected a list of layers such as relu or dense: 8, got a mapping"
    ),
    f"{VECTOR}\nlayers:": (
        "2:8: layers: expected a list of layers such as relu or dense: 8, got nothing"
    ),
    f"{VECTOR}\nlayers: [relu]": "2:9: layers: expected at least one layer with parameters",
    f"{VECTOR}\nlayers: [residual: [relu]]": (
        "2:9: layers: expected at least one layer with parameters"
    ),
    # One layer.
    f"{VECTOR}\nlayers: [dens: 3]": (
        f"2:10: unknown key 'dens' (did you mean dense?); expected one of {LAYERS}"
    ),
    f"{VECTOR}\nlayers: [softmax]": f"2:10: layers: expected one of {WORDS}, got 'softmax'",
    f"{VECTOR}\nlayers: [rel]": (
        f"2:10: layers: expected one of {WORDS}, got 'rel' (did you mean relu?)"
    ),
    f"{VECTOR}\nlayers: [relu: 3]": "2:10: layers: expected the word relu alone, got a mapping",
    f"{VECTOR}\nlayers: [3]": (
        "2:10: layers: expected one layer: a word such as relu, or one key such as dense: 8, got 3"
    ),
    f"{VECTOR}\nlayers: [null]": (
        "2:10: layers: expected one layer: a word such as relu, or one key such as dense: 8, got"
        " null"
    ),
    f"{VECTOR}\nlayers: [[dense: 3]]": (
        "2:10: layers: expected one layer: a word such as relu, or one key such as dense: 8, got a"
        " list of 1"
    ),
    f"{VECTOR}\nlayers: [{{}}]": (
        "2:10: layers: expected one layer: a word such as relu, or one key such as dense: 8, got a"
        " mapping"
    ),
    f"{VECTOR}\nlayers:\n- dense: 3\n  relu:": (
        "3:3: layers: expected one layer: a word such as relu, or one key such as dense: 8, got a"
        " mapping"
    ),
    # Its sizes.
    f"{VECTOR}\nlayers: [dense: ]": (
        "2:16: dense: expected an integer from 1 to 1000000000, got nothing"
    ),
    f"{VECTOR}\nlayers: [dense: 0]": "2:17: dense: expected an integer from 1 to 1000000000, got 0",
    f"{VECTOR}\nlayers: [dense: {{bias: true}}]": "2:17: dense: key 'units' is missing",
    f"{VECTOR}\nlayers: [dense: {{units: 3, bias: hidden}}]": (
        "2:34: bias: expected one of true, false, got 'hidden'"
    ),
    f"{VECTOR}\nlayers: [dense: 100000000]": (
        "2:10: a layer of 100,000,000 values (100000000), at most 10,000,000 are supported"
    ),
    f"{LINE}\nlayers: [conv1d: 3]": (
        "2:18: conv1d: expected a mapping with keys such as channels, kernel, stride, padding,"
        " got 3"
    ),
    f"{LINE}\nlayers: [conv1d: {{channels: 3}}]": "2:18: conv1d: key 'kernel' is missing",
    f"{LINE}\nlayers: [conv1d: {{channels: 3, kernel: 2, stride: 0}}]": (
        "2:51: stride: expected an integer from 1 to 1000000000, got 0"
    ),
    f"{LINE}\nlayers: [conv1d: {{channels: 3, kernel: 2, padding: full}}]": (
        "2:52: padding: expected one of valid, same, circular, got 'full'"
    ),
    f"{LINE}\nlayers: [conv1d: {{channels: 3, kernel: 2, output_padding: 2}}]": (
        "2:43: unknown key 'output_padding' (did you mean padding?); expected one of channels,"
        " kernel, stride, padding, bias, dilation, groups"
    ),
    f"{LINE}\nlayers: [conv1d: {{channels: 3, kernel: [2, 2]}}]": (
        "2:40: kernel: expected one size or 1, got 2"
    ),
    f"{IMAGE}\nlayers: [conv2d: {{channels: 3, kernel: [1, 2, 3]}}]": (
        "2:40: kernel: expected one size or 2, got 3"
    ),
    f"{IMAGE}\nlayers: [conv2d: {{channels: 3, kernel: 2, stride: [1, 2, 3]}}]": (
        "2:51: stride: expected one size or 2, got 3"
    ),
    f"{IMAGE}\nlayers: [conv2d: {{channels: 3, kernel: []}}]": (
        "2:40: kernel: expected a list of one or more values, got an empty list"
    ),
    f"{IMAGE}\nlayers: [avg_pool: {{stride: 2}}]": "2:20: avg_pool: key 'kernel' is missing",
    f"{IMAGE}\nlayers: [avg_pool: 0]": (
        "2:20: avg_pool: expected an integer from 1 to 1000000000, got 0"
    ),
    # How it fits what it reads.
    f"{LINE}\nlayers: [dense: 3]": "2:10: dense: expected a vector, got 2×6; put flatten before it",
    f"{VECTOR}\nlayers: [dense: 3, conv1d: {{channels: 1, kernel: 1}}]": (
        "2:20: conv1d: expected channels and 1 spatial sizes, got 3"
    ),
    f"{IMAGE}\nlayers: [conv1d: {{channels: 1, kernel: 1}}]": (
        "2:10: conv1d: expected channels and 1 spatial sizes, got 1×6×5"
    ),
    f"{LINE}\nlayers: [conv2d: {{channels: 1, kernel: 1}}]": (
        "2:10: conv2d: expected channels and 2 spatial sizes, got 2×6"
    ),
    f"{IMAGE}\nlayers: [conv2d: {{channels: 1, kernel: [2, 6]}}]": (
        "2:10: conv2d: the kernel 2×6 is larger than what it reads, 1×6×5"
    ),
    f"{IMAGE}\nlayers:\n- relu\n- avg_pool: 6": (
        "4:3: avg_pool: the kernel 6×6 is larger than what it reads, 1×6×5"
    ),
    f"{IMAGE}\nlayers: [avg_pool: [1, 2, 3]]": (
        "2:10: avg_pool: expected channels and 3 spatial sizes, got 1×6×5"
    ),
    f"{IMAGE}\nlayers: [avg_pool: {{kernel: 2, stride: [1, 2, 3]}}]": (
        "2:10: avg_pool: expected one stride or 2, got 3"
    ),
    f"{VECTOR}\nlayers: [avg_pool: 2]": (
        "2:10: avg_pool: expected channels and 1 spatial sizes, got 4"
    ),
    "input: {channels: 1, height: 3000, width: 3000}\nlayers: [conv2d: {channels: 1, kernel: 3}]": (
        "2:10: conv2d: 81,000,000 taps a channel, at most 10,000,000 are supported"
    ),
    "input: {channels: 1, height: 3000, width: 3000}\nlayers: [conv2d: {channels: 9, kernel: 1}]": (
        "2:10: a layer of 81,000,000 values (9×3000×3000), at most 10,000,000 are supported"
    ),
    # Residual branches.
    f"{VECTOR}\nlayers: [residual: []]": (
        "2:20: residual: expected a list of layers such as relu or dense: 8, got an empty list"
    ),
    f"{VECTOR}\nlayers: [residual: relu]": (
        "2:20: residual: expected a list of layers such as relu or dense: 8, got 'relu'"
    ),
    f"{VECTOR}\nlayers: [residual: [dense: 2]]": (
        "2:10: residual: reads 4 but its last layer gives 2; they must agree"
    ),
    f"{LINE}\nlayers: [residual: [flatten, dense: 12]]": (
        "2:10: residual: reads 2×6 but its last layer gives 12; they must agree"
    ),
    f"{LINE}\nlayers: [residual: [conv1d: {{channels: 2, kernel: 3}}]]": (
        "2:10: residual: reads 2×6 but its last layer gives 2×4; they must agree"
    ),
    f"{VECTOR}\nlayers:\n- residual:\n  - dense: 4\n  - residual: [relu, dense: 3]": (
        "5:5: residual: reads 4 but its last layer gives 3; they must agree"
    ),
    f"{VECTOR}\nlayers:\n- residual:\n  - dense: 4\n  - residual: [flatten, conv1d: {{channels: 1, kernel: 1}}]": (
        "5:25: conv1d: expected channels and 1 spatial sizes, got 4"
    ),
    # Attention.
    f"{VECTOR}\nlayers: [attention: 2]": (
        "2:21: attention: expected a mapping with keys such as heads, head_dim, bias, got 2"
    ),
    f"{VECTOR}\nlayers: [attention: {{heads: 1}}]": "2:21: attention: key 'head_dim' is missing",
    f"{VECTOR}\nlayers: [attention: {{heads: 0, head_dim: 2}}]": (
        "2:29: heads: expected an integer from 1 to 4096, got 0"
    ),
    f"{VECTOR}\nlayers: [attention: {{heads: 1, head_dim: 2, bias: true}}]": (
        "2:51: bias: expected one of false, got true"
    ),
    f"{VECTOR}\nlayers: [attention: {{heads: 1, head_dim: 2}}, relu]": (
        "2:10: attention: expected to stand alone, on a vector as input, without a loss of its own"
    ),
    f"{VECTOR}\nlayers: [dense: 3, attention: {{heads: 1, head_dim: 2}}]": (
        "2:20: attention: expected to stand alone, on a vector as input, without a loss of its own"
    ),
    f"{LINE}\nlayers: [attention: {{heads: 1, head_dim: 2}}]": (
        "2:10: attention: expected to stand alone, on a vector as input, without a loss of its own"
    ),
    f"{VECTOR}\nlayers: [attention: {{heads: 1, head_dim: 2}}]\nloss: cross_entropy": (
        "2:10: attention: expected to stand alone, on a vector as input, without a loss of its own"
    ),
    f"{VECTOR}\nlayers: [residual: [dense: 4, attention: {{heads: 1, head_dim: 2}}]]": (
        "2:31: attention: expected to stand alone, not in a residual branch"
    ),
    "attention: {dim: 3, heads: 1}": "1:12: attention: key 'head_dim' is missing",
    "attention: {dim: 3, heads: 5000, head_dim: 1}": (
        "1:28: heads: expected an integer from 1 to 4096, got 5000"
    ),
    "attention: 3": (
        "1:12: attention: expected a mapping with keys such as dim, heads, head_dim, bias, got 3"
    ),
    "attention: {dim: 3, heads: 1, head_dim: 1}\nloss: mse": (
        "2:1: unknown key 'loss'; expected one of attention, flow, name, source, expect, seed"
    ),
}


@pytest.mark.parametrize(("text", "expected"), MISTAKES.items(), ids=str)
def test_a_mistake_is_one_message_with_its_place(text: str, expected: str) -> None:
    found = message(text)
    assert len(found.splitlines()) == 1
    assert found.startswith(f"s.yaml:{expected}")
    assert expected.endswith("attention") or found == f"s.yaml:{expected}"


def test_all_mistakes_are_told_at_once() -> None:
    text = """architectures:
- {input: 3, layers: [dense: 2, conv1d: {channels: 1, kernel: 1}]}
- {input: 3, layers: [dense: 2, rellu, dense: 0]}
- {input: 3, layers: [relu]}
"""
    assert [line.partition(": ")[0] for line in message(text).splitlines()] == [
        "s.yaml:2:33",
        "s.yaml:3:33",
        "s.yaml:3:47",
        "s.yaml:4:22",
    ]


def test_layers_behind_an_anchor_are_found_where_they_are_written() -> None:
    text = (
        "architectures:\n- {input: 3, layers: &a [dense: 2, residual: [dense: 3]]}\n- {input: 4,"
        " layers: *a}\n"
    )
    assert (
        message(text).splitlines()
        == ["s.yaml:2:36: residual: reads 2 but its last layer gives 3; they must agree"] * 2
    )


def test_too_deep_nesting_is_refused() -> None:
    text = f"input: 1\nlayers: {'[residual: ' * 30}[relu]{']' * 30}"
    assert "nested more than 20 levels deep" in message(text)


def test_deep_branches_are_read_in_no_time() -> None:
    text = f"input: 2\nlayers: {'[residual: ' * 8}[{'relu, ' * 500}dense: 2]{']' * 8}"
    start = time.perf_counter()
    assert architecture(text).parameters == 4
    assert time.perf_counter() - start < 2


ITEMS = st.sampled_from(
    [
        *WORDS.split(", "),
        "dense",
        "conv1d",
        "conv2d",
        "avg_pool",
        "residual",
        "attention",
        "units",
        "channels",
        "kernel",
        "stride",
        "bias",
        "heads",
    ]
)
VALUES = st.recursive(
    st.sampled_from([0, 1, 2, 3, 7, -1, 2.5, True, None, "same", "circular", "relu", 10**12]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ITEMS, inner, max_size=3),
    max_leaves=6,
)


@given(VALUES, st.lists(st.dictionaries(ITEMS, VALUES, min_size=1, max_size=1) | ITEMS, max_size=4))
def test_any_layers_are_read_or_refused(shape: object, layers: list[object]) -> None:
    """JSON is YAML: whatever stands there gives an architecture or a message with a place."""
    try:
        parse(json.dumps({"input": shape, "layers": layers}), "s.yaml")
        faults = []
    except SpecError as fault:
        faults = str(fault).splitlines()
    assert all(line.startswith("s.yaml:1:") for line in faults)
