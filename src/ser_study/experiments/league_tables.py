"""What notebook 04 shows: tables and sentences about features × models, and the published tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ser_study import corpora
from ser_study.config import Config
from ser_study.evaluation import tables
from ser_study.experiments import findings, run, study
from ser_study.experiments import material as materials
from ser_study.experiments.declare import Experiment
from ser_study.experiments.material import Material
from ser_study.store import Store, replacing
from ser_study.words import interval, listed, share, voices, word

PROBABILITY_METRICS = ("log_loss", "brier", "ece", "ece_if_calibrated")
PUBLISHED = ("corpus", "protocol", "feature", "model", "metric", "value", "low", "high", "interval")


def introduction(league: pd.DataFrame, config: Config) -> str:
    """What was run, in one sentence."""
    table = findings.uar(league)
    features = listed(word(name) for name in dict.fromkeys(table["feature"]))
    models = listed(word(name) for name in dict.fromkeys(table["model"]))
    where = listed(word(name) for name in dict.fromkeys(table["corpus"]))
    return (
        f"{len(table)} experiments on {where}. Features: {features}. Models: {models}. "
        f"Intervals are {100 * config.evaluation.level:.0f} % intervals over speakers; with three speakers or fewer "
        "they cover clips of these voices only."
    )


def common_feature(league: pd.DataFrame) -> str:
    """The feature set with the best valid score on average over the corpora that ran on all of them."""
    best = findings.valid_scores(league).groupby(["corpus", "feature"])["value"].max().unstack()
    everywhere = best.dropna(axis=1)
    return str(everywhere.mean().idxmax()) if everywhere.shape[1] else str(league["feature"].iloc[0])


def inflation_title(pairs: pd.DataFrame) -> str:
    """By how much the random split flatters, over corpora and models."""
    wide = pairs.pivot_table(index=["corpus", "model"], columns="protocol", values="value", sort=False)
    gap = 100 * (wide["random"] - wide["speaker_independent"])
    corpus = gap.groupby("corpus", sort=False).median()
    if len(corpus) == 1:
        return f"A random split flatters every model by {gap.min():.0f} to {gap.max():.0f} points"
    low, high = corpus.idxmin(), corpus.idxmax()
    return (
        f"A random split flatters by {corpus[low]:.0f} points on {word(low)} and by {corpus[high]:.0f} on {word(high)}"
    )


def inflation_caption(pairs: pd.DataFrame) -> str:
    """Which features, and what the bars are."""
    return (
        f"UAR; features: {word(pairs['feature'].iloc[0])}. Bars: 95 % intervals over speakers; with three speakers or "
        "fewer they cover clips of these voices only."
    )


def notes(gathered: Mapping[str, Material]) -> dict[str, str]:
    """Speakers and classes of each selection, in few words."""
    return {
        name: f"{part.n_speakers} speakers, {part.clips['emotion'].nunique()} emotions"
        for name, part in gathered.items()
    }


def matrix_title(honest: pd.DataFrame) -> str:
    """Which combination does best on average."""
    best = honest[honest["model"] != "dummy"].groupby(["feature", "model"])["value"].agg(["mean", "size"])
    best = best[best["size"] == best["size"].max()]["mean"]
    feature, model = best.idxmax()
    return f"On new speakers {word(feature)} with {word(model)} scores highest on average: UAR {share(best.max())}"


def headline_words(best: pd.DataFrame) -> str:
    """The chosen systems and what they score."""
    said = [
        f"{word(row['corpus'])} {interval(row['value'], row['low'], row['high'])}"
        f"{voices(row['interval'])} ({word(row['feature'])}, {word(row['model'])})"
        for _, row in best.iterrows()
    ]
    borrowed = [word(row["corpus"]) for _, row in best.iterrows() if row["chosen_by"] != "its own valid speakers"]
    text = "UAR on new speakers: " + "; ".join(said) + "."
    if borrowed:
        text += f" {listed(borrowed)} has no valid speakers of its own, so its system was chosen on the other corpora."
    return text


def answers(best: pd.DataFrame, gathered: Mapping[str, Material], *, config: Config, store: Store) -> pd.DataFrame:
    """Test predictions of the chosen systems."""
    systems = [
        Experiment(row["corpus"], "speaker_independent", row["feature"], row["model"]) for _, row in best.iterrows()
    ]
    told = [run.predictions(e, gathered, config=config, store=store) for e in systems]
    return pd.concat([one[one["role"] == "test"] for one in told], ignore_index=True)


def confusions(told: pd.DataFrame, gathered: Mapping[str, Material]) -> list[tuple[str, np.ndarray, list[str]]]:
    """(selection, counts, classes) of each chosen system; classes in the classifier's own order."""
    table = tables.confusion_table(told, materials.all_clips(gathered))
    panels = []
    for name, cells in table.groupby("corpus", sort=False):
        classes = list(dict.fromkeys(cells["truth"]))
        panels.append((name, cells["count"].to_numpy(int).reshape(len(classes), len(classes)), classes))
    return panels


def confusion_title(name: str, counts: np.ndarray, classes: list[str]) -> str:
    """The easiest class and the commonest confusion."""
    rates = counts / counts.sum(axis=1, keepdims=True)
    easy = int(np.argmax(np.diag(rates)))
    wrong = np.where(np.eye(len(classes), dtype=bool), 0, rates)
    truth, said = np.unravel_index(np.argmax(wrong), wrong.shape)
    return (
        f"{word(name)}: {classes[easy]} is found best ({100 * rates[easy, easy]:.0f} %); "
        f"{classes[truth]} is taken for {classes[said]} in {100 * wrong[truth, said]:.0f} %"
    )


def speakers(told: pd.DataFrame, gathered: Mapping[str, Material]) -> pd.DataFrame:
    """UAR of every speaker with the chosen system: ``group, speaker, value, gender``."""
    clips = materials.all_clips(gathered)
    table = tables.speaker_scores(told, clips)
    gender = clips.drop_duplicates("speaker").set_index("speaker")["gender"]
    return table.assign(group=table["corpus"], value=table["uar"], gender=table["speaker"].map(gender))


def speaker_summary(best: pd.DataFrame) -> pd.DataFrame:
    """Pooled UAR with its interval: ``group, value, low, high``."""
    return best.assign(group=best["corpus"])[["group", "value", "low", "high"]]


def speaker_title(people: pd.DataFrame) -> str:
    """The widest spread between speakers."""
    span = people.groupby("group", sort=False)["value"].agg(["min", "max"])
    widest = (span["max"] - span["min"]).idxmax()
    low, high = span.loc[widest]
    return f"Speakers differ: on {word(widest)} from {share(low)} to {share(high)}"


def human_words(gathered: Mapping[str, Material]) -> str:
    """What is known of listeners on each corpus, with its caveats."""
    names = dict.fromkeys(corpora.corpus_of(name) for name in gathered)
    lines = [f"- **{corpora.module(name).INFO.title}**: {corpora.module(name).INFO.human}" for name in names]
    return "\n".join(line for line in lines if not line.endswith(": "))


def chosen(league: pd.DataFrame, best: pd.DataFrame, metrics: Iterable[str]) -> pd.DataFrame:
    """Some metrics of the chosen systems on new speakers, one row a system; a metric that no system has is left out."""
    keys = ["corpus", "feature", "model"]
    rows = league[league["protocol"] == "speaker_independent"].merge(best[keys], on=keys)
    wide = rows.pivot_table(index=keys, columns="metric", values="value", sort=False)
    return wide[[name for name in metrics if name in wide]].reset_index().rename_axis(columns=None)


def probabilities(league: pd.DataFrame, best: pd.DataFrame) -> pd.DataFrame:
    """Log loss, Brier score and ECE of the chosen systems."""
    return chosen(league, best, PROBABILITY_METRICS)


def everything(gathered: Mapping[str, Material], *, config: Config, store: Store) -> pd.DataFrame:
    """Scores of the league, the ladder and across corpora: one row an experiment and metric."""
    parts = [
        study.league(gathered, config=config, store=store),
        study.climb(gathered, config=config, store=store),
        study.across(gathered, config=config, store=store),
    ]
    return pd.concat([part for part in parts if len(part)], ignore_index=True)


def publish(scores: pd.DataFrame, gathered: Mapping[str, Material], *, config: Config, store: Store) -> None:
    """Write ``tables/scores.csv``, ``predictions.parquet`` and ``clips.parquet`` of the run."""
    name = scores["experiment"]
    scores = scores.assign(
        fixed=name.str.contains("/fixed"), size=name.str.extract(r"/n(\d+)"), source=name.str.extract(r"/from-([^/]+)")
    )
    first = [*PUBLISHED, "n", "n_speakers", "n_train", "experiment", "scheme", "leak", "fixed", "size", "source"]
    with replacing(store.run / "tables" / "scores.csv") as temporary:
        scores[first].drop_duplicates(["experiment", "metric"]).to_csv(temporary, index=False, float_format="%.6g")
    with replacing(store.run / "clips.parquet") as temporary:
        clips = pd.concat([part.clips for part in gathered.values()], ignore_index=True)
        clips.drop(columns=["path"]).to_parquet(temporary, index=False)
    declared = study.declared(gathered, config)
    _write_predictions(declared, gathered, config=config, store=store)


def _write_predictions(declared: list[Experiment], gathered, *, config: Config, store: Store) -> None:
    """One file with the predictions of all declared experiments, written one experiment at a time."""
    classes = sorted({e for part in gathered.values() for e in part.clips["emotion"].unique()})
    proba = [f"p_{name}" for name in classes]
    writer = None
    with replacing(store.run / "predictions.parquet") as temporary:
        for experiment in declared:
            table = run.predictions(experiment, gathered, config=config, store=store)
            facts = [column for column in table.columns if not column.startswith("p_")]
            told = pa.Table.from_pandas(table.reindex(columns=facts + proba), preserve_index=False)
            writer = writer or pq.ParquetWriter(temporary, told.schema, compression="zstd")
            writer.write_table(told.cast(writer.schema))
        if writer:
            writer.close()
