"""The page results/any-width.md from its rows, from the root of the repository:
``python -m tests.any_width_page > results/any-width.md``. No figure is written by hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from conslaw_cli.records import LawCount
from conslaw_cli.sweeps import lines

ROOT = Path(__file__).resolve().parents[1]
ROWS = ROOT / "results/published/any-width.jsonl"
HEAD = """\
# Networks as wide as people train them

How many conservation laws have networks with 10^5 to 10^12 parameters? Brackets at a generic
point need memory of the order of D^2, so these are counted by theorems, which
[docs/any-width.md](../docs/any-width.md) states and proves. *Paths*: where gates, inputs and
outputs tell all paths apart, φ is a monomial map, and the laws are one for each gated unit.
*Full chain*: a linear chain whose ends outweigh the changes of its widths has the known laws
and no others. *Wide linear layers*, *wide gated layers*, *cut chain*: spare units of linear
layers, all but a few gated units, and layers of one unit reduce a chain to narrower ones.
*Block lifting*: the units of any network are dealt out to strands; if every two strands belong
to a few whose small network (a *witness*) is complete at a block-diagonal point, the large
network is complete. What none of these decides has its known laws as a proved lower bound.

Rows: the sweep any-width (`configs/any-width.yaml`), counted by conslaw {version}. Seconds are
those of one count, in one process. The page is made of the rows by `python -m
tests.any_width_page`.
"""


def rows() -> list[LawCount]:
    """Return the published rows."""
    return [lines.decode(line) for line in ROWS.read_bytes().splitlines()]


def page(found: list[LawCount]) -> str:
    """Return the page in Markdown."""
    version = ", ".join(sorted({row.version for row in found}))
    blocks = [HEAD.format(version=version), *_tables(found), *_points(found), *_open(found)]
    return "\n".join(blocks)


def _tables(found: list[LawCount]) -> Iterator[str]:
    proved = sum(row.verdict == "proved" for row in found)
    yield f"## Laws\n\n{len(found)} networks, {proved} of them proved.\n"
    yield "| network | D | laws | known | others | how | seconds |"
    yield "| --- | --: | --: | --: | --: | --- | --: |"
    yield from map(_line, found)
    yield ""


def _line(row: LawCount) -> str:
    laws = f"≥ {row.laws_at_least:,}" if row.laws is None else f"{row.laws:,}"
    known = row.laws_at_least if row.known_independent is None else row.known_independent
    others = "not decided" if row.unknown_laws is None else str(row.unknown_laws)
    how = ", ".join(dict.fromkeys(b.method for b in row.lower or row.upper))
    name = row.name.replace("|", "\\|")
    seconds = f"{row.seconds:.2f}" if row.seconds >= 0.01 else "0.00"
    cells = [name, f"{row.parameters:,}", laws, f"{known:,}", others, how, seconds]
    return f"| {' | '.join(cells)} |"


def _points(found: list[LawCount]) -> Iterator[str]:
    """Yield what rows that are lifted from witnesses rest on, with the points."""
    lifted = [(row, b) for row in found for b in row.lower if "block-diagonal" in b.shown]
    if lifted:
        yield "## Witnesses\n"
        yield (
            "Strands are written by their units in each space, with how many there are of each;"
            " ranks are those of brackets modulo the prime at the point of the seed.\n"
        )
        yield from (f"- **{row.name}**: {bound.shown}" for row, bound in lifted)
        yield ""


def _open(found: list[LawCount]) -> Iterator[str]:
    """Yield why rows are not decided."""
    if left := [row for row in found if row.laws is None]:
        yield "## Not decided\n"
        yield from (f"- **{row.name}**: {row.reason}" for row in left)
        yield ""


if __name__ == "__main__":
    print(page(rows()), end="")
