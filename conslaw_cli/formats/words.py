"""What the formats for people share: how a value reads, which columns rows need, what a verdict
means.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from conslaw_cli.formats.tally import SHOWN, Tally
from conslaw_cli.problems.records import OPEN, LawCount

NONE = "-"


class Field(NamedTuple):
    """What a column shows of a row. ``figures``: see :class:`Column`."""

    header: str
    cell: Callable[[LawCount], str]
    figures: bool


class Column(NamedTuple):
    """One column of a table. ``figures``: its cells are counts, set to the right and as
    mathematics.
    """

    header: str
    cells: tuple[str, ...]
    figures: bool


def label(text: str) -> str:
    """Return one printable line: control characters, line ends and their like become backslash
    escapes.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escape(char) for char in text)


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def value_text(value: Any) -> str:
    """Return a value as a cell: integers of a list joined by ``-``, names by ``/``; None is
    empty.
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple) and value:
        if all(type(entry) is int and entry >= 0 for entry in value):
            return "-".join(map(str, value))
        if all(isinstance(entry, str) for entry in value):
            return "/".join(value)
    return json.dumps(value, ensure_ascii=False)


def probability(bound: float) -> str:
    """Return ``below 2^-k`` for the largest k that is true of a probability."""
    # frexp gives bound = m · 2^e with m < 1, so ``below`` holds; 0.0 is a positive number that
    # underflowed.
    exponent = math.frexp(bound)[1] if bound else -1074
    return f"below 2^{exponent}" if exponent < 0 else f"{bound:.3g}"


def plural(count: int, noun: str) -> str:
    """Return ``1 law``, ``2 laws``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def architecture_keys(rows: Iterable[LawCount]) -> list[str]:
    """Return the architecture keys of all rows, each once, in order of appearance."""
    return list(dict.fromkeys(key for row in rows for key in row.architecture))


def shared_architecture(rows: Iterable[LawCount]) -> str:
    """Return the keys that have one value in all rows, as ``activation relu, bias false``."""
    first = next(iter(rows), None)
    return ", ".join(
        f"{label(key)} {_text(first, key)}"
        for key in (first.architecture if first else ())
        if first and _shared(rows, key) and not _nested(rows, key)
    )


def columns(rows: Sequence[LawCount], expected: Mapping[str, int]) -> list[Column]:
    """Return the :func:`fields` of the rows with all their cells."""
    return [
        Column(field.header, tuple(map(field.cell, rows)), field.figures)
        for field in fields(rows, expected)
    ]


def fields(rows: Iterable[LawCount], expected: Mapping[str, int]) -> list[Field]:
    """Return what tells the rows, which are gone through several times, apart, and their figures.

    An architecture key gets a column where it varies, unless the names say its values already or it
    is a nested value.
    """
    own = [
        key
        for key in architecture_keys(rows)
        if not (_shared(rows, key) or _named(rows, key) or _nested(rows, key))
    ]
    compared = any(row.name in expected for row in rows)
    searched = any(row.polynomial_laws for row in rows)
    moved = flowing(rows)
    return [
        Field("name", lambda row: label(row.name), False),
        *(Field(label(key), partial(_text, key=key), False) for key in own),
        *([Field("flow", flow_text, False)] if moved else []),
        *FIGURES[:1],
        *([_STATE] if moved else []),
        *FIGURES[1:3],
        *([Field("expected", partial(_expected, expected), True)] if compared else []),
        *FIGURES[3:-1],
        *([_COMMUTING] if any(row.own for row in rows) else []),
        *([Field("polynomial", _polynomial, True)] if searched else []),
        *FIGURES[-1:],
    ]


def flowing(rows: Iterable[LawCount]) -> bool:
    """Whether some row is not of gradient flow."""
    return any(row.other_flow for row in rows)


def flow_text(row: LawCount) -> str:
    """Return a row's flow on one line."""
    from conslaw_cli.flows import names  # rows of gradient flow do without

    return label(names.label(row.flow))


def _expected(expected: Mapping[str, int], row: LawCount) -> str:
    return str(expected.get(row.name, NONE))


def _text(row: LawCount, key: str) -> str:
    return label(value_text(row.architecture.get(key)))


def _shared(rows: Iterable[LawCount], key: str) -> bool:
    texts = (_text(row, key) for row in rows)
    first = next(texts)
    return all(text == first for text in texts)


def _named(rows: Iterable[LawCount], key: str) -> bool:
    return all(
        not (text := _text(row, key)) or text in re.split(r"[\s=,;]+", label(row.name))
        for row in rows
    )


def _nested(rows: Iterable[LawCount], key: str) -> bool:
    """Whether a key holds more than a table has room for: mappings, or lists with them.

    JSON and CSV show it.
    """
    values = (row.architecture.get(key) for row in rows)
    return any(
        isinstance(v, dict) or (isinstance(v, list) and any(isinstance(e, dict | list) for e in v))
        for v in values
    )


def _count(key: str) -> Callable[[LawCount], str]:
    return lambda row: NONE if getattr(row, key) is None else str(getattr(row, key))


def _laws(row: LawCount) -> str:
    return _count("laws")(row) if row.laws_at_least is None else f"≥ {row.laws_at_least}"


def _known(row: LawCount) -> str:
    if row.known_listed is None:
        return NONE
    independent = row.laws_at_least if row.known_independent is None else row.known_independent
    return f"{min(independent or 0, row.known_listed)} of {row.known_listed}"


def _polynomial(row: LawCount) -> str:
    """Return how many independent laws are polynomials of the degree searched, and how many of
    these are new.
    """
    found = row.polynomial_laws
    if found is None:
        return NONE
    origins = f"({found['new']} new)" if has_theory(row) else "found"
    return f"{found['independent']} {origins} of degree ≤ {found['degree']}"


def _trace(row: LawCount) -> str:
    if row.trace is None:
        return NONE
    texts = list(map(str, row.trace.dimensions))
    return ", ".join(texts if row.trace.complete else [*texts[:-1], "…", texts[-1]])


def shortened(trace: str, size: int) -> str:
    """Return a trace with its last steps but one left out until it has at most so many letters, or
    is ``…`` and its end.
    """
    steps = [step for step in trace.split(", ") if step != "…"]
    while len(trace) > size and len(steps) > 1:
        del steps[-2]
        trace = ", ".join([*steps[:-1], "…", steps[-1]])
    return trace


def _answer(key: str) -> Callable[[LawCount], str]:
    return lambda row: {None: NONE, True: "yes", False: "no"}[getattr(row, key)]


_STATE = Field("state", _count("state"), True)
_COMMUTING = Field("commuting", _answer("commuting"), False)
FIGURES = (
    Field("D", _count("parameters"), True),
    Field("dim Lie", _count("dim_lie"), True),
    Field("laws", _laws, True),
    Field("known", _known, True),
    Field("unknown", _count("unknown_laws"), True),
    Field("trace", _trace, True),
    Field("involutive", _answer("involutive"), False),
    Field("verdict", lambda row: row.verdict, False),
)


def verdict_lines(tally: Tally) -> list[str]:
    """Return what each verdict that occurs means, one line per verdict."""
    worst = tally.worst_error
    error = "" if worst is None else f", error probability {probability(worst)}"
    if worst == 1:
        error = ", or on brackets at a real point, without a bound on the error"
    meaning = {
        "proved": (
            "a proved lower and a proved upper bound on dim Lie meet, so the number of laws is"
            " exact."
        ),
        "computed": f"the lower bound is proved, the upper bound rests on random trials{error}.",
        "bounded": (
            "there are so many laws at least, which is proved; whether there are more is not"
            " decided."
        ),
        "failed": "no count was made.",
    }
    return [f"{verdict}: {text}" for verdict, text in meaning.items() if tally.verdicts[verdict]]


def has_theory(row: LawCount) -> bool:
    """Return whether a theory lists laws of such an architecture, so that others are new: of every
    network, but of one's own map or fields only where some laws are listed.
    """
    return bool(row.known_listed) or not row.own


def theory_lines(rows: Sequence[LawCount]) -> list[str]:
    """Return what an unknown law means where no theory lists any, if there is such a row."""
    if all(has_theory(row) or not row.unknown_laws for row in rows):
        return []
    return [
        "unknown: beyond the known laws; where these are 0 of 0, no theory lists the laws, and"
        " those found need not be new."
    ]


def failure_lines(rows: Sequence[LawCount]) -> list[str]:
    """Return why each row without a count has none, one line per row."""
    return [
        f"{label(row.name)} {row.verdict}: {reason(row)}" for row in rows if row.verdict in OPEN
    ]


def reason(row: LawCount) -> str:
    """Return why a row has no count, and where its known laws are all, as one line."""
    why = label(row.reason) if row.reason else "no reason was recorded"
    if row.complete_at is None:
        return why
    return f"{why}; completeness is not decided at this width, proved at {row.complete_at.name}"


def totals(tally: Tally) -> dict[str, int]:
    """Return the numbers of a sweep's summary under the words for people."""
    counts = {key.replace("_", " "): count for key, count in tally.numbers().items()}
    if not counts["expected"]:
        del counts["expected"], counts["as expected"]
    return counts


def more(tally: Tally) -> str:
    """Return ``and N more`` for exceptions beyond those shown, else nothing."""
    return f"and {tally.found - SHOWN} more" if tally.found > SHOWN else ""
