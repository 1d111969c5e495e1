"""Theorems on chains that are small at the ends: against the fields of their proofs, and against
brackets where these are cheap (python tests/small_ends.py does more of it).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import small_ends
from small_ends import BY_NAME, Sizes

from conslaw_cli import MLP, Layers, Linear, Problem, count_laws
from conslaw_cli.lie.theorems import Evidence

LINEAR = "linear"


@pytest.mark.parametrize(
    "sizes",
    [
        Sizes(1, 3, 3, 2, False),
        Sizes(2, 4, 2, 1, False),
        Sizes(1, 3, 2, 1, True),
        Sizes(2, 2, 3, 1, True),
    ],
)
def test_the_fields_of_the_proof_are_those_of_networks_and_span_as_much(sizes: Sizes) -> None:
    draw = np.random.default_rng(1)
    small_ends.check_limit(sizes, draw)
    small_ends.check_rank(sizes, draw)


def test_small_networks() -> None:
    given = [*small_ends.networks(18)][::20]
    assert len(given) > 100
    for name, network in given:
        small_ends.check_network(name, network)


@pytest.mark.parametrize(
    ("widths", "activation", "bias"),
    [
        ((1, 5, 5, 2), LINEAR, False),  # f = −2
        ((2, 6, 4, 1), LINEAR, False),
        ((1, 6, 7, 1), ("relu", LINEAR), False),
        ((1, 5, 4, 1), (LINEAR, "relu"), False),
        ((1, 5, 6, 1), ("relu", LINEAR), "all"),
        ((1, 5, 5, 2), LINEAR, "all"),
        ((2, 5, 4, 1), LINEAR, "hidden"),
        ((2, 6, 5, 2), (LINEAR, "relu"), "hidden"),
        ((1, 5, 5, 5, 2), LINEAR, False),
        ((2, 4, 4, 4, 4, 2), LINEAR, False),
        ((1, 4, 4, 4, 4, 2), LINEAR, "all"),
        ((2, 4, 4, 4, 1), LINEAR, "hidden"),
    ],
)
def test_wider_inside_than_strands_lead_through(
    widths: tuple[int, ...], activation: Any, bias: Any
) -> None:
    network = MLP(widths, activation, bias)
    (name, *_) = small_ends.applying(network)
    small_ends.check_network(name, network)


@pytest.mark.parametrize(
    ("name", "network"),
    [
        ("two hidden layers", MLP((1, 3, 3, 1), LINEAR)),
        ("two hidden layers", MLP((2, 3, 3, 2), "relu")),
        ("two hidden layers", MLP((1, 3, 3, 1), LINEAR, "hidden")),
        ("two hidden layers", MLP((2, 6, 3, 2), LINEAR, "hidden")),  # 6 = 2 + 3 + 1
        ("two hidden layers", MLP((2, 1, 2, 1), LINEAR, "all")),
        ("two hidden layers", MLP((2, 6, 3, 2), LINEAR)),  # 6 > 2 + 3
        ("two hidden layers", MLP((2, 1, 3, 2), ("relu", LINEAR))),
        ("two hidden layers", MLP((1, 3, 3, 2), LINEAR, loss="cross_entropy")),
        ("two hidden layers", MLP((2, 3, 3, 3, 2), LINEAR)),
        ("two hidden layers", MLP((1, 2, 4, 1), ("relu", LINEAR), "hidden")),  # 4 = 2 + 1 + 1
        ("two hidden layers", MLP((1, 4, 2, 1), (LINEAR, "relu"), "hidden")),
        ("equal layers", MLP((2, 3, 4, 3, 2), LINEAR)),
        ("equal layers", MLP((1, 3, 3, 3, 1), LINEAR)),
        ("equal layers", MLP((2, 3, 3, 3, 2), (LINEAR, "relu", LINEAR))),
        ("equal layers", MLP((2, 4, 2), LINEAR)),
        ("equal layers", Layers((1,), (Linear(3), Linear(3, True), Linear(1)))),
    ],
)
def test_hypotheses_are_checked(name: str, network: MLP) -> None:
    assert BY_NAME[name](Problem(network), Evidence(count_laws)) is None


@pytest.mark.parametrize(
    ("network", "method"),
    [
        (MLP((2, 600, 600, 2), LINEAR), "two hidden layers"),
        (MLP((2, 439, 263, 2), LINEAR), "wide linear layers"),  # 439 > 2 + 263
        (MLP((3, 263, 260, 1), LINEAR), "two hidden layers"),
        (MLP((1, 559, 369, 1), ("relu", LINEAR)), "two hidden layers"),
        (MLP((1, 300, 400, 1), (LINEAR, "relu")), "two hidden layers"),
        (MLP((2, 10000, 10000, 2), (LINEAR, "relu"), "all"), "two hidden layers"),
        (MLP((2, 10000, 10000, 2), ("relu", LINEAR), "all"), "two hidden layers"),
        (MLP((1, 300, 301, 1), (LINEAR, "relu")), "two hidden layers"),
        (MLP((2, 600, 600, 600, 600, 3), LINEAR, loss="cross_entropy"), "equal layers"),
        (Layers((1,), (Linear(90, True), *(Linear(90),) * 9, Linear(1))), "equal layers"),
        (Layers((1,), (Linear(90), *(Linear(90, True),) * 9, Linear(2))), "equal layers"),
    ],
    ids=lambda each: getattr(each, "name", "")[:40],
)
def test_wide_chains_are_proved_at_once(network: MLP, method: str) -> None:
    row = count_laws(network, memory=0)
    assert (row.verdict, row.lower[0].method, row.unknown_laws) == ("proved", method, 0)
    assert row.seconds < 1
