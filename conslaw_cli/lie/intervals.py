"""How the units of a chain are dealt out to intervals of layers, as few as may be of these within
(strands.py; docs/any-width.md).

A strand is to touch the input, the output or the constant unit. Strands of one unit a layer are
intervals of layers: those that touch both ends, the input, the output, and *loops*, which touch
neither and are attached to others, spread evenly. A linear layer of a strand needs as many units
beside it as it has.

Let so many strands begin before each layer as it has units more than the one before, and end as it
has fewer. With φ strands from end to end, all other strands from the input end within; so there
are ``max(0, φ − f)`` loops (chains.full), and no way has fewer, since each strand that begins or
ends beside adds one. A strand from the input can always end; others where they are at least two
layers long, or have gates. The two kinds number ``n_{i−1} − φ``, and ``n_i − n_{i+1}`` are to end:
so this works iff ``n_i ≤ n_{i−1} + n_{i+1} − φ`` at linear layers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from conslaw_cli.lie import chains
from conslaw_cli.lie.dealing import LARGE, Dealing
from conslaw_cli.lie.strands import Strand
from conslaw_cli.networks.chains import Chain

CORE = 2
"""Strands from the input, and from the output, that every witness contains where none has both."""
Interval = tuple[int, int]
"""The first and the last layer of a strand of one unit a layer."""


def by_intervals(chain: Chain) -> Iterator[Dealing]:
    """Yield ways to deal out the units of a chain: with a strand from end to end in each witness,
    then without.
    """
    for through in (1, 0):
        intervals = _intervals(chain, through)
        groups = None if intervals is None else _strands(chain, intervals)
        if groups is not None and all(_admissible(chain, each.units) for each in groups):
            yield _dealing(chain, groups, through)


def _intervals(chain: Chain, through: int) -> Counter[Interval] | None:
    """Return intervals that have all units; None if there are none with the fewest loops."""
    widths, last = chain.widths, len(chain.widths) - 1
    found, open_ = Counter[Interval](), {0: widths[0] - through}
    loops = max(0, through - chains.full(chain))
    for layer in range(1, last + 1):
        less = widths[layer - 1] - widths[layer]
        for first in _ending(chain, open_, layer - 1, loops):
            ended = min(less, open_[first], loops if first else less) if less > 0 else 0
            found[first, layer - 1] += ended
            open_[first] -= ended
            less, loops = less - ended, loops - (ended if first else 0)
        if less > 0:
            return None
        open_[layer] = -less
    for first, n in open_.items():
        found[first, last] += n
    found[0, last] += through
    return +found


def _ending(chain: Chain, open_: dict[int, int], layer: int, loops: int) -> list[int]:
    """Return where strands begin that may end behind a layer, in the order in which they are to:
    loops as long as there are to be some, the shortest first, but for those of one unit.
    """
    single = layer in open_ and layer > 0
    alone = single and (not chain.linear[layer - 1] or chain.biased[layer - 1])
    longer = sorted((first for first in open_ if 0 < first < layer), reverse=True)
    return [*longer, 0, *([layer] if alone else [])]


class _Group(NamedTuple):
    """Equal strands: units of each layer, and of the constant; how often, and how many loops are
    attached to each.
    """

    units: Strand
    times: int
    load: int = 0

    def touches(self, loop: Interval) -> bool:
        """Whether it has a unit in a layer of an interval or in one beside it."""
        return any(self.units[loop[0] - 1 : loop[1] + 2])

    def loaded(self, loop: Interval, times: int) -> _Group:
        """Return some of them with a loop more."""
        units = tuple(n + (loop[0] <= i <= loop[1]) for i, n in enumerate(self.units))
        return _Group(units, times, self.load + 1)


def _strands(chain: Chain, intervals: Counter[Interval]) -> list[_Group] | None:
    """Return strands that touch an end, with the loops; the first, one of the longest, has the
    constant unit. None if some loop touches no other strand, or witnesses would be too large.
    """
    width, constant = len(chain.widths), int(any(chain.biased))
    ends = Counter(
        {each: n for each, n in intervals.items() if not each[0] or each[1] == width - 1}
    )
    longest = max(ends, key=lambda each: (each[1] - each[0], each))
    first = _Group((*_units(longest, width), constant), 1)
    ends -= Counter([longest])
    rest = [_Group((*_units(each, width), 0), n) for each, n in sorted(ends.items())]
    loops = intervals - ends - Counter([longest])
    if loops.total() > LARGE * (1 + ends.total()):
        return None
    for loop, times in sorted(loops.items()):
        if loop[0] == loop[1] and chain.linear[loop[0] - 1]:
            for _ in range(times):
                first = first.loaded(loop, 1)
        elif not _attach(rest, loop, times):
            return None
    return [first, *rest]


def _attach(groups: list[_Group], loop: Interval, times: int) -> bool:
    """Spread equal loops over strands that touch them, those with fewest first. Return whether
    there are such.
    """
    while times:
        fitting = [i for i, each in enumerate(groups) if each.touches(loop)]
        if not fitting:
            return False
        group = groups.pop(min(fitting, key=lambda i: groups[i].load))
        some = min(times, group.times)
        groups.append(group.loaded(loop, some))
        if group.times > some:
            groups.append(group._replace(times=group.times - some))
        times -= some
    return True


def _units(interval: Interval, width: int) -> Strand:
    return tuple(int(interval[0] <= i <= interval[1]) for i in range(width))


def _admissible(chain: Chain, strand: Strand) -> bool:
    """Whether no linear layer has units to spare."""
    *widths, constant = strand
    around = zip(widths, widths[1:], widths[2:], chain.linear, chain.biased, strict=False)
    return all(n <= a + b + constant * bias or not linear for a, n, b, linear, bias in around)


def _dealing(chain: Chain, groups: list[_Group], through: int) -> Dealing:
    size = len(chain.widths) + any(chain.biased)
    strands = Counter[Strand]()
    for each in groups:
        strands[each.units[:size]] += each.times
    core = Counter([groups[0].units[:size]])
    for end in () if through else (0, len(chain.widths) - 1):
        touching = [strand for strand in strands if strand[end]]
        longest = sorted(touching, key=lambda s: (sum(n > 0 for n in s), -sum(s), s))
        few = [s for s in reversed(longest) for _ in range(min(CORE, strands[s]))][:CORE]
        core |= Counter(few)
    return Dealing(strands, tuple(core.elements()))
