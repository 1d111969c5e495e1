"""The sources that counts rest on: as a paragraph, and as entries for BibTeX."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from conslaw_cli.formats.lists import Entry

_AUTHORS = "Marcotte, Sibylle and Gribonval, R{\\'e}mi and Peyr{\\'e}, Gabriel"


class Paper(NamedTuple):
    """A publication. marks: texts of which a source that quotes it has one."""

    key: str
    kind: str
    marks: tuple[str, ...]
    fields: tuple[tuple[str, str], ...]


def _of_marcotte(key: str, number: str, title: str, venue: str, year: str) -> Paper:
    fields = (
        ("author", _AUTHORS),
        ("title", title),
        ("booktitle", venue),
        ("year", year),
        ("eprint", number),
        ("archiveprefix", "arXiv"),
    )
    return Paper(key, "inproceedings", (f"arXiv {number}",), fields)


PAPERS = (
    _of_marcotte(
        "marcotte2023abide",
        "2307.00144",
        "Abide by the Law and Follow the Flow: Conservation Laws for Gradient Flows",
        "Advances in Neural Information Processing Systems",
        "2023",
    ),
    _of_marcotte(
        "marcotte2024keep",
        "2405.12888",
        "Keep the Momentum: Conservation Laws beyond Euclidean Gradient Flows",
        "International Conference on Machine Learning",
        "2024",
    ),
    _of_marcotte(
        "marcotte2025transformative",
        "2506.06194",
        "Transformative or Conservative? Conservation Laws for ResNets and Transformers",
        "International Conference on Machine Learning",
        "2025",
    ),
    Paper(
        "sussmann1973orbits",
        "article",
        ("Sussmann",),
        (
            ("author", "Sussmann, H{\\'e}ctor J."),
            ("title", "Orbits of Families of Vector Fields and Integrability of Distributions"),
            ("journal", "Transactions of the American Mathematical Society"),
            ("volume", "180"),
            ("year", "1973"),
        ),
    ),
    Paper(
        "nagano1966linear",
        "article",
        ("Nagano",),
        (
            ("author", "Nagano, Tadashi"),
            (
                "title",
                "Linear Differential Systems with Singularities and an Application to Transitive"
                " Lie Algebras",
            ),
            ("journal", "Journal of the Mathematical Society of Japan"),
            ("volume", "18"),
            ("year", "1966"),
        ),
    ),
    Paper(
        "ax1971schanuel",
        "article",
        ("J. Ax",),
        (
            ("author", "Ax, James"),
            ("title", "On {S}chanuel's Conjectures"),
            ("journal", "Annals of Mathematics"),
            ("volume", "93"),
            ("year", "1971"),
        ),
    ),
    Paper(
        "johansson2017arb",
        "article",
        ("arXiv 1611.02831",),
        (
            ("author", "Johansson, Fredrik"),
            ("title", "Arb: Efficient Arbitrary-Precision Midpoint-Radius Interval Arithmetic"),
            ("journal", "IEEE Transactions on Computers"),
            ("volume", "66"),
            ("year", "2017"),
            ("eprint", "1611.02831"),
            ("archiveprefix", "arXiv"),
        ),
    ),
)


def quoted(source: str) -> list[Paper]:
    """Return the papers that a source quotes."""
    return [paper for paper in PAPERS if any(mark in source for mark in paper.marks)]


def render_bibtex(entries: Sequence[Entry]) -> str:
    """Return an entry for every paper, and what it is the source of, as comments; what has no paper
    comes first.
    """
    own = [f"% {entry.name}: {entry.source}" for entry in entries if not quoted(entry.source)]
    parts = ["\n".join(own)] if own else []
    for paper in PAPERS:
        carried = [entry for entry in entries if paper in quoted(entry.source)]
        if carried:
            parts.append(_entry(paper, carried))
    return "\n\n".join(parts) + "\n"


def _entry(paper: Paper, carried: Sequence[Entry]) -> str:
    comments = [f"% {entry.name}: {entry.title} ({entry.source})" for entry in carried]
    fields = [f"  {key} = {{{value}}}," for key, value in paper.fields]
    return "\n".join([*comments, f"@{paper.kind}{{{paper.key},", *fields, "}"])


def render_sources(entries: Sequence[Entry], before: str = "") -> str:
    """Return a line for each source. before: begins every line."""
    lines = ["Sources", *(f"{entry.name}: {entry.source}" for entry in entries)]
    return "\n".join(f"{before}{line}" for line in lines) + "\n"
