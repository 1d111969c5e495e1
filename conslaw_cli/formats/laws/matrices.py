"""Families of known laws as matrices, as NumPy and SymPy code.

Nothing here has a place for every parameter or entry of a matrix, so that widths cost nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any, NamedTuple

import numpy as np

from conslaw_cli.flows.coordinates import Coordinates
from conslaw_cli.flows.kept import Kept
from conslaw_cli.flows.metrics import Metric
from conslaw_cli.formats.laws import Known, family_size, known_title
from conslaw_cli.networks.correlations import Class, Correlations
from conslaw_cli.networks.known_laws import Family, Form, Part, Sums
from conslaw_cli.networks.notation import CODE
from conslaw_cli.networks.wiring import Array


@dataclass(frozen=True, slots=True)
class _View:
    """An array as a matrix X with the units as rows, or as columns (turned), as NumPy code; name
    and shape: those of a symbol for it.
    """

    code: str
    name: str
    shape: tuple[int, int]
    turned: bool


def _view(part: Part, array: Array) -> _View:
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


def _along(axis: int, units: int, array: Array) -> _View:
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
    blocks: Mapping[str, Array],
    moved: Mapping[str, Array],
    chosen: Entries | None = None,
) -> str:
    """Return an expression of a family's laws, or of those chosen, as a vector. moved: the
    velocities of each array.
    """
    if not isinstance(family, Kept):
        return _vector(family, blocks, chosen=chosen)
    metrics, base = dict(family.metrics), family.base
    if isinstance(base, Correlations):
        code = _correlations(base, family.numbers, blocks, moved if family.moving else None)
    elif isinstance(base, Form) and family.moving and not base.linear:
        code = _charges(base, family.numbers, blocks, moved, chosen)
    else:
        code = _vector(base, moved if family.moving else blocks, metrics, chosen)
    if family.beside:
        velocities = _array(_vector(_beside(family), moved, chosen=chosen))
        velocities = f"({velocities})" if isinstance(base, Form) else velocities
        return f"{_divided(family, blocks, chosen)} + {family.beside} * {velocities}"
    return f"{family.factor.code} * ({_array(code)})" if family.factor.code else code


def _array(code: str) -> str:
    """Return the code of a vector as one of an array: lists are not multiplied."""
    return f"np.array({code})" if code.startswith("[") else code


def _beside(family: Kept) -> Family:
    """Return what velocities are in the place of, where they are added to parameters."""
    if not isinstance(family.base, Form):
        return family.base
    return family.base.scaled(dict(family.rates))


def _divided(family: Kept, blocks: Mapping[str, Array], chosen: Entries | None) -> str:
    """Return an expression of parameters that do not move, or of sums of them, divided by rates."""
    rates, base = dict(family.rates), family.base
    if isinstance(base, Sums | Form) or not rates:
        rate = f"({1 / rates[base.array]}) * " if rates and isinstance(base, Sums) else ""
        return rate + _array(_vector(base, blocks, dict(family.metrics), chosen))
    parts = [f"({1 / rates.get(name, 1)}) * {name}.ravel()" for name in blocks]
    return f"np.concatenate([{', '.join(parts)}])"


def _vector(
    family: Family,
    blocks: Mapping[str, Array],
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
        shape = blocks[family.array].shape
        lines = f".reshape({family.rows}, -1)" * (len(shape) != 2 or shape[0] != family.rows)
        kept = "" if chosen is None else f"[{[i - 1 for (i,) in chosen]}]"
        return f"{name}{lines}.sum(axis=1){kept}"
    if isinstance(family, Correlations):
        return _correlations(family, (), blocks)
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
    blocks: Mapping[str, Array],
    moved: Mapping[str, Array],
    chosen: Entries | None = None,
) -> str:
    """Return an expression of ``Σ M Nᵀ − N Mᵀ``, the entries above the diagonal."""
    terms = []
    for number, part, other in _paired(form, numbers):
        own = _view(part, blocks[part.array])
        velocity = _view(other._replace(skip=False), moved[other.array])
        code = f"{_rows(own)} @ {_rows(velocity, True)} - {_rows(velocity)} @ {_rows(own, True)}"
        terms.append((number, code if number == 1 else f"({code})"))
    return f"({_sum(terms)})[{_triangle(form, 1, chosen)}]"


def _paired(form: Form, numbers: Sequence[int]) -> Iterator[tuple[int, Part, Part]]:
    """Yield each part with a number and the part whose velocities it is paired with (kept.py)."""
    others = form.parts[::-1] if numbers else form.parts
    yield from zip(numbers or [1] * len(others), form.parts, others, strict=True)


def _rows(view: _View, transposed: bool = False) -> str:
    return view.code + ".T" * (view.turned is not transposed)


def _correlations(
    family: Correlations,
    numbers: Sequence[int],
    blocks: Mapping[str, Array],
    moved: Mapping[str, Array] | None = None,
) -> str:
    """Return an expression of correlations, class by class; of their charges where the velocities
    of each array are given.
    """
    own = _ends(family, [blocks[name].name for name in family.names])
    other = own if moved is None else _ends(family, [moved[name].name for name in family.names])
    codes = []
    for each in family.classes:
        sides = list(zip(own, other, strict=True))
        code = f"({_correlated(each, numbers, sides, moved is not None, partial(_product, each))})"
        if each.halved and moved is None:
            code += f" / (1 + np.eye({family.units}))"
        a, b = zip(*family.pairs(each, moved is not None), strict=True)
        codes.append(f"({code})[{list(a)}, {list(b)}]")
    return f"np.concatenate([{', '.join(codes)}])"


def _correlated(
    of: Class,
    numbers: Sequence[int],
    sides: Sequence[tuple[str, str]],
    moving: bool,
    product: Callable[[int, str, str], str],
) -> str:
    """Return the sum of the products of a class, by side; of charges the differences of them."""
    terms = list[tuple[int, str]]()
    signs = zip(numbers or (1, 1, 1), (1, 1 if moving else -1, 1), sides, strict=False)
    for at, (number, sign, (first, second)) in enumerate(signs):
        factor = number * sign * (of.rows if at == 2 else 1)
        terms.append((factor, product(at, first, second)))
        if moving:
            terms.append((-factor, product(at, second, first)))
    return _sum([term for term in terms if term[0]])


def _ends(family: Correlations, names: Sequence[str]) -> list[str]:
    """Return the arrays with units and taps as first axes; a bias as it is."""
    units, (written, read), groups = family.units, family.taps, family.writer.groups
    first = f"{names[0]}.reshape(-1, {written}, {units}).T"
    if groups > 1:
        shape = f"{groups}, -1, {written}, {units // groups}"
        first = f"{names[0]}.reshape({shape}).transpose(0, 3, 2, 1)"
        first += f".reshape({units}, {written}, -1)"
    return [first, f"{names[1]}.reshape({units}, {read}, -1)", *names[2:]]


def _product(of: Class, at: int, first: str, second: str) -> str:
    """Return the products over the pairs of taps of a class, units × units."""
    if at == 2:
        return f"np.outer({first}, {second})"
    left, right = zip(*(of.written if at == 0 else [(j, k) for k, j in of.read]), strict=True)
    return f"np.einsum('aki,bki->ab', {_taken(first, left)}, {_taken(second, right)})"


def _taken(code: str, taps: Sequence[int]) -> str:
    return f"{code}[:, {list(taps)}]"


def _mask(family: Form) -> str:
    """Return a matrix that is 0 where two units are in different blocks, else 1."""
    labels = f"np.repeat(range({len(family.within)}), {list(family.within)})"
    if len(set(family.within)) == 1:
        labels = f"np.arange({family.units}) // {family.within[0]}"
    return f"np.equal.outer(*2 * [{labels}])"


def _gram(part: Part, array: Array, metric: Metric | None = None) -> str:
    if len(array.shape) == 1 and part.width == 1:
        return f"np.outer({array.name}, {array.name})"
    view = _view(part, array)
    return f"{_rows(view)} @ {_rows(view, True)}"


def _squares(part: Part, array: Array, metric: Metric | None = None) -> str:
    if part.linear and len(array.shape) > 1:
        return _function(f"np.diag({array.name})", metric, False)
    if len(array.shape) == 1 and part.width == 1:
        return _function(array.name, metric, not part.linear)
    view = _view(part, array)
    function = _function(view.code, metric, not part.linear)
    return f"({function}).sum(axis={0 if view.turned else 1})"


def _total(part: Part, array: Array, metric: Metric | None = None) -> str:
    code = array.name if part.linear else _view(part, array).code
    return f"({_function(code, metric, not part.linear)}).sum()"


def _function(code: str, metric: Metric | None, square: bool) -> str:
    if metric is not None:
        return metric.code(code, square)
    return code + "**2" * square


def _sum(terms: Sequence[tuple[int, str]]) -> str:
    """Return the code of a sum of codes times integers."""
    return _SPACED.sum((number, [code]) for number, code in terms)


def by_name(coordinates: Coordinates) -> tuple[Mapping[str, Array], Mapping[str, Array]]:
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
    laws = [(_symbolic(family, symbols), family_size(family)) for family in known.families]
    yield f"# {known_title(known)}"
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

    blocks: Mapping[str, Array]
    moved: Mapping[str, Array]
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

    def lines(self, name: str, moving: bool = False) -> str:
        """Return the symbol of an array, or of its velocities, with the last axis as columns; of a
        vector as one column.
        """
        block = (self.moved if moving else self.blocks)[name]
        last = block.shape[-1] if len(block.shape) > 1 else 1
        symbol = block.name if len(block.shape) == 2 else f"{block.name}_lines"
        self.shapes[symbol] = (prod(block.shape) // last, last)
        return symbol

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
    named = family.text, family.latex, family.shape, family.size
    kept = family if isinstance(family, Kept) else Kept(family, *named)
    base, metrics = kept.base, dict(kept.metrics)
    if isinstance(base, Correlations):
        code = _symbolic_correlations(base, kept, symbols)
    elif isinstance(base, Form):
        code = _symbolic_form(base, kept, metrics, symbols)
    else:
        metric = metrics.get(base.array) if isinstance(base, Sums) else None
        code = symbols.sums(base, kept.moving, metric)
    if kept.beside:
        divided = _divided_symbols(kept, code, symbols)
        return f"{divided} + {kept.beside}*{_symbolic_beside(kept, symbols)}"
    return f"{kept.factor.code}*({code})" if kept.factor.code else code


def _symbolic_beside(kept: Kept, symbols: _Symbols) -> str:
    base = _beside(kept)
    if not isinstance(base, Form):
        return symbols.sums(base, True)
    return f"({_sum([(part.factor, symbols.matrix(part, True)[0]) for part in base.parts])})"


def _divided_symbols(kept: Kept, code: str, symbols: _Symbols) -> str:
    """Return sums, or all parameters, divided by the rates of their arrays."""
    rates = dict(kept.rates)
    if not rates or isinstance(kept.base, Form):
        return code
    if isinstance(kept.base, Sums):
        return f"({1 / rates[kept.base.array]})*{code}"
    spans = {name: (a.entries.start, a.entries.stop) for name, a in symbols.blocks.items()}
    parts = [
        f"[({1 / rates.get(name, 1)})*{code}[i, 0] for i in range{span}]"
        for name, span in spans.items()
    ]
    return f"Matrix({' + '.join(parts)})"


def _symbolic_form(form: Form, kept: Kept, metrics: Mapping[str, Metric], symbols: _Symbols) -> str:
    if kept.moving and form.linear:
        terms = [(part.factor, symbols.matrix(part, True)[0]) for part in form.parts]
    elif kept.moving:
        pairs = _paired(form, kept.numbers)
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


def _symbolic_correlations(family: Correlations, kept: Kept, symbols: _Symbols) -> str:
    sides = [(symbols.lines(name), symbols.lines(name, kept.moving)) for name in family.names]
    codes = []
    for each in family.classes:
        product = partial(_symbolic_product, family, each)
        total = _correlated(each, kept.numbers, sides, kept.moving, product)
        half = "/(1 + int(a == b))" if each.halved and not kept.moving else ""
        units = family.pairs(each, kept.moving)
        codes.append(f"[({total}){half} for a, b in {units}]")
    return f"Matrix({' + '.join(codes)})"


def _symbolic_product(family: Correlations, of: Class, at: int, first: str, second: str) -> str:
    """Return the sum of products of the units a and b over the pairs of taps of a class."""
    if at == 2:
        return f"{first}[a, 0]*{second}[b, 0]"
    taps, columns = family.taps[at], (family.writer, family.reader)[at].shape[-1]
    if at == 1:
        code = f"{first}[a*{taps} + l, i]*{second}[b*{taps} + k, i]"
        return f"sum({code} for k, l in {list(of.read)} for i in range({columns}))"
    others = family.writer.size // (family.units * taps)
    place = "[({0}//{1}*{2} + i)*{3} + {4}, {0} % {1}]".format
    code = first + place("a", columns, others, taps, "k")
    code += "*" + second + place("b", columns, others, taps, "l")
    return f"sum({code} for k, l in {list(of.written)} for i in range({others}))"


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
