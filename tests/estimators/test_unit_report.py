"""unit_report: what the units do, and which of them do the same."""

from __future__ import annotations

import numpy as np
import pytest

import sae_fast as sf
from sae_fast.estimators._unit_report import correlations, most_parallel, statuses
from tests.helpers.estimators import model, patches
from tests.helpers.networks import DTYPES, HIDDEN


def changed(fitted, **arrays):
    """The model with other parameters."""
    fitted.params_ = fitted.params_._replace(**arrays)
    return fitted


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("block", [8192, 70])
def test_report_on_the_training_data_is_the_report_of_the_fit(hidden, dtype, block, monkeypatch):
    """unit_report(X) on the training data measures what the fit measured, all at once or block by block."""
    monkeypatch.setattr("sae_fast.estimators._unit_report.BLOCK", block)
    X = patches(dtype=dtype)
    fitted = model(hidden=hidden).fit(X)
    trained, measured = fitted.unit_report(), fitted.unit_report(X)
    for name in ("rho_hat", "lowest", "highest", "norm", "cosine"):
        np.testing.assert_allclose(getattr(measured, name), getattr(trained, name), rtol=1e-5, atol=1e-7)
    assert list(measured.status) == list(trained.status)
    assert trained.correlation is None
    assert measured.correlation.shape == (6,)


def test_report_on_other_data_is_about_them():
    """A unit that is alive on the training data may be dead on others."""
    fitted = model(rho=0.05).fit(patches())
    one = np.tile(patches()[fitted.transform(patches())[:, 0].argmin()], (5, 1))
    report = fitted.unit_report(one)
    assert fitted.unit_report().status[0] == "ok"
    assert report.status[0] == "dead"
    np.testing.assert_array_equal(report.lowest, report.highest)
    np.testing.assert_array_equal(report.correlated, -1)  # nothing varies
    np.testing.assert_array_equal(report.correlation, 0.0)


@pytest.mark.parametrize("hidden", HIDDEN)
def test_copies_of_either_sign_are_found(hidden):
    """Equal and mirrored units name each other; equal weights with another bias differ in their codes alone."""
    X = patches()
    fitted = model(hidden=hidden).fit(X)
    W1, b1 = fitted.params_.W1.copy(), fitted.params_.b1.copy()
    W1[1], b1[1] = W1[0], b1[0]
    W1[3], b1[3] = -W1[2], -b1[2]
    W1[5], b1[5] = W1[4], b1[4] - 3
    report = changed(fitted, W1=W1, b1=b1).unit_report(X)
    np.testing.assert_array_equal(report.nearest, [1, 0, 3, 2, 5, 4])
    np.testing.assert_allclose(report.cosine, [1, 1, -1, -1, 1, 1])
    np.testing.assert_array_equal(report.correlated[:4], [1, 0, 3, 2])
    np.testing.assert_allclose(report.correlation[:4], [1, 1, -1, -1])
    assert abs(report.correlation[5]) < 0.99
    assert (report.n_near_duplicates, fitted.unit_report().n_near_duplicates) == (4, 6)


@pytest.mark.parametrize("n_hidden", [1, 2, 7, 65])
def test_blocks_find_what_the_whole_table_has(n_hidden, monkeypatch):
    """Block by block, cosines of rows are those of one product; a lone row or a zero row has no partner."""
    monkeypatch.setattr("sae_fast.estimators._unit_report.ENTRIES", 3 * n_hidden)
    W = np.random.default_rng(0).normal(size=(n_hidden, 5)) * 10.0 ** np.arange(n_hidden)[:, None]
    W[0] = 0
    nearest, cosine = most_parallel(W)
    directions = W / np.maximum(np.linalg.norm(W, axis=1, keepdims=True), 1e-300)
    table = directions @ directions.T
    np.fill_diagonal(table, 0)
    wanted = table[np.arange(n_hidden), np.abs(table).argmax(axis=1)]
    np.testing.assert_allclose(cosine, wanted, atol=1e-14)
    assert nearest[0] == -1
    if n_hidden > 2:
        np.testing.assert_allclose(table[np.arange(1, n_hidden), nearest[1:]], wanted[1:], atol=1e-14)


@pytest.mark.parametrize("dtype", DTYPES)
def test_correlations_are_numpys(dtype):
    """Correlations agree with corrcoef, also for activations that hardly vary; a constant one has none."""
    rng = np.random.default_rng(0)
    codes = rng.uniform(0.2, 0.4, (9000, 5))
    codes[:, 1] = 1 - codes[:, 0]
    codes[:, 2] *= 1e-9
    codes[:, 4] = 0.3
    codes = codes.astype(dtype)
    wanted = np.corrcoef(codes[:, :4].astype(np.float64).T)
    np.testing.assert_allclose(correlations(codes)[:4, :4], wanted, atol=1e-12 if dtype == np.float64 else 1e-5)
    np.testing.assert_array_equal(correlations(codes)[4], 0)


def test_table_as_text_and_as_frame():
    """Every column is in the data frame and in the text, the summary counts."""
    fitted = model().fit(patches())
    frame = fitted.unit_report().to_pandas()
    assert list(frame) == ["rho_hat", "lowest", "highest", "norm", "status", "nearest", "cosine"]
    frame = fitted.unit_report(patches()).to_pandas()
    assert list(frame)[-2:] == ["correlated", "correlation"]
    text = str(fitted.unit_report(patches()))
    assert len(text.splitlines()) == 6 + 2
    assert len({len(line) for line in text.splitlines()[:-1]}) == 1
    assert text.endswith("near another one; wanted mean activation 0.2")


def test_wrong_data_are_named():
    """Data of another width or with NaN are refused."""
    fitted = model().fit(patches())
    with pytest.raises(ValueError, match="features"):
        fitted.unit_report(patches()[:, :3])
    with pytest.raises(ValueError, match="NaN"):
        fitted.unit_report(np.full((3, 12), np.nan))
    with pytest.raises(ValueError, match="not fitted"):
        sf.SparseAutoencoder().unit_report(patches())


@pytest.mark.parametrize("rho", [0.004, 0.01, 0.05, 0.5, 0.95, 0.99, 0.996])
def test_saturated_is_the_mirror_image_of_dead(rho):
    """Dead is below the smaller of 0.01 and rho / 2; saturated is dead with activations and rho taken from 1."""
    limit = min(0.01, rho / 2)
    high = np.array([0.9 * limit, 1.1 * limit, 0.0, 1.0])
    assert list(statuses(rho, np.zeros(4), high, "sigmoid")) == ["dead", "ok", "dead", "ok"]
    assert list(statuses(1 - rho, 1 - high, np.ones(4), "sigmoid")) == ["saturated", "ok", "saturated", "ok"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("level", [0.3, 0.999])
def test_what_varies_by_rounding_alone_is_not_correlated(level, dtype):
    """Units that only differ in their last digits have the correlation 0, with each other and with themselves."""
    rng = np.random.default_rng(0)
    codes = np.full((500, 3), level, dtype)
    codes[::2, 0] = codes[::2, 1] = np.nextafter(dtype(level), dtype(1))
    codes[:, 2] = rng.uniform(size=500)
    table = correlations(codes)
    np.testing.assert_array_equal(table[:2], 0)
    assert table[2, 2] == pytest.approx(1)
