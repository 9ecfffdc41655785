"""Tables of networks, made of predictions: scores, learning curves, sizes, regularisation, stages of fine-tuning."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import pandas as pd

from ser_study import config as settings
from ser_study.evaluation import comparisons, metrics
from ser_study.experiments import baselines
from ser_study.experiments.experiment import Experiment
from ser_study.models import deep
from ser_study.study import Study
from ser_study.wording import word

Predictions = Mapping[Experiment, pd.DataFrame]
SCORES = ("split", "network", "feature", "protocol", "accuracy", "sd", "uar", "classes", "n", "n_seeds")
STAGES = (
    *("corpus", "repeat", "fold", "stage", "lr", "epochs", "best_epoch", "validation_loss", "validation_uar", "kept"),
    *("n_trainable", "seconds_per_epoch"),
)
CHANGE = ("uar", "difference", "low", "high", "interval", "p_holm", "n", "n_speakers")
AS_PUBLISHED = "as published"  # end of the title of the network that the others are compared with
IMAGE_NETWORKS = ("vgg16", "vgg19", "mobilenet", "resnet50", "inception")
_FOLD = ["experiment", "draw", "repeat", "fold"]


def scores(predictions: Predictions) -> pd.DataFrame:
    """Scores of networks on their test rows: mean over training seeds, pooled over folds (``SCORES``).

    Parameters
    ----------
    predictions : experiment → its predictions, as ``study.predict`` gives them
    """
    ids = {baseline.selection: name for name, baseline in baselines.BASELINES.items()}
    rows = []
    for one, table in predictions.items():
        test = table[table["role"] == "test"]
        by_draw = [(metrics.accuracy_of(part), metrics.uar_of(part)) for _, part in test.groupby("draw")]
        accuracy, uar = np.array(by_draw).T
        row = {"split": ids.get(one.selection, word(one.selection)), "network": one.model, "feature": one.feature}
        row |= {"protocol": one.protocol, "accuracy": accuracy.mean(), "uar": uar.mean()}
        row |= {"sd": accuracy.std(ddof=1) if len(by_draw) > 1 else np.nan, "classes": test["truth"].nunique()}
        rows.append(row | {"n": test["clip_id"].nunique(), "n_seeds": len(by_draw)})
    return pd.DataFrame(rows, columns=list(SCORES))


def learning_curves(predictions: Predictions) -> pd.DataFrame:
    """Loss and accuracy by epoch.

    Returns
    -------
    Tidy table, one row an epoch of a training: ``experiment, draw, repeat, fold, network, epoch, loss, accuracy,
    validation_loss, validation_accuracy, seconds, best`` (losses in nats; ``best``: the epoch whose weights predict).

    Raises
    ------
    ValueError
        No network is among the experiments.
    """
    tables = []
    for training in _trainings(predictions):
        place = {key: training[key] for key in (*_FOLD, "network") if key in training}
        curve = pd.DataFrame(training["history"], dtype=float).assign(**place)
        curve["epoch"] = range(1, len(curve) + 1)
        tables.append(curve.assign(best=curve["epoch"] == training["best_epoch"]))
    table = pd.concat(tables, ignore_index=True)
    first = [column for column in (*_FOLD, "network", "epoch") if column in table]
    return table[first + [column for column in table.columns if column not in first]]


def sizes(predictions: Predictions) -> pd.DataFrame:
    """Parameters and training time of each network.

    Returns
    -------
    One row an experiment: ``experiment, network, title, parameters, trainings, epochs, best_epoch`` (medians),
    ``seconds_per_epoch`` (median), ``minutes`` (all trainings together).
    """
    rows = pd.DataFrame(_trainings(predictions))
    rows["seconds"] = [sum(history["seconds"]) for history in rows["history"]]
    table = rows.groupby(["experiment", "network"], sort=False, as_index=False).agg(
        parameters=("n_parameters", "max"),
        trainings=("epochs", "size"),
        epochs=("epochs", "median"),
        best_epoch=("best_epoch", "median"),
        seconds_per_epoch=("seconds_per_epoch", "median"),
        minutes=("seconds", "sum"),
    )
    table["minutes"] = (table["minutes"] / 60).round(1)
    table.insert(2, "title", [deep.get(name).title for name in table["network"]])
    return table


def regularisation(predictions: Predictions, study: Study) -> pd.DataFrame:
    """One network changed in one thing at a time: accuracies at the best epoch, and the change of UAR it makes.

    Returns
    -------
    One row a network: ``network, changed, accuracy, validation_accuracy, validation_loss, gap, best_epoch,
    seconds_per_epoch``, then ``CHANGE`` on validation rows; the best validation accuracy first. Training accuracy is
    measured with dropout on. The change is that of ``comparisons.steps``: paired by clip, its interval and test over
    speakers; the network as published has none. Empty without predictions.
    """
    if not predictions:
        return pd.DataFrame()
    curves = learning_curves(predictions)
    measured = ["accuracy", "validation_accuracy", "validation_loss"]
    best = curves[curves["best"]].groupby("network", as_index=False)[measured].mean()
    best["gap"] = best["accuracy"] - best["validation_accuracy"]
    costs = sizes(predictions).set_index("network")[["best_epoch", "seconds_per_epoch"]]
    table = best.merge(costs, left_on="network", right_index=True)
    table.insert(1, "changed", [deep.get(name).title.split(", ")[-1] for name in table["network"]])
    table = table.merge(_against_published(predictions, study), on="network")
    return table.sort_values("validation_accuracy", ascending=False, ignore_index=True)


def _against_published(predictions: Predictions, study: Study) -> pd.DataFrame:
    """UAR of each network on validation rows and its change against the network as published (``CHANGE``)."""
    (published,) = [one for one in predictions if deep.get(one.model).title.endswith(AS_PUBLISHED)]
    others = [one for one in predictions if one != published]
    steps = comparisons.steps(
        pd.concat(predictions.values(), ignore_index=True),
        study.clips(published.selection),
        [(published.name, one.name) for one in others],
        family="regularisation",
        role="validation",
        evaluation=study.config.evaluation,
        rng=settings.rng(study.config, "regularisation"),
    )
    steps = steps.rename(columns={"value_b": "uar"}).assign(network=[one.model for one in others])
    first = {"network": published.model, "uar": steps["value_a"].iloc[0]}
    first |= {name: steps[name].iloc[0] for name in ("n", "n_speakers")}
    return pd.concat([pd.DataFrame([first]), steps])[["network", *CHANGE]]


def stages(predictions: Predictions) -> pd.DataFrame:
    """Stages of fine-tuning in every fold, on its validation rows (``STAGES``); empty without predictions.

    ``kept`` is false where a stage was undone because its validation loss was no better than before.
    ``seconds_per_epoch`` of the head is over frames pooled beforehand, of the other stages through the network.
    """
    rows = []
    for table in predictions.values():
        for place, text in table.groupby(["corpus", "repeat", "fold"], sort=False)["params"].first().items():
            rows += [{**dict(zip(STAGES, place)), **stage} for stage in json.loads(text)["stages"]]
    return pd.DataFrame(rows, columns=list(STAGES))


def image_networks() -> pd.DataFrame:
    """The image networks, built for 224-pixel images and sixteen classes, and counted: ``title, parameters``.

    They are trained in full only on a GPU; a test trains each for one batch.
    """
    return pd.DataFrame([{"title": deep.get(name).title, "parameters": _count(name)} for name in IMAGE_NETWORKS])


def _count(name: str) -> int:
    """Parameters of an image network; it is let go at once, since two of them hold half a gigabyte each."""
    network = deep.get(name)
    return network.make((224, 224, 1), 16, network.settings()).count_params()


def _trainings(predictions: Predictions) -> list[dict]:
    """The summary of each training, one a fold, with its place: experiment, draw, repeat, fold."""
    rows = []
    for table in predictions.values():
        keys = [column for column in _FOLD if column in table]
        for place, text in table.groupby(keys, sort=False)["params"].first().items():
            summary = json.loads(text)
            if "history" in summary:
                rows.append({**dict(zip(keys, place)), **summary})
    if not rows:
        raise ValueError("No network is among these predictions; a network's training is in their column params.")
    return rows
