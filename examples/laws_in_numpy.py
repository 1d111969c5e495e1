"""The laws as functions of NumPy arrays, watched while a network is trained.

The larger the steps, the less gradient descent keeps what gradient flow keeps: halving them halves
the drift.

$ python examples/laws_in_numpy.py
linear 2-2-1: 3 laws found, of 3
step 0.01: the laws drift by 0.0008 while the loss falls from 0.199 to 0.000
step 0.005: the laws drift by 0.0004 while the loss falls from 0.199 to 0.000
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from conslaw_cli import MLP, count_laws, find_laws

Array = NDArray[np.float64]
TARGET = np.array([[1.0], [-0.5]])
START = np.array([0.9, 0.1, -0.4, 0.6, 0.5, -0.7])


def laws_of(network: MLP) -> Callable[[Array], Array]:
    """Return the polynomial laws of degree up to 2 as one function of θ."""
    polynomials = [law.polynomial for law in find_laws(network, 2).generators]

    def values(theta: Array) -> Array:
        terms = [[c * np.prod(theta[list(m)]) for c, m in each.terms] for each in polynomials]
        return np.array([sum(each) for each in terms])

    return values


def loss_and_gradient(theta: Array) -> tuple[float, Array]:
    """Return ‖U1 U2 − target‖² / 2 and its gradient."""
    first, second = theta[:4].reshape(2, 2), theta[4:].reshape(2, 1)
    error = first @ second - TARGET
    parts = (error @ second.T, first.T @ error)
    return float((error**2).sum() / 2), np.concatenate([part.ravel() for part in parts])


def train(step: float, time: float = 20.0) -> tuple[Array, float, float]:
    """Run gradient descent; return the parameters and the losses before and after."""
    theta, before = START.copy(), loss_and_gradient(START)[0]
    for _ in range(round(time / step)):
        theta -= step * loss_and_gradient(theta)[1]
    return theta, before, loss_and_gradient(theta)[0]


if __name__ == "__main__":
    network = MLP((2, 2, 1), "linear")
    laws = laws_of(network)
    print(f"{network.name}: {len(laws(START))} laws found, of {count_laws(network).laws}")
    for step in (0.01, 0.005):
        theta, before, after = train(step)
        drift = np.abs(laws(theta) - laws(START)).max()
        print(
            f"step {step:g}: the laws drift by {drift:.4f} while the loss falls from {before:.3f}"
            f" to {after:.3f}"
        )
