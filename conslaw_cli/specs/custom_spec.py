"""The grammar of ``phi:``, ``fields:`` and ``random_fields:``: nodes → maps and vector fields
(families/formulas).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from conslaw_cli.errors import SpecError
from conslaw_cli.specs import readers

if TYPE_CHECKING:
    from conslaw_cli.families.formulas.custom import CustomMap
    from conslaw_cli.families.formulas.fields import CustomFields, RandomFields
    from conslaw_cli.specs.yaml_nodes import Node

Texts = tuple[str, ...]


def phi(node: Node) -> Mapping[str, Any]:
    """Read ``{variables: [u, v], components: ["u*v"]}``, with arrays, constants and outputs, or the
    components alone: a list, or a text with commas between them.
    """
    if not isinstance(node.value, dict):
        return {"components": _components(node)}
    keys = {
        "variables": variables,
        "components": _components,
        "arrays": _arrays,
        "constants": _constants,
        "outputs": readers.list_of(readers.integer(1), "numbers of components such as [1, 2]"),
    }
    return readers.mapping(node, keys, ("components",))


def variables(node: Node) -> Texts:
    """Read a list of names."""
    names: Texts = readers.list_of(_name, "names such as [x1, x2]")(node)
    return names


def fields(node: Node) -> Mapping[str, Any]:
    """Read ``{variables: [x, y], components: [["y", "-x"]]}``, with arrays and constants, or the
    fields alone: a list of lists of expressions, or a text with semicolons between fields and
    commas between their entries.
    """
    if not isinstance(node.value, dict):
        return {"components": _fields(node)}
    keys = {
        "variables": variables,
        "components": _fields,
        "arrays": _arrays,
        "constants": _constants,
    }
    return readers.mapping(node, keys, ("components",))


def random_fields(node: Node) -> Mapping[str, int]:
    """Read ``{dimension: 5, count: 1, degree: 3, seed: 0}``."""
    from conslaw_cli.families.formulas.fields import RANDOM_LIMITS

    keys = {key: readers.integer(*limits) for key, limits in RANDOM_LIMITS.items()}
    return readers.mapping(node, keys, ("dimension", "count", "degree"))


def map_of(phi: Mapping[str, Any], name: str = "", loss: str = "mse") -> CustomMap:
    """Return the map of the keys ``phi``, ``name`` and ``loss``."""
    from conslaw_cli.families.formulas.custom import CustomMap

    return CustomMap(**{"variables": (), **phi}, name=name, loss=loss)


def fields_of(fields: Mapping[str, Any], name: str = "") -> CustomFields:
    """Return the vector fields of the keys ``fields`` and ``name``."""
    from conslaw_cli.families.formulas.fields import CustomFields

    return CustomFields(**{"variables": (), **fields}, name=name)


def random_of(random_fields: Mapping[str, int], name: str = "") -> RandomFields:
    """Return the vector fields of the keys ``random_fields`` and ``name``."""
    from conslaw_cli.families.formulas.fields import RandomFields

    return RandomFields(**{"seed": 0, **random_fields}, name=name)


def _name(node: Node) -> str:
    if isinstance(node.value, dict | list) or not node.text.strip():
        raise node.fault("a name such as x1")
    return str(node.text)


def _expression(node: Node) -> str:
    if isinstance(node.value, dict | list) or not node.text.strip():
        raise node.fault("an expression such as u*v")
    return str(node.text)


def _components(node: Node) -> Texts:
    from conslaw_cli.families.formulas.inputs import listed

    components: Texts = _written(node, listed, _expressions)
    return components


def _fields(node: Node) -> tuple[Texts, ...]:
    from conslaw_cli.families.formulas.inputs import listed_fields

    each = readers.list_of(_expressions, "vector fields such as [[x2*x3, x1*x3, x1*x2]]")
    every: tuple[Texts, ...] = _written(node, listed_fields, each)
    return every


def _written(node: Node, split: Callable[[str], Any], read: readers.Reader) -> Any:
    """Read one text by what splits it, anything else by a reader."""
    if not isinstance(node.value, str) or not node.text.strip():
        return read(node)
    try:
        return split(node.text)
    except SpecError as fault:
        raise node.error(str(fault)) from None


def _expressions(node: Node) -> Texts:
    texts: Texts = readers.list_of(_expression, "expressions such as [u*v, u**2]")(node)
    return texts


def _arrays(node: Node) -> dict[str, tuple[int, ...]]:
    shape = readers.list_of(readers.integer(1), "sizes such as [3, 2]")
    return _named(node, shape, "shapes such as {W: [3, 2]}")


def _constants(node: Node) -> Any:
    """Read names, or a mapping from names to shapes or to rows of numbers."""
    if not isinstance(node.value, dict):
        return variables(node)
    return _named(node, _constant, "shapes or rows of numbers such as {W: [2, 2]}")


def _constant(node: Node) -> tuple[Any, ...]:
    rows = isinstance(node.value, list) and any(isinstance(row.value, list) for row in node.value)
    row = readers.list_of(lambda each: each.text, "numbers such as [1, 1/2]")
    read = readers.list_of(row if rows else readers.integer(1), "sizes such as [2, 2], or rows")
    found: tuple[Any, ...] = () if node.value == [] else read(node)
    return found


def _named(node: Node, read: readers.Reader, what: str) -> dict[str, Any]:
    """Read a mapping from names of one's own."""
    if not isinstance(node.value, dict) or not node.value:
        raise node.fault(what)
    return readers.mapping(node, dict.fromkeys(node.value, read))
