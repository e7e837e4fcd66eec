"""Monitors: limits, alerts, how rows come in, merging."""

from __future__ import annotations

import json
import pickle

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
        (lambda X: X + X.std(axis=0), "mean_shift"),
        (lambda X: X + 2, "out_of_range"),
        (lambda X: np.where(np.arange(12) == 3, np.nan, X), "missing"),
    ],
)
def test_each_metric_sees_its_kind_of_change(monitor, change, metric):
    """Relations between features, means, ranges, gaps."""
    assert metric in alerts(monitor.update(change(rows(400, seed=4))))


@pytest.mark.parametrize(("bias", "metric"), [(-50, "dead"), (50, "saturated")])
def test_units_that_stay_at_an_end_are_seen(model, bias, metric):
    """Rows moved so that all units are 0, or 1."""
    W1 = model.params_.W1
    away = np.linalg.lstsq(W1, np.full(len(W1), float(bias)), rcond=None)[0]
    monitor = model.monitor(reference=rows(4000, seed=1), chunk_size=200, every=8)
    assert metric in alerts(monitor.update(rows(200, seed=4) + away))


def test_limits_are_of_the_reference(monitor):
    """Three standard deviations about the mean of its chunks at least, and every report says them."""
    report = monitor.update(rows(600, seed=5)).report()
    assert set(report.limits) == set(METRICS)
    for name, (low, high) in report.limits.items():
        assert 0 <= low <= high
        assert high <= 1 or name not in ("dead", "saturated", "out_of_range", "missing")
    assert report.rho_hat_limits[0].min() >= 0
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
    np.testing.assert_array_equal(one.report().metrics, many.report().metrics)
    np.testing.assert_array_equal(one.report().rho_hat, many.report().rho_hat)
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
    np.testing.assert_array_equal(one.psi, two.psi)
    np.testing.assert_allclose(one.wasserstein, two.wasserstein, rtol=1e-13)  # two sums of float64, and one
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
    assert report.wasserstein[2] == pytest.approx(wanted[2], rel=0.05)
    assert np.delete(report.wasserstein, 2).max() < 0.1
    assert report.psi[2] > 0.1
    assert np.delete(report.psi, 2).max() < 0.02


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("by", [0.3, -0.05, 4.0])
def test_a_feature_that_moves_as_a_whole_moves_by_its_distance(dtype, by):
    """Beyond the reference's range too, and though many of its values are one and the same, as of pixels."""
    X = np.maximum(rows(600, seed=1, dtype=dtype) - dtype(0.55), 0)
    model = sf.SparseAutoencoder(4, max_iter=10, random_state=0).fit(X)
    monitor = model.monitor(X, chunk_size=100, every=1)
    known = np.random.default_rng(0).permutation(600)[:300]  # the half that the statistics are of
    moved = X[np.sort(known)].astype(np.float64)
    moved[:, 5] += by
    found = monitor.update(moved.astype(dtype)).report().wasserstein
    wanted = [wasserstein_distance(a, b) / a.std() for a, b in zip(X[known].T, moved.T, strict=True)]
    assert wanted[5] == pytest.approx(abs(by) / X[known, 5].std(), rel=1e-6)
    np.testing.assert_allclose(found, wanted, rtol=2e-6 if dtype == np.float32 else 1e-12, atol=1e-15)


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


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_threads_strides_and_types_do_not_matter(model, threads):
    """The same bits for any number of threads; for columns that are apart; and of float64 as of float32, if exact."""
    X = rows(40_000, seed=6, dtype=np.float32)
    wide = np.zeros((len(X), 24), np.float32)
    wide[:, ::2] = X
    wanted = model.monitor(rows(500, seed=1)).update(X).report()
    other = sf.SparseAutoencoder(6).set_params(**model.get_params() | {"n_threads": threads})
    other.__dict__.update({k: v for k, v in vars(model).items() if k.endswith("_") or k.startswith("_")})
    other.n_threads = threads
    for rows_ in (X, wide[:, ::2], X.astype(np.float64), np.asfortranarray(X)):
        found = other.monitor(rows(500, seed=1)).update(rows_).report()
        np.testing.assert_array_equal(found.metrics, wanted.metrics)
        np.testing.assert_array_equal(found.psi, wanted.psi)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_features", [1, 7, 8, 17, 33])
def test_metrics_are_those_of_numpy(dtype, n_features):
    """Means of some rows, ranges of every 16th, NaN counted and passed over, errors of every eighth."""
    rng = np.random.default_rng(n_features)
    usual, X = (rng.uniform(0.2, 0.8, (n, n_features)).astype(dtype) for n in (400, 150))
    X[8, 0], X[12, -1], X[32, 0], X[36, 0] = np.nan, np.inf, 3.0, -2.0
    model = sf.SparseAutoencoder(3, max_iter=5, random_state=0).fit(usual)
    monitor = model.monitor(usual, chunk_size=150, every=8)
    known = monitor._reference
    report = monitor.update(X[:37]).update(X[37:]).report()
    found = dict(zip(METRICS, report.metrics[0], strict=True))
    assert known.summed == 4  # with fewer rows a feature that moves by one standard deviation may be missed
    summed = X[::4].astype(np.float64)
    shift = (np.where(np.isfinite(summed), summed, known.mean.astype(dtype)).mean(axis=0) - known.mean) / known.sd
    assert found["missing"] == 1 / (38 * n_features)
    assert found["out_of_range"] == pytest.approx(
        np.mean([((row < known.low.astype(dtype)) | (row > known.high.astype(dtype))).any() for row in X[::16]])
    )
    assert found["largest_shift"] == pytest.approx(np.abs(shift).max())
    assert found["mean_shift"] == pytest.approx(np.sqrt(np.mean(shift**2)))
    looked = np.delete(X[::8], 1, axis=0)  # row 8 has a gap
    errors = ((model.reconstruct(looked).astype(np.float64) - looked) ** 2).sum(axis=1) / 2
    assert found["reconstruction_error"] == pytest.approx(errors.mean(), rel=1e-5)
    np.testing.assert_allclose(report.rho_hat[0], model.transform(looked).mean(axis=0), rtol=1e-6)


def test_memory_does_not_grow(model):
    """The last chunks are kept one by one, and numbered on; rows and alerts are counted of all of them."""
    monitor = model.monitor(rows(500, seed=1), chunk_size=20, every=8, history=5)
    moved = rows(40, seed=2)
    moved[:, 3] += 1
    report = monitor.update(moved).update(rows(2000, seed=3)).report()
    assert (report.n_rows, report.n_chunks, report.first_chunk, len(report.metrics)) == (2040, 102, 97, 5)
    assert list(report.to_pandas().index) == [97, 98, 99, 100, 101]
    assert report.n_alerts["largest_shift"] >= 2 <= report.n_alarmed
    found = report.to_dict()
    assert (found["n_rows"], found["n_chunks"], found["first_chunk"], len(found["chunks"])) == (2040, 102, 97, 5)
    assert found["n_alerts"] == report.n_alerts
    assert "2040 rows in 102 chunks" in str(report)
    whole = model.monitor(rows(500, seed=1), chunk_size=20, every=8).update(moved).update(rows(2000, seed=3)).report()
    np.testing.assert_array_equal(whole.metrics[-5:], report.metrics)
    assert (whole.n_alerts, whole.n_alarmed) == (report.n_alerts, report.n_alarmed)


def test_sources_are_read(model):
    """Blocks of a source, or of an iterable, are the rows that they hold; a reference may be one too."""
    X = rows(1000, seed=2)
    X[30, 2] = np.nan
    wanted = model.monitor(rows(500, seed=1), chunk_size=100).update(X).report().to_dict()
    source = sf.open_source(X, batch_size=130, ensure_all_finite=False)
    reference = sf.open_source(rows(500, seed=1), batch_size=77)
    assert model.monitor(reference, chunk_size=100).update(source).report().to_dict() == wanted
    assert model.monitor(reference, chunk_size=100).update(iter(np.array_split(X, 7))).report().to_dict() == wanted
    with pytest.raises(ValueError, match="12 features, as the model, got a source of 11"):
        model.monitor(reference).update(iter([X[:, :11]]))
    with pytest.raises(ValueError, match="NaN"):
        model.monitor(sf.open_source(X))


def test_stacks_and_detectors_are_watched(model):
    """A stack by its last codes and its own reconstructions, a detector by its network; a classifier has none."""
    X, reference = rows(400, seed=3), rows(1000, seed=1)
    stack = sf.StackedAutoencoder((8, 5), max_iter=20, random_state=0).fit(rows(500))
    report = stack.monitor(reference, chunk_size=200, every=1).update(X).report()
    np.testing.assert_allclose(report.rho_hat[1], stack.transform(X[200:]).mean(axis=0))
    errors = ((stack.reconstruct(X[:200]) - X[:200]) ** 2).sum(axis=1) / 2
    assert report.metrics[0, 0] == pytest.approx(errors.mean())
    detector = sf.SparseAutoencoderOutlierDetector(4, max_iter=20, random_state=0).fit(rows(500))
    of_network = detector.autoencoder_.monitor(reference).update(X).flush().report().to_dict()
    assert detector.monitor(reference).update(X).flush().report().to_dict() == of_network
    y = np.arange(500) % 2
    classifier = sf.StackedAutoencoderClassifier((4,), max_iter=2, random_state=0).fit(rows(500), y)
    with pytest.raises(TypeError, match=r"got StackedAutoencoderClassifier, which has no reconstructions"):
        sf.Monitor(classifier, reference)


def test_a_file_holds_the_monitor_of_a_stack(tmp_path):
    """With its layers; what is loaded goes on as the monitor itself."""
    stack = sf.StackedAutoencoder((8, 5), max_iter=5, random_state=0).fit(rows(200))
    monitor = stack.monitor(rows(500, seed=1), chunk_size=100, every=8).update(rows(300, seed=2))
    monitor.save(tmp_path / "m.safetensors")
    again = sf.load(tmp_path / "m.safetensors")
    assert isinstance(again.model, sf.StackedAutoencoder)
    np.testing.assert_array_equal(again.model.transform(rows(5)), stack.transform(rows(5)))
    X = rows(300, seed=3)
    assert again.update(X).report().to_dict() == monitor.update(X).report().to_dict()


def test_monitors_are_copied_with_what_they_saw(model):
    """By pickle, rows of an open chunk too; then as many chunks are kept as by the monitor itself."""
    monitor = model.monitor(rows(500, seed=1), chunk_size=100, history=3).update(rows(250, seed=2))
    again = pickle.loads(pickle.dumps(monitor))
    for i in range(6):
        rest = rows(50, seed=3 + i)
        assert again.update(rest).report().to_dict() == monitor.update(rest).report().to_dict()
    assert len(again.report().metrics) == 3


def test_reset_forgets_rows(monitor):
    """The reference stays."""
    before = monitor.report().limits
    assert monitor.update(rows(500)).reset().n_rows == 0
    assert monitor.report().limits == before


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("chunk_size", "summed"), [(200, 4), (500, 8), (2000, 16)])
def test_means_are_of_as_few_rows_as_tell_a_move(tmp_path, dtype, chunk_size, summed):
    """The more rows a chunk has, the smaller a part of them; metrics are those of NumPy, and files know which part."""
    rng = np.random.default_rng(3)
    usual, X = (rng.normal(0.5, 0.1, (n, 20)).astype(dtype) for n in (4000, chunk_size))
    model = sf.SparseAutoencoder(3, max_iter=5, random_state=0).fit(usual)
    monitor = model.monitor(usual, chunk_size=chunk_size)
    known = monitor._reference
    assert known.summed == summed
    report = monitor.update(X[:777]).update(X[777:]).report()
    shift = (X[::summed].mean(axis=0, dtype=np.float64) - known.mean) / known.sd
    assert report.metrics[0, 6] == pytest.approx(np.abs(shift).max())
    assert report.metrics[0, 7] == pytest.approx(np.sqrt(np.mean(shift**2)))
    monitor.save(tmp_path / "m.safetensors")
    again = sf.load(tmp_path / "m.safetensors")
    assert again._reference.summed == again._chunks.summed == summed
    assert again.update(X).report().to_dict() == monitor.update(X).report().to_dict()
    X[:, 7] += dtype(0.1)
    assert "largest_shift" in alerts(monitor.reset().update(X))


def test_rare_values_are_not_passed_over():
    """A feature that is rarely not 0 has means of long tails: as many rows are summed as can be."""
    rng = np.random.default_rng(3)
    usual = rng.normal(0.5, 0.1, (4000, 20))
    model = sf.SparseAutoencoder(3, max_iter=5, random_state=0).fit(usual)
    assert model.monitor(usual)._reference.summed == 8
    usual[:, 3:8] = rng.uniform(size=(4000, 5)) < 0.015
    assert model.monitor(usual)._reference.summed == 4


@pytest.mark.parametrize(("n_hidden", "chunk_size", "every"), [(3, 500, 128), (3, 384, 64), (64, 500, 64)])
def test_few_rows_go_through_narrow_networks(tmp_path, n_hidden, chunk_size, every):
    """Whose codes take less time than what is made of them; four of a chunk at least. Who asks for more gets them."""
    model = sf.SparseAutoencoder(n_hidden, max_iter=2, random_state=0).fit(rows(200))
    monitor = model.monitor(rows(400, seed=1), chunk_size=chunk_size)
    assert monitor.every == every
    monitor.save(tmp_path / "m.safetensors")
    assert sf.load(tmp_path / "m.safetensors").every == every
    assert model.monitor(rows(400, seed=1), chunk_size=chunk_size, every=32).every == 32


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


@pytest.mark.parametrize("n", [1, 10, 70, 150])
def test_a_chunk_that_is_not_full_is_judged_by_wider_limits(model, n):
    """Usual rows raise hardly an alarm, however few they are; rows that are far away do."""
    monitor = model.monitor(reference=rows(4000, seed=1), chunk_size=200, every=8)
    alarms = [monitor.reset().update(rows(n, seed=i)).flush().report().n_alarmed for i in range(20, 60)]
    assert sum(alarms) <= 2
    far = rows(n, seed=9)
    far[:, 4] += 50
    report = monitor.reset().update(far).flush().report()
    found = {alert["metric"]: alert for alert in report.to_dict()["alerts"]}
    assert found["largest_shift"]["upper"] > report.limits["largest_shift"][1]
    assert report.n_alerts["largest_shift"] == 1
    full = monitor.reset().update(np.concatenate([far] * 200)[:200]).report().to_dict()["alerts"]
    assert next(a["upper"] for a in full if a["metric"] == "largest_shift") == report.limits["largest_shift"][1]


@pytest.mark.parametrize("dtype", DTYPES)
def test_numbers_beyond_all_range_go_through_json(dtype):
    """Infinite metrics and distances are the largest number there, in strict JSON."""
    X = rows(300, dtype=dtype)
    model = sf.SparseAutoencoder(3, hidden="relu", output="linear", beta=0, max_iter=5, random_state=0).fit(X)
    report = model.monitor(X, chunk_size=100).update(X / X.max() * np.finfo(dtype).max).report()
    assert np.isinf(report.metrics).any()
    found = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert found["alerts"]
    for value, told in zip(
        report.metrics.ravel(), (v for c in found["chunks"] for v in list(c.values())[1:]), strict=True
    ):
        assert told == (None if np.isnan(value) else min(value, np.finfo(np.float64).max))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("value", [0.1, 0.5, 1 / 3])
def test_rows_that_are_all_the_same_raise_no_alarm(model, dtype, value):
    """What rounding makes of equal codes is no spread; other rows alert."""
    same = sf.SparseAutoencoder(9, max_iter=5, random_state=0).fit(rows(300, dtype=dtype))
    monitor = same.monitor(np.full((900, 12), value, dtype), chunk_size=100, every=3)
    assert monitor.update(np.full((350, 12), value, dtype)).flush().report().n_alarmed == 0
    assert monitor.reset().update(np.full((100, 12), value * 1.1, dtype)).report().n_alarmed == 1


def test_chunks_of_many_rows(model):
    """Limits are learned in memory that does not grow with them, and are no narrower than they can be told."""
    monitor = model.monitor(rows(500, seed=1), chunk_size=10_000_000, every=1000)
    assert monitor._reference.summed == 16
    assert monitor.update(rows(3000, seed=2)).flush().report().n_alarmed == 0


def test_what_prints(monitor):
    """A monitor tells its settings and what it has seen; a report is its table in either way."""
    assert (
        repr(monitor.update(rows(500))) == "Monitor(SparseAutoencoder, chunk_size=200, every=8): 500 rows in 2 chunks"
    )
    assert repr(monitor.report()) == str(monitor.report())


def test_a_path_is_no_rows(model, monitor, tmp_path):
    """The error says what opens it."""
    for wrong in ("new.csv", tmp_path / "new.csv"):
        with pytest.raises(TypeError, match=r"X must be rows or a source, got a path: give open_source\('.*new.csv'\)"):
            monitor.update(wrong)
        with pytest.raises(TypeError, match="reference must be rows or a source, got a path"):
            model.monitor(wrong)
