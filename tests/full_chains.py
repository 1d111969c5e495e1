"""The theorem on linear chains with a strand from end to end (docs/any-width.md, section 9) against
brackets: a check to be run at length.

    python tests/full_chains.py [DEPTH] [CHAINS]

It finds complete, at random block-diagonal points, all sets of strands that the proof speaks of, up
to a number of matrices, and counts random chains by brackets at generic points. It stops at the
first that differs.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations_with_replacement, pairwise, zip_longest
from random import Random

from conslaw_cli import MLP, Layers, Linear, Problem, count_laws
from conslaw_cli.lie.strands import Strand, complete

LARGEST = 120
"""Parameters of a random chain."""


def sets(depth: int) -> Iterator[list[Strand]]:
    """Yield F with each other thin strand, and with each two that touch one end."""
    size = depth + 1
    full = (1,) * size
    left = [(1,) * n + (0,) * (size - n) for n in range(1, size)]
    thin = [*left, *(strand[::-1] for strand in left)]
    yield from ([full, strand] for strand in (full, *thin))
    yield from ([full, *pair] for pair in combinations_with_replacement(thin, 2))


def check_set(strands: list[Strand]) -> None:
    """Hold a set's witness against the numbers of the proof: one law for every hidden layer in
    which two strands are present, and for each strand with itself.
    """
    depth = len(strands[0]) - 1
    witness = complete(Problem(MLP((2,) * (depth + 1), "linear")), strands)
    assert witness is not None, strands
    widths = [sum(layer) for layer in zip(*strands, strict=True)]
    laws = sum(n * (n + 1) // 2 for n in widths[1:-1])
    assert witness.dimension - witness.rank == laws == sum(witness.laws.values()), strands
    together: Counter[tuple[int, int]] = Counter()
    for layer in range(1, depth):
        present = [i for i, strand in enumerate(witness.strands) if strand[layer]]
        together.update(combinations_with_replacement(present, 2))
    assert together == Counter(witness.laws), strands


def chains(draw: Random) -> Iterator[tuple[int, ...]]:
    """Yield sums of thin strands, one of them from end to end."""
    while True:
        depth = draw.randint(1, 8)
        widths = [1] * (depth + 1)
        for _ in range(draw.randint(0, 6)):
            end = draw.randint(0, depth)
            inside = range(end + 1) if draw.random() < 0.5 else range(end, depth + 1)
            for layer in inside:
                widths[layer] += 1
        if sum(a * b for a, b in pairwise(widths)) <= LARGEST:
            yield tuple(widths)


def check_chain(widths: tuple[int, ...], biased: Sequence[bool] = ()) -> None:
    """Hold brackets at a generic point against the closed form. biased: for each layer whether it
    has biases.
    """
    pairs = zip_longest(widths[1:], biased, fillvalue=False)
    row = count_laws(Layers(widths[:1], tuple(Linear(n, bias) for n, bias in pairs)))
    laws = sum(n * (n + 1) // 2 for n in widths[1:-1])
    assert (row.verdict, row.laws, row.unknown_laws) == ("proved", laws, 0), widths


if __name__ == "__main__":
    depth, count = (int(text) for text in (*sys.argv[1:], *("5", "300")[len(sys.argv) - 1 :]))
    tried = [strands for q in range(1, depth + 1) for strands in sets(q)]
    for strands in tried:
        check_set(strands)
    print(f"{len(tried)} sets of strands are complete, depths up to {depth}")
    draw = Random(count)
    for number, widths in zip(range(count), chains(draw), strict=False):
        check_chain(widths, [draw.random() < 0.5 and number % 2 > 0 for _ in widths[1:]])
    print(f"{count} chains have the laws of the closed form")
