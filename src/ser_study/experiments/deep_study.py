"""Chapter 05: which networks are trained on what, and what their training says: curves, sizes, regularisation."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

import pandas as pd

from ser_study import features
from ser_study.config import Config
from ser_study.experiments import seeds
from ser_study.experiments.declare import Experiment
from ser_study.models import deep, registry

OURS: Mapping[str, tuple[tuple[str, str], ...]] = {  # system → (feature, network) beside its own
    "E000": (("log_mel", "cnn_lstm_000"),),
    "E002b": (("seed180", "rnn_002"),),
    "E003": tuple(
        ("campplus_frames", network) for network in ("bigru", "attention_pool", "rnn_stack", "gru_stack", "lstm_stack")
    ),
    "E004": (("seed87", "cnn_bilstm"), ("seed87", "cnn_bilstm_chunks")),
}
SMALL = (("seed184", "mlp_head"), ("log_mel", "cnn_lstm_000"))  # where no seed's clips are; both learn in seconds
STUDIED = "E002b"  # whose network the regularisation study varies
BASE = "conv8_002"
_FOLD = ["experiment", "draw", "repeat", "fold"]


def networks(config: Config, selections: Iterable[str]) -> list[Experiment]:
    """Networks of the chapter: those of the seeds on the seeds' lists, ours beside them; on a corpus of the
    user's (or the built-in one) two small ones, on new speakers.

    The seeds' own rows are the declarations of chapter 08, so that nothing is trained twice.

    Parameters
    ----------
    selections : what there is; the clips of a seed are called ``seed-<id>``
    """
    here, declared = list(selections), []
    for name, system in seeds.SYSTEMS.items():
        if system.selection not in here:
            continue
        rebuilt = [e for e in seeds.rebuilds(system, config).values() if registry.get(e.model).family == "deep"]
        declared += rebuilt + [
            Experiment(
                system.selection, "seed_list", feature, network, scheme=system.scheme, draws=config.training.seeds
            )
            for feature, network in (OURS.get(name, ()) if config.study.extra_networks else ())
        ]
    if not declared:
        declared = [
            Experiment(selection, "speaker_independent", feature, network, draws=config.training.seeds)
            for selection in here[:1]
            for feature, network in SMALL
        ]
    return [e for e in declared if e.feature in features.names()]


def regularisation(config: Config, selections: Iterable[str]) -> list[Experiment]:
    """Seed 002's study of dropout, penalties and batch sizes, at few epochs; compared on valid rows.

    Empty where the seed's clips are absent.
    """
    system = seeds.SYSTEMS[STUDIED]
    if system.selection not in selections:
        return []
    varied = [name for name in deep.NETWORKS if name.startswith(f"{BASE}_")]
    return [Experiment(system.selection, "seed_list", "seed180", name, scheme=system.scheme) for name in varied]


def _trainings(predictions: pd.DataFrame) -> list[dict]:
    """What each training told, one a fold, with where it belongs."""
    keys = [column for column in _FOLD if column in predictions]
    rows = []
    for place, told in predictions.groupby(keys, sort=False)["params"].first().items():
        told = json.loads(told)
        if "history" in told:
            rows.append({**dict(zip(keys, place)), **told})
    if not rows:
        raise ValueError("These predictions hold no network; its training is told in their column params.")
    return rows


def learning_curves(predictions: pd.DataFrame) -> pd.DataFrame:
    """How every training went.

    Parameters
    ----------
    predictions : of networks, of one experiment or several

    Returns
    -------
    Tidy table, one row an epoch: ``experiment, draw, repeat, fold, network, epoch, loss, accuracy, valid_loss,
    valid_accuracy, seconds, best`` (losses in nats; ``best``: the epoch whose weights predict).

    Raises
    ------
    ValueError
        No network is among them.
    """
    tables = []
    for told in _trainings(predictions):
        place = {key: told[key] for key in (*_FOLD, "network") if key in told}
        curve = pd.DataFrame(told["history"], dtype=float).assign(**place)
        curve["epoch"] = range(1, len(curve) + 1)
        tables.append(curve.assign(best=curve["epoch"] == told["best_epoch"]))
    table = pd.concat(tables, ignore_index=True)
    first = [column for column in (*_FOLD, "network", "epoch") if column in table]
    return table[first + [column for column in table.columns if column not in first]]


def sizes(predictions: pd.DataFrame) -> pd.DataFrame:
    """Size and cost of each network.

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


def regularised(predictions: pd.DataFrame) -> pd.DataFrame:
    """The regularisation study: training and valid accuracy at the best epoch, and the gap between them.

    Returns
    -------
    One row a network: ``network, changed, accuracy, valid_accuracy, gap, valid_loss, best_epoch,
    seconds_per_epoch``; the best valid accuracy first. Training accuracy is measured with dropout on.
    """
    curves = learning_curves(predictions)
    best = (
        curves[curves["best"]].groupby("network", as_index=False)[["accuracy", "valid_accuracy", "valid_loss"]].mean()
    )
    best["gap"] = best["accuracy"] - best["valid_accuracy"]
    costs = sizes(predictions).set_index("network")[["best_epoch", "seconds_per_epoch"]]
    table = best.merge(costs, left_on="network", right_index=True)
    table.insert(1, "changed", [deep.get(name).title.split(", ")[-1] for name in table["network"]])
    return table.sort_values("valid_accuracy", ascending=False, ignore_index=True)
