"""Known laws of mirror flows, from those of gradient flow (mirror.py, metrics.py).

A quadratic law ``θ^T S θ`` of gradient flow comes from an invariance of φ with generator Sθ. Its
law under a metric has the gradient ``M^-1 S θ``, where that is one: each square ``θ_e²`` becomes
``2 Y_e/r_e``, and a product of two parameters stays one, divided by their rate, if both have a
constant metric and the same rate. A linear law comes from a shift, and ``θ_e`` becomes ``η_e/r_e``
with ``η' = 1/m``.

Y and η are polynomials in the coordinate x for few metrics. Others are coordinates of their own, of
which only the derivatives by x are computed: Y_e is number D + e, η_e is number 2 D + e.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import gcd, lcm

import numpy as np
from numpy.typing import NDArray

from conslaw_cli.algebra.field import Array, PrimeField
from conslaw_cli.errors import SpecError
from conslaw_cli.flows.charts import Chart, Scale
from conslaw_cli.flows.friction import Formula
from conslaw_cli.flows.metrics import EUCLIDEAN, Metric
from conslaw_cli.flows.names import Arrays
from conslaw_cli.networks.known_laws import Laws, Named, join
from conslaw_cli.networks.tex import symbol
from conslaw_cli.networks.wiring import Array as Parameters

LARGEST = 10**6
"""Largest coefficient: times a residue, and added up, it is exact."""


@dataclass(frozen=True, slots=True)
class CurvedLaws(Laws):
    """Laws in coordinates x and in the functions Y and η of them."""

    chart: Chart

    @property
    def polynomial(self) -> bool:
        """They are no polynomials in x."""
        return False

    def over(self, field: PrimeField) -> Laws:
        """Return them with derivatives modulo a prime."""
        fields = (self.families, self.law, self.left, self.right, self.coefficient, self.entries)
        return _CurvedOver(*fields, self.chart, field)


@dataclass(frozen=True, slots=True)
class _CurvedOver(CurvedLaws):
    field: PrimeField

    def gradients(self, theta: Array, rows: int) -> Iterator[Array]:
        """Yield the gradients by x, law after law: the chain rule."""
        size = len(theta)
        slopes = np.concatenate(self.chart.slopes(self.field, theta)).reshape(2, size)
        base = super(_CurvedOver, self).gradients(np.append(theta, np.zeros(2 * size)), rows)
        for part in base:
            by_x, *others = np.split(self.field.reduce(part), 3, axis=1)
            for other, slope in zip(others, slopes, strict=True):
                by_x = self.field.reduce(by_x + other * slope)
            yield by_x


def potentials(laws: Laws, arrays: Arrays, chart: Chart) -> Laws:
    """Return the laws of a mirror flow that come from these of gradient flow."""
    size = arrays.size
    scales = chart.scales(size)
    starts = np.cumsum([0, *(family.size for family in laws.families)]).tolist()
    parts = []
    for family, start in zip(laws.families, starts, strict=False):
        terms = (laws.law >= start) & (laws.law < start + family.size)
        entries = laws.entries[start : start + family.size]
        part = Laws(
            (family,),
            laws.law[terms] - start,
            laws.left[terms],
            laws.right[terms],
            laws.coefficient[terms],
            entries,
        )
        parts.append(_family(_kept(part, scales), arrays, scales))
    found = join([part for part in parts if len(part)])
    curved = len(found) and max(int(found.left.max()), int(found.right.max())) >= size
    if not curved:
        return found
    fields = (found.families, found.law, found.left, found.right, found.coefficient, found.entries)
    return CurvedLaws(*fields, chart)


def _kept(laws: Laws, scales: Sequence[Scale]) -> Laws:
    """Return the laws of a family all of whose products stay."""
    mixed = np.flatnonzero((laws.right >= 0) & (laws.right != laws.left))
    lost = [
        law
        for law, i, j in zip(
            laws.law[mixed].tolist(),
            laws.left[mixed].tolist(),
            laws.right[mixed].tolist(),
            strict=True,
        )
        if (scales[i] is not scales[j] and scales[i] != scales[j]) or not scales[i][0].constant
    ]
    kept = np.ones(len(laws), dtype=np.bool_)
    kept[lost] = False
    terms = kept[laws.law]
    (family,) = laws.families
    entries = tuple(entry for entry, keep in zip(laws.entries, kept.tolist(), strict=True) if keep)
    shape = family.shape if kept.all() else family.shape.replace("symmetric", "diagonal")
    return Laws(
        (Named(family.text, family.latex, shape, len(entries)),),
        (np.cumsum(kept) - 1)[laws.law[terms]],
        laws.left[terms],
        laws.right[terms],
        laws.coefficient[terms],
        entries,
    )


def _family(laws: Laws, arrays: Arrays, scales: Sequence[Scale]) -> Laws:
    """Return a family with its terms in Y and η and integer coefficients."""
    if not len(laws):
        return laws
    size, pairs = arrays.size, zip(laws.left.tolist(), laws.right.tolist(), strict=True)
    found = [_term(i, j, scales[i], size) for i, j in pairs]
    common = lcm(*(factor.denominator for _, _, factor in found))
    factors = [int(factor * common) for _, _, factor in found]
    shared = gcd(*factors)
    factors = [factor // shared for factor in factors]
    if max(map(abs, factors)) > LARGEST:
        raise SpecError(
            "flow: mirror: rates: expected ratios of small numbers, got some whose common"
            f" multiple exceeds {LARGEST:,}"
        )
    coefficient = laws.coefficient * np.array(factors, dtype=np.int64)
    text, tex = _formula(laws, coefficient, arrays, scales)
    return replace(
        laws,
        families=(Named(text, tex, laws.families[0].shape, laws.families[0].size),),
        left=np.array([left for left, _, _ in found], dtype=np.intp),
        right=np.array([right for _, right, _ in found], dtype=np.intp),
        coefficient=coefficient,
    )


def _term(left: int, right: int, scale: Scale, size: int) -> tuple[int, int, Fraction]:
    """Return what a term becomes: its two parameters, and the factor of its coefficient."""
    metric, rate = scale
    if metric.constant:
        return left, right, 1 / rate
    if right == left:
        at = left if metric.straight else size + left
        return at, -1, 2 * metric.square / rate
    return 2 * size + left, -1, metric.shift / rate


def _formula(
    laws: Laws, coefficient: NDArray[np.int64], arrays: Arrays, scales: Sequence[Scale]
) -> Formula:
    """Return the family's formula, read off its first law: a summand for each array."""
    (family,) = laws.families
    first = laws.law == 0
    entries, numbers = laws.left[first].tolist(), coefficient[first].tolist()
    if all(scales[e] == (EUCLIDEAN, 1) for e in set(entries)):
        return family.text, family.latex
    whole = family.shape.endswith("symmetric")
    linear = bool((laws.right[first] == -1).all())
    last = laws.left[laws.law == len(laws) - 1].tolist()
    summands = {}
    for e, number in zip(entries, numbers, strict=True):
        array = arrays.at(e)
        own, others = ([f for f in each if arrays.at(f) is array] for each in (entries, last))
        rows = _by_rows(own, others, array, number < 0)
        summands[array.name] = number, _summand(own, array, scales[e][0], whole, linear, rows)
    texts = [(number, *formula) for number, formula in summands.values()]
    return _sum(texts, 1, "−", "·"), _sum(texts, 2, "-", r" \, ")


def _sum(terms: Sequence[tuple[int, str, str]], place: int, minus: str, times: str) -> str:
    parts = []
    for term in terms:
        number = abs(int(term[0]))
        sign = minus if term[0] < 0 else "+"
        parts.append(f"{sign} {f'{number}{times}' if number != 1 else ''}{term[place]}")
    return " ".join(parts).removeprefix("+ ")


def _by_rows(own: list[int], others: list[int], array: Parameters, reads: bool) -> bool:
    """Whether the entries of an array in two laws of a family are in different rows, so that its
    rows belong to units; of a family with one law, whether the array reads the unit.
    """
    first, last = ({array.place(e)[:1] for e in each} for each in (own, others))
    return reads if own == others else not first & last


def _summand(
    entries: list[int], array: Parameters, metric: Metric, whole: bool, linear: bool, rows: bool
) -> Formula:
    """Return the part of a law in the entries of one array that belong to one unit; rows: the rows
    of the array do.
    """
    text, tex = array.name, symbol(array.name)
    written, alone = not rows, len(array.shape) < 2
    if metric.constant and not linear:
        if not array.shape:
            return f"{text}²", f"{tex}^2"
        gram = (f"{text}ᵀ{text}", rf"{tex}^\top {tex}")
        gram = gram if written or alone else (f"{text}{text}ᵀ", rf"{tex} {tex}^\top")
        return gram if whole else (f"diag({gram[0]})", rf"\operatorname{{diag}}({gram[1]})")
    function = metric.shifted if linear else metric.squared
    text, tex = function((text, tex))
    if alone:
        return (f"{text}·1", rf"{tex} \mathbf{{1}}") if linear and len(entries) > 1 else (text, tex)
    if written:
        return f"{text}ᵀ·1", rf"{tex}^\top \mathbf{{1}}"
    return f"{text}·1", rf"{tex} \mathbf{{1}}"
