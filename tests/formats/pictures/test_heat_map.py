"""The picture of a sweep: which keys it shows, and where rows stand."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conslaw_cli import MLP, Momentum, Problem, count_laws
from conslaw_cli.formats.openings import is_picture
from conslaw_cli.formats.pictures.heat_map import BINS, Axis, Picture, keys


def test_widths_are_told_apart_by_depth_ends_and_hidden_layers() -> None:
    problem = Problem(MLP((3, 9, 4, 2), "relu"), Momentum())
    assert dict(keys(problem.architecture.describe(), problem.flow.describe())) == {
        "activation": "relu",
        "depth": 3,
        "widest hidden layer": 9,
        "narrowest hidden layer": 4,
        "input": 3,
        "output": 2,
        "bias": "false",
        "loss": "mse",
        "flow": "momentum",
    }


@given(st.lists(st.integers(0, 10**6), min_size=2, unique=True))
def test_an_axis_keeps_the_order_of_numbers(numbers: list[int]) -> None:
    axis = Axis.of("key", numbers)
    places = [axis.place(number) for number in sorted(numbers)]
    assert places == sorted(places)
    assert places[0] == 0
    assert places[-1] == len(axis.labels) - 1 < BINS


def test_intervals_begin_where_their_labels_say() -> None:
    axis = Axis.of("key", range(1, 1001))
    starts = [int(label.replace(",", "")) for label in axis.labels]
    for place, start in enumerate(starts):
        assert (axis.place(start), axis.place(max(1, start - 1))) == (place, max(0, place - 1))


@pytest.mark.parametrize(
    ("widths", "across", "up"),
    [
        ([(2, k, *(k,) * d, 2) for k in (2, 3) for d in (0, 1)], "depth", "widest hidden layer"),
        ([(n, k, 2) for k in (2, 3) for n in (4, 5)], "widest hidden layer", "input"),
    ],
)
def test_two_keys_that_vary_are_the_axes(
    widths: list[tuple[int, ...]], across: str, up: str
) -> None:
    pytest.importorskip("matplotlib")
    problems = [Problem(MLP(each, "relu")) for each in widths]
    picture = Picture(problems, {})
    for problem in problems:
        picture.add(count_laws(problem))
    drawn = picture.encoded("title", "a.svg")
    assert is_picture(drawn)
    assert f"<!-- {across} -->".encode() in drawn
    assert f"<!-- {up} -->".encode() in drawn
    assert b"<!-- not proved -->" not in drawn


def test_exceptions_are_marked() -> None:
    pytest.importorskip("matplotlib")
    problems = [Problem(MLP((1, k, k, m), "linear")) for k in (2, 3) for m in (1, 2)]
    rows = [replace(count_laws(problem), name=problem.name) for problem in problems]
    picture = Picture(problems, {rows[0].name: 8})
    for row in rows[:-1]:
        picture.add(row)
    picture.add(replace(rows[-1], verdict="computed"))
    drawn = picture.encoded("title", "a.svg")
    for mark in (b"not proved", b"unknown laws", b"not as expected", b"laws beyond the known ones"):
        assert mark in drawn


def test_where_nothing_varies_in_two_ways_networks_are_counted_by_their_laws() -> None:
    pytest.importorskip("matplotlib")
    problems = [Problem(MLP((2, k, 2), "relu")) for k in (2, 3, 4)]
    picture = Picture(problems, {})
    for problem in problems:
        picture.add(count_laws(problem))
    drawn = picture.encoded("title", "a.svg")
    assert b"<!-- networks -->" in drawn
    assert b"<!-- conservation laws -->" in drawn
