"""``conslaw laws`` as a user meets it: exit codes, what goes to stdout and to stderr, files."""

from __future__ import annotations

import io
import json
import re
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from conslaw_cli.cli import main, progress
from conslaw_cli.cli.laws import FORMATS
from conslaw_cli.cli.progress import heartbeat, search_progress
from conslaw_cli.families.mlp import MLP
from conslaw_cli.formats.laws import NAMES
from conslaw_cli.laws.abelian import abelian_laws
from conslaw_cli.laws.polynomials import find_laws
from conslaw_cli.problems.problem import Problem

SPEC = """
name: three
seed: 5
architectures:
  - {widths: [2, 3, 2], activation: linear, name: matrix factorization}
  - {widths: [9000, 9000, 9], activation: linear, flow: {momentum: {hessian: nmf}}, name: too large}
  - {widths: [3, 2, 2], activation: relu, bias: hidden, name: small}
"""


@pytest.fixture(autouse=True)
def somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)


def laws(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, ["laws", *arguments], input=stdin, prog_name="conslaw")


def figures(done: Result) -> list[tuple[str, int, int, int]]:
    assert done.exit_code in (0, 3), done.stderr
    return [
        (row["name"], row["independent"], row["laws"], row["seed"])
        for row in json.loads(done.stdout)["results"]
    ]


def test_the_formats_on_offer_are_those_there_are() -> None:
    assert FORMATS == NAMES


def test_without_arguments_the_running_examples_are_searched() -> None:
    done = laws()
    assert done.exit_code == 0
    assert (
        done.stderr
        == "The paper's two running examples. Another one: conslaw laws --widths 3,4,2 --activation"
        " linear --degree 2\n\n"
    )
    assert "diag(U1ᵀU1 − U2U2ᵀ) = const   (4×4 diagonal, 4 laws)" in done.stdout
    assert "U1ᵀU1 − U2U2ᵀ = const   (4×4 symmetric, 10 laws)" in done.stdout


def test_flags_describe_a_network() -> None:
    done = laws(
        "--widths",
        "2,3,3",
        "--activation",
        "linear",
        "--bias",
        "all",
        "--loss",
        "cross_entropy",
        "--json",
    )
    (row,) = json.loads(done.stdout)["results"]
    assert (row["widths"], row["activation"], row["bias"], row["loss"]) == (
        [2, 3, 3],
        "linear",
        "all",
        "cross_entropy",
    )
    assert (row["independent"], row["laws"], row["degree"], row["linear"]) == (
        10,
        10,
        2,
        {"1": 4, "2": 16},
    )


def test_the_degree_may_be_reached_or_met() -> None:
    up_to, exactly = (
        json.loads(
            laws(
                "--widths", "3,3,3", "--activation", "linear", "--degree", "4", "--json", *more
            ).stdout
        )["results"][0]
        for more in ([], ["--homogeneous"])
    )
    assert up_to["linear"] == {"1": 0, "2": 6, "3": 0, "4": 21}
    assert exactly["linear"] == {"4": 21}
    assert (exactly["homogeneous"], exactly["independent"]) == (True, 6)


def test_all_lists_a_basis() -> None:
    arguments = ("--widths", "1,2,1", "--activation", "linear")
    assert "A linear basis" not in laws(*arguments).stdout
    text = laws(*arguments, "--all").stdout
    assert "  A linear basis:\n    (U1ᵀU1 − U2U2ᵀ)[1,1] = U1[1,1]² − U2[1,1]²\n" in text
    assert "    U1[1,1]·U2[2,1] − U1[1,2]·U2[1,1]   (no polynomial in the known laws)\n" in text


def test_a_failure_loses_none_of_the_others() -> None:
    Path("three.yaml").write_text(SPEC)
    done = laws("three.yaml", "--json", "--memory", "8G")
    assert done.exit_code == 3
    assert figures(done) == [("matrix factorization", 6, 6, 5), ("small", 2, 2, 5)]
    assert done.stderr.startswith("Error: too large: ")
    assert done.stderr.count("\n") == 1


def test_standard_input_and_seed() -> None:
    done = laws("-", "--json", "--seed", "7", stdin="{widths: [1, 2, 1], activation: linear}")
    assert figures(done) == [("linear 1-2-1", 3, 3, 7)]


@pytest.mark.usefixtures("wiring_alone")
def test_layers_of_a_file() -> None:
    text = (
        "{input: {channels: 1, length: 4}, layers: [conv1d: {channels: 1, kernel: 4, padding:"
        " circular}, flatten, dense: 1]}"
    )
    done = laws("-", stdin=text)
    assert done.exit_code == 0
    assert "(new)" in done.stdout


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_goes_to_stdout_or_a_file(name: str) -> None:
    arguments = ("--widths", "2,2,2", "--format", name)
    done = laws(*arguments, "-o", "out")
    assert (done.exit_code, done.stdout) == (0, "")
    shown = laws(*arguments).stdout
    if name == "json":
        assert figures(laws(*arguments)) == [("relu 2-2-2", 2, 2, 0)]
    else:
        assert Path("out").read_text(encoding="utf-8") == shown
    assert shown.endswith("\n")
    assert not shown.endswith("\n\n")


def test_lines_fit_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    text = laws("--widths", "2,3,2", "--activation", "linear", "--all").stdout
    assert max(map(len, text.splitlines())) <= 60


@pytest.mark.parametrize("degree", ["0", "-1", "50", "99999999999999999999"])
def test_degrees_out_of_range(degree: str) -> None:
    done = laws("--widths", "2,2,2", "--degree", degree)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == f"Error: degree: expected an integer from 1 to 40, got {degree}\n"


@pytest.mark.parametrize("degree", ["1.5", "two", "", "2e1"])
def test_degrees_that_are_no_integers(degree: str) -> None:
    done = laws("--widths", "2,2,2", "--degree", degree)
    assert (done.exit_code, done.stdout) == (2, "")
    assert f"Invalid value for '--degree': {degree!r} is not a valid integer." in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--widths", "2,0,2"], "--widths: expected positive integers, got 0"),
        (
            ["--widths", "2,2,2", "spec.yaml"],
            "give either a file or --widths, not both: 'spec.yaml' and '2,2,2'",
        ),
        (["--bias", "all"], "--bias needs --widths beside it; in a file it is a key"),
        (["nowhere.yaml"], "nowhere.yaml: cannot be read: No such file or directory"),
        (
            ["--widths", "2,2,2", "-o", "no/where"],
            "no/where: cannot be written: No such file or directory",
        ),
        (
            ["--widths", "2,2,2", "--memory", "much"],
            "expected an amount of memory such as 8G, 512M or 1e9, got 'much'",
        ),
        (["--widths", "2,2,2", "--format", "yaml"], "'yaml' is not one of"),
    ],
)
def test_bad_input(arguments: list[str], message: str) -> None:
    done = laws(*arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert message in done.stderr


def test_where_a_search_does_not_fit_the_known_laws_are_listed_and_what_would_is_named() -> None:
    done = laws("--widths", "5,5,5", "--activation", "linear", "--degree", "8", "--memory", "1G")
    assert done.exit_code == 0
    assert done.stdout.startswith(
        "linear 5-5-5: 50 parameters, known laws\n"
        "  known laws: 15 listed, 15 independent\n"
        "  laws in all: 15 (proved); all of them are functions of these\n\n"
        "  U1ᵀU1 − U2U2ᵀ = const   (5×5 symmetric, 15 laws)\n"
    )
    assert done.stderr.startswith(
        "no search beyond the known laws, which are complete: linear 5-5-5: 1916797311 monomials of"
        " degree up to 8 need about "
    )
    assert "the memory budget is 1 GiB; degree " in done.stderr
    assert done.stderr.endswith(" may fit\n")


def test_others_may_be_missing_where_the_known_laws_are_not_known_to_be_complete() -> None:
    done = laws("--widths", "2,600,600,2", "--activation", "linear", "--flow", "nmf")
    assert done.exit_code == 0
    assert done.stderr.startswith(
        "only known laws are listed, others were not searched: linear 2-600-600-2 nmf: "
    )


def test_of_networks_too_large_that_have_no_laws_it_is_said_that_there_are_none() -> None:
    flags = ("--widths", "784,512,10", "--activation", "relu", "--flow", "momentum")
    done = laws(*flags)
    assert (done.exit_code, "known laws: 0 listed, 0 independent" in done.stdout) == (0, True)
    assert "laws in all: 0 (proved); all of them are functions of these" in done.stdout
    assert "return np.empty(0)" in laws(*flags, "--format", "python").stdout
    assert "Empty: there are no such laws." in laws(*flags, "--format", "latex").stdout


@pytest.mark.parametrize(
    ("network", "listed"),
    [
        (["--widths", "2,3,2", "--activation", "exp", "--bias", "hidden"], 0),
        (["--widths", "2,2,2", "--activation", "exp", "--loss", "cross_entropy"], 2),
        (["--phi", "u*sqrt(v1**2+v2**2), v1/sqrt(v1**2+v2**2), v2/sqrt(v1**2+v2**2)"], 1),
    ],
)
def test_under_decay_functions_are_not_searched(network: list[str], listed: int) -> None:
    """Which took forever: their fields are known at the time 0 alone."""
    done = laws(*network, "--flow", "decay")
    assert done.exit_code == 0
    assert "under decay polynomials in θ are searched only where φ is a polynomial" in done.stderr
    assert f"known laws: {listed} listed" in done.stdout


def test_arrays_of_ones_own_have_no_next_layer() -> None:
    phi = ("--phi", "A*B", "--array", "A=200x300", "--array", "B=300x200")
    for format_ in ("text", "python"):
        done = laws(*phi, "--format", format_)
        assert done.exit_code == 0
        assert "AᵀA − BBᵀ" in done.stdout or "A.T @ A - B @ B.T" in done.stdout
        assert "leads from" not in done.stdout


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("seconds", "shown"), [(0.0, False), (0.4, True)])
def test_a_bar_is_shown_if_it_takes_a_while(
    seconds: float, shown: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    stderr = Terminal()
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setattr(progress, "SHOW_AFTER", 0.1)
    monkeypatch.setenv("TERM", "xterm")
    with search_progress("a network") as report:
        report("degree 2", 0.5)
        time.sleep(seconds)
    assert ("a network: degree 2" in stderr.getvalue()) == shown


def test_nothing_is_shown_where_nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setattr(progress, "SHOW_AFTER", 0.0)
    with search_progress("a network") as report:
        report("degree 2", 0.5)
        time.sleep(0.05)
    assert stderr.getvalue() == ""


def test_a_line_is_written_now_and_then_where_there_is_no_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stderr = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setattr(progress, "EVERY", 0.05)
    with heartbeat():
        time.sleep(0.08)
        with search_progress("a network") as report:
            report("degree 2", 0.5)
            time.sleep(0.1)
    written = stderr.getvalue().splitlines()
    assert written[0] == "0 s: reading what is asked for"
    assert written[-1] == "0 s: a network: degree 2, 50%"


def test_a_short_search_writes_no_line_and_a_long_one_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert laws("--widths", "2,3,2").stderr == ""
    monkeypatch.setattr(progress, "EVERY", 0.001)
    assert re.search(r"^0 s: ", laws("--widths", "2,3,2").stderr)


# ---- interrupts


@pytest.fixture
def interrupted_at_the_third(monkeypatch: pytest.MonkeyPatch) -> None:
    """Press Ctrl-C in the third search."""
    searched = []

    def search(architecture: MLP, *arguments: object, **options: object) -> object:
        searched.append(architecture)
        if len(searched) == 3:
            raise KeyboardInterrupt
        return find_laws(architecture, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr("conslaw_cli.laws.polynomials.find_laws", search)


FOUR = "grid: [{widths: [[2, 2, 2], [2, 3, 2], [3, 2, 2], [2, 2, 3]], activation: linear}]"
TWO = "grid: [{widths: [[2, 2, 2], [2, 3, 2]], activation: linear}]"


def plain(text: str) -> str:
    return re.sub(r'"seconds": [^,\n]*', "", text)


@pytest.mark.parametrize("name", FORMATS)
def test_an_interrupt_loses_no_result(name: str, request: pytest.FixtureRequest) -> None:
    whole = laws("-", "--format", name, stdin=TWO)
    request.getfixturevalue("interrupted_at_the_third")
    done = laws("-", "--format", name, stdin=FOUR)
    assert done.exit_code == 130
    assert plain(done.stdout) == plain(whole.stdout)
    assert done.stderr == "Interrupted: 2 of 4 architectures are done.\n"


@pytest.mark.usefixtures("interrupted_at_the_third")
def test_an_interrupt_leaves_the_file_as_it_was() -> None:
    assert laws("--widths", "2,2,2", "--json", "-o", "out").exit_code == 0
    before = Path("out").read_bytes()
    done = laws("-", "--json", "-o", "out", stdin=FOUR)
    assert done.exit_code == 130
    assert Path("out").read_bytes() == before
    assert [row["name"] for row in json.loads(done.stdout)["results"]] == ["linear 2-2-2"]
    assert done.stderr == (
        "Interrupted: 1 of 4 architectures are done and shown on standard output; out is as it"
        " was.\n"
    )


def test_text_is_written_as_it_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each result is on stdout before the next search begins."""
    written: list[int] = []
    shown: list[str] = []

    def search(architecture: MLP, *arguments: object, **options: object) -> object:
        written.append("".join(shown).count("parameters, laws of"))
        return find_laws(architecture, *arguments, **options)  # type: ignore[arg-type]

    # Undone alone: what the test's surroundings set, such as no COLUMNS, is to stay.
    with monkeypatch.context() as patch:
        patch.setattr("conslaw_cli.laws.polynomials.find_laws", search)
        patch.setattr("conslaw_cli.cli.options.put", shown.append)
        assert laws("-", stdin=FOUR).exit_code == 0
    assert written == [0, 1, 2, 3]
    assert "".join(shown) == laws("-", stdin=FOUR).stdout


def test_laws_that_no_search_finds_are_named() -> None:
    network = ("--widths", "1,3,3,1", "--activation", "linear")
    done = laws(*network)
    named = "2 laws are Abelian integrals, no algebraic function of θ (docs/abelian.md)"
    assert f"  {named}\n" in done.stdout
    assert "  Σᵢ ± ∫ xᵏ dx/2w up to x = sᵢ², w² = x·det(x + P)·det(x + Q), " in done.stdout
    (result,) = json.loads(laws(*network, "--json").stdout)["results"]
    (integrals,) = result["abelian"]
    assert (integrals["genus"], integrals["laws"], integrals["arrays"]) == (
        3,
        2,
        ["U1", "U2", "U3"],
    )
    assert result["not_polynomial"] == 2
    assert "Abelian" not in laws(*network, "--degree", "1").stdout
    assert rf"{integrals['latex']} = \mathrm{{const}}" in laws(*network, "--format", "latex").stdout
    wide = laws("--widths", "1,200,3,1", "--activation", "linear", "--memory", "4M")
    assert named in wide.stdout


@pytest.mark.parametrize("bias", ["hidden", "all"])
def test_with_biases_no_such_laws_are_known(bias: str) -> None:
    network = ("--widths", "1,2,2,1", "--activation", "linear", "--bias", bias)
    assert "abelian" not in json.loads(laws(*network, "--json").stdout)["results"][0]


def theta_of(m: int, n: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=shape) for shape in ((1, m), (m, n), (n, 1))]
    np.savez("theta.npz", **dict(zip(("U1", "U2", "U3"), arrays, strict=True)))  # type: ignore[arg-type]
    return np.concatenate([each.ravel() for each in arrays])


@pytest.mark.parametrize("memory", ["1G", "200K"])
def test_abelian_integrals_are_evaluated_at_a_point(memory: str) -> None:
    network = ("--widths", "1,12,3,1", "--activation", "linear")
    theta = theta_of(12, 3)
    (known,) = abelian_laws(Problem(MLP((1, 12, 3, 1), "linear")))
    values, periods = known.at(theta)
    at = ("--at", "theta.npz", "--memory", memory)
    (result,) = json.loads(laws(*network, *at, "--json").stdout)["results"]
    assert result["abelian"][0]["values"] == values.tolist()
    assert result["abelian"][0]["periods"] == periods.tolist()
    text = laws(*network, *at).stdout
    assert f"at θ: {values[0]:.16g}, {values[1]:.16g}\n" in text
    assert text.count("up to whole multiples of ") == 2


def test_other_laws_are_not_evaluated() -> None:
    theta_of(2, 2)
    linear = ("--activation", "linear", "--at", "theta.npz")
    for arguments, message in (
        (("--widths", "2,2,1", *linear), "--at: linear 2-2-1 has no laws that are Abelian"),
        (("--at", "theta.npz"), "--at: expected one architecture, got 2"),
        (("--widths", "1,2,3,1", *linear), "at: U2: expected the shape (2, 3), got (2, 2)"),
        (("--widths", "1,2,2,1", *linear[:-1], "none.npz"), "none.npz: expected arrays"),
    ):
        done = laws(*arguments)
        assert done.exit_code == 2
        assert message in done.stderr
    np.savez("theta.npz", U1=np.eye(1, 2), U2=np.eye(2), U3=np.eye(2, 1))
    done = laws("--widths", "1,2,2,1", *linear)
    assert done.exit_code == 2
    assert "branch points coincide" in done.stderr
