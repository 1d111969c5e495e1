"""``conslaw simulate`` as a user meets it."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from conslaw_cli.cli import main
from conslaw_cli.simulation.runs import OfSGD

SMALL = ("--widths", "2,3,2", "--steps", "20", "--lr", "0.1")


@pytest.fixture(autouse=True)
def _somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def simulated(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["simulate", *arguments], prog_name="conslaw")


def test_a_table_of_what_moved_and_had_to() -> None:
    done = simulated(*SMALL, "--optimizer", "gd,momentum,adam", "--weight-decay", "0.1")
    assert done.exit_code == 0
    title, _, head, gd, *_ = done.stdout.split("\n")
    assert title == "relu 2-3-2: 12 parameters, loss mse, 32 samples, rate 0.1, seed 0"
    assert head.split() == [
        *("optimizer", "steps", "time", "loss", "what", "laws"),
        *("moved", "had", "to", "difference"),
    ]
    moved, expected, *difference = gd.split()[-4:]
    assert gd.startswith("gd            20     2  ")
    assert "diag(U1ᵀU1 − U2U2ᵀ)" in gd
    assert moved == expected
    assert (difference, float(moved) > 1e-3) == (["≤", "1e-12"], True)
    assert "adam keeps no law: one changes at a rate of" in done.stdout
    assert "r of diag(U1ᵀU1 − U2U2ᵀ)" in done.stdout


def test_json() -> None:
    done = simulated(*SMALL, "--optimizer", "gd,adamw", "--json", "--seed", "3")
    document = json.loads(done.stdout)
    assert (document["schema"], document["interrupted"]) == ("conslaw.simulate/1", False)
    (result,) = document["results"]
    assert (result["name"], result["seed"], result["trained_on"]) == ("relu 2-3-2", 3, "mse")
    gd, adamw = result["runs"]
    assert (gd["optimizer"], gd["steps"], gd["weight_decay"]) == ("gd", 20, 0.0)
    assert (adamw["weight_decay"], adamw["betas"]) == (0.01, [0.9, 0.999])
    (law,) = gd["families"]
    assert (law["what"], law["formula"], law["laws"]) == ("law", "diag(U1ᵀU1 − U2U2ᵀ)", 3)
    assert law["difference"] < 1e-14 < law["moved"]
    law, residual = adamw["families"]
    assert (law["expected"], law["difference"]) == (None, None)
    assert law["speed"] > 0
    assert residual["what"] == "r"
    assert residual["difference"] < 1e-14


def test_trajectories_are_kept_and_can_be_run_again() -> None:
    assert simulated(*SMALL, "--optimizer", "gd", "-o", "run.npz").exit_code == 0
    with np.load("run.npz", allow_pickle=False) as run:
        first = {name: run[name] for name in run.files}
    assert first["gd/thetas"].shape == (21, 12)
    assert first["gd/times"].tolist() == pytest.approx(np.arange(21) / 10)
    assert (
        first["gd/thetas"][0] == np.concatenate([first["U1"].ravel(), first["U2"].ravel()])
    ).all()
    seen, predicted = first["gd/law1/seen"], first["gd/law1/predicted"]
    expected = (first["U1"] ** 2).sum(axis=0) - (first["U2"] ** 2).sum(axis=1)
    assert np.allclose(seen[0], expected)
    assert np.allclose(seen, predicted, atol=1e-14)
    again = simulated(
        *SMALL, "--optimizer", "gd", "--at", "run.npz", "--data", "run.npz",
        "--seed", "9", "-o", "again.npz",
    )  # fmt: skip
    assert again.exit_code == 0
    with np.load("again.npz") as other:
        assert (other["gd/thetas"] == first["gd/thetas"]).all()


def test_a_first_buffer_is_read_beside_theta() -> None:
    """With it heavy ball has charges: J falls by the factor 0.9 a step, and is not 0."""
    rng, linear = np.random.default_rng(0), ("--widths", "2,2,1", "--activation", "linear")
    shapes = {"U1": (2, 2), "U2": (2, 1)}
    arrays = {
        key + name: rng.normal(size=shapes[name]) for key in ("", "buffer/") for name in shapes
    }
    np.savez("at.npz", **arrays)  # type: ignore[arg-type]
    command = (*linear, "--at", "at.npz", "--steps", "20", "--optimizer")
    assert simulated(*command, "momentum", "-o", "run.npz").exit_code == 0
    with np.load("run.npz") as run:
        assert all((run[name] == arrays[name]).all() for name in arrays)
        charge = run["momentum/J2/seen"]
    assert abs(charge[0]).max() > 0.01
    assert np.allclose(charge[-1], 0.9**20 * charge[0], rtol=1e-9)
    refused = simulated(*command, "gd")
    assert refused.stderr == "Error: buffer: expected momentum among the optimizers\n"
    np.savez("at.npz", **{**arrays, "buffer/U2": np.ones(2)})  # type: ignore[arg-type]
    refused = simulated(*command, "momentum")
    assert refused.stderr == "Error: buffer: U2: expected the shape (2, 1), got (2,)\n"
    assert refused.exit_code == 2


def test_names_of_a_map_may_be_any(tmp_path: Path) -> None:
    command = ("--phi", "file*y, y*x", "--optimizer", "gd", "--steps", "5")
    assert simulated(*command, "-o", "run.npz").exit_code == 0
    again = simulated(*command, "--at", "run.npz", "--data", "run.npz", "-o", "again.npz")
    assert again.exit_code == 0
    with np.load("run.npz") as first, np.load("again.npz") as second:
        assert {"file", "x", "y", "target"} < {*first.files}
        assert all((first[name] == second[name]).all() for name in first.files)


def test_a_map_of_ones_own() -> None:
    done = simulated("--phi", "u*v1, u*v2", "--optimizer", "gd", "--steps", "5")
    assert done.exit_code == 0
    assert "½‖φ − target‖²" in done.stdout
    assert "u² − v1² − v2²" in done.stdout


def test_a_run_that_diverges_ends_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conslaw_cli.simulation.runs.RECORDS", 3)
    done = simulated(*SMALL[:2], "--lr", "50", "--optimizer", "gd,adam", "-o", "run.npz")
    assert done.exit_code == 3
    said, _, step = done.stderr.strip().rpartition(" ")
    assert said == "relu 2-3-2: gd: θ is beyond 1e+100, or no number, after step"
    assert "adam" in done.stdout
    with np.load("run.npz") as run:
        assert run["gd/times"].tolist() == [0, 50 * (int(step) - 1)]  # the last one before
        assert len(run["gd/thetas"]) == len(run["gd/law1/seen"]) == 2
        assert np.isfinite(run["gd/thetas"]).all()
        assert run["adam/times"].tolist() == [0, 50 * 334, 50 * 668, 50 * 1000]


def test_what_an_interrupt_finds_between_records_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conslaw_cli.simulation.runs.RECORDS", 2)
    stepped, steps = OfSGD.stepped, list[int]()

    def counted(self: OfSGD, *arguments: Any) -> None:
        if len(steps) == 7:
            raise KeyboardInterrupt
        steps.append(len(steps))
        stepped(self, *arguments)

    monkeypatch.setattr(OfSGD, "stepped", counted)
    assert simulated(*SMALL, "--optimizer", "gd", "-o", "run.npz").exit_code == 130
    monkeypatch.setattr(OfSGD, "stepped", stepped)
    monkeypatch.setattr("conslaw_cli.simulation.runs.RECORDS", 1000)
    assert simulated(*SMALL, "--optimizer", "gd", "-o", "whole.npz").exit_code == 0
    with np.load("run.npz") as run, np.load("whole.npz") as whole:
        assert run["gd/times"].tolist() == pytest.approx([0, 0.7])
        assert (run["gd/thetas"] == whole["gd/thetas"][[0, 7]]).all()
        assert (run["gd/law1/predicted"] == whole["gd/law1/predicted"][[0, 7]]).all()


WRONG = {
    "--optimizer adagrad": "optimizer: expected one of flow, gd, sgd, momentum, adam, adamw, got",
    "--optimizer gd,gd": "optimizer: expected different names",
    "--optimizer gd --flow momentum": "optimizer: expected flow alone, as steps of gd go with",
    "--optimizer gd --momentum 0.5": "--momentum: expected momentum with it in --optimizer",
    "--optimizer gd --betas 0.9,0.99": "--betas: expected adam or adamw with it in --optimizer",
    "--optimizer adam --betas 0.9": "expected two numbers such as 0.9,0.999, got '0.9'",
    "--optimizer adam --betas 0.9,1": "betas: expected numbers from 0 to below 1, got 1.0",
    "--optimizer gd --lr nan": "lr: expected a positive number up to 1e+06, got nan",
    "--optimizer gd --steps 0": "steps: expected an integer from 1",
    "--optimizer momentum --momentum 0 --nesterov": "nesterov: expected a momentum above 0",
    "--optimizer gd --decoupled": "--decoupled: expected --weight-decay with it",
    "--optimizer gd --weight-decay -1": "weight_decay: expected a number from 0 to 1e+06, got -1.0",
    "--optimizer gd --at none.npz": "none.npz: expected arrays in an .npz file: No such file",
    "--optimizer gd --data half.npz": "data: expected an array y, got x",
    "--optimizer gd --at nan.npz": "at: U2: expected finite numbers, got nan at (0, 1)",
    "--optimizer gd --samples 3 --data half.npz": "--samples, --data: expected one of the two",
    "--optimizer gd -o run.txt": "-o: expected a file ending in .npz, got 'run.txt'",
    "--optimizer gd -o own.npz": "own.npz: expected no file or an earlier file of arrays, found",
    "--optimizer gd --seed -1": "seed: expected an integer from 0 to",
}


@pytest.mark.parametrize("words", WRONG)
def test_what_is_wrong_is_said(words: str) -> None:
    np.savez("half.npz", x=np.ones((2, 2)))
    np.savez("nan.npz", U1=np.ones((2, 3)), U2=np.array([[1, np.nan]] * 3))
    Path("own.npz").write_text("something of one's own")
    done = simulated("--widths", "2,3,2", *words.split())
    assert done.exit_code == 2, done.output
    assert WRONG[words] in done.stderr
    assert "Traceback" not in done.output


def test_fields_are_not_trained_and_a_map_has_no_samples() -> None:
    done = simulated("--fields", "y, -x", "--optimizer", "gd")
    assert (done.exit_code, "no gradients of a loss" in done.stderr) == (2, True)
    done = simulated("--phi", "u*v", "--optimizer", "gd", "--samples", "4")
    assert (done.exit_code, "a φ has no samples" in done.stderr) == (2, True)
    done = simulated("--optimizer", "gd", "-o", "run.npz")
    assert (done.exit_code, "-o: expected one architecture with it, got 2" in done.stderr) == (2, 1)


def test_networks_that_are_too_large_are_refused() -> None:
    done = simulated("--widths", "9000,9000,9000,9", "--optimizer", "gd")
    assert done.exit_code == 3
    assert "GiB to be trained" in done.stderr


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the flow needs SciPy."""
    monkeypatch.setitem(sys.modules, "scipy.integrate", None)
    done = simulated(*SMALL, "--optimizer", "flow")
    assert done.exit_code == 2
    assert done.stderr == "Error: scipy is not installed: pip install 'conslaw[plot]'\n"


def test_an_interrupt_keeps_what_was_integrated(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = list[str]()

    @contextlib.contextmanager
    def progress(name: str, timed: bool = False) -> Iterator[Callable[[str, float], None]]:
        def told(what: str, done: float) -> None:
            calls.append(f"{name}: {what}, {done:.0%}")
            if len(calls) == 25:
                raise KeyboardInterrupt

        yield told

    command = sys.modules["conslaw_cli.cli.simulate"]
    monkeypatch.setattr(command, "search_progress", progress)
    done = simulated(*SMALL, "--optimizer", "gd,adam,sgd", "--json", "-o", "run.npz")
    assert calls[-1] == "relu 2-3-2: adam, step 5 of 20, 42%"
    assert done.exit_code == 130
    assert done.stderr == "Interrupted: what was integrated is shown.\n"
    document = json.loads(done.stdout)
    gd, adam = document["results"][0]["runs"]
    assert document["interrupted"] is True
    assert (gd["steps"], adam["steps"], gd["ended"], adam["ended"]) == (20, 5, None, None)
    with np.load("run.npz") as kept:
        assert (len(kept["gd/thetas"]), len(kept["adam/thetas"])) == (21, 6)
