"""SparseAutoencoder as a scikit-learn transformer."""

from __future__ import annotations

import copy
import pickle
from functools import partial

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

import sae_fast as sf
from sae_fast import DataRangeWarning, UnitWarning
from tests.helpers.estimators import SOLVERS, model, not_equal_to_repetition, patches
from tests.helpers.networks import DTYPES


# The checks feed data of any range, whose warning has its own tests below.
@pytest.mark.filterwarnings("ignore::sae_fast.DataRangeWarning")
@pytest.mark.filterwarnings("ignore::sae_fast.UnitWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks(
    [
        sf.SparseAutoencoder(4, max_iter=20, random_state=0, solver=solver, hidden=hidden, output=output)
        for solver in SOLVERS
        for hidden, output in (("sigmoid", "sigmoid"), ("tanh", "linear"))
    ]
    + [
        sf.SparseAutoencoder(4, max_iter=50, random_state=0, solver=solver, early_stopping=early)
        for solver in SOLVERS
        for early in (False, True)
    ]
    + [
        sf.SparseAutoencoder(4, max_iter=20, random_state=0, solver=solver, **options)
        for solver in SOLVERS
        for options in (
            {"hidden": "relu", "output": "linear", "beta": 0, "l1": 0.01},
            {"hidden": "relu", "output": "relu", "beta": 0, "l1": 0.01, "loss": "absolute"},
            # Some checks have data about 100, which SGD answers with steps that saturate units: no beta there.
            {"hidden": "satlin", "output": "satlin", "rho": 0.3, "beta": 0.1 * (solver != "sgd"), "loss": "huber"},
        )
    ],
    expected_failed_checks=not_equal_to_repetition,
)
def test_estimator_contract(estimator, check):
    """Every check of scikit-learn passes for every solver."""
    check(estimator)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_dtype_is_kept(solver, dtype):
    """float32 stays float32, from parameters to codes; everything else becomes float64."""
    X = patches(dtype=dtype)
    fitted = model(solver=solver).fit(X)
    assert fitted.transform(X).dtype == dtype
    assert fitted.components_.dtype == dtype
    assert model().fit((X > 0.5).astype(int)).transform(X).dtype == np.float64


@pytest.mark.parametrize("solver", SOLVERS)
def test_fitting_lowers_the_cost_and_says_where_it_stands(solver):
    """The loss curve falls, and cost_ and rho_hat_ are those of the fitted parameters."""
    X = patches()
    fitted = model(solver=solver).fit(X)
    settings = {"rho": 0.2, "beta": 3.0, "weight_decay": 1e-4}
    assert fitted.loss_curve_[-1] < fitted.loss_curve_[0]
    assert len(fitted.loss_curve_) == fitted.n_iter_ == len(fitted.loss_parts_)
    np.testing.assert_allclose(fitted.loss_parts_.sum(axis=1), fitted.loss_curve_)
    assert fitted.cost_ == sf.cost(fitted.params_, X, **settings)
    np.testing.assert_allclose(fitted.rho_hat_, fitted.transform(X).mean(axis=0))


def test_lbfgs_matches_scipy_on_the_same_objective():
    """The core's L-BFGS reaches the quality of SciPy's from the same start."""
    from scipy.optimize import minimize

    X = patches(500, 16)
    settings = {"rho": 0.1, "beta": 3.0, "weight_decay": 1e-4}
    start = sf.init_params(16, 8, random_state=np.random.RandomState(0))
    theirs = minimize(sf.Objective(X, 8, **settings), sf.flatten(start), jac=True, method="L-BFGS-B",
                      options={"maxiter": 300, "maxcor": 20})  # fmt: skip
    ours = sf.SparseAutoencoder(8, **settings, max_iter=300, random_state=0, tol=0.0).fit(X)
    assert ours.cost_.total <= theirs.fun * 1.02


def test_codes_scores_and_reconstructions_fit_together():
    """Reconstruct is inverse_transform of transform, and the score is minus the reconstruction cost."""
    X = patches()
    fitted = model().fit(X)
    np.testing.assert_array_equal(fitted.reconstruct(X), fitted.inverse_transform(fitted.transform(X)))
    samples = -0.5 * ((fitted.reconstruct(X) - X) ** 2).sum(axis=1)
    np.testing.assert_allclose(fitted.score_samples(X), samples)
    assert fitted.score(X) == pytest.approx(-fitted.cost_.reconstruction)


@pytest.mark.parametrize("solver", SOLVERS)
def test_random_state_repeats_a_fit(solver):
    """The same seed gives the same bits, on any number of threads."""
    X = patches()
    one, two = (model(solver=solver, n_threads=n).fit(X) for n in (1, 3))
    np.testing.assert_array_equal(one.components_, two.components_)


def test_sample_weight_counts_as_repetition():
    """Integer weights give the fit of repeated rows."""
    X = patches(60)
    weight = np.random.default_rng(1).integers(0, 3, 60)
    weighted = model(max_iter=15).fit(X, sample_weight=weight)
    repeated = model(max_iter=15).fit(np.repeat(X, weight, axis=0))
    np.testing.assert_allclose(weighted.components_, repeated.components_, rtol=1e-6, atol=1e-8)
    assert weighted.cost_ == pytest.approx(repeated.cost_, rel=1e-9)
    with pytest.raises(ValueError, match="sample_weight"):
        model().fit(X, sample_weight=-np.ones(60))


def test_works_in_pipeline_grid_search_and_column_transformer():
    """The usual company: Pipeline, GridSearchCV, ColumnTransformer, clone, deepcopy, pickle."""
    X, y = patches(), (patches()[:, 0] > 0.5).astype(int)
    pipeline = make_pipeline(model(), LogisticRegression())
    search = GridSearchCV(pipeline, {"sparseautoencoder__n_components": [3, 6]}, cv=2).fit(X, y)
    assert search.score(X, y) > 0.8
    both = ColumnTransformer([("codes", model(), slice(0, 6)), ("rest", "passthrough", slice(6, 12))])
    assert both.fit_transform(X).shape == (300, 12)
    fitted = clone(model()).fit(X)
    for other in (copy.deepcopy(fitted), pickle.loads(pickle.dumps(fitted))):
        np.testing.assert_array_equal(other.transform(X), fitted.transform(X))


def test_data_frames_in_and_out():
    """Pandas and polars frames are taken, and given through set_output with named columns."""
    X = patches()
    names = [f"pixel{i}" for i in range(X.shape[1])]
    frame = pd.DataFrame(X, columns=names)
    fitted = model().fit(frame)
    assert list(fitted.feature_names_in_) == names
    assert list(fitted.get_feature_names_out()) == [f"sparseautoencoder{i}" for i in range(6)]
    codes = fitted.set_output(transform="pandas").transform(frame)
    assert isinstance(codes, pd.DataFrame)
    assert list(codes.columns) == list(fitted.get_feature_names_out())
    polars = model().set_output(transform="polars").fit(pl.DataFrame(frame.to_dict("list")))
    assert isinstance(polars.transform(pl.DataFrame(frame.to_dict("list"))), pl.DataFrame)
    with pytest.raises(ValueError, match="feature names"):
        fitted.transform(frame[names[::-1]])


def test_data_out_of_reach_are_warned_of():
    """Data beyond what the output unit can reach get a warning that says what to do."""
    with pytest.warns(DataRangeWarning, match="output='linear'"):
        model().fit(3 * patches())
    model(output="linear").fit(3 * patches())
    with pytest.warns(DataRangeWarning, match="tanh"):
        model(output="tanh").fit(3 * patches())


def test_dead_and_saturated_units_are_warned_of_and_listed():
    """unit_report names the units that carry nothing, and fit warns of them."""
    X = patches()
    fitted = model().fit(X)
    assert set(fitted.unit_report().status) == {"ok"}
    fitted.params_.b1[:] = 0
    fitted.params_.b1[0], fitted.params_.b1[1] = -60, 60
    broken = model(max_iter=1, beta=0.0, warm_start=True)
    broken.params_ = fitted.params_
    with pytest.warns(UnitWarning, match="1 are dead and 1 saturated"):
        broken.fit(X)
    report = broken.unit_report()
    assert report.status[:2].tolist() == ["dead", "saturated"]
    assert "1 dead, 1 saturated" in str(report)
    assert report.to_pandas().shape == (6, 7)


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"rho": 1.5}, ValueError, r"rho must be in \(0, 1\), got 1.5"),
        ({"beta": -1.0}, ValueError, "beta must be >= 0 and finite, got -1.0"),
        ({"weight_decay": np.nan}, ValueError, "weight_decay must be >= 0 and finite, got nan"),
        ({"n_components": 0}, ValueError, "n_components must be >= 1, got 0"),
        ({"n_components": 2.5}, TypeError, "n_components must be an integer, got 2.5"),
        ({"solver": "newton"}, ValueError, "solver must be 'lbfgs', 'adam' or 'sgd', got 'newton'"),
        ({"hidden": "swish"}, ValueError, "hidden must be 'sigmoid', .*, got 'swish'"),
        ({"output": None}, ValueError, "output must be 'sigmoid', .*, got None"),
        ({"max_iter": 0}, ValueError, "max_iter must be >= 1, got 0"),
        ({"validation_fraction": 1.0}, ValueError, r"validation_fraction must be in \(0, 1\), got 1.0"),
        ({"tol": -1.0}, ValueError, "tol must be >= 0 and finite, got -1.0"),
        ({"callback": 3}, TypeError, "callback must be callable or None, got 3"),
        ({"solver": "adam", "learning_rate": 0.0}, ValueError, "learning_rate must be > 0 and finite, got 0.0"),
    ],
    ids=str,
)
def test_wrong_parameters_are_named(options, kind, message):
    """Each wrong parameter is an error with its name, the value got and the value wanted."""
    with pytest.raises(kind, match=message):
        model(**options).fit(patches())


@pytest.mark.parametrize("make", [
    lambda: model(), lambda: model(scale="minmax"),
    lambda: sf.StackedAutoencoder((5, 4), max_iter=5, fine_tune_max_iter=3, random_state=0),
])  # fmt: skip
def test_weights_count_in_the_score(make):
    """Score is the weighted mean of score_samples."""
    X = patches()
    weight = np.random.default_rng(0).uniform(0, 5, len(X)) ** 3
    fitted = make().fit(X)
    samples = fitted.score_samples(X)
    score = fitted.score(X, sample_weight=weight)
    assert score == pytest.approx(np.dot(samples, weight) / weight.sum(), rel=1e-12)
    assert score != pytest.approx(samples.mean(), rel=1e-3)


FITTED = {
    "SparseAutoencoder": lambda: model(max_iter=3).fit(patches()),
    "StackedAutoencoder": lambda: sf.StackedAutoencoder((5, 4), max_iter=3, fine_tune=False).fit(patches()),
    "StackedAutoencoderClassifier": lambda: sf.StackedAutoencoderClassifier(
        (5,), max_iter=3, fine_tune=False).fit(patches(), np.arange(300) % 2),
    "UnitScaler": lambda: sf.UnitScaler().fit(patches()),
    "UFLDLScaler": lambda: sf.UFLDLScaler().fit(patches()),
    "PCAWhitener": lambda: sf.PCAWhitener().fit(patches()),
    "ZCAWhitener": lambda: sf.ZCAWhitener().fit(patches()),
    "ConvolvedFeatures": lambda: sf.ConvolvedFeatures(sf.init_params(4, 2, random_state=0), (1, 4)).fit(patches()),
}  # fmt: skip
METHODS = ("fit", "partial_fit", "transform", "inverse_transform", "reconstruct", "score_samples", "score", "predict",
           "predict_proba", "decision_function", "unit_report")  # fmt: skip


@pytest.mark.parametrize("name", FITTED)
def test_sparse_matrices_get_the_same_word(name):
    """Every method of every estimator names the sparse matrix by the caller's argument, and .toarray()."""
    fitted = FITTED[name]()
    if name == "SparseAutoencoder":
        fitted.set_params(solver="adam")
    matrices = scipy.sparse.csr_matrix(patches()), scipy.sparse.coo_array(patches())
    for method in (m for m in METHODS if hasattr(fitted, m)):
        for X in matrices:
            arguments = (X, np.arange(300) % 2) if name.endswith("Classifier") and method in ("fit", "score") else (X,)
            with pytest.raises(TypeError, match=r"(passed for X|X must be).*toarray\(\)"):
                getattr(fitted, method)(*arguments)


def test_functions_name_the_sparse_argument():
    """Functions on parameters say it of their own arguments."""
    params, X = sf.init_params(12, 4, random_state=0), scipy.sparse.csr_array(patches())
    settings = {"rho": 0.1, "beta": 1.0, "weight_decay": 0.0}
    for call in (sf.encode, partial(sf.cost, **settings), partial(sf.cost_and_grad, **settings), sf.train):
        with pytest.raises(TypeError, match=r"X must be a dense array, got a sparse csr_array: use X.toarray\(\)"):
            call(params, X)
    with pytest.raises(TypeError, match=r"a2 must be a dense array, got a sparse csr_array: use a2.toarray\(\)"):
        sf.decode(params, X)
    with pytest.raises(TypeError, match=r"X must be a dense array"):
        sf.ReviveUnits(X)


def test_codes_are_checked_by_the_name_of_the_argument():
    """inverse_transform speaks of X: its shape, NaN in it."""
    fitted = model(max_iter=3).fit(patches())
    with pytest.raises(ValueError, match=r"X must have shape \(n_samples, 6\), got \(300, 12\)"):
        fitted.inverse_transform(patches())
    with pytest.raises(ValueError, match="Input X contains NaN"):
        fitted.inverse_transform(np.full((2, 6), np.nan))
