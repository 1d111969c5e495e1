"""What a notebook shows of problems, counts and laws."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from conslaw_cli import MLP, CustomFields, LawCount, Momentum, Problem, count_laws, find_laws

RELU = Problem(MLP((3, 4, 2), "relu", bias="hidden", name="a <b> & c"))


def cells(html: str) -> dict[str, str]:
    """Return the rows of a table, under its caption."""
    root = ET.fromstring(html)
    rows = {row[0].text or "": row[1].text or "" for row in root.iter("tr")}
    return {"": root[0].text or "", **rows}


def test_a_count_is_a_small_table() -> None:
    assert cells(count_laws(RELU)._repr_html_()) == {
        "": "a <b> & c",
        "D": "24",
        "dim Lie": "20",
        "laws": "4",
        "known": "4 of 4",
        "unknown": "0",
        "verdict": "proved",
    }


def test_a_count_under_another_flow_has_its_state() -> None:
    shown = cells(count_laws(Problem(MLP((3, 4, 2), "linear"), Momentum()))._repr_html_())
    assert (shown["flow"], shown["state"], shown["dim Lie"]) == ("momentum", "41", "35")


@pytest.mark.parametrize(
    ("row", "tex"),
    [
        (count_laws(RELU), r"$\#\text{laws} = 24 - 20 = 4$"),
        (
            LawCount("n", {}, 0, "1", 0.0, "bounded", laws_at_least=7, reason="too large"),
            r"$\#\text{laws} \ge 7$",
        ),
        (LawCount("n", {}, 0, "1", 0.0, "failed", reason="no"), None),
    ],
)
def test_a_count_is_a_difference(row: LawCount, tex: str | None) -> None:
    assert row._repr_latex_() == tex
    assert row.name in cells(row._repr_html_())[""]


def test_a_problem_shows_its_known_laws() -> None:
    assert cells(RELU._repr_html_())["known laws"] == "diag(U1ᵀU1 + b1ᵀb1 − U2U2ᵀ) (4×4 diagonal)"
    assert RELU._repr_latex_() == (
        "$$\\begin{gathered}\n"
        r"\operatorname{diag}\bigl(U_{1}^\top U_{1} + b_{1}^\top b_{1} - U_{2} U_{2}^\top\bigr)"
        r" = \mathrm{const} \qquad (\text{4×4 diagonal})"
        "\n\\end{gathered}$$"
    )
    assert Problem(MLP((2, 2)))._repr_latex_() is None


def test_a_search_shows_known_families_and_new_formulas() -> None:
    found = find_laws(RELU, 2)
    shown = cells(found._repr_html_())
    assert (shown["of degree 2"], shown["independent"], shown["of these known"]) == ("4", "4", "4")
    assert found._repr_latex_() == RELU._repr_latex_()
    turns = CustomFields(("x", "y", "z"), (("y", "-x", "0"), ("0", "z", "-y")))
    own = find_laws(turns, 2)._repr_latex_()
    assert own is not None
    assert r"x^{2} + y^{2} + z^{2} = \mathrm{const}" in own
