"""``flow:`` in files and ``--flow`` on the command line."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from conslaw_cli import MLP, Problem, count_laws
from conslaw_cli.cli import main
from conslaw_cli.errors import SpecError
from conslaw_cli.flows import Asked
from conslaw_cli.flows.decay import Decay
from conslaw_cli.flows.friction import Friction
from conslaw_cli.flows.gradient import GRADIENT
from conslaw_cli.flows.metrics import ENTROPY, Hypentropy, Power
from conslaw_cli.flows.mirror import Mirror, Shorthand
from conslaw_cli.flows.momentum import Momentum
from conslaw_cli.specs.flow_spec import parsed
from conslaw_cli.specs.spec import parse

ROOT = Path(__file__).parents[2]
NETWORK = MLP((3, 4, 2), "relu", "hidden")


@pytest.fixture(autouse=True)
def handler(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every test leaves the process as it was."""
    monkeypatch.delenv("COLUMNS", raising=False)
    for library in ("OMP", "OPENBLAS", "MKL", "BLIS"):
        monkeypatch.setenv(f"{library}_NUM_THREADS", "1")
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def conslaw(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, prog_name="conslaw")


READ: dict[str, Asked] = {
    "gradient": GRADIENT,
    "momentum": Momentum(),
    "{momentum: {friction: 0}}": Momentum(Friction.NONE),
    '{momentum: {friction: "3/t"}}': Momentum(Friction.NESTEROV),
    "{momentum: {hessian: nmf}}": Momentum(Friction.CONSTANT, Shorthand("nmf")),
    "decay": Decay(),
    "{decay: {only: [U1, U2]}}": Decay(("U1", "U2")),
    "nmf": Shorthand("nmf"),
    "icnn": Shorthand("icnn"),
    "{mirror: {rates: {U1: 1/10}}}": Mirror((), (("U1", Fraction(1, 10)),)),
    "{mirror: {metric: {U1: {power: 3}, U2: entropy, b1: {hypentropy: 1/2}}}}": Mirror(
        (("U1", Power(3)), ("U2", ENTROPY), ("b1", Hypentropy(Fraction(1, 2))))
    ),
}


@pytest.mark.parametrize("text", READ)
def test_a_flow_is_read(text: str) -> None:
    assert parsed(text) == READ[text]
    (problem,) = parse(f"{{widths: [3, 4, 2], bias: hidden, flow: {text}}}", "s.yaml").problems
    assert problem == Problem(problem.architecture, READ[text].of(NETWORK))


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("nmf", "{mirror: {metric: {U1: entropy, U2: {power: 1}, b1: entropy}}}"),
        ("icnn", "{mirror: {metric: {U1: euclidean, U2: entropy}, rates: {b1: 1}}}"),
        ("gradient", "{mirror: {metric: {U1: {power: 0}}}}"),
        ("decay", "{decay: {only: [U2, b1, U1]}}"),
        ("{decay: {only: [U1, U2]}}", "{decay: {only: [U2, U1]}}"),
        ("momentum", "{momentum: {hessian: {mirror: {rates: {U1: 1}}}}}"),
        ("{momentum: {hessian: icnn}}", "{momentum: {hessian: {mirror: {metric: {U2: entropy}}}}}"),
    ],
)
def test_equal_flows_have_one_key(short: str, long: str) -> None:
    keys = {Problem(NETWORK, parsed(text).of(NETWORK)).key(0) for text in (short, long)}
    assert len(keys) == 1


def test_what_a_flow_says_it_is_reads_back() -> None:
    for text in READ:
        flow = parsed(text).of(NETWORK)
        again = parsed(str(flow.describe()).replace("'", '"')).of(NETWORK)
        assert again == flow


MISTAKES = {
    "flow: momentun": (
        "2:7: flow: expected one of gradient, momentum, decay, nmf, icnn, got 'momentun' (did you"
        " mean momentum?)"
    ),
    "flow: {momentum: {friction: 0.9}}": (
        "2:29: friction: expected 0 or 3/t, got 0.9; without this key the friction is a constant"
    ),
    "flow: {momentum: {}, decay: {only: [U1]}}": (
        "2:7: flow: expected one of momentum, decay, mirror, got 2 keys"
    ),
    "flow: {decay: {only: [U1, U9]}}": (
        "2:27: flow: decay: only: expected arrays among U1, U2, got 'U9'"
    ),
    "flow: {decay: {only: [U1, U1]}}": "2:22: only: expected every array once, got U1 2 times",
    "flow: {decay: {only: []}}": (
        "2:22: only: expected a list of arrays such as [U1, U2], got an empty list"
    ),
    "flow: {mirror: {metric: {W1: entropy}}}": (
        "2:26: flow: mirror: metric: expected arrays among U1, U2, got 'W1'"
    ),
    "flow: {mirror: {metric: {U1: {power: -1}}}}": (
        "2:38: power: expected an integer from 0 to 100, got -1"
    ),
    "flow: {mirror: {rates: {U1: 0.1}}}": (
        "2:29: U1: expected a positive rational number such as 1/10, of parts up to 1,000,000, got"
        " 0.1"
    ),
    "flow: {mirror: {rates: {U1: -1/2}}}": (
        "2:29: U1: expected a positive rational number such as 1/10, of parts up to 1,000,000, got"
        " '-1/2'"
    ),
    "flow: {mirror: {rates: {U1: 1/0}}}": (
        "2:29: U1: expected a positive rational number such as 1/10, of parts up to 1,000,000, got"
        " '1/0'"
    ),
    "flow: {mirror: {}}": "2:16: mirror: expected metric, rates or both",
}


@pytest.mark.parametrize("line", MISTAKES)
def test_a_mistake_has_its_place(line: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse(f"widths: [3, 4, 2]\n{line}\n", "s.yaml")
    assert str(caught.value) == f"s.yaml:{MISTAKES[line]}"


def test_a_mistake_on_the_command_line_names_the_flag() -> None:
    for flow, message in {
        "{momentum: {friction: 2}}": "Error: --flow: friction: expected 0 or 3/t, got 2",
        "{decay: {only: [U3]}}": "Error: --flow: decay: only: expected arrays among U1, U2, got 'U3'",  # noqa: E501
        "{momentum": "Error: --flow: not valid YAML",
    }.items():
        done = conslaw("count", "--widths", "3,4,2", "--flow", flow)
        assert (done.exit_code, done.stdout) == (2, "")
        assert done.stderr.startswith(message)
    assert conslaw("count", "--flow", "momentum").exit_code == 2


def test_alternatives_in_a_grid() -> None:
    text = "grid: {widths: [[3, 4, 2]], activation: linear, flow: [gradient, momentum, decay]}"
    problems = parse(text, "s.yaml").problems
    assert [problem.flow for problem in problems] == [GRADIENT, Momentum(), Decay()]
    names = ["linear 3-4-2", "linear 3-4-2 momentum", "linear 3-4-2 decay"]
    assert [problem.name for problem in problems] == names
    random = "random: {count: 2, depth: 2, widths: 3, flow: nmf}"
    assert all(problem.flow.describe() == "nmf" for problem in parse(random, "s.yaml").problems)


def test_reversal_needs_a_flow_that_treats_arrays_alike() -> None:
    text = "grid: {depth: 2, widths: [1, 2], up_to_reversal: true, activation: linear, flow: icnn}"
    with pytest.raises(SpecError, match="up_to_reversal: expected flows that treat all arrays"):
        parse(text, "s.yaml")


@pytest.mark.parametrize("text", READ)
def test_flows_that_name_no_arrays_say_so(text: str) -> None:
    assert READ[text].even_handed == (text in EVEN_HANDED)


EVEN_HANDED = [
    "gradient",
    "momentum",
    "{momentum: {friction: 0}}",
    '{momentum: {friction: "3/t"}}',
    "decay",
    "nmf",
]


def columns(*arguments: str) -> list[str]:
    return conslaw("count", "--widths", "3,4,2", *arguments).stdout.splitlines()[0].split()


def test_the_table_shows_flow_and_state_only_beside_other_flows() -> None:
    assert "state" not in columns()
    assert "flow" not in columns("--flow", "gradient")
    found = columns("--flow", "momentum")
    assert found[:4] == ["name", "flow", "D", "state"]


def test_a_row_tells_flow_and_state_only_of_other_flows() -> None:
    from conslaw_cli.problems.records import LawCount

    linear = MLP((3, 4, 2), "linear")
    plain, moving = (count_laws(Problem(linear, flow)).to_json() for flow in (GRADIENT, Momentum()))
    assert not {"flow", "state"} & set(plain)
    assert "laws_free_of_time" not in plain["evidence"]
    figures: dict[str, Any] = {"flow": "momentum", "state": 41, "dim_lie": 35, "laws": 6}
    assert {key: moving[key] for key in figures} == figures
    assert moving["evidence"]["laws_free_of_time"] == 5
    assert LawCount.from_json(moving).to_json() == moving


def test_the_spec_of_flows_is_as_it_expects(tmp_path: Path) -> None:
    spec = str(ROOT / "configs" / "flows.yaml")
    done = conslaw("sweep", spec, "-o", str(tmp_path / "flows.jsonl"), "--json", "--require-proof")
    assert done.exit_code == 0, done.stderr
