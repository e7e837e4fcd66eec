"""The race: honest results from separate processes, and what is made of them."""

from __future__ import annotations

import json
import os
import re
import subprocess

import numpy as np
import pytest

from sae_fast import _core
from sae_fast.bench import (
    TOGETHER,
    WORKS,
    Company,
    Result,
    Work,
    _contenders,
    _fine_tune,
    _race,
    _together,
    _worker,
    race,
)
from sae_fast.bench import together as run_together
from sae_fast.bench._contenders import installed, missing, of_each_isa
from sae_fast.bench._machine import caches
from sae_fast.bench._page import write_page
from sae_fast.bench._report import lead, plot_of, write_plot
from sae_fast.cli import main
from sae_fast.reference._deep import deep_cost_and_grad

SMALL = Work("cost_and_grad", 50, 20, 10)


def test_race_takes_turns_and_compares():
    """Contenders run in processes of their own, agree on the numbers, and are told with times and the limit."""
    for contenders in (["sae_fast", "NumPy"], ["NumPy", "sae_fast"]):  # one of them is not the order of their times
        found = race(SMALL, "float64", n_threads=1, contenders=contenders, rounds=2, seconds=0.01)
        assert {r.contender for r in found} == {"sae_fast", "NumPy"}
        assert found[0].best <= found[1].best
        for r in found:
            assert 0 < r.best <= r.median
            assert r.limit > 0


def test_race_refuses_other_numbers(monkeypatch):
    """A contender that computes something else ends the race with both results in the message."""
    monkeypatch.setattr("sae_fast.bench._race.TOLERANCE", {"float64": -1.0})
    with pytest.raises(ArithmeticError, match=r"computes \[.*\], sae_fast \["):
        race(SMALL, "float64", n_threads=1, contenders=["sae_fast", "NumPy"], rounds=1, seconds=0.01)


@pytest.mark.parametrize("work", [w._replace(n_samples=min(w.n_samples, 300)) for w in WORKS], ids=lambda w: w.name)
def test_every_work_has_a_contest(work):
    """Each work runs with us and, where it is for it, with NumPy, and both give the same numbers."""
    data = _worker.make(work, "float32")
    ours = _contenders.sae_fast(work, data, 1)
    assert len(_worker.measure(ours, 0.0)) == 1
    if work.kind not in ("epoch", "fine_tune"):
        assert ours.numbers() == pytest.approx(_contenders.numpy(work, data, 1).numbers(), rel=1e-3, abs=1e-4)


def test_fine_tuning_is_the_deep_network():
    """The numbers that contenders must agree on are those of the NumPy twin, and an epoch leaves its start alone."""
    work = Work("fine_tune", 300, 20, 10, more=(8, 5))
    X = _worker.make(work, "float64").X
    epoch, start = _fine_tune.ours(work, X, 1)
    layers, y = _fine_tune.network(work, X.dtype)
    network = {"units": ["sigmoid", "sigmoid", "linear"], "loss": "softmax", "weight_decay": 1e-4}
    J, grad = deep_cost_and_grad(layers, X, y, **network)
    epoch()
    assert start()[0] == pytest.approx(J, rel=1e-12)
    for got, wanted in zip(start()[1], [a for layer in grad for a in layer], strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-14)
    assert work.name == "fine_tune 300 x 20 -> 10 -> 8 -> 5"
    assert work.multiply_adds == 300 * (2 * 200 + 3 * 80 + 3 * 40)


def test_installed_lists_what_is_here():
    """We and NumPy always are."""
    assert {"sae_fast", "NumPy"} <= set(installed())


def test_command_writes_table_json_plot_and_page(tmp_path, capsys, monkeypatch):
    """sae-fast bench prints the table and writes its files."""
    monkeypatch.setattr("sae_fast.cli._bench.installed", lambda: ["sae_fast", "NumPy"])
    page = tmp_path / "docs" / "performance.md"
    (page.parent / "images").mkdir(parents=True)
    arguments = ["bench", "--quick", "--only", "16 x 64", "--out", str(tmp_path), "--page", str(page), "--n-threads=1"]
    assert main(arguments) == 0
    assert "cost_and_grad 16 x 64 -> 25" in capsys.readouterr().out
    rows = json.loads((tmp_path / "bench.json").read_text())["results"]
    assert {r["contender"] for r in rows} == {"sae_fast", "NumPy"}
    assert (tmp_path / "bench.png").stat().st_size > 1000
    assert "| cost_and_grad 16 x 64 -> 25 | float32 | sae_fast |" in page.read_text()
    assert main(["bench", "--only", "nothing"]) == 1
    assert "no work has 'nothing' in its name" in capsys.readouterr().err
    assert main(["bench", "--quick", "--only", "encode_topk"]) == 1
    error = capsys.readouterr().err
    assert "no work of --quick has 'encode_topk' in its name; there are: " in error
    assert "encode_topk 1" not in error


def every_contender():
    """Results of all contenders, ours with two instruction sets."""
    names = of_each_isa(list(_contenders.CONTENDERS), ["avx2", "baseline"])
    return [Result(SMALL, "float64", name, 2.0 + i, 2.0 + i, 1.0) for i, name in enumerate(names)]


@pytest.mark.parametrize("n_groups", [1, 2, 20])
def test_plot_is_whole(n_groups):
    """Nothing is cut off, and the legend of all contenders lies in the picture and covers no mark."""
    figure = plot_of([every_contender()] * n_groups)
    figure.draw_without_rendering()
    (ax,) = figure.axes
    legend = ax.get_legend()
    frame = ax.get_window_extent()
    for artist, room in ((legend, frame), *((t, frame) for t in legend.get_texts()), (ax, figure.bbox)):
        box = artist.get_tightbbox()
        assert room.x0 <= box.x0 <= box.x1 <= room.x1
        assert room.y0 <= box.y0 <= box.y1 <= room.y1
    lowest = min(
        ax.transData.transform((1, y))[1] for line in ax.lines for y in line.get_ydata() if y != 0 or n_groups == 1
    )
    assert legend.get_window_extent().y1 < lowest


def test_plot_tells_contenders_apart_without_colour(tmp_path, monkeypatch):
    """Each contender has a mark and a colour of its own."""
    from matplotlib.axes import Axes

    looks = []
    plot = Axes.plot
    monkeypatch.setattr(
        Axes, "plot", lambda ax, *args, **kw: (looks.append((args[2], kw["color"])), plot(ax, *args, **kw))[1]
    )
    write_plot(tmp_path / "bench.png", [every_contender()])
    for kind in zip(*looks, strict=True):
        assert len(set(kind)) == len(every_contender()) - 2  # all but what reads the weights


def test_instruction_sets_race_beside_one_another():
    """Ours with each of them, in processes of their own, against the peak of its own; peers against the highest."""
    isas = _core.available_isas()
    names = of_each_isa(["sae_fast", "NumPy"], isas)
    assert names == [*(f"sae_fast {isa}" for isa in isas), "NumPy"]
    found = {r.contender: r for r in race(SMALL, "float32", n_threads=1, contenders=names, rounds=1, seconds=0.01)}
    assert set(found) == set(names)
    assert found["NumPy"].limit == min(r.limit for r in found.values())


def test_worker_takes_the_instruction_set_of_its_name(monkeypatch):
    """What is called avx2 runs with avx2."""
    started = []
    popen = _race.subprocess.Popen
    monkeypatch.setattr(_race.subprocess, "Popen", lambda *a, **k: (started.append(k["env"]), popen(*a, **k))[1])
    isa = _core.available_isas()[0]
    race(SMALL, "float32", n_threads=1, contenders=[f"sae_fast {isa}", "NumPy"], rounds=1, seconds=0.001)
    assert [e.get("SAE_FAST_ISA") for e in started] == [isa, os.environ.get("SAE_FAST_ISA"), isa]  # the last: the peak


def test_reading_the_weights_is_a_bound_of_one_sample():
    """It gives its own time, for one sample alone, and is no peer."""
    found = race(WORKS[6], "float32", n_threads=1, contenders=["sae_fast", "reading W1"], rounds=1, seconds=0.01)
    assert {r.contender for r in found} == {"sae_fast", "reading W1"}
    assert all(0 < r.best < 1 for r in found)
    assert lead(found) is None
    found = race(SMALL, "float32", n_threads=1, contenders=["sae_fast", "reading W1"], rounds=1, seconds=0.01)
    assert [r.contender for r in found] == ["sae_fast"]
    for is_f32 in (True, False):
        assert 0 < _core.read_time(is_f32, 1000, 0.0) < _core.read_time(is_f32, 1_000_000, 0.01)


def test_what_is_missing_is_told(monkeypatch):
    """By contender, with all packages that it lacks."""
    monkeypatch.setattr(_contenders.importlib.util, "find_spec", lambda name: None if "onnx" in name else name)
    assert missing() == {"ONNX Runtime": ["onnxruntime", "onnx"]}
    assert "ONNX Runtime" not in installed()


@pytest.mark.parametrize("work", [TOGETHER[0], TOGETHER[-1]], ids=lambda w: w.name)
def test_company_is_measured_in_a_fresh_process(work):
    """Ratios of best and median, with an ideal to compare them with."""
    if work.left_out():
        pytest.skip(work.left_out())
    found = run_together(work, _core.available_isas()[0], rounds=1)
    assert 0 < found.best == found.median  # of one run
    assert found.ideal == (pytest.approx(4 / 3) if work.partners == ("busy",) else 1)


@pytest.mark.parametrize("work", TOGETHER[1:-1], ids=lambda w: w.name)
def test_every_company_can_be_measured(work, monkeypatch):
    """That with scikit-learn too, which takes long to import."""
    monkeypatch.setattr(_together, "_REST", 0.0)
    best, median = _together.measure(work.partners, 1)
    assert 0 < best == median


def test_company_that_is_not_to_be_had_is_left_out(monkeypatch):
    """With the reason."""
    by_partner = {w.partners[-1]: w for w in TOGETHER}
    monkeypatch.setattr(_together.importlib.util, "find_spec", lambda name: None if name == "sklearn" else name)
    assert by_partner["kmeans"].left_out() == "sklearn is not installed"
    assert by_partner["product"].left_out() is None
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0}, raising=False)
    assert "two processors" in by_partner["busy"].left_out()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="processes cannot be pinned here")
def test_busy_loop_is_pinned_and_ends():
    """It has the processor it was given, and is gone afterwards."""
    cpu = max(os.sched_getaffinity(0))
    started = []
    popen = subprocess.Popen
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_together.subprocess, "Popen", lambda *a, **k: started.append(popen(*a, **k)) or started[-1])
        with _together._busy(cpu):
            assert os.sched_getaffinity(started[0].pid) == {cpu}
            assert started[0].poll() is None
    assert started[0].poll() is not None


def test_caches_are_those_of_linux(tmp_path):
    """Instructions' caches are left out, sizes have their unit, and no files mean no words."""
    for i, (level, kind, size) in enumerate(
        [("1", "Data", "32K"), ("1", "Instruction", "64K"), ("2", "Unified", "512K"), ("3", "Unified", "32768K")]
    ):
        index = tmp_path / f"index{i}"
        index.mkdir()
        for name, value in (("level", level), ("type", kind), ("size", size)):
            (index / name).write_text(value + "\n")
    (tmp_path / "index9").mkdir()
    assert caches(tmp_path) == "L1 32 KB, L2 512 KB, L3 32 MB"
    assert caches(tmp_path / "nowhere") == ""


def test_page_has_a_table_for_each_instruction_set_and_for_company(tmp_path):
    """Each table holds one of ours and all peers, with its own lead; nobody else's."""
    company = [Company(TOGETHER[0], "avx2", 1.25, 1.5, 1.0), Company(TOGETHER[2], "", 1.0, 1.1, 1.0)]
    group = [
        Result(SMALL, "float32", "sae_fast avx2", 1.0, 1.0, 0.5),
        Result(SMALL, "float32", "NumPy", 2.0, 2.0, 0.5),
        Result(SMALL, "float32", "sae_fast baseline", 4.0, 4.0, 0.8),
    ]
    write_page(tmp_path / "page.md", [group], company, 2, "images/bench.png", "sae-fast bench")
    _, avx2, baseline, beside = re.split(r"^## ", (tmp_path / "page.md").read_text(), flags=re.M)
    assert "| sae_fast avx2 | 1 s | 1 s | 2.00 | 2.00 |" in avx2
    assert "| NumPy | 2 s | 2 s | 4.00 |  |" in avx2
    assert "baseline" not in avx2
    assert "nowhere in this table" in avx2
    assert "| sae_fast baseline | 4 s | 4 s | 5.00 | 0.50 |" in baseline
    assert "Where we are not ahead: cost_and_grad 50 x 20 -> 10 float32 (0.50)." in baseline
    assert f"| {TOGETHER[0].name} | avx2 | 1.25 | 1.50 | 1.00 |" in beside
    assert f"| {TOGETHER[2].name} |  | 1.00 | 1.10 | 1.00 |" in beside


def test_command_takes_instruction_sets_and_company(tmp_path, capsys, monkeypatch):
    """--isa all or a list; a wrong one is named with those that are usable; --only picks company too."""
    monkeypatch.setattr("sae_fast.cli._bench.installed", lambda: ["sae_fast", "NumPy"])
    monkeypatch.setattr("sae_fast.cli._bench.together", lambda work, isa: Company(work, isa, 1.0, 2.0, 1.0))
    out = ["--out", str(tmp_path), "--n-threads=1"]
    assert main(["bench", "--quick", "--only", "16 x 64", "--isa", "all", *out]) == 0
    shown = capsys.readouterr()
    for isa in _core.available_isas():
        assert f"sae_fast {isa}" in shown.out
    assert main(["bench", "--only", "in turn with A", "--isa", _core.available_isas()[0], *out]) == 0
    beside = json.loads((tmp_path / "bench.json").read_text())["company"]
    assert [(c["work"], c["isa"]) for c in beside] == [(TOGETHER[0].name, _core.available_isas()[0])]
    with pytest.raises(SystemExit):
        main(["bench", "--isa", "mmx"])
    assert f"must be all, or some of {', '.join(_core.available_isas()[::-1])}, got 'mmx'" in capsys.readouterr().err
