"""Pictures, by matplotlib, which the extra ``plot`` brings: what they all have in common.

Colours are those of Okabe and Ito, which colour-blind eyes tell apart; lines and marks differ too,
so that a picture says the same in black and white. The same picture has the same bytes.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from conslaw_cli import checks
from conslaw_cli.errors import SpecError

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKS = ("o", "s", "^", "D", "v", "P", "X")
EDGE = "#444444"

_METADATA: dict[str, dict[str, str | None]] = {
    ".png": {"Software": "conslaw"},
    ".svg": {"Date": None},
    ".pdf": {"CreationDate": None},
}
"""By suffix; without the time of day, which would make every file another one."""
_STYLE = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "svg.hashsalt": "conslaw",
    "savefig.bbox": "tight",
}


def suffix(path: str) -> str:
    """Return the end of a picture's path, which says its format. Raise SpecError for one that is
    none of them, or where matplotlib is not installed.
    """
    found = os.path.splitext(path)[1].lower()
    if found not in _METADATA:
        raise SpecError(
            f"--plot: expected a file ending in {', '.join(_METADATA)}, got {checks.shown(path)}"
        )
    checks.extra("matplotlib", "plot")
    return found


@contextmanager
def canvas(width: float, height: float) -> Iterator[Any]:
    """Give a matplotlib figure of a size in inches, in the style of all pictures."""
    matplotlib = checks.extra("matplotlib", "plot")
    with matplotlib.rc_context(_STYLE):
        yield checks.extra("matplotlib.figure", "plot").Figure((width, height))


def encoded(figure: Any, path: str) -> bytes:
    """Return a figure as the bytes of a file of that name. Call it inside :func:`canvas`."""
    ending, data = suffix(path), io.BytesIO()
    figure.savefig(data, format=ending[1:], metadata=_METADATA[ending], dpi=150)
    return data.getvalue()
