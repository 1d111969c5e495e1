"""Plain text for a terminal or a pipe: families of laws as matrices, other laws as formulas."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence

from conslaw_cli.flows import System
from conslaw_cli.flows.coordinates import Coordinates
from conslaw_cli.flows.kept import Kept
from conslaw_cli.formats.laws import (
    Known,
    Result,
    abelian_text,
    degrees,
    family_size,
    known_title,
    origin,
    side_text,
    title,
)
from conslaw_cli.formats.words import label, probability, reason
from conslaw_cli.laws.formulas import expression, groups
from conslaw_cli.laws.plan import MAX_DEGREE
from conslaw_cli.laws.rational import Quotient
from conslaw_cli.laws.search import LawSearch
from conslaw_cli.laws.values import Law, Polynomial
from conslaw_cli.lie.theorems.paths import is_monomial
from conslaw_cli.networks.correlations import Correlations
from conslaw_cli.networks.known_laws import Family
from conslaw_cli.networks.notation import TEXT
from conslaw_cli.problems.records import LawCount

_OTHERS = {
    False: "laws that are no polynomials are not searched",
    True: "--rational looks for laws that are no polynomials",
}
"""What to do about them, by whether they are of a formula."""
_LAGS = (
    "⋆ at a lag s: entry (a,b) of U1⋆U1 is Σ U1[i,t+s,a]·U1[i,t,b], that of U2⋆U2, behind it, is"
    " Σ U2[b,t+s,j]·U2[a,t,j], over taps at places t + s and t."
)
_CLASSES = "[k], [l]: summed over the pairs (k,l) of taps in a class."


def text_blocks(results: Iterable[Result | Known], width: int | None) -> Iterator[str]:
    """Yield the figures, a generating set and, if the search has one, a linear basis of every
    result as it comes; in the end what the names mean.

    width: longer lines are wrapped; None leaves them as long as they are.
    """
    conventions: dict[str, None] = {}
    gap = ""
    for result in results:
        lines, meaning = (
            (_known_lines(result), _of_known(result))
            if isinstance(result, Known)
            else (_lines(result), _of_search(result))
        )
        yield gap + "\n".join(_wrapped(lines, width)) + "\n"
        conventions |= dict.fromkeys(meaning)
        gap = "\n"
    if conventions:
        yield gap + "\n".join(_wrapped([*conventions], width)) + "\n"


def _known_lines(known: Known) -> Iterator[str]:
    """Yield the figures, and each family on a line."""
    yield known_title(known)
    yield f"  known laws: {known.listed} listed, {_independent(known.count)} independent"
    yield f"  laws in all: {_in_all(known.count)}"
    if named := sum(each.size for each in known.abelian):
        yield f"  {_named_elsewhere(named)}"
    yield ""
    yield from (f"  {each.text} = const   ({family_size(each)})" for each in known.families)
    yield from (f"  {line}" for line in abelian_text(known))


def _named_elsewhere(laws: int) -> str:
    """Return what so many laws are that no search finds."""
    what = "one law is an Abelian integral" if laws == 1 else f"{laws} laws are Abelian integrals"
    return f"{what}, no algebraic function of θ (docs/abelian.md)"


def _independent(row: LawCount) -> str:
    if row.known_independent is not None:
        return str(row.known_independent)
    return f"at least {row.laws_at_least}"


def _in_all(row: LawCount) -> str:
    if row.laws is None:
        return _undecided(row)
    if not row.unknown_laws:
        return f"{row.laws} ({row.verdict}); all of them are functions of these"
    return f"{row.laws} ({row.verdict}); {row.unknown_laws} more than these"


def _undecided(row: LawCount) -> str:
    """Return what is known of the number of laws of a bounded row."""
    least = f"at least {row.laws_at_least} (proved)"
    return f"{least}; whether there are more is not decided: {reason(row)}"


def _lines(result: Result) -> Iterator[str]:
    yield title(result)
    yield from (f"  {line}" for line in _figures(result))
    laws = [f"{each.family.text} = const   ({each.size})" for each in result.families]
    laws += [
        f"{formula(law.polynomial, result.search)} = const   ({origin(law, result)})"
        for law in result.others
    ]
    laws += abelian_text(result)
    fractions = (_fraction(quotient, result.search) for quotient in result.quotients)
    laws += (f"{fraction} = const   (rational)" for fraction in fractions)
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


def _fraction(quotient: Quotient, search: LawSearch) -> str:
    sides = list(quotient.sides)
    above, below = (side_text(side, lambda p: formula(p, search), TEXT) for side in sides)
    group = len(sides[1]) > 1
    return f"{above or 1}/({below})" if group else f"{above or 1}{'/' * bool(below)}{below}"


def _figures(result: Result) -> Iterator[str]:
    search = result.search
    counts = ", ".join(f"{number} of degree {degree}" for degree, number in search.linear.items())
    yield f"linearly independent: {counts}"
    others = {
        d: number - search.products[d]
        for d, number in search.linear.items()
        if number > search.products[d]
    }
    if others and result.theory:
        counts = ", ".join(f"{number} of degree {degree}" for degree, number in others.items())
        yield f"of these, not polynomials in the known laws: {counts}"
    new = search.independent - search.known
    origins = f"({search.known} known, {new} new)" if result.theory else "found"
    yield f"functionally independent: {search.independent} {origins}"
    yield _comparison(result)
    if result.abelian:
        yield _named_elsewhere(sum(each.size for each in result.abelian))
    elif result.not_polynomial and result.rational is None:
        if not (result.unsearched and result.count.unknown_laws == 0):
            yield _next_step(search)
    elif result.not_polynomial:
        yield _explained(result)
    gradient = search.problem.flow.dynamics.system is System.GRADIENT
    if gradient and is_monomial(search.problem) and not search.homogeneous and search.degree >= 2:
        yield "complete: φ is a monomial map, so all laws are functions of those of degree up to 2"
    if result.unsearched:
        yield "known laws, not searched, as they need not be polynomials:"
        yield from (f"  {family.text} = const   ({family.shape})" for family in result.unsearched)
    if search.error_bound == 1 and result.not_polynomial:
        yield f"laws may be missing: {search.problem.doubt}"
    elif 0 < search.error_bound < 1:
        chance = probability(search.error_bound)
        yield (
            "the numbers of polynomial laws rest on random trials: one is wrong with a probability"
            f" {chance}"
        )


def _explained(result: Result) -> str:
    found, others = len(result.quotients), result.not_polynomial or 0
    text = f"rational laws: {found} of the {others} others"
    if result.rational is None or found == others:
        return text
    return f"{text}; quotients were looked for up to degree {result.rational.degree}"


def _comparison(result: Result) -> str:
    row = result.count
    if row.laws is None:
        return f"laws in all: {_undecided(row)}"
    sure = "proved" if row.error_bound is None else "computed, its error is not bounded"
    if row.error_bound is not None and row.error_bound < 1:
        sure = f"computed, error probability {probability(row.error_bound)}"
    if result.not_polynomial == 0:
        return f"laws in all: {row.laws} ({sure}); all of them are found"
    verb = "is no polynomial" if result.not_polynomial == 1 else "are no polynomials"
    rational = " with rational coefficients" if result.search.rational else ""
    return (
        f"laws in all: {row.laws} ({sure}); {result.not_polynomial} of them {verb} of"
        f" {degrees(result.search)}{rational}"
    )


def _next_step(search: LawSearch) -> str:
    if search.homogeneous:
        return "without --homogeneous laws of lower degrees are found too"
    higher = f"a higher degree may find more: --degree {search.degree + 1}; "
    gradient = search.problem.flow.dynamics.system is System.GRADIENT
    formula = search.problem.formula is not None and gradient
    return f"{higher * (search.degree < MAX_DEGREE)}{_OTHERS[formula]}"


def _listed(law: Law, result: Result) -> str:
    text = formula(law.polynomial, result.search)
    if law.name is not None:
        return f"{label(law.name)} = {text}"
    told = law.known or not result.theory
    return text if told else f"{text}   (no polynomial in the known laws)"


def _of_known(known: Known) -> Iterator[str]:
    yield from _conventions(known.coordinates, known.count.own)
    yield from _of_correlations(known.families)


def _of_search(result: Result) -> Iterator[str]:
    if result.search.generators:
        yield from _conventions(result.search.coordinates, result.count.own)
        yield from _of_correlations(each.family for each in result.families)
        if result.theory and any(law.new for law in result.others):
            yield "new: independent of the known laws."


def _conventions(coordinates: Coordinates, own: bool) -> Iterator[str]:
    """Yield what the names mean; own: those of arrays are a user's."""
    arrays = () if own else coordinates.arrays
    if any(array.name.startswith("U") for array in arrays):
        yield "U1[i,j] leads from unit i to unit j of the next layer (x ↦ x U1 U2 …, row vectors)."
    elif arrays:
        yield "Q1[i,j] leads from unit i to unit j of the next layer (x ↦ x Q1 K1, row vectors)."
    if any(array.name.startswith("b") for array in arrays):
        yield "b1[j] is the bias of unit j."
    yield from _of_flow(coordinates)
    if any(len(array.shape) > 2 for array in arrays):
        yield "Kernels: U1[i,t,j] leads from channel i at position t of the kernel to channel j."


def _of_correlations(families: Iterable[Family]) -> Iterator[str]:
    """Yield what signs in formulas of pairs of taps mean."""
    for family in families:
        base = family.base if isinstance(family, Kept) else family
        if isinstance(base, Correlations):
            yield _LAGS if base.translations else _CLASSES


def _of_flow(coordinates: Coordinates) -> Iterator[str]:
    if coordinates.moving:
        (moved, *others), still = coordinates.moving, coordinates.arrays[0]
        bias = ", c1 that of b1" * any(array.name == "c1" for array in others)
        yield f"{moved.name} is the {coordinates.motion} of {still.name}{bias}."
    if coordinates.arguments:
        symbols = {"t": "t is time", "lam": "λ the rate of decay", "tau": "τ the friction"}
        meaning = (symbols.get(name, f"{name} a constant") for name in coordinates.arguments)
        yield ", ".join(meaning) + "."


def formula(polynomial: Polynomial, search: LawSearch) -> str:
    """Return a law in the names of the parameters, of velocities and of time."""
    radicals, parts = [radical.text for radical in search.radicals], []
    for factor, own in groups(polynomial, search.coordinates):
        text = expression(own, search.coordinates.names, radicals, TEXT)
        parts.append(f"{factor.text}({text})" if factor.text else text)
    return " + ".join(parts)


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
