"""What passes through the places where branches meet, and the laws that follow."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from conslaw_cli.networks.known_laws import Form
from conslaw_cli.networks.wiring import Array, Wire, Wiring


class Arrays:
    """Hands out parameter arrays, one behind the other in θ."""

    def __init__(self) -> None:
        self.made: list[Array] = []

    def __call__(self, *shape: int) -> Array:
        offset = sum(array.size for array in self.made)
        self.made.append(Array(f"U{len(self.made) + 1}", shape, offset))
        return self.made[-1]


def shared(wire: Wire, *rows: int) -> Wire:
    """Return the wire of a value whose rows belong to these units."""
    return replace(wire, rows=np.array(rows))


def forms(wiring: Wiring) -> list[tuple[str, str]]:
    return [(form.laws().families[0].text, form.kind) for form in wiring.forms()]


def indices(form: Form) -> list[NDArray[np.intp]]:
    """Return the parameters of every part of a form, one row per unit."""
    return [part.matrix() for part in form.parts]


def test_rows_are_grouped_by_unit_in_whatever_order_they_come() -> None:
    """Rows 0 and 2 of what reads the space belong to its first unit."""
    wiring, make = Wiring(), Arrays()
    h = wiring.layer(wiring.given(1), 2, make(1, 2))
    y = wiring.layer(shared(h, 0, 1, 0, 1), 1, make(4, 1))
    wiring.output(y, zero_sum=False)
    (form,) = wiring.forms()
    assert [part.tolist() for part in indices(form)] == [[[0], [1]], [[2, 4], [3, 5]]]


def test_branches_that_share_their_rows_in_different_ways_leave_no_law() -> None:
    """So does everything that joins the space later."""
    wiring, make = Wiring(), Arrays()
    x = wiring.given(1)
    here, there = (wiring.layer(x, 2, make(1, 2)) for _ in range(2))
    outer = wiring.layer(x, 4, make(1, 4))
    wiring.layer(outer, 1, make(4, 1))
    wiring.layer(shared(here, 0, 0, 1, 1), 1, make(4, 1))
    before = [(text, kind) for text, kind in forms(wiring)]
    assert before == [("U1ᵀU1 − Σ U5U5ᵀ", "full"), ("U3ᵀU3 − U4U4ᵀ", "full")]
    mixed = wiring.joined(shared(here, 0, 0, 1, 1), shared(there, 0, 1, 0, 1))
    assert forms(wiring) == [("U3ᵀU3 − U4U4ᵀ", "full")]
    wiring.joined(outer, shared(mixed, 0, 0, 1, 1))
    assert forms(wiring) == []


def test_branches_that_share_their_rows_alike_are_one_space() -> None:
    """Also where each row is a unit of one branch and the rows of the other are copies."""
    wiring, make = Wiring(), Arrays()
    x = wiring.given(1)
    first, second = (wiring.layer(x, 2, make(1, 2)) for _ in range(2))
    rows = wiring.layer(x, 4, make(1, 4))
    alike = wiring.joined(shared(first, 0, 0, 1, 1), shared(second, 0, 0, 1, 1))
    both = wiring.joined(alike, rows)
    wiring.output(wiring.layer(both, 1, make(4, 1)), zero_sum=False)
    (form,) = wiring.forms()
    (family,) = form.laws().families
    assert (family.text, form.kind) == ("U1ᵀU1 + U2ᵀU2 + U3ᵀU3 − Σ U4U4ᵀ", "full")
    assert [part.tolist() for part in indices(form)] == [
        [[0], [1]],
        [[2], [3]],
        [[4, 5], [6, 7]],
        [[8, 9], [10, 11]],
    ]
