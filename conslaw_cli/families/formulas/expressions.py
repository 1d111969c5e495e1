"""Algebraic expressions: from text to sums of products of powers, at a real base point.

Text. A whitelist over Python's own grammar (``ast.parse``): names, exact numbers, ``+ - * /``,
``**`` with a constant rational exponent, ``sqrt``. Nothing is evaluated but rational arithmetic.

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
from typing import Any, TypeVar

from flint import ctx, fmpq

from conslaw_cli.errors import SpecError
from conslaw_cli.families.formulas.normal_form import PRECISION, Builder
from conslaw_cli.families.formulas.terms import Graph, LimitError, Term, UndefinedError

T = TypeVar("T")

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
_FUNCTIONS = ("sqrt",)
_GRAMMAR = "names, numbers, + - * / ** ( ) and sqrt"
_FOREIGN = re.compile(r"[^\w\s+\-*/().,]")
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
        for column, character in enumerate(self.text, start=1):
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
                return ast.parse(self._stripped(), mode="eval").body
        except SyntaxError as error:
            raise self._unreadable(error) from None
        except (RecursionError, MemoryError, ValueError):
            raise SpecError(f"{self.label}: nested too deeply or too long to be read") from None

    def place(self, node: ast.expr) -> str:
        """Return where a part of the text is: the label and the column."""
        before = self._stripped().encode()[: node.col_offset].decode()
        return f"{self.label}, column {self._indent + len(before) + 1}"

    def source(self, node: ast.expr) -> str:
        """Return the text of a part."""
        return self._stripped().encode()[node.col_offset : node.end_col_offset].decode()

    @property
    def _indent(self) -> int:
        return len(self.text) - len(self.text.lstrip())

    def _stripped(self) -> str:
        return re.sub(r"\s", " ", self.text).strip()

    def _unreadable(self, error: SyntaxError) -> SpecError:
        if not self.text.strip():
            return SpecError(f"{self.label}: expected an expression, got nothing")
        text, offset = self._stripped(), max(1, error.offset or 1)
        near = text[max(0, offset - 6) : offset + 10]
        beside = re.search(r"[0-9)]\s*[^\W\d]|[\w)]\s+\w|\)\s*\(", near)
        advice = "write products with *, as in 2*x" if beside else f"expected {_GRAMMAR}"
        return SpecError(
            f"{self.label}, column {self._indent + offset}: cannot be read near {near!r}; {advice}"
        )


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
        called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        found |= {
            node.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Name) and id(node) not in called
        }
    return sorted(found, key=_natural)


def _natural(name: str) -> list[tuple[bool, int, str]]:
    parts = re.findall(r"[0-9]+|[^0-9]+", name)
    return [
        (part[0] in "0123456789", int(part) if part[0] in "0123456789" else 0, part)
        for part in parts
    ]


def graph(expressions: Sequence[Expression], variables: Sequence[str]) -> Graph:
    """Return the normal form of expressions in the given variables.

    Raise SpecError if one cannot be read, uses another name, goes beyond the limits of this module,
    has a pole everywhere or is nowhere real and differentiable: at none of POINTS real points.
    """
    trees = [(place, expression, expression.tree()) for place, expression in enumerate(expressions)]
    index = {name: place for place, name in enumerate(variables)}
    refused = Counter[str]()
    tries = max(
        FEWEST_POINTS,
        min(POINTS, EFFORT // sum(len(expression.text) + 1 for expression in expressions)),
    )
    with ctx.workprec(PRECISION):
        for point in _points(len(variables), tries):
            outputs = dict[int, Term]()
            try:
                builder = _built(trees, index, Builder(point), outputs)
            except UndefinedError as fault:
                refused[str(fault)] += 1
                # So that the next point fails soon, if it does.
                trees.insert(0, trees.pop(len(outputs)))
                continue
            return builder.graph([outputs[place] for place in range(len(trees))])
    reason = refused.most_common(1)[0][0]
    raise SpecError(f"{reason} at any of {tries} real points tried where the rest is defined")


def _built(
    trees: Sequence[tuple[int, Expression, ast.expr]],
    index: Mapping[str, int],
    builder: Builder,
    outputs: dict[int, Term],
) -> Builder:
    """Write the terms of expressions to ``outputs``; return their builder.

    If roots of constants are looked for in the field of others, all roots of numbers must be known
    before: ``√(2 + √3)`` is no new root beside ``√2``, whichever comes first.
    """
    for place, expression, tree in trees:
        outputs[place] = _Reader(expression, index, builder).value(tree)
    if not builder.nested or builder.primes == builder.known_primes:
        return builder
    outputs.clear()
    return _built(trees, index, Builder(builder.point, builder.primes), outputs)


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
    """Builds the normal form of one expression."""

    expression: Expression
    variables: Mapping[str, int]
    builder: Builder

    def value(self, node: ast.expr, depth: int = 0) -> Term:
        """Return the term that a part of the syntax tree stands for."""
        if depth > MAX_DEPTH:
            raise self._fault(
                node, f"parentheses, powers or signs nested more than {MAX_DEPTH} deep"
            )
        match node:
            case ast.BinOp(op=ast.Add() | ast.Sub()):
                return self._sum(node, depth)
            case ast.BinOp(op=ast.Mult() | ast.Div()):
                return self._product(node, depth)
            case ast.BinOp(op=ast.Pow()):
                return self._power(
                    node.left, self.value(node.left, depth + 1), self._exponent(node.right, depth)
                )
            case ast.UnaryOp(op=ast.USub() | ast.UAdd()):
                sign = Term(Fraction(-1 if isinstance(node.op, ast.USub) else 1))
                return self._limited(
                    node, self.builder.product, [sign, self.value(node.operand, depth + 1)]
                )
            case ast.Call(func=ast.Name(id=name)):
                return self._call(node, name, depth)
            case ast.Name():
                return self._name(node, node.id)
            case ast.Constant():
                return self._number(node)
        raise self._fault(node, f"expected {_GRAMMAR}, got {{}}")

    def _chain(
        self, node: ast.expr, operators: tuple[type[ast.operator], type[ast.operator]]
    ) -> list[tuple[ast.expr, bool]]:
        """Return the operands of a row of operators, each with whether it is subtracted or divided
        by.
        """
        items = list[tuple[ast.expr, bool]]()
        while isinstance(node, ast.BinOp) and isinstance(node.op, operators):
            items.append((node.right, isinstance(node.op, operators[1])))
            node = node.left
        if len(items) > MAX_SUMMANDS:
            raise self._fault(
                node, f"more than {MAX_SUMMANDS} operators in a row; group them with parentheses"
            )
        return [(node, False), *reversed(items)]

    def _sum(self, node: ast.expr, depth: int) -> Term:
        parts = []
        for item, negative in self._chain(node, (ast.Add, ast.Sub)):
            term = self.value(item, depth + 1)
            parts.append(Term(-term.coefficient, term.factors) if negative else term)
        return self._limited(node, self.builder.sum, parts)

    def _product(self, node: ast.expr, depth: int) -> Term:
        parts = []
        for item, divided in self._chain(node, (ast.Mult, ast.Div)):
            term = self.value(item, depth + 1)
            parts.append(self._power(item, term, Fraction(-1)) if divided else term)
        return self._limited(node, self.builder.product, parts)

    def _exponent(self, node: ast.expr, depth: int) -> Fraction:
        term = self.value(node, depth + 1)
        number = self._limited(node, self.builder.rational, term)
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

    def _call(self, node: ast.Call, name: str, depth: int) -> Term:
        if name in self.variables:
            raise self._fault(
                node, f"{name!r} is a variable; write products with *, as in {name}*(…)"
            )
        if name not in _FUNCTIONS:
            raise self._fault(
                node,
                f"{_shown(name)!r} is no function known here: only sqrt and ** are exact (products"
                " need *)",
            )
        if len(node.args) != 1 or node.keywords or isinstance(node.args[0], ast.Starred):
            raise self._fault(node, "sqrt takes one argument, got {}")
        return self._power(node.args[0], self.value(node.args[0], depth + 1), Fraction(1, 2))

    def _name(self, node: ast.expr, name: str) -> Term:
        if name in self.variables:
            return self.builder.variable(self.variables[name])
        close = difflib.get_close_matches(name, [*self.variables, *_FUNCTIONS], 1)
        advice = (
            f"did you mean {close[0]!r}?"
            if close
            else f"the variables are {_shown(', '.join(self.variables))}"
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
