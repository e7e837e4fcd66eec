"""SparseAutoencoderOutlierDetector: samples that a sparse autoencoder cannot reconstruct, by scikit-learn's contract.

Half of it is the documentation of parameters and attributes.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from os import PathLike
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

try:
    from sklearn.base import OutlierMixin
    from sklearn.utils.validation import check_is_fitted
except ImportError as error:
    raise ImportError(
        'SparseAutoencoderOutlierDetector needs scikit-learn: pip install "sae-fast[estimators]"'
    ) from error

from .._public import public_in
from ..estimators._base import Autoencoder
from ..estimators._estimator import SparseAutoencoder
from ..estimators._streamed import Streamed, check_columns, opened, set_columns
from ..estimators._unit_report import UnitWarning
from ..files._kinds import DETECTOR, register
from ..monitoring._monitored import Monitored
from ..network._checks import check_count, check_in
from ..network._scale import Scaling
from ..network._types import EpochInfo, FloatArray, Hidden, Loss, Output
from ..preprocessing._transformer import anew, rng_of
from ..streams._source import Source
from ._detector_file import detector_from, save
from ._feature_scale import FeatureScale, FeatureSums
from ._odd_features import odd_features
from ._rows import blocks, part, pieces, split
from ._threshold import check_contamination, conformal_offset, conformal_p_values, usual_offset

_ONCE = (
    "X is an iterator, which gives its rows once, and fit takes many passes over them: give what begins anew (a Source "
    "of files or of a list of arrays, an object whose __iter__ makes a new iterator), or spool=folder, which writes "
    "the rows to a file first"
)
_OWN = ("contamination", "calibration_fraction")


@public_in("sae_fast")
class SparseAutoencoderOutlierDetector(Monitored, OutlierMixin, Autoencoder):  # type: ignore[misc]
    """Outlier detector: what a sparse autoencoder that was trained on ordinary samples reconstructs badly is odd.

    A sample's score is minus the mean over its features of their squared reconstruction errors, each divided by the
    mean squared error of that feature in training. So an ordinary sample has about -1, and neither a feature's unit
    nor how well it can be predicted weighs in the sum. A feature that was constant in training has no error to
    compare with: any other value of it counts so much that its sample is an outlier by that alone.

    Parameters
    ----------
    n_components : int
        Hidden units.
    contamination : "auto" or float in (0, 0.5]
        Where the threshold is. ``"auto"`` needs no guess: it is Tukey's outer fence of the errors of samples that were
        held out of training, three interquartile ranges beyond their third quartile, of cube roots, or so near that of
        a hundred samples or more one at least is beyond. Of good samples of real data about one in a hundred is, and
        hardly any without long tails; :meth:`calibrate` sets the threshold by a rate.
        A number is the share of the training samples that shall be outliers.
    calibration_fraction : float
        Share of the samples that is held out of training, in (0, 1), for the threshold and :meth:`p_values`; at least
        20 samples, or half of them.
    rho, beta, weight_decay, l1, hidden, output, loss, scale, solver, max_iter, batch_size, learning_rate, momentum
        As in :class:`SparseAutoencoder`, but by default with linear outputs and ``scale="minmax"``, and codes that
        are less sparse, ``rho=0.2`` and ``beta=1``, and 50 iterations: in more of them the network learns odd samples
        that are among the training data, too.
    tol, n_iter_no_change, early_stopping, validation_fraction, random_state, n_threads, verbose, callback
        As there.

    Attributes
    ----------
    offset_ : float
        The threshold: samples with a lower score are outliers.
    autoencoder_ : SparseAutoencoder
        The network, fitted to the samples that were not held out.
    feature_scale_ : ndarray of shape (n_features,)
        Root mean square error of each feature in training, in its own unit; 0 for a feature that was constant.
    feature_mean_ : ndarray of shape (n_features,)
        Mean of each feature in training.
    calibration_scores_ : ndarray of shape (n_held_out,)
        Scores of the samples held out, or of those of :meth:`calibrate`, sorted.
    n_iter_ : int
        Iterations of the network's training.
    n_features_in_ : int
        Features seen in ``fit``.
    feature_names_in_ : ndarray of str
        Their names, where the data had any.

    Examples
    --------
    >>> import numpy as np, sae_fast as sf
    >>> rng = np.random.default_rng(0)
    >>> t = rng.uniform(size=(500, 1))
    >>> X = t @ [[1000.0, 0.2, -3.0]] + rng.normal(size=(500, 3)) * [10.0, 0.002, 0.03]
    >>> detector = sf.SparseAutoencoderOutlierDetector(4, max_iter=100, random_state=0).fit(X)
    >>> odd = X[:1] * [[1.0, 1.0, -1.0]]  # the third feature has the wrong sign
    >>> detector.predict(odd)
    array([-1])
    """

    _learned = (
        "autoencoder_", "offset_", "feature_scale_", "feature_mean_", "calibration_scores_", "n_features_in_",
        "feature_names_in_"
    )  # fmt: skip
    _write = save
    _no_onnx = "there are no nodes for its scores; convert its autoencoder_, whose reconstructions they are made of"

    def __init__(
        self,
        n_components: int = 25,
        *,
        contamination: str | float = "auto",
        calibration_fraction: float = 0.1,
        rho: float = 0.2,
        beta: float = 1.0,
        weight_decay: float = 1e-4,
        l1: float = 0.0,
        hidden: Hidden = "sigmoid",
        output: Output = "linear",
        loss: Loss = "squared",
        scale: Scaling = "minmax",
        solver: str = "lbfgs",
        max_iter: int = 50,
        batch_size: int = 256,
        learning_rate: float | None = None,
        momentum: float = 0.9,
        tol: float = 1e-7,
        n_iter_no_change: int = 10,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        random_state: Any = None,
        n_threads: int | None = None,
        verbose: int = 0,
        callback: Callable[[EpochInfo], object] | None = None,
    ) -> None:
        self.n_components = n_components
        self.contamination = contamination
        self.calibration_fraction = calibration_fraction
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
        self.random_state = random_state
        self.n_threads = n_threads
        self.verbose = verbose
        self.callback = callback

    def fit(
        self,
        X: ArrayLike | Source | Iterable[ArrayLike],
        y: object = None,
        *,
        spool: str | PathLike[str] | None = None,
    ) -> Self:
        """Learn what is usual.

        Of a :class:`Source`, or an iterable of arrays that begins anew whenever it is asked, in memory that does not
        grow with the features of all samples: the detector is the one that the same samples in an array give.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features), Source or iterable of arrays
            Ordinary samples, which a few odd ones may be among; fewer samples than features are enough.
            float32 is worked on in float32, everything else in float64.
        y : None
            Ignored.
        spool : path-like, optional
            A folder, to which an iterator, which gives its rows once, is written first.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            NaN, infinity, fewer than two samples, an iterator without ``spool``, a source that is not the same in each
            pass, or what :meth:`SparseAutoencoder.fit` refuses. The detector is then as it was.
        KeyboardInterrupt
            Only before the first iteration. Later, Ctrl-C ends the training with the best parameters so far and a
            warning.
        """
        contamination, fraction = self._check_parameters()
        with opened(X, spool, _ONCE) as given, anew(self, self._learned):
            data = self._samples(given)
            rng = rng_of(self.random_state)
            train, held_out = (part(data, rows) for rows in split(len(data), fraction, rng))
            options = {k: v for k, v in self.get_params(deep=False).items() if k not in _OWN}
            options["random_state"] = int(rng.randint(2**31 - 1))
            autoencoder = SparseAutoencoder(**options)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UnitWarning)  # a dead unit is one that these samples do not need
                autoencoder.fit(train)
            self.autoencoder_ = autoencoder.set_params(random_state=self.random_state, callback=None, verbose=0)
            if hasattr(self, "feature_names_in_"):
                autoencoder.feature_names_in_ = self.feature_names_in_
            sums = FeatureSums()
            for block in pieces(train):
                sums.add(block, autoencoder._reconstruct(block))
            self.feature_scale_, self.feature_mean_ = sums.scale()
            self.calibration_scores_ = np.sort(self._scores(held_out))
            scores = self._scores(data)
            if contamination is None:
                self.offset_ = usual_offset(self.calibration_scores_, scores)
            else:
                self.offset_ = float(np.percentile(scores, 100 * contamination))
        return self

    def _samples(self, X: Any) -> NDArray[Any] | Streamed:
        """What ``fit`` is given, checked; of a source when it is read."""
        if isinstance(X, Source):
            set_columns(self, X)
            return Streamed(X)
        data: NDArray[Any] = self._validate(X, reset=True)
        return data

    def _check_parameters(self) -> tuple[float | None, float]:
        """Share of outliers, None for "auto", and of samples held out; the network's own are checked by its fit."""
        self._check_training()
        wanted = "in (0, 1)"
        fraction = check_in("calibration_fraction", self.calibration_fraction, np.nextafter(0, 1), 1.0, wanted)
        return check_contamination(self.contamination), fraction

    # Scores

    def score_samples(self, X: ArrayLike | Source) -> NDArray[np.float64]:
        """Minus the mean of each sample's :meth:`feature_errors`; about -1 is usual, the lower the more abnormal.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features) or Source
            A source is read block by block, here and in all that judges by scores.

        Returns
        -------
        ndarray of shape (n_samples,)
            PyOD's ``decision_function`` has the other sign: there the larger is the more abnormal.
        """
        return np.concatenate([-errors.mean(axis=1) for errors in self._error_blocks(X)])

    def decision_function(self, X: ArrayLike | Source) -> NDArray[np.float64]:
        """``score_samples(X) - offset_``, shape (n_samples,): negative for outliers."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: ArrayLike | Source) -> NDArray[np.intp]:
        """-1 for outliers, 1 for all others, shape (n_samples,).

        PyOD has 1 for outliers and 0 for others: ``(detector.predict(X) == -1).astype(int)``.
        """
        return np.where(self.decision_function(X) >= 0, 1, -1)

    def feature_errors(self, X: ArrayLike) -> NDArray[np.float64]:
        """What each feature adds to how odd each sample is, shape (n_samples, n_features).

        Squared reconstruction errors in units of the mean squared error of the feature in training: 1 is usual, 9 is
        an error three times as large. Their mean over the features is ``-score_samples(X)``.
        """
        check_is_fitted(self)
        data = self._validate(X, reset=False)
        errors = np.empty(data.shape)
        for rows in blocks(len(data)):
            errors[rows] = self._errors(data[rows])
        return errors

    def _error_blocks(self, X: ArrayLike | Source) -> Iterator[NDArray[np.float64]]:
        """The same, block by block, of a source too."""
        check_is_fitted(self)
        if isinstance(X, Source):
            check_columns(self, X)
        yield from map(self._errors, X if isinstance(X, Source) else pieces(self._validate(X, reset=False)))

    def explain(self, X: ArrayLike, top: int | None = None) -> list[Any]:
        """The features that make a sample odd, largest error first.

        Parameters
        ----------
        X : array_like of shape (n_features,) or (n_samples, n_features)
        top : int, optional
            How many features; by default all of them.

        Returns
        -------
        list of OddFeature, or a list of such lists
            One for a single sample, one for each row of a table.

        Examples
        --------
        >>> import numpy as np, sae_fast as sf
        >>> X = np.random.default_rng(0).uniform(0.4, 0.6, (100, 3))
        >>> detector = sf.SparseAutoencoderOutlierDetector(2, max_iter=20, random_state=0).fit(X)
        >>> [found.feature for found in detector.explain([0.5, 7.0, 0.5], top=1)]
        [1]
        """
        check_is_fitted(self)
        if top is not None:
            check_count("top", top)
        one = np.ndim(X) == 1
        rows: Any = X
        if one:
            rows = rows.to_frame().T if hasattr(X, "to_frame") else [X]  # a row of a data frame keeps its names
        data = self._validate(rows, reset=False)
        expected, errors = self._judged(data)
        names = getattr(self, "feature_names_in_", range(self.n_features_in_))
        found = [odd_features(names, *row, top) for row in zip(data, expected, errors, strict=True)]
        return found[0] if one else found

    # Thresholds

    def calibrate(self, X: ArrayLike | Source, *, fpr: float = 0.01) -> Self:
        """Set the threshold by good samples, so that of such samples at most a share ``fpr`` are called outliers.

        That is a bound on the probability, over the draw of these samples and of the one to be judged, and it needs
        no more than that both are drawn alike (conformal prediction).

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features)
            Ordinary samples that the detector has not been fitted to, ``1/fpr - 1`` at least.
        fpr : float
            False positive rate, in (0, 1).

        Returns
        -------
        self
            With other ``offset_`` and ``calibration_scores_``.

        Raises
        ------
        ValueError
            Too few samples for the rate. The detector is then as it was.
        """
        check_is_fitted(self)
        rate = check_in("fpr", fpr, np.nextafter(0, 1), 1.0, "in (0, 1)")
        scores = np.sort(self.score_samples(X))
        self.offset_ = conformal_offset(scores, rate)
        self.calibration_scores_ = scores
        return self

    def p_values(self, X: ArrayLike | Source) -> NDArray[np.float64]:
        """How probable a score as low as each sample's is among ordinary samples, shape (n_samples,).

        Conformal p-values: the share of ``calibration_scores_``, the sample's own among them, that are no higher.
        Among samples drawn like those, values of at most p have a probability of at most p. After ``calibrate``,
        ``predict`` is -1 where they are at most ``fpr``.
        """
        return conformal_p_values(self.calibration_scores_, self.score_samples(X))

    def _scores(self, X: NDArray[Any] | Streamed) -> NDArray[np.float64]:
        return np.concatenate([-self._errors(block).mean(axis=1) for block in pieces(X)])

    def _errors(self, X: NDArray[Any]) -> NDArray[np.float64]:
        return self._judged(X)[1]

    def _judged(self, X: NDArray[Any]) -> tuple[FloatArray, NDArray[np.float64]]:
        """Reconstructions and the errors of features; values that no sum can hold are infinitely odd."""
        with np.errstate(over="ignore", invalid="ignore"):
            expected = self.autoencoder_._reconstruct(X)
        return expected, FeatureScale(self.feature_scale_, self.feature_mean_).standardised(X, expected)

    @property
    def n_iter_(self) -> int:
        """Iterations of the network's training."""
        return int(self.autoencoder_.n_iter_)


register(DETECTOR, partial(detector_from, SparseAutoencoderOutlierDetector))
