"""Condition (13) of the paper: W_φ is involutive, ``[χ, ψ](θ) ∈ W_φ(θ)`` for all its fields.

Where it holds at generic θ, dim Lie(W_φ)(θ) is the rank of ∂φ(θ): then a flow of θ is one of φ(θ)
(Prop. 3.7). Brackets are linear in both fields, so it holds if and only if it does for those of two
components; where it fails, one of these is looked for: first one whose bracket with a random field
is not in W_φ(θ), then another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from conslaw_cli.algebra.field import Array, Span
from conslaw_cli.algebra.rings import derivative, lift
from conslaw_cli.errors import ConslawError, MemoryBudgetError, SpecError
from conslaw_cli.families.formulas.algebraic import components
from conslaw_cli.families.formulas.custom import CustomMap
from conslaw_cli.flows import System, VectorFields
from conslaw_cli.lie import trials
from conslaw_cli.lie.closure import Sampler
from conslaw_cli.lie.count import count_laws
from conslaw_cli.networks.paths import written_out
from conslaw_cli.problems.problem import Loss, Problem
from conslaw_cli.problems.records import LawCount

MAX_COMPONENTS = 1000
"""Of which a bracket that fails is looked for, at most."""
MAX_PARAMETERS = 3000
"""Up to which ranks of ∂φ are computed, where no theorem gives them."""
POINTS = 3
"""At which the rank of ∂φ is computed before it is believed to be less than dim Lie."""

Fields = Callable[[Array], Array]
"""Takes jets of θ (batch or 1, D, 2^k) to values of fields (batch, D, 2^k)."""


@dataclass(frozen=True, slots=True)
class Involution:
    """Whether condition (13) holds at generic θ.

    count: the row of the problem, with dim Lie. rank: that of ∂φ. bracket: two components whose
    bracket is not in W_φ, where it fails. error_bound: the probability that the answer is wrong,
    None if it is proved.
    """

    count: LawCount
    rank: int
    bracket: tuple[str, str] | None
    error_bound: float | None

    @property
    def holds(self) -> bool:
        """The answer."""
        return self.rank == self.count.dim_lie


def involution(problem: Problem, *, seed: int = 0, memory: int | None = None) -> Involution:
    """Decide condition (13) of a φ under gradient flow.

    Where ∂φ reaches the rank dim Lie modulo a prime, or brackets have added nothing, that is a
    proof if dim Lie is proved. Where it does not, a theorem may say so; else ranks at further
    points make sure that it has no larger one.

    Raise SpecError for another flow, for fields of one's own and for cross-entropy, under which
    gradients by φ are not free; ConslawError where dim Lie, or the rank of ∂φ, is not known.
    """
    check(problem)
    count = count_laws(problem, seed=seed, memory=memory)
    if count.dim_lie is None:
        raise ConslawError(f"{problem.name}: dim Lie is not known: {count.reason}")
    if count.involutive:
        return Involution(count, count.dim_lie, None, count.error_bound)
    small = problem.parameters <= MAX_PARAMETERS
    fields, rng = problem.fields(), np.random.default_rng(seed)
    if (known := _known(count)) is not None:
        rank, error = known, None
    elif small:
        rank, error = _image(fields, rng, count)
    else:
        raise MemoryBudgetError(
            f"{problem.name}: rank ∂φ is not known, and is computed for at most"
            f" {MAX_PARAMETERS:,} parameters, not for {problem.parameters:,}"
        )
    holds = rank == count.dim_lie
    bracket = None if holds or not small else _failing(problem, trials.fresh(fields, rng))
    return Involution(count, rank, bracket, error)


def _known(count: LawCount) -> int | None:
    """Return the rank of ∂φ, if the row proves it: it is the first dimension of several."""
    trace = count.trace
    proved = trace is not None and trace.error_bound is None and len(trace.dimensions) > 1
    return trace.dimensions[0] if trace is not None and proved else None


def _image(
    fields: VectorFields, rng: np.random.Generator, count: LawCount
) -> tuple[int, float | None]:
    """Return the rank of ∂φ, and the probability that it is larger, None if that is impossible."""
    most, rank, error = count.dim_lie, 0, 1.0
    assert most is not None
    for _ in range(POINTS):
        rank = max(rank, _rank(trials.fresh(fields, rng), most))
        if rank == most:
            return rank, count.error_bound
    while error > trials.SURE:
        again = _rank(trials.fresh(fields, rng), rank + 1)
        error = error * trials.miss_probability(fields, rank, 1) if again <= rank else 1.0
        rank = max(rank, again)
    return rank, error


def check(problem: Problem) -> None:
    """Raise SpecError unless it is a φ under gradient flow, all gradients by φ being free."""
    if problem.flow.dynamics.system is not System.GRADIENT:
        raise SpecError(f"flow: expected gradient, got {problem.flow.describe()}")
    if problem.loss is Loss.CROSS_ENTROPY:
        raise SpecError(
            "loss: expected mse or logistic, got cross_entropy, whose gradients sum to"
            " zero: its φ has an output less"
        )
    if problem.graph is None and not isinstance(problem.architecture, CustomMap):
        raise SpecError(f"{problem.name}: expected a network or a φ, got vector fields")


def _rank(sampler: Sampler, enough: int) -> int:
    """Return the rank of so many random fields at a point."""
    return sampler.field.rank(sampler.rows(0, enough))


@dataclass(frozen=True, slots=True)
class _Components:
    """The gradients of φ's components, by name, at a sampler's prime: probes (d, ·, ·) give each
    as a sum of fields.
    """

    sampler: Sampler
    names: Sequence[str]
    probes: Array

    @classmethod
    def of(cls, problem: Problem, sampler: Sampler) -> _Components | None:
        """Return them; None where φ is not written out."""
        graph, architecture = problem.graph, problem.architecture
        if graph is None:
            assert isinstance(architecture, CustomMap)
            names = _names(architecture)
            return cls(sampler, names, np.eye(len(names))[:, None])
        try:
            found = written_out(graph, numbered=isinstance(architecture, CustomMap))
        except SpecError:
            return None
        return cls(sampler, found.names, found.probes)

    def __call__(self, theta: Array) -> Array:
        """Return the values (d, D, 2^k) of all at jets of θ (1 or d, D, 2^k)."""
        return self._evaluated(theta, self.probes)

    def one(self, which: int) -> Fields:
        """Return one of them as a function of jets (batch, D, 2^k)."""
        return lambda theta: self._evaluated(theta, self.probes[[which] * len(theta)])

    def _evaluated(self, theta: Array, probes: Array) -> Array:
        fields, field = self.sampler.fields, self.sampler.field
        parts = [fields.evaluate(field, theta, each) for each in probes.swapaxes(0, 1)]
        return parts[0] if len(parts) == 1 else field.reduce(sum(parts[1:], parts[0]))


def _names(phi: CustomMap) -> Sequence[str]:
    """Return the names of the components that gradients are taken of: constants, and multiples of
    earlier ones, are none.
    """
    graph = phi.algebraic().graph
    supports, written = graph.supports(), len(phi.components) == len(graph.outputs)
    moving = [tuple((i, e) for i, e in term.factors if supports[i]) for term in graph.outputs]
    places = [moving.index(term.factors) for term in components(graph)]
    return [phi.components[place] if written else f"φ[{place + 1}]" for place in places]


def _failing(problem: Problem, sampler: Sampler) -> tuple[str, str] | None:
    """Return two components whose bracket is not in W_φ(θ) at the sampler's point; None where they
    are not written out, or too many.
    """
    every = _Components.of(problem, sampler)
    if every is None or len(every.names) > MAX_COMPONENTS:
        return None
    span = Span(sampler.field)
    span.add(every(sampler.theta)[..., 0])
    outside = span.nullspace(sampler.fields.dimension).T
    probe = sampler.fields.sample(sampler.field, sampler.rng, 1)

    def chance(theta: Array) -> Array:
        rows = np.repeat(probe, len(theta), axis=0)
        return sampler.fields.evaluate(sampler.field, theta, rows)

    first = _first(sampler, every, chance, outside)
    second = None if first is None else _first(sampler, every, every.one(first), outside)
    if first is None or second is None:  # an unlucky point
        return None
    return every.names[min(first, second)], every.names[max(first, second)]


def _first(sampler: Sampler, every: Fields, one: Fields, outside: Array) -> int | None:
    """Return the number of the first of some fields whose bracket with one has a value outside of
    W_φ(θ), all of which ``outside`` (D, ·) annihilates; None if there is none.
    """
    field, theta = sampler.field, sampler.theta
    moved = derivative(every(lift(theta, one(theta))))
    brackets = field.reduce(moved - derivative(one(lift(theta, every(theta)))))
    found = field.matmul(brackets[..., 0], outside).any(axis=1)
    return int(found.argmax()) if found.any() else None
