"""The house: its floors, and that nothing on one of them needs what lies above."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "conslaw_cli"
FLOORS = (
    {"errors", "checks"},
    {"algebra"},
    {"networks"},
    {"flows"},
    {"families", "problems"},
    {"lie"},
    {"laws", "simulation"},
    {"specs", "sweeps", "formats"},
    {"cli"},
    {"__init__", "__main__"},
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}


def modules() -> dict[str, Path]:
    """Return all modules by their names below the package, which itself is ``__init__``."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(parts).removesuffix(".__init__")] = path
    return found


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(path: Path, known: dict[str, Path], always: bool = False) -> Iterator[str]:
    """Yield the modules of the package that a module imports, also where it does so in a function
    or for types; ``always``: when it is imported itself.
    """
    for node in tree_of(path).body if always else ast.walk(tree_of(path)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("conslaw_cli"):
            module = (node.module or "").removeprefix("conslaw_cli").removeprefix(".")
            for alias in node.names:
                inner = f"{module}.{alias.name}".removeprefix(".")
                yield inner if inner in known else module or "__init__"


def test_no_room_imports_one_above_it() -> None:
    known = modules()
    upwards = {
        (name, other)
        for name, path in known.items()
        for other in imported(path, known)
        if name not in ("__init__", "__main__") and other != "__init__"
        if FLOOR[other.partition(".")[0]] > FLOOR[name.partition(".")[0]]
    }
    assert upwards == set()


def test_imports_make_no_circle() -> None:
    """Not even of imports in functions, but for packages that list what is in them: those import
    it when it is asked for.
    """
    known = modules()
    graph = {
        name: set(imported(path, known, always=path.name == "__init__.py")) - {name}
        for name, path in known.items()
    }
    TopologicalSorter(graph).prepare()


def test_the_top_is_not_crowded() -> None:
    """Twelve packages at most, and seventeen rooms in all."""
    rooms = [
        path
        for path in PACKAGE.iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    ]
    assert {path.stem for path in rooms} == set(FLOOR)
    assert sum(path.is_dir() for path in rooms) <= 12
    assert len(rooms) <= 17
