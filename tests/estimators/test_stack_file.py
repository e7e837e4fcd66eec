"""The model file of stacks: exact, never a wrong model, and apart from the file of a single layer."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import safetensors.numpy

import sae_fast as sf
from sae_fast.files._model_file import ModelFileError, read_tensors
from tests.helpers.estimators import model, patches, stack
from tests.helpers.hostile_files import serialised, stored
from tests.helpers.networks import DTYPES

LABELS = {
    "int": np.array([3, 1, 2]),
    "float": np.array([-1.0, 5.0, 2.0]),
    "bool": np.array([False, True, True]),
    "str": np.array(["c", "a", "bb"]),
    "object": np.array(["c", "a", "bb"], dtype=object),
}


def classifier(**options):
    return sf.StackedAutoencoderClassifier(
        [6, 4], **{"max_iter": 5, "head_max_iter": 5, "fine_tune_max_iter": 3, "random_state": 0} | options
    )


def test_a_file_of_its_own_for_each_kind(tmp_path):
    """The file names its kind; that of a single layer keeps its old format, without one."""
    fitted = {"m": model(max_iter=3).fit(patches()), "s": stack(max_iter=3).fit(patches())}
    fitted["c"] = classifier().fit(patches(), np.arange(300) % 3)
    for name, one in fitted.items():
        one.save(tmp_path / name)
        about = read_tensors(tmp_path / name).about
        assert (about["format"], about.get("kind")) == ((1, None) if name == "m" else (2, type(one).__name__))
        assert type(sf.load(tmp_path / name)) is type(one)


@pytest.mark.parametrize("dtype", DTYPES)
def test_round_trip_of_an_autoencoder(tmp_path, dtype):
    """Everything that a fitted stack is comes back bit for bit."""
    X = patches(dtype=dtype)
    sizes = (np.int64(6), 4)
    before = stack(
        sizes, rho=(0.3, np.float32(0.2)), beta=np.array([1.0, 2.0]), hidden=("tanh", "sigmoid"), output="linear"
    ).fit(X)
    before.save(tmp_path / "m.safetensors")
    after = sf.load(tmp_path / "m.safetensors")
    for layer in (0, 1):
        np.testing.assert_array_equal(after.transform(X, layer=layer), before.transform(X, layer=layer))
        np.testing.assert_array_equal(after.rho_hat_[layer], before.rho_hat_[layer])
        np.testing.assert_array_equal(after.loss_curves_[layer], before.loss_curves_[layer])
    np.testing.assert_array_equal(after.reconstruct(X), before.reconstruct(X))
    np.testing.assert_array_equal(after.fine_tune_loss_curve_, before.fine_tune_loss_curve_)
    assert after.get_params() == before.set_params(beta=(1.0, 2.0)).get_params()
    assert (after.cost_, after.n_iter_) == (before.cost_, before.n_iter_)
    assert after.components_.dtype == dtype
    with pytest.raises(ValueError, match="not kept in model files"):
        after.before_fine_tuning()


@pytest.mark.parametrize("kind", LABELS)
def test_round_trip_of_a_classifier(tmp_path, kind):
    """Labels of every kind come back in their dtype, probabilities bit for bit, names of the features with them."""
    frame = pd.DataFrame(patches(), columns=[f"x{i}" for i in range(12)])
    y = LABELS[kind][np.arange(300) % 3]
    before = classifier(early_stopping=True).fit(frame, y)
    before.save(tmp_path / "m")
    after = sf.load(tmp_path / "m")
    assert after.classes_.dtype == before.classes_.dtype
    np.testing.assert_array_equal(after.classes_, before.classes_)
    np.testing.assert_array_equal(after.predict_proba(frame), before.predict_proba(frame))
    np.testing.assert_array_equal(after.validation_curve_, before.validation_curve_)
    assert list(after.feature_names_in_) == list(frame.columns)
    assert after.cost_ == before.cost_


def test_labels_that_json_cannot_hold_are_refused(tmp_path):
    """Labels that would not come back as they were are an error, and nothing is written."""
    fitted = classifier().fit(patches(), np.array(["2020-01-01", "2021-01-01"], "datetime64[D]")[np.arange(300) % 2])
    with pytest.raises(TypeError, match="classes_ must be numbers, truth values or strings to be stored, got datetime"):
        fitted.save(tmp_path / "m")
    assert list(tmp_path.iterdir()) == []


def test_every_damaged_byte_is_noticed(tmp_path):
    """A flipped bit anywhere is an error and not a model."""
    path = tmp_path / "m"
    stack(max_iter=2).fit(patches()).save(path)
    whole = path.read_bytes()
    header = 8 + int.from_bytes(whole[:8], "little")
    padding = whole[:header].rstrip(b" ")
    for at in [*range(0, len(padding), 29), *range(header, len(whole), 301)]:
        damaged = bytearray(whole)
        damaged[at] ^= 4
        path.write_bytes(bytes(damaged))
        with pytest.raises(ModelFileError):
            sf.load(path)


def test_contents_that_do_not_fit_are_refused(tmp_path):
    """A file whose checksum is right but whose layers, units or classes do not fit together is no model."""
    path = tmp_path / "m"
    classifier().fit(patches(), np.arange(300) % 3).save(path)
    tensors, about = stored(path)
    del about["checksum"]
    cases = [
        (tensors | {"encoder.1.W": np.zeros((4, 7))}, about, r"encoder.1.W must have shape \(n, 6\), got \(4, 7\)"),
        (tensors | {"encoder.1.b": np.zeros(4, np.float32)}, about, "encoder.1.b must have dtype float64, got float32"),
        (tensors | {"head.W": np.zeros((2, 4)), "head.b": np.zeros(2)}, about, r"head.W must have shape \(3, 4\)"),
        ({k: v for k, v in tensors.items() if k != "rho_hat.1"}, about, "rho_hat.1 is missing"),
        (tensors | {"rho_hat.0": np.zeros(5)}, about, r"rho_hat.0 must have shape \(6\), got \(5,\)"),
        (tensors | {"rho_hat.2": np.zeros(5)}, about, "it has a tensor 'rho_hat.2' that its kind has not"),
        (tensors, about | {"units": ["sigmoid", "swish"]}, "units must be sigmoid, .*, got 'swish'"),
        (tensors, about | {"kind": "StackedTree"}, "a StackedTree: kind must be .*, got 'StackedTree'"),
        (tensors, about | {"fitted": about["fitted"] | {"n_iter": "many"}}, "fitted.n_iter must be an integer >= 0"),
        (tensors, about | {"classes": {"dtype": "<i8", "values": [0, 1, 1]}}, "classes.values must be sorted, none"),
        (tensors, about | {"classes": {"dtype": "<i8", "values": [0, 1, 2**70]}}, "numbers that <i8 holds"),
        (tensors, about | {"classes": {"dtype": "<U9999999", "values": list("abc")}}, "as wide as the longest label"),
        (
            tensors,
            about | {"hyper_parameters": about["hyper_parameters"] | {"tol": "small"}},
            "tol must be a real number",
        ),
        (
            tensors,
            about | {"hyper_parameters": about["hyper_parameters"] | {"rho": [0.1] * 3}},
            "rho must be one value",
        ),
        (tensors, about | {"feature_names": ["x"]}, "feature_names must be a list of 12 names"),
    ]
    for arrays, contents, message in cases:
        path.write_bytes(serialised(arrays, contents))
        with pytest.raises(ModelFileError, match=message):
            sf.load(path)
    hyper = about["hyper_parameters"] | {"colour": 3}
    path.write_bytes(serialised(tensors, about | {"hyper_parameters": hyper}))
    with pytest.warns(UserWarning, match="this version knows no colour; ignored"):
        sf.load(path)


def test_what_reads_a_single_layer_refuses_a_stack(tmp_path):
    """Encoder.load says that the file holds a stack, and what reads it."""
    stack(max_iter=2).fit(patches()).save(tmp_path / "m")
    with pytest.raises(ModelFileError, match=r"a StackedAutoencoder of 2 layers, .* with sae_fast.StackEncoder.load"):
        sf.Encoder.load(tmp_path / "m")
    stack(4, max_iter=2).fit(patches()).save(tmp_path / "one")
    np.testing.assert_array_equal(
        sf.Encoder.load(tmp_path / "one")(patches()), sf.load(tmp_path / "one").transform(patches())
    )


def test_older_versions_say_upgrade(tmp_path):
    """The file's number is above what versions without stacks read, so that they ask for an upgrade."""
    stack(max_iter=2).fit(patches()).save(tmp_path / "m")
    with safetensors.safe_open(tmp_path / "m", "numpy") as file:
        assert json.loads(file.metadata()["sae_fast"])["format"] > 1
