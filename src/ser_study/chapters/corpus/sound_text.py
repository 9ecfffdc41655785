"""What the pages of a corpus say about recordings, cues of the voice and descriptors; every number is computed.

A function named like a figure or a table is its caption; ``*_title`` is the title of a figure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ser_study.chapters.corpus.sounds import MIDDLE, STRENGTH
from ser_study.chapters.corpus.tables import prosody_medians as medians_of
from ser_study.chapters.corpus.text import SEXES, exhibit, extremes, many, medians
from ser_study.plotting.spectrograms import recordings_alt
from ser_study.wording import Caption, listed, minus, percent, sentence

Recordings = Sequence[Mapping[str, Any]]
PLACES = {  # column of the medians → decimals; more would be finer than the measurement
    **{"length (s)": 2, "loudness (dB)": 1, "pitch range (semitones)": 1, "voiced segments per s": 1},
    **{f"F0 {sex} (Hz)": 0 for sex in ("women", "men")},
}
LEVELLED = 3.0  # dB; peaks that differ by less were brought to one level by somebody


def examples(recordings: Recordings, no_sound: str) -> Caption:
    """Caption of the figure; ``no_sound`` says why there is none, as ``Study.without_audio`` does."""
    text = "Signals as the study prepares them: mono, resampled, silence at both ends trimmed."
    title = f"Waveform and mel spectrogram of one clip of each emotion. {examples_title(recordings)}."
    alt = f"{title} {recordings_alt(recordings)}"
    return Caption(_name(recordings, "sounds"), text, alt, no_sound)


def examples_title(recordings: Recordings) -> str:
    """Who speaks, and which of the clips reaches the highest and the lowest peak."""
    if not recordings:
        return ""
    peaks = pd.Series({item["emotion"]: _peak(item) for item in recordings})
    if len(peaks) > 1 and peaks.max() - peaks.min() < LEVELLED:
        who = f"{_who(recordings)} in {many(len(peaks), 'emotion')}{_sentence_of(recordings)}"
        return f"{who}: all clips peak near {minus(peaks.median(), 0)} dB, the level they were set to"
    if len(peaks) < 2:
        return f"{_who(recordings)} in one emotion, {peaks.index[0]}"
    return f"{_who(recordings)} in {many(len(peaks), 'emotion')}{_sentence_of(recordings)}: " + extremes(
        peaks.sort_values(), "{} peaks lowest ({} dB), {} highest ({} dB)", "all peak at {} dB", 0
    )


def by_intensity(recordings: Recordings, no_sound: str) -> Caption:
    """Caption of the figure; its finding counts the emotions that are louder and longer when acted more strongly."""
    text = "Waveform and envelope of each emotion; the clips of a row share one amplitude scale."
    alt = f"Waveforms, emotions by intensities. {by_intensity_title(recordings)}. {recordings_alt(recordings)}"
    empty = no_sound or "No emotion is known here at two intensities, so there is nothing to compare."
    return Caption(_name(recordings, "intensity"), text, alt, empty, _stronger(recordings))


def has_two_intensities(recordings: Recordings) -> bool:
    """Whether some emotion is here at two known intensities."""
    return not _changes(recordings).empty


def by_intensity_title(recordings: Recordings) -> str:
    """By how much the strongest intensity peaks above the weakest, over the emotions that have both."""
    change = _changes(recordings)
    if change.empty:
        return examples_title(recordings)
    weak, *_, strong = _levels(recordings)
    median = change["peak"].median()
    how = f"{minus(abs(median), 0)} dB {'higher' if median > 0 else 'lower'} than" if round(median) else "as high as"
    return (
        f"{_who(recordings)}{_sentence_of(recordings)}: at {strong} intensity the voice peaks {how} at {weak} "
        f"intensity (median of {many(len(change), 'emotion')})"
    )


def _stronger(recordings: Recordings) -> str:
    """How many emotions are louder and longer when they are acted more strongly; or that no intensity is known."""
    change = _changes(recordings)
    if change.empty:
        return "No emotion is known here at two intensities, so each has one waveform."
    n, (weak, *_, strong) = len(change), _levels(recordings)
    rises, most = change["peak"], change["peak"].abs().idxmax()
    text = (
        f"From {weak} to {strong} intensity the peak rises in {(rises > 0).sum()} of {many(n, 'emotion')} and the clip "
        f"grows longer in {(change['length'] > 0).sum()}. The peak changes most in {most}: "
        f"{_than(rises[most], '{:.0f} dB higher', '{:.0f} dB lower', 'not at all')}."
    )
    rest = [name for name in dict.fromkeys(item["emotion"] for item in recordings) if name not in change.index]
    return text + (f" {sentence(listed(rest))} cannot be compared: acted at one intensity only." if rest else "")


def pair(recordings: Recordings, clips: pd.DataFrame, no_sound: str) -> Caption:
    """Caption of the figure, with what the two clips share and how they differ; or why there is no pair."""
    text = "Waveform with envelope, F0 where the frame is voiced, and mel spectrogram, on the same scales."
    alt = f"A woman's and a man's voice side by side. {pair_title(recordings)}. {recordings_alt(recordings)}"
    empty = no_sound or _no_pair(clips)
    return Caption(_name(recordings, "pair"), text, alt, empty, _compared(*recordings) if recordings else "")


def pair_title(recordings: Recordings) -> str:
    """The median F0 of the woman and of the man, and how far they lie apart."""
    if not recordings:
        return ""
    woman, man = (float(np.nanmedian(item["f0_hz"])) for item in recordings)
    apart = 12 * np.log2(woman / man)
    return (
        f"{sentence(recordings[0]['emotion'])}, said by a woman at {woman:.0f} Hz and by a man at {man:.0f} Hz "
        f"(median F0): {abs(apart):.1f} semitones apart"
    )


def _compared(woman: Mapping[str, Any], man: Mapping[str, Any]) -> str:
    """What the two clips share, how they were chosen, and how peak and length differ."""
    shared = [f"the same {name}" for name, column in (("sentence", "statement"), ("intensity", "intensity"))
              if isinstance(woman[column], str) and woman[column] == man[column]]  # fmt: skip
    same = f"Both have {listed(shared)}" if shared else "They share the emotion only"
    at = " at the strongest intensity" if isinstance(woman["intensity"], str) else ""
    pitch = f"the median pitch of {woman['emotion']} speech{at}"
    peaks = _than(_peak(woman) - _peak(man), "peaks {:.0f} dB higher", "peaks {:.0f} dB lower", "peaks as high")
    lasts = _than(_length(woman) - _length(man), "takes {:.1f} s longer", "takes {:.1f} s less", "takes as long")
    return (
        f"{same}; of all such pairs they are nearest to {pitch} ({woman['usual_hz']:.0f} Hz for women, "
        f"{man['usual_hz']:.0f} Hz for men). Of these two people the woman "
        f"{peaks} and {lasts}."
    )


def _no_pair(clips: pd.DataFrame) -> str:
    """Why no woman and man can be compared."""
    known = clips[clips["gender"].isin(SEXES)]
    here = [sex for sex in SEXES if (known["gender"] == sex).any()]
    if not here:
        return "The sex of the speakers is not known, so no woman and man can be compared."
    if len(here) > 1:
        return "No emotion is acted with a voiced sound by both women and men, so no two can be compared."
    (other,) = set(SEXES) - set(here)
    n, names = known["speaker"].nunique(), SEXES[here[0]]
    only = many(n, *names) if n else names[1]
    return f"There is no {SEXES[other][0]} here, only {only}, so there is no pair to compare."


def prosody(table: pd.DataFrame, spoken: pd.DataFrame) -> Caption:
    """Caption of the figure; it says how many sung clips are not in it.

    Parameters
    ----------
    table, spoken : ``tables.prosody``, all of it and what is drawn
    """
    sung = len(table) - len(spoken)
    text = "One value per clip: median level of its frames, median F0, voiced segments per second, span of F0. "
    text += f"Without {many(sung, 'sung clip')}, whose pitch is the melody's. " if sung else ""
    alt = f"Box plots of loudness, F0, tempo and pitch range by emotion. {prosody_title(spoken)}."
    return Caption(exhibit(table, "prosody"), f"{text}Box: middle half; whiskers: 5 to 95 %.", alt, lead=True)


def prosody_title(table: pd.DataFrame) -> str:
    """Loudest and quietest emotion, and the emotion of the highest pitch, apart for women and men.

    Where all clips peak at one level, loudness is the editor's and no finding; the title says so instead.
    """
    low, peak, high = table["peak_db"].quantile([0.05, 0.5, 0.95])
    pitch = _highest_pitch(table)
    ending = f"; pitch is highest in {pitch}" if pitch else ""
    if high - low < LEVELLED:
        return f"Nearly every clip peaks at {minus(peak, 0)} dB, so loudness says little here{ending}"
    loud = medians(table, "loudness_db")
    if len(loud) < 2:
        return f"{sentence(listed(loud.index))}: median loudness {minus(table['loudness_db'].median(), 0)} dB{ending}"
    text = extremes(loud, "{} is quietest ({} dB), {} loudest ({} dB)", "all emotions are equally loud ({} dB)", 0)
    return sentence(text) + ending


def _highest_pitch(table: pd.DataFrame) -> str:
    """The emotion of the highest median F0, apart for women and men where there are both; empty where nothing is."""
    groups = {SEXES[sex][1]: table[table["gender"] == sex] for sex in SEXES if (table["gender"] == sex).any()}
    by_sex = {name: medians(part, "f0_hz") for name, part in (groups if len(groups) > 1 else {"": table}).items()}
    tops = {name: (pitch.index[-1], pitch.iloc[-1]) for name, pitch in by_sex.items() if len(pitch) > 1}
    texts = [f"{emotion}{' for ' * bool(name)}{name} ({hertz:.0f} Hz)" for name, (emotion, hertz) in tops.items()]
    if len(texts) > 1 and len({emotion for emotion, _ in tops.values()}) == 1:
        texts[1] = texts[1].partition(" for ")[2]  # "fearful for women (304 Hz) and men (200 Hz)"
    return listed(texts)


def prosody_medians(table: pd.DataFrame) -> Caption:
    """Caption of the table of medians of ``tables.prosody``."""
    return Caption(
        exhibit(table, "prosody"),
        "Median of each cue by emotion. Length: trimmed. Pitch range: from the 5th to the 95th percentile. Background "
        "noise that is tracked as voice raises tempo and pitch range, so these two compare emotions, not corpora.",
        decimals={name: PLACES[name] for name in medians_of(table).columns if name in PLACES},
    )


def descriptors(shares: pd.DataFrame, table: pd.DataFrame) -> Caption:
    """Caption of the figure and, of the same name, of the table of shares.

    The finding says what the best descriptor shows, what scaling within speakers does, and what chance alone gives.
    """
    title = descriptors_title(shares)
    return Caption(
        exhibit(table, "descriptors"),
        "One value per clip. Box: middle half; whiskers: 5 to 95 %. η²: share of the variance between emotions.",
        alt=f"Box plots of {len(shares)} descriptors by emotion. {title}.",
        empty=f"{title}.",
        finding=_separated(shares, table) if len(shares) else "",
        lead=True,
    )


def separation(table: pd.DataFrame) -> Caption:
    """Caption of the table of shares.

    Parameters
    ----------
    table : ``sounds.descriptors``
    """
    return Caption(
        exhibit(table, "descriptors"),
        "Median over all clips, and share of the variance between emotions, of each descriptor.",
        empty="So there is no table of shares either.",
        labels={"as_measured": "η² as measured", "within_speakers": "η² within speakers"},
        decimals={"median": 2},
    )


def descriptors_title(shares: pd.DataFrame) -> str:
    """Which descriptor separates the emotions most and which least, by its η² within speakers."""
    if shares.empty:
        return "With fewer than two emotions there is nothing for a descriptor to separate"
    best, last = shares.loc[shares["within_speakers"].idxmax()], shares.loc[shares["within_speakers"].idxmin()]
    return (
        f"{sentence(best['descriptor'])} separates the emotions most (η² {percent(best['within_speakers'])}), "
        f"{last['descriptor']} least ({percent(last['within_speakers'])})"
    )


def _separated(shares: pd.DataFrame, table: pd.DataFrame) -> str:
    best = shares.loc[shares["within_speakers"].idxmax()]
    before, after = shares["as_measured"].median(), shares["within_speakers"].median()
    does = "lifts" if after > before else "lowers" if after < before else "leaves"
    scaled = (f"Scaling within speakers {does} the median share of the {len(shares)} descriptors from "
              f"{percent(before)} to {percent(after)}") if table["speaker"].notna().any() else (
        "No speaker is named, so the values are scaled over all clips together")  # fmt: skip
    chance = (table["emotion"].nunique() - 1) / (len(table) - 1)
    lacking = "" if shares["column"].str.startswith("chroma").any() else " Chroma is not extracted in this study."
    return (
        f"{sentence(best['descriptor'])} is lowest in {best['lowest']} and highest in {best['highest']}. {scaled}. "
        f"By chance alone a share of {percent(chance, 1)} would be expected of {len(table):,} clips.{lacking}"
    )


def _name(recordings: Recordings, kind: str) -> str:
    return f"{recordings[0]['corpus']}_{kind}" if recordings else kind


def _who(recordings: Recordings) -> str:
    voices = {item["speaker"] for item in recordings}
    if not all(isinstance(voice, str) for voice in voices):
        return "Voices without a name"
    return f"{len(voices)} speakers" if len(voices) > 1 else f"Speaker {next(iter(voices)).rpartition('/')[2]}"


def _sentence_of(recordings: Recordings) -> str:
    sentences = {item["statement"] for item in recordings}
    return ", one sentence" if len(sentences) == 1 and isinstance(next(iter(sentences)), str) else ""


def _levels(recordings: Recordings) -> list[str]:
    """The intensities that are known, weakest first."""
    known = {item["intensity"] for item in recordings if isinstance(item["intensity"], str)}
    return sorted(known, key=lambda name: (STRENGTH.get(name, MIDDLE), name))


def _changes(recordings: Recordings) -> pd.DataFrame:
    """From the weakest to the strongest intensity: peak (dB) and length (s), one row an emotion that has both."""
    levels, rows = _levels(recordings), {}
    for emotion in dict.fromkeys(item["emotion"] for item in recordings) if len(levels) > 1 else ():
        here = {item["intensity"]: item for item in recordings if item["emotion"] == emotion}
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
