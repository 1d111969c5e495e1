"""How many of the listed laws are independent, from sizes alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from conslaw_cli.lie.theorems.theorem import Evidence, Needs, Proof, theorem
from conslaw_cli.networks.known_laws import Family, Form, Named, Part, Sums
from conslaw_cli.problems.problem import Problem
from conslaw_cli.problems.records import Bound


@theorem(
    "listed laws",
    title="Independent known laws, from sizes alone",
    source="proved in docs/any-width.md",
    needs=Needs.SIZES,
    flows=None,
)
def listed_laws(problem: Problem, evidence: Evidence) -> Proof | None:
    """Let N known laws be entries of matrices ``H_f = Σ_p c_p M_p M_pᵀ``, one for each space f, and
    sums of the rows of arrays. Take the spaces in any order. Call an array free at f if it is one
    M_p of f alone, and in no space after f. Then at least ``N − Σ κ_f`` of them are independent at
    generic θ: with k the units of f beyond the columns of its free arrays, ``k = max(0, n_f − Σ
    columns(M_p))``, κ_f is ``k (k + 1)/2`` where all entries of H_f are laws, of each block
    likewise where those in blocks on its diagonal are; where those on its diagonal are, or its
    trace alone, it is 0 if an array is free, else all of them.

    Hypotheses. A network under a flow that keeps these laws of gradient flow up to a factor of time
    each, as that flow itself and weight decay do; every matrix M_p has
    all entries of one array, each once, one row for each unit, perhaps with the identity added.

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
    order; it is chosen so that κ is small. A factor of time, ``e^{kλt}`` under decay, does not turn
    the gradient by θ. ∎
    """
    families = [each for each in problem.families() or () if problem.flow.keeps(each)]
    listed = sum(family.size for family in families)
    proved = [family for family in families if isinstance(family, Form | Sums | Named)]
    independent = sum(family.size for family in proved) - _lost(proved)
    if independent <= 0:
        return None
    value = problem.state - independent
    shown = f"of {listed} known laws {independent} are independent at generic θ"
    bound = Bound(value, "listed laws", "proof", None, shown)
    return Proof(
        upper=(bound,),
        independent=listed if independent == listed else None,
        listed=listed,
    )


def _lost(families: Iterable[Family]) -> int:
    """Return Σ κ_f, the spaces with the smallest κ first."""
    forms = [family for family in families if isinstance(family, Form)]
    sums = {family.array: family for family in families if isinstance(family, Sums)}
    uses = Counter(part.array for form in forms for part in form.parts)
    lost = 0
    while forms:
        losses = [_loss(form, uses, sums) for form in forms]
        first = losses.index(min(losses))
        lost += losses[first]
        uses.subtract(part.array for part in forms.pop(first).parts)
    return lost


def _loss(form: Form, uses: Counter[str], sums: Mapping[str, Sums]) -> int:
    """Return κ_f where nothing but the spaces that are left uses the arrays."""
    columns = 0
    for part in form.parts:
        if uses[part.array] == 1 and not part.linear:
            columns += part.width - _summed(part, sums) // (part.size // part.width)
    if not form.blocks:
        return 0 if columns > 0 else form.size
    beyond = [max(0, n - columns) for n in form.blocks]
    return sum(n * (n + 1) // 2 for n in beyond)


def _summed(part: Part, sums: Mapping[str, Sums]) -> int:
    """Return how many columns the sums take from all units together; all, if it writes them."""
    if part.array not in sums:
        return 0
    return part.size if part.written else sums[part.array].rows
