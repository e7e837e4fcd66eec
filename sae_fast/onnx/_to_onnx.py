"""to_onnx: a model of this package as ONNX."""

from __future__ import annotations

import json
from collections.abc import Sequence
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from .. import files
from .._public import public_in
from .._version import __version__
from ..export._exported import check_path
from ..files._atomic import replacing
from ..files._model_file import load
from ..ksparse._subject import sparse_encoder
from ._ksparse import SparseParts, add_sparse_outputs
from ._model import ModelGraph, check_opset, check_outputs, import_onnx
from ._parts import Parts, add_outputs, parts_of
from ._proof import prove


@public_in("sae_fast.onnx")
def to_onnx(
    model: Any,
    path: str | PathLike[str] | None = None,
    target_opset: int = 17,
    *,
    outputs: str | Sequence[str] | None = None,
    dtype: DTypeLike | None = None,
) -> Any:
    """Make an ONNX model, and write it to a file if one is named.

    It takes samples as they are: scaling, whitening and what cuts are inside. Its input is ``X`` (n_samples,
    n_features), of any number of samples; its outputs are

    - ``codes`` (n_samples, n_codes), of anything,
    - ``reconstruction`` (n_samples, n_features), of an autoencoder or a stack that is no step of a pipeline,
    - ``label`` (n_samples,) and ``probabilities`` (n_samples, n_classes), of a classifier,
    - ``indices`` and ``values`` (n_samples, k), of a k-sparse encoder with ``"topk"``: the k largest latents in falling
      order, by ONNX's TopK. Its ``codes`` are dense, and not computed where they are not asked for.

    Parameters
    ----------
    model : fitted autoencoder, stack, classifier, pipeline or encoder, k-sparse or not, or path-like of a model file
        A pipeline ends with one of them, and its other steps are such that :func:`sae_fast.fold` knows them; models of
        k-sparse codes are none of these.
    path : path-like, optional
        A file ending in ``.onnx``, written whole or not at all.
    target_opset : int
        Version of ONNX's operators, from 13.
    outputs : str or sequence of str, optional
        Which of the outputs, in this order; by default all, but of a classifier ``label`` and ``probabilities``. A
        program that needs codes alone is quicker with ``outputs="codes"``: runtimes compute all that is there.
    dtype : float32 or float64, optional
        Of samples and outputs; by default that of the weights.

    Returns
    -------
    onnx.ModelProto
        Its metadata tell version, parts, checksum, names of the features, and the checksum of the model file if it was
        made from one.

    Raises
    ------
    ImportError
        The package onnx is missing; or, for a model file, scikit-learn.
    TypeError, ValueError
        A model with a step that ONNX has no words for here, such as :class:`ConvolvedFeatures`; weights that overflow
        ``dtype`` or take more than 2 GB; a wrong argument.
    NotFittedError
        The model is not fitted.
    RuntimeError
        The proof below fails.
    ModelFileError, OSError
        A file cannot be read, or written.

    Notes
    -----
    Before it is written or returned, ``onnx.checker`` has passed it, and ONNX Runtime, where it is installed, has
    given for 1, 2 and 1000 samples what NumPy gives in float64, within what rounding may change.

    Codes of single units are right to about 1e-6 of their own size in float32, and 1e-14 in float64, where the terms of
    ``z`` add up to no more than some tens; those of ONNX's own Sigmoid are not. Scikit-learn's scalers round less here
    than in their own ``transform`` of float32.

    Examples
    --------
    >>> import numpy as np, sae_fast as sf
    >>> encoder = sf.Encoder(sf.init_params(64, 25, random_state=0))
    >>> made = sf.onnx.to_onnx(encoder)
    >>> [node.op_type for node in made.graph.node]
    ['Gemm', 'Exp', 'Add', 'Div']
    >>> {prop.key: prop.value for prop in made.metadata_props}["model"]
    '64 -> 25 (sigmoid)'
    """
    library = import_onnx()
    target = None if path is None else check_path("path", path, ".onnx")
    opset = check_opset(target_opset)
    kind = None if dtype is None else np.dtype(dtype)
    if kind not in (None, np.float32, np.float64):
        raise TypeError(f"dtype must be float32 or float64, got {kind}")
    about = {"sae_fast_version": __version__}
    if isinstance(model, str | PathLike):
        about["model_file_checksum"] = str(files.read_tensors(model).about["checksum"])
        model = load(model)
    sparse = sparse_encoder(model)
    parts = parts_of(model) if sparse is None else SparseParts(sparse)
    wanted = check_outputs(outputs, parts.outputs, [name for name in parts.outputs if _is_usual(name, parts)])
    graph = ModelGraph(parts.dtype if kind is None else kind, opset)
    names = {name: name for name in wanted}
    if isinstance(parts, SparseParts):
        add_sparse_outputs(graph, "X", parts.encoder, names)
    else:
        add_outputs(graph, "X", parts, names)
    about |= {"model": parts.describe(), "checksum": graph.checksum()}
    if parts.feature_names is not None:
        about["feature_names"] = json.dumps(parts.feature_names, ensure_ascii=False)
    columns = {name: parts.columns[name] for name in wanted}
    made = graph.model(parts.n_features, columns, parts.classes, about, f"sae_fast: {parts.describe()}")
    library.checker.check_model(made, full_check=True)
    prove(made, parts, wanted, graph.dtype)
    if target is not None:
        with replacing(target) as file:
            file.write(made.SerializeToString(deterministic=True))
    return made


def _is_usual(name: str, parts: Parts | SparseParts) -> bool:
    return parts.head is None or name != "codes"
