"""Theorems on dim Lie(W_φ)(θ), one function each: its docstring states and proves it.

A new theorem is one function in a file here, and one entry of ``THEOREMS``.
"""

from __future__ import annotations

from conslaw_cli.lie.theorems.block_lifting import block_lifting
from conslaw_cli.lie.theorems.brackets import balls, brackets, orbit, stagnation, transport
from conslaw_cli.lie.theorems.direct_sum import direct_sum
from conslaw_cli.lie.theorems.fewer_places import fewer_places
from conslaw_cli.lie.theorems.flows import (
    homogeneous_decay,
    mirror_paths,
    momentum_pair,
    momentum_paths,
)
from conslaw_cli.lie.theorems.found_laws import found_laws
from conslaw_cli.lie.theorems.image import image
from conslaw_cli.lie.theorems.known_laws import known_laws
from conslaw_cli.lie.theorems.linear_pair import linear_pair
from conslaw_cli.lie.theorems.listed_laws import chain_laws, listed_laws
from conslaw_cli.lie.theorems.paths import paths
from conslaw_cli.lie.theorems.segments import segments
from conslaw_cli.lie.theorems.single_field import single_field
from conslaw_cli.lie.theorems.small_ends import equal_layers, two_hidden_layers
from conslaw_cli.lie.theorems.theorem import Evidence, Needs, Proof, Theorem
from conslaw_cli.lie.theorems.wide_chains import (
    cut_chain,
    full_chain,
    wide_gated_layers,
    wide_linear_layers,
)
from conslaw_cli.problems.problem import Problem

__all__ = ["THEOREMS", "Evidence", "Needs", "Proof", "Theorem", "settled_by_structure"]

THEOREMS: tuple[Theorem, ...] = (
    balls,
    brackets,
    transport,
    orbit,
    known_laws,
    chain_laws,
    listed_laws,
    paths,
    segments,
    single_field,
    linear_pair,
    image,
    direct_sum,
    full_chain,
    two_hidden_layers,
    equal_layers,
    cut_chain,
    wide_linear_layers,
    wide_gated_layers,
    fewer_places,
    block_lifting,
    found_laws,
    mirror_paths,
    momentum_pair,
    momentum_paths,
    homogeneous_decay,
    stagnation,
)
"""All theorems, in the order in which a row shows their bounds."""


def settled_by_structure(problem: Problem) -> bool:
    """Whether one theorem alone, from the problem's structure, is the whole count."""
    return any(theorem.settles(problem) for theorem in _WHOLE)


_WHOLE = tuple(theorem for theorem in THEOREMS if theorem.whole is not None)
