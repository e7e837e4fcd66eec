"""The command line with stacks: fit, transform, info."""

from __future__ import annotations

import json

import numpy as np
import pytest

import sae_fast as sf
from sae_fast.cli import main
from sae_fast.cli._fit import complete
from sae_fast.cli._parser import make_parser
from tests.helpers.estimators import model, patches


@pytest.fixture(name="data")
def _data(tmp_path):
    path = tmp_path / "X.npy"
    np.save(path, patches())
    return path


@pytest.fixture(name="fitted")
def _fitted(tmp_path, data):
    path = tmp_path / "model.safetensors"
    arguments = ["--hidden-layer-sizes=6,4", "--max-iter=20", "--fine-tune-max-iter=5", "--random-state=0"]
    assert main(["fit", str(data), "-o", str(path), *arguments]) == 0
    return path


def test_fit_transform_info(capsys, tmp_path, data, fitted):
    """Fit writes the stack that the estimator gives, transform the codes of any layer, info what it holds."""
    same = sf.StackedAutoencoder((6, 4), max_iter=20, fine_tune_max_iter=5, random_state=0).fit(patches())
    err = capsys.readouterr().err
    assert "layer 2 of 2, iteration 20/20" in err
    assert "fine-tuning, iteration 5/5" in err
    assert "12 -> 6 -> 4 units, 45 iterations" in err
    for layer, options in ((0, ["--layer=0"]), (1, ["--layer=1"]), (None, [])):
        assert main(["transform", str(fitted), str(data), "-o", str(tmp_path / "codes.npy"), *options]) == 0
        np.testing.assert_array_equal(np.load(tmp_path / "codes.npy"), same.transform(patches(), layer=layer))
    assert main(["transform", str(fitted), str(data), "--layer=0"]) == 0
    assert capsys.readouterr().out.startswith("stackedautoencoder_layer0_0,stackedautoencoder_layer0_1,")
    assert main(["info", str(fitted)]) == 0
    text = capsys.readouterr().out
    for word in ("StackedAutoencoder", "hidden layer sizes   6, 4", "sigmoid, sigmoid", "fine_tune_max_iter=5"):
        assert word in text
    assert main(["info", str(fitted), "--json"]) == 0
    about = json.loads(capsys.readouterr().out)
    assert about["kind"] == "StackedAutoencoder"
    assert about["hidden_layer_sizes"] == [6, 4]
    assert about["mean_activation"] == pytest.approx([mean.mean() for mean in same.rho_hat_])


def test_no_fine_tune(tmp_path, data):
    """--no-fine-tune leaves greedy training alone."""
    path = tmp_path / "m.safetensors"
    arguments = ["--hidden-layer-sizes=5,3", "--no-fine-tune", "--max-iter=5", "--quiet"]
    assert main(["fit", str(data), "-o", str(path), *arguments]) == 0
    assert len(sf.load(path).fine_tune_loss_curve_) == 0


def test_classifiers_can_be_asked_and_used(tmp_path, data, capsys):
    """Info and transform take the file of a classifier too."""
    fitted = sf.StackedAutoencoderClassifier((5, 4), max_iter=5, random_state=0)
    fitted.fit(patches(), np.array(["no", "yes"])[np.arange(300) % 2]).save(tmp_path / "m.safetensors")
    assert main(["info", str(tmp_path / "m.safetensors")]) == 0
    assert "no, yes" in capsys.readouterr().out
    assert main(["transform", str(tmp_path / "m.safetensors"), str(data), "-o", str(tmp_path / "c.npy")]) == 0
    np.testing.assert_array_equal(np.load(tmp_path / "c.npy"), fitted.transform(patches()))


def test_options_are_those_of_the_estimator():
    """Each option for stacks has the name and the default that the estimator has."""
    defaults = sf.StackedAutoencoder().get_params() | {"hidden_layer_sizes": None}
    given = make_parser().parse_args(["fit", "X.npy", "-o", "m.safetensors"])
    complete(given)
    arguments = vars(given)
    assert set(defaults) - set(arguments) == {"callback", "verbose"}
    shared = set(defaults) & set(arguments)
    assert {name: arguments[name] for name in shared} == {name: defaults[name] for name in shared}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--hidden-layer-sizes", "6,x"], "must be an integer, got 'x'"),
        (["--hidden-layer-sizes", "6,0"], "must be >= 1, got 0"),
        (["--hidden-layer-sizes", ""], "must be an integer, got ''"),
        (["--hidden-layer-sizes", "6", "--n-components", "3"], "not allowed with argument"),
    ],
)
def test_wrong_usage_is_2(arguments, message, capsys):
    """Wrong usage exits with 2 and says what was wanted."""
    with pytest.raises(SystemExit) as caught:
        main(["fit", "X.npy", "-o", "m.safetensors", *arguments])
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


def test_failure_is_1_with_one_line(tmp_path, data, fitted, capsys):
    """What does not go with the model fails with 1 and one line on stderr."""
    single = tmp_path / "single.safetensors"
    model(max_iter=3).fit(patches()).save(single)
    new = str(tmp_path / "new.safetensors")
    cases = [
        (["transform", str(fitted), str(data), "--layer=2"], "layer must be >= 0 and < 2"),
        (["transform", str(single), str(data), "--layer=0"], "--layer is for stacks of layers"),
        (
            ["fit", str(data), "-o", new, "--hidden-layer-sizes=6,4", "--early-stopping"],
            "--early-stopping is for a single",
        ),
        (["fit", str(data), "-o", new, "--no-fine-tune"], "--no-fine-tune is for a stack of layers: give --hidden-la"),
        (["fit", str(data), "-o", new, "--fine-tune-max-iter=3"], "--fine-tune-max-iter is for a stack of layers"),
    ]
    capsys.readouterr()
    for arguments, message in cases:
        assert main(arguments) == 1
        captured = capsys.readouterr()
        assert message in captured.err
        assert len(captured.err.strip().splitlines()) == 1
        assert captured.out == ""
    assert not (tmp_path / "new.safetensors").exists()
