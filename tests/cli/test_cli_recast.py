"""``conslaw recast`` as a user meets it."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from conslaw_cli.cli import main

EXAMPLE = ("--phi", "u*v1, u*v2")


@pytest.fixture(autouse=True)
def somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def recast(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["recast", *arguments], prog_name="conslaw")


def saved(arrays: Mapping[str, object], name: str = "theta.npz") -> str:
    np.savez(name, **{key: np.asarray(each) for key, each in arrays.items()})  # type: ignore[arg-type]
    return name


def test_where_the_condition_fails_it_says_at_which_bracket() -> None:
    done = recast("--widths", "2,2,2", "--activation", "linear")
    assert done.exit_code == 0
    assert done.stdout == (
        "linear 2-2-2: 8 parameters\n"
        "  condition (13) fails at the bracket [∇(x[1]→y[1]), ∇(x[1]→y[2])], which is not in"
        " W_φ(θ): rank ∂φ = 4, dim Lie = 5 (proved)\n"
        "  Prop. 3.7 does not apply: M is not said to be a function of z = φ(θ) and θ_init\n"
    )


def test_the_papers_running_examples_are_recast_without_arguments() -> None:
    pytest.importorskip("scipy")
    done = recast()
    assert done.exit_code == 0
    relu, linear = done.stdout.split("\n\n")
    assert "condition (13) holds: rank ∂φ = 16, dim Lie = 16 (proved)" in relu
    assert "M[G] = ZZᵀG/(ρ − δ) + GZᵀZ/(ρ + δ)" in relu
    assert "condition (13) fails" in linear


def test_what_is_wrong_of_one_does_not_lose_the_others() -> None:
    Path("spec.yaml").write_text(
        "architectures: [{widths: [2, 2, 2], activation: linear, flow: momentum},"
        " {widths: [2, 2, 1], activation: linear}]"
    )
    done = recast("spec.yaml", "--json")
    assert done.exit_code == 2
    assert done.stderr == "Error: flow: expected gradient, got momentum\n"
    (result,) = json.loads(done.stdout)["results"]
    assert result["condition_13"]["bracket"] == ["x[1]→y[1]", "x[2]→y[1]"]


def test_example_38() -> None:
    pytest.importorskip("scipy")
    at = saved({"u": 0.8, "v1": 0.3, "v2": -0.4})
    done = recast(*EXAMPLE, "--at", at, "--json")
    assert done.exit_code == 0
    value = json.loads(done.stdout)
    assert value["schema"] == "conslaw.recast/1"
    (result,) = value["results"]
    assert result["condition_13"] == {
        "holds": True,
        "rank": 2,
        "dim_lie": 2,
        "bracket": None,
        "error_bound": None,
    }
    assert result["components"] == ["u*v1", "u*v2"]
    z, delta = np.array([0.24, -0.32]), (0.8**2 - 0.25) / 2
    norm = delta + np.hypot(delta, 0.4)
    metric = norm * np.eye(2) + np.outer(z, z) / norm
    assert np.array(result["metric"]) == pytest.approx(metric)
    assert result["start"]["z"] == pytest.approx(z)
    assert result["difference"] < 1e-12
    assert result["metric_difference"] < 1e-12
    assert result["z"]["direct"] == pytest.approx(result["z"]["theta_then_phi"])
    assert "M = ‖z‖_δ I + zzᵀ/‖z‖_δ" in result["closed_form"][0]


def test_the_same_seed_gives_the_same_flows() -> None:
    pytest.importorskip("scipy")
    first, again, other = (recast(*EXAMPLE, "--seed", seed).stdout for seed in ("1", "1", "2"))
    assert first == again != other


def test_the_end_of_a_flow_is_said() -> None:
    pytest.importorskip("scipy")
    at = saved({"u": 0.01, "v1": 1.0, "v2": 1.0})
    texts = [recast(*EXAMPLE, "--at", at, "--seed", str(seed)) for seed in range(4)]
    assert all(done.exit_code == 0 for done in texts)
    assert any("rank ∂φ drops behind t = 0" in done.stdout for done in texts)


def test_a_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("scipy")
    pytest.importorskip("matplotlib")
    monkeypatch.setattr("conslaw_cli.simulation.recast.POINTS", 6)
    for name in ("flow.png", "flow.svg", "flow.pdf"):
        assert recast(*EXAMPLE, "--plot", name).exit_code == 0
        first = Path(name).read_bytes()
        assert recast(*EXAMPLE, "--plot", name).exit_code == 0
        assert Path(name).read_bytes() == first
        Path(name).write_text("notes")
        refused = recast(*EXAMPLE, "--plot", name)
        assert refused.exit_code == 2
        assert "expected no file or an earlier picture" in refused.stderr


def test_without_scipy_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.integrate", None)
    done = recast(*EXAMPLE)
    assert done.exit_code == 2
    assert done.stderr == "Error: scipy is not installed: pip install 'conslaw[plot]'\n"
    assert "M = ‖z‖_δ I + zzᵀ/‖z‖_δ" in done.stdout


NOTHING: dict[str, object] = {"x": 1.0}
WRONG: list[tuple[list[str], str]] = [
    ([*EXAMPLE, "--at", "missing.npz"], "missing.npz: expected arrays in an .npz file"),
    ([*EXAMPLE, "--at", "names.npz"], "at: expected an array u, got x"),
    ([*EXAMPLE, "--at", "shape.npz"], "at: u: expected the shape (), got (2,)"),
    ([*EXAMPLE, "--at", "nan.npz"], "at: u: expected finite numbers, got nan"),
    ([*EXAMPLE, "--at", "zero.npz"], "θ: expected rank ∂φ = 2, as near it, got 1"),
    ([*EXAMPLE, "--at", "pickle.npz"], "pickle.npz: expected"),
    ([*EXAMPLE, "--at", "text.npz"], "text.npz: expected"),
    (["--widths", "2,2,2", "--activation", "linear", "--at", "text.npz"], "text.npz: expected"),
    (
        ["--widths", "2,2,2", "--activation", "linear", "--at", "nan.npz"],
        "at: expected an array U1",
    ),
    (["--at", "names.npz"], "--at: expected one architecture, got 2"),
    ([*EXAMPLE, "--time", "0"], "--time: expected a number above 0 and up to 1e+06"),
    ([*EXAMPLE, "--time", "nan"], "--time: expected a number above 0 and up to 1e+06"),
    ([*EXAMPLE, "--time", "soon"], "--time"),
    ([*EXAMPLE, "--at", "."], ".: expected arrays in an .npz file"),
    ([*EXAMPLE, "--seed", "-1"], "--seed"),
    (["--widths", "2,2,1", "--activation", "exp"], "expected a network of linear layers and gates"),
    ([*EXAMPLE, "--flow", "momentum"], "flow: expected gradient, got momentum"),
    (["--fields", "y, -x"], "expected a network or a φ, got vector fields"),
    (["--widths", "2,2,2", "--loss", "cross_entropy"], "loss: expected mse or logistic"),
    (["--widths", "30,30,30"], "expected a φ of at most 20,000 paths, got 27,000"),
    (["--widths", "10,10,10"], "expected a φ of at most 300 components to integrate, got 1,000"),
    (["--phi", "x**2 + y**2"], "M is not evaluated: φ and the laws that are known here"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG, ids=[each for _, each in WRONG])
def test_wrong_input(arguments: list[str], message: str) -> None:
    start = {"v1": 1.0, "v2": 2.0}
    saved({"x": 1.0}, "names.npz")
    saved({"u": [1.0, 2.0], **start}, "shape.npz")
    saved({"u": np.nan, **start}, "nan.npz")
    saved({"u": 0.0, **start}, "zero.npz")
    saved({"u": np.array([{}], dtype=object), **start}, "pickle.npz")
    Path("text.npz").write_text("u = 1")
    done = recast(*arguments)
    assert done.exit_code == (3 if "not evaluated" in message else 2), done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([*EXAMPLE, "--plot", "flow.txt"], "--plot: expected a file ending in .png, .svg, .pdf"),
        (["--plot", "flow.png"], "--plot: expected one architecture, got 2"),
        (["--widths", "2,2,2", "--activation", "linear", "--plot", "a.png"], "nothing to draw"),
    ],
)
def test_no_picture(arguments: list[str], message: str) -> None:
    pytest.importorskip("matplotlib")
    done = recast(*arguments)
    assert done.exit_code == 2
    assert message in done.stderr
    assert not Path("a.png").exists()
