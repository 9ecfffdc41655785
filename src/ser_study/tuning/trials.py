"""A search: trials that report after every inner fold, are pruned, kept, shared and resumed."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ser_study import config as settings
from ser_study.config import Config
from ser_study.store import Store
from ser_study.tuning.spaces import Dimensions, n_points, suggest

VERSION = 1  # rises when trials are drawn, scored or pruned in another way
TRIAL_COLUMNS = ("number", "state", "value", "folds", "seconds", "params", "reason")
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
    parts: Mapping[str, Any],
    config: Config,
    store: Store,
    trials: int = 0,
    reports: bool = True,
) -> Search:
    """Find good parameters by TPE; a search that was stopped goes on where it was.

    Parameters
    ----------
    dimensions : what may be tried; a grid no larger than the budget is tried point by point
    score : ``score(params, fold)`` fits on the training rows of an inner fold and gives a number, higher
        being better; equal arguments must give equal numbers
    folds : inner folds in the order they are tried, whatever ``score`` understands
    name : readable name of the search
    parts : everything the scores depend on: data, folds, versions
    trials : finished trials wanted, complete or pruned; 0: ``tuning.trials``. More can be asked for later
    reports : False keeps silent after the folds, as the student systems did, so that nothing is ever pruned

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
    study, lease = _opened(dimensions, wanted, name, parts, config, store, reports)
    with lease.work():
        finished = _worked_off(study, lease, dimensions, score, folds, wanted, name, reports)
    return _result(name, finished, wanted)


def _opened(dimensions, wanted, name, parts, config: Config, store: Store, reports: bool):
    import optuna

    from ser_study.tuning import studies

    startup = config.tuning.startup
    seed = settings.random_state(config, f"tuning/{name}")
    rests_on = {
        "search": VERSION,
        "optuna": optuna.__version__,
        "dimensions": {key: [type(one).__name__, settings.as_dict(one)] for key, one in dimensions.items()},
        "grid": n_points(dimensions) is not None and n_points(dimensions) <= wanted,
        "startup": startup,
        "reports": reports,
        "seed": seed,
        "parts": parts,
    }
    path = store.path(f"tuning/{name}", rests_on, ".sqlite3")
    path.parent.mkdir(parents=True, exist_ok=True)
    sampler = studies.Ranked(dimensions, seed=seed, startup=startup, wanted=wanted)
    pruner = optuna.pruners.MedianPruner(n_startup_trials=startup) if reports else optuna.pruners.NopPruner()
    title = f"{name}-{settings.fingerprint(rests_on)[:16]}"
    return studies.open_study(title, path, sampler, pruner, tuning=config.tuning, fresh_since=store.fresh_since)


def _worked_off(study, lease, dimensions, score, folds, wanted: int, name: str, reports: bool) -> list:
    """Run trials until enough are finished, here or elsewhere; all trials."""
    from ser_study.tuning import studies

    while True:
        trial, known = studies.take(study, lease, wanted)
        finished = [one for one in known if one.state in studies.DONE]
        failed = [one.user_attrs[studies.REASON] for one in known if studies.REASON in one.user_attrs]
        if len(finished) >= wanted:
            return known
        if len(failed) >= MOST_FAILURES and len(failed) > len(finished):
            if trial is not None:
                study.tell(trial, state=studies.TrialState.FAIL)
            raise RuntimeError(
                f"The search {name!r} had {len(failed)} failed and {len(finished)} finished trials, the last: "
                f"{failed[-1]} Mend the space or the data, then run again with --force."
            )
        if trial is None:
            time.sleep(lease.pause)
            continue
        with lease.alive(trial):
            _attempt(study, trial, dimensions, score, folds, reports)


def _attempt(study, trial, dimensions, score, folds, reports: bool) -> None:
    """One trial, from its parameters to its state; a failed fit is noted with its reason."""
    import optuna

    state = optuna.trial.TrialState
    try:
        value = _mean_score(trial, suggest(trial, dimensions), score, folds, reports)
    except optuna.TrialPruned:
        study.tell(trial, state=state.PRUNED, skip_if_finished=True)
    except optuna.exceptions.UpdateFinishedTrialError:
        pass  # this process was silent for so long (a sleeping laptop) that others gave the trial up
    except Exception as error:  # a point at which the model cannot be fitted must not end the search
        from ser_study.tuning.studies import REASON

        trial.set_user_attr(REASON, f"{type(error).__name__}: {error}"[:500])
        study.tell(trial, state=state.FAIL, skip_if_finished=True)
    else:
        study.tell(trial, value, skip_if_finished=True)


def _mean_score(trial, params: Mapping[str, Any], score: Score, folds, reports: bool) -> float:
    """Mean score over the folds, reported as it grows; stops where the pruner says so."""
    import optuna

    total = 0.0
    for step, fold in enumerate(folds):
        value = float(score(params, fold))
        if not math.isfinite(value):
            raise ValueError(f"Inner fold {fold} scored {value}.")
        total += value
        if reports:
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
