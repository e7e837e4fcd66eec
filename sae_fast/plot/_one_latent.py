"""One latent of a k-sparse model: how strongly samples excite it, and which do most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..ksparse._examples import TopExamples, all_examples
from ..ksparse._subject import encoder_of
from ._style import BLUE, GREY, INK, VERMILION, axes_or_new, new_figure, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BINS = 30
_WIDTH = 56  # characters of a text
_N = 8  # examples


def one_latent(model: Any, X: Any, latent: int | None, texts: Sequence[str] | None, ax: Axes | None) -> Axes:
    """See :func:`sae_fast.plot.latent`."""
    encoder = encoder_of(model)
    if latent is None:
        raise ValueError(f"latent must be given for a k-sparse model: which one, in 0..{encoder.n_latents - 1}")
    if X is None:
        raise ValueError("X must be given: the samples among which those that excite the latent are sought")
    (found,) = all_examples(encoder, X, [latent])
    if texts is not None and len(texts) != found.n_samples:
        raise ValueError(f"texts must have one for each of the {found.n_samples} samples, got {len(texts)}")
    named = None if texts is None else {int(row): texts[int(row)] for row in found.rows[:_N]}
    with style():
        ax = axes_or_new(ax, *_size(named))
        _draw(ax, found, named, _N)
    return ax


def draw_latents(found: Sequence[TopExamples], texts: Mapping[int, str] | None, n: int) -> Figure:
    """A figure of several latents with all their examples, one below another; rows are named from 1, as in files."""
    width, height = _size(texts, n)
    with style():
        figure = new_figure(width, height * len(found))
        for ax, one in zip(np.ravel(figure.subplots(len(found), 1)), found, strict=True):
            _draw(ax, one, texts, n, first=1)
    return figure


def _size(texts: Mapping[int, str] | None, n: int = _N) -> tuple[float, float]:
    return 4.2 if texts is None else 7.0, max(2.2, 0.7 + 0.15 * n)


def _draw(ax: Axes, found: TopExamples, texts: Mapping[int, str] | None, n: int, first: int = 0) -> None:
    """The histogram, with marks at the top examples, which are listed beside it."""
    from matplotlib.ticker import MaxNLocator

    values = np.asarray(found.values, np.float64)
    top = float(values[0]) if len(values) else 1.0
    counts, edges = np.histogram(values, _BINS, (0.0, top))
    ax.stairs(counts, edges, fill=True, color=BLUE, alpha=0.85)
    ax.plot(values[:n], np.zeros(len(values[:n])), "|", color=VERMILION, markersize=7, clip_on=False, zorder=4)
    ax.set(xlim=(0, top), ylim=(0, 1.05 * max(int(counts.max()), 1)), xlabel="activation, where it is not 0")
    ax.set(ylabel="samples", title=f"Latent {found.latent}: {_share(found)}")
    ax.yaxis.set_major_locator(MaxNLocator(5, integer=True, steps=[1, 2, 5, 10], min_n_ticks=1))
    ax.xaxis.set_major_locator(MaxNLocator(5))
    if not len(values):
        ax.text(0.5, 0.5, "none", transform=ax.transAxes, ha="center", color=GREY)
    listed = [
        f"{value:#.3g}  " + (f"row {row + first}" if texts is None else _short(texts[row]))
        for row, value in zip(found.rows[:n].tolist(), values[:n].tolist(), strict=True)
    ]
    words: dict[str, Any] = {"transform": ax.transAxes, "va": "top", "parse_math": False, "linespacing": 1.4}
    ax.text(1.03, 1.0, "\n".join(listed), size=7, color=INK, **words)


def _share(found: TopExamples) -> str:
    return f"excited by {100 * found.density:.3g} % of {found.n_samples} samples"


def _short(text: str) -> str:
    """A text on one line, without what steers a terminal or has no picture."""
    line = "".join(c for c in " ".join(str(text).split()) if c.isprintable())
    return line if len(line) <= _WIDTH else line[: _WIDTH - 1] + "…"
