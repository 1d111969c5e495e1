"""Lines that are held in a file."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from conslaw_cli.sweeps import held
from conslaw_cli.sweeps.held import Lines

SIZES = st.integers(1, 40)


@given(
    st.lists(st.one_of(st.binary(max_size=30), st.integers(0, 10**6)), max_size=60), SIZES, SIZES
)
def test_lines_are_what_was_held_whenever_they_are_read(
    steps: list[bytes | int], buffer: int, block: int
) -> None:
    """Lines are added and read in any order, with few bytes in memory and few read at a time."""
    before = held.BUFFER, held.BLOCK
    held.BUFFER, held.BLOCK = buffer, block
    try:
        with TemporaryDirectory() as folder:
            _check(Lines(str(Path(folder))), steps)
    finally:
        held.BUFFER, held.BLOCK = before


def _check(lines: Lines, steps: list[bytes | int]) -> None:
    model = list[bytes]()
    for step in steps:
        if isinstance(step, bytes):
            lines.append(step)
            model.append(step)
        elif model:
            assert lines[step % len(model)] == model[step % len(model)]
    assert list(lines) == model
    order = [*range(len(model))][::-2]
    lines.arrange(order)
    assert list(lines.ended()) == [model[number] + b"\n" for number in order]
    lines.close()
