"""What the formats for people share: how a value reads, what a verdict means."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from typing import Any

from conslaw_cli.formats.tally import SHOWN, Tally
from conslaw_cli.problems.records import OPEN, LawCount


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


def flow_text(row: LawCount) -> str:
    """Return a row's flow on one line."""
    from conslaw_cli.flows import names  # rows of gradient flow do without

    return label(names.label(row.flow))


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


def theory_lines(unlisted: bool) -> list[str]:
    """Return what an unknown law means where no theory lists any, if there is such a row."""
    if not unlisted:
        return []
    return [
        "unknown: beyond the known laws; where these are 0 of 0, no theory lists the laws, and"
        " those found need not be new."
    ]


def failure_lines(rows: Iterable[LawCount]) -> Iterator[str]:
    """Yield why each row without a count has none, one line per row."""
    for row in rows:
        if row.verdict in OPEN:
            yield f"{label(row.name)} {row.verdict}: {reason(row)}"


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
