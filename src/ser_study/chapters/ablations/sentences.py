"""What the tables of the ablations say, in sentences with computed numbers."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd
from scipy.stats import spearmanr

from ser_study import corpora, features, tuning
from ser_study.chapters.ablations import automl as comparing
from ser_study.chapters.ablations.channels import BOTH
from ser_study.chapters.ablations.descriptions import CONTROL, is_trained
from ser_study.chapters.ablations.searches import names
from ser_study.chapters.ablations.selection import FEATURE, N_FEATURES
from ser_study.chapters.ablations.signals import CLAIMS
from ser_study.models.baseline_models import COMPONENTS_004
from ser_study.wording import listed, p_text, percent, share, signed, word

SURE = 0.05  # a change is beyond chance where p after Holm's correction is lower
DROPPED = 100  # features, as E004 dropped of its ``COMPONENTS_004``


def points(difference: float) -> str:
    """A difference of two scores in percentage points: ``+1.2 points``."""
    return f"{signed(100 * difference)} points"


def search_title(name: str) -> str:
    """A search as a reader says it: ``002-knn`` → ``k nearest neighbours (E002a)``."""
    space = tuning.get(name)
    return f"{space.title} (E{space.system})"


def descriptions(table: pd.DataFrame) -> str:
    """The best description, the best of the hand-designed ones, and the control of the encoders."""
    by_name = table.set_index("feature")["uar_validation"]
    best = table.iloc[0]
    untrained = by_name[[not is_trained(name) and name != CONTROL for name in by_name.index]]
    summary = f"On validation speakers of {word(best['corpus'])} the highest UAR is that of {best['title']} "
    summary += f"({share(best['uar_validation'])})"
    if len(untrained) and is_trained(best["feature"]):
        title = features.get(untrained.idxmax()).title
        summary += f"; among hand-designed features, that of {title} ({share(untrained.max())})"
    if {"campplus", CONTROL} <= set(by_name.index):
        summary += (
            f". CAM++ has {share(by_name['campplus'])} with its weights and {share(by_name[CONTROL])} with "
            "random ones: the difference is what it learned from other speakers"
        )
    if {"statistics51", "statistics51_raw"} <= set(by_name.index):
        summary += (
            f". The 51 statistics have {share(by_name['statistics51'])}, and {share(by_name['statistics51_raw'])} "
            "where the pitch of loud segments is not cleaned by autocorrelation"
        )
    return f"{summary}."


def inflation_points(table: pd.DataFrame) -> float:
    """How many points random folds score higher than new speakers, mean over the models of E004's comparison."""
    able = table[table["model"] != "dummy"]
    return 100 * (able["accuracy"] - able["new_speakers"]).mean()


def automl(table: pd.DataFrame, selections: Iterable[str]) -> str:
    """The best model of E004, here and on new speakers, and how much higher random folds score.

    Parameters
    ----------
    table : from ``automl.table``
    selections : those of this run; E004 had five corpora
    """
    here = {corpora.corpus_of(name) for name in selections}
    # its list knows IEMOCAP's clips by a place in another list only, so they are never in this comparison
    missing = [word(name) for name in comparing.published_corpora() if name not in here] + [word("iemocap")]
    published, random, honest = (
        table.loc[table[column].idxmax()] for column in ("published", "accuracy", "new_speakers")
    )
    models = table[table["model"] != "dummy"]
    drawn = f" on {table.attrs[comparing.CLIPS]:,} clips" if comparing.CLIPS in table.attrs else ""
    rank, p = spearmanr(models["published"], models["accuracy"])
    agreement = "agrees with E004's" + ("" if rank > 0 and p < SURE else " no more than by chance")
    return (
        f"The best model is {word(published['model'])} in E004's own table ({share(published['published'])}), "
        f"{word(random['model'])} here{drawn} ({share(random['accuracy'])}), and {word(honest['model'])} on new "
        f"speakers ({share(honest['new_speakers'])}). Random folds score {inflation_points(table):.1f} points higher "
        f"on average; the order of the {len(models)} models {agreement} (rank correlation {share(rank)}, "
        f"p {p_text(p)}). The components come from all of these clips, as in E004, those of new speakers "
        f"included. Not in it: {listed(missing)}."
    )


def treatments(table: pd.DataFrame) -> str:
    """Which treatments change UAR beyond chance, corpus by corpus."""
    summary = []
    for corpus, rows in table[table["difference"].notna()].groupby("corpus", sort=False):
        sure = rows[rows["p_holm"] < SURE].sort_values("difference")
        named = [f"{row.treatment} ({points(row.difference)}, p {p_text(row.p_holm)})" for row in sure.itertuples()]
        span = f"{points(rows['difference'].min())} to {points(rows['difference'].max())}"
        summary.append(
            f"On {word(corpus)} the {len(rows)} other preparations change UAR by {span}; "
            f"beyond chance: {listed(named) or 'none'}."
        )
    return " ".join(summary)


def augmentation(table: pd.DataFrame) -> str:
    """What remains of E001's claim that augmentation helps and of E003's that it hurts."""
    summary = []
    for name, (baseline, claim) in CLAIMS.items():
        rows = table[table["augmentation"] == name]
        if rows.empty:
            continue
        direction = 1 if claim == "helps" else -1
        sure = rows[rows["p_holm"] < SURE]["difference"] * direction
        each = [f"{points(row.difference)} on {word(row.corpus)} with {word(row.model)}" for row in rows.itertuples()]
        summary.append(
            f"{baseline} says that augmentation {claim}; its own ({name}) gives {listed(each)}: "
            f"{_effects((sure > 0).sum(), (sure < 0).sum(), len(rows), claim)}."
        )
    return " ".join(summary)


def _effects(confirmed: int, opposed: int, n: int, claim: str) -> str:
    """How many of ``n`` tests bear a claim out, and how many its opposite."""
    tests = f"{n} tests" if n > 1 else "one test"
    if not confirmed + opposed:
        return f"no significant effect in {'any of ' * (n > 1)}{tests}"
    opposite = "hurts" if claim == "helps" else "helps"
    effects = [f"{verb} significantly in {count}" for verb, count in ((claim, confirmed), (opposite, opposed)) if count]
    return f"it {listed(effects)} of {tests}"


def channels(table: pd.DataFrame) -> str:
    """What the other channel adds to one's own, and what it is worth alone."""
    summary = []
    for (corpus, feature), rows in table.groupby(["corpus", "feature"], sort=False):
        by_training = rows.set_index("trained_on")
        both, own = by_training.loc[BOTH], by_training.loc[word(corpus)]
        other = by_training.drop(index=[BOTH, word(corpus)]).iloc[0]
        summary.append(
            f"{word(corpus)} with {word(feature)}: {share(own['uar'])} from its own clips, {share(both['uar'])} from "
            f"both ({points(both['difference'])}, p {p_text(both['p_holm'])}, with "
            f"{both['n_train'] / own['n_train']:.1f} times the clips), {share(other['uar'])} from "
            f"{other.name} alone"
        )
    return f"UAR on validation speakers. {'; '.join(summary)}." if summary else ""


def selection(table: pd.DataFrame) -> str:
    """What dropping a hundred features costs, and which rankings beat dropping at random."""
    whole = table.loc[table["dropped"] == 0, "uar"].mean()
    hundred = table[table["dropped"] == DROPPED]
    if hundred.empty:
        return ""
    ahead = hundred[hundred["folds_ahead"] > hundred["folds"] / 2]
    each = [f"{word(row.ranking)} ({row.folds_ahead:.0f} of {row.folds:.0f})" for row in ahead.itertuples()]
    best, most = hundred.loc[hundred["uar"].idxmax()], table.loc[table["gain"].idxmax()]
    return (
        f"With all {features.get(FEATURE).title} UAR is {share(whole)}; without the {DROPPED} least important ones, "
        f"{percent(DROPPED / N_FEATURES)} of them, it is at best {share(best['uar'])} ({word(best['ranking'])}). "
        f"E004's {DROPPED} were {percent(DROPPED / COMPONENTS_004)} of {COMPONENTS_004}. Better than dropping at "
        f"random in most folds: {listed(each) or 'none'}. The largest gain over dropping at random is "
        f"{points(most['gain'])}: {word(most['ranking'])}, {most['dropped']} features dropped, ahead in "
        f"{most['folds_ahead']:.0f} of {most['folds']:.0f} folds."
    )


def searches(table: pd.DataFrame) -> str:
    """How many trials were pruned, and which searches are not here."""
    missing = [search_title(name) for name in names() if name not in set(table["search"])]
    summary = (
        f"{int(table['trials'].sum())} trials in all, {int(table['pruned'].sum())} of them pruned after a report. "
        "The students' own searches reported nothing between folds, so nothing could be pruned."
    )
    if missing:
        summary += f" Not replayed here: {listed(missing)} (those of hours are in the preset `complete`)."
    return summary


def nested(table: pd.DataFrame) -> str:
    """What searching by speakers gives over the hyperparameters that the authors chose."""
    each = [
        f"{search_title(row.search)} {share(row.value)} ({points(row.difference)} against the authors' choice)"
        for row in table.itertuples()
    ]
    return (
        f"UAR on new speakers: {listed(each)}. The score inside, by which a search chooses, differs from "
        f"that on new speakers by {optimism(table)}."
    )


def optimism(table: pd.DataFrame) -> str:
    """By how many points the score inside the searches exceeds that on new speakers, from the least to the most."""
    excess = 100 * (table["inner_score"] - table["value"])
    low, high = signed(excess.min()), signed(excess.max())
    return f"{low} points" if low == high else f"{low} to {high} points"
