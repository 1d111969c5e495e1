"""Pages that are made of rows are what their rows give."""

from __future__ import annotations

from any_width_page import ROOT, page, rows


def test_the_page_on_any_width_is_made_of_its_rows() -> None:
    assert (ROOT / "results/any-width.md").read_text(encoding="utf-8") == page(rows())
