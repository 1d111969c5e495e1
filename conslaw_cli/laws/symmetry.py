"""Symmetries of W_φ that split the search for polynomial laws: sign flips and permutations of
neurons.

Sign flips. If ``W_φ(sθ) = s W_φ(θ)`` for ``s ∈ {±1}^D``, then ``h ∘ s`` is a law with h, so the
laws split by the parity character of their monomials. Such flips come with labels on the
parameters: flipping a label flips every parameter that bears it. Every unit of a space (wiring.py)
is a label of all parameters that write or read it: the diagonal map that flips it commutes with
gates, and what it does to an input or an output is undone by flipping the probe there. All biases
share one more label: F is linear in the inputs and the biases together, so flipping the biases is
flipping the inputs and F. In a chain of dense layers and gates there are more. A gate's factor of
the probe may be flipped as well, so a gated neuron has one label for what writes it and another for
what reads it, and every stretch of linear layers has its own label for its biases; a layer between
two ends of stretches has a label for each of its parameters. (Components of φ are told apart by
where they start, end and pass gates, so each of them is multiplied by ±1.) Output weights that sum
to zero may be flipped all together only: one label.

Permutations. Units of one space may be permuted, if their labels are permuted alike. This is used
where there is one label per unit. Two classes of monomials whose sets of odd labels have as many
members of every kind lie in one orbit, so one of them need be solved.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conslaw_cli.networks.chains import straight
from conslaw_cli.networks.gradients import GradientFields

Index = NDArray[np.intp]
NONE = -1


@dataclass(frozen=True, slots=True)
class Symmetry:
    """Labels of the D parameters, and which of them may be permuted.

    labels: (D, 2), the labels each parameter bears, NONE for less than two.
    strides: (D, 2), by how much the parameter's index grows when that label moves to the next one
    of its kind.
    kinds: one number per label; labels of one kind are consecutive and may be permuted among each
    other.
    homogeneous: whether scaling θ maps W_φ to itself, so that the parts of a law of each degree are
    laws.
    """

    labels: Index
    strides: Index
    kinds: Index
    homogeneous: bool

    def carry(self, source: Index, target: Index) -> Index:
        """Return the new index of every parameter under a permutation that maps the labels
        ``source`` to ``target``.

        Both are sets of labels with as many members of every kind.
        """
        image = np.arange(len(self.kinds))
        for kind in np.unique(self.kinds[source]):
            members = np.flatnonzero(self.kinds == kind)
            chosen, goal = np.intersect1d(members, source), np.intersect1d(members, target)
            image[chosen] = goal
            image[np.setdiff1d(members, chosen)] = np.setdiff1d(members, goal)
        shift = np.append(image - np.arange(len(image)), 0)  # NONE reads the last entry: no move
        moved: Index = np.arange(len(self.labels)) + (shift[self.labels] * self.strides).sum(axis=1)
        return moved


def none(parameters: int) -> Symmetry:
    """Return no labels, which split nothing, for fields of which nothing is known."""
    hand = _Hand(parameters)
    return Symmetry(hand.labels, hand.strides, np.array(hand.kinds, dtype=np.intp), False)


def symmetry(fields: GradientFields) -> Symmetry:
    """Read the labels off a network."""
    hand = _Hand(fields.dimension)
    if straight(fields.graph):
        _label_chain(hand, fields)
    else:
        _label_spaces(hand, fields)
    kinds = np.array(hand.kinds, dtype=np.intp)
    return Symmetry(hand.labels, hand.strides, kinds, fields.graph.homogeneous)


class _Hand:
    """Hands out labels and writes them on parameters."""

    def __init__(self, parameters: int) -> None:
        self.labels = np.full((parameters, 2), NONE)
        self.strides = np.zeros((parameters, 2), dtype=np.intp)
        self.kinds: list[int] = []

    def fresh(self, count: int, *, alike: bool) -> Index:
        start, kind = len(self.kinds), self.kinds[-1] + 1 if self.kinds else 0
        self.kinds += [kind] * count if alike else list(range(kind, kind + count))
        return np.arange(start, start + count)

    def own(self, parameters: Index) -> None:
        self.labels[parameters.ravel(), 0] = self.fresh(parameters.size, alike=False)

    def both(self, parameters: Index, rows: Index, columns: Index) -> None:
        """Label a matrix of parameters by its rows and its columns."""
        at = parameters.ravel()
        self.labels[at, 0] = np.repeat(rows, parameters.shape[1])
        self.labels[at, 1] = np.tile(columns, parameters.shape[0])
        self.strides[at] = parameters.shape[1], 1

    def add(self, parameters: Index, labels: Index) -> None:
        """Write one more label on the parameters of each row, each of which has room for it."""
        stride = parameters[1, 0] - parameters[0, 0] if len(parameters) > 1 else 0
        place = (self.labels[parameters, 0] != NONE).astype(np.intp)
        self.labels[parameters, place] = labels[:, None]
        self.strides[parameters, place] = stride


def _label_chain(hand: _Hand, fields: GradientFields) -> None:
    steps = fields.graph.steps
    layers = [place for place, step in enumerate(steps) if step.operation.dense]
    read: Index | None = (
        None  # labels of the units the next layer reads, None where a stretch begins
    )
    for place in layers:
        matrix, *bias = (array.places for array, _ in steps[place].arrays)
        inputs, outputs = matrix.shape
        last = place == layers[-1]
        gated = steps[min(place + 1, len(steps) - 1)].operation.gated
        ends = gated or (last and not fields.zero_sum)
        if read is None:
            source = hand.fresh(1, alike=False)
            if ends:
                hand.own(np.concatenate([matrix, *bias]).T)
                continue
            read = hand.fresh(inputs, alike=place == layers[0])
        if last and fields.zero_sum:
            written = hand.fresh(1, alike=False).repeat(outputs)
        else:
            written = hand.fresh(outputs, alike=not gated)
        hand.both(matrix, read, written)
        for row in bias:
            hand.both(row, source, written)
        read = None if ends else written


def _label_spaces(hand: _Hand, fields: GradientFields) -> None:
    """Label all spaces, or nothing, which splits nothing, if the wiring of some parameters is not
    known (networks/wiring.py).
    """
    graph = fields.graph
    spaces = graph.wiring(fields.zero_sum).spaces()
    if spaces is None:
        return
    touching = [
        parameters.ravel() for space in spaces for parameters in (*space.written, *space.read)
    ]
    biases = [array.places.ravel() for array in graph.arrays if len(array.shape) == 1]
    bears = np.bincount(
        np.concatenate([np.empty(0, np.intp), *touching, *biases]), minlength=graph.dimension
    )
    if (bears != 2).any():
        return
    for space in spaces:
        together = space.wired and fields.zero_sum
        labels = (
            hand.fresh(1, alike=False).repeat(space.units)
            if together
            else hand.fresh(space.units, alike=True)
        )
        for parameters in (*space.written, *space.read):
            hand.add(parameters, labels)
    if biases:
        hand.add(np.concatenate(biases)[None], hand.fresh(1, alike=False))
