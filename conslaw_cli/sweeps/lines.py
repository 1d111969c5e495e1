"""A row as one line of a store.

The line is the row's JSON object, compact and ASCII, with ``job``, the key of the job that it
answers, and ``digest``, the SHA-256 of all bytes of the line before ``"digest"``. ``seconds`` comes
last, so that the same spec and seed give the same bytes up to there. The digest tells accidents,
not forgery. Lines of version 0.1.0 have none: there types and numbers must agree.

A line with a digest that holds is not parsed to know which row it is: the keys needed for that
stand at its two ends.
"""

from __future__ import annotations

import json
import math
import re
from hashlib import sha256
from json.encoder import encode_basestring_ascii as _quoted
from typing import Any, NamedTuple

from conslaw_cli.problems.records import VERDICTS, LawCount
from conslaw_cli.sweeps.validity import flaw

_BOM = b"\xef\xbb\xbf"
_TEXT = rb'"(?:[^"\\]|\\.)*"'
_START = b'{"name":"'
_SECOND = re.compile(rb'\{"name":' + _TEXT + rb',"(\w+)":')
_MARKERS = (b"activation", b"input", b"attention", b"phi", b"fields", b"random_fields")
"""The second key of a row: the first one that a family describes its architectures by."""
_NAME = re.compile(rb'\{"name":("[^"\\]*(?:\\.[^"\\]*)*"),')
_NUMBER = rb"(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"
_TAIL = re.compile(rb'"digest":"([0-9a-f]{64})","seconds":(' + _NUMBER + rb")\}\Z")
_END = re.compile(
    rb',"version":"([^"\\]*)",(?:"polynomial_laws":\{[^{}\\]*\},)?"job":("[^"\\]*"),'
    rb'"digest":"([0-9a-f]{64})","seconds":(?:0|[1-9][0-9]{0,15})(?:\.[0-9]+)?\}\Z'
)
"""How most lines end: all that is looked up but name and verdict."""
_JOB = re.compile(rb'"job":("[^"\\]*"),\Z')
_BEFORE = len(b'"digest":"')
_KEYS = ("parameters", "dim_lie", "trace", "verdict", "evidence", "seed", "version", "job")
_MARKS = (b'{"name":', *(f',"{key}":'.encode() for key in _KEYS))


_RANKS: dict[str, int] = {verdict: rank for rank, verdict in enumerate(reversed(VERDICTS), 1)}


_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False)


class Head(NamedTuple):
    """What a row is looked up and compared by. ``id``: see :func:`row_id`."""

    id: bytes
    version: str
    verdict: str

    @property
    def rank(self) -> int:
        """The larger, the better the verdict; an unknown one is below all others."""
        return _RANKS.get(self.verdict, 0)


def row_id(job: str, name: str) -> bytes:
    """Return the bytes by which a row is found: the key of its job and its name."""
    return (_quoted(job) + _quoted(name)).encode("ascii")


def encode(job: str, row: LawCount) -> bytes:
    """Return the line of a row, without its end."""
    values = row.to_json()
    seconds = repr(values.pop("seconds"))
    values["job"] = job
    text = _ENCODER.encode(values)
    start = f"{text[:-1]},".encode("ascii")
    digest = sha256(start).hexdigest()
    return start + f'"digest":"{digest}","seconds":{seconds}}}'.encode("ascii")


def head(line: bytes) -> Head:
    """Return what a line is looked up by. Raise ValueError, which says why, if it is no sound row:
    a digest does not hold, or without one types or numbers do not agree.
    """
    end, name = _END.search(line, line.rfind(b',"version":"')), _NAME.match(line)
    if end is None or name is None:
        return _careful_head(_stripped(line))
    if sha256(line[: end.start(3) - _BEFORE]).hexdigest() != end[3].decode():
        raise ValueError("the digest does not hold")
    return Head(end[2] + name[1], end[1].decode("ascii", "replace"), _value(line, b"verdict"))


def _careful_head(line: bytes) -> Head:
    """Return the head of a line that may be any other line, or one that people have edited."""
    start = line.rfind(b'"digest":')
    if start < 0:
        return _checked_head(line)
    tail = _TAIL.match(line, start)
    if tail is None or math.isinf(float(tail[2])):
        raise ValueError("the end is not a digest and a finite number of seconds ≥ 0")
    if sha256(line[:start]).hexdigest().encode() != tail[1]:
        raise ValueError("the digest does not hold")
    name, job = _NAME.match(line), _JOB.search(line, line.rfind(b'"job":"'), start)
    if name is None or job is None:
        raise ValueError("its keys are not those of a row")
    return Head(job[1] + name[1], _value(line, b"version", last=True), _value(line, b"verdict"))


def decode(line: bytes) -> LawCount:
    """Return the row of a line whose :func:`head` was read. Raise ValueError if it is none."""
    return _parsed(_stripped(line))[1]


def name_of(line: bytes) -> str | None:
    """Return the name of the row in a line, without looking at the rest; None if there is none."""
    found = _NAME.match(_stripped(line))
    try:
        return str(json.loads(found[1])) if found else None
    except ValueError:
        return None


def resembles_row(line: bytes) -> bool:
    """Whether a line is a row, sound or damaged: some accidents leave most of its keys alone."""
    return 2 * sum(mark in line for mark in _MARKS) > len(_MARKS)


def is_begun(line: bytes) -> bool:
    """Whether a line without its end can only be the beginning of a row: compact JSON that is not
    closed and whose first keys are those of a row. Zeros at the end are what a power cut may leave.
    """
    line = line.rstrip(b"\0")
    if not line.startswith(_START):
        return _START.startswith(line)
    if (second := _SECOND.match(line)) and second[1] not in _MARKERS:
        return False
    outside = re.sub(_TEXT, b"", line).split(b'"')[0]
    open_ = sum(map(outside.count, (b"{", b"["))) - sum(map(outside.count, (b"}", b"]")))
    return open_ > 0 and re.fullmatch(rb"[\w{}\[\]:,.+-]*", outside) is not None


def _stripped(line: bytes) -> bytes:
    return line.removeprefix(_BOM).strip(b" \t\r\n")


def _value(line: bytes, key: bytes, last: bool = False) -> str:
    """Return the text of a key that no other text of the line can be taken for: within a text,
    quotes are escaped.
    """
    mark = b',"' + key + b'":"'
    start = (line.rfind(mark) if last else line.find(mark)) + len(mark)
    return line[start : line.find(b'"', start)].decode("ascii", "replace")


def _checked_head(line: bytes) -> Head:
    job, row = _parsed(line)
    if (fault := flaw(row, job)) is not None:
        raise ValueError(fault)
    return Head(row_id(job, row.name), row.version, row.verdict)


def _parsed(line: bytes) -> tuple[str, LawCount]:
    try:
        record = json.loads(line, object_pairs_hook=_unique, parse_constant=_refuse)
        job = record.pop("job")
        record.pop("digest", None)
        row = LawCount.from_json(record)
        texts = isinstance(job, str) and isinstance(row.name, str)
        written = row.to_json()
        if "commuting" not in record and row.commuting is None:
            written.pop("commuting", None)  # rows did not always say that it is not known
        if not texts or row.verdict not in VERDICTS or written != record:
            raise ValueError("its keys are not those of a row")
        return job, row
    except json.JSONDecodeError as error:
        raise ValueError(f"no JSON at column {error.colno}: {error.msg}") from None
    except (LookupError, TypeError, AttributeError, RecursionError):
        raise ValueError("its keys are not those of a row") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice")
    return found


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number of JSON")
