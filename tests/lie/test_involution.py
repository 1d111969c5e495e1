"""Condition (13), against brackets of all pairs of components in rational numbers."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations, pairwise, product

import numpy as np
import pytest
import sympy
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from conslaw_cli import (
    MLP,
    CustomFields,
    CustomMap,
    Layers,
    Momentum,
    Problem,
    SpecError,
)
from conslaw_cli.errors import MemoryBudgetError
from conslaw_cli.lie.involution import involution
from conslaw_cli.networks.operations.convolution import Convolution

MAPS = [
    "u*v1, u*v2",
    "x*y, y*z",
    "x*y, x*z, y*z",
    "x*y + z*w, x*z",
    "x**2 + y, y**2 + z",
    "x + y*z, z",
    "x*y*z",
    "x**2*y, x*y**2",
    "x*y, z*w, x + z",
]


def fails_at(phi: CustomMap) -> set[tuple[str, str]]:
    """Return the pairs of components whose bracket is not in W_φ(θ), at a random rational θ."""
    names = sympy.symbols(phi.variables)
    rng = np.random.default_rng(0)
    point = {x: sympy.Rational(int(rng.integers(1, 99)), int(rng.integers(1, 99))) for x in names}
    parts = [sympy.sympify(text) for text in phi.components]
    fields = [sympy.Matrix([sympy.diff(part, x) for x in names]) for part in parts]
    image = sympy.Matrix.hstack(*fields).subs(point)
    found = set()
    for (a, f), (b, g) in combinations(zip(phi.components, fields, strict=True), 2):
        bracket = (f.jacobian(names) * g - g.jacobian(names) * f).subs(point)
        if sympy.Matrix.hstack(image, bracket).rank() > image.rank():
            found.add((a, b))
    return found


@pytest.mark.parametrize("text", MAPS)
def test_as_all_brackets_say(text: str) -> None:
    phi = CustomMap.from_text(text)
    found, failing = involution(Problem(phi)), fails_at(phi)
    assert found.holds == (not failing)
    assert found.holds == (found.bracket is None)
    if found.bracket is not None:
        assert found.bracket in failing


def test_both_answers_occur() -> None:
    assert {bool(fails_at(CustomMap.from_text(text))) for text in MAPS} == {True, False}


def linear_holds(widths: tuple[int, ...]) -> bool:
    """Return whether every piece between layers of one unit that has a hidden layer is scalar."""
    cuts = [0, *(i for i in range(1, len(widths) - 1) if widths[i] == 1), len(widths) - 1]
    return all(b - a == 1 or widths[a] == widths[b] == 1 for a, b in pairwise(cuts))


@pytest.mark.parametrize(("depth", "widest"), [(2, 3), (3, 2), (4, 2)])
def test_linear_networks(depth: int, widest: int) -> None:
    for widths in product(range(1, widest + 1), repeat=depth + 1):
        found = involution(Problem(MLP(widths, "linear")))
        assert found.holds == linear_holds(widths), widths
        assert found.error_bound is None or not found.holds
        assert (found.error_bound or 0) < 2**-60


@pytest.mark.parametrize("bias", [False, "hidden", "all"])
def test_relu_networks_meet_it(bias: object) -> None:
    for widths in ((2, 3, 2), (2, 2, 3, 1), (1, 2, 2, 2, 1)):
        network = MLP(widths, "relu", bias)  # type: ignore[arg-type]
        found = involution(Problem(network))
        assert found.holds
        assert found.error_bound is None
        assert found.rank == network.parameters - network.hidden


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.integers(0, 3), min_size=3, max_size=3), min_size=1, max_size=4))
def test_monomials_meet_it(exponents: list[list[int]]) -> None:
    """Their gradients are functions times combinations of the commuting fields ∂_e/θ_e."""
    products = ["*".join(f"x{i}**{e}" for i, e in enumerate(row)) for row in exponents]
    phi = CustomMap(("x0", "x1", "x2"), tuple(products))
    assume(phi.parameters == 3)
    assume(any(map(any, exponents)))
    found = involution(Problem(phi))
    assert found.holds
    assert found.rank == np.linalg.matrix_rank(np.array(exponents))


def test_the_bracket_that_fails_is_named() -> None:
    """Linear 2-2-2: the entries of U1 U2 in one row; section 3.3 of the paper says it fails."""
    found = involution(Problem(MLP((2, 2, 2), "linear")))
    assert (found.rank, found.count.dim_lie) == (4, 5)
    assert found.bracket is not None
    theta = [Fraction(n) for n in (2, 3, 5, 7, 11, 13, 17, 19)]
    assert bracket_of_entries(found.bracket, theta) == 5


def bracket_of_entries(names: tuple[str, str], theta: list[Fraction]) -> int:
    """Return the rank of all ∇(U1 U2)[i, j] and of the bracket of two of them, at θ."""
    symbols = sympy.symbols("a:8")
    product = sympy.Matrix(2, 2, symbols[:4]) * sympy.Matrix(2, 2, symbols[4:])
    entries = {f"x[{i + 1}]→y[{j + 1}]": product[i, j] for i in range(2) for j in range(2)}
    fields = {
        name: sympy.Matrix([sympy.diff(entry, x) for x in symbols])
        for name, entry in entries.items()
    }
    f, g = (fields[name] for name in names)
    bracket = f.jacobian(symbols) * g - g.jacobian(symbols) * f
    rows = sympy.Matrix.hstack(*fields.values(), bracket)
    return int(rows.subs(dict(zip(symbols, theta, strict=True))).rank())


def test_components_of_formulas_have_the_names_they_are_given() -> None:
    """Constants and multiples of others have no gradient of their own."""
    found = involution(Problem(CustomMap.from_text("3, x*y + z*w, 2*x*y + 2*z*w, x*z + 1")))
    assert found.bracket == ("x*y + z*w", "x*z + 1")
    matrices = CustomMap(("x",), ("V*U", "x"), arrays={"U": (2, 2), "V": (2, 2)})
    assert involution(Problem(matrices)).bracket == ("φ[1]", "φ[2]")


def test_formulas_that_are_networks_have_numbered_entries() -> None:
    shapes = dict.fromkeys("ABCD", (2, 2))
    found = involution(Problem(CustomMap((), ("A*B + C*D",), arrays=shapes)))
    assert (found.holds, found.bracket) == (False, ("φ[1]", "φ[2]"))


def test_networks_that_are_no_chains_are_decided_but_not_written_out() -> None:
    layers = (Convolution(1, (2,), (1,)), Convolution(2, (2,), (1,)))
    found = involution(Problem(Layers((1, 4), layers)))
    assert found.holds == (found.rank == found.count.dim_lie)
    assert found.bracket is None


def test_a_network_of_too_many_paths_is_decided() -> None:
    deep = involution(Problem(MLP((3, *(4,) * 7, 2), "linear")))
    assert (deep.holds, deep.rank, deep.bracket) == (False, 6, None)


def test_wide_networks() -> None:
    """By theorems; the bracket is not looked for, and where no theorem gives rank ∂φ it is said."""
    wide = involution(Problem(MLP((1000, 1000, 1000), "linear")))
    assert (wide.holds, wide.rank, wide.bracket, wide.error_bound) == (False, 10**6, None, None)
    assert involution(Problem(MLP((1000, 1000, 1000), "relu"))).holds
    with pytest.raises(MemoryBudgetError, match="rank ∂φ is not known"):
        involution(Problem(MLP((50, 50, 50, 50), "linear")))


@pytest.mark.parametrize(
    ("problem", "message"),
    [
        (Problem(MLP((2, 2, 2)), Momentum()), "flow: expected gradient, got"),
        (Problem(MLP((2, 2, 2), loss="cross_entropy")), "loss: expected mse or logistic, got"),
        (Problem(CustomFields((), (("y", "-x"),))), "expected a network or a φ, got vector fields"),
    ],
)
def test_what_has_no_such_condition(problem: Problem, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        involution(problem)
