"""What each of two processes does in `test_processes.py`; prints what it found as JSON."""

import json
import pathlib
import signal
import sys

import jax
from toy import Watched, experiment
from toy_measures import metrics

from jaxvision.cli.connect import Processes, connect
from jaxvision.train import loop, processes


def raised(call, *arguments):
    try:
        call(*arguments)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def main(workdir, *flags):
    given = dict(flag.removeprefix("--").split("=") for flag in flags)
    numbers = {name: int(given[name]) for name in ("num_processes", "process_id")}
    connect(Processes(given["coordinator"], **numbers))
    own = jax.process_index()
    found = {"gathered": processes.gather("x" * 2000 * own)}
    found["from_first"] = processes.from_first(lambda: {"number": own})
    found["error"] = raised(processes.from_first, lambda: int(f"wrong in {own}"))
    processes.check_same({"same": [1, 2], "group": {"a": 3}})
    differing = {"same": 1, "group": {"value": 5 + own}}
    found["different"] = raised(processes.check_same, differing)

    def interrupt(batch, i):
        if i == 5 and own == 1:  # the other process must learn of it
            signal.raise_signal(signal.SIGTERM)

    first = experiment(train_data=Watched(experiment().train_data, interrupt))
    stopped = loop.run(first, workdir)
    found["stopped"] = [stopped.outcome.value, int(stopped.state.step)]
    result = loop.run(experiment(), workdir)
    found["result"] = [result.outcome.value, result.metrics]
    found["measured"] = metrics()
    found["refused"] = raised(loop.run, experiment(batch_size=9), None)
    return found


if __name__ == "__main__":
    print(json.dumps(main(pathlib.Path(sys.argv[1]), *sys.argv[2:])), flush=True)
