"""Every command under every fault of its surroundings: ``python -m tests.faults`` from the root of
the repository runs them all and prints what breaks a promise; test_faults.py runs a selection.

Promised is, whatever the fault: a documented exit code, no traceback, one line on stderr where the
command fails, and that nothing of the output is lost where it does not.
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTED = {0, 1, 2, 3, 4, 130}


def slow(name: str, length: int = 500) -> str:
    """Return the line of a spec for a count that outlasts every test: integrators in a ring,
    x_{i+1}' = x_i, the first one driven.

    No law is known that could bound the row. Every bracket reaches one more integrator, so that
    these nest ``length`` deep and each level doubles what one costs; covectors carried along curves
    reach 60 of them in a second or two, 200 not in six.
    """
    drive = ["1", *["0"] * (length - 1)]
    ring = [f"x{(i - 1) % length}" for i in range(length)]
    fields = ", ".join("[" + ", ".join(f'"{entry}"' for entry in f) + "]" for f in (drive, ring))
    return f"  - {{fields: [{fields}], name: {name}}}\n"


SPECS = {
    "SPEC": """
name: kinds
architectures:
  - {widths: [2, 3, 2], activation: linear, name: matrix factorization}
  - {widths: [3, 2, 2], activation: relu, bias: hidden}
  - {phi: ["é*y", "y*z"]}
""",
    # 256 networks: work for two processes.
    "MANY": "grid: [{depth: 1, widths: {from: 1, to: 16}, activation: linear}]",
    "SLOW": "architectures:\n  - {widths: [2, 2], activation: linear}\n" + slow("a") + slow("b"),
}
COMMANDS = {
    "count": "count SPEC",
    "count --json": "count SPEC --json",
    "laws": "laws SPEC",
    "laws --json": "laws SPEC --json",
    "sweep": "sweep SPEC -o FOLDER/rows.jsonl",
    "sweep --json": "sweep SPEC -o FOLDER/rows.jsonl --json",
    "sweep -j 2": "sweep MANY -j 2 -o FOLDER/rows.jsonl --json",
    "describe": "describe SPEC",
    "describe --json": "describe SPEC --json",
    "--help": "--help",
    "--version": "--version",
    "count --help": "count --help",
}


@dataclass(frozen=True)
class Fault:
    """What is wrong with the surroundings of a command.

    codes: the exit codes that are right. streams: paths in the place of the standard streams, None
    for a closed one. limits: of the system's resources. ignored: signals.
    """

    codes: frozenset[int]
    environment: Mapping[str, str | None] = field(default_factory=dict)
    streams: Mapping[int, str | None] = field(default_factory=dict)
    limits: Mapping[int, int] = field(default_factory=dict)
    ignored: tuple[int, ...] = ()

    def impose(self) -> None:
        """Impose it on the calling process, which is about to become the command."""
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN if number in self.ignored else signal.SIG_DFL)
        for stream, path in self.streams.items():
            if path is None:
                os.close(stream)
            else:
                os.dup2(os.open(path, os.O_RDONLY if stream == 0 else os.O_WRONLY), stream)
        for what, limit in self.limits.items():
            resource.setrlimit(what, (limit, limit))


FINE, LOST, SHORT = frozenset({0}), frozenset({4}), frozenset({0, 3})
FAULTS = {
    "nothing": Fault(FINE),
    "stdout closed": Fault(LOST, streams={1: None}),
    "stdout full": Fault(LOST, streams={1: "/dev/full"}),
    "stdout and stderr closed": Fault(LOST, streams={1: None, 2: None}),
    "stdout and stderr full": Fault(LOST, streams={1: "/dev/full", 2: "/dev/full"}),
    "all closed": Fault(LOST, streams={0: None, 1: None, 2: None}),
    "stderr closed": Fault(FINE, streams={2: None}),
    "stderr full": Fault(FINE, streams={2: "/dev/full"}),
    "stdin closed": Fault(FINE, streams={0: None}),
    "stdin and stderr closed": Fault(FINE, streams={0: None, 2: None}),
    "no home": Fault(FINE, {"HOME": None, "TMPDIR": None, "USER": None, "PATH": None}),
    "no folder for temporary files": Fault(FINE, {"TMPDIR": "/nowhere", "HOME": "/nowhere"}),
    "C locale": Fault(
        FINE,
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": None},
    ),
    **{
        f"COLUMNS={value[:4]}": Fault(FINE, {"COLUMNS": value, "LINES": value})
        for value in ("9" * 5000, "9" * 20, "0", "-5", "many", "²")
    },
    "absurd numbers of cores": Fault(
        FINE,
        {"LOKY_MAX_CPU_COUNT": "abc", "OMP_NUM_THREADS": "x", "JOBLIB_TEMP_FOLDER": "/proc/no"},
    ),
    **{
        f"{n} descriptors": Fault(SHORT if n < 20 else FINE, limits={resource.RLIMIT_NOFILE: n})
        # With fewer Python itself does not start.
        for n in range(5, 22)
    },
    **{
        f"{size} MB of memory": Fault(SHORT, limits={resource.RLIMIT_AS: size * 10**6})
        for size in range(60, 320, 20)
    },
}


@dataclass(frozen=True)
class Outcome:
    """What a command did; None for a stream that was not there to be read."""

    code: int
    out: str | None
    err: str | None
    seconds: float


class Run:
    """A command under a fault, in a folder of its own."""

    def __init__(self, command: str, fault: Fault, folder: Path) -> None:
        self.fault, self.folder = fault, folder
        names = {"FOLDER": str(folder)}
        for name, text in SPECS.items():
            (folder / name).write_text(text)
            names[name] = str(folder / name)
        words = re.sub("|".join(names), lambda found: names[found[0]], command).split(" ")
        every = {**os.environ, "PYTHONPATH": str(ROOT), **fault.environment}
        self._start = time.monotonic()
        with open(folder / "out", "wb") as out, open(folder / "err", "wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "conslaw_cli", *words],
                env={key: value for key, value in every.items() if value is not None},
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
                preexec_fn=fault.impose,
            )

    def outcome(self, timeout: float = 30) -> Outcome:
        """Wait for its end."""
        code = self.process.wait(timeout)
        out, err = (
            None if stream in self.fault.streams else (self.folder / name).read_bytes().decode()
            for stream, name in ((1, "out"), (2, "err"))
        )
        return Outcome(code, out, err, time.monotonic() - self._start)


@contextlib.contextmanager
def started(command: str, fault: Fault = FAULTS["nothing"]) -> Iterator[Run]:
    """Start a command; it is gone in the end, and its folder as well."""
    with tempfile.TemporaryDirectory() as folder:
        run = Run(command, fault, Path(folder))
        try:
            yield run
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(run.process.pid, signal.SIGKILL)
            run.process.wait()


def outcome(command: str, fault: Fault = FAULTS["nothing"]) -> Outcome:
    """Run a command under a fault."""
    with started(command, fault) as run:
        return run.outcome()


def broken(found: Outcome, reference: Outcome, fault: Fault) -> list[str]:
    """Return which promises a command has broken, given what it does without a fault."""
    lines = (found.err or "").splitlines()
    promises = {
        f"exit code {found.code}, not one of {sorted(fault.codes)}": found.code in fault.codes,
        f"exit code {found.code} is not documented": found.code in DOCUMENTED,
        "a traceback": "Traceback" not in "\n".join(lines),
        f"{len(lines)} lines on stderr": found.code == 0 or found.err is None or len(lines) == 1,
        "output is lost": found.code != 0 or plain(found.out) == plain(reference.out),
    }
    return [what for what, kept in promises.items() if not kept]


def plain(out: str | None) -> str | None:
    """Return output without what differs between two runs: times, and escapes of a locale."""
    if out is None:
        return None
    text = re.sub(r"\\u([0-9a-f]{4})", lambda found: chr(int(found[1], 16)), out)
    return re.sub(r'"seconds": [^,\n]*', "", text)


def main(wanted: Iterable[str] = FAULTS) -> int:
    """Run every command under every fault, on all cores; print the promises that were broken, and
    return how many runs broke some.
    """
    runs, bad = [*product(wanted, COMMANDS)], 0
    with ProcessPoolExecutor() as pool:
        references = dict(zip(COMMANDS, pool.map(outcome, COMMANDS.values()), strict=True))
        found = pool.map(outcome, (COMMANDS[c] for _, c in runs), (FAULTS[f] for f, _ in runs))
        for (fault, name), each in zip(runs, found, strict=True):
            if wrong := broken(each, references[name], FAULTS[fault]):
                bad += 1
                print(f"{fault} / {name}: {'; '.join(wrong)}\n{(each.err or '')[:1000]}")
    print(f"{len(runs)} runs, {bad} of them broke a promise")
    return bad


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or FAULTS) > 0)
