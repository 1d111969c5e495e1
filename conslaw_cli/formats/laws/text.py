"""Plain text for a terminal or a pipe: families of laws as matrices, other laws as formulas."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from conslaw_cli.families import Architecture
from conslaw_cli.families.layers import Layers
from conslaw_cli.families.mlp import LINEAR, MLP
from conslaw_cli.formats.laws import Result, degrees, origin, title
from conslaw_cli.formats.words import label, probability
from conslaw_cli.polynomials import Law, Polynomial

_POWERS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def render_text(results: Sequence[Result], width: int | None) -> str:
    """Return the figures, a generating set and, if the search has one, a linear basis of every
    result.

    width: longer lines are wrapped; None leaves them as long as they are.
    """
    blocks = ["\n".join(_wrapped(_lines(result), width)) for result in results]
    conventions = list(dict.fromkeys(line for result in results for line in _conventions(result)))
    return (
        "\n\n".join([*blocks, *(["\n".join(_wrapped(conventions, width))] if conventions else [])])
        + "\n"
    )


def _lines(result: Result) -> Iterator[str]:
    yield title(result)
    yield from (f"  {line}" for line in _figures(result))
    laws = [f"{family.text} = const   ({family.size})" for family in result.families]
    laws += [
        f"{formula(law.polynomial, result.search.parameters)} = const   ({origin(law)})"
        for law in result.others
    ]
    if laws:
        yield ""
        if result.search.homogeneous and any(
            law.polynomial.degree < result.search.degree for law in result.search.generators
        ):
            yield f"  The laws of degree {result.search.degree} are polynomials in these:"
        yield from (f"  {line}" for line in laws)
    if result.search.basis:
        yield ""
        yield "  A linear basis:"
        yield from (f"    {_listed(law, result)}" for law in result.search.basis)


def _figures(result: Result) -> Iterator[str]:
    search = result.search
    counts = ", ".join(f"{number} of degree {degree}" for degree, number in search.linear.items())
    yield f"linearly independent: {counts}"
    others = {
        d: number - search.products[d]
        for d, number in search.linear.items()
        if number > search.products[d]
    }
    if others:
        counts = ", ".join(f"{number} of degree {degree}" for degree, number in others.items())
        yield f"of these, not polynomials in the known laws: {counts}"
    yield (
        f"functionally independent: {search.independent} ({search.known} known,"
        f" {search.independent - search.known} new)"
    )
    yield _comparison(result)
    if _one_path_each(search.architecture) and not search.homogeneous and search.degree >= 2:
        yield "complete: φ is a monomial map, so all laws are functions of those of degree up to 2"
    if search.error_bound:
        chance = probability(search.error_bound)
        yield (
            "the numbers of polynomial laws rest on random trials: one is wrong with a probability"
            f" {chance}"
        )


def _one_path_each(architecture: Architecture) -> bool:
    """Whether φ is monomial because of its activations, not because a linear layer has one neuron:
    there the matrix that is printed says it all.
    """
    mlp = architecture.mlp() if isinstance(architecture, Layers) else architecture
    linear = isinstance(mlp, MLP) and any(name in LINEAR for name in mlp.activations)
    return architecture.monomial and not linear


def _comparison(result: Result) -> str:
    row = result.count
    sure = (
        "proved"
        if row.error_bound is None
        else f"computed, error probability {probability(row.error_bound)}"
    )
    if result.not_polynomial == 0:
        return f"laws in all: {row.laws} ({sure}); all of them are found"
    verb = "is no polynomial" if result.not_polynomial == 1 else "are no polynomials"
    return (
        f"laws in all: {row.laws} ({sure}); {result.not_polynomial} of them {verb} of"
        f" {degrees(result.search)}"
    )


def _listed(law: Law, result: Result) -> str:
    text = formula(law.polynomial, result.search.parameters)
    if law.name is not None:
        return f"{label(law.name)} = {text}"
    return text if law.known else f"{text}   (no polynomial in the known laws)"


def _conventions(result: Result) -> Iterator[str]:
    names = result.search.parameters
    if not result.search.generators:
        return
    if not any("[" in name for name in names):
        pass
    elif any(name.startswith("U") for name in names):
        yield "U1[i,j] leads from unit i to unit j of the next layer (x ↦ x U1 U2 …, row vectors)."
    else:
        yield "Q1[i,j] leads from unit i to unit j of the next layer (x ↦ x Q1 K1, row vectors)."
    if any(name.startswith("b") for name in names):
        yield "b1[j] is the bias of unit j."
    if any(name.count(",") > 1 for name in names):
        yield "Kernels: U1[i,t,j] leads from channel i at position t of the kernel to channel j."
    if any(law.new for law in result.others):
        yield "new: independent of the known laws."


def formula(polynomial: Polynomial, names: Sequence[str]) -> str:
    """Return a polynomial in the names of the parameters."""
    first, *rest = (_term(c, monomial, names) for c, monomial in polynomial.terms)
    return f"{'−' * first[0]}{first[1]}" + "".join(
        f" {'−' if negative else '+'} {text}" for negative, text in rest
    )


def _term(coefficient: int, monomial: Sequence[int], names: Sequence[str]) -> tuple[bool, str]:
    powers = {e: monomial.count(e) for e in monomial}
    factors = [
        names[e] + (str(power).translate(_POWERS) if power > 1 else "")
        for e, power in powers.items()
    ]
    size = [str(abs(coefficient))] if abs(coefficient) != 1 else []
    return coefficient < 0, "·".join([*size, *factors])


def _wrapped(lines: Iterator[str] | Sequence[str], width: int | None) -> Iterator[str]:
    for line in lines:
        if width is None or not line:
            yield line
            continue
        indent = " " * (len(line) - len(line.lstrip()) + 2)
        yield from textwrap.wrap(
            line,
            max(width, 20),
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
