"""The deep network in arbitrary precision (mpmath), from the formulas, and the cases that break textbook code."""

from __future__ import annotations

import mpmath as mp
import numpy as np

from tests.helpers.deep_networks import make_layers
from tests.helpers.exact import DIGITS, _sigmoid, _unit


def evaluate(layers, X, y, units, loss, rho, beta, weight_decay):
    """(J, [W_1, b_1, ...] gradients) as nested lists of mpf, and the spread of each gradient's terms.

    The spread is the sum of the absolute terms that an entry is the sum of, through all layers: the scale of the error
    that rounding of single terms must leave.
    """
    with mp.workdps(DIGITS):
        W = [[[mp.mpf(float(t)) for t in row] for row in layer[0]] for layer in layers]
        b = [[mp.mpf(float(t)) for t in layer[1]] for layer in layers]
        m, last = len(X), len(W) - 1
        a, z, slope = [[[mp.mpf(float(t)) for t in row] for row in X]], [], []
        for i, unit in enumerate(units):
            z.append([[b[i][j] + mp.fdot(W[i][j], row) for j in range(len(b[i]))] for row in a[i]])
            pairs = [[_unit(t, unit) for t in row] for row in z[i]]
            a.append([[p[0] for p in row] for row in pairs])
            slope.append([[p[1] for p in row] for row in pairs])

        J = mp.mpf(0)
        delta = [[mp.mpf(0)] * len(b[last]) for _ in range(m)]
        for i in range(m):
            if loss == "softmax":
                e = [mp.exp(t - max(z[last][i])) for t in z[last][i]]
                J -= mp.log(e[y[i]] / mp.fsum(e)) / m
                delta[i] = [t / mp.fsum(e) - (k == y[i]) for k, t in enumerate(e)]
            else:
                difference = [p - mp.mpf(float(t)) for p, t in zip(a[-1][i], y[i], strict=True)]
                J += mp.fsum(d * d for d in difference) / (2 * m)
                delta[i] = [d * s for d, s in zip(difference, slope[last][i], strict=True)]
        size = [[abs(d) for d in row] for row in delta]
        grads, spreads = [], []
        for i in range(last, -1, -1):
            if i < last:
                pull, penalty = _pull(z[i], units[i], mp.mpf(rho[i]), mp.mpf(beta[i]))
                J += penalty
                columns = list(zip(*W[i + 1], strict=True))
                sizes = [[abs(t) for t in column] for column in columns]
                delta = [
                    [(mp.fdot(row, c) + p) * s for c, p, s in zip(columns, pull, slopes, strict=True)]
                    for row, slopes in zip(delta, slope[i], strict=True)
                ]
                size = [
                    [(mp.fdot(row, c) + abs(p)) * s for c, p, s in zip(sizes, pull, slopes, strict=True)]
                    for row, slopes in zip(size, slope[i], strict=True)
                ]
            decay = mp.mpf(weight_decay[i])
            J += decay / 2 * mp.fsum(w * w for row in W[i] for w in row)
            grads = [*_products(delta, a[i], W[i], decay), *grads]
            magnitudes = [[[abs(t) for t in row] for row in block] for block in (a[i], W[i])]
            spreads = [*_products(size, *magnitudes, decay), *spreads]
        return J, grads, spreads


def _pull(z, unit, rho, beta):
    """The penalty's term of delta for each unit, and the penalty."""
    if beta == 0:
        return [mp.mpf(0)] * len(z[0]), mp.mpf(0)
    twice = 2 if unit == "tanh" else 1
    means = [
        [mp.fsum(_sigmoid(sign * twice * t) for t in column) / len(z) for sign in (1, -1)]
        for column in zip(*z, strict=True)
    ]
    penalty = beta * mp.fsum(rho * mp.log(rho / p) + (1 - rho) * mp.log((1 - rho) / q) for p, q in means)
    return [beta * (-rho / p + (1 - rho) / q) / twice for p, q in means], penalty


def _products(delta, a, W, decay):
    m = len(delta)
    columns, inputs = list(zip(*delta, strict=True)), list(zip(*a, strict=True))
    of_W = [
        [mp.fdot(d, t) / m + decay * w for t, w in zip(inputs, row, strict=True)]
        for d, row in zip(columns, W, strict=True)
    ]
    return of_W, [mp.fsum(d) / m for d in columns]


def cases():
    """Name -> (layers, X, y, network) in float64; small, so that mpmath is quick."""
    rng = np.random.default_rng(8)
    found = {}

    def add(
        name,
        loss,
        *,
        sizes=(4, 3, 3, 3),
        bias=(0.0, 0.0, 0.0),
        scale=1.0,
        rho=0.05,
        beta=3.0,
        y=None,
        outputs=("tanh",),
    ):
        for hidden in ("sigmoid", "tanh"):
            for output in ("linear",) if loss == "softmax" else outputs:
                layers = make_layers(sizes, seed=len(found), scale=scale)
                for layer, shift in zip(layers, bias, strict=False):
                    layer.b[...] += shift
                m, n = 4, len(layers)
                data = rng.uniform(0.1, 0.9, (m, sizes[0]))
                target = rng.uniform(0.1, 0.9, (m, sizes[-1])) if y is None else np.full((m, sizes[-1]), y)
                labels = np.arange(m) % sizes[-1] if y is None else np.full(m, y)
                network = {
                    "units": [hidden] * (n - 1) + [output],
                    "loss": loss,
                    "rho": [rho] * (n - 1),
                    "beta": [beta] * (n - 1),
                    "weight_decay": [1e-4] * n,
                }
                found[f"{loss} {name}-{hidden}-{output}"] = (
                    layers,
                    data,
                    labels if loss == "softmax" else target,
                    network,
                )

    for loss in ("squared", "softmax"):
        add("ordinary", loss, outputs=("sigmoid", "tanh", "linear"))
        for size in (36.0, 100.0, 800.0):
            for sign in (1, -1):
                add(f"first layer at {sign * size:g}", loss, bias=(sign * size, 0, 0))
                add(f"second layer at {sign * size:g}", loss, bias=(0, sign * size, 0))
        add("both hidden layers at 40", loss, bias=(40.0, 40.0, 0))
        add("both hidden layers at -800", loss, bias=(-800.0, -800.0, 0))
        add("beta 0, first layer at 800", loss, bias=(800.0, 0, 0), beta=0.0)
        add("weights 100", loss, scale=200.0)
        add("weights 1e-8", loss, scale=1e-8)
        add("rho 1e-8", loss, rho=1e-8)
    for bias, target in ((40.0, 1.0), (800.0, 1.0), (-40.0, 0.0), (40.0, 0.0)):
        add(
            f"output at {bias:g} for {target:g}",
            "squared",
            bias=(0, 0, bias),
            y=target,
            outputs=("sigmoid", "tanh", "linear"),
        )
    for gap in (20.0, 36.0, 100.0, 700.0, 1000.0):
        add(f"right class ahead by {gap:g}", "softmax", bias=(0, 0, np.array([0.0, gap, 0.0])), y=1, beta=0.0)
        add(f"wrong class ahead by {gap:g}", "softmax", bias=(0, 0, np.array([0.0, gap, 0.0])), y=2)
    add("two classes ahead by 50", "softmax", bias=(0, 0, np.array([50.0, 50.0, 0.0])), y=1)
    add("tied classes", "softmax", sizes=(3, 4), scale=0.0, bias=(np.array([-0.3] * 4),), y=3)
    add("one class", "softmax", sizes=(3, 2, 1), y=0)
    return found
