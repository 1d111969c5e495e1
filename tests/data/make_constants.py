"""Make constants.json: radical constants, and whether each is zero by its minimal polynomial.

    python tests/data/make_constants.py > tests/data/constants.json

A real algebraic number is zero iff its minimal polynomial over Q is x; sympy computes that by
resultants and factorisation, which has nothing in common with what conslaw does. Half of the
constants are made so that they are zero, by writing one number in two ways; most of the others are
such a difference with one integer changed.
"""

from __future__ import annotations

import json
import random
import signal
import sys
from collections.abc import Callable

import sympy
from sympy.abc import x

COUNT = 600
SECONDS = 20
"""Time for one minimal polynomial; constants that take longer are left out."""
LARGEST_DEGREE = 24
RADICANDS = (2, 3, 5, 6, 7, 10)


def radical(draw: random.Random) -> sympy.Expr:
    root = draw.choice((2, 2, 2, 3, 3, 4))
    return sympy.Rational(draw.choice(RADICANDS)) ** sympy.Rational(1, root)


def number(draw: random.Random, terms: int = 2) -> sympy.Expr:
    """A sum of an integer and radicals, not zero."""
    parts = [draw.choice((1, 2, 3, -1)) * radical(draw) for _ in range(terms - 1)]
    return sympy.Add(draw.randint(1, 5), *parts)


def root_of_a_power(draw: random.Random, k: int) -> tuple[str, str]:
    """(t^k)^(1/k), with the power multiplied out, and |t|."""
    t = number(draw)
    t = t if t > 0 else -t
    return f"({sympy.expand(t**k)})**(1/{k})", str(t)


def inverse(draw: random.Random) -> tuple[str, str]:
    """1/t, and the same with a rational denominator."""
    t = number(draw, draw.choice((2, 3)))
    return f"1/({t})", str(sympy.radsimp(1 / t, max_terms=6))


def product(draw: random.Random) -> tuple[str, str]:
    a, b = number(draw), number(draw, 3)
    return f"({a})*({b})", str(sympy.expand(a * b))


def nested(draw: random.Random) -> tuple[str, str]:
    """√a √b and √(ab) for conjugate sums a, b."""
    n, r = draw.randint(2, 5), sympy.sqrt(draw.choice((2, 3)))
    rest = sympy.expand((n + r) * (n - r))
    return f"sqrt({n + r})*sqrt({n - r})", f"sqrt({rest})"


def power_of_a_nested_root(draw: random.Random) -> tuple[str, str]:
    a = number(draw, 2)
    a = a if a > 0 else -a
    k = draw.choice((2, 3))
    outer = f"(({a})**(1/{k}) + {k})"
    return f"{outer}**2", f"({a})**(2/{k}) + {2 * k}*({a})**(1/{k}) + {k * k}"


MAKERS: tuple[Callable[[random.Random], tuple[str, str]], ...] = (
    lambda draw: root_of_a_power(draw, 2),
    lambda draw: root_of_a_power(draw, 3),
    inverse,
    product,
    nested,
    power_of_a_nested_root,
)


def changed(draw: random.Random, text: str) -> str:
    """The text with one more or one less somewhere."""
    return f"({text}) + {draw.choice(('1/1000000', '-1/1000', '1', '-sqrt(2)/10**6'))}"


def decided(text: str) -> bool | None:
    """Whether a constant is zero; None if that takes too long or the number is not real."""
    value = sympy.sympify(text, rational=True)
    if not sympy.N(value, 30).is_real:
        return None
    signal.alarm(SECONDS)
    try:
        polynomial = sympy.minimal_polynomial(value, x, polys=True)
    except (TimeoutError, NotImplementedError):
        return None
    finally:
        signal.alarm(0)
    return None if polynomial.degree() > LARGEST_DEGREE else bool(polynomial.as_expr() == x)


def late(*_: object) -> None:
    raise TimeoutError


def main() -> None:
    signal.signal(signal.SIGALRM, late)
    draw, found = random.Random(0), dict[str, bool]()
    while len(found) < COUNT:
        one, other = draw.choice(MAKERS)(draw)
        text = f"{one} - ({changed(draw, other) if draw.random() < 0.5 else other})"
        zero = decided(text)
        if zero is not None:
            found.setdefault(text, zero)
            print(len(found), zero, text, file=sys.stderr)
    json.dump([[text, zero] for text, zero in found.items()], sys.stdout, indent=0)
    print()


if __name__ == "__main__":
    main()
