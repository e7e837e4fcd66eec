"""Exact pruning: fewer units, the same reconstruction."""

from __future__ import annotations

import numpy as np
import pytest

import sae_fast as sf
from sae_fast.inspection._prune import Removal
from tests.helpers.estimators import model, patches
from tests.helpers.networks import DTYPES, HIDDEN, OUTPUT, TOLERANCE


def redundant(hidden="sigmoid", output="sigmoid", dtype=np.float64):
    """Of 12 units 0 is dead, 1 saturated, 3 and 4 are copies of 2, 6 is the mirror of 5, 7 has no column."""
    X = patches(dtype=dtype)
    fitted = model(n_components=12, hidden=hidden, output=output).fit(X)
    W1, b1, W2, _ = fitted.params_
    b1[0], b1[1] = -900, 900
    W1[3] = W1[4] = W1[2]
    b1[3] = b1[4] = b1[2]
    W1[6], b1[6] = -W1[5], -b1[5]
    W2[:, 7] = 0
    return fitted, X


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("output", OUTPUT)
@pytest.mark.parametrize("hidden", HIDDEN)
def test_what_says_nothing_goes_and_the_reconstruction_stays(hidden, output, dtype):
    """Constant, copied and mirrored units go by default; the reconstruction is the same to rounding."""
    fitted, X = redundant(hidden, output, dtype)
    before = [a.copy() for a in fitted.params_]
    pruned = sf.prune_units(fitted, X)
    np.testing.assert_array_equal(pruned.kept, [2, 5, 8, 9, 10, 11])
    np.testing.assert_array_equal(pruned.merged_into, [-1, -1, 2, 2, 2, 5, 5, -1, 8, 9, 10, 11])
    wanted = fitted.transform(X)[:, pruned.kept]
    np.testing.assert_allclose(pruned.model.transform(X), wanted, rtol=0, atol=TOLERANCE[dtype])
    change = np.abs(pruned.model.reconstruct(X).astype(np.float64) - fitted.reconstruct(X)).max()
    assert change == pruned.largest_change
    assert change <= 20 * TOLERANCE[dtype]
    assert pruned.bound <= 16 * np.finfo(dtype).eps * max(1, np.abs(fitted.reconstruct(X)).max())
    assert pruned.model.params_.W1.dtype == dtype
    for a, b in zip(fitted.params_, before, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("output", OUTPUT)
@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("tolerance", [1e-6, 0.01, 0.1, 10.0])
def test_the_change_keeps_to_the_tolerance(hidden, output, tolerance):
    """The measured change is within the bound, the bound within the tolerance; a larger one removes more."""
    fitted, X = redundant(hidden, output)
    pruned = sf.prune_units(fitted, X, tolerance=tolerance)
    assert pruned.largest_change <= pruned.bound + 1e-13
    assert pruned.bound <= tolerance
    assert 1 <= len(pruned.kept) <= len(sf.prune_units(fitted, X).kept)
    if tolerance == 10.0 and output != "linear":
        assert len(pruned.kept) == 1  # anything goes, but a network needs a unit


def test_tolerance_removes_what_nearly_repeats():
    """A unit that is nearly another's copy is merged at a tolerance that allows for it, not by default."""
    X = patches()
    fitted = model().fit(X)
    fitted.params_.W1[1] = fitted.params_.W1[0] * (1 + 1e-4)
    fitted.params_.b1[1] = fitted.params_.b1[0]
    assert len(sf.prune_units(fitted, X).kept) == 6
    pruned = sf.prune_units(fitted, X, tolerance=1e-2)
    assert len(pruned.kept) == 5
    assert len(set(pruned.merged_into.tolist()) & {0, 1}) == 1
    assert 1e-9 < pruned.largest_change < 1e-2


def test_pruned_model_is_a_model(tmp_path):
    """It has its own cost, report and file, and a warm start goes on from it."""
    fitted, X = redundant()
    small = sf.prune_units(fitted, X).model
    assert small.get_params()["n_components"] == 6 == small.unit_report().rho_hat.size
    assert small.cost_ == sf.cost(small.params_, X, rho=0.2, beta=3.0, weight_decay=1e-4)
    np.testing.assert_array_equal(small.unit_report().rho_hat, small.rho_hat_)
    small.save(tmp_path / "small.safetensors")
    np.testing.assert_array_equal(sf.load(tmp_path / "small.safetensors").transform(X), small.transform(X))
    before = small.cost_.total
    assert small.set_params(warm_start=True, max_iter=5).fit(X).cost_.total < before
    assert fitted.n_components == 12


@pytest.mark.parametrize("scale", ["minmax", "ufldl"])
def test_models_that_scale(scale):
    """A model with a scale of its own is pruned on the data as they are, and reconstructs them as before."""
    X = 50 * patches() - 7
    fitted = model(scale=scale).fit(X)
    fitted.params_.b1[0] = -900
    fitted.params_.W1[1], fitted.params_.b1[1] = -fitted.params_.W1[2], -fitted.params_.b1[2]
    pruned = sf.prune_units(fitted, X)
    assert len(pruned.kept) == 4
    np.testing.assert_allclose(pruned.model.reconstruct(X), fitted.reconstruct(X), rtol=0, atol=1e-12)
    assert pruned.model.rho_hat_ == pytest.approx(pruned.model.transform(X).mean(axis=0))


def test_all_constant_leaves_one_unit():
    """Where every unit is constant one stays, and the reconstruction too; twice pruned is once pruned."""
    X = patches()
    fitted = model(n_components=3).fit(X)
    fitted.params_.W1[:] = 0
    pruned = sf.prune_units(fitted, X)
    assert len(pruned.kept) == 1
    assert pruned.largest_change < 1e-15
    again = sf.prune_units(pruned.model, X)
    np.testing.assert_array_equal(again.kept, [0])
    assert "2 of 3 units removed, 2 constant and 0 merged into others" in str(pruned)


def test_wrong_arguments_are_named():
    """Each wrong argument is an error that names it."""
    fitted, X = redundant()
    with pytest.raises(ValueError, match="tolerance must be >= 0 and finite, got -1"):
        sf.prune_units(fitted, X, tolerance=-1)
    with pytest.raises(TypeError, match="tolerance must be a real number, got 'x'"):
        sf.prune_units(fitted, X, tolerance="x")
    with pytest.raises(ValueError, match="features"):
        sf.prune_units(fitted, X[:, :4])
    with pytest.raises(ValueError, match="not fitted"):
        sf.prune_units(sf.SparseAutoencoder(), X)


def test_heirs_of_heirs_are_named():
    """A unit whose heir is merged in turn belongs to the last one, which has the decoder columns of all three."""
    rng = np.random.default_rng(0)
    codes = np.repeat(rng.uniform(0.2, 0.8, (50, 1)), 3, axis=1)
    codes[:, 2] += 1e-3 * rng.uniform(-1, 1, 50)
    params = sf.init_params(4, 3, random_state=0)
    params.W2[:] = [0.1, 0.1, 100.0]  # the third cannot go into the first: too much would change
    work = Removal(params, codes, "linear", 0.01, np.full(3, 1e-15))
    while work.merge():
        pass
    assert work.kept.tolist() == [False, False, True]
    assert work.merged_into.tolist() == [2, 2, 2]
    np.testing.assert_allclose(codes @ params.W2.T, codes[:, 2:] @ work.W2[:, 2:].T + work.b2 - params.b2, atol=0.01)
