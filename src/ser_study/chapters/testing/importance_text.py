"""Titles, captions and sentences about what the systems use, computed from their tables."""

from __future__ import annotations

import math
from operator import itemgetter

import pandas as pd

from ser_study import features
from ser_study.chapters.testing import declare, occlusion
from ser_study.chapters.testing.importance import ALL, TOP
from ser_study.study import Study
from ser_study.wording import Caption, listed, minus, number, sentence, share, span, word

NOT_TESTED = "No selection of this run allows a test on new speakers, so there is no system to explain."
SHARED = 3  # selections that an emotion must be in, to be named as the one that loses most
NO_ENCODER = "The small encoder is not in this run, or no sound is here that it could listen to."


def overall(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of ``importance.by_family`` over all emotions, without columns that say so."""
    return table[table["emotion"] == ALL].drop(columns="emotion").reset_index(drop=True)


def families_title(table: pd.DataFrame) -> str:
    """The family that costs most on average, and the one that costs most for its number of columns."""
    means = overall(table).groupby("family", sort=False)[["drop", "per_column"]].mean()
    most, dense = means["drop"].idxmax(), means["per_column"].idxmax()
    return (
        f"Without {most} UAR falls most ({100 * means.loc[most, 'drop']:.0f} points on average); for its number of "
        f"columns {dense} counts most ({number(100 * means.loc[dense, 'per_column'], 2)} points a column)"
    )


def families_figure(table: pd.DataFrame) -> Caption:
    """What permuting each family costs."""
    if table.empty:
        return Caption("importance", "", empty=NOT_TESTED)
    words = (
        "The system on hand-crafted features: what UAR on new speakers loses when all columns of one family are "
        "permuted together over the test clips (points; left), and what the recall of each emotion loses, averaged "
        "over the corpora that have it (right). A negative number: the family misled the system."
    )
    return Caption("importance", words, alt=f"{families_title(table)}.", finding=families_finding(table))


def families_finding(table: pd.DataFrame) -> str:
    """Which families matter surely, and to which emotion most."""
    whole = overall(table)
    text = f"{_sure(whole)} What two families have in common is lost by neither alone."
    single = table[table["emotion"] != ALL]
    least, n_selections = min(SHARED, whole["corpus"].nunique()), single.groupby("emotion")["corpus"].nunique()
    shared = single[single["emotion"].isin(n_selections.index[n_selections >= least])]
    if shared.empty:
        return text
    means = shared.groupby(["family", "emotion"], sort=False)["drop"].mean()
    each = [f"{family}: {word(part.idxmax()[1])} ({minus(100 * part.max())} points)"
            for family, part in means.groupby("family", sort=False)]  # fmt: skip
    which = f"of those in {least} selections or more, in their mean" if least > 1 else "of the one selection"
    return f"{text} The emotion that loses most without each, {which}: {listed(each)}."


def _sure(whole: pd.DataFrame) -> str:
    """In how many selections each family loses surely; families that are alike in this stand together."""
    n = whole["corpus"].nunique()
    counts = (whole["low"] > 0).groupby(whole["family"], sort=False).sum()
    text = "the whole interval of the loss is above 0"
    if (counts == n).all():
        return f"{sentence(text)} for every family in {f'all {n} selections' if n > 1 else 'the one selection'}."
    alike = sorted(counts.groupby(counts), key=itemgetter(0), reverse=True)
    each = "; ".join(f"in {count} for {listed(part.index)}" for count, part in alike)
    return f"Of {n} selection{'s' * (n != 1)}, {text} {each}."


def families(table: pd.DataFrame) -> Caption:
    """The same with intervals."""
    words = (
        "Loss of UAR without each family, with its interval over speakers; the same for each of its columns; and UAR "
        "when all other families are permuted. Band levels, cepstrum and spectral shape are parts of timbre; the "
        "levels of the mel bands carry loudness too."
    )
    labels = {
        "n_columns": "columns",
        "drop": "loss of UAR",
        "per_column": "loss per column",
        "alone": "UAR with it alone",
    }
    decimals = {"per_column": 4}
    return Caption("importance_families", words, empty=NOT_TESTED, labels=labels, decimals=decimals, page_length=20)


def columns(table: pd.DataFrame) -> Caption:
    """The features that speak most for each emotion.

    Parameters
    ----------
    table : of ``importance.strongest``
    """
    words = (
        f"The {TOP} features with the largest mean absolute Shapley value for each emotion, and the values that speak "
        "for it. For a linear system the value of a feature is known in closed form: its weight times its distance "
        "from the training mean (Lundberg and Lee 2017, features taken as independent)."
    )
    labels = {"features": "features that weigh most"}
    return Caption("shapley", words, empty=NOT_TESTED, labels=labels, page_length=20, finding=columns_finding(table))


def columns_finding(table: pd.DataFrame) -> str:
    """For each emotion the feature that is named in most selections."""
    named = table.assign(feature=table["features"].str.split("; ")).explode("feature")
    counts = named.groupby(["emotion", "feature"], sort=False)["corpus"].nunique()
    several = counts[counts > 1].sort_values(ascending=False, kind="stable")
    first = several.reset_index().drop_duplicates("emotion")
    if first.empty:
        return "No feature is among the first of an emotion in two corpora or more." if len(table) else ""
    each = [f"{word(row.emotion)}: {row.feature}, in {row.corpus}" for row in first.itertuples()]
    n = table["corpus"].nunique()
    return f"Named for the same emotion in several of the {n} selections: {'; '.join(each)}."


def occlusion_title(table: pd.DataFrame) -> str:
    """The band and the stretch that most emotions miss most."""
    worst = [occlusion.average(table, kind).idxmin(axis=1) for kind in occlusion.KINDS]
    (band, n_band), (stretch, n_stretch) = (next(one.value_counts().items()) for one in worst)
    n = len(worst[0])
    return (
        f"Of {n} emotions, {n_band} miss {occlusion.names_of('frequency')[band]} kHz most, and {n_stretch} the "
        f"{_ordinal(stretch + 1)} eighth of the clip"
    )


def _ordinal(number: int) -> str:
    return {1: "first", 2: "second", 3: "third", occlusion.PARTS: "last"}.get(number, f"{number}th")


def occlusion_figure(table: pd.DataFrame, study: Study) -> Caption:
    """Change of the true class's log-probability."""
    if table.empty:
        return Caption("occlusion", "", empty=NO_ENCODER)
    clips = table[(table["kind"] == occlusion.KINDS[0]) & (table["place"] == 0)]
    words = (
        f"{features.get('campplus').title} under a linear head: an eighth of the bands of its input, or of the clip, "
        "is set to its mean. Change of the logarithm of the true class's probability (−0.69 halves it), mean over "
        f"{clips['n'].sum()} test clips of {clips['corpus'].nunique()} selections, each counting alike. Selections of "
        f"fewer than {declare.MIN_SPEAKERS} speakers are left out, since their systems cannot learn how sure to be."
    )
    finding = occlusion_finding(table)
    return Caption("occlusion", words, alt=f"{occlusion_title(table)}. {finding}", finding=finding)


def occlusion_finding(table: pd.DataFrame) -> str:
    """For each emotion what it misses most."""
    bands, stretches = (occlusion.average(table, kind) for kind in occlusion.KINDS)
    names = occlusion.names_of("frequency")
    each = [f"{word(emotion)} {names[row.idxmin()]} kHz" for emotion, row in bands.iterrows()]
    means = {"a band": bands.mean().min(), "a stretch of time": stretches.mean().min()}
    costs = [f"hiding {kind} multiplies the true class's probability by {share(math.exp(change), 2)} at worst"
             for kind, change in means.items()]  # fmt: skip
    return (
        f"Missed most by {listed(each)}. On average over the emotions, {listed(costs)}. With "
        f"{span(table['n'])} clips of an emotion in a selection, the order of the bands is uncertain."
    )


def occlusion_table(table: pd.DataFrame) -> pd.DataFrame:
    """One row a selection and emotion: the band and the eighth of the clip that are missed most."""
    rows = []
    for (corpus, emotion), part in table.groupby(["corpus", "emotion"], sort=False):
        row = {"corpus": corpus, "emotion": emotion, "n": int(part["n"].iloc[0])}
        for kind in occlusion.KINDS:
            worst = part[part["kind"] == kind].sort_values("change", kind="stable").iloc[0]
            row |= {kind: occlusion.names_of(kind)[worst["place"]], f"{kind}_change": worst["change"]}
        rows.append(row)
    names = [name for kind in occlusion.KINDS for name in (kind, f"{kind}_change")]
    return pd.DataFrame(rows, columns=["corpus", "emotion", "n", *names])


def occlusion_caption(table: pd.DataFrame) -> Caption:
    """Where each emotion of each selection loses most."""
    words = (
        "For each emotion of each selection, the band and the eighth of the clip whose absence costs most, and the "
        "change of the logarithm of the true class's probability."
    )
    labels = {"frequency": "band (kHz)", "frequency_change": "change without it", "time": "eighth of the clip"}
    labels |= {"time_change": "change without that"}
    decimals = {"frequency_change": 2, "time_change": 2}
    return Caption("occlusion_by_corpus", words, empty=NO_ENCODER, labels=labels, decimals=decimals, page_length=20)
