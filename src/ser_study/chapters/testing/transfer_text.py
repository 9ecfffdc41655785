"""What the section on other corpora says: captions, titles, and sentences whose numbers are computed."""

from __future__ import annotations

import pandas as pd

from ser_study.chapters.testing.transfer import between, crosses_language
from ser_study.evaluation.abstention import ANSWERS_AT
from ser_study.wording import Caption, listed, percent, share, signed, word

ONE_CORPUS = (
    "This run holds fewer than two corpora with all six common classes, so none can be tested by a system of another."
)


def table(frame: pd.DataFrame) -> Caption:
    """Every pair of corpora."""
    return Caption(
        "transfer",
        "Six classes, trained on one corpus and tested on another; within: the same system on new speakers of the "
        "tested corpus. Overconfidence: mean confidence minus accuracy. Answered and right: at the threshold for "
        f"{percent(ANSWERS_AT)} right answers on the validation speakers of the source. In brackets 95 % intervals "
        "over speakers.",
        empty=ONE_CORPUS,
        finding=_calibration_finding(frame) if len(frame) else "",
        labels={"source": "trained on", "corpus": "tested on", "uar_within": "UAR, within", "coverage": "answered",
                "accuracy": "right of these", "accuracy_of_all": "right of all"},
    )  # fmt: skip


def figure(frame: pd.DataFrame) -> Caption:
    """UAR and overconfidence of every pair."""
    return Caption(
        "transfer_matrices",
        f"Left: UAR on six classes (chance {share(1 / 6)}). Right: mean confidence minus accuracy, in points. Rows: "
        "trained on; columns: tested on; outlined: new speakers of the same corpus. The language stands behind the "
        "corpus. Corpora that lack one of the classes are left out.",
        alt=title(frame) if len(frame) else "",
        empty=ONE_CORPUS,
        finding=_score_finding(frame) if len(frame) else "",
    )


def title(frame: pd.DataFrame) -> str:
    """Median UAR between corpora and within."""
    crossing, within = between(frame), frame[frame["source"] == frame["corpus"]]
    rest = f", and {share(within['uar'].median())} on new speakers of its own" if len(within) else ""
    return f"On another corpus a system has a UAR of {share(crossing['uar'].median())} in the median{rest}"


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
    best = f"The best pair is {word(pair['source'])} → {word(pair['corpus'])} ({pair['system']}, {share(pair['uar'])})."
    return f"{change} {best}".strip()


def _calibration_finding(frame: pd.DataFrame) -> str:
    """How sure the systems are elsewhere, and whether the source's threshold saves them."""
    crossing = between(frame)
    over = crossing["overconfidence"].median()
    text = (
        f"On another corpus mean confidence minus accuracy is {signed(100 * over)} points in the median, and "
        f"{signed(100 * crossing['overconfidence'].max())} at most."
    )
    known = crossing[crossing["coverage"].notna()]
    if known.empty:
        return text
    answers = known[known["accuracy"].notna()]
    reached = int((answers["accuracy"] >= ANSWERS_AT).sum())
    if answers.empty:
        return f"{text} At the source's threshold none of them answers anything."
    given, right, plain = known["coverage"].median(), answers["accuracy"].median(), known["accuracy_of_all"].median()
    return (
        f"{text} At the source's threshold for {percent(ANSWERS_AT)} right answers they answer {percent(given)} of the "
        f"clips, of which {percent(right)} are right (medians; {percent(plain)} of all clips are); {reached} of "
        f"{len(known)} pairs reach the aim."
    )
