#!/usr/bin/env python
"""Time to quality, and the classical jobs.

patches   5000 x 100 -> 25 (data sets: CRAN patches; else our own): seconds to the J that SciPy's L-BFGS-B reaches
          on the NumPy formula after --scipy-iterations iterations
ufldl     10,000 patches, 64-25-64, 400 iterations
mnist     10,000 digits, 784-196-784, 400 iterations, float32 (data sets; else scikit-learn's digits are too small:
          random data of that size)
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize

import sae_fast as sf
from sae_fast import _core, reference
from sae_fast.preprocessing._patches import natural_patches


def data_sets() -> Any:
    """The loader of the real data sets, or None."""
    home = Path(os.environ.get("SAE_FAST_SHARED", Path(__file__).resolve().parents[2] / "shared"))
    path = home / "data" / "load.py"
    if not path.exists():
        return None
    spec = importlib.util.spec_from_file_location("shared_data_load", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class _NumPyObjective:
    """The textbook formula, as people write it."""

    def __init__(self, X: Any, h: int, rho: float, beta: float, weight_decay: float) -> None:
        self.X, self.h, self.v, self.s = X, h, X.shape[1], (rho, beta, weight_decay)

    def __call__(self, theta: Any) -> tuple[float, Any]:
        X, (rho, beta, decay), m = self.X, self.s, len(self.X)
        W1, b1, W2, b2 = sf.unflatten(theta, self.v, self.h)
        a2 = 1 / (1 + np.exp(-(X @ W1.T + b1)))
        a3 = 1 / (1 + np.exp(-(a2 @ W2.T + b2)))
        difference, r = a3 - X, a2.mean(axis=0)
        J = (difference**2).sum() / (2 * m) + decay / 2 * ((W1**2).sum() + (W2**2).sum())
        J += beta * (rho * np.log(rho / r) + (1 - rho) * np.log((1 - rho) / (1 - r))).sum()
        delta3 = difference * a3 * (1 - a3)
        delta2 = (delta3 @ W2 + beta * (-rho / r + (1 - rho) / (1 - r))) * a2 * (1 - a2)
        grad = (delta2.T @ X / m + decay * W1, delta2.mean(axis=0), delta3.T @ a2 / m + decay * W2, delta3.mean(axis=0))
        return float(J), sf.flatten(grad)


def patches(loader: Any, iterations: int) -> None:
    """Time to the J of SciPy on NumPy."""
    X = natural_patches(5000, 10) if loader is None else loader.cran_autoencoder()[0]
    settings = {"rho": 0.01, "beta": 6.0, "weight_decay": 2e-4}
    start = sf.init_params(100, 25, random_state=np.random.RandomState(0))
    began = time.perf_counter()
    theirs = minimize(
        _NumPyObjective(X, 25, **settings),
        sf.flatten(start),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": iterations},
    )
    seconds = time.perf_counter() - began

    def reached_it(info: sf.EpochInfo) -> bool:
        return info.cost.total <= theirs.fun

    model = sf.SparseAutoencoder(25, **settings, max_iter=20 * iterations, tol=0.0, random_state=0, callback=reached_it)
    began = time.perf_counter()
    model.fit(X)
    ours = time.perf_counter() - began
    reached = "" if model.cost_.total <= theirs.fun * (1 + 1e-9) else " NOT REACHED"
    print(f"patches: SciPy on NumPy {theirs.nit} iterations, J {theirs.fun:.6f}, {seconds:.2f} s")
    share = f"1/{seconds / ours:.1f}{reached}"
    print(f"patches: ours {model.n_iter_} iterations, J {model.cost_.total:.6f}, {ours:.2f} s: {share}")


def classical(name: str, X: Any, h: int, settings: dict[str, float]) -> None:
    """400 iterations, against the arithmetic limit of their evaluations."""
    from sae_fast.network._data import Data
    from sae_fast.network._settings import check_autoencoder
    from sae_fast.network._solvers import LbfgsSolver

    m, v = X.shape
    start = sf.init_params(v, h, random_state=0, dtype=X.dtype)
    penalty = (settings["rho"], settings["beta"], settings["weight_decay"])
    began = time.perf_counter()
    solver = LbfgsSolver(start, Data(X), None, check_autoencoder("sigmoid", "sigmoid", *penalty))
    n = 0
    while n < 400 and solver.step() is not None:
        n += 1
    seconds = time.perf_counter() - began
    peak = _core.multiply_add_rate(X.dtype == np.float32, 0, 0.3)
    limit = 5.0 * m * v * h / peak
    evaluations = solver.n_evaluations
    J = reference.cost(solver.params, X, **settings).total
    print(
        f"{name}: {n} iterations, {evaluations} evaluations, J {J:.5f}, {seconds:.2f} s = "
        f"{seconds / (evaluations * limit):.2f} x (evaluations x limit)"
    )


def main() -> int:
    """Run the jobs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("jobs", nargs="*", default=["patches", "ufldl", "mnist"])
    parser.add_argument("--scipy-iterations", type=int, default=2000)
    arguments = parser.parse_args()
    loader = data_sets()
    if "patches" in arguments.jobs:
        patches(loader, arguments.scipy_iterations)
    if "ufldl" in arguments.jobs:
        for dtype in (np.float32, np.float64):
            X = natural_patches(10_000, 8, dtype=dtype)
            classical(f"ufldl {X.dtype}", X, 25, {"rho": 0.01, "beta": 3.0, "weight_decay": 1e-4})
    if "mnist" in arguments.jobs:
        if loader is not None:
            X = loader.mnist_scaled()[0][:10_000].reshape(10_000, 784)
        else:
            X = np.random.default_rng(0).random((10_000, 784), dtype=np.float32)
        classical("mnist float32", X, 196, {"rho": 0.1, "beta": 3.0, "weight_decay": 3e-3})
    return 0


if __name__ == "__main__":
    sys.exit(main())
