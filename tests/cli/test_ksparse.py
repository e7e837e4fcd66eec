"""sae-fast explain, and compare --k-sparse: what the functions give, and what is wrong usage."""

from __future__ import annotations

import json

import numpy as np
import pytest
import safetensors.numpy
from scipy import sparse

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


def test_transform(folder, capsys):
    """CSR that SciPy reads, and lines of JSON, are the encoder's codes, to the last bit; columns are carried along."""
    X = np.load("X.npy")
    encoder = sf.load("m.safetensors")
    assert main(["transform", "m.safetensors", "X.npy", "-o", "codes.npz"]) == 0
    codes = sparse.load_npz("codes.npz")
    assert isinstance(codes, sparse.csr_array)
    assert codes.dtype == np.float32
    assert (codes != encoder(X)).nnz == 0
    assert main(["transform", "m.safetensors", "X.npy", "--k", "1"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    wanted = encoder(X, k=1)
    for line, row in zip(lines, wanted.toarray(), strict=True):
        assert line["indices"] == np.nonzero(row)[0].tolist()
        assert np.array_equal(np.array(line["values"], np.float32), row[row > 0])
    table = np.column_stack([np.arange(60), X])
    np.savetxt("X.csv", table, delimiter=",", header="id,a,b,c,d", comments="", fmt="%.9g")
    assert main(["transform", "m.safetensors", "X.csv", "--keep", "id", "-o", "codes.jsonl"]) == 0
    first = json.loads((folder / "codes.jsonl").read_text().splitlines()[1])
    assert str(first["id"]) == "1"
    assert first["indices"] == np.nonzero(encoder(X[1:2]).toarray()[0])[0].tolist()


def test_transform_by_models_of_others(folder):
    """A folder of SAELens' is a model, and so is a fitted estimator."""
    encoder = sf.load("m.safetensors")
    encoder.save("lens", format="saelens")
    assert main(["transform", "lens", "X.npy", "-o", "codes.npz"]) == 0
    assert (sparse.load_npz("codes.npz") != encoder(np.load("X.npy"))).nnz == 0
    model = sf.KSparseAutoencoder(8, k=2, max_iter=1, batch_size=20, random_state=0).fit(np.load("X.npy"))
    model.save("fitted.safetensors")
    assert main(["transform", "fitted.safetensors", "X.npy", "-o", "codes.npz"]) == 0
    assert (sparse.load_npz("codes.npz") != model.transform(np.load("X.npy"))).nnz == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["m.safetensors", "X.npy", "-o", "c.csv"], "k-sparse codes are written to .npz or .jsonl (or -), got 'c.csv'"),
        (["m.safetensors", "X.npy", "-o", "c.npz", "--keep", "id"], "keep"),
        (["m.safetensors", "X.npy", "--layer", "0"], "--layer is not for k-sparse codes"),
        (["m.safetensors", "X.npy", "--k", "13"], "--k must be at most 12, the number of latents, got 13"),
        (
            ["dense.safetensors", "X.npy", "--k", "1"],
            "--k is for k-sparse codes, and dense.safetensors holds",
        ),
        (["dense.safetensors", "X.npy", "-o", "c.jsonl"], ".jsonl is for k-sparse codes, and dense.safetensors holds"),
        (["m.safetensors", "short.npy"], "short.npy must have 4 columns, as the model, got 3"),
        (["no", "X.npy"], "no: No such file or directory"),
    ],
)
def test_transform_errors(folder, capsys, options, words):
    """Nothing is written, and one line says why."""
    sf.Encoder(sf.init_params(4, 3, random_state=0)).save("dense.safetensors")
    np.save("short.npy", np.ones((2, 3)))
    before = sorted(p.name for p in folder.iterdir())
    assert main(["transform", *options]) == 1
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    assert sorted(p.name for p in folder.iterdir()) == before


def test_transform_to_a_file_of_an_unknown_kind(folder, capsys):
    """What there is is told."""
    with pytest.raises(SystemExit):
        main(["transform", "m.safetensors", "X.npy", "-o", "c.txt"])
    assert "got 'c.txt'; that of k-sparse codes in .npz or .jsonl" in capsys.readouterr().err


def test_info(folder, capsys):
    """What was recognised in a folder of another package, what was folded, and that known codes are the same."""
    W = np.ones((3, 4), np.float32)
    bias = {"W_dec": 2 * W, "b_enc": W[0, :3] * 0, "b_dec": W[0] * 0}
    (folder / "lens").mkdir()
    safetensors.numpy.save_file({"W_enc": np.ascontiguousarray(W.T)} | bias, "lens/sae_weights.safetensors")
    settings = {"architecture": "topk", "k": 1, "d_in": 4, "rescale_acts_by_decoder_norm": True}
    (folder / "lens" / "cfg.json").write_text(json.dumps(settings | {"normalize_activations": "layer_norm"}))
    np.savez("lens/golden.npz", X=np.zeros((2, 4)), codes=np.zeros((2, 3)))
    for place in ("lens", "lens/sae_weights.safetensors"):
        assert main(["info", place]) == 0
        shown = capsys.readouterr().out
        assert "format               saelens" in shown
        assert "folded               lengths of decoder rows, into the weights of the encoder" in shown
        assert "compared             codes of 2 samples are those beside it" in shown
        assert main(["info", place, "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["normalize"] == "layer_norm"
        assert found["k"] == 1
        assert len(found["folded"]) == 1
    (folder / "lens" / "cfg.json").write_text(json.dumps(settings | {"architecture": "skip_transcoder"}))
    assert main(["info", "lens"]) == 1
    assert "'skip_transcoder', whose outputs contain W_skip x" in capsys.readouterr().err


def test_pictures_are_drawn(folder, capsys):
    """--plot of both writes that of the library beside what is printed; other comparisons have none."""
    explain = ["explain", "m.safetensors", "X.npy", "--latent", "1,2"]
    assert main(explain) == 0
    wanted = capsys.readouterr().out
    assert main([*explain, "--texts", "texts.txt", "--plot", "latents.svg"]) == 0
    picture = (folder / "latents.svg").read_text(encoding="utf-8")
    assert picture.count('<g id="axes_') == 2
    assert main([*explain, "--plot", "latents.png"]) == 0
    assert capsys.readouterr().out.endswith(wanted)
    compare = ["compare", "--k-sparse", "m.safetensors", "--k", "1,2", "X.npy"]
    assert main([*compare, "--plot", "pareto.png"]) == 0
    sf.plot.save(
        sf.plot.pareto(sf.compare_k_sparse({"m": sf.load("m.safetensors")}, np.load("X.npy"), k=(1, 2))), "w.png"
    )
    assert (folder / "pareto.png").read_bytes() == (folder / "w.png").read_bytes()
    capsys.readouterr()
    assert main([*explain, "--plot", "nowhere/latents.png"]) == 1
    assert "nowhere" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main(["explain", "m.safetensors", "X.npy", "--latent", ",".join("1" * 21), "--plot", "latents.png"])
    assert "--plot draws 20 latents at most, got 21" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main(["compare", "X.npy", "--plot", "pareto.png"])
    assert "--plot needs --k-sparse MODEL" in capsys.readouterr().err


def test_plot(folder, capsys):
    """The pictures of k-sparse models are those of the functions; other models have none of them."""
    X = np.load("X.npy")
    model = sf.KSparseAutoencoder(12, k=2, max_iter=2, batch_size=20, random_state=0).fit(X)
    model.save("fitted.safetensors")
    for command, draw in (
        (["m.safetensors", "X.npy", "--kind", "densities"], lambda: sf.plot.densities(sf.load("m.safetensors"), X)),
        (["fitted.safetensors", "--kind", "dead-latents"], lambda: sf.plot.dead_latents(model)),
    ):
        assert main(["plot", *command, "-o", "found.png"]) == 0
        sf.plot.save(draw(), "wanted.png")
        assert (folder / "found.png").read_bytes() == (folder / "wanted.png").read_bytes()
    sf.SparseAutoencoder(3, max_iter=3, random_state=0).fit(np.abs(X) / 10).save("dense.safetensors")
    capsys.readouterr()
    for name in ("m", "dense"):
        assert main(["plot", f"{name}.safetensors", "--kind", "dead-latents"]) == 1
        assert f"{name}.safetensors must hold a k-sparse autoencoder" in capsys.readouterr().err
    assert main(["plot", "dense.safetensors", "X.npy", "--kind", "densities"]) == 1
    assert "dense.safetensors must hold a model of k-sparse codes" in capsys.readouterr().err
    assert main(["plot", "fitted.safetensors"]) == 1
    assert "of which --kind dead-latents or densities is drawn" in capsys.readouterr().err
