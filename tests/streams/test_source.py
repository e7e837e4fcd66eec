"""Sources: every pass gives the same blocks of the same rows, whatever holds them, or an error that tells why not."""

from __future__ import annotations

import threading
import time

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import sae_fast as sf
from sae_fast.streams._ahead import read_ahead
from sae_fast.streams._open import as_source

X = np.random.default_rng(0).normal(size=(100, 6))


class Sliced:
    """What a dataset of HDF5 is: a length, a shape, and arrays for slices."""

    def __init__(self, values):
        self.values, self.shape, self.dtype = values, values.shape, values.dtype

    def __len__(self):
        return len(self.values)

    def __getitem__(self, rows):
        assert isinstance(rows, slice)
        return self.values[rows]


class Again:
    """A re-iterable, and what it gives in each pass."""

    def __init__(self, *passes):
        self.passes = iter(passes)

    def __iter__(self):
        return iter(next(self.passes))


def whole(source):
    return np.concatenate([block for block in source])  # list() would ask for the length first


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16, np.uint8, ">f8", np.float16])
@pytest.mark.parametrize(
    "make",
    [
        lambda X: X,
        np.asfortranarray,
        lambda X: X.tolist() if X.dtype == np.float64 else X,
        lambda X: pd.DataFrame(X.astype(X.dtype.newbyteorder("="))),
        lambda X: pl.DataFrame(X.astype(np.float64)) if X.dtype == np.float64 else X,
        Sliced,
        lambda X: [X[:1], X[1:1], X[1:50], X[50:]],
        lambda X: (X[:30], X[30:].tolist()) if X.dtype == np.float64 else (X[:30], X[30:]),
    ],
)
def test_every_holder_of_rows(make, dtype):
    """Arrays, frames, slices and iterables give the same blocks, and the same again."""
    values = (3 * X).astype(dtype)
    source = sf.open_source(make(values), batch_size=32)
    wanted = np.float32 if dtype == np.float32 else np.float64
    assert (source.n_features, source.dtype, source.batch_size, source.once) == (6, wanted, 32, False)
    for _ in range(2):
        blocks = list(source)
        assert [len(block) for block in blocks] == [32, 32, 32, 4]
        assert all(block.flags.c_contiguous and block.dtype == wanted for block in blocks)
        np.testing.assert_array_equal(np.concatenate(blocks), values.astype(wanted))
    assert len(source) == 100


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("kind", ["npy", "npz", "compressed"])
def test_numpy_files(tmp_path, kind, order):
    """Files of NumPy, in either order, whole, by columns, with labels, and from a row on."""
    path = tmp_path / ("x.npy" if kind == "npy" else "x.npz")
    values = np.asarray(X, order=order)
    {"npy": np.save, "npz": np.savez, "compressed": np.savez_compressed}[kind](path, values)
    source = sf.open_source(path, batch_size=32)
    np.testing.assert_array_equal(whole(source), X)
    np.testing.assert_array_equal(np.concatenate([rows.values for rows in source.passing(37)]), X[37:])
    chosen = sf.open_source(str(path), columns=["5", "1"], labels="2", batch_size=7)
    np.testing.assert_array_equal(whole(chosen), X[:, [4, 0]])
    np.testing.assert_array_equal(chosen.labels, X[:, 1])


def test_shards_follow_one_another(tmp_path):
    """By pattern, in the order of their names, or by a list, in its order; blocks go across them."""
    for i in range(4):
        np.save(tmp_path / f"part-{i}.npy", X[25 * i : 25 * (i + 1)])
    source = sf.open_source(tmp_path / "part-*.npy", batch_size=40)
    assert (len(source), [len(b) for b in source]) == (100, [40, 40, 20])
    np.testing.assert_array_equal(whole(source), X)
    for start in (0, 25, 60, 99):
        np.testing.assert_array_equal(np.concatenate([rows.values for rows in source.passing(start)]), X[start:])
    two = sf.open_source([tmp_path / "part-3.npy", str(tmp_path / "part-0.npy")])
    np.testing.assert_array_equal(whole(two), np.vstack([X[75:], X[:25]]))
    np.save(tmp_path / "part-9.npy", np.zeros((2, 5)))
    with pytest.raises(ValueError, match=r"part-9.npy must have 6 columns, as .*part-0.npy, got 5"):
        sf.open_source(tmp_path / "part-*.npy")


def test_dtype(tmp_path):
    """float32 where all parts are, else float64; dtype= decides for all."""
    np.save(tmp_path / "1.npy", X.astype(np.float32))
    np.save(tmp_path / "2.npy", X)
    assert sf.open_source(tmp_path / "1.npy").dtype == np.float32
    assert sf.open_source(tmp_path / "*.npy").dtype == np.float64
    single = sf.open_source(tmp_path / "*.npy", dtype="float32")
    np.testing.assert_array_equal(whole(single), np.vstack([X, X]).astype(np.float32))
    with pytest.raises(ValueError, match="dtype must be float32, float64 or None, got 'int8'"):
        sf.open_source(X, dtype="int8")


def test_an_iterator_is_read_once():
    """A second pass is refused, and the message tells what to give instead; its length is known after the first."""
    source = sf.open_source(iter([X[:60], X[60:]]), batch_size=50)
    assert source.once
    with pytest.raises(TypeError, match="can be read once"):
        len(source)
    np.testing.assert_array_equal(whole(source), X)
    assert len(source) == 100
    with pytest.raises(ValueError, match="gives its rows once: make it of a list, or of an object whose __iter__"):
        next(iter(source))


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ([X[:60][::-1], X[60:]], r"rows 0 to 49 .* of the source must be the same in every pass"),
        ([X[:60], X[60:] + 1e-15], r"rows 50 to 99 .* of the source must be the same in every pass"),
        ([X[:60]], "the source must give 100 rows, as in the first pass, got 60"),
        ([X[:50]], "the source must give 100 rows, as in the first pass, got 50"),
        ([X, X[:1]], "the source must give 100 rows, as in the first pass, got 101"),
        ([X[:50], X[50:, :5]], r"rows 50 to 99 .* of the source must have 6 columns, as the first ones, got 5"),
    ],
)
def test_other_rows_in_a_later_pass(second, message):
    """Values, order, number or width that change between two passes are told with the rows."""
    source = sf.open_source(Again([X], [X], second), batch_size=50)
    np.testing.assert_array_equal(whole(source), X)
    with pytest.raises(ValueError, match=message):
        whole(source)


def test_an_array_that_is_changed():
    """A pass that meets other values than the first one fails, also when it was not the whole of it."""
    values = X.copy()
    source = sf.open_source(values, batch_size=10)
    next(iter(source))
    values[3, 2] = 5
    with pytest.raises(ValueError, match=r"rows 0 to 9 .* of the source must be the same in every pass"):
        whole(source)


def test_a_file_that_is_changed(tmp_path):
    """Another file of the name, and one that is cut while it is read."""
    path = tmp_path / "x.npy"
    np.save(path, X)
    source = sf.open_source(path, batch_size=10)
    blocks = iter(source)
    next(blocks)
    content = path.read_bytes()
    path.write_bytes(content[:1000])
    with pytest.raises(ValueError, match=r"x\.npy ends early: it was cut while it was read"):
        list(blocks)
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"x\.npy has been changed since it was opened"):
        whole(source)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite(bad):
    """Told with row and column, and let through on request; so is what a narrower dtype cannot hold."""
    values = X.copy()
    values[70, 2] = bad
    what = "NaN" if np.isnan(bad) else "an infinite value"
    with pytest.raises(ValueError, match=f"the source contains {what}: row 70, column 2 "):
        whole(sf.open_source(values, batch_size=16))
    np.testing.assert_array_equal(whole(sf.open_source(values, ensure_all_finite=False)), values)
    with pytest.raises(ValueError, match="an infinite value: row 0, column 0 "):
        whole(sf.open_source([[1e300, 1.0]], dtype=np.float32))


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (5, TypeError, "data must be a path, an array, .* got int"),
        (b"x.npy", TypeError, "data must be a path, an array, .* got bytes"),
        (np.array(5.0), ValueError, r"must have shape \(n_samples, n_features\), got \(\)"),
        ([[1.0, 2.0], [3.0]], ValueError, "data must have rows of one length"),
        ({"a": [1]}, TypeError, "got dict"),
        ([], ValueError, "at least one row"),
        (iter([]), ValueError, "at least one row"),
        (np.empty((0, 3)), ValueError, "at least one row"),
        (X[0], ValueError, r"must have shape \(n_samples, n_features\)"),
        ([X[:2], X[2:, :3]], ValueError, r"rows 2 to 99 .* must have 6 columns, as the first ones, got 3"),
        (iter([X, {}]), TypeError, "must give arrays of rows, got dict"),
        (iter([X, "x.npy"]), TypeError, "must give arrays of rows, got 'x.npy': paths go into a list"),
        ([X[:2], X[2:].astype(complex)], TypeError, "must have a real dtype"),
        (
            [X[:2].astype(np.float32), X[2:]],
            ValueError,
            "row 2 .* and those that follow .* dtype float32, .* got float64",
        ),
        ("x.txt", ValueError, "the name of an input file must end in"),
        ("none-*.npy", FileNotFoundError, "no file fits the pattern"),
    ],
)
def test_what_is_no_source(data, error, message):
    """What was given, and what is wanted."""
    with pytest.raises(error, match=message):
        whole(sf.open_source(data))


def test_columns_of_frames():
    """By name, with labels of any kind, in the order of the first part; a column that is missing is told."""
    frame = pd.DataFrame({"id": ["p", "q", "r"], "a": [1.0, 2, 3], "b": [4.0, 5, 6], "y": ["u", "v", "u"]})
    source = sf.open_source(frame, drop=["id"], labels="y", batch_size=2)
    assert (source.feature_names, source.labels.tolist()) == (("a", "b"), ["u", "v", "u"])
    np.testing.assert_array_equal(whole(source), [[1, 4], [2, 5], [3, 6]])
    parts = sf.open_source([frame[["a", "b"]], frame[["b", "a"]]])
    np.testing.assert_array_equal(whole(parts), [[1, 4], [2, 5], [3, 6]] * 2)
    parts = sf.open_source([frame[["a", "b"]], frame[["b", "a"]].rename(columns={"a": "c"})])
    with pytest.raises(
        ValueError, match=r"rows 3 to 5 .* of the source .* columns of the first ones: missing 'a'; more 'c'"
    ):
        whole(parts)


@pytest.mark.parametrize("kind", ["tables", "batches", "polars"])
def test_columns_of_arrow(kind):
    """Names count in iterables of Arrow's tables, too: a column does not take the place of another one."""
    table = pa.table({name: X[:, j] for j, name in enumerate("abc")})
    parts = [table, table.select(["c", "a", "b"])]
    if kind == "batches":
        parts = [batch for part in parts for batch in part.to_batches()]
    elif kind == "polars":
        parts = [pl.from_arrow(part) for part in parts]
    source = sf.open_source(iter(parts), labels="b")
    np.testing.assert_array_equal(whole(source), np.vstack([X, X])[:, [0, 2]])
    assert (source.feature_names, source.labels.tolist()) == (("a", "c"), [*X[:, 1], *X[:, 1]])


def test_sources_are_passed_through():
    """A source is its own; two passes may go on side by side."""
    source = sf.open_source(X, batch_size=30)
    assert as_source(source) is source
    for one, other in zip(source, source, strict=True):
        np.testing.assert_array_equal(one, other)


def test_reading_ahead_ends_with_the_iteration():
    """The thread reads at most two items ahead, hands on errors, and is gone when the reader stops early."""
    begun = []

    def items():
        for i in range(100):
            begun.append(i)
            yield i

    iterator = read_ahead(items())
    assert next(iterator) == 0
    time.sleep(0.05)
    assert len(begun) <= 4
    iterator.close()
    assert not any(thread.name.startswith("sae_fast-reader") for thread in threading.enumerate())

    def failing():
        yield 1
        raise ValueError("half-way")

    iterator = read_ahead(failing())
    assert next(iterator) == 1
    with pytest.raises(ValueError, match="half-way"):
        next(iterator)
