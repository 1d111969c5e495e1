"""Simulations as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from conslaw_cli import __version__
from conslaw_cli.flows.names import label
from conslaw_cli.problems.problem import Problem
from conslaw_cli.simulation.runs import Run, Watch, What
from conslaw_cli.simulation.simulate import Simulation

_HEADS = ("optimizer", "steps", "time", "loss", "what", "laws", "moved", "had to", "difference")
_LEFT = (0, 3, 4)
ROUNDING = 1e-12
_REMARKS = {
    What.LAW: "moved: the largest change of a law of the family, at any step, relative to"
    " |θ|ᵀ|S||θ|; had to: as is known beforehand; difference: the largest between the two.",
    What.INTEGRAL: "Abelian integrals, laws that are no polynomials, are measured by their period;"
    " where branch points coincide they are not evaluated (docs/abelian.md).",
    What.RESIDUAL: "r = θᵀSm, m Adam's mean of gradients; it is predicted, as no law is.",
    What.CHARGE: "J = ⟨V, Aθ⟩, V the momentum buffer, goes down by the factor μ a step; it is 0"
    " where the first gradient is the first buffer, as PyTorch has it.",
}


def text(simulation: Simulation) -> str:
    """Return a table, a row for every family of laws in every run, and what it says in words."""
    rows = [row for run in simulation.runs for row in _rows(run)]
    widths = [max(map(len, column)) for column in zip(_HEADS, *rows, strict=True)]
    lines = [_title(simulation), "", *(_line(row, widths) for row in (_HEADS, *rows)), ""]
    return "\n".join([*lines, *_remarks(simulation)]) + "\n"


def _title(simulation: Simulation) -> str:
    problem, training = simulation.problem, simulation.training
    what = f"{problem.name}: {problem.parameters} parameters, {trained_on(simulation)}"
    return f"{what}{_flow(problem)}, rate {training.lr:g}, seed {training.seed}"


def _flow(problem: Problem) -> str:
    """Return the flow, where the name does not say it."""
    shown = label(problem.flow.describe())
    return f", flow {shown}" if problem.other_flow and not problem.name.endswith(shown) else ""


def trained_on(simulation: Simulation) -> str:
    """Return the loss and the data in words."""
    task = simulation.objective
    if not task.model.inputs:
        return "½‖φ − target‖²"
    return f"loss {task.loss.value}, {task.samples} samples"


def _rows(run: Run) -> Iterator[tuple[str, ...]]:
    steps = "" if run.method is None else str(run.steps)
    loss = f"{run.losses[0]:.3g} → {run.losses[-1]:.3g}" if run.losses else ""
    time = f"{run.times[-1]:.3g}" if run.times else ""
    front = (run.name, steps, time, loss)
    if not run.watches:
        yield (*front, "no known laws", "0", "", "", "")
    for watch in run.watches:
        numbers = map(_number, (watch.moved, watch.expected, watch.error))
        yield (*front, _named(watch), str(watch.values.shape[1]), *map(_shown, numbers))
        front = ("", "", "", "")


def _shown(number: float | None) -> str:
    """Return a number in two digits; below ROUNDING no digit means anything."""
    if not number:
        return "" if number is None else "0"
    return f"{number:.1e}" if not number <= ROUNDING else f"≤ {ROUNDING:g}"


def _named(watch: Watch) -> str:
    before = {What.LAW: "", What.INTEGRAL: "", What.RESIDUAL: "r of ", What.CHARGE: "J = "}[
        watch.what
    ]
    return before + watch.text


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = (
        f"{cell:<{width}}" if i in _LEFT else f"{cell:>{width}}"
        for i, (cell, width) in enumerate(zip(row, widths, strict=True))
    )
    return "  ".join(cells).rstrip()


def _remarks(simulation: Simulation) -> Iterator[str]:
    seen = [watch.what for run in simulation.runs for watch in run.watches]
    yield from (_REMARKS[what] for what in What if what in seen)
    for run in simulation.runs:
        if run.name == "flow":
            yield _integrated(simulation)
        if run.slides is not None:
            yield _sliding(simulation, run)
        speeds = [watch.speed for watch in run.watches if watch.speed is not None]
        if speeds:
            yield f"{run.name} keeps no law: one changes at a rate of {max(speeds):.2g} at most."
    if any(step.operation.generic for step in _steps(simulation)):
        yield "smooth is sin(z + 1) here."
    if any(step.operation.word == "homogeneous" for step in _steps(simulation)):
        yield "homogeneous has the slopes 1 above 0 and -1/2 below here."


def _steps(simulation: Simulation) -> Iterable[Any]:
    return () if simulation.problem.graph is None else simulation.problem.graph.steps


def _integrated(simulation: Simulation) -> str:
    """Return how the flow was integrated, and with which constants."""
    constants = simulation.motion.constants
    known = f", {constants}" if constants else ""
    tolerance = f"tolerance {simulation.training.tolerance:g} a step"
    return f"flow: integrated by DOP853, {tolerance}{known}."


def _sliding(simulation: Simulation, run: Run) -> str:
    """Return what that does to θ, and not to laws."""
    return (
        f"flow: from t = {run.slides:.3g} on it slides along borders where gates switch, which are"
        f" held for {simulation.training.hold:.1g} at a time: laws are kept as before, θ is known"
        " to about that."
    )


# ---- JSON


def as_json(simulations: Sequence[Simulation], interrupted: bool) -> str:
    """Return the document; interrupted: the last of them is not whole."""
    results = [_result(each) for each in simulations]
    document = {
        "schema": "conslaw.simulate/1",
        "interrupted": interrupted,
        "results": results,
        "version": __version__,
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _result(simulation: Simulation) -> dict[str, Any]:
    problem, training = simulation.problem, simulation.training
    task = simulation.objective
    return {
        "name": problem.name,
        **problem.architecture.describe(),
        **({"flow": problem.flow.describe()} if problem.other_flow else {}),
        "parameters": problem.parameters,
        "trained_on": task.loss.value if task.model.inputs else "phi",
        "samples": task.samples,
        "lr": training.lr,
        "steps": training.steps,
        "batch": training.batch,
        "tolerance": training.tolerance,
        "seed": training.seed,
        "runs": [_run(run) for run in simulation.runs],
    }


def _run(run: Run) -> dict[str, Any]:
    method = run.method
    settings = {} if method is None else method.settings()
    return {
        "optimizer": run.name,
        **settings,
        "steps": run.steps if method is not None else None,
        "time": run.times[-1] if run.times else None,
        "loss_before": _number(run.losses[0]) if run.losses else None,
        "loss_after": _number(run.losses[-1]) if run.losses else None,
        "ended": run.ended,
        **({} if run.slides is None else {"slides_from": run.slides}),
        "families": [_family(watch) for watch in run.watches],
    }


def _family(watch: Watch) -> dict[str, Any]:
    return {
        "what": watch.what.value,
        "formula": watch.text,
        "shape": watch.shape,
        "laws": watch.values.shape[1],
        "moved": _number(watch.moved),
        "expected": _number(watch.expected),
        "difference": _number(watch.error),
        "speed": _number(watch.speed),
    }


def _number(value: float | None) -> float | None:
    """Return a number that JSON has: null for infinite ones."""
    return value if value is not None and abs(value) < float("inf") else None
