"""Systems of other people that fields of one's own describe: what textbooks, papers and users of
other programs say of their laws.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import pytest
import sympy

from conslaw_cli import MLP, CustomFields, Friction, LawSearch, Momentum, Problem
from conslaw_cli import count_laws as count
from conslaw_cli import find_laws as find


def polynomials(found: LawSearch) -> list[sympy.Expr]:
    """Return the generating laws as expressions of SymPy."""
    names = sympy.symbols(found.parameters)
    return [
        sum(c * sympy.prod([names[i] for i in monomial]) for c, monomial in law.polynomial.terms)
        for law in found.generators
    ]


def along(law: sympy.Expr, fields: CustomFields) -> list[sympy.Expr]:
    """Return the derivative of a function along each field."""
    names = sympy.symbols(fields.variables)
    return [
        sympy.simplify(sum(sympy.diff(law, x) * sympy.sympify(v) for x, v in zip(names, field)))  # noqa: B905
        for field in fields.components
    ]


def momentum(widths: Sequence[int], friction: str) -> CustomFields:
    """Return momentum on a two-layer linear network without the flow of that name: the drift
    (1, v, −τ v) of (t, θ, v), and a field (0, 0, ∂φ_ij) for every entry of φ = U V.
    """
    n, r, m = widths
    u = [[f"u{i}{k}" for k in range(r)] for i in range(n)]
    v = [[f"v{k}{j}" for j in range(m)] for k in range(r)]
    theta = [name for row in u + v for name in row]
    speeds = [f"s{name}" for name in theta]
    zeros = ("0",) * (len(theta) + 1)
    fields = [("1", *speeds, *(f"-({friction})*{name}" for name in speeds))]
    for i, j in product(range(n), range(m)):
        slope = {u[i][k]: v[k][j] for k in range(r)} | {v[k][j]: u[i][k] for k in range(r)}
        fields.append((*zeros, *(slope.get(name, "0") for name in theta)))
    return CustomFields(("t", *theta, *speeds), tuple(fields))


@pytest.mark.parametrize(
    ("widths", "laws"), [((1, 1, 1), 0), ((1, 2, 1), 2), ((2, 2, 1), 1), ((1, 3, 1), 6)]
)
@pytest.mark.parametrize(
    ("friction", "named"),
    [("0", Friction.NONE), ("1", Friction.CONSTANT), ("3/t", Friction.NESTEROV)],
)
def test_momentum_written_as_fields_has_the_laws_of_the_flow(
    widths: tuple[int, ...], laws: int, friction: str, named: Friction
) -> None:
    assert count(momentum(widths, friction)).laws == laws
    assert count(Problem(MLP(widths, "linear"), Momentum(named))).laws == laws


def test_what_an_enzyme_keeps() -> None:
    """S1 + E ⇌ ES ⇌ S2 + E, whatever the rates: the sums E + ES and ES + S1 + S2."""
    steps = (("-S1*E", "0", "-S1*E", "S1*E"), ("ES", "0", "ES", "-ES"))
    back = (("0", "ES", "ES", "-ES"), ("0", "-S2*E", "-S2*E", "S2*E"))
    enzyme = CustomFields(("S1", "S2", "E", "ES"), steps + back)
    assert count(enzyme).laws == 2
    s1, s2, e, es = sympy.symbols(enzyme.variables)
    found = polynomials(find(enzyme, 1))
    assert sympy.Matrix([[law.coeff(x) for x in (s1, s2, e, es)] for law in found]).rank() == 2
    for total in (e + es, es + s1 + s2):
        assert along(total, enzyme) == [0] * 4
        expected = sympy.Matrix(
            [[each.coeff(x) for x in (s1, s2, e, es)] for each in [total, *found]]
        )
        assert expected.rank() == 2


def test_kovalevskayas_top_has_its_fourth_integral() -> None:
    """Moments of inertia 2, 2, 1; of degree 4 and of no lower one."""
    p, q, r, a, b, c = sympy.symbols("p q r a b c")
    top = CustomFields(
        ("p", "q", "r", "a", "b", "c"),
        (("q*r/2", "-(p*r + c)/2", "b", "r*b - q*c", "p*c - r*a", "q*a - p*b"),),
    )
    integrals = [
        2 * p**2 + 2 * q**2 + r**2 - 2 * a,
        2 * p * a + 2 * q * b + r * c,
        a**2 + b**2 + c**2,
        (p**2 - q**2 + a) ** 2 + (2 * p * q + b) ** 2,
    ]
    assert [along(each, top) for each in integrals] == [[0]] * 4
    assert find(top, 3).independent == 3
    found = polynomials(find(top, 4))
    assert len(found) == 4
    jacobian = sympy.Matrix([*found, *integrals]).jacobian([p, q, r, a, b, c])
    assert (
        jacobian.subs(dict(zip((p, q, r, a, b, c), (1, 2, 3, 5, 7, 11), strict=True))).rank() == 4
    )


def test_a_textbook_whose_two_laws_are_one() -> None:
    """Of x' = x² − yz and so on (x − y)/(y − z) and (y − z)/(z − x) are kept, but they depend on
    each other; xy + yz + zx is the second law.
    """
    x, y, z = sympy.symbols("x y z")
    fields = CustomFields(("x", "y", "z"), (("x**2 - y*z", "y**2 - z*x", "z**2 - x*y"),))
    quotients = [(x - y) / (y - z), (y - z) / (z - x)]
    assert [along(each, fields) for each in quotients] == [[0], [0]]
    assert sympy.simplify(sympy.Matrix(quotients).jacobian([x, y, z])).rank() == 1
    assert count(fields).laws == 2
    assert polynomials(find(fields, 2)) == [x * y + x * z + y * z]
