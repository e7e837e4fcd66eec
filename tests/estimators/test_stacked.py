"""StackedAutoencoder: greedy training, codes of every layer, fine-tuning of encoder and decoder."""

from __future__ import annotations

import copy
import pickle
import signal

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

import sae_fast as sf
from sae_fast import DataRangeWarning, FitInterruptedWarning
from sae_fast.network._deep import deep_cost
from tests.helpers.estimators import SOLVERS, not_equal_to_repetition, patches, stack
from tests.helpers.networks import DTYPES, HIDDEN


def assert_same(one, two):
    for a, b in zip((*one.encoder_, *one.decoder_), (*two.encoder_, *two.decoder_), strict=True):
        np.testing.assert_array_equal(a.W, b.W)
        np.testing.assert_array_equal(a.b, b.b)


# The checks feed data of any range, whose warning has its own tests.
@pytest.mark.filterwarnings("ignore::sae_fast.DataRangeWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks(
    [
        sf.StackedAutoencoder(
            (4, 3), max_iter=10, fine_tune_max_iter=5, random_state=0, solver=s, fine_tune_solver=s, hidden=h, output=o
        )
        for s in SOLVERS
        for h, o in (("sigmoid", "sigmoid"), ("tanh", "linear"))
    ]
    + [
        sf.StackedAutoencoder((4, 3), max_iter=30, fine_tune_max_iter=50, random_state=0, solver=s, fine_tune_solver=s)
        for s in SOLVERS
    ]
    + [
        sf.StackedAutoencoder(
            (4, 3),
            max_iter=10,
            fine_tune_max_iter=5,
            random_state=0,
            beta=0,
            l1=(0.01, 0.001),
            output="linear",
            hidden=hidden,
            loss=loss,
        )
        for hidden, loss in (("relu", "huber"), ("satlin", "absolute"))
    ],
    expected_failed_checks=not_equal_to_repetition,
)
def test_estimator_contract(estimator, check):
    """Every check of scikit-learn passes for every solver."""
    check(estimator)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize(("hidden", "output"), [("sigmoid", "sigmoid"), ("tanh", "linear")])
def test_one_layer_is_a_sparse_autoencoder(solver, hidden, output):
    """A stack of one layer is SparseAutoencoder to the last bit."""
    X = patches()
    options = {"rho": 0.2, "solver": solver, "hidden": hidden, "output": output, "max_iter": 20, "random_state": 3}
    one = sf.SparseAutoencoder(5, **options).fit(X)
    same = sf.StackedAutoencoder(5, **options).fit(X)
    np.testing.assert_array_equal(same.encoder_[0].W, one.params_.W1)
    np.testing.assert_array_equal(same.decoder_[0].b, one.params_.b2)
    np.testing.assert_array_equal(same.transform(X), one.transform(X))
    np.testing.assert_array_equal(same.reconstruct(X), one.reconstruct(X))
    np.testing.assert_array_equal(same.loss_curves_[0], one.loss_curve_)
    np.testing.assert_allclose(same.rho_hat_[0], one.rho_hat_)
    assert same.cost_ == pytest.approx(one.cost_)
    assert same.score(X) == one.score(X)


@pytest.mark.parametrize("lower", HIDDEN)
@pytest.mark.parametrize("upper", HIDDEN)
def test_each_layer_learns_the_codes_of_the_one_below(lower, upper):
    """Greedy training is SparseAutoencoder after SparseAutoencoder, its output unit that of the codes."""
    X = patches()
    rng = np.random.RandomState(0)
    hidden = lower if lower == upper else (lower, upper)
    greedy = stack(hidden=hidden, output="linear", fine_tune=False, solver="lbfgs").fit(X)
    options = {"rho": 0.2, "max_iter": 30, "random_state": rng}
    first = sf.SparseAutoencoder(6, hidden=lower, output="linear", **options).fit(X)
    second = sf.SparseAutoencoder(4, hidden=upper, output=lower, **options).fit(first.transform(X))
    np.testing.assert_array_equal(greedy.transform(X, layer=0), first.transform(X))
    np.testing.assert_array_equal(greedy.transform(X), second.transform(first.transform(X)))
    np.testing.assert_array_equal(greedy.decoder_[0].W, second.params_.W2)
    np.testing.assert_array_equal(greedy.decoder_[1].W, first.params_.W2)
    assert greedy.units_ == (lower, upper)
    assert greedy.output_units_ == (lower, "linear")


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_fine_tuning_lowers_the_cost_of_the_whole_network(solver, dtype):
    """Fine-tuning improves J and the reconstruction, in the dtype of the data; what was before stays within reach."""
    X = patches(dtype=dtype)
    rate = {"lbfgs": None, "adam": 0.02, "sgd": 0.005}[solver]
    tuned = stack(fine_tune_solver=solver, fine_tune_learning_rate=rate, fine_tune_max_iter=30, batch_size=50).fit(X)
    before = tuned.before_fine_tuning()
    assert_same(before, stack(fine_tune=False).fit(X))
    assert tuned.cost_.total < before.cost_.total
    assert tuned.score(X) > before.score(X)
    assert tuned.fine_tune_loss_curve_[-1] < tuned.fine_tune_loss_curve_[0]
    assert tuned.n_iter_ == sum(map(len, tuned.loss_curves_)) + len(tuned.fine_tune_loss_curve_)
    assert {a.dtype for layer in (*tuned.encoder_, *tuned.decoder_) for a in layer} == {np.dtype(dtype)}
    assert tuned.transform(X).dtype == dtype


def test_cost_and_mean_activations_are_those_of_the_model():
    """cost_ and rho_hat_ follow from the layers, the data and the weights of the samples."""
    X = patches()
    weight = np.random.default_rng(1).uniform(0, 2, len(X))
    fitted = stack(hidden=("tanh", "sigmoid"), rho=(0.3, 0.2), beta=(2.0, 1.0), weight_decay=(1e-3, 1e-2)).fit(
        X, sample_weight=weight
    )
    codes = fitted.transform(X, layer=0), fitted.transform(X)
    means = [np.average((codes[0] + 1) / 2, axis=0, weights=weight), np.average(codes[1], axis=0, weights=weight)]
    for got, wanted in zip(fitted.rho_hat_, means, strict=True):
        np.testing.assert_allclose(got, wanted)
    error, decay, sparsity = fitted.cost_[1:]
    assert error == pytest.approx(-fitted.score(X, sample_weight=weight))
    squares = [np.sum(layer.W**2) for layer in (*fitted.encoder_, *fitted.decoder_)]
    assert decay == pytest.approx(0.5 * np.dot([1e-3, 1e-2, 1e-2, 1e-3], squares))
    penalty = [np.sum(r * np.log(r / m) + (1 - r) * np.log((1 - r) / (1 - m))) for r, m in zip((0.3, 0.2), means)]
    assert sparsity == pytest.approx(2.0 * penalty[0] + penalty[1])
    assert fitted.cost_.total == pytest.approx(error + decay + sparsity)


def test_parameters_by_layer_reach_their_layer():
    """One value per layer is that layer's own; one value for all says the same for each."""
    X = patches()
    options = {"rho": 0.1, "beta": 2.0, "weight_decay": 1e-3, "hidden": "sigmoid", "solver": "lbfgs", "max_iter": 9}
    each = {name: [value, value] for name, value in options.items()}
    assert_same(stack(**options).fit(X), stack(**each).fit(X))
    fitted = stack(solver=("lbfgs", "adam"), max_iter=(7, 5), hidden=("sigmoid", "tanh"), tol=0.0).fit(X)
    assert [len(curve) for curve in fitted.loss_curves_] == [7, 5]
    assert fitted.units_ == ("sigmoid", "tanh")
    assert fitted.transform(X).min() < 0
    sparse, dense = stack(rho=(0.3, 0.05), max_iter=80, fine_tune=False).fit(X).rho_hat_
    np.testing.assert_allclose([sparse.mean(), dense.mean()], [0.3, 0.05], atol=0.03)


def test_codes_reconstructions_and_names_of_each_layer():
    """Codes and reconstructions go to and from any layer, with names of their own."""
    X = patches()
    fitted = stack((6, 5, 4)).fit(X)
    for layer, size in enumerate((6, 5, 4)):
        codes = fitted.transform(X, layer=layer)
        assert codes.shape == (300, size)
        assert fitted.inverse_transform(codes, layer=layer).shape == X.shape
        assert len(fitted.get_feature_names_out(layer=layer)) == size
    np.testing.assert_array_equal(fitted.transform(X), codes)
    np.testing.assert_array_equal(fitted.transform(X[5:6]), codes[5:6])
    np.testing.assert_array_equal(fitted.inverse_transform(codes), fitted.reconstruct(X))
    np.testing.assert_allclose(fitted.score_samples(X), -0.5 * ((fitted.reconstruct(X) - X) ** 2).sum(axis=1))
    assert list(fitted.get_feature_names_out())[:2] == ["stackedautoencoder0", "stackedautoencoder1"]
    assert list(fitted.get_feature_names_out(layer=1))[:1] == ["stackedautoencoder_layer1_0"]
    for wrong in (3, -1):
        with pytest.raises(ValueError, match=f"layer must be >= 0 and < 3, the number of hidden layers.*got {wrong}"):
            fitted.transform(X, layer=wrong)
    with pytest.raises(TypeError, match="layer must be an integer or None, got 'top'"):
        fitted.transform(X, layer="top")
    with pytest.raises(ValueError, match=r"X must have shape \(n_samples, 4\), got \(300, 12\)"):
        fitted.inverse_transform(X)


def test_data_frames_out_for_each_layer():
    """set_output gives frames with the names of the layer that was asked for."""
    frame = pd.DataFrame(patches(), columns=[f"pixel{i}" for i in range(12)])
    fitted = stack().set_output(transform="pandas")
    assert list(fitted.fit_transform(frame).columns) == [f"stackedautoencoder{i}" for i in range(4)]
    low = fitted.transform(frame, layer=0)
    assert list(low.columns) == [f"stackedautoencoder_layer0_{i}" for i in range(6)]
    np.testing.assert_array_equal(low.index, frame.index)
    with pytest.raises(ValueError, match="feature names"):
        fitted.transform(frame[frame.columns[::-1]])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("solver", SOLVERS)
def test_random_state_repeats_a_fit(solver, dtype):
    """The same seed gives the same bits, on any number of threads, in a fit large enough to be shared by 8."""
    X = np.random.default_rng(0).uniform(0.1, 0.9, (1000, 64)).astype(dtype)
    options = {"solver": solver, "fine_tune_solver": solver, "max_iter": 3, "fine_tune_max_iter": 3}
    one, *others = (stack((64, 48), **options, batch_size=700, n_threads=n).fit(X) for n in (1, 2, 3, 8))
    assert one.encoder_[0].W.dtype == dtype
    for other in others:
        assert_same(one, other)


def test_sample_weight_counts_as_repetition():
    """Integer weights give the fit of repeated rows."""
    X = patches(60)
    weight = np.random.default_rng(1).integers(0, 3, 60)
    weighted = stack(max_iter=8, fine_tune_max_iter=4).fit(X, sample_weight=weight)
    repeated = stack(max_iter=8, fine_tune_max_iter=4).fit(np.repeat(X, weight, axis=0))
    np.testing.assert_allclose(weighted.components_, repeated.components_, rtol=1e-6, atol=1e-8)
    assert weighted.cost_ == pytest.approx(repeated.cost_, rel=1e-8)
    with pytest.raises(ValueError, match="sample_weight"):
        stack().fit(X, sample_weight=-np.ones(60))


def test_works_in_pipeline_and_grid_search():
    """The usual company: Pipeline, GridSearchCV, clone, deepcopy, pickle."""
    X, y = patches(), (patches()[:, 0] > 0.5).astype(int)
    pipeline = make_pipeline(stack(), LogisticRegression())
    search = GridSearchCV(pipeline, {"stackedautoencoder__hidden_layer_sizes": [(6, 4), 5]}, cv=2).fit(X, y)
    assert search.score(X, y) > 0.8
    fitted = clone(stack()).fit(X)
    for other in (copy.deepcopy(fitted), pickle.loads(pickle.dumps(fitted))):
        np.testing.assert_array_equal(other.transform(X), fitted.transform(X))


def test_callback_sees_every_stage_and_may_end_it(capsys):
    """The callback gets each stage by name with its live parameters; a true result ends that stage alone."""
    seen = []

    def look(info):
        seen.append(info)
        return info.epoch == 3

    fitted = stack(callback=look, verbose=1).fit(patches())
    stages = ["layer 1 of 2", "layer 2 of 2", "fine-tuning"]
    assert [(i.stage, i.epoch) for i in seen] == [(stage, epoch) for stage in stages for epoch in (1, 2, 3)]
    assert fitted.n_iter_ == 9
    np.testing.assert_array_equal(seen[-1].params[0].W, fitted.components_)
    assert seen[-1].cost.total == fitted.fine_tune_loss_curve_[-1]
    err = capsys.readouterr().err
    for stage in stages:
        assert f"{stage}, iteration 1/" in err


@pytest.mark.parametrize(
    ("stage", "n_layers", "message"),
    [
        ("layer 1 of 2", 1, "1 of 2 layers are trained and kept, and not fine-tuned"),
        ("layer 2 of 2", 2, "2 of 2 layers are trained and kept, and not fine-tuned"),
        ("fine-tuning", 2, "interrupted in fine-tuning after 4 of 10 iterations; the best parameters so far are kept"),
    ],
)
def test_ctrl_c_keeps_what_there_is(stage, n_layers, message):
    """A real interrupt ends the fit with the layers so far at their best, and a warning that says so."""

    def interrupt(info):
        if info.stage == stage and info.epoch == 4:
            signal.raise_signal(signal.SIGINT)

    with pytest.warns(FitInterruptedWarning) as caught:
        fitted = stack(callback=interrupt).fit(patches())
    assert any(message in str(w.message) for w in caught)
    assert {w.filename for w in caught} == {__file__}
    assert len(fitted.encoder_) == len(fitted.decoder_) == len(fitted.rho_hat_) == n_layers
    assert len(fitted.fine_tune_loss_curve_) == (4 if stage == "fine-tuning" else 0)
    assert fitted.reconstruct(patches()).shape == (300, 12)
    assert len(fitted.get_feature_names_out()) == (6, 4)[n_layers - 1]


def test_data_out_of_reach_are_warned_of():
    """Data beyond what the output unit can reach get the warning of SparseAutoencoder."""
    with pytest.warns(DataRangeWarning, match="put a scaler before it in a pipeline, or output='linear'"):
        stack().fit(3 * patches())
    stack(output="linear").fit(3 * patches())


def test_fine_tuning_cost_is_that_of_the_deep_network():
    """The last cost of L-BFGS is the cost of the whole network with the penalties of the encoder's layers alone."""
    X = patches()
    fitted = stack(fine_tune_weight_decay=(1e-3, 2e-3)).fit(X)
    wanted = deep_cost(
        (*fitted.encoder_, *fitted.decoder_), X, units=["sigmoid"] * 4, rho=[0.2, 0.2, 0.5], beta=[3.0, 3.0, 0.0],
        weight_decay=[1e-3, 2e-3, 2e-3, 1e-3],
    )  # fmt: skip
    assert fitted.fine_tune_loss_curve_[-1] == pytest.approx(wanted.total, rel=1e-10)
    assert fitted.cost_ == pytest.approx(wanted, rel=1e-10)


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"sizes": ()}, ValueError, r"hidden_layer_sizes must have at least one layer, got \(\)"),
        ({"sizes": (4, 0)}, ValueError, "hidden_layer_sizes must be >= 1, got 0"),
        ({"sizes": (4, 2.5)}, TypeError, "hidden_layer_sizes must be an integer, got 2.5"),
        ({"sizes": "200"}, TypeError, "hidden_layer_sizes must be an integer or a sequence of integers, got '200'"),
        ({"sizes": np.array(4.5)}, TypeError, "hidden_layer_sizes must be an integer, got array"),
        ({"sizes": {4, 3}}, TypeError, "hidden_layer_sizes must be an integer or a sequence of integers, got {"),
        ({"rho": (0.1, 0.2, 0.3)}, ValueError, r"rho must be one value, or one for each layer \(2\), got 3 values"),
        ({"rho": (0.1, 1.5)}, ValueError, r"rho must be in \(0, 1\), got 1.5"),
        ({"beta": [1.0]}, ValueError, r"beta must be one value, or one for each layer \(2\), got 1 value"),
        ({"weight_decay": -1.0}, ValueError, "weight_decay must be >= 0 and finite, got -1.0"),
        ({"max_iter": (10, 0)}, ValueError, "max_iter must be >= 1, got 0"),
        ({"solver": ("lbfgs", "newton")}, ValueError, "solver must be 'lbfgs', 'adam' or 'sgd', got 'newton'"),
        ({"solver": [["adam"], "sgd"]}, ValueError, r"solver must be 'lbfgs', 'adam' or 'sgd', got \['adam'\]"),
        ({"hidden": ("tanh", "swish")}, ValueError, "hidden must be 'sigmoid', .*, got 'swish'"),
        ({"output": ("linear",)}, ValueError, r"output must be one value, or one for each layer \(2\)"),
        ({"output": None}, ValueError, "output must be 'sigmoid', .*, got None"),
        ({"hidden": "tanh", "output": ("linear", "sigmoid")}, ValueError, "output of layer 2 must be 'tanh' or"),
        ({"fine_tune_solver": "newton"}, ValueError, "fine_tune_solver must be 'lbfgs', 'adam' or 'sgd'"),
        ({"fine_tune_max_iter": 0}, ValueError, "fine_tune_max_iter must be >= 1, got 0"),
        ({"fine_tune_learning_rate": 0.0}, ValueError, "fine_tune_learning_rate must be > 0 and finite, got 0.0"),
        ({"fine_tune_weight_decay": (1.0, 1.0, 1.0)}, ValueError, r"fine_tune_weight_decay must be one value, or one"),
        ({"fine_tune_weight_decay": -1.0}, ValueError, "fine_tune_weight_decay must be >= 0 and finite, got -1.0"),
        ({"learning_rate": -0.5}, ValueError, "learning_rate must be > 0 and finite, got -0.5"),
        ({"batch_size": 0}, ValueError, "batch_size must be >= 1, got 0"),
        ({"momentum": 1.0}, ValueError, r"momentum must be in \[0, 1\), got 1.0"),
        ({"tol": -1.0}, ValueError, "tol must be >= 0 and finite, got -1.0"),
        ({"callback": 3}, TypeError, "callback must be callable or None, got 3"),
    ],
    ids=str,
)
def test_wrong_parameters_are_named(options, kind, message):
    """Each wrong parameter is an error with its name, the value got and the value wanted."""
    with pytest.raises(kind, match=message):
        stack(**options).fit(patches())


def test_before_fine_tuning_counts_no_fine_tuning():
    """The copy from before has no curve of fine-tuning, and only the iterations that led to it."""
    tuned = stack(fine_tune_max_iter=3).fit(patches())
    before = tuned.before_fine_tuning()
    assert len(tuned.fine_tune_loss_curve_) > 0
    assert len(before.fine_tune_loss_curve_) == 0
    assert before.n_iter_ == sum(map(len, before.loss_curves_)) == tuned.n_iter_ - len(tuned.fine_tune_loss_curve_)


def test_wrong_weights_of_a_score_are_named():
    """A score refuses weights as fit does, and takes one number for all."""
    X = patches()
    for model in (stack((4, 3), fine_tune=False).fit(X), sf.SparseAutoencoder(4, max_iter=3, random_state=0).fit(X)):
        assert model.score(X, sample_weight=2.0) == pytest.approx(model.score(X), rel=1e-14)
        for weight in (-np.ones(len(X)), np.zeros(len(X)), np.full(len(X), np.nan), np.ones(3)):
            with pytest.raises(ValueError, match=r"sample_weight|[Ss]ample weights"):
                model.score(X, sample_weight=weight)


@pytest.mark.filterwarnings("ignore::sae_fast.DataRangeWarning")
@pytest.mark.parametrize("kind", [sf.SparseAutoencoder, sf.StackedAutoencoder])
def test_a_diverging_fit_is_an_error(kind):
    """A fit whose parameters become NaN says so instead of giving a model of NaN."""
    X = patches().astype(np.float32) * np.float32(1e38)
    with pytest.raises(ValueError, match=r"fit diverged.*parameters are not finite.*smaller learning_rate"):
        kind(4, solver="adam", max_iter=3, random_state=0).fit(X)


@pytest.mark.filterwarnings("ignore::sae_fast.DataRangeWarning")
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_a_fit_that_ends_with_an_infinite_cost_is_an_error(solver):
    """Parameters that are still finite, of a cost that is not, are no model either."""
    with pytest.raises(ValueError, match=r"fit diverged: J is not finite after \d.*scale the data"):
        sf.SparseAutoencoder(4, output="linear", solver=solver, max_iter=3, random_state=0).fit(1e200 * patches())
