"""Compiled core. Private."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .network._types import FloatArray, Layer, Params

UNITS: tuple[str, ...]
LOSSES: tuple[str, ...]
MAX_THREADS: int
RANGED: int

api: object  # the capsule of csrc/include/sae_fast/api.h

class Workspace:
    def size(self) -> int: ...

def isa() -> str: ...
def available_isas() -> list[str]: ...
def has_openmp() -> bool: ...
def compiler() -> str: ...
def available_threads() -> int: ...
def set_num_threads(n: int) -> None: ...
def get_num_threads() -> int: ...
def read_time(float32: bool, n: int, seconds: float) -> float: ...
def multiply_add_rate(float32: bool, n_threads: int, seconds: float) -> float: ...
def layer_forward(
    W: NDArray[Any], b: NDArray[Any], X: NDArray[Any], unit: int, out: NDArray[Any], n_threads: int
) -> None: ...
def convolve(
    W1: NDArray[Any],
    b1: NDArray[Any],
    images: NDArray[Any],
    hidden: int,
    patch_rows: int,
    patch_columns: int,
    pooling: int,
    pool_rows: int,
    pool_columns: int,
    out: NDArray[Any],
    n_threads: int,
) -> None: ...
def count_rows(
    X: NDArray[Any],
    begin: int,
    chunk_size: int,
    summed: int,
    every: int,
    low: NDArray[Any],
    high: NDArray[Any],
    usual: NDArray[Any],
    totals: NDArray[np.float64],
    tallies: NDArray[np.int64],
    kept: NDArray[Any],
    first: int,
    n_threads: int,
) -> int: ...
def count_above(X: NDArray[Any], edges: NDArray[Any], counts: NDArray[np.int64]) -> None: ...
def add_areas(X: NDArray[Any], edges: NDArray[Any], areas: NDArray[np.float64]) -> None: ...
def reduce_chunks(
    X: NDArray[Any],
    sizes: NDArray[np.int64],
    sums: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
) -> None: ...
def mean_shifts(
    totals: NDArray[np.float64],
    counts: NDArray[np.int64],
    mean: NDArray[np.float64],
    sd: NDArray[np.float64],
    shifts: NDArray[np.float64],
) -> None: ...
def row_errors(a3: NDArray[Any], target: NDArray[Any]) -> NDArray[np.float64]: ...

class Settings:
    def __init__(
        self,
        units: list[int],
        rho: list[float],
        beta: list[float],
        weight_decay: list[float],
        loss: int,
        l1: list[float] = ...,
    ) -> None: ...

Network = Params | tuple[Layer, ...]

class Blocks(Protocol):
    """A source: so many samples, the same arrays of some of them in every pass."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[NDArray[Any]]: ...

def forward(layers: Network, X: NDArray[Any], settings: Settings, out: NDArray[Any], n_threads: int) -> None: ...
def evaluate(
    layers: Network,
    X: NDArray[Any],
    target: NDArray[Any] | None,
    labels: NDArray[np.intp] | None,
    sample_weight: NDArray[np.float64] | None,
    settings: Settings,
    grad: Network | None = None,
    deltas: tuple[NDArray[Any] | None, ...] | None = None,
    rho_hat: NDArray[np.float64] | None = None,
    n_threads: int = 0,
    workspace: Workspace | None = None,
    unit_range: NDArray[np.float64] | None = None,
) -> tuple[float, float, float, float]: ...
def evaluate_source(
    layers: Network,
    source: Blocks,
    sample_weight: NDArray[np.float64] | None,
    settings: Settings,
    grad: Network | None = None,
    rho_hat: NDArray[np.float64] | None = None,
    n_threads: int = 0,
    unit_range: NDArray[np.float64] | None = None,
) -> tuple[float, float, float, float]: ...

class _Optimizer:
    def __init__(self, layers: Network, rule: dict[str, Any]) -> None: ...
    def step(self, grad: Network, n_threads: int) -> None: ...
    def state(self) -> tuple[int, FloatArray, FloatArray]: ...
    def restore(self, n_steps: int, first: FloatArray, second: FloatArray) -> None: ...
    @property
    def n_steps(self) -> int: ...

class OptimizerF32(_Optimizer): ...
class OptimizerF64(_Optimizer): ...

class _Trainer:
    def __init__(self, layers: Network, settings: Settings, options: dict[str, Any]) -> None: ...
    def run_epoch(
        self,
        X: NDArray[Any],
        target: NDArray[Any] | None,
        labels: NDArray[np.intp] | None,
        sample_weight: NDArray[np.float64] | None,
    ) -> tuple[float, float, float, float]: ...
    def state(self) -> tuple[int, FloatArray, FloatArray, int, NDArray[np.float64]]: ...
    def restore(
        self, n_steps: int, first: FloatArray, second: FloatArray, random: int, running: NDArray[np.float64]
    ) -> None: ...
    def change(self, settings: Settings, options: dict[str, Any]) -> None: ...
    def checkpoint(self) -> None: ...
    def rollback(self) -> None: ...
    @property
    def n_steps(self) -> int: ...

class TrainerF32(_Trainer): ...
class TrainerF64(_Trainer): ...

class _Lbfgs:
    def __init__(
        self,
        theta: NDArray[Any],
        sizes: list[int],
        X: NDArray[Any] | Blocks,
        target: NDArray[Any] | None,
        labels: NDArray[np.intp] | None,
        sample_weight: NDArray[np.float64] | None,
        settings: Settings,
        memory: int,
        n_threads: int,
        unit_range: bool = False,
    ) -> None: ...
    def start(self) -> tuple[float, float, float, float, float, int, bool]: ...
    def iterate(self) -> tuple[float, float, float, float, float, int, bool]: ...
    def state(self) -> tuple[FloatArray, NDArray[np.float64]]: ...
    def restore(self, vectors: FloatArray, numbers: NDArray[np.float64]) -> None: ...
    def rho_hat(self) -> list[float]: ...
    def unit_range(self) -> NDArray[np.float64]: ...

class LbfgsF32(_Lbfgs): ...
class LbfgsF64(_Lbfgs): ...

def quick_cost_and_grad(
    params: object,
    X: object,
    rho: object,
    beta: object,
    weight_decay: object,
    hidden: object,
    output: object,
    out: object,
    n_threads: object,
    loss: object,
    l1: object,
) -> float | None: ...

class Encoder:
    def __init__(
        self, W1: FloatArray, b1: FloatArray, hidden: int, read: Callable[[object, str], NDArray[Any]]
    ) -> None: ...
    def __call__(self, X: ArrayLike, out: FloatArray | None = None, n_threads: int | None = None) -> FloatArray: ...
    def encode_one(self, x: ArrayLike, out: FloatArray | None = None) -> FloatArray: ...
    @property
    def _handle(self) -> object: ...

def stack_handle(layers: Sequence[Encoder]) -> object: ...

class SparseEncoder:
    def __init__(
        self,
        W_enc: FloatArray,
        b_enc: FloatArray,
        subtract: FloatArray | None,
        selection: int,
        threshold: FloatArray | None,
        scale: FloatArray | None,
        normalization: int = ...,
    ) -> None: ...
    def encode(self, X: NDArray[Any], k: int, n_threads: int) -> tuple[NDArray[Any], NDArray[Any], FloatArray]: ...
    def top(self, X: NDArray[Any], k: int, n_threads: int) -> tuple[NDArray[np.int32], FloatArray]: ...

class KSparseTrainer:
    def __init__(
        self,
        W_enc: FloatArray,
        b_enc: FloatArray,
        W_dec: FloatArray,
        b_dec: FloatArray,
        threshold: FloatArray | float | None = None,
        b_gate: FloatArray | None = None,
        r_mag: FloatArray | None = None,
        *,
        architecture: str = "topk",
        groups: tuple[int, ...] | None = None,
        unit_norm: bool = True,
        project: bool = True,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        tied_b_dec: bool = True,
        threshold_momentum: float = 0.99,
    ) -> None: ...
    def step(
        self,
        X: NDArray[Any],
        *,
        learning_rate: float,
        n_threads: int = 0,
        unit: float = 1.0,
        k: int = 0,
        l1: float = 0.0,
        l0: float = 0.0,
        bandwidth: float = 1e-3,
        aux_k: int = 0,
        aux_weight: float = 0.0,
        aux_normalized: bool = True,
        dead_after: int = 10_000_000,
        multi_k: int = 0,
        multi_weight: float = 0.125,
        loss_normalized: bool = False,
        clip: float | None = None,
    ) -> dict[str, Any]: ...
    def state(self) -> dict[str, Any]: ...
    def load_state(self, state: dict[str, Any]) -> None: ...
    @property
    def W_enc(self) -> FloatArray: ...
    @property
    def b_enc(self) -> FloatArray: ...
    @property
    def W_dec(self) -> FloatArray: ...
    @property
    def b_dec(self) -> FloatArray: ...
    @property
    def threshold(self) -> FloatArray | float | None: ...
    @property
    def b_gate(self) -> FloatArray | None: ...
    @property
    def r_mag(self) -> FloatArray | None: ...
    @property
    def architecture(self) -> str: ...
    @property
    def n_steps(self) -> int: ...
    @property
    def samples_since_fired(self) -> NDArray[np.int64]: ...

def sparse_decode(
    starts: NDArray[Any],
    indices: NDArray[Any],
    values: FloatArray,
    W_dec: FloatArray,
    b_dec: FloatArray,
    out: FloatArray,
    n_threads: int,
) -> None: ...
