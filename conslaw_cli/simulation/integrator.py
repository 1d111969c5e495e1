"""Flows in numbers: solutions of ``x' = f(t, x)`` by DOP853.

E. Hairer, S. P. Nørsett, G. Wanner: Solving Ordinary Differential Equations I, 2nd edition, section
II.10; the implementation is SciPy's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conslaw_cli import checks
from conslaw_cli.errors import ConslawError

Vector = NDArray[np.float64]
Field = Callable[[float, Vector], Vector]

TOLERANCE = 1e-10
"""Absolute and relative, of one step."""


MOST_STEPS = 3000
"""Steps from one of the times that are asked for to the next. Where a gate of a network pushes its
unit back from either side the flow slides along the border (Filippov), and steps become as small as
the tolerance.
"""


class DivergedError(ConslawError):
    """Numbers have become infinite, or no numbers; or steps too small to go on (exit code 3)."""


def integrate(
    field: Field, start: Vector, times: Sequence[float], tolerance: float = TOLERANCE
) -> Iterator[Vector]:
    """Yield the solution at each of the times after the first, at which it is ``start``.

    times: increasing; steps end at every one of them, so that nothing is interpolated. Each is
    computed when it is asked for: who stops asking, or is interrupted, keeps those before.

    tolerance: of the error of a step, absolute and relative to each coordinate. Where the field
    jumps, as a network's does when a gate switches, steps are shortened until they meet it.

    Raise SpecError if SciPy is missing, DivergedError where the solution ends before a time, or
    takes more than MOST_STEPS to come to the next one.
    """
    method = checks.extra("scipy.integrate", "plot").DOP853
    bound = times[-1]
    with np.errstate(all="ignore"):
        solver = method(field, times[0], start, bound, rtol=tolerance, atol=tolerance)
    for time in times[1:]:
        yield _advanced(solver, time)


def _advanced(solver: Any, time: float) -> Vector:
    """Return the solution at a time ahead."""
    solver.t_bound, solver.status = time, "running"
    with np.errstate(all="ignore"):
        for _ in range(MOST_STEPS):
            solver.step()
            if solver.status == "failed" or not np.isfinite(solver.y).all():
                raise DivergedError(f"no finite solution beyond t = {solver.t:.6g}")
            if solver.status == "finished":
                solution: Vector = solver.y.copy()
                return solution
    raise DivergedError(
        f"{MOST_STEPS:,} steps led no further than t = {solver.t:.6g}: the flow is stiff there, or"
        " slides along the border where a gate switches"
    )
