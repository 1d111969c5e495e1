"""Polynomial laws as text: literals, and code that is run and held against the laws it was made
from.
"""

# ruff: noqa: E501 - texts are compared as literals, one line to a line.

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy
from forgetful import Forgetful, forgetful
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from conslaw_cli import __version__
from conslaw_cli.algebra.rings import Exact
from conslaw_cli.errors import ContradictionError, SpecError
from conslaw_cli.families.formulas.custom import CustomMap
from conslaw_cli.families.mlp import MLP
from conslaw_cli.formats.laws import NAMES, Result, render
from conslaw_cli.laws.polynomials import find_laws
from conslaw_cli.laws.values import Polynomial
from conslaw_cli.lie.count import count_laws
from conslaw_cli.networks.gradients import GradientFields
from conslaw_cli.networks.tex import symbol
from conslaw_cli.networks.wiring import Array
from conslaw_cli.specs import spec

FAMILIES = spec.load(str(Path(__file__).parents[2] / "configs" / "families.yaml")).architectures
MIXED_DEGREES = "{input: 2, layers: [dense: 2, residual: [dense: 2]]}"


def named(name: str) -> Any:
    return next(each for each in FAMILIES if each.name == name)


ARCHITECTURES: list[Any] = [
    MLP((3, 4, 2), "linear"),
    MLP((1, 3, 1), "linear"),
    MLP((1, 2, 2, 1), "linear", "all"),
    MLP((2, 3, 2, 2), ("relu", "linear"), "hidden"),
    MLP((3, 3, 3, 3), "linear"),
    MLP((2, 3, 2), "relu", "all", "cross_entropy"),
    MLP((1, 3, 2), "linear", loss="cross_entropy"),
    MLP((2, 1), "relu", "all", "cross_entropy"),
    MLP((1, 1, 1), "linear"),
    MLP((2, 2), "linear"),
    forgetful(MLP((2, 3, 2), "linear"), 0, 1, 3),
    forgetful(MLP((2, 3, 2), "relu", "hidden")),
    *spec.parse(MIXED_DEGREES, "x.yaml").architectures,
    *(
        each
        for each in FAMILIES
        if each.parameters <= 100 and isinstance(each.fields(), GradientFields)
    ),
]
every = pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda each: each.name)


@cache
def result(architecture: Any, degree: int = 2, **options: Any) -> Result:
    return Result(find_laws(architecture, degree, **options), count_laws(architecture))


def gradients(architecture: Any) -> GradientFields:
    fields = architecture.fields()
    assert isinstance(fields, GradientFields)
    return fields


def values(laws: list[Polynomial], theta: list[int]) -> list[int]:
    return [
        sum(c * int(np.prod([theta[e] for e in m], dtype=object)) for c, m in law.terms)
        for law in laws
    ]


def executed(text: str) -> dict[str, Any]:
    scope: dict[str, Any] = {}
    exec(compile(text, "generated", "exec"), scope)
    return scope


def random_integers(size: int, seed: int) -> list[int]:
    return [int(x) for x in np.random.default_rng(seed).integers(-100, 100, size=size)]


# ---- text


def test_text_of_a_linear_network() -> None:
    assert (
        render("text", [result(MLP((3, 4, 2), "linear"))])
        == """\
linear 3-4-2: 20 parameters, laws of degree up to 2
  linearly independent: 0 of degree 1, 10 of degree 2
  functionally independent: 10 (10 known, 0 new)
  laws in all: 10 (proved); all of them are found

  U1ᵀU1 − U2U2ᵀ = const   (4×4 symmetric, 10 laws)

U1[i,j] leads from unit i to unit j of the next layer (x ↦ x U1 U2 …, row vectors).
"""
    )


def test_text_of_a_relu_network_with_biases_and_cross_entropy() -> None:
    assert (
        render("text", [result(MLP((2, 3, 2), "relu", "all", "cross_entropy"))])
        == """\
relu 2-3-2 bias=all cross_entropy: 17 parameters, laws of degree up to 2
  linearly independent: 4 of degree 1, 13 of degree 2
  functionally independent: 7 (7 known, 0 new)
  laws in all: 7 (proved); all of them are found
  complete: φ is a monomial map, so all laws are functions of those of degree up to 2

  diag(U1ᵀU1 + b1ᵀb1 − U2U2ᵀ) = const   (3×3 diagonal, 3 laws)
  U2·1 = const   (3 row sums, 3 laws)
  b2·1 = const   (1 sum, 1 law)

U1[i,j] leads from unit i to unit j of the next layer (x ↦ x U1 U2 …, row vectors).
b1[j] is the bias of unit j.
"""
    )


def test_text_of_dependent_laws() -> None:
    text = render("text", [result(MLP((1, 3, 1), "linear"))])
    assert (
        re.sub(r"2\^-\d+", "2^-N", text)
        == """\
linear 1-3-1: 6 parameters, laws of degree up to 2
  linearly independent: 0 of degree 1, 9 of degree 2
  of these, not polynomials in the known laws: 3 of degree 2
  functionally independent: 5 (5 known, 0 new)
  laws in all: 5 (proved); all of them are found
  the numbers of polynomial laws rest on random trials: one is wrong with a probability below 2^-N

  U1ᵀU1 − U2U2ᵀ = const   (3×3 symmetric, 6 entries, 5 independent)

U1[i,j] leads from unit i to unit j of the next layer (x ↦ x U1 U2 …, row vectors).
"""
    )


@pytest.mark.usefixtures("wiring_alone")
def test_text_of_new_laws() -> None:
    text = render("text", [result.__wrapped__(named("circular linear conv1d, p = 4"))])
    assert (
        re.sub(r"2\^-\d+", "2^-N", text)
        == """\
circular linear conv1d, p = 4: 8 parameters, laws of degree up to 2
  linearly independent: 0 of degree 1, 3 of degree 2
  of these, not polynomials in the known laws: 2 of degree 2
  functionally independent: 3 (1 known, 2 new)
  laws in all: 3 (proved); all of them are found
  the numbers of polynomial laws rest on random trials: one is wrong with a probability below 2^-N

  U1ᵀU1 − Σ U2U2ᵀ = const   (1×1 symmetric, 1 law)
  U1[1,1,1]·U1[1,3,1] + U1[1,2,1]·U1[1,4,1] − U2[1,1,1]·U2[1,3,1] − U2[1,2,1]·U2[1,4,1] = const   (new)
  U1[1,1,1]·U1[1,2,1] + U1[1,1,1]·U1[1,4,1] + U1[1,2,1]·U1[1,3,1] + U1[1,3,1]·U1[1,4,1] − U2[1,1,1]·U2[1,2,1] − U2[1,1,1]·U2[1,4,1] − U2[1,2,1]·U2[1,3,1] − U2[1,3,1]·U2[1,4,1] = const   (new)

U1[i,j] leads from unit i to unit j of the next layer (x ↦ x U1 U2 …, row vectors).
Kernels: U1[i,t,j] leads from channel i at position t of the kernel to channel j.
new: independent of the known laws.
"""
    )


def test_text_of_a_missing_law_and_a_basis() -> None:
    text = render(
        "text",
        [
            result(MLP((1, 1, 2, 2, 1), ("relu", "linear", "linear"), name="missing"), 1),
            result(MLP((1, 1, 2), "linear"), basis=True),
        ],
    )
    assert (
        text
        == """\
missing: 9 parameters, laws of degree 1
  linearly independent: 0 of degree 1
  functionally independent: 0 (0 known, 0 new)
  laws in all: 8 (proved); 8 of them are no polynomials of degree 1
  a higher degree may find more: --degree 2; laws that are no polynomials are not searched

linear 1-1-2: 3 parameters, laws of degree up to 2
  linearly independent: 0 of degree 1, 1 of degree 2
  functionally independent: 1 (1 known, 0 new)
  laws in all: 1 (proved); all of them are found
  complete: φ is a monomial map, so all laws are functions of those of degree up to 2

  U1ᵀU1 − U2U2ᵀ = const   (1×1 symmetric, 1 law)

  A linear basis:
    (U1ᵀU1 − U2U2ᵀ)[1,1] = U1[1,1]² − U2[1,1]² − U2[1,2]²

U1[i,j] leads from unit i to unit j of the next layer (x ↦ x U1 U2 …, row vectors).
"""
    )


def test_one_law_that_is_no_polynomial() -> None:
    assert "laws in all: 7 (proved); 1 of them is no polynomial of degree up to 2\n" in render(
        "text", [result(MLP((1, 2, 2, 1), "linear"))]
    )
    assert "laws of degree 4\n" in render(
        "text", [result(MLP((1, 2, 2, 1), "linear"), 4, homogeneous=True)]
    )


def test_text_of_a_root_of_known_laws() -> None:
    """The determinant of [U1; U2ᵀ], whose square is one of the balance matrix."""
    text = render(
        "text",
        [
            result(MLP((1, 2, 1), "linear"), 2, homogeneous=True),
            result(MLP((2, 3, 1), "linear"), 3, homogeneous=True),
        ],
    )
    assert re.sub(r"2\^-\d+", "2^-N", text).split("\n\n")[2:4] == [
        """\
linear 2-3-1: 9 parameters, laws of degree 3
  linearly independent: 1 of degree 3
  of these, not polynomials in the known laws: 1 of degree 3
  functionally independent: 1 (1 known, 0 new)
  laws in all: 6 (proved); 5 of them are no polynomials of degree 3
  without --homogeneous laws of lower degrees are found too
  the numbers of polynomial laws rest on random trials: one is wrong with a probability below 2^-N""",
        (
            "  U1[1,1]·U1[2,2]·U2[3,1] − U1[1,1]·U1[2,3]·U2[2,1] − U1[1,2]·U1[2,1]·U2[3,1] +"
            " U1[1,2]·U1[2,3]·U2[1,1] + U1[1,3]·U1[2,1]·U2[2,1] − U1[1,3]·U1[2,2]·U2[1,1] = const  "
            " (a function of the known laws)"
        ),
    ]


@pytest.mark.parametrize(
    "own",
    [
        "phi: (b1 + c1)**2 + b1 + c1",
        "phi: (U1 + bias)**3 - U1 - bias",
        "phi: 'b*c, b**2 + U1**3'",  # no law
        "fields: [[b, -a]]\n",
        "fields: {variables: [U1, b], components: [['-U1', U1]]}",
    ],
)
def test_laws_of_ones_own_map_are_found_and_have_no_legend(own: str) -> None:
    """No theory lists laws of them, and they have no arrays whose entries a legend explains."""
    architecture: Any = spec.parse(own, "x.yaml").architectures[0]
    found = result(architecture, basis=True)
    text = render("text", [found])
    assert text.count("   (found)") == found.search.independent == found.count.laws
    assert f"functionally independent: {found.search.independent} found\n" in text
    for word in ("new", "known", "bias of unit", "leads from", "Kernels"):
        assert word not in text.partition("\n")[2]
    assert render("latex", [found]).count(r"(\text{found})") == found.search.independent
    assert "new" not in render("sympy", [found])


def test_laws_beyond_those_that_a_theory_lists_are_new() -> None:
    """Also of one's own map: φ = s² + s for s = x + y has one law beside that of the idle variable
    u, which the theory lists.
    """
    monomial = result(CustomMap.from_text("x*y, x**2*y**2"))
    assert "functionally independent: 1 (1 known, 0 new)" in render("text", [monomial])
    idle = result(CustomMap(("x", "y", "u"), ("(x + y)**2 + x + y",)))
    text = render("text", [idle])
    assert "(1 known, " in text
    assert "(new)" in text
    assert "(found)" not in text
    assert text.endswith("\nnew: independent of the known laws.\n")


def test_what_to_try_next_where_laws_are_missing() -> None:
    cubes = CustomMap.from_text("u**3 - v**3")  # 1/u + 1/v is conserved
    for degree in (2, 3):
        text = render("text", [result(cubes, degree)])
        assert f"1 of them is no polynomial of degree up to {degree}\n" in text
        assert f"--degree {degree + 1}; --rational looks for laws that are no polynomials\n" in text
    last = render("text", [result(cubes, 40)])
    assert "--degree" not in last
    assert "  --rational looks for laws that are no polynomials\n" in last
    assert "not searched" not in render("text", [result(MLP((2, 2, 2), "linear"))])


def test_conventions_are_stated_once() -> None:
    text = render(
        "text",
        [
            result(MLP((3, 4, 2), "linear")),
            result(MLP((2, 3, 2), "relu", "all")),
            result(named("attention (4, 1, 4)")),
        ],
    )
    assert [line for line in text.splitlines() if "leads from" in line] == [
        "U1[i,j] leads from unit i to unit j of the next layer (x ↦ x U1 U2 …, row vectors).",
        "Q1[i,j] leads from unit i to unit j of the next layer (x ↦ x Q1 K1, row vectors).",
    ]
    assert text.count("b1[j] is the bias of unit j.") == 1


def test_large_networks_stay_readable() -> None:
    """D = 235, 109 laws."""
    text = render("text", [result(MLP((8, 9, 8, 7, 5), "linear"))])
    assert [line for line in text.splitlines() if "const" in line] == [
        "  U1ᵀU1 − U2U2ᵀ = const   (9×9 symmetric, 45 laws)",
        "  U2ᵀU2 − U3U3ᵀ = const   (8×8 symmetric, 36 laws)",
        "  U3ᵀU3 − U4U4ᵀ = const   (7×7 symmetric, 28 laws)",
    ]


@every
def test_no_line_is_wider_than_the_terminal(architecture: Any) -> None:
    found = [result(architecture, basis=True)]
    wide, narrow = render("text", found), render("text", found, width=70)
    assert all(
        len(line) <= 70 or not re.search(r"\s", line.strip()) for line in narrow.splitlines()
    )
    assert narrow.split() == wide.split()


def test_names_are_one_line() -> None:
    for name in NAMES:
        text = render(name, [result(MLP((1, 1, 1), "linear", name='a\nb"""\\x\ud800 % \u2028'))])
        assert "\ud800" not in text
        if name in ("sympy", "python"):
            executed(text)
        if name in ("text", "latex"):
            assert text.count("\n") == render(name, [result(MLP((1, 1, 1), "linear"))]).count("\n")


# ---- JSON


def test_json_has_these_keys() -> None:
    found = result(MLP((1, 1, 2), "linear"), basis=True)
    assert json.loads(render("json", [found])) == {
        "schema": "conslaw.laws/1",
        "results": [
            {
                "name": "linear 1-1-2",
                "activation": "linear",
                "widths": [1, 1, 2],
                "bias": False,
                "loss": "mse",
                "degree": 2,
                "homogeneous": False,
                "linear": {"1": 0, "2": 1},
                "products": {"1": 0, "2": 1},
                "independent": 1,
                "known": 1,
                "new": 0,
                "laws": 1,
                "not_polynomial": 0,
                "complete": True,
                "error_bound": None,
                "parameters": ["U1[1,1]", "U2[1,1]", "U2[1,2]"],
                "generators": [
                    {
                        "name": "(U1ᵀU1 − U2U2ᵀ)[1,1]",
                        "known": True,
                        "new": False,
                        "degree": 2,
                        "terms": [
                            {"coefficient": 1, "exponents": {"U1[1,1]": 2}},
                            {"coefficient": -1, "exponents": {"U2[1,1]": 2}},
                            {"coefficient": -1, "exponents": {"U2[1,2]": 2}},
                        ],
                    }
                ],
                "basis": [
                    {
                        "name": "(U1ᵀU1 − U2U2ᵀ)[1,1]",
                        "known": True,
                        "new": False,
                        "degree": 2,
                        "terms": [
                            {"coefficient": 1, "exponents": {"U1[1,1]": 2}},
                            {"coefficient": -1, "exponents": {"U2[1,1]": 2}},
                            {"coefficient": -1, "exponents": {"U2[1,2]": 2}},
                        ],
                    }
                ],
                "seed": 0,
                "version": __version__,
                "seconds": found.search.seconds,
            }
        ],
    }


@pytest.mark.usefixtures("wiring_alone")
def test_json_of_new_and_missing_laws() -> None:
    text = render(
        "json",
        [
            result.__wrapped__(named("circular linear conv1d, p = 4")),
            result(MLP((1, 2, 2, 1), "linear"), 1),
        ],
    )
    circular, exceptional = json.loads(text)["results"]
    assert (circular["known"], circular["new"], circular["complete"], circular["basis"]) == (
        1,
        2,
        True,
        None,
    )
    assert (circular["input"], circular["loss"]) == ([1, 4], "mse")
    assert [(law["name"], law["known"], law["new"]) for law in circular["generators"]] == [
        ("(U1ᵀU1 − Σ U2U2ᵀ)[1,1]", True, False),
        (None, False, True),
        (None, False, True),
    ]
    assert 0 < circular["error_bound"] < 2**-60
    assert (exceptional["laws"], exceptional["not_polynomial"], exceptional["complete"]) == (
        7,
        7,
        False,
    )


@every
def test_json_holds_the_laws(architecture: Any) -> None:
    """Evaluated by name from the JSON alone."""
    found = result(architecture, basis=True)
    (row,) = json.loads(render("json", [found]))["results"]
    theta = random_integers(len(row["parameters"]), 1)
    point = dict(zip(row["parameters"], theta, strict=True))

    def value(law: Any) -> int:
        return sum(
            int(t["coefficient"])
            * int(np.prod([point[x] ** k for x, k in t["exponents"].items()], dtype=object))
            for t in law["terms"]
        )

    assert found.search.basis is not None
    assert list(map(value, row["generators"])) == values(
        [law.polynomial for law in found.search.generators], theta
    )
    assert list(map(value, row["basis"])) == values(
        [law.polynomial for law in found.search.basis], theta
    )


# ---- LaTeX


@pytest.mark.usefixtures("wiring_alone")
def test_latex_literally() -> None:
    assert render(
        "latex", [result(MLP((1, 3, 1), "linear", "hidden", "cross_entropy", name="100% frozen"))]
    ).splitlines()[:6] == [
        r"% Needs \usepackage{amsmath}; \allowdisplaybreaks lets long lists break.",
        "% 100% frozen: 9 parameters, laws of degree up to 2",
        "% A functionally independent generating set.",
        r"\begin{gather*}",
        r"\theta = \mathrm{const} \qquad (\text{9 entries, 9 laws})",
        r"\end{gather*}",
    ]
    assert (
        render("latex", [result.__wrapped__(named("circular linear conv1d, p = 3"), basis=True)])
        == r"""% Needs \usepackage{amsmath}; \allowdisplaybreaks lets long lists break.
% circular linear conv1d, p = 3: 6 parameters, laws of degree up to 2
% A functionally independent generating set.
\begin{gather*}
U_{1}^\top U_{1} - \textstyle\sum U_{2} U_{2}^\top = \mathrm{const} \qquad (\text{1$\times$1 symmetric, 1 law}) \\
\begin{aligned}
& (U_{1})_{1,1,1} (U_{1})_{1,2,1} + (U_{1})_{1,1,1} (U_{1})_{1,3,1} + (U_{1})_{1,2,1} (U_{1})_{1,3,1} - (U_{2})_{1,1,1} (U_{2})_{1,2,1} \\
& {} - (U_{2})_{1,1,1} (U_{2})_{1,3,1} - (U_{2})_{1,2,1} (U_{2})_{1,3,1} = \mathrm{const}
\end{aligned} \qquad (\text{new})
\end{gather*}
% A linear basis.
\begin{gather*}
(U_{1})_{1,1,1}^{2} + (U_{1})_{1,2,1}^{2} + (U_{1})_{1,3,1}^{2} - (U_{2})_{1,1,1}^{2} - (U_{2})_{1,2,1}^{2} - (U_{2})_{1,3,1}^{2} = \mathrm{const} \\
\begin{aligned}
& (U_{1})_{1,1,1} (U_{1})_{1,2,1} + (U_{1})_{1,1,1} (U_{1})_{1,3,1} + (U_{1})_{1,2,1} (U_{1})_{1,3,1} - (U_{2})_{1,1,1} (U_{2})_{1,2,1} \\
& {} - (U_{2})_{1,1,1} (U_{2})_{1,3,1} - (U_{2})_{1,2,1} (U_{2})_{1,3,1} = \mathrm{const}
\end{aligned}
\end{gather*}
"""
    )


@every
def test_latex_is_balanced(architecture: Any) -> None:
    """Braces, environments and rows: an empty display or a trailing row would not compile or leave
    a gap.
    """
    text = "\n".join(
        line
        for line in render("latex", [result(architecture, basis=True)]).splitlines()
        if not line.startswith("%")
    )
    depth = 0
    for character in text:
        depth += {"{": 1, "}": -1}.get(character, 0)
        assert depth >= 0
    assert depth == 0
    assert re.findall(r"\\begin{gather\*}(.*?)\\end{gather\*}", text, re.DOTALL).count("\n") == 0
    assert text.count(r"\begin{") == text.count(r"\end{")
    assert not re.search(r"\\\\\s*\\end", text)


# ---- Python and SymPy


@every
def test_python_computes_the_laws(architecture: Any) -> None:
    """Exactly, in integers, up to the constants of matrices such as I + U."""
    found = result(architecture)
    function = executed(render("python", [found]))["laws"]
    zero = function(np.zeros(len(found.search.parameters), dtype=int))
    for seed in range(3):
        theta = random_integers(len(found.search.parameters), seed)
        computed = function(np.array(theta))
        assert computed.shape == (found.search.independent,)
        expected = values([law.polynomial for law in found.search.generators], theta)
        assert sorted((computed - zero).tolist()) == sorted(expected)


@every
def test_python_is_conserved(architecture: Any) -> None:
    """Derivatives of what it returns, Im laws(θ + i h e) / h, are orthogonal to gradients of the
    network.
    """
    function, net = (
        executed(render("python", [result(architecture)]))["laws"],
        gradients(architecture),
    )
    rng = np.random.default_rng(0)
    theta = rng.normal(size=net.dimension)
    tiny = 1e-30
    jacobian: NDArray[np.float64] = np.array(
        [function(theta + 1j * tiny * e).imag / tiny for e in np.eye(net.dimension)]
    )
    found = net.gradient(Exact(), theta[None], rng.normal(size=(5, net.graph.probe_size)))
    assert np.abs(found @ jacobian).max(initial=0) < 1e-9 * max(1.0, np.abs(found).max(initial=0))
    if architecture.known_listed and np.abs(found).max() > 0:
        shifted = jacobian + np.eye(*jacobian.shape)
        assert np.abs(found @ shifted).max() > 1e-3, "the check can fail"


def test_python_literally() -> None:
    assert (
        render(
            "python", [result(MLP((3, 4, 2), "linear")), result(MLP((2, 3, 2), "relu", "hidden"))]
        )
        == '''\
import numpy as np


def laws_1(theta):
    """linear 3-4-2: 20 parameters, laws of degree up to 2.

    Return 10 functionally independent quantities that training by gradient flow keeps.
    theta: 20 numbers, the entries of U1 (3 × 4), U2 (4 × 2), each row by row;
    U1[i, j] leads from unit i to unit j of the next layer; units are counted from 0 here.
    From PyTorch's layers, whose weights have the outputs first:
        parts = [x for layer in layers for x in (layer.weight.movedim(0, -1), layer.bias) if x is not None]
        theta = torch.cat([x.flatten() for x in parts]).detach().numpy()
    """
    theta = np.asarray(theta)
    U1 = theta[0:12].reshape(3, 4)
    U2 = theta[12:20].reshape(4, 2)
    return np.concatenate([
        (U1.T @ U1 - U2 @ U2.T)[np.triu_indices(4)],
    ])


def laws_2(theta):
    """relu 2-3-2 bias: 17 parameters, laws of degree up to 2.

    Return 3 functionally independent quantities that training by gradient flow keeps.
    theta: 15 numbers, the entries of U1 (2 × 3), b1 (3), U2 (3 × 2), each row by row;
    U1[i, j] leads from unit i to unit j of the next layer; units are counted from 0 here.
    From PyTorch's layers, whose weights have the outputs first:
        parts = [x for layer in layers for x in (layer.weight.movedim(0, -1), layer.bias) if x is not None]
        theta = torch.cat([x.flatten() for x in parts]).detach().numpy()
    """
    theta = np.asarray(theta)
    U1 = theta[0:6].reshape(2, 3)
    b1 = theta[6:9].reshape(3)
    U2 = theta[9:15].reshape(3, 2)
    return np.concatenate([
        (U1**2).sum(axis=0) + b1**2 - (U2**2).sum(axis=1),
    ])
'''.replace("bias: 17 parameters", "bias: 15 parameters")
    )


@pytest.mark.parametrize(
    "architecture",
    [each for each in ARCHITECTURES if not isinstance(each, Forgetful)],
    ids=lambda each: each.name,
)
def test_families_are_computed_as_matrices(architecture: Any) -> None:
    """No family of known laws is written out entry by entry, but autocorrelations."""
    found = result(architecture)
    correlated = any("⋆" in each.family.text for each in found.families)
    written_out = "\n        [\n" in render("python", [found])
    assert written_out == (correlated or bool(found.others))


TENSORS = {
    "train": CustomMap(
        (),
        ("einsum(ia,ajb,bk->ijk; U, V, W)",),
        arrays={"U": (2, 2), "V": (2, 3, 2), "W": (2, 2)},
    ),
    "core": CustomMap(
        (),
        ("einsum(ia,jb,kc,abc->ijk; U, V, W, G)",),
        arrays={"U": (2, 2), "V": (2, 2), "W": (2, 2), "G": (2, 2, 2)},
    ),
    "vectors": CustomMap((), ("einsum(i,j->ij; u, v)",), arrays={"u": (2,), "v": (3,)}),
}


@pytest.mark.parametrize("name", TENSORS)
def test_matrices_of_formulas_are_computed_as_they_are_meant(name: str) -> None:
    """Arrays with the units along any axis."""
    found = result(TENSORS[name])
    theta = random_integers(TENSORS[name].parameters, 3)
    computed = executed(render("python", [found]))["laws"](theta)
    expected = values([law.polynomial for law in found.search.generators], theta)
    assert sorted(map(abs, computed.tolist())) == sorted(map(abs, expected))
    assert ("\n        [\n" in render("python", [found])) == (name == "vectors")


@pytest.mark.parametrize(
    "architecture",
    [each for each in ARCHITECTURES if each.parameters <= 40],
    ids=lambda each: each.name,
)
def test_sympy_defines_the_laws(architecture: Any) -> None:
    """As expressions whose derivatives are orthogonal to gradients of the network, over the
    integers.
    """
    found, net = result(architecture, basis=True), gradients(architecture)
    scope = executed(render("sympy", [found]))
    symbols, laws = scope["theta"], scope["laws"]
    assert found.search.basis is not None
    theta = random_integers(net.dimension, 2)
    point = dict(zip(symbols, map(sympy.Integer, theta), strict=True))
    assert [law.xreplace(point) for law in laws] == values(
        [law.polynomial for law in found.search.basis], theta
    )
    rng = np.random.default_rng(3)
    probe = rng.integers(-9, 9, size=(1, net.graph.probe_size)).astype(object)
    (gradient,) = net.gradient(Exact(), np.array([theta], dtype=object), probe)
    for law in laws:
        assert (
            sum(
                law.diff(x).xreplace(point) * int(g)
                for x, g in zip(symbols, gradient, strict=True)
                if x in law.free_symbols
            )
            == 0
        )


def test_sympy_literally() -> None:
    assert (
        render("sympy", [result(MLP((1, 2, 1), "linear"))])
        == """\
from sympy import symbols

# linear 1-2-1: 4 parameters, laws of degree up to 2
theta = symbols(
    "U1_1_1 U1_1_2 U2_1_1 U2_2_1 "
)
(
    U1_1_1, U1_1_2, U2_1_1, U2_2_1,
) = theta
laws = [
    U1_1_1**2 - U2_1_1**2,  # (U1ᵀU1 − U2U2ᵀ)[1,1]
    U1_1_1*U1_1_2 - U2_1_1*U2_2_1,  # (U1ᵀU1 − U2U2ᵀ)[1,2]
    U1_1_2**2 - U2_2_1**2,  # (U1ᵀU1 − U2U2ᵀ)[2,2]
]
"""
    )


# ---- names of variables

LETTERS = "abxyzAEINOQSU_019αθΔςοñé漢ж"
WORDS = (
    *("theta", "theta_", "theta__", "theta_1", "laws", "laws_", "laws_1", "symbols", "symbols_"),
    *("E", "I", "S", "N", "O", "Q", "pi", "oo", "zoo", "lambda_", "import_", "print", "Symbol"),
    *("__debug__", "__name__", "np", "match", "self", "_", "__", "_1", "x", "x_", "x1", "x_1"),
    *("x01", "a_b", "a__b", "ab", "a_b_", "alpha", "α", "Δ", "Delta", "Deltax", "Δx", "ο", "o"),
)
"""Names that mean something to Python, to sympy, to TeX or to the code generated."""


def is_name(text: str) -> bool:
    try:
        return CustomMap((), (text,)).variables == (text,)
    except SpecError:
        return False


NAMES_OF_VARIABLES = st.sampled_from(WORDS) | st.text(LETTERS, min_size=1, max_size=6).filter(
    is_name
)
THREE = st.lists(NAMES_OF_VARIABLES, min_size=3, max_size=3, unique=True)
MANY = settings(max_examples=25, deadline=None)


def laws_in(variables: Sequence[str], components: str, **options: Any) -> Result:
    """Return the laws of a map in x, y, z that has these variables instead."""
    letters = str.maketrans(dict(zip("xyz", variables, strict=True)))
    architecture = CustomMap(tuple(variables), (components.translate(letters),))
    return Result(find_laws(architecture, 2, **options), count_laws(architecture))


def test_these_are_names_of_variables() -> None:
    assert [word for word in WORDS if not is_name(word)] == []
    assert not any(map(is_name, ("lambda", "sqrt", "1x", "x y", "ﬁ")))


@MANY
@given(THREE)
def test_sympy_keeps_names_apart(variables: list[str]) -> None:
    """Known laws and others: symbols bear the names, and values and derivatives are those of the
    laws.
    """
    for found in (laws_in(variables, "x**2*y*z**3"), laws_in(variables, "x*y", basis=True)):
        scope = executed(render("sympy", [found]))
        assert [symbol.name for symbol in scope["theta"]] == variables
        laws = [law.polynomial for law in found.search.basis or found.search.generators]
        theta = [3, 5, 7]
        point = dict(zip(scope["theta"], theta, strict=True))
        assert [law.subs(point) for law in scope["laws"]] == values(laws, theta)
        for law, polynomial in zip(scope["laws"], laws, strict=True):
            gradient = polynomial.gradient(theta)
            assert [law.diff(x).subs(point) for x in point] == [
                gradient.get(e, 0) for e in range(3)
            ]


@MANY
@given(THREE)
def test_python_keeps_names_apart(variables: list[str]) -> None:
    for found in (laws_in(variables, "x**2*y*z**3"), laws_in(variables, "x*y")):
        function = executed(render("python", [found]))["laws"]
        laws = [law.polynomial for law in found.search.generators]
        assert function(np.array([3, 5, 7])).tolist() == values(laws, [3, 5, 7])
        assert all(name in function.__doc__ for name in variables)


def test_several_results_keep_their_names_apart() -> None:
    """A variable called like the laws of another result."""
    variables = [("theta", "laws_2", "laws_1"), ("theta_1", "theta", "laws")]
    found = [laws_in(each, "x*y*z") for each in variables]
    scope = executed(render("sympy", found))
    for number, names in enumerate(variables, start=1):
        symbols = scope[f"theta_{number}"]
        assert tuple(symbol.name for symbol in symbols) == names
        x, y, z = symbols
        assert scope[f"laws_{number}"] == [x**2 - y**2, x**2 - z**2]


def test_one_variable_is_a_tuple_too() -> None:
    found = Result(find_laws(CustomMap(("x",), ("1",)), 1), count_laws(CustomMap(("x",), ("1",))))
    scope = executed(render("sympy", [found]))
    assert scope["laws"] == list(scope["theta"])
    assert executed(render("python", [found]))["laws"](np.array([3])).tolist() == [3]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("x", "x"),
        ("x1", "x_{1}"),
        ("x_1", r"\mathrm{x\_}_{1}"),
        ("rate", r"\mathrm{rate}"),
        ("rate12", r"\mathrm{rate}_{12}"),
        ("a_b", r"\mathrm{a\_b}"),
        ("a__b", r"\mathrm{a\_\_b}"),
        ("_", r"\mathrm{\_}"),
        ("lambda_", r"\mathrm{lambda\_}"),
        ("θ", r"\theta"),
        ("θ1", r"\theta_{1}"),
        ("Δx", r"\mathrm{\Delta x}"),
        ("λ_max", r"\mathrm{\lambda \_max}"),
        ("é", r"\text{é}"),
        ("é_1", r"\text{é\_}_{1}"),
        ("ο", r"\text{ο}"),
        ("x_dot", r"\dot{x}"),
    ],
)
def test_symbols_in_tex(name: str, expected: str) -> None:
    assert symbol(name) == expected


def test_entries_of_arrays_in_tex() -> None:
    assert Array("U1", (3, 4), slice(0, 12)).latex((1, 2)) == "(U_{1})_{2,3}"
    assert Array("b12", (3,), slice(0, 3)).latex((2,)) == "(b_{12})_{3}"
    assert Array("U", (2, 2), slice(0, 4)).latex((None, 0)) == "(U)_{:,1}"


@MANY
@given(st.lists(NAMES_OF_VARIABLES, min_size=2, max_size=2, unique=True))
def test_symbols_in_tex_differ_and_are_balanced(pair: list[str]) -> None:
    """As strings, and when what TeX reads over, spaces and groups, is taken away. Nothing but
    subscripts in braces follows an underscore that is not escaped.
    """
    symbols = [symbol(name) for name in pair]
    assert len({re.sub(r"[{} ]", "", text) for text in symbols}) == 2
    for text in symbols:
        assert text.count("{") == text.count("}")
        assert len(re.findall(r"(?<!\\)_(?!\{[0-9]+\}$)", text)) == 0
        assert re.sub(r"\\text\{[^}]*\}", "", text).isascii()


@MANY
@given(THREE)
def test_latex_keeps_names_apart(variables: list[str]) -> None:
    """Every law in it is written in these symbols, known ones like others."""
    x, y, z = map(symbol, variables)
    known = render("latex", [laws_in(variables, "x**2*y*z**3")])
    assert f"{x}^2 - 2 \\, {y}^2 = \\mathrm{{const}}" in known
    assert f"3 \\, {x}^2 - 2 \\, {z}^2 = \\mathrm{{const}}" in known
    others = render("latex", [laws_in(variables, "(x + y)**2 + x + y + z")])
    assert f"{x} - {y} = \\mathrm{{const}}" in others


# ---- against count


def test_more_laws_than_there_are_is_a_contradiction() -> None:
    search, count = find_laws(MLP((2, 3, 2), "linear"), 2), count_laws(MLP((2, 3, 2), "linear"))
    with pytest.raises(
        ContradictionError,
        match="linear 2-3-2: 6 independent polynomial laws of degree up to 2, but 5 laws in all",
    ):
        Result(search, replace(count, laws=5))
