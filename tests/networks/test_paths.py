"""φ written out: against the network itself, its gradients and plain products."""

from __future__ import annotations

import numpy as np
import pytest

from conslaw_cli import (
    MLP,
    Activation,
    Branch,
    Convolution,
    CustomMap,
    Flat,
    Layers,
    Linear,
    Pool,
    SpecError,
)
from conslaw_cli.algebra.rings import Exact
from conslaw_cli.networks.gradients import GradientFields
from conslaw_cli.networks.paths import MAX_MONOMIALS, MAX_PATHS, paths, written_out

RELU = Activation("relu")
NETWORKS: list[MLP | Layers] = [
    MLP((2, 3, 2), "relu"),
    MLP((2, 2, 3, 1), "relu", "all"),
    MLP((2, 3, 2), "linear", "all"),
    MLP((1, 2, 2, 1), "linear"),
    MLP((2, 2, 2, 2), ("linear", "relu"), "hidden"),
    MLP((2, 2, 2, 2, 1), ("relu", "linear", "relu"), "all"),
    MLP((2, 3), "relu", "all"),
    Layers((2,), (Branch((Linear(2, True),)), Linear(2, True))),
    Layers((2, 3), (Convolution(2, (2,), (1,), bias=True), Flat(), Linear(1))),
    Layers((1, 4), (Convolution(1, (2,), (1,), "same"), Pool((2,), (2,)))),
    Layers((2,), (Branch((Linear(2, True), RELU)), Linear(2), Branch((RELU,)), Linear(1, True))),
    Layers(
        (1, 3), (Convolution(2, (2,), (1,), bias=True), RELU, Pool((2,), (1,)), Flat(), Linear(1))
    ),
]


@pytest.mark.parametrize("architecture", NETWORKS, ids=str)
def test_its_gradients_are_those_of_the_probes_and_span_the_fields(
    architecture: MLP | Layers,
) -> None:
    rng = np.random.default_rng(0)
    graph, theta = architecture.graph, rng.normal(size=(1, architecture.parameters))
    phi, fields = written_out(graph), GradientFields(graph)
    many = fields.gradient(Exact(), theta, rng.normal(size=(60, graph.probe_size)))
    fields_of = [fields.gradient(Exact(), theta, each) for each in phi.probes.swapaxes(0, 1)]
    jacobian = phi.jacobian(theta[0])
    assert jacobian == pytest.approx(sum(fields_of))
    rank = np.linalg.matrix_rank(many)
    assert np.linalg.matrix_rank(jacobian) == rank
    assert np.linalg.matrix_rank(np.concatenate([jacobian, many])) == rank


@pytest.mark.parametrize("architecture", NETWORKS, ids=str)
def test_its_jacobian_is_that_of_its_values(architecture: MLP | Layers) -> None:
    phi, theta = written_out(architecture.graph), np.linspace(0.5, 1.5, architecture.parameters)
    shifts = 1e-5 * np.eye(len(theta))
    slopes = [(phi.values(theta + e) - phi.values(theta - e)) / 2e-5 for e in shifts]
    assert phi.jacobian(theta) == pytest.approx(np.array(slopes).T, abs=1e-8)
    assert len(set(phi.names)) == len(phi.names)


def test_a_linear_network_has_the_entries_of_the_product() -> None:
    rng = np.random.default_rng(1)
    a, b, c = (rng.normal(size=shape) for shape in ((2, 3), (3, 2), (2, 2)))
    phi = paths(MLP((2, 3, 2, 2), "linear").graph)
    theta = np.concatenate([each.ravel() for each in (a, b, c)])
    assert phi.values(theta) == pytest.approx((a @ b @ c).ravel())
    assert phi.names == ("x[1]→y[1]", "x[1]→y[2]", "x[2]→y[1]", "x[2]→y[2]")
    assert phi.monomials() is None


def test_a_relu_network_has_a_product_for_every_path() -> None:
    phi = paths(MLP((1, 2, 1), "relu", "all").graph)
    assert phi.values(np.array([2.0, 3, 5, 7, 11, 13, 17])).tolist() == [22, 39, 55, 91, 17]
    assert phi.names[0] == "U1[1,1]·U2[1,1]"
    assert phi.monomials() == [(0, 4), (1, 5), (2, 4), (3, 5), (6,)]


def test_a_residual_network_without_gates_is_an_affine_map() -> None:
    phi = written_out(Layers((2,), (Branch((Linear(2, True),)), Linear(1, True))).graph)
    rng = np.random.default_rng(0)
    U1, b1, U2, b2 = (rng.normal(size=shape) for shape in ((2, 2), 2, (2, 1), 1))
    found = phi.values(np.concatenate([U1.ravel(), b1, U2.ravel(), b2]))
    assert found == pytest.approx([*(b1 @ U2 + b2), *((np.eye(2) + U1) @ U2).ravel()])
    assert phi.names == ("1→h3[1]", "x[1]→h3[1]", "x[2]→h3[1]")


def test_a_residual_network_with_gates_has_the_paths_through_them_and_past_them() -> None:
    phi = written_out(Layers((1,), (Branch((Linear(1, True), RELU)), Linear(1))).graph)
    assert phi.names == ("x[1]→h4[1]", "1→h2[1]→h4[1]", "x[1]→h2[1]→h4[1]")
    assert phi.values(np.array([2.0, 3.0, 5.0])).tolist() == [5, 15, 10]


def test_an_entry_that_no_path_leads_to_is_no_component() -> None:
    phi = written_out(Layers((1, 3), (Convolution(1, (2,), (1,)),)).graph)
    ends = ["x[1,1]→h1[1,1]", "x[1,2]→h1[1,1]", "x[1,2]→h1[1,2]", "x[1,3]→h1[1,2]"]
    assert list(phi.names) == ends
    assert phi.values(np.array([2.0, 3.0])).tolist() == [2, 3, 2, 3]


def test_entries_of_a_network_that_is_no_chain() -> None:
    shapes = {"A": (2, 3), "B": (3, 2), "C": (2, 2)}
    graph = CustomMap((), ("A*B + C",), arrays=shapes).graph
    assert graph is not None
    rng = np.random.default_rng(0)
    arrays = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    phi, theta = (
        written_out(graph, numbered=True),
        np.concatenate([arrays[a.name].ravel() for a in graph.arrays]),
    )
    assert phi.values(theta) == pytest.approx((arrays["A"] @ arrays["B"] + arrays["C"]).ravel())
    shifts = 1e-6 * np.eye(len(theta))
    slopes = [(phi.values(theta + e) - phi.values(theta - e)) / 2e-6 for e in shifts]
    assert phi.jacobian(theta) == pytest.approx(np.array(slopes).T, abs=1e-8)
    assert phi.names == ("φ[1]", "φ[2]", "φ[3]", "φ[4]")


def test_what_is_not_written_out() -> None:
    wide = Layers((40,), (Branch((Linear(40),)),))
    with pytest.raises(SpecError, match="expected a network of linear layers and gates"):
        written_out(MLP((1, 2, 1), "exp").graph)
    with pytest.raises(SpecError, match=f"at most {MAX_MONOMIALS:,} components"):
        written_out(wide.graph)
    with pytest.raises(SpecError, match=f"at most {MAX_PATHS:,} parameters, .* got 40,400"):
        written_out(Layers((200,), (Branch((Linear(200),)),)).graph)
    with pytest.raises(SpecError, match=f"at most {MAX_PATHS:,} paths, got 1,000,000"):
        paths(MLP((100, 100, 100)).graph)
