"""sae-fast explain, and compare --k-sparse: what the functions give, and what is wrong usage."""

from __future__ import annotations

import json

import numpy as np
import pytest

import sae_fast as sf
from sae_fast.cli import main


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A model, rows, and a text for each, in the working directory."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    W = rng.normal(size=(12, 4)).astype(np.float32)
    sf.KSparseEncoder(W, np.zeros(12, np.float32), W, np.zeros(4, np.float32), k=2).save("m.safetensors")
    np.save("X.npy", rng.normal(size=(60, 4)).astype(np.float32))
    texts = "".join(f"text {i}: caf\N{LATIN SMALL LETTER E WITH ACUTE}\x1b[31m\n" for i in range(60))
    (tmp_path / "texts.txt").write_text("\ufeff" + texts, encoding="utf-8")
    return tmp_path


def test_explain(folder, capsys):
    """Rows from 1 with their texts, which steer no terminal; JSON has the same."""
    assert main(["explain", "m.safetensors", "X.npy", "--texts", "texts.txt", "--latent", "1,2", "--latent", "4"]) == 0
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    wanted = sf.top_examples(sf.load("m.safetensors"), np.load("X.npy"), [1, 2, 4])
    first = int(wanted[0].rows[0])
    assert f"row {first + 1:>2}  text {first}: caf\N{LATIN SMALL LETTER E WITH ACUTE}" in shown.splitlines()[1]
    command = ["explain", "m.safetensors", "X.npy", "--texts", "texts.txt", "--latent", "1,2,4", "--json", "-n", "3"]
    assert main(command) == 0
    for one, expected in zip(json.loads(capsys.readouterr().out), wanted, strict=True):
        assert [e["row"] - 1 for e in one["examples"]] == expected.rows[:3].tolist()
        assert all(e["text"].startswith(f"text {e['row'] - 1}: ") for e in one["examples"])


def test_explain_errors(folder, capsys):
    """Texts of another number than rows, before and after reading; what holds no k-sparse codes."""
    (folder / "short.txt").write_text("one\n", encoding="utf-8")
    np.savetxt("X.csv", np.load("X.npy"), delimiter=",")
    for data in ("X.npy", "X.csv"):
        assert main(["explain", "m.safetensors", data, "--texts", "short.txt", "--latent", "1"]) == 1
        said = capsys.readouterr().err
        assert f"short.txt must have a line for each of the 60 rows of {data}, got 1" in said
    sf.Encoder(sf.init_params(4, 3, random_state=0)).save("dense.safetensors")
    assert main(["explain", "dense.safetensors", "X.npy", "--latent", "1"]) == 1
    assert "dense.safetensors must hold a model of k-sparse codes, got Encoder" in capsys.readouterr().err
    assert main(["explain", "m.safetensors", "X.npy", "--latent", "12"]) == 1
    assert "latent must be in 0..11, got 12" in capsys.readouterr().err


def test_compare(folder, capsys):
    """The table of compare_k_sparse, with what is sought."""
    np.save("Q.npy", np.load("X.npy")[:9] + 0.1)
    np.save("R.npy", np.arange(9))
    command = ["compare", "--k-sparse", "m.safetensors", "X.npy", "--k", "1,2"]
    assert main([*command, "--queries", "Q.npy", "--relevant", "R.npy", "--json"]) == 0
    X = np.load("X.npy")
    model = {"m": sf.load("m.safetensors")}
    wanted = sf.compare_k_sparse(model, X, k=[1, 2], queries=np.load("Q.npy"), relevant=np.arange(9))
    assert json.loads(capsys.readouterr().out) == wanted.to_dict()
    assert main(command) == 0
    assert capsys.readouterr().out == f"{sf.compare_k_sparse(model, X, k=[1, 2])}\n"
    np.save("R.npy", np.full(9, 0.5))
    assert main([*command, "--queries", "Q.npy", "--relevant", "R.npy"]) == 1
    assert "R.npy must hold numbers of rows, integers from 0" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--k", "3"], "--k needs --k-sparse MODEL"),
        (["--k-sparse", "m.safetensors", "--rho", "0.1"], "--rho is not for --k-sparse"),
        (["--k-sparse", "m.safetensors", "--queries", "X.npy"], "--queries and --relevant: give both or none"),
    ],
)
def test_compare_usage(folder, capsys, options, words):
    """Options of one table with the other."""
    with pytest.raises(SystemExit):
        main(["compare", "X.npy", *options])
    assert words in capsys.readouterr().err
