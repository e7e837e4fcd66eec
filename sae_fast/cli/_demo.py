"""``sae-fast demo``: the classical job on real images (UFLDL, "Exercise: Sparse Autoencoder")."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import Objective, SparseAutoencoder, flatten, get_num_threads, plot, reference
from ..files._arrays_write import writing
from ..files._model_file import import_safetensors
from ..files._targets import check_target, make_folder
from ..plot._style import import_matplotlib
from ..preprocessing._patches import natural_patches
from ._fit import fit
from ._outputs import say

SETTINGS: dict[str, Any] = {"rho": 0.01, "beta": 3.0, "weight_decay": 1e-4}
SIDE, UNITS = 8, 25
FILES = ("filters.png", "loss.png", "summary.png", "model.safetensors", "codes.npy")


def run(arguments: argparse.Namespace) -> int:
    """Train, compare, draw; an interrupted training is shown too, and gives 1."""
    folder = Path(arguments.out)
    make_folder(folder)
    import_matplotlib()
    import_safetensors()
    for name in FILES:
        check_target(folder / name)
    say("drawing 10,000 patches of 8 x 8 pixels from two photographs")
    X = natural_patches(10_000, SIDE)
    model = SparseAutoencoder(
        UNITS,
        **SETTINGS,
        max_iter=arguments.max_iter,
        random_state=0,
        n_threads=arguments.n_threads,
        verbose=0 if arguments.quiet else 1,
    )
    began = time.perf_counter()
    interrupted = fit(model, X)
    seconds = time.perf_counter() - began
    model.set_params(verbose=0)
    ours, theirs = _race(model, X)
    model.save(folder / "model.safetensors")
    names = [str(name) for name in model.get_feature_names_out()]
    with writing(str(folder / "codes.npy"), (len(X), UNITS), X.dtype, names) as write:
        write(model.transform(X))
    plot.save(plot.filters(model), folder / "filters.png")
    plot.save(plot.loss(model), folder / "loss.png")
    plot.save(plot.summary(model, X), folder / "summary.png")
    _summary(model, X, seconds, ours, theirs, arguments.n_threads or get_num_threads())
    print(f"\nwrote {', '.join(FILES[:-1])} and {FILES[-1]} to {folder}")
    return 1 if interrupted else 0


def _race(model: SparseAutoencoder, X: NDArray[Any]) -> tuple[float, float]:
    """Seconds of one cost and gradient: here and in the NumPy reference, the best of three in turns."""
    theta = flatten(model.params_)
    contenders: list[Callable[[NDArray[Any]], object]] = [
        Objective(X, UNITS, **SETTINGS, n_threads=model.n_threads),
        reference.Objective(X, UNITS, **SETTINGS),
    ]
    times: list[list[float]] = [[], []]
    for _ in range(3):
        for f, taken in zip(contenders, times, strict=True):
            began = time.perf_counter()
            f(theta)
            taken.append(time.perf_counter() - began)
    return min(times[0]), min(times[1])


def _pca_error(X: NDArray[Any]) -> float:
    from sklearn.decomposition import PCA

    pca = PCA(UNITS, random_state=0).fit(X)
    return float(0.5 * np.sum((pca.inverse_transform(pca.transform(X)) - X) ** 2) / len(X))


def _summary(
    model: SparseAutoencoder, X: NDArray[Any], seconds: float, ours: float, theirs: float, n_threads: int
) -> None:
    c = model.cost_
    codes = model.transform(X)
    rows = [
        ("network", f"{SIDE * SIDE} - {UNITS} - {SIDE * SIDE}, {len(X)} patches, {X.dtype}, {n_threads} threads"),
        ("J", f"{c.total:.5f}"),
        ("  reconstruction", f"{c.reconstruction:.5f}   (half the squared error per patch)"),
        ("  weight decay", f"{c.weight_decay:.5f}"),
        ("  sparsity", f"{c.sparsity:.5f}"),
        ("mean activation", f"{model.rho_hat_.mean():.5f}   (wanted: rho = {SETTINGS['rho']:g})"),
        ("active codes", f"{np.mean(codes > 0.1):.1%} above 0.1   (PCA's are all nonzero)"),
        (f"PCA, {UNITS} comp.", f"{_pca_error(X):.5f}   (its reconstruction error, dense codes)"),
        ("training", f"{seconds:.2f} s for {model.n_iter_} iterations of L-BFGS"),
        (
            "cost + gradient",
            f"{1e3 * ours:.2f} ms, NumPy reference {1e3 * theirs:.1f} ms: {theirs / ours:.0f} x faster",
        ),
    ]
    print("\nSparse autoencoder on natural image patches (UFLDL)\n")
    for name, value in rows:
        print(f"  {name:<18} {value}")
