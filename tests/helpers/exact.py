"""The model in arbitrary precision (mpmath), straight from the formulas, and the cases that break textbook code."""

from __future__ import annotations

import functools
import itertools

import mpmath as mp
import numpy as np

import sae_fast

DIGITS = 760
# 1 - tanh(800) is 1e-695: differences from 1 need that many digits.


@functools.lru_cache(maxsize=10_000)  # the exponential is nearly all of the time, and is asked for many times
def _sigmoid(z):
    return 1 / (1 + mp.exp(-z)) if z >= 0 else mp.exp(z) / (1 + mp.exp(z))


def _unit(z, unit):
    """Activation and its derivative."""
    if unit == "linear":
        return z, mp.mpf(1)
    if unit in ("relu", "satlin"):
        top = mp.inf if unit == "relu" else 1
        return min(max(z, mp.mpf(0)), top), mp.mpf(0 < z < top)
    if unit == "sigmoid":
        return _sigmoid(z), _sigmoid(z) * _sigmoid(-z)
    return 1 - 2 * _sigmoid(-2 * z) if z >= 0 else 2 * _sigmoid(2 * z) - 1, 4 * _sigmoid(2 * z) * _sigmoid(-2 * z)


def _loss(a, z, x, loss):
    """Loss of an output, and its derivative by z."""
    e, slope = a[0] - x, a[1]
    if loss == "cross_entropy":
        # The logarithms of sigmoid(z) and sigmoid(-z); a term of weight 0 is none.
        return -(x * mp.log(_sigmoid(z)) + (1 - x) * mp.log(_sigmoid(-z))), e
    if loss == "absolute":
        return abs(e), mp.sign(e) * slope
    if loss == "huber" and abs(e) > 1:
        return abs(e) - mp.mpf(1) / 2, mp.sign(e) * slope
    return e**2 / 2, e * slope


def _sides(z, hidden):
    """The activation mapped to [0, 1], and its complement."""
    if hidden == "relu":
        return max(z, mp.mpf(0)), mp.nan
    if hidden == "satlin":
        return _unit(z, hidden)[0], 1 - _unit(z, hidden)[0]
    twice = 2 if hidden == "tanh" else 1
    return _sigmoid(twice * z), _sigmoid(-twice * z)


def evaluate(params, X, rho, beta, weight_decay, hidden, output, loss="squared", l1=0.0):
    """(J, [W1, b1, W2, b2] gradients) as nested lists of mpf, and the spread of each gradient's terms.

    The spread is the sum of the absolute terms that the entry is the sum of: the scale of the error that rounding of
    single terms must leave.
    """
    with mp.workdps(DIGITS):
        W1, b1, W2, b2 = ([[mp.mpf(float(x)) for x in np.atleast_1d(row)] for row in np.atleast_2d(a)] for a in params)
        b1, b2 = b1[0], b2[0]
        x = [[mp.mpf(float(t)) for t in row] for row in X]
        rho, beta, decay = mp.mpf(rho), mp.mpf(beta), mp.mpf(weight_decay)
        m, v, h = len(x), len(x[0]), len(b1)
        z2 = [[b1[j] + mp.fdot(W1[j], row) for j in range(h)] for row in x]
        a2 = [[_unit(z, hidden) for z in row] for row in z2]
        z3 = [[b2[i] + mp.fdot(W2[i], [a for a, _ in row]) for i in range(v)] for row in a2]
        a3 = [[_unit(z, output) for z in row] for row in z3]
        twice = 2 if hidden == "tanh" else 1
        s = [[_sides(z, hidden)[0] for z in row] for row in z2]
        c = [[_sides(z, hidden)[1] for z in row] for row in z2]
        rho_hat = [mp.fsum(s[i][j] for i in range(m)) / m for j in range(h)]
        rest = [mp.fsum(c[i][j] for i in range(m)) / m for j in range(h)]
        losses = [[_loss(a3[i][k], z3[i][k], x[i][k], loss) for k in range(v)] for i in range(m)]
        J = mp.fsum(losses[i][k][0] for i in range(m) for k in range(v)) / m
        l1 = mp.mpf(l1)
        J += l1 * mp.fsum(abs(a) for row in a2 for a, _ in row) / m
        J += decay / 2 * mp.fsum(w * w for W in (W1, W2) for row in W for w in row)
        pull = [mp.mpf(0)] * h
        if beta > 0:
            kl = [rho * mp.log(rho / p) + (1 - rho) * mp.log((1 - rho) / q) for p, q in zip(rho_hat, rest)]
            J += beta * mp.fsum(kl)
            pull = [beta * (-rho / p + (1 - rho) / q) / twice for p, q in zip(rho_hat, rest)]
        d3 = [[losses[i][k][1] for k in range(v)] for i in range(m)]
        back = [[[d3[i][k] * W2[k][j] for k in range(v)] for j in range(h)] for i in range(m)]
        press = [[l1 * mp.sign(a2[i][j][0]) for j in range(h)] for i in range(m)]
        d2 = [[(mp.fsum(back[i][j]) + pull[j] + press[i][j]) * a2[i][j][1] for j in range(h)] for i in range(m)]
        # beta multiplies terms of opposite sign; their size is what rounding sees.
        size = [
            [(mp.fsum(map(abs, back[i][j])) + abs(pull[j]) + abs(press[i][j])) * a2[i][j][1] for j in range(h)]
            for i in range(m)
        ]
        g = [
            [
                [mp.fsum(d2[i][j] * x[i][k] for i in range(m)) / m + decay * W1[j][k] for k in range(v)]
                for j in range(h)
            ],
            [mp.fsum(d2[i][j] for i in range(m)) / m for j in range(h)],
            [
                [mp.fsum(d3[i][k] * a2[i][j][0] for i in range(m)) / m + decay * W2[k][j] for j in range(h)]
                for k in range(v)
            ],
            [mp.fsum(d3[i][k] for i in range(m)) / m for k in range(v)],
        ]
        spread = [
            [
                [mp.fsum(size[i][j] * abs(x[i][k]) for i in range(m)) / m + decay * abs(W1[j][k]) for k in range(v)]
                for j in range(h)
            ],
            [mp.fsum(size[i][j] for i in range(m)) / m for j in range(h)],
            [
                [mp.fsum(abs(d3[i][k] * a2[i][j][0]) for i in range(m)) / m + decay * abs(W2[k][j]) for j in range(h)]
                for k in range(v)
            ],
            [mp.fsum(abs(d3[i][k]) for i in range(m)) / m for k in range(v)],
        ]
        return J, g, spread


def cases():
    """Name -> (params, X, settings) in float64; small, so that mpmath is quick."""
    rng = np.random.default_rng(5)
    found = {}

    def add(name, hidden=("sigmoid", "tanh"), output=("sigmoid", "tanh", "linear"), *, m=5, v=4, h=3, b1=0.0, b2=0.0,
            scale=0.5, X=None, **settings):  # fmt: skip
        for f, g in itertools.product(hidden, output):
            params = sae_fast.Params(
                rng.normal(0, scale, (h, v)),
                rng.normal(0, 0.2, h) * (scale > 0) + b1,
                rng.normal(0, scale, (v, h)),
                rng.normal(0, 0.2, v) * (scale > 0) + b2,
            )
            data = rng.uniform(0.1, 0.9, (m, v)) if X is None else np.broadcast_to(X, (m, v)).copy()
            full = {"rho": 0.05, "beta": 3.0, "weight_decay": 1e-4} | settings
            found[f"{name}-{f}-{g}"] = (params, data, {**full, "hidden": f, "output": g})

    add("ordinary")
    add("one sample", m=1)
    add("one unit", h=1)
    for bias in (10, 20, 36, 40, 100, 700, 800):
        add(f"b1={bias}", b1=float(bias))
        add(f"b1=-{bias}", b1=-float(bias))
    for scale in (1e-8, 50.0, 1000.0):
        add(f"weights {scale:g}", scale=scale)
    for bias in (40.0, 800.0, -40.0, -800.0):
        add(f"beta 0, b1={bias:g}", b1=bias, beta=0.0)
    add("beta 1e6", beta=1e6)
    add("beta 1e6, b1=-40", beta=1e6, b1=-40.0)
    for rho in (1e-8, 1 - 1e-8):
        add(f"rho {rho!r}", rho=rho)
        add(f"rho {rho!r}, b1=40", rho=rho, b1=40.0)
    add("zero parameters", scale=0.0)
    add("constant data", X=0.3)
    add("zero data", X=0.0)
    for bias, data in ((40.0, 1.0), (100.0, 1.0), (800.0, 1.0), (-40.0, 0.0), (-800.0, 0.0), (40.0, 0.0)):
        add(f"b2={bias:g}, X={data:g}", b2=bias, X=data)
    add("tanh output at its lower limit", b2=-30.0, X=-1.0)
    add("rho_hat = rho nearly", rho=0.5, scale=1e-6)

    every = ("sigmoid", "tanh", "linear", "relu", "satlin")
    hidden = ("sigmoid", "tanh", "relu", "satlin")
    for l1 in (1e-300, 0.3, 1e6):
        add(f"l1 {l1:g}", hidden, ("linear", "satlin"), beta=0.0, l1=l1)
        add(f"l1 {l1:g} and beta", ("sigmoid", "tanh", "satlin"), ("relu",), b1=0.3, l1=l1)
    for bias in (40.0, -40.0, 800.0, -800.0):
        add(f"l1, b1={bias:g}", hidden, ("sigmoid",), beta=0.0, l1=0.3, b1=bias)
        add(f"l1 and beta, b1={bias:g}", ("sigmoid", "tanh"), ("linear",), l1=0.3, b1=bias)
    add("satlin at its optimum", ("satlin",), ("satlin",), scale=1e-6, b1=0.5, rho=0.5)
    for loss in ("absolute", "huber"):
        add(f"{loss}", hidden, every, beta=0.0, loss=loss)
        add(f"{loss}, far off", ("relu", "satlin"), every, beta=0.0, loss=loss, scale=10.0)
        for bias, data in ((40.0, 1.0), (800.0, 1.0), (-800.0, 0.0), (40.0, 0.0)):
            add(f"{loss}, b2={bias:g}, X={data:g}", ("sigmoid",), every, loss=loss, b2=bias, X=data)
    add("cross_entropy", hidden, ("sigmoid",), beta=0.0, loss="cross_entropy")
    for bias, data in itertools.product((20.0, 40.0, 800.0, 1e5), (0.0, 1e-300, 0.3, 1.0)):
        for sign in (1, -1):
            add(f"cross_entropy, b2={sign * bias:g}, X={data:g}", ("tanh",), ("sigmoid",), loss="cross_entropy",
                b2=sign * bias, X=data)  # fmt: skip
    add("cross_entropy, weights 1000", hidden, ("sigmoid",), beta=0.0, loss="cross_entropy", scale=1000.0)
    return found


def to_float(nested, dtype=np.float64):
    """Nested lists of mpf as an array; what overflows the type becomes inf."""
    with mp.workdps(DIGITS):
        return np.array(
            [[float(x) for x in row] if isinstance(row, list) else float(row) for row in nested], dtype=dtype
        )


def relative_error(got, wanted, spread, unit, tiny):
    """Largest error of an entry over its size, where the size is at least `unit` of the sum of its absolute terms.

    An entry that is the small difference of large terms carries their rounding: it may be off by a few `unit` of them.
    Entries below the smallest normal number count as equal to 0.
    """
    got = np.asarray(got, dtype=np.float64).ravel()
    with mp.workdps(DIGITS):
        flat = [x for row in wanted for x in (row if isinstance(row, list) else [row])]
        terms = [x for row in spread for x in (row if isinstance(row, list) else [row])]
        worst = mp.mpf(0)
        for g, w, t in zip(got, flat, terms, strict=True):
            assert np.isfinite(g), f"got {g}, exact {mp.nstr(w, 10)}"
            size = max(abs(w), t * unit, mp.mpf(tiny))
            worst = max(worst, abs(mp.mpf(float(g)) - w) / size)
        return float(worst)
