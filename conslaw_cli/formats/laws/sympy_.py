"""SymPy: a script that defines a symbol for every parameter and the list of laws."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from conslaw_cli.formats.laws import Result, expression, origin, suffixes, title
from conslaw_cli.polynomials import Law


def render_sympy(results: Sequence[Result]) -> str:
    """Return Python text that defines ``laws``, a list of expressions (``laws_1``, ``laws_2``, …
    for several results).

    The list holds the linear basis if the search has one, else the generators.
    """
    scripts = [
        "\n".join(_script(result, suffix))
        for result, suffix in zip(results, suffixes(results), strict=True)
    ]
    return "\n\n".join(["from sympy import symbols", *scripts]) + "\n"


def _script(result: Result, suffix: str) -> Iterator[str]:
    search = result.search
    names = [_name(name) for name in search.parameters]
    laws = search.generators if search.basis is None else search.basis
    yield f"# {title(result)}"
    yield f"theta{suffix} = symbols("
    yield from (
        f'    "{" ".join(names[start : start + 10])} "' for start in range(0, len(names), 10)
    )
    yield ")"
    yield "("
    yield from (
        f"    {', '.join(names[start : start + 10])}," for start in range(0, len(names), 10)
    )
    yield f") = theta{suffix}"
    yield f"laws{suffix} = ["
    yield from (f"    {expression(law.polynomial, names)},{_comment(law, result)}" for law in laws)
    yield "]"


def _name(name: str) -> str:
    """Return a Python name that is none of the script's own."""
    plain = re.sub(r"\W+", "_", name).rstrip("_")
    return f"{plain}_" if re.fullmatch(r"(theta|laws)(_\d+)?|symbols", plain) else plain


def _comment(law: Law, result: Result) -> str:
    if law.name is not None:
        return f"  # {law.name}"
    return f"  # {origin(law, result)}" if law.new else ""
