"""compare_with_pca: the figures are those that a reader would compute."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

import sae_fast as sf
from sae_fast.cli import main
from sae_fast.inspection import _code_measures
from sae_fast.inspection._code_measures import sparsity
from tests.helpers.estimators import model, patches
from tests.helpers.networks import HIDDEN


@pytest.fixture(autouse=True)
def _brief(monkeypatch):
    """Times are not judged here: a few calls are enough."""
    monkeypatch.setattr(_code_measures, "SECONDS", 0.0)


@pytest.fixture(name="digits", scope="module")
def _digits():
    X, y = load_digits(n_class=4, return_X_y=True)
    return X[:300] / 16, y[:300]


@pytest.mark.parametrize("hidden", HIDDEN)
def test_errors_are_those_of_the_definition(hidden):
    """Errors of both coders are their mean squared distances, and PCA's variance explained is its own."""
    X = patches()
    fitted = model(hidden=hidden, n_components=3).fit(X)
    result = sf.compare_with_pca(X, model=fitted)
    pca = PCA(3).fit(X)
    assert result.model is fitted
    assert result.sae.error == pytest.approx(-fitted.score(X))
    assert result.pca.error == pytest.approx(
        0.5 * np.mean(np.sum((pca.inverse_transform(pca.transform(X)) - X) ** 2, 1))
    )
    assert result.pca.explained == pytest.approx(pca.explained_variance_ratio_.sum())
    assert result.sae.n_components == result.pca.n_components == 3
    assert min(result.sae.rows_per_second, result.pca.rows_per_second, result.sae.row_microseconds) > 0
    codes = fitted.transform(X)
    assert result.sae.hoyer == sparsity((codes + 1) / 2 if hidden == "tanh" else codes)["hoyer"]


def test_sparsity_measures_at_their_ends():
    """Evenly spread codes are 0 by Hoyer and 1 by entropy, one-hot ones 1 and 0, whatever their size and sign."""
    even = np.array([[2.0, -2.0, 2.0, 2.0], [1e-200, 1e-200, 1e-200, 1e-200]])
    assert sparsity(even[:1]) == pytest.approx({"inactive": 0, "hoyer": 0, "entropy": 1})
    assert sparsity(even)["hoyer"] == pytest.approx(0)
    assert sparsity(-3 * np.eye(4)) == pytest.approx({"inactive": 0.75, "hoyer": 1, "entropy": 0})
    half = sparsity(np.array([[1.0, 1, 0, 0], [0, 0, 0, 0]]))  # a code of zeros has no share to speak of
    assert half == pytest.approx({"inactive": 0.75, "hoyer": 2 - math.sqrt(2), "entropy": 0.5})
    each = np.array([[100.0, 0.9, -0.5], [9.0, 0.1, -0.04], [11.0, 0.08, 0.2], [-10.0, 0.0, 0.03]])
    assert sparsity(each)["inactive"] == pytest.approx(6 / 12)  # a tenth of what the unit reaches, not of all
    assert math.isnan(sparsity(np.ones((3, 1)))["hoyer"])
    assert sparsity(np.zeros((3, 2)))["inactive"] == 1


def test_labels_judge_the_codes(digits):
    """With labels there are accuracies of both codes and of the features; they repeat with the seed."""
    X, y = digits
    one, two = (sf.compare_with_pca(X, y, n_components=25, rho=0.1, max_iter=40, cv=2, random_state=0) for _ in "12")
    assert one.raw.n_components == 64
    for name in ("sae", "pca", "raw"):
        assert getattr(one, name)[:9] == pytest.approx(getattr(two, name)[:9], nan_ok=True)
    assert min(row.accuracy for row in one.rows) > 0.85
    assert one.sae.hoyer > one.pca.hoyer
    assert one.pca.error < one.sae.error
    names = sf.compare_with_pca(X, np.array(list("abcd"))[y], model=one.model, cv=2, random_state=0)
    assert names.sae.accuracy == pytest.approx(one.sae.accuracy)


def test_more_units_than_dimensions():
    """An overcomplete model stands beside PCA with all components, and the table says how many."""
    result = sf.compare_with_pca(patches(), n_components=20, max_iter=5, random_state=0)
    assert (result.sae.n_components, result.pca.n_components) == (20, 12)
    assert result.pca.explained == pytest.approx(1)
    constant = sf.compare_with_pca(np.full((9, 3), 0.5), n_components=2, max_iter=5, random_state=0)
    assert math.isnan(constant.pca.explained)


def test_table_frame_json_and_picture(digits):
    """Text, data frame, JSON and picture show the same rows; lines without a figure are left out of the text."""
    X, y = digits
    fitted = model(n_components=16, max_iter=20).fit(X)
    plain, judged = sf.compare_with_pca(X, model=fitted), sf.compare_with_pca(X, y, model=fitted, cv=2)
    assert "accuracy" not in str(plain)
    assert f"{judged.sae.accuracy:.1%} +- " in str(judged)
    assert str(plain).endswith("over 300 samples")
    assert list(judged.to_pandas().index) == ["SAE", "PCA", "raw"]
    about = json.loads(json.dumps(judged.to_dict()))
    assert about["coders"][2]["error"] is None
    assert about["coders"][0]["error"] == judged.sae.error
    titles = [ax.get_title() for ax in judged.plot().axes]
    assert titles == ["reconstruction error", "sparsity (Hoyer)", "accuracy", "rows per second"]
    assert len(plain.plot().axes) == 3


def test_frames_with_names():
    """Data frames go through, and their names are checked against those of the model."""
    frame = pd.DataFrame(patches(), columns=[f"f{i}" for i in range(12)])
    result = sf.compare_with_pca(frame, n_components=3, max_iter=5, random_state=0)
    assert list(result.model.feature_names_in_) == list(frame)
    assert sf.compare_with_pca(frame, model=result.model).sae.error == result.sae.error
    with pytest.raises(ValueError, match="feature names"):
        sf.compare_with_pca(frame[frame.columns[::-1]], model=result.model)


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"y": np.zeros(3)}, ValueError, r"y must have shape \(300,\), one label for each sample, got \(3,\)"),
        ({"y": np.zeros(300)}, ValueError, "y must have at least 2 classes, got 1"),
        ({"y": np.linspace(0, 1, 300)}, ValueError, "label type"),
        ({"y": np.arange(300) % 2, "cv": 151}, ValueError, "rarest class, 150, got 151"),
        ({"y": np.arange(300) % 2, "cv": 1}, ValueError, "cv must be >= 2"),
        ({"n_components": 0}, ValueError, "n_components must be >= 1, got 0"),
        ({"wings": 2}, TypeError, "wings"),
        ({"model": sf.SparseAutoencoder()}, ValueError, "not fitted"),
        ({"model": PCA(2)}, TypeError, "model must be a fitted SparseAutoencoder, got PCA"),
        ({"model": sf.SparseAutoencoder(), "rho": 0.1}, TypeError, "rho is for a model that is fitted here"),
    ],
)
def test_wrong_arguments_are_named(arguments, kind, message):
    """Each wrong argument is an error that names it."""
    with pytest.raises(kind, match=message):
        sf.compare_with_pca(patches(), **arguments)


def test_command_line(tmp_path, digits, capsys):
    """`sae-fast compare` prints the table or JSON, with labels of any kind of file, of a model file too."""
    X, y = digits
    data, labels, table, path = (str(tmp_path / n) for n in ("X.npy", "y.npy", "y.csv", "m.safetensors"))
    np.save(data, X)
    np.save(labels, y.astype(str))
    np.savetxt(table, y[:, None], header="digit", comments="")
    fitted = sf.SparseAutoencoder(16, rho=0.1, max_iter=20, random_state=0).fit(X)
    fitted.save(path)
    options = ["--n-components=16", "--rho=0.1", "--max-iter=20", "--random-state=0", "--cv=2"]
    assert main(["compare", data, "--labels", labels, *options]) == 0
    captured = capsys.readouterr()
    assert "variance explained" in captured.out
    assert "raw" in captured.out
    assert "iteration 20/20" in captured.err
    assert main(["compare", data, "--labels", table, "--model", path, "--cv=2", "--json"]) == 0
    about = json.loads(capsys.readouterr().out)
    assert about["n_samples"] == 300
    assert about["coders"][0]["error"] == pytest.approx(-fitted.score(X))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--labels", "X.npy"], "X.npy must hold a label for each of the 300 samples, got shape (300, 12)"),
        (["--labels", "junk.npy"], "junk.npy is damaged or not a .npy file of labels"),
        (["--labels", "short.npy"], "short.npy must hold a label for each of the 300 samples, got shape (3,)"),
        (["--model", "m.safetensors", "--rho", "0.1"], "--rho is for a model that is fitted here"),
        (["--model", "m.safetensors"], "X.npy must have 5 columns, as the model, got 12"),
        (["--model", "no.safetensors"], "No such file"),
    ],
)
def test_command_line_failures(arguments, message, tmp_path, monkeypatch, capsys):
    """What fails exits with 1 and one line on stderr."""
    monkeypatch.chdir(tmp_path)
    np.save("X.npy", patches())
    np.save("short.npy", np.zeros(3))
    (tmp_path / "junk.npy").write_bytes(b"junk")
    model(max_iter=2).fit(patches(v=5)).save("m.safetensors")
    assert (
        main(["compare", "X.npy", "--quiet", "--max-iter=2" if "--model" not in arguments else "--json", *arguments])
        == 1
    )
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err
    assert len(captured.err.strip().splitlines()) == 1
