"""LaTeX: displayed formulas that need no package but amsmath."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from conslaw_cli.formats.laws import (
    Known,
    Result,
    abelian_size,
    family_size,
    known_title,
    origin,
    side_text,
    title,
)
from conslaw_cli.laws.formulas import tex_equation, tex_lines
from conslaw_cli.laws.rational import Quotient
from conslaw_cli.laws.search import LawSearch
from conslaw_cli.laws.values import Law, Polynomial
from conslaw_cli.networks.known_laws import Family
from conslaw_cli.networks.notation import TEX
from conslaw_cli.problems.notebook import constant


def render_latex(results: Sequence[Result | Known]) -> str:
    """Return one display per result, after comments that say what it shows."""
    needs = r"% Needs \usepackage{amsmath}; \allowdisplaybreaks lets long lists break."
    return "\n".join([needs, *map(_display, results)]) + "\n"


def _display(result: Result | Known) -> str:
    if isinstance(result, Known):
        return _part(known_title(result), _constants(result.families))
    search = result.search
    comment = f"% {title(result)}"
    laws = list(_generators(result))
    displays = [("A functionally independent generating set.", laws)]
    if search.basis is not None:
        basis = [_equation(law, search) for law in search.basis]
        displays.append(("A linear basis.", basis))
    if result.unsearched:
        families = _constants(result.unsearched)
        displays.append(("Known laws, not searched, as they need not be polynomials.", families))
    return "\n".join([comment, *(_part(what, lines) for what, lines in displays)])


def _part(what: str, lines: Sequence[str]) -> str:
    return f"% {what}\n{_gather(lines)}" if lines else f"% {what} Empty: there are no such laws."


def _constants(families: Sequence[Family]) -> list[str]:
    return [constant(each.latex, _sized(family_size(each))) for each in families]


def _sized(what: str) -> str:
    return what.replace("×", r"$\times$")


def _gather(lines: Sequence[str]) -> str:
    body = " \\\\\n".join(lines)
    return f"\\begin{{gather*}}\n{body}\n\\end{{gather*}}"


def _generators(result: Result) -> Iterator[str]:
    for members in result.families:
        yield constant(members.family.latex, _sized(members.size))
    for law in result.others:
        yield (
            rf"{_equation(law, result.search)} \qquad"
            rf" (\text{{{origin(law, result)}}})"
        )
    for each in result.abelian:
        yield constant(each.latex, abelian_size(each))
    yield from (_fraction(quotient, result.search) for quotient in result.quotients)


def _equation(law: Law, search: LawSearch) -> str:
    return tex_equation(law.polynomial, search.coordinates, search.radicals)


def _fraction(quotient: Quotient, search: LawSearch) -> str:
    above, below = (_side(side, search) for side in quotient.sides)
    return constant(rf"\frac{{{above or 1}}}{{{below}}}" if below else above, "rational")


def _side(side: Sequence[tuple[Polynomial, int]], search: LawSearch) -> str:
    def write(polynomial: Polynomial) -> str:
        return " ".join(tex_lines(polynomial, search.coordinates, search.radicals))

    alone = len(side) == 1 and side[0][1] == 1
    return write(side[0][0]) if alone else side_text(side, write, TEX)
