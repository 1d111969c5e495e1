"""Pages that are made of rows are what their rows give."""

from __future__ import annotations

import atlas_page
from any_width_page import ROOT, page, rows

from conslaw_cli.sweeps import lines


def test_the_page_on_any_width_is_made_of_its_rows() -> None:
    assert (ROOT / "results/any-width.md").read_text(encoding="utf-8") == page(rows())


def test_the_page_of_the_atlas_lists_the_published_exceptions() -> None:
    found = [lines.decode(line) for line in atlas_page.EXCEPTIONS.read_bytes().splitlines()]
    assert found
    assert all(map(atlas_page.exceptional, found))
    text = (ROOT / "results/atlas.md").read_text(encoding="utf-8")
    assert text.endswith("\n".join(atlas_page.listed(found)))
