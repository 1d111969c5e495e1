"""What is asked: an architecture, a loss, data, a flow, and where.

Everything behind a spec takes a ``Problem``: its key names the row, its fields are what is counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol, Self

from conslaw_cli import checks
from conslaw_cli.errors import SpecError
from conslaw_cli.flows import Flow, System, VectorFields
from conslaw_cli.flows.gradient import GRADIENT
from conslaw_cli.networks.gradients import GradientFields
from conslaw_cli.networks.graph import Graph
from conslaw_cli.networks.known_laws import Family, Laws
from conslaw_cli.networks.wiring import Array
from conslaw_cli.problems.records import job_hash

if TYPE_CHECKING:
    from conslaw_cli.algebra.expansion import Derivations, Expansion


LISTED_SOON = 10**5
"""Terms of known laws that are listed in no time."""


class Architecture(Protocol):
    """What every family provides: frozen, picklable values that know nothing of primes or ranks."""

    @property
    def name(self) -> str:
        """A label for people."""
        ...

    @property
    def parameters(self) -> int:
        """D, the number of parameters."""
        ...

    @property
    def known_listed(self) -> int:
        """Number of known laws listed, which need not be independent."""
        ...

    @property
    def rank_guess(self) -> int:
        """A guess of dim Lie(W_φ)(θ) that takes no time: to share out work, never to decide a
        result.
        """
        ...

    @property
    def held(self) -> int:
        """Numbers that evaluating one field holds besides D of them, where these are not of the
        same order.
        """
        ...

    @property
    def known_terms(self) -> int:
        """Number of monomials of the known laws, roughly: decides whether they fit in memory."""
        ...

    def describe(self) -> dict[str, Any]:
        """Return the JSON-ready keys that define the architecture (all but its name)."""
        ...

    @property
    def graph(self) -> Graph | None:
        """The network; None for a φ or fields given by formulas."""
        ...

    @property
    def formula(self) -> Formula | None:
        """The φ or the fields given by formulas; None for a network."""
        ...

    @property
    def loss(self) -> str:
        """The loss that it is written with; of a φ of one's own squared error, under which every
        direction of its image is free.
        """
        ...

    def under(self, loss: str) -> Self:
        """Return it written with a loss. Raise SpecError if it is a φ of one's own, whose image is
        free.
        """
        ...

    @property
    def scope(self) -> str | None:
        """What is open between φ and the network's own gradients, as a sentence; None for
        nothing.
        """
        ...

    def fields(self) -> VectorFields:
        """Return W_φ as vector fields that can be sampled and evaluated on jets."""
        ...

    def laws(self) -> Laws:
        """Return the known laws."""
        ...

    def parameter_arrays(self) -> Sequence[Array]:
        """Return the arrays that θ consists of, in its order; a number has no index."""
        ...

    def outline(self) -> Sequence[tuple[str, str, int]]:
        """Return its pieces, in order: what each is, the shape behind it, its parameters."""
        ...


class Formula(Protocol):
    """What theorems ask of a φ or of fields given by formulas."""

    @property
    def monomial(self) -> bool:
        """Whether it is a φ all of whose components are monomials."""
        ...

    def path_rank(self) -> int:
        """Return the rank of the exponents of a monomial φ."""
        ...

    @property
    def homogeneous(self) -> bool:
        """Whether it is a φ all of whose components are homogeneous, apart from constants."""
        ...

    @property
    def scalar(self) -> bool:
        """Whether one field spans the fields."""
        ...

    @property
    def doubt(self) -> str | None:
        """Why ranks modulo primes say nothing, its roots or functions not being known to be
        independent; None if they do.
        """
        ...

    def real_ranks(self, enough: int) -> tuple[int, ...]:
        """Return lower bounds for the dimensions of W_0(θ), W_1(θ), … from a real point, until
        they stop or reach ``enough``.
        """
        ...

    def expansion(self) -> Expansion:
        """Return the fields as polynomials. Raise NotPolynomialError if that is not possible."""
        ...

    def derivations(self) -> Derivations:
        """Return the fields as derivations. Raise NotPolynomialError if that is not possible."""
        ...


class Data(Enum):
    """What the network is trained on."""

    ALL = "all inputs"


class Loss(Enum):
    """The losses: what decides which gradients by the outputs training can produce.

    >>> from conslaw_cli import MLP, Problem, count_laws
    >>> [count_laws(Problem(MLP((3, 4, 2)), loss=loss)).laws for loss in Loss]
    [4, 4, 8]
    """

    MSE = "mse"
    LOGISTIC = "logistic"
    CROSS_ENTROPY = "cross_entropy"

    @property
    def zero_sum(self) -> bool:
        """Whether the gradients by the outputs sum to zero, and span all such vectors: those of a
        softmax do; the other losses meet condition (9) of the paper, so that they are free.
        """
        return self is Loss.CROSS_ENTROPY


class Where(Enum):
    """The points at which dim Lie is meant."""

    GENERIC = "generic θ"


@dataclass(frozen=True, slots=True)
class Problem:
    """What is to be counted: a frozen, picklable value of five factors.

    architecture: the map; here it is written with the second factor.
    flow: what moves the parameters.
    data: what it is trained on.
    where: the points at which dim Lie is meant.
    loss: decides which gradients by the outputs occur; by default the one that the architecture is
    written with.

    Raise SpecError if the architecture, the flow or the loss is none, for a name of an array that
    it has not, and for a loss under which a φ of one's own is not counted.

    >>> from conslaw_cli import MLP, Momentum, count_laws
    >>> problem = Problem(MLP((3, 4, 2), "linear"), Momentum())
    >>> problem.state, count_laws(problem).laws
    (41, 6)
    >>> from conslaw_cli import Loss
    >>> network = MLP((3, 4, 2), "linear")
    >>> Problem(network, loss=Loss.CROSS_ENTROPY) == Problem(network.under("cross_entropy"))
    True
    """

    architecture: Architecture
    flow: Flow = GRADIENT
    data: Data = Data.ALL
    where: Where = Where.GENERIC
    loss: Loss = None  # type: ignore[assignment]  # that of the architecture

    def __post_init__(self) -> None:
        checks.architecture(self.architecture)
        checks.flow(self.flow)
        written = Loss(self.architecture.loss)
        if self.loss is None:
            object.__setattr__(self, "loss", written)
        if not isinstance(self.loss, Loss):
            raise SpecError(f"loss: expected one such as Loss.MSE, got {checks.shown(self.loss)}")
        if self.loss is not written:
            object.__setattr__(self, "architecture", self.architecture.under(self.loss.value))
        object.__setattr__(self, "flow", self.flow.of(self.architecture))

    @classmethod
    def of(cls, asked: Problem | Architecture) -> Problem:
        """Return a problem as it is, an architecture with its loss and the
        defaults of the other factors."""
        return asked if isinstance(asked, cls) else cls(asked)  # type: ignore[arg-type]

    @property
    def graph(self) -> Graph | None:
        """The network; None for a φ or fields given by formulas."""
        return self.architecture.graph

    @property
    def formula(self) -> Formula | None:
        """The φ or the fields given by formulas; None for a network."""
        return self.architecture.formula

    @property
    def name(self) -> str:
        """A label for people."""
        return self.architecture.name

    @property
    def parameters(self) -> int:
        """D, the number of parameters."""
        return self.architecture.parameters

    @property
    def state(self) -> int:
        """Dimension of the state space: D under gradient flow."""
        return self.flow.dynamics.state(self.architecture.parameters)

    @property
    def other_flow(self) -> bool:
        """Whether the flow is not the default, gradient flow."""
        return self.flow != GRADIENT

    @property
    def doubt(self) -> str | None:
        """Why ranks modulo primes say nothing; None if they do."""
        return None if self.formula is None else self.formula.doubt

    @property
    def commuting(self) -> bool | None:
        """Whether all brackets of a φ or of fields of one's own vanish; None for others, and where
        that is not decided.
        """
        gradients = self.flow.dynamics.system is System.GRADIENT
        return getattr(self.architecture, "commuting", None) if gradients else None

    @property
    def known_listed(self) -> int:
        """Number of functions in :meth:`laws`."""
        if not self.other_flow:
            return self.architecture.known_listed
        families = self.families()
        return len(self.laws()) if families is None else sum(family.size for family in families)

    @property
    def most_listed(self) -> int:
        """An upper bound of :attr:`known_listed`, soon found: a flow of θ alone has at most one law
        for each of gradient flow, and with time or velocities at most two where something moves.
        """
        if self.state == self.parameters:
            return self.architecture.known_listed
        if self.architecture.known_terms < LISTED_SOON:
            return self.known_listed
        return 2 * self.architecture.known_listed

    def key(self, seed: int, degree: int | None = None) -> str:
        """Return the SHA-256 of the job's canonical JSON, of what is not at its default: its key in
        results/, and the source of its randomness.

        degree: that of the polynomial laws which the job looks for besides, if it does.
        """
        return job_hash(self.architecture.describe(), seed, degree, self.flow.describe())

    def fields(self) -> VectorFields:
        """Return what moves the state, as vector fields that can be sampled and evaluated on
        jets.
        """
        return self.flow.fields(self.architecture)

    def laws(self) -> Laws:
        """Return the known laws."""
        return self.flow.laws(self.architecture)

    def families(self) -> Sequence[Family] | None:
        """Return the families of the known laws, without listing their entries; None for a φ or
        fields given by formulas.
        """
        return None if self.graph is None else _families(self)

    def shown(self) -> Sequence[Family]:
        """Return the families of the known laws, where they are soon found."""
        families = self.families()
        if families is not None:
            return families
        return self.laws().families if self.most_listed <= LISTED_SOON else ()

    def _repr_html_(self) -> str:
        from conslaw_cli.problems.notebook import table

        moved = self.other_flow
        rows = [
            ("D", self.parameters),
            ("flow", self.flow.describe() if moved else None),
            ("state", self.state if moved else None),
            ("loss", self.loss.value),
            *(("known laws", f"{each.text} ({each.shape})") for each in self.shown()),
        ]
        return table(self.name, rows)

    def _repr_latex_(self) -> str | None:
        from conslaw_cli.problems.notebook import constant, display

        return display(constant(each.latex, each.shape) for each in self.shown())


@lru_cache(maxsize=4)
def _families(problem: Problem) -> Sequence[Family] | None:
    """A count asks several times."""
    fields = problem.architecture.fields()
    if not isinstance(fields, GradientFields):
        return None
    return problem.flow.kept(problem.architecture, fields.families())
