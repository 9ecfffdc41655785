"""Titles, captions and sentences of the chapter, all computed from its tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import pandas as pd

from ser_study.chapters.controls import coverage as simulated
from ser_study.chapters.controls import encoders, markers, shuffled_text
from ser_study.chapters.controls.shuffled import TOLERANCE
from ser_study.wording import Caption, listed, minus, percent, share, signed, span, word

FEWEST_VECTORS = 4  # of a corpus, for a rank correlation
NO_LABELS = "No control with shuffled labels in this run: `controls.shuffles` is 0."
NO_ENCODER = "No encoder in this run, so there are no weights to put random ones in the place of."


def shuffled(table: pd.DataFrame, chance: Mapping[str, float]) -> Caption:
    """Caption of the figure of shuffled labels."""
    return Caption(
        "shuffled_labels",
        "UAR of repeats with labels permuted within each speaker or, where the row says so, over all clips, beside the "
        f"score with the true labels.{shuffled_text.system(table)}",
        alt=shuffled_text.title(table, chance) if len(table) else "",
        empty=NO_LABELS,
        lead=True,
    )


def shuffled_summary(table: pd.DataFrame) -> Caption:
    """Caption of the table of shuffled labels, and what holds."""
    return Caption(
        "shuffled_labels",
        f"UAR on shuffled labels; 95 % of the repeats lie between the two ends. Without a leak the mean must be within "
        f"{share(TOLERANCE, 2)} of chance, with one all of the range must be above it.",
        finding=shuffled_text.finding(table),
        empty=NO_LABELS,
        labels={"difference": "mean − chance", "lowest": "95 % from", "highest": "to", "holds": "as expected"},
    )


def matrix_title(table: pd.DataFrame) -> str:
    """How many cells are as declared, and what that means where all are."""
    counted = f"{int(table['holds'].sum())} of {len(table)}"
    if table["holds"].all():
        return f"A planted marker helps only where the protocol shares its unit: {counted} cases as declared"
    return f"{counted} cells are open or blocked as declared"


def matrix(table: pd.DataFrame) -> Caption:
    """Caption of the figure of planted markers."""
    return Caption(
        "markers",
        "UAR of the nearest neighbour in noise with a marker that gives the label away inside one duplicate, take, "
        "sentence or speaker. Below each score: what the protocol declares. A frame marks a cell that is not as "
        "declared; an empty cell has no two clips to share a marker.",
        alt=matrix_title(table) if len(table) else "",
        empty="No selection of this run can carry a marker.",
        lead=True,
    )


def marker_table(table: pd.DataFrame) -> Caption:
    """Caption of the table of planted markers."""
    finding = ""
    if len(table):
        blocked, opened = (table[table["declared"] == kind] for kind in (markers.BLOCKED, markers.OPEN))
        inside = int(blocked["holds"].sum())
        finding = (
            f"{inside} of {len(blocked)} blocked cells lie within the range of chance, {int(opened['holds'].sum())} of "
            f"{len(opened)} open ones above it. Open cells score {_ends(opened['uar'])}, blocked ones "
            f"{_ends(blocked['uar'])}."
        )
    return Caption(
        "markers",
        "The same scores with their range by chance: labels permuted between the cells, four standard deviations about "
        "the mean. It is wide where there are few sentences or speakers.",
        finding=finding,
        empty="",
        labels={"holds": "as declared", "uar": "UAR", "lowest": "chance from", "highest": "to"},
    )


def _ends(values: pd.Series, write: Callable[[float], str] = share) -> str:
    """From the least to the greatest, or one number where these are alike."""
    if not len(values):
        return "nothing"
    low, high = write(values.min()), write(values.max())
    return low if low == high else f"{low} to {high}"


def weights_title(table: pd.DataFrame) -> str:
    """What published weights are worth on new speakers, against random ones."""
    score = table.groupby(["corpus", "kind"])["speaker_independent"].mean().unstack()
    if "random_weights" not in score:
        best = table.loc[table["speaker_independent"].idxmax()]
        score = f"{share(best['speaker_independent'])} on {word(best['corpus'])}"
        return f"On new speakers {word(best['feature'])} reaches {score}"
    gain = 100 * (score["published"] - score["random_weights"])
    return f"On new speakers published weights are worth {span(gain)} points, mean of the encoders"


def weights(table: pd.DataFrame) -> Caption:
    """Caption of the figure of random weights."""
    n = f" {span(table['n'])} clips a corpus, the same in every row." if len(table) else ""
    return Caption(
        "random_weights",
        "UAR of one linear head with fixed hyperparameters on vectors of every kind. Bars: 95 % intervals over "
        f"speakers (with three or fewer: over clips).{n}",
        alt=weights_title(table) if len(table) else "",
        empty=NO_ENCODER,
        lead=True,
    )


def weights_table(table: pd.DataFrame) -> Caption:
    """Caption of the table of the vectors, and what random weights leave."""
    return Caption(
        "random_weights",
        "The same scores, means over draws of random weights, with the mean recall of speakers (on new sentences) and "
        "of sentences (from new speakers).",
        finding=_weights_finding(table),
        empty="",
        labels={
            "feature": "vectors",
            "random": "random split",
            "speaker_independent": "new speakers",
            "gap": "random − new",
        },
    )


def _weights_finding(table: pd.DataFrame) -> str:
    rows = table.assign(is_random=table["feature"].astype(str).str.endswith("_random_weights"))
    if not rows["is_random"].any():
        return "Random weights are part of the preset `full`." if len(rows) else ""
    wide = rows.pivot(index="corpus", columns="feature", values="speaker_independent")
    encoders_here = [name.removesuffix("_random_weights") for name in wide if name.endswith("_random_weights")]
    parts = []
    for name in encoders_here:
        keeps = wide[f"{name}_random_weights"]
        gain = 100 * (wide[name] - keeps)
        parts.append(f"{word(name)} loses {span(gain)} points without its weights")
    bank = wide.get("campplus_filterbank")
    beside = ""
    if bank is not None:
        gaps = {name: 100 * (wide[f"{name}_random_weights"] - bank).mean() for name in encoders_here}
        each = listed(f"{word(name)} {signed(gap)}" for name, gap in gaps.items())
        beside = f" Random networks against the pooled filterbank, points on average: {each}."
    return f"On new speakers {listed(parts)}.{beside}"


def identification_title(table: pd.DataFrame, identified: pd.DataFrame) -> str:
    """How the gap goes with what is identified: rank correlations within a corpus, from the lowest to the highest."""
    parts = [
        f"{what} ρ {_ends(rho, partial(minus, decimals=2))}"
        for what, rho in correlations(table, identified).items()
        if len(rho)
    ]
    if not parts:
        return "What vectors name, and how much higher a random split scores with them"
    return f"A random split's advantage against what vectors name, within a corpus: {listed(parts)}"


def correlations(table: pd.DataFrame, identified: pd.DataFrame) -> dict[str, pd.Series]:
    """Spearman's ρ between the advantage of a random split and recall above chance, for speakers and sentences: one a
    corpus, since corpora differ in both; none of a corpus with fewer than ``FEWEST_VECTORS`` kinds of vectors."""
    joined = identified.merge(table[["corpus", "feature", "gap"]], on=["corpus", "feature"])
    joined = joined.assign(above=encoders.above_chance(joined["recall"], joined["classes"]))
    known = joined.groupby(["what", "corpus"], sort=False).filter(lambda part: len(part) >= FEWEST_VECTORS)

    def spearman(part: pd.DataFrame) -> float:
        return part["above"].corr(part["gap"], method="spearman")

    return {
        what: part.groupby("corpus", sort=False)[["above", "gap"]].apply(spearman).dropna()
        for what, part in known.groupby("what", sort=False)
    }


def identification(table: pd.DataFrame, identified: pd.DataFrame) -> Caption:
    """Caption of the figure of speakers and sentences."""
    return Caption(
        "identification",
        "How much higher a random split scores than new speakers, against how well a linear model names speakers (on "
        "sentences not in training) and sentences (of speakers not in training) from the same vectors; 0: chance.",
        alt=identification_title(table, identified) if len(identified) else "",
        finding=_identification_finding(table, identified),
        empty=NO_ENCODER,
    )


def _identification_finding(table: pd.DataFrame, identified: pd.DataFrame) -> str:
    if identified.empty:
        return ""
    several = table[table["interval"] != simulated.intervals.CLIPS]
    table, those = (several, " of more than three speakers") if len(several) else (table, "")
    kinds = identified.merge(table[["corpus", "feature", "kind"]], on=["corpus", "feature"])
    kinds = kinds.assign(above=encoders.above_chance(kinds["recall"], kinds["classes"]))
    means = kinds.groupby(["what", "kind"], sort=False)["above"].mean()
    parts = [
        f"{what}: {listed(f'{share(value)} {word(kind)}' for kind, value in means[what].items())}"
        for what in dict.fromkeys(kinds["what"])
    ]
    gaps = table.groupby("kind", sort=False)["gap"].mean()
    words = listed(f"{minus(100 * value)} ({word(kind)})" for kind, value in gaps.items())
    return (
        f"Recall above chance (0: chance, 1: always right), mean over corpora{those}, {'; '.join(parts)}. There a "
        f"random split flatters by {words} points."
    )


def corpora(table: pd.DataFrame) -> Caption:
    """Caption of the table of corpora."""
    finding = ""
    if len(table):
        low, high = table.loc[table["recall"].idxmin()], table.loc[table["recall"].idxmax()]
        finding = (
            f"Corpora are named from {word(low['feature'])} with a mean recall of {share(low['recall'])}, from "
            f"{word(high['feature'])} of {share(high['recall'])}; chance is {share(1 / high['classes'])}. What is "
            "learned on several corpora together can lean on the recording instead of the voice."
        )
    return Caption(
        "corpus_identification",
        "Mean recall of corpora from each kind of vectors, all corpora pooled, on speakers not in training.",
        finding=finding,
        empty="Corpora can be named only where there are two, and an encoder.",
    )


def training_data() -> Caption:
    """Caption of the table of training data."""
    table = encoders.training_data()
    unknown = int(table["overlap"].str.contains("unknown").sum())
    return Caption(
        "training_data",
        "What each encoder was trained on, as far as its publishers say, and whether recordings of our corpora may be "
        "among it.",
        finding=(
            f"None of the {len(table)} states emotions among its labels. For {unknown} of them nobody can say whether "
            "a recording of these corpora was in training, so their scores are those of people and sentences that "
            "the encoder may have met."
        ),
    )


def coverage(table: pd.DataFrame) -> Caption:
    """Caption of the table of coverage."""
    values, level = table["coverage"], table.attrs.get(simulated.LEVEL)
    where = [
        f"{percent(row.coverage, 1)} with {row.n_speakers} speakers" for row in table[~table["holds"]].itertuples()
    ]
    others = table[[simulated.intervals.CLIPS]].to_numpy(float)
    below = f", all below {percent(level)}" if level and (values < level).all() else ""
    finding = (
        f"The intervals that the study uses cover the truth in {_ends(values, partial(percent, decimals=1))} of the "
        f"simulated corpora{below} (accepted: {percent(simulated.LOW)} to {percent(simulated.HIGH)}, which holds at "
        f"{int(table['holds'].sum())} of {len(table)} numbers of speakers"
        + (f"; not {listed(where)}" if where else "")
        + f"). Intervals over clips would cover it in {percent(others.min())} to {percent(others.max())}."
    )
    return Caption(
        "coverage",
        "Share of simulated corpora whose 95 % interval of UAR covers the population's, by number of speakers: the "
        "interval that the study uses with its standard error, and what each kind would do.",
        finding=finding,
        labels={
            "like": "size of", "per_class": "clips a speaker and class", "used": "interval used",
            "error": "standard error", "holds": "93 to 97 %",
        },
    )  # fmt: skip
