"""From a problem to the number of its conservation laws: the pipeline on one screen."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache, partial
from itertools import chain

import numpy as np

from conslaw_cli import checks
from conslaw_cli.errors import MemoryBudgetError, SpecError
from conslaw_cli.flows import Clocked, System, VectorFields
from conslaw_cli.lie import budget, trials
from conslaw_cli.lie.closure import RankTrace, spanning
from conslaw_cli.lie.orbit import Orbit, Steps, orbit
from conslaw_cli.lie.rows import bounded, counted
from conslaw_cli.lie.theorems import THEOREMS, Evidence, Needs, Proof, Theorem
from conslaw_cli.problems.problem import Architecture, Problem
from conslaw_cli.problems.records import LawCount, Trace

LAW_TRIALS = 3
"""Fresh primes and points at which ranks of laws are computed again where laws beyond these seem to
exist.
"""

Proofs = Mapping[Theorem, Proof]


def count_laws(
    problem: Problem | Architecture, *, seed: int = 0, memory: int | None = None
) -> LawCount:
    """Count the conservation laws of a problem; of an architecture under gradient flow.

    memory: the budget in bytes, by default half of what is free. Where no method fits the budget,
    the row is bounded by the known laws; raise MemoryBudgetError, before allocating anything, if
    there are none. Raise SpecError if an argument is wrong, ContradictionError if two bounds
    contradict each other (a bug).

    >>> from conslaw_cli import MLP
    >>> count_laws(MLP((3, 4, 2), "relu", "hidden"))
    <LawCount 'relu 3-4-2 bias': D = 24, dim Lie = 20, laws = 4 (4 known), proved>
    """
    start = time.perf_counter()
    checks.job(seed, memory)
    row = _counted(Problem.of(problem), seed, memory)
    # Nobody else has the row yet; a copy would take a tenth of a count by theorems.
    object.__setattr__(row, "seed", seed)
    object.__setattr__(row, "seconds", round(time.perf_counter() - start, 6))
    return row


def _counted(problem: Problem, seed: int, memory: int | None) -> LawCount:
    evidence = Evidence(partial(_part, seed=seed, memory=memory))
    early = [Needs.STRUCTURE, Needs.PARTS]
    if not budget.quick(problem):
        early.append(Needs.NARROW)
    proofs = dict[Theorem, Proof]()
    for theorem in chain.from_iterable(map(_needing, early)):
        if (proof := theorem(problem, evidence)) is None:
            continue
        counted = theorem.needs is not Needs.STRUCTURE
        if proof.settles and (counted or not budget.engine_fits(problem, memory)):
            assert proof.trace is not None
            return _row(problem, {theorem: proof._replace(spare=False)}, proof.trace)
        proofs[theorem] = proof
    if (excess := budget.excess(problem, memory)) is not None:
        return _bounded(problem, excess, proofs)
    return _from_engine(problem, evidence, proofs, problem.key(seed))


def _bounded(problem: Problem, excess: str, proofs: Proofs) -> LawCount:
    """Return a row that is bounded by known laws; raise MemoryBudgetError if there are none."""
    row = bounded(problem, excess, proofs.values())
    if row is None:
        raise MemoryBudgetError(excess)
    return row


@lru_cache(maxsize=1024)
def _part(problem: Problem, seed: int, memory: int | None) -> LawCount:
    """Count a part of a problem; other problems have the same parts."""
    return count_laws(problem, seed=seed, memory=memory)


def _from_engine(problem: Problem, evidence: Evidence, given: Proofs, key: str) -> LawCount:
    fields = problem.fields()
    rng = np.random.Generator(np.random.PCG64(int(key, 16)))
    at = replace(evidence, at=trials.fresh(fields, rng))
    proofs: Proofs = {**given, **_proofs(problem, at, Needs.RANKS)}
    if problem.doubt is not None and problem.flow.dynamics.system is not System.GRADIENT:
        return _undecided(problem, problem.doubt, proofs)
    # hasattr, as isinstance of a protocol takes a hundredth of a small count
    row = _along_orbit(problem, fields, at, proofs) if hasattr(fields, "steps") else None
    if row is not None:
        return row
    proofs, trace, ranks = _closed(problem, fields, at, proofs)
    row = _row(problem, proofs, trace)
    if not hasattr(fields, "clock"):
        return row
    return _timed(row, fields, spanning(trials.fresh(fields, rng), ranks))


def _along_orbit(
    problem: Problem, fields: VectorFields, at: Evidence, proofs: Proofs
) -> LawCount | None:
    """Return the row if a path has as many dimensions as the laws leave; None if it has not, or
    flows are no polynomial maps.
    """
    if not isinstance(fields, Steps):
        return None
    enough = _enough(problem, proofs)
    along = orbit(fields, at.sampler.field, at.sampler.rng, enough)
    if along.rank < enough:
        return None
    met = {**proofs, **_proofs(problem, replace(at, along=along), Needs.PATH)}
    row = _row(problem, met, Trace((along.rank,), complete=False))
    return _timed(row, fields, along)


def _closed(
    problem: Problem, fields: VectorFields, at: Evidence, proofs: Proofs
) -> tuple[Proofs, Trace, RankTrace]:
    """Close W_φ; return all proofs, the trace, and the ranks it was made of."""
    image = next((p.image for p in proofs.values() if p.image is not None), None)
    if problem.doubt is not None:
        assert problem.formula is not None
        run = trials.at_real_point(problem.formula, problem.doubt, _enough(problem, proofs))
    else:
        run = trials.attempt(at.sampler, _enough(problem, proofs), image)
        proofs = _improved(problem, fields, at, proofs, run.ranks.rank)
        run = trials.settle(fields, run, at.sampler.rng, _enough(problem, proofs))
    at = replace(at, run=run)
    proofs = {**proofs, **_proofs(problem, at, Needs.BRACKETS)}
    if min(_proved(proofs), default=problem.state) > run.ranks.rank:
        proofs = {**proofs, **_proofs(problem, at, Needs.GAP)}
    return proofs, run.trace, run.ranks


def _undecided(problem: Problem, doubt: str, proofs: Proofs) -> LawCount:
    """Return a row that is bounded by known laws, of a flow that is not closed at real points;
    raise SpecError if there are none.
    """
    why = f"{doubt}; such formulas are counted under gradient flow only"
    row = bounded(problem, why, proofs.values())
    if row is None:
        raise SpecError(why)
    return row


def _improved(
    problem: Problem, fields: VectorFields, at: Evidence, proofs: Proofs, rank: int
) -> Proofs:
    """Ask theorems that need ranks again, at other primes and points, where they leave room for
    laws beyond theirs: the point may have been unlucky.
    """
    better = dict(proofs)
    for theorem in _needing(Needs.RANKS):
        if theorem in proofs and _upper(proofs[theorem]) > rank:
            points = (trials.fresh(fields, at.sampler.rng) for _ in range(LAW_TRIALS))
            again = (theorem(problem, replace(at, at=point, check=False)) for point in points)
            better[theorem] = min([proofs[theorem], *filter(None, again)], key=_upper)
    return better


def _row(problem: Problem, proofs: Proofs, trace: Trace) -> LawCount:
    return counted(problem, [proofs[each] for each in THEOREMS if each in proofs], trace)


def _timed(row: LawCount, fields: VectorFields, at: Orbit) -> LawCount:
    """Add how many laws do not depend on time, being constant along the clock as well."""
    if not isinstance(fields, Clocked):
        return row
    clock = fields.clock(at.field, at.point[None, :, None])
    rank = at.field.rank(np.concatenate([at.tangents, clock]))
    return replace(row, timeless=fields.dimension - rank)


def _needing(needs: Needs) -> list[Theorem]:
    return [each for each in THEOREMS if each.needs is needs]


def _proofs(problem: Problem, evidence: Evidence, needs: Needs) -> dict[Theorem, Proof]:
    found = ((theorem, theorem(problem, evidence)) for theorem in _needing(needs))
    return {theorem: proof for theorem, proof in found if proof is not None}


def _upper(proof: Proof) -> int:
    """Return the lowest of a proof's upper bounds, of which it has some."""
    return min(bound.value for bound in proof.upper)


def _enough(problem: Problem, proofs: Proofs) -> int:
    """Return the lowest upper bound that the engine is to reach: spare ones are checked by it."""
    uppers = (bound for proof in proofs.values() if not proof.spare for bound in proof.upper)
    return min((bound.value for bound in uppers), default=problem.state)


def _proved(proofs: Proofs) -> list[int]:
    every = (bound for proof in proofs.values() for bound in proof.upper)
    return [bound.value for bound in every if bound.kind == "proof"]
