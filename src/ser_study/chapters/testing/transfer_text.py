"""What the section on other corpora says: captions, titles, and sentences whose numbers are computed."""

from __future__ import annotations

import pandas as pd

from ser_study.chapters.testing.transfer import between, crosses_language
from ser_study.evaluation.abstention import ANSWERS_AT
from ser_study.wording import Caption, listed, percent, share, signed, word

ONE_CORPUS = (
    "This run holds fewer than two corpora with all six common classes, so none can be tested by a system of another."
)
CHANCE = 1 / 6  # UAR of guessing among the six classes
NEAR = 0.01  # of chance
UNKNOWN = "?"  # of ``transfer.language``


def table(frame: pd.DataFrame) -> Caption:
    """Every pair of corpora."""
    return Caption(
        "transfer",
        "Six classes, trained on one corpus and tested on another, or on new speakers of the same. "
        "Overconfidence: mean confidence minus accuracy. Answered and right: at the threshold for "
        f"{percent(ANSWERS_AT)} right answers on the validation speakers of the source. In brackets 95 % intervals "
        "over speakers.",
        empty=ONE_CORPUS,
        finding=_calibration_finding(frame) if len(frame) else "",
        labels={"source": "trained on", "corpus": "tested on", "coverage": "answered",
                "accuracy": "right of these", "accuracy_of_all": "right of all"},
        only_csv=("languages", "log_loss", "ece", "n", "uar_within"),
    )  # fmt: skip


def figure(frame: pd.DataFrame) -> Caption:
    """UAR and overconfidence of every pair."""
    return Caption(
        "transfer_matrices",
        f"Left: UAR on six classes (chance {share(CHANCE)}). Right: mean confidence minus accuracy, in points. Rows: "
        "trained on; columns: tested on; outlined: new speakers of the same corpus. Behind each corpus: its language. "
        "Corpora that lack one of the classes are left out.",
        alt=title(frame) if len(frame) else "",
        empty=ONE_CORPUS,
        finding=_score_finding(frame) if len(frame) else "",
    )


def title(frame: pd.DataFrame) -> str:
    """Median UAR of each system between corpora and within."""
    elsewhere = between(frame).groupby("system", sort=False)["uar"].median()
    within = frame[frame["source"] == frame["corpus"]].groupby("system")["uar"].median()
    each = [
        f"{system} {_score(uar)}{f' and {_score(within[system])}' if len(within) else ''}"
        for system, uar in elsewhere.items()
    ]
    own = " and on new speakers of their own" if len(within) else ""
    return f"Median UAR of this run's systems on another corpus{own}: {'; '.join(each)}"


def _score(value: float) -> str:
    """A score rounded as in the tables: a Python float, for NumPy rounds its own halves the other way."""
    return share(float(value))


def _score_finding(frame: pd.DataFrame) -> str:
    """What each system loses between corpora, and between languages."""
    crossing, lines = between(frame), []
    for system, rows in crossing.groupby("system", sort=False):
        loss = 100 * (rows["uar"] - rows["uar_within"])
        foreign = crosses_language(rows)
        groups = {"within a language": loss[~foreign].dropna(), "between languages": loss[foreign].dropna()}
        parts = [f"{signed(values.median())} points {name}" for name, values in groups.items() if len(values)]
        if parts:
            lines.append(f"{system}: {listed(parts)}")
    change = f"Against the same system within the tested corpus, in the median: {'; '.join(lines)}." if lines else ""
    pair = crossing.loc[crossing["uar"].idxmax()]
    best = f"The best pair is {_pair(pair)} ({pair['system']}, {_score(pair['uar'])})."
    return " ".join(filter(None, [change, best, _at_chance(crossing), _one_language(frame)]))


def _pair(row) -> str:
    return f"{word(row['source'])} → {word(row['corpus'])}"


def _at_chance(crossing: pd.DataFrame) -> str:
    """The pairs at chance, by system; empty without any."""
    low = crossing[(crossing["uar"] - CHANCE).abs() <= NEAR]
    each = [
        f"{system} on {listed(_pair(row) for _, row in rows.iterrows())}"
        for system, rows in low.groupby("system", sort=False)
    ]
    return f"At chance, which always answering the same class reaches too: {'; '.join(each)}." if each else ""


def _one_language(frame: pd.DataFrame) -> str:
    """Whether a single corpus stands for all of another language; empty where none does."""
    spoken = {}
    for row in frame.itertuples():
        sides = row.languages.split(" → ")
        spoken |= {row.source: sides[0], row.corpus: sides[-1]}
    counts = pd.Series(spoken).value_counts()
    alone = [name for name, language in spoken.items() if counts[language] == 1]
    if len(counts) != 2 or len(alone) != 1 or UNKNOWN in counts:
        return ""
    return f"{word(alone[0])} is the only one in another language, so corpus and language cannot be told apart."


def _calibration_finding(frame: pd.DataFrame) -> str:
    """How sure each system is elsewhere, and whether the source's threshold saves it."""
    crossing = between(frame)
    over = [
        f"{system} {signed(100 * surplus.median())} points in the median and {signed(100 * surplus.max())} at most"
        for system, surplus in crossing.groupby("system", sort=False)["overconfidence"]
    ]
    text = f"On another corpus, mean confidence minus accuracy: {'; '.join(over)}."
    known = crossing[crossing["coverage"].notna()]
    if known.empty:
        return text
    if known["accuracy"].isna().all():
        return f"{text} At the source's threshold none of them answers anything."
    each = [f"{system}: {_answered(rows)}" for system, rows in known.groupby("system", sort=False)]
    reached = int((known["accuracy"] >= ANSWERS_AT).sum())
    return (
        f"{text} In the median, at the source's threshold for {percent(ANSWERS_AT)} right answers, {'; '.join(each)}. "
        f"{reached} of {len(known)} cases (each a pair of corpora and a system) reach the aim."
    )


def _answered(rows: pd.DataFrame) -> str:
    """What one system answers at the threshold, and how much of that is right."""
    if rows["accuracy"].isna().all():
        return "nothing answered"
    given, right, plain = (percent(rows[name].median()) for name in ("coverage", "accuracy", "accuracy_of_all"))
    return f"{given} of the clips answered, {right} of these right ({plain} of all clips)"
