"""Array files: what is read, what is written, and what is refused."""

from __future__ import annotations

import gzip
import os
import random
import threading

import numpy as np
import pytest
import scipy.sparse

from sae_fast.files._arrays_io import expand, kind_of, suffix_of
from sae_fast.files._arrays_write import writing
from sae_fast.files._table import ArrayFileError, TableOptions
from sae_fast.streams._tables import read_table, read_tables

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


def test_npz_with_several_arrays_needs_a_key(tmp_path):
    """The key picks the array; without one the error lists them."""
    path = str(tmp_path / "x.npz")
    np.savez(path, first=np.zeros((2, 2)), second=np.ones((3, 2)))
    assert read_table(path, TableOptions(key="second")).values.shape == (3, 2)
    for key in (None, "third"):
        with pytest.raises(ArrayFileError, match="holds first, second: name one with --key"):
            read_table(path, TableOptions(key=key))


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("x.npy", lambda p: p.write_bytes(b"garbage"), "damaged or not a .npy file of numbers: it holds no array"),
        ("x.npy", lambda p: p.write_bytes(b""), "damaged or not a .npy file"),
        ("x.npy", lambda p: np.save(p, np.array([[None]]), allow_pickle=True), "damaged or not a .npy file"),
        ("x.npy", lambda p: np.save(p, np.zeros(3)), r"must hold a table \(n_samples, n_features\), got shape \(3,\)"),
        ("x.npy", lambda p: np.save(p, np.zeros((0, 3))), "must hold at least one row, got none"),
        ("x.npy", lambda p: np.save(p, np.zeros((2, 3), complex)), "must hold real numbers, got dtype complex128"),
        ("x.npz", lambda p: p.write_bytes(b"PK\x03\x04 but no more"), "damaged or not a .npz file"),
        ("x.npz", lambda p: np.savez(p), "holds no array"),
    ],
)
def test_damaged_and_foreign_files_are_refused(tmp_path, name, make, message):
    """Each bad file is an error with its name and the reason."""
    path = tmp_path / name
    make(path)
    with pytest.raises(ArrayFileError, match=message) as caught:
        read_table(str(path))
    assert str(path) in str(caught.value)


KINDS = ["npy", "npz", "parquet", "csv", "csv.gz", "tsv"]


def content_of(kind, folder):
    """The bytes of a good file of this kind."""
    path = folder / f"whole.{kind.removesuffix('.gz').replace('tsv', 'csv')}"
    write(path, np.random.default_rng(0).normal(size=(30, 2)), ["a", "b"])
    content = path.read_bytes()
    if kind == "tsv":
        return content.replace(b",", b"\t")
    return gzip.compress(content) if kind.endswith(".gz") else content


@pytest.mark.parametrize("kind", KINDS)
def test_files_damaged_anywhere_are_refused(tmp_path, kind):
    """Bytes changed, lost, put in or cut off at random: a table, or an error of ours that names the file."""
    rng = random.Random(KINDS.index(kind))
    content = content_of(kind, tmp_path)
    path = tmp_path / f"damaged.{kind}"
    refused = 0
    for _ in range(400):
        damaged, at = bytearray(content), rng.randrange(len(content))
        lost, put_in = rng.choice([(0, 4), (1, 1), (5, 0), (len(content), 0)])
        damaged[at : at + lost] = rng.randbytes(put_in)
        path.write_bytes(damaged)
        try:
            assert read_table(str(path)).values.ndim == 2
        except ArrayFileError as error:
            refused += str(path) in str(error)
            if str(path) not in str(error):
                raise
    assert refused > 100


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
    with pytest.raises(
        ValueError, match=r".tsv, .csv.gz, .tsv.gz, .csv.zst, .tsv.zst \(or be - or a pipe\), got 'x.txt'"
    ):
        kind_of("x.txt")


@pytest.mark.parametrize("kind", ["csr", "csc", "coo", "bsr", "dia"])
@pytest.mark.parametrize("key", [None, "data"])
def test_a_sparse_matrix_is_named(tmp_path, kind, key):
    """What scipy.sparse.save_npz wrote is called so, and the message tells how to make it dense."""
    path = tmp_path / "x.npz"
    scipy.sparse.save_npz(path, scipy.sparse.eye_array(4, 3).asformat(kind))
    with pytest.raises(ArrayFileError, match=r"it holds a sparse matrix.*np\.save\(.*\.toarray\(\)\)"):
        read_table(str(path), TableOptions(key=key))


def test_columns_of_arrays_go_by_number(tmp_path):
    """Arrays have no names: --columns, --drop and the labels count from 1."""
    values = np.arange(12.0).reshape(3, 4)
    np.save(tmp_path / "x.npy", values)
    table = read_table(str(tmp_path / "x.npy"), TableOptions(columns=["4", "1"], labels="2"))
    np.testing.assert_array_equal(table.values, values[:, [3, 0]])
    np.testing.assert_array_equal(table.labels, values[:, 1])
    assert read_table(str(tmp_path / "x.npy"), TableOptions(drop=["1", "3"])).values.tolist() == [
        [1, 3],
        [5, 7],
        [9, 11],
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"drop": ["a"]}, "--drop must be a number from 1 to 3, as the columns have no names, got 'a'"),
        ({"columns": ["0"]}, "--columns must be a number from 1 to 3"),
        ({"labels": "4"}, "--labels-column must be a number from 1 to 3"),
        ({"index": ["x"]}, "--index-col must be a number from 1 to 3"),
        ({"columns": ["1", "1"]}, "--columns must name each column once, got '1' twice"),
        ({"drop": ["1", "2"], "labels": "3"}, "no column is left as a feature, of 3 columns"),
        ({"header": True}, "--header is for CSV files"),
        ({"sep": ";"}, "--sep is for CSV files"),
        ({"decimal": ","}, "--decimal is for CSV files"),
        ({"key": "x"}, "--key is for .npz files"),
    ],
)
def test_options_that_do_not_fit_are_refused(tmp_path, options, message):
    """Columns that are not there, and options of other kinds of files, are errors that name the option."""
    np.save(tmp_path / "x.npy", np.zeros((2, 3)))
    with pytest.raises(ArrayFileError, match=message):
        read_table(str(tmp_path / "x.npy"), TableOptions(**options))


def test_several_files_are_one_table(tmp_path):
    """Rows follow one another in the order of the files; a pattern stands for its files in the order of their names."""
    parts = [np.full((i + 1, 2), float(i)) for i in range(3)]
    for i, part in enumerate(parts):
        write(tmp_path / f"part{i}.csv", part, ["a", "b"])
    paths = expand([str(tmp_path / "part[12].csv"), str(tmp_path / "part0.csv")])
    table = read_tables(paths)
    np.testing.assert_array_equal(table.values, np.concatenate([parts[1], parts[2], parts[0]]))
    assert table.names == ["a", "b"]
    with pytest.raises(FileNotFoundError, match="no file fits the pattern"):
        expand([str(tmp_path / "piece*.csv")])
    odd = tmp_path / "a[1].csv"
    write(odd, parts[1], ["a", "b"])
    assert expand([str(odd)]) == [str(odd)]


def test_labels_of_several_files_follow_one_another(tmp_path):
    """The column of labels is put together as the rows are."""
    for name, label in (("1.csv", "yes"), ("2.csv", "no")):
        (tmp_path / name).write_text(f"a,y\n0.5,{label}\n")
    table = read_tables(expand([f"{tmp_path}/*.csv"]), TableOptions(labels="y"))
    assert (table.labels.tolist(), table.values.tolist()) == (["yes", "no"], [[0.5], [0.5]])


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ("a,c\n1,2\n", r"2.csv must have the columns of .*1.csv: missing 'b'; more 'c'"),
        ("a\n1\n", r"2.csv must have the columns of .*1.csv: missing 'b'"),
        ("a,b,c\n1,2,3\n", r"2.csv must have the columns of .*1.csv: more 'c'"),
    ],
)
def test_files_with_other_columns_are_named(tmp_path, second, message):
    """Columns of several files agree by name and order, or the message names the file and the column."""
    (tmp_path / "1.csv").write_text("a,b\n1,2\n")
    (tmp_path / "2.csv").write_text(second)
    with pytest.raises(ArrayFileError, match=message):
        read_tables([str(tmp_path / "1.csv"), str(tmp_path / "2.csv")])


@pytest.mark.parametrize(("name", "sep"), [("x.csv.gz", ","), ("x.tsv.gz", "\t"), ("x.tsv", "\t"), ("X.CSV", ",")])
def test_compressed_and_tab_separated_files(tmp_path, name, sep):
    """The ending tells compression and separator."""
    text = f"a{sep}b\n1.5{sep}2\n".encode()
    (tmp_path / name).write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    table = read_table(str(tmp_path / name))
    assert (table.names, table.values.tolist()) == (["a", "b"], [[1.5, 2]])


@pytest.mark.parametrize("damage", [lambda b: b[:-9], lambda b: b[:12] + b"\xff" * 9 + b[21:], lambda b: b"a,b\n1,2\n"])
def test_damaged_gzip_is_refused(tmp_path, damage):
    """A compressed file that is cut, changed or not compressed is an error that says so."""
    whole = gzip.compress(b"".join(b"%d.25,%d.5\n" % (i, i) for i in range(500)))
    (tmp_path / "x.csv.gz").write_bytes(damage(whole))
    with pytest.raises(ArrayFileError, match=r"x.csv.gz is damaged or not a .csv.gz file of numbers"):
        read_table(str(tmp_path / "x.csv.gz"))


@pytest.mark.parametrize("suffix", ["npy", "npz", "csv", "parquet", ""])
def test_pipes_are_read(tmp_path, suffix):
    """A FIFO is read like a file of its name; without a name that tells, it is CSV."""
    values = np.random.default_rng(0).normal(size=(7, 3))
    path = tmp_path / f"x.{suffix or 'csv'}"
    write(path, values)
    content = path.read_bytes()
    fifo = tmp_path / (f"pipe.{suffix}" if suffix else "pipe")
    os.mkfifo(fifo)
    writer = threading.Thread(target=fifo.write_bytes, args=(content,))
    writer.start()
    table = read_table(str(fifo))
    writer.join()
    np.testing.assert_array_equal(table.values, values)


@pytest.mark.parametrize("suffix", ["npy", "npz", "csv", "csv.gz", "parquet"])
def test_a_symlink_loop_is_told(tmp_path, suffix):
    """A link that leads to itself is an error in the words of the system."""
    path = tmp_path / f"x.{suffix}"
    path.symlink_to(path)
    with pytest.raises(OSError, match="Too many levels of symbolic links"):
        read_table(str(path))
