"""Known laws as matrices, in every format, where parameters are too many to search for others.

Nothing here has a place for every parameter or entry of a matrix, so that widths cost nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from conslaw_cli.flows.coordinates import Coordinates
from conslaw_cli.flows.kept import Kept
from conslaw_cli.flows.metrics import Metric
from conslaw_cli.formats.laws import Known, abelian_json, abelian_text
from conslaw_cli.formats.words import label, plural, reason
from conslaw_cli.networks.known_laws import Correlations, Family, Form, Part, Sums
from conslaw_cli.networks.notation import CODE
from conslaw_cli.networks.wiring import Array as Block
from conslaw_cli.problems.records import LawCount


def title(known: Known) -> str:
    """Return the name and the number of parameters, in one line."""
    return f"{label(known.problem.name)}: {known.problem.parameters} parameters, known laws"


# ---- text, TeX, JSON


def text_lines(known: Known) -> Iterator[str]:
    """Yield the figures, and each family on a line."""
    yield title(known)
    yield f"  known laws: {known.listed} listed, {_independent(known)} independent"
    yield f"  laws in all: {_in_all(known)}"
    if named := sum(each.size for each in known.abelian):
        yield f"  {named_elsewhere(named)}"
    yield ""
    yield from (f"  {family.text} = const   ({_size(family)})" for family in known.families)
    yield from (f"  {line}" for line in abelian_text(known))


def named_elsewhere(laws: int) -> str:
    """Return what so many laws are that no search finds."""
    what = "one law is an Abelian integral" if laws == 1 else f"{laws} laws are Abelian integrals"
    return f"{what}, no algebraic function of θ (docs/abelian.md)"


def _independent(known: Known) -> str:
    row = known.count
    if row.known_independent is not None:
        return str(row.known_independent)
    return f"at least {row.laws_at_least}"


def _in_all(known: Known) -> str:
    row = known.count
    if row.laws is None:
        return undecided(row)
    if not row.unknown_laws:
        return f"{row.laws} ({row.verdict}); all of them are functions of these"
    return f"{row.laws} ({row.verdict}); {row.unknown_laws} more than these"


def undecided(row: LawCount) -> str:
    """Return what is known of the number of laws of a bounded row."""
    least = f"at least {row.laws_at_least} (proved)"
    return f"{least}; whether there are more is not decided: {reason(row)}"


def _size(family: Family) -> str:
    return f"{family.shape}, {plural(family.size, 'law')}"


def latex_display(known: Known) -> str:
    """Return one display of all families."""
    lines = [
        rf"{family.latex} = \mathrm{{const}} \qquad (\text{{{_size(family)}}})".replace(
            "×", r"$\times$"
        )
        for family in known.families
    ]
    body = " \\\\\n".join(lines)
    return f"% {title(known)}\n\\begin{{gather*}}\n{body}\n\\end{{gather*}}"


def json_value(known: Known) -> dict[str, Any]:
    """Return the keys of one result."""
    row = known.count
    families = [
        {"formula": f.text, "latex": f.latex, "shape": f.shape, "laws": f.size}
        for f in known.families
    ]
    return {
        "name": known.problem.name,
        **known.problem.architecture.describe(),
        "searched": False,
        "not_searched_because": known.reason,
        "known_listed": known.listed,
        "known_independent": row.known_independent,
        "laws": row.laws,
        **({} if row.laws_at_least is None else {"laws_at_least": row.laws_at_least}),
        "complete": None if row.unknown_laws is None else row.unknown_laws == 0,
        "error_bound": row.error_bound,
        "families": families,
        **abelian_json(known),
        "seed": row.seed,
        "version": row.version,
        "seconds": row.seconds,
    }


# ---- code


@dataclass(frozen=True, slots=True)
class _View:
    """An array as a matrix X with the units as rows, or as columns (turned), as NumPy code; name
    and shape: those of a symbol for it.
    """

    code: str
    name: str
    shape: tuple[int, int]
    turned: bool


def _view(part: Part, array: Block) -> _View:
    units, last = part.size // part.width, array.shape[-1]
    name, plain = array.name, len(array.shape) == 2
    if part.skip:
        return _View(
            f"(np.eye({units}) + {name})",
            f"(Identity({units}) + {name})",
            (units, units),
            part.written,
        )
    if part.axis is not None:
        return _along(part.axis, units, array)
    if units == 1 and not plain:
        return _along(0, 1, array)
    turned = name if plain else f"{name}.reshape(-1, {last})"
    if part.written and array.shape[3:] == (1,) and array.shape[0] == units:
        shape = (units, part.width)  # each unit is a group
        return _View(f"{name}.reshape{shape}", f"{name}_written", shape, False)
    if part.written and len(array.shape) == 4:  # in groups
        last *= array.shape[0]
        turned = f"np.concatenate([each.reshape(-1, {array.shape[-1]}) for each in {name}], axis=1)"
    if part.written and last == units and array.size > 1:
        symbol = name if len(array.shape) < 3 else f"{name}_written"
        return _View(turned, symbol, (part.size // last, last), True)
    if plain and array.shape[0] == units:
        return _View(name, name, (units, last), False)
    lines = f"{turned}.T" if part.written else turned
    assert part.lines is not None  # it is a network's
    order, kept = part.lines(), name
    if part.written or not _in_order(order):
        kept = lines if _in_order(order) else f"{lines}[{order.ravel().tolist()}]"
    symbol = f"{name}_{'written' if part.written else 'read'}"
    return _View(f"{kept}.reshape({units}, -1)", symbol, (units, part.width), False)


def _along(axis: int, units: int, array: Block) -> _View:
    """Return an array with the units along an axis."""
    shape = units, array.size // units
    if axis == len(array.shape) - 1:
        return _View(f"{array.name}.reshape(-1, {units})", array.name, shape[::-1], True)
    code = f"np.swapaxes({array.name}, 0, {axis})" if axis else array.name
    return _View(f"{code}.reshape({units}, -1)", array.name, shape, False)


def _in_order(lines: np.ndarray[Any, Any]) -> bool:
    return bool((np.diff(lines.ravel()) == 1).all())


_SPACED = CODE._replace(between=" * ")
Entries = Sequence[tuple[int, ...]]
"""The indices of laws of a family, counted from 1."""


def family_code(
    family: Family,
    blocks: Mapping[str, Block],
    moved: Mapping[str, Block],
    chosen: Entries | None = None,
) -> str:
    """Return an expression of a family's laws, or of those chosen, as a vector. moved: the
    velocities of each array.
    """
    if not isinstance(family, Kept):
        return _vector(family, blocks, chosen=chosen)
    metrics, base = dict(family.metrics), family.base
    if isinstance(base, Correlations):
        code = _correlations(base, family.numbers or (1, 1))
    elif isinstance(base, Form) and family.moving:
        code = _charges(base, family.numbers, blocks, moved, chosen)
    else:
        code = _vector(base, moved if family.moving else blocks, metrics, chosen)
    if family.beside:
        return f"{_divided(family, blocks)} + {family.beside} * {_array(_vector(base, moved))}"
    return f"{family.factor.code} * ({_array(code)})" if family.factor.code else code


def _array(code: str) -> str:
    """Return the code of a vector as one of an array: lists are not multiplied."""
    return f"np.array({code})" if code.startswith("[") else code


def _divided(family: Kept, blocks: Mapping[str, Block]) -> str:
    """Return an expression of parameters that do not move, or of sums of them, divided by rates."""
    rates, base = dict(family.rates), family.base
    if isinstance(base, Sums) or not rates:
        rate = f"({1 / rates[base.array]}) * " if rates and isinstance(base, Sums) else ""
        return rate + _array(_vector(base, blocks))
    parts = [f"({1 / rates.get(name, 1)}) * {name}.ravel()" for name in blocks]
    return f"np.concatenate([{', '.join(parts)}])"


def _vector(
    family: Family,
    blocks: Mapping[str, Block],
    metrics: Mapping[str, Metric] | None = None,
    chosen: Entries | None = None,
) -> str:
    """Return an expression of laws of gradient flow, of functions of what has a metric."""
    metrics = metrics or {}
    if isinstance(family, Sums):
        name = blocks[family.array].name
        name = metrics[family.array].code(name, False) if family.array in metrics else name
        name = f"({name})" if family.array in metrics else name
        if not family.matrix:
            return f"[{name}.sum()]"
        lines = f".reshape({family.rows}, -1)" * (blocks[family.array].shape[0] != family.rows)
        kept = "" if chosen is None else f"[{[i - 1 for (i,) in chosen]}]"
        return f"{name}{lines}.sum(axis=1){kept}"
    if isinstance(family, Correlations):
        return _correlations(family, (1, 1))
    if not isinstance(family, Form):
        return "theta" if all(name == block.name for name, block in blocks.items()) else "velocity"
    matrix = family.blocks and family.units > 1
    code = _gram if matrix else _total if family.kind == "scalar" else _squares
    total = _sum(
        [
            (part.factor, code(part, blocks[part.array], metrics.get(part.array)))
            for part in family.parts
        ]
    )
    if matrix:
        return f"({total})[{_triangle(family, 0, chosen)}]"
    if chosen is not None:
        return f"({total})[{[i - 1 for i, _ in chosen]}]"
    return f"[{total}]" if family.kind == "scalar" else total


def _triangle(form: Form, diagonal: int, chosen: Entries | None) -> str:
    """Return the places of entries above or on a diagonal that are laws, or of those chosen."""
    if chosen is not None:
        return f"{[i - 1 for i, _ in chosen]}, {[j - 1 for _, j in chosen]}"
    above = f", {diagonal}" * bool(diagonal)
    if form.within:
        return f"np.nonzero(np.triu({_mask(form)}{above}))"
    return f"np.triu_indices({form.units}{above})"


def _charges(
    form: Form,
    numbers: Sequence[int],
    blocks: Mapping[str, Block],
    moved: Mapping[str, Block],
    chosen: Entries | None = None,
) -> str:
    """Return an expression of ``Σ M Nᵀ − N Mᵀ``, the entries above the diagonal."""
    others = form.parts[::-1] if numbers else form.parts
    terms = []
    for number, part, other in zip(numbers or [1] * len(others), form.parts, others, strict=True):
        own = _view(part, blocks[part.array])
        velocity = _view(other._replace(skip=False), moved[other.array])
        code = f"{_rows(own)} @ {_rows(velocity, True)} - {_rows(velocity)} @ {_rows(own, True)}"
        terms.append((number, code if number == 1 else f"({code})"))
    return f"({_sum(terms)})[{_triangle(form, 1, chosen)}]"


def _rows(view: _View, transposed: bool = False) -> str:
    return view.code + ".T" * (view.turned is not transposed)


def _correlations(family: Correlations, numbers: Sequence[int]) -> str:
    """Return an expression of differences of autocorrelations; half of one of half a circle."""
    codes = [f"{name}.ravel() @ np.roll({name}.ravel(), -lag)" for name in family.names]
    total = _sum([(numbers[0], codes[0]), (-numbers[1], codes[1])])
    half = f" / (1 + (2 * lag == {family.length}))"
    return f"[({total}){half} for lag in range(1, {family.size + 1})]"


def _mask(family: Form) -> str:
    """Return a matrix that is 0 where two units are in different blocks, else 1."""
    labels = f"np.repeat(range({len(family.within)}), {list(family.within)})"
    if len(set(family.within)) == 1:
        labels = f"np.arange({family.units}) // {family.within[0]}"
    return f"np.equal.outer(*2 * [{labels}])"


def _gram(part: Part, array: Block, metric: Metric | None = None) -> str:
    if len(array.shape) == 1 and part.width == 1:
        return f"np.outer({array.name}, {array.name})"
    view = _view(part, array)
    return f"{view.code}.T @ {view.code}" if view.turned else f"{view.code} @ {view.code}.T"


def _squares(part: Part, array: Block, metric: Metric | None = None) -> str:
    if part.linear and len(array.shape) > 1:
        return _function(f"np.diag({array.name})", metric, False)
    if len(array.shape) == 1 and part.width == 1:
        return _function(array.name, metric, not part.linear)
    view = _view(part, array)
    function = _function(view.code, metric, not part.linear)
    return f"({function}).sum(axis={0 if view.turned else 1})"


def _total(part: Part, array: Block, metric: Metric | None = None) -> str:
    code = array.name if part.linear else _view(part, array).code
    return f"({_function(code, metric, not part.linear)}).sum()"


def _function(code: str, metric: Metric | None, square: bool) -> str:
    if metric is not None:
        return metric.code(code, square)
    return code + "**2" * square


def _sum(terms: Sequence[tuple[int, str]]) -> str:
    """Return the code of a sum of codes times integers."""
    return _SPACED.sum((number, [code]) for number, code in terms)


def by_name(coordinates: Coordinates) -> tuple[Mapping[str, Block], Mapping[str, Block]]:
    """Return the arrays, and the velocities of each."""
    arrays, moving = coordinates.arrays, coordinates.moving
    return {a.name: a for a in arrays}, {a.name: v for a, v in zip(arrays, moving, strict=False)}


def code_of(known: Known) -> list[str]:
    """Return NumPy expressions of all families."""
    blocks, moved = by_name(known.coordinates)
    return [family_code(family, blocks, moved) for family in known.families]


def sympy_script(known: Known, suffix: str) -> Iterator[str]:
    """Yield the lines of a script that defines a list of matrix expressions."""
    blocks, moved = by_name(known.coordinates)
    symbols, arguments = _Symbols(blocks, moved, {}), known.coordinates.arguments
    laws = [(_symbolic(family, symbols), _size(family)) for family in known.families]
    yield f"# {title(known)}"
    if arguments:
        yield f'{", ".join(arguments)}, = symbols("{" ".join(arguments)},")'
    for name, (rows, columns) in symbols.shapes.items():
        yield f'{name} = MatrixSymbol("{name}", {rows}, {columns})'
    yield f"laws{suffix} = ["
    yield from (f"    {code},  # {size}" for code, size in laws)
    yield "]"


class _Symbols(NamedTuple):
    """Arrays, those of velocities by the names of what they are that of, and the shapes of the
    symbols that occur.
    """

    blocks: Mapping[str, Block]
    moved: Mapping[str, Block]
    shapes: dict[str, tuple[int, int]]

    def matrix(self, part: Part, moving: bool = False) -> tuple[str, str]:
        """Return the matrix of a part with the units as rows, or that of its velocities, and the
        transposed one.
        """
        part = part._replace(skip=part.skip and not moving)
        view = _view(part, (self.moved if moving else self.blocks)[part.array])
        self.shapes[part.array if part.skip else view.name] = view.shape
        both = view.name, f"{view.name}.T"
        return both[::-1] if view.turned else both

    def sums(self, family: Family, moving: bool, metric: Metric | None = None) -> str:
        """Return row sums, or all parameters."""
        if not isinstance(family, Sums):
            name, shape = "velocity" if moving else "theta", (family.size, 1)
            self.shapes[name] = shape
            return name
        name = (self.moved if moving else self.blocks)[family.array].name
        self.shapes[name] = (family.rows, family.columns)
        return f"{_applied(name, metric, False)}*OneMatrix({family.columns}, 1)"


def _symbolic(family: Family, symbols: _Symbols) -> str:
    kept = family if isinstance(family, Kept) else Kept(family, *_named(family))
    base, metrics = kept.base, dict(kept.metrics)
    if isinstance(base, Correlations):
        code = _symbolic_correlations(base, kept.numbers or (1, 1), symbols)
    elif isinstance(base, Form):
        code = _symbolic_form(base, kept, metrics, symbols)
    else:
        metric = metrics.get(base.array) if isinstance(base, Sums) else None
        code = symbols.sums(base, kept.moving, metric)
    if kept.beside:
        divided = _divided_symbols(kept, code, symbols)
        return f"{divided} + {kept.beside}*{symbols.sums(base, True)}"
    return f"{kept.factor.code}*({code})" if kept.factor.code else code


def _divided_symbols(kept: Kept, code: str, symbols: _Symbols) -> str:
    """Return sums, or all parameters, divided by the rates of their arrays."""
    rates = dict(kept.rates)
    if not rates:
        return code
    if isinstance(kept.base, Sums):
        return f"({1 / rates[kept.base.array]})*{code}"
    spans = {name: (a.entries.start, a.entries.stop) for name, a in symbols.blocks.items()}
    parts = [
        f"[({1 / rates.get(name, 1)})*{code}[i, 0] for i in range{span}]"
        for name, span in spans.items()
    ]
    return f"Matrix({' + '.join(parts)})"


def _named(family: Family) -> tuple[str, str, str, int]:
    return family.text, family.latex, family.shape, family.size


def _symbolic_form(form: Form, kept: Kept, metrics: Mapping[str, Metric], symbols: _Symbols) -> str:
    if kept.moving:
        others = form.parts[::-1] if kept.numbers else form.parts
        numbers = kept.numbers or [1] * len(others)
        pairs = zip(numbers, form.parts, others, strict=True)
        terms = [(n, _commutator(part, other, symbols)) for n, part, other in pairs]
    else:
        terms = [
            (part.factor, _term(form, part, metrics.get(part.array), symbols))
            for part in form.parts
        ]
    if form.within:
        labels = [k for k, n in enumerate(form.within) for _ in range(n)]
        mask = f"Matrix({form.units}, {form.units}, lambda i, j: int(b[i] == b[j]))"
        return f"HadamardProduct({_sum(terms)}, (lambda b: {mask})({labels}))"
    return f"Trace({_sum(terms)})" if form.kind == "scalar" else _sum(terms)


def _commutator(part: Part, other: Part, symbols: _Symbols) -> str:
    rows, columns = symbols.matrix(part)
    moving_rows, moving_columns = symbols.matrix(other, True)
    return f"({rows}*{moving_columns} - {moving_rows}*{columns})"


def _symbolic_correlations(family: Correlations, numbers: Sequence[int], symbols: _Symbols) -> str:
    codes = []
    for name in family.names:
        symbols.shapes[name] = (1, family.length)
        codes.append(f"{name}[0, t]*{name}[0, (t + lag) % {family.length}]")
    total = _sum([(numbers[0], codes[0]), (-numbers[1], codes[1])])
    places = f"range({family.length} if 2*lag != {family.length} else lag)"
    return f"Matrix([sum({total} for t in {places}) for lag in range(1, {family.size + 1})])"


def _term(form: Form, part: Part, metric: Metric | None, symbols: _Symbols) -> str:
    """Return the matrix that a part adds, on a diagonal the column of its rows' squares."""
    if part.linear and len(symbols.blocks[part.array].shape) > 1:
        name = part.array
        symbols.shapes[name] = (form.units, form.units)
        return f"{_applied(f'DiagonalOf({name})', metric, False)}"
    rows, columns = symbols.matrix(part)
    if part.linear:
        return _applied(rows, metric, False)
    if metric is not None:
        return f"{_applied(rows, metric, True)}*OneMatrix({part.width}, 1)"
    if form.kind == "diagonal":
        return f"HadamardProduct({rows}, {rows})*OneMatrix({part.width}, 1)"
    return f"{rows}*{columns}"


def _applied(code: str, metric: Metric | None, square: bool) -> str:
    """Return a matrix, or a function of its entries."""
    function = "x" if metric is None else metric.code("x", square).replace("arcsinh", "asinh")
    return code if function == "x" else f"{code}.applyfunc(lambda x: {function})"
