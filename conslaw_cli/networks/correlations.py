"""Laws of two layers of windows, one behind the other, beyond those that act at every place alike.

Let a value have c units at P places, ``z[a,t] = Σ U[k,i,a] x[i,w(k,t)] + b[a]`` over the taps k of
the layer that writes it, and one layer read it, ``y[o,q] = Σ V[a,k,o] z[a,v(k,q)]``. A matrix R on
the places is *absorbed* if there are matrices A, B on the taps of these with

    Σ_t' R[t,t'] [w(k,t') = p] = Σ_k' A[k',k] [w(k',t) = p],
    R[v(k,q),t'] = Σ_k' B[k',k] [v(k',q) = t'].

Then ``z → z + ε (M ⊗ R) z`` is undone by ``dU[k'] = Σ A[k',k] U[k] Mᵀ``, ``db = ρ M b`` where all
rows of R add up to ρ, and ``dV[k'] = −Σ B[k',k] Mᵀ V[k]``. Where M ⊗ R is symmetric, and with R the
transposed matrix has the transposed A and B, this is half the gradient of Σ M[a,b] times the law

    Σ A[k',k] ⟨U[k',·,a], U[k,·,b]⟩ + ρ b[a] b[b] − Σ B[k',k] ⟨V[b,k',·], V[a,k,·]⟩.

Where M ⊗ R is antisymmetric, the motion is an isometry, and momentum has the law of the products
with velocities. What is absorbed is found in absorption.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from conslaw_cli.networks.known_laws import Index, Laws, Products, join
from conslaw_cli.networks.tex import symbol
from conslaw_cli.networks.wiring import Array

Pairs = tuple[tuple[int, int], ...]
"""Pairs (k', k) of taps."""


class Class(NamedTuple):
    """Matrices R, A, B of zeros and ones (module docstring): where A and B have ones.

    lag: that of a translation R, else none. partner: whether the transposed ones are others. rows:
    ρ, where there are biases, else 0.
    """

    written: Pairs
    read: Pairs
    lag: tuple[int, ...]
    partner: bool
    rows: int

    @property
    def halved(self) -> bool:
        """Whether every product of a unit with itself occurs twice."""
        return not (self.partner or self.rows or any(k == j for k, j in self.written))

    def half(self) -> Class:
        """Return it with each product once."""
        written, read = (
            tuple((k, j) for k, j in each if k < j) for each in (self.written, self.read)
        )
        return self._replace(written=written, read=read)


class Correlations(NamedTuple):
    """The laws of the classes of two arrays, and perhaps a bias, which stands beside the writer.

    taps: of either. within: the sizes of the blocks that groups leave of the units; diagonal:
    whether only products of a unit with itself are laws. The entries are (class, a, b), from 1, of
    a class with a partner for all units a, b, else for a ≤ b; the class alone where there is one
    unit.
    """

    writer: Array
    reader: Array
    bias: Array | None
    taps: tuple[int, int]
    within: tuple[int, ...]
    classes: tuple[Class, ...]
    diagonal: bool

    @property
    def names(self) -> tuple[str, ...]:
        """The arrays: that which writes, that which reads, the bias."""
        return (self.writer.name, self.reader.name, *((self.bias.name,) if self.bias else ()))

    @property
    def units(self) -> int:
        """c."""
        return sum(self.within)

    @property
    def translations(self) -> bool:
        """Whether every class is that of a lag."""
        return all(each.lag for each in self.classes)

    @property
    def size(self) -> int:
        """Number of laws."""
        return sum(len(self.pairs(each)) for each in self.classes)

    def pairs(self, of: Class, beyond: int = 0) -> list[tuple[int, int]]:
        """Return the units (a, b) of the laws of a class, from 0; those with ``b ≥ a + beyond`` of
        one without a partner.
        """
        starts = np.cumsum([0, *self.within]).tolist()
        return [
            (start + a, start + b)
            for start, n in zip(starts, self.within, strict=False)
            for a in range(n)
            for b in range(0 if of.partner else a + beyond, n)
            if a == b or not self.diagonal
        ]

    @property
    def text(self) -> str:
        """Its formula."""
        return self._formula(0, [(name, name) for name in self.names])

    @property
    def latex(self) -> str:
        """Its formula in TeX."""
        return self._formula(1, [(name, name) for name in self.names])

    def commutator(self, velocities: Sequence[str]) -> tuple[str, str]:
        """Return the formula of charges, and that in TeX; velocities: in the order of the names."""
        pairs = [*zip(self.names, velocities, strict=True)]
        text, tex = (self._formula(kind, pairs, charges=True) for kind in (0, 1))
        return text, tex

    @property
    def summands(self) -> tuple[tuple[int, tuple[str, str]], ...]:
        """What each array adds: a sign, text and TeX; in the order of the names."""
        signs = zip((1, -1, 1), self.names, strict=False)
        return tuple(
            (sign, (self._term(0, at, name, name), self._term(1, at, name, name)))
            for at, (sign, name) in enumerate(signs)
        )

    def _formula(self, kind: int, pairs: Sequence[tuple[str, str]], charges: bool = False) -> str:
        terms = []
        for at, (first, second) in enumerate(pairs):
            minus = at == 1 and not charges
            terms.append(f"{'−' if minus else '+'} {self._term(kind, at, first, second)}")
            if charges:
                terms.append(f"− {self._term(kind, at, second, first)}")
        text = " ".join(terms).removeprefix("+ ")
        return text.replace("−", "-") if kind else text

    def _term(self, kind: int, at: int, first: str, second: str) -> str:
        """Return what the array of a number adds, as text or in TeX (kind 1)."""
        names = (symbol(first), symbol(second)) if kind else (first, second)
        text = _TERMS[self.translations][at][kind].format(*names)
        applied = ("diag({})", r"\operatorname{{diag}}\bigl({}\bigr)")[kind]
        return applied.format(text) if self.diagonal else text

    @property
    def shape(self) -> str:
        """Which units there are, and which lags or classes."""
        n, lags = self.units, [each.lag for each in self.classes]
        blocks = f" in blocks of {', '.join(map(str, sorted({*self.within})))}"
        inside = " diagonal" if self.diagonal else blocks * (len(self.within) > 1)
        units = f"{n}×{n}{inside}, " if n > 1 else ""
        if not all(lags):
            return f"{units}{len(lags)} class{'es' * (len(lags) > 1)} of pairs of taps"
        if lags == [(lag,) for lag in range(1, len(lags) + 1)]:
            return f"{units}lags 1 to {len(lags)}"
        shown = [str(lag[0]) if len(lag) == 1 else str(lag).replace(" ", "") for lag in lags]
        return f"{units}lag{'s' * (len(lags) > 1)} {', '.join(shown)}"

    @property
    def terms(self) -> int:
        """Number of terms of the laws, at most."""
        sizes = zip((self.writer.size, self.reader.size), self.taps, strict=True)
        written, read = (size // (self.units * taps) for size, taps in sizes)
        return sum(
            len(self.pairs(each))
            * (len(each.written) * written + len(each.read) * read + (each.rows > 0))
            for each in self.classes
        )

    @property
    def factors(self) -> Products:
        """Two of each array."""
        return frozenset((name, name) for name in self.names)

    def laws(self) -> Laws:
        """Return the laws, class by class."""
        found = [
            self._products(each.half() if each.halved and a == b else each, a, b)
            for each in self.classes
            for a, b in self.pairs(each)
        ]
        return self._listed(found, 0)

    def charges(self, parameters: int) -> Laws:
        """Return ``Σ θ p − p θ`` in place of the products, of so many parameters, with as many
        momenta behind them.
        """
        found = []
        for each in self.classes:
            for a, b in self.pairs(each, 1):
                left, right, signs = self._products(each, a, b)
                terms = (left, right), (right + parameters, left + parameters), (signs, -signs)
                found.append(tuple(np.concatenate(term) for term in terms))
        return self._listed(found, 1)

    def matrices(self) -> tuple[Index, Index]:
        """Return the parameters that write and read, (units, taps, others)."""
        first, last = (
            np.arange(array.entries.start, array.entries.stop)
            for array in (self.writer, self.reader)
        )
        shape = (self.writer.groups, -1, self.taps[0], self.writer.shape[-1])
        written = first.reshape(shape).transpose(0, 3, 2, 1).reshape(self.units, self.taps[0], -1)
        return written, last.reshape(self.units, self.taps[1], -1)

    def _products(self, of: Class, a: int, b: int) -> tuple[Index, ...]:
        """Return left and right factors, and signs, of a law's products."""
        written, read = self.matrices()
        (i, j), (k, m) = (np.array(p, np.intp).reshape(-1, 2).T for p in (of.written, of.read))
        left = [written[a, i].ravel(), read[b, k].ravel()]
        right = [written[b, j].ravel(), read[a, m].ravel()]
        signs = [np.full(left[0].size, 1), np.full(left[1].size, -1)]
        if self.bias is not None and of.rows:
            start = self.bias.entries.start
            left.append(np.array([start + a]))
            right.append(np.array([start + b]))
            signs.append(np.array([of.rows]))
        return np.concatenate(left), np.concatenate(right), np.concatenate(signs)

    def _listed(self, products: Sequence[tuple[Index, ...]], beyond: int) -> Laws:
        if not products:
            return join([])
        left, right, signs = (np.concatenate(each) for each in zip(*products, strict=True))
        law = np.repeat(np.arange(len(products)), [len(each[0]) for each in products])
        alone = self.units == 1
        entries = tuple(
            (number,) if alone else (number, a + 1, b + 1)
            for number, each in enumerate(self.classes, start=1)
            for a, b in self.pairs(each, beyond)
        )
        return Laws((self,), law, left, right, signs.astype(np.int64), entries)


_LAGS = ("{0}⋆{1}", r"{0} \star {1}")
_BIAS = ("{0}ᵀ{1}", r"{0}^\top {1}")
_TERMS = {
    True: (_LAGS, _LAGS, _BIAS),
    False: (
        ("Σ {0}[k]ᵀ{1}[l]", r"\textstyle\sum {0}[k]^\top {1}[l]"),
        ("Σ {0}[l]{1}[k]ᵀ", r"\textstyle\sum {0}[l] {1}[k]^\top"),
        _BIAS,
    ),
}
"""What an array that writes, that reads and a bias add, at lags, or for pairs (k, l) of taps."""
