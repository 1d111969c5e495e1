"""Every format against a literal, and what must hold for any name a user may give."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conslaw_cli.formats import NAMES, Report, Rows, render
from conslaw_cli.formats.columns import Columns, Overview
from conslaw_cli.formats.explain import explain
from conslaw_cli.formats.tally import Tally
from conslaw_cli.formats.words import label, probability, value_text
from conslaw_cli.problems.records import Bound, LawCount, Trace

P = 8388593
RELU = LawCount(
    name="relu 3-4-2",
    architecture={"activation": "relu", "widths": [3, 4, 2], "bias": False, "loss": "mse"},
    seed=7,
    version="0.1.0",
    seconds=0.25,
    verdict="proved",
    parameters=20,
    dim_lie=16,
    laws=4,
    known_listed=4,
    known_independent=4,
    unknown_laws=0,
    trace=Trace((16,)),
    involutive=True,
    lower=(Bound(16, "brackets", "proof", P, "16 brackets have rank 16 at a random point"),),
    upper=(Bound(16, "known laws", "proof", P, "the gradients of the 4 known laws have rank 4"),),
)
"""A row as every proved one is."""
SCALAR = LawCount(
    name="linear 1-2-2-1",
    architecture={"activation": "linear", "widths": [1, 2, 2, 1], "bias": False, "loss": "mse"},
    seed=7,
    version="0.1.0",
    seconds=0.5,
    verdict="computed",
    parameters=8,
    dim_lie=1,
    laws=7,
    known_listed=6,
    known_independent=6,
    unknown_laws=1,
    trace=Trace((1,), 1e-20),
    involutive=True,
    error_bound=1e-20,
    lower=(Bound(1, "brackets", "proof", P, "1 bracket has rank 1 at a random point"),),
    upper=(
        Bound(2, "known laws", "proof", P, "the gradients of the 6 known laws have rank 6"),
        Bound(1, "stagnation", "random", None, "the rank was 1 in 4 independent trials", 1e-20),
    ),
)
"""A row with a law that is not known (1e-20 lies between 2^-67 and 2^-66)."""
FAILED = LawCount(
    name="big|net_1",
    architecture={
        "activation": ["relu", "linear"],
        "widths": [9, 8, 7, 3],
        "bias": "all",
        "loss": "mse",
    },
    seed=7,
    version="0.1.0",
    seconds=10.0,
    verdict="failed",
    reason="time limit of 10 s reached",
)
ROWS = (RELU, SCALAR, FAILED)
COUNT = Report("count", ROWS)
SWEEP = Report("sweep", ROWS, title="relu")

VERDICTS = """\
proved: a proved lower and a proved upper bound on dim Lie meet, so the number of laws is exact.
computed: the lower bound is proved, the upper bound rests on random trials, error probability below 2^-66.
failed: no count was made.
big|net_1 failed: time limit of 10 s reached
"""  # noqa: E501


# Table


def test_table_of_one_row() -> None:
    assert (
        render("table", Report("count", [RELU]))
        == """\
name         D  dim Lie  laws   known  unknown  trace  involutive  verdict
relu 3-4-2  20       16     4  4 of 4        0     16  yes         proved

architecture: activation relu, widths 3-4-2, bias false, loss mse

proved: a proved lower and a proved upper bound on dim Lie meet, so the number of laws is exact.
"""
    )


def test_table_of_a_count_has_all_rows_and_explains_their_verdicts() -> None:
    assert (
        render("table", COUNT)
        == f"""\
name            activation   widths   bias    D  dim Lie  laws   known  unknown  trace  involutive  verdict
relu 3-4-2      relu         3-4-2    false  20       16     4  4 of 4        0     16  yes         proved
linear 1-2-2-1  linear       1-2-2-1  false   8        1     7  6 of 6        1      1  yes         computed
big|net_1       relu/linear  9-8-7-3  all     -        -     -       -        -      -  -           failed

all of these: loss mse

{VERDICTS}"""  # noqa: E501
    )


def test_table_of_a_sweep_has_the_totals_and_the_exceptions() -> None:
    assert (
        render("table", SWEEP)
        == f"""\
relu

rows               3
proved             1
computed           1
bounded            0
failed             1
with unknown laws  1

2 exceptions (not proved, with unknown laws, or not as expected):

name            activation   widths   bias   D  dim Lie  laws   known  unknown  trace  involutive  verdict
big|net_1       relu/linear  9-8-7-3  all    -        -     -       -        -      -  -           failed
linear 1-2-2-1  linear       1-2-2-1  false  8        1     7  6 of 6        1      1  yes         computed

all of these: loss mse

{VERDICTS}"""  # noqa: E501
    )


def test_table_of_a_sweep_without_exceptions_shows_no_rows() -> None:
    assert (
        render("table", Report("sweep", [RELU, RELU]))
        == """\
rows               2
proved             2
computed           0
bounded            0
failed             0
with unknown laws  0

0 exceptions (not proved, with unknown laws, or not as expected).

proved: a proved lower and a proved upper bound on dim Lie meet, so the number of laws is exact.
"""
    )


def test_table_of_a_sweep_shows_twenty_exceptions_and_counts_the_rest() -> None:
    rows = [replace(SCALAR, name=f"row-{index}") for index in range(23)]
    text = render("table", Report("sweep", rows))
    assert "23 exceptions" in text
    assert "row-19 " in text
    assert "row-20" not in text
    assert "\nand 3 more\n" in text


def test_table_that_does_not_fit_the_terminal_becomes_blocks() -> None:
    assert (
        render("table", Report("count", [RELU, FAILED]), width=50)
        == """\
relu 3-4-2
  activation  relu
  widths      3-4-2
  bias        false
  D           20
  dim Lie     16
  laws        4
  known       4 of 4
  unknown     0
  trace       16
  involutive  yes
  verdict     proved

big|net_1
  activation  relu/linear
  widths      9-8-7-3
  bias        all
  D           -
  dim Lie     -
  laws        -
  known       -
  unknown     -
  trace       -
  involutive  -
  verdict     failed

all of these: loss mse

proved: a proved lower and a proved upper bound on
  dim Lie meet, so the number of laws is exact.
failed: no count was made.
big|net_1 failed: time limit of 10 s reached
"""
    )


def test_table_becomes_blocks_at_one_column_too_few() -> None:
    report = Report("count", [RELU])
    needed = max(map(len, render("table", report).splitlines()[:2]))
    assert render("table", report, width=needed).startswith("name ")
    assert render("table", report, width=needed - 1).startswith("relu 3-4-2\n")


def test_a_terminal_that_reports_no_columns_gets_every_figure() -> None:
    assert "  dim Lie     16\n" in render("table", Report("count", [RELU]), width=0)


def test_csv_has_the_figures_of_polynomial_laws_where_there_are_any() -> None:
    found = {"degree": 2, "linear": 4, "independent": 4, "known": 4, "new": 0, "not_polynomial": 0}
    rows = [replace(RELU, polynomial_laws=found), SCALAR]
    header, first, second = csv.reader(
        io.StringIO(render("csv", Report("sweep", rows)), newline="")
    )
    assert header[-6:] == [f"polynomial_{key}" for key in found]
    assert (first[-6:], second[-6:]) == (["2", "4", "4", "4", "0", "0"], [""] * 6)


def test_wide_characters_take_two_columns() -> None:
    rows = [replace(RELU, name="網路"), replace(RELU, name="abcd")]
    lines = render("table", Report("count", rows)).splitlines()
    assert lines[1].replace("網路", "abcd") == lines[2]


def test_color_changes_nothing_but_ansi_sequences() -> None:
    for width in (None, 40):
        colored = render("table", COUNT, width=width, color=True)
        assert "\x1b[32mproved\x1b[0m" in colored
        assert "\x1b[31mfailed\x1b[0m" in colored
        assert re.sub(r"\x1b\[\d+m", "", colored) == render("table", COUNT, width=width)


@settings(max_examples=20)
@given(st.lists(st.text(), min_size=1, max_size=4), st.none() | st.integers(0, 200))
def test_table_cuts_no_name_and_passes_no_control_character_on(
    names: list[str], width: int | None
) -> None:
    text = render(
        "table", Report("count", [replace(RELU, name=name) for name in names]), width=width
    )
    for name in names:
        assert label(name).rstrip() in text
    assert all(char == "\n" or char.isprintable() for char in text)


def test_the_error_probability_is_that_of_the_worst_row() -> None:
    text = render("table", Report("count", [replace(SCALAR, error_bound=1e-30), SCALAR]))
    assert "error probability below 2^-66." in text


# JSON


def test_json_of_a_count_has_a_schema_and_the_rows() -> None:
    text = render("json", COUNT)
    assert json.loads(text) == {
        "schema": "conslaw.count/1",
        "results": [row.to_json() for row in ROWS],
    }
    assert text.startswith(
        '{\n  "schema": "conslaw.count/1",\n  "results": [\n    {\n      "name": '
    )


def test_json_of_a_sweep_has_its_summary_beside_the_results() -> None:
    assert json.loads(render("json", SWEEP)) == {
        "schema": "conslaw.sweep/1",
        "summary": {
            "rows": 3,
            "proved": 1,
            "computed": 1,
            "bounded": 0,
            "failed": 1,
            "with_unknown_laws": 1,
            "expected": 0,
            "as_expected": 0,
            "exceptions": ["big|net_1", "linear 1-2-2-1"],
        },
        "results": [row.to_json() for row in ROWS],
    }


def test_json_is_strict() -> None:
    with pytest.raises(ValueError, match="JSON"):
        render("json", Report("count", [replace(RELU, seconds=float("nan"))]))


@given(st.text(st.characters()))
def test_a_row_survives_json_whatever_its_name(name: str) -> None:
    row = replace(RELU, name=name)
    text = render("json", Report("count", [row])).encode("utf-8").decode("utf-8")
    assert [LawCount.from_json(result) for result in json.loads(text)["results"]] == [row]


def test_json_needs_neither_rich_nor_csv() -> None:
    code = (
        "import sys; from conslaw_cli.formats import Report, render; render('json', Report('sweep',"
        " []));print(sorted({'rich', 'csv', 'numpy', 'sympy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


# CSV

CSV_HEADER = (
    "name,activation,widths,bias,loss,parameters,dim_lie,laws,known_listed,known_independent,unknown_laws,trace,"
    "involutive,verdict,error_bound,lower_method,upper_method,trace_error_bound,reason,seed,version,seconds\r\n"
)


def test_csv() -> None:
    deep = replace(RELU, trace=Trace((13, 16)), involutive=False)
    assert render("csv", Report("count", [deep, SCALAR, FAILED])) == (
        f"{CSV_HEADER}relu 3-4-2,relu,3-4-2,false,mse,20,16,4,4,4,0,13;16,false,proved,,"
        "brackets,known laws,,,7,0.1.0,0.25\r\n"
        "linear 1-2-2-1,linear,1-2-2-1,false,mse,8,1,7,6,6,1,1,true,computed,1e-20,"
        "brackets,known laws;stagnation,1e-20,,7,0.1.0,0.5\r\n"
        "big|net_1,relu/linear,9-8-7-3,all,mse,,,,,,,,,failed,,,,,"
        "time limit of 10 s reached,7,0.1.0,10.0\r\n"
    )


def test_csv_columns_are_the_public_keys_in_order() -> None:
    public = [key for key in RELU.to_json() if key != "evidence"]
    assert [key for key in CSV_HEADER.strip().split(",") if key in public] == public


def test_csv_header_is_the_union_of_the_architectures_keys() -> None:
    other = replace(RELU, architecture={"heads": 2, "bias": True, "slope": -0.5})
    header, first, second = csv.reader(
        io.StringIO(render("csv", Report("count", [RELU, other])), newline="")
    )
    assert header[:7] == ["name", "activation", "widths", "bias", "loss", "heads", "slope"]
    assert first[:7] == ["relu 3-4-2", "relu", "3-4-2", "false", "mse", "", ""]
    assert second[:7] == ["relu 3-4-2", "", "", "true", "", "2", "-0.5"]


@given(st.text())
def test_a_name_survives_csv_and_no_spreadsheet_runs_it(name: str) -> None:
    text = render("csv", Report("count", [replace(RELU, name=name)]))
    _, row = csv.reader(io.StringIO(text, newline=""))
    assert row[0].removeprefix("'") == name
    assert not row[0].startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    assert row[1:4] == ["relu", "3-4-2", "false"]


@pytest.mark.parametrize(
    "name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "'=1", '="a"\r\n,b']
)
def test_a_name_that_a_spreadsheet_would_run_gets_a_quote(name: str) -> None:
    _, row = csv.reader(
        io.StringIO(render("csv", Report("count", [replace(RELU, name=name)])), newline="")
    )
    assert row[0] == "'" + name


# Markdown

MARKDOWN_HEAD = (
    "| name | activation | widths | bias "
    "| D | dim Lie | laws | known | unknown | trace | involutive | verdict |\n"
    "| --- | --- | --- | --- | --: | --: | --: | --: | --: | --: | --- | --- |\n"
)
MARKDOWN_SCALAR = (
    "| linear 1-2-2-1 | linear | 1-2-2-1 | false | 8 | 1 | 7 | 6 of 6 | 1 | 1 | yes | computed |\n"
)
MARKDOWN_FAILED = (
    "| big\\|net_1 | relu/linear | 9-8-7-3 | all | - | - | - | - | - | - | - | failed |\n"
)
MARKDOWN_VERDICTS = "".join(f"- {line}\n" for line in VERDICTS.replace("|", "\\|").splitlines())


def test_markdown_of_a_count() -> None:
    assert render("markdown", COUNT) == (
        MARKDOWN_HEAD
        + "| relu 3-4-2 | relu | 3-4-2 | false | 20 | 16 | 4 | 4 of 4 | 0 | 16 | yes | proved |\n"
        + MARKDOWN_SCALAR
        + MARKDOWN_FAILED
        + "\nIn every row: loss mse.\n\n"
        + MARKDOWN_VERDICTS
    )


def test_markdown_of_a_sweep_is_a_page() -> None:
    assert render("markdown", SWEEP) == (
        "# relu\n\nRows: the sweep relu, counted by conslaw 0.1.0.\n\n"
        "- rows: 3\n- proved: 1\n- computed: 1\n- bounded: 0\n- failed: 1\n"
        "- with unknown laws: 1\n\n"
        "## Exceptions (not proved, with unknown laws, or not as expected)\n\n"
        + MARKDOWN_HEAD
        + MARKDOWN_FAILED
        + MARKDOWN_SCALAR
        + "\nIn every row: loss mse.\n\n## All rows\n\n"
        + render("markdown", COUNT)
    )


def test_markdown_of_a_sweep_says_where_it_comes_from() -> None:
    text = render("markdown", Report("sweep", [RELU], "relu", source="Appendix J\n of the paper"))
    assert "\n\nSource: Appendix J of the paper\n\nRows: the sweep relu, counted by" in text


def test_expected_numbers_of_laws_are_a_column_and_those_missed_are_exceptions_and_come_first() -> (
    None
):
    report = Report("sweep", [SCALAR, RELU], expected={RELU.name: 5})
    tally = Overview.of(report).tally
    assert [row.name for row in tally.exceptions(report.rows)] == [RELU.name, SCALAR.name]
    assert (tally.numbers()["expected"], tally.numbers()["as_expected"]) == (1, 0)
    table = cells(report.rows, report.expected)
    assert table["expected"] == ("-", "5")
    assert re.search(r"\nas expected +0\n", render("table", report))


def test_markdown_of_a_sweep_without_exceptions_says_so() -> None:
    text = render("markdown", Report("sweep", [RELU]))
    assert "\n\nEvery row is proved, and none has unknown laws.\n\n| name |" in text
    assert "## " not in text


def test_markdown_of_a_sweep_lists_twenty_exceptions_apart_and_all_rows_below() -> None:
    rows = [replace(SCALAR, name=f"row-{index}") for index in range(23)]
    apart, below = render("markdown", Report("sweep", rows)).split("## All rows")
    assert apart.count("| row-") == 20
    assert "\n\nand 3 more\n\n" in apart
    assert below.count("| row-") == 23


def test_markdown_escapes_markup() -> None:
    row = replace(RELU, name="*a_b* <b> [x](y) `c` $z$ _e_ \\ & #1 ~d~")
    text = render("markdown", Report("count", [row]))
    cell = text.splitlines()[2].split(" | ")[0]
    assert cell == r"| \*a_b\* \<b\> \[x\](y) \`c\` \$z\$ \_e\_ \\ \& \#1 \~d\~"


@given(st.text())
def test_markdown_rows_have_as_many_cells_as_the_header(name: str) -> None:
    rows = [replace(RELU, name=name), replace(RELU, name="other", architecture={name: [name]})]
    lines = [
        line
        for line in render("markdown", Report("count", rows)).split("\n")
        if line.startswith("| ")
    ]
    assert len(lines) == 4
    assert len({len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) for line in lines}) == 1


# LaTeX


def test_latex_of_a_count() -> None:
    assert render(
        "latex", COUNT
    ) == "% Needs \\usepackage{booktabs}.\n% In every row: loss mse.\n" + "".join(
        f"% {line}\n" for line in VERDICTS.splitlines()
    ) + (
        "\\begin{tabular}{llllrrrrrrll}\n\\toprule\nname & activation & widths & bias & "
        r"""$D$ & $\dim \mathrm{Lie}$ & laws & known & unknown & trace & involutive & verdict \\
\midrule
relu 3-4-2 & relu & 3-4-2 & false & $20$ & $16$ & $4$ & $4$ of $4$ & $0$ & $16$ & yes & proved \\
linear 1-2-2-1 & linear & 1-2-2-1 & false & $8$ & $1$ & $7$ & $6$ of $6$ & $1$ & $1$ & yes & computed \\
big\textbar{}net\_1 & relu/linear & 9-8-7-3 & all & - & - & - & - & - & - & - & failed \\
\bottomrule
\end{tabular}
"""  # noqa: E501
    )


def test_latex_of_a_sweep_says_its_totals_in_a_comment() -> None:
    lines = render("latex", SWEEP).splitlines()
    assert lines[1:3] == [
        "% relu",
        "% rows: 3, proved: 1, computed: 1, bounded: 0, failed: 1, with unknown laws: 1",
    ]


def test_latex_escapes_what_is_not_itself_in_text() -> None:
    name = r"[1em] 50% & a_b {c} #d $e$ ~ ^ \f <g> | h--i *"
    row = render("latex", Report("count", [replace(RELU, name=name)])).split("\\midrule\n")[1]
    assert row.startswith(
        r"{[}1em{]} 50\% \& a\_b \{c\} \#d \$e\$ \textasciitilde{} \textasciicircum{}"
        r" \textbackslash{}f "
        r"\textless{}g\textgreater{} \textbar{} h-{}-i {*} & $20$ &"
    )


LATEX_TOKEN = re.compile(
    r"\\(?:text[a-z]+\{\}|dim|mathrm\{Lie\}|[&%$#_{}])"  # the only commands in a row
    r"|\{[\[\]*]\}|-\{\}|\$\d+\$|\$D\$|\$\\dim \\mathrm\{Lie\}\$"
    r"|[^\\{}$&#%_~^<>|\[\]*]"
)


@given(st.lists(st.text(), min_size=1, max_size=3))
def test_latex_rows_have_one_cell_per_column_and_no_stray_command(names: list[str]) -> None:
    rows = [
        replace(RELU, name=name, architecture={**RELU.architecture, "note": name}) for name in names
    ]
    comments, body = render("latex", Report("count", rows, title=names[0])).split(
        "\\begin{tabular}"
    )
    assert all(line.startswith("% ") for line in comments.splitlines())
    lines = body.split("\n")
    alignment = lines[0].strip("{}")
    table = [lines[2], *lines[4:-3]]
    assert len(table) == len(names) + 1
    for line in table:
        cells = re.split(r"(?<!\\)&", line.removesuffix(r" \\"))
        assert len(cells) == len(alignment)
        assert all(re.fullmatch(f"(?:{LATEX_TOKEN.pattern})*", cell) for cell in cells)


@pytest.mark.parametrize(("name", "warned"), [("relu", False), ("réseau", True)])
def test_latex_warns_of_characters_outside_ascii(name: str, warned: bool) -> None:
    rows = [RELU, replace(RELU, name=name)]
    assert ("% Holds characters outside ASCII" in render("latex", Report("count", rows))) is warned


# What all formats share


@pytest.mark.parametrize("name", ["table", "markdown", "latex"])
def test_formats_for_people_show_control_characters_as_escapes(name: str) -> None:
    bound = Bound(16, "m\x1b", "proof", None, "s\x1b")
    rows = [
        replace(
            RELU, name="n\x1b", lower=(bound,), architecture={"k\x1b": "v\x1b"}, version="0\x1b"
        ),
        replace(FAILED, reason="r\x1b"),
    ]
    text = render(name, Report("sweep", rows, title="t\x1b", explain=True))
    assert "\x1b" not in text
    escape = r"\\x1b" if name == "markdown" else r"\x1b"
    assert all(letter + escape in text for letter in "trnms")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("rows", [(), ROWS], ids=["no rows", "rows"])
@pytest.mark.parametrize("command", ["count", "sweep"])
@pytest.mark.parametrize("explained", [False, True])
def test_every_text_ends_in_one_newline(
    name: str, rows: tuple[LawCount, ...], command: Any, explained: bool
) -> None:
    text = render(name, Report(command, rows, title="a\nb", explain=explained))
    assert text.endswith("\n")
    assert not text.removesuffix("\n").endswith("\n")


@pytest.mark.parametrize("name", NAMES)
def test_a_lone_surrogate_can_be_written(name: str) -> None:
    row = replace(FAILED, name="a\ud800", reason="b\udc80")
    render(name, Report("sweep", [row], title="c\udfff", explain=True)).encode("utf-8")


def test_a_format_that_does_not_exist() -> None:
    with pytest.raises(KeyError):
        render("xml", COUNT)


def test_summary_counts_a_proved_row_with_unknown_laws_as_an_exception() -> None:
    proved = replace(SCALAR, name="proved", verdict="proved", error_bound=None)
    rows = [RELU, proved, SCALAR, FAILED]
    assert json.loads(render("json", Report("sweep", rows)))["summary"] == {
        "rows": 4,
        "proved": 2,
        "computed": 1,
        "bounded": 0,
        "failed": 1,
        "with_unknown_laws": 2,
        "expected": 0,
        "as_expected": 0,
        "exceptions": ["big|net_1", "linear 1-2-2-1", "proved"],
    }
    assert list(tallied(rows).exceptions(rows)) == [FAILED, SCALAR, proved]


def tallied(rows: list[LawCount], **expected: int) -> Tally:
    return Overview.of(Report("sweep", rows, expected=expected)).tally


def test_of_many_exceptions_the_worst_are_shown() -> None:
    rows = [replace(SCALAR, name=f"row_{i}") for i in range(50)]
    rows[30] = replace(FAILED, name="row_30")
    rows[40] = replace(RELU, name="row_40")
    tally = tallied(rows, row_40=1)
    shown = [row.name for row in tally.shown(rows)]
    assert shown == ["row_40", "row_30", *(f"row_{i}" for i in range(18))]
    assert tally.found == 50
    assert tallied(rows).found == 49


def test_rows_without_a_count_are_named_in_their_order() -> None:
    rows = [replace(FAILED, name=f"row_{i}") for i in range(6)]
    rows[1] = replace(RELU, name="row_1")
    rows[2] = replace(SCALAR, name="row_2")
    for i, laws in ((0, 3), (4, 5)):
        rows[i] = replace(rows[i], verdict="bounded", laws_at_least=laws)
    tally = tallied(rows, row_1=7, row_4=1)
    assert [row.name for row in tally.open(rows)] == ["row_0", "row_3", "row_4", "row_5"]


def cells(rows: Rows, expected: Mapping[str, int]) -> dict[str, tuple[str, ...]]:
    """Return the cells of a table of rows, by the heads of its columns."""
    fields = Columns.of(rows, expected).fields()
    return {field.header: tuple(map(field.cell, rows)) for field in fields}


def test_a_key_is_a_column_only_where_the_names_do_not_say_it() -> None:
    small = replace(RELU, name="relu 2-2", architecture={**RELU.architecture, "widths": [2, 2]})
    assert "widths" not in cells([RELU, small], {})
    assert "widths" in cells([RELU, replace(small, name="small")], {})
    # 3-4-2 is a part of 13-4-2 but not a word of it.
    assert "widths" in cells([replace(RELU, name="relu 13-4-2"), small], {})


def test_rows_of_different_families_share_one_table() -> None:
    other = replace(RELU, name="attention", architecture={"heads": 2, "loss": "mse"})
    table = cells([RELU, other], {})
    assert table["heads"] == ("", "2")
    assert table["bias"] == ("false", "")
    assert "widths" not in table
    assert "loss" not in table
    assert Columns.of([RELU, other], {}).shared() == "loss mse"


def test_a_key_of_later_rows_is_not_said_to_be_shared() -> None:
    later = replace(RELU, architecture={**RELU.architecture, "note": ""})
    assert Columns.of([later, later], {}).shared().endswith(", note ")
    assert "note" not in Columns.of([RELU, later], {}).shared()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (False, "false"),
        ("hidden", "hidden"),
        ([3, 4, 2], "3-4-2"),
        (["relu", "linear"], "relu/linear"),
        ([], "[]"),
        ([1, -2], "[1, -2]"),
        ([True, 2], "[true, 2]"),
        ({"kernel": [3, 3]}, '{"kernel": [3, 3]}'),
        (0.5, "0.5"),
    ],
)
def test_a_value_as_a_cell(value: Any, text: str) -> None:
    assert value_text(value) == text


@pytest.mark.parametrize(
    ("bound", "text"),
    [
        (1e-20, "below 2^-66"),
        (2.0**-61, "below 2^-60"),
        (0.4, "below 2^-1"),
        (0.75, "0.75"),
        (1.0, "1"),
    ],
)
def test_a_probability_in_powers_of_two(bound: float, text: str) -> None:
    assert probability(bound) == text


@given(st.floats(0, 0.49))
def test_a_stated_power_of_two_is_above_the_probability_and_the_next_is_not(bound: float) -> None:
    power = int(probability(bound).removeprefix("below 2^"))
    assert bound < 2.0**power
    assert bound >= 2.0 ** (power - 1)


def test_a_label_is_one_printable_line() -> None:
    assert label("a\nb\x1b[31m\u202e\ud800é") == "a\\nb\\x1b[31m\\u202e\\ud800é"


# Explanations

MINORS = (
    "A rank found modulo p at one point is at most the rank at generic real θ, because an exact"
    " minor that is nonzero modulo p there is not the zero function."
)


def test_explanation_of_a_proved_row() -> None:
    assert (
        explain(RELU)
        == "relu 3-4-2: D = 20 parameters. Lower bound (brackets): modulo p = 8388593, 16 brackets"
        " have rank 16 at a random point; hence dim Lie(W_φ)(θ) ≥ 16, proved. Upper bound"
        " (known laws): modulo p = 8388593, the gradients of the 4 known laws have rank 4;"
        f" hence dim Lie(W_φ)(θ) ≤ D − 4 = 16, proved. {MINORS} The proved bounds meet, so there"
        " are exactly D − dim Lie(W_φ)(θ) = 20 − 16 = 4 independent conservation laws. Known"
        " laws: 4 listed, 4 independent. The known laws are complete. W_0(θ) has dimension 16;"
        " the iteration stops at step 0: condition (13) holds."
    )


def test_explanation_of_a_computed_row_states_every_probability() -> None:
    assert (
        explain(SCALAR)
        == "linear 1-2-2-1: D = 8 parameters. Lower bound (brackets): modulo p = 8388593, 1"
        " bracket has rank 1 at a random point; hence dim Lie(W_φ)(θ) ≥ 1, proved. Upper bound"
        " (known laws): modulo p = 8388593, the gradients of the 6 known laws have rank 6;"
        " hence dim Lie(W_φ)(θ) ≤ D − 6 = 2, proved. Upper bound (stagnation): the rank was 1"
        " in 4 independent trials; hence dim Lie(W_φ)(θ) ≤ D − 7 = 1, except with probability"
        f" below 2^-66. {MINORS} The proved bounds do not meet: the count, D − dim Lie(W_φ)(θ) ="
        " 8 − 1 = 7 independent conservation laws, holds except with probability below 2^-66."
        " Known laws: 6 listed, 6 independent. 1 law beyond the known ones exists, except with"
        " probability below 2^-66. W_0(θ) has dimension 1; the iteration stops at step 0:"
        " condition (13) holds. This dimension is too small with probability below 2^-66."
    )


def test_explanation_of_a_failed_row_is_its_reason() -> None:
    assert explain(FAILED) == "big|net_1: no count. The reason: time limit of 10 s reached"


def test_explanation_of_a_proof_without_ranks_speaks_of_no_prime() -> None:
    paths = Bound(
        16, "paths", "proof", None, "the paths of the network span a space of dimension 16"
    )
    text = explain(replace(RELU, lower=(paths,), upper=(paths,)))
    assert (
        "Lower bound (paths): the paths of the network span a space of dimension 16; hence" in text
    )
    assert "modulo p" not in text


def test_explanation_of_a_proved_row_with_unknown_laws() -> None:
    segments = Bound(1, "scalar segments", "proof", None, "the network is one scalar segment")
    text = explain(
        replace(SCALAR, verdict="proved", error_bound=None, upper=(segments,), trace=Trace((1,)))
    )
    assert "1 law beyond the known ones exists. W_0" in text
    assert "probability" not in text


OWN = replace(
    SCALAR,
    name="φ(x, y) = (x + y)",
    architecture={"phi": {"variables": ["x", "y"], "components": ["x + y"]}},
    laws=1,
    known_listed=0,
    known_independent=0,
)
NO_THEORY = (
    "unknown: beyond the known laws; where these are 0 of 0, no theory lists the laws, and those"
    " found need not be new."
)


@pytest.mark.parametrize("name", ["table", "markdown", "latex"])
def test_where_no_theory_lists_laws_unknown_does_not_mean_new(name: str) -> None:
    assert render(name, Report("count", [RELU, OWN])).count(NO_THEORY) == 1
    listed = replace(OWN, known_listed=2, known_independent=2)
    idle = replace(OWN, laws=0, unknown_laws=0)
    residual = replace(OWN, architecture={"input": [2], "layers": ["relu"], "loss": "mse"})
    for row in (listed, idle, residual, SCALAR, FAILED):
        assert NO_THEORY not in render(name, Report("count", [row]))


def test_polynomial_laws_are_new_only_where_a_theory_lists_others() -> None:
    keys = ("degree", "linear", "independent", "known", "new", "not_polynomial")
    figures = dict(zip(keys, (2, 1, 1, 0, 1, 0), strict=True))
    new, found = (replace(row, polynomial_laws=figures) for row in (SCALAR, OWN))
    text = render("table", Report("count", [new, found]))
    assert "  1 (1 new) of degree ≤ 2  " in text
    assert "    1 found of degree ≤ 2  " in text


def test_explanation_where_no_theory_lists_laws() -> None:
    text = explain(OWN)
    assert "No theory lists laws of it: all of them are found by the count. W_0" in text
    assert "Known laws:" not in text
    assert "beyond the known ones" not in text


def test_explanation_without_any_law_claims_nothing_about_known_ones() -> None:
    none = replace(
        RELU, dim_lie=20, laws=0, known_listed=0, known_independent=0, trace=None, involutive=None
    )
    assert explain(none).endswith(
        "exactly D − dim Lie(W_φ)(θ) = 20 − 20 = 0 independent conservation laws."
    )


@pytest.mark.parametrize(
    ("dimensions", "sentence"),
    [
        ((13,), "W_0(θ) has dimension 13; the iteration stops at step 0:"),
        ((13, 16), "W_0(θ), W_1(θ) have dimensions 13, 16; the iteration stops at step 1: "),
        ((13, 16, 16), "W_0(θ), W_1(θ) have dimensions 13, 16; the iteration stops at step 1:"),
        (
            (5, 9, 16),
            "W_0(θ), W_1(θ), W_2(θ) have dimensions 5, 9, 16; the iteration stops at step 2: ",
        ),
        (
            (5, 9, 12, 16),
            "W_0(θ), W_1(θ), W_2(θ), … have dimensions 5, 9, 12, 16; the iteration stops at",
        ),
    ],
)
def test_explanation_of_a_trace(dimensions: tuple[int, ...], sentence: str) -> None:
    assert sentence in explain(replace(RELU, trace=Trace(dimensions), involutive=False))


def test_what_a_theorem_leaves_open_is_said() -> None:
    assert explain(replace(RELU, scope="Open beyond two layers.")).endswith(
        " Open beyond two layers."
    )


def test_explanations_stand_below_the_table_in_the_formats_for_people() -> None:
    report = Report("count", [RELU], explain=True)
    assert render("table", report).endswith(f"exact.\n\n{explain(RELU)}\n")
    assert render("markdown", report).endswith(f"exact.\n\n{explain(RELU)}\n")
    assert f"\n% {explain(RELU)}\n\\begin{{tabular}}" in render("latex", report)


def test_explanations_are_wrapped_to_the_terminal() -> None:
    assert (
        max(map(len, render("table", Report("count", [RELU], explain=True), width=60).splitlines()))
        <= 60
    )
