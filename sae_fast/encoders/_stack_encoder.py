"""StackEncoder: the layers of a stack with their weights packed once, for production."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _core, files
from .._public import public_in
from ..files._kinds import SPARSE, register
from ..network._checks import check_out, check_X
from ..network._rows import check_names
from ..network._types import FloatArray, Hidden
from ._encoder import Encoder, from_layer, names_to_json

KIND = "StackEncoder"
_BLOCK = 4096  # samples between two layers: codes in between stay small


@public_in("sae_fast")
class StackEncoder:
    """Encode again and again through several layers, each an :class:`Encoder`.

    :func:`sae_fast.fold` makes it of a pipeline that ends with a stack. Immutable and thread-safe; can be pickled.

    Parameters
    ----------
    layers : sequence of Encoder
        Bottom up, of one dtype; each takes as many features as the one below has units.

    Attributes
    ----------
    layers : tuple of Encoder
    n_visible, n_hidden : int
        Sizes of a sample and of its code.
    feature_names : tuple of str or None
        Names of the features, those of the lowest layer; data frames with others are refused.
    dtype : numpy.dtype
        Of the codes.

    Examples
    --------
    >>> import numpy as np, sae_fast as sf
    >>> lower, upper = (sf.Encoder(sf.init_params(*sizes, random_state=0)) for sizes in ((64, 25), (25, 9)))
    >>> encoder = sf.StackEncoder((lower, upper))
    >>> encoder(np.zeros((3, 64))).shape
    (3, 9)
    """

    def __init__(self, layers: Sequence[Encoder]) -> None:
        if not isinstance(layers, Sequence) or not layers or not all(isinstance(k, Encoder) for k in layers):
            raise TypeError(f"layers must be a sequence of at least one Encoder, got {layers!r}")
        dtypes = sorted({str(layer.dtype) for layer in layers})
        if len(dtypes) > 1:
            raise TypeError(f"layers must have one dtype, got {', '.join(dtypes)}")
        for i in range(1, len(layers)):
            if layers[i].n_visible != layers[i - 1].n_hidden:
                raise ValueError(
                    f"layers must fit: layers[{i}] takes {layers[i].n_visible} features, the one below has "
                    f"{layers[i - 1].n_hidden} units"
                )
        self._layers = tuple(layers)

    @property
    def layers(self) -> tuple[Encoder, ...]:
        """Bottom up."""
        return self._layers

    @property
    def n_visible(self) -> int:
        """Features of a sample."""
        return int(self._layers[0].n_visible)

    @property
    def feature_names(self) -> tuple[str, ...] | None:
        """Names of the features, those of the lowest layer."""
        return self._layers[0].feature_names

    @property
    def n_hidden(self) -> int:
        """Units of the last layer."""
        return int(self._layers[-1].n_hidden)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the codes."""
        return self._layers[0].dtype

    def __call__(self, X: ArrayLike, out: FloatArray | None = None, n_threads: int | None = None) -> FloatArray:
        """Codes of the last layer.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_visible)
            Any real dtype and strides.
        out : ndarray of shape (n_samples, n_hidden), optional
            To write to, in the encoder's dtype.
        n_threads : int, optional
            As for :func:`sae_fast.encode`; codes do not depend on it.

        Returns
        -------
        ndarray of shape (n_samples, n_hidden)

        Raises
        ------
        TypeError, ValueError
            They name the argument.
        """
        check_names(X, self.feature_names)
        data = check_X(X, self.n_visible)
        shape = len(data), self.n_hidden
        codes = np.empty(shape, self.dtype) if out is None else check_out(out, shape, self.dtype, [data])
        for i in range(0, len(data), _BLOCK):
            block: FloatArray = data[i : i + _BLOCK]
            for layer in self._layers[:-1]:
                block = layer(block, n_threads=n_threads)
            self._layers[-1](block, out=codes[i : i + _BLOCK], n_threads=n_threads)
        return codes

    def encode_one(self, x: ArrayLike, out: FloatArray | None = None) -> FloatArray:
        """Code (n_hidden,) of one sample (n_visible,), on the calling thread."""
        code: Any = x
        for layer in self._layers[:-1]:
            code = layer.encode_one(code)
        return self._layers[-1].encode_one(code, out=out)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Self:
        """The encoder of a file that :meth:`save` or a stack wrote; needs safetensors, and not scikit-learn.

        Raises
        ------
        ModelFileError
            A ``ValueError``: not such a file, damaged, or of a newer format.
        OSError
            The file cannot be read.
        """
        kind, tensors, about = files.read_tensors(path)
        if kind in SPARSE:
            raise files.ModelFileError(f"{path} holds a {kind}: read it with sae_fast.load")
        if "units" not in about:
            raise files.ModelFileError(
                f"{path} holds a {kind}, which is a single layer: read it with sae_fast.Encoder.load"
            )
        return cls(layers_of(tensors, about))

    def save(self, path: str | PathLike[str]) -> None:
        """Write the encoder to one safetensors file, whole or not at all; :meth:`load` reads it."""
        arrays = {f"encoder.{k}.W": layer.W1 for k, layer in enumerate(self._layers)}
        arrays |= {f"encoder.{k}.b": layer.b1 for k, layer in enumerate(self._layers)}
        units = [layer.hidden for layer in self._layers]
        files.write_tensors(path, arrays, {"kind": KIND, "units": units} | names_to_json(self))

    _folds_to_stack = True

    def _fold_layers(self) -> tuple[list[tuple[FloatArray, FloatArray, Hidden]], list[Any]]:
        return [(layer.W1, layer.b1, layer.hidden) for layer in self._layers], []

    @property
    def _handle(self) -> object:
        """The layers as one for sae_fast.cython_api, made when it is first asked for: as long as this object lives."""
        if "_made" not in vars(self):
            vars(self).setdefault("_made", _core.stack_handle(self._layers))  # the first one, whoever else is asking
        return vars(self)["_made"]

    def __getstate__(self) -> dict[str, Any]:
        return {"_layers": self._layers}

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._layers,)

    def __repr__(self) -> str:
        sizes = " -> ".join(map(str, [self.n_visible, *(layer.n_hidden for layer in self._layers)]))
        return f"StackEncoder({sizes}, {', '.join(layer.hidden for layer in self._layers)}, {self.dtype})"


def layers_of(tensors: dict[str, NDArray[Any]], about: dict[str, Any]) -> list[Encoder]:
    """The layers in the checked contents of a model file."""
    names = [about.get("feature_names"), *[None] * (len(about["units"]) - 1)]
    units = enumerate(zip(about["units"], names, strict=True))
    return [from_layer(Encoder, tensors[f"encoder.{k}.W"], tensors[f"encoder.{k}.b"], *what) for k, what in units]


register(KIND, lambda path, tensors, about: StackEncoder(layers_of(tensors, about)))
