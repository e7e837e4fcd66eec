"""Data that are no plain arrays: encoders and functions take what models take, and refuse the rest in their words."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse

import sae_fast as sf
from sae_fast.network._checks import check_X

VALUES = np.array([[0.25, 1, 3], [0.5, 0, -2], [0.75, 1, 5]])
PARAMS = sf.init_params(3, 4, random_state=0)
ENCODER = sf.Encoder(PARAMS)
SETTINGS = {"rho": 0.1, "beta": 1.0, "weight_decay": 1e-3}
CALLS = {
    "Encoder": ENCODER,
    "StackEncoder": sf.StackEncoder([ENCODER]),
    "encode_one": lambda X: np.stack(
        [ENCODER.encode_one(X[i] if not hasattr(X, "iloc") else X.iloc[i]) for i in range(3)]
    ),
    "encode": lambda X: sf.encode(PARAMS, X),
    "cost_and_grad": lambda X: sf.flatten(sf.cost_and_grad(PARAMS, X, **SETTINGS)[1]),
    "Objective": lambda X: sf.Objective(X, 4, **SETTINGS)(sf.flatten(PARAMS))[1],
    "train": lambda X: sf.flatten(sf.train(PARAMS, X, n_epochs=1, random_state=0)[0]),
}
FRAME = pd.DataFrame(VALUES, columns=["a", "b", "c"])
TABLES = {
    "frame": FRAME,
    "nullable": FRAME.astype({"a": "Float64", "b": "boolean", "c": "Int64"}),
    "mixed": FRAME.astype({"b": "bool", "c": "int8"}),
    "objects": FRAME.astype(object),
    "Float32": FRAME.astype("Float32"),
    "polars": pl.DataFrame({"a": VALUES[:, 0], "b": VALUES[:, 1].astype(bool), "c": VALUES[:, 2].astype(int)}),
    "array of objects": VALUES.astype(object),
    "lists": VALUES.tolist(),
    "other byte order": VALUES.astype(">f8"),
    "long double": VALUES.astype(np.longdouble),
    "masked": np.ma.masked_array(VALUES, mask=False),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("table", TABLES)
def test_tables(call, table):
    """Frames with nullable, boolean and object columns, objects and lists give the bits of the same plain array."""
    if call == "encode_one" and table == "polars":
        pytest.skip("a row of polars is a tuple or a frame")
    assert np.array_equal(CALLS[call](TABLES[table]), CALLS[call](VALUES))


@pytest.mark.parametrize("call", ["Encoder", "encode", "StackEncoder"])
@pytest.mark.parametrize("kind", [bool, np.int8, np.float16])
def test_plain_types(call, kind):
    """Plain arrays of other types, boolean ones too, are encoded as their values."""
    data = (VALUES > 0.3) if kind is bool else VALUES.astype(kind)
    assert np.array_equal(CALLS[call](data), CALLS[call](data.astype(np.float64)))


def test_missing_values():
    """A missing value of a nullable column makes its own row NaN, as NaN does."""
    codes = ENCODER(pd.DataFrame({"a": [0.5, 1.5], "b": pd.array([1, None], dtype="Int64"), "c": [1.0, 2.0]}))
    assert np.isfinite(codes[0]).all()
    assert np.isnan(codes[1]).all()


WRONG = {
    "sparse": (
        sparse.csr_matrix(VALUES),
        TypeError,
        r"X must be a dense array, got a sparse csr_matrix: use X.toarray\(\)",
    ),
    "sparse array": (sparse.coo_array(VALUES), TypeError, r"got a sparse coo_array: use X.toarray\(\)"),
    "text": (FRAME.assign(b="x"), TypeError, "X must have a real dtype, got objects that are no real numbers: .*'x'"),
    "text of objects": (np.array([["a", 1, 2]], object), TypeError, "no real numbers: .*'a'"),
    "strings": (np.array([["1", "2", "3"]]), TypeError, "X must have a real dtype, got <U1"),
    "complex": (VALUES + 1j, TypeError, "X must have a real dtype, got complex128"),
    "dates": (VALUES.astype("M8[s]"), TypeError, r"X must have a real dtype, got datetime64\[s\]"),
    "masked": (np.ma.masked_less(VALUES, 0), ValueError, r"X must have no masked values, got 1: use .filled\(\)"),
    "ragged": ([[1.0, 2.0, 3.0], [1.0]], ValueError, "X must be an array of numbers, got rows of several lengths"),
    "nothing": (None, TypeError, "X must be an array of real numbers, got NoneType"),
    "an object": (object(), TypeError, "X must be an array of real numbers, got object"),
}


@pytest.mark.parametrize("call", ["Encoder", "StackEncoder", "encode", "cost_and_grad", "Objective", "train"])
@pytest.mark.parametrize("what", WRONG)
def test_what_is_refused(call, what):
    """Sparse matrices, text, dates, masked values and the like are errors that name the argument and say what to do."""
    data, kind, words = WRONG[what]
    with pytest.raises(kind, match=words):
        CALLS[call](data)


def test_one_sparse_row():
    """encode_one names a sparse row, by its own argument's name."""
    with pytest.raises(TypeError, match=r"x must be a dense array, got a sparse csr_matrix: use x.toarray\(\)"):
        ENCODER.encode_one(sparse.csr_matrix(VALUES[:1]))


def test_a_memory_map_is_not_copied(tmp_path):
    """Samples of a memory-mapped file are read where they lie."""
    np.save(tmp_path / "x.npy", VALUES)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert np.array_equal(ENCODER(mapped), ENCODER(VALUES))
    assert np.shares_memory(check_X(mapped, 3), mapped)
