"""The counts of momentum, decay and mirror flows against the oracle on small networks, and against
formulas.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import oracle_flows as oracle
import pytest

from conslaw_cli import MLP, Problem, count_laws
from conslaw_cli.families.mlp import Bias
from conslaw_cli.flows import Asked
from conslaw_cli.flows.decay import Decay
from conslaw_cli.flows.friction import Friction
from conslaw_cli.flows.metrics import Power
from conslaw_cli.flows.mirror import Mirror
from conslaw_cli.flows.momentum import Momentum
from conslaw_cli.lie.closed_forms import charges
from conslaw_cli.problems.records import LawCount

SMALL = [
    MLP((1, 1, 1), "linear"),
    MLP((1, 2, 1), "linear"),
    MLP((1, 3, 1), "linear"),
    MLP((2, 2, 1), "linear"),
    MLP((1, 2, 2), "linear", loss="cross_entropy"),
    MLP((2, 2, 2), "linear", loss="cross_entropy"),
    MLP((1, 2, 1), "linear", "hidden"),
    MLP((1, 2, 1), "linear", "all"),
    MLP((1, 1, 1), "linear", "all", "cross_entropy"),
    MLP((1, 2, 1, 2), "linear"),
    MLP((1, 2, 2, 1), "linear"),
    MLP((2, 2), "linear"),
    MLP((1, 2, 1), "relu"),
    MLP((1, 2, 1), "relu", "hidden"),
    MLP((2, 1, 2, 1), ("linear", "relu")),
    MLP((1, 2, 2, 1), ("linear", "relu")),
]
ONE_AT_HEART = MLP((1, 2, 2), "linear", False, "cross_entropy")
"""Its two outputs move as one does: a layer between two units, which has rotations that are not
listed.
"""
FRICTIONS: dict[Friction, int | str] = {
    Friction.CONSTANT: 2,
    Friction.NONE: 0,
    Friction.NESTEROV: "3/t",
}


def counted(network: MLP, flow: Asked) -> LawCount:
    return count_laws(Problem(network, flow.of(network)))


def figures(row: LawCount) -> tuple[int | None, ...]:
    return row.state, row.dim_lie, row.laws, row.timeless


def expected(found: oracle.Count) -> tuple[int, ...]:
    return found.state, found.dim_lie, found.laws, found.timeless


@pytest.mark.parametrize(
    ("network", "friction"),
    [
        pytest.param(network, friction, id=f"{friction.value}-{network.name}")
        for network in SMALL
        for friction in Friction
        # The oracle takes its time for more parameters.
        if network.parameters <= 6 or friction is Friction.NESTEROV
    ],
)
def test_momentum(network: MLP, friction: Friction) -> None:
    row = counted(network, Momentum(friction))
    assert figures(row) == expected(oracle.momentum(network, FRICTIONS[friction]))
    assert row.verdict == "proved"


@pytest.mark.parametrize("network", SMALL, ids=lambda network: network.name)
def test_decay(network: MLP) -> None:
    assert figures(counted(network, Decay())) == expected(oracle.decay(network))


@pytest.mark.parametrize(
    ("network", "spared"),
    [
        (MLP((1, 2, 1), "linear", "hidden"), "b"),
        (MLP((2, 2, 1), "linear", "hidden"), "b"),
        (MLP((1, 2, 1), "linear", "all"), "b2"),
        (MLP((1, 2, 1), "linear"), "U2"),
        (MLP((1, 2, 1), "relu", "hidden"), "b"),
        (MLP((1, 2, 2, 1), "relu", "hidden"), "b1"),
    ],
    ids=str,
)
def test_decay_of_some_arrays(network: MLP, spared: str) -> None:
    arrays = dict.fromkeys(name.partition("[")[0] for name in network.parameter_names())
    row = counted(network, Decay(tuple(name for name in arrays if not name.startswith(spared))))
    found = oracle.decay(network, lambda name: not name.startswith(spared))
    assert figures(row) == expected(found)


@pytest.mark.parametrize(
    ("widths", "bias", "laws"),
    [
        ((3, 4, 2), False, 6),
        ((1, 2, 2, 1), False, 2),
        ((1, 2, 1, 2), False, 2),
        ((1, 2, 1, 2, 1), False, 4),
        ((1, 8, 2, 2), False, 28),
        ((1, 8, 8, 1), False, 56),
        ((1, 9, 2, 9, 1), False, 67),
        ((1, 2, 1), "hidden", 1),
        ((1, 8, 1), "hidden", 27),
        ((1, 9, 1), "hidden", 33),
        ((1, 5, 1), "all", 10),
    ],
)
def test_deep_linear_momentum(widths: tuple[int, ...], bias: Bias, laws: int) -> None:
    network = MLP(widths, "linear", bias)
    row = counted(network, Momentum())
    assert (row.laws, row.verdict, row.unknown_laws) == (laws, "proved", 0)
    assert charges(Problem(network)) == laws


def test_only_spaces_between_linear_layers_rotate() -> None:
    row = counted(MLP((2, 3, 3, 2), ("linear", "relu")), Momentum())
    assert (row.laws, row.known_listed, row.verdict) == (3, 3, "proved")


METRICS: dict[str, Callable[[str], int]] = {
    "nmf": lambda name: 1,
    "icnn": lambda name: int(name.startswith("U") and not name.startswith("U1")),
    "first": lambda name: 2 * name.startswith("U1"),
    "cubic": lambda name: 3 * name.startswith("U2"),
}
"""The power of the metric of each array."""


def powers(network: MLP, power: Callable[[str], int]) -> Mirror:
    arrays = dict.fromkeys(name.partition("[")[0] for name in network.parameter_names())
    return Mirror(tuple((name, Power(power(name))) for name in arrays))


def power_of(exponent: int) -> oracle.Metric:
    return lambda x: x**exponent


@pytest.mark.parametrize("network", SMALL, ids=lambda network: network.name)
@pytest.mark.parametrize("metric", METRICS)
def test_mirror_flows(network: MLP, metric: str) -> None:
    row = counted(network, powers(network, METRICS[metric]))
    found = oracle.mirror(
        network, [power_of(METRICS[metric](name)) for name in network.parameter_names()]
    )
    assert (row.state, row.dim_lie, row.laws) == (found.state, found.dim_lie, found.laws)
    assert row.timeless is None


@pytest.mark.parametrize("network", SMALL, ids=lambda network: network.name)
def test_rates(network: MLP) -> None:
    ratio = {"U1": Fraction(1, 10), "U2": Fraction(3)}
    arrays = [name.partition("[")[0] for name in network.parameter_names()]
    rates = tuple((name, ratio[name]) for name in dict.fromkeys(arrays) if name in ratio)
    row = counted(network, Mirror((), rates))
    scales = oracle.common([ratio.get(name, Fraction(1)) for name in arrays])
    found = oracle.mirror(network, scales)
    assert (row.dim_lie, row.laws) == (found.dim_lie, found.laws)


@pytest.mark.parametrize("network", SMALL[:8] + SMALL[11:13], ids=lambda network: network.name)
@pytest.mark.parametrize("metric", ["nmf", "icnn"])
def test_momentum_on_a_metric(network: MLP, metric: str) -> None:
    power = METRICS[metric]
    row = counted(network, Momentum(Friction.NONE, powers(network, power)))
    scales = [power_of(power(name)) for name in network.parameter_names()]
    assert figures(row) == expected(oracle.momentum(network, 0, scales))


@pytest.mark.parametrize("network", SMALL[:8], ids=lambda network: network.name)
def test_momentum_with_rates(network: MLP) -> None:
    rates = (("U1", Fraction(1, 10)), ("U2", Fraction(3)))
    arrays = [name.partition("[")[0] for name in network.parameter_names()]
    row = counted(network, Momentum(Friction.NONE, Mirror((), rates)))
    scales = oracle.common([dict(rates).get(name, Fraction(1)) for name in arrays])
    assert figures(row) == expected(oracle.momentum(network, 0, scales))
    assert (row.verdict == "proved") == (network != ONE_AT_HEART)
