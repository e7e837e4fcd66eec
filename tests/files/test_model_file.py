"""The model file: exact, whole or not at all, never a wrong model."""

from __future__ import annotations

import io
import json
import os
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import safetensors.numpy

import sae_fast as sf
from sae_fast.cli import main
from sae_fast.files import _model_file
from tests.helpers.estimators import model, patches
from tests.helpers.model_files import codes_of
from tests.helpers.networks import DTYPES
from tests.helpers.paths import DATA, ROOT


@pytest.fixture
def fitted():
    return model(max_iter=5).fit(patches())


def test_a_process_that_has_used_nothing_yet_loads_every_kind(tmp_path, fitted):
    """load() alone imports what a file of each kind needs."""
    kinds = {
        "SparseAutoencoder": fitted,
        "Encoder": sf.Encoder(fitted.params_),
        "StackEncoder": sf.StackEncoder([sf.Encoder(fitted.params_)]),
        "StackedAutoencoder": sf.StackedAutoencoder((4,), max_iter=2, random_state=0).fit(patches()),
    }
    for kind, thing in kinds.items():
        thing.save(tmp_path / kind)
        done = subprocess.run(
            [sys.executable, "-c", f"import sae_fast; print(type(sae_fast.load({str(tmp_path / kind)!r})).__name__)"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout.strip() == kind, done.stderr


@pytest.mark.parametrize(
    "use",
    [
        sf.load,
        sf.Encoder.load,
        lambda path: main(["info", str(path)]),
        lambda path: main(["transform", str(path), str(path.with_name("X.npy"))]),
        lambda path: main(["compare", str(path.with_name("X.npy")), "--model", str(path), "--cv=2", "--quiet"]),
        lambda path: main(["plot", str(path), "--kind=loss", "-o", str(path.with_name("loss.png"))]),
    ],
    ids=["load", "Encoder.load", "info", "transform", "compare", "plot"],
)
def test_a_file_is_read_once(use, tmp_path, fitted, monkeypatch):
    """Whoever wants to know what a file holds opens it once, reads each byte once and hashes once."""
    path = tmp_path / "m.safetensors"
    fitted.save(path)
    np.save(tmp_path / "X.npy", patches()[:50])
    opened, lengths, hashed, checksum = [], [], [], _model_file.checksum

    class Counted(io.FileIO):
        def read(self, *n):
            data = super().read(*n)
            lengths.append(len(data))
            return data

    def counting_open(name, mode):
        opened.append(Path(name))
        return Counted(name, mode)

    def counting_checksum(*contents):
        hashed.append(contents)
        return checksum(*contents)

    monkeypatch.setattr(_model_file, "open", counting_open, raising=False)
    monkeypatch.setattr(_model_file, "checksum", counting_checksum)
    assert use(path) != 1
    assert opened == [path]
    assert sum(lengths) == path.stat().st_size
    assert len(hashed) == 1


def test_a_file_may_come_through_a_pipe(tmp_path, fitted):
    """What a shell gives as a file is read from its beginning to its end, and no more: by every command."""
    fitted.save(tmp_path / "m.safetensors")
    np.save(tmp_path / "X.npy", patches()[:50])
    script = (
        "COMMAND info <(cat m.safetensors) && COMMAND transform <(cat m.safetensors) X.npy -o codes.npy && "
        "COMMAND plot <(cat m.safetensors) --kind loss -o loss.png"
    ).replace("COMMAND", f'"{sys.executable}" -m sae_fast')
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(np.load(tmp_path / "codes.npy"), fitted.transform(patches()[:50]))


@pytest.mark.parametrize("dtype", DTYPES)
def test_round_trip_is_exact(tmp_path, dtype):
    """Everything that a fitted model is comes back bit for bit."""
    X = patches(dtype=dtype)
    before = model(max_iter=5, rho=0.3, hidden="tanh", output="linear").fit(X)
    before.save(tmp_path / "m.safetensors")
    after = sf.load(tmp_path / "m.safetensors")
    for a, b in zip(after.params_, before.params_, strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.dtype == dtype
    assert after.get_params() == before.get_params()
    np.testing.assert_array_equal(after.transform(X), before.transform(X))
    np.testing.assert_array_equal(after.rho_hat_, before.rho_hat_)
    assert after.cost_ == before.cost_
    assert str(after.unit_report()) == str(before.unit_report())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "options",
    [
        {"hidden": "relu", "beta": 0.0, "l1": 0.01, "loss": "huber", "output": "linear"},
        {"hidden": "satlin", "beta": 0.0, "loss": "cross_entropy"},
        {"output": "satlin", "loss": "absolute"},
        {"output": "relu", "scale": "minmax", "l1": np.float32(0.25)},
    ],
    ids=["relu", "satlin", "output", "scale"],
)
@pytest.mark.filterwarnings("ignore::sae_fast.UnitWarning")
def test_units_losses_and_penalties_come_along(tmp_path, dtype, options):
    """All of a model's cost comes back: its codes, cost, means and ranges to the bit, its parameters, its scores."""
    X = patches(dtype=dtype)
    fitted = model(max_iter=6, **options).fit(X)
    fitted.save(tmp_path / "m")
    again = sf.load(tmp_path / "m")
    assert {key: getattr(again, key) for key in options} == options
    assert again.cost_ == fitted.cost_
    np.testing.assert_array_equal(again.transform(X), fitted.transform(X))
    np.testing.assert_array_equal(again.reconstruct(X), fitted.reconstruct(X))
    np.testing.assert_array_equal(again.score_samples(X), fitted.score_samples(X))
    np.testing.assert_array_equal(again.rho_hat_, fitted.rho_hat_)
    np.testing.assert_array_equal(again._unit_range_, fitted._unit_range_)
    encoder = sf.Encoder.load(tmp_path / "m")
    assert encoder.hidden == fitted.hidden
    np.testing.assert_allclose(encoder(X), fitted.transform(X), rtol=0, atol=1e-12 if dtype == np.float64 else 1e-5)


def test_what_was_fitted_stays_whatever_is_set_later(tmp_path):
    """The loss of a file's network is that of its fit; that of its parameters is for the next fit."""
    X = patches()
    fitted = model(max_iter=6, loss="huber").fit(X)
    wanted = fitted.score_samples(X)
    fitted.set_params(loss="squared").save(tmp_path / "m")
    again = sf.load(tmp_path / "m")
    assert again.loss == "squared"
    np.testing.assert_array_equal(again.score_samples(X), wanted)


def test_feature_names_come_along(tmp_path):
    """Names of columns survive, and are checked again."""
    frame = pd.DataFrame(patches(), columns=[f"x{i}" for i in range(12)])
    model(max_iter=3).fit(frame).save(tmp_path / "m")
    loaded = sf.load(tmp_path / "m")
    assert list(loaded.feature_names_in_) == list(frame.columns)
    with pytest.raises(ValueError, match="feature names"):
        loaded.transform(frame[frame.columns[::-1]])


def test_arrays_that_are_not_contiguous_are_stored_as_they_read(tmp_path, fitted):
    """Fortran order and strides do not scramble the file."""
    fitted.params_ = fitted.params_._replace(W1=np.asfortranarray(fitted.params_.W1))
    fitted.save(tmp_path / "m")
    np.testing.assert_array_equal(sf.load(tmp_path / "m").components_, fitted.components_)


def test_every_damaged_byte_is_noticed(tmp_path, fitted):
    """A flipped bit anywhere, and a cut anywhere, is an error and not a model."""
    path = tmp_path / "m"
    fitted.save(path)
    whole = path.read_bytes()
    header = 8 + int.from_bytes(whole[:8], "little")
    places = [*range(0, header, 7), *range(header, len(whole), 61)]
    for at in places:
        damaged = bytearray(whole)
        damaged[at] ^= 4
        path.write_bytes(bytes(damaged))
        try:
            found = sf.load(path)
        except ValueError as error:
            assert str(path) in str(error)  # noqa: PT017 (it may also load, unharmed)
            continue
        # The only bytes without meaning are the spaces that pad the header.
        assert damaged[at] ^ 4 == ord(" ")
        np.testing.assert_array_equal(found.components_, fitted.components_)
    for length in (0, 4, 8, 20, header, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(_model_file.ModelFileError):
            sf.load(path)


def test_foreign_files_are_refused(tmp_path, fitted):
    """Other formats, other safetensors files and newer formats are refused with their name and the reason."""
    path = tmp_path / "foreign"
    nested = (10**5).to_bytes(8, "little") + b"[" * 10**5
    for content in (b"\x89PNG\r\n\x1a\n" + bytes(100), b"\x93NUMPY" + bytes(100), b"{}", b"\xff" * 64, nested):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="not a model file"):
            sf.load(path)
    path.write_bytes(safetensors.numpy.save({"W1": np.zeros(3)}))
    with pytest.raises(ValueError, match="not a model file"):
        sf.load(path)
    about = {"format": 99, "checksum": ""}
    path.write_bytes(safetensors.numpy.save({"W1": np.zeros(3)}, {"sae_fast": json.dumps(about)}))
    with pytest.raises(ValueError, match="format 99 of a newer sae_fast"):
        sf.load(path)
    with pytest.raises(OSError, match="directory"):
        sf.load(tmp_path)
    with pytest.raises(FileNotFoundError):
        sf.load(tmp_path / "nothing")


def test_a_failed_save_leaves_the_old_file(tmp_path, fitted, monkeypatch):
    """If writing fails, the old file is what it was and no temporary file stays."""
    path = tmp_path / "m.safetensors"
    fitted.save(path)
    before = path.read_bytes()

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        fitted.save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["m.safetensors"]
    with pytest.raises(FileNotFoundError, match="folder"):
        fitted.save(tmp_path / "no" / "m")


def test_permissions_are_those_of_ordinary_files(tmp_path, fitted):
    """A new file gets the usual permissions, an old one keeps its own."""
    path = tmp_path / "m"
    fitted.save(path)
    ordinary = tmp_path / "x"
    ordinary.touch()
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(ordinary.stat().st_mode)
    path.chmod(0o600)
    fitted.save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_no_pickle_and_unknown_state(tmp_path, fitted):
    """A generator as random_state is stored as none; an unfitted model cannot be saved."""
    fitted.set_params(random_state=np.random.RandomState(0)).save(tmp_path / "m")
    assert sf.load(tmp_path / "m").random_state is None
    from sklearn.exceptions import NotFittedError

    with pytest.raises(NotFittedError):
        model().save(tmp_path / "n")


@pytest.mark.parametrize("archive", sorted(DATA.glob("models_*.zip")), ids=lambda path: path.stem)
def test_files_of_older_formats_are_read(archive, tmp_path):
    """What an older version wrote is the model that it was; written again, it is the same file but for the versions."""
    with zipfile.ZipFile(archive) as stored:
        names = [name for name in stored.namelist() if name.endswith(".safetensors")]
        assert len(names) > 8
        for name in names:
            path = tmp_path / name
            path.write_bytes(stored.read(name))
            model = sf.load(path)
            then = np.load(io.BytesIO(stored.read(name.replace(".safetensors", ".npy"))))
            before = _model_file.read_tensors(path)
            model.save(path)
            after = _model_file.read_tensors(path)
            assert after.kind == before.kind
            assert {k: v.tobytes() for k, v in after.tensors.items()} == {
                k: v.tobytes() for k, v in before.tensors.items()
            }
            changing = {"versions": None, "checksum": None}
            assert after.about | changing == before.about | changing
            vars(model).pop("feature_names_in_", None)
            rtol = 1e-5 if then.dtype == np.float32 else 1e-12
            np.testing.assert_allclose(codes_of(model), then, rtol=rtol, atol=0)
