"""What the commands share: the options of every count, and where their text goes."""

from __future__ import annotations

import contextlib
import gc
import math
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from conslaw_cli.errors import ConslawError, one_line
from conslaw_cli.sweeps import signals
from conslaw_cli.sweeps.files import label

if TYPE_CHECKING:
    from conslaw_cli.formats import Report
    from conslaw_cli.problems.records import LawCount

USAGE = 2
REQUIREMENT = 1
FAILED = 3
LOST = 4
FORMATS = ("table", "json", "csv", "markdown", "latex")
_SIZE = r"(?ia)(\d+\.?\d*(?:e\d+)?)\s*([KMGT]?)(?:i?B)?"

IMPORTS = 115 << 20
"""Bytes of address space that the imports of a command take, roughly."""
BLAS = 40 << 20
"""Bytes of address space that OpenBLAS takes for its first product of matrices, roughly."""

F = TypeVar("F", bound=Callable[..., Any])


class Text(click.ParamType[str]):
    """Text, whose bytes are UTF-8 in every locale."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return what the bytes of an argument are in UTF-8."""
        return os.fsencode(value).decode("utf-8", "surrogateescape") if value else ""


class Bytes(click.ParamType[int]):
    """An amount of memory such as 8G, 512M or 1e9."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the bytes; K, M, G, T are powers of 1024."""
        found = re.fullmatch(_SIZE, str(value).strip())
        size = float(found[1]) * 1024.0 ** " KMGT".index(found[2].upper() or " ") if found else 0.0
        if not 1 <= size < 2.0**63:
            self.fail(
                f"expected an amount of memory such as 8G, 512M or 1e9, got {value!r}", param, ctx
            )
        return int(size)


class Seconds(click.ParamType[float]):
    """A positive time."""

    name = "seconds"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the seconds; at most 10^6, which is what the system's waits can take."""
        try:
            seconds = float(value)
        except ValueError:
            seconds = math.nan
        if not 0 < seconds <= 1e6:
            self.fail(f"expected seconds above 0 and up to 1e6, got {value!r}", param, ctx)
        return seconds


def counting(command: F, formats: Sequence[str] = FORMATS) -> F:
    """Add the options that every command which counts has."""
    options = (
        click.option("--timeout", type=Seconds(), help="Time limit for each architecture."),
        click.option(
            "--require-proof",
            is_flag=True,
            help="Exit with 1 if a row is not proved, with 3 if one failed.",
        ),
        click.option(
            "--seed",
            type=click.IntRange(0, 2**32 - 1),
            help="Of the random choices. [default: the spec's, or 0]",
        ),
        click.option(
            "--memory", type=Bytes(), help="Budget, such as 8G. [default: half of what is free]"
        ),
    )
    command = formatted(command, formats)
    for option in reversed(options):
        command = option(command)
    return command


def formatted(command: F, formats: Sequence[str]) -> F:
    """Add ``--format``, the first of these by default, and ``--json``, which is short for one."""
    choice = click.option(
        "--format",
        "format_",
        type=click.Choice(formats),
        default=formats[0],
        show_default=True,
        is_eager=True,  # before --json, which looks at it
    )
    short = click.option(
        "--json",
        is_flag=True,
        expose_value=False,
        callback=_json,
        help="Short for --format json.",
    )
    return choice(short(command))


def _json(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    given = ctx.params["format_"]
    asked = ctx.get_parameter_source("format_") is ParameterSource.COMMANDLINE
    if value and asked and given != "json":
        raise click.UsageError(f"--format {given}, --json: expected one of the two", ctx)
    if value:
        ctx.params["format_"] = "json"


@contextlib.contextmanager
def importing() -> Iterator[None]:
    """Import in the block what a command needs.

    Interrupts wait: some C extensions turn one while they are loaded into errors of their own. So
    does the collector of garbage, and what is imported it never looks through: that stays.
    """
    with signals.held_back():
        gc.disable()
        try:
            yield
        finally:
            gc.freeze()
            gc.enable()


def show(report: Report, format_: str, file: str | None = None) -> None:
    """Write a report to a file, or to stdout for None and "-"."""
    from conslaw_cli.formats import render

    whole = all(row.verdict != "failed" for row in report.rows)
    write(lambda width, color: render(format_, report, width=width, color=color), file, whole)


def write(render: Callable[[int | None, bool], str], file: str | None, whole: bool = True) -> None:
    """Write the text that ``render`` returns for a width and whether to use colors to a file, or to
    stdout for None and "-".

    whole: nothing failed; else an earlier report stays in the file, and stdout gets this one. It
    does too if the file cannot be written.
    """
    if file is not None and file != "-":
        from conslaw_cli.cli import outfile

        if whole or not outfile.is_kept(file):
            try:
                outfile.save(file, render(None, False).encode("utf-8"))
            except ConslawError:
                _show(render)
                raise
            return
        click.echo(
            f"{label(file)}: the earlier report stays, for not all was counted this time; the new"
            " one is on standard output",
            err=True,
        )
    _show(render)


def _show(render: Callable[[int | None, bool], str]) -> None:
    put(render(*screen()))


def screen() -> tuple[int | None, bool]:
    """Return how many columns stdout has, None for any number, and whether to use colors there."""
    terminal = sys.stdout.isatty()
    color = terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return _width(terminal), color


def write_pieces(pieces: Callable[[int | None], Iterable[str]]) -> None:
    """Write to stdout, one by one as they come, the texts that ``pieces`` returns for a width.

    Interrupts wait while a text is made: what is found is to be seen.
    """
    with signals.held_back():
        for piece in pieces(_width(sys.stdout.isatty())):
            with signals.let_through():
                put(piece)


def interrupted(done: int, of: int, file: str | None) -> int:
    """Say how much was done before an interrupt, and that it did not go to the file that the whole
    was to go to; return the exit code.
    """
    kept = f" and shown on standard output; {file} is as it was" if file not in (None, "-") else ""
    say(f"Interrupted: {done} of {of} architectures are done{kept}." if done else "Interrupted.")
    return signals.INTERRUPTED


def check_writable(file: str | None, spec: str | None) -> None:
    """Raise SpecError if :func:`show` could not write there or must not, before anything is
    computed for it: over the spec, rows of a sweep, or anything else that is no report.
    """
    if file is not None and file != "-":
        from conslaw_cli.cli import outfile

        outfile.check(file, spec)


class Requirements:
    """What is wrong with rows, which are added one by one and not held.

    expected: numbers of laws that the spec says are right, by name.
    """

    def __init__(self, expected: Mapping[str, int], require_proof: bool = False) -> None:
        self._expected, self._require_proof = expected, require_proof
        self._numbers, self._first = Counter[str](), dict[str, str]()

    def add(self, row: LawCount) -> None:
        """Take up one row more."""
        wanted = self._expected.get(row.name, row.laws)
        if row.verdict == "failed":
            self._note(_FAILED, f"{row.name}: {row.reason}")
        if row.laws is not None and row.laws != wanted:
            self._note(_WRONG, f"{row.name}: {row.laws} laws, not {wanted}")
        if self._require_proof and row.verdict != "proved":
            self._note(_UNPROVED, f"{row.name}: {row.verdict}")

    def _note(self, fault: str, text: str) -> None:
        self._numbers[fault] += 1
        self._first.setdefault(fault, text)

    def exit_code(self) -> int:
        """Say on stderr what is wrong, and return the exit code that says so."""
        for fault in (_FAILED, _WRONG, _UNPROVED):
            if number := self._numbers[fault]:
                what = "row" if number == 1 else "rows"
                say(f"{number} {what} {fault}. The first: {self._first[fault]}")
        return FAILED if self._numbers[_FAILED] else REQUIREMENT if self._numbers else 0


_FAILED = "failed"
_WRONG = "not as the spec expects"
_UNPROVED = "not proved (--require-proof)"


def exit_code(
    rows: Iterable[LawCount], expected: Mapping[str, int], require_proof: bool = False
) -> int:
    """Say on stderr what is wrong with the rows and return the exit code that says so."""
    requirements = Requirements(expected, require_proof)
    for row in rows:
        requirements.add(row)
    return requirements.exit_code()


def suggest(message: str) -> None:
    """Write one line to stderr on what there is to see next, if that is a terminal."""
    if sys.stderr.isatty():
        say(f"Next: {message}")


def say(message: str) -> None:
    """Write one line to stderr; on a terminal not behind the ^C of an interrupt."""
    gap = "\n" if signals.heard() and sys.stderr.isatty() else ""
    click.echo(gap + one_line(message), err=True)


def _width(terminal: bool) -> int | None:
    columns = os.environ.get("COLUMNS", "")
    if re.fullmatch("[0-9]{1,5}", columns) and int(columns) > 0:
        return int(columns)
    return os.get_terminal_size(sys.stdout.fileno()).columns or None if terminal else None


def put(text: str) -> None:
    """Write to stdout, which streams.py has made ready for all that can go wrong there."""
    sys.stdout.write(text)
    sys.stdout.flush()


def pin_blas() -> None:
    """Let NumPy's BLAS use one thread: the cores are for the workers.

    It reads this when it is loaded.
    """
    for library in ("OMP", "OPENBLAS", "MKL", "BLIS"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")


def check_memory(needed: int = IMPORTS) -> None:
    """Raise OSError if so many bytes of memory cannot be had.

    Who asks for them first may not tell: OpenBLAS ends the process with an exit code of its own,
    hashlib goes on without some of its functions.
    """
    import mmap

    mmap.mmap(-1, needed).close()


def first_product() -> None:
    """Let the BLAS take its memory, which it keeps; raise OSError if there is none."""
    import numpy as np

    check_memory(BLAS)
    matrix = np.ones((256, 256))
    matrix @ matrix
