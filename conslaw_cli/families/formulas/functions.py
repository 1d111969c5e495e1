"""exp, log, sin, cos, tanh, sigmoid and erf of expressions: what they are made of, and when their
values are independent.

States. Every function is a rational expression in values of four kinds, each a base of the normal
form: ``exp m`` for a product m of powers with coefficient 1, ``log b`` for a base b, ``tan(m/2)``,
with which ``sin m = 2t/(1 + t²)`` and ``cos m = (1 − t²)/(1 + t²)``, and the integral of
``exp(−z²)``. An exponential of a sum is a product of powers of these, one for each term of the
argument multiplied out, sines add up likewise, the logarithm of a product is a sum, and exp and log
undo each other. So values at equal or opposite places, or at multiples, share their state.

Theorem. Adjoin roots and states in their order to the field of the variables. Let the list Y have
one entry a step: the argument of an exponential (−z² for an integral of exp(−z²), which is adjoined
behind it), the logarithm itself, i times the argument of a tangent. If no combination of Y with
rational coefficients, not all zero, is constant, the states are algebraically independent.

Proof. Let Ω be the Kähler differentials of the field over the constants, and let derivations D
along the variables act on Ω by L_D (Lie derivative). For a pair u = exp y, with y = log u for a
logarithm, ``ω = du/u − dy`` has L_D ω = 0, and so has ``ζ = dΦ − E dz − Φ ω`` for ``dΦ = E ∂z,
E = exp(−z²/2)``. By Ax's lemma forms killed by all L_D that are dependent over the field are so
over the constants. Take the first step that is not independent. The dX, ω and ζ up to it are then
dependent, over the constants; contraction with ∂/∂X removes the dX. Taking the exterior derivative,
with dω = 0 and dζ = −ζ∧ω, leaves Σ e ζ∧ω = 0. If the step is an exp or log, all e are 0, and
Σ c (du/u − dy) = 0 with constants c; writing these in a basis over Q, Rosenlicht's lemma makes some
product of integer powers of the u constant, and the same combination of the y. If it is an integral
Φ, all other coefficients are 0, and G = (Φ − c)/E solves G' = 1 + zG while it is algebraic over
C(z): being entire it would be a polynomial, and deg zG > deg G'. ∎ (The method: J. Ax, On
Schanuel's conjectures, 1971; M. Rosenlicht, On Liouville's theory of elementary functions, 1976.
Tangents are rational in exp(i S).)

So residues of the states may be drawn freely, as those of variables, once the roots are independent
(algebraic.py, where states count as variables) and the list is: then what residues say of ranks is
true of the functions. ``prove`` tests the list by one rank modulo a prime: a combination that is
constant has no derivative, at any place and in any direction, so where the derivatives of the list
have full rank there is none. Numbers such as e or log 2 are constants; one of them, being
transcendental, is as good as a variable, of several nothing is known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from flint import arb

from conslaw_cli.algebra.field import PrimeField
from conslaw_cli.families.formulas.constants import ball
from conslaw_cli.families.formulas.terms import (
    DependentError,
    Function,
    LimitError,
    Sum,
    Term,
    UndefinedError,
)

if TYPE_CHECKING:
    from conslaw_cli.families.formulas.algebraic import AlgebraicFields
    from conslaw_cli.families.formulas.normal_form import Builder

MAX_EXPANDED = 1000
"""Terms of an argument that is multiplied out."""
MAX_POWER = 20
"""Multiples of one argument of sin and cos by its own; larger ones have a state for themselves."""
MORE_ROWS = 6
"""Places beyond the number of states at which the list is tested."""

ONE = Term(Fraction(1))


class Functions:
    """Makes the terms of functions of terms."""

    def __init__(self, builder: Builder) -> None:
        self._of = builder

    @property
    def known(self) -> dict[str, Callable[[Term], Term]]:
        """The functions by their names."""
        return {
            "exp": self.exp,
            "log": self.log,
            "sin": lambda x: self._circle(x)[1],
            "cos": lambda x: self._circle(x)[0],
            "tanh": self.tanh,
            "sigmoid": self.sigmoid,
            "erf": self.erf,
        }

    def exp(self, term: Term) -> Term:
        """Return the product of powers of the exponentials of the argument's terms."""
        return self._of.product([ONE, *map(self._exp, self._expanded(term))])

    def _exp(self, term: Term) -> Term:
        base = self._of.bases[term.factors[0][0]] if term.factors else None
        alone = len(term.factors) == 1 and term.factors[0][1] == 1
        if alone and isinstance(base, Function) and base.kind == "log":
            return self._of.power(_scaled(base.argument, 1), term.coefficient * base.sign)
        state = self._state("exp", Term(Fraction(1), term.factors), Term(Fraction(0)))
        return self._of.power(state, term.coefficient)

    def log(self, term: Term) -> Term:
        """Return the sum of the logarithms of a product's factors."""
        whole = self._of.with_contents(term)
        positive = all(self._of.values[i] > 0 for i, _ in whole.factors)
        if whole.coefficient <= 0 or not positive:
            raise UndefinedError("positive")
        parts = [_scaled(self._log(i), e) for i, e in whole.factors]
        for prime, e in self._of.factored(whole.coefficient):
            number = Term(Fraction(prime))
            parts.append(_scaled(self._state("log", number, ONE), e))
        return self._of.sum(parts)

    def _log(self, index: int) -> Term:
        base, own = self._of.bases[index], Term(Fraction(1), ((index, Fraction(1)),))
        if isinstance(base, Function) and base.kind == "exp":
            return base.argument
        return self._state("log", own, self._of.power(own, Fraction(-1)))

    def tanh(self, term: Term) -> Term:
        """Return ``(E² − 1)/(E² + 1)`` for E = exp."""
        square = self.exp(_scaled(term, 2))
        return self._quotient([square, Term(Fraction(-1))], [square, ONE])

    def sigmoid(self, term: Term) -> Term:
        """Return ``E/(E + 1)`` for E = exp."""
        state = self.exp(term)
        return self._quotient([state], [state, ONE])

    def erf(self, term: Term) -> Term:
        """Return ``2/√π`` times the integral of exp(−z²)."""
        sign, size = (-1, _scaled(term, -1)) if term.coefficient < 0 else (1, term)
        if not size.coefficient:
            return size
        slope = self.exp(_scaled(self._of.product([size, size]), -1))
        argument = Term(Fraction(1), size.factors)
        whole = self._of.product([Term(size.coefficient), slope])
        state = self._state("erf", argument, whole)
        factor = self._state("number", ONE, Term(Fraction(0)))
        return self._of.product([Term(Fraction(sign)), factor, state])

    def _circle(self, term: Term) -> tuple[Term, Term]:
        """Return cosine and sine, by those of the argument's terms."""
        cosine, sine = ONE, Term(Fraction(0))
        for part in self._expanded(term):
            times = abs(part.coefficient.numerator)
            times = times if times <= MAX_POWER else 1
            once = self._half(part, abs(part.coefficient) / times)
            for _ in range(times):
                cosine, sine = (
                    self._combined(cosine, once[0], sine, once[1], -1),
                    self._combined(sine, once[0], cosine, once[1], 1),
                )
        return cosine, sine

    def _half(self, term: Term, size: Fraction) -> tuple[Term, Term]:
        """Return cosine and sine of a product, with that size of its coefficient, by the tangent of
        half of it.
        """
        sign = 1 if term.coefficient > 0 else -1
        own, slope = Term(Fraction(1), term.factors), Term(size / 2)
        half = self._state("tan", own, slope)
        square = self._of.power(half, Fraction(2))
        return (
            self._quotient([ONE, _scaled(square, -1)], [ONE, square]),
            self._quotient([_scaled(half, 2 * sign)], [ONE, square]),
        )

    def _combined(self, a: Term, b: Term, c: Term, d: Term, sign: int) -> Term:
        product = self._of.product
        return self._of.sum([product([a, b]), _scaled(product([c, d]), sign)])

    def _quotient(self, above: Sequence[Term], below: Sequence[Term]) -> Term:
        inverse = self._of.power(self._of.sum(below), Fraction(-1))
        return self._of.product([self._of.sum(above), inverse])

    def _state(self, kind: str, argument: Term, slope: Term) -> Term:
        """Return the term of a state; its base is positive at the base point."""
        at = value_of(kind, slope.coefficient, self._of.value(argument))
        sign = -1 if at < 0 else 1
        index = self._of.base(Function(kind, argument, slope, sign), at * sign)
        return Term(Fraction(sign), ((index, Fraction(1)),))

    def _expanded(self, term: Term) -> list[Term]:
        """Return the terms of an argument, whole powers of sums multiplied out."""
        place = next(
            (
                k
                for k, (i, e) in enumerate(term.factors)
                if e > 0 and e.denominator == 1 and isinstance(self._of.bases[i], Sum)
            ),
            None,
        )
        if place is None:
            return [term] if term.coefficient else []
        (i, e), base = term.factors[place], self._of.bases[term.factors[place][0]]
        assert isinstance(base, Sum)
        less = ((i, e - 1),) if e > 1 else ()
        rest = Term(term.coefficient, (*term.factors[:place], *less, *term.factors[place + 1 :]))
        parts = [p for t in base.terms for p in self._expanded(self._of.product([rest, t]))]
        if len(parts) > MAX_EXPANDED:
            raise LimitError(f"an argument of more than {MAX_EXPANDED:,} terms")
        total = self._of.sum(parts)
        inner = self._of.bases[total.factors[0][0]] if len(total.factors) == 1 else None
        if isinstance(inner, Sum) and total.factors[0][1] == 1:
            return [_scaled(t, total.coefficient) for t in inner.terms]
        return [total] if total.coefficient else []


def _scaled(term: Term, factor: Fraction | int) -> Term:
    coefficient = term.coefficient * factor
    return Term(coefficient, term.factors if coefficient else ())


def value_of(kind: str, slope: Fraction, x: arb) -> arb:
    """Return the value of a state at an argument; slope: the coefficient of its slope."""
    if kind in ("exp", "log"):
        return x.exp() if kind == "exp" else x.log()
    if kind == "tan":
        return (x * ball(slope)).tan()
    root = arb.pi().sqrt() / 2
    return (x * ball(slope)).erf() * root if kind == "erf" else 1 / root


# ---- independence


def prove(fields: AlgebraicFields, shown: Callable[[int], str]) -> None:
    """Test that the states are independent. Raise DependentError where they are not known to
    be.
    """
    graph, supports = fields.graph, fields.graph.supports()
    states = [(i, base) for i, base in enumerate(graph.bases) if isinstance(base, Function)]
    numbers = [i for i, base in states if min(supports[i]) < 0]
    if len(numbers) > 1:
        listed = " and ".join(map(shown, numbers))
        raise DependentError(f"the numbers {listed} are not known to be algebraically independent")
    moving = [(i, base) for i, base in states if i not in numbers]
    for kinds in (("exp", "log"), ("tan",)):
        chosen = [(i, base) for i, base in moving if base.kind in kinds]
        if chosen and _rank(fields, chosen) < len(chosen):
            listed = ", ".join(shown(i) for i, _ in chosen)
            raise DependentError(
                f"the values {listed} are not known to be independent functions, as their"
                " arguments, or logarithms, seem to be linearly dependent"
            )


def _rank(fields: AlgebraicFields, states: Sequence[tuple[int, Function]]) -> int:
    """Return the rank of derivatives of the list at random places, in random directions."""
    rng = np.random.default_rng(0)
    field = PrimeField(fields.prime(rng))
    rows = list[list[float]]()
    for _ in range(len(states) + MORE_ROWS):
        there, theta = fields.at(field, rng)
        direction = field.random(rng, theta.shape)
        values = there.slopes(field, np.concatenate([theta, direction], axis=2))
        rows.append([values[i] if base.kind == "log" else values[~i] for i, base in states])
    return int(field.rank(np.array(rows)))
