"""What a recast flow looks like as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from conslaw_cli.formats.words import label, plural, probability
from conslaw_cli.lie.involution import Involution
from conslaw_cli.networks.wiring import labels
from conslaw_cli.problems.problem import Problem
from conslaw_cli.problems.records import VERSION
from conslaw_cli.simulation.metrics import ClosedForm
from conslaw_cli.simulation.recast import TOLERANCE, Run


class Recast(NamedTuple):
    """A problem, whether condition (13) holds, and the two flows where it does."""

    problem: Problem
    involution: Involution
    run: Run | None
    seed: int


def condition_lines(problem: Problem, found: Involution) -> Iterator[str]:
    """Yield the figures of condition (13)."""
    yield f"{label(problem.name)}: {plural(problem.parameters, 'parameter')}"
    sure = (
        "proved"
        if found.error_bound is None
        else f"error probability {probability(found.error_bound)}"
    )
    ranks = f"rank ∂φ = {found.rank}, dim Lie = {found.count.dim_lie}"
    if found.holds:
        yield f"  condition (13) holds: {ranks} ({sure})"
        return
    where = ""
    if found.bracket is not None:
        first, second = found.bracket
        where = f" at the bracket [∇({first}), ∇({second})], which is not in W_φ(θ)"
    yield f"  condition (13) fails{where}: {ranks} ({sure})"
    yield "  Prop. 3.7 does not apply: M is not said to be a function of z = φ(θ) and θ_init"


def metric_lines(problem: Problem, closed: ClosedForm | None) -> Iterator[str]:
    """Yield what M is."""
    yield "  z = φ(θ) obeys z' = −M(z, θ_init) ∇f(z) (Prop. 3.7)"
    if closed is None:
        yield "  M has no closed form here: ∂φ∂φᵀ at the θ that has z and the laws of the start"
    else:
        first, *rest = closed.lines(labels(problem.architecture.parameter_arrays()))
        yield f"  {first}"
        yield from (f"    {line}" for line in rest)


def run_lines(run: Run, seed: int) -> Iterator[str]:
    """Yield what came of the two flows."""
    last = run.times[-1]
    yield (
        f"  f = ½‖z − z*‖², z* drawn with seed {seed}; t from 0 to {last:g}, by DOP853 of tolerance"
        f" {TOLERANCE:g}"
    )
    if run.dropped:
        yield f"  rank ∂φ drops behind t = {last:g}: there Prop. 3.7 ends, and so do both flows"
    if run.failed is not None:
        yield f"  ended at t = {last:g}: {run.failed}"
    apart = f"{run.difference:.1e}"
    yield f"  θ integrated, then φ, and z integrated by itself differ by at most {apart}"
    yield f"  M(z) and ∂φ∂φᵀ(θ) differ by at most {run.mismatch:.1e}"
    if len(run.metric) <= 6:
        yield "  M at the start:"
        yield from ("   " + "".join(f"{each:z12.6f}" for each in row) for row in run.metric)


def json_value(recast: Recast) -> dict[str, Any]:
    """Return the keys of one result."""
    problem, found, run = recast.problem, recast.involution, recast.run
    condition = {
        "holds": found.holds,
        "rank": found.rank,
        "dim_lie": found.count.dim_lie,
        "bracket": None if found.bracket is None else list(found.bracket),
        "error_bound": found.error_bound,
    }
    return {
        "name": problem.name,
        **problem.architecture.describe(),
        "parameters": problem.parameters,
        "condition_13": condition,
        **({} if run is None else _run(problem, run)),
        "seed": recast.seed,
        "version": VERSION,
    }


def _run(problem: Problem, run: Run) -> dict[str, Any]:
    names = labels(problem.architecture.parameter_arrays())
    return {
        "components": list(run.names),
        "closed_form": None if run.closed is None else list(run.closed.lines(names)),
        "start": {"theta": run.start.tolist(), "z": run.moved[0].tolist()},
        "target": run.target.tolist(),
        "metric": run.metric.tolist(),
        "time": float(run.times[-1]),
        "rank_drops": run.dropped,
        "ended": run.failed,
        "tolerance": TOLERANCE,
        "difference": run.difference,
        "metric_difference": run.mismatch,
        "z": {"theta_then_phi": run.moved[-1].tolist(), "direct": run.direct[-1].tolist()},
    }
