"""Flows in numbers: solutions of ``x' = f(t, x)`` by DOP853.

E. Hairer, S. P. Nørsett, G. Wanner: Solving Ordinary Differential Equations I, 2nd edition, section
II.10; the implementation is SciPy's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conslaw_cli import checks
from conslaw_cli.errors import ConslawError

Vector = NDArray[np.float64]
Field = Callable[[float, Vector], Vector]

TOLERANCE = 1e-10
"""Absolute and relative, of one step."""


PATIENCE = 200
"""Steps that have to lead somewhere."""
PARTS = 15
"""Of the time between two records, where it is not said how far."""


class DivergedError(ConslawError):
    """Numbers have become infinite, or no numbers; or steps too small to go on (exit code 3)."""


def integrate(
    field: Field,
    start: Vector,
    times: Sequence[float],
    tolerance: float = TOLERANCE,
    frozen: Callable[[Vector], Field | None] = lambda state: None,
    hold: float | None = None,
) -> Iterator[Vector]:
    """Yield the solution at each of the times after the first, at which it is ``start``.

    times: increasing; steps end at every one of them, so that nothing is interpolated. Each is
    computed when it is asked for: who stops asking, or is interrupted, keeps those before.

    tolerance: of the error of a step, absolute and relative to each coordinate. Where the field
    jumps, as a network's does when a gate switches, steps are shortened until they meet it.

    frozen: gives the field without its jumps, as it is at a state. Where gates push a network back
    from either side of a border it slides along it (A. F. Filippov: Differential Equations with
    Discontinuous Righthand Sides, 1988), and no step is short enough. From the first place on where
    PATIENCE steps do not lead ahead by a time ``hold``, the field is frozen for times not longer
    than that: solutions are those of Filippov up to an error of that order, while all that every
    frozen field keeps is kept to the tolerance.

    Raise SpecError if SciPy is missing, DivergedError where the solution ends before a time, or
    steps lead no further and there are no jumps.
    """
    state, slides = start, False
    method = checks.extra("scipy.integrate", "plot").DOP853
    with np.errstate(all="ignore"):
        solver = method(field, times[0], start, times[-1], rtol=tolerance, atol=tolerance)
    for begin, end in pairwise(times):
        least = (end - begin) / PARTS if hold is None else min(hold, end - begin)
        found = None if slides else _advanced(solver, end, least)
        if found is None and not slides and frozen(state) is None:
            raise DivergedError(
                f"no finite solution beyond t = {solver.t:.6g}, or it is stiff there: {PATIENCE}"
                " steps led no further"
            )
        if found is None:
            slides, found = True, _held(frozen, state, begin, end, tolerance, least)
        state = found
        yield state


def _advanced(solver: Any, time: float, least: float) -> Vector | None:
    """Return the solution at a time ahead; None if PATIENCE steps lead less far than ``least``."""
    solver.t_bound, solver.status = time, "running"
    before, steps = solver.t, 0
    with np.errstate(all="ignore"):
        while steps < PATIENCE:
            solver.step()
            steps += 1
            if solver.status == "failed" or not np.isfinite(solver.y).all():
                raise DivergedError(f"no finite solution beyond t = {solver.t:.6g}")
            if solver.status == "finished":
                solution: Vector = solver.y.copy()
                return solution
            if solver.t >= before + least:
                before, steps = solver.t, 0
    return None


def _held(
    frozen: Callable[[Vector], Field | None],
    state: Vector,
    begin: float,
    end: float,
    tolerance: float,
    hold: float,
) -> Vector:
    """Return the solution at the end, the field frozen at the beginning of every part."""
    parts = math.ceil((end - begin) / hold)
    for first, last in pairwise(np.linspace(begin, end, parts + 1).tolist()):
        field = frozen(state)
        assert field is not None
        (state,) = integrate(field, state, (first, last), tolerance)
    return state
