"""Mirror flows, ``θ' = −M(θ) ∇L(θ)`` with M diagonal: a metric and a rate for every array of
parameters (metrics.py).

The fields are ``M ∇F``, in coordinates x in which they are rational. There is no drift: the state
is θ.

Known laws. Where generators of invariances of φ, ``ξ(θ)`` with ``⟨ξ, ∇F⟩ = 0``, are such that
``M^-1 ξ`` is a gradient ∇h, h is a law. For the scaling of one unit of a space it is, whatever the
metrics: ``Σ_in Y − Σ_out Y`` with Y of metrics.py. For a mixing of two units, ``ξ_i = S_ij θ_j``,
it is so only where all arrays of the space have a constant metric and S is symmetric: then the law
is that of gradient flow, each array divided by its rate. docs/flows.md has the proofs, and that
these are all laws where φ is monomial.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np

from conslaw_cli import checks
from conslaw_cli.algebra.field import Array, PrimeField
from conslaw_cli.errors import ArrayError, SpecError
from conslaw_cli.flows import Dynamics, Model, System, VectorFields
from conslaw_cli.flows.charts import Chart, Metrics, Scale
from conslaw_cli.flows.controlled import Controlled
from conslaw_cli.flows.coordinates import Coordinates
from conslaw_cli.flows.gradient import GRADIENT, Gradient
from conslaw_cli.flows.grammar import ByArray, Choice, Keys, Rational
from conslaw_cli.flows.metrics import ENTROPY, EUCLIDEAN, LARGEST, METRIC, Metric, plain
from conslaw_cli.flows.motion import Floats, Index, Motion, Slope
from conslaw_cli.flows.names import Arrays
from conslaw_cli.flows.potentials import kept, potentials
from conslaw_cli.networks.gradients import GradientFields
from conslaw_cli.networks.known_laws import Family, Laws

Chosen = tuple[tuple[str, Metric], ...]
Rates = tuple[tuple[str, Fraction], ...]


@dataclass(frozen=True, slots=True)
class Mirror:
    """A mirror flow. metric, rates: those of some arrays; others are Euclidean, of rate 1. called:
    the shorthand of a metric that has one, which :meth:`of` finds out.

    >>> from fractions import Fraction
    >>> from conslaw_cli import MLP, Power, Problem, count_laws
    >>> network = MLP((2, 2, 2), "linear")
    >>> entropy = Mirror((("U1", Power(1)), ("U2", Power(1))))
    >>> slower = Mirror(rates=(("U1", Fraction(1, 10)),))
    >>> [count_laws(Problem(network, flow)).laws for flow in (entropy, slower)]
    [2, 3]
    """

    metric: Chosen = ()
    rates: Rates = ()
    called: str | None = None

    title: ClassVar[str] = "mirror flow"
    statement: ClassVar[str] = (
        "θ' = −M(θ) ∇L(θ), M diagonal: a metric and a constant rate for every array. D − dim Lie(M"
        " W_φ)(θ) laws. nmf: M = diag θ; icnn: the same on all matrices but the first."
    )
    source: ClassVar[str] = (
        "Marcotte, Gribonval, Peyré: Keep the Momentum: Conservation Laws beyond Euclidean Gradient"
        " Flows, ICML 2024, arXiv 2405.12888"
    )
    even_handed: ClassVar[bool] = False

    @classmethod
    def written(cls) -> Choice:
        """Return the shorthands, and the key with metrics, rates or both."""
        values = {"metric": ByArray(METRIC), "rates": ByArray(Rational(LARGEST, Fraction))}
        return Choice(
            {name: Shorthand(name) for name in ("nmf", "icnn")},
            {"mirror": Keys(values, cls._made)},
        )

    @classmethod
    def _made(cls, metric: Chosen = (), rates: Rates = ()) -> Mirror:
        if not metric and not rates:
            raise SpecError("mirror: expected metric, rates or both")
        return cls(metric, rates)

    def __post_init__(self) -> None:
        metrics = checks.pairs("metric", self.metric, "(('U1', Power(1)),)")
        for name, metric in metrics:
            if isinstance(metric, type) or not hasattr(metric, "constant"):
                shown = checks.shown(metric)
                raise SpecError(f"metric: {name}: expected one such as Power(1), got {shown}")
        rates = checks.pairs("rates", self.rates, "(('U1', Fraction(1, 10)),)")
        object.__setattr__(self, "metric", metrics)
        object.__setattr__(
            self,
            "rates",
            tuple((name, checks.positive(f"rates: {name}", rate, LARGEST)) for name, rate in rates),
        )

    def of(self, model: Model) -> Mirror | Gradient:
        """Return it without what is Euclidean of rate 1, in the order of θ, under its shorthand if
        it has one; gradient flow if nothing is left.
        """
        arrays = Arrays.of(model)
        metrics, rates = dict(self.metric), dict(self.rates)
        arrays.checked("mirror: metric", metrics)
        arrays.checked("mirror: rates", rates)
        every = arrays.entries
        chosen = tuple((a, metrics[a]) for a in every if not metrics.get(a, EUCLIDEAN).constant)
        scaled = tuple((a, rates[a]) for a in every if rates.get(a, 1) != 1)
        known = {"icnn": entropies(arrays.matrices[1:]), "nmf": entropies(every)}
        called = next((name for name, each in known.items() if each == chosen and not scaled), None)
        return Mirror(chosen, scaled, called) if chosen or scaled else GRADIENT

    def describe(self) -> str | dict[str, Any]:
        """Return the shorthand if there is one, else the key with what is not the default."""
        if self.called is not None:
            return self.called
        metric = {name: each.describe() for name, each in self.metric}
        rates = {name: plain(rate) for name, rate in self.rates}
        values = {"metric": metric, "rates": rates}
        return {"mirror": {key: value for key, value in values.items() if value}}

    @property
    def dynamics(self) -> Dynamics:
        """Rates alone do not tell the entries of an array apart."""
        constant = all(metric.constant for _, metric in self.metric)
        return Dynamics(isometric=constant, system=System.METRIC)

    def fields(self, model: Model) -> VectorFields:
        """Return the fields ``M ∇F``."""
        return MirrorFields(model.fields(), self.chart(model))

    def laws(self, model: Model) -> Laws:
        """Return the scalings' and, where metrics are constant, the mixings' (module docstring)."""
        gradients, families = model.fields(), None
        if isinstance(gradients, GradientFields):
            families = self.kept(model, gradients.families())
        return potentials(model.laws(), Arrays.of(model), self.chart(model), families)

    def kept(self, model: Model, families: Sequence[Family]) -> Sequence[Family]:
        """Return them as families."""
        arrays, scales = Arrays.of(model), self.scales(model)
        found = (kept(family, arrays, scales) for family in families)
        return [family for family in found if family is not None]

    def timed(self, families: Sequence[Family]) -> int:
        """None."""
        return 0

    def coordinates(self, model: Model) -> Coordinates:
        """Return θ, in which fields are polynomials for metrics that are powers."""
        return Coordinates(tuple(model.parameter_arrays()), unsearched=self.unsearched)

    @property
    def unsearched(self) -> str:
        """Why no polynomials in θ are looked for."""
        if not any(metric.poles for _, metric in self.metric):
            return ""
        return (
            "under a hypentropy, whose fields contain √(θ² + β²), polynomials in θ are not searched"
        )

    def motion(self, model: Model, decay: float | None) -> Motion:
        """Return ``θ' = −M(θ) ∇L``."""
        return Mirrored(Metrics(self.chart(model), Arrays.of(model).size))

    def scales(self, model: Model) -> Mapping[str, Scale]:
        """Return the metric and the rate of every array of a model."""
        metrics, rates = dict(self.metric), dict(self.rates)
        return {
            name: (metrics.get(name, EUCLIDEAN), rates.get(name, Fraction(1)))
            for name in Arrays.of(model).entries
        }

    def chart(self, model: Model) -> Chart:
        """Return the metric of every parameter of a model."""
        metrics, rates = dict(self.metric), dict(self.rates)
        return Chart(
            tuple(
                (
                    np.arange(entries.start, entries.stop),
                    metrics.get(name, EUCLIDEAN),
                    rates.get(name, Fraction(1)),
                )
                for name, entries in Arrays.of(model).entries.items()
                if name in metrics or name in rates
            )
        )


@dataclass(frozen=True, slots=True, eq=False)
class Mirrored(Motion):
    """``θ' = −M(θ) ∇L``."""

    metrics: Metrics

    @property
    def positive(self) -> Index:
        """Those of powers of θ."""
        return self.metrics.positive

    def velocity(self, t: float, state: Floats, slope: Slope) -> Floats:
        """Return the negative gradient in the metric."""
        return -self.metrics.at(state) * slope(state)

    def coordinates(self, t: float, state: Floats) -> Floats:
        """Return θ, and functions of its entries."""
        return self.metrics.coordinates(state)


@dataclass(frozen=True, slots=True)
class Shorthand:
    """``nmf``, M = diag θ on all arrays, or ``icnn``, on all matrices but the first: a mirror flow
    whose arrays a model decides.
    """

    name: str

    @property
    def even_handed(self) -> bool:
        """With one metric on all arrays."""
        return self.name == "nmf"

    def of(self, model: Model) -> Mirror | Gradient:
        """Return the mirror flow."""
        arrays = Arrays.of(model)
        if self.name == "nmf":
            return Mirror(entropies(arrays.entries)).of(model)
        if not arrays.matrices:
            raise ArrayError(
                "flow: icnn: expected a network, whose parameters are matrices", "icnn"
            )
        return Mirror(entropies(arrays.matrices[1:])).of(model)


def entropies(names: Iterable[str]) -> Chosen:
    """Return M = diag θ on these arrays."""
    return tuple((name, ENTROPY) for name in names)


@dataclass(frozen=True, slots=True)
class MirrorFields(Controlled):
    """The fields ``M ∇F`` in the coordinates of a chart."""

    chart: Chart

    @property
    def dimension(self) -> int:
        """D."""
        return self.gradients.dimension

    @property
    def held(self) -> int:
        """Coordinates, speeds and their products beside the gradient."""
        return self.gradients.held + 8 * self.dimension

    def at(self, field: PrimeField, rng: np.random.Generator) -> tuple[MirrorFields, Array]:
        """Draw coordinates, none of them 0, where metrics may have poles."""
        there, x = self.gradients.at(field, rng)
        x[x == 0] = 1
        return replace(self, gradients=there), x

    def evaluate(self, field: PrimeField, state: Array, probes: Array) -> Array:
        """Return ``M ∇F``."""
        theta = self.chart.position(field, state)
        return self.chart.velocity(field, state, self.gradients.evaluate(field, theta, probes))

    def drift(self, field: PrimeField, state: Array) -> None:
        """There is none."""
        return

    def degree(self) -> tuple[int, int]:
        """Return degrees of the numerators."""
        state, probe = self.gradients.degree()
        return state + self.chart.degree, probe

    def bits(self) -> float:
        """Bound the coefficients of the numerators."""
        return self.gradients.bits() + self.chart.bits
