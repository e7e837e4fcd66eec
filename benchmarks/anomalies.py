"""ROC-AUC and average precision of outlier detectors on tabular anomaly sets, and how long they train.

    SAE_FAST_SHARED=../shared python benchmarks/anomalies.py [--rows 4000] [--only NAME] [--seeds 5]

Every detector is fitted to a whole set, anomalies among it and without labels, and scores the same rows; the sets are
those of ADBench. PCA is that of standardised features, with the components that explain 90 % of the variance. PyOD's
AutoEncoder runs where pyod and torch are installed, with its own defaults. What is compared of the training is its CPU
time on one thread, which other work on the machine changes little. Figures of a set are means over the seeds, and the
last lines tell how far the mean over the sets goes from seed to seed.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

import sae_fast as sf

SHARED = Path(os.environ.get("SAE_FAST_SHARED", Path(__file__).resolve().parents[2] / "shared"))


Scores = Callable[[np.ndarray], np.ndarray]  # of rows, the larger the odder


def sae_fast(X: np.ndarray, seed: int) -> Scores:
    """Ours, with its defaults."""
    detector = sf.SparseAutoencoderOutlierDetector(random_state=seed, n_threads=1).fit(X)
    return lambda rows: -detector.score_samples(rows)


def pca(X: np.ndarray, seed: int) -> Scores:
    """Squared error of the reconstruction from the first components; the seed is of no effect, or little."""
    with threadpool_limits(1):
        model = make_pipeline(StandardScaler(), PCA(0.9, random_state=seed)).fit(X)

    def scores(rows: np.ndarray) -> np.ndarray:
        codes = model.transform(rows)
        return ((model[0].transform(rows) - model[1].inverse_transform(codes)) ** 2).sum(axis=1)

    return scores


def isolation_forest(X: np.ndarray, seed: int) -> Scores:
    """scikit-learn's, with its defaults."""
    model = IsolationForest(random_state=seed).fit(X)
    return lambda rows: -model.score_samples(rows)


def pyod(X: np.ndarray, seed: int) -> Scores:
    """PyOD's AutoEncoder, with its defaults; its fit scores the rows too, some hundredths of its time."""
    import torch
    from pyod.models.auto_encoder import AutoEncoder

    torch.set_num_threads(1)
    detector = AutoEncoder(random_state=seed, verbose=0)
    detector.fit(X)
    return detector.decision_function


def main() -> int:
    """Run all of them and print a table; 1 if ours is behind PCA by more than 0.01, behind PyOD or not 10 x as fast."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, help="of each set at most (default: all)")
    parser.add_argument("--only", default="", help="sets whose name has this in it")
    parser.add_argument("--seeds", type=int, default=1, help="how many, from 0 on (default: 1)")
    options = parser.parse_args()
    sys.path.insert(0, str(SHARED / "data"))
    load: Any = importlib.import_module("load")
    detectors: dict[str, Callable[[np.ndarray, int], Scores]] = {
        "sae_fast": sae_fast,
        "PCA": pca,
        "IsolationForest": isolation_forest,
    }
    if importlib.util.find_spec("pyod") and importlib.util.find_spec("torch"):
        importlib.import_module("pyod.models.auto_encoder")  # torch takes seconds to import, which are no training
        detectors["PyOD"] = pyod
    warnings.simplefilter("ignore")
    table: dict[str, list[np.ndarray]] = {name: [] for name in detectors}  # of each set (n_seeds, 3)
    print(f"{'set':<16}" + "".join(f"{name:>26}" for name in detectors))
    for name in (name for name in load.ANOMALY_SETS if options.only in name):
        X, y = load.anomaly(name)
        if options.rows is not None and len(X) > options.rows:
            picked = np.random.default_rng(0).permutation(len(X))[: options.rows]
            X, y = X[picked], y[picked]
        for detector, rows in table.items():
            rows.append(np.array([judged(detectors[detector], X, y, seed) for seed in range(options.seeds)]))
        print(f"{name:<16}" + "".join(_cell(*rows[-1].mean(axis=0)) for rows in table.values()), flush=True)
    of_seeds = {detector: np.mean(rows, axis=0) for detector, rows in table.items()}
    means = {detector: rows.mean(axis=0) for detector, rows in of_seeds.items()}
    print(f"{'mean':<16}" + "".join(_cell(*row) for row in means.values()))
    for detector, rows in of_seeds.items():
        lowest, highest = rows[:, 0].min(), rows[:, 0].max()
        print(f"{detector}: mean ROC-AUC of seeds {lowest:.4f} to {highest:.4f}, mean {rows[:, 0].mean():.4f}")
    ours = means["sae_fast"]
    good = ours[0] >= means["PCA"][0] - 0.01
    if "PyOD" in means:
        print(f"PyOD trains {means['PyOD'][2] / ours[2]:.1f} times as long (>= 10)")
        good &= ours[0] >= means["PyOD"][0] and means["PyOD"][2] >= 10 * ours[2]
    return int(not good)


def judged(detector: Callable[[np.ndarray, int], Scores], X: np.ndarray, y: np.ndarray, seed: int) -> list[float]:
    """ROC-AUC, average precision and seconds of CPU time that the training took."""
    began = time.process_time()
    score = detector(X, seed)
    seconds = time.process_time() - began
    scores = score(X)
    return [roc_auc_score(y, scores), average_precision_score(y, scores), seconds]


def _cell(auc: float, precision: float, seconds: float) -> str:
    return f"{f'{auc:.3f} {precision:.3f} {seconds:6.2f} s':>26}"


if __name__ == "__main__":
    raise SystemExit(main())
