"""The command line: what a user types, sees and gets."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import warnings
from functools import partial

import numpy as np
import pandas as pd
import pytest

import sae_fast as sf
from sae_fast.cli import main
from sae_fast.cli._fit import _OPTIONS, complete
from sae_fast.cli._parser import make_parser
from tests.helpers.estimators import patches

COMMAND = [sys.executable, "-m", "sae_fast"]


@pytest.fixture(name="data")
def _data(tmp_path):
    path = tmp_path / "X.npy"
    np.save(path, patches())
    return path


@pytest.fixture(name="fitted")
def _fitted(tmp_path, data):
    path = tmp_path / "model.safetensors"
    assert main(["fit", str(data), "-o", str(path), "--n-components=5", "--max-iter=20", "--random-state=0"]) == 0
    return path


def test_fit_transform_info(capsys, tmp_path, data, fitted):
    """Fit writes the model that the estimator gives, transform its codes, info what it holds."""
    same = sf.SparseAutoencoder(5, max_iter=20, random_state=0).fit(patches())
    err = capsys.readouterr().err
    assert "iteration 20/20" in err
    assert f"J {same.cost_.total:.6g}" in err
    for name in ("codes.npy", "codes.npz", "codes.csv", "codes.parquet"):
        out = tmp_path / name
        assert main(["transform", str(fitted), str(data), "-o", str(out)]) == 0
        assert out.exists()
    np.testing.assert_array_equal(np.load(tmp_path / "codes.npy"), same.transform(patches()))
    np.testing.assert_array_equal(
        np.loadtxt(tmp_path / "codes.csv", delimiter=",", skiprows=1), same.transform(patches())
    )
    assert main(["info", str(fitted)]) == 0
    text = capsys.readouterr().out
    for word in ("n components", "rho=0.05", "mean activation", f"{same.cost_.total:.6g}"):
        assert word in text
    assert main(["info", str(fitted), "--json"]) == 0
    about = json.loads(capsys.readouterr().out)
    assert about["n_features"] == 12
    assert about["hyper_parameters"]["max_iter"] == 20


NETWORKS = {
    "relu": {"hidden": "relu", "beta": 0.0, "l1": 0.01, "output": "linear", "loss": "huber"},
    "satlin": {"hidden": "satlin", "beta": 0.1, "rho": 0.3, "loss": "cross_entropy"},
    "outputs": {"output": "satlin", "loss": "absolute"},
    "scaled": {"output": "relu", "scale": "minmax", "l1": 0.02},
}


@pytest.mark.parametrize("sizes", ["--n-components=5", "--hidden-layer-sizes=5,3"])
@pytest.mark.parametrize("name", NETWORKS)
def test_units_losses_and_penalties(name, sizes, tmp_path, data, capsys):
    """What the estimators take, fit takes; info shows it, and the file gives the codes."""
    options, stack = dict(NETWORKS[name]), "layer" in sizes
    if stack and "scale" in options:
        del options["scale"]
    path, out = tmp_path / "m.safetensors", tmp_path / "codes.npy"
    words = [f"--{key}={value}" for key, value in options.items()]
    assert main(["fit", str(data), "-o", str(path), sizes, "--max-iter=6", "--random-state=0", "--quiet", *words]) == 0
    make = partial(sf.StackedAutoencoder, (5, 3)) if stack else partial(sf.SparseAutoencoder, 5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # units that are off, as the command line says too
        same = make(max_iter=6, random_state=0, **options).fit(patches())
    assert main(["transform", str(path), str(data), "-o", str(out)]) == 0
    np.testing.assert_array_equal(np.load(out), same.transform(patches()))
    again = sf.load(path)
    assert {key: getattr(again, key) for key in options} == options
    capsys.readouterr()
    assert main(["info", str(path)]) == 0
    text = capsys.readouterr().out.replace("\n" + " " * 19, " ")
    for word in (f"loss={same.loss}", f"l1={same.l1:g}", f"hidden={same.hidden}", f"output={same.output}"):
        assert word in text
    assert main(["info", str(path), "--json"]) == 0
    about = json.loads(capsys.readouterr().out)
    hyper = about["hyper_parameters"]
    assert (about["loss"], hyper["loss"], hyper["l1"]) == (same.loss, same.loss, same.l1)


def test_options_are_those_of_the_estimator():
    """Each option of fit has the name and the default that the estimator has."""
    defaults = sf.SparseAutoencoder().get_params()
    given = make_parser().parse_args(["fit", "X.npy", "-o", "m.safetensors"])
    complete(given)
    arguments = vars(given)
    assert {name: arguments[name] for name in _OPTIONS} == {name: defaults[name] for name in _OPTIONS}
    assert set(defaults) - set(_OPTIONS) == {"callback", "verbose", "warm_start"}


def test_csv_through_pipes(tmp_path, fitted):
    """Data in by stdin, codes out by stdout, messages on stderr alone."""
    text = io.StringIO()
    np.savetxt(text, patches()[:4], delimiter=",")
    done = subprocess.run(
        [*COMMAND, "transform", str(fitted), "-"], input=text.getvalue(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[0].split(",")[0] == "sparseautoencoder0"
    codes = np.array([[float(x) for x in line.split(",")] for line in lines[1:]])
    np.testing.assert_array_equal(
        codes, sf.load(fitted).transform(np.loadtxt(io.StringIO(text.getvalue()), delimiter=","))
    )


def test_a_reader_that_goes_away_is_no_traceback(tmp_path, fitted):
    """`| head` ends the command quietly."""
    np.save(tmp_path / "long.npy", np.tile(patches(), (200, 1)))
    command = f"{sys.executable} -m sae_fast transform {fitted} {tmp_path}/long.npy | head -n 2"
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert len(done.stdout.splitlines()) == 2
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("redirection", "message"),
    [
        ("<&-", "stdin: it must hold a table, but it is closed"),
        (">&- < /dev/null", "stdin: it must hold a table, got nothing"),
    ],
)
def test_closed_streams_are_no_traceback(redirection, message, fitted):
    """A closed stdin or stdout gives one line and exit code 1."""
    command = f'"{sys.executable}" -m sae_fast transform "{fitted}" - -o - {redirection}'
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == f"sae-fast: error: {message}\n"


def test_info_without_stdout_is_no_traceback(fitted):
    """There is nowhere to print to, and nothing else to do."""
    done = subprocess.run(f'"{sys.executable}" -m sae_fast info "{fitted}" >&-', shell=True, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, b"")


def test_feature_names_are_kept_and_compared(tmp_path, capsys):
    """Names of a CSV's columns go into the model; data with other names or order are refused."""
    csv = tmp_path / "x.csv"
    rows = "\n".join(",".join(f"{v:.4f}" for v in row) for row in patches()[:40, :3])
    csv.write_text(f"red,green,blue\n{rows}\n")
    path = tmp_path / "m.safetensors"
    assert main(["fit", str(csv), "-o", str(path), "--n-components=2", "--max-iter=5", "--quiet"]) == 0
    assert list(sf.load(path).feature_names_in_) == ["red", "green", "blue"]
    assert main(["transform", str(path), str(csv), "-o", str(tmp_path / "c.npy")]) == 0
    csv.write_text(csv.read_text().replace("red,green", "green,red", 1))
    capsys.readouterr()
    assert main(["transform", str(path), str(csv)]) == 1
    assert "wanted 'red', got 'green'" in capsys.readouterr().err


@pytest.mark.parametrize("layers", [1, 2])
def test_encoder_files_are_shown_and_encode(layers, tmp_path, data, capsys):
    """What fold() made of a pipeline is used like a model."""
    X = np.load(data)
    parts = [sf.Encoder(sf.init_params(n, m, random_state=0)) for n, m in ((X.shape[1], 5), (5, 3))[:layers]]
    encoder = parts[0] if layers == 1 else sf.StackEncoder(parts)
    path = tmp_path / "e.safetensors"
    encoder.save(path)
    assert main(["transform", str(path), str(data), "-o", str(tmp_path / "codes.npy")]) == 0
    np.testing.assert_array_equal(np.load(tmp_path / "codes.npy"), encoder(X))
    assert main(["info", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["hidden_layer_sizes"] == [5, 3][:layers]
    assert main(["info", str(path)]) == 0
    assert f"n features           {X.shape[1]}" in capsys.readouterr().out
    assert main(["transform", str(path), str(data), "--layer", "1"]) == 1
    assert "holds an encoder" in capsys.readouterr().err
    np.save(tmp_path / "narrow.npy", X[:, 1:])
    assert main(["transform", str(path), str(tmp_path / "narrow.npy")]) == 1
    assert f"must have {X.shape[1]} columns" in capsys.readouterr().err


def test_dtype_option(tmp_path, data):
    """--dtype float32 trains in float32."""
    path = tmp_path / "m.safetensors"
    assert main(["fit", str(data), "-o", str(path), "--dtype=float32", "--max-iter=3", "--quiet"]) == 0
    assert sf.load(path).components_.dtype == np.float32


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["fly"], "invalid choice: 'fly'"),
        (["fit", "X.npy"], "the following arguments are required: -o/--out"),
        (
            ["fit", "X.txt", "-o", "m.safetensors"],
            ".tsv, .csv.gz, .tsv.gz, .csv.zst, .tsv.zst (or be - or a pipe), got 'X.txt'",
        ),
        (["fit", "X.npy", "-o", "m.pkl"], "must end in .safetensors, got 'm.pkl'"),
        (["fit", "X.npy", "-o", "m.safetensors", "--rho", "1.5"], "rho must be in (0, 1), got 1.5"),
        (["fit", "X.npy", "-o", "m.safetensors", "--rho", "few"], "must be a number, got 'few'"),
        (["fit", "X.npy", "-o", "m.safetensors", "--beta", "-1"], "beta must be >= 0 and finite, got -1.0"),
        (["fit", "X.npy", "-o", "m.safetensors", "--n-components", "0"], "must be >= 1, got 0"),
        (["fit", "X.npy", "-o", "m.safetensors", "--max-iter", "many"], "must be an integer, got 'many'"),
        (["fit", "X.npy", "-o", "m.safetensors", "--random-state", "-1"], "must be >= 0, got -1"),
        (["fit", "X.npy", "-o", "m.safetensors", "--learning-rate", "0"], "learning_rate must be > 0 and finite"),
        (["fit", "X.npy", "-o", "m.safetensors", "--hidden", "swish"], "invalid choice: 'swish'"),
        (["fit", "X.npy", "-o", "m.safetensors", "--hidden", "linear"], "invalid choice: 'linear'"),
        (["fit", "X.npy", "-o", "m.safetensors", "--loss", "softmax"], "invalid choice: 'softmax'"),
        (["fit", "X.npy", "-o", "m.safetensors", "--l1", "-1"], "l1 must be >= 0 and finite, got -1.0"),
        (["fit", "X.npy", "-o", "m.safetensors", "--l1", "nan"], "l1 must be >= 0 and finite, got nan"),
        (["fit", "X.npy", "-o", "m.safetensors", "--hidden", "relu"], "by --l1, as in --beta 0 --l1 0.001"),
        (["compare", "X.npy", "--hidden", "relu"], "--hidden relu needs --beta 0, as its mean activation has no upper"),
        (
            ["fit", "X.npy", "-o", "m.safetensors", "--loss=cross_entropy", "--output=tanh"],
            "--loss cross_entropy needs --output sigmoid, got tanh",
        ),
    ],
)
def test_wrong_usage_is_2(arguments, message, capsys):
    """Wrong usage exits with 2 and says what was wanted."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


def failing(tmp_path, data, fitted):
    np.save(tmp_path / "nan.npy", np.full((20, 4), np.nan))
    np.save(tmp_path / "narrow.npy", np.zeros((20, 4)))
    np.save(tmp_path / "wide.npy", np.full((20, 4), -0.5))
    (tmp_path / "junk.safetensors").write_bytes(b"junk")
    model = str(tmp_path / "new.safetensors")
    return {
        "no such file": (["fit", str(tmp_path / "no.npy"), "-o", model], "No such file or directory"),
        "no such folder": (["fit", str(data), "-o", str(tmp_path / "no" / "m.safetensors")], "does not exist"),
        "NaN": (["fit", str(tmp_path / "nan.npy"), "-o", model], "nan.npy contains NaN"),
        "narrow": (
            ["transform", str(fitted), str(tmp_path / "narrow.npy")],
            "must have 12 columns, as the model, got 4",
        ),
        "targets": (
            ["fit", str(tmp_path / "wide.npy"), "--loss=cross_entropy", "-o", model],
            "wide.npy must be in [0, 1] for loss='cross_entropy', got -0.5",
        ),
        "junk": (["info", str(tmp_path / "junk.safetensors")], "is not a model file of sae_fast"),
        "directory": (["transform", str(fitted), str(data), "-o", str(tmp_path / "d.npy")], "is a directory"),
        "no model": (["transform", str(tmp_path / "no.safetensors"), str(data)], "No such file or directory"),
        "data are a directory": (["fit", str(tmp_path / "d.npy"), "-o", model], "d.npy is a directory, wanted a file"),
        "demo into a file": (["demo", "--out", str(data)], "X.npy is a file, wanted a folder"),
        "key": (["fit", str(data), "--key", "a", "-o", model], "--key is for .npz files"),
    }


FAILING = ("no such file", "no such folder", "NaN", "narrow", "targets", "junk", "directory", "no model",
           "data are a directory", "demo into a file", "key")  # fmt: skip


@pytest.mark.parametrize("case", FAILING)
def test_failure_is_1_with_one_line(case, tmp_path, data, fitted, capsys):
    """What fails exits with 1 and one line on stderr, without a traceback, and writes nothing."""
    (tmp_path / "d.npy").mkdir()
    arguments, message = failing(tmp_path, data, fitted)[case]
    before = sorted(p.name for p in tmp_path.iterdir())
    capsys.readouterr()
    assert main(arguments) == 1
    captured = capsys.readouterr()
    assert message in captured.err
    assert len(captured.err.strip().splitlines()) == 1
    assert captured.out == ""
    assert sorted(p.name for p in tmp_path.iterdir()) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser can write everywhere")
def test_unwritable_folder_is_known_before_the_work(tmp_path, data, capsys):
    """A folder that cannot be written to is an error before training, and names the file that was asked for."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    assert main(["fit", str(data), "-o", str(closed / "m.safetensors")]) == 1
    assert f"the folder of {closed / 'm.safetensors'} cannot be written to" in capsys.readouterr().err


def test_interrupted_fit_writes_the_best_so_far(tmp_path):
    """Ctrl-C in a fit from the shell: exit code 1, a warning, and a model file that loads."""
    np.save(tmp_path / "X.npy", np.random.default_rng(0).uniform(0.1, 0.9, (4000, 64)))
    model = tmp_path / "m.safetensors"
    command = [*COMMAND, "fit", str(tmp_path / "X.npy"), "-o", str(model), "--max-iter", "1000000", "--tol", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    first = process.stderr.readline()
    assert first.startswith("iteration 1/")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "interrupted after" in err
    assert "Traceback" not in err
    assert sf.load(model).transform(np.zeros((1, 64))).shape == (1, 25)


def test_ctrl_c_ends_a_command_whatever_drops_it():
    """Code that takes KeyboardInterrupt for an error of its own, as some libraries do, keeps no command alive."""
    code = (
        "import signal, sys, time, sae_fast.cli, sae_fast.cli._compare as command\n"
        "def run(arguments):\n"
        "    print('ready', flush=True)\n"
        "    while True:\n"
        "        try: time.sleep(60)\n"
        "        except KeyboardInterrupt: pass\n"
        "command.run = run\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "sys.argv = ['sae-fast', 'compare', 'X.npy']\n"
        "sae_fast.cli.script()\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    _, messages = process.communicate(timeout=30)
    assert (process.returncode, messages) == (1, "sae-fast: interrupted\n")


def test_interrupted_demo_shows_the_best_so_far(tmp_path):
    """Ctrl-C in the demo: the same, and its pictures."""
    command = [*COMMAND, "demo", "--out", str(tmp_path / "out"), "--max-iter", "1000000"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    assert process.stderr is not None
    assert any(line.startswith("iteration ") for line in process.stderr)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "interrupted after" in err
    assert "Traceback" not in err
    assert (tmp_path / "out" / "summary.png").exists()


def test_a_file_is_not_written_over_an_input(tmp_path, data, fitted, capsys, monkeypatch):
    """Data, model and labels are not overwritten, by whatever name they go; nor is what comes on stdin."""
    (tmp_path / "link.npy").symlink_to(data)
    os.link(data, tmp_path / "hard.npy")
    os.link(data, tmp_path / "hard.png")
    os.link(data, tmp_path / "hard.safetensors")
    before = data.read_bytes()
    for command in (
        ["transform", fitted, data, "-o", data],
        ["transform", fitted, data, "-o", tmp_path / "link.npy"],
        ["transform", fitted, data, "-o", tmp_path / "hard.npy"],
        ["plot", fitted, data, "-o", tmp_path / "hard.png"],
        ["fit", data, "-o", tmp_path / "hard.safetensors"],
    ):
        assert main([str(word) for word in command]) == 1
        assert f"{command[-1]} is the input {data} itself" in capsys.readouterr().err
    with data.open() as stream:
        monkeypatch.setattr("sys.stdin", stream)
        assert main(["transform", str(fitted), "-", "-o", str(data)]) == 1
    assert "is the input stdin itself" in capsys.readouterr().err
    command = f'"{sys.executable}" -m sae_fast transform "{fitted}" "{data}" >> "{data}"'
    assert b"stdout is the input" in subprocess.run(command, shell=True, stderr=subprocess.PIPE).stderr
    assert data.read_bytes() == before


@pytest.mark.parametrize("missing", ["safetensors", "safetensors.numpy"])
def test_what_the_end_needs_is_known_before_the_fit(tmp_path, data, capsys, monkeypatch, missing):
    """Without the library that writes models there is no training that would be lost."""
    monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.setattr(sf.SparseAutoencoder, "fit", lambda *_: pytest.fail("it trains"))
    assert main(["fit", str(data), "-o", str(tmp_path / "m.safetensors")]) == 1
    assert "model files need the package safetensors" in capsys.readouterr().err
    assert main(["demo", "--out", str(tmp_path / "demo")]) == 1
    assert "model files need the package safetensors" in capsys.readouterr().err


def test_info_is_laid_out(tmp_path, fitted, capsys):
    """No line is longer than a page, no value is broken, and what a file says does not steer the terminal."""
    frame = pd.DataFrame(patches(), columns=[f"column\x1b[2J {i}" for i in range(12)])
    sf.SparseAutoencoder(3, max_iter=2, random_state=0).fit(frame).save(tmp_path / "n.safetensors")
    for path in (fitted, tmp_path / "n.safetensors"):
        capsys.readouterr()
        assert main(["info", str(path)]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert max(map(len, lines)) <= 120
        assert all(line[:19].strip() == "" or line[18] == " " for line in lines)
        assert "\x1b" not in "".join(lines)
    assert "column\\x1b[2J 0, column\\x1b[2J 1," in " ".join(" ".join(lines).split())
    assert "... (12 in all)" in " ".join(lines)


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full"])
def test_without_stderr_there_is_silence(tmp_path, data, redirection):
    """Progress, warnings and messages that nobody can get change nothing."""
    out = tmp_path / "m.safetensors"
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    command = f'"{sys.executable}" -m sae_fast fit "{data}" -o "{out}" --max-iter 3 {redirection}'
    assert subprocess.run(command, shell=True, env=buffered).returncode == 0
    assert sf.load(out).n_iter_ == 3
    command = f'"{sys.executable}" -m sae_fast fit "{data}" -o "{data}.pkl" {redirection}'
    assert subprocess.run(command, shell=True, env=buffered).returncode == 2


@pytest.mark.parametrize("stream", [None, "closed"])
def test_verbose_without_stderr(monkeypatch, stream, capsys):
    """``verbose=1`` shows nothing where Python has no stderr, or a closed one; and nothing goes to stdout."""
    if stream == "closed":
        stream = io.StringIO()
        stream.close()
    with monkeypatch.context() as patched:
        patched.setattr("sys.stderr", stream)
        X = patches()
        sf.SparseAutoencoder(3, max_iter=3, random_state=0, verbose=1).fit(X)
        sf.StackedAutoencoder((4, 3), max_iter=2, fine_tune_max_iter=2, random_state=0, verbose=1).fit(X)
        sf.suggest_beta(X, 3, rho=0.4, max_trials=2, max_iter=5, random_state=0, verbose=1)
        assert main(["info", "no.safetensors"]) == 1
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("words", [["info", "{fitted}"], ["transform", "{fitted}", "{data}"]])
def test_a_full_stdout_is_one_line(words, fitted, data):
    """What cannot be written to stdout gives exit code 1 and says so."""
    command = [*COMMAND, *(word.format(fitted=fitted, data=data) for word in words)]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert done.stderr == "sae-fast: error: stdout: No space left on device\n"


def test_compare_takes_scale_and_solver(data, capsys):
    """They are parameters of the model that is fitted here, and wrong for one that is."""
    words = ["compare", str(data), "--scale", "minmax", "--solver", "adam", "--max-iter", "3", "--json", "--quiet"]
    assert main([*words, "--random-state", "0"]) == 0
    found = json.loads(capsys.readouterr().out)["coders"][0]["error"]
    wanted = sf.compare_with_pca(patches(), scale="minmax", solver="adam", max_iter=3, random_state=0)
    assert found == wanted.sae.error


def test_help_and_version(capsys):
    """--help of every command and --version work."""
    for arguments in (
        ["--help"],
        ["demo", "--help"],
        ["fit", "--help"],
        ["transform", "--help"],
        ["info", "--help"],
        ["plot", "--help"],
        ["bench", "--help"],
    ):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 0
        text = capsys.readouterr().out
        assert "usage: sae-fast" in text
        assert "None" not in text
        assert text.count("(default: )") == 0
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"sae-fast {sf.__version__}\n"


def test_demo(tmp_path, capsys):
    """The demo reaches a sparse code of real patches and writes its five files."""
    assert main(["demo", "--out", str(tmp_path / "demo"), "--quiet"]) == 0
    out = capsys.readouterr().out
    for word in ("mean activation", "PCA, 25 comp.", "x faster", "400 iterations"):
        assert word in out
    names = sorted(os.listdir(tmp_path / "demo"))
    assert names == ["codes.npy", "filters.png", "loss.png", "model.safetensors", "summary.png"]
    fitted = sf.load(tmp_path / "demo" / "model.safetensors")
    assert fitted.cost_.total < 0.45
    np.testing.assert_allclose(fitted.rho_hat_, 0.01, atol=0.01)
    assert np.load(tmp_path / "demo" / "codes.npy").shape == (10_000, 25)
