"""Functions that are no polynomials: what stands for their values modulo a prime."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conslaw_cli.algebra.field import PrimeField
from conslaw_cli.algebra.rings import Rule
from conslaw_cli.networks.operations.elementwise import Exponential, Generic

P = 8388593
FIELD = PrimeField(P)
RULES: list[Rule] = [Exponential(), Generic()]
residues = st.integers(-(P // 2), P // 2)


@settings(max_examples=50, deadline=None)
@given(st.lists(residues, min_size=1, max_size=5))
def test_values_are_decided_by_the_residue_of_the_argument(places: list[int]) -> None:
    """Whatever represents it and wherever it stands; they are residues, and none is 0."""
    z = np.array(places, dtype=np.float64)
    for rule in RULES:
        found = rule.residues(FIELD, z, 3)
        assert len(found) == 3
        for values in found:
            assert np.abs(values).max() <= P // 2
            assert (values % P != 0).all()
            assert (values == np.round(values)).all()
        for moved, order in ((z % P, 1), (z[::-1], -1), (z - P, 1)):
            again = rule.residues(FIELD, moved, 2)
            assert all(np.array_equal(x[::order], y) for x, y in zip(again, found[:2], strict=True))


@settings(max_examples=50, deadline=None)
@given(residues)
def test_the_exponential_is_its_derivative_and_turns_signs_into_inverses(place: int) -> None:
    z = np.array([place, -place, 0], dtype=np.float64)
    value, *derivatives = Exponential().residues(FIELD, z, 4)
    assert all(np.array_equal(value, each) for each in derivatives)
    assert int(value[0]) * int(value[1]) % P == 1
    assert int(value[2]) % P == 1


def test_values_at_different_arguments_look_independent() -> None:
    """Hashes of neighbours, of sums and of the derivatives at one argument share nothing: among
    thousands of them hardly two are equal, and they fill the range evenly.
    """
    z = np.arange(1, 4001, dtype=np.float64)
    for rule, orders in ((Generic(), 3), (Exponential(), 1)):
        values = np.concatenate(rule.residues(FIELD, z, orders))
        assert len(np.unique(values % P)) > len(values) - 25  # at most 9 pairs are expected
        counts, _ = np.histogram(values % P, bins=16, range=(0, P))
        assert np.abs(counts - len(values) / 16).max() < 6 * np.sqrt(len(values) / 16)
    exponential = Exponential().residues(FIELD, np.array([1.0, 2.0, 3.0]), 1)[0].astype(int)
    assert exponential[0] * exponential[1] % P != exponential[2] % P


def test_other_primes_have_other_values() -> None:
    z = np.arange(1, 50, dtype=np.float64)
    other = PrimeField(8388587)
    for rule in RULES:
        assert not np.array_equal(rule.residues(FIELD, z, 1)[0], rule.residues(other, z, 1)[0])


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule).__name__)
@pytest.mark.parametrize("order", [0, 1, 2])
def test_real_derivatives_are_derivatives(rule: Rule, order: int) -> None:
    z, h = np.linspace(-2, 2, 7), 1e-6
    slope = (rule.real(z + h, order) - rule.real(z - h, order)) / (2 * h)
    assert np.allclose(slope, rule.real(z, order + 1), rtol=1e-6, atol=1e-6)


@settings(max_examples=50, deadline=None)
@given(st.lists(residues, min_size=1, max_size=4), st.integers(0, 2**24))
def test_powers_of_residues(places: list[int], exponent: int) -> None:
    found = FIELD.power(np.array(places, dtype=np.float64), exponent)
    assert [int(x) % P for x in found] == [pow(x, exponent, P) for x in places]
    assert np.abs(found).max() <= P // 2
