"""``sae-fast fit --detector`` and ``sae-fast score``."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import sae_fast as sf
from sae_fast.cli import main
from tests.anomalies.test_detector import broken, ratios


@pytest.fixture(name="folder", scope="module")
def _folder(tmp_path_factory):
    """A table, a detector of it, and a plain model."""
    folder = tmp_path_factory.mktemp("score")
    pd.DataFrame(ratios(300), columns=list("wxyz")).to_csv(folder / "good.csv", index=False)
    pd.DataFrame(broken(50)[0], columns=list("wxyz")).to_csv(folder / "new.csv", index=False)
    options = ["--n-components", "6", "--max-iter", "60", "--random-state", "0", "--quiet"]
    detector, plain = (str(folder / f"{name}.safetensors") for name in ("detector", "plain"))
    assert main(["fit", str(folder / "good.csv"), "-o", detector, "--detector", *options]) == 0
    assert main(["fit", str(folder / "good.csv"), "-o", plain, "--scale", "minmax", *options]) == 0
    return folder


def test_fit_makes_the_detector_of_the_library(folder):
    """With the detector's own defaults, and the names of the columns."""
    X = pd.read_csv(folder / "good.csv")
    ours = sf.load(folder / "detector.safetensors")
    other = sf.SparseAutoencoderOutlierDetector(6, max_iter=60, random_state=0).fit(X)
    assert ours.get_params() == other.get_params()
    np.testing.assert_array_equal(ours.decision_function(X), other.decision_function(X))
    assert list(ours.feature_names_in_) == list("wxyz")


def test_contamination_is_kept(folder, tmp_path):
    """--contamination sets the share of outliers."""
    out = str(tmp_path / "d.safetensors")
    command = ["fit", str(folder / "good.csv"), "-o", out, "--detector", "--max-iter", "5", "--quiet"]
    assert main([*command, "--contamination", "0.1"]) == 0
    assert np.mean(sf.load(out).predict(pd.read_csv(folder / "good.csv")) == -1) == 0.1


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".npy"])
def test_scores_are_those_of_the_library(folder, tmp_path, suffix):
    """Every column, in every kind of file; --features adds the errors of features by name."""
    out = tmp_path / f"scores{suffix}"
    model = str(folder / "detector.safetensors")
    assert main(["score", model, str(folder / "new.csv"), "-o", str(out), "--features"]) == 0
    X, detector = pd.read_csv(folder / "new.csv"), sf.load(model)
    wanted = np.c_[
        detector.score_samples(X),
        detector.decision_function(X),
        detector.predict(X),
        detector.p_values(X),
        detector.feature_errors(X),
    ]
    names = ["score", "decision", "prediction", "p_value", *(f"error_{name}" for name in "wxyz")]
    if suffix == ".npy":
        found = np.load(out)
    else:
        table = pd.read_csv(out) if suffix == ".csv" else pd.read_parquet(out)
        assert list(table) == names
        found = table.to_numpy()
    np.testing.assert_allclose(found, wanted, rtol=1e-12)


def test_a_plain_model_has_scores_alone(folder, capsys):
    """Of a model that is no detector, on stdout; --features is an error there."""
    plain = str(folder / "plain.safetensors")
    assert main(["score", plain, str(folder / "new.csv")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "score"
    found = sf.load(plain).score_samples(pd.read_csv(folder / "new.csv"))
    np.testing.assert_allclose([float(line) for line in lines[1:]], found, rtol=1e-12)
    assert main(["score", plain, str(folder / "new.csv"), "--features"]) == 1
    assert "--features is for detectors" in capsys.readouterr().err


def test_other_commands_take_a_detector(folder, tmp_path, capsys):
    """Those that encode and draw use its autoencoder; info tells the threshold."""
    model = str(folder / "detector.safetensors")
    assert main(["transform", model, str(folder / "new.csv"), "-o", str(tmp_path / "codes.npy")]) == 0
    codes = sf.load(model).autoencoder_.transform(pd.read_csv(folder / "new.csv"))
    np.testing.assert_array_equal(np.load(tmp_path / "codes.npy"), codes)
    assert main(["plot", model, "--kind", "loss", "-o", str(tmp_path / "loss.png")]) == 0
    assert main(["info", model, "--json"]) == 0
    about = json.loads(capsys.readouterr().out)
    assert about["kind"] == "SparseAutoencoderOutlierDetector"
    assert about["offset"] == sf.load(model).offset_
    assert about["held_out"] == 30


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--contamination", "0.1"], "give --detector too"),
        (["--detector", "--hidden-layer-sizes", "4,3"], "--detector is of a single layer"),
        (["--detector", "--contamination", "0.6"], "contamination must be auto or in (0, 0.5], got '0.6'"),
    ],
)
def test_wrong_usage(folder, tmp_path, capsys, options, words):
    """Options that do not go together end the command before anything is read."""
    with pytest.raises(SystemExit, match="2"):
        main(["fit", str(folder / "good.csv"), "-o", str(tmp_path / "m.safetensors"), *options])
    assert words in capsys.readouterr().err


def test_wrong_data(folder, tmp_path, capsys):
    """Other columns, or a missing value, are errors that name the file; nothing is written."""
    table = pd.read_csv(folder / "new.csv")
    table[list("zyxw")].to_csv(tmp_path / "swapped.csv", index=False)
    table.iloc[3, 2] = np.nan
    table.to_csv(tmp_path / "missing.csv", index=False)
    out = tmp_path / "scores.csv"
    for name, words in (("swapped", "the model's columns"), ("missing", "line 5, column 3")):
        command = ["score", str(folder / "detector.safetensors"), str(tmp_path / f"{name}.csv"), "-o", str(out)]
        assert main(command) == 1
        assert words in capsys.readouterr().err
        assert not out.exists()


def test_a_picture_is_drawn(folder, tmp_path, capsys):
    """--plot writes that of the library, for detectors; a name that is taken is refused before any work."""
    new, out, picture = str(folder / "new.csv"), str(tmp_path / "s.csv"), str(tmp_path / "odd.png")
    assert main(["score", str(folder / "detector.safetensors"), new, "-o", out, "--plot", picture]) == 0
    X = pd.read_csv(new)
    wanted = tmp_path / "wanted.png"
    sf.plot.save(sf.plot.anomalies(sf.load(folder / "detector.safetensors"), X), wanted)
    assert (tmp_path / "odd.png").read_bytes() == wanted.read_bytes()
    capsys.readouterr()
    assert main(["score", str(folder / "plain.safetensors"), new, "-o", out, "--plot", picture]) == 1
    assert "--plot is for detectors" in capsys.readouterr().err
