"""``sae-fast fit --k``: k-sparse autoencoders on the command line."""

from __future__ import annotations

import numpy as np
import pytest

import sae_fast as sf
from sae_fast.cli import main

WORDS = ["--k", "3", "--n-components", "24", "--batch-size", "64", "--max-iter", "2", "--random-state", "0", "--quiet"]


@pytest.fixture
def table(tmp_path):
    """A table with names, and its samples."""
    X = np.random.default_rng(0).normal(size=(300, 6))
    path = tmp_path / "X.csv"
    np.savetxt(path, X, delimiter=",", header="a,b,c,d,e,f", comments="", fmt="%.17g")
    return path, X


@pytest.mark.parametrize("more", [[], ["--stream"], ["--checkpoint", "run.ckpt"], ["--dtype", "float64"]])
def test_the_model_is_that_of_python(table, tmp_path, monkeypatch, capsys, more):
    """The file holds what the estimator learns from the same samples, and the names of the columns."""
    monkeypatch.chdir(tmp_path)
    path, X = table
    out = tmp_path / "m.safetensors"
    assert main(["fit", str(path), "-o", str(out), *WORDS, "--architecture", "jumprelu", *more]) == 0
    found = sf.load(out)
    wanted = sf.KSparseAutoencoder(
        24, k=3, architecture="jumprelu", batch_size=64, max_iter=2, random_state=0, dtype=found.dtype
    ).fit(X)
    assert found.dtype == ("float64" if "float64" in more else "float32")
    assert list(found.feature_names_in_) == list("abcdef")
    np.testing.assert_array_equal(found.components_, wanted.components_)
    assert "300 samples, 6 -> 24 latents, 2 epochs" in capsys.readouterr().err
    assert main(["info", str(out)]) == 0
    assert "jumprelu" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--rho", "0.1"], "--rho is not for k-sparse autoencoders"),
        (["--solver", "adam"], "--solver is not for k-sparse autoencoders"),
        (["--no-fine-tune"], "--no-fine-tune is not for k-sparse autoencoders"),
        (["--k", "25"], "--k must be at most --n-components, 24, got 25"),
        (["--k", "0"], "must be >= 1, got 0"),
        (["--architecture", "sparse"], "invalid choice: 'sparse'"),
    ],
)
def test_wrong_usage(table, tmp_path, capsys, more, words):
    """Options that say nothing to a k-sparse autoencoder are refused before anything is read."""
    with pytest.raises(SystemExit) as end:
        main(["fit", str(table[0]), "-o", str(tmp_path / "m.safetensors"), *WORDS, *more])
    assert end.value.code == 2
    assert words in capsys.readouterr().err


def test_commands_that_take_none(table, tmp_path, capsys):
    """Scores are of other models."""
    out = tmp_path / "m.safetensors"
    main(["fit", str(table[0]), "-o", str(out), *WORDS])
    assert main(["score", str(out), str(table[0])]) == 1
    assert "holds a KSparseAutoencoder, which this command does not take" in capsys.readouterr().err
