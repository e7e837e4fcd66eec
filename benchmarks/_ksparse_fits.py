"""A contender of ksparse_training.py --fit: a whole training on the glosses, judged in NumPy.

Both take as many steps; ours is timed to its own end, where its FVU is to be PyTorch's or less, but for the margin.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from _contest import answer, embeddings

N_LATENTS, K, BATCH, LEARNING_RATE = 3072, 32, 2048, 1e-3
Weights = tuple[np.ndarray, ...]  # W_enc, b_enc, W_dec, b_dec


def ours(X: np.ndarray, epochs: int, seed: int, n_threads: int) -> Weights:
    """KSparseAutoencoder, by OpenAI's recipe."""
    import sae_fast as sf

    settings: dict[str, Any] = {"batch_size": BATCH, "learning_rate": LEARNING_RATE, "max_iter": epochs}
    model = sf.KSparseAutoencoder(N_LATENTS, k=K, recipe="openai", random_state=seed, n_threads=n_threads, **settings)
    encoder = model.fit(X).encoder_
    return encoder.W_enc, encoder.b_enc, encoder.W_dec, encoder.b_dec


def torch(X: np.ndarray, epochs: int, seed: int, n_threads: int) -> Weights:
    """The same recipe in PyTorch, eager."""
    import torch as pt
    from _ksparse_torch import Trainer, normalise, topk

    pt.set_num_threads(n_threads)
    pt.manual_seed(seed)
    rows = pt.from_numpy(X).float()
    unit = (rows**2).sum(1).mean().sqrt()
    rows /= unit
    W = pt.randn(N_LATENTS, rows.shape[1])
    normalise(W)
    probes = pt.randn(256, rows.shape[1])
    normalise(probes)
    scale = 1 / (topk(probes @ W.T, K)[0] @ W).norm(dim=1).mean()  # unit vectors come back with length 1
    trainer = Trainer(
        W,
        _geometric_median(rows[: 1 << 15]),
        scale=scale.item(),
        k=K,
        aux_k=rows.shape[1] // 2,
        dead_after=len(rows),
        learning_rate=LEARNING_RATE,
    )
    for _ in range(epochs):
        for batch in pt.randperm(len(rows)).split(BATCH):
            trainer.step(rows[batch])
    W_enc, b_enc, W_dec, b_dec = (p.detach() for p in trainer.parameters)
    return tuple(p.numpy() for p in (W_enc, b_enc * unit, W_dec, b_dec * unit))


def _geometric_median(rows: Any) -> Any:
    """By Weiszfeld's iteration."""
    median = rows.mean(0)
    for _ in range(100):
        distances = (rows - median).norm(dim=1)
        weights = 1 / distances
        last, median = median, weights @ rows / weights.sum()
        if (median - last).norm() <= 1e-6 * distances.mean():
            break
    return median


def judge(weights: Weights, X: np.ndarray) -> tuple[float, float]:
    """The fraction of variance unexplained, ``sum |x_hat - x|^2 / sum |x - mean|^2``, and the share of dead latents."""
    W_enc, b_enc, W_dec, b_dec = weights
    error, fired = 0.0, np.zeros(len(b_enc), bool)
    for i in range(0, len(X), BATCH):
        rows = X[i : i + BATCH].astype(np.float32)
        z = (rows - b_dec) @ W_enc.T + b_enc
        largest = np.argpartition(z, -K, axis=1)[:, -K:]
        codes = np.zeros_like(z)
        np.put_along_axis(codes, largest, np.maximum(np.take_along_axis(z, largest, axis=1), 0), axis=1)
        error += float(((codes @ W_dec + b_dec - rows).astype(np.float64) ** 2).sum())
        fired |= codes.any(axis=0)
    rows = X.astype(np.float64)
    return error / float(((rows - rows.mean(axis=0)) ** 2).sum()), float(np.mean(~fired))


CONTENDERS = {"ours": ours, "torch": torch}


def contend(n_threads: int, contender: str, epochs: int, seed: int) -> dict[str, float]:
    """Wall time of a whole fit, from array to weights, and how good they are over all samples."""
    with np.load(embeddings()) as arrays:
        X = arrays["glosses"]
    fit = CONTENDERS[contender]
    fit(X[:BATCH], 1, seed, n_threads)  # imports, first calls
    began = time.perf_counter()
    weights = fit(X, epochs, seed, n_threads)
    seconds = time.perf_counter() - began
    fvu, dead = judge(weights, X)
    return {"seconds": seconds, "fvu": fvu, "dead": dead}


if __name__ == "__main__":
    answer(contend)
