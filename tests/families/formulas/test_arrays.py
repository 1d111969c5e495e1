"""Maps made of arrays: their entries, counts and known laws, against NumPy's own products of
arrays of polynomials and a plain closure over the integers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import oracle
import pytest
import sympy
from reference import law_polynomials
from sympy import ZZ
from sympy.polys.rings import ring

from conslaw_cli import MLP, CustomFields, CustomMap, SpecError, count_laws, find_laws
from conslaw_cli.specs.spec import load

Arrays = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Case:
    """A map, and what NumPy makes of the same arrays."""

    components: tuple[str, ...]
    arrays: Arrays
    plain: Callable[..., Sequence[Any]]
    constants: tuple[tuple[str, Any], ...] = ()
    network: bool = False
    unknown: int = 0

    @property
    def map(self) -> CustomMap:
        return CustomMap(
            (), self.components, arrays=tuple(self.arrays.items()), constants=self.constants
        )


def eye(n: int) -> Any:
    return np.eye(n, dtype=int).astype(object)


def einsum(indices: str, *arrays: Any) -> Any:
    return np.einsum(indices, *arrays)


A12, A21, A22 = (1, 2), (2, 1), (2, 2)
W0, V0 = ((1, 2), (3, 5)), ((2, -1), (1, 4))
GIVEN = tuple((name, rows) for name, rows in (("W0", W0), ("V0", V0)))
CASES = {
    "matrix factorization": Case(
        ("U*V",), {"U": (2, 3), "V": (3, 2)}, lambda U, V: [U @ V], network=True
    ),
    "the same as a contraction": Case(
        ("einsum(ir,jr->ij; U, V)",),
        {"U": (2, 3), "V": (2, 3)},
        lambda U, V: [einsum("ir,jr->ij", U, V)],
    ),
    "CP": Case(
        ("einsum(ir,jr,kr->ijk; U, V, W)",),
        {"U": A22, "V": A22, "W": A22},
        lambda U, V, W: [einsum("ir,jr,kr->ijk", U, V, W)],
    ),
    "Tucker": Case(
        ("einsum(pqr,ip,jq,kr->ijk; G, U, V, W)",),
        {"G": (1, 2, 2), "U": A21, "V": A22, "W": A12},
        lambda G, U, V, W: [einsum("pqr,ip,jq,kr->ijk", G, U, V, W)],
    ),
    "tensor train": Case(
        ("einsum(ia,ajb,bk->ijk; U, V, W)",),
        {"U": A22, "V": (2, 2, 2), "W": A22},
        lambda U, V, W: [einsum("ia,ajb,bk->ijk", U, V, W)],
    ),
    "linear recurrence": Case(
        ("C*B", "C*A*B", "C*A**2*B", "C@A**3@B"),
        {"C": A12, "A": A22, "B": A21},
        lambda C, A, B: [C @ B, C @ A @ B, C @ A @ A @ B, C @ A @ A @ A @ B],
        network=True,
    ),
    "LoRA": Case(
        ("(W0 + B2*A2)*(V0 + B1*A1)",),
        {"B2": A21, "A2": A12, "B1": A21, "A1": A12},
        lambda B2, A2, B1, A1: [(np.array(W0) + B2 @ A2) @ (np.array(V0) + B1 @ A1)],
        GIVEN,
    ),
    "linear residual network": Case(
        ("(I(2) + W2)*(I(2) + W1)",),
        {"W2": A22, "W1": A22},
        lambda W2, W1: [(eye(2) + W2) @ (eye(2) + W1)],
        network=True,
    ),
    "residual behind a layer": Case(
        ("W2*(W1 + I(2))*W3",),
        {"W2": A12, "W1": A22, "W3": A21},
        lambda W2, W1, W3: [W2 @ (eye(2) + W1) @ W3],
        network=True,
        unknown=1,
    ),
    "a square": Case(("U*U.T",), {"U": (2, 3)}, lambda U: [U @ U.T], unknown=2),
    "quadratic units": Case(
        ("einsum(k,ki,kj->ij; a, W, W)",),
        {"a": (2,), "W": A22},
        lambda a, W: [einsum("k,ki,kj->ij", a, W, W)],
    ),
    "gated units": Case(
        ("mul(U, V)*w",), {"U": A22, "V": A22, "w": (2,)}, lambda U, V, w: [(U * V) @ w]
    ),
    "entrywise powers": Case(
        ("2*pow(U, 2) - pow(V, 3)/3",),
        {"U": A12, "V": A12},
        lambda U, V: [6 * U**2 - V**3],
        unknown=2,
    ),
    "a commutator": Case(
        ("A*B - B*A",), {"A": A22, "B": A22}, lambda A, B: [A @ B - B @ A], unknown=3
    ),
    "a trace of a product": Case(
        ("einsum(ij,ji->; A, B)",),
        {"A": A22, "B": A22},
        lambda A, B: [[np.trace(A @ B)]],
        unknown=1,
    ),
    "sums over an index": Case(
        ("einsum(ij,jk->k; A, B)",),
        {"A": A22, "B": A22},
        lambda A, B: [(A @ B).sum(axis=0)],
        unknown=2,
    ),
    "attention scores": Case(("Q*K.T",), {"Q": A22, "K": A22}, lambda Q, K: [Q @ K.T]),
}


def symbols(arrays: Arrays, names: Sequence[str]) -> tuple[dict[str, Any], list[Any]]:
    """Return arrays of the polynomials θ_1, θ_2, …, in the order of names of entries."""
    _, *gens = ring([f"x{i}" for i in range(len(names))], ZZ)
    number = {name: place for place, name in enumerate(names)}
    made = {}
    for name, shape in arrays.items():
        made[name] = np.empty(shape, dtype=object)
        for place in np.ndindex(*shape):
            entry = f"{name}[{','.join(str(i + 1) for i in place)}]"
            made[name][place] = gens[number[entry]]
    return made, gens


@pytest.fixture(params=CASES.values(), ids=list(CASES))
def case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.param
    return found


def test_counts_and_known_laws_are_those_of_the_entries(case: Case) -> None:
    made, gens = symbols(case.arrays, case.map.parameter_names())
    entries = [entry for part in case.plain(**made) for entry in np.ravel(part)]
    fields = [oracle.gradient(entry, gens) for entry in entries]
    size = sum(map(prod, case.arrays.values()))
    dimensions = oracle.closure(fields, gens, oracle.random_point(size, 0))
    row = count_laws(case.map)
    assert (row.parameters, row.dim_lie) == (size, dimensions[-1])
    known = law_polynomials(case.map.laws(), gens)
    assert all(oracle.is_law(law, fields, gens) for law in known)
    assert len(known) == case.map.known_listed
    assert row.unknown_laws == case.unknown
    assert (case.map.graph is not None) == case.network


def test_a_product_of_matrices_is_the_linear_network() -> None:
    row, network = count_laws(CASES["matrix factorization"].map), MLP((2, 3, 2), "linear")
    other = count_laws(network)
    for key in ("parameters", "dim_lie", "laws", "known_listed", "trace", "verdict"):
        assert getattr(row, key) == getattr(other, key)
    assert [bound.method for bound in row.upper] == [bound.method for bound in other.upper]
    (form,) = CASES["matrix factorization"].map.laws().families
    assert form.text == "UᵀU − VVᵀ"


def test_formulas_of_known_laws_name_slices() -> None:
    def texts(name: str) -> list[str]:
        return [family.text for family in CASES[name].map.laws().families]

    assert texts("CP")[:2] == ["‖U[:,1]‖² − ‖V[:,1]‖²", "‖U[:,2]‖² − ‖V[:,2]‖²"]
    assert texts("a commutator") == ["‖A‖² − ‖B‖²"]
    assert texts("linear residual network") == ["(I + W2)ᵀ(I + W2) − (I + W1)(I + W1)ᵀ"]
    assert texts("tensor train") == ["UᵀU − V(1)V(1)ᵀ", "V(3)V(3)ᵀ − WWᵀ"]
    assert texts("quadratic units")[0] == "2·a[1]² − ‖W[1,:]‖²"


def test_a_tensor_of_ten_terms_is_counted_in_seconds() -> None:
    sizes = tuple((name, (5, 10)) for name in "UVW")
    row = count_laws(CustomMap((), ("einsum(ir,jr,kr->ijk; U, V, W)",), arrays=sizes))
    assert (row.parameters, row.laws, row.verdict) == (150, 20, "proved")


def test_large_products_are_not_written_out() -> None:
    sizes = (("U", (300, 40)), ("V", (40, 500)))
    row = count_laws(CustomMap((), ("U*V",), arrays=sizes))
    assert (row.laws, row.verdict) == (40 * 41 // 2, "proved")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("V*U", "column 3: 'U' has 2 rows, being 2×3, and what stands before it is 3×3"),
        ("U + V", "column 5: 'V' is 3×3, and what it is added to is 2×3; expected equal shapes"),
        ("mul(U, V)", "column 8: 'V' is 3×3, and 'U' is 2×3; expected equal shapes"),
        ("U**2", "column 1: 'U' is 2×3; expected a square matrix before **, or pow(…, …)"),
        ("V**(1/2)", "column 5: expected a whole number from 0 to 60, got 1/2"),
        ("x/U", "column 3: 'U' is 2×3; only numbers are divided by"),
        ("sqrt(U)", "column 6: expected a number, and 'U' is 2×3"),
        ("x.T", "column 1: expected a matrix before .T, and 'x' is a number"),
        ("einsum(ij,jk->ik; V, U)", "index 'j' of arrays 3×3 and 2×3 is 3 and 2"),
        ("einsum(ij->i; V, U)", "1 groups of indices stand before 2 arrays"),
        ("einsum(ijk->i; V)", "column 16: 'V' is 3×3, and 'ijk' are its indices"),
        ("einsum(ij->k; V)", "expected each index behind -> once, and before it too, got 'k'"),
        ("einsum(ij; V)", "expected indices and arrays as in einsum(ir,jr->ij; U, V)"),
        ("I(x)", "column 3: expected a rational number as exponent"),
        ("I(1000)", "column 3: expected a whole number from 1 to 100, got '1000'"),
        ("pow(U)", "pow takes two arguments, got 'pow(U)'"),
        ("U; V", "column 2: unexpected ';'"),
    ],
)
def test_wrong_shapes_are_named_with_their_place(text: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        CustomMap((), (text,), arrays=(("U", (2, 3)), ("V", (3, 3))))
    assert str(caught.value).startswith("phi: component 1, column ")
    assert message in str(caught.value)


# ---- constants, which do not move


def along(text: str, variables: str, constants: str, values: Sequence[int]) -> int:
    """Return the rank of the closure of gradients of polynomials at given values of constants."""
    _, *gens = ring(variables.split(), ZZ)
    named = dict(zip((*variables.split(), *constants.split()), (*gens, *values), strict=True))
    fields = [oracle.gradient(eval(part, named), gens) for part in text.split(",")]
    return oracle.closure(fields, gens, oracle.random_point(len(gens), 1))[-1]


@pytest.mark.parametrize(
    ("text", "variables", "constants"),
    [
        ("p*u*v + q*u, v**2 + p*w", "u v w", "p q"),
        ("p*u*v + q*x*y", "u v x y", "p q"),
        ("u**2 + p*v**2, w*u - q*v", "u v w", "p q"),
        ("p*x + q*y", "x y", "p q"),
    ],
)
def test_constants_are_numbers(text: str, variables: str, constants: str) -> None:
    phi = CustomMap(
        tuple(variables.split()), tuple(text.split(",")), constants=tuple(constants.split())
    )
    row = count_laws(phi)
    assert row.parameters == len(variables.split())
    assert row.dim_lie == along(text, variables, constants, (10007, -30011))


def test_unequal_rates_of_layers_leave_one_law() -> None:
    """p a² − q‖w‖² (Kunin and others, Get Rich Quick, NeurIPS 2024)."""
    fields = (("q*w1", "p*a", "0"), ("q*w2", "0", "p*a"))
    still = tuple((*field, "0", "0") for field in fields)
    free = CustomFields(("a", "w1", "w2", "q", "p"), still)
    assert count_laws(free).laws == 3
    assert count_laws(CustomFields(("a", "w1", "w2"), fields, constants=("p", "q"))).laws == 1


def test_generic_arrays_do_not_move() -> None:
    arrays = (("B", (2, 1)), ("A", (1, 2)), ("V", (2, 2)))
    low_rank = CustomMap((), ("(W0 + B*A)*V",), arrays=arrays, constants=(("W0", (2, 2)),))
    assert low_rank.graph is not None
    assert low_rank.graph.constants == 4
    written = CustomMap(
        (), ("einsum(ij,jk->ik; W0 + B*A, V)",), arrays=arrays, constants=(("W0", (2, 2)),)
    )
    assert written.graph is None
    given = CustomMap((), ("(W0 + B*A)*V",), arrays=arrays, constants={"W0": [[3, "1/7"], [5, -2]]})
    rows = [count_laws(phi) for phi in (low_rank, written, given)]
    assert {(row.parameters, row.laws) for row in rows} == {(8, 1)}


# ---- a loss that reads some of the components


def test_a_softmax_reads_differences_of_outputs() -> None:
    arrays = (("V", (3, 2)), ("U", (2, 2)))
    outputs = CustomMap((), ("V*U",), arrays=arrays, loss="cross_entropy")
    network = MLP((2, 2, 3), "linear", loss="cross_entropy")
    assert count_laws(outputs).laws == count_laws(network).laws
    assert outputs.under("mse") == CustomMap((), ("V*U",), arrays=arrays)
    two = CustomMap((), ("x*y", "x*z", "x**2"), outputs=(1, 2), loss="cross_entropy")
    assert count_laws(two).laws == count_laws(CustomMap.from_text("x*y - x*z, x**2")).laws
    assert two.describe() == {
        "phi": {
            "variables": ["x", "y", "z"],
            "components": ["x*y", "x*z", "x**2"],
            "outputs": [1, 2],
        },
        "loss": "cross_entropy",
    }


def test_fields_of_arrays_are_those_of_their_entries(tmp_path: Path) -> None:
    """Matrices that commute with their motion, entry by entry, with sympy's products."""
    pair = CustomFields((), (("A*B - B*A", "0*B"),), arrays={"A": (2, 2), "B": (2, 2)})
    entries = {
        name: sympy.Matrix(2, 2, lambda i, j, name=name: sympy.Symbol(f"{name}{i}{j}"))
        for name in "AB"
    }
    bracket = entries["A"] * entries["B"] - entries["B"] * entries["A"]
    variables = [str(x) for name in "AB" for x in entries[name]]
    plain = CustomFields(tuple(variables), ((*map(str, bracket), *("0",) * 4),))
    places = product((1, 2), repeat=2)
    assert pair.parameter_names()[:4] == tuple(f"A[{i},{j}]" for i, j in places)
    assert count_laws(pair).laws == count_laws(plain).laws == 7
    found, wanted = (find_laws(each, 2).linear for each in (pair, plain))
    assert found == wanted
    file = tmp_path / "pair.yaml"
    file.write_text("fields: {arrays: {A: [2, 2], B: [2, 2]}, components: 'A*B - B*A, 0*B'}")
    (read,) = load(str(file)).architectures
    assert read == pair


@pytest.mark.parametrize(
    ("field", "message"),
    [
        (("A*C",), "field 1, component 1: expected 2×2, as what moves, got 2×3: 'A*C'"),
        (("A", "A"), "field 1 has 2 components, but 1 arrays and variables (A) were found"),
    ],
)
def test_fields_of_arrays_have_their_shapes(field: tuple[str, ...], message: str) -> None:
    with pytest.raises(SpecError) as caught:
        CustomFields((), (field,), constants={"C": (2, 3)}, arrays={"A": (2, 2)})
    assert message in str(caught.value)


def test_maps_of_arrays_fall_apart() -> None:
    arrays = {"U": (3, 2), "V": (3, 2), "C": (1, 2), "A": (2, 2), "Q": (2, 2)}
    texts = ("einsum(ir,jr->ij; U, V)", "C*A", "x*y", "p*z")
    whole = CustomMap((), texts, arrays=arrays, constants=("p",))
    parts = [
        CustomMap((), texts[:1], arrays={name: arrays[name] for name in "UV"}),
        CustomMap((), texts[1:2], arrays={name: arrays[name] for name in "CA"}),
        CustomMap.from_text("x*y"),
        CustomMap.from_text("3*z"),
    ]
    assert [size for _, size in whole.parts()] == [1, 1, 1, 1, 4]
    row = count_laws(whole)
    assert [bound.method for bound in row.lower] == ["direct sum"]
    assert row.laws == sum(count_laws(part).laws or 0 for part in parts) + 4
