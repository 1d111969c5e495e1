"""What a network is trained on: losses, data and parameters, drawn from a seed or read from files.

Losses are means over samples. mse: ``½‖y − target‖²``. logistic: ``Σ log(1 + e^{−target·y})`` over
the outputs, targets ±1. cross_entropy: ``−log softmax(y)[class]``. A φ of one's own has one sample,
itself, under mse: ``½‖φ(θ) − target‖²``.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from conslaw_cli import checks
from conslaw_cli.errors import SpecError
from conslaw_cli.problems.problem import Loss, Problem
from conslaw_cli.simulation.integrator import Vector
from conslaw_cli.simulation.models import Model, Named, Phi, model_of

DRAWS = 1000
"""Points at which a φ is tried."""

TARGET = "target"
"""The name of what a φ is to be; y is often one of its variables."""

BUFFER = "buffer"
"""What stands, with a slash, before the names of the arrays of momentum's first buffer."""

Given = Mapping[str, NDArray[np.float64]]
"""Arrays by name."""


@dataclass(frozen=True, slots=True, eq=False)
class Objective:
    """A loss on samples, as a function of θ.

    fixed: the constants. inputs: (samples, numbers). targets: (samples, outputs), or classes
    (samples,) under cross-entropy.
    """

    model: Model
    loss: Loss
    fixed: Vector
    inputs: Vector
    targets: Vector

    @property
    def samples(self) -> int:
        """How many there are."""
        return len(self.targets)

    def at(self, theta: Vector, rows: NDArray[np.intp] | None = None) -> tuple[float, Vector]:
        """Return the loss at θ and its gradient, of all samples or of those of some numbers."""
        inputs, targets = self.inputs, self.targets
        if rows is not None:
            inputs, targets = inputs[rows], targets[rows]
        outputs, pull = self.model.evaluated(theta, self.fixed, inputs)
        losses, by_outputs = _LOSSES[self.loss](outputs, targets)
        return float(losses.mean()), pull(by_outputs / len(targets))

    def frozen(self, theta: Vector) -> Objective | None:
        """Return it with the gates held that samples have at θ; None if there are none."""
        inputs = self.model.gated(theta, self.fixed, self.inputs)
        return None if inputs is None else replace(self, inputs=inputs)

    def loss_at(self, theta: Vector) -> float:
        """Return the loss of all samples."""
        outputs, _ = self.model.evaluated(theta, self.fixed, self.inputs)
        return float(_LOSSES[self.loss](outputs, self.targets)[0].mean())

    def gradient(self, theta: Vector) -> Vector:
        """Return the gradient of the loss of all samples."""
        return self.at(theta)[1]

    def arrays(self) -> dict[str, Vector]:
        """Return constants and data by name, as files have them."""
        model, start = self.model, 0
        found = named(model.constants, self.fixed)
        for name, shape in model.inputs:
            part = self.inputs[:, start : start + prod(shape)]
            found[name], start = part.reshape(len(part), *shape), start + prod(shape)
        return found | ({"y": self.targets} if model.inputs else {TARGET: self.targets[0]})


def _squares(y: Vector, target: Vector) -> tuple[Vector, Vector]:
    return ((y - target) ** 2).sum(axis=1) / 2, y - target


def _logistic(y: Vector, sign: Vector) -> tuple[Vector, Vector]:
    margin = sign * y
    return np.logaddexp(0, -margin).sum(axis=1), -sign / (1 + np.exp(margin))


def _cross_entropy(y: Vector, label: Vector) -> tuple[Vector, Vector]:
    rows, shifted = np.arange(len(y)), y - y.max(axis=1, keepdims=True)
    powers = np.exp(shifted)
    totals = powers.sum(axis=1, keepdims=True)
    by_outputs = powers / totals
    by_outputs[rows, label.astype(np.intp)] -= 1
    return np.log(totals[:, 0]) - shifted[rows, label.astype(np.intp)], by_outputs


_LOSSES = {Loss.MSE: _squares, Loss.LOGISTIC: _logistic, Loss.CROSS_ENTROPY: _cross_entropy}


def objective(
    problem: Problem, rng: np.random.Generator, samples: int, data: Given | None, at: Given | None
) -> tuple[Objective, Vector]:
    """Return what a problem is trained on, and θ to begin with: given, or standard normal, entries
    of matrices and kernels divided by the root of what a unit reads.

    data: the inputs by name, (samples, …), and ``y``, what the outputs are to be; of a φ ``target``
    alone. at: parameters and constants by name. Raise SpecError for a name that is missing, a shape
    or a number that does not fit, and for fields of one's own.
    """
    model = model_of(problem)
    theta, fixed = _parameters(model, rng) if at is None else _given_parameters(model, at)
    phi = not model.inputs
    loss = Loss.MSE if phi else problem.loss
    whole = sum(each.size for each in model.inputs)
    if data is None:
        samples = 1 if phi else samples
        inputs = rng.standard_normal((samples, whole))
        targets = _targets(loss, rng, samples, model.outputs)
    elif phi:
        inputs = np.empty((1, 0))
        targets = taken("data", data, Named(TARGET, (model.outputs,))).reshape(1, -1)
    else:
        samples = _samples(data, [each.name for each in model.inputs])
        parts = [
            taken("data", data, Named(each.name, (samples, *each.shape))) for each in model.inputs
        ]
        inputs = np.concatenate([part.reshape(samples, -1) for part in parts], axis=1)
        targets = _given_targets(loss, data, samples, model.outputs)
    return Objective(model, loss, fixed, inputs, targets), theta


def _parameters(model: Model, rng: np.random.Generator) -> tuple[Vector, Vector]:
    """Draw θ and constants; of a φ where it is defined, variables of the signs that it is meant
    for if need be.
    """
    for draw in range(DRAWS):
        theta, fixed = (_drawn(each, rng) for each in (model.arrays, model.constants))
        if not isinstance(model, Phi):
            return theta, fixed
        point = np.concatenate([theta, fixed])
        if draw % 2:
            point = np.abs(point) * model.formula.signs
        if model.formula.defined(point):
            return point[: len(theta)], point[len(theta) :]
    raise SpecError(f"φ is defined at none of {DRAWS:,} points that were drawn: give one by --at")


def _drawn(arrays: Iterable[Named], rng: np.random.Generator) -> Vector:
    parts = [rng.standard_normal(each.size) / np.sqrt(prod(each.shape[:-1])) for each in arrays]
    return np.concatenate([np.empty(0), *parts])


def _targets(loss: Loss, rng: np.random.Generator, samples: int, outputs: int) -> Vector:
    if loss is Loss.CROSS_ENTROPY:
        return rng.integers(outputs, size=samples).astype(np.float64)
    drawn = rng.standard_normal((samples, outputs))
    return np.where(drawn > 0, 1.0, -1.0) if loss is Loss.LOGISTIC else drawn


# ---- what is given


def read(path: str) -> Given:
    """Return the arrays of a file .npz, which is read without pickle. Raise SpecError if it is no
    such file, or has arrays of anything but real numbers.
    """
    try:
        with open(path, "rb") as stream:
            file = np.load(stream, allow_pickle=False)
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise SpecError(f"{path}: expected arrays by name, an .npz file, got one array")
            found = {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else error
        raise SpecError(f"{path}: expected arrays in an .npz file: {reason}") from None
    for name, array in found.items():
        if array.dtype.kind not in "fiub":
            raise SpecError(f"{path}: {name}: expected real numbers, got {array.dtype}")
    return {name: array.astype(np.float64) for name, array in found.items()}


def within(key: str, given: Given) -> dict[str, NDArray[np.float64]]:
    """Return the arrays whose names begin with a key and a slash, by what follows."""
    start = f"{key}/"
    return {name.removeprefix(start): given[name] for name in given if name.startswith(start)}


def taken(key: str, given: Given, wanted: Named) -> Vector:
    """Return an array by its name. Raise SpecError, which begins with a key, if it is missing, has
    another shape, or if one of its entries is no number or infinite.
    """
    name, shape = wanted
    if name not in given:
        known = [each for each in given if "/" not in each]
        shown, meant = ", ".join(known[:20]) or "none", checks.near(name, known)
        raise SpecError(f"{key}: expected an array {name}, got {shown}{meant}")
    array = np.asarray(given[name], np.float64)
    if array.shape != shape:
        raise SpecError(f"{key}: {name}: expected the shape {shape}, got {array.shape}")
    if not np.isfinite(array).all():
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise SpecError(f"{key}: {name}: expected finite numbers, got {array[place]} at {place}")
    return array


def _given_parameters(model: Model, at: Given) -> tuple[Vector, Vector]:
    theta, fixed = (
        np.concatenate([np.empty(0), *(taken("at", at, each).ravel() for each in arrays)])
        for arrays in (model.arrays, model.constants)
    )
    point = np.concatenate([theta, fixed])
    if isinstance(model, Phi) and not model.formula.defined(point):
        raise SpecError(
            "at: φ is not defined at this θ, or not where what is under its roots is positive"
        )
    return theta, fixed


def _samples(data: Given, inputs: Sequence[str]) -> int:
    """Return how many samples there are, by the first input that is there."""
    for name in inputs:
        if name in data and data[name].ndim:
            if not len(data[name]):
                raise SpecError(f"data: {name}: expected at least one sample, got none")
            return len(data[name])
    return 1


def _given_targets(loss: Loss, data: Given, samples: int, outputs: int) -> Vector:
    if loss is Loss.CROSS_ENTROPY:
        labels = taken("data", data, Named("y", (samples,)))
        wrong = (labels % 1 != 0) | (labels < 0) | (labels >= outputs)
        expected = f"the number of a class, from 0 to {outputs - 1}"
    else:
        labels = taken("data", data, Named("y", (samples, outputs)))
        wrong = np.abs(labels) != 1 if loss is Loss.LOGISTIC else np.zeros(labels.shape, np.bool_)
        expected = "1 or -1"
    if wrong.any():
        raise SpecError(f"data: y: expected {expected}, got {labels[wrong][0]:g}")
    return labels


def named(arrays: Sequence[Named], values: Vector) -> dict[str, Vector]:
    """Return the arrays by name that values, one behind the other, are the entries of."""
    found, start = dict[str, Vector](), 0
    for each in arrays:
        found[each.name] = values[start : start + each.size].reshape(each.shape)
        start += each.size
    return found
