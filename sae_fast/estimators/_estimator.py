"""SparseAutoencoder: the sparse autoencoder as a scikit-learn transformer.

Half of it is the documentation of parameters and attributes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from os import PathLike
from typing import Any, Self, cast

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

try:
    from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
    from sklearn.utils.validation import check_is_fitted
except ImportError as error:
    raise ImportError('SparseAutoencoder needs scikit-learn: pip install "sae-fast[estimators]"') from error

from .._public import public_in
from ..encoders._encoder import Encoder
from ..encoders._fold import fold
from ..files._kinds import KIND, register
from ..network._checks import check_count, check_n_threads
from ..network._data import Data, check_targets
from ..network._functional import decode, encode
from ..network._measure import measure
from ..network._scale import SCALINGS, Clip, Scaling
from ..network._settings import Settings, check_autoencoder
from ..network._solvers import check_solver
from ..network._types import EpochInfo, FloatArray, Hidden, Loss, Output, Params
from ..preprocessing._scalers import UFLDLScaler, UnitScaler
from ..preprocessing._transformer import anew, check_codes, offered_if, rng_of, weights_of
from ..streams._source import Source
from ._base import Autoencoder
from ._checkpoint import Keeper, keeper_of
from ._data_range import warn_of_range
from ._estimator_file import estimator_from, save
from ._fit import FitControl, check_finite
from ._held_out import Weight, split
from ._layer_training import Samples, judge_of, solver_of
from ._partial_fit import go_on
from ._scoring import Scored
from ._start import start_of
from ._streamed import (
    Streamed,
    Survey,
    blocks_of,
    ends_of,
    is_source,
    opened,
    set_columns,
    survey,
)
from ._unit_report import BLOCK, UnitReport, judge, judge_codes, warn_of_units


def _by_epochs(self: SparseAutoencoder) -> bool:
    return self.solver in ("adam", "sgd")


@public_in("sae_fast")
class SparseAutoencoder(Scored, Autoencoder, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Sparse autoencoder (UFLDL): codes that are mostly inactive, to be used where PCA stood.

    Parameters
    ----------
    n_components : int
        Hidden units.
    rho : float
        Wanted mean activation of each hidden unit, in (0, 1).
    beta : float
        Weight of the penalty that pulls the mean activations to ``rho``, >= 0; 0 for relu, whose mean activation has no
        upper bound.
    weight_decay : float
        Weight of the L2 penalty on the weights, >= 0.
    l1 : float
        Weight of the penalty on single activations, the mean over samples of ``sum |a2|``, >= 0. Codes of relu and
        satlin units become 0 by it; it goes with ``weight_decay > 0``, without which small codes and large decoder
        weights escape it.
    hidden : {"sigmoid", "tanh", "relu", "satlin"}
        Activation of the hidden layer; ``satlin(z) = min(max(z, 0), 1)``. A first fit of units with kinks starts them
        in the middle of the data, where they tell samples apart.
    output : {"sigmoid", "tanh", "linear", "relu", "satlin"}
        Activation of the output layer. Sigmoid and satlin reach data in [0, 1], tanh in [-1, 1], relu data >= 0, linear
        any.
    loss : {"squared", "absolute", "huber", "cross_entropy"}
        What a reconstruction is judged by, as in :func:`sae_fast.cost_and_grad`. Absolute and Huber's mind outliers
        less. Cross-entropy is for sigmoid outputs and data in [0, 1], as the network sees them.
    scale : {"none", "minmax", "ufldl"}
        How the data are brought into the range of the output unit: not at all; each feature by its smallest and
        largest value, as :class:`UnitScaler` does; or each sample less its mean and cut at three standard deviations,
        as :class:`UFLDLScaler` does. Each ``fit``, and the first ``partial_fit``, learns it from its samples; from then
        on it belongs to the model. All methods take and give data in the user's units. Weights, ``cost_`` and the
        curves are those of the scaled data.
    solver : {"lbfgs", "adam", "sgd"}
        L-BFGS over all samples, or minibatches. L-BFGS reaches the lowest cost; Adam is quick on much data.
    max_iter : int
        Iterations of L-BFGS, or epochs, at most. No warning is given when they are used up: the classical recipes
        stop by number. ``n_iter_`` tells.
    batch_size : int
        Samples of a minibatch.
    learning_rate : float, optional
        By default 1e-3 for Adam and 0.1 for SGD.
    momentum : float
        Of SGD, in [0, 1).
    tol : float
        Stop when the cost has not fallen by ``tol`` of itself for ``n_iter_no_change`` iterations.
    n_iter_no_change : int
        Patience of ``tol``.
    early_stopping : bool
        Judge by a validation part of the data, and keep the parameters that were best on it.
    validation_fraction : float
        Its share, in (0, 1).
    warm_start : bool
        Start ``fit`` from the parameters of the last one.
    random_state : int, RandomState instance or None
        Seed of initial weights, shuffling and validation split.
    n_threads : int, optional
        Threads; None for what :func:`sae_fast.get_num_threads` says. Results do not depend on it.
    verbose : int
        1 shows progress on stderr: J and its parts, mean activation, time left.
    callback : callable, optional
        Called with an :class:`EpochInfo` after each iteration; a true result ends the fit.

    Attributes
    ----------
    params_ : Params
        Weights and biases, in the dtype of the training data (float32 or float64).
    components_ : ndarray of shape (n_components, n_features)
        Encoder weights W1.
    rho_hat_ : ndarray of shape (n_components,)
        Mean activations over the training data, mapped to [0, 1]; of relu as they are.
    cost_ : Cost
        J and its parts at ``params_`` over the training data, as the network sees them: scaled. ``reconstruction`` is
        the loss, ``sparsity`` the penalties on mean and single activations together.
    loss_curve_ : ndarray of shape (n_iter_,)
        J by iteration (for minibatches: mean over the epoch).
    loss_parts_ : ndarray of shape (n_iter_, 3)
        Reconstruction, weight decay and sparsity by iteration.
    validation_curve_ : ndarray
        Validation J by iteration; with early stopping.
    scaler_ : UnitScaler, UFLDLScaler or None
        What scales the data, fitted; None for ``scale="none"``.
    n_iter_ : int
        Iterations done.
    n_features_in_ : int
        Features seen in ``fit``.
    feature_names_in_ : ndarray of str
        Their names, where the data had any.

    Examples
    --------
    >>> import numpy as np
    >>> from sae_fast import SparseAutoencoder
    >>> X = np.random.default_rng(0).uniform(0.1, 0.9, (200, 16))
    >>> model = SparseAutoencoder(8, max_iter=50, random_state=0).fit(X)
    >>> model.transform(X).shape
    (200, 8)
    """

    scaler_: UnitScaler | UFLDLScaler | None = None
    _learned = (
        "params_", "rho_hat_", "cost_", "loss_curve_", "loss_parts_", "validation_curve_", "scaler_", "n_iter_",
        "n_features_in_", "feature_names_in_", "_unit_range_", "_rho_fitted_", "_units_", "_loss_", "_trainer"
    )  # fmt: skip
    _write = save

    def __init__(
        self,
        n_components: int = 25,
        *,
        rho: float = 0.05,
        beta: float = 3.0,
        weight_decay: float = 1e-4,
        l1: float = 0.0,
        hidden: Hidden = "sigmoid",
        output: Output = "sigmoid",
        loss: Loss = "squared",
        scale: Scaling = "none",
        solver: str = "lbfgs",
        max_iter: int = 400,
        batch_size: int = 256,
        learning_rate: float | None = None,
        momentum: float = 0.9,
        tol: float = 1e-7,
        n_iter_no_change: int = 10,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        warm_start: bool = False,
        random_state: Any = None,
        n_threads: int | None = None,
        verbose: int = 0,
        callback: Callable[[EpochInfo], object] | None = None,
    ) -> None:
        self.n_components = n_components
        self.rho = rho
        self.beta = beta
        self.weight_decay = weight_decay
        self.l1 = l1
        self.hidden = hidden
        self.output = output
        self.loss = loss
        self.scale = scale
        self.solver = solver
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.warm_start = warm_start
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
        """Learn weights from the samples.

        Samples may be more than memory holds: a :class:`Source`, or an iterable of arrays that gives the same ones
        whenever it is asked for a new iterator. L-BFGS then takes two passes over them for an evaluation (one with
        ``beta=0``), and gives the same model as for an array, to the bit (but for ``scale="ufldl"``, whose sums go
        in another order). ``early_stopping`` holds out the same samples, and reads all once more to judge by them. Adam
        and SGD take one pass an epoch, in windows of some 64 MiB whose samples are shuffled: data that are sorted
        should be shuffled beforehand.

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
            A file for the state of the fit, written whole or not at all: now and then, after the last iteration, and
            after Ctrl-C. It holds a SHA-256 of the samples, which are read once more for it.
        checkpoint_every : float, optional
            Seconds between two of them, 60 by default; iterations, epochs, and windows of a source are not cut.
        resume_from : path-like, optional
            A checkpoint of a fit of the same samples with the same parameters, to go on from: the model is then, to the
            bit, what it would be without the interruption. ``max_iter`` may be another one, and so may ``n_threads``,
            ``verbose`` and ``callback``.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            NaN, infinity, too few samples or features, a parameter out of its range, parameters that do not go together
            (``beta`` and relu, cross-entropy and an output other than sigmoid), data of which the loss has no value, or
            a cost that diverges; an iterator that gives its rows once, without ``spool``; a source that is not the same
            in each pass; a checkpoint of another model, of other settings or other
            samples, or a damaged one. The estimator is then as it was.
        OSError
            The rows cannot be spooled, a file of a source or a checkpoint cannot be read, or a checkpoint not be
            written: the last one that was is whole.
        KeyboardInterrupt
            Only before the first iteration. Later, Ctrl-C ends the fit with the best parameters so far and a warning.
        """
        settings = self._check_parameters()
        keeper = keeper_of(checkpoint, checkpoint_every, resume_from)
        look = None if keeper is None else keeper.digest.update
        with opened(X, spool) as given, anew(self, self._learned) as before:
            if isinstance(given, Source):
                samples, ends = self._learn_source(given, sample_weight, look)
            else:
                data = self._validate(given, reset=True)
                weight = weights_of(sample_weight, data)
                if look is not None:
                    look(data)
                ends = self._learn_scale(data, weight)
                samples = Samples(Data(ends), weight)
            check_targets(ends, self.loss, self._named)
            if self.scaler_ is None:
                warn_of_range(ends, self.output, "take scale='minmax'")
            control = self._control(samples, settings, before.get("params_"), keeper)
            control.run()
            self._keep(control.params)
            self.n_iter_ = control.n_iter
            self.loss_curve_ = np.array([c.total for c in control.costs])
            self.loss_parts_ = np.array([c[1:] for c in control.costs])
            if self.early_stopping:
                self.validation_curve_ = np.array(control.validation_curve)
            self._measure(samples, settings)
            self._check_finite(self.n_iter_, control.unit, len(samples.data.X))
            low, high = self._unit_range_
            warn_of_units(self._rho_fitted_, low, high, self.hidden)
        return self

    def _learn_source(
        self, source: Source, sample_weight: ArrayLike | None, look: Callable[[FloatArray], object] | None
    ) -> tuple[Samples, NDArray[Any]]:
        """One look at all samples of a source: they, as the network sees them, and the ends of their range."""
        found = survey(source, sample_weight, self.scale == "ufldl", look)
        set_columns(self, source)
        self._scale_by(found, source)
        scale = None if self.scaler_ is None else self.scaler_._scale
        ends = ends_of(found.extent, source.dtype)
        if self.scaler_ is not None:  # where all scaled data go
            ends = np.full((2, source.n_features), np.array(self.scaler_.feature_range_)[:, None], source.dtype)
        return Samples(Data(cast("NDArray[Any]", Streamed(source, scale))), found.weight), ends

    def _scale_by(self, found: Survey, source: Source) -> None:
        """Set ``scaler_`` by what a look at all samples has found."""
        self.scaler_ = None
        if self.scale == "minmax":
            self.scaler_ = UnitScaler(self.output)._learn(found.extent)
        elif found.spread is not None:
            self.scaler_ = UFLDLScaler(output=self.output)._learn_spread(found.spread, source.dtype, source.n_features)

    def _control(
        self, samples: Samples, settings: Settings, last: Params | None, keeper: Keeper | None
    ) -> FitControl[Params]:
        """The loop around the solver that the parameters ask for; ``last`` are the parameters of an earlier fit."""
        rng = rng_of(self.random_state) if keeper is None else keeper.open(self, samples.weight, ("max_iter",))
        start = self._start(samples, rng, last)
        seed = int(rng.randint(2**31 - 1))
        judge = None
        if self.early_stopping:
            train, check = split(len(samples.data.X), self.validation_fraction, samples.weight, rng)
            judge = judge_of(samples.rows(check), settings, self.n_threads)
            samples = samples.rows(train)
        resumes = keeper is not None and keeper.resumes
        solver = solver_of(self, self.solver, self.learning_rate, start, samples, settings, seed, resumes)
        return FitControl(self, solver, judge, keeper)

    @offered_if(_by_epochs, "choose solver='adam' or 'sgd'; 'lbfgs' needs all samples at once")
    def partial_fit(
        self,
        X: ArrayLike | Source | Iterable[ArrayLike],
        y: object = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Go on with one pass of minibatches over these samples; for the solvers ``adam`` and ``sgd``.

        Any :class:`Source` or iterable of arrays will do, also one that gives its rows once: it is read window by
        window, as by :meth:`fit`. The first call learns the scale of an iterator from its first window.

        After ``fit`` it goes on from there. The optimiser's state continues from call to call, though not through
        copies and pickles, and begins anew with ``fit``. What ``set_params`` changes between two calls counts:
        ``learning_rate``, ``momentum``, ``batch_size``, ``rho``, ``beta``, ``weight_decay``, ``l1``, ``loss``,
        ``n_threads``; the network and its scale are those of the first call. ``rho_hat_`` and ``cost_`` are those of
        the last samples.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features), Source or iterable of arrays
        y : None
            Ignored.
        sample_weight : array_like of shape (n_samples,), optional

        Returns
        -------
        self

        Raises
        ------
        AttributeError
            The solver is ``lbfgs``.
        ValueError
            NaN, infinity, samples of another width, a parameter out of its range or one that cannot change
            (``n_components``, ``hidden``, ``output``, ``scale``, ``solver``), or a cost that diverges. The model is
            then as it was before the call, and so it is after Ctrl-C.

        Warns
        -----
        DataRangeWarning
            These samples, as the network sees them, lie where the output unit cannot reach them.
        """
        go_on(self, X, sample_weight)
        return self

    def _keep(self, params: Params) -> None:
        """What the network is, whatever ``set_params`` says from now on."""
        self.params_, self._units_, self._loss_ = params, (self.hidden, self.output), self.loss

    def _check_finite(self, n_iter: int, unit: str, n_samples: int, after: str = "") -> None:
        J, _, _, sparsity = self.cost_
        check_finite(self.params_, J, n_iter, unit, after=after, sparsity=sparsity, n_samples=n_samples)

    def _check_unchanged(self, *names: str) -> None:
        """These parameters are those of the fitted network."""
        kinds = {type(None): "none", UnitScaler: "minmax", UFLDLScaler: "ufldl"}
        fitted: dict[str, Any] = {"n_components": self._n_features_out, "scale": kinds[type(self.scaler_)]}
        fitted["hidden"], fitted["output"] = self._units
        if getattr(self, "_trainer", None) is not None:
            fitted["solver"] = self._trainer.solver
        for name in names:
            if (new := getattr(self, name)) != (old := fitted.get(name, new)):
                raise ValueError(
                    f"{name} must stay {old!r}, with which the model was fitted, got {new!r}: fit() begins anew with it"
                )

    @property
    def _units(self) -> tuple[Hidden, Output]:
        """Activations of the fitted network, whatever ``set_params`` has said since."""
        return getattr(self, "_units_", (self.hidden, self.output))

    def _check_parameters(self) -> Settings:
        self._check_training()
        check_count("n_components", self.n_components)
        check_count("max_iter", self.max_iter)
        check_solver("solver", self.solver)
        check_n_threads(self.n_threads)
        if not isinstance(self.scale, str) or self.scale not in SCALINGS:
            raise ValueError(f"scale must be 'none', 'minmax' or 'ufldl', got {self.scale!r}")
        return check_autoencoder(self.hidden, self.output, self.rho, self.beta, self.weight_decay, self.loss, self.l1)

    def _learn_scale(self, X: NDArray[Any], weight: Weight) -> NDArray[Any]:
        """Set ``scaler_`` by the samples; the scaled samples."""
        self.scaler_ = None
        if self.scale == "minmax":
            self.scaler_ = UnitScaler(self.output).fit(X, sample_weight=weight)
        elif self.scale == "ufldl":
            self.scaler_ = UFLDLScaler(output=self.output).fit(X, sample_weight=weight)
        return self._scaled(X)

    def _scaled(self, X: NDArray[Any]) -> NDArray[Any]:
        return X if self.scaler_ is None else self.scaler_._scale.forward(X)

    @property
    def _named(self) -> str:
        """What the network sees, in words."""
        return "X" if self.scaler_ is None else "X, scaled,"

    def _start(self, samples: Samples, rng: np.random.RandomState, last: Params | None) -> Params:
        X = samples.data.X
        if self.warm_start and last is not None:
            wanted = (self.n_components, X.shape[1])
            if last.W1.shape == wanted:
                return Params(*(a.astype(X.dtype) for a in last))
            raise ValueError(f"warm_start needs the layer sizes of the last fit, {last.W1.shape}, got {wanted}")
        return start_of(samples, self.n_components, (self.hidden, self.output), rng)

    def _measure(self, samples: Samples, settings: Settings) -> None:
        """cost_, rho_hat_ and the range of each unit over samples as the network sees them."""
        found = measure(self.params_, *samples, settings, check_n_threads(self.n_threads))
        self.cost_, (self.rho_hat_,), (low,), (high,) = found
        self._unit_range_ = low, high
        self._rho_fitted_ = float(self.rho)

    # Use

    def transform(self, X: ArrayLike | Source | Iterable[ArrayLike]) -> FloatArray:
        """Codes of the samples, shape (n_samples, n_components), in the dtype of ``params_``.

        Samples of a :class:`Source` or an iterable of arrays are read block by block; their codes are in memory.
        """
        check_is_fitted(self)
        if is_source(X):
            return np.concatenate([self._encode(block) for block in blocks_of(self, X)])
        return self._encode(self._validate(cast("ArrayLike", X), reset=False))

    def inverse_transform(self, X: ArrayLike) -> FloatArray:
        """Reconstructions from codes ``X`` (n_samples, n_components), shape (n_samples, n_features).

        With ``scale="ufldl"`` they are about mean 0: the codes do not tell the samples' means.
        """
        check_is_fitted(self)
        codes = check_codes(X, self._n_features_out)
        a3 = decode(self.params_, codes, output=self._units[1], n_threads=self.n_threads)
        return a3 if self.scaler_ is None else self.scaler_._scale.backward(a3)

    def _encode(self, X: NDArray[Any]) -> FloatArray:
        hidden = self._units[0]
        if self.scaler_ is None:
            return encode(self.params_, X, hidden=hidden, n_threads=self.n_threads)
        codes = np.empty((len(X), self._n_features_out), self.params_.W1.dtype)
        for i in range(0, len(X), BLOCK):
            rows = slice(i, i + BLOCK)
            encode(self.params_, self._scaled(X[rows]), hidden=hidden, out=codes[rows], n_threads=self.n_threads)
        return codes

    def _output(self, X: NDArray[Any], *, linear: bool = False) -> FloatArray:
        output = "linear" if linear else self._units[1]
        return decode(self.params_, self._encode(X), output=output, n_threads=self.n_threads)

    def _target(self, X: NDArray[Any], *, cut: bool = False) -> NDArray[Any]:
        return X if self.scaler_ is None else self.scaler_._scale.forward(X, cut=cut)

    def _reconstruct(self, X: NDArray[Any]) -> FloatArray:
        a3 = self._output(X)
        return a3 if self.scaler_ is None else self.scaler_._scale.restore(a3, X)

    def unit_report(self, X: ArrayLike | None = None) -> UnitReport:
        """What each hidden unit does on the training data, or on ``X``; see :class:`UnitReport`.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features), optional
            Other samples, whose codes also tell which units are correlated. Samples weigh alike.

        Returns
        -------
        UnitReport
        """
        check_is_fitted(self)
        if X is None:
            return judge(self._rho_fitted_, self.rho_hat_, *self._unit_range_, self._units[0], self.params_.W1)
        return judge_codes(self._rho_fitted_, np.asarray(self.transform(X)), self._units[0], self.params_.W1)

    def fold(self, *, clip: Clip = "error", dtype: DTypeLike | None = None) -> Encoder:
        """An :class:`Encoder` with the scaling in its weights; see :func:`sae_fast.fold`."""
        return cast(Encoder, fold(self, clip=clip, dtype=dtype))

    _folds_to_stack = False

    def _fold_layers(self) -> tuple[list[tuple[FloatArray, FloatArray, Hidden]], list[Any]]:
        check_is_fitted(self)
        layer = self.params_.W1, self.params_.b1, self._units[0]
        return [layer], [] if self.scaler_ is None else [self.scaler_]

    def _decoder_layers(self) -> list[tuple[FloatArray, FloatArray, Output]]:
        return [(self.params_.W2, self.params_.b2, self._units[1])]

    @property
    def components_(self) -> FloatArray:
        """Encoder weights W1, shape (n_components, n_features)."""
        return self.params_.W1

    @property
    def _n_features_out(self) -> int:
        return int(self.params_.W1.shape[0])

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()
        return {k: v for k, v in state.items() if k != "_trainer"}


register(KIND, partial(estimator_from, SparseAutoencoder))
