"""One layer of multi-head attention, by its reparametrisation.

With queries, keys, values and outputs of H heads, an attention layer depends on its parameters only
through ``φ = (Q_h K_h, V_h O_h)_{h ≤ H}`` with ``Q_h, V_h ∈ R^{dim × head_dim}``, ``K_h, O_h ∈
R^{head_dim × dim}`` (row vectors; the softmax acts on ``x Q_h K_h x'^T``). Each of the 2H products
is a linear network dim–head_dim–dim on parameters of its own, so Lie(W_φ)(θ) is the direct sum of
theirs and every count is 2H times that of one: by Prop. 4.2 with c(n, m, r) = r(r+1)/2 for r ≤ n +
m and (n+m)r − (n+m)(n+m−1)/2 otherwise, 2H·c(dim, dim, head_dim) laws ("Transformative or
Conservative? Conservation laws for ResNets and Transformers", ICML 2025, arXiv 2506.06194, Cor.
3.9, complete for H = 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from conslaw_cli import checks
from conslaw_cli.families.mlp import MLP
from conslaw_cli.networks.graph import Graph
from conslaw_cli.networks.operation import Input, Node
from conslaw_cli.networks.operations.dense import MAX_WIDTH, Linear
from conslaw_cli.networks.wired import Wired
from conslaw_cli.problems.losses import Free

MAX_HEADS = 4096


@dataclass(frozen=True, slots=True)
class Attention(Free, Wired):
    """An attention layer. Raise SpecError if a size is not a positive integer within bounds.

    >>> from conslaw_cli import count_laws
    >>> count_laws(Attention(dim=4, heads=1, head_dim=4))
    <LawCount 'attention 4-1x4': D = 64, dim Lie = 44, laws = 20 (20 known), proved>
    """

    dim: int
    heads: int
    head_dim: int
    name: str = ""

    def __post_init__(self) -> None:
        for key, most in (("dim", MAX_WIDTH), ("heads", MAX_HEADS), ("head_dim", MAX_WIDTH)):
            checks.integer(key, getattr(self, key), 1, most)
        checks.text("name", self.name)
        if not self.name:
            object.__setattr__(self, "name", f"attention {self.dim}-{self.heads}x{self.head_dim}")

    def describe(self) -> dict[str, Any]:
        """Return the JSON-ready keys that define the architecture (all but its name)."""
        return {"attention": {"dim": self.dim, "heads": self.heads, "head_dim": self.head_dim}}

    def outline(self) -> list[tuple[str, str, int]]:
        """Return the matrices of one head: each one's shape and the parameters of all heads."""
        size = self.heads * self.dim * self.head_dim
        left, right = f"{self.dim}×{self.head_dim}", f"{self.head_dim}×{self.dim}"
        return [(f"{m} of {self.heads} heads", left if m in "QV" else right, size) for m in "QKVO"]

    def parts(self) -> tuple[tuple[MLP, int], ...]:
        """Return one product and how many of them there are."""
        return ((MLP((self.dim, self.head_dim, self.dim), "linear"), 2 * self.heads),)

    @property
    def parameters(self) -> int:
        """D = 4 · heads · dim · head_dim."""
        return 4 * self.heads * self.dim * self.head_dim

    @property
    def known_listed(self) -> int:
        """Listed laws of all products."""
        return sum(part.known_listed * count for part, count in self.parts())

    @property
    def held(self) -> int:
        """Values are fewer than parameters."""
        return 0

    @property
    def known_terms(self) -> int:
        """Monomials of the known laws."""
        return sum(part.known_terms * count for part, count in self.parts())

    @property
    def scope(self) -> str:
        """φ is a factor of the layer; how much of it data can move is not part of the count."""
        return (
            "The count is that of φ = (Q_h K_h, V_h O_h)_h, on which the layer depends (arXiv"
            " 2506.06194)."
        )

    @property
    def graph(self) -> Graph:
        """The products side by side, each on an input of its own."""
        return _graph(self.dim, self.heads, self.head_dim)


@lru_cache(maxsize=4)
def _graph(dim: int, heads: int, head_dim: int) -> Graph:
    inputs, nodes, outputs = [], [], []
    for i in range(2 * heads):
        first, second = ("Q", "K") if i % 2 == 0 else ("V", "O")
        name, head = f"{(first + second).lower()}{i // 2 + 1}", i // 2 + 1
        inputs.append(Input(f"x{i + 1}", (dim,)))
        nodes.append(Node(name, Linear(head_dim), (f"x{i + 1}",), (f"{first}{head}",)))
        nodes.append(Node(f"y{i + 1}", Linear(dim), (name,), (f"{second}{head}",)))
        outputs.append(f"y{i + 1}")
    return Graph(tuple(inputs), tuple(nodes), tuple(outputs))
