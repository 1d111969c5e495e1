"""Symmetries of φ that split the search for polynomial laws: sign flips and permutations of neurons.

Sign flips. If ``s ∈ {±1}^D`` maps every component of φ to ± itself, then it maps laws to laws, so the laws split by the parity
character of their monomials. Such flips come with labels on the parameters: flipping a label flips every parameter that bears it.
An ungated hidden neuron is a label of all weights around it (each term of a component that meets one meets the other once).
An input, an output or a gated neuron ends a stretch of linear layers: components on its two sides are told apart by the probe, so
its two sides are separate labels; a weight between two such ends is a factor of its own, with a label of its own. The biases of
one stretch come from one source, one label. With zero-sum output weights, components are differences between outputs,
so the output neurons share one label.

Permutations. Neurons of one layer may be permuted, if their labels are permuted alike; this is used for inputs, for ungated
hidden neurons and for outputs, whose labels are one per neuron. Two classes of monomials whose sets of odd
labels have as many members of every kind lie in one orbit, so one of them need be solved.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from conslaw_cli.network import Dense, Gate, Network

Index = NDArray[np.intp]
NONE = -1


@dataclass(frozen=True, slots=True)
class Symmetry:
    """Labels of the D parameters, and which of them may be permuted.

    labels: (D, 2), the labels each parameter bears, NONE for less than two.
    strides: (D, 2), by how much the parameter's index grows when that label moves to the next one of its kind.
    kinds: one number per label; labels of one kind are consecutive and may be permuted among each other.
    """

    labels: Index
    strides: Index
    kinds: Index

    def carry(self, source: Index, target: Index) -> Index:
        """Return the new index of every parameter under a permutation that maps the labels ``source`` to ``target``.

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


def symmetry(network: Network) -> Symmetry:
    """Read the labels off a chain of dense layers and gates."""
    hand = _Hand(network.parameters)
    layers = [block for block in network.blocks if isinstance(block, Dense)]
    gated = {block for block, following in pairwise(network.blocks) if isinstance(following, Gate)}
    read: Index | None = None  # labels of the units the next layer reads, None where a stretch begins
    for layer in layers:
        last = layer is layers[-1]
        ends = layer in gated or (last and not network.zero_sum)
        if read is None:
            source = hand.fresh(1, alike=False)
            if ends:
                hand.own(layer.written())
                continue
            read = hand.fresh(layer.inputs, alike=layer is layers[0])
        if last and network.zero_sum:
            written = hand.fresh(1, alike=False).repeat(layer.outputs)
        else:
            written = hand.fresh(layer.outputs, alike=layer not in gated)
        hand.both(layer.read(), read, written)
        if layer.bias is not None:
            hand.both(layer.written()[:, -1:].T, source, written)
        read = None if ends else written
    return Symmetry(hand.labels, hand.strides, np.array(hand.kinds, dtype=np.intp))
