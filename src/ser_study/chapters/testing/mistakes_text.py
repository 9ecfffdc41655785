"""Titles, captions and sentences about mistakes, computed from their tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ser_study.chapters.testing import declare
from ser_study.chapters.testing.claims import PEOPLE
from ser_study.chapters.testing.mistakes import MEASURES, NUMBER
from ser_study.corpora import emodb
from ser_study.plotting import matrices
from ser_study.study import Study
from ser_study.wording import Caption, interval, listed, p_text, percent, sentence, share, signed, voices, word

NOT_TESTED = "No selection of this run allows a test on new speakers, so there are no predictions to look at."
NOT_JUDGED = "No clip of this run was judged by listeners, so mistakes cannot be compared with theirs."
FIGURES = emodb.INFO.human_figures
KEPT = {  # corpus → what kept its clips in it
    "emodb": (
        "Its clips were kept because listeners recognised them: recall "
        f"{percent(FIGURES['mean class recall, released clips'], 1)}, against "
        f"{percent(FIGURES['mean class recall, all 816 recordings'], 1)} on all recordings"
    )
}
Panel = tuple[str, np.ndarray, Sequence[str]]


def confusions_title(panels: Sequence[Panel]) -> str:
    """The commonest confusion of listeners and of the last system."""
    each = [
        f"{name}: {word(truth)} taken for {word(prediction)} in {percent(rate)}"
        for name, truth, prediction, rate in map(_commonest, (panels[0], panels[-1]))
    ]
    return f"Commonest confusions. {sentence('; '.join(each))}"


def _commonest(panel: Panel) -> tuple[str, str, str, float]:
    name, counts, classes = panel
    rates = np.where(np.eye(len(classes), dtype=bool), 0, counts) / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    truth, prediction = np.unravel_index(rates.argmax(), rates.shape)
    return name, classes[truth], classes[prediction], float(rates[truth, prediction])


def confusions(panels: Sequence[Panel], table: pd.DataFrame) -> Caption:
    """Confusion matrices of listeners and systems.

    Parameters
    ----------
    table : of ``mistakes.judged``
    """
    if not panels:
        empty = "No corpus of this run states its listeners' votes, so there is no confusion matrix of people."
        return Caption("listener_confusions", "", empty=empty)
    corpus = word(table.loc[table["human_votes"].fillna("") != "", "corpus"].iloc[0])
    words = (
        f"{corpus}: every vote of a listener who heard the voice alone is one answer; a system answers once, about "
        "speakers that it was not trained on. Rows are the intended emotion; each row sums to 100 %."
    )
    alt = f"{confusions_title(panels)}. {matrices.confusions_alt(panels)}"
    return Caption("listener_confusions", words, alt)


def agreement(table: pd.DataFrame) -> Caption:
    """Correlations of the systems' mistakes with those of listeners."""
    words = (
        "How far systems and listeners fail alike: Spearman's ρ (0: unrelated, 1: alike) over pairs of a true and an "
        "answered class, and over clips (missed by the system or not, against the share of listeners who miss it). "
        "Less favourite answers: from each rate, how often that answer is given to other classes is subtracted. "
        "Within each emotion: emotions that are hard for both no longer count."
    )
    labels = {"measure": "what is compared", "value": "ρ"}
    return Caption("listener_agreement", words, empty=NOT_JUDGED, finding=agreement_finding(table), labels=labels)


def agreement_finding(table: pd.DataFrame) -> str:
    """The correlations of the last system of each corpus."""
    lines = []
    for corpus, rows in table.groupby("corpus", sort=False):
        last = rows[rows["system"] == rows["system"].iloc[-1]].set_index("measure")
        parts = [
            f"{name} {interval(row['value'], row['low'], row['high'])}{voices(row['interval'])}"
            for name, row in last.iterrows()
            if row["value"] == row["value"]
        ]
        if parts:
            system = declare.TITLES[rows["system"].iloc[-1]]
            lines.append(f"- **{word(corpus)}**, {system}: {'; '.join(parts)}.")
    if not lines:
        return ""
    inside = table[table["measure"] == MEASURES["clips_within"]]
    above = int((inside["low"] > 0).sum())
    return "\n".join(lines) + (
        f"\n\nWithin one emotion, clips that listeners miss are missed more often by a system, too, with an interval "
        f"above 0, in {above} of {len(inside)} cases (system and corpus)."
    )


def in_words(table: pd.DataFrame) -> pd.DataFrame:
    """A table with the systems' titles for their keys."""
    return table.assign(system=table["system"].map(declare.TITLES))


def surest_title(pictures: Sequence[Mapping[str, Any]]) -> str:
    """How sure the system is of them."""
    low = min(item["probability"] for item in pictures)
    return f"The surest mistakes: a wrong class with a probability of {share(low)} or more"


def surest_figure(pictures: Sequence[Mapping[str, Any]], table: pd.DataFrame, study: Study) -> Caption:
    """Spectrograms of the surest mistakes."""
    if not pictures:
        corpora = dict.fromkeys(clip.partition("/")[0] for clip in table["clip_id"])
        reasons = filter(None, map(study.without_audio, corpora))
        empty = " ".join(["There is no mistake whose sound could be drawn.", *reasons])
        return Caption("surest_spectrograms", "", empty=empty)
    each = [
        f"{item['clip']} of {word(item['corpus'])}, {word(item['truth'])} taken for {word(item['prediction'])}"
        for item in pictures
    ]
    alone = len({item["corpus"] for item in pictures}) == len(pictures)
    which = "at most one of each corpus" if alone else "one of each corpus before a second"
    words = f"Log-mel spectrograms of mistakes with the highest probability, {which}: "
    return Caption("surest_spectrograms", f"{words}{listed(each)}.", alt=f"{surest_title(pictures)}. {listed(each)}.")


def surest(table: pd.DataFrame, predictions: pd.DataFrame) -> Caption:
    """The surest mistakes."""
    words = (
        f"The {NUMBER} mistakes of each corpus with the highest probability of the wrong class, by the largest system "
        "that could be tested there: its three likeliest classes with their probabilities, and what listeners answered."
    )
    labels = {"truth": "acted emotion", "guesses": "likeliest classes", "listeners": "listeners' answers"}
    empty = NOT_TESTED if predictions.empty else "No prediction on new speakers is wrong."
    return Caption("surest_mistakes", words, empty=empty, finding=surest_finding(table), labels=labels, page_length=24)


def surest_finding(table: pd.DataFrame) -> str:
    """How sure the system is, and how often its listeners agree with it."""
    if table.empty:
        return ""
    low, high = share(table["probability"].min()), share(table["probability"].max())
    words = f"The wrong class has a probability between {low} and {high} in these {len(table)} mistakes."
    votes = table["shared"].dropna()
    if len(votes):
        words += f" In {int(votes.sum())} of {len(votes)} with listeners' votes, they chose that class most often, too."
    other = table.loc[table["shared"].isna(), "listeners"].dropna()
    if len(other):
        shares = other.str.extract(r"^(\d+) %", expand=False).astype(float) / 100
        many = percent(shares.min()) if shares.nunique() == 1 else f"{percent(shares.min())} to {percent(shares.max())}"
        words += f" Of the listeners of the {len(other)} others that were judged, {many} named the acted emotion."
    return words


def listening(table: pd.DataFrame) -> Caption:
    """Listeners on the clips that systems get right and wrong."""
    words = (
        "Share of listeners who miss a clip, over the clips that a system gets right and over those that it gets "
        "wrong; the change is wrong less right, with its interval over speakers."
    )
    labels = {"n_right": "clips right", "n_wrong": "clips wrong", "missed_right": "listeners miss, right"}
    labels |= {"missed_wrong": "listeners miss, wrong"}
    return Caption("listeners_on_mistakes", words, empty=NOT_JUDGED, finding=listening_finding(table), labels=labels)


def listening_finding(table: pd.DataFrame) -> str:
    """Whether people miss what the last system of each corpus misses."""
    lines = []
    for corpus, rows in table.groupby("corpus", sort=False):
        row = rows.iloc[-1]
        if row["missed_wrong"] != row["missed_wrong"] or row["missed_right"] != row["missed_right"]:
            continue
        kept = f". {KEPT[corpus]}" if corpus in KEPT else ""
        lines.append(
            f"- **{word(corpus)}**: listeners miss {percent(row['missed_wrong'])} of the clips that "
            f"{declare.TITLES[row['system']]} get wrong, and {percent(row['missed_right'])} of those right "
            f"({signed(100 * row['difference'])} points). "
            f"{_harder(row)}, and still name {percent(1 - row['missed_wrong'])} of the wrong ones{kept}."
        )
    if not lines:
        return ""
    unlike = "\n\nEmotions are not held equal here, unlike in the table above: an emotion that is hard for both counts."
    return "\n".join(lines) + unlike


def _harder(row: pd.Series) -> str:
    """What the interval allows to say of other people; one over clips says nothing of them."""
    if not voices(row["interval"]) and row["low"] > 0:
        return "They do find them harder"
    if not voices(row["interval"]) and row["high"] < 0:
        return "They find them easier"
    return "That they find them harder is not certain"


def intensity_title(table: pd.DataFrame) -> str:
    """The range of the gain over the systems, of each selection."""
    each = []
    for corpus, changes in table.groupby("corpus", sort=False)["difference"]:
        points = dict.fromkeys(signed(100 * change) for change in (changes.min(), changes.max()))
        each.append(f"{word(corpus)} {' to '.join(points)}")
    return f"Change of UAR from normal to strong intensity, in points: {listed(each)}"


def intensity_figure(table: pd.DataFrame) -> Caption:
    """UAR at both intensities."""
    if table.empty:
        return Caption("intensity_scores", "", empty=_no_intensity())
    words = (
        "UAR on new speakers over the emotions that are acted at normal and at strong intensity; neutral, which has "
        "one only, is left out of both."
    )
    return Caption("intensity_scores", words, alt=f"{intensity_title(table)}.", finding=intensity_finding(table))


def intensity_table(table: pd.DataFrame) -> Caption:
    """The same with intervals."""
    words = (
        "The same with the interval of the change, and the p value of flipping its sign over speakers: for this one "
        "comparison, without correction. The section on subgroups corrects (Holm)."
    )
    labels = {"uar_normal": "UAR, normal", "uar_strong": "UAR, strong", "low": "change, from", "high": "change, to"}
    return Caption("intensity", words, empty=_no_intensity(), labels=labels)


def _no_intensity() -> str:
    return "No corpus of this run states two emotions or more both at normal and at strong intensity."


def intensity_finding(table: pd.DataFrame) -> str:
    """The change of the last system of every selection, beside that of listeners."""
    lines = []
    for corpus, rows in table.groupby("corpus", sort=False):
        row = rows.iloc[-1]
        points = f"{signed(100 * row['difference'])} points [{signed(100 * row['low'])}, {signed(100 * row['high'])}]"
        test = f", p {p_text(row['p'])}" if row["p"] == row["p"] else ""
        line = f"- **{word(corpus)}**, {declare.TITLES[row['system']]}: {points}{test}."
        if corpus in PEOPLE:
            normal, strong = PEOPLE[corpus]
            line += (
                f" Listeners: {share(normal, 2)} and {share(strong, 2)}, {signed(100 * (strong - normal))} points "
                "(published, all emotions)."
            )
        lines.append(line)
    return "\n".join(lines)
