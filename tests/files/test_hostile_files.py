"""Damaged and hostile model files of every kind: an error, or the model that the file says it is, and no more."""

from __future__ import annotations

import os
import threading

import pytest

import sae_fast as sf
from sae_fast.cli import main
from sae_fast.files._model_file import ModelFileError
from sae_fast.files._model_parameters import BY_LAYER, DETECTOR_PARAMETERS, HYPER_PARAMETERS, STACK_PARAMETERS
from tests.helpers.hostile_files import FEW, KINDS, Generator, X, serialised, stored, try_many


@pytest.mark.parametrize("kind", KINDS)
def test_files_are_refused_or_what_they_say(tmp_path, kind):
    """Changed bytes, headers, fields and tensors, most of them with a valid checksum, give ModelFileError alone."""
    counts = try_many(kind, 150, 7, tmp_path)
    assert counts["refused"] > 100
    assert sum(counts.values()) == 150


@pytest.mark.parametrize("kind", ["SparseAutoencoder", "Encoder", "StackedAutoencoderClassifier"])
def test_info_shows_or_refuses_them(tmp_path, kind, capsys):
    """On the command line too: what loads is shown, in lines that steer no terminal; all else is one line."""
    generator = Generator(kind, 3, tmp_path)
    path = tmp_path / "m.safetensors"
    for _ in range(100):
        path.write_bytes(next(generator)[0])
        code = main(["info", str(path)])
        captured = capsys.readouterr()
        assert captured.out.replace("\n", "").isprintable()
        assert (code, len(captured.err.splitlines())) in ((0, 0), (1, 1))


@pytest.mark.parametrize(
    ("estimator", "checks"),
    [
        (sf.SparseAutoencoder, HYPER_PARAMETERS),
        (sf.SparseAutoencoderOutlierDetector, HYPER_PARAMETERS | DETECTOR_PARAMETERS),
        (sf.StackedAutoencoder, STACK_PARAMETERS),
        (sf.StackedAutoencoderClassifier, STACK_PARAMETERS),
    ],
)
def test_every_parameter_of_an_estimator_has_a_check(estimator, checks):
    """What an estimator learns to take, its file checks too, and the defaults pass."""
    defaults = {k: v for k, v in estimator().get_params().items() if k != "callback"}
    by_layer = {*BY_LAYER, "fine_tune_weight_decay"} if checks is STACK_PARAMETERS else set()
    assert set(defaults) - by_layer <= set(checks)
    for name, check in checks.items():
        if name in defaults:
            check(name, defaults[name])
        with pytest.raises((TypeError, ValueError), match=r"must be|must name|must have"):
            check(name, "many")


@pytest.mark.parametrize(
    "wrong",
    [
        {"rho": 7},
        {"n_components": "many"},
        {"hidden": "swish"},
        {"hidden": "relu"},
        {"loss": "softmax"},
        {"l1": -1},
        {"verbose": "loud"},
    ],
)
def test_a_file_that_could_not_be_read_is_not_written(tmp_path, wrong):
    """Parameters that were spoilt after the fit, and weights that are not finite, are an error, and no file."""
    model = sf.SparseAutoencoder(4, **FEW).fit(X)
    with pytest.raises((TypeError, ValueError), match=r"m cannot be written: .*must be"):
        model.set_params(**wrong).save(tmp_path / "m")
    model = sf.SparseAutoencoder(4, **FEW).fit(X)
    model.params_.b2[1] = float("nan")
    with pytest.raises(ValueError, match="m cannot be written: b2 must be finite, got NaN"):
        model.save(tmp_path / "m")
    assert list(tmp_path.iterdir()) == []


def changed(path, **fields):
    """Change fields of the JSON of a file, by names like ``hyper_parameters__beta``, and sign it again."""
    tensors, about = stored(path)
    for name, value in fields.items():
        *above, key = name.split("__")
        parent = about
        for part in above:
            parent = parent[part]
        parent[key] = value
    path.write_bytes(serialised(tensors, about))


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        ("SparseAutoencoder relu", {"hyper_parameters__loss": "hinge"}, "loss must be 'squared', .* got 'hinge'"),
        ("SparseAutoencoder relu", {"hyper_parameters__loss": "softmax"}, "loss must be 'squared', .* got 'softmax'"),
        ("SparseAutoencoder relu", {"hyper_parameters__loss": ["huber"]}, "loss must be 'squared'"),
        ("SparseAutoencoder relu", {"hyper_parameters__l1": -0.1}, "l1 must be >= 0 and finite, got -0.1"),
        ("SparseAutoencoder relu", {"hyper_parameters__l1": float("nan")}, "l1 must be >= 0 and finite, got nan"),
        ("SparseAutoencoder relu", {"hyper_parameters__l1": "0.1"}, "l1 must be a real number, got '0.1'"),
        (
            "SparseAutoencoder satlin",
            {"hyper_parameters__output": "tanh"},
            "output must be 'sigmoid' with loss='cross_e",
        ),
        (
            "SparseAutoencoder satlin",
            {"output": "linear"},
            "loss must be one that can be taken of linear units, got 'cross",
        ),
        ("SparseAutoencoder relu", {"loss": "softmax"}, "loss must be 'squared', .* got 'softmax'"),
        ("SparseAutoencoder relu", {"loss": 2}, "loss must be a text, got 2"),
        ("StackedAutoencoder relu", {"loss": None}, "loss must be a text, got None"),
        ("SparseAutoencoder", {"hyper_parameters__l1": 0.1}, "format must be 3, got 1"),
        ("SparseAutoencoder minmax", {"hyper_parameters__loss": "huber"}, "format must be 3, got 2"),
        ("StackedAutoencoder relu", {"hyper_parameters__beta": 3.0}, "beta must be 0"),
        ("StackedAutoencoder relu", {"hyper_parameters__l1": [0.1, -1.0]}, "l1 must be >= 0 and finite, got -1.0"),
        ("StackedAutoencoder relu", {"hyper_parameters__loss": "none"}, "loss must be 'squared'"),
        ("SparseAutoencoder relu", {"hyper_parameters__beta": 3.0}, "beta must be 0 for hidden='relu'"),
        (
            "SparseAutoencoder",
            {"hyper_parameters__hidden": "relu", "format": 3, "loss": "squared"},
            "beta must be 0 for hidden='relu'",
        ),
        ("SparseAutoencoder", {"hidden": "relu"}, "format must be 3, got 1"),
        ("SparseAutoencoder", {"format": 3, "loss": "squared"}, "format must be 1, got 3"),
        ("SparseAutoencoder", {"format": 3}, "loss is missing"),
        ("SparseAutoencoder relu", {"format": 4}, "has format 4 of a newer sae_fast.*upgrade"),
        (
            "SparseAutoencoder ufldl",
            {"scale__limit": 1e39},
            r"scale.limit must be a number that float32 holds, got 1e\+39",
        ),
        ("Encoder", {"hidden": "relu"}, "format must be 3, got 2"),
        ("Encoder relu", {"hidden": "linear"}, "hidden must be 'sigmoid', 'tanh', 'relu' or 'satlin', got 'linear'"),
        ("StackedAutoencoder relu", {"hyper_parameters__beta": [0.0, 3.0, 0.0]}, "beta must be one value, or one for"),
        ("StackedAutoencoder", {"units": ["satlin", "sigmoid"]}, "format must be 3, got 2"),
    ],
)
def test_units_losses_and_penalties_that_do_not_fit(tmp_path, kind, fields, message):
    """A signed file whose network could not be trained, or whose format has no word for it, is no model."""
    path = tmp_path / "m"
    KINDS[kind]().save(path)
    changed(path, **fields)
    for load in (sf.load, sf.Encoder.load, sf.StackEncoder.load):
        with pytest.raises(ModelFileError, match=message):
            load(path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_has_the_oldest_format_that_can_hold_it(tmp_path, kind):
    """Older versions read all that they understand, and know by the format what they do not."""
    path = tmp_path / "m"
    KINDS[kind]().save(path)
    about = stored(path)[1]
    new = any(word in kind for word in ("relu", "satlin", "Detector", "KSparse", "Monitor"))
    assert about["format"] == (3 if new else 1 if kind == "SparseAutoencoder" else 2)
    if "hyper_parameters" in about and "KSparse" not in kind:
        assert [name in about["hyper_parameters"] for name in ("loss", "l1")] == [new, new]
        assert ("loss" in about) == (new and "Classifier" not in kind)


def test_sizes_are_no_promises(tmp_path):
    """A file that names a huge size is refused by the size that it has; one without end is left after its header."""
    path = tmp_path / "m"
    for length in (50, 10**8, 10**9, 2**63):
        path.write_bytes(length.to_bytes(8, "little") + b"{}")
        with pytest.raises(ModelFileError, match="not a model file"):
            sf.load(path)
    with pytest.raises(ModelFileError, match="not a model file"):
        sf.load("/dev/zero")


def test_a_model_comes_through_a_pipe(tmp_path):
    """A named pipe is read like the file."""
    sf.SparseAutoencoder(4, **FEW).fit(X).save(tmp_path / "m")
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes((tmp_path / "m").read_bytes()))
    writer.start()
    loaded = sf.load(tmp_path / "pipe")
    writer.join(60)
    assert loaded.transform(X).tobytes() == sf.load(tmp_path / "m").transform(X).tobytes()
