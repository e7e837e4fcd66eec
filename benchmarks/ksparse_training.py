#!/usr/bin/env python
"""A step of training sparse codes against the limit of its one dense product, at the peak probed beside it.

Topk with unit-norm decoder rows and Adam, without AuxK and with it, some latents being dead. Contenders take turns,
each in a process of its own; the best of all rounds counts. PyTorch joins where it is installed, in eager mode.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys

SHAPE = (2048, 384, 3072, 32)  # samples, features, latents, k
AUX = {"AuxK off": 0, "AuxK on": 192}
BARS = {"AuxK off": 2.0, "AuxK on": 3.0}
SETUP = """
import json, os, sys, time
n, d, h, k, aux_k, contender, n_threads, seconds = json.loads(sys.argv[1])
os.environ["OMP_NUM_THREADS"] = str(n_threads)
import numpy as np
from sae_fast import _core
rng = np.random.default_rng(0)
W = rng.normal(size=(h, d)).astype(np.float32)
W /= np.linalg.norm(W, axis=1, keepdims=True)
X = (rng.normal(size=(n, d)) / np.sqrt(np.arange(1, d + 1))).astype(np.float32)
dead = np.arange(h) % 3 == 0
rate = max(_core.multiply_add_rate(True, n_threads, 0.3) for _ in range(3))
if contender == "torch":
    import torch
    torch.set_num_threads(n_threads)
    P = [torch.nn.Parameter(torch.from_numpy(a.copy())) for a in (W, np.zeros(h, np.float32), W, X[0] * 0)]
    W_enc, b_enc, W_dec, b_dec = P
    rows, gone, adam = torch.from_numpy(X), torch.from_numpy(dead), torch.optim.Adam(P, lr=1e-4)
    def codes(z, k):
        values, indices = torch.topk(z, k, dim=1)
        return torch.zeros_like(z).scatter(1, indices, torch.relu(values))
    def step():
        z = (rows - b_dec) @ W_enc.T + b_enc
        e = codes(z, k) @ W_dec + b_dec - rows
        loss = (e ** 2).sum(1).mean()
        if aux_k:
            left = -e.detach()
            error = codes(torch.where(gone, z, -torch.inf), aux_k) @ W_dec - left
            loss = loss + (error ** 2).sum() / ((left - left.mean(0)) ** 2).sum() / 32
        adam.zero_grad()
        loss.backward()
        with torch.no_grad():
            W_dec.grad -= (W_dec.grad * W_dec).sum(1, keepdim=True) * W_dec
            adam.step()
            W_dec.div_(W_dec.norm(dim=1, keepdim=True))
        return loss.item()
    def again(): pass
else:
    trainer = _core.KSparseTrainer(W, np.zeros(h, np.float32), W, np.zeros(d, np.float32))
    def step():
        return trainer.step(X, learning_rate=1e-4, k=k, n_threads=n_threads, aux_k=aux_k, aux_weight=1 / 32)["loss"]
    def again():
        state = trainer.state()
        state["samples_since_fired"][dead] = 10_000_000
        trainer.load_state(state)
best, end, losses = float("inf"), time.perf_counter() + seconds, []
while time.perf_counter() < end or len(losses) < 3:
    if aux_k:
        again()
    began = time.perf_counter()
    losses.append(step())
    best = min(best, time.perf_counter() - began)
rate = max(rate, *(_core.multiply_add_rate(True, n_threads, 0.3) for _ in range(3)))
print(json.dumps([best, n * d * h / rate, *losses[:3]]))
"""


def _run(aux_k: int, contender: str, n_threads: int, seconds: float) -> list[float] | None:
    arguments = json.dumps([*SHAPE, aux_k, contender, n_threads, seconds])
    done = subprocess.run([sys.executable, "-c", SETUP, arguments], capture_output=True, text=True)
    if done.returncode:
        if "No module named 'torch'" not in done.stderr:
            sys.stderr.write(done.stderr)
        return None
    return json.loads(done.stdout)


def main() -> int:
    """Print times and limits; 1 if a bar is missed, or if contenders' losses differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each contender in each round")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    missed = False
    for name, aux_k in AUX.items():
        best: dict[str, list[float]] = {}
        for _ in range(given.rounds):
            for contender in ("ours", "torch"):
                found = _run(aux_k, contender, given.threads, given.seconds)
                if found is not None:
                    first = best.get(contender, found)
                    best[contender] = [min(found[0], first[0]), min(found[1], first[1]), *found[2:]]
        if "ours" not in best:
            return 1
        limit = min(found[1] for found in best.values())
        for contender, (seconds, _, *losses) in best.items():
            print(f"{name:10} {contender:6} {1e3 * seconds:9.3f} ms {seconds / limit:6.2f} x limit", flush=True)
            missed |= any(abs(a - b) > 1e-3 * b for a, b in zip(losses, best["ours"][2:], strict=True))
        missed |= best["ours"][0] > BARS[name] * limit
        if "torch" in best:
            ratio = best["torch"][0] / best["ours"][0]
            print(f"{name:10} {ratio:.2f} x as fast as torch")
            missed |= ratio < 4
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
