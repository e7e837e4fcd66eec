"""Data, models with settings that are quick to fit, and what several estimators' tests ask of them."""

from __future__ import annotations

import numpy as np
from sklearn.decomposition import PCA

import sae_fast as sf

SOLVERS = ("lbfgs", "adam", "sgd")


def patches(m=300, v=12, dtype=np.float64):
    """Low-rank data in (0.1, 0.9)."""
    rng = np.random.default_rng(0)
    mixed = rng.normal(size=(m, 3)) @ rng.normal(size=(3, v))
    return (0.5 + 0.4 * np.tanh(mixed)).astype(dtype)


def correlated(m=200, v=9, dtype=np.float64, seed=0):
    """Samples about 3, correlated, of standard deviations between 0.1 and 5."""
    rng = np.random.default_rng(seed)
    return (3 + rng.normal(size=(m, v)) @ (rng.normal(size=(v, v)) * np.geomspace(0.1, 5, v))).astype(dtype)


def model(**options):
    return sf.SparseAutoencoder(**{"n_components": 6, "max_iter": 40, "random_state": 0, "rho": 0.2} | options)


def stack(sizes=(6, 4), **options):
    return sf.StackedAutoencoder(
        sizes, **{"max_iter": 30, "fine_tune_max_iter": 10, "rho": 0.2, "random_state": 0} | options
    )


def not_equal_to_repetition(estimator):
    """The one check of scikit-learn that some settings cannot pass, and why."""
    check = "check_sample_weight_equivalence_on_dense_data"
    if getattr(estimator, "early_stopping", False):
        return {check: "a repeated sample may lie on both sides of the validation split, a weighted one cannot"}
    stages = (estimator.solver, getattr(estimator, "fine_tune_solver", "lbfgs"))
    iterations = getattr(estimator, "fine_tune_max_iter", 0)
    if "lbfgs" in stages and iterations >= 50:
        return {check: "sums in another order: over many iterations L-BFGS makes the last digit the seventh"}
    return {}


def assert_held_back(curves, X, n):
    """The curves of training stay when one of n samples, or its weight, changes, and those of validation move.

    ``curves(X, weight)`` gives the curve of training and that of validation.
    """
    weight = np.random.default_rng(0).uniform(0.5, 1.5, len(X))
    plain, weighted = curves(X, None), curves(X, weight)
    held = {"value": set(), "weight": set(), "value, not weighted": set()}
    for i in range(len(X)):
        other, heavier = X.copy(), weight.copy()
        other[i] = other[i][::-1]
        heavier[i] *= 3
        for what, before, found in (
            ("value", weighted, curves(other, weight)),
            ("weight", weighted, curves(X, heavier)),
            ("value, not weighted", plain, curves(other, None)),
        ):
            assert not np.array_equal(found[1], before[1])
            if np.array_equal(found[0], before[0]):
                held[what].add(i)
    assert len(held["value"]) == n
    assert held["value"] == held["weight"] == held["value, not weighted"]


class Zca(PCA):
    """PCA whitening rotated back, with the attributes of ZCAWhitener."""

    def fit(self, X, y=None):
        super().fit(X)
        self.whitening_ = (self.components_.T / np.sqrt(self.explained_variance_ + 0.01)) @ self.components_
        return self

    def transform(self, X):
        return (X - self.mean_) @ self.whitening_.T
