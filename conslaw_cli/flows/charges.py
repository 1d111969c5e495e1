"""Noether's laws of momentum, on the state (θ, p, s) of momentum.py."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from conslaw_cli.flows import Model
from conslaw_cli.flows.charts import Scale
from conslaw_cli.flows.friction import Formula, Friction
from conslaw_cli.flows.kept import Kept
from conslaw_cli.flows.metrics import EUCLIDEAN
from conslaw_cli.flows.names import Arrays, Index
from conslaw_cli.flows.potentials import summed, whole
from conslaw_cli.networks.correlations import Correlations
from conslaw_cli.networks.gradients import GradientFields
from conslaw_cli.networks.known_laws import Family, Form, Laws, Named, Part, Sums
from conslaw_cli.networks.tex import symbol

Pair = tuple[Index, Index]
"""Entries of two arrays, one row per unit: those of θ, and those whose p they are paired with."""


def charges(
    model: Model,
    scales: Mapping[str, Scale],
    friction: Friction,
    families: Sequence[Family] | None = None,
) -> Iterator[Kept]:
    """Yield those of rotations and exchanges, which act where metrics are constant. families: laws
    of gradient flow that stand where these act; None for all.
    """
    gradients = model.fields()
    if not isinstance(gradients, GradientFields):
        return
    if families is None:
        families = (*gradients.forms(), *gradients.graph.correlations)
    arrays, uses = Arrays.of(model), gradients.graph.uses
    rates = {name: rate for name, (_, rate) in scales.items()}
    for form in rotating(each for each in families if isinstance(each, Form)):
        if all(scales[part.array][0].constant for part in form.parts):
            yield rotations(form, arrays, friction)
            if all(uses[part.array] == 1 for part in form.parts):
                yield from exchanges(form, arrays, rates, friction)
    correlations = (each for each in families if isinstance(each, Correlations))
    constant = (
        each for each in correlations if all(scales[name][0].constant for name in each.names)
    )
    yield from absorbed(constant, arrays, friction)


def turning(model: Model) -> list[Laws]:
    """Return the ``⟨v, Aθ⟩`` for isometries of θ that leave φ as it is, one family each."""
    arrays = Arrays.of(model)
    scales = dict.fromkeys(arrays.entries, (EUCLIDEAN, Fraction(1)))
    return [listed(each, arrays.size) for each in charges(model, scales, Friction.NONE)]


def rotating(forms: Iterable[Form]) -> Iterator[Form]:
    """Yield the laws of gradient flow on spaces that have rotations: of several units, without
    gate, not wired to an input or output, written and read.
    """
    for form in forms:
        plain = all(abs(part.factor) == 1 and not part.linear for part in form.parts)
        sides = {part.written for part in form.parts}
        if plain and len(sides) == 2 and max(form.blocks, default=0) > 1:
            yield form


def rotations(form: Form, arrays: Arrays, friction: Friction) -> Kept:
    """Return ``Σ θ_i p_j − p_i θ_j`` for all i < j, in one block, summed over the arrays of a
    space.
    """
    terms = [_commutator(part, part, arrays) for part in form.parts]
    return _charges(form, _joined(terms), friction)


def exchanges(
    form: Form, arrays: Arrays, rates: Mapping[str, Fraction], friction: Friction
) -> Iterator[Kept]:
    """Yield ``s (u_i q_j − q_i u_j) + r (v_i p_j − p_i v_j)`` for all i < j, p and q the momenta of
    u and v, r and s their rates, where one parameter u_i writes and one, v_i, reads every unit.
    """
    if len(form.parts) != 2 or form.within or not all(_single(part) for part in form.parts):
        return
    u, v = form.parts
    factors = _crossed(form, rates)
    terms = zip(factors, (_commutator(u, v, arrays), _commutator(v, u, arrays)), strict=True)
    formula = _joined([_times(c, text) for c, text in terms])
    yield _charges(form, formula, friction)._replace(numbers=factors)


def absorbed(
    families: Iterable[Correlations], arrays: Arrays, friction: Friction
) -> Iterator[Kept]:
    """Yield the charges of matrices that two layers absorb (networks/correlations.py)."""
    for family in families:
        classes = tuple(each for each in family.classes if family.pairs(each, 1))
        if classes:
            base = family._replace(classes=classes)
            formula = base.commutator([arrays.velocity(name) for name in base.names])
            size = sum(len(base.pairs(each, 1)) for each in classes)
            text, tex = friction.boosted(formula)
            factor = friction.written(1, 0, 0)[0]
            yield Kept(base, text, tex, base.shape, size, moving=True, factor=factor)


def _single(part: Part) -> bool:
    """Whether every unit has one entry."""
    return part.width == 1 and not part.skip


def _crossed(form: Form, rates: Mapping[str, Fraction]) -> tuple[int, int]:
    first, second = (rates.get(part.array, Fraction(1)) for part in form.parts)
    ratio = second / first
    return ratio.numerator, ratio.denominator


def _charges(form: Form, formula: Formula, friction: Friction) -> Kept:
    text, tex = friction.boosted(formula)
    shape = form.shape.replace("symmetric", "antisymmetric")
    size = sum(n * (n - 1) // 2 for n in form.blocks)
    return Kept(form, text, tex, shape, size, moving=True, factor=friction.written(1, 0, 0)[0])


def listed(family: Kept, parameters: int) -> Laws:
    """Return the laws of rotations or exchanges, ``Σ c (θ_i p_j − p_i θ_j)`` over pairs of arrays,
    of so many parameters.
    """
    form = family.base
    if isinstance(form, Correlations):
        return replace(form.charges(parameters), families=(family,))
    assert isinstance(form, Form)
    starts = np.cumsum([0, *form.blocks])
    within = [
        np.stack(np.triu_indices(n, 1)) + k for n, k in zip(form.blocks, starts, strict=False)
    ]
    i, j = np.concatenate(within, axis=1).astype(np.intp)
    parts = list[tuple[Index, Index, int]]()
    rows = [part.matrix() for part in form.parts]
    others, factors = (rows[::-1], family.numbers) if family.numbers else (rows, [1] * len(rows))
    for theta, momentum, c in zip(rows, others, factors, strict=True):
        moved = momentum + parameters
        parts += [(theta[i], moved[j], c), (theta[j], moved[i], -c)]
    for matrix, part in zip(rows, form.parts, strict=True):
        for a, b, c in ((i, j, 1), (j, i, -1)) if part.skip else ():
            parts.append((matrix[b, a][:, None] + parameters, np.full((len(a), 1), -1), c))
    return Laws(
        (family,),
        np.concatenate([np.repeat(np.arange(len(i)), left.shape[1]) for left, _, _ in parts]),
        np.concatenate([left.ravel() for left, _, _ in parts]),
        np.concatenate([right.ravel() for _, right, _ in parts]),
        np.concatenate([np.full(left.size, sign) for left, _, sign in parts]),
        tuple(zip((i + 1).tolist(), (j + 1).tolist(), strict=True)),
    )


def linear(
    laws: Laws, arrays: Arrays, scales: Mapping[str, Scale], friction: Friction
) -> Iterator[Laws]:
    """Yield, for the laws ``⟨c, θ⟩`` among those of gradient flow, ``⟨c, p⟩`` and, where the metric
    is constant, ``⟨c, θ⟩/r − s ⟨c, p⟩``; for sums of rows with η for θ where it is not. A law in
    one parameter alone is one of them: that parameter does not move.
    """
    for own in laws.apart():
        (family,) = own.families
        still = (own.right == own.left).all() and len(own.law) == family.size
        if still and not isinstance(family, Form):
            own = replace(own, coefficient=np.ones_like(own.coefficient))
        elif not (own.right == -1).all():
            continue
        yield from _doubled(own, arrays, scales, friction)


def _doubled(
    own: Laws, arrays: Arrays, scales: Mapping[str, Scale], friction: Friction
) -> Iterator[Laws]:
    """Yield both laws of each of a family's."""
    (family,), size = own.families, arrays.size
    names = [arrays.at(e).name for e in own.left.tolist()]
    rates = [_rate(scales[name]) for name in names]
    constant = all(scales[name][0].constant for name in names)
    if isinstance(family, Form):
        kept = standing(family, arrays, scales, friction)
        texts = [(each.text, each.latex) for each in kept]
        numbers, times = _multiples(family, scales)
        multiples = [(numbers[name], times) for name in names]
    else:
        first, sums = own.left[own.law == 0], bool((own.right == -1).all())
        text, moving = _formulas(family, arrays, scales, first, sums)
        texts = [friction.boosted(moving), friction.moved(_divided(text, rates), moving)]
        multiples = [(rate.denominator, rate.numerator) for rate in rates]
        own = replace(own, entries=tuple((i,) for i in range(1, len(own) + 1)))
        family = family if sums else Named(*text, "1 entry", family.size)
    alone = np.full(len(own.left), -1)
    yield replace(own, families=(_named(family, *texts[0]),), left=own.left + size, right=alone)
    if constant or isinstance(family, Sums):
        here, there = np.array(multiples, dtype=np.int64).reshape(-1, 2).T
        still = own.left if constant else own.left + (3 * size + 1)  # η, behind (x, p, s) and Y
        yield replace(
            own,
            families=(_named(family, *texts[1]),),
            law=np.tile(own.law, 2),
            left=np.concatenate([still, own.left + size]),
            right=np.concatenate([alone, np.full(len(own.left), 2 * size)]),
            coefficient=np.concatenate([own.coefficient * here, -own.coefficient * there]),
        )


def standing(
    family: Family, arrays: Arrays, scales: Mapping[str, Scale], friction: Friction
) -> Iterator[Kept]:
    """Yield the same of linear laws of a network, their entries not listed."""
    if isinstance(family, Form) and family.linear:
        yield from _shifts(family, arrays, scales, friction)
    if not isinstance(family, Sums | Named):
        return
    of = [a.name for a in arrays.every if isinstance(family, Named) or a.name == family.array]
    still, moving = _formulas(family, arrays, scales, np.zeros(1, np.intp), True)
    kept = Kept(family, *friction.boosted(moving), family.shape, family.size, moving=True)
    yield kept._replace(factor=friction.written(1, 0, 0)[0])
    metrics = tuple((name, scales[name][0]) for name in of if not scales[name][0].constant)
    if isinstance(family, Sums) or not metrics:
        rates = [_rate(scales[name]) for name in of]
        text, tex = friction.moved(_divided(still, rates), moving)
        given = tuple((name, rate) for name, rate in zip(of, rates, strict=True) if rate != 1)
        kept = Kept(family, text, tex, family.shape, family.size, rates=given)
        yield kept._replace(beside=friction.beside, metrics=metrics)


def _rate(scale: Scale) -> Fraction:
    """Return what θ is divided by in ``⟨c, θ⟩/r``, or what is written of η."""
    metric, rate = scale
    return rate if metric.constant else rate / metric.shift


def _shifts(
    form: Form, arrays: Arrays, scales: Mapping[str, Scale], friction: Friction
) -> Iterator[Kept]:
    """Yield the same of what is added up: several arrays, as two biases are, with coefficients."""
    moving = friction.boosted(_velocities(form, arrays))
    kept = Kept(form, *moving, form.shape, form.size, moving=True)
    yield kept._replace(factor=friction.written(1, 0, 0)[0])
    if all(scales[part.array][0].constant for part in form.parts):
        numbers, times = _multiples(form, scales)
        still = form.scaled(numbers)
        moving = _velocities(form.scaled(dict.fromkeys(numbers, times)), arrays)
        text, tex = friction.moved((still.text, still.latex), moving, several=True)
        rates = tuple((part.array, Fraction(times, numbers[part.array])) for part in form.parts)
        kept = Kept(still, text, tex, form.shape, form.size, rates=rates)
        yield kept._replace(beside=friction.beside)


def _multiples(form: Form, scales: Mapping[str, Scale]) -> tuple[dict[str, int], int]:
    """Return what the arrays of a linear form are multiplied by, and their momenta, for ``⟨c, θ⟩/r
    − s ⟨c, p⟩`` to have integer coefficients.
    """
    names = [part.array for part in form.parts]
    *numbers, times = whole([*(1 / scales[name][1] for name in names), Fraction(1)])
    return dict(zip(names, numbers, strict=True)), times


def _velocities(form: Form, arrays: Arrays) -> Formula:
    """Return a linear form of velocities."""
    named = (part._replace(array=arrays.velocity(part.array)) for part in form.parts)
    moved = form._replace(parts=tuple(named))
    return moved.text, moved.latex


def _divided(formula: Formula, rates: Sequence[Fraction]) -> Formula:
    """Return ⟨c, θ⟩/r."""
    if all(rate == 1 for rate in rates):
        return formula
    if len(set(rates)) == 1 and rates[0] < 0:
        text, tex = _divided(formula, [-rates[0]])
        return f"−{text}", f"-{tex}"
    shown = str(rates[0]) if len(set(rates)) == 1 else "r"
    text, tex = formula
    return f"({text})/({shown})", rf"\tfrac{{1}}{{{shown}}} {tex}"


def _named(family: Family, text: str, latex: str) -> Named:
    """Return the family with another formula."""
    return Named(text, latex, family.shape, family.size)


def _formulas(
    family: Family, arrays: Arrays, scales: Mapping[str, Scale], first: Index, linear: bool
) -> tuple[Formula, Formula]:
    """Return ⟨c, θ⟩, or ⟨c, η⟩, and ⟨c, v⟩: of sums the family's formula, as of all parameters
    where none moves; of one parameter its name.
    """
    if isinstance(family, Sums):
        moving = family._replace(array=arrays.velocity(family.array))
        return summed(family, scales[family.array][0]), (moving.text, moving.latex)
    if linear:
        return (family.text, family.latex), ("v", "v")
    array = arrays.at(int(first[0]))
    place = array.place(int(first[0]))
    moved = array._replace(name=arrays.velocity(array.name))
    return (array.label(place), array.latex(place)), (moved.label(place), moved.latex(place))


def _times(factor: int, formula: Formula) -> Formula:
    text, tex = formula
    return formula if factor == 1 else (f"{factor}·({text})", rf"{factor} \bigl({tex}\bigr)")


def _joined(terms: Sequence[Formula]) -> Formula:
    text, tex = map(" + ".join, zip(*terms, strict=True))
    return text, tex


def _commutator(theta: Part, momentum: Part, arrays: Arrays) -> Formula:
    """Return ``X^T W − V^T Y`` for the matrices X, Y of θ and momenta V, W of two arrays with units
    as columns, as text and LaTeX.
    """
    moving = [arrays.velocity(part.array) for part in (theta, momentum)]
    row = [_rows(theta.array, theta), _rows(moving[0], theta._replace(skip=False))]
    column = [_rows(momentum.array, momentum, True)]
    column.append(_rows(moving[1], momentum._replace(skip=False), True))
    sums = ("Σ ", r"\textstyle\sum ") if theta.summed else ("", "")
    text, tex = (
        f"{sums[k]}{row[0][k]}{gap}{column[1][k]} {minus} {sums[k]}{row[1][k]}{gap}{column[0][k]}"
        for k, gap, minus in ((0, "", "−"), (1, " ", "-"))
    )
    return text, tex


def _rows(name: str, part: Part, transposed: bool = False) -> Formula:
    """Return the matrix with one row per unit, or its transpose: an array that writes units has
    them as columns.
    """
    turned = part.written is not transposed
    text, tex = (f"(I + {each})" if part.skip else each for each in (name, symbol(name)))
    return text + "ᵀ" * turned, tex + r"^\top" * turned
