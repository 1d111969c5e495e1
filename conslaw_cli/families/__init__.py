"""Families of architectures: one file each.

The keys that name them in YAML stand in ``_FAMILIES`` of spec.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from conslaw_cli.lie.closure import Fields
from conslaw_cli.networks.known_laws import Laws


class Architecture(Protocol):
    """What every family provides: frozen, picklable values that know nothing of primes or ranks."""

    @property
    def name(self) -> str:
        """A label for people."""
        ...

    @property
    def parameters(self) -> int:
        """D, the number of parameters."""
        ...

    @property
    def known_listed(self) -> int:
        """Number of known laws listed, which need not be independent."""
        ...

    @property
    def rank_guess(self) -> int:
        """A guess of dim Lie(W_φ)(θ) that takes no time: to share out work, never to decide a
        result.
        """
        ...

    @property
    def held(self) -> int:
        """Numbers that evaluating one field holds besides D of them, where these are not of the
        same order.
        """
        ...

    @property
    def known_terms(self) -> int:
        """Number of monomials of the known laws, roughly: decides whether they fit in memory."""
        ...

    @property
    def monomial(self) -> bool:
        """Whether φ is a monomial map, so that :meth:`path_rank` is dim Lie(W_φ)(θ)."""
        ...

    def describe(self) -> dict[str, Any]:
        """Return the JSON-ready keys that define the architecture (all but its name)."""
        ...

    @property
    def scope(self) -> str | None:
        """What is open between φ and the network's own gradients, as a sentence; None for
        nothing.
        """
        ...

    @property
    def scalar(self) -> bool:
        """Whether φ has one component, so that Lie(W_φ) is spanned by one field."""
        ...

    def fields(self) -> Fields:
        """Return W_φ as vector fields that can be sampled and evaluated on jets."""
        ...

    def laws(self) -> Laws:
        """Return the known laws."""
        ...

    def parameter_names(self) -> Sequence[str]:
        """Return the names of the parameters, in the order of θ."""
        ...

    def outline(self) -> Sequence[tuple[str, str, int]]:
        """Return its pieces, in order: what each is, the shape behind it, its parameters."""
        ...

    @property
    def image_dimension(self) -> int | None:
        """The generic rank of ∂φ, which is dim W_0(θ), where a theorem gives it."""
        ...

    def parts(self) -> Sequence[tuple[Architecture, int]]:
        """Return architectures on disjoint parameters, and how often each occurs, whose direct sum
        this is: often just itself.
        """
        ...

    def path_rank(self) -> int:
        """Return the rank of the exponent matrix of a monomial φ, from the graph alone."""
        ...

    def segments(self) -> Sequence[Architecture]:
        """Return pieces s with ``dim Lie(W_φ) ≤ Σ_s dim Lie(W_{f_s}) − (pieces − 1)``; empty if no
        such theorem applies.
        """
        ...
