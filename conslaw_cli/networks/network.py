"""Networks as scalar functions ``F(θ; a)``, linear in φ: building blocks, forward and backward.

``F(θ; a) = <w, g(θ; x, gates)>`` with the probe ``a = (x, gates, w)``: input, one free factor per
gated unit, output weights. Distinct components of φ have distinct monomials in a, so the gradients
``∇_θ F(θ; a)`` for random a span W_φ(θ) (each is a random element of it), for the price of one
back-propagation; φ itself, which may have 10^20 entries, is never formed. Blocks are written once
for any ring: residues mod p, jets, integers, symbols (``jets.Ring``).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from conslaw_cli.algebra.field import Array, PrimeField, random_prime
from conslaw_cli.algebra.jets import Integers, Jets, Ring
from conslaw_cli.networks.known_laws import Family, Laws, join, linear_laws
from conslaw_cli.networks.wiring import Cursor, Space, junctions

Values = NDArray[Any]
"""Arrays (batch, units, positions, jet)."""


@dataclass(frozen=True, slots=True)
class Point:
    """Where a network is evaluated: parameters (batch, D, jet) and the gates' factors (batch,
    gates).
    """

    ring: Ring
    theta: Values
    gates: Values

    def matrix(self, start: int, rows: int, columns: int) -> Values:
        """Return ``rows × columns`` parameters from an offset as a matrix."""
        part = self.theta[:, start : start + rows * columns]
        return part.reshape(part.shape[0], rows, columns, part.shape[2])


class Block(Protocol):
    """One piece of a network: values in, values out; cotangents back, gradient entries written."""

    def forward(self, at: Point, h: Values) -> Values:
        """Return the block's output."""
        ...

    def backward(self, at: Point, h: Values, delta: Values, gradient: Values) -> Values:
        """Write this block's entries of the gradient (batch, D, jet); return the cotangent of its
        input h.
        """
        ...

    def degree(self) -> tuple[int, int]:
        """Return the degrees of the output in the parameters and in the gates, for an input of
        degree 0.
        """
        ...

    def connect(self, at: Cursor, spaces: list[Space]) -> Cursor:
        """Note which spaces the block's parameters read and write, add new ones; return where its
        output lives.
        """
        ...

    def weights(self) -> Iterator[Dense]:
        """Yield the blocks in it that hold parameters."""
        ...


@dataclass(frozen=True, slots=True)
class Dense:
    """``z = U^T h + b``, U being ``inputs × outputs`` at ``offset``, row by row, b at ``bias`` if
    there is one.

    ``label`` numbers the layer: its parameters are called U1, b1 if it is "1" and ``symbol`` is
    "U". ``taps``: consecutive inputs that belong to one unit (the kernel of a convolution).
    """

    offset: int
    inputs: int
    outputs: int
    bias: int | None = None
    label: str = ""
    taps: int = 1
    symbol: str = "U"

    def forward(self, at: Point, h: Values) -> Values:
        """Apply the affine map at every position."""
        z = at.ring.matmul(self._matrix(at).swapaxes(1, 2), h)
        if self.bias is not None:
            z = at.ring.reduce(z + at.matrix(self.bias, self.outputs, 1))
        return z

    def backward(self, at: Point, h: Values, delta: Values, gradient: Values) -> Values:
        """∂F/∂U = h δ^T, ∂F/∂b = δ summed over positions, ∂F/∂h = U δ."""
        weights = at.ring.matmul(h, delta.swapaxes(1, 2))
        stop = self.offset + self.inputs * self.outputs
        gradient[:, self.offset : stop] = weights.reshape(weights.shape[0], -1, weights.shape[3])
        if self.bias is not None:
            gradient[:, self.bias : self.bias + self.outputs] = at.ring.reduce(delta.sum(axis=2))
        return at.ring.matmul(self._matrix(at), delta)

    def degree(self) -> tuple[int, int]:
        """One parameter a term."""
        return 1, 0

    def read(self) -> NDArray[np.intp]:
        """Return the indices of U, one row per unit of the input space."""
        return np.arange(self.offset, self.offset + self.outputs * self.inputs).reshape(
            self.inputs, self.outputs
        )

    def written(self) -> NDArray[np.intp]:
        """Return the indices of (U^T, b), one row per unit of the output space."""
        if self.bias is None:
            return self.read().T
        return np.column_stack([self.read().T, np.arange(self.bias, self.bias + self.outputs)])

    def names(self) -> Iterator[tuple[int, str]]:
        """Yield the index and the name of every parameter."""
        for i, row in enumerate(self.read().tolist()):
            unit = f"{i // self.taps + 1},{i % self.taps + 1}" if self.taps > 1 else f"{i + 1}"
            yield from (
                (e, f"{self.symbol}{self.label}[{unit},{j}]") for j, e in enumerate(row, start=1)
            )
        if self.bias is not None:
            yield from ((self.bias + j, f"b{self.label}[{j + 1}]") for j in range(self.outputs))

    def connect(self, at: Cursor, spaces: list[Space]) -> Cursor:
        """Read the current space, write a new one."""
        text, latex = f"{self.symbol}{self.label}", f"{self.symbol}_{{{self.label}}}"
        sums = ("Σ ", r"\textstyle\sum ") if self.inputs > at.space.units else ("", "")
        at.space.reads(
            at.by_unit(self.read()), f"{sums[0]}{text}{text}ᵀ", rf"{sums[1]}{latex} {latex}^\top"
        )
        space = Space(self.outputs)
        space.write(self.read().T, f"{text}ᵀ{text}", rf"{latex}^\top {latex}")
        if self.bias is not None:
            space.write(
                self.written()[:, -1:],
                f"b{self.label}ᵀb{self.label}",
                rf"b_{{{self.label}}}^\top b_{{{self.label}}}",
            )
        spaces.append(space)
        return Cursor.on(space)

    def weights(self) -> Iterator[Dense]:
        """Yield itself."""
        yield self

    def _matrix(self, at: Point) -> Values:
        return at.matrix(self.offset, self.inputs, self.outputs)


@dataclass(frozen=True, slots=True)
class Gate:
    """``h = g ⊙ z``: a positively homogeneous activation, whose slopes are free factors of the
    probe.
    """

    offset: int
    units: int
    positions: int = 1

    def forward(self, at: Point, h: Values) -> Values:
        """Multiply every unit by its factor."""
        return at.ring.reduce(h * self._factors(at))

    def backward(self, at: Point, h: Values, delta: Values, gradient: Values) -> Values:
        """Multiply the cotangent by the same factors."""
        return at.ring.reduce(delta * self._factors(at))

    def degree(self) -> tuple[int, int]:
        """One factor a term."""
        return 0, 1

    def connect(self, at: Cursor, spaces: list[Space]) -> Cursor:
        """Mark the space: only diagonal maps commute with the activation."""
        at.space.gated = True
        return at

    def weights(self) -> Iterator[Dense]:
        """Yield nothing."""
        yield from ()

    def _factors(self, at: Point) -> Values:
        factors = at.gates[:, self.offset : self.offset + self.units * self.positions]
        return factors.reshape(len(factors), self.units, self.positions, 1)


@dataclass(frozen=True, slots=True)
class Network:
    """A chain of blocks from ``inputs`` to ``outputs`` units with D parameters.

    ``inputs`` counts the probe's entries: ``inputs / positions`` units at each of ``positions``
    places. ``held``: numbers that one evaluation holds besides θ and the gradient, where these are
    not of the same order. ``zero_sum``: the output weights w of the probe satisfy ``Σ w = 0``
    (softmax cross-entropy, families/mlp.py).
    """

    blocks: tuple[Block, ...]
    parameters: int
    inputs: int
    outputs: int
    gates: int
    zero_sum: bool = False
    positions: int = 1
    held: int = 0

    @property
    def probe_size(self) -> int:
        """Entries of a probe: inputs, gates, outputs."""
        return self.inputs + self.gates + self.outputs

    def gradient(self, ring: Ring, theta: Values, probe: Values) -> Values:
        """Return ``∇_θ F(θ; a)``, (batch, D, jet), for θ (batch or 1, D, jet) and probes (batch,
        probe_size).
        """
        at = self._point(ring, theta, probe)
        values = [self._input(probe, theta.shape[2])]
        for block in self.blocks[:-1]:
            values.append(block.forward(at, values[-1]))
        delta = _constant(self._output_weights(ring, probe)[:, :, None], theta.shape[2])
        gradient = np.empty((len(probe), self.parameters, theta.shape[2]), dtype=theta.dtype)
        for block, h in zip(self.blocks[:0:-1], values[:0:-1], strict=True):
            delta = block.backward(at, h, delta, gradient)
        self.blocks[0].backward(at, values[0], delta, gradient)
        return gradient

    def value(self, ring: Ring, theta: Values, probe: Values) -> Values:
        """Return the outputs (batch, outputs, 1, jet); the output part of the probe is not used."""
        at = self._point(ring, theta, probe)
        h = self._input(probe, theta.shape[2])
        for block in self.blocks:
            h = block.forward(at, h)
        return h

    def _input(self, probe: Values, size: int) -> Values:
        return _constant(probe[:, : self.inputs].reshape(len(probe), -1, self.positions), size)

    def _point(self, ring: Ring, theta: Values, probe: Values) -> Point:
        return Point(ring, theta, probe[:, self.inputs : self.inputs + self.gates])

    def _output_weights(self, ring: Ring, probe: Values) -> Values:
        w = probe[:, self.inputs + self.gates :]
        if not self.zero_sum:
            return w
        return ring.reduce(np.column_stack([w[:, :-1], -w[:, :-1].sum(axis=1)]))

    def degree(self) -> tuple[int, int]:
        """Degrees of F in θ and in the probe."""
        parameters = sum(block.degree()[0] for block in self.blocks)
        return parameters, 2 + sum(block.degree()[1] for block in self.blocks)

    def spaces(self) -> list[Space]:
        """Return the input space, the spaces of all layers and the output space, connected
        (wiring.py).
        """
        spaces = [Space(self.inputs // self.positions, wired=True)]
        cursor = Cursor.on(spaces[0])
        for block in self.blocks:
            cursor = block.connect(cursor, spaces)
        cursor.space.wired = True
        return spaces

    def laws(self) -> Laws:
        """Return the known laws: of all junctions, and what zero-sum output weights add; of one
        such output all parameters.
        """
        if self.zero_sum and self.outputs == 1:
            every = Family("θ", r"\theta", f"{self.parameters} entries", self.parameters)
            return linear_laws(every, list(np.arange(self.parameters)[:, None]))
        spaces = self.spaces()
        parts = [junction.laws() for junction in junctions(spaces)]
        return join([*parts, *self._sums(spaces[-1])] if self.zero_sum else parts)

    def listed(self) -> tuple[int, int]:
        """Return how many known laws there are, and how many terms they have together, without
        listing them.
        """
        if self.zero_sum and self.outputs == 1:
            return self.parameters, self.parameters
        spaces = self.spaces()
        sizes = [junction.size() for junction in junctions(spaces)]
        sums = list(self._sums(spaces[-1])) if self.zero_sum else []
        return sum(n for n, _ in sizes) + sum(map(len, sums)), sum(n for _, n in sizes) + sum(
            len(part.law) for part in sums
        )

    def _sums(self, outputs: Space) -> Iterator[Laws]:
        """Yield the sums over outputs of what writes the output space, if nothing else touches it
        (families/mlp.py).
        """
        last = self.blocks[-1]
        if not isinstance(last, Dense) or outputs.read or outputs.gated:
            return
        name, n = last.label, last.inputs
        yield linear_laws(
            Family(f"U{name}·1", rf"U_{{{name}}} \mathbf{{1}}", f"{n} row sums", n),
            list(last.read()),
        )
        if last.bias is not None:
            yield linear_laws(
                Family(f"b{name}·1", rf"b_{{{name}}} \mathbf{{1}}", "1 sum", 1),
                [last.written()[:, -1]],
            )

    def weights(self) -> list[Dense]:
        """Return the blocks that hold parameters, in the order of these."""
        return sorted(
            (dense for block in self.blocks for dense in block.weights()),
            key=lambda dense: dense.offset,
        )

    def parameter_names(self) -> list[str]:
        """Return the name of every parameter, in order: ``U1[i,j]`` leads from unit i to unit j,
        ``b1[j]`` is a bias.
        """
        return [name for dense in self.weights() for _, name in sorted(dense.names())]


@dataclass(frozen=True, slots=True)
class GradientFields:
    """W_φ as a space of vector fields that can be sampled and evaluated on jets
    (flows.VectorFields).
    """

    network: Network

    @property
    def dimension(self) -> int:
        """D."""
        return self.network.parameters

    @property
    def held(self) -> int:
        """Numbers that one evaluation holds: θ and the gradient, copies of them, and the layers'
        values.
        """
        return 8 * self.dimension + 6 * self.network.held

    @property
    def everywhere(self) -> bool:
        """They are polynomials."""
        return True

    def spaces(self) -> list[Space]:
        """Return the spaces of units that the parameters write and read."""
        return self.network.spaces()

    def arrays(self) -> Iterator[tuple[str, range]]:
        """Yield the arrays of parameters: their names, ``U1`` for a matrix or kernel, ``b1`` for
        biases, and the indices of their entries.
        """
        for dense in self.network.weights():
            stop = dense.offset + dense.inputs * dense.outputs
            yield f"{dense.symbol}{dense.label}", range(dense.offset, stop)
            if dense.bias is not None:
                yield f"b{dense.label}", range(dense.bias, dense.bias + dense.outputs)

    def prime(self, rng: np.random.Generator) -> int:
        """Draw any prime of the range."""
        return random_prime(rng)

    def at(self, field: PrimeField, rng: np.random.Generator) -> tuple[GradientFields, Array]:
        """Draw θ uniformly."""
        return self, field.random(rng, (1, self.dimension, 1))

    def sample(self, field: PrimeField, rng: np.random.Generator, count: int) -> Array:
        """Draw probes: ``∇_θ F(·; a)`` for uniform a is a random element of W_φ."""
        return field.random(rng, (count, self.network.probe_size))

    def evaluate(self, field: PrimeField, theta: Array, probes: Array) -> Array:
        """Return ``∇_θ F(θ; a)`` by back-propagation."""
        return self.network.gradient(Jets(field), theta, probes)

    def drift(self, field: PrimeField, theta: Array) -> None:
        """Return nothing: nothing moves θ but these fields."""
        return

    def degree(self) -> tuple[int, int]:
        """Degrees of a field's entries in θ and in the probe."""
        parameters, probe = self.network.degree()
        return parameters - 1, probe

    def bits(self) -> float:
        """Bound the logarithm to the base 2 of the sum of the absolute values of the coefficients
        of a field's entry.

        F has coefficients ±1 and is of degree at most one in each parameter, so F at all ones
        counts its monomials and bounds those of its derivatives; replacing ``w_n`` by ``−Σ w_i`` at
        most doubles the sum.
        """
        ones = np.ones((1, self.network.parameters, 1))
        with np.errstate(over="ignore"):
            monomials = self.network.value(Integers(), ones, np.ones((1, self.network.probe_size)))
        return math.log2(max(1.0, float(monomials.sum()))) + self.network.zero_sum


def _constant(x: Values, size: int) -> Values:
    """Turn (batch, n, positions) constants into jets (batch, n, positions, size)."""
    jet = np.zeros((*x.shape, size), dtype=x.dtype)
    jet[..., 0] = x
    return jet
