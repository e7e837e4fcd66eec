"""What the hidden units do: mean activations, and the histogram of all activations."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ..estimators._unit_report import statuses
from ..network._checks import check_in, check_rho
from ..network._types import Hidden
from ..network._units import UNITS
from ._inputs import F64, check_reached, code_blocks, finite, hidden_of, of_last_layer
from ._style import BLUE, GREY, INK, ORANGE, VERMILION, axes_or_new, end_labels, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["activations", "mean_activations"]

BINS = 50


def mean_activations(
    model: Any,
    X: ArrayLike | None = None,
    *,
    rho: float | None = None,
    hidden: Hidden | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Mean activation ``rho_hat`` of each hidden unit, sorted, beside the wanted ``rho``; dead and saturated marked.

    Activations are mapped to [0, 1], those of relu units are as they are, and have no wanted mean. Which units count as
    dead or saturated: :class:`sae_fast.UnitReport`.

    Parameters
    ----------
    model : fitted model, Params or array_like of shape (n_hidden,)
        Whose units, of a stack those of its last layer; or their mean activations themselves.
    X : array_like of shape (n_samples, n_visible), optional
        Samples to measure on; by default the training data, as the model remembers them. Needed for Params.
    rho : float, optional
        Wanted mean activation; by default that of the model.
    hidden : {"sigmoid", "tanh", "relu", "satlin"}, optional
        Of Params, or of mean activations; by default sigmoid.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        Mean activations that the units cannot have, or Params without samples.

    Examples
    --------
    >>> import sae_fast as sf
    >>> ax = sf.plot.mean_activations([0.06, 0.04, 0.05], rho=0.05)
    >>> [float(y) for y in ax.lines[-1].get_ydata()]
    [0.06, 0.05, 0.04]
    """
    if rho is None and UNITS[hidden_of(model, hidden)].bounded:
        rho = of_last_layer(getattr(model, "_rho_fitted_", getattr(model, "rho", None)))
    wanted = None if rho is None else check_rho(rho)
    rho_hat, status = _judged(model, X, wanted, hidden)
    order = np.argsort(-rho_hat, kind="stable")
    rho_hat, status = rho_hat[order], status[order]
    ranks = np.arange(1, len(rho_hat) + 1)
    size = float(np.clip(150 / len(ranks), 1.5, 4))
    with style():
        ax = axes_or_new(ax)
        if wanted is not None:
            ax.axhline(wanted, color=GREY, linewidth=0.8, linestyle=(0, (4, 2)), label=r"$\rho$")
        for name, marker, colour in (("dead", "x", VERMILION), ("saturated", "^", ORANGE), ("ok", "o", BLUE)):
            mine = status == name
            if mine.any():
                label = f"{name} ({mine.sum()})"
                ax.plot(ranks[mine], rho_hat[mine], marker, color=colour, markersize=size, label=label)
        _finish(ax, len(ranks), max(float(rho_hat.max()), wanted or 0), marked=bool(np.any(status != "ok")))
        if wanted is not None:
            end_labels(ax, [(rf"$\rho$ = {wanted:g}", wanted, GREY)])
    return ax


def _finish(ax: Axes, n: int, top: float, *, marked: bool) -> None:
    from matplotlib.ticker import MaxNLocator

    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True, steps=[1, 2, 5, 10], min_n_ticks=1))
    ax.set_xlim(0.5 - 0.02 * n, n + 0.5 + 0.02 * n)
    ax.set_ylim(-0.03 * top, 1.15 * top if top > 0 else 1)
    ax.set_xlabel("units, most active first")
    ax.set_ylabel(r"mean activation $\hat\rho_j$")
    if marked:
        ax.legend()


def _judged(model: Any, X: ArrayLike | None, rho: float | None, hidden: Hidden | None) -> tuple[F64, Any]:
    """Mean activations, and ``ok``, ``dead`` or ``saturated`` for each."""
    if X is not None:
        n, total, low, high = 0, np.zeros(1), np.full(1, np.inf), np.full(1, -np.inf)
        for block in code_blocks(model, X, hidden):
            n, total = n + len(block), total + block.sum(axis=0)
            low, high = np.minimum(low, block.min(axis=0)), np.maximum(high, block.max(axis=0))
        rho_hat = total / n
        return rho_hat, statuses(0.05 if rho is None else rho, low, high, hidden_of(model, hidden))
    if hasattr(model, "unit_report"):
        report = model.unit_report()
        return np.asarray(report.rho_hat), np.asarray(report.status)
    if isinstance(model, (list, tuple)) and any(np.ndim(a) > 1 for a in model):
        raise ValueError("X must be given: weights alone do not tell mean activations")
    rho_hat = np.asarray(of_last_layer(model.rho_hat_) if hasattr(model, "rho_hat_") else model, dtype=np.float64)
    if rho_hat.ndim != 1 or rho_hat.size == 0:
        raise ValueError(f"mean activations must have shape (n_hidden,), got {rho_hat.shape}")
    finite("mean activations", rho_hat)
    check_reached("mean activations", rho_hat, hidden_of(model, hidden))
    return rho_hat, np.full(len(rho_hat), "ok")


def activations(
    model: Any,
    X: ArrayLike | None = None,
    *,
    threshold: float | None = None,
    hidden: Hidden | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Histogram of the activations of all units over all samples, on a logarithmic count: how sparse the codes are.

    Activations of tanh units are mapped to [0, 1], where 0 is inactive. Those of relu units reach as far as they do.

    Parameters
    ----------
    model : fitted model, Params or array_like of shape (n_samples, n_hidden)
        Whose units; or codes, in [0, 1] unless ``hidden`` says that they are of relu units.
    X : array_like of shape (n_samples, n_visible), optional
        Samples to encode; none if codes are given. Read block by block, relu codes twice: they may be larger than
        memory.
    threshold : float, optional
        Activations above it count as active, >= 0, and < 1 but for relu units; by default 0.1, and 0 for relu units,
        which are off there.
    hidden : {"sigmoid", "tanh", "relu", "satlin"}, optional
        Of Params, or of codes; by default sigmoid.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        Codes that the units cannot have, or ``threshold`` out of its range.

    Examples
    --------
    >>> import sae_fast as sf
    >>> ax = sf.plot.activations([[0.0, 0.02], [0.9, 0.01]])
    >>> ax.texts[0].get_text()
    '25.0 % active (> 0.1)'
    """
    unit = hidden_of(model, hidden)
    bounded = UNITS[unit].bounded
    if threshold is None:
        threshold = 0.1 if bounded else 0.0
    wanted = "in [0, 1)" if bounded else ">= 0 and finite"
    limit = check_in("threshold", threshold, 0.0, 1.0 if bounded else np.inf, wanted)
    if X is None:
        given = np.asarray(model, dtype=np.float64)
        if given.ndim != 2 or given.size == 0:
            raise ValueError(f"codes must have shape (n_samples, n_hidden), got {given.shape}")
        check_reached("codes", finite("codes", given), unit)

    def blocks() -> Iterable[F64]:
        return [given] if X is None else code_blocks(model, X, hidden)

    top = 1.0 if bounded else max(float(block.max()) for block in blocks()) or 1.0
    counts, edges, active, total = np.zeros(BINS, int), np.linspace(0, top, BINS + 1), 0, 0
    for block in blocks():
        counts += np.histogram(block, edges)[0]
        active += int(np.sum(block > limit))
        total += block.size
    with style():
        ax = axes_or_new(ax)
        ax.stairs(counts, edges, fill=True, color=BLUE, alpha=0.85)
        ax.axvline(limit, color=INK, linewidth=0.8, linestyle=(0, (4, 2)))
        label = f"{100 * active / total:.1f} % active (> {limit:g})"
        ax.text(limit + 0.02 * top, 0.97, label, transform=ax.get_xaxis_transform(), va="top")
        ax.set_yscale("log")
        ax.set(xlim=(0, top), ylim=(0.7, 2 * counts.max()))
        ax.set_xlabel(f"activation {_symbol(unit, given=X is None)}")
        ax.set_ylabel("count")
    return ax


def _symbol(unit: Hidden, *, given: bool) -> str:
    if given:
        return "$s$" if UNITS[unit].bounded else "$a_2$"
    return "$a_2$" if UNITS[unit].low == 0 else "$(a_2 + 1) / 2$"
