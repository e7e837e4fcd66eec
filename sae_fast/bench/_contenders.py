"""How each peer does a work: a function to call, and the numbers that it gives, for comparison.

The peers do what their users write: the textbook formula, in their own terms. Each function is made in a process of
its own.
"""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from . import _fine_tune, _topk
from ._works import BATCH, RATE, SETTINGS, Data, Work

OURS = "sae_fast"
READING = "reading W1"
"""No peer: a loop that reads the weights once, which is the least that one sample takes."""
RHO, BETA, DECAY = SETTINGS["rho"], SETTINGS["beta"], SETTINGS["weight_decay"]


class Contest(NamedTuple):
    """``run()`` does the work once; ``numbers()`` are those that all contenders must agree on."""

    run: Callable[[], object]
    numbers: Callable[[], list[float]]
    time: Callable[[float], float] | None = None
    """The time of one run, by the contender's own clock, measured over so many seconds."""


def _summary(J: float, grad: Any) -> list[float]:
    """The cost, and one inner product for each gradient."""
    weights = [np.cos(np.arange(np.size(g))) for g in grad]
    return [float(J), *(float(np.ravel(g).astype(np.float64) @ w) for g, w in zip(grad, weights, strict=True))]


def _codes(codes: Any) -> list[float]:
    a = np.asarray(codes, dtype=np.float64).ravel()
    return [float(a @ np.cos(np.arange(a.size)))]


def _of_codes(race: _topk.Race) -> Contest:
    run, values = race
    return Contest(run, lambda: _codes(values()))


def sae_fast(work: Work, data: Data, n_threads: int) -> Contest:
    """Our own, with preallocated outputs."""
    import sae_fast as sf

    X, params = data.X, sf.Params(*data[1:])
    if work.kind == "fine_tune":
        epoch, start = _fine_tune.ours(work, X, n_threads)
        return Contest(epoch, lambda: _summary(*start()))
    if work.kind == "encode_topk":
        return _of_codes(_topk.ours(work, data, n_threads))
    if work.kind == "cost_and_grad":
        grad = sf.Params(*(np.empty_like(p) for p in params))

        def run() -> object:
            return sf.cost_and_grad(params, X, **SETTINGS, out=grad, n_threads=n_threads)[0]

        return Contest(run, lambda: _summary(run(), grad))  # type: ignore[arg-type]
    if work.kind == "epoch":
        return Contest(
            lambda: sf.train(params, X, n_epochs=1, batch_size=BATCH, **SETTINGS, random_state=0, n_threads=n_threads),
            list,
        )
    encoder = sf.Encoder(params)
    out = np.empty((work.n_samples, work.n_hidden), X.dtype)
    if work.kind == "encode_one":
        x, row = X[0], out[0]
        return Contest(lambda: encoder.encode_one(x, row), lambda: _codes(encoder.encode_one(x, row)))
    return Contest(lambda: encoder(X, out, n_threads), lambda: _codes(encoder(X, out, n_threads)))


def numpy(work: Work, data: Data, n_threads: int) -> Contest:
    """The textbook formula in NumPy."""
    X, W1, b1, W2, b2 = data

    def sigmoid(z: Any) -> Any:
        return 1 / (1 + np.exp(-z))

    def cost_and_grad() -> tuple[float, tuple[Any, ...]]:
        m = len(X)
        a2 = sigmoid(X @ W1.T + b1)
        difference = (a3 := sigmoid(a2 @ W2.T + b2)) - X
        rho_hat = a2.mean(axis=0)
        divergence = RHO * np.log(RHO / rho_hat) + (1 - RHO) * np.log((1 - RHO) / (1 - rho_hat))
        J = (difference**2).sum() / (2 * m) + DECAY / 2 * ((W1**2).sum() + (W2**2).sum()) + BETA * divergence.sum()
        delta3 = difference * a3 * (1 - a3)
        delta2 = (delta3 @ W2 + BETA * (-RHO / rho_hat + (1 - RHO) / (1 - rho_hat))) * a2 * (1 - a2)
        grad = (delta2.T @ X / m + DECAY * W1, delta2.mean(axis=0), delta3.T @ a2 / m + DECAY * W2, delta3.mean(axis=0))
        return float(J), grad

    if work.kind == "cost_and_grad":
        return Contest(cost_and_grad, lambda: _summary(*cost_and_grad()))
    if work.kind == "encode_topk":
        return _of_codes(_topk.numpy(work, data))
    if work.kind.startswith("encode"):
        return Contest(lambda: sigmoid(X @ W1.T + b1), lambda: _codes(sigmoid(X @ W1.T + b1)))
    raise LookupError


def _torch(work: Work, data: Data, n_threads: int, compiled: bool) -> Contest:
    import torch

    torch.set_num_threads(n_threads)
    X, W1, b1, W2, b2 = (torch.from_numpy(a) for a in data)
    wrap: Callable[[Any], Any] = torch.compile if compiled else (lambda f: f)
    if work.kind == "fine_tune":
        epoch, start = _fine_tune.torch(work, data.X, wrap)
        return Contest(epoch, lambda: _summary(*start()))
    if work.kind == "encode_topk":
        return _of_codes(_topk.torch(work, data, wrap))

    if work.kind.startswith("encode"):

        @wrap
        def encode(X: Any) -> Any:
            return torch.sigmoid(torch.nn.functional.linear(X, W1, b1))

        def run() -> Any:
            with torch.inference_mode():
                return encode(X)

        return Contest(run, lambda: _codes(run().numpy()))

    params = [p.clone().requires_grad_() for p in (W1, b1, W2, b2)]

    @wrap
    def cost(X: Any) -> Any:
        W1, b1, W2, b2 = params
        a2 = torch.sigmoid(torch.nn.functional.linear(X, W1, b1))
        a3 = torch.sigmoid(torch.nn.functional.linear(a2, W2, b2))
        rho_hat = a2.mean(0)
        divergence = RHO * torch.log(RHO / rho_hat) + (1 - RHO) * torch.log((1 - RHO) / (1 - rho_hat))
        return (
            ((a3 - X) ** 2).sum() / (2 * len(X)) + DECAY / 2 * ((W1**2).sum() + (W2**2).sum()) + BETA * divergence.sum()
        )

    if work.kind == "cost_and_grad":

        def both() -> Any:
            for p in params:
                p.grad = None
            J = cost(X)
            J.backward()
            return J

        return Contest(both, lambda: _summary(both().item(), [p.grad.numpy() for p in params]))

    optimizer = torch.optim.Adam(params, lr=RATE, fused=True)

    def one_epoch() -> None:
        for rows in torch.randperm(len(X)).split(BATCH):
            optimizer.zero_grad()
            cost(X[rows]).backward()
            optimizer.step()

    return Contest(one_epoch, list)


def torch_eager(work: Work, data: Data, n_threads: int) -> Contest:
    """PyTorch, autograd."""
    return _torch(work, data, n_threads, compiled=False)


def torch_compiled(work: Work, data: Data, n_threads: int) -> Contest:
    """PyTorch, torch.compile."""
    return _torch(work, data, n_threads, compiled=True)


def jax(work: Work, data: Data, n_threads: int) -> Contest:
    """JAX, jit on the CPU (its threads follow the processors that the process may use)."""
    import jax as jx
    import jax.numpy as jnp

    jx.config.update("jax_platforms", "cpu")
    jx.config.update("jax_enable_x64", data.X.dtype == np.float64)
    X, *params = (jnp.asarray(a) for a in data)

    def cost(params: Any, X: Any) -> Any:
        W1, b1, W2, b2 = params
        a2 = jx.nn.sigmoid(X @ W1.T + b1)
        a3 = jx.nn.sigmoid(a2 @ W2.T + b2)
        rho_hat = a2.mean(0)
        divergence = RHO * jnp.log(RHO / rho_hat) + (1 - RHO) * jnp.log((1 - RHO) / (1 - rho_hat))
        return (
            ((a3 - X) ** 2).sum() / (2 * len(X)) + DECAY / 2 * ((W1**2).sum() + (W2**2).sum()) + BETA * divergence.sum()
        )

    if work.kind == "cost_and_grad":
        f = jx.jit(jx.value_and_grad(cost))
        return Contest(lambda: jx.block_until_ready(f(params, X)), lambda: _summary(*f(params, X)))
    if work.kind == "encode_topk":
        return _of_codes(_topk.jax(work, data))
    if work.kind.startswith("encode"):
        g = jx.jit(lambda X: jx.nn.sigmoid(X @ params[0].T + params[1]))
        return Contest(lambda: jx.block_until_ready(g(X)), lambda: _codes(g(X)))
    raise LookupError


def onnxruntime(work: Work, data: Data, n_threads: int) -> Contest:
    """ONNX Runtime, Gemm and Sigmoid or TopK."""
    import onnx
    import onnxruntime as ort
    from onnx import helper, numpy_helper

    if not work.kind.startswith("encode"):
        raise LookupError
    kind = helper.np_dtype_to_tensor_dtype(data.X.dtype)
    nodes = [
        helper.make_node("Gemm", ["X", "W1", "b1"], ["z"], transB=1),
        helper.make_node("Sigmoid", ["z"], ["a2"]),
    ]
    outputs = [helper.make_tensor_value_info("a2", kind, [None, work.n_hidden])]
    more: list[Any] = []
    if work.kind == "encode_topk":
        nodes, outputs, more = _topk.onnx_nodes(work, kind)
    graph = helper.make_graph(
        nodes,
        "encode",
        [helper.make_tensor_value_info("X", kind, [None, work.n_visible])],
        outputs,
        [numpy_helper.from_array(data.W1, "W1"), numpy_helper.from_array(data.b1, "b1"), *more],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    buffer = io.BytesIO()
    onnx.save(model, buffer)
    options = ort.SessionOptions()
    options.intra_op_num_threads = n_threads
    session = ort.InferenceSession(buffer.getvalue(), options, providers=["CPUExecutionProvider"])
    return Contest(
        lambda: session.run(None, {"X": data.X}),
        lambda: _codes(session.run(None, {"X": data.X})[0]),
    )


def reading(work: Work, data: Data, n_threads: int) -> Contest:
    """The bound of one sample: its weights come from cache, and each is used once."""
    from .. import _core

    if work.kind != "encode_one":
        raise LookupError
    size, is_f32 = data.W1.size, data.X.dtype == np.float32
    return Contest(lambda: None, list, lambda seconds: _core.read_time(is_f32, size, seconds))


class Contender(NamedTuple):
    """``make`` raises LookupError for a work that is not for it; ``modules`` must be installed."""

    module: str
    make: Callable[[Work, Data, int], Contest]
    more: tuple[str, ...] = ()

    @property
    def missing(self) -> list[str]:
        """Packages that are not here."""
        return [name for name in (self.module, *self.more) if importlib.util.find_spec(name) is None]


CONTENDERS: dict[str, Contender] = {
    OURS: Contender("sae_fast", sae_fast),
    READING: Contender("sae_fast", reading),
    "NumPy": Contender("numpy", numpy),
    "PyTorch": Contender("torch", torch_eager),
    "PyTorch compiled": Contender("torch", torch_compiled),
    "JAX": Contender("jax", jax),
    "ONNX Runtime": Contender("onnxruntime", onnxruntime, ("onnx",)),
}
"""By the name that is shown. Those of our own may be followed by an instruction set: ``sae_fast avx2``."""


def installed() -> list[str]:
    """Contenders whose packages are here."""
    return [name for name, contender in CONTENDERS.items() if not contender.missing]


def missing() -> dict[str, list[str]]:
    """The other ones, and the packages that they lack."""
    return {name: contender.missing for name, contender in CONTENDERS.items() if contender.missing}


def part(name: str) -> tuple[str, str]:
    """A contender's name without instruction set, and that; empty where it is the one that is used by itself."""
    first, _, isa = name.rpartition(" ")
    return (first, isa) if first in (OURS, READING) else (name, "")


def of_each_isa(names: list[str], isas: list[str]) -> list[str]:
    """Our own contenders once for each instruction set, and the peers as they are."""
    ours = [f"{name} {isa}" for isa in isas for name in names if name in (OURS, READING)]
    return [*ours, *(name for name in names if name not in (OURS, READING))]
