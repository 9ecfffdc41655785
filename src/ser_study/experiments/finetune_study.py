"""Chapter 05, the encoder trained on: what does CAM++ gain when it learns emotions itself, not only a head on it?

Trained on speaker folds, a few of them as the settings say, since a fold costs minutes on a CPU. The three stages
are compared on the *valid* rows, whose speakers also stop the training, so those scores are a little too good,
alike for all stages. The test rows are predicted once, by the weights that the valid rows chose; that is a look,
and it is logged.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from importlib.metadata import version

import pandas as pd

from ser_study import config as settings
from ser_study import features, finetuning, splits, training
from ser_study.audio import augment
from ser_study.config import Config
from ser_study.download import weights
from ser_study.evaluation import metrics
from ser_study.experiments import jobs, ledger
from ser_study.experiments import material as materials
from ser_study.experiments.declare import Experiment
from ser_study.experiments.jobs import Job
from ser_study.experiments.material import Material
from ser_study.store import Store
from ser_study.words import listed, minus, share, word

FEATURE, PROTOCOL = "campplus_fbank", "speaker_independent"
PREFERRED = "ravdess-speech"
LEARNS = {"head": "the head alone", "block": "the last block with it", "all": "the whole network"}
COLUMNS = (
    *("corpus", "repeat", "fold", "stage", "lr", "epochs", "best_epoch", "valid_loss", "valid_uar", "kept"),
    *("n_trainable", "seconds_per_epoch"),
)


def selections(config: Config, gathered: Mapping[str, Material]) -> list[str]:
    """What is trained on: one selection (speech of RAVDESS where it is here), or nothing where no folds are asked for.

    Parameters
    ----------
    gathered : ``material.gather(config, store)``
    """
    if not config.finetuning.folds:
        return []
    able = [name for name, part in gathered.items() if part.n_speakers > 3 and name != "synthetic"]
    return [PREFERRED] if PREFERRED in able else able[:1]


def declared(selection: str, config: Config) -> Experiment:
    """The experiment of a selection, with the augmented copies that join the training clips."""
    return Experiment(selection, PROTOCOL, FEATURE, finetuning.NAME, variants=config.finetuning.variants)


def run(selection: str, gathered: Mapping[str, Material], *, config: Config, store: Store) -> pd.DataFrame:
    """Predictions of the fine-tuned network on the first ``config.finetuning.folds`` folds.

    A finished fold is never trained again, whatever the number of folds asked for.

    Parameters
    ----------
    selection : a key of ``gathered``, with so many speakers that some are left for valid

    Returns
    -------
    Predictions table, roles valid and test; ``params`` tells the stages and learning curves.

    Raises
    ------
    ValueError
        No folds are asked for, or the folds leave no valid speakers.
    ConnectionError
        The weights of CAM++ cannot be had.
    """
    if not config.finetuning.folds:
        raise ValueError("finetuning.folds is 0, so nothing is fine-tuned; set it to 1 or more.")
    job = _job(declared(selection, config), gathered, config, store)
    table = store.cached(
        jobs.file_of("predictions", job),
        {**job.parts, "first": config.finetuning.folds},
        partial(_computed, job, config, store),
    )
    _log(table, job, config, store)
    return table


def _job(experiment: Experiment, gathered: Mapping[str, Material], config: Config, store: Store) -> Job:
    """The experiment with what its folds depend on; how many of them are trained is no part of that."""
    material = gathered[experiment.selection]
    parts = {
        "experiment": experiment.declaration(),
        "clips": material.digest,
        "features": features.get(FEATURE).settings(config),
        "model": {"version": finetuning.VERSION, "weights": weights.get("campplus").sha256},
        "params": settings.as_dict(config.finetuning) | {"folds": None},
        "seed": config.seed,
        "folds": splits.committed_hash(experiment.selection, experiment.protocol, store.project / "data" / "folds"),
        "versions": [jobs.VERSION, version("keras")],
        "augmentation": augment.VERSION,
        "training": settings.as_dict(config.training) | {"seeds": None},
    }
    return Job(experiment, material, None, parts)


def _computed(job: Job, config: Config, store: Store) -> pd.DataFrame:
    experiment, material = job.experiment, job.material
    values = jobs.feature_values(job, config, store)
    truth = materials.classes_of(material, experiment.scheme)
    truth = truth[truth.index.isin(values.clip_id)]
    folds = first_folds(materials.folds_of(experiment, material, truth, config, store, 0), config.finetuning.folds)
    check_folds(folds, material.clips.set_index("clip_id")["speaker"])
    seed = settings.random_state(config, f"{experiment.model}/0")
    task = training.Task(experiment.model, build=finetuning.builder(config.finetuning))
    keep = jobs.keeper(job, 0, store)
    table = training.run_folds(
        values, truth, folds, task, models=config.models, seed=seed, training=config.training, keep=keep
    )
    return jobs.complete(table.assign(draw=0, seed=seed), experiment)


def first_folds(folds: pd.DataFrame, number: int) -> pd.DataFrame:
    """Rows of the first so many folds of a folds table, counted through its repeats."""
    kept = folds[["repeat", "fold"]].drop_duplicates().sort_values(["repeat", "fold"]).head(number)
    return folds.merge(kept, on=["repeat", "fold"])


def check_folds(folds: pd.DataFrame, speaker: pd.Series) -> None:
    """Raise where training could be stopped by what it was trained on.

    Parameters
    ----------
    folds : folds table with the augmented copies
    speaker : of each clip, indexed by ``clip_id``

    Raises
    ------
    ValueError
        An augmented copy is to be tested or to stop the training, or a fold has no valid rows of other speakers.
    """
    wrong = folds[(folds["role"] != "train") & (folds["variant"] > 0)]
    if len(wrong):
        raise ValueError(
            f"{len(wrong)} augmented rows are {listed(sorted(wrong['role'].unique()))} rows, first "
            f"{wrong['clip_id'].iloc[0]!r}; copies may only be trained on."
        )
    for (_, fold), rows in folds.groupby(["repeat", "fold"]):
        voices = {role: set(speaker.loc[part["clip_id"]]) for role, part in rows.groupby("role")}
        valid = voices.get("valid", set())
        if not valid or valid & voices["train"]:
            raise ValueError(
                f"Fold {fold} has {len(valid)} valid speakers, {len(valid & voices['train'])} of them in training; "
                "fine-tuning is stopped by voices of their own. Choose a selection with four speakers or more."
            )


def _log(table: pd.DataFrame, job: Job, config: Config, store: Store) -> None:
    """One line in the ledger: the UAR of the test rows of the folds that were trained."""
    parts = {**job.parts, "params": job.parts["params"] | {"folds": config.finetuning.folds}}
    ledger.record({job.experiment.name: ledger.declaration_of(parts)}, ledger.look(table), store)


def stages(predictions: pd.DataFrame) -> pd.DataFrame:
    """Stages of every fold, on its valid rows (``COLUMNS``).

    Parameters
    ----------
    predictions : as :func:`run` gives them, of one selection or several

    Returns
    -------
    One row a fold and stage; ``kept`` is false where a stage was undone because its valid loss was no better than
    before. ``seconds_per_epoch`` of the head is over frames pooled beforehand, of the others through the network.
    """
    rows = []
    keys = ["corpus", "repeat", "fold"]
    for place, told in predictions.groupby(keys, sort=False)["params"].first().items():
        rows += [{**dict(zip(keys, place)), **stage} for stage in json.loads(told)["stages"]]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def told(predictions: pd.DataFrame) -> str:
    """What each stage gains on valid speakers, and what the kept weights score on the test speakers."""
    table, said = stages(predictions), []
    for corpus, rows in table.groupby("corpus", sort=False):
        own = predictions[predictions["corpus"] == corpus]
        test = own[own["role"] == "test"]
        means = rows.groupby("stage", sort=False)["valid_uar"].mean()
        undone = int((~rows["kept"].astype(bool)).sum())
        points = 100 * (means.iloc[-1] - means.iloc[0])
        n_folds = len(rows[["repeat", "fold"]].drop_duplicates())
        said.append(
            f"{word(corpus)}, {n_folds} {'fold' if n_folds == 1 else 'folds'}: UAR on valid speakers "
            f"{listed(f'{share(value)} with {LEARNS[stage]}' for stage, value in means.items())} learning "
            f"({'+' if points > 0 else ''}{minus(points)} points from first to last; {undone} of {len(rows)} stages "
            f"undone). The kept weights reach {share(metrics.uar_of(test))} on {test['clip_id'].nunique()} clips of "
            "test speakers."
        )
    return " ".join(said)
