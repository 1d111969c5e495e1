"""Multi-layer perceptrons: linear, ReLU and mixed networks, with or without biases.

Network. ``widths = (n_0, …, n_q)`` from input to output, weight matrices ``U_l ∈ R^{n_{l-1} ×
n_l}``, row vectors ``h_l = σ_l(h_{l-1} U_l + b_l)`` for the hidden layers ``l < q`` and ``g(θ, x) =
h_{q-1} U_q + b_q``: without activations and biases ``g(θ, x) = x U_1 ⋯ U_q``. (The paper lets the
same product act on column vectors, so its n_0 is the output.)

Reparametrisation. ``σ_l`` linear: φ is the product of the matrices. ``σ_l`` positively homogeneous
of degree one (ReLU, leaky ReLU, …): φ_ReLU, indexed by the paths of the network (paper, eq. (15));
it is the same for all such activations. Mixed networks have one path variable for every homogeneous
neuron.

Known laws. Every hidden layer is a space written by ``(U_l, b_l)`` and read by ``U_{l+1}``: see
networks/wiring.py. Linear layers keep the symmetric matrix ``U_l^T U_l + b_l^T b_l − U_{l+1}
U_{l+1}^T``, homogeneous ones its diagonal (Prop. 4.1). For biases in linear networks use
homogeneous coordinates: ``b_l`` is a row of ``U_l`` that reads a unit which is constantly 1. The
map ``U_l → U_l e^{tS}, b_l → b_l e^{tS}, U_{l+1} → e^{-tS} U_{l+1}`` leaves the network function
unchanged for every symmetric S, so its generator is orthogonal to every field of W_φ; it is the
gradient of ``tr S(U_l^T U_l + b_l^T b_l − U_{l+1} U_{l+1}^T)/2``.

Loss. Squared error and logistic loss satisfy condition (9): output probes are free. The gradient of
the cross-entropy of a softmax lies in the hyperplane ``Σ w_i = 0`` and spans it (arXiv 2307.00144,
Remark B.6). Rotate the outputs by an orthogonal Q whose first column is constant: gradient flow is
equivariant, and the first column of ``U_q Q`` (and of ``b_q Q``) meets no field at all. So the row
sums of ``U_q`` and the sum of ``b_q`` are conserved, and everything else is the same network with
one output less under squared error.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from operator import mul
from typing import Any, ClassVar, Literal

from conslaw_cli import checks
from conslaw_cli.errors import SpecError
from conslaw_cli.networks.chains import Chain, scope, scope_of_chain
from conslaw_cli.networks.gradients import GradientFields
from conslaw_cli.networks.graph import Graph
from conslaw_cli.networks.operation import Input, Node
from conslaw_cli.networks.operations import elementwise
from conslaw_cli.networks.operations.dense import MAX_WIDTH, Linear
from conslaw_cli.networks.operations.elementwise import ACTIVATIONS, LINEAR
from conslaw_cli.networks.wired import Wired
from conslaw_cli.problems.losses import Chosen

Bias = Literal[False, "hidden", "all"]
Loss = Literal["mse", "logistic", "cross_entropy"]

BIASES: tuple[Bias, ...] = (False, "hidden", "all")
LOSSES: tuple[Loss, ...] = ("mse", "logistic", "cross_entropy")
MAX_DEPTH = 10**4


@dataclass(frozen=True, slots=True)
class MLP(Chosen, Wired):
    """A multi-layer perceptron to be counted.

    widths: neurons per layer, input first, output last; at least two of them. A list becomes a
    tuple, here as in ``activation``.
    activation: one name for all hidden layers, or one name per hidden layer.
    bias: False, "hidden" (every hidden layer) or "all" (the output layer too).
    loss: decides which output gradients training can produce.
    name: a label; by default it is made from the rest.

    Raise SpecError if a value is not one of these.

    >>> network = MLP((3, 4, 2), "relu", bias="hidden")
    >>> network.name, network.parameters, network.known_listed
    ('relu 3-4-2 bias', 24, 4)
    """

    widths: tuple[int, ...]
    activation: str | tuple[str, ...] = "relu"
    bias: Bias = False
    loss: Loss = "mse"
    name: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "widths", _checked_widths(self.widths))
        activation = _checked_activation(self.activation, self.depth - 1)
        object.__setattr__(self, "activation", activation)
        checks.choice("bias", self.bias, BIASES)
        checks.choice("loss", self.loss, LOSSES)
        checks.text("name", self.name)
        if not self.name:
            object.__setattr__(self, "name", self._default_name())

    @property
    def depth(self) -> int:
        """Number of weight matrices q."""
        return len(self.widths) - 1

    @property
    def activations(self) -> tuple[str, ...]:
        """One activation name per hidden layer."""
        if isinstance(self.activation, str):
            return (self.activation,) * (self.depth - 1)
        return self.activation

    def describe(self) -> dict[str, Any]:
        """Return the JSON-ready keys that define the architecture (all but its name)."""
        activation = self.activation if isinstance(self.activation, str) else list(self.activation)
        return {
            "activation": activation,
            "widths": list(self.widths),
            "bias": self.bias,
            "loss": self.loss,
        }

    @property
    def hidden(self) -> int:
        """Number of hidden neurons."""
        return sum(self.widths[1:-1])

    @property
    def parameters(self) -> int:
        """D: weights and biases."""
        weights: int = sum(map(mul, self.widths, self.widths[1:]))
        if not self.bias:
            return weights
        return weights + self.hidden + (self.widths[-1] if self.bias == "all" else 0)

    @property
    def frozen(self) -> bool:
        """Whether no parameter ever moves: the softmax of one output is constant."""
        return self.loss == "cross_entropy" and self.widths[-1] == 1

    @property
    def paths(self) -> bool:
        """Whether all activations are linear or positively homogeneous of degree one, so that φ is
        made of paths.
        """
        if isinstance(self.activation, str):
            return self.activation in ACTIVATIONS or self.depth == 1
        return all(activation in ACTIVATIONS for activation in self.activation)

    @property
    def known_listed(self) -> int:
        """Number of functions in :meth:`laws`."""
        if self.frozen:
            return self.parameters
        if not self.paths:
            return self.fields().known_size()[0]
        hidden = sum(
            n * (n + 1) // 2 if a in LINEAR else n
            for n, a in zip(self.widths[1:-1], self.activations, strict=True)
        )
        sums = self.widths[-2] + (self.bias == "all") if self.loss == "cross_entropy" else 0
        return hidden + sums

    @property
    def held(self) -> int:
        """Values are fewer than parameters."""
        return 0

    @property
    def known_terms(self) -> int:
        """Number of monomials in :meth:`laws`, up to a few: what listing them would take."""
        if not self.paths:
            return self.fields().known_size()[1]
        around = (a + b + 1 for a, b in zip(self.widths, self.widths[2:], strict=False))
        kept = (
            n * (n + 1) // 2 if a in LINEAR else n
            for n, a in zip(self.widths[1:-1], self.activations, strict=True)
        )
        return sum(a * b for a, b in zip(around, kept, strict=True)) + self.parameters

    @property
    def graph(self) -> Graph:
        """The network, parameters in the order U1, b1, U2, b2, …"""
        return _graph(self)

    @property
    def chain(self) -> Chain | None:
        """The chain that its graph is, from the sizes alone."""
        return _Chains.of(self)

    @property
    def scope(self) -> str | None:
        """What section 2.4 of the paper leaves open, and where its condition on the neurons never
        holds.
        """
        return scope(self.graph) if (found := self.chain) is None else scope_of_chain(found)

    def fields(self) -> GradientFields:
        """Return the gradients ``∇_θ F(θ; a)``."""
        return GradientFields(self.graph, self.loss == "cross_entropy")

    def outline(self) -> list[tuple[str, str, int]]:
        """Return the input and the layers: what each is, its width, its parameters."""
        rows = [("input", str(self.widths[0]), 0)]
        for layer, (inputs, outputs) in enumerate(pairwise(self.widths), start=1):
            biased = self.bias == "all" or (self.bias == "hidden" and layer < self.depth)
            activation = f" {self.activations[layer - 1]}" if layer < self.depth else ""
            rows.append(
                (
                    f"dense {outputs}{'+b' * biased}{activation}",
                    str(outputs),
                    (inputs + biased) * outputs,
                )
            )
        return rows

    def _default_name(self) -> str:
        activation = (
            self.activation if isinstance(self.activation, str) else "/".join(self.activation)
        )
        bias = {False: "", "hidden": " bias", "all": " bias=all"}[self.bias]
        loss = "" if self.loss == "mse" else f" {self.loss}"
        return f"{activation} {'-'.join(map(str, self.widths))}{bias}{loss}".lstrip()


class _Chains:
    """The chain that was asked for last: a count asks several times, and a hash takes as long."""

    _last: ClassVar[tuple[MLP | None, Chain | None]] = None, None

    @classmethod
    def of(cls, mlp: MLP) -> Chain | None:
        """Return the chain of a network."""
        last, chain = cls._last
        if last is not mlp:
            chain = _chain(mlp)
            cls._last = mlp, chain
        return chain


def _chain(mlp: MLP) -> Chain | None:
    if not mlp.paths:
        return None
    biased = {False: 0, "hidden": mlp.depth - 1, "all": mlp.depth}[mlp.bias]
    if isinstance(mlp.activation, str):
        linear = (mlp.activation in LINEAR,) * (mlp.depth - 1)
    else:
        linear = tuple(activation in LINEAR for activation in mlp.activation)
    return Chain(mlp.widths, linear, (True,) * biased + (False,) * (mlp.depth - biased))


@lru_cache(maxsize=4)
def _graph(mlp: MLP) -> Graph:
    nodes, value = list[Node](), "x"
    activations, biases = (*mlp.activations, LINEAR[0]), {False: 0, "hidden": mlp.depth - 1}
    biased = biases.get(mlp.bias, mlp.depth)
    for layer, (units, activation) in enumerate(
        zip(mlp.widths[1:], activations, strict=True), start=1
    ):
        arrays = (f"U{layer}", f"b{layer}") if layer <= biased else (f"U{layer}",)
        gated = activation not in LINEAR
        name = "y" if layer == mlp.depth else f"{'z' if gated else 'h'}{layer}"
        nodes.append(Node(name, _dense(units, layer <= biased), (value,), arrays))
        if gated:
            nodes.append(Node(f"h{layer}", elementwise.activation(activation), (name,)))
        value = nodes[-1].name
    return Graph((Input("x", mlp.widths[:1]),), tuple(nodes), ("y",))


_dense = lru_cache(maxsize=256)(Linear)


def _checked_widths(given: object) -> tuple[int, ...]:
    widths = checks.entries("widths", given, "a tuple such as (3, 4, 2), as in MLP((3, 4, 2))")
    if len(widths) < 2:
        raise SpecError(f"widths: need an input and an output width, got {list(widths)}")
    if len(widths) > MAX_DEPTH + 1:
        raise SpecError(f"widths: {len(widths)} layers, at most {MAX_DEPTH + 1} are supported")
    for width in widths:
        if type(width) is int and 0 < width <= MAX_WIDTH:
            continue
        if type(width) is not int or width < 1:
            raise SpecError(f"widths: expected positive integers, got {checks.shown(width)}")
        if width > MAX_WIDTH:
            raise SpecError(
                f"widths: {checks.shown(width)} is above the largest supported width, {MAX_WIDTH}"
            )
    return widths


def _checked_activation(given: object, hidden: int) -> str | tuple[str, ...]:
    if isinstance(given, str):
        elementwise.activation(given)
        return given
    names = checks.entries("activation", given, "a name, or a tuple of names, one per hidden layer")
    if len(names) != hidden:
        raise SpecError(
            f"activation: expected {hidden} {'name' if hidden == 1 else 'names'}, one per hidden"
            f" layer, got {len(names)}: {checks.shown(list(names))}"
        )
    for name in names:
        if not isinstance(name, str):
            checks.choice("activation", name, elementwise.NAMES)
        elementwise.activation(name)
    return names
