"""Architectures under the loss that they are written with, and under another."""

from __future__ import annotations

from dataclasses import replace
from typing import Self

from conslaw_cli import checks


class Chosen:
    """A dataclass one of whose fields is the loss, and another a label made from the rest where
    none is given.
    """

    __slots__ = ()
    loss: str
    name: str

    def _default_name(self) -> str:
        raise NotImplementedError

    def under(self, loss: str) -> Self:
        """Return it written with another loss, its label too, if that was made from the rest."""
        name = "" if self.name == self._default_name() else self.name
        return replace(self, loss=loss, name=name)  # type: ignore[type-var]


class Free:
    """A map φ that is counted whatever reads it: every direction of its image is free."""

    __slots__ = ()

    @property
    def loss(self) -> str:
        """Squared error, under which that is so."""
        return "mse"

    def under(self, loss: str) -> Self:
        """Return itself. Raise SpecError for another loss."""
        checks.choice("loss", loss, (self.loss,))
        return self
