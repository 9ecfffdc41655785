"""Chapter 05 as calls: what is trained, what it scores, and the sentences about it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ser_study.config import Config
from ser_study.evaluation import metrics
from ser_study.experiments import deep_study, finetune_study, run, seed_results, seeds
from ser_study.experiments import material as materials
from ser_study.experiments.declare import Experiment
from ser_study.experiments.material import Material
from ser_study.models import deep
from ser_study.store import Store
from ser_study.words import listed, minus, share, word


def gather(config: Config, store: Store) -> dict[str, Material]:
    """Clips of the seeds where they are here, else the selections of the study (the built-in corpus)."""
    return seed_results.gather(config, store) or materials.gather(config, store)


def trained(gathered: Mapping[str, Material], *, config: Config, store: Store) -> dict[Experiment, pd.DataFrame]:
    """Predictions of every network of the chapter; finished folds are never trained again."""
    declared = deep_study.networks(config, gathered)
    return run.answers(declared, gathered, config=config, store=store)


def studied(gathered: Mapping[str, Material], *, config: Config, store: Store) -> dict[Experiment, pd.DataFrame]:
    """Predictions of the regularisation study, of which only valid rows are compared; empty without its clips."""
    declared = deep_study.regularisation(config, gathered)
    return run.answers(declared, gathered, config=config, store=store, look=False)


def finetuned(*, config: Config, store: Store) -> pd.DataFrame:
    """Predictions of the fine-tuned encoder on the folds that the settings ask for; empty where there is nothing."""
    if not config.finetuning.folds:
        return pd.DataFrame()
    gathered = materials.with_audio(materials.gather(config, store), store)
    tables = [
        finetune_study.run(name, gathered, config=config, store=store)
        for name in finetune_study.selections(config, gathered)
    ]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def results(answers: Mapping[Experiment, pd.DataFrame]) -> pd.DataFrame:
    """Scores of the networks on their test rows: mean over training seeds, pooled over folds.

    Columns: ``split, network, feature, protocol, accuracy, sd, uar, classes, n, n_seeds``.
    """
    titles = {system.selection: name for name, system in seeds.SYSTEMS.items()}
    lines = []
    for one, table in answers.items():
        test = table[table["role"] == "test"]
        each = [(metrics.accuracy_of(part), metrics.uar_of(part)) for _, part in test.groupby("draw")]
        accuracy, uar = np.array(each).T
        lines.append(
            {
                "split": titles.get(one.selection, word(one.selection)),
                "network": one.model,
                "feature": one.feature,
                "protocol": one.protocol,
                "accuracy": accuracy.mean(),
                "sd": accuracy.std(ddof=1) if len(each) > 1 else np.nan,
                "uar": uar.mean(),
                "classes": test["truth"].nunique(),
                "n": test["clip_id"].nunique(),
                "n_seeds": len(each),
            }
        )
    return pd.DataFrame(lines)


def together(answers: Mapping[Experiment, pd.DataFrame]) -> pd.DataFrame:
    """All predictions of some experiments in one table."""
    return pd.concat(answers.values(), ignore_index=True)


def introduction(answers: Mapping[Experiment, pd.DataFrame], config: Config) -> str:
    """How many networks were trained, where, and with how many seeds."""
    names = list(dict.fromkeys(one.model for one in answers))
    n_seeds = config.training.seeds
    times = "once" if n_seeds == 1 else f"{n_seeds} times with different training seeds"
    mine = any(one.selection.startswith(materials.SEED) for one in answers)
    place = "" if mine else (
        "The recordings of the projects are not in this run, so theirs are left out; what follows shows how a network "
        f"is trained and reported, on the {word(next(iter(answers)).selection)}. "
    )  # fmt: skip
    n_all = config.seeds.training_seeds
    more = f" `--set training.seeds={n_all}` adds the other seeds; what is trained already stays."
    more = more if n_seeds < n_all else ""
    many = "One network is" if len(names) == 1 else f"{len(names)} networks are"
    return place + (
        f"{many} trained here, {'each ' if len(names) > 1 else ''}{times}: {listed(word(name) for name in names)}. "
        f"Training ends {config.training.patience} epochs after the valid loss was last better, or at the network's "
        f"own limit, and the best weights are kept.{more}"
    )


def result_words(table: pd.DataFrame) -> str:
    """The best network of every split, by accuracy."""
    best = table.loc[table.groupby("split", sort=False)["accuracy"].idxmax()]
    told = [
        f"{row.split}: {word(row.network)} {share(row.accuracy)} (UAR {share(row.uar)})" for row in best.itertuples()
    ]
    return f"Highest accuracy on each split: {'; '.join(told)}. These are rows of one table, not a choice made by it."


def curve_title(curves: pd.DataFrame) -> str:
    """How many networks stop early."""
    last = curves.groupby("network")["epoch"].max()
    early = [name for name, rows in curves.groupby("network") if rows.loc[rows["best"], "epoch"].min() < last[name]]
    return f"{len(early)} of {len(last)} networks do best on valid rows before their last epoch"


def size_words(table: pd.DataFrame) -> str:
    """The largest and the slowest network."""
    large, slow = table.loc[table["parameters"].idxmax()], table.loc[table["seconds_per_epoch"].idxmax()]
    return (
        f"From {int(table['parameters'].min()):,} to {int(large['parameters']):,} parameters "
        f"({word(large['network'])}); {table['seconds_per_epoch'].min():.1f} to {slow['seconds_per_epoch']:.1f} s an "
        f"epoch ({word(slow['network'])}), {table['minutes'].sum():.0f} minutes of training in all."
    )


def regularised_words(table: pd.DataFrame, varied: Mapping[Experiment, pd.DataFrame]) -> str:
    """Which changes raise and which lower the valid accuracy, and how far apart two of them may lie by chance."""
    base = table.loc[table["changed"] == "as published", "valid_accuracy"].iloc[0]
    others = table[table["changed"] != "as published"]
    told = [f"{row.changed}: {minus(100 * (row.valid_accuracy - base))}" for row in others.itertuples()]
    valid = together(varied)
    n = valid.loc[valid["role"] == "valid", "clip_id"].nunique()
    noise = 100 * 1.96 * np.sqrt(2 * base * (1 - base) / n)
    return (
        f"Valid accuracy against the published settings ({share(base)} on {n} clips), in points: {'; '.join(told)}. "
        f"Two networks of equal worth differ by up to {noise:.0f} points (95 %). What slows learning down looks "
        "harmful in so few epochs."
    )


def image_networks() -> pd.DataFrame:
    """The image networks, built for 224-pixel images and sixteen classes, and counted: ``title, parameters``.

    They are trained in full only on a GPU; a test trains each for one batch.
    """
    names = [name for name in ("vgg16", "vgg19", "mobilenet", "resnet50", "inception") if name in deep.NETWORKS]
    return pd.DataFrame([{"title": deep.get(name).title, "parameters": _size(name)} for name in names])


def _size(name: str) -> int:
    """Parameters of an image network; it is let go at once, since two of them hold half a gigabyte each."""
    network = deep.get(name)
    return network.make((224, 224, 1), 16, network.settings()).count_params()
