"""The laws of linear 1-m-n-1 that are no polynomials: constant along flows that know nothing of
them, and equal to integrals of many digits along another path.
"""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest
from numpy.typing import NDArray

from conslaw_cli import MLP, Layers, Linear, Momentum, Problem, SpecError, count_laws
from conslaw_cli.laws.abelian import AbelianLaws, Floats, abelian_laws

Long = NDArray[np.longdouble]
ORDER = 18
"""Of Taylor series, whose rest is below a rounding of extended precision."""
SHAPES = [(2, 2), (2, 3), (3, 3), (4, 2), (4, 4)]


def laws_of(m: int, n: int) -> AbelianLaws:
    (laws,) = abelian_laws(Problem(MLP((1, m, n, 1), "linear")))
    return laws


def drawn(m: int, n: int, seed: int) -> Floats:
    return np.random.default_rng(seed).normal(size=m + m * n + n)


def followed(theta: Floats, m: int, n: int, steps: int) -> Floats:
    """Follow ±∇(U1 U2 U3) from θ: points (|steps| + 1, D)."""
    state, points = theta.astype(np.longdouble), [theta]
    for _ in range(abs(steps)):
        step = np.copysign(0.1 / np.linalg.norm(state.astype(float)), steps)
        state = sum(c * step**k for k, c in enumerate(taylor(state, m, n)))
        points.append(state.astype(float))
    return np.array(points)


def taylor(state: Long, m: int, n: int) -> list[Any]:
    """Return the coefficients of the solution of θ' = ∇(U1 U2 U3)."""
    parts = state[:m], state[m : m + m * n].reshape(m, n), state[m + m * n :]
    u, a, v = ([each] for each in parts)
    av, ua, uv = list[Any](), list[Any](), list[Any]()
    for k in range(ORDER):
        av.append(sum(a[i] @ v[k - i] for i in range(k + 1)))
        ua.append(sum(u[i] @ a[k - i] for i in range(k + 1)))
        uv.append(sum(np.outer(u[i], v[k - i]) for i in range(k + 1)))
        for series, field in ((u, av), (a, uv), (v, ua)):
            series.append(field[k] / (k + 1))
    return [np.concatenate([x, y.ravel(), z]) for x, y, z in zip(u, a, v, strict=True)]


def frame_signs(theta: Floats, m: int, n: int) -> Floats:
    """Return the signs of a_i b_i, which change where s_i turns."""
    left, _, right = np.linalg.svd(theta[m : m + m * n].reshape(m, n), full_matrices=False)
    signs: Floats = np.sign((theta[:m] @ left) * (right @ theta[m + m * n :]))
    return signs


@pytest.mark.parametrize(("m", "n"), SHAPES)
def test_constant_between_turning_points(m: int, n: int) -> None:
    laws, moves = laws_of(m, n), 0.0
    for seed in range(3):
        points = followed(drawn(m, n, seed), m, n, 12)
        signs = np.array([frame_signs(each, m, n) for each in points])
        points = points[(signs == signs[0]).all(axis=1)]
        values = np.array([laws.at(each).values for each in points])
        assert values.shape == (len(points), min(m, n) - 1)
        assert abs(values - values[0]).max() < 1e-12
        s = np.array([np.linalg.svd(p[m : m + m * n].reshape(m, n))[1] for p in points])
        moves = max(moves, np.ptp(s, axis=0).min())
    assert moves > 0.003


@pytest.mark.parametrize(("m", "n", "seed"), [(2, 2, 15), (2, 3, 29), (3, 3, 9), (4, 2, 22)])
def test_constant_through_five_turning_points(m: int, n: int, seed: int) -> None:
    """Along a whole orbit, back again, and once more."""
    behind, ahead = (followed(drawn(m, n, seed), m, n, steps) for steps in (-25, 25))
    orbit = np.concatenate([behind[:0:-1], ahead])[::2]
    points = np.concatenate([orbit, orbit[-2::-1], orbit[1:]])
    signs = np.array([frame_signs(each, m, n) for each in points])
    assert (np.diff(signs, axis=0) != 0).sum() >= 5
    values = laws_of(m, n).along(points)
    assert abs(values - values[0]).max() < 1e-11
    apart = np.array([laws_of(m, n).at(each).values for each in orbit[::2]])
    assert np.ptp(apart, axis=0).min() > 1e-3  # periods are crossed


def by_many_digits(theta: Floats, m: int, n: int) -> list[float]:
    """Return the integrals by quadrature in the complex plane, 30 digits, each factor of w by
    itself.
    """
    with mpmath.workdps(30):
        u, v = (mpmath.matrix(x.tolist()) for x in (theta[:m], theta[m + m * n :]))
        a = mpmath.matrix(theta[m : m + m * n].reshape(m, n).tolist())
        spectra = [
            sorted(mpmath.eigsy(each, eigvals_only=True), key=abs, reverse=True)
            for each in (a * a.T - u * u.T, a.T * a - v * v.T)
        ]
        r = min(m, n)
        roots = [*spectra[0][: r + (m > n)], *spectra[1][: r + (n > m)], *([0] * (m == n))]
        roots = sorted(map(mpmath.mpf, roots), reverse=True)
        left, s, right = mpmath.svd_r(a)
        sides = [
            sum(u[j] * left[j, i] for j in range(m)) * sum(right[i, j] * v[j] for j in range(n))
            for i in range(r)
        ]
        return [
            float(
                sum(
                    (-1) ** i * mpmath.sign(sides[i]) * part(roots, i, k, s[i] ** 2)
                    for i in range(r)
                )
            )
            for k in range(r - 1)
        ]


def part(roots: list[Any], i: int, k: int, x: Any) -> Any:
    """Return ∫ t^k dt/2w from the lower end of s_i² to x through the upper half plane, t = e +
    y².
    """
    low, end = roots[2 * i], mpmath.sqrt(x - roots[2 * i])

    def integrand(y: Any) -> Any:
        t = low + y * y
        others = [q for q in roots if q is not low]
        return t**k / mpmath.fprod(
            mpmath.sqrt(t - q) if q < low else mpmath.sqrt(q - t) for q in others
        )

    path = [0, mpmath.mpc(end / 3, end / 4), end]
    found = mpmath.quad(integrand, path, maxdegree=12)
    assert abs(mpmath.im(found)) < 1e-12
    return mpmath.re(found)


@pytest.mark.parametrize(("m", "n"), SHAPES[:4])
def test_as_integrals_of_many_digits(m: int, n: int) -> None:
    theta = drawn(m, n, 7)
    found = laws_of(m, n).at(theta).values
    assert found == pytest.approx(by_many_digits(theta, m, n), abs=1e-12)


@pytest.mark.parametrize(("m", "n"), SHAPES)
def test_they_complete_the_quadratic_laws(m: int, n: int) -> None:
    """The gradients of all have rank D − 1, and are orthogonal to the field."""
    problem, theta, step = Problem(MLP((1, m, n, 1), "linear")), drawn(m, n, 3), 1e-5
    laws, known = laws_of(m, n), problem.laws()
    (quadratic,) = known.gradients(theta, len(known))
    shifts = step * np.eye(len(theta))
    others = [laws.at(theta + e).values - laws.at(theta - e).values for e in shifts]
    gradients = np.concatenate([quadratic, np.array(others).T / (2 * step)])
    field = taylor(theta.astype(np.longdouble), m, n)[1].astype(float)
    assert abs(gradients @ field).max() < 1e-6 * np.linalg.norm(field)
    assert np.linalg.matrix_rank(gradients, tol=1e-5) == len(theta) - 1
    assert np.linalg.matrix_rank(quadratic) == len(theta) - 1 - laws.size
    assert count_laws(problem).unknown_laws == laws.size


@pytest.mark.parametrize("biases", [0, 1])
def test_a_piece_of_a_chain_has_them(biases: int) -> None:
    """Between layers of one unit; the rest of the network moves, and its fields are many."""
    layers = (Linear(1, bool(biases)), *(Linear(n, False) for n in (2, 3, 1, 2)))
    problem = Problem(Layers((2,), layers))
    (laws,) = abelian_laws(problem)
    assert laws.names == ("U2", "U3", "U4")
    assert count_laws(problem).unknown_laws == laws.size == 1
    theta = np.random.default_rng(0).normal(size=problem.parameters)
    piece = slice(2 + biases, 13 + biases)
    theta[piece] = drawn(2, 3, 0)
    assert laws.at(theta).values == pytest.approx(laws_of(2, 3).at(drawn(2, 3, 0)).values)


@pytest.mark.parametrize(
    "problem",
    [
        Problem(MLP((1, 2, 2, 1), "relu")),
        Problem(MLP((1, 2, 2, 1), "linear", "hidden")),
        Problem(MLP((1, 2, 2, 1), "linear"), Momentum()),
        Problem(MLP((1, 2, 2, 2), "linear", loss="cross_entropy")),
        Problem(MLP((1, 2, 1, 2, 1), "linear")),
        Problem(MLP((1, 2, 2, 2, 1), "linear")),
        Problem(MLP((2, 2, 2, 1), "linear")),
    ],
    ids=lambda problem: problem.name,
)
def test_where_none_are_known(problem: Problem) -> None:
    assert abelian_laws(problem) == ()


def test_where_branch_points_coincide_they_are_not_evaluated() -> None:
    laws = laws_of(2, 2)
    balanced = np.array([1.0, 0, 1, 0, 0, 0, 1, 0])
    twice = np.array([1.0, 0, 2, 0, 0, 2, 0, 1])
    for theta in (np.zeros(8), balanced, twice):
        with pytest.raises(SpecError, match=r"^θ: branch points coincide"):
            laws.at(theta)


@pytest.mark.parametrize("gap", [1e-2, 1e-5, 1e-7])
def test_near_points_where_they_coincide(gap: float) -> None:
    """Singular values that nearly agree enclose two branch points."""
    theta = np.array([1.0, 0.7, 2, 0, 0, 2 + gap, 0.3, 1])
    theta[:2] *= gap**0.5
    assert laws_of(2, 2).at(theta).values == pytest.approx(by_many_digits(theta, 2, 2), rel=1e-6)
