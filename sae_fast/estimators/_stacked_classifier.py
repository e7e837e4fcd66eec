"""StackedAutoencoderClassifier: a deep network started by sparse autoencoders, as a scikit-learn classifier.

Half of it is the documentation of parameters and attributes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from os import PathLike
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

try:
    from scipy.special import log_softmax
    from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as error:
    raise ImportError('StackedAutoencoderClassifier needs scikit-learn: pip install "sae-fast[estimators]"') from error

from .._public import public_in
from ..files._kinds import register
from ..network._data import Data, check_targets
from ..network._deep import deep_forward
from ..network._layer_plan import per_layer, plan_layers
from ..network._settings import Settings, check_settings
from ..network._types import EpochInfo, FloatArray, Layer
from ..preprocessing._transformer import FLOATS, anew, weights_of
from ._base import check_not_negative
from ._checkpoint import generator_of, keeper_of
from ._class_weight import weight_by_label
from ._data_range import warn_of_range
from ._held_out import split_by_class
from ._layer_training import Samples, judge_of
from ._stack import Stack
from ._stack_file import stack_from
from ._stack_training import Layers, train_head, train_layers, tune


@public_in("sae_fast")
class StackedAutoencoderClassifier(Stack, ClassifierMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Softmax on stacked sparse autoencoders (UFLDL, "Implement deep networks for digit classification").

    Greedy training of the layers without labels, then of the softmax head on the last codes, then supervised
    fine-tuning of all layers together. Weight decay counts in cost and gradient alike, for every layer.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int
        Units of the hidden layers, bottom up.
    rho, beta, weight_decay, l1, hidden, output, loss, solver, max_iter
        Of greedy training, one value or one per layer, as for :class:`StackedAutoencoder`. Head and fine-tuning have
        the softmax loss, and no penalty but ``head_weight_decay`` and ``fine_tune_weight_decay``.
    batch_size : int
        Samples of a minibatch.
    learning_rate : float, optional
        By default 1e-3 for Adam and 0.1 for SGD.
    momentum : float
        Of SGD, in [0, 1).
    tol : float
        Stop a stage when its cost has not fallen by ``tol`` of itself for ``n_iter_no_change`` iterations.
    n_iter_no_change : int
        Patience of ``tol``.
    head_max_iter : int
        Iterations of L-BFGS for the head on the last codes.
    head_weight_decay : float
        Of the head there.
    fine_tune : bool
        Tune all layers by the labels afterwards.
    fine_tune_solver : {"lbfgs", "adam", "sgd"}
        L-BFGS over all samples does well on little and much data; Adam needs fewer passes over much data.
    fine_tune_max_iter : int
        Iterations or epochs at most.
    fine_tune_learning_rate : float, optional
        As ``learning_rate``.
    fine_tune_weight_decay : float or sequence of float
        One value, or one per hidden layer and one for the head.
    class_weight : dict {label: weight}, "balanced" or None
        Weights of the classes, as in scikit-learn: they multiply ``sample_weight`` wherever labels count, in head,
        fine-tuning, validation and ``cost_``, and not in greedy training. A dict gives labels that it leaves out the
        weight 1; ``"balanced"`` gives each class the same weight in all.
    early_stopping : bool
        Judge fine-tuning by a validation part of the data, which head and fine-tuning do not see, and keep the
        parameters whose softmax loss was best on it.
    validation_fraction : float
        Its share, in (0, 1); every class has its own share in it, and needs two samples at least.
    random_state : int, RandomState instance or None
        Seed of initial weights, shuffling and validation split.
    n_threads : int, optional
        Threads; None for what :func:`sae_fast.get_num_threads` says. Results do not depend on it.
    verbose : int
        1 shows progress on stderr, stage by stage.
    callback : callable, optional
        Called with an :class:`EpochInfo` after each iteration; a true result ends the stage.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels, sorted.
    encoder_ : tuple of Layer
        ``(W, b)`` of the hidden layers, bottom up, in the dtype of the training data (float32 or float64).
    head_ : Layer
        ``(W, b)`` from the last codes to the classes.
    units_ : tuple of str
        Activations of the hidden layers.
    components_ : ndarray of shape (units of the lowest layer, n_features)
        Weights of the lowest layer.
    rho_hat_ : list of ndarray
        Mean activations over the training data, mapped to [0, 1] (of relu as they are), by layer.
    cost_ : Cost
        Softmax loss with weight decay of fine-tuning, and its parts, over the training data, weighted by class.
    loss_curves_ : list of ndarray
        J of greedy training by iteration, by layer.
    head_loss_curve_ : ndarray
        Softmax loss with weight decay of the head alone by iteration.
    fine_tune_loss_curve_ : ndarray
        Softmax loss with weight decay by iteration; empty without fine-tuning.
    validation_curve_ : ndarray
        Softmax loss on the validation part by iteration; with early stopping.
    n_iter_ : int
        Iterations done, of all stages together.
    n_features_in_ : int
        Features seen in ``fit``.
    feature_names_in_ : ndarray of str
        Their names, where the data had any.

    Examples
    --------
    >>> from sae_fast import StackedAutoencoderClassifier
    >>> from sklearn.datasets import load_digits
    >>> X, y = load_digits(return_X_y=True)
    >>> model = StackedAutoencoderClassifier((40, 20), max_iter=20, random_state=0).fit(X[:1000] / 16, y[:1000])
    >>> bool(model.score(X[1000:] / 16, y[1000:]) > 0.9)
    True
    """

    _learned = (
        "encoder_", "head_", "classes_", "units_", "rho_hat_", "cost_", "loss_curves_", "head_loss_curve_",
        "fine_tune_loss_curve_", "validation_curve_", "n_iter_", "n_features_in_", "feature_names_in_", "_before"
    )  # fmt: skip

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] = (200, 200),
        *,
        rho: float | Sequence[float] = 0.1,
        beta: float | Sequence[float] = 3.0,
        weight_decay: float | Sequence[float] = 1e-4,
        l1: float | Sequence[float] = 0.0,
        hidden: str | Sequence[str] = "sigmoid",
        output: str | Sequence[str] = "sigmoid",
        loss: str | Sequence[str] = "squared",
        solver: str | Sequence[str] = "lbfgs",
        max_iter: int | Sequence[int] = 100,
        batch_size: int = 256,
        learning_rate: float | None = None,
        momentum: float = 0.9,
        tol: float = 1e-7,
        n_iter_no_change: int = 10,
        head_max_iter: int = 100,
        head_weight_decay: float = 1e-4,
        fine_tune: bool = True,
        fine_tune_solver: str = "lbfgs",
        fine_tune_max_iter: int = 200,
        fine_tune_learning_rate: float | None = None,
        fine_tune_weight_decay: float | Sequence[float] = 1e-4,
        class_weight: Mapping[Any, float] | str | None = None,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        random_state: Any = None,
        n_threads: int | None = None,
        verbose: int = 0,
        callback: Callable[[EpochInfo], object] | None = None,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.rho = rho
        self.beta = beta
        self.weight_decay = weight_decay
        self.l1 = l1
        self.hidden = hidden
        self.output = output
        self.loss = loss
        self.solver = solver
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.head_max_iter = head_max_iter
        self.head_weight_decay = head_weight_decay
        self.fine_tune = fine_tune
        self.fine_tune_solver = fine_tune_solver
        self.fine_tune_max_iter = fine_tune_max_iter
        self.fine_tune_learning_rate = fine_tune_learning_rate
        self.fine_tune_weight_decay = fine_tune_weight_decay
        self.class_weight = class_weight
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.random_state = random_state
        self.n_threads = n_threads
        self.verbose = verbose
        self.callback = callback

    # Fitting

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        checkpoint: str | PathLike[str] | None = None,
        checkpoint_every: float | None = None,
        resume_from: str | PathLike[str] | None = None,
    ) -> Self:
        """Learn layers, head, and all of it together.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features)
            float32 is worked on in float32, everything else in float64.
        y : array_like of shape (n_samples,)
            Labels of any kind that sorts: at least two classes.
        sample_weight : array_like of shape (n_samples,), optional
            Weights: every mean over samples is a weighted one, the mean activations too.
        checkpoint : path-like, optional
            A file for the state of the fit, written whole or not at all: now and then, after each stage, and after
            Ctrl-C.
        checkpoint_every : float, optional
            Seconds between two of them, 60 by default; iterations and epochs are not cut.
        resume_from : path-like, optional
            A checkpoint of a fit of the same samples with the same parameters, to go on from: the model is then, to the
            bit, what it would be without the interruption.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            NaN, infinity, too few samples or features, a single class, too few samples of one for early stopping, a
            parameter out of its range or not one per layer, a cost that diverges, or a checkpoint of another fit. The
            estimator is then as it was.
        KeyboardInterrupt
            Before the first iteration, or while the head is started. Ctrl-C in greedy training keeps the layers so far
            and trains the head on them; in fine-tuning it keeps the best parameters. Both with a warning.
        """
        self._check_training()
        plan = plan_layers(self)
        keeper = keeper_of(checkpoint, checkpoint_every, resume_from)
        decay = self._decay(len(plan))
        with anew(self, self._learned):
            data, labels = self._validate_labelled(X, y)
            weight = weights_of(sample_weight, data)
            samples = Samples(
                Data(data, None, labels), weight_by_label(self.class_weight, self.classes_, labels, weight)
            )
            check_targets(data, plan[0].settings.loss)
            warn_of_range(data, plan[0].output, "put a scaler before it in a pipeline")
            rng = generator_of(self, keeper, data, weight, labels)
            part, held = self._split(samples, rng)  # before the long part, for what may be wrong with it

            trained, interrupted = train_layers(self, Samples(Data(data), weight), plan, rng, keeper)
            self._keep_greedy(plan[: len(trained)], trained)
            encoder = tuple(Layer(layer.params.W1, layer.params.b1) for layer in trained)
            codes = deep_forward(encoder, part.data.X, units=self.units_, n_threads=self.n_threads)
            coded = Samples(part.data._replace(X=codes), part.weight)
            head = train_head(self, coded, len(self.classes_), self.head_weight_decay, self.head_max_iter, keeper)
            self.head_loss_curve_ = head.loss_curve
            settings = self._settings([*decay[: len(trained)], decay[-1]])
            self._set_layers((*encoder, *head.params), samples, settings, weight)
            self._remember()
            if self.fine_tune and not (interrupted or head.interrupted):
                judge = None if held is None else judge_of(held, settings, self.n_threads, "loss")
                seed = int(rng.randint(2**31 - 1))
                control = tune(self, (*self.encoder_, self.head_), part, settings, seed, judge, keeper)
                if control is not None:
                    self._keep_tuned(control)
                    self._set_layers(control.params, samples, settings, weight)
            self._count_iterations()
        return self

    def _decay(self, n_layers: int) -> list[float]:
        name = "fine_tune_weight_decay"
        decay = per_layer(name, self.fine_tune_weight_decay, n_layers + 1, "hidden layer and for the head")
        return [check_not_negative(name, d) for d in decay]

    def _validate_labelled(self, X: ArrayLike, y: ArrayLike) -> tuple[NDArray[Any], NDArray[np.intp]]:
        """Checked samples, and places of their labels in ``classes_``, which is set."""
        self._refuse_source(X, "fit StackedAutoencoder to it, and any classifier to the codes, transform(source)")
        samples, labels = validate_data(self, X, y, dtype=FLOATS)
        check_classification_targets(labels)
        self.classes_, target = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"y must have at least two classes, got one class: {self.classes_.tolist()[0]!r}")
        return samples, target.astype(np.intp)

    def _settings(self, decay: Sequence[float]) -> Settings:
        return check_settings([*self.units_, "linear"], "softmax", 0.5, 0.0, decay, len(decay))

    def _split(self, samples: Samples, rng: np.random.RandomState) -> tuple[Samples, Samples | None]:
        """What head and fine-tuning see, and what judges them."""
        if not self.early_stopping:
            return samples, None
        labels: Any = samples.data.labels
        train, check = split_by_class(labels, self.classes_, self.validation_fraction, samples.weight, rng)
        return samples.rows(train), samples.rows(check)

    def _part(self, layers: Layers) -> None:
        self.encoder_, self.head_ = layers[:-1], layers[-1]

    # Use

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """The likeliest class of each sample, shape (n_samples,)."""
        best = np.argmax(self._logits(X), axis=1)
        labels: NDArray[Any] = self.classes_[best]
        return labels

    def decision_function(self, X: ArrayLike) -> FloatArray:
        """Logits: what the head gives before the softmax.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes), or (n_samples,) for two classes
            ``predict_proba`` is its softmax. For two classes it is the logit of ``classes_[1]`` less that of
            ``classes_[0]``, so that ``predict`` gives ``classes_[1]`` where it is > 0, with the probability
            ``1 / (1 + exp(-decision_function))``.
        """
        logits = self._logits(X)
        return logits[:, 1] - logits[:, 0] if len(self.classes_) == 2 else logits

    def predict_proba(self, X: ArrayLike) -> FloatArray:
        """Probabilities of the classes, in the order of ``classes_``, shape (n_samples, n_classes)."""
        return np.exp(self.predict_log_proba(X))

    def predict_log_proba(self, X: ArrayLike) -> FloatArray:
        """Logarithms of the probabilities; precise where these underflow."""
        logarithms: FloatArray = log_softmax(self._logits(X), axis=1)
        return logarithms

    def _logits(self, X: ArrayLike) -> FloatArray:
        check_is_fitted(self)
        data = self._validate(X, reset=False)
        layers = (*self.encoder_, self.head_)
        return deep_forward(layers, data, units=(*self.units_, "linear"), n_threads=self.n_threads)


register(StackedAutoencoderClassifier.__name__, partial(stack_from, StackedAutoencoderClassifier))
