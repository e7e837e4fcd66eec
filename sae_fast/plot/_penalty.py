"""The sparsity penalty as a curve."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..network._checks import check_in, check_rho
from ..network._units import UNITS
from ._inputs import F64, hidden_of, of_last_layer
from ._style import BLUE, CLASSES, GREEN, INK, ORANGE, VERMILION, axes_or_new, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["kl_penalty"]


def kl_penalty(rho: Any = (0.01, 0.05, 0.2), *, beta: float | None = None, ax: Axes | None = None) -> Axes:
    """The penalty ``beta KL(rho || rho_hat)`` of one hidden unit over its mean activation ``rho_hat``.

    It is 0 at rho and grows without bound at 1, or at 0 as far as rho is not small (UFLDL, "Autoencoders and
    Sparsity").

    Parameters
    ----------
    rho : float, sequence of float or fitted model
        Wanted mean activations, one curve each; or a model, whose units (of a stack those of its last layer) are drawn
        on the curve of its rho.
    beta : float, optional
        Weight of the penalty; by default that of the model, or 1.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        ``rho`` outside (0, 1), a negative ``beta``, or a model of relu units, which have no such penalty.

    Examples
    --------
    >>> import sae_fast as sf
    >>> ax = sf.plot.kl_penalty(0.2)
    >>> line = ax.lines[0]
    >>> round(float(line.get_xdata()[line.get_ydata().argmin()]), 3)
    0.2
    """
    rho_hat: F64 | None = None
    if hasattr(rho, "rho_hat_"):
        if not UNITS[unit := hidden_of(rho, None)].bounded:
            raise ValueError(f"rho must be a model with units whose mean activation has an upper bound, got {unit!r}")
        beta = of_last_layer(rho.beta) if beta is None else beta
        rho_hat, wanted = np.asarray(of_last_layer(rho.rho_hat_), float), [check_rho(of_last_layer(rho.rho))]
    else:
        wanted = [check_rho(r) for r in np.atleast_1d(np.asarray(rho, dtype=object))]
    weight = check_in("beta", 1.0 if beta is None else beta, 0.0, np.inf, ">= 0 and finite")
    colours = (BLUE, VERMILION, GREEN, ORANGE, *CLASSES)
    with style():
        ax = axes_or_new(ax)
        right, top = 1.0, 0.0
        if rho_hat is not None:
            right = min(1.0, max(4 * wanted[0], 1.5 * float(rho_hat.max())))
        for i, r in enumerate(wanted):
            grid = np.sort(np.append(1 / (1 + np.exp(-np.linspace(-12, 9, 1200))), r))
            values = weight * _kl(r, grid)
            colour = colours[i % len(colours)]
            ax.plot(grid, values, color=colour, label=rf"$\rho$ = {r:g}")
            ax.plot(r, 0, "o", color=colour, markersize=3.5, clip_on=False, zorder=3)
            top = max(top, float(weight * _kl(r, np.array([min(right, 0.98)]))[0]))
        if rho_hat is not None:
            _units(ax, rho_hat, weight * _kl(wanted[0], np.clip(rho_hat, 1e-300, 1 - 1e-16)))
        ax.set(xlim=(0, right), ylim=(0, top or 1))
        ax.set_xlabel(r"mean activation $\hat\rho$")
        factor = "" if weight == 1 else rf"{weight:g} $\cdot$ "
        ax.set_ylabel(rf"penalty {factor}KL($\rho$ || $\hat\rho$)")
        ax.legend(loc="upper center")
    return ax


def _units(ax: Axes, rho_hat: F64, penalty: F64) -> None:
    label = f"{len(rho_hat)} units, $\\hat\\rho_j$" if len(rho_hat) > 1 else r"the unit's $\hat\rho$"
    ax.plot(rho_hat, penalty, "o", markersize=4, color=INK, alpha=0.4, markeredgewidth=0, label=label, zorder=4)


def _kl(rho: float, rho_hat: F64) -> F64:
    kl: F64 = rho * np.log(rho / rho_hat) + (1 - rho) * np.log((1 - rho) / (1 - rho_hat))
    return np.maximum(kl, 0)
