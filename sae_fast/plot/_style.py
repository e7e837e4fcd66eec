"""How the pictures look, and how they get into files."""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..files._atomic import replacing
from ..files._targets import check_target
from ..network._checks import check_in

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

DPI = 200
PAD = 0.04  # inches around a figure: a whole number of dots
KINDS = (".png", ".pdf", ".svg")

# Ink and greys; then Okabe and Ito's colours, and Tol's muted ones for classes: both safe for colour-blind readers.
INK, GREY, LIGHT = "#222222", "#8c8c8c", "#dddddd"
BLUE, VERMILION, GREEN, ORANGE = "#0072b2", "#d55e00", "#009e73", "#e69f00"
CLASSES = ("#332288", "#cc6677", "#117733", "#ddcc77", "#88ccee", "#882255", "#44aa99", "#999933", "#aa4499", "#888888")
CONTINUOUS, SIGNED = "viridis", "PuOr"

SETTINGS: dict[str, Any] = {
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.labelpad": 2.5,
    "axes.labelsize": 8,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 8,
    "axes.titleweight": "bold",
    "figure.constrained_layout.h_pad": PAD,
    "figure.constrained_layout.w_pad": PAD,
    "figure.titlesize": 8,
    "font.size": 8,
    "grid.color": LIGHT,
    "grid.linewidth": 0.5,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "legend.handlelength": 1.4,
    "lines.linewidth": 1.2,
    "pdf.fonttype": 42,
    "svg.hashsalt": "sae_fast",
    "text.color": INK,
    "xtick.color": GREY,
    "xtick.labelcolor": INK,
    "xtick.labelsize": 7,
    "xtick.major.size": 2.5,
    "xtick.major.width": 0.6,
    "xtick.minor.size": 1.5,
    "xtick.minor.width": 0.4,
    "ytick.color": GREY,
    "ytick.labelcolor": INK,
    "ytick.labelsize": 7,
    "ytick.major.size": 2.5,
    "ytick.major.width": 0.6,
    "ytick.minor.size": 1.5,
    "ytick.minor.width": 0.4,
}


@contextlib.contextmanager
def style() -> Iterator[None]:
    """Context manager: the settings of these pictures, for others that shall look alike.

    matplotlib's defaults with small type, thin lines and no frame; the caller's settings return when the block ends.

    Examples
    --------
    >>> import matplotlib, sae_fast as sf
    >>> with sf.plot.style():
    ...     matplotlib.rcParams["axes.spines.top"]
    False
    >>> matplotlib.rcParams["axes.spines.top"]
    True
    """
    matplotlib = import_matplotlib()
    with matplotlib.style.context(["default", SETTINGS]):
        yield


def import_matplotlib() -> Any:
    """The library that draws; worth knowing of before long work, not after it."""
    try:
        import matplotlib.style
    except ImportError as error:
        raise ImportError('sae_fast.plot needs matplotlib: pip install "sae-fast[plot]"') from error
    return matplotlib


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of this size in inches, outside pyplot and with constrained layout.

    Create it and its axes within :func:`style`, for axes that look like those of this module.

    Parameters
    ----------
    width, height : float
        Inches; a column of a journal is about 3.5 wide, a page 7.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import sae_fast as sf
    >>> with sf.plot.style():
    ...     figure = sf.plot.new_figure(7, 2.5)
    ...     left, right = figure.subplots(1, 2)
    >>> sf.plot.kl_penalty(0.05, ax=left) is left
    True
    """
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=DPI, layout="constrained")


def axes_or_new(ax: Axes | None, width: float = 3.5, height: float = 2.5) -> Axes:
    """``ax``, or the axes of a new figure of this size in inches."""
    return new_figure(width, height).add_subplot() if ax is None else ax


def end_labels(ax: Axes, labels: Sequence[tuple[str, float, str]]) -> None:
    """Name curves at the right edge instead of in a legend: (text, height in data units, colour) each, kept apart."""
    figure: Any = ax.get_figure()
    inches = ax.get_position().height * figure.bbox.height / figure.dpi_scale_trans.transform((0, 1))[1]
    apart = 9 / 72 / max(inches, 0.5)
    to_axes = ax.transData + ax.transAxes.inverted()
    wanted = sorted((float(to_axes.transform((0, value))[1]), text, colour) for text, value, colour in labels)
    heights = _apart([height for height, _, _ in wanted], apart)
    for height, (_, text, colour) in zip(heights, wanted, strict=True):
        ax.text(1.02, height, text, color=colour, size=7, va="center", transform=ax.transAxes)


def _apart(heights: Sequence[float], apart: float) -> list[float]:
    """Rising heights within 0..1 moved as little as possible (least squares) so that none is nearer than ``apart``.

    Less its share of the gaps, each height must not fall below the one before: isotonic regression, by pooling.
    """
    pools: list[tuple[float, int]] = []
    for i, height in enumerate(heights):
        mean, n = min(max(height, 0.0), 1.0) - i * apart, 1
        while pools and pools[-1][0] > mean:
            below, k = pools.pop()
            mean, n = (mean * n + below * k) / (n + k), n + k
        pools.append((mean, n))
    flat = [mean for mean, n in pools for _ in range(n)]
    top = 1.0 - (len(heights) - 1) * apart
    return [max(min(mean, top), 0.0) + i * apart for i, mean in enumerate(flat)]


def save(picture: Axes | Figure | SubFigure, path: str | PathLike[str], *, dpi: float | None = None) -> None:
    """Write a picture to a file, whole or not at all.

    The same picture gives the same bytes: neither date nor version is written.

    Parameters
    ----------
    picture : Axes or Figure
        What the functions of this module return; of axes, their whole figure is written.
    path : path-like
        File name; its ending tells the kind: .png, .pdf or .svg.
    dpi : float, optional
        Pixels per inch, 10 to 1200; by default 200.

    Raises
    ------
    ValueError
        The ending is another one, or ``dpi`` is out of its range.
    OSError
        The file cannot be written.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import sae_fast as sf
    >>> path = pathlib.Path(tempfile.mkdtemp(), "filters.pdf")
    >>> sf.plot.save(sf.plot.filters(sf.init_params(64, 25, random_state=0)), path)
    >>> path.read_bytes()[:4]
    b'%PDF'
    """
    kind = kind_of(path)
    if dpi is not None:
        check_dpi(dpi)
    unsigned = {".png": "Software", ".pdf": "CreationDate", ".svg": "Date"}[kind]
    figure: Any = picture.get_figure(root=True)
    check_target(path)
    drawn = io.BytesIO()  # libraries write to files in their own ways, and word a full disk in their own words
    with style():
        figure.savefig(drawn, dpi=dpi or DPI, format=kind[1:], metadata={unsigned: None}, facecolor="white")
    with replacing(path) as file:
        file.write(drawn.getbuffer())


def check_dpi(dpi: float) -> float:
    """``dpi``, if a picture of this density is of use and fits in memory."""
    return check_in("dpi", dpi, 10.0, math.nextafter(1200.0, math.inf), "in [10, 1200]")


def kind_of(path: str | PathLike[str]) -> str:
    """The kind of a picture file by its name; ValueError for one that is not known."""
    kind = Path(path).suffix.lower()
    if kind not in KINDS:
        raise ValueError(f"the name of a picture must end in {', '.join(KINDS)}, got {str(path)!r}")
    return kind
