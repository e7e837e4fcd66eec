"""KSparseEncoder: encode to few active latents of many, and decode, with weights packed once.

Half of it is the documentation of what it takes and gives.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from os import PathLike
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _core, files
from .._public import public_in
from ..files._kinds import KSPARSE, KSPARSE_NORMALIZATIONS, KSPARSE_TENSORS, SPARSE, register
from ..network._checks import check_count, check_n_threads, check_out, check_X
from ..network._rows import check_feature_names, check_names, real_rows
from ..network._types import FloatArray
from ..streams._source import Source
from ._judging import check_definition, evaluate
from ._normalize import check_normalize, restore
from ._saelens import write_saelens
from ._samples import check_again, check_columns
from ._selections import SELECTORS, Activation, check_activation, check_given, check_numbers
from ._step import Step

_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
_WEIGHTS = ("W_enc", "b_enc", "W_dec", "b_dec")
_GIVEN = ("threshold", "b_gate", "r_mag")


@public_in("sae_fast")
class KSparseEncoder(Step):
    """Encode samples to the few latents, of many, that they excite; and decode.

    With ``z = (x - b_dec) W_enc^T + b_enc``, a code keeps, of each sample,

    ``"topk"``
        the ``k`` largest ``z``, among equal ones those of lower index, where they are positive (Makhzani & Frey,
        "k-Sparse Autoencoders", 2013; Gao et al., "Scaling and evaluating sparse autoencoders", 2024);
    ``"batchtopk"``
        ``z > threshold``, one number, as it is used once trained (Bussmann et al., "BatchTopK Sparse Autoencoders",
        2024);
    ``"jumprelu"``
        ``z > max(threshold, 0)``, a number for each latent (Rajamanoharan et al., "Jumping Ahead: Improving
        Reconstruction Fidelity with JumpReLU Sparse Autoencoders", 2024);
    ``"relu"``
        ``z > 0``;
    ``"gated"``
        with ``y = (x - b_dec) W_enc^T``: ``exp(r_mag) y + b_enc`` where it is positive and ``y + b_gate > 0``
        (Rajamanoharan et al., "Improving Dictionary Learning with Gated Sparse Autoencoders", 2024).

    All others are no entries of the code. Product, bias and selection are one pass over tiles: memory does not grow
    with the number of samples times latents. Weights are copied; immutable and thread-safe; can be pickled. Codes do
    not depend on the number of threads, to the last bit. It can be a step of a scikit-learn pipeline, which learns
    nothing: :meth:`transform` is a call.

    Parameters
    ----------
    W_enc : ndarray of shape (n_latents, n_features)
        Weights, float32 or float64, which is the dtype of the codes; all arrays have the same.
    W_dec : ndarray of shape (n_latents, n_outputs)
        Weights of the decoder. ``n_outputs`` is ``n_features`` but for transcoders, which predict something else.
    b_enc : ndarray of shape (n_latents,)
        Bias of the latents.
    b_dec : ndarray of shape (n_outputs,)
        Bias of the reconstruction, which is also subtracted from the samples.
    k : int, optional
        Of ``"topk"``, in [1, n_latents]: active latents of a sample; calls may ask for another number.
    activation : {"topk", "batchtopk", "jumprelu", "relu", "gated"}
        Which latents a code keeps.
    threshold : float >= 0 or ndarray of shape (n_latents,), optional
        Of ``"batchtopk"``, a number; of ``"jumprelu"``, an array.
    b_gate, r_mag : ndarray of shape (n_latents,), optional
        Of ``"gated"``: the gate's bias, and the logarithm of the ratio of both paths' weights.
    apply_b_dec_to_input : bool
        False: ``b_dec`` is not subtracted from the samples, as it must be where ``n_outputs`` is not ``n_features``.
    normalize : {"layer_norm", "length"}, optional
        What is done to each sample before all else: ``(x - mean) / (std + 1e-5)`` with the ``std`` of n - 1 (OpenAI's
        sparse_autoencoder, SAELens), or ``x sqrt(n_features) / |x|`` (SAELens' ``constant_norm_rescale``); a sample of
        zeros stays.
    feature_names : sequence of str, optional
        Names of the features; data frames with other names, or with these in another order, are refused.

    Attributes
    ----------
    n_features, n_latents, n_outputs : int
        Sizes of a sample, of its code, and of its reconstruction.
    dtype : numpy.dtype
        Of the codes.
    W_enc, b_enc, W_dec, b_dec, threshold, b_gate, r_mag, k, activation, apply_b_dec_to_input, normalize, feature_names
        As given; arrays are read-only.

    Raises
    ------
    TypeError, ValueError
        Arrays that are not of one float type, do not fit on each other or are not finite; ``k`` out of its range;
        arguments that the activation needs and lacks, or has and does not need.

    Examples
    --------
    >>> import numpy as np, sae_fast as sf
    >>> rng = np.random.default_rng(0)
    >>> W = rng.normal(size=(64, 16)).astype(np.float32)
    >>> encoder = sf.KSparseEncoder(W, np.zeros(64, np.float32), W / 16, np.zeros(16, np.float32), k=4)
    >>> X = rng.normal(size=(3, 16))
    >>> codes = encoder(X)
    >>> codes.shape, codes.nnz, codes.dtype
    ((3, 64), 12, dtype('float32'))
    >>> indices, values = encoder.top(X, k=2)
    >>> indices.shape, bool(np.all(values[:, 0] >= values[:, 1]))
    ((3, 2), True)
    >>> encoder.decode(codes).shape
    (3, 16)
    """

    def __init__(
        self,
        W_enc: FloatArray,
        b_enc: FloatArray,
        W_dec: FloatArray,
        b_dec: FloatArray,
        *,
        k: int | None = None,
        activation: Activation = "topk",
        threshold: float | FloatArray | None = None,
        b_gate: FloatArray | None = None,
        r_mag: FloatArray | None = None,
        apply_b_dec_to_input: bool = True,
        normalize: str | None = None,
        feature_names: Sequence[str] | None = None,
    ) -> None:
        check_activation(activation)
        if not isinstance(W_enc, np.ndarray) or W_enc.dtype not in _FLOATS:
            got = W_enc.dtype if isinstance(W_enc, np.ndarray) else type(W_enc).__name__
            raise TypeError(f"W_enc must be a float32 or float64 NumPy array, got {got}")
        if W_enc.ndim != 2 or W_enc.size == 0 or len(W_enc) >= 2**31:
            raise ValueError(
                f"W_enc must have shape (n_latents, n_features), both >= 1, n_latents < 2**31, got {W_enc.shape}"
            )
        if not isinstance(apply_b_dec_to_input, (bool, np.bool_)):
            raise TypeError(f"apply_b_dec_to_input must be True or False, got {apply_b_dec_to_input!r}")
        self.n_latents, self.n_features = (int(n) for n in W_enc.shape)
        self.dtype: np.dtype[Any] = W_enc.dtype
        self.activation: Activation = activation
        self.apply_b_dec_to_input = bool(apply_b_dec_to_input)
        self.normalize = check_normalize(normalize)
        self.n_outputs = _outputs(W_dec, (self.n_latents, self.n_features), self.apply_b_dec_to_input)
        shapes = W_enc.shape, (self.n_latents,), (self.n_latents, self.n_outputs), (self.n_outputs,)
        for name, array, shape in zip(_WEIGHTS, (W_enc, b_enc, W_dec, b_dec), shapes, strict=True):
            setattr(self, name, _frozen(check_numbers(name, array, shape, self.dtype, "W_enc")))
        given = {"threshold": threshold, "b_gate": b_gate, "r_mag": r_mag}
        checked = check_given(activation, given, self.n_latents, self.dtype)
        for name in _GIVEN:
            value = checked.get(name)
            setattr(self, name, _frozen(value) if isinstance(value, np.ndarray) else value)
        self.k = self._check_k(k, None)
        self.feature_names = check_feature_names(feature_names, self.n_features)
        self._pack(checked)

    W_enc: FloatArray
    b_enc: FloatArray
    W_dec: FloatArray
    b_dec: FloatArray
    threshold: float | FloatArray | None
    b_gate: FloatArray | None
    r_mag: FloatArray | None

    def _pack(self, given: dict[str, Any]) -> None:
        number, threshold, scale = SELECTORS[self.activation](given, self.dtype)
        how = 0 if self.normalize is None else KSPARSE_NORMALIZATIONS.index(self.normalize) + 1
        subtract = self.b_dec if self.apply_b_dec_to_input and self.b_dec.any() else None
        self._packed = _core.SparseEncoder(self.W_enc, self.b_enc, subtract, number, threshold, scale, how)

    def _check_k(self, k: int | None, default: int | None) -> int | None:
        if self.activation != "topk":
            if k is not None:
                raise ValueError(f"k must be None with activation={self.activation!r}, got {k!r}")
            return None
        if k is None:
            k = default
        if k is None:
            raise ValueError("k must be given with activation='topk', got None")
        number = check_count("k", k)
        if number > self.n_latents:
            raise ValueError(f"k must be <= {self.n_latents}, the number of latents, got {number}")
        return number

    def _rows(self, X: ArrayLike) -> NDArray[Any]:
        check_names(X, self.feature_names)
        return check_X(X, self.n_features)

    def __call__(self, X: ArrayLike, k: int | None = None, n_threads: int | None = None) -> Any:
        """Codes as a sparse array.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features)
            Any real dtype and strides, or a data frame; finite.
        k : int, optional
            Of ``"topk"``: in place of the encoder's own.
        n_threads : int, optional
            As for :func:`sae_fast.encode`; codes do not depend on it.

        Returns
        -------
        SparseCodes of shape (n_samples, n_latents)
            A ``scipy.sparse.csr_array``, with methods for search engines. In the encoder's dtype; indices are sorted,
            and int32 as long as there are fewer than 2^31 entries. All entries are positive.

        Raises
        ------
        TypeError, ValueError
            They name the argument, and the row that is not finite.
        """
        _sparse()
        data = self._rows(X)
        starts, indices, values = self._packed.encode(data, self._check_k(k, self.k) or 0, check_n_threads(n_threads))
        codes = sys.modules["sae_fast"].SparseCodes  # which is there when it is first asked for: it needs SciPy
        return codes.of(starts, indices, values, self.n_latents)

    def top(
        self, X: ArrayLike, k: int | None = None, n_threads: int | None = None
    ) -> tuple[NDArray[np.int32], FloatArray]:
        """The largest latents of each sample, of ``activation="topk"`` alone.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features)
        k, n_threads
            As for a call.

        Returns
        -------
        indices : ndarray of shape (n_samples, k), int32
            Of the k largest ``z``, in falling order, equal ones by rising index.
        values : ndarray of shape (n_samples, k)
            ``max(z, 0)``.

        Raises
        ------
        TypeError, ValueError
            They name the argument, and the row that is not finite.
        """
        if self.activation != "topk":
            raise ValueError(f"activation must be 'topk' for top(), got {self.activation!r}: call the encoder itself")
        number = self._check_k(k, self.k)
        assert number is not None
        return self._packed.top(self._rows(X), number, check_n_threads(n_threads))

    def encode_one(self, x: ArrayLike, k: int | None = None) -> tuple[NDArray[np.int32], FloatArray]:
        """The code of one sample ``x`` (n_features,): indices of its active latents, rising, and their values.

        The same numbers as those of a row of a call, which makes a sparse array, and takes longer.

        Raises
        ------
        TypeError, ValueError
            They name the argument.
        """
        check_names(x, self.feature_names)
        row = x if type(x) is np.ndarray and x.dtype == self.dtype else real_rows(x, "x")
        if row.shape != (self.n_features,):
            raise ValueError(f"x must have shape ({self.n_features},), got {row.shape}")
        _, indices, values = self._packed.encode(row, self._check_k(k, self.k) or 0, 0)
        return indices, values

    def decode(
        self, codes: Any, out: FloatArray | None = None, n_threads: int | None = None, *, X: ArrayLike | None = None
    ) -> FloatArray:
        """Reconstructions ``codes W_dec + b_dec``.

        Parameters
        ----------
        codes : sparse array of shape (n_samples, n_latents)
            Of any of SciPy's formats.
        out : ndarray of shape (n_samples, n_features), optional
            To write to, in the encoder's dtype.
        n_threads : int, optional
            As for a call.
        X : array_like of shape (n_samples, n_features), optional
            With ``normalize``: the samples, whose means and sizes the reconstructions get back. Without them they are
            those of the normalised samples.

        Returns
        -------
        ndarray of shape (n_samples, n_outputs)

        Raises
        ------
        TypeError, ValueError
            They name the argument.
        """
        if not _sparse().issparse(codes):
            raise TypeError(
                f"codes must be a sparse array of SciPy, got {type(codes).__name__}: use scipy.sparse.csr_array(codes)"
            )
        if codes.ndim != 2 or codes.shape[1] != self.n_latents:
            raise ValueError(f"codes must have shape (n_samples, {self.n_latents}), got {codes.shape}")
        if codes.dtype.kind not in "fiub":
            raise TypeError(f"codes must have a real dtype, got {codes.dtype}")
        found = codes.tocsr()
        n_threads = check_n_threads(n_threads)
        with np.errstate(over="ignore"):
            values = np.ascontiguousarray(found.data, self.dtype)
        kind = np.int32 if found.indptr.dtype == found.indices.dtype == np.int32 else np.int64
        starts, indices = (np.ascontiguousarray(a, kind) for a in (found.indptr, found.indices))
        if len(values) != len(indices):
            raise ValueError(f"codes must have as many indices as values, got {len(indices)} and {len(values)}")
        if not np.isfinite(values).all():
            row = int(np.searchsorted(starts, np.argmin(np.isfinite(values)), side="right")) - 1
            raise ValueError(f"codes must be finite, got NaN or infinity in row {row}")
        shape = found.shape[0], self.n_outputs
        samples = None if X is None or self.normalize is None else self._samples_of(X, shape)
        inputs = [values, indices, starts]
        result = np.empty(shape, self.dtype) if out is None else check_out(out, shape, self.dtype, inputs)
        _core.sparse_decode(starts, indices, values, self.W_dec, self.b_dec, result, n_threads)
        if samples is not None and self.normalize is not None:
            restore(result, samples, self.normalize)
        return result

    def _samples_of(self, X: ArrayLike, shape: tuple[int, int]) -> NDArray[Any]:
        if self.n_outputs != self.n_features:
            raise ValueError("X must be None for a transcoder, whose outputs are not in the units of its samples")
        rows = self._rows(X)
        if rows.shape != shape:
            raise ValueError(f"X must have shape {shape}, as many samples as codes, got {rows.shape}")
        return rows

    def evaluate(
        self, X: ArrayLike | Source, k: int | None = None, *, fvu: str = "total", n_threads: int | None = None
    ) -> dict[str, Any]:
        """How well the codes of samples reconstruct them, and how many latents they use.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features) or Source
            Read some rows at a time, twice; a memory map or a source is never in memory as a whole.
        k, n_threads
            As for a call.
        fvu : {"total", "per_sample", "openai", "sparsify", "saebench"}
            Which fraction of variance is meant, with errors ``e = reconstruction - x`` and the mean of all samples:
            ``"total"``, and EleutherAI's sparsify by batches, ``sum |e|^2 / sum |x - mean|^2``; ``"per_sample"`` the
            mean over samples of ``|e|^2 / |x - mean|^2``; ``"openai"``, the normalised error of OpenAI's
            sparse_autoencoder, the mean over samples of ``|e|^2 / |x|^2``; ``"saebench"``, one minus what SAEBench
            calls explained variance, ``mean |e|^2 / (S - (S / n_features)^2)`` with ``S = mean |x|^2``.

        Returns
        -------
        dict
            ``fvu``; ``mse``, of single features; ``cosine``, the mean of that of samples with their reconstructions;
            ``relative_bias``, ``sum |reconstruction|^2 / sum x . reconstruction``, less than 1 where reconstructions
            are too short (Rajamanoharan et al., "Improving Dictionary Learning with Gated Sparse Autoencoders", 2024);
            ``l0`` and ``l1``, means over samples; ``dead``, the share of latents that no sample excites; ``density``
            (n_latents,), the share of samples that excite each.

        Raises
        ------
        TypeError, ValueError
            They name the argument.

        Examples
        --------
        >>> import numpy as np, sae_fast as sf
        >>> eye = np.eye(4)
        >>> encoder = sf.KSparseEncoder(eye, np.zeros(4), eye, np.zeros(4), k=1)
        >>> found = encoder.evaluate(np.array([[3.0, 0, 0, 0], [0, 2, 1, 0]]), fvu="openai")
        >>> found["fvu"], found["l0"], found["dead"]
        (0.1, 1.0, 0.5)
        """
        check_definition(fvu)
        if self.n_outputs != self.n_features:
            raise ValueError(
                f"the encoder must reconstruct its samples, but it is a transcoder: {self.n_features} features, "
                f"{self.n_outputs} outputs"
            )
        number = self._check_k(k, self.k)
        if isinstance(X, Source):
            check_columns(X, self.n_features, self.feature_names, "X")
            check_again(X, "X")
        data = X if isinstance(X, Source) else self._rows(X)
        return evaluate(data, lambda rows: self(rows, k=number, n_threads=n_threads), self.decode, fvu)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Self:
        """The encoder of a file that :meth:`save` wrote, or a :class:`KSparseAutoencoder`; needs safetensors.

        Raises
        ------
        ModelFileError
            A ``ValueError``: not such a file, damaged, or of a newer format.
        OSError
            The file cannot be read.
        """
        kind, tensors, about = files.read_tensors(path)
        if kind not in SPARSE:
            raise files.ModelFileError(f"{path} holds a {kind}, not a KSparseEncoder: read it with sae_fast.load")
        found: Self = _from_file(cls, tensors, about)
        return found

    def save(self, path: str | PathLike[str], format: str = "sae_fast", *, golden: ArrayLike | None = None) -> None:
        """Write the encoder, whole or not at all.

        Parameters
        ----------
        path : path-like
            A file, or a folder with ``format="saelens"``.
        format : {"sae_fast", "saelens"}
            One safetensors file, which :meth:`load` and :func:`sae_fast.load` read; or SAELens' layout, ``cfg.json``
            and ``sae_weights.safetensors``, which its ``SAE.load_from_disk`` reads, as does :func:`sae_fast.load_sae`.
            There ``"batchtopk"`` is a ``"jumprelu"`` with equal thresholds, and names of features are left out.
        golden : array_like of shape (n_samples, n_features), optional
            With ``"saelens"``: samples, which are stored with their codes in ``golden.npz`` beside the weights.
            :func:`sae_fast.load_sae` compares codes with these.

        Raises
        ------
        TypeError, ValueError
            An encoder that SAELens has no layout for: a transcoder with ``"topk"`` or ``"gated"``; a wrong argument.
        OSError
            It cannot be written.
        """
        if format not in ("sae_fast", "saelens"):
            raise ValueError(f"format must be 'sae_fast' or 'saelens', got {format!r}")
        if format == "saelens":
            write_saelens(self, path, None if golden is None else self._rows(golden))
            return
        if golden is not None:
            raise ValueError("golden must be None with format='sae_fast', whose files have a checksum")
        arrays, about = contents_of(self)
        files.write_tensors(path, arrays, about | {"kind": KSPARSE})

    def __getstate__(self) -> dict[str, Any]:
        made = "_packed", "dtype", "n_latents", "n_features", "n_outputs"
        return {name: value for name, value in vars(self).items() if name not in made}

    def __setstate__(self, state: dict[str, Any]) -> None:
        options = {name: state[name] for name in (*_GIVEN, "k", "activation", "apply_b_dec_to_input", "feature_names")}
        options["normalize"] = state.get("normalize")
        self.__init__(*(state[name] for name in _WEIGHTS), **options)  # type: ignore[misc]

    def __repr__(self) -> str:
        if "_packed" not in vars(self):
            return f"<{type(self).__name__} that was not initialised>"
        how = f"topk, k={self.k}" if self.activation == "topk" else self.activation
        how += "" if self.normalize is None else f", normalize={self.normalize!r}"
        return f"KSparseEncoder({self.n_features} -> {self.n_latents}, {how}, {self.dtype})"


def _outputs(W_dec: object, shape: tuple[int, int], subtracts: bool) -> int:
    n_latents, n_features = shape
    if not isinstance(W_dec, np.ndarray) or W_dec.ndim != 2 or W_dec.shape[1] < 1 or W_dec.shape[1] == n_features:
        return n_features  # which what follows checks
    if subtracts:
        raise ValueError(
            f"W_dec must have shape ({n_latents}, {n_features}) to match W_enc, got {W_dec.shape}; other widths, of "
            "transcoders, go with apply_b_dec_to_input=False"
        )
    return int(W_dec.shape[1])


def _frozen(array: FloatArray) -> FloatArray:
    mine = array.copy()
    mine.flags.writeable = False
    return mine


def _sparse() -> Any:
    try:
        import scipy.sparse
    except ImportError as error:
        raise ImportError('sparse codes need the package scipy: pip install "sae-fast[estimators]"') from error
    return scipy.sparse


def contents_of(encoder: KSparseEncoder) -> tuple[dict[str, FloatArray], dict[str, Any]]:
    """Tensors and fields of an encoder in a model file."""
    arrays = {name: getattr(encoder, name) for name in _WEIGHTS}
    arrays |= {name: np.atleast_1d(getattr(encoder, name)) for name in KSPARSE_TENSORS[encoder.activation]}
    names = encoder.feature_names
    about: dict[str, Any] = {
        "activation": encoder.activation,
        "k": encoder.k,
        "apply_b_dec_to_input": encoder.apply_b_dec_to_input,
        "feature_names": None if names is None else list(names),
    }
    if encoder.normalize is not None:
        about["normalize"] = encoder.normalize
    return arrays, about


def encoder_from(tensors: dict[str, FloatArray], about: dict[str, Any]) -> KSparseEncoder:
    """The encoder that checked contents hold."""
    found: KSparseEncoder = _from_file(KSparseEncoder, tensors, about)
    return found


def _from_file(cls: type[Any], tensors: dict[str, FloatArray], about: dict[str, Any]) -> Any:
    """The encoder that checked contents of its kind hold."""
    options: dict[str, Any] = {name: tensors[name] for name in KSPARSE_TENSORS[about["activation"]]}
    if about["activation"] == "batchtopk":
        options["threshold"] = float(options["threshold"][0])
    options |= {name: about[name] for name in ("k", "activation", "apply_b_dec_to_input", "feature_names")}
    options["normalize"] = about.get("normalize")
    return cls(*(tensors[name] for name in _WEIGHTS), **options)


register(KSPARSE, lambda path, tensors, about: encoder_from(tensors, about))
