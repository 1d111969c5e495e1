"""Biases that are added up, in random graphs: what is known of them under every flow, and how many
laws there are.
"""

from __future__ import annotations

from fractions import Fraction
from random import Random

import pytest
from graphs import Given

from conslaw_cli import Decay, Problem, count_laws
from conslaw_cli.flows import Asked
from conslaw_cli.flows.friction import Friction
from conslaw_cli.flows.gradient import GRADIENT
from conslaw_cli.flows.mirror import Mirror, Shorthand
from conslaw_cli.flows.momentum import Momentum
from conslaw_cli.networks.graph import Graph


def added(draw: Random) -> tuple[Given, int]:
    """A sum of gated branches with biases, perhaps behind a layer and before another, and how many
    differences of biases there are.
    """
    inputs, units, branches = draw.randint(1, 2), draw.randint(1, 2), draw.randint(2, 3)
    lines = [f"x[{inputs}]"]
    for k in range(branches):
        gate = draw.choice(["relu", "abs"])
        lines += [f"h{k}[{draw.randint(1, 2)}] = dense(x; U{k}, a{k})", f"g{k} = {gate}(h{k})"]
        lines.append(f"z{k}[{units}] = dense(g{k}; W{k}, b{k})")
        lines.append(f"s{k} = add(s{k - 1}, z{k})" if k else "s0 = linear(z0)")
    if draw.random() < 0.5:
        lines += [f"r = relu(s{branches - 1})", f"y[{draw.randint(1, 2)}] = dense(r; V)"]
    return Given(Graph.parse("\n".join(lines))), units * (branches - 1)


FLOWS: dict[str, tuple[Asked, int]] = {
    "gradient": (GRADIENT, 1),
    "decay": (Decay(), 1),
    "nmf": (Shorthand("nmf"), 1),
    "rates": (Mirror(rates=(("b0", Fraction(2, 3)), ("b1", Fraction(3)))), 1),
    **{f"momentum {each.value}": (Momentum(each), 2) for each in Friction},
    "momentum in a metric": (Momentum(metric=Shorthand("nmf")), 1),
    "momentum at rates": (Momentum(metric=Mirror(rates=(("b1", Fraction(2, 3)),))), 2),
}


@pytest.mark.parametrize("flow", FLOWS)
def test_differences_of_biases_are_laws_and_under_momentum_twice(flow: str) -> None:
    """One of each two laws under momentum has the time in it. Where the metric is not constant it
    is a law as well, but no polynomial, and is not listed.
    """
    asked, times = FLOWS[flow]
    for seed in range(6):
        network, differences = added(Random(seed))
        problem = Problem(network, asked)  # type: ignore[arg-type]
        row = count_laws(problem)
        assert row.known_listed == len(problem.laws())
        if flow.startswith("momentum"):
            assert row.known_independent == row.known_listed == times * differences
            assert row.laws == 2 * differences
        else:
            assert row.unknown_laws == 0
            assert (row.laws or 0) >= differences
        if problem.flow.dynamics.clock and row.unknown_laws == 0:
            assert row.timeless == (row.laws or 0) - problem.flow.timed(problem.families() or ())
