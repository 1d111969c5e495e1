"""The two flows of z = φ(θ) as a picture: one over the other, and how far they are apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conslaw_cli.formats.pictures import COLORS, EDGE, MARKS, canvas, encoded
from conslaw_cli.simulation.recast import Run

SHOWN = len(COLORS)
"""Components that are drawn, at most: those that move most."""
SPACE = 0.06
"""Of the height, between two names."""
Floats = NDArray[np.float64]
LEAST = 1e-17
"""Differences below it are drawn there: a logarithm has no zero."""


def recast(name: str, run: Run, path: str) -> bytes:
    """Return the picture as bytes of a file of that name. Raise SpecError if matplotlib is
    missing.
    """
    moves = np.ptp(run.moved, axis=0)
    kept = np.argsort(-moves, kind="stable")[:SHOWN]
    kept = kept[np.argsort(run.moved[-1, kept], kind="stable")]
    with canvas(7.0, 5.0) as figure:
        above, below = figure.subplots(
            2, 1, sharex=True, gridspec_kw={"height_ratios": (3, 1), "hspace": 0.12}
        )
        _draw(above, run, kept.tolist())
        apart = np.maximum(np.abs(run.moved - run.direct).max(axis=1), LEAST)
        below.semilogy(run.times, apart, color=EDGE, linewidth=1)
        if run.dropped:
            above.axvline(run.times[-1], color=EDGE, linewidth=0.8, linestyle=":")
            above.text(
                run.times[-1],
                1.0,
                "rank ∂φ drops ",
                transform=above.get_xaxis_transform(),
                ha="right",
                va="top",
                fontsize=7,
                color=EDGE,
            )
        above.set_ylabel("components of z = φ(θ)")
        below.set_ylabel("largest\ndifference")
        below.set_xlabel("time t of the gradient flow")
        more = "" if len(kept) == len(moves) else f", {len(kept)} of {len(moves)} components"
        above.set_title(
            f"{name}: ½‖z − z*‖²{more}\nwide: θ integrated, then φ; dashed: z by z' = −M(z) ∇f(z)",
            fontsize=9,
        )
        return encoded(figure, path)


def _draw(axes: Any, run: Run, kept: Sequence[int]) -> None:
    """Draw components, the lowest in the end first, each with its name beside it."""
    ends = run.moved[-1, kept]
    places = _apart(ends, SPACE * float(np.ptp(run.moved[:, kept]) or 1.0))
    for color, mark, i, place in zip(COLORS, MARKS, kept, places, strict=False):
        axes.plot(run.times, run.moved[:, i], color=color, linewidth=3, alpha=0.45)
        axes.plot(
            run.times,
            run.direct[:, i],
            color=color,
            linewidth=1,
            linestyle=(0, (5, 3)),
            marker=mark,
            markevery=0.2,
            markersize=4,
        )
        axes.annotate(
            run.names[i],
            (run.times[-1], run.moved[-1, i]),
            (1.03, place),
            textcoords=axes.get_yaxis_transform(),
            va="center",
            fontsize=7,
            arrowprops={
                "arrowstyle": "-",
                "color": color,
                "linewidth": 0.8,
                "relpos": (0, 0.5),
                "shrinkA": 1,
            },
        )


def _apart(ends: Floats, space: float) -> Floats:
    """Return places near rising numbers that are at least ``space`` apart."""
    steps = space * np.arange(len(ends))
    up = np.maximum.accumulate(ends - steps) + steps
    down = np.minimum.accumulate((ends - steps)[::-1])[::-1] + steps
    places: Floats = (up + down) / 2
    return places
