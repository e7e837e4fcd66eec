"""SparseAutoencoderOutlierDetector: scikit-learn's outlier contract, scores, thresholds, explanations, files."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score
from sklearn.utils.estimator_checks import parametrize_with_checks

import sae_fast as sf
from sae_fast.anomalies._threshold import usual_offset
from sae_fast.files._model_file import ModelFileError
from tests.helpers.networks import DTYPES

Detector = sf.SparseAutoencoderOutlierDetector
UNITS = np.array([1e5, 1.0, 1e-4, 1.0])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@pytest.mark.filterwarnings("ignore::sae_fast.DataRangeWarning")
@parametrize_with_checks(
    [
        Detector(4, max_iter=20, random_state=0),
        Detector(4, max_iter=20, random_state=0, contamination=0.1, solver="adam"),
        Detector(3, max_iter=20, random_state=0, scale="none", output="sigmoid", hidden="tanh"),
    ]
)
def test_outlier_contract(estimator, check):
    """Every check of scikit-learn passes."""
    check(estimator)


def ratios(n, seed=0):
    """Four features: one of its own, three that belong together."""
    rng = np.random.default_rng(seed)
    t = rng.uniform(size=n)
    together = np.c_[0.2 + 0.5 * t, 0.9 - 0.6 * t, 0.5 + 0.3 * t] + rng.normal(0, 0.01, (n, 3))
    return np.c_[rng.normal(6, 1.5, n), together]


def broken(n, seed=1):
    """The same, where the last two no longer belong together; and which sample is which."""
    rng = np.random.default_rng(seed)
    good, odd = ratios(n, seed), ratios(n // 5, seed + 1)
    odd[:, 2:] = np.c_[rng.permutation(odd[:, 2]), rng.permutation(odd[:, 3])]
    return np.r_[good, odd], np.r_[np.zeros(len(good)), np.ones(len(odd))]


@pytest.fixture(name="fitted", scope="module")
def _fitted():
    return Detector(8, max_iter=150, random_state=0).fit(ratios(800))


@pytest.mark.parametrize(
    ("n", "options"),
    [(2, {}), (2, {"beta": 0.1, "scale": "minmax"}), (8, {"solver": "adam", "max_iter": 300, "learning_rate": 0.01})],
)
def test_relations_between_features_are_seen(n, options):
    """Samples whose features are all usual, but not together, score lowest, in units of any size."""
    X, odd = broken(500)
    areas = [
        roc_auc_score(odd, -Detector(n, random_state=0, **options).fit(ratios(1000) * units).score_samples(X * units))
        for units in (1.0, UNITS)
    ]
    assert min(areas) > 0.97
    assert areas[0] == pytest.approx(areas[1], abs=2e-3)


def test_score_samples_of_a_scaled_autoencoder_weighs_features_alike():
    """So does score_samples of the autoencoder itself with scale="minmax"; without a scale the unit rules."""
    X, odd = broken(500)
    wide = UNITS / UNITS[0]
    options = {"output": "linear", "beta": 0.1, "rho": 0.2, "random_state": 0}
    scaled, plain = (
        sf.SparseAutoencoder(2, scale=scale, **options).fit(ratios(1000) * wide).score_samples(X * wide)
        for scale in ("minmax", "none")
    )
    assert roc_auc_score(odd, -scaled) > 0.97
    assert roc_auc_score(odd, -plain) < 0.7


def test_errors_are_in_units_of_training(fitted):
    """Over the samples that were trained on every feature's mean is 1; the mean of a row is its score."""
    X = ratios(800)
    errors = fitted.feature_errors(X)
    assert errors.shape == X.shape
    np.testing.assert_allclose(errors.mean(axis=0), 1, rtol=0.1)  # a tenth of the rows was held out
    np.testing.assert_allclose(-errors.mean(axis=1), fitted.score_samples(X), rtol=1e-12)
    expected = ((fitted.autoencoder_.reconstruct(X) - X) / fitted.feature_scale_) ** 2
    np.testing.assert_allclose(errors, expected, rtol=1e-12)


def test_explain_names_what_is_odd(fitted):
    """Largest error first, with what was and what was expected; shares add up to 1."""
    x = ratios(5, seed=3)[0]
    x[3] += 0.3
    found = fitted.explain(x)
    assert found[0].feature == 3
    assert [f.error for f in found] == sorted((f.error for f in found), reverse=True)
    assert sum(f.share for f in found) == pytest.approx(1)
    assert found[0].value == x[3]
    assert found[0].expected == fitted.autoencoder_.reconstruct([x])[0, 3]
    assert found[0].error == fitted.feature_errors([x])[0, 3]
    table = fitted.explain(np.stack([x, x]), top=2)
    assert table == [found[:2], found[:2]]


def test_explain_knows_names():
    """Features have the names of the training data; a row of a data frame is one sample."""
    X = pd.DataFrame(ratios(200), columns=list("wxyz"))
    detector = Detector(4, max_iter=30, random_state=0).fit(X)
    odd = X.iloc[0].copy()
    odd["y"] += 5
    assert detector.explain(odd)[0].feature == "y"
    with pytest.raises(ValueError, match="feature names"):
        detector.predict(X[list("zyxw")])


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_constant_feature_alone_can_make_a_sample_odd(dtype):
    """Any other value of it is odd, whatever its unit; its own value in another type is not."""
    X = np.c_[ratios(300), np.full(300, 0.1), np.zeros(300)].astype(dtype)
    detector = Detector(6, max_iter=50, random_state=0).fit(X)
    assert list(detector.feature_scale_ == 0) == [False] * 4 + [True] * 2
    usual = ratios(50, seed=4)
    for value, odd in (((0.1, 0), False), ((0.100001, 0), True), ((0.1, 1e-30), True)):
        T = np.c_[usual, np.full((50, 2), value)]
        assert np.all(detector.feature_errors(T)[:, 4:].any(axis=1) == odd), value
        assert (np.mean(detector.predict(T) == -1) == 1) == odd
    assert np.isfinite(detector.score_samples(T)).all()


def test_auto_is_no_guess():
    """Few good samples are beyond the threshold, with a tenth of outliers among the training samples too."""
    good, odd = ratios(1000), broken(1000)[0][1000:1100]
    clean = Detector(8, max_iter=150, random_state=0).fit(good)
    mixed = Detector(8, max_iter=150, random_state=0).fit(np.r_[good, odd])
    fresh = ratios(1000, seed=9)
    assert np.mean(clean.predict(fresh) == -1) < 0.01
    assert np.mean(mixed.predict(fresh) == -1) < 0.03
    assert np.mean(clean.predict(odd) == -1) > 0.7
    assert np.mean(mixed.predict(odd) == -1) > 0.5
    assert len(clean.calibration_scores_) == 100


@pytest.mark.parametrize("seed", range(3))
def test_auto_calls_few_digits_odd(seed):
    """Of good ones at most three in a hundred, whose errors have long tails; of scrambled ones all."""
    X = np.random.default_rng(seed).permutation(load_digits().data)
    scrambled = np.random.default_rng(1).permuted(X[900:940], axis=1)
    detector = Detector(25, random_state=seed).fit(X[:900])
    assert np.mean(detector.predict(X[940:]) == -1) < 0.03
    assert np.mean(detector.predict(scrambled) == -1) == 1


def test_auto_is_tukeys_outer_fence():
    """Of cube roots of errors, which may be endless; of a hundred samples one is beyond, of fewer perhaps none."""
    roots = np.r_[np.arange(1.0, 6.0), 40.0]
    none = np.zeros(99)
    first, third = np.quantile(roots, [0.25, 0.75])
    assert usual_offset(-(roots**3), none) == pytest.approx(-((third + 3 * (third - first)) ** 3), rel=1e-12)
    assert usual_offset(-np.array([2.0]), none) == pytest.approx(-2.0)
    assert usual_offset(np.array([-np.inf, -1.0]), none) == pytest.approx(-np.finfo(np.float64).max)
    scores = np.r_[none, -4.0, -2.0]
    assert usual_offset(-np.full(20, 8.0), scores) == pytest.approx(-3.0)
    assert usual_offset(-np.full(20, 1.0), scores) == pytest.approx(-1.0)


@pytest.mark.parametrize("share", [0.02, 0.5])
def test_contamination_is_the_share_of_outliers(share):
    """A number is the share of training samples below the threshold; fit_predict is fit and predict."""
    X = ratios(400)
    found = Detector(4, contamination=share, max_iter=30, random_state=0).fit_predict(X)
    assert np.mean(found == -1) == share
    detector = Detector(4, contamination=share, max_iter=30, random_state=0).fit(X)
    np.testing.assert_array_equal(detector.predict(X), found)
    np.testing.assert_array_equal(detector.decision_function(X), detector.score_samples(X) - detector.offset_)


def test_calibrate_keeps_the_rate(fitted, tmp_path):
    """Of good samples fpr are outliers, p-values are uniform, and both say the same."""
    fitted.save(tmp_path / "d.safetensors")
    detector = sf.load(tmp_path / "d.safetensors")
    assert detector.calibrate(ratios(999, seed=5), fpr=0.05) is detector
    fresh = ratios(4000, seed=6)
    p = detector.p_values(fresh)
    np.testing.assert_array_equal(detector.predict(fresh) == -1, p <= 0.05)
    assert np.mean(p <= 0.05) == pytest.approx(0.05, abs=0.02)
    np.testing.assert_allclose(np.quantile(p, [0.1, 0.5, 0.9]), [0.1, 0.5, 0.9], atol=0.05)
    assert p.min() == 1 / 1000


def test_calibrate_on_too_few_samples_changes_nothing(fitted):
    """19 samples tell a rate of 1/20 from 0, 18 do not."""
    before = fitted.offset_, fitted.calibration_scores_
    with pytest.raises(ValueError, match=r"fpr=0.05 needs at least 19 samples in X to be told from 0, got 18"):
        fitted.calibrate(ratios(18), fpr=0.05)
    assert (fitted.offset_, fitted.calibration_scores_) == before
    for bad in (0, 1, 1.5, np.nan):
        with pytest.raises(ValueError, match=r"fpr must be in \(0, 1\)"):
            fitted.calibrate(ratios(100), fpr=bad)
    n = Detector(2, max_iter=5, random_state=0).fit(ratios(50)).calibrate(ratios(19), fpr=0.05)
    assert n.offset_ == n.calibration_scores_[0]


def test_fewer_samples_than_features():
    """Thirty samples of a hundred features are enough to see one that is unlike them."""
    rng = np.random.default_rng(0)
    mix = rng.normal(size=(3, 100))
    X = rng.normal(size=(30, 3)) @ mix + rng.normal(0, 0.1, (30, 100))
    detector = Detector(5, max_iter=100, random_state=0).fit(X)
    fresh = rng.normal(size=(200, 3)) @ mix + rng.normal(0, 0.1, (200, 100))
    odd = rng.normal(size=(200, 100)) * X.std(axis=0)
    scores = detector.score_samples(np.r_[fresh, odd])
    assert roc_auc_score(np.arange(400) < 200, scores) > 0.95


@pytest.mark.parametrize("dtype", DTYPES)
def test_values_of_any_size(dtype):
    """Values that no sum can hold are outliers, and no warning tells of it."""
    detector = Detector(4, max_iter=20, random_state=0).fit(ratios(100).astype(dtype))
    far = np.full((1, 4), np.finfo(dtype).max / 2, dtype)
    assert detector.predict(far) == -1
    assert not np.isnan(detector.score_samples(far))
    assert detector.explain(far[0])[0].share > 0


@pytest.mark.parametrize("scale", ["none", "minmax", "ufldl"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_file_holds_all_of_it(tmp_path, scale, dtype):
    """What is saved and loaded gives the same bits, and explains by the same names."""
    X = pd.DataFrame(ratios(200).astype(dtype), columns=list("wxyz")).assign(constant=dtype(3))
    detector = Detector(4, scale=scale, contamination=0.1, max_iter=20, random_state=3).fit(X)
    detector.save(tmp_path / "d.safetensors")
    again = sf.load(tmp_path / "d.safetensors")
    assert type(again) is Detector
    assert again.get_params() == detector.get_params()
    np.testing.assert_array_equal(again.decision_function(X), detector.decision_function(X))
    np.testing.assert_array_equal(again.p_values(X), detector.p_values(X))
    assert again.explain(X.iloc[:3]) == detector.explain(X.iloc[:3])
    np.testing.assert_array_equal(again.autoencoder_.transform(X), detector.autoencoder_.transform(X))
    data = bytearray((tmp_path / "d.safetensors").read_bytes())
    data[-1] ^= 1
    (tmp_path / "d.safetensors").write_bytes(data)
    with pytest.raises(ModelFileError, match="damaged"):
        sf.load(tmp_path / "d.safetensors")


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"contamination": 0}, ValueError, r"contamination must be 'auto' or in \(0, 0.5\], got 0"),
        ({"contamination": 0.51}, ValueError, r"contamination must be 'auto' or in \(0, 0.5\], got 0.51"),
        ({"contamination": "automatic"}, ValueError, r"contamination must be .* got 'automatic'"),
        ({"contamination": None}, TypeError, "contamination must be a real number, got None"),
        ({"calibration_fraction": 1.0}, ValueError, r"calibration_fraction must be in \(0, 1\), got 1.0"),
        ({"n_components": 0}, ValueError, "n_components must be >= 1, got 0"),
        ({"hidden": "relu"}, ValueError, "relu"),
    ],
)
def test_wrong_settings(options, error, words):
    """What is out of its range is named, with what is wanted."""
    detector = Detector(**{"n_components": 2, "max_iter": 5, "random_state": 0}).fit(ratios(50))
    before = detector.predict(ratios(50))
    with pytest.raises(error, match=words):
        detector.set_params(**options).fit(ratios(60))
    np.testing.assert_array_equal(detector.predict(ratios(50)), before)  # a fit that fails changes nothing


def test_bad_samples(fitted):
    """NaN, another width and no fit are errors."""
    X = ratios(10)
    with pytest.raises(ValueError, match="expecting 4 features"):
        fitted.predict(X[:, :3])
    X[3, 2] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        fitted.score_samples(X)
    with pytest.raises(ValueError, match="n_samples = 1"):
        Detector().fit(X[:1])
    with pytest.raises(NotFittedError):
        Detector().predict(X)
    with pytest.raises(NotFittedError):
        Detector().monitor(reference=ratios(100))
    with pytest.raises(ValueError, match="top must be >= 1, got 0"):
        fitted.explain(ratios(1), top=0)


def test_sources_are_judged(fitted):
    """Block by block, with the results of an array; of another width they are refused."""
    X = broken(60)[0]
    source = sf.open_source(X, batch_size=7)
    np.testing.assert_allclose(fitted.score_samples(source), fitted.score_samples(X), rtol=1e-9)
    np.testing.assert_array_equal(fitted.predict(source), fitted.predict(X))
    np.testing.assert_array_equal(fitted.p_values(source), fitted.p_values(X))
    with pytest.raises(ValueError, match="X must have 4 features, as the model, got a source of 2"):
        fitted.score_samples(sf.open_source(X[:, :2]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("contamination", ["auto", 0.1])
def test_of_a_source_it_is_the_detector_of_the_array(dtype, contamination, tmp_path):
    """To the bit: of a source, of what is iterated anew, and of an iterator that is spooled."""
    X = np.random.default_rng(0).normal(size=(900, 5)).astype(dtype)
    X[:, 3] = 0.1
    made = sf.SparseAutoencoderOutlierDetector(3, max_iter=5, contamination=contamination, random_state=0)
    wanted = clone(made).fit(X)
    for given, spool in ((sf.open_source(X, batch_size=70), None), (iter([X[:300], X[300:]]), tmp_path)):
        found = clone(made).fit(given, spool=spool)
        assert found.offset_ == wanted.offset_
        for name in ("feature_scale_", "feature_mean_", "calibration_scores_"):
            np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name))
        np.testing.assert_array_equal(found.score_samples(X), wanted.score_samples(X))
    with pytest.raises(ValueError, match=r"gives its rows once.*spool=folder"):
        clone(made).fit(iter([X]))
    with pytest.raises(ValueError, match="must have two samples"):
        clone(made).fit(sf.open_source(X[:1]))


@pytest.mark.parametrize("kind", [sf.SparseAutoencoder, sf.SparseAutoencoderOutlierDetector])
def test_a_list_of_arrays_is_refused_with_advice(kind):
    """Whether or not they would make an array of three dimensions."""
    X = np.random.default_rng(0).uniform(size=(50, 4))
    for at in (25, 20):
        with pytest.raises(ValueError, match=r"got a list of arrays: give open_source\(X\)"):
            kind(2, max_iter=2).fit([X[:at], X[at:]])
    assert kind(2, max_iter=2).fit(sf.open_source([X[:20], X[20:]])).n_features_in_ == 4
