"""Checks of values that come from outside."""

from __future__ import annotations

import json
import sys

import pytest

from conslaw_cli import checks
from conslaw_cli.errors import SpecError


def test_what_an_extra_brings_is_imported() -> None:
    assert checks.extra("json", "plot") is json


def test_a_missing_extra_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(SpecError, match=r"^scipy is not installed: pip install 'conslaw\[plot\]'$"):
        checks.extra("scipy.integrate", "plot")
