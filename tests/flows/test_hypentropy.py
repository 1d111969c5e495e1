"""Known laws that are no polynomials: what ``conslaw laws`` prints of them is constant along the
flow, integrated here, of a loss whose gradient alone is the program's.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy
from click.testing import CliRunner

from conslaw_cli import Problem
from conslaw_cli.cli import main
from conslaw_cli.flows.names import Arrays
from conslaw_cli.simulation.data import objective
from conslaw_cli.specs.spec import parse

Floats = np.ndarray[Any, Any]
LINEAR = {"widths": [2, 3, 2], "activation": "linear", "bias": "all"}
RELU = {"widths": [3, 2, 2], "activation": "relu", "bias": "all", "loss": "cross_entropy"}
DEEP = {"widths": [2, 3, 2, 3], "activation": "linear"}
SKIP = {"input": 3, "layers": [{"residual": [{"dense": 3}]}, {"dense": 2}]}
FEW: dict[str, Any] = {"widths": [2, 2, 3], "activation": "relu", "loss": "cross_entropy"}
PHI = {"phi": "u*v1, u*v2"}
HALF, THIRD, ONE = ({"hypentropy": each} for each in ("1/2", "1/3", 1))
CASES: list[tuple[dict[str, Any], Any, dict[str, Any], dict[str, Any], int]] = [
    (LINEAR, None, {"U1": HALF}, {}, 3),
    (LINEAR, None, {"U1": THIRD, "b1": ONE, "U2": {"power": 3}}, {"U2": "2/3", "b1": 5}, 3),
    (RELU, None, {"b1": HALF, "U2": ONE, "b2": HALF}, {}, 2 + 2 + 1),
    (DEEP, None, {"U1": HALF}, {}, 3 + 3),
    (SKIP, None, {"U1": HALF, "U2": THIRD}, {}, 3),
    (PHI, None, {"u": THIRD}, {}, 1),
    (PHI, None, {"u": {"power": 3}, "v1": {"power": 2}}, {}, 1),
    (LINEAR, None, {"U1": {"power": 3}, "b1": {"power": 2}}, {}, 3),
    (DEEP, None, {"U1": {"power": 3}}, {"U2": "1/2"}, 3 + 3),
    (SKIP, None, {"U1": {"power": 2}}, {}, 3),
    (DEEP, "momentum", {"U1": HALF}, {"U2": "3/2"}, 1),
    (DEEP, {"friction": "3/t"}, {"U1": HALF}, {}, 1),
    (FEW, {"friction": 0}, {"U1": HALF}, {}, 2 + 2),
    (FEW, {"friction": 0}, {"U1": ONE, "U2": HALF}, {"U2": "2/3"}, 2 + 2),
    (RELU, "momentum", {"U2": THIRD, "b2": {"power": 3}}, {"b2": 2}, 2 * (2 + 1)),
    (RELU, {"friction": "3/t"}, {"U2": {"power": 1}, "b2": {"power": 2}}, {}, 2 * (2 + 1)),
]


def asked(given: dict[str, Any], friction: Any, metric: Any, rates: Any) -> str:
    """Return a spec, as JSON, which is YAML."""
    mirror = {"mirror": {"metric": metric, **({"rates": rates} if rates else {})}}
    kept = friction if isinstance(friction, dict) else {}
    flow = mirror if friction is None else {"momentum": {**kept, "hessian": mirror}}
    return json.dumps({"architectures": [{**given, "flow": flow}]})


def printed(spec: str, format_: str) -> Any:
    done = CliRunner().invoke(main, ["laws", "-", "--format", format_], input=spec)
    assert done.exit_code == 0, done.stderr
    scope: dict[str, Any] = {}
    exec(done.stdout, scope)
    return scope["laws"]


def speeds(problem: Problem, metric: Any, rates: Any) -> Callable[[Floats], Floats]:
    """Return M(θ), from what the spec says."""

    def at(theta: Floats) -> Floats:
        found = np.ones_like(theta)
        for name, entries in Arrays.of(problem.architecture).entries.items():
            x = theta[entries.start : entries.stop]
            m = metric.get(name, {"power": 0})
            if "power" in m:
                speed = x ** float(m["power"])
            else:
                speed = np.sqrt(x**2 + float(Fraction(m["hypentropy"])) ** 2)
            found[entries.start : entries.stop] = float(Fraction(rates.get(name, 1))) * speed
        return found

    return at


def moved(field: Callable[[float, Floats], Floats], state: Floats, begin: float) -> Floats:
    """Return where a state is after a quarter of a unit of time (Runge and Kutta)."""
    h = 1 / 1024
    for step in range(256):
        t = begin + h * step
        a = field(t, state)
        b = field(t + h / 2, state + h / 2 * a)
        c = field(t + h / 2, state + h / 2 * b)
        d = field(t + h, state + h * c)
        state = state + h / 6 * (a + 2 * b + 2 * c + d)
    return state


@pytest.mark.parametrize(("given", "friction", "metric", "rates", "size"), CASES)
def test_what_is_printed_is_constant_along_the_flow(
    given: dict[str, Any], friction: Any, metric: Any, rates: Any, size: int
) -> None:
    spec = asked(given, friction, metric, rates)
    (problem,) = parse(spec, "-").problems
    rng = np.random.default_rng(1)
    task, theta = objective(problem, rng, 5, None, None)
    theta, mass, tau = np.abs(theta) + 0.3, speeds(problem, metric, rates), 0.7
    kept = friction.get("friction") if isinstance(friction, dict) else "constant"

    def field(t: float, state: Floats) -> Floats:
        if friction is None:
            return -mass(state) * task.gradient(state)
        x, v = np.split(state, 2)
        drag = {"constant": tau, "3/t": 3 / t, 0: 0.0}[kept]
        return np.concatenate([mass(x) * v, -drag * v - task.gradient(x)])

    def values(state: Floats, t: float) -> Floats:
        if friction is None:
            return known(state)
        return known(*np.split(state, 2), t, *([tau] if kept == "constant" else []))

    known: Callable[..., Floats] = printed(spec, "python")
    start = theta if friction is None else np.concatenate([theta, rng.standard_normal(len(theta))])
    end = moved(field, start, 1.0)
    before, after = values(start, 1.0), values(end, 1.25)
    assert before.shape == (size,)
    assert np.abs(end - start).max() > 0.05
    assert np.abs(values(start + 0.01 * rng.standard_normal(len(start)), 1.0) - before).min() > 1e-5
    np.testing.assert_allclose(after, before, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize(
    ("given", "metric"),
    [(PHI, {"u": THIRD}), (PHI, {"u": {"power": 2}}), (LINEAR, {"U1": {"power": 3}})],
)
def test_sympy_reads_what_python_computes(given: dict[str, Any], metric: Any) -> None:
    spec = asked(given, None, metric, {})
    (problem,) = parse(spec, "-").problems
    theta = np.random.default_rng(0).uniform(1, 2, problem.parameters)
    names = [
        each.replace("[", "_").replace(",", "_").rstrip("]")
        for each in problem.flow.coordinates(problem.architecture).parameters
    ]
    point = dict(zip(map(sympy.Symbol, names), theta, strict=True))
    found = [float(law.subs(point)) for law in printed(spec, "sympy")]
    assert found
    np.testing.assert_allclose(found, printed(spec, "python")(theta), rtol=1e-12)


def test_all_that_is_known_is_in_json_and_latex() -> None:
    """Where others are searched for and where none are; none is called new."""
    for metric, key in ({"power": 3}, "not_searched"), (HALF, "families"):
        spec = asked(DEEP, None, {"U1": metric}, {})
        found = {
            name: CliRunner().invoke(main, ["laws", "-", "--format", name], input=spec).stdout
            for name in ("text", "json", "latex")
        }
        (row,) = json.loads(found["json"])["results"]
        assert [each["laws"] for each in row[key]][:1] == [3]
        assert row.get("new", 0) == 0
        assert row["laws"] == 6
        assert all(each["latex"] in found["latex"] for each in row[key])
        assert all(f"{each['formula']} = const" in found["text"] for each in row[key])


def test_no_polynomials_are_searched_and_it_says_so() -> None:
    done = CliRunner().invoke(main, ["laws", "-"], input=asked(LINEAR, None, {"U1": HALF}, {}))
    assert done.exit_code == 0
    assert "whose fields contain √(θ² + β²), polynomials in θ are not searched" in done.stderr
    assert "laws in all: 3 (proved); all of them are functions of these" in done.stdout
