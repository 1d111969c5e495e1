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
import sys, types
import conslaw_cli.flows.listed as flows
import conslaw_cli.networks.operations.listed as operations
added = sys.modules["added"] = types.ModuleType("added")
exec(sys.stdin.read(), vars(added))
"""
MEASURED = """
import pytest
options = ["-vv", "-p", "no:cacheprovider", "-k", sys.argv[2]]
sys.exit(pytest.main([sys.argv[1], *options]))
"""
LAYER = "operations.OPERATIONS += (added.Flip,)\n"
FLOW = "flows.FLOWS += (added.Annealed,)\n"


def run_with(title: str, line: str, then: str, *arguments: str) -> str:
    """Run a program where what a section adds is listed, by one line; return what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", LISTED + line + then, *arguments],
        input=re.findall(r"```python\n(.*?)```", SECTIONS[title], re.DOTALL)[0],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return str(done.stdout)


def test_what_a_layer_declares_is_measured_once_it_is_listed() -> None:
    chosen = "Flip and (adjoint or passes or degrees or read_back)"
    said = run_with("A layer", LAYER, MEASURED, "tests/networks/test_operations.py", chosen)
    assert said.count(" PASSED") >= 10


def test_what_a_flow_declares_is_measured_once_it_is_listed() -> None:
    chosen = "annealed or isometric or even_handed"
    said = run_with("A flow", FLOW, MEASURED, "tests/flows/test_declared.py", chosen)
    assert said.count(" PASSED") >= 20


COMMANDS = """
from conslaw_cli.cli import main
main(["{}", *"--widths 2,3,2 --activation linear --flow annealed".split(), *sys.argv[1:]])
"""


@pytest.mark.parametrize(
    ("command", "options", "said"),
    [
        ("count", "--format csv", "linear 2-3-2 annealed,"),
        ("laws", "", "U1ᵀU1 − U2U2ᵀ"),
        ("laws", "--format python", "annealed gradient flow keeps."),
        ("describe", "", "linear 2-3-2 annealed\n"),
        ("simulate", "--optimizer flow,gd --steps 50", "flow: integrated by DOP853"),
    ],
)
def test_every_command_knows_a_flow_once_it_is_listed(
    command: str, options: str, said: str
) -> None:
    if command == "simulate":
        pytest.importorskip("scipy")
    assert said in run_with("A flow", FLOW, COMMANDS.format(command), *options.split())


@pytest.mark.parametrize("page", LINKING, ids=lambda path: path.name)
def test_links(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if not target.startswith("https://"):
            assert (page.parent / target).exists(), target
