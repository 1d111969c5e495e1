"""Four training runs and their pictures: laws that hold, and laws that move as they have to.

Needs conslaw[plot]. A directory and a number of steps may be given.

$ python examples/drift.py
drift-flow.svg: 3 families, kept to 1e-11 by the flow
drift-gd.svg: 2 laws at 3 rates, each moved as predicted to 1e-12
drift-charges.svg: 3 charges, down by the factor 0.9 a step to 1e-12
drift-product.svg: the exponent in the rate runs from 2.0 to 1.0
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from conslaw_cli import MLP, CustomMap, Training, simulate
from conslaw_cli.formats.pictures.drift import Line, changes, drawn
from conslaw_cli.simulation.integrator import Vector
from conslaw_cli.simulation.runs import What


def flow(path: Path, steps: int) -> str:
    """The flow keeps all laws, to its tolerance; gradient descent moves them."""
    network = MLP((3, 4, 3, 2), ("linear", "relu"), "hidden", "cross_entropy")
    simulation = simulate(network, ("flow", "gd"), Training(lr=0.01, steps=steps))
    runs = simulation.runs
    lines = [changes(f"{r.name}: {w.text}", r.times, w) for r in runs for w in r.watches]
    title = f"{network.name}: gradient flow (tolerance 1e-10) and gd\nrate 0.01, 32 samples, seed 0"
    path.write_bytes(drawn(lines, title, str(path)))
    kept = all((watch.error or 0) < 1e-11 for watch in runs[0].watches)
    return f"{len(runs[0].watches)} families, {'kept' if kept else 'not kept'} to 1e-11 by the flow"


def descent(path: Path, steps: int) -> str:
    """A step of gd moves a law h by η² h(g), g the gradient: at rates η, over the same time."""
    network, lines, exact = MLP((2, 2, 1), "relu"), list[Line](), True
    for rate in (0.08, 0.02, 0.005):
        training = Training(lr=rate, steps=round(steps * 0.02 / rate), samples=8)
        (run,) = simulate(network, ("gd",), training).runs
        (watch,) = run.watches
        exact = exact and (watch.error or 0) < 1e-12
        for law in range(2):
            assert watch.predicted is not None
            one = watch._replace(values=watch.values[:, [law]], predicted=watch.predicted[:, [law]])
            lines.append(changes(f"neuron {law + 1}, rate {rate:g}", run.times, one))
    title = (
        f"{network.name}: gd moves ‖in‖² − ‖out‖² of a neuron by η² h(g) a step\n8 samples, seed 0"
    )
    path.write_bytes(drawn(lines, title, str(path)))
    return f"2 laws at 3 rates, each {'' if exact else 'not '}moved as predicted to 1e-12"


def charges(path: Path, steps: int) -> str:
    """Heavy ball keeps J = ⟨buffer, Aθ⟩ up to the factor μ; it begins with a buffer, as PyTorch's
    first one is the gradient, where J is 0.
    """
    network, rng = MLP((3, 3, 2), "linear"), np.random.default_rng(1)
    lines, exact = list[Line](), True
    buffer = {"U1": rng.standard_normal((3, 3)), "U2": rng.standard_normal((3, 2))}
    for momentum in (0.9, 0.8, 0.5):
        training = Training(lr=0.01, steps=steps, momentum=momentum)
        (run,) = simulate(network, ("momentum",), training, buffer=buffer).runs
        (watch,) = [each for each in run.watches if each.what is What.CHARGE]
        assert watch.predicted is not None
        exact = exact and (watch.error or 0) < 1e-12
        sizes = (np.sqrt((each**2).mean(axis=1)) for each in (watch.values, watch.predicted))
        number = np.array(run.times) / training.lr
        lines.append(Line(f"μ = {momentum:g}", number, *sizes))
    title = f"{network.name}: heavy ball takes J = {watch.text} to μ J\nrate 0.01, seed 0"
    said = "J, root mean square\n(units of θ²)"
    path.write_bytes(drawn(lines, title, str(path), x="steps", y=said))
    factor = "down by the factor 0.9 a step" if exact else "not as they should be"
    return f"{watch.values.shape[1]} charges, {factor} to 1e-12"


def product(path: Path, steps: int) -> str:
    """On u v, C = u² − v² goes to C (1 − η² r²) in a step, r = u v − y. Over T steps that is of
    order η² while η T is small, and of order η once r has gone to 0: an exponent between 2 and 1 is
    a matter of η T. (A preprint, arXiv 2604.07405, reads it as one of architecture and loss.)
    """
    phi, lines = CustomMap.from_text("u*v"), list[Line]()
    at = {"u": np.array(1.3), "v": np.array(0.4)}
    data = {"target": np.array([1.5])}
    for number in (steps // 10, steps):
        rates = np.geomspace(0.003 / number, 0.2, 16)
        both = [_drifts(phi, at, data, rate, number) for rate in rates.tolist()]
        seen, predicted = np.array(both).T
        lines.append(Line(f"T = {number} steps", rates * number, seen, predicted))
    title = "u·v on ½(uv − 1.5)²: |C(T) − C(0)| for C = u² − v², by gd\nfrom u = 1.3, v = 0.4"
    where = "rate × steps, η T"
    said = "drift of C (units of θ²)"
    path.write_bytes(drawn(lines, title, str(path), x=where, y=said, logarithmic=True))
    exponents = _exponents(lines[-1])
    return f"the exponent in the rate runs from {exponents[0]:.1f} to {min(exponents):.1f}"


def _drifts(
    phi: CustomMap, at: dict[str, Vector], data: dict[str, Vector], rate: float, steps: int
) -> tuple[float, float]:
    training = Training(lr=rate, steps=steps)
    (run,) = simulate(phi, ("gd",), training, at=at, data=data).runs
    (watch,) = run.watches
    assert watch.predicted is not None
    seen, predicted = (float(abs(h[-1, 0] - h[0, 0])) for h in (watch.values, watch.predicted))
    return seen, predicted


def _exponents(line: Line) -> list[float]:
    """Return the slopes of drift against rate."""
    slopes = np.diff(np.log(line.seen)) / np.diff(np.log(line.times))
    return [float(slope) for slope in slopes]


if __name__ == "__main__":
    where = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    steps = int(sys.argv[2]) if len(sys.argv) > 2 else 300
    for name, run in {"flow": flow, "gd": descent, "charges": charges, "product": product}.items():
        file = where / f"drift-{name}.svg"
        print(f"{file.name}: {run(file, steps)}")
