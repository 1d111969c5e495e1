"""Algebraic expressions: from text to sums of products of powers, at a real base point.

Text. A whitelist over Python's own grammar (``ast.parse``): names, exact numbers, ``+ - * /``,
``**`` with a constant rational exponent, ``sqrt``. Nothing is evaluated but rational arithmetic.

Arrays. A name may stand for an array of numbers: then so may an expression. ``*`` and ``@``
between arrays are the matrix product, ``W.T`` is the transpose, ``A**k`` a power of a square
matrix; ``mul`` and ``pow`` go entry by entry, ``I(n)`` is the identity, ``einsum(ir,jr->ij; U, V)``
any sum of products by the names of indices. Every entry has a normal form of its own.

Normal form (terms.py, normal_form.py). Equal sums are one base, so ``sqrt(v1**2 + v2**2)`` is the
same element wherever it is written, and constants that are zero are found out (constants.py).

Base point. Which of its values a root has is a question about real numbers: ``sqrt(x**2)`` is x on
one side and −x on the other. So the normal form is built at a real point where every denominator is
nonzero and the base of every fractional power positive (certified in ball arithmetic; points with
positive coordinates are tried first), and every base is taken with the sign that makes it positive
there. Then powers multiply, ``(a b)^e = a^e b^e``, with positive roots throughout, and the
expression is a real analytic function near the base point: the one whose laws are counted.
"""

from __future__ import annotations

import ast
import difflib
import random
import re
import unicodedata
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import accumulate, product
from math import prod
from typing import Any, TypeVar

import numpy as np
from flint import ctx, fmpq
from numpy.typing import NDArray

from conslaw_cli.errors import SpecError
from conslaw_cli.families.formulas.functions import Functions
from conslaw_cli.families.formulas.normal_form import PRECISION, Builder
from conslaw_cli.families.formulas.terms import Graph, LimitError, Term, UndefinedError
from conslaw_cli.networks.wiring import Array

T = TypeVar("T")
Values = NDArray[Any]
"""An array of terms; of one term, without axes, for a number."""

MAX_LENGTH = 20_000
MAX_DEPTH = 60
MAX_SUMMANDS = 1000
"""Operators in a row without parentheses."""
POINTS = 200
FEWEST_POINTS = 20
"""Real points tried before an expression is said to be undefined: fewer for long ones, about EFFORT
/ characters.
"""
EFFORT = 200_000
MAX_ENTRIES = 10_000
"""Entries of an array."""
MAX_PRODUCTS = 100_000
"""Products that the entries of one array are sums of."""
_FUNCTIONS = ("sqrt", "exp", "log", "sin", "cos", "tanh", "sigmoid", "erf")
_OF_ARRAYS = ("einsum", "mul", "pow", "I")
_ARGUMENTS = {**dict.fromkeys(_FUNCTIONS, 1), "I": 1, "pow": 2}
_INDICES = re.compile(r"(\beinsum\s*\()([^;()]*)(;)")
_GRAMMAR = "names, numbers, + - * / ** ( ) and sqrt"
_FOREIGN = re.compile(r"[^\w\s+\-*/@().,]")
_NUMBER = re.compile(
    r"[0-9]{1,100}(\.[0-9]{0,100})?([eE][+-]?[0-9]{1,2})?|\.[0-9]{1,100}([eE][+-]?[0-9]{1,2})?"
)
_INSTEAD = {
    "^": "**",
    "²": "**2",
    "³": "**3",
    "−": "-",
    "–": "-",
    "×": "*",
    "·": "*",
    "⋅": "*",
    "÷": "/",
    "√": "sqrt(…)",
}
_INSTEAD |= {"[": "(", "]": ")", "{": "(", "}": ")"}


@dataclass(frozen=True, slots=True)
class Expression:
    """A text and the words that errors call it by, such as "phi: component 2"."""

    text: str
    label: str

    def tree(self) -> ast.expr:
        """Return the syntax tree. Raise SpecError if the text is no expression."""
        if len(self.text) > MAX_LENGTH:
            raise SpecError(
                f"{self.label}: expected at most {MAX_LENGTH:,} characters, got {len(self.text):,}"
            )
        for column, character in enumerate(self._masked, start=1):
            if _FOREIGN.match(character) or (
                unicodedata.normalize("NFKC", character) != character and not character.isspace()
            ):
                advice = (
                    f"write {_INSTEAD[character]}"
                    if character in _INSTEAD
                    else f"expected {_GRAMMAR}"
                )
                raise SpecError(
                    f"{self.label}, column {column}: unexpected {character!r}; {advice}"
                )
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return ast.parse(_stripped(self._masked), mode="eval").body
        except SyntaxError as error:
            raise self._unreadable(error) from None
        except (RecursionError, MemoryError, ValueError):
            raise SpecError(f"{self.label}: nested too deeply or too long to be read") from None

    def place(self, node: ast.expr) -> str:
        """Return where a part of the text is: the label and the column."""
        before = _stripped(self._masked).encode()[: node.col_offset].decode()
        return f"{self.label}, column {self._indent + len(before) + 1}"

    def source(self, node: ast.expr) -> str:
        """Return the text of a part."""
        return _stripped(self.text).encode()[node.col_offset : node.end_col_offset].decode()

    @property
    def _indent(self) -> int:
        return len(self.text) - len(self.text.lstrip())

    @property
    def _masked(self) -> str:
        """The text with a name in place of the indices of every einsum, as long as they are."""
        return _INDICES.sub(lambda found: f"{found[1]}{'_' * len(found[2])},", self.text)

    def _unreadable(self, error: SyntaxError) -> SpecError:
        if not self.text.strip():
            return SpecError(f"{self.label}: expected an expression, got nothing")
        text = _stripped(self.text)
        offset = error.offset or len(text) + 1  # 0 is the end
        near = text[max(0, offset - 6) : offset + 10]
        beside = re.search(r"[0-9)]\s*[^\W\d]|[\w)]\s+\w|\)\s*\(", near)
        advice = "write products with *, as in 2*x" if beside else f"expected {_GRAMMAR}"
        if "never closed" in error.msg or "unmatched" in error.msg:
            advice = error.msg
        return SpecError(
            f"{self.label}, column {self._indent + offset}: cannot be read near {near!r}; {advice}"
        )


def _stripped(text: str) -> str:
    return re.sub(r"\s", " ", text).strip()


def split(expression: Expression) -> tuple[str, ...]:
    """Return the expressions of a text that separates them by commas."""
    tree = expression.tree()
    parts = tree.elts if isinstance(tree, ast.Tuple) else [tree]
    return tuple(expression.source(part) for part in parts)


def names(expressions: Iterable[Expression]) -> list[str]:
    """Return the names used as variables, in natural order: x2 before x10."""
    found = set[str]()
    for expression in expressions:
        tree = expression.tree()
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        others = {id(node.func) for node in calls}
        others |= {id(call.args[0]) for call in calls if name_of(call) == "einsum" and call.args}
        found |= {
            node.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Name) and id(node) not in others
        }
    return sorted(found, key=_natural)


def name_of(call: ast.Call) -> str:
    """Return the name of the function that is called, "" if it has none."""
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _natural(name: str) -> list[tuple[bool, int, str]]:
    parts = re.findall(r"[0-9]+|[^0-9]+", name)
    return [
        (part[0] in "0123456789", int(part) if part[0] in "0123456789" else 0, part)
        for part in parts
    ]


Shape = tuple[int, ...]


@dataclass(frozen=True)
class Names:
    """What names stand for, in order: numbers, of shape (), or arrays of them.

    state: those that make up θ. constants: generic numbers that do not move. given: arrays of given
    numbers.
    """

    state: tuple[tuple[str, Shape], ...]
    constants: tuple[tuple[str, Shape], ...] = ()
    given: tuple[tuple[str, tuple[tuple[Fraction, ...], ...]], ...] = ()

    @classmethod
    def of(cls, variables: Iterable[str]) -> Names:
        """Return names of numbers that make up θ."""
        return cls(tuple((name, ()) for name in variables))

    @cached_property
    def entries(self) -> dict[str, Values]:
        """For every name the indices of its entries among all variables, or given numbers."""
        entries = {name: np.array(rows, dtype=object) for name, rows in self.given}
        for name, shape, place, _ in self.arrays:
            entries[name] = np.arange(place.start, place.stop).reshape(shape)
        return entries

    @cached_property
    def size(self) -> int:
        """D, the number of entries of the state."""
        return sum(prod(shape) for _, shape in self.state)

    @cached_property
    def fixed(self) -> int:
        """The number of entries of the generic constants."""
        return sum(prod(shape) for _, shape in self.constants)

    @cached_property
    def arrays(self) -> tuple[Array, ...]:
        """The arrays that θ consists of, in its order, and those of generic constants behind
        them.
        """
        every = (*self.state, *self.constants)
        starts = accumulate((prod(shape) for _, shape in every), initial=0)
        return tuple(
            Array(name, shape, slice(start, start + prod(shape)), place < len(self.state))
            for place, ((name, shape), start) in enumerate(zip(every, starts, strict=False))
        )


def graph(
    expressions: Sequence[Expression],
    names: Names,
    softmax: Sequence[int] = (),
    shapes: Sequence[Shape] = (),
) -> Graph:
    """Return the normal form of the entries of expressions.

    shapes: what those of the expressions must be, if given.
    softmax: which of these, by their places, are the logits of a softmax, the first axis of arrays
    being that of the classes: they are read as their differences with the last one.

    Raise SpecError if one cannot be read, uses another name, goes beyond the limits of this module,
    has a pole everywhere or is nowhere real and differentiable: at none of POINTS real points.
    """
    trees = [(place, expression, expression.tree()) for place, expression in enumerate(expressions)]
    refused = Counter[str]()
    tries = max(
        FEWEST_POINTS,
        min(POINTS, EFFORT // sum(len(expression.text) + 1 for expression in expressions)),
    )
    with ctx.workprec(PRECISION):
        for point in _points(names.size + names.fixed, tries):
            outputs = dict[int, Values]()
            try:
                builder = _built(trees, names.entries, Builder(point), outputs)
            except UndefinedError as fault:
                refused[str(fault)] += 1
                # So that the next point fails soon, if it does.
                trees.insert(0, trees.pop(len(outputs)))
                continue
            _check_shapes(expressions, outputs, shapes)
            terms = [t for i in range(len(trees)) if i not in softmax for t in outputs[i].ravel()]
            logits = _logits([outputs[place] for place in softmax])
            terms += (builder.sum([x, _negative(y)]) for x, y in logits)
            return builder.graph(terms)
    reason = refused.most_common(1)[0][0]
    raise SpecError(f"{reason} at any of {tries} real points tried where the rest is defined")


def _check_shapes(
    expressions: Sequence[Expression], outputs: Mapping[int, Values], shapes: Sequence[Shape]
) -> None:
    for place, shape in enumerate(shapes):
        if outputs[place].shape != shape:
            expected = "×".join(map(str, shape)) or "a number"
            label, text = expressions[place].label, _shown(expressions[place].text)
            raise SpecError(
                f"{label}: expected {expected}, as what moves, got {_by(outputs[place])}: {text!r}"
            )


def _built(
    trees: Sequence[tuple[int, Expression, ast.expr]],
    names: Mapping[str, Values],
    builder: Builder,
    outputs: dict[int, Values],
) -> Builder:
    """Write the terms of expressions to ``outputs``; return their builder.

    If roots of constants are looked for in the field of others, all roots of numbers must be known
    before: ``√(2 + √3)`` is no new root beside ``√2``, whichever comes first.
    """
    for place, expression, tree in trees:
        outputs[place] = _Reader(expression, names, builder).value(tree)
    if not builder.nested or builder.primes == builder.known_primes:
        return builder
    outputs.clear()
    return _built(trees, names, Builder(builder.point, builder.primes), outputs)


def _points(count: int, tries: int) -> Iterator[list[fmpq]]:
    """Yield rational points, with positive coordinates first, then of all signs and sizes."""
    draw = random.Random(0)
    for number in range(tries):
        spread = draw.choice((0, 1, 2)) if number > 1 else 0
        size = draw.randint(-3, 3) if number > 1 else 0
        positive = number < tries // 4 or number % 4 == 0
        yield [
            fmpq(draw.randint(500, 2000) * draw.choice((1, 1 if positive else -1)), 1009)
            * fmpq(10) ** (size + draw.randint(-spread, spread))
            for _ in range(count)
        ]


# ---- from the syntax tree


@dataclass(frozen=True, slots=True)
class _Reader:
    """Builds the normal form of the entries of one expression."""

    expression: Expression
    names: Mapping[str, Values]
    builder: Builder

    def value(self, node: ast.expr, depth: int = 0) -> Values:
        """Return the terms that a part of the syntax tree stands for."""
        if depth > MAX_DEPTH:
            raise self._fault(
                node, f"parentheses, powers or signs nested more than {MAX_DEPTH} deep"
            )
        match node:
            case ast.BinOp(op=ast.Add() | ast.Sub()):
                return self._sum(node, depth)
            case ast.BinOp(op=ast.Mult() | ast.MatMult() | ast.Div()):
                return self._product(node, depth)
            case ast.BinOp(op=ast.Pow()):
                base = self.value(node.left, depth + 1)
                return self._raised(node, base, self._exponent(node.right, depth))
            case ast.UnaryOp(op=ast.USub() | ast.UAdd()):
                sign = Term(Fraction(-1 if isinstance(node.op, ast.USub) else 1))
                value = self.value(node.operand, depth + 1)
                return self._each(node, lambda x: self.builder.product([sign, x]), value)
            case ast.Call(func=ast.Name(id=name)):
                return self._call(node, name, depth)
            case ast.Attribute(attr="T"):
                return self._matrix(node.value, self.value(node.value, depth + 1)).T
            case ast.Name():
                return self._name(node, node.id)
            case ast.Constant():
                return _number(self._number(node))
        raise self._fault(node, f"expected {_GRAMMAR}, got {{}}")

    def term(self, node: ast.expr, depth: int) -> Term:
        """Return the term of a number."""
        value = self.value(node, depth)
        if value.shape:
            raise self._fault(node, f"expected a number, and {{}} is {_by(value)}")
        return _term(value)

    def _each(self, node: ast.expr, build: Callable[..., Term], *values: Values) -> Values:
        """Build each entry of those of arrays of one shape."""
        rows = zip(*(value.ravel().tolist() for value in values), strict=True)
        return _shaped([self._limited(node, build, *row) for row in rows], values[0].shape)

    def _chain(
        self, node: ast.expr, operators: tuple[type[ast.operator], ...]
    ) -> list[tuple[ast.expr, bool]]:
        """Return the operands of a row of operators, each with whether it is subtracted or divided
        by: whether the last of the operators stands before it.
        """
        items = list[tuple[ast.expr, bool]]()
        while isinstance(node, ast.BinOp) and isinstance(node.op, operators):
            items.append((node.right, isinstance(node.op, operators[-1])))
            node = node.left
        if len(items) > MAX_SUMMANDS:
            raise self._fault(
                node, f"more than {MAX_SUMMANDS} operators in a row; group them with parentheses"
            )
        return [(node, False), *reversed(items)]

    def _sum(self, node: ast.expr, depth: int) -> Values:
        parts = list[Values]()
        for item, negative in self._chain(node, (ast.Add, ast.Sub)):
            value = self.value(item, depth + 1)
            if parts and value.shape != parts[0].shape:
                what = f"is {_by(value)}, and what it is added to is {_by(parts[0])}"
                raise self._fault(item, f"{{}} {what}; expected equal shapes")
            if negative:
                value = self._each(item, _negative, value)
            parts.append(value)
        return self._each(node, lambda *row: self.builder.sum(row), *parts)

    def _product(self, node: ast.expr, depth: int) -> Values:
        """Multiply numbers, and arrays from left to right."""
        numbers, total = list[Term](), None
        for item, divided in self._chain(node, (ast.Mult, ast.MatMult, ast.Div)):
            value = self.value(item, depth + 1)
            if not value.shape:
                term = _term(value)
                numbers.append(self._power(item, term, Fraction(-1)) if divided else term)
            elif divided:
                raise self._fault(item, f"{{}} is {_by(value)}; only numbers are divided by")
            else:
                total = value if total is None else self._multiplied(item, total, value)
        if total is None:
            return _number(self._limited(node, self.builder.product, numbers))
        return self._each(node, lambda x: self.builder.product([*numbers, x]), total)

    def _multiplied(self, node: ast.expr, left: Values, right: Values) -> Values:
        """Return a matrix product; vectors are rows on the left and columns on the right."""
        if max(left.ndim, right.ndim) > 2:
            raise self._fault(
                node, f"products of arrays {_by(left)} and {_by(right)} need einsum(…; …)"
            )
        if left.shape[-1] != right.shape[0]:
            what = f"has {right.shape[0]} rows, being {_by(right)}, and what stands before it is"
            raise self._fault(node, f"{{}} {what} {_by(left)}; expected as many columns as rows")
        first, second = "ab"[: left.ndim - 1], "yz"[: right.ndim - 1]
        return self._contracted(
            node, [f"{first}k", f"k{second}"], f"{first}{second}", [left, right]
        )

    def _raised(self, node: ast.BinOp, base: Values, exponent: Fraction) -> Values:
        if not base.shape:
            return _number(self._power(node.left, _term(base), exponent))
        if base.ndim != 2 or base.shape[0] != base.shape[1]:
            raise self._fault(
                node.left,
                f"{{}} is {_by(base)}; expected a square matrix before **, or pow(…, …) for powers"
                " of the entries",
            )
        if exponent.denominator != 1 or not 0 <= exponent <= MAX_DEPTH:
            raise self._fault(
                node.right, f"expected a whole number from 0 to {MAX_DEPTH}, got {exponent}"
            )
        total = _identity(len(base))
        for _ in range(int(exponent)):
            total = self._multiplied(node, total, base)
        return total

    def _contracted(
        self, node: ast.expr, read: Sequence[str], written: str, values: Sequence[Values]
    ) -> Values:
        """Return the array with the indices ``written`` whose entries are sums, over all others, of
        products of entries.
        """
        sizes = dict[str, int]()
        for indices, value in zip(read, values, strict=True):
            for index, size in zip(indices, value.shape, strict=True):
                if sizes.setdefault(index, size) != size:
                    shapes = " and ".join(map(_by, values))
                    raise self._fault(
                        node, f"index {index!r} of arrays {shapes} is {sizes[index]} and {size}"
                    )
        shape = tuple(sizes[index] for index in written)
        if prod(shape) > MAX_ENTRIES or prod(sizes.values()) > MAX_PRODUCTS:
            raise self._fault(
                node,
                f"{{}} has {prod(shape):,} entries made of {prod(sizes.values()):,} products; at"
                f" most {MAX_ENTRIES:,} and {MAX_PRODUCTS:,} are supported",
            )
        summed = [index for index in sizes if index not in written]
        entries = list[Term]()
        for place in np.ndindex(*shape):
            terms = list[Term]()
            for inner in product(*(range(sizes[index]) for index in summed)):
                at = dict(zip((*written, *summed), (*place, *inner), strict=True))
                factors = (
                    value[tuple(at[index] for index in indices)]
                    for indices, value in zip(read, values, strict=True)
                )
                terms.append(self._limited(node, self.builder.product, list(factors)))
            entries.append(self._limited(node, self.builder.sum, terms))
        return _shaped(entries, shape)

    def _exponent(self, node: ast.expr, depth: int) -> Fraction:
        number = self._limited(node, self.builder.rational, self.term(node, depth + 1))
        if number is None:
            raise self._fault(node, "expected a rational number as exponent, got {}")
        return number

    def _power(self, node: ast.expr, base: Term, exponent: Fraction) -> Term:
        if base.coefficient == 0 and (exponent < 0 or exponent.denominator > 1):
            what = "pole" if exponent < 0 else "root that is not differentiable"
            raise self._fault(node, f"{{}} is zero, so there is a {what} everywhere")
        try:
            return self._limited(node, self.builder.power, base, exponent)
        except UndefinedError as fault:
            raise UndefinedError(self._message(node, f"{{}} is not {fault}")) from None

    def _limited(self, node: ast.expr, build: Callable[..., T], *values: Any) -> T:
        try:
            return build(*values)
        except LimitError as fault:
            raise self._fault(node, str(fault)) from None

    def _call(self, node: ast.Call, name: str, depth: int) -> Values:
        if name in self.names:
            raise self._fault(
                node, f"{name!r} is a variable; write products with *, as in {name}*(…)"
            )
        if name not in (*_FUNCTIONS, *_OF_ARRAYS):
            raise self._fault(
                node,
                f"{_shown(name)!r} is no function known here; these are"
                f" {', '.join(_FUNCTIONS)} (products need *)",
            )
        plain = not node.keywords and not any(isinstance(x, ast.Starred) for x in node.args)
        if not plain or not node.args or len(node.args) != _ARGUMENTS.get(name, len(node.args)):
            count = {1: "one argument", 2: "two arguments"}.get(_ARGUMENTS.get(name, 0), "arrays")
            raise self._fault(node, f"{name} takes {count}, got {{}}")
        if name == "einsum":
            return self._einsum(node, depth)
        if name == "mul":
            return self._entrywise(node, depth)
        if name == "I":
            return _identity(self._size(node.args[0], depth))
        if name == "sqrt":
            base = self.term(node.args[0], depth + 1)
            return _number(self._power(node.args[0], base, Fraction(1, 2)))
        value = self.value(node.args[0], depth + 1)
        if name != "pow":
            return self._each(node, lambda x: self._function(node, name, x), value)
        exponent = self._exponent(node.args[1], depth)
        return self._each(node, lambda x: self._power(node.args[0], x, exponent), value)

    def _function(self, node: ast.Call, name: str, argument: Term) -> Term:
        try:
            return Functions(self.builder).known[name](argument)
        except UndefinedError as fault:
            raise UndefinedError(self._message(node.args[0], f"{{}} is not {fault}")) from None

    def _size(self, node: ast.expr, depth: int) -> int:
        size = self._exponent(node, depth)
        if size.denominator != 1 or not 1 <= size <= MAX_ENTRIES**0.5:
            raise self._fault(
                node, f"expected a whole number from 1 to {int(MAX_ENTRIES**0.5)}, got {{}}"
            )
        return int(size)

    def _entrywise(self, node: ast.Call, depth: int) -> Values:
        values = [self.value(each, depth + 1) for each in node.args]
        for each, value in zip(node.args, values, strict=True):
            if value.shape != values[0].shape:
                what = f"is {_by(value)}, and {_shown(self.expression.source(node.args[0]))!r} is"
                raise self._fault(each, f"{{}} {what} {_by(values[0])}; expected equal shapes")
        return self._each(node, lambda *row: self.builder.product(row), *values)

    def _einsum(self, node: ast.Call, depth: int) -> Values:
        text = self.expression.source(node.args[0])
        found = re.fullmatch(r"\s*([a-zA-Z]+(?:\s*,\s*[a-zA-Z]+)*)\s*->\s*([a-zA-Z]*)\s*", text)
        if found is None:
            raise self._fault(node, "expected indices and arrays as in einsum(ir,jr->ij; U, V)")
        read, written = re.split(r"\s*,\s*", found[1]), found[2]
        values = [self.value(each, depth + 1) for each in node.args[1:]]
        if len(read) != len(values):
            raise self._fault(
                node, f"{len(read)} groups of indices stand before {len(values)} arrays in {{}}"
            )
        for indices, each, value in zip(read, node.args[1:], values, strict=True):
            if len(indices) != value.ndim:
                raise self._fault(each, f"{{}} is {_by(value)}, and {indices!r} are its indices")
        if len(set(written)) < len(written) or not set(written) <= set("".join(read)):
            raise self._fault(
                node, f"expected each index behind -> once, and before it too, got {written!r}"
            )
        return self._contracted(node, read, written, values)

    def _matrix(self, node: ast.expr, value: Values) -> Values:
        if value.ndim != 2:
            raise self._fault(node, f"expected a matrix before .T, and {{}} is {_by(value)}")
        return value

    def _name(self, node: ast.expr, name: str) -> Values:
        if name in self.names:
            entries = self.names[name]
            if entries.dtype == object:
                return self._each(node, Term, entries)
            return self._each(node, self.builder.variable, entries)
        close = difflib.get_close_matches(name, [*self.names, *_FUNCTIONS], 1)
        advice = (
            f"did you mean {close[0]!r}?"
            if close
            else f"the variables are {_shown(', '.join(self.names))}"
        )
        raise self._fault(node, f"unknown name {_shown(name)!r}; {advice}")

    def _number(self, node: ast.expr) -> Term:
        text = self.expression.source(node)
        if not _NUMBER.fullmatch(text):
            raise self._fault(
                node, "expected a number such as 3, 0.25 or 1e-3 of at most 100 digits, got {}"
            )
        return Term(Fraction(text))

    def _fault(self, node: ast.expr, problem: str) -> SpecError:
        return SpecError(self._message(node, problem))

    def _message(self, node: ast.expr, problem: str) -> str:
        return (
            f"{self.expression.place(node)}:"
            f" {problem.replace('{}', repr(_shown(self.expression.source(node))))}"
        )


def _shown(text: str) -> str:
    return text if len(text) <= 60 else text[:59] + "…"


def _negative(term: Term) -> Term:
    return Term(-term.coefficient, term.factors)


def _logits(outputs: Sequence[Values]) -> Iterator[tuple[Term, Term]]:
    """Yield each logit with the last one of the same softmax. Raise SpecError if none fits."""
    if not outputs:
        return
    rows = [value.reshape(-1, prod(value.shape[1:])) for value in outputs]
    if len({each.shape[1] for each in rows}) > 1:
        shapes = " and ".join(map(_by, outputs))
        raise SpecError(f"outputs: expected arrays with the same axes but the first, got {shapes}")
    every = np.concatenate(rows)
    if len(every) < 2:
        raise SpecError("outputs: expected at least two for a softmax, got one")
    for row in every[:-1]:
        yield from zip(row, every[-1], strict=True)


def _number(term: Term) -> Values:
    return _shaped([term], ())


def _term(value: Values) -> Term:
    term: Term = value.item()
    return term


def _shaped(terms: Sequence[Term], shape: Shape) -> Values:
    values = np.empty(len(terms), dtype=object)
    values[:] = terms
    return values.reshape(shape)


def _identity(size: int) -> Values:
    entries = [Term(Fraction(i == j)) for i in range(size) for j in range(size)]
    return _shaped(entries, (size, size))


def _by(value: Values) -> str:
    """Return the shape as text: 3×2, or what it is without axes."""
    return "×".join(map(str, value.shape)) or "a number"
