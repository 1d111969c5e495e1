"""What momentum keeps that gradient flow does not, and the other way round.

$ python examples/flow.py
linear 1-3-1 under gradient: state 6, dim Lie 1, laws 5
linear 1-3-1 under momentum: state 13, dim Lie 7, laws 6
linear 1-3-1 under momentum, friction 0: state 13, dim Lie 7, laws 6
linear 1-3-1 under momentum, friction 3/t: state 13, dim Lie 7, laws 6
linear 1-3-1 under decay: state 7, dim Lie 2, laws 5
"""

from __future__ import annotations

from conslaw_cli import MLP, Decay, Friction, Momentum, Problem, count_laws

FLOWS: dict[str, Momentum | Decay] = {
    "momentum": Momentum(),
    "momentum, friction 0": Momentum(Friction.NONE),
    "momentum, friction 3/t": Momentum(Friction.NESTEROV),
    "decay": Decay(),
}

if __name__ == "__main__":
    network = MLP((1, 3, 1), "linear")
    problems = {"gradient": Problem(network)}
    problems |= {name: Problem(network, flow) for name, flow in FLOWS.items()}
    for name, problem in problems.items():
        row = count_laws(problem)
        print(
            f"{network.name} under {name}: state {row.state}, dim Lie {row.dim_lie}, laws"
            f" {row.laws}"
        )
