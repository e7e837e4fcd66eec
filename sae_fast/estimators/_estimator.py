"""SparseAutoencoder: the sparse autoencoder as a scikit-learn transformer.

One class in one file: half of its length is the documentation of its parameters and attributes.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from os import PathLike
from typing import Any, Self, cast

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

try:
    from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as error:
    raise ImportError('SparseAutoencoder needs scikit-learn: pip install "sae-fast[estimators]"') from error

from .. import _core
from .._public import public_in
from ..encoders._encoder import Encoder
from ..encoders._fold import fold
from ..files._kinds import register
from ..files._model_schema import KIND
from ..network._checks import (
    check_count,
    check_in,
    check_n_threads,
    check_rate,
)
from ..network._data import Data
from ..network._functional import decode, encode, init_params
from ..network._layers import copy_params
from ..network._optimizers import rule_of
from ..network._scale import SCALINGS, Clip, Scaling
from ..network._settings import Settings, check_autoencoder
from ..network._solvers import EpochSolver, LbfgsSolver, Solver, check_solver, trainer_options
from ..network._types import Cost, EpochInfo, FloatArray, Hidden, Output, Params
from ..network._units import UNITS
from ..preprocessing._scalers import UFLDLScaler, UnitScaler
from ..preprocessing._transformer import anew, check_codes, offered_if, restoring, rng_of, weights_of
from ._estimator_file import estimator_from, save
from ._fit import FitControl, check_finite
from ._unit_report import BLOCK, UnitReport, judge, judge_codes, statuses

_AS_BEFORE = "; the model is as it was before this call"
_SCALE_OF_ALL = (
    "the scale is that of the first samples; let a UnitScaler see all of them (partial_fit) and put it before the model"
)


@public_in("sae_fast")
class DataRangeWarning(UserWarning):
    """The data lie where the output unit cannot reach them."""


@public_in("sae_fast")
class UnitWarning(UserWarning):
    """Hidden units are dead or saturated."""


def _by_epochs(self: SparseAutoencoder) -> bool:
    return self.solver in ("adam", "sgd")


@public_in("sae_fast")
class SparseAutoencoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Sparse autoencoder (UFLDL): codes that are mostly inactive, to be used where PCA stood.

    Parameters
    ----------
    n_components : int
        Hidden units.
    rho : float
        Wanted mean activation of each hidden unit, in (0, 1).
    beta : float
        Weight of the penalty that pulls the mean activations to ``rho``, >= 0.
    weight_decay : float
        Weight of the L2 penalty on the weights, >= 0.
    hidden : {"sigmoid", "tanh"}
        Activation of the hidden layer.
    output : {"sigmoid", "tanh", "linear"}
        Activation of the output layer. Sigmoid reaches data in [0, 1], tanh in [-1, 1], linear any.
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
        Mean activations over the training data, mapped to [0, 1].
    cost_ : Cost
        J and its parts at ``params_`` over the training data, as the network sees them: scaled.
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
        "n_features_in_", "feature_names_in_", "_unit_range_", "_rho_fitted_", "_units_", "_trainer"
    )  # fmt: skip

    def __init__(
        self,
        n_components: int = 25,
        *,
        rho: float = 0.05,
        beta: float = 3.0,
        weight_decay: float = 1e-4,
        hidden: Hidden = "sigmoid",
        output: Output = "sigmoid",
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
        self.hidden = hidden
        self.output = output
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

    def fit(self, X: ArrayLike, y: object = None, sample_weight: ArrayLike | None = None) -> Self:
        """Learn weights from the samples.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features)
            float32 is worked on in float32, everything else in float64.
        y : None
            Ignored.
        sample_weight : array_like of shape (n_samples,), optional
            Weights: every mean over samples is a weighted one, the mean activations too.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            NaN, infinity, too few samples or features, a parameter out of its range, or a cost that diverges. The
            estimator is then as it was.
        KeyboardInterrupt
            Only before the first iteration. Later, Ctrl-C ends the fit with the best parameters so far and a warning.
        """
        settings = self._check_parameters()
        threads = check_n_threads(self.n_threads)
        with anew(self, self._learned) as before:
            data = self._validate(X, reset=True)
            weight = weights_of(sample_weight, data)
            data = self._learn_scale(data, weight)
            if self.scaler_ is None:
                warn_of_range(data, self.output, "take scale='minmax'")
            rng = rng_of(self.random_state)
            start = self._start(data, rng, before.get("params_"))
            seed = int(rng.randint(2**31 - 1))
            train, train_weight, check, check_weight = self._split(data, weight, rng)
            solver: Solver[Params]
            if self.solver == "lbfgs":
                solver = LbfgsSolver(start, Data(train), train_weight, settings, n_threads=self.n_threads)
            else:
                solver = EpochSolver(start, settings, self._options(seed)).use(Data(train), train_weight)

            def validation(params: Params) -> float:
                return _core.evaluate(params, *Data(check), check_weight, settings.core, n_threads=threads)[0]

            control = FitControl(self, solver, validation if self.early_stopping else None)
            control.run()
            self.params_, self._units_ = control.params, (self.hidden, self.output)
            self.n_iter_ = control.n_iter
            self.loss_curve_ = np.array([c.total for c in control.costs])
            self.loss_parts_ = np.array([c[1:] for c in control.costs])
            if self.early_stopping:
                self.validation_curve_ = np.array(control.validation_curve)
            self._measure(data, weight, settings, threads)
            check_finite(self.params_, self.cost_.total, self.n_iter_, solver.unit)
            self._warn_of_units()
        return self

    @offered_if(_by_epochs, "choose solver='adam' or 'sgd'; 'lbfgs' needs all samples at once")
    def partial_fit(self, X: ArrayLike, y: object = None, sample_weight: ArrayLike | None = None) -> Self:
        """Go on with one pass of minibatches over these samples; for the solvers ``adam`` and ``sgd``.

        After ``fit`` it goes on from there. The optimiser's state continues from call to call, though not through
        copies and pickles, and begins anew with ``fit``. What ``set_params`` changes between two calls counts:
        ``learning_rate``, ``momentum``, ``batch_size``, ``rho``, ``beta``, ``weight_decay``, ``n_threads``; the network
        and its scale are those of the first call. ``rho_hat_`` and ``cost_`` are those of the last samples.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features)
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
        settings = self._check_parameters()
        threads = check_n_threads(self.n_threads)
        first = not hasattr(self, "params_")
        if not first:
            self._check_unchanged("n_components", "scale", "hidden", "output", "solver")
        with restoring(self, self._learned):
            data = self._validate(X, reset=first)
            weight = weights_of(sample_weight, data)
            if first:
                data = self._learn_scale(data, weight)
                self.n_iter_, self.loss_curve_, self.loss_parts_ = 0, np.empty(0), np.empty((0, 3))
            else:
                data = self._scaled(data).astype(self.params_.W1.dtype, copy=False)
            if self.scaler_ is None:
                warn_of_range(data, self.output, "take scale='minmax'")
            else:
                warn_of_range(data, self.output, _SCALE_OF_ALL, "scaled data")
            trainer: EpochSolver[Params] | None = getattr(self, "_trainer", None)
            if trainer is None:
                rng = rng_of(self.random_state)
                start = self._start(data, rng, None) if first else self.params_
                trainer = EpochSolver(start, settings, self._options(int(rng.randint(2**31 - 1))))
            else:
                trainer.go_on(self.params_, settings, self._options(0))
            with trainer.trial():
                cost, _ = trainer.use(Data(data), weight).step()
                self.params_, self._units_ = copy_params(trainer.params), (self.hidden, self.output)
                self.n_iter_ += 1
                self.loss_curve_ = np.append(self.loss_curve_, cost.total)
                self.loss_parts_ = np.vstack([self.loss_parts_, cost[1:]])
                self._measure(data, weight, settings, threads)
                check_finite(self.params_, self.cost_.total, 1, trainer.unit, after=_AS_BEFORE)
            self._trainer = trainer
        return self

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
        check_count("n_components", self.n_components)
        check_count("max_iter", self.max_iter)
        check_count("batch_size", self.batch_size)
        check_count("n_iter_no_change", self.n_iter_no_change)
        check_in("tol", self.tol, 0.0, np.inf, ">= 0 and finite")
        check_in("momentum", self.momentum, 0.0, 1.0, "in [0, 1)")
        check_rate("learning_rate", self.learning_rate)
        fraction = check_in("validation_fraction", self.validation_fraction, 0.0, 1.0, "in (0, 1)")
        if fraction == 0.0:
            raise ValueError("validation_fraction must be in (0, 1), got 0.0")
        check_solver("solver", self.solver)
        if not isinstance(self.scale, str) or self.scale not in SCALINGS:
            raise ValueError(f"scale must be 'none', 'minmax' or 'ufldl', got {self.scale!r}")
        if self.callback is not None and not callable(self.callback):
            raise TypeError(f"callback must be callable or None, got {self.callback!r}")
        return check_autoencoder(self.hidden, self.output, self.rho, self.beta, self.weight_decay)

    def _validate(self, X: ArrayLike, *, reset: bool) -> NDArray[Any]:
        data: NDArray[Any] = validate_data(self, X, dtype=[np.float64, np.float32], reset=reset)
        return data

    def _learn_scale(self, X: NDArray[Any], weight: NDArray[np.float64] | None) -> NDArray[Any]:
        """Set ``scaler_`` by the samples; the scaled samples."""
        self.scaler_ = None
        if self.scale == "minmax":
            self.scaler_ = UnitScaler(self.output).fit(X, sample_weight=weight)
        elif self.scale == "ufldl":
            self.scaler_ = UFLDLScaler(output=self.output).fit(X, sample_weight=weight)
        return self._scaled(X)

    def _scaled(self, X: NDArray[Any]) -> NDArray[Any]:
        return X if self.scaler_ is None else self.scaler_._scale.forward(X)

    def _start(self, X: NDArray[Any], rng: np.random.RandomState, last: Params | None) -> Params:
        if self.warm_start and last is not None:
            wanted = (self.n_components, X.shape[1])
            if last.W1.shape == wanted:
                return Params(*(a.astype(X.dtype) for a in last))
            raise ValueError(f"warm_start needs the layer sizes of the last fit, {last.W1.shape}, got {wanted}")
        return init_params(X.shape[1], self.n_components, random_state=rng, dtype=X.dtype)

    def _options(self, seed: int) -> dict[str, Any]:
        rule = rule_of(self.solver, self.learning_rate, self.momentum)
        return trainer_options(rule, batch_size=self.batch_size, seed=seed, n_threads=self.n_threads)

    def _split(
        self, X: NDArray[Any], weight: NDArray[np.float64] | None, rng: np.random.RandomState
    ) -> tuple[NDArray[Any], NDArray[np.float64] | None, NDArray[Any], NDArray[np.float64] | None]:
        if not self.early_stopping:
            return X, weight, X, weight
        n = max(1, round(self.validation_fraction * len(X)))
        if n >= len(X):
            raise ValueError(f"early_stopping needs samples on both sides of the split, got n_samples = {len(X)}")
        order = rng.permutation(len(X))
        check, train = np.sort(order[:n]), np.sort(order[n:])
        if weight is None:
            return X[train], None, X[check], None
        if not weight[train].sum() > 0 or not weight[check].sum() > 0:
            raise ValueError("sample_weight must have a sum > 0 on both sides of the validation split")
        return X[train], weight[train], X[check], weight[check]

    def _measure(
        self,
        X: NDArray[Any],
        weight: NDArray[np.float64] | None,
        settings: Settings,
        threads: int,
    ) -> None:
        """cost_, rho_hat_ and the range of each unit over the training data."""
        self.rho_hat_ = np.empty(self.params_.W1.shape[0])
        values = _core.evaluate(
            self.params_,
            *Data(X),
            weight,
            settings.core,
            rho_hat=self.rho_hat_,
            n_threads=threads,
        )
        self.cost_ = Cost(*values)
        low = np.full(len(self.rho_hat_), np.inf)
        high = np.full(len(self.rho_hat_), -np.inf)
        for i in range(0, len(X), BLOCK):
            codes = encode(self.params_, X[i : i + BLOCK], hidden=self._units[0], n_threads=self.n_threads)
            low, high = np.minimum(low, codes.min(axis=0)), np.maximum(high, codes.max(axis=0))
        if self._units[0] == "tanh":
            low, high = (low + 1) / 2, (high + 1) / 2
        self._unit_range_ = (low.astype(np.float64), high.astype(np.float64))
        self._rho_fitted_ = float(self.rho)

    def _warn_of_units(self) -> None:
        status = statuses(self._rho_fitted_, *self._unit_range_)
        n_dead, n_saturated = int(np.sum(status == "dead")), int(np.sum(status == "saturated"))
        if n_dead or n_saturated:
            warnings.warn(
                f"of {len(status)} hidden units {n_dead} are dead and {n_saturated} saturated "
                "over the training data: unit_report() shows which; fewer units, a smaller beta or more "
                "iterations may help",
                UnitWarning,
                stacklevel=3,
            )

    # Use

    def transform(self, X: ArrayLike) -> FloatArray:
        """Codes of the samples, shape (n_samples, n_components), in the dtype of ``params_``."""
        check_is_fitted(self)
        return self._encode(self._validate(X, reset=False))

    def inverse_transform(self, X: ArrayLike) -> FloatArray:
        """Reconstructions from codes ``X`` (n_samples, n_components), shape (n_samples, n_features).

        With ``scale="ufldl"`` they are about mean 0: the codes do not tell the samples' means.
        """
        check_is_fitted(self)
        a3 = self._decode(check_codes(X, self._n_features_out))
        return a3 if self.scaler_ is None else self.scaler_._scale.backward(a3)

    def reconstruct(self, X: ArrayLike) -> FloatArray:
        """Reconstructions of the samples, ``inverse_transform(transform(X))`` without wrapping.

        With ``scale="ufldl"`` each is put about the mean of its sample.
        """
        check_is_fitted(self)
        return self._reconstruct(self._validate(X, reset=False))

    def score_samples(self, X: ArrayLike) -> NDArray[np.float64]:
        """Minus each sample's reconstruction error ``1/2 sum ((reconstruct(x) - x) / unit)^2``, shape (n_samples,).

        Without ``scale`` the unit is 1. With it the errors are those of the scaled data, so that features of any range
        count alike: ``unit`` is what makes a step of 1 there, ``data_range_ / 0.8`` of each feature for
        ``scale="minmax"`` (1.6 for a tanh output), ``limit_ / 0.4`` for ``"ufldl"`` (0.8). What ``"ufldl"`` cuts off
        is part of the error; a feature that was constant in training, which the network sees as the middle, is not.
        Scores are comparable among models of one ``scale``; across scales, and with other methods, compare
        ``reconstruct(X)`` with ``X``, in the unit that matters to you.
        """
        check_is_fitted(self)
        data = self._validate(X, reset=False)
        errors = np.empty(len(data))
        for i in range(0, len(data), BLOCK):
            block = data[i : i + BLOCK]
            wanted = block if self.scaler_ is None else self.scaler_._scale.forward(block, cut=False)
            difference = (self._decode(self._encode(block)) - wanted).astype(np.float64)
            errors[i : i + BLOCK] = 0.5 * np.einsum("ij,ij->i", difference, difference)
        return -errors

    def _encode(self, X: NDArray[Any]) -> FloatArray:
        hidden = self._units[0]
        if self.scaler_ is None:
            return encode(self.params_, X, hidden=hidden, n_threads=self.n_threads)
        codes = np.empty((len(X), self._n_features_out), self.params_.W1.dtype)
        for i in range(0, len(X), BLOCK):
            rows = slice(i, i + BLOCK)
            encode(self.params_, self._scaled(X[rows]), hidden=hidden, out=codes[rows], n_threads=self.n_threads)
        return codes

    def _decode(self, codes: FloatArray) -> FloatArray:
        """Reconstructions as the network gives them: scaled."""
        return decode(self.params_, codes, output=self._units[1], n_threads=self.n_threads)

    def _reconstruct(self, X: NDArray[Any]) -> FloatArray:
        a3 = self._decode(self._encode(X))
        return a3 if self.scaler_ is None else self.scaler_._scale.restore(a3, X)

    def score(self, X: ArrayLike, y: object = None, sample_weight: ArrayLike | None = None) -> float:
        """Mean of :meth:`score_samples`; larger is better.

        It is minus the reconstruction part of J, as the network sees the data (and, with ``scale="ufldl"``, the error
        of what it cuts off). With ``scale`` that is the error in units of the scale, which no feature of large values
        dominates: searches compare models of one ``scale`` by it. To choose the ``scale`` itself give the search a
        ``scoring`` that does not depend on it, such as scikit-learn's ``r2_score(X, model.reconstruct(X))``.
        """
        scores = self.score_samples(X)
        return float(np.average(scores, weights=weights_of(sample_weight, scores)))

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
            return judge(self._rho_fitted_, self.rho_hat_, *self._unit_range_, self.params_.W1)
        return judge_codes(self._rho_fitted_, np.asarray(self.transform(X)), self._units[0], self.params_.W1)

    def fold(self, *, clip: Clip = "error", dtype: DTypeLike | None = None) -> Encoder:
        """An :class:`Encoder` with the scaling in its weights; see :func:`sae_fast.fold`."""
        return cast(Encoder, fold(self, clip=clip, dtype=dtype))

    _folds_to_stack = False

    def _fold_layers(self) -> tuple[list[tuple[FloatArray, FloatArray, Hidden]], list[Any]]:
        check_is_fitted(self)
        layer = self.params_.W1, self.params_.b1, self._units[0]
        return [layer], [] if self.scaler_ is None else [self.scaler_]

    def save(self, path: str | PathLike[str]) -> None:
        """Write the model to one safetensors file, whole or not at all; :func:`sae_fast.load` reads it."""
        check_is_fitted(self)
        save(self, path)

    @property
    def components_(self) -> FloatArray:
        """Encoder weights W1, shape (n_components, n_features)."""
        return self.params_.W1

    @property
    def _n_features_out(self) -> int:
        return int(self.params_.W1.shape[0])

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "params_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()
        return {k: v for k, v in state.items() if k != "_trainer"}


register(KIND, partial(estimator_from, SparseAutoencoder))


def warn_of_range(X: NDArray[Any], output: Output, advice: str, what: str = "data") -> None:
    """Warn the caller of the method that calls this of data that the output unit cannot reach."""
    low, high = UNITS[output].low, UNITS[output].high
    if np.isinf(low) and np.isinf(high):
        return
    found = float(X.min()), float(X.max())
    if found[0] < low or found[1] > high:
        warnings.warn(
            f"the {what} reach from {found[0]:.4g} to {found[1]:.4g}, but a {output} output unit only from "
            f"{low:g} to {high:g}: {advice}, or output='linear'",
            DataRangeWarning,
            stacklevel=3,
        )
