"""What is trained: outputs against plain loops, gradients against differences, data from files."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from graphs import Given, random_graphs
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from trained import NETWORKS, OTHERS

from conslaw_cli import CustomFields, CustomMap
from conslaw_cli.errors import SpecError
from conslaw_cli.families.attention import Attention
from conslaw_cli.families.mlp import MLP
from conslaw_cli.networks.graph import Graph
from conslaw_cli.problems.problem import Loss, Problem
from conslaw_cli.simulation.data import Objective, objective, read
from conslaw_cli.simulation.forms import Forms
from conslaw_cli.simulation.integrator import Vector

EVERY = NETWORKS | OTHERS


def made(problem: Problem, seed: int = 0, samples: int = 5) -> tuple[Objective, Vector]:
    return objective(problem, np.random.default_rng(seed), samples, None, None)


@pytest.mark.parametrize("name", EVERY)
def test_gradients_are_those_of_the_loss(name: str) -> None:
    task, theta = made(Problem(EVERY[name]))
    _, gradient = task.at(theta)
    assert np.isfinite(gradient).all()
    for e, step in enumerate(1e-5 * np.eye(len(theta))):
        slope = (task.at(theta + step)[0] - task.at(theta - step)[0]) / 2e-5
        assert slope == pytest.approx(gradient[e], rel=1e-6, abs=1e-8)
    assert task.loss_at(theta) == task.at(theta)[0]


@settings(max_examples=settings().max_examples // 3)
@given(random_graphs(functions=True), st.integers(0, 2**32 - 1))
def test_known_laws_are_orthogonal_to_the_gradients_of_any_network(graph: Graph, seed: int) -> None:
    """Whatever the graph, with the gates that it has itself."""
    problem = Problem(Given(graph))
    with np.errstate(all="ignore"):
        task, theta = made(problem, seed, samples=2)
        gradient = task.gradient(theta)
    assume(np.isfinite(gradient).all() and np.abs(gradient).max(initial=0.0) < 1e6)
    laws = Forms(problem.laws())
    size = laws.values(np.abs(theta) + np.abs(gradient))[1]
    assert (np.abs(laws.along(theta, gradient)) <= 1e-12 * size).all()


@pytest.mark.parametrize("loss", Loss)
def test_a_batch_is_a_mean_over_its_samples(loss: Loss) -> None:
    task, theta = made(Problem(MLP((2, 3, 3), "relu", "all"), loss=loss))
    each = [task.at(theta, np.array([i])) for i in range(task.samples)]
    value, gradient = task.at(theta, np.array([3, 0]))
    assert value == pytest.approx((each[3][0] + each[0][0]) / 2)
    assert np.allclose(gradient, (each[3][1] + each[0][1]) / 2, atol=1e-14)
    assert task.loss_at(theta) == pytest.approx(np.mean([value for value, _ in each]))


def plain(name: str, z: float) -> float:
    """The activations, as people write them."""
    below = {"relu": 0.0, "leaky_relu": 0.01 * z, "abs": -z, "homogeneous": -z / 2, "linear": z}
    known = {"exp": math.exp(z), "smooth": math.sin(z + 1), "power:2": z * z}
    return known[name] if name in known else z if z > 0 else below[name]


def layer(h: Sequence[float], u: Vector, b: Vector) -> list[float]:
    return [sum(x * u[i, j] for i, x in enumerate(h)) + b[j] for j in range(u.shape[1])]


@pytest.mark.parametrize(
    "activation",
    ["relu", "leaky_relu", "abs", "homogeneous", "linear", "exp", "smooth", "power:2"],
)
@pytest.mark.parametrize("loss", Loss)
def test_the_loss_of_a_network_with_gates_of_its_own(activation: str, loss: Loss) -> None:
    task, theta = made(Problem(MLP((2, 3, 2), activation, "all"), loss=loss))
    u1, b1, u2, b2 = (
        part.reshape(shape)
        for part, shape in zip(
            np.split(theta, [6, 9, 15]), [(2, 3), (3,), (3, 2), (2,)], strict=True
        )
    )
    total = 0.0
    for x, target in zip(task.inputs, task.targets, strict=True):
        hidden = [plain(activation, z) for z in layer(x.tolist(), u1, b1)]
        y = layer(hidden, u2, b2)
        if loss is Loss.MSE:
            total += sum((each - t) ** 2 for each, t in zip(y, target, strict=True)) / 2
        elif loss is Loss.LOGISTIC:
            total += sum(
                math.log(1 + math.exp(-each * t)) for each, t in zip(y, target, strict=True)
            )
        else:
            total -= math.log(math.exp(y[int(target)]) / sum(map(math.exp, y)))
    assert task.loss_at(theta) == pytest.approx(total / 5, rel=1e-13)


def test_attention_is_the_layer_itself() -> None:
    task, theta = made(Problem(Attention(2, 2, 3)), samples=2)
    size = 6
    matrices = np.split(theta, 8)
    assert all(len(part) == size for part in matrices)
    total = 0.0
    for x, target in zip(task.inputs.reshape(2, 3, 2), task.targets.reshape(2, 3, 2), strict=True):
        y = np.zeros((3, 2))
        for head in range(2):
            q, k, v, o = (
                matrices[4 * head + i].reshape((2, 3) if i in (0, 2) else (3, 2)) for i in range(4)
            )
            for i in range(3):
                scores = [math.exp(x[i] @ q @ k @ x[j]) for j in range(3)]
                for j in range(3):
                    y[i] += scores[j] / sum(scores) * (x[j] @ v @ o)
        total += float(((y - target) ** 2).sum()) / 2
    assert task.loss_at(theta) == pytest.approx(total / 2, rel=1e-13)


@pytest.mark.parametrize(
    "text",
    [
        "u*v - 3*u/v, (u + v)**2",
        "sqrt(u**2 + v**2)*w, u**(1/3)/v**2",
        "exp(u - 2*v), exp(-u)",
        "log(u*v**3) + 2",
        "sin(3*u + v/2), cos(u)*cos(v/2)",
        "tanh(u - v/3), sigmoid(-2*u)",
        "2*erf(u*v/2 - w)",
        "sqrt(2)*u + sqrt(3)*v",
    ],
)
def test_a_map_is_what_its_text_says(text: str) -> None:
    """Python's own arithmetic reads the same text."""
    phi = CustomMap.from_text(text)
    task, theta = made(Problem(phi))
    known: dict[str, Any] = {
        "sqrt": math.sqrt, "exp": math.exp, "log": math.log, "sin": math.sin, "cos": math.cos,
        "tanh": math.tanh, "erf": math.erf, "sigmoid": lambda z: 1 / (1 + math.exp(-z)),
    }  # fmt: skip
    names = dict(zip(phi.variables, theta.tolist(), strict=True))
    values = [eval(part, {**known, **names}) for part in phi.components]
    loss = sum((value - t) ** 2 for value, t in zip(values, task.targets[0], strict=True)) / 2
    assert task.loss_at(theta) == pytest.approx(loss, rel=1e-12)


def test_a_product_of_matrices_is_a_map_of_one_sample() -> None:
    phi = CustomMap((), ("A*B",), arrays={"A": (2, 3), "B": (3, 2)})
    task, theta = made(Problem(phi))
    entries = (theta[:6].reshape(2, 3) @ theta[6:].reshape(3, 2)).ravel()
    assert (task.samples, task.targets.shape) == (1, (1, 4))
    assert task.loss_at(theta) == pytest.approx(((entries - task.targets[0]) ** 2).sum() / 2)


def test_fields_are_not_trained() -> None:
    fields = CustomFields((), (("y", "-x"),), "rotation")
    with pytest.raises(SpecError, match=r"^rotation: vector fields of one's own are no gradients"):
        made(Problem(fields))


# ---- given θ and data


@pytest.mark.parametrize("name", ["full and diagonal, sums", "many", "attention", "product", "map"])
def test_what_is_drawn_can_be_given(name: str, tmp_path: Path) -> None:
    from conslaw_cli.simulation.data import named

    problem = Problem(EVERY[name])
    task, theta = made(problem, seed=3)
    file = tmp_path / "run.npz"
    np.savez(file, **named(task.model.arrays, theta), **task.arrays())  # type: ignore[arg-type]
    given = read(str(file))
    again, same = objective(problem, np.random.default_rng(9), 7, given, given)
    assert (same == theta).all()
    assert again.at(same)[0] == task.at(theta)[0]
    assert (again.at(same)[1] == task.at(theta)[1]).all()


PROBLEM = Problem(MLP((2, 3, 2), "relu"))
AT = {"U1": np.ones((2, 3)), "U2": np.ones((3, 2))}
DATA = {"x": np.ones((4, 2)), "y": np.ones((4, 2))}


@pytest.mark.parametrize(
    ("at", "data", "message"),
    [
        ({"U1": AT["U1"]}, DATA, "^at: expected an array U2, got U1$"),
        ({"U1": AT["U1"], "u2": AT["U2"]}, DATA, r"U2, got U1, u2 \(did you mean u2\?\)$"),
        (
            {**AT, "U1": np.ones((3, 2))},
            DATA,
            r"^at: U1: .* shape \(2, 3\), got \(3, 2\)$",
        ),
        (
            {**AT, "U2": AT["U2"] * math.nan},
            DATA,
            r"^at: U2: .* numbers, got nan at \(0, 0\)$",
        ),
        (AT, {"x": DATA["x"]}, "^data: expected an array y, got x$"),
        (
            AT,
            {**DATA, "x": np.ones((4, 3))},
            r"^data: x: .* shape \(4, 2\), got \(4, 3\)$",
        ),
        (
            AT,
            {**DATA, "y": np.ones((3, 2))},
            r"^data: y: .* shape \(4, 2\), got \(3, 2\)$",
        ),
        (AT, {**DATA, "x": np.ones((0, 2))}, "^data: x: expected at least one sample, got none$"),
        (AT, {**DATA, "x": np.float64(2)}, r"^data: x: expected the shape"),
    ],
)
def test_what_does_not_fit_is_named(at: Any, data: Any, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        objective(PROBLEM, np.random.default_rng(0), 4, data, at)


@pytest.mark.parametrize(
    ("loss", "y", "message"),
    [
        (Loss.LOGISTIC, [[1, 0]], "^data: y: expected 1 or -1, got 0$"),
        (Loss.CROSS_ENTROPY, [2], "^data: y: expected the number of a class, from 0 to 1, got 2$"),
        (Loss.CROSS_ENTROPY, [0.5], "got 0.5$"),
    ],
)
def test_labels_are_those_of_the_loss(loss: Loss, y: Any, message: str) -> None:
    problem, data = Problem(PROBLEM.architecture, loss=loss), {"x": np.ones((1, 2))}
    with pytest.raises(SpecError, match=message):
        objective(problem, np.random.default_rng(0), 1, {**data, "y": np.array(y, float)}, AT)


def test_files_are_read_without_pickle(tmp_path: Path) -> None:
    names = {name: str(tmp_path / name) for name in ("a.npz", "b.npz", "c.npy", "d.npz", "e.npz")}
    np.savez(names["a.npz"], U1=np.array([{}], dtype=object))
    np.savez(names["b.npz"], U1=np.array(["text"]))
    np.save(names["c.npy"], np.ones(2))
    Path(names["d.npz"]).write_bytes(b"PK\x03\x04 not a zip file")
    messages = {
        "a.npz": "expected arrays in an .npz file: Object arrays cannot be loaded",
        "b.npz": "U1: expected real numbers, got <U4",
        "c.npy": "expected arrays by name, an .npz file, got one array",
        "d.npz": "expected arrays in an .npz file",
        "e.npz": "expected arrays in an .npz file: No such file or directory",
    }
    for name, path in names.items():
        with pytest.raises(SpecError) as found:
            read(path)
        assert str(found.value).startswith(f"{path}: {messages[name]}"), found.value


def test_a_map_begins_where_it_is_defined() -> None:
    phi = CustomMap.from_text("sqrt(u - v)*log(w)")
    task, theta = made(Problem(phi))
    assert math.isfinite(task.loss_at(theta))
    at = {"u": np.float64(1), "v": np.float64(2), "w": np.float64(1)}
    with pytest.raises(SpecError, match=r"^at: φ is not defined at this θ"):
        objective(Problem(phi), np.random.default_rng(0), 1, None, at)  # type: ignore[arg-type]
