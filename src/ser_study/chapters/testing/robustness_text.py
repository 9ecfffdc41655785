"""What the section of degraded recordings says: captions, and sentences whose numbers are computed."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from ser_study.audio.degrade import CLEAN
from ser_study.chapters.testing import robustness
from ser_study.chapters.testing.robustness import AUGMENTED, TITLES
from ser_study.wording import Caption, listed, minus, percent, sentence, share, signed, word

EMPTY = (
    "No selection of this run has recordings of speakers on whom a test of new speakers is possible, with every "
    "emotion in the training part of each fold."
)
SMALL = 1.0  # points; a smaller mean change is called none
EXAMPLES = (("telephone", 8.0), ("babble", 10.0), ("reverberation", 0.6))  # of the second sentence
LEVEL = "gain"  # which changes nothing but the level
SHORT = 1.0  # s
TINY = 1e-6  # of an interval without width
LABELS = {
    "change": "change, points",
    "change_low": "change from",
    "change_high": "change to",
    "interval": "intervals over",
}


def curves(means: pd.DataFrame, chance: float, left_out: Iterable[str] = ()) -> Caption:
    """The figure.

    Parameters
    ----------
    means : of ``robustness.means``
    chance : UAR of guessing
    left_out : selections with a test on new speakers that are not in it
    """
    left_out = [word(name) for name in left_out]
    if means.empty:
        return Caption("degraded_curves", "", empty=EMPTY)
    words = (
        "UAR on some test clips of new speakers (their number is in the table below), mean over selections, against "
        "the level of each degradation. Recordings are degraded as they are read, before silence is trimmed; only the "
        "clips of “first part only” are cut after it, and shorter ones stay whole. Nothing is trained on degraded clips"
    )
    words += " unless the key says so." if (means["system"] == AUGMENTED).any() else "."
    if left_out:
        words += f" Not in it, for want of audio or of an emotion in some training part: {listed(left_out)}."
    return Caption("degraded_curves", words, alt=_alt(means), finding=finding(means, chance), empty=EMPTY)


def table(scores: pd.DataFrame, means: pd.DataFrame, chance: float) -> Caption:
    """The numbers of every selection."""
    words = (
        "UAR in every condition with its interval over speakers, and the change from the same clips as recorded, in "
        "points, with its own."
    )
    if means.empty:
        return Caption("degraded", words, empty=EMPTY)
    words += f" At most {scores['n'].max()} test clips of a selection are degraded."
    finding = " ".join([details(means, chance), *_one_class(scores)])
    return Caption("degraded", words, empty=EMPTY, labels=LABELS, finding=finding)


def _alt(means: pd.DataFrame) -> str:
    rows = []
    for condition, own in means.groupby(["degradation", "level"], sort=False):
        scores = listed(f"{TITLES[row.system]} {share(row.uar)}" for row in own.itertuples())
        rows.append(f"{robustness.title(condition)}: {scores}")
    return f"One panel per degradation, one line per system. {'; '.join(rows)}."


def title(means: pd.DataFrame) -> str:
    """What costs the systems without augmentation most on average."""
    changes = _changes(means)
    costs = -100 * changes.mean(axis=1)
    over = " on average over the systems" if changes.shape[1] > 1 else ""
    if costs.max() < SMALL:
        return f"No degradation that was tried costs {SMALL:g} point of UAR{over}"
    worst = sentence(robustness.title(costs.idxmax()))
    return f"{worst} takes {minus(costs.max(), 0)} points of UAR{over}, the most of all that was tried"


def finding(means: pd.DataFrame, chance: float) -> str:
    """Clean scores and the worst condition of every system, and what some everyday conditions change."""
    changes = _changes(means)
    as_read = _as_read(means)
    worst = [
        f"{TITLES[name]} from {share(as_read[name])} to {share(as_read[name] + column.min())} "
        f"({robustness.title(column.idxmin())})"
        for name, column in changes.items()
        if column.min() < 0
    ]
    falls = f"At worst the mean UAR falls for {listed(worst)}" if worst else "The mean UAR of no system falls"
    lines = [f"{falls}; chance is {share(chance)}."]
    examples = [f"{robustness.title(one)} {_points(changes.loc[one])}" for one in EXAMPLES if one in changes.index]
    if examples:
        lines.append(f"Change in points for {' / '.join(TITLES[name] for name in changes)}: {'; '.join(examples)}.")
    return " ".join([*lines, *_level(changes)])


def _level(changes: pd.DataFrame) -> list[str]:
    """What a recording that is only louder or quieter costs each system."""
    own = changes[changes.index.get_level_values("degradation") == LEVEL]
    if own.empty:
        return []
    each = [f"{TITLES[name]} {' / '.join(signed(100 * value) for value in column)}" for name, column in own.items()]
    levels = " / ".join(robustness.title(condition) for condition in own.index)
    return [f"A mere change of level ({levels}) changes the mean UAR, in points: {'; '.join(each)}."]


def details(means: pd.DataFrame, chance: float) -> str:
    """What the first second is worth, what is harmless, and what augmented training changes."""
    changes = _changes(means)
    harmless = [robustness.title(one) for one, row in changes.iterrows() if (100 * row.abs() < SMALL).all()]
    lines = _short(changes, _as_read(means), chance)
    if harmless:
        lines.append(f"Less than {SMALL:g} point of mean UAR either way for any system: {listed(harmless)}.")
    return " ".join([*lines, *_cure(means)])


def _one_class(scores: pd.DataFrame) -> list[str]:
    """Which systems answer one class only, and where: then every resample of the speakers has one and the same UAR.

    Parameters
    ----------
    scores : of ``robustness.table``
    """
    flat = scores[(scores["uar"] < 0.5 + TINY) & (scores["high"] - scores["low"] < TINY)]
    each = []
    for (system, corpus), rows in flat.groupby(["system", "corpus"], sort=False):
        conditions = [robustness.title((row.degradation, row.level)) for row in rows.itertuples()]
        each.append(f"{TITLES[system]} on {word(corpus)} ({'; '.join(conditions)})")
    return [f"At chance, because one class only is answered: {', '.join(each)}."] if each else []


def _as_read(means: pd.DataFrame) -> pd.Series:
    """UAR of each system on the recordings as they are."""
    return means[means["degradation"] == CLEAN].set_index("system")["uar"]


def _changes(means: pd.DataFrame) -> pd.DataFrame:
    """Change of UAR, (condition) × (system without augmentation)."""
    own = means[(means["degradation"] != CLEAN) & (means["system"] != AUGMENTED)]
    return own.pivot_table(index=["degradation", "level"], columns="system", values="change", sort=False)


def _points(row: pd.Series) -> str:
    return " / ".join(signed(100 * value) for value in row)


def _short(changes: pd.DataFrame, as_read: pd.Series, chance: float) -> list[str]:
    """What is left above chance of the clean score after the first second."""
    if ("length", SHORT) not in changes.index:
        return []
    left = 1 + changes.loc[("length", SHORT)] / (as_read - chance)
    kept = [f"{TITLES[name]} {percent(value)}" for name, value in left.items() if np.isfinite(value)]
    return [f"The first {SHORT:g} s keeps of the score above chance: {listed(kept)}."] if kept else []


def _cure(means: pd.DataFrame) -> list[str]:
    """What augmented copies in training change, on clips as recorded and on average over the degraded ones."""
    both = means[means["system"].isin(["classical", AUGMENTED])]
    uar = both.pivot_table(index=["degradation", "level"], columns="system", values="uar", sort=False)
    if AUGMENTED not in uar:
        return []
    gain = 100 * (uar[AUGMENTED] - uar["classical"])
    degraded, as_read = gain.drop(index=CLEAN, level="degradation"), gain.loc[CLEAN].iloc[0]
    best, worst = (f"{robustness.title(at)} {signed(degraded[at])}" for at in (degraded.idxmax(), degraded.idxmin()))
    words = (
        f"Augmented copies in training (noise, speed) change the UAR of hand-crafted features by {signed(as_read)} "
        f"points on clips as recorded and by {signed(degraded.mean())} on average of the conditions (from {worst} to "
        f"{best})."
    )
    return [words]
