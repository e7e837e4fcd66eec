"""Properties that hold for any shapes and values, found by hypothesis."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import sae_fast as sf
from tests.helpers.networks import COMBINATIONS, HIDDEN, OUTPUT, TOLERANCE, error, make

sizes = st.integers(1, 40)
cases = st.fixed_dictionaries(
    {
        "m": sizes,
        "v": sizes,
        "h": sizes,
        "seed": st.integers(0, 2**32 - 1),
        "dtype": st.sampled_from([np.float32, np.float64]),
        "scale": st.floats(0.01, 30.0),
    }
)
units = st.fixed_dictionaries({"hidden": st.sampled_from(HIDDEN), "output": st.sampled_from(OUTPUT)})
penalties = st.fixed_dictionaries(
    {"rho": st.floats(0.01, 0.99), "beta": st.floats(0, 100), "weight_decay": st.floats(0, 10)}
)
together = st.sampled_from(COMBINATIONS)  # units, loss, and which penalties they have
budget = settings(max_examples=60, deadline=None)


@budget
@given(cases, units, penalties, st.integers(1, 4))
def test_shapes_dtypes_and_finiteness(case, unit, penalty, n_threads):
    """Finite input gives finite results, in the shapes and dtype of the parameters."""
    params, X = make(**case)
    J, grad = sf.cost_and_grad(params, X, **unit, **penalty, n_threads=n_threads)
    assert np.isfinite(J)
    for g, p in zip(grad, params, strict=True):
        assert g.shape == p.shape
        assert g.dtype == p.dtype
        assert np.isfinite(g).all()
    a2, a3 = sf.forward(params, X, **unit, n_threads=n_threads)
    assert a2.shape == (case["m"], case["h"])
    assert a3.shape == X.shape
    assert a2.dtype == a3.dtype == case["dtype"]


@budget
@given(cases, units, st.floats(0.05, 0.95))
def test_gradient_is_linear_in_beta_and_weight_decay(case, unit, rho):
    """grad(beta, lambda) = grad(0, 0) + beta (grad(1, 0) - grad(0, 0)) + lambda (W1, 0, W2, 0)."""
    case["scale"] = min(case["scale"], 3.0)
    params, X = make(**case)
    beta, decay = 2.5, 0.25

    def grad(b, d):
        return sf.cost_and_grad(params, X, rho=rho, beta=b, weight_decay=d, **unit)[1]

    zero, one, both = grad(0.0, 0.0), grad(1.0, 0.0), grad(beta, decay)
    shrunk = (params.W1, np.zeros_like(params.b1), params.W2, np.zeros_like(params.b2))
    for got, g0, g1, p in zip(both, zero, one, shrunk, strict=True):
        g0, g1, p = (a.astype(np.float64) for a in (g0, g1, p))
        wanted = g0 + beta * (g1 - g0) + decay * p
        scale = max(np.abs(a).max() for a in (g0, g1, p, wanted)) + 1e-30
        assert np.abs(got - wanted).max() <= 20 * TOLERANCE[case["dtype"]] * scale


@budget
@given(cases, units, penalties)
def test_order_of_samples_does_not_matter(case, unit, penalty):
    """Permuted samples give the same cost and gradient up to rounding, and permuted codes to the last bit."""
    case["scale"] = min(case["scale"], 3.0)
    params, X = make(**case)
    order = np.random.default_rng(case["seed"]).permutation(case["m"])
    J, grad = sf.cost_and_grad(params, X, **unit, **penalty)
    J2, grad2 = sf.cost_and_grad(params, X[order], **unit, **penalty)
    tolerance = 100 * TOLERANCE[case["dtype"]]
    assert abs(J - J2) <= tolerance * abs(J)
    assert error(np.concatenate([g.ravel() for g in grad2]), np.concatenate([g.ravel() for g in grad])) <= tolerance
    codes = sf.encode(params, X, hidden=unit["hidden"])
    np.testing.assert_array_equal(sf.encode(params, X[order], hidden=unit["hidden"]), codes[order])


@budget
@given(cases, units, penalties, st.data())
def test_weight_two_is_a_duplicate(case, unit, penalty, data):
    """A sample of weight k counts as k equal samples, one of weight 0 as none."""
    case["scale"], case["dtype"] = min(case["scale"], 3.0), np.float64
    params, X = make(**case)
    counts = st.lists(st.integers(0, 3), min_size=case["m"], max_size=case["m"])
    weight = np.array(data.draw(counts.filter(any)))
    J, grad = sf.cost_and_grad(params, X, **unit, **penalty, sample_weight=weight)
    J2, grad2 = sf.cost_and_grad(params, np.repeat(X, weight, axis=0), **unit, **penalty)
    assert abs(J - J2) <= 1e-10 * abs(J)
    assert error(np.concatenate([g.ravel() for g in grad]), np.concatenate([g.ravel() for g in grad2])) <= 1e-10


@budget
@given(cases, together)
def test_units_and_losses_of_any_size(case, network):
    """Any units, loss and penalties give finite gradients, and a cost that is the sum of its parts, all >= 0."""
    params, X = make(**case)
    J, grad = sf.cost_and_grad(params, X, rho=0.2, weight_decay=0.01, **network)
    parts = sf.cost(params, X, rho=0.2, weight_decay=0.01, **network)
    assert parts.total == J
    assert min(parts) >= 0
    assert np.isfinite(J) or (network["hidden"] == "satlin" and network["beta"] > 0)
    assert all(np.isfinite(g).all() for g in grad)
    assert abs(J - sum(parts[1:])) <= 1e-12 * J or np.inf == J


@budget
@given(cases, together, st.data())
def test_weight_two_is_a_duplicate_for_any_loss(case, network, data):
    """A sample of weight k counts as k equal samples, in the loss and in both penalties."""
    case["scale"], case["dtype"] = min(case["scale"], 3.0), np.float64
    params, X = make(**case)
    weight = np.array(data.draw(st.lists(st.integers(1, 3), min_size=case["m"], max_size=case["m"])))
    J, grad = sf.cost_and_grad(params, X, rho=0.2, weight_decay=0.01, **network, sample_weight=weight)
    J2, grad2 = sf.cost_and_grad(params, np.repeat(X, weight, axis=0), rho=0.2, weight_decay=0.01, **network)
    assert J == J2 or abs(J - J2) <= 1e-10 * abs(J)
    assert error(np.concatenate([g.ravel() for g in grad]), np.concatenate([g.ravel() for g in grad2])) <= 1e-10


@budget
@given(cases, units)
def test_a_row_does_not_know_its_neighbours(case, unit):
    """Codes and reconstructions of a sample are bitwise the same alone and in company."""
    params, X = make(**case)
    a2, a3 = sf.forward(params, X, **unit)
    i = case["seed"] % case["m"]
    alone = sf.forward(params, X[i : i + 1], **unit)
    np.testing.assert_array_equal(alone.a2[0], a2[i])
    np.testing.assert_array_equal(alone.a3[0], a3[i])


@budget
@given(st.integers(1, 30), st.integers(1, 30), st.sampled_from([np.float32, np.float64]))
def test_flatten_and_unflatten_are_inverse(v, h, dtype):
    """unflatten(flatten(p)) is p, for any sizes."""
    params, _ = make(1, v, h, dtype)
    for a, b in zip(sf.unflatten(sf.flatten(params), v, h), params, strict=True):
        np.testing.assert_array_equal(a, b)
