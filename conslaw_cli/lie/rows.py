"""Rows: what proofs say of the number of laws of a problem, or why there is no count."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

from conslaw_cli.errors import ContradictionError, SpecError
from conslaw_cli.lie.theorems import THEOREMS, Evidence, Needs, Proof
from conslaw_cli.lie.theorems.structure import network_of
from conslaw_cli.networks.units import Units
from conslaw_cli.problems.problem import Problem
from conslaw_cli.problems.records import VERSION, Bound, Complete, LawCount, Trace, Verdict

CAPPED = 200
"""Dimensions of the state of a smaller network in which completeness is looked for."""
CAPS = 3
"""Smaller networks that are tried."""


def counted(problem: Problem, ordered: Sequence[Proof], trace: Trace) -> LawCount:
    """Return the row of a count. Raise ContradictionError if bounds contradict each other."""
    proved = min(_proved(ordered), default=problem.state)
    dim_lie = max(bound.value for proof in ordered for bound in proof.lower)
    lower, upper = _shown(ordered)
    if dim_lie > proved or dim_lie != trace.dimensions[-1]:
        raise ContradictionError(
            f"{problem.name}: lower bound {dim_lie} above upper bound {proved}, or not the end of"
            f" the trace {trace.dimensions}: {lower}, {upper}"
        )
    laws = problem.state - dim_lie
    independent = max(proof.independent or 0 for proof in ordered)
    errors = [bound.error_bound or 0.0 for bound in upper if bound.kind == "random"]
    return _row(
        problem,
        "proved" if dim_lie == proved else "computed",
        **_known(problem, ordered, independent),
        dim_lie=dim_lie,
        laws=laws,
        unknown_laws=laws - independent,
        trace=trace,
        involutive=trace.involutive,
        commuting=problem.commuting,
        error_bound=None if dim_lie == proved else min(errors, default=1.0),
        lower=lower,
        upper=upper,
        timeless=next((proof.timeless for proof in ordered if proof.timeless is not None), None),
    )


def bounded(problem: Problem, reason: str, proofs: Iterable[Proof] = ()) -> LawCount | None:
    """Return the row of a problem whose count is not to be had, for a reason: as many laws at least
    as upper bounds on dim Lie leave, of proofs and of what theorems say from sizes alone, with a
    smaller network of its shape whose known laws are complete; None if there are no such laws.

    It takes little time and memory, whatever the problem.
    """
    proofs = [proof for proof in (*proofs, *_from_sizes(problem)) if proof.upper]
    upper = [bound for proof in proofs for bound in proof.upper if bound.kind == "proof"]
    least = problem.state - min((bound.value for bound in upper), default=problem.state)
    if not least:
        return None
    independent = (each.independent for each in proofs if each.independent)
    return _row(
        problem,
        "bounded",
        **_known(problem, proofs, max(independent, default=None)),
        laws_at_least=least,
        upper=tuple(bound for bound in upper if problem.state - bound.value == least)[:1],
        reason=reason,
        complete_at=complete_at(problem),
    )


def failed(problem: Problem, reason: str) -> LawCount:
    """Return the row of a problem of which nothing is known, for a reason."""
    return LawCount(**_named(problem), verdict="failed", reason=reason)


def complete_at(problem: Problem) -> Complete | None:
    """Return the smaller network of a problem's shape whose known laws are found to be complete at
    a point: all spaces of units have at most as many units as the largest number that leaves a
    state of ``CAPPED`` dimensions, or one or two less. None if there is none.
    """
    from conslaw_cli.lie.strands import capped, complete  # only where there is no count

    network = network_of(problem)
    if network is None or network[0].frozen:
        return None
    graph, outputs = network[0], Units.of(network[0]).outputs
    for sizes in islice(capped(problem, graph, CAPPED), CAPS):
        with contextlib.suppress(SpecError):
            if (found := complete(problem, [sizes])) is not None:
                more = int(problem.loss.zero_sum)
                units = tuple(n + more * (i in outputs) for i, n in enumerate(sizes))
                figures = found.dimension, found.rank, sum(found.laws.values())
                return Complete(units, *figures, found.prime, found.seed)
    return None


def _named(problem: Problem) -> dict[str, Any]:
    """Return what every row says of its problem."""
    return {
        "name": problem.name,
        "architecture": problem.architecture.describe(),
        "flow": problem.flow.describe(),
        "seed": 0,
        "version": VERSION,
        "seconds": 0.0,
    }


def _row(problem: Problem, verdict: Verdict, **values: Any) -> LawCount:
    return LawCount(
        **_named(problem),
        verdict=verdict,
        parameters=problem.parameters,
        state=problem.state,
        scope=problem.architecture.scope,
        **values,
    )


def _known(problem: Problem, proofs: Sequence[Proof], independent: int | None) -> dict[str, Any]:
    """Return how many laws are listed, and are independent."""
    listed = next((proof.listed for proof in proofs if proof.listed is not None), None)
    return {
        "known_listed": problem.known_listed if listed is None else listed,
        "known_independent": independent,
    }


def _from_sizes(problem: Problem) -> list[Proof]:
    found = (each(problem, Evidence(_nothing)) for each in THEOREMS if each.needs is Needs.SIZES)
    return [proof for proof in found if proof is not None]


def _nothing(problem: Problem) -> LawCount:
    raise AssertionError(f"{problem.name}: sizes alone need no other count")


def _proved(proofs: Iterable[Proof]) -> list[int]:
    return [bound.value for proof in proofs for bound in proof.upper if bound.kind == "proof"]


def _shown(proofs: Sequence[Proof]) -> tuple[tuple[Bound, ...], tuple[Bound, ...]]:
    """Return the lower and the upper bounds that a row shows: spare ones where they say more."""
    main = [proof for proof in proofs if not proof.spare]
    least = max((bound.value for proof in main for bound in proof.lower), default=-1)
    most = min(_proved(main), default=math.inf)
    lower = (
        bound for proof in proofs for bound in proof.lower if not proof.spare or bound.value > least
    )
    upper = (
        bound for proof in proofs for bound in proof.upper if not proof.spare or bound.value < most
    )
    return tuple(lower), tuple(upper)
