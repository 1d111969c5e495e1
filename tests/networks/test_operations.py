"""What every operation declares, measured: the adjoint, what passes, degrees, bodies, texts."""

from __future__ import annotations

import re
import tracemalloc
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from itertools import product
from math import comb, lcm, prod
from typing import Any

import numpy as np
import oracle_wiring
import pytest
from numpy.typing import NDArray
from oracle_wiring import Plain, primitives

from conslaw_cli.algebra.field import Array, PrimeField, Span
from conslaw_cli.algebra.rings import Exact, Jets, Residues, derivative, lift, multiply
from conslaw_cli.errors import SpecError
from conslaw_cli.networks.graph import Graph
from conslaw_cli.networks.operation import (
    Composite,
    Growth,
    Input,
    KeyKind,
    Node,
    Operation,
    Read,
    Shape,
    ShapeError,
    positions,
)
from conslaw_cli.networks.operations.convolution import (
    Averages,
    Convolution,
    Pool,
    TransposedConvolution,
    Windows,
)
from conslaw_cli.networks.operations.dense import Linear
from conslaw_cli.networks.operations.listed import OPERATIONS

Mask = NDArray[np.bool_]
P = 8388593
FIELD = PrimeField(P)
CASES = [(each, shapes) for kind in OPERATIONS for each, shapes in kind.examples()]
every_case = pytest.mark.parametrize(("operation", "shapes"), CASES, ids=str)
every_kind = pytest.mark.parametrize("kind", OPERATIONS, ids=lambda kind: kind.__name__)
ORDERS = (0, 1, 2, 4)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


# ---- an operation by itself, whatever it consists of


@dataclass
class Run:
    """Values and arrays of the primitives of an operation, by name."""

    operation: Operation
    shapes: Sequence[Shape]
    ring: Any
    values: dict[str, Any]
    arrays: dict[str, Any]
    state: Any

    def forward(self) -> Any:
        for each, read, values, symbols, name in self.steps():
            self.values[name] = each.forward(self.read(each, read, values, symbols))
        return self.values["y"]

    def pullback(self, delta: Any, wanted: Sequence[bool] | None = None) -> tuple[Any, Any]:
        """Return the cotangents of inputs and arrays, by name; of all if not said otherwise."""
        steps = list(self.steps())
        back: dict[str, Any] = {"y": delta}
        moved: dict[str, Any] = {}
        for each, read, values, symbols, name in reversed(steps):
            at = self.read(each, read, values, symbols)
            asked = at if wanted is None else at._replace(wanted=wanted)
            found = each.pullback(asked, back[name])
            assert len(found) == len(at.wanted)
            back.update(zip(values, found, strict=False))
            moved.update(zip(symbols, found[len(values) :], strict=True))
        return back, moved

    def steps(self) -> Any:
        return primitives(self.operation, self.shapes)

    def read(self, each: Operation, shapes: Any, values: Any, symbols: Any) -> Read:
        own = {s: shape for s, (_, shape) in zip(symbols, each.parameters(*shapes), strict=True)}
        inputs = [self.values[name] for name in values]
        arrays = [
            (a := self.arrays[s]).reshape(len(a), *own[s], *a.shape[a.ndim - self.axes :])
            for s in symbols
        ]
        return Read(self.ring, inputs, arrays, self.state, [True] * len([*values, *symbols]))

    @property
    def axes(self) -> int:
        return int(isinstance(self.ring, Jets))


def names(shapes: Sequence[Shape]) -> list[str]:
    return ["x"] if len(shapes) == 1 else [f"x{i}" for i in range(1, len(shapes) + 1)]


def drawn(
    operation: Operation, shapes: Sequence[Shape], size: int, seed: int = 0, batch: int = 2
) -> Run:
    """Return random inputs (batch, units, positions, size), arrays (1, …) and a state."""
    draw = rng(seed)
    values = [FIELD.random(draw, (batch, s[0], positions(s), size)) for s in shapes]
    arrays = {
        symbol: FIELD.random(draw, (1, prod(shape), size))
        for symbol, shape in operation.parameters(*shapes)
    }
    kept = operation.state(*shapes)
    state = None if kept is None else FIELD.random(draw, (batch, *kept, 1))
    return Run(
        operation, shapes, Jets(FIELD), dict(zip(names(shapes), values, strict=True)), arrays, state
    )


def lifted(run: Run, along: Run) -> Run:
    """Return the run at ``x + ε v, θ + ε w``."""
    values = {name: lift(x, along.values[name]) for name, x in run.values.items()}
    arrays = {name: lift(x, along.arrays[name]) for name, x in run.arrays.items()}
    return replace(run, values=values, arrays=arrays)


def flat(run: Run) -> Run:
    """Return the same in residues, jets of one coefficient having lost it."""
    values = {name: x[..., 0] for name, x in run.values.items()}
    arrays = {name: x[..., 0] for name, x in run.arrays.items()}
    state = None if run.state is None else run.state[..., 0]
    return replace(run, ring=Residues(FIELD), values=values, arrays=arrays, state=state)


def inner(left: Array, right: Array) -> Array:
    """Return ``<left, right>`` of jets (batch, …, 2^k), summed over the batch as well."""
    terms = multiply(FIELD, *np.broadcast_arrays(left, right))
    total: Array = FIELD.reduce(terms.reshape(-1, terms.shape[-1]).sum(axis=0))
    return total


def full(x: Array, size: int) -> Array:
    """Return jets with all coefficients; a constant has zeros behind its first."""
    result = np.zeros((*x.shape[:-1], size))
    result[..., : x.shape[-1]] = x
    return result


# ---- adjoint


@every_case
@pytest.mark.parametrize("order", ORDERS)
def test_the_pullback_is_the_adjoint_of_the_derivative(
    operation: Operation, shapes: tuple[Shape, ...], order: int
) -> None:
    """``<δ, Df(v, w)> = <δx, v> + <δθ, w>`` for jets of every order, coefficient by coefficient."""
    size = 2**order
    run, along = (drawn(operation, shapes, size, seed) for seed in (0, 1))
    change = derivative(full(lifted(run, along).forward(), 2 * size))
    delta = FIELD.random(rng(2), change.shape)
    run.forward()
    back, moved = run.pullback(delta)
    if order == 0:
        plain = flat(run)
        plain.forward()
        for one, other in zip(plain.pullback(delta[..., 0]), (back, moved), strict=True):
            assert all(np.array_equal(x, other[name][..., 0]) for name, x in one.items())
    expected = inner(delta, change)
    pairs = [(back[name], along.values[name]) for name in names(shapes)]
    for symbol, w in along.arrays.items():
        part = moved[symbol]
        pairs.append((part.reshape(len(part), -1, part.shape[-1]), w))
    total = sum((inner(full(x, size), v) for x, v in pairs), start=np.zeros(size))
    assert not FIELD.reduce(total - expected).any()
    assert expected.any(), "the check can fail"


@every_case
def test_only_what_is_wanted_is_asked_for(operation: Operation, shapes: tuple[Shape, ...]) -> None:
    if isinstance(operation, Composite):
        return
    run = drawn(operation, shapes, 4)
    delta = FIELD.random(rng(2), run.forward().shape)
    every = [x for part in run.pullback(delta) for x in part.values()][1:]
    symbols = [symbol for symbol, _ in operation.parameters(*shapes)]
    for wanted in product([False, True], repeat=len(shapes) + len(symbols)):
        back, moved = run.pullback(delta, wanted)
        found = [*(back[name] for name in names(shapes)), *(moved[s] for s in symbols)]
        for x, y, asked in zip(found, every, wanted, strict=True):
            assert np.array_equal(x, y) if asked else x is None or np.array_equal(x, y)


@every_case
def test_constants_are_jets_that_do_not_move(
    operation: Operation, shapes: tuple[Shape, ...]
) -> None:
    """Inputs, arrays and cotangents of one coefficient, in every mixture, are like those with zeros
    behind it; nothing is computed in place.
    """
    run = drawn(operation, shapes, 4)
    places = [*run.values, *run.arrays, "δ"]
    delta = FIELD.random(rng(2), (*run.forward().shape[:3], 4))
    for constant in product([False, True], repeat=len(places)):
        chosen = {name for name, flag in zip(places, constant, strict=True) if flag}
        short, padded = (_held(run, chosen, pad) for pad in (False, True))
        part = delta[..., :1] if "δ" in chosen else delta
        before = [x.copy() for x in (*short.values.values(), *short.arrays.values(), part)]
        expected, found = padded.forward(), short.forward()
        assert np.array_equal(full(found, 4), full(expected, 4))
        for one, other in zip(short.pullback(part), padded.pullback(full(part, 4)), strict=True):
            assert all(np.array_equal(full(one[k], 4), full(other[k], 4)) for k in one)
        after = [*(short.values[name] for name in names(shapes)), *short.arrays.values(), part]
        assert all(map(np.array_equal, before, after))


def _held(run: Run, chosen: set[str], pad: bool) -> Run:
    def held(kept: dict[str, Any]) -> dict[str, Any]:
        cut = {name: x[..., :1] if name in chosen else x for name, x in kept.items()}
        return {name: full(x, 4) if pad else x for name, x in cut.items()}

    own = {name: run.values[name] for name in names(run.shapes)}
    return replace(run, values=held(own), arrays=held(run.arrays))


@every_case
def test_shapes_are_those_of_what_is_computed(
    operation: Operation, shapes: tuple[Shape, ...]
) -> None:
    shape = operation.output(*shapes)
    run = drawn(operation, shapes, 2)
    found = run.forward()
    assert found.shape[:3] == (2, shape[0], positions(shape))
    assert 1 <= len(shape) <= 3


LARGER: list[tuple[Operation, tuple[Shape, ...]]] = [
    (Averages((9, 9), (4, 4), (1, 1)), ((1, 9, 9),)),
    (Windows((9, 9), (4, 4), (1, 1), "valid", (1, 1)), ((1, 9, 9),)),
]
"""Of windows that are much larger than what comes of them."""


@pytest.mark.parametrize(
    ("operation", "shapes"),
    [*(case for case in CASES if not isinstance(case[0], Composite)), *LARGER],
    ids=str,
)
def test_what_is_held_is_what_is_declared(operation: Operation, shapes: tuple[Shape, ...]) -> None:
    """Forward and back: never more than the engine allows for it, its arrays (as
    GradientFields.held does) and the cotangents of its inputs, nor a tenth of that, unless what
    comes is another view of what is read.
    """
    count, size = 300, 4
    run = drawn(operation, shapes, size, batch=count)
    delta = FIELD.random(rng(2), run.forward().shape)
    views = any(np.shares_memory(run.values["y"], run.values[name]) for name in names(shapes))
    del run.values["y"]
    tracemalloc.start()
    run.forward()
    run.pullback(delta)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    arrays = sum(prod(shape) for _, shape in operation.parameters(*shapes))
    numbers = 6 * operation.held(*shapes) + 8 * arrays + sum(map(prod, shapes))
    assert (0 if views else 0.1) <= peak / (8 * count * size * numbers) < 1


# ---- wiring


THETAS = 12
"""Random θ at which it is asked what passes, at most."""


@every_case
@pytest.mark.parametrize("units", [2, 3, 4])
def test_what_passes_is_what_is_declared_and_nothing_else(
    operation: Operation, shapes: tuple[Shape, ...], units: int
) -> None:
    """All (S, t) on the inputs and (S', t') on the output with ``f(x + ε(S x + t)) = f(x) + ε(S' y
    + t')`` at random x, θ and states, arrays moving along, against the equations that the
    operation demands in a wiring by entries.
    """
    units *= getattr(operation, "groups", 1) * getattr(operation, "taps", 1)
    shapes = tuple((units, *shape[1:]) for shape in shapes)
    declared = _declared(operation, shapes)
    points = 2 + declared.shape[1] // prod(operation.output(*shapes))
    span, rest = Span(FIELD), declared.shape[1] - FIELD.rank(declared)
    for seed in range(THETAS):
        if span.rank < rest:
            equations = _equations(operation, shapes, seed, points)
            assert not FIELD.matmul(equations, declared.T).any(), "what is declared passes"
            span.add(equations)
    assert span.rank == rest, "and nothing else"


def _declared(operation: Operation, shapes: Sequence[Shape]) -> Array:
    """Return all (S_1, t_1, …, S', t') that the operation lets pass, one a row."""
    wiring = Plain()
    wires = [
        replace(wiring.fresh(shape[0], shift=True), positions=positions(shape)) for shape in shapes
    ]

    class Named:
        trainable = True

        def __init__(self, name: str, shape: Shape) -> None:
            self.name, self.groups = name, shape[0] if len(shape) == 4 else 1

    arrays = {symbol: Named(symbol, shape) for symbol, shape in operation.parameters(*shapes)}
    end = oracle_wiring.passed(wiring, operation, shapes, wires, arrays)
    forms = [form for wire in (*wires, end) for form in wire.forms()]
    return FIELD.matmul(wiring.solutions(), oracle_wiring.dense(forms, wiring.unknowns).T)


def _equations(operation: Operation, shapes: Sequence[Shape], seed: int, points: int) -> Array:
    """Return the change of ``f(x + ε(S x + t)) − ε(S' y + t')`` for every entry of these, one a
    column, at random x and states for one θ.
    """
    out = operation.output(*shapes)
    at = drawn(operation, shapes, 1, seed, batch=points)
    end, symbols = at.forward()[..., 0], dict(operation.parameters(*shapes))
    columns = []
    for k, shape in enumerate([*shapes, out]):
        last = k == len(shapes)
        n, place = shape[0], names(shapes)[k] if not last else "y"
        moves = [*product(range(n), range(n)), *((i, None) for i in range(n))]
        for i, j in moves:
            along = drawn(operation, shapes, 1, seed, batch=points)
            for kept in (along.values, along.arrays):
                kept.update({name: np.zeros_like(x) for name, x in kept.items()})
            change = np.zeros_like(end)
            if last:
                change[:, i] = -1 if j is None else -end[:, j]
            else:
                along.values[place][:, i] = 1 if j is None else at.values[place][:, j]
            for symbol, w in along.arrays.items():
                _move(w, at.arrays[symbol], symbols[symbol], i, j, last)
            run = lifted(replace(at, values={v: at.values[v] for v in names(shapes)}), along)
            columns.append(change + derivative(full(run.forward(), 2))[..., 0])
    return FIELD.reduce(np.stack([c.ravel() for c in columns], axis=1))


def _move(w: Array, u: Array, shape: Shape, i: int, j: int | None, after: bool) -> None:
    """Write ``U S'ᵀ − Sᵀ U`` or ``S' b + t'`` for one entry of S or t, or of S' or t'."""
    if len(shape) == 1:
        if after:
            w[0, i] = 1 if j is None else u[0, j]
        return
    if len(shape) == 4:
        _move_inside(w, u, shape, i, j, after)
        return
    rows, old = w.reshape(shape[0], -1, shape[-1]), u.reshape(shape[0], -1, shape[-1])
    if j is not None and after:
        rows[:, :, i] += old[:, :, j]
    elif j is not None:
        rows[j] -= old[i]


def _move_inside(w: Array, u: Array, shape: Shape, i: int, j: int | None, after: bool) -> None:
    """Write the same of matrices in groups, as far as it stays inside of them."""
    new, old, size = w.reshape(shape), u.reshape(shape), shape[3 if after else 1]
    if j is None or i // size != j // size:
        return
    group, i, j = i // size, i % size, j % size
    if after:
        new[group, :, :, i] += old[group, :, :, j]
    else:
        new[group, j] -= old[group, i]


# ---- units


@every_case
@pytest.mark.parametrize("inside", [(0,), (0, 2)])
def test_units_are_separated_as_declared(
    operation: Operation, shapes: tuple[Shape, ...], inside: tuple[int, ...]
) -> None:
    """Values and parameters are zero wherever they are not of some units alone, or of the others
    alone. Then the output is that of these units by themselves, it is zero at the others, and a
    change of anything that is not of these units alone does not move it at first order.
    """
    groups = _groups(operation, shapes)
    chosen = np.isin(np.arange(3), inside)
    here = chosen.repeat(shapes[0][0] // groups) if groups else chosen
    if groups:
        assert operation.opened is not None
        operation = operation.resized(3 * (operation.opened // groups))
    shapes = tuple((len(here), *shape[1:]) for shape in shapes)
    out, opened = operation.output(*shapes)[0], operation.opened is not None and not groups
    there: Mask = np.arange(out) % 2 == 0 if opened else chosen.repeat(out // 3)
    run, along = (drawn(operation, shapes, 1, seed) for seed in (0, 1))
    for name in names(shapes):
        run.values[name][:, ~here], along.values[name][:, here] = 0, 0
    parts = _parts(run, along, here, there)
    y = _moving(run, along)
    small = operation.resized(int(there.sum())) if operation.opened is not None else operation
    values = {name: run.values[name][:, here] for name in names(shapes)}
    state = None if run.state is None else run.state[:, there]
    fewer = tuple((int(here.sum()), *shape[1:]) for shape in shapes)
    alone = Run(small, fewer, run.ring, values, parts, state).forward()
    same = np.array_equal(y[0][:, there], alone) and not y[0][:, ~there].any()
    assert (same and not y[1][:, there].any()) == operation.separating


def _groups(operation: Operation, shapes: tuple[Shape, ...]) -> int:
    """Return into how many groups units fall; 0 if they do not."""
    found = (shape[0] for _, shape in operation.parameters(*shapes) if len(shape) == 4)
    return next(found, 0)


def _parts(run: Run, along: Run, here: Mask, there: Mask) -> dict[str, Array]:
    """Make arrays block-diagonal, biases being read from a unit inside, and their changes zero
    inside; return what is inside. A group is a unit, and its matrix is of this one alone.
    """
    parts = {}
    for symbol, shape in run.operation.parameters(*run.shapes):
        u, w = (each.arrays[symbol] for each in (run, along))
        if len(shape) == 4:
            inside = here.reshape(3, -1)[:, 0]
            u, w = u.reshape(3, -1), w.reshape(3, -1)
            w[inside] = 0
            parts[symbol] = u[inside].reshape(1, -1, 1)
            continue
        rows = np.ones(1, bool) if len(shape) == 1 else here.repeat(prod(shape[:-1]) // len(here))
        u, w = u.reshape(len(rows), len(there)), w.reshape(len(rows), len(there))
        u[rows[:, None] != there], w[np.ix_(rows, there)] = 0, 0
        parts[symbol] = u[np.ix_(rows, there)].reshape(1, -1, 1)
    return parts


def _moving(run: Run, along: Run) -> tuple[Array, Array]:
    """Return the output and its derivative."""
    moved = lifted(run, along).forward()
    return moved[..., :1], derivative(full(moved, 2))


# ---- growth


@every_case
@pytest.mark.parametrize("degrees", [((1, 2), (3, 1)), ((0, 1), (0, 1)), ((2, 0), (1, 3))])
def test_degrees_are_those_on_a_line(
    operation: Operation, shapes: tuple[Shape, ...], degrees: tuple[tuple[int, int], ...]
) -> None:
    """Inputs of known degrees along a line, and θ, or else the states, of degree one: values of
    degree d are interpolated by d + 1 of them and not by d. What is no polynomial is not
    interpolated by twenty.
    """
    growths = [Growth(*degrees[k % 2]) for k in range(len(shapes))]
    declared = _growth(operation, shapes, growths)
    for line in (0, 1):
        degree = declared[line] if operation.polynomial else 20
        values = [
            _on_a_line(operation, shapes, [g[line] for g in growths], line, tau)
            for tau in range(degree + 2)
        ]
        if not operation.polynomial:
            assert not max(g[line] for g in growths) or _difference(values).any()
            continue
        assert not _difference(values).any(), "not above the degree"
        assert _difference(values[:-1]).any(), "and not below"


def _growth(operation: Operation, shapes: Sequence[Shape], growths: Sequence[Growth]) -> Growth:
    known = dict(zip(names(shapes), growths, strict=True))
    for each, _, values, _, name in primitives(operation, shapes):
        known[name] = each.growth(*(known[v] for v in values))
    return known["y"]


def _on_a_line(
    operation: Operation, shapes: Sequence[Shape], degrees: Sequence[int], line: int, tau: int
) -> Array:
    """Return the output where input k is a random polynomial of degree ``degrees[k]`` in τ and the
    parameters (line 0) or the states (line 1) are affine in it.
    """
    run, other = (drawn(operation, shapes, 1, seed) for seed in (0, 1))
    for k, name in enumerate(names(shapes)):
        powers = [
            drawn(operation, shapes, 1, 10 + i).values[name] * tau**i for i in range(degrees[k] + 1)
        ]
        run.values[name] = FIELD.reduce(np.sum(powers, axis=0))
    if line == 0:
        run.arrays = {k: FIELD.reduce(x + tau * other.arrays[k]) for k, x in run.arrays.items()}
    elif run.state is not None:
        run.state = FIELD.reduce(run.state + tau * other.state)
    found: Array = run.forward()
    return found


def _difference(values: Sequence[Array]) -> Array:
    """Return the highest divided difference of values at 0, 1, …, times a factorial."""
    n = len(values) - 1
    terms = [(-1) ** i * comb(n, i) * value for i, value in enumerate(values)]
    return FIELD.reduce(np.sum(terms, axis=0))


@every_case
def test_linear_operations_are_linear_in_their_inputs(
    operation: Operation, shapes: tuple[Shape, ...]
) -> None:
    """Up to a constant; the others are not."""
    runs = [drawn(operation, shapes, 1, seed) for seed in (0, 1, 0, 0)]
    for name in names(shapes):
        runs[2].values[name] = FIELD.reduce(runs[0].values[name] + runs[1].values[name])
        runs[3].values[name] = np.zeros_like(runs[3].values[name])
    for run in runs[1:]:
        run.arrays, run.state = runs[0].arrays, runs[0].state
    x, y, both, none = (run.forward() for run in runs)
    assert operation.linear is not FIELD.reduce(x + y - both - none).any().item()


@every_case
def test_denominators_are_those_of_what_integers_give(
    operation: Operation, shapes: tuple[Shape, ...]
) -> None:
    if not operation.polynomial:
        assert operation.denominator == 1
        return
    run = drawn(operation, shapes, 1)
    for kept in (run.values, run.arrays):
        kept.update({name: _integers(x[..., 0]) for name, x in kept.items()})
    state = None if run.state is None else _integers(run.state[..., 0])
    found = replace(run, ring=Exact(), state=state).forward().ravel().tolist()
    denominators = [each.operation.denominator for each in _nodes(operation, shapes)]
    assert lcm(*(y.denominator for y in found)) == prod(denominators)


def _integers(x: Array) -> Any:
    return np.vectorize(int, otypes=[object])(x)


def _nodes(operation: Operation, shapes: Sequence[Shape]) -> tuple[Node, ...]:
    if isinstance(operation, Composite):
        return operation.body(*shapes)
    return (Node("y", operation, ()),)


# ---- bodies


def loops(operation: Operation, shapes: Sequence[Shape], run: Run, delta: Array) -> Any:
    """Return the output of a convolution or a pooling and the cotangents, term by term."""
    (shape,) = shapes
    x, jets = run.values["x"].reshape(2, *shape, -1), Jets(FIELD)
    out = operation.output(shape)
    y = np.zeros((2, *out, x.shape[-1]))
    dx, delta = np.zeros_like(x), delta.reshape(y.shape)
    du = {symbol: np.zeros((2, *a.shape[1:])) for symbol, a in run.arrays.items()}
    kernel, stride = (
        each * (len(shape) - 1) if len(each) == 1 else each
        for each in (operation.kernel, operation.stride)  # type: ignore[attr-defined]
    )
    taps = list(product(*map(range, kernel)))
    for place in product(*(range(n) for n in out)):
        there: Any = (slice(None), *place)
        for c, (number, tap) in product(range(shape[0]), enumerate(taps)):
            read = _place(operation, shape[1:], place[1:], tap, kernel, stride)
            groups = getattr(operation, "groups", 1)
            if isinstance(operation, Pool):
                groups = shape[0]
            if read is None or c // (shape[0] // groups) != place[0] // (out[0] // groups):
                continue
            here: Any = (slice(None), c, *read)
            if isinstance(operation, Pool):
                factor = FIELD.inverse(len(taps))
                y[there] = jets.add(y[there], FIELD.reduce(x[here] * factor))
                dx[here] = jets.add(dx[here], FIELD.reduce(delta[there] * factor))
                continue
            entry = (c * len(taps) + number) * (out[0] // groups) + place[0] % (out[0] // groups)
            u = run.arrays["U"][:, entry]
            y[there] = jets.add(y[there], jets.multiply(x[here], u))
            dx[here] = jets.add(dx[here], jets.multiply(delta[there], u))
            du["U"][:, entry] = jets.add(du["U"][:, entry], jets.multiply(delta[there], x[here]))
        if "b" in run.arrays:
            y[there] = jets.add(y[there], run.arrays["b"][:, place[0]])
            du["b"][:, place[0]] = jets.add(du["b"][:, place[0]], delta[there])
    return y, dx, du


def _place(
    operation: Any, sizes: Shape, out: Shape, tap: Shape, kernel: Shape, stride: Shape
) -> Shape | None:
    """Return the position that a tap reads, None for a zero beside the image."""
    if isinstance(operation, TransposedConvolution):
        for here in product(*map(range, sizes)):
            covered = zip(here, stride, tap, operation.padding, strict=True)
            if tuple(i * s + t - p for i, s, t, p in covered) == tuple(out):
                return here
        return None
    dilation = getattr(operation, "dilation", (1,) * len(kernel))
    tap = tuple(t * d for t, d in zip(tap, dilation, strict=True))
    kernel = tuple((k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True))
    at = [o * s + t for o, s, t in zip(out, stride, tap, strict=True)]
    padding = getattr(operation, "padding", "valid")
    if padding == "circular":
        return tuple(a % n for a, n in zip(at, sizes, strict=True))
    if padding == "same":
        outside = [
            max((n - 1) // s * s + k - n, 0) // 2
            for n, k, s in zip(sizes, kernel, stride, strict=True)
        ]
        at = [a - before for a, before in zip(at, outside, strict=True)]
    return tuple(at) if all(0 <= a < n for a, n in zip(at, sizes, strict=True)) else None


PADDED: list[tuple[Operation, tuple[Shape, ...]]] = [
    (Convolution(2, (3, 2), (2, 1), "same", True), ((2, 3, 3),)),
    (Convolution(1, (4,), (3,), "same"), ((1, 5),)),
    (Convolution(1, (3,), (1,), "same", dilation=(3,)), ((1, 5),)),
    (Convolution(1, (3,), (2,), "circular", dilation=(2,)), ((2, 4),)),
    (Convolution(6, (2, 2), (1, 2), "same", True, (2, 1), 3), ((3, 3, 3),)),
    (TransposedConvolution(2, (4,), (2,), (2,), True), ((2, 4),)),
    (TransposedConvolution(1, (2, 1), (3, 2), (1, 0)), ((2, 2, 3),)),
    (Convolution(1, (5,), (2,), "circular", True), ((2, 3),)),
    (Convolution(3, (1, 2), (2, 2)), ((2, 3, 4),)),
    (Pool((2,), (1,)), ((2, 3, 4),)),
    (Pool((2, 1), (1, 3)), ((1, 3, 4),)),
]


@pytest.mark.parametrize(
    ("operation", "shapes"),
    [case for case in CASES if isinstance(case[0], Composite)] + PADDED,
    ids=str,
)
def test_a_body_computes_what_its_operation_is(
    operation: Operation, shapes: tuple[Shape, ...]
) -> None:
    """Forward and pullback over jets of order 2, against loops over windows and taps."""
    run = drawn(operation, shapes, 4)
    found = run.forward()
    delta = FIELD.random(rng(2), found.shape)
    back, moved = run.pullback(delta)
    y, dx, du = loops(operation, shapes, run, delta)
    assert not FIELD.reduce(found - y.reshape(found.shape)).any()
    assert not FIELD.reduce(back["x"] - dx.reshape(back["x"].shape)).any()
    for symbol, expected in du.items():
        assert not FIELD.reduce(moved[symbol].reshape(expected.shape) - expected).any()


@every_case
def test_a_graph_of_one_operation_is_the_operation(
    operation: Operation, shapes: tuple[Shape, ...]
) -> None:
    """The plan puts bodies in place, and reads inputs, states and output weights off a probe."""
    if operation.inner:
        return
    inputs = tuple(map(Input, names(shapes), shapes))
    symbols = tuple(symbol for symbol, _ in operation.parameters(*shapes))
    graph = Graph(inputs, (Node("y", operation, tuple(names(shapes)), symbols),), ("y",))
    run = flat(drawn(operation, shapes, 1))
    theta = np.concatenate([np.zeros((1, 0)), *run.arrays.values()], axis=1)
    state = [] if run.state is None else [run.state]
    probe = np.concatenate([x.reshape(2, -1) for x in (*run.values.values(), *state)], axis=1)
    expected = run.forward()
    (found,) = graph.forward(Residues(FIELD), theta, probe)
    assert np.array_equal(found, expected)
    delta = FIELD.random(rng(2), expected.shape)
    _, moved = run.pullback(delta)
    gradient = graph.gradient(Residues(FIELD), theta, probe, delta.reshape(2, -1))
    parts = [moved[symbol].reshape(2, -1) for symbol in symbols]
    assert np.array_equal(gradient, np.concatenate([np.zeros((2, 0)), *parts], axis=1))


# ---- what it is called, and how it is written


@every_kind
def test_examples_have_as_many_inputs_as_the_operation(kind: type[Operation]) -> None:
    examples = kind.examples()
    counts = {len(shapes) for _, shapes in examples}
    assert counts == {kind.arity} if kind.arity is not None else len(counts) > 1
    assert all(type(each) is kind and each == deepcopy(each) for each, _ in examples)
    assert len({(each, shapes) for each, shapes in examples}) == len(examples)


def test_names_tell_operations_apart() -> None:
    words = [word for kind in OPERATIONS for word in kind.words()]
    assert len(set(words)) == len(words)
    for names_of in ("keyword", "title"):
        found = [getattr(kind, names_of) for kind in OPERATIONS]
        assert len(set(found)) == len(found)
        assert all(found)
    layers = [layer.name for kind in OPERATIONS for layer in kind.layers()]
    assert len(set(layers)) == len(layers)
    source = re.compile(r"arXiv \d{4}\.\d{5}, .+|.+, \d{4}|docs/\w+\.md, .+|elementary: .+")
    assert all(source.fullmatch(kind.source) for kind in OPERATIONS)
    assert {kind.keyword for kind in OPERATIONS if kind.inner} == {
        node.operation.keyword
        for each, shapes in CASES
        if isinstance(each, Composite)
        for node in each.body(*shapes)
    } | {"picked", "means"}  # of networks on some places (networks/places.py)


@every_case
def test_a_text_of_it_is_read_back(operation: Operation, shapes: tuple[Shape, ...]) -> None:
    """What is inner has no text; the others are defined by word, units, options and arrays."""
    arrays = len(operation.parameters(*shapes))
    arguments = operation.word, operation.opened, operation.options(), arrays
    assert operation.word in operation.words()
    if operation.inner:
        with pytest.raises(SpecError, match=f"{operation.word}: is made from others, not written"):
            Graph.parse(f"x[2]\ny = {operation.word}(x)")
        return
    assert operation.parsed(*arguments) == operation
    assert operation.opened in (None, operation.output(*shapes)[0])
    with pytest.raises(SpecError, match="unknown option 'colour'"):
        operation.parsed(*arguments[:2], {**operation.options(), "colour": "red"}, arrays)
    if operation.opened is not None:
        with pytest.raises(SpecError, match=f"{operation.word}: expected "):
            operation.parsed(operation.word, None, operation.options(), arrays)
    if arrays:
        for wrong in (0, 3):
            with pytest.raises(SpecError, match=f"expected a matrix, .* got {wrong}"):
                operation.parsed(*arguments[:3], wrong)


@every_case
def test_a_layer_of_it_is_made_from_its_keys(
    operation: Operation, shapes: tuple[Shape, ...]
) -> None:
    found = [layer for layer in operation.layers() if layer.name == operation.label.split(" ")[0]]
    if not operation.layers():
        assert operation.inner or operation.label == operation.word
        return
    ((_, keys, short, dimensions, make),) = found
    values = {key: getattr(operation, key) for key in keys}
    assert make(**values) == operation
    kinds = {KeyKind.SIZE: int, KeyKind.SIZES: tuple, KeyKind.FLAG: bool, KeyKind.WORD: str}
    whole = values.get("groups", 1) == 1
    for key, (kind, required, words, least, most, _) in keys.items():
        assert type(values[key]) is kinds[kind]
        assert (kind is KeyKind.WORD) == bool(words)
        assert not words or values[key] in words
        if kind is KeyKind.SIZE:
            ends = [end for end in (least, most) if whole and key != "groups"]
            assert all(make(**{**values, key: end}) for end in ends)
            for wrong in (least - 1, most + 1):
                with pytest.raises(SpecError):
                    make(**{**values, key: wrong})
        assert dimensions is None or kind is not KeyKind.SIZES or len(values[key]) == dimensions
        rest = {k: v for k, v in values.items() if k != key}
        if required:
            with pytest.raises(TypeError):
                make(**rest)
        else:
            assert isinstance(make(**rest), type(operation))
    if short is not None:
        assert isinstance(make(**{short: values[short]}), type(operation))
        assert keys[short].required


VARIANTS: list[list[Operation]] = [
    [Linear(2), Linear(2, True), Linear(3)],
    [
        Convolution(2, (3,), (1,)),
        Convolution(3, (3,), (1,)),
        Convolution(2, (2,), (1,)),
        Convolution(2, (3,), (2,)),
        Convolution(2, (3,), (1,), "same"),
        Convolution(2, (3,), (1,), "circular"),
        Convolution(2, (3,), (1,), bias=True),
        Convolution(2, (3, 1), (1, 1)),
        Convolution(2, (1, 3), (1, 1)),
        Convolution(2, (1, 3), (1, 1), dilation=(1, 2)),
        Convolution(2, (1, 3), (1, 1), dilation=(2, 2)),
        Convolution(2, (1, 3), (1, 1), groups=2),
        Convolution(2, (1, 3), (1, 1), dilation=(2, 1), groups=2),
    ],
    [
        TransposedConvolution(2, (3,), (1,)),
        TransposedConvolution(2, (3,), (2,)),
        TransposedConvolution(2, (3,), (2,), (1,)),
        TransposedConvolution(2, (3,), (2,), (1,), True),
        TransposedConvolution(2, (3, 3), (2, 1)),
        TransposedConvolution(2, (3, 3), (2, 1), (0, 1)),
    ],
    [Pool((2,), (2,)), Pool((2,), (1,)), Pool((3,), (3,)), Pool((2, 1), (2, 1))],
    [each for kind in OPERATIONS for each, _ in kind.examples() if not kind.inner],
]


@pytest.mark.parametrize("variants", VARIANTS, ids=lambda each: each[0].keyword)
def test_labels_and_texts_tell_variants_apart(variants: list[Operation]) -> None:
    different = len(set(variants))
    texts = {(v.word, v.opened, *v.options().items(), getattr(v, "bias", False)) for v in variants}
    assert len({variant.label for variant in variants}) == len(texts) == different


@every_case
def test_what_does_not_fit_is_refused(operation: Operation, shapes: tuple[Shape, ...]) -> None:
    """Every operation that says what it reads refuses something else, by name."""
    wrong = {
        "dense": ((2, 3),),
        "conv": ((2,),),
        "conv_transpose": ((2,),),
        "avg_pool": ((2,),),
        "add": ((2,), (3,)),
        "multiply": ((2,), (2, 3)),
    }
    if operation.keyword in wrong:
        word = operation.label.split(" ")[0]
        with pytest.raises(ShapeError, match=f"^{word}: expected "):
            operation.output(*wrong[operation.keyword])
    else:
        assert operation.inner or operation.output((3,)) == (3,)
