"""Polynomial conservation laws of a given degree (paper, section 2.5), exactly.

h is a law iff ``⟨∇h, ∇F(·; a)⟩ = 0`` for all θ and probes a. At random (θ, a) modulo a prime this
is a linear system in the coefficients of h (monomials.py). Its nullspace contains every law's
residues, so its dimension is an upper bound for the number of linearly independent laws. Lower
bounds are the products of known laws that are independent modulo a prime, and, where these are
fewer, the vectors of the nullspace, lifted to Z and verified there.

Where φ has roots of constants, laws are over the field of these: ``x − √2 y`` is one for
``φ = √2 x + y``. All points over a prime are then at one place of the constants, so that residues
are those of numbers of that field; lattice reduction lifts these (lifting.py), up to a degree
MAX_FIELD of the field. Beyond, points are at places of their own, and what is lifted has rational
coefficients.

If every component of φ is homogeneous, then so are the parts of a law of each degree laws, and
degrees are searched one by one; else all of them together.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations_with_replacement
from math import gcd
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from conslaw_cli import checks
from conslaw_cli.algebra.expansion import NotPolynomialError
from conslaw_cli.algebra.field import (
    PRIMES_IN_RANGE,
    SMALLEST_PRIME,
    TERMS,
    Array,
    PrimeField,
    Span,
    random_prime,
)
from conslaw_cli.algebra.lifting import algebraic, combine, rational, short, small
from conslaw_cli.algebra.rings import Exact
from conslaw_cli.errors import ContradictionError
from conslaw_cli.families.formulas.algebraic import AlgebraicFields
from conslaw_cli.families.formulas.terms import Radical
from conslaw_cli.flows import System, VectorFields
from conslaw_cli.laws import over_constants
from conslaw_cli.laws.monomials import (
    EXTRA_ROWS,
    Classes,
    Monomials,
    Points,
    scattered,
)
from conslaw_cli.laws.plan import MAX_FIELD, Plan, check_degree
from conslaw_cli.laws.search import LawSearch
from conslaw_cli.laws.totals import totals
from conslaw_cli.laws.values import Law, Polynomial
from conslaw_cli.lie.trials import SURE
from conslaw_cli.networks.gradients import GradientFields
from conslaw_cli.problems.problem import Architecture, Problem

SMALL_CLASS = 12
"""Classes up to this size are first tested many at a time."""
MAX_PRIMES = 100
"""Primes after which lifting gives up; laws with coefficients of 1000 bits would need them."""
RATIONAL_PRIMES = 8
"""Further primes that tell laws with rational coefficients from others."""
SCALES = 8
"""Coefficients by which a law with radicals is divided to make it simple."""
MAX_TRIALS = 5
"""Searches begun again with another prime, if one turns out to be unlucky."""
VERIFY_BITS = 62
VERIFY_POINTS = 2
VERIFY_PRIMES = 12

Progress = Callable[[str, float], None]
"""Called with what is being done and how much of it is done, from 0 to 1, by estimated work."""


def find_laws(
    problem: Problem | Architecture,
    degree: int,
    *,
    homogeneous: bool = False,
    basis: bool = False,
    seed: int = 0,
    memory: int | None = None,
    progress: Progress | None = None,
) -> LawSearch:
    """Find all polynomial laws of exactly ``degree`` (homogeneous), or up to it, constants
    excluded.

    basis: also list a full linear basis. Raise SpecError for a degree outside 1 … MAX_DEGREE, or
    another wrong argument, NotSearchedError where laws are in square roots of θ, and
    MemoryBudgetError, with the degree that would fit, before anything large is allocated.

    >>> from conslaw_cli import CustomMap
    >>> found = find_laws(CustomMap.from_text("u*v1, u*v2"), 2)
    >>> found.parameters, found.independent
    (('u', 'v1', 'v2'), 1)
    >>> [law.polynomial.terms for law in found.generators]
    [((1, (0, 0)), (-1, (1, 1)), (-1, (2, 2)))]
    """
    start = time.perf_counter()
    checks.job(seed, memory)
    problem = Problem.of(problem)
    check_degree(degree)
    checks.flag("homogeneous", homogeneous)
    checks.flag("basis", basis)
    if (generic := _over_constants(problem, degree, homogeneous, seed)) is not None:
        return replace(generic, seconds=round(time.perf_counter() - start, 6))
    rng = np.random.default_rng(int(problem.key(seed), 16))
    plan = Plan(problem, homogeneous, memory, rng)
    plan.check(degree)
    for _ in range(MAX_TRIALS):
        try:
            found = _Search(plan, rng, progress or _quiet).run(degree, basis)
        except _UnluckyError:
            continue
        return replace(found, seed=seed, seconds=round(time.perf_counter() - start, 6))
    raise ContradictionError(
        f"{problem.name}: nullspaces of degree {degree} and what lifts from them do not agree"
    )


def _over_constants(
    problem: Problem, degree: int, homogeneous: bool, seed: int
) -> LawSearch | None:
    """Return the laws of a φ or of fields with generic constants, None for others."""
    names = getattr(problem.architecture, "names", None)
    if (
        problem.formula is None
        or problem.flow.dynamics.system is not System.GRADIENT
        or not (names and names.fixed)
    ):
        return None
    try:
        exact = problem.formula.expansion()
    except NotPolynomialError:
        return None
    degrees = [degree] if homogeneous else list(range(1, degree + 1))
    constants = [array for array in names.arrays if not array.trainable]
    return over_constants.find(problem, exact, constants, degrees, seed)


def _quiet(what: str, done: float) -> None:
    """Report no progress."""


def _between(progress: Progress, what: str, start: float, stop: float) -> Callable[[float], None]:
    """Return what reports a share of the work between two shares of the whole."""
    return lambda done: progress(what, min(1.0, start + done * (stop - start)))


class _UnluckyError(Exception):
    """A nullspace modulo a prime was larger than that of the rationals."""


@dataclass(frozen=True, slots=True)
class Space:
    """The laws of some degrees modulo a prime, for one class of each orbit that has any.

    solved: pairs of an orbit's index and a basis of residues (k, size of its first class).
    dimensions: for each degree the number of linearly independent laws, modulo those of lower
    degrees: an upper bound, reached when all are lifted or products of known ones.
    """

    classes: Classes
    solved: list[tuple[int, Array]]
    dimensions: Mapping[int, int]


class _Place(NamedTuple):
    """A prime, the fields over one place of their constants, and the residues of the radicals."""

    over: PrimeField
    fields: VectorFields
    radicals: list[int]

    @classmethod
    def draw(cls, fields: VectorFields, rng: np.random.Generator) -> _Place:
        """Draw a prime and a place of the constants over it."""
        return cls.above(PrimeField(fields.prime(rng)), fields, rng)

    @classmethod
    def above(cls, over: PrimeField, fields: VectorFields, rng: np.random.Generator) -> _Place:
        """Draw a place of the constants. If their field is too large, they have no radicals, and
        each point has a place of its own.
        """
        if isinstance(fields, AlgebraicFields) and 1 < fields.degree_of_constants <= MAX_FIELD:
            return cls(over, *fields.at_constants(over, rng))
        return cls(over, fields, [])

    def points(self, rng: np.random.Generator, count: int) -> Points:
        """Draw points with the values of fields."""
        return Points.draw(self.fields, self.over, rng, count)

    def theta(self, rng: np.random.Generator, count: int) -> Array:
        """Draw points θ, followed by the radicals as polynomials read them."""
        theta = self.over.random(rng, (count, self.fields.dimension))
        radicals = self.over.reduce(np.array(self.radicals[::-1], dtype=float))
        return np.column_stack([theta, np.tile(radicals, (count, 1))]) if self.radicals else theta


class _Search:
    """The steps of one search; all randomness comes from the job. ``error`` adds up what rests on
    chance.
    """

    def __init__(self, plan: Plan, rng: np.random.Generator, progress: Progress) -> None:
        self.plan, self.rng, self.progress = plan, rng, progress
        self.error = 0.0 if plan.problem.doubt is None else 1.0  # laws may need the relations
        self.name, self.known, self.laws = plan.name, plan.known, plan.laws
        self._found: dict[bytes, list[list[int]]] = {}
        self.fields = fields = plan.fields
        self.place = _Place.draw(fields, rng)
        self.over = self.place.over
        self.points = (
            _integer_points(fields, rng)
            if isinstance(fields, GradientFields) and fields.graph.polynomial
            else _residue_points(fields, rng)
        )
        if not all(map(self.is_law, (law.polynomial for law in self.known))):
            raise ContradictionError(f"{self.name}: a known law is not conserved")

    def run(self, degree: int, basis: bool) -> LawSearch:
        """Search, bound from below, lift what has to be."""
        degrees = self.plan.degrees(degree)
        choices = {d: self.choices(d) for d in degrees}
        spaces = [self.space(part) for part in self.plan.parts(degree)]
        linear = {d: n for space in spaces for d, n in space.dimensions.items()}
        products = {d: self.independent_products(d, choices[d], linear[d]) for d in degrees}
        laws = [
            law
            for space in spaces
            if basis or any(n > len(products[d]) for d, n in space.dimensions.items())
            for law in self.lift(
                space, {d: [choices[d][i] for i in products[d]] for d in space.dimensions}
            )
        ]
        generators = self.generators(
            {i for each in choices.values() for choice in each for i in choice},
            self._totals([law for law in laws if not law.known]),
        )
        return LawSearch(
            problem=self.plan.problem,
            degree=degree,
            homogeneous=self.plan.homogeneous,
            linear=linear,
            products={d: len(products[d]) for d in degrees},
            independent=len(generators),
            known=sum(not law.new for law in generators),
            generators=tuple(generators),
            coordinates=self.plan.coordinates,
            listed=self.laws,
            error_bound=min(1.0, self.error),
            seed=0,
            seconds=0.0,
            basis=tuple(laws) if basis else None,
            radicals=self._radicals([*generators, *laws]),
            rational=self.plan.rational,
            unsearched=self.plan.unsearched,
        )

    def _totals(self, found: Sequence[Law]) -> list[Law]:
        """Return laws of given fields with the linear ones as totals, if they have such a basis."""
        linear = [law for law in found if law.polynomial.degree == 1 and law.polynomial.rational]
        if isinstance(self.fields, AlgebraicFields) and not self.fields.program.gradients:
            rows = [{m[0]: c for c, m in law.polynomial.terms} for law in linear]
            if linear and (basis := totals(rows, self.fields.dimension)) is not None:
                vectors = (Polynomial.of(v.values(), ([e] for e in v)) for v in basis)
                summed = [Law(self._verified(polynomial), False) for polynomial in vectors]
                return [*summed, *(law for law in found if law not in linear)]
        return list(found)

    def _radicals(self, laws: Iterable[Law]) -> tuple[Radical, ...]:
        """Return what the coefficients of laws are made of, nothing for rational ones."""
        if isinstance(self.fields, AlgebraicFields) and any(
            not law.polynomial.rational for law in laws
        ):
            return tuple(map(self.fields.graph.radical, self.fields.radicals))
        return ()

    # ---- upper bounds

    def space(self, degrees: Sequence[int]) -> Space:
        """Return the laws of one degree, or of all degrees up to one, modulo a prime."""
        what = f"degree {degrees[-1]}"
        self.progress(what, 0.0)
        found = self.plan.classes(degrees)
        self.error += found.error_bound
        sizes = np.unique(found.sizes)
        points = self.place.points(self.rng, int(sizes[-1]) + EXTRA_ROWS)
        solved = []
        done, work = 0.0, float((found.sizes.astype(float) ** 3).sum())
        for size in sizes.tolist():
            orbits = np.flatnonzero(found.sizes == size)
            for index in self._candidates(found, orbits, points):
                start = done + int(np.searchsorted(orbits, index)) * size**3 / work
                report = _between(self.progress, what, start, start + size**3 / work)
                rows = found.representative(index)
                basis = self._nullspace(self.over, points, rows, report)
                if len(basis) and self.plan.rational:
                    basis = self._rational_part(rows, basis, report)
                if len(basis):
                    solved.append((index, basis))
            done += len(orbits) * size**3 / work
            self.progress(what, min(1.0, done))
        return Space(found, solved, self._dimensions(found, solved, degrees))

    def _nullspace(
        self, over: PrimeField, points: Points, rows: Monomials, report: Callable[[float], None]
    ) -> Array:
        """Return the residues of the laws with the monomials of one class. ``report`` is called
        with how much is done.
        """
        span, count = Span(over), len(rows) + EXTRA_ROWS
        for start in range(0, count, TERMS):
            span.add(points.equations(rows, min(TERMS, count - start), start))
            report((start / count) ** 2)
        return span.nullspace(len(rows))

    def _dimensions(
        self, found: Classes, solved: Sequence[tuple[int, Array]], degrees: Sequence[int]
    ) -> dict[int, int]:
        """Return how many laws there are of each degree: by how much the rank of the parts of
        degree ≥ d rises.
        """
        dimensions = dict.fromkeys(degrees, 0)
        for index, basis in solved:
            degree = (found.representative(index) < self.fields.dimension).sum(axis=1)
            ranks = [len(basis), *(self.over.rank(basis * (degree >= d)) for d in degrees[1:]), 0]
            for d, higher, lower in zip(degrees, ranks, ranks[1:], strict=False):
                dimensions[d] += (higher - lower) * len(found.orbits[index])
        return dimensions

    def _candidates(
        self, found: Classes, orbits: NDArray[np.intp], points: Points
    ) -> Iterator[int]:
        """Yield orbits, whose classes are of one size; of small ones, tested many at a time, only
        those that have a law.
        """
        size = int(found.sizes[orbits[0]])
        if size > SMALL_CLASS:
            yield from orbits.tolist()
            return
        part = max(1, 2**20 // (size + EXTRA_ROWS) // size)
        for start in range(0, len(orbits), part):
            batch = orbits[start : start + part]
            equations = points.equations(found.representatives(batch), size + EXTRA_ROWS)
            full = self.over.full_rank(equations.reshape(-1, len(batch), size).swapaxes(0, 1))
            yield from batch[~full].tolist()

    # ---- lower bounds

    def choices(self, degree: int) -> list[tuple[int, ...]]:
        """Return the sets (with repetitions) of known laws whose degrees add up to ``degree``."""
        return [
            (*first, *second)
            for k in range(degree // 2 + 1)
            for first in combinations_with_replacement(self.plan.of_degree(1), degree - 2 * k)
            for second in combinations_with_replacement(self.plan.of_degree(2), k)
        ]

    def independent_products(
        self, degree: int, choices: Sequence[tuple[int, ...]], enough: int
    ) -> list[int]:
        """Return which products of known laws are linearly independent of those before them."""
        if not choices:
            return []

        count = len(choices) + EXTRA_ROWS

        def trial(over: PrimeField) -> list[int]:
            theta = over.random(self.rng, (count, self.fields.dimension))
            return pivots(over, values(over, theta))

        def values(over: PrimeField, theta: Array) -> Iterator[Array]:
            for start in range(0, count, TERMS):
                self.progress(f"products of degree {degree}", (start / count) ** 2)
                yield self._values(over, theta[start : start + TERMS], choices)

        norm = max(law.polynomial.norm for law in self.known) ** degree
        return self._largest(trial, min(enough, len(choices)), degree, norm)

    def generators(self, used: Container[int | None], found: Iterable[Law]) -> list[Law]:
        """Return laws with independent gradients of which all laws found are functions: known ones,
        new ones, then others.

        used: the known laws of which laws found are products; found: laws that are no polynomials
        in known ones.
        """
        known = sorted(self.known, key=lambda law: (law.polynomial.degree, law.index))
        found = sorted(found, key=_simplicity)
        new = [law for law in self._independent([*known, *found]) if not law.known] if found else []
        others = [law for law in found if law not in new]
        used_laws = [law for law in known if law.index in used]
        return self._independent([*used_laws, *(replace(law, new=True) for law in new), *others])

    def _independent(self, laws: Sequence[Law]) -> list[Law]:
        """Return the laws whose gradients are independent of those before them."""
        if not laws:
            return []

        def trial(over: PrimeField) -> list[int]:
            place = _Place(over, self.fields, [])
            if not plain:
                place = _Place.above(over, self.fields, self.rng)
            theta = place.theta(self.rng, 1)[0].astype(int).tolist()
            size = self.fields.dimension
            gradients = np.array(
                [_residues(over, law.polynomial.gradient(theta), size) for law in laws]
            )
            mixed = over.random(self.rng, (len(laws) + EXTRA_ROWS, size))
            return pivots(over, [over.matmul(mixed, gradients.T)])

        plain = all(law.polynomial.rational for law in laws)
        degree = max(law.polynomial.degree for law in laws)
        norm = degree * len(laws) * max(self._size(law.polynomial) for law in laws)
        return [laws[i] for i in self._largest(trial, len(laws), degree, norm, plain)]

    def _largest(
        self,
        trial: Callable[[PrimeField], list[int]],
        enough: int,
        degree: int,
        norm: int,
        rational: bool = True,
    ) -> list[int]:
        """Return the largest outcome of a rank computation: its size is a lower bound for the rank.

        Where it is below ``enough``, an upper bound, the trial is repeated, at a prime of its own,
        until all of them missing a larger rank is less probable than SURE. degree, norm: of the
        matrix' entries, as polynomials in what is random; rational: whether these have no radicals.
        """

        def prime() -> PrimeField:
            return PrimeField(random_prime(self.rng) if rational else self.fields.prime(self.rng))

        bits = math.log2(norm)
        if not rational and isinstance(self.fields, AlgebraicFields):
            degree, bits = self.fields.along(degree, norm)
        best, error = trial(prime()), 1.0
        while len(best) < enough and (error := error * _miss(len(best) + 1, degree, bits)) > SURE:
            other = trial(prime())
            if len(other) > len(best):
                best, error = other, 1.0
        self.error += error if len(best) < enough else 0.0
        return best

    def _values(self, over: PrimeField, theta: Array, choices: Sequence[tuple[int, ...]]) -> Array:
        """Return the values (points, choices) of products of known laws."""
        single = np.column_stack(
            [over.reduce(self.laws.values(theta, over.reduce)), np.ones(len(theta))]
        )
        total = np.ones((len(theta), len(choices)))
        for k in range(max(map(len, choices), default=0)):
            total = over.reduce(
                total * single[:, [choice[k] if k < len(choice) else -1 for choice in choices]]
            )
        return total

    # ---- laws over the integers

    def lift(self, space: Space, products: Mapping[int, Sequence[tuple[int, ...]]]) -> list[Law]:
        """Return a linear basis over Z of the laws of some degrees: known laws, products of known
        laws, new ones.

        products: independent products of known laws. A law is a combination of these if its values
        at random points are.
        """
        over, flat, dimension = (
            self.over,
            [c for each in products.values() for c in each],
            sum(space.dimensions.values()),
        )
        lifted = list(self._lifted(space)) if dimension > len(flat) else []
        theta = self.place.theta(self.rng, dimension + len(flat) + EXTRA_ROWS)
        own = theta[:, : self.fields.dimension]
        others = over.nullspace(self._values(over, own, flat).T) if flat else np.eye(len(theta))
        values = np.array([_value(over, polynomial, theta) for polynomial in lifted]).reshape(
            -1, len(theta)
        )
        new = [bool(row.any()) for row in over.matmul(values, others.T)]
        laws = [law for law in self.known if law.polynomial.degree in space.dimensions]
        laws += [
            Law(polynomial, True)
            for polynomial, outside in zip(lifted, new, strict=True)
            if not outside
        ]
        laws += [
            Law(Polynomial.product(self.known[i].polynomial for i in choice), True)
            for choice in flat
        ]
        laws += sorted(
            (Law(p, False) for p, outside in zip(lifted, new, strict=True) if outside),
            key=_simplicity,
        )
        kept = (
            pivots(over, [np.column_stack([_value(over, law.polynomial, theta) for law in laws])])
            if laws
            else []
        )
        if len(kept) != dimension or sum(laws[i].known for i in kept) != len(flat):
            raise _UnluckyError
        return sorted((laws[i] for i in kept), key=lambda law: law.polynomial.degree)

    def _lifted(self, space: Space) -> Iterator[Polynomial]:
        """Yield integer polynomials that span the space: short ones, verified, carried over each
        orbit.
        """
        for done, (index, residues) in enumerate(space.solved):
            start, stop = done / len(space.solved), (done + 1) / len(space.solved)
            report = _between(self.progress, "lifting", start, stop)
            rows = space.classes.representative(index)
            first, *others = space.classes.orbits[index].tolist()
            waiting = _between(self.progress, "lifting", start, start)
            vectors, rows = self._integers(rows, residues, waiting)
            for place, vector in enumerate(vectors):
                report(place / len(vectors))
                yield self._verified(self._polynomial(vector, rows))
                for other in others:
                    image = self.plan.symmetry.carry(
                        space.classes.labels(first), space.classes.labels(other)
                    )
                    yield self._verified(
                        self._polynomial(vector, np.append(image, len(image))[rows])
                    )

    def _verified(self, polynomial: Polynomial) -> Polynomial:
        if not self.is_law(polynomial):
            raise ContradictionError(
                f"{self.name}: a lifted polynomial is not conserved: {polynomial}"
            )
        self.error += self._false_law(polynomial)
        return polynomial

    def _false_law(self, polynomial: Polynomial) -> float:
        """Bound the probability that a polynomial that is no law passes :meth:`is_law`
        (Schwartz-Zippel).
        """
        if isinstance(self.fields, AlgebraicFields):
            degree, bits = self.fields.along(polynomial.degree, self._size(polynomial))
            return _miss(1, degree, bits) ** len(self.points)
        degree = polynomial.degree + sum(self.fields.degree())
        return float(degree / 2.0**VERIFY_BITS) ** len(self.points)

    def _size(self, polynomial: Polynomial) -> int:
        """Bound the sum of the absolute coefficients, radicals included, as heights do."""
        if polynomial.rational or not isinstance(self.fields, AlgebraicFields):
            return polynomial.norm
        return polynomial.norm << math.ceil(self.fields.bits_of_radicals())

    def _polynomial(self, vector: Sequence[int], rows: Monomials) -> Polynomial:
        constant, places = self.fields.dimension, [i for i, c in enumerate(vector) if c]
        return Polynomial.of(
            (vector[i] for i in places),
            ([e for e in row if e != constant] for row in rows[places].tolist()),
        )

    def _integers(
        self, rows: Monomials, residues: Array, report: Callable[[float], None]
    ) -> tuple[list[list[int]], Monomials]:
        """Lift a basis of residues to Z, over as many primes as it takes; return its coefficients
        and their monomials.

        Rational numbers are reconstructed, and vectors shortened by lattice reduction. Where φ has
        roots of constants, the coefficients may be combinations of these as well: every monomial is
        there once with each radical.
        """
        if self.plan.rational:
            return self._found[rows.tobytes()], rows
        combined = [[int(x) for x in row] for row in residues]
        modulus, radicals = self.over.p, self.place.radicals
        several = self._with_radicals(rows)
        for _ in range(MAX_PRIMES):
            report(0.0)
            vectors = rational(combined, modulus)
            if vectors is not None and self._are_laws(vectors, rows):
                return short(vectors), rows
            vectors = algebraic(combined, modulus, radicals) if radicals else None
            if vectors is not None and self._are_laws(vectors, several):
                return [
                    self._simplest(row, modulus, radicals, several) for row in combined
                ], several
            prime, other, values = self._solved_again(rows, report)
            if len(other) < len(combined):
                raise _UnluckyError
            if len(other) == len(combined) and modulus % prime:
                (radicals,) = combine([radicals], modulus, [values], prime)
                modulus, combined = modulus * prime, combine(combined, modulus, other, prime)
        raise _UnluckyError

    def _simplest(
        self, row: Sequence[int], modulus: int, radicals: Sequence[int], rows: Monomials
    ) -> list[int]:
        """Return the shortest vector for a law divided by one of its coefficients."""
        entries = [x for x in row if gcd(x, modulus) == 1][:SCALES]
        found = (
            algebraic([[x * pow(entry, -1, modulus) for x in row]], modulus, radicals)
            for entry in entries
        )
        every = [vector for vectors in found if vectors for vector in vectors]
        return min(
            (vector for vector in every if self._are_laws([vector], rows)),
            key=lambda vector: sum(map(abs, vector)),
        )

    def _with_radicals(self, rows: Monomials) -> Monomials:
        """Return every monomial times 1 and each of the radicals (see Polynomial)."""
        size = len(self.place.radicals) + 1
        factors = np.array([self.fields.dimension, *range(-1, -size, -1)])
        return np.column_stack([np.repeat(rows, size, axis=0), np.tile(factors, len(rows))])

    def _are_laws(self, vectors: Sequence[Sequence[int]], rows: Monomials) -> bool:
        return all(self.is_law(self._polynomial(vector, rows)) for vector in vectors)

    def _rational_part(
        self, rows: Monomials, residues: Array, report: Callable[[float], None]
    ) -> Array:
        """Return the residues of laws with small rational coefficients, and keep these: the short
        vectors, verified, among the integers whose residues modulo several primes are laws.
        """
        modulus, combined = self.over.p, [[int(x) for x in row] for row in residues]
        for _ in range(RATIONAL_PRIMES):
            prime, other, _ = self._solved_again(rows, report)
            if len(other) == len(combined) and modulus % prime:
                modulus, combined = modulus * prime, combine(combined, modulus, other, prime)
        vectors = [v for v in small(combined, modulus) if self._are_laws([v], rows)]
        self._found[rows.tobytes()] = vectors
        return self.over.reduce(np.array(vectors, dtype=float).reshape(-1, len(rows)))

    def _solved_again(
        self, rows: Monomials, report: Callable[[float], None]
    ) -> tuple[int, Array, list[int]]:
        """Solve a class modulo another prime, at other points; return the prime, the laws and the
        radicals.
        """
        place = _Place.draw(self.fields, self.rng)
        points = place.points(self.rng, len(rows) + EXTRA_ROWS)
        return place.over.p, self._nullspace(place.over, points, rows, report), place.radicals

    def is_law(self, polynomial: Polynomial) -> bool:
        """Whether ``⟨∇h, ∇F⟩ = 0`` at random integer points, or at residues modulo several primes
        for fields with roots.
        """
        return all(
            _vanishes(
                sum(value * fields[e] for e, value in polynomial.gradient(theta).items()), modulus
            )
            for theta, fields, modulus in self.points
        )


def pivots(over: PrimeField, parts: Iterable[Array]) -> list[int]:
    """Return the columns that are independent of the columns before them, for generic rows (at
    least as many as columns), given in parts.
    """
    span = Span(over)
    for rows in parts:
        span.add(rows)
    return sorted(int(i) for columns, _ in span.blocks for i in columns)


def _residues(over: PrimeField, entries: Mapping[int, int], size: int) -> Array:
    dense = np.zeros(size)
    for e, value in entries.items():
        dense[e] = value % over.p
    return over.reduce(dense)


def _value(over: PrimeField, polynomial: Polynomial, theta: Array) -> Array:
    """Return ``h(θ)`` at points (count, D)."""
    total = np.zeros(len(theta))
    for coefficient, monomial in polynomial.terms:
        term = np.full(len(theta), float(coefficient % over.p))
        for e in monomial:
            term = over.reduce(term * theta[:, e])
        total += term
    return over.reduce(total)


def _miss(size: int, degree: int, entry: float) -> float:
    """Bound the probability that a nonzero minor vanishes at a random prime and point
    (lie/trials.py, Evidence).
    """
    bits = size * max(1.0, entry) + math.lgamma(size + 1) / math.log(2)
    return min(
        1.0, bits / math.log2(SMALLEST_PRIME) / PRIMES_IN_RANGE + size * degree / SMALLEST_PRIME
    )


def _vanishes(x: int, modulus: int | None) -> bool:
    return x == 0 if modulus is None else x % modulus == 0


def _simplicity(law: Law) -> tuple[int, int, int]:
    """Sort key: low degree, few terms, small coefficients."""
    terms = law.polynomial.terms
    return law.polynomial.degree, len(terms), max(abs(c) for c, _ in terms)


Point = tuple[list[int], list[int], int | None]
"""θ, a field's values there, and the modulus in which they are meant, None for integers."""


def _integer_points(fields: GradientFields, rng: np.random.Generator) -> list[Point]:
    """Return ``∇F(θ; a)`` at random integers of VERIFY_BITS bits."""
    graph, points = fields.graph, list[Point]()
    for _ in range(VERIFY_POINTS):
        limit = 2 ** (VERIFY_BITS - 1)
        theta, probe, constants = (
            rng.integers(-limit, limit, size=(1, size)).astype(object)
            for size in (graph.dimension, graph.probe_size, graph.constants)
        )
        gradient = fields.bound(constants).gradient(Exact(), theta, probe)
        points.append((theta[0].tolist(), gradient[0].tolist(), None))
    return points


def _residue_points(fields: VectorFields, rng: np.random.Generator) -> list[Point]:
    """Return random fields at random points, followed by the radicals, modulo random primes: fields
    with roots have no integer values.
    """
    points: list[Point] = []
    for _ in range(VERIFY_PRIMES):
        place = _Place.draw(fields, rng)
        theta, values = scattered(place.fields, place.over, rng, 1)
        there = [*theta[0].astype(int).tolist(), *place.radicals[::-1]]
        points.append((there, values[0].astype(int).tolist(), place.over.p))
    return points
