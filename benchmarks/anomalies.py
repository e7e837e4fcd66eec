"""ROC-AUC and average precision of outlier detectors on tabular anomaly sets, and how long they train.

    SAE_FAST_SHARED=../shared python benchmarks/anomalies.py [--rows 4000] [--only NAME]

Every detector is fitted to a whole set, anomalies among it and without labels, and scores the same rows; the sets are
those of ADBench. PCA is that of standardised features, with the components that explain 90 % of the variance. PyOD's
AutoEncoder runs where pyod and torch are installed, with its own defaults.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.preprocessing import StandardScaler

import sae_fast as sf

SHARED = Path(os.environ.get("SAE_FAST_SHARED", Path(__file__).resolve().parents[2] / "shared"))


def sae_fast(X: np.ndarray) -> np.ndarray:
    """Ours, with its defaults."""
    return -sf.SparseAutoencoderOutlierDetector(random_state=0).fit(X).score_samples(X)


def pca(X: np.ndarray) -> np.ndarray:
    """Squared error of the reconstruction from the first components."""
    Z = StandardScaler().fit_transform(X)
    model = PCA(0.9).fit(Z)
    return ((Z - model.inverse_transform(model.transform(Z))) ** 2).sum(axis=1)


def isolation_forest(X: np.ndarray) -> np.ndarray:
    """scikit-learn's, with its defaults."""
    return -IsolationForest(random_state=0).fit(X).score_samples(X)


def pyod(X: np.ndarray) -> np.ndarray:
    """PyOD's AutoEncoder, with its defaults."""
    from pyod.models.auto_encoder import AutoEncoder

    return AutoEncoder(random_state=0, verbose=0).fit(X).decision_scores_


def main() -> int:
    """Run all of them and print a table; 1 if ours is behind PCA by more than 0.01 or behind PyOD."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, help="of each set at most (default: all)")
    parser.add_argument("--only", default="", help="sets whose name has this in it")
    options = parser.parse_args()
    sys.path.insert(0, str(SHARED / "data"))
    load: Any = importlib.import_module("load")
    detectors = {"sae_fast": sae_fast, "PCA": pca, "IsolationForest": isolation_forest}
    if importlib.util.find_spec("pyod") and importlib.util.find_spec("torch"):
        detectors["PyOD"] = pyod
    warnings.simplefilter("ignore")
    table: dict[str, list[tuple[float, float, float]]] = {name: [] for name in detectors}
    print(f"{'set':<16}" + "".join(f"{name:>26}" for name in detectors))
    for name in (name for name in load.ANOMALY_SETS if options.only in name):
        X, y = load.anomaly(name)
        if options.rows is not None and len(X) > options.rows:
            picked = np.random.default_rng(0).permutation(len(X))[: options.rows]
            X, y = X[picked], y[picked]
        for detector, rows in table.items():
            began = time.perf_counter()
            scores = detectors[detector](X)
            seconds = time.perf_counter() - began
            rows.append((roc_auc_score(y, scores), average_precision_score(y, scores), seconds))
        print(f"{name:<16}" + "".join(_cell(*rows[-1]) for rows in table.values()), flush=True)
    means = {detector: np.mean(rows, axis=0) for detector, rows in table.items()}
    print(f"{'mean':<16}" + "".join(_cell(*row) for row in means.values()))
    ours = means["sae_fast"][0]
    return int(ours < means["PCA"][0] - 0.01 or ("PyOD" in means and ours < means["PyOD"][0]))


def _cell(auc: float, precision: float, seconds: float) -> str:
    return f"{f'{auc:.3f} {precision:.3f} {seconds:6.2f} s':>26}"


if __name__ == "__main__":
    raise SystemExit(main())
