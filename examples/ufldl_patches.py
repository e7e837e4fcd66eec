"""UFLDL's sparse autoencoder: natural image patches teach it edges.

UFLDL, "Exercise: Sparse Autoencoder": 25 hidden units on 10,000 whitened patches of 8x8 pixels, `rho` 0.01,
`weight_decay` 1e-4, `beta` 3, 400 iterations of L-BFGS. Published is a picture: "edges at different orientations".

Here that is measured as well: how much of a filter's variance the best Gabor function explains (`gabor.py`). The same
fit on random weights and on the leading principal components of the same patches says what a good fit is worth.
"""

from __future__ import annotations

import numpy as np
from _common import Clock, Figure, Options, Result, main, natural_patches, quiet, save
from gabor import gabor_r2
from matplotlib.figure import Figure as Canvas
from sklearn.decomposition import PCA

import sae_fast as sf


def run(options: Options) -> Result:
    """Train, fit Gabor functions to the filters and to both controls."""
    X, smaller = natural_patches(options, options.size(10_000, 500), 8)
    clock = Clock()
    model = sf.SparseAutoencoder(
        25, rho=0.01, beta=3.0, weight_decay=1e-4, max_iter=options.size(400, 20), tol=0.0, random_state=0
    )
    with quiet():
        model.fit(X)
    seconds = clock()

    kinds = {
        "trained filters": model.components_,
        "random initial weights": sf.init_params(64, 25, random_state=0).W1,
        "principal components": PCA(25).fit(X).components_,
    }
    n_fitted = options.size(25, 3)
    r2 = {name: np.sort(gabor_r2(filters[:n_fitted])) for name, filters in kinds.items()}
    figures = [
        Figure(f"median Gabor R² of the {name}", float(np.median(values)), form=".3f") for name, values in r2.items()
    ]
    figures[0] = Figure(figures[0].what, figures[0].ours, "picture of edges", form=".3f")
    figures += [
        Figure("lowest Gabor R² of the trained filters", float(r2["trained filters"][0]), form=".3f"),
        Figure("J", model.cost_.total),
        Figure("time to train", seconds, form=".2f", unit="s"),
    ]
    caption = "The 25 filters: oriented, local edges. Right: R² of the best Gabor function, filter by filter."
    return Result("UFLDL sparse autoencoder", figures, [(picture(model, r2, options), caption)], smaller)


def picture(model: sf.SparseAutoencoder, r2: dict[str, np.ndarray], options: Options) -> str:
    """Filters on the left; on the right the fits, sorted."""
    canvas = Canvas(figsize=(8, 3.6), layout="constrained")
    left, right = canvas.subplots(1, 2, width_ratios=(1, 1.2))
    sf.plot.filters(model, ax=left)
    for (name, values), color in zip(r2.items(), ("black", "0.6", "tab:blue"), strict=True):
        right.plot(np.arange(1, len(values) + 1), values, "o-", markersize=3, color=color, label=name)
    right.set(xlabel="filter, sorted", ylabel="R² of the best Gabor function", ylim=(0, 1.02))
    right.legend(loc="lower right", bbox_to_anchor=(1, 0.3), fontsize=8)
    return save(canvas, options, "ufldl_patches.png")


if __name__ == "__main__":
    raise SystemExit(main(run, __doc__))
