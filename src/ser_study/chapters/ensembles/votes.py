"""Votes from predictions alone: do several models together do better than the best of them?

Conventions
-----------
Everything is decided on validation speakers: which single system is the best, which model stands for a feature set,
the weights of a vote, the fit of a stack. Test rows of the members are averaged, never fitted on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from ser_study import config as settings
from ser_study import features
from ser_study.evaluation import comparisons, metrics
from ser_study.experiments import baseline_results, baselines, benchmark, ledger
from ser_study.experiments.experiment import Experiment
from ser_study.models import ensembles, weights
from ser_study.study import Study
from ser_study.wording import listed, word

PROTOCOL = "speaker_independent"
SINGLE = "best single system"
COMPARED = ["difference", "low", "high", "p", "p_holm"]
COLUMNS = ["corpus", "system", "members", "uar_validation", "uar", *COMPARED, "n", "note"]
MIN_SPEAKERS = 4  # one in test; of three others one can be validation (splits.units.MIN_POOL_SPEAKERS)
TESTED = "tested"  # in the ``attrs`` of ``rebuilt_votes``: id → test clips of the list
BASELINE_COLUMNS = ["id", "model", "published", "rebuilt", "sd", "n_seeds", "best_model", "gain"]


@dataclass(frozen=True)
class System:
    """Predictions of one system, single or voted, and the experiments it is made of."""

    predictions: pd.DataFrame
    members: Sequence[Experiment]


def table(study: Study) -> pd.DataFrame:
    """Votes against the best single system, selection by selection (``COLUMNS``).

    ``difference`` is the UAR of the vote minus that of the single system on the same test clips, with its
    interval over speakers; p is the sign-flip test over speakers, corrected over the votes of the selection.
    """
    parts = [_selection(name, study) for name in able(study)]
    return pd.concat(parts, ignore_index=True)[COLUMNS] if parts else pd.DataFrame(columns=COLUMNS)


def able(study: Study) -> list[str]:
    """Selections with speakers enough to decide on some of them and test others."""
    return [name for name, part in study.selections.items() if part.n_speakers >= MIN_SPEAKERS and members(name, study)]


def members(selection: str, study: Study) -> list[Experiment]:
    """The benchmark's hand-crafted systems of a selection on new speakers, but for the majority class."""
    declared = benchmark.benchmark(study.config, {selection: [PROTOCOL]})
    return [one for one in declared if one.model != "dummy" and not features.is_pretrained(one.feature)]


def candidates(study: Study) -> pd.DataFrame:
    """What votes are made of: ``corpus, feature, model, uar_validation``, the best first; no test row is read."""
    declared = [one for name in able(study) for one in members(name, study)]
    rows = [
        {"corpus": one.selection, "feature": one.feature, "model": one.model, "uar_validation": metrics.uar_of(rows)}
        for one, rows in study.predict_validation(declared).items()
    ]
    frame = pd.DataFrame(rows, columns=["corpus", "feature", "model", "uar_validation"])
    return frame.sort_values("uar_validation", ascending=False, kind="stable", ignore_index=True)


def _selection(name: str, study: Study) -> pd.DataFrame:
    """Rows of ``table`` of one selection: the best single system, then its votes."""
    predictions = study.predict(members(name, study))
    validation = {one: _uar(rows, "validation") for one, rows in predictions.items()}
    best = max(validation, key=validation.get)
    c = study.config.models.stack_c
    votes = _votes(predictions, validation, best, study.selections[name].clips, c=c)
    systems = {SINGLE: System(predictions[best].assign(experiment=SINGLE), [best]), **votes}
    steps = _against_single(name, systems, study) if votes else pd.DataFrame()
    _log(name, votes, study)
    rows = []
    for label, one in systems.items():
        row = {"corpus": name, "system": label, "members": _members_text(one.members)}
        row |= {"uar_validation": _uar(one.predictions, "validation"), "uar": _uar(one.predictions, "test")}
        row["n"] = one.predictions["clip_id"].nunique()
        rows.append(row | (steps.loc[label, [*COMPARED, "note"]].to_dict() if label in steps.index else {}))
    return pd.DataFrame(rows).reindex(columns=COLUMNS)


def _against_single(name: str, systems: Mapping[str, System], study: Study) -> pd.DataFrame:
    """Paired difference of every vote to the single system, indexed by the vote's label."""
    rows = pd.concat([_renamed(one.predictions, label) for label, one in systems.items()], ignore_index=True)
    random = settings.rng(study.config, f"votes/{name}")
    pairs = [(SINGLE, label) for label in systems if label != SINGLE]
    clips, evaluation = study.selections[name].clips, study.config.evaluation
    steps = comparisons.steps(rows, clips, pairs, family=name, evaluation=evaluation, rng=random)
    return steps.set_index("experiment_b")


def _votes(
    predictions: Mapping[Experiment, pd.DataFrame],
    validation: Mapping[Experiment, float],
    best: Experiment,
    clips: pd.DataFrame,
    *,
    c: float,
) -> dict[str, System]:
    """Label → vote: of the models on the best features, and three of the best model of each feature set."""
    models = [one for one in predictions if one.feature == best.feature]
    features = dict.fromkeys(one.feature for one in predictions)
    leaders = [max((one for one in predictions if one.feature == name), key=validation.get) for name in features]
    votes = {}
    for label, chosen in {"vote of the models": models, "vote of the features": leaders}.items():
        if len(chosen) > 1:
            votes[label] = System(ensembles.soft_vote([predictions[one] for one in chosen], name=label), chosen)
    if len(leaders) > 1:
        tables = [predictions[one] for one in leaders]
        speakers = clips.set_index("clip_id")["speaker"]
        votes["weighted vote"] = System(weights.weighted_vote(tables, groups=speakers), leaders)
        groups = _stack_groups(tables[0], speakers)
        votes["stack"] = System(ensembles.stack(tables, groups=groups, c=c), leaders)
    return votes


def _stack_groups(table: pd.DataFrame, speakers: pd.Series) -> pd.Series | None:
    """Speakers for the stack's validation rows; None where a fold has only one validation speaker to predict unseen."""
    rows = table[table["role"] == "validation"]
    several = rows["clip_id"].map(speakers).groupby([rows["repeat"], rows["fold"]]).nunique().min() > 1
    return speakers if several else None


def _renamed(table: pd.DataFrame, label: str) -> pd.DataFrame:
    """Predictions under the name of a system, with what the comparisons read."""
    return table.assign(experiment=label, model=label, feature="", leak="")


def _uar(table: pd.DataFrame, role: str) -> float:
    rows = table[table["role"] == role]
    return metrics.uar_of(rows) if len(rows) else float("nan")


def _members_text(members: Sequence[Experiment]) -> str:
    """Models with what they read: "LDA and kNN on summaries; LDA on eGeMAPS"."""
    models: dict[str, list[str]] = {}
    for one in members:
        models.setdefault(one.feature, []).append(word(one.model))
    return "; ".join(f"{listed(names)} on {word(feature)}" for feature, names in models.items())


def _log(selection: str, votes: Mapping[str, System], study: Study) -> None:
    """Every vote that is scored on test rows is a test-set evaluation."""
    if not votes:
        return
    names = {label: f"{selection}/{PROTOCOL}/{label.replace(' ', '_')}" for label in votes}
    declared = {
        names[label]: ledger.declaration_hash([label, *(one.digest for one in vote.members)])
        for label, vote in votes.items()
    }
    scores = [ledger.test_uar(vote.predictions, experiment=names[label]) for label, vote in votes.items()]
    ledger.log_test_evaluations(declared, pd.concat(scores, ignore_index=True), study.store)


def baseline_votes(models: pd.DataFrame) -> pd.DataFrame:
    """The student projects' votes beside the best of their rebuilt models on the same list (``BASELINE_COLUMNS``);
    empty where no project here votes.

    Parameters
    ----------
    models : of ``baseline_results.rebuilt_models``
    """
    known = {(name, vote.name) for name, baseline in baselines.BASELINES.items() for vote in baseline.votes}
    is_vote = pd.Series([pair in known for pair in zip(models["id"], models["model"])], index=models.index, dtype=bool)
    single = models[~is_vote].sort_values("rebuilt", ascending=False).drop_duplicates("id").set_index("id")
    votes = models[is_vote]
    best = votes["id"].map(single["rebuilt"]).astype(float)  # of no vote at all pandas makes text
    compared = votes.assign(best_model=votes["id"].map(single["model"]), gain=votes["rebuilt"] - best)
    return compared[BASELINE_COLUMNS].reset_index(drop=True)


def rebuilt_votes(study: Study) -> pd.DataFrame:
    """``baseline_votes`` of the student projects whose clips are here; ``attrs[TESTED]``: test clips of each list."""
    models = baseline_results.rebuilt_models(study.baselines, config=study.config, store=study.store)
    table = baseline_votes(models)
    table.attrs[TESTED] = {name: _n_tested(baselines.BASELINES[name], study) for name in table["id"].unique()}
    return table


def _n_tested(baseline: baselines.Baseline, study: Study) -> int:
    """Test clips of a project's list."""
    folds = study.folds(baseline.selection, "baseline_list", scheme=baseline.scheme)
    return int(folds.loc[folds["role"] == "test", "clip_id"].nunique())
