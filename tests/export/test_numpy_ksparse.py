"""K-sparse encoders as modules of NumPy: the same codes."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

import sae_fast as sf
from sae_fast.cli import main

RNG = np.random.default_rng(4)
N, D = 50, 12
W, V = RNG.normal(size=(N, D)), RNG.normal(size=(N, D))
B, C = RNG.normal(size=N), RNG.normal(size=D)
X = RNG.normal(size=(40, D)) * 2 + 1
KINDS = {
    "topk": {"k": 6},
    "topk, layer norm": {"k": 6, "normalize": "layer_norm"},
    "batchtopk": {"activation": "batchtopk", "threshold": 1.5, "normalize": "length"},
    "jumprelu": {"activation": "jumprelu", "threshold": RNG.uniform(-1, 3, N)},
    "relu": {"activation": "relu", "apply_b_dec_to_input": False},
    "gated": {"activation": "gated", "b_gate": RNG.normal(size=N), "r_mag": RNG.normal(size=N) / 3},
}


def module(path):
    spec = importlib.util.spec_from_file_location("exported", path)
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", KINDS)
def test_codes_are_the_encoders(tmp_path, name, dtype):
    """Dense, of samples of any number; the largest latents in falling order."""
    options = {n: v.astype(dtype) if isinstance(v, np.ndarray) else v for n, v in KINDS[name].items()}
    encoder = sf.KSparseEncoder(*(a.astype(dtype) for a in (W, B, V, C)), **options)
    sf.export_numpy(encoder, tmp_path / "e.py")
    made, data = module(tmp_path / "e.py"), X.astype(dtype)
    data[3] = 0
    close = {"rtol": 1e-4, "atol": 1e-4} if dtype == np.float32 else {"rtol": 1e-11, "atol": 1e-11}
    codes = made.encode(data)
    assert codes.dtype == dtype
    np.testing.assert_allclose(codes, encoder(data).toarray(), **close)
    np.testing.assert_allclose(made.encode(data[:1]), encoder(data[:1]).toarray(), **close)
    if encoder.activation == "topk":
        assert np.array_equal(made.top(data)[0], encoder.top(data)[0])
        np.testing.assert_allclose(made.top(data, k=2)[1], encoder.top(data, k=2)[1], **close)
    other = tmp_path / "f.py"
    other.write_text((tmp_path / "e.py").read_text())
    sf.export_numpy(sf.KSparseEncoder(2 * W, B, V, C, k=6), tmp_path / "g.py")
    (tmp_path / "g.npz").rename(tmp_path / "f.npz")
    with pytest.raises(ImportError, match="belongs to another one"):
        module(other)


def test_command(tmp_path, capsys):
    """Of a fitted model's file, and of a folder of another package; C has no words for it."""
    model = sf.KSparseAutoencoder(16, k=3, max_iter=1, batch_size=10, random_state=0).fit(X)
    model.save(tmp_path / "m.safetensors")
    model.fold().save(tmp_path / "lens", format="saelens")
    for place in ("m.safetensors", "lens"):
        out = tmp_path / "e.py"
        assert main(["export", str(tmp_path / place), "--format", "numpy", "-o", str(out)]) == 0
        np.testing.assert_allclose(module(out).encode(X), model.transform(X).toarray(), rtol=1e-4, atol=1e-4)
        out.unlink()
    assert main(["export", str(tmp_path / "m.safetensors"), "--format", "c", "-o", str(tmp_path / "e.c")]) == 1
    assert "k-sparse" in capsys.readouterr().err
