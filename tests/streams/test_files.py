"""Sources of CSV, Parquet and Arrow: the rows of the table read whole, block by block."""

from __future__ import annotations

import gzip
import io
import os
import re
import resource
import threading

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet
import pytest

import sae_fast as sf
from sae_fast.files import _csv_read, _csv_records
from sae_fast.files._arrow import ArrowColumns, together
from sae_fast.files._table import AS_IT_IS, TableOptions
from sae_fast.streams import _parquet
from sae_fast.streams._files import open_files
from sae_fast.streams._parquet import StreamReader
from sae_fast.streams._tables import read_table

NAMES = list("abcd")
PAIRS = pa.list_(pa.float64(), 2)
X = np.random.default_rng(0).normal(size=(100, 4))


def whole(source):
    return np.concatenate([block for block in source])  # list() would ask for the length first


def frame():
    made = pd.DataFrame(X, columns=NAMES)
    made.insert(0, "id", [f'k "{i}", so' for i in range(100)])
    made["y"] = np.where(np.arange(100) % 3, "u", "v")
    return made


def zstd(path, text):
    with pa.CompressedOutputStream(str(path), "zstd") as file:
        file.write(text.encode())


WRITERS = {
    "x.csv": lambda f, p: f.to_csv(p, index=False),
    "x.tsv": lambda f, p: f.to_csv(p, index=False, sep="\t"),
    "x.csv.gz": lambda f, p: p.write_bytes(gzip.compress(f.to_csv(index=False).encode())),
    "x.csv.zst": lambda f, p: zstd(p, f.to_csv(index=False)),
    "x.parquet": lambda f, p: f.to_parquet(p, row_group_size=17),
}


@pytest.fixture(params=["small blocks", "csv module"], name="way")
def _way(request, monkeypatch):
    """CSV by pyarrow in blocks of some lines, and by the standard library."""
    if request.param == "small blocks":
        monkeypatch.setattr(_csv_read, "_SMALL", 0)
        monkeypatch.setattr(_csv_records, "BLOCK_BYTES", 2000)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("name", WRITERS)
def test_files_of_tables(tmp_path, name):
    """Names, labels, kept columns and rows, from the first one on and from the middle, in each pass alike."""
    path = tmp_path / name
    WRITERS[name](frame(), path)
    source = sf.open_source(path, drop=["id"], labels="y", batch_size=32)
    assert (source.feature_names, source.n_features, source.dtype) == (tuple(NAMES), 4, np.float64)
    for _ in range(2):
        blocks = [block for block in source]
        assert [len(block) for block in blocks] == [32, 32, 32, 4]
        np.testing.assert_array_equal(np.concatenate(blocks), X)
    assert len(source) == 100
    assert source.labels.tolist() == frame()["y"].tolist()
    np.testing.assert_array_equal(np.concatenate([rows.values for rows in source.passing(37)]), X[37:])
    np.testing.assert_array_equal(whole(sf.open_source(path, columns=["d", "a"])), X[:, [3, 0]])
    np.testing.assert_array_equal(read_table(str(path), TableOptions(columns=NAMES)).values, X)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_folders_and_patterns(tmp_path, ending):
    """Files of a folder and those below it, in the order of their names; a file of another width is named."""
    (tmp_path / "year=2024").mkdir()
    for i, name in enumerate(["a", "year=2024/b", "z"]):
        part = pd.DataFrame(X[i::3], columns=NAMES)
        path = tmp_path / f"{name}.{ending}"
        part.to_csv(path, index=False) if ending == "csv" else part.to_parquet(path)
    (tmp_path / "_SUCCESS").write_text("")
    (tmp_path / f".hidden.{ending}").write_text("")
    wanted = np.concatenate([X[i::3] for i in range(3)])
    source = sf.open_source(tmp_path)
    np.testing.assert_array_equal(whole(source), wanted)
    np.testing.assert_array_equal(np.concatenate([r.values for r in source.passing(40)]), wanted[40:])
    np.testing.assert_array_equal(whole(sf.open_source(str(tmp_path / f"[az].{ending}"))), np.vstack([X[::3], X[2::3]]))
    (tmp_path / "none").mkdir()
    with pytest.raises(IsADirectoryError, match="is a directory, wanted a file, or a folder that holds some"):
        sf.open_source(tmp_path / "none")


def embeddings(n, dtype=np.float32):
    values = X.astype(dtype).reshape(-1)
    return pa.FixedSizeListArray.from_arrays(pa.array(values), n)


@pytest.mark.parametrize(
    "make",
    [
        lambda t, p: t,
        lambda t, p: pl.from_arrow(t),
        lambda t, p: pa.dataset.dataset(p),
        lambda t, p: p / "1.parquet",
    ],
)
def test_what_gives_arrow(tmp_path, make):
    """Tables of pyarrow and polars, datasets and files: embeddings in lists of one length, with other columns."""
    table = pa.table({"e": embeddings(4), "f": np.arange(100, dtype=np.float32)})
    pa.parquet.write_table(table, tmp_path / "1.parquet", row_group_size=30)
    data = make(table, tmp_path)
    source = sf.open_source(data, batch_size=32)
    assert (source.dtype, source.feature_names) == (np.float32, ("e_0", "e_1", "e_2", "e_3", "f"))
    wanted = np.column_stack([X.astype(np.float32), np.arange(100)])
    for _ in range(2):
        np.testing.assert_array_equal(whole(source), wanted)
    np.testing.assert_array_equal(whole(sf.open_source(data, columns=["e"])), X.astype(np.float32))


def test_a_stream_is_read_once():
    """A reader of record batches gives its rows once; a second pass tells what to give instead."""
    table = pa.table({"a": X[:, 0], "b": X[:, 1]})
    source = sf.open_source(pa.RecordBatchReader.from_batches(table.schema, table.to_batches(max_chunksize=7)))
    assert source.once
    np.testing.assert_array_equal(whole(source), X[:, :2])
    with pytest.raises(ValueError, match="is a stream, which gives its rows once"):
        whole(source)


@pytest.mark.parametrize("cut", [slice(0, 100), slice(3, 50)])
def test_embeddings_are_not_copied(cut):
    """The block of a list column is Arrow's own memory, of a slice too."""
    column = embeddings(4)[cut]
    batch = pa.record_batch({"e": column})
    values = together(ArrowColumns(pa, batch.schema, TableOptions()).features(batch.columns), 0, len(batch))
    np.testing.assert_array_equal(values, X[cut].astype(np.float32))
    assert np.shares_memory(values, column.values.to_numpy())


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (
            pa.array([[1.0, 2], [3, None]], pa.list_(pa.float64(), 2)),
            "column 'e', row 1 .counted from 0. must hold numbers, got a missing",
        ),
        (
            pa.array([[1.0, 2], None], pa.list_(pa.float64(), 2)),
            "column 'e', row 1 .counted from 0. must hold a value, got a missing one",
        ),
        (pa.array([[1.0, 2], [3]]), "column 'e', row 1 .counted from 0. must hold 2 numbers, as row 0, got 1"),
    ],
)
def test_missing_numbers_are_told_by_row(tmp_path, second, message):
    """Row numbers count on from one row group to the next."""
    pa.parquet.write_table(pa.table({"e": second}), tmp_path / "x.parquet", row_group_size=1)
    with pytest.raises(ValueError, match=message):
        whole(sf.open_source(tmp_path / "x.parquet", batch_size=1))


@pytest.mark.usefixtures("way")
def test_a_fault_in_the_middle_of_csv(tmp_path):
    """The line is told, after the blocks before it have been given."""
    lines = frame()[NAMES].to_csv(index=False).splitlines()
    lines[71] = "1,2,x,4"
    (tmp_path / "x.csv").write_text("\n".join(lines))
    blocks = iter(sf.open_source(tmp_path / "x.csv", batch_size=10))
    with pytest.raises(ValueError, match=r"x.csv: line 72, column 3 must be a number, got 'x'"):
        list(blocks)


def test_pipes_are_read_once(tmp_path, monkeypatch):
    """CSV out of a FIFO or stdin is streamed, in one pass; other kinds are kept in a file of their own."""
    text = frame()[NAMES].to_csv(index=False).encode()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text)))
    source = sf.open_source("-", batch_size=32)
    np.testing.assert_array_equal(whole(source), X)
    with pytest.raises(ValueError, match="stdin is a pipe, which gives its rows once"):
        whole(source)
    for name, content in (("pipe", text), ("x.npy", None)):
        if content is None:
            file = io.BytesIO()
            np.save(file, X)
            content = file.getvalue()
        os.mkfifo(tmp_path / name)
        writer = threading.Thread(target=(tmp_path / name).write_bytes, args=(content,))
        writer.start()
        source = sf.open_source(tmp_path / name)
        np.testing.assert_array_equal(whole(source), X)
        writer.join()
        assert source.once == (name == "pipe")


@pytest.mark.parametrize("name", WRITERS)
def test_a_file_that_is_changed(tmp_path, name):
    """A pass over another file than the first one was is refused."""
    path = tmp_path / name
    WRITERS[name](frame(), path)
    source = sf.open_source(path, columns=["a"])
    whole(source)
    WRITERS[name](frame()[:50], path)
    with pytest.raises(ValueError, match="has been changed since it was opened"):
        whole(source)


def wide(n, m=300):
    values = np.random.default_rng(1).normal(size=(n, m)).astype(np.float32)
    return values, pa.table({f"x{j}": values[:, j] for j in range(m)} | {"y": [f"l{i}" for i in range(n)]})


def test_many_columns(tmp_path):
    """Row groups that are decoded some columns at a time: in any order, with labels, from any row on, by blocks."""
    values, table = wide(50)
    pa.parquet.write_table(table, tmp_path / "x.parquet", row_group_size=20)
    order = np.random.default_rng(2).permutation(300)
    for columns, wanted in ((None, values), ([f"x{j}" for j in order], values[:, order])):
        source = sf.open_source(tmp_path / "x.parquet", columns=columns, labels="y", batch_size=8)
        np.testing.assert_array_equal(whole(source), wanted)
        np.testing.assert_array_equal(np.concatenate([rows.values for rows in source.passing(23)]), wanted[23:])
        assert source.labels.tolist() == table["y"].to_pylist()


@pytest.mark.parametrize(("less", "calls"), [(0, [20, 20, 10]), (1, [])])
def test_row_groups_that_are_decoded_whole(tmp_path, monkeypatch, less, calls):
    """Those whose numbers, and not their pages or numbers of eight bytes, take as much as is allowed."""
    values, table = wide(50)
    pa.parquet.write_table(table, tmp_path / "x.parquet", row_group_size=20)
    monkeypatch.setattr(_parquet, "_WHOLE_GROUP", 20 * 300 * 4 - less)
    monkeypatch.setattr(_parquet, "_PAGE_BYTES", 1)
    decoded = []
    real = _parquet.ParquetReader._group
    monkeypatch.setattr(_parquet.ParquetReader, "_group", lambda *a: decoded.append(len((c := real(*a))[0])) or c)
    np.testing.assert_array_equal(whole(sf.open_source(tmp_path / "x.parquet", drop=["y"], batch_size=7)), values)
    assert decoded == calls


@pytest.mark.parametrize("kind", ["file", "stream"])
def test_large_batches_come_in_blocks(tmp_path, kind):
    """Of a batch, or a row group, that is longer than a block no copy is made but that of the block."""
    values, table = wide(50)
    table = table.drop_columns("y")
    pa.parquet.write_table(table, tmp_path / "x.parquet", row_group_size=20)
    reader = (
        open_files([str(tmp_path / "x.parquet")], TableOptions()) if kind == "file" else StreamReader(table, AS_IT_IS)
    )
    pieces = [rows.values for rows in reader.rows(8)]
    np.testing.assert_array_equal(np.concatenate(pieces), values)
    lengths = [8, 8, 4, 4, 8, 8, 8, 2] if kind == "file" else [8] * 6 + [2]
    assert [len(piece) for piece in pieces] == lengths
    assert next(len(rows.values) for rows in reader.rows(8, 5)) == 8


def test_the_footer_of_a_file_is_read_once(tmp_path, monkeypatch):
    """It is megabytes where columns and row groups are many; of the files of a folder it is not kept."""
    pa.parquet.write_table(wide(9)[1], tmp_path / "1.parquet")
    pa.parquet.write_table(wide(9)[1], tmp_path / "2.parquet")
    opened = []
    real = pa.parquet.ParquetFile
    monkeypatch.setattr(pa.parquet, "ParquetFile", lambda *a, **o: opened.append(o["metadata"]) or real(*a, **o))
    for path, known in ((tmp_path / "1.parquet", 2), (tmp_path, 0)):
        source = sf.open_source(path, drop=["y"])
        opened.clear()
        whole(source), whole(source)
        assert sum(about is not None for about in opened) == known


def write(path, table):
    """A part of a table, by the ending of its name."""
    if path.suffix == ".npy":
        np.save(path, table.drop(columns=["id", "y"], errors="ignore").to_numpy())
    elif path.suffix == ".parquet":
        table.to_parquet(path, index=False)
    else:
        table.to_csv(path, index=False)


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "parquet", "npy"])
def test_parts_without_rows(tmp_path, ending):
    """They are left out, wherever they are; where no part has a row, and in a file alone, that is an error."""
    for i, rows in enumerate([X[:0], X[:30], X[:0], X[30:], X[:0]]):
        write(tmp_path / f"{i}.{ending}", pd.DataFrame(rows, columns=NAMES))
    source = sf.open_source(tmp_path, batch_size=32)
    for start in (0, 20, 30):
        np.testing.assert_array_equal(np.concatenate([rows.values for rows in source.passing(start)]), X[start:])
    np.testing.assert_array_equal(read_table(str(tmp_path / f"1.{ending}")).values, X[:30])
    with pytest.raises(ValueError, match=r"2\..* and 1 more must hold at least one row, got none in any of them"):
        sf.open_source([tmp_path / f"2.{ending}", tmp_path / f"4.{ending}"])
    with pytest.raises(ValueError, match=rf"4.{ending}: it must hold at least one row.*, got none"):
        sf.open_source(tmp_path / f"4.{ending}")


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_columns_in_another_order(tmp_path, ending):
    """Columns go by their names, in the order of the first part; one that is missing, or one more, is told."""
    first, second, third = tmp_path / f"1.{ending}", tmp_path / f"2.{ending}", tmp_path / f"3.{ending}"
    whole_frame = frame()
    write(first, whole_frame[:40])
    write(second, whole_frame[["d", "y", "b", "a", "id", "c"]][40:])
    source = sf.open_source(tmp_path, drop=["id"], labels="y", batch_size=32)
    np.testing.assert_array_equal(whole(source), X)
    assert (source.feature_names, source.labels.tolist()) == (tuple(NAMES), whole_frame["y"].tolist())
    write(third, whole_frame.rename(columns={"c": "e"}))
    with pytest.raises(ValueError, match=rf"3.{ending} must have the columns of .*1.{ending}: missing 'c'; more 'e'"):
        sf.open_source(tmp_path, drop=["id", "y"])
    write(third, whole_frame.assign(e=1.0))
    with pytest.raises(ValueError, match=rf"3.{ending} must have the columns of .*1.{ending}: more 'e'"):
        sf.open_source(tmp_path, drop=["id", "y"])
    np.testing.assert_array_equal(whole(sf.open_source(tmp_path, columns=["c", "a"])), np.vstack([X, X])[:, [2, 0]])


def test_lists_in_another_order(tmp_path):
    """Columns of lists go by the name of the column, too."""
    e, f = embeddings(4), pa.array(X[:, 0].astype(np.float32))
    pa.parquet.write_table(pa.table({"e": e, "f": f}), tmp_path / "1.parquet")
    pa.parquet.write_table(pa.table({"f": f, "e": e}), tmp_path / "2.parquet")
    np.testing.assert_array_equal(
        whole(sf.open_source(tmp_path)), np.tile(np.c_[X, X[:, 0]].astype(np.float32), (2, 1))
    )


PYTHON_WORDS = [
    ("x.csv", "a,when\n1,2024-01-01\n", {}, "(drop=['when'] leaves the column out)"),
    ("x.csv", "a;b\n1,5;2\n", {}, "(sep=';', decimal=',' would read it)"),
    ("x.csv", "a,1\n2,3\n", {}, "(if that line holds names: header=True)"),
    ("x.csv", "0,1\n5,7\n", {}, "header=True takes it for names, header=False for a sample"),
    ("x.csv", "a,b\n1,2\n", {"columns": ["c"]}, "columns=: no column is named 'c', of 'a', 'b'"),
    ("x.csv", "a,b\n1,2\n", {"labels": "c"}, "labels=: no column is named 'c', of 'a', 'b'"),
    ("x.csv", "5,2.5\n", {"drop": ["3"]}, "drop= must be a number from 1 to 2, as the columns have no names, got '3'"),
    ("x.csv", "1,2\n", {"key": "a"}, "key= is for .npz files"),
    ("x.npz", None, {}, "it holds a, b: name one with key="),
    ("x.npz", None, {"header": True}, "header= is for CSV files"),
    ("x.parquet", None, {}, "(drop=['when'] leaves the column out)"),
]


@pytest.mark.parametrize(("name", "text", "options", "message"), PYTHON_WORDS)
def test_messages_call_options_as_python_does(tmp_path, name, text, options, message):
    """Not as the command line, whose own words the tests of tables check."""
    path = tmp_path / name
    if text is not None:
        path.write_text(text)
    elif path.suffix == ".npz":
        np.savez(path, a=X, b=X)
    else:
        pa.parquet.write_table(pa.table({"a": [1.0], "when": ["2024-01-01"]}), path)
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        whole(sf.open_source(path, **options))
    assert "--" not in str(caught.value)


def test_csv_in_other_writing(tmp_path):
    """Separator, decimal mark and header are told as on the command line."""
    (tmp_path / "x.csv").write_text("1;2\n1,5;2\n-3;0,25\n")
    source = sf.open_source(tmp_path / "x.csv", sep=";", decimal=",", header=True)
    assert source.feature_names == ("1", "2")
    np.testing.assert_array_equal(whole(source), [[1.5, 2], [-3, 0.25]])
    assert len(sf.open_source(tmp_path / "x.csv", sep=";", decimal=",", header=False)) == 3


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"columns": "ab"}, TypeError, "columns must be a sequence of names .* got 'ab'"),
        ({"columns": [0, 1]}, TypeError, r"columns must be a sequence of names .* got \[0, 1\]"),
        ({"drop": "a"}, TypeError, "drop must be a sequence of names .* got 'a'"),
        ({"labels": 1}, TypeError, "labels must be a name .* got 1"),
        ({"key": "a"}, ValueError, "key= is for .npz files"),
        ({"sep": ";"}, ValueError, "sep= is for CSV files"),
        ({"header": "no"}, ValueError, "header must be True, False or None, got 'no'"),
        ({"sep": 5}, ValueError, "sep must be one character .* got 5"),
        ({"sep": ";;"}, ValueError, "sep must be one character"),
        ({"decimal": "-"}, ValueError, "decimal must be '.' or ','"),
        ({"decimal": ","}, ValueError, "decimal=',' needs fields that no comma separates: give sep=';'"),
        ({"batch_size": 0}, ValueError, "batch_size must be"),
        ({"batch_size": 2.5}, TypeError, "batch_size must be"),
    ],
)
def test_options_that_are_none(options, error, message):
    """Of the wrong kind, or for other data than an array."""
    with pytest.raises(error, match=message):
        sf.open_source(X, **options)


def test_links_in_folders(tmp_path):
    """A link to another folder is followed, a loop once; one to a file that is not there is no file to leave out."""
    data, other = tmp_path / "data", tmp_path / "other"
    data.mkdir()
    other.mkdir()
    write(data / "1.csv", pd.DataFrame(X[:40], columns=NAMES))
    write(other / "2.csv", pd.DataFrame(X[40:], columns=NAMES))
    (data / "more").symlink_to(other)
    (data / "loop").symlink_to(data)
    np.testing.assert_array_equal(whole(sf.open_source(data)), X)
    (data / "9.csv").symlink_to(tmp_path / "none.csv")
    with pytest.raises(FileNotFoundError, match=r"9\.csv"):
        sf.open_source(data)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read all folders")
def test_a_folder_that_may_not_be_read(tmp_path):
    """Its files are not left out in silence."""
    write(tmp_path / "1.csv", pd.DataFrame(X, columns=NAMES))
    (tmp_path / "more").mkdir(mode=0)
    with pytest.raises(PermissionError, match="more"):
        sf.open_source(tmp_path)


@pytest.mark.parametrize("damage", [lambda b: b[:-9], lambda b: b"a,b\n1,2\n", lambda b: b + b"more"])
def test_damaged_zstd_is_told_with_its_name(tmp_path, damage):
    """One that is cut, that is none, or that has more behind it."""
    zstd(tmp_path / "x.csv.zst", frame()[NAMES].to_csv(index=False))
    whole_file = (tmp_path / "x.csv.zst").read_bytes()
    (tmp_path / "x.csv.zst").write_bytes(damage(whole_file))
    with pytest.raises(ValueError, match=r"x.csv.zst is damaged or not a .csv.zst file of numbers"):
        whole(sf.open_source(tmp_path / "x.csv.zst"))


def test_a_full_disk_under_a_temporary_copy(tmp_path):
    """Columns of an archive are copied before they are read as rows; an error names the archive."""
    np.savez_compressed(tmp_path / "x.npz", np.asfortranarray(X))
    source = sf.open_source(tmp_path / "x.npz")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(OSError, match=r"a temporary copy of .*x\.npz"):
            whole(source)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
