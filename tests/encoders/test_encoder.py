"""Encoder: the codes of encode() to the last bit, from packed weights."""

from __future__ import annotations

import pickle
import threading

import numpy as np
import pytest

import sae_fast as sf
from tests.helpers.estimators import model, patches
from tests.helpers.networks import DTYPES, HIDDEN, SIZES, make

pytestmark = pytest.mark.core


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("n_hidden", SIZES)
def test_codes_are_those_of_encode(dtype, hidden, n_hidden):
    """Many rows, few rows and single rows have the bits of encode(), for any number of threads."""
    for n_visible in (1, 17, 300):
        params, X = make(257, n_visible, n_hidden, dtype)
        encoder = sf.Encoder(params, hidden=hidden)
        wanted = sf.encode(params, X, hidden=hidden)
        for m in (1, 2, 17, 64, 65, 257):
            for n_threads in (1, 2, 3):
                np.testing.assert_array_equal(encoder(X[:m], n_threads=n_threads), wanted[:m])
        for i in (0, 100):
            np.testing.assert_array_equal(encoder.encode_one(X[i]), wanted[i])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("hidden", ["relu", "satlin"])
def test_units_with_kinks(hidden, dtype, tmp_path):
    """Units relu and satlin are what they are called, to the bit where they are flat, and survive files and pickles."""
    params, X = make(65, 17, 33, dtype, scale=3.0)
    encoder = sf.Encoder(params, hidden=hidden)
    z = X.astype(np.float64) @ params.W1.T.astype(np.float64) + params.b1
    wanted = np.maximum(z, 0) if hidden == "relu" else np.clip(z, 0, 1)
    codes = encoder(X)
    np.testing.assert_allclose(codes, wanted, rtol=0, atol=1e-13 if dtype == np.float64 else 5e-6)
    assert np.all(codes[z < -1e-5] == 0)
    assert np.all(codes[z > 1 + 1e-5] == 1) if hidden == "satlin" else codes.max() > 1
    encoder.save(tmp_path / "e")
    for again in (sf.Encoder.load(tmp_path / "e"), sf.load(tmp_path / "e"), pickle.loads(pickle.dumps(encoder))):
        assert repr(again) == f"Encoder(17 -> 33, {hidden}, {np.dtype(dtype)})"
        out = np.empty_like(codes)
        assert again(X, out=out) is out
        np.testing.assert_array_equal(out, codes)
        np.testing.assert_array_equal(again.encode_one(X[5]), codes[5])


@pytest.mark.parametrize("dtype", DTYPES)
def test_any_input_is_taken(dtype):
    """Other dtypes, strides, lists and booleans are converted."""
    params, X = make(9, 12, 7, dtype)
    encoder = sf.Encoder(params)
    wide = np.round(np.repeat(X, 2, axis=1) * 100)
    for data in (wide[:, ::2], np.asfortranarray(wide[:, ::2]), wide[::-1, 1::2].astype(np.int16), wide[:, ::2] > 50,
                 wide[:, ::2].astype(">f8"), wide[:, ::2].astype(np.longdouble), wide[:, ::2].tolist()):  # fmt: skip
        wanted = sf.encode(params, np.asarray(data))
        np.testing.assert_array_equal(encoder(data), wanted)
        np.testing.assert_array_equal(encoder.encode_one(data[3]), wanted[3])


def test_out_is_filled_and_returned():
    """`result is out` holds, for both."""
    params, X = make(9, 12, 7)
    encoder = sf.Encoder(params)
    out, row = np.empty((9, 7)), np.empty(7)
    assert encoder(X, out) is out
    assert encoder.encode_one(X[2], row) is row
    np.testing.assert_array_equal(row, out[2])


def test_pickle_load_and_repr(tmp_path):
    """It survives pickling, comes from a model file, and says what it is."""
    params, X = make(9, 12, 7, np.float32)
    encoder = sf.Encoder(params, hidden="tanh")
    again = pickle.loads(pickle.dumps(encoder))
    np.testing.assert_array_equal(again(X), encoder(X))
    assert repr(again) == "Encoder(12 -> 7, tanh, float32)"
    fitted = model().fit(patches())
    fitted.save(tmp_path / "model")
    np.testing.assert_array_equal(sf.Encoder.load(tmp_path / "model")(patches()), fitted.transform(patches()))


def test_later_changes_of_the_parameters_do_not_matter():
    """The weights are copied."""
    params, X = make(9, 12, 7)
    encoder = sf.Encoder(params)
    wanted = encoder(X)
    params.W1[:] = 0
    np.testing.assert_array_equal(encoder(X), wanted)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(encoder))(X), wanted)


def test_many_threads_share_one_encoder():
    """Callers on many Python threads get the right codes."""
    params, X = make(500, 60, 40)
    encoder = sf.Encoder(params)
    wanted = encoder(X)
    wrong = []

    def work():
        for i in range(100):
            if not np.array_equal(encoder.encode_one(X[i]), wanted[i]) or not np.array_equal(encoder(X), wanted):
                wrong.append(i)

    callers = [threading.Thread(target=work) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert wrong == []


PARAMS, X = make(9, 4, 3)
READ_ONLY = np.empty((9, 3))
READ_ONLY.flags.writeable = False


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda e: e(X[:, :3]), ValueError, r"X must have shape \(n_samples, 4\), got \(9, 3\)"),
        (lambda e: e(X[0]), ValueError, r"X must have shape \(n_samples, 4\), got \(4,\)"),
        (lambda e: e(X[:0]), ValueError, r"X must have at least one sample, got shape \(0, 4\)"),
        (lambda e: e(X.astype(complex)), TypeError, "X must have a real dtype, got complex128"),
        (lambda e: e("abc"), TypeError, "X must have a real dtype, got <U3"),
        (lambda e: e(X, n_threads=0), ValueError, r"n_threads must be >= 1 \(and at most 4096\) or None, got 0"),
        (lambda e: e(X, n_threads=1.5), TypeError, "n_threads must be an integer or None, got 1.5"),
        (lambda e: e(X, [1]), TypeError, "out must be a NumPy array, got 'list'"),
        (lambda e: e(X, np.empty((9, 3), np.float32)), TypeError, "out must have dtype float64, got float32"),
        (lambda e: e(X, np.empty((9, 4))), ValueError, r"out must have shape \(9, 3\), got \(9, 4\)"),
        (lambda e: e(X, np.empty((3, 9)).T), ValueError, "out must be C-contiguous, got strides"),
        (lambda e: e(X, READ_ONLY), ValueError, "out must be writable, got a read-only array"),
        (lambda e: e.encode_one(X), ValueError, r"x must have shape \(4,\), got \(9, 4\)"),
        (lambda e: e.encode_one(X[0], np.empty(4)), ValueError, r"out must have shape \(3,\), got \(4,\)"),
        (lambda e: e.encode_one(X[0], X[0][:3]), ValueError, "out must not overlap the memory of an input"),
        (lambda e: sf.Encoder(PARAMS, hidden="swish"), ValueError, "hidden must be 'sigmoid', .*, got 'swish'"),
        (lambda e: sf.Encoder(PARAMS[:2]), TypeError, "params must be a sequence"),
    ],
)
def test_errors(call, kind, message):
    """Every error names its argument, the value got and the value wanted."""
    with pytest.raises(kind, match=message):
        call(sf.Encoder(PARAMS))


def test_encode_one_reads_its_arguments_as_python_does():
    """By position or by name; what is missing, twice there or unknown is named."""
    params, X = make(1, 12, 7, np.float64)
    encoder, x, out = sf.Encoder(params), X[0], np.empty(7)
    wanted = encoder.encode_one(x)
    for given, named in (((x, out), {}), ((x,), {"out": out}), ((), {"out": out, "x": x})):
        out.fill(0)
        assert encoder.encode_one(*given, **named) is out
        np.testing.assert_array_equal(out, wanted)
    np.testing.assert_array_equal(encoder.encode_one(x=x, out=None), wanted)
    for call, words in (
        (lambda: encoder.encode_one(), "missing argument 'x'"),
        (lambda: encoder.encode_one(out=out), "missing argument 'x'"),
        (lambda: encoder.encode_one(x, out, 1), "at most 2 arguments, got 3"),
        (lambda: encoder.encode_one(x, x=x), "multiple values for argument 'x'"),
        (lambda: encoder.encode_one(x, to=out), "unexpected keyword argument 'to'"),
        (lambda: sf.Encoder.encode_one(params, x), "Encoder"),
    ):
        with pytest.raises(TypeError, match=words):
            call()


@pytest.mark.parametrize("dtype", DTYPES)
def test_encode_one_writes_apart_from_its_sample(dtype):
    """Outputs may touch neither end of x; unaligned samples and outputs of derived classes are taken."""
    params, _ = make(1, 12, 7, dtype)
    encoder = sf.Encoder(params)
    room = np.linspace(0, 1, 40, dtype=dtype)
    x = room[10:22]
    wanted = encoder.encode_one(x.copy())
    for begin in (4, 15, 21):
        with pytest.raises(ValueError, match="must not overlap"):
            encoder.encode_one(x, room[begin : begin + 7])
    np.testing.assert_array_equal(encoder.encode_one(x, room[22:29]), wanted)
    np.testing.assert_array_equal(encoder.encode_one(x, room[3:10]), wanted)
    raw = np.empty(12 * room.itemsize + 1, np.uint8)
    unaligned = raw[1:].view(dtype)
    unaligned[:] = x
    np.testing.assert_array_equal(encoder.encode_one(unaligned, np.empty(7, dtype).view(np.recarray)), wanted)
