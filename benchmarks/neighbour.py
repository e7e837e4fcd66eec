#!/usr/bin/env python
"""A call of ours in turn with NumPy's A @ A (256 x 256), and with a KMeans: against the sum of both alone."""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
from sklearn.cluster import KMeans

import sae_fast as sf


def alone(f: Callable[[], object], n: int) -> list[float]:
    """Seconds of n runs, after a rest in which other threads go to sleep."""
    time.sleep(0.3)
    f()
    times = []
    for _ in range(n):
        began = time.perf_counter()
        f()
        times.append(time.perf_counter() - began)
    return times


def main() -> int:
    """Print the ratios, best and median."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    rng = np.random.default_rng(0)
    X = rng.random((256, 784), dtype=np.float32)
    params = sf.init_params(784, 200, random_state=0, dtype=np.float32)
    grad = sf.Params(*(np.empty_like(p) for p in params))
    A, points = rng.random((256, 256)), rng.random((4000, 16))

    def ours() -> object:
        return sf.cost_and_grad(params, X, rho=0.05, beta=3.0, weight_decay=1e-4, out=grad)

    def product() -> object:
        return A @ A

    def kmeans() -> object:
        return KMeans(8, n_init=1, max_iter=10, random_state=0).fit(points)

    single = {f: alone(f, 60) for f in (ours, product, kmeans)}
    for name, first, second in (
        ("ours + A @ A", ours, product),
        ("ours + KMeans", ours, kmeans),
        ("A @ A + KMeans", product, kmeans),
    ):
        both = alone(lambda first=first, second=second: (first(), second()), 60)  # type: ignore[misc]
        best = min(both) / (min(single[first]) + min(single[second]))
        median = statistics.median(both) / (statistics.median(single[first]) + statistics.median(single[second]))
        print(f"{name:15} best {best:.2f} x the sum of both alone, median {median:.2f} x")
    return 0


if __name__ == "__main__":
    sys.exit(main())
