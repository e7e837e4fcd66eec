"""ConvolvedFeatures as a scikit-learn transformer, in the usual company."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import sae_fast as sf
from sae_fast import ConvolvedFeatures
from tests.helpers.estimators import Zca
from tests.helpers.networks import DTYPES, TOLERANCE, error, make

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 9, 8, 3), dtype=np.uint8)
PARAMS, _ = make(1, 3 * 2 * 3, 5)


# Tables of any width go through with patches of one pixel: a row of a table is an image of one row.
@parametrize_with_checks(
    [
        ConvolvedFeatures(make(1, 1, 3)[0], (1, 1)),
        ConvolvedFeatures(make(1, 1, 3, np.float32)[0], 1, 1, pooling="max", hidden="linear"),
    ]
)
def test_estimator_contract(estimator, check):
    """Every check of scikit-learn passes; none is left out."""
    check(estimator)


@pytest.fixture(scope="module", name="patches")
def _patches():
    """Patches of the digits that scikit-learn ships."""
    images = load_digits().images / 16
    windows = np.lib.stride_tricks.sliding_window_view(images, (4, 4), axis=(1, 2)).reshape(-1, 16)
    return windows[np.random.default_rng(0).permutation(len(windows))[:2000]]


@pytest.fixture(scope="module", name="model")
def _model(patches):
    return sf.SparseAutoencoder(16, rho=0.1, max_iter=60, random_state=0).fit(patches)


@pytest.mark.parametrize("pooling", ["mean", "max"])
def test_features_are_those_of_convolve(pooling):
    """Flat features are the map cell by cell; without flatten they are the map."""
    wanted = sf.convolve(PARAMS, IMAGES, (3, 2), hidden="tanh", pool=(2, 3), pooling=pooling)
    flat = ConvolvedFeatures(PARAMS, (3, 2), (2, 3), pooling=pooling, hidden="tanh").fit(IMAGES)
    np.testing.assert_array_equal(flat.transform(IMAGES), wanted.reshape(6, -1))
    maps = clone(flat).set_params(flatten=False)
    np.testing.assert_array_equal(maps.fit_transform(IMAGES), wanted)
    assert flat.map_shape_ == wanted.shape[1:]
    assert flat.n_features_in_ == 9 * 8 * 3


def test_images_come_as_images_or_as_rows_of_a_table():
    """image_shape makes images of rows; grey images need no channel; a row by itself is a signal."""
    table = IMAGES.reshape(6, -1)
    wanted = ConvolvedFeatures(PARAMS, (3, 2), 2).fit_transform(IMAGES)
    as_table = ConvolvedFeatures(PARAMS, (3, 2), 2, image_shape=(9, 8, 3)).fit(table)
    np.testing.assert_array_equal(as_table.transform(table), wanted)
    np.testing.assert_array_equal(as_table.transform(IMAGES), wanted)
    np.testing.assert_array_equal(as_table.transform(np.repeat(table, 2, axis=1)[:, ::2]), wanted)
    grey, _ = make(1, 6, 5)
    wanted = ConvolvedFeatures(grey, (3, 2), 2).fit_transform(IMAGES[..., 0])
    flat = IMAGES[..., 0].reshape(6, -1)
    np.testing.assert_array_equal(ConvolvedFeatures(grey, (3, 2), 2, image_shape=(9, 8)).fit_transform(flat), wanted)
    signals = ConvolvedFeatures(grey, (1, 6), (1, 4)).fit(flat)
    assert signals.map_shape_ == (1, (72 - 6 + 1) // 4, 5)
    wanted = sf.convolve(grey, flat[:, None, :, None], (1, 6), pool=(1, 4)).reshape(6, -1)
    np.testing.assert_array_equal(signals.transform(flat), wanted)


def test_encoder_may_be_model_encoder_or_parameters(model):
    """All three give the same features, in the dtype of the encoder, whatever the images are."""
    images = load_digits().images[:20]
    wanted = sf.convolve(model.params_, images, 4, pool=2).reshape(20, -1)
    for encoder in (model, sf.Encoder(model.params_), model.params_, tuple(model.params_)):
        features = ConvolvedFeatures(encoder, 4, 2).fit(images)
        np.testing.assert_array_equal(features.transform(images), wanted)
        np.testing.assert_array_equal(features.transform(images.astype(np.float32)), wanted)
    single = sf.Params(*(a.astype(np.float32) for a in model.params_))
    assert ConvolvedFeatures(single, 4, 2).fit_transform(images.astype(np.int16)).dtype == np.float32


def test_fit_is_not_needed():
    """Transform works without fit; after fit it insists on the same shape."""
    features = ConvolvedFeatures(PARAMS, (3, 2), 2)
    np.testing.assert_array_equal(features.transform(IMAGES), features.fit(IMAGES).transform(IMAGES))
    with pytest.raises(ValueError, match=r"shape seen in fit, \(9, 8, 3\), got \(8, 8, 3\)"):
        features.transform(IMAGES[:, 1:])


def test_names_and_frames():
    """A name says cell row, cell column and unit; frames in and out keep their names."""
    frame = pd.DataFrame(IMAGES.reshape(6, -1)).rename(columns="p{}".format)
    features = ConvolvedFeatures(PARAMS, (3, 2), (3, 4), image_shape=(9, 8, 3)).set_output(transform="pandas")
    out = features.fit_transform(frame)
    names = [f"convolvedfeatures_{i}_0_{k}" for i in range(2) for k in range(5)]
    assert list(out.columns) == list(features.get_feature_names_out()) == names
    assert list(features.feature_names_in_) == list(frame.columns)
    with pytest.raises(ValueError, match="feature names"):
        features.transform(frame[frame.columns[::-1]])


def test_clones_keep_what_the_encoder_has_learned(model):
    """clone, deepcopy and pickle give the same features; a clone shares no memory and keeps its output setting."""
    images = load_digits().images[:5]
    features = ConvolvedFeatures(model, 4, 2).set_output(transform="pandas")
    wanted = features.fit_transform(images)
    for other in (clone(features), copy.deepcopy(features), pickle.loads(pickle.dumps(features))):
        pd.testing.assert_frame_equal(other.fit_transform(images), wanted)
        assert not np.shares_memory(other.encoder.params_.W1, model.params_.W1)


def test_learned_filters_serve_a_classifier(model):
    """In a pipeline that a grid search clones, pooled codes of digits serve a classifier as well as pixels do."""
    X, y = load_digits(return_X_y=True)
    X, y = X[:300] / 16, y[:300]
    pipeline = make_pipeline(ConvolvedFeatures(model, 4, image_shape=(8, 8)), StandardScaler(), RidgeClassifier())
    grid = {"convolvedfeatures__pool_size": [1, 5], "convolvedfeatures__pooling": ["mean", "max"]}
    search = GridSearchCV(pipeline, grid, cv=3).fit(X, y)
    assert search.best_params_["convolvedfeatures__pool_size"] == 1
    assert search.best_score_ > cross_val_score(RidgeClassifier(), X, y, cv=3).mean() - 0.02


# Whitening, folded into the filters


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("whitener", [PCA(7), PCA(7, whiten=True), Zca()], ids=["pca", "pca whiten", "zca"])
def test_folded_whitening_gives_the_codes_of_whitened_patches(whitener, dtype):
    """Features with a whitener are encode(whitener.transform(patch)), to the rounding of the dtype."""
    windows = np.lib.stride_tricks.sliding_window_view(IMAGES / 255, (3, 2), axis=(1, 2))
    patches = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, 18)
    white = whitener.fit(patches).transform(patches)
    params, _ = make(1, white.shape[1], 5, dtype)
    wanted = sf.encode(params, white, hidden="tanh").reshape(6, 7, 7, 5)
    features = ConvolvedFeatures(params, (3, 2), whitener=whitener, hidden="tanh", flatten=False)
    got = clone(features).fit_transform((IMAGES / 255).astype(dtype))
    assert got.dtype == dtype
    assert error(got, wanted) <= TOLERANCE[dtype]
    cells = wanted.reshape(6, 1, 7, 1, 7, 5).mean(axis=(2, 4))
    pooled = features.set_params(pool_size=7).fit_transform((IMAGES / 255).astype(dtype))
    assert error(pooled, cells) <= TOLERANCE[dtype]


# Errors

NAN = IMAGES.astype(np.float64)
NAN[0, 0, 0, 0] = np.nan
TABLE = IMAGES.reshape(6, -1)


@pytest.mark.parametrize(
    ("options", "X", "kind", "message"),
    [
        ({}, NAN, ValueError, "NaN"),
        ({}, IMAGES[0, 0, 0], ValueError, "Expected 2D array, got 1D array"),
        ({}, IMAGES[None], ValueError, r"X must have shape .* got \(1, 6, 9, 8, 3\)"),
        ({}, IMAGES[:0], ValueError, "minimum of 1 is required"),
        ({}, IMAGES.astype(complex), ValueError, "Complex data not supported"),
        ({}, TABLE, ValueError, r"images must be at least as large as a patch, \(3, 2\), got \(1, 216\)"),
        ({"image_shape": (9, 8)}, TABLE, ValueError, r"X must have 72 columns .* \(9, 8, 1\), got 216"),
        ({"image_shape": (8, 9, 3)}, IMAGES, ValueError, r"images of image_shape \(8, 9, 3\), got \(9, 8, 3\)"),
        ({"image_shape": 9}, TABLE, ValueError, r"image_shape must be \(rows, columns\) or .* got 9"),
        ({"image_shape": (9, 0, 3)}, TABLE, ValueError, "image_shape must be >= 1, got 0"),
        ({"patch_size": (3, 3)}, IMAGES, ValueError, r"encoder's W1 must have shape \(n_hidden, 27\)"),
        ({"patch_size": 10}, IMAGES, ValueError, "images must be at least as large as a patch"),
        ({"pool_size": 8}, IMAGES, ValueError, r"pool_size must be at most the positions .* \(7, 7\), got \(8, 8\)"),
        ({"pooling": "median"}, IMAGES, ValueError, "pooling must be 'mean' or 'max', got 'median'"),
        ({"hidden": "swish"}, IMAGES, ValueError, "hidden must be .*, got 'swish'"),
        ({"flatten": "yes"}, IMAGES, TypeError, "flatten must be True or False, got 'yes'"),
        ({"n_threads": 0}, IMAGES, ValueError, "n_threads must be >= 1"),
        ({"encoder": None}, IMAGES, TypeError, "params must be a sequence"),
        (
            {"encoder": sf.SparseAutoencoder()},
            IMAGES,
            NotFittedError,
            "encoder must be fitted, got a SparseAut.*, so fit",
        ),
        ({"encoder": PCA(2).fit(TABLE)}, IMAGES, TypeError, "encoder must be a SparseAutoencoder, .* got PCA"),
        ({}, [IMAGES[0], IMAGES[1, :5]], ValueError, "X must hold images of one shape"),
        ({"whitener": 3}, IMAGES, TypeError, "whitener must be a fitted transformer or None, got int"),
        ({"whitener": PCA(2)}, IMAGES, NotFittedError, "whitener must be fitted, got a PCA that is not"),
        ({"whitener": PCA(2).fit(TABLE)}, IMAGES, ValueError, "whitener must give the 18 features .* got 2"),
        ({"whitener": MinMaxScaler().fit(TABLE)}, IMAGES, TypeError, "whitener must have mean_ and whitening_"),
    ],
    ids=str,
)
def test_errors(options, X, kind, message):
    """Every error names its argument, the value got and the value wanted; fit and transform say the same."""
    for call in ("fit", "transform"):
        features = ConvolvedFeatures(**{"encoder": PARAMS, "patch_size": (3, 2)} | options)
        with pytest.raises(kind, match=message):
            getattr(features, call)(X)


def _colour_patches(dtype):
    windows = np.lib.stride_tricks.sliding_window_view(IMAGES, (3, 2), axis=(1, 2))
    return np.moveaxis(windows, 3, -1).reshape(-1, 18).astype(dtype)


CHAINS = {
    "scale": lambda: sf.SparseAutoencoder(5, scale="minmax", max_iter=5, random_state=0),
    "whitener": lambda: make_pipeline(
        sf.ZCAWhitener(epsilon=0.1), sf.SparseAutoencoder(5, output="linear", max_iter=5, random_state=0)
    ),
    "whitener and scale": lambda: make_pipeline(
        sf.PCAWhitener(n_components=7, epsilon=0.1), sf.SparseAutoencoder(5, scale="minmax", max_iter=5, random_state=0)
    ),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("chain", CHAINS)
def test_what_the_model_does_to_a_patch_first_is_folded(chain, dtype):
    """Features of a model that scales, or of a pipeline, are its own codes of each patch, in its dtype."""
    patches = _colour_patches(dtype)
    model = CHAINS[chain]().fit(patches)
    features = ConvolvedFeatures(model, (3, 2), flatten=False).fit_transform(IMAGES)
    assert features.dtype == dtype
    assert error(features.reshape(-1, 5), model.transform(patches)) < TOLERANCE[dtype]
    again = clone(ConvolvedFeatures(model, (3, 2), flatten=False)).fit_transform(IMAGES)
    np.testing.assert_array_equal(again, features)


def test_scaling_that_cuts_says_how_to_leave_the_cut_out():
    """UFLDL's cut is not affine: an error with the remedy, and the remedy works."""
    model = sf.SparseAutoencoder(5, scale="ufldl", max_iter=5, random_state=0).fit(_colour_patches(np.float64))
    with pytest.raises(ValueError, match=r"encoder: UFLDLScaler cuts data, .* fold\(encoder, clip='ignore'\)"):
        ConvolvedFeatures(model, (3, 2)).fit(IMAGES)
    assert ConvolvedFeatures(sf.fold(model, clip="ignore"), (3, 2)).fit_transform(IMAGES).shape == (6, 7 * 7 * 5)


class Squashed(Zca):
    """Has all the attributes, and does something else."""

    def transform(self, X):
        return np.tanh(super().transform(X))


def test_whitening_that_is_not_what_it_says_is_an_error():
    """A transformer whose attributes do not make its transform is refused, not folded wrongly."""
    whitener = Squashed().fit(np.random.default_rng(0).normal(size=(300, 18)))
    with pytest.raises(ValueError, match=r"whitener must be an affine map, .*; Squashed is not"):
        ConvolvedFeatures(PARAMS, (3, 2), whitener=whitener).fit(IMAGES)
