"""Networks that do not know some of their laws, which a search must then find."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from conslaw_cli.families.mlp import MLP
from conslaw_cli.networks.known_laws import Laws, Named


@dataclass(frozen=True)
class Forgetful:
    """A network that does not know some of its laws."""

    network: MLP
    remembered: tuple[int, ...] = ()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.network, name)

    def laws(self) -> Laws:
        laws = self.network.laws()
        kept = np.isin(laws.law, self.remembered)
        renumbered = np.searchsorted(self.remembered, laws.law[kept])
        entries = tuple(laws.entries[i] for i in self.remembered)
        of_family = np.repeat(
            np.arange(len(laws.families)), [family.size for family in laws.families]
        )
        sizes = np.bincount(of_family[list(self.remembered)], minlength=len(laws.families)).tolist()
        families = tuple(
            Named(family.text, family.latex, family.shape, size)
            for family, size in zip(laws.families, sizes, strict=True)
        )
        return Laws(
            families, renumbered, laws.left[kept], laws.right[kept], laws.coefficient[kept], entries
        )


def forgetful(network: MLP, *remembered: int) -> Any:
    return Forgetful(network, remembered)
