"""One system under five protocols: on its published list, and where sentences, speakers or the corpus are new.

Conventions
-----------
UAR by corpus, and for several corpora their unweighted mean, under every protocol, so that steps can be compared.
The list and the fresh splits are means over training seeds or splits and have no interval here: their clips share
speakers with the training part, so an interval over speakers would say nothing about new ones.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ser_study.chapters.baselines.results import Result
from ser_study.evaluation import metrics
from ser_study.experiments import baselines
from ser_study.experiments.baseline_results import by_corpus, over_corpora, test_rows
from ser_study.experiments.experiment import Experiment
from ser_study.experiments.published import LABELS
from ser_study.study import Study

PROTOCOLS = ("baseline_list", "baseline_fresh", "baseline_sentences", "baseline_speakers", "baseline_corpora")
COLUMNS = ["id", "system", "protocol", "corpus", "n", "n_speakers", "value", "low", "high", "interval"]
MEAN = "mean"


def table(results: Mapping[str, Result], study: Study) -> pd.DataFrame:
    """UAR of ours and of the rebuilt models under every protocol, by corpus (columns ``COLUMNS``).

    ``corpus`` is what was tested; where there are several, a line ``mean`` follows. Every experiment that is run for
    it is a test-set evaluation and is logged.
    """
    lines = [line for result in results.values() for line in _lines(result, study)]
    return pd.concat(lines, ignore_index=True)[COLUMNS] if lines else pd.DataFrame(columns=COLUMNS)


def list_uar(result: Result) -> float:
    """UAR of ours on the published list, as ``table`` gives it: mean over corpora and training seeds."""
    return float(_mean_over_draws(result.ours["list"], result.selection.clips)["value"].mean())


def means(by_corpora: pd.DataFrame) -> pd.DataFrame:
    """One line an id, system and protocol: the mean over corpora, or the only corpus."""
    last = by_corpora.groupby(["id", "system", "protocol"], sort=False).tail(1)  # the mean stands last
    return last.reset_index(drop=True)


def _lines(result: Result, study: Study) -> list[pd.DataFrame]:
    declared = {
        name: baselines.elsewhere(one, result.selection.clips["corpus"].unique())
        for name, one in _on_new_speakers(result, study).items()
    }
    done = study.predict((one for kinds in declared.values() for one in kinds.values()), read=LABELS)
    lines = []
    for name, kinds in declared.items():
        predictions = _predicted(result, name) | {kind: done[one] for kind, one in kinds.items()}
        for protocol in PROTOCOLS:
            if protocol in predictions:
                scores = _scores(predictions[protocol], protocol, result, study)
                lines.append(scores.assign(id=result.id, system=name, protocol=protocol))
    return lines


def _on_new_speakers(result: Result, study: Study) -> dict[str, Experiment]:
    """Experiments on new speakers by system: ours, then the rebuilt models that are run there."""
    chosen = result.chosen
    ours = baselines.ours(result.baseline, chosen["feature"], chosen["model"], study.config)
    return {"ours": ours["honest"]} | baselines.honest_rebuilds(result.baseline, study.config)


def _predicted(result: Result, system: str) -> dict[str, pd.DataFrame]:
    """Predictions that the result holds already, by protocol."""
    if system == "ours":
        protocols = {"list": "baseline_list", "fresh": "baseline_fresh", "honest": "baseline_speakers"}
        return {protocol: result.ours[kind] for kind, protocol in protocols.items()}
    return {"baseline_list": result.rebuilt[system], "baseline_speakers": result.rebuilt_honest[system]}


def _scores(predictions: pd.DataFrame, protocol: str, result: Result, study: Study) -> pd.DataFrame:
    """By corpus, then the mean: corpus, n, n_speakers, value, low, high, interval."""
    if protocol in ("baseline_list", "baseline_fresh"):
        parts = _mean_over_draws(predictions, result.selection.clips)
        span = {"low": np.nan, "high": np.nan}
    else:
        parts = by_corpus(predictions, result.selection, study.config)
        honest = over_corpora(parts)
        span = {"low": honest["honest_low"], "high": honest["honest_high"]}
    if len(parts) == 1:
        return parts
    mean = {"corpus": MEAN, "n": parts["n"].sum(), "n_speakers": parts["n_speakers"].sum()}
    mean |= {"value": parts["value"].mean(), **span, "interval": ""}
    return pd.concat([parts, pd.DataFrame([mean])], ignore_index=True)


def _mean_over_draws(predictions: pd.DataFrame, clips: pd.DataFrame) -> pd.DataFrame:
    """UAR of the test rows by corpus, mean over draws; n and speakers are those of one draw."""
    facts = clips.set_index("clip_id")[["corpus", "speaker"]].add_prefix("clip_")
    test = test_rows(predictions).join(facts, on="clip_id")
    lines = []
    for (corpus, draw), part in test.groupby(["clip_corpus", "draw"], sort=True):
        head = {"corpus": corpus, "draw": draw, "n": len(part), "n_speakers": part["clip_speaker"].nunique()}
        lines.append(head | {"value": metrics.uar_of(part)})
    by_corpora = pd.DataFrame(lines).groupby("corpus", sort=True)
    scores = by_corpora.agg(n=("n", "first"), n_speakers=("n_speakers", "first"), value=("value", "mean"))
    return scores.reset_index().assign(low=np.nan, high=np.nan, interval="")
