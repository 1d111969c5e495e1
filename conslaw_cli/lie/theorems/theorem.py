"""What a theorem is, what it may use, and what it may conclude."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from conslaw_cli.flows import System
from conslaw_cli.lie.closure import Sampler
from conslaw_cli.lie.orbit import Orbit
from conslaw_cli.lie.trials import Run
from conslaw_cli.problems.problem import Problem
from conslaw_cli.problems.records import Bound, LawCount, Trace


class Needs(Enum):
    """What a theorem rests on besides the problem itself, in the order in which that is to be
    had.
    """

    STRUCTURE = "nothing else"
    PARTS = "counts of smaller problems"
    NARROW = "counts of narrower networks, or nothing else; asked only where ranks take long"
    RANKS = "ranks at a random point"
    PATH = "the rank of the end point of a path"
    BRACKETS = "ranks of brackets"
    GAP = "a gap between the proved bounds, besides these"
    SIZES = "nothing else, and it is only asked where ranks cannot be had"


class Proof(NamedTuple):
    """What a theorem says of a problem.

    lower, upper: bounds on dim Lie(W_φ)(θ) at generic θ, each with what it rests on.
    independent: the rank of the gradients of the known laws.
    trace: the dimensions of W_0(θ), W_1(θ), …
    image: dim W_0(θ), the generic rank of ∂φ.
    spare: a row shows the bounds only where no others prove as much.
    listed: number of known laws, where listing them is to be spared.
    timeless: number of laws that do not depend on time.
    """

    lower: tuple[Bound, ...] = ()
    upper: tuple[Bound, ...] = ()
    independent: int | None = None
    trace: Trace | None = None
    image: int | None = None
    spare: bool = False
    listed: int | None = None
    timeless: int | None = None

    @property
    def settles(self) -> bool:
        """Whether a row can be made of it alone."""
        return self.trace is not None and bool(self.lower and self.upper)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a theorem may use, as far as it ``needs`` it.

    count: counts another problem with the seed and the memory of this one.
    at: a random point modulo a random prime; check: whether laws are to be held against fields.
    along: a path along fields whose flows are polynomial maps. run: what closing W_φ gave.
    """

    count: Callable[[Problem], LawCount]
    at: Sampler | None = None
    check: bool = True
    along: Orbit | None = None
    run: Run | None = None

    @property
    def sampler(self) -> Sampler:
        """The point, of a theorem that needs ranks."""
        assert self.at is not None
        return self.at

    @property
    def path(self) -> Orbit:
        """The path, of a theorem that needs one."""
        assert self.along is not None
        return self.along

    @property
    def closed(self) -> Run:
        """What closing W_φ gave, of a theorem that needs brackets."""
        assert self.run is not None
        return self.run


Proving = Callable[[Problem, Evidence], Proof | None]


@dataclass(frozen=True, slots=True, eq=False)
class Theorem:
    """A theorem, as a function that says what it means for a problem: None where a hypothesis does
    not hold.

    name: that of the ``method`` of its bounds. systems: those for which it holds, None for all.
    whole: whether what it says of a problem is the whole count, from sizes alone; None for never.
    """

    name: str
    title: str
    source: str
    needs: Needs
    systems: tuple[System, ...] | None
    whole: Callable[[Problem], bool] | None
    prove: Proving

    def __call__(self, problem: Problem, evidence: Evidence) -> Proof | None:
        """Return what the theorem says, None if it does not apply."""
        return self.prove(problem, evidence) if self._holds(problem) else None

    def settles(self, problem: Problem) -> bool:
        """Whether it is the whole count, found out at no cost."""
        return self.whole is not None and self._holds(problem) and self.whole(problem)

    def _holds(self, problem: Problem) -> bool:
        return self.systems is None or problem.flow.dynamics.system in self.systems

    @property
    def statement(self) -> str:
        """Statement, hypotheses and proof."""
        import inspect  # dear, and needed for reading only

        return inspect.getdoc(self.prove) or ""


def theorem(
    name: str,
    *,
    title: str,
    source: str,
    needs: Needs = Needs.STRUCTURE,
    systems: tuple[System, ...] | None = (System.GRADIENT,),
    whole: Callable[[Problem], bool] | None = None,
) -> Callable[[Proving], Theorem]:
    """Make a theorem of a function whose docstring states and proves it."""
    return lambda prove: Theorem(name, title, source, needs, systems, whole, prove)
