"""Titles, captions and sentences of the chapter, computed from its tables."""

from __future__ import annotations

import pandas as pd

from ser_study import corpora
from ser_study.chapters.classical.headline import OWN_SPEAKERS
from ser_study.chapters.classical.times import FEATURE
from ser_study.config import Config
from ser_study.evaluation import summaries
from ser_study.evaluation.intervals import MIN_JACKKNIFE
from ser_study.models import registry
from ser_study.plotting import dots
from ser_study.study import Study
from ser_study.wording import Caption, interval, listed, percent, share, voices, word

NEAR = 0.005  # mean UAR; what is as near to the best is hardly worse
NO_SYSTEM = "No corpus of this run has validation speakers, so no system is chosen and there is nothing to show here."


def introduction(scores: pd.DataFrame, config: Config) -> str:
    """What was run."""
    table = summaries.uar(scores)
    names = {column: listed(word(name) for name in dict.fromkeys(table[column])) for column in table}
    return (
        f"{len(table)} experiments on {names['corpus']}. Features: {names['feature']}. Models: {names['model']}. "
        f"Intervals are {percent(config.evaluation.level)} intervals over speakers; with three speakers or fewer "
        "they cover clips of these voices only."
    )


def inflation(pairs: pd.DataFrame) -> Caption:
    """Random split beside new speakers."""
    if pairs.empty:
        return Caption("inflation", "", empty="No corpus of this run has both a random split and speaker folds.")
    title = dots.inflation_title(pairs)
    alt = f"{title}. For each corpus and model two dots on one line: UAR on a random split and on new speakers."
    return Caption("inflation", dots.inflation_caption(pairs), alt, lead=True)


def gaps() -> Caption:
    """Random split and new speakers for every feature set."""
    return Caption("gaps", "UAR on a random split and on new speakers, and the change.")


def matrix_title(scores: pd.DataFrame) -> str:
    """Which combination does best on average."""
    means, where = _averages(scores)
    feature, model = means.index[0]
    best = f"{word(feature)} with {word(model)}"
    return f"On new speakers {best} scores highest on average: UAR {share(means.iloc[0])}{where}"


def _averages(scores: pd.DataFrame) -> tuple[pd.Series, str]:
    """Mean UAR of the features and models that were run on most corpora, the highest first, and over which corpora:
    those of more than three speakers where there are some, since two voices do not stand for others."""
    tried = scores[scores["model"] != "dummy"]
    several = tried[tried["n_speakers"] >= MIN_JACKKNIFE]
    chosen = several if len(several) else tried
    pairs = chosen.groupby(["feature", "model"])["value"].agg(["mean", "size"])
    n = pairs["size"].max()
    means = pairs.loc[pairs["size"] == n, "mean"].sort_values(ascending=False, kind="stable")
    if n == 1:
        return means, f" on {word(chosen.loc[chosen['feature'] == means.index[0][0], 'corpus'].iloc[0])}"
    return means, f" over {n} corpora" + " of more than three speakers" * (0 < len(several) < len(tried))


def begin_with(scores: pd.DataFrame, config: Config) -> str:
    """What a new project may begin with, without weights to fetch and with them, and what is nearly as good."""
    parts = []
    for is_encoder, part in scores.groupby(scores["feature"].isin(config.benchmark.encoders)):
        if (part["model"] == "dummy").all():
            continue
        means, where = _averages(part)
        (feature, model), *near = means.index[means >= means.iloc[0] - NEAR]
        named = "of pretrained encoders" if is_encoder else "of hand-crafted features"
        ties = listed(f"{word(pair[0])} with {word(pair[1])} ({share(means[pair])})" for pair in near)
        best = f"{word(feature)} with {word(model)} (mean UAR {share(means.iloc[0])}{where})"
        parts.append(f"{named}, {best}" + (f", and hardly worse {ties}" if ties else ""))
    words = f"**To begin with:** {'; '.join(parts)}."
    return f"{words} They are picked by their test scores, so these are slightly optimistic." if parts else ""


def score_matrix(scores: pd.DataFrame, config: Config) -> Caption:
    """Features and models on new speakers, and which pairs were not run."""
    if scores.empty:
        return Caption("score_matrix", "", empty="No corpus of this run has speaker folds.")
    low, high = share(scores["value"].min(), 2), share(scores["value"].max(), 2)
    alt = f"{matrix_title(scores)}. Heat maps of feature by model, one for each corpus; UAR from {low} to {high}."
    words = " ".join(["UAR on speakers that were not in training.", *_missing(scores, config)])
    return Caption("score_matrix", words, alt, finding=begin_with(scores, config), lead=True)


def _missing(scores: pd.DataFrame, config: Config) -> list[str]:
    """What a dash is, where there is one, and with which models and on which corpora large feature sets were run."""
    names = scores[["corpus", "feature", "model"]]
    if len(names.drop_duplicates()) == names.nunique().prod():
        return []
    sentences = ["Dash: not run."]
    for feature, rows in scores[scores["feature"].isin(config.benchmark.large_features)].groupby("feature"):
        models, names = (listed(map(word, dict.fromkeys(rows[column]))) for column in ("model", "corpus"))
        sentences.append(f"{word(feature)} was run with {models} only, on {names} only.")
    return sentences


def headline(systems: pd.DataFrame) -> Caption:
    """The chosen systems."""
    words = "The chosen system of each corpus on hand-crafted features and its UAR on new speakers."
    finding = headline_sentence(systems) if len(systems) else ""
    labels = {"value": "UAR", "nested": "chosen in each fold"}
    return Caption("headline", words, empty=NO_SYSTEM, finding=finding, labels=labels)


def headline_sentence(systems: pd.DataFrame) -> str:
    """The chosen systems and what they score."""
    scores = [
        f"{word(row['corpus'])} {interval(row['value'], row['low'], row['high'])}"
        f"{voices(row['interval'])} ({word(row['feature'])}, {word(row['model'])})"
        for _, row in systems.iterrows()
    ]
    sentence = f"UAR on new speakers: {'; '.join(scores)}."
    without = [word(name) for name in systems.loc[systems["chosen_by"] != OWN_SPEAKERS, "corpus"]]
    if without:
        verb, whose = ("has", "its system was") if len(without) == 1 else ("have", "their systems were")
        sentence += f" {listed(without)} {verb} no speaker to spare for validation, so {whose} chosen on other corpora."
    return sentence


def overall() -> Caption:
    """All scores of the chosen systems."""
    words = "Scores of the chosen systems on new speakers, predictions of all folds together."
    return Caption("overall", words, empty=NO_SYSTEM, only_csv=("macro_precision", "weighted_precision"))


def listeners(study: Study) -> Caption:
    """What is known of human listeners on each corpus, with its caveats."""
    names = dict.fromkeys(corpora.corpus_of(name) for name in study.selections)
    about = {name: corpora.module(name).INFO for name in names}
    lines = "\n".join(f"- **{info.title}**: {info.human}" for info in about.values() if info.human)
    words = "Listeners on the same clips; ties of the plurality count as wrong."
    empty = f"No corpus of this run has the answers of listeners clip by clip.\n\n{lines}".strip()
    return Caption("listeners", words, empty=empty, finding=lines)


def probabilities() -> Caption:
    """Scores of the probabilities."""
    words = "Probabilities of the chosen systems on new speakers. Lower is better."
    return Caption("probabilities", words, empty=NO_SYSTEM)


def times(table: pd.DataFrame) -> Caption:
    """All classical models with their times."""
    words = (
        f"All classical models on {word(FEATURE)}: means over speaker folds, scored on validation speakers, with the "
        "times of one fold on one thread, measured beside another chapter."
    )
    empty = "Not in this run: `benchmark.times` is off, or no corpus has more than three speakers."
    finding = times_sentence(table) + _too_few_clips(table) if len(table) else ""
    return Caption("benchmark_times", words, empty=empty, finding=finding, only_csv=("macro_precision",))


def times_sentence(table: pd.DataFrame) -> str:
    """The best model, and the fastest within two points of it."""
    best = table.loc[table["uar"].idxmax()]
    near = table[table["uar"] >= best["uar"] - 0.02]
    fastest = near.loc[near["fit_s"].idxmin()]
    first = (
        f"On validation speakers of {word(best['corpus'])}, {word(best['model'])} has the highest UAR "
        f"({share(best['uar'])}, {best['fit_s']:.3f} s per fit)"
    )
    if fastest["model"] == best["model"]:
        return f"{first}, and nothing within two points of it is faster."
    return (
        f"{first}; the fastest within two points of it is {word(fastest['model'])} "
        f"({share(fastest['uar'])}, {fastest['fit_s']:.3f} s)."
    )


def _too_few_clips(table: pd.DataFrame) -> str:
    """The models that a fold could not feed."""
    absent = [word(name) for name in registry.CLASSICAL if name not in set(table["model"])]
    return f" Left out, for a fold has too few clips for it: {listed(absent)}." if absent else ""


def scores() -> Caption:
    """Main metrics of the experiments that are published row by row."""
    words = (
        "Main metrics of the benchmark, the ladder and training across corpora. The CSV also says in which size of the "
        "training set, scheme of classes and source corpora rows that look alike here differ; all metrics are in "
        "tables/scores.csv."
    )
    return Caption("scores_main", words, only_csv=("experiment", "scheme", "size", "source", "others"))
