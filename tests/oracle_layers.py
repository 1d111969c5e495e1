"""A slow, plain count for networks given by layers and for attention, to check the engine against.

Every layer is written down from its definition, by loops, with polynomials for numbers: what a unit
holds is a sum of products of inputs, slopes of activations and parameters. The coefficients of the
distinct products of inputs and slopes, for each output on its own, are the components of φ; the
rest is the algorithm of oracle.py. From the program this file takes the description of a network,
``Layers``, and nothing that computes.

Parameters are numbered layer by layer, the weights U before the bias b. U has one row per number
that it reads and one column per unit or channel that it writes; a convolution reads its window
channel by channel, tap by tap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import oracle
from oracle import Poly
from sympy import QQ, ZZ
from sympy.polys.rings import ring

from conslaw_cli.families.layers import Branch, Layer, Layers
from conslaw_cli.networks.operations.convolution import Convolution, Pool, TransposedConvolution
from conslaw_cli.networks.operations.dense import Linear
from conslaw_cli.networks.operations.elementwise import Activation
from conslaw_cli.networks.operations.reshape import Flat

IDENTITY = ("linear", "identity")
Place = tuple[int, ...]
"""Where a number stands: its unit or channel, then its row and column in an image."""
Sum = dict[frozenset[object], Poly]
"""A sum over products of inputs and slopes: the coefficient, a polynomial in θ, of each product."""
Values = dict[Place, Sum]


@dataclass(frozen=True)
class Map:
    """A reparametrisation: the parameters θ and polynomials with integer coefficients whose
    gradients span W_φ.
    """

    gens: tuple[Poly, ...]
    components: tuple[Poly, ...]

    def fields(self) -> list[oracle.Field]:
        """Return a basis of W_φ: gradients of components, each independent of those before it."""
        fields = [oracle.gradient(poly, self.gens) for poly in dict.fromkeys(self.components)]
        entries = [
            {(e, m): int(c) for e, entry in enumerate(f) for m, c in entry.terms()} for f in fields
        ]
        columns = list(dict.fromkeys(key for row in entries for key in row))
        span = oracle.Span()
        return [
            f
            for f, row in zip(fields, entries, strict=True)
            if span.add([row.get(key, 0) for key in columns])
        ]


def count(phi: Map, known: Sequence[Poly], seed: int = 0) -> oracle.Count:
    """Count the laws of φ at one random point, and the independent ones among the known laws."""
    point, span = oracle.random_point(len(phi.gens), seed), oracle.Span()
    for law in known:
        span.add([oracle.evaluate(x, point) for x in oracle.gradient(law, phi.gens)])
    trace = oracle.closure(phi.fields(), phi.gens, point) or (0,)
    return oracle.Count(len(phi.gens), trace, len(known), span.dimension)


# ---- attention


def attention(dim: int, heads: int, head_dim: int) -> Map:
    """Return φ = (Q_h K_h, V_h O_h)_h, θ being Q_1, K_1, V_1, O_1, Q_2, … row by row."""
    gens = ring([f"t{i}" for i in range(4 * heads * dim * head_dim)], ZZ)[1:]
    symbols, components = iter(gens), []
    for _ in range(2 * heads):
        left = [[next(symbols) for _ in range(head_dim)] for _ in range(dim)]
        right = [[next(symbols) for _ in range(dim)] for _ in range(head_dim)]
        for i, j in product(range(dim), repeat=2):
            components.append(sum(left[i][k] * right[k][j] for k in range(head_dim)))
    return Map(tuple(gens), tuple(components))


# ---- layers


def layered(network: Layers) -> Map:
    """Return φ of a network, its components multiplied by the denominators of averages."""
    gens, values = outputs(network)
    if network.loss == "cross_entropy":  # its gradient in the outputs is any w with Σ w_o = 0
        values = [_added([value, _times(values[0], -1)]) for value in values[1:]]
    polys = [poly.clear_denoms()[1] for value in values for poly in value.values()]
    integer, *symbols = ring([str(x) for x in gens], ZZ)
    return Map(
        tuple(symbols),
        tuple(integer.from_dict({m: int(c) for m, c in poly.terms()}) for poly in polys),
    )


def outputs(network: Layers) -> tuple[tuple[Poly, ...], list[Sum]]:
    """Return θ and the outputs.

    Inputs are called ("input", place), slopes ("slope", n), n = 1, 2, … layer by layer.
    """
    counted = _Weights(lambda i: 1, 1)
    _forward(network, counted)
    rational, *symbols = ring([f"t{i}" for i in range(counted.used)], QQ)
    return tuple(symbols), _forward(network, _Weights(symbols.__getitem__, rational.one))


@dataclass
class _Weights:
    """Hands out the parameters in order, each once. ``one`` is the number 1."""

    parameter: Callable[[int], Any]
    one: Any
    used: int = 0
    slopes: int = 0

    def take(self) -> Any:
        self.used += 1
        return self.parameter(self.used - 1)


def _forward(network: Layers, weights: _Weights) -> list[Sum]:
    places = product(*map(range, network.input))
    values = _chain(
        network.layers,
        {place: {frozenset([("input", place)]): weights.one} for place in places},
        weights,
    )
    return [values[place] for place in sorted(values)]


def _chain(layers: Iterable[Layer], values: Values, weights: _Weights) -> Values:
    for layer in layers:
        values = _apply(layer, values, weights)
    return values


def _apply(layer: Layer, values: Values, weights: _Weights) -> Values:
    match layer:
        case Linear(units, bias):
            return _dense(values, units, bias, weights)
        case Convolution():
            return _convolution(layer, values, weights)
        case TransposedConvolution():
            return _transposed(layer, values, weights)
        case Pool(kernel, stride):
            return _average(values, kernel, stride)
        case Flat():
            return {(i,): values[place] for i, place in enumerate(sorted(values))}
        case Activation(name):
            return (
                values
                if name in IDENTITY
                else {place: _gated(values[place], weights) for place in sorted(values)}
            )
        case Branch(layers):
            branch = _chain(layers, values, weights)
            return {place: _added([value, branch[place]]) for place, value in values.items()}
        case _:
            raise NotImplementedError(f"{layer} has no plain counterpart")


def _dense(values: Values, units: int, bias: bool, weights: _Weights) -> Values:
    """z_j = Σ_i h_i U_ij + b_j."""
    matrix = [[weights.take() for _ in range(units)] for _ in values]
    shift = [weights.take() for _ in range(units) if bias]
    result: Values = {}
    for j in range(units):
        terms = [_times(values[(i,)], matrix[i][j]) for i in range(len(values))]
        result[(j,)] = _added([*terms, *_constant(shift[j : j + 1])])
    return result


def _convolution(layer: Convolution, values: Values, weights: _Weights) -> Values:
    """z_j(o) = Σ_{i, t} h_i(o · stride + t · dilation − offset) U_{i t, j} + b_j, over the taps t
    of the kernel and the channels i of the group of j; U has a row for every i and t, a column for
    every j of the group.
    """
    sizes = _sizes(values)
    channels, taps = (
        range(1 + max(place[0] for place in values)),
        list(product(*map(range, layer.kernel))),
    )
    written = layer.channels // layer.groups
    group = {i: i // (len(channels) // layer.groups) for i in channels}
    matrix = {
        (i, tap): {group[i] * written + j: weights.take() for j in range(written)}
        for i in channels
        for tap in taps
    }
    shift = [weights.take() for _ in range(layer.channels) if layer.bias]
    result: Values = {}
    for j, out in product(range(layer.channels), places(layer, sizes)):
        terms = _constant(shift[j : j + 1])
        for i, tap in product(channels, taps):
            read = read_at(layer, sizes, out, tap)
            if (i, *read) in values and j in matrix[i, tap]:
                terms.append(_times(values[(i, *read)], matrix[i, tap][j]))
        result[(j, *out)] = _added(terms)
    return result


def _transposed(layer: TransposedConvolution, values: Values, weights: _Weights) -> Values:
    """z_j(o) = Σ_{i, t} h_i(p) U_{i t, j} + b_j, over all p and t with o = p · stride + t −
    padding.
    """
    sizes, channels = _sizes(values), sorted({place[0] for place in values})
    taps = list(product(*map(range, layer.kernel)))
    matrix = {
        (i, t): [weights.take() for _ in range(layer.channels)] for i in channels for t in taps
    }
    shift = [weights.take() for _ in range(layer.channels) if layer.bias]
    sides = zip(sizes, layer.kernel, layer.stride, layer.padding, strict=True)
    outs = [range((n - 1) * s - 2 * p + k) for n, k, s, p in sides]
    terms = {
        (j, *out): _constant(shift[j : j + 1])
        for j, out in product(range(layer.channels), product(*outs))
    }
    for (i, *place), tap in product(sorted(values), taps):
        at = zip(place, tap, layer.stride, layer.padding, strict=True)
        out = tuple(p * s + t - cut for p, t, s, cut in at)
        for j in range(layer.channels):
            if (j, *out) in terms:
                terms[(j, *out)].append(_times(values[(i, *place)], matrix[i, tap][j]))
    return {place: _added(each) for place, each in terms.items()}


def places(layer: Convolution, sizes: Place) -> Iterable[Place]:
    """Yield the output positions: every window that fits without padding, else one for every stride
    begun.
    """
    if layer.padding == "valid":
        starts = [
            range(0, n - (k - 1) * d, s)
            for n, k, s, d in zip(sizes, layer.kernel, layer.stride, layer.dilation, strict=True)
        ]
    else:
        starts = [range(0, n, s) for n, s in zip(sizes, layer.stride, strict=True)]
    return product(*(range(len(start)) for start in starts))


def read_at(layer: Convolution, sizes: Place, out: Place, tap: Place) -> Place:
    """Return the position that a tap reads; outside of the image there are zeros.

    "same" pads with as few zeros as the windows need, half of them before the image, an odd one
    behind it.
    """
    read = []
    for o, t, n, k, s, d in zip(
        out, tap, sizes, layer.kernel, layer.stride, layer.dilation, strict=True
    ):
        at = o * s + t * d
        if layer.padding == "circular":
            at %= n
        if layer.padding == "same":
            last = (n - 1) // s * s
            at -= max(last + (k - 1) * d + 1 - n, 0) // 2
        read.append(at)
    return tuple(read)


def _average(values: Values, kernel: Place, stride: Place) -> Values:
    """Average over every window that fits; one size stands for all directions."""
    sizes = _sizes(values)
    kernel, stride = (x * len(sizes) if len(x) == 1 else x for x in (kernel, stride))
    window = list(product(*map(range, kernel)))
    places = product(
        *(range(0, n - k + 1, s) for n, k, s in zip(sizes, kernel, stride, strict=True))
    )
    result = {}
    for start in places:
        out = tuple(a // s for a, s in zip(start, stride, strict=True))
        for i in range(1 + max(place[0] for place in values)):
            read = [(i, *(a + t for a, t in zip(start, tap, strict=True))) for tap in window]
            result[(i, *out)] = _times(
                _added([values[place] for place in read]), QQ(1, len(window))
            )
    return result


def _sizes(values: Values) -> Place:
    """Return the spatial sizes of an image."""
    return tuple(1 + max(places) for places in list(zip(*values, strict=True))[1:])


def _gated(value: Sum, weights: _Weights) -> Sum:
    """Multiply by a slope of its own."""
    weights.slopes += 1
    return {key | {("slope", weights.slopes)}: poly for key, poly in value.items()}


def _constant(bias: Sequence[Poly]) -> list[Sum]:
    """Return the term of a bias, if there is one."""
    return [{frozenset(): b} for b in bias]


def _times(value: Sum, factor: Any) -> Sum:
    return {key: poly * factor for key, poly in value.items()}


def _added(terms: Iterable[Sum]) -> Sum:
    total: Sum = {}
    for term in terms:
        for key, poly in term.items():
            total[key] = total[key] + poly if key in total else poly
    return total
