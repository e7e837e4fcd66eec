"""Pictures of monitors and detectors: what they show is what these have found."""

from __future__ import annotations

import matplotlib.colors
import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

import sae_fast as sf
from sae_fast import plot
from sae_fast.anomalies._odd_rows import EDGES, OddRows
from sae_fast.monitoring._reference import METRICS
from sae_fast.plot._style import VERMILION
from sae_fast.plot._watching import draw_anomalies
from tests.anomalies.test_detector import broken, ratios
from tests.monitoring.test_monitor import rows


@pytest.fixture(name="monitor")
def _monitor():
    model = sf.SparseAutoencoder(6, max_iter=20, rho=0.2, random_state=0).fit(rows(500))
    return model.monitor(reference=rows(1000, seed=1), chunk_size=100, history=5)


@pytest.fixture(name="detector", scope="module")
def _detector():
    return sf.SparseAutoencoderOutlierDetector(6, max_iter=60, random_state=0).fit(ratios(300))


def marks(ax):
    """Where the red ones are, of each kind."""
    red = [line for line in ax.lines if matplotlib.colors.same_color(line.get_color(), VERMILION)]
    return {line.get_marker(): np.transpose(line.get_data()) for line in red if len(line.get_xdata())}


# Monitors


def test_panels_show_metrics_and_alerts(monitor):
    """Chunks that are kept have their numbers; each alert has its mark; the band is that of the limits."""
    X = rows(700, seed=2)
    X[500:, 3] += 0.3
    report = monitor.update(X).report()
    figure = plot.monitor(report)
    assert [ax.get_title(loc="left") for ax in figure.axes] == [name.replace("_", " ") for name in METRICS]
    assert figure.get_suptitle() == "700 rows, 2 of 7 chunks with an alert (dots); limits in gray"
    found = []
    for k, (name, ax) in enumerate(zip(METRICS, figure.axes, strict=True)):
        np.testing.assert_array_equal(ax.lines[0].get_xdata(), np.arange(2, 7))
        np.testing.assert_array_equal(ax.lines[0].get_ydata(), report.metrics[:, k])
        band = ax.patches[0].get_extents().transformed(ax.transData.inverted())
        np.testing.assert_allclose((band.y0, band.y1), report.limits[name], atol=1e-9)
        found += [(int(chunk), name, value) for chunk, value in marks(ax).get(".", [])]
    assert sorted(found) == sorted((a["chunk"], a["metric"], a["value"]) for a in report.alerts)
    assert (6, "largest_shift") in {alert[:2] for alert in found}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("value", "n_endless"), [(1e300, 3), (np.nan, 0)])
def test_what_no_axis_can_show(monitor, value, n_endless):
    """Endless alerts are marked at the upper edge, NaN leaves a gap; a monitor is as good as its report."""
    X = rows(200, seed=2)
    X[100:] = value
    figure = plot.monitor(monitor.update(X))
    assert sum(len(marks(ax).get("^", [])) for ax in figure.axes) == n_endless
    assert all(np.isfinite(ax.get_ylim()).all() for ax in figure.axes)
    figure.canvas.draw()


def test_mistakes_about_monitors(monitor):
    """No chunk, or no report."""
    with pytest.raises(ValueError, match=r"report has no chunk to draw: .* flush\(\)"):
        plot.monitor(monitor.update(rows(50)))
    with pytest.raises(TypeError, match="report must be a MonitorReport or a Monitor, got dict"):
        plot.monitor(monitor.report().to_dict())


# Detectors


def test_scores_and_errors_of_the_oddest(detector):
    """Counts are of all samples, the threshold is the detector's, tiles are the errors of the oddest."""
    X = broken(50)[0]
    figure = plot.anomalies(detector, X, top=3)
    scores, tiles = figure.axes[:2]
    n_odd = int((detector.predict(X) == -1).sum())
    assert n_odd > 3
    assert figure.get_suptitle() == f"{len(X)} samples, {n_odd} outliers"
    assert scores.patches[0].get_data().values.sum() == len(X)
    assert scores.lines[0].get_xdata()[0] == pytest.approx(-detector.offset_)
    errors = detector.feature_errors(X)
    oddest = np.argsort(-errors.mean(axis=1))[:3]
    assert [text.get_text() for text in tiles.get_yticklabels()] == [str(i) for i in oddest]
    columns = [int(text.get_text()) for text in tiles.get_xticklabels()]
    assert columns == sorted(np.argsort(-errors[oddest].max(axis=0))[:3])
    np.testing.assert_allclose(tiles.images[0].get_array(), np.clip(errors[oddest][:, columns], 1, 100))


def test_sources_and_names(detector):
    """A source gives the picture of its rows; columns have their names."""
    X = broken(50)[0]
    one, other = plot.anomalies(detector, X), plot.anomalies(detector, sf.open_source(X, batch_size=7))
    np.testing.assert_allclose(one.axes[1].images[0].get_array(), other.axes[1].images[0].get_array(), rtol=1e-9)
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(X, columns=["iron", "zinc", "lead", "gold"])
    named = sf.SparseAutoencoderOutlierDetector(2, max_iter=5, random_state=0).fit(table)
    figure = plot.anomalies(named, table)
    assert [text.get_text() for text in figure.axes[1].get_xticklabels()] == list(table.columns)


@pytest.mark.filterwarnings("error")
def test_values_without_end_are_the_oddest(detector):
    """An error that no number holds is drawn as the darkest, among errors of 0."""
    X = np.repeat(ratios(300)[:1], 3, axis=0)
    X[1, 2] = 1e300
    figure = plot.anomalies(detector, X)
    figure.canvas.draw()
    assert figure.axes[1].get_yticklabels()[0].get_text() == "1"


def test_blocks_make_no_difference():
    """Of equally odd samples the first are kept, however they come."""
    errors = np.random.default_rng(0).integers(0, 4, (200, 3)).astype(float)
    whole, parts = OddRows(3, -2.0, 10), OddRows(3, -2.0, 10)
    whole.add(errors)
    for i in range(0, 200, 13):
        parts.add(errors[i : i + 13])
    for odd in (whole, parts):
        np.testing.assert_array_equal(odd.numbers, np.argsort(-errors.mean(axis=1), kind="stable")[:10])
        np.testing.assert_array_equal(odd.errors, errors[odd.numbers])
        assert odd.n_odd == (errors.mean(axis=1) > 2).sum()
        assert odd.counts.sum() == 200
    np.testing.assert_array_equal(whole.counts, parts.counts)
    assert whole.counts[0] == (errors.mean(axis=1) < EDGES[1]).sum()


def test_mistakes_about_detectors(detector):
    """Another model, one that is not fitted, other samples, and none of the oddest."""
    with pytest.raises(TypeError, match="detector must be a SparseAutoencoderOutlierDetector, got SparseAutoencoder"):
        plot.anomalies(sf.SparseAutoencoder(2), ratios(5))
    with pytest.raises(NotFittedError):
        plot.anomalies(sf.SparseAutoencoderOutlierDetector(2), ratios(5))
    with pytest.raises(ValueError, match="X has 3 features, but"):
        plot.anomalies(detector, ratios(5)[:, :3])
    with pytest.raises(ValueError, match="top must be"):
        plot.anomalies(detector, ratios(5), top=0)
    with pytest.raises(ValueError, match="X must have samples to draw, got none"):
        draw_anomalies(detector, OddRows(4, -1.0, 3))
