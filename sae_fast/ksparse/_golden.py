"""Samples and their codes beside a model, ``golden.npz``: whoever reads the model finds whether it is the same one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..files._atomic import replacing
from ..files._model_file import ModelFileError
from ._weight_files import read_npz

NAME = "golden.npz"
_TOLERANCE = 1e-3  # of the length of a code: bfloat16 has three digits, and others' sums have another order


def write_golden(encoder: Any, folder: Path, X: NDArray[Any]) -> None:
    """``X`` (n_samples, n_features) and ``codes`` (n_samples, n_latents)."""
    codes = encoder(X).toarray()
    with replacing(folder / NAME) as file:
        np.savez_compressed(file, X=X, codes=codes)


def check_golden(encoder: Any, place: Path) -> int:
    """Of how many samples the codes were compared; 0 where there are none.

    Raises
    ------
    ModelFileError
        Codes are other ones, or the file holds something else.
    """
    if not place.exists():
        return 0
    held = read_npz(place)
    X, wanted = held.get("X"), held.get("codes")
    if set(held) != {"X", "codes"} or X is None or wanted is None or X.ndim != 2 or len(X) == 0:
        raise ModelFileError(f"{place} must hold X (n_samples, n_features) and codes, got {', '.join(held):.200}")
    if wanted.shape != (len(X), encoder.n_latents) or wanted.dtype.kind not in "fiu" or not np.isfinite(wanted).all():
        raise ModelFileError(
            f"{place} must hold finite codes of shape {(len(X), encoder.n_latents)}, got {wanted.shape}"
        )
    try:
        found = encoder(X).toarray()
    except (TypeError, ValueError) as error:
        raise ModelFileError(f"{place} must hold samples that the model takes: {str(error)[:200]}") from error
    off = np.linalg.norm(found - wanted.astype(np.float64), axis=1)
    allowed = _TOLERANCE * np.linalg.norm(wanted.astype(np.float64), axis=1)
    if not (off <= allowed).all():
        worst = int(np.argmax(off - allowed))
        raise ModelFileError(
            f"{place} says other codes than the model beside it gives, by {off[worst]:.3g} for sample {worst}, of a "
            f"length of {allowed[worst] / _TOLERANCE:.3g}"
        )
    return len(X)
