"""Titles, captions and sentences on several systems of the ladder, all computed from their tables."""

from __future__ import annotations

import pandas as pd

from ser_study.chapters.splits.systems_reading import (
    RANDOM,
    SPEAKERS,
    TIE,
    encoder_falls,
    falls_of,
    points,
    reading,
    system,
    wide,
)
from ser_study.wording import Caption, listed, minus, p_text, sentence, share, signed, word

ONE_TRAINING = "Networks are trained once in each fold, so intervals and p cover speakers, not the random seed."


def ladder_title(scores: pd.DataFrame) -> str:
    """Whether the encoder closes the gap or leaks too; without an encoder, what new speakers cost."""
    falls = falls_of(scores)
    if falls.empty:
        return "No corpus allows a random split and new speakers"
    own, extra, where = encoder_falls(falls, scores)
    if extra.empty:
        return f"New speakers cost {points(falls)} at equal training size"
    verdict = "leaks too" if own.median() > 0 else "does not leak"
    return (
        f"The encoder {verdict}: new speakers cost it {points(own)}{' ' + where if where else ''}, in "
        f"{int((extra > TIE).sum())} of {len(extra)} comparisons more than the other system"
    )


def ladder(scores: pd.DataFrame, costs: pd.DataFrame, leads: pd.DataFrame) -> Caption:
    """Caption of the figure of all systems, and what it tells; its alternative text holds the scores."""
    table = wide(scores)[[RANDOM, SPEAKERS]].dropna()
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
        empty="No corpus of this run allows a step of the ladder.",
        finding=reading(scores, costs, leads),
        lead=True,
    )


def ladder_table() -> Caption:
    """Caption of the scores of all systems."""
    return Caption(
        "ladder_systems",
        "UAR of every system, protocol and training size. Networks: at full size one training for each training seed, "
        "at equal size one; with one seed no spread is known.",
        labels={"value": "UAR"},
    )


def costs() -> Caption:
    """Caption of the steps of all systems."""
    return Caption(
        "steps_systems",
        "What each step costs the other systems in UAR, at equal training size: paired by clip, tested by sign-flips "
        f"over speakers, Holm-corrected over all rows of a corpus. {ONE_TRAINING}",
        empty="No other system of this run has two protocols to compare.",
        labels={"step_from": "from protocol", "step_to": "to protocol"},
    )


def leads() -> Caption:
    """Caption of the encoder's leads."""
    return Caption(
        "encoder_leads",
        "How far the encoder is ahead of each other system, in UAR at equal training size, and how that lead changes "
        "from a random split to new speakers: above 0 the encoder falls less. Holm within a corpus. "
        f"{ONE_TRAINING}",
        empty="No pretrained encoder stands beside another system in this run.",
        labels={"lead_before": "ahead, random split", "lead_after": "ahead, new speakers"},
    )


def ranks_title(table: pd.DataFrame) -> str:
    """Which system ranks best on how many corpora."""
    best = table.sort_values("rank", kind="stable").groupby("corpus", sort=False).first()
    names = [system(*row) for row in best[["feature", "model"]].itertuples(index=False)]
    counts = pd.Series(names).value_counts()
    top = counts.index[0]
    return f"{sentence(top)} ranks best on new speakers on {counts.iloc[0]} of {len(best)} corpora"


def ranks(table: pd.DataFrame) -> Caption:
    """Caption of the ranks."""
    return Caption(
        "system_ranks",
        "Mean rank of every system over the speakers of a corpus (1 is best), on new speakers, with all clips. Bars "
        "are as long as Nemenyi's critical difference: where two do not overlap, the systems differ (Demšar 2006).",
        alt=ranks_title(table) if len(table) else "",
        empty="No corpus has three systems and four speakers, which ranks need.",
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
        empty="No corpus has three systems and four speakers.",
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
        empty="No corpus of this run allows a leak to be shown.",
        lead=True,
    )


def leaks_table(table: pd.DataFrame) -> Caption:
    """Caption of the table of leaks, and which of them raise a score beyond chance."""
    return Caption(
        "leaks",
        "The same scores, paired by clip, with interval and sign-flip test over speakers (Holm within a corpus).",
        finding=_leaks_finding(table),
        empty="No corpus of this run allows a leak to be shown.",
        labels={"without": "UAR without", "with": "UAR with the leak"},
    )


def _leaks_finding(table: pd.DataFrame) -> str:
    """Where each leak raises the score beyond chance, and what else copies of the clips bring."""
    lines = []
    for leak, rows in table.groupby("leak", sort=False):
        tested = rows[rows["note"] == ""]
        sure = tested[(tested["p_holm"] < 0.05) & (tested["difference"] > 0)]
        each = [f"{word(row.corpus)} ({signed(100 * row.difference)} points)" for row in sure.itertuples()]
        lines.append(f"{sentence(word(leak))}: {listed(each) or 'nowhere'}, of {len(tested)} tested.")
    if "augment_before_split" in set(table["leak"]):
        lines.append(
            "Copies also add training rows, so what they change is leak and augmentation together; the step from "
            f"“{word('random_augmented')}” to “{word('random')}” of the ladder says what is left of it at equal size."
        )
    return f"Raised beyond chance. {' '.join(lines)}" if lines else ""
