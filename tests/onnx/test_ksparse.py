"""K-sparse encoders as ONNX: codes, latents with their values, and reconstructions, in ONNX Runtime."""

from __future__ import annotations

import numpy as np
import pytest

import sae_fast as sf
from sae_fast.onnx import _ksparse
from sae_fast.onnx._graph import numbers
from sae_fast.onnx._ksparse_proof import disagreement
from tests.helpers.onnx_models import about, run

onnx = pytest.importorskip("onnx")
RNG = np.random.default_rng(2)
N, D = 50, 12
W, V = RNG.normal(size=(N, D)), RNG.normal(size=(N, D))
B, C = RNG.normal(size=N), RNG.normal(size=D)
X = RNG.normal(size=(40, D)) * 2 + 1
KINDS = {
    "topk": {"k": 6},
    "topk, layer norm": {"k": 6, "normalize": "layer_norm"},
    "batchtopk": {"activation": "batchtopk", "threshold": 1.5},
    "jumprelu": {"activation": "jumprelu", "threshold": RNG.uniform(-1, 3, N)},
    "relu": {"activation": "relu", "apply_b_dec_to_input": False},
    "gated": {
        "activation": "gated",
        "b_gate": RNG.normal(size=N),
        "r_mag": RNG.normal(size=N) / 3,
        "normalize": "length",
    },
}


def encoder(name, dtype, width=D):
    options = {n: v.astype(dtype) if isinstance(v, np.ndarray) else v for n, v in KINDS[name].items()}
    return sf.KSparseEncoder(*(a.astype(dtype) for a in (W, B, V[:, :width], C[:width])), **options)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", KINDS)
def test_outputs_are_the_encoders(name, dtype):
    """Codes, reconstructions in the units of the samples, and the largest latents in falling order."""
    ours, data = encoder(name, dtype), X.astype(dtype)
    data[3] = 0
    found = run(sf.onnx.to_onnx(ours), data)
    codes = ours(data)
    close = {"rtol": 1e-4, "atol": 1e-4} if dtype == np.float32 else {"rtol": 1e-10, "atol": 1e-10}
    np.testing.assert_allclose(found["codes"], codes.toarray(), **close)
    np.testing.assert_allclose(found["reconstruction"], ours.decode(codes, X=data), **close)
    assert ("indices" in found) == (ours.activation == "topk")
    if "indices" in found:
        indices, values = ours.top(data)
        assert np.array_equal(found["indices"], indices)
        np.testing.assert_allclose(found["values"], values, **close)


def test_latents_alone_make_no_dense_codes():
    """The file of a fitted model; ties go to the lower index, as here."""
    made = sf.onnx.to_onnx(encoder("topk", np.float32), outputs=("indices", "values"))
    assert [node.op_type for node in made.graph.node] == ["Sub", "Gemm", "TopK", "Relu", "Identity"]
    assert about(made)["model"] == "12 -> 50 (topk, k=6) -> 12 (linear)"
    eye = np.eye(4, dtype=np.float32)
    same = sf.KSparseEncoder(eye, np.ones(4, np.float32), eye, np.zeros(4, np.float32), k=2)
    assert run(sf.onnx.to_onnx(same), np.zeros((1, 4), np.float32))["indices"].tolist() == [[0, 1]]


def test_model_files_transcoders_and_errors(tmp_path):
    """A file of a fitted model; a decoder of another width; outputs that there are none of."""
    model = sf.KSparseAutoencoder(16, k=3, max_iter=1, batch_size=10, random_state=0).fit(X)
    model.save(tmp_path / "m.safetensors")
    sf.onnx.to_onnx(tmp_path / "m.safetensors", tmp_path / "m.onnx", outputs="codes", dtype=np.float64)
    made = onnx.load(tmp_path / "m.onnx")
    assert len(about(made)["model_file_checksum"]) == 64
    np.testing.assert_allclose(run(made, X)["codes"], model.transform(X).toarray(), rtol=1e-4, atol=1e-4)
    wide = encoder("relu", np.float64, width=5)
    assert run(sf.onnx.to_onnx(wide), X)["reconstruction"].shape == (40, 5)
    with pytest.raises(ValueError, match="outputs must be one or several of codes, reconstruction for this model"):
        sf.onnx.to_onnx(wide, outputs="indices")


def test_a_model_that_gives_something_else_is_not_written(monkeypatch):
    """Proved with ONNX Runtime, where it is there, before it is given."""
    pytest.importorskip("onnxruntime")
    for name in ("topk", "gated"):
        with monkeypatch.context() as patch:
            patch.setattr(_ksparse, "numbers", lambda graph, n, a: numbers(graph, n, np.asarray(a) * 1.3))
            with pytest.raises(RuntimeError, match=r"gives other .* than NumPy for 1 samples"):
                sf.onnx.to_onnx(encoder(name, np.float32))


def test_the_last_latent_of_topk_is_missed(monkeypatch):
    """One latent fewer than there must be is something else."""
    pytest.importorskip("onnxruntime")
    ours = encoder("topk", np.float32)
    made = sf.onnx.to_onnx(ours, outputs="codes")
    few = run(
        sf.onnx.to_onnx(sf.KSparseEncoder(ours.W_enc, ours.b_enc, ours.W_dec, ours.b_dec, k=5)),
        samples := X[:9].astype("f4"),
    )
    assert disagreement(ours, {"codes": run(made, samples)["codes"]}, samples) is None
    assert disagreement(ours, {"codes": few["codes"]}, samples) == "codes"
    assert disagreement(ours, {"reconstruction": few["reconstruction"]}, samples) == "reconstruction"
