#!/usr/bin/env python
"""Memory of one cost_and_grad beyond its input and output, 100,000 x 784 -> 196 in float32: ours and NumPy's."""

from __future__ import annotations

import argparse
import subprocess
import sys

SETUP = """
import resource, numpy as np
m, v, h = 100_000, 784, 196
rng = np.random.default_rng(0)
X = rng.random((m, v), dtype=np.float32)
import sae_fast as sf
params = sf.init_params(v, h, random_state=0, dtype=np.float32)
grad = sf.Params(*(np.zeros_like(p) for p in params))
settings = dict(rho=0.05, beta=3.0, weight_decay=1e-4)
sf.cost_and_grad(params, X[:300], **settings, out=grad)
W1, b1, W2, b2 = params
def numpy():
    a2 = 1 / (1 + np.exp(-(X @ W1.T + b1)))
    a3 = 1 / (1 + np.exp(-(a2 @ W2.T + b2)))
    delta3 = (a3 - X) * a3 * (1 - a3)
    delta2 = (delta3 @ W2) * a2 * (1 - a2)
    return delta2.T @ X, delta3.T @ a2
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
before = peak()
"""
RUNS = {"sae_fast": "sf.cost_and_grad(params, X, **settings, out=grad)", "NumPy": "numpy()"}


def main() -> int:
    """Print both figures; 1 if ours is beyond 1.15 x a2 + 64 MiB."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    a2 = 100_000 * 196 * 4
    beyond = {}
    for name, run in RUNS.items():
        out = subprocess.check_output([sys.executable, "-c", f"{SETUP}\n{run}\nprint(peak() - before)"], text=True)
        beyond[name] = int(out)
        print(f"{name:10} {beyond[name] / 2**20:8.1f} MiB beyond input and output ({beyond[name] / a2:.2f} x a2)")
    allowed = 1.15 * a2 + 64 * 2**20
    print(f"allowed    {allowed / 2**20:8.1f} MiB")
    return int(beyond["sae_fast"] > allowed)


if __name__ == "__main__":
    sys.exit(main())
