"""The page results/atlas.md, and the exceptions that a new run is held against, from the rows of
the sweep, which are not kept. From the root of the repository:

    conslaw sweep configs/atlas.yaml --summary
    python -m tests.atlas_page results/atlas.jsonl

No figure is written by hand.
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from conslaw_cli.problems.records import VERSION, LawCount
from conslaw_cli.specs.spec import load
from conslaw_cli.sweeps import lines

ROOT = Path(__file__).resolve().parents[1]
EXCEPTIONS = ROOT / "results/published/atlas.exceptions.jsonl"
HEAD = """\
# An atlas of networks of any width

![The numbers of laws](atlas.svg)

{total:,} networks: dense chains of linear layers, of ReLU layers, and of both, without and with
biases, under squared error and cross-entropy, drawn at random or enumerated, and residual networks;
under gradient flow, weight decay and momentum ([configs/atlas.yaml](../configs/atlas.yaml)).
{verdicts}

{expected:,} linear networks without biases are held against the closed form of their number of laws
([atlas-linear.md](atlas-linear.md) states it), which the program does not use: {agreeing:,} proved
rows agree, {contrary:,} contradict it{open}.

Theorems are stated and proved in [docs/any-width.md](../docs/any-width.md) and
[docs/theory.md](../docs/theory.md). Counted by conslaw {version} in {seconds:,.0f} seconds of all
rows together, on two cores. The rows are not kept here:
`conslaw sweep configs/atlas.yaml --summary` makes them, and
`python -m tests.atlas_page results/atlas.jsonl` this page of them.
"""


class Sort(NamedTuple):
    """What rows are counted together."""

    layers: str
    bias: str
    loss: str
    flow: str


class Entry(NamedTuple):
    """What the page needs of a row."""

    name: str
    sort: Sort
    depth: int
    parameters: int
    laws: int | None
    verdict: str
    method: str
    seconds: float


def entry(row: LawCount) -> Entry:
    """Return what the page needs of a row."""
    method = (row.lower or row.upper)[0].method
    assert row.parameters is not None
    laws = row.laws if row.laws is not None else row.laws_at_least
    sort, depth = _sort(row)
    return Entry(row.name, sort, depth, row.parameters, laws, row.verdict, method, row.seconds)


def _sort(row: LawCount) -> tuple[Sort, int]:
    """Return what sort of network a row is of, and its number of matrices."""
    given, flow = row.architecture, str(row.flow)
    if "layers" in given:
        return Sort("residual", "none", given["loss"], flow), str(given["layers"]).count("dense")
    activation = given["activation"]
    layers = activation if isinstance(activation, str) else "linear and relu"
    bias = {False: "none", True: "hidden"}.get(given["bias"], given["bias"])
    return Sort(layers, str(bias), given["loss"], flow), len(given["widths"]) - 1


def exceptional(row: LawCount) -> bool:
    """Whether a row is not proved, or has laws beyond the known ones."""
    return row.verdict != "proved" or bool(row.unknown_laws)


def page(entries: list[Entry], exceptions: list[LawCount], expected: dict[str, int]) -> str:
    """Return the page in Markdown. expected: numbers of laws by the closed form, by name."""
    held = [each for each in entries if each.name in expected and each.verdict == "proved"]
    agreeing = sum(each.laws == expected[each.name] for each in held)
    verdicts = Counter(each.verdict for each in entries)
    head = HEAD.format(
        total=len(entries),
        verdicts=_verdicts(verdicts, sum(bool(row.unknown_laws) for row in exceptions)),
        expected=len(expected),
        agreeing=agreeing,
        contrary=len(held) - agreeing,
        open=", the others are bounded" if len(held) < len(expected) else "",
        version=VERSION,
        seconds=sum(each.seconds for each in entries),
    )
    return "\n".join([head, *_sorts(entries), *_methods(entries), *listed(exceptions)])


def _verdicts(verdicts: Counter[str], unknown: int) -> str:
    """Say how many are proved, and what the others are."""
    more = f"{unknown:,} have laws beyond the known ones"
    if not verdicts["bounded"]:
        return (
            "All are proved: their number of conservation laws is exact. Of these\n"
            f"{more}; they are listed below."
        )
    return (
        f"{verdicts['proved']:,} are proved: their number of conservation laws is exact."
        f" {verdicts['bounded']:,} are bounded: they\n"
        "have at least the known laws, independent and proved; whether there are others no theorem"
        " here\n"
        f"decides, and no machine has the memory for brackets. {more}.\n"
        f"All {verdicts['bounded'] + unknown:,} of these two sorts are listed below."
    )


def _sorts(entries: list[Entry]) -> Iterator[str]:
    groups = defaultdict[Sort, list[Entry]](list)
    for each in entries:
        groups[each.sort].append(each)
    yield "## Networks\n"
    yield "| layers | biases | loss | flow | matrices | networks | proved | bounded | largest D |"
    yield "| --- | --- | --- | --- | --- | --: | --: | --: | --: |"
    for sort, some in sorted(groups.items()):
        verdicts = Counter(each.verdict for each in some)
        depths = [each.depth for each in some]
        largest = max(each.parameters for each in some)
        figures = [len(some), verdicts["proved"], verdicts["bounded"], largest]
        cells = [*sort, f"{min(depths)}–{max(depths)}", *(f"{n:,}" for n in figures)]
        yield f"| {' | '.join(cells)} |"
    yield ""


def _methods(entries: Iterable[Entry]) -> Iterator[str]:
    """Yield how many rows rest on what; on the first bound shown where there are several."""
    found = Counter((each.verdict, each.method) for each in entries)
    yield "## How they are counted\n"
    yield "| verdict | first of the theorems shown | networks |"
    yield "| --- | --- | --: |"
    for (verdict, method), number in sorted(found.items(), key=lambda item: -item[1]):
        yield f"| {verdict} | {method} | {number:,} |"
    yield ""


def listed(rows: Iterable[LawCount]) -> Iterator[str]:
    """Yield the table of exceptions."""
    yield "## Exceptions\n"
    yield "| network | D | laws | known | others | verdict |"
    yield "| --- | --: | --: | --: | --: | --- |"
    for row in rows:
        laws = f"≥ {row.laws_at_least:,}" if row.laws is None else f"{row.laws:,}"
        others = "not decided" if row.unknown_laws is None else f"{row.unknown_laws:,}"
        known = "" if row.known_independent is None else f"{row.known_independent:,}"
        cells = [row.name, f"{row.parameters:,}", laws, known, others, row.verdict]
        yield f"| {' | '.join(cells)} |"
    yield ""


def main(path: Path) -> None:
    """Write the page and the exceptions, in the order of the spec."""
    asked = load(str(ROOT / "configs/atlas.yaml"))
    found, kept = dict[str, Entry](), dict[str, tuple[bytes, LawCount]]()
    with path.open("rb") as file:
        for line in file:
            row = lines.decode(line)
            found[row.name] = entry(row)
            if exceptional(row):
                kept[row.name] = (line, row)
    names = [problem.name for problem in asked.problems]
    ordered = [kept[name] for name in names if name in kept]
    EXCEPTIONS.write_bytes(b"".join(line for line, _ in ordered))
    entries = [found[name] for name in names]
    text = page(entries, [row for _, row in ordered], dict(asked.expected))
    (ROOT / "results/atlas.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
