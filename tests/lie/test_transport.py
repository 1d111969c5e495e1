"""Transport against brackets and orbits at the same points: two ways to the same dimensions."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from graphs import random_graphs
from hypothesis import given, settings
from hypothesis import strategies as st

from conslaw_cli import (
    MLP,
    Attention,
    CustomFields,
    CustomMap,
    Decay,
    Layers,
    Momentum,
    Problem,
    count_laws,
)
from conslaw_cli.algebra.field import Array, PrimeField
from conslaw_cli.algebra.series import Series
from conslaw_cli.flows import Flow, Transporting
from conslaw_cli.flows.gradient import GRADIENT
from conslaw_cli.lie import closure, transport, trials
from conslaw_cli.lie.budget import estimated_seconds
from conslaw_cli.lie.closure import RankTrace, Sampler, close
from conslaw_cli.lie.orbit import orbit
from conslaw_cli.networks.gradients import GradientFields
from conslaw_cli.networks.graph import Graph
from conslaw_cli.networks.operations.convolution import Convolution
from conslaw_cli.networks.operations.dense import Linear
from conslaw_cli.networks.operations.elementwise import Activation
from conslaw_cli.networks.operations.reshape import Flat

RNG = np.random.default_rng(18)
LARGEST = 40
"""Dimensions of a state up to which brackets are quick."""
RESIDUAL = """
x[2]
e[2] = dense(x; E)
z[2] = dense(e; U1)
h = relu(z)
v[2] = dense(h; V1)
s = add(e, v)
y[2] = dense(s; R)
output y
"""
CONVOLUTION = Layers(
    (1, 4), (Convolution(2, (2,), (1,)), Activation("relu"), Flat(), Linear(1, True))
)
FORMULA = CustomMap((), ("u*v*w + x**2", "(x + y)**3*u", "u*w"))
ARCHITECTURES = [
    MLP((2, 3, 2), "linear"),
    MLP((1, 4, 4, 2), "linear"),
    MLP((1, 3, 3, 1), "linear"),
    MLP((1, 2, 3, 1), "linear", "all"),
    MLP((2, 2, 3, 2), "relu", "hidden"),
    MLP((2, 2, 2, 2), ("relu", "linear"), "all", "cross_entropy"),
    MLP((2, 2, 2), "power:2", "hidden"),
    Attention(3, 1, 2),
    CONVOLUTION,
    FORMULA,
]
FIELDS = [
    CustomFields((), (("y", "-x", "0"), ("0", "z", "-y"))),
    CustomFields(("x", "y", "z", "w"), (("y*z", "-x", "w", "x**3"), ("w", "2*z*x", "1", "0"))),
    CustomFields(
        ("x", "y", "z"), (("(x + 2*y)**2*z", "1", "0"), ("x", "x", "y - 1"), ("0", "0", "z"))
    ),
]


def ring(size: int) -> CustomFields:
    """A ring of integrators, one of which is driven."""
    names = tuple(f"x{i}" for i in range(size))
    driven = ("1", *("0",) * (size - 1))
    return CustomFields(names, ((*names[1:], names[0]), driven))


def at(architecture: Any, flow: Flow = GRADIENT) -> Sampler:
    """Draw a point."""
    return trials.fresh(Problem(architecture, flow).fields(), RNG)


def deep(sampler: Sampler, levels: int = 9) -> Array:
    """Return brackets of up to ``levels`` fields: at special points ranks may rise again."""
    count = sampler.fields.dimension + 1
    return np.concatenate([sampler.rows(level, count) for level in range(levels)])


FLOWS = [GRADIENT, Momentum(), Decay(), Decay(("U1",))]


@pytest.mark.parametrize("flow", FLOWS, ids=["gradient", "momentum", "decay", "decay of one"])
@pytest.mark.parametrize(
    "architecture",
    [*ARCHITECTURES[3:7], FORMULA, CustomMap((), ("(U1 + 2)**2*y + 1", "U1*y")), *FIELDS],
    ids=lambda each: each.name,
)
def test_fields_and_adjoints_as_series_are_those_at_every_time(
    architecture: Any, flow: Flow
) -> None:
    """Along lines of states, covectors and probes both are polynomials in t, so the coefficients
    give their values: of fields, as they are evaluated, and of ``−DXᵀλ``, as jets have ``⟨λ, DX
    v⟩``.
    """
    if (flow == FLOWS[3] and architecture == FORMULA) or (
        flow != GRADIENT and architecture in FIELDS
    ):
        return
    sampler = at(architecture, flow)
    fields, field, n = sampler.fields, sampler.field, sampler.fields.dimension
    assert isinstance(fields, Transporting)
    points = sampler.theta, field.random(RNG, (1, n, 1))
    states = [np.append(x, field.random(RNG, (1, n, 2)), axis=2) for x in points]
    probes = [fields.sample(field, RNG, 1) for _ in range(2)]
    over, coefficients = Series(field, sum(fields.degree()) + 4), list[Array]()
    for k in range(over.length):
        state, probe = (x[k] if k < 2 else 0 * x[0] for x in (states, probes))
        coefficients.append(fields.carried(over, state, probe))
        over = over.next()
    t, moved = 1234, np.zeros_like(states[0])
    for coefficient in reversed(coefficients):
        moved = field.reduce(t * moved + coefficient)
    state, probe = (field.reduce(x[0] + t * x[1]) for x in (states, probes))
    v = field.random(RNG, (1, n, 1))
    jet = fields.evaluate(field, np.concatenate([state[..., :1], v], axis=2), probe)
    assert np.array_equal(moved[..., 0] % field.p, jet[..., 0] % field.p)
    left, right = (field.matmul(x[0].T, y[0]) for x, y in ((moved, v), (state, jet)))
    assert not field.reduce(left[1:, 0] + right[1:, 1]).any()


@pytest.mark.parametrize("architecture", [*ARCHITECTURES, *FIELDS, ring(6)], ids=lambda e: e.name)
def test_it_finds_what_brackets_find(architecture: Any) -> None:
    sampler = at(architecture)
    ranks = close(sampler, sampler.fields.dimension, carry=False)
    assert sampler.carried(sampler.fields.dimension).rank == ranks.rank


@settings(max_examples=30, deadline=None)
@given(random_graphs(), st.integers(0, 10**6), st.booleans())
def test_it_finds_what_brackets_find_in_any_graph(graph: Graph, seed: int, zero_sum: bool) -> None:
    """Shared and frozen arrays, products, several inputs and outputs, images."""
    fields = GradientFields(graph, zero_sum and len(graph.outputs) == 1)
    if not 0 < fields.dimension <= LARGEST:
        return
    sampler = trials.fresh(fields, np.random.default_rng(seed))
    rank = close(sampler, fields.dimension, carry=False).rank
    assert sampler.carried(rank + 1).rank == rank


@pytest.mark.parametrize("flow", [Decay(), Decay(("U1",))], ids=["decay", "decay of one array"])
@pytest.mark.parametrize("architecture", ARCHITECTURES[:-3], ids=lambda each: each.name)
def test_it_finds_what_brackets_with_a_drift_find(architecture: Any, flow: Flow) -> None:
    sampler = at(architecture, flow)
    ranks = close(sampler, sampler.fields.dimension, carry=False)
    assert sampler.carried(sampler.fields.dimension).rank == ranks.rank


@pytest.mark.parametrize(
    "architecture", [*ARCHITECTURES, MLP((1, 8, 8, 1), "linear")], ids=lambda each: each.name
)
def test_it_finds_the_dimension_of_orbits_under_momentum(architecture: Any) -> None:
    """1-8-8-1: 161 coordinates of a state, 56 laws."""
    fields = Problem(architecture, Momentum()).fields()
    sampler = at(architecture, Momentum())
    expected = orbit(fields, sampler.field, RNG, fields.dimension).rank  # type: ignore[arg-type]
    if architecture.name == "linear 1-8-8-1":
        assert expected == 161 - 56
    assert sampler.carried(expected).rank == expected


def cut(sampler: Sampler, graph: Graph, strands: int, copies: int = 1) -> Sampler:
    """Return the sampler at a block-diagonal point: unit i of every space is in strand ``i %
    strands``, biases are in the first one.
    """
    inside = list[bool]()
    for array in graph.arrays:
        ends = np.indices(array.shape) % strands
        inside += (ends[0] == (ends[1] if len(ends) > 1 else 0)).ravel().tolist()
    theta = sampler.theta.copy()
    theta[0, : copies * len(inside), 0] *= np.tile(inside, copies)
    return Sampler(sampler.fields, sampler.field, theta, RNG)


@pytest.mark.parametrize("flow", [GRADIENT, Momentum()], ids=["gradient", "momentum"])
@pytest.mark.parametrize(
    "graph",
    [
        MLP((2, 2, 2), "linear").graph,
        MLP((2, 2, 2), "relu", "all").graph,
        MLP((2, 3, 2, 2), "linear").graph,
        MLP((1, 2, 2, 1), "linear").graph,
        MLP((1, 3, 2, 2), ("relu", "linear")).graph,
        Graph.parse(RESIDUAL),
    ],
    ids=["linear", "relu", "wide", "exceptional", "mixed", "residual"],
)
def test_it_finds_what_brackets_find_at_block_diagonal_points(graph: Graph, flow: Any) -> None:
    @dataclass(frozen=True)
    class Model:
        def fields(self) -> GradientFields:
            return GradientFields(graph)

    generic = trials.fresh(flow.fields(Model()), RNG)
    sampler = cut(generic, graph, 2, 1 if flow == GRADIENT else 2)
    found = sampler.carried(sampler.fields.dimension, np.eye(sampler.fields.dimension))
    brackets = deep(sampler, 7)
    assert found.rank == sampler.field.rank(brackets)
    assert found.add(brackets) == 0


def test_it_spans_the_same_space() -> None:
    sampler = at(MLP((1, 4, 4, 2), "linear"))
    span = sampler.carried(8, np.eye(sampler.fields.dimension))
    assert span.rank == 8
    assert span.add(deep(sampler, 5)) == 0


def test_frozen_arrays_stay() -> None:
    """One constant field, ``(1 + C) R``, whose direction would turn if C and R grew on the way."""
    text = """
    x[1]
    e[2] = dense(x; U)
    z[2] = dense(e; C)
    s = add(e, z)
    y[1] = dense(s; R)
    output y
    """
    graph = replace(Graph.parse(text), frozen=frozenset({"C", "R"}))
    assert trials.fresh(GradientFields(graph), RNG).carried(2).rank == 1


def test_curves_get_longer_where_short_ones_add_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of one length may add nothing; it ends with a longer one that adds nothing."""
    lengths, gains = list[int](), iter([12, 0, 24, 12, 5, 0, 1])

    def curve(start: Any, rng: Any, covectors: Any, length: int, wanted: int) -> Array:
        lengths.append(length)
        rows, gain, at = np.zeros((length, 99)), next(gains), sum(lengths)
        rows[np.arange(gain), at - np.arange(gain)] = 1
        return rows

    monkeypatch.setattr(transport._Start, "curve", curve)
    sampler = at(MLP((1, 2, 1), "linear"))
    assert sampler.carried(90).rank == 12 + 24 + 12 + 5
    assert lengths == [12, 12, 24, 24, 24, 48]


def test_where_all_fields_vanish_there_is_nothing() -> None:
    sampler = at(MLP((2, 2, 2), "linear"))
    origin = Sampler(sampler.fields, sampler.field, np.zeros_like(sampler.theta), RNG)
    assert origin.carried(5).rank == 0


def test_a_bound_that_is_too_low_shows() -> None:
    assert at(MLP((2, 3, 2), "linear")).carried(4).rank == 5


def test_covectors_carried_a_few_at_a_time_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    sampler = at(MLP((2, 3, 2), "relu", "hidden"))
    start = transport._Start(sampler.fields, sampler.field, sampler.theta)  # type: ignore[arg-type]
    covectors = np.eye(sampler.fields.dimension)
    whole = start.curve(np.random.default_rng(0), covectors, 12, 20)
    monkeypatch.setattr(transport, "CHUNK_BYTES", 0)
    assert np.array_equal(start.curve(np.random.default_rng(0), covectors, 12, 20), whole)


@pytest.mark.parametrize(
    "architecture",
    [MLP((2, 2, 2), "exp"), MLP((2, 2, 2), "smooth"), CustomMap((), ("x/y", "y"))],
    ids=["exp", "smooth", "quotient"],
)
def test_what_is_no_polynomial_is_left_to_brackets(architecture: Any) -> None:
    for flow in (GRADIENT, Decay(), Momentum()):
        assert not at(architecture, flow).fields.transports  # type: ignore[attr-defined]


# ---- in a count


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let transport come after two levels, however quick brackets are."""
    monkeypatch.setattr(closure, "FEWEST_LEVELS", 2)
    monkeypatch.setattr(closure, "LONG", 0)
    monkeypatch.setattr(transport, "evaluations", lambda *sizes: 0)


def test_a_long_trace_is_ended_by_it() -> None:
    row = count_laws(MLP((1, 14, 14, 3), "linear"))
    assert (row.verdict, row.dim_lie, row.laws, row.unknown_laws) == ("proved", 42, 210, 0)
    assert row.trace is not None
    assert (row.trace.dimensions, row.trace.complete) == ((3, 6, 12, 15, 18, 42), False)
    assert [bound.method for bound in row.lower] == ["transport"]


def test_a_ring_of_integrators_is_counted_at_once() -> None:
    """Brackets of n fields take 2^(n − 1) numbers, and balanced ones are behind."""
    row = count_laws(ring(40))
    assert (row.verdict, row.dim_lie) == ("proved", 40)
    assert [bound.method for bound in row.lower] == ["transport"]


def test_a_short_trace_is_not() -> None:
    for widths in ((8, 8, 8, 8), (1, 4, 4, 2)):
        row = count_laws(MLP(widths, "linear"))
        assert [bound.method for bound in row.lower] == ["brackets"]


def test_levels_before_it_are_as_unproved_as_before_balanced_brackets() -> None:
    found = RankTrace((2, 3), closed=False, carried=5)
    assert (found.rank, found.unproved, found.unproved_tail) == (5, (2, 3), ())


def test_it_is_dearer_the_longer_the_trace() -> None:
    """The choice rests on sizes alone; a short trace of many dimensions takes one curve."""
    costs = [transport.evaluations(60, 2, level) for level in (5, 12, 13, 24, 25, 48, 49)]
    assert costs == sorted(costs)
    assert costs[0] == costs[1] < costs[2] == costs[3] < costs[4] == costs[5] < costs[6]
    assert transport.evaluations(700, 100, 5) == 701 * 72 * (2 + 59 / 3)


def test_estimated_seconds_see_long_traces() -> None:
    """Four layers of 20 units are long with one input and two outputs, short with as many."""
    every = ((1, 20, 20, 19, 2), (20, 20, 20, 20, 20), (1, 20, 2))
    seconds = [estimated_seconds(Problem(MLP(widths, "linear"))) for widths in every]
    assert seconds[0] > 10 * max(seconds[1:])
    gated = estimated_seconds(Problem(MLP((1, 20, 20, 20, 2), "relu")))
    assert seconds[0] > 10 * gated


@pytest.mark.usefixtures("soon")
def test_a_trace_is_closed_by_brackets_where_it_falls_short() -> None:
    architecture, enough = MLP((1, 2, 2, 1), "linear", "hidden"), 9
    found = close(at(architecture), enough)
    assert (found.closed, found.carried) == (True, 0)
    assert found.rank == close(at(architecture), enough, carry=False).rank < enough


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("flow", [Decay(("U1",)), Decay()], ids=["partial", "whole"])
@pytest.mark.parametrize("bias", [False, "hidden"])
def test_a_flow_with_a_clock_has_as_many_laws_free_of_time(flow: Flow, bias: Any) -> None:
    """What transport spans is known with all its coordinates."""
    problem = Problem(MLP((1, 3, 3, 2), "linear", bias), flow)
    row = count_laws(problem)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(closure, "FEWEST_LEVELS", math.inf)
        other = count_laws(problem)
    assert (row.laws, row.timeless, row.verdict) == (other.laws, other.timeless, other.verdict)


def test_a_level_that_adds_nothing_below_what_transport_found_ends_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Then the point was unlucky for the brackets drawn, and more of them are."""

    @dataclass
    class Scripted:
        ranks: tuple[int, ...]
        field: PrimeField
        fields: Any = None

        def nested(self, level: int, count: int) -> list[Array]:
            return [np.eye(9)[: self.ranks[level]], np.zeros((1, 9))]

        def carried(self, enough: int) -> Any:
            return RankTrace((5,), closed=False)

    monkeypatch.setattr(closure, "_carry_next", lambda *given: True)
    found = close(Scripted((2, 4, 4, 5, 5), PrimeField(101)), 8)  # type: ignore[arg-type]
    assert found == RankTrace((2, 4, 4, 5), closed=True)
