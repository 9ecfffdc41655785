"""A search: trials that report after every inner fold, are pruned, kept, shared and resumed."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd

from ser_study import config as settings
from ser_study.config import Config
from ser_study.store import Store
from ser_study.tuning.spaces import Dimensions, n_points, suggest

VERSION = 1  # rises when trials are drawn, scored or pruned in another way
TRIAL_COLUMNS = ("number", "state", "value", "folds", "seconds", "params", "reason")
PAUSE = 0.5  # s between looks while another process runs a trial that decides
MOST_FAILURES = 5  # failed fits, when they outnumber the finished trials, that end a search

Score = Callable[[Mapping[str, Any], Any], float]


@dataclass(frozen=True)
class Search:
    """What a search found.

    ``trials`` has one row a trial: number, state ("complete", "pruned", "failed" with its reason, "lost" with
    a killed process), value (mean score of the folds seen), folds seen, seconds, params (JSON).
    """

    name: str
    params: Mapping[str, Any]  # of the best complete trial
    value: float  # its mean score over the inner folds
    trials: pd.DataFrame

    def count(self, state: str) -> int:
        """Number of trials in a state."""
        return int((self.trials["state"] == state).sum())

    @property
    def counts(self) -> dict[str, int]:
        """Number of trials in each state."""
        return {state: self.count(state) for state in ("complete", "pruned", "failed", "lost")}

    @property
    def seconds(self) -> float:
        """Time spent in trials, s."""
        return float(self.trials["seconds"].sum())


def search(
    dimensions: Dimensions,
    score: Score,
    folds: Sequence[Hashable],
    *,
    name: str,
    cache_key: Mapping[str, Any],
    config: Config,
    store: Store,
    trials: int = 0,
) -> Search:
    """Find good parameters by TPE; a search that was stopped goes on where it was.

    Parameters
    ----------
    dimensions : what may be tried; a grid no larger than the budget is tried point by point
    score : ``score(params, fold)`` fits on the training rows of an inner fold and gives a number, higher
        being better; equal arguments must give equal numbers
    folds : inner folds in the order they are tried, whatever ``score`` understands
    name : readable name of the search
    cache_key : everything the scores depend on: data, folds, versions
    trials : finished trials wanted, complete or pruned; 0: ``tuning.trials``. More can be asked for later

    Returns
    -------
    Search, over the first ``trials`` finished trials (and the failed and lost ones among them).

    Raises
    ------
    RuntimeError
        Fits fail more often than they end.
    ValueError
        No folds, or the shared storage does not work.
    """
    if not len(folds):
        raise ValueError(f"The search {name!r} has no inner folds; give it at least one.")
    size, budget = n_points(dimensions), trials or config.tuning.trials
    wanted = min(budget, size) if size is not None else budget
    with _study(dimensions, wanted, name, cache_key, config, store) as study:
        finished = _all_trials(study, _objective(dimensions, score, folds), wanted, name)
    return _result(name, finished, wanted)


def _study(dimensions, wanted, name, cache_key, config: Config, store: Store):
    """The study of a search, open to work on."""
    import optuna

    from ser_study.tuning import studies

    startup = config.tuning.startup
    seed = settings.random_state(config, f"tuning/{name}")
    depends_on = {
        "search": VERSION,
        "optuna": optuna.__version__,
        "dimensions": {key: [type(one).__name__, settings.as_dict(one)] for key, one in dimensions.items()},
        "grid": n_points(dimensions) is not None and n_points(dimensions) <= wanted,
        "startup": startup,
        "seed": seed,
        "scores": cache_key,
    }
    path = store.path(f"tuning/{name}", depends_on, ".journal")
    path.parent.mkdir(parents=True, exist_ok=True)
    sampler = studies.Ranked(dimensions, seed=seed, startup=startup, wanted=wanted)
    pruner = optuna.pruners.MedianPruner(n_startup_trials=startup)
    title = f"{name}-{settings.fingerprint(depends_on)[:16]}"
    return studies.open_study(title, path, sampler, pruner, tuning=config.tuning, fresh_since=store.fresh_since)


def _all_trials(study, objective: Callable, wanted: int, name: str) -> list:
    """Run trials until enough are finished, here or elsewhere; all trials as they stand then."""
    import optuna

    from ser_study.tuning.studies import DONE, TrialState

    enough = optuna.study.MaxTrialsCallback(wanted, states=DONE)
    while True:
        trials = study.get_trials(deepcopy=False)
        done = [trial.number for trial in trials if trial.state in DONE][:wanted]
        if len(done) < wanted:
            with suppress(optuna.exceptions.UpdateFinishedTrialError):  # silent for so long that others gave it up
                study.optimize(objective, callbacks=[partial(_check_failures, name=name), enough], catch=(Exception,))
        elif any(trial.state == TrialState.RUNNING and trial.number < done[-1] for trial in trials):
            time.sleep(PAUSE)  # of another process, and among the first ones that decide
            optuna.storages.fail_stale_trials(study)
        else:
            return trials


def _check_failures(study, _, *, name: str) -> None:
    """End a search whose fits fail more often than they end."""
    from ser_study.tuning.studies import DONE, REASON

    trials = study.get_trials(deepcopy=False)
    failed = [trial.user_attrs[REASON] for trial in trials if REASON in trial.user_attrs]
    finished = sum(trial.state in DONE for trial in trials)
    if len(failed) >= MOST_FAILURES and len(failed) > finished:
        raise RuntimeError(
            f"The search {name!r} had {len(failed)} failed and {finished} finished trials, the last: "
            f"{failed[-1]} Mend the space or the data, then run again with --force."
        )


def _objective(dimensions: Dimensions, score: Score, folds: Sequence[Hashable]) -> Callable:
    """What Optuna maximises; a fit that fails is noted with its reason."""
    import optuna

    from ser_study.tuning.studies import RANK, REASON

    def objective(trial: Any) -> float:
        trial.set_user_attr(RANK, trial.study.sampler.rank)
        try:
            return _mean_score(trial, suggest(trial, dimensions), score, folds)
        except (optuna.TrialPruned, optuna.exceptions.UpdateFinishedTrialError):
            raise
        except Exception as error:  # a point at which the model cannot be fitted must not end the search
            trial.set_user_attr(REASON, f"{type(error).__name__}: {error}"[:500])
            raise

    return objective


def _mean_score(trial, params: Mapping[str, Any], score: Score, folds) -> float:
    """Mean score over the folds, reported as it grows; stops where the pruner says so."""
    import optuna

    total = 0.0
    for step, fold in enumerate(folds):
        value = float(score(params, fold))
        if not math.isfinite(value):
            raise ValueError(f"Inner fold {fold} scored {value}.")
        total += value
        trial.report(total / (step + 1), step)
        if step + 1 < len(folds) and trial.should_prune():
            raise optuna.TrialPruned
    return total / len(folds)


def _result(name: str, known: list, wanted: int) -> Search:
    """The first ``wanted`` finished trials decide, whatever a larger budget added later."""
    from ser_study.tuning import studies

    done = [trial.number for trial in known if trial.state in studies.DONE][:wanted]
    rows = pd.DataFrame([studies.facts(trial) for trial in known if trial.number <= done[-1]])
    table = rows.assign(params=[json.dumps(params) for params in rows["params"]])[list(TRIAL_COLUMNS)]
    complete = rows[rows["state"] == "complete"]
    best = complete.loc[complete["value"].idxmax()]
    return Search(name, best["params"], float(best["value"]), table)
