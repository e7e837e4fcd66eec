"""Estimators of all units and losses on handwritten digits: what they learn, what they start from, what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import xlogy
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.preprocessing import StandardScaler

import sae_fast as sf
from sae_fast import DataRangeWarning, UnitWarning
from sae_fast.estimators._layer_training import Samples
from sae_fast.estimators._start import start_of
from sae_fast.network._data import Data
from tests.helpers.networks import DTYPES

# Which units die is the matter of some tests alone.
pytestmark = pytest.mark.filterwarnings("ignore::sae_fast.UnitWarning")

X, Y = load_digits(return_X_y=True)
X = X / 16
# Units, penalties and loss.
NETWORKS = {
    "relu": {"hidden": "relu", "output": "relu", "beta": 0, "l1": 0.01},
    "relu linear absolute": {"hidden": "relu", "output": "linear", "beta": 0, "l1": 0.003, "loss": "absolute"},
    "relu cross-entropy": {"hidden": "relu", "beta": 0, "l1": 0.01, "loss": "cross_entropy"},
    "satlin": {"hidden": "satlin", "output": "satlin", "beta": 0.1, "rho": 0.1},
    "satlin both": {"hidden": "satlin", "output": "linear", "beta": 0.1, "rho": 0.1, "l1": 0.01, "loss": "huber"},
    "sigmoid cross-entropy": {"beta": 0.1, "rho": 0.1, "loss": "cross_entropy"},
    "sigmoid absolute": {"beta": 0.1, "rho": 0.1, "loss": "absolute", "output": "satlin"},
    "tanh huber": {"hidden": "tanh", "output": "linear", "beta": 0.1, "rho": 0.3, "l1": 0.001, "loss": "huber"},
}
SETTINGS = ("rho", "beta", "weight_decay", "l1", "hidden", "output", "loss")


def digits(n=64, **options):
    return sf.SparseAutoencoder(n, **{"random_state": 0, "max_iter": 60} | options)


def settings_of(model):
    return {name: getattr(model, name) for name in SETTINGS}


@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
@pytest.mark.parametrize("name", NETWORKS)
def test_fits_go_down_to_codes_that_tell_digits_apart(name, solver):
    """J, less the least that the loss can be, is halved; cost_ is that of the functions; the codes are of use."""
    model = digits(solver=solver, **NETWORKS[name]).fit(X)
    start = start_of(Samples(Data(X)), 64, model._units, np.random.RandomState(0))
    least = 0.0
    if model.loss == "cross_entropy":  # the entropy of the samples
        least = -(xlogy(X, X) + xlogy(1 - X, 1 - X)).sum() / len(X)
    assert model.cost_.total - least < 0.5 * (sf.cost(start, X, **settings_of(model)).total - least)
    assert model.cost_ == sf.cost(model.params_, X, **settings_of(model))
    J, _ = sf.Objective(X, 64, **settings_of(model))(sf.flatten(model.params_))
    assert pytest.approx(model.cost_.total, rel=1e-12) == J
    codes = StandardScaler().fit_transform(model.transform(X))
    assert cross_val_score(LogisticRegression(max_iter=300), codes, Y, cv=3).mean() > 0.88


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NETWORKS)
def test_what_is_measured_is_what_the_units_do(name, dtype):
    """Means and ranges of the units, in cost_ and the report, are those of their codes; tanh mapped to [0, 1]."""
    data = X[:500].astype(dtype)
    model = digits(12, **NETWORKS[name]).fit(data)
    codes = model.transform(data).astype(np.float64)
    if model.hidden == "tanh":
        codes = (codes + 1) / 2
    report = model.unit_report()
    tolerance = 1e-5 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(model.rho_hat_, codes.mean(axis=0), rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(report.lowest, codes.min(axis=0), rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(report.highest, codes.max(axis=0), rtol=tolerance, atol=tolerance)


def test_l1_makes_codes_sparse():
    """More of the codes of relu units is 0 by a larger l1, and less of the samples is reconstructed."""
    fits = [digits(hidden="relu", output="relu", beta=0, l1=l1, max_iter=100).fit(X) for l1 in (0, 0.01, 0.1)]
    zeros = [float(np.mean(fit.transform(X) == 0)) for fit in fits]
    errors = [fit.cost_.reconstruction for fit in fits]
    assert zeros[0] < zeros[1] < zeros[2]
    assert zeros[2] > 0.4
    assert errors[0] < errors[1] < errors[2]


# The start


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("output", ["sigmoid", "linear", "relu", "satlin"])
@pytest.mark.parametrize("hidden", ["relu", "satlin"])
def test_few_units_with_kinks_die(hidden, output, seed):
    """After 100 iterations of L-BFGS, without a penalty, at most two of 64 units are off for all digits."""
    model = digits(hidden=hidden, output=output, beta=0, max_iter=100, random_state=seed).fit(X)
    assert model.unit_report().n_dead <= 2


@pytest.mark.parametrize("scale", ["none", "minmax", "ufldl"])
@pytest.mark.parametrize(("hidden", "middle"), [("relu", 0.0), ("satlin", 0.5)])
def test_units_with_kinks_start_in_the_middle_of_the_data(hidden, middle, scale):
    """At the start the weighted mean of what the network sees is where units are neither off nor saturated."""
    weight = np.linspace(0, 2, len(X))
    starts = []
    model = sf.SparseAutoencoder(
        64, hidden=hidden, output="linear", beta=0, scale=scale, solver="adam", learning_rate=1e-12, max_iter=1
    )
    data = 100 * X + 7 if scale != "none" else X
    model.set_params(callback=lambda info: starts.append(info.params)).fit(data, sample_weight=weight)
    seen = np.average(model._scaled(data), axis=0, weights=weight)
    np.testing.assert_allclose(starts[0].W1 @ seen + starts[0].b1, middle, atol=1e-9)
    z2 = model._scaled(data) @ starts[0].W1.T + starts[0].b1
    on = (z2 > 0) & (z2 < 1 if hidden == "satlin" else True)
    assert np.all(on.mean(axis=0) > 0.1)
    assert on.mean() > 0.4


@pytest.mark.parametrize("output", ["sigmoid", "tanh", "linear", "relu", "satlin"])
def test_the_first_reconstruction_of_relu_units_is_near_the_mean(output):
    """What the network gives for the mean sample is the mean, cut to what the output reaches with some slope."""
    start = start_of(Samples(Data(X)), 64, ("relu", output), np.random.RandomState(0))
    mean = X.mean(axis=0, keepdims=True)
    given = sf.forward(start, mean, hidden="relu", output=output).a3
    low, high = {"sigmoid": (0.01, 0.99), "satlin": (0.01, 0.99), "tanh": (-0.98, 0.98)}.get(output, (0, np.inf))
    np.testing.assert_allclose(given, np.clip(mean, low, high), atol=1e-12)


@pytest.mark.parametrize(("hidden", "output"), [("sigmoid", "sigmoid"), ("tanh", "linear")])
def test_units_without_kinks_start_as_ever(hidden, output):
    """Their start is that of init_params to the last bit."""
    start = start_of(Samples(Data(X)), 9, (hidden, output), np.random.RandomState(3))
    for a, b in zip(start, sf.init_params(64, 9, random_state=np.random.RandomState(3)), strict=True):
        np.testing.assert_array_equal(a, b)


# Scores


def by_hand(loss, a, x):
    """The loss of each sample, as a textbook has it."""
    e = a - x
    if loss == "cross_entropy":
        return -(x * np.log(a) + (1 - x) * np.log(1 - a)).sum(axis=1)
    each = {"squared": e**2 / 2, "absolute": abs(e), "huber": np.where(abs(e) <= 1, e**2 / 2, abs(e) - 0.5)}
    return each[loss].sum(axis=1)


@pytest.mark.parametrize("scale", ["none", "minmax", "ufldl"])
@pytest.mark.parametrize("loss", ["squared", "absolute", "huber", "cross_entropy"])
def test_scores_are_those_of_the_loss(loss, scale):
    """Each sample's score is minus its loss, scaled data counted, and without a cut their mean is that part of J."""
    data = 3 * X[:300] + 1 if scale != "none" else X[:300]
    model = digits(16, rho=0.2, beta=0.1, loss=loss, scale=scale, max_iter=30).fit(data)
    x = model._target(data, cut=loss == "cross_entropy")
    a = model._output(data)
    np.testing.assert_allclose(model.score_samples(data), -by_hand(loss, a, x), rtol=1e-9)
    if scale != "ufldl" or loss == "cross_entropy":
        assert model.score(data) == pytest.approx(-model.cost_.reconstruction, rel=1e-9)
    before = model.score(data)
    other = {"squared": "absolute"}.get(loss, "squared")
    assert model.set_params(loss=other).score(data) == before  # the loss of the fit, until the next one


def test_cross_entropy_of_saturated_outputs_is_scored_exactly():
    """Where a reconstruction rounds to 1 the score is that of its logit."""
    model = digits(4, loss="cross_entropy", beta=0, max_iter=2).fit(X[:50])
    model.params_.W2[:], model.params_.b2[:] = 0, 50
    sample = np.full((1, 64), 0.25)
    assert model.score(sample) == pytest.approx(-64 * 0.75 * 50, rel=1e-12)


@pytest.mark.parametrize("loss", ["absolute", "huber", "cross_entropy"])
def test_stacks_are_scored_by_their_loss(loss):
    """A stack's score is minus the loss of its reconstruction, which is that part of J."""
    model = sf.StackedAutoencoder((16, 8), rho=0.2, beta=0.1, loss=loss, max_iter=20, fine_tune_max_iter=10,
                                  random_state=0).fit(X[:300])  # fmt: skip
    assert model.score(X[:300]) == pytest.approx(-model.cost_.loss, rel=1e-9)
    np.testing.assert_allclose(
        model.score_samples(X[:300]), -by_hand(loss, model.reconstruct(X[:300]), X[:300]), rtol=1e-9
    )


# Stacks


@pytest.mark.parametrize("hidden", ["relu", "satlin", ("relu", "satlin"), ("sigmoid", "relu")])
def test_stacks_of_units_with_kinks(hidden):
    """Greedy training and fine-tuning go down, with l1 by layer, to codes that a linear classifier reads."""
    model = sf.StackedAutoencoder(
        (48, 32), hidden=hidden, output="linear", beta=0, l1=(0.01, 0.001), max_iter=60, fine_tune_max_iter=40,
        random_state=0,
    ).fit(X)  # fmt: skip
    assert all(curve[-1] < curve[0] for curve in model.loss_curves_)
    assert model.cost_.total < model.before_fine_tuning().cost_.total
    units = (hidden,) * 2 if isinstance(hidden, str) else hidden
    layers, shown = (*model.encoder_, *model.decoder_), (*units, units[0], "linear")
    found = sf.network._deep.deep_cost(layers, X, units=shown, weight_decay=1e-4, l1=(0.01, 0.001, 0))
    assert found.total == pytest.approx(model.cost_.total, rel=1e-12)
    for k, unit in enumerate(units):
        means = model.transform(X, layer=k).mean(axis=0)
        np.testing.assert_allclose(model.rho_hat_[k], means, rtol=1e-9, atol=1e-12, err_msg=unit)
    assert cross_val_score(LogisticRegression(max_iter=300), model.transform(X), Y, cv=3).mean() > 0.85


@pytest.mark.parametrize("hidden", ["relu", "satlin"])
def test_classifiers_of_units_with_kinks(hidden):
    """Pretraining with l1 and another loss, and fine-tuning by labels without them."""
    model = sf.StackedAutoencoderClassifier(
        (48, 32), hidden=hidden, beta=0, l1=0.003, loss="absolute", max_iter=40, fine_tune_max_iter=40, random_state=0
    ).fit(X[:1200], Y[:1200])
    assert model.cost_.sparsity == 0
    assert model.score(X[1200:], Y[1200:]) > 0.85


# Refusals


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden": "relu"}, r"beta must be 0 for hidden='relu', whose mean activation has no upper bound; take l1="),
        ({"loss": "cross_entropy", "output": "linear"}, "output must be 'sigmoid' with loss='cross_entropy'"),
        ({"loss": "softmax"}, "loss must be 'squared', 'absolute', 'huber' or 'cross_entropy', got 'softmax'"),
        ({"loss": None}, "loss must be .*, got None"),
        ({"hidden": "linear"}, "hidden must be 'sigmoid', 'tanh', 'relu' or 'satlin', got 'linear'"),
        ({"l1": -1.0}, "l1 must be >= 0 and finite, got -1.0"),
    ],
)
@pytest.mark.parametrize("kind", [sf.SparseAutoencoder, sf.StackedAutoencoder, sf.StackedAutoencoderClassifier])
def test_what_does_not_go_together_is_refused(kind, options, message):
    """The error names argument, value and what is wanted, before anything is trained."""
    with pytest.raises(ValueError, match=message):
        kind(4, **options).fit(X, Y)


def test_cross_entropy_refuses_data_that_it_has_no_value_of():
    """In fit, partial_fit and score, of what the network sees; a scale makes them fit."""
    model = digits(4, loss="cross_entropy", solver="adam", max_iter=2)
    with pytest.raises(ValueError, match=r"X must be in \[0, 1\] for loss='cross_entropy', got 2"):
        model.fit(2 * X)
    assert not hasattr(model, "params_")
    model.partial_fit(X)
    with pytest.raises(ValueError, match=r"X must be in \[0, 1\] for loss='cross_entropy', got -1"):
        model.partial_fit(-X)
    with pytest.raises(ValueError, match=r"X must be in \[0, 1\] for loss='cross_entropy', got 2"):
        model.score(2 * X)
    scaled = digits(4, loss="cross_entropy", scale="minmax", max_iter=2).fit(200 * X)
    assert np.isfinite(scaled.score(200 * X))
    with pytest.raises(ValueError, match=r"X, scaled, must be in \[0, 1\]"):
        scaled.set_params(solver="adam").partial_fit(1000 * X)


def test_units_at_a_bound_make_j_infinite():
    """A satlin unit that never fires has an infinite penalty: the error says what to do, and the model stays."""
    model = digits(16, hidden="satlin", rho=0.1, beta=0.1, warm_start=True).fit(X)
    was = [a.copy() for a in model.params_]
    model.params_.b1[3] = was[1][3] = -100
    with pytest.raises(ValueError, match=r"J is infinite .* at a bound, 0 or 1, for all samples.* l1 instead of beta"):
        model.fit(X)
    for a, b in zip(model.params_, was, strict=True):
        np.testing.assert_array_equal(a, b)
    model.set_params(beta=0, l1=0.01).fit(X)
    assert np.isfinite(model.cost_.total)


def test_minibatches_of_few_samples_do_not_end_a_fit_of_satlin_units():
    """Units that are off for the three samples of the last minibatch make the curve infinite there, and no more."""
    model = digits(
        16, hidden="satlin", rho=0.1, beta=0.1, solver="adam", batch_size=256, max_iter=30, learning_rate=0.01
    )
    model.fit(X[:771])
    assert np.isinf(model.loss_curve_).any()
    assert model.n_iter_ == 30
    assert np.isfinite(model.cost_.total)
    assert model.cost_.reconstruction < model.loss_parts_[0, 0] / 2


# Reports and warnings


def test_report_of_relu_units():
    """A relu unit that is 0 for all samples is dead, a large one is fine; there is no wanted mean activation."""
    model = digits(8, hidden="relu", output="linear", beta=0, max_iter=30).fit(X)
    model.params_.b1[2] = -100
    model.params_.b1[5] = 100
    report = model.unit_report(X)
    assert report.status.tolist() == ["ok"] * 2 + ["dead"] + ["ok"] * 5
    assert report.highest[5] > 50
    assert np.isnan(report.rho)
    assert str(report).endswith("1 dead, 0 saturated, 0 near another one")
    with pytest.warns(UnitWarning, match="of 8 hidden units 1 are dead and 0 saturated"):
        model.set_params(warm_start=True, max_iter=1).fit(X)


def test_report_of_satlin_units():
    """Satlin units are judged as sigmoid ones: dead at 0, saturated at 1."""
    model = digits(8, hidden="satlin", output="linear", rho=0.2, beta=0.1, max_iter=30).fit(X)
    model.params_.b1[2] = -100
    model.params_.b1[5] = 100
    report = model.unit_report(X)
    assert report.status[[2, 5]].tolist() == ["dead", "saturated"]
    assert report.n_dead == report.n_saturated == 1
    assert report.rho == 0.2


@pytest.mark.parametrize(
    ("output", "data", "reach"),
    [("relu", X - 0.5, "none below 0"), ("satlin", 2 * X, "only from 0 to 1")],
)
def test_data_out_of_reach(output, data, reach):
    """Outputs with bounds warn of data beyond them, in fit and partial_fit."""
    model = digits(4, output=output, beta=0, solver="adam", max_iter=2)
    message = f"data reach from .* a {output} output unit {reach}"
    with pytest.warns(DataRangeWarning, match=message):
        model.fit(data)
    with pytest.warns(DataRangeWarning, match=message):
        model.partial_fit(data)


# Ways of fitting


def test_early_stopping_judges_by_the_loss():
    """The validation curve is J of the loss on the samples that were held out."""
    options = {"hidden": "relu", "output": "relu", "beta": 0, "l1": 0.01, "loss": "huber", "weight_decay": 0}
    model = digits(16, early_stopping=True, max_iter=20, **options).fit(X)
    rng = np.random.RandomState(0)
    start_of(Samples(Data(X)), 16, ("relu", "relu"), rng)
    rng.randint(2**31 - 1)
    held = np.sort(rng.permutation(len(X))[: round(0.1 * len(X))])
    J = sf.cost(model.params_, X[held], **settings_of(model)).total
    assert pytest.approx(model.validation_curve_.min(), rel=1e-12) == J


def test_partial_fit_takes_loss_and_l1_as_they_change():
    """Both may change between calls, as penalties may; hidden and output may not."""
    model = digits(16, hidden="relu", output="relu", beta=0, solver="adam", l1=0.1)
    model.partial_fit(X)
    assert model.cost_.sparsity > 0
    model.set_params(l1=0.0, loss="absolute").partial_fit(X)
    assert model.cost_.sparsity == 0
    assert model.cost_ == sf.cost(model.params_, X, **settings_of(model))
    with pytest.raises(ValueError, match="hidden must stay 'relu'"):
        model.set_params(hidden="satlin").partial_fit(X)


def test_adam_does_what_train_does():
    """Epochs of the estimator are those of train, from the same start and order, to the last bit."""
    options = {"hidden": "relu", "output": "relu", "beta": 0.0, "l1": 0.01, "loss": "huber", "weight_decay": 1e-4}
    model = digits(16, solver="adam", max_iter=3, batch_size=100, **options).fit(X)
    rng = np.random.RandomState(0)
    start = start_of(Samples(Data(X)), 16, ("relu", "relu"), rng)
    seed = int(rng.randint(2**31 - 1))
    params, history = sf.train(start, X, n_epochs=3, batch_size=100, random_state=seed, **options)
    for a, b in zip(params, model.params_, strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(history.cost, model.loss_curve_)


def test_warm_start_goes_on_from_the_parameters():
    """A warm start takes the parameters of the fit before, not the start of units with kinks."""
    model = digits(16, hidden="relu", output="relu", beta=0, l1=0.01, warm_start=True, max_iter=30).fit(X)
    J = model.cost_.total
    assert model.fit(X).loss_curve_[0] <= J


def test_classes_weigh_in_the_cost_and_not_in_the_means():
    """With class_weight the mean activations are still those of the samples."""
    model = sf.StackedAutoencoderClassifier(
        (12, 8), class_weight={0: 50.0}, max_iter=10, fine_tune_max_iter=5, random_state=0
    ).fit(X, Y)
    for k, rho_hat in enumerate(model.rho_hat_):
        np.testing.assert_allclose(rho_hat, model.transform(X, layer=k).mean(axis=0), rtol=1e-9)


@pytest.mark.parametrize("kind", [sf.SparseAutoencoder, sf.StackedAutoencoder])
def test_files_keep_loss_and_l1(kind, tmp_path):
    """A model that was saved and read has the parameters, codes and scores that it had."""
    model = kind(8, hidden="relu", output="relu", beta=0, l1=0.01, loss="huber", max_iter=10, random_state=0).fit(X)
    model.save(tmp_path / "m.safetensors")
    again = sf.load(tmp_path / "m.safetensors")
    assert again.get_params() == model.get_params()
    np.testing.assert_array_equal(again.transform(X), model.transform(X))
    assert again.score(X) == model.score(X)
