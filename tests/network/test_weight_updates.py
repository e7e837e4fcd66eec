"""Weight updates against the published formulas, and against PyTorch where it is installed."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

import sae_fast as sf
from tests.helpers.networks import DTYPES, make

pytestmark = pytest.mark.core

STEPS = 100
RULES = {
    "sgd": (sf.SGD, {"learning_rate": 0.05}),
    "momentum": (sf.SGD, {"learning_rate": 0.05, "momentum": 0.9}),
    "nesterov": (sf.SGD, {"learning_rate": 0.05, "momentum": 0.9, "nesterov": True}),
    "adam": (sf.Adam, {"learning_rate": 0.01}),
    "adam-other": (sf.Adam, {"learning_rate": 0.02, "beta1": 0.5, "beta2": 0.9, "eps": 1e-3}),
}
CLOSE = {np.float64: 1e-12, np.float32: 3e-5}


def gradients(shapes, dtype):
    rng = np.random.default_rng(4)
    for _ in range(STEPS):
        yield sf.Params(*(rng.normal(0, 1, s).astype(dtype) for s in shapes))


def published(rule, p, grads):
    """The formulas for one array in float64: Sutskever et al. 2013 (SGD), Kingma and Ba 2015 (Adam)."""
    kind, options = rule
    p = p.astype(np.float64)
    m = np.zeros_like(p)
    v = np.zeros_like(p)
    for t, g in enumerate(grads, 1):
        g = g.astype(np.float64)
        rate = options["learning_rate"]
        if kind is sf.SGD:
            momentum = options.get("momentum", 0.0)
            v = momentum * v + g
            p = p - rate * (g + momentum * v if options.get("nesterov") else v)
        else:
            b1, b2 = options.get("beta1", 0.9), options.get("beta2", 0.999)
            m = b1 * m + (1 - b1) * g
            v = b2 * v + (1 - b2) * g**2
            p = p - rate * (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + options.get("eps", 1e-8))
    return p


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", RULES)
def test_hundred_steps_of_the_published_formulas(impl, name, dtype):
    """After 100 steps the parameters are those of the published formulas."""
    params, _ = make(1, 19, 11, dtype)
    start = [p.copy() for p in params]
    kind, options = RULES[name]
    opt = getattr(impl, kind.__name__)(params, **options)
    grads = list(gradients([p.shape for p in params], dtype))
    for g in grads:
        opt.step(g)
    assert opt.n_steps == STEPS
    for i, p in enumerate(params):
        np.testing.assert_allclose(
            p, published(RULES[name], start[i], [g[i] for g in grads]), rtol=0, atol=CLOSE[dtype]
        )


@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize("name", RULES)
def test_arrays_of_several_chunks(name, n_threads):
    """Every element of arrays that threads share is updated by the published formulas, from its own moments."""
    params, _ = make(1, 8193, 3)
    start = [p.copy() for p in params]
    kind, options = RULES[name]
    opt = kind(params, **options, n_threads=n_threads)
    grads = list(gradients([p.shape for p in params], np.float64))[:3]
    for g in grads:
        opt.step(g)
    for i, p in enumerate(params):
        np.testing.assert_allclose(p, published(RULES[name], start[i], [g[i] for g in grads]), rtol=0, atol=1e-13)


@pytest.mark.parametrize("name", RULES)
def test_hundred_steps_of_torch(name):
    """After 100 steps the parameters are those of torch.optim."""
    if importlib.util.find_spec("torch") is None:
        pytest.skip("PyTorch is not installed; the published formulas are tested without it")
    import torch

    params, _ = make(1, 19, 11)
    kind, options = RULES[name]
    theirs = [torch.tensor(p.copy(), requires_grad=True) for p in params]
    rename = {"learning_rate": "lr"}
    kwargs = {rename.get(k, k): v for k, v in options.items() if k not in ("beta1", "beta2")}
    if kind is sf.Adam:
        kwargs["betas"] = (options.get("beta1", 0.9), options.get("beta2", 0.999))
    optimizer = (torch.optim.SGD if kind is sf.SGD else torch.optim.Adam)(theirs, **kwargs)
    ours = kind(params, **options)
    for g in gradients([p.shape for p in params], np.float64):
        ours.step(g)
        for t, a in zip(theirs, g, strict=True):
            t.grad = torch.tensor(a)
        optimizer.step()
    for p, t in zip(params, theirs, strict=True):
        np.testing.assert_allclose(p, t.detach().numpy(), rtol=0, atol=1e-12)


def test_updates_are_in_place_and_bitwise_for_any_threads():
    """step() writes to the arrays it was given, the same bits on any number of threads."""
    results = []
    for n in (1, 2, 3):
        params, _ = make(1, 200, 150, np.float32)
        W1 = params.W1
        opt = sf.Adam(params, n_threads=n)
        for g in gradients([p.shape for p in params], np.float32):
            opt.step(g)
        assert opt.params.W1 is W1
        results.append(params)
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)
