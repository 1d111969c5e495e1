"""Rows of what cannot be decided: the known laws that are proved to be independent are a lower
bound on the number of laws.
"""

from __future__ import annotations

from collections.abc import Iterable

from conslaw_cli.lie.theorems import THEOREMS, Evidence, Needs, Proof
from conslaw_cli.problems.problem import Problem
from conslaw_cli.problems.records import VERSION, LawCount


def bounded(problem: Problem, reason: str, proofs: Iterable[Proof] = ()) -> LawCount | None:
    """Return the row of a problem whose count is not to be had, for a reason: as many laws at least
    as upper bounds on dim Lie leave, of proofs and of what theorems say from sizes alone; None if
    these leave none. It takes no time and no memory.
    """
    proofs = [proof for proof in (*proofs, *_from_sizes(problem)) if proof.upper]
    upper = [bound for proof in proofs for bound in proof.upper if bound.kind == "proof"]
    least = problem.state - min((bound.value for bound in upper), default=problem.state)
    if not least:
        return None
    listed = (proof.listed for proof in proofs if proof.listed is not None)
    return LawCount(
        name=problem.name,
        architecture=problem.architecture.describe(),
        seed=0,
        version=VERSION,
        seconds=0.0,
        verdict="bounded",
        parameters=problem.parameters,
        known_listed=next(listed, problem.known_listed),
        known_independent=max(
            (each.independent for each in proofs if each.independent), default=None
        ),
        laws_at_least=least,
        upper=tuple(bound for bound in upper if problem.state - bound.value == least)[:1],
        flow=problem.flow.describe(),
        state=problem.state,
        scope=problem.architecture.scope,
        reason=reason,
    )


def _from_sizes(problem: Problem) -> list[Proof]:
    found = (each(problem, Evidence(_nothing)) for each in THEOREMS if each.needs is Needs.SIZES)
    return [proof for proof in found if proof is not None]


def _nothing(problem: Problem) -> LawCount:
    raise AssertionError(f"{problem.name}: sizes alone need no other count")
