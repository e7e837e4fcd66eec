"""match_dictionary and latent_similarities: cosines of every pair, and the best of all matchings."""

from __future__ import annotations

import numpy as np
import pytest

import sae_fast as sf
from sae_fast import reference


def assert_same(found, wanted):
    for name, value in wanted._asdict().items():
        np.testing.assert_allclose(getattr(found, name), value, rtol=1e-7, atol=1e-12, err_msg=name)


@pytest.mark.parametrize(("n_rows", "n_atoms"), [(6, 4), (5, 5), (7, 1), (3, 6), (1, 2)])
def test_best_of_all_matchings(n_rows, n_atoms):
    """The matching has the largest sum of cosines that any choice of rows has."""
    rng = np.random.default_rng(n_rows)
    rows, atoms = rng.normal(size=(n_rows, 3)).astype(np.float32), rng.normal(size=(n_atoms, 3))
    found = sf.match_dictionary(rows, atoms)
    assert_same(found, reference.match_dictionary(rows, atoms))
    assert found.mmcs >= found.similarity - 1e-12 or n_rows < n_atoms


def test_equal_cosines_and_rows_of_zeros():
    """Where several matchings are best, their sum is; zeros are like nothing."""
    rows = np.array([[1.0, 0], [2, 0], [0, 0], [0, 4], [-1, 0]])
    atoms = np.array([[3.0, 0], [1, 0], [0, 1], [1, 1]])
    found, wanted = sf.match_dictionary(rows, atoms), reference.match_dictionary(rows, atoms)
    np.testing.assert_allclose(found.largest, wanted.largest)
    assert (found.mmcs, found.similarity) == (pytest.approx(wanted.mmcs), pytest.approx(wanted.similarity))
    assert wanted.similarity == pytest.approx(3 / 4)  # (1, 1) is left with the zeros
    assert len(set(found.matching)) == 4


def test_scales_signs_and_order_of_atoms():
    """Lengths do not count, even those that float64 cannot square; directions do; a shuffled dictionary is found."""
    rng = np.random.default_rng(0)
    atoms = rng.normal(size=(20, 32))
    order = rng.permutation(20)
    scale = np.logspace(-200, 200, 20)[:, None]
    found = sf.match_dictionary(atoms[order] * scale, atoms)
    assert found.mmcs == pytest.approx(1)
    np.testing.assert_array_equal(order[found.matching], np.arange(20))
    assert sf.match_dictionary(-atoms[:1], atoms[:1]).mmcs == pytest.approx(-1)


def test_fewer_rows_than_atoms():
    """Atoms that are left over have no row, and no similarity; the mean is over pairs."""
    found = sf.match_dictionary(np.array([[0.0, 3.0]]), np.eye(2))
    assert found.matching.tolist() == [-1, 0]
    np.testing.assert_array_equal(found.similarities, [np.nan, 1])
    assert (found.similarity, found.mmcs) == (1.0, 0.5)


def test_a_model_is_its_decoder():
    """Of an encoder the rows of W_dec are matched, of a fitted model those of its encoder."""
    rng = np.random.default_rng(1)
    W_enc, W_dec = rng.normal(size=(2, 9, 4))
    encoder = sf.KSparseEncoder(W_enc, np.zeros(9), W_dec, np.zeros(4), k=2)
    atoms = rng.normal(size=(3, 4))
    assert sf.match_dictionary(encoder, atoms).mmcs == sf.match_dictionary(W_dec, atoms).mmcs
    X = rng.normal(size=(64, 4)).astype(np.float32)
    model = sf.KSparseAutoencoder(9, k=2, max_iter=1, random_state=0).fit(X)
    assert sf.match_dictionary(model, atoms).mmcs == sf.match_dictionary(model.encoder_.W_dec, atoms).mmcs
    assert len(sf.latent_similarities(model).decoder) == 9
    assert sf.top_examples(model, X, 1).n_samples == 64
    assert sf.compare_k_sparse(model, X).rows[0].k == 2


def test_similarities_by_blocks(monkeypatch):
    """The largest cosine to another latent, whatever share of them is looked at together; zeros are like nothing."""
    rng = np.random.default_rng(2)
    W_enc, W_dec = rng.normal(size=(2, 33, 5))
    W_dec[7], W_dec[20] = 3 * W_dec[31], 0
    encoder = sf.KSparseEncoder(W_enc, np.zeros(33), W_dec, np.zeros(5), k=2)
    monkeypatch.setattr("sae_fast.ksparse._dictionaries._BYTES", 33 * 8 * 4)
    found = sf.latent_similarities(encoder)
    wanted = reference.latent_similarities(reference.KSparseEncoder(W_enc, np.zeros(33), W_dec, np.zeros(5)))
    assert (found.decoder_nearest[7], found.decoder_nearest[31]) == (31, 7)
    # Of two rows of one direction, rounding decides which one is nearer to the others.
    one, other = (np.where(some.decoder_nearest == 31, 7, some.decoder_nearest) for some in (found, wanted))
    assert_same(found._replace(decoder_nearest=one), wanted._replace(decoder_nearest=other))
    assert found.decoder[20] == 0


def test_the_first_of_equally_near_latents():
    """Rows of one direction, of opposite ones, and of none: the first of equal cosines is the nearest."""
    W = np.array([[1.0, 0], [4, 0], [0, 2], [2, 0], [-1, 0], [0, 0]])
    weights = W, np.zeros(6), W[::-1].copy(), np.zeros(2)
    found = sf.latent_similarities(sf.KSparseEncoder(*weights, k=1))
    assert_same(found, reference.latent_similarities(reference.KSparseEncoder(*weights, k=1)))
    assert found.encoder_nearest.tolist() == [1, 0, 0, 0, 2, 0]


def test_errors():
    """What has no direction, no fit, or is no dictionary."""
    with pytest.raises(ValueError, match=r"atoms must have shape \(n_atoms, 3\), as the dictionary, got \(2, 2\)"):
        sf.match_dictionary(np.ones((4, 3)), np.eye(2))
    with pytest.raises(ValueError, match="atoms must be no rows of zeros, got one as row 1"):
        sf.match_dictionary(np.ones((4, 2)), np.array([[1, 0], [0, 0]]))
    with pytest.raises(ValueError, match="dictionary must be finite"):
        sf.match_dictionary(np.full((4, 2), np.nan), np.eye(2))
    with pytest.raises(ValueError, match=r"dictionary must have shape \(n, n_features\)"):
        sf.match_dictionary(np.ones(4), np.eye(2))
    with pytest.raises(TypeError, match="model must be a KSparseEncoder or a fitted KSparseAutoencoder, got ndarray"):
        sf.latent_similarities(np.eye(3))
    with pytest.raises(TypeError, match="or a fitted KSparseAutoencoder, got KSparseAutoencoder"):
        sf.latent_similarities(sf.KSparseAutoencoder(9, k=2))
    single = sf.KSparseEncoder(np.eye(1), np.zeros(1), np.eye(1), np.zeros(1), k=1)
    with pytest.raises(ValueError, match="at least 2 latents, got 1"):
        sf.latent_similarities(single)
