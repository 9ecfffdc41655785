"""Trained on what listeners chose instead of what actors intended, and scored on both.

Conventions
-----------
Labels are shares (C, n) of clips in classes. *Intended*: the actor's class. *Plurality*: the class with most votes; a
tie belongs to no class and is not trained on. *Votes*: a clip belongs to each class by its share of the votes, so it
enters training once a class with that weight (Fayek, Lech and Cavedon 2016, "Modeling subjectiveness in emotion
recognition with deep neural networks: ensembles vs soft labels"). Everything else is the experiment's: its speaker
folds, its inner folds and its grid. Each system is chosen by the labels that it is trained on: by the UAR over the
validation rows of the inner folds, where a clip counts in each class by its share, and where the model gives margins,
their scale by the cross-entropy. Votes for an emotion that the selection lacks are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from ser_study import config as settings
from ser_study import corpora, training
from ser_study.chapters.testing import declare
from ser_study.config import Config
from ser_study.evaluation import comparisons, metrics
from ser_study.experiments import coding, execute, ledger
from ser_study.experiments.execute import Job
from ser_study.experiments.experiment import Experiment
from ser_study.experiments.folds import folds_of
from ser_study.models import classical, discriminant, registry
from ser_study.models.model import Model, margins
from ser_study.parallel import Failure, parallel_map, single_threaded
from ser_study.store import Store
from ser_study.study import Study

VERSION = 1  # rises when fitting or choosing gives other numbers
LABELS = ("intended", "plurality", "votes")


def systems(study: Study) -> list[Experiment]:
    """The systems trained on intended labels, of every selection whose clips have votes that are not their labels.

    Encoders are read by the discriminant alone; two speakers leave none to choose by.
    """
    chosen = []
    for name, kinds in declare.systems(study).items():
        part = study.selections[name]
        by_vote = corpora.corpus_of(name) in comparisons.LABELLED_BY_VOTE
        if by_vote or part.n_speakers < 3 or not shares_of(part.clips).to_numpy().any():
            continue
        chosen += [kinds[kind] for kind in ("classical", "large") if kind in kinds]
        one = kinds["classical"]
        models = [model for model in study.config.testing.vote_models if model != one.model]
        chosen += [Experiment(name, one.protocol, one.feature, model) for model in models]
    return chosen


def shares_of(clips: pd.DataFrame) -> pd.DataFrame:
    """Share of the votes of every clip (rows, by ``clip_id``) for each emotion of the clips (columns); 0 without votes.

    Parameters
    ----------
    clips : clips table
    """
    classes = sorted(clips["emotion"].dropna().unique())
    shares = pd.DataFrame(0.0, index=clips["clip_id"].to_numpy(), columns=classes)
    voted = clips[clips["human_votes"].notna() & (clips["human_votes"] != "")]
    counts = [comparisons.votes_of(*pair) for pair in zip(voted["human_votes"], voted["clip_id"])]
    table = np.array([[count.get(name, 0) for name in classes] for count in counts], float).reshape(-1, len(classes))
    total = table.sum(axis=1, keepdims=True)
    shares.loc[voted["clip_id"]] = np.divide(table, total, out=np.zeros_like(table), where=total > 0)
    return shares


def winners(shares: pd.DataFrame) -> pd.Series:
    """Class with most votes of each clip, by ``clip_id``; clips with a tie or without votes are left out."""
    values = shares.to_numpy()
    most = values.max(axis=1, keepdims=True)
    alone = ((values == most).sum(axis=1) == 1) & (most[:, 0] > 0)
    return pd.Series(shares.columns.to_numpy()[values.argmax(axis=1)], index=shares.index)[alone]


def targets(labels: str, truth: pd.Series, shares: pd.DataFrame) -> pd.DataFrame:
    """Shares of clips in classes (rows, columns as ``shares``) under one of ``LABELS``.

    Parameters
    ----------
    truth : intended class, by ``clip_id``
    shares : of ``shares_of``
    """
    shares = shares.loc[truth.index]
    if labels == "votes":
        return shares
    chosen = truth if labels == "intended" else winners(shares)
    codes = shares.columns.get_indexer(chosen.reindex(truth.index))
    one_hot = np.zeros(shares.shape)
    one_hot[np.flatnonzero(codes >= 0), codes[codes >= 0]] = 1
    return pd.DataFrame(one_hot, index=shares.index, columns=shares.columns)


def predict(study: Study) -> dict[Experiment, dict[str, pd.DataFrame]]:
    """Test predictions of every system under each of ``LABELS``; their test-set evaluations are logged.

    What is trained on intended labels is the experiment itself, as all chapters have it.
    """
    chosen = systems(study)
    intended = study.predict(chosen)
    jobs = [execute.make(one, study.selections, None, study.config, study.store) for one in chosen]
    items = [(job, labels) for job in jobs for labels in LABELS[1:]]
    work = partial(predicted, config=study.config, store=study.store)
    todo = [item for item in items if not study.store.is_fresh(study.store.path(*_artefact(*item), ".parquet"))]
    for (job, labels), value in parallel_map(work, todo, jobs=study.config.run.jobs, batch=1):
        if isinstance(value, Failure):
            raise RuntimeError(f"{job.experiment.name} on {labels} labels failed: {value.reason}")
    done = {one: {"intended": rows[rows["role"] == "test"]} for one, rows in intended.items()}
    for job, labels in items:
        table = done[job.experiment][labels] = work((job, labels))
        name = table["experiment"].iloc[0]
        declared = ledger.declaration_hash([ledger.declaration_of(job.cache_key), labels, VERSION])
        ledger.log_test_evaluations({name: declared}, ledger.test_uar(table), study.store)
    return done


def predicted(item: tuple[Job, str], config: Config, store: Store) -> pd.DataFrame:
    """Test predictions of one job under one kind of labels, from the store or computed now; runs in any process.
    Probabilities are rounded as those of ``execute.predict``, which they are compared with."""
    return coding.rounded(store.cached(*_artefact(*item), partial(_computed, *item, config, store)))


def _artefact(job: Job, labels: str) -> tuple[str, dict]:
    """Readable name and cache key."""
    votes = settings.fingerprint(job.selection.clips["human_votes"].fillna("").tolist())
    cache_key = {**job.cache_key, "labels": labels, "votes": votes, "by_votes": VERSION}
    return f"{execute.artefact_name('votes', job)}_{labels}", cache_key


def _computed(job: Job, labels: str, config: Config, store: Store) -> pd.DataFrame:
    values, truth = execute.features_and_classes(job, config, store)
    shares = targets(labels, truth, shares_of(job.selection.clips))
    folds = folds_of(job.experiment, job.selection, truth, config, store, 0)
    inner, model = execute.inner_folds(job, truth, config), registry.get(job.experiment.model)
    seed = settings.random_state(config, f"{job.experiment.model}/0")  # as of the experiment itself
    frames = []
    with single_threaded():  # results must not depend on the number of threads
        for (repeat, fold), rows in folds.groupby(["repeat", "fold"], sort=True):
            blocks = training.blocks_of(values, truth, rows)
            table = _fold(blocks, shares, inner, partial(decisions, model, config.models, seed), config)
            frames.append(table.assign(repeat=repeat, fold=fold))
    table = pd.concat(frames, ignore_index=True).assign(draw=0, seed=seed)
    return execute.complete(table, job.experiment).assign(experiment=f"{job.experiment.name}/{labels}-labels")


def _fold(blocks, shares: pd.DataFrame, inner, decide, config: Config) -> pd.DataFrame:
    """Test predictions of one fold: hyperparameters chosen by inner folds, then one fit on all that is not test."""
    train, validation, test = blocks
    everything = train if validation is None else training.joined(train, validation)
    pairs, model = training.inner_pairs(everything, len(train.truth), inner), decide.args[0]
    grid, params, scale = model.grid(config.models), model.fixed(config.models), 1.0

    def of(block: training.Block) -> np.ndarray:
        return shares.loc[block.rows["clip_id"]].to_numpy().T

    known = np.concatenate([of(block) for _, block in pairs], axis=1) if pairs else np.zeros((1, 0))
    if known.any():
        tried = [list(decide(grid, fit.values, of(fit), block.values)) for fit, block in pairs]
        together = [np.concatenate(by_fold) for by_fold in zip(*tried)]
        best = int(np.argmax([share_uar(known, margin) for margin in together]))
        params, scale = grid[best], temperature(together[best], known) if model.margins else 1.0
    (decided,) = decide([params], everything.values, of(everything), test.values)
    table = training.as_table(decided * scale, list(shares.columns), test, "test", 0, params)
    return table.assign(n_train=int(of(everything).any(axis=0).sum()))


def decisions(model: Model, models, seed: int, grid, values, shares: np.ndarray, unseen) -> Iterator[np.ndarray]:
    """Margins (m, C) of ``unseen`` (m, d) at each point of a grid, fitted on ``values`` (n, d) with shares (C, n).

    A class without a share is never predicted; with no share at all, all classes are alike.
    """
    counted, known = shares.any(axis=0), shares.any(axis=1)
    if known.sum() < 2:
        alike = np.where(known | ~known.any(), 0.0, -30.0)
        yield from [np.tile(alike, (len(unseen), 1))] * len(grid)
        return
    prepare, some = classical.preparation(model), shares[known][:, counted]
    inside, outside = prepare.fit_transform(values[counted]), prepare.transform(unseen)
    if model.name == declare.MODEL:
        fitted = discriminant.decisions_of_shares(grid, inside, some, outside)
    else:
        fitted = _weighted(model, models, seed, grid, inside, some, outside)
    for decided in fitted:
        yield training.in_columns(decided, np.flatnonzero(known), np.arange(len(known)))


def _weighted(model: Model, models, seed: int, grid, values, shares: np.ndarray, unseen) -> Iterator[np.ndarray]:
    """The same by an estimator that takes weights of rows: each clip enters once a class with its share."""
    codes, places = np.nonzero(shares)
    for params in grid:
        estimator = model.build(models, params, seed)
        yield margins(estimator.fit(values[places], codes, sample_weight=shares[codes, places]), unseen)


def share_uar(shares: np.ndarray, decided: np.ndarray) -> float:
    """UAR of margins (n, C) where a clip counts in each class by its share (C, n)."""
    chosen = np.eye(shares.shape[0])[decided.argmax(axis=1)]
    return float(metrics.uar(shares @ chosen))


def temperature(decided: np.ndarray, shares: np.ndarray) -> float:
    """Scale of margins (n, C) with the smallest cross-entropy to shares (C, n): of whole labels, the log loss."""
    weight = shares.sum(axis=0)

    def loss(log_scale: float) -> float:
        scaled = decided * np.exp(log_scale)
        return float((weight * logsumexp(scaled, axis=1) - (shares.T * scaled).sum(axis=1)).sum() / weight.sum())

    return float(np.exp(minimize_scalar(loss, bounds=(-3, 5), method="bounded").x))
