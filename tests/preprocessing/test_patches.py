"""Patches of photographs: each step of the recipe against its definition."""

from __future__ import annotations

import numpy as np
import pytest

from sae_fast.preprocessing._patches import _even_contrast, _halve, _whiten, natural_patches


@pytest.mark.parametrize("shape", [(6, 8), (7, 8), (6, 9), (7, 9)])
def test_halving_is_the_mean_of_four_pixels(shape):
    """Each new pixel is the mean of a block of two by two; an odd last row or column is left out."""
    picture = np.random.default_rng(0).uniform(size=shape)
    wanted = [
        [picture[i : i + 2, j : j + 2].mean() for j in range(0, shape[1] - 1, 2)] for i in range(0, shape[0] - 1, 2)
    ]
    np.testing.assert_allclose(_halve(picture), wanted, rtol=1e-15)


@pytest.mark.parametrize("shape", [(30, 48), (48, 30), (31, 45)])
@pytest.mark.parametrize(("up", "along"), [(0, 0), (3, 0), (0, 3), (4, 7), (7, 4), (15, 0)])
def test_a_wave_is_scaled_by_the_filter_at_its_frequency(shape, up, along):
    """A plane wave comes out times f exp(-(f / 0.4)^4), its frequency in cycles per pixel."""
    rows, columns = np.indices(shape)
    wave = np.cos(2 * np.pi * (up * rows / shape[0] + along * columns / shape[1]))
    f = np.hypot(up / shape[0], along / shape[1])
    np.testing.assert_allclose(_whiten(wave), f * np.exp(-((f / 0.4) ** 4)) * wave, atol=1e-13)


def test_contrast_becomes_even():
    """The same structure ten times as strong in one half comes out about as strong as in the other one."""
    picture = np.random.default_rng(0).normal(size=(128, 128))
    picture[:, 64:] *= 10
    even = _even_contrast(picture)
    assert 1 < even[:, 96:].std() / even[:, :32].std() < 3
    assert (np.sign(even) == np.sign(picture)).all()


def test_patches_are_scaled_and_repeatable():
    """Patches in [0.1, 0.9], in the type asked for, the same for one seed and others for another."""
    X = natural_patches(300, 6, random_state=1, dtype=np.float32)
    assert X.shape == (300, 36)
    assert X.dtype == np.float32
    assert X.min() == pytest.approx(0.1)
    assert X.max() == pytest.approx(0.9)
    assert abs(X.mean() - 0.5) < 0.01
    np.testing.assert_array_equal(X, natural_patches(300, 6, random_state=1, dtype=np.float32))
    assert not np.array_equal(X, natural_patches(300, 6, random_state=2, dtype=np.float32))
