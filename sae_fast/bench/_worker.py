"""One contender in its own process: reads commands as JSON lines from stdin, answers on stdout."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

from . import _together
from ._contenders import CONTENDERS, Contest
from ._works import Work, make


def measure(contest: Contest, seconds: float) -> list[float]:
    """Seconds of each run, for about ``seconds``; short ones are timed in groups."""
    if contest.time is not None:
        return [contest.time(seconds)]
    began = time.perf_counter()
    contest.run()
    once = time.perf_counter() - began
    group = max(1, int(50e-6 / max(once, 1e-9)))
    times: list[float] = []
    end = time.perf_counter() + seconds
    run = contest.run
    while not times or time.perf_counter() < end:
        start = time.perf_counter()
        for _ in range(group):
            run()
        times.append((time.perf_counter() - start) / group)
    return times


def main() -> None:
    """Serve until stdin ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print must not mix with the answers
    contest: Contest | None = None
    peak: dict[str, Any] = {}
    for line in sys.stdin:
        command = json.loads(line)
        answer: Any
        try:
            if command["do"] == "together":
                answer = _together.measure(tuple(command["partners"]), command["rounds"])
            elif command["do"] == "prepare":
                work = Work(*command["work"])
                if command["contender"] == "peak":
                    from .. import _core

                    peak = {"float32": command["dtype"] == "float32", "n_threads": command["n_threads"]}
                    rate = _core.multiply_add_rate
                    answer = []
                else:
                    data = make(work, command["dtype"])
                    contest = CONTENDERS[command["contender"]].make(work, data, command["n_threads"])
                    answer = contest.numbers()
                    contest.run()
            elif peak:
                answer = rate(seconds=command["seconds"], **peak)
            else:
                assert contest is not None
                answer = measure(contest, command["seconds"])
        except LookupError:
            answer = None
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
