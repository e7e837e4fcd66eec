"""Sparse autoencoders of other packages: codes by the formula that each publishes, or an error that says why not."""

from __future__ import annotations

import json
import pickle
import zipfile

import numpy as np
import pytest

import sae_fast as sf
from tests.helpers.damaged_saes import Damage
from tests.helpers.foreign_saes import write_safetensors, write_torch

D, N, K = 12, 40, 5
RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, D)).astype(np.float32)


def short(array):
    """Numbers that bfloat16 holds."""
    return (array.astype(np.float32).view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)


W, V = short(RNG.normal(size=(N, D))), short(RNG.normal(size=(N, D)))  # encoder, decoder
B, C = short(RNG.normal(size=N)), short(RNG.normal(size=D))
T, G, R = short(RNG.uniform(0, 2, N)), short(RNG.normal(size=N)), short(RNG.normal(size=N) / 4)
NORM = np.linalg.norm(V, axis=1)


def relu(z):
    return np.maximum(z, 0)


def topk(z, k=K):
    found = np.zeros_like(z)
    best = np.argsort(-z, axis=1, kind="stable")[:, :k]
    np.put_along_axis(found, best, relu(np.take_along_axis(z, best, 1)), 1)
    return found


def settings(path, config, name="cfg.json"):
    (path / name).write_text(json.dumps(config))


def saelens(path, kind="standard", *, more=None, bfloat16=(), **config):
    write_safetensors(
        path / "sae_weights.safetensors", {"W_enc": W.T, "W_dec": V, "b_dec": C} | (more or {"b_enc": B}), bfloat16
    )
    settings(
        path, {"architecture": kind, "d_in": D, "d_sae": N, "dtype": "float32", "apply_b_dec_to_input": True} | config
    )


def dictionary(path, told, **tensors):
    write_torch(path / "ae.pt", tensors)
    if told:
        settings(path, {"trainer": {"dict_class": told}, "buffer": {}}, "config.json")


LINEAR = {"encoder.weight": W, "encoder.bias": B, "decoder.weight": np.ascontiguousarray(V.T)}
THRESHOLDED = LINEAR | {"b_dec": C, "k": np.array(K, np.int32), "threshold": np.array(1.5, np.float32)}
MODERN = {"meta": {"sae_lens_version": "6.12.1"}, "normalize_activations": "none", "reshape_activations": "none"}
BATCH = {"b_enc": B, "topk_threshold": np.array(1.5)}
GATED = {"b_gate": G, "b_mag": B, "r_mag": R}
GATED_DICTIONARY = {"encoder.weight": W, "decoder.weight": np.ascontiguousarray(V.T), "decoder_bias": C}
GATED_DICTIONARY |= {"gate_bias": G, "mag_bias": B, "r_mag": R}
MATRICES = {"W_enc": np.ascontiguousarray(W.T), "b_enc": B, "W_dec": V, "b_dec": C}
MATRYOSHKA = MATRICES | {"k": np.array(K, np.int32), "threshold": np.array(1.5, np.float32)}
MATRYOSHKA |= {"group_sizes": np.array([10, 30], np.int64)}
HYPOTHESES = {"encoder.weight": W, "decoder.weight": np.ascontiguousarray(V.T), "input_bias": C, "neuron_bias": B}
HYPOTHESES |= {"threshold": np.array(1.5, np.float32)}
SENTENCE = {"pre_bias": C, "latent_bias": B, "stats_last_nonzero": np.zeros(N, np.int64)}
SENTENCE_CONFIG = {"input_dim": D, "hidden_dim": N, "k": K, "k_aux": 512, "normalize": False, "dead_threshold": 30}
OPENAI = {"pre_bias": C, "latent_bias": B, "encoder.weight": W, "decoder.weight": np.asfortranarray(V.T)}


def sentence(path, tensors, **config):
    write_safetensors(path / "model.safetensors", SENTENCE | tensors)
    settings(path, SENTENCE_CONFIG | config, "config.json")


def sparsify(path, **config):
    tensors = {"encoder.weight": W, "encoder.bias": B, "W_dec": V, "b_dec": C}
    write_safetensors(path / "sae.safetensors", tensors, bfloat16=tensors)
    settings(path, {"expansion_factor": 32, "normalize_decoder": True, "k": K, "d_in": D, "multi_topk": False} | config)


def gated(y):
    return (y + G > 0) * relu(np.exp(R) * y + B)


def jump(z):
    return z * (z > T)


def layer_norm(x):
    inner = x - x.mean(axis=1, keepdims=True)
    return inner / (inner.std(axis=1, ddof=1, keepdims=True) + 1e-5)


def to_length(x):
    return x * np.sqrt(D) / np.linalg.norm(x, axis=1, keepdims=True)


def above(z, threshold):
    return relu(z) * (z > threshold)


def openai(path, **activation):
    write_torch(path / "8.pt", OPENAI | {"activation": "TopK", "activation_state_dict": activation})


def hypotheses(path, **config):
    held = {"input_dim": D, "m_total_neurons": N, "k_active_neurons": K, "aux_k": None, "prefix_lengths": [10, N]}
    write_torch(path / "SAE_M=40_K=5.pt", {"config": held | config, "state_dict": HYPOTHESES})


SCOPE = {"act_fn": "jumprelu", "jump_relu_threshold": 0.75, "norm_activation": "dataset-wise", "d_model": D, "d_sae": N}
SCOPE |= {"dataset_average_activation_norm": {"in": 2.5, "out": 4.0}, "sparsity_include_decoder_norm": True}
SCOPE |= {"apply_decoder_bias_to_pre_encoder": False, "use_decoder_bias": True, "use_glu_encoder": False, "top_k": K}


def llama_scope(path, **config):
    (path / "checkpoints").mkdir()
    tensors = LINEAR | {"decoder.bias": C}
    write_safetensors(path / "checkpoints" / "final.safetensors", tensors, bfloat16=tensors)
    settings(path, SCOPE | config, "hyperparams.json")


INTO, OUT = np.sqrt(D) / 2.5, np.sqrt(D) / 4.0  # what Llama Scope multiplies samples and outputs with
LONG = np.linalg.norm(V * INTO / OUT, axis=1)

# How it is written, its codes, and its decoder.
LAYOUTS = {
    "saelens standard": (lambda p: saelens(p, **MODERN), lambda x: relu((x - C) @ W.T + B), V),
    "saelens old": (
        lambda p: saelens(p, activation_fn_str="relu", hook_point="a"),
        lambda x: relu((x - C) @ W.T + B),
        V,
    ),
    "saelens half": (
        lambda p: saelens(p, bfloat16=("W_enc", "b_enc", "b_dec"), dtype="bfloat16"),
        lambda x: relu((x - C) @ W.T + B),
        V,
    ),
    "saelens without b_dec": (lambda p: saelens(p, apply_b_dec_to_input=False), lambda x: relu(x @ W.T + B), V),
    "saelens topk": (lambda p: saelens(p, "topk", k=K, **MODERN), lambda x: topk((x - C) @ W.T + B), V),
    "saelens old topk": (
        lambda p: saelens(p, activation_fn_str="topk", activation_fn_kwargs={"k": K}),
        lambda x: topk((x - C) @ W.T + B),
        V,
    ),
    "saelens jumprelu": (
        lambda p: saelens(p, "jumprelu", more={"b_enc": B, "threshold": T}),
        lambda x: jump((x - C) @ W.T + B),
        V,
    ),
    "saelens gated": (lambda p: saelens(p, "gated", more=GATED), lambda x: gated((x - C) @ W.T), V),
    "saelens factor": (
        lambda p: saelens(p, more={"b_enc": B, "scaling_factor": T + 1}, finetuning_scaling_factor=True),
        lambda x: relu((x - C) @ W.T + B),
        V * (T + 1)[:, None],
    ),
    "saelens log_threshold": (
        lambda p: saelens(p, "jumprelu", more={"b_enc": B, "log_threshold": np.log(T + 0.1)}),
        lambda x: above((x - C) @ W.T + B, T + 0.1),
        V,
    ),
    "saelens batchtopk": (
        lambda p: saelens(p, "batchtopk", more=BATCH, k=K, rescale_acts_by_decoder_norm=True),
        lambda x: above(((x - C) @ W.T + B) * NORM, 1.5),
        V / NORM[:, None],
    ),
    "saelens rescaled topk": (
        lambda p: saelens(p, "topk", k=K, rescale_acts_by_decoder_norm=True),
        lambda x: topk(((x - C) @ W.T + B) * NORM),
        V / NORM[:, None],
    ),
    "saelens hook_z": (lambda p: saelens(p, reshape_activations="hook_z"), lambda x: relu((x - C) @ W.T + B), V),
    "saelens layer norm": (
        lambda p: saelens(p, "topk", k=K, normalize_activations="layer_norm"),
        lambda x: topk((layer_norm(x) - C) @ W.T + B),
        V,
    ),
    "saelens constant norm": (
        lambda p: saelens(p, normalize_activations="constant_norm_rescale", apply_b_dec_to_input=False),
        lambda x: relu(to_length(x) @ W.T + B),
        V,
    ),
    "saelens transcoder": (
        lambda p: saelens(p, "transcoder", d_out=D, apply_b_dec_to_input=False),
        lambda x: relu(x @ W.T + B),
        V,
    ),
    "saelens jumprelu transcoder": (
        lambda p: saelens(p, "jumprelu_transcoder", more={"b_enc": B, "threshold": T}, apply_b_dec_to_input=False),
        lambda x: jump(x @ W.T + B),
        V,
    ),
    "sparsify": (sparsify, lambda x: topk((x - C) @ W.T + B), V),
    "sparsify transcoder": (lambda p: sparsify(p, transcode=True), lambda x: topk(x @ W.T + B), V),
    "gemma scope": (
        lambda p: np.savez(p / "params.npz", W_enc=W.T, W_dec=V, b_enc=B, b_dec=C, threshold=T),
        lambda x: jump(x @ W.T + B),
        V,
    ),
    "sentence-transformers": (
        lambda p: sentence(p, {"encoder.weight": W, "decoder.linear.weight": W}),
        lambda x: topk((x - C) @ W.T + B),
        W,
    ),
    "sentence-transformers, the other name": (
        lambda p: sentence(p, {"decoder.linear.weight": W}),
        lambda x: topk((x - C) @ W.T + B),
        W,
    ),
    "sentence-transformers layer norm": (
        lambda p: sentence(p, {"encoder.weight": W}, normalize=True),
        lambda x: topk((layer_norm(x) - C) @ W.T + B),
        W,
    ),
    "hypothesaes": (hypotheses, lambda x: topk((x - C) @ W.T + B), V),
    "hypothesaes batch": (
        lambda p: hypotheses(p, use_batch_topk=True),
        lambda x: above((x - C) @ W.T + B, 1.5),
        V,
    ),
    "openai layer norm": (
        lambda p: openai(p, k=K, postact_fn="ReLU"),
        lambda x: topk((layer_norm(x) - C) @ W.T + B),
        V,
    ),
    "openai": (
        lambda p: write_torch(p / "8.pt", OPENAI | {"activation": "ReLU", "activation_state_dict": {}}),
        lambda x: relu((x - C) @ W.T + B),
        V,
    ),
    "AutoEncoder": (
        lambda p: dictionary(p, None, **LINEAR, bias=C),
        lambda x: relu((x - C) @ W.T + B) * NORM,
        V / NORM[:, None],
    ),
    "AutoEncoderNew": (
        lambda p: dictionary(p, "AutoEncoderNew", **LINEAR, **{"decoder.bias": C}),
        lambda x: relu(x @ W.T + B),
        V,
    ),
    "AutoEncoderTopK": (
        lambda p: dictionary(p, "AutoEncoderTopK", **THRESHOLDED),
        lambda x: topk(relu((x - C) @ W.T + B)),
        V,
    ),
    "BatchTopKSAE": (
        lambda p: dictionary(p, "BatchTopKSAE", **THRESHOLDED),
        lambda x: (lambda a: a * (a > 1.5))(relu((x - C) @ W.T + B)),
        V,
    ),
    "AutoEncoderTopK without threshold": (
        lambda p: dictionary(p, "AutoEncoderTopK", **{name: THRESHOLDED[name] for name in (*LINEAR, "b_dec", "k")}),
        lambda x: topk(relu((x - C) @ W.T + B)),
        V,
    ),
    "MatryoshkaBatchTopKSAE": (
        lambda p: dictionary(p, "MatryoshkaBatchTopKSAE", **MATRYOSHKA),
        lambda x: above((x - C) @ W.T + B, 1.5),
        V,
    ),
    "GatedAutoEncoder": (
        lambda p: dictionary(p, None, **GATED_DICTIONARY),
        lambda x: gated((x - C) @ W.T),
        V,
    ),
    "JumpReluAutoEncoder": (
        lambda p: dictionary(p, None, W_enc=W.T.copy(), b_enc=B, W_dec=V, b_dec=C, threshold=T),
        lambda x: jump(x @ W.T + B),
        V,
    ),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_codes_are_those_of_the_published_formula(tmp_path, name):
    """And reconstructions; read from the folder, and from the file of weights in it."""
    write, formula, decoder = LAYOUTS[name]
    write(tmp_path)
    weights = next(p for p in tmp_path.iterdir() if p.suffix != ".json")
    places = [weights] if weights.suffix == ".pt" and weights.name != "ae.pt" else [tmp_path, weights]
    wanted = formula(X.astype(np.float64))
    for place in places:
        encoder = sf.load_sae(place)
        assert encoder.dtype == np.float32
        codes = encoder(X)
        assert 0 < codes.nnz < codes.shape[0] * codes.shape[1]
        np.testing.assert_allclose(codes.toarray(), wanted, rtol=1e-6, atol=1e-5)
        np.testing.assert_allclose(encoder.decode(codes), wanted @ decoder + C, rtol=1e-5, atol=1e-4)


def test_sharded_weights(tmp_path):
    """Tensors of several files, which an index names."""
    parts = {"a.safetensors": {"encoder.weight": W, "pre_bias": C}, "b.safetensors": {"latent_bias": B}}
    for name, tensors in parts.items():
        write_safetensors(tmp_path / name, tensors)
    places = {tensor: name for name, tensors in parts.items() for tensor in tensors}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))
    settings(tmp_path, SENTENCE_CONFIG, "config.json")
    wanted = topk((X - C) @ W.T + B)
    np.testing.assert_allclose(sf.load_sae(tmp_path)(X).toarray(), wanted, rtol=1e-5, atol=1e-5)
    (tmp_path / "model.safetensors.index.json").write_text(
        json.dumps({"weight_map": places | {"x": "../a.safetensors"}})
    )
    with pytest.raises(sf.ModelFileError, match="weight_map of names of files beside it"):
        sf.load_sae(tmp_path)


def test_whole_models_of_sentence_transformers(tmp_path):
    """The folder of the model names the one of its sparse autoencoder."""
    (tmp_path / "2_SparseAutoEncoder").mkdir()
    sentence(tmp_path / "2_SparseAutoEncoder", {"encoder.weight": W})
    write_safetensors(tmp_path / "model.safetensors", {"embeddings": W})  # of the transformer
    modules = [
        {"idx": i, "name": str(i), "path": "", "type": "sentence_transformers.models.Transformer"} for i in (0, 1)
    ]
    module = {"idx": 2, "path": "2_SparseAutoEncoder", "type": "sentence_transformers.sparse_encoder.SparseAutoEncoder"}
    settings(tmp_path, [*modules, module], "modules.json")
    wanted = topk((X - C) @ W.T + B)
    np.testing.assert_allclose(sf.load_sae(tmp_path)(X).toarray(), wanted, rtol=1e-5, atol=1e-5)
    for wrong in (modules, [module, module], [module | {"path": "../x"}], [3]):
        settings(tmp_path, wrong, "modules.json")
        with pytest.raises(sf.ModelFileError, match="must name one SparseAutoEncoder, got"):
            sf.load_sae(tmp_path)
    settings(tmp_path, {}, "modules.json")
    with pytest.raises(sf.ModelFileError, match="must hold a list in JSON"):
        sf.load_sae(tmp_path)


def test_half_precision_and_double(tmp_path):
    """float16 becomes float32 and loses nothing; float64 stays."""
    for dtype, wanted in ((np.float16, np.float32), (np.float64, np.float64)):
        arrays = {"W_enc": W.T, "W_dec": V, "b_enc": B, "b_dec": C, "threshold": T}
        np.savez(tmp_path / "params.npz", **{name: array.astype(dtype) for name, array in arrays.items()})
        encoder = sf.load_sae(tmp_path)
        assert encoder.dtype == wanted
        assert np.array_equal(encoder.W_enc, W.astype(dtype).astype(wanted))


def test_our_own_files(tmp_path):
    """What KSparseEncoder.save wrote."""
    sf.KSparseEncoder(W, B, V, C, k=K).save(tmp_path / "own.safetensors")
    for format in ("auto", "sae_fast"):
        assert (sf.load_sae(tmp_path / "own.safetensors", format)(X) != sf.KSparseEncoder(W, B, V, C, k=K)(X)).nnz == 0


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (lambda p: saelens(p, normalize_activations="batch"), "normalize_activations 'batch'.*no encoder"),
        (lambda p: saelens(p, normalize_activations=True), "in none of its files; give it as norm_scaling_factor"),
        (lambda p: saelens(p, d_in=N), "must have weights for d_in 40, got 12"),
        (lambda p: saelens(p, "batchtopk", more=BATCH), "must have rescale_acts_by_decoder_norm"),
        (lambda p: saelens(p, "gated", more=GATED, rescale_acts_by_decoder_norm=True), "with architecture 'gated'"),
        (lambda p: saelens(p, "transcoder", d_out=7), "must have b_dec for d_out 7"),
        (lambda p: saelens(p, "skip_transcoder"), "'skip_transcoder', whose outputs contain W_skip x"),
        (lambda p: saelens(p, activation_fn="tanh-relu"), "activation_fn 'tanh-relu'"),
        (lambda p: saelens(p, "topk"), "must have k an integer >= 1, got None"),
        (lambda p: saelens(p, "topk", k=N + 1), "does not hold a whole saelens model: k must be <= 40"),
        (lambda p: saelens(p, apply_b_dec_to_input="yes"), "must have apply_b_dec_to_input true or false"),
        (lambda p: saelens(p, more={"b_enc": B, "extra": B}), "beyond what is understood, the tensors extra"),
        (lambda p: saelens(p, "jumprelu"), "lacks the tensors threshold"),
        (lambda p: saelens(p, more={"b_enc": B, "scaling_factor": T + 1}), "scaling_factor, of which its settings say"),
        (lambda p: saelens(p, more={"b_enc": B[1:]}), r"an encoder \(40, 12\) with biases \(39,\)"),
        (lambda p: (saelens(p), settings(p, {})), "needs the settings of cfg.json beside it"),
        (
            lambda p: dictionary(p, "AutoEncoder", **LINEAR | {"encoder.weight": W.T, "bias": C}),
            r"an encoder \(12, 40\)",
        ),
        (lambda p: saelens(p, more={"b_enc": B * np.float32("nan")}), "b_enc must be finite"),
        (lambda p: sparsify(p, activation="groupmax"), "activation 'groupmax'"),
        (lambda p: sparsify(p, skip_connection=True), "skip_connection True"),
        (lambda p: sentence(p, {"encoder.weight": W}, normalize=1), "must have normalize true or false, got 1"),
        (lambda p: sparsify(p, gram_lookup=True), "gram_lookup True"),
        (lambda p: llama_scope(p, use_glu_encoder=True), "use_glu_encoder True"),
        (lambda p: llama_scope(p, norm_activation="batch-wise"), "norm_activation 'batch-wise'"),
        (lambda p: llama_scope(p, dataset_average_activation_norm={"in": 0}), r"norm\['in'\] a positive number, got 0"),
        (lambda p: llama_scope(p, jump_relu_threshold=-1), "jump_relu_threshold a number >= 0, got -1"),
        (lambda p: llama_scope(p, d_sae=N + 1), "must have weights for d_sae 41, got 40"),
        (lambda p: sentence(p, {"encoder.weight": W, "decoder.weight": V}), "must have one weight under the names"),
        (lambda p: dictionary(p, None, **THRESHOLDED), "no dict_class"),
        (
            lambda p: dictionary(p, "MatryoshkaBatchTopKSAE", **MATRYOSHKA | {"group_sizes": np.array([9])}),
            "group_sizes",
        ),
        (lambda p: dictionary(p, "CrossCoder", **LINEAR), "dict_class 'CrossCoder'"),
        (
            lambda p: dictionary(p, "AutoEncoderTopK", **THRESHOLDED | {"k": np.array(2.5)}),
            "must have k an integer >= 1",
        ),
        (lambda p: dictionary(p, "AutoEncoderTopK", **LINEAR), "lacks the tensors b_dec, k"),
        (lambda p: settings(p, {}), "must hold one of sae_weights.safetensors, .*; it has cfg.json"),
        (lambda p: (p / "params.npz").write_bytes(b"PK"), "params.npz is damaged.*no zip archive"),
        (lambda p: (p / "ae.pt").write_bytes(b"\x80\x02}."), "no zip archive, as torch.save has written them since"),
        (lambda p: np.savez(p / "params.npz", a=np.array([{}], object)), "no .npz file of plain arrays"),
    ],
)
def test_what_cannot_be_mapped_is_refused(tmp_path, write, words):
    """With words that say what was found and what is understood."""
    write(tmp_path)
    with pytest.raises(sf.ModelFileError, match=words):
        sf.load_sae(tmp_path)


def test_openai_with_codes_that_may_be_negative(tmp_path):
    """TopK alone, without ReLU behind it."""
    openai(tmp_path, k=K, postact_fn="Identity")
    with pytest.raises(sf.ModelFileError, match="activation 'TopK' with postact_fn 'Identity'"):
        sf.load_sae(tmp_path / "8.pt")


@pytest.mark.parametrize("subtract", [True, False])
@pytest.mark.parametrize("act_fn", ["jumprelu", "relu", "topk"])
def test_llama_scope(tmp_path, act_fn, subtract):
    """Biases in the units of the samples, decoder rows of length 1; read from all three places."""
    threshold = 0.75 if act_fn == "jumprelu" else 0
    llama_scope(tmp_path, act_fn=act_fn, jump_relu_threshold=threshold, apply_decoder_bias_to_pre_encoder=subtract)
    z = ((X.astype(np.float64) - C / OUT * subtract) @ W.T + B / INTO) * LONG
    wanted = topk(z) if act_fn == "topk" else above(z, threshold)
    for place in (tmp_path, tmp_path / "checkpoints" / "final.safetensors"):
        encoder = sf.load_sae(place)
        codes = encoder(X)
        np.testing.assert_allclose(codes.toarray(), wanted, rtol=1e-6, atol=1e-5)
        decoder = V * INTO / OUT / LONG[:, None]
        np.testing.assert_allclose(encoder.decode(codes), wanted @ decoder + C / OUT, rtol=1e-5, atol=1e-4)


def test_llama_scope_of_single_samples(tmp_path):
    """Each sample to the same length, and codes without the decoder's."""
    llama_scope(tmp_path, norm_activation="token-wise", sparsity_include_decoder_norm=False)
    wanted = above(to_length(X.astype(np.float64)) @ W.T + B, 0.75)
    np.testing.assert_allclose(sf.load_sae(tmp_path)(X).toarray(), wanted, rtol=1e-6, atol=1e-5)


def test_a_factor_on_samples_that_no_file_has(tmp_path):
    """It must be given, where it is needed and nowhere else."""
    saelens(tmp_path, "jumprelu", more={"b_enc": B, "threshold": T}, normalize_activations="expected_average_only_in")
    encoder = sf.load_sae(tmp_path, norm_scaling_factor=0.25)
    wanted = jump((X.astype(np.float64) * 0.25 - C) @ W.T + B)
    codes = encoder(X)
    np.testing.assert_allclose(codes.toarray(), wanted, rtol=1e-6, atol=1e-5)
    np.testing.assert_allclose(encoder.decode(codes), (wanted @ V + C) * 4, rtol=1e-5, atol=1e-3)
    with pytest.raises(sf.ModelFileError, match="norm_scaling_factor a positive number, got -1"):
        sf.load_sae(tmp_path, norm_scaling_factor=-1)
    saelens(tmp_path)
    with pytest.raises(sf.ModelFileError, match="needs no norm_scaling_factor: it has normalize_activations None"):
        sf.load_sae(tmp_path, norm_scaling_factor=0.25)
    np.savez(tmp_path / "params.npz", **MATRICES, threshold=T)
    with pytest.raises(ValueError, match=r"norm_scaling_factor is for files of SAELens, and .* is gemma-scope"):
        sf.load_sae(tmp_path / "params.npz", norm_scaling_factor=2)


OURS = {
    "topk": {"k": K},
    "batchtopk": {"activation": "batchtopk", "threshold": 1.25},
    "jumprelu": {"activation": "jumprelu", "threshold": T},
    "relu": {"activation": "relu", "normalize": "layer_norm"},
    "gated": {"activation": "gated", "b_gate": G, "r_mag": R, "normalize": "length"},
    "without b_dec": {"activation": "relu", "apply_b_dec_to_input": False},
}


@pytest.mark.parametrize("name", OURS)
def test_saelens_layout_back(tmp_path, name):
    """What is written in SAELens' layout gives the same codes, to the last bit, and the same reconstructions."""
    encoder = sf.KSparseEncoder(W, B, V, C, **OURS[name])
    encoder.save(tmp_path / "a" / "b", format="saelens", golden=X[:5])
    assert sorted(p.name for p in (tmp_path / "a" / "b").iterdir()) == [
        "cfg.json",
        "golden.npz",
        "sae_weights.safetensors",
    ]
    again = sf.load_sae(tmp_path / "a" / "b")
    codes = encoder(X)
    assert (again(X) != codes).nnz == 0
    assert np.array_equal(again.decode(codes, X=X), encoder.decode(codes, X=X))


def test_transcoders_in_saelens_layout(tmp_path):
    """Of another width; those that SAELens has none of are refused before anything is written."""
    options = {"apply_b_dec_to_input": False}
    encoder = sf.KSparseEncoder(W, B, V[:, :7], C[:7], activation="jumprelu", threshold=T, **options)
    encoder.save(tmp_path / "t", format="saelens")
    again = sf.load_sae(tmp_path / "t")
    assert again.n_outputs == 7
    assert (again(X) != encoder(X)).nnz == 0
    with pytest.raises(ValueError, match="relu, batchtopk or jumprelu to be a transcoder of SAELens, got topk"):
        sf.KSparseEncoder(W, B, V[:, :7], C[:7], k=K, **options).save(tmp_path / "u", format="saelens")
    assert not (tmp_path / "u").exists()
    for wrong, words in (
        ({"format": "torch"}, "format must be 'sae_fast' or 'saelens', got 'torch'"),
        ({"golden": X}, "golden must be None with format='sae_fast'"),
        ({"format": "saelens", "golden": X[:, 1:]}, "X must have 12 features|X must have shape"),
    ):
        with pytest.raises(ValueError, match=words):
            encoder.save(tmp_path / "v", **wrong)


def test_golden_codes(tmp_path):
    """A model that gives other codes than those beside it is refused; so is a file that holds something else."""
    sparsify(tmp_path)
    wanted = topk((X - C) @ W.T + B)
    np.savez(tmp_path / "golden.npz", X=X, codes=wanted)
    assert sf.load_sae(tmp_path).k == K
    other = wanted.copy()
    other[7, np.argmax(other[7])] *= 1.01
    np.savez(tmp_path / "golden.npz", X=X, codes=other)
    with pytest.raises(sf.ModelFileError, match=r"other codes .* for sample 7, of a length of"):
        sf.load_sae(tmp_path)
    np.savez(tmp_path / "golden.npz", X=X, codes=wanted)
    settings(tmp_path, json.loads((tmp_path / "cfg.json").read_text()) | {"transcode": True})
    with pytest.raises(sf.ModelFileError, match="says other codes than the model beside it gives"):
        sf.load_sae(tmp_path)
    for held, words in (
        ({"X": X}, "must hold X .* and codes, got X"),
        ({"X": X, "codes": wanted[:, 1:]}, "finite codes of shape"),
        ({"X": X[:, 1:], "codes": wanted}, "samples that the model takes"),
    ):
        np.savez(tmp_path / "golden.npz", **held)
        with pytest.raises(sf.ModelFileError, match=words):
            sf.load_sae(tmp_path)


@pytest.mark.parametrize("format", ["torch", 3, None])
def test_unknown_formats(tmp_path, format):
    """The error names those that are known."""
    with pytest.raises(ValueError, match="format must be one of auto, sae_fast, saelens"):
        sf.load_sae(tmp_path, format)


class _Evil:
    def __reduce__(self):
        return print, ("run",)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_pickles_run_nothing(tmp_path, capsys, protocol):
    """What names a function is refused, in a state dict and beside one."""
    for thing in (_Evil(), {"encoder.weight": _Evil()}, np.zeros(3), {"a": slice(3)}):
        with zipfile.ZipFile(tmp_path / "ae.pt", "w") as archive:
            archive.writestr("ae/data.pkl", pickle.dumps(thing, protocol))
        with pytest.raises(sf.ModelFileError, match=r"only running its code could load|does what no state dict does"):
            sf.load_sae(tmp_path)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_protocols_of_pickle(tmp_path, protocol):
    """torch.save takes any; later ones name classes by another opcode."""
    write_torch(tmp_path / "ae.pt", LINEAR | {"bias": C}, protocol=protocol)
    assert sf.load_sae(tmp_path).activation == "relu"


def test_whole_modules_are_named(tmp_path):
    """Of a module that was pickled as a whole, the error names the class, before anything is made of it."""
    (tmp_path / "ae.pt").write_bytes(b"")
    with zipfile.ZipFile(tmp_path / "ae.pt", "w") as archive:
        archive.writestr("ae/data.pkl", pickle.dumps(zipfile.ZipInfo("x"), 2))
    with pytest.raises(sf.ModelFileError, match=r"it holds a copy_reg.*_reconstructor|it holds a zipfile.ZipInfo"):
        sf.load_sae(tmp_path)


def test_a_threshold_in_an_array(tmp_path):
    """One number of shape (1,) is that number."""
    more = {"b_enc": B, "topk_threshold": np.array([1.5])}
    saelens(tmp_path, "batchtopk", more=more, rescale_acts_by_decoder_norm=True)
    encoder = sf.load_sae(tmp_path)
    assert (encoder.activation, encoder.threshold) == ("batchtopk", 1.5)


def test_records_that_are_larger_than_the_file(tmp_path):
    """Compressed records, and tensors that reach beyond theirs, are no torch file's."""
    write_torch(tmp_path / "ae.pt", LINEAR | {"bias": C}, zipfile.ZIP_DEFLATED)
    with pytest.raises(sf.ModelFileError, match="has not the size that it must have"):
        sf.load_sae(tmp_path)


@pytest.mark.parametrize(
    "name", ["saelens half", "sparsify", "gemma scope", "AutoEncoderTopK", "openai", "hypothesaes"]
)
def test_damaged_files_are_refused_or_equal(tmp_path, name):
    """Bytes and settings changed, cut off and added anywhere: refused, or what the file says; never a half."""
    damage = Damage(LAYOUTS[name][0], tmp_path, seed=1)
    found = [damage.verdict() for _ in range(120)]
    assert found.count("refused") > 60
    assert sf.load_sae(damage.weights).n_latents == N
