"""Checks of arguments: every public function words its errors here, as `name must be ..., got ...`."""

from __future__ import annotations

import math
import numbers
import operator
import os
from collections.abc import Iterable, Sequence
from os import PathLike
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from .. import _core
from ._rows import real_rows
from ._types import FloatArray, Params
from ._units import HIDDEN, NUMBER, OUTPUT

_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
_NAMES = ("W1", "b1", "W2", "b2")
ParamsLike = Params | Sequence[Any]


def listed(names: Iterable[str]) -> str:
    """Names in a sentence: ``'a', 'b' or 'c'``."""
    *some, last = map(repr, names)
    return f"{', '.join(some)} or {last}" if some else last


def check_hidden(hidden: str) -> int:
    """Number in the core of an autoencoder's hidden unit."""
    if not isinstance(hidden, str) or hidden not in HIDDEN:
        raise ValueError(f"hidden must be {listed(HIDDEN)}, got {hidden!r}")
    return NUMBER[hidden]


def check_output(output: str, name: str = "output") -> int:
    """Number in the core of any unit."""
    if not isinstance(output, str) or output not in OUTPUT:
        raise ValueError(f"{name} must be {listed(OUTPUT)}, got {output!r}")
    return NUMBER[output]


def check_activations(hidden: str, output: str) -> tuple[int, int]:
    """Numbers of both activations in the core."""
    return check_hidden(hidden), check_output(output)


def check_real(name: str, value: object) -> float:
    """``value`` as a float; TypeError unless it is a real number."""
    if isinstance(value, float):
        return value
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a real number, got {value!r}")
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"{name} must be a number that float64 holds, got one of other size") from None


def check_in(name: str, value: object, low: float, high: float, wanted: str) -> float:
    """``value`` as a float with low <= value < high."""
    number = check_real(name, value)
    if not low <= number < high:
        raise ValueError(f"{name} must be {wanted}, got {value!r}")
    return number


def check_rate(name: str, value: object) -> None:
    """A learning rate, > 0 and finite; or None, for that of the solver."""
    if value is not None and check_in(name, value, 0.0, math.inf, "> 0 and finite") == 0.0:
        raise ValueError(f"{name} must be > 0 and finite, got {value!r}")


def check_rho(rho: object) -> float:
    """Sparsity parameter, in (0, 1)."""
    number = check_real("rho", rho)
    if not 0.0 < number < 1.0:
        raise ValueError(f"rho must be in (0, 1), got {rho!r}")
    return number


def check_penalty(rho: object, beta: object, weight_decay: object) -> tuple[float, float, float]:
    """rho, beta and weight_decay as floats in their ranges."""
    return (
        check_rho(rho),
        check_in("beta", beta, 0.0, math.inf, ">= 0 and finite"),
        check_in("weight_decay", weight_decay, 0.0, math.inf, ">= 0 and finite"),
    )


def check_count(name: str, value: SupportsIndex, least: int = 1) -> int:
    """``value`` as an int >= ``least``."""
    try:
        if isinstance(value, (bool, np.bool_)):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, got {value!r}") from None
    if number < least:
        raise ValueError(f"{name} must be >= {least}, got {number}")
    return number


def check_n_threads(n_threads: int | None) -> int:
    """Number of threads for the core; 0, its default, for None."""
    if n_threads is None:
        return 0
    try:
        if isinstance(n_threads, bool):
            raise TypeError
        number = operator.index(n_threads)
    except TypeError:
        raise TypeError(f"n_threads must be an integer or None, got {n_threads!r}") from None
    if not 1 <= number <= _core.MAX_THREADS:
        raise ValueError(f"n_threads must be >= 1 (and at most {_core.MAX_THREADS}) or None, got {n_threads!r}")
    return number


def check_params(params: ParamsLike) -> tuple[Params, np.dtype[Any]]:
    """C-contiguous arrays of one float dtype and matching shapes, and that dtype.

    Returns the arrays themselves where they are contiguous already.
    """
    if type(params) is not Params:
        if not isinstance(params, Sequence) or isinstance(params, str) or len(params) != 4:
            raise TypeError(f"params must be a sequence (W1, b1, W2, b2) of arrays, got {_describe(params)}")
        params = Params(*params)
    W1, b1, W2, b2 = params
    dtype: np.dtype[Any] | None = getattr(W1, "dtype", None)
    good = dtype in _FLOATS
    for name, array in zip(_NAMES, params, strict=True):
        if not isinstance(array, np.ndarray):
            raise TypeError(f"params.{name} must be a NumPy array, got {_describe(array)}")
        if array.dtype is not dtype and (array.dtype != dtype or not good):
            good = False
    if not good:
        found = sorted({str(a.dtype) for a in params})
        raise TypeError(f"params must be float32 or float64, all alike, got {', '.join(found)}")
    if W1.ndim != 2 or W1.size == 0:
        raise ValueError(f"params.W1 must have shape (n_hidden, n_visible), both >= 1, got {W1.shape}")
    h, v = W1.shape
    if b1.shape != (h,) or W2.shape != (v, h) or b2.shape != (v,):
        shapes = ((h,), (v, h), (v,))
        for name, array, shape in zip(_NAMES[1:], params[1:], shapes, strict=True):
            if array.shape != shape:
                raise ValueError(f"params.{name} must have shape {shape} to match W1 {W1.shape}, got {array.shape}")
    if not (W1.flags.c_contiguous and b1.flags.c_contiguous and W2.flags.c_contiguous and b2.flags.c_contiguous):
        params = Params(*(np.ascontiguousarray(a) for a in params))
    assert dtype is not None
    return params, dtype


def check_X(X: ArrayLike, n_features: int, name: str = "X") -> NDArray[Any]:
    """Two-dimensional real array with ``n_features`` columns and at least one row; not copied, of any dtype."""
    array = X if type(X) is np.ndarray and X.dtype.kind in "fiu" else real_rows(X, name)
    if array.ndim != 2 or array.shape[1] != n_features:
        raise ValueError(f"{name} must have shape (n_samples, {n_features}), got {array.shape}")
    if array.shape[0] < 1:
        raise ValueError(f"{name} must have at least one sample, got shape {array.shape}")
    return array if array.dtype.isnative and array.dtype.itemsize <= 8 else array.astype(np.float64)


LEAST_WEIGHT = 1e-290


def check_sample_weight(sample_weight: ArrayLike | None, n_samples: int) -> NDArray[np.float64] | None:
    """Weights (n_samples,), float64, >= 0, finite, with a positive sum; or None."""
    if sample_weight is None:
        return None
    weight = np.ascontiguousarray(sample_weight, dtype=np.float64)
    if weight.shape != (n_samples,):
        raise ValueError(f"sample_weight must have shape ({n_samples},), got {weight.shape}")
    if not np.all(np.isfinite(weight)) or np.any(weight < 0) or not 0.0 < weight.sum() < math.inf:
        raise ValueError(
            f"sample_weight must be finite and >= 0, with a finite sum > 0, got {weight.min():g} to {weight.max():g}"
        )
    least = float(np.min(weight, where=weight > 0, initial=math.inf))
    if least < LEAST_WEIGHT:  # the number of samples divided by their sum would overflow, and give NaN
        raise ValueError(f"sample_weight must be 0 or >= {LEAST_WEIGHT:g}, got {least!r}")
    return weight


def check_out(
    out: object, shape: tuple[int, ...], dtype: np.dtype[Any], inputs: Sequence[NDArray[Any]], name: str = "out"
) -> FloatArray:
    """``out`` itself if results can be written to it as it is; an error otherwise, never a copy."""
    if not isinstance(out, np.ndarray):
        raise TypeError(f"{name} must be a NumPy array, got {_describe(out)}")
    if out.dtype != dtype:
        raise TypeError(f"{name} must have dtype {dtype}, got {out.dtype}")
    if out.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, got {out.shape}")
    if not out.flags.c_contiguous:
        raise ValueError(f"{name} must be C-contiguous, got strides {out.strides}")
    if not out.flags.writeable:
        raise ValueError(f"{name} must be writable, got a read-only array")
    if any(np.may_share_memory(out, a) for a in inputs):
        raise ValueError(f"{name} must not overlap the memory of an input")
    return out


def check_out_params(out: object, params: Params, name: str = "out") -> Params:
    """``out``, four arrays in the shapes and dtype of ``params`` to write to; see also :func:`check_apart`."""
    if not isinstance(out, Sequence) or len(out) != 4:
        raise TypeError(f"{name} must be a sequence (W1, b1, W2, b2) of arrays, got {_describe(out)}")
    for field, array, like in zip(_NAMES, out, params, strict=True):
        check_out(array, like.shape, like.dtype, (), name=f"{name}.{field}")
    return out if isinstance(out, Params) else Params(*out)


def check_apart(out: Params, inputs: Sequence[NDArray[Any]]) -> None:
    """No array of ``out`` overlaps an input or another one of ``out``; the core does the same on its own."""
    for i, (field, array) in enumerate(zip(_NAMES, out, strict=True)):
        if any(np.may_share_memory(array, other) for other in (*inputs, *out[:i])):
            raise ValueError(f"out.{field} must not overlap the memory of an input or of another output")


def check_grad(grad: ParamsLike, params: Params) -> Params:
    """``grad`` in the shapes and dtype of ``params``."""
    checked, dtype = check_params(grad)
    if dtype != params.W1.dtype:
        raise TypeError(f"grad must have dtype {params.W1.dtype}, got {dtype}")
    if checked.W1.shape != params.W1.shape:
        raise ValueError(f"grad.W1 must have shape {params.W1.shape}, got {checked.W1.shape}")
    return checked


def check_in_place(params: ParamsLike) -> Params:
    """``params`` themselves, if they can be updated in place."""
    checked, _ = check_params(params)
    return check_out_params(params if isinstance(params, Params) else Params(*params), checked, name="params")


def check_table(X: ArrayLike, dtype: DTypeLike | None) -> tuple[NDArray[Any], np.dtype[Any]]:
    """Data of any number of columns, and the type of the work: ``dtype``, else that of ``X``, else float64."""
    array = real_rows(X)
    if array.ndim != 2 or array.shape[1] < 1:
        raise ValueError(f"X must have shape (n_samples, n_visible), got {array.shape}")
    array = check_X(array, array.shape[1])
    if dtype is None:
        return array, array.dtype if array.dtype in _FLOATS else np.dtype(np.float64)
    kind = np.dtype(dtype)
    if kind not in _FLOATS:
        raise TypeError(f"dtype must be float32 or float64, got {kind}")
    return array, kind


def seed_from(random_state: int | np.random.Generator | np.random.RandomState | None) -> int:
    """Seed of 64 bits for the core's generator."""
    state = check_random_state(random_state)
    if state is None:
        return int(np.random.SeedSequence().generate_state(1, np.uint64)[0])
    if isinstance(state, np.random.Generator):
        return int(state.integers(2**63))
    if isinstance(state, np.random.RandomState):
        return int(state.randint(2**63, dtype=np.int64))
    return state % 2**64


def check_random_state(random_state: Any) -> int | np.random.Generator | np.random.RandomState | None:
    """An integer >= 0, a generator, or None."""
    if random_state is None or isinstance(random_state, (np.random.Generator, np.random.RandomState)):
        return random_state
    wanted = "random_state must be an integer >= 0, a NumPy Generator or RandomState, or None, got"
    try:
        seed = operator.index(random_state)
    except TypeError:
        raise TypeError(f"{wanted} {random_state!r}") from None
    if seed < 0:
        raise ValueError(f"{wanted} {random_state!r}")
    return seed


def _describe(value: object) -> str:
    return f"{type(value).__name__}" if not isinstance(value, (str, int, float)) else repr(value)


def how_to_open(path: str | PathLike[str]) -> str:
    """What a message says of a path where rows are wanted.

    Examples
    --------
    >>> how_to_open("new.csv")
    "got a path: give open_source('new.csv')"
    """
    text = str(os.fspath(path))
    return f"got a path: give open_source({text if len(text) <= 200 else text[:200] + '...'!r})"
