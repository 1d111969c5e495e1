"""Gradient flow of θ as a flow of z = φ(θ) (paper, section 3.4).

Prop. 3.7: where W_φ is involutive, condition (13), and rank ∂φ is constant, z obeys ``z' = −M(z,
θ_init) ∇f(z)`` with M = ∂φ∂φᵀ, since φ and the laws are local coordinates of θ (on the image of φ):
M is a function of z and of the laws' values at the start. Where it has no closed form
(simulation/metrics.py), θ is found by Newton's method from these values, near the last θ: they
decide it only locally.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from conslaw_cli.algebra.field import TERMS
from conslaw_cli.errors import ConslawError, SpecError
from conslaw_cli.families.formulas.custom import CustomMap
from conslaw_cli.families.formulas.terms import Graph, Variable
from conslaw_cli.laws.abelian import AbelianLaws, abelian_laws
from conslaw_cli.laws.polynomials import find_laws
from conslaw_cli.laws.values import Polynomial
from conslaw_cli.networks.known_laws import Laws
from conslaw_cli.networks.paths import written_out
from conslaw_cli.problems.problem import Problem
from conslaw_cli.simulation.formulas import Formula
from conslaw_cli.simulation.integrator import DivergedError, Vector, integrate
from conslaw_cli.simulation.metrics import ClosedForm, Polar, TwoLayers

TOLERANCE = 1e-12
"""Of the integrations."""
POINTS = 51
"""In time at which the two flows are compared."""
STEPS = 30
"""Of Newton's method."""
CLOSE = 1e-12
"""Length of the step after its last one, relative to θ, if each is to the next as they were."""
SINGULAR = 1e-9
"""Least singular value of the derivatives of φ and of the laws, relative to the largest one."""
VANISHING = 1e-8
"""What is left of a singular value where the rank drops."""
DIFFERENCE = 1e-5
"""Step of the central differences that stand for derivatives of Abelian integrals."""
NEARBY = 0.02
"""How far, relative to θ, a point may be for which they do."""
MAX_COMPONENTS = 300
SEARCHED = 2
"""Degree of the polynomial laws looked for where the known ones do not suffice."""


class Reparametrisation(Protocol):
    """φ in floats."""

    @property
    def names(self) -> Sequence[str]:
        """Its components."""
        ...

    def values(self, theta: Vector) -> Vector:
        """Return φ(θ), (d,)."""
        ...

    def jacobian(self, theta: Vector) -> Vector:
        """Return ∂φ(θ), (d, D)."""
        ...

    def monomials(self) -> Sequence[tuple[int, ...]] | None:
        """Return the parameters of each component, if all are products of some."""
        ...


@dataclass(frozen=True, slots=True)
class Formulas:
    """A φ of formulas."""

    names: Sequence[str]
    graph: Graph
    formula: Formula

    def values(self, theta: Vector) -> Vector:
        """Return φ(θ)."""
        values = self.formula.values(theta)
        return np.array(self.formula.components(values))

    def jacobian(self, theta: Vector) -> Vector:
        """Return ∂φ(θ)."""
        values, units = self.formula.values(theta), np.eye(len(self.formula))
        return np.array([self.formula.gradient(values, unit) for unit in units])

    def monomials(self) -> list[tuple[int, ...]] | None:
        """Return the variables of each component, if all are products of some."""
        found = list[tuple[int, ...]]()
        for term in self.graph.outputs:
            product = list[int]()
            for i, e in term.factors:
                base = self.graph.bases[i]
                if not isinstance(base, Variable) or base.sign < 0 or e < 0 or e.denominator > 1:
                    return None
                product += [base.index] * int(e)
            if term.coefficient != 1:
                return None
            found.append(tuple(product))
        return found


def reparametrisation(problem: Problem) -> Reparametrisation:
    """Return φ. Raise SpecError where it is not written out: for networks with products or
    functions, for large ones, and for generic constants.
    """
    phi, network = problem.architecture, problem.graph
    if not isinstance(phi, CustomMap):
        assert network is not None
        return written_out(network)
    if phi.names.constants:
        raise SpecError(f"{problem.name}: expected a φ without constants, which have no values")
    if network is not None:
        return written_out(network, numbered=True)
    graph = phi.algebraic().graph
    written = len(phi.components) == len(graph.outputs)
    numbers = range(1, len(graph.outputs) + 1)
    names = phi.components if written else [f"φ[{i}]" for i in numbers]
    return Formulas(names, graph, Formula(graph))


@dataclass(frozen=True, slots=True)
class Run:
    """Both flows from t = 0 on, for f = ½‖z − target‖².

    names: of z; start: θ_init, (D,); target: z*, (d,); closed: M, if it has a closed form; times
    (n,); moved: φ(θ(t)), (n, d); direct: z(t), (n, d); metric: M at the start; mismatch: the
    largest entry of M(z(t)) − ∂φ∂φᵀ(θ(t)).

    dropped: whether they end where the rank of ∂φ drops, as Prop. 3.7 does, between the last of the
    times and the one that would be next; failed: what else ended them before their time.
    """

    names: Sequence[str]
    start: Vector
    target: Vector
    closed: ClosedForm | None
    times: Vector
    moved: Vector
    direct: Vector
    metric: Vector
    mismatch: float
    dropped: bool
    failed: str | None

    @property
    def difference(self) -> float:
        """The largest distance of an entry of z(t) from that of φ(θ(t))."""
        return float(np.abs(self.moved - self.direct).max())


def recast(
    problem: Problem,
    phi: Reparametrisation,
    theta: Vector,
    target: Vector,
    time: float,
    progress: Callable[[float], object] = lambda part: None,
) -> Run:
    """Integrate θ, and z directly, for a problem that meets condition (13).

    theta: the start, (D,); target: z*, (d,); progress: is told what part is done.

    Raise SpecError if SciPy is missing; ConslawError if the laws that are known do not decide M.
    """
    closed = closed_form(problem, phi, theta)
    metric = Fibre(phi, laws_of(problem, phi, theta), theta) if closed is None else closed
    at, start, times = theta, phi.values(theta), np.linspace(0, time, POINTS)

    def follow(_: float, x: Vector) -> Vector:
        return (target - phi.values(x)) @ phi.jacobian(x)

    def direct(_: float, z: Vector) -> Vector:
        return metric(z) @ (target - z)

    thetas = integrate(follow, theta, times.tolist(), TOLERANCE)
    zs = integrate(direct, start, times.tolist(), TOLERANCE)
    pairs, mismatch, dropped, failed = [(start, start)], 0.0, False, None
    try:
        for x in thetas:
            if dropped := _drops(phi, theta, x):
                break
            theta, z = x, next(zs)
            mismatch = max(mismatch, float(np.abs(metric(z) - _square(phi, x)).max()))
            pairs.append((phi.values(x), z))
            progress(len(pairs) / POINTS)
    except DivergedError as error:
        failed = str(error)
    moved, straight = np.array(pairs).swapaxes(0, 1)
    return Run(
        phi.names,
        at,
        target,
        closed,
        times[: len(pairs)],
        moved,
        straight,
        _square(phi, at),
        mismatch,
        dropped,
        failed,
    )


def _drops(phi: Reparametrisation, before: Vector, after: Vector) -> bool:
    """Whether ∂φ loses rank between two points of a flow: its least singular value, among those
    that are not 0, vanishes on the line between them.
    """
    first, last = phi.jacobian(before), phi.jacobian(after)
    rank = np.linalg.matrix_rank(first)

    def least(part: float) -> float:
        jacobian = phi.jacobian(before + part * (after - before))
        return float(np.linalg.svd(jacobian, compute_uv=False)[rank - 1])

    # To 0 and back it takes at least as long a way as both values are together.
    ends = least(0) + least(1)
    if ends > 2 * np.linalg.norm(last - first, 2):
        return False
    low, high = 0.0, 1.0
    for _ in range(20):
        parts = np.linspace(low, high, 9)
        values = [least(part) for part in parts]
        place = int(np.argmin(values))
        low, high = parts[max(place - 1, 0)], parts[min(place + 1, 8)]
    return min(values) < VANISHING * ends


def check_start(phi: Reparametrisation, theta: Vector, rank: int) -> None:
    """Raise SpecError if φ is too large to be integrated, or the rank of ∂φ less than near θ."""
    if len(phi.names) > MAX_COMPONENTS:
        raise SpecError(
            f"expected a φ of at most {MAX_COMPONENTS} components to integrate, got"
            f" {len(phi.names):,}"
        )
    found = np.linalg.matrix_rank(phi.jacobian(theta))
    if found != rank:
        raise SpecError(f"θ: expected rank ∂φ = {rank}, as near it, got {found}")


def closed_form(problem: Problem, phi: Reparametrisation, theta: Vector) -> ClosedForm | None:
    """Return M as a function of z, from a start, where that is known."""
    if (products := phi.monomials()) is not None:
        return TwoLayers.of(products, theta)
    written = problem.architecture
    return Polar.of(written, theta) if isinstance(written, CustomMap) else None


def _square(phi: Reparametrisation, theta: Vector) -> Vector:
    jacobian = phi.jacobian(theta)
    square: Vector = jacobian @ jacobian.T
    return square


# ---- M by Newton's method


class Constants(Protocol):
    """Laws, by their values at the start."""

    def gap(self, theta: Vector) -> Vector:
        """Return h(θ) − h(θ_init), (laws,)."""
        ...

    def jacobian(self, theta: Vector) -> Vector:
        """Return ∂h(θ), (laws, D)."""
        ...


class Fibre:
    """M at z: θ is found near the one before, where φ(θ) = z and the laws have their values."""

    def __init__(self, phi: Reparametrisation, laws: Sequence[Constants], theta: Vector) -> None:
        self._phi, self._laws, self._theta = phi, laws, theta

    def __call__(self, z: Vector) -> Vector:
        """Return M. Raise DivergedError where no such θ is near, or ∂φ loses rank."""
        theta, before = self._theta, 0.0
        for _ in range(STEPS):
            gap = np.concatenate([self._phi.values(theta) - z, *(h.gap(theta) for h in self._laws)])
            if not np.isfinite(gap).all():
                break
            step, _, _, sizes = np.linalg.lstsq(self.slopes(theta), gap)
            if sizes[-1] < SINGULAR * sizes[0]:
                raise DivergedError("rank ∂φ drops: z ends where it is not constant")
            theta, length = theta - step, float(np.linalg.norm(step))
            after = length * min(1.0, length / before) if before else length
            if after <= CLOSE * np.linalg.norm(theta):
                self._theta = theta
                return _square(self._phi, theta)
            before = length
        raise DivergedError("Newton's method finds no θ for z near the one before")

    def slopes(self, theta: Vector) -> Vector:
        """Return the derivatives of φ and of the laws."""
        laws = (each.jacobian(theta) for each in self._laws)
        return np.concatenate([self._phi.jacobian(theta), *laws])


def laws_of(problem: Problem, phi: Reparametrisation, theta: Vector) -> Sequence[Constants]:
    """Return laws that decide θ, with φ. Raise ConslawError if none that are known do."""
    laws: list[Constants] = [_Known(problem.laws(), theta)]
    laws += [_Integrals(each, theta) for each in abelian_laws(problem)]
    if (rank := _rank(phi, laws, theta)) < len(theta):
        search = find_laws(problem, degree=SEARCHED)
        found = [law.polynomial for law in search.generators if law.polynomial.rational]
        laws.append(_Polynomials(found, theta))
        rank = _rank(phi, laws, theta)
    if rank < len(theta):
        raise ConslawError(
            f"{problem.name}: M is not evaluated: φ and the laws that are known here, of degree up"
            f" to {SEARCHED}, decide {rank} of {len(theta)} coordinates of θ"
        )
    return laws


def _rank(phi: Reparametrisation, laws: Sequence[Constants], theta: Vector) -> int:
    sizes = np.linalg.svd(Fibre(phi, laws, theta).slopes(theta), compute_uv=False)
    return int((sizes > SINGULAR * sizes[0]).sum())


class _Known:
    def __init__(self, laws: Laws, start: Vector) -> None:
        self._laws = laws
        self._start = self._values(start)

    def _values(self, theta: Vector) -> Vector:
        values: Vector = self._laws.values(theta[None], lambda terms: None)[0]
        return values

    def gap(self, theta: Vector) -> Vector:
        return self._values(theta) - self._start

    def jacobian(self, theta: Vector) -> Vector:
        return np.concatenate([np.empty((0, len(theta))), *self._laws.gradients(theta, TERMS)])


class _Polynomials:
    def __init__(self, laws: Sequence[Polynomial], start: Vector) -> None:
        self._laws = laws
        self._start = self._values(start)

    def _values(self, theta: Vector) -> Vector:
        terms = ([c * theta[list(m)].prod() for c, m in law.terms] for law in self._laws)
        return np.array([sum(each) for each in terms], np.float64)

    def gap(self, theta: Vector) -> Vector:
        return self._values(theta) - self._start

    def jacobian(self, theta: Vector) -> Vector:
        found = np.zeros((len(self._laws), len(theta)))
        for row, law in zip(found, self._laws, strict=True):
            for c, monomial in law.terms:
                for k, e in enumerate(monomial):
                    row[e] += c * theta[[*monomial[:k], *monomial[k + 1 :]]].prod()
        return found


class _Integrals:
    """Abelian integrals, up to periods. Their derivatives are central differences, which are dear:
    those of a point nearby stand for them.
    """

    def __init__(self, laws: AbelianLaws, start: Vector) -> None:
        self._laws, self._start = laws, laws.at(start).values
        self._slopes_at(start)

    def gap(self, theta: Vector) -> Vector:
        return self._laws.at(theta).near(self._start) - self._start

    def jacobian(self, theta: Vector) -> Vector:
        if np.linalg.norm(theta - self._near) > NEARBY * np.linalg.norm(theta):
            self._slopes_at(theta)
        return self._slopes

    def _slopes_at(self, theta: Vector) -> None:
        shifts = DIFFERENCE * np.eye(len(theta))
        pairs = [self._laws.along((theta - e, theta + e)) for e in shifts]
        rows = [(after - before) / (2 * DIFFERENCE) for before, after in pairs]
        self._near, self._slopes = theta, np.array(rows).T
