"""The rows that excite a latent most."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, SupportsIndex, overload

import numpy as np
from numpy.typing import NDArray

from .._public import public_in
from ..network._checks import check_count
from ..streams._open import as_source
from ._encoder import KSparseEncoder
from ._samples import check_columns
from ._subject import encoder_of

_ENTRIES = 1 << 22  # of codes that are in memory at a time, at most


@public_in("sae_fast")
class TopExamples(NamedTuple):
    """The rows that excite a latent most.

    Attributes
    ----------
    latent : int
    rows : ndarray of shape (n,), int
        Numbers of the rows, from 0, the most excited first, of equal ones the earlier; fewer where fewer excite it.
    values : ndarray of shape (n,)
        Their activations.
    density : float
        Share of all rows that excite it.
    n_samples : int
        How many rows there are.
    """

    latent: int
    rows: NDArray[np.int64]
    values: NDArray[Any]
    density: float
    n_samples: int


@overload
def top_examples(
    model: Any, data: Any, latent: SupportsIndex, n: int = 10, *, k: int | None = None, n_threads: int | None = None
) -> TopExamples: ...
@overload
def top_examples(
    model: Any,
    data: Any,
    latent: Sequence[SupportsIndex],
    n: int = 10,
    *,
    k: int | None = None,
    n_threads: int | None = None,
) -> list[TopExamples]: ...


@public_in("sae_fast")
def top_examples(
    model: Any,
    data: Any,
    latent: SupportsIndex | Sequence[SupportsIndex],
    n: int = 10,
    *,
    k: int | None = None,
    n_threads: int | None = None,
) -> TopExamples | list[TopExamples]:
    """The rows of data that excite a latent most, or of several latents in one pass.

    All rows are looked at, block by block, and no more than a block and its codes are in memory.

    Parameters
    ----------
    model : KSparseEncoder or KSparseAutoencoder
    data : array, path, Source, or whatever else :func:`open_source` takes
        Rows of ``n_features`` numbers.
    latent : int or sequence of int
        Which one, in [0, n_latents).
    n : int
        How many rows at most.
    k, n_threads
        As for a call of :class:`KSparseEncoder`.

    Returns
    -------
    TopExamples, or a list of them, one for each of several latents in their order

    Raises
    ------
    TypeError, ValueError
        They name the argument, and the row that is not finite.
    OSError
        A file cannot be read.

    Examples
    --------
    >>> import numpy as np, sae_fast as sf
    >>> eye = np.eye(2)
    >>> encoder = sf.KSparseEncoder(eye, np.zeros(2), eye, np.zeros(2), k=1)
    >>> found = sf.top_examples(encoder, np.array([[1.0, 0], [0, 2], [3, 1], [1, 0]]), 0, n=2)
    >>> found.rows.tolist(), found.values.tolist(), found.density
    ([2, 0], [3.0, 1.0], 0.75)
    """
    encoder = encoder_of(model)
    several = isinstance(latent, (Sequence, np.ndarray))
    chosen: Any = latent if several else [latent]
    latents = [_check_latent(one, encoder.n_latents) for one in chosen]
    most = check_count("n", n)
    held: list[tuple[NDArray[Any], NDArray[np.int64]]] = [
        (np.empty(0, encoder.dtype), np.empty(0, np.int64)) for _ in latents
    ]
    counts = [0] * len(latents)
    n_samples = 0
    for first, size, codes in code_blocks(encoder, data, k, n_threads):
        n_samples = first + size
        for i, (rows, values) in enumerate(entries_of(codes, latents)):
            counts[i] += len(rows)
            both = np.concatenate([held[i][0], values])
            where = np.concatenate([held[i][1], first + rows])
            keep = np.argsort(-both, kind="stable")[:most]  # those held are of earlier rows
            held[i] = both[keep], where[keep]
    found = [
        TopExamples(one, rows, values, count / n_samples, n_samples)
        for one, (values, rows), count in zip(latents, held, counts, strict=True)
    ]
    return found if several else found[0]


def all_examples(
    encoder: KSparseEncoder, data: Any, latents: Sequence[int], k: int | None = None, n_threads: int | None = None
) -> list[TopExamples]:
    """As :func:`top_examples`, with all rows that excite them: their activations are in memory."""
    chosen = [_check_latent(one, encoder.n_latents) for one in latents]
    held: list[list[tuple[NDArray[np.int64], NDArray[Any]]]] = [[] for _ in chosen]
    n_samples = 0
    for first, size, codes in code_blocks(encoder, data, k, n_threads):
        n_samples = first + size
        for mine, (rows, values) in zip(held, entries_of(codes, chosen), strict=True):
            mine.append((first + rows, values))
    found = []
    for latent, mine in zip(chosen, held, strict=True):
        rows, values = (np.concatenate(some) for some in zip(*mine, strict=True))
        order = np.argsort(-values, kind="stable")
        found.append(TopExamples(latent, rows[order], values[order], len(rows) / n_samples, n_samples))
    return found


def entries_of(codes: Any, latents: Sequence[int]) -> Iterator[tuple[NDArray[np.int64], NDArray[Any]]]:
    """Of each of these latents the rows of CSR codes that excite it, rising, and their activations."""
    place = np.zeros(codes.shape[1], bool)
    place[list(latents)] = True
    some = np.flatnonzero(place[codes.indices])
    indices, values = codes.indices[some], codes.data[some]
    rows = np.searchsorted(codes.indptr, some, side="right").astype(np.int64) - 1
    for latent in latents:
        mine = indices == latent
        yield rows[mine], values[mine]


def code_blocks(
    encoder: KSparseEncoder, data: Any, k: int | None, n_threads: int | None
) -> Iterator[tuple[int, int, Any]]:
    """Codes of consecutive rows: number of the first, how many, CSR."""
    source = as_source(data)
    check_columns(source, encoder.n_features, encoder.feature_names, "data")
    step = max(1, _ENTRIES // encoder.n_latents)
    done = 0
    with contextlib.closing(source.passing()) as blocks:
        for block, *_ in blocks:
            for i in range(0, len(block), step):
                rows = block[i : i + step]
                yield done, len(rows), encoder(rows, k=k, n_threads=n_threads)
                done += len(rows)
    if not done:
        raise ValueError("data must hold at least one row, got none")


def _check_latent(latent: SupportsIndex, n_latents: int) -> int:
    number = check_count("latent", latent, 0)
    if number >= n_latents:
        raise ValueError(f"latent must be in 0..{n_latents - 1}, got {number}")
    return number
