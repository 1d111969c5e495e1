"""Chains of any width, from narrower ones or from nothing at all; docs/any-width.md has the proofs
at length.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from conslaw_cli.errors import ContradictionError, MemoryBudgetError
from conslaw_cli.flows import System
from conslaw_cli.lie import chains
from conslaw_cli.lie.theorems.listed_laws import chain_laws
from conslaw_cli.lie.theorems.single_field import is_scalar
from conslaw_cli.lie.theorems.structure import Chain, chain_of, for_another
from conslaw_cli.lie.theorems.theorem import Evidence, Needs, Proof, theorem
from conslaw_cli.problems.problem import Problem
from conslaw_cli.problems.records import Bound, LawCount, Trace


def _full(problem: Problem) -> Chain | None:
    """Return a linear chain with a strand from end to end."""
    chain = _moving(problem)
    full = chain is not None and all(chain.linear) and chains.full(chain) > 0
    return chain if full else None


@theorem(
    "full chain",
    title="Linear chains with a strand from end to end",
    source="proved in docs/any-width.md",
    needs=Needs.NARROW,
    whole=lambda problem: _full(problem) is not None,
)
def full_chain(problem: Problem, evidence: Evidence) -> Proof | None:
    """Let ``n_0 + n_q > Σ |n_i − n_{i−1}|`` for the widths of a linear chain. Then the known laws
    are complete and independent: ``dim Lie(W_φ)(θ) = D − Σ n_i(n_i + 1)/2``, the sum over the
    hidden layers.

    Hypotheses. All layers are linear; any of them may have biases. Gradient flow under a loss with
    condition (9); under cross-entropy n_q is one less.

    Proof. The condition makes the chain a sum of strands of one unit a layer that begin at the
    input or end at the output, one of which, F, does both. By block lifting it is enough that {F,
    F'}, {F, s} and {F, s, t} are complete at some block-diagonal points, F' like F and s, t of the
    other kinds; docs/any-width.md gives the points, and brackets that span. Where biases are 0,
    brackets with these fields move them in all directions.
    """
    if (chain := _full(problem)) is None:
        return None
    shown = f"{chains.full(chain)} strands of one unit a layer lead from input to output"
    return _complete(problem, chain, "full chain", shown)


@theorem(
    "wide linear layers",
    title="Spare units of linear layers",
    source="proved in docs/any-width.md",
    needs=Needs.NARROW,
    systems=None,
)
def wide_linear_layers(problem: Problem, evidence: Evidence) -> Proof | None:
    """Let a linear hidden layer have k units more than each of them has numbers: weights, bias, and
    under momentum their velocities. Then dim Lie is that of the chain with k units less.

    Hypotheses. A chain under a flow for which the entries of an array are alike: gradient flow,
    decay, momentum, rates of arrays; cross-entropy under gradient flow only, with one output less.

    Proof. An orthogonal map of the layer's units leaves F and the flow unchanged, so dim Lie is the
    same after it. What all units have of one number is one vector; some orthogonal map takes all
    these into the first units, and the last k have nothing but zeros there. All fields vanish on
    them, so they are tangent to the states with such zeros, where they are those of the narrower
    chain; every state of that one occurs. No other layer has fewer numbers for the units it has.
    """
    chain, dynamics = _moving(problem), problem.flow.dynamics
    gradient = dynamics.system is System.GRADIENT
    if chain is None or not dynamics.isometric or (chain.unmoved and not gradient):
        return None
    narrow = chains.narrowed(chain, dynamics.copies)
    if narrow.widths == chain.widths:
        return None
    part = for_another(problem, chains.network(narrow))
    if part is None or (row := _counted(evidence, part)) is None:
        return None
    shown = f"{sum(chain.widths) - sum(narrow.widths)} units to spare"
    more, known = problem.state - part.state, chains.independent(chain)
    if gradient:
        _agree(problem, more + (row.known_independent or 0), known)
    else:
        known = _independent(problem, evidence)
    found = _proof([_bounds(row)], 0, shown, "wide linear layers", known)
    return found._replace(timeless=None if row.timeless is None else more + row.timeless)


def _independent(problem: Problem, evidence: Evidence) -> int:
    """Return the rank of the known laws of a chain that moves, under any flow."""
    found = chain_laws(problem, evidence)
    return 0 if found is None else found.independent or 0


@theorem(
    "wide gated layers",
    title="Many gated units",
    source="proved in docs/any-width.md",
    needs=Needs.NARROW,
)
def wide_gated_layers(problem: Problem, evidence: Evidence) -> Proof | None:
    """Let a gated layer of a chain have r units, no fewer than a linear layer beside it. If the
    known laws are complete where it has r + 1 units, then they are where it has more, one law more
    a unit.

    Hypotheses. Gradient flow under a loss with condition (9), or cross-entropy with one output
    less.

    Proof. Probes with all other gates 0 give, at every θ, the fields of the chain with r + 1 of the
    units, whose laws are complete. All known laws but the units' own are linear functions of
    numbers that each unit adds to; r units reach all that any unit adds, since the rank of the laws
    grows by one from r units to r + 1 (theorem "independent laws" of docs/any-width.md). So an
    element of the kernel of all laws is a sum of elements of the kernels for r + 1 units.
    """
    chain = _moving(problem)
    if chain is None or (narrow := chains.clamped(chain)).widths == chain.widths:
        return None
    part = _part(problem, narrow)
    row = _counted(evidence, part)
    if row is None or row.unknown_laws:
        return None
    _agree(part, row.known_independent, chains.independent(narrow))
    lower, upper, _ = _bounds(row)
    more = f"{chain.hidden - narrow.hidden} gated units more"
    both = dict.fromkeys((lower.shown, upper.shown))
    shown = f"{more} than of a chain whose laws are complete: {'; '.join(both)}"
    return _complete(problem, chain, "wide gated layers", shown, lower.prime)


@theorem(
    "cut chain",
    title="Chains cut at layers of one unit",
    source="proved in docs/any-width.md",
    needs=Needs.NARROW,
)
def cut_chain(problem: Problem, evidence: Evidence) -> Proof | None:
    """Cut a chain at c of its hidden layers of width 1: ``dim Lie(W_φ)(θ) = Σ_s dim Lie(W_{f_s})
    (θ_s) − c``, the sum over the pieces. A piece from one unit to one, without gates and biases, is
    one function, and counts 1; a single layer counts its parameters.

    Hypotheses. Gradient flow under a loss with condition (9), or cross-entropy with one output
    less. A cut has a gate, or no biases before it, or none behind it.

    Proof. ``F = χ_x(θ_1) ψ_w(θ_2)`` at a cut, so W_φ is spanned over functions by the ``(ξ_x,
    η_w)``, the gradients of log χ_x and log ψ_w, and, with biases behind it, fields (0, ζ_w) that
    keep the norm of what reads it, and belong to I_2. These generate ``R(ξ, η) + I_1 ⊕ I_2``, where
    I_1 is the ideal of the differences of the ξ_x. What writes the unit, u, gives ``ξ_x(‖u‖²/2) =
    1`` for all x, so that I_1 keeps ‖u‖² and ξ does not: dim I_1(θ_1) + 1 is dim Lie of χ, likewise
    for ψ, and the sum is 1 + dim I_1 + dim I_2.
    """
    chain = _moving(problem)
    pieces = () if chain is None else chains.cut(chain)
    if chain is None or (len(pieces) == 1 and not is_scalar(pieces[0])):
        return None
    parts = Counter(pieces)
    found = [_piece(problem, evidence, piece, times) for piece, times in parts.items()]
    if not all(found):
        return None
    known = chains.independent(chain)
    shown = f"{len(pieces)} pieces between layers of one unit"
    return _proof([each for each in found if each], len(pieces) - 1, shown, "cut chain", known)


class _Bounds(NamedTuple):
    """What is proved of a part, and how often it occurs."""

    lower: Bound
    upper: Bound
    times: int = 1


def _moving(problem: Problem) -> Chain | None:
    """Return the chain of a problem, if anything moves."""
    chain = chain_of(problem)
    return chain if chain is not None and chain.widths[-1] else None


def _part(problem: Problem, chain: Chain) -> Problem:
    return Problem(chains.network(chain), problem.flow)


def _counted(evidence: Evidence, part: Problem) -> LawCount | None:
    """Return the row of a part, None if its count is not proved."""
    try:
        row = evidence.count(part)
    except MemoryBudgetError:
        return None
    return row if row.verdict == "proved" else None


def _bounds(row: LawCount) -> _Bounds:
    """Return the proved bounds of a row, which meet, and say of which network they are."""
    upper = [bound for bound in row.upper if bound.kind == "proof"]
    meeting = max(row.lower, key=lambda bound: bound.value)
    lower, upper_ = (
        each._replace(shown=f"{row.name} by {each.method}: {each.shown}")
        for each in (meeting, min(upper, key=lambda bound: bound.value))
    )
    return _Bounds(lower, upper_)


def _piece(problem: Problem, evidence: Evidence, piece: Chain, times: int) -> _Bounds | None:
    if is_scalar(piece) or len(piece.widths) == 2:
        value = 1 if is_scalar(piece) else piece.parameters
        what = "one function" if is_scalar(piece) else "one layer"
        bound = Bound(value, "cut chain", "proof", None, what)
        return _Bounds(bound, bound, times)
    row = _counted(evidence, _part(problem, piece))
    if row is None:
        return None
    _agree(problem, row.known_independent, chains.independent(piece))
    return _bounds(row)._replace(times=times)


def _agree(problem: Problem, known: int | None, independent: int) -> None:
    if known != independent:
        raise ContradictionError(
            f"{problem.name}: {known} known laws are independent, {independent} by their sizes"
        )


def _complete(
    problem: Problem, chain: Chain, method: str, shown: str, prime: int | None = None
) -> Proof:
    """Return that all laws are functions of the known ones."""
    known = chains.independent(chain)
    bound = Bound(problem.state - known, method, "proof", prime, shown)
    return Proof((bound,), (bound,), known, Trace((bound.value,), complete=False))


def _proof(parts: Sequence[_Bounds], less: int, shown: str, method: str, known: int) -> Proof:
    """Add up bounds of parts, less the number of cuts."""
    lower = _sum(method, shown, [(part.lower, part.times) for part in parts], less)
    upper = _sum(method, shown, [(part.upper, part.times) for part in parts], less)
    return Proof((lower,), (upper,), known, Trace((lower.value,), complete=False))


def _sum(method: str, shown: str, parts: Sequence[tuple[Bound, int]], less: int) -> Bound:
    value = sum(bound.value * times for bound, times in parts) - less
    each = " + ".join(f"{times} × {bound.value} ({bound.shown})" for bound, times in parts)
    prime = next((bound.prime for bound, _ in parts if bound.prime is not None), None)
    return Bound(value, method, "proof", prime, f"{shown}: {each}" + f" − {less}" * (less > 0))
