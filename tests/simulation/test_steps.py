"""Steps against PyTorch's own, and the recursions that say what they do to every known law."""

from __future__ import annotations

import math

import numpy as np
import pytest
from trained import NETWORKS

from conslaw_cli.errors import SpecError
from conslaw_cli.families.formulas.custom import CustomMap
from conslaw_cli.families.mlp import MLP
from conslaw_cli.networks.correlations import Correlations
from conslaw_cli.networks.known_laws import Form, Named, Sums
from conslaw_cli.simulation import runs
from conslaw_cli.simulation.integrator import Vector
from conslaw_cli.simulation.optimizers import SGD, Adam, Carried, Optimizer
from conslaw_cli.simulation.runs import Watch, What
from conslaw_cli.simulation.simulate import Simulation, Training, simulate

METHODS: dict[str, Optimizer] = {
    "sgd": SGD(0.05),
    "sgd decay": SGD(0.05, decay=0.1),
    "momentum": SGD(0.05, 0.9),
    "momentum decay": SGD(0.05, 0.8, decay=0.1),
    "nesterov": SGD(0.05, 0.9, nesterov=True),
    "nesterov decay": SGD(0.05, 0.9, nesterov=True, decay=0.1),
    "adam": Adam(0.05),
    "adam decay": Adam(0.05, (0.8, 0.95), 0.1),
    "adamw": Adam(0.05, decay=0.01, decoupled=True),
    "adamw decay": Adam(0.05, (0.8, 0.95), 0.3, decoupled=True),
}
PYTORCH = {
    "sgd": [1.6535670040583876, -1.0867789217009955, -0.38778380779210236],
    "sgd decay": [1.6104856606518203, -1.0597541951885296, -0.3885059466875219],
    "momentum": [2.5132383245901493, -0.7571603615884318, -0.41716624031163035],
    "momentum decay": [2.385210195914074, -0.6813914095693226, -0.6408020222879168],
    "nesterov": [2.7583942853709122, -0.5642351128142161, -0.24515115613904143],
    "nesterov decay": [2.439763454550459, -0.6229670754740201, -0.36536003112183657],
    "adam": [1.5698545109265576, -1.2735250955398363, -0.5147302876526247],
    "adam decay": [1.6158155357361816, -0.9760188879078714, -0.5139237144893849],
    "adamw": [1.5631576209118845, -1.2704949523229119, -0.5145171877304937],
    "adamw decay": [1.3519831773689046, -1.1446993128809777, -0.4845029088582148],
}
"""θ after 20 steps from (0.7, −1.1, 0.4) for sin(ab) + b²c²/2 + cos(c − a), by PyTorch 2.14.1 in
double precision: torch.optim.SGD, Adam and AdamW with these settings.
"""


def gradient(theta: Vector) -> Vector:
    a, b, c = theta.tolist()
    slope, turn = math.cos(a * b), math.sin(c - a)
    return np.array([b * slope + turn, a * slope + b * c * c, b * b * c - turn])


@pytest.mark.parametrize("name", METHODS)
def test_steps_are_those_of_pytorch(name: str) -> None:
    method, theta, carried = METHODS[name], np.array([0.7, -1.1, 0.4]), Carried()
    for _ in range(20):
        step, carried = method.step(theta, gradient(theta), carried)
        theta = step.shrink * theta - method.rate * step.direction
    assert np.allclose(theta, PYTORCH[name], rtol=1e-13, atol=0)


def test_decay_of_sgd_is_decoupled_as_adamw_does_it() -> None:
    method = SGD(0.1, 0.9, decay=0.5, decoupled=True)
    plain = SGD(0.1, 0.9)
    theta, carried, other = np.ones(3), Carried(), Carried()
    for _ in range(5):
        step, carried = method.step(theta, gradient(theta), carried)
        expected, other = plain.step(theta, gradient(theta), other)
        assert (step.direction == expected.direction).all()
        assert step.shrink == 1 - 0.1 * 0.5
        theta = step.shrink * theta - 0.1 * step.direction


# ---- what is predicted


@pytest.fixture(autouse=True)
def _few_records(monkeypatch: pytest.MonkeyPatch) -> None:
    """Laws are looked at after every step all the same."""
    monkeypatch.setattr(runs, "RECORDS", 10)


def trained(name: str, optimizer: str, **settings: object) -> list[Watch]:
    settings = {"lr": 0.01, "steps": 300, "batch": 2, "samples": 5} | settings
    training = Training(**settings)  # type: ignore[arg-type]
    (run,) = simulate(NETWORKS[name], (optimizer,), training).runs
    assert (run.ended, run.steps) == (None, 300)
    return run.watches


DECAYS = {"no decay": {}, "coupled": {"weight_decay": 0.1}}
DECAYS["decoupled"] = {**DECAYS["coupled"], "decoupled": True}
NESTEROV = {"momentum": 0.8, "nesterov": True}


@pytest.mark.parametrize("decay", DECAYS)
@pytest.mark.parametrize("method", ["gd", "sgd", "momentum"])
@pytest.mark.parametrize("name", NETWORKS)
def test_every_law_moves_as_predicted(name: str, method: str, decay: str) -> None:
    check(trained(name, method, momentum=0.8, **DECAYS[decay]))


@pytest.mark.parametrize("decay", DECAYS)
@pytest.mark.parametrize("name", ["full and diagonal, sums", "exponents", "tensor"])
def test_nesterov_moves_laws_as_predicted(name: str, decay: str) -> None:
    check(trained(name, "momentum", **NESTEROV, **DECAYS[decay]))


def check(watches: list[Watch]) -> None:
    for watch in watches:
        assert watch.error is not None
        assert watch.error < 1e-12, watch.text
        if watch.what is What.LAW:
            assert watch.expected == pytest.approx(watch.moved, abs=1e-12)
    laws = [watch for watch in watches if watch.what is What.LAW]
    assert laws
    assert max(watch.moved for watch in laws) > 1e-6  # there was something to predict


@pytest.mark.parametrize(
    ("optimizer", "decay"), [("adam", "no decay"), ("adam", "coupled"), ("adamw", "coupled")]
)
@pytest.mark.parametrize("name", ["full and diagonal, sums", "exponents"])
def test_adam_keeps_no_law_and_r_is_predicted(name: str, optimizer: str, decay: str) -> None:
    watches = trained(name, optimizer, **DECAYS[decay])
    laws, residuals = ([w for w in watches if w.what is what] for what in (What.LAW, What.RESIDUAL))
    for law, residual in zip(laws, residuals, strict=True):
        assert residual.error is not None
        assert residual.error < 1e-12
        assert (law.predicted, law.expected, law.error) == (None, None, None)
    assert max(law.speed or 0 for law in laws) > 1e-2
    assert max(law.moved for law in laws) > 1e-2


def test_all_kinds_of_families_are_among_them() -> None:
    families = [f for network in NETWORKS.values() for f in network.laws().families]
    assert {type(family) for family in families} == {Form, Sums, Correlations, Named}
    forms = [family for family in families if isinstance(family, Form)]
    assert {form.kind for form in forms} == {"full", "blocks", "diagonal", "scalar"}
    parts = [part for form in forms for part in form.parts]
    assert any(part.skip for part in parts)
    assert any(part.linear for part in parts)


def test_a_wrong_law_is_found_out() -> None:
    """The laws of a linear network are none of the same network with ReLU."""

    class Wrong(Simulation):
        def __init__(self) -> None:
            super().__init__(MLP((2, 3, 2), "relu"), ("gd",), Training(lr=0.02, steps=20))
            object.__setattr__(self.problem, "architecture", MLP((2, 3, 2), "linear"))

    simulation = Wrong()
    simulation.train()
    (watch,) = simulation.runs[0].watches
    assert watch.shape == "3×3 symmetric"
    assert watch.error is not None
    assert watch.error > 1e-3


def test_heavy_ball_keeps_its_charges_up_to_the_factor() -> None:
    network, rng = NETWORKS["full and diagonal, sums"], np.random.default_rng(5)
    shapes = {"U1": (2, 3), "b1": (3,), "U2": (3, 3), "b2": (3,), "U3": (3, 2), "b3": (2,)}
    buffer = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
    for settings, factor in (({}, 0.9), ({"weight_decay": 0.5, "decoupled": True}, 0.9 * 0.99)):
        training = Training(lr=0.02, steps=50, batch=2, samples=5, **settings)  # type: ignore[arg-type]
        (run,) = simulate(network, ("momentum",), training, buffer=buffer).runs
        (charge,) = [watch for watch in run.watches if watch.what is What.CHARGE]
        assert charge.text == "U1ᵀV1 − V1ᵀU1 + b1ᵀc1 − c1ᵀb1 + U2V2ᵀ − V2U2ᵀ"
        assert charge.error is not None
        assert charge.error < 1e-14
        start = np.abs(charge.values[0]).max()
        assert start > 0.1
        assert np.abs(charge.values[-1]).max() == pytest.approx(start * 0.9 * factor**49, rel=1e-9)
        assert all(watch.error is not None and watch.error < 1e-12 for watch in run.watches)


def test_without_a_buffer_charges_are_zero_and_nesterov_has_none() -> None:
    (charge,) = [
        watch
        for watch in trained("full and diagonal, sums", "momentum")
        if watch.what is What.CHARGE
    ]
    assert charge.moved < 1e-14
    watches = trained("full and diagonal, sums", "momentum", **NESTEROV)
    assert all(watch.what is What.LAW for watch in watches)


def test_one_product_in_closed_form() -> None:
    """On u v, L = (u v − y)²/2, C = u² − v²: a step of rate η takes C to C (1 − η² r²)."""
    training = Training(lr=0.1, steps=50)
    at = {"u": np.float64(1.5), "v": np.float64(0.5)}
    data = {"target": np.array([2.0])}
    simulation = simulate(CustomMap.from_text("u*v"), ("gd",), training, at=at, data=data)  # type: ignore[arg-type]
    u, v = 1.5, 0.5
    for _ in range(50):
        r = u * v - 2
        c = (u * u - v * v) * (1 - 0.01 * r * r)
        u, v = u - 0.1 * r * v, v - 0.1 * r * u
        assert u * u - v * v == pytest.approx(c, rel=1e-13)
    (run,) = simulation.runs
    assert run.thetas[-1].tolist() == pytest.approx([u, v], rel=1e-13)
    (watch,) = run.watches
    assert watch.predicted is not None
    assert watch.predicted[-1, 0] == pytest.approx(c, rel=1e-13)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lr": math.nan}, "^lr: expected a positive number up to 1e.06, got nan$"),
        ({"lr": 0.0}, "^lr: expected a positive number up to 1e.06, got 0.0$"),
        ({"steps": 0}, "^steps: expected an integer from 1"),
        ({"momentum": -1.0}, "^momentum: expected a number from 0"),
        ({"momentum": 0.0, "nesterov": True}, "^nesterov: expected a momentum above 0"),
        ({"betas": (0.9, 1.0)}, "^betas: expected numbers from 0 to below 1, got 1.0$"),
        ({"weight_decay": -0.1}, "^weight_decay: expected a number from 0"),
        ({"tolerance": 1.0}, "^tolerance: expected 1e-13 to 0.1, got 1.0$"),
    ],
)
def test_wrong_settings_are_named(settings: dict[str, object], message: str) -> None:
    optimizer = "adam" if "betas" in settings else "momentum"
    with pytest.raises(SpecError, match=message):
        Training(**settings).optimizer(optimizer)  # type: ignore[arg-type]
