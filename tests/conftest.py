"""What all tests take for granted of the process they run in."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from conslaw_cli.families import layers
from conslaw_cli.networks.graph import Graph

if os.environ.pop("PYTHONDONTWRITEBYTECODE", None):
    # Hundreds of programs are started, each of which would compile all that it imports again.
    sys.pycache_prefix = str(Path(__file__).parents[1] / ".pytest_cache" / "bytecode")
    sys.dont_write_bytecode = False
    os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix

SUITE = settings(deadline=None)  # the machine may be busy with others
settings.register_profile("suite", SUITE, derandomize=True)  # one commit, one verdict
settings.register_profile("search", SUITE, max_examples=300)  # other examples each time
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))


def pytest_configure() -> None:
    """A shell starts what runs in the background with interrupts ignored, nohup with hang-ups;
    tests, and the programs that they start, are sent some.
    """
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Run the whole suite on all cores, where pytest-xdist is installed and ``-n`` does not say
    otherwise; a part of it, named on the command line, in this process.
    """
    whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    worker = hasattr(config, "workerinput") or config.option.usepdb
    if whole and not worker and getattr(config.option, "numprocesses", 0) is None:
        config.option.numprocesses = os.cpu_count()
        config.option.dist = "worksteal"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that no core is left alone with it at the end."""
    items.sort(key=lambda item: item.path.name != "test_style.py")


@pytest.fixture
def wiring_alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Leave out the autocorrelations of convolutions, as an example of laws that are new."""
    layers._graph.cache_clear()
    monkeypatch.setattr(Graph, "correlations", [])
    yield
    layers._graph.cache_clear()
