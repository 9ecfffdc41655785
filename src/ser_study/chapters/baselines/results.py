"""Run the student projects: for each the rebuilt models, the choice of our system, and our system's predictions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from ser_study.experiments import baseline_results, baselines
from ser_study.experiments.baselines import BASELINES, Baseline
from ser_study.experiments.published import LABELS
from ser_study.experiments.selections import Selection
from ser_study.study import Study
from ser_study.wording import word


@dataclass(frozen=True)
class Result:
    """One project with its clips and all predictions made for it, by model name or by kind of folds."""

    baseline: Baseline
    selection: Selection
    candidates: pd.DataFrame  # what our system was chosen from, with the scores inside the training part
    rebuilt: Mapping[str, pd.DataFrame]  # model or vote → predictions on the published list
    rebuilt_honest: Mapping[str, pd.DataFrame]  # the same on new speakers, where it was run there
    ours: Mapping[str, pd.DataFrame]  # "list", "fresh", "honest" → predictions of our system

    @property
    def id(self) -> str:
        """Such as ``"E000"``."""
        return self.baseline.id

    @property
    def chosen(self) -> pd.Series:
        """The candidate that became our system: feature, model, score inside the training part."""
        return self.candidates[self.candidates["chosen"]].iloc[0]

    @property
    def system(self) -> str:
        """Feature and model of our system, as readers say them."""
        return f"{word(self.chosen['feature'])}, {word(self.chosen['model'])}"

    @property
    def corpora(self) -> list[str]:
        """Corpora of the clips that are here."""
        return sorted(self.selection.clips["corpus"].unique())

    @property
    def best_rebuilt(self) -> pd.DataFrame:
        """Predictions on the list of the rebuilt model that holds the published best."""
        return self.rebuilt[self.baseline.bar_model]


def run(study: Study) -> tuple[dict[str, Result], dict[str, str]]:
    """Everything of every project whose clips are here, in the order of ``BASELINES``; and by id why one failed.

    A project that fails (weights that cannot be had, a model that does not fit) does not take the others with it.
    """
    results, failed = {}, {}
    for baseline in BASELINES.values():
        if baseline.selection not in study.baselines:
            continue
        try:
            results[baseline.id] = run_one(baseline, study)
        except (RuntimeError, ConnectionError, ImportError) as error:
            failed[baseline.id] = str(error)
    return results, failed


def run_one(baseline: Baseline, study: Study) -> Result:
    """Run one project: its rebuilt models, the choice of our system, and our system on three kinds of folds."""
    config, store = study.config, study.store
    candidates = baseline_results.choose(baseline, study.baselines, config=config, store=store)
    chosen = candidates[candidates["chosen"]].iloc[0]
    on_list, honest = baselines.rebuilds(baseline, config), baselines.honest_rebuilds(baseline, config)
    ours = baselines.ours(baseline, chosen["feature"], chosen["model"], config)
    whole = [*on_list.values(), *honest.values(), *(one for kind, one in ours.items() if kind != "fresh")]
    done = study.predict(whole) | study.predict([ours["fresh"]], read=LABELS)
    return Result(
        baseline,
        study.baselines[baseline.selection],
        candidates,
        baseline_results.with_votes(baseline, {name: done[e] for name, e in on_list.items()}, store),
        baseline_results.with_votes(baseline, {name: done[e] for name, e in honest.items()}, store),
        {kind: done[e] for kind, e in ours.items()},
    )


def require_complete(failed: Mapping[str, str]) -> None:
    """Raise ``RuntimeError`` where a project failed, so that the chapter counts as unfinished and runs again."""
    if failed:
        name, reason = next(iter(failed.items()))
        raise RuntimeError(f"{len(failed)} of the projects could not be run, first {name}: {reason}")
