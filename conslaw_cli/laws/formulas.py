"""Polynomials written out: their terms and factors, for all formats, and TeX."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from conslaw_cli.families.formulas.terms import Radical
from conslaw_cli.flows.coordinates import Coordinates, Factor
from conslaw_cli.laws.values import Polynomial
from conslaw_cli.networks.notation import CODE, TEX, Notation

FACTORS_PER_LINE = 8
_LINE = TEX._replace(between=" ")


def groups(polynomial: Polynomial, coordinates: Coordinates) -> list[tuple[Factor, Polynomial]]:
    """Return a law as a sum of polynomials in θ, velocities and time, each with a factor."""
    written = coordinates.written(polynomial.terms)
    return [(factor, Polynomial(tuple(own))) for factor, own in written]


def expression(
    polynomial: Polynomial,
    names: Sequence[str],
    radicals: Sequence[str] = (),
    notation: Notation = CODE,
) -> str:
    """Return a polynomial in factors and radicals with these names."""
    return notation.sum(
        (c, [*factors, *notation.monomial(monomial, names)])
        for c, factors, monomial in terms(polynomial, radicals, notation)
    )


def terms(
    polynomial: Polynomial, radicals: Sequence[str], notation: Notation
) -> Iterator[tuple[int, list[str], tuple[int, ...]]]:
    """Yield the terms of a polynomial in θ: an integer, what else the coefficient is made of, and
    the monomial.

    radicals: how these are written.
    """
    for summands, monomial in _collected(polynomial, radicals):
        if len(summands) == 1:
            yield (*summands[0], monomial)
        else:
            yield 1, [f"({notation.sum(summands)})"], monomial


def coefficients(
    polynomial: Polynomial, radicals: Sequence[str]
) -> Iterator[tuple[int | str, tuple[int, ...]]]:
    """Yield the coefficients, integers or text where there are radicals, and the monomials in θ."""
    for summands, monomial in _collected(polynomial, radicals):
        (number, factors), *others = summands
        yield CODE.sum(summands) if factors or others else number, monomial


Summand = tuple[int, list[str]]
"""An integer and the radical, if there is one, by which it is multiplied."""


def _collected(
    polynomial: Polynomial, radicals: Sequence[str]
) -> Iterator[tuple[list[Summand], tuple[int, ...]]]:
    """Yield the summands of the coefficient of each monomial in θ, integers first."""
    for monomial, parts in groupby(
        polynomial.terms, key=lambda t: tuple(e for e in t[1] if e >= 0)
    ):
        summands = [(c, [radicals[-e - 1] for e in m if e < 0]) for c, m in parts]
        yield sorted(summands, key=lambda summand: len(summand[1])), monomial


def tex_equation(
    polynomial: Polynomial, coordinates: Coordinates, radicals: Sequence[Radical]
) -> str:
    """Return that a law is constant, in TeX, on as many lines as it needs."""
    lines: list[str] = []
    for factor, own in groups(polynomial, coordinates):
        part = tex_lines(own, coordinates, radicals)
        if factor.latex:
            part[0] = rf"{factor.latex} \bigl({part[0]}"
            part[-1] += r"\bigr)"
        lines += [f"{'{} + ' * bool(lines)}{part[0]}", *part[1:]]
    if len(lines) == 1:
        return rf"{lines[0]} = \mathrm{{const}}"
    body = " \\\\\n& ".join(lines)
    return f"\\begin{{aligned}}\n& {body} = \\mathrm{{const}}\n\\end{{aligned}}"


def tex_lines(
    polynomial: Polynomial, coordinates: Coordinates, radicals: Sequence[Radical]
) -> list[str]:
    """Return a polynomial in coordinates and radicals, in TeX, on lines of bearable length."""
    lines, room = [""], FACTORS_PER_LINE
    roots = [radical.latex for radical in radicals]
    symbols = coordinates.latex
    for c, factors, monomial in terms(polynomial, roots, TEX):
        size = len(factors) + len(set(monomial))
        if room < size:
            lines, room = [*lines, "{}"], FACTORS_PER_LINE
        product = _LINE.product(c, [*factors, *_LINE.monomial(monomial, symbols)])
        lines[-1] += f" {'-' if c < 0 else '+'} {product}"
        room -= size
    lines[0] = lines[0].removeprefix(" +").strip()
    return lines
