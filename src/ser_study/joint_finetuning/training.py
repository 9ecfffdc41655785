"""Train one network on the training clips of several corpora, in three stages, resumable after every epoch.

The stages are those of ``finetuning``: the head on the frozen network, then the pooled block, then all of it. Each
begins with the best weights so far and ends when its epochs are over or ``training.patience`` of them brought nothing
better. Best is the highest unweighted average recall (UAR) of the validation clips, averaged over corpora; between
equals the lower loss, averaged alike.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import log_softmax

from ser_study.config import Finetuning, JointFinetuning, Training
from ser_study.evaluation import metrics
from ser_study.finetuning import STAGES
from ser_study.joint_finetuning.batches import STEP, Rows, batches, cropped
from ser_study.joint_finetuning.frozen import Chunked
from ser_study.joint_finetuning.network import Network, compile_for_training, set_scale
from ser_study.models.deep import progress
from ser_study.models.deep.pooling import outputs
from ser_study.models.deep.progress import Progress

RATE = 100  # frames of the filterbank a second
_HEAD_BATCH = 64  # clips a step while the head alone learns
_LEAST = -1e9  # logit of a class that is not annotated, or not trained on


@dataclass(frozen=True)
class Fold:
    """What one training reads; row numbers count the clips of all corpora."""

    inputs: Mapping[str, Rows]  # "pooled", "below", "bank" → every clip
    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    masks: np.ndarray  # bool (D, C): classes of each domain that the training clips have


def fold_of(clips: pd.DataFrame, labels: np.ndarray, sources: Mapping[str, Chunked], role: np.ndarray) -> Fold:
    """Rows of a training, each with what it reads and the classes that its domain annotates.

    Parameters
    ----------
    clips : ``corpus, domain, label`` of n clips
    labels : names of all classes, sorted
    sources : "pooled", "below", "bank" → values of every variant of every clip
    role : of each clip, (n,)
    """
    domains, domain = np.unique(clips["domain"].to_numpy(str), return_inverse=True)
    codes = np.stack([np.searchsorted(labels, clips["label"].to_numpy(str)), domain], axis=1)
    corpus = clips["corpus"].to_numpy(str)
    variants = np.arange(len(sources["bank"].place)).reshape(-1, len(clips)).T
    inputs = {name: Rows(corpus, codes, variants, source.rows) for name, source in sources.items()}
    rows = {name: np.flatnonzero(role == name) for name in ("train", "validation", "test")}
    masks = np.zeros((len(domains), len(labels)), bool)
    masks[codes[:, 1], codes[:, 0]] = True
    masks &= np.isin(np.arange(len(labels)), codes[rows["train"], 0])
    return Fold(inputs, **rows, masks=masks)


@dataclass(frozen=True)
class Plan:
    """How to train."""

    plan: Finetuning
    joint: JointFinetuning
    training: Training
    seed: int


@dataclass(frozen=True)
class _Stage:
    """One stage: the model that learns, what it reads, how many epochs at most."""

    name: str
    number: int
    model: Any
    rows: Rows
    limit: int
    crop: Callable | None


def train_fold(
    network: Network, fold: Fold, how: Plan, *, state_file: Path, log: Callable[[str], None]
) -> tuple[np.ndarray, Progress]:
    """Train until every stage is over, from where ``state_file`` stands.

    Parameters
    ----------
    network : with its published weights
    fold, how : rows and settings
    state_file : where the state is kept after every epoch; the caller deletes it when all is done
    log : called with one line an epoch

    Returns
    -------
    Logits (n, C) of the validation clips, then of the test clips, by the best weights, which ``network`` now has;
    and the state with the learning curve.

    Raises
    ------
    ValueError
        There are no validation clips, or the settings do not fit together.
    FloatingPointError
        The loss of the first stage was never finite.
    """
    check(fold, how.plan)
    state, variables = progress.read(state_file), network.variables()
    if not state.curve:
        set_scale(network, fold.inputs["pooled"].some(fold.train).clean())
    for number, name in enumerate(STAGES):
        stage = _stage(network, fold, how, number)
        fresh = not state.of_stage(name)
        if not is_over(state.of_stage(name), stage.limit, how.training.patience):
            if state.curve:
                _assign(variables, state.arrays["best" if fresh else "now"])
            network.unfreeze(name)
            compile_for_training(stage.model, how.plan.rates[number], fold.masks)
            if not fresh:
                _assign(stage.model.optimizer.variables, state.arrays["optimiser"])
            _run(stage, network, fold, how, state, state_file=state_file, log=log)
    _assign(variables, state.arrays["best"])
    scored = fold.inputs["bank"].some(np.concatenate([fold.validation, fold.test]))
    return outputs(network.by_bank, scored.clean()), state


def check(fold: Fold, plan: Finetuning) -> None:
    """Raise ``ValueError`` where a fold cannot be trained."""
    sizes = [len(plan.rates), len(plan.epochs)]
    if sizes != [len(STAGES)] * 2 or not plan.epochs[0]:
        raise ValueError(
            f"finetuning.rates and joint_finetuning.epochs take {len(STAGES)} values each ({', '.join(STAGES)}), the "
            f"first number of epochs above 0; found {plan.rates} and {plan.epochs}."
        )
    if not len(fold.validation):
        raise ValueError(
            "Fine-tuning is stopped by validation clips of other speakers, and there are none; add a corpus with four "
            "speakers or more."
        )


def is_over(epochs: list[dict[str, Any]], limit: int, patience: int) -> bool:
    """Whether a stage with these finished epochs is at its end."""
    if len(epochs) >= limit or (epochs and epochs[-1]["loss"] is None):
        return True
    last = max((i + 1 for i, row in enumerate(epochs) if row["best"]), default=0)
    return len(epochs) - last >= patience


def _stage(network: Network, fold: Fold, how: Plan, number: int) -> _Stage:
    """A stage; a head with attention needs the frames, one without gets them pooled."""
    name, shortest = STAGES[number], how.joint.shortest * RATE
    limit = min(how.plan.epochs[number], how.training.max_epochs or how.plan.epochs[number])
    if name == "all":
        crop = partial(cropped, shortest=round(shortest), centred=True)
        return _Stage(name, number, network.by_bank, fold.inputs["bank"], limit, crop)
    if name == "head" and how.joint.pooling == "statistics":
        return _Stage(name, number, network.head, fold.inputs["pooled"], limit, None)
    crop = partial(cropped, shortest=round(shortest / 2), step=STEP // 2)  # half as many frames below the block
    return _Stage(name, number, network.by_below, fold.inputs["below"], limit, crop)


def _run(stage: _Stage, network: Network, fold: Fold, how: Plan, state: Progress, *, state_file, log) -> None:
    """Train a stage to its end, writing the state after every epoch."""
    train = stage.rows.some(fold.train)
    watched = stage.rows.some(fold.validation)
    watched = watched.some(fold.masks[watched.truth[:, 1], watched.truth[:, 0]])
    while not is_over(done := state.of_stage(stage.name), stage.limit, how.training.patience):
        clock = time.perf_counter()
        loss = _epoch(stage, train, how, len(done))
        row = {"stage": stage.name, "loss": loss if np.isfinite(loss) else None, "best": False}
        if row["loss"] is None and not state.curve:
            raise FloatingPointError(
                f"The loss of the first stage was never finite; lower finetuning.rates (now {how.plan.rates[0]}) or "
                "check the filterbanks for missing values."
            )
        if row["loss"] is not None:
            row |= scores(outputs(stage.model, watched.clean()), watched, fold.masks)
            rank = (row["validation_uar"], -row["validation_loss"])
            row["best"] = rank > state.best
        now = [np.array(variable) for variable in network.variables()]
        if row["best"]:
            state.best, state.arrays["best"] = rank, now
        state.curve.append(row | {"seconds": round(time.perf_counter() - clock, 1)})
        state.arrays |= {"now": now, "optimiser": [np.array(one) for one in stage.model.optimizer.variables]}
        progress.write(state_file, state)
        log(_line(state.curve[-1], len(done) + 1, stage.limit))


def _epoch(stage: _Stage, train: Rows, how: Plan, number: int) -> float:
    """Train one epoch; mean loss."""
    random = np.random.default_rng([how.seed, stage.number, number])
    size = _HEAD_BATCH if stage.name == "head" else how.plan.batch
    options = {
        "size": size,
        "n": min(how.joint.clips or len(train.corpus), len(train.corpus)),
        "power": how.joint.power,
    }
    stage.model.reset_metrics()
    for values, truth in batches(train, **options, random=random, crop=stage.crop):
        loss = stage.model.train_on_batch(values, truth, return_dict=True)["loss"]
    return float(loss)


def scores(logits: np.ndarray, rows: Rows, masks: np.ndarray) -> dict[str, Any]:
    """Validation UAR and loss, averaged over corpora, and the UAR of each."""
    code, domain = rows.truth.T
    logits = np.where(masks[domain], logits.astype(np.float64), _LEAST)
    loss = -log_softmax(logits, axis=1)[np.arange(len(code)), code]
    guess, classes = logits.argmax(axis=1), range(masks.shape[1])
    uars, losses = {}, []
    for name in np.unique(rows.corpus):
        own = rows.corpus == name
        uars[str(name)] = float(metrics.uar(metrics.confusion(code[own], guess[own], classes)))
        losses.append(loss[own].mean())
    uar = float(np.mean(list(uars.values())))
    return {"validation_uar": uar, "validation_loss": float(np.mean(losses)), "validation_uars": uars}


def _assign(variables: list, arrays: list[np.ndarray]) -> None:
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)


def _line(row: Mapping[str, Any], epoch: int, limit: int) -> str:
    """What the log says of an epoch."""
    start = f"{row['stage']} {epoch}/{limit} · {row['seconds']:.0f} s"
    if row["loss"] is None:
        return f"{start} · the loss is not finite, so the stage ends"
    uars = ", ".join(f"{name} {value:.3f}" for name, value in row["validation_uars"].items())
    best = " · best" if row["best"] else ""
    return f"{start} · loss {row['loss']:.3f} · validation UAR {row['validation_uar']:.3f} ({uars}){best}"
