"""The examples in docs/ give what they say, and the links between pages hold."""

from __future__ import annotations

import doctest
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from conslaw_cli.flows import listed

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted((ROOT / "docs").glob("*.md"))
LINKING = [*PAGES, *ROOT.glob("*.md"), *(ROOT / "results").glob("*.md")]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_examples(page: Path) -> None:
    said: list[str] = []
    runner = doctest.DocTestRunner(verbose=False)
    text = page.read_text(encoding="utf-8")
    runner.run(doctest.DocTestParser().get_doctest(text, {}, page.name, None, 0), out=said.append)
    assert not runner.failures, "".join(said)


CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
SECTIONS = {
    text.partition("\n")[0]: text for text in CONTRIBUTING.split("\n## ")[1:] if "```python" in text
}


def test_it_is_said_how_to_add_each_kind_of_thing() -> None:
    assert list(SECTIONS) == ["A layer", "A theorem", "A flow", "A format"]


@pytest.mark.parametrize("title", SECTIONS)
def test_what_is_added_works(title: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each section is a module and a session that uses it."""
    module, session = re.findall(r"```python\n(.*?)```", SECTIONS[title], re.DOTALL)
    added = ModuleType("added")
    monkeypatch.setitem(sys.modules, "added", added)  # where dataclasses look for their types
    exec(compile(module, "CONTRIBUTING.md", "exec"), vars(added))
    if title == "A flow":
        monkeypatch.setattr(listed, "FLOWS", (*listed.FLOWS, vars(added)["Annealed"]))
    said: list[str] = []
    runner = doctest.DocTestRunner(verbose=False)
    example = doctest.DocTestParser().get_doctest(session, vars(added), title, None, 0)
    assert example.examples
    runner.run(example, out=said.append)
    assert not runner.failures, "".join(said)


LISTED = """
import sys, types, pytest
import conslaw_cli.networks.operations.listed as operations
added = sys.modules["added"] = types.ModuleType("added")
exec(sys.stdin.read(), vars(added))
operations.OPERATIONS += (added.Flip,)
chosen = "Flip and (adjoint or passes or degrees or read_back)"
options = ["-vv", "-p", "no:cacheprovider", "-k", chosen]
sys.exit(pytest.main(["tests/networks/test_operations.py", *options]))
"""


def test_what_a_layer_declares_is_measured_once_it_is_listed() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LISTED],
        input=re.findall(r"```python\n(.*?)```", SECTIONS["A layer"], re.DOTALL)[0],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert done.stdout.count(" PASSED") >= 10


@pytest.mark.parametrize("page", LINKING, ids=lambda path: path.name)
def test_links(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if not target.startswith("https://"):
            assert (page.parent / target).exists(), target
