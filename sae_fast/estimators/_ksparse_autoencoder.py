"""KSparseAutoencoder: thousands of latents of which a sample excites a few, as a scikit-learn transformer.

Half of it is the documentation of parameters and attributes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from os import PathLike
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

try:
    import scipy.sparse
    from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as error:
    raise ImportError('KSparseAutoencoder needs scikit-learn: pip install "sae-fast[estimators]"') from error

from .._public import public_in
from ..files._kinds import KSPARSE_MODEL, register
from ..files._ksparse_parameters import OVERRIDES, check_ksparse
from ..ksparse._codes import SparseCodes
from ..ksparse._encoder import KSparseEncoder
from ..ksparse._recipes import Plan, RecipeName, plan_of
from ..ksparse._selections import Activation
from ..ksparse._start import in_units, unit_of, weights_of
from ..network._checks import check_n_threads
from ..network._types import FloatArray
from ..preprocessing._transformer import anew, check_codes, restoring, rng_of
from ..streams._open import as_source
from ..streams._source import Source, check_finite
from ._base import Autoencoder
from ._checkpoint import keeper_of
from ._ksparse_file import estimator_from, save
from ._ksparse_training import HISTORY, Minibatches, Training, trainer_of
from ._streamed import blocks_of, check_columns, is_source, opened, set_columns, windows

_SAMPLE = 1 << 15  # rows that the start is made of
_NUMBERS = [np.float64, np.float32, np.float16]


@public_in("sae_fast")
class KSparseAutoencoder(Autoencoder, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Sparse codes of many latents, learned: a dictionary of directions, of which each sample takes a few.

    What is computed is in ``docs/k-sparse.md``; codes are those of :class:`KSparseEncoder`. Samples are divided by one
    number, so that the mean of their squared length is 1, while they are learned from; the model is in their own unit.

    Parameters
    ----------
    n_components : int
        Latents.
    k : int
        Active latents of a sample: of ``"topk"`` at most; of ``"batchtopk"`` in the mean over a minibatch; of
        ``"jumprelu"`` the mean that the penalty aims at. ``"relu"`` and ``"gated"`` have none: ``l1`` decides.
    architecture : {"topk", "batchtopk", "jumprelu", "relu", "gated"}
        Which latents a code keeps, as ``activation`` of :class:`KSparseEncoder`.
    matryoshka : tuple of int, optional
        Groups of latents: their sizes, which add up to ``n_components``, or where each ends. The first groups are then
        taught to do without the others (Bussmann et al., 2025).
    recipe : {"openai", "dictionary_learning", "saelens", "sparsify", "csr"}
        Whose defaults stand for the arguments below that are None; ``docs/k-sparse.md`` has them in a table.
    max_iter : int
        Epochs.
    batch_size : int
        Samples of a minibatch.
    learning_rate : float, optional
        Of Adam.
    warm_up : float, optional
        Minibatches over which the learning rate rises, at most a tenth of all.
    decay : float, optional
        Share of the minibatches, the last ones, over which it falls to 0.
    k_anneal : float, optional
        Share of the minibatches, the first ones, over which k falls from the number of features.
    aux_k, aux_weight : int and float, optional
        AuxK: so many latents that are dead learn what the others miss, with this weight (Gao et al., 2024).
    dead_after : int, optional
        A latent is dead when the last so many samples did not excite it; by recipe at most an epoch.
    multi_k : int, optional
        Of ``"topk"``: the loss with so many latents is added, at a weight of 1/8 (Gao et al., 2024); 0: none.
    l1 : float, optional
        Of ``"relu"`` and ``"gated"``: weight of the sum of a code.
    l0 : float, optional
        Of ``"jumprelu"``: weight of ``(L0 / k - 1)^2``.
    dtype : {"float32", "float64"}
        Type of weights and codes.
    sparse_output : bool
        ``transform`` gives a sparse array; False: a dense one.
    random_state : int, RandomState instance or None
        Seed of the first weights and of shuffling.
    n_threads : int, optional
        Threads; None for what :func:`sae_fast.get_num_threads` says. Results do not depend on it.
    verbose : int
        1 shows progress on stderr: loss, FVU, L0, share of dead latents, samples per second, time left.
    callback : callable, optional
        Called with a dict after each epoch: ``epoch``, ``n_epochs`` and the numbers of ``history_``; a true result ends
        the fit.

    Attributes
    ----------
    encoder_ : KSparseEncoder
        What encodes, and holds the weights.
    components_ : ndarray of shape (n_components, n_features)
        The dictionary: decoder weights W_dec, rows of length 1.
    history_ : dict of ndarray of shape (n_iter_,)
        By epoch: ``loss``, all of it; ``fvu``, the fraction of variance unexplained, each minibatch about its own mean;
        ``l0``, active latents of a sample; ``dead``, the share of latents that no sample of the epoch excited;
        ``aux_loss``; ``learning_rate`` and ``k`` at its end.
    n_iter_ : int
        Epochs done; the first one counts however soon Ctrl-C ends it.
    n_features_in_, feature_names_in_
        As of all estimators.

    Examples
    --------
    >>> import numpy as np, sae_fast as sf
    >>> rng = np.random.default_rng(0)
    >>> atoms = rng.normal(size=(32, 16))
    >>> X = np.where(rng.random((2000, 32)) < 0.1, 1, 0) @ atoms
    >>> model = sf.KSparseAutoencoder(64, k=4, max_iter=5, batch_size=256, learning_rate=3e-3, random_state=0).fit(X)
    >>> codes = model.transform(X)
    >>> codes.shape, codes.dtype, int(np.diff(codes.indptr).max())
    ((2000, 64), dtype('float32'), 4)
    """

    _learned = ("encoder_", "history_", "n_iter_", "n_features_in_", "feature_names_in_", "_training", "_unit_")
    _write = save
    _no_onnx = "its codes are sparse"

    def __init__(
        self,
        n_components: int = 4096,
        k: int = 32,
        *,
        architecture: Activation = "topk",
        matryoshka: Sequence[int] | None = None,
        recipe: RecipeName = "openai",
        max_iter: int = 10,
        batch_size: int = 2048,
        learning_rate: float | None = None,
        warm_up: float | None = None,
        decay: float | None = None,
        k_anneal: float | None = None,
        aux_k: int | None = None,
        aux_weight: float | None = None,
        dead_after: int | None = None,
        multi_k: int | None = None,
        l1: float | None = None,
        l0: float | None = None,
        dtype: str = "float32",
        sparse_output: bool = True,
        random_state: Any = None,
        n_threads: int | None = None,
        verbose: int = 0,
        callback: Callable[[dict[str, Any]], object] | None = None,
    ) -> None:
        self.n_components = n_components
        self.k = k
        self.architecture = architecture
        self.matryoshka = matryoshka
        self.recipe = recipe
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.warm_up = warm_up
        self.decay = decay
        self.k_anneal = k_anneal
        self.aux_k = aux_k
        self.aux_weight = aux_weight
        self.dead_after = dead_after
        self.multi_k = multi_k
        self.l1 = l1
        self.l0 = l0
        self.dtype = dtype
        self.sparse_output = sparse_output
        self.random_state = random_state
        self.n_threads = n_threads
        self.verbose = verbose
        self.callback = callback

    # Fitting

    def fit(
        self,
        X: ArrayLike | Source | Iterable[ArrayLike],
        y: object = None,
        *,
        spool: str | PathLike[str] | None = None,
        checkpoint: str | PathLike[str] | None = None,
        checkpoint_every: float | None = None,
        resume_from: str | PathLike[str] | None = None,
    ) -> Self:
        """Learn a dictionary from the samples.

        Arrays of float16, float32 and float64 are read as they lie, memory maps too, minibatch by minibatch. A
        :class:`Source` or iterable of arrays is read in windows of some 64 MiB whose samples are shuffled: data that
        are sorted should be shuffled beforehand. The start is made of the first 32768 samples.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features), Source or iterable of arrays
        y : None
            Ignored.
        spool, checkpoint, checkpoint_every, resume_from
            As for :meth:`SparseAutoencoder.fit`: a run that was killed, and resumed, ends with the same bytes.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            NaN, infinity, a parameter out of its range, ``k`` above ``n_components``; a loss that is not finite; an
            iterator that gives its rows once, without ``spool``; a checkpoint of another model, of other settings or
            other samples. The estimator is then as it was.
        OSError
            A file cannot be read or written.
        KeyboardInterrupt
            Only before the first minibatch is done. Later, Ctrl-C ends the fit with the parameters so far and a
            warning.
        """
        groups = self._check_parameters()
        keeper = keeper_of(checkpoint, checkpoint_every, resume_from)
        with opened(X, spool) as given, anew(self, self._learned):
            samples = self._learn_columns(given)
            if keeper is not None:
                for block in samples if isinstance(samples, Source) else [samples]:
                    keeper.digest.update(block)
            rng = rng_of(self.random_state) if keeper is None else keeper.open(self, None)
            n, n_steps = len(samples), -(-len(samples) // self.batch_size)
            plan = self._plan(samples, n, n_steps * self.max_iter)
            first = _first_rows(samples)
            self._unit_ = unit_of(first, np.dtype(self.dtype))
            training = self._begin(first, plan, groups, rng, keeper)
            batches = Minibatches(samples, self.batch_size, int(rng.randint(2**31 - 1)))
            training.run(batches, self.max_iter, self.verbose, self.callback)
            self._keep(training)
        return self

    def partial_fit(self, X: ArrayLike | Source | Iterable[ArrayLike], y: object = None) -> Self:
        """Go on with one pass of minibatches over these samples.

        Any :class:`Source` or iterable of arrays will do, also one that gives its rows once. The learning rate is that
        of the recipe, or ``learning_rate``, throughout. The first call learns the unit of the samples and makes the
        start; after ``fit`` it goes on from there. The optimiser's state continues from call to call, though not
        through pickles, and begins anew with ``fit``; what ``set_params`` changes counts from then on.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            As for :meth:`fit`. The model is then as it was before the call, but for the optimiser's state, which begins
            anew; so it is after Ctrl-C.
        """
        groups = self._check_parameters()
        first = not hasattr(self, "encoder_")
        if not first:
            self._check_unchanged()
        with restoring(self, self._learned):
            training: Training | None = self.__dict__.pop("_training", None)
            for piece in self._pieces(X, first):
                if training is None:
                    training = self._go_on(piece, groups)
                else:
                    training.use(self._plan(piece, 2**62, 0), check_n_threads(self.n_threads))
                rng = rng_of(self.random_state) if first else np.random.RandomState(training.n_steps)
                batches = Minibatches(piece, self.batch_size, int(rng.randint(2**31 - 1)))
                for minibatch in batches.epoch(training.n_iter):
                    training.step(minibatch)
            if training is None:
                raise ValueError("X must have at least one row, got none")
            training.end_epoch()
            self._keep(training)
            self._training = training
        return self

    def _pieces(self, X: Any, first: bool) -> Iterable[NDArray[Any]]:
        if not is_source(X):
            return [self._array(X, reset=first)]
        source = as_source(X)
        (set_columns if first else check_columns)(self, source)
        return windows(source, max(1, _SAMPLE // self.batch_size) * self.batch_size)

    def _go_on(self, piece: NDArray[Any], groups: tuple[int, ...]) -> Training:
        plan = self._plan(piece, 2**62, 0)
        if not hasattr(self, "encoder_"):
            rows = _first_rows(piece)
            self._unit_ = unit_of(rows, np.dtype(self.dtype))
            return self._begin(rows, plan, groups, rng_of(self.random_state), None)
        encoder, unit = self.encoder_, getattr(self, "_unit_", None) or unit_of(piece, self.encoder_.dtype)
        self._unit_ = unit
        names = "W_enc", "b_enc", "W_dec", "b_dec", "threshold", "b_gate", "r_mag"
        weights = {name: value for name in names if (value := getattr(encoder, name)) is not None}
        trainer = trainer_of(in_units(weights, 1 / unit), encoder.activation, groups, plan)
        training = Training(trainer, plan, unit, check_n_threads(self.n_threads))
        training.history = {name: self.history_[name].tolist() for name in HISTORY}
        return training

    def _begin(self, rows: NDArray[np.float64], plan: Plan, groups: tuple[int, ...], rng: Any, keeper: Any) -> Training:
        """A training of new weights, for samples like these, which are divided by the unit where they are."""
        recipe = plan.recipe
        rows /= self._unit_
        unit_output = min(self.k, self.n_components) if recipe.unit_output else 0
        weights = weights_of(
            rows,
            self.n_components,
            self.architecture,
            np.dtype(self.dtype),
            rng,
            b_dec=recipe.b_dec,
            unit_output=unit_output if self.architecture in ("topk", "batchtopk") else 0,
            threshold=recipe.threshold,
        )
        trainer = trainer_of(weights, self.architecture, groups, plan)
        return Training(trainer, plan, self._unit_, check_n_threads(self.n_threads), keeper)

    def _plan(self, samples: Any, n_samples: int, n_steps: int) -> Plan:
        given = {name: getattr(self, name) for name in OVERRIDES}
        shape = self.n_components, self.n_features_in_
        return plan_of(self.recipe, given, int(self.k), shape, n_samples, n_steps)

    def _keep(self, training: Training) -> None:
        training.check()
        weights = in_units(training.weights(), self._unit_)
        topk = self.architecture == "topk"
        names = getattr(self, "feature_names_in_", None)
        self.encoder_ = KSparseEncoder(
            **weights,
            k=int(self.k) if topk else None,
            activation=self.architecture,
            feature_names=None if names is None else [str(name) for name in names],
        )
        self.history_ = {name: np.array(training.history[name], np.float64) for name in HISTORY}
        self.n_iter_ = training.n_iter

    # Checks

    def _check_parameters(self) -> tuple[int, ...]:
        """All parameters; the ends of the groups."""
        self._check_training()
        return check_ksparse(self.get_params(deep=False))

    def _check_unchanged(self) -> None:
        fitted = {"n_components": self.encoder_.n_latents, "architecture": self.encoder_.activation}
        for name, value in (fitted | {"dtype": str(self.encoder_.dtype)}).items():
            if getattr(self, name) != value:
                raise ValueError(f"{name} must stay {value!r} in partial_fit, got {getattr(self, name)!r}: fit anew")

    def _learn_columns(self, X: Any) -> NDArray[Any] | Source:
        if not isinstance(X, Source):
            return self._array(X, reset=True)
        set_columns(self, X)
        return X

    def _array(self, X: ArrayLike, *, reset: bool) -> NDArray[Any]:
        """Samples in memory, or mapped, of the dtype that they have."""
        found: NDArray[Any] = validate_data(self, X, dtype=_NUMBERS, reset=reset, ensure_all_finite=False)
        names = getattr(self, "feature_names_in_", None)
        check_finite(found, None if names is None else list(names), "X")
        return found

    # Use

    def transform(self, X: ArrayLike | Source | Iterable[ArrayLike], k: int | None = None) -> Any:
        """Codes of the samples.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features), Source or iterable of arrays
        k : int, optional
            Of ``"topk"``: in place of the model's own.

        Returns
        -------
        SparseCodes of shape (n_samples, n_components)
            A ``scipy.sparse.csr_array`` in ``dtype``, with sorted indices; an ndarray with ``sparse_output=False``.

        Raises
        ------
        TypeError, ValueError
            They name the argument.
        """
        check_is_fitted(self)
        if is_source(X):
            codes = SparseCodes(scipy.sparse.vstack([self._encode(block, k) for block in blocks_of(self, X)]))
        else:
            codes = self._encode(self._array(X, reset=False), k)  # type: ignore[arg-type]
        return codes if self.sparse_output else codes.toarray()

    def _encode(self, X: NDArray[Any], k: int | None = None) -> Any:
        return self.encoder_(X, k=k, n_threads=self.n_threads)

    def inverse_transform(self, X: Any) -> FloatArray:
        """Reconstructions from codes ``X`` (n_samples, n_components), sparse or dense."""
        check_is_fitted(self)
        codes = X if scipy.sparse.issparse(X) else scipy.sparse.csr_array(check_codes(X, self._n_features_out))
        return self.encoder_.decode(codes, n_threads=self.n_threads)

    def reconstruct(self, X: ArrayLike, k: int | None = None) -> FloatArray:
        """Reconstructions of the samples, ``inverse_transform(transform(X, k))``."""
        check_is_fitted(self)
        self._refuse_source(X)
        return self.encoder_.decode(self._encode(self._array(X, reset=False), k), n_threads=self.n_threads)

    def evaluate(
        self, X: ArrayLike | Source | Iterable[ArrayLike], k: int | None = None, *, fvu: str = "total"
    ) -> dict[str, Any]:
        """How well the codes of samples reconstruct them; see :meth:`KSparseEncoder.evaluate`."""
        check_is_fitted(self)
        data = as_source(X) if is_source(X) else self._array(X, reset=False)  # type: ignore[arg-type]
        return self.encoder_.evaluate(data, k, fvu=fvu, n_threads=self.n_threads)

    def score(self, X: ArrayLike | Source | Iterable[ArrayLike], y: object = None) -> float:
        """The fraction of variance that is explained, ``1 - evaluate(X)["fvu"]``; larger is better."""
        return 1.0 - float(self.evaluate(X)["fvu"])

    def fold(self) -> KSparseEncoder:
        """The :class:`KSparseEncoder` of the model, which needs no scikit-learn."""
        check_is_fitted(self)
        return self.encoder_

    @property
    def components_(self) -> FloatArray:
        """The dictionary: decoder weights W_dec, shape (n_components, n_features)."""
        return self.encoder_.W_dec

    @property
    def _n_features_out(self) -> int:
        return self.encoder_.n_latents

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()
        return {name: value for name, value in state.items() if name != "_training"}

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = [self.dtype]
        return tags


def _first_rows(samples: NDArray[Any] | Source) -> NDArray[np.float64]:
    """A copy of them."""
    if isinstance(samples, Source):
        return np.array(next(iter(windows(samples, min(_SAMPLE, len(samples))))), np.float64)
    return np.array(samples[:_SAMPLE], np.float64)


register(KSPARSE_MODEL, partial(estimator_from, KSparseAutoencoder))
