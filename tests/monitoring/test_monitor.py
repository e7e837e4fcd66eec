"""Monitors: limits, alerts, how rows come in, merging."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import wasserstein_distance

import sae_fast as sf
from sae_fast.monitoring._reference import METRICS
from tests.helpers.networks import DTYPES


def rows(n, seed=0, dtype=np.float64):
    """Samples of 12 features that three numbers make."""
    rng = np.random.default_rng([seed, 1])
    mix = np.random.default_rng(0).normal(size=(3, 12))
    return (0.5 + 0.15 * np.tanh(rng.normal(size=(n, 3)) @ mix) + rng.normal(0, 0.02, (n, 12))).astype(dtype)


@pytest.fixture(name="model", scope="module")
def _model():
    return sf.SparseAutoencoder(6, max_iter=60, rho=0.2, random_state=0).fit(rows(1000))


@pytest.fixture(name="monitor")
def _monitor(model):
    return model.monitor(reference=rows(4000, seed=1), chunk_size=200, every=8)


def alerts(monitor):
    return {alert["metric"] for alert in monitor.report().to_dict()["alerts"]}


def test_unchanged_rows_raise_no_alarm(monitor):
    """Of 200 chunks at most two have an alert."""
    monitor.update(rows(40_000, seed=2))
    assert monitor.n_chunks == 200
    assert monitor.report().beyond.any(axis=1).sum() <= 2


@pytest.mark.parametrize("feature", range(12))
def test_one_feature_that_moves_is_seen(monitor, feature):
    """By one standard deviation, within a chunk."""
    X = rows(200, seed=3)
    X[:, feature] += rows(4000, seed=1)[:, feature].std()
    assert "largest_shift" in alerts(monitor.update(X))


@pytest.mark.parametrize(
    ("change", "metric"),
    [
        (lambda X: X[:, ::-1], "reconstruction_error"),
        (lambda X: np.repeat(X[:1], len(X), axis=0), "rho_hat_shift"),
        (lambda X: np.full_like(X, 0.5), "mean_shift"),
        (lambda X: X + 2, "out_of_range"),
        (lambda X: np.where(np.arange(12) == 3, np.nan, X), "missing"),
        (lambda X: np.full_like(X, -50), "dead"),
    ],
)
def test_each_metric_sees_its_kind_of_change(monitor, change, metric):
    """Relations between features, means, ranges, gaps, units that are off."""
    found = alerts(monitor.update(change(rows(400, seed=4))))
    if metric == "dead":  # or saturated, as the weights go
        assert found & {"dead", "saturated"}
    elif metric == "mean_shift":
        assert found  # what all rows have in common moves little, and is reconstructed too well
    else:
        assert metric in found


def test_limits_are_of_the_reference(monitor):
    """Three standard deviations about the mean of its chunks at least, and every report says them."""
    report = monitor.update(rows(600, seed=5)).report()
    assert set(report.limits) == set(METRICS)
    for low, high in report.limits.values():
        assert low <= high
    lower, upper = report.rho_hat_limits
    inside = (report.rho_hat > lower) & (report.rho_hat < upper)
    assert inside.mean() > 0.9


@pytest.mark.parametrize("dtype", DTYPES)
def test_how_rows_come_in_does_not_matter(model, dtype):
    """One call or many give the same chunks and the same metrics; the rest waits for its chunk."""
    X = rows(1070, seed=6, dtype=dtype)
    one, many = (model.monitor(rows(500, seed=1), chunk_size=100, every=8) for _ in range(2))
    one.update(X)
    for part in np.array_split(X, [1, 2, 50, 310, 311, 700]):
        many.update(part)
    assert one.n_rows == many.n_rows == 1070
    assert one.n_chunks == many.n_chunks == 10
    np.testing.assert_allclose(one.report().metrics, many.report().metrics, rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(one.report().psi, many.report().psi)
    assert one.flush().n_chunks == 11
    assert one.report().sizes[-1] == 70


def test_monitors_of_several_processes_merge(model, monitor):
    """Together they have what one alone would have, chunk by chunk."""
    X = rows(800, seed=7)
    other, whole = (model.monitor(reference=rows(4000, seed=1), chunk_size=200, every=8) for _ in range(2))
    monitor.update(X[:400])
    other.update(X[400:])
    whole.update(X)
    assert monitor.merge(other) is monitor
    one, two = monitor.report(), whole.report()
    np.testing.assert_array_equal(one.metrics, two.metrics)
    np.testing.assert_array_equal(one.wasserstein, two.wasserstein)
    with pytest.raises(ValueError, match="same model, reference"):
        monitor.merge(model.monitor(rows(500, seed=9), chunk_size=200, every=8))
    with pytest.raises(TypeError, match="must be a Monitor"):
        monitor.merge(X)
    with pytest.raises(ValueError, match="count twice"):
        monitor.merge(monitor)


def test_distances(model):
    """Wasserstein as SciPy has it, but for the bins; PSI is about 0 without a change and large with one."""
    reference, X = rows(8000, seed=1), rows(8000, seed=8)
    X[:, 2] += 0.05
    report = model.monitor(reference, chunk_size=1000, every=1).update(X).report()
    wanted = np.array([wasserstein_distance(a, b) / a.std() for a, b in zip(reference.T, X.T, strict=True)])
    assert report.wasserstein[2] == pytest.approx(wanted[2], rel=0.25)
    assert np.delete(report.wasserstein, 2).max() < 0.1
    assert report.psi[2] > 0.1
    assert np.delete(report.psi, 2).max() < 0.02


def test_reports_can_be_taken_along(monitor):
    """A data frame has a row a chunk; the dict goes through JSON; text has a line for each metric."""
    X = rows(400, seed=9)
    X[250:, 4] = np.nan
    report = monitor.update(X).report()
    table = report.to_pandas()
    assert list(table.columns) == ["rows", *METRICS, "alert"]
    assert list(table["alert"]) == [False, True]
    found = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert found["n_rows"] == 400
    assert {"chunk": 1, "metric": "missing"}.items() <= found["alerts"][0].items()
    assert found["chunks"][0]["reconstruction_error"] == table["reconstruction_error"][0]
    assert len(str(report).splitlines()) == len(METRICS) + 2


def test_an_empty_report(monitor):
    """Nothing seen, nothing found."""
    found = monitor.report().to_dict()
    assert found["chunks"] == found["alerts"] == []
    assert len(monitor.report().to_pandas()) == 0
    assert str(monitor.report())


def test_columns_have_the_names_of_the_model():
    """Data frames are checked by name."""
    X = pd.DataFrame(rows(300), columns=list("abcdefghijkl"))
    monitor = sf.SparseAutoencoder(3, max_iter=5, random_state=0).fit(X).monitor(X, chunk_size=50)
    assert monitor.update(X).report().to_dict()["features"] == list("abcdefghijkl")
    with pytest.raises(ValueError, match="same order"):
        monitor.update(X[list("lkjihgfedcba")])


def test_wrong_input(model, monitor):
    """Other widths, kinds and references are errors, and the monitor is as it was."""
    monitor.update(rows(50))
    with pytest.raises(ValueError, match=r"X must have shape \(n_samples, 12\), as the model, got \(50, 11\)"):
        monitor.update(rows(50)[:, :11])
    with pytest.raises(TypeError, match="X must have a real dtype"):
        monitor.update(np.array([["a"] * 12]))
    assert monitor.n_rows == 50
    with pytest.raises(ValueError, match="at least 40 rows, better some thousand, got 39"):
        model.monitor(rows(39))
    with pytest.raises(ValueError, match="NaN"):
        model.monitor(np.full((100, 12), np.nan))
    with pytest.raises(ValueError, match="chunk_size must be >= 1, got 0"):
        model.monitor(rows(100), chunk_size=0)
    far = np.full((200, 12), np.inf)
    assert "out_of_range" in alerts(monitor.update(far))


@pytest.mark.parametrize("scale", ["none", "minmax", "ufldl"])
def test_a_file_holds_model_reference_and_what_was_found(tmp_path, scale):
    """What is loaded reports the same, goes on the same way, and merges with others."""
    model = sf.SparseAutoencoder(4, max_iter=10, scale=scale, random_state=0).fit(rows(200))
    monitor = model.monitor(rows(500, seed=1), chunk_size=100, every=8)
    monitor.update(np.where(np.arange(400)[:, None] < 100, np.nan, rows(400, seed=2)))
    monitor.save(tmp_path / "m.safetensors")
    again = sf.load(tmp_path / "m.safetensors")
    assert again.report().to_dict() == monitor.report().to_dict()
    np.testing.assert_array_equal(again.model.transform(rows(5)), model.transform(rows(5)))
    X = rows(300, seed=3)
    assert again.update(X).report().to_dict() == monitor.update(X).report().to_dict()
    assert again.merge(model.monitor(rows(500, seed=1), chunk_size=100, every=8).update(X)).n_chunks == 10


def test_reset_forgets_rows(monitor):
    """The reference stays."""
    before = monitor.report().limits
    assert monitor.update(rows(500)).reset().n_rows == 0
    assert monitor.report().limits == before


@pytest.mark.unsanitized
def test_on_digits(shared_data):
    """A pixel that moves by one standard deviation and another mix of digits alert within 1000 rows, others do not."""
    X, _, T, digit = shared_data.mnist_scaled()
    model = sf.SparseAutoencoder(64, max_iter=10, random_state=0).fit(X[:3000])
    monitor = model.monitor(reference=X[50_000:])
    order = np.random.default_rng(0).permutation(50_000 - 3000) + 3000
    monitor.update(X[order])
    assert monitor.n_chunks == 94
    assert monitor.report().beyond.any(axis=1).sum() <= 1
    spread = X[50_000:].std(axis=0)
    for pixel in (14 * 28 + 14, 5 * 28 + 20, 20 * 28 + 8):
        moved = T[:1000].copy()
        moved[:, pixel] += spread[pixel]
        assert alerts(monitor.reset().update(moved))
    for digits in ([0, 1, 2, 3, 4], [1, 7], [5, 6, 8, 9]):
        assert alerts(monitor.reset().update(T[np.isin(digit, digits)][:1000]))
