"""Encoders keep the names of the features that their model was fitted to, and refuse columns with others."""

from __future__ import annotations

import copy
import json
import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sae_fast as sf
from sae_fast import cli

NAMES = ["height", "weight", "age"]
TABLE = pd.DataFrame(np.random.default_rng(0).uniform(0.1, 0.9, (40, 3)), columns=NAMES)
SWAPPED = TABLE[["age", "weight", "height"]]
ORDER = "The feature names should match those that were passed during fit.\nFeature names must be in the same order"


@pytest.fixture(scope="module")
def model():
    return sf.SparseAutoencoder(3, max_iter=20, random_state=0).fit(TABLE)


def stack():
    with np.errstate(all="ignore"):
        return sf.StackedAutoencoder((3, 2), max_iter=3, fine_tune_max_iter=2, random_state=0).fit(TABLE)


def through_file(thing, path, kind):
    thing.save(path)
    return kind.load(path)


ENCODERS = {
    "fold": lambda model, path: sf.fold(model),
    "fold of a pipeline": lambda model, path: sf.fold(
        make_pipeline(StandardScaler(), sf.SparseAutoencoder(3, output="linear", max_iter=3, random_state=0)).fit(TABLE)
    ),
    "fold of an encoder": lambda model, path: sf.fold(sf.fold(model), dtype=np.float32),
    "file of a model": lambda model, path: through_file(model, path, sf.Encoder),
    "file of an encoder": lambda model, path: through_file(sf.fold(model), path, sf.Encoder),
    "pickle": lambda model, path: pickle.loads(pickle.dumps(sf.fold(model))),
    "deepcopy": lambda model, path: copy.deepcopy(sf.fold(model)),
    "stack": lambda model, path: sf.fold(stack()),
    "file of a stack": lambda model, path: through_file(stack(), path, sf.StackEncoder),
    "file of a stack's encoder": lambda model, path: through_file(sf.fold(stack()), path, sf.StackEncoder),
    "pickle of a stack": lambda model, path: pickle.loads(pickle.dumps(sf.fold(stack()))),
    "by hand": lambda model, path: sf.Encoder(model.params_, feature_names=np.array(NAMES, dtype=object)),
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("how", ENCODERS)
def test_names_are_kept_and_checked(model, tmp_path, how):
    """The right frame and arrays are encoded; columns in another order, or of another name, are refused."""
    encoder = ENCODERS[how](model, tmp_path / "file.safetensors")
    assert encoder.feature_names == tuple(NAMES)
    wanted = encoder(TABLE.to_numpy())
    assert np.array_equal(encoder(TABLE), wanted)
    assert np.array_equal(encoder.encode_one(TABLE.iloc[3]), wanted[3])
    assert np.array_equal(encoder(TABLE.set_axis([0, 1, 2], axis=1)), wanted)
    with pytest.raises(ValueError, match=ORDER):
        encoder(SWAPPED)
    with pytest.raises(ValueError, match=ORDER):
        encoder.encode_one(SWAPPED.iloc[3])
    with pytest.raises(ValueError, match=r"unseen at fit time:\n- size\n.*now missing:\n- height"):
        encoder(TABLE.rename(columns={"height": "size"}))


def test_words_are_those_of_the_model(model):
    """What the encoder says is what the model says."""
    words = []
    for call in (model.transform, sf.fold(model)):
        with pytest.raises(ValueError, match="feature names should match") as caught:
            call(SWAPPED)
        words.append(str(caught.value).strip())
    assert words[0] == words[1]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_names_of_a_later_step_are_not_those_of_the_data():
    """Where the first step saw an array, its columns have no names, whatever the steps behind it call theirs."""
    scaler = StandardScaler().fit(TABLE.to_numpy())
    inner = pd.DataFrame(scaler.transform(TABLE.to_numpy()), columns=["x0", "x1", "x2"])
    model = sf.SparseAutoencoder(2, output="linear", max_iter=2, random_state=0)
    model.fit(inner)
    assert sf.fold(scaler, model).feature_names is None


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("kind", ["model", "encoder", "stack encoder"])
def test_command_line(model, tmp_path, capsys, kind):
    """`sae-fast transform` refuses a CSV file with the columns in another order, and says what takes them in order."""
    path, data = tmp_path / "m.safetensors", tmp_path / "x.csv"
    {"model": model, "encoder": sf.fold(model), "stack encoder": sf.fold(stack())}[kind].save(path)
    SWAPPED.to_csv(data, index=False)
    assert cli.main(["transform", str(path), str(data)]) == 1
    message = capsys.readouterr().err
    assert "must have the model's columns in its order: wanted 'height', got 'age'" in message
    columns = message[message.index("--columns ") :].split()[1]
    assert cli.main(["transform", str(path), str(data), "--columns", columns]) == 0
    TABLE.to_csv(data, index=False)
    assert cli.main(["transform", str(path), str(data)]) == 0


def test_an_old_file_has_no_names(model, tmp_path):
    """Files without the field are read, and encode any columns as before; those without names do not get one."""
    path = tmp_path / "old.safetensors"
    sf.Encoder(model.params_).save(path)
    header = path.read_bytes()[8:].split(b"}}")[0]
    assert b"feature_names" not in header
    old = sf.Encoder.load(path)
    assert old.feature_names is None
    assert np.array_equal(old(SWAPPED), old(SWAPPED.to_numpy()))


@pytest.mark.parametrize(
    ("names", "kind", "words"),
    [
        (["a", "b"], ValueError, "feature_names must be 3 different names, got 2 in 2"),
        (["a", "b", "a"], ValueError, "feature_names must be 3 different names, got 2 in 3"),
        ("abc", TypeError, "feature_names must be a sequence of text or None, got 'abc'"),
        ([1, 2, 3], TypeError, r"feature_names must be a sequence of text or None, got \[1, 2, 3\]"),
        (7, TypeError, "feature_names must be a sequence of text or None, got 7"),
    ],
)
def test_names_that_are_none(model, names, kind, words):
    """Wrong names are an error that says what is wanted."""
    with pytest.raises(kind, match=words):
        sf.Encoder(model.params_, feature_names=names)


def test_the_field_of_the_file_is_a_list(model, tmp_path):
    """JSON holds the names in the order of the features."""
    path = tmp_path / "e.safetensors"
    sf.fold(model).save(path)
    size = int.from_bytes(path.read_bytes()[:8], "little")
    metadata = json.loads(path.read_bytes()[8 : 8 + size])["__metadata__"]
    about = next(json.loads(v) for v in metadata.values())
    assert about["feature_names"] == NAMES
    assert about["format"] == 2
