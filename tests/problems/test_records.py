"""A row survives the journey to JSON and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conslaw_cli.families.mlp import MLP as Perceptron
from conslaw_cli.lie.count import count_laws
from conslaw_cli.problems.records import Bound, Complete, LawCount, Trace, canonical_json
from conslaw_cli.sweeps.store import Store

COUNT = st.integers(0, 10**12)
PROBABILITY = st.floats(0, 1, allow_nan=False)
ERROR = st.none() | PROBABILITY
BOUND = st.builds(
    Bound,
    value=COUNT,
    method=st.text(),
    kind=st.sampled_from(("proof", "random")),
    prime=st.none() | st.integers(2, 2**61),
    shown=st.text(),
    error_bound=ERROR,
)
BOUNDS = st.lists(BOUND, max_size=3).map(tuple)
TRACE = st.builds(Trace, st.lists(COUNT, min_size=1).map(tuple), ERROR)
ARCHITECTURE = st.fixed_dictionaries(
    {
        "activation": (
            st.sampled_from(("relu", "linear")) | st.lists(st.sampled_from(("relu", "linear")))
        ),
        "widths": st.lists(st.integers(1, 10**9), min_size=2),
        "bias": st.sampled_from((False, "hidden", "all")),
        "loss": st.sampled_from(("mse", "logistic", "cross_entropy")),
    }
) | st.fixed_dictionaries(
    {"heads": st.integers(1, 9), "residual": st.booleans(), "scale": PROBABILITY}
)
RUN: dict[str, st.SearchStrategy[Any]] = {
    "name": st.text(),
    "architecture": ARCHITECTURE,
    "seed": st.integers(0, 2**64),
    "version": st.text(),
    "seconds": st.floats(0, 1e9),
}
COUNTED = st.builds(
    LawCount,
    **RUN,
    verdict=st.sampled_from(("proved", "computed")),
    **dict.fromkeys(("parameters", "dim_lie", "laws", "known_listed", "known_independent"), COUNT),
    unknown_laws=COUNT,
    trace=TRACE,
    involutive=st.booleans(),
    error_bound=ERROR,
    lower=BOUNDS,
    upper=BOUNDS,
    scope=st.none() | st.text(),
    polynomial_laws=st.none() | st.dictionaries(st.sampled_from(("degree", "new")), COUNT),
    reason=st.none(),
)
FAILED = st.builds(LawCount, **RUN, verdict=st.just("failed"), reason=st.text())
ROWS = COUNTED | FAILED


@given(ROWS)
def test_a_row_is_the_same_after_json(row: LawCount) -> None:
    assert LawCount.from_json(json.loads(json.dumps(row.to_json(), allow_nan=False))) == row


@given(ROWS)
def test_a_row_is_the_same_after_canonical_json(row: LawCount) -> None:
    assert LawCount.from_json(json.loads(canonical_json(row.to_json()))) == row


def test_what_is_open_is_in_the_row_and_survives_the_store(tmp_path: Path) -> None:
    """Section 2.4 of the paper leaves networks with two hidden ReLU layers open."""
    row = count_laws(Perceptron((2, 3, 3, 1), "relu"))
    sentence = row.to_dict()["evidence"]["scope"]
    assert "open for deeper ReLU networks (paper, section 2.4)" in sentence
    for _ in range(2):
        with Store(str(tmp_path / "rows.jsonl"), row.version, list[str]().append) as store:
            if store.get(("k", row.name)) is None:
                store.append([("k", row)])
            stored = store.get(("k", row.name))
            assert stored == row
            assert stored.scope == sentence


PUBLIC_KEYS = [
    "name",
    "activation",
    "widths",
    "bias",
    "loss",
    "parameters",
    "dim_lie",
    "laws",
    "known_listed",
    "known_independent",
    "unknown_laws",
    "trace",
    "involutive",
    "verdict",
    "error_bound",
    "evidence",
    "seed",
    "version",
    "seconds",
]
MLP = {"activation": "relu", "widths": [3, 4, 2], "bias": False, "loss": "mse"}


@pytest.mark.parametrize(
    "row",
    [
        LawCount("a", MLP, 0, "1", 0.5, "failed", reason="time limit of 10 s reached"),
        LawCount("b", MLP, 0, "1", 0.5, "proved", 20, 16, 4, 4, 4, 0, Trace((16,)), True),
    ],
    ids=["failed", "proved"],
)
def test_the_keys_of_a_row_are_the_public_ones_in_order(row: LawCount) -> None:
    assert list(row.to_json()) == PUBLIC_KEYS


def test_a_failed_row_has_no_counts_and_says_why() -> None:
    row = LawCount("a", MLP, 0, "1", 0.5, "failed", reason="time limit of 10 s reached").to_json()
    counts = (
        "parameters",
        "dim_lie",
        "laws",
        "known_listed",
        "known_independent",
        "unknown_laws",
        "trace",
    )
    assert [row[key] for key in counts] == [None] * 7
    assert row["evidence"] == {"reason": "time limit of 10 s reached"}


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"evidence": {}},
        {"evidence": {"reason": "without all else"}},
        {"evidence": {"lower": [], "upper": []}, "trace": [1]},
    ],
)
def test_what_is_not_a_row_is_refused(value: dict[str, Any]) -> None:
    with pytest.raises((KeyError, TypeError)):
        LawCount.from_json(value)


def test_canonical_json_does_not_depend_on_the_order_of_keys() -> None:
    assert canonical_json({"b": [1, "é"], "a": None}) == '{"a":null,"b":[1,"\\u00e9"]}'
    with pytest.raises(ValueError, match="JSON"):
        canonical_json(float("nan"))


def test_many_equal_sizes_in_a_row_are_counted() -> None:
    for units, name in (
        ((2, 12, 12, 2), "2-12-12-2"),
        ((3,) * 8, "3-3-3-3-3-3-3-3"),
        ((3, *(2,) * 96, 1, 1), "3-2 (96 times)-1-1"),
    ):
        assert Complete(units, 1, 1, 0, 2, 0).name == name
