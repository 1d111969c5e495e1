"""Holds formula (3) of docs/flows.md against every linear network up to four matrices and width 4,
up to reversal, under momentum: ``python -m tests.formula_three`` (seconds). With ``--biases`` up
to three matrices and width 3, with hidden and all biases.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import product

from conslaw_cli import MLP, Problem, count_laws
from conslaw_cli.families.mlp import Bias
from conslaw_cli.flows.momentum import Momentum
from conslaw_cli.lie.closed_forms import charges


def networks(depth: int, width: int, biases: tuple[Bias, ...]) -> Iterator[MLP]:
    """Yield the linear networks, one of each pair of reversals if there are no biases."""
    for matrices in range(1, depth + 1):
        for widths in product(range(1, width + 1), repeat=matrices + 1):
            if any(biases) or widths <= widths[::-1]:
                for bias in biases:
                    yield MLP(widths, "linear", bias)


def main() -> int:
    """Count, and name what is not as the formula says or not proved."""
    biased = "--biases" in sys.argv
    every = list(networks(3, 3, ("hidden", "all")) if biased else networks(4, 4, (False,)))
    wrong = 0
    for network in every:
        problem = Problem(network, Momentum())
        row = count_laws(problem)
        if (row.laws, row.verdict) != (charges(problem), "proved"):
            print(f"{network.name}: {row.laws} laws ({row.verdict}), formula: {charges(problem)}")
            wrong += 1
    print(f"{len(every)} networks, {wrong} not as the formula says or not proved")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
