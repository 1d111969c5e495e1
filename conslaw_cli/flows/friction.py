"""The friction of momentum, and what becomes of it in laws (momentum.py)."""

from __future__ import annotations

from enum import Enum

Formula = tuple[str, str]
"""Text and LaTeX."""


class Friction(Enum):
    """The friction τ(t)."""

    CONSTANT = "constant"
    NONE = "0"
    NESTEROV = "3/t"

    @property
    def factor(self) -> Formula:
        """``e^{∫τ}``, by which p is more than v; nothing for 1."""
        return {
            Friction.CONSTANT: ("e^{τt}", r"e^{\tau t}"),
            Friction.NONE: ("", ""),
            Friction.NESTEROV: ("t³", "t^3"),
        }[self]

    def moved(self, position: Formula, velocity: Formula) -> Formula:
        """Return ``⟨c, θ⟩ − s ⟨c, p⟩`` from ``⟨c, θ⟩`` and ``⟨c, v⟩``."""
        (text, tex), (v, v_tex) = position, velocity
        return {
            Friction.CONSTANT: (f"{text} + ({v})/τ", rf"{tex} + \tfrac1\tau {v_tex}"),
            Friction.NONE: (f"{text} − t·{v}", rf"{tex} - t\, {v_tex}"),
            Friction.NESTEROV: (f"{text} + (t/2)·{v}", rf"{tex} + \tfrac t2 {v_tex}"),
        }[self]

    def boosted(self, formula: Formula) -> Formula:
        """Return a formula in θ and v, linear in v, as the one in θ and p."""
        (text, tex), (factor, factor_tex) = formula, self.factor
        return (f"{factor}({text})", rf"{factor_tex} \bigl({tex}\bigr)") if factor else (text, tex)
