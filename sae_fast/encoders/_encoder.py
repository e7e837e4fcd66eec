"""Encoder: a trained layer with its weights packed once, for production."""

from __future__ import annotations

import copyreg
from collections.abc import Sequence
from functools import partial
from os import PathLike
from typing import Any, Self, TypeVar

import numpy as np

from .. import _core, files
from .._public import public_in
from ..files._kinds import SPARSE, register
from ..network._checks import ParamsLike, check_hidden, check_params
from ..network._rows import check_feature_names, read_rows
from ..network._scale import CUTS, Clip, UFLDLScale, check_clip
from ..network._types import FloatArray, Hidden, Params

_KIND = "Encoder"
AnyEncoder = TypeVar("AnyEncoder", bound="Encoder")


@public_in("sae_fast")
class Encoder(_core.Encoder):
    """Encode again and again with the same weights, ``a2 = f(X W1^T + b1)``.

    The weights are copied and packed once, so one row costs about what its multiply-adds cost. Immutable and
    thread-safe; can be pickled. Codes are those of :func:`encode` to the last bit.

    Parameters
    ----------
    params : Params or sequence (W1, b1, W2, b2)
        float32 or float64, which is the dtype of the codes. Only ``W1`` and ``b1`` are used.
    hidden : {"sigmoid", "tanh", "relu", "satlin"}
        Activation f.
    feature_names : sequence of str, optional
        Names of the features; data frames with other names, or with these in another order, are refused. Arrays have no
        names, and are taken as they are.

    Attributes
    ----------
    n_visible, n_hidden : int
        Sizes of a sample and of its code.
    hidden : str
        Activation.
    dtype : numpy.dtype
        Of the codes.
    W1, b1 : ndarray of shape (n_hidden, n_visible) and (n_hidden,), read-only
        Weights and bias.
    feature_names : tuple of str or None
        Names of the features, if they have any: :func:`sae_fast.fold` and :meth:`load` keep those that a model was
        fitted to.

    Notes
    -----
    ``encoder(X, out=None, n_threads=None)`` encodes ``X`` (n_samples, n_visible), an array of any real dtype and
    strides or a data frame, into ``out`` (n_samples, n_hidden) if given. ``encoder.encode_one(x, out=None)`` encodes
    one sample ``x`` (n_visible,) into ``out`` (n_hidden,), on the calling thread. Both raise ``TypeError`` or
    ``ValueError`` that names the argument.

    Raises
    ------
    TypeError, ValueError
        Arrays that are not of one float type or do not fit on each other; an unknown unit.

    Examples
    --------
    >>> import numpy as np, sae_fast as sf
    >>> encoder = sf.Encoder(sf.init_params(64, 25, random_state=0))
    >>> encoder(np.zeros((3, 64))).shape
    (3, 25)
    >>> encoder.encode_one(np.zeros(64))[:2]
    array([0.5, 0.5])
    """

    def __init__(
        self, params: ParamsLike, *, hidden: Hidden = "sigmoid", feature_names: Sequence[str] | None = None
    ) -> None:
        checked, dtype = check_params(params)
        names = check_feature_names(feature_names, checked.W1.shape[1])
        super().__init__(checked.W1, checked.b1, check_hidden(hidden), partial(read_rows, names))
        self.feature_names = names
        self.n_hidden, self.n_visible = checked.W1.shape
        self.hidden: Hidden = hidden
        self.dtype: np.dtype[Any] = dtype
        self.W1: FloatArray = checked.W1.copy()
        self.b1: FloatArray = checked.b1.copy()
        self.W1.flags.writeable = self.b1.flags.writeable = False

    @classmethod
    def load(cls, path: str | PathLike[str], *, clip: Clip = "error") -> Self:
        """The encoder of a model file of one layer, or of a file that :meth:`save` wrote.

        Needs safetensors, and not scikit-learn. :func:`sae_fast.load` reads any file as what it was saved from.

        The scaling of a model that has one is folded into the weights (:func:`sae_fast.fold`).

        Parameters
        ----------
        path : path-like
            A safetensors file.
        clip : {"error", "ignore"}
            What to do with the cut of ``scale="ufldl"``, which cannot be folded: ``"ignore"`` leaves it out, and codes
            of samples that it would not touch are the same.

        Returns
        -------
        Encoder

        Raises
        ------
        ModelFileError
            A ``ValueError``: not a model file of this package, damaged, of a newer format, or of several layers, which
            :meth:`StackEncoder.load` reads.
        ValueError
            The model cuts its data, and ``clip`` is ``"error"``.
        OSError
            The file cannot be read.

        Examples
        --------
        >>> import pathlib, tempfile
        >>> import sae_fast as sf
        >>> path = pathlib.Path(tempfile.mkdtemp(), "encoder.safetensors")
        >>> sf.Encoder(sf.init_params(64, 25, random_state=0)).save(path)
        >>> sf.Encoder.load(path)
        Encoder(64 -> 25, sigmoid, float64)
        """
        check_clip(clip)
        kind, tensors, about = files.read_tensors(path)
        names = about.get("feature_names")
        if kind == _KIND:
            return _from_file(cls, tensors, about)
        if kind in SPARSE:
            raise files.ModelFileError(f"{path} holds a {kind}: read it with sae_fast.load")
        if "units" in about:
            if len(about["units"]) > 1:
                raise files.ModelFileError(
                    f"{path} holds a {kind} of {len(about['units'])} layers, not one: read it with "
                    "sae_fast.StackEncoder.load"
                )
            return from_layer(cls, tensors["encoder.0.W"], tensors["encoder.0.b"], about["units"][0], names)
        found = files.single_layer(tensors, about)
        W1, b1 = found.params.W1, found.params.b1
        if found.scale is not None:
            if clip == "error" and isinstance(found.scale, UFLDLScale):
                raise ValueError(f"{path} holds a model with scale='ufldl', which {CUTS}")
            with np.errstate(all="ignore"):  # judged below
                W, b = found.scale.absorb(W1.astype(np.float64), b1.astype(np.float64))
                W1, b1 = W.astype(W1.dtype), b.astype(b1.dtype)
            if not (np.isfinite(W1).all() and np.isfinite(b1).all()):
                raise files.ModelFileError(f"{path} holds a scaling that weights of {W1.dtype} cannot take over")
        return from_layer(cls, W1, b1, found.hidden, names)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the encoder to one safetensors file, whole or not at all; :meth:`load` reads it.

        The way to ship what :func:`sae_fast.fold` made of a pipeline.
        """
        about = {"kind": _KIND, "hidden": self.hidden} | names_to_json(self)
        files.write_tensors(path, {"W1": self.W1, "b1": self.b1}, about)

    def __reduce__(self) -> tuple[Any, ...]:
        # What pickle's later protocols do by default; the first two, which skops asks for, fail on C++ objects.
        return copyreg.__newobj__, (type(self),), self.__getstate__()  # type: ignore[attr-defined]

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in ("n_visible", "n_hidden", "dtype")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        layer = state["W1"], state["b1"], *_no_decoder(state["W1"])
        Encoder.__init__(self, Params(*layer), hidden=state["hidden"], feature_names=state.get("feature_names"))
        vars(self).update({k: v for k, v in state.items() if k not in vars(self)})

    _folds_to_stack = False

    def _fold_layers(self) -> tuple[list[tuple[FloatArray, FloatArray, Hidden]], list[Any]]:
        return [(self.W1, self.b1, self.hidden)], []

    def __repr__(self) -> str:
        if "W1" not in vars(self):
            return f"<{type(self).__name__} that was not initialised>"
        return f"Encoder({self.n_visible} -> {self.n_hidden}, {self.hidden}, {self.dtype})"


def from_layer(
    cls: type[AnyEncoder], W1: FloatArray, b1: FloatArray, hidden: Hidden, feature_names: Sequence[str] | None = None
) -> AnyEncoder:
    """An encoder from weights and bias alone."""
    return cls(Params(W1, b1, *_no_decoder(W1)), hidden=hidden, feature_names=feature_names)


def names_to_json(encoder: Any) -> dict[str, list[str]]:
    """The field of an encoder's file that holds its names; none where it has none."""
    return {} if encoder.feature_names is None else {"feature_names": list(encoder.feature_names)}


def _no_decoder(W1: FloatArray) -> tuple[FloatArray, FloatArray]:
    return np.zeros((W1.shape[1], W1.shape[0]), W1.dtype), np.zeros(W1.shape[1], W1.dtype)


def _from_file(cls: type[AnyEncoder], tensors: dict[str, FloatArray], about: dict[str, Any]) -> AnyEncoder:
    """The encoder that checked contents of its kind hold."""
    return from_layer(cls, tensors["W1"], tensors["b1"], about["hidden"], about.get("feature_names"))


register(_KIND, lambda path, tensors, about: _from_file(Encoder, tensors, about))
