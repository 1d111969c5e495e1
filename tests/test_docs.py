"""The examples in docs/ give what they say, and the links between pages hold."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

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


@pytest.mark.parametrize("page", LINKING, ids=lambda path: path.name)
def test_links(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if not target.startswith("https://"):
            assert (page.parent / target).exists(), target
