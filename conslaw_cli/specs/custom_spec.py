"""The grammar of ``phi:``, ``fields:`` and ``random_fields:``: nodes → maps and vector fields
(families/custom.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from conslaw_cli.errors import SpecError
from conslaw_cli.specs import readers

if TYPE_CHECKING:
    from conslaw_cli.families.formulas.custom import CustomFields, CustomMap, RandomFields
    from conslaw_cli.specs.yaml_nodes import Node

Texts = tuple[str, ...]


def phi(node: Node) -> Mapping[str, Any]:
    """Read ``{variables: [u, v], components: ["u*v"]}``, or the components alone: a list, or a text
    with commas between them.
    """
    if not isinstance(node.value, dict):
        return {"components": _components(node)}
    return readers.mapping(
        node, {"variables": variables, "components": _components}, ("components",)
    )


def variables(node: Node) -> Texts:
    """Read a list of names."""
    names: Texts = readers.list_of(_name, "names such as [x1, x2]")(node)
    return names


def fields(node: Node) -> Mapping[str, Any]:
    """Read ``{variables: [x, y], components: [["y", "-x"]]}``, or the list of fields, each a list
    of expressions.
    """
    every = readers.list_of(_expressions, "vector fields such as [[x2*x3, x1*x3, x1*x2]]")
    if not isinstance(node.value, dict):
        return {"components": every(node)}
    return readers.mapping(node, {"variables": variables, "components": every}, ("components",))


def random_fields(node: Node) -> Mapping[str, int]:
    """Read ``{dimension: 5, count: 1, degree: 3, seed: 0}``."""
    from conslaw_cli.families.formulas.custom import RANDOM_LIMITS

    keys = {key: readers.integer(*limits) for key, limits in RANDOM_LIMITS.items()}
    return readers.mapping(node, keys, ("dimension", "count", "degree"))


def map_of(phi: Mapping[str, Any], name: str = "") -> CustomMap:
    """Return the map of the keys ``phi`` and ``name``."""
    from conslaw_cli.families.formulas.custom import CustomMap

    return CustomMap(phi.get("variables", ()), phi["components"], name)


def fields_of(fields: Mapping[str, Any], name: str = "") -> CustomFields:
    """Return the vector fields of the keys ``fields`` and ``name``."""
    from conslaw_cli.families.formulas.custom import CustomFields

    return CustomFields(fields.get("variables", ()), fields["components"], name)


def random_of(random_fields: Mapping[str, int], name: str = "") -> RandomFields:
    """Return the vector fields of the keys ``random_fields`` and ``name``."""
    from conslaw_cli.families.formulas.custom import RandomFields

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
    from conslaw_cli.families.formulas.custom import listed

    if not isinstance(node.value, str) or not node.text.strip():
        return _expressions(node)
    try:
        return listed(node.text)
    except SpecError as fault:
        raise node.error(str(fault)) from None


def _expressions(node: Node) -> Texts:
    texts: Texts = readers.list_of(_expression, "expressions such as [u*v, u**2]")(node)
    return texts
