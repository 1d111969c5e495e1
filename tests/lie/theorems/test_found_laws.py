"""Laws that are found and hold identically close the gap between the bounds: a count is proved."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations, product
from typing import Any

import pytest
import sympy
from forgetful import forgetful
from hypothesis import given, settings
from hypothesis import strategies as st

from conslaw_cli.algebra.expansion import NotPolynomialError
from conslaw_cli.families.formulas import expansion
from conslaw_cli.families.formulas.custom import CustomMap
from conslaw_cli.families.formulas.fields import CustomFields
from conslaw_cli.families.layers import Branch, Layers
from conslaw_cli.families.mlp import MLP
from conslaw_cli.lie.count import count_laws
from conslaw_cli.networks.graph import Graph
from conslaw_cli.networks.known_laws import join
from conslaw_cli.networks.operations.convolution import Convolution
from conslaw_cli.networks.operations.dense import Linear
from conslaw_cli.problems.problem import Problem
from conslaw_cli.sweeps.validity import flaw

NAME = lambda case: getattr(case, "name", str(case))[:40]  # noqa: E731


def polyadic(terms: int) -> CustomMap:
    """Return ``Σ_r u_ir v_jr w_kr`` for 2 × 2 × 2 tensors."""
    sums = (
        " + ".join(f"u{r}{i}*v{r}{j}*w{r}{k}" for r in range(terms))
        for i, j, k in product((1, 2), repeat=3)
    )
    return CustomMap.from_text(", ".join(sums))


def tensor_train() -> CustomMap:
    """Return 2 × 2 × 2 tensors of ranks 2, 2."""
    inner = list(product((1, 2), repeat=2))
    sums = (
        " + ".join(f"a{i}{p}*b{p}{j}{q}*c{q}{k}" for p, q in inner)
        for i, j, k in product((1, 2), repeat=3)
    )
    return CustomMap.from_text(", ".join(sums))


def quadratic_neurons(number: int) -> CustomMap:
    """Return ``Σ_k a_k w_ki w_kj`` in two dimensions."""
    pairs = ((1, 1), (1, 2), (2, 2))
    sums = (" + ".join(f"a{k}*w{k}{i}*w{k}{j}" for k in range(number)) for i, j in pairs)
    return CustomMap.from_text(", ".join(sums))


def recurrence() -> CustomMap:
    """Return ``C A^k B`` for k = 0, …, 3, with two states."""
    state, outputs = ["b1", "b2"], []
    for _step in range(4):
        outputs.append(" + ".join(f"c{i + 1}*({entry})" for i, entry in enumerate(state)))
        state = [f"a{i}1*({state[0]}) + a{i}2*({state[1]})" for i in (1, 2)]
    return CustomMap.from_text(", ".join(outputs))


def adapted_twice() -> CustomMap:
    """Return ``(W_0 + B_2 A_2)(W_1 + B_1 A_1)`` of rank 1 beside fixed matrices."""
    first, second = ((1, 2), (3, 5)), ((2, -1), (1, 4))
    entries = (
        " + ".join(f"({first[i][k]} + p{i}*q{k})*({second[k][j]} + r{k}*s{j})" for k in (0, 1))
        for i, j in product((0, 1), repeat=2)
    )
    return CustomMap.from_text(", ".join(entries))


NORM = "sqrt(v1**2 + v2**2 + v3**2)"
CASES: list[Any] = [
    (CustomFields(("X", "Y"), (("-X", "X"), ("Y", "-Y"))), 2, 1),
    (CustomFields(("x", "y", "z"), (("y", "-x", "0"), ("z", "0", "-x"), ("0", "z", "-y"))), 3, 2),
    (polyadic(2), 12, 8),
    (quadratic_neurons(2), 6, 4),
    (quadratic_neurons(3), 9, 6),
    (tensor_train(), 16, 10),
    (recurrence(), 8, 5),
    (adapted_twice(), 8, 6),
    (CustomMap.from_text(", ".join(f"g*v{i}/{NORM}" for i in (1, 2, 3))), 4, 3),
    (CustomMap.from_text("u*sqrt(v**2 + w**2), v/sqrt(v**2 + w**2), w/sqrt(v**2 + w**2)"), 3, 2),
    (CustomMap.from_text("x*sqrt(y + z), x*(y + z)**(1/3)"), 3, 2),
    (Layers((1, 3), (Convolution(1, (3,), (1,), "circular"),) * 2), 6, 4),
    (Layers((2,), (Branch((Linear(2),)), Branch((Linear(2),)))), 8, 5),
]


@pytest.mark.parametrize(("architecture", "parameters", "dim_lie"), CASES, ids=NAME)
def test_counts_that_laws_of_degree_two_prove(
    architecture: Any, parameters: int, dim_lie: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The values are exact, from the literature or by hand; no seed or prime is lucky. Known laws
    are forgotten here.
    """
    monkeypatch.setattr(CustomMap, "laws", lambda _: join([]))
    monkeypatch.setattr(CustomMap, "known_listed", 0)
    monkeypatch.setattr(Graph, "laws", lambda *_: join([]))
    monkeypatch.setattr(Layers, "known_listed", 0)
    for seed in (0, 1):
        row = count_laws(architecture, seed=seed)
        assert (row.parameters, row.dim_lie, row.verdict) == (parameters, dim_lie, "proved")
        assert row.error_bound is None
        assert row.upper[-1].method == "found laws"
        assert (row.upper[-1].value, row.upper[-1].kind) == (dim_lie, "proof")
        assert flaw(row, Problem(architecture).key(seed)) is None


@pytest.mark.parametrize(
    "architecture",
    [
        CustomFields(("x", "y", "z"), (("x", "-y", "0"), ("0", "y", "-z"))),
        CustomFields(("x", "y", "z"), (("1", "x", "0"), ("0", "0", "1"))),
    ],
    ids=NAME,
)
def test_a_law_of_degree_one_or_two_is_needed(architecture: CustomFields) -> None:
    """x y z has degree 3; y − x²/2 has degree 2."""
    laws = [bound for bound in count_laws(architecture).upper if bound.method == "found laws"]
    assert len(laws) == (1 if "1" in architecture.components[0] else 0)


def test_a_count_without_such_laws_stays_computed() -> None:
    row = count_laws(CustomFields(("x", "y", "z"), (("x", "-y", "0"), ("0", "y", "-z"))))
    assert (row.verdict, row.laws) == ("computed", 1)
    assert [bound.method for bound in row.upper] == ["known laws", "stagnation"]


@pytest.mark.parametrize("activation", ["exp", "smooth"])
def test_networks_that_are_no_polynomials_are_not_searched(activation: str) -> None:
    """With known laws hidden, so that there is a gap to close."""
    architecture = forgetful(MLP((2, 2, 2), activation))
    row = count_laws(architecture)
    assert not [bound for bound in row.upper if bound.method == "found laws"]
    polynomial = count_laws(forgetful(MLP((2, 2, 2), "power:2")))
    assert (polynomial.verdict, polynomial.upper[-1].method) == ("proved", "found laws")


def test_what_is_proved_otherwise_is_not_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    fail = lambda *_: pytest.fail("laws were looked for")  # noqa: E731
    monkeypatch.setattr(expansion, "expanded", fail)
    assert count_laws(CustomMap.from_text("x*y, y*z")).verdict == "proved"
    assert count_laws(MLP((2, 3, 2), "linear")).verdict == "proved"


COEFFICIENTS = st.lists(st.integers(-5, 5), min_size=9, max_size=9).filter(any)


@settings(max_examples=25, deadline=None)
@given(COEFFICIENTS)
def test_fields_along_the_levels_of_a_quadratic_function_have_it_as_a_law(c: list[int]) -> None:
    """``J ∇h`` for all antisymmetric J: h is a law by its making, and the fields span all else."""
    x = sympy.symbols("x y z")
    monomials = [*x, *(a * b for i, a in enumerate(x) for b in x[i:])]
    h = sum(k * m for k, m in zip(c, monomials, strict=True))
    slopes = [sympy.diff(h, v) for v in x]
    fields = []
    for i, j in combinations(range(3), 2):
        field = [sympy.Integer(0)] * 3
        field[i], field[j] = slopes[j], -slopes[i]
        fields.append(tuple(str(entry) for entry in field))
    rows = tuple(field for field in fields if set(field) != {"0"})
    row = count_laws(CustomFields(("x", "y", "z"), rows))
    assert row.verdict == "proved"
    assert row.laws is not None
    assert row.laws >= 1


# ---- the expansion of formulas


POINT = {"u": Fraction(4), "v": Fraction(9), "w": Fraction(16)}


@pytest.mark.parametrize(
    "text",
    [
        "u*v + w**2",
        "(u + v)**3*w",
        "u/v + w",
        "sqrt(u)*v + w",
        "u*sqrt(u + v + 3), v",
        "(u*v + 1)/(w + u), u",
        "sqrt(2)*u + v*w",
        "v/sqrt(u**2 + v**2 + w**2)",
        "sqrt(1 + sqrt(u + v)) + w",
    ],
)
def test_expanded_gradients_are_multiples_of_the_gradients(text: str) -> None:
    """Evaluated in floats by sympy: the directions agree, and the coordinates are θ."""
    phi = CustomMap.from_text(text)
    graph = phi.algebraic().graph
    exact = phi.expansion()
    symbols = sympy.symbols(phi.variables)
    values = {str(s): float(POINT[str(s)]) for s in symbols}
    context = exact.coordinates[0].context()
    places = realised(graph, exact, phi, values)
    components = [sympy.sympify(each.strip()) for each in phi.components]
    assert context.nvars() == len(places)
    for coordinate, symbol in zip(exact.coordinates, symbols, strict=True):
        assert evaluated(coordinate, places) == pytest.approx(values[str(symbol)])
    directions = [[float(sympy.diff(each, s).subs(values)) for s in symbols] for each in components]
    for field in exact.fields:
        found = [evaluated(entry, places) for entry in field]
        assert any(parallel(found, direction) for direction in directions)


def realised(graph: Any, exact: Any, phi: CustomMap, values: dict[str, float]) -> list[float]:
    """Return the values of t and y, from the names of the context's generators."""
    found = []
    for name in exact.coordinates[0].context().names():
        if name.startswith("t"):
            e = int(name[1:])
            order = int(exact.coordinates[e].total_degree())
            found.append(values[phi.variables[e]] ** (1 / max(1, order)))
        else:
            index = int(name[1:])
            value = float(sympy.sympify(graph.text(index, phi.variables)).subs(values))
            found.append(value ** (1 / orders(graph)[index]))
    return found


def orders(graph: Any) -> dict[int, int]:
    """Return the denominators of the exponents of bases: here they are square roots, or none."""
    return dict.fromkeys(range(len(graph.bases)), 2)


def evaluated(polynomial: Any, places: list[float]) -> float:
    total = 0.0
    for exponents, c in polynomial.to_dict().items():
        term = float(Fraction(int(c.p), int(c.q)))
        for e, x in zip(exponents, places, strict=True):
            term *= x ** int(e)
        total += term
    return total


def parallel(a: list[float], b: list[float]) -> bool:
    minors = [a[i] * b[j] - a[j] * b[i] for i, j in combinations(range(len(a)), 2)]
    size = max(map(abs, a)) * max(map(abs, b))
    return size > 0 and all(abs(minor) < 1e-9 * size for minor in minors)


def test_what_is_too_long_is_refused() -> None:
    with pytest.raises(NotPolynomialError):
        CustomMap.from_text("(a + b + c + d + e + f)**30*x").expansion()
