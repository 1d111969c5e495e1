"""Which matrices on the places of a value two layers absorb (correlations.py).

A tap reads a place, and a window has it, at most once, so the equations say that entries of R, A
and B are equal, or 0: what is absorbed is spanned by *classes* of entries. R[t,t'] is 0 unless t
and t' have the same window of the writer and are read by the same windows. Around a circle that
kernels cover, classes are the translations by one lag; behind a transposed convolution of stride s,
in front of a layer that tells its places apart, they join places of two residues modulo s. The
identity is absorbed by all layers; its laws are those of the wiring.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from math import prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from conslaw_cli.networks.correlations import Class, Correlations, Pairs
from conslaw_cli.networks.known_laws import Index
from conslaw_cli.networks.operation import Shape
from conslaw_cli.networks.operations.convolution import Gather, Grouped
from conslaw_cli.networks.operations.dense import Linear
from conslaw_cli.networks.operations.reshape import Flat
from conslaw_cli.networks.plan import Plan, Step
from conslaw_cli.networks.wiring import Array

PLACES = 512
"""Places up to which classes are looked for: there are P² entries, read P times."""
FREE = np.iinfo(np.intp).max
"""Of an entry of A or B of which no equation has spoken."""


class _Layer(NamedTuple):
    """A matrix and perhaps a bias, the value that it reads, and the place that each tap reads for
    each window there, ``places`` for none.
    """

    arrays: tuple[Array, ...]
    source: int
    places: int
    reads: Index


def correlations(plan: Plan) -> list[Correlations]:
    """Return the laws of all values that one layer of windows writes and one reads."""
    made = {step.output: step for step in plan.steps}
    readers = Counter(place for step in plan.steps for place in step.inputs)
    readers.update(place for place, _ in plan.outputs)
    uses = Counter(used.array.name for step in plan.steps for used in step.arrays)
    layers = dict[int, _Layer | None]()
    for step in plan.steps:
        own = all(uses[u.array.name] == 1 and u.array.trainable for u in step.arrays)
        if own and isinstance(step.operation, Linear | Grouped) and readers[step.inputs[0]] == 1:
            layers[step.output] = _layer(step, plan, made)
    found = list[Correlations]()
    for reader in filter(None, layers.values()):
        place, gated = reader.source, False
        while readers[place] == 1 and place in made and made[place].operation.gated:
            (place,), gated = made[place].inputs, True
        writer = layers.get(place)
        if writer is not None and readers[place] == 1:
            found += _between(writer, reader, plan.shapes[place], gated)
    return found


def _layer(step: Step, plan: Plan, made: Mapping[int, Step]) -> _Layer | None:
    """Return the layer of windows, or of all places apart, whose matrix a step has."""
    gather = made.get(step.inputs[0])
    if gather is None or not isinstance(gather.operation, Gather | Flat):
        return None
    (source,) = gather.inputs
    places = prod(plan.shapes[source][1:])
    if max(places, prod(plan.shapes[step.output][1:])) > PLACES:
        return None
    reads: Index = np.arange(places)[:, None]
    if isinstance(gather.operation, Gather):
        reads = gather.operation.index
    return _Layer(tuple(used.array for used in step.arrays), source, places, reads)


def _between(writer: _Layer, reader: _Layer, shape: Shape, gated: bool) -> Iterator[Correlations]:
    """Yield the laws of the classes that two layers absorb, if there are some."""
    classes = _classes(writer, reader, shape[1:], gated)
    if classes:
        first, last, biases = writer.arrays[0], reader.arrays[0], writer.arrays[1:]
        taps, within = (len(writer.reads), len(reader.reads)), _blocks(shape[0], first, last)
        bias = biases[0] if biases else None
        yield Correlations(first, last, bias, taps, within, tuple(classes), gated)


def _blocks(units: int, *arrays: Array) -> tuple[int, ...]:
    """Return the sizes of the runs of units that no groups divide."""
    labels = np.stack([np.arange(units) * array.groups // units for array in arrays])
    starts = np.flatnonzero((labels[:, 1:] != labels[:, :-1]).any(axis=0)) + 1
    return tuple(np.diff([0, *starts, units]).tolist())


def _classes(writer: _Layer, reader: _Layer, extents: Shape, gated: bool) -> list[Class]:
    """Return the classes but the last of those on the diagonal, which add up to the identity; none
    where a window has a place twice.
    """
    if _twice(writer) or _twice(reader):
        return []
    may = _same_windows(writer) & _same_readers(reader)
    may |= np.eye(len(may), dtype=np.bool_)
    if gated:
        may &= np.eye(len(may), dtype=np.bool_)
    everywhere = (writer.reads < writer.places).all(axis=1).any()
    if everywhere and np.count_nonzero(may) == len(may):
        return []  # a tap at all places makes these one class
    labels = _Labels(may, len(writer.reads), len(reader.reads))
    labels.settle(writer, reader)
    return [*labels.classes(extents, len(writer.arrays) > 1)]


def _twice(layer: _Layer) -> bool:
    rows = np.sort(layer.reads, axis=0)
    return bool(((rows[1:] == rows[:-1]) & (rows[1:] < layer.places)).any())


def _same_windows(layer: _Layer) -> NDArray[np.bool_]:
    """Return which places, that read something, have the same window."""
    windows = np.sort(layer.reads, axis=0).T
    _, same = np.unique(windows, axis=0, return_inverse=True)
    full = (windows < layer.places).any(axis=1)
    return np.equal.outer(same.ravel(), same.ravel()) & np.logical_and.outer(full, full)


def _same_readers(layer: _Layer) -> NDArray[np.bool_]:
    """Return which places are in the same windows."""
    inside = np.zeros((layer.places + 1, layer.reads.shape[1]), np.bool_)
    inside[layer.reads, np.arange(layer.reads.shape[1])] = True
    _, same = np.unique(inside[:-1], axis=0, return_inverse=True)
    return np.equal.outer(same.ravel(), same.ravel())


class _Labels:
    """Labels of the entries of R, A and B: equal ones are those of a class, 0 is the zero."""

    def __init__(self, may: NDArray[np.bool_], written: int, read: int) -> None:
        places = len(may)
        self.r = np.where(may, np.arange(1, places**2 + 1).reshape(places, places), 0)
        self.a = np.full((written, written), FREE)
        self.b = np.full((read, read), FREE)

    def settle(self, writer: _Layer, reader: _Layer) -> None:
        """Make labels equal that equations and transposition join."""
        at = _reading(writer)
        before = None
        while (now := [part.tobytes() for part in (self.r, self.a, self.b)]) != before:
            before = now
            for t in range(len(self.r)):
                self._written(writer, at, t)
            for q in range(reader.reads.shape[1]):
                self._read(reader, q)
            self._transpose()
        for part in (self.a, self.b):
            part[part == FREE] = 0

    def _written(self, writer: _Layer, at: Index, t: int) -> None:
        """``R[t,t'] = A[k',k]`` where k reads for t' what k' reads for t; A is 0 if no t' is."""
        taps = np.flatnonzero(writer.reads[:, t] < writer.places)
        others = at[:, writer.reads[taps, t]].T
        least = np.minimum(self.a[taps], np.where(others < 0, 0, self.r[t, others]))
        self.a[taps] = least
        np.minimum.at(self.r[t], others[others >= 0], least[others >= 0])

    def _read(self, reader: _Layer, q: int) -> None:
        """``R[v(k,q),v(k',q)] = B[k',k]``, which is 0 if one of these is no place."""
        inside = reader.reads[:, q] < reader.places
        self.b[np.not_equal.outer(inside, inside)] = 0
        taps = np.flatnonzero(inside)
        places = reader.reads[taps, q]
        least = np.minimum(self.b[np.ix_(taps, taps)], self.r[np.ix_(places, places)].T)
        self.b[np.ix_(taps, taps)], self.r[np.ix_(places, places)] = least, least.T

    def _transpose(self) -> None:
        """Make the transposed matrices of a class those of one."""
        partner = self._partner()
        for part in (self.r, self.a, self.b):
            known = part != FREE
            both = np.minimum(part.T[known], partner[part[known]])
            part.T[known] = both

    def _partner(self) -> Index:
        """Return the least label of the transposed entries of each."""
        partner = np.full(self.r.size + 1, FREE)
        for part in (self.r, self.a, self.b):
            known = part != FREE
            np.minimum.at(partner, part[known], part.T[known])
        partner[0] = 0
        return partner

    def classes(self, extents: Shape, biased: bool) -> Iterator[Class]:
        """Yield the classes, each with its partner, in the order of their first entries."""
        partner, diagonal = self._partner(), np.unique(self.r.diagonal())
        for label in np.unique(self.r)[1:].tolist():
            other = int(partner[label])
            if label <= other and label != diagonal[-1]:
                yield from self._class({label}, {label, other}, extents, biased)

    def _class(
        self, own: set[int], both: set[int], extents: Shape, biased: bool
    ) -> Iterator[Class]:
        """Yield a class; beside a bias one whose rows have equal sums, with its partner if not
        alone.
        """
        for labels in (own, both):
            inside = np.isin(self.r, [*labels])
            rows = inside.sum(axis=1)
            if not biased or (rows == rows[0]).all():
                written, read = _pairs(self.a, labels), _pairs(self.b, labels)
                partner, sums = labels != both, biased * int(rows[0])
                yield Class(written, read, _lag(inside, extents), partner, sums)
                return


def _reading(layer: _Layer) -> Index:
    """Return for each tap and each place read the window that it does so for, −1 for none."""
    taps, windows = layer.reads.shape
    found = np.full((taps, layer.places + 1), -1)
    found[np.arange(taps)[:, None], layer.reads] = np.arange(windows)
    return found


def _pairs(part: Index, labels: set[int]) -> Pairs:
    found = np.argwhere(np.isin(part, [*labels])).tolist()
    return tuple((k, j) for k, j in sorted(found, key=lambda pair: pair[::-1]))


def _lag(inside: NDArray[np.bool_], extents: Shape) -> tuple[int, ...]:
    """Return by how much a matrix translates all places, () for one that is no translation."""
    if (inside.sum(axis=1) != 1).any():
        return ()
    from_, to = (np.stack(np.unravel_index(each, extents)) for each in np.nonzero(inside))
    lags = np.unique((to - from_) % np.array(extents)[:, None], axis=1)
    return tuple(lags[:, 0].tolist()) if lags.shape[1] == 1 else ()
