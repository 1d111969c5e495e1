"""Pictures of drift, and the command that makes those of the examples."""

from __future__ import annotations

import runpy
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from conslaw_cli.families.mlp import MLP
from conslaw_cli.simulation.simulate import Simulation, Training, simulate

pytest.importorskip("matplotlib")
pytest.importorskip("scipy")
ROOT = Path(__file__).resolve().parents[2]
NAMES = [f"drift-{name}.svg" for name in ("flow", "gd", "charges", "product")]


def texts(svg: Path) -> str:
    """The comments of an SVG by matplotlib hold what glyphs spell."""
    parser = ET.XMLParser(target=ET.TreeBuilder(insert_comments=True))
    tree = ET.parse(svg, parser)
    return "\n".join(each.text or "" for each in tree.iter() if callable(each.tag))


def titles(svg: Path) -> list[str]:
    return sorted(line for line in texts(svg).split("\n") if ": " in line)


def test_the_pictures_of_the_examples_are_made_by_their_program(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    program = ROOT / "examples" / "drift.py"
    said = program.read_text(encoding="utf-8").split('"""')[1]
    monkeypatch.setattr(sys, "argv", [str(program), str(tmp_path), "40"])
    runpy.run_path(str(program), run_name="__main__")
    assert capsys.readouterr().out == said.partition("$ python examples/drift.py\n")[2]
    for name in NAMES:
        committed, small = ROOT / "examples" / name, tmp_path / name
        assert committed.stat().st_size < 100_000
        assert titles(committed) == titles(small) != []


@pytest.fixture(scope="module")
def trained() -> Simulation:
    return simulate(MLP((2, 2, 1)), ("flow", "gd", "adam"), Training(steps=5))


@pytest.mark.parametrize(
    ("end", "head"), [(".png", b"\x89PNG"), (".pdf", b"%PDF"), (".svg", b"<?xml")]
)
def test_a_picture_of_every_kind(end: str, head: bytes, trained: Simulation) -> None:
    from conslaw_cli.formats.pictures.drift import drift

    picture = drift(trained, f"drift{end}")
    assert picture.startswith(head)
    assert picture == drift(trained, f"drift{end}")  # no time of day in it


def test_what_a_picture_says(tmp_path: Path) -> None:
    from conslaw_cli.formats.pictures.drift import drift

    file = tmp_path / "drift.svg"
    simulation = simulate(MLP((2, 2, 1)), ("flow", "gd"), Training(steps=5, lr=0.1))
    file.write_bytes(drift(simulation, str(file)))
    found = texts(file)
    for text in (
        "relu 2-2-1: gradient flow, gd",
        "loss mse, 32 samples, rate 0.1, seed 0",
        "time (steps × rate)",
        "drift |h − h₀| of laws",
        "(root mean square, in units of θ²)",
        "flow: diag(U1ᵀU1 − U2U2ᵀ)",
        "gd: diag(U1ᵀU1 − U2U2ᵀ)",
        "predicted",
    ):
        assert text in found
    lines = [each for each in ET.parse(file).iter() if each.get("id", "").startswith("line2d")]
    assert "stroke-dasharray" in file.read_text(encoding="utf-8")
    assert lines
