"""Columns of the hand-crafted features in words: the family that each belongs to, and what it measures."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from ser_study.config import Frames
from ser_study.features import filters

FAMILIES: Mapping[str, tuple[str, ...]] = {  # family → how names begin; all others are timbre
    "loudness": ("rms_", "mfcc_00"),
    "pitch": ("f0_", "voicing_"),
    "rhythm": ("duration", "voiced_", "unvoiced_", "loudness_peaks"),
}
OTHER_FAMILY = "timbre"
TIMBRE: Mapping[str, tuple[str, ...]] = {  # its parts; the levels of mel bands carry loudness too
    "band levels": ("mel_",),
    "cepstrum": ("mfcc_",),
    "spectral shape": ("",),
}
STATISTICS = {
    "mean": "mean",
    "sd": "spread",
    "p05": "5th percentile",
    "p50": "median",
    "p95": "95th percentile",
    "slope": "slope over the clip",
    "step": "step between frames",
    "delta_sd": "spread of its change",
    "delta2_sd": "spread of its acceleration",
}
CONTOURS = {
    "rms": "loudness",
    "rms_db": "loudness",
    "zcr": "zero crossings",
    "centroid": "spectral centroid",
    "bandwidth": "spectral bandwidth",
    "rolloff": "roll-off",
    "flatness_db": "spectral flatness",
    "f0": "pitch",
    "voicing": "strength of voicing",
}
WHOLE = {
    "duration": "duration",
    "voiced_share": "share of voiced frames",
    "voiced_segments_per_s": "voiced stretches a second",
    "voiced_segment_mean": "length of voiced stretches, mean",
    "voiced_segment_sd": "length of voiced stretches, spread",
    "unvoiced_segment_mean": "length of pauses, mean",
    "unvoiced_segment_sd": "length of pauses, spread",
    "loudness_peaks_per_s": "peaks of loudness a second",
}
_CONTOUR = re.compile(rf"(?P<contour>.+?)_(?P<statistic>{'|'.join(STATISTICS)})")


def family(name: str) -> str:
    """Loudness, pitch, rhythm or timbre, by the name of a column of ``summary`` (or of the students' means)."""
    return next((kind for kind, starts in FAMILIES.items() if name.startswith(starts)), OTHER_FAMILY)


def part(name: str) -> str:
    """The family of a column; of timbre, which most columns are, the part of it."""
    kind = family(name)
    return kind if kind != OTHER_FAMILY else next(one for one, starts in TIMBRE.items() if name.startswith(starts))


def in_words(name: str, *, sample_rate: int, frames: Frames) -> str:
    """What a column measures: ``mel_042_db_sd`` → ``level around 2.8 kHz, spread``.

    Parameters
    ----------
    name : of a column of ``summary`` or of the students' means; any other comes back with spaces
    sample_rate : Hz
    frames : settings that the column was made with; they say where its mel band lies
    """
    match = _CONTOUR.fullmatch(name)
    if name in WHOLE or not match:
        return WHOLE.get(name, name.replace("_", " "))
    return f"{_contour(match['contour'], sample_rate, frames)}, {STATISTICS[match['statistic']]}"


def _contour(name: str, sample_rate: int, frames: Frames) -> str:
    kind, _, rest = name.partition("_")
    if kind == "mel":
        hertz = mel_centres(sample_rate, frames)[int(rest[:3])]
        return f"level around {hertz:.0f} Hz" if hertz < 995 else f"level around {hertz / 1000:.1f} kHz"
    if kind == "mfcc":
        return "level (MFCC 0)" if int(rest) == 0 else f"MFCC {int(rest)}"
    if kind == "contrast":
        return f"spectral contrast, band {int(rest) + 1}"
    if kind == "chroma":
        return f"chroma {rest.upper().replace('#', '♯')}"
    return CONTOURS.get(name, name.replace("_", " "))


def mel_centres(sample_rate: int, frames: Frames) -> np.ndarray:
    """Mean frequency of each mel band in Hz, (n_mels,)."""
    bank = filters.mel_bank(sample_rate, frames.n_fft, frames.n_mels)
    return bank @ filters.frequencies(sample_rate, frames.n_fft) / np.maximum(bank.sum(axis=1), 1e-12)
