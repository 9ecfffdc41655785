"""What vectors know beside emotions: who speaks, which sentence, and from which corpus a clip is.

Conventions
-----------
The model is the linear head of the encoders' scores, with nothing chosen. Speakers are identified on sentences that
are not in training, sentences and corpora on speakers that are not. No emotion is predicted, so no test set is scored.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import pandas as pd

from ser_study import features, splits, training
from ser_study.chapters.controls import declare
from ser_study.config import Config
from ser_study.evaluation import metrics
from ser_study.experiments.selections import Selection, sample
from ser_study.models import registry
from ser_study.parallel import Failure, parallel_map
from ser_study.store import Store, versions
from ser_study.study import Study

VERSION = 1  # rises when a recall changes
TASKS = {  # what is identified → column of the clips table, protocol
    "speakers": ("speaker", "sentence_independent"),
    "sentences": ("statement", "speaker_independent"),
}
COLUMNS = ["corpus", "feature", "what", "recall", "classes", "n"]
CORPORA = ["feature", "recall", "classes", "n"]
Task = tuple[str, pd.DataFrame, str, str, str]  # name, clips, feature, column, protocol


def scores(study: Study) -> pd.DataFrame:
    """Mean recall of speakers and of sentences from every kind of vectors, on the clips of the encoders' scores
    (``COLUMNS``); what a corpus does not allow is left out."""
    tasks, heads = [], []
    for name, made in declare.pairs(declare.encoders(study)):
        part = sample(study.selections[name], study.config.controls.encoder_clips, study.config)
        for what, (column, protocol) in TASKS.items():
            if protocol in study.possible[name] and part.clips[column].nunique() > 1:
                tasks.append((part.name, part.clips, made.feature, column, protocol))
                heads.append((name, made.feature, what))
    rows = [(*head, *row) for head, row in zip(heads, _recalls(tasks, study))]
    return pd.DataFrame(rows, columns=COLUMNS)


def corpora(study: Study) -> pd.DataFrame:
    """Mean recall of corpora, all pooled, one selection each (``CORPORA``); empty with fewer than two. Draws of random
    weights are averaged."""
    first: dict[str, Selection] = {}
    for name in declare.able(study):
        first.setdefault(study.selections[name].clips["corpus"].iloc[0], study.selections[name])
    if len(first) > 2:
        first.pop("synthetic", None)  # no recording; with one other corpus it stays, for there is nothing else
    if len(first) < 2:
        return pd.DataFrame(columns=CORPORA)
    parts = [sample(part, study.config.controls.encoder_clips, study.config).clips for part in first.values()]
    pooled = pd.concat(parts, ignore_index=True)
    kinds = declare.vectors(study)
    tasks = [("corpora", pooled, made.feature, "corpus", "speaker_independent") for made in kinds]
    rows = [(declare.group_of(made), *row) for made, row in zip(kinds, _recalls(tasks, study))]
    return pd.DataFrame(rows, columns=CORPORA).groupby("feature", sort=False, as_index=False).mean()[CORPORA]


def _recalls(tasks: Sequence[Task], study: Study) -> list[tuple[float, int, int]]:
    """Mean recall, classes and clips of each task, cached or computed now."""
    for clips, feature in {(task[0], task[2]): (task[1], task[2]) for task in tasks}.values():
        features.load(feature, clips, config=study.config, store=study.store)  # before workers need the same
    work = partial(_recall, config=study.config, store=study.store)
    rows = []
    for task, table in parallel_map(work, tasks, jobs=study.config.run.jobs, unit="identifications"):
        if isinstance(table, Failure):
            raise RuntimeError(f"Identifying each {task[3]} of {task[0]} from {task[2]} failed: {table.reason}")
        rows.append(tuple(table.iloc[0][["recall", "classes", "n"]]))
    return [(float(recall), int(classes), int(n)) for recall, classes, n in rows]


def _recall(task: Task, *, config: Config, store: Store) -> pd.DataFrame:
    """One row: recall, classes, n; runs in any process."""
    name, clips, feature, column, protocol = task
    registered = features.get(feature)
    key = {
        "clips": clips[["clip_id", "sha256", "speaker", "statement", "take"]].fillna("").to_numpy().tolist(),
        "feature": registered.settings(config),
        "what": [column, protocol],
        "params": registry.get(declare.HEAD).fixed(config.models),
        "seed": config.seed,
        "version": VERSION,
        "libraries": registered.made_with(config) | versions(["scikit-learn"]),
    }
    return store.cached(f"identification/{name}_{column}_{feature}", key, partial(_computed, task, config, store))


def _computed(task: Task, config: Config, store: Store) -> pd.DataFrame:
    _, clips, feature, column, protocol = task
    values = features.load(feature, clips, config=config, store=store)
    clips = clips[clips["clip_id"].isin(values.clip_id) & clips[column].notna()].reset_index(drop=True)
    truth = clips.set_index("clip_id")[column].astype(str)
    folds = splits.make(clips, protocol, classes=clips[column].astype(str), config=config)
    folds = folds.assign(role=folds["role"].replace("validation", "train"))
    params = registry.get(declare.HEAD).fixed(config.models)
    fitted = training.Task(declare.HEAD, params, keep_validation=False)
    rows = training.run_folds(values, truth, folds, fitted, models=config.models, seed=0)
    row = {"recall": metrics.uar_of(rows), "classes": truth.nunique(), "n": len(rows)}
    return pd.DataFrame([row])
