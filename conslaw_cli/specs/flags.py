"""What a file or flags ask for, and flags → problems."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from conslaw_cli import checks
from conslaw_cli.errors import ArrayError, SpecError
from conslaw_cli.families.mlp import LOSSES, MLP, Bias
from conslaw_cli.flows import Flow
from conslaw_cli.flows.gradient import GRADIENT
from conslaw_cli.networks.operations.elementwise import NAMES
from conslaw_cli.problems.problem import Architecture, Problem

if TYPE_CHECKING:
    from conslaw_cli.families.formulas.custom import CustomMap
    from conslaw_cli.families.formulas.fields import CustomFields

BIASES: dict[str, Bias] = {
    "false": False,
    "none": False,
    "true": "hidden",
    "hidden": "hidden",
    "all": "all",
}


class Sweep(NamedTuple):
    """What a spec asks for.

    name: the ``name`` of a sweep, else the stem of the file ("stdin" for standard input).
    problems: in the order of the spec, no two of the same name.
    seed: of the engine's random choices.
    expected: known numbers of laws, by the names of their problems.
    source: where the sweep comes from, in words.
    sources: where a problem or its expected number of laws comes from, by its name.
    degree: also look for polynomial laws up to it (key ``laws: {degree: 2}``).
    published: the file of the rows that these are to be as, as a path that can be opened.
    """

    name: str
    problems: tuple[Problem, ...]
    seed: int = 0
    expected: Mapping[str, int] = {}
    source: str | None = None
    degree: int | None = None
    sources: Mapping[str, str] = {}
    published: str | None = None

    @property
    def architectures(self) -> tuple[Architecture, ...]:
        """Those of the problems."""
        return tuple(problem.architecture for problem in self.problems)


def flowing(architecture: Architecture, flow: str | None, with_name: bool = False) -> Problem:
    """Return the problem of an architecture and the flow of a command line, which its name says
    unless it has one of its own.
    """
    if flow is None:
        return Problem(architecture)
    try:
        from conslaw_cli.specs import flow_spec

        moved = flow_spec.parsed(flow).of(architecture)
    except ArrayError as fault:
        raise SpecError(f"--{fault}") from None
    return named(architecture, moved, with_name)


def named(architecture: Any, flow: Flow, with_name: bool) -> Problem:
    """Return the problem; the name that was made for it says its flow."""
    if flow == GRADIENT or with_name:
        return Problem(architecture, flow)
    from conslaw_cli.flows.names import label

    name = f"{architecture.name} {label(flow.describe())}"
    return Problem(replace(architecture, name=name), flow)


def formula(
    phi: str | None,
    fields: str | None,
    variables: str | None,
    arrays: str | None,
    loss: str | None,
    name: str | None,
    *,
    constants: str | None = None,
    outputs: str | None = None,
) -> CustomMap | CustomFields:
    """Return the φ or the fields of flags such as "W2*W1" with the arrays "W1=3x2,W2=2x3", the
    constants "p;W0=2x2" and the outputs "1,2".
    """
    from conslaw_cli.families.formulas.custom import CustomMap
    from conslaw_cli.families.formulas.fields import CustomFields
    from conslaw_cli.families.formulas.inputs import listed, listed_fields

    label = "" if name is None else name
    given = () if variables is None else tuple(each.strip() for each in variables.split(","))
    shapes = tuple(_shapes(arrays).items()) if arrays is not None else ()
    if phi is None:
        assert fields is not None
        rows = _split("--fields", listed_fields, fields)
        return CustomFields(given, rows, label, _constants(constants), shapes)
    components = _split("--phi", listed, phi)
    word = "mse" if loss is None else _word(loss, LOSSES)
    read = () if outputs is None else width_list(outputs)
    if outputs is not None and not read:
        raise SpecError(f"--outputs: expected numbers of components such as 1,2, got {outputs!r}")
    return CustomMap(given, components, label, shapes, _constants(constants), tuple(read), word)


def _split(flag: str, split: Callable[[str], Any], text: str) -> Any:
    try:
        return split(text)
    except SpecError as fault:
        raise SpecError(f"{flag}: {fault}") from None


def _shapes(texts: str) -> dict[str, tuple[int, ...]]:
    """Return the shapes of "W1=3x2,W2=2x3" by name."""
    found = dict[str, tuple[int, ...]]()
    for text in texts.split(","):
        name, _, sizes = text.partition("=")
        shape = width_list(sizes)
        if not name.strip().isidentifier() or not shape:
            raise SpecError(f"--array: expected a name and a shape such as W1=3x2, got {text!r}")
        if name.strip() in found:
            raise SpecError(f"--array: {name.strip()!r} is given twice")
        found[name.strip()] = shape
    return found


def _constants(texts: str | None) -> tuple[tuple[str, Any], ...]:
    """Return names and shapes of "p;W0=2x2;W1=[[1,2],[3,5]]", or rows of numbers."""
    found = dict[str, Any]()
    for text in texts.split(";") if texts is not None else ():
        name, given, value = (part.strip() for part in text.partition("="))
        rows = re.fullmatch(r"\[(\s*\[[^\[\]]*\]\s*,?)+\]", value)
        shape = width_list(value)
        if not name.isidentifier() or bool(given) != bool(rows or shape):
            raise SpecError(
                "--constant: expected a name, alone or with a shape such as W=2x2 or rows of"
                f" numbers such as W=[[1,2],[3,5]], got {text!r}"
            )
        if name in found:
            raise SpecError(f"--constant: {name!r} is given twice")
        listed = re.findall(r"\[([^\[\]]*)\]", value)
        found[name] = tuple(tuple(map(str.strip, row.split(","))) for row in listed) or shape
    return tuple((name, tuple(value)) for name, value in found.items())


def from_flags(
    widths: str, activation: str = "relu", bias: str = "false", loss: str = "mse"
) -> MLP:
    """Return the network of flags such as "3,4,2", "relu" or "relu,linear", "hidden", "mse"; also
    in the forms that tables print, "3-4-2" and "relu/linear".
    """
    numbers = width_list(widths)
    if not numbers:
        raise SpecError(f"--widths: expected positive integers such as 3,4,2, got {widths[:80]!r}")
    if bias.lower() not in BIASES:
        meant = checks.near(bias, BIASES)
        raise SpecError(f"--bias: expected one of {', '.join(BIASES)}, got {bias!r}{meant}")
    names = tuple(_word(part.strip(), NAMES) for part in re.split("[,/]", activation))
    values = {
        "activation": names[0] if len(names) == 1 else names,
        "bias": BIASES[bias.lower()],
        "loss": _word(loss, LOSSES),
    }
    try:
        return MLP(numbers, **values)  # type: ignore[arg-type]  # checked by MLP
    except SpecError as fault:
        raise SpecError(f"--{fault}") from None


def width_list(text: str) -> tuple[int, ...]:
    """Return the widths of a text such as 3,4,2 or 3-4-2, 3x4x2, [3, 4, 2]; () if it is none."""
    inner = text.strip()
    if inner[:1] + inner[-1:] in ("[]", "()"):
        inner = inner[1:-1]
    separator = next((each for each in ",-x×" if each in inner), None)
    parts = [part.strip() for part in inner.split(separator)]
    right = all(re.fullmatch(r"[0-9]{1,300}", part) for part in parts)
    return tuple(map(int, parts)) if right else ()


def _word(word: str, known: Sequence[str]) -> str:
    """Return a word as it is known, where capital letters are all that differs; of power:3 too."""
    lower = word.lower()
    return lower if lower in known or lower.partition(":")[0] == "power" else word
