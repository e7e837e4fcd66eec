"""Convolution and pooling: the codes of encode() for every patch, pooled."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import sae_fast as sf
from sae_fast import reference
from tests.helpers.networks import DTYPES, HIDDEN, OUTPUT, SIZES, TOLERANCE, error, make

pytestmark = pytest.mark.core

# images (n, rows, columns, channels), patch, n_hidden, pool
PROBLEMS = [
    ((1, 1, 1, 1), (1, 1), 1, (1, 1)),
    ((3, 5, 4, 1), (5, 4), 7, (1, 1)),
    ((7, 9, 11, 2), (3, 2), 17, (2, 3)),
    ((2, 20, 21, 3), (4, 4), 33, (17, 18)),
    ((2, 33, 17, 1), (8, 8), 65, (4, 3)),
    ((2, 12, 150, 1), (2, 3), 9, (2, 140)),
    ((9, 6, 6, 1), (2, 2), 49, (1, 1)),
    ((1, 40, 40, 3), (5, 6), 100, (7, 5)),
]


def problem(images, patch, n_hidden, dtype, kind=None):
    """Parameters, and images of bytes or, by default, of the dtype of the parameters."""
    n, rows, columns, channels = images
    params, X = make(n, rows * columns * channels, 1, dtype, seed=sum(images))
    params, _ = make(1, patch[0] * patch[1] * channels, n_hidden, dtype)
    X = X.reshape(images)
    return params, X if kind is None else (100 * X).astype(kind)


def codes_of_patches(params, images, patch, hidden="sigmoid"):
    """encode() for every patch, position by position."""
    rows, columns = (n - p + 1 for n, p in zip(images.shape[1:3], patch))
    patches = [
        images[:, i : i + patch[0], j : j + patch[1]].reshape(len(images), -1)
        for i in range(rows)
        for j in range(columns)
    ]
    codes = sf.encode(params, np.concatenate(patches), hidden=hidden)
    return codes.reshape(rows, columns, len(images), -1).transpose(2, 0, 1, 3)


def cells_of(codes, pool):
    """Whole cells, (n, cell rows, pool rows, cell columns, pool columns, n_hidden)."""
    n, rows, columns, h = codes.shape
    r, c = rows // pool[0], columns // pool[1]
    return codes[:, : r * pool[0], : c * pool[1]].reshape(n, r, pool[0], c, pool[1], h)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("case", PROBLEMS, ids=str)
def test_codes_have_the_bits_of_encode(case, hidden, dtype):
    """Without pooling, every code has the bits of encode() of its patch; the largest of a cell too."""
    images, patch, n_hidden, pool = case
    for kind in (None, np.uint8):
        params, X = problem(images, patch, n_hidden, dtype, kind)
        wanted = codes_of_patches(params, X, patch, hidden)
        np.testing.assert_array_equal(sf.convolve(params, X, patch, hidden=hidden), wanted)
        largest = sf.convolve(params, X, patch, hidden=hidden, pool=pool, pooling="max")
        np.testing.assert_array_equal(largest, cells_of(wanted, pool).max(axis=(2, 4)))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", PROBLEMS, ids=str)
def test_means_are_those_of_the_codes(case, dtype):
    """Mean pooling gives the means of the codes up to a few roundings, ragged edges left out."""
    images, patch, n_hidden, pool = case
    params, X = problem(images, patch, n_hidden, dtype)
    wanted = cells_of(codes_of_patches(params, X, patch), pool).mean(axis=(2, 4), dtype=np.float64)
    got = sf.convolve(params, X, patch, pool=pool)
    assert got.dtype == dtype
    assert error(got, wanted) <= 16 * np.finfo(dtype).eps


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("pooling", ["mean", "max"])
@pytest.mark.parametrize("hidden", OUTPUT)
@pytest.mark.parametrize("case", PROBLEMS, ids=str)
def test_core_equals_reference(case, hidden, pooling, dtype):
    """The core computes what NumPy computes, for every activation and kind of pooling."""
    images, patch, n_hidden, pool = case
    params, X = problem(images, patch, n_hidden, dtype)
    options = {"hidden": hidden, "pool": pool, "pooling": pooling}
    wanted = reference.convolve(params, X, patch, **options)
    assert error(sf.convolve(params, X, patch, **options), wanted) <= TOLERANCE[dtype]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_hidden", SIZES)
def test_any_number_of_filters(n_hidden, dtype):
    """Awkward numbers of filters, in cells that several strips share."""
    params, X = problem((2, 16, 15, 1), (3, 3), n_hidden, dtype)
    wanted = reference.convolve(params, X, 3, pool=(14, 6))
    assert error(sf.convolve(params, X, 3, pool=(14, 6)), wanted) <= TOLERANCE[dtype]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("pooling", ["mean", "max"])
@pytest.mark.parametrize(
    "case",
    [((30, 28, 28, 1), 8, 60, 7), ((1, 64, 64, 3), 8, 100, 57), ((1, 40, 40, 1), 5, 30, 2),
     ((40, 12, 12, 1), 4, 70, None)],
    ids=str,
)  # fmt: skip
def test_bits_do_not_depend_on_threads_or_company(case, pooling, dtype):
    """1 = 2 = 3 = 8 threads, and an image alone = an image among others."""
    images, patch, n_hidden, pool = case
    params, X = problem(images, (patch, patch), n_hidden, dtype, np.uint8)
    one = sf.convolve(params, X, patch, pool=pool, pooling=pooling, n_threads=1)
    for n in (2, 3, 8):
        np.testing.assert_array_equal(sf.convolve(params, X, patch, pool=pool, pooling=pooling, n_threads=n), one)
    alone = [sf.convolve(params, x[None], patch, pool=pool, pooling=pooling) for x in X[-3:]]
    np.testing.assert_array_equal(np.concatenate(alone), one[-3:])


def records(a):
    """The same images, each with a tag behind it: their distance is no multiple of their pixels."""
    table = np.zeros(len(a), [("pixels", a.dtype, a.shape[1:]), ("tag", "u1")])
    table["pixels"] = a
    return table["pixels"]


LAYOUTS = {
    "fortran": np.asfortranarray,
    "channels first": lambda a: np.ascontiguousarray(a.transpose(0, 3, 1, 2)).transpose(0, 2, 3, 1),
    "rows backwards": lambda a: np.ascontiguousarray(a[:, ::-1])[:, ::-1],
    "columns and channels backwards": lambda a: np.ascontiguousarray(a[:, :, ::-1, ::-1])[:, :, ::-1, ::-1],
    "every second": lambda a: np.repeat(np.repeat(a, 2, axis=0), 2, axis=2)[::2, :, ::2],
    "part of larger": lambda a: np.pad(a, ((0, 0), (1, 2), (3, 1), (0, 0)))[:, 1:-2, 3:-1],
    "read-only": lambda a: np.frombuffer(a.tobytes(), a.dtype).reshape(a.shape),
    "misaligned": lambda a: np.frombuffer(b"x" + a.tobytes(), a.dtype, offset=1).reshape(a.shape),
    "repeated": lambda a: np.broadcast_to(a[:1], a.shape),
    "records": records,
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", ["f4", "f8", "f2", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "?", ">f4", "g"])
def test_any_type_of_image(kind, dtype):
    """Every real dtype gives what the converted images give."""
    params, X = problem((3, 9, 8, 2), (3, 2), 11, dtype)
    data = np.round(100 * X).astype(kind)
    wanted = sf.convolve(params, data.astype(dtype), (3, 2), pool=2)
    np.testing.assert_array_equal(sf.convolve(params, data, (3, 2), pool=2), wanted)


@pytest.mark.parametrize("kind", [np.float64, np.uint8])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_layout_of_images(layout, kind):
    """Strides of any sign, read-only and misaligned memory give what contiguous images give."""
    params, X = problem((3, 9, 8, 3), (3, 2), 11, np.float64, kind)
    data = LAYOUTS[layout](X)
    wanted = sf.convolve(params, np.ascontiguousarray(data), (3, 2), pool=2)
    np.testing.assert_array_equal(sf.convolve(params, data, (3, 2), pool=2), wanted)
    np.testing.assert_array_equal(sf.convolve(params, data.tolist(), (3, 2), pool=2), wanted)


def test_grey_images_need_no_axis_of_channels():
    """(n, rows, columns) is (n, rows, columns, 1), also with gaps between pixels."""
    params, X = problem((3, 9, 8, 1), (3, 2), 5, np.float64)
    wanted = sf.convolve(params, X, (3, 2), pool=2)
    np.testing.assert_array_equal(sf.convolve(params, X[..., 0], (3, 2), pool=2), wanted)
    np.testing.assert_array_equal(sf.convolve(params, np.repeat(X, 2, axis=3)[..., 1], (3, 2), pool=2), wanted)


def test_the_course_s_example():
    """UFLDL: 64 x 64 pixels in 3 colours, patches of 8, 19 positions a side give 3 x 3 cells of 400 units."""
    params, X = problem((1, 64, 64, 3), (8, 8), 400, np.float32)
    got = sf.convolve(params, X, 8, pool=19)
    assert got.shape == (1, 3, 3, 400)
    assert error(got, reference.convolve(params, X, 8, pool=19)) <= TOLERANCE[np.float32]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("pooling", ["mean", "max"])
def test_nan_and_infinity_stay_where_they_are(pooling, dtype):
    """A NaN pixel gives NaN in the cells that see it, infinities their limits; no other cell changes."""
    params, X = problem((2, 12, 12, 1), (3, 3), 20, dtype)
    wanted = sf.convolve(params, X, 3, pool=(2, 5), pooling=pooling)
    X[0, 0, 1] = np.nan
    got = sf.convolve(params, X, 3, pool=(2, 5), pooling=pooling)
    assert np.all(np.isnan(got[0, 0, 0]))
    np.testing.assert_array_equal(got[1], wanted[1])
    np.testing.assert_array_equal(got[0, 1:], wanted[0, 1:])
    np.testing.assert_array_equal(got[0, 0, 1:], wanted[0, 0, 1:])
    X[0, 0, 1] = np.inf
    params.W1[:] = np.abs(params.W1) + 0.1
    assert sf.convolve(params, X, 3)[0, 0, 0].tolist() == [1.0] * 20


@pytest.mark.parametrize("dtype", DTYPES)
def test_means_of_many_codes_do_not_lose_digits(dtype):
    """A cell of 250,000 equal codes has that code as its mean, in float32 to the rounding of the result."""
    params, _ = make(1, 1, 3, dtype)
    X = np.full((1, 500, 500), 0.3, dtype)
    code = sf.encode(params, X[0, :1, :1])
    assert error(sf.convolve(params, X, 1, pool=500)[0, 0], code) <= max(2 * np.finfo(dtype).eps, TOLERANCE[np.float64])


def test_out_is_filled_and_returned(impl):
    """`result is out` holds."""
    params, X = problem((2, 9, 8, 1), (3, 2), 5, np.float64)
    out = np.empty((2, 3, 3, 5))
    assert impl.convolve(params, X, (3, 2), pool=2, out=out) is out
    np.testing.assert_array_equal(out, impl.convolve(params, X, (3, 2), pool=2))


def test_many_python_threads_at_once():
    """Calls from several Python threads at the same time get the results of calls one after another."""
    problems = [problem((5, 20 + i, 20, 1), (3, 3), 30 + i, np.float64) for i in range(4)]
    wanted = [sf.convolve(params, X, 3, pool=4) for params, X in problems]
    got = [None] * len(problems)

    def work(i):
        for _ in range(5):
            got[i] = sf.convolve(*problems[i], 3, pool=4, n_threads=1 + i % 3)

    callers = [threading.Thread(target=work, args=(i,)) for i in range(len(problems))]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    for a, b in zip(got, wanted, strict=True):
        np.testing.assert_array_equal(a, b)


P, X = problem((2, 9, 8, 3), (3, 2), 5, np.float64)
READ_ONLY = np.empty((2, 7, 7, 5))
READ_ONLY.flags.writeable = False


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda f: f(P, X[0, 0], 3), ValueError, r"images must have shape \(n_images, rows, columns\) or .*\(8, 3\)"),
        (lambda f: f(P, X[:0], (3, 2)), ValueError, r"all >= 1, got \(0, 9, 8, 3\)"),
        (lambda f: f(P, X[..., :0], (3, 2)), ValueError, r"all >= 1, got \(2, 9, 8, 0\)"),
        (lambda f: f(P, X.astype(complex), (3, 2)), TypeError, "images must have a real dtype, got complex128"),
        (lambda f: f(P, np.full(X.shape, "a"), (3, 2)), TypeError, "images must have a real dtype, got <U1"),
        (lambda f: f(P, X, (10, 2)), ValueError, r"images must be at least as large as a patch, \(10, 2\), got"),
        (lambda f: f(P, X, (3, 9)), ValueError, r"images must be at least as large as a patch, \(3, 9\), got \(9, 8\)"),
        (lambda f: f(P, X, 0), ValueError, "patch_size must be >= 1, got 0"),
        (lambda f: f(P, X, 2.5), TypeError, "patch_size must be an integer, got 2.5"),
        (lambda f: f(P, X, (1, 2, 3)), ValueError, r"patch_size must be an integer or a pair .* got \(1, 2, 3\)"),
        (lambda f: f(P, X, True), TypeError, "patch_size must be an integer, got True"),
        (lambda f: f(P, X, 2**62), ValueError, "images must be at least as large as a patch"),
        (lambda f: f(P, X, 3), ValueError, r"params.W1 must have shape \(n_hidden, 27\) for patches of 3 x 3"),
        (lambda f: f(P, X[..., 0], (3, 2)), ValueError, r"with 1 channel, got \(5, 18\)"),
        (lambda f: f(P, X, (3, 2), pool=8), ValueError, r"pool must be at most the positions .*\(7, 7\), got \(8, 8\)"),
        (lambda f: f(P, X, (3, 2), pool=(1, 8)), ValueError, r"pool must be at most .* got \(1, 8\)"),
        (lambda f: f(P, X, (3, 2), pool=(0, 1)), ValueError, "pool must be >= 1, got 0"),
        (lambda f: f(P, X, (3, 2), pool="all"), TypeError, "pool must be an integer, got 'all'"),
        (lambda f: f(P, X, (3, 2), pooling="sum"), ValueError, "pooling must be 'mean' or 'max', got 'sum'"),
        (lambda f: f(P, X, (3, 2), hidden="swish"), ValueError, "hidden must be .* 'linear', .*, got 'swish'"),
        (lambda f: f(P, X, (3, 2), n_threads=0), ValueError, "n_threads must be >= 1"),
        (lambda f: f(P[:2], X, (3, 2)), TypeError, "params must be a sequence"),
        (lambda f: f(P, X, (3, 2), out=[]), TypeError, "out must be a NumPy array, got list"),
        (lambda f: f(P, X, (3, 2), out=np.empty((2, 7, 7, 5), "f4")), TypeError, "out must have dtype float64"),
        (lambda f: f(P, X, (3, 2), out=np.empty((2, 7, 5, 7))), ValueError, r"out must have shape \(2, 7, 7, 5\)"),
        (lambda f: f(P, X, (3, 2), out=np.empty((2, 7, 7, 10))[..., ::2]), ValueError, "out must be C-contiguous"),
        (lambda f: f(P, X, (3, 2), out=READ_ONLY), ValueError, "out must be writable"),
        (lambda f: f(P, X, (3, 2), pool=7, out=X.ravel()[:10].reshape(2, 1, 1, 5)), ValueError, "out must not overlap"),
    ],
)  # fmt: skip
def test_errors(impl, call, kind, message):
    """Every error names its argument, the value got and the value wanted; both implementations say the same."""
    with pytest.raises(kind, match=message):
        call(impl.convolve)


@pytest.mark.parametrize(
    "change",
    [{"patch_rows": 0}, {"patch_rows": 10}, {"pool_rows": 0}, {"pool_columns": 8}, {"b1": P.b1[:4]}, {"images": X[0]},
     {"out": READ_ONLY}, {"out": np.empty((2, 7, 7, 4))}, {"images": X[:0]}],
    ids=lambda change: next(iter(change)),
)  # fmt: skip
def test_the_binding_is_a_second_lock(change):
    """A wrong call of the core itself is an error too, never a read or write outside an array."""
    right = {"W1": P.W1, "b1": P.b1, "images": X, "hidden": 0, "patch_rows": 3, "patch_columns": 2, "pooling": 0,
             "pool_rows": 1, "pool_columns": 1, "out": np.empty((2, 7, 7, 5)), "n_threads": 1}  # fmt: skip
    sf._core.convolve(**right)
    with pytest.raises((TypeError, ValueError)):
        sf._core.convolve(**(right | change))
