"""Every count in ``published.yaml`` and every row of the published experiments, computed anew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from conslaw_cli.families.mlp import MLP
from conslaw_cli.lie.count import count_laws
from conslaw_cli.problems.records import LawCount
from conslaw_cli.specs import spec

ROOT = Path(__file__).resolve().parent.parent
PUBLISHED = yaml.safe_load((ROOT / "tests" / "published.yaml").read_text(encoding="utf-8"))
ARCHITECTURE = ("widths", "activation", "bias")


def cases() -> list[Any]:
    """Return (network, expected figures) for every case, labelled by its source."""
    rows = []
    for entry in PUBLISHED["counts"]:
        shared = {key: entry[key] for key in ARCHITECTURE if key in entry}
        for case in entry["cases"]:
            own = {key: case[key] for key in ARCHITECTURE if key in case}
            network = MLP(**{**shared, **own, "widths": tuple(case["widths"])})
            expected = {key: value for key, value in case.items() if key not in ARCHITECTURE}
            rows.append(pytest.param(network, expected, id=f"{entry['source']}: {network.name}"))
    return rows


def figures(row: LawCount) -> dict[str, object]:
    """Return the figures of a count under the keys of ``published.yaml``."""
    assert row.trace is not None
    dimensions = row.trace.dimensions
    own = ("parameters", "dim_lie", "laws", "known_listed", "known_independent", "involutive")
    return {
        **{key: getattr(row, key) for key in own},
        "dim_w0": dimensions[0],
        "stops_at": dimensions.index(dimensions[-1]),
    }


@pytest.mark.parametrize(("network", "expected"), cases())
def test_published_count(network: MLP, expected: dict[str, object]) -> None:
    row = count_laws(network)
    found = figures(row)
    assert expected
    assert {key: found[key] for key in expected} == expected
    assert (row.verdict, row.unknown_laws) == ("proved", 0)


@pytest.mark.parametrize(
    "experiment", PUBLISHED["experiments"], ids=lambda experiment: experiment["config"]
)
def test_published_experiment(experiment: dict[str, Any]) -> None:
    """No network of the experiment has a law beyond the known ones: dim Lie(W_φ)(θ) = D − N,
    proved.
    """
    architectures = spec.load(str(ROOT / experiment["config"])).architectures
    rows = [count_laws(architecture) for architecture in architectures]
    assert len(rows) >= experiment["architectures"]
    assert [row.name for row in rows if (row.verdict, row.unknown_laws) != ("proved", 0)] == []


def test_examples_have_their_expected_counts() -> None:
    sweep = spec.load(str(ROOT / "configs" / "examples.yaml"))
    rows = {architecture.name: count_laws(architecture) for architecture in sweep.architectures}
    assert {name: row.laws for name, row in rows.items()} == dict(sweep.expected)
