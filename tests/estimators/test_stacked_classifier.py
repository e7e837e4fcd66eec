"""StackedAutoencoderClassifier: layers, head and supervised fine-tuning."""

from __future__ import annotations

import pickle
import signal

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.estimator_checks import parametrize_with_checks

import sae_fast as sf
from sae_fast import FitInterruptedWarning
from tests.helpers.estimators import SOLVERS, assert_held_back, not_equal_to_repetition
from tests.helpers.networks import DTYPES


@pytest.fixture(scope="module", name="digits")
def _digits():
    """Small digits in [0, 1], and their labels: 400 to fit, 400 to test."""
    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(X))
    train, test = order[:400], order[400:800]
    return X[train] / 16, y[train], X[test] / 16, y[test]


def classifier(sizes=(16, 12), **options):
    return sf.StackedAutoencoderClassifier(
        sizes, **{"max_iter": 40, "fine_tune_max_iter": 30, "fine_tune_solver": "lbfgs", "random_state": 0} | options
    )


# The checks feed data of any range, whose warning has its own tests.
@pytest.mark.filterwarnings("ignore::sae_fast.DataRangeWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks(
    [
        sf.StackedAutoencoderClassifier(
            (5, 4), max_iter=8, head_max_iter=15, fine_tune_max_iter=n, learning_rate=0.02,
            fine_tune_learning_rate=0.02, batch_size=1000, random_state=0, solver=s, fine_tune_solver=s, hidden=h,
            output=o,
        )
        for s, n in (("lbfgs", 10), ("adam", 50), ("sgd", 50))
        for h, o in (("sigmoid", "sigmoid"), ("tanh", "linear"))
    ]
    + [  # the checks have 15 samples of 3 classes: a tenth cannot hold them all
        sf.StackedAutoencoderClassifier(
            (5, 4), max_iter=30, head_max_iter=30, fine_tune_max_iter=50, learning_rate=0.02,
            fine_tune_learning_rate=0.02, batch_size=1000, random_state=0, solver=s, fine_tune_solver=s,
            early_stopping=early, validation_fraction=0.4, class_weight=weight,
        )
        for s, early, weight in (("lbfgs", False, None), ("lbfgs", True, None), ("adam", True, "balanced"))
    ],
    expected_failed_checks=not_equal_to_repetition,
)  # fmt: skip
def test_estimator_contract(estimator, check):
    """Every check of scikit-learn passes for every solver."""
    check(estimator)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("solver", "rate"), [("lbfgs", None), ("adam", 0.01), ("sgd", 0.3)])
def test_fine_tuning_improves_on_new_digits(digits, solver, rate, dtype):
    """Accuracy on digits not seen rises by fine-tuning, and what was before stays within reach."""
    X, y, X_test, y_test = digits
    tuned = classifier(fine_tune_solver=solver, fine_tune_learning_rate=rate, batch_size=50).fit(X.astype(dtype), y)
    before = tuned.before_fine_tuning()
    greedy = classifier(fine_tune=False).fit(X.astype(dtype), y)
    np.testing.assert_array_equal(before.predict_proba(X_test), greedy.predict_proba(X_test))
    assert tuned.score(X_test, y_test) > max(0.88, before.score(X_test, y_test))
    assert tuned.cost_.total < before.cost_.total
    assert tuned.fine_tune_loss_curve_[-1] < tuned.fine_tune_loss_curve_[0]
    assert len(greedy.fine_tune_loss_curve_) == 0
    assert {a.dtype for layer in (*tuned.encoder_, tuned.head_) for a in layer} == {np.dtype(dtype)}


def test_greedy_layers_are_those_of_the_autoencoder(digits):
    """Without fine-tuning the codes are those of StackedAutoencoder, layer by layer."""
    X, y, *_ = digits
    greedy = classifier(fine_tune=False).fit(X, y)
    unsupervised = sf.StackedAutoencoder((16, 12), rho=0.1, max_iter=40, fine_tune=False, random_state=0).fit(X)
    for layer in (0, 1, None):
        np.testing.assert_array_equal(greedy.transform(X, layer=layer), unsupervised.transform(X, layer=layer))


@pytest.mark.parametrize("n_classes", [2, 10])
def test_head_is_multinomial_logistic_regression(digits, n_classes):
    """The head before fine-tuning is scikit-learn's multinomial LogisticRegression on the codes."""
    X, y, *_ = digits
    X, y = X[y < n_classes], y[y < n_classes]
    weight = np.random.default_rng(0).uniform(0.5, 1.5, len(X))
    decay = 1e-3
    fitted = classifier(fine_tune=False, head_weight_decay=decay, head_max_iter=1000, tol=0.0)
    probabilities = fitted.fit(X, y, sample_weight=weight).predict_proba(X)
    # Two classes have one weight vector there, the difference of the two here: half the penalty.
    C = (2 if n_classes == 2 else 1) / (decay * weight.sum())
    theirs = LogisticRegression(C=C, tol=1e-10, max_iter=5000).fit(fitted.transform(X), y, sample_weight=weight)
    np.testing.assert_allclose(probabilities, theirs.predict_proba(fitted.transform(X)), atol=1e-5)


def test_weight_decay_counts_for_every_layer(digits):
    """cost_ and the fine-tuning curve are softmax loss with the decay of every layer, one value or one per layer."""
    X, y, *_ = digits
    weight = np.random.default_rng(0).uniform(0.5, 1.5, len(X))
    fitted = classifier(fine_tune_weight_decay=(1e-3, 2e-3, 3e-3)).fit(X, y, sample_weight=weight)
    loss = -np.average(fitted.predict_log_proba(X)[np.arange(len(X)), y], weights=weight)
    squares = [np.sum(layer.W**2) for layer in (*fitted.encoder_, fitted.head_)]
    assert fitted.cost_.loss == pytest.approx(loss)
    assert fitted.cost_.weight_decay == pytest.approx(0.5 * np.dot([1e-3, 2e-3, 3e-3], squares))
    assert fitted.cost_.sparsity == 0.0
    assert fitted.fine_tune_loss_curve_[-1] == pytest.approx(fitted.cost_.total, rel=1e-9)
    light, heavy = (classifier(fine_tune_weight_decay=d).fit(X, y) for d in (1e-5, 1e-2))
    assert np.sum(heavy.components_**2) < 0.5 * np.sum(light.components_**2)


def test_probabilities_and_labels_fit_together(digits):
    """The label is the likeliest class; probabilities sum to 1; logarithms are finite where they underflow."""
    X, y, X_test, _ = digits
    names = np.array([f"digit {d}" for d in range(10)])
    fitted = classifier().fit(X, names[y])
    assert list(fitted.classes_) == list(names)
    probabilities = fitted.predict_proba(X_test)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)
    np.testing.assert_array_equal(fitted.predict(X_test), names[np.argmax(probabilities, axis=1)])
    np.testing.assert_allclose(fitted.predict_log_proba(X_test), np.log(probabilities))
    assert fitted.score(X, names[y]) > 0.95
    fitted.head_ = fitted.head_._replace(W=fitted.head_.W * 1e4)
    assert fitted.predict_proba(X_test).min() == 0.0
    assert np.all(np.isfinite(fitted.predict_log_proba(X_test)))


@pytest.mark.parametrize("labels", [np.array([-3.0, 7.0, 11.0]), np.array([False, True, True]), ["c", "a", "b"]])
def test_labels_of_any_kind(digits, labels):
    """Numbers, truth values and strings come back as they were given."""
    X, y, *_ = digits
    given = np.asarray(labels)[y % 3]
    fitted = classifier((12,), fine_tune_max_iter=60).fit(X, given)
    assert fitted.predict(X).dtype == given.dtype
    assert np.mean(fitted.predict(X) == given) > 0.9
    frame = pd.DataFrame(X, columns=[f"pixel{i}" for i in range(64)])
    again = classifier((12,), fine_tune_max_iter=60).fit(frame, pd.Series(given))
    np.testing.assert_array_equal(again.predict(frame), fitted.predict(X))


def test_single_class_is_an_error(digits):
    """Labels of one class, of the wrong length or continuous ones are refused with the reason."""
    X, y, *_ = digits
    with pytest.raises(ValueError, match="y must have at least two classes, got one class: 3"):
        classifier().fit(X, np.full(len(X), 3))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        classifier().fit(X, y[:-1])
    with pytest.raises(ValueError, match="Unknown label type"):
        classifier().fit(X, X[:, 20] + 0.123)


def test_sample_weight_counts_as_repetition(digits):
    """Integer weights give the fit of repeated rows."""
    X, y = digits[0][:80], digits[1][:80]
    weight = np.random.default_rng(1).integers(0, 3, 80)
    options = {"max_iter": 8, "head_max_iter": 8, "fine_tune_max_iter": 4}
    weighted = classifier(**options).fit(X, y, sample_weight=weight)
    repeated = classifier(**options).fit(np.repeat(X, weight, axis=0), np.repeat(y, weight))
    np.testing.assert_allclose(weighted.head_.W, repeated.head_.W, rtol=1e-6, atol=1e-8)
    assert weighted.cost_ == pytest.approx(repeated.cost_, rel=1e-8)


@pytest.mark.parametrize(("solver", "rate"), [("lbfgs", None), ("adam", 0.02)])
def test_early_stopping_keeps_the_best_parameters(digits, solver, rate):
    """With a validation part, fine-tuning ends with the parameters whose loss was lowest on it."""
    X, y, *_ = digits
    kept = []
    fitted = classifier(
        early_stopping=True, n_iter_no_change=3, tol=1e-3, fine_tune_max_iter=300, fine_tune_solver=solver,
        fine_tune_learning_rate=rate, fine_tune_weight_decay=0.0,
        callback=lambda i: kept.append(i.params[0].W.copy()) if i.stage == "fine-tuning" else None,
    ).fit(X, y)  # fmt: skip
    best = int(np.argmin(fitted.validation_curve_))
    assert len(kept) == len(fitted.validation_curve_) < 300
    np.testing.assert_array_equal(fitted.components_, kept[best])
    with pytest.raises(ValueError, match="early_stopping needs two samples of each class, got 1 of 1"):
        classifier(early_stopping=True).fit(X[:30], np.arange(30) // 29)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("solver", SOLVERS)
def test_random_state_repeats_a_fit(digits, solver, dtype):
    """The same seed gives the same bits, on any number of threads, in a fit large enough to be shared by 8."""
    X, y = np.tile(digits[0], (3, 1)).astype(dtype), np.tile(digits[1], 3)
    options = {"solver": solver, "fine_tune_solver": solver, "early_stopping": True, "batch_size": 700}
    options |= {"max_iter": 3, "head_max_iter": 3, "fine_tune_max_iter": 3}
    one, *others = (classifier((64, 48), **options, n_threads=n).fit(X, y) for n in (1, 2, 3, 8))
    assert one.head_.W.dtype == dtype
    for other in others:
        for a, b in zip((*other.encoder_, other.head_), (*one.encoder_, one.head_), strict=True):
            np.testing.assert_array_equal(a.W, b.W)
            np.testing.assert_array_equal(a.b, b.b)


def test_works_in_pipeline_and_grid_search(digits):
    """The usual company: Pipeline, GridSearchCV, clone, pickle."""
    X, y, *_ = digits
    pipeline = make_pipeline(MinMaxScaler((0.1, 0.9)), classifier((12,), max_iter=10))
    search = GridSearchCV(pipeline, {"stackedautoencoderclassifier__fine_tune": [False, True]}, cv=2).fit(X, y)
    assert search.best_params_ == {"stackedautoencoderclassifier__fine_tune": True}
    fitted = clone(classifier()).fit(X, y)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).predict_proba(X), fitted.predict_proba(X))


def test_callback_and_progress_name_the_stages(digits, capsys):
    """Callback and progress tell which stage runs: layers, head, fine-tuning."""
    X, y, *_ = digits
    stages = []
    options = {"max_iter": 3, "head_max_iter": 3, "fine_tune_max_iter": 3, "verbose": 1}
    classifier(**options, callback=lambda i: stages.append(i.stage)).fit(X, y)
    assert list(dict.fromkeys(stages)) == ["layer 1 of 2", "layer 2 of 2", "head", "fine-tuning"]
    err = capsys.readouterr().err
    assert "head, iteration 3/3: J " in err
    assert "fine-tuning, iteration 3/3: J " in err
    assert "nan" not in err


@pytest.mark.parametrize(
    ("stage", "n_layers", "message"),
    [
        ("layer 1 of 2", 1, "1 of 2 layers are trained and kept"),
        ("head", 2, "interrupted in head after 4 of 100 iterations"),
        ("fine-tuning", 2, "interrupted in fine-tuning after 4 of 30 iterations"),
    ],
)
def test_ctrl_c_keeps_what_there_is(digits, stage, n_layers, message):
    """A real interrupt leaves a classifier of what is trained so far, and a warning that says so."""
    X, y, *_ = digits

    def interrupt(info):
        if info.stage == stage and info.epoch == 4:
            signal.raise_signal(signal.SIGINT)

    with pytest.warns(FitInterruptedWarning) as caught:
        fitted = classifier(callback=interrupt).fit(X, y)
    assert any(message in str(w.message) for w in caught)
    assert len(fitted.encoder_) == n_layers
    assert len(fitted.fine_tune_loss_curve_) == (4 if stage == "fine-tuning" else 0)
    np.testing.assert_allclose(fitted.predict_proba(X).sum(axis=1), 1.0)


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"head_max_iter": 0}, ValueError, "head_max_iter must be >= 1, got 0"),
        ({"head_weight_decay": -1.0}, ValueError, "head_weight_decay must be >= 0 and finite, got -1.0"),
        ({"fine_tune_weight_decay": (1.0, 1.0)}, ValueError, r"for each hidden layer and for the head \(3\)"),
        ({"validation_fraction": 0.0}, ValueError, r"validation_fraction must be in \(0, 1\), got 0.0"),
        ({"rho": (0.1, 0.2, 0.3)}, ValueError, r"rho must be one value, or one for each layer \(2\), got 3 values"),
        ({"fine_tune_solver": None}, ValueError, "fine_tune_solver must be 'lbfgs', 'adam' or 'sgd', got None"),
    ],
    ids=str,
)  # fmt: skip
def test_wrong_parameters_are_named(digits, options, kind, message):
    """Each wrong parameter is an error with its name, the value got and the value wanted."""
    with pytest.raises(kind, match=message):
        classifier(**options).fit(*digits[:2])


def test_a_new_fit_forgets_the_curve_of_the_last(digits):
    """validation_curve_ is there after early stopping, and gone after a fit without it."""
    X, y, _, _ = digits
    model = classifier((5, 4), max_iter=2, fine_tune_max_iter=2, head_max_iter=2, early_stopping=True).fit(X, y)
    assert len(model.validation_curve_) > 0
    assert not hasattr(model.before_fine_tuning(), "validation_curve_")
    assert not hasattr(model.set_params(early_stopping=False).fit(X, y), "validation_curve_")


def test_a_rare_class_is_named_in_the_words_of_the_caller(digits):
    """Early stopping that cannot split the classes says so before any training, with the caller's labels and share."""
    X, y, *_ = digits
    stages = []
    model = classifier((5,), early_stopping=True, validation_fraction=0.2, callback=lambda i: stages.append(i.stage))
    given = np.array(["cat", "dog"], dtype=object)[y % 2]
    given[7] = "owl"
    with pytest.raises(ValueError, match="early_stopping needs two samples of each class, got 1 of 'owl'"):
        model.fit(X, given)
    with pytest.raises(
        ValueError, match=r"validation_fraction 0\.2 of 30 samples cannot hold all 10 classes: .* 10 samp"
    ):
        model.fit(X[:30], np.arange(30) % 10)
    with pytest.raises(ValueError, match=r"validation_fraction 0\.8 of 30 samples cannot leave all 10 classes"):
        model.set_params(validation_fraction=0.8).fit(X[:30], np.arange(30) % 10)
    weight = np.zeros(60)
    weight[3] = 1
    with pytest.raises(ValueError, match="sample_weight must have a sum > 0 on both sides of the validation split"):
        model.set_params(validation_fraction=0.2).fit(X[:60], y[:60] % 2, sample_weight=weight)
    assert not stages
    assert len(model.fit(X[:60], y[:60] % 2).validation_curve_) > 0


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("dtype", DTYPES)
def test_decision_function_is_the_logits(digits, n_classes, dtype):
    """Its softmax is predict_proba and its largest predict; for two classes it is one column, as in scikit-learn."""
    X, y, X_test, _ = digits
    names = np.array(["a", "b", "c"])[:n_classes]
    fitted = classifier((12,)).fit(X.astype(dtype), names[y % n_classes])
    decision, probabilities = fitted.decision_function(X_test.astype(dtype)), fitted.predict_proba(X_test.astype(dtype))
    assert decision.dtype == dtype
    predicted = fitted.predict(X_test.astype(dtype))
    if n_classes == 2:
        assert decision.shape == (len(X_test),)
        np.testing.assert_allclose(1 / (1 + np.exp(-decision)), probabilities[:, 1], rtol=1e-5)
        np.testing.assert_array_equal(predicted, names[(decision > 0).astype(int)])
        assert roc_auc_score(predicted, decision) == 1
    else:
        assert decision.shape == (len(X_test), n_classes)
        codes = fitted.transform(X_test.astype(dtype))
        np.testing.assert_allclose(decision, codes @ fitted.head_.W.T + fitted.head_.b, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(softmax(decision, axis=1), probabilities, rtol=1e-5)
        np.testing.assert_array_equal(predicted, names[decision.argmax(axis=1)])


def assert_same(one, two, **tolerance):
    for a, b in zip((*one.encoder_, one.head_), (*two.encoder_, two.head_), strict=True):
        np.testing.assert_allclose(a.W, b.W, **tolerance)
        np.testing.assert_allclose(a.b, b.b, **tolerance)


@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
def test_class_weights_are_weights_of_the_samples_where_labels_count(digits, solver):
    """Head, fine-tuning, validation and cost weigh a sample by its class; greedy training does not."""
    X, y = digits[0], digits[1] % 3
    options = {"early_stopping": True, "fine_tune_solver": solver, "batch_size": 60, "validation_fraction": 0.3}
    weight = np.random.default_rng(0).uniform(0.5, 1.5, len(X))
    given = {0: 2.0, 2: 0.25}
    fitted = classifier((6, 5), **options, class_weight=given).fit(X, y, sample_weight=weight)
    by_label = weight * np.array([2.0, 1.0, 0.25])[y]
    greedy = classifier((6, 5), **options, fine_tune=False).fit(X, y, sample_weight=weight)
    for a, b in zip(fitted.loss_curves_, greedy.loss_curves_, strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_allclose(fitted.rho_hat_[0], np.average(fitted.transform(X, layer=0), axis=0, weights=weight))
    loss = -np.average(fitted.predict_log_proba(X)[np.arange(len(X)), y], weights=by_label)
    assert fitted.cost_.loss == pytest.approx(loss)
    # From the same layers on, class weights and sample weights are one thing.
    layers = [sf.init_params(*sizes, random_state=0) for sizes in ((64, 6), (6, 5))]

    def same_layers(info):
        if info.stage.startswith("layer"):
            for live, wanted in zip(info.params, layers[int(info.stage[6]) - 1], strict=True):
                live[:] = wanted

    options |= {"solver": "adam", "max_iter": 1, "callback": same_layers}
    one = classifier((6, 5), **options, class_weight=given).fit(X, y, sample_weight=weight)
    two = classifier((6, 5), **options).fit(X, y, sample_weight=by_label)
    np.testing.assert_allclose(one.head_loss_curve_, two.head_loss_curve_)
    np.testing.assert_allclose(one.validation_curve_, two.validation_curve_)
    assert_same(one, two, rtol=1e-9)


def test_balanced_is_what_scikit_learn_calls_so(digits):
    """Balanced classes have the same weight in all: scikit-learn's formula, over the weights of the samples."""
    X, y = digits[0], np.where(digits[1] == 0, 1, np.where(digits[1] < 3, 0, 2))
    weights = dict(enumerate(compute_class_weight("balanced", classes=np.arange(3), y=y)))
    one, two = (classifier((5,), class_weight=w).fit(X, y) for w in ("balanced", weights))
    assert_same(one, two, rtol=1e-12)
    double = classifier((5,), max_iter=5, head_max_iter=5, fine_tune_max_iter=3, class_weight="balanced")
    twice = clone(double).fit(np.repeat(X, 1 + (y == 1), axis=0), np.repeat(y, 1 + (y == 1)))
    assert_same(double.fit(X, y, sample_weight=1.0 + (y == 1)), twice, rtol=1e-5, atol=1e-7)


def test_class_weights_find_a_rare_class(digits):
    """A heavy class gains recall; labels of no weight are never predicted."""
    X, y = digits[0], (digits[1] == 8).astype(int)
    plain, heavy = (classifier((5,), max_iter=5, fine_tune_max_iter=5, class_weight=w).fit(X, y)
                    for w in (None, {1: 50.0}))  # fmt: skip
    assert heavy.predict(X)[y == 1].mean() > plain.predict(X)[y == 1].mean() + 0.1
    assert np.all(classifier((5,), class_weight={0: 0.0, 1: 1.0}).fit(X, y).predict(X) == 1)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("auto", r"class_weight must be a dict {label: weight}, 'balanced' or None, got 'auto'"),
        (3, r"class_weight must be a dict {label: weight}, 'balanced' or None, got 3"),
        ({0: -1.0}, "class_weight must have weights that are finite and >= 0, got {0: -1.0}"),
        ({0: 0.0, 1: 0.0}, "class_weight must leave some sample a weight > 0"),
        ({0: 1.0, 7: 1.0}, "not in class_weight"),
    ],
)
def test_wrong_class_weights_are_named(digits, given, message):
    """A class weight that is none is an error that names it."""
    with pytest.raises(ValueError, match=message):
        classifier((5,), class_weight=given).fit(digits[0], digits[1] % 2)


@pytest.mark.parametrize("given", ["balanced", {"x": 2.0, "y": 1}, {"x": np.float32(0.5)}])
def test_class_weights_are_kept_in_the_file(digits, given, tmp_path):
    """A model that is loaded has the class weights, labels of any kind and all."""
    names = np.array(["x", "y"])[digits[1] % 2]
    for labels, weight in ((names, given), (digits[1] % 2, given if given == "balanced" else {0: 2.0})):
        fitted = classifier((5,), max_iter=2, fine_tune_max_iter=2, class_weight=weight).fit(digits[0], labels)
        fitted.save(tmp_path / "m.safetensors")
        assert sf.load(tmp_path / "m.safetensors").get_params() == fitted.get_params()


def test_validation_samples_judge_and_are_not_trained_on(digits):
    """A held-back sample, or its weight, moves the validation curve and neither head nor fine-tuning."""
    X, y = digits[0][:40], digits[1][:40] % 2
    layer = sf.init_params(64, 4, random_state=0)

    def same_layer(info):  # greedy training sees all samples
        if info.stage.startswith("layer"):
            for live, wanted in zip(info.params, layer, strict=True):
                live[:] = wanted

    model = classifier((4,), solver="adam", max_iter=1, head_max_iter=3, fine_tune_max_iter=3, early_stopping=True,
                       validation_fraction=0.25, callback=same_layer)  # fmt: skip

    def curves(samples, weight):
        model.fit(samples, y, sample_weight=weight)
        return (*model.head_loss_curve_, *model.fine_tune_loss_curve_), model.validation_curve_

    assert_held_back(curves, X, 10)
