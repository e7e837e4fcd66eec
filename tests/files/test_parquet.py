"""Parquet: columns that are features, what pandas adds to them, and what is refused."""

from __future__ import annotations

import decimal
import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet
import pytest

from sae_fast.files._table import ArrayFileError, TableError, TableOptions
from sae_fast.streams._parquet import ParquetReader
from sae_fast.streams._tables import read_table


@pytest.fixture(name="path")
def _path(tmp_path):
    return str(tmp_path / "x.parquet")


def save(path, **columns):
    pa.parquet.write_table(pa.table(columns), path, row_group_size=2)


def test_columns_of_every_number_type(path):
    """Integers, halves, floats, bools and what a dictionary encodes."""
    columns = {
        "a": pa.array([1, 2, 3], pa.int8()),
        "b": np.array([0.5, 1, 2], np.float16),
        "c": [True, False, True],
        "d": pa.array([1.5, 2.5, 1.5]).dictionary_encode(),
    }
    save(path, **columns)
    table = read_table(path)
    assert (table.names, table.values.tolist()) == (list("abcd"), [[1, 0.5, 1, 1.5], [2, 1, 0, 2.5], [3, 2, 1, 1.5]])


@pytest.mark.parametrize(
    ("kinds", "dtype"),
    [
        ([pa.float32(), pa.float32()], np.float32),
        ([pa.int8(), pa.float16()], np.float16),
        ([pa.int32(), pa.float32()], np.float64),
        ([pa.uint64(), pa.int64()], np.float64),
        ([pa.bool_(), pa.float32()], np.float32),
    ],
)
def test_the_schema_tells_the_dtype_of_the_rows(path, kinds, dtype):
    """Columns of plain numbers are known before a row is read, and as the rows are; others from the first row."""
    save(path, **{f"x{i}": pa.array([0, 1, 1], pa.int8()).cast(kind) for i, kind in enumerate(kinds)})
    reader = ParquetReader(path, "x", TableOptions())
    assert (reader.dtype, reader.n_features, reader.names) == (dtype, 2, ["x0", "x1"])
    assert {rows.values.dtype for rows in reader.rows(2)} == {np.dtype(dtype)}


def test_a_missing_value_is_told_with_its_row(path):
    """Also in the first row, which nobody has read when the file is opened."""
    save(path, a=[1.5, 2.5, 3.5], b=pa.array([None, 1, 2], pa.float32()))
    reader = ParquetReader(path, "x", TableOptions())
    with pytest.raises(TableError, match=r"column 'b', row 0 \(counted from 0\) must hold a value, got a missing one"):
        list(reader.rows(2))


@pytest.mark.parametrize("n", [3, 40])
@pytest.mark.parametrize("drop", [[], ["x1"]])
@pytest.mark.parametrize("start", [0, 1, 6, 12])
def test_rows_from_any_one_on(path, n, drop, start):
    """Also where row groups are decoded whole, as small ones of many columns are; what is kept goes along."""
    X = np.arange(13 * n, dtype=np.float32).reshape(13, n)
    columns = {f"x{j}": X[:, j] for j in range(n)}
    pa.parquet.write_table(pa.table({"id": [f"k{i}" for i in range(13)], **columns}), path, row_group_size=5)
    reader = ParquetReader(path, "x", TableOptions(keep=["id"], drop=drop))
    pieces = list(reader.rows(4, start))
    names = [name for name in columns if name not in drop]
    wanted = np.column_stack([columns[name] for name in names])[start:]
    assert np.array_equal(np.concatenate([rows.values for rows in pieces]), wanted)
    assert [key for rows in pieces for key in rows.kept[0].to_pylist()] == [f"k{i}" for i in range(start, 13)]
    assert {rows.values.shape[1] for rows in pieces} == {len(names)}
    assert reader.names == names


def test_numbers_are_read_without_pandas(path):
    """Which pyarrow imports when it makes arrays of columns: a quarter of a second."""
    save(path, a=pa.array([1.5, 2.5, 3.5]), b=pa.FixedSizeListArray.from_arrays(pa.array(np.arange(6.0)), 2))
    code = (
        "import sys; sys.modules['pandas'] = None; import sae_fast as sf\n"
        f"print([block.tolist() for block in sf.open_source({path!r}, batch_size=2)])"
    )
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert out.strip() == "[[[1.5, 0.0, 1.0], [2.5, 2.0, 3.0]], [[3.5, 4.0, 5.0]]]"


@pytest.mark.parametrize("index", [pd.RangeIndex(3), [5, 3, 1], ["x", "y", "z"], pd.Index([7, 8, 9], name="id")])
def test_the_index_of_pandas_is_no_feature(path, index):
    """By its metadata; --index-col none makes it one, where it is stored as a column."""
    pd.DataFrame({"a": [1.5, 2.5, 3.5], "b": [0, 1, 2]}, index=index).to_parquet(path)
    table = read_table(path)
    assert (table.names, table.values.tolist()) == (["a", "b"], [[1.5, 0], [2.5, 1], [3.5, 2]])
    if not isinstance(index, pd.RangeIndex) and index[0] != "x":
        assert len(read_table(path, TableOptions(index=())).names) == 3


def test_the_index_is_known_without_metadata(path):
    """A program that drops pandas' metadata keeps the name that pandas gave the column."""
    pd.DataFrame({"a": [1.5, 2.5]}, index=[5, 3]).to_parquet(path)
    pl.read_parquet(path).write_parquet(path)
    assert read_table(path).names == ["a"]
    assert read_table(path, TableOptions(columns=["__index_level_0__"])).values.tolist() == [[5], [3]]


@pytest.mark.parametrize("kind", [pa.list_(pa.float32(), 2), pa.list_(pa.float32()), pa.large_list(pa.float64())])
def test_lists_are_as_many_features(path, kind):
    """Embeddings: lists of one length, of either kind."""
    save(path, y=["u", "v", "w"], emb=pa.array([[1.5, 2], [3, 4], [5, 6.5]], kind), a=[7, 8, 9])
    table = read_table(path, TableOptions(labels="y"))
    assert table.names == ["emb_0", "emb_1", "a"]
    np.testing.assert_array_equal(table.values, [[1.5, 2, 7], [3, 4, 8], [5, 6.5, 9]])
    assert table.labels.tolist() == ["u", "v", "w"]
    assert read_table(path, TableOptions(columns=["emb"])).values.shape == (3, 2)


def test_arrays_of_polars(path):
    """Its type Array, from a slice."""
    values = np.random.default_rng(0).normal(size=(9, 4))
    pl.DataFrame({"e": pl.Series(values, dtype=pl.Array(pl.Float64, 4))})[2:7].write_parquet(path)
    np.testing.assert_array_equal(read_table(path).values, values[2:7])


@pytest.mark.parametrize(("precision", "scale"), [(9, 4), (18, 6), (30, 5), (38, 20)])
def test_decimals_are_the_nearest_numbers(path, precision, scale):
    """Decimal columns give what float() makes of each, to the last bit."""
    rng = np.random.default_rng(0)
    digits = ["".join(map(str, rng.integers(0, 10, precision - 1))) for _ in range(500)]
    texts = [f"{sign}{d[:-scale]}.{d[-scale:]}" for d, sign in zip(digits, 250 * ["", "-"], strict=True)]
    save(path, a=pa.array([decimal.Decimal(t) for t in texts], pa.decimal128(precision, scale)))
    np.testing.assert_array_equal(read_table(path).values[:, 0], [float(t) for t in texts])


def test_columns_of_one_name_are_all_read(path):
    """Where names are not unique, each column is taken by its place."""
    pa.parquet.write_table(pa.Table.from_arrays([pa.array([1, 2]), pa.array([3, 4])], names=["a", "a"]), path)
    assert read_table(path).values.tolist() == [[1, 3], [2, 4]]


def test_a_column_whose_name_begins_like_another(path):
    """A name with a dot is a name."""
    pa.parquet.write_table(pa.table({"a": [1, 2], "a.b": [3, 4], "c": ["x", "y"]}), path)
    assert read_table(path, TableOptions(drop=["c"])).values.tolist() == [[1, 3], [2, 4]]
    assert read_table(path, TableOptions(columns=["a.b"])).values.tolist() == [[3], [4]]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"a": [1.0, None, 2.0, None]},
            r"column 'a', row 1 .counted from 0. must hold a value, got a missing one \(2 in all\)",
        ),
        ({"a": pd.array([1, 2, None], "Int64")}, "column 'a', row 2 .counted from 0. must hold a value"),
        ({"a": ["x", "y"]}, r"column 'a' must hold real numbers, got string \(--drop a leaves the column out\)"),
        ({"a": pd.to_datetime(["2024-01-01"])}, "column 'a' must hold real numbers, got timestamp"),
        ({"a": [[1.0, 2.0], [3.0]]}, "column 'a', row 1 .counted from 0. must hold 2 numbers, as row 0, got 1"),
        ({"a": [[1.0, 2.0], [3.0, None]]}, "column 'a', row 1 .counted from 0. must hold numbers, got a missing one"),
        ({"a": [[1.0, 2.0], None]}, "column 'a', row 1 .counted from 0. must hold a value"),
        ({"a": [[], []]}, "column 'a' must hold numbers, got empty lists|must hold real numbers"),
        ({"a": [["x"]]}, "column 'a' must hold real numbers, got list"),
        ({"a": pa.array([], pa.float64())}, "must hold at least one row, got none"),
    ],
)
def test_what_is_no_table_of_numbers_is_refused(path, columns, message):
    """The message names column, row and type."""
    save(path, **columns)
    with pytest.raises(ArrayFileError, match=message) as caught:
        read_table(path)
    assert path in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + b"\x00" * 40 + b"PAR1"])
def test_damaged_files_are_refused(tmp_path, content):
    """A file that is not Parquet, or part of one."""
    (tmp_path / "x.parquet").write_bytes(content)
    with pytest.raises(ArrayFileError, match=r"x.parquet is damaged or not a Parquet file: \S"):
        read_table(str(tmp_path / "x.parquet"))


def test_labels_of_a_column(path):
    """Numbers or text, none missing; never features."""
    save(path, a=[1.5, 2.5], y=[1, 0], z=["u", None], t=pd.to_datetime(["2024-01-01", "2024-01-02"]))
    table = read_table(path, TableOptions(labels="y", columns=["a"]))
    assert (table.names, table.labels.tolist()) == (["a"], [1, 0])
    for name, message in (
        ("z", "column 'z', row 1 .counted from 0. must hold a label"),
        ("t", "must hold labels, numbers or text, got"),
    ):
        with pytest.raises(ArrayFileError, match=message):
            read_table(path, TableOptions(labels=name, columns=["a"]))
