"""Revival of dead units: a start that does not raise the cost, from which training gets further."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

import sae_fast as sf
from sae_fast import UnitWarning
from sae_fast.inspection._new_units import Network, set_up
from sae_fast.inspection._revive import RevivalWarning
from sae_fast.network._checks import seed_from
from tests.helpers.estimators import model, patches
from tests.helpers.networks import DTYPES, HIDDEN, OUTPUT


def injured(n_idle=3, X=None, **options):
    """A fitted model of which the first units are dead, one of them saturated; J and the rest measured anew."""
    X = patches(dtype=options.pop("dtype", np.float64)) if X is None else X
    fitted = model(**options).fit(X)
    fitted.params_.b1[:n_idle] = -60
    fitted.params_.b1[0] = 60
    fitted.cost_ = sf.cost(fitted.params_, X, **settings(fitted))
    return fitted, X


def settings(fitted):
    return {k: getattr(fitted, k) for k in ("rho", "beta", "weight_decay", "hidden", "output")}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("output", OUTPUT)
@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("beta", [0.0, 3.0])
def test_new_units_start_at_rho_and_do_not_raise_the_cost(hidden, output, beta, dtype):
    """Right after revival every unit is alive, the new ones have mean activation rho, and J is no higher."""
    dead, X = injured(hidden=hidden, output=output, beta=beta, dtype=dtype)
    revived = sf.revive_units(dead, X, random_state=0)
    report = revived.unit_report(X)
    assert (dead.unit_report(X).n_dead, dead.unit_report(X).n_saturated) == (2, 1)
    assert set(report.status) == {"ok"}
    np.testing.assert_allclose(report.rho_hat[:3], 0.2, rtol=1e-6 if dtype == np.float64 else 1e-4)
    assert revived.cost_ == sf.cost(revived.params_, X, **settings(revived))
    assert revived.cost_.total <= dead.cost_.total
    assert revived.cost_.reconstruction < dead.cost_.reconstruction
    np.testing.assert_array_equal(revived.params_.W1[3:], dead.params_.W1[3:])
    np.testing.assert_array_equal(revived.params_.W2[:, 3:], dead.params_.W2[:, 3:])
    assert revived.params_.W1.dtype == dtype


def test_revival_reaches_a_lower_cost_than_going_on():
    """On pixels that nobody scaled most units saturate; revival and a fit halve the J of a fit that just goes on."""
    X = load_digits().data[:600]
    options = {"n_components": 32, "output": "linear", "beta": 0.0, "max_iter": 60, "warm_start": True}
    with pytest.warns(UnitWarning, match="saturated"):
        start = sf.SparseAutoencoder(**options, random_state=0).fit(X)
    went_on = sf.SparseAutoencoder(**options)
    went_on.params_ = start.params_
    with pytest.warns(UnitWarning, match="saturated"):
        went_on.fit(X)
    revived = sf.revive_units(start, X, random_state=0)
    assert revived.cost_.total < start.cost_.total
    revived.fit(X)
    assert revived.cost_.total < 0.6 * went_on.cost_.total


@pytest.mark.filterwarnings("ignore::sae_fast.UnitWarning")
def test_rounds_end_when_all_units_live():
    """Rounds of revival and fit go on until no unit is idle, and never end higher than they began."""
    X = load_digits().data[:400]
    start = sf.SparseAutoencoder(24, output="linear", beta=0.0, max_iter=30, random_state=0).fit(X)
    assert start.unit_report().n_saturated > 0
    done = sf.revive_units(start, X, n_rounds=8, random_state=0)
    assert set(done.unit_report().status) == {"ok"}
    assert done.cost_.total < start.cost_.total
    assert done.warm_start


def test_same_seed_same_bits_on_any_number_of_threads():
    """A random_state repeats the revival, whatever the number of threads; another one draws other samples."""
    X = patches(5000)  # more rows than new units are drawn up on
    dead, _ = injured(X=X, max_iter=10)
    one, two = (sf.revive_units(dead.set_params(n_threads=n), X, random_state=1) for n in (1, 3))
    for a, b in zip(one.params_, two.params_, strict=True):
        np.testing.assert_array_equal(a, b)
    assert np.any(sf.revive_units(dead, X, random_state=2).components_ != one.components_)


def test_the_model_itself_stays_as_it_was():
    """Revival gives a copy; where all units are alive, one with the same parameters."""
    dead, X = injured()
    before = [a.copy() for a in dead.params_]
    assert sf.revive_units(dead, X, random_state=0) is not dead
    for a, b in zip(dead.params_, before, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not dead.warm_start
    alive = model().fit(X)
    for a, b in zip(sf.revive_units(alive, X).params_, alive.params_, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("output", OUTPUT)
def test_nothing_to_learn_and_nobody_alive(output):
    """Constant data, a single sample, no living unit: finite parameters, units at rho, no higher J."""
    for X in (np.full((50, 4), 0.5), patches(1, 4), patches(60, 4)):
        dead = model(n_components=2, max_iter=1, output=output).fit(np.vstack([X, X]))
        dead.params_.b1[:] = 80
        revived = sf.revive_units(dead, X, random_state=0)
        assert all(np.all(np.isfinite(a)) for a in revived.params_)
        np.testing.assert_allclose(revived.rho_hat_, 0.2, rtol=1e-6)
        assert revived.cost_.total <= sf.cost(dead.params_, X, **settings(dead)).total


def test_too_dear_a_start_is_not_taken():
    """Where weight decay makes any new row raise J, nothing is changed, and a warning says so."""
    dead, X = injured(beta=0.0)
    dead.params_.W1[:3] = 0
    dead.params_.W2[:, :3] = 0
    dead.set_params(weight_decay=1e4)
    with pytest.warns(RevivalWarning, match="3 units are dead or saturated and stay so"):
        same = sf.revive_units(dead, X, random_state=0)
    np.testing.assert_array_equal(same.params_.W1, dead.params_.W1)


def test_shortened_columns_take_as_little_of_the_bias():
    """Near saturated outputs full columns would raise J: a part of them is taken, and that part of the bias."""
    dead, X = injured(beta=0.0, weight_decay=0.0, output="tanh")
    dead.params_.b1[:3] = -60
    dead.params_.b2[:] = 3
    network = Network(*(getattr(dead, name) for name in Network._fields))
    rng = np.random.default_rng(seed_from(0))
    full = set_up(dead.params_, X, np.arange(3), network, rng)[1]
    revived = sf.revive_units(dead, X, random_state=0).params_
    share = np.linalg.norm(revived.W2[:, :3]) / np.linalg.norm(full.W2[:, :3])
    assert 0 < share < 1
    np.testing.assert_allclose(revived.W2[:, :3], share * full.W2[:, :3], rtol=1e-12)
    np.testing.assert_allclose(revived.b2 - 3, share * (full.b2 - 3), rtol=1e-9)


@pytest.mark.parametrize("scale", ["minmax", "ufldl"])
def test_models_that_scale(scale):
    """A model with a scale of its own revives on the data as they are: units at rho, J no higher, better rebuilt."""
    X = 50 * patches() - 7
    dead = model(scale=scale).fit(X)
    dead.params_.b1[:2] = -60
    revived = sf.revive_units(dead, X, random_state=0)
    np.testing.assert_allclose(revived.unit_report(X).rho_hat[:2], 0.2, rtol=1e-6)
    assert revived.cost_.total < sf.cost(dead.params_, dead.scaler_.transform(X), **settings(dead)).total
    assert revived.score(X) > dead.score(X)


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_callback_revives_during_training(solver):
    """As a callback it changes the parameters that the training goes on with, in train() and in the estimator."""
    X = patches(500)
    start = sf.init_params(12, 6, random_state=0)
    start.b1[:3] = -60
    options = {"rho": 0.2, "beta": 0.0, "weight_decay": 1e-4}
    revive = sf.ReviveUnits(X, **options, every=5, random_state=0)
    learning_rate = 0.01 if solver == "adam" else 0.1
    training = {"solver": solver, "learning_rate": learning_rate, "n_epochs": 40, "random_state": 0}
    without, _ = sf.train(start, X, **training, **options)
    params, _ = sf.train(start, X, **training, **options, callback=revive)
    assert revive.n_revived == 3
    assert sf.cost(params, X, **options).total < 0.9 * sf.cost(without, X, **options).total
    fitted = model(solver=solver, max_iter=1, warm_start=True, **options)
    fitted.params_ = start
    revive = sf.ReviveUnits(X, **options, every=1, random_state=0)
    fitted.set_params(max_iter=2, callback=revive).fit(X)
    assert revive.n_revived == 3
    assert set(fitted.unit_report().status) == {"ok"}


def test_callback_leaves_the_last_epoch_alone():
    """What a training ends with has been trained: an epoch that is due and the last one revives nobody."""
    X = patches(100)
    start = sf.init_params(12, 6, random_state=0)
    start.b1[:3] = -60
    options = {"rho": 0.2, "beta": 0.0, "weight_decay": 1e-4}
    revive = sf.ReviveUnits(X, **options, every=4, random_state=0)
    plain, _ = sf.train(start, X, n_epochs=4, random_state=0, **options)
    params, _ = sf.train(start, X, n_epochs=4, random_state=0, **options, callback=revive)
    assert revive.n_revived == 0
    for a, b in zip(params, plain, strict=True):
        np.testing.assert_array_equal(a, b)
    sf.train(start, X, n_epochs=5, random_state=0, **options, callback=revive)
    assert revive.n_revived == 3


def test_callback_refuses_lbfgs():
    """L-BFGS does not stand a change of its parameters: the callback says what to do instead."""
    X = patches()
    with pytest.raises(ValueError, match=r"for solvers 'adam' and 'sgd'.*revive_units"):
        model(callback=sf.ReviveUnits(X)).fit(X)


def test_wrong_arguments_are_named():
    """Each wrong argument is an error that names it."""
    dead, X = injured()
    with pytest.raises(ValueError, match="not fitted"):
        sf.revive_units(sf.SparseAutoencoder(), X)
    with pytest.raises(ValueError, match="features"):
        sf.revive_units(dead, X[:, :5])
    with pytest.raises(ValueError, match="NaN"):
        sf.revive_units(dead, np.full((3, 12), np.nan))
    with pytest.raises(ValueError, match="n_rounds must be >= 1, got 0"):
        sf.revive_units(dead, X, n_rounds=0)
    with pytest.raises(TypeError, match="random_state"):
        sf.revive_units(dead, X, random_state="x")
    for wrong, message in (({"every": 0}, "every"), ({"rho": 2.0}, "rho"), ({"hidden": "swish"}, "hidden")):
        with pytest.raises(ValueError, match=message):
            sf.ReviveUnits(X, **wrong)
    with pytest.raises(ValueError, match="X must have"):
        sf.ReviveUnits(np.zeros(3))
    linear = sf.SparseAutoencoder(4, output="linear", max_iter=5, random_state=0).fit(X)
    linear.params_.b1[0] = -100
    linear.params_.W2[:] = 1e300
    with pytest.raises(ValueError, match="must be finite to revive units"):
        sf.revive_units(linear, X)
    with pytest.raises(ValueError, match="output must stay 'linear', with which the model was fitted, got 'sigmoid'"):
        sf.revive_units(linear.set_params(output="sigmoid"), X)
