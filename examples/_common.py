"""Shared by the reproductions: the data, the figures that are reported, and the command line of each."""

from __future__ import annotations

import argparse
import io
import os
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

import sae_fast as sf

ROOT = Path(__file__).resolve().parents[1]
SOFTMAX_WEIGHT_DECAY = (1e-3, 3e-4, 1e-4, 3e-5, 1e-5, 3e-6)  # UFLDL's is 1e-4
SOFTMAX_ITERATIONS = 400
PICTURE_BYTES = 60_000
F32 = NDArray[np.float32]
F64 = NDArray[np.float64]


matplotlib.rcParams.update(
    {
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "legend.frameon": False,
        "lines.linewidth": 1.2,
    }
)


@dataclass(frozen=True)
class Options:
    """What each reproduction is told: the folder of data (or None), the folder of pictures, and whether to be quick."""

    data: Path | None = None
    images: Path = Path()
    quick: bool = False

    def size(self, full: int, quick: int) -> int:
        """A number of samples or iterations."""
        return quick if self.quick else full

    def file(self, name: str) -> Path | None:
        """A file of the data folder, if it is there."""
        path = self.data / name if self.data else None
        return path if path and path.exists() else None


@dataclass(frozen=True)
class Figure:
    """One number, with what was published and the bar that it has to meet, if any."""

    what: str
    ours: float
    published: str = ""
    at_least: float | None = None
    at_most: float | None = None
    form: str = ".4g"
    unit: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the bar is met; None where there is none."""
        if self.at_least is None and self.at_most is None:
            return None
        return (self.at_least is None or self.ours >= self.at_least) and (
            self.at_most is None or self.ours <= self.at_most
        )

    @property
    def bar(self) -> str:
        """The bar in words."""
        parts = [("≥", self.at_least), ("≤", self.at_most)]
        return " and ".join(f"{sign} {self.show(value)}" for sign, value in parts if value is not None)

    @property
    def verdict(self) -> str:
        """Met, or missed by how much."""
        if self.met is None:
            return ""
        if self.met:
            return "met"
        by = (self.at_least or 0) - self.ours if self.at_least is not None else self.ours - (self.at_most or 0)
        return f"missed by {self.show(by)}"

    def show(self, value: float) -> str:
        """A value in this figure's form and unit."""
        return f"{value:{self.form}} {self.unit}".rstrip()


@dataclass
class Result:
    """What a reproduction returns."""

    title: str
    figures: list[Figure]
    pictures: list[tuple[str, str]] = field(default_factory=list)  # file name, caption
    smaller: str = ""  # on which other data, where the published ones are not there
    seconds: float = 0.0

    @property
    def met(self) -> bool:
        """No bar is missed. On smaller data there is none."""
        return all(f.met is not False for f in self.figures)

    def lines(self) -> Iterator[str]:
        """The figures, for a terminal."""
        yield f"{self.title}: {self.seconds:.1f} s" + (f" (smaller version: {self.smaller})" if self.smaller else "")
        for f in self.figures:
            published = f", published {f.published}" if f.published else ""
            bar = f" [{f.bar}: {f.verdict}]" if f.bar else ""
            yield f"  {f.what}: {f.show(f.ours)}{published}{bar}"


class Digits(NamedTuple):
    """Handwritten digits: grey levels in [0, 1], shape (n_samples, side * side), and labels 0..9."""

    X: F32
    y: NDArray[np.int64]
    X_test: F32
    y_test: NDArray[np.int64]
    side: int
    smaller: str


def digits(options: Options) -> Digits:
    """MNIST (``mnist/mnist.npz`` or Keras's ``mnist.npz`` in the data folder), else scikit-learn's 8x8 digits."""
    path = options.file("mnist/mnist.npz") or options.file("mnist.npz")
    if path is None:
        from sklearn.datasets import load_digits

        X, y = load_digits(return_X_y=True)
        X, n, smaller = X / 16, 1200, "scikit-learn's 8x8 digits, 1,200 to train and 597 to test"
        parts = X[:n], y[:n], X[n:], y[n:]
    else:
        smaller = ""
        with np.load(path) as z:
            names = ("X_train", "y_train", "X_test", "y_test")
            parts = tuple(z[k] if k in z else z[k.lower()] for k in names)
        parts = tuple(a.reshape(len(a), -1) / np.float32(255) if a.ndim > 1 else a for a in parts)
    if options.quick:
        parts = tuple(a[:600] for a in parts)
    X, y, X_test, y_test = parts
    side = round(X.shape[1] ** 0.5)
    return Digits(X.astype(np.float32), y.astype(int), X_test.astype(np.float32), y_test.astype(int), side, smaller)


def natural_patches(options: Options, n: int, size: int) -> tuple[F64, str]:
    """Whitened patches of photographs in [0.1, 0.9], and of which: Kodak's, or the two that scikit-learn ships."""
    path = options.file("natural/kodak_gray.npz")
    if path is None:
        from sae_fast.preprocessing._patches import natural_patches as of_two_photographs

        return of_two_photographs(n, size).astype(np.float64), "patches of scikit-learn's two photographs"
    with np.load(path) as z:
        photographs = z["images"][: options.size(24, 2)].astype(np.float64)
    extractor = sf.PatchExtractor(size, n, margin=4, random_state=0)
    patches = extractor.fit_transform([whiten(np.log1p(p)) for p in photographs])
    return sf.UFLDLScaler().fit_transform(patches), ""


def whiten(picture: F64) -> F64:
    """Make the falling spectrum of a natural image flat: f exp(-(f / f0)^4), f0 = 0.4 cycles per pixel.

    The photographs of the UFLDL exercise were made so (Olshausen and Field, Vision Research 1997).
    """
    rows, columns = picture.shape
    f = np.hypot(np.fft.fftfreq(rows)[:, None], np.fft.rfftfreq(columns))
    return np.fft.irfft2(np.fft.rfft2(picture) * f * np.exp(-((f / 0.4) ** 4)), s=picture.shape)


class Classified(NamedTuple):
    """How a softmax classifier did on the test samples, and the weight decay that it was given."""

    per_cent: float
    weight_decay: float


def softmax_accuracy(
    X: NDArray[Any],
    y: NDArray[np.int64],
    X_test: NDArray[Any],
    y_test: NDArray[np.int64],
    options: Options,
    cv: Any = 3,
) -> Classified:
    """Train a softmax classifier, its weight decay chosen by cross-validation on the training samples alone."""
    # scikit-learn's C weighs the sum of the losses; UFLDL's weight decay stands beside their mean.
    C = {1 / (decay * len(X)): decay for decay in SOFTMAX_WEIGHT_DECAY}
    search = GridSearchCV(LogisticRegression(max_iter=options.size(SOFTMAX_ITERATIONS, 20)), {"C": list(C)}, cv=cv)
    with warnings.catch_warnings():
        # Without decay the optimum is far away, and no better for test samples.
        warnings.simplefilter("ignore", ConvergenceWarning)
        search.fit(X, y)
    return Classified(100 * search.score(X_test, y_test), C[search.best_params_["C"]])


@contextmanager
def quiet() -> Iterator[None]:
    """Without the warning of dead units: in a layer of hundreds some are, and the border pixels of MNIST are black."""
    from sae_fast import UnitWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnitWarning)
        yield


class Clock:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._start = time.perf_counter()

    def __call__(self) -> float:
        """Seconds so far."""
        return time.perf_counter() - self._start


def save(axes_or_figure: Any, options: Options, name: str) -> str:
    """Write a picture to the folder of pictures, with the largest palette that keeps the file small."""
    figure = getattr(axes_or_figure, "figure", axes_or_figure)
    options.images.mkdir(parents=True, exist_ok=True)
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=110)
    with Image.open(drawn) as picture:
        pixels = picture.convert("RGB")
    for n_colours in (256, 64, 32, 16):
        small = io.BytesIO()
        pixels.quantize(n_colours, dither=Image.Dither.NONE).save(small, "PNG", optimize=True)
        if len(small.getbuffer()) <= PICTURE_BYTES:
            break
    (options.images / name).write_bytes(small.getbuffer())
    return name


def default_data() -> Path | None:
    """``$SAE_FAST_SHARED/data``, or ``../shared/data`` beside the checkout."""
    home = Path(os.environ.get("SAE_FAST_SHARED", ROOT.parent / "shared")) / "data"
    return home if home.is_dir() else None


def parser(description: str | None) -> argparse.ArgumentParser:
    """The options that every reproduction has."""
    p = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    p.add_argument(
        "--data", type=Path, default=default_data(), metavar="DIR", help="folder of data, see examples/README.md"
    )
    p.add_argument("--builtin", action="store_true", help="scikit-learn's own images and digits, whatever DIR holds")
    p.add_argument("--quick", action="store_true", help="a few samples and iterations, to see that it runs")
    return p


def data_folder(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> Path | None:
    """The folder that was named, which must be there; None for the built-in data."""
    folder: Path | None = None if arguments.builtin else arguments.data
    if folder is not None and not folder.is_dir():
        parser.error(f"--data: {folder} is no folder; --builtin takes scikit-learn's own images and digits")
    return folder


def timed(run: Callable[[Options], Result], options: Options) -> Result:
    """Run one, measure it."""
    clock = Clock()
    result = run(options)
    result.seconds = clock()
    return result


def main(run: Callable[[Options], Result], description: str | None) -> int:
    """Command line of one reproduction: prints the figures, writes the picture here; 1 if a bar is missed."""
    p = parser(description)
    arguments = p.parse_args()
    result = timed(run, Options(data_folder(p, arguments), Path(), arguments.quick))
    print(*result.lines(), sep="\n")
    print(*(f"  picture: {name}" for name, _ in result.pictures), sep="\n")
    return 0 if result.met else 1
