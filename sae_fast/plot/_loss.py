"""The cost over the iterations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..network._types import History
from ._inputs import F64
from ._style import BLUE, CLASSES, GREEN, INK, ORANGE, VERMILION, axes_or_new, end_labels, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["loss"]

Curve = tuple[str, F64, dict[str, Any]]
COLOURS = (BLUE, ORANGE, GREEN)


def loss(
    model: Any,
    *,
    kind: Literal["lines", "stacked"] = "lines",
    scale: Literal["log", "linear"] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Cost J and its parts over the iterations or epochs, with the validation cost where there is one.

    The parts are the loss, the weight decay, and the penalties on mean (KL) and single activations (L1) together.

    Parameters
    ----------
    model : fitted model or History
        Or what :func:`sae_fast.train` returns. Of a stack, each layer's own
        training and the fine-tuning of all are drawn, one line each.
    kind : {"lines", "stacked"}
        Lines, or areas that add up to J.
    scale : {"log", "linear"}, optional
        Of the cost; by default logarithmic for lines. Areas need a linear one.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        There is no iteration to draw, or areas on a logarithmic scale are asked for.

    Examples
    --------
    >>> import numpy as np, sae_fast as sf
    >>> X = np.random.default_rng(0).uniform(0.1, 0.9, (100, 16))
    >>> _, history = sf.train(sf.init_params(16, 4, random_state=0), X, n_epochs=5)
    >>> sf.plot.loss(history).get_ylabel()
    'cost $J$'
    """
    if kind not in ("lines", "stacked"):
        raise ValueError(f"kind must be 'lines' or 'stacked', got {kind!r}")
    if scale not in ("log", "linear", None):
        raise ValueError(f"scale must be 'log', 'linear' or None, got {scale!r}")
    if kind == "stacked" and scale == "log":
        raise ValueError("scale must be 'linear' for stacked areas, whose heights it would distort, got 'log'")
    curves = _curves(model)
    parts = _parts(model)
    named = list(zip(_names(model), COLOURS, strict=True))
    if kind == "stacked" and parts is None:
        raise ValueError("kind must be 'lines' for a model without the parts of its cost, got 'stacked'")
    with style():
        ax = axes_or_new(ax)
        if kind == "stacked" and parts is not None:
            labels, colours = zip(*named, strict=True)
            steps = np.arange(1, len(parts) + 1)
            ax.stackplot(
                steps,
                np.where(np.isfinite(parts), parts, np.nan).T,
                labels=labels,
                colors=colours,
                alpha=0.75,
                linewidth=0,
            )
        elif parts is not None:
            for (label, colour), values in zip(named, parts.T, strict=True):
                if np.any(values > 0):
                    _line(ax, np.where(values > 0, values, np.nan), label, color=colour)
        for label, values, options in curves:
            _line(ax, values, label, **options)
        ax.set_yscale(scale or ("log" if kind == "lines" else "linear"))
        _finish(ax, model)
        _limit(ax, curves, parts, stacked=kind == "stacked")
        _name(ax, curves, parts, named, stacked=kind == "stacked")
    return ax


def _line(ax: Axes, values: F64, label: str, **options: Any) -> None:
    marker = "o" if len(values) == 1 else None
    values = np.where(np.isfinite(values), values, np.nan)
    ax.plot(np.arange(1, len(values) + 1), values, label=label, marker=marker, markersize=3, **options)


def _finish(ax: Axes, model: Any) -> None:
    from matplotlib.ticker import MaxNLocator

    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True, steps=[1, 2, 5, 10]))
    ax.margins(x=0)
    ax.set_xlabel("iteration of L-BFGS" if getattr(model, "solver", "") == "lbfgs" else "epoch")
    ax.set_ylabel("cost $J$")


def _limit(ax: Axes, curves: list[Curve], parts: F64 | None, *, stacked: bool) -> None:
    """Room for what matters: neither the first iterations nor the dips of a small part set the scale."""
    totals = np.concatenate([values[np.isfinite(values)] for _, values, _ in curves])
    if not totals.size:
        return
    if stacked or ax.get_yscale() == "linear":
        ax.set_ylim(0, 1.05 * max(float(np.percentile(totals, 97)), float(totals[-1])) or 1)
    elif parts is not None:
        last = _last(parts)[_last(parts) > 0]
        ax.set_ylim(bottom=min(1e-3 * float(totals.min()), *(0.5 * last)))


def _name(ax: Axes, curves: list[Curve], parts: F64 | None, named: list[tuple[str, str]], *, stacked: bool) -> None:
    """Names of the curves where they end."""
    labels = [(label, float(_last(values)), str(options["color"])) for label, values, options in curves]
    if parts is not None:
        last = _last(parts)
        middle = np.cumsum(last) - last / 2 if stacked else last
        ends = zip(named, middle, last, strict=True)
        labels += [(label, float(height), colour) for (label, colour), height, value in ends if value > 0]
    end_labels(ax, labels)


def _last(values: F64) -> F64:
    """The last of the iterations that are finite: a minibatch of few samples may have an infinite penalty."""
    finite = np.isfinite(values) if values.ndim == 1 else np.isfinite(values).all(axis=1)
    rows: F64 = values[finite] if finite.any() else np.zeros_like(values[:1])
    last: F64 = rows[-1]
    return last


def _curves(model: Any) -> list[Curve]:
    """Totals: name, values, style."""
    if hasattr(model, "loss_curves_"):
        found: list[Curve] = [
            (f"layer {i + 1}", np.asarray(values, dtype=np.float64), {"color": CLASSES[i % len(CLASSES)]})
            for i, values in enumerate(model.loss_curves_)
        ]
        tuning = getattr(model, "fine_tune_loss_curve_", ())
        if len(tuning):
            found.append(("fine-tuning", np.asarray(tuning, dtype=np.float64), {"color": INK}))
    elif isinstance(model, History) or hasattr(model, "loss_curve_"):
        total = model.cost if isinstance(model, History) else model.loss_curve_
        found = [("$J$", np.asarray(total, dtype=np.float64), {"color": INK, "zorder": 3})]
    else:
        raise TypeError(f"model must be a fitted model or History, got {type(model).__name__}")
    validation = getattr(model, "validation_curve_", None)
    if validation is not None:
        found.append(("validation", np.asarray(validation), {"color": VERMILION, "linestyle": (0, (3, 1.5))}))
    if not all(values.ndim == 1 and values.size for _, values, _ in found):
        raise ValueError("model must have a cost curve of at least one iteration, got an empty one")
    return found


def _names(model: Any) -> tuple[str, str, str]:
    """Of the parts: the loss, where it is not the usual one, and what sparsity is made of, where that is not KL."""
    found = getattr(model, "_loss_", "squared")
    error = "reconstruction" if found == "squared" else f"{found.replace('_', '-')} loss"
    l1, beta = getattr(model, "l1", 0), getattr(model, "beta", 0)
    return error, "weight decay", "sparsity" if not l1 else "sparsity (KL, L1)" if beta else "sparsity (L1)"


def _parts(model: Any) -> F64 | None:
    """Reconstruction, weight decay and sparsity, (n_iter, 3)."""
    if isinstance(model, History):
        return np.column_stack([model.reconstruction, model.weight_decay, model.sparsity])
    parts = None if hasattr(model, "loss_curves_") else getattr(model, "loss_parts_", None)
    return None if parts is None else np.asarray(parts, dtype=np.float64)
