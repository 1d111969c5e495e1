"""Many networks as a table of columns, the form that data frames are made of.

$ python examples/sweep.py
name            parameters  laws  unknown_laws  verdict
linear 1-2-2-1           8     7             1  proved
linear 1-2-2-2          10     6             0  proved
linear 2-2-2-1          10     6             0  proved
linear 2-2-2-2          12     6             0  proved
networks with unknown laws: linear 1-2-2-1
"""

from __future__ import annotations

from itertools import product
from typing import Any

from conslaw_cli import MLP, count_laws

KEYS = ("name", "parameters", "laws", "unknown_laws", "verdict")


def columns(networks: list[MLP]) -> dict[str, list[Any]]:
    """Count all networks; return a list for each key. ``pandas.DataFrame(columns(…))`` reads it."""
    rows = [count_laws(network).to_dict() for network in networks]
    return {key: [row[key] for row in rows] for key in KEYS}


def shown(table: dict[str, list[Any]]) -> str:
    """Return a table as text, numbers to the right."""
    parts = []
    for key, values in table.items():
        cells = list(map(str, [key, *values]))
        size = max(map(len, cells))
        right = all(isinstance(value, int) for value in values)
        parts.append([cell.rjust(size) if right else cell.ljust(size) for cell in cells])
    return "\n".join("  ".join(cells).rstrip() for cells in zip(*parts, strict=True))


if __name__ == "__main__":
    table = columns([MLP((a, 2, 2, b), "linear") for a, b in product((1, 2), repeat=2)])
    print(shown(table))
    found = [name for name, n in zip(table["name"], table["unknown_laws"], strict=True) if n]
    print("networks with unknown laws:", ", ".join(found))
