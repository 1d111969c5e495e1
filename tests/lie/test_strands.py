"""Block lifting against counts of the whole network, and its hypotheses."""

from __future__ import annotations

import pytest

from conslaw_cli import MLP, Decay, Momentum, Problem, count_laws
from conslaw_cli.lie.strands import Strand, complete, lifted

F, P, R = (1, 1, 1, 1), (1, 1, 1, 0), (0, 1, 1, 1)


@pytest.mark.parametrize(
    ("problem", "strands"),
    [
        (Problem(MLP((3, 4, 5, 3), "linear")), {F: 2, P: 1, R: 1, (0, 0, 1, 0): 1}),
        (Problem(MLP((4, 4, 3, 3), "linear")), {F: 3, (1, 1, 0, 0): 1}),
        (Problem(MLP((3, 4, 4, 3), ("linear", "relu"))), {F: 2, P: 1, R: 1}),
        (Problem(MLP((3, 3, 3, 2), "linear", "hidden")), {(*F, 1): 1, (*F, 0): 1, (*P, 0): 1}),
        (Problem(MLP((3, 3, 3, 3), "linear"), Momentum()), {F: 3}),
        (Problem(MLP((3, 3, 3, 2), "linear"), Decay()), {F: 2, P: 1}),
    ],
    ids=lambda each: each.name if isinstance(each, Problem) else "",
)
def test_sums_over_pairs_are_the_count(problem: Problem, strands: dict[Strand, int]) -> None:
    found = lifted(problem, strands, [max(strands, key=sum)])
    if (0, 0, 1, 0) in strands:
        assert found is None, "a strand that touches neither end moves with no other"
    else:
        assert found is not None
        assert found.laws == count_laws(problem).laws


def test_witnesses_do_not_depend_on_where_they_were_asked_for() -> None:
    small = complete(Problem(MLP((3, 3, 3), "linear")), [(1, 1, 1), (1, 1, 0)])
    large = complete(Problem(MLP((50, 90, 20), "linear")), [(1, 1, 0), (1, 1, 1)])
    assert small is not None
    assert small == large
    assert small.rank + sum(small.laws.values()) == small.dimension
