"""SymPy: a script that defines a symbol for every parameter and the list of laws."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Iterator, Sequence

from conslaw_cli.flows.coordinates import Coordinates
from conslaw_cli.formats.laws import (
    Known,
    Result,
    calls,
    codes_of,
    known_title,
    law_code,
    origin,
    quotient_code,
    suffixes,
    title,
)
from conslaw_cli.formats.laws.matrices import sympy_script
from conslaw_cli.laws.values import Law
from conslaw_cli.networks.known_laws import Laws

_OWN = re.compile(r"(theta|laws)(_[0-9]+)?|symbols|sympy|__debug__")
"""Names that a script defines or may not assign to."""


def render_sympy(results: Sequence[Result | Known]) -> str:
    """Return Python text that defines ``laws``, a list of expressions (``laws_1``, ``laws_2``, …
    for several results).

    The list holds the linear basis if the search has one, else the generators.
    """
    scripts = [
        "\n".join(_script(result, suffix))
        for result, suffix in zip(results, suffixes(results), strict=True)
    ]
    searched = [result for result in results if isinstance(result, Result)]
    needs = ["import sympy"] * any(result.search.radicals for result in searched)
    functions = set[str]().union(*(calls(result.search) for result in searched))
    called = sorted(name.replace("arcsinh", "asinh") for name in functions)
    if len(searched) < len(results):
        if any(isinstance(r, Known) and r.problem.other_flow for r in results):
            called = sorted({"DiagonalOf", "asinh", "exp", "log", "sqrt", *called})
        if any(re.search(r"\bMatrix\(", text) for text in scripts):
            called = ["Matrix", *called]
        called = ["HadamardProduct", "Identity", "MatrixSymbol", "OneMatrix", "Trace", *called]
    imports = f"from sympy import {', '.join([*called, 'symbols'])}"
    return "\n\n".join(["\n".join([*needs, imports]), *scripts]) + "\n"


def _script(result: Result | Known, suffix: str) -> Iterator[str]:
    if not isinstance(result, Known):
        yield f"# {title(result)}"
        names = yield from _symbols(result.search.coordinates, suffix)
        yield from _listed(suffix, _laws(result, names))
    elif result.laws is None:
        yield from sympy_script(result, suffix)
    else:
        yield f"# {known_title(result)}"
        names = yield from _symbols(result.coordinates, suffix)
        yield from _listed(suffix, _known(result.laws, result.coordinates, names))


def _symbols(coordinates: Coordinates, suffix: str) -> Generator[str, None, list[str]]:
    """Yield the lines that define symbols for parameters, velocities and arguments. Return the
    names of the former two.
    """
    every = (*coordinates.arrays, *coordinates.moving)
    entries = (array.identifier(place) for array in every for place in array.indices)
    symbols = [*entries, *coordinates.arguments]
    names = _names(symbols, coordinates.arguments)
    yield f"theta{suffix} = symbols("
    yield from (
        f'    "{" ".join(symbols[start : start + 10])} "' for start in range(0, len(symbols), 10)
    )
    if len(symbols) == 1:
        yield '    ","'  # else symbols returns no tuple
    yield ")"
    yield "("
    yield from (
        f"    {', '.join(names[start : start + 10])}," for start in range(0, len(names), 10)
    )
    yield f") = theta{suffix}"
    return names[: len(symbols) - len(coordinates.arguments)]


def _listed(suffix: str, laws: Iterable[str]) -> Iterator[str]:
    yield f"laws{suffix} = ["
    yield from (f"    {law}" for law in laws)
    yield "]"


def _laws(result: Result, names: Sequence[str]) -> Iterator[str]:
    search = result.search
    factors = search.coordinates.coded(names)
    radicals = [radical.sympy for radical in search.radicals]
    for law in search.generators if search.basis is None else search.basis:
        code = law_code(law.polynomial, search.coordinates, factors, radicals)
        yield f"{code},{_comment(law, result)}"
    yield from (f"{quotient_code(each, factors)},  # rational" for each in result.quotients)
    for laws in search.unsearched:
        yield from _known(laws, search.coordinates, names)


def _known(laws: Laws, coordinates: Coordinates, names: Sequence[str]) -> Iterator[str]:
    for number, code in enumerate(codes_of(laws, coordinates, names)):
        yield f"{code.replace('arcsinh(', 'asinh(')},  # {laws.name(number)}"


def _names(symbols: Sequence[str], reserved: Sequence[str]) -> list[str]:
    """Return Python names for symbols: their own, but for those that the script itself needs; the
    last ones are reserved.
    """
    taken, names = set(symbols), list[str]()
    ours = {*reserved, "exp"} if reserved else set()
    for place, symbol in enumerate(symbols):
        name = symbol
        mine = ours if place < len(symbols) - len(reserved) else set()
        while _OWN.fullmatch(name) or name in mine or (name != symbol and name in taken):
            name += "_"
        taken.add(name)
        names.append(name)
    return names


def _comment(law: Law, result: Result) -> str:
    if law.name is not None:
        return f"  # {law.name}"
    return f"  # {origin(law, result)}" if law.new else ""
