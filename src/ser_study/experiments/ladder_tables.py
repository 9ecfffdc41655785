"""What notebook 03 shows: tables and sentences about the ladder, its steps, the curve and the controls."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ser_study.config import Config
from ser_study.evaluation import tables
from ser_study.experiments import findings, ladder, run, study
from ser_study.experiments import material as materials
from ser_study.experiments.material import Material
from ser_study.store import Store
from ser_study.words import interval, listed, minus, p_text, share, word

SHOWN_FIRST = ("ravdess-speech", "emodb", "synthetic", "crema_d")  # speakers × sentences that fit a picture


def example_selection(gathered: Mapping[str, Material]) -> str:
    """A selection with few enough speakers and sentences for a picture of its splits."""
    return next((name for name in SHOWN_FIRST if name in gathered), next(iter(gathered)))


def example_folds(
    selection: str, gathered: Mapping[str, Material], *, config: Config, store: Store
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Folds of every protocol of one selection, and its clips."""
    part = gathered[selection]
    truth = materials.classes_of(part, "native")
    declared = [e for e in ladder.rungs(config, ladder.possible({selection: part})) if not e.leak]
    folds = [materials.protocol_folds(e, part.selection, part.clips, truth, config, store) for e in declared]
    return pd.concat(folds, ignore_index=True), part.clips


def rungs(scores: pd.DataFrame) -> pd.DataFrame:
    """UAR of every rung: ``corpus, rung, size, value, low, high``."""
    table = findings.uar(scores)
    table = table.assign(rung=findings.rung_of(table))
    return table[["corpus", "rung", "size", "value", "low", "high", "interval", "n", "n_train"]]


def _wide(scores: pd.DataFrame, size: str) -> pd.DataFrame:
    table = rungs(scores)
    wide = table[table["size"] == size].pivot(index="corpus", columns="rung", values="value")
    return wide.reindex(columns=wide.columns.union(["random", "speaker_independent"], sort=False))


def title(scores: pd.DataFrame) -> str:
    """The finding of the ladder: how much of the random score is left for new speakers."""
    wide = _wide(scores, "equal")
    lost = (wide["random"] - wide["speaker_independent"]).dropna()
    if lost.empty:
        return "No clips here tell of two speakers, so nobody new can be tried"
    if len(lost) == 1:
        return f"New speakers cost {100 * lost.iloc[0]:.0f} points at equal training size"
    return f"At equal training size new speakers cost {100 * lost.min():.0f} to {100 * lost.max():.0f} points"


def words(scores: pd.DataFrame) -> str:
    """The ladder in words, for readers who cannot see the figure."""
    wide = _wide(scores, "equal")
    told = wide[["random", "speaker_independent"]].set_axis(["random", "new speakers"], axis=1)
    parts = [
        f"{word(corpus)}: " + ", ".join(f"{rung} {share(value)}" for rung, value in row.dropna().items())
        for corpus, row in told.iterrows()
    ]
    return "UAR at equal training size. " + "; ".join(parts) + "."


def step_table(steps: pd.DataFrame) -> pd.DataFrame:
    """The steps as readers see them."""
    shown = steps.assign(
        corpus=steps["family"].map(word), step=steps["step_from"].map(word) + " → " + steps["step_to"].map(word)
    )
    return shown[["corpus", "step", "difference", "low", "high", "p", "p_holm", "note", "n_speakers"]]


def step_words(steps: pd.DataFrame) -> str:
    """Which steps are clearly there, and which a corpus is too small to tell."""
    speaker = steps[(steps["step_from"] == "random") & (steps["step_to"] == "speaker_independent")]
    sure = speaker[speaker["p_holm"] < 0.05]
    hopeless = speaker[speaker["note"] != ""]
    said = [
        f"{word(row['family'])} ({minus(100 * row['difference'])} points, p {p_text(row['p_holm'])})"
        for _, row in sure.iterrows()
    ]
    text = f"The step from a random split to new speakers is beyond chance on {listed(said)}." if said else (
        "No corpus here shows the step from a random split to new speakers beyond chance."
    )  # fmt: skip
    if len(hopeless):
        text += f" On {listed(word(name) for name in hopeless['family'])} there are too few speakers for any such test."
    return text


def pair_words(gathered: Mapping[str, Material]) -> str:
    """Which selections have only two speakers, and what that forbids."""
    pairs = [word(name) for name, part in gathered.items() if part.n_speakers == 2]
    if not pairs:
        return "No corpus of this run has only two speakers; the table shows every speaker of the others."
    return (
        f"On {listed(pairs)}, training without the test speaker means training on one person. The hyperparameters of "
        "tuned systems then come from the other corpora (not nested by speaker); the ladder here tunes nothing."
    )


def by_speaker(scores: pd.DataFrame, gathered: Mapping[str, Material], *, config: Config, store: Store) -> pd.DataFrame:
    """UAR of each speaker at equal training size, on a random split and left out, fewest speakers first."""
    full = ladder.rungs(config, ladder.possible(gathered))
    sizes = study.smallest_training(full, gathered, config=config, store=store)
    rows = []
    for rung in ladder.equal_size(config, full, sizes):
        if rung.leak or rung.protocol not in ("random", "speaker_independent"):
            continue
        told = run.predictions(rung, gathered, config=config, store=store)
        each = [
            tables.speaker_scores(one, gathered[rung.selection].clips).assign(draw=draw)
            for draw, one in told.groupby("draw")
        ]
        rows.append(pd.concat(each))
    table = pd.concat(rows).groupby(["corpus", "speaker", "protocol"], sort=False)["uar"].mean().unstack("protocol")
    table = table.assign(change=table["speaker_independent"] - table["random"]).reset_index()
    order = table.groupby("corpus")["speaker"].transform("size")
    table = table.assign(order=order, n_train=table["corpus"].map(sizes)).sort_values(["order", "corpus", "speaker"])
    return table[["corpus", "speaker", "random", "speaker_independent", "change", "n_train"]].reset_index(drop=True)


def curve(scores: pd.DataFrame) -> pd.DataFrame:
    """The learning curve as its figure takes it."""
    return findings.uar(scores).rename(columns={"train_speakers": "n_speakers", "n_speakers": "n_test_speakers"})


def curve_title(scores: pd.DataFrame) -> str:
    """How much the largest number of training speakers gains over the smallest."""
    table = curve(scores).sort_values("n_speakers").groupby("corpus")
    gain = table["value"].last() - table["value"].first()
    best = gain.idxmax()
    few, many = table["n_speakers"].first()[best], table["n_speakers"].last()[best]
    return f"From {few} to {many} training speakers, {word(best)} gains {100 * gain[best]:.0f} points"


def matrix(scores: pd.DataFrame) -> pd.DataFrame:
    """Training corpus × test corpus."""
    table = findings.uar(scores)
    names = list(dict.fromkeys(table["corpus"]))
    return table.pivot(index="source", columns="corpus", values="value").reindex(index=names, columns=names)


def across_title(scores: pd.DataFrame) -> str:
    """What is left of a corpus's own score when training came from another corpus."""
    values = matrix(scores).to_numpy()
    off = values[~np.eye(len(values), dtype=bool)]
    inside = np.diag(values)[~np.isnan(np.diag(values))]  # a corpus without speakers has no score of its own
    within = f"; within the corpus {share(np.median(inside))}" if len(inside) else ""
    return f"Trained on another corpus, UAR is {share(np.median(off))} in the median{within}"


def null_of(permuted: pd.DataFrame, corpus: str) -> dict[str, np.ndarray]:
    """Shuffled scores of one corpus by rung."""
    own = permuted[permuted["corpus"] == corpus]
    return {rung: group["value"].to_numpy() for rung, group in own.groupby("rung", sort=False)}


def observed_of(scores: pd.DataFrame, corpus: str) -> dict[str, float]:
    """Full-size scores of the same rungs with the true labels."""
    table = rungs(scores)
    own = table[(table["corpus"] == corpus) & (table["size"] == "full")].set_index("rung")["value"]
    return {name: float(own[name]) for name in ("random", "speaker_independent", "random_augmented") if name in own}


def null_title(permuted: pd.DataFrame, corpus: str, gathered: Mapping[str, Material]) -> str:
    """What shuffled labels score on one corpus."""
    means = permuted[permuted["corpus"] == corpus].groupby("rung")["value"].mean()
    level = 1 / gathered[corpus].clips["emotion"].nunique()
    shown = "speaker_independent" if "speaker_independent" in means else "random"  # own clips may tell no speaker
    honest = f"{share(means[shown])} on {word(shown)} (chance {share(level)})"
    leak = (
        f", {share(means['random_augmented'])} when augmented before the split" if "random_augmented" in means else ""
    )
    return f"{word(corpus)}: shuffled labels give {honest}{leak}"


def null_table(permuted: pd.DataFrame, gathered: Mapping[str, Material]) -> pd.DataFrame:
    """Mean and range of the shuffled scores, beside chance."""
    table = permuted.groupby(["corpus", "rung"], sort=False)["value"].agg(["mean", "min", "max", "size"]).reset_index()
    chance = table["corpus"].map(findings.chance(gathered))
    return table.assign(chance=chance, off=table["mean"] - chance).rename(columns={"size": "repeats"})


def summary(scores: pd.DataFrame) -> pd.DataFrame:
    """One row a corpus and rung: equal size and full size side by side."""
    table = rungs(scores)
    said = [interval(*row) for row in table[["value", "low", "high"]].itertuples(index=False)]
    wide = table.assign(said=said).pivot(index=["corpus", "rung"], columns="size", values=["said", "n_train"])
    order = list(dict.fromkeys(zip(table["corpus"], table["rung"])))
    wide = wide.reindex(order)
    wide.columns = [f"{size} size" if what == "said" else f"training rows, {size}" for what, size in wide.columns]
    return wide.reset_index()
