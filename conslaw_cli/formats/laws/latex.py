"""LaTeX: displayed formulas that need no package but amsmath."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from conslaw_cli.formats.laws import Result, origin, title
from conslaw_cli.polynomials import Polynomial

FACTORS_PER_LINE = 8


def render_latex(results: Sequence[Result]) -> str:
    """Return one display per result, after comments that say what it shows."""
    needs = r"% Needs \usepackage{amsmath}; \allowdisplaybreaks lets long lists break."
    return "\n".join([needs, *map(_display, results)]) + "\n"


def _display(result: Result) -> str:
    search = result.search
    comment = f"% {title(result)}"
    laws = list(_generators(result))
    displays = [("A functionally independent generating set.", laws)]
    if search.basis is not None:
        basis = [_equation(law.polynomial, search.parameters) for law in search.basis]
        displays.append(("A linear basis.", basis))
    parts = [
        f"% {what}\n{_gather(lines)}" if lines else f"% {what} Empty: there are no such laws."
        for what, lines in displays
    ]
    return "\n".join([comment, *parts])


def _gather(lines: Sequence[str]) -> str:
    body = " \\\\\n".join(lines)
    return f"\\begin{{gather*}}\n{body}\n\\end{{gather*}}"


def _generators(result: Result) -> Iterator[str]:
    for family in result.families:
        size = family.size.replace("×", r"$\times$")
        yield rf"{family.latex} = \mathrm{{const}} \qquad (\text{{{size}}})"
    for law in result.others:
        yield (
            rf"{_equation(law.polynomial, result.search.parameters)} \qquad"
            rf" (\text{{{origin(law, result)}}})"
        )


def _equation(polynomial: Polynomial, names: Sequence[str]) -> str:
    lines, room = [""], FACTORS_PER_LINE
    for c, monomial in polynomial.terms:
        if room < len(set(monomial)):
            lines, room = [*lines, "{}"], FACTORS_PER_LINE
        lines[-1] += f" {_term(c, monomial, names)}"
        room -= len(set(monomial))
    lines[0] = lines[0].removeprefix(" +").lstrip()
    if len(lines) == 1:
        return rf"{lines[0]} = \mathrm{{const}}"
    body = " \\\\\n& ".join(lines)
    return f"\\begin{{aligned}}\n& {body} = \\mathrm{{const}}\n\\end{{aligned}}"


def _term(coefficient: int, monomial: Sequence[int], names: Sequence[str]) -> str:
    powers = {e: monomial.count(e) for e in monomial}
    factors = [
        _symbol(names[e]) + (f"^{{{power}}}" if power > 1 else "") for e, power in powers.items()
    ]
    size = "" if abs(coefficient) == 1 else f"{abs(coefficient)} "
    return f"{'-' if coefficient < 0 else '+'} {size}{' '.join(factors)}"


def _symbol(name: str) -> str:
    """Return ``(U_{1})_{2,3}`` for ``U1[2,3]``, ``x_{1}`` for ``x1``."""
    if "[" not in name:
        letters, number = re.fullmatch(r"(.*?)(\d*)", name).groups()  # type: ignore[union-attr]
        plain = letters.replace("_", r"\_")
        symbol = plain if len(plain) == 1 else rf"\mathrm{{{plain}}}"
        return f"{symbol}_{{{number}}}" if number else symbol
    letters, number, index = re.fullmatch(r"(\D+)(\d*)\[(.*)\]", name).groups()  # type: ignore[union-attr]
    symbol = f"{letters}_{{{number}}}" if number else letters
    return f"({symbol})_{{{index}}}"
