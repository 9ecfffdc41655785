"""Titles, captions and sentences of chapter 02, all computed from its tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ser_study.study import Study
from ser_study.wording import Caption, listed, minus, percent, sentence, word

NO_SHARES = "No corpus names two speakers and two emotions, so voice and emotion cannot be separated"


def counts() -> Caption:
    """Caption of the clips of the study."""
    return Caption("corpora", "Clips of each part of the study: those found and those analysed.")


def overview() -> Caption:
    """Caption of the features that were extracted."""
    return Caption("features", "Features extracted: dimensions, clips, and the sampling rate the clips are brought to.")


def contours_title(frames: Mapping[str, Any]) -> str:
    """Span of pitch and loudness in the clip, and how much of it is voiced."""
    f0 = frames["f0_hz"][np.isfinite(frames["f0_hz"])]
    low, high = np.percentile(frames["loudness_db"], [5, 95])
    loudness = f"loudness spans {high - low:.0f} dB"
    if not len(f0):
        return f"One clip, frame by frame: no frame is voiced, {loudness}"
    bottom, top = np.percentile(f0, [5, 95])
    voiced = percent(len(f0) / len(frames["f0_hz"]))
    return f"One clip, frame by frame: {voiced} is voiced, between {bottom:.0f} and {top:.0f} Hz; {loudness}"


def contours(study: Study, clip: Mapping[str, Any], frames: Mapping[str, Any]) -> Caption:
    """Caption of the contours of a clip; its empty case says why there is no sound."""
    return _of_clip(
        study, clip, "contours", "Pitch is drawn where the frame is voiced.", contours_title(frames) if frames else ""
    )


def frames_title(frames: Mapping[str, Any]) -> str:
    """How zero crossings and centroid differ between the voiced frames of a clip and the others."""
    voiced = np.asarray(frames["is_voiced"], dtype=bool)
    kinds = [
        f"{name} frames: {percent(frames['zcr'][chosen].mean())} of the samples cross zero, "
        f"centroid {frames['centroid_hz'][chosen].mean() / 1000:.1f} kHz"
        for name, chosen in (("voiced", voiced), ("unvoiced", ~voiced))
        if chosen.any()
    ]
    return sentence("; ".join(kinds))


def frame_features(study: Study, clip: Mapping[str, Any], frames: Mapping[str, Any]) -> Caption:
    """Caption of all frame-wise features of a clip; its empty case says why there is no sound."""
    content = "Every feature on one time axis. Roll-off: 85 %."
    return _of_clip(study, clip, "frame_features", content, frames_title(frames) if frames else "")


def variance_title(shares: pd.DataFrame) -> str:
    """How many features vary more between speakers than between emotions, over all corpora and at the extremes."""
    if shares.empty:
        return NO_SHARES
    by_corpus = _voice_shares(shares)
    if len(by_corpus) == 1:
        share = percent(by_corpus.iloc[0])
        return f"{share} of the {len(shares)} features vary more by voice than by emotion ({word(by_corpus.index[0])})"
    low, high = (f"{percent(by_corpus.iloc[end])} in {word(by_corpus.index[end])}" for end in (0, -1))
    overall = percent((shares["speaker"] > shares["emotion"]).mean())
    return f"{overall} of all features vary more by voice than by emotion: from {low} to {high}"


def variance(shares: pd.DataFrame) -> Caption:
    """Caption of the two shares of every feature."""
    return Caption(
        "variance",
        "Share of variance (η²). Each dot is one feature of the summaries; named are the three with most emotion. "
        "Dotted line: emotion and speaker explain as much.",
        alt=variance_title(shares),
        empty=f"{NO_SHARES}.",
        lead=True,
    )


def strongest() -> Caption:
    """Caption of the features with most emotion."""
    return Caption(
        "variance_strongest",
        "The five features of each corpus with the largest share of variance between emotions.",
        empty=f"{NO_SHARES}.",
        labels={"emotion": "between emotions (η²)", "speaker": "between speakers (η²)"},
    )


def correlations_title(table: pd.DataFrame) -> str:
    """The strongest correlation between two features."""
    values = table.abs().to_numpy(copy=True)
    np.fill_diagonal(values, 0.0)
    row, column = np.unravel_index(np.nanargmax(values), values.shape)
    one, two = table.index[row], table.index[column]
    return f"{word(table.index.name)}: {one} and {two} correlate most (r = {minus(table.iloc[row, column], 2)})"


def correlations(table: pd.DataFrame) -> Caption:
    """Caption of the correlations between features."""
    return Caption(
        "correlation",
        "Pearson correlation over clips, three features of each family. Colour: strength; text: with sign.",
        alt=correlations_title(table) if len(table) else "",
        empty=f"{NO_SHARES}; without these shares no features are chosen.",
    )


def similarity() -> Caption:
    """Caption of the similarity of feature sets."""
    return Caption(
        "feature_similarity",
        "Linear CKA of two feature sets on the same clips: 1 = the same geometry, 0 = unrelated.",
        empty="With one feature set there is nothing to compare.",
    )


def summary(shares: pd.DataFrame, similar: pd.DataFrame) -> str:
    """What this chapter shows, as a Markdown list.

    Parameters
    ----------
    shares : from ``tables.variance``
    similar : from ``similarity.similarity``
    """
    lines = [f"{variance_title(shares)}."]
    if len(shares):
        best = shares.loc[shares["emotion"].idxmax()]
        lines.append(
            f"Emotion shows most in the {best['feature']} on {word(best['corpus'])}: it accounts for "
            f"{percent(best['emotion'])} of its variance, the speaker for {percent(best['speaker'])}."
        )
        medians = shares.groupby("family")["emotion"].median().sort_values(ascending=False)
        by_family = listed(f"{kind} ({percent(value)})" for kind, value in medians.items())
        lines.append(f"The median share between emotions, by family: {by_family}.")
        chance = ((shares["n_speakers"] - 1) / (shares["n_clips"] - 1)).max()
        lines.append(f"By chance alone, speakers would on average account for {percent(chance, 1)} or less.")
    known = similar.dropna(subset="cka")
    if len(known):
        pairs = known.groupby(["first", "second"], sort=False)["cka"].mean().sort_values()
        (far_a, far_b), (near_a, near_b) = pairs.index[0], pairs.index[-1]
        most, least = minus(pairs.iloc[-1], 2), minus(pairs.iloc[0], 2)
        lines.append(
            f"Most similar are {near_a} and {near_b} (CKA {most}), least {far_a} and {far_b} ({least})."
            if len(pairs) > 1
            else f"Similarity of {near_a} and {near_b}, mean over corpora: CKA {most}."
        )
    return "\n".join(f"- {line}" for line in lines)


def _of_clip(study: Study, clip: Mapping[str, Any], name: str, content: str, alt: str) -> Caption:
    text = f"{clip['clip_id']}: {clip['emotion']}. {content}"
    return Caption(name, text, alt=alt, empty=study.without_audio(clip["corpus"]))


def _voice_shares(shares: pd.DataFrame) -> pd.Series:
    """Share of features in which the speaker explains more than the emotion, by corpus, sorted."""
    return (shares["speaker"] > shares["emotion"]).groupby(shares["corpus"], sort=False).mean().sort_values()
