"""The README's commands work and print what it says; its specs and its Python run."""

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from conslaw_cli.cli import main
from conslaw_cli.specs.spec import parse

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


CONSOLE = [block.partition("\n") for block in blocks("console") if block.startswith("$ conslaw ")]


@pytest.mark.parametrize(
    ("line", "output"), [(a, c) for a, _, c in CONSOLE], ids=lambda text: text[:50]
)
def test_command(line: str, output: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)
    done = CliRunner().invoke(main, shlex.split(line)[2:], prog_name="conslaw")
    assert done.exit_code == 0, done.stderr
    assert done.stdout == output or not output


@pytest.mark.parametrize("text", blocks("yaml"), ids=["sweep", "layers", "formulas", "flows"])
def test_spec(text: str) -> None:
    assert parse(text, "README.md").architectures


@pytest.mark.parametrize("text", blocks("python"))
def test_python(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(text, "README.md", "exec"), {})
    assert capsys.readouterr().out == "4 proved\n"


def test_files_exist() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_gate_runs_the_test_command() -> None:
    command = README.partition("<!-- test command -->\n```console\n")[2].partition("\n```")[0]
    assert "python -m pytest" in command
    assert "'/<!-- test command -->/,/^```$/p'" in (ROOT / ".ci" / "run").read_text()
