"""What a formula may be made of: names, arrays, constants and texts; how it is shown.

Every check raises SpecError, which names the key, what is wrong with it and what was expected.
"""

from __future__ import annotations

import keyword
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from hashlib import sha256
from math import prod
from typing import Any

from conslaw_cli import checks
from conslaw_cli.errors import SpecError
from conslaw_cli.families.formulas.expressions import Expression, Names, Shape, split
from conslaw_cli.networks.operation import show
from conslaw_cli.networks.operations.dense import MAX_WIDTH

MAX_VARIABLES = 2000
MAX_COMPONENTS = 10_000
MAX_CHARACTERS = 200_000
_NAME_LENGTH = 60

Rows = tuple[tuple[Fraction, ...], ...]
Arrays = Any
"""Shapes by names, as a mapping or in pairs; kept as pairs, so that equal values have a hash."""
Constants = Any
"""Names alone, or shapes or rows of numbers by names; kept as pairs, the shape of a number ()."""


def with_prefix(key: str, build: Callable[[], Any]) -> Any:
    """Return ``build()``; begin the message of a SpecError with a key."""
    try:
        return build()
    except SpecError as fault:
        raise SpecError(f"{key}: {fault}") from None


def listed(text: str) -> tuple[str, ...]:
    """Return the components of a text with commas between them. Raise SpecError if it is none."""
    checks.text("components", text)
    return split(Expression(text, "the list of components"))


def listed_fields(text: str) -> tuple[tuple[str, ...], ...]:
    """Return the fields of a text with semicolons between them, commas between their entries, and
    parentheses around each or none. Raise SpecError if it is none.
    """
    checks.text("components", text)
    whole, start = list[tuple[str, ...]](), 0
    for part in _parts(text):
        # Blanks in front keep the columns.
        whole.append(split(Expression(" " * start + part, "the list of fields")))
        start += len(part) + 1
    return tuple(whole)


def _parts(text: str) -> list[str]:
    """Split at semicolons that stand in no parentheses."""
    depth, cut = 0, [-1]
    for place, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        cut += [place] if character == ";" and depth == 0 else []
    return [text[a + 1 : b] for a, b in zip(cut, [*cut[1:], len(text)], strict=True)]


def expressions(texts: Sequence[str]) -> list[Expression]:
    """Return components as expressions that errors can name."""
    return [Expression(text, f"component {number}") for number, text in enumerate(texts, start=1)]


@lru_cache(maxsize=64)
def meanings(
    variables: tuple[str, ...], arrays: tuple[tuple[str, Shape], ...], constants: Constants
) -> Names:
    """Return what names stand for."""
    generic = tuple((name, each) for name, each in constants if not _given_numbers(each))
    given = tuple((name, each) for name, each in constants if _given_numbers(each))
    return Names((*arrays, *((name, ()) for name in variables)), generic, given)


def _given_numbers(constant: Shape | Rows) -> bool:
    return bool(constant) and isinstance(constant[0], tuple)


def checked_names(given: object) -> tuple[str, ...]:
    """Return names of variables, as a tuple."""
    return checks.entries("variables", given, "names such as ('x1', 'x2')")


def checked_arrays(given: object) -> tuple[tuple[str, Shape], ...]:
    """Return names and shapes of arrays."""
    pairs = list(given.items()) if isinstance(given, Mapping) else given
    listed = checks.entries("arrays", pairs, "shapes such as {'W': (3, 2)}")
    for name, shape in listed:
        if not checks.sizes(f"arrays: {name}", shape, MAX_WIDTH):
            raise SpecError(f"arrays: {name}: expected a shape such as [3, 2], got []")
    return tuple((name, tuple(shape)) for name, shape in listed)


def checked_constants(given: object) -> tuple[tuple[str, Shape | Rows], ...]:
    """Return names with the shapes of generic constants, and with the rows of given ones."""
    pairs = list(given.items()) if isinstance(given, Mapping) else given
    expected = "names such as [p, q], or shapes or rows of numbers such as {W: [2, 2]}"
    listed = checks.entries("constants", pairs, expected)
    found = [(each, ()) if isinstance(each, str) else each for each in listed]
    return tuple((name, _constant(name, value)) for name, value in found)


def _constant(name: str, value: object) -> Shape | Rows:
    rows = checks.entries(f"constants: {name}", value, "a shape, or rows of numbers")
    if not rows or not isinstance(rows[0], list | tuple):
        return checks.sizes(f"constants: {name}", rows, MAX_WIDTH)
    if any(
        not isinstance(row, list | tuple) or len(row) != len(rows[0]) or not row for row in rows
    ):
        raise SpecError(
            f"constants: {name}: expected rows of one length, got {checks.shown(value)}"
        )
    try:
        return tuple(tuple(Fraction(str(entry)) for entry in row) for row in rows)
    except (ValueError, ZeroDivisionError):
        shown = checks.shown(value)
        raise SpecError(f"constants: {name}: expected rational numbers, got {shown}") from None


def described_arrays(arrays: Arrays) -> dict[str, Any]:
    """Return the JSON-ready key of arrays, if there are some."""
    return {"arrays": {name: list(shape) for name, shape in arrays}} if arrays else {}


def outline(arrays: Arrays, variables: Sequence[str]) -> list[tuple[str, str, int]]:
    """Return what a state is made of: what each is, its shape, its numbers."""
    rows = [(f"array {name}", show(shape), prod(shape)) for name, shape in arrays]
    if variables:
        size = len(variables)
        rows.append((f"variables {shortened(', '.join(variables))}", str(size), size))
    return rows


def described(constants: Constants) -> dict[str, Any]:
    """Return the JSON-ready key of constants, if there are some."""
    if not any(each for _, each in constants):
        return {"constants": [name for name, _ in constants]} if constants else {}
    return {
        "constants": {
            name: [[_plain(entry) for entry in row] for row in each]
            if _given_numbers(each)
            else list(each)
            for name, each in constants
        }
    }


def _plain(number: Fraction) -> int | str:
    return int(number) if number.denominator == 1 else str(number)


def checked_outputs(given: object, components: int) -> tuple[int, ...]:
    """Return numbers of components, each once."""
    outputs = checks.entries("outputs", given, "numbers of components such as [1, 2]")
    for output in outputs:
        checks.integer("outputs", output, 1, components)
    if len(set(outputs)) < len(outputs):
        raise SpecError(f"outputs: expected each component once, got {checks.shown(given)}")
    return outputs


def check_sizes(names: Names) -> None:
    """Check how many numbers move, and how many do not."""
    for size, what in ((names.size, "numbers in θ"), (names.fixed, "constants")):
        if size > MAX_VARIABLES:
            raise SpecError(f"arrays: expected at most {MAX_VARIABLES:,} {what}, got {size:,}")


def check_texts(key: str, texts: Sequence[str]) -> None:
    """Check how many expressions there are, and how long they are."""
    if not texts:
        raise SpecError(f"{key}: expected at least one expression")
    if len(texts) > MAX_COMPONENTS:
        raise SpecError(
            f"{key}: expected at most {MAX_COMPONENTS:,} expressions, got {len(texts):,}"
        )
    for text in texts:
        if type(text) is not str:
            raise SpecError(f"{key}: expected expressions such as 'u*v', got {checks.shown(text)}")
    if (size := sum(map(len, texts))) > MAX_CHARACTERS:
        raise SpecError(
            f"{key}: expected at most {MAX_CHARACTERS:,} characters in all, got {size:,}"
        )


def check_variables(variables: Sequence[str]) -> None:
    """Check that names are some, each once, and no words of the grammar."""
    if not variables:
        raise SpecError("variables: expected at least one")
    if len(variables) > MAX_VARIABLES:
        raise SpecError(f"variables: expected at most {MAX_VARIABLES:,}, got {len(variables):,}")
    for name in variables:
        if (
            type(name) is not str
            or not name.isidentifier()
            or unicodedata.normalize("NFKC", name) != name
        ):
            raise SpecError(
                f"variables: expected names of letters, digits and _, got {shortened(repr(name))}"
            )
        if keyword.iskeyword(name) or name == "sqrt":
            raise SpecError(f"variables: {name!r} has another meaning; choose another name")
    repeated = {name for name in variables if variables.count(name) > 1}
    if repeated:
        raise SpecError(f"variables: {min(repeated)!r} is given twice")


def label(kind: str, variables: Sequence[str], parts: Sequence[str]) -> str:
    """Return a name that tells different maps apart, also where it is too long to show
    everything.
    """
    text = f"{kind}({', '.join(variables)}) = ({', '.join(parts)})"
    if len(text) <= _NAME_LENGTH:
        return text
    key = sha256("\n".join([*variables, "", *parts]).encode()).hexdigest()[:8]
    return f"{shortened(text)} [{len(parts)} in {len(variables)} variables, {key}]"


def shortened(text: str) -> str:
    """Return a text, cut where it is long."""
    return text if len(text) <= _NAME_LENGTH else text[: _NAME_LENGTH - 1] + "…"
