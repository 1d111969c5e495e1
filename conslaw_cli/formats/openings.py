"""How the reports and pictures of this program begin, whatever their format: only such a file is
overwritten by another one.
"""

from __future__ import annotations

import re

HEAD = 1 << 14
"""Bytes at the start of a file that are enough to know a report by."""
_LINES = 20
_COUNTS = (
    r"name +(\S.* )?D +(state +)?dim Lie\b",
    r".*\n\nrows +\d+\nproved +\d+\n",
    r'\{\s*"schema": "conslaw\.',
    r"name,.*\bparameters,dim_lie,laws,",
    r"\| name \|(.*\|)? D \| (state \| )?dim Lie \|",
    r"# .*\n\nRows: ",
    r"% Needs \\usepackage",
)
_COUNT = re.compile("|".join(_COUNTS))
_LAWS = re.compile(r": \d+ parameters?, (known laws\b|laws of degree )")
"""In all formats of laws: above them, as a comment where need be."""


def is_report(head: bytes) -> bool:
    """Whether a file with these first bytes is a report of counts or laws."""
    text = head.decode("utf-8", "replace").replace("\r\n", "\n")
    first = "\n".join(text.split("\n", _LINES)[:_LINES])
    return _COUNT.match(text) is not None or _LAWS.search(first) is not None


def is_picture(head: bytes) -> bool:
    """Whether a file with these first bytes is a picture: PNG, PDF, or SVG as matplotlib writes
    it.
    """
    drawn = head.startswith(b"<?xml") and b"<svg" in head
    return drawn or head.startswith((b"\x89PNG", b"%PDF"))


def is_arrays(head: bytes) -> bool:
    """Whether a file with these first bytes is an .npz as NumPy writes it."""
    return head.startswith(b"PK\x03\x04") and b".npy" in head[:200]
