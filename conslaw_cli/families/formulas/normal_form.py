"""The normal form of algebraic expressions, made at a real base point (terms.py).

Every base is taken with the sign that makes it positive at the base point. Then powers multiply,
``(a b)^e = a^e b^e``, with positive roots throughout. Equal sums are one base. So that a root is
taken of as little as possible, what all terms of a sum share is taken out of it first:
``√(2x + √2 x)`` is ``√(2 + √2) √x``. Constants are compared exactly (constants.py): a sum has no
terms that add up to zero, and a root of a sum of constants that lies in the field of the others is
replaced by a sum of these.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import chain, combinations, product
from math import gcd, lcm

from flint import arb, fmpq, fmpz

from conslaw_cli.families.formulas.constants import Constants, ball, power_product
from conslaw_cli.families.formulas.terms import (
    Base,
    Factors,
    Function,
    Graph,
    LimitError,
    Prime,
    Sum,
    Term,
    UndefinedError,
    Variable,
    below_of,
)

MAX_EXPONENT = 1000
MAX_ROOT = 60
MAX_BITS = 1024
"""Size of a rational number's numerator and denominator."""
MAX_FACTORED_BITS = 64
"""Size of numbers that roots are taken of: they are factored."""
MAX_TERMS = 100_000
FACTORS = 2
"""Roots that a root of constants is taken to be a product of, if there are many to choose from."""
PRECISION = 256
"""Bits to which values at the base point are computed."""


class Builder:
    """Makes terms at one base point; equal bases are made once.

    primes: prime numbers that have roots, with the orders of these, in whose field roots of other
    constants are looked for besides those that come up.
    """

    def __init__(self, point: Sequence[fmpq], primes: Mapping[int, int] | None = None) -> None:
        self.point = point
        self.bases = list[Base]()
        self.values = list[arb]()  # of the bases, at the base point
        self.constants = Constants()
        self.nested = False  # whether roots of constant sums were looked for
        self._index = dict[Base, int]()
        self._room = MAX_TERMS
        self._roots = dict[int, int]()  # constants that have roots, and the orders of these
        self._found = dict[tuple[int, int], Term | None]()
        self.known_primes = dict(primes or {})
        for prime, order in self.known_primes.items():
            self._roots[self.base(Prime(prime), arb(prime))] = order

    @property
    def primes(self) -> dict[int, int]:
        """The prime numbers that have roots, and the orders of these."""
        bases = ((self.bases[i], order) for i, order in self._roots.items())
        return {base.value: order for base, order in bases if isinstance(base, Prime)}

    def graph(self, outputs: Sequence[Term]) -> Graph:
        """Return the outputs with the bases that they are made of."""
        used = {i for term in outputs for i, _ in term.factors}
        for index in range(len(self.bases) - 1, -1, -1):
            if index in used:
                used |= {i for i, _ in below_of(self.bases[index])}
        number = {index: place for place, index in enumerate(sorted(used))}

        def renumbered(term: Term) -> Term:
            return Term(term.coefficient, tuple((number[i], e) for i, e in term.factors))

        def kept_of(base: Base) -> Base:
            if isinstance(base, Function):
                argument, slope = renumbered(base.argument), renumbered(base.slope)
                return Function(base.kind, argument, slope, base.sign)
            return Sum(tuple(map(renumbered, base.terms))) if isinstance(base, Sum) else base

        kept = (kept_of(self.bases[index]) for index in sorted(used))
        point = tuple(Fraction(int(x.p), int(x.q)) for x in self.point)
        return Graph(len(point), tuple(kept), tuple(map(renumbered, outputs)), point)

    def variable(self, index: int) -> Term:
        """Return the term of a variable."""
        sign = 1 if self.point[index] > 0 else -1
        return Term(
            Fraction(sign),
            ((self.base(Variable(index, sign), arb(self.point[index] * sign)), Fraction(1)),),
        )

    def sum(self, terms: Iterable[Term]) -> Term:
        """Return a sum: its content times a base, unless a single term is left."""
        kept = self._kept(terms)
        if len(kept) < 2:
            return kept[0] if kept else Term(Fraction(0))
        if common := self._common(kept):
            ours = (Term(term.coefficient, self.constants.split(term.factors)[0]) for term in kept)
            return self.product([self.sum(ours), Term(Fraction(1), common)])
        over = [term.coefficient.as_integer_ratio() for term in kept]
        content = Fraction(gcd(*(n for n, _ in over)), lcm(*(d for _, d in over)))
        sign, value = self._sign([Term(t.coefficient / content, t.factors) for t in kept])
        content *= sign
        base = Sum(tuple(Term(_bounded(t.coefficient / content), t.factors) for t in kept))
        return Term(_bounded(content), ((self.base(base, abs(value)), Fraction(1)),))

    def _kept(self, terms: Iterable[Term]) -> list[Term]:
        """Collect equal terms; leave out those that add up to zero."""
        total = dict[Factors, Fraction]()
        for term in terms:
            for part in self._summands(term):
                total[part.factors] = total.get(part.factors, Fraction(0)) + part.coefficient
        groups = dict[Factors, list[Term]]()
        for factors in sorted(total):
            if total[factors]:
                own = self.constants.split(factors)[1]
                groups.setdefault(own, []).append(Term(_bounded(total[factors]), factors))
        kept = (group for own, group in groups.items() if self._nonzero(own, group))
        return sorted((term for group in kept for term in group), key=lambda term: term.factors)

    def _nonzero(self, own: Factors, group: Sequence[Term]) -> bool:
        """Whether terms that share the factors ``own``, and else are constants, are not 0
        together.
        """
        ours = [Term(t.coefficient, tuple(f for f in t.factors if f not in own)) for t in group]
        return len(group) == 1 or self.constants.sign(ours)[0] != 0

    def _constant(self, terms: Iterable[Term]) -> bool:
        return not any(self.constants.split(term.factors)[1] for term in terms)

    def _common(self, terms: Sequence[Term]) -> Factors:
        """Return the factors of terms that differ by constants only; nothing for others."""
        first, *others = (self.constants.split(term.factors)[1] for term in terms)
        return first if all(other == first for other in others) else ()

    def _sign(self, terms: Sequence[Term]) -> tuple[int, arb]:
        """Return the sign of a sum at the base point and its value. If that is not certainly
        nonzero, the sign is that of the first term: such a sum has no powers but whole ones.
        """
        if self._constant(terms):
            return self.constants.sign(terms)
        parts = (ball(t.coefficient) * power_product(t.factors, self.values) for t in terms)
        value = sum(parts, arb(0))
        negative = value < 0 or (not value > 0 and terms[0].coefficient < 0)
        return (-1 if negative else 1), value

    def rational(self, term: Term) -> Fraction | None:
        """Return the rational number that a constant is, if its denominator is at most MAX_ROOT;
        None for others.
        """
        if not term.factors:
            return term.coefficient
        if not self._constant([term]):
            return None
        value = self.constants.sign([term])[1].mid().fmpq()
        near = Fraction(int(value.p), int(value.q)).limit_denominator(MAX_ROOT)
        return near if self.constants.sign([term, Term(-near)])[0] == 0 else None

    def product(self, terms: Iterable[Term]) -> Term:
        """Return a product: exponents of equal bases add up."""
        coefficient, factors = Fraction(1), dict[int, Fraction]()
        for term in terms:
            coefficient = _bounded(coefficient * term.coefficient)
            for i, e in term.factors:
                factors[i] = factors.get(i, Fraction(0)) + e
        return self._term(coefficient, factors)

    def power(self, term: Term, exponent: Fraction) -> Term:
        """Return a power.

        Raise UndefinedError where its base is not certainly nonzero or, for a root, positive.
        """
        _bounded_exponent(exponent)
        if exponent.denominator > 1:
            return self._rooted(self.with_contents(term), exponent)
        if any(e * exponent < 0 and not self.values[i] > 0 for i, e in term.factors):
            raise UndefinedError("distinguishable from zero")
        number = term.coefficient
        if (max(map(_bits, number.as_integer_ratio())) - 1) * abs(exponent) > MAX_BITS:
            raise LimitError(f"a number of more than {MAX_BITS} bits")
        factors = {i: e * exponent for i, e in term.factors}
        return self._term(_bounded(number ** int(exponent)), factors)

    def _rooted(self, term: Term, exponent: Fraction) -> Term:
        """Return a fractional power."""
        if term.coefficient < 0 or not all(self.values[i] > 0 for i, _ in term.factors):
            raise UndefinedError("positive")
        factors, others = dict[int, Fraction](), list[Term]()
        for i, part in ((i, part) for i, e in term.factors for part in _partial(e * exponent)):
            replaced = self._root_replaced(i, part)
            if replaced is None:
                factors[i] = factors.get(i, Fraction(0)) + part
            else:
                others.append(replaced)
        for prime, multiplicity in self.factored(term.coefficient):
            i = self.base(Prime(prime), arb(prime))
            factors[i] = factors.get(i, Fraction(0)) + multiplicity * exponent
        return self.product([self._term(Fraction(1), factors), *others])

    def _root_replaced(self, i: int, exponent: Fraction) -> Term | None:
        """Return a power of a base without a root of it, if that lies in the field of others."""
        base, q = self.bases[i], exponent.denominator
        if q == 1 or i not in self.constants or isinstance(base, Prime):
            return None
        self.nested = True
        for prime, _ in fmpz(q).factor():
            if (root := self._root(i, int(prime))) is not None:
                return self.power(root, exponent * int(prime))
        return None

    def _root(self, i: int, order: int) -> Term | None:
        if (i, order) not in self._found:
            others = {j: root for j, root in self._roots.items() if j != i}
            base = self.bases[i]
            own = self.constants.roots(base.terms) if isinstance(base, Sum) else {}
            near = ((own, factors) for factors in _near(own, others, order))
            places = chain([(own, ())], near, [(others, ())])
            terms = next(
                filter(None, (self.constants.root(i, order, *each) for each in places)), ()
            )
            self._found[i, order] = self.sum(terms) if terms else None
        return self._found[i, order]

    def with_contents(self, term: Term) -> Term:
        """Return an equal term whose sums have no factor that all their terms share."""
        parts = [Term(term.coefficient)]
        for i, e in term.factors:
            content = self._content(i) if e.denominator == 1 else None
            if content is None:
                parts.append(Term(Fraction(1), ((i, e),)))
            else:
                parts += (self.power(part, e) for part in (content, self._quotient(i, content)))
        return self.product(parts)

    def _content(self, i: int) -> Term | None:
        """Return the powers of bases, sums of constants apart, that all terms of a sum share."""
        base = self.bases[i]
        if not isinstance(base, Sum) or i in self.constants:
            return None
        powers = [self._powers(term) for term in base.terms]
        shared = {
            j: least
            for j in sorted({j for each in powers for j in each})
            if (least := min(each.get(j, Fraction(0)) for each in powers))
        }
        return Term(Fraction(1), tuple(shared.items())) if shared else None

    def _powers(self, term: Term) -> dict[int, Fraction]:
        """Return the powers of variables, of sums with variables and of those prime numbers that
        have roots.
        """
        powers = dict(self.constants.split(term.factors)[1])
        for j in self._roots:
            base, own = self.bases[j], dict(term.factors).get(j, Fraction(0))
            if isinstance(base, Prime):
                powers[j] = own + _valuation(term.coefficient, base.value)
        return powers

    def _quotient(self, i: int, content: Term) -> Term:
        """Return a sum divided by what its terms share."""
        base, inverse = self.bases[i], Term(Fraction(1), tuple((j, -e) for j, e in content.factors))
        assert isinstance(base, Sum)
        return self.sum(self.product([term, inverse]) for term in base.terms)

    def _term(self, coefficient: Fraction, factors: dict[int, Fraction]) -> Term:
        """Return a term; whole powers of primes go into the coefficient."""
        for i, e in factors.items():
            base = self.bases[i]
            if isinstance(base, Prime) and (whole := e.numerator // e.denominator):
                coefficient = _bounded(coefficient * Fraction(base.value) ** whole)
                factors[i] = e - whole
        kept = sorted((i, _bounded_exponent(e)) for i, e in factors.items() if e)
        self._room -= len(kept)
        for i, e in kept:
            if e.denominator > 1 and i in self.constants:
                self._roots[i] = lcm(self._roots.get(i, 1), e.denominator)
        return Term(coefficient, tuple(kept) if coefficient else ())

    def _summands(self, term: Term) -> Iterable[Term]:
        if len(term.factors) == 1 and term.factors[0][1] == 1:
            base = self.bases[term.factors[0][0]]
            if isinstance(base, Sum):
                return [
                    Term(_bounded(part.coefficient * term.coefficient), part.factors)
                    for part in base.terms
                ]
        return [term]

    def value(self, term: Term) -> arb:
        """Return the value of a term at the base point."""
        return ball(term.coefficient) * power_product(term.factors, self.values)

    @staticmethod
    def factored(number: Fraction) -> list[tuple[int, int]]:
        """Return the prime factors of a positive rational number with their multiplicities."""
        if max(map(_bits, number.as_integer_ratio())) > MAX_FACTORED_BITS:
            raise LimitError(f"a root of a number of more than {MAX_FACTORED_BITS} bits")
        over = [(int(p), int(m)) for p, m in fmpz(number.numerator).factor()]
        return over + [(int(p), -int(m)) for p, m in fmpz(number.denominator).factor()]

    def base(self, base: Base, value: arb) -> int:
        """Return the index of a base, which is made once, with its value at the base point."""
        if base not in self._index:
            self._room -= len(base.terms) if isinstance(base, Sum) else 1
            if self._room < 0:
                raise LimitError(f"more than {MAX_TERMS:,} terms")
            if isinstance(base, Prime) or (isinstance(base, Sum) and self._constant(base.terms)):
                self.constants.add(len(self.bases), base)
            self._index[base] = len(self.bases)
            self.bases.append(base)
            self.values.append(value)
        return self._index[base]


def _bits(number: int) -> int:
    return number.bit_length()


def _bounded(number: Fraction) -> Fraction:
    if max(map(_bits, number.as_integer_ratio())) > MAX_BITS:
        raise LimitError(f"a number of more than {MAX_BITS} bits")
    return number


def _bounded_exponent(exponent: Fraction) -> Fraction:
    if abs(exponent) > MAX_EXPONENT:
        shown = str(exponent) if _bits(exponent.numerator) < 100 else "a larger one"
        raise LimitError(
            f"expected exponents between -{MAX_EXPONENT} and {MAX_EXPONENT}, got {shown}"
        )
    if exponent.denominator > MAX_ROOT:
        advice = (
            f"{exponent.limit_denominator(MAX_ROOT)} as a fraction"
            if exponent.denominator % 10 == 0
            else "another one"
        )
        raise LimitError(
            f"expected exponents with denominators up to {MAX_ROOT}, got {exponent}; write {advice}"
        )
    return exponent


def _near(own: Mapping[int, int], others: Mapping[int, int], order: int) -> Iterator[Factors]:
    """Yield products of up to FACTORS roots that times an element of the field K of ``own`` may be
    a root, of prime order, of an element of K. If that root lies in the field of all the roots, it
    is such a product of some of them (Kneser's theorem on real radicals).
    """
    below = {j: order * own.get(j, 1) for j in others}
    powers = [
        [(j, Fraction(e, below[j])) for e in range(1, order)]
        for j, root in sorted(others.items())
        if root % below[j] == 0
    ]
    for size in range(1, FACTORS + 1):
        for chosen in combinations(powers, size):
            yield from product(*chosen)


def _partial(exponent: Fraction) -> list[Fraction]:
    """Return fractions with prime powers as denominators, and an integer, that add up to one.

    Roots of different prime orders are found apart: ``√b`` in ``√a`` and ``∛a`` in ``∛b`` must not
    send ``a^(1/6)`` round in a circle.
    """
    parts = list[Fraction]()
    for prime, multiplicity in fmpz(exponent.denominator).factor():
        power = int(prime) ** int(multiplicity)
        rest = exponent.denominator // power
        parts.append(Fraction(exponent.numerator * pow(rest, -1, power) % power, power))
    return [exponent - sum(parts), *parts]


def _valuation(number: Fraction, prime: int) -> int:
    """Return how often a prime number divides an integer."""
    count, rest = 0, int(number)
    while rest % prime == 0:
        count, rest = count + 1, rest // prime
    return count
