"""``sae-fast watch``."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

import sae_fast as sf
from sae_fast.cli import main
from tests.monitoring.test_monitor import rows


@pytest.fixture(name="folder", scope="module")
def _folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("watch")
    sf.SparseAutoencoder(6, max_iter=30, rho=0.2, random_state=0).fit(rows(1000)).save(folder / "m.safetensors")
    np.save(folder / "valid.npy", rows(2000, seed=1))
    np.save(folder / "new.npy", rows(1200, seed=2))
    moved = rows(1200, seed=2)
    moved[600:, 3] += 0.3
    np.save(folder / "moved.npy", moved)
    return folder


def test_exit_code_tells_of_alerts(folder, tmp_path, capsys):
    """0 without one, 3 with one, by a reference or a monitor file, whose reference is the same."""
    model, monitor = str(folder / "m.safetensors"), str(tmp_path / "monitor.safetensors")
    first = ["watch", model, str(folder / "new.npy"), "--reference", str(folder / "valid.npy"), "--chunk-size", "300"]
    assert main([*first, "-o", monitor]) == 0
    assert "1200 rows in 4 chunks, 0 of them with an alert" in capsys.readouterr().out
    assert main(["watch", monitor, str(folder / "moved.npy"), "--json"]) == 3
    captured = capsys.readouterr()
    found = json.loads(captured.out)
    assert {alert["chunk"] for alert in found["alerts"]} == {2, 3}
    assert "alert: " in captured.err
    wanted = sf.load(model).monitor(rows(2000, seed=1), chunk_size=300).update(np.load(folder / "moved.npy"))
    assert found == json.loads(json.dumps(wanted.report().to_dict()))


@pytest.mark.parametrize("n", [1, 607])
def test_rows_that_fill_no_chunk_raise_no_alarm(folder, tmp_path, capsys, n):
    """Those behind the last full chunk, or a file of one row, are judged by wider limits."""
    np.save(tmp_path / "some.npy", rows(n, seed=2))
    reference = ["--reference", str(folder / "valid.npy"), "--chunk-size", "300"]
    assert main(["watch", str(folder / "m.safetensors"), str(tmp_path / "some.npy"), *reference]) == 0
    assert f"{n} rows in {n // 300 + 1} chunks, 0 of them with an alert" in capsys.readouterr().out


def test_an_alert_of_long_ago_counts(folder, tmp_path, capsys):
    """Also where its chunk is no longer kept."""
    monitor = sf.load(folder / "m.safetensors").monitor(rows(2000, seed=1), chunk_size=100, history=2)
    monitor.save(tmp_path / "monitor.safetensors")
    first = np.load(folder / "moved.npy")[::-1]
    np.save(tmp_path / "first.npy", first)
    assert main(["watch", str(tmp_path / "monitor.safetensors"), str(tmp_path / "first.npy")]) == 3
    captured = capsys.readouterr()
    assert "1200 rows in 12 chunks, 6 of them with an alert" in captured.out
    assert "6 chunks have one or several" in captured.err


def test_the_reference_is_not_overwritten(folder, tmp_path, capsys):
    """Neither by the monitor nor by a picture, whatever it is called; it is an input like the others."""
    reference = tmp_path / "valid.npy"
    reference.write_bytes((folder / "valid.npy").read_bytes())
    before = reference.read_bytes()
    for name in ("other.svg", "other.safetensors"):
        (tmp_path / name).symlink_to(reference)
    command = ["watch", str(folder / "m.safetensors"), str(folder / "new.npy"), "--reference", str(reference)]
    for out in (["-o", str(tmp_path / "other.safetensors")], ["--plot", str(tmp_path / "other.svg")]):
        assert main([*command, *out]) == 1
        assert f"is the input {reference} itself, which would be overwritten" in capsys.readouterr().err
        assert reference.read_bytes() == before


def test_wrong_usage(folder, capsys):
    """A model alone has no reference; a table of another width is refused."""
    model = str(folder / "m.safetensors")
    with pytest.raises(SystemExit, match="2"):
        main(["watch", model, str(folder / "new.npy")])
    assert "give --reference" in capsys.readouterr().err
    np.save(folder / "narrow.npy", rows(50)[:, :5])
    assert main(["watch", model, str(folder / "narrow.npy"), "--reference", str(folder / "valid.npy")]) == 1
    assert "must have 12 columns" in capsys.readouterr().err


def test_a_picture_is_drawn(folder, tmp_path, capsys):
    """--plot writes one, of alerts too; a name that is taken is refused before any work."""
    model, new, valid = (str(folder / name) for name in ("m.safetensors", "moved.npy", "valid.npy"))
    command = ["watch", model, new, "--reference", valid, "--chunk-size", "300", "--plot"]
    assert main([*command, str(tmp_path / "watch.svg")]) == 3
    picture = (tmp_path / "watch.svg").read_text(encoding="utf-8")
    assert picture.count('<g id="axes_') == 8
    assert "watch.svg" in capsys.readouterr().err
    assert main([*command, str(tmp_path / "nowhere" / "watch.svg")]) == 1
    assert "nowhere" in capsys.readouterr().err


def _gaps(folder, name, kind):
    """A file of 600 rows, a fifth of one column missing in their second half; and the rows, NaN there."""
    X = rows(600, seed=2).round(4)
    X[300::5, 3] = np.nan
    path = folder / name
    if kind == "csv":
        text = [[repr(v) if v == v else ("", "NA", "n/a")[i % 3] for v in row] for i, row in enumerate(X.tolist())]
        path.write_text("\n".join([",".join("abcdefghijkl"), *map(",".join, text)]) + "\n")
    elif kind == "parquet":
        pandas = pytest.importorskip("pandas")
        pytest.importorskip("pyarrow")
        table = pandas.DataFrame(X, columns=list("abcdefghijkl")).astype("Float64")
        table.to_parquet(path, index=False)
    else:
        arrow = pytest.importorskip("pyarrow")
        import pyarrow.parquet

        lists = [[None if v != v else v for v in row] for row in X.tolist()]
        lists[7] = None
        X[7] = np.nan
        fixed = arrow.array(lists, arrow.list_(arrow.float64(), 12))
        pyarrow.parquet.write_table(arrow.table({"x": fixed}), path, row_group_size=100)
    return path, X


@pytest.mark.parametrize("kind", ["csv", "parquet", "lists"])
def test_missing_values_are_counted(folder, tmp_path, capsys, kind):
    """Empty fields and nulls are NaN where rows are watched; other commands, and the reference, refuse them."""
    path, X = _gaps(tmp_path, f"gaps.{'csv' if kind == 'csv' else 'parquet'}", kind)
    command = ["watch", str(folder / "m.safetensors"), str(path), "--reference", str(folder / "valid.npy")]
    assert main([*command, "--chunk-size", "300", "--json"]) == 3
    found = json.loads(capsys.readouterr().out)
    wanted = sf.load(folder / "m.safetensors").monitor(rows(2000, seed=1), chunk_size=300).update(X)
    assert found == json.loads(json.dumps(wanted.report().to_dict()))
    assert "missing" in {alert["metric"] for alert in found["alerts"]}
    for refused in (
        ["transform", str(folder / "m.safetensors"), str(path), "-o", str(tmp_path / "codes.npy")],
        ["watch", str(folder / "m.safetensors"), str(folder / "new.npy"), "--reference", str(path)],
    ):
        assert main(refused) == 1
        assert "missing" in (said := capsys.readouterr().err) or "must be a number, got ''" in said


def test_whole_numbers_with_nulls_are_watched(tmp_path, capsys):
    """Columns of whole numbers and of booleans: NaN where there is none, whatever block they stand in."""
    arrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet

    rng = np.random.default_rng(0)
    X = np.column_stack([rng.integers(0, 9, 400), rng.integers(0, 2, 400), rng.integers(0, 99, 400)])
    model = sf.SparseAutoencoder(2, scale="minmax", max_iter=5, random_state=0).fit(X)
    monitor = model.monitor(X, chunk_size=100)
    monitor.save(tmp_path / "m.safetensors")
    gaps = X.astype(np.float64)
    gaps[100:200:4, 0], gaps[300:400:4, 1] = np.nan, np.nan
    columns = [
        arrow.array([None if v != v else kind(v) for v in column.tolist()])
        for kind, column in zip((int, bool, int), gaps.T, strict=True)
    ]
    pyarrow.parquet.write_table(arrow.table(columns, names=list("abc")), tmp_path / "x.parquet", row_group_size=100)
    assert main(["watch", str(tmp_path / "m.safetensors"), str(tmp_path / "x.parquet"), "--json"]) == 3
    wanted = monitor.update(gaps).report().to_dict()
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(wanted))
    assert [chunk["missing"] > 0 for chunk in wanted["chunks"]] == [False, True, False, True]


def test_text_that_is_no_number_is_refused(folder, tmp_path, capsys):
    """What stands for no missing value is an error, in watching too."""
    path, _ = _gaps(tmp_path, "gaps.csv", "csv")
    lines = path.read_text().splitlines()
    lines[302] = lines[302].replace(",", ",,", 1).rsplit(",", 1)[0]
    lines[310] = "high" + lines[310][lines[310].index(",") :]
    path.write_text("\n".join(lines))
    reference = ["--reference", str(folder / "valid.npy")]
    assert main(["watch", str(folder / "m.safetensors"), str(path), *reference]) == 1
    assert "line 311, column 1 must be a number, got 'high'" in capsys.readouterr().err


def test_info_tells_of_a_monitor(folder, tmp_path, capsys):
    """How it looks at rows, and what it has seen."""
    path = str(tmp_path / "monitor.safetensors")
    reference = ["--reference", str(folder / "valid.npy"), "--chunk-size", "400"]
    assert main(["watch", str(folder / "m.safetensors"), str(folder / "moved.npy"), *reference, "-o", path]) == 3
    capsys.readouterr()
    assert main(["info", path, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    wanted = {"chunk_size": 400, "every": 128, "n_rows": 1200, "n_chunks": 3, "n_alarmed": 2}
    assert {name: found[name] for name in wanted} == wanted


def test_a_reader_that_goes_keeps_no_alert_back(folder, tmp_path):
    """The exit code tells, and files are written, though nobody reads the report."""
    monitor, out = tmp_path / "monitor.safetensors", tmp_path / "seen.safetensors"
    sf.load(folder / "m.safetensors").monitor(rows(2000, seed=1), chunk_size=300).save(monitor)
    command = [sys.executable, "-m", "sae_fast", "watch", str(monitor), str(folder / "moved.npy"), "-o", str(out)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 3, said
    assert "alert: " in said
    assert sf.load(out).report().n_rows == 1200
