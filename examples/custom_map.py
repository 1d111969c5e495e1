"""A map φ and vector fields of one's own: no theory lists their laws, conslaw finds them.

$ python examples/custom_map.py
φ(u, v1, v2) = (u*v1, u*v2): 1 law, found: u^2 - v1^2 - v2^2
enzyme: 2 laws, found: C + E, C + P + S
"""

from __future__ import annotations

from conslaw_cli import CustomFields, CustomMap, LawSearch, count_laws, find_laws

# Michaelis–Menten: E + S ⇌ C → E + P. Each reaction is a field along what it changes, whatever its
# rate; the three together keep what the network of reactions keeps.
REACTIONS = {
    "E + S → C": {"E": "-E*S", "S": "-E*S", "C": "E*S"},
    "C → E + S": {"E": "C", "S": "C", "C": "-C"},
    "C → E + P": {"E": "C", "C": "-C", "P": "C"},
}
SPECIES = ("C", "E", "P", "S")


def formulas(found: LawSearch) -> str:
    """Return the generating laws as text."""
    texts = []
    for law in found.generators:
        terms = []
        for coefficient, monomial in law.polynomial.terms:
            powers = {found.parameters[i]: monomial.count(i) for i in monomial}
            factors = [n if k == 1 else f"{n}^{k}" for n, k in powers.items()]
            size = [] if abs(coefficient) == 1 else [str(abs(coefficient))]
            terms.append(f"{'+' if coefficient > 0 else '-'} {'*'.join(size + factors)}")
        texts.append(" ".join(terms).removeprefix("+ "))
    return ", ".join(texts)


if __name__ == "__main__":
    product = CustomMap((), ("u*v1", "u*v2"))
    fields = tuple(
        tuple(change.get(name, "0") for name in SPECIES) for change in REACTIONS.values()
    )
    enzyme = CustomFields(SPECIES, fields, name="enzyme")
    for problem in (product, enzyme):
        laws = count_laws(problem).laws or 0
        found = find_laws(problem, 2)
        print(f"{problem.name}: {laws} law{'s' * (laws != 1)}, found: {formulas(found)}")
