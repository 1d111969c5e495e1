"""Small networks of every kind, for tests that hold something against the oracle."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from conslaw_cli.families.mlp import MLP, Bias, Loss

BIASES: tuple[Bias, ...] = (False, "hidden", "all")
LOSSES: tuple[Loss, ...] = ("mse", "cross_entropy")


def small_networks() -> Iterator[MLP]:
    """Yield all networks of depth 1 to 4, widths 1 to 3 and at most 7 parameters, linear, ReLU and
    mixed.
    """
    for depth in (1, 2, 3, 4):
        for kinds in product(("linear", "relu"), repeat=depth - 1):
            for widths, bias, loss in product(product((1, 2, 3), repeat=depth + 1), BIASES, LOSSES):
                network = MLP(widths, kinds, bias, loss)
                if network.parameters <= 7 and (bias != "hidden" or depth > 1):
                    yield network


SELECTED = [
    # Positively homogeneous activations share φ_ReLU.
    MLP((2, 2, 2), "leaky_relu", "hidden"),
    MLP((2, 1, 2, 1), "abs", "all"),
    MLP((1, 2, 1, 2), "homogeneous", "hidden", "cross_entropy"),
    MLP((1, 2, 2, 1), ("leaky_relu", "identity"), "hidden"),
    # Logistic loss, like squared error, satisfies condition (9).
    MLP((1, 2, 1), "linear", "all", "logistic"),
    MLP((2, 1, 2, 1), "relu", "hidden", "logistic"),
    MLP((1, 1, 1, 1, 1), ("linear", "relu", "linear"), "all", "logistic"),
    # No hidden layer.
    MLP((3, 3), "linear"),
    MLP((2, 3), "linear", "all"),
    MLP((2, 3), "relu", "all", "cross_entropy"),
    # One output under cross-entropy: nothing moves.
    MLP((3, 2, 1), "relu", "all", "cross_entropy"),
    # Known laws that depend on each other: a hidden layer wider than its neighbours together.
    MLP((1, 3, 1), "linear"),
    MLP((1, 3, 1, 2), "linear"),
    MLP((1, 3, 2), "linear", loss="cross_entropy"),
    # Linear networks with a law beyond the known ones, also where cross-entropy leaves one
    # output.
    MLP((1, 2, 2, 1), "linear"),
    MLP((1, 2, 3, 1), "linear"),
    MLP((1, 2, 2, 2, 1), "linear"),
    MLP((1, 2, 2, 1, 2), "linear"),
    MLP((3, 1, 2, 2, 1), "linear"),
    MLP((1, 2, 2, 2), "linear", loss="cross_entropy"),
    MLP((1, 2, 2, 1, 3), "linear", loss="cross_entropy"),
    MLP((1, 2, 2, 1, 2), ("linear", "linear", "relu")),
    MLP((2, 1, 2, 2, 1), ("relu", "linear", "linear")),
    # … which biases destroy; the iteration takes four steps.
    MLP((1, 2, 2, 1), "linear", "hidden"),
    MLP((1, 2, 2, 1), "linear", "all"),
    MLP((2, 1, 2, 1, 1), "linear", "all"),
    # Deeper or wider than the sample above.
    MLP((2, 3, 2), "linear"),
    MLP((2, 2, 2), "linear", "all"),
    MLP((2, 3, 2), "linear", "all", "cross_entropy"),
    MLP((2, 2, 2, 2), "linear"),
    MLP((2, 2, 3), "relu", "hidden", "cross_entropy"),
    MLP((2, 3, 2), "relu"),
    MLP((1, 2, 2, 1), "relu", "hidden"),
    MLP((2, 2, 2, 2), ("relu", "linear")),
    MLP((2, 2, 2, 1), ("linear", "relu"), "hidden"),
    MLP((2, 2, 1, 2, 1), ("relu", "linear", "relu")),
]
NETWORKS = list(dict.fromkeys([*small_networks(), *SELECTED]))
