"""From features to findings: what was extracted, what carries emotion or voice, and which sets are alike.

References
----------
Kornblith S, Norouzi M, Lee H, Hinton G (2019). Similarity of neural network representations revisited. ICML.
Song L, Smola A, Gretton A, Bedo J, Borgwardt K (2012). Feature selection via dependence maximization. JMLR 13:
1393-1434 (the estimator of HSIC without bias, which more columns than clips need).
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from ser_study import features
from ser_study.config import Config
from ser_study.experiments.findings import variance_shares
from ser_study.experiments.material import Material
from ser_study.experiments.sound_tables import analysis_of, mel_centres
from ser_study.schema import FeatureSet
from ser_study.store import Store
from ser_study.words import listed, word

Sets = Mapping[tuple[str, str], FeatureSet]
SHARES = ["corpus", "feature", "family", "emotion", "speaker", "n_clips", "n_emotions", "n_speakers"]
FAMILIES = {  # family → how the names of its summary features begin; all others are timbre
    "loudness": ("rms_", "mfcc_00"),
    "pitch": ("f0_", "voicing_"),
    "rhythm": ("duration", "voiced_", "unvoiced_", "loudness_peaks"),
}
N_ALIKE = 1000  # clips compared at most


def extract(gathered: Mapping[str, Material], *, config: Config, store: Store) -> dict[tuple[str, str], FeatureSet]:
    """Every feature set of the study, (selection, feature) → values; the large sets on their corpora only."""
    chosen = config.study
    pairs = [
        (selection, feature)
        for selection in gathered
        for feature in dict.fromkeys(
            (*chosen.features, *(chosen.large_features if selection in chosen.large_corpora else ()))
        )
    ]
    return {
        (selection, feature): features.load(feature, gathered[selection].clips, config=config, store=store)
        for selection, feature in pairs
    }


def overview(sets: Sets, config: Config) -> pd.DataFrame:
    """One row a feature: title, dimensions, clips, selections and the sampling rate of its clips (Hz)."""
    told = features.describe(config).set_index("feature")
    rows = []
    for name in dict.fromkeys(feature for _, feature in sets):
        found = {selection: values for (selection, feature), values in sets.items() if feature == name}
        rows.append(
            {
                "feature": name,
                "title": told.loc[name, "title"],
                "dimensions": next(iter(found.values())).values.shape[-1],
                "clips": sum(len(values.clip_id) for values in found.values()),
                "sample rate (Hz)": told.loc[name, "sample_rate"],
                "corpora": ", ".join(word(selection) for selection in found),
            }
        )
    return pd.DataFrame(rows)


def example(gathered: Mapping[str, Material]) -> dict[str, Any]:
    """Clip to look at closely: of the first selection, happy where possible, of the most usual length."""
    clips = next(iter(gathered.values())).clips
    happy = clips[clips["emotion"] == "happy"]
    pool = happy if len(happy) else clips
    pool = pool.assign(away=(pool["duration"] - pool["duration"].median()).abs())
    return pool.sort_values(["away", "clip_id"]).iloc[0].drop("away").to_dict()


def contours(clip: Mapping[str, Any], *, config: Config, store: Store) -> dict[str, np.ndarray]:
    """Frame by frame: ``time`` (s), ``loudness_db`` (re full scale), ``f0_hz`` (NaN where unvoiced), ``centroid_hz``,
    all (t,); ``mel_db`` (t, n_mels) and ``mel_hz``, the mean frequency of each mel band, (n_mels,).
    Nothing where the corpus is here as a pack only."""
    found = analysis_of(clip, config=config, store=store)
    if found is None:
        return {}
    return {
        "time": found.times,
        "loudness_db": 20 * np.log10(np.maximum(found.rms, 1e-5)),
        "f0_hz": np.where(found.is_voiced, found.f0, np.nan),
        "centroid_hz": found.centroid,
        "mel_db": found.mel_db,
        "mel_hz": mel_centres(found),
    }


def contours_title(told: Mapping[str, np.ndarray]) -> str:
    """Span of pitch and loudness in the clip, and how much of it is voiced."""
    f0 = told["f0_hz"][np.isfinite(told["f0_hz"])]
    low, high = np.percentile(told["loudness_db"], [5, 95])
    loud = f"loudness spans {high - low:.0f} dB"
    if not len(f0):
        return f"One clip, frame by frame: no frame is voiced, {loud}"
    bottom, top = np.percentile(f0, [5, 95])
    voiced = len(f0) / len(told["f0_hz"])
    return f"One clip, frame by frame: {_percent(voiced)} is voiced, between {bottom:.0f} and {top:.0f} Hz; {loud}"


def family(name: str) -> str:
    """Loudness, pitch, rhythm or timbre, by the name of a summary feature."""
    return next((kind for kind, starts in FAMILIES.items() if name.startswith(starts)), "timbre")


def variance(gathered: Mapping[str, Material], *, config: Config, store: Store) -> pd.DataFrame:
    """Share of the variance of every ``summary`` feature that lies between emotions, and between speakers (η²).

    Returns
    -------
    One row a selection and feature, columns ``SHARES``. Clips without a label or a named speaker take no part;
    a selection with fewer than two emotions or two speakers has no row.
    """
    tables = [pd.DataFrame(columns=SHARES)]
    for selection, part in gathered.items():
        clips = part.clips.dropna(subset=["emotion", "speaker"])
        groups = {"emotion": clips["emotion"].nunique(), "speaker": clips["speaker"].nunique()}
        if min(groups.values()) < 2:
            continue
        vectors = features.load("summary", clips, config=config, store=store)
        clips = clips.set_index("clip_id").loc[vectors.clip_id]
        shares = {unit: variance_shares(vectors.values.astype(float), clips[unit]) for unit in groups}
        table = pd.DataFrame({"corpus": selection, "feature": vectors.columns, **shares})
        table = table.assign(family=table["feature"].map(family), n_clips=len(clips),
                             n_emotions=groups["emotion"], n_speakers=groups["speaker"])  # fmt: skip
        tables.append(table[SHARES])
    return pd.concat(tables[1:] or tables, ignore_index=True)


def variance_title(shares: pd.DataFrame) -> str:
    """How many features know the voice better than the emotion, over all corpora and at the extremes."""
    if shares.empty:
        return "No corpus names two speakers and two emotions, so voice and emotion cannot be told apart"
    voice = _voice_shares(shares)
    if len(voice) == 1:
        known = f"{_percent(voice.iloc[0])} of the {len(shares)} features tell more of the voice than of the emotion"
        return f"{known} ({word(voice.index[0])})"
    low, high = (f"{_percent(voice.iloc[end])} in {word(voice.index[end])}" for end in (0, -1))
    overall = _percent((shares["speaker"] > shares["emotion"]).mean())
    return f"{overall} of all features tell more of the voice than of the emotion: from {low} to {high}"


def strongest(shares: pd.DataFrame, n: int = 5) -> pd.DataFrame:
    """The ``n`` features of each corpus with the largest share of variance between emotions."""
    ranked = shares.sort_values(["emotion", "feature"], ascending=[False, True], kind="stable")
    top = ranked.groupby("corpus", sort=False).head(n)
    order = {name: place for place, name in enumerate(dict.fromkeys(shares["corpus"]))}
    top = top.assign(place=top["corpus"].map(order)).sort_values("place", kind="stable", ignore_index=True)
    return top[["corpus", "feature", "family", "emotion", "speaker"]].assign(corpus=top["corpus"].map(word))


def correlations(gathered: Mapping[str, Material], shares: pd.DataFrame, *, config: Config, store: Store):
    """Pearson correlation of the features with most emotion (three a family) in the first selection that has shares.

    Returns
    -------
    Square table, features on both sides, grouped by family; empty without shares.
    """
    if shares.empty:
        return pd.DataFrame()
    first = shares["corpus"].iloc[0]
    here = shares[shares["corpus"] == first].sort_values(["emotion", "feature"], ascending=[False, True], kind="stable")
    best = here.groupby("family").head(3).sort_values("family", kind="stable")["feature"].tolist()
    vectors = features.load("summary", gathered[first].clips, config=config, store=store)
    table = pd.DataFrame(vectors.values.astype(float), columns=list(vectors.columns))[best].corr()
    return table.rename_axis(index=first)


def correlations_title(table: pd.DataFrame) -> str:
    """The strongest correlation between two features."""
    values = table.abs().to_numpy(copy=True)
    np.fill_diagonal(values, 0.0)
    row, column = np.unravel_index(np.nanargmax(values), values.shape)
    found = table.iloc[row, column]
    sign = "−" if found < 0 else ""
    one, two = table.index[row], table.index[column]
    return f"{word(table.index.name)}: {one} and {two} say nearly the same (r = {sign}{abs(found):.2f})"


def alikeness(sets: Sets) -> pd.DataFrame:
    """Linear CKA of every two feature sets on the same clips: ``corpus, first, second, cka, clips``.

    Of more than 1,000 clips an evenly spaced sample is taken from the sorted names, which spreads it over speakers,
    sentences and emotions. Columns are standardised first, so that no unit outweighs another.
    """
    rows = []
    for selection in dict.fromkeys(selection for selection, _ in sets):
        here = {feature: values for (name, feature), values in sets.items() if name == selection}
        for one, two in combinations(here, 2):
            clips = np.intersect1d(here[one].clip_id.astype(str), here[two].clip_id.astype(str))
            if len(clips) > N_ALIKE:
                clips = clips[np.linspace(0, len(clips) - 1, N_ALIKE).round().astype(int)]
            alike = linear_cka(here[one].rows(clips), here[two].rows(clips)) if len(clips) > 3 else np.nan
            rows.append({"corpus": word(selection), "first": word(one), "second": word(two), "cka": alike,
                         "clips": len(clips)})  # fmt: skip
    return pd.DataFrame(rows, columns=["corpus", "first", "second", "cka", "clips"])


def linear_cka(one: np.ndarray, two: np.ndarray) -> float:
    """Centred kernel alignment of two descriptions of the same n ≥ 4 clips, (n, d) and (n, e), without bias.

    1: the same geometry up to rotation; 0: unrelated (a little below 0 by chance). NaN where one is constant.
    """
    first, second = _gram(one), _gram(two)
    scale = _hsic(first, first) * _hsic(second, second)
    return float(_hsic(first, second) / np.sqrt(scale)) if scale > 0 else float("nan")


def _gram(values: np.ndarray) -> np.ndarray:
    """Inner products of standardised rows, zero on the diagonal, (n, d) → (n, n)."""
    values = values.reshape(len(values), -1).astype(float)
    spread = values.std(axis=0)
    scaled = (values - values.mean(axis=0))[:, spread > 1e-9] / spread[spread > 1e-9]
    gram = scaled @ scaled.T
    np.fill_diagonal(gram, 0.0)
    return gram


def _hsic(first: np.ndarray, second: np.ndarray) -> float:
    """Hilbert–Schmidt independence criterion without bias (Song et al. 2012, equation 4), up to its factor."""
    n = len(first)
    whole = first.sum() * second.sum() / ((n - 1) * (n - 2))
    return float((first * second).sum() + whole - 2 / (n - 2) * (first.sum(axis=0) @ second.sum(axis=0)))


def summary(shares: pd.DataFrame, alike: pd.DataFrame) -> str:
    """What this chapter found, as Markdown."""
    lines = [f"{variance_title(shares)}."]
    if len(shares):
        best = shares.loc[shares["emotion"].idxmax()]
        lines.append(
            f"Most emotion is in `{best['feature']}`, {word(best['corpus'])}: emotion accounts for "
            f"{_percent(best['emotion'])} of its variance, the speaker for {_percent(best['speaker'])}."
        )
        kinds = shares.groupby("family")["emotion"].median().sort_values(ascending=False)
        told = listed(f"{kind} ({_percent(value)})" for kind, value in kinds.items())
        lines.append(f"The median share between emotions, by family: {told}.")
        chance = ((shares["n_speakers"] - 1) / (shares["n_clips"] - 1)).max()
        lines.append(f"By chance alone, speakers would account for {100 * chance:.1f} % at most.")
    known = alike.dropna(subset="cka")
    if len(known):
        pairs = known.groupby(["first", "second"], sort=False)["cka"].mean().sort_values()
        (far_a, far_b), (near_a, near_b) = pairs.index[0], pairs.index[-1]
        text = f"Most alike are {near_a} and {near_b} (CKA {pairs.iloc[-1]:.2f}), least {far_a} and {far_b} "
        only = f"Likeness of {near_a} and {near_b}, mean over corpora: CKA {pairs.iloc[-1]:.2f}."
        lines.append(f"{text}({pairs.iloc[0]:.2f})." if len(pairs) > 1 else only)
    return "\n".join(f"- {line}" for line in lines)


def _voice_shares(shares: pd.DataFrame) -> pd.Series:
    """Share of features in which the speaker explains more than the emotion, by corpus, sorted."""
    return (shares["speaker"] > shares["emotion"]).groupby(shares["corpus"], sort=False).mean().sort_values()


def _percent(value: float) -> str:
    return f"{100 * value:.0f} %"
