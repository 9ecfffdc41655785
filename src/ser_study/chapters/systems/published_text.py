"""Captions and sentences on published scores beside ours, computed from ``published.table``."""

from __future__ import annotations

import pandas as pd

from ser_study.chapters.systems.published import LIGHTS, LISTENERS
from ser_study.wording import Caption, interval, listed, sentence, signed, word

EMPTY = "No published score is listed."
LABELS = {
    "value": "published",
    "ours_low": "ours, from",
    "ours_high": "ours, to",
    "difference": "ours − published",
    "why": "reason for the light",
    "speakers_disjoint": "new speakers",
    "sentences_disjoint": "new sentences",
    "selection": "chosen by",
}
LIGHT_WORDS = f"{'; '.join(f'{light}: {meaning}' for light, meaning in LIGHTS.items())}."


def table(rows: pd.DataFrame) -> Caption:
    """What ``published.csv`` of a report holds, and how ours compares with the green rows."""
    words = (
        "Published scores with what is known of how they were measured, and ours where it was measured alike: same "
        f"corpus, protocol and metric; the folds may differ. {sentence(LIGHT_WORDS)}"
    )
    return Caption("published", words, empty=EMPTY, finding=finding(rows), labels=LABELS)


def figure(rows: pd.DataFrame) -> Caption:
    """What the marks are."""
    words = (
        "Published scores by corpus, green first; bars: their intervals, where published. Upright line: ours of "
        f"the same corpus, protocol and metric, with its 95 % interval in grey. {sentence(LIGHT_WORDS)}"
    )
    return Caption("published_scores", words, alt=alt(rows), empty="" if len(rows) else EMPTY, lead=True)


def title(rows: pd.DataFrame) -> str:
    """The finding of the figure: ours against the green scores, or how many scores are red."""
    places = positions(systems(rows, "green"))
    if len(places):
        return f"Of {len(places)} published scores that saw no test clip ours is {_places(places)}"
    n_red, n = len(systems(rows, "red")), len(rows[rows["kind"] != LISTENERS])
    return f"{n_red} of {n} published scores have the test speakers in training"


def systems(rows: pd.DataFrame, light: str) -> pd.DataFrame:
    """Rows of one light, people apart: what was trained."""
    return rows[(rows["light"] == light) & (rows["kind"] != LISTENERS)]


def positions(rows: pd.DataFrame) -> pd.Series:
    """Whether ours is above, level with or below each published score that has ours beside it.

    Level: the two intervals meet. Of a score without an interval the score alone counts.
    """
    beside = rows[rows["ours"].notna()]
    low, high = beside["ours_low"].fillna(beside["ours"]), beside["ours_high"].fillna(beside["ours"])
    place = pd.Series("level", index=beside.index, dtype=object)
    place = place.mask(low > beside["high"].fillna(beside["value"]), "above")
    return place.mask(high < beside["low"].fillna(beside["value"]), "below")


def _places(places: pd.Series) -> str:
    above, level, below = (int((places == name).sum()) for name in ("above", "level", "below"))
    return f"above {above}, below {below} and within the intervals of {level}"


def finding(rows: pd.DataFrame) -> str:
    """How many green scores ours is above, level with and below, and the best green score of each corpus."""
    if rows.empty:
        return ""
    green = systems(rows, "green")
    lines = [_best(corpus, part) for corpus, part in rows.groupby("corpus", sort=False)]
    return "\n".join([f"{_counted(green, len(rows[rows['kind'] != LISTENERS]))}\n", *lines])


def _counted(green: pd.DataFrame, n: int) -> str:
    """Ours against the green scores that were measured alike."""
    verb = "is" if len(green) == 1 else "are"
    text = f"{len(green)} of {n} published scores {verb} green, listeners apart."
    places = positions(green)
    if places.empty:
        return f"{text} This run has no score of the same corpus, protocol and metric as any of them."
    beside = green.loc[places.index]
    follow = "one follows" if len(places) == 1 else f"{len(places)} follow"
    higher = int((beside["value"] > beside["ours"]).sum())
    return (
        f"{text} Of these, {follow} the same protocol as ours, the best system of the corpus, which is "
        f"{_places(places)} (the two intervals meet, or one holds the other's score). By the score alone {higher} "
        f"{'is' if higher == 1 else 'are'} higher than ours. Sources: {listed(dict.fromkeys(beside['source']))}."
    )


def _best(corpus: str, part: pd.DataFrame) -> str:
    """The best green score of a corpus beside ours; where none is green, the best amber one."""
    for light, before in (("green", "the best green score is"), ("amber", "none is green; the best amber score is")):
        known = systems(part, light)
        if len(known):
            return f"- **{word(corpus)}**: {before} {_described(known)}"
    return f"- **{word(corpus)}**: every published score has the test speakers in training."


def _described(known: pd.DataFrame) -> str:
    """The best of some scores beside ours; where it was measured otherwise, the best that was measured as ours too."""
    best, alike = known.loc[known["value"].idxmax()], known[known["ours"].notna()]
    if best.name in alike.index:
        return f"{_score(best)}; {_ours(best)}."
    text = f"{_score(best)}; ours has no score by this protocol"
    if alike.empty:
        return f"{text}."
    best = alike.loc[alike["value"].idxmax()]
    return f"{text}. By the same protocol as ours it is {_score(best)}; {_ours(best)}."


def _score(row: pd.Series) -> str:
    reason = f"; {row['why']}" if row["light"] == "amber" else ""
    score = interval(row["value"], row["low"], row["high"])
    return f"{word(row['metric'])} {score} ({row['system']}, {row['source']}; {row['split']}{reason})"


def _ours(row: pd.Series) -> str:
    ours = interval(row["ours"], row["ours_low"], row["ours_high"])
    return f"ours is {ours}, {signed(100 * row['difference'])} points"


def alt(rows: pd.DataFrame) -> str:
    """The figure in words: how many scores of each light a corpus has, and their range."""
    if rows.empty:
        return ""
    parts = []
    for corpus, part in rows.groupby("corpus", sort=False):
        each = [_range(light, systems(part, light)["value"]) for light in LIGHTS if len(systems(part, light))]
        parts.append(f"{word(corpus)}: {', '.join(each)}")
    return f"{title(rows)}. One panel per corpus, one row per published score. {'; '.join(parts)}."


def _range(light: str, values: pd.Series) -> str:
    low, high = interval(values.min(), float("nan"), 0), interval(values.max(), float("nan"), 0)
    return f"{len(values)} {light} ({low if low == high else f'{low} to {high}'})"
