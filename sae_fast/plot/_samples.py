"""What a model makes of samples: reconstructions, and the codes in the plane."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..ksparse._subject import sparse_encoder
from ..network._checks import check_count
from ..network._types import Hidden, Output
from ._inputs import F64, Shape, as_pictures, codes, finite, reconstruction
from ._one_latent import one_latent
from ._style import BLUE, CLASSES, CONTINUOUS, INK, SIGNED, axes_or_new, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["latent", "reconstructions"]

GAP = 0.08


def reconstructions(
    model: Any,
    X: ArrayLike,
    *,
    n_samples: int = 10,
    shape: Shape | None = None,
    hidden: Hidden | None = None,
    output: Output = "sigmoid",
    ax: Axes | None = None,
) -> Axes:
    """Samples, their reconstructions and the errors, one column each; below, the error ``1/2 sum (a3 - x)^2``.

    Parameters
    ----------
    model : fitted model or Params
        Anything with ``transform`` and ``inverse_transform``, PCA too.
    X : array_like of shape (n_samples, n_visible)
        Samples, of which the first are drawn.
    n_samples : int
        How many at most.
    shape : (int, int) or (int, int, int), optional
        Of one picture, as for :func:`filters`.
    hidden, output : str, optional
        Of Params; by default sigmoid.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes
        Its images are the samples, then the reconstructions, then the errors.

    Raises
    ------
    ValueError
        The samples do not fit the model or the shape.

    Examples
    --------
    >>> import numpy as np, sae_fast as sf
    >>> X = np.random.default_rng(0).uniform(0.1, 0.9, (5, 16))
    >>> ax = sf.plot.reconstructions(sf.init_params(16, 4, random_state=0), X)
    >>> len(ax.images), len(ax.get_xticklabels())
    (15, 5)
    """
    chosen = _some(X, check_count("n_samples", n_samples))
    x = finite("X", np.asarray(chosen, dtype=np.float64))
    if x.ndim != 2 or x.size == 0:
        raise ValueError(f"X must have shape (n_samples, n_visible), got {np.shape(X)}")
    a3 = reconstruction(model, chosen, hidden, output)
    if a3.shape != x.shape:
        raise ValueError(f"reconstructions must have the shape of X, {x.shape}, got {a3.shape}")
    with np.errstate(over="ignore"):  # infinity is an error below, with its reason
        errors = 0.5 * ((a3 - x) ** 2).sum(axis=1)
    rows = [as_pictures(part, shape, "features") for part in (x, a3, a3 - x)]
    height, width = rows[0].shape[1:3]
    low, high = float(min(x.min(), a3.min())), float(max(x.max(), a3.max()))
    most = float(np.abs(rows[2]).max()) or 1.0
    if rows[0].ndim == 4:
        # Colours lie in 0..1; the errors' mid-grey is 0.
        spread = (high - low) or 1.0
        rows = [(rows[0] - low) / spread, (rows[1] - low) / spread, 0.5 + 0.5 * rows[2] / most]
    looks: tuple[dict[str, Any], ...] = (
        {"cmap": "gray", "vmin": low, "vmax": high},
        {"cmap": "gray", "vmin": low, "vmax": high},
        {"cmap": SIGNED, "vmin": -most, "vmax": most},
    )
    step, drop = width * (1 + GAP), height * (1 + GAP)
    with style():
        inches = min(7.0, 0.9 + 0.62 * len(x))
        tile = (inches - 0.9) / len(x)
        ax = axes_or_new(ax, inches, 0.35 + 3 * tile * drop / step)
        for r, (pictures, look) in enumerate(zip(rows, looks, strict=True)):
            for c, picture in enumerate(pictures):
                extent = (c * step, c * step + width, r * drop + height, r * drop)
                ax.imshow(picture, extent=extent, interpolation="nearest", **look)
        ax.set(xlim=(0, len(x) * step - GAP * width), ylim=(3 * drop - GAP * height, 0), aspect="equal")
        ax.set_xticks(np.arange(len(x)) * step + width / 2, _numbers(errors))
        ax.set_yticks(np.arange(3) * drop + height / 2, ["$x$", "$a_3$", f"$a_3 - x$\n(to ±{most:.2g})"])
        ax.set_xlabel(r"error  ½ $\Vert a_3 - x\Vert^2$")
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
    return ax


def latent(
    model: Any,
    X: ArrayLike | None = None,
    y: ArrayLike | None = None,
    *,
    units: tuple[int, int] | None = None,
    max_points: int = 5000,
    hidden: Hidden | None = None,
    latent: int | None = None,
    texts: Sequence[str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Codes in the plane: two units, or the two principal components of all, coloured by labels.

    Of a k-sparse model one latent instead: a histogram of its activations, and the samples that excite it most.

    Parameters
    ----------
    model : fitted model, Params or array_like of shape (n_samples, n_hidden)
        Anything with ``transform``; or codes themselves.
    X : array_like of shape (n_samples, n_visible), optional
        Samples to encode; none if codes are given.
    y : array_like of shape (n_samples,), optional
        Labels: text, or up to ten different whole numbers, are classes, named where their codes' median lies; other
        numbers are a scale.
    units : (int, int), optional
        Which two units; by default both of two, and the principal components of more.
    max_points : int
        Of more samples, this many are drawn, evenly spaced.
    hidden : {"sigmoid", "tanh", "relu", "satlin"}, optional
        Of Params; by default sigmoid.
    latent : int, optional
        Which one of a k-sparse model. ``X`` may be whatever :func:`sae_fast.open_source` takes, and is read block by
        block.
    texts : sequence of str, optional
        With ``latent``: what to call the samples, one for each.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        Codes of one unit, labels or texts that do not fit the samples, or units that do not exist.

    Examples
    --------
    >>> import numpy as np, sae_fast as sf
    >>> X = np.random.default_rng(0).uniform(0.1, 0.9, (50, 16))
    >>> ax = sf.plot.latent(sf.init_params(16, 2, random_state=0), X)
    >>> ax.get_xlabel()
    'activation of unit 0'
    """
    if latent is not None or texts is not None or sparse_encoder(model) is not None:
        if y is not None or units is not None:
            raise ValueError(
                "y and units are not for one latent of a k-sparse model, whose codes lie in no plane; say which one as "
                "in latent(model, X, latent=17)"
            )
        return one_latent(model, X, latent, texts, ax)
    samples = model if X is None else X
    n = len(np.asarray(samples))
    labels = None if y is None else _labels(y, n)
    keep = _evenly(n, check_count("max_points", max_points))
    chosen = samples.iloc[keep] if hasattr(samples, "iloc") else np.asarray(samples)[keep]
    found = finite("codes", np.asarray(chosen, dtype=np.float64)) if X is None else codes(model, chosen, hidden)
    if found.ndim != 2 or len(found) == 0 or found.shape[1] < 2:
        raise ValueError(f"codes must have at least 2 columns, got shape {found.shape}")
    points, names = _plane(found, units)
    with style():
        wide, high = np.ptp(points, axis=0)
        ax = axes_or_new(ax, 3.5, 0.6 + 2.8 * float(np.clip(high / wide, 0.5, 1.2)) if wide > 0 else 3.4)
        size = float(np.clip(300 / np.sqrt(len(points)), 2, 14))
        dots: dict[str, Any] = {"s": size, "linewidths": 0, "alpha": 0.6, "rasterized": len(points) > 2000}
        if labels is None:
            ax.scatter(points[:, 0], points[:, 1], color=BLUE, **dots)
        elif _are_classes(labels):
            _classes(ax, points, labels[keep], np.unique(labels), dots)
        else:
            shown = ax.scatter(points[:, 0], points[:, 1], c=labels[keep], cmap=CONTINUOUS, **dots)
            bar: Any = ax.figure.colorbar(shown, ax=ax, label="label", aspect=30)
            bar.solids.set_alpha(1)
            bar.outline.set_visible(False)
        ax.set_xlabel(names[0])
        ax.set_ylabel(names[1])
        if names[0].startswith("PC"):
            ax.set_aspect("equal")
    return ax


def _numbers(errors: F64) -> list[str]:
    """As text, all with the decimals that give the largest three digits."""
    top = float(errors.max())
    if not math.isfinite(top):
        raise ValueError("X must have reconstruction errors that float64 holds, got infinity: scale X first")
    decimals = max(0, 2 - math.floor(math.log10(top))) if top >= 1e-3 else None
    return [f"{e:.1e}" if decimals is None else f"{e:.{decimals}f}" for e in errors]


def _some(X: Any, n: int) -> Any:
    return X.iloc[:n] if hasattr(X, "iloc") else np.asarray(X)[:n]


def _evenly(n: int, most: int) -> NDArray[np.intp]:
    return np.arange(n) if n <= most else np.arange(most) * n // most


def _labels(y: ArrayLike, n: int) -> NDArray[Any]:
    labels = np.asarray(y)
    if labels.shape != (n,):
        raise ValueError(f"y must have shape ({n},), a label for each sample, got {labels.shape}")
    if labels.dtype.kind == "f" and not np.isfinite(labels).all():
        raise ValueError("y must be finite, got NaN or infinity")
    return labels if labels.dtype.kind in "fiub" else labels.astype(str)


def _are_classes(labels: NDArray[Any]) -> bool:
    if labels.dtype.kind in "Ub":
        return True
    different = np.unique(labels)
    return len(different) <= len(CLASSES) and bool(np.all(different == np.round(different)))


def _plane(found: F64, units: tuple[int, int] | None) -> tuple[F64, list[str]]:
    """Two columns and what they are."""
    if units is None and found.shape[1] == 2:
        units = (0, 1)
    if units is not None:
        if len(units) != 2 or not all(0 <= u < found.shape[1] for u in units):
            raise ValueError(f"units must be two in 0..{found.shape[1] - 1}, got {units}")
        return found[:, list(units)], [f"activation of unit {u}" for u in units]
    centred = found - found.mean(axis=0)
    variance, axes = np.linalg.eigh(centred.T @ centred)
    axes = axes[:, [-1, -2]]
    axes *= np.where(axes[np.abs(axes).argmax(axis=0), [0, 1]] < 0, -1.0, 1.0)
    total = float(variance.sum())
    share = [float(variance[-i]) / total if total > 0 else 0.0 for i in (1, 2)]
    return centred @ axes, [f"PC {i + 1} ({100 * share[i]:.0f} % of variance)" for i in range(2)]


def _classes(ax: Axes, points: F64, labels: NDArray[Any], classes: NDArray[Any], dots: dict[str, Any]) -> None:
    """One colour per class, named at its median or close by; beyond ten classes colours repeat, names do not."""
    colours = np.array(CLASSES)[np.arange(len(classes)) % len(CLASSES)]
    position = np.searchsorted(classes, labels)
    ax.scatter(points[:, 0], points[:, 1], c=colours[position], **dots)
    named: list[F64] = []
    for i, (name, colour) in enumerate(zip(classes, colours, strict=True)):
        mine = points[position == i]
        if len(mine) == 0:
            continue
        text = f"{name:g}" if labels.dtype.kind == "f" else str(name)
        x, height = _free_place(mine, named, 0.06 * float(np.ptp(points, axis=0).max()))
        named.append(np.array([x, height]))
        badge = {"boxstyle": "round,pad=0.2", "facecolor": colour, "edgecolor": "white", "linewidth": 0.6}
        ax.text(x, height, text, color=_legible_on(colour), size=7, ha="center", va="center", bbox=badge, zorder=4)


def _free_place(mine: F64, taken: list[F64], apart: float) -> F64:
    """The median, or if a name is too close to it, the nearest sample that has room."""
    middle: F64 = np.median(mine, axis=0)
    places = np.vstack([middle, mine[np.argsort(np.linalg.norm(mine - middle, axis=1), kind="stable")]])
    free = np.ones(len(places), dtype=bool)
    for other in taken:
        free &= np.linalg.norm(places - other, axis=1) >= apart
    place: F64 = places[int(np.argmax(free))]  # the median, where nothing is free
    return place


def _legible_on(colour: str) -> str:
    from matplotlib.colors import to_rgb

    luma = np.dot(to_rgb(colour), (0.299, 0.587, 0.114))
    return "white" if luma < 0.6 else INK
