"""Commands under faults of their surroundings, a selection of those of faults.py; interrupts at bad
moments.
"""

from __future__ import annotations

import errno
import functools
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from faults import COMMANDS, FAULTS, ROOT, Fault, Outcome, broken, outcome, started

from conslaw_cli import errors

SELECTION = {
    "stdout closed": ("--help",),
    "stdout full": ("sweep",),
    "all closed": ("describe",),
    "stderr closed": ("describe",),
    "C locale": ("--help",),
    "5 descriptors": ("--help",),
    "14 descriptors": ("sweep -j 2",),
    "100 MB of memory": ("count",),
}
SLOW = "sweep SLOW -j 3 -o FOLDER/rows.jsonl"

pytestmark = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")


@functools.cache
def reference(command: str) -> Outcome:
    return outcome(COMMANDS[command])


@pytest.mark.parametrize(
    ("fault", "command"),
    [(fault, command) for fault, commands in SELECTION.items() for command in commands],
)
def test_a_fault_is_one_line_and_an_exit_code_and_loses_no_output(fault: str, command: str) -> None:
    found = outcome(COMMANDS[command], FAULTS[fault])
    # Only who succeeds is compared.
    expected = reference(command) if found.code == 0 else found
    assert broken(found, expected, FAULTS[fault]) == [], found.err


def test_a_file_that_may_not_be_made_is_wrong_usage() -> None:
    """For root, too, nothing can be made in /proc."""
    for command in ("count SPEC -o /proc/out", "sweep SPEC -o /proc/rows.jsonl"):
        found = outcome(command)
        assert (found.code, found.out) == (2, "")
        assert found.err is not None
        assert found.err.startswith("Error: /proc/")
        assert found.err.count("\n") == 1


def test_a_line_end_in_a_name_makes_no_second_line() -> None:
    for command in ("count SPEC -o a\nb/c", "count a b\nc"):
        lines = (outcome(command).err or "").splitlines()
        (error,) = [line for line in lines if line.startswith("Error: ")]
        assert lines[-1] == error
        assert "\\n" in error


def test_an_argument_is_utf_8_in_every_locale() -> None:
    found = outcome("count --phi é*x --json", FAULTS["C locale"])
    assert (found.code, found.err) == (0, "")
    assert json.loads(found.out or "")["results"][0]["phi"]["variables"] == ["x", "é"]


# ---- interrupts


def interrupted(command: str, number: int, times: int, gap: float) -> Outcome:
    """Send a signal to all processes of a sweep, as a terminal does, once it has a row."""
    with started(command) as run:
        rows = run.folder / "rows.jsonl"
        deadline = time.monotonic() + 20
        while not (rows.exists() and rows.stat().st_size):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        for _ in range(times):
            try:
                os.killpg(run.process.pid, number)
            except ProcessLookupError:
                break
            time.sleep(gap)
        found = run.outcome(10)
        assert rows.read_bytes().count(b"\n") == 1
        return found


@pytest.mark.parametrize(
    ("number", "gap"), [(signal.SIGINT, 0.001), (signal.SIGINT, 0.05), (signal.SIGHUP, 0.01)]
)
def test_an_interrupt_that_is_repeated_is_one(number: int, gap: float) -> None:
    found = interrupted(SLOW, number, 4, gap)
    assert (found.code, rows_of(found.out)) == (130, ["linear 2-2"])
    assert found.err is not None
    assert found.err.startswith("Interrupted: 1 of 3 rows are in ")
    assert found.err.count("\n") == 1


def rows_of(table: str | None) -> list[str]:
    """Return the names of the rows below the head of a table."""
    return [line.partition("  ")[0] for line in (table or "").splitlines()[1:]]


def test_nothing_is_said_after_the_program_was_killed() -> None:
    found = interrupted(SLOW, signal.SIGKILL, 1, 1.0)
    assert (found.code, found.err) == (-signal.SIGKILL, "")
    assert rows_of(found.out) in ([], ["linear 2-2"]), "it is stored before it is shown"


def test_a_hangup_that_is_ignored_stays_so() -> None:
    """So ``nohup`` wants it."""
    with started("count SPEC", Fault(frozenset({0}), ignored=(signal.SIGHUP,))) as run:
        for _ in range(20):
            run.process.send_signal(signal.SIGHUP)
            time.sleep(0.02)
        assert run.outcome().code == 0


@pytest.mark.parametrize(
    "module", ["click.core", "conslaw_cli.cli.options", "conslaw_cli.cli.streams"]
)
def test_an_interrupt_while_modules_are_loaded_is_no_traceback(module: str, tmp_path: Path) -> None:
    """The first 0.1 s of every command."""
    hook = f"""
import os, signal, sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)
sys.meta_path.insert(0, Finder())
"""
    (tmp_path / "sitecustomize.py").write_text(hook)
    done = subprocess.run(
        [sys.executable, "-m", "conslaw_cli", "--help"],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


# ---- what the system says


def chained(*errors: Exception) -> Exception:
    """Return the last error, each raised while the one before it was handled."""
    for cause, error in itertools.pairwise(errors):
        error.__context__ = cause
    return errors[-1]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "out of memory"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "out of memory"),
        (chained(MemoryError(), ImportError("IMPORTANT\nplease read this")), "out of memory"),
        (
            ImportError("libx.so: failed to map segment from shared object"),
            "out of memory",
        ),
        (OSError(errno.EMFILE, "Too many open files"), "too many open files for the limit"),
        (ImportError("libx.so: cannot open: Too many open files"), "too many open files for"),
        (BlockingIOError(errno.EAGAIN, "Try again"), "no process or thread can be started"),
    ],
)
def test_an_error_is_said_by_its_cause(error: Exception, said: str) -> None:
    assert errors.reason(error).startswith(said)


def test_a_bug_is_one_line_with_its_place() -> None:
    try:
        raise ZeroDivisionError("of a kind\nnobody thought of")
    except ZeroDivisionError as error:
        said = errors.reason(error)
    assert said.startswith(r"ZeroDivisionError: of a kind\nnobody thought of (test_faults.py:")
