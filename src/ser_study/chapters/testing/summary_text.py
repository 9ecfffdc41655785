"""What the summary of chapter 07 says, for a reader with two minutes; all numbers are computed."""

from __future__ import annotations

import pandas as pd

from ser_study.chapters.testing.groups_text import ALPHA, between_speakers, beyond_chance, pair, untested
from ser_study.chapters.testing.summary import AIM, ALARM, CROWD
from ser_study.wording import Caption, listed, minus, number, percent, sentence, share, signed, span, word

EMPTY = "No selection of this run allows a test on new speakers, so nothing can be promised to anybody."
LABELS = {
    "prevalence": f"{ALARM} clips, %",
    "recall": "of them found, %",
    "false_alarms": "of the alarms false, %",
    "coverage": f"answered when set to {percent(AIM)}, %",
    "accuracy": "of these right, %",
    "telephone": "on the telephone, points",
    "babble": f"in babble at {CROWD[1]:g} dB, points",
}
SHARES = ("prevalence", "recall", "false_alarms", "coverage", "accuracy")
DECIMALS = dict.fromkeys(SHARES, 0) | {"telephone": 1, "babble": 1}


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """The table of ``summary.table`` with shares in per cent and changes in points; columns nobody measured go."""
    scaled = table.assign(**{name: 100 * table[name] for name in (*SHARES, "telephone", "babble")})
    return scaled.drop(columns=["n", "n_degraded"]).dropna(axis=1, how="all")


def in_short(table: pd.DataFrame, pairs: pd.DataFrame, gaps: pd.DataFrame, system: str) -> Caption:
    """The table, and what it means.

    Parameters
    ----------
    table : of ``summary.table``
    pairs : of ``transfer.table``
    gaps : of ``groups.gaps``
    system : title of the system
    """
    words = (
        f"{sentence(system)}, on new speakers of each corpus. Alarms: the clips predicted {ALARM}. A dash: too few "
        f"speakers to set a threshold.{_degraded(table)}"
    )
    columns = readable(table).columns
    labels = {name: label for name, label in LABELS.items() if name in columns}
    decimals = {name: places for name, places in DECIMALS.items() if name in columns}
    own = finding(table, pairs, gaps[gaps["system"] == system])
    return Caption("in_short", words, empty=EMPTY, labels=labels, finding=own, decimals=decimals)


def _degraded(table: pd.DataFrame) -> str:
    """What the changes are of; empty where none was measured."""
    if table[["telephone", "babble"]].isna().all(axis=None):
        return ""
    few = span(table["n_degraded"].dropna())
    return f" Changes of UAR are of {few} clips a corpus; the section on degraded recordings has their intervals."


def finding(table: pd.DataFrame, pairs: pd.DataFrame, gaps: pd.DataFrame) -> str:
    """What it can be used for, and what not, on the selection with the most speakers; ``gaps`` of this system."""
    if table.empty:
        return ""
    row = table.loc[table["n_speakers"].idxmax()]
    lines = [_alarms(row), _answers(row), _calls(table), _voices(gaps), _elsewhere(pairs)]
    lines.append(
        "- **Not for decisions about a person.** All of this is acted speech, so it says how well acting is "
        "recognised, and nothing about what somebody feels."
    )
    return "\n".join(line for line in lines if line)


def _alarms(row: pd.Series) -> str:
    if row["recall"] != row["recall"]:
        return ""
    false = "" if row["false_alarms"] != row["false_alarms"] else (
        f", and of 100 alarms {number(100 * row['false_alarms'], 0)} are false"
    )  # fmt: skip
    return (
        f"- **Sorting recordings of a studio.** On {word(row['corpus'])} ({row['n_speakers']:.0f} speakers), of 100 "
        f"{ALARM} clips {number(100 * row['recall'], 0)} are found{false}, where {percent(row['prevalence'])} of the "
        f"clips are {ALARM}. Where such clips are rarer, more of the alarms are false."
    )


def _answers(row: pd.Series) -> str:
    if row["accuracy"] != row["accuracy"]:
        return ""
    return (
        f"- **Answering only when sure.** Set to be right in {percent(AIM)} of its answers, it answers "
        f"{percent(row['coverage'])} of the clips of {word(row['corpus'])} and is right in {percent(row['accuracy'])} "
        "of these; the others need a person."
    )


def _calls(table: pd.DataFrame) -> str:
    tried = table[["telephone", "babble"]].mean().dropna()
    if tried.empty:
        return ""
    where = {"telephone": "on a telephone line", "babble": f"with people talking behind ({CROWD[1]:g} dB)"}
    parts = [f"{signed(100 * value)} points {where[name]}" for name, value in tried.items()]
    few = span(table["n_degraded"].dropna())
    change = f"UAR changes by {listed(parts)}, mean over corpora ({few} clips each)"
    return f"- **Calls: only after tests of your own.** {change}."


def _voices(gaps: pd.DataFrame) -> str:
    """Whether some voices are understood less well, of the system's own gaps between groups of speakers."""
    tested = between_speakers(gaps)
    if tested.empty:
        return ""
    widest = next(tested.loc[[tested["difference"].abs().idxmax()]].itertuples())
    ends = f"[{signed(100 * widest.low)}, {signed(100 * widest.high)}]"
    unproven = "" if (tested["p_holm"] < ALPHA).any() else " That does not show that there is none."
    return (
        f"- **Other voices.** Between women and men, ages and origins of speakers, {beyond_chance(tested)}"
        f"{untested(gaps)}; the widest of the tested is {pair(widest)} on {word(widest.corpus)}: "
        f"{signed(100 * widest.difference)} points {ends}.{unproven}"
    )


def _elsewhere(pairs: pd.DataFrame) -> str:
    """Scores on another corpus beside those within, of all systems that were tried."""
    others = pairs[pairs["source"] != pairs["corpus"]]
    lines = []
    for title, own in others.groupby("system", sort=False):
        surplus = 100 * own["overconfidence"].median()
        lines.append(
            f"{title}, median UAR {share(own['uar'].median())} (within a corpus {share(own['uar_within'].median())}), "
            f"confidence {minus(abs(surplus), 0)} points {'above' if surplus > 0 else 'below'} accuracy"
        )
    if not lines:
        return ""
    return f"- **Recordings from elsewhere.** Trained on one corpus and tested on another: {'; '.join(lines)}."
