"""``transform --resume``: what a killed run has done is gone on with, to the same bytes, or an error tells why not."""

from __future__ import annotations

import contextlib
import json
import resource

import numpy as np
import pandas as pd
import pytest

import sae_fast as sf
from sae_fast.cli import main
from sae_fast.files import _unfinished
from sae_fast.files._unfinished import going_on
from sae_fast.streams import _source
from tests.helpers.resuming import SUFFIXES, Resuming

X = np.random.default_rng(0).uniform(0.1, 0.9, (300, 6))


@pytest.fixture(name="folder")
def _folder(tmp_path, monkeypatch):
    """A folder with a model and samples; small blocks, each of which is saved."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_unfinished, "SAVE_SECONDS", 0)
    monkeypatch.setattr(_source, "_BLOCK_BYTES", 32 * 48)
    np.save("X.npy", X)
    frame = pd.DataFrame(X, columns=list("abcdef"))
    frame.insert(0, "id", [f'k "{i}",' for i in range(300)])
    frame.to_csv("X.csv", index=False)
    frame.to_parquet("X.parquet")
    sf.SparseAutoencoder(3, max_iter=2, random_state=0).fit(frame[list("abcdef")]).save("m.safetensors")
    return tmp_path


def codes():
    """Those of the model, of all samples."""
    return sf.load("m.safetensors").transform(pd.DataFrame(X, columns=list("abcdef")))


class StoppedError(Exception):
    pass


def stop_after(monkeypatch, n):
    """End the next run, as a fault would, when it has written ``n`` blocks."""
    write, count = _unfinished.Unfinished.write, [0]

    def stopping(self, *rows):
        if count[0] == n:
            raise StoppedError
        count[0] += 1
        write(self, *rows)

    monkeypatch.setattr(_unfinished.Unfinished, "write", stopping)
    return lambda: monkeypatch.setattr(_unfinished.Unfinished, "write", write)


@pytest.mark.parametrize("blocks", [0, 4])
@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("data", ["X.npy", "X.csv", "X.parquet"])
def test_the_same_bytes(folder, monkeypatch, capsys, data, suffix, blocks):
    """A run that was ended after some blocks and gone on with gives the file of one run, with kept columns too."""
    out = folder / f"codes{suffix}"
    keep = ["--keep=id"] if data != "X.npy" and suffix in (".csv", ".parquet") else []
    drop = ["--drop=id"] if data != "X.npy" and not keep else []
    command = ["transform", "m.safetensors", data, *keep, *drop, "-o", str(out)]
    assert main(command) == 0
    wanted = out.read_bytes()
    out.unlink()
    go_on = stop_after(monkeypatch, blocks)
    with pytest.raises(StoppedError):
        main([*command, "--resume"])
    go_on()
    assert not out.exists()
    capsys.readouterr()
    assert main([*command, "--resume"]) == 0
    assert (f"going on from row {32 * blocks} " in capsys.readouterr().err) == (blocks > 0)
    assert out.read_bytes() == wanted
    assert not list(folder.glob(".codes*"))


def test_killed(tmp_path):
    """SIGKILL in the middle of a run: no half file, and the next run ends with the same bytes."""
    Resuming(tmp_path, 4000).kill(".npy", 0.02)


@contextlib.contextmanager
def files_of_at_most(size):
    """What the system refuses beyond that, as it does where the disk is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_full_disk(folder, capsys, suffix):
    """An error that names the file; what was there stays whole, and when there is room the run goes on."""
    out = folder / f"codes{suffix}"
    command = ["transform", "m.safetensors", "X.csv", "--drop=id", "-o", str(out)]
    assert main(command) == 0
    wanted = out.read_bytes()
    out.write_bytes(b"old")
    capsys.readouterr()
    with files_of_at_most(4000):
        assert main([*command, "--resume"]) == 1
    error = capsys.readouterr().err
    assert f"codes{suffix}: File too large" in error
    assert out.read_bytes() == b"old"
    assert main([*command, "--resume"]) == 0
    assert "going on from row" in capsys.readouterr().err
    assert out.read_bytes() == wanted
    assert not list(folder.glob(".codes*"))


def test_a_full_disk_at_the_end(folder, monkeypatch, capsys):
    """All rows are there, and their archive does not fit beside them: nothing is encoded again when it does."""
    command = ["transform", "m.safetensors", "X.npy", "-o", "codes.npz", "--resume"]
    monkeypatch.setattr(_unfinished, "SAVE_SECONDS", 60)
    with files_of_at_most(codes().nbytes + 100):
        assert main(command) == 1
    assert "codes.npz: File too large" in capsys.readouterr().err
    assert sorted(path.name for path in folder.glob("*codes*")) == [".codes.npz.part", ".codes.npz.part.json"]
    assert main(command) == 0
    assert "going on from row 300 " in capsys.readouterr().err
    np.testing.assert_array_equal(np.load("codes.npz")["codes"], codes())


@pytest.mark.parametrize("seconds", [0, 60])
def test_a_full_disk_is_not_filled_with_rows_that_do_not_count(folder, monkeypatch, seconds):
    """What lies behind the last rows that the next run goes on with is given back; where there are none, all of it."""
    monkeypatch.setattr(_unfinished, "SAVE_SECONDS", seconds)
    with files_of_at_most(4000):
        assert main(["transform", "m.safetensors", "X.npy", "-o", "codes.npy", "--resume"]) == 1
    left = {path.name: path for path in folder.glob(".codes*")}
    if seconds:
        assert not left
    else:
        state = json.loads(left[".codes.npy.part.json"].read_bytes())
        assert 0 < state["bytes"] == left[".codes.npy.part"].stat().st_size < 4000


def test_what_was_begun_otherwise(folder, monkeypatch, capsys):
    """Other data, another model and other options are refused; what is there stays."""
    command = ["transform", "m.safetensors", "X.csv", "--drop=id", "-o", "codes.npy", "--resume"]
    go_on = stop_after(monkeypatch, 3)
    with pytest.raises(StoppedError):
        main(command)
    go_on()
    part = (folder / ".codes.npy.part").read_bytes()
    model, data = (folder / "m.safetensors").read_bytes(), (folder / "X.csv").read_bytes()
    for change in (
        lambda: sf.SparseAutoencoder(3, max_iter=1).fit(X).save("m.safetensors"),
        lambda: (folder / "X.csv").write_bytes(data.replace(b"k", b"q")),
        lambda: command.insert(3, "--header=yes"),
    ):
        change()
        assert main(command) == 1
        message = "codes.npy.part.json is of a run with another model, data or options, or of another version: remove"
        assert message in capsys.readouterr().err
        assert (folder / ".codes.npy.part").read_bytes() == part
        (folder / "m.safetensors").write_bytes(model)
    (folder / ".codes.npy.part.json").unlink()
    assert main(command) == 0
    np.testing.assert_array_equal(np.load("codes.npy"), codes())


@pytest.mark.parametrize("state", [b"", b"{}", b"[]", json.dumps({"about": "x", "rows": "many", "bytes": 1}).encode()])
def test_a_damaged_state_begins_anew(folder, state):
    """What tells nothing is not gone on with."""
    (folder / ".codes.npy.part").write_bytes(b"garbage")
    (folder / ".codes.npy.part.json").write_bytes(state)
    assert main(["transform", "m.safetensors", "X.npy", "-o", "codes.npy", "--resume"]) == 0
    np.testing.assert_array_equal(np.load("codes.npy"), codes())


def test_two_processes_do_not_write_one_file(folder):
    """The second one is told."""
    with going_on("codes.npy", np.dtype(float), ["a"], [], "x") as table:
        with (
            pytest.raises(OSError, match="another process is writing it"),
            going_on("codes.npy", np.dtype(float), ["a"], [], "x"),
        ):
            pass
        table.write(np.zeros((2, 1)))
    np.testing.assert_array_equal(np.load("codes.npy"), np.zeros((2, 1)))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["X.npy", "--resume"], "--resume needs files that stay"),
        (["-", "-o", "c.npy", "--resume"], "--resume needs files that stay"),
    ],
)
def test_what_does_not_stay_is_wrong_usage(folder, capsys, words, message):
    """Pipes cannot be gone on with."""
    with pytest.raises(SystemExit):
        main(["transform", "m.safetensors", *words])
    assert message in capsys.readouterr().err


def test_kept_columns_need_names(folder, capsys):
    """They go into files that have names of columns, under names that no code has."""
    assert main(["transform", "m.safetensors", "X.csv", "--keep=id", "-o", "c.npy"]) == 1
    assert "columns are kept in .csv and .parquet files" in capsys.readouterr().err
    assert main(["transform", "m.safetensors", "X.csv", "--keep=none", "-o", "c.csv"]) == 1
    assert "--keep: no column is named 'none'" in capsys.readouterr().err
    assert main(["transform", "m.safetensors", "X.csv", "--keep=id", "-o", "c.csv"]) == 0
    found = pd.read_csv("c.csv")
    assert found["id"].tolist() == [f'k "{i}",' for i in range(300)]
    np.testing.assert_array_equal(found.to_numpy()[:, 1:].astype(float), codes())
