"""A contender of ksparse_training.py: steps on one minibatch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from _contest import answer, least_seconds, multiply_add_rate

DEAD_AFTER = 10_000_000
Steps = tuple[Callable[[], float], Callable[[], None]]  # a step, its loss; what makes the dead latents dead again


def ours(W: np.ndarray, X: np.ndarray, dead: np.ndarray, k: int, aux_k: int, n_threads: int) -> Steps:
    """The core's trainer."""
    from sae_fast import _core

    zeros = [np.zeros(n, np.float32) for n in W.shape]
    trainer = _core.KSparseTrainer(W, zeros[0], W, zeros[1], epsilon=6.25e-10)
    options: dict[str, Any] = {"k": k, "aux_k": aux_k, "aux_weight": 1 / 32, "loss_normalized": True}

    def step() -> float:
        return float(trainer.step(X, learning_rate=1e-4, n_threads=n_threads, **options)["loss"])

    def again() -> None:
        state = trainer.state()
        state["samples_since_fired"][dead] = DEAD_AFTER
        trainer.load_state(state)

    return step, again


def by_torch(compiled: bool) -> Callable[..., Steps]:
    """PyTorch's, eager or compiled."""

    def begin(W: np.ndarray, X: np.ndarray, dead: np.ndarray, k: int, aux_k: int, n_threads: int) -> Steps:
        import torch
        from _ksparse_torch import Trainer

        torch.set_num_threads(n_threads)
        options: dict[str, Any] = {"k": k, "aux_k": aux_k, "dead_after": DEAD_AFTER, "compiled": compiled}
        trainer = Trainer(torch.from_numpy(W), torch.zeros(W.shape[1]), learning_rate=1e-4, **options)
        rows, gone = torch.from_numpy(X), torch.from_numpy(dead)

        def again() -> None:
            trainer.samples_since_fired[gone] = DEAD_AFTER

        return lambda: trainer.step(rows).item(), again

    return begin


CONTENDERS = {"ours": ours, "torch": by_torch(compiled=False), "torch compiled": by_torch(compiled=True)}


def contend(
    n_threads: int, contender: str, n: int, d: int, h: int, k: int, aux_k: int, seconds: float
) -> dict[str, Any]:
    """Least time of a step, that of its product at the peak, and the losses of the first steps, which are not timed."""
    rng = np.random.default_rng(0)
    W = rng.normal(size=(h, d)).astype(np.float32)
    W /= np.linalg.norm(W, axis=1, keepdims=True)
    X = (rng.normal(size=(n, d)) / np.sqrt(np.arange(1, d + 1))).astype(np.float32)
    dead = (np.arange(h) % 3 == 0) & (aux_k > 0)
    rate = multiply_add_rate(n_threads)
    step, again = CONTENDERS[contender](W, X, dead, k, aux_k, n_threads)
    losses = []
    for _ in range(3):  # torch.compile does its work here
        again()
        losses.append(step())
    least = least_seconds(step, seconds, again)
    rate = max(rate, multiply_add_rate(n_threads))
    return {"seconds": least, "limit": n * d * h / rate, "losses": losses}


if __name__ == "__main__":
    answer(contend)
