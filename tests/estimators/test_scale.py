"""SparseAutoencoder(scale=): the network's units inside, the user's outside."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pandas as pd
import pytest
import safetensors.numpy
from sklearn.metrics import roc_auc_score
from sklearn.utils.estimator_checks import parametrize_with_checks

import sae_fast as sf
from sae_fast.cli import main
from sae_fast.files import _model_file
from tests.helpers.estimators import correlated
from tests.helpers.hostile_files import serialised
from tests.helpers.networks import DTYPES, TOLERANCE, error

SCALES = ("minmax", "ufldl")


def model(**options):
    return sf.SparseAutoencoder(**{"n_components": 6, "max_iter": 25, "random_state": 0, "rho": 0.2} | options)


def scaler_of(scale, output):
    return sf.UnitScaler(output) if scale == "minmax" else sf.UFLDLScaler(output=output)


@pytest.mark.filterwarnings("ignore::sae_fast.UnitWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks(
    [
        sf.SparseAutoencoder(4, max_iter=10, random_state=0, solver="adam", scale="minmax"),
        sf.SparseAutoencoder(4, max_iter=10, random_state=0, scale="ufldl", output="tanh"),
    ]
)
def test_estimator_contract(estimator, check):
    """Every check of scikit-learn passes with scaling, and no data are out of reach."""
    check(estimator)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("output", ["sigmoid", "tanh", "linear"])
@pytest.mark.parametrize("scale", SCALES)
def test_it_is_the_scaler_before_the_model(scale, output, dtype):
    """The fit is that of an unscaled model on scaled data, to the last bit; out of it come the user's units."""
    X, new = correlated(dtype=dtype), correlated(30, dtype=dtype, seed=1)
    scaler = scaler_of(scale, output).fit(X)
    inner = model(output=output).fit(scaler.transform(X))
    outer = model(output=output, scale=scale).fit(X)
    for a, b in zip(outer.params_, inner.params_, strict=True):
        np.testing.assert_array_equal(a, b)
    assert outer.cost_ == inner.cost_
    codes = outer.transform(new)
    assert codes.dtype == dtype
    np.testing.assert_array_equal(codes, inner.transform(scaler.transform(new)))
    np.testing.assert_array_equal(
        outer.inverse_transform(codes), scaler.inverse_transform(inner.inverse_transform(codes))
    )
    mean = 0 if scale == "minmax" else new.mean(axis=1, keepdims=True)
    wanted = outer.inverse_transform(codes) + mean
    assert error(outer.reconstruct(new), wanted) < TOLERANCE[dtype]
    span = scaler.data_range_ if scale == "minmax" else 2 * scaler.limit_
    unit = span / np.subtract(*scaler.feature_range_[::-1])
    errors = 0.5 * (((wanted.astype(np.float64) - new) / unit) ** 2).sum(axis=1)
    np.testing.assert_allclose(outer.score_samples(new), -errors, rtol=1e3 * TOLERANCE[dtype])
    assert outer.score(new) == pytest.approx(-errors.mean(), rel=1e3 * TOLERANCE[dtype])
    if scale == "minmax":
        np.testing.assert_allclose(outer.score_samples(new), inner.score_samples(scaler.transform(new)), rtol=1e-5)
        assert outer.score(X) == pytest.approx(-outer.cost_.reconstruction, rel=1e-5)


def test_score_does_not_depend_on_the_units_of_the_data():
    """Features in other units have the codes and the errors that they had."""
    X = correlated()
    for scale, units in (("minmax", np.geomspace(1e-3, 1e5, 9)), ("ufldl", 10)):
        one, other = model(scale=scale).fit(X), model(scale=scale).fit(units * X)
        np.testing.assert_allclose(other.transform(units * X), one.transform(X), rtol=1e-4)
        np.testing.assert_allclose(other.score_samples(units * X), one.score_samples(X), rtol=1e-3)
        assert other.cost_.total == pytest.approx(one.cost_.total, rel=1e-5)


@pytest.mark.parametrize("dtype", DTYPES)
def test_anomalies_of_small_features_are_found_beside_a_large_one(dtype):
    """Samples that break a rule among ratios score low, though another feature is 50,000 times as large."""
    rng = np.random.default_rng(4)

    def samples(n):
        t = rng.uniform(size=(n, 1))
        ratios = np.hstack([0.3 + 0.4 * t, 0.8 - 0.5 * t, 0.1 + 0.2 * t]) + rng.normal(0, 0.01, (n, 3))
        return np.hstack([ratios, rng.normal(5e4, 1e4, (n, 1))]).astype(dtype)

    broken = samples(100)
    broken[:, :3] = rng.permuted(broken[:, :3], axis=0)
    options = {"n_components": 2, "output": "linear", "beta": 0.1, "rho": 0.2, "max_iter": 400}
    fitted = model(scale="minmax", **options).fit(samples(2000))
    scores = fitted.score_samples(np.vstack([samples(500), broken]))
    assert roc_auc_score(np.repeat([1, 0], (500, 100)), scores) > 0.95


def test_what_is_cut_counts_in_the_score():
    """With scale="ufldl" the network does not see a spike beyond 3 sigma, and the score does."""
    X = correlated()
    fitted = model(scale="ufldl").fit(X)
    spiked = X[:5].copy()
    spiked[:, 2] += 100 * fitted.scaler_.limit_
    assert fitted.score_samples(spiked).max() < 100 * fitted.score_samples(X).min()


def test_new_values_of_a_constant_feature_do_not_count():
    """The scale knows no unit for a feature that was constant: it is the middle to network and score."""
    X = correlated()
    X[:, 4] = 7
    fitted = model(scale="minmax").fit(X)
    scores = fitted.score_samples(X)
    X[:, 4] = 8
    np.testing.assert_array_equal(fitted.score_samples(X), scores)


@pytest.mark.filterwarnings("ignore::sae_fast.DataRangeWarning")
@pytest.mark.parametrize("scale", SCALES)
def test_partial_fit_keeps_the_first_scale(scale):
    """The first samples set the scale; later ones, and a copy from a pickle, go by it."""
    X = correlated()
    fitted = model(scale=scale, solver="adam").partial_fit(X)
    data = scaler_of(scale, "sigmoid").fit(X)
    inner = model(solver="adam").partial_fit(data.transform(X))
    for factor in (0.5, 0.2):
        fitted.partial_fit(factor * X)
        inner.partial_fit(data.transform(factor * X))
    np.testing.assert_array_equal(fitted.components_, inner.components_)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).transform(X), fitted.transform(X))


@pytest.mark.parametrize("scale", SCALES)
def test_samples_of_no_weight_do_not_scale(scale):
    """Weights count in the scale as they do in the fit: as repetitions of samples."""
    X = correlated(60)
    X[::7] *= 10
    weight = np.random.default_rng(1).integers(1, 3, 60)
    weight[::7] = 0
    weighted = model(scale=scale, max_iter=10).fit(X, sample_weight=weight)
    repeated = model(scale=scale, max_iter=10).fit(np.repeat(X, weight, axis=0))
    np.testing.assert_allclose(weighted.transform(X), repeated.transform(X), rtol=1e-6)


def test_many_rows_go_in_blocks():
    """Codes of more rows than a block are those of the rows."""
    X = correlated(20_000)
    fitted = model(scale="minmax", max_iter=2).fit(X[:200])
    np.testing.assert_array_equal(fitted.transform(X)[::7000], fitted.transform(X[::7000]))


def test_each_fit_learns_its_own_scale():
    """A new fit forgets the old scale, also when it is switched off; set_params alone changes nothing."""
    X = correlated()
    fitted = model(scale="minmax").fit(X)
    codes = fitted.transform(X)
    fitted.set_params(scale="none")
    np.testing.assert_array_equal(fitted.transform(X), codes)
    unscaled = np.random.default_rng(0).uniform(size=(50, 9))
    assert fitted.fit(unscaled).scaler_ is None
    fitted.set_params(scale="ufldl", warm_start=True).fit(X)
    assert isinstance(fitted.scaler_, sf.UFLDLScaler)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("scale", SCALES)
def test_model_file_keeps_the_scale(tmp_path, scale, dtype):
    """The scale comes back bit for bit, also of constant features, and training goes on with it."""
    X = correlated(dtype=dtype)
    X[:, 4] = 7
    before = model(scale=scale, output="tanh", solver="adam").fit(X)
    before.save(tmp_path / "m")
    after = sf.load(tmp_path / "m")
    assert after.get_params() == before.get_params()
    assert vars(after.scaler_).keys() == vars(before.scaler_).keys()
    for method in ("transform", "reconstruct", "score_samples"):
        np.testing.assert_array_equal(getattr(after, method)(X + 0.5), getattr(before, method)(X + 0.5))
    after.partial_fit(X)


def header(path):
    data = path.read_bytes()
    return json.loads(json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]["sae_fast"])


def test_files_of_older_and_newer_formats(tmp_path):
    """Without scaling the file has the old format, with it one that older versions refuse."""
    X = np.random.default_rng(0).uniform(size=(50, 9))
    model().fit(X).save(tmp_path / "none")
    model(scale="minmax").fit(X).save(tmp_path / "minmax")
    about = header(tmp_path / "none")
    assert about["format"] == 1
    assert "scale" not in about
    assert header(tmp_path / "minmax")["format"] == 2
    # As files were before there was any scaling.
    del about["hyper_parameters"]["scale"]
    rewrite(tmp_path / "none", about)
    old = sf.load(tmp_path / "none")
    assert old.scale == "none"
    assert old.scaler_ is None


def rewrite(path, about, **changes):
    """The file with another header and other arrays, and the checksum that belongs to them."""
    tensors = {k: v for k, v in (safetensors.numpy.load_file(path) | changes).items() if v is not None}
    path.write_bytes(serialised(tensors, about))


DAMAGE = {
    "kind": (lambda a: a["scale"].update(kind="log"), {}, "must be 'minmax' or 'ufldl', got 'log'"),
    "no kind": (lambda a: a["scale"].pop("kind"), {}, "kind"),
    "range": (lambda a: a["scale"].update(low=0.9, high=0.1), {}, "low < high"),
    "NaN": (lambda a: a["scale"].update(low=float("nan")), {}, r"scale.low must be a number, in \[-1, 1\], got nan"),
    "limit": (
        lambda a: a["scale"].update(kind="ufldl", limit=-1.0),
        {},
        "limit must be a number, >= 0 and finite, got -1.0",
    ),
    "not a scale": (lambda a: a.update(scale=3), {}, "scale.kind must be 'minmax' or 'ufldl', got 3"),
    "forgotten": (lambda a: a.pop("scale"), {}, "scale"),
    "no array": (lambda a: None, {"scale_span": None}, "scale_span"),
    "short array": (lambda a: None, {"scale_span": np.ones(3)}, r"scale_span must have shape \(9\), got \(3,\)"),
    "negative": (lambda a: None, {"scale_span": -np.ones(9)}, r"scale_span must be in \[0, inf\], got -1 to -1"),
    "infinite": (lambda a: None, {"scale_minimum": np.full(9, np.inf)}, "scale_minimum must be finite, got infinity"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_a_damaged_scale_is_an_error(tmp_path, case):
    """A scale that is none, even with a right checksum, is an error and never a model without scaling."""
    path = tmp_path / "m"
    model(scale="minmax", max_iter=2).fit(correlated()).save(path)
    about = header(path)
    change, arrays, message = DAMAGE[case]
    change(about)
    rewrite(path, about, **arrays)
    for load in (sf.load, sf.Encoder.load):
        with pytest.raises(_model_file.ModelFileError, match=message):
            load(path)


def test_command_line(tmp_path, capsys):
    """Fit --scale writes the scaling model; transform and info know of it."""
    X = correlated()
    np.save(tmp_path / "X.npy", X)
    path = str(tmp_path / "m.safetensors")
    arguments = ["--scale=minmax", "--n-components=6", "--rho=0.2", "--max-iter=25", "--random-state=0", "--quiet"]
    assert main(["fit", str(tmp_path / "X.npy"), "-o", path, *arguments]) == 0
    assert "reach" not in capsys.readouterr().err
    assert main(["transform", path, str(tmp_path / "X.npy"), "-o", str(tmp_path / "codes.npy")]) == 0
    np.testing.assert_array_equal(np.load(tmp_path / "codes.npy"), model(scale="minmax").fit(X).transform(X))
    assert main(["info", path]) == 0
    assert "scale=minmax" in capsys.readouterr().out


def test_frames_and_wrong_values():
    """Frames keep their names; a wrong scale is named."""
    frame = pd.DataFrame(correlated(), columns=[f"x{i}" for i in range(9)])
    fitted = model(scale="minmax").fit(frame)
    assert list(fitted.feature_names_in_) == list(frame.columns)
    assert error(fitted.fold()(frame), fitted.transform(frame)) < 1e-12
    for wrong in ("zca", None, 3):
        with pytest.raises(ValueError, match=f"scale must be 'none', 'minmax' or 'ufldl', got {wrong!r}"):
            model(scale=wrong).fit(frame)
