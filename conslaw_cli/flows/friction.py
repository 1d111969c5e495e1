"""The friction of momentum, and what becomes of it in laws (momentum.py)."""

from __future__ import annotations

from enum import Enum
from math import exp

from conslaw_cli.flows.coordinates import ONE, Factor, exponential, power

Formula = tuple[str, str]
"""Text and LaTeX."""


class Friction(Enum):
    """The friction τ(t): constant and positive, none, or that of Nesterov's flow. It makes
    ``e^{τt}``, nothing or t³ of momenta, which laws have in front.

    >>> from conslaw_cli import MLP, Momentum, Problem
    >>> for friction in Friction:
    ...     family, *_ = Problem(MLP((1, 2, 1), "linear"), Momentum(friction)).laws().families
    ...     print(family.text)
    e^{τt}(U1ᵀV1 − V1ᵀU1 + U2V2ᵀ − V2U2ᵀ)
    U1ᵀV1 − V1ᵀU1 + U2V2ᵀ − V2U2ᵀ
    t³(U1ᵀV1 − V1ᵀU1 + U2V2ᵀ − V2U2ᵀ)
    """

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

    def at(self, t: float, rate: float) -> tuple[float, float, float]:
        """Return τ, ``e^{∫τ}`` and s at a time, for a rate where it is constant."""
        return {
            Friction.CONSTANT: lambda: (rate, exp(rate * t), -exp(-rate * t) / rate),
            Friction.NONE: lambda: (0.0, 1.0, t),
            Friction.NESTEROV: lambda: (3 / t, t**3, -1 / (2 * t**2)),
        }[self]()

    @property
    def turns(self) -> bool:
        """Whether p grows with time at fixed θ and v, as it does with a friction."""
        return self is not Friction.NONE

    @property
    def shifts(self) -> bool:
        """Whether s moves with time beyond what p's growth makes of it: constant friction has p
        and s grow and shrink at one rate, and s p stays.
        """
        return self is not Friction.CONSTANT

    @property
    def clock(self) -> tuple[tuple[str, str, str], tuple[str, ...]]:
        """Return what s is written with, as text, in LaTeX and in Python, and what laws depend on
        besides θ and v, in Python.
        """
        constant = ("(1/τ)", r"\tfrac{1}{\tau}", "(1/tau)"), ("t", "tau")
        return constant if self is Friction.CONSTANT else (("t", "t", "t"), ("t",))

    def written(self, momenta: int, times: int, most: int) -> tuple[Factor, int]:
        """Return what becomes of a term with so many p and s: what it has in front, and its
        coefficient's factor, for terms with at most ``most`` times s: s is ``−e^{−τt}/τ``, t or
        ``−1/(2t²)``, and denominators are cleared.
        """
        if self is Friction.CONSTANT:
            return exponential(("τ", r"\tau ", "tau"), momenta - times), (-1) ** times
        if self is Friction.NONE:
            return ONE, 1
        return power(3 * momenta - 2 * times), (-1) ** times * 2 ** (most - times)

    def moved(self, position: Formula, velocity: Formula, several: bool = False) -> Formula:
        """Return ``⟨c, θ⟩ − s ⟨c, p⟩`` from ``⟨c, θ⟩`` and ``⟨c, v⟩``, which may have several
        terms.
        """
        (text, tex), (v, v_tex) = position, velocity
        alone = f"({v})" if several else v
        v_tex = rf"\bigl({v_tex}\bigr)" if several else v_tex
        return {
            Friction.CONSTANT: (f"{text} + ({v})/τ", rf"{tex} + \tfrac1\tau {v_tex}"),
            Friction.NONE: (f"{text} − t·{alone}", rf"{tex} - t\, {v_tex}"),
            Friction.NESTEROV: (f"{text} + (t/2)·{alone}", rf"{tex} + \tfrac t2 {v_tex}"),
        }[self]

    @property
    def beside(self) -> str:
        """What v is multiplied by in that, in Python."""
        return {
            Friction.CONSTANT: "(1/tau)",
            Friction.NONE: "(-t)",
            Friction.NESTEROV: "(t/2)",
        }[self]

    def boosted(self, formula: Formula) -> Formula:
        """Return a formula in θ and v, linear in v, as the one in θ and p."""
        (text, tex), (factor, factor_tex) = formula, self.factor
        return (f"{factor}({text})", rf"{factor_tex} \bigl({tex}\bigr)") if factor else (text, tex)
