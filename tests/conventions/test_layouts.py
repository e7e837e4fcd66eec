"""Vectors of parameters, scaling of data and order of pixels, as other packages have them."""

from __future__ import annotations

import numpy as np
import pytest

import sae_fast as sf
from sae_fast import conventions
from tests.helpers.networks import make

SIZES = [(1, 1), (1, 7), (7, 1), (9, 9), (17, 8)]  # n_visible, n_hidden


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("v", "h"), SIZES)
@pytest.mark.parametrize("name", conventions.names())
def test_pack_and_back_is_the_identity(name, v, h, dtype):
    """unpack(pack(params)) has the same bits and dtype, from a vector, a column or a strided view."""
    convention = conventions.get(name)
    params, _ = make(1, v, h, dtype)
    theta = convention.pack(params)
    assert theta.dtype == dtype
    for vector in (theta, theta[:, None], theta[None], np.repeat(theta, 2)[::2]):
        back = convention.unpack(vector, v, h)
        assert all(np.array_equal(a, b) for a, b in zip(back, params, strict=True))
        assert all(a.dtype == dtype and a.flags.c_contiguous and not np.shares_memory(a, theta) for a in back)
    assert np.array_equal(convention.pack(back), theta)


def test_layouts_by_hand():
    """The vectors of a network with 2 visible units and 1 hidden unit (W2 by columns), written out."""
    params = sf.Params(np.array([[1.0, 2.0]]), np.array([3.0]), np.array([[4.0], [5.0]]), np.array([6.0, 7.0]))
    assert conventions.ufldl.pack(params).tolist() == [1, 2, 4, 5, 3, 6, 7]
    assert conventions.r_autoencoder.pack(params).tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert conventions.matlab.pack(params).tolist() == [3, 1, 2, 6, 7, 4, 5]
    assert conventions.mlpack.pack(params).reshape((3, 3), order="F").tolist() == [[1, 2, 3], [4, 5, 0], [6, 7, 0]]
    two = sf.Params(np.array([[1.0, 2], [3, 4]]), np.zeros(2), np.array([[5.0, 6], [7, 8]]), np.zeros(2))
    assert conventions.ufldl.pack(two)[:8].tolist() == [1, 3, 2, 4, 5, 7, 6, 8]
    assert conventions.h2o.pack(two)[[0, 1, 2, 3, 6, 7, 8, 9]].tolist() == [1, 2, 3, 4, 5, 6, 7, 8]


def test_mlpack_matrix_itself():
    """The matrix of mlpack may be given in its shape, in any memory order, with anything in the unused cells."""
    params, _ = make(1, 4, 3)
    matrix = conventions.mlpack.pack(params).reshape((7, 5), order="F").copy(order="C")
    matrix[3:, 4] = np.nan
    back = conventions.mlpack.unpack(matrix, 4, 3)
    assert all(np.array_equal(a, b) for a, b in zip(back, params, strict=True))


@pytest.mark.parametrize(("unit_type", "low", "high"), [("logistic", 0.001, 0.999), ("tanh", -0.999, 0.999)])
def test_r_rescaling(unit_type, low, high):
    """R's rescale: the whole matrix from its range to the units', step by step as there, and back."""
    X = np.random.default_rng(0).normal(3, 5, (20, 6))
    scale = conventions.r_autoencoder.rescaling(X, unit_type=unit_type)
    unit = (X - X.min()) / (X.max() - X.min())
    wanted = unit * (1 - 2 * 0.001) + 0.001 if unit_type == "logistic" else unit * 2 * (1 - 0.001) + 0.001 - 1
    Y = scale.transform(X)
    assert np.allclose(Y, wanted, rtol=1e-13, atol=1e-15)
    assert [Y.min(), Y.max()] == pytest.approx([low, high], abs=1e-15)
    assert np.allclose(scale.inverse_transform(Y), X, rtol=1e-12)


def test_matlab_and_h2o_rescaling():
    """MATLAB maps to [0, 1], H2O by mean and range, feature by feature; constant ones as each has it."""
    X = np.random.default_rng(0).normal(3, 5, (20, 6))
    X[:, 2] = 4.0
    Y = conventions.matlab.rescaling(X).transform(X)
    varying = [0, 1, 3, 4, 5]
    assert np.allclose(Y[:, varying].min(axis=0), 0, atol=1e-15)
    assert np.allclose(Y[:, varying].max(axis=0), 1, atol=1e-15)
    assert np.all(Y[:, 2] == 4)
    signed = conventions.matlab.rescaling(X, ymin=-1).transform(X)
    assert np.allclose(signed[:, varying].min(axis=0), -1, atol=1e-15)
    assert np.all(signed[:, 2] == 4)
    Z = conventions.h2o.rescaling(X).transform(X)
    assert np.allclose(Z.mean(axis=0), 0, atol=1e-15)
    assert np.allclose(np.ptp(Z[:, varying], axis=0), 1, atol=1e-15)
    assert np.all(Z[:, 2] == 0)
    for name in ("mlpack", "ufldl"):
        assert np.array_equal(conventions.get(name).rescaling(X).transform(X), X)


@pytest.mark.parametrize("shape", [(3, 3), (2, 5), (5, 2), (2, 3, 3), (1, 4)])
def test_reordered_pixels_give_the_same_codes(shape):
    """Reordered parameters see row-major images as the given ones see column-major images; back undoes it."""
    images = np.random.default_rng(0).uniform(size=(7, *shape))
    theirs, _ = make(1, int(np.prod(shape)), 4)
    ours = conventions.reorder_pixels(theirs, shape)
    by_columns = np.array([image.ravel(order="F") for image in images])
    by_rows = images.reshape(7, -1)
    assert np.array_equal(by_columns[:, conventions.pixel_order(shape)], by_rows)
    J = [sf.cost(p, X, rho=0.07, beta=1.3, weight_decay=0.02).total for p, X in ((ours, by_rows), (theirs, by_columns))]
    assert J[0] == pytest.approx(J[1], rel=1e-13)
    back = conventions.reorder_pixels(ours, shape, back=True)
    assert all(np.array_equal(a, b) for a, b in zip(back, theirs, strict=True))
