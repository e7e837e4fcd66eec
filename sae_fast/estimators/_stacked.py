"""StackedAutoencoder: sparse autoencoders one on the other, as a scikit-learn transformer.

Half of it is the documentation of parameters and attributes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from os import PathLike
from typing import Any, Self, cast

from numpy.typing import ArrayLike, NDArray

try:
    from sklearn.base import BaseEstimator, TransformerMixin
    from sklearn.utils.validation import check_is_fitted
except ImportError as error:
    raise ImportError('StackedAutoencoder needs scikit-learn: pip install "sae-fast[estimators]"') from error

from .._public import public_in
from ..files._kinds import register
from ..network._data import Data, check_targets
from ..network._deep import deep_forward
from ..network._layer_plan import LayerPlan, per_layer, plan_layers
from ..network._settings import Settings, check_settings
from ..network._types import EpochInfo, FloatArray, Layer, Output
from ..preprocessing._transformer import anew, check_codes, rng_of, weights_of
from ..streams._source import Source
from ._base import check_not_negative
from ._checkpoint import keeper_of
from ._data_range import warn_of_range
from ._layer_training import Samples
from ._scoring import Scored
from ._stack import Stack
from ._stack_file import stack_from
from ._stack_training import Layers, TrainedLayer, train_layers, tune
from ._streamed import Streamed, ends_of, opened, set_columns, survey


@public_in("sae_fast")
class StackedAutoencoder(Scored, Stack, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Stacked sparse autoencoders (UFLDL): each layer learns the codes of the one below.

    Training is greedy, layer by layer; then encoder and mirrored decoder may be tuned as one deep network, for the
    reconstruction of the data with the penalties of all layers.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int
        Units of the hidden layers, bottom up.
    rho, beta, weight_decay, l1 : float, or sequence of float
        As for :class:`SparseAutoencoder`; one value, or one per layer.
    hidden : {"sigmoid", "tanh", "relu", "satlin"}, or a sequence of them
        Activation of the hidden layers.
    output : {"sigmoid", "tanh", "linear", "relu", "satlin"}, or a sequence of them
        Activation that reconstructs the data. Layers above the lowest reconstruct codes, by the activation of the
        codes; a sequence says it for every layer.
    loss : {"squared", "absolute", "huber", "cross_entropy"}, or a sequence of them
        What reconstructions of the data are judged by, in the lowest layer and in fine-tuning. The layers above have it
        too, or the squared one where it cannot be taken of their output (cross-entropy of other units than sigmoid); a
        sequence says it for every layer.
    solver : {"lbfgs", "adam", "sgd"}, or a sequence of them
        Of greedy training.
    max_iter : int, or sequence of int
        Iterations of L-BFGS, or epochs, at most, for each layer.
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
    fine_tune : bool
        Tune all layers together afterwards. One layer alone has nothing to tune.
    fine_tune_solver : {"lbfgs", "adam", "sgd"}
    fine_tune_max_iter : int
        Iterations or epochs at most.
    fine_tune_learning_rate : float, optional
        As ``learning_rate``.
    fine_tune_weight_decay : float or sequence of float, optional
        For encoder and decoder of each layer alike, in cost and gradient; by default ``weight_decay``.
    random_state : int, RandomState instance or None
        Seed of initial weights and shuffling.
    n_threads : int, optional
        Threads; None for what :func:`sae_fast.get_num_threads` says. Results do not depend on it.
    verbose : int
        1 shows progress on stderr, stage by stage.
    callback : callable, optional
        Called with an :class:`EpochInfo` after each iteration; a true result ends the stage.

    Attributes
    ----------
    encoder_ : tuple of Layer
        ``(W, b)`` of the hidden layers, bottom up, in the dtype of the training data (float32 or float64).
    decoder_ : tuple of Layer
        ``(W, b)`` from the last codes down to the data.
    units_ : tuple of str
        Activations of the hidden layers.
    output_units_ : tuple of str
        Activations of the decoder's layers.
    components_ : ndarray of shape (units of the lowest layer, n_features)
        Weights of the lowest layer.
    rho_hat_ : list of ndarray
        Mean activations over the training data, mapped to [0, 1] (of relu as they are), by layer.
    cost_ : Cost
        J of the whole network and its parts over the training data.
    loss_curves_ : list of ndarray
        J of greedy training by iteration, by layer.
    fine_tune_loss_curve_ : ndarray
        J of the whole network by iteration; empty without fine-tuning.
    n_iter_ : int
        Iterations done, of all stages together.
    n_features_in_ : int
        Features seen in ``fit``.
    feature_names_in_ : ndarray of str
        Their names, where the data had any.

    Examples
    --------
    >>> import numpy as np
    >>> from sae_fast import StackedAutoencoder
    >>> X = np.random.default_rng(0).uniform(0.1, 0.9, (200, 16))
    >>> model = StackedAutoencoder((8, 4), max_iter=30, fine_tune_max_iter=5, random_state=0).fit(X)
    >>> model.transform(X).shape, model.transform(X, layer=0).shape
    ((200, 4), (200, 8))
    """

    _learned = (
        "encoder_", "decoder_", "units_", "output_units_", "rho_hat_", "cost_", "loss_curves_", "fine_tune_loss_curve_",
        "n_iter_", "n_features_in_", "feature_names_in_", "_loss_", "_before"
    )  # fmt: skip

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] = (200, 200),
        *,
        rho: float | Sequence[float] = 0.05,
        beta: float | Sequence[float] = 3.0,
        weight_decay: float | Sequence[float] = 1e-4,
        l1: float | Sequence[float] = 0.0,
        hidden: str | Sequence[str] = "sigmoid",
        output: str | Sequence[str] = "sigmoid",
        loss: str | Sequence[str] = "squared",
        solver: str | Sequence[str] = "lbfgs",
        max_iter: int | Sequence[int] = 400,
        batch_size: int = 256,
        learning_rate: float | None = None,
        momentum: float = 0.9,
        tol: float = 1e-7,
        n_iter_no_change: int = 10,
        fine_tune: bool = True,
        fine_tune_solver: str = "lbfgs",
        fine_tune_max_iter: int = 200,
        fine_tune_learning_rate: float | None = None,
        fine_tune_weight_decay: float | Sequence[float] | None = None,
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
        self.fine_tune = fine_tune
        self.fine_tune_solver = fine_tune_solver
        self.fine_tune_max_iter = fine_tune_max_iter
        self.fine_tune_learning_rate = fine_tune_learning_rate
        self.fine_tune_weight_decay = fine_tune_weight_decay
        self.random_state = random_state
        self.n_threads = n_threads
        self.verbose = verbose
        self.callback = callback

    # Fitting

    def fit(
        self,
        X: ArrayLike | Source | Iterable[ArrayLike],
        y: object = None,
        sample_weight: ArrayLike | None = None,
        *,
        spool: str | PathLike[str] | None = None,
        checkpoint: str | PathLike[str] | None = None,
        checkpoint_every: float | None = None,
        resume_from: str | PathLike[str] | None = None,
    ) -> Self:
        """Learn the layers from the samples.

        Samples may be more than memory holds, as for :meth:`SparseAutoencoder.fit`: L-BFGS gives the same model as for
        an array, to the bit. Each pass makes the codes of the layers below anew, block by block.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features), Source or iterable of arrays
            float32 is worked on in float32, everything else in float64.
        y : None
            Ignored.
        sample_weight : array_like of shape (n_samples,), optional
            Weights: every mean over samples is a weighted one, the mean activations too.
        spool : path-like, optional
            A folder. An iterator, which gives its rows once, is written to a file there first, which has no name and is
            gone after the fit.
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
            NaN, infinity, too few samples or features, a parameter out of its range or not one per layer, a cost
            that diverges, or a checkpoint of another fit; an iterator that gives its rows once, without ``spool``; a
            source that is not the same in each pass. The estimator is then as it was.
        OSError
            The rows cannot be spooled, a file of a source or a checkpoint cannot be read, or a checkpoint not be
            written: the last one that was is whole.
        KeyboardInterrupt
            Only before the first iteration. Later, Ctrl-C ends the fit with a warning: a layer cut short is kept at
            its best and is then the last one; fine-tuning cut short is kept at its best.
        """
        self._check_training()
        plan = plan_layers(self)
        keeper = keeper_of(checkpoint, checkpoint_every, resume_from)
        decay = self._decay(len(plan))
        look = None if keeper is None else keeper.digest.update
        with opened(X, spool) as given, anew(self, self._learned):
            samples, ends = self._samples(given, sample_weight, look)
            weight = samples.weight
            self._loss_ = plan[0].settings.loss
            check_targets(ends, self._loss_)
            warn_of_range(ends, plan[0].output, "put a scaler before it in a pipeline")
            rng = rng_of(self.random_state) if keeper is None else keeper.open(self, weight)
            trained, interrupted = train_layers(self, samples, plan, rng, keeper)
            plan = plan[: len(trained)]
            settings = _mirrored_settings(plan, decay)
            self.output_units_: tuple[Output, ...] = tuple(layer.output for layer in reversed(plan))
            self._keep_greedy(plan, trained)
            self._set_layers(_mirrored(trained), samples, settings, weight)
            self._remember()
            if self.fine_tune and len(plan) > 1 and not interrupted:
                seed = int(rng.randint(2**31 - 1))
                control = tune(self, (*self.encoder_, *self.decoder_), samples, settings, seed, keeper=keeper)
                if control is not None:
                    self._keep_tuned(control)
                    self._set_layers(control.params, samples, settings, weight)
            self._count_iterations()
        return self

    def _samples(
        self, X: Any, sample_weight: ArrayLike | None, look: Callable[[FloatArray], object] | None
    ) -> tuple[Samples, NDArray[Any]]:
        """The samples, each of which is shown to ``look``, and those that tell their range."""
        if isinstance(X, Source):
            found = survey(X, sample_weight, False, look)
            set_columns(self, X)
            return Samples(Data(cast("NDArray[Any]", Streamed(X))), found.weight), ends_of(found.extent, X.dtype)
        data = self._validate(X, reset=True)
        if look is not None:
            look(data)
        return Samples(Data(data), weights_of(sample_weight, data)), data

    def _decay(self, n_layers: int) -> list[float]:
        decay = self.weight_decay if self.fine_tune_weight_decay is None else self.fine_tune_weight_decay
        name = "fine_tune_weight_decay"
        return [check_not_negative(name, d) for d in per_layer(name, decay, n_layers)]

    def _part(self, layers: Layers) -> None:
        n = len(layers) // 2
        self.encoder_, self.decoder_ = layers[:n], layers[n:]

    # Use

    def inverse_transform(self, X: ArrayLike, layer: int | None = None) -> FloatArray:
        """Reconstructions from codes.

        Parameters
        ----------
        X : array_like of shape (n_samples, units of the layer)
            Codes, as :meth:`transform` gives them with the same ``layer``.
        layer : int, optional
            Index of the hidden layer, 0 for the lowest; by default the last.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            In the dtype of the training data.
        """
        check_is_fitted(self)
        top = self._top(layer)
        codes = check_codes(X, len(self.encoder_[top - 1].b))
        return deep_forward(self.decoder_[-top:], codes, units=self.output_units_[-top:], n_threads=self.n_threads)

    def _decoder_layers(self) -> list[tuple[FloatArray, FloatArray, Output]]:
        return [(W, b, unit) for (W, b), unit in zip(self.decoder_, self.output_units_, strict=True)]

    def _output(self, X: NDArray[Any], *, linear: bool = False) -> FloatArray:
        units: tuple[Output, ...] = (*self.units_, *self.output_units_)
        if linear:
            units = (*units[:-1], "linear")
        return deep_forward((*self.encoder_, *self.decoder_), X, units=units, n_threads=self.n_threads)


def _mirrored(trained: Sequence[TrainedLayer]) -> Layers:
    """Encoder bottom up, decoder top down."""
    up = [Layer(layer.params.W1, layer.params.b1) for layer in trained]
    down = [Layer(layer.params.W2, layer.params.b2) for layer in reversed(trained)]
    return (*up, *down)


def _mirrored_settings(plan: Sequence[LayerPlan], decay: Sequence[float]) -> Settings:
    """Of the mirrored network: the decoder's hidden layers, codes themselves, carry no penalty."""
    n = len(plan)
    units = [*(layer.hidden for layer in plan), *(layer.output for layer in reversed(plan))]
    rho = [*(layer.rho for layer in plan), *(layer.rho for layer in plan[: n - 1])]
    beta = [*(layer.beta for layer in plan), *([0.0] * (n - 1))]
    l1 = [*(layer.l1 for layer in plan), *([0.0] * (n - 1))]
    decays = [*decay[:n], *reversed(decay[:n])]
    return check_settings(units, plan[0].settings.loss, rho, beta, decays, 2 * n, l1)


register(StackedAutoencoder.__name__, partial(stack_from, StackedAutoencoder))
