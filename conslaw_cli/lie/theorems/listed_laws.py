"""How many of the listed laws are independent, from sizes alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from math import comb
from typing import NamedTuple

from conslaw_cli.lie.theorems.structure import chain_of
from conslaw_cli.lie.theorems.theorem import Evidence, Needs, Proof, theorem
from conslaw_cli.networks.correlations import Correlations
from conslaw_cli.networks.known_laws import Family, Form, Named, Part, Sums
from conslaw_cli.problems.problem import Problem
from conslaw_cli.problems.records import Bound


@theorem(
    "listed laws",
    title="Independent known laws, from sizes alone",
    source="proved in docs/any-width.md",
    needs=Needs.SIZES,
    systems=None,
)
def listed_laws(problem: Problem, evidence: Evidence) -> Proof | None:
    """Let N known laws be entries of matrices ``H_f = Σ_p c_p M_p M_pᵀ``, one for each space f, and
    sums of the rows of arrays. Take the spaces in any order. Call an array free at f if it is one
    M_p of f alone, and in no space after f. Then at least ``N − Σ κ_f`` of them are independent at
    generic θ: with k the units of f beyond the columns of its free arrays, ``k = max(0, n_f − Σ
    columns(M_p))``, κ_f is ``k (k + 1)/2`` where all entries of H_f are laws, of each block
    likewise where those in blocks on its diagonal are; where those on its diagonal are, or its
    trace alone, it is 0 if an array is free, else all of them.

    Hypotheses. A network under a flow that keeps such laws; every matrix M_p has all entries of one
    array, each once, one row for each unit, perhaps with the identity added. Under a metric entries
    of diagonals are sums of functions of one parameter each. Charges of momentum are entries of
    antisymmetric matrices ``Σ M_p N_pᵀ − N_p M_pᵀ``, N_p being velocities; an array has twice as
    many columns then, and κ_f is ``k (k − 1)/2``.

    Proof. Let h be the sum of ``tr(S_f H_f)``, S_f symmetric, perhaps in blocks, diagonal or a
    multiple of the identity, and of ``v·(A 1)`` over the arrays A with sums, with ∇h(θ) = 0. These
    (S, v) form a linear space K, and N − dim K laws are independent. If S is 0 on all spaces before
    f, the derivative of h by an array that is free at f is ``2 c_p S_f M_p``, and nothing else
    moves with it, but ``v 1ᵀ`` where the sums of its rows are laws: so S_f vanishes on the columns
    of M_p, in the second case on those columns' differences, one fewer for every sum of a unit.
    Together these span n_f − k dimensions at generic θ, as their entries are different parameters;
    a symmetric matrix that vanishes there has k (k + 1)/2 entries, a diagonal one, no entry of M_p
    being 0, none; in blocks each is by itself, with the rows of M_p of its units. Where all S are
    0, so are all v. Hence dim K ≤ Σ κ_f. The rank at generic θ is largest, so this holds of any
    order; it is chosen so that κ is small. Flows change the derivatives by factors that are not 0,
    and velocities are so many parameters more. ∎
    """
    return _independent(problem, "listed laws", alike=False)


@theorem(
    "chain laws",
    title="Independent known laws of chains, from sizes alone",
    source="proved in docs/any-width.md, for momentum in docs/flows.md",
    needs=Needs.SIZES,
    systems=None,
)
def chain_laws(problem: Problem, evidence: Evidence) -> Proof | None:
    """Let a hidden layer of a chain have n_i units, k_i of them beyond ``n_{i−1} + n_{i+1}``, and
    beyond one more if it has biases; twice that under momentum. Of the known laws of a flow those
    of such a layer have rank ``n_i(n_i + 1)/2 − k_i(k_i + 1)/2`` where all entries of its matrix
    are laws, n_i where those of the diagonal are; under momentum ``n_i(n_i − 1)/2 − k_i(k_i −
    1)/2``, ``2 (2 n_i − 3)`` with those of two vectors that are exchanged. Those of different
    layers, and sums that stand still, are independent.

    Hypotheses. A chain under a flow that keeps such laws, of all layers or of some, and a loss with
    condition (9), or cross-entropy with one output less.

    Proof. Relations between gradients are symmetric S_i, 0 at input and output, diagonal at gates
    and beside metrics, with ``U_i S_i = S_{i−1} U_i``. Their eigenspaces split all matrices into
    blocks, without units at the ends; counting dimensions, generic matrices split off spare units
    alone, on which S is any symmetric matrix. Antisymmetric ones satisfy this for velocities too,
    so that S_i commutes with ``U_iᵀ U_i``, of simple spectrum, unless n_i is larger than
    ``n_{i−1}``, and likewise with ``n_{i+1}``: it is 0 but for layers between two narrower ones.
    """
    if chain_of(problem) is None:
        return None
    return _independent(problem, "chain laws", alike=True)


def _independent(problem: Problem, method: str, alike: bool) -> Proof | None:
    """Return how many known laws are independent. alike: whether all arrays count as free, and the
    number is the rank.
    """
    families = problem.families() or ()
    listed = sum(family.size for family in families)
    proved = [each for each in map(_Proved.of, families) if alike or not each.exchanged]
    proved = [each for each in proved if not isinstance(each.base, Correlations)]
    still = [each for each in proved if isinstance(each.base, Named)]  # what all others depend on
    independent = sum(each.size for each in still or proved) - _lost([] if still else proved, alike)
    if independent <= 0:
        return None
    exact = listed == independent or (alike and not still) or independent >= problem.state - 1
    shown = f"of {listed} known laws {independent} are independent at generic θ"
    bound = Bound(problem.state - independent, method, "proof", None, shown)
    return Proof(upper=(bound,), independent=independent if exact else None, listed=listed)


class _Proved(NamedTuple):
    """The size of a family of laws, the matrices or sums that they come from, and whether these are
    paired with velocities, of two vectors with those of each other.
    """

    size: int
    base: Family
    moving: bool = False
    exchanged: bool = False

    @classmethod
    def of(cls, family: Family) -> _Proved:
        from conslaw_cli.flows.kept import Kept  # most counts compute ranks instead

        if not isinstance(family, Kept):
            return cls(family.size, family)
        return cls(family.size, family.base, family.moving, family.moving and bool(family.numbers))


def _lost(families: Iterable[_Proved], alike: bool) -> int:
    """Return Σ κ_f, the spaces with the smallest κ first; alike: as if all arrays were free."""
    forms = [(each, each.base) for each in families if isinstance(each.base, Form)]
    sums = {each.base.array: each.base for each in families if isinstance(each.base, Sums)}
    uses = Counter({} if alike else [part.array for _, form in forms for part in form.parts])
    lost = 0
    while forms:
        losses = [_loss(*each, uses, sums) for each in forms]
        first = losses.index(min(losses))
        lost += losses[first]
        _, done = forms.pop(first)
        if not alike:
            uses.subtract(part.array for part in done.parts)
    return lost


def _loss(family: _Proved, form: Form, uses: Counter[str], sums: Mapping[str, Sums]) -> int:
    """Return κ_f where nothing but the spaces that are left uses the arrays."""
    n = form.units
    if family.exchanged:  # beside rotations, which lose C(n − 4, 2)
        return 2 * comb(n - 2, 2) - comb(max(0, n - 4), 2)
    columns = 0
    for part in form.parts:
        if uses[part.array] <= 1 and not part.linear:
            columns += part.width - _summed(part, sums) // (part.size // part.width)
    if not form.blocks:
        return 0 if columns > 0 else form.size
    beyond = [max(0, n - (1 + family.moving) * columns) for n in form.blocks]
    return sum(comb(n + 1 - family.moving, 2) for n in beyond)


def _summed(part: Part, sums: Mapping[str, Sums]) -> int:
    """Return how many columns the sums take from all units together; all, if it writes them."""
    if part.array not in sums:
        return 0
    return part.size if part.written else sums[part.array].rows
