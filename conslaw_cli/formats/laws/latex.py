"""LaTeX: displayed formulas that need no package but amsmath."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from conslaw_cli.families.formulas.tex import symbol
from conslaw_cli.formats.laws import Known, Result, groups, origin, terms, title
from conslaw_cli.formats.laws.known import latex_display
from conslaw_cli.laws.rational import Quotient
from conslaw_cli.laws.values import LawSearch, Polynomial

FACTORS_PER_LINE = 8


def render_latex(results: Sequence[Result | Known]) -> str:
    """Return one display per result, after comments that say what it shows."""
    needs = r"% Needs \usepackage{amsmath}; \allowdisplaybreaks lets long lists break."
    return "\n".join([needs, *map(_display, results)]) + "\n"


def _display(result: Result | Known) -> str:
    if isinstance(result, Known):
        return latex_display(result)
    search = result.search
    comment = f"% {title(result)}"
    laws = list(_generators(result))
    displays = [("A functionally independent generating set.", laws)]
    if search.basis is not None:
        basis = [_equation(law.polynomial, search) for law in search.basis]
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
            rf"{_equation(law.polynomial, result.search)} \qquad"
            rf" (\text{{{origin(law, result)}}})"
        )
    yield from (_fraction(quotient, result.search) for quotient in result.quotients)


def _fraction(quotient: Quotient, search: LawSearch) -> str:
    above, below = (_side(side, search) for side in quotient.sides)
    law = rf"\frac{{{above or 1}}}{{{below}}}" if below else above
    return rf"{law} = \mathrm{{const}} \qquad (\text{{rational}})"


def _side(side: Sequence[tuple[Polynomial, int]], search: LawSearch) -> str:
    texts = [(" ".join(_lines(p, search)), len(p.terms) > 1, e) for p, e in side]
    if len(texts) == 1 and texts[0][2] == 1:
        return texts[0][0]
    grouped = ((f"({text})" if several else text, e) for text, several, e in texts)
    return " ".join(text + f"^{{{e}}}" * (e > 1) for text, e in grouped)


def _equation(polynomial: Polynomial, search: LawSearch) -> str:
    lines: list[str] = []
    for factor, own in groups(polynomial, search):
        part = _lines(own, search)
        if factor.latex:
            part[0] = rf"{factor.latex} \bigl({part[0]}"
            part[-1] += r"\bigr)"
        lines += [f"{'{} + ' * bool(lines)}{part[0]}", *part[1:]]
    if len(lines) == 1:
        return rf"{lines[0]} = \mathrm{{const}}"
    body = " \\\\\n& ".join(lines)
    return f"\\begin{{aligned}}\n& {body} = \\mathrm{{const}}\n\\end{{aligned}}"


def _lines(polynomial: Polynomial, search: LawSearch) -> list[str]:
    lines, room = [""], FACTORS_PER_LINE
    radicals = [radical.latex for radical in search.radicals]
    names = [*search.parameters, *search.coordinates.velocities]
    symbols = [*map(_symbol, names), *(tex for tex in search.coordinates.extra_latex)]
    for c, factors, monomial in terms(polynomial, radicals, r" \, "):
        size = len(factors) + len(set(monomial))
        if room < size:
            lines, room = [*lines, "{}"], FACTORS_PER_LINE
        lines[-1] += f" {_term(c, factors, monomial, symbols)}"
        room -= size
    lines[0] = lines[0].removeprefix(" +").strip()
    return lines


def _symbol(name: str) -> str:
    """Return a parameter, or a velocity that has the name of its parameter, as a formula."""
    array, bracket, index = name.partition("[")
    if not array.endswith("_dot"):
        return symbol(name)
    dotted = rf"\dot{{{symbol(array.removesuffix('_dot'))}}}"
    return f"({dotted})_{{{index.removesuffix(']')}}}" if bracket else dotted


def _term(
    coefficient: int, radicals: Sequence[str], monomial: Sequence[int], symbols: Sequence[str]
) -> str:
    powers = {e: monomial.count(e) for e in monomial}
    factors = [
        *radicals,
        *(symbols[e] + (f"^{{{power}}}" if power > 1 else "") for e, power in powers.items()),
    ]
    size = f"{abs(coefficient)} " if abs(coefficient) != 1 or not factors else ""
    return f"{'-' if coefficient < 0 else '+'} {size}{' '.join(factors)}"
