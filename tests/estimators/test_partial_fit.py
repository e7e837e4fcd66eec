"""partial_fit: what goes on from call to call, what set_params changes, and what is left after a failure."""

from __future__ import annotations

import copy
import pickle
import signal

import numpy as np
import pytest
from sklearn.base import clone

import sae_fast as sf
from sae_fast import DataRangeWarning
from tests.helpers.estimators import patches
from tests.helpers.networks import DTYPES

SOLVERS = ("adam", "sgd")


def model(**options):
    defaults = {"n_components": 5, "rho": 0.2, "solver": "adam", "batch_size": 64, "random_state": 0}
    return sf.SparseAutoencoder(**defaults | options)


def assert_same(one, two):
    """Both are fitted alike: every attribute that says so is equal, to the bit."""
    for name in ("params_", "cost_", "rho_hat_", "loss_curve_", "loss_parts_", "n_iter_", "n_features_in_"):
        np.testing.assert_equal(getattr(one, name), getattr(two, name))


def state(fitted):
    return copy.deepcopy({k: v for k, v in vars(fitted).items() if k != "_trainer"})


def assert_state(fitted, before):
    now = state(fitted)
    assert now.keys() == before.keys()
    for name in now:
        if name != "scaler_":
            np.testing.assert_equal(now[name], before[name])


# What goes on


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("solver", SOLVERS)
def test_calls_are_the_epochs_of_one_training(solver, dtype):
    """Calls on the same samples are the epochs of one fit: parameters, moments and shuffling go on, to the bit."""
    X = patches(dtype=dtype)
    pieces = model(solver=solver, learning_rate=0.02)
    for _ in range(4):
        pieces.partial_fit(X)
    whole = model(solver=solver, learning_rate=0.02, max_iter=4).fit(X)
    assert_same(pieces, whole)


def adam(params, grads, rate):
    """Adam by the book, in NumPy, one gradient function of the parameters a step."""
    theta, m, v = params.copy(), 0.0, 0.0
    for t, grad in enumerate(grads, start=1):
        g = grad(theta)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        theta -= rate[t - 1] * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    return theta


def test_moments_and_new_parameters_are_those_of_adam_by_hand():
    """Four calls of one minibatch each, with settings that change in between, are four steps of Adam in NumPy."""
    X = patches(60)
    settings = [(0.1, 3.0, 1e-4), (0.3, 1.0, 1e-2), (0.3, 0.0, 1e-2), (0.05, 2.0, 0.0)]
    rates = [0.01, 0.05, 0.002, 0.03]
    fitted = model(batch_size=100, max_iter=1)
    for (rho, beta, decay), rate in zip(settings, rates, strict=True):
        fitted.set_params(rho=rho, beta=beta, weight_decay=decay, learning_rate=rate).partial_fit(X)
    start = sf.flatten(sf.init_params(12, 5, random_state=np.random.RandomState(0)))

    def gradient(rho, beta, decay):
        objective = sf.Objective(X, 5, rho=rho, beta=beta, weight_decay=decay)
        return lambda theta: np.array(objective(theta)[1])

    wanted = adam(start, [gradient(*s) for s in settings], rates)
    np.testing.assert_allclose(sf.flatten(fitted.params_), wanted, rtol=1e-7, atol=1e-9)


def test_parameters_of_earlier_calls_stay_as_they_were():
    """params_ are new arrays each time: what was taken out before, and copies of the model, do not move."""
    X = patches()
    fitted = model().partial_fit(X)
    params, twin = fitted.params_, copy.copy(fitted)
    kept = params.W1.copy()
    fitted.partial_fit(X)
    np.testing.assert_array_equal(params.W1, kept)
    np.testing.assert_array_equal(twin.components_, kept)
    assert not np.array_equal(fitted.components_, kept)


def test_parameters_put_in_by_hand_count():
    """The next call starts from params_ as they are now."""
    X = patches()
    fitted = model(learning_rate=1e-12).partial_fit(X)
    fitted.params_.b1[:] = 3.0
    np.testing.assert_allclose(fitted.partial_fit(X).params_.b1, 3.0)
    fitted.params_ = fitted.params_._replace(b2=np.full(12, -2.0))
    np.testing.assert_allclose(fitted.partial_fit(X).params_.b2, -2.0)


def test_a_pickle_goes_on_from_the_parameters():
    """A copy has the parameters and the curve, and an optimiser of its own."""
    X = patches()
    fitted = model().partial_fit(X)
    other = pickle.loads(pickle.dumps(fitted)).partial_fit(X)
    assert other.n_iter_ == 2
    assert other.loss_curve_[0] == fitted.loss_curve_[0]
    assert other.loss_curve_[1] < fitted.loss_curve_[0]


# What set_params changes


@pytest.mark.parametrize(
    ("solver", "name", "values"),
    [
        ("adam", "learning_rate", (0.03, 0.003)),
        ("sgd", "learning_rate", (0.1, 0.01)),
        ("sgd", "momentum", (0.0, 0.7)),
        ("sgd", "momentum", (0.7, 0.0)),
        ("adam", "rho", (0.1, 0.3)),
        ("adam", "beta", (3.0, 0.0)),
        ("adam", "weight_decay", (1e-4, 0.1)),
        ("adam", "batch_size", (64, 10)),
    ],
)
def test_what_is_set_between_two_calls_counts(solver, name, values):
    """The second call goes by the new value: neither as with the old one, nor as if nothing had been before."""
    X = patches()
    first, second = values
    fitted = model(solver=solver, **{name: first}).partial_fit(X)
    pickled = pickle.loads(pickle.dumps(fitted))
    changed = copy.copy(fitted)  # has no optimiser of its own
    unchanged = model(solver=solver, **{name: first}).partial_fit(X).partial_fit(X)
    fitted.set_params(**{name: second}).partial_fit(X)
    changed.set_params(**{name: second}).partial_fit(X)
    assert not np.array_equal(fitted.components_, unchanged.components_)
    if solver == "adam" or first:
        assert not np.array_equal(fitted.components_, changed.components_)
    again = model(solver=solver, **{name: first}).partial_fit(X).set_params(**{name: second}).partial_fit(X)
    assert_same(fitted, again)
    assert pickled.n_iter_ == 1


def test_threads_set_between_two_calls_change_no_bit():
    """n_threads counts, and the result does not depend on it."""
    X = patches(1000, 64)
    one, two = model(n_threads=1).partial_fit(X), model(n_threads=1).partial_fit(X)
    assert_same(one.partial_fit(X), two.set_params(n_threads=3).partial_fit(X))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("learning_rate", -1.0, "learning_rate must be > 0 and finite, got -1.0"),
        ("rho", 1.5, r"rho must be in \(0, 1\), got 1.5"),
        ("beta", np.inf, "beta must be >= 0 and finite, got inf"),
        ("weight_decay", -1e-3, "weight_decay must be >= 0 and finite, got -0.001"),
        ("batch_size", 0, "batch_size must be >= 1, got 0"),
        ("momentum", 1.0, r"momentum must be in \[0, 1\), got 1.0"),
        ("n_threads", 0, r"n_threads must be >= 1 \(and at most 4096\) or None, got 0"),
        ("n_components", 6, r"n_components must stay 5, with which the model was fitted, got 6: fit\(\) begins anew"),
        ("hidden", "tanh", "hidden must stay 'sigmoid', with which the model was fitted, got 'tanh'"),
        ("output", "linear", "output must stay 'sigmoid', with which the model was fitted, got 'linear'"),
        ("scale", "minmax", "scale must stay 'none', with which the model was fitted, got 'minmax'"),
        ("solver", "sgd", "solver must stay 'adam', with which the model was fitted, got 'sgd'"),
    ],
)
def test_wrong_parameters_between_two_calls_are_named(name, value, message):
    """A value that is wrong, or that cannot change any more, is an error that leaves the model as it was."""
    X = patches()
    fitted = model().partial_fit(X)
    old = getattr(fitted, name)
    with pytest.raises(ValueError, match=message):
        fitted.set_params(**{name: value}).partial_fit(X)
    fitted.set_params(**{name: old}).partial_fit(X)
    assert_same(fitted, model().partial_fit(X).partial_fit(X))


@pytest.mark.parametrize("hidden", ["sigmoid", "tanh"])
def test_a_fitted_network_keeps_its_units(hidden):
    """Units set after a fit are those of the next one: codes, scores and reports stay."""
    X = patches()
    fitted = model(hidden=hidden).partial_fit(X)
    codes, scores, report = fitted.transform(X), fitted.score_samples(X), str(fitted.unit_report(X))
    fitted.set_params(hidden="tanh" if hidden == "sigmoid" else "sigmoid", output="linear")
    np.testing.assert_array_equal(fitted.transform(X), codes)
    np.testing.assert_array_equal(fitted.score_samples(X), scores)
    assert str(fitted.unit_report(X)) == report


# fit and partial_fit


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("change", [{}, {"n_components": 3}, {"scale": "minmax"}, {"hidden": "tanh"}])
def test_fit_begins_anew_whatever_came_before(solver, change):
    """After fit, partial_fit gives what it gives on a model that never saw an earlier partial_fit, to the bit."""
    X, other = patches(), patches(200, 7)[:, :7]
    used = model(solver=solver, max_iter=5).partial_fit(X).partial_fit(X).set_params(**change)
    fresh = model(solver=solver, max_iter=5, **change)
    for fitted in (used, fresh):
        fitted.fit(other).partial_fit(other).partial_fit(0.9 * other)
    assert_same(used, fresh)


def test_partial_fit_goes_on_from_a_fit_by_another_solver():
    """What L-BFGS has found may be followed by minibatches."""
    X = patches()
    fitted = model(solver="lbfgs", max_iter=50, early_stopping=True).fit(X)
    reached = fitted.cost_.total
    fitted.set_params(solver="adam", learning_rate=1e-5).partial_fit(X)
    assert fitted.cost_.total == pytest.approx(reached, rel=1e-2)


def test_lbfgs_says_what_to_do():
    """Under L-BFGS there is no partial_fit, as scikit-learn wants it, and the error says which solvers have it."""
    assert not hasattr(model(solver="lbfgs"), "partial_fit")
    with pytest.raises(AttributeError, match="SparseAutoencoder has no partial_fit: choose solver='adam' or 'sgd'"):
        model(solver="lbfgs").partial_fit(patches())
    assert "minibatches" in sf.SparseAutoencoder.partial_fit.__doc__
    sf.SparseAutoencoder.partial_fit(model(), patches())


# Failures


@pytest.mark.filterwarnings("ignore::sae_fast.DataRangeWarning")
@pytest.mark.parametrize("scale", ["none", "minmax", "ufldl"])
@pytest.mark.parametrize("solver", SOLVERS)
def test_a_piece_that_diverges_leaves_the_model_as_it_was(solver, scale):
    """A diverging call is an error; the next one goes on as if it had never been, moments and shuffling too."""
    X = patches()
    options = {"solver": solver, "output": "linear", "scale": scale, "learning_rate": 0.01}
    fitted = model(**options).partial_fit(X).partial_fit(X)
    before = state(fitted)
    with pytest.raises(ValueError, match=r"fit diverged: .* not finite after 1 epoch .*the model is as it was before"):
        fitted.set_params(learning_rate=1e200).partial_fit(X)
    fitted.set_params(learning_rate=0.01)
    assert_state(fitted, before)
    fitted.partial_fit(X)
    assert_same(fitted, model(**options).partial_fit(X).partial_fit(X).partial_fit(X))


def test_a_first_piece_that_diverges_leaves_no_model():
    """A first call that fails leaves an estimator that is not fitted, and can be."""
    X = patches()
    fitted = model(output="linear", learning_rate=1e200)
    with pytest.raises(ValueError, match="fit diverged"):
        fitted.partial_fit(X)
    assert vars(fitted) == vars(clone(fitted))
    assert_same(fitted.set_params(learning_rate=0.01).partial_fit(X),
                model(output="linear", learning_rate=0.01).partial_fit(X))  # fmt: skip


def test_unfit_pieces_leave_the_model_as_it_was():
    """NaN, another width and wrong weights are errors after which training goes on as if they had not come."""
    X = patches()
    fitted = model().partial_fit(X)
    before = state(fitted)
    for piece, weight in ((X + np.nan, None), (X[:, :5], None), (X, -np.ones(len(X)))):
        with pytest.raises(ValueError, match=r"NaN|features|[Ss]ample"):
            fitted.partial_fit(piece, sample_weight=weight)
        assert_state(fitted, before)
    assert_same(fitted.partial_fit(X), model().partial_fit(X).partial_fit(X))


def test_ctrl_c_in_a_piece_leaves_the_model_as_it_was():
    """An interrupt in the middle of an epoch takes back the minibatches that were done."""
    X = np.tile(patches(), (400, 1))
    fitted = model(batch_size=1).partial_fit(X[:500])
    before = state(fitted)
    handlers = [(name, signal.getsignal(name)) for name in (signal.SIGALRM, signal.SIGINT)]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
    signal.setitimer(signal.ITIMER_REAL, 0.05)  # the piece takes ten times as long
    try:
        with pytest.raises(KeyboardInterrupt):
            fitted.partial_fit(X)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for name, handler in handlers:
            signal.signal(name, handler)
    assert_state(fitted, before)
    assert_same(fitted.partial_fit(X[:500]), model(batch_size=1).partial_fit(X[:500]).partial_fit(X[:500]))


# Data out of reach


@pytest.mark.parametrize(("scale", "what", "advice"), [
    ("none", "the data reach from 2.", "take scale='minmax', or output='linear'"),
    ("minmax", "the scaled data reach from", "let a UnitScaler see all of them .partial_fit. and put it before"),
])  # fmt: skip
def test_later_pieces_out_of_reach_are_warned_of(scale, what, advice, recwarn):
    """A later piece beyond what the output unit reaches gets the warning that the first piece would get."""
    X = patches()
    fitted = model(scale=scale).partial_fit(X)
    assert not recwarn.list
    with pytest.warns(DataRangeWarning, match=f"{what}.*{advice}") as caught:
        fitted.partial_fit(X + 2)
    assert caught[0].filename == __file__
    model(scale=scale, output="linear").partial_fit(X).partial_fit(X + 2)


def test_pieces_in_order_scale_alike_by_a_scaler_that_has_seen_them_all():
    """Sorted pieces go by the range of all of them when a UnitScaler has passed over them first."""
    X = np.sort(np.random.default_rng(3).normal(50, 30, (600, 4)), axis=0)
    pieces = np.array_split(X, 5)
    scaler, fitted = sf.UnitScaler(), model()
    for piece in pieces:
        scaler.partial_fit(piece)
    for piece in pieces:
        fitted.partial_fit(scaler.transform(piece))  # without a warning
    scaled = scaler.transform(X)
    assert (scaled.min(), scaled.max()) == (pytest.approx(0.1), pytest.approx(0.9))
