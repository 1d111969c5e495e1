"""What ``conslaw sweep`` shows of each job: rows that line up though they come one by one."""

from __future__ import annotations

import gc
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from conslaw_cli.cli import main
from conslaw_cli.formats.columns import shortened
from conslaw_cli.formats.table import SweepTable
from conslaw_cli.problems.records import LawCount
from conslaw_cli.sweeps.jobs import Job
from conslaw_cli.sweeps.processes import run
from conslaw_cli.sweeps.store import RowId, Store

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {
    **{key: value for key, value in os.environ.items() if key != "COLUMNS"},
    "PYTHONPATH": str(ROOT),
    "TERM": "xterm",
}
SPEC = """
name: three
architectures:
  - {widths: [2, 3, 2], activation: linear, expect: 6}
  - {widths: [3, 4, 2], activation: relu, bias: hidden, name: two-layer ReLU}
  - {widths: [1, 2, 2, 1], activation: linear}
"""
TABLE = """\
name            activation  widths   bias     D  dim Lie  laws  expected   known  unknown       \
trace  involutive  verdict
linear 2-3-2    linear      2-3-2    false   12        6     6         6  6 of 6        0       \
 4, 6  no          proved
two-layer ReLU  relu        3-4-2    hidden  24       20     4         -  4 of 4        0       \
   20  yes         proved
linear 1-2-2-1  linear      1-2-2-1  false    8        1     7         -  6 of 6        1       \
    1  yes         proved

all of these: loss mse

three

rows               3
proved             3
computed           0
bounded            0
failed             0
with unknown laws  1
expected           1
as expected        1

1 exception (not proved, with unknown laws, or not as expected):

name            D  dim Lie  laws   known  unknown  trace  involutive  verdict
linear 1-2-2-1  8        1     7  6 of 6        1      1  yes         proved

architecture: activation linear, widths 1-2-2-1, bias false, loss mse

proved: a proved lower and a proved upper bound on dim Lie meet, so the number of laws is exact.
"""
MANY = "name: many\ngrid: {depth: 2, widths: {from: 1, to: 5}, activation: linear}\n"


@pytest.fixture(autouse=True)
def somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test runs in an empty directory of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)
    Path("s.yaml").write_text(SPEC)
    Path("many.yaml").write_text(MANY)


def sweep(*arguments: str, columns: int | None = None) -> Result:
    env = {"COLUMNS": str(columns)} if columns else {}
    return CliRunner(env=env).invoke(main, ["sweep", *arguments], prog_name="conslaw")


def names(text: str) -> list[str]:
    """Return the names of the rows, which are above the first blank line."""
    table = text.partition("\n\n")[0]
    return [re.split(" {2,}", line)[0] for line in table.splitlines()[1:]]


def test_the_table_of_a_sweep() -> None:
    assert sweep("s.yaml").stdout == TABLE


def test_the_experiment_on_relu_networks_shows_every_job() -> None:
    """D, dim Lie(W_φ)(θ), D minus that, and the known laws of Prop. 4.1 of each."""
    result = sweep(str(ROOT / "configs" / "relu.yaml"))
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].split("  ")[0] == "name"
    assert re.split(" {2,}", lines[0]) == [
        *("name", "bias", "D", "dim Lie", "laws", "known", "unknown"),
        *("trace", "involutive", "verdict"),
    ]
    assert len(names(result.stdout)) == 100
    assert re.split(" {2,}", lines[1]) == [
        *("notebook 01: relu 9-7-2", "false", "77", "70", "7", "7 of 7", "0", "70"),
        *("yes", "proved"),
    ]
    assert result.stdout.endswith(
        "all of these: activation relu, loss mse\n\nrelu\n\nrows               100\n"
        "proved             100\ncomputed             0\n"
        "bounded              0\nfailed               0\n"
        "with unknown laws    0\n\n"
        "0 exceptions (not proved, with unknown laws, or not as expected).\n\n"
        "proved: a proved lower and a proved upper bound on dim Lie meet, so the number of laws is"
        " exact.\n"
    )


@pytest.mark.parametrize("config", ["linear", "examples", "families"])
def test_columns_line_up(config: str) -> None:
    text = sweep(str(ROOT / "configs" / f"{config}.yaml")).stdout.partition("\n\n")[0]
    head, *rows = text.splitlines()
    for word in ("involutive", "verdict"):
        place = head.index(word)
        assert {line[place - 2 : place] for line in rows} == {"  "}
        assert all(line[place].isalpha() for line in rows)
    for word in ("D", "dim Lie", "laws", "known", "unknown", "trace"):
        place = re.search(rf" {word}(  |$)", head).end(0) - 2  # type: ignore[union-attr]
        assert all(line[place - 1] != " " and line[place] == " " for line in rows), word


def test_rows_of_other_flows_have_columns_of_their_own() -> None:
    Path("s.yaml").write_text(
        "grid: {widths: [[1, 3, 1]], activation: linear, flow: [gradient, momentum, decay]}\n"
    )
    text = sweep("s.yaml").stdout
    assert [re.split(" {2,}", line)[1:6] for line in text.splitlines()[:4]] == [
        ["flow", "D", "state", "dim Lie", "laws"],
        ["gradient", "6", "6", "1", "5"],
        ["momentum", "6", "13", "7", "6"],
        ["decay", "6", "7", "2", "5"],
    ]


def test_stored_rows_are_shown_in_the_order_of_the_spec_too() -> None:
    last = SPEC.splitlines(keepends=True)[-1]
    Path("s.yaml").write_text("name: three\narchitectures:\n" + last)
    assert names(sweep("s.yaml").stdout) == ["linear 1-2-2-1"]
    Path("s.yaml").write_text(SPEC)
    whole = sweep("s.yaml")
    assert names(whole.stdout) == ["linear 2-3-2", "two-layer ReLU", "linear 1-2-2-1"]
    assert sweep("s.yaml").stdout == whole.stdout
    assert sweep("s.yaml", "--fresh").stdout == whole.stdout


def in_reverse(jobs: Sequence[Job], *arguments: object, **options: object) -> Iterator[object]:
    """Run jobs, and give their rows back in reverse order."""
    rows = chain.from_iterable(run(jobs, *arguments, **options))  # type: ignore[arg-type]
    yield [*rows][::-1]


def test_the_order_does_not_depend_on_which_row_is_there_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected = sweep("many.yaml", "--rows").stdout
    monkeypatch.setattr("conslaw_cli.sweeps.processes.run", in_reverse)
    assert sweep("many.yaml", "--rows", "--fresh").stdout == expected


@pytest.fixture
def held_rows() -> Iterator[Callable[[], int]]:
    """How many rows there are in memory, of those that were made since; all else that is there,
    which is a lot while all tests are, is not looked at.
    """
    gc.freeze()
    yield lambda: sum(isinstance(each, LawCount) for each in gc.get_objects())
    gc.unfreeze()


def test_rows_that_wait_for_their_turn_are_not_held(
    monkeypatch: pytest.MonkeyPatch, held_rows: Callable[[], int]
) -> None:
    held: list[int] = []
    row_of = SweepTable.row

    def row(self: SweepTable, row: LawCount, shown: bool = True) -> str:
        held.append(held_rows() if len(held) % 20 == 19 else 0)
        return row_of(self, row, shown)

    monkeypatch.setattr(SweepTable, "row", row)
    Path("many.yaml").write_text(MANY.replace("linear", "relu"))
    assert len(names(sweep("many.yaml").stdout)) == len(held) == 125
    assert max(held) <= 10


@pytest.mark.parametrize("format_", ["json", "csv", "markdown", "latex"])
def test_rows_that_are_written_at_the_end_are_read_back_one_by_one(
    format_: str, monkeypatch: pytest.MonkeyPatch, held_rows: Callable[[], int]
) -> None:
    held: list[int] = []
    module = sys.modules["conslaw_cli.cli.sweep"]
    put = vars(module)["put"]

    def counting(text: str) -> None:
        held.append(held_rows())
        put(text)

    sweep("many.yaml")
    gc.freeze()
    monkeypatch.setattr(module, "put", counting)
    text = sweep("many.yaml", "--format", format_).stdout
    assert text.count("linear 1-2-3") == 1
    assert len(held) >= 125
    assert max(held) <= 30


def test_a_row_that_cannot_be_read_back_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = Path("results/many.jsonl")
    sweep("many.yaml")
    put = vars(module := sys.modules["conslaw_cli.cli.sweep"])["put"]
    get = Store.get

    def lost(self: Store, row_id: RowId) -> LawCount | None:
        return None if held and row_id[1] == "linear 1-5-5" else get(self, row_id)

    def noting(text: str) -> None:
        held.append(text)
        put(text)

    held: list[str] = []
    monkeypatch.setattr(Store, "get", lost)
    monkeypatch.setattr(module, "put", noting)
    result = sweep("many.yaml", "--format", "csv")
    assert result.exit_code == 4
    assert "Error: results/many.jsonl: the row linear 1-5-5 cannot be read back" in result.stderr
    assert rows.read_bytes().count(b"\n") == 125


def test_above_a_thousand_rows_the_exceptions_and_the_summary_are_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = sys.modules["conslaw_cli.cli.sweep"]
    assert vars(module)["SHOWN"] == 1000
    monkeypatch.setattr(module, "SHOWN", 124)
    summary = sweep("many.yaml").stdout
    assert summary.startswith("many\n\nrows               125\n")
    assert sweep("many.yaml", "--summary").stdout == summary
    rows = sweep("many.yaml", "--rows").stdout
    assert len(names(rows)) == 125
    assert rows.endswith("\n\n" + summary)
    monkeypatch.setattr(module, "SHOWN", 125)
    assert sweep("many.yaml").stdout == rows


def test_the_summary_alone() -> None:
    whole, summary = sweep("s.yaml").stdout, sweep("s.yaml", "--summary").stdout
    assert summary.startswith("three\n\nrows               3\n")
    assert whole.endswith("\n\n" + summary)


@pytest.mark.parametrize("more", [["--rows", "--summary"], ["--rows", "--json"]])
def test_flags_that_contradict_each_other(more: list[str]) -> None:
    result = sweep("s.yaml", *more)
    assert result.exit_code == 2
    assert "--rows" in result.stderr
    assert not Path("results").exists()


def test_columns_are_left_out_where_there_is_no_room_and_then_rows_become_blocks() -> None:
    wide = sweep("s.yaml", columns=150).stdout
    assert wide == sweep("s.yaml").stdout
    narrow = sweep("s.yaml", columns=100).stdout
    assert narrow.splitlines()[0].endswith("unknown  verdict")
    assert "\nleft out for want of room: trace, involutive\n" in narrow
    assert max(map(len, narrow.partition("\n\nthree")[0].splitlines())) <= 100
    narrower = sweep("s.yaml", columns=70).stdout
    assert narrower.startswith("name             D  dim Lie  laws")
    assert "left out for want of room: activation, widths, bias," in narrower
    blocks = sweep("s.yaml", columns=40).stdout
    assert blocks.startswith("linear 2-3-2\n  activation  linear\n  widths      2-3-2\n")
    assert "  verdict     proved\n\ntwo-layer ReLU\n" in blocks


@pytest.mark.parametrize(
    ("trace", "size", "shown"),
    [
        ("3, 4", 4, "3, 4"),
        ("2, 3, 5, 8", 10, "2, 3, 5, 8"),
        ("2, 3, 5, 8", 9, "2, …, 8"),
        ("10, 20, 28, 31", 13, "10, 20, …, 31"),
        ("2, 3, 5, …, 30", 10, "2, …, 30"),
        ("100, 2000", 5, "…, 2000"),
        ("-", 1, "-"),
    ],
)
def test_a_long_trace_is_shortened_before_its_end(trace: str, size: int, shown: str) -> None:
    assert shortened(trace, size) == shown


# ---- as they come


def started(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "conslaw_cli", "sweep", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT)


def test_in_a_pipe_rows_are_written_as_their_turn_comes() -> None:
    slow = "  - {widths: [50, 50, 50, 50], activation: [linear, smooth], name: slow}\n"
    Path("s.yaml").write_text(SPEC + slow)
    with started("s.yaml", "-j", "1", "--timeout", "1", "--memory", "20G") as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(4)]
        assert process.poll() is None
        rest = process.stdout.read()
    assert [line.partition("  ")[0] for line in lines[1:]] == [
        *("linear 2-3-2", "two-layer ReLU", "linear 1-2-2-1")
    ]
    assert re.match(r"slow +linear/smooth +50-50-50-50 .* ≥ 1275 .* bounded\n\n", rest)
    assert process.returncode == 0


def test_what_cannot_be_written_does_not_stop_the_sweep() -> None:
    command = [sys.executable, "-m", "conslaw_cli", "sweep", "s.yaml"]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, env=ENVIRONMENT)
    assert done.returncode == 4
    assert done.stderr == (b"Error: standard output: cannot be written: No space left on device\n")
    assert len(Path("results/three.jsonl").read_bytes().splitlines()) == 3


def on_a_terminal(*arguments: str, columns: int = 150) -> str:
    """Run the command with stdout and stderr on one terminal; return what that got."""
    ours, theirs = os.openpty()
    env = {**ENVIRONMENT, "COLUMNS": str(columns), "NO_COLOR": "1"}
    command = [sys.executable, "-m", "conslaw_cli", *arguments]
    process = subprocess.Popen(command, stdout=theirs, stderr=theirs, env=env)
    os.close(theirs)
    seen = b""
    try:
        while piece := os.read(ours, 4096):
            seen += piece
    except OSError:  # Linux answers EIO once nobody has the other end open
        pass
    os.close(ours)
    process.wait(timeout=10)
    return seen.decode().replace("\r\n", "\n")


def test_on_a_terminal_rows_are_written_as_they_come_and_the_bar_makes_room() -> None:
    slow = "  - {widths: [50, 50, 50, %d], activation: [linear, smooth], name: slow %d}\n"
    text = SPEC.replace("architectures:\n", f"architectures:\n{slow % (50, 1)}")
    Path("s.yaml").write_text(text + slow % (49, 2))
    seen = on_a_terminal(*["sweep", "s.yaml", "-j", "1", "--timeout", "0.8", "--memory", "20G"])
    first, last = seen.index("slow 1 "), seen.index("slow 2 ")
    assert "ETA" in seen[:first]
    assert "ETA" in seen[first:last]
    table = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", seen)
    for row in ("slow 1 ", "linear 2-3-2 ", "two-layer ReLU ", "linear 1-2-2-1 ", "slow 2 "):
        assert re.search(rf"^{row}.*(proved|bounded)$", table, re.MULTILINE), row


def test_on_a_terminal_there_is_a_line_on_what_to_see_next() -> None:
    said = on_a_terminal("sweep", "s.yaml").splitlines()[-1]
    assert said.startswith("Next: conslaw laws s.yaml ")
    assert said.endswith(" conslaw count s.yaml --explain (proofs)")
    said = on_a_terminal("count", "--widths", "1,2,2,1", "--activation", "linear").splitlines()[-1]
    assert said == (
        "Next: conslaw laws --widths 1,2,2,1 --activation linear (formulas), --explain (proofs)"
    )
    assert "Next" not in on_a_terminal("count", "--widths", "2,2", "--explain")
    assert "Next" not in sweep("s.yaml").output


def test_the_suggested_commands_work() -> None:
    for command in (
        "laws s.yaml",
        "count s.yaml --explain",
        "laws --widths 1,2,2,1 --activation linear",
    ):
        assert CliRunner().invoke(main, command.split()).exit_code == 0


def test_a_picture_of_the_rows_is_drawn_and_shown_on_the_page(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    picture = tmp_path / "a b.svg"
    result = sweep("s.yaml", "--plot", str(picture), "--format", "markdown")
    assert result.exit_code == 0
    assert "\n\n![The numbers of laws](a%20b.svg)\n\n" in result.stdout
    assert "three" in picture.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", ["a.jpg", "no/where.svg", "spec.svg"])
def test_a_picture_that_cannot_be_is_refused_before_anything_is_counted(path: str) -> None:
    pytest.importorskip("matplotlib")
    Path("spec.svg").write_text("mine")
    result = sweep("s.yaml", "--plot", path)
    assert result.exit_code == 2
    assert not Path("results/three.jsonl").exists()
