"""What the section on subgroups says: captions, titles, and sentences whose numbers are computed."""

from __future__ import annotations

import pandas as pd

from ser_study.chapters.testing.declare import TITLES
from ser_study.chapters.testing.groups import LISTENERS, MIN_SPEAKERS, OF_SPEAKERS, OTHERS
from ser_study.wording import Caption, listed, minus, p_text, sentence, share, signed, word

NO_GROUPS = "The clips of this run say nothing of their speakers or of how they were spoken that would make two groups."
ALPHA = 0.05
ATTRIBUTES = {"statement": "sentence"}


def pair(row) -> str:
    """A comparison in words: ``male − female``, ``sentence IEO − others``."""
    named = f"{ATTRIBUTES.get(row.attribute, row.attribute)} {row.group}"
    group = word(row.group) if row.attribute in ("gender", "channel") else named
    return f"{group} − {word(row.against)}"


def gaps(table: pd.DataFrame) -> Caption:
    """All gaps."""
    return Caption(
        "subgroups",
        "UAR of a group minus that of the group it is set against, on new speakers, over the classes and sentences of "
        "both; in brackets 95 % intervals over speakers. Groups of speakers are tested by permuting them, others by "
        "flipping signs of the speakers' own gaps. Holm corrects the p values within each selection; intervals are not "
        f"corrected. Fewer than {MIN_SPEAKERS} speakers: no test.",
        empty=NO_GROUPS,
        labels={"value": "UAR", "difference": "gap", "listeners_difference": "listeners' gap"},
        only_csv=("value_against", "n", "n_speakers", "p"), interval_of={"listeners_difference": "listeners"},
    )  # fmt: skip


def gaps_figure(table: pd.DataFrame) -> Caption:
    """Gaps of the largest system beside those of listeners."""
    drawn = drawn_rows(table)
    rows = [f"{word(row.corpus)}, {pair(row)} {signed(100 * row.difference)}" for row in drawn.itertuples()]
    return Caption(
        "subgroup_gaps",
        "Gap in UAR between groups, of the largest system of each selection and of listeners on the same clips; bars: "
        "95 % intervals over speakers, not corrected for the number of gaps. Hollow: too few speakers to claim "
        "anything. Sentences are in the table where there are more than two.",
        alt=f"One row per pair of groups, its gap in points. {'; '.join(rows)}." if rows else "",
        empty=NO_GROUPS,
        finding=gaps_finding(table),
    )


def drawn_rows(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of the figure: the largest system of each selection, without sentences set against all others."""
    order = {title: place for place, title in enumerate(TITLES.values())}
    largest = table["system"].map(order)
    drawn = largest == largest.groupby(table["corpus"]).transform("max")
    return table[drawn & ((table["attribute"] != "statement") | (table["against"] != OTHERS))]


def gaps_title(table: pd.DataFrame) -> str:
    """How many tested gaps of the figure are more than chance explains."""
    drawn = drawn_rows(table)
    tested = drawn[drawn["p_holm"].notna()]
    if tested.empty:
        return f"Gaps between groups; none has the {MIN_SPEAKERS} speakers on each side that a claim needs"
    beyond = int((tested["p_holm"] < ALPHA).sum())
    systems = sentence(listed(dict.fromkeys(tested["system"])))
    return (
        f"{systems}: of {_gaps(len(tested))} tested here, {beyond or 'none'} {'are' if beyond > 1 else 'is'} beyond "
        "chance after Holm's correction"
    )


def gaps_finding(table: pd.DataFrame) -> str:
    """How many gaps between groups of speakers chance does not explain; in each selection the largest of all gaps
    that it does not, and the listeners' beside it."""
    if not table["p_holm"].notna().any():
        return ""
    lines = _of_speakers(table)
    if not (table["p_holm"] < ALPHA).any():
        return "\n".join([*lines, "- **All groups**: no tested gap is beyond chance after Holm's correction."])
    for corpus, rows in table[table["p_holm"] < ALPHA].groupby("corpus", sort=False):
        best = rows.loc[rows["difference"].abs().idxmax()]
        human = ""
        if best["listeners_difference"] == best["listeners_difference"]:
            human = f"; listeners {signed(100 * best['listeners_difference'])}"
        limits = f" [{minus(100 * best['low'])}, {minus(100 * best['high'])}]" if best["low"] == best["low"] else ""
        lines.append(
            f"- **{word(corpus)}**: {_gaps(len(rows))} beyond chance; the largest is "
            f"{pair(best)}, {best['system']}: {signed(100 * best['difference'])} points"
            f"{limits}, p (Holm) {p_text(best['p_holm'])}{human}."
        )
    return "\n".join(lines)


def _of_speakers(table: pd.DataFrame) -> list[str]:
    """One line on the tested gaps between groups of speakers, of all systems; none without such a gap."""
    tested = between_speakers(table)
    if tested.empty:
        return []
    kinds = listed(kind for kind in OF_SPEAKERS if kind in set(tested["attribute"]))
    counted = f"{beyond_chance(tested, 'tested over all systems')}{untested(table)}"
    return [f"- **Groups of speakers** ({kinds}): {counted}."]


def between_speakers(table: pd.DataFrame) -> pd.DataFrame:
    """The tested gaps between groups of speakers, of all systems."""
    return table[table["attribute"].isin(OF_SPEAKERS) & table["p_holm"].notna()]


def untested(table: pd.DataFrame) -> str:
    """How many gaps between groups of speakers are too small to be tested; empty without any."""
    n = int((table["attribute"].isin(OF_SPEAKERS) & table["p_holm"].isna()).sum())
    are = "is" if n == 1 else "are"
    return f" ({n} more {are} not tested: a side has fewer than {MIN_SPEAKERS} speakers)" if n else ""


def beyond_chance(tested: pd.DataFrame, which: str = "tested") -> str:
    """How many tested gaps chance does not explain."""
    beyond = int((tested["p_holm"] < ALPHA).sum())
    count = f"{beyond or 'none'} of {_gaps(len(tested))} {which} {'are' if beyond > 1 else 'is'}"
    return f"{count} beyond chance after Holm's correction"


def _gaps(n: int) -> str:
    return f"{n} gap{'s' * (n != 1)}"


def spread(table: pd.DataFrame) -> Caption:
    """Worst, median and best speaker."""
    return Caption(
        "speaker_spread",
        "UAR of single speakers, none of whom the system was trained on, over the classes that each has; listeners on "
        "the same speakers where their answers are known.",
        empty=NO_GROUPS,
        finding=_spread_finding(table) if len(table) else "",
        labels={"sd": "sd over speakers"},
    )


def _spread_finding(table: pd.DataFrame) -> str:
    """The system that differs most from speaker to speaker, where there are enough of them, and its listeners."""
    several = table[(table["system"] != LISTENERS) & (table["n_speakers"] >= MIN_SPEAKERS)]
    if several.empty:
        return f"No selection has the {MIN_SPEAKERS} speakers that a comparison of spreads needs."
    widest = several.loc[several["sd"].idxmax()]
    human = table[(table["system"] == LISTENERS) & (table["corpus"] == widest["corpus"])]
    beside = f" Listeners on the same speakers: {_range(human.iloc[0])}." if len(human) else ""
    return (
        f"Of the selections with {MIN_SPEAKERS} speakers or more, the widest spread is that of {widest['system']} on "
        f"{word(widest['corpus'])}: {_range(widest)} of {widest['n_speakers']}, sd {share(widest['sd'])}.{beside}"
    )


def _range(row) -> str:
    return listed([f"{share(row['worst'])} on the worst", f"{share(row['best'])} on the best speaker"])
