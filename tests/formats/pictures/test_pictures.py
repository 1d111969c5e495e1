"""Pictures: their files, and what they show."""

from __future__ import annotations

import sys

import pytest

from conslaw_cli.errors import SpecError
from conslaw_cli.formats import pictures
from conslaw_cli.formats.openings import is_picture


def blank(path: str) -> bytes:
    with pictures.canvas(2, 1) as figure:
        figure.add_subplot().plot([0, 1])
        return pictures.encoded(figure, path)


@pytest.mark.parametrize("path", ["a.png", "a.svg", "b.PDF"])
def test_a_picture_has_the_same_bytes_each_time(path: str) -> None:
    pytest.importorskip("matplotlib")
    assert is_picture(blank(path))
    assert blank(path) == blank(path)


@pytest.mark.parametrize("path", ["a.jpg", "png", ""])
def test_another_ending_is_refused(path: str) -> None:
    with pytest.raises(SpecError, match=r"--plot: expected a file ending in \.png, \.svg, \.pdf"):
        pictures.suffix(path)


def test_without_matplotlib_one_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(SpecError, match=r"^matplotlib is not installed: pip install 'conslaw\["):
        pictures.suffix("a.png")
