"""What the commands share: the options of every count, and where their text goes."""

from __future__ import annotations

import math
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from conslaw_cli.errors import ConslawError, SpecError
from conslaw_cli.files import label

if TYPE_CHECKING:
    from conslaw_cli.formats import Report
    from conslaw_cli.report import LawCount

USAGE = 2
REQUIREMENT = 1
FAILED = 3
FORMATS = ("table", "json", "csv", "markdown", "latex")
_SIZE = re.compile(r"(\d+\.?\d*(?:e\d+)?)\s*([KMGT]?)(?:i?B)?", re.IGNORECASE | re.ASCII)

F = TypeVar("F", bound=Callable[..., Any])


class Bytes(click.ParamType[int]):
    """An amount of memory such as 8G, 512M or 1e9."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the bytes; K, M, G, T are powers of 1024."""
        found = _SIZE.fullmatch(str(value).strip())
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


def counting(command: F) -> F:
    """Add the options that every command which counts has."""
    options = (
        click.option(
            "--seed",
            type=click.IntRange(0, 2**32 - 1),
            help="Of the random choices. [default: the spec's, or 0]",
        ),
        click.option(
            "--memory", type=Bytes(), help="Budget, such as 8G. [default: half of what is free]"
        ),
        click.option(
            "--format", "format_", type=click.Choice(FORMATS), default="table", show_default=True
        ),
        click.option("--json", "format_", flag_value="json", help="Short for --format json."),
    )
    for option in reversed(options):
        command = option(command)
    return command


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
    from conslaw_cli.cli import outfile

    if file is not None and file != "-" and (whole or not outfile.is_kept(file)):
        try:
            outfile.save(file, render(None, False))
        except ConslawError:
            _show(render)
            raise
        return
    if file is not None and file != "-":
        click.echo(
            f"{label(file)}: the earlier report stays, for not all was counted this time; the new"
            " one is on standard output",
            err=True,
        )
    _show(render)


def _show(render: Callable[[int | None, bool], str]) -> None:
    terminal = sys.stdout.isatty()
    color = terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    _print(render(_width(terminal), color))


def check_writable(file: str | None, spec: str | None) -> None:
    """Raise SpecError if :func:`show` could not write there or must not, before anything is
    computed for it: over the spec, rows of a sweep, or anything else that is no report.
    """
    from conslaw_cli.cli import outfile

    if file is not None and file != "-":
        outfile.check(file, spec)


def exit_code(
    rows: Sequence[LawCount], expected: Mapping[str, int], require_proof: bool = False
) -> int:
    """Say on stderr what is wrong with the rows and return the exit code that says so.

    expected: numbers of laws that the spec says are right, by name.
    """
    failed = [f"{row.name}: {row.reason}" for row in rows if row.verdict == "failed"]
    wrong = [
        f"{row.name}: {row.laws} laws, not {expected[row.name]}"
        for row in rows
        if row.laws is not None and row.laws != expected.get(row.name, row.laws)
    ]
    unproved = [
        f"{row.name}: {row.verdict}" for row in rows if require_proof and row.verdict != "proved"
    ]
    _complain(failed, "failed")
    _complain(wrong, "not as the spec expects")
    _complain(unproved, "not proved (--require-proof)")
    return FAILED if failed else REQUIREMENT if unproved or wrong else 0


def _complain(rows: Sequence[str], what: str) -> None:
    if rows:
        click.echo(
            f"{len(rows)} {'row' if len(rows) == 1 else 'rows'} {what}. The first: {rows[0]}",
            err=True,
        )


def _width(terminal: bool) -> int | None:
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns) > 0:
        return int(columns)
    return os.get_terminal_size(sys.stdout.fileno()).columns or None if terminal else None


def _print(text: str) -> None:
    """Write to stdout as UTF-8; a reader that has gone away, such as ``head``, is no error."""
    try:
        sys.stdout.reconfigure(errors="backslashreplace", newline="")  # type: ignore[union-attr]
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes stdout once more when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SpecError(f"standard output: cannot be written: {error.strerror}") from None


def pin_blas() -> None:
    """Let NumPy's BLAS use one thread: the cores are for the workers.

    It reads this when it is loaded.
    """
    for library in ("OMP", "OPENBLAS", "MKL", "BLIS"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
