"""The values a count ends in: frozen, picklable, free of matrices."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import groupby
from typing import Any, Literal, NamedTuple, get_args

from conslaw_cli import __version__, checks

Verdict = Literal["proved", "computed", "bounded", "failed"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
"""Best first: a row never makes room for one whose verdict stands after its own."""
OPEN: tuple[Verdict, ...] = ("bounded", "failed")
"""Verdicts of rows whose count another run, with more time or memory, may find."""
VERSION = __version__
"""Version of the algorithm, part of every row: results of another version are computed again."""
GRADIENT = "gradient"
"""The flow of rows that name none."""


class Bound(NamedTuple):
    """One bound on ``dim Lie(W_φ)(θ)`` at generic θ and what it rests on.

    ``error_bound`` is None for a proof, else the probability that the bound is wrong.
    ``prime`` is the modulus of the ranks used, or None where no rank was needed.
    """

    value: int
    method: str
    kind: Literal["proof", "random"]
    prime: int | None
    shown: str
    error_bound: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return its fields, ready for ``json.dumps``."""
        return self._asdict()


MOST_SHOWN = 8
"""Equal sizes in a row that are written out."""


class Complete(NamedTuple):
    """A network of the same shape whose known laws are complete: ``rank + laws = dimension`` at one
    point modulo a prime.

    units: how many each space of the network has, inputs first; 1 for that of biases, if there are
    any. dimension: of the state, rank: of the Lie algebra, laws: of the gradients of the laws, all
    under a loss whose output gradients are free. seed: what the point is drawn with.
    """

    units: tuple[int, ...]
    dimension: int
    rank: int
    laws: int
    prime: int
    seed: int

    @property
    def name(self) -> str:
        """Its sizes; of many equal ones in a row how many there are."""
        runs = [(str(n), len(list(run))) for n, run in groupby(self.units)]
        return "-".join(
            "-".join([n] * k) if k <= MOST_SHOWN else f"{n} ({k} times)" for n, k in runs
        )

    def to_dict(self) -> dict[str, Any]:
        """Return its fields, ready for ``json.dumps``, as they are read back."""
        return {**self._asdict(), "units": list(self.units)}


class Trace(NamedTuple):
    """Dimensions of ``W_0(θ), W_1(θ), …`` (Prop. 3.1) until they stop.

    Each entry is a proved lower bound for its dimension; ``error_bound`` is the probability that
    one of them is too small (None when all are proved). If not ``complete``, steps are left out
    before the last entry.
    """

    dimensions: tuple[int, ...]
    error_bound: float | None = None
    complete: bool = True

    @property
    def involutive(self) -> bool | None:
        """Whether W_0 is involutive, so that the dimensions never rise; None if that is not
        known.
        """
        if len(self.dimensions) > 1:
            return False
        return True if self.complete else None


@dataclass(frozen=True, slots=True, repr=False)
class LawCount:
    """One row: a problem and the number of its conservation laws.

    ``architecture`` holds the keys that describe it (``activation``, ``widths``, ``bias``,
    ``loss``). ``scope`` says what a theorem of the paper leaves open between φ and the network
    itself, None for nothing. ``polynomial_laws``: what a search for polynomial laws found, if one
    was asked for: its ``degree``, how many are ``linear``ly and functionally ``independent``, of
    these ``known`` and ``new``, and how many laws are ``not_polynomial`` of that degree. ``flow``
    is what moves the parameters, its key or that with its values, ``state`` the dimension of its
    state space, which is ``dim_lie + laws``; a row of gradient flow, whose state is θ, does not
    write them. ``commuting``: whether the fields of a φ or of fields of one's own commute, under
    gradient flow; None where that is not decided, and rows of networks do not write it.
    ``timeless``: how many laws do not depend on time, where some may.

    A bounded row has ``laws_at_least`` so many independent laws, and no count: its ``reason`` says
    why, ``complete_at`` where in a smaller network these are all. What it has not is None, as are
    all counts of a failed row, whose ``reason`` says why.

    >>> from conslaw_cli import MLP, count_laws
    >>> row = count_laws(MLP((1, 2, 2, 1), "linear"))
    >>> row.laws, row.known_independent, row.unknown_laws, row.verdict
    (7, 6, 1, 'proved')
    >>> row.to_dict()["trace"]
    [1]
    """

    name: str
    architecture: Mapping[str, Any]
    seed: int
    version: str
    seconds: float
    verdict: Verdict
    parameters: int | None = None
    dim_lie: int | None = None
    laws: int | None = None
    known_listed: int | None = None
    known_independent: int | None = None
    unknown_laws: int | None = None
    trace: Trace | None = None
    involutive: bool | None = None
    error_bound: float | None = None
    lower: tuple[Bound, ...] = ()
    upper: tuple[Bound, ...] = ()
    scope: str | None = None
    polynomial_laws: Mapping[str, int] | None = None
    reason: str | None = None
    flow: str | Mapping[str, Any] = GRADIENT
    state: int | None = None
    timeless: int | None = None
    laws_at_least: int | None = None
    commuting: bool | None = None
    complete_at: Complete | None = None

    def __post_init__(self) -> None:
        if self.state is None:
            object.__setattr__(self, "state", self.parameters)

    def __repr__(self) -> str:
        """Return one line: the name and what was counted; :meth:`to_dict` has all of it."""
        counted = f"D = {self.parameters}, dim Lie = {self.dim_lie}, laws = {self.laws}"
        figures = f"{counted} ({self.known_independent} known), " if self.reason is None else ""
        if self.laws_at_least is not None:
            figures = f"D = {self.parameters}, laws ≥ {self.laws_at_least}, "
        return f"<LawCount {checks.shown(self.name)}: {figures}{self.verdict}>"

    def _repr_html_(self) -> str:
        from conslaw_cli.problems.notebook import table

        moved = self.other_flow
        known = f"{self.known_independent} of {self.known_listed}"
        rows = (
            ("D", self.parameters),
            ("flow", self.flow if moved else None),
            ("state", self.state if moved else None),
            ("dim Lie", self.dim_lie),
            ("laws", self.laws),
            ("laws, at least", self.laws_at_least),
            ("known", None if self.known_independent is None else known),
            ("unknown", self.unknown_laws),
            ("verdict", self.verdict),
            ("reason", self.reason),
        )
        return table(self.name, rows)

    def _repr_latex_(self) -> str | None:
        if self.laws_at_least is not None:
            return rf"$\#\text{{laws}} \ge {self.laws_at_least}$"
        if self.laws is None:
            return None
        size = f"{self.state} - {self.dim_lie} = {self.laws}"
        return rf"$\#\text{{laws}} = {size}$"

    @property
    def other_flow(self) -> bool:
        """Whether the flow is not the default, gradient flow."""
        return self.flow != GRADIENT

    @property
    def own(self) -> bool:
        """Whether it is of a map or of fields of one's own."""
        return any(key in self.architecture for key in ("phi", "fields", "random_fields"))

    def to_dict(self) -> dict[str, Any]:
        """Return the row under its public keys (README, "Output"), ready for ``json.dumps``."""
        own = ("parameters", "dim_lie", "laws", "known_listed", "known_independent", "unknown_laws")
        trace = None if self.trace is None else list(self.trace.dimensions)
        least = self.laws_at_least
        return {
            "name": self.name,
            **self.architecture,
            **({"flow": self.flow, "state": self.state} if self.other_flow else {}),
            **{key: getattr(self, key) for key in own},
            **({} if least is None else {"laws_at_least": least}),
            "trace": trace,
            "involutive": self.involutive,
            **({"commuting": self.commuting} if self.own else {}),
            "verdict": self.verdict,
            "error_bound": self.error_bound,
            "evidence": self._evidence(),
            "seed": self.seed,
            "version": self.version,
            "seconds": self.seconds,
            **(
                {}
                if self.polynomial_laws is None
                else {"polynomial_laws": dict(self.polynomial_laws)}
            ),
        }

    to_json = to_dict

    def _evidence(self) -> dict[str, Any]:
        if self.verdict == "failed":
            return {"reason": self.reason}
        trace = {
            "error_bound": self.trace.error_bound if self.trace else None,
            "complete": self.trace is None or self.trace.complete,
        }
        return {
            "lower": [bound.to_dict() for bound in self.lower],
            "upper": [bound.to_dict() for bound in self.upper],
            **({"reason": self.reason} if self.verdict == "bounded" else {"trace": trace}),
            **({} if self.complete_at is None else {"complete_at": self.complete_at.to_dict()}),
            "scope": self.scope,
            **({} if self.timeless is None else {"laws_free_of_time": self.timeless}),
        }

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> LawCount:
        """Read a row that :meth:`to_json` wrote. Raise KeyError or TypeError if it is not one."""
        evidence = row["evidence"]
        own = {f.name for f in fields(cls)} & set(row) - {"trace"}
        known = {key: row[key] for key in own}
        rest = ("trace", "evidence")
        architecture = {key: row[key] for key in row if key not in own and key not in rest}
        if row["verdict"] == "failed":
            return cls(architecture=architecture, reason=evidence["reason"], **known)
        bounded = row["verdict"] == "bounded"
        return cls(
            architecture=architecture,
            trace=None if bounded else _trace(row["trace"], evidence["trace"]),
            reason=evidence["reason"] if bounded else None,
            lower=tuple(Bound(**bound) for bound in evidence["lower"]),
            upper=tuple(Bound(**bound) for bound in evidence["upper"]),
            scope=evidence["scope"],
            timeless=evidence.get("laws_free_of_time"),
            complete_at=_complete(evidence.get("complete_at")),
            **known,
        )


def _trace(dimensions: Sequence[int], evidence: Mapping[str, Any]) -> Trace:
    return Trace(tuple(dimensions), evidence["error_bound"], evidence["complete"])


def _complete(found: Mapping[str, Any] | None) -> Complete | None:
    return None if found is None else Complete(**{**found, "units": tuple(found["units"])})


def canonical_json(value: Any) -> str:
    """Return the one JSON text of a value: sorted keys, no spaces, ASCII."""
    return _CANONICAL.encode(value)


_CANONICAL = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
)


def job_hash(
    architecture: Mapping[str, Any],
    seed: int,
    degree: int | None = None,
    flow: str | Mapping[str, Any] = GRADIENT,
) -> str:
    """Return the SHA-256 of a job's canonical JSON: the keys that define the architecture, the
    seed, the ``degree`` of the polynomial laws to look for, if it is to, and the flow, where it is
    not that of the gradient: what is at its default was not written before it could be chosen.
    """
    job: dict[str, Any] = {"architecture": architecture, "seed": seed}
    job |= {"degree": degree} if degree else {}
    job |= {"flow": flow} if flow != GRADIENT else {}
    return hashlib.sha256(canonical_json(job).encode()).hexdigest()
