"""Which constants are zero, against the minimal polynomials of data/constants.json: ``python -m
tests.table_of_constants`` holds the whole table; test_constants.py a third of it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path

from conslaw_cli.families.formulas.expressions import Expression, Names, graph

TABLE: list[tuple[str, bool]] = json.loads(
    (Path(__file__).parent / "data" / "constants.json").read_text()
)
"""Constants, and whether they are zero."""


def mistaken(table: Iterable[tuple[str, bool]]) -> list[str]:
    """Return the constants that are taken for zero and are not, or the other way round."""
    return [text for text, zero in table if _vanishes(text) != zero]


def _vanishes(text: str) -> bool:
    (term,) = graph([Expression(f"x*({text})", "a constant")], Names.of(["x"])).outputs
    return term.coefficient == 0


if __name__ == "__main__":
    found = mistaken(TABLE)
    print(f"{len(TABLE)} constants, mistaken: {found}")
    sys.exit(bool(found))
