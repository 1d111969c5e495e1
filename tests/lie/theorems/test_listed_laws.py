"""The number of independent known laws from sizes alone, held against their rank at a point."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest
from graphs import Given, random_graphs
from hypothesis import given, settings
from small_networks import LOSSES, SELECTED, small_networks

from conslaw_cli.families.layers import Branch, Layers
from conslaw_cli.families.mlp import MLP
from conslaw_cli.flows.decay import Decay
from conslaw_cli.lie.count import count_laws
from conslaw_cli.lie.rows import bounded
from conslaw_cli.networks.graph import Graph
from conslaw_cli.networks.known_laws import Laws
from conslaw_cli.networks.operations.convolution import Convolution, Pool
from conslaw_cli.networks.operations.dense import Linear
from conslaw_cli.networks.operations.elementwise import Activation
from conslaw_cli.networks.operations.reshape import Flat
from conslaw_cli.problems.problem import Architecture, Problem

RELU = Activation("relu")
P = 2**31 - 1


def rank(laws: Laws, dimension: int, seed: int) -> int:
    """Return the rank of the laws' gradients at a random point modulo a prime, by Gauss."""
    rng = np.random.default_rng(seed)
    theta = [int(x) for x in rng.integers(1, P, dimension)] + [1]
    rows = [[0] * (dimension + 1) for _ in range(len(laws))]
    columns = (laws.law, laws.left, laws.right, laws.coefficient)
    for law, left, right, c in zip(*(column.tolist() for column in columns), strict=True):
        rows[law][left] += c * theta[right]
        rows[law][right] += c * theta[left]
    found = 0
    for column in range(dimension):
        pivot = next((i for i in range(found, len(rows)) if rows[i][column] % P), None)
        if pivot is None:
            continue
        rows[found], rows[pivot] = rows[pivot], rows[found]
        inverse = pow(rows[found][column], -1, P)
        for row in rows[found + 1 :]:
            if factor := row[column] * inverse % P:
                row[:] = [(a - factor * b) % P for a, b in zip(row, rows[found], strict=True)]
        found += 1
    return found


def check(architecture: Architecture) -> tuple[int, int]:
    """Hold a bounded row against the rank; return how many laws are claimed, and their rank."""
    laws = architecture.laws()
    actual = rank(laws, architecture.parameters, 1)
    row = bounded(Problem(architecture), "a test")
    claimed = 0 if row is None else row.laws_at_least or 0
    assert claimed <= actual
    if row is not None:
        assert row.known_listed == len(laws)
        assert row.known_independent in (None, actual)
    return claimed, actual


def test_no_more_laws_are_claimed_than_are_independent() -> None:
    """Where all are, the sizes say so for all but few of these networks."""
    results = [check(mlp) for mlp in [*small_networks(), *SELECTED] if mlp.known_listed]
    assert len(results) > 600
    assert sum(claimed == actual for claimed, actual in results) > 0.9 * len(results)


def layered() -> Iterator[Layers]:
    for channels, bias, linear, loss in product((1, 2, 4), (False, True), (False, True), LOSSES):
        between = () if linear else (RELU,)
        inner = Convolution(channels, (3,), (1,), "same", bias)
        yield Layers((2, 4), (inner, *between, Pool((2,), (2,)), Flat(), Linear(3, bias)), loss)
        yield Layers((2, 4), (inner, *between, inner, *between, Flat(), Linear(2)), loss)
        branch = Branch((Linear(channels, bias), *between, Linear(3)))
        yield Layers((2,), (Linear(3), branch, *between, branch, Linear(2, bias)), loss)


@pytest.mark.parametrize("network", [*layered()], ids=lambda layers: layers.name)
def test_of_layers(network: Layers) -> None:
    check(network)


@given(random_graphs())
@settings(max_examples=200, deadline=None)
def test_of_graphs(graph: Graph) -> None:
    check(Given(graph))


def test_a_stream_with_gates_everywhere_has_all_its_laws() -> None:
    block = Branch((Linear(5), RELU, Linear(4)))
    network = Layers((3,), (Linear(4), RELU, block, RELU, block, RELU, Linear(2)))
    assert check(network) == (4 + 5 + 5, 14)


def test_a_linear_layer_between_wider_ones_is_cut_from_both_ends() -> None:
    """10-30-30-10: one of the two layers is read by 10 units alone when its turn comes."""
    for widths, found in (((2, 4, 4, 2), (20 - 3, 20)), ((3, 8, 3), (36 - 3, 36 - 3))):
        graph = MLP(widths, "linear").graph
        alike = Graph.parse(f"{graph}\ns = add({graph.nodes[-1].name})")  # for theorems no chain
        assert check(Given(alike)) == found


def test_decay_keeps_what_is_of_one_degree() -> None:
    network = MLP((3, 4, 5, 2), ("linear", "smooth"), "hidden")
    row = bounded(Problem(network, Decay()), "a test")
    assert row is not None
    assert (row.laws_at_least, row.known_listed, row.state) == (10, 10, network.parameters + 1)
    assert count_laws(Problem(network, Decay())).known_listed == 10


def test_decay_keeps_no_law_of_a_skip_beside_one_matrix() -> None:
    """``(I + U)(I + U)ᵀ`` has terms of degree one and two."""
    for head in ((RELU, Linear(1)), (Linear(1),)):
        network = Layers((4,), (Branch((Linear(4),)), *head))
        row = count_laws(Problem(network, Decay()))
        assert (row.laws, row.known_listed) == (0, 0)
        assert bounded(Problem(network, Decay()), "a test") is None


@pytest.mark.parametrize("only", [("U1",), ("U2",), ("b1",), ("U2", "U3"), ("U1", "U2", "b1")])
def test_decay_of_some_arrays_keeps_laws_that_decay_alike(only: tuple[str, ...]) -> None:
    for network in (
        MLP((3, 4, 5, 2), "relu"),
        MLP((2, 3, 3, 2), "linear", "hidden", "cross_entropy"),
        Layers((2,), (Linear(2, True), RELU, Branch((Linear(2),)), Linear(2))),
    ):
        asked = tuple(name for name in only if name in "".join(network.parameter_names()))
        problem = Problem(network, Decay(asked or ("U3",)))
        row, laws = bounded(problem, "a test"), problem.laws()
        assert (0 if row is None else row.known_listed) == len(laws)
        least = 0 if row is None else row.laws_at_least or 0
        assert least <= rank(laws, network.parameters, 1)
        assert least > 0 or not len(laws)


def test_autocorrelations_are_not_claimed_to_be_independent() -> None:
    """Nothing is proved of them: lags 1 and 2 are left out."""
    circle = Convolution(1, (4,), (1,), "circular")
    assert check(Layers((1, 4), (circle, circle, RELU, Flat(), Linear(2)))) == (2, 4)


def test_a_row_is_bounded_at_any_width_at_once() -> None:
    start = time.process_time()
    tracemalloc.start()
    row = count_laws(MLP((10**6,) * 5, ("linear", "smooth", "linear")), memory=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert row.laws_at_least == 2 * (10**6 * (10**6 + 1) // 2)
    assert time.process_time() - start < 1
    assert peak < 10**7


def test_a_narrower_network_has_fewer_groups() -> None:
    """As many channels in each: two of the four groups, and all of the outputs."""
    grouped = Convolution(8, (2,), (1,), "same", groups=4)
    row = bounded(Problem(Layers((4, 6), (grouped, RELU, Flat(), Linear(2)))), "a test")
    assert row is not None
    assert row.complete_at is not None
    assert (row.laws_at_least, row.complete_at.units, row.complete_at.laws) == (8, (3, 2), 6)
