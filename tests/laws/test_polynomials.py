"""The search for polynomial laws against the same problem solved plainly, and against what theory
and ``count`` say.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import combinations_with_replacement, pairwise, product
from math import comb, prod
from pathlib import Path
from typing import Any

import numpy as np
import oracle
import pytest
from forgetful import Forgetful, forgetful
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from small_networks import NETWORKS
from sympy import QQ
from sympy.polys.matrices import DomainMatrix

from conslaw_cli.algebra.field import Array, PrimeField, random_prime
from conslaw_cli.algebra.lifting import combine, rational, reconstruct, short
from conslaw_cli.algebra.rings import Exact, Ring
from conslaw_cli.errors import ContradictionError, MemoryBudgetError, SpecError
from conslaw_cli.families.formulas.algebraic import Complexity
from conslaw_cli.families.formulas.custom import CustomMap
from conslaw_cli.families.mlp import MLP
from conslaw_cli.laws import polynomials
from conslaw_cli.laws.monomials import (
    Points,
    classes,
    inverses,
    largest_class,
    monomials,
    monomials_up_to,
    odd_labels,
    scattered,
)
from conslaw_cli.laws.plan import MAX_DEGREE, Plan
from conslaw_cli.laws.polynomials import find_laws
from conslaw_cli.laws.search import LawSearch
from conslaw_cli.laws.symmetry import NONE, Symmetry, symmetry
from conslaw_cli.laws.values import Polynomial
from conslaw_cli.lie import budget
from conslaw_cli.lie.count import count_laws
from conslaw_cli.networks import gradients
from conslaw_cli.networks.gradients import GradientFields
from conslaw_cli.networks.known_laws import Laws, join
from conslaw_cli.networks.operation import Node, Operation, Read
from conslaw_cli.networks.wiring import Wire, Wiring
from conslaw_cli.problems.problem import Architecture, Problem
from conslaw_cli.specs import spec

CONFIGS = Path(__file__).parents[2] / "configs"
FIELD = PrimeField(8388593)
PROPERTY = settings(max_examples=50, deadline=None)
Monomial = tuple[int, ...]


# ---- the problem, solved plainly


def terms(poly: oracle.Poly) -> list[tuple[Monomial, int]]:
    """Return monomials, as the places of their factors, and their coefficients."""
    return [
        (tuple(e for e, power in enumerate(powers) for _ in range(power)), int(c))
        for powers, c in poly.terms()
    ]


class Plain:
    """All polynomials up to a degree that are conserved, by comparing coefficients and eliminating
    over the rationals.
    """

    def __init__(self, network: MLP) -> None:
        self.theta = oracle.Parameters(network)
        self.fields = oracle.generators(network, self.theta)
        self.zero = 0 * self.theta.gens[0]
        self.entries = [
            [terms(field[e]) for field in self.fields] for e in range(len(self.theta.gens))
        ]

    def polynomial(self, terms: Iterable[tuple[int, Monomial]]) -> oracle.Poly:
        return sum((c * self.product(monomial) for c, monomial in terms), self.zero)

    def product(self, monomial: Monomial) -> oracle.Poly:
        result = self.zero + 1
        for e in monomial:
            result *= self.theta.gens[e]
        return result

    def dimension(self, degrees: Iterable[int]) -> int:
        """Return the number of linearly independent laws among the polynomials with terms of these
        degrees.
        """
        unknowns = [
            m
            for d in degrees
            for m in combinations_with_replacement(range(len(self.theta.gens)), d)
        ]
        equations: dict[object, dict[int, Any]] = {}
        for k, monomial in enumerate(unknowns):
            for place, c in self.change(monomial).items():
                if c:
                    equations.setdefault(place, {})[k] = QQ(c)
        system = DomainMatrix(
            dict(enumerate(equations.values())), (len(equations), len(unknowns)), QQ
        )
        return len(unknowns) - int(system.rank())

    def change(self, monomial: Monomial) -> Counter[tuple[int, Monomial]]:
        """Return the derivative along each field: coefficients by field and monomial."""
        result: Counter[tuple[int, Monomial]] = Counter()
        for e, times in Counter(monomial).items():
            at = monomial.index(e)
            rest = monomial[:at] + monomial[at + 1 :]
            for f, entry in enumerate(self.entries[e]):
                for other, c in entry:
                    result[f, tuple(sorted(rest + other))] += times * c
        return result


def check_against_plain(network: MLP, degree: int) -> None:
    """Equal dimensions degree by degree, and a basis of laws: equal spaces."""
    plain, found = Plain(network), find_laws(network, degree, basis=True)
    up_to = [plain.dimension(range(1, d + 1)) for d in range(degree + 1)]
    assert dict(found.linear) == {
        d + 1: higher - lower for d, (lower, higher) in enumerate(pairwise(up_to))
    }
    assert found.basis is not None
    laws = [plain.polynomial(law.polynomial.terms) for law in found.basis]
    assert all(oracle.is_law(h, plain.fields, plain.theta.gens) for h in laws)
    assert independent(law.polynomial for law in found.basis) == len(laws) == up_to[-1]
    assert Counter(law.polynomial.degree for law in found.basis) == Counter(found.linear)
    homogeneous = find_laws(network, degree, homogeneous=True)
    assert dict(homogeneous.linear) == {degree: plain.dimension([degree])}


def independent(laws: Iterable[Polynomial]) -> int:
    """Return the rank of polynomials as vectors of coefficients."""
    columns: dict[Monomial, int] = {}
    rows = [{columns.setdefault(m, len(columns)): QQ(c) for c, m in law.terms} for law in laws]
    return (
        int(DomainMatrix(dict(enumerate(rows)), (len(rows), len(columns)), QQ).rank())
        if rows
        else 0
    )


@pytest.mark.parametrize(
    "network", [network for network in NETWORKS if network.parameters == 6], ids=lambda n: n.name
)
def test_quadratic_laws_are_those_of_the_plain_system(network: MLP) -> None:
    check_against_plain(network, 2)


@pytest.mark.parametrize(
    "network",
    [network for network in NETWORKS if network.parameters == 7][::3]
    + [network for network in NETWORKS if network.parameters > 7],
    ids=lambda n: n.name,
)
def test_quadratic_laws_of_larger_networks(network: MLP) -> None:
    assert sum(find_laws(network, 2).linear.values()) == Plain(network).dimension((1, 2))


@pytest.mark.parametrize(
    "network",
    [network for network in NETWORKS if network.parameters <= 5][::2],
    ids=lambda n: n.name,
)
def test_cubic_laws_are_those_of_the_plain_system(network: MLP) -> None:
    check_against_plain(network, 3)


@pytest.mark.parametrize(
    "network",
    [
        MLP((1, 2, 1), "linear"),
        MLP((1, 1, 1, 1), ("linear", "relu")),
        MLP((1, 1, 1), "linear", "all"),
        MLP((1, 1, 2), "relu", "hidden", "cross_entropy"),
        MLP((2, 1, 1, 1), ("relu", "linear"), "hidden"),
    ],
    ids=lambda n: n.name,
)
def test_quartic_laws_are_those_of_the_plain_system(network: MLP) -> None:
    check_against_plain(network, 4)


# ---- what count and the literature say


def notebook(activation: str) -> list[MLP]:
    """Return the ten networks that the authors' notebook draws for its search for laws."""
    draw = np.random.RandomState(0)
    networks = []
    for _ in range(10):
        depth = draw.randint(2, 4)
        networks.append(MLP(tuple(int(draw.randint(2, 5)) for _ in range(depth + 1)), activation))
    return networks


EXAMPLES = spec.load(str(CONFIGS / "examples.yaml"))


@pytest.mark.parametrize(
    "network",
    [*EXAMPLES.architectures, *notebook("linear"), *notebook("relu")],
    ids=lambda n: n.name,
)
def test_quadratic_laws_are_the_known_ones(network: MLP) -> None:
    """Up to dependence.

    Linearly, one more kind of law exists for widths 1-r-1: ``u_i v_j − u_j v_i``.
    """
    found, row = find_laws(network, 2), count_laws(network)
    rotations = (
        comb(network.widths[1], 2)
        if network.widths[0] == network.widths[2:][0] == 1 and len(network.widths) == 3
        else 0
    )
    if network.activations[0] not in ("linear", "identity"):
        rotations = 0
    assert (found.linear, found.products) == (
        {1: 0, 2: network.known_listed + rotations},
        {1: 0, 2: network.known_listed},
    )
    assert found.independent == found.known == row.known_independent == row.laws
    assert row.laws == EXAMPLES.expected.get(network.name, row.laws)
    assert all(law.known and law.name for law in found.generators)


FAMILIES = [
    a for a in spec.load(str(CONFIGS / "families.yaml")).architectures if a.parameters <= 100
]


@pytest.mark.parametrize("architecture", FAMILIES, ids=lambda a: a.name)
def test_quadratic_laws_are_all_laws_of_other_families(architecture: Architecture) -> None:
    """All but one law that is no polynomial of degree two; circular convolutions have more than the
    known ones.
    """
    found, row = find_laws(architecture, 2), count_laws(architecture)
    assert row.laws is not None
    not_quadratic = {"mixed 1-1-2-2-1": 1, "one random cubic field in dimension 5": 4}
    assert found.independent == row.laws - not_quadratic.get(architecture.name, 0)
    assert found.known == row.known_independent


def test_powers_and_products_of_laws_are_laws() -> None:
    found = find_laws(MLP((3, 3, 3), "linear"), 4)
    assert dict(found.linear) == dict(found.products) == {1: 0, 2: 6, 3: 0, 4: 21}
    assert (found.independent, found.known, found.error_bound) == (6, 6, 0.0)
    assert find_laws(MLP((3, 3, 3), "linear"), 4, homogeneous=True).independent == 6


def test_degree_one_laws_come_first() -> None:
    """Cross-entropy keeps the row sums of U2; one of the six entries of the symmetric matrix
    depends on them and the others.
    """
    found = find_laws(MLP((1, 3, 2), "linear", loss="cross_entropy"), 2)
    assert [law.polynomial.degree for law in found.generators] == [1] * 3 + [2] * 5


def test_a_network_that_never_moves_keeps_every_polynomial() -> None:
    found = find_laws(MLP((2, 1), "relu", "all", "cross_entropy"), 3)
    assert dict(found.linear) == {d: comb(3 + d - 1, d) for d in (1, 2, 3)}
    assert found.independent == 3


def test_the_exceptional_law_is_no_polynomial_of_small_degree() -> None:
    found = find_laws(MLP((1, 2, 2, 1), "linear"), 7)
    assert (
        dict(found.linear) == dict(found.products) == {1: 0, 2: 6, 3: 0, 4: 21, 5: 0, 6: 56, 7: 0}
    )
    assert found.error_bound == 0.0


# ---- laws that are not among the known ones


@pytest.mark.parametrize(
    ("network", "remembered"),
    [
        (MLP((2, 3, 2), "linear"), ()),
        (MLP((2, 3, 2), "linear"), (0, 3, 5)),
        (MLP((2, 3, 2), "linear"), (1,)),
        (MLP((2, 4, 3, 2), "linear"), (2, 11)),
        (MLP((2, 3, 2), "linear", "all"), (4,)),
        (MLP((2, 3, 2, 2), ("relu", "linear"), "all"), (1, 3)),
        (MLP((2, 3, 2), "relu", "hidden"), (1,)),
        (MLP((2, 2, 3), "linear", "hidden", "cross_entropy"), (1, 4)),
        (MLP((2, 2, 3), "relu", "all", "cross_entropy"), ()),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_forgotten_laws_are_found_again(network: MLP, remembered: tuple[int, ...]) -> None:
    """Lifted, verified, carried over the orbits and marked as new."""
    known, found = (
        find_laws(network, 2, basis=True),
        find_laws(forgetful(network, *remembered), 2, basis=True),
    )
    plain = Plain(network)
    new = [law for law in found.generators if not law.known]
    assert (found.linear, found.independent) == (known.linear, known.independent)
    assert (found.known, len(new)) == (len(remembered), known.independent - len(remembered))
    assert sorted(law.index for law in found.generators if law.index is not None) == list(
        range(len(remembered))
    )
    assert all(law.name is None and law.index is None for law in new)
    assert all(
        oracle.is_law(plain.polynomial(law.polynomial.terms), plain.fields, plain.theta.gens)
        for law in found.generators
    )
    assert found.basis is not None
    assert known.basis is not None
    together = [law.polynomial for law in (*found.basis, *known.basis)]
    assert independent(together) == sum(found.linear.values())
    assert sum(law.known for law in found.basis) == sum(found.products.values())
    assert 0 < found.error_bound < 2**-60


def test_found_laws_are_as_simple_as_the_known_ones() -> None:
    """Entries of the balance matrices again, up to sign: the shortest laws of their classes."""
    network = MLP((2, 3, 2), "linear")
    off_diagonal = {
        law.polynomial.terms
        for law in find_laws(network, 2).generators
        if len(law.polynomial.terms) == 4
    }
    found = find_laws(forgetful(network), 2).generators
    assert max(abs(c) for law in found for c, _ in law.polynomial.terms) == 1
    assert {law.polynomial.terms for law in found} >= {
        (Polynomial.of([c for c, _ in terms], [m for _, m in terms])).terms
        for terms in off_diagonal
    }


@pytest.mark.usefixtures("wiring_alone")
def test_laws_of_a_circular_convolution_are_its_autocorrelations() -> None:
    """``Σ_i u_i u_{i+k} − Σ_i v_i v_{i+k}`` for every shift k: one law for each real Fourier
    mode.
    """
    p = 5
    architecture = next(a for a in FAMILIES if a.name == f"circular linear conv1d, p = {p}")
    found = find_laws(architecture, 2)
    assert (dict(found.linear), dict(found.products), found.independent, found.known) == (
        {1: 0, 2: 3},
        {1: 0, 2: 1},
        3,
        1,
    )
    shifts = [
        Polynomial.of(
            [1] * p + [-1] * p, [(s + i, s + (i + k) % p) for s in (0, p) for i in range(p)]
        )
        for k in range(p // 2 + 1)
    ]
    collected = [gathered(law) for law in shifts]
    assert (
        independent([*collected, *(law.polynomial for law in found.generators)])
        == independent(collected)
        == 3
    )


def test_laws_may_mix_degrees() -> None:
    """``F = x u (1 + v) w`` keeps ``u² − (1 + v)²``: around a residual branch, φ is not
    homogeneous.
    """
    text = "{input: 1, layers: [dense: 1, residual: [dense: 1]]}"
    (architecture,) = spec.parse(text, "residual.yaml").architectures
    found = find_laws(architecture, 2)
    assert (dict(found.linear), found.independent, found.known) == ({1: 0, 2: 1}, 1, 1)
    assert [law.polynomial for law in found.generators] == [
        Polynomial(((1, (0, 0)), (-2, (1,)), (-1, (1, 1))))
    ]
    assert find_laws(architecture, 2, homogeneous=True).generators == ()
    assert dict(find_laws(architecture, 4).linear) == {1: 0, 2: 1, 3: 0, 4: 1}


def gathered(polynomial: Polynomial) -> Polynomial:
    """Add up equal monomials."""
    total: Counter[Monomial] = Counter()
    for c, monomial in polynomial.terms:
        total[monomial] += c
    return Polynomial.of(total.values(), total.keys())


# ---- large coefficients, bad primes


@dataclass(frozen=True, slots=True)
class Rotated(GradientFields):
    """``F(Qθ; a)``, where Q is an integer multiple of a rotation of pairs of parameters: laws are
    ``h(Qθ)`` for laws h of F.
    """

    p: int = 1
    q: int = 0

    def gradient(self, over: Ring, theta: NDArray[Any], probes: NDArray[Any]) -> NDArray[Any]:
        inner = GradientFields.gradient(self, over, self._turned(over, theta, 1), probes)
        return self._turned(over, inner, -1)

    def _turned(self, over: Ring, x: NDArray[Any], sign: int) -> NDArray[Any]:
        even, odd, p, q = x[:, ::2], x[:, 1::2], Fraction(self.p), Fraction(self.q)
        turned = np.empty_like(x)
        turned[:, ::2] = over.add(over.scale(even, p), over.scale(odd, sign * q))
        turned[:, 1::2] = over.add(over.scale(odd, p), over.scale(even, -sign * q))
        return turned


class Veil(Operation):
    """Does nothing, and nothing is known of it."""

    keyword = "veil"
    title = "veil"

    def output(self, *inputs: tuple[int, ...]) -> tuple[int, ...]:
        return inputs[0]

    def forward(self, at: Read) -> NDArray[Any]:
        return at.inputs[0]

    def pullback(self, at: Read, delta: NDArray[Any]) -> tuple[Any, ...]:
        return (delta,)

    def wires(self, wiring: Wiring, inputs: Sequence[Wire], arrays: Any) -> Wire:
        return wiring.exponentiated(inputs[0])


@dataclass(frozen=True)
class Turned:
    """A network whose laws have large coefficients, and that knows none of them."""

    network: MLP
    p: int
    q: int

    def __getattr__(self, name: str) -> Any:
        return getattr(self.network, name)

    def laws(self) -> Laws:
        return join([])

    def fields(self) -> GradientFields:
        graph = self.network.graph
        veiled = Node("veiled", Veil(), graph.outputs)
        return Rotated(
            replace(graph, nodes=(*graph.nodes, veiled), outputs=("veiled",)), p=self.p, q=self.q
        )


def turned(network: MLP, p: int, q: int) -> Any:
    return Turned(network, p, q)


def test_large_coefficients_take_several_primes() -> None:
    """u² − v² at (p u + q v, p v − q u): its coefficients p² − q² and 4 p q have far more digits
    than one prime can tell.
    """
    p, q = 3_000_017, 1_234_567
    found = find_laws(turned(MLP((1, 1, 1), "linear"), p, q), 2)
    square, product = p * p - q * q, 4 * p * q
    assert [law.polynomial for law in found.generators] == [
        Polynomial.of([square, product, -square], [(0, 0), (0, 1), (1, 1)])
    ]
    assert max(abs(c) for c, _ in found.generators[0].polynomial.terms) > 2**40
    assert not found.generators[0].known


def test_a_network_without_symmetries_is_searched_whole() -> None:
    found = find_laws(turned(MLP((2, 2, 2), "linear"), 3, 4), 2)
    assert (dict(found.linear), found.independent, found.known) == ({1: 0, 2: 3}, 3, 0)


def primes_then_random(monkeypatch: pytest.MonkeyPatch, primes: Sequence[int]) -> list[int]:
    """Let the search draw these primes first; return the list that what is left of them can be seen
    in.
    """
    left = list(primes)

    def draw(rng: np.random.Generator) -> int:
        return left.pop(0) if left else random_prime(rng)

    monkeypatch.setattr(polynomials, "random_prime", draw)
    monkeypatch.setattr(gradients, "random_prime", draw)
    return left


@pytest.mark.parametrize(
    "network",
    [
        MLP((2, 3, 2), "linear"),
        MLP((2, 2, 2), "linear", "all"),
        forgetful(MLP((2, 2, 2), "linear")),
    ],
    ids=lambda network: network.name,
)
def test_an_unlucky_prime_only_costs_time(network: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Modulo 3 and 5 there are many more solutions; none of them lifts, so the search begins
    again.
    """
    expected = find_laws(network, 3)
    left = primes_then_random(monkeypatch, [3, random_prime(np.random.default_rng(0)), 5])
    found = find_laws(network, 3)
    assert not left
    assert (found.linear, found.independent, found.known) == (
        expected.linear,
        expected.independent,
        expected.known,
    )


def test_nothing_is_reported_if_all_primes_are_unlucky(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polynomials, "random_prime", lambda rng: 3)
    monkeypatch.setattr(gradients, "random_prime", lambda rng: 3)
    with pytest.raises(
        ContradictionError,
        match=r"linear 2-2-2: nullspaces of degree 3 and what lifts from them do not agree",
    ):
        find_laws(MLP((2, 2, 2), "linear"), 3)


def test_a_false_law_stops_the_search() -> None:
    """Laws of another network as known ones."""

    class Wrong(Forgetful):
        def laws(self) -> Laws:
            return MLP(self.network.widths, "linear").laws()

    wrong: Any = Wrong(MLP((2, 2, 2), "relu"))
    with pytest.raises(ContradictionError, match="relu 2-2-2: a known law is not conserved"):
        find_laws(wrong, 2)


def test_a_prime_drawn_twice_tells_nothing_new(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does one modulo which a class has more solutions."""
    p = random_prime(np.random.default_rng(0))
    left = primes_then_random(monkeypatch, [p, p, 3])
    network = turned(MLP((1, 1, 1), "linear"), 3_000_017, 1_234_567)
    assert max(abs(c) for c, _ in find_laws(network, 2).generators[0].polynomial.terms) > 2**40
    assert not left


def test_a_permutation_that_is_wrong_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Laws that are carried over to other neurons are verified like those that were lifted."""
    right = Symmetry.carry

    def wrong(self: Symmetry, source: Any, target: Any) -> Any:
        image = right(self, source, target)
        image[[0, 3]] = image[[3, 0]]
        return image

    monkeypatch.setattr(Symmetry, "carry", wrong)
    with pytest.raises(ContradictionError, match=r"linear 2-3-2: .* is not conserved"):
        find_laws(forgetful(MLP((2, 3, 2), "linear")), 2)


def test_laws_that_get_lost_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many laws are listed as the nullspace has dimensions."""
    lifted = polynomials._Search._lifted
    monkeypatch.setattr(
        polynomials._Search, "_lifted", lambda self, space: list(lifted(self, space))[1:]
    )
    with pytest.raises(ContradictionError, match="and what lifts from them do not agree"):
        find_laws(forgetful(MLP((2, 3, 2), "linear")), 2)


# ---- what is sure, and how sure the rest is

ROOT = CustomMap((), ("u*sqrt(v**2 + w**2)", "v/sqrt(v**2 + w**2)", "w/sqrt(v**2 + w**2)"))
"""Keeps ``u² − v² − w²``."""


def near(x: float, rel: float = 1e-12) -> Any:
    """Return what equals numbers near x; by default any two below 1e-12 are taken for equal."""
    return pytest.approx(x, rel=rel, abs=0)


def begun(architecture: Any, seed: int = 0) -> Any:
    """Return a search that has drawn its prime and its points."""
    rng = np.random.default_rng(seed)
    plan = Plan(Problem(architecture), False, None, rng)
    return polynomials._Search(plan, rng, lambda what, done: None)


@pytest.mark.parametrize("bits", [0, 16, 32, 53, 64, 1000, 100_000])
def test_laws_are_verified_over_the_integers(bits: int) -> None:
    """Multiples of what is no law are none, whatever modulus they vanish at."""
    search = begun(MLP((2, 2, 2), "linear"))
    law = search.known[0].polynomial.terms
    assert search.is_law(Polynomial(tuple((c << bits, m) for c, m in law)))
    assert not search.is_law(Polynomial(tuple((c << bits, m) for c, m in law[1:])))
    assert not search.is_law(Polynomial(((1 << bits, (0, 0)),)))


def test_laws_are_verified_at_all_points() -> None:
    """What is conserved at all but the last of them is no law."""
    search = begun(MLP((2, 2, 2), "linear"))
    assert len(search.points) == 2
    for _, fields, _ in search.points:
        vanishes_there = Polynomial(((fields[1], (0,)), (-fields[0], (1,))))
        assert not search.is_law(vanishes_there)
    search = begun(ROOT)
    moduli = [modulus for _, _, modulus in search.points]
    assert len(set(moduli)) == len(moduli) == 12
    for modulus in moduli:
        assert not search.is_law(Polynomial(((prod(moduli) // modulus, (0, 0)),)))
    assert search.is_law(Polynomial(((1, (0, 0)), (-1, (1, 1)), (-1, (2, 2)))))


def test_integer_points_are_spread_over_62_bits() -> None:
    """Those are the values that the probability of a false law counts."""
    drawn = [x for theta, _, _ in begun(MLP((5, 5, 5), "linear")).points for x in theta]
    assert len(drawn) == len(set(drawn)) == 100
    assert -(2**61) <= min(drawn) < -(2**60)
    assert 2**60 < max(drawn) < 2**61


def test_a_false_law_of_a_network_passes_with_this_probability() -> None:
    """relu 2-3-3-1: F is of degree 3 in θ, 2 + 2 in the probe, so ``⟨∇h, ∇F⟩`` of degree at most
    4 + 2 + 4 for a quartic h, at two points out of 2^62 values each.
    """
    found = begun(MLP((2, 3, 3, 1), "relu"))._false_law(Polynomial(((7, (0, 0, 1, 2)),)))
    assert found == near((10 / 2**62) ** 2, 1e-12)


def test_a_false_law_of_a_map_with_roots_passes_with_this_probability() -> None:
    """Fields of degree 3 with 10 bits in three coordinates, zeros 65 times as likely as those of
    polynomials, half of all primes; ``u² − v² − w²`` has degree 2 and norm 3.

    The degree is (2 + 3) · 65 = 325; the size (log2(2 · 3) + 10 + log2(4)) · 2 = 29.1699 bits. So a
    point misses with a probability of 29.1699/22/268216 + 325/2^22 = 8.24294e-5, and all twelve of
    them with 9.8399e-50.
    """
    search = begun(ROOT)
    size = Complexity(3, 10.0, spread=65.0, primes=268_216 / 2)
    search.fields = replace(search.fields, complexity=size)
    found = search._false_law(Polynomial(((1, (0, 0)), (-1, (1, 1)), (-1, (2, 2)))))
    assert found == near(9.8399e-50, 1e-4)


@pytest.mark.usefixtures("wiring_alone")
def test_what_is_lifted_is_as_sure_as_its_verification() -> None:
    """Three laws of a circular convolution, each of degree 2 against fields of degree 1 in θ and 2
    in the probe; all ranks reach their bounds.
    """
    architecture = next(a for a in FAMILIES if a.name == "circular linear conv1d, p = 4")
    assert find_laws(architecture, 2).error_bound == near(3 * (5 / 2**62) ** 2)
    root = CustomMap((), ("(u + v)*sqrt(w)",))  # keeps u − v
    (law,) = find_laws(root, 1).generators
    assert find_laws(root, 1).error_bound == begun(root)._false_law(law.polynomial) > 0


def test_dependent_known_laws_are_as_sure_as_their_ranks() -> None:
    """linear 1-3-1 keeps 9 quadratic polynomials; gradients of the 6 known and the 3 others have
    rank 5.

    Entries of these gradients, combined at random, have degree 2 and norms up to 2 · 9 · 2 = 36, so
    a trial misses rank 6 with a probability of at most (6 log2(36) + log2(6!)) / 22 / 268216 +
    6 · 2 / 2^22 = 9.72652e-6. Four trials miss it with 8.95002e-21, less than 2^-60, three do not
    suffice. The rank is computed twice, for the known laws and for the generators.
    """
    found = find_laws(MLP((1, 3, 1), "linear"), 2)
    assert (found.linear[2], found.independent) == (9, 5)
    assert found.error_bound == near(1.79000e-20, 1e-5)


def test_dependent_products_are_as_sure_as_their_rank() -> None:
    """linear 1-3-1: of the 56 products of three known laws 55 are independent, since the 3 × 3
    matrix of the laws is singular.

    Laws have norm 2, products of degree 6 have at most 2^6. A trial misses rank 56 with a
    probability of at most (56 · 6 + log2(56!)) / 22 / 268216 + 56 · 6 / 2^22 = 1.79190e-4; five of
    them with 1.84742e-19.
    """
    search = begun(MLP((1, 3, 1), "linear"))
    choices = search.choices(6)
    assert len(choices) == 56
    assert len(search.independent_products(6, choices, 10**6)) == 55
    assert search.error == near(1.84742e-19, 1e-4)
    sure = begun(MLP((1, 3, 1), "linear"))
    assert len(sure.independent_products(6, choices, 55)) == 55
    assert sure.error == 0.0, "there are no more laws than these"


def test_classes_told_apart_by_random_words_are_as_sure_as_these() -> None:
    """relu 7-9-9-2 has 162 parameters, each with a label of its own: 162 classes of degree 1 and
    comb(162, 2) + 1 of degree 2; each pair may have the same two words of 64 bits.
    """
    found = find_laws(MLP((7, 9, 9, 2), "relu"), 2)
    pairs = comb(162, 2) + comb(13042, 2)
    assert found.error_bound == near(pairs / 2**128, 1e-12)


def scripted(search: Any, sizes: Sequence[int], enough: int) -> tuple[list[int], list[int]]:
    """Compute a rank whose trials have these outcomes; return the one kept and the primes used."""
    primes: list[int] = []

    def trial(over: PrimeField) -> list[int]:
        primes.append(over.p)
        return list(range(sizes[min(len(primes), len(sizes)) - 1]))

    return search._largest(trial, enough, 1, 2), primes


def test_a_rank_starts_over_from_a_larger_one() -> None:
    """Entries of degree 1 and norm 2: a trial misses rank 3 with a probability of at most
    (3 + log2(3!)) / 22 / 268216 + 3 / 2^22 = 1.66174e-6, four of them with 7.6252e-24.
    """
    search = begun(MLP((1, 1, 1), "linear"))
    kept, primes = scripted(search, [1, 2], enough=3)
    assert kept == [0, 1]
    assert len(primes) == 1 + 4
    assert search.error == near(7.6252e-24, 1e-4)
    again = begun(MLP((1, 1, 1), "linear"))
    assert scripted(again, [2, 1], enough=3)[0] == [0, 1], "the largest is kept"


def test_a_rank_that_reaches_its_bound_is_sure() -> None:
    search = begun(MLP((1, 1, 1), "linear"))
    kept, primes = scripted(search, [1, 3], enough=3)
    assert (kept, len(primes), search.error) == ([0, 1, 2], 2, 0.0)


@pytest.mark.parametrize("architecture", [MLP((1, 1, 1), "linear"), ROOT], ids=lambda a: a.name)
def test_every_trial_of_a_rank_has_a_prime_of_its_own(architecture: Any) -> None:
    """Any prime of the range, also where few of them have the roots of a map: that the stated
    probability rests on.
    """
    search = begun(architecture)
    primes = [p for _ in range(10) for p in scripted(search, [1], enough=2)[1]]
    assert len(set(primes)) == len(primes) >= 30
    assert search.over.p not in primes
    assert {p % 4 for p in primes} == {1, 3}


def test_searches_share_no_primes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither of two seeds nor of two architectures."""
    drawn: list[int] = []

    def draw(p: int) -> PrimeField:
        drawn.append(p)
        return PrimeField(p)

    monkeypatch.setattr(polynomials, "PrimeField", draw)
    for architecture in (MLP((1, 3, 1), "linear"), MLP((1, 4, 1), "linear"), ROOT):
        for seed in range(3):
            find_laws(architecture, 2, seed=seed)
    # 8 trials of ranks and the search itself, or the search and 12 points.
    assert len(drawn) >= 6 * 9 + 3 * 13
    assert len(set(drawn)) == len(drawn)


# ---- the interface


@pytest.mark.parametrize("degree", [0, -1, MAX_DEGREE + 1, 10**30, 1.5, True, "2"])
def test_degrees_that_are_none(degree: Any) -> None:
    with pytest.raises(
        SpecError, match=re.escape(f"degree: expected an integer from 1 to 40, got {degree}")
    ):
        find_laws(MLP((2, 2, 2), "linear"), degree)


def test_a_search_that_does_not_fit_says_what_does() -> None:
    with pytest.raises(MemoryBudgetError) as caught:
        find_laws(MLP((5, 5, 5), "linear"), 8, memory=1 << 30)
    assert re.fullmatch(
        r"linear 5-5-5: 1916797311 monomials of degree up to 8 need about \S+ GiB, the memory"
        r" budget is 1 GiB; "
        r"degree [45] may fit",
        str(caught.value),
    )
    with pytest.raises(MemoryBudgetError, match="no degree would fit"):
        find_laws(MLP((1000, 1000, 1000), "linear"), 1, memory=1 << 20)


@pytest.mark.parametrize(("bias", "memory"), [(False, 6 << 20), ("all", 400 << 20)])
def test_a_class_that_does_not_fit_is_refused_before_it_is_solved(bias: Any, memory: int) -> None:
    network = MLP((1, 2, 2, 1), "linear", bias)
    with pytest.raises(
        MemoryBudgetError,
        match=r"a class of \d+ monomials of degree 8 need .*; degree [67] may fit",
    ):
        find_laws(
            network, 8, memory=memory, progress=lambda what, done: pytest.fail(f"{what} has begun")
        )


class Begun(Exception):
    """A search has got past all checks."""


def begin(architecture: Any, degree: int, memory: int | None, homogeneous: bool) -> None:
    """Start a search, and stop it as soon as it does something."""

    def stop(what: str, done: float) -> None:
        raise Begun

    find_laws(architecture, degree, homogeneous=homogeneous, memory=memory, progress=stop)


def refusal(architecture: Any, degree: int, memory: int, homogeneous: bool) -> tuple[str, int]:
    """Return why a search is refused, and the degree that may fit."""
    with pytest.raises(MemoryBudgetError) as caught:
        begin(architecture, degree, memory, homogeneous)
    found = re.fullmatch(r"(.*); degree (\d+) may fit", str(caught.value))
    assert found, str(caught.value)
    return found[1], int(found[2])


@pytest.mark.parametrize("homogeneous", [False, True])
@pytest.mark.parametrize(
    "architecture",
    [
        MLP((2, 2, 2), "linear"),
        MLP((2, 2, 2), "relu"),
        MLP((2, 2, 1), "linear"),
        MLP((2, 2, 2), "linear", "all"),
        MLP((3, 3, 3), "linear"),
        MLP((4, 4, 4), "relu", "all"),
        MLP((2, 3), "linear", loss="cross_entropy"),
        MLP((4, 1), "relu", "all", "cross_entropy"),
        CustomMap((), ("x*y + z*w",)),
        CustomMap((), ("u*sqrt(v**2 + w**2)",)),
    ],
    ids=lambda value: value.name,
)
def test_the_degree_that_may_fit_fits(architecture: Any, homogeneous: bool) -> None:
    """And the next one does not: monomials, classes and products of known laws are held against the
    budget at once.
    """
    for memory in (1 << 20, 10 << 20):
        _, fits = refusal(architecture, MAX_DEGREE, memory, homogeneous)
        with pytest.raises(Begun):
            begin(architecture, fits, memory, homogeneous)
        assert refusal(architecture, fits + 1, memory, homogeneous)[1] == fits


@pytest.mark.parametrize(
    ("architecture", "degree", "what"),
    [
        (MLP((4, 4, 4), "relu"), 5, "435897 monomials of degree up to 5"),
        (CustomMap((), ("x*y + z*w",)), 10, "a class of 1000 monomials of degree 10"),
        (
            MLP((4, 1), "relu", "all", "cross_entropy"),
            12,
            "1820 products of known laws of degree 12",
        ),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_every_step_of_a_search_is_held_against_the_budget(
    architecture: Any, degree: int, what: str
) -> None:
    """Numbers by hand: comb(32 + 5, 5) monomials, comb(4 + 10, 10) − 1 in one class, comb(5 + 12 −
    1, 12) products of five laws.
    """
    why, _ = refusal(architecture, degree, 20 << 20, False)
    assert why.startswith(f"{architecture.name}: {what} need about ")


def test_a_budget_stays_the_same_during_a_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """The default is a share of what is free, which becomes less while a search allocates."""
    asked = list[int | None]()

    def free() -> int:
        asked.append(None)
        return 520 << 20 if len(asked) == 1 else 0

    monkeypatch.setattr(budget, "default_memory", free)
    with pytest.raises(MemoryBudgetError, match=r"the memory budget is 520 MiB; degree 15 may fit"):
        begin(CustomMap((), ("x*y + z*w",)), 16, None, False)  # a class of 4844 monomials
    assert len(asked) == 1


def test_one_large_class_reports_how_much_of_it_is_done() -> None:
    seen: list[float] = []

    def note(what: str, done: float) -> None:
        seen.append(done)
        if 0 < done < 1:
            raise Begun

    with pytest.raises(Begun):
        find_laws(CustomMap((), ("x*y + z*w",)), 10, progress=note)
    # A class of 1000 monomials: 511 of the 1003 rows are done, at a share of their square.
    assert seen[-1] == pytest.approx((511 / 1003) ** 2)


def test_progress_rises() -> None:
    seen: list[tuple[str, float]] = []
    find_laws(
        forgetful(MLP((2, 3, 2), "linear")),
        3,
        progress=lambda what, done: seen.append((what, done)),
    )
    assert {what for what, _ in seen} == {"degree 1", "degree 2", "degree 3", "lifting"}
    for what in {what for what, _ in seen}:
        steps = [done for each, done in seen if each == what]
        assert steps == sorted(steps)
        assert all(0 <= done <= 1 for done in steps)


def figures(found: LawSearch) -> Any:
    return found.linear, found.products, found.independent, found.generators, found.basis


def test_the_same_seed_gives_the_same_laws_and_another_one_the_same_figures() -> None:
    network = forgetful(MLP((2, 3, 2), "linear", "hidden"))
    first, again, other = (find_laws(network, 2, basis=True, seed=seed) for seed in (1, 1, 2))
    assert figures(first) == figures(again)
    assert figures(first)[:3] == figures(other)[:3]
    assert (first.seed, other.seed) == (1, 2)


# ---- pieces


POLYNOMIALS = st.dictionaries(
    st.lists(st.integers(0, 2), min_size=1, max_size=3).map(lambda m: tuple(sorted(m))),
    st.integers(-5, 5).filter(bool),
    min_size=1,
    max_size=4,
).map(lambda terms: Polynomial(tuple((c, m) for m, c in sorted(terms.items()))))
GENS = oracle.Parameters(MLP((1, 1, 1, 1), "linear")).gens


def as_sympy(polynomial: Polynomial) -> oracle.Poly:
    return Plain(MLP((1, 1, 1, 1), "linear")).polynomial(polynomial.terms)


@PROPERTY
@given(st.lists(POLYNOMIALS, min_size=1, max_size=3))
def test_products_are_multiplied_out(factors: list[Polynomial]) -> None:
    """Up to content and sign."""
    expected = as_sympy(factors[0])
    for factor in factors[1:]:
        expected *= as_sympy(factor)
    found = as_sympy(Polynomial.product(factors))
    assert expected.primitive()[1] in (found, -found)


@PROPERTY
@given(POLYNOMIALS, st.lists(st.integers(-9, 9), min_size=3, max_size=3))
def test_gradients_are_derivatives(polynomial: Polynomial, theta: list[int]) -> None:
    expected = [oracle.evaluate(g, theta) for g in oracle.gradient(as_sympy(polynomial), GENS)]
    found = polynomial.gradient(theta)
    assert [found.get(e, 0) for e in range(3)] == expected


@PROPERTY
@given(st.integers(1, 5), st.integers(1, 5))
def test_monomials_are_multisets(parameters: int, degree: int) -> None:
    of = [list(combinations_with_replacement(range(parameters), d)) for d in range(1, degree + 1)]
    assert list(map(tuple, monomials(parameters, degree).tolist())) == of[-1]
    padded = [(*m, *[parameters] * (degree - len(m))) for each in of for m in each]
    assert list(map(tuple, monomials_up_to(parameters, degree).tolist())) == padded


@PROPERTY
@given(
    st.sampled_from([n for n in NETWORKS if n.parameters <= 8]), st.integers(1, 4), st.booleans()
)
def test_classes_are_sets_of_odd_labels(network: MLP, degree: int, mixed: bool) -> None:
    found = symmetry(network.fields())
    rows = (
        monomials_up_to(network.parameters, degree)
        if mixed
        else monomials(network.parameters, degree)
    )
    split = classes(rows, found, np.random.default_rng(0))
    labels = [*found.labels.tolist(), []]
    borne = [Counter(x for e in row for x in labels[e] if x != NONE) for row in rows.tolist()]
    odd = [sorted(label for label, n in each.items() if n % 2) for each in borne]
    of_class = [split.labels(index).tolist() for index in range(len(split.members))]
    assert all(
        odd[member] == of_class[index]
        for index in range(len(split.members))
        for member in split.members[index]
    )
    assert len(set(map(tuple, of_class))) == len(of_class)
    kinds = [tuple(sorted(found.kinds[each].tolist())) for each in of_class]
    assert all(
        len({kinds[index] for index in split.orbits[orbit]}) == 1
        for orbit in range(len(split.orbits))
    )
    assert len(set(kinds)) == len(split.orbits)
    assert split.error_bound == 0.0


@PROPERTY
@given(
    st.sampled_from([n for n in NETWORKS if n.parameters <= 8]), st.integers(1, 5), st.booleans()
)
def test_the_largest_class_is_counted_without_listing(
    network: MLP, degree: int, up_to: bool
) -> None:
    found = symmetry(network.fields())
    list_them = monomials_up_to if up_to else monomials
    split = classes(list_them(network.parameters, degree), found, np.random.default_rng(0))
    assert largest_class(found, degree, up_to) == split.sizes.max()


def test_classes_under_many_independent_labels_are_not_counted() -> None:
    """ReLU networks without biases have a label for each parameter."""
    assert largest_class(symmetry(MLP((2, 4, 1), "relu").fields()), 2, False) == 12
    assert largest_class(symmetry(MLP((1, 6, 1), "relu").fields()), 2, False) == 12
    assert largest_class(symmetry(MLP((1, 7, 1), "relu").fields()), 2, False) is None


def test_many_labels_are_told_apart_by_random_words() -> None:
    network = MLP((7, 9, 9, 2), "relu")
    found = symmetry(network.fields())
    split = classes(monomials(network.parameters, 2), found, np.random.default_rng(0))
    assert len(found.kinds) > 128
    assert 0 < split.error_bound < 2**-90
    assert len(split.members) == comb(network.parameters, 2) + 1
    assert (
        odd_labels(split.monomials[split.members[0]], found).max() == NONE
        or len(split.members[0]) == 1
    )


def test_up_to_128_labels_are_told_apart_by_their_own_bits() -> None:
    """relu 5-8-8-2 has 120 parameters, each with a label of its own, besides one for the biases of
    each layer.
    """
    network = MLP((5, 8, 8, 2), "relu")
    split = classes(
        monomials(network.parameters, 2), symmetry(network.fields()), np.random.default_rng(0)
    )
    assert (len(split.members), split.error_bound) == (comb(120, 2) + 1, 0.0)


def test_points_with_a_zero_are_drawn_again() -> None:
    """Equations divide by the coordinates."""

    @dataclass
    class Zeros:
        """Fields whose first points lie on coordinate planes."""

        left: int
        everywhere: bool = False

        def at(self, field: PrimeField, rng: np.random.Generator) -> tuple[Any, Array]:
            there, theta = ROOT.fields().at(field, rng)
            self.left -= 1
            if self.left >= 0:
                theta[0, self.left, 0] = 0
            return there, theta

    fields: Any = Zeros(3)
    theta, values = scattered(fields, FIELD, np.random.default_rng(0), 4)
    assert fields.left == -4
    assert theta.shape == values.shape == (4, 3)
    assert theta.all()


@PROPERTY
@given(st.integers(0, 10**6), st.sampled_from([1, 2, 7, 30]))
def test_inverses(seed: int, size: int) -> None:
    x: Array = FIELD.random(np.random.default_rng(seed), (3, size))
    x[x == 0] = 1
    assert (FIELD.reduce(inverses(FIELD, x) * x) == 1).all()


@PROPERTY
@given(
    st.integers(0, 10**6),
    st.sampled_from([n for n in NETWORKS if n.parameters <= 6]),
    st.integers(1, 4),
)
def test_equations_are_derivatives_of_monomials_along_fields(
    seed: int, network: MLP, degree: int
) -> None:
    """Against exact integers, where θ and the probe are the representatives of the residues."""
    points = Points.draw(network.fields(), FIELD, np.random.default_rng(seed), 2)
    rows = monomials_up_to(network.parameters, degree)
    gradient = FIELD.reduce(points.theta * points.ratio)[:, :-1].astype(int)
    for k, row in enumerate(points.equations(rows, 2).astype(int).tolist()):
        theta = points.theta[k].astype(int).tolist()
        for value, monomial in zip(row, rows.tolist(), strict=True):
            change = Polynomial(
                ((1, tuple(e for e in monomial if e < network.parameters)),)
            ).gradient(theta)
            assert (sum(x * int(gradient[k, e]) for e, x in change.items()) - value) % FIELD.p == 0


@PROPERTY
@given(st.integers(0, 10**6), st.sampled_from([n for n in NETWORKS if n.parameters <= 6]))
def test_points_carry_the_gradient_of_the_network(seed: int, network: MLP) -> None:
    """The same draws, over the integers."""
    fields = network.fields()
    points = Points.draw(fields, FIELD, np.random.default_rng(seed), 1)
    rng = np.random.default_rng(seed)
    FIELD.random(rng, (1, fields.dimension))
    probe = fields.sample(FIELD, rng, 1).astype(int).astype(object)
    theta = points.theta[:, :-1].astype(int).astype(object)
    (expected,) = fields.gradient(Exact(), theta, probe)
    found = (points.theta * points.ratio)[0, :-1]
    assert all((int(x) - int(y)) % FIELD.p == 0 for x, y in zip(found, expected, strict=True))
    assert points.theta[:, -1].tolist() == [1]
    assert points.ratio[:, -1].tolist() == [0]


FRACTIONS = st.builds(Fraction, st.integers(-1000, 1000), st.integers(1, 1000))


@PROPERTY
@given(FRACTIONS)
def test_fractions_are_reconstructed(x: Fraction) -> None:
    modulus = 8388593
    assert reconstruct(x.numerator * pow(x.denominator, -1, modulus) % modulus, modulus) == x


@PROPERTY
@given(st.integers(0, 8388592))
def test_what_is_reconstructed_has_the_residue(residue: int) -> None:
    found = reconstruct(residue, 8388593)
    if found is not None:
        assert (found.numerator - residue * found.denominator) % 8388593 == 0
        assert max(abs(found.numerator), found.denominator) <= 2047


@PROPERTY
@given(st.lists(FRACTIONS, min_size=1, max_size=4))
def test_rows_lift_from_two_primes(row: list[Fraction]) -> None:
    """Chinese remainders: two primes of seven digits tell fractions of six digits apart."""
    scaled = [x * 997 for x in row]
    primes = 8388593, 8388587
    residues = [[int(x.numerator * pow(x.denominator, -1, p)) % p for x in scaled] for p in primes]
    both = combine([residues[0]], primes[0], [residues[1]], primes[1])
    lifted = rational(both, primes[0] * primes[1])
    assert lifted is not None
    pairs = list(zip(lifted[0], scaled, strict=True))
    assert all(a * y == b * x for (a, x), (b, y) in product(pairs, pairs))
    assert any(lifted[0]) == any(scaled)


def test_short_vectors_span_the_same_lattice() -> None:
    vectors = [[1, 0, 0, 100], [0, 1, 0, 101], [0, 0, 1, -1]]
    found = short(vectors)
    assert max(abs(x) for row in found for x in row) <= 100 // 2
    both = DomainMatrix([[QQ(x) for x in row] for row in (*vectors, *found)], (6, 4), QQ)
    assert both.rank() == 3
    assert short([[2, 4]]) == [[2, 4]]
