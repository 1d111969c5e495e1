"""``--explain``: one paragraph per row on what its count rests on, made of the bounds' own
words.
"""

from __future__ import annotations

from conslaw_cli.formats.words import (
    flow_text,
    has_theory,
    label,
    plural,
    probability,
    reason,
)
from conslaw_cli.problems.records import Bound, LawCount

_LIE = "dim Lie(W_φ)(θ)"
_LIE_OF_FLOW = "dim Lie(f_0, X_a)(state)"
_MINORS = (
    "A rank found modulo p at one point is at most the rank at generic real θ, because an exact"
    " minor that is nonzero modulo p there is not the zero function."
)


def explain(row: LawCount) -> str:
    """Return one line of text: the bounds with their numbers, what follows from them, and what does
    not.
    """
    name = label(row.name)
    if row.verdict == "failed":
        return f"{name}: no count. The reason: {reason(row)}"
    sentences = [
        f"{name}: D = {plural(row.parameters or 0, 'parameter')}.",
        *_flow(row),
        *(_bound("Lower", row, bound, f"≥ {bound.value}") for bound in row.lower),
        *(_bound("Upper", row, bound, _at_most(row, bound)) for bound in row.upper),
        *([_MINORS] if any(bound.prime for bound in row.lower + row.upper) else []),
        *(_open(row) if row.verdict == "bounded" else [_conclusion(row), *_laws(row)]),
        *_trace(row),
        *([row.scope] if row.scope else []),
    ]
    return " ".join(sentences)


def _flow(row: LawCount) -> list[str]:
    if not row.other_flow:
        return []
    return [f"Flow: {flow_text(row)}, whose state has {row.state} dimensions."]


def _lie(row: LawCount) -> str:
    return _LIE_OF_FLOW if row.other_flow else _LIE


def _size(row: LawCount) -> str:
    return "dim(state)" if row.other_flow else "D"


def _bound(side: str, row: LawCount, bound: Bound, inequality: str) -> str:
    modulus = f"modulo p = {bound.prime}, " if bound.prime else ""
    certainty = "proved" if bound.kind == "proof" else _except(bound.error_bound)
    shown = modulus + label(bound.shown).rstrip(".")
    bounded = f"hence {_lie(row)} {inequality}, {certainty}."
    return f"{side} bound ({label(bound.method)}): {shown}; {bounded}"


def _at_most(row: LawCount, bound: Bound) -> str:
    return f"≤ {_size(row)} − {(row.state or 0) - bound.value} = {bound.value}"


def _except(error: float | None) -> str:
    if error is None:
        return "by random trials"
    unknown = "with an error that is not bounded"
    return f"except with probability {probability(error)}" if error < 1 else unknown


def _conclusion(row: LawCount) -> str:
    laws = plural(row.laws or 0, "independent conservation law")
    difference = f"{_size(row)} − {_lie(row)} = {row.state} − {row.dim_lie} = {laws}"
    if row.verdict == "proved":
        return f"The proved bounds meet, so there are exactly {difference}."
    return (
        f"The proved bounds do not meet: the count, {difference}, holds {_except(row.error_bound)}."
    )


def _open(row: LawCount) -> list[str]:
    least = plural(row.laws_at_least or 0, "independent conservation law")
    return [
        f"So there are at least {least}, of {row.known_listed} known ones listed.",
        f"Whether there are others is not decided: {reason(row)}.",
    ]


def _laws(row: LawCount) -> list[str]:
    if not row.laws:
        return []
    if not has_theory(row):
        return ["No theory lists laws of it: all of them are found by the count."]
    known = f"Known laws: {row.known_listed} listed, {row.known_independent} independent."
    if not row.unknown_laws:
        return [f"{known} The known laws are complete."]
    certainty = "" if row.verdict == "proved" else f", {_except(row.error_bound)}"
    exist = "exists" if row.unknown_laws == 1 else "exist"
    return [f"{known} {plural(row.unknown_laws, 'law')} beyond the known ones {exist}{certainty}."]


def _trace(row: LawCount) -> list[str]:
    if row.trace is None or not row.trace.dimensions:
        return []
    if row.other_flow:
        return _timeless(row)
    if not row.trace.complete:
        return [
            f"W_0(θ), W_1(θ), … have dimensions {', '.join(map(str, row.trace.dimensions[:-1]))},"
            f" …; the iteration stops at {row.trace.dimensions[-1]}, after more steps than were"
            " computed."
        ]
    dimensions = row.trace.dimensions
    step = dimensions.index(dimensions[-1])
    spaces = ", ".join(f"W_{k}(θ)" for k in range(min(step, 2) + 1)) + (", …" if step > 2 else "")
    sizes = ", ".join(map(str, dimensions[: step + 1]))
    condition = {True: ": condition (13) holds", False: ": condition (13) does not hold", None: ""}
    verb = "has dimension" if step == 0 else "have dimensions"
    return [
        f"{spaces} {verb} {sizes}; the iteration stops at step {step}{condition[row.involutive]}.",
        *_trace_error(row.trace.error_bound, step),
    ]


def _timeless(row: LawCount) -> list[str]:
    if row.timeless is None or not row.laws:
        return []
    return [f"{row.timeless} of these laws do not depend on time."]


def _trace_error(error: float | None, step: int) -> list[str]:
    if error is None:
        return []
    which = "This dimension is" if step == 0 else "One of these dimensions is"
    chance = f"with probability {probability(error)}" if error < 1 else "with unknown probability"
    return [f"{which} too small {chance}."]
