"""Titles, captions and sentences on several systems of the ladder, all computed from their tables."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ser_study.chapters.splits.systems import SPEAKER_STEP, encoder
from ser_study.wording import Caption, listed, minus, p_text, sentence, share, signed, word

RANDOM, SPEAKERS = SPEAKER_STEP
STEP_TO = {"sentence_independent": "new sentences", "speaker_independent": "new speakers"}


def system(feature: str, model: str) -> str:
    """A system as readers say it: ``CAM++, LDA``."""
    return f"{word(feature)}, {word(model)}"


def wide(scores: pd.DataFrame, size: str = "equal") -> pd.DataFrame:
    """UAR at one training size, (corpus, feature, model) × protocol, with all protocols that sentences speak of."""
    chosen = scores[scores["size"] == size]
    index = ["corpus", "feature", "model"]
    table = chosen.pivot(index=index, columns="protocol", values="value")
    table = table.reindex(chosen.set_index(index).index.unique())
    return table.reindex(columns=table.columns.union([*SPEAKER_STEP, "sentence_independent", "speaker_and_sentence"]))


def _points(values: pd.Series) -> str:
    """From the least to the greatest, in points: ``3 to 25 points``."""
    low, high = minus(100 * values.min(), 0), minus(100 * values.max(), 0)
    return f"{low} points" if low == high else f"{low} to {high} points"


def _falls(scores: pd.DataFrame) -> pd.Series:
    """What new speakers cost every system at equal training size; empty where no corpus allows both protocols."""
    table = wide(scores)
    return (table[RANDOM] - table[SPEAKERS]).dropna()


def _is(pair: tuple[str, str], index: pd.MultiIndex) -> np.ndarray:
    """Which rows of (corpus, feature, model) are of one system."""
    return (index.get_level_values("feature") == pair[0]) & (index.get_level_values("model") == pair[1])


def ladder_title(scores: pd.DataFrame) -> str:
    """Whether the encoder closes the gap or leaks too; without an encoder, what new speakers cost."""
    falls, pair = _falls(scores), encoder(scores)
    if falls.empty:
        return "No selection allows a random split and new speakers"
    own = falls[_is(pair, falls.index)] if pair else falls.iloc[:0]
    rest = falls[~_is(pair, falls.index)] if pair else falls
    if own.empty or rest.empty:
        return f"New speakers cost {_points(falls)} at equal training size"
    verdict = "leaks too" if own.median() > 0 else "does not leak"
    return (
        f"The encoder {verdict}: new speakers cost it {minus(100 * own.median(), 0)} points in the median, and the "
        f"other systems {minus(100 * rest.median(), 0)}"
    )


def ladder(scores: pd.DataFrame, costs: pd.DataFrame, leads: pd.DataFrame) -> Caption:
    """Caption of the figure of all systems, and what it tells; its alternative text holds the scores."""
    table = wide(scores)[list(SPEAKER_STEP)].dropna()
    parts = [
        f"{word(corpus)}, {system(feature, model)}: {share(row[RANDOM])}, {share(row[SPEAKERS])}"
        for (corpus, feature, model), row in table.iterrows()
    ]
    return Caption(
        "ladder_systems",
        "UAR of every system by protocol; hyperparameters fixed. Bold: the pretrained encoder. Bar, change (points): "
        "random split to new speakers. Intervals: 95 %, over speakers (three or fewer: over clips).",
        alt=f"UAR at equal training size, random split and new speakers. {'; '.join(parts)}."
        if parts
        else ladder_title(scores),
        empty="No selection of this run allows a step of the ladder.",
        finding=reading(scores, costs, leads),
        lead=True,
    )


def ladder_table() -> Caption:
    """Caption of the scores of all systems."""
    return Caption(
        "ladder_systems",
        "UAR of every system, protocol and training size. Networks are trained once a training seed at full size; "
        "with one seed no spread is known.",
        labels={"value": "UAR"},
    )


def reading(scores: pd.DataFrame, costs: pd.DataFrame, leads: pd.DataFrame) -> str:
    """The ladder in five sentences; empty where no selection allows a random split and new speakers."""
    falls = _falls(scores)
    if falls.empty:
        return ""
    pair = encoder(wide(scores).loc[falls.index].reset_index())
    sentences = [
        _flattery(scores, falls),
        _best(scores, pair),
        _encoder_falls(falls, leads, pair),
        _sentences_and_both(scores),
        _tests(costs),
    ]
    return "\n".join(f"{number}. {words}" for number, words in enumerate(sentences, start=1))


def _flattery(scores: pd.DataFrame, falls: pd.Series) -> str:
    random = wide(scores).loc[falls.index, RANDOM]
    return (
        f"On a random split the systems score {share(random.min())} to {share(random.max())}; on new speakers, with as "
        f"many training clips, {int((falls > 0).sum())} of {len(falls)} scores are lower, and "
        f"{minus(100 * falls.median(), 0)} points are lost in the median ({_points(falls)})."
    )


def _best(scores: pd.DataFrame, pair: tuple[str, str] | None) -> str:
    """Which system is best on new speakers, and by how much the encoder is."""
    honest = wide(scores)[SPEAKERS].dropna()
    best = honest.groupby("corpus", sort=False).idxmax()
    if pair is None:
        parts = [f"{system(*key[1:])} on {word(key[0])} ({share(honest[key])})" for key in best]
        return f"No pretrained encoder ran here; best on new speakers are {listed(parts)}."
    own = honest[_is(pair, honest.index)].droplevel(["feature", "model"])
    rest = honest[~_is(pair, honest.index)].groupby("corpus", sort=False).max().reindex(own.index).dropna()
    if rest.empty:
        return f"{sentence(system(*pair))} has no other system beside it."
    ahead = own[rest.index] - rest
    return (
        f"On new speakers {system(*pair)} is best on {int((ahead > 0).sum())} of {len(ahead)} selections: against the "
        f"best other system it is ahead by {minus(100 * ahead.median(), 0)} points in the median "
        f"({_points(ahead)})."
    )


def _encoder_falls(falls: pd.Series, leads: pd.DataFrame, pair: tuple[str, str] | None) -> str:
    """Whether the encoder's own score falls less than that of the others."""
    if pair is None or leads.empty:
        least, most = falls.idxmin(), falls.idxmax()
        return (
            f"The step to new speakers costs least with {system(*least[1:])} on {word(least[0])} "
            f"({minus(100 * falls[least], 0)} points) and most with {system(*most[1:])} on {word(most[0])} "
            f"({minus(100 * falls[most], 0)})."
        )
    own = falls[_is(pair, falls.index)]
    sure = leads["p_holm"] < 0.05
    less, more = (leads["difference"] * sign > 0 for sign in (1, -1))
    verdict = "does not escape the leak" if (own > 0).any() else "does not fall"
    changed = signed(100 * leads["difference"].median(), 0)
    return (
        f"The encoder {verdict}: the same step costs it {_points(own)}, less than the other system in {less.sum()} of "
        f"{len(leads)} comparisons (significantly, after Holm's correction, in {(less & sure).sum()}) and more in "
        f"{more.sum()} (in {(more & sure).sum()}); from the random split to new speakers its lead over the others "
        f"changes by {changed} points in the median."
    )


def _sentences_and_both(scores: pd.DataFrame) -> str:
    """New sentences against new speakers, and both."""
    table = wide(scores)
    losses = {
        "new sentences": table[RANDOM] - table["sentence_independent"],
        "new speakers": table[RANDOM] - table[SPEAKERS],
        "both at once": table[RANDOM] - table["speaker_and_sentence"],
    }
    known = {name: lost.dropna() for name, lost in losses.items() if lost.notna().any()}
    parts = [f"{name} {minus(100 * lost.median(), 0)} points ({_points(lost)})" for name, lost in known.items()]
    return f"In the median of systems and selections, from the random split, {listed(parts)} are lost."


def _tests(costs: pd.DataFrame) -> str:
    """How many of the systems' steps to new speakers are significant, and where none can be."""
    step = costs[(costs["step_from"] == RANDOM) & (costs["step_to"] == SPEAKERS)]
    tested, few = step[step["note"] == ""], step[step["note"] != ""]
    names = listed(map(word, few["corpus"].unique()))
    untested = f"; with so few speakers, steps on {names} cannot reach .05 in a family this large" if names else ""
    if tested.empty:
        return f"No step to new speakers can be tested here{untested or ', for no system stands beside the first'}."
    n = int((tested["p_holm"] < 0.05).sum())
    worst = p_text(tested["p_holm"].max())
    return (
        f"Of {len(tested)} tested steps from a random split to new speakers {n} are significant (sign-flip over "
        f"speakers, Holm over all steps of a corpus; largest p {worst}){untested}."
    )


def costs() -> Caption:
    """Caption of the steps of all systems."""
    return Caption(
        "steps_systems",
        "What each step costs the other systems in UAR, at equal training size: paired by clip, tested by sign-flips "
        "over speakers, Holm-corrected over all rows of a corpus.",
        empty="No other system of this run has two protocols to compare.",
        labels={"step_from": "from protocol", "step_to": "to protocol"},
    )


def leads() -> Caption:
    """Caption of the encoder's leads."""
    return Caption(
        "encoder_leads",
        "How far the encoder is ahead of each other system, in UAR at equal training size, and how that lead changes "
        "from a random split to new speakers: above 0 the encoder falls less. Holm within a corpus.",
        empty="No pretrained encoder stands beside another system in this run.",
        labels={"lead_before": "ahead, random split", "lead_after": "ahead, new speakers"},
    )


def ranks_title(table: pd.DataFrame) -> str:
    """Which system ranks best on how many corpora."""
    best = table.sort_values("rank", kind="stable").groupby("corpus", sort=False).first()
    names = [system(*row) for row in best[["feature", "model"]].itertuples(index=False)]
    counts = pd.Series(names).value_counts()
    top = counts.index[0]
    return f"{sentence(top)} ranks best on new speakers on {counts.iloc[0]} of {len(best)} selections"


def ranks(table: pd.DataFrame) -> Caption:
    """Caption of the ranks."""
    return Caption(
        "system_ranks",
        "Mean rank of every system over the speakers of a corpus (1 is best), on new speakers, with all clips. Bars "
        "are as long as Nemenyi's critical difference: where two do not overlap, the systems differ (Demšar 2006).",
        alt=ranks_title(table) if len(table) else "",
        empty="No selection has three systems and four speakers, which ranks need.",
        finding=_ranks_finding(table),
    )


def _ranks_finding(table: pd.DataFrame) -> str:
    """Which systems are within the critical difference of the best."""
    parts = []
    for corpus, own in table.groupby("corpus", sort=False):
        own = own.sort_values("rank", kind="stable")
        best, reach = own.iloc[0], own["critical_difference"].iloc[0]
        level = own[(own["rank"] - best["rank"] < reach) & (own.index != own.index[0])]
        with_it = f"not different from {listed(f'{word(r.model)} on {word(r.feature)}' for r in level.itertuples())}"
        parts.append(
            f"{word(corpus)}: {word(best['model'])} on {word(best['feature'])} (Friedman p {p_text(best['p'])}, "
            f"critical difference {minus(reach, 2)} ranks over {best['n_speakers']} speakers; "
            f"{with_it if len(level) else 'different from all others'})"
        )
    return f"Best by mean rank: {'; '.join(parts)}." if parts else ""


def ranks_table() -> Caption:
    """Caption of the table of ranks."""
    return Caption(
        "system_ranks",
        "The same ranks with the mean UAR of a speaker, Friedman's statistic and its p.",
        empty="No selection has three systems and four speakers.",
        labels={"uar": "mean UAR of a speaker", "statistic": "Friedman's χ²"},
    )


def leaks_title(table: pd.DataFrame) -> str:
    """What each leak adds, in the median of the corpora."""
    median = 100 * table.groupby("leak")["difference"].median()
    parts = [f"{signed(median[name], 1)} ({word(name)})" for name in median.index]
    return f"Points that a leak adds in the median: {listed(parts)}"


def leaks(table: pd.DataFrame) -> Caption:
    """Caption of the figure of leaks."""
    return Caption(
        "leaks",
        "UAR on clean test clips with (hollow) and without (filled) a declared leak. Copies made before the split: a "
        "random split; the other two: new speakers.",
        alt=leaks_title(table) if len(table) else "",
        empty="No selection of this run allows a leak to be shown.",
        lead=True,
    )


def leaks_table(table: pd.DataFrame) -> Caption:
    """Caption of the table of leaks, and which of them raise a score beyond chance."""
    return Caption(
        "leaks",
        "The same scores, paired by clip, with interval and sign-flip test over speakers (Holm within a corpus).",
        finding=_leaks_finding(table),
        empty="No selection of this run allows a leak to be shown.",
        labels={"without": "UAR without", "with": "UAR with the leak"},
    )


def _leaks_finding(table: pd.DataFrame) -> str:
    """Where each leak raises the score beyond chance."""
    lines = []
    for leak, rows in table.groupby("leak", sort=False):
        sure = rows[(rows["p_holm"] < 0.05) & (rows["difference"] > 0)]
        each = [f"{word(row.corpus)} ({signed(100 * row.difference)} points)" for row in sure.itertuples()]
        n = int(rows["p_holm"].notna().sum())
        lines.append(f"{sentence(word(leak))}: {listed(each) or 'nowhere'}, of {n} tested.")
    return f"Raised beyond chance. {' '.join(lines)}" if lines else ""
