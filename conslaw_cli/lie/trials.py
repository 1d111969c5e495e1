"""Closing W_φ at random points until the ranks are proved, or sure.

Evidence. That ranks stagnate at r (Lemma 3.2) is random: a trial at a fresh prime and point misses
a larger rank only if a fixed minor M of size at most r + 1, a nonzero integer polynomial, vanishes
at uniform arguments mod a uniform prime p. With δ the degree of its entries and L a bound on the
sum of the absolute values of their coefficients, M has degree ≤ (r + 1) δ and a nonzero coefficient
of absolute value ≤ (r + 1)! L^{r+1}. Either p divides that coefficient (at most its logarithm to
the base 2^22 of the primes in the range do), or the probability is at most (r + 1) δ / p
(Schwartz-Zippel).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from conslaw_cli.algebra.field import PRIMES_IN_RANGE, SMALLEST_PRIME, PrimeField
from conslaw_cli.flows import VectorFields
from conslaw_cli.lie.closure import RankTrace, Sampler, close, confirms
from conslaw_cli.lie.ranks import folding
from conslaw_cli.problems.problem import Formula
from conslaw_cli.problems.records import Trace

SURE = 2.0**-60
"""A count that is not proved is repeated until its error probability is below this."""
TRACE_SURE = 2.0**-20
"""The same for the earlier entries of the trace of a proved count."""
MAX_TRIALS = 100


class Run(NamedTuple):
    """The ranks at one point. folded: they may have lost some; image: dim W_0(θ), where a theorem
    gives it; error: the probability that one of them is too small, None if all are proved. doubt:
    why they were taken at a real point, without a prime.
    """

    ranks: RankTrace
    prime: int | None
    folded: bool
    image: int | None
    error: float | None = None
    doubt: str | None = None

    @property
    def proved(self) -> bool:
        """Whether no entry of the trace rests on chance: W_0 may have its dimension by a theorem
        (``image``).
        """
        known = len(self.ranks.dimensions) == 2 and self.ranks.dimensions[0] == self.image
        return self.ranks.proved or (known and not self.ranks.closed and not self.ranks.tail)

    @property
    def tolerance(self) -> float:
        """The probability of an error below which no further trial is made."""
        return SURE if self.ranks.closed else TRACE_SURE

    @property
    def trace(self) -> Trace:
        """The dimensions, with the last rank of what went on in place of nested brackets."""
        more = (self.ranks.rank,) if self.ranks.rank > self.ranks.dimensions[-1] else ()
        return Trace((*self.ranks.dimensions, *more), self.error, complete=not more)


def attempt(
    sampler: Sampler, enough: int, image: int | None, fold: bool = True, carry: bool = True
) -> Run:
    """Close W_φ at one point.

    A fold may lose rank, so it is trusted only where the rank reaches its upper bound.
    """
    folded = folding(sampler, enough + 1) if fold else None
    ranks = close(sampler, enough, folded, carry)
    if folded is not None and ranks.closed:
        folded, ranks = None, close(sampler, enough, carry=False)
    return Run(ranks, sampler.field.p, folded is not None, image)


def at_real_point(formula: Formula, doubt: str, enough: int) -> Run:
    """Close W_φ in ball arithmetic at one real point. Nothing bounds the probability that a rank
    is too small there.
    """
    dimensions = formula.real_ranks(enough)
    ranks = RankTrace(dimensions, closed=dimensions[-1] < enough)
    return Run(ranks, None, False, None, 1.0 if ranks.closed else None, doubt)


def settle(fields: VectorFields, best: Run, rng: np.random.Generator, enough: int) -> Run:
    """Repeat a first attempt with fresh primes and points until its ranks are proved or sure.

    Ranks that reach ``enough`` are proved, but for the earlier entries of the trace. These are
    wrong only if a minor of at most ``enough`` rows of this run vanished, and if every later trial
    missed it too. A trial that sees larger ranks starts over from them; one with smaller ranks was
    unlucky and only costs certainty, as does the choice of the trials
    that count: ``comb(attempts, passes)``.
    """
    if best.proved:
        return best
    passes = attempts = 0
    first = error = (
        1.0
        if best.ranks.closed or best.folded
        else miss_probability(fields, enough, best.ranks.length)
    )
    while not best.proved and error > best.tolerance and attempts < MAX_TRIALS:
        attempts += 1
        miss = miss_probability(fields, best.ranks.rank, best.ranks.length + best.ranks.closed)
        if confirms(fresh(fields, rng), best.ranks):
            passes += 1
        else:
            carry = best.ranks.carried > 0
            other = attempt(fresh(fields, rng), enough, best.image, False, carry)
            if _order(other.ranks) > _order(best.ranks):
                best, passes, attempts, first = other, 0, 0, 1.0
        error = min(1.0, first * math.comb(attempts, passes) * miss**passes)
    return best._replace(error=None if best.proved else error)


def _order(ranks: RankTrace) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
    """Sort key: a larger last rank proves more; then, at the first difference, the smaller rank was
    unlucky.
    """
    return ranks.rank, ranks.dimensions, ranks.tail


def fresh(fields: VectorFields, rng: np.random.Generator) -> Sampler:
    """Return a sampler at a fresh random prime and point."""
    return Sampler.at_random_point(fields, PrimeField(fields.prime(rng)), rng)


def miss_probability(fields: VectorFields, rank: int, length: int) -> float:
    """Bound the probability that one trial with brackets of up to ``length`` fields misses a rank
    above ``rank``.

    A bracket has the degrees of its fields, less one for every derivative. With ‖·‖ the sum of the
    absolute values of an entry's coefficients, ``‖[f, g]‖ ≤ (deg f + deg g) ‖f‖ ‖g‖``, since the
    derivatives of f add up to at most ``deg f · ‖f‖``; so with n fields ``‖·‖ ≤ (2 n δ L)^n``, sums
    of two brackets included.
    """
    in_theta, in_probe = fields.degree()
    degree = length * (in_theta + in_probe) - (length - 1)
    entry = length * (max(1.0, fields.bits()) + math.log2(2 * length * max(1, in_theta)))
    size = rank + 1
    minor = size * entry + math.lgamma(size + 1) / math.log(2)
    bad_primes = minor / math.log2(SMALLEST_PRIME) / PRIMES_IN_RANGE
    return min(1.0, bad_primes + size * degree / SMALLEST_PRIME)
