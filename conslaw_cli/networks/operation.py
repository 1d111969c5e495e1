"""What an operation of a network is: everything about it in one class.

A network is a graph of operations (graph.py). Values are arrays (batch, units, positions): an
operation with vectors at its ends has one position, a convolution one for each place of an image.
Interpreters are few and fixed (forward, reverse, degrees, wiring, text), operations grow: each says
here what the interpreters need, once for any ring (algebra/rings.py), and is tested by being listed
in ``OPERATIONS`` (operations/listed.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from enum import Enum
from math import prod
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from conslaw_cli.algebra.rings import Ring, Values
from conslaw_cli.errors import SpecError

if TYPE_CHECKING:
    from conslaw_cli.networks.wiring import Array, Wire, Wiring

Shape = tuple[int, ...]
"""(units,) or (channels, length) or (channels, height, width); of parameters any."""
Gradients = tuple[Any, ...]
"""Cotangents of inputs, then of arrays, None where none was wanted."""
Index = NDArray[np.intp]
Flags = NDArray[np.bool_]


class ShapeError(SpecError):
    """What an operation reads does not fit it."""


class Read(NamedTuple):
    """What an operation reads: inputs (batch, units, positions), parameter arrays (batch, …) and
    the state, all of them elements of a ring.

    wanted: whether a cotangent is asked for, of inputs, then arrays.
    """

    ring: Ring
    inputs: Sequence[Values]
    arrays: Sequence[Values]
    state: Any
    wanted: Sequence[bool]


class Growth(NamedTuple):
    """Degrees of a value in the parameters and in the probe (inputs, states, output weights)."""

    parameters: int
    probe: int

    @classmethod
    def largest(cls, growths: Sequence[Growth]) -> Growth:
        """Return the degrees of a sum."""
        return cls(max(g.parameters for g in growths), max(g.probe for g in growths))

    @classmethod
    def total(cls, growths: Sequence[Growth]) -> Growth:
        """Return the degrees of a product."""
        return cls(sum(g.parameters for g in growths), sum(g.probe for g in growths))


class Ways(Enum):
    """How entries of a value come from marked ones, which are independent of each other
    (networks/monomial.py).
    """

    ONCE = "each marked one is in one entry at most, without a weight"
    APART = "in one at most of the units at a position, without a weight"
    SINGLE = "in each entry at most once, with one weight or none"


class KeyKind(Enum):
    """What a key of a layer holds: a size, one per spatial direction, true or false, a word."""

    SIZE = "size"
    SIZES = "sizes"
    FLAG = "flag"
    WORD = "word"


class Key(NamedTuple):
    """A key by which a layer is written: what it holds and, for a word, which there are, for sizes
    the least and the largest. plain: the size that is not written down, if there is one.
    """

    kind: KeyKind
    required: bool = False
    words: tuple[str, ...] = ()
    least: int = 1
    most: int = 10**9
    plain: int | None = None


class Layer(NamedTuple):
    """How an operation is written as a layer of a network that is given layer by layer.

    name: its key; keys: those below it, which are attributes of the operation too; short: the key
    that a single value stands for; dimensions: how many sizes SIZES stands for, None for any;
    make: what makes the operation of the values that are given.
    """

    name: str
    keys: Mapping[str, Key]
    short: str | None
    dimensions: int | None
    make: Callable[..., Operation]


class Operation:
    """Base of all operations, which are frozen values: equal ones are equal and have a hash. Those
    with fields are dataclasses.

    keyword: its name in texts of graphs and, where a family has it as a layer, in YAML.
    title, source: what it is, and where the theory of its laws comes from.
    arity: how many inputs it has, None for any number from one.
    linear: whether it is linear in its inputs together, so that degrees in θ do not multiply.
    inner: whether it stands in bodies of others only.
    polynomial: whether its output is a polynomial in inputs, parameters and state.
    exponential: whether its values are exponentials, to be independent (independence.py).
    generic: whether it stands for any function, of which it says what holds for a generic one.
    dense: whether it is ``z = Uᵀh + b`` for a matrix U and perhaps a vector b, all of whose entries
    are parameters, at every position.
    gated: whether it is ``h = s ⊙ z`` for a state s.
    opens: which of its fields is the number of units of the space that it opens, None if it opens
    none.
    separating: whether its output is zero at units of a set where its inputs, and the parameters
    that join these to others, are, and does not change elsewhere at first order with any of them
    (networks/units.py).
    """

    __slots__ = ()
    keyword: ClassVar[str]
    title: ClassVar[str]
    source: ClassVar[str] = ""
    arity: ClassVar[int | None] = 1
    linear: ClassVar[bool] = True
    inner: ClassVar[bool] = False
    polynomial: ClassVar[bool] = True
    exponential: ClassVar[bool] = False
    generic: ClassVar[bool] = False
    dense: ClassVar[bool] = False
    opens: ClassVar[str | None] = None
    separating: ClassVar[bool] = True

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other)

    def __hash__(self) -> int:
        return hash(type(self))

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    @classmethod
    def examples(cls) -> tuple[tuple[Operation, tuple[Shape, ...]], ...]:
        """Return operations of this kind with shapes of inputs that fit: what its laws are tested
        on.
        """
        raise NotImplementedError

    @classmethod
    def parsed(
        cls, word: str, units: int | None, options: Mapping[str, str], arrays: int
    ) -> Operation:
        """Return the operation that a graph's text describes: its word, the units that its node
        opens, its options and the number of its parameter arrays. Raise SpecError if there is none.
        """
        only(options)
        return cls()

    @classmethod
    def words(cls) -> tuple[str, ...]:
        """Return the names that it goes by in texts of graphs."""
        return (cls.keyword,)

    @property
    def word(self) -> str:
        """The one of these that it is written by."""
        return self.keyword

    @classmethod
    def layers(cls) -> tuple[Layer, ...]:
        """Return the ways in which it is written as a layer with keys; none for words alone."""
        return ()

    @property
    def gated(self) -> bool:
        """Whether it multiplies every value by a free factor of its own."""
        return False

    @property
    def label(self) -> str:
        """Short text of it as a layer."""
        return self.word

    @property
    def opened(self) -> int | None:
        """The number of units of the space that the operation opens, None if it opens none."""
        return None if self.opens is None else getattr(self, self.opens)

    def resized(self, units: int) -> Operation:
        """Return it with so many units in the space that it opens, and all else as it is."""
        assert self.opens is not None
        return replace(self, **{self.opens: units})  # type: ignore[type-var]

    def options(self) -> dict[str, str]:
        """Return what else defines it, as text."""
        return {}

    def output(self, *inputs: Shape) -> Shape:
        """Return the shape of the output, that of an input if it is not said otherwise. Raise
        ShapeError if the inputs do not fit.
        """
        return inputs[0]

    def parameters(self, *inputs: Shape) -> tuple[tuple[str, Shape], ...]:
        """Return the symbol and the shape of each parameter array."""
        return ()

    def state(self, *inputs: Shape) -> Shape | None:
        """Return the shape of the free factors that the probe gives it, None for none."""
        return None

    def slopes(self, *inputs: Values) -> Values:
        """Return the state that a network has of itself, at floats: φ leaves it free."""
        raise NotImplementedError

    def forward(self, at: Read) -> Values:
        """Return the output (batch, units, positions)."""
        raise NotImplementedError

    def pullback(self, at: Read, delta: Values) -> Gradients:
        """Return the cotangents of the inputs, then of the parameter arrays, for that of the
        output; what is not wanted may be None.
        """
        raise NotImplementedError

    @property
    def denominator(self) -> int:
        """What the coefficients of its output are multiplied by to be integers."""
        return 1

    def idle(self, *inputs: Shape) -> bool:
        """Whether it gives what it reads, so that layers need no node for it."""
        return False

    def growth(self, *inputs: Growth) -> Growth:
        """Return the degrees of the output."""
        return Growth.largest(inputs)

    def ways(self, read: Ways) -> Ways | None:
        """Return how the entries of its output come from what those of its inputs come from, gates
        left aside; None where that is not known, or may be twice to one entry. Biases are no ways
        from inputs.
        """
        return None

    def needed(self, live: Flags, positions: int) -> Flags | None:
        """Return which positions of its inputs the live ones of its output are made of; None if
        some weight is in none of these, or weights that they share do not tie them together.
        """
        return live

    def lone(self, live: Flags, positions: int) -> Flags | None:
        """Return which positions of its input one live position of its output alone is made of,
        without weights; None where some live one has none.
        """
        return None

    def held(self, *inputs: Shape) -> int:
        """Return how many numbers evaluating it holds: its output, and what is as large."""
        return prod(self.output(*inputs))

    def wires(self, wiring: Wiring, inputs: Sequence[Wire], arrays: Sequence[Array]) -> Wire:
        """Say what passes through it: which generators on the inputs and arrays give which one on
        the output (wiring.py).
        """
        raise NotImplementedError


class Input(NamedTuple):
    """An input of a network: its name and shape."""

    name: str
    shape: Shape


class Node(NamedTuple):
    """One operation of a graph: its name, which is that of its value, what it reads, and the names
    of its parameter arrays and of its state.
    """

    name: str
    operation: Operation
    inputs: tuple[str, ...]
    parameters: tuple[str, ...] = ()
    state: str | None = None


class Composite(Operation):
    """An operation that is a graph of others: its ``body``, which stands for it wherever values,
    degrees or wiring are concerned.
    """

    __slots__ = ()

    def body(self, *inputs: Shape) -> tuple[Node, ...]:
        """Return the operations that it consists of, the last of which gives its output.

        They read its inputs by the names x, or x1, x2, … if there are several, and its parameter
        arrays by their symbols.
        """
        raise NotImplementedError


def positions(shape: Shape) -> int:
    """Return at how many places a shape has its units."""
    return prod(shape[1:])


def show(shape: Shape) -> str:
    """Return a shape as text: 8 or 3×6×6."""
    return "×".join(map(str, shape))


def only(options: Mapping[str, str], *known: str) -> None:
    """Raise SpecError for an option that is not known."""
    for key in options:
        if key not in known:
            expected = f"expected {', '.join(known)}" if known else "it has none"
            raise SpecError(f"unknown option {key!r}: {expected}")
