"""``sae-fast watch``."""

from __future__ import annotations

import argparse
import copy
import json
import os
import sys
from typing import Any

import numpy as np

from .. import plot
from ..monitoring._monitor import Monitor
from ..streams._files import files_of
from ..streams._source import Source
from ._inputs import check_columns, open_inputs, title
from ._models import for_arrays, load_model, network_of
from ._outputs import check_out, say
from ._pictures import check_picture

ALERT = 3


def run(arguments: argparse.Namespace) -> int:
    """Judge rows chunk by chunk, print the report; 3 if there is an alert."""
    references = [] if arguments.reference is None else files_of([arguments.reference])
    inputs = [arguments.model, *files_of(arguments.data), *references]
    if arguments.out is not None:
        check_out(arguments.out, inputs)
    if arguments.plot is not None:
        check_picture(arguments.plot, inputs, arguments.out)
    given = load_model(arguments.model)
    monitor = _monitor(arguments, given)
    reader = open_inputs(arguments, gaps=True)
    check_columns(monitor.model, reader.head(), title(arguments))
    model, monitor.model = monitor.model, for_arrays(monitor.model)
    for block in Source(reader, ensure_all_finite=False):
        monitor.update(block)
    monitor.flush()
    monitor.model = model
    report = monitor.report()
    if arguments.out is not None:
        monitor.save(arguments.out)
        say(f"wrote {arguments.out}")
    if arguments.plot is not None:
        plot.save(plot.monitor(report), arguments.plot)
        say(f"wrote {arguments.plot}")
    _print(json.dumps(report.to_dict()) if arguments.json else str(report), report.n_alarmed > 0)
    alerts = report.alerts
    for alert in alerts[:5]:
        say("alert: {metric} is {value:.4g} in chunk {chunk}, limits {lower:.4g} and {upper:.4g}".format(**alert))
    more = sum(report.n_alerts.values()) - len(alerts[:5])
    if more:
        say(f"{more} more alerts; {report.n_alarmed} chunks have one or several")
    return ALERT if report.n_alarmed else 0


def _print(text: str, alarmed: bool) -> None:
    """What a reader that has gone, as in ``| head``, does not take is no reason to keep an alert from the exit code."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        if not alarmed:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _monitor(arguments: argparse.Namespace, given: Any) -> Monitor:
    if isinstance(given, Monitor):
        if arguments.reference is not None or arguments.chunk_size is not None:
            arguments.wrong(f"{arguments.model} is a monitor, with its own --reference and --chunk-size")
        return given.reset()
    if arguments.reference is None:
        arguments.wrong(f"{arguments.model} is no monitor: give --reference, rows that are as they shall be")
    model = network_of(given)
    if not hasattr(model, "monitor"):
        raise ValueError(f"{arguments.model} holds a {type(model).__name__}, wanted a model with reconstructions")
    options = copy.copy(arguments)
    options.data = [arguments.reference]
    reader = open_inputs(options)
    check_columns(model, reader.head(), arguments.reference)
    rows = np.concatenate(list(Source(reader)))
    size = {} if arguments.chunk_size is None else {"chunk_size": arguments.chunk_size}
    plain = for_arrays(model).set_params(n_threads=arguments.n_threads)
    monitor = Monitor(plain, rows, **size)
    monitor.model = model
    return monitor
