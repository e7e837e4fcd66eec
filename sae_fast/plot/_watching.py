"""What a monitor has seen, and what a detector makes of samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ..anomalies._odd_rows import EDGES, OddRows
from ..network._checks import check_count
from ._inputs import F64
from ._style import BLUE, GREY, INK, LIGHT, VERMILION, new_figure, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

    from ..streams._source import Source

__all__ = ["anomalies", "draw_anomalies", "monitor"]

OF_ODDEST = 12  # samples, and features, whose errors are shown
ENDLESS = 1e100  # no axis reaches as far
LOUDEST = 100.0  # the error of a feature that has the darkest colour


def monitor(report: Any, *, figure: Figure | SubFigure | None = None) -> Figure | SubFigure:
    """The metrics of a monitor over its chunks, a panel each: the band of what is usual, and alerts as marks.

    Parameters
    ----------
    report : MonitorReport or Monitor
        As :meth:`Monitor.report` gives it, with one chunk at least.
    figure : matplotlib.figure.Figure or SubFigure, optional
        Where to draw.

    Returns
    -------
    matplotlib.figure.Figure or SubFigure

    Raises
    ------
    TypeError
        ``report`` is something else.
    ValueError
        No chunk has been judged yet.

    Examples
    --------
    >>> import numpy as np, sae_fast as sf
    >>> rng = np.random.default_rng(0)
    >>> model = sf.SparseAutoencoder(4, max_iter=20, random_state=0).fit(rng.uniform(0.1, 0.9, (500, 6)))
    >>> monitor = model.monitor(reference=rng.uniform(0.1, 0.9, (2000, 6)), chunk_size=200)
    >>> figure = sf.plot.monitor(monitor.update(rng.uniform(0.1, 0.9, (1000, 6))))
    >>> figure.axes[0].get_title(loc="left")
    'reconstruction error'
    """
    found: Any = report.report() if hasattr(report, "report") else report
    if not hasattr(found, "n_alarmed"):
        raise TypeError(f"report must be a MonitorReport or a Monitor, got {type(report).__name__}")
    if not len(found.metrics):
        raise ValueError("report has no chunk to draw: give the monitor more rows, or flush() it")
    with style():
        made = figure if figure is not None else new_figure(7.2, 5.4)
        alarmed = f"{found.n_alarmed} of {found.n_chunks} chunks with an alert (dots)"
        made.suptitle(f"{found.n_rows:,} rows, {alarmed}; limits in gray", x=0.01, ha="left")
        panels = made.subplots(4, 2, sharex=True).ravel()
        chunks = np.arange(found.first_chunk, found.n_chunks)
        for k, ((name, limits), ax) in enumerate(zip(found.limits.items(), panels, strict=True)):
            _metric(ax, chunks, found.metrics[:, k], found.beyond[:, k], limits)
            ax.set_title(name.replace("_", " "))
        for ax in panels[-2:]:
            ax.set_xlabel("chunk")
    return made


def _metric(ax: Axes, chunks: Any, values: F64, beyond: Any, limits: tuple[float, float]) -> None:
    from matplotlib.ticker import MaxNLocator

    lower, upper = limits
    ax.axhspan(lower, upper, color=LIGHT, linewidth=2)  # seen, too, where it has no height
    with np.errstate(invalid="ignore"):
        endless = beyond & (np.abs(values) >= ENDLESS)  # has its mark on the upper edge
        shown = np.where(np.abs(values) < ENDLESS, values, np.nan)
    ax.plot(chunks, shown, color=BLUE, linewidth=0.9, marker="." if len(chunks) == 1 else "", zorder=2)
    ax.plot(chunks[beyond & ~endless], values[beyond & ~endless], ".", color=VERMILION, markersize=5, zorder=3)
    across = ax.get_xaxis_transform()
    ax.plot(chunks[endless], np.ones(endless.sum()), "^", color=VERMILION, markersize=4, transform=across)
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
    ax.set_xlim(chunks[0] - 0.5, chunks[-1] + 0.5)
    known = np.append(shown[np.isfinite(shown)], [lower, upper])
    low, high = float(known.min()), float(known.max())
    span = (high - low) or 1.0
    ax.set_ylim(low - 0.08 * span, low + 1.08 * span)


def anomalies(
    detector: Any, X: ArrayLike | Source, *, top: int = OF_ODDEST, figure: Figure | SubFigure | None = None
) -> Figure | SubFigure:
    """How odd samples are to a detector: their mean errors beside the threshold, and what makes the oddest so.

    The errors of the oddest samples are shown for the features that have the largest of them. 1 is usual, as in
    :meth:`SparseAutoencoderOutlierDetector.feature_errors`; 100 and more have one colour.

    Parameters
    ----------
    detector : SparseAutoencoderOutlierDetector
        Fitted.
    X : array_like of shape (n_samples, n_features) or Source
        Samples; read block by block.
    top : int
        Samples, and features, whose errors are shown.
    figure : matplotlib.figure.Figure or SubFigure, optional
        Where to draw.

    Returns
    -------
    matplotlib.figure.Figure or SubFigure

    Raises
    ------
    TypeError
        ``detector`` is no outlier detector of this package.
    ValueError
        Samples that do not fit it, or none.

    Examples
    --------
    >>> import numpy as np, sae_fast as sf
    >>> X = np.random.default_rng(0).uniform(0.4, 0.6, (100, 3))
    >>> detector = sf.SparseAutoencoderOutlierDetector(2, max_iter=20, random_state=0).fit(X)
    >>> figure = sf.plot.anomalies(detector, [[0.5, 7.0, 0.5], [0.5, 0.5, 0.5]])
    >>> figure.axes[1].get_yticklabels()[0].get_text()
    '0'
    """
    check_count("top", top)
    if not hasattr(detector, "_error_blocks"):
        raise TypeError(f"detector must be a SparseAutoencoderOutlierDetector, got {type(detector).__name__}")
    found: OddRows | None = None
    for errors in detector._error_blocks(X):
        found = found or OddRows(errors.shape[1], detector.offset_, top)
        found.add(errors)
    return draw_anomalies(detector, found, figure=figure)


def draw_anomalies(
    detector: Any, found: OddRows | None, *, figure: Figure | SubFigure | None = None
) -> Figure | SubFigure:
    """The same picture of what has been gathered."""
    if found is None or not found.n_rows:
        raise ValueError("X must have samples to draw, got none")
    with style():
        made = figure if figure is not None else new_figure(7.2, 3.0)
        odd = "1 outlier" if found.n_odd == 1 else f"{found.n_odd:,} outliers"
        made.suptitle(f"{found.n_rows:,} samples, {odd}", x=0.01, ha="left")
        left, right = made.subplots(1, 2, width_ratios=[1, 1.3])
        _scores(left, found)
        picture = _oddest(right, found, [str(n) for n in getattr(detector, "feature_names_in_", [])])
        made.colorbar(picture, ax=right, label="error of the feature (1: usual)", extend="both")
    return made


def _scores(ax: Axes, found: OddRows) -> None:
    seen = np.flatnonzero(found.counts)
    first, last = int(seen[0]), int(seen[-1])
    ax.stairs(found.counts[first : last + 1], EDGES[first : last + 2], fill=True, color=BLUE, alpha=0.85)
    limit = float(np.clip(-found.offset, EDGES[0], EDGES[-1]))
    ax.axvline(limit, color=INK, linewidth=0.8, linestyle=(0, (4, 2)))
    ax.set(xscale="log", yscale="log", ylim=(0.7, 4 * found.counts.max()))
    ax.set_xlim(min(EDGES[first], limit / 1.3), max(EDGES[last + 1], limit * 1.3))
    text = ax.get_xaxis_transform()
    ax.annotate(f"threshold {limit:.3g}", (limit, 0.98), (3, 0), xycoords=text, textcoords="offset points", va="top")
    ax.set_xlabel("mean error of a sample, $-$score")
    ax.set_ylabel("samples")
    ax.set_title("Scores")


def _oddest(ax: Axes, found: OddRows, names: list[str]) -> Any:
    from matplotlib.colors import LogNorm

    largest = np.argsort(-found.errors.max(axis=0), kind="stable")[: found.keep]
    columns = np.sort(largest)
    shown = np.clip(found.errors[:, columns], 1.0, LOUDEST)
    picture = ax.imshow(shown, cmap="Greys", norm=LogNorm(1.0, LOUDEST), aspect="auto", interpolation="nearest")
    labels = [names[j] if names else str(j) for j in columns]
    long = max(map(len, labels)) > 3
    ax.set_xticks(range(len(columns)), labels, rotation=90 if long else 0)
    ax.set_yticks(range(len(found.numbers)), [str(i) for i in found.numbers])
    ax.tick_params(length=0, labelcolor=INK, color=GREY)
    ax.set_xlabel("feature")
    ax.set_ylabel("sample, the oddest first")
    ax.set_title("What is odd about the oddest")
    return picture
