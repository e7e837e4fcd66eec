"""Cost and gradient of samples that come from a source: the bits of the same samples in memory."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from sae_fast import _core
from sae_fast.network._settings import check_settings

pytestmark = pytest.mark.core


class Blocks:
    """An array, some rows at a time."""

    def __init__(self, X, rows):
        self.X, self.rows, self.passes = X, rows, 0

    def __len__(self):
        return len(self.X)

    def __iter__(self):
        self.passes += 1
        for i in range(0, len(self.X), self.rows):
            yield self.X[i : i + self.rows]


def network(sizes, dtype, shift=0.0):
    """Layers of these sizes; ``shift`` goes to the weights of the first."""
    rng = np.random.default_rng(len(sizes))
    layers = [
        (rng.normal(0, 0.3, (n_out, n_in)).astype(dtype), rng.normal(0, 0.1, n_out).astype(dtype))
        for n_in, n_out in itertools.pairwise(sizes)
    ]
    layers[0] = ((layers[0][0] + shift).astype(dtype), layers[0][1])
    return tuple(layers)


def evaluated(layers, X, weight, settings, n_threads):
    """Cost, gradients, means and ranges, of an array or a source."""
    grad = tuple((np.empty_like(W), np.empty_like(b)) for W, b in layers)
    n_units = [len(b) for _, b in layers[:-1]]
    rho_hat, unit_range = np.empty(sum(n_units)), np.empty((sum(n_units), 2))
    results = {"rho_hat": rho_hat, "unit_range": unit_range, "n_threads": n_threads}
    if isinstance(X, Blocks):
        cost = _core.evaluate_source(layers, X, weight, settings.core, grad, **results)
    else:
        cost = _core.evaluate(layers, X, None, None, weight, settings.core, grad, **results)
    return [np.array(cost), *sum(grad, ()), rho_hat, unit_range]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("m", "sizes", "units", "beta", "l1", "shift", "passes"),
    [
        (100, (20, 7, 20), ("sigmoid", "sigmoid"), 3.0, 0.0, 0.0, 1),  # one block
        (6007, (64, 25, 64), ("sigmoid", "sigmoid"), 3.0, 0.0, 0.0, 2),  # chunks
        (6007, (64, 25, 64), ("tanh", "linear"), 0.0, 0.01, 0.0, 1),
        (2501, (400, 150, 400), ("sigmoid", "sigmoid"), 3.0, 0.01, 0.0, 2),  # a large gradient
        (2501, (400, 150, 400), ("relu", "linear"), 0.0, 0.01, 0.0, 1),
        (5000, (33, 17, 9, 33), ("sigmoid", "tanh", "linear"), 3.0, 0.0, 0.0, 2),
        (5000, (64, 25, 12, 64), ("sigmoid", "sigmoid", "sigmoid"), 3.0, 0.0, -6.0, 3),  # means out of float32's range
    ],
)
def test_a_source_gives_the_bits_of_its_rows_in_memory(dtype, m, sizes, units, beta, l1, shift, passes):
    """Cost, gradients, means and ranges do not depend on where the samples are, their blocks, or threads."""
    rng = np.random.default_rng(m)
    X = rng.uniform(0.1, 0.9, (m, sizes[0])).astype(dtype)
    layers = network(sizes, dtype, shift)
    settings = check_settings(units, "squared", 0.1, beta, 1e-3, len(layers), l1)
    for weight in (None, rng.uniform(0, 2, m)):
        wanted = evaluated(layers, X, weight, settings, 1)
        for rows, n_threads in ((37, 1), (1000, 2), (m, 3)):
            source = Blocks(X, rows)
            for got, array in zip(evaluated(layers, source, weight, settings, n_threads), wanted, strict=True):
                np.testing.assert_array_equal(got, array)
            assert source.passes == passes or (passes == 3 and dtype == np.float64)


def test_a_source_may_call_the_core_itself():
    """A source that computes its rows, as a layer on another one does, does not disturb the call that reads."""
    X = np.random.default_rng(0).uniform(0.1, 0.9, (3000, 20))
    layers, below = network((20, 9, 20), np.float64), network((20, 20), np.float64)
    settings = check_settings(("sigmoid", "sigmoid"), "squared", 0.1, 3.0, 1e-3, 2)
    only = check_settings(("sigmoid",), "squared", 0.1, 0.0, 0.0, 1).core
    codes = np.empty_like(X)
    _core.forward(below, X, only, codes, 0)

    class Codes(Blocks):
        def __iter__(self):
            for block in super().__iter__():
                made = np.empty_like(block)
                _core.forward(below, block, only, made, 0)
                yield made

    for got, wanted in zip(
        evaluated(layers, Codes(X, 700), None, settings, 2), evaluated(layers, codes, None, settings, 2), strict=True
    ):
        np.testing.assert_array_equal(got, wanted)


def test_what_is_wrong_with_a_source_is_told():
    """Fewer or more rows than said, another width, no arrays, and what it raises itself."""
    X = np.random.default_rng(0).uniform(0.1, 0.9, (3000, 20))
    layers = network((20, 9, 20), np.float64)
    settings = check_settings(("sigmoid", "sigmoid"), "squared", 0.1, 3.0, 1e-3, 2).core

    class Wrong(Blocks):
        def __init__(self, items, n):
            self.items, self.n = items, n

        def __len__(self):
            return self.n

        def __iter__(self):
            for item in self.items:
                if isinstance(item, Exception):
                    raise item
                yield item

    for items, n, kind, words in (
        ([X], 3001, RuntimeError, "must have 3001 samples in each pass, and has no more after 3000"),
        ([X, X[:1]], 3000, RuntimeError, "must have 3000 samples in each pass, and has more after 3000"),
        ([X, X[:, :3]], 3500, ValueError, "n_samples, 20"),
        ([X, "more"], 3500, TypeError, "a source must give arrays"),
        ([X, OSError("the disk is gone")], 3500, OSError, "the disk is gone"),
        ([], 0, ValueError, "at least one sample"),
    ):
        with pytest.raises(kind, match=words):
            _core.evaluate_source(layers, Wrong(items, n), None, settings)
