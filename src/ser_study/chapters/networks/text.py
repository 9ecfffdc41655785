"""What chapter 05 says: captions of its tables and figures, and sentences whose numbers are computed."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from ser_study.config import Config
from ser_study.evaluation import metrics
from ser_study.experiments.experiment import Experiment
from ser_study.experiments.selections import BASELINE
from ser_study.wording import Caption, listed, minus, share, signed, word

LEARNING = {"head": "the head alone", "block": "the last block with it", "all": "the whole network"}
VARIED = "8-layer CNN of E002"  # whose settings are changed one at a time
SURE = 0.05  # a change is beyond chance where p after Holm's correction is lower


def introduction(predictions: Mapping[Experiment, pd.DataFrame], config: Config) -> str:
    """How many networks are trained, where, and with how many random seeds."""
    names = list(dict.fromkeys(one.model for one in predictions))
    n_seeds = config.training.seeds
    times = "once" if n_seeds == 1 else f"{n_seeds} times with different random seeds"
    on_lists = any(one.selection.startswith(BASELINE) for one in predictions)
    place = "" if on_lists else (
        "No network of the student projects is in this run: their recordings or the settings leave them out. What "
        f"follows shows how a network is trained and reported, on {word(next(iter(predictions)).selection)}. "
    )  # fmt: skip
    n_all = config.baselines.training_seeds
    more = f" `--set training.seeds={n_all}` adds the other random seeds; finished trainings are not repeated."
    more = more if n_seeds < n_all else ""
    many = "One network is" if len(names) == 1 else f"{len(names)} networks are"
    return place + (
        f"{many} trained here, {'each ' if len(names) > 1 else ''}{times}: {listed(word(name) for name in names)}. "
        f"Training ends {config.training.patience} epochs after the lowest validation loss, or at the network's own "
        f"limit, and the weights of the best epoch are kept.{more}"
    )


def scores(table: pd.DataFrame) -> Caption:
    """Scores of the networks, and the best network of every split."""
    best = table.loc[table.groupby("split", sort=False)["accuracy"].idxmax()]
    rows = [
        f"{row.split}: {word(row.network)} {share(row.accuracy)} (UAR {share(row.uar)})" for row in best.itertuples()
    ]
    return Caption(
        "networks",
        "Accuracy and UAR on test clips, mean over training seeds.",
        finding=f"Highest accuracy on each split: {'; '.join(rows)}. The best of many rows is chosen by its test "
        "score, so it is slightly optimistic.",
        labels={"n": "test clips"},
    )


def learning_curves_title(curves: pd.DataFrame) -> str:
    """How far the validation loss lies above the training loss where the weights are kept."""
    kept = curves[curves["best"] & curves["validation_loss"].notna()]
    if kept.empty:
        return "Training loss by epoch"
    ratio = kept["validation_loss"] / kept["loss"]
    where = f"in the median of {len(ratio)} trainings" if len(ratio) > 1 else "in the one training watched"
    return f"Where weights are kept, validation loss is {ratio.median():.1f} times the training loss {where}"


def learning_curves(curves: pd.DataFrame) -> Caption:
    """Loss by epoch."""
    best = curves[curves["best"]].groupby("network", sort=False)["epoch"].median()
    epochs = listed(f"{word(name)} {epoch:.0f}" for name, epoch in best.items())
    return Caption(
        "learning_curves",
        "Loss by epoch, first training of each network. Dropout is on while the training loss is taken, so it can lie "
        "above the validation loss. Networks whose authors never stopped early have no validation line, and the title "
        "does not count them.",
        alt=f"{learning_curves_title(curves)}. One panel per network, training and validation loss against the epoch. "
        f"Epochs whose weights are kept: {epochs}.",
        lead=True,
    )


def sizes(table: pd.DataFrame) -> Caption:
    """Parameters and times; the largest and the slowest network."""
    large, slow = table.loc[table["parameters"].idxmax()], table.loc[table["seconds_per_epoch"].idxmax()]
    finding = (
        f"From {int(table['parameters'].min()):,} to {int(large['parameters']):,} parameters "
        f"({word(large['network'])}); {table['seconds_per_epoch'].min():.1f} to {slow['seconds_per_epoch']:.1f} s an "
        f"epoch ({word(slow['network'])}), {_minutes(table['minutes'].sum())} of training in all."
    )
    return Caption(
        "network_sizes",
        "Parameters, epochs and training time of every network on this machine, beside which other chapters ran.",
        finding=finding,
        labels={"title": "network"},
    )


def _minutes(total: float) -> str:
    n = round(total)
    return "less than a minute" if n < 1 else "one minute" if n == 1 else f"{n} minutes"


def costs_title(table: pd.DataFrame) -> str:
    """The most accurate and the fastest system."""
    ms = table["extract_ms"] + table["predict_ms"]
    best, fast = table["accuracy"].idxmax(), ms.idxmin()
    if best == fast:
        return f"{_system(table.loc[best])} is both the most accurate and the fastest ({ms[best]:.0f} ms per clip)"
    return (
        f"{_system(table.loc[best])} is the most accurate at {ms[best]:.0f} ms per clip, {_system(table.loc[fast])} "
        f"the fastest at {ms[fast]:.0f} ms"
    )


def costs(table: pd.DataFrame) -> Caption:
    """Scores and times side by side."""
    return Caption(
        "costs",
        "The list of E000: scores, and median times of one clip (classical models: one core; networks: all), measured "
        "beside another chapter; chapter 07 measures alone. The network was trained a second time for this, so its "
        "training time differs from that above.",
        empty="Left out: it needs the recordings of the student project E000 as sound.",
        finding=_costs_finding(table) if len(table) else "",
        labels={"n": "test clips", "extract_ms": "features, ms per clip", "fit_s": "training, s",
                "predict_ms": "answer, ms per clip", "megabytes": "model, MB"},
    )  # fmt: skip


def costs_figure(table: pd.DataFrame) -> Caption:
    """Accuracy against time."""
    rows = [
        f"{_system(row)}: {share(row['accuracy'])}, {row['extract_ms'] + row['predict_ms']:.0f} ms"
        for _, row in table.iterrows()
    ]
    return Caption(
        "costs_scatter",
        "Accuracy on the list of E000 against the time from the audio file to the answer, median of twenty clips.",
        alt=f"Accuracy against milliseconds per clip on a logarithmic axis. {'; '.join(rows)}.",
        lead=True,
    )


def _costs_finding(table: pd.DataFrame) -> str:
    """E000's LightGBM against the network, and what the highest score costs."""
    by_model = table.set_index("model")
    best = table.loc[table["accuracy"].idxmax()]
    sentence = f"Highest accuracy: {_system(best)} ({share(best['accuracy'])}), "
    sentence += f"{best['extract_ms'] + best['predict_ms']:.0f} ms per clip from file to answer."
    if {"lightgbm_000", "cnn_lstm_000"} <= set(by_model.index):
        trees, network = by_model.loc["lightgbm_000"], by_model.loc["cnn_lstm_000"]
        sentence += (
            f" {word('lightgbm_000')} has {share(trees['accuracy'])} after {trees['fit_s']:.1f} s of training and "
            f"{trees['extract_ms'] + trees['predict_ms']:.0f} ms per clip, {word('cnn_lstm_000')} "
            f"{share(network['accuracy'])} after {network['fit_s']:.0f} s and "
            f"{network['extract_ms'] + network['predict_ms']:.0f} ms."
        )
    return sentence


def _system(row: pd.Series) -> str:
    return f"{word(row['feature'])} with {word(row['model'])}"


def regularisation_title(table: pd.DataFrame) -> str:
    """The setting with the best UAR on validation rows, beside the published one."""
    best, published = table.loc[table["uar"].idxmax()], table.loc[table["difference"].isna()].iloc[0]
    beside = "" if best["changed"] == published["changed"] else f"; as published {share(published['uar'])}"
    return f"{VARIED}, best UAR on validation rows: {best['changed']} ({share(best['uar'])}{beside})"


def regularisation(table: pd.DataFrame) -> Caption:
    """One change at a time, compared on validation rows."""
    return Caption(
        "regularisation",
        f"The {VARIED} with dense layers of 1,024 units, one change at a time, as many steps of training "
        "each. Validation rows of E002's random split: their speakers are in training too.",
        empty="Left out: it needs the recordings of E002's deep half and the preset `full`.",
        finding=_regularisation_finding(table) if len(table) else "",
        labels={"gap": "training − validation", "uar": "UAR, validation"},
        only_csv=("n", "n_speakers"),
    )


def regularisation_figure(table: pd.DataFrame) -> Caption:
    """Training and validation accuracy of every setting."""
    rows = [
        f"{row.changed}: training {share(row.accuracy)}, validation {share(row.validation_accuracy)}"
        for row in table.itertuples()
    ]
    return Caption(
        "regularisation_gap",
        f"The {VARIED}: accuracy at the best epoch, on training rows (with dropout on) and on validation rows. UAR, by "
        "which the title chooses, is in the table.",
        alt=f"One row per setting, best validation accuracy on top. {'; '.join(rows)}.",
        lead=True,
    )


def _regularisation_finding(table: pd.DataFrame) -> str:
    """What every change does to UAR, with its interval over speakers, and which changes are beyond chance."""
    others = table[table["difference"].notna()]
    published = table.loc[table["difference"].isna()].iloc[0]
    points = [f"{row.changed} {_points(row.difference, row.low, row.high)}" for row in others.itertuples()]
    sure = others[others["p_holm"] < SURE]
    ups, downs = sure[sure["difference"] > 0]["changed"], sure[sure["difference"] < 0]["changed"]
    changes = [
        f"{listed(f'“{name}”' for name in names)} {how} it" for names, how in ((ups, "raised"), (downs, "lowered"))
        if len(names)
    ]  # fmt: skip
    verdict = f"Beyond chance, {' and '.join(changes)}" if changes else "No change is beyond chance"
    return (
        f"UAR with the published settings is {share(published['uar'])} on {published['n']:.0f} validation clips of "
        f"{published['n_speakers']:.0f} speakers. Changes in points, paired by clip, intervals over speakers: "
        f"{'; '.join(points)}. {verdict} (p < {share(SURE, 2)} after Holm's correction). Each setting was trained "
        "once, so none of this covers the random seed; and what slows learning down looks harmful in so few epochs."
    )


def _points(difference: float, low: float, high: float) -> str:
    span = f" [{minus(100 * low)}, {minus(100 * high)}]" if low == low else ""
    return f"{signed(100 * difference)}{span}"


def stages(table: pd.DataFrame, predictions: Mapping[Experiment, pd.DataFrame]) -> Caption:
    """Stages of fine-tuning on validation speakers, and what the kept weights score on test speakers."""
    findings = [_stages_finding(table[table["corpus"] == one.selection], own) for one, own in predictions.items()]
    return Caption(
        "finetuning",
        "Stages of fine-tuning, on validation speakers.",
        empty="Not in this run, since a fold takes a quarter of an hour on two cores: on real recordings the preset "
        "`complete`, or `--set finetuning.folds=1`, trains it.",
        finding=" ".join(findings),
        labels={"lr": "learning rate", "validation_uar": "UAR, validation", "n_trainable": "trainable parameters"},
    )


def _stages_finding(rows: pd.DataFrame, predictions: pd.DataFrame) -> str:
    """One selection: UAR on validation speakers stage by stage, and of the kept weights on test speakers."""
    test = predictions[predictions["role"] == "test"]
    means = rows.groupby("stage", sort=False)["validation_uar"].mean()
    undone = int((~rows["kept"].astype(bool)).sum())
    points = 100 * (means.iloc[-1] - means.iloc[0])
    n_folds = len(rows[["repeat", "fold"]].drop_duplicates())
    steps = listed(f"{share(value)} with {LEARNING[stage]}" for stage, value in means.items())
    return (
        f"{word(rows['corpus'].iloc[0])}, {n_folds} {'fold' if n_folds == 1 else 'folds'}: UAR on validation speakers "
        f"{steps} learning ({signed(points)} points from first to last; {undone} of "
        f"{len(rows)} stages undone). The kept weights reach {share(metrics.uar_of(test))} on "
        f"{test['clip_id'].nunique()} clips of test speakers."
    )


def image_networks(table: pd.DataFrame) -> Caption:
    """Sizes of the image networks."""
    small, large = table.loc[table["parameters"].idxmin()], table.loc[table["parameters"].idxmax()]
    return Caption(
        "image_networks",
        "Image networks for 224-pixel log-mel images and sixteen classes, with their parameters.",
        finding=f"From {small['parameters'] / 1e6:.0f} million parameters ({small['title']}) to "
        f"{large['parameters'] / 1e6:.0f} million ({large['title']}).",
        labels={"title": "network"},
    )
