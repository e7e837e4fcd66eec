"""The command line and users' tables: columns, labels, several files, pipes; the same options for every command."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import sae_fast as sf
from sae_fast.cli import main
from sae_fast.cli._inputs import check_columns
from sae_fast.cli._models import for_arrays
from sae_fast.cli._parser import make_parser
from sae_fast.files._table import Table
from tests.helpers.estimators import patches
from tests.helpers.paths import CASES

COMMAND = f'"{sys.executable}" -m sae_fast'
FIT = ["-o", "m.safetensors", "--n-components=2", "--max-iter=3", "--random-state=0", "--quiet"]


@pytest.fixture(name="frame")
def _frame(tmp_path, monkeypatch):
    """A frame with an id, a text and a class beside its features, and a folder for files of it."""
    monkeypatch.chdir(tmp_path)
    frame = pd.DataFrame(patches()[:40, :3], columns=["red", "green", "blue"])
    frame.insert(0, "id", np.arange(40) + 1000)
    frame["when"] = "2024-01-01"
    frame["y"] = np.arange(40) % 2
    return frame


def run(command):
    return subprocess.run(["bash", "-c", command.replace("sae-fast", COMMAND)], capture_output=True, text=True)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("x.csv", lambda f, p: f.to_csv(p, index=False)),
        ("x.csv.gz", lambda f, p: f.to_csv(p, index=False)),
        ("x.tsv", lambda f, p: f.to_csv(p, index=False, sep="\t")),
        ("x.parquet", lambda f, p: f.to_parquet(p)),
    ],
)
def test_columns_and_labels_of_every_command(frame, name, write, capsys):
    """Fit, transform, plot and compare take the same columns; a column of labels is never a feature."""
    write(frame, name)
    X = frame[["red", "green", "blue"]].to_numpy()
    columns = ["--drop=when", "--index-col=id", "--labels-column=y"]
    assert main(["fit", name, *columns, *FIT]) == 0
    model = sf.load("m.safetensors")
    assert list(model.feature_names_in_) == ["red", "green", "blue"]
    for options in (columns, ["--columns=red,green,blue"]):
        assert main(["transform", "m.safetensors", name, *options, "-o", "codes.npy"]) == 0
        np.testing.assert_array_equal(np.load("codes.npy"), model.transform(frame[["red", "green", "blue"]]))
    assert main(["plot", "m.safetensors", name, *columns, "--kind=latent", "-o", "p.png", "--dpi=50"]) == 0
    capsys.readouterr()
    assert main(["compare", name, *columns, "--cv=2", "--max-iter=3", "--random-state=0", "--json", "--quiet"]) == 0
    found = json.loads(capsys.readouterr().out)
    wanted = sf.compare_with_pca(X, frame["y"].to_numpy(float), cv=2, max_iter=3, random_state=0).to_dict()
    for side in ("autoencoder", "pca"):
        if side in wanted:
            assert found[side]["accuracy"] == wanted[side]["accuracy"]


def test_labels_of_a_plot_are_those_of_the_column(frame):
    """The same picture as with a file of labels; without --labels-column, another one."""
    frame.to_csv("x.csv", index=False)
    np.save("y.npy", frame["y"].to_numpy(float))
    columns = ["--columns=red,green,blue"]
    assert main(["fit", "x.csv", *columns, *FIT]) == 0
    pictures = []
    for labels in (["--labels-column=y"], ["--labels=y.npy"], []):
        plot = ["plot", "m.safetensors", "x.csv", *columns, *labels, "--kind=latent", "--dpi=50", "-o", "p.png"]
        assert main(plot) == 0
        pictures.append(Path("p.png").read_bytes())
    assert pictures[0] == pictures[1] != pictures[2]


def test_every_command_that_reads_tables_has_the_options():
    """Fit, transform, plot and compare take them, with the same defaults."""
    heads = {"fit": ["x.csv", "-o", "m.safetensors"], "transform": ["m", "x.csv"], "plot": ["m", "x.csv"],
             "compare": ["x.csv"]}  # fmt: skip
    names = ("key", "header", "sep", "decimal", "columns", "drop", "index_col", "labels_column", "data")
    found = [vars(make_parser().parse_args([command, *rest])) for command, rest in heads.items()]
    assert len({repr([arguments[name] for name in names]) for arguments in found}) == 1


def test_several_files_and_patterns(frame, capsys):
    """The rows of all files in the order given; a pattern in quotes; a file that differs is named."""
    X = frame[["red", "green", "blue"]]
    for i in range(3):
        X[10 * i : 10 * (i + 1)].to_csv(f"part{i}.csv", index=False)
    assert main(["fit", "part0.csv", "part1.csv", "part2.csv", *FIT]) == 0
    assert "30 samples" in capsys.readouterr().err
    assert main(["transform", "m.safetensors", "part*.csv", "-o", "codes.npy"]) == 0
    np.testing.assert_array_equal(np.load("codes.npy"), sf.load("m.safetensors").transform(X[:30]))
    X[["green", "red", "blue"]][10:20].to_csv("part1.csv", index=False)
    assert main(["transform", "m.safetensors", "part*.csv", "-o", "by_name.npy"]) == 0
    np.testing.assert_array_equal(np.load("by_name.npy"), np.load("codes.npy"))
    X.rename(columns={"red": "pink"}).to_csv("part1.csv", index=False)
    assert main(["fit", "part*.csv", *FIT]) == 1
    assert "part1.csv must have the columns of part0.csv: missing 'red'; more 'pink'" in capsys.readouterr().err
    assert main(["fit", "piece*.csv", *FIT]) == 1
    assert "no file fits the pattern 'piece*.csv'" in capsys.readouterr().err


def test_checking_columns_leaves_the_model_alone(frame):
    """The names that a model was fitted to are its own after a table has been compared with them, and after its use."""
    names = ["red", "green", "blue"]
    model = sf.SparseAutoencoder(2, max_iter=3, random_state=0).fit(frame[names])
    before = dict(vars(model))
    check_columns(model, Table(frame[names].to_numpy(), names), "x.csv")
    codes = for_arrays(model).transform(frame[names].to_numpy())
    assert vars(model) == before
    np.testing.assert_array_equal(codes, model.transform(frame[names]))


def test_pipes_and_process_substitution(frame):
    """What a shell gives as a file: stdin with a byte order mark, /dev/fd/63, a FIFO."""
    frame[["red", "green", "blue"]].to_csv("x.csv", index=False, encoding="utf-8-sig")
    done = run(
        "sae-fast fit - -o a.safetensors --max-iter=3 --random-state=0 --quiet < x.csv && "
        "sae-fast fit <(cat x.csv) -o b.safetensors --max-iter=3 --random-state=0 --quiet && "
        "mkfifo pipe && (cat x.csv > pipe &) && "
        "sae-fast fit pipe -o c.safetensors --max-iter=3 --random-state=0 --quiet && "
        "sae-fast transform c.safetensors <(cat x.csv) > codes.csv"
    )
    assert done.returncode == 0, done.stderr
    models = [sf.load(f"{name}.safetensors") for name in "abc"]
    for model in models:
        assert list(model.feature_names_in_) == ["red", "green", "blue"]
        np.testing.assert_array_equal(model.components_, models[0].components_)
    assert len(pd.read_csv("codes.csv")) == 40


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fit", "x.csv", "--decimal=,", *FIT], "--decimal , needs fields that no comma separates: give --sep ';'"),
        (["fit", "x.csv", "--sep=::", *FIT], "must be one character like ; or |, or tab or space, got '::'"),
        (["fit", "x.csv", "--sep=1", *FIT], "must be one character"),
        (["fit", "x.csv", "--header=maybe", *FIT], "invalid choice: 'maybe'"),
        (["compare", "x.csv", "--labels=y.npy", "--labels-column=y"], "--labels and --labels-column: give one of them"),
        (
            ["fit", "x.dat", *FIT],
            ".csv, .parquet, .tsv, .csv.gz, .tsv.gz, .csv.zst, .tsv.zst (or be - or a pipe)",
        ),
    ],
)
def test_wrong_usage_is_2(arguments, message, frame, capsys):
    """Options that cannot be are wrong usage."""
    frame.to_csv("x.csv", index=False)
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


def test_messages_tell_what_to_do(frame, capsys):
    """Columns too many or missing by name, values that are not finite by row and column."""
    frame.to_csv("x.csv", index=False)
    X = frame[["red", "green", "blue"]]
    X.to_csv("good.csv", index=False)
    assert main(["fit", "good.csv", *FIT]) == 0
    frame.drop(columns=["when", "blue"]).to_csv("other.csv", index=False)
    bad = X.copy()
    bad.iloc[6, 1] = np.nan
    bad.to_csv("nan.csv", index=False, na_rep="nan")
    bad.to_parquet("null.parquet")
    np.save("inf.npy", np.where(bad.isna(), np.inf, bad))
    for arguments, message in (
        (["fit", "x.csv"], "line 2, column 5 must be a number, got '2024-01-01' (--drop when leaves the column out)"),
        (["transform", "other.csv"], "must have 3 columns, as the model, got 4; more: 'id', 'y'; missing: 'blue'"),
        (["fit", "nan.csv"], "nan.csv contains NaN: row 6, column 'green' (counted from 0)"),
        (["transform", "nan.csv"], "nan.csv contains NaN: row 6, column 'green' (counted from 0)"),
        (["plot", "nan.csv"], "nan.csv contains NaN: row 6, column 'green' (counted from 0)"),
        (["compare", "inf.npy"], "inf.npy contains an infinite value: row 6, column 1 (counted from 0)"),
        (["transform", "inf.npy"], "inf.npy contains an infinite value: row 6, column 1 (counted from 0)"),
        (
            ["fit", "null.parquet"],
            "column 'green', row 6 (counted from 0) must hold a value, got a missing one (1 in all)",
        ),
        (
            ["fit", "x.csv", "--drop=whn"],
            "--drop: no column is named 'whn', of 'id', 'red', 'green', 'blue', 'when', 'y'",
        ),
    ):
        capsys.readouterr()
        command, *rest = arguments
        model = ["m.safetensors"] if command in ("transform", "plot") else []
        assert main([command, *model, *rest, *(FIT if command == "fit" else [])]) == 1
        captured = capsys.readouterr()
        assert message in captured.err
        assert len(captured.err.splitlines()) == 1


@pytest.mark.filterwarnings("default:.*column 1 has no name")
def test_a_numbered_header_and_an_index_are_no_data(tmp_path, monkeypatch, capsys):
    """Pandas' default names 0, 1, 2, ... and its index without a name, from fit to codes."""
    monkeypatch.chdir(tmp_path)
    frame = pd.DataFrame(np.round(8 * patches()[:30, :5]))
    frame.to_csv("x.csv", index=False)
    frame.to_csv("indexed.csv")
    assert main(["fit", "x.csv", "--scale=minmax", *FIT]) == 0
    assert "30 samples, 5 -> 2 units" in capsys.readouterr().err
    assert main(["transform", "m.safetensors", "indexed.csv", "-o", "codes.npy"]) == 0
    err = capsys.readouterr().err
    assert err == (
        "sae-fast: warning: indexed.csv: column 1 has no name and is taken for an index of the rows, "
        "not for a feature (--index-col)\n"
    )
    named = frame.rename(columns=str)
    np.testing.assert_array_equal(np.load("codes.npy"), sf.load("m.safetensors").transform(named))


# What is right for each case: options, and samples with names of features, or a message.
RIGHT = {
    "csv_date_column.csv": (["--drop=when"], (30, ["a", "b", "c"])),
    "csv_excel_error.csv": ([], "line 7, column 1 must be a number, got '#N/A'"),
    "csv_first_row_missing.csv": ([], "line 1, column 2 must be a number, got '?'"),
    "csv_header_newline.csv": ([], (30, ["a\n(mm)", "b", "c"])),
    "csv_numeric_header.csv": (["--scale=minmax"], (200, [str(i) for i in range(64)])),
    "csv_semicolon_decimal_comma.csv": (["--sep=;", "--decimal=,"], (30, ["a", "b", "c"])),
    "csv_unnamed_index.csv": ([], (30, ["a", "b", "c"])),
    "parquet_embedding.parquet": ([], (30, ["emb_0", "emb_1", "emb_2"])),
    "sparse_npz.npz": ([], "it holds a sparse matrix, of scipy.sparse.save_npz"),
}


@pytest.mark.filterwarnings("default:.*column 1 has no name")
@pytest.mark.parametrize("name", RIGHT)
def test_files_on_which_the_package_failed(name, tmp_path, capsys):
    """Each is read whole, with the right names, or refused in words."""
    path = CASES / name
    if not path.exists():
        pytest.skip("the files are not beside this checkout (set SAE_FAST_SHARED to their folder)")
    options, right = RIGHT[name]
    model = tmp_path / "m.safetensors"
    code = main(["fit", str(path), *options, "-o", str(model), "--n-components=2", "--max-iter=5", "--random-state=0"])
    err = capsys.readouterr().err
    if isinstance(right, str):
        assert (code, right in err, model.exists()) == (1, True, False)
        return
    samples, names = right
    assert code == 0, err
    assert f"sae-fast: {samples} samples, {len(names)} -> 2 units" in err
    assert list(sf.load(model).feature_names_in_) == names
    codes = tmp_path / "codes.npy"
    options = [option for option in options if "scale" not in option]
    assert main(["transform", str(model), str(path), *options, "-o", str(codes)]) == 0
    assert np.load(codes).shape == (samples, 2)


def test_semicolons_are_named():
    """Without options the case with decimal commas is an error that gives them."""
    path = CASES / "csv_semicolon_decimal_comma.csv"
    if not path.exists():
        pytest.skip("the files are not beside this checkout (set SAE_FAST_SHARED to their folder)")
    done = run(f"sae-fast fit {path} -o /dev/null/m.safetensors; sae-fast compare {path}")
    assert "(--sep ';' --decimal , would read it)" in done.stderr


def test_every_case_is_here():
    """No file of a table is left out."""
    found = [p.name for kind in ("csv_*.csv", "*.parquet", "*.npz") for p in CASES.glob(kind)]
    assert set(found) <= set(RIGHT)


@pytest.mark.parametrize("more", [["--early-stopping"], ["--hidden-layer-sizes=3,2", "--fine-tune-max-iter=2"]])
def test_fit_of_files_that_are_read_again_as_of_those_in_memory(frame, more):
    """Samples are held out of them, and stacks fitted to them, to the same bytes."""
    frame[["red", "green", "blue"]].to_csv("1.csv", index=False)
    options = ["--max-iter=3", "--output=linear", "--random-state=0", *more]
    assert main(["fit", "1.csv", *options, "-o", "memory.safetensors"]) == 0
    assert main(["fit", "1.csv", "--stream", *options, "-o", "stream.safetensors"]) == 0
    assert Path("stream.safetensors").read_bytes() == Path("memory.safetensors").read_bytes()


def test_fit_of_files_that_are_read_again(frame, capsys):
    """--stream trains on blocks of the files, to the J of the same samples in memory."""
    X = frame[["red", "green", "blue"]]
    X[:17].to_csv("1.csv", index=False)
    X[17:].to_csv("2.csv", index=False)
    assert main(["fit", "1.csv", "2.csv", *FIT]) == 0
    wanted = sf.load("m.safetensors")
    assert main(["fit", "1.csv", "2.csv", "--stream", *FIT]) == 0
    assert "40 samples" in capsys.readouterr().err
    found = sf.load("m.safetensors")
    np.testing.assert_allclose(found.cost_, wanted.cost_, rtol=1e-10)
    assert list(found.feature_names_in_) == ["red", "green", "blue"]
    detectors = [["fit", "1.csv", "2.csv", "--detector", "--random-state=0", *more] for more in ([], ["--stream"])]
    for k, command in enumerate(detectors):
        assert main([*command, "--max-iter=3", "-o", f"{k}.safetensors"]) == 0
    assert Path("0.safetensors").read_bytes() == Path("1.safetensors").read_bytes()
    capsys.readouterr()
    assert main(["fit", "-", "--stream", *FIT]) == 1
