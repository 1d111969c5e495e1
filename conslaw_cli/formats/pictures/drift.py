"""Drift against time: how far laws moved, and how far they had to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from conslaw_cli.flows.names import label
from conslaw_cli.formats import pictures
from conslaw_cli.formats.simulation import trained_on
from conslaw_cli.simulation.runs import Run, Watch, What
from conslaw_cli.simulation.simulate import Simulation

FLOOR = 1e-17
"""The least that is drawn: rounding, where nothing moved."""
_LINES = 12
"""Lines that eyes can tell apart."""
_MARKED = 8
"""Marks on a line."""


class Line(NamedTuple):
    """A line of a picture: times, what was seen and what was predicted, if anything was."""

    name: str
    times: NDArray[np.float64]
    seen: NDArray[np.float64]
    predicted: NDArray[np.float64] | None = None


def drift(simulation: Simulation, path: str) -> bytes:
    """Return the picture of a simulation as a file of that name: a line for every family of laws in
    every run, the root mean square of the changes of its laws.
    """
    lines = [line for run in simulation.runs for line in _lines(run)]
    problem = simulation.problem
    flow = problem.flow.describe()
    whole = f"flow {label(flow)}" if problem.other_flow else problem.flow.title
    names = [whole if run.name == "flow" else run.name for run in simulation.runs]
    title = (
        f"{problem.name}: {', '.join(names)}\n{trained_on(simulation)},"
        f" rate {simulation.training.lr:g}, seed {simulation.training.seed}"
    )
    return drawn(lines, title, path)


def drawn(
    lines: Sequence[Line],
    title: str,
    path: str,
    *,
    x: str = "time (steps × rate)",
    y: str = "drift |h − h₀| of laws\n(root mean square, in units of θ²)",
    logarithmic: bool = False,
) -> bytes:
    """Return a picture of lines on a logarithmic scale as a file of that name: solid what was seen,
    and dashed over it what was predicted. logarithmic: time is, too.
    """
    shown = lines[:_LINES]
    with pictures.canvas(6.4, 3.6 + 0.1 * max(0, len(shown) - 8)) as figure:
        axes = figure.add_subplot()
        axes.set_yscale("log")
        if logarithmic:
            axes.set_xscale("log")
        for number, line in enumerate(shown):
            _draw(axes, number, line)
        axes.set_title(_wrapped(title), loc="left", fontsize=9)
        axes.set_xlabel(x)
        axes.set_ylabel(y)
        axes.grid(alpha=0.25, linewidth=0.5)
        _explain(axes, shown, len(lines) - len(shown))
        return pictures.encoded(figure, path)


def _lines(run: Run) -> Iterator[Line]:
    for watch in run.watches:
        if watch.what is What.LAW and watch.values.shape[1]:
            yield changes(f"{run.name}: {watch.text}", run.times, watch)


def changes(name: str, times: Sequence[float], watch: Watch) -> Line:
    """Return the line of how far the laws of a family went, after the start; what was predicted
    with it, if that is more than nothing.
    """
    predicted = _size(watch.predicted)[1:] if watch.predicted is not None else None
    after = np.array(times)[1 : len(watch.values)]
    return Line(name, after, _size(watch.values)[1:], predicted if watch.expected else None)


def _size(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the root mean square of changes since the first record."""
    size: NDArray[np.float64] = np.sqrt(((values - values[0]) ** 2).mean(axis=1))
    return size


def _draw(axes: Any, number: int, line: Line) -> None:
    again, place = divmod(number, len(pictures.COLORS))
    color = pictures.COLORS[place]
    mark = pictures.MARKS[(place + again) % len(pictures.MARKS)]  # no pair comes twice
    every = max(1, len(line.times) // _MARKED)
    offset = number * every // _MARKED % every  # marks of lines that coincide stand side by side
    axes.plot(
        line.times,
        np.maximum(line.seen, FLOOR),
        color=color,
        marker=mark,
        markevery=(offset, every),
        markersize=5,
        markerfacecolor="white" if again else color,
        linewidth=2.2,
        alpha=0.75,
        label=line.name,
    )
    if line.predicted is not None:
        predicted = np.maximum(line.predicted, FLOOR)
        axes.plot(line.times, predicted, color="#000000", linestyle=(0, (4, 3)), linewidth=1.0)


def _explain(axes: Any, lines: Sequence[Line], left_out: int) -> None:
    """Put the legend beside the picture, with what dashes mean."""
    handles, labels = axes.get_legend_handles_labels()
    if any(line.predicted is not None for line in lines):
        (dashed,) = axes.plot([], [], color="#000000", linestyle=(0, (4, 3)), linewidth=1.0)
        handles, labels = [*handles, dashed], [*labels, "predicted"]
    if left_out:
        labels[-1] += f" (and {left_out} lines more, not drawn)"
    axes.legend(handles, labels, loc="upper left", bbox_to_anchor=(1.01, 1.0), fontsize=7.5)


def _wrapped(title: str, width: int = 92) -> str:
    return "\n".join(
        line if len(line) <= width else line[: width - 1] + "…" for line in title.split("\n")
    )
