"""What was read of another package's model, and the words for what of it cannot be mapped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..files._model_file import ModelFileError
from ._weight_files import Tensors

Arguments = dict[str, Any]  # of a KSparseEncoder


class Checkpoint(NamedTuple):
    """What was read: a name for errors, settings, tensors, what else a state dict held, and what was folded so far."""

    name: str
    config: Mapping[str, Any]
    tensors: Tensors
    others: Mapping[str, Any]
    folded: list[str]

    def wrong(self, what: str) -> ModelFileError:
        """The error that says what was found."""
        return ModelFileError(f"{self.name} {what}")

    def no_counterpart(self, what: str) -> ModelFileError:
        """The error for what is known, and computed by no encoder here."""
        return self.wrong(f"has {what}: there is no encoder of this package that computes the same")

    def take(self, needs: Iterable[str], ignored: Iterable[str] = ()) -> Tensors:
        """These tensors; it must have them, and no others."""
        wanted, names = set(needs), set(self.tensors)
        spare = names - wanted - set(ignored)
        for words, wrong in (("lacks", wanted - names), ("has, beyond what is understood,", spare)):
            if wrong:
                rest = ", ".join(sorted(names - wrong)) or "no others"
                raise self.wrong(f"{words} the tensors {', '.join(sorted(wrong)):.300}; it has {rest:.300}")
        return {name: self.tensors[name] for name in wanted}

    def only(self, allowed: Mapping[str, tuple[Any, ...]]) -> None:
        """Settings must be among those that have a counterpart; one that is missing is the first of them."""
        for name, values in allowed.items():
            value = self.config.get(name, values[0])
            if not any(value is v or (type(value) is type(v) and value == v) for v in values):
                raise self.no_counterpart(f"{name} {value!r:.60}")

    def flag(self, name: str, default: bool) -> bool:
        """A setting that is true or false."""
        value = self.config.get(name, default)
        if not isinstance(value, bool):
            raise self.wrong(f"must have {name} true or false, got {value!r:.60}")
        return value

    def count(self, name: str) -> int:
        """A setting that is an integer of at least 1."""
        value = self.config.get(name)
        if type(value) is not int or value < 1:
            raise self.wrong(f"must have {name} an integer >= 1, got {value!r:.60}")
        return value

    def number(self, name: str, value: Any) -> float:
        """A finite positive number that was found under a name."""
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < np.inf:
            raise self.wrong(f"must have {name} a positive number, got {value!r:.60}")
        return float(value)

    def scalar(self, name: str) -> float:
        """A tensor of one number."""
        array = self.tensors[name]
        if array.size != 1 or not np.isfinite(array).all():
            raise self.wrong(f"must have {name} one finite number, got shape {array.shape}")
        return float(array.reshape(()))

    def sizes(self, made: Arguments, n_features: str, n_latents: str | None = None) -> None:
        """Where the settings tell sizes, the weights must have them: no matrix is taken for its transpose."""
        for name, size in zip((n_latents, n_features), made["W_enc"].shape, strict=False):
            if name is not None and self.config.get(name, size) != size:
                raise self.wrong(f"must have weights for {name} {self.config[name]!r:.60}, got {size}")


def plain(W_enc: NDArray[Any], b_enc: NDArray[Any], W_dec: NDArray[Any], b_dec: NDArray[Any]) -> Arguments:
    """The weights that all have: ``W_enc`` (n_latents, n_features), ``W_dec`` (n_latents, n_outputs), their biases."""
    fit = W_enc.ndim == W_dec.ndim == 2 and len(W_enc) == len(W_dec)
    if not fit or b_enc.shape != W_enc.shape[:1] or b_dec.shape != W_dec.shape[1:]:
        raise ValueError(
            f"an encoder {W_enc.shape} with biases {b_enc.shape} and a decoder {W_dec.shape} with biases {b_dec.shape} "
            "are not (n_latents, n_features) with (n_latents,), and (n_latents, n_outputs) with (n_outputs,)"
        )
    return {"W_enc": W_enc, "b_enc": b_enc, "W_dec": W_dec, "b_dec": b_dec}


def lengths(rows: NDArray[Any]) -> NDArray[Any]:
    """Of rows, in float64."""
    found: NDArray[Any] = np.sqrt((rows.astype(np.float64) ** 2).sum(axis=-1))
    return found


def to_unit_rows(found: Checkpoint, made: Arguments) -> None:
    """Decoder rows of length 1, and codes larger by what they lose; thresholds stay."""
    norm = lengths(made["W_dec"])
    if norm.ndim != 1 or not (norm > 0).all():
        raise found.wrong("has a decoder row of length 0, which is to get length 1")
    if (norm == 1).all():
        return
    made["W_enc"] = scaled(made["W_enc"], norm[:, None])
    made["b_enc"] = scaled(made["b_enc"], norm)
    made["W_dec"] = scaled(made["W_dec"], 1 / norm[:, None])
    found.folded.append("lengths of decoder rows, into the weights of the encoder")


def scaled(array: NDArray[Any], by: Any) -> NDArray[Any]:
    """A product that is rounded once."""
    product: NDArray[Any] = (array * np.asarray(by, np.float64)).astype(array.dtype)
    return product
