"""Flows in numbers against solutions in closed form."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from conslaw_cli.simulation.integrator import DivergedError, Field, Vector, integrate

pytest.importorskip("scipy")


def oscillator(_: float, x: Vector) -> Vector:
    return np.array([x[1], -x[0]])


@pytest.mark.parametrize("tolerance", [1e-6, 1e-10, 1e-13])
def test_a_known_solution_at_any_times(tolerance: float) -> None:
    times = [0.0, 1e-3, 0.5, 0.75, 3.0, 20.0]
    found = np.array([*integrate(oscillator, np.array([0.0, 1.0]), times, tolerance)])
    expected = np.column_stack([np.sin(times[1:]), np.cos(times[1:])])
    assert np.abs(found - expected).max() < 100 * tolerance


def test_a_field_that_depends_on_time_and_jumps() -> None:
    def field(t: float, x: Vector) -> Vector:
        return np.where(x < 1, 1.0, 3 * t**2)

    (end,) = integrate(field, np.array([0.0]), [0.0, 2.0])
    assert abs(end[0] - 8.0) < 1e-8  # x = t until 1, then t³


def test_what_was_integrated_before_the_end_of_time() -> None:
    found = list[Vector]()
    with pytest.raises(DivergedError, match=r"^no finite solution beyond t = (0\.99|1)"):
        found += (x for x in integrate(lambda t, x: x**2, np.ones(1), [0.0, 0.5, 0.9, 1.5], 1e-10))
    solution = integrate(lambda t, x: x**2, np.ones(1), [0.0, 0.5, 0.9, 1.5])
    assert np.allclose([*islice(solution, 2)], [[2.0], [10.0]], rtol=1e-8)


def test_a_solution_that_slides_along_a_border() -> None:
    """x' = −sign(x) + 1/2 comes to 0 and stays; y' = x' + 1 keeps y − x − t all the same, as every
    frozen field does.
    """

    def frozen(state: Vector) -> Field:
        speed = 0.5 - float(np.sign(state[0]))
        return lambda t, x: np.array([speed, speed + 1])

    times = np.linspace(0.0, 4.0, 41).tolist()
    jumping = integrate(
        lambda t, x: frozen(x)(t, x), np.array([1.0, 0.0]), times, 1e-9, frozen, 0.01
    )
    found = np.array([*jumping])
    after = np.array(times[1:])
    assert np.abs(found[:, 1] - found[:, 0] - after + 1).max() < 1e-12
    assert np.abs(found[:, 0] - np.maximum(1 - after / 2, 0)).max() < 0.02


def test_a_stiff_solution_ends_with_a_sentence() -> None:
    with pytest.raises(DivergedError, match=r"stiff there: 200 steps led no further$"):
        list(integrate(lambda t, x: -1e6 * (x - np.sin(t)), np.ones(1), [0.0, 5.0]))


def test_an_interrupt_is_let_through() -> None:
    def field(t: float, x: Vector) -> Vector:
        if t > 0.5:
            raise KeyboardInterrupt
        return x

    solution = integrate(field, np.ones(1), [0.0, 0.25, 1.0])
    assert abs(next(solution)[0] - np.exp(0.25)) < 1e-9
    with pytest.raises(KeyboardInterrupt):
        next(solution)
