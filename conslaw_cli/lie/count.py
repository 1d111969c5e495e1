"""From an architecture to the number of its conservation laws: the pipeline on one screen."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import psutil

from conslaw_cli import __version__, checks
from conslaw_cli.algebra.field import TERMS, PrimeField
from conslaw_cli.errors import ContradictionError, MemoryBudgetError
from conslaw_cli.flows import Clocked, VectorFields
from conslaw_cli.flows.gradient import GRADIENT
from conslaw_cli.lie import bounds
from conslaw_cli.lie.closure import (
    CHUNK_BYTES,
    RankTrace,
    Sampler,
    close,
    confirms,
    spanning,
)
from conslaw_cli.lie.orbit import Orbit, Steps, orbit
from conslaw_cli.problems import Architecture, Problem
from conslaw_cli.records import Bound, LawCount, Trace

VERSION = __version__
"""Version of the algorithm, part of every row: results of another version are computed again."""
SURE = 2.0**-60
"""A count that is not proved is repeated until its error probability is below this."""
TRACE_SURE = 2.0**-20
"""The same for the earlier entries of the trace of a proved count."""
LAW_TRIALS = 3
"""Fresh primes and points at which the rank of the known laws is computed again where laws beyond
them seem to exist.
"""
MAX_TRIALS = 100
HIGH_ORDER = 3
"""Order of jets at which one field must fit the memory; longer traces of networks with large images
may take more.
"""
SMALL_MEMORY = 1 << 29
"""Needs below this are not held against what is free: asking takes longer than most counts."""
REFUSED = 10**6
"""Ranks from which no memory budget suffices, so that the count is a refusal and takes no time."""
ENGINE_LIMIT = 1500
"""Parameters up to which the engine also runs, if it fits the memory, where the graph alone is a
proof; both must agree.
"""


def count_laws(
    problem: Problem | Architecture, *, seed: int = 0, memory: int | None = None
) -> LawCount:
    """Count the conservation laws of a problem; of an architecture under gradient flow.

    memory: the budget in bytes, by default half of what is free. Raise SpecError if an argument is
    wrong; raise MemoryBudgetError, before allocating anything, if no method fits the budget; raise
    ContradictionError if two bounds contradict each other (a bug).
    """
    start = time.perf_counter()
    checks.job(seed, memory)
    problem = Problem.of(problem)
    architecture = problem.architecture
    gradient = problem.flow == GRADIENT
    structural = bounds.from_paths(architecture) if gradient and architecture.monomial else None
    if structural is not None and not _engine_too(problem, memory):
        row = _from_graph(problem, structural)
    elif gradient and (len(parts := architecture.parts()) > 1 or parts[0][1] > 1):
        row = _from_parts(
            problem,
            [(count_laws(part, seed=seed, memory=memory), count) for part, count in parts],
        )
    else:
        check_memory(problem, memory)
        row = _from_engine(problem, structural, problem.key(seed))
    return replace(row, seed=seed, seconds=round(time.perf_counter() - start, 6))


def estimated_seconds(problem: Problem) -> float:
    """Return a crude guess of what a count takes, from sizes alone: to share out work, never to
    decide a result.
    """
    architecture = problem.architecture
    if architecture.monomial and architecture.parameters > ENGINE_LIMIT:
        return 1e-4
    sizes = (part.rank_guess for part, _ in architecture.parts())
    return sum(
        2e-3 + 4e-6 * rank + 4e-11 * float(rank) ** 3 if rank < REFUSED else 1e-3 for rank in sizes
    )


def default_memory() -> int:
    """Return the default memory budget in bytes: half of what is free."""
    return int(psutil.virtual_memory().available) // 2


def needed_memory(problem: Problem) -> int:
    """Estimate from above the bytes that the engine holds at its peak, from sizes alone.

    The larger of the eliminations of the laws' gradients and of the brackets: a square of residues
    with as much again for the fold and the update, besides one part of unfolded rows, the laws'
    terms and the jets of some fields, at least of one.
    """
    architecture = problem.architecture
    dimension, listed = problem.state, architecture.known_listed
    square = max(min(dimension, listed) ** 2, max(1, dimension - listed // 2) ** 2)
    one = 8 * (8 * dimension + 6 * architecture.held) << HIGH_ORDER
    return (
        8 * (2 * square + 6 * TERMS * dimension)
        + max(2 * CHUNK_BYTES, one)
        + 160 * architecture.known_terms
    )


def check_memory(problem: Problem, memory: int | None) -> None:
    """Raise MemoryBudgetError if the engine would need more than the budget, before anything is
    allocated.
    """
    needed = needed_memory(problem)
    check_budget(f"{problem.parameters} parameters", needed, budget_of(memory, needed))


def budget_of(memory: int | None, needed: int) -> int:
    """Return the budget to hold ``needed`` bytes against: what was asked for, else the default."""
    if memory is not None:
        return memory
    return SMALL_MEMORY if needed < SMALL_MEMORY else default_memory()


def check_budget(what: str, needed: int, budget: int, advice: str = "") -> None:
    """Raise MemoryBudgetError if ``needed`` bytes exceed the budget."""
    if needed > budget:
        raise MemoryBudgetError(
            f"{what} need about {_bytes(needed)}, the memory budget is {_bytes(budget)}"
            + (f"; {advice}" if advice else "")
        )


def _bytes(size: int) -> str:
    return f"{size / 2**30:.3g} GiB"


def _engine_too(problem: Problem, memory: int | None) -> bool:
    """Whether the engine checks what the graph alone proves."""
    if problem.parameters > ENGINE_LIMIT:
        return False
    needed = needed_memory(problem)
    return needed <= budget_of(memory, needed)


def _from_graph(problem: Problem, bound: Bound) -> LawCount:
    # Every law is a function of known quadratic ones, which are independent; laws whose integers
    # are too large are not listed.
    known = problem.architecture.known_listed
    return _row(problem, known, Trace((bound.value,)), [bound], [bound])


def _from_parts(problem: Problem, parts: Sequence[tuple[LawCount, int]]) -> LawCount:
    """Add up counts on disjoint parameters: fields of different parts commute, so every W_k(θ) is
    the direct sum of theirs.
    """
    lower = [(max(row.lower, key=lambda bound: bound.value), count) for row, count in parts]
    upper = [_lowest(row, row.upper, count) for row, count in parts]
    proofs = [
        _lowest(row, [bound for bound in row.upper if bound.kind == "proof"], count)
        for row, count in parts
    ]
    return _row(
        problem,
        sum((row.known_independent or 0) * count for row, count in parts),
        _direct_sum([(row.trace, count) for row, count in parts if row.trace]),
        [bounds.direct_sum(lower)],
        [bounds.direct_sum(each) for each in ([upper] if upper == proofs else [proofs, upper])],
    )


def _lowest(row: LawCount, upper: Sequence[Bound], count: int) -> tuple[Bound, int]:
    """Return the lowest of a part's upper bounds, a proved one if there is, and its count."""
    return min(upper, key=lambda bound: (bound.value, bound.kind == "random")), count


def _direct_sum(traces: Sequence[tuple[Trace, int]]) -> Trace:
    """Add up traces step by step, each going on with its last entry; where steps of one are left
    out, no step is known from there on until all have stopped.
    """
    gaps = [len(trace.dimensions) - 1 for trace, _ in traces if not trace.complete]
    steps = min([max(len(trace.dimensions) for trace, _ in traces), *(gap + 1 for gap in gaps)])
    dimensions = [
        sum(
            count * trace.dimensions[min(step, len(trace.dimensions) - 1)]
            for trace, count in traces
        )
        for step in range(steps)
    ]
    if gaps:
        dimensions[-1] = sum(count * trace.dimensions[-1] for trace, count in traces)
    error = sum(trace.error_bound or 0.0 for trace, _ in traces)
    return Trace(tuple(dimensions), error or None, complete=not gaps)


def _from_engine(problem: Problem, structural: Bound | None, key: str) -> LawCount:
    fields, architecture = problem.fields(), problem.architecture
    rng = np.random.Generator(np.random.PCG64(int(key, 16)))
    laws = problem.laws()
    sampler = _fresh(fields, rng)
    known = bounds.from_known_laws(laws, sampler)
    gradient = problem.flow == GRADIENT
    theorems = (
        structural,
        bounds.from_segments(architecture.segments(), sampler) if gradient else None,
        bounds.from_single_field(architecture) if gradient else None,
    )
    others = [bound for bound in theorems if bound is not None]
    if isinstance(fields, Steps):
        along = orbit(fields, sampler.field, rng, known.value)
        if along.rank == known.value:
            return _from_orbit(problem, fields, along, known)
    image = architecture.image_dimension if gradient else None
    first = _attempt(sampler, min(bound.value for bound in (known, *others)), image)
    if (
        first.trace.rank < known.value
    ):  # laws beyond the known ones, unless the point was unlucky for these
        again = [
            bounds.from_known_laws(laws, _fresh(fields, rng), False) for _ in range(LAW_TRIALS)
        ]
        known = min((known, *again), key=lambda bound: bound.value)
    upper = [known, *others]
    run = _settle(fields, first, rng, min(bound.value for bound in upper))
    lower = [bounds.from_brackets(run.trace, run.prime), *([structural] if structural else [])]
    if run.trace.closed:
        upper.append(bounds.from_stagnation(run.trace, run.error or 0.0))
    independent = problem.state - known.value
    more = run.trace.tail[-1:] if run.trace.rank > run.trace.dimensions[-1] else ()
    trace = Trace((*run.trace.dimensions, *more), run.error, complete=not more)
    row = _row(problem, independent, trace, lower, upper)
    if not isinstance(fields, Clocked):
        return row
    return replace(row, timeless=_timeless(fields, spanning(_fresh(fields, rng), run.trace)))


def _from_orbit(problem: Problem, fields: VectorFields, along: Orbit, known: Bound) -> LawCount:
    """Return the row where an orbit has as many dimensions as the known laws leave."""
    trace = Trace((along.rank,), complete=False)
    lower = [bounds.from_orbit(along)]
    row = _row(problem, problem.state - known.value, trace, lower, [known])
    return replace(row, timeless=_timeless(fields, along) if isinstance(fields, Clocked) else None)


def _timeless(fields: Clocked, at: Orbit) -> int:
    """Return how many laws do not depend on time, being constant along the clock as well."""
    clock = fields.clock(at.field, at.point[None, :, None])
    return fields.dimension - at.field.rank(np.concatenate([at.tangents, clock]))


@dataclass(frozen=True, slots=True)
class _Run:
    trace: RankTrace
    prime: int
    folded: bool
    image: int | None
    error: float | None = None

    @property
    def proved(self) -> bool:
        """Whether no entry of the trace rests on chance: W_0 may have its dimension by a theorem
        (``image``).
        """
        known = len(self.trace.dimensions) == 2 and self.trace.dimensions[0] == self.image
        return self.trace.proved or (known and not self.trace.closed and not self.trace.tail)

    @property
    def tolerance(self) -> float:
        return SURE if self.trace.closed else TRACE_SURE


def _settle(fields: VectorFields, best: _Run, rng: np.random.Generator, enough: int) -> _Run:
    """Repeat a first attempt with fresh primes and points until its ranks are proved or sure.

    Ranks that reach ``enough`` are proved, but for the earlier entries of the trace. These are
    wrong only if a minor of at most ``enough`` rows of this run vanished, and if every later trial
    missed it too. A trial that sees larger ranks starts over from them; one with smaller ranks was
    unlucky and only costs certainty, as does the choice of the trials
    that count: ``comb(attempts, passes)``.
    """
    passes = attempts = 0
    first = error = (
        1.0
        if best.trace.closed or best.folded
        else bounds.miss_probability(fields, enough, best.trace.length)
    )
    while not best.proved and error > best.tolerance and attempts < MAX_TRIALS:
        attempts += 1
        miss = bounds.miss_probability(
            fields, best.trace.rank, best.trace.length + best.trace.closed
        )
        if confirms(_fresh(fields, rng), best.trace):
            passes += 1
        else:
            other = _attempt(_fresh(fields, rng), enough, best.image, False)
            if _order(other.trace) > _order(best.trace):
                best, passes, attempts, first = other, 0, 0, 1.0
        error = min(1.0, first * math.comb(attempts, passes) * miss**passes)
    return replace(best, error=None if best.proved else error)


def _order(trace: RankTrace) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
    """Sort key: a larger last rank proves more; then, at the first difference, the smaller rank was
    unlucky.
    """
    return trace.rank, trace.dimensions, trace.tail


def _attempt(sampler: Sampler, enough: int, image: int | None, fold: bool = True) -> _Run:
    """Close W_φ at one point.

    A fold may lose rank, so it is trusted only where the rank reaches its upper bound.
    """
    folding = bounds.folding(sampler, enough + 1) if fold else None
    trace = close(sampler, enough, folding)
    if folding is not None and trace.closed:
        folding, trace = None, close(sampler, enough)
    return _Run(trace, sampler.field.p, folding is not None, image)


def _fresh(fields: VectorFields, rng: np.random.Generator) -> Sampler:
    """Return a sampler at a fresh random prime and point."""
    return Sampler.at_random_point(fields, PrimeField(fields.prime(rng)), rng)


def _row(
    problem: Problem,
    independent: int,
    trace: Trace,
    lower: Sequence[Bound],
    upper: Sequence[Bound],
) -> LawCount:
    """Assemble the row; raise ContradictionError if bounds contradict each other."""
    proved = min((bound.value for bound in upper if bound.kind == "proof"), default=problem.state)
    dim_lie = max(bound.value for bound in lower)
    if dim_lie > proved:
        raise ContradictionError(
            f"{problem.name}: lower bound {dim_lie} above upper bound {proved}: {lower}, {upper}"
        )
    laws = problem.state - dim_lie
    errors = [bound.error_bound or 0.0 for bound in upper if bound.kind == "random"]
    return LawCount(
        name=problem.name,
        architecture=problem.architecture.describe(),
        seed=0,
        version=VERSION,
        seconds=0.0,
        verdict="proved" if dim_lie == proved else "computed",
        parameters=problem.parameters,
        dim_lie=dim_lie,
        laws=laws,
        known_listed=problem.known_listed,
        known_independent=independent,
        unknown_laws=laws - independent,
        trace=trace,
        involutive=len(trace.dimensions) == 1 if trace.complete else None,
        error_bound=None if dim_lie == proved else min(errors, default=1.0),
        lower=tuple(lower),
        upper=tuple(upper),
        flow=problem.flow.describe(),
        state=problem.state,
        scope=problem.architecture.scope,
    )
