"""``conslaw describe``: layers, shapes and parameters, as people and as programs read them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from conslaw_cli.cli import main
from conslaw_cli.specs.spec import parse

NETWORK = """
name: a small network
input: {channels: 1, height: 5, width: 4}
layers:
  - conv2d: {channels: 2, kernel: [2, 1], padding: same, bias: true}
  - relu
  - residual:
      - conv2d: {channels: 3, kernel: 1}
      - residual: [relu, conv2d: {channels: 3, kernel: 3, padding: circular}]
      - conv2d: {channels: 2, kernel: 1}
  - avg_pool: {kernel: 2, stride: [1, 2]}
  - flatten
  - dense: {units: 10, bias: true}
loss: cross_entropy
"""
TABLE = """\
a small network
layer                      shape  parameters
input                      1×5×4           0
conv2d 2 2×1 same+b        2×5×4           6
relu                       2×5×4           0
residual                   2×5×4           0
  conv2d 3 1×1             3×5×4           6
  residual                 3×5×4           0
    relu                   3×5×4           0
    conv2d 3 3×3 circular  3×5×4          81
  conv2d 2 1×1             2×5×4           6
avg_pool 2/1×2             2×4×2           0
flatten                    16              0
dense 10+b                 10            170
total                                    269

x[1×5×4]
h1[2] = conv(x, kernel=2×1, padding=same; U1, b1)
h2 = relu(h1)
h3[3] = conv(h2, kernel=1×1; U2)
h4 = relu(h3)
h5[3] = conv(h4, kernel=3×3, padding=circular; U3)
h6 = add(h3, h5)
h7[2] = conv(h6, kernel=1×1; U4)
h8 = add(h2, h7)
h9 = avg_pool(h8, kernel=2, stride=1×2)
h10 = flatten(h9)
h11[10] = dense(h10; U5, b5)

space  units  values                   written by  read by  laws  formulas
    1      1  x                        -           U1          0
    2      2  h1, h2, h7, h8, h9, h10  U1, b1, U4  U2, U5      2  \
diag(U1ᵀU1 + b1ᵀb1 + U4ᵀU4 − U2U2ᵀ − Σ U5U5ᵀ)
    3      3  h3, h4, h5, h6           U2, U3      U3, U4      3  \
diag(U2ᵀU2 + U3ᵀU3 − Σ U3U3ᵀ − U4U4ᵀ)
    4     10  h11                      U5, b5      -          17  U5·1; b5·1
"""
OTHERS = """
architectures:
  - {widths: [3, 4, 5, 2], activation: [linear, relu], bias: hidden}
  - {attention: {dim: 8, heads: 2, head_dim: 4}}
"""
OTHERS_TABLE = """\
linear/relu 3-4-5-2 bias
layer             shape  parameters
input             3               0
dense 4+b linear  4              16
dense 5+b relu    5              25
dense 2           2              10
total                            51

x[3]
h1[4] = dense(x; U1, b1)
z2[5] = dense(h1; U2, b2)
h2 = relu(z2)
y[2] = dense(h2; U3)

space  units  values  written by  read by  laws  formulas
    1      3  x       -           U1          0
    2      4  h1      U1, b1      U2         10  U1ᵀU1 + b1ᵀb1 − U2U2ᵀ
    3      5  z2, h2  U2, b2      U3          5  diag(U2ᵀU2 + b2ᵀb2 − U3U3ᵀ)
    4      2  y       U3          -           0

attention 8-2x4
layer         shape  parameters
Q of 2 heads  8×4            64
K of 2 heads  4×8            64
V of 2 heads  8×4            64
O of 2 heads  4×8            64
total                       256

x1[8]
x2[8]
x3[8]
x4[8]
qk1[4] = dense(x1; Q1)
y1[8] = dense(qk1; K1)
vo1[4] = dense(x2; V1)
y2[8] = dense(vo1; O1)
qk2[4] = dense(x3; Q2)
y3[8] = dense(qk2; K2)
vo2[4] = dense(x4; V2)
y4[8] = dense(vo2; O2)
output y1, y2, y3, y4

space  units  values  written by  read by  laws  formulas
    1      8  x1      -           Q1          0
    2      8  x2      -           V1          0
    3      8  x3      -           Q2          0
    4      8  x4      -           V2          0
    5      4  qk1     Q1          K1         10  Q1ᵀQ1 − K1K1ᵀ
    6      8  y1      K1          -           0
    7      4  vo1     V1          O1         10  V1ᵀV1 − O1O1ᵀ
    8      8  y2      O1          -           0
    9      4  qk2     Q2          K2         10  Q2ᵀQ2 − K2K2ᵀ
   10      8  y3      K2          -           0
   11      4  vo2     V2          O2         10  V2ᵀV2 − O2O2ᵀ
   12      8  y4      O2          -           0
"""


def describe(text: str, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["describe", "-", *arguments], input=text, prog_name="conslaw")


def test_layers_are_listed_with_shapes_and_parameters_those_of_branches_indented() -> None:
    result = describe(NETWORK)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == TABLE


def test_other_families_and_several_architectures() -> None:
    result = describe(OTHERS)
    assert (result.exit_code, result.stdout) == (0, OTHERS_TABLE)


SKIP = "(I + U2)"


def space(
    units: int,
    values: list[str],
    written: list[str],
    read: list[str],
    laws: int = 0,
    *formulas: str,
) -> dict[str, object]:
    sides = {"values": values, "written_by": written, "read_by": read}
    return {"units": units, **sides, "laws": laws, "formulas": [*formulas]}


def test_json_of_a_layered_network() -> None:
    result = describe(
        "input: 2\nlayers: [dense: {units: 3, bias: true}, residual: [linear, dense: 3]]\n",
        "--json",
    )
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {
        "schema": "conslaw.describe/1",
        "results": [
            {
                "name": "2 → dense 3+b residual[linear dense 3]",
                "input": [2],
                "layers": [
                    {"dense": {"units": 3, "bias": True}},
                    {"residual": ["linear", {"dense": {"units": 3, "bias": False}}]},
                ],
                "loss": "mse",
                "outline": [
                    {"layer": "input", "shape": "2", "parameters": 0},
                    {"layer": "dense 3+b", "shape": "3", "parameters": 9},
                    {"layer": "residual", "shape": "3", "parameters": 0},
                    {"layer": "linear", "shape": "3", "parameters": 0},
                    {"layer": "dense 3", "shape": "3", "parameters": 9},
                ],
                "graph": "x[2]\nh1[3] = dense(x; U1, b1)\nh2[3] = dense(h1; U2)\nh3 = add(h1, h2)",
                "spaces": [
                    space(2, ["x"], [], ["U1"]),
                    space(3, ["h1"], ["U1", "b1"], ["U2"], 6, f"U1ᵀU1 + b1ᵀb1 − {SKIP}{SKIP}ᵀ"),
                    space(3, ["h2", "h3"], ["U2"], []),
                ],
                "parameters": 18,
            }
        ],
    }


def test_json_of_attention_and_perceptrons() -> None:
    perceptron, attention = json.loads(describe(OTHERS, "--json").stdout)["results"]
    assert (perceptron["widths"], perceptron["bias"], perceptron["parameters"]) == (
        [3, 4, 5, 2],
        "hidden",
        51,
    )
    assert attention["attention"] == {"dim": 8, "heads": 2, "head_dim": 4}
    assert (
        sum(piece["parameters"] for piece in attention["outline"]) == attention["parameters"] == 256
    )


def test_the_layers_of_json_are_a_spec_of_the_same_network() -> None:
    """What describe prints can be read again: JSON is YAML."""
    (first,) = json.loads(describe(NETWORK, "--json").stdout)["results"]
    channels, height, width = first["input"]
    shape = {"channels": channels, "height": height, "width": width}
    again = {"input": shape, **{key: first[key] for key in ("layers", "loss", "name")}}
    (second,) = json.loads(describe(json.dumps(again), "--json").stdout)["results"]
    assert second == first


def test_a_file_is_read_by_its_path(tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(NETWORK, encoding="utf-8")
    result = CliRunner().invoke(main, ["describe", str(tmp_path / "net.yaml")])
    assert (result.exit_code, result.stdout) == (0, TABLE)


def test_a_network_is_named_as_for_counting() -> None:
    flags = ("--widths", "3-4-5-2", "--activation", "linear/relu", "--bias", "hidden")
    result = CliRunner().invoke(main, ["describe", *flags])
    assert (result.exit_code, result.stdout) == (
        0,
        OTHERS_TABLE.partition("\n\nattention")[0] + "\n",
    )
    result = CliRunner().invoke(main, ["describe", "--phi", "u*v1, u*v2", "--json"])
    assert json.loads(result.stdout)["results"][0]["phi"]["components"] == ["u*v1", "u*v2"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "input: 2\nlayers: [dense: 3, residual: [dense: 2]]",
            "stdin:2:20: residual: reads 3 but its last layer gives 2",
        ),
        ("input: 2\nlayers: [dens: 3]", "stdin:2:10: unknown key 'dens' (did you mean dense?)"),
        ("input: [", "stdin:1:9: not valid YAML"),
    ],
)
def test_a_wrong_spec_is_one_message_on_stderr(text: str, message: str) -> None:
    result = describe(text)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_missing_file_and_a_missing_argument(tmp_path: Path) -> None:
    missing = CliRunner().invoke(main, ["describe", str(tmp_path / "none.yaml")])
    assert (missing.exit_code, missing.stdout) == (2, "")
    assert "none.yaml: cannot be read" in missing.stderr
    assert CliRunner().invoke(main, ["describe"]).exit_code == 2


# ---- pictures


def drawn(text: str, path: str, *arguments: str) -> Result:
    return describe(text, "--plot", path, *arguments)


def test_a_picture_shows_values_and_laws_beside_the_text(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    result = drawn(NETWORK, str(tmp_path / "net.svg"))
    assert (result.exit_code, result.stdout) == (0, TABLE)
    svg = (tmp_path / "net.svg").read_text(encoding="utf-8")
    for line in ("a small network", "h6 = add(h3, h5)", "2 units, written by U1, b1, U4"):
        assert f"<!-- {line}" in svg
    assert drawn(NETWORK, str(tmp_path / "net.svg")).exit_code == 0  # over an earlier one


@pytest.mark.parametrize(
    ("text", "path", "fault"),
    [
        (OTHERS, "a.png", "--plot: expected one network to draw, got 2"),
        (NETWORK, "a.gif", "--plot: expected a file ending in .png, .svg, .pdf, got "),
        (NETWORK, "mine.png", "expected no file or an earlier picture, found something else"),
        (NETWORK, "no/where.png", "cannot be written: No such file or directory"),
        ("phi: [x*y]", "a.png", "--plot: φ(x, y) = (x*y) is no network, and has no graph to draw"),
        (f"widths: {[2] * 201}", "a.png", "--plot: expected a network of at most 200 values"),
    ],
)
def test_what_cannot_be_drawn_is_said(text: str, path: str, fault: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    (tmp_path / "mine.png").write_text("mine")
    result = drawn(text, str(tmp_path / path))
    assert (result.exit_code, result.stdout) == (2, "")
    assert fault in result.stderr
    assert (tmp_path / "mine.png").read_text() == "mine"


@pytest.mark.parametrize("loss", ["mse", "cross_entropy"])
@pytest.mark.parametrize(
    ("flow", "formula"),
    [
        (
            {"mirror": {"metric": {"U1": {"hypentropy": "1/2"}, "U2": {"power": 1}}}},
            "2·√(U1² + (1/2)²)ᵀ·1 + diag(b1ᵀb1) − 2·U2·1",
        ),
        ("momentum", "e^{τt}(U1ᵀV1 − V1ᵀU1 + b1ᵀc1 − c1ᵀb1 + U2V2ᵀ − V2U2ᵀ)"),
        ("decay", "e^{2λt}(U1ᵀU1 + b1ᵀb1 − U2U2ᵀ)"),
    ],
)
def test_laws_are_those_of_the_flow(flow: object, formula: str, loss: str) -> None:
    network = {"widths": [3, 4, 2], "activation": "linear", "bias": "all", "loss": loss}
    spec = json.dumps({"architectures": [{**network, "flow": flow}]})
    (shown,) = json.loads(describe(spec, "--json").stdout)["results"]
    (problem,) = parse(spec, "-").problems
    _, hidden, last = shown["spaces"]
    assert (shown["flow"], hidden["formulas"]) == (flow, [formula])
    assert bool(last["formulas"]) == (loss == "cross_entropy")
    assert sum(each["laws"] for each in shown["spaces"]) == problem.known_listed
