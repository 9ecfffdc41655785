"""Titles, captions and sentences about single classes, speakers and mistakes, computed from their tables."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ser_study.chapters.classical.text import NO_SYSTEM
from ser_study.plotting import matrices
from ser_study.wording import Caption, listed, percent, sentence, share, word

Panel = tuple[str, np.ndarray, Sequence[str]]


def confusion_title(panels: Sequence[Panel]) -> str:
    """The largest confusion of any corpus."""
    if len(panels) == 1:
        return matrices.confusion_title(*panels[0])
    rates = {name: _confusion_rates(counts) for name, counts, _ in panels}
    corpus = max(rates, key=lambda name: rates[name].max())
    classes = next(classes for name, _, classes in panels if name == corpus)
    truth, prediction = np.unravel_index(rates[corpus].argmax(), rates[corpus].shape)
    return (
        f"The largest confusion on new speakers: {word(classes[truth])} taken for {word(classes[prediction])} in "
        f"{percent(rates[corpus].max())} of the clips ({word(corpus)})"
    )


def _confusion_rates(counts: np.ndarray) -> np.ndarray:
    """Share of each true class that is taken for each other class; 0 for classes without clips."""
    wrong = np.where(np.eye(len(counts), dtype=bool), 0, counts)
    return wrong / np.maximum(counts.sum(axis=1, keepdims=True), 1)


def confusions(panels: Sequence[Panel]) -> Caption:
    """Confusion matrices of the chosen systems."""
    if not panels:
        return Caption("confusions", "", empty=NO_SYSTEM)
    by_corpus = [sentence(matrices.confusion_title(*panel)) for panel in panels]
    n = sum(int(counts.sum()) for _, counts, _ in panels)
    words = (
        f"{n:,} clips, each predicted once by a model that was trained without its speaker. Rows are the true class; "
        "each row sums to 100 %. The systems are those of the table of chosen systems."
    )
    alt = f"Confusion matrices, one for each corpus. {matrices.confusions_alt(panels)}"
    finding = "\n".join(f"- {line}." for line in by_corpus) if len(panels) > 1 else ""  # else the title says it
    return Caption("confusions", words, alt, finding=finding)


def by_class(table: pd.DataFrame) -> Caption:
    """Precision and recall of each class."""
    words = "Every class of the chosen systems on new speakers; the interval is that of recall."
    labels = {"low": "recall, from", "high": "recall, to"}
    return Caption("per_class", words, empty=NO_SYSTEM, finding=class_sentences(table), labels=labels, page_length=20)


def class_sentences(table: pd.DataFrame) -> str:
    """Of every corpus the classes with the highest and lowest F1, and the one predicted too often."""
    lines = []
    for name, part in table.groupby("corpus", sort=False):
        part = part.set_index("class")
        best, worst = part["f1"].idxmax(), part["f1"].idxmin()
        frequent = (part["recall"] - part["precision"]).idxmax()
        lines.append(
            f"- **{word(name)}**: F1 is highest for {word(best)} ({share(part.loc[best, 'f1'])}) and lowest for "
            f"{word(worst)} ({share(part.loc[worst, 'f1'])}). Most over-predicted: {word(frequent)} (recall "
            f"{share(part.loc[frequent, 'recall'])}, precision {share(part.loc[frequent, 'precision'])})."
        )
    return "\n".join(lines)


def roc_title(points: pd.DataFrame) -> str:
    """The easiest and the hardest classes by their median AUC over the corpora, of those that all corpora have."""
    areas = points.groupby(["corpus", "class"], sort=False)["auc"].first().unstack()
    median = areas.median()[areas.notna().all()]
    if len(median) < 2:
        return "Each class against all others, on new speakers"
    written = median.map(share)
    best, worst = (list(written.index[written == written[end]]) for end in (median.idxmax(), median.idxmin()))
    where, kind = ("Over the corpora", "median AUC") if len(areas) > 1 else (f"On {word(areas.index[0])}", "AUC")
    if best == worst:
        return f"{where}, all classes are as easy to separate from the others ({kind} {written[best[0]]})"
    verb = "is the class" if len(best) == 1 else "are the classes"
    return (
        f"{where}, {listed(map(word, best))} {verb} easiest to separate from the others ({kind} {written[best[0]]}), "
        f"{listed(map(word, worst))} the hardest ({written[worst[0]]})"
    )


def roc(points: pd.DataFrame) -> Caption:
    """ROC curves of each class."""
    if points.empty:
        return Caption("roc", "", empty=NO_SYSTEM)
    words = (
        "Each class against all others on new speakers, predictions of all folds together. In colour: the classes "
        "with the highest, the middle and the lowest AUC (0.5: chance)."
    )
    low, high = share(points["auc"].min(), 2), share(points["auc"].max(), 2)
    return Caption("roc", words, f"{roc_title(points)}. ROC curves, one panel per corpus; AUC from {low} to {high}.")


def speaker_title(speakers: pd.DataFrame) -> str:
    """The widest spread between speakers."""
    span = speakers.groupby("corpus", sort=False)["uar"].agg(["min", "max"])
    widest = (span["max"] - span["min"]).idxmax()
    low, high = span.loc[widest]
    return f"Speakers differ: on {word(widest)} UAR ranges from {share(low)} to {share(high)}"


def speaker_scores(speakers: pd.DataFrame) -> Caption:
    """Scores of each speaker."""
    if speakers.empty:
        return Caption("speakers", "", empty=NO_SYSTEM)
    words = "UAR of each speaker over the classes that this speaker has; square: pooled UAR with its interval."
    alt = f"{speaker_title(speakers)}. One row per corpus, one dot for each of {len(speakers)} speakers."
    return Caption("speakers", words, alt, lead=True)


def mistakes(table: pd.DataFrame) -> Caption:
    """The most confident mistakes."""
    words = (
        "The mistakes with the highest probability on new speakers, and the share of listeners who recognised the "
        "intended emotion."
    )
    labels = {"prediction": "taken for"}
    empty = "No prediction of a chosen system on new speakers is wrong."
    return Caption("mistakes", words, empty=empty, finding=mistake_sentence(table), labels=labels)


def mistake_sentence(table: pd.DataFrame) -> str:
    """The most confident mistake of all, and how often its listeners agree with the label."""
    if table.empty:
        return ""
    top = table.loc[table["probability"].idxmax()]
    words = (
        f"The most confident mistake: {top['clip']} ({word(top['corpus'])}), {top['truth']}, is taken for "
        f"{top['prediction']} with probability {share(top['probability'])}."
    )
    known = table["listeners"].dropna()
    if len(known):
        few = int((known < 0.5).sum())
        words += f" Of {len(known)} such clips with listeners, {few} were recognised by fewer than half of them."
    return words


def by_listeners(table: pd.DataFrame) -> Caption:
    """The chosen systems by how many listeners recognise a clip."""
    labels = {"listeners": "listeners right"}
    empty = "No clip of this run was judged by listeners, so mistakes cannot be compared with what people hear."
    words = "The chosen systems by how many listeners recognise a clip."
    return Caption("by_listeners", words, empty=empty, finding=listener_sentence(table), labels=labels)


def listener_sentence(table: pd.DataFrame) -> str:
    """How many of the mistakes are on clips that people do not recognise either."""
    parts = []
    for corpus, rows in table.groupby("corpus", sort=False):
        low, high = rows.iloc[0], rows.iloc[-1]
        if len(rows) < 2:
            parts.append(f"{word(corpus)}: all clips were recognised by {low['recognised_by']} of the listeners")
            continue
        errors, few = rows["n"] * (1 - rows["accuracy"]), rows["listeners"] < 0.5
        mistaken = errors[few].sum() / errors.sum() if errors.sum() else 0.0
        parts.append(
            f"{word(corpus)}: accuracy is {share(low['accuracy'])} on clips recognised by {low['recognised_by']} of "
            f"the listeners and {share(high['accuracy'])} on those recognised by {high['recognised_by']}; "
            f"{percent(mistaken)} of the mistakes, but {percent(rows['n'][few].sum() / rows['n'].sum())} of the "
            "clips, are in groups where fewer than half of the listeners chose the intended emotion"
        )
    if not parts:
        return ""
    return f"{'; '.join(parts)}. Mistakes on clips that people do not recognise either may be due to the recording."
