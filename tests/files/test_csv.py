"""CSV: which line is names, which text is a number, and where a file is wrong."""

from __future__ import annotations

import csv
import io
import sys

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from sae_fast.files import _csv_read, _csv_records
from sae_fast.files._csv_fault import is_number
from sae_fast.files._table import ArrayFileError, Table, TableOptions
from sae_fast.streams._tables import read_table


@pytest.fixture(params=["pyarrow", "csv module", "small blocks"], name="way", autouse=True)
def _way(request, monkeypatch):
    """Each test runs as for large files, as without pyarrow, and with blocks that end nearly everywhere."""
    monkeypatch.setattr(_csv_read, "_SMALL", sys.maxsize if request.param == "csv module" else 0)
    if request.param == "small blocks":
        monkeypatch.setattr(_csv_records, "BLOCK_BYTES", 5)
    return request.param


@pytest.fixture(name="read")
def _read(tmp_path, monkeypatch):
    """Reads text from a file and from stdin, which give the same table, or the same error."""

    def read(text, **options):
        content = text if isinstance(text, bytes) else text.encode()
        path = tmp_path / "x.csv"
        path.write_bytes(content)
        results = []
        for name in (str(path), "-"):
            monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
            try:
                table = read_table(name, TableOptions(**options))
                labels = None if table.labels is None else table.labels.tolist()
                results.append(Table(table.values.tolist(), table.names, labels))
            except ArrayFileError as error:
                results.append(str(error).replace("stdin", str(path)))
        assert repr(results[0]) == repr(results[1])  # NaN is not equal to itself
        if isinstance(results[0], str):
            raise ArrayFileError(results[0])
        return results[0]

    return read


@pytest.mark.parametrize(
    ("text", "names", "values"),
    [
        ("1,2\n3,4\n", None, [[1, 2], [3, 4]]),
        ("1.5,2\n", None, [[1.5, 2]]),
        ("x,y\n1,2\n", ["x", "y"], [[1, 2]]),
        ('\ufeff"x, m",y\r\n1,2\r\n3,4\r\n', ["x, m", "y"], [[1, 2], [3, 4]]),
        ("\ufeff1.5,2\n3,4", None, [[1.5, 2], [3, 4]]),
        ('x\n"1"\n2\n', ["x"], [[1], [2]]),
        ("1,2\n\n3,4\n\n", None, [[1, 2], [3, 4]]),
        ("\n \na,b\n\n3,4\n  \n", ["a", "b"], [[3, 4]]),
        ('"a\n(mm)","b ""c"""\r\n1,2\r\n', ["a\n(mm)", 'b "c"'], [[1, 2]]),
        ("größe,β\n1,2\n", ["größe", "β"], [[1, 2]]),
        ("a,b\r1,2\r3,4\r", ["a", "b"], [[1, 2], [3, 4]]),
        ("a,b\n 1 ,\t2\n", ["a", "b"], [[1, 2]]),
        ("a,b\n+1,-2.5e-3\n1.,.5\n1E5,007\n", ["a", "b"], [[1, -0.0025], [1, 0.5], [1e5, 7]]),
        ("a,b\ninf,-Infinity\n", ["a", "b"], [[np.inf, -np.inf]]),
        ("a,b\n1e999,1e-999\n", ["a", "b"], [[np.inf, 0]]),
        ("# a,b\n1,2\n", ["# a", "b"], [[1, 2]]),
        ("x\n1\n2\n\n", ["x"], [[1], [2]]),
        ("3\n1\n1\n", None, [[3], [1], [1]]),
        ("1\n2\n3\n", None, [[1], [2], [3]]),
        ("2,4\n1,1\n", None, [[2, 4], [1, 1]]),
        ("a,a\n1,2\n", ["a", "a"], [[1, 2]]),
        ("a,,c\n1,2,3\n", ["a", "", "c"], [[1, 2, 3]]),
        ("NA,EU\n1,2\n", ["NA", "EU"], [[1, 2]]),
    ],
)
def test_files_that_are_read(read, text, names, values):
    """Headers, quotes, byte order marks, line ends and empty lines, from a file and from stdin."""
    assert read(text) == (values, names, None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it must hold a table, got nothing"),
        ("\n  \n", "it must hold a table, got nothing"),
        ("a,b\n", "at least one row under its header"),
        ("1.5,2\n3,4\n,\n", "line 3, column 1 must be a number, got ''"),
        ("1.5,2\n3\n", "line 2 must have 2 fields, as line 1, got 1"),
        ("1.5,2\n3,4\n5,6,7\n", "line 3 must have 2 fields, as line 1, got 3"),
        ("a,b,c\n1,2\n", "line 2 must have 3 fields, as line 1, got 2"),
        ("a,b\n\n1,\n", "line 3, column 2 must be a number, got ''"),
        ("a,b\n1,2\n#N/A,4\n", "line 3, column 1 must be a number, got '#N/A'$"),
        ("a,b\n1,2\n# 5,6\n", "line 3, column 1 must be a number, got '# 5'$"),
        ("1.5,2\n#DIV/0!,4\n", "line 2, column 1 must be a number, got '#DIV/0!'"),
        ("a,b\n1,2\n3,1_000\n", "line 3, column 2 must be a number, got '1_000'$"),
        ("a,b\n1,2\n3,\u0661\n", "line 3, column 2 must be a number, got '\u0661'$"),
        ("a,b\n1,2\n3,0x10\n", "line 3, column 2 must be a number, got '0x10'$"),
        ("a,b\n1,2\nnan(5),2\n", r"line 3, column 1 must be a number, got 'nan\(5\)'$"),
        ("a,b\nfour,2\n", r"line 2, column 1 must be a number, got 'four' \(--drop a leaves the column out\)"),
        ("a,b,\n1.5,2,\n", r"line 2, column 3 must be a number, got '' \(--columns takes the others\)"),
        ('"a, b",c\nx,2\n', r"line 2, column 1 must be a number, got 'x' \(--drop '\"a, b\"' leaves the column out\)"),
        ('"V1","V2"\n"1",0.1,0.2\n', r"line 2 must have 2 fields, as line 1, got 3 \(there is a name too few"),
        ("  0.1  0.2\n  0.3  0.4\n", r"got '  0.3  0.4'$"),
        ("x\n1\n\n2\n", "line 3, column 1 must be a number, got ''"),
        ("\n1.5\n2\n", "line 1, column 1 must be a number, got ''"),
        ('x\n1\n""\n2\n', "line 3, column 1 must be a number, got ''"),
        ('"a\n(mm)",b\n1,2\n3,x\n', "line 4, column 2 must be a number, got 'x'$"),
        ('a,b\n1,"2\n3,4\n', "line 2: a field in quotes does not end"),
        ('a,b\r1,2\r3,"4\r', "line 3: a field in quotes does not end"),
        ('a,b\n1,2\n"3"4,5\n6,7\n', "line 3: something follows the closing quote of a field"),
        (b"\xff\xfe\x00\x01", "it is not UTF-8 text .*UTF-16"),
        (b"gr\xf6\xdfe,b\n1,2\n", "line 1: it is not UTF-8 text"),
        (b"a,b\n1,2\ngr\xf6\xdfe,2\n", "line 3: it is not UTF-8 text"),
        ("a,b\n1,2\n" + "9" * 50 + "x,2\n", r"got '9{37}\.\.\.'"),
        (",\n1,2\n", "line 1, column 1 must be a number, got ''"),
    ],
)
def test_files_that_are_refused(read, text, message):
    """The message tells line, column and what stands there, the same from stdin as from a file."""
    with pytest.raises(ArrayFileError, match=message):
        read(text)


@pytest.mark.parametrize(
    ("text", "names", "n"),
    [
        ("0,1,2\n15.0,2.5,1.0\n3.0,1.0,0.5\n", ["0", "1", "2"], 2),  # 15.0 would be 15 in a file without header
        ("0,1\n5,1.0\n6,2.0\n", ["0", "1"], 2),
        ("0\n5.0\n0.25\n", ["0"], 2),
        ("2019,2020,2021,2022\n5.0,1.0,4.0,4.0\n", ["2019", "2020", "2021", "2022"], 1),
        ("400,400.5,401,401.5\n1.5,2,2.5,3\n", None, 2),  # all samples climb so
        ("1,2,3\n1.0,1.0,1.0\n", ["1", "2", "3"], 1),
        ("0,1,2\n3,4,5\n6,7,8\n", None, 3),  # the sample counts on
        ("1,2\n3,4\n", None, 2),
        ("1,2,4\n1,1,1\n", None, 2),
        ("0.0,1.0\n1,1\n", None, 2),
        ("label,0,1,2\n7,5,6,7\n", ["label", "0", "1", "2"], 1),
        (",0,1\n0,5,6\n1,7,8\n", ["0", "1"], 2),  # the rows are counted too
        (",0\n0,5\n1,7\n", ["0"], 2),
    ],
)
@pytest.mark.filterwarnings("ignore:.*column 1 has no name")
def test_headers_that_count(read, text, names, n):
    """A first line 0, 1, 2, ... is told from a sample by the lines below it."""
    table = read(text)
    assert (table.names, len(table.values)) == (names, n)


@pytest.mark.parametrize(
    "text",
    [
        "0,1,2\n5,5,5\n6,6,6\n",
        "0,1\n1,0\n",
        "0,1,2\n",
        "0,1,2\n0.5,0.25,0.75\n",
        "0\n1\n1\n",
        "400,400.5,401,401.5\n1,1,2,2\n",
        ",0,1\n5,1,0\n8,0,0\n",
    ],
)
@pytest.mark.filterwarnings("ignore:.*column 1 has no name")
def test_a_first_line_that_may_be_either_is_asked(read, text):
    """Where nothing tells, the error names the option; with it the line is a sample or names."""
    with pytest.raises(ArrayFileError, match=r"line 1 is .*: names of the columns, or a sample\? --header yes takes"):
        read(text)
    rows = text.count("\n")
    if not text.startswith(","):
        assert len(read(text, header=False).values) == rows
    if rows > 1:
        table = read(text, header=True)
        assert (len(table.values), table.names) == (rows - 1, text.splitlines()[0].strip(",").split(","))


def test_a_count_above_decimals_is_taken_for_names_with_a_warning(read):
    """Four columns counted from 0 above decimals alone, as pandas writes a frame without names."""
    with pytest.warns(UserWarning, match=r"line 1 is 0,1,2,3 and taken for names \(--header no: for a sample\)"):
        table = read("0,1,2,3\n0.5,0.25,0.75,0.1\n")
    assert table.names == ["0", "1", "2", "3"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0.3,?,0.5\n1,2,3\n", r"line 1, column 2 must be a number, got '\?'"),
        ("NA,2,3\n1,2,3\n", "line 1, column 1 must be a number, got 'NA'"),
        (",0.5\n1,2\n", "line 1, column 1 must be a number, got ''"),
        ("?,?\n1,2\n", r"line 1, column 1 must be a number, got '\?'"),
        ("#N/A,#N/A\n1,2\n", "line 1, column 1 must be a number, got '#N/A'"),
        ("id,2019,2020\n1,2,3\n", "line 1, column 1 must be a number, got 'id'"),
        ("5.1,3.5,setosa\n4.9,3.0,setosa\n", "line 1, column 3 must be a number, got 'setosa'"),
    ],
)
def test_a_first_line_that_is_partly_numbers_is_no_header(read, text, message):
    """It is a damaged sample, unless the user says that it holds names."""
    with pytest.raises(ArrayFileError, match=message + r" \(if that line holds names: --header yes\)"):
        read(text)


def test_columns_that_the_user_names_make_a_header(read):
    """A line with the columns that are asked for holds names; columns by number leave out what is no number."""
    assert read("id,2019,2020\nk,2,3\n", drop=["id"]) == ([[2, 3]], ["2019", "2020"], None)
    assert read("5.1,setosa\n4.9,setosa\n", labels="2") == ([[5.1], [4.9]], None, ["setosa", "setosa"])
    assert read("5.1,setosa\n4.9,setosa\n", columns=["1"]) == ([[5.1], [4.9]], None, None)


@pytest.mark.parametrize("values", ["0,1\n1,2\n2,3\n", "17,1\n5,2\n3,3\n", "x,1\ny,2\nz,3\n"])
def test_a_first_column_without_a_name_is_the_index(read, values):
    """Pandas and R write the index so: it is no feature, and a warning says so; --index-col none makes it one."""
    with pytest.warns(UserWarning, match=r"x.csv: column 1 has no name and is taken for an index|stdin: column 1"):
        assert read(",a\n" + values) == ([[1], [2], [3]], ["a"], None)
    if values[0] != "x":
        assert read(",a\n" + values, index=()).names == ["", "a"]
    assert read(",a\n" + values, columns=["a"]).names == ["a"]
    assert read("key,a\n" + values, index=["key"]).names == ["a"]


def test_several_columns_without_names_are_an_index_of_levels(read):
    """All columns in front of the first name."""
    with pytest.warns(UserWarning, match="columns 1 to 2 have no names"):
        assert read(",,a\nx,0,1\nx,1,2\n") == ([[1], [2]], ["a"], None)


def test_chosen_columns(read):
    """Features in the order asked for, text columns left out, labels apart."""
    text = 'id,a,b,note,y\nk1,1,2,"x, ""y""\nz",up\nk2,3,4,,down\n'
    assert read(text, columns=["b", "a"]) == ([[2, 1], [4, 3]], ["b", "a"], None)
    wanted = ([[1, 2], [3, 4]], ["a", "b"], ["up", "down"])
    assert read(text, drop=["note"], index=["id"], labels="y") == wanted
    assert read(text, columns=["a", "b", "y"], labels="y") == wanted


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"drop": ["whn"]}, "--drop: no column is named 'whn', of 'when', 'a', 'a'"),
        ({"columns": ["a"]}, "--columns: 2 columns are named 'a', of 'when', 'a', 'a'"),
        ({"columns": ["2"]}, "--columns: no column is named '2'"),
    ],
)
def test_columns_that_are_not_there(read, options, message):
    """The message names the option and the columns that there are."""
    with pytest.raises(ArrayFileError, match=message):
        read("when,a,a\n1,2,3\n", **options)


@pytest.mark.parametrize(
    ("labels", "wanted"),
    [("1\n0", [1.0, 0.0]), ("yes\nno", ["yes", "no"]), ("1\nmany", ["1", "many"]), ("NA\nEU", ["NA", "EU"])],
)
def test_labels_from_a_column(read, labels, wanted):
    """Numbers if all are, else text; never a feature."""
    rows = "".join(f"0.{i},{label}\n" for i, label in enumerate(labels.split()))
    assert read("a,y\n" + rows, labels="y") == ([[0.0], [0.1]], ["a"], wanted)


@pytest.mark.parametrize("label", ["", "NA", "?", "#N/A"])
def test_missing_labels_are_told(read, label):
    """Among numbers what stands for a missing value is an error that names its line and column."""
    with pytest.raises(ArrayFileError, match=rf"line 4, column 2 must be a label, got '{label}'".replace("?", r"\?")):
        read(f"a,y\n\n1,1\n2,{label}\n3,0\n", labels="y")


@pytest.mark.parametrize(
    ("text", "sep", "decimal", "advice"),
    [
        ("a;b\n0,5;1,5\n", ";", ",", r"\(--sep ';' --decimal , would read it\)"),
        ("0,5;1,5\n0,25;3,5\n", ";", ",", r"\(--sep ';' --decimal , would read it\)"),
        ("a;b\n0.5;1.5\n", ";", ".", r"\(--sep ';' would read it\)"),
        ("0.5;1.5\n0.25;3.5\n", ";", ".", r"\(--sep ';' would read it\)"),
        ("a\tb\n0.5\t1.5\n", "\t", ".", r"\(--sep tab would read it\)"),
        ("0.5 1.5\n1 2\n", " ", ".", r"\(--sep ' ' would read it\)"),
        ("a|b\n0.5|1.5\n", "|", ".", r"\(--sep '\|' would read it\)"),
    ],
)
def test_other_separators_are_named_and_read(read, text, sep, decimal, advice):
    """The error gives the options with which the file is read."""
    with pytest.raises(ArrayFileError, match=advice):
        read(text)
    expected = [[float(x.replace(",", ".")) for x in line.split(sep)] for line in text.splitlines() if line[0] != "a"]
    assert read(text, sep=sep, decimal=decimal).values == expected
    if decimal == ",":
        with pytest.raises(ArrayFileError, match=r"\(--decimal , would read it\)"):
            read(text, sep=";")
        with pytest.raises(ArrayFileError, match=r"line 2, column 1 must be a number, got '1.5'"):
            read("a;b\n1.5;2\n", sep=";", decimal=",")


def test_a_line_of_decimal_commas_is_no_header(read):
    """It would be lost as one: the error tells of the decimal mark."""
    with pytest.raises(
        ArrayFileError, match=r"line 1, column 1 must be a number, got '0,5' \(--decimal , would read it"
    ):
        read("0,5;1,5\n3;4\n", sep=";")


def test_a_fault_far_down_is_found_in_its_line(read, way):
    """Line and column hold across blocks, empty lines and quoted line ends."""
    lines = ["a,b,note"]
    for i in range(400):
        lines.append(f'{i}.5,1,"two\nlines"' if i % 7 == 0 else f"{i}.5,2,one")
        lines += [""] * (i % 5 == 0)
    text = "\n".join(lines)
    assert len(read(text, drop=["note"]).values) == 400
    number = text[: text.index("390.5,")].count("\n") + 1
    with pytest.raises(ArrayFileError, match=f"line {number}, column 2 must be a number, got 'x'$"):
        read(text.replace("390.5,2", "390.5,x"), drop=["note"])


NUMBERS = st.floats(allow_nan=True, width=64)
NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1)
MANY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def frames(draw):
    """Columns of any numbers, with names of any characters."""
    n, m = draw(st.integers(1, 4)), draw(st.integers(1, 6))
    names = draw(st.lists(NAMES.filter(lambda name: bool(name.strip())), min_size=n, max_size=n, unique=True))
    return names, [[draw(NUMBERS) for _ in range(n)] for _ in range(m)]


def same(got, names, rows):
    """The same names and, to the bit but for the sign of NaN, the same numbers."""
    return got.names == names and np.array_equal(np.array(got.values), np.array(rows), equal_nan=True)


@MANY
@given(frame=frames(), decimal=st.sampled_from(".,"), index=st.booleans(), quoting=st.sampled_from([0, 1, 2]))
@pytest.mark.filterwarnings("ignore:.*column 1 has no name")
def test_what_pandas_writes_is_read(read, frame, decimal, index, quoting):
    """With any quoting, decimal mark and index; names that are numbers need --header yes."""
    names, rows = frame
    assume("\r" not in "".join(names))  # pandas leaves it without quotes
    sep = ";" if decimal == "," else ","
    text = pd.DataFrame(rows, columns=names).to_csv(
        sep=sep, decimal=decimal, index=index, quoting=quoting, na_rep="nan", lineterminator="\n"
    )
    assert same(read(text, sep=sep, decimal=decimal, header=True), names, rows)


@MANY
@given(frame=frames(), quote=st.sampled_from(["necessary", "always", "non_numeric"]))
def test_what_polars_writes_is_read(read, frame, quote):
    """With any quoting."""
    names, rows = frame
    text = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.Float64), orient="row").write_csv(quote_style=quote)
    assert same(read(text, header=True), names, rows)


@MANY
@given(frame=frames(), header=st.booleans(), quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
def test_what_the_csv_module_writes_is_read(read, frame, header, quoting):
    """With and without header, to the last bit."""
    names, rows = frame
    text = io.StringIO()
    csv.writer(text, quoting=quoting).writerows([names, *rows] if header else rows)
    assert same(read(text.getvalue(), header=header), names if header else None, rows)


@MANY
@given(frame=frames(), index=st.booleans(), numbered=st.booleans())
@pytest.mark.filterwarnings("ignore:.*(column 1 has no name|taken for names)")
def test_no_sample_is_lost_or_made_without_a_word(read, frame, index, numbered):
    """Left to itself the reader finds all samples of a frame with its names, which may be 0, 1, 2, ..., or asks."""
    names, rows = ([str(i) for i in range(len(frame[0]))], frame[1]) if numbered else frame
    assume("\r" not in "".join(names))
    assume(numbered or not all(is_number(name) for name in names))
    text = pd.DataFrame(rows, columns=names).to_csv(index=index, na_rep="nan", lineterminator="\n")
    try:
        assert same(read(text), names, rows)
    except ArrayFileError as error:
        if "--header" not in str(error):
            raise
