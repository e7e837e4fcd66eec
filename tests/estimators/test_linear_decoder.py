"""The linear decoder on whitened colour patches, at the settings of UFLDL's exercise "Linear Decoders"."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_sample_images

import sae_fast as sf
from tests.helpers.estimators import Zca
from tests.helpers.networks import DTYPES, TOLERANCE, error

COURSE = {"rho": 0.035, "beta": 5.0, "weight_decay": 3e-3, "output": "linear"}
N_HIDDEN = 400
LBFGS = {"solver": "lbfgs", "max_iter": 40}
ADAM = {"solver": "adam", "max_iter": 60, "batch_size": 100, "learning_rate": 0.02}


@pytest.fixture(scope="module", name="colour")
def _colour():
    """ZCA-whitened patches, 8 x 8 pixels in 3 colours, of the photographs that scikit-learn ships; their whitening."""
    rng = np.random.default_rng(0)
    patches = []
    for picture in load_sample_images().images:
        windows = np.lib.stride_tricks.sliding_window_view(picture, (8, 8), axis=(0, 1))
        rows, columns = (rng.integers(0, n, 500) for n in windows.shape[:2])
        patches.append(windows[rows, columns].transpose(0, 2, 3, 1).reshape(500, -1) / 255)
    whitener = Zca().fit(np.concatenate(patches))
    return whitener.transform(np.concatenate(patches)), whitener


def test_gradient(colour):
    """The gradient agrees with finite differences, with data that no sigmoid reaches."""
    X, _ = colour
    assert X.min() < -1
    assert X.max() > 1
    params = sf.init_params(X.shape[1], N_HIDDEN, random_state=0)
    assert sf.check_gradient(params, X[:50], **COURSE, n_directions=20) <= 1e-7


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("how", [LBFGS, ADAM], ids=["lbfgs", "adam"])
def test_training(colour, how, dtype):
    """Training brings J and its error down and rho_hat to rho, in both types, without a warning of the data's range."""
    X = colour[0].astype(dtype)
    model = sf.SparseAutoencoder(N_HIDDEN, **COURSE, **how, random_state=0).fit(X)
    start = sf.cost(sf.init_params(X.shape[1], N_HIDDEN, random_state=0, dtype=dtype), X, **COURSE)
    assert model.components_.dtype == dtype
    assert np.all(np.isfinite(model.loss_curve_))
    assert model.cost_.total < 0.1 * start.total
    assert model.cost_.reconstruction < 0.5 * start.reconstruction
    assert abs(model.rho_hat_.mean() - 0.035) < 0.03
    assert np.abs(model.reconstruct(X)).max() > 1


@pytest.mark.parametrize("dtype", DTYPES)
def test_filters_on_whole_photographs(colour, dtype):
    """The whitening folded into learned filters gives, over a photograph, the codes of its whitened patches."""
    X, whitener = colour
    model = sf.SparseAutoencoder(20, **COURSE, max_iter=10, random_state=0).fit(X.astype(dtype))
    photograph = load_sample_images().images[0][np.newaxis, 200:220, 300:320]
    scaled = (photograph / 255).astype(dtype)
    got = sf.ConvolvedFeatures(model, 8, whitener=whitener, flatten=False).fit_transform(scaled)
    patches = [scaled[0, i : i + 8, j : j + 8].ravel() for i in range(13) for j in range(13)]
    wanted = model.transform(whitener.transform(np.array(patches)).astype(dtype)).reshape(got.shape)
    # Whitening takes the large mean of a photograph away: so many digits go that the rounding of the codes shows.
    assert error(got, wanted) <= 50 * TOLERANCE[dtype]
