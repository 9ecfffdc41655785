"""Ways to treat a signal that the student systems chose between: cut, clean, fit, scale; and their names.

Every function takes and gives a mono float32 signal, shape (s,), and is deterministic. Nothing here
can empty a clip: where no part of it is loud enough to be kept, or there is nothing to divide by, it
comes back as it was. ``prepare`` applies these steps in the order it documents.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from ser_study.config import Audio, Config, unknown
from ser_study.schema import Signal

RMS_FRAME, RMS_HOP = 512, 256  # samples (E000)
ROLLING = 50  # samples in the sum, whatever the rate (E003)
CHANNELS, CUTS, PADS, CROPS = (
    ("mix", "first"),
    ("", "rms", "rolling_sum"),
    ("centre", "start", "end"),
    ("centre", "start"),
)
SCALES = ("", "peak", "min_max", "z_score")
_GATE_HOP, _GATE_BINS = 256, 512  # noisereduce's frames; it refuses to smooth over less than one of them

TREATMENTS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "as recorded": {"trim": False},
        "trim 30 dB": {"trim_top_db": 30.0},
        "trim 40 dB": {"trim_top_db": 40.0},
        "trim 60 dB": {"trim_top_db": 60.0},  # E001 and E004
        "rms strip": {"trim": False, "cut": "rms", "cut_level": 0.001},  # E000
        "rolling-sum cut": {"trim": False, "cut": "rolling_sum", "cut_level": 0.01},  # E003, cutting only
        "pad centre": {"length": 3.0},
        "pad start": {"length": 3.0, "pad": "start"},
        "pad end": {"length": 3.0, "pad": "end"},
        "first second": {"length": 1.0, "crop": "start"},  # E004
        "noise reduction": {"denoise": True},  # E004
        "peak": {"scale": "peak"},
        "min-max": {"scale": "min_max"},
        "z-score": {"scale": "z_score"},
        "22.05 kHz": {"sample_rate": 22_050},  # E000, E001 and E002
        "44.1 kHz": {"sample_rate": 44_100},  # E004
    }
)


def treated(config: Config, name: str, section: str = "audio") -> Config:
    """Settings whose ``section`` prepares clips with another treatment; an empty name changes nothing.

    At another sampling rate of "audio" the study's frames keep their duration, so only the bandwidth differs.

    Raises
    ------
    ValueError
        There is no such treatment, or ``section`` does not prepare clips.
    """
    if not name:
        return config
    if name not in TREATMENTS:
        raise ValueError(unknown("treatment", name, TREATMENTS))
    part = getattr(config, section, None)
    if not isinstance(part, Audio):
        raise ValueError(f"Section {section!r} of the settings prepares no clips; name one such as 'audio'.")
    changed = dataclasses.replace(part, **TREATMENTS[name])
    framed = _reframed(config, changed.sample_rate / part.sample_rate) if section == "audio" else {}
    return dataclasses.replace(config, **framed, **{section: changed})


def _reframed(config: Config, factor: float) -> dict[str, Any]:
    """Sections that count their frames in samples of "audio", for a rate ``factor`` times as high."""
    sections = {name: getattr(config, name) for name in ("frames", "images")} if factor != 1 else {}
    return {
        name: dataclasses.replace(
            part, n_fft=2 * round(part.n_fft * factor / 2), hop_length=max(1, round(part.hop_length * factor))
        )
        for name, part in sections.items()
    }


def check(audio: Audio) -> None:
    """Refuse settings that name a treatment nobody knows, with the known ones (``ValueError``)."""
    known = {"channel": CHANNELS, "cut": CUTS, "pad": PADS, "crop": CROPS, "scale": SCALES}
    for name, words in known.items():
        if getattr(audio, name) not in words:
            listed = ", ".join(repr(word) for word in words)
            raise ValueError(f"Setting {name!r} of the audio is {getattr(audio, name)!r}; choose one of {listed}.")


def rms_strip(signal: Signal, *, level: float = 0.001) -> Signal:
    """Signal without its quiet ends, as E000 strips them.

    From each end, whole hops of 256 samples are dropped up to the centre of the first frame (512
    samples, reflected at the ends) whose RMS reaches ``level``; the end is framed from the end.

    Returns
    -------
    A view of ``signal``; all of it when no frame reaches ``level``.
    """
    start = _quiet_hops(signal, level)
    rest = signal if start is None else signal[start:]
    if not len(rest):
        return signal
    end = _quiet_hops(rest[::-1], level)
    return rest[: len(rest) - end] if end is not None and end < len(rest) else rest


def _quiet_hops(signal: Signal, level: float) -> int | None:
    """Samples before the centre of the first loud frame; None when there is no loud frame."""
    if not len(signal):
        return None
    padded = np.pad(signal, RMS_FRAME // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, RMS_FRAME)[::RMS_HOP]
    power = np.einsum("ts,ts->t", frames, frames, dtype=np.float64) / RMS_FRAME
    loud = np.flatnonzero(np.sqrt(power) >= level)
    return int(loud[0]) * RMS_HOP if len(loud) else None


def rolling_cut(signal: Signal, *, level: float = 0.01) -> Signal:
    """Signal without its quiet ends, as E003 cuts them.

    A window of 50 samples is loud when the *signed* sum of its samples exceeds ``level`` on either
    side of 0. Kept is what lies from the last sample of the first loud window to 50 samples after
    the last sample of the last one.

    Returns
    -------
    A view of ``signal``; all of it when no window is loud, or when it is shorter than a window.
    """
    if len(signal) < ROLLING:
        return signal
    total = np.concatenate([[0.0], np.cumsum(signal, dtype=np.float64)])
    loud = np.flatnonzero(np.abs(total[ROLLING:] - total[:-ROLLING]) > level)
    if not len(loud):
        return signal
    last = ROLLING - 1  # of a window, from its first sample
    return signal[loud[0] + last : loud[-1] + last + ROLLING]


def cut(signal: Signal, *, how: str, level: float) -> Signal:
    """Signal without its silent ends: ``how`` is "rms", "rolling_sum" or "" (nothing is cut)."""
    ways = {"rms": rms_strip, "rolling_sum": rolling_cut}
    return ways[how](signal, level=level) if how else signal


def denoise(signal: Signal, *, sample_rate: int) -> Signal:
    """Signal with steady noise gated off, by noisereduce with its defaults (as E004 does).

    The gate compares each bin with its own level over about two seconds, so it also lowers what a voice
    sustains: real clips lose 5 to 7 dB. A digitally silent signal has no level and stays as it is.
    """
    from noisereduce import reduce_noise

    with warnings.catch_warnings(), np.errstate(invalid="ignore", divide="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)  # silence divides by its own level, 0
        cleaned = reduce_noise(
            y=signal,
            sr=sample_rate,
            time_mask_smooth_ms=max(50, 1000 * _GATE_HOP / sample_rate),  # the default, where it is possible
            freq_mask_smooth_hz=max(500, sample_rate / _GATE_BINS),
        )
    return cleaned.astype(np.float32) if np.isfinite(cleaned).all() else signal


def fitted(signal: Signal, *, n_samples: int, pad: str = "centre", crop: str = "centre") -> Signal:
    """Signal of a fixed length, ``n_samples``.

    Parameters
    ----------
    pad : where zeros go when it is too short: on both sides ("centre", an odd one to the right), before it
        ("start") or after it ("end")
    crop : what is kept when it is too long: its "centre" or its "start"
    """
    spare = n_samples - len(signal)
    if spare <= 0:
        start = -spare // 2 if crop == "centre" else 0
        return signal[start : start + n_samples]
    before = {"centre": spare // 2, "start": spare, "end": 0}[pad]
    return np.pad(signal, (before, spare - before))


def scaled(signal: Signal, *, how: str) -> Signal:
    """Signal on another scale, of its own samples.

    ``how`` is "peak" (largest amplitude 1), "min_max" (from −1 to 1), "z_score" (mean 0, standard deviation 1)
    or "" (as it is). Silence and a constant have no spread and stay as they are.
    """
    values = signal.astype(np.float64)
    low, high = values.min(), values.max()
    if not how or low == high:
        return signal
    if how == "peak":
        values = values / max(-low, high)
    elif how == "min_max":
        values = 2 * (values - low) / (high - low) - 1
    else:
        values = (values - values.mean()) / values.std()
    return values.astype(np.float32)
