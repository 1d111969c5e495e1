"""JSON for programs: one object under the schema ``conslaw.laws/1``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from conslaw_cli.formats.laws import Known, Result, abelian_json
from conslaw_cli.laws.formulas import coefficients, groups
from conslaw_cli.laws.search import LawSearch
from conslaw_cli.laws.values import Law
from conslaw_cli.networks.known_laws import Family
from conslaw_cli.problems.problem import Problem


def render_json(results: Sequence[Result | Known]) -> str:
    """Return strict JSON, in UTF-8 rather than escapes.

    Raise ValueError for a NaN or an infinity.
    """
    value = {"schema": "conslaw.laws/1", "results": list(map(_result, results))}
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _result(result: Result | Known) -> dict[str, Any]:
    if isinstance(result, Known):
        return _known(result)
    search = result.search
    return {
        "name": search.architecture.name,
        **search.architecture.describe(),
        **_flow(search.problem),
        "degree": search.degree,
        "homogeneous": search.homogeneous,
        "linear": {str(degree): number for degree, number in search.linear.items()},
        "products": {str(degree): number for degree, number in search.products.items()},
        "independent": search.independent,
        "known": search.known,
        "new": search.independent - search.known,
        "laws": result.count.laws,
        "not_polynomial": result.not_polynomial,
        "complete": None if result.not_polynomial is None else result.not_polynomial == 0,
        **({"rational_coefficients": True} if search.rational else {}),
        "error_bound": result.error_bound,
        "parameters": list(search.parameters),
        **(
            {"velocities": list(velocities)}
            if (velocities := search.coordinates.velocities)
            else {}
        ),
        "generators": [_law(law, search) for law in search.generators],
        **abelian_json(result),
        **({"not_searched": list(map(_family, result.unsearched))} if result.unsearched else {}),
        **({} if result.rational is None else {"rational": _rational(result)}),
        "basis": None if search.basis is None else [_law(law, search) for law in search.basis],
        "seed": search.seed,
        "version": result.count.version,
        "seconds": search.seconds,
    }


def _known(known: Known) -> dict[str, Any]:
    row = known.count
    return {
        "name": known.problem.name,
        **known.problem.architecture.describe(),
        **_flow(known.problem),
        "searched": False,
        "not_searched_because": known.reason,
        "known_listed": known.listed,
        "known_independent": row.known_independent,
        "laws": row.laws,
        **({} if row.laws_at_least is None else {"laws_at_least": row.laws_at_least}),
        "complete": None if row.unknown_laws is None else row.unknown_laws == 0,
        "error_bound": row.error_bound,
        "families": list(map(_family, known.families)),
        **abelian_json(known),
        "seed": row.seed,
        "version": row.version,
        "seconds": row.seconds,
    }


def _rational(result: Result) -> list[dict[str, Any]]:
    names = result.search.coordinates.names
    return [
        {
            "factors": [
                {
                    "power": power,
                    "terms": [
                        {"coefficient": c, "exponents": {names[e]: m.count(e) for e in m}}
                        for c, m in factor.terms
                    ],
                }
                for factor, power in quotient.factors
            ]
        }
        for quotient in result.quotients
    ]


def _family(family: Family) -> dict[str, Any]:
    return {
        "formula": family.text,
        "latex": family.latex,
        "shape": family.shape,
        "laws": family.size,
    }


def _flow(problem: Problem) -> dict[str, Any]:
    if not problem.other_flow:
        return {}
    return {"flow": problem.flow.describe(), "state": problem.state}


def _law(law: Law, search: LawSearch) -> dict[str, Any]:
    names, radicals = search.coordinates.names, [radical.text for radical in search.radicals]
    written = [
        {
            "coefficient": number,
            "exponents": {names[e]: monomial.count(e) for e in monomial},
            **({"factor": factor.code} if factor.code else {}),
        }
        for factor, polynomial in groups(law.polynomial, search.coordinates)
        for number, monomial in coefficients(polynomial, radicals)
    ]
    return {
        "name": law.name,
        "known": law.known,
        "new": law.new,
        "degree": law.polynomial.degree,
        "terms": written,
    }
