"""Polynomial conservation laws of a given degree (paper, section 2.5), exactly.

h is a law iff ``⟨∇h, ∇F(·; a)⟩ = 0`` for all θ and probes a: linear in the coefficients of h. Evaluate this at random (θ, a)
modulo a prime, one row per pair, one column per monomial: the nullspace contains every law's residues, so its dimension is an
upper bound for the number of linearly independent laws; each vector lifted to Z and verified there is a law, so what is
verified is a lower bound.

The system is split before it is solved: by degree (every component of φ is homogeneous), by the parity classes of monomials under
sign flips, and one class per orbit of the permutations of neurons is solved (symmetry.py).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations_with_replacement
from math import comb, gcd, isqrt, lcm, prod

import numpy as np
from flint import fmpz_mat
from numpy.typing import NDArray

from conslaw_cli.count import budget_of, check_budget, job_key
from conslaw_cli.errors import ContradictionError, SpecError
from conslaw_cli.families import Architecture
from conslaw_cli.field import Array, PrimeField, Span, random_prime
from conslaw_cli.jets import Integers, Jets
from conslaw_cli.laws import Laws
from conslaw_cli.network import GradientFields, Network
from conslaw_cli.symmetry import NONE, Symmetry, symmetry

Monomials = NDArray[np.int32]
"""(count, degree): each row lists the parameters of a monomial, with repetitions, in ascending order."""
EXTRA_ROWS = 3
"""Equations drawn beyond the number of unknowns."""
SMALL_CLASS = 12
"""Classes up to this size are first tested many at a time."""
MAX_DEGREE = 40
MAX_BITS = 2000
VERIFY_BITS = 62
VERIFY_POINTS = 2

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


@dataclass(frozen=True, slots=True)
class Classes:
    """Monomials of one degree, split by parity, and the classes' orbits under permutations of neurons.

    members: for each class, the rows of ``monomials``; odd: for each class its odd labels, sorted, padded with NONE.
    orbits: lists of classes; the first of each is the one to solve.
    """

    monomials: Monomials
    members: list[NDArray[np.intp]]
    odd: NDArray[np.intp]
    orbits: list[NDArray[np.intp]]

    def representative(self, orbit: int) -> Monomials:
        """Return the monomials of an orbit's first class."""
        rows: Monomials = self.monomials[self.members[self.orbits[orbit][0]]]
        return rows

    def labels(self, index: int) -> NDArray[np.intp]:
        """Return the odd labels of a class."""
        labels: NDArray[np.intp] = self.odd[index][self.odd[index] != NONE]
        return labels


def monomials(parameters: int, degree: int) -> Monomials:
    """Return all monomials of a degree, as a (comb(D + degree − 1, degree), degree) array."""
    rows = np.arange(parameters, dtype=np.int32)[:, None]
    for _ in range(degree - 1):
        reps = parameters - rows[:, -1]
        last = np.repeat(rows[:, -1], reps)
        step = np.arange(reps.sum()) - np.repeat(np.cumsum(reps) - reps, reps)
        rows = np.column_stack([np.repeat(rows, reps, axis=0), (last + step).astype(np.int32)])
    return rows


def classes(parameters: int, degree: int, symmetry: Symmetry, rng: np.random.Generator) -> Classes:
    """Split the monomials of a degree into parity classes and these into orbits.

    Sets of labels are told apart by random 64-bit sums; a collision could only merge classes, which costs time, or orbits, which
    the verification of every law would show.
    """
    all_monomials = monomials(parameters, degree)
    keys = _keys(all_monomials, symmetry, rng)
    order = np.argsort(keys, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(keys[order]) != 0])
    members = np.split(order, starts[1:])
    odd = odd_labels(all_monomials[order[starts]], symmetry)
    weights = np.append(rng.integers(0, 2**63, size=symmetry.kinds.max() + 1, dtype=np.uint64)[symmetry.kinds], np.uint64(0))
    signature = weights[odd].sum(axis=1, dtype=np.uint64)
    by_orbit = np.argsort(signature, kind="stable")
    breaks = np.flatnonzero(np.diff(signature[by_orbit]) != 0) + 1
    return Classes(all_monomials, members, odd, np.split(by_orbit, breaks))


def _keys(rows: Monomials, symmetry: Symmetry, rng: np.random.Generator) -> NDArray[np.uint64]:
    """Hash the set of odd labels of every monomial: exclusive-or of random words, so that even labels cancel."""
    words = np.append(rng.integers(0, 2**63, size=len(symmetry.kinds), dtype=np.uint64), np.uint64(0))
    word = np.bitwise_xor.reduce(words[symmetry.labels], axis=1)
    keys: NDArray[np.uint64] = np.bitwise_xor.reduce(word[rows], axis=1)
    return keys


def odd_labels(rows: Monomials, symmetry: Symmetry) -> NDArray[np.intp]:
    """Return for each monomial its labels of odd multiplicity, sorted, padded with NONE in front."""
    labels = np.sort(symmetry.labels[rows].reshape(len(rows), -1), axis=1)
    same = labels[:, :, None] == labels[:, None, :]
    first = ~np.tril(same, -1).any(axis=2)
    odd = np.where(first & (same.sum(axis=2) % 2 == 1), labels, NONE)
    return np.sort(odd, axis=1)


@dataclass(frozen=True, slots=True)
class Points:
    """Random points with the gradient of F for a random probe: (rows, D) residues each."""

    field: PrimeField
    theta: Array
    gradient: Array

    @classmethod
    def draw(cls, network: Network, field: PrimeField, rng: np.random.Generator, count: int) -> Points:
        """Draw ``count`` independent points and probes."""
        theta = field.random(rng, (count, network.parameters, 1))
        probes = field.random(rng, (count, network.probe_size))
        return cls(field, theta[..., 0], network.gradient(Jets(field), theta, probes)[..., 0])

    def equations(self, rows: Monomials, count: int) -> Array:
        """Return ``⟨∇m, ∇F⟩`` at the first ``count`` points for every monomial: a (count, len(rows)) matrix.

        The derivative of a product is summed factor by factor, with the products before and behind it.
        """
        degree = rows.shape[1]
        theta, gradient, reduce = self.theta[:count], self.gradient[:count], self.field.reduce
        before = [np.ones((count, len(rows)))]
        for k in range(degree - 1):
            before.append(reduce(before[-1] * theta[:, rows[:, k]]))
        behind = np.ones((count, len(rows)))
        total = np.zeros((count, len(rows)))
        for k in reversed(range(degree)):
            total += reduce(reduce(before[k] * behind) * gradient[:, rows[:, k]])
            behind = reduce(behind * theta[:, rows[:, k]])
        return reduce(total)


@dataclass(frozen=True, slots=True)
class Polynomial:
    """An integer polynomial in θ: coefficients and monomials, each a sorted tuple of parameter indices (with repetitions)."""

    terms: tuple[tuple[int, tuple[int, ...]], ...]

    @property
    def degree(self) -> int:
        """Largest degree of a term."""
        return max(len(monomial) for _, monomial in self.terms)

    @classmethod
    def of(cls, coefficients: Iterable[int], rows: Iterable[Sequence[int]]) -> Polynomial:
        """Collect nonzero terms in the order of the monomials, divided by their content, the first one positive."""
        terms = sorted((tuple(sorted(map(int, m))), int(c)) for c, m in zip(coefficients, rows, strict=True) if c)
        content = gcd(*(c for _, c in terms))
        sign = content if terms[0][1] > 0 else -content
        return cls(tuple((c // sign, m) for m, c in terms))

    def gradient(self, theta: Sequence[int]) -> dict[int, int]:
        """Return the nonzero entries of ``∇h(θ)`` for integers θ."""
        gradient: dict[int, int] = {}
        for coefficient, monomial in self.terms:
            for k, e in enumerate(monomial):
                rest = prod(theta[f] for f in (*monomial[:k], *monomial[k + 1 :]))
                gradient[e] = gradient.get(e, 0) + coefficient * rest
        return gradient


@dataclass(frozen=True, slots=True)
class Law:
    """A polynomial law, verified over the integers. ``name`` is that of a known law, else None.

    known: whether it is a polynomial in the architecture's known laws.
    """

    polynomial: Polynomial
    known: bool
    name: str | None = None


@dataclass(frozen=True, slots=True)
class LawSearch:
    """The polynomial laws of some degrees.

    linear: for each degree searched, the number of linearly independent laws of exactly this degree.
    products: the same for the products of known laws; where the two agree, every law of that degree is a polynomial in these.
    independent: rank of the gradients of all laws found; generators: as many laws, known ones first, of which all are functions.
    known: how many of the generators are known laws.
    error_bound: probability that a law listed is none: it was checked at random integers of 62 bits.
    basis: a linear basis of all laws found, degree by degree; None if it was not asked for.
    """

    architecture: Architecture
    degree: int
    homogeneous: bool
    linear: Mapping[int, int]
    products: Mapping[int, int]
    independent: int
    known: int
    generators: tuple[Law, ...]
    error_bound: float
    seed: int
    seconds: float
    basis: tuple[Law, ...] | None = None


def find_laws(
    architecture: Architecture,
    degree: int,
    *,
    homogeneous: bool = False,
    basis: bool = False,
    seed: int = 0,
    memory: int | None = None,
    progress: Progress | None = None,
) -> LawSearch:
    """Find all polynomial laws of exactly ``degree`` (homogeneous), or up to it, constants excluded.

    basis: also list a full linear basis. Raise SpecError for a degree outside 1 … MAX_DEGREE and MemoryBudgetError, with the
    degree that would fit, before anything large is allocated.
    """
    start = time.perf_counter()
    if not 1 <= degree <= MAX_DEGREE:
        raise SpecError(f"degree: expected an integer from 1 to {MAX_DEGREE}, got {degree}")
    check_search(architecture, degree, memory)
    search = _Search(architecture, seed, memory, progress or _quiet)
    spaces = {d: search.space(d) for d in ((degree,) if homogeneous else range(1, degree + 1))}
    products = {d: search.products(d) for d in spaces}
    generators = search.generators(spaces, products)
    return LawSearch(
        architecture=architecture,
        degree=degree,
        homogeneous=homogeneous,
        linear={d: space.dimension for d, space in spaces.items()},
        products=products,
        independent=len(generators),
        known=sum(law.known for law in generators),
        generators=tuple(generators),
        error_bound=search.error_bound(degree),
        seed=seed,
        seconds=round(time.perf_counter() - start, 6),
        basis=tuple(search.basis(spaces, products)) if basis else None,
    )


def check_search(architecture: Architecture, degree: int, memory: int | None) -> None:
    """Raise MemoryBudgetError if listing the monomials, or the squares among them, exceeds the budget (bytes)."""
    size = [comb(architecture.parameters + d - 1, d) for d in range(degree + 1)]
    needed = [n * (4 * d + 80) + 24 * architecture.parameters**2 for d, n in enumerate(size)]
    budget = budget_of(memory, needed[degree])
    fits = max((d for d in range(1, degree + 1) if needed[d] <= budget), default=0)
    advice = f"degree {fits} would fit" if fits else "no degree would fit"
    check_budget(f"{architecture.name}: {size[degree]} monomials of degree {degree}", needed[degree], budget, advice)


def _multisets(members: int, size: int) -> int:
    return comb(members + size - 1, size) if members else int(size == 0)


def _quiet(what: str, done: int, total: int) -> None:
    """Report no progress."""


@dataclass(frozen=True, slots=True)
class Space:
    """The laws of one degree modulo a prime, for one class of each orbit that has any.

    solved: pairs of an orbit's index and a basis of residues (k, size of its first class).
    """

    classes: Classes
    solved: list[tuple[int, Array]]

    @property
    def dimension(self) -> int:
        """Number of linearly independent laws: an upper bound, reached when all are lifted or products of known ones."""
        return sum(len(self.classes.orbits[index]) * len(basis) for index, basis in self.solved)


class _Search:
    """The steps of one search; all randomness comes from the job."""

    def __init__(self, architecture: Architecture, seed: int, memory: int | None, progress: Progress) -> None:
        self.name, self.memory, self.progress = architecture.name, memory, progress
        self.rng = np.random.default_rng(int(job_key(architecture, seed), 16))
        self.over = PrimeField(random_prime(self.rng))
        fields = architecture.fields()
        assert isinstance(fields, GradientFields)
        self.network = fields.network
        self.symmetry = symmetry(self.network)
        self.laws = architecture.laws()
        self.known = [Law(polynomial, True, self.laws.name(i)) for i, polynomial in enumerate(listed(self.laws))]
        self.points = [_integer_point(self.network, self.rng) for _ in range(VERIFY_POINTS)]
        if not all(map(self.is_law, (law.polynomial for law in self.known))):
            raise ContradictionError(f"{self.name}: a known law is not conserved")

    def space(self, degree: int) -> Space:
        """Return the laws of one degree modulo a prime."""
        found = classes(self.network.parameters, degree, self.symmetry, self.rng)
        sizes: dict[int, list[int]] = {}
        for index, orbit in enumerate(found.orbits):
            sizes.setdefault(len(found.members[orbit[0]]), []).append(index)
        self._check(8 * (4 * max(sizes) ** 2 + 6 * max(sizes) * self.network.parameters), f"a class of {max(sizes)} monomials")
        points = Points.draw(self.network, self.over, self.rng, max(sizes) + EXTRA_ROWS)
        solved = []
        for done, (size, orbits) in enumerate(sorted(sizes.items())):
            self.progress(f"degree {degree}", done, len(sizes))
            for index in self._candidates(found, size, orbits, points):
                basis = self.over.nullspace(points.equations(found.representative(index), size + EXTRA_ROWS))
                if len(basis):
                    solved.append((index, basis))
        return Space(found, solved)

    def _candidates(self, found: Classes, size: int, orbits: list[int], points: Points) -> Iterator[int]:
        """Drop orbits whose class, of a small size, is seen to have no law; many are tested at a time."""
        if size > SMALL_CLASS:
            yield from orbits
            return
        part = max(1, 2**20 // (size + EXTRA_ROWS) // size)
        for start in range(0, len(orbits), part):
            batch = orbits[start : start + part]
            rows = np.concatenate([found.representative(index) for index in batch])
            equations = points.equations(rows, size + EXTRA_ROWS).reshape(-1, len(batch), size).swapaxes(0, 1)
            full = self.over.full_rank(equations)
            yield from (index for index, no_law in zip(batch, full, strict=True) if not no_law)

    def products(self, degree: int) -> int:
        """Return how many products of known laws of this degree are linearly independent."""
        choices = self._choices(degree)
        span = Span(self.over)
        theta = self._thetas(len(choices) + EXTRA_ROWS)
        span.add(self._values(theta, choices).T)
        return span.rank

    def _choices(self, degree: int) -> list[tuple[int, ...]]:
        """Return the sets (with repetitions) of known laws whose degrees add up to ``degree``."""
        by_degree = {d: [i for i, law in enumerate(self.known) if law.polynomial.degree == d] for d in (1, 2)}
        splits = [(degree - 2 * k, k) for k in range(degree // 2 + 1)]
        count = sum(_multisets(len(by_degree[1]), a) * _multisets(len(by_degree[2]), b) for a, b in splits)
        self._check(8 * 3 * count**2, f"{count} products of known laws")
        return [
            (*first, *second)
            for a, b in splits
            for first in combinations_with_replacement(by_degree[1], a)
            for second in combinations_with_replacement(by_degree[2], b)
        ]

    def _values(self, theta: Array, choices: Sequence[tuple[int, ...]]) -> Array:
        """Return the values (points, choices) of products of known laws."""
        single = self.over.reduce(self.laws.values(theta, self.over.reduce))
        total = np.ones((len(theta), len(choices)))
        for k in range(max(map(len, choices), default=0)):
            column = [choice[k] if k < len(choice) else -1 for choice in choices]
            total = self.over.reduce(total * np.column_stack([single, np.ones(len(theta))])[:, column])
        return total

    def _thetas(self, count: int) -> Array:
        return self.over.random(self.rng, (count, self.network.parameters))

    def generators(self, spaces: Mapping[int, Space], products: Mapping[int, int]) -> list[Law]:
        """Return laws with independent gradients of which all laws found are functions: known ones first, then new ones."""
        used = {i for degree in spaces for choice in self._choices(degree) for i in choice}
        candidates = [law for i, law in enumerate(self.known) if i in used]
        for degree, space in spaces.items():
            if space.dimension > products[degree]:
                candidates += sorted((law for law in self.lift(degree, space) if not law.known), key=_simplicity)
        if not candidates:
            return []
        theta = self._thetas(1)[0]
        gradients = np.array([self._gradient(law.polynomial, theta) for law in candidates])
        return [candidates[i] for i in _first_independent(self.over, gradients, self.rng)]

    def basis(self, spaces: Mapping[int, Space], products: Mapping[int, int]) -> Iterator[Law]:
        """Yield a linear basis of the laws of every degree."""
        for degree, space in spaces.items():
            yield from self.lift(degree, space)

    def lift(self, degree: int, space: Space) -> list[Law]:
        """Return a linear basis over Z of the laws of one degree: known laws, other products of known laws, new ones."""
        if not space.solved:
            return []
        known = [law for law in self.known if law.polynomial.degree == degree]
        laws = known + [Law(p, False) for p in self._lifted(space)]
        choices = self._choices(degree)
        theta = self._thetas(space.dimension + len(choices) + EXTRA_ROWS)
        products = self._values(theta, choices).T
        values = np.array([self._evaluate(law.polynomial, theta) for law in laws])
        kept = _first_independent(self.over, values, self.rng)
        span = Span(self.over)
        span.add(products)
        return [Law(laws[i].polynomial, span.add(values[i : i + 1]) == 0, laws[i].name) for i in kept]

    def _lifted(self, space: Space) -> Iterator[Polynomial]:
        """Yield integer polynomials that span the space: short ones, verified, carried over each orbit."""
        for done, (index, residues) in enumerate(space.solved):
            self.progress("lifting", done, len(space.solved))
            rows = space.classes.representative(index)
            for vector in self._integers(rows, residues):
                polynomial = Polynomial.of(vector, rows)
                if not self.is_law(polynomial):
                    raise ContradictionError(f"{self.name}: a lifted polynomial is not conserved: {polynomial}")
                first, *others = space.classes.orbits[index]
                yield polynomial
                for other in others:
                    image = self.symmetry.carry(space.classes.labels(first), space.classes.labels(other))
                    yield Polynomial.of(vector, image[rows])

    def _integers(self, rows: Monomials, residues: Array) -> list[list[int]]:
        """Lift a basis of residues to Z: rational reconstruction over as many primes as it takes, then lattice reduction."""
        modulus, combined = self.over.p, [[int(x) % self.over.p for x in row] for row in residues]
        while True:
            rationals = [[reconstruct(x, modulus) for x in row] for row in combined]
            if all(x is not None for row in rationals for x in row):
                vectors = [_cleared([x for x in row if x is not None]) for row in rationals]
                if all(self.is_law(Polynomial.of(vector, rows)) for vector in vectors):
                    return _short(vectors)
            modulus, combined = self._next_prime(rows, modulus, combined)

    def _next_prime(self, rows: Monomials, modulus: int, combined: list[list[int]]) -> tuple[int, list[list[int]]]:
        """Solve a class again modulo another prime and combine by the Chinese remainder theorem."""
        if modulus.bit_length() > MAX_BITS:
            raise ContradictionError(f"{self.name}: no law lifts to integers below 2^{MAX_BITS}")
        other = PrimeField(random_prime(self.rng))
        points = Points.draw(self.network, other, self.rng, len(rows) + EXTRA_ROWS)
        basis = other.nullspace(points.equations(rows, len(rows) + EXTRA_ROWS))
        if basis.shape != (len(combined), len(rows)) or modulus % other.p == 0:
            return modulus, combined
        inverse = pow(modulus, -1, other.p)
        return modulus * other.p, [
            [x + modulus * ((int(y) - x) * inverse % other.p) for x, y in zip(xs, ys, strict=True)]
            for xs, ys in zip(combined, basis, strict=True)
        ]

    def is_law(self, polynomial: Polynomial) -> bool:
        """Whether ``⟨∇h, ∇F⟩ = 0`` at random integer points and probes of VERIFY_BITS bits."""
        return all(
            sum(value * fields[e] for e, value in polynomial.gradient(theta).items()) == 0 for theta, fields in self.points
        )

    def error_bound(self, degree: int) -> float:
        """Bound the probability that a polynomial that is no law passes :meth:`is_law` (Schwartz-Zippel)."""
        in_theta, in_probe = self.network.degree()
        return float((degree + in_theta + in_probe) / 2.0**VERIFY_BITS) ** VERIFY_POINTS

    def _evaluate(self, polynomial: Polynomial, theta: Array) -> Array:
        total = np.zeros(len(theta))
        for coefficient, monomial in polynomial.terms:
            term = np.full(len(theta), float(coefficient % self.over.p))
            for e in monomial:
                term = self.over.reduce(term * theta[:, e])
            total += term
        return self.over.reduce(total)

    def _gradient(self, polynomial: Polynomial, theta: Array) -> Array:
        dense = np.zeros(len(theta))
        for e, value in polynomial.gradient([int(x) for x in theta]).items():
            dense[e] = value % self.over.p
        return self.over.reduce(dense)

    def _check(self, needed: int, what: str) -> None:
        check_budget(f"{self.name}: {what}", needed, budget_of(self.memory, needed), "a lower degree may fit")


def listed(laws: Laws) -> Iterator[Polynomial]:
    """Yield known laws as polynomials."""
    order = np.argsort(laws.law, kind="stable")
    for terms in np.split(order, np.searchsorted(laws.law[order], np.arange(1, len(laws)))):
        pairs = zip(laws.left[terms].tolist(), laws.right[terms].tolist(), strict=True)
        collected: dict[tuple[int, ...], int] = {}
        for (left, right), coefficient in zip(pairs, laws.coefficient[terms].tolist(), strict=True):
            monomial = (left,) if right < 0 else (min(left, right), max(left, right))
            collected[monomial] = collected.get(monomial, 0) + coefficient
        yield Polynomial(tuple((c, m) for m, c in sorted(collected.items()) if c))


def reconstruct(residue: int, modulus: int) -> Fraction | None:
    """Return the fraction a/b ≡ residue with |a|, b ≤ sqrt(modulus/2), unique if there is one: Euclid's algorithm, half way."""
    bound = isqrt(modulus // 2)
    a, b, x, y = modulus, residue % modulus, 0, 1
    while b > bound:
        quotient = a // b
        a, b, x, y = b, a - quotient * b, y, x - quotient * y
    return Fraction(b, y) if 0 < abs(y) <= bound and gcd(b, y) == 1 else None


def _cleared(row: list[Fraction]) -> list[int]:
    """Multiply by the common denominator."""
    scale = lcm(*(x.denominator for x in row))
    return [int(x * scale) for x in row]


def _short(vectors: list[list[int]]) -> list[list[int]]:
    """Return a basis of the same lattice with short vectors (LLL)."""
    if len(vectors) < 2:
        return vectors
    return [[int(x) for x in row] for row in fmpz_mat(vectors).lll().tolist()]


def _simplicity(law: Law) -> tuple[int, int, int]:
    """Sort key: low degree, few terms, small coefficients."""
    terms = law.polynomial.terms
    return law.polynomial.degree, len(terms), max(abs(c) for c, _ in terms)


def _first_independent(over: PrimeField, rows: Array, rng: np.random.Generator) -> list[int]:
    """Return the indices of rows that are independent of the rows before them.

    These are the pivot columns of the transposed matrix, which random combinations of its rows keep.
    """
    mixed = over.matmul(over.random(rng, (len(rows) + EXTRA_ROWS, rows.shape[1])), rows.T)
    span = Span(over)
    span.add(mixed)
    return sorted(int(i) for i in span.reduced()[0])


def _integer_point(network: Network, rng: np.random.Generator) -> tuple[list[int], list[int]]:
    """Return θ and ``∇F(θ; a)`` at random integers."""
    limit = 2 ** (VERIFY_BITS - 1)
    theta = rng.integers(-limit, limit, size=network.parameters).astype(object)
    probe = rng.integers(-limit, limit, size=(1, network.probe_size)).astype(object)
    gradient = network.gradient(Integers(), theta[None, :, None], probe)
    return theta.tolist(), gradient[0, :, 0].tolist()
