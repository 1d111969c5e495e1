"""Lists of theorems, flows and operations, and the sources that a count names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from conslaw_cli.cli import main
from conslaw_cli.families.attention import Attention
from conslaw_cli.families.formulas.fields import CustomFields
from conslaw_cli.families.mlp import MLP
from conslaw_cli.flows.momentum import Momentum
from conslaw_cli.formats.bibtex import PAPERS, quoted, render_bibtex
from conslaw_cli.formats.lists import LISTS, carried
from conslaw_cli.lie.count import count_laws
from conslaw_cli.problems.problem import Problem

ROOT = Path(__file__).parents[2]


def conslaw(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


@pytest.mark.parametrize("kind", LISTS)
def test_a_list_has_a_line_each_and_a_name_shows_all_of_one(kind: str) -> None:
    entries = LISTS[kind]()
    header, *lines = conslaw(kind).output.splitlines()
    assert header.split() == ["name", "title", "where", "statement", "[source]"]
    assert len(lines) == len(entries)
    for entry, line in zip(entries, lines, strict=True):
        assert line.startswith(entry.name)
        assert entry.title in line
        assert entry.source
        assert entry.source in line
        assert line.endswith(f"  {entry.short} [{entry.source}]")
        assert entry.short.split() == entry.statement.split()[: len(entry.short.split())]
        assert entry.short.endswith((".", ":")) or entry.short == entry.statement
        assert not re.search(r"(^|\. )Let [^.]*\.$", entry.short), "only what is given"
        shown = conslaw(kind, entry.name.replace(" ", "-"))
        assert shown.exit_code == 0
        assert shown.output.startswith(f"{entry.name}: {entry.title}\n\n")
        assert entry.statement in shown.output
        assert entry.source in shown.output


@pytest.mark.parametrize("kind", LISTS)
def test_an_entry_says_where_it_stands(kind: str) -> None:
    for entry in LISTS[kind]():
        file, line = entry.place.split(":")
        text = (ROOT / file).read_text(encoding="utf-8").splitlines()[int(line) - 1]
        assert text.startswith(("@theorem", "@dataclass", "class ")), entry.place


def test_a_wrong_name_is_an_error_with_what_is_meant() -> None:
    wrong = conslaw("theorems", "linear-par")
    assert wrong.exit_code == 2
    assert "got 'linear-par' (did you mean linear pair?)" in wrong.output
    assert conslaw("flows", "momentun").exit_code == 2
    assert "did you mean dense?" in conslaw("operations", "dens").output


@pytest.mark.parametrize(
    ("kind", "name", "entry"),
    [("flows", "nmf", "mirror"), ("flows", "icnn", "mirror"), ("operations", "relu", "activation")],
)
def test_an_entry_goes_by_all_its_words(kind: str, name: str, entry: str) -> None:
    assert conslaw(kind, name).output == conslaw(kind, entry).output


def names(problem: Problem) -> list[str]:
    return [entry.name for entry in carried(problem, count_laws(problem))]


def test_a_theorem_that_hands_bounds_down_is_cited() -> None:
    """Under weight decay a homogeneous map has the bounds of gradient flow; biases at two linear
    layers are not homogeneous, and the engine counts.
    """
    network = ("count", "--widths", "2,3,2", "--activation", "linear", "--flow", "decay", "--cite")
    for bias, theorem in (("hidden", True), ("all", False)):
        said = conslaw(*network, "--bias", bias).output.partition("\nSources\n")[2]
        assert ("homogeneous decay: docs/flows.md" in said) is theorem
        assert "\ndecay: Marcotte" in said


def test_exactly_what_carried_a_row_is_cited() -> None:
    relu, linear = Problem(MLP((3, 4, 2))), Problem(MLP((3, 4, 2), "linear"))
    assert names(relu) == ["brackets", "known laws", "paths", "gradient", "dense", "activation"]
    assert names(linear) == ["brackets", "known laws", "gradient", "dense"]
    assert names(Problem(MLP((100, 200, 300), "linear"))) == ["linear pair", "gradient", "dense"]
    moved = names(Problem(MLP((3, 4, 2), "linear"), Momentum()))
    assert moved[-2:] == ["momentum", "dense"]
    chain = names(Problem(MLP((1, 2, 2, 1, 2), "linear")))
    assert chain == ["brackets", "scalar segments", "gradient", "dense"]
    rotations = CustomFields((), (("y", "-x", "0"), ("z", "0", "-x"), ("0", "z", "-y")))
    assert names(Problem(rotations)) == ["brackets", "found laws", "gradient"]
    heads = names(Problem(Attention(2, 2, 2)))
    assert heads[:3] == ["brackets", "known laws", "direct sum"]
    assert names(Problem(Attention(10**4, 2, 10**4)))[:2] == ["linear pair", "direct sum"]


def test_count_names_its_sources_below_the_rows() -> None:
    plain = conslaw("count", "--widths", "3,4,2")
    cited = conslaw("count", "--widths", "3,4,2", "--cite")
    assert cited.exit_code == 0
    rows, sources = cited.output.split("\nSources\n")
    assert rows == plain.output
    assert [line.partition(":")[0] for line in sources.splitlines()] == [
        "brackets",
        "known laws",
        "paths",
        "gradient",
        "dense",
        "activation",
    ]
    latex = conslaw("count", "--widths", "3,4,2", "--cite", "--format", "latex").output
    assert all(line.startswith("% ") for line in latex.partition("% Sources")[2].splitlines()[1:])


@pytest.mark.parametrize("format_", ["json", "csv"])
def test_rows_of_data_have_no_sources(format_: str) -> None:
    result = conslaw("count", "--widths", "3,4,2", "--cite", "--format", format_)
    assert result.exit_code == 2
    assert f"--cite: expected --format table, markdown, latex or bibtex, got {format_}" in (
        result.output
    )


def test_bibtex_has_an_entry_for_every_paper_that_is_quoted() -> None:
    text = conslaw("count", "--widths", "3,4,2", "--format", "bibtex").output
    assert re.findall(r"^@(\w+)\{(\w+),$", text, re.M) == [("inproceedings", "marcotte2023abide")]
    assert text.count("{") == text.count("}")
    assert "% brackets: " in text
    every = [entry for kind in LISTS.values() for entry in kind()]
    found = re.findall(r"^@\w+\{(\w+),$", render_bibtex(every), re.M)
    assert found == [paper.key for paper in PAPERS]


def test_every_paper_that_a_source_names_is_known() -> None:
    """By its number on arXiv, or by the name of its author and a year."""
    for kind in LISTS.values():
        for entry in kind():
            if re.search(r"arXiv|\b(19|20)\d\d\b", entry.source):
                assert quoted(entry.source), entry
            numbers = set(re.findall(r"arXiv (\d{4}\.\d{5})", entry.source))
            marks = {mark for paper in quoted(entry.source) for mark in paper.marks}
            assert {f"arXiv {number}" for number in numbers} <= marks
