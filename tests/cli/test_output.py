"""Where the commands write: nothing of the user's is overwritten, and no result is lost."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from faults import slow

from conslaw_cli.cli import main, outfile
from conslaw_cli.cli.laws import FORMATS as LAWS
from conslaw_cli.cli.options import FORMATS as COUNTS
from conslaw_cli.errors import SpecError

SPEC = "name: two\narchitectures: [{widths: [2, 2], activation: linear}, {widths: [3, 4, 2]}]\n"
LAWLESS = 'fields: [["y*z", "x*z", "x*y"], ["x", "1", "y"]]'
MANY = "grid: [{depth: {from: 1, to: 3}, widths: {from: 1, to: 3}, activation: linear}]\n"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}


@pytest.fixture(autouse=True)
def somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every test runs in a directory of its own, with a spec, and leaves the process as it was."""
    monkeypatch.chdir(tmp_path)
    for library in ("OMP", "OPENBLAS", "MKL", "BLIS"):
        monkeypatch.setenv(f"{library}_NUM_THREADS", "1")
    Path("s.yaml").write_text(SPEC)
    handler = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, handler)


def conslaw(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, prog_name="conslaw")


def shell(
    command: str, limits: Callable[[], None] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command line in which ``conslaw`` is the program."""
    program = command.replace("conslaw", f"{sys.executable} -m conslaw_cli")
    return subprocess.run(
        program,
        shell=True,
        # Python would keep what it compiled, cut off, where files may not grow.
        env=ENVIRONMENT | ({} if limits is None else {"PYTHONDONTWRITEBYTECODE": "1"}),
        capture_output=True,
        text=True,
        preexec_fn=limits,
    )


def contents() -> dict[str, bytes]:
    return {str(each): each.read_bytes() for each in Path().rglob("*") if each.is_file()}


# ---- reports


REPORTS = [("count", each) for each in COUNTS] + [("laws", each) for each in LAWS]


@pytest.mark.parametrize(
    ("command", "format_"), [*REPORTS, *(("sweep", each) for each in (*COUNTS, "summary"))]
)
def test_a_report_replaces_any_other_report(command: str, format_: str) -> None:
    """What is there is looked at, not what comes."""
    if command == "sweep":
        way = ("--summary",) if format_ == "summary" else ("--format", format_)
        Path("out").write_text(conslaw("sweep", "s.yaml", *way).stdout)
    else:
        assert conslaw(command, "s.yaml", "--format", format_, "-o", "out").exit_code == 0
    written = Path("out").read_bytes()
    for other in ("count", "laws"):
        assert conslaw(other, "--widths", "2,2", "-o", "out").exit_code == 0
        assert Path("out").read_bytes() != written
        Path("out").write_bytes(written)


def test_a_report_goes_to_an_empty_file_and_through_a_link() -> None:
    Path("out").touch(mode=0o640)
    Path("link").symlink_to("out")
    assert conslaw("count", "s.yaml", "-o", "link").exit_code == 0
    assert Path("link").is_symlink()
    assert Path("out").read_text().startswith("name")
    assert Path("out").stat().st_mode & 0o777 == 0o640
    Path("out").unlink()
    assert conslaw("count", "s.yaml", "-o", "link").exit_code == 0
    assert Path("out").read_text().startswith("name")


@pytest.mark.parametrize("command", ["count", "laws", "sweep"])
@pytest.mark.parametrize("output", ["s.yaml", "././s.yaml", "absolute", "symbolic", "hard", "two"])
def test_a_spec_is_never_an_output(command: str, output: str) -> None:
    Path("symbolic").symlink_to("s.yaml")
    os.link("s.yaml", "hard")
    Path("two").symlink_to("symbolic")
    output = str(Path("s.yaml").absolute()) if output == "absolute" else output
    before = contents()
    for spec in ("s.yaml", "hard", "symbolic"):
        result = conslaw(command, spec, "-o", output)
        assert result.exit_code == 2
        assert result.stdout == ""
        assert "found none: this is the spec" in result.stderr
    assert contents() == before


@pytest.mark.parametrize("command", ["count", "sweep"])
def test_a_spec_on_standard_input_is_never_an_output(command: str) -> None:
    os.link("s.yaml", "hard")
    before = contents()
    read = shell(f"conslaw {command} - -o hard < s.yaml")
    assert (read.returncode, read.stdout) == (2, "")
    assert contents() == before


def test_the_default_file_of_a_sweep_may_be_its_spec() -> None:
    Path("results").mkdir()
    Path("results/two.jsonl").write_text(SPEC)
    before = contents()
    assert conslaw("sweep", "results/two.jsonl").exit_code == 2
    assert contents() == before


@pytest.mark.parametrize("command", ["count", "laws", "sweep"])
@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "precious": true}',
        "widths: [3, 4, 2]\n",
        "import numpy as np\n\n\ndef train(theta):\n    pass\n",
        "name,age\nA,1\n",
        "# Notes\n\nof mine\n",
        "from sympy import symbols\n\nx = symbols('x')\n",
    ],
)
def test_a_file_of_the_users_is_never_an_output(command: str, text: str) -> None:
    Path("mine").write_text(text)
    result = conslaw(command, "s.yaml", "-o", "mine")
    assert result.exit_code == 2
    assert re.search("mine: expected .*, found (none|something else); name another", result.stderr)
    assert Path("mine").read_text() == text


@pytest.mark.parametrize("command", ["count", "laws"])
def test_rows_of_a_sweep_are_never_overwritten_by_a_report(command: str) -> None:
    conslaw("sweep", "s.yaml", "-o", "rows")
    before = contents()
    result = conslaw(command, "s.yaml", "-o", "rows")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "Error: rows: holds rows of a sweep; name another file\n"
    assert contents() == before


def test_a_file_that_a_sweep_will_write_its_first_row_to_is_no_output() -> None:
    from conslaw_cli.sweeps.store import Store

    with Store("rows", "1", list[str]().append):
        result = conslaw("count", "s.yaml", "-o", "rows")
    assert "rows: holds rows of a sweep" in result.stderr


def test_a_failed_count_leaves_the_earlier_report_and_goes_to_stdout() -> None:
    Path("s.yaml").write_text(LAWLESS)
    failing = ("count", "s.yaml", "--memory", "1K", "-o", "out")
    assert conslaw(*failing).exit_code == 3
    assert "failed" in Path("out").read_text(), "there was none"
    assert conslaw("count", "s.yaml", "-o", "out").exit_code == 0
    good = Path("out").read_text()
    assert "failed" not in good
    result = conslaw(*failing)
    assert result.exit_code == 3
    assert Path("out").read_text() == good
    assert "failed: no count was made" in result.stdout
    assert "out: the earlier report stays" in result.stderr


def test_laws_that_were_not_all_found_leave_the_earlier_report_and_go_to_stdout() -> None:
    Path("s.yaml").write_text(SPEC.replace("widths: [3, 4, 2]", LAWLESS))
    assert conslaw("laws", "--widths", "2,2", "-o", "out").exit_code == 0
    good = Path("out").read_text()
    result = conslaw("laws", "s.yaml", "--memory", "100M", "-o", "out")
    assert result.exit_code == 3
    assert Path("out").read_text() == good
    assert "linear 2-2" in result.stdout
    assert "out: the earlier report stays" in result.stderr


def small_files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))


def test_a_report_that_does_not_fit_on_the_disk_leaves_the_earlier_one() -> None:
    assert conslaw("count", "s.yaml", "-o", "out").exit_code == 0
    Path("many.yaml").write_text(MANY)
    before = contents()
    result = shell("conslaw count many.yaml -o out", small_files)
    assert result.returncode not in (0, 1, 3)
    assert result.stderr == "Error: out: cannot be written: File too large\n"
    assert result.stdout == conslaw("count", "many.yaml").stdout
    assert contents() == before


def test_a_file_that_came_meanwhile_is_not_overwritten() -> None:
    outfile.check("out", "s.yaml")
    Path("out").write_text("mine\n")
    with pytest.raises(SpecError, match="out: expected no file or an earlier report"):
        outfile.save("out", b"text")
    assert Path("out").read_text() == "mine\n"


# ---- rows


def test_rows_that_do_not_fit_on_the_disk_are_shown() -> None:
    Path("many.yaml").write_text(MANY)
    result = shell("conslaw sweep many.yaml -o rows -j 1 --json", small_files)
    assert result.returncode not in (0, 1, 3)
    assert result.stderr == "Error: rows: cannot keep rows there: File too large\n"
    kept = [json.loads(line)["name"] for line in Path("rows").read_bytes().splitlines()]
    shown = [row["name"] for row in json.loads(result.stdout)["results"]]
    assert shown[: len(kept)] == kept
    assert len(shown) > len(kept) >= 1


@pytest.mark.parametrize("output", ["-", "", "/dev/null"])
def test_rows_need_a_file(output: str) -> None:
    result = conslaw("sweep", "s.yaml", "-o", output)
    assert (result.exit_code, result.stdout) == (2, "")
    assert [*contents()] == ["s.yaml"]


@pytest.mark.parametrize("output", ["/dev/stdout", "/dev/stderr"])
def test_rows_need_a_file_of_their_own(output: str) -> None:
    result = shell(f'conslaw sweep s.yaml -o "{output}" > out 2> err')
    assert result.returncode == 2
    assert Path("out").read_text() == ""
    assert Path("err").read_text().startswith("Error: ")
    assert sorted(contents()) == ["err", "out", "s.yaml"]


def test_rows_and_report_do_not_share_a_file() -> None:
    result = shell("conslaw sweep s.yaml -o out > out")
    assert "out: is where this command prints" in result.stderr
    assert Path("out").read_text() == ""


def test_a_sweep_says_where_its_rows_are() -> None:
    assert conslaw("sweep", "s.yaml").stderr == "2 rows in results/two.jsonl\n"
    again = conslaw("sweep", "s.yaml").stderr
    assert again == "2 of 2 rows are in results/two.jsonl already (--fresh counts them again)\n"


def test_failures_of_a_fresh_sweep_leave_the_rows_that_were_there() -> None:
    Path("s.yaml").write_text(f"architectures: [{{{LAWLESS}, name: a}}, {{{LAWLESS}, name: b}}]\n")
    conslaw("sweep", "s.yaml", "-o", "rows")
    before = contents()
    result = conslaw("sweep", "s.yaml", "-o", "rows", "--fresh", "--memory", "1K", "--json")
    assert result.exit_code == 3
    assert "2 rows failed. The first: a: " in result.stderr
    assert "2 rows that were in rows before stayed there, being better" in result.stderr
    assert {row["verdict"] for row in json.loads(result.stdout)["results"]} == {"proved"}
    assert contents() == before


def test_an_interrupted_fresh_sweep_keeps_the_rows_that_were_there() -> None:
    Path("many.yaml").write_text(MANY.replace("to: 3}, act", "to: 4}, act"))
    conslaw("sweep", "many.yaml", "-o", "rows")
    rows = len(Path("rows").read_bytes().splitlines())
    command = [sys.executable, "-m", "conslaw_cli", "sweep", "many.yaml", "-o", "rows", "--fresh"]
    process = subprocess.Popen(
        [*command, "-j", "1"], env=ENVIRONMENT, stderr=subprocess.PIPE, text=True
    )
    while len(Path("rows").read_bytes().splitlines()) == rows:
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 130
    assert re.search(rf"Interrupted: {rows} of {rows} rows are in rows, \d+ of them counted", said)
    assert len(Path("rows").read_bytes().splitlines()) == rows


def test_a_sweep_that_is_killed_leaves_no_files_but_its_rows() -> None:
    one = "architectures:\n  - {widths: [2, 2], activation: linear}\n"
    Path("s.yaml").write_text(one + slow("never counted"))
    Path("temporary").mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "conslaw_cli", "sweep", "s.yaml", "-o", "rows", "-j", "2"],
        env={**ENVIRONMENT, "TMPDIR": str(Path("temporary").absolute())},
        start_new_session=True,
    )
    deadline = time.monotonic() + 20
    while not (Path("rows").exists() and Path("rows").read_bytes()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.kill()
    process.wait()
    while list(Path("temporary").glob("conslaw-*")):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_sweep_with_a_row_that_is_not_as_expected_says_so_and_is_exit_code_1() -> None:
    Path("s.yaml").write_text(SPEC.replace("activation: linear", "activation: linear, expect: 5"))
    result = conslaw("sweep", "s.yaml")
    assert result.exit_code == 1
    assert "1 row not as the spec expects. The first: linear 2-2: 0 laws, not 5" in result.stderr


def test_a_row_that_is_not_proved_is_exit_code_1_where_proofs_are_required() -> None:
    spec = 'fields: [["x", "-y", "0"], ["0", "y", "-z"]]\n'
    Path("s.yaml").write_text(spec)
    assert conslaw("sweep", "s.yaml").exit_code == 0
    result = conslaw("sweep", "s.yaml", "--require-proof")
    assert result.exit_code == 1
    assert "1 row not proved (--require-proof)" in result.stderr
