"""Titles and sentences about single clips and the classic descriptors; every number in them is computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ser_study.experiments.corpus_tables import MIDDLE, STRENGTH
from ser_study.experiments.corpus_words import SEXES, extremes, many
from ser_study.words import listed, sentence

Items = Sequence[Mapping[str, Any]]


def examples_title(examples: Items) -> str:
    """Who is heard, and which of the clips reaches the highest and the lowest peak."""
    peaks = pd.Series({item["emotion"]: _peak(item) for item in examples})
    if len(peaks) < 2:
        return f"{_who(examples)} in one emotion, {peaks.index[0]}"
    return f"{_who(examples)} in {many(len(peaks), 'emotion')}{_sentence_of(examples)}: " + extremes(
        peaks.sort_values(), "{} peaks lowest ({:.0f} dB), {} highest ({:.0f} dB)", "all peak at {:.0f} dB", decimals=0
    )


def intensity_title(items: Items) -> str:
    """By how much the strongest intensity peaks above the weakest, over the emotions that have both."""
    change = _changes(items)
    if change.empty:
        return examples_title(items)
    weak, *_, strong = _levels(items)
    middle = change["peak"].median()
    how = f"{abs(middle):.0f} dB {'higher' if middle > 0 else 'lower'} than" if round(middle) else "as high as"
    return (
        f"{_who(items)}{_sentence_of(items)}: at {strong} intensity the voice peaks {how} at {weak} intensity "
        f"(median of {many(len(change), 'emotion')})"
    )


def intensity_words(items: Items) -> str:
    """How many emotions are louder and longer when they are acted more strongly; or that no intensity is known."""
    change = _changes(items)
    if change.empty:
        return "No emotion is known here at two intensities, so each has one waveform."
    n, (weak, *_, strong) = len(change), _levels(items)
    rises, most = change["peak"], change["peak"].abs().idxmax()
    text = (
        f"From {weak} to {strong} intensity the peak rises in {(rises > 0).sum()} of {many(n, 'emotion')} and the clip "
        f"grows longer in {(change['length'] > 0).sum()}. The peak changes most in {most}: "
        f"{_than(rises[most], '{:.0f} dB higher', '{:.0f} dB lower', 'not at all')}."
    )
    rest = [name for name in dict.fromkeys(item["emotion"] for item in items) if name not in change.index]
    return text + (f" {sentence(listed(rest))} cannot be compared: not known at both." if rest else "")


def pair_title(items: Items) -> str:
    """The median F0 of the woman and of the man, and how far they lie apart."""
    woman, man = (float(np.nanmedian(item["f0_hz"])) for item in items)
    apart = 12 * np.log2(woman / man)
    return (
        f"{sentence(items[0]['emotion'])}, said by a woman at {woman:.0f} Hz and by a man at {man:.0f} Hz "
        f"(median F0): {abs(apart):.1f} semitones apart"
    )


def pair_words(items: Items) -> str:
    """What the two clips share, how they were chosen, and how peak and length differ."""
    woman, man = items
    shared = [f"the same {name}" for name, column in (("sentence", "statement"), ("intensity", "intensity"))
              if isinstance(woman[column], str) and woman[column] == man[column]]  # fmt: skip
    same = f"Both have {listed(shared)}" if shared else "They share the emotion only"
    at = " at the strongest intensity" if isinstance(woman["intensity"], str) else ""
    peaks = _than(_peak(woman) - _peak(man), "peaks {:.0f} dB higher", "peaks {:.0f} dB lower", "peaks as high")
    lasts = _than(_length(woman) - _length(man), "takes {:.1f} s longer", "takes {:.1f} s less", "takes as long")
    return (
        f"{same}; of all such pairs{at} they are nearest to the usual pitch of their sex in {woman['emotion']} speech "
        f"({woman['usual_hz']:.0f} Hz for women, {man['usual_hz']:.0f} Hz for men). Of these two people the woman "
        f"{peaks} and {lasts}."
    )


def no_pair(clips: pd.DataFrame) -> str:
    """Why no woman and man can be set side by side."""
    known = clips[clips["gender"].isin(SEXES)]
    here = [sex for sex in SEXES if (known["gender"] == sex).any()]
    if not here:
        return "The sex of the speakers is not known, so no woman and man can be set side by side."
    if len(here) > 1:
        return "No emotion is acted with a voiced sound by both women and men, so none can be set side by side."
    (other,) = set(SEXES) - set(here)
    n, words = known["speaker"].nunique(), SEXES[here[0]]
    heard = many(n, *words) if n else words[1]
    return f"Only {heard} can be heard here and no {SEXES[other][0]}, so no woman and man can be set side by side."


def frames_title(told: Mapping[str, Any]) -> str:
    """How zero crossings and centroid differ between the voiced frames of a clip and the others."""
    voiced = np.asarray(told["is_voiced"], dtype=bool)
    parts = [
        f"{name} frames: {100 * told['zcr'][chosen].mean():.0f} % of the samples cross zero, "
        f"centroid {told['centroid_hz'][chosen].mean() / 1000:.1f} kHz"
        for name, chosen in (("voiced", voiced), ("unvoiced", ~voiced))
        if chosen.any()
    ]
    return sentence("; ".join(parts))


def descriptors_title(shares: pd.DataFrame) -> str:
    """Which descriptor separates the emotions most and which least, by its η² within speakers."""
    if shares.empty:
        return "With fewer than two emotions there is nothing for a descriptor to separate"
    best, last = shares.loc[shares["within_speakers"].idxmax()], shares.loc[shares["within_speakers"].idxmin()]
    return (
        f"{sentence(best['descriptor'])} separates the emotions most (η² {_percent(best['within_speakers'])}), "
        f"{last['descriptor']} least ({_percent(last['within_speakers'])})"
    )


def descriptors_words(shares: pd.DataFrame, table: pd.DataFrame) -> str:
    """What the best descriptor says, what scaling within speakers does, and what chance alone would give."""
    if shares.empty:
        return f"{descriptors_title(shares)}."
    best = shares.loc[shares["within_speakers"].idxmax()]
    before, after = shares["as_measured"].median(), shares["within_speakers"].median()
    does = "lifts" if after > before else "lowers" if after < before else "leaves"
    scaled = (f"Scaling within speakers {does} the median share of the {len(shares)} descriptors from "
              f"{_percent(before)} to {_percent(after)}") if table["speaker"].notna().any() else (
        "No speaker is named, so the values are scaled over all clips together")  # fmt: skip
    chance = (table["emotion"].nunique() - 1) / (len(table) - 1)
    lacking = "" if shares["column"].str.startswith("chroma").any() else " Chroma is not extracted in this study."
    return (
        f"{sentence(best['descriptor'])} is lowest in {best['lowest']} and highest in {best['highest']}. {scaled}. "
        f"By chance alone a share of {100 * chance:.1f} % would be expected of {len(table):,} clips.{lacking}"
    )


def _who(items: Items) -> str:
    voices = {item["speaker"] for item in items}
    if not all(isinstance(voice, str) for voice in voices):
        return "Voices without a name"
    return f"{len(voices)} speakers" if len(voices) > 1 else f"Speaker {next(iter(voices)).rpartition('/')[2]}"


def _sentence_of(items: Items) -> str:
    sentences = {item["statement"] for item in items}
    return ", one sentence" if len(sentences) == 1 and isinstance(next(iter(sentences)), str) else ""


def _levels(items: Items) -> list[str]:
    """The intensities that are known, weakest first."""
    known = {item["intensity"] for item in items if isinstance(item["intensity"], str)}
    return sorted(known, key=lambda name: (STRENGTH.get(name, MIDDLE), name))


def _changes(items: Items) -> pd.DataFrame:
    """From the weakest to the strongest intensity: peak (dB) and length (s), one row an emotion that has both."""
    levels, rows = _levels(items), {}
    for emotion in dict.fromkeys(item["emotion"] for item in items) if len(levels) > 1 else ():
        here = {item["intensity"]: item for item in items if item["emotion"] == emotion}
        if levels[0] in here and levels[-1] in here:
            weak, strong = here[levels[0]], here[levels[-1]]
            rows[emotion] = {"peak": _peak(strong) - _peak(weak), "length": _length(strong) - _length(weak)}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["peak", "length"])


def _peak(item: Mapping[str, Any]) -> float:
    return 20 * np.log10(max(float(np.abs(item["signal"]).max()), 1e-6))


def _length(item: Mapping[str, Any]) -> float:
    return len(item["signal"]) / item["sample_rate"]


def _than(difference: float, more: str, less: str, equal: str) -> str:
    """One of three texts, with the size of the difference filled in; equal where it would be written as zero."""
    text = (more if difference > 0 else less).format(abs(difference))
    return text if any(digit in text for digit in "123456789") else equal


def _percent(value: float) -> str:
    return f"{100 * value:.0f} %"
