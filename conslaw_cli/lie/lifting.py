"""Networks of any width, from a few narrow ones: the theorem of theorems/block_lifting.py.

It is imported only where a network is large: small ones are counted without.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

from conslaw_cli.errors import ContradictionError
from conslaw_cli.flows import System
from conslaw_cli.lie import chains
from conslaw_cli.lie.dealing import LARGE, SMALL, dealings
from conslaw_cli.lie.gates import Few, enough
from conslaw_cli.lie.intervals import by_intervals
from conslaw_cli.lie.strands import Lifting, Strand, Witness, lifted
from conslaw_cli.lie.theorems.structure import Chain, chain_of, for_another, network_of, timeless_of
from conslaw_cli.lie.theorems.theorem import Proof
from conslaw_cli.networks.graph import Graph
from conslaw_cli.networks.units import Sizes, Units
from conslaw_cli.problems.problem import Problem
from conslaw_cli.problems.records import Bound, Trace


def lifting(problem: Problem) -> tuple[Lifting, int] | None:
    """Return what block lifting says of a network, under a loss whose output gradients are free,
    and how many linear functions of θ stand still besides.
    """
    if (chain := chain_of(problem)) is not None:
        found, still = _of_chain(problem, chain), chain.unmoved
    elif (network := network_of(problem)) is not None:
        graph, still = network
        found = of_graph(problem, graph, Units.of(graph).sizes)
    else:
        return None
    return None if found is None else (found, still)


def of_graph(problem: Problem, graph: Graph, units: Sizes, most: int = LARGE) -> Lifting | None:
    """Return what follows for a graph with so many units, from witnesses of at most so many
    parameters.
    """
    small, large = range(SMALL + 1), range(SMALL + 1, most + 1)
    return (
        _dealt(problem, graph, units, small)
        or _gated(problem, graph, units, most)
        or _dealt(problem, graph, units, large)
    )


def _dealt(problem: Problem, graph: Graph, units: Sizes, sizes: range) -> Lifting | None:
    """Return what some way of dealing out units proves, with witnesses of some sizes."""
    ways = dealings(graph, sizes, units=units)
    found = (lifted(problem, each.strands, each.core) for each in ways)
    return next(filter(None, found), None)


def _of_chain(problem: Problem, chain: Chain) -> Lifting | None:
    """Return the same of a chain that moves and is not to be narrowed by other theorems."""
    gradient = problem.flow.dynamics.system is System.GRADIENT
    narrower = [chains.narrowed(chain, problem.flow.dynamics.copies)]
    narrower += [chains.clamped(chain), *chains.cut(chain)] if gradient else []
    if not chain.widths[-1] or any(other.widths != chain.widths for other in narrower):
        return None
    small = _small(chain._replace(widths=tuple(min(n, 2) for n in chain.widths), unmoved=0))
    assert small.graph is not None
    units = (*chain.widths, *(1,) * any(chain.biased))
    ways = dealings(small.graph, given=by_intervals(chain), units=units)
    if (asked := for_another(problem, small)) is None:
        return None
    found = next(filter(None, (lifted(asked, each.strands, each.core) for each in ways)), None)
    known = chains.independent(chain) - chain.unmoved
    if gradient and found is not None and found.laws != known:
        raise ContradictionError(f"{problem.name}: {found.laws} laws by strands, {known} by sizes")
    return found


_small = lru_cache(maxsize=256)(chains.network)
"""The same chain with few units, of which nothing but their number is asked."""


def _gated(problem: Problem, graph: Graph, units: Sizes, most: int) -> Lifting | None:
    """Return what follows from as few gated units as neighbours can tell apart."""
    gradient = problem.flow.dynamics.system is System.GRADIENT
    return gated(problem, graph, units, enough(graph, units), most) if gradient else None


def gated(
    problem: Problem, graph: Graph, units: Sizes, few: Mapping[int, Few], most: int = LARGE
) -> Lifting | None:
    """Return what follows under gradient flow from few units of some gated spaces, and one more of
    each.
    """
    if not few:
        return None
    sizes = tuple(few[i].units if i in few else n for i, n in enumerate(units))
    more = tuple(n + (i in few) for i, n in enumerate(sizes))
    last = of_graph(problem, graph, more, most)
    first = None if last is None else of_graph(problem, graph, sizes, most)
    own = sum(each.laws for each in few.values())
    if last is None or first is None or last.laws != first.laws + own:
        return None
    left = sum(units) - sum(more)
    added = sum(few[i].laws * (units[i] - more[i]) for i in few)
    return replace(last, laws=last.laws + added, gated=last.gated + left, added=last.added + added)


def proof(problem: Problem, found: Lifting, still: int) -> Proof:
    """Return what a lifting proves, where so many linear functions of θ stand still besides."""
    laws = found.laws + still * problem.flow.dynamics.copies
    value = problem.state - laws
    bound = Bound(value, "block lifting", "proof", None, shown(found))
    return Proof(
        (bound,),
        (bound,),
        laws,
        Trace((value,), complete=False),
        timeless=timeless_of(problem, laws),
    )


def shown(found: Lifting) -> str:
    """Return what a lifting rests on."""
    strands = ", ".join(f"{times} × {_name(strand)}" for strand, times in found.strands.items())
    witnesses = "; ".join(map(point, found.witnesses))
    added = "one law each" if found.added == found.gated else f"{found.added} laws"
    gated = f"; {found.gated} gated units more add {added}" if found.gated else ""
    return f"strands {strands}; complete at block-diagonal points: {witnesses}{gated}"


def point(witness: Witness) -> str:
    """Return at which point a witness is complete."""
    strands = " + ".join(map(_name, witness.strands))
    return (
        f"{strands} (rank {witness.rank} of {witness.dimension} modulo {witness.prime}, seed"
        f" {witness.seed})"
    )


def _name(strand: Strand) -> str:
    return "-".join(map(str, strand))
