"""What chapter 06 says: captions of its tables and figures, and sentences whose numbers are computed."""

from __future__ import annotations

import pandas as pd

from ser_study.chapters.ensembles.gender import RIVALS, SYSTEM, SYSTEMS
from ser_study.chapters.ensembles.votes import TESTED
from ser_study.wording import Caption, listed, minus, p_text, percent, share, signed, word

NO_VOTES = "No selection here has the four speakers that a vote needs to be decided by."
NO_RAVDESS = "RAVDESS is not here, or some training part of its speaker folds lacks women or men, so none is compared."


def votes(table: pd.DataFrame) -> Caption:
    """Votes against the best single system."""
    return Caption(
        "votes",
        "UAR on new speakers; the change is against the best single system.",
        empty=NO_VOTES,
        labels={"uar_validation": "UAR, validation speakers"},
    )


def votes_figure(table: pd.DataFrame) -> Caption:
    """The change each vote brings, and the best vote of every selection."""
    rows = [
        f"{word(row.corpus)}, {row.system} {signed(100 * row.difference)}"
        for row in table[table["difference"].notna()].itertuples()
    ]
    return Caption(
        "vote_differences",
        "Change of UAR from the best single system to each vote, on the same test clips; bars: 95 % intervals over "
        "speakers.",
        alt=f"One row per vote, its change in points. {'; '.join(rows)}.",
        empty="" if table.empty else "The votes need two models or two feature sets; this run has one system.",
        finding=votes_finding(table),
        lead=True,
    )


def votes_title(table: pd.DataFrame) -> str:
    """How many votes are above the single system beyond chance."""
    voted = table[table["difference"].notna()]
    better = int(((voted["difference"] > 0) & (voted["p_holm"] < 0.05)).sum())
    worse = int(((voted["difference"] < 0) & (voted["p_holm"] < 0.05)).sum())
    tail = f", {worse} below" if worse else ""
    return f"{better} of {len(voted)} votes are above the best single system by more than chance explains{tail}"


def votes_finding(table: pd.DataFrame) -> str:
    """The vote of every selection that is best on validation speakers, against the single system, effect before p."""
    lines = []
    for corpus, rows in table.groupby("corpus", sort=False):
        voted = rows[rows["difference"].notna()]
        if voted.empty:
            continue
        one = voted.loc[voted["uar_validation"].idxmax()]
        span = f"[{minus(100 * one['low'])}, {minus(100 * one['high'])}]"
        note = f" ({one['note']})" if one["note"] else ""
        lines.append(
            f"- **{word(corpus)}**: the {one['system']}, best on validation speakers, changes UAR by "
            f"{signed(100 * one['difference'])} points {span} against the single system on test speakers, p (Holm) "
            f"{p_text(one['p_holm'])}{note}."
        )
    return "\n".join(lines)


def baseline_votes(table: pd.DataFrame) -> Caption:
    """The student projects' votes, rebuilt."""
    return Caption(
        "baseline_votes",
        "Accuracy on the projects' own lists, where the same speakers are in training and test.",
        empty="No vote of a student project is in this run: it needs the whole of RAVDESS and the preset `full`; "
        "chapter 08 says what is missing.",
        finding=_baseline_finding(table) if len(table) else "",
        labels={"gain": "vote − best model"},
    )


def _baseline_finding(table: pd.DataFrame) -> str:
    """How many votes are above their best model, and the largest gain, in clips too."""
    best = table.loc[table["gain"].idxmax()]
    above = int((table["gain"] > 0).sum())
    return (
        f"{above} of {len(table)} votes {'is' if above == 1 else 'are'} above the best rebuilt model of the same list; "
        f"the largest gain is {signed(100 * best['gain'])} points ({word(best['model'])}, {best['id']})"
        f"{_in_clips(best, table)}. None of these differences is tested."
    )


def _in_clips(row: pd.Series, table: pd.DataFrame) -> str:
    """A gain in clips of the list; empty where their number is not known."""
    n = table.attrs.get(TESTED, {}).get(row["id"])
    return f", about {row['gain'] * n:.0f} of the {n:,} clips of its list" if n else ""


def emotions(table: pd.DataFrame) -> Caption:
    """Gender first against emotion alone."""
    return Caption(
        "gender_first",
        f"All emotions of a channel on new speakers{_system(table)}; the change is against emotion alone.",
        empty=NO_RAVDESS,
        labels={"value": "UAR", "difference_low": "change from", "difference_high": "change to",
                "gender_accuracy": "gender, accuracy"},
    )  # fmt: skip


def emotions_figure(table: pd.DataFrame) -> Caption:
    """UAR of every system."""
    rows = [f"{word(row.corpus)}, {SYSTEMS[row.system]} {share(row.value)}" for row in table.itertuples()]
    return Caption(
        "gender_first_scores",
        f"UAR over the emotions (eight in speech, six in song) on new speakers{_system(table)}; bars: 95 % intervals "
        "over speakers.",
        alt=f"One panel per selection, one row per system. {'; '.join(rows)}.",
        finding=emotions_finding(table),
        lead=True,
    )


def _system(table: pd.DataFrame) -> str:
    """Feature and model of all rows, after a comma; empty where they are not known."""
    return ", {} under {}".format(*map(word, table.attrs[SYSTEM])) if SYSTEM in table.attrs else ""


def emotions_title(table: pd.DataFrame) -> str:
    """The change that the best of the systems with gender brings on each selection."""
    changes = []
    for corpus, rows in table.groupby("corpus", sort=False):
        best = rows[rows["system"].isin(RIVALS)]["difference"].astype(float).max()
        changes.append(f"{signed(100 * best)} points on {word(corpus)}")
    return f"Gender changes UAR by at best {listed(changes)}"


def emotions_finding(table: pd.DataFrame) -> str:
    """For each selection, what the best system gains on flat, and what two steps gain with the true gender."""
    if table.empty:
        return ""
    parts = []
    for corpus, rows in table.groupby("corpus", sort=False):
        rows = rows.set_index("system")
        best = rows.loc[list(RIVALS), "difference"].astype(float).idxmax()
        gain, given = (signed(100 * rows.loc[name, "difference"]) for name in (best, "oracle"))
        verdict = "" if rows.loc[best, "p_holm"] < 0.05 else ", which chance can explain"
        parts.append(
            f"{word(corpus)}: emotion alone {share(rows.loc['flat', 'value'])}; best of the others, {SYSTEMS[best]}, "
            f"{gain} points{verdict}; with the true gender given, {given} points"
        )
    return f"UAR of the emotions. {'. '.join(parts)}."


def genders(table: pd.DataFrame) -> Caption:
    """What one wrong label costs."""
    return Caption(
        "gender_labels",
        f"Gender recognition with true labels and with those of E000{_system(table)}. Clips of emotions that RAVDESS "
        "lacks are left out.",
        empty="This comparison needs RAVDESS speech and TESS.",
        finding=_genders_finding(table) if len(table) else "",
        labels={"recall_female": "recall, women", "recall_male": "recall, men"},
    )


def _genders_finding(table: pd.DataFrame) -> str:
    """Accuracy with true and with wrong labels: of one model against both, and of a model for each."""
    one, two = [], []
    for corpus, rows in table.groupby("corpus", sort=False):
        by_labels = rows.set_index("labels").apply(_accuracy, axis=1)
        scores = f"{word(corpus)} {by_labels['true']} and {by_labels['as E000']}"
        (one if rows["trained_on"].nunique() == 1 else two).append(scores)
    parts = [
        f"{how}: {'; '.join(scores)}."
        for how, scores in (
            ("One model, scored against the true labels and against those of E000", one),
            ("A model trained with the true labels and one with those of E000, both scored against the true ones", two),
        )
        if scores
    ]
    recalls = table.melt(["corpus", "labels"], ["recall_female", "recall_male"], value_name="recall").dropna()
    worst = recalls.loc[recalls["recall"].astype(float).idxmin()]
    people = {"recall_female": "women", "recall_male": "men"}[worst["variable"]]
    same = recalls[(recalls["corpus"] == worst["corpus"]) & (recalls["variable"] == worst["variable"])]
    both = same.set_index("labels")["recall"].map(lambda value: percent(value, 1))
    return (
        f"Accuracy of the gender, in brackets that of always answering the commoner one. {' '.join(parts)} Fewest are "
        f"recognised of the {people} of {word(worst['corpus'])}: {both.get('true', '–')} with true labels and "
        f"{both.get('as E000', '–')} with those of E000."
    )


def _accuracy(row: pd.Series) -> str:
    """Accuracy of a row, and that of always answering the commoner gender, which follows from both recalls."""
    women, men = row["recall_female"], row["recall_male"]
    if women == men:
        return share(row["accuracy"])
    share_of_women = (row["accuracy"] - men) / (women - men)
    commoner = max(share_of_women, 1 - share_of_women) if share_of_women == share_of_women else 1.0
    return f"{share(row['accuracy'])} ({share(commoner)})"
