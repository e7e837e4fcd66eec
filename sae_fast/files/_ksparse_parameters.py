"""Parameters of a k-sparse autoencoder, checked alike in an estimator and in a model file. Needs NumPy alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..network._checks import check_count, check_in, check_n_threads, check_rate, listed
from ._kinds import KSPARSE_TENSORS

RECIPE_NAMES = ("openai", "dictionary_learning", "saelens", "sparsify", "csr")


def _share(name: str, value: object) -> None:
    check_in(name, value, 0.0, math.nextafter(1.0, 2.0), "in [0, 1]")


def _not_negative(name: str, value: object) -> None:
    check_in(name, value, 0.0, math.inf, ">= 0 and finite")


def _count_or_0(name: str, value: Any) -> None:
    check_count(name, value, 0)


def _one_of(names: Sequence[str]) -> Callable[[str, Any], None]:
    def check(name: str, value: Any) -> None:
        if not isinstance(value, str) or value not in names:
            raise ValueError(f"{name} must be {listed(names)}, got {value!r:.80}")

    return check


def _flag(name: str, value: Any) -> None:
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False, got {value!r:.80}")


OVERRIDES: dict[str, Callable[[str, Any], object]] = {  # those that stand above the recipe, unless they are None
    "learning_rate": check_rate,
    "warm_up": _not_negative,
    "decay": _share,
    "k_anneal": _share,
    "aux_k": _count_or_0,
    "aux_weight": _not_negative,
    "dead_after": check_count,
    "multi_k": _count_or_0,
    "l1": _not_negative,
    "l0": _not_negative,
}
_PARAMETERS: dict[str, Callable[[str, Any], object]] = {
    "n_components": check_count,
    "k": check_count,
    "max_iter": check_count,
    "batch_size": check_count,
    "architecture": _one_of(tuple(KSPARSE_TENSORS)),
    "recipe": _one_of(RECIPE_NAMES),
    "dtype": _one_of(("float32", "float64")),
    "sparse_output": _flag,
    "n_threads": lambda _, value: check_n_threads(value),
}


def check_ksparse(given: Mapping[str, Any]) -> tuple[int, ...]:
    """All parameters that mean something by themselves; where the groups of latents end."""
    for name, check in _PARAMETERS.items():
        check(name, given[name])
    for name, check in OVERRIDES.items():
        if given[name] is not None:
            check(name, given[name])
    n, k = int(given["n_components"]), int(given["k"])
    if n >= 2**31:
        raise ValueError(f"n_components must be < 2**31, got {n}")
    if k > n:
        raise ValueError(f"k must be <= n_components = {n}, got {k}")
    return _groups(given["matryoshka"], n)


def _groups(matryoshka: Any, n_latents: int) -> tuple[int, ...]:
    """Where the groups end, by their sizes or by their ends."""
    if matryoshka is None:
        return (n_latents,)
    if isinstance(matryoshka, str) or not isinstance(matryoshka, (Sequence, np.ndarray)):
        raise TypeError(f"matryoshka must be a sequence of integers or None, got {matryoshka!r:.80}")
    sizes = [check_count("matryoshka", n) for n in matryoshka]
    if sum(sizes) == n_latents:
        return tuple(sum(sizes[: i + 1]) for i in range(len(sizes)))
    if sizes and sizes[-1] == n_latents and sizes == sorted(set(sizes)):
        return tuple(sizes)
    raise ValueError(
        f"matryoshka must be sizes of groups that add up to n_components = {n_latents}, or where they end, the last of "
        f"them there, got {tuple(sizes)!s:.80}"
    )
