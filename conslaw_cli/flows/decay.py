"""Weight decay: ``θ' = −λ P θ − ∇L(θ)``, P the projection to the arrays that decay, λ > 0.

With ``q = e^{λ t P} θ`` and ``c = e^{−λ t}`` the equation is ``c P q' + (1 − P) q' = −∇L(θ)`` at
``θ = (c P + 1 − P) q``, so up to a factor that the controls absorb the fields on q are

    ``(P + c (1 − P)) ∇F((c P + 1 − P) q)``   for all c,

as t runs through the numbers (a polynomial family in c whose coefficients all lie in its span).
Where everything decays these are the gradients of the homogeneous components of every F, each a
function of its own. So a law of decay is a law h(q) of this family, and it does not depend on t
otherwise: ``h(e^{λ t} θ)``. The family is invariant under q → c q (on the arrays that decay), so
the parts of h of each degree are laws: ``e^{kλt} h_k(θ)``. State (q, t), drift ∂_t.

Known laws are those of gradient flow all of whose terms decay alike: then every part of the family
is orthogonal to them. docs/flows.md has the proof.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from conslaw_cli import checks
from conslaw_cli.algebra.field import Array, PrimeField
from conslaw_cli.algebra.rings import multiply
from conslaw_cli.algebra.series import Series
from conslaw_cli.errors import SpecError
from conslaw_cli.flows import Dynamics, Model, System, Transporting, VectorFields
from conslaw_cli.flows.controlled import Controlled
from conslaw_cli.flows.coordinates import Coordinates, Factor, Term, grouped
from conslaw_cli.flows.coordinates import exponential as grown
from conslaw_cli.flows.grammar import Choice, Keys, Names
from conslaw_cli.flows.kept import Kept
from conslaw_cli.flows.metrics import exponential
from conslaw_cli.flows.motion import Floats, Motion, Slope
from conslaw_cli.flows.names import Arrays
from conslaw_cli.networks.known_laws import Family, Laws, Named, Sums
from conslaw_cli.networks.tex import symbol
from conslaw_cli.networks.wiring import Array as Parameters

_RATE = "λ", r"\lambda", "lam"
DECAY = 0.1
"""λ in floats, where none is given."""


@dataclass(frozen=True, slots=True)
class Decay:
    """Weight decay at a rate λ > 0. only: the arrays that decay, None for all.

    >>> from conslaw_cli import MLP, Problem, count_laws
    >>> network = MLP((2, 3, 1), "relu", "hidden")
    >>> [count_laws(Problem(network, flow)).laws for flow in (Decay(), Decay(("U1", "U2")))]
    [3, 0]
    """

    only: tuple[str, ...] | None = None

    title: ClassVar[str] = "weight decay"
    statement: ClassVar[str] = (
        "θ' = −λ θ − ∇L(θ), λ > 0, on all arrays or on some. As many laws as gradient flow has"
        " where every homogeneous component of φ is a component of its own: h becomes e^{kλt} h,"
        " k the degree of h."
    )
    source: ClassVar[str] = (
        "Marcotte, Gribonval, Peyré: Transformative or Conservative? Conservation Laws for ResNets"
        " and Transformers, ICML 2025, arXiv 2506.06194"
    )

    @classmethod
    def written(cls) -> Choice:
        """Return the word, and the key with the arrays that decay."""
        return Choice({"decay": cls()}, {"decay": Keys({"only": Names()}, cls, ("only",))})

    def __post_init__(self) -> None:
        if self.only is not None:
            names = checks.entries("only", self.only, "arrays such as ('U1', 'U2')")
            for name in names:
                checks.text("only", name)
            if not names:
                raise SpecError("only: expected at least one array, got none")
            name, times = Counter(names).most_common(1)[0]
            if times > 1:
                raise SpecError(f"only: expected every array once, got {name} {times} times")
            object.__setattr__(self, "only", names)

    @property
    def even_handed(self) -> bool:
        """Where all arrays decay."""
        return self.only is None

    @property
    def dynamics(self) -> Dynamics:
        """Where all arrays decay, the fields are those of gradient flow at multiples of q."""
        return Dynamics(1, True, True, System.DILATED if self.only is None else None)

    def of(self, model: Model) -> Decay:
        """Return it with its arrays in the order of θ; without them where they are all."""
        if self.only is None:
            return self
        arrays = Arrays.of(model)
        chosen = arrays.checked("decay: only", self.only)
        return Decay(None if len(chosen) == len(arrays.entries) else chosen)

    def describe(self) -> str | dict[str, Any]:
        """Return the key, with the arrays where these are not all."""
        return "decay" if self.only is None else {"decay": {"only": list(self.only)}}

    def fields(self, model: Model) -> VectorFields:
        """Return the fields on (q, t)."""
        gradients = model.fields()
        kind = DecayFields if gradients.everywhere else DecayNearby
        return kind(gradients, self._decays(model, gradients.dimension))

    def laws(self, model: Model) -> Laws:
        """Return those of gradient flow whose terms decay alike."""
        laws = model.laws()
        decays = self._decays(model, model.fields().dimension).astype(np.intp)
        weight = decays[laws.left] + np.where(laws.right >= 0, decays[laws.right], 0)
        return _alike(laws, weight, Arrays.of(model))

    def kept(self, model: Model, families: Sequence[Family]) -> Sequence[Family]:
        """Return them as families."""
        found = list[Family]()
        for family in families:
            degrees = {sum(map(self._decaying, term)) for term in family.factors}
            if len(degrees) == 1:
                found.append(_grown(family, degrees.pop()))
            elif isinstance(family, Named):
                found += (_entries(a, self._decaying(a.name)) for a in Arrays.of(model).every)
        return found

    def timed(self, families: Sequence[Family]) -> int:
        """All but one are free of it, h^m/g^k for laws ``e^{kλt} h`` and ``e^{mλt} g``."""
        return int(any(isinstance(each, Kept) and each.factor.text for each in families))

    def _decaying(self, array: str) -> bool:
        return self.only is None or array in self.only

    def coordinates(self, model: Model) -> Coordinates:
        """Return q and t."""
        arrays = tuple(model.parameter_arrays())
        decays = frozenset(array.name for array in arrays if self._decaying(array.name))
        shrinking = Shrinking(arrays, (), (("t", "t", "t"),), ("t", "lam"), decays=decays)
        if model.fields().everywhere:
            return shrinking
        why = "under decay polynomials in θ are searched only where φ is a polynomial"
        return replace(shrinking, unsearched=why)  # fields are known at t = 0 alone

    def motion(self, model: Model, decay: float | None) -> Motion:
        """Return ``θ' = −λPθ − ∇L``."""
        decays = self._decays(model, Arrays.of(model).size).astype(np.float64)
        return Decaying(decays, DECAY if decay is None else decay)

    def _decays(self, model: Model, size: int) -> NDArray[np.bool_]:
        if self.only is None:
            return np.ones(size, dtype=np.bool_)
        decays = np.zeros(size, dtype=np.bool_)
        arrays = Arrays.of(model).entries
        for name in self.only:
            decays[arrays[name].start : arrays[name].stop] = True
        return decays


@dataclass(frozen=True, slots=True, eq=False)
class Decaying(Motion):
    """``θ' = −λPθ − ∇L``. decays: the diagonal of P."""

    decays: Floats
    decay: float

    @property
    def constants(self) -> str:
        """λ."""
        return f"λ = {self.decay:g}"

    def velocity(self, t: float, state: Floats, slope: Slope) -> Floats:
        """Return the negative gradient, and decay."""
        return -slope(state) - self.decay * self.decays * state

    def coordinates(self, t: float, state: Floats) -> Floats:
        """Return ``q = e^{λtP} θ``, and t."""
        return np.append(np.exp(self.decay * t * self.decays) * state, t)


@dataclass(frozen=True)
class Shrinking(Coordinates):
    """``q = e^{λ P t} θ``, and t. decays: the names of the arrays that do."""

    decays: frozenset[str] = frozenset()

    @cached_property
    def _entries(self) -> list[bool]:
        return [array.name in self.decays for array in self.arrays for _ in range(array.size)]

    def written(self, terms: Sequence[Term]) -> list[tuple[Factor, list[Term]]]:
        """Return the terms with ``e^{kλt}``, k their degree in what decays."""
        decays = self._entries
        weights = [sum(0 <= e < len(decays) and decays[e] for e in m) for _, m in terms]
        factors = [grown(_RATE, weight) for weight in weights]
        return grouped(list(zip(factors, terms, strict=True)))


def _alike(laws: Laws, weight: NDArray[np.intp], arrays: Arrays) -> Laws:
    """Return the families all of whose terms have one weight k, as functions of q; where laws are
    single parameters, array by array.
    """
    starts = np.cumsum([0, *(family.size for family in laws.families)])
    families, kept = list[Family](), np.zeros(len(laws), dtype=np.bool_)
    entries = list[tuple[int, ...]]()
    for family, start in zip(laws.families, starts.tolist(), strict=False):
        inside = (laws.law >= start) & (laws.law < start + family.size)
        found = set(weight[inside].tolist())
        alone = len(found) > 1 and len(weight) == arrays.size == len(laws)
        kept[start : start + family.size] = alone or len(found) == 1
        if alone:
            families += (_entries(a, bool(weight[a.entries.start])) for a in arrays.every)
            entries += ((i,) for a in arrays.every for i in range(1, a.size + 1))
        elif len(found) == 1:
            families.append(_grown(family, found.pop()))
            entries += laws.entries[start : start + family.size]
    terms = kept[laws.law]
    return Laws(
        tuple(families),
        (np.cumsum(kept) - 1)[laws.law[terms]],
        laws.left[terms],
        laws.right[terms],
        laws.coefficient[terms],
        tuple(entries),
    )


def _entries(array: Parameters, decays: bool) -> Kept:
    """Return the family of all entries of an array, none of which moves but by decay."""
    each = Sums(array.name, array.entries.start, array.size, 1, True)
    named = Kept(each, array.name, symbol(array.name), f"{array.size} entries", array.size)
    return _grown(named, int(decays))._replace(base=each)


def _grown(family: Family, weight: int) -> Kept:
    """Return the family of ``e^{kλt} h(θ)``."""
    factor = grown(_RATE, weight)
    text, tex = family.text, family.latex
    if factor.text:
        text, tex = f"{factor.text}({text})", rf"{factor.latex} \bigl({tex}\bigr)"
    return Kept(family, text, tex, family.shape, family.size, factor=factor)


@dataclass(frozen=True, slots=True, eq=False)
class DecayFields(Controlled):
    """The fields on (q, t), with their drift (module docstring). decays: (D,), which do."""

    decays: NDArray[np.bool_]

    @property
    def dimension(self) -> int:
        """D + 1."""
        return self.gradients.dimension + 1

    @property
    def held(self) -> int:
        """The state and a field beside the gradient."""
        return self.gradients.held + 4 * self.dimension

    def at(self, field: PrimeField, rng: np.random.Generator) -> tuple[DecayFields, Array]:
        """Draw q where the gradients are defined, and any t."""
        there, theta = self.gradients.at(field, rng)
        return replace(self, gradients=there), np.append(
            theta, field.random(rng, (1, 1, 1)), axis=1
        )

    def sample(self, field: PrimeField, rng: np.random.Generator, count: int) -> Array:
        """Draw probes of the gradients, and c."""
        probes = self.gradients.sample(field, rng, count)
        return np.column_stack([probes, field.random(rng, (count, 1))])

    def evaluate(self, field: PrimeField, state: Array, probes: Array) -> Array:
        """Return the family's fields, and 0 for t."""
        shrunk = probes[:, -1:, None]
        decays = self.decays[:, None]
        theta = field.reduce(state[:, :-1] * np.where(decays, shrunk, 1.0))
        gradients = self.gradients.evaluate(field, theta, probes[:, :-1])
        fields = field.reduce(gradients * np.where(decays, 1.0, shrunk))
        return np.append(fields, np.zeros_like(fields[:, :1]), axis=1)

    @property
    def transports(self) -> bool:
        """Whether the gradients do."""
        return isinstance(self.gradients, Transporting) and self.gradients.transports

    def carried(self, over: Series, state: Array, probes: Array) -> Array:
        """Return ``S ∇F(S' q)``, and ``−S' ∇²F S λ`` for covectors, S and S' being diagonal, 1 and
        c by turns (flows.Transporting); 0 for t.
        """
        assert isinstance(self.gradients, Transporting)
        c, one = over.constant(probes[:, -1:]), float(over.order == 0)
        decays = self.decays[:, None]
        inner, outer = np.where(decays, c, one), np.where(decays, one, c)
        theta = over.multiply(inner, state[:, :-1, :1])
        covectors = over.multiply(outer, state[:, :-1])[..., 1:]
        gradients = self.gradients.carried(
            over, np.concatenate([theta, covectors], axis=2), probes[:, :-1]
        )
        scaled = over.multiply(outer, gradients[..., :1]), over.multiply(inner, gradients)[..., 1:]
        return np.append(np.concatenate(scaled, axis=2), np.zeros_like(gradients[:, :1]), axis=1)

    def carried_drift(self, over: Series, state: Array) -> Array:
        """Return ∂_t, along which covectors stay."""
        moved = np.zeros_like(state)
        moved[:, -1, 0] = over.order == 0
        return moved

    def drift(self, field: PrimeField, state: Array) -> Array:
        """Return ∂_t."""
        drift = np.zeros_like(state)
        drift[:, -1, 0] = 1
        return drift

    def clock(self, field: PrimeField, state: Array) -> Array:
        """Return ``(P q, 0)``: with the drift it is ∂/∂t at fixed θ, for λ = 1."""
        return np.where(np.append(self.decays, False), state[0, :, 0], 0.0)[None]

    def degree(self) -> tuple[int, int]:
        """The gradients' degree in θ is one more in c, as is the factor."""
        state, probe = self.gradients.degree()
        return state, probe + state + 1


class DecayNearby(DecayFields):
    """The same where the gradients are defined at few points modulo a prime: c is ``e^{−t}`` near t
    = 0, exactly in jets, so that the fields are evaluated at the point that was drawn and the drift
    yields what other c do.
    """

    __slots__ = ()

    @property
    def transports(self) -> bool:
        """They are no polynomials."""
        return False

    def at(self, field: PrimeField, rng: np.random.Generator) -> tuple[DecayFields, Array]:
        """Draw q where the gradients are defined, at t = 0."""
        there, theta = self.gradients.at(field, rng)
        return replace(self, gradients=there), np.append(theta, np.zeros((1, 1, 1)), axis=1)

    def sample(self, field: PrimeField, rng: np.random.Generator, count: int) -> Array:
        """Draw probes of the gradients."""
        return self.gradients.sample(field, rng, count)

    def evaluate(self, field: PrimeField, state: Array, probes: Array) -> Array:
        """Return the fields at the time of the state, and 0 for t."""
        shrunk, decays = exponential(field, -state[:, -1:]), self.decays[:, None]
        theta = np.where(decays, multiply(field, state[:, :-1], shrunk), state[:, :-1])
        gradients = self.gradients.evaluate(field, theta, probes)
        scaled = multiply(field, gradients, np.broadcast_to(shrunk, gradients[:, :1].shape))
        fields = np.where(decays, gradients, scaled)
        return np.append(fields, np.zeros_like(fields[:, :1]), axis=1)

    def degree(self) -> tuple[int, int]:
        """As for the gradients: a derivative by t keeps degrees."""
        return self.gradients.degree()

    def bits(self) -> float:
        """A derivative by t multiplies coefficients by at most the degree, and one more."""
        return self.gradients.bits() + math.log2(self.gradients.degree()[0] + 2)
