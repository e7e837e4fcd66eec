"""Scalers, whitening and patch extraction: what they promise of the data that come out."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

import sae_fast as sf
from tests.helpers.estimators import correlated
from tests.helpers.networks import DTYPES, TOLERANCE, error

SCALERS = (sf.UnitScaler(), sf.UnitScaler("tanh", margin=0.0, clip=True, per_feature=False), sf.UFLDLScaler())
WHITENERS = (sf.PCAWhitener, sf.ZCAWhitener)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks(
    [*SCALERS, sf.UFLDLScaler(output="tanh"), *(w(n_components=n) for w in WHITENERS for n in (None, 0.9))]
)
def test_transformer_contract(estimator, check):
    """Every check of scikit-learn passes for every table transformer."""
    check(estimator)


@pytest.mark.parametrize("transformer", [sf.UnitScaler(), sf.PCAWhitener()])
def test_a_source_is_refused_with_the_advice(transformer):
    """Blocks are what a scaler learns from, one by one, and what every transformer takes."""
    X = correlated(60, 5)
    source = sf.open_source(X, batch_size=16)
    for method in (transformer.fit, transformer.fit_transform, clone(transformer).fit(X).transform):
        with pytest.raises(TypeError, match=r"got a source: .*transform takes? its blocks"):
            method(source)
    if hasattr(transformer, "partial_fit"):
        blocks = clone(transformer)
        for block in source:
            blocks.partial_fit(block)
        np.testing.assert_array_equal(blocks.transform(X), clone(transformer).fit(X).transform(X))


# scikit-learn's checks feed tables, and PatchExtractor takes images, as its tags say: parametrize_with_checks would
# run check_estimator_cloneable alone. These are the others that need no data.
@pytest.mark.parametrize("name", [
    "check_estimator_cloneable", "check_estimator_repr", "check_get_params_invariance", "check_mixin_order",
    "check_no_attributes_set_in_init", "check_parameters_default_constructible", "check_set_params",
    "check_valid_tag_types"
])  # fmt: skip
def test_patch_extractor_contract(name):
    """Every check of scikit-learn that feeds no table passes for the transformer of images."""
    getattr(estimator_checks, name)("PatchExtractor", sf.PatchExtractor())


# Scalers


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("per_feature", [True, False])
@pytest.mark.parametrize(("output", "margin", "low", "high"), [
    ("sigmoid", 0.1, 0.1, 0.9), ("tanh", 0.1, -0.8, 0.8), ("tanh", 0.0, -1, 1), ("linear", 0.001, 0.001, 0.999)
])  # fmt: skip
def test_unit_scaler_fills_the_range_and_comes_back(dtype, per_feature, output, margin, low, high):
    """Training data fill the range of the unit less its margin, never beyond 0 margin; the inverse restores them."""
    X = correlated(dtype=dtype)
    scaler = sf.UnitScaler(output, margin=margin, per_feature=per_feature).fit(X)
    scaled = scaler.transform(X)
    axis = 0 if per_feature else None
    assert scaled.dtype == dtype
    np.testing.assert_allclose(scaled.min(axis=axis), low, rtol=1e-6)
    np.testing.assert_allclose(scaled.max(axis=axis), high, rtol=1e-6)
    if margin == 0:
        assert scaled.min() == low
        assert scaled.max() == high
    assert error(scaler.inverse_transform(scaled), X) < TOLERANCE[dtype]


def test_unit_scaler_matches_scikit_learn_and_r():
    """Per feature it is MinMaxScaler; over all data with margin 0.001 it is the rescaling of R's autoencoder."""
    from sklearn.preprocessing import MinMaxScaler

    X = correlated()
    np.testing.assert_allclose(sf.UnitScaler().fit_transform(X), MinMaxScaler((0.1, 0.9)).fit_transform(X), atol=1e-14)
    together = sf.UnitScaler(margin=0.001, per_feature=False).fit_transform(X)
    np.testing.assert_allclose(together, (X - X.min()) / (X.max() - X.min()) * (1 - 2e-3) + 1e-3, atol=1e-14)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("value", [0.0, 0.1, -7e30, 1e-38])
def test_constant_features_become_the_middle(dtype, value):
    """A constant feature becomes the middle, also where new data differ, and comes back as what it was."""
    X = correlated(dtype=dtype)
    X[:, 2] = value
    X[::2, 2] = np.nextafter(X[0, 2], dtype(9))
    scaler = sf.UnitScaler().fit(X)
    assert scaler.data_range_[2] == 0
    new = X + 1
    np.testing.assert_array_equal(scaler.transform(new)[:, 2], dtype(0.5))
    np.testing.assert_allclose(scaler.inverse_transform(scaler.transform(new))[:, 2], value, rtol=1e-6, atol=1e-44)


def test_float32_data_for_a_scale_of_float64():
    """A range too small for float32 gives float32 data finite values."""
    scaler = sf.UnitScaler().fit([[0.0], [1e-50]])
    np.testing.assert_allclose(scaler.transform(np.float32([[0.0]])), 0.1, rtol=1e-6)
    assert np.isfinite(scaler.transform(np.float32([[1.0]]))).all()


def test_new_data_beyond_the_range():
    """By default new data go beyond the range in proportion; with clip=True they are cut at it."""
    X = np.array([[0.0], [10.0]])
    np.testing.assert_allclose(sf.UnitScaler().fit(X).transform([[20.0], [-5.0]]).ravel(), [1.7, -0.3])
    np.testing.assert_allclose(sf.UnitScaler(clip=True).fit(X).transform([[20.0], [-5.0]]).ravel(), [0.9, 0.1])


@pytest.mark.parametrize("dtype", DTYPES)
def test_ufldl_scaler_is_the_recipe(dtype):
    """Mean of each patch out, cut at three standard deviations, mapped to [0.1, 0.9]; new data by the same sigma."""
    X = correlated(dtype=dtype)
    X[0] *= 20
    scaler = sf.UFLDLScaler().fit(X)
    flat = X.astype(np.float64) - X.astype(np.float64).mean(axis=1, keepdims=True)
    limit = 3 * flat.std()
    wanted = (np.clip(flat, -limit, limit) / limit + 1) * 0.4 + 0.1
    scaled = scaler.transform(X)
    assert scaled.dtype == dtype
    assert scaler.limit_ == pytest.approx(limit, rel=1e-12)
    assert scaler.sigma_ == pytest.approx(flat.std(), rel=1e-12)
    assert error(scaled, wanted) < TOLERANCE[dtype]
    assert (scaled.min(), scaled.max()) == (pytest.approx(0.1), pytest.approx(0.9))
    assert error(scaler.transform(X[5:9] + 2), wanted[5:9]) < 10 * TOLERANCE[dtype]
    # The inverse knows neither the means nor what was cut.
    assert error(scaler.inverse_transform(scaled), np.clip(flat, -limit, limit)) < TOLERANCE[dtype]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_sigma", [3.0, 1.7])
def test_sigma_of_many_samples(n_sigma, weighted):
    """Sigma is that of all entries about their samples' means, block by block; the limit is n_sigma of it."""
    rng = np.random.default_rng(0)
    X = rng.normal(rng.uniform(-50, 50, (3000, 1)), rng.uniform(0.5, 2, (3000, 1)), (3000, 800))
    weight = rng.uniform(0, 3, len(X)) if weighted else None
    scaler = sf.UFLDLScaler(n_sigma=n_sigma).fit(X, sample_weight=weight)
    sigma = np.sqrt(np.average(X.var(axis=1), weights=weight))
    assert scaler.sigma_ == pytest.approx(sigma, rel=1e-12)
    assert scaler.limit_ == pytest.approx(n_sigma * sigma, rel=1e-12)


@pytest.mark.parametrize("dtype", DTYPES)
def test_flat_patches_become_the_middle(dtype):
    """Patches without contrast, and a single feature, are the middle and not their rounding blown up."""
    X = np.repeat(np.random.default_rng(0).uniform(1, 1000, (20, 1)), 7, axis=1).astype(dtype)
    for data in (X, X[:, :1], 0 * X):
        scaler = sf.UFLDLScaler().fit(data)
        assert scaler.sigma_ == 0
        np.testing.assert_array_equal(scaler.transform(data), dtype(0.5))


# Features that vary little around a large value


def steps(dtype, low, n, m=200):
    """Samples of one feature: n neighbouring numbers of the type, from ``low`` on, all about equally often."""
    values = [dtype(low)]
    for _ in range(n - 1):
        values.append(np.nextafter(values[-1], dtype(np.inf)))
    return np.array(values)[np.arange(m) % n, np.newaxis]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("low", [1000.3, 101325, -7e5, 65537, 3e-30])
def test_constant_is_what_rounding_alone_moves(dtype, low):
    """Three neighbouring numbers of a type are one value and its rounding; five are values of their own."""
    for n in (1, 2, 3):
        assert sf.UnitScaler().fit(steps(dtype, low, n)).data_range_[0] == 0
    for n in (5, 13):
        scaled = sf.UnitScaler().fit_transform(steps(dtype, low, n))
        np.testing.assert_allclose(np.unique(scaled), np.linspace(0.1, 0.9, n), rtol=10 * TOLERANCE[dtype])


@pytest.mark.parametrize("scale", ["minmax", "ufldl"])
def test_a_model_learns_what_float32_can_just_tell_apart(scale):
    """Pressures of 99900 +- 0.03 Pa in float32, 9 values, are as good as the same about 0."""
    rng = np.random.default_rng(0)
    near = np.round(rng.normal(size=(300, 1)) @ rng.normal(size=(1, 6)) * 5).clip(-4, 4).astype(np.float32) / 128
    far = near + np.float32(99900)
    np.testing.assert_array_equal(far - np.float32(99900), near)  # nothing is lost by the shift
    options = {"scale": scale, "rho": 0.2, "max_iter": 30, "random_state": 0}
    one, two = (sf.SparseAutoencoder(4, **options).fit(data) for data in (near, far))
    np.testing.assert_allclose(two.transform(far), one.transform(near), atol=1e-3)
    np.testing.assert_allclose(two.score_samples(far), one.score_samples(near), atol=1e-3)
    assert np.ptp(one.transform(near), axis=0).max() > 0.1


@pytest.mark.parametrize("dtype", DTYPES)
def test_patches_that_vary_little_around_a_large_value(dtype):
    """UFLDLScaler takes out the level of a patch without the rounding of the level; two neighbours are flat."""
    level = np.repeat(np.random.default_rng(1).uniform(1e5, 1.2e5, (50, 1)).astype(dtype), 8, axis=1)
    step = np.spacing(level)
    ramp = np.arange(8) - 3
    scaler = sf.UFLDLScaler().fit(level + (step * (2 * ramp)).astype(dtype))
    sigma = np.sqrt(np.mean(step.astype(np.float64) ** 2) * 4 * np.var(ramp))
    assert scaler.sigma_ == pytest.approx(sigma)
    scaled = scaler.transform(level + (step * (2 * ramp)).astype(dtype))
    np.testing.assert_allclose(np.diff(scaled, axis=1), 0.8 * step[:, 1:] / scaler.limit_, rtol=1e-4)
    assert sf.UFLDLScaler().fit(level + step * (np.arange(8) % 2).astype(dtype)).sigma_ == 0


@pytest.mark.parametrize("whitener", WHITENERS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_whitening_sees_small_features_beside_large_ones(whitener, dtype):
    """What varies is judged by each feature's own rounding: neither a large level nor a large neighbour hides it."""
    rng = np.random.default_rng(2)
    X = np.hstack([steps(dtype, 101325, 13, 400)[rng.permutation(400)], rng.normal(size=(400, 2)).astype(dtype)])
    X[:, 2] *= dtype(1e7)  # float32 resolves steps of 1 there
    if dtype == np.float32:
        white = whitener(epsilon=0.0).fit_transform(X).astype(np.float64)
        np.testing.assert_allclose(np.cov(white.T), np.eye(3), atol=5e-3)
    X[:, 0] = steps(dtype, 101325, 2, 400)[:, 0]
    with pytest.raises(ValueError, match="vary in 2 directions only, of 3 to be whitened"):
        whitener(epsilon=0.0).fit(X)
    assert whitener(epsilon=1e-3).fit(np.full((9, 2), dtype(0.1))).explained_variance_.max() == 0


# Pieces


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("per_feature", [True, False])
def test_pieces_have_the_range_of_all(per_feature, dtype):
    """partial_fit over pieces, in any order, is fit over all of them, to the bit; constant features too."""
    X = np.sort(correlated(400, dtype=dtype), axis=0)
    X[:, 4] = 3
    weight = (np.arange(400) % 9 > 0).astype(float)
    whole = sf.UnitScaler("tanh", per_feature=per_feature).fit(X, sample_weight=weight)
    pieces = sf.UnitScaler("tanh", per_feature=per_feature)
    for rows in np.array_split(np.arange(400), 7)[::-1]:
        pieces.partial_fit(X[rows], sample_weight=weight[rows])
    np.testing.assert_equal(vars(pieces), vars(whole))
    assert (whole.data_range_[4] == 0) == per_feature
    once = sf.UnitScaler().fit(X[:100]).partial_fit(X[100:])
    np.testing.assert_array_equal(once.transform(X), sf.UnitScaler().fit(X).transform(X))


@pytest.mark.parametrize("order", [1, -1])
def test_pieces_of_two_types_round_as_the_coarser(order):
    """A step of float32 moves no feature that float32 has seen, whether float64 comes before or after it."""
    step = np.array([[0.1], [np.nextafter(np.float32(0.1), np.float32(1))]], dtype=np.float32)
    pieces = [step, step.astype(np.float64)]
    scaler = sf.UnitScaler()
    for piece in pieces[::order]:
        scaler.partial_fit(piece)
    assert scaler.data_range_[0] == 0
    assert sf.UnitScaler().fit(pieces[1]).data_range_[0] > 0


def test_parameters_set_between_pieces_count():
    """Output, margin and per_feature are those of the last call, over the samples of all."""
    X = correlated()
    scaler = sf.UnitScaler().partial_fit(X[:50]).set_params(output="tanh", per_feature=False).partial_fit(X[50:])
    np.testing.assert_array_equal(scaler.transform(X), sf.UnitScaler("tanh", per_feature=False).fit_transform(X))
    with pytest.raises(TypeError, match="clip must be True or False, got 3"):
        scaler.set_params(clip=3).partial_fit(X)


def test_a_constant_feature_may_begin_to_vary():
    """A feature that is constant in the first pieces has its range from later ones."""
    scaler = sf.UnitScaler().partial_fit([[5.0], [5.0]])
    assert scaler.data_range_[0] == 0
    np.testing.assert_allclose(scaler.partial_fit([[9.0]]).transform([[5.0], [9.0]]).ravel(), [0.1, 0.9])


@pytest.mark.parametrize("dtype", DTYPES)
def test_sigma_of_pieces_is_that_of_all(dtype):
    """UFLDLScaler over pieces of any size, weighted or not, has the sigma of all samples."""
    X = correlated(400, dtype=dtype) * np.geomspace(0.1, 10, 400).astype(dtype)[:, np.newaxis]
    weight = np.random.default_rng(0).uniform(0.1, 2, 400)
    for w in (None, weight):
        pieces = sf.UFLDLScaler()
        for rows in np.split(np.arange(400), [1, 20, 170]):
            pieces.partial_fit(X[rows], sample_weight=None if w is None else w[rows])
        whole = sf.UFLDLScaler().fit(X, sample_weight=w)
        assert pieces.sigma_ == pytest.approx(whole.sigma_, rel=1e-12)
        assert error(pieces.transform(X), whole.transform(X)) < TOLERANCE[dtype]
    huge = sf.UFLDLScaler().partial_fit(1e200 * X.astype(np.float64)).partial_fit(2e200 * X.astype(np.float64))
    assert np.isfinite(huge.sigma_)


@pytest.mark.parametrize("scaler", [sf.UnitScaler(), sf.UFLDLScaler()])
def test_an_unfit_piece_leaves_the_scaler_as_it_was(scaler):
    """NaN, another width and other names are errors after which the scaler goes on as before."""
    X = pd.DataFrame(correlated(), columns=list("abcdefghi"))
    fitted = clone(scaler).partial_fit(X)
    before = copy.deepcopy(vars(fitted))
    for piece in (X * np.nan, X[["a", "b"]], X[X.columns[::-1]]):
        with pytest.raises(ValueError, match=r"NaN|feature names"):
            fitted.partial_fit(piece)
        np.testing.assert_equal(vars(fitted), before)
    unfitted = clone(scaler)
    with pytest.raises(ValueError, match="NaN"):
        unfitted.partial_fit(X * np.nan)
    assert vars(unfitted) == vars(clone(scaler))


# Whitening


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("whitener", WHITENERS)
def test_whitened_covariance_is_the_identity(whitener, dtype):
    """With epsilon 0 the covariance is the identity; with epsilon the variances are v / (v + epsilon)."""
    X = correlated(dtype=dtype)
    exact = whitener(epsilon=0.0).fit(X)
    white = exact.transform(X)
    assert white.dtype == dtype
    assert exact.explained_variance_.dtype == np.float64
    assert error(np.cov(white.astype(np.float64).T), np.eye(9)) < 50 * TOLERANCE[dtype]
    damped = whitener(epsilon=0.5).fit(X)
    variances = np.linalg.eigvalsh(np.cov(damped.transform(X).astype(np.float64).T))[::-1]
    v = damped.explained_variance_
    assert error(variances, v / (v + 0.5)) < 50 * TOLERANCE[dtype]
    for fitted in (exact, damped):
        assert error(fitted.inverse_transform(fitted.transform(X)), X) < 10 * TOLERANCE[dtype]


def test_pca_whitening_is_scikit_learns():
    """With epsilon 0 it is PCA(whiten=True), also with a number or share of components."""
    X = correlated()
    for n in (None, 4, 0.9):
        ours, theirs = sf.PCAWhitener(epsilon=0.0, n_components=n).fit(X), PCA(n, whiten=True, svd_solver="full").fit(X)
        assert ours.n_components_ == theirs.n_components_
        np.testing.assert_allclose(ours.explained_variance_, theirs.explained_variance_, rtol=1e-10)
        np.testing.assert_allclose(ours.explained_variance_ratio_, theirs.explained_variance_ratio_, rtol=1e-10)
        np.testing.assert_allclose(np.abs(ours.transform(X)), np.abs(theirs.transform(X)), atol=1e-9)
        assert np.all(ours.components_[np.arange(len(ours.components_)), np.abs(ours.components_).argmax(axis=1)] > 0)


def test_zca_is_symmetric_and_nearest():
    """The ZCA matrix is symmetric to the last bit, positive, and PCA whitening turned back."""
    X = correlated()
    zca, pca = sf.ZCAWhitener(epsilon=0.1).fit(X), sf.PCAWhitener(epsilon=0.1).fit(X)
    np.testing.assert_array_equal(zca.whitening_, zca.whitening_.T)
    assert np.linalg.eigvalsh(zca.whitening_).min() > 0
    np.testing.assert_allclose(zca.transform(X), pca.transform(X) @ pca.components_, atol=1e-12)
    np.testing.assert_allclose(zca.whitening_ @ zca.unwhitening_, np.eye(9), atol=1e-12)


@pytest.mark.parametrize("whitener", WHITENERS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", ["dependent", "constant", "few samples"])
def test_data_of_low_rank(whitener, dtype, case):
    """Where nothing varies: an error with epsilon 0, damping with epsilon, exact whitening of what does vary."""
    X = correlated(dtype=dtype)
    if case == "dependent":
        X[:, 8] = X[:, 0] + X[:, 1]
    elif case == "constant":
        X[:, 8] = 0.1
    else:
        X = X[:9]
    with pytest.raises(ValueError, match=r"epsilon must be > 0, or n_components at most 8: .* vary in 8 directions"):
        whitener(epsilon=0.0).fit(X)
    white = whitener(epsilon=0.0, n_components=8).fit_transform(X).astype(np.float64)
    np.testing.assert_allclose(np.sort(np.linalg.eigvalsh(np.cov(white.T)))[-8:], 1, rtol=1e3 * TOLERANCE[dtype])
    damped = whitener(epsilon=0.01).fit(X)
    assert np.abs(damped.transform(X)).max() < 20
    assert error(damped.inverse_transform(damped.transform(X)), X) < 50 * TOLERANCE[dtype]


def test_wide_data_whiten_in_all_directions():
    """With fewer samples than features ZCA keeps all features, PCA as many directions as there are samples."""
    X = correlated(5, 9)
    assert sf.ZCAWhitener().fit_transform(X).shape == (5, 9)
    pca = sf.PCAWhitener().fit(X)
    assert pca.transform(X).shape == (5, 5)
    assert list(pca.get_feature_names_out()) == [f"pcawhitener{i}" for i in range(5)]
    np.testing.assert_allclose(pca.transform(X)[:, 4], 0, atol=1e-9)
    assert sf.PCAWhitener().fit_transform(np.random.default_rng(0).normal(size=(3, 30_000))).shape == (3, 3)


@pytest.mark.parametrize("whitener", WHITENERS)
def test_many_samples_go_in_blocks(whitener):
    """Decomposition and product by blocks of rows are those of all rows at once."""
    X = correlated(20_001)
    fitted = whitener(epsilon=0.1).fit(X)
    variances, directions = np.linalg.eigh(np.cov(X.T))
    np.testing.assert_allclose(fitted.explained_variance_, variances[::-1], rtol=1e-9)
    np.testing.assert_allclose(np.abs(fitted.components_ @ directions[:, ::-1]), np.eye(9), atol=1e-7)
    np.testing.assert_allclose(fitted.transform(X), (X - fitted.mean_) @ fitted.whitening_.T, atol=1e-11)


def test_a_large_mean_costs_no_digits_of_the_directions():
    """Variances of data far from zero are as good as the data: nothing is squared before the mean is out."""
    X = correlated() - 3
    near, far = sf.PCAWhitener().fit(X), sf.PCAWhitener().fit(X + 1e6)
    np.testing.assert_allclose(far.explained_variance_, near.explained_variance_, rtol=1e-6)


# Patches


def images(*shape, dtype=np.float64):
    """Images whose every entry tells its image, row, column and channel."""
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", [(), (1,), (3,)])
@pytest.mark.parametrize("size", [(4, 4), (1, 5), (7, 9)])
def test_patches_are_windows_of_the_images(dtype, channels, size):
    """Each row is a window of one image: rows, then columns, then channels; also without n_patches, in order."""
    X = images(3, 7, 9, *channels, dtype=dtype)
    wide = int(np.prod(channels, dtype=int))
    extractor = sf.PatchExtractor(size, 40, random_state=0).fit(X)
    assert extractor.patch_shape_ == (*size, *channels)
    patches = extractor.transform(X)
    assert patches.shape == (40, size[0] * size[1] * wide)
    assert patches.dtype == dtype
    for row in patches:
        n, r, c, _ = np.unravel_index(int(row[0]), (3, 7, 9, wide))
        np.testing.assert_array_equal(row.reshape(extractor.patch_shape_), X[n, r : r + size[0], c : c + size[1]])
    every = sf.PatchExtractor(size, None).fit_transform(X)
    assert len(every) == 3 * (8 - size[0]) * (10 - size[1])
    assert np.all(np.diff(every[:, 0]) > 0)


def test_images_of_different_sizes_and_types():
    """A list may mix sizes and real dtypes; each image is as likely as any other, the margin stays untouched."""
    mixed = [np.full((20, 30), 1, np.uint8), np.full((9, 9), 2.0, np.float32), np.full((50, 8), 3)]
    patches = sf.PatchExtractor(5, 3000, random_state=1).fit_transform(mixed)
    assert patches.dtype == np.float64
    counts = np.bincount(patches[:, 0].astype(int), minlength=4)[1:]
    assert np.all(np.abs(counts - 1000) < 150)
    framed = np.zeros((2, 12, 12))
    framed[:, 3:-3, 3:-3] = 1
    assert np.all(sf.PatchExtractor(4, 200, margin=3, random_state=0).fit_transform(framed) == 1)
    assert len(np.unique(sf.PatchExtractor(4, 200, margin=2, random_state=0).fit_transform(framed))) == 2


@pytest.mark.parametrize("make", [lambda: 3, lambda: np.random.default_rng(3), lambda: np.random.RandomState(3)])
def test_random_state_repeats_the_patches(make):
    """Equal seeds and equal generators draw the same patches; a generator goes on from call to call."""
    X = images(3, 20, 20)
    extractor = sf.PatchExtractor(4, 50, random_state=make())
    first = extractor.transform(X)
    np.testing.assert_array_equal(first, sf.PatchExtractor(4, 50, random_state=make()).fit_transform(X))
    again = extractor.transform(X)
    assert np.array_equal(first, again) == isinstance(make(), int)


def test_extractor_in_an_unsupervised_pipeline():
    """Images in, codes out, in one pipeline; frames, clones and pickles work."""
    X = np.random.default_rng(0).uniform(size=(4, 30, 30))
    coder = sf.SparseAutoencoder(3, max_iter=5, random_state=0)
    pipeline = make_pipeline(sf.PatchExtractor(5, 60, random_state=0), sf.UFLDLScaler(), coder).fit(X)
    assert pipeline.transform(X).shape == (60, 3)
    extractor = clone(pipeline[0]).set_output(transform="pandas").fit(X)
    frame = pickle.loads(pickle.dumps(extractor)).transform(X)
    assert isinstance(frame, pd.DataFrame)
    assert list(frame.columns[:2]) == ["patchextractor0", "patchextractor1"]
    assert not extractor.__sklearn_tags__().input_tags.two_d_array


# Errors

X2 = np.arange(12.0).reshape(4, 3)
IMAGE = np.zeros((2, 6, 6))


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: sf.UnitScaler("swish").fit(X2), ValueError, "output must be 'sigmoid', .*, got 'swish'"),
        (lambda: sf.UnitScaler(margin=0.5).fit(X2), ValueError, r"margin must be in \[0, 0.5\), got 0.5"),
        (lambda: sf.UnitScaler().fit([[-1e308], [1e308]]), ValueError, "X must have a range that float64 holds"),
        (lambda: sf.UFLDLScaler(n_sigma=0).fit(X2), ValueError, "n_sigma must be > 0 and finite, got 0"),
        (lambda: sf.UFLDLScaler().fit([[1e308, 1e308]]), ValueError, "X must have samples whose sums do not overflow"),
        (lambda: sf.PCAWhitener(epsilon=-1).fit(X2), ValueError, "epsilon must be >= 0 and finite, got -1"),
        (lambda: sf.PCAWhitener(n_components=4).fit(X2), ValueError, "n_components must be at most 3 .*, got 4"),
        (lambda: sf.ZCAWhitener(n_components=0).fit(X2), ValueError, "n_components must be >= 1, got 0"),
        (lambda: sf.ZCAWhitener(n_components=1.0).fit(X2), ValueError, r"n_components must be an integer .*, got 1.0"),
        (lambda: sf.ZCAWhitener(n_components="all").fit(X2), TypeError, "n_components must be a real number"),
        (lambda: sf.ZCAWhitener(n_components=True).fit(X2), TypeError, "n_components must be an integer, got True"),
        (lambda: sf.PCAWhitener().fit(X2[:1]), ValueError, "minimum of 2 is required"),
        (lambda: sf.UnitScaler(clip="error").fit(X2), TypeError, "clip must be True or False, got 'error'"),
        (lambda: sf.UnitScaler(per_feature="no").fit(X2), TypeError, "per_feature must be True or False, got 'no'"),
        (
            lambda: sf.ZCAWhitener(epsilon=0.0).fit(1e-310 * correlated()),
            ValueError,
            r"epsilon must be larger, got 0: a direction of variance .* is blown up beyond float64",
        ),
        (
            lambda: sf.PCAWhitener(epsilon=0.0).fit((1e-40 * correlated()).astype(np.float32)),
            ValueError,
            r"epsilon must be larger, got 0: .* beyond float32; or scale X first",
        ),
        (lambda: sf.PCAWhitener().fit(1e200 * X2), ValueError, "X must have variances that float64 holds"),
        (
            lambda: sf.ZCAWhitener().fit(np.where(X2.mean() < X2, 1.7e308, 0.0)),
            ValueError,
            "X must have variances that float64 holds",
        ),
        (lambda: sf.ZCAWhitener(epsilon=0).fit(0 * X2), ValueError, "epsilon must be > 0: .* vary in 0 directions"),
        (lambda: sf.PatchExtractor().fit(np.zeros((9, 9, 3))), ValueError, r"X\[None\] makes .* one colour image"),
        (lambda: sf.PatchExtractor().fit(np.zeros((1, 9, 9, 0))), ValueError, "at least one channel, got none"),
        (lambda: sf.PatchExtractor(2, random_state=-1).fit(IMAGE), ValueError, "random_state must be .*, got -1"),
        (lambda: sf.PatchExtractor().fit(IMAGE), ValueError, r"hold a patch of \(8, 8\), got image 0 of \(6, 6\)"),
        (lambda: sf.PatchExtractor(4, margin=2).fit(IMAGE), ValueError, r"\(4, 4\) and a margin of 2, got image 0"),
        (lambda: sf.PatchExtractor(0).fit(IMAGE), ValueError, "patch_size must be >= 1, got 0"),
        (lambda: sf.PatchExtractor((2, 2, 3)).fit(IMAGE), ValueError, r"patch_size must be an integer or \(rows"),
        (lambda: sf.PatchExtractor(2.5).fit(IMAGE), TypeError, "patch_size must be an integer, got 2.5"),
        (lambda: sf.PatchExtractor(2, 0).fit(IMAGE), ValueError, "n_patches must be >= 1, got 0"),
        (lambda: sf.PatchExtractor(2, margin=-1).fit(IMAGE), ValueError, "margin must be >= 0, got -1"),
        (lambda: sf.PatchExtractor(2, random_state="x").fit(IMAGE), TypeError, "random_state must be"),
        (lambda: sf.PatchExtractor(2).fit(IMAGE[0]), ValueError, r"got \(6, 6\); X\[None\] makes an array"),
        (lambda: sf.PatchExtractor(2).fit([]), ValueError, "X must have at least one image, got none"),
        (lambda: sf.PatchExtractor(2).fit([IMAGE[0], IMAGE[0, 0]]), ValueError, r"image 1 must have .*got \(6,\)"),
        (lambda: sf.PatchExtractor(2).fit([IMAGE[0], np.zeros((6, 6, 3))]), ValueError, "kind, got 3 channels, grey"),
        (lambda: sf.PatchExtractor(2).fit([np.full((6, 6), np.nan)]), ValueError, "image 0 contains NaN"),
    ],
)  # fmt: skip
def test_errors(call, kind, message):
    """Each wrong parameter and each unfit array is an error that says what was got and what wanted."""
    with pytest.raises(kind, match=message):
        call()


@pytest.mark.parametrize("transformer", [*SCALERS, *(w() for w in WHITENERS)])
def test_unfit_tables(transformer):
    """NaN, no samples, a wrong number of columns, and use before fit are errors, in both directions."""
    with pytest.raises(NotFittedError):
        clone(transformer).inverse_transform(X2)
    fitted = clone(transformer).fit(np.random.default_rng(0).normal(size=(8, 3)))
    with pytest.raises(ValueError, match="contains NaN"):
        fitted.transform(X2 + np.nan)
    with pytest.raises(ValueError, match="0 sample"):
        clone(transformer).fit(X2[:0])
    with pytest.raises(ValueError, match="2 features, but"):
        fitted.transform(X2[:, :2])
    with pytest.raises(ValueError, match=r"X must have shape \(n_samples, 3\), got \(4, 2\)"):
        fitted.inverse_transform(X2[:, :2])
