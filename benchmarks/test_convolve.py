"""Convolution and pooling: the core beside the NumPy reference and SciPy's overlap-add, and how long they take."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import oaconvolve
from scipy.special import expit

import sae_fast
from sae_fast import reference

# images (n, rows, columns, channels), patch, n_hidden, pool: UFLDL's colour features, and digits
CASES = {"colour": ((1, 64, 64, 3), 8, 400, 19), "digits": ((40, 28, 28, 1), 8, 100, 7)}


def scipy_convolve(params, images, patch, *, pool):
    """By Fourier transforms, image by image; the filters are flipped first."""
    W = params.W1.reshape(-1, patch, patch, images.shape[3])[:, ::-1, ::-1]
    maps = []
    for image in images:
        z = oaconvolve(image[np.newaxis], W, mode="valid", axes=(1, 2)).sum(axis=3) + params.b1[:, None, None]
        h, rows, columns = len(z), z.shape[1] // pool, z.shape[2] // pool
        cells = expit(z)[:, : rows * pool, : columns * pool].reshape(h, rows, pool, columns, pool)
        maps.append(cells.mean(axis=(2, 4)).transpose(1, 2, 0))
    return np.array(maps)


IMPLEMENTATIONS = {"core": sae_fast.convolve, "reference": reference.convolve, "scipy": scipy_convolve}


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_convolve(benchmark, name, case, dtype):
    shape, patch, n_hidden, pool = CASES[case]
    images = np.random.default_rng(0).uniform(0.1, 0.9, shape).astype(dtype)
    params = sae_fast.init_params(patch * patch * shape[3], n_hidden, random_state=0, dtype=dtype)
    got = benchmark(IMPLEMENTATIONS[name], params, images, patch, pool=pool)
    np.testing.assert_allclose(got, sae_fast.convolve(params, images, patch, pool=pool), atol=1e-5)
