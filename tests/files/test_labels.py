"""Labels: a file of them, or a column of the table; none is lost, and none moves to another sample."""

from __future__ import annotations

import gzip

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from sae_fast.cli._labels import read_labels
from sae_fast.files._table import ArrayFileError, TableOptions


@pytest.fixture(name="read")
def _read(tmp_path):
    def read(text, n, **options):
        path = tmp_path / "y.csv"
        path.write_bytes(text.encode())
        return read_labels(str(path), n, TableOptions(**options)).tolist()

    return read


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("1\n0\n1\n", [1.0, 0.0, 1.0]),
        ("y\n1\n0\n1\n\n\n", [1.0, 0.0, 1.0]),
        ("\ufeffy\r\n1\r\n0\r\n1", [1.0, 0.0, 1.0]),
        ("a\nb\na\n", ["a", "b", "a"]),
        ("kind\na\nb\na\nb\n", ["a", "b", "a", "b"]),
        ('"a, b"\n"c\nd"\n', ["a, b", "c\nd"]),
        (",y\n0,a\n1,b\n2,a\n", ["a", "b", "a"]),  # pandas' Series.to_csv()
        (",0\n0,3\n1,4\n", [3.0, 4.0]),
        ("1\n2b\n1\n", ["1", "2b", "1"]),
    ],
)
def test_files_that_are_read(read, text, wanted):
    """Numbers or text, with a header or without, in pandas' form too."""
    assert read(text, len(wanted)) == wanted


@pytest.mark.parametrize(
    ("text", "n", "message"),
    [
        (
            "1\n0\n1\n0\n",
            3,
            r"must hold a label for each of the 3 samples, got 4 \(if line 1 holds a name: --header yes",
        ),
        ("a\nb\na\nb\n", 3, "each of the 3 samples, got 4"),
        ("a\nb\nc\nd\n", 3, "each of the 3 samples, got 4"),
        ("y\n1\n0\n", 3, "each of the 3 samples, got 2"),
        ("1\n0\n", 3, "each of the 3 samples, got 2$"),
        ("1\n\n0\n1\n", 3, "line 2, column 1 must be a label, got ''"),
        ("y\n1\n\n0\n", 3, "line 3, column 1 must be a label, got ''"),
        ("a\n\nb\n", 3, "line 2, column 1 must be a label, got ''"),
        ("1\nNA\n0\n", 3, "line 2, column 1 must be a label, got 'NA'"),
        ("1\nnan\n0\n", 3, "line 2, column 1 must be a label, got 'nan'"),
        ("1,2\n3,4\n", 2, "must have one column, a label for each sample, got 2"),
        ("a\nb,c\n", 2, "must have one column, a label for each sample, got 2"),
        (",y\n0,a\n1\n", 2, "line 3 must have 2 fields, got 1"),
        ("", 2, "each of the 2 samples, got 0"),
        ('a\n"b\n', 2, "line 2: a field in quotes does not end"),
    ],
)
def test_files_that_are_refused(read, text, n, message):
    """A missing label, one too many or too few: the message tells the line, or both counts."""
    with pytest.raises(ValueError, match=message):
        read(text, n)


def test_the_option_decides_about_the_first_line(read):
    """--header takes the first line for a name or a label, whatever it looks like."""
    assert read("0\n1\n2\n", 2, header=True) == [1, 2]
    assert read("kind\n1\n", 2, header=False) == ["kind", "1"]
    assert read("0;5\n1;5\n", 2, sep=",") == ["0;5", "1;5"]
    assert read("0,5\n1,5\n", 2, sep=";", decimal=",") == [0.5, 1.5]


def test_other_kinds_of_files(tmp_path):
    """Arrays of one dimension or one column, compressed text, Parquet."""
    np.save(tmp_path / "y.npy", np.array(["u", "v"]))
    np.savez(tmp_path / "y.npz", y=np.array([[1], [2]]))
    (tmp_path / "y.csv.gz").write_bytes(gzip.compress(b"kind\n1\n2\n"))
    pa.parquet.write_table(pa.table({"y": [1, 2]}), tmp_path / "y.parquet")
    assert read_labels(str(tmp_path / "y.npy"), 2, TableOptions()).tolist() == ["u", "v"]
    for name in ("y.npz", "y.csv.gz", "y.parquet"):
        assert read_labels(str(tmp_path / name), 2, TableOptions()).tolist() == [1, 2]
    np.save(tmp_path / "nan.npy", np.array([1, np.nan]))
    with pytest.raises(ValueError, match=r"nan.npy must hold a label for each sample, got NaN in row 1 "):
        read_labels(str(tmp_path / "nan.npy"), 2, TableOptions())


def test_damaged_files_are_refused(tmp_path):
    """A cut compressed file, and text in another encoding."""
    (tmp_path / "y.csv.gz").write_bytes(gzip.compress(b"1\n2\n" * 50)[:-5])
    (tmp_path / "y.csv").write_bytes("ä\nö\n".encode("latin-1"))
    for name, message in (("y.csv.gz", "y.csv.gz is damaged"), ("y.csv", "y.csv: line 1: it is not UTF-8 text")):
        with pytest.raises(ArrayFileError, match=message):
            read_labels(str(tmp_path / name), 2, TableOptions())
