"""Rows held against those that were published: sameness, differences by name, files that are not
there.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from conslaw_cli.cli import main
from conslaw_cli.errors import SpecError
from conslaw_cli.families.formulas.fields import CustomFields
from conslaw_cli.families.mlp import MLP
from conslaw_cli.lie.count import count_laws
from conslaw_cli.problems.records import LawCount
from conslaw_cli.specs import spec
from conslaw_cli.sweeps import lines
from conslaw_cli.sweeps.published import Comparison, Published

ROOT = Path(__file__).resolve().parents[2]
ROW = count_laws(MLP((3, 4, 2), "relu"))
NAMED = """
name: two
published: published/rows.jsonl
architectures:
  - {widths: [2, 3, 3, 2], activation: linear}
  - {widths: [3, 4, 2], activation: relu}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test runs in an empty folder, with its spec in another one."""
    (tmp_path / "run").mkdir()
    (tmp_path / "specs" / "published").mkdir(parents=True)
    (tmp_path / "specs" / "two.yaml").write_text(NAMED)
    monkeypatch.chdir(tmp_path / "run")
    return tmp_path / "specs"


def sweep(folder: Path, *options: str) -> Result:
    return CliRunner().invoke(main, ["sweep", str(folder / "two.yaml"), *options])


def publish(folder: Path, *changes: Mapping[str, object]) -> None:
    """Publish what a run gives, but for changes of the rows."""
    rows = folder / "published" / "rows.jsonl"
    assert sweep(folder, "-o", str(rows), "--fresh").exit_code == 0
    values = [json.loads(line) for line in rows.read_text().splitlines()]
    for value, change in zip(values, changes, strict=False):
        value.update(change)
    rows.write_text("".join(json.dumps(v, separators=(",", ":")) + "\n" for v in values))


def compared(row: LawCount, published: LawCount) -> Comparison:
    """Compare a row with a published one."""
    Path("rows").write_bytes(lines.encode("key", published) + b"\n")
    return Published("rows").compare(row)


def test_a_row_is_as_published_whatever_its_seed_its_time_and_its_version() -> None:
    other = replace(count_laws(MLP((3, 4, 2), "relu"), seed=7), seconds=99.0, version="0.0.1")
    assert compared(ROW, other) == Comparison()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"laws": 5}, "laws 4, published 5"),
        ({"dim_lie": 15, "laws": 5}, "dim_lie 16, published 15; laws 4, published 5"),
        ({"known_listed": 5}, "known_listed 4, published 5"),
        ({"involutive": False}, "involutive true, published false"),
        ({"verdict": "failed"}, 'verdict "proved", published "failed"'),
        ({"architecture": {**ROW.architecture, "widths": [3, 4, 3]}}, "widths"),
        ({"polynomial_laws": {"degree": 2}}, 'polynomial_laws null, published {"degree": 2}'),
    ],
)
def test_any_other_number_or_verdict_is_a_difference(change: dict[str, object], said: str) -> None:
    found = compared(ROW, replace(ROW, **change))  # type: ignore[arg-type]
    assert said in (found.differs or "")
    assert not found.better


def test_a_proof_where_there_was_none_is_better_and_the_other_way_round_a_difference() -> None:
    computed = replace(ROW, verdict="computed", error_bound=1e-20)
    assert compared(ROW, computed) == Comparison(better=True)
    assert "verdict" in (compared(computed, ROW).differs or "")
    wrong = replace(computed, laws=5)
    assert compared(ROW, wrong) == Comparison("laws 4, published 5")


def test_the_error_of_a_computed_row_belongs_to_its_seed() -> None:
    so3 = CustomFields((), (("0", "-z", "y"), ("z", "0", "-x"), ("-y", "x", "0")))
    row = replace(count_laws(so3), verdict="computed", error_bound=1e-20)
    assert compared(row, replace(row, error_bound=1e-21)).differs
    assert compared(row, replace(row, error_bound=1e-21, seed=5)) == Comparison()


@pytest.mark.parametrize("junk", ["[]", "name: two", "\x00\x01", "{}"])
def test_a_line_that_is_no_row_is_refused_before_anything_is_counted(
    folder: Path, junk: str
) -> None:
    publish(folder)
    rows = folder / "published" / "rows.jsonl"
    rows.write_text(rows.read_text() + junk + "\n")
    result = sweep(folder)
    assert result.exit_code == 2
    assert isinstance(result.exception, SystemExit)
    assert re.fullmatch(
        r"Error: .*rows\.jsonl:3: expected a published row, got .*\n", result.stderr
    )
    assert not any(path.read_text() for path in Path("results").glob("*"))


def test_a_damaged_row_is_a_difference() -> None:
    Path("rows").write_bytes(lines.encode("key", ROW)[:-9] + b"\n\n")
    assert Published("rows").compare(ROW).differs == "its published row is damaged"


# ---- sweeps


def test_a_sweep_ends_with_how_many_rows_are_as_published(folder: Path) -> None:
    publish(folder)
    result = sweep(folder)
    assert result.exit_code == 0
    assert result.stderr == "2 rows in results/two.jsonl\n2 of 2 rows as published\n"
    assert sweep(folder, "--seed", "3").stderr.endswith("\n2 of 2 rows as published\n")


def test_a_row_that_differs_is_named_and_exit_code_1(folder: Path) -> None:
    publish(folder, {}, {"dim_lie": 15, "laws": 5})
    result = sweep(folder)
    assert result.exit_code == 1
    assert result.stderr.splitlines()[1:] == [
        "relu 3-4-2: dim_lie 16, published 15; laws 4, published 5",
        "1 of 2 rows as published",
    ]
    assert sweep(folder).exit_code == 1, "in a run that counts nothing too"


def test_better_rows_are_no_difference(folder: Path) -> None:
    publish(folder, {"verdict": "computed", "error_bound": 1e-20})
    result = sweep(folder)
    assert result.exit_code == 0
    assert result.stderr.endswith("2 of 2 rows as published, 1 of them better: proved now\n")


def test_rows_that_are_there_on_one_side_alone(folder: Path) -> None:
    """A row more may be one that is not kept; a row less was there once."""
    publish(folder)
    rows = folder / "published" / "rows.jsonl"
    text = rows.read_text()
    rows.write_text(text.splitlines()[0] + "\n")
    result = sweep(folder)
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (
        0,
        "1 of 2 rows as published; 1 not published",
    )
    rows.write_text(text + text.splitlines()[0].replace("linear 2-3-3-2", "older") + "\n")
    result = sweep(folder)
    assert result.exit_code == 1
    assert "older: published, but not among these rows" in result.stderr


def test_many_differences_are_not_all_named(folder: Path) -> None:
    widths = [[2, n, 2] for n in range(1, 31)]
    text = f"published: rows.jsonl\ngrid: [{{widths: {widths}, activation: relu}}]\n"
    (folder / "two.yaml").write_text(text)
    assert sweep(folder, "-o", str(folder / "rows.jsonl")).exit_code == 0
    rows = (folder / "rows.jsonl").read_text()
    (folder / "rows.jsonl").write_text(rows.replace('"laws":', '"laws":1'))
    said = sweep(folder).stderr.splitlines()
    assert sum("published 1" in line for line in said) == 20
    assert said[-2:] == [
        "and 10 more rows that are not as published",
        "0 of 30 rows as published",
    ]


def test_published_rows_that_cannot_be_read_are_one_line(folder: Path) -> None:
    result = sweep(folder)
    assert result.exit_code == 0
    assert result.stderr.splitlines()[1:] == [
        f"{folder}/published/rows.jsonl: the published rows cannot be read: No such file or"
        " directory"
    ]


def test_a_failure_counts_for_more(folder: Path) -> None:
    publish(folder)
    text = (folder / "two.yaml").read_text()
    (folder / "two.yaml").write_text(text + "  - {phi: 'x*y + z*w, z*x + w*w'}\n")
    assert sweep(folder, "--memory", "1K", "--fresh").exit_code == 3


def test_a_row_that_is_bounded_now_is_not_as_published(folder: Path) -> None:
    publish(folder)
    result = sweep(folder, "--memory", "1K", "--fresh")
    assert result.exit_code == 1
    assert 'verdict "bounded", published "proved"' in result.stderr


@pytest.mark.parametrize("value", ["[a]", '""', "{a: b}"])
def test_the_key_holds_a_path(value: str) -> None:
    with pytest.raises(SpecError, match="f:1:12: published: expected one line of text"):
        spec.parse(f"published: {value}\ngrid: [{{widths: [[2, 2]]}}]\n", "f")


def test_the_path_starts_from_the_folder_of_the_spec() -> None:
    text = "{published: %s, grid: [{widths: [[2, 2]]}]}"
    assert spec.parse(text % "../a.jsonl", "x/f.yaml").published == "x/../a.jsonl"
    assert spec.parse(text % "/a.jsonl", "x/f.yaml").published == "/a.jsonl"
    assert spec.parse(text % "a.jsonl", "stdin").published == "a.jsonl"


@pytest.mark.parametrize("config", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda p: p.stem)
def test_every_config_names_rows_of_its_own_architectures(config: Path) -> None:
    asked = spec.load(str(config))
    assert asked.published is not None
    text = Path(asked.published).read_bytes()
    names = [lines.name_of(line) for line in text.splitlines()]
    assert names
    assert {*names} <= {problem.name for problem in asked.problems}
    assert "exceptions" in asked.published or len(names) == len(asked.problems)


def test_the_run_command_of_the_readme_counts_in_a_fresh_clone(folder: Path) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    command = readme.partition("<!-- run command -->\n```console\n")[2].partition("\n```")[0]
    words = command.rpartition("&& .venv/bin/conslaw ")[2].split()
    assert words == ["sweep", "configs/relu.yaml"]
    shutil.copytree(ROOT / "configs", "configs")
    shutil.copytree(ROOT / "results" / "published", "results/published")
    assert [path.name for path in Path("results").iterdir()] == ["published"]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0
    assert result.stderr.splitlines() == [
        "100 rows in results/relu.jsonl",
        "100 of 100 rows as published",
    ]
    assert len(Path("results/relu.jsonl").read_bytes().splitlines()) == 100
