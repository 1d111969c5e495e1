"""What people type first, letter by letter: ``conslaw count`` and ``conslaw laws --degree 2``.

(``conslaw sweep configs/relu.yaml`` is in test_sweep_table.py.)
"""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from conslaw_cli.cli import main

COUNT = """\
name                            activation   D  dim Lie  laws     known  unknown  trace  involutive\
  verdict
Example 3.5 (two-layer ReLU)    relu        20       16     4    4 of 4        0     16  yes       \
  proved
Example 3.6 (two-layer linear)  linear      20       10    10  10 of 10        0  6, 10  no        \
  proved

all of these: widths 3-4-2, bias false, loss mse

proved: a proved lower and a proved upper bound on dim Lie meet, so the number of laws is exact.
"""
LAWS = """\
Example 3.5 (two-layer ReLU): 20 parameters, laws of degree up to 2
  linearly independent: 0 of degree 1, 4 of degree 2
  functionally independent: 4 (4 known, 0 new)
  laws in all: 4 (proved); all of them are found
  complete: φ is a monomial map, so all laws are functions of those of degree up to 2

  diag(U1ᵀU1 − U2U2ᵀ) = const   (4×4 diagonal, 4 laws)

Example 3.6 (two-layer linear): 20 parameters, laws of degree up to 2
  linearly independent: 0 of degree 1, 10 of degree 2
  functionally independent: 10 (10 known, 0 new)
  laws in all: 10 (proved); all of them are found

  U1ᵀU1 − U2U2ᵀ = const   (4×4 symmetric, 10 laws)

U1[i,j] leads from unit i to unit j of the next layer (x ↦ x U1 U2 …, row vectors).
"""
FIRST = "The paper's two running examples. Another one: conslaw "


@pytest.mark.parametrize(
    ("command", "shown", "another"),
    [
        ("count", COUNT, "count --widths 3,4,2 --activation relu --bias hidden"),
        ("laws --degree 2", LAWS, "laws --widths 3,4,2 --activation linear --degree 2"),
    ],
)
def test_the_papers_examples(
    command: str, shown: str, another: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    result = CliRunner().invoke(main, command.split())
    assert (result.exit_code, result.stdout) == (0, shown)
    assert result.stderr == f"{FIRST}{another}\n\n"
