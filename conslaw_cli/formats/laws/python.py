"""Python: a function ``laws(theta)`` in NumPy, for a training loop; families of laws are computed
as matrices.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

import numpy as np

from conslaw_cli.flows.coordinates import Coordinates
from conslaw_cli.flows.kept import Kept
from conslaw_cli.formats.laws import (
    Known,
    Members,
    Result,
    calls,
    codes_of,
    known_title,
    law_code,
    quotient_code,
    suffixes,
    title,
)
from conslaw_cli.formats.laws.matrices import by_name, code_of, family_code
from conslaw_cli.formats.words import plural
from conslaw_cli.laws.rational import Quotient
from conslaw_cli.laws.search import LawSearch
from conslaw_cli.laws.values import Law
from conslaw_cli.networks.known_laws import Form, Sums
from conslaw_cli.networks.wiring import Array

_WIDTH = 110
_PYTORCH = [
    "From PyTorch's layers, whose weights have the outputs first:",
    (
        "    parts = [x for layer in layers for x in (layer.weight.movedim(0, -1), layer.bias) if x"
        " is not None]"
    ),
    "    theta = torch.cat([x.flatten() for x in parts]).detach().numpy()",
]


def render_python(results: Sequence[Result | Known]) -> str:
    """Return the text of a module with a function ``laws`` (``laws_1``, ``laws_2``, … for several
    results).
    """
    functions = [
        "\n".join(
            _known(result, suffix) if isinstance(result, Known) else _function(result, suffix)
        )
        for result, suffix in zip(results, suffixes(results), strict=True)
    ]
    searched = [result.search for result in results if isinstance(result, Result)]
    needs = ["from math import sqrt\n"] * any(search.radicals for search in searched)
    called = set[str]().union(*map(calls, searched))
    if any(isinstance(each, Known) and each.problem.other_flow for each in results):
        called |= {"arcsinh", "exp", "log", "sqrt"}
    named = f"from numpy import {', '.join(sorted(called))}"
    imports = ["import numpy as np", *([named] * bool(called))]
    return "\n\n\n".join(["\n".join([*needs, *imports]), *functions]) + "\n"


def _function(result: Result, suffix: str) -> Iterator[str]:
    search = result.search
    arrays, moving = _arrays(search.coordinates)
    given = ["theta", *(["velocity"] if moving else []), *search.coordinates.arguments]
    yield f"def laws{suffix}({', '.join(given)}):"
    yield from _indented(f'"""{_quoted(title(result))}.\n\n{_help(result)}\n"""')
    yield from _cut(arrays, "theta")
    yield from _cut(moving, "velocity")
    entries = [_family(family, result, arrays) for family in result.families]
    if result.others or result.quotients:
        entries.append(_scalars(result.others, result, arrays, result.quotients))
    every = _entries(arrays, moving)
    for laws in search.unsearched:
        entries.append(_lines(codes_of(laws, search.coordinates, every)))
    yield from _returned(entries)


def _known(known: Known, suffix: str) -> Iterator[str]:
    """Yield the lines of a function that returns the known laws of a large network."""
    coordinates, own = known.coordinates, known.count.own
    every, moved = _arrays(coordinates)
    lines = [
        f"Return the {plural(known.listed, 'known law')}, which training by"
        f" {known.problem.flow.title} keeps.",
        *_theta(coordinates, own),
        *_arguments(coordinates, every, moved),
    ]
    given = ["theta", *(["velocity"] if moved else []), *coordinates.arguments]
    yield f"def laws{suffix}({', '.join(given)}):"
    yield from _indented(f'"""{_quoted(known_title(known))}.\n\n{_text(lines, every, own)}\n"""')
    yield from _cut(every, "theta")
    yield from _cut(moved, "velocity")
    if known.laws is None:
        yield from _returned([f"{code}," for code in code_of(known)])
    else:
        codes = codes_of(known.laws, coordinates, _entries(every, moved))
        yield from _returned([_lines(codes)] * bool(codes))


def _arrays(coordinates: Coordinates) -> tuple[Sequence[Array], Sequence[Array]]:
    """Return those of θ and of velocities; numbers alone are one vector."""
    return _vectors(coordinates.arrays, "theta"), _vectors(coordinates.moving, "velocity")


def _vectors(arrays: Sequence[Array], name: str) -> Sequence[Array]:
    if not arrays or any(array.shape for array in arrays):
        return arrays
    return [Array(name, (len(arrays),), slice(arrays[0].entries.start, arrays[-1].entries.stop))]


def _cut(arrays: Sequence[Array], vector: str) -> Iterator[str]:
    """Yield the lines that cut a vector into arrays."""
    if arrays:
        yield f"    {vector} = np.asarray({vector})"
        first = arrays[0].entries.start
    for array in arrays:
        part = f"{vector}[{array.entries.start - first}:{array.entries.stop - first}]"
        yield f"    {array.name} = {part}.reshape({', '.join(map(str, array.shape)) or '()'})"


def _returned(entries: Sequence[str]) -> Iterator[str]:
    if not entries:
        yield "    return np.empty(0)"
        return
    yield "    return np.concatenate(["
    yield from (line for entry in entries for line in _indented(entry, 8))
    yield "    ])"


def _quoted(text: str) -> str:
    """Return a text that a docstring can hold: names come from users."""
    return text.replace("\\", "\\\\").replace('"', "'")


def _help(result: Result) -> str:
    search, own = result.search, result.count.own
    number = len(search.generators) + len(result.quotients)
    more = plural(sum(family.size for family in result.unsearched), "known law")
    lines = [
        f"Return {number} functionally independent quantities that training"
        f" by {search.problem.flow.title} keeps"
        + f", then {more} with other functions of θ" * bool(result.unsearched)
        + "."
    ]
    arrays, moving = _arrays(search.coordinates)
    lines += _theta(search.coordinates, own)
    return _text([*lines, *_arguments(search.coordinates, arrays, moving)], arrays, own)


def _theta(coordinates: Coordinates, own: bool) -> list[str]:
    """Return how θ is made up of arrays, or of variables; own: those of a map of one's own."""
    arrays = coordinates.arrays
    size = sum(array.size for array in arrays)
    if not any(array.shape for array in arrays):
        return [f"theta: {size} numbers, the variables {', '.join(coordinates.parameters)}."]
    sizes = [f" ({' × '.join(map(str, array.shape))})" * bool(array.shape) for array in arrays]
    order = ", ".join(f"{array.name}{size}" for array, size in zip(arrays, sizes, strict=True))
    leads = f"{arrays[0].name}[i, j] leads from unit i to unit j of the next layer; units are"
    return [
        f"theta: {size} numbers, the entries of {order}, each row by row;",
        f"{'entries are' if own else leads} counted from 0 here.",
    ]


def _text(lines: Sequence[str], arrays: Sequence[Array], own: bool) -> str:
    text = [piece for line in lines for piece in textwrap.wrap(line, _WIDTH)]
    layered = not own and all(array.name[0] in "Ub" for array in arrays)
    return "\n".join([*text, *(_PYTORCH if layered else [])])


def _arguments(
    coordinates: Coordinates, arrays: Sequence[Array], moving: Sequence[Array]
) -> list[str]:
    """Return what the arguments besides theta are."""
    names = {"t": "t: time.", "lam": "lam: the rate of decay.", "tau": "tau: the friction."}
    pairs = ", ".join(f"{v.name} of {x.name}" for v, x in zip(moving, arrays, strict=False))
    lines = [f"velocity: as many numbers, each a {coordinates.motion}: {pairs}."] if moving else []
    return [*lines, *(names.get(name, f"{name}: a constant.") for name in coordinates.arguments)]


def _indented(text: str, spaces: int = 4) -> list[str]:
    return [" " * spaces + line if line else "" for line in text.split("\n")]


def _family(family: Members, result: Result, arrays: Sequence[Array]) -> str:
    if (code := _matrices(family, result.search)) is not None:
        return _wrapped(f"{code},")
    return _scalars(
        [law for law in result.search.generators if law.index in family.generators], result, arrays
    )


def _matrices(members: Members, search: LawSearch) -> str | None:
    """Return an expression of a family in arrays; None if its formula does not say what they are,
    and for correlations.
    """
    family, listed = members.family, search.listed
    base = family.base if isinstance(family, Kept) else family
    if isinstance(base, Form | Sums):
        whole = len(members.generators) == len(members.every)
        chosen = None if whole else [listed.entries[i] for i in members.generators]
        return family_code(family, *by_name(search.coordinates), chosen)
    single = np.arange(len(search.parameters))
    nothing_moves = np.array_equal(listed.left, single) and (listed.right < 0).all()
    if nothing_moves and len(members.generators) == len(single):
        return family_code(family, *by_name(search.coordinates))
    return None


def _scalars(
    laws: Sequence[Law],
    result: Result,
    arrays: Sequence[Array],
    quotients: Sequence[Quotient] = (),
) -> str:
    radicals = [radical.text for radical in result.search.radicals]
    search = result.search
    coordinates = search.coordinates
    names = coordinates.coded(_entries(arrays, _arrays(coordinates)[1]))
    codes = [law_code(law.polynomial, coordinates, names, radicals) for law in laws]
    codes += (quotient_code(quotient, names) for quotient in quotients)
    return _lines(codes)


def _lines(codes: Sequence[str]) -> str:
    """Return a list of expressions, each on lines of its own."""
    lines = [line for code in codes for line in _indented(_wrapped(f"{code},"))]
    return "\n".join(["[", *lines, "],"])


def _entries(arrays: Sequence[Array], moving: Sequence[Array]) -> list[str]:
    return [_entry(array, place) for array in (*arrays, *moving) for place in array.indices]


def _entry(array: Array, place: Sequence[int]) -> str:
    return f"{array.name}[{','.join(map(str, place))}]" if place else array.name


def _wrapped(code: str) -> str:
    """Break inside brackets, where a line may end anywhere."""
    return "\n".join(
        textwrap.wrap(
            code, _WIDTH, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
        )
    )
