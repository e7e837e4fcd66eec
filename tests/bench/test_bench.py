"""The race: honest results from separate processes, and what is made of them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from sae_fast.bench import WORKS, Work, _contenders, _fine_tune, _worker, race
from sae_fast.bench._race import Result, installed
from sae_fast.bench._report import plot_of, write_plot
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
            assert 0 < r.limit < r.best <= r.median


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


def test_plot_is_whole():
    """Nothing is cut off: labels, marks and the legend of all contenders lie within the figure."""
    group = [Result(SMALL, "float64", name, 2.0, 2.0, 1.0) for name in _contenders.CONTENDERS]
    figure = plot_of([group, group])
    figure.draw_without_rendering()
    (legend,) = figure.legends
    for artist in (legend, *legend.get_texts(), figure.axes[0]):
        box = artist.get_tightbbox()
        assert figure.bbox.x0 <= box.x0 <= box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0 <= box.y1 <= figure.bbox.y1


def test_plot_tells_contenders_apart_without_colour(tmp_path, monkeypatch):
    """Each contender has a mark and a colour of its own."""
    from matplotlib.axes import Axes

    looks = []
    plot = Axes.plot
    monkeypatch.setattr(
        Axes, "plot", lambda ax, *args, **kw: (looks.append((args[2], kw["color"])), plot(ax, *args, **kw))[1]
    )
    write_plot(
        tmp_path / "bench.png", [[Result(SMALL, "float64", name, 2.0, 2.0, 1.0) for name in _contenders.CONTENDERS]]
    )
    for kind in zip(*looks, strict=True):
        assert len(set(kind)) == len(_contenders.CONTENDERS)
