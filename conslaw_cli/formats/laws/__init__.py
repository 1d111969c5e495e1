"""Formats for polynomial laws, one file each: results become text.

No format knows how they came about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from conslaw_cli.errors import ContradictionError
from conslaw_cli.flows.coordinates import Coordinates
from conslaw_cli.flows.potentials import CurvedLaws
from conslaw_cli.formats import encodable
from conslaw_cli.formats.words import has_theory, label, plural
from conslaw_cli.laws.abelian import AbelianLaws, Reading, abelian_laws
from conslaw_cli.laws.formulas import expression, groups
from conslaw_cli.laws.rational import Quotient, Rational
from conslaw_cli.laws.search import LawSearch
from conslaw_cli.laws.values import Law, Polynomial, listed
from conslaw_cli.networks.known_laws import Family, Laws
from conslaw_cli.networks.notation import CODE, Notation
from conslaw_cli.problems.problem import Problem
from conslaw_cli.problems.records import LawCount

NAMES = ("text", "json", "latex", "sympy", "python")


@dataclass(frozen=True, slots=True)
class Result:
    """The polynomial laws of an architecture, and how many laws it has in all.

    rational: rational laws beyond these, None where they were not looked for. readings: the values
    of Abelian integrals, if a point was given.

    Raise ContradictionError if there are more polynomial laws than laws in all.
    """

    search: LawSearch
    count: LawCount
    rational: Rational | None = None
    readings: tuple[Reading, ...] = ()

    @property
    def quotients(self) -> Sequence[Quotient]:
        """The rational laws."""
        return self.rational.laws if self.rational is not None else ()

    def __post_init__(self) -> None:
        if (self.not_polynomial or 0) < 0:
            found = (
                f"{self.search.independent} independent polynomial laws of {degrees(self.search)}"
            )
            raise ContradictionError(
                f"{self.count.name}: {found}, but {self.count.laws} laws in all"
            )

    @property
    def not_polynomial(self) -> int | None:
        """How many of all laws are no functions of those found; None if that is not decided."""
        return None if self.count.laws is None else self.count.laws - self.search.independent

    @property
    def abelian(self) -> tuple[AbelianLaws, ...]:
        """Laws that no search finds, Abelian integrals, where they are all that is left to find, or
        asked for.
        """
        found = abelian_laws(self.search.problem)
        complete = self.not_polynomial == sum(each.size for each in found)
        return found if complete or self.readings else ()

    @property
    def theory(self) -> bool:
        """Whether a theory lists laws of such an architecture, so that others are new."""
        return has_theory(self.count)

    @property
    def error_bound(self) -> float | None:
        """Probability that a figure is wrong or a law is none; None if all of it is proved."""
        bounds = (self.search.error_bound, self.count.error_bound or 0.0)
        return min(1.0, sum(bounds)) if any(bounds) else None

    @property
    def families(self) -> list[Members]:
        """The families of known laws of which some are generators."""
        kept = [law.index for law in self.search.generators if law.index is not None]
        found, start = [], 0
        for family in self.search.listed.families:
            own = tuple(sorted(i for i in kept if start <= i < start + family.size))
            if own:
                found.append(Members(family, range(start, start + family.size), own))
            start += family.size
        return found

    @property
    def unsearched(self) -> list[Family]:
        """The families of known laws that need not be polynomials."""
        return [family for laws in self.search.unsearched for family in laws.families]

    @property
    def others(self) -> list[Law]:
        """The generators that are not among the known laws: new ones, and functions of known
        ones.
        """
        return [law for law in self.search.generators if law.index is None]


@dataclass(frozen=True, slots=True)
class Known:
    """The known laws of a problem that is not searched for others, and how many it has in all.
    reason: why, such as what a search would take; readings: as for a result.
    """

    problem: Problem
    families: Sequence[Family]
    count: LawCount
    reason: str
    readings: tuple[Reading, ...] = ()

    @property
    def coordinates(self) -> Coordinates:
        """What laws are functions of."""
        return self.problem.flow.coordinates(self.problem.architecture)

    @property
    def laws(self) -> Laws | None:
        """Those of a φ given by formulas; None for a network, whose families say what they are."""
        return self.problem.laws() if self.problem.families() is None else None

    @property
    def listed(self) -> int:
        """Number of laws, which need not be independent."""
        return sum(family.size for family in self.families)

    @property
    def abelian(self) -> tuple[AbelianLaws, ...]:
        """As for a result."""
        return abelian_laws(self.problem)


@dataclass(frozen=True, slots=True)
class Members:
    """A family of known laws: the numbers of its laws, and those among them that are generators."""

    family: Family
    every: range
    generators: tuple[int, ...]

    @property
    def size(self) -> str:
        """Shape and number of laws, and how many of these are independent if not all are."""
        if len(self.generators) == len(self.every):
            return family_size(self.family)
        shape = self.family.shape
        entries = "" if "entries" in shape else f", {len(self.every)} entries"
        return f"{shape}{entries}, {len(self.generators)} independent"


def title(result: Result) -> str:
    """Return the name, the number of parameters and the degree searched, in one line."""
    search = result.search
    return (
        f"{label(search.architecture.name)}: {search.architecture.parameters} parameters, laws of"
        f" {degrees(search)}"
    )


def known_title(known: Known) -> str:
    """Return the name and the number of parameters, in one line."""
    return f"{label(known.problem.name)}: {known.problem.parameters} parameters, known laws"


def family_size(family: Family) -> str:
    """Return the shape and the number of laws of a family."""
    return f"{family.shape}, {plural(family.size, 'law')}"


def degrees(search: LawSearch) -> str:
    """Return the degrees searched, in words."""
    return (
        f"degree {search.degree}"
        if search.homogeneous or search.degree == 1
        else f"degree up to {search.degree}"
    )


def abelian_size(laws: AbelianLaws) -> str:
    """Return what they are, and how many."""
    what = "Abelian integral" if laws.size == 1 else "Abelian integrals"
    return f"{what} of the first kind, genus {laws.genus}, {plural(laws.size, 'law')}"


def abelian_text(result: Result | Known) -> Iterator[str]:
    """Yield them, and their values."""
    for number, laws in enumerate(result.abelian):
        yield f"{laws.text} = const   ({abelian_size(laws)})"
        for values, periods in result.readings[number : number + 1]:
            yield f"  at θ: {_numbers(values)}"
            for period in periods:
                yield f"  up to whole multiples of {_numbers(period)}"


def _numbers(values: Iterable[float]) -> str:
    return ", ".join(f"{value:.16g}" for value in values)


def abelian_json(result: Result | Known) -> dict[str, Any]:
    """Return them under their key, if there are some."""
    found: list[dict[str, Any]] = [
        {
            "formula": laws.text,
            "latex": laws.latex,
            "arrays": list(laws.names),
            "genus": laws.genus,
            "laws": laws.size,
        }
        for laws in result.abelian
    ]
    for laws, reading in zip(found, result.readings, strict=False):
        laws |= {"values": reading.values.tolist(), "periods": reading.periods.tolist()}
    return {"abelian": found} if found else {}


def origin(law: Law, result: Result) -> str:
    """Return what a generator that is not among the known laws has to do with these."""
    if not result.theory:
        return "found"
    return "new" if law.new else "a function of the known laws"


def suffixes(results: Sequence[Result | Known]) -> list[str]:
    """Return what tells the names of several results apart in code."""
    return [""] if len(results) == 1 else [f"_{i}" for i in range(1, len(results) + 1)]


def law_code(
    polynomial: Polynomial,
    coordinates: Coordinates,
    names: Sequence[str],
    radicals: Sequence[str] = (),
) -> str:
    """Return a law as Python code, which may call ``exp``."""
    parts = []
    for factor, own in groups(polynomial, coordinates):
        code = expression(own, names, radicals)
        parts.append(f"{factor.code}*({code})" if factor.code else code)
    return " + ".join(parts)


def codes_of(laws: Laws, coordinates: Coordinates, names: Sequence[str]) -> list[str]:
    """Return known laws one by one as Python code, which may call ``log``, ``sqrt`` and
    ``arcsinh``; names: those of parameters and velocities.
    """
    if isinstance(laws, CurvedLaws):
        coordinates = laws.written(coordinates)
    every = coordinates.coded(names)
    return [law_code(polynomial, coordinates, every) for polynomial in listed(laws)]


def calls(search: LawSearch) -> set[str]:
    """Return the functions that code calls."""
    coordinates = search.coordinates
    codes = [code for _, _, code in coordinates.extra]
    for laws in search.unsearched:
        codes += codes_of(laws, coordinates, (*coordinates.parameters, *coordinates.velocities))
    named = ("exp", "log", "sqrt", "arcsinh")
    used = {name for name in named for code in codes if f"{name}(" in code}
    return used | ({"exp"} if coordinates.arguments else set())


def quotient_code(quotient: Quotient, names: Sequence[str]) -> str:
    """Return a rational law as Python code."""
    above, below = (side_text(s, lambda p: expression(p, names), CODE) for s in quotient.sides)
    return f"{above or 1}/{f'({below})' if '*' in below else below}" if below else above


def side_text(
    side: Sequence[tuple[Polynomial, int]], write: Callable[[Polynomial], str], notation: Notation
) -> str:
    """Return a product of powers of polynomials."""
    texts = ((f"({write(p)})" if len(p.terms) > 1 else write(p), e) for p, e in side)
    return notation.times.join(notation.power(text, e) for text, e in texts)


def render(name: str, results: Sequence[Result | Known], *, width: int | None = None) -> str:
    """Return the results in the format ``name``, ending in one newline.

    name: one of NAMES; raise KeyError for another. width: columns of the terminal, or None where
    lines may be of any length (only ``text`` heeds it).
    """
    return encodable(_RENDERERS[name](results, width))


def stream(results: Iterable[Result | Known], *, width: int | None = None) -> Iterator[str]:
    """Yield the pieces of the format ``text``, one for each result as soon as it is there."""
    from conslaw_cli.formats.laws.text import text_blocks

    return map(encodable, text_blocks(results, width))


def _text(results: Sequence[Result | Known], width: int | None) -> str:
    return "".join(stream(results, width=width))


def _json(results: Sequence[Result | Known], _width: int | None) -> str:
    from conslaw_cli.formats.laws.json_ import render_json

    return render_json(results)


def _latex(results: Sequence[Result | Known], _width: int | None) -> str:
    from conslaw_cli.formats.laws.latex import render_latex

    return render_latex(results)


def _sympy(results: Sequence[Result | Known], _width: int | None) -> str:
    from conslaw_cli.formats.laws.sympy_ import render_sympy

    return render_sympy(results)


def _python(results: Sequence[Result | Known], _width: int | None) -> str:
    from conslaw_cli.formats.laws.python import render_python

    return render_python(results)


_RENDERERS: dict[str, Callable[[Sequence[Result | Known], int | None], str]] = {
    "text": _text,
    "json": _json,
    "latex": _latex,
    "sympy": _sympy,
    "python": _python,
}
