"""Networks counted from views on a few places, against brackets on all places."""

from __future__ import annotations

from typing import Any

import pytest
from graphs import Given

from conslaw_cli import (
    Activation,
    Convolution,
    Flat,
    Layers,
    Linear,
    Momentum,
    Pool,
    Problem,
    TransposedConvolution,
    count_laws,
)
from conslaw_cli.families.layers import Branch
from conslaw_cli.lie.patches import PICKS, covered
from conslaw_cli.lie.theorems import THEOREMS, Evidence, Proof
from conslaw_cli.networks.graph import Graph

THEOREM = next(each for each in THEOREMS if each.name == "fewer places")
RELU = Activation("relu")


def conv(channels: int, kernel: int = 3, dimensions: int = 1, **more: Any) -> Convolution:
    more = {"padding": "same", **more}
    stride = (more.pop("stride", 1),) * dimensions
    return Convolution(channels, (kernel,) * dimensions, stride, **more)


def said(asked: Problem) -> Proof | None:
    return THEOREM(asked, Evidence(count_laws))


LINEAR = (conv(3), conv(2), Flat(), Linear(2))
BLOCK = Branch((RELU, conv(2), RELU, conv(2)))
SMALL = {
    "linear": Layers((2, 9), LINEAR),
    "linear, cross-entropy": Layers((2, 9), LINEAR, "cross_entropy"),
    "linear, pooled": Layers((2, 14), (conv(2), conv(2), Pool((14,), (14,)), Flat(), Linear(2))),
    "gates behind the first layer": Layers((1, 9), (conv(2), RELU, conv(2), Flat(), Linear(2))),
    "strides": Layers((1, 12), (conv(2, stride=2), RELU, conv(2, 2), Flat(), Linear(2))),
    "dilation": Layers((1, 12), (conv(2, 2, dilation=(2,)), conv(2, 2), Flat(), Linear(1))),
    "around a circle": Layers((1, 9), (conv(2, padding="circular"), conv(2), Flat(), Linear(1))),
    "biases behind gates": Layers(
        (1, 9), (conv(2), RELU, conv(2, bias=True), Flat(), Linear(1, True))
    ),
    "pools": Layers((1, 12), (conv(2), Pool((2,), (2,)), conv(2, 2), Flat(), Linear(2))),
    "transposed": Layers(
        (1, 6), (TransposedConvolution(2, (2,), (2,)), conv(2), Flat(), Linear(1))
    ),
    "a stream": Layers((1, 9), (conv(2), BLOCK, Flat(), Linear(2))),
    "a stream, pooled": Layers((1, 14), (conv(2), BLOCK, Pool((14,), (14,)), Flat(), Linear(2))),
    "two dimensions": Layers((2, 5, 5), (conv(1, 2, 2), conv(2, 2, 2), Flat(), Linear(1))),
}


@pytest.mark.parametrize("name", SMALL)
def test_views_count_as_brackets_do(name: str) -> None:
    asked = Problem(SMALL[name])
    proof, row = said(asked), count_laws(asked)
    assert proof is not None
    assert (row.verdict, row.unknown_laws) == ("proved", 0)
    assert {bound.value for bound in (*proof.lower, *proof.upper)} == {row.dim_lie}
    assert proof.independent == row.known_independent


AROUND = Layers((2, 4), (*(conv(2, 4, padding="circular") for _ in range(2)), Flat(), Linear(2)))


@pytest.mark.parametrize(
    "network",
    [
        Layers((2, 9), (conv(2), RELU, Flat(), Linear(2))),  # known by its paths
        AROUND,  # correlations are laws too
        Layers((3,), (Linear(3), Branch((Linear(2), Linear(3))), Linear(2))),  # no places
        Given(Graph.parse("x[1×8]\na[2] = conv(x, kernel=2; U)\nb = exp(a)")),
        Given(Graph.parse("x[1×8]\na[1] = conv(x, kernel=2; U)\nb[1] = conv(a, kernel=2; U)")),
    ],
    ids=str,
)
def test_it_says_nothing_of(network: Layers | Given) -> None:
    assert said(Problem(network)) is None


def test_views_of_a_circle_have_fewer_laws_than_the_circle() -> None:
    assert AROUND.graph.correlations
    assert (count_laws(AROUND).laws or 0) > sum(n * (n + 1) // 2 for n in (2, 2))


def test_it_is_for_gradient_flow() -> None:
    assert said(Problem(SMALL["linear"], Momentum())) is None


def test_views_too_small_decide_nothing() -> None:
    """One output, and one function of two places: that is no contradiction, and no proof."""
    few = Layers((1, 12), (conv(3), conv(3), Pool((12,), (12,)), Flat(), Linear(1)))
    proof, row = said(Problem(few)), count_laws(few)
    assert proof is None or proof.lower[0].value == row.dim_lie


@pytest.mark.parametrize(
    ("layers", "laws"),
    [
        ((conv(40, 3, 2), conv(30, 2, 2), Flat(), Linear(60)), 40 * 41 // 2 + 30 * 31 // 2),
        ((conv(64, 3, 2), RELU, conv(64, 3, 2), Flat(), Linear(100)), 64 + 64 * 65 // 2),
    ],
)
def test_wide_networks_over_large_images(layers: tuple[Any, ...], laws: int) -> None:
    row = count_laws(Layers((20, 32, 32), layers))
    assert (row.verdict, row.laws, row.lower[0].method) == ("proved", laws, "fewer places")
    assert row.known_listed == laws


def test_views_that_are_moved_are_one() -> None:
    """Away from the borders all views have one table, whatever the size of the image."""
    for size in (16, 40):
        found = covered(Layers((1, size), LINEAR).graph)
        assert found is not None
        assert len(found.different) == 1
        assert found.views > 1


def test_places_are_picked_inside() -> None:
    for pick in PICKS:
        for n in range(1, 9):
            for first in range(-2, n + 2):
                places = pick(n, first)
                assert places == sorted({*places} & {*range(n)})
                assert places
