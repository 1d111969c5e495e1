"""A network as a picture: its operations and what they read, the spaces of units by colour and
number, and the laws at each space beside them.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from conslaw_cli.errors import SpecError
from conslaw_cli.formats.pictures import COLORS, EDGE, canvas, encoded
from conslaw_cli.formats.words import plural
from conslaw_cli.networks.graph import Graph
from conslaw_cli.networks.text import lines
from conslaw_cli.networks.wiring import Junction

MOST = 200
"""Values of a network that a picture has room for."""
_CHARACTER, _LINE = 0.078, 0.165  # inches, of the fixed-width font in size 9
_ROW, _GAP, _HEIGHT = 0.62, 0.3, 0.3


class _Box(NamedTuple):
    """A value: where its box is, in inches from the top left, and its text."""

    x: float
    y: float
    width: float
    text: str


def network(title: str, graph: Graph, junctions: Sequence[Junction], path: str) -> bytes:
    """Return the picture of a network as a file of that name.

    junctions: its spaces, numbered from 1 in their order. Raise SpecError if it has too many
    values.
    """
    if len(graph.inputs) + len(graph.nodes) > MOST:
        values = len(graph.inputs) + len(graph.nodes)
        raise SpecError(
            f"--plot: expected a network of at most {MOST} values, got {values}; without it, the"
            " text shows all"
        )
    boxes, bends = _layout(graph)
    notes = [_note(number, each) for number, each in enumerate(junctions, start=1)]
    left = max(box.x + box.width / 2 for box in boxes.values()) + 1
    width = left + max(len(line) for note in notes for line in note) * _CHARACTER + 0.4
    height = max(
        max(box.y for box in boxes.values()) + _ROW,
        sum(len(note) * _LINE + 0.14 for note in notes) + 0.2,
    )
    with canvas(width, height + 0.5) as figure:
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(-0.2, width), ylim=(height, -0.5), aspect="equal")
        axes.axis("off")
        axes.text(0, -0.3, title, fontsize=11, fontweight="bold", va="center")
        _draw_edges(axes, boxes, bends)
        for name, box in boxes.items():
            _draw_box(axes, box, [n for n, each in enumerate(junctions, 1) if name in each.values])
        _draw_notes(axes, notes, left)
        return encoded(figure, path)


def _note(number: int, space: Junction) -> list[str]:
    """Return what there is to say of a space, line by line."""
    laws = sum(each.size for each in space.families)
    ways = (("written by", space.written), ("read by", space.read))
    met = [f"{how} {', '.join(arrays)}" for how, arrays in ways if arrays]
    formulas = "; ".join(each.text for each in space.families)
    text = f"{plural(space.units, 'unit')}, {', '.join(met) or 'without parameters'}"
    told = [
        *textwrap.wrap(text, 46),
        *textwrap.wrap(f"{plural(laws, 'law')}{': ' if formulas else ''}{formulas}", 46),
    ]
    return [f"{number:>2}  {told[0]}", *(f"    {line}" for line in told[1:])]


# ---- where things stand


def _layout(graph: Graph) -> tuple[dict[str, _Box], dict[tuple[str, str], list[str]]]:
    """Return the boxes of all values, and for edges that pass by others the points, boxes of no
    width, that they go through.

    A value stands one row below the lowest that it reads; rows are ordered by where what they read
    stands on average, twice down and up (Sugiyama, Tagawa, Toda, 1981).
    """
    texts = dict(lines(graph.inputs, graph.nodes))
    reads = {node.name: list(dict.fromkeys(node.inputs)) for node in graph.nodes}
    depth: dict[str, int] = {}
    for name in texts:
        depth[name] = 1 + max((depth[each] for each in reads.get(name, ())), default=-1)
    bends: dict[tuple[str, str], list[str]] = {}
    edges: list[tuple[str, str]] = []
    for name, inputs in reads.items():
        for each in inputs:
            bends[each, name] = [
                f"{each} > {name} > {row}" for row in range(depth[each] + 1, depth[name])
            ]
            depth |= {bend: row for row, bend in enumerate(bends[each, name], depth[each] + 1)}
            way = [each, *bends[each, name], name]
            edges += pairwise(way)
    rows = _ordered(depth, edges)
    widths = {name: len(text) * _CHARACTER + 0.5 for name, text in texts.items()}
    return _placed(rows, widths, texts), bends


def _ordered(depth: Mapping[str, int], edges: Sequence[tuple[str, str]]) -> list[list[str]]:
    rows: list[list[str]] = [[] for _ in range(1 + max(depth.values()))]
    for name, level in depth.items():
        rows[level].append(name)
    above: dict[str, list[str]] = {name: [] for name in depth}
    below: dict[str, list[str]] = {name: [] for name in depth}
    for start, end in edges:
        above[end].append(start)
        below[start].append(end)
    for others, order in ((above, rows), (below, rows[::-1])) * 2:
        place = {name: i / len(row) for row in rows for i, name in enumerate(row)}
        for row in order:
            row.sort(key=lambda name: _mean([place[e] for e in others[name]], place[name]))
            place |= {name: (i + 0.5) / len(row) for i, name in enumerate(row)}
    return rows


def _mean(values: Sequence[float], default: float) -> float:
    return sum(values) / len(values) if values else default


def _placed(
    rows: Sequence[Sequence[str]], widths: Mapping[str, float], texts: Mapping[str, str]
) -> dict[str, _Box]:
    totals = [sum(widths.get(name, 0) + _GAP for name in row) for row in rows]
    boxes = {}
    for number, row in enumerate(rows):
        x = (max(totals) - totals[number]) / 2
        for name in row:
            width = widths.get(name, 0)
            boxes[name] = _Box(x + (width + _GAP) / 2, number * _ROW, width, texts.get(name, ""))
            x += width + _GAP
    return boxes


# ---- drawing


def _draw_edges(
    axes: Any,
    boxes: Mapping[str, _Box],
    bends: Mapping[tuple[str, str], Sequence[str]],
) -> None:
    for (start, end), between in bends.items():
        way = [boxes[name] for name in (start, *between, end)]
        passing = max((box.x for box in way[1:-1]), default=0.0)  # beside all, so straight down
        xs = [way[0].x, *(passing for _ in between), way[-1].x]
        ys = [way[0].y + _HEIGHT / 2, *(box.y for box in way[1:-1]), way[-1].y - _HEIGHT / 2]
        axes.plot(xs[:-1], ys[:-1], color=EDGE, linewidth=0.9, zorder=1)
        arrow = {"arrowstyle": "-|>", "color": EDGE, "linewidth": 0.9, "shrinkA": 0, "shrinkB": 0}
        axes.annotate("", (xs[-1], ys[-1]), (xs[-2], ys[-2]), arrowprops=arrow, zorder=1)


def _draw_box(axes: Any, box: _Box, spaces: Sequence[int]) -> None:
    if not box.text:
        return
    color = _color(spaces[0]) if spaces else "#ffffff"
    axes.text(
        *(box.x, box.y, box.text),
        family="monospace",
        fontsize=9,
        ha="center",
        va="center",
        zorder=3,
        bbox={"boxstyle": "round,pad=0.35", "facecolor": _pale(color), "edgecolor": color},
    )
    for place, number in enumerate(spaces):
        _draw_number(axes, number, box.x + box.width / 2 - 0.04 + 0.26 * place, box.y)


def _draw_number(axes: Any, number: int, x: float, y: float) -> None:
    axes.text(
        *(x, y, str(number)),
        fontsize=7,
        ha="center",
        va="center",
        zorder=4,
        color="white",
        bbox={"boxstyle": "circle,pad=0.25", "facecolor": _color(number), "edgecolor": "white"},
    )


def _draw_notes(axes: Any, notes: Sequence[Sequence[str]], left: float) -> None:
    y = 0.0
    for number, note in enumerate(notes, start=1):
        _draw_number(axes, number, left, y)
        text = "\n".join(line[4:] for line in note)
        axes.text(left + 0.22, y - 0.07, text, family="monospace", fontsize=9, va="top")
        y += len(note) * _LINE + 0.14


def _color(number: int) -> str:
    return COLORS[(number - 1) % len(COLORS)]


def _pale(color: str) -> str:
    """Return a colour mixed with white, four to one."""
    parts = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
    return "#" + "".join(f"{(each + 4 * 255) // 5:02x}" for each in parts)
