"""How codes are judged: what they lose, how sparse they are, what they are good for, how fast they come."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

INACTIVE = 0.1
SECONDS = 0.1  # of timing at least


def sparsity(codes: NDArray[Any]) -> dict[str, float]:
    """How sparse codes (n_samples, n_components) are: ``inactive``, ``hoyer`` and ``entropy`` of :class:`Coder`."""
    size = np.abs(codes).astype(np.float64)
    top = size.max(axis=0)
    inactive = float(np.mean(size <= INACTIVE * top))
    n = codes.shape[1]
    size = size[size.max(axis=1) > 0]
    if n == 1 or len(size) == 0:
        return {"inactive": inactive, "hoyer": math.nan, "entropy": math.nan}
    share = size / size.max(axis=1, keepdims=True)
    total = share.sum(axis=1)
    hoyer = (math.sqrt(n) - total / np.linalg.norm(share, axis=1)) / (math.sqrt(n) - 1)
    share /= total[:, None]
    information = -share * np.log(share, out=np.zeros_like(share), where=share > 0)
    entropy = information.sum(axis=1) / math.log(n)
    return {"inactive": inactive, "hoyer": float(hoyer.mean()), "entropy": float(entropy.mean())}


def errors(X: NDArray[Any], back: NDArray[Any]) -> dict[str, float]:
    """``error`` and ``explained`` of :class:`Coder` for reconstructions ``back``."""
    squares = float(np.sum((back.astype(np.float64) - X) ** 2))
    spread = float(np.sum((X - X.mean(axis=0, dtype=np.float64)) ** 2))
    return {"error": 0.5 * squares / len(X), "explained": 1 - squares / spread if spread > 0 else math.nan}


def accuracies(codes: NDArray[Any], labels: NDArray[Any], cv: int, random_state: Any) -> dict[str, float]:
    """``accuracy`` and ``accuracy_std`` of :class:`Coder`."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    folds = StratifiedKFold(cv, shuffle=True, random_state=random_state)
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    # Products of this size lose by several threads, much where the processors are busy.
    with threadpool_limits(1, user_api="blas"):
        scores = cross_val_score(classifier, codes, labels, cv=folds)
    return {"accuracy": float(scores.mean()), "accuracy_std": float(scores.std())}


def speed(coder: Any, X: NDArray[Any]) -> dict[str, float]:
    """``rows_per_second`` and ``row_microseconds`` of :class:`Coder`."""
    from threadpoolctl import threadpool_limits

    seconds = [math.inf, math.inf]
    # Threads of NumPy's BLAS lose much where other pools or processes keep the processors: PCA gets the better of both.
    for limit in (None, 1):
        with threadpool_limits(limit, user_api="blas"):
            for i, data in enumerate((X, X[:1])):
                seconds[i] = min(seconds[i], best(lambda data=data: coder.transform(data)))  # type: ignore[misc]
    return {"rows_per_second": len(X) / seconds[0], "row_microseconds": 1e6 * seconds[1]}


def best(work: Callable[[], object]) -> float:
    """Seconds of the fastest of several calls."""
    best, began, calls = math.inf, time.perf_counter(), 0
    while calls < 3 or time.perf_counter() - began < SECONDS:
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
        calls += 1
    return best
