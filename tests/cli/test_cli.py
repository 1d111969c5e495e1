"""The commands as a user meets them: exit codes, what goes to stdout and to stderr, files,
signals.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner, Result
from faults import slow

from conslaw_cli import __version__
from conslaw_cli.cli import main, progress
from conslaw_cli.cli.options import FORMATS
from conslaw_cli.formats import NAMES
from conslaw_cli.lie.closed_forms import closed_form
from conslaw_cli.problems.problem import Problem
from conslaw_cli.sweeps.jobs import Job, Limits
from conslaw_cli.sweeps.processes import run

SMALL = """
name: small
architectures:
  - {widths: [2, 3, 2], activation: linear, name: matrix factorization}
  - {widths: [3, 2, 2], activation: relu, bias: hidden}
  - {widths: [1, 2, 2, 1], activation: linear}
"""
TOO_LARGE = (
    "  - {widths: [9000, 9000, 9000, 9], activation: linear, flow: {momentum: {hessian: nmf}},"
    " name: too large}\n"
)
TOO_SLOW = slow("too slow")
BOUNDED = "  - {widths: [90, 90, 90, 9], activation: [linear, smooth], name: too wide}\n"
REPOSITORY = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(REPOSITORY), "TERM": "xterm"}


@pytest.fixture(autouse=True)
def somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Every test runs in an empty directory of its own, and leaves the process as it was."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)
    for library in ("OMP", "OPENBLAS", "MKL", "BLIS"):
        monkeypatch.setenv(f"{library}_NUM_THREADS", "1")
    handler = signal.getsignal(signal.SIGTERM)
    yield tmp_path
    signal.signal(signal.SIGTERM, handler)


def conslaw(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, arguments, input=stdin, prog_name="conslaw")


def test_one_format_may_be_said_twice() -> None:
    for words in (["--format", "json", "--json"], ["--json"], ["--format", "json"]):
        assert json.loads(conslaw("count", "--phi", "u*v", *words).stdout)


def started(*arguments: str) -> subprocess.Popen[str]:
    """Start the command as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "conslaw_cli", *arguments],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def write(name: str, text: str) -> str:
    Path(name).write_text(text)
    return name


def names(path: str) -> list[str]:
    return [json.loads(line)["name"] for line in Path(path).read_text().splitlines()]


def without_seconds(text: str) -> str:
    return re.sub(r'"seconds": ?[^,\n]*', "", text)


# ---- the program


def test_help_is_quick_and_says_what_there_is() -> None:
    start = time.perf_counter()
    process = started("-h")
    out, err = process.communicate(timeout=10)
    assert (process.returncode, err) == (0, "")
    assert "count" in out
    assert "sweep" in out
    assert "Exit codes: 0 done" in out
    assert "_CONSLAW_COMPLETE" in out
    assert time.perf_counter() - start < 1, "0.05 s on an idle machine"


def test_help_loads_nothing_heavy() -> None:
    code = "import sys, conslaw_cli.cli; print(*sys.modules)"
    process = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    heavy = {
        "numpy",
        "sympy",
        "joblib",
        "flint",
        "pydantic",
        "rich",
        "yaml",
        "psutil",
        "multiprocessing",
    }
    assert not heavy & set(process.stdout.split())


def test_a_count_of_dense_layers_loads_what_it_needs_alone() -> None:
    code = (
        "import sys; from conslaw_cli import MLP, count_laws;"
        "[count_laws(MLP((3, 4, 2), each)) for each in ('linear', 'relu')]; print(*sys.modules)"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    others = {
        "flint",
        "psutil",
        "yaml",
        "conslaw_cli.families.layers",
        "conslaw_cli.flows.coordinates",
        "conslaw_cli.networks.operations.convolution",
    }
    assert not others & set(process.stdout.split())


def test_version() -> None:
    assert conslaw("--version").output == f"conslaw {__version__}\n"


@pytest.mark.parametrize("command", ["count", "sweep"])
def test_every_command_has_help(command: str) -> None:
    result = conslaw(command, "-h")
    assert result.exit_code == 0
    assert result.output == conslaw(command, "--help").output


def test_the_formats_are_those_there_are() -> None:
    assert FORMATS == NAMES


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("cuont", "No such command 'cuont'. Did you mean 'count'?"),
        ("count --fromat json", "Did you mean '--format'?"),
        ("count small.yaml --format csv --json", "--format csv, --json: expected one of the two"),
        ("sweep small.yaml --json --format csv", "--format csv, --json: expected one of the two"),
        ("laws small.yaml --format latex --json", "--format latex, --json: expected one of the"),
        ("count --format yaml", "'yaml' is not one of 'table', 'json', 'csv', 'markdown', 'latex'"),
        ("count --seed -1", "-1 is not in the range"),
        ("count --seed 4294967296", "4294967296 is not in the range"),
        ("count --seed x", "'x' is not a valid integer"),
        ("count --memory 0", "expected an amount of memory such as 8G, 512M or 1e9, got '0'"),
        ("count --memory=-1G", "got '-1G'"),
        ("count --memory 8X", "got '8X'"),
        ("count --memory 1e999", "got '1e999'"),
        ("count --memory nan", "got 'nan'"),
        ("count --activation relu", "--activation needs --widths beside it; in a file it is a key"),
        ("count relu 3 4 2", "for that network: conslaw count --widths 3,4,2 --activation relu\n"),
        ("count 3,4,2", "for that network: conslaw count --widths 3,4,2\n"),
        (
            "laws linear/relu 3-4-5-2 bias=all cross_entropy",
            "for that network: conslaw laws --widths 3,4,5,2 --activation linear,relu --bias all"
            " --loss cross_entropy\n",
        ),
        (
            "describe ReLU 3x4x2 bias",
            "for that network: conslaw describe --widths 3,4,2 --activation relu --bias hidden\n",
        ),
        ("count a b", "expected one SPEC, a YAML file, got 'a b'\n"),
        ("count relu 3", "expected one SPEC, a YAML file, got 'relu 3'\n"),
        ("count 3", "3: cannot be read: No such file or directory"),
        (
            "count --widths 2,2 --explain --json",
            "--explain: expected --format table, markdown or latex, got json",
        ),
        ("count --widths 2,2 --explain --format csv", "latex, got csv"),
        (
            "count spec.yaml --widths 2,2",
            "either a file or --widths, not both: 'spec.yaml' and '2,2'",
        ),
        ("count --widths 3y4", "--widths: expected positive integers such as 3,4,2, got '3y4'"),
        ("count --widths 3,0,2", "got 0"),
        ("count --widths 3", "[3]"),
        ("count --widths 3,4,2 --activation gelu", "gelu"),
        ("count --widths 3,4,2 --bias maybe", "maybe"),
        ("count --widths 3,4,2 --loss l1", "l1"),
        ("count missing.yaml", "missing.yaml: cannot be read: No such file or directory"),
        ("count .", "Is a directory"),
        (
            "count -o missing/out.json",
            "missing/out.json: cannot be written: No such file or directory",
        ),
        ("count -o .", ".: cannot be written: Is a directory"),
        ("sweep", "Missing argument 'SPEC'"),
        ("sweep missing.yaml", "missing.yaml: cannot be read: No such file or directory"),
        ("sweep small.yaml -j 0", "0 is not in the range"),
        ("sweep small.yaml --timeout 0", "expected seconds above 0 and up to 1e6, got '0'"),
        ("sweep small.yaml --timeout nan", "got 'nan'"),
        ("sweep small.yaml --timeout inf", "got 'inf'"),
        ("sweep small.yaml -o missing/rows.jsonl", "missing/rows.jsonl: cannot keep rows there"),
        ("sweep small.yaml -o small.yaml", "small.yaml: expected rows of a sweep, found none"),
        ("sweep bad.yaml", "bad.yaml:1:1"),
    ],
)
def test_bad_usage_is_one_message_and_exit_code_2(arguments: str, message: str) -> None:
    write("small.yaml", SMALL)
    write("bad.yaml", "wdiths: [2, 2]\n")
    result = conslaw(*arguments.split())
    assert result.exit_code == 2
    assert result.stdout == ""
    assert message in result.stderr
    assert result.stderr.count("Error: ") == 1
    assert "Traceback" not in result.stderr
    assert Path("small.yaml").read_text() == SMALL


# ---- count


def test_without_arguments_the_running_examples_are_counted() -> None:
    result = conslaw("count", "--json")
    assert result.exit_code == 0
    value = json.loads(result.stdout)
    assert value["schema"] == "conslaw.count/1"
    found = [(row["activation"], row["laws"], row["verdict"]) for row in value["results"]]
    # Example 3.5: r laws. Example 3.6 with Prop. 4.2: rk (2r + 1 − rk) / 2 for r = rk = 4.
    assert found == [("relu", 4, "proved"), ("linear", 10, "proved")]
    assert "conslaw count --widths 3,4,2" in result.stderr


def test_a_network_by_its_flags() -> None:
    result = conslaw(
        *[
            "count",
            "--widths",
            "3,4,2",
            "--activation",
            "linear",
            "--bias",
            "all",
            "--seed",
            "3",
            "--memory",
            "1G",
            "--json",
        ]
    )
    (row,) = json.loads(result.stdout)["results"]
    assert (row["widths"], row["activation"], row["bias"], row["seed"]) == (
        [3, 4, 2],
        "linear",
        "all",
        3,
    )
    assert result.stderr == ""


def test_all_networks_of_a_file_in_their_order() -> None:
    for result in (
        conslaw("count", write("s.yaml", SMALL), "--json"),
        conslaw("count", "-", "--json", stdin=SMALL),
    ):
        assert result.exit_code == 0
        rows = json.loads(result.stdout)["results"]
        assert [row["widths"] for row in rows] == [[2, 3, 2], [3, 2, 2], [1, 2, 2, 1]]
        assert rows[0]["name"] == "matrix factorization"


@pytest.mark.parametrize("format_", NAMES)
def test_a_file_holds_what_stdout_would(format_: str) -> None:
    arguments = ("count", "--widths", "2,2", "--format", format_)
    assert conslaw(*arguments, "-o", "out").stdout_bytes == b""
    printed = conslaw(*arguments, "-o", "-").stdout_bytes
    seconds = rb"\b0\.\d+"
    assert re.sub(seconds, b"", Path("out").read_bytes()) == re.sub(seconds, b"", printed)
    assert printed


@pytest.mark.parametrize("flag", ["--widths", "--activation", "--bias", "--loss", "--phi"])
@pytest.mark.parametrize("command", ["count", "laws", "describe"])
def test_an_empty_value_is_not_the_default(command: str, flag: str) -> None:
    """As in a script whose variable is not set."""
    way = () if flag in ("--widths", "--phi") else ("--widths", "3,4,2")
    result = conslaw(command, *way, flag, "")
    assert (result.exit_code, result.stdout) == (2, "")
    assert flag.removeprefix("--") in result.stderr


def test_a_file_may_be_called_like_a_network() -> None:
    assert conslaw("count", write("3,4,2", SMALL)).exit_code == 0


def test_the_seed_of_a_spec_is_used_unless_another_is_given() -> None:
    for text in ("{widths: [2, 2], seed: 5}", "{seed: 5, architectures: [{widths: [2, 2]}]}"):
        for command in ("count", "laws", "sweep"):
            for more, seed in ((), 5), (("--seed", "0"), 0), (("--seed", "7"), 7):
                done = conslaw(command, write("s.yaml", text), "--json", *more)
                assert [row["seed"] for row in json.loads(done.stdout)["results"]] == [seed]


@pytest.mark.parametrize("command", ["count", "laws", "sweep"])
def test_what_a_spec_expects_is_held_against_the_count(command: str) -> None:
    right, wrong = (
        conslaw(command, write("s.yaml", f"architectures: [{{widths: [3, 4, 2], expect: {n}}}]"))
        for n in (4, 5)
    )
    assert (right.exit_code, wrong.exit_code) == (0, 1)
    assert "1 row not as the spec expects. The first: relu 3-4-2: 4 laws, not 5\n" in wrong.stderr


def test_a_closed_form_that_is_wrong_is_an_exception(monkeypatch: pytest.MonkeyPatch) -> None:
    grid = "grid: {depth: 2, widths: [1, 2], activation: linear, expect: closed form}"
    right = conslaw("sweep", write("s.yaml", grid), "--json")

    def wrong_form(problem: Problem) -> int:
        widths: list[int] = problem.architecture.describe()["widths"]
        return (closed_form(problem) or 0) + widths[0] - 1

    monkeypatch.setattr("conslaw_cli.lie.closed_forms.closed_form", wrong_form)
    wrong = conslaw("sweep", write("s.yaml", grid), "--json")
    sums = [json.loads(done.stdout)["summary"] for done in (right, wrong)]
    assert (right.exit_code, wrong.exit_code) == (0, 1)
    assert [(each["expected"], each["as_expected"]) for each in sums] == [(8, 8), (8, 4)]
    assert sums[1]["exceptions"] == [f"linear 2-{m}-{n}" for m in (1, 2) for n in (1, 2)]
    assert "4 rows not as the spec expects. The first: linear 2-1-1: 1 laws, not 2" in wrong.stderr


@pytest.mark.parametrize("format_", NAMES)
def test_a_report_on_several_kinds_of_networks_replaces_an_earlier_one(format_: str) -> None:
    """Its columns say what differs between them."""
    spec = write("s.yaml", SMALL)
    for _ in range(2):
        assert conslaw("count", spec, "--format", format_, "-o", "out").exit_code == 0


def test_explanations() -> None:
    plain, explained = (
        conslaw("count", "--widths", "2,3,2", *more).stdout for more in ((), ("--explain",))
    )
    assert len(explained) > len(plain)


def test_a_refused_count_is_a_failed_row_and_exit_code_3() -> None:
    result = conslaw(
        *["count", "--widths", "9000,9000,9000,9", "--activation", "linear", "--memory", "1M"],
        *["--flow", "{momentum: {hessian: nmf}}", "--json"],
    )
    assert result.exit_code == 3
    assert json.loads(result.stdout)["results"][0]["verdict"] == "failed"
    assert "1 row failed. The first: linear 9000-9000-9000-9 momentum" in result.stderr
    assert "memory" in result.stderr


def test_a_pipe_may_be_the_file() -> None:
    os.mkfifo("pipe")
    reader = subprocess.Popen(["cat", "pipe"], stdout=subprocess.PIPE, text=True)
    assert conslaw("count", "--widths", "2,2", "--json", "-o", "pipe").exit_code == 0
    assert json.loads(reader.communicate(timeout=10)[0])["schema"] == "conslaw.count/1"


def test_a_failed_count_leaves_no_file_behind_and_a_bad_spec_neither() -> None:
    assert conslaw("count", "missing.yaml", "-o", "out").exit_code == 2
    assert not Path("out").exists()


def test_a_count_that_the_spec_does_not_expect_is_exit_code_1() -> None:
    spec = "architectures:\n  - {widths: [2, 3, 2], activation: linear, name: a, expect: %d}\n"
    assert conslaw("count", write("s.yaml", spec % 6)).exit_code == 0
    result = conslaw("count", write("s.yaml", spec % 5))
    assert result.exit_code == 1
    assert "1 row not as the spec expects. The first: a: 6 laws, not 5" in result.stderr


# ---- sweep


def test_a_sweep_keeps_its_rows_and_a_rerun_counts_none_again() -> None:
    first = conslaw("sweep", write("s.yaml", SMALL), "--json")
    assert (first.exit_code, first.stderr) == (0, "3 rows in results/small.jsonl\n")
    value = json.loads(first.stdout)
    assert value["schema"] == "conslaw.sweep/1"
    assert value["summary"]["rows"] == value["summary"]["proved"] == 3
    assert names("results/small.jsonl") == [row["name"] for row in value["results"]]
    again = conslaw("sweep", "s.yaml", "--json")
    assert again.stdout == first.stdout, "the very same rows, seconds included"
    assert "3 of 3 rows are in results/small.jsonl already (--fresh" in again.stderr


def test_fresh_starts_over_but_for_the_rows_of_others() -> None:
    conslaw("sweep", write("s.yaml", SMALL), "-o", "rows")
    conslaw("sweep", "s.yaml", "-o", "rows", "--seed", "5")
    before = Path("rows").read_text().splitlines()
    assert len(before) == 6
    result = conslaw("sweep", "s.yaml", "-o", "rows", "--fresh", "--seed", "5")
    assert (result.exit_code, result.stderr) == (0, "3 rows in rows\n")
    after = Path("rows").read_text().splitlines()
    assert after[3:] == [line for line in before if '"seed":0' in line]
    assert not set(after[:3]) & set(before), "counted again, which takes another time"
    assert without_seconds("\n".join(after[:3])) == without_seconds("\n".join(before[:3]))


def test_a_half_written_line_is_repaired() -> None:
    conslaw("sweep", write("s.yaml", SMALL), "-o", "rows")
    whole = Path("rows").read_bytes()
    Path("rows").write_bytes(whole[:-40])
    result = conslaw("sweep", "s.yaml", "-o", "rows")
    assert result.exit_code == 0
    assert "rows: cut off a half-written last line" in result.stderr
    assert "2 of 3 rows are in rows already" in result.stderr
    assert without_seconds(Path("rows").read_text()) == without_seconds(whole.decode())


def test_a_failed_job_is_exit_code_3_and_the_others_go_on() -> None:
    spec = write("s.yaml", SMALL + TOO_LARGE)
    result = conslaw("sweep", spec, "--memory", "1G", "--json")
    assert result.exit_code == 3
    assert [row["verdict"] for row in json.loads(result.stdout)["results"]] == ["proved"] * 3 + [
        "failed"
    ]
    assert "1 row failed. The first: too large: " in result.stderr
    again = conslaw("sweep", spec, "--memory", "1G", "--json")
    assert again.exit_code == 3
    assert "3 of 4 rows" in again.stderr, "failed rows are tried again"
    assert names("results/small.jsonl").count("too large") == 1


def test_the_time_limit_is_a_failed_row() -> None:
    result = conslaw(
        "sweep", write("s.yaml", SMALL + TOO_SLOW), "-j", "1", "--timeout", "0.5", "--json"
    )
    assert result.exit_code == 3
    assert "1 row failed. The first: too slow: time limit of 0.5 s reached" in result.stderr
    assert json.loads(result.stdout)["summary"]["proved"] == 3
    counted = conslaw("count", "s.yaml", "--timeout", "0.5")
    assert counted.exit_code == 3
    assert "too slow failed: time limit of 0.5 s reached" in counted.stdout


def test_rows_for_which_memory_or_time_do_not_suffice_are_bounded_and_exit_code_0() -> None:
    spec = write("s.yaml", SMALL + BOUNDED)
    for limit in (("--memory", "1G"), ("--timeout", "0.5")):
        result = conslaw("sweep", spec, "--fresh", "-j", "1", "--json", *limit)
        assert result.exit_code == 0
        *_, row = json.loads(result.stdout)["results"]
        assert (row["verdict"], row["laws_at_least"]) == ("bounded", 90 * 91 // 2)
        assert [row[key] for key in ("dim_lie", "laws", "unknown_laws", "trace")] == [None] * 4
        assert row["evidence"]["reason"].startswith(("17010 parameters need", "time limit"))
        counted = conslaw("count", spec, *limit, "--json")
        assert counted.exit_code == 0
        assert json.loads(counted.stdout)["results"][-1]["laws_at_least"] == 90 * 91 // 2
        unproved = conslaw("count", spec, *limit, "--require-proof")
        assert unproved.exit_code == 1
        assert "1 row not proved (--require-proof)" in unproved.stderr
    again = conslaw("sweep", spec, "--memory", "1G")
    assert "3 of 4 rows" in again.stderr, "what is open is tried again"
    assert "bounded            1\n" in again.stdout
    unproved = conslaw("sweep", spec, "--memory", "1G", "--require-proof")
    assert unproved.exit_code == 1
    assert "1 row not proved (--require-proof). The first: too wide: bounded" in unproved.stderr


def test_require_proof() -> None:
    assert conslaw("sweep", write("s.yaml", SMALL), "--require-proof").exit_code == 0
    result = conslaw(
        "sweep", write("s.yaml", SMALL + TOO_LARGE), "--memory", "1G", "--require-proof"
    )
    assert result.exit_code == 3, "a failure counts for more than a missing proof"
    assert "1 row not proved (--require-proof). The first: too large: failed" in result.stderr


def test_the_name_of_a_sweep_is_the_name_of_its_file() -> None:
    assert conslaw("sweep", write("by file.yaml", "widths: [2, 2]\n")).exit_code == 0
    assert names("results/by file.jsonl") == ["relu 2-2"]
    assert conslaw("sweep", "-", stdin="widths: [2, 2]\n").exit_code == 0
    assert Path("results/stdin.jsonl").exists()


def test_results_must_be_a_directory() -> None:
    Path("results").touch()
    result = conslaw("sweep", write("s.yaml", SMALL))
    assert result.exit_code == 2
    assert "results: cannot be made a directory" in result.stderr


def test_workers_change_nothing_but_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conslaw_cli.sweeps.processes.WORTH_A_WORKER", 1e-4)
    out = [
        conslaw(
            "sweep",
            write("s.yaml", SMALL + TOO_LARGE),
            "-o",
            f"rows {j}",
            "-j",
            j,
            "--memory",
            "1G",
            "--json",
        )
        for j in ("1", "2")
    ]
    assert without_seconds(out[0].stdout) == without_seconds(out[1].stdout)
    files = [without_seconds(Path(f"rows {j}").read_text()) for j in ("1", "2")]
    assert files[0] == files[1]


# ---- signals and pipes


def wait_for_rows(path: str, rows: int) -> None:
    deadline = time.monotonic() + 20
    while not Path(path).exists() or Path(path).read_bytes().count(b"\n") < rows:
        assert time.monotonic() < deadline, "no rows in 20 s"
        time.sleep(0.02)


@pytest.mark.parametrize("command", ["count", "sweep"])
def test_the_memory_asked_for_is_the_budget_of_every_count(command: str) -> None:
    spec = write("s.yaml", "{widths: [3, 3, 3, 3], activation: linear}")
    result = conslaw(command, spec, "--memory", "1K")
    assert result.exit_code == 0
    assert "27 parameters need about" in result.stdout
    assert "more than the memory budget" in result.stdout


@pytest.mark.parametrize(
    ("workers", "number"),
    [("1", signal.SIGTERM), ("2", signal.SIGINT), ("2", signal.SIGHUP)],
)
def test_an_interrupted_sweep_keeps_what_is_finished(workers: str, number: int) -> None:
    process = started("sweep", write("s.yaml", SMALL + TOO_SLOW), "-j", workers)
    wait_for_rows("results/small.jsonl", 3)
    os.killpg(process.pid, number)  # as a terminal does
    asked = time.monotonic()
    out, err = process.communicate(timeout=10)
    assert time.monotonic() - asked < 3
    assert process.returncode == 130
    assert [line.partition("  ")[0] for line in out.splitlines()[1:]] == names(
        "results/small.jsonl"
    )
    assert err == "Interrupted: 3 of 4 rows are in results/small.jsonl; the same command goes on.\n"
    assert len(names("results/small.jsonl")) == 3


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_sweep_killed_outright_leaves_its_rows_and_no_processes(workers: str) -> None:
    process = started("sweep", write("s.yaml", SMALL + TOO_SLOW), "-j", workers)
    wait_for_rows("results/small.jsonl", 3)
    below = [
        each
        for each in psutil.Process(process.pid).children(recursive=True)
        if "tracker" not in " ".join(each.cmdline())
    ]
    assert below
    process.kill()
    process.communicate(timeout=10)
    _, alive = psutil.wait_procs(below, timeout=5)
    assert not alive
    result = conslaw("sweep", "s.yaml", "--timeout", "0.1", "-j", "1")
    assert result.exit_code == 3
    assert "3 of 4 rows are in results/small.jsonl already" in result.stderr


def test_an_interrupted_count_is_exit_code_130() -> None:
    process = started("count", write("s.yaml", "architectures:\n" + TOO_SLOW))
    deadline = time.monotonic() + 10
    while not psutil.Process(process.pid).children() and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    assert process.communicate(timeout=5) == ("", "Interrupted.\n")
    assert process.returncode == 130


def test_an_interrupted_count_shows_what_is_finished(monkeypatch: pytest.MonkeyPatch) -> None:
    """In every format what it would show of these alone; a file stays as it was."""
    whole, part = write("whole.yaml", SMALL), write("part.yaml", SMALL[: SMALL.rindex("  - ")])
    assert conslaw("count", part, "-o", "out").exit_code == 0
    before = Path("out").read_bytes()

    def interrupted(jobs: list[Job], limits: Limits, workers: int) -> Iterator[object]:
        yield from run(jobs[:2], limits, workers)
        raise KeyboardInterrupt

    for more in ([], ["--json"], ["--format", "csv"], ["-o", "out"]):
        expected = conslaw("count", part, *(more if more != ["-o", "out"] else [])).stdout
        with monkeypatch.context() as patch:
            patch.setattr("conslaw_cli.sweeps.processes.run", interrupted)
            result = conslaw("count", whole, *more)
        assert result.exit_code == 130, result.stderr
        assert timeless(result.stdout) == timeless(expected)
        assert result.stderr.startswith("Interrupted: 2 of 3 architectures are done")
        assert result.stderr.count("\n") == 1
    assert Path("out").read_bytes() == before


def timeless(text: str) -> str:
    return re.sub(r"\b0\.\d{4,}", "", text)


def test_a_line_is_written_now_and_then_where_there_is_no_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(progress, "EVERY", 0.25)
    spec = write("s.yaml", SMALL + TOO_SLOW)
    result = conslaw("sweep", spec, "-j", "1", "--timeout", "1.2")
    assert re.search(r"^[12] s: 3/4 · 3 proved, about \d+ s left$", result.stderr, re.MULTILINE)


def test_a_reader_that_goes_away_is_no_error() -> None:
    process = started("sweep", write("s.yaml", SMALL))
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == "3 rows in results/small.jsonl\n"
    process.stderr.close()
    assert process.wait(timeout=10) == 0
    assert len(names("results/small.jsonl")) == 3


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_one_message() -> None:
    command = [sys.executable, "-m", "conslaw_cli", "count", "--widths", "2,2"]
    with open("/dev/full", "w") as full:
        process = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT
        )
    assert process.returncode == 4
    assert process.stderr == "Error: standard output: cannot be written: No space left on device\n"


def test_a_terminal_that_knows_ascii_alone_gets_its_table() -> None:
    command = [sys.executable, "-m", "conslaw_cli", "count", "--widths", "2,2", "--explain"]
    process = subprocess.run(
        command, capture_output=True, env={**ENVIRONMENT, "PYTHONIOENCODING": "ascii"}
    )
    assert (process.returncode, process.stderr) == (0, b"")
    assert process.stdout.isascii()


def on_a_terminal(*arguments: str) -> tuple[str, str]:
    """Run the command with stderr on a terminal; return stdout and what the terminal got."""
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "conslaw_cli", *arguments]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=theirs, text=True, env=ENVIRONMENT
    )
    os.close(theirs)
    seen = b""
    # Linux answers EIO once nobody has the other end open.
    with contextlib.suppress(OSError):
        while piece := os.read(ours, 4096):
            seen += piece
    os.close(ours)
    out, _ = process.communicate(timeout=10)
    return out, seen.decode()


def test_the_progress_bar_is_on_a_terminal_alone_and_for_long_sweeps_alone() -> None:
    spec = write("long.yaml", SMALL + TOO_SLOW)
    limit = ("--timeout", str(progress.SHOW_AFTER + 0.7))
    long = ("sweep", spec, "-j", "1", *limit, "--fresh", "--json")
    out, seen = on_a_terminal(*long)
    assert json.loads(out)["summary"]["rows"] == 4
    assert "ETA" in seen
    assert "3/4 · 3 proved" in seen
    assert "ETA" not in conslaw(*long).stderr
    _, seen = on_a_terminal("sweep", write("s.yaml", SMALL), "--fresh", "--json")
    assert seen == "3 rows in results/small.jsonl\r\n"
