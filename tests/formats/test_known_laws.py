"""Known laws as matrices: code that is run and held against the laws, entry by entry."""

from __future__ import annotations

import json
import re
import time
import tracemalloc
from typing import Any

import numpy as np
import pytest
import sympy
from graphs import NAMED, Given
from small_networks import SELECTED

from conslaw_cli.families.layers import Branch, Layers
from conslaw_cli.families.mlp import MLP
from conslaw_cli.formats.laws import NAMES, Known, render
from conslaw_cli.lie.count import count_laws
from conslaw_cli.networks.graph import Graph
from conslaw_cli.networks.known_laws import Form
from conslaw_cli.networks.operations.convolution import Convolution, Pool
from conslaw_cli.networks.operations.dense import Linear
from conslaw_cli.networks.operations.elementwise import Activation
from conslaw_cli.networks.operations.reshape import Flat
from conslaw_cli.problems.problem import Architecture, Problem
from conslaw_cli.problems.records import LawCount

RELU = Activation("relu")
ROW = LawCount("a", {}, 0, "1", 0.5, "bounded", laws_at_least=1, reason="a test")
KERNEL = Convolution(4, (3,), (1,), "same", True)
ARCHITECTURES: list[Any] = [
    *SELECTED,
    Layers((2, 6), (KERNEL, RELU, Pool((2,), (2,)), Flat(), Linear(3, True)), "cross_entropy"),
    Layers((2, 6), (KERNEL, KERNEL, Flat(), Linear(3))),
    Layers((2, 3), (KERNEL, Convolution(4, (2,), (1,), groups=2), Flat(), Linear(2))),
    Layers((2, 3), (KERNEL, Convolution(4, (2,), (1,), groups=4), RELU, Flat(), Linear(2))),
    Layers((2,), (Linear(3), Branch((Linear(4, True), RELU, Linear(3))), RELU, Linear(2))),
    Layers((2,), (Linear(3), Branch((Linear(4), Linear(3))), Linear(2))),
    *(Given(Graph.parse(text), name) for name, text in NAMED.items()),
]


def known(architecture: Architecture, row: LawCount = ROW) -> Known:
    families = Problem.of(architecture).families()
    assert families is not None
    return Known(Problem.of(architecture), families, row, "a test")


def values(architecture: Architecture, theta: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    found: np.ndarray[Any, Any] = architecture.laws().values(theta[None], lambda terms: None)[0]
    return found


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda each: each.name)
def test_the_function_has_the_values_of_the_laws(architecture: Architecture) -> None:
    scope: dict[str, Any] = {}
    exec(render("python", [known(architecture)]), scope)
    theta = np.random.default_rng(0).integers(-9, 9, architecture.parameters).astype(float)
    np.testing.assert_array_equal(scope["laws"](theta), values(architecture, theta))


@pytest.mark.parametrize(
    "architecture", [each for each in ARCHITECTURES if each.parameters < 60], ids=lambda e: e.name
)
def test_the_matrices_have_the_values_of_the_laws(architecture: Architecture) -> None:
    """Symbols stand for arrays, read by rows or by columns."""
    result = known(architecture)
    scope: dict[str, Any] = {}
    exec(render("sympy", [result]), scope)
    theta = np.random.default_rng(0).integers(-9, 9, architecture.parameters)
    numbers = []
    for law, family in zip(scope["laws"], result.families, strict=True):
        matrix = _evaluated(law, architecture, theta)
        full = isinstance(family, Form) and family.kind == "full"
        picked = np.triu_indices(family.units) if full and isinstance(family, Form) else ...
        numbers += np.array(matrix.tolist()).astype(float)[picked].ravel().tolist()
    np.testing.assert_array_equal(numbers, values(architecture, theta.astype(float)))


def _evaluated(law: Any, architecture: Any, theta: np.ndarray[Any, Any]) -> Any:
    arrays = {a.name: theta[a.entries] for a in architecture.graph.arrays if a.trainable}
    given = {}
    for symbol in law.atoms(sympy.MatrixSymbol):
        name = re.sub("_(read|written)$", "", symbol.name)
        flat = arrays.get(name, theta)
        given[symbol] = sympy.Matrix(flat.reshape(symbol.shape).tolist())
    value = law.subs(given).doit()
    return value if isinstance(value, sympy.MatrixBase) else sympy.Matrix([[value]])


def test_text_names_families_and_says_what_is_not_decided() -> None:
    row = LawCount(
        *("linear/smooth 4-3-2-2", {}, 0, "1", 0.5, "bounded", 22, None, None, 6, 6),
        reason="too large",
        laws_at_least=6,
    )
    assert render("text", [known(MLP((4, 3, 2, 2), ("linear", "smooth")), row)]) == (
        "linear/smooth 4-3-2-2: 22 parameters, known laws\n"
        "  known laws: 6 listed, 6 independent\n"
        "  laws in all: at least 6 (proved); whether there are more is not decided: too large\n"
        "\n"
        "  U1ᵀU1 − U2U2ᵀ = const   (3×3 symmetric, 6 laws)\n"
        "\n"
        "U1[i,j] leads from unit i to unit j of the next layer (x ↦ x U1 U2 …, row vectors).\n"
    )


def test_json_says_that_others_were_not_searched() -> None:
    network = MLP((2, 3, 2), "relu")
    (value,) = json.loads(render("json", [known(network, count_laws(network))]))["results"]
    assert (value["searched"], value["not_searched_because"]) == (False, "a test")
    assert (value["laws"], value["known_listed"], value["complete"]) == (3, 3, True)
    assert value["families"] == [
        {
            "formula": "diag(U1ᵀU1 − U2U2ᵀ)",
            "latex": r"\operatorname{diag}\bigl(U_{1}^\top U_{1} - U_{2} U_{2}^\top\bigr)",
            "shape": "3×3 diagonal",
            "laws": 3,
        }
    ]


@pytest.mark.parametrize("name", NAMES)
def test_every_format_is_made_at_any_width_at_once(name: str) -> None:
    network = MLP((10**6,) * 4, ("linear", "smooth"), "all", "cross_entropy")
    row = count_laws(network)
    tracemalloc.start()
    start = time.process_time()
    text = render(name, [known(network, row)])
    seconds, peak = time.process_time() - start, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "1000000" in text
    assert len(text) < 5000
    assert seconds < 1
    assert peak < 10**7
