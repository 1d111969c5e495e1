"""How many conservation laws has a network, and why is the number right?

$ python examples/count.py
relu 3-4-2 bias: D = 24, dim Lie = 20, laws = 4 (4 of 4 known), proved
linear 1-2-2-1: D = 8, dim Lie = 1, laws = 7 (6 of 6 known), proved
proved: 1 ≤ dim Lie ≤ 1
"""

from __future__ import annotations

from conslaw_cli import MLP, LawCount, count_laws


def line(row: LawCount) -> str:
    """Return the figures of a row as text."""
    known = f"{row.known_independent} of {row.known_listed} known"
    return (
        f"{row.name}: D = {row.parameters}, dim Lie = {row.dim_lie}, laws = {row.laws} ({known}),"
        f" {row.verdict}"
    )


if __name__ == "__main__":
    print(line(count_laws(MLP((3, 4, 2), "relu", bias="hidden"))))
    # The smallest network with a law beyond the known ones.
    row = count_laws(MLP((1, 2, 2, 1), "linear"))
    print(line(row))
    below = max(bound.value for bound in row.lower)
    above = min(bound.value for bound in row.upper if bound.kind == "proof")
    print(f"proved: {below} ≤ dim Lie ≤ {above}")
