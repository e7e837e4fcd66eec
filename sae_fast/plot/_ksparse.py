"""K-sparse codes: how often latents are active, which of them died, and what sparsity costs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..ksparse._compare import KSparseComparison, KSparseRow
from ..ksparse._examples import code_blocks
from ..ksparse._subject import encoder_of, sparse_encoder
from ._inputs import F64, finite
from ._style import BLUE, CLASSES, GREY, VERMILION, axes_or_new, end_labels, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["dead_latents", "densities", "pareto"]

_PER_DECADE = 8  # bars
_DASHED = (0, (4, 2))


def densities(
    model: Any, X: Any = None, *, k: int | None = None, n_threads: int | None = None, ax: Axes | None = None
) -> Axes:
    """Histogram of how often latents are active: the share of samples that excite each, on a logarithmic scale.

    Latents that no sample excites are named beside it: they have no place on the scale.

    Parameters
    ----------
    model : KSparseEncoder, KSparseAutoencoder or array_like of shape (n_latents,)
        Or the densities themselves, as ``evaluate`` gives them.
    X : array, path, Source, or whatever else :func:`sae_fast.open_source` takes, optional
        Samples, read block by block; none if densities are given.
    k, n_threads
        As for a call of :class:`sae_fast.KSparseEncoder`.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        Densities outside [0, 1], or samples that do not fit the model.

    Examples
    --------
    >>> import sae_fast as sf
    >>> ax = sf.plot.densities([0.0, 0.01, 0.02, 0.5])
    >>> ax.texts[-1].get_text()
    '1 of 4 latents dead'
    """
    found = _densities(model, X, k, n_threads)
    alive = found[found > 0]
    # Whole decades, or one at least: the bars of two pictures can be compared.
    low = min(math.floor(math.log10(alive.min())), -1) if len(alive) else -1
    edges = np.logspace(low, 0, 1 - low * _PER_DECADE)
    edges[0], edges[-1] = 10.0**low, 1.0
    with style():
        ax = axes_or_new(ax)
        ax.stairs(np.histogram(alive, edges)[0], edges, fill=True, color=BLUE, alpha=0.85)
        if len(alive):
            median = float(np.median(alive))
            ax.axvline(median, color=GREY, linewidth=0.8, linestyle=_DASHED)
            ax.text(median, 1.0, f" median {median:.2g}", transform=ax.get_xaxis_transform(), va="bottom", color=GREY)
        ax.set(xscale="log", xlim=(edges[0], 1), xlabel="share of samples that excite a latent", ylabel="latents")
        ax.set_ylim(bottom=0)
        _whole_numbers(ax.yaxis)
        dead = len(found) - len(alive)
        if dead:
            words = f"{dead} of {len(found)} latents dead"
            ax.text(0.02, 0.97, words, transform=ax.transAxes, va="top", color=VERMILION)
    return ax


def _densities(model: Any, X: Any, k: int | None, n_threads: int | None) -> F64:
    if X is None and sparse_encoder(model) is not None:
        raise ValueError("X must be given: a model does not keep how often its latents are active")
    if X is None:
        try:
            found = np.asarray(model, dtype=np.float64)
        except (TypeError, ValueError):
            raise TypeError(
                f"model must be a fitted k-sparse model or an array of densities, got {type(model).__name__}"
            ) from None
        if found.ndim != 1 or found.size == 0:
            raise ValueError(f"densities must have shape (n_latents,), got {found.shape}")
        finite("densities", found)
        if found.min() < 0 or found.max() > 1:
            raise ValueError(f"densities must be in [0, 1], got {found.min():g} to {found.max():g}")
        return found
    encoder = encoder_of(model)
    active, n = np.zeros(encoder.n_latents), 0
    for first, size, codes in code_blocks(encoder, X, k, n_threads):
        active += np.bincount(codes.indices, minlength=encoder.n_latents)
        n = first + size
    return active / n


def dead_latents(models: Any, *, ax: Axes | None = None) -> Axes:
    """Dead latents over training: the share that no sample of an epoch excited.

    Parameters
    ----------
    models : fitted KSparseAutoencoder, its ``history_``, or mapping of names to either
        A line each.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    TypeError
        A model is none that has such a history.
    ValueError
        There is no epoch to draw.

    Examples
    --------
    >>> import sae_fast as sf
    >>> ax = sf.plot.dead_latents({"AuxK": {"dead": [0.0, 0.1]}, "without": {"dead": [0.0, 0.4]}})
    >>> [float(line.get_ydata()[-1]) for line in ax.lines]
    [10.0, 40.0]
    """
    several = isinstance(models, Mapping) and "dead" not in models
    named = {str(name): _dead(model) for name, model in (models if several else {"": models}).items()}
    if not named:
        raise ValueError("models must hold at least one model, got none")
    with style():
        ax = axes_or_new(ax)
        labels = []
        for i, (name, dead) in enumerate(named.items()):
            colour = CLASSES[i % len(CLASSES)] if several else BLUE
            marker = "o" if len(dead) == 1 else None
            ax.plot(np.arange(1, len(dead) + 1), 100 * dead, color=colour, label=name, marker=marker, markersize=3)
            labels.append((name, 100 * float(dead[-1]), colour))
        _whole_numbers(ax.xaxis)
        ax.margins(x=0)
        top = max(float(dead.max()) for dead in named.values())
        ax.set(xlabel="epoch", ylabel="dead latents, %", ylim=(0, 105 * top if top > 0 else 1))
        if several:
            end_labels(ax, labels)
    return ax


def _dead(model: Any) -> F64:
    history = model if isinstance(model, Mapping) else getattr(model, "history_", None)
    if not isinstance(history, Mapping) or "dead" not in history:
        if sparse_encoder(model) is not None:
            raise TypeError("models must be as they were trained: a KSparseEncoder has no history")
        raise TypeError(f"models must be fitted KSparseAutoencoders or their history_, got {type(model).__name__}")
    dead = np.asarray(history["dead"], dtype=np.float64)
    if dead.ndim != 1 or dead.size == 0:
        raise ValueError(f"the history of models must have at least one epoch, got shape {dead.shape}")
    return finite("shares of dead latents", dead)


def _whole_numbers(axis: Any) -> None:
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(5, integer=True, steps=[1, 2, 5, 10], min_n_ticks=1))


def pareto(comparison: KSparseComparison, *, ax: Axes | None = None) -> Axes:
    """What sparsity costs: the variance that is not explained (FVU) over the active latents of a sample (L0).

    Both are better where they are less. A hollow mark is a code that another one of the models' beats in both. PCA is
    drawn where a sparse code takes as many bytes.

    Parameters
    ----------
    comparison : KSparseComparison
        What :func:`sae_fast.compare_k_sparse` measured.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    TypeError
        ``comparison`` is something else.
    ValueError
        It has no code to draw.

    Examples
    --------
    >>> import numpy as np, sae_fast as sf
    >>> rng = np.random.default_rng(0)
    >>> W = rng.normal(size=(32, 8)) / 3
    >>> encoder = sf.KSparseEncoder(W, np.zeros(32), W, np.zeros(8), k=2)
    >>> ax = sf.plot.pareto(sf.compare_k_sparse(encoder, rng.normal(size=(100, 8)), k=(2, 4)))
    >>> ax.lines[0].get_xdata().tolist()
    [2.0, 4.0]
    """
    if not isinstance(comparison, KSparseComparison):
        raise TypeError(f"comparison must be what compare_k_sparse gives, got {type(comparison).__name__}")
    codes = [row for row in comparison.rows if row.l0 > 0 and math.isfinite(row.fvu)]  # NaN of PCA and dense is not
    if not codes:
        raise ValueError("comparison must have a code with active latents and a finite fvu, got none")
    per_latent = codes[0].n_bytes / codes[0].l0
    pca = [row for row in comparison.rows if math.isnan(row.l0) and math.isfinite(row.fvu)]
    best = _front(codes)
    with style():
        ax = axes_or_new(ax)
        labels = []
        for i, name in enumerate(dict.fromkeys(row.name for row in codes)):
            mine = sorted((row.l0, row.fvu, (row.l0, row.fvu) in best) for row in codes if row.name == name)
            x, y, good = (np.array(column) for column in zip(*mine, strict=True))
            colour = CLASSES[i % len(CLASSES)]
            ax.plot(x, y, color=colour, label=name)
            for chosen, face in ((good, colour), (~good, "white")):
                ax.plot(x[chosen], y[chosen], "o", color=colour, markerfacecolor=face, markersize=4)
            labels.append((name, float(y[-1]), colour))
        if pca:
            points = sorted((row.n_bytes / per_latent, row.fvu) for row in pca)
            ax.plot(*zip(*points, strict=True), color=GREY, linestyle=_DASHED, marker="s", markersize=3)
            labels.append(("PCA,\nas many bytes", points[-1][1], GREY))
        _scales(ax, [*codes, *pca])
        ax.set(xlabel="$L_0$, active latents of a sample", ylabel="FVU, variance not explained")
        end_labels(ax, labels)
    return ax


def _front(codes: Sequence[KSparseRow]) -> set[tuple[float, float]]:
    """Pairs of L0 and FVU of which no other one is less in one and no more in the other."""
    points = {(row.l0, row.fvu) for row in codes}
    return {one for one in points if not any(o != one and o[0] <= one[0] and o[1] <= one[1] for o in points)}


def _scales(ax: Axes, rows: Sequence[KSparseRow]) -> None:
    """Logarithmic where values allow it, with plain numbers at the ticks."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    ax.set_xscale("log")
    if all(row.fvu > 0 for row in rows):
        ax.set_yscale("log")
    for axis in (ax.xaxis, ax.yaxis):
        if axis.get_scale() == "log":
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.set_major_formatter(StrMethodFormatter("{x:g}"))
            axis.set_minor_formatter(NullFormatter())
    ax.autoscale_view()  # names at the ends of curves need it
