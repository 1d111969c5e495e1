"""The code is clean under the project's own linter and type checker, which sees what a user may
write as well.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
USER = """\
from conslaw_cli import *
from conslaw_cli import MLP, CustomFields, CustomMap, LawCount, Layers, Linear, count_laws, find_laws
row: LawCount = count_laws(MLP((3, 4, 2), "relu", "hidden"), seed=1, memory=2**30)
laws: int | None = count_laws(Layers((3,), (Linear(2),))).laws
count_laws(CustomMap.from_text("x*y"))
find_laws(CustomFields((), (("y", "-x"),)), 2)
row.to_dict()["laws"]
reveal_type(row)
count_laws(MLP((3, 4, 2)), sead=3)
count_laws((3, 4, 2))
count_laws(MLP((3, 4, 2)), memory="8G")
MLP((3, 4, 2), loss="ce")
Layers((3,), ("relu",))
from conslaw_cli import count_flaws
"""  # noqa: E501 - a line of a user
"""Lines 1 to 7 are right, 8 asks for the type of a count; every line behind is wrong."""


def said(*command: str | Path) -> tuple[int, str]:
    """Return the exit code of a module, run on the repository, and all that it says."""
    words = [sys.executable, "-m", *map(str, command)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_the_linter_finds_nothing() -> None:
    code, text = said("ruff", "check")
    assert code == 0, text


def test_the_type_checker_finds_nothing_but_what_a_user_does_wrong(tmp_path: Path) -> None:
    """One run for both: it takes longer than anything else here."""
    user = tmp_path / "user.py"
    user.write_text(USER)
    assert (ROOT / "conslaw_cli" / "py.typed").exists()
    _, text = said("mypy", "conslaw_cli", "tests", "examples", user)
    own = [line for line in text.splitlines() if "user.py:" in line]
    others = [line for line in text.splitlines() if line not in own]
    assert [re.sub(r"\(.*", "", line) for line in others] == ["Found 6 errors in 1 file "], text
    revealed = 'note: Revealed type is "conslaw_cli.problems.records.LawCount"'
    assert any(line.endswith(f"user.py:8: {revealed}") for line in own)
    wrong = {int(line) for each in own for line in re.findall(r"user\.py:(\d+): error", each)}
    assert wrong == {9, 10, 11, 12, 13, 14}, text
    assert 'Unexpected keyword argument "sead" for "count_laws"' in text
