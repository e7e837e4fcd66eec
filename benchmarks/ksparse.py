#!/usr/bin/env python
"""Sparse codes against the limit of their one dense product, at the peak probed beside it; and the memory they take.

Contenders take turns, each in a process of its own; the best of all rounds counts. PyTorch joins where it is installed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from typing import Any

WORKS = {  # rows, features, latents, k, activation
    "topk 384 -> 6144, k 32": (10_000, 384, 6144, 32, "topk"),
    "topk 768 -> 24576, k 64": (10_000, 768, 24576, 64, "topk"),
    "jumprelu 768 -> 16384, L0 60": (10_000, 768, 16384, 60, "jumprelu"),
    "one row 384 -> 6144, k 32": (1, 384, 6144, 32, "topk"),
}
BARS = {"topk 384 -> 6144, k 32": 1.20, "topk 768 -> 24576, k 64": 1.15, "jumprelu 768 -> 16384, L0 60": 1.15}
SETUP = """
import json, os, resource, sys, time
n, d, h, k, activation, contender, n_threads, seconds = json.loads(sys.argv[1])
os.environ["OMP_NUM_THREADS"] = str(n_threads)
import numpy as np
import sae_fast as sf
from sae_fast import _core
from statistics import NormalDist
rng = np.random.default_rng(0)
W = rng.normal(size=(h, d), scale=d**-0.5).astype(np.float32)
X = rng.normal(size=(n, d)).astype(np.float32)
b_enc, b_dec = np.zeros(h, np.float32), np.zeros(d, np.float32)
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
rate = max(_core.multiply_add_rate(True, n_threads, 0.3) for _ in range(3))
if contender == "torch":
    import torch
    torch.set_num_threads(n_threads)
    weights, rows = torch.from_numpy(W), torch.from_numpy(X)
    def run():
        with torch.inference_mode():
            values, indices = torch.topk(rows @ weights.T, k, dim=1)
            return torch.relu(values), indices
elif activation == "topk":
    encoder = sf.KSparseEncoder(W, b_enc, W, b_dec, k=k)
    run = (lambda: encoder.encode_one(X[0])) if n == 1 else (lambda: encoder(X))
else:
    threshold = np.full(h, NormalDist().inv_cdf(1 - k / h), np.float32)
    encoder = sf.KSparseEncoder(W, b_enc, W, b_dec, activation=activation, threshold=threshold)
    run = lambda: encoder(X)
before = peak()
codes = run()
extra = peak() - before
best, end = float("inf"), time.perf_counter() + seconds
while time.perf_counter() < end:
    began = time.perf_counter()
    run()
    best = min(best, time.perf_counter() - began)
rate = max(rate, *(_core.multiply_add_rate(True, n_threads, 0.3) for _ in range(3)))
print(json.dumps([best, n * d * h / rate, extra]))
"""


def _run(work: tuple[Any, ...], contender: str, n_threads: int, seconds: float) -> list[float] | None:
    arguments = json.dumps([*work, contender, n_threads, seconds])
    done = subprocess.run([sys.executable, "-c", SETUP, arguments], capture_output=True, text=True)
    if done.returncode:
        missing = "No module named 'torch'" in done.stderr
        if not missing:
            sys.stderr.write(done.stderr)
        return None
    return json.loads(done.stdout)


def main() -> int:
    """Print times, limits and memory; 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each contender in each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="works with this in their name")
    given = parser.parse_args()
    missed = False
    for name, work in WORKS.items():
        if given.only not in name:
            continue
        best: dict[str, list[float]] = {}
        for _ in range(given.rounds):
            for contender in ("ours", "torch") if work[4] == "topk" else ("ours",):
                found = _run(work, contender, given.threads, given.seconds)
                if found is not None:
                    best[contender] = [min(pair) for pair in zip(found, best.get(contender, found), strict=True)]
        limit = min(found[1] for found in best.values())
        for contender, (seconds, _, extra) in best.items():
            times = f"{seconds / limit:6.2f} x limit"
            print(f"{name:30} {contender:6} {1e3 * seconds:9.3f} ms {times}, {extra:6.0f} MiB more", flush=True)
        missed |= name in BARS and "ours" in best and best["ours"][0] > BARS[name] * limit
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
