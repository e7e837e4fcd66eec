"""What is raced: shapes, data, and the multiply-adds that the mathematics needs."""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

SETTINGS: dict[str, Any] = {"rho": 0.05, "beta": 3.0, "weight_decay": 1e-4}
BATCH = 256
RATE = 1e-3


class Work(NamedTuple):
    """One thing to do: ``kind`` is cost_and_grad, encode, encode_one, encode_topk, epoch or fine_tune."""

    kind: str
    n_samples: int
    n_visible: int
    n_hidden: int
    dtypes: tuple[str, ...] = ("float32", "float64")
    quick: bool = False
    more: tuple[int, ...] = ()
    """Layers behind the hidden one, for fine_tune."""
    k: int = 0
    """Active latents of a sample, for encode_topk."""

    @property
    def sizes(self) -> tuple[int, ...]:
        """Features, and the outputs of each layer."""
        return (self.n_visible, self.n_hidden, *self.more)

    @property
    def name(self) -> str:
        """As shown in tables."""
        return f"{self.kind} {self.n_samples} x {' -> '.join(map(str, self.sizes))}{f', k {self.k}' if self.k else ''}"

    @property
    def multiply_adds(self) -> float:
        """Of the products: five for cost and gradient, one to encode; to fine-tune three a layer, two in the first."""
        if self.kind == "fine_tune":
            per_layer = [a * b for a, b in itertools.pairwise(self.sizes)]
            return float(self.n_samples * (3 * sum(per_layer) - per_layer[0]))
        products = 1 if self.kind.startswith("encode") else 5
        return float(products * self.n_samples * self.n_visible * self.n_hidden)


F32 = ("float32",)
WORKS = (
    Work("cost_and_grad", 10_000, 784, 196, quick=True),
    Work("cost_and_grad", 2048, 512, 2048),
    Work("cost_and_grad", 10_000, 64, 25, quick=True),
    Work("cost_and_grad", 256, 784, 200),
    Work("cost_and_grad", 32, 784, 200),
    Work("cost_and_grad", 16, 64, 25, quick=True),
    Work("encode_one", 1, 64, 25, F32),
    Work("encode_one", 1, 784, 196, F32),
    Work("encode", 32, 784, 196, F32),
    Work("encode", 10_000, 64, 25, F32),
    Work("encode", 10_000, 784, 196, F32, quick=True),
    Work("encode", 10_000, 784, 3136, F32),
    Work("epoch", 60_000, 784, 196, F32),
    Work("fine_tune", 60_000, 784, 200, F32, more=(200, 10)),
    Work("encode_topk", 10_000, 384, 6144, F32, k=32),
)


class Data(NamedTuple):
    """Arrays of one work, the same in every process."""

    X: NDArray[Any]
    W1: NDArray[Any]
    b1: NDArray[Any]
    W2: NDArray[Any]
    b2: NDArray[Any]


def make(work: Work, dtype: str) -> Data:
    """Data in (0.1, 0.9) and UFLDL's initial weights."""
    rng = np.random.default_rng(0)
    v, h = work.n_visible, work.n_hidden
    r = np.sqrt(6 / (v + h + 1))
    shapes = ((h, v), (h,), (v, h), (v,))
    params = [rng.uniform(-r, r, s).astype(dtype) for s in shapes]
    X = rng.random((work.n_samples, v), dtype=np.float32).astype(dtype)
    return Data(X * np.dtype(dtype).type(0.8) + np.dtype(dtype).type(0.1), *params)
