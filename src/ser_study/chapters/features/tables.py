"""What was extracted, and how much of each feature is emotion or voice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from ser_study import features
from ser_study.evaluation.summaries import variance_shares
from ser_study.features import column_names
from ser_study.features.column_names import family
from ser_study.schema import FeatureSet
from ser_study.study import Study
from ser_study.wording import word

FeatureSets = Mapping[tuple[str, str], FeatureSet]  # (selection, feature) → values
DESCRIBED = "summary"  # the feature whose columns are looked at one by one
SHARES = ["corpus", "feature", "family", "emotion", "speaker", "n_clips", "n_emotions", "n_speakers"]
REASONS = {"conflict": "with two labels"}  # why clips are left out, where the audit's word for it is no plain one
PER_FAMILY = 3  # columns of each family whose correlations are shown


def counts(study: Study) -> pd.DataFrame:
    """Found and analysed clips, speakers, sentences and classes of each selection, one row a selection."""
    rows = []
    for name, part in study.selections.items():
        reasons = part.dropped["reason"].value_counts()
        rows.append(
            {
                "corpus": name,
                "found": len(part.clips) + len(part.dropped),
                "analysed": len(part.clips),
                "dropped": ", ".join(f"{n} {REASONS.get(reason, reason)}" for reason, n in reasons.items()) or "–",
                "speakers": part.n_speakers,
                "sentences": part.clips["statement"].nunique(),
                "classes": part.clips["emotion"].nunique(),
                "hours": part.clips["duration"].sum() / 3600,
            }
        )
    return pd.DataFrame(rows)


def extract(study: Study) -> dict[tuple[str, str], FeatureSet]:
    """Every hand-crafted feature of the benchmark, (selection, feature) → values; the large ones on their selections
    only, and each part of those that it puts side by side."""
    settings, sets = study.config.benchmark, {}
    for selection in study.selections:
        large = settings.large_features if selection in settings.large_corpora else ()
        names = (*settings.features, *settings.wide_features, *large)
        for feature in dict.fromkeys(part for name in names for part in name.split("+")):
            sets[selection, feature] = study.features(selection, feature)
    return sets


def overview(study: Study, sets: FeatureSets) -> pd.DataFrame:
    """One row a feature: title, dimensions, clips, selections and the sampling rate of its clips (Hz)."""
    registered = features.describe(study.config).set_index("feature")
    rows = []
    for name in dict.fromkeys(feature for _, feature in sets):
        by_selection = {selection: values for (selection, feature), values in sets.items() if feature == name}
        rows.append(
            {
                "feature": name,
                "title": registered.loc[name, "title"],
                "dimensions": next(iter(by_selection.values())).values.shape[-1],
                "clips": sum(len(values.clip_id) for values in by_selection.values()),
                "sample rate (Hz)": registered.loc[name, "sample_rate"],
                "corpora": ", ".join(word(selection) for selection in by_selection),
            }
        )
    return pd.DataFrame(rows)


def variance(study: Study) -> pd.DataFrame:
    """Share of the variance of every column of ``DESCRIBED`` that lies between emotions, and between speakers (η²).

    Returns
    -------
    One row a selection and column, columns ``SHARES``. Clips without a label or a named speaker take no part;
    a selection with fewer than two emotions or two speakers has no row.
    """
    tables = [pd.DataFrame(columns=SHARES)]
    for selection, part in study.selections.items():
        clips = part.clips.dropna(subset=["emotion", "speaker"])
        groups = {"emotion": clips["emotion"].nunique(), "speaker": clips["speaker"].nunique()}
        if min(groups.values()) < 2:
            continue
        vectors = features.load(DESCRIBED, clips, config=study.config, store=study.store)
        clips = clips.set_index("clip_id").loc[vectors.clip_id]
        shares = {unit: variance_shares(vectors.values.astype(float), clips[unit]) for unit in groups}
        table = pd.DataFrame({"corpus": selection, "feature": vectors.columns, **shares})
        table = table.assign(family=table["feature"].map(family), n_clips=len(clips),
                             n_emotions=groups["emotion"], n_speakers=groups["speaker"])  # fmt: skip
        tables.append(table[SHARES])
    return pd.concat(tables[1:] or tables, ignore_index=True)


def in_words(table: pd.DataFrame, study: Study) -> pd.DataFrame:
    """A table of this chapter with what its features measure in place of the names of their columns."""

    def named(value: Any) -> Any:
        return column_names.in_words(value, sample_rate=study.config.audio.sample_rate, frames=study.config.frames)

    if "feature" in table:
        return table.assign(feature=table["feature"].map(named))
    return table.rename(index=named, columns=named)


def strongest(shares: pd.DataFrame, n: int = 5) -> pd.DataFrame:
    """The ``n`` columns of each corpus with the largest share of variance between emotions."""
    top = _ranked(shares).groupby("corpus", sort=False).head(n)
    order = {name: place for place, name in enumerate(dict.fromkeys(shares["corpus"]))}
    top = top.assign(place=top["corpus"].map(order)).sort_values("place", kind="stable", ignore_index=True)
    return top[["corpus", "feature", "family", "emotion", "speaker"]].assign(corpus=top["corpus"].map(word))


def correlations(study: Study, shares: pd.DataFrame) -> pd.DataFrame:
    """Pearson correlation of the columns with most emotion (three a family) in the first selection with shares.

    Returns
    -------
    Square table, columns on both sides, grouped by family, its index named after the selection; empty without shares.
    """
    if shares.empty:
        return pd.DataFrame()
    first = shares["corpus"].iloc[0]
    best = _ranked(shares[shares["corpus"] == first]).groupby("family").head(PER_FAMILY)
    names = best.sort_values("family", kind="stable")["feature"].tolist()
    vectors = study.features(first, DESCRIBED)
    table = pd.DataFrame(vectors.values.astype(float), columns=list(vectors.columns))[names].corr()
    return table.rename_axis(index=first)


def _ranked(shares: pd.DataFrame) -> pd.DataFrame:
    """The most emotion first; equal shares by name."""
    return shares.sort_values(["emotion", "feature"], ascending=[False, True], kind="stable")
