"""Array files: what is read, what is written, and what is refused."""

from __future__ import annotations

import io

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from sae_fast._arrays_io import ArrayFileError, read_table, suffix_of
from sae_fast._arrays_write import writing

NAMES = ["a", "b", 'c "quoted", d']


def write(path, values, names=NAMES):
    with writing(str(path), values.shape, values.dtype, list(names)) as add:
        add(values[:2])
        add(values[2:])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("suffix", ["npy", "npz", "csv", "parquet"])
def test_what_is_written_is_read_again(tmp_path, suffix, dtype):
    """Every kind of file gives back the same numbers, and names where it has them."""
    values = np.random.default_rng(0).normal(size=(7, 3)).astype(dtype)
    path = tmp_path / f"codes.{suffix}"
    write(path, values)
    table = read_table(str(path))
    np.testing.assert_array_equal(table.values.astype(dtype), values)
    assert table.names == (NAMES if suffix in ("csv", "parquet") else None)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_npy_is_memory_mapped(tmp_path):
    """A .npy file is mapped and not read whole."""
    np.save(tmp_path / "x.npy", np.zeros((3, 2)))
    assert isinstance(read_table(str(tmp_path / "x.npy")).values, np.memmap)


@pytest.mark.parametrize(
    ("text", "names", "values"),
    [
        ("1,2\n3,4\n", None, [[1, 2], [3, 4]]),
        ("1.5,2\n", None, [[1.5, 2]]),
        ("x,y\n1,2\n", ["x", "y"], [[1, 2]]),
        ('\ufeff"x, m",y\r\n1,2\r\n3,4\r\n', ["x, m", "y"], [[1, 2], [3, 4]]),
        ('x\n"1"\n2\n', ["x"], [[1], [2]]),
        ("1,2\n\n3,4\n\n", None, [[1, 2], [3, 4]]),
    ],
)
def test_csv_with_and_without_header(tmp_path, text, names, values):
    """A header is found by itself; byte order mark, quotes, CRLF and empty lines are taken."""
    path = tmp_path / "x.csv"
    path.write_bytes(text.encode())
    table = read_table(str(path))
    assert table.names == names
    np.testing.assert_array_equal(table.values, values)


def test_npz_with_several_arrays_needs_a_key(tmp_path):
    """The key picks the array; without one the error lists them."""
    path = str(tmp_path / "x.npz")
    np.savez(path, first=np.zeros((2, 2)), second=np.ones((3, 2)))
    assert read_table(path, "second").values.shape == (3, 2)
    for key in (None, "third"):
        with pytest.raises(ArrayFileError, match="holds first, second: name one with --key"):
            read_table(path, key)


def save_parquet(path, **columns):
    pyarrow.parquet.write_table(pyarrow.table(columns), path)


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("x.npy", lambda p: p.write_bytes(b"garbage"), "damaged or not a .npy file of numbers: it holds no array"),
        ("x.npy", lambda p: p.write_bytes(b""), "damaged or not a .npy file"),
        ("x.npy", lambda p: np.save(p, np.array([[None]]), allow_pickle=True), "damaged or not a .npy file"),
        ("x.npy", lambda p: np.save(p, np.zeros(3)), r"must hold a table \(n_samples, n_features\), got shape \(3,\)"),
        ("x.npy", lambda p: np.save(p, np.zeros((0, 3))), r"got shape \(0, 3\)"),
        ("x.npy", lambda p: np.save(p, np.zeros((2, 3), complex)), "must hold real numbers, got dtype complex128"),
        ("x.npz", lambda p: p.write_bytes(b"PK\x03\x04 but no more"), "damaged or not a .npz file"),
        ("x.csv", lambda p: p.write_text(""), "must hold a table, got nothing"),
        ("x.csv", lambda p: p.write_text("1,2\n3,4\n,\n"), "line 3, column 1 must be a number, got ''"),
        ("x.csv", lambda p: p.write_text("a,b\n"), "at least one row under its header"),
        ("x.csv", lambda p: p.write_text("1,2\n3\n"), "line 2 must have 2 fields, as the lines before, got 1"),
        ("x.csv", lambda p: p.write_text("a,b\n1,x\n"), "line 2, column 2 must be a number, got 'x'"),
        ("x.csv", lambda p: p.write_text("a,b,c\n1,2\n"), "3 names in its header, but 2 columns"),
        ("x.csv", lambda p: p.write_text("a,b\n\n1,\n"), "line 3, column 2 must be a number, got ''"),
        ("x.csv", lambda p: p.write_text("1;2\n3;4\n"), r"column 1 .* got '3;4' \(fields are separated by commas\)"),
        ("x.csv", lambda p: p.write_bytes(b"\xff\xfe\x00\x01"), "damaged or not a .csv file .* it is not UTF-8 text"),
        ("x.npz", lambda p: np.savez(p), "holds no array"),
        ("x.parquet", lambda p: p.write_bytes(b"PAR1"), "damaged or not a Parquet file"),
        ("x.parquet", lambda p: save_parquet(p, a=[1.0, None]), "column 'a' must have no missing values, got 1"),
        ("x.parquet", lambda p: save_parquet(p, a=["x", "y"]), "column 'a' must hold real numbers, got string"),
    ],
)
def test_damaged_and_foreign_files_are_refused(tmp_path, name, make, message):
    """Each bad file is an error with its name and the reason."""
    path = tmp_path / name
    make(path)
    with pytest.raises(ArrayFileError, match=message) as caught:
        read_table(str(path))
    assert str(path) in str(caught.value)


def test_cut_npy_is_refused(tmp_path):
    """A .npy file that lost its end is an error."""
    path = tmp_path / "x.npy"
    np.save(path, np.zeros((100, 3)))
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(ArrayFileError, match=r"damaged or not a .npy file"):
        read_table(str(path))


@pytest.mark.parametrize("suffix", ["npy", "npz", "csv", "parquet"])
def test_a_failed_write_leaves_what_was_there(tmp_path, suffix):
    """An error half-way leaves the old file as it was, and nothing beside it."""
    path = tmp_path / f"codes.{suffix}"
    path.write_text("old")

    def fail():
        with writing(str(path), (4, 2), np.dtype(float), ["a", "b"]) as add:
            add(np.zeros((2, 2)))
            raise RuntimeError("half-way")

    with pytest.raises(RuntimeError, match="half-way"):
        fail()
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_unknown_kinds_are_named():
    """An ending that is not known is an error that lists those that are."""
    with pytest.raises(ValueError, match=r"must end in .npy, .npz, .csv, .parquet \(or be -\), got 'x.txt'"):
        suffix_of("x.txt")


def test_first_row_of_another_width_on_stdin(monkeypatch):
    """Where the stream cannot be read again, the message still tells the widths."""
    monkeypatch.setattr("sys.stdin", io.StringIO("1,2\n3\n"))
    with pytest.raises(ArrayFileError, match="its first row has 2 fields, those after it 1"):
        read_table("-")
