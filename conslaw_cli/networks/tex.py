"""Names in TeX: a symbol for each, no two of them alike."""

from __future__ import annotations

import re

_GREEK = {
    letter: name
    for names in (
        "α alpha, β beta, γ gamma, δ delta, ε epsilon, ζ zeta, η eta, θ theta, ι iota, κ kappa",
        "λ lambda, μ mu, ν nu, ξ xi, π pi, ρ rho, ς varsigma, σ sigma, τ tau, υ upsilon, φ phi",
        "χ chi, ψ psi, ω omega, Γ Gamma, Δ Delta, Θ Theta, Λ Lambda, Ξ Xi, Π Pi, Σ Sigma",
        "Υ Upsilon, Φ Phi, Ψ Psi, Ω Omega",
    )
    for letter, name in (pair.split() for pair in names.split(", "))
}
"""The letters that TeX has commands for; others look like Latin ones."""


def symbol(name: str) -> str:
    """Return a name as a formula that needs no package but amsmath.

    ``x_{1}`` for ``x1``, ``\\mathrm{rate\\_a}`` for ``rate_a``, ``\\theta`` for ``θ``,
    ``\\dot{x}`` for a velocity, ``x_dot``.
    """
    if name.endswith("_dot"):
        return rf"\dot{{{symbol(name.removesuffix('_dot'))}}}"
    letters, number = re.fullmatch(r"(.*?)([0-9]*)", name).groups()  # type: ignore[union-attr]
    body = _body(letters)
    return f"{body}_{{{number}}}" if number else body


def _body(letters: str) -> str:
    escaped = letters.replace("_", r"\_")
    if not all(letter.isascii() or letter in _GREEK for letter in letters):
        return rf"\text{{{escaped}}}"
    body = "".join(rf"\{_GREEK[x]} " if x in _GREEK else x for x in escaped).rstrip()
    return body if len(letters) == 1 and letters != "_" else rf"\mathrm{{{body}}}"
