"""A sparse autoencoder beside PCA with as many components."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._public import public_in
from .._text_tables import aligned, for_json, number
from ..encoders._frozen import thawed
from ..estimators._estimator import SparseAutoencoder
from ..estimators._fit import FitInterruptedWarning
from ..network._checks import check_count, check_random_state, seed_from
from ..network._units import activity
from ._code_measures import accuracies, errors, sparsity, speed

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@public_in("sae_fast")
class Coder(NamedTuple):
    """One row of the comparison; NaN where there is nothing to measure.

    Attributes
    ----------
    name : str
    n_components : int
        Length of a code.
    error : float
        Reconstruction error of a sample, mean of ``1/2 sum (x' - x)^2``.
    explained : float
        Share of the variance of ``X`` that the reconstruction explains; 1 is all.
    inactive : float
        Share of the entries of the codes below a tenth of the largest that their unit reaches, in absolute value.
    hoyer : float
        Sparsity of a code by Hoyer's measure (JMLR 5, 2004), ``(sqrt(n) - L1/L2) / (sqrt(n) - 1)``, mean over samples:
        0 if all units are equally active, 1 if a single one is.
    entropy : float
        Entropy of the shares that the units have in a code's absolute sum, over its largest value log n, mean over
        samples: 1 if all are equally active, 0 if a single one is.
    accuracy, accuracy_std : float
        Cross-validated accuracy of logistic regression on the standardised codes: mean and standard deviation over the
        folds.
    rows_per_second : float
        Speed of ``transform`` on all of ``X``.
    row_microseconds : float
        Time that ``transform`` takes for one row.
    """

    name: str
    n_components: int
    error: float = math.nan
    explained: float = math.nan
    inactive: float = math.nan
    hoyer: float = math.nan
    entropy: float = math.nan
    accuracy: float = math.nan
    accuracy_std: float = math.nan
    rows_per_second: float = math.nan
    row_microseconds: float = math.nan


@public_in("sae_fast")
@dataclass(frozen=True, eq=False)
class PCAComparison:
    """What :func:`compare_with_pca` measured.

    Attributes
    ----------
    sae, pca : Coder
        The two.
    raw : Coder or None
        Accuracy on the features themselves; where there were labels.
    model : SparseAutoencoder
        The fitted one.
    n_samples : int
        Samples that all was measured on.
    """

    sae: Coder
    pca: Coder
    raw: Coder | None
    model: Any
    n_samples: int

    @property
    def rows(self) -> list[Coder]:
        """All rows."""
        return [self.sae, self.pca] + ([] if self.raw is None else [self.raw])

    def to_pandas(self) -> pd.DataFrame:
        """The table as a data frame, one row for each coder."""
        import pandas as pd

        return pd.DataFrame(self.rows).set_index("name")

    def to_dict(self) -> dict[str, Any]:
        """The table for JSON; None where there was nothing to measure."""
        return {"n_samples": self.n_samples, "coders": for_json(self.rows)}

    def __str__(self) -> str:
        rows = self.rows
        table = [("", *(row.name for row in rows))]
        for words, show in LINES:
            cells = [show(row) for row in rows]
            if any(cell != "-" for cell in cells):
                table.append((words, *cells))
        return "\n".join([*aligned(table), f"over {self.n_samples} samples"])

    def plot(self) -> Figure:
        """Bars of error, sparsity, accuracy and speed side by side, on a figure of its own."""
        try:
            from matplotlib.figure import Figure
        except ImportError as error:
            raise ImportError('PCAComparison.plot needs matplotlib: pip install "sae-fast[plot]"') from error
        panels = [("reconstruction error", "error"), ("sparsity (Hoyer)", "hoyer")]
        panels += [("accuracy", "accuracy")] if self.raw is not None else []
        panels += [("rows per second", "rows_per_second")]
        figure = Figure(figsize=(2.6 * len(panels), 3.2), layout="constrained")
        for i, (title, field) in enumerate(panels):
            ax = figure.add_subplot(1, len(panels), i + 1)
            rows = [row for row in self.rows if getattr(row, field) == getattr(row, field)]
            colors = ["#0072B2", "#D55E00", "#999999"]
            bars = ax.bar([row.name for row in rows], [getattr(row, field) for row in rows], color=colors[: len(rows)])
            ax.bar_label(bars, fmt="{:.3g}")
            ax.margins(y=0.12)
            ax.set_title(title)
            ax.spines[["top", "right"]].set_visible(False)
        return figure


def _accuracy(row: Coder) -> str:
    return "-" if row.accuracy != row.accuracy else f"{row.accuracy:.1%} +- {row.accuracy_std:.1%}"


LINES: list[tuple[str, Callable[[Coder], str]]] = [
    ("components", number("n_components", "d")),
    ("reconstruction error", number("error", ".4g")),
    ("variance explained", number("explained", ".1%")),
    ("inactive entries", number("inactive", ".1%")),
    ("Hoyer's sparsity", number("hoyer", ".3f")),
    ("entropy of a code", number("entropy", ".3f")),
    ("accuracy", _accuracy),
    ("rows per second", number("rows_per_second", ",.0f")),
    ("one row", number("row_microseconds", ".0f", " us")),
]


@public_in("sae_fast")
def compare_with_pca(
    X: ArrayLike,
    y: ArrayLike | None = None,
    *,
    n_components: int | None = None,
    model: Any = None,
    cv: SupportsIndex = 5,
    random_state: Any = None,
    **options: Any,
) -> PCAComparison:
    """Put a sparse autoencoder beside PCA with as many components: error, sparsity, use and speed of the codes.

    Both are fitted to ``X`` and judged on it: no linear map to so many components has a smaller error there than PCA.
    Codes of tanh units are mapped to [0, 1], where inactive is 0; those of PCA are taken as they are. Times are the
    best of several calls of ``transform``, with its checks, and with one BLAS thread or all: whichever is faster.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_features)
        Data, at least two samples.
    y : array_like of shape (n_samples,), optional
        Labels. With them the codes are judged by logistic regression, cross-validated; the coders have seen all
        samples, but no label.
    n_components : int, optional
        Hidden units and components; 25 by default. PCA takes as many as the data have dimensions, if that is fewer.
    model : SparseAutoencoder, optional
        A fitted model, which is taken as it is, and its number of units.
    cv : int
        Folds, >= 2.
    random_state : int, numpy.random.Generator, numpy.random.RandomState or None
        Seed of the fit and the folds, which are the same for all coders.
    **options
        Further parameters of :class:`SparseAutoencoder`: ``rho``, ``beta``, ``max_iter``, ``n_threads``...

    Returns
    -------
    PCAComparison
        Prints as a table; ``to_pandas()``, ``plot()``.

    Raises
    ------
    TypeError, ValueError
        Labels that are no classes, or fewer of one than folds; a ``model`` that is not fitted, or to other features;
        otherwise as for the ``fit`` of :class:`SparseAutoencoder`.
    KeyboardInterrupt
        Ctrl-C, in the fit too.

    Examples
    --------
    >>> import numpy as np, sae_fast as sf
    >>> X = np.random.default_rng(0).uniform(0.1, 0.9, (300, 16))
    >>> result = sf.compare_with_pca(X, n_components=8, rho=0.1, max_iter=100, random_state=0)
    >>> result.pca.error < result.sae.error, result.sae.hoyer > result.pca.hoyer
    (True, True)
    """
    from sklearn.decomposition import PCA
    from sklearn.utils import check_array
    from sklearn.utils.validation import check_is_fitted

    check_count("cv", cv)
    seed = _seed(random_state)
    model = thawed(model)
    data = check_array(X, dtype=[np.float64, np.float32], ensure_min_samples=2)
    labels = None if y is None else _check_labels(y, data, int(cv))
    if model is None:
        model = SparseAutoencoder(25 if n_components is None else n_components, random_state=random_state, **options)
        with warnings.catch_warnings():
            warnings.simplefilter("error", FitInterruptedWarning)  # a model half trained is nothing to compare
            try:
                model.fit(X)
            except FitInterruptedWarning:
                raise KeyboardInterrupt from None
    elif n_components is not None or options:
        given = "n_components" if n_components is not None else next(iter(options))
        raise TypeError(f"{given} is for a model that is fitted here, and one was given")
    elif not hasattr(model, "reconstruct"):
        raise TypeError(f"model must be a fitted SparseAutoencoder, got {type(model).__name__}")
    check_is_fitted(model)
    codes = np.asarray(model.transform(X))
    units = model.units_[-1:] if hasattr(model, "units_") else getattr(model, "_units", ("sigmoid",))
    codes = activity(codes, units[0])
    with np.errstate(invalid="ignore"):  # constant data have no variance to share
        pca = PCA(min(codes.shape[1], *data.shape), random_state=seed).fit(data)
    scores = pca.transform(data)

    def measured(name: str, coder: Any, c: NDArray[Any], back: NDArray[Any]) -> Coder:
        accuracy = {} if labels is None else accuracies(c, labels, int(cv), seed)
        return Coder(name, c.shape[1], **errors(data, back), **sparsity(c), **accuracy, **speed(coder, data))

    nameless = copy.copy(model)
    vars(nameless).pop("feature_names_in_", None)  # checked by transform above; the arrays below carry none
    return PCAComparison(
        measured("SAE", nameless, codes, np.asarray(nameless.reconstruct(data))),
        measured("PCA", pca, scores, pca.inverse_transform(scores)),
        None if labels is None else Coder("raw", data.shape[1], **accuracies(data, labels, int(cv), seed)),
        model,
        len(data),
    )


def _seed(random_state: Any) -> int | None:
    """A seed that scikit-learn takes, the same for all folds."""
    state = check_random_state(random_state)
    if state is None or isinstance(state, int):
        return state if state is None else state % 2**32
    return seed_from(state) % 2**32


def _check_labels(y: ArrayLike, X: NDArray[Any], cv: int) -> NDArray[Any]:
    from sklearn.utils.multiclass import check_classification_targets

    labels = np.asarray(y)
    if labels.shape != (len(X),):
        raise ValueError(f"y must have shape ({len(X)},), one label for each sample, got {labels.shape}")
    check_classification_targets(labels)
    classes, counts = np.unique(labels, return_counts=True)
    if len(classes) < 2:
        raise ValueError(f"y must have at least 2 classes, got {len(classes)}")
    if not 2 <= cv <= counts.min():
        raise ValueError(f"cv must be >= 2 and at most the samples of the rarest class, {counts.min()}, got {cv}")
    return labels
