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

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import gcd, lcm

import numpy as np
from numpy.typing import NDArray

from conslaw_cli.algebra.field import Array, PrimeField
from conslaw_cli.errors import SpecError
from conslaw_cli.flows.charts import Chart, Scale
from conslaw_cli.flows.coordinates import Coordinates
from conslaw_cli.flows.friction import Formula
from conslaw_cli.flows.kept import Kept
from conslaw_cli.flows.metrics import EUCLIDEAN, Metric
from conslaw_cli.flows.names import Arrays, Index
from conslaw_cli.networks.correlations import Correlations
from conslaw_cli.networks.known_laws import (
    Family,
    Form,
    Laws,
    Named,
    Part,
    Sums,
    join,
)
from conslaw_cli.networks.notation import TEX, TEXT
from conslaw_cli.networks.tex import symbol

PLAIN: Scale = (EUCLIDEAN, Fraction(1))
LARGEST = 10**6
"""Largest coefficient: times a residue, and added up, it is exact."""


@dataclass(frozen=True, slots=True)
class CurvedLaws(Laws):
    """Laws in the coordinates of a state and in the functions Y and η of θ, its first ones, which
    are behind them. size, state: D, and how many coordinates a state has.
    """

    chart: Chart
    size: int
    state: int

    @property
    def polynomial(self) -> bool:
        """Whether none of the functions occurs."""
        return not len(self.left) or int(self.left.max()) < self.state

    def over(self, field: PrimeField) -> Laws:
        """Return them with derivatives modulo a prime."""
        fields = (self.families, self.law, self.left, self.right, self.coefficient, self.entries)
        return _CurvedOver(*fields, self.chart, self.size, self.state, field)

    def written(self, given: Coordinates) -> Coordinates:
        """Return coordinates with Y and η of all parameters behind them."""
        scales, extra = self.chart.scales(self.size), list[tuple[str, str, str]]()
        for square in (True, False):
            for e, (metric, _) in enumerate(scales):
                name = given.parameters[e], given.latex[e]
                formula = metric.squared(name) if square else metric.shifted(name)
                extra.append((*formula, metric.code(f"{{{e}}}", square)))
        return replace(given, extra=(*given.extra, *extra))


@dataclass(frozen=True, slots=True)
class _CurvedOver(CurvedLaws):
    field: PrimeField

    def gradients(self, theta: Array, rows: int) -> Iterator[Array]:
        """Yield the gradients by x, law after law: the chain rule."""
        size, state = self.size, self.state
        slopes = self.chart.slopes(self.field, theta[:size])
        base = super(_CurvedOver, self).gradients(np.append(theta, np.zeros(2 * size)), rows)
        for part in base:
            by_x, *others = np.split(self.field.reduce(part), [state, state + size], axis=1)
            for other, slope in zip(others, slopes, strict=True):
                by_x[:, :size] = self.field.reduce(by_x[:, :size] + other * slope)
            yield by_x


def curved(laws: Laws, chart: Chart, size: int, state: int) -> Laws:
    """Return laws whose terms may be functions of θ, which are behind the state's coordinates."""
    if not len(laws) or max(int(laws.left.max()), int(laws.right.max())) < state:
        return laws
    fields = (laws.families, laws.law, laws.left, laws.right, laws.coefficient, laws.entries)
    return CurvedLaws(*fields, chart, size, state)


def potentials(
    laws: Laws, arrays: Arrays, chart: Chart, families: Sequence[Family] | None = None
) -> Laws:
    """Return the laws of a mirror flow that come from these of gradient flow. families: what those
    of a network are called.
    """
    size = arrays.size
    scales = chart.scales(size)
    parts, named = list[Laws](), list[Family]()
    for part in laws.apart():
        if isinstance(part.families[0], Correlations) and not _constant(part, scales):
            continue
        if len(kept := _kept(part, scales)):
            parts.append(_scaled(kept, scales, size))
            named.append(_of_variables(kept, parts[-1].coefficient, arrays, scales))
    pairs = zip(parts, named if families is None else families, strict=True)
    found = join([replace(part, families=(family,)) for part, family in pairs])
    return curved(found, chart, size, size)


def _constant(laws: Laws, scales: Sequence[Scale]) -> bool:
    return all(scales[entry][0].constant for entry in np.unique(laws.left).tolist())


def kept(family: Family, arrays: Arrays, scales: Mapping[str, Scale]) -> Kept | None:
    """Return the family of laws of a network that come from one of gradient flow's, its entries
    not listed; None if there are none.
    """
    given = Kept(family, family.text, family.latex, family.shape, family.size)
    if isinstance(family, Form):
        return _of_form(family, arrays, scales)
    if isinstance(family, Correlations):
        if not all(scales[name][0].constant for name in family.names):
            return None
        factors = whole([1 / scales[name][1] for name in family.names])
        signed = zip(factors, family.summands, strict=True)
        text, tex = _sum([(factor * sign, formula) for factor, (sign, formula) in signed])
        return given._replace(text=text, latex=tex, numbers=factors)
    if not isinstance(family, Sums) or scales[family.array][0].constant:
        return given
    metric, _ = scales[family.array]
    text, tex = summed(family, metric)
    return given._replace(text=text, latex=tex, metrics=((family.array, metric),))


def summed(family: Sums, metric: Metric) -> Formula:
    """Return the formula of sums of η of an array, of θ where the metric is constant."""
    if metric.constant:
        return family.text, family.latex
    text, tex = metric.shifted((family.array, symbol(family.array)))
    return f"{text}·1", rf"{tex} \mathbf{{1}}"


def _of_form(form: Form, arrays: Arrays, scales: Mapping[str, Scale]) -> Kept:
    """Return what is left of a matrix of laws: products of different parameters where all metrics
    are constant, else its diagonal.
    """
    given = [part for each in form.parts for part in _separate(each, scales[each.array][0])]
    factors = whole([_term(0, -part.linear, scales[part.array], 0)[2] for part in given])
    pairs = zip(given, factors, strict=True)
    base = form._replace(parts=tuple(part._replace(factor=part.factor * c) for part, c in pairs))
    metrics = {part.array: scales[part.array][0] for part in given}
    curved = tuple((name, each) for name, each in metrics.items() if not each.constant)
    if curved and form.blocks:
        base = base._replace(kind="diagonal", within=())
    text, tex = base.text, base.latex
    if any(scales[part.array] != PLAIN for part in given):
        vectors = {array.name for array in arrays.every if len(array.shape) < 2}
        terms = [(p.factor, _summand(p, base.kind, metrics[p.array], vectors)) for p in base.parts]
        text, tex = _sum(terms)
    return Kept(base, text, tex, base.shape, base.size, metrics=curved)


def _separate(part: Part, metric: Metric) -> Iterator[Part]:
    """Yield a matrix beside the identity as its squares and its diagonal, which are functions of
    their own.
    """
    if not part.skip or metric.constant:
        yield part
        return
    yield part._replace(skip=False)
    units = part.size // part.width
    yield Part(2 * part.factor, part.array, part.written, False, True, units, 1, _diagonal(part))


def _diagonal(part: Part) -> Callable[[], Index]:
    return lambda: part.matrix().diagonal()[:, None]


def _summand(part: Part, kind: str, metric: Metric, vectors: Container[str]) -> Formula:
    """Return what a part adds to the formula of a matrix, without its factor."""
    text, tex = part.array, symbol(part.array)
    if part.linear:
        if part.array not in vectors:
            text, tex = f"diag({text})", rf"\operatorname{{diag}}({tex})"
        return (text, tex) if metric.constant else metric.shifted((text, tex))
    if metric.constant:
        text, tex = part.formula(False), part.formula(True)
        name = {"diagonal": "diag", "scalar": "tr"}.get(kind)
        return (
            (text, tex) if name is None else (f"{name}({text})", rf"\operatorname{{{name}}}({tex})")
        )
    text, tex = metric.squared((text, tex))
    if part.array in vectors:
        return text, tex
    if kind == "scalar":
        return f"1ᵀ·{text}·1", rf"\mathbf{{1}}^\top {tex} \mathbf{{1}}"
    total, tex_total = ("Σ ", r"\textstyle\sum ") if part.summed else ("", "")
    turned, tex_turned = ("ᵀ", r"^\top") if part.written else ("", "")
    return f"{total}{text}{turned}·1", rf"{tex_total}{tex}{tex_turned} \mathbf{{1}}"


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


def _scaled(laws: Laws, scales: Sequence[Scale], size: int) -> Laws:
    """Return a family with its terms in Y and η and integer coefficients. What is one parameter
    stays.
    """
    if len(laws.law) == len(laws) and (laws.right == -1).all():
        return laws
    pairs = zip(laws.left.tolist(), laws.right.tolist(), strict=True)
    found = [_term(i, j, scales[i], size) for i, j in pairs]
    factors = np.array(whole([factor for _, _, factor in found]), dtype=np.int64)
    return replace(
        laws,
        left=np.array([left for left, _, _ in found], dtype=np.intp),
        right=np.array([right for _, right, _ in found], dtype=np.intp),
        coefficient=laws.coefficient * factors,
    )


def whole(factors: Sequence[Fraction]) -> tuple[int, ...]:
    """Return the least integers of the same ratios. Raise SpecError if some are large."""
    common = lcm(*(factor.denominator for factor in factors))
    whole = [int(factor * common) for factor in factors]
    shared = gcd(*whole)
    if max(map(abs, whole)) > LARGEST * shared:
        raise SpecError(
            "flow: mirror: rates: expected ratios of small numbers, got some whose common"
            f" multiple exceeds {LARGEST:,}"
        )
    return tuple(factor // shared for factor in whole)


def _term(left: int, right: int, scale: Scale, size: int) -> tuple[int, int, Fraction]:
    """Return what a term becomes: its two parameters, and the factor of its coefficient."""
    metric, rate = scale
    if metric.constant:
        return left, right, 1 / rate
    if right == left:
        at = left if metric.straight else size + left
        return at, -1, 2 * metric.square / rate
    return 2 * size + left, -1, metric.shift / rate


def _of_variables(
    laws: Laws, numbers: NDArray[np.int64], arrays: Arrays, scales: Sequence[Scale]
) -> Family:
    """Return the family with its formula read off its first law, a summand for each term."""
    (family,) = laws.families
    first = np.flatnonzero(laws.law == 0)
    pairs = list(zip(laws.left[first].tolist(), laws.right[first].tolist(), strict=True))
    if all(scales[left] == PLAIN for left, _ in pairs):
        return family
    terms = [_variable(*pair, arrays, scales[pair[0]][0]) for pair in pairs]
    text, tex = _sum(list(zip(numbers[first].tolist(), terms, strict=True)))
    return Named(text, tex, family.shape, family.size)


def _variable(left: int, right: int, arrays: Arrays, metric: Metric) -> Formula:
    """Return what becomes of ``θ_left θ_right``, of θ_left alone if right is −1."""
    text, tex = _entry(left, arrays)
    if not metric.constant:
        return (metric.squared if left == right else metric.shifted)((text, tex))
    if left == right:
        return f"{text}²", f"{tex}^2"
    if right < 0:
        return text, tex
    other, other_tex = _entry(right, arrays)
    return f"{text}·{other}", f"{tex} {other_tex}"


def _entry(parameter: int, arrays: Arrays) -> Formula:
    array = arrays.at(parameter)
    place = array.place(parameter)
    return array.label(place), array.latex(place)


def _sum(terms: Sequence[tuple[int, Formula]]) -> Formula:
    """Return the sum of formulas times numbers."""
    text = TEXT.sum((number, [formula[0]]) for number, formula in terms)
    return text, TEX.sum((number, [formula[1]]) for number, formula in terms)
