"""CAM++ trained on all corpora at once: predictions of every corpus on new speakers.

A fold is one training, over hours on a CPU. It reads the training clips of all corpora, and what it validates or tests
of any of them is in no batch. A finished fold is never trained again; a killed one goes on at the next epoch. The
trainings alone, with a line an epoch:

    python -c "from ser_study.experiments import joint_finetuned; joint_finetuned.run('full')"

On a cluster (``overrides={"run.cluster": "tcp://host:8786"}``) each worker trains a fold, and prints its lines there.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ser_study import config as settings
from ser_study import features, splits, training
from ser_study.audio import augment
from ser_study.config import Config
from ser_study.download import weights
from ser_study.experiments import execute, ledger, spreading
from ser_study.experiments.experiment import Experiment
from ser_study.experiments.joint import CLASS_MAP, joining_classes, may_join
from ser_study.experiments.selections import Selection, classes_of, load_selections, usable, with_audio
from ser_study.joint_finetuning import frozen, network
from ser_study.joint_finetuning.frozen import Chunked
from ser_study.joint_finetuning.training import Plan, fold_of, train_fold
from ser_study.models.deep import progress
from ser_study.store import Store, file_hash, open_folders

MODEL, FEATURE, PROTOCOL = "campplus_joint", "campplus_fbank", "speaker_independent"
VERSION = 1  # rises when folds, the network or its training give other numbers
_LOGIT = "logit_"  # before a class in the table of a fold
_BELOW_LEAST = 30.0  # how far the logit of a class without training clips lies below all others
Log = Callable[[str], None]


def experiments(selections: Mapping[str, Selection]) -> dict[str, Experiment]:
    """What the trainings predict: each selection that names all its speakers, and two or more of them."""
    able = [name for name, part in selections.items() if part.clips["speaker"].notna().all() and part.n_speakers > 1]
    return {name: Experiment(name, PROTOCOL, FEATURE, MODEL) for name in able}


def predict(
    selections: Mapping[str, Selection],
    *,
    config: Config,
    store: Store,
    folds: Sequence[int] | None = None,
    log: Log = lambda line: None,
) -> dict[str, pd.DataFrame]:
    """Predictions of every selection; folds that are not finished are trained now. The test evaluations are logged.

    Parameters
    ----------
    selections : name → clips with audio; all of them are trained on
    config, store : settings and folders
    folds : numbers from 1; None: all. ``finished_folds`` are those that cost nothing
    log : called with a line an epoch

    Returns
    -------
    Selection → predictions, roles validation and test, of those folds that test clips of it; ``params`` holds the
    learning curve. A selection that is tested in none of them is left out.

    Raises
    ------
    ValueError
        There are no folds of that number, or they leave no validation speakers.
    ConnectionError
        The weights of CAM++ cannot be had.
    """
    chosen = _numbers(selections, config, store) if folds is None else folds
    _spread(selections, chosen, config, store)
    tables = {fold: train(selections, fold, config=config, store=store, log=log) for fold in chosen}
    done = {}
    for name, one in experiments(selections).items():
        parts = [_of_selection(table, selections[name], fold, store) for fold, table in tables.items()]
        if parts := [part for part in parts if len(part)]:
            seed = settings.random_state(config, MODEL)
            done[name] = execute.complete(pd.concat(parts, ignore_index=True).assign(draw=0, seed=seed), one)
            declared = _cache_key(selections, config, store) | {"experiment": one.declaration()}
            declared["params"] = declared["params"] | {"trained": sorted(tables)}
            line = {one.name: ledger.declaration_of(declared)}
            ledger.log_test_evaluations(line, ledger.test_uar(done[name]), store)
    return done


def finished_folds(selections: Mapping[str, Selection], *, config: Config, store: Store) -> list[int]:
    """Folds whose training is over."""
    cache_key = _cache_key(selections, config, store)
    numbers = _numbers(selections, config, store)
    return [fold for fold in numbers if store.is_fresh(store.path(*_artefact("fold", fold, cache_key), ".parquet"))]


def train(selections: Mapping[str, Selection], fold: int, *, config: Config, store: Store, log: Log) -> pd.DataFrame:
    """Logits of the validation and test clips of one fold, from the store or trained now.

    Returns
    -------
    Table ``clip_id, role, n_train, params, logit_<class>…``; a class that had no training clip is empty.
    """
    numbers = _numbers(selections, config, store)
    if fold not in numbers:
        raise ValueError(f"The speakers here make {len(numbers)} folds, counted from 1; found fold {fold}.")
    name, cache_key = _artefact("fold", fold, _cache_key(selections, config, store))
    state_file = store.path(*_artefact("state", fold, cache_key), ".npz")
    weights_file = store.path(*_artefact("weights", fold, cache_key), ".npz")
    make = partial(_trained, selections, fold, config, store, files=(state_file, weights_file), log=log)
    table = store.cached(name, cache_key, make)
    state_file.unlink(missing_ok=True)
    return table


def run(
    preset: str = "full",
    *,
    data: str = "",
    folds: Sequence[int] | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> None:
    """Train folds, print a line an epoch, score nothing. What was killed goes on when this is called again.

    Parameters
    ----------
    preset, overrides, data : as of ``Study.open``
    folds : numbers from 1; None: all. Two processes may train different ones
    """
    config, store = open_folders(preset, overrides, data)
    selections = with_audio(usable(load_selections(config, store), config)[0], store)
    numbers = _numbers(selections, config, store)
    chosen = numbers if folds is None else folds
    _spread(selections, chosen, config, store)
    for fold in chosen:
        _train_aloud(fold, selections=selections, config=config, store=store)


def _spread(selections: Mapping[str, Selection], folds: Sequence[int], config: Config, store: Store) -> None:
    """Train the folds that are not finished on the cluster, where there is one; the store has their tables then."""
    todo = sorted(set(folds) - set(finished_folds(selections, config=config, store=store)))
    if config.run.cluster and todo:
        clips, options = labelled(selections, store), {"config": config, "store": store}
        for variant in (0, *config.joint_finetuning.variants):  # once, not in every fold
            features.extract_missing(FEATURE, clips, **options, variant=variant)
        spreading.spread(_train_aloud, todo, selections, **options, unit="folds")


def _train_aloud(fold: int, *, selections: Mapping[str, Selection], config: Config, store: Store) -> None:
    """Train one fold and print a line an epoch; runs in any process."""
    log = partial(_print, f"fold {fold}")
    log("begins")
    train(selections, fold, config=config, store=store, log=log)
    log("finished")


def _print(start: str, line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {start} · {line}", flush=True)


def _numbers(selections: Mapping[str, Selection], config: Config, store: Store) -> list[int]:
    """Numbers of the folds; few speakers make fewer than the settings ask for, unnamed ones none."""
    if not experiments(selections):
        return []
    return sorted(_folds(labelled(selections, store), config)["fold"].unique().tolist())


def _folds(clips: pd.DataFrame, config: Config) -> pd.DataFrame:
    return splits.joint_folds(clips, config=config, n=config.joint_finetuning.folds)


def _artefact(kind: str, fold: int, cache_key: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Readable name and key of what belongs to a fold."""
    return f"{MODEL}/{kind}-{fold}", {**cache_key, "fold": fold}


def _cache_key(selections: Mapping[str, Selection], config: Config, store: Store) -> dict[str, Any]:
    """What the trainings depend on."""
    plan = settings.as_dict(config.finetuning) | {"folds": None} | settings.as_dict(config.joint_finetuning)
    del plan["train"]  # whether to train changes no training
    return {
        "clips": {name: part.digest for name, part in selections.items()},
        "features": features.get(FEATURE).settings(config),
        "libraries": features.get(FEATURE).made_with(config),
        "model": {"version": VERSION, "weights": weights.get("campplus").sha256},
        "params": plan | {"class_map": file_hash(store.project / "data" / CLASS_MAP)},
        "training": settings.as_dict(config.training) | {"seeds": None},
        "augmentation": augment.VERSION,
        "seed": config.seed,
    }


def labelled(selections: Mapping[str, Selection], store: Store) -> pd.DataFrame:
    """Clips of all selections, each once and sorted, with ``domain``, the first selection by name that holds it, and
    ``label``.

    A label is the emotion, or that of the corpus alone where the class map lets it not join other corpora's.
    """
    joins, parts = joining_classes(store), []
    for name, part in sorted(selections.items()):
        truth = classes_of(part, "native")
        clips = part.clips[part.clips["clip_id"].isin(truth.index)]
        emotions = truth.loc[clips["clip_id"]].to_numpy(str)
        names = [_label(*pair, joins) for pair in zip(clips["corpus"], emotions)]
        parts.append(clips.assign(domain=name, label=names))
    return pd.concat(parts).drop_duplicates("clip_id").sort_values("clip_id", ignore_index=True)


def _label(corpus: str, emotion: str, joins: set[tuple[str, str]]) -> str:
    return emotion if may_join(corpus, emotion, joins) else f"{corpus}:{emotion}"


def _trained(selections, fold: int, config: Config, store: Store, *, files: tuple[Path, Path], log: Log):
    """Train one fold; its table, and its weights in a file."""
    clips, bank = _filterbanks(labelled(selections, store), config, store)
    labels, seed = np.unique(clips["label"].to_numpy(str)), settings.random_state(config, f"{MODEL}/{fold}")
    joint = config.joint_finetuning
    plan = dataclasses.replace(config.finetuning, epochs=joint.epochs)
    net = network.build(len(labels), plan, joint, seed=seed, deterministic=config.training.deterministic)
    sources = {**_frozen(net, clips, bank, config, store, log), "bank": bank}
    one = fold_of(clips, labels, sources, _roles(clips, fold, config))
    how = Plan(plan, joint, config.training, seed)
    logits, state = train_fold(net, one, how, state_file=files[0], log=log)
    progress.write_weights(files[1], net.weights())
    logits[:, ~one.masks.any(axis=0)] = np.nan
    predicted = clips.iloc[np.concatenate([one.validation, one.test])]
    head = {
        "clip_id": predicted["clip_id"].to_numpy(),
        "role": np.repeat(["validation", "test"], [len(one.validation), len(one.test)]),
        "n_train": len(one.train),
        "params": json.dumps(_summary(state, config)),
    }
    return pd.DataFrame({**head, **dict(zip([f"{_LOGIT}{name}" for name in labels], logits.T))})


def _filterbanks(clips: pd.DataFrame, config: Config, store: Store) -> tuple[pd.DataFrame, Chunked]:
    """Clips that have one, and the filterbanks of all variants: variant v of clip i is row v × clips + i."""
    options = {"config": config, "store": store}
    sets = [features.load(FEATURE, clips, **options, variant=v) for v in (0, *config.joint_finetuning.variants)]
    here = set.intersection(*(set(one.clip_id) for one in sets))
    clips = clips[clips["clip_id"].isin(here)].reset_index(drop=True)
    places = [pd.Index(one.clip_id).get_indexer(clips["clip_id"]) for one in sets]
    place = [np.stack([np.full(len(rows), chunk), rows], axis=1) for chunk, rows in enumerate(places)]
    return clips, Chunked([one.values for one in sets], np.concatenate(place))


def _frozen(net, clips: pd.DataFrame, bank: Chunked, config: Config, store: Store, log: Log) -> dict[str, Chunked]:
    """Frames below the block and pooled frames of all variants, by the published weights."""
    of = {"block": config.joint_finetuning.block, "features": features.get(FEATURE).settings(config)}
    of |= {"libraries": features.get(FEATURE).made_with(config), "augmentation": augment.VERSION, "version": VERSION}
    folder = store.path(f"{MODEL}/frozen", of | {"weights": weights.get("campplus").sha256}, "")
    variants = (0, *config.joint_finetuning.variants)
    rows = pd.concat([clips[["corpus", "sha256"]].assign(variant=variant) for variant in variants], ignore_index=True)
    return frozen.compute(net, rows, bank.rows, folder, log=log)


def _roles(clips: pd.DataFrame, fold: int, config: Config) -> np.ndarray:
    """Role of each clip in one fold, (n,)."""
    folds = _folds(clips, config)
    return folds[folds["fold"] == fold].set_index("clip_id")["role"].loc[clips["clip_id"]].to_numpy(str)


def _summary(state: progress.Progress, config: Config) -> dict[str, Any]:
    """The training as plain values."""
    best = max(i for i, row in enumerate(state.curve) if row["best"])
    return {
        "network": MODEL,
        "params": settings.as_dict(config.joint_finetuning),
        "epochs": len(state.curve),
        "best_epoch": best + 1,
        "best_stage": state.curve[best]["stage"],
        "validation_uar": state.best[0],
        "history": state.curve,
    }


def _of_selection(table: pd.DataFrame, part: Selection, fold: int, store: Store) -> pd.DataFrame:
    """Rows of a fold that are of a selection; none where the fold tests none of it."""
    truth, joins = classes_of(part, "native"), joining_classes(store)
    rows = table[table["clip_id"].isin(truth.index)]
    if not (rows["role"] == "test").any():
        return rows.iloc[:0]
    corpus, classes = part.clips["corpus"].iloc[0], sorted(truth.unique())
    logits = rows[[f"{_LOGIT}{_label(corpus, name, joins)}" for name in classes]].to_numpy(float)
    logits = np.where(np.isnan(logits), np.nanmin(logits) - _BELOW_LEAST, logits)
    params, parts = json.loads(rows["params"].iloc[0]), []
    for role in ("validation", "test"):
        mask = (rows["role"] == role).to_numpy()
        own = rows.loc[mask, ["clip_id"]].assign(variant=0)
        block = training.Block(own, logits[mask], truth.loc[own["clip_id"]].to_numpy(str))
        parts.append(training.as_table(logits[mask], classes, block, role, int(rows["n_train"].iloc[0]), params))
    return pd.concat(parts, ignore_index=True).assign(repeat=0, fold=fold)
