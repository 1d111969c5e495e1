"""Maps and fields of one's own: known numbers of laws, a symbolic count to compare with, and MLPs
written out as expressions.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from conslaw_cli.algebra.field import PrimeField
from conslaw_cli.errors import SpecError
from conslaw_cli.families.formulas.custom import CustomMap
from conslaw_cli.families.formulas.fields import COEFFICIENTS, CustomFields, RandomFields
from conslaw_cli.families.formulas.terms import Sum
from conslaw_cli.families.mlp import BIASES, MLP
from conslaw_cli.lie.closure import RankTrace, Sampler, close, confirms
from conslaw_cli.lie.count import count_laws
from conslaw_cli.lie.theorems import THEOREMS, Evidence
from conslaw_cli.lie.theorems.paths import is_monomial
from conslaw_cli.lie.theorems.structure import parts_of
from conslaw_cli.problems.problem import Architecture, Problem
from conslaw_cli.sweeps.jobs import plan

Custom = CustomMap | CustomFields | RandomFields
ROTATIONS = (("0", "-z", "y"), ("z", "0", "-x"), ("-y", "x", "0"))


def sampler(custom: Custom, seed: int = 0) -> Sampler:
    """Return a sampler at a random place."""
    fields, rng = custom.fields(), np.random.default_rng(seed)
    field = PrimeField(fields.prime(rng))
    there, theta = fields.at(field, rng)
    return Sampler(there, field, theta, rng)


def trace(custom: Custom) -> tuple[int, ...]:
    """Return the ranks at one place; two more must agree."""
    ranks = close(sampler(custom), custom.parameters)
    assert confirms(sampler(custom, 1), ranks)
    assert confirms(sampler(custom, 2), ranks)
    return ranks.dimensions


def phi(text: str) -> CustomMap:
    return CustomMap.from_text(text)


def neuron(d: int, tag: str = "") -> list[str]:
    """Return Example E.2's (u‖v‖, v/‖v‖) with v of d − 1 entries."""
    v = [f"v{tag}_{i}" for i in range(1, d)]
    norm = f"sqrt({' + '.join(f'{x}**2' for x in v)})"
    return [f"u{tag}*{norm}", *(f"{x}/{norm}" for x in v)]


# ---- known numbers


@pytest.mark.parametrize("d", [2, 3, 4, 5])
def test_a_homogeneous_neuron_has_one_law(d: int) -> None:
    """arXiv 2307.00144, Prop.

    E.3: dimension d − 1, condition (23) holds, and u² − ‖v‖² is conserved.
    """
    custom = CustomMap((), tuple(neuron(d)))
    assert trace(custom) == (d - 1,)
    at = sampler(custom, 3)
    u_first = np.where([name.startswith("u") for name in custom.variables], 1.0, -1.0)
    gradient = at.field.reduce(2 * u_first * at.theta[0, :, 0])
    for level in range(3):
        assert not at.field.matmul(at.rows(level, 5), gradient[:, None]).any()


@pytest.mark.parametrize("copies", [2, 3])
def test_copies_of_a_neuron_have_one_law_each(copies: int) -> None:
    custom = CustomMap((), tuple(text for k in range(copies) for text in neuron(3, str(k))))
    assert custom.parameters - trace(custom)[-1] == copies
    ((part, count),) = custom.parts()
    assert (part.parameters, count) == (3, copies)
    assert trace(part) == (2,)


@pytest.mark.parametrize(
    ("custom", "ranks"),
    [
        (phi("x1*x2*x3"), (1,)),  # part B of the authors' notebook
        (phi("u*v1, u*v2, u*v3"), (3,)),  # Example 3.8: u v
        (phi("u + 2*v"), (1,)),
        (
            phi(
                "x/sqrt(x**2 + y**2 + z**2), y/sqrt(x**2 + y**2 + z**2), z/sqrt(x**2 + y**2 + z**2)"
            ),
            (2,),
        ),  # degree 0: ‖θ‖ stays
        (
            phi("(a - b)/sqrt((a - b)**2 + (b - c)**2), (b - c)/sqrt((a - b)**2 + (b - c)**2)"),
            (1,),
        ),  # also a + b + c
        (phi("x*y, x + y"), (2,)),
        (phi("1, sqrt(2), x/x"), (0,)),
        (CustomFields((), ROTATIONS), (2,)),  # so(3) moves along spheres
        (CustomFields((), ROTATIONS[:2]), (2,)),
        (
            CustomFields(("x", "y", "z"), (("1", "0", "-y/2"), ("0", "1", "x/2"))),
            (2, 3),
        ),  # Heisenberg group
        (
            CustomFields(
                tuple("xyzpq"), (("1", "0", "p", "0", "q"), tuple("00010"), tuple("00001"))
            ),
            (3, 4),
        ),
        (CustomFields(("x", "y", "z", "w"), (("1", "y", "z", "0"), ("0", "0", "0", "1"))), (2,)),
        (
            CustomFields(("x", "a", "b", "c"), (("1", "0", "0", "0"), ("0", "1", "x", "x**2/2"))),
            (2, 3, 4),
        ),  # Engel, Goursat
        (CustomFields(("x", "y"), (("1/y", "0"), ("0", "sqrt(x)"))), (2,)),
        (
            CustomFields(("x", "y", "z"), (("y/sqrt(x**2 + y**2)", "-x/sqrt(x**2 + y**2)", "0"),)),
            (1,),
        ),
        (RandomFields(5, 1, 3), (1,)),  # part A of the authors' notebook: 4 laws
        (RandomFields(5, 2, 3), (2, 3, 5)),  # free: W_2 gains two brackets
        (RandomFields(6, 2, 2, seed=4), (2, 3, 5, 6)),
        (RandomFields(4, 3, 0), (3,)),  # constant fields commute
    ],
    ids=lambda case: case.name if not isinstance(case, tuple) else str(case),
)
def test_known_traces(custom: Custom, ranks: tuple[int, ...]) -> None:
    assert trace(custom) == ranks


# ---- a symbolic count to compare with


def symbolic_trace(
    gradients: Sequence[sympy.Matrix], symbols: Sequence[Any], point: dict[Any, Any]
) -> tuple[int, ...]:
    """Return the dimensions of W_0(θ), W_1(θ), … at a point where all entries are rational: all
    brackets, exact ranks.
    """
    level, rows, dimensions = list(gradients), list[sympy.Matrix](), list[int]()
    while True:
        rows += [
            sympy.Matrix([sympy.nsimplify(entry.subs(point)) for entry in field]).T
            for field in level
        ]
        assert all(entry.is_Rational for row in rows for entry in row)
        rank = sympy.Matrix.vstack(*rows).rank()
        if dimensions and rank == dimensions[-1]:
            return tuple(dimensions)
        dimensions.append(rank)
        level = [
            f.jacobian(symbols) * g - g.jacobian(symbols) * f for f in gradients for g in level
        ]


@pytest.mark.parametrize(
    ("text", "point"),
    [
        (
            "u*sqrt(v1**2 + v2**2), v1/sqrt(v1**2 + v2**2), v2/sqrt(v1**2 + v2**2)",
            {"u": 7, "v1": 3, "v2": 4},
        ),
        ("x*y/(x + z), y*z", {"x": 2, "y": 3, "z": 5}),
        ("sqrt(x)*y, sqrt(y)*z, x*z", {"x": 4, "y": 9, "z": 7}),
        ("sqrt(x + y)*z, x*y", {"x": 2, "y": 7, "z": 5}),
        ("x**(1/3)*y - z, sqrt(x*y)", {"x": 64, "y": 729, "z": 2}),
        ("sqrt(x + sqrt(y))*z", {"x": 7, "y": 4, "z": 5}),
        ("w*x - y*z, 1/(w + z)", {"w": 2, "x": 3, "y": 5, "z": 8}),
        ("w**2 + x*y + z, w*x + y*z", {"w": 2, "x": 3, "y": 5, "z": 8}),
        ("a*b*c + d, sqrt(a**2 + b**2 + c**2)", {"a": 2, "b": 3, "c": 6, "d": 1}),
    ],
)
def test_ranks_are_those_of_symbolic_brackets(text: str, point: dict[str, int]) -> None:
    symbols = [sympy.Symbol(name, positive=True) for name in sorted(point)]
    named = {symbol.name: symbol for symbol in symbols}
    maps = sympy.sympify(f"[{text}]", locals=named, rational=True)
    gradients = [
        sympy.Matrix([sympy.diff(component, symbol) for symbol in symbols]) for component in maps
    ]
    assert trace(phi(text)) == symbolic_trace(
        gradients, symbols, {named[name]: value for name, value in point.items()}
    )


# ---- MLPs written out


def written_out(mlp: MLP) -> CustomMap:
    """Return φ of an MLP as expressions: sums of products for linear neurons, one component per
    path through the others.
    """
    values = [{("input", i): ["1"]} for i in range(mlp.widths[0])]
    variables = []
    for layer in range(1, mlp.depth + 1):
        rows, columns = mlp.widths[layer - 1 : layer + 1]
        biased = mlp.bias == "all" or (mlp.bias == "hidden" and layer < mlp.depth)
        variables += [f"U{layer}_{i}_{j}" for i, j in product(range(rows), range(columns))]
        variables += [f"b{layer}_{j}" for j in range(columns) if biased]
        following = []
        for j in range(columns):
            paths: dict[Any, list[str]] = {("bias",): [f"b{layer}_{j}"]} if biased else {}
            for i, value in enumerate(values):
                for path, terms in value.items():
                    paths.setdefault(path, []).extend(f"{term}*U{layer}_{i}_{j}" for term in terms)
            kept = layer == mlp.depth or mlp.activations[layer - 1] in ("linear", "identity")
            following.append(
                paths if kept else {(*path, (layer, j)): terms for path, terms in paths.items()}
            )
        values = following
    return CustomMap(
        tuple(variables), tuple(" + ".join(terms) for value in values for terms in value.values())
    )


MLPS = [
    MLP((2, 3), "linear"),
    MLP((2, 3, 2), "linear"),
    MLP((1, 2, 2, 1), "linear"),
    MLP((2, 2, 2, 2), "linear"),
    MLP((2, 2, 2), "linear", "all"),
    MLP((3, 1, 2), "linear"),
    MLP((2, 3, 2), "relu"),
    MLP((2, 2, 3, 2), "relu", "hidden"),
    MLP((1, 2, 2, 1), "relu", "all"),
    MLP((2, 2, 2, 2), ("linear", "relu"), "hidden"),
    MLP((2, 2, 2, 1), ("relu", "linear")),
]


@pytest.mark.parametrize("mlp", MLPS, ids=lambda mlp: mlp.name)
def test_an_mlp_written_out_has_the_same_ranks(mlp: MLP) -> None:
    custom = written_out(mlp)
    assert custom.parameters == mlp.parameters
    rng = np.random.default_rng(0)
    field = PrimeField(8388593)
    theta = field.random(rng, (1, mlp.parameters, 1))
    assert (
        trace(custom) == close(Sampler(mlp.fields(), field, theta, rng), mlp.parameters).dimensions
    )
    assert custom.monomial == is_monomial(Problem(mlp))
    assert said("single field", custom) == said("single field", mlp)
    if custom.monomial:
        assert said("paths", custom) == said("paths", mlp) == custom.path_rank()
        assert custom.known_listed == mlp.known_listed


def said(name: str, architecture: Architecture) -> int | None:
    """Return the upper bound that a theorem gives, None if it does not apply."""
    (theorem,) = (each for each in THEOREMS if each.name == name)
    proof = theorem(Problem(architecture), Evidence(count_laws))
    return None if proof is None else proof.upper[0].value


def small_networks(depth: int) -> Iterator[MLP]:
    kinds = product(("linear", "relu"), repeat=depth - 1)
    for widths, kind, bias in product(product((1, 2), repeat=depth + 1), list(kinds), BIASES):
        yield MLP(widths, kind, bias)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_the_graph_tells_which_networks_are_monomial_and_their_rank(depth: int) -> None:
    """Written out, a sum is a sum: linear neurons add up paths, and biases that meet there."""
    found = list[str]()
    for mlp in small_networks(depth):
        custom = written_out(mlp)
        assert custom.monomial == is_monomial(Problem(mlp)), mlp.name
        if custom.monomial:
            assert custom.path_rank() == said("paths", mlp), mlp.name
            found.append(mlp.name)
    assert ("linear 2-1-2 bias" in found, "linear 2-1-2 bias=all" in found) == (depth == 2, False)


def test_degrees_of_a_linear_network_are_those_of_the_network() -> None:
    mlp = MLP((2, 3, 2, 2), "linear")
    assert written_out(mlp).fields().degree()[0] == mlp.fields().degree()[0]


# ---- monomial maps, and the laws that monomials leave


@pytest.mark.parametrize(
    ("text", "rank"),
    [
        ("x1*x2*x3", 1),
        ("x**2*y, 7*y*z, x**2*z/y", 3),
        ("x*y, y*z, z*x", 3),
        ("x*y, z*w, x*w, z*y", 3),
        ("x/y, y/z, z/x", 2),
        ("sqrt(x*y), x**(1/3)*z, sqrt(2)*x*y", 2),
        ("sqrt(x**2)*y", 1),
        ("5", 0),
    ],
)
def test_a_monomial_map_has_the_rank_of_its_exponents(text: str, rank: int) -> None:
    custom = phi(text) if text != "5" else CustomMap(("x", "y"), (text,))
    assert custom.monomial
    assert custom.path_rank() == rank
    assert trace(custom) == (rank,)
    assert custom.known_listed == len(custom.laws()) == custom.parameters - rank


@pytest.mark.parametrize("text", ["x + y", "x*y + 1", "x*y, x/(y + 1)", "sqrt(x + y)"])
def test_sums_make_no_monomial_map(text: str) -> None:
    assert not phi(text).monomial
    with pytest.raises(SpecError):
        phi("x +")


exponent_rows = st.lists(
    st.lists(st.integers(-3, 3), min_size=4, max_size=4), min_size=1, max_size=4
)


@settings(max_examples=40, deadline=None)
@given(exponent_rows, st.booleans())
def test_known_laws_are_conserved_and_independent(rows: list[list[int]], mixed: bool) -> None:
    """Laws c with A c = 0; with a sum among the components, only those that leave its variables
    alone.
    """
    names = ("w", "x", "y", "z")
    texts = [
        "*".join(f"{name}**({e})" for name, e in zip(names, row, strict=True)) for row in rows
    ] + ["w + x**2"] * mixed
    custom = CustomMap(names, tuple(texts))
    laws = custom.laws()
    at = sampler(custom)
    gradients = np.concatenate([*laws.gradients(at.theta[0, :, 0], 3), np.empty((0, 4))])
    at.field.reduce(gradients)
    assert not at.field.matmul(gradients, at.rows(0, 6).T).any()
    matrix = sympy.Matrix(rows + [[1, 0, 0, 0], [0, 1, 0, 0]] * mixed)
    assert custom.known_listed == at.field.rank(gradients) == 4 - matrix.rank()
    assert custom.known_terms == len(laws.law)


LARGE = {
    "beyond 2^30": "x1**2*x2, " + ", ".join(f"x{i}**2*x{i + 1}" for i in range(2, 32)),
    "beyond 2^53": "x1**3*x2, " + ", ".join(f"x{i}**3*x{i + 1}" for i in range(2, 36)),
    "of fractions": "a**(1/59)*b**997, b**911*c**(1/43), c**883*d**(1/37)",
}


@pytest.mark.parametrize("text", LARGE.values(), ids=LARGE)
def test_a_law_of_large_integers_is_counted_but_not_listed(text: str) -> None:
    """A chain of monomials leaves one law: (1, −2, 4, …) where the exponents are 2 and 1."""
    custom = phi(text)
    row = count_laws(custom)
    assert (row.verdict, row.laws, row.known_listed, row.unknown_laws) == ("proved", 1, 0, 1)
    beside = count_laws(phi(f"{text}, y*z"))
    assert (beside.verdict, beside.laws) == ("proved", 2)
    assert (beside.known_listed, beside.known_independent, beside.unknown_laws) == (1, 1, 1)


@pytest.mark.parametrize(
    ("text", "known"),
    [
        (", ".join(f"x{i}*x{i + 1}" for i in range(500)), 1),
        (", ".join(f"x{i}**2*x{i + 1}" for i in range(300)), 0),
        (", ".join(f"x{2 * i}*x{2 * i + 1}" for i in range(400)), 400),
    ],
    ids=["chain", "chain with powers", "pairs"],
)
def test_maps_of_many_variables(text: str, known: int) -> None:
    """The answer is the rank of one matrix; the plan of a sweep asks for it as well."""
    custom = CustomMap((), tuple(text.split(", ")))
    assert [job.key for job in plan([custom], 0)] == [Problem(custom).key(0)]
    row = count_laws(custom)
    assert (row.verdict, row.known_listed, row.known_independent) == ("proved", known, known)
    assert row.laws == max(known, 1)


def test_the_engine_agrees_with_the_exponents_of_hundreds_of_variables() -> None:
    row = count_laws(CustomMap((), tuple(f"x{i}*x{i + 1}" for i in range(300))))
    assert [bound.method for bound in row.lower] == ["brackets", "paths"]
    assert (row.laws, row.known_independent) == (1, 1)


def test_a_long_abelian_tail() -> None:
    """x and Σ x^i y_i: every bracket with ∂_x yields one more derivative of the second field."""
    row = count_laws(phi("x, " + " + ".join(f"x**{i}*y{i}" for i in range(1, 10))))
    assert (row.verdict, row.laws) == ("proved", 0)
    assert row.trace is not None
    assert (row.trace.dimensions, row.trace.complete) == (tuple(range(2, 11)), True)


def test_laws_have_small_integers_and_a_name() -> None:
    laws = phi("x1*x2*x3").laws()
    assert sorted(
        zip(laws.law.tolist(), laws.left.tolist(), laws.coefficient.tolist(), strict=True)
    ) == [
        (0, 0, 1),
        (0, 1, -1),
        (1, 0, 1),
        (1, 2, -1),
    ]
    assert laws.name(1) == "x1² − x3²"


# ---- what architectures owe


def test_a_single_field_is_scalar() -> None:
    assert phi("x*y*z + x").scalar
    assert phi("x*y, 2, 3*x*y, sqrt(2)*x*y").scalar
    assert not phi("x*y, x").scalar
    assert not CustomMap(("x",), ("2",)).scalar
    assert CustomFields(("x", "y"), (("y", "x"),)).scalar
    assert not CustomFields((), ROTATIONS).scalar
    assert RandomFields(5, 1, 3).scalar
    assert not RandomFields(5, 2, 3).scalar


def test_variables_are_found_in_natural_order() -> None:
    assert phi("x10*x9 + sqrt(x2)").variables == ("x2", "x9", "x10")
    assert CustomFields((), (("x2*x3", "x1*x3", "x1*x2"),)).variables == ("x1", "x2", "x3")


def test_parts_share_no_variables() -> None:
    custom = CustomMap(
        ("a", "b", "c", "d", "idle"), ("a*b + a", "sqrt(c)*d + sqrt(c)", "7", "b + 1e2")
    )
    parts = custom.parts()
    assert sum(part.parameters * count for part, count in parts) == 5
    assert sum(trace(part)[-1] * count for part, count in parts) == trace(custom)[-1]
    assert [part.components for part, _ in parts] == [
        ("x1*x2 + x1", "x2 + 1e2"),
        ("sqrt(x1)*x2 + sqrt(x1)",),
        ("1",),
    ]
    assert sum(part.known_listed * count for part, count in parts) == custom.known_listed == 1
    assert all(part.parts() == ((part, 1),) for part, _ in parts)


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        ("x*y, z*w, x*y*z*w, a*b, c*d, e*f", [4, 2, 2, 2]),
        ("a*b, c*d, e*f, a*c*e, g*h", [6, 2]),
        ("a*b, c*d, e*f, g*h, b*c + f*g, d + e", [8]),
        ("g*h, a*b, i*j, c*d, b*c, k + 1", [4, 2, 2, 1]),
    ],
)
def test_a_component_may_join_several_parts(text: str, sizes: list[int]) -> None:
    custom = phi(text)
    parts = custom.parts()
    assert sorted((p.parameters for p, n in parts for _ in range(n)), reverse=True) == sizes
    row = count_laws(custom)
    assert row.dim_lie == trace(custom)[-1]
    assert row.known_independent == row.known_listed == custom.known_listed


def test_one_part_is_the_map_itself() -> None:
    for custom in (phi("x*y, y*z"), CustomFields((), ROTATIONS), RandomFields(3, 2, 2)):
        assert parts_of(Problem(custom)) == [(Problem(custom), 1)]


@pytest.mark.parametrize(
    "custom",
    [phi("x*sqrt(y)"), CustomFields((), ROTATIONS), RandomFields(3, 2, 2, 7)],
    ids=lambda custom: custom.name,
)
def test_they_are_values(custom: Custom) -> None:
    again = pickle.loads(pickle.dumps(custom))
    assert again == custom
    assert hash(again) == hash(custom)
    assert json.loads(json.dumps(custom.describe())) == custom.describe()
    assert custom.scope is None
    assert sum(size for _, _, size in custom.outline()) == custom.parameters


def test_descriptions_are_the_keys_of_a_spec() -> None:
    assert phi("u*v").describe() == {"phi": {"variables": ["u", "v"], "components": ["u*v"]}}
    one = CustomFields(("x", "y"), (("y", "-x"),))
    assert one.describe() == {"fields": {"variables": ["x", "y"], "components": [["y", "-x"]]}}
    assert RandomFields(5, 1, 3, 2).describe() == {
        "random_fields": {"dimension": 5, "count": 1, "degree": 3, "seed": 2}
    }


def test_names_tell_different_maps_apart() -> None:
    assert phi("u*v").name == "φ(u, v) = (u*v)"
    long = [CustomMap((), tuple(f"x{i}*y{i % k}" for i in range(30))).name for k in (2, 3)]
    assert len(set(long)) == 2
    assert max(map(len, long)) < 110
    assert CustomMap(("u", "v", "w"), ("u*v",)).name != phi("u*v").name
    assert CustomMap(("u", "v"), ("u*v",), "mine").name == "mine"
    texts = tuple(f"x{i}*y" for i in range(30))
    variables = phi(", ".join(texts)).variables
    idle = [CustomMap((*variables, name), texts).name for name in ("z", "w")]
    assert len({CustomMap(variables, texts).name, *idle}) == 3


def test_outlines_show_components() -> None:
    assert phi("u*v, u").outline() == [
        ("variables u, v", "2", 2),
        ("component u*v", "1", 0),
        ("component u", "1", 0),
    ]


# ---- random fields


def test_random_fields_are_decided_by_their_seed_alone() -> None:
    first, again, other = (RandomFields(3, 2, 2, seed).polynomials() for seed in (1, 1, 2))
    assert first == again != other


def test_random_fields_have_every_monomial_with_a_small_coefficient() -> None:
    whole = RandomFields(3, 2, 2).polynomials()
    assert len(whole.outputs) == 6
    for term in whole.outputs:
        ((base, exponent),) = term.factors
        assert exponent == 1
        terms = whole.bases[base].terms  # type: ignore[union-attr]
        assert len({part.factors for part in terms}) == 10
        assert {part.coefficient for part in terms} <= set(COEFFICIENTS)


def test_the_first_coefficients_of_seed_0_stay_what_they_are() -> None:
    """Results of other releases must stay comparable; NumPy has frozen this stream."""
    whole = RandomFields(1, 1, 4).polynomials()
    coefficients = [COEFFICIENTS[c] for c in np.random.RandomState(0).randint(18, size=5)]
    last = whole.bases[-1]
    assert isinstance(last, Sum)
    assert [term.coefficient for term in last.terms] == coefficients == [4, 7, -9, -6, -6]


# ---- what is refused


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: phi(""), "phi: the list of components: expected an expression, got nothing"),
        (
            lambda: phi("u*v, u^2"),
            "phi: the list of components, column 7: unexpected '^'; write **",
        ),
        (lambda: phi("2"), "phi: variables: expected at least one"),
        (lambda: CustomMap((), ()), "phi: components: expected at least one expression"),
        (
            lambda: CustomMap(("u",), (3,)),  # type: ignore[arg-type]
            "phi: components: expected expressions such as 'u*v', got 3",
        ),
        (
            lambda: CustomMap(("u", "v"), ("u*v", "u*w")),
            "phi: component 2, column 3: unknown name 'w'; the variables are u, v",
        ),
        (lambda: CustomMap(("u", "u"), ("u",)), "phi: variables: 'u' is given twice"),
        (
            lambda: CustomMap(("u v",), ("1",)),
            "phi: variables: expected names of letters, digits and _, got 'u v'",
        ),
        (lambda: CustomMap(("ﬁ",), ("1",)), "phi: variables: expected names"),
        (lambda: CustomMap(("lambda",), ("1",)), "phi: variables: 'lambda' has another meaning"),
        (lambda: CustomMap(("sqrt",), ("1",)), "phi: variables: 'sqrt' has another meaning"),
        (
            lambda: CustomMap(tuple(f"x{i}" for i in range(2001)), ("x1",)),
            "phi: variables: expected at most 2,000, got 2,001",
        ),
        (
            lambda: CustomMap(("x",), ("x",) * 10_001),
            "phi: components: expected at most 10,000 expressions, got 10,001",
        ),
        (
            lambda: CustomMap(("x",), ("x" * 19_999,) * 11),
            "phi: components: expected at most 200,000 characters in all",
        ),
        (
            lambda: phi("x, 1/(y - y)"),
            "phi: component 2, column 4: 'y - y' is zero, so there is a pole everywhere",
        ),
        (lambda: phi("x, sqrt(-x**2)"), "phi: component 2, column 6: '-x**2' is not positive"),
        (lambda: CustomFields((), ()), "fields: fields: expected at least one expression"),
        (
            lambda: CustomFields((), (("x", "y"), ("1",))),
            "fields: field 2 has 1 components, but 2 variables (x, y) were found",
        ),
        (
            lambda: CustomFields((), (("1", "0", "y"),)),
            "field 1 has 3 components, but 1 variables (y) were found: give",
        ),
        (
            lambda: CustomFields(("x", "y"), (("1", "0", "y"),)),
            "field 1 has 3 components, but 2 variables (x, y) are given",
        ),
        (
            lambda: CustomFields(("x",), (("1/(x - x)",),)),
            "fields: field 1, component 1, column 4: 'x - x' is zero",
        ),
        (
            lambda: RandomFields(0, 1, 1),
            "random_fields: dimension: expected an integer from 1 to 2000, got 0",
        ),
        (lambda: RandomFields(True, 1, 1), "random_fields: dimension: expected an integer"),
        (
            lambda: RandomFields(5, 1, -1),
            "random_fields: degree: expected an integer from 0 to 100, got -1",
        ),
        (lambda: RandomFields(5, 1, 3, -1), "random_fields: seed: expected"),
        (
            lambda: RandomFields(1000, 1000, 50),
            "random_fields: expected at most 100,000 coefficients, got more than 10^30",
        ),
        (
            lambda: RandomFields(20, 30, 3),
            "random_fields: expected at most 100,000 coefficients, got 1,062,600",
        ),
    ],
)
def test_bad_input_is_refused(build: Any, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        build()
    assert message in str(caught.value)


def test_traces_are_compared_with_more_than_one_rank() -> None:
    """The comparison with symbolic brackets would be idle if all its traces stopped at once."""
    assert close(sampler(phi("x**(1/3)*y - z, sqrt(x*y)")), 3) == RankTrace((2, 3), closed=False)
