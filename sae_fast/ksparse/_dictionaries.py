"""How alike the rows of dictionaries are: those of one to one another, and those of one to a known other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._public import public_in
from ..network._rows import real_rows
from ._encoder import KSparseEncoder
from ._subject import encoder_of

_BYTES = 1 << 25  # of the products that are in memory at a time
Array = NDArray[np.float64]


@public_in("sae_fast")
class DictionaryMatch(NamedTuple):
    """How well a dictionary contains the atoms of a known one.

    Attributes
    ----------
    mmcs : float
        Mean over the atoms of the largest cosine to any row; rows may be the best of several atoms.
    similarity : float
        Mean over the pairs of ``matching`` of their cosines: no row serves twice.
    matching : ndarray of shape (n_atoms,), int
        The row of each atom, of all one-to-one matchings the one of largest sum of cosines; -1 for atoms that are left
        over, where there are fewer rows than atoms.
    similarities : ndarray of shape (n_atoms,)
        Cosines of the pairs; NaN where there is none.
    largest : ndarray of shape (n_atoms,)
        Of each atom, the largest cosine to any row, whose mean is ``mmcs``.
    """

    mmcs: float
    similarity: float
    matching: NDArray[np.intp]
    similarities: Array
    largest: Array


@public_in("sae_fast")
def match_dictionary(dictionary: Any, atoms: ArrayLike) -> DictionaryMatch:
    """Match the rows of a dictionary with the atoms of a known one, by their cosines.

    Parameters
    ----------
    dictionary : KSparseEncoder, KSparseAutoencoder or array_like of shape (n_latents, n_features)
        Whose rows are looked for; of a model, those of its decoder.
    atoms : array_like of shape (n_atoms, n_features)
        What is known. The sign of a row matters: what points the other way has cosine -1.

    Returns
    -------
    DictionaryMatch
        ``mmcs``, mean maximum cosine similarity (Sharkey, Braun & Millidge, "Taking features out of superposition with
        sparse autoencoders", 2022); ``matching``, by SciPy's ``linear_sum_assignment`` (Crouse 2016, after Kuhn's
        Hungarian method, 1955).

    Raises
    ------
    TypeError, ValueError
        Arrays of other shapes, or that are not finite; a row of zeros, which has no direction, among the atoms. Those
        of the dictionary have cosine 0 to everything.

    Examples
    --------
    >>> import numpy as np, sae_fast as sf
    >>> atoms = np.eye(3)
    >>> found = sf.match_dictionary(np.array([[0, 2.0, 0], [1, 0, 1], [0.5, 0, 0], [0, 0, 0]]), atoms)
    >>> found.matching.tolist(), round(found.mmcs, 3), found.similarities.round(3).tolist()
    ([2, 0, 1], 0.902, [1.0, 1.0, 0.707])
    """
    from scipy.optimize import linear_sum_assignment

    rows = _matrix(_decoder(dictionary), "dictionary")
    known = _matrix(atoms, "atoms")
    if known.shape[1] != rows.shape[1]:
        raise ValueError(f"atoms must have shape (n_atoms, {rows.shape[1]}), as the dictionary, got {known.shape}")
    if not known.any(axis=1).all():
        raise ValueError(f"atoms must be no rows of zeros, got one as row {int(np.argmin(known.any(axis=1)))}")
    cosines = unit_rows(known) @ unit_rows(rows).T
    matching = np.full(len(known), -1, np.intp)
    similarities = np.full(len(known), np.nan)
    pairs, chosen = linear_sum_assignment(cosines, maximize=True)
    matching[pairs], similarities[pairs] = chosen, cosines[pairs, chosen]
    largest = cosines.max(axis=1)
    return DictionaryMatch(float(largest.mean()), float(np.nanmean(similarities)), matching, similarities, largest)


@public_in("sae_fast")
class LatentSimilarities(NamedTuple):
    """Of each latent, the largest cosine to another one.

    Attributes
    ----------
    decoder, encoder : ndarray of shape (n_latents,)
        Between rows of ``W_dec``, and of ``W_enc``: near 1 where latents repeat one another. Rows of zeros have cosine
        0 to everything.
    decoder_nearest, encoder_nearest : ndarray of shape (n_latents,), int
        Which one; of equal ones the first.
    """

    decoder: Array
    encoder: Array
    decoder_nearest: NDArray[np.intp]
    encoder_nearest: NDArray[np.intp]


@public_in("sae_fast")
def latent_similarities(model: Any) -> LatentSimilarities:
    """Of each latent the largest cosine to another one, of decoder and encoder: do latents repeat one another?

    Parameters
    ----------
    model : KSparseEncoder or KSparseAutoencoder
        With at least 2 latents; ``n_latents x n_latents`` cosines are never in memory together.

    Returns
    -------
    LatentSimilarities

    Raises
    ------
    TypeError, ValueError
        Another model, or one of a single latent.

    Examples
    --------
    >>> import numpy as np, sae_fast as sf
    >>> W = np.array([[1.0, 0], [0, 1], [1, 1]])
    >>> found = sf.latent_similarities(sf.KSparseEncoder(W, np.zeros(3), W[::-1].copy(), np.zeros(2), k=1))
    >>> found.decoder.round(3).tolist(), found.encoder_nearest.tolist()
    ([0.707, 0.707, 0.707], [2, 2, 0])
    """
    encoder = encoder_of(model)
    if encoder.n_latents < 2:
        raise ValueError(f"model must have at least 2 latents, got {encoder.n_latents}")
    decoder, decoder_nearest = _nearest(encoder.W_dec)
    found, encoder_nearest = _nearest(encoder.W_enc)
    return LatentSimilarities(decoder, found, decoder_nearest, encoder_nearest)


def _nearest(W: NDArray[Any]) -> tuple[Array, NDArray[np.intp]]:
    rows = unit_rows(W.astype(np.float64))
    parts = []
    for first, cosines in _products(rows):
        here = np.arange(len(cosines))
        cosines[here, first + here] = -np.inf
        nearest = cosines.argmax(axis=1)
        parts.append((cosines[here, nearest], nearest))
    largest, places = (np.concatenate(some) for some in zip(*parts, strict=True))
    return largest, places


def _products(rows: Array) -> Iterator[tuple[int, Array]]:
    step = max(1, _BYTES // (8 * len(rows)))
    for first in range(0, len(rows), step):
        yield first, rows[first : first + step] @ rows.T


def unit_rows(rows: Array) -> Array:
    """Each row divided by its length, however large or small its numbers are; rows of zeros stay."""
    most = np.abs(rows).max(axis=1, keepdims=True)
    scaled = rows / np.where(most > 0, most, 1.0)
    length = np.linalg.norm(scaled, axis=1, keepdims=True)
    found: Array = scaled / np.where(length > 0, length, 1.0)
    return found


def _decoder(dictionary: Any) -> Any:
    given = isinstance(dictionary, KSparseEncoder) or hasattr(dictionary, "encoder_")
    return encoder_of(dictionary, "dictionary").W_dec if given else dictionary


def _matrix(given: Any, name: str) -> Array:
    array = real_rows(given, name)
    if array.ndim != 2 or array.size == 0:
        raise ValueError(f"{name} must have shape (n, n_features), both >= 1, got {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, got NaN or infinity")
    return array.astype(np.float64)
