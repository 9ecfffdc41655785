"""A small search that several processes can share; run as a program it does one process's part."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from ser_study import config as settings
from ser_study.store import Store
from ser_study.tuning.spaces import Real, Whole
from ser_study.tuning.trials import search

CONFIG = settings.load("full", {"tuning.trials": 10})
LINE = {"x": Real(0.0, 1.0), "k": Whole(1, 5)}


def valley(params, fold):
    """Best at x = 0.7; every fold shifts all points alike, so that running means are comparable."""
    return 1 - abs(params["x"] - 0.7) - 0.01 * params["k"] - 0.1 * fold


def hunt(store, *, score=valley, dimensions=LINE, config=CONFIG, folds=range(4), name="valley", **more):
    """``search`` with the valley's arguments."""
    return search(dimensions, score, list(folds), name=name, cache_key={}, config=config, store=store, **more)


def work(folder, url="", pause=0.0):
    """One process's part of a shared search of eight trials; keeps a line a fold in ``calls``."""
    over = {"tuning.trials": 8, "tuning.storage": url, "tuning.beat": 1, "tuning.silence": 2}
    folder.mkdir(exist_ok=True)

    def score(params, fold):
        with open(folder / "calls", "a") as log:
            print(fold, file=log)
        time.sleep(pause)
        return valley(params, fold)

    here = Store(folder, folder / "derived", folder, folder)
    found = hunt(here, score=score, config=settings.load("full", over), folds=range(3), name="shared")
    table = found.trials.drop(columns="seconds").to_dict("list")
    return {"counts": found.counts, "params": dict(found.params), "value": found.value, "table": table}


if __name__ == "__main__":
    print(json.dumps(work(Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]))))
