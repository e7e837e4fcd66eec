"""``sae-fast watch``."""

from __future__ import annotations

import json

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
