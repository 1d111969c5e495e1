"""Activations: functions of each unit by itself.

Of a function that is no polynomial only its values and derivatives at some arguments are needed:
residues that a hash of the argument decides. A rank modulo a prime that they give is a proved lower
bound for generic θ where these values are independent functions: for the exponential that is so if
the differences of its arguments at different inputs are linearly independent over the rationals
(docs/theory.md); for a generic smooth function if the arguments are different, as then a polynomial
with integer coefficients takes these values.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from conslaw_cli import checks
from conslaw_cli.algebra.field import Array as Residues
from conslaw_cli.algebra.field import PrimeField
from conslaw_cli.algebra.rings import Ring, Rule, Values
from conslaw_cli.errors import SpecError
from conslaw_cli.networks.operation import (
    Gradients,
    Growth,
    Key,
    KeyKind,
    Layer,
    Operation,
    Read,
    Shape,
    Ways,
    only,
    positions,
)

if TYPE_CHECKING:
    from conslaw_cli.networks.wiring import Array, Wire, Wiring

LINEAR = ("linear", "identity")
HOMOGENEOUS = ("relu", "leaky_relu", "abs", "homogeneous")
"""Positively homogeneous activations of degree one; they share φ_ReLU."""
ACTIVATIONS = LINEAR + HOMOGENEOUS
BELOW = {"relu": 0.0, "leaky_relu": 0.01, "abs": -1.0, "homogeneous": -0.5}
"""Their slopes below 0, where numbers are asked for; above it is 1. Any would do for the last."""


@dataclass(frozen=True, slots=True)
class Activation(Operation):
    """A positively homogeneous activation of degree one, or the identity: ``h = s ⊙ z``.

    The slopes s of the former are free factors: φ_ReLU has one path variable for every neuron that
    a path goes through (arXiv 2307.00144, eq. (15)). Raise SpecError for an unknown name.

    >>> from conslaw_cli import Layers, Linear, count_laws
    >>> for name in "linear", "relu", "abs":
    ...     print(name, count_laws(Layers((3,), (Linear(4), Activation(name), Linear(2)))).laws)
    linear 10
    relu 4
    abs 4
    """

    name: str

    keyword = "activation"
    title = "positively homogeneous activation, its slopes free"
    source = "arXiv 2307.00144, eq. (15), Prop. 4.1"

    def __post_init__(self) -> None:
        checks.choice("activation", self.name, ACTIVATIONS)

    @classmethod
    def examples(cls) -> tuple[tuple[Operation, tuple[Shape, ...]], ...]:
        """Return one with slopes, on vectors and on channels, and the identity."""
        return (cls("relu"), ((3,),)), (cls("abs"), ((2, 3),)), (cls("linear"), ((2,),))

    @classmethod
    def parsed(
        cls, word: str, units: int | None, options: Mapping[str, str], arrays: int
    ) -> Operation:
        """Read ``h = relu(z)``."""
        only(options)
        return cls(word)

    @classmethod
    def words(cls) -> tuple[str, ...]:
        """Return the names of all of them."""
        return ACTIVATIONS

    @property
    def word(self) -> str:
        """Its name."""
        return self.name

    @property
    def gated(self) -> bool:
        """Whether there are slopes."""
        return self.name not in LINEAR

    def idle(self, *inputs: Shape) -> bool:
        """Without slopes."""
        return not self.gated

    def ways(self, read: Ways) -> Ways | None:
        """Entries stay where they are."""
        return read

    def state(self, *inputs: Shape) -> Shape | None:
        """One slope for every value."""
        (shape,) = inputs
        return (shape[0], positions(shape)) if self.gated else None

    def slopes(self, *inputs: Values) -> Values:
        """Return the slope on the side of 0 where a value is; at 0 the one below."""
        (z,) = inputs
        return np.where(z > 0, 1.0, BELOW[self.name])

    def forward(self, at: Read) -> Values:
        """Multiply every value by its slope."""
        return at.ring.multiply(at.inputs[0], at.state) if self.gated else at.inputs[0]

    def pullback(self, at: Read, delta: Values) -> Gradients:
        """Multiply the cotangent by the same slopes."""
        return (at.ring.multiply(delta, at.state) if self.gated else delta,)

    def growth(self, *inputs: Growth) -> Growth:
        """One factor a term."""
        return Growth(inputs[0].parameters, inputs[0].probe + self.gated)

    def wires(self, wiring: Wiring, inputs: Sequence[Wire], arrays: Sequence[Array]) -> Wire:
        """Only diagonal maps commute with it."""
        return wiring.diagonal(inputs[0]) if self.gated else inputs[0]


MAX_POWER = 64


@dataclass(frozen=True, slots=True)
class Power(Operation):
    """``h = z^k`` for an integer k from 2 to 64, homogeneous of degree k."""

    exponent: int

    keyword = "power"
    title = "integer power of each unit"
    source = "docs/theory.md, section 5, where a scaling of z becomes its k-th power"
    linear = False

    def __post_init__(self) -> None:
        checks.integer("power", self.exponent, 2, MAX_POWER)

    @classmethod
    def examples(cls) -> tuple[tuple[Operation, tuple[Shape, ...]], ...]:
        """Return squares and cubes."""
        return (cls(2), ((3,),)), (cls(3), ((2, 2),))

    @classmethod
    def parsed(
        cls, word: str, units: int | None, options: Mapping[str, str], arrays: int
    ) -> Operation:
        """Read ``h = power(z, k=2)``."""
        only(options, "k")
        text = options.get("k", "")
        if not (text.isascii() and text.isdecimal() and len(text) < 5):
            raise SpecError(f"power: expected an exponent such as k=2, got {checks.shown(text)}")
        return cls(int(text))

    @classmethod
    def layers(cls) -> tuple[Layer, ...]:
        """``power: 2``."""
        keys = {"exponent": Key(KeyKind.SIZE, required=True, least=2, most=MAX_POWER)}
        return (Layer("power", keys, "exponent", None, cls),)

    @property
    def label(self) -> str:
        """``power 2``."""
        return f"power {self.exponent}"

    def options(self) -> dict[str, str]:
        """Return the exponent."""
        return {"k": str(self.exponent)}

    def forward(self, at: Read) -> Values:
        """Multiply."""
        return _power(at.ring, at.inputs[0], self.exponent)

    def pullback(self, at: Read, delta: Values) -> Gradients:
        """Multiply the cotangent by k z^(k−1)."""
        below = _power(at.ring, at.inputs[0], self.exponent - 1)
        return (at.ring.multiply(delta, at.ring.scale(below, Fraction(self.exponent))),)

    def growth(self, *inputs: Growth) -> Growth:
        """k times those of z."""
        return Growth.total(inputs * self.exponent)

    def wires(self, wiring: Wiring, inputs: Sequence[Wire], arrays: Sequence[Array]) -> Wire:
        """A scaling of z becomes its k-th power."""
        return wiring.scaled(wiring.diagonal(inputs[0]), self.exponent)


def _power(ring: Ring, z: Values, exponent: int) -> Values:
    power = z
    for _ in range(exponent - 1):
        power = ring.multiply(power, z)
    return power


class _Function(Operation):
    """What functions of one variable that are no polynomials have in common: the chain rule."""

    __slots__ = ()
    linear = False
    polynomial = False
    separating = False  # 0 becomes a constant

    @classmethod
    def examples(cls) -> tuple[tuple[Operation, tuple[Shape, ...]], ...]:
        """Return one on a vector and one on channels."""
        return (cls(), ((3,),)), (cls(), ((2, 2),))

    @property
    def rule(self) -> Rule:
        """The function."""
        raise NotImplementedError

    def forward(self, at: Read) -> Values:
        """Apply it."""
        return at.ring.function(self.rule, at.inputs[0])

    def pullback(self, at: Read, delta: Values) -> Gradients:
        """Multiply the cotangent by its derivative."""
        return (at.ring.multiply(delta, at.ring.function(self.rule, at.inputs[0], 1)),)

    def growth(self, *inputs: Growth) -> Growth:
        """One free factor; and n fields in a bracket are differentiated 2n − 1 times, by each of
        which a derivative of z may come.
        """
        (z,) = inputs
        return Growth(2 * z.parameters, 2 * z.probe + 1)


class Exp(_Function):
    """The exponential ``h = e^z``."""

    keyword = "exp"
    title = "exponential of each unit"
    exponential = True
    source = "J. Ax: On Schanuel's conjectures, Annals of Mathematics, 1971"

    @property
    def rule(self) -> Rule:
        """e^z."""
        return Exponential()

    def wires(self, wiring: Wiring, inputs: Sequence[Wire], arrays: Sequence[Array]) -> Wire:
        """A shift of z becomes a scaling."""
        return wiring.exponentiated(inputs[0])


class Smooth(_Function):
    """Any smooth function: what holds for a generic one. One function for all units."""

    keyword = "smooth"
    title = "generic smooth function of each unit"
    source = "docs/theory.md, section 17"
    generic = True

    @property
    def rule(self) -> Rule:
        """No function in particular."""
        return Generic()

    def wires(self, wiring: Wiring, inputs: Sequence[Wire], arrays: Sequence[Array]) -> Wire:
        """Nothing passes."""
        return wiring.stopped(inputs[0])


class Exponential:
    """The rule of e^z: equal to its derivatives, 1 at 0, and e^(−z) = 1/e^z."""

    def residues(self, field: PrimeField, z: Residues, count: int) -> list[Residues]:
        """Return the value, again and again."""
        size = np.minimum(z % field.p, -z % field.p)
        known = _hashed(field, size, _EXPONENTIAL)
        inverse = field.power(known, field.p - 2)
        value = np.where(size == 0, 1.0, np.where(z % field.p == size, known, inverse))
        return [value] * count

    def real(self, z: Values, order: int) -> Values:
        """Return e^z."""
        return np.exp(z)


class Generic:
    """The rule of a function of which nothing is known."""

    def residues(self, field: PrimeField, z: Residues, count: int) -> list[Residues]:
        """Return what a hash of argument and order gives."""
        return [_hashed(field, z % field.p, order) for order in range(count)]

    def real(self, z: Values, order: int) -> Values:
        """Return sin(z + 1), as good as any."""
        return np.sin(z + 1 + order * np.pi / 2)


_EXPONENTIAL = 1 << 20
"""A salt that no order of a derivative is."""


def _hashed(field: PrimeField, z: Residues, salt: int) -> Residues:
    """Return residues other than 0, as if drawn for each of the numbers from 0 to p − 1 and each
    salt (SplitMix64, G. Steele, D. Lea, C. Flood, OOPSLA 2014).
    """
    x = z.astype(np.uint64) + np.uint64(field.p) * np.uint64(salt + 1)
    with np.errstate(over="ignore"):
        x *= np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    return field.reduce((x % np.uint64(field.p - 1)).astype(np.float64) + 1)


NAMES = (*ACTIVATIONS, "exp", "smooth", "power:2")
"""The names of activations; power:3 and so on as well."""


@lru_cache(maxsize=64)
@lru_cache(maxsize=64)
def activation(name: str) -> Operation:
    """Return the operation of an activation's name. Raise SpecError if there is none."""
    if found := re.fullmatch(r"power:([0-9]{1,4})", name):
        checks.integer("activation: power", int(found[1]), 2, MAX_POWER)
        return Power(int(found[1]))
    checks.choice("activation", name, NAMES)
    others: dict[str, Operation] = {"exp": Exp(), "smooth": Smooth()}
    return others.get(name) or Activation(name)
