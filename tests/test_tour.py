"""The notebook examples/tour.ipynb gives what it shows."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]


def shown(notebook: Any) -> list[Any]:
    """Return what the cells of a notebook give: formats by name, of pictures that there is one."""
    found = []
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            assert output.output_type != "error"
            data = output.get("data", {"text": output.get("text")})
            found.append({key: key.startswith("image/") or value for key, value in data.items()})
    return found


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_tour_gives_what_it_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    pytest.importorskip("matplotlib")
    monkeypatch.setenv("PYTHONPATH", str(ROOT) + os.pathsep + os.environ.get("PYTHONPATH", ""))
    kept = nbformat.read(ROOT / "examples/tour.ipynb", as_version=4)
    run = nbformat.from_dict(kept)
    nbclient.NotebookClient(run, timeout=600, resources={"metadata": {"path": tmp_path}}).execute()
    assert shown(run) == shown(kept)
    assert any("image/png" in each for each in shown(kept))
