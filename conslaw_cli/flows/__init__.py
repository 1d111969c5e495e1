"""Flows: what moves the parameters, seen as a space of vector fields on a state space.

The engine (lie/) and the search for laws (laws/) know a flow only through its ``VectorFields``.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, runtime_checkable

import numpy as np

from conslaw_cli.algebra.field import Array, PrimeField
from conslaw_cli.networks.graph import Graph
from conslaw_cli.networks.known_laws import Family, Laws
from conslaw_cli.networks.wiring import Array as Parameters

if TYPE_CHECKING:
    from conslaw_cli.algebra.series import Series
    from conslaw_cli.flows.coordinates import Coordinates
    from conslaw_cli.flows.grammar import Choice
    from conslaw_cli.flows.motion import Motion


class VectorFields(Protocol):
    """A finite-dimensional space of control fields on F_p^n with polynomial coefficients, and
    perhaps a drift: one field more, which every combination of them comes with.
    """

    @property
    def dimension(self) -> int:
        """The number of coordinates n of a state: D, where it is θ alone."""
        ...

    @property
    def held(self) -> int:
        """Numbers that evaluating one field holds, for jets of order 0."""
        ...

    @property
    def everywhere(self) -> bool:
        """Whether the fields are defined at all points, being polynomials."""
        ...

    def prime(self, rng: np.random.Generator) -> int:
        """Draw a prime modulo which the fields can be evaluated."""
        ...

    def at(self, field: PrimeField, rng: np.random.Generator) -> tuple[VectorFields, Array]:
        """Draw a state (1, n, 1) where the fields are defined; return it after the fields to be
        evaluated there.
        """
        ...

    def sample(self, field: PrimeField, rng: np.random.Generator, count: int) -> Array:
        """Draw ``count`` random elements of the space, as probes (count, probe size)."""
        ...

    def evaluate(self, field: PrimeField, state: Array, probes: Array) -> Array:
        """Return the control fields' values (batch, n, 2^k) at jets of states (batch or 1, n,
        2^k).
        """
        ...

    def drift(self, field: PrimeField, state: Array) -> Array | None:
        """Return the drift's values (batch, n, 2^k) at jets of states; None if there is none, as
        then everywhere.
        """
        ...

    def degree(self) -> tuple[int, int]:
        """Return the degrees of a field's entries in the state and in the probe."""
        ...

    def bits(self) -> float:
        """Bound the logarithm to the base 2 of the sum of the absolute values of the coefficients
        of a field's entry.
        """
        ...


@runtime_checkable
class Clocked(Protocol):
    """Fields with a drift, on a state with a time, in coordinates that may depend on it."""

    @property
    def dimension(self) -> int:
        """The number of coordinates of a state."""
        ...

    def clock(self, field: PrimeField, state: Array) -> Array:
        """Return the directions (k, n) at a state (1, n, 1) along which laws that do not depend on
        time are constant, beside the fields': that of time alone, and what it generates with them.
        """
        ...


@runtime_checkable
class Transporting(Protocol):
    """Fields along whose flows covectors can be carried as power series (lie/transport.py)."""

    @property
    def dimension(self) -> int:
        """The number of coordinates n of a state."""
        ...

    @property
    def held(self) -> int:
        """Numbers that evaluating one field holds."""
        ...

    @property
    def transports(self) -> bool:
        """Whether :meth:`carried` applies, the fields being polynomials that can be
        differentiated in this way.
        """
        ...

    def sample(self, field: PrimeField, rng: np.random.Generator, count: int) -> Array:
        """As for all fields."""
        ...

    def evaluate(self, field: PrimeField, state: Array, probes: Array) -> Array:
        """As for all fields."""
        ...

    def carried(self, over: Series, state: Array, probes: Array) -> Array:
        """Return ``X − Σ ε_i DXᵀ λ_i``, (batch, n, 1 + m), at states and covectors ``x + Σ ε_i
        λ_i`` (1, n, 1 + m): how both move. All are coefficients of power series at the ring's
        order, also the probes (batch, probe size).
        """
        ...


@runtime_checkable
class TransportingDrift(Transporting, Protocol):
    """The same with a drift."""

    def carried_drift(self, over: Series, state: Array) -> Array:
        """Return the same for the drift."""
        ...


class Model(Protocol):
    """What a flow moves: an architecture, as far as flows know it."""

    @property
    def graph(self) -> Graph | None:
        """The network; None for a φ given by formulas."""
        ...

    def fields(self) -> VectorFields:
        """Return the gradients of the losses."""
        ...

    def laws(self) -> Laws:
        """Return the known laws of gradient flow."""
        ...

    def parameter_arrays(self) -> Sequence[Parameters]:
        """Return the arrays that θ consists of, in its order; a number has no index."""
        ...


class Asked(Protocol):
    """A flow as it is asked for: which arrays it is about may be left to the model."""

    def of(self, model: Model) -> Flow:
        """Return the flow as it is written for this model, the same however it was given. Raise
        SpecError, its message beginning with "flow: ", if it names what the model has not.
        """
        ...

    @property
    def even_handed(self) -> bool:
        """Whether it treats all arrays alike, so that a network that is read backwards keeps its
        number of laws.
        """
        ...


class System(Enum):
    """The control systems that theorems are stated for: controls at a state, F being the losses'
    gradients by the outputs along φ, and a drift. Coordinates and time are a flow's own; factors of
    controls, which the controls absorb, are left out.
    """

    GRADIENT = "∇F(θ)"
    METRIC = "M ∇F(θ), M diagonal, M_e a function of θ_e alone"
    DILATED = "∇F(cq) at (q, t) for all numbers c; the drift is ∂_t"
    SECOND_ORDER = "(0, ∇F(θ), 0) at (θ, p, s); the drift is (p, 0, 1)"


class Dynamics(NamedTuple):
    """What theorems ask of a flow.

    copies: of θ in a state: 2 with momenta. clock: whether a time is behind them.
    isometric: whether a control has along a copy of a parameter the derivative of F by it at some
    copy of θ, times a number, and the drift moves a parameter's copies by combinations of these,
    with numbers, functions of time, that are the same for all entries of an array. An orthogonal
    map of the entries of each array, on all copies alike, then maps the control of F to that of F
    after the inverse map, and the drift to itself.
    system: what theorems are stated for, if it is one of these.
    """

    copies: int = 1
    clock: bool = False
    isometric: bool = False
    system: System | None = None

    def state(self, dimension: int) -> int:
        """Return the dimension of the state space for so many parameters."""
        return self.copies * dimension + self.clock


class Flow(Asked, Protocol):
    """How training moves the parameters: frozen, picklable values; equal ones give equal counts."""

    title: ClassVar[str]
    """What it is called, in a line."""
    statement: ClassVar[str]
    """The equation of motion, and what its laws are."""
    source: ClassVar[str]
    """Paper and place."""

    @classmethod
    def written(cls) -> Choice:
        """Return the words and the keys that it is written by, in YAML and in rows."""
        ...

    @property
    def dynamics(self) -> Dynamics:
        """What theorems ask of it; tests/flows/test_declared.py measures it."""
        ...

    def __hash__(self) -> int:
        """Equal flows have equal hashes."""
        ...

    def describe(self) -> str | dict[str, Any]:
        """Return what ``flow:`` holds: a key, or a key with its values; ready for JSON."""
        ...

    def fields(self, model: Model) -> VectorFields:
        """Return its fields on the state space."""
        ...

    def laws(self, model: Model) -> Laws:
        """Return its known laws, as functions of the coordinates of :meth:`fields`."""
        ...

    def kept(self, model: Model, families: Sequence[Family]) -> Sequence[Family]:
        """Return the families of the known laws of a network, in the order of :meth:`laws`, their
        entries not listed; families: those of gradient flow.
        """
        ...

    def timed(self, families: Sequence[Family]) -> int:
        """Return how many independent functions of laws in these families depend on time, whatever
        they are combined with.
        """
        ...

    def coordinates(self, model: Model) -> Coordinates:
        """Return what these coordinates are. Raise SpecError if they are no rational functions of
        θ, so that polynomials in them are none.
        """
        ...

    def motion(self, model: Model, decay: float | None) -> Motion:
        """Return it in floats. decay: the rate λ, of a flow that leaves one open; None for its own
        choice.
        """
        ...
