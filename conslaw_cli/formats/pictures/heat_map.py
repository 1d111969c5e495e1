"""A sweep as a picture: the number of laws over two keys that vary, or how often each number comes
where there are no two.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

from conslaw_cli.flows import names
from conslaw_cli.formats.pictures import COLORS, EDGE, canvas, encoded
from conslaw_cli.formats.words import value_text
from conslaw_cli.problems.problem import Problem
from conslaw_cli.problems.records import LawCount

BINS = 24
"""Values of a key that a picture tells apart: more are put together, in intervals."""
_ENDS = {"input", "output", "narrowest hidden layer"}
"""Keys that say least of the number of laws: taken where the others leave no two that vary."""
_MOST = 0.9
"""The share of all rows that have a key which is shown."""
_LABELLED = 16
"""Cells in a row up to which each has its number written in it."""

Value = str | int
Place = tuple[int, int]


def keys(architecture: Mapping[str, Any], flow: Any) -> Iterator[tuple[str, Value]]:
    """Yield what tells a problem from others, in words or integers, by name: of widths the depth,
    the input, the output, and the narrowest and the widest layer between them.
    """
    for key, value in architecture.items():
        if key == "widths":
            yield from _widths(value)
        elif isinstance(value, int) and type(value) is not bool:
            yield key, value
        elif not isinstance(value, Mapping):
            yield key, value_text(value)
    yield "flow", names.label(flow)


def _widths(widths: list[int]) -> Iterator[tuple[str, Value]]:
    hidden = widths[1:-1] or widths
    yield "depth", len(widths) - 1
    yield "widest hidden layer", max(hidden)
    yield "narrowest hidden layer", min(hidden)
    yield "input", widths[0]
    yield "output", widths[-1]


class Axis(NamedTuple):
    """A key and where its values stand: each at a place of its own, or integers in intervals, each
    from one start to the next.
    """

    key: str
    labels: tuple[str, ...]
    values: Mapping[Value, int]
    starts: tuple[int, ...]

    @classmethod
    def of(cls, key: str, values: Iterable[Value]) -> Axis:
        """Return an axis of these values, integers in order, words as they come."""
        each = list(dict.fromkeys(values))
        numbers = sorted(value for value in each if isinstance(value, int))
        if len(numbers) < len(each) or len(each) <= BINS:
            each = [*numbers, *(value for value in each if not isinstance(value, int))]
            return cls(key, tuple(map(str, each)), {v: i for i, v in enumerate(each)}, ())
        starts = _starts(numbers)
        return cls(key, tuple(f"{start:,}" for start in starts), {}, starts)

    def place(self, value: Value) -> int:
        """Return where a value stands."""
        if isinstance(value, int) and self.starts:
            return bisect_right(self.starts, value) - 1
        return self.values[value]


def _starts(numbers: list[int]) -> tuple[int, ...]:
    """Return where intervals begin that have equal ratios if the numbers span more than a factor of
    100, else equal lengths.
    """
    low, high = numbers[0], numbers[-1]
    steps = [k / BINS for k in range(BINS)]
    if low > 0 and high > 100 * low:
        found = [round(low * (high / low) ** step) for step in steps]
    else:
        found = [low + round((high - low) * step) for step in steps]
    return tuple(dict.fromkeys(found))


class _Cell:
    """What is to be shown of the rows at one place."""

    def __init__(self) -> None:
        self.rows = 0
        self.laws = self.unknown = -1
        self.unproved = self.unexpected = False

    def add(self, row: LawCount, expected: int | None) -> None:
        laws = row.laws if row.laws is not None else row.laws_at_least
        self.rows += 1
        self.laws = max(self.laws, -1 if laws is None else laws)
        self.unknown = max(self.unknown, row.unknown_laws or 0)
        self.unproved |= row.verdict != "proved"
        self.unexpected |= expected is not None and row.laws != expected


class Picture:
    """Takes up rows one by one, and holds no more of them than a picture shows.

    problems: those of the rows. The two keys are those that tell most of them apart. expected: the
    number of laws of a row, by its name, where it is known beforehand.
    """

    def __init__(self, problems: Sequence[Problem], expected: Mapping[str, int]) -> None:
        self._axes, self._expected = _chosen(problems), expected
        self._cells: dict[Place, _Cell] = {}
        self._laws = Counter[int]()
        self._unproved = self._left_out = 0

    def add(self, row: LawCount) -> None:
        """Take up a row."""
        self._unproved += row.verdict != "proved"
        if self._axes is None:
            if row.laws is not None:
                self._laws[row.laws] += 1
            return
        found = dict(keys(row.architecture, row.flow))
        if any(axis.key not in found for axis in self._axes):
            self._left_out += 1
            return
        across, up = (axis.place(found[axis.key]) for axis in self._axes)
        self._cells.setdefault((across, up), _Cell()).add(row, self._expected.get(row.name))

    def encoded(self, title: str, path: str) -> bytes:
        """Return the picture as a file of that name."""
        if self._axes is None:
            return _histogram(title, self._laws, self._unproved, path)
        if self._left_out:
            names = " or ".join(axis.key for axis in self._axes)
            title += f" ({self._left_out:,} without {names} left out)"
        return _heat_map(title, *self._axes, self._cells, path)


def _chosen(problems: Sequence[Problem]) -> tuple[Axis, Axis] | None:
    """Return the two keys of all problems that tell most of them apart, neither of which says the
    other; of equal pairs the first.
    """
    values: dict[str, dict[Value, None]] = {}
    having = Counter[str]()
    for problem in problems:
        found = _keys(problem)
        having.update(found.keys())
        for key, value in found.items():
            values.setdefault(key, {})[value] = None
    most = [key for key in values if having[key] >= _MOST * len(problems)]
    axes = [Axis.of(key, values[key]) for key in most]
    axes = [axis for axis in axes if 1 < len(axis.labels) <= BINS]
    pairs = list(combinations(axes, 2))
    hit: dict[tuple[str, str], set[Place]] = {(a.key, b.key): set() for a, b in pairs}
    for problem in problems:
        found = _keys(problem)
        place = {axis.key: axis.place(found[axis.key]) for axis in axes if axis.key in found}
        for a, b in hit:
            if a in place and b in place:
                hit[a, b].add((place[a], place[b]))
    found_at = {pair: len(places) for pair, places in hit.items()}
    named = {(a.key, b.key): (a, b) for a, b in pairs}
    free = [
        keys for keys, pair in named.items() if found_at[keys] > max(len(x.labels) for x in pair)
    ]
    telling = [keys for keys in free if _ENDS.isdisjoint(keys)]
    best = max(telling or free, key=lambda keys: found_at[keys], default=None)
    return None if best is None else named[best]


def _keys(problem: Problem) -> dict[str, Value]:
    return dict(keys(problem.architecture.describe(), problem.flow.describe()))


# ---- drawing


def _heat_map(title: str, across: Axis, up: Axis, cells: Mapping[Place, _Cell], path: str) -> bytes:
    columns, rows = len(across.labels), len(up.labels)
    panels = 1 + any(cell.unknown > 0 for cell in cells.values())
    width = max(4.5, 0.42 * columns + 2.2)
    with canvas(panels * width, max(3.2, 0.34 * rows + 1.9)) as figure:
        figure.suptitle(title, fontsize=11, fontweight="bold")
        figure.set_layout_engine("constrained")
        for number, axes in enumerate(figure.subplots(1, panels, sharey=True, squeeze=False)[0]):
            values = {place: cell.unknown if number else cell.laws for place, cell in cells.items()}
            what = "laws beyond the known ones" if number else "conservation laws"
            most = max(cell.rows for cell in cells.values())
            several = f"\n(largest of up to {most:,} networks a cell)" if most > 1 else ""
            _panel(axes, values, (columns, rows), what + several)
            _ticks(axes, across, up if number == 0 else None)
            _marks(axes, cells)
        if (marks := axes.get_legend_handles_labels())[0]:
            figure.legend(*marks, loc="outside lower center", ncols=3)
        return encoded(figure, path)


def _panel(axes: Any, values: Mapping[Place, int], size: Place, what: str) -> None:
    import numpy as np

    grid = np.full(size[::-1], np.nan)
    for (x, y), value in values.items():
        grid[y, x] = value if value >= 0 else np.nan
    most = max(values.values())
    norm = {"norm": "symlog"} if most > 200 else {}
    image = axes.imshow(grid, origin="lower", aspect="auto", cmap="cividis", vmin=0, **norm)
    bar = axes.figure.colorbar(image, ax=axes)
    bar.set_label(what)
    if not norm:
        bar.locator.set_params(integer=True)
    if max(size) <= _LABELLED:
        for (x, y), value in values.items():
            shade = "black" if image.norm(value) > 0.55 else "white"
            text = "" if value < 0 else _short(value)
            axes.text(x, y, text, color=shade, ha="center", va="center", fontsize=7)


def _short(value: int) -> str:
    """Return a number in at most five characters: 12345 as 12k."""
    for size, unit in ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k")):
        if value >= max(size, 10**4):
            return f"{value // size}{unit}"
    return str(value)


def _ticks(axes: Any, across: Axis, up: Axis | None) -> None:
    for axis, side, name in ((across, axes.xaxis, "x"), (up, axes.yaxis, "y")):
        if axis is None:
            continue
        shift = 0.5 if axis.starts else 0.0  # an interval's start is its edge
        side.set_ticks([place - shift for place in range(len(axis.labels))], axis.labels)
        axes.tick_params(name, length=0 if not shift else 3, labelsize=8)
        side.set_label_text(axis.key + (" (from … on)" if axis.starts else ""))
    longest = max(map(len, across.labels))
    if longest > 6 or longest * len(across.labels) > 5 * _LABELLED:
        axes.tick_params("x", rotation=35)
        for label in axes.get_xticklabels():
            label.set_horizontalalignment("right")


def _marks(axes: Any, cells: Mapping[Place, _Cell]) -> None:
    """Mark the places of exceptions."""
    kinds = (
        ("x", "not proved", [place for place, cell in cells.items() if cell.unproved]),
        ("o", "unknown laws", [place for place, cell in cells.items() if cell.unknown > 0]),
        ("s", "not as expected", [place for place, cell in cells.items() if cell.unexpected]),
    )
    for (marker, label, places), color in zip(kinds, COLORS[1:], strict=False):
        if places:
            x, y = zip(*places, strict=True)
            outline = {"facecolors": "none", "edgecolors": color} if marker != "x" else {"c": color}
            axes.scatter(x, y, 60, marker=marker, label=label, **outline)


def _histogram(title: str, laws: Mapping[int, int], unproved: int, path: str) -> bytes:
    axis = Axis.of("conservation laws", laws)
    heights = Counter[int]()
    for number, rows in laws.items():
        heights[axis.place(number)] += rows
    with canvas(max(4.5, 0.3 * len(axis.labels) + 1.5), 3.2) as figure:
        axes = figure.add_subplot()
        places = range(len(axis.labels))
        drawn = axes.bar(places, [heights[k] for k in places], color=COLORS[0], edgecolor=EDGE)
        axes.bar_label(drawn, fontsize=7)
        axes.set_xticks(places, axis.labels, rotation=60 if len(axis.labels) > _LABELLED else 0)
        axes.set_xlabel(axis.key + (" (from … on)" if axis.starts else ""))
        axes.set_ylabel("networks")
        axes.yaxis.get_major_locator().set_params(integer=True)
        note = f" ({unproved:,} not proved)" if unproved else ""
        axes.set_title(title + note, fontsize=11, fontweight="bold")
        return encoded(figure, path)
