"""What holds in every row: the types of its values, and how its numbers hang together.

A row that was changed by accident, in a disk or by an editor, seldom still agrees with itself.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable
from typing import Any

from conslaw_cli.problems.records import OPEN, Bound, LawCount, job_hash

_COUNTS = ("parameters", "dim_lie", "laws", "known_listed", "known_independent", "unknown_laws")
_FIGURES = ("degree", "linear", "independent", "known", "new", "not_polynomial")


def flaw(row: LawCount, job: str) -> str | None:
    """Say what cannot be in a row under the key ``job``; None if all of it agrees.

    The row has the structure of one: LawCount.from_json has read it.
    """
    kind = {"failed": _FAILED, "bounded": _BOUNDED}.get(row.verdict, _COUNTED)
    for what, holds in (*_ANY, *kind):
        if not holds(row):
            return what
    return None if row.verdict in OPEN or _job(row) == job else "job is not that of these keys"


def _job(row: LawCount) -> str:
    # A row without a count does not say which degree it was to have.
    degree = row.polynomial_laws["degree"] if row.polynomial_laws else None
    return job_hash(row.architecture, row.seed, degree, row.flow)


def _whole(value: Any) -> bool:
    return type(value) is int and value >= 0


def _probability(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value <= 1


def _seconds(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and value >= 0


def _prime(value: Any) -> bool:
    return _whole(value) and value > 2 and pow(2, value - 1, value) == 1


def _bound(bound: Bound) -> bool:
    texts = type(bound.method) is str and type(bound.shown) is str
    prime = bound.prime is None or _prime(bound.prime)
    sure = bound.kind == "proof" and bound.error_bound is None
    likely = bound.kind == "random" and _probability(bound.error_bound)
    return _whole(bound.value) and texts and prime and (sure or likely) and _shows(bound)


def _shows(bound: Bound) -> bool:
    """Whether the text of a bound that is a rank tells its value."""
    ranks = re.findall(r"rank (\d+)", bound.shown)
    return bound.method not in ("brackets", "paths") or ranks == [str(bound.value)]


def _trace(row: LawCount) -> bool:
    if row.trace is None or not all(map(_whole, row.trace.dimensions)):
        return False
    steps, error = row.trace.dimensions, row.trace.error_bound
    increasing = all(a < b for a, b in itertools.pairwise(steps))
    flags = type(row.trace.complete) is bool and (error is None or _probability(error))
    return increasing and flags and steps[-1:] == (row.dim_lie,)


def _involutive(row: LawCount) -> bool:
    return row.trace is not None and row.involutive is row.trace.involutive


def _known(row: LawCount) -> bool:
    assert row.state is not None
    assert row.known_independent is not None
    rest = row.state - row.known_independent
    shown = f"the {row.known_listed} known laws have rank {row.known_independent} "
    bounds = [bound for bound in row.upper if bound.method == "known laws"]
    return all(bound.value == rest and shown in bound.shown for bound in bounds)


def _verdict(row: LawCount) -> bool:
    proofs = [bound.value for bound in row.upper if bound.kind == "proof"]
    # No bound is needed where training moves along all parameters.
    met = min(proofs, default=row.state) == row.dim_lie
    errors = [bound.error_bound for bound in row.upper if bound.kind == "random"]
    stated = row.error_bound is None if met else row.error_bound in (errors or [1.0])
    return stated and row.verdict == ("proved" if met else "computed")


def _lower(row: LawCount) -> bool:
    proofs = all(bound.kind == "proof" for bound in row.lower)
    return proofs and max((bound.value for bound in row.lower), default=0) == row.dim_lie


def _polynomials(row: LawCount) -> bool:
    if row.polynomial_laws is None:
        return True
    if set(row.polynomial_laws) != set(_FIGURES) or not all(
        map(_whole, row.polynomial_laws.values())
    ):
        return False
    degree, linear, independent, known, new, rest = (row.polynomial_laws[key] for key in _FIGURES)
    assert row.laws is not None
    return degree >= 1 and linear >= independent == known + new and rest == row.laws - independent


_ROOT_OF_A_NUMBER = re.compile(r"sqrt\(\s*[\d.]+|(?<![\w.])[\d.]+\)*\s*\*\*\s*\(?\s*-?\d*\s*[/.]")


def _constants(row: LawCount) -> bool:
    """Whether a formula holds no root of a number: version 0.1.0 took sums of these that are zero
    for something else, and called what followed proved.
    """
    formulas = [row.architecture.get(key) or {} for key in ("phi", "fields")]
    return not any(_ROOT_OF_A_NUMBER.search(str(each)) for each in formulas)


def _difference(total: str, whole: str, part: str) -> tuple[str, Callable[[LawCount], bool]]:
    def holds(row: LawCount) -> bool:
        return bool(getattr(row, total) == getattr(row, whole) - getattr(row, part))

    return f"{total} is not {whole} − {part}", holds


def _open(row: LawCount) -> bool:
    absent = (row.dim_lie, row.laws, row.unknown_laws, row.trace, row.involutive, row.error_bound)
    return all(value is None for value in (*absent, row.polynomial_laws))


def _least(row: LawCount) -> bool:
    """Whether a proved bound leaves as many laws, and no more of them are known."""
    if not (_whole(row.laws_at_least) and row.laws_at_least):
        return False
    proofs = [bound.value for bound in row.upper if bound.kind == "proof"]
    known = row.known_independent
    few = known is None or (_whole(known) and known <= row.laws_at_least)
    return (
        few and row.state is not None and row.state - min(proofs, default=-1) == row.laws_at_least
    )


_Check = tuple[str, Callable[[LawCount], bool]]

_ANY: tuple[_Check, ...] = (
    ("seed is no whole number ≥ 0", lambda row: _whole(row.seed)),
    ("version is no text", lambda row: type(row.version) is str),
    ("seconds is no finite number ≥ 0", lambda row: _seconds(row.seconds)),
)
_FAILED: tuple[_Check, ...] = (
    ("reason is no text", lambda row: type(row.reason) is str),
    ("a failed row has counts", lambda row: not any(getattr(row, key) for key in _COUNTS)),
)
_BOUNDS: tuple[_Check, ...] = (
    (
        "evidence holds a bound that is none",
        lambda row: all(map(_bound, (*row.lower, *row.upper))),
    ),
    ("scope is no text", lambda row: row.scope is None or type(row.scope) is str),
    ("state is no whole number ≥ 0", lambda row: _whole(row.state)),
    ("flow is neither a key nor keys with values", lambda row: type(row.flow) in (str, dict)),
)
_BOUNDED: tuple[_Check, ...] = (
    ("reason is no text", lambda row: type(row.reason) is str),
    (
        "expected whole numbers ≥ 0 as parameters, known_listed",
        lambda row: _whole(row.parameters) and _whole(row.known_listed),
    ),
    *_BOUNDS,
    ("a bounded row has counts", _open),
    ("laws_at_least is not what the upper bounds leave", _least),
)
_COUNTED: tuple[_Check, ...] = (
    (
        f"expected whole numbers ≥ 0 as {', '.join(_COUNTS)}",
        lambda row: all(_whole(getattr(row, key)) for key in _COUNTS),
    ),
    *_BOUNDS,
    ("laws_at_least stands in a bounded row alone", lambda row: row.laws_at_least is None),
    _difference("laws", "state", "dim_lie"),
    _difference("unknown_laws", "laws", "known_independent"),
    (
        "known_independent is above known_listed",
        lambda row: row.known_independent <= row.known_listed,  # type: ignore[operator]
    ),
    ("trace does not increase up to dim_lie", _trace),
    ("involutive is not what trace says", _involutive),
    ("the lower bounds do not prove dim_lie", _lower),
    ("the bound of the known laws is not that of known_listed and known_independent", _known),
    ("verdict and error_bound are not what the upper bounds say", _verdict),
    ("polynomial_laws do not add up", _polynomials),
    ("constants were not compared exactly when it was counted", _constants),
)
"""In an order in which each may rely on those before it."""
