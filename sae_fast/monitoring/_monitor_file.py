"""The model file of a monitor: that of its model, a single layer or a stack (which has ``units``), with more beside it.

Tensors ``reference.mean``, ...; ``found.metrics``, ``found.rho_hat``, ``found.sizes`` of the chunks that are kept;
``found.counts``, ``found.areas``; ``found.alerts``, chunks beyond the limits by metric, and by any; ``found.totals``,
rows and chunks. Fields ``chunk_size``, ``every``, ``history`` and ``summed`` (of how many rows one is summed; 4 where
there is none). What no row could tell is NaN in memory and -1 in
the file: nothing else there is < 0.
"""

from __future__ import annotations

from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..estimators._estimator_file import contents_of, hyper_parameters
from ..estimators._stack_file import contents_of as contents_of_stack
from ..files._kinds import KIND, MONITOR, STACKS
from ..files._model_file import maker_of, write, write_tensors
from ._looks import STEPS
from ._reference import Reference
from ._watched import is_stack


def save(monitor: Any, path: str | PathLike[str]) -> None:
    """Write a monitor; see :meth:`sae_fast.Monitor.save`."""
    report = monitor.report()
    history = monitor._history
    arrays = {f"reference.{name}": array for name, array in monitor._reference._asdict().items()}
    del arrays["reference.summed"]
    arrays |= {
        "found.metrics": np.where(np.isnan(report.metrics), -1.0, report.metrics),
        "found.rho_hat": np.where(np.isnan(report.rho_hat), -1.0, report.rho_hat),
        "found.sizes": report.sizes.astype(np.float64),
        "found.counts": history.counts.astype(np.float64),
        "found.areas": history.areas,
        "found.alerts": np.array([*history.n_alerts, history.n_alarmed], np.float64),
        "found.totals": np.array([history.n_rows, history.n_chunks], np.float64),
    }
    settings = {name: getattr(monitor, name) for name in ("chunk_size", "every", "history")}
    settings["summed"] = monitor._reference.summed
    if is_stack(monitor.model):
        stack, about = contents_of_stack(monitor.model)
        write_tensors(path, stack | arrays, about | {"kind": MONITOR, **settings})
        return
    contents = contents_of(monitor.model, hyper_parameters(monitor.model))
    contents.arrays |= arrays
    write(path, contents, {"kind": MONITOR, **settings})


def monitor_from(
    kind: type[Any], path: str | PathLike[str], tensors: dict[str, NDArray[Any]], about: dict[str, Any]
) -> Any:
    """The monitor that checked contents hold."""
    own = {name: array for name, array in tensors.items() if name.startswith(("reference.", "found."))}
    rest = {name: array for name, array in tensors.items() if name not in own}
    monitor: Any = object.__new__(kind)
    known = {name: own[f"reference.{name}"] for name in Reference._fields if name != "summed"}
    reference = Reference(**known, summed=about.get("summed", STEPS[-1]))
    model = maker_of(STACKS[0] if "units" in about else KIND)(path, rest, about)
    monitor._begin(model, reference, about["chunk_size"], about["every"], about["history"])
    history = monitor._history
    metrics, rho_hat = (np.where(a < 0, np.nan, a) for a in (own["found.metrics"], own["found.rho_hat"]))
    history.remember(metrics, rho_hat, own["found.sizes"].astype(np.int64))
    history.counts = own["found.counts"].astype(np.int64)
    history.areas = own["found.areas"]
    alerts = own["found.alerts"].astype(np.int64)
    history.n_alerts, history.n_alarmed = alerts[:-1], int(alerts[-1])
    history.n_rows, history.n_chunks = map(int, own["found.totals"])
    return monitor
