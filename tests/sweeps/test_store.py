"""What a sweep's file promises: damaged rows are found, nobody's file is destroyed, and what others
do to it while it is in use costs no row.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import multiprocessing.connection  # noqa: F401  # holds what os.write is when it is loaded
import os
import re
import shutil
import signal
import threading
import time
import tracemalloc
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from conslaw_cli.errors import OutputError, SpecError
from conslaw_cli.families.formulas.custom import CustomMap
from conslaw_cli.families.mlp import MLP
from conslaw_cli.lie.count import count_laws
from conslaw_cli.problems.problem import Architecture, Problem
from conslaw_cli.problems.records import VERSION, LawCount
from conslaw_cli.sweeps import lines, signals
from conslaw_cli.sweeps.jobs import Job, Limits, Outcome, Rows, Unclaimed, plan
from conslaw_cli.sweeps.processes import run
from conslaw_cli.sweeps.store import RowId, Store
from conslaw_cli.sweeps.sweep import resume

RESULTS = Path(__file__).parents[2] / "results" / "published"
FAMILIES = Path(__file__).parents[1] / "data" / "families-0.1.0.jsonl"
"""Rows of version 0.1.0, some of them computed."""
RELU = MLP((3, 4, 2), "relu")
DEEP = MLP((1, 2, 2, 1), "linear")
ROWS = {each.name: count_laws(each) for each in (RELU, DEEP, MLP((2, 3, 2), "linear"))}
KEYS = {each.name: Problem(each).key(0) for each in (RELU, DEEP, MLP((2, 3, 2), "linear"))}
IDS = [(KEYS[name], name) for name in ROWS]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s.jsonl"


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def store(path: Path, said: list[str]) -> Iterator[Store]:
    with Store(str(path), VERSION, said.append) as opened:
        yield opened


def add(store: Store, *names: str) -> None:
    for name in names or ROWS:
        store.append([(KEYS[name], ROWS[name])])


def fill(path: Path) -> list[bytes]:
    """Write a store of all rows; return its lines."""
    with Store(str(path), VERSION, list[str]().append) as store:
        add(store)
    return path.read_bytes().splitlines()


def names(path: Path) -> list[str]:
    return [json.loads(line)["name"] for line in path.read_bytes().splitlines()]


def old(line: bytes) -> bytes:
    """Return a line as version 0.1.0 wrote it: without a digest."""
    return re.sub(rb'"digest":"\w+",', b"", line)


# ---- lines


def test_the_bytes_of_a_line_before_its_seconds_depend_on_the_row_alone() -> None:
    first, second = (
        lines.encode("key", replace(ROWS[RELU.name], seconds=seconds)) for seconds in (0.5, 1e-06)
    )
    assert first.endswith(b',"seconds":0.5}')
    assert second.endswith(b',"seconds":1e-06}')
    assert first.partition(b',"seconds"')[0] == second.partition(b',"seconds"')[0]
    digest = json.loads(first)["digest"]
    assert digest == hashlib.sha256(first[: first.index(b'"digest"')]).hexdigest()


@pytest.mark.parametrize("name", ['"digest":"', 'a","verdict":"failed', "Größe \\ 1", "\ud800"])
def test_any_name_is_found_again(name: str) -> None:
    row = replace(ROWS[RELU.name], name=name)
    line = lines.encode("key", row)
    assert lines.head(line).id == lines.row_id("key", name)
    assert (lines.head(line).verdict, lines.head(line).version) == ("proved", VERSION)
    assert lines.decode(line) == row


def test_every_flipped_bit_is_noticed() -> None:
    line = lines.encode(KEYS[RELU.name], ROWS[RELU.name])
    seconds = line.rindex(b":") + 1
    for place in range(seconds):
        for bit in range(8):
            flipped = line[:place] + bytes([line[place] ^ 1 << bit]) + line[place + 1 :]
            with pytest.raises(ValueError, match=r"."):
                lines.head(flipped)


def test_rows_of_the_first_version_are_as_good_as_they_were() -> None:
    published = [RESULTS / f"{name}.jsonl" for name in ("examples", "laws", "linear", "relu")]
    for file in (*published, FAMILIES):
        for line in file.read_bytes().splitlines():
            assert b'"digest"' not in line
            assert lines.head(line).version == "0.1.0"


@pytest.mark.parametrize(
    ("component", "kept"),
    [
        ("x*(1/(1+sqrt(2))-sqrt(2)+1)", False),
        ("x*(2**(1/2)-1)", False),
        ("x*(2**0.5-1)", False),
        ("x*((1+2)**(-1/3)-1)", False),
        ("x2**(1/2)*y", True),
        ("x/sqrt(x**2 + 3*y**2)", True),
        ("(2*x)**3 + 2**3", True),
    ],
)
def test_an_old_row_with_roots_of_numbers_is_counted_again(component: str, kept: bool) -> None:
    """Version 0.1.0 called such rows proved where a constant was zero and did not look so."""
    line = old(lines.encode("key", count_laws(CustomMap.from_text(component))))
    job = Problem(CustomMap.from_text(component)).key(0)
    line = line.replace(b'"job":"key"', f'"job":"{job}"'.encode())
    if kept:
        assert lines.head(line).verdict == "proved"
    else:
        with pytest.raises(ValueError, match="constants were not compared exactly"):
            lines.head(line)


def laws_row() -> bytes:
    """Return a published row of laws.jsonl: linear 1-2-2-1, of whose 7 laws 6 are polynomials."""
    text = (RESULTS / "laws.jsonl").read_bytes().splitlines()
    return next(line for line in text if b'"not_polynomial":1' in line and b"[1,2,2,1]" in line)


def relu_row() -> bytes:
    """Return a published row of relu.jsonl: 77 parameters, dim Lie 70, 7 laws, all known."""
    return (RESULTS / "relu.jsonl").read_bytes().splitlines()[0]


LOWER = '"lower":' + json.dumps(json.loads(relu_row())["evidence"]["lower"], separators=(",", ":"))


def computed_row() -> bytes:
    """Return the last of these rows: 3 parameters, dim Lie 2, 1 law, computed."""
    return FAMILIES.read_bytes().splitlines()[-1]


@pytest.mark.parametrize(
    ("line", "part", "other"),
    [
        (
            relu_row(),
            '"laws":7,"known_listed":7,"known_independent":7,"unknown_laws":0',
            '"laws":8,"known_listed":7,"known_independent":7,"unknown_laws":1',
        ),
        (relu_row(), LOWER, '"lower":[]'),
        *(
            (relu_row(), f'"{key}":{value}', f'"{key}":{other}')
            for key, value, other in (
                ("laws", 7, 8),
                ("laws", 7, '"7"'),
                ("laws", 7, "null"),
                ("laws", 7, "[7]"),
                ("laws", 7, "7.0"),
                ("laws", 7, '7,"laws":9'),
                ("dim_lie", 70, 3),
                ("dim_lie", 70, 71),
                ("parameters", 77, "NaN"),
                ("parameters", 77, "Infinity"),
                ("parameters", 77, 78),
                ("known_listed", 7, 8),
                ("known_listed", 7, 6),
                ("known_independent", 7, 6),
                ("unknown_laws", 0, 1),
                ("unknown_laws", 0, "false"),
                ("trace", "[70]", "[1,2,70]"),
                ("trace", "[70]", "[]"),
                ("trace", "[70]", "[71]"),
                ("trace", "[70]", "70"),
                ("involutive", "true", "false"),
                ("involutive", "true", 1),
                ("verdict", '"proved"', '"computed"'),
                ("verdict", '"proved"', '"failed"'),
                ("verdict", '"proved"', '"provee"'),
                ("error_bound", "null", "Infinity"),
                ("error_bound", "null", 0.5),
                ("value", 70, 71),
                ("value", 70, -70),
                ("kind", '"proof"', '"random"'),
                ("prime", 7980391, 7980392),
                ("prime", 7980391, "0"),
                ("complete", "true", "1"),
                ("scope", "null", "1"),
                ("seed", 0, 1),
                ("seed", 0, '"a"'),
                ("widths", "[9,7,2]", "[90,70,20]"),
                ("activation", '"relu"', '"linear"'),
                ("loss", '"mse"', '"cross_entropy"'),
                ("version", '"0.1.0"', "1"),
                ("seconds", "0.004832", "NaN"),
                ("seconds", "0.004832", "-1"),
                ("seconds", "0.004832", "1e999"),
                ("seconds", "0.004832", "true"),
                ("method", '"brackets"', "1"),
            )
        ),
        (relu_row(), " 7 known", " 8 known"),
        (relu_row(), "rank 70 at", "rank 71 at"),
        (relu_row(), '"involutive":true,', ""),
        (relu_row(), '"seed":0,', '"seed":0,"mine":1,'),
        (relu_row(), '"scope":null}', '"scope":null,"mine":1}'),
        (computed_row(), '"error_bound":2.375182024940172e-19', '"error_bound":3e-19'),
        (computed_row(), '"verdict":"computed"', '"verdict":"proved"'),
        (laws_row(), '"independent":6,', ""),
        (laws_row(), '"independent":6', '"independent":5'),
        (laws_row(), '"new":0', '"new":1'),
        (laws_row(), '"not_polynomial":1', '"not_polynomial":0'),
        (laws_row(), '"linear":6', '"linear":5'),
        (laws_row(), '"linear":6', '"linear":6.0'),
        (laws_row(), '"degree":2', '"degree":3'),
    ],
)
def test_a_row_without_a_digest_must_agree_with_itself(line: bytes, part: str, other: str) -> None:
    assert lines.head(line)
    changed = line.replace(part.encode(), other.encode(), 1)
    assert changed != line
    with pytest.raises(ValueError, match=r"."):
        lines.head(changed)
    assert lines.resembles_row(changed)


def test_a_digest_does_not_stand_for_the_number_after_it() -> None:
    line = lines.encode("key", replace(ROWS[RELU.name], seconds=0.25))
    for number in (b"NaN", b"Infinity", b"-1", b"1e999", b"007", b"true", b'"1"', b"", b"1,1"):
        with pytest.raises(ValueError, match="end is not"):
            lines.head(line.replace(b"0.25", number))


# ---- damaged lines


@pytest.mark.parametrize("form", [lambda line: line, old])
def test_a_damaged_row_is_named_set_aside_and_missing(
    path: Path, said: list[str], form: Callable[[bytes], bytes]
) -> None:
    good = [form(line) for line in fill(path)]
    bad = good[1].replace(b'"laws":7', b'"laws":8')
    assert bad != good[1]
    path.write_bytes(b"".join(line + b"\n" for line in (good[0], bad, good[2])))
    with Store(str(path), VERSION, said.append) as store:
        assert store.verdict(IDS[1]) is None
        assert store.get(IDS[1]) is None
        assert store.get(IDS[2]) is not None
    (what,) = said
    assert what.startswith(f"{path}:2: ")
    assert what.endswith(f"; the line is now in {path}.rejected")
    assert path.read_bytes().splitlines() == [good[0], good[2]]
    assert Path(f"{path}.rejected").read_bytes() == bad + b"\n"


def test_names_and_keys_of_other_rows_are_noticed(path: Path, said: list[str]) -> None:
    rows = [json.loads(line) for line in fill(path)]
    ends = [(row["name"], row["job"]) for row in rows]
    for row, (name, job) in zip(rows, ends[1:] + ends[:1], strict=True):
        row.update(name=name, job=job)
    for digest in (True, False):
        text = [json.dumps(row, separators=(",", ":")).encode() for row in rows]
        path.write_bytes(b"".join((line if digest else old(line)) + b"\n" for line in text))
        said.clear()
        with Store(str(path), VERSION, said.append) as store:
            assert [store.get(each) for each in IDS] == [None] * 3
        assert len(said) == 3
    assert len(Path(f"{path}.rejected").read_bytes().splitlines()) == 6


def test_a_row_that_its_digest_covers_but_nobody_can_read_is_missing(
    path: Path, said: list[str]
) -> None:
    good = fill(path)
    start = good[0].replace(b'"involutive":true,', b"").partition(b'"digest"')[0]
    digest = hashlib.sha256(start).hexdigest()
    bad = start + f'"digest":"{digest}","seconds":1}}'.encode()
    path.write_bytes(bad + b"\n" + good[1] + b"\n")
    with Store(str(path), VERSION, said.append) as store:
        assert store.verdict(IDS[0]) == "proved", "nothing is parsed before it is needed"
        assert not said
        assert store.get(IDS[0]) is None
        assert store.verdict(IDS[0]) is None
        assert store.get(IDS[1]) == ROWS[IDS[1][1]]
    assert path.read_bytes() == good[1] + b"\n"
    assert Path(f"{path}.rejected").read_bytes() == bad + b"\n"


def test_only_rows_that_are_asked_for_are_parsed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(path)
    parsed: list[str] = []
    read = LawCount.from_json.__func__  # type: ignore[attr-defined]
    monkeypatch.setattr(
        LawCount,
        "from_json",
        classmethod(lambda cls, row: parsed.append(row["name"]) or read(cls, row)),  # type: ignore[func-returns-value]
    )
    with Store(str(path), VERSION, list[str]().append) as store:
        assert [store.verdict(each) for each in IDS] == ["proved"] * 3
        store.settle(IDS[::-1])
        assert parsed == []
        store.get(IDS[1])
    assert parsed == [IDS[1][1]]


def test_the_rejected_rows_go_to_no_file_but_their_own(path: Path) -> None:
    bad = fill(path)[0].replace(b'"laws":4', b'"laws":5')
    path.write_bytes(bad + b"\n")
    Path(f"{path}.rejected").write_text("widths: [3, 4, 2]\n")
    with pytest.raises(SpecError, match=r"\.rejected: expected rejected rows of a sweep"):
        Store(str(path), VERSION, list[str]().append)
    assert path.read_bytes() == bad + b"\n"
    assert Path(f"{path}.rejected").read_text() == "widths: [3, 4, 2]\n"


# ---- files that are none of ours


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "precious": true}',
        '{"widths": [3,4,2]}',
        '{"widths":[3,4,2]}',
        '{"name":"mine","widths":[3,4,2]}',
        '{"name":"mine", widths: [3,4,2]}',
        '{"name":"mine","activation":"relu","widths":[3,4,2]}',
        '{"name":"mine","values":[1,2,3',
        '{"name":"mine", "values":[1,2,3',
        '{"name":"a","activation":"relu","widths":[3,4,2],"bias":false,"loss":"mse"}\n',
        '{"name": "mine"',
        "\0\0\0",
        "hello\n",
    ],
)
def test_what_no_sweep_wrote_is_left_as_it_is(path: Path, text: str) -> None:
    path.write_text(text)
    before = path.stat()
    with pytest.raises(SpecError, match=r"s\.jsonl: expected rows of a sweep, found none"):
        Store(str(path), VERSION, list[str]().append)
    assert path.read_text() == text
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_half_a_row_is_cut_off_and_half_of_anything_else_kept(path: Path, said: list[str]) -> None:
    first, second, _ = fill(path)
    for half, kept in ((second[:-9], b""), (b"\0" * 9, b""), (b'{"note":"mi', b'{"note":"mi\n')):
        path.write_bytes(first + b"\n" + half)
        with Store(str(path), VERSION, said.append):
            pass
        assert path.read_bytes() == first + b"\n" + kept
    assert [message.partition(": ")[2][:7] for message in said] == ["cut off", "cut off", "1 unrea"]


def test_the_second_keys_of_rows_are_those_that_families_begin_with() -> None:
    made: list[Architecture] = [RELU, CustomMap.from_text("x*y")]
    for file in ("families", "examples"):
        found = [json.loads(line) for line in (RESULTS / f"{file}.jsonl").read_bytes().splitlines()]
        seconds = {list(row)[1] for row in found}
        assert all(lines.is_begun(f'{{"name":"a","{key}":'.encode()) for key in seconds)
    for each in made:
        (key, *_) = each.describe()
        assert lines.is_begun(f'{{"name":"a","{key}":'.encode())


# ---- while it is in use


def lose_nothing(store: Store, path: Path, meddle: Callable[[], object]) -> None:
    """Write a row, let others meddle with the file, write the rest."""
    first, *rest = ROWS
    add(store, first)
    meddle()
    add(store, *rest)


def test_a_store_that_is_deleted_is_written_again(
    store: Store, path: Path, said: list[str]
) -> None:
    lose_nothing(store, path, path.unlink)
    assert names(path) == list(ROWS)
    assert said == [f"{path}: was removed while in use; its lines are written again"]


def test_a_store_that_is_deleted_at_the_end_is_written_again(path: Path, said: list[str]) -> None:
    with Store(str(path), VERSION, said.append) as store:
        add(store)
        path.unlink()
    assert names(path) == list(ROWS)


@pytest.mark.parametrize("settle", [True, False])
def test_a_store_whose_directory_is_deleted_is_written_again(
    tmp_path: Path, said: list[str], settle: bool
) -> None:
    path = tmp_path / "folder" / "s.jsonl"
    path.parent.mkdir()
    with Store(str(path), VERSION, said.append) as store:
        add(store)
        shutil.rmtree(path.parent)
        if settle:
            store.settle(IDS)
    assert names(path) == list(ROWS)


def test_a_store_that_is_moved_is_written_again(store: Store, path: Path) -> None:
    moved = path.with_name("moved")
    lose_nothing(store, path, lambda: path.rename(moved))
    assert names(path) == list(ROWS)
    assert names(moved) == list(ROWS)[:1]


@pytest.mark.parametrize("size", [0, 100])
def test_a_store_that_is_truncated_is_written_again(
    store: Store, path: Path, said: list[str], size: int
) -> None:
    lose_nothing(store, path, lambda: os.truncate(path, size))
    assert names(path) == list(ROWS)
    assert said == [f"{path}: lost lines while in use; they are written again"]


def test_rows_from_before_are_written_again_too(path: Path, said: list[str]) -> None:
    fill(path)
    with Store(str(path), VERSION, said.append) as store:
        os.truncate(path, 0)
        store.settle(IDS)
    assert names(path) == list(ROWS)


def test_what_others_append_stays(store: Store, path: Path, said: list[str]) -> None:
    note = '{"note":"mine"}'

    def meddle() -> None:
        with path.open("a") as file:
            file.write(note)

    lose_nothing(store, path, meddle)
    store.settle(IDS[::-1])
    found = path.read_text().splitlines()
    assert [json.loads(line)["name"] for line in found[:-1]] == list(ROWS)[::-1]
    assert found[-1] == note
    assert said == []


def test_a_row_that_others_append_is_found(store: Store, path: Path) -> None:
    line = lines.encode("another key", ROWS[RELU.name])
    add(store, DEEP.name)
    with path.open("ab") as file:
        file.write(line + b"\n")
    assert store.get(("another key", RELU.name)) is None
    store.settle([])
    assert store.get(("another key", RELU.name)) == ROWS[RELU.name]


def another_file(path: Path) -> None:
    path.rename(path.with_name("moved"))
    path.write_text("hello\n")


def overwrite(path: Path) -> None:
    path.write_text("hello\n")


def another_store(path: Path) -> None:
    path.unlink()
    path.write_bytes(lines.encode("another key", ROWS[RELU.name]) + b"\n")


@pytest.mark.parametrize("meddle", [another_file, overwrite, another_store])
@pytest.mark.parametrize("moment", ["between rows", "before the end", "at the end"])
def test_another_file_in_its_place_is_left_alone(
    path: Path, said: list[str], meddle: Callable[[Path], None], moment: str
) -> None:
    beside = Path(f"{path}.1")
    with Store(str(path), VERSION, said.append) as store:
        add(store, *list(ROWS)[:2])
        if moment == "between rows":
            meddle(path)
            foreign = path.read_bytes()
        add(store, *list(ROWS)[2:])
        if moment == "before the end":
            meddle(path)
            foreign = path.read_bytes()
        store.settle(IDS[::-1])
        order = list(ROWS)[::-1]
        if moment == "at the end":
            meddle(path)
            foreign = path.read_bytes()
    assert path.read_bytes() == foreign
    assert names(beside) == order
    assert said == [
        f"{path}: another file took its place and is left as it is; the lines are in {beside}"
    ]
    assert store.path == str(beside)


def test_a_change_that_no_size_and_no_time_tells_is_undone(store: Store, path: Path) -> None:
    add(store)
    written, times = path.read_bytes(), path.stat()
    with path.open("rb+") as file:
        file.write(b"#")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    store.settle(IDS)
    assert path.read_bytes().startswith(written)


def test_a_copy_of_the_store_in_its_place_goes_on_being_it(store: Store, path: Path) -> None:
    def edit() -> None:
        shutil.copy(path, path.with_name("copy"))
        with path.with_name("copy").open("a") as file:
            file.write('{"note":"mine"}\n')
        os.replace(path.with_name("copy"), path)

    lose_nothing(store, path, edit)
    store.settle(IDS)
    found = path.read_text().splitlines()
    assert [json.loads(line).get("name") for line in found] == [*ROWS, None]
    assert not Path(f"{path}.1").exists()


def test_rows_take_no_memory(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Less than 300 bytes each, of which most are an index; a line is more than 1,000."""
    monkeypatch.setattr("conslaw_cli.sweeps.held.BUFFER", 1 << 14)
    row, held = ROWS[RELU.name], []
    for number in (2000, 4000):
        copies = (lines.encode(f"{n:064}", row) for n in range(number))
        path.write_bytes(b"".join(line + b"\n" for line in copies))
        tracemalloc.start()
        with Store(str(path), VERSION, print) as store:
            held.append(tracemalloc.get_traced_memory()[0])
            assert store.get((f"{number - 1:064}", row.name)) == row
        tracemalloc.stop()
    assert held[1] - held[0] < 2000 * 300


# ---- better and worse rows


def test_a_row_makes_room_only_for_one_that_is_as_good(store: Store, path: Path) -> None:
    proved = ROWS[RELU.name]
    computed = replace(proved, verdict="computed", seconds=2.0)
    failed = LawCount(
        proved.name, proved.architecture, 0, VERSION, 3.0, verdict="failed", reason="killed"
    )
    again = replace(proved, seconds=4.0)
    for row, expected in (
        (failed, failed),
        (computed, computed),
        (failed, computed),
        (proved, proved),
        (computed, proved),
        (failed, proved),
        (again, again),
    ):
        store.append([("key", row)])
        found = store.get(("key", RELU.name))
        assert found is not None
        assert (found.verdict, found.seconds) == (expected.verdict, expected.seconds)
    store.settle([("key", RELU.name)])
    (line,) = path.read_bytes().splitlines()
    assert json.loads(line)["seconds"] == 4.0


def test_a_failure_takes_no_room_from_a_row_of_another_version(store: Store, path: Path) -> None:
    row = ROWS[RELU.name]
    store.append([("key", replace(row, version="0"))])
    store.append([("key", replace(row, verdict="failed", reason="killed"))])
    store.settle([("key", RELU.name)])
    assert [json.loads(line)["verdict"] for line in path.read_bytes().splitlines()] == [
        "failed",
        "proved",
    ]


# ---- the order of calls


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Record what is done to files, by the last part of their names."""
    seen: list[str] = []

    def name(fd: int) -> str:
        return re.sub(r"\.conslaw-\w+", "new", Path(os.readlink(f"/proc/self/fd/{fd}")).name)

    def recorded(call: str, real: Callable[..., object]) -> Callable[..., object]:
        def wrapped(fd: int, *rest: object) -> object:
            seen.append(f"{call} {name(fd)}")
            return real(fd, *rest)

        return wrapped

    for each in ("write", "fsync"):
        monkeypatch.setattr(os, each, recorded(each, getattr(os, each)))
    real_flock, real_replace = fcntl.flock, os.replace

    def flock(fd: int, how: int) -> None:
        seen.append(f"lock {name(fd)}")
        real_flock(fd, how)

    def rename(here: str, there: str) -> None:
        seen.append("rename")
        real_replace(here, there)

    monkeypatch.setattr(fcntl, "flock", flock)
    monkeypatch.setattr(os, "replace", rename)
    return seen


def test_a_row_is_on_the_disk_before_it_is_yielded(store: Store, calls: list[str]) -> None:
    rows = resume(plan([RELU, DEEP], 0), store, partial(run, limits=Limits(), workers=1))
    next(rows)
    assert calls == ["write s.jsonl", "fsync s.jsonl"]
    rows.close()


def test_the_name_of_a_new_file_is_on_the_disk_before_a_row_is(
    path: Path, calls: list[str]
) -> None:
    with Store(str(path), VERSION, list[str]().append) as store:
        add(store, RELU.name)
        folder = f"fsync {path.parent.name}"
        assert calls == ["lock s.jsonl", folder, "write s.jsonl", "fsync s.jsonl"]
        calls.clear()
        path.unlink()
        add(store, DEEP.name)
        new = ["lock s.jsonl", "write s.jsonl", "fsync s.jsonl", folder]
        assert calls == [*new, "write s.jsonl", "fsync s.jsonl"]
    assert names(path) == [RELU.name, DEEP.name]


def test_a_file_is_whole_on_the_disk_and_locked_before_it_replaces_another(
    store: Store, path: Path, calls: list[str]
) -> None:
    add(store)
    calls.clear()
    store.settle(IDS[::-1])
    folder = path.parent.name
    assert calls == ["lock new", "write new", "fsync new", "rename", f"fsync {folder}"]


def test_a_file_that_takes_ten_bytes_at_a_time_gets_whole_rows(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, bytes(data)[:10]))
    add(store)
    store.settle(IDS[::-1])
    monkeypatch.undo()
    found = [lines.decode(line) for line in path.read_bytes().splitlines()]
    assert found == list(ROWS.values())[::-1]


def test_a_file_that_is_replaced_while_the_lock_is_taken_is_opened_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flock, others = fcntl.flock, [path.with_name("other")]
    fill(others[0])

    def replaced(fd: int, how: int) -> None:
        flock(fd, how)
        if others:
            os.replace(others.pop(), path)

    monkeypatch.setattr(fcntl, "flock", replaced)
    with Store(str(path), VERSION, list[str]().append) as store:
        monkeypatch.undo()
        assert [store.get(each) for each in IDS] == list(ROWS.values())
        add(store, RELU.name)
        assert names(path) == [*ROWS, RELU.name]
        with pytest.raises(SpecError, match="another sweep is writing to it"):
            Store(str(path), VERSION, list[str]().append)


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_an_interrupt_inside_a_replacement_waits_for_its_end(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    add(store)
    real = getattr(os, call)

    def interrupted(*arguments: object) -> object:
        os.kill(os.getpid(), signal.SIGINT)
        return real(*arguments)

    monkeypatch.setattr(os, call, interrupted)
    with pytest.raises(KeyboardInterrupt):
        store.settle(IDS[::-1])
    monkeypatch.undo()
    assert names(path) == list(ROWS)[::-1]
    assert [each.name for each in path.parent.iterdir()] == ["s.jsonl"]


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_an_interrupt_while_a_row_is_written_loses_nothing(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    real = getattr(os, call)

    def interrupted(fd: int, *rest: object) -> object:
        done = real(fd, *rest)
        os.kill(os.getpid(), signal.SIGINT)
        return done

    monkeypatch.setattr(os, call, interrupted)
    with pytest.raises(KeyboardInterrupt):
        add(store, RELU.name)
    monkeypatch.undo()
    assert names(path) == [RELU.name]
    assert store.get(IDS[0]) == ROWS[RELU.name]


# ---- a full disk


def test_a_row_that_cannot_be_written_leaves_no_half_and_is_found(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(store, RELU.name)
    write, calls = os.write, []

    def full(fd: int, data: bytes) -> int:
        calls.append(len(data))
        if len(calls) > 1:
            raise OSError(28, "No space left on device")
        return write(fd, bytes(data)[:50])

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OutputError, match=r"s\.jsonl: cannot keep rows there: No space left"):
        add(store, DEEP.name)
    monkeypatch.undo()
    assert names(path) == [RELU.name]
    assert store.get(IDS[1]) == ROWS[DEEP.name]


def test_of_rows_that_are_written_together_those_that_fit_are_kept(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [(KEYS[name], ROWS[name]) for name in ROWS]
    room = sum(len(lines.encode(*row)) + 1 for row in rows[:2]) + 7
    write = os.write

    def full(fd: int, data: bytes) -> int:
        if not (fits := bytes(data)[: room - path.stat().st_size]):
            raise OSError(28, "No space left on device")
        return write(fd, fits)

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OutputError, match="No space left"):
        store.append(rows)
    monkeypatch.undo()
    assert names(path) == [*ROWS][:2]
    assert [store.get(each) for each in IDS] == [*ROWS.values()]


# ---- what has finished

CHUNK = 20


def first_width(problem: Problem) -> int:
    widths: list[int] = problem.architecture.describe()["widths"]
    return widths[0]


def marked(folder: Path, problem: Problem, *, seed: int, memory: int | None) -> LawCount:
    """Be done at once, but for every twentieth network, which takes for ever."""
    number = first_width(problem)
    if number % CHUNK == 0:
        time.sleep(100)
    (folder / str(number)).touch()
    return replace(ROWS[DEEP.name], name=problem.name)


def marked_jobs(number: int) -> list[Job]:
    jobs = plan([MLP((n, 2, 1), "linear") for n in range(1, number + 1)], seed=0)
    return [replace(job, cost=0.01) for job in jobs]


def wait_for(folder: Path, files: int) -> None:
    deadline = time.monotonic() + 20
    while len(list(folder.iterdir())) < files:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(0.3)


def test_rows_that_are_finished_but_not_taken_are_there_when_a_sweep_is_left(
    tmp_path: Path,
) -> None:
    unclaimed: dict[RowId, Any] = {}
    jobs = marked_jobs(CHUNK)
    rows = run(jobs, Limits(), 1, partial(marked, tmp_path), unclaimed)
    taken = {job.id for job, _ in next(rows)}
    wait_for(tmp_path, CHUNK - 1)
    rows.close()
    assert taken | unclaimed.keys() == {job.id for job in jobs[:-1]}


def test_a_sweep_that_is_left_stores_what_has_finished(store: Store, path: Path) -> None:
    jobs = plan([RELU, DEEP], 0)

    def far_ahead(_: Sequence[Job], *, unclaimed: Unclaimed) -> Generator[Rows, None, None]:
        for job in jobs:
            unclaimed[job.id] = Outcome(job, ROWS[job.problem.architecture.name])
        yield [(jobs[0], ROWS[RELU.name])]

    rows = resume(jobs, store, far_ahead)
    next(rows)
    assert names(path) == [RELU.name]
    rows.close()
    assert names(path) == [RELU.name, DEEP.name]


def test_no_row_that_is_finished_is_lost_when_a_sweep_is_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("conslaw_cli.sweeps.processes.WORTH_A_WORKER", 0.1)
    unclaimed: dict[RowId, Any] = {}
    jobs = marked_jobs(2 * CHUNK)

    def interrupt() -> None:
        wait_for(tmp_path, 2 * CHUNK - 2)
        os.kill(os.getpid(), signal.SIGINT)

    taken = list[RowId]()

    def take() -> None:
        for rows in run(jobs, Limits(), 2, partial(marked, tmp_path), unclaimed):
            taken.extend(job.id for job, _ in rows)
            # From the first row on this is slower than those who count.
            thread.join()

    with signals.held_back():
        thread = threading.Thread(target=interrupt)
        thread.start()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with pytest.raises(KeyboardInterrupt):
        take()
    signal.signal(signal.SIGINT, before)
    stuck = {jobs[CHUNK - 1].id, jobs[-1].id}
    assert sorted([*taken, *unclaimed]) == sorted({job.id for job in jobs} - stuck)


def test_rows_that_follow_at_once_are_on_the_disk_soon(store: Store, calls: list[str]) -> None:
    """A row waits for the disk; those of the next tenth of a second do so together."""
    for _ in range(20):
        add(store, RELU.name)
    assert calls.count("write s.jsonl") == 20
    written = [i for i, call in enumerate(calls) if call.startswith("write")]
    assert calls.index("fsync s.jsonl") == written[0] + 1
    deadline = time.monotonic() + 60
    while calls[-1] != "fsync s.jsonl" and time.monotonic() < deadline:
        time.sleep(0.01)
    assert calls[-1] == "fsync s.jsonl"


def test_a_row_that_never_comes_to_the_disk_is_told_of(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next row says so, where the disk takes no more after some were written."""
    add(store, RELU.name)

    def full(fd: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="No space left"):  # noqa: PT012
        for _ in range(100):
            add(store, RELU.name)
            time.sleep(0.02)


def test_a_bounded_row_that_names_a_smaller_network_is_read_back(store: Store) -> None:
    row = count_laws(MLP((2, 10000, 9000, 10000, 2), "linear"), memory=1 << 30)
    assert row.complete_at is not None
    store.append([("a" * 64, row)])
    assert store.get(("a" * 64, row.name)) == row
