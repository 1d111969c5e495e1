"""The page results/any-width.md from its rows, from the root of the repository:
``python -m tests.any_width_page > results/any-width.md``. No figure is written by hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from conslaw_cli.formats.words import reason
from conslaw_cli.problems.records import LawCount
from conslaw_cli.sweeps import lines

ROOT = Path(__file__).resolve().parents[1]
ROWS = ROOT / "results/published/any-width.jsonl"
HEAD = """\
# Networks as wide as people train them

![The numbers of laws](any-width.svg)

How many conservation laws has gradient flow on a network with 10^5 to 10^12 parameters? Brackets
at a generic point need memory of the order of D^2, so these are counted by theorems, which
[docs/any-width.md](../docs/any-width.md) states and proves, from sizes and ranks of small networks:

- *Paths*: where inputs, gates and outputs tell all paths apart, every component of φ is a
  monomial, and there is one law for each hidden unit.
- *Full chain*: a linear chain of widths n_0, ..., n_q with `n_0 + n_q > Σ |n_i − n_(i−1)|` has the
  `Σ n_i(n_i + 1)/2` known laws of its hidden layers and no others. *Linear pair*: one hidden layer,
  any widths.
- *Two hidden layers*, *equal layers*: the same holds for three matrices, also where one hidden
  layer has gates, and where all hidden layers are equally wide, however much wider than the ends.
- *Wide linear layers*, *wide gated layers*, *cut chain*: a linear layer may lose what it has beyond
  its two neighbours together, a gated one all units but a few, and a layer of one unit cuts a chain
  in two; the counts of the narrow chains then give that of the wide one.
- *Block lifting*: give the units of any network to *strands*, and let all parameters between
  different strands be 0. If every two strands belong to a few, a *witness*, whose own network is
  complete there, dim Lie + rank of the known laws' gradients = D, then the whole network is
  complete at that point, and so at almost every point; and equal strands need one witness only.
- *Fewer places*: with inputs and gates zero outside of a few places of an image, a network is one
  with fewer places; if such views have all parameters together, are complete, and share enough of
  them, then the network is complete.
- *Direct sum*: heads of attention, and their pairs of matrices, share no parameters.

Verdicts. A number of laws is exact and proved: ranks modulo a prime at a named point are lower
bounds, which meet the upper bound that the known laws give. Where nothing decides, the known laws,
which are proved and independent, are a lower bound (≥), and whether there are others is open.

What is left out. Networks "like" published ones have the widths, kernels and strides of their
authors, but no batch normalisation, no dropout, and no projection beside a residual branch, which
the layers here do not include (ResNet-50-like has a convolution where a stage begins, beside no
branch, Xception-like its first and its last layers in a row); pooling is by
averages, AlexNet's local response normalisation and its two groups are left out too. Laws are those
of gradient flow in continuous time, if no other flow is named.

Rows: the sweep any-width (`configs/any-width.yaml`), counted by conslaw {version}. Seconds are
those of one count in a process that has begun; witnesses that a row before has found are not looked
for again. The page is made of the rows by `python -m tests.any_width_page`.
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
            "A strand is written by its units in each space, inputs first, the constant that biases"
            " are read from last, with how many strands are alike. *rank r of D*: dim Lie at the"
            " block-diagonal point, modulo the prime, of the seed; the gradients of the witness's"
            " laws have rank D − r there. Two strands of one kind stand for all pairs of it.\n"
        )
        yield from (f"- **{row.name}**: {bound.shown}" for row, bound in lifted)
        yield ""


def _open(found: list[LawCount]) -> Iterator[str]:
    """Yield why rows are not decided."""
    if left := [row for row in found if row.laws is None]:
        yield "## Not decided\n"
        yield from (f"- **{row.name}**: {reason(row)}" for row in left)
        yield ""


if __name__ == "__main__":
    print(page(rows()), end="")
