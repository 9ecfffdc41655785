"""What the control with shuffled labels says, computed from its scores and their summary."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from ser_study.chapters.controls.declare import GLOBAL, STEP_OF_LEAK, WITHIN
from ser_study.chapters.controls.shuffled import CLIPS, FEATURE, KEYS, MODEL, TOLERANCE, row_name, short_of
from ser_study.wording import listed, minus, signed, word


def title(table: pd.DataFrame, chance: Mapping[str, float]) -> str:
    """How many splits without a leak are at chance, how far off the others are, and how many leaks show.

    Parameters
    ----------
    table : of ``shuffled.scores``
    """
    short = short_of(table, chance)
    leaky = short["protocol"].isin(STEP_OF_LEAK.values())
    honest, leaks = short[~leaky], short[leaky]
    within = f"within {_points(100 * TOLERANCE, 0)} of chance"
    words = f"On shuffled labels {int(honest['holds'].sum())} of {len(honest)} splits without a leak are {within}"
    if len(off := honest.loc[~honest["holds"], "difference"]):
        side = "below" if (off < 0).all() else "above" if (off > 0).all() else "off"
        ends = dict.fromkeys(minus(100 * end, 1) for end in (off.abs().min(), off.abs().max()))
        words += f", the other{'s' * (len(off) > 1)} {' to '.join(ends)} points {side}"
    return words + (f"; {int(leaks['holds'].sum())} of {len(leaks)} leaks show" if len(leaks) else "")


def _points(value: float, decimals: int) -> str:
    number = minus(value, decimals)
    return f"{number} point{'' if number == '1' else 's'}"


def system(table: pd.DataFrame) -> str:
    """The system whose labels are shuffled, and of how many clips at most where some corpus has more; empty where the
    table does not say it."""
    facts = table.attrs
    if FEATURE not in facts:
        return ""
    most = f", {facts[CLIPS]:,} clips of a corpus at most" if facts[CLIPS] else ""
    return f" {word(facts[MODEL])} on {word(facts[FEATURE])} with fixed hyperparameters{most}."


def finding(table: pd.DataFrame) -> str:
    """How many rows are where they must be, which are not, and where the way of shuffling is why.

    Parameters
    ----------
    table : of ``shuffled.summary``
    """
    if table.empty:
        return ""
    leaky = table["protocol"].isin(STEP_OF_LEAK.values())
    words = []
    for part, what in ((table[~leaky], "splits without a leak are at chance"), (table[leaky], "leaks show")):
        if len(part):
            words.append(f"{int(part['holds'].sum())} of {len(part)} {what}")
    off = table[~leaky & ~table["holds"]]
    names = [f"{row_name(row.protocol, row.shuffle, row.model)} on {word(row.corpus)}" for row in off.itertuples()]
    exceptions = [f"{name} ({signed(100 * far)} points)" for name, far in zip(names, off["difference"])]
    first = f"{'; '.join(words)}."
    return f"{first} Not at chance: {listed(exceptions)}.{_explained(table, off)}" if exceptions else first


def _explained(table: pd.DataFrame, off: pd.DataFrame) -> str:
    """Whether rows below chance are at chance once labels are permuted over all clips, where that was tried."""
    low = off[(off["shuffle"] == WITHIN) & (off["difference"] < 0)]
    if low.empty:
        return ""
    keys = [name for name in KEYS if name != "shuffle"]
    over_all = table[table["shuffle"] == GLOBAL].set_index(keys)["holds"]
    tried = over_all.reindex(pd.MultiIndex.from_frame(low[keys])).dropna().astype(bool)
    if tried.empty:
        return ""
    rest = len(low) - len(tried)
    untried = f" For the other {rest} this was not tried." if rest else ""
    why = ", so there the permutation within a speaker makes the score low" if tried.any() else ""
    return (
        f" Permuted over all clips instead of within each speaker, {int(tried.sum())} of the {len(tried)} that were "
        f"tried are at chance{why}.{untried}"
    )
