"""Patches of natural photographs for the demo: nothing to download, scikit-learn ships two pictures."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ._patch_extractor import PatchExtractor
from ._scalers import UFLDLScaler

_MARGIN = 4


def natural_patches(
    n_samples: int = 10_000, size: int = 8, random_state: int = 0, dtype: type[np.floating] = np.float64
) -> NDArray[np.floating]:
    """Whitened grey patches in [0.1, 0.9], drawn from the photographs that scikit-learn ships.

    The pictures are made grey, halved (which removes what JPEG left of the finest detail), taken to the logarithm,
    filtered by ``f exp(-(f / f0)^4)``, f0 = 0.4 cycles per pixel, which whitens natural images (Olshausen and Field,
    Vision Research 1997), and divided by their local contrast. Each patch loses its mean; all are cut at three
    standard deviations and mapped to [0.1, 0.9] (UFLDL, "Exercise: Sparse Autoencoder").

    Parameters
    ----------
    n_samples : int
        Patches.
    size : int
        Pixels of a patch along each side.
    random_state : int
        Seed of the positions.
    dtype : float32 or float64

    Returns
    -------
    ndarray of shape (n_samples, size * size)
    """
    from sklearn.datasets import load_sample_images

    luma = np.array([0.299, 0.587, 0.114])
    pictures = [_even_contrast(_whiten(np.log1p(_halve(p @ luma)))) for p in load_sample_images().images]
    extractor = PatchExtractor(size, n_samples, margin=_MARGIN, random_state=random_state)
    scaled: NDArray[np.floating] = UFLDLScaler().fit_transform(extractor.fit_transform(pictures)).astype(dtype)
    return scaled


def _halve(picture: NDArray[np.float64]) -> NDArray[np.float64]:
    rows, columns = (n // 2 for n in picture.shape)
    blocks = picture[: 2 * rows, : 2 * columns].reshape(rows, 2, columns, 2)
    mean: NDArray[np.float64] = blocks.mean(axis=(1, 3))
    return mean


def _whiten(picture: NDArray[np.float64]) -> NDArray[np.float64]:
    rows, columns = picture.shape
    f = np.hypot(np.fft.fftfreq(rows)[:, None], np.fft.rfftfreq(columns))
    return np.fft.irfft2(np.fft.rfft2(picture) * f * np.exp(-((f / 0.4) ** 4)), s=picture.shape)


def _even_contrast(picture: NDArray[np.float64]) -> NDArray[np.float64]:
    """Divide by the local standard deviation, with a floor that leaves the empty sky empty."""
    from scipy.ndimage import gaussian_filter

    contrast = np.sqrt(gaussian_filter(picture**2, sigma=8))
    even: NDArray[np.float64] = picture / (contrast + 0.3 * contrast.mean())
    return even
