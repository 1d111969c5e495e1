"""Diagonal metrics of mirror flows, one function of a parameter each.

A mirror flow is ``θ' = −M(θ) ∇L(θ)`` with M diagonal, ``M_e = r m(θ_e)``, for a rate r. A metric is
computed in a coordinate x in which θ and ``dx/dt = r m ∂L/(dθ/dx)`` are rational: x = θ for powers,
and for the hypentropy ``m = √(θ² + β²)`` the x with ``θ = β (x − 1/x)/2``, for which ``m = β (x +
1/x)/2`` and ``m/(dθ/dx) = x``.

With ``Y' = θ/m``, a scaling ``θ_e → e^{ε c_e} θ_e`` of some parameters that leaves φ as it is has
the law ``Σ c_e Y_e/r_e``: Y is θ²/2 for m = 1, θ for m = θ, ln θ for θ², ``θ^{2−p}/(2−p)`` for θ^p,
and ``√(θ² + β²)`` for the hypentropy.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from conslaw_cli import checks
from conslaw_cli.algebra.field import Array, PrimeField
from conslaw_cli.algebra.rings import derivative, multiply, value
from conslaw_cli.flows.friction import Formula
from conslaw_cli.flows.grammar import Choice, Rational, Whole

Floats = NDArray[np.float64]

LARGEST = 10**6
"""Largest numerator and denominator of a rate and of a hypentropy's β: no prime that is computed
with divides them.
"""
LARGEST_POWER = 100


class Metric(Protocol):
    """m as a function of one parameter, in a coordinate x; arrays (batch, n, 2^k) of jets."""

    @property
    def constant(self) -> bool:
        """Whether m = 1."""
        ...

    @property
    def degree(self) -> int:
        """Degree of dx/dt in x, apart from the gradient's."""
        ...

    @property
    def poles(self) -> int:
        """Order of the pole of θ at x = 0."""
        ...

    @property
    def bits(self) -> int:
        """What one θ adds to the logarithm of coefficients."""
        ...

    @property
    def straight(self) -> bool:
        """Whether Y is a multiple of x."""
        ...

    @property
    def square(self) -> Fraction:
        """The number c in Y = c f, where f is what :meth:`squared` writes."""
        ...

    @property
    def shift(self) -> Fraction:
        """The number c in η = c f, where f is what :meth:`shifted` writes."""
        ...

    def squared(self, name: Formula) -> Formula:
        """Return Y, apart from ``square``, of a parameter as text and LaTeX."""
        ...

    def shifted(self, name: Formula) -> Formula:
        """Return η, apart from ``shift``."""
        ...

    def code(self, name: str, square: bool) -> str:
        """Return what :meth:`squared` writes, or :meth:`shifted`, in Python, where it may call
        ``log``, ``sqrt`` and ``arcsinh``.
        """
        ...

    def describe(self) -> Any:
        """Return its key, or its key with a value."""
        ...

    def position(self, field: PrimeField, x: Array) -> Array:
        """Return θ."""
        ...

    def speed(self, field: PrimeField, x: Array) -> Array:
        """Return dx/dt for ``∂_e L = −1`` and rate 1."""
        ...

    @property
    def positive(self) -> bool:
        """Whether it is meant for positive θ."""
        ...

    def at(self, theta: Floats) -> tuple[Floats, Floats, Floats]:
        """Return m, and what :meth:`squared` and :meth:`shifted` write, at floats θ."""
        ...


@dataclass(frozen=True, slots=True)
class Power:
    """``m = θ^p``, for an integer p from 0 to 100: Euclidean for 0, the entropy's for 1.

    >>> from conslaw_cli import MLP, Mirror, Problem
    >>> for metric in Power(0), Power(1), Power(2), Power(3):
    ...     flow = Mirror((("U1", metric),))
    ...     print(*(each.text for each in Problem(MLP((1, 1, 1)), flow).laws().families))
    diag(U1ᵀU1 − U2U2ᵀ)
    2·U1ᵀ·1 − diag(U2U2ᵀ)
    2·ln(U1)ᵀ·1 − diag(U2U2ᵀ)
    −2·U1^(-1)ᵀ·1 − diag(U2U2ᵀ)
    """

    exponent: int

    def __post_init__(self) -> None:
        checks.integer("power", self.exponent, 0, LARGEST_POWER)

    @property
    def constant(self) -> bool:
        """Whether it is Euclidean."""
        return self.exponent == 0

    @property
    def degree(self) -> int:
        """p."""
        return self.exponent

    @property
    def poles(self) -> int:
        """None."""
        return 0

    @property
    def bits(self) -> int:
        """None: θ = x."""
        return 0

    @property
    def straight(self) -> bool:
        """Whether Y = θ."""
        return self.exponent == 1

    @property
    def square(self) -> Fraction:
        """Y is ``θ^{2−p}/(2−p)`` or ln θ."""
        return Fraction(1, 2 - self.exponent) if self.exponent != 2 else Fraction(1)

    @property
    def shift(self) -> Fraction:
        """η is ``θ^{1−p}/(1−p)`` or ln θ."""
        return Fraction(1, 1 - self.exponent) if self.exponent != 1 else Fraction(1)

    def squared(self, name: Formula) -> Formula:
        """Return ``θ^{2−p}`` or ln θ."""
        return _power(name, 2 - self.exponent)

    def shifted(self, name: Formula) -> Formula:
        """Return ``θ^{1−p}`` or ln θ."""
        return _power(name, 1 - self.exponent)

    def code(self, name: str, square: bool) -> str:
        """Return a power or the logarithm."""
        exponent = 1 + square - self.exponent
        if exponent == 0:
            return f"log({name})"
        return name if exponent == 1 else f"{name}**({exponent})"

    def describe(self) -> dict[str, int]:
        """Return the key with p."""
        return {"power": self.exponent}

    def position(self, field: PrimeField, x: Array) -> Array:
        """θ = x."""
        return x

    def speed(self, field: PrimeField, x: Array) -> Array:
        """Return x^p."""
        power = _one(x)
        for _ in range(self.exponent):
            power = multiply(field, power, x)
        return power

    @property
    def positive(self) -> bool:
        """All but the Euclidean one."""
        return self.exponent > 0

    def at(self, theta: Floats) -> tuple[Floats, Floats, Floats]:
        """Return θ^p, and powers or logarithms."""
        square, shift = (
            theta**e if e else np.log(theta) for e in (2.0 - self.exponent, 1.0 - self.exponent)
        )
        return theta**self.exponent, square, shift


@dataclass(frozen=True, slots=True)
class Hypentropy:
    """``m = √(θ² + β²)``, for a rational β > 0: between Euclidean, where θ is small, and the
    entropy's, for θ of either sign.

    >>> from conslaw_cli import MLP, Mirror, Problem
    >>> flow = Mirror((("U1", Hypentropy(Fraction(1, 2))),))
    >>> print(*(each.text for each in Problem(MLP((1, 1, 1)), flow).laws().families))
    2·√(U1² + (1/2)²)ᵀ·1 − diag(U2U2ᵀ)
    """

    beta: Fraction

    def __post_init__(self) -> None:
        object.__setattr__(self, "beta", checks.positive("hypentropy", self.beta, LARGEST))

    @property
    def constant(self) -> bool:
        """It is not."""
        return False

    @property
    def degree(self) -> int:
        """1: dx/dt is x."""
        return 1

    @property
    def poles(self) -> int:
        """1."""
        return 1

    @property
    def bits(self) -> int:
        """θ has two terms, of coefficients β/2."""
        return self.beta.numerator.bit_length() + self.beta.denominator.bit_length() + 2

    @property
    def straight(self) -> bool:
        """It has two terms."""
        return False

    @property
    def square(self) -> Fraction:
        """Y is a root."""
        return Fraction(1)

    @property
    def shift(self) -> Fraction:
        """η is the inverse of a hyperbolic sine."""
        return Fraction(1)

    def squared(self, name: Formula) -> Formula:
        """Return ``√(θ² + β²)``."""
        text, tex = name
        beta = f"({self.beta})" if self.beta.denominator > 1 else f"{self.beta}"
        return f"√({text}² + {beta}²)", rf"\sqrt{{{tex}^2 + {_tex(self.beta)}^2}}"

    def shifted(self, name: Formula) -> Formula:
        """Return ``arsinh(θ/β)``."""
        text, tex = name
        beta = f"({self.beta})" if self.beta.denominator > 1 else f"{self.beta}"
        return f"arsinh({text}/{beta})", rf"\operatorname{{arsinh}}({tex}/{_tex(self.beta)})"

    def code(self, name: str, square: bool) -> str:
        """Return a root or the inverse of a hyperbolic sine, in integers, which SymPy reads
        exactly.
        """
        above, below = self.beta.as_integer_ratio()
        times, over = (f"({below}*{name})", f"/{below}") if below > 1 else (name, "")
        return f"sqrt({times}**2 + {above}**2){over}" if square else f"arcsinh({times}/{above})"

    def describe(self) -> dict[str, int | str]:
        """Return the key with β."""
        return {"hypentropy": plain(self.beta)}

    def position(self, field: PrimeField, x: Array) -> Array:
        """Return ``β (x − 1/x)/2``."""
        scaled = (x - inverse(field, x)) * residue(field, self.beta / 2)
        return field.reduce(scaled)

    def speed(self, field: PrimeField, x: Array) -> Array:
        """Return x."""
        return x

    @property
    def positive(self) -> bool:
        """It is not."""
        return False

    def at(self, theta: Floats) -> tuple[Floats, Floats, Floats]:
        """Return ``√(θ² + β²)`` twice, and ``arsinh(θ/β)``."""
        beta = float(self.beta)
        root = np.hypot(theta, beta)
        return root, root, np.arcsinh(theta / beta)


def _power(name: Formula, exponent: int) -> Formula:
    text, tex = name
    if exponent == 0:
        return f"ln({text})", rf"\ln({tex})"
    return (text, tex) if exponent == 1 else (f"{text}^({exponent})", f"{tex}^{{({exponent})}}")


def _tex(number: Fraction) -> str:
    top, bottom = number.numerator, number.denominator
    return str(top) if bottom == 1 else rf"\bigl(\tfrac{{{top}}}{{{bottom}}}\bigr)"


EUCLIDEAN = Power(0)
ENTROPY = Power(1)
METRIC = Choice(
    {"euclidean": EUCLIDEAN, "entropy": ENTROPY},
    {
        "power": Whole(0, LARGEST_POWER, Power),
        "hypentropy": Rational(LARGEST, Hypentropy),
    },
    expected="euclidean, entropy, {power: 1} or {hypentropy: 1}",
)
"""How one is written."""


def plain(number: Fraction) -> int | str:
    """Return a rational number as JSON and YAML have it: 2, "1/10"."""
    return int(number) if number.denominator == 1 else str(number)


def residue(field: PrimeField, number: Fraction) -> float:
    """Return a rational number mod p, centred; p is larger than any denominator that is allowed."""
    inverted = field.inverse(float(number.denominator % field.p))
    return float(field.reduce(np.array([float(number.numerator % field.p) * inverted]))[0])


def exponential(field: PrimeField, x: Array) -> Array:
    """Return the exponentials, entry by entry, of jets whose values are 0."""
    if x.shape[-1] == 1:
        return np.ones_like(x)
    low = exponential(field, value(x))
    return np.concatenate([low, multiply(field, low, derivative(x))], axis=-1)


def inverse(field: PrimeField, x: Array) -> Array:
    """Invert jets whose values are not 0, entry by entry."""
    if x.shape[-1] > 1:
        low = inverse(field, value(x))
        high = multiply(field, multiply(field, low, low), derivative(x))
        return np.concatenate([low, -high], axis=-1)
    result, power, exponent = np.ones_like(x), x, field.p - 2
    while exponent:
        if exponent % 2:
            result = field.reduce(result * power)
        power, exponent = field.reduce(power * power), exponent // 2
    return result


def _one(x: Array) -> Array:
    one = np.zeros_like(x)
    one[..., 0] = 1
    return one
