"""The programs in examples/ print what they say, and so do the examples of public docstrings."""

from __future__ import annotations

import doctest
import runpy
import sys
from pathlib import Path

import pytest

import conslaw_cli

ROOT = Path(__file__).resolve().parents[1]
PROGRAMS = sorted((ROOT / "examples").glob("*.py"))
PROGRAMS.remove(ROOT / "examples" / "drift.py")  # needs an extra: simulation/test_drift.py
PUBLIC = [name for name in conslaw_cli.__all__ if name != "__version__"]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_a_program_prints_what_it_says(program: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = f"$ python examples/{program.name}\n"
    text = program.read_text(encoding="utf-8")
    expected = text.split('"""')[1].partition(command)[2]
    runpy.run_path(str(program), run_name="__main__")
    assert tuple(capsys.readouterr()) == (expected, "")
    assert expected


def test_there_are_five_programs() -> None:
    names = ["count", "custom_map", "flow", "laws_in_numpy", "sweep"]
    assert [path.stem for path in PROGRAMS] == names


@pytest.mark.parametrize("name", PUBLIC)
def test_the_examples_of_public_docstrings(name: str) -> None:
    thing = getattr(conslaw_cli, name)
    home = vars(sys.modules[thing.__module__])
    (found,) = doctest.DocTestFinder(recurse=False).find(thing, name, globs=dict(home))
    assert found.examples, f"{name}: expected an example in its docstring"
    runner = doctest.DocTestRunner(verbose=False)
    said: list[str] = []
    runner.run(found, out=said.append)
    assert not runner.failures, "".join(said)


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_documented(name: str) -> None:
    thing = getattr(conslaw_cli, name)
    assert len(thing.__doc__ or "") > 20
    assert not (thing.__doc__ or "").startswith(f"{name}("), "that of dataclasses"
