"""Block lifting against counts of the whole network, and its hypotheses."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from math import comb

import any_width
import odd_graphs
import pytest
from graphs import Given

from conslaw_cli import (
    MLP,
    Activation,
    Convolution,
    Decay,
    Flat,
    Layers,
    Linear,
    Mirror,
    Momentum,
    Pool,
    Power,
    Problem,
    count_laws,
)
from conslaw_cli.families.layers import Branch, Layer
from conslaw_cli.flows.mirror import Shorthand
from conslaw_cli.lie.dealing import LARGE, dealings
from conslaw_cli.lie.gates import Few, enough
from conslaw_cli.lie.lifting import lifting
from conslaw_cli.lie.strands import Lifting, Strand, complete, lifted, lifts
from conslaw_cli.networks.graph import Graph
from conslaw_cli.networks.units import Sizes, Units

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


@pytest.mark.parametrize("tens", range(10))
def test_theorems_at_any_width_count_what_brackets_count(tens: int) -> None:
    """Of 100 random networks of all families and flows most are decided, all of them alike."""
    names = [name for seed in range(10 * tens, 10 * tens + 10) for name in any_width.check(seed)]
    assert names.count("none") < 6


def test_a_residual_network_of_millions_is_proved_from_some_hundred_parameters() -> None:
    """Its laws: one for each gated unit, all pairs of the stream and of the linear branch."""
    relu = Branch((Linear(3000), Activation("relu"), Linear(1000)))
    layers = (Linear(1000), relu, Branch((Linear(500), Linear(1000))), Linear(300))
    row = count_laws(Layers((700,), layers))
    laws = 3000 + comb(1001, 2) + comb(501, 2)
    assert (row.parameters, row.laws, row.known_independent) == (8_000_000, laws, laws)
    assert row.verdict == "proved"
    assert {bound.method for bound in (*row.lower, *row.upper)} == {"block lifting"}
    assert row.lower[0].shown.startswith(
        "strands 500 × 1-1-3-1-0, 200 × 1-1-3-0-0, 300 × 0-1-3-0-1"
    )


def test_of_units_with_gates_as_many_count_as_their_neighbours_tell_apart() -> None:
    """A stream of 64 units, wider than both ends together: two strands of the whole network hold
    18 gated units each, of the 65 that count two or three.
    """
    branches = [Branch((Linear(512), Activation("relu"), Linear(64))) for _ in range(2)]
    row = count_laws(Layers((40,), (Linear(64), *branches, Linear(4))))
    assert (row.verdict, row.laws) == ("proved", comb(65, 2) + 2 * 512)
    assert row.lower[0].shown.endswith("894 gated units more add one law each")


def conv(channels: int, groups: int = 1, kernel: int = 1, bias: bool = False) -> Convolution:
    return Convolution(channels, (kernel,), (1,), "same", bias, groups=groups)


def averaged(*layers: Layer) -> Layers:
    """A network of a sequence of three places with two channels."""
    return Layers((2, 3), (*layers, Pool((3,), (3,)), Flat(), Linear(3)))


RELU = Activation("relu")


@pytest.mark.parametrize(
    ("network", "laws"),
    [
        (averaged(conv(8), Branch((conv(12, 1), conv(9, 3, 2), conv(8)))), 36 + 3 * (10 + 6)),
        (averaged(conv(8), conv(8, 4, 2), conv(10)), 4 * (3 + 3) + 55),
        (averaged(conv(9, 1, 1, True), RELU, conv(9, 9, 2), conv(12), RELU), 9 + 9 + 12),
    ],
    ids=["two groups in a branch", "a row", "depthwise and pointwise"],
)
def test_groups_are_whole_in_a_strand(network: Layers, laws: int) -> None:
    """Laws between channels of one group, on either side of it, lie in the block of one strand."""
    found = lifting(Problem(network))
    assert found is not None
    assert found[0].laws == laws == network.known_listed


def test_channels_before_and_behind_a_depthwise_layer_have_a_law_each() -> None:
    """Gates stand before it, so that a few are as good as many; where none stands they are not."""
    gated, plain = (
        averaged(conv(3), Branch((conv(150), *gates, conv(150, 150, 2), conv(3))))
        for gates in ([RELU], [])
    )
    assert gated.graph is not None
    assert plain.graph is not None
    assert dict(enough(gated.graph, Units.of(gated.graph).sizes)) == {2: Few(3, 2)}
    assert not enough(plain.graph, Units.of(plain.graph).sizes)
    found = lifting(Problem(gated))
    assert found is not None
    assert (found[0].laws, found[0].gated, found[0].added) == (6 + 2 * 150, 146, 292)


def test_units_that_no_neighbour_has_go_to_strands_that_have_some() -> None:
    """Linear bottlenecks that widen, of 4, 12, 36 and 108 channels: behind gates one unit more than
    these is left, which a strand of its own would keep from both ends.
    """
    wide = [(conv(120), RELU, conv(120, 120, 2), conv(n)) for n in (12, 36, 108)]
    network = Layers((2, 1), (conv(4), *wide[0], *wide[1], *wide[2], Flat(), Linear(200)))
    assert network.graph is not None
    few, sizes = enough(network.graph, (2, 4, 120, 12, 120, 36, 120, 108, 200)), [2, 4, 13, 12]
    assert {space: each.units for space, each in few.items()} == {2: 12, 4: 36, 6: 108}
    ways = [*dealings(network.graph, units=(*sizes, 37, 36, 109, 108, 200))]
    assert any(max(map(max, way.strands)) == 2 for way in ways)


@pytest.mark.parametrize(
    ("layers", "few"),
    [
        ((conv(4), RELU, conv(8, 4, 2)), Few(1, 1 + 3)),
        ((conv(8), RELU, conv(8, 4, 2), RELU, conv(2)), Few(2, 2 + 2)),
        ((conv(16), RELU, conv(24, 8, 2), conv(3)), Few(3, 2 + 6)),
        ((conv(16), RELU, conv(24, 8, 2), conv(2)), None),
        ((conv(8), RELU, conv(8, 8, 2, True), conv(3)), None),
        ((conv(8), conv(8, 8, 2), RELU, conv(3)), Few(3, 2)),
        ((conv(8), RELU, Branch((conv(8, 8),)), conv(3)), Few(3, 1)),
        ((conv(8), Branch((RELU, conv(8, 8))), conv(3)), None),
    ],
)
def test_which_groups_have_gates_and_laws_of_their_own(
    layers: Sequence[Layer], few: Few | None
) -> None:
    """Not where two numbers tell three channels' laws not apart, where a bias passes no gate, or
    where a skip goes around it.
    """
    graph = averaged(*layers).graph
    assert graph is not None
    assert enough(graph, Units.of(graph).sizes) == ({} if few is None else {1: few})


def test_fewer_gated_units_than_that_do_not_count_for_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """One gated unit and one input leave dependent laws to four linear units between them: a
    second one sees more of them.
    """
    problem = Problem(Layers((1,), (Linear(4), Linear(6), Activation("relu"), Linear(2))))
    assert problem.graph is not None
    sizes = Units.of(problem.graph).sizes
    module = sys.modules[lifting.__module__]
    monkeypatch.setattr(module, "of_graph", lambda asked, graph, units, most: _whole(asked, units))
    monkeypatch.setattr(module, "enough", lambda graph, units: {2: Few(1, 1)})
    assert module._gated(problem, problem.graph, sizes, LARGE) is None
    monkeypatch.setattr(module, "enough", lambda graph, units: {2: Few(4, 1)})
    assert module._gated(problem, problem.graph, sizes, LARGE).laws == count_laws(problem).laws


def _whole(problem: Problem, units: Sizes) -> Lifting | None:
    """Return what a network of so many units says of itself as one strand."""
    return lifted(problem, {units: 1}, [])


EXPONENTIAL = "x[2]\nz[2] = dense(x; U1)\nh = exp(z)\ny[2] = dense(h; U2)"
FROZEN = "x[2]\nh[2] = dense(x; U1)\ny[2] = dense(h; U2)\nfrozen U1"
SHARED = "x[2]\nh[2] = dense(x; U1)\ng[2] = dense(h; U1)\ny[1] = dense(g; U2)"


@pytest.mark.parametrize(
    "problem",
    [
        Problem(Given(Graph.parse(EXPONENTIAL))),
        Problem(Given(Graph.parse(FROZEN))),
        Problem(Given(Graph.parse(SHARED))),
        Problem(MLP((2, 2, 2), "linear"), Mirror((("U1", Power(1)),))),
        Problem(MLP((2, 2, 2), "linear"), Momentum(metric=Shorthand("nmf"))),
    ],
)
def test_what_does_not_lift_is_not_lifted(problem: Problem) -> None:
    """Values at 0, constants, laws that are sums over units, metrics that vanish at 0."""
    assert not lifts(problem)


def test_a_law_that_lies_in_no_block_decides_nothing() -> None:
    """The law of an array that is used twice is a trace."""
    assert complete(Problem(Given(Graph.parse(SHARED))), [(1, 1), (1, 0)]) is None


def test_a_witness_uses_no_law_that_its_own_narrowness_gives_it() -> None:
    """One number on either side of a layer gives momentum a second charge for two of its units."""
    assert complete(Problem(MLP((2, 4, 2), "linear"), Momentum()), [(1, 2, 1)]) is None
    assert complete(Problem(MLP((2, 4, 2), "linear"), Momentum()), [(1, 2, 1)] * 2) is not None


@pytest.mark.parametrize("tens", range(4))
def test_theorems_on_odd_graphs_count_what_brackets_count(tens: int) -> None:
    """Of graphs that nobody would train some are lifted too, and none is counted wrongly."""
    names = [name for seed in range(10 * tens, 10 * tens + 10) for name in odd_graphs.check(seed)]
    assert "block lifting" in names
