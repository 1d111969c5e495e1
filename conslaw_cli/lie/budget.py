"""What a count needs, from sizes alone: bytes, to refuse it before anything is allocated, and
seconds, to share out work.
"""

from __future__ import annotations

from math import inf

from conslaw_cli.algebra.field import TERMS
from conslaw_cli.errors import MemoryBudgetError
from conslaw_cli.lie import chains
from conslaw_cli.lie.closure import CHUNK_BYTES, FEWEST_LEVELS
from conslaw_cli.lie.theorems import settled_by_structure
from conslaw_cli.lie.theorems.single_field import is_scalar
from conslaw_cli.lie.theorems.structure import chain_of, parts_of
from conslaw_cli.networks.graph import Graph
from conslaw_cli.networks.units import Units
from conslaw_cli.problems.problem import Problem

HIGH_ORDER = 3
"""Order of jets at which one field must fit the memory; longer traces of networks with large images
may take more.
"""
SMALL_MEMORY = 1 << 29
"""Needs below this are not held against what is free: asking takes longer than most counts."""
REFUSED = 2 * 10**4
"""Ranks from which few memory budgets suffice: most counts are a theorem's or a refusal."""
LARGE = 700
"""Parameters of three strands up to which they are probably witnesses."""
FEWEST_LONG = 30
"""Ranks above which transport is ever noticed."""
ENGINE_LIMIT = 550
"""Parameters up to which the engine also runs, if it fits the memory, where the structure alone is
a proof; both must agree. It mostly takes less than 0.3 s there.
"""


def estimated_seconds(problem: Problem) -> float:
    """Return a crude guess of what a count takes, from sizes alone: to share out work, never to
    decide a result.
    """
    if not quick(problem):
        if settled_by_structure(problem):
            return 1e-4
        if (lifted := _lifted_seconds(problem)) is not None:
            return lifted
    parts = [part for part, _ in parts_of(problem)]
    sizes = (part.architecture.rank_guess for part in parts)
    return sum(map(_transport_seconds, parts)) + sum(
        2e-3 + 4e-6 * rank + 4e-11 * float(rank) ** 3 if rank < REFUSED else 1e-3 for rank in sizes
    )


def _lifted_seconds(problem: Problem) -> float | None:
    """Guess what theorems for any width take, if they decide a network: if three strands have few
    parameters. None if they have many.
    """
    if not problem.flow.dynamics.isometric:
        return None
    if (chain := chain_of(problem)) is None:
        three = inf if problem.graph is None else _three(problem.graph)
        return 5e-3 * max(1.0, three / 100) ** 4 if three <= LARGE else None
    cut = (each for each in chains.cut(chain) if not is_scalar(each))
    pieces = map(chains.narrowed, map(chains.clamped, cut))
    few = all(len(each.widths) * (3 * chains.fatness(each)) ** 2 <= LARGE for each in pieces)
    return 5e-3 if few else None


def _three(graph: Graph) -> float:
    """Guess how many parameters three strands of a network have, each with a unit of an end;
    infinitely many if strands are none.
    """
    if not all(step.operation.separating for step in graph.steps):
        return inf
    units = Units.of(graph)
    ends = sum(units.sizes[i] for i in {*units.inputs, *units.outputs})
    three = [min(n, 3 * -(-n // ends)) for n in units.sizes]
    return sum(ends.pairs(three) * times for ends, times in units.weights(graph))


def _transport_seconds(problem: Problem) -> float:
    """Guess what transport takes, where φ has so few components that traces are long."""
    if (image := _image(problem)) is None:
        return 0.0
    rank = problem.parameters - problem.architecture.known_listed
    if not FEWEST_LONG < rank < REFUSED or rank < FEWEST_LEVELS * image:
        return 0.0
    from conslaw_cli.lie.transport import SHORTEST, evaluations  # most counts do without

    numbers = 8 * problem.parameters + 6 * problem.architecture.held
    return 1e-9 * evaluations(rank, image, 2 * SHORTEST) * numbers


def _image(problem: Problem) -> int | None:
    """Guess the components of the φ of a network without gates; None for others."""
    if (chain := chain_of(problem)) is not None:
        return (chain.widths[0] + 1) * chain.widths[-1] if all(chain.linear) else None
    if (graph := problem.graph) is None or graph.state_size:
        return None
    return (graph.input_size + 1) * graph.output_size


def default_memory() -> int:
    """Return the default memory budget in bytes: half of what is free."""
    import psutil  # dear, and most needs are far below what any machine has

    return int(psutil.virtual_memory().available) // 2


def needed_memory(problem: Problem) -> int:
    """Estimate from above the bytes that the engine holds at its peak, from sizes alone.

    The larger of the eliminations of the laws' gradients and of the brackets: a square of residues
    with as much again for the fold and the update, besides one part of unfolded rows, the laws'
    terms and the jets of some fields, at least of one.
    """
    architecture = problem.architecture
    dimension, listed = problem.state, architecture.known_listed
    square = max(min(dimension, listed) ** 2, max(1, dimension - listed // 2) ** 2)
    one = 8 * (8 * dimension + 6 * architecture.held) << HIGH_ORDER
    return (
        8 * (2 * square + 6 * TERMS * dimension)
        + max(2 * CHUNK_BYTES, one)
        + 160 * architecture.known_terms
    )


def quick(problem: Problem) -> bool:
    """Whether ranks take no time worth sparing, from sizes alone."""
    return problem.parameters <= ENGINE_LIMIT


def engine_fits(problem: Problem, memory: int | None) -> bool:
    """Whether the engine checks what the structure alone proves."""
    if not quick(problem):
        return False
    needed = needed_memory(problem)
    return needed <= budget_of(memory, needed)


def excess(problem: Problem, memory: int | None) -> str | None:
    """Say what the engine would need, if that is more than the budget, whatever machine it is of;
    None if it fits.
    """
    needed = needed_memory(problem)
    if needed <= budget_of(memory, needed):
        return None
    what = f"{problem.parameters} parameters need about {_bytes(needed)}"
    return f"{what}, more than the memory budget"


def budget_of(memory: int | None, needed: int) -> int:
    """Return the budget to hold ``needed`` bytes against: what was asked for, else the default."""
    if memory is not None:
        return memory
    return SMALL_MEMORY if needed < SMALL_MEMORY else default_memory()


def check_budget(what: str, needed: int, budget: int, advice: str = "") -> None:
    """Raise MemoryBudgetError if ``needed`` bytes exceed the budget."""
    if needed > budget:
        given = f"{what} need about {_bytes(needed)}, the memory budget is {_bytes(budget)}"
        raise MemoryBudgetError(given + (f"; {advice}" if advice else ""))


def _bytes(size: int) -> str:
    """Return a number of bytes in the largest unit of which there is one, with three digits."""
    power = min(max(0, size.bit_length() - 1) // 10, len(_UNITS) - 1)
    number = size / 1024**power
    return f"{number:.{0 if number >= 100 else 3}{'f' if number >= 100 else 'g'}} {_UNITS[power]}"


_UNITS = "bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"
