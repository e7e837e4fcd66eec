"""CRAN natural patches: a published cost, reached in seconds instead of minutes.

The R package *autoencoder* (CRAN; Dubossarsky and Tyshetskiy) comes with 5,000 patches of 10x10 pixels from nature
photographs and with two fits to them, of 25 and of 100 sigmoid units: `rho` 0.01, `beta` 6, `weight_decay` 2e-4, data
scaled to [0.001, 0.999]. Its manual speaks of 20 minutes and of about an hour. The J of the stored weights, 2.24568
and 2.02654, is to be reached from our own random start.

The valley is long: after a quarter of the iterations J is within half a per cent, and the rest goes into the last three
digits. Plain L-BFGS in float64 gets through, from each of the six starts that were tried, in 1,900 to 3,300
iterations.
"""

from __future__ import annotations

import numpy as np
from _common import F64, Clock, Figure, Options, Result, main, natural_patches, quiet, save
from matplotlib.figure import Figure as Canvas

import sae_fast as sf

# Hidden units: published J, published time, iterations, and the bars on J and on the seconds to reach it.
FITS = {25: (2.24568, "20 minutes", 4000, 2.2457, 15.0), 100: (2.02654, "about 1 hour", 4000, 2.0266, 60.0)}


def run(options: Options) -> Result:
    """Fit both networks; J, and the seconds until it was the published one."""
    X, smaller = patches(options)
    figures = []
    canvas = Canvas(figsize=(9, 3.4), layout="constrained")
    axes = canvas.subplots(1, len(FITS))
    for ax, (n_hidden, (published, their_time, n_iterations, bar, limit)) in zip(axes, FITS.items(), strict=True):
        J, seconds = fit(X, n_hidden, options.size(n_iterations, 10))
        ax.plot(seconds, J, color="black", label="J")
        ax.set(title=f"{n_hidden} units", xlabel="seconds", ylabel="J", ylim=(0.995 * J[-1], 1.08 * J[-1]))
        if smaller or options.quick:
            figures.append(Figure(f"J, {n_hidden} units", J[-1], form=".5f"))
            continue
        ax.axhline(published, color="tab:red", linewidth=1, label=f"published, {published}")
        ax.legend()
        reached = seconds[np.argmax(bar >= J)] if J[-1] <= bar else np.inf
        figures += [
            Figure(f"J, {n_hidden} units", J[-1], f"{published}", at_most=bar, form=".5f"),
            Figure(f"time to J ≤ {bar}", reached, their_time, at_most=limit, form=".1f", unit="s"),
        ]
    caption = "J over time from a random start, and the J of the published weights."
    return Result("CRAN natural patches", figures, [(save(canvas, options, "cran_patches.png"), caption)], smaller)


def patches(options: Options) -> tuple[F64, str]:
    """The package's patches (``cran_autoencoder/training_matrix.npz``), else others of their number and size."""
    path = options.file("cran_autoencoder/training_matrix.npz")
    if path is None:
        X, smaller = natural_patches(options, options.size(5000, 300), 10)
        smaller = smaller or "patches of other photographs"
    else:
        with np.load(path) as z:
            X, smaller = z["X"][: options.size(5000, 300)], ""
    return (X - X.min()) / (X.max() - X.min()) * 0.998 + 0.001, smaller


def fit(X: F64, n_hidden: int, n_iterations: int) -> tuple[F64, F64]:
    """J and the seconds since the start, by iteration."""
    seconds = []
    clock = Clock()
    model = sf.SparseAutoencoder(
        n_hidden,
        rho=0.01,
        beta=6.0,
        weight_decay=2e-4,
        max_iter=n_iterations,
        tol=0.0,
        random_state=0,
        callback=lambda _: seconds.append(clock()),
    )
    with quiet():
        model.fit(X)
    return model.loss_curve_, np.array(seconds)


if __name__ == "__main__":
    raise SystemExit(main(run, __doc__))
