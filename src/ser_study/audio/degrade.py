"""Degradations of a recording, by name and level: what may befall a clip before a system gets it.

Conventions
-----------
A degradation takes a mono float signal at a sampling rate and a level, and gives a signal at the same rate; the same
text as seed gives the same samples. All but those that are ``prepared`` belong on the recording as it is read, before
silence is trimmed, as a microphone or a line would give it. The random part of a clip is the same at all levels of a
degradation, so that levels differ in strength alone. Levels run from mild to severe, or from low to high where a
recording as it is (``neutral``) lies between them.
"""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ser_study.audio import channel
from ser_study.audio.prepare import resample
from ser_study.config import unknown
from ser_study.schema import Signal

VERSION = 1  # rises when a degradation gives other samples
CLEAN = "clean"
TRUE_RATE = 16_000  # Hz, of the recordings whose rate is declared wrongly
N_VOICES = 6  # in babble

Condition = tuple[str, float]  # name and level


@dataclass(frozen=True)
class Degradation:
    """A kind of degradation, its levels and where these may lie."""

    title: str
    unit: str
    levels: tuple[float, ...]  # of the study
    apply: Callable[..., Signal]  # (signal, sample_rate, level, random), and voices where it needs some
    span: tuple[float, float]  # what a level may be
    voices: bool = False  # other speakers' clips are given to it
    prepared: bool = False  # of the prepared clip, not of the recording
    neutral: float | None = None  # level between the others at which nothing changes

    def at(self, level: float) -> str:
        """A level as readers see it, such as ``10 dB SNR``."""
        return f"{level:g} {self.unit}".replace("-", "−")


def gain(signal: Signal, sample_rate: int, change: float, random: np.random.Generator) -> Signal:
    """Louder or quieter by some dB; samples beyond full scale are kept."""
    return signal * np.float32(10 ** (change / 20))


def clipping(signal: Signal, sample_rate: int, share: float, random: np.random.Generator) -> Signal:
    """With the loudest share of the samples (%) cut to the level of the next.

    Raises
    ------
    ValueError
        So many samples are 0 that nothing would be left.
    """
    size = np.abs(signal)
    highest = np.quantile(size, 1 - share / 100, method="lower")
    if not highest:
        raise ValueError(
            f"Of {len(signal):,} samples {np.mean(size == 0):.0%} are 0, so {share:g} % cannot be clipped; take less."
        )
    return np.clip(signal, -highest, highest)


def tempo(signal: Signal, sample_rate: int, factor: float, random: np.random.Generator) -> Signal:
    """Spoken faster (above 1) or slower, at the same pitch (``librosa.effects.time_stretch``)."""
    import librosa

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="n_fft=.* is too large")  # a clip shorter than one frame
        return librosa.effects.time_stretch(signal, rate=factor)


def pitch(signal: Signal, sample_rate: int, semitones: float, random: np.random.Generator) -> Signal:
    """Higher or lower by some semitones, at the same tempo (``librosa.effects.pitch_shift``)."""
    import librosa

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="n_fft=.* is too large")
        return librosa.effects.pitch_shift(signal, sr=sample_rate, n_steps=semitones)


def wrong_rate(signal: Signal, sample_rate: int, rate: float, random: np.random.Generator) -> Signal:
    """A recording of 16 kHz that is declared to have another rate (kHz): pitch and tempo change together."""
    given = resample(signal, sample_rate=sample_rate, target=TRUE_RATE)
    return resample(given, sample_rate=round(1000 * rate), target=sample_rate)


def silence(signal: Signal, sample_rate: int, seconds: float, random: np.random.Generator) -> Signal:
    """After some seconds of digital silence."""
    return np.pad(signal, (round(seconds * sample_rate), 0))


def length(signal: Signal, sample_rate: int, seconds: float, random: np.random.Generator) -> Signal:
    """The first seconds of a clip; a shorter one stays whole."""
    return signal[: max(1, round(seconds * sample_rate))]


_SNR = ("dB SNR", (30.0, 20.0, 10.0, 0.0))
DEGRADATIONS: Mapping[str, Degradation] = {
    "white": Degradation("white noise", *_SNR, channel.white, (-40, 100)),
    "pink": Degradation("pink noise", *_SNR, channel.pink, (-40, 100)),
    "babble": Degradation("babble", *_SNR, channel.babble, (-40, 100), voices=True),
    "reverberation": Degradation("reverberation", "s RT60", (0.3, 0.6, 1.2), channel.reverberation, (0.05, 10)),
    "telephone": Degradation("telephone, µ-law", "kHz", (8.0,), channel.telephone, (8, 8)),
    "opus": Degradation("Opus", "kbit/s", (16.0, 6.0), channel.opus, (6, 256)),
    "mp3": Degradation("MP3", "kbit/s", (32.0, 16.0), channel.mp3, (16, 160)),
    "vorbis": Degradation("Ogg Vorbis", "quality", (0.0,), channel.vorbis, (0, 10)),
    "gain": Degradation("gain", "dB", (-20.0, 20.0), gain, (-60, 60), neutral=0.0),
    "clipping": Degradation("clipping", "% of samples", (1.0, 10.0, 30.0), clipping, (0.01, 90)),
    "tempo": Degradation("tempo", "times as fast", (0.75, 1.3), tempo, (0.25, 4), neutral=1.0),
    "pitch": Degradation("pitch", "semitones", (-3.0, 3.0), pitch, (-24, 24), neutral=0.0),
    "wrong_rate": Degradation("16 kHz declared as", "kHz", (11.025, 22.05), wrong_rate, (4, 64), neutral=16.0),
    "silence": Degradation("silence before", "s", (2.0,), silence, (0, 60)),
    "length": Degradation("first part only", "s", (3.0, 2.0, 1.5, 1.0, 0.5, 0.25), length, (0.05, 60), prepared=True),
}


def degraded(
    signal: Signal, sample_rate: int, condition: Condition, *, seed: str, voices: Sequence[Signal] = ()
) -> Signal:
    """A signal under a condition.

    Parameters
    ----------
    signal : mono float array, shape (s,)
    sample_rate : Hz
    condition : a key of ``DEGRADATIONS`` and a level in its unit
    seed : any text, for example the hash of the clip
    voices : for ``babble``: clips of other speakers at the same rate

    Returns
    -------
    float32 array, contiguous, at the same rate.

    Raises
    ------
    ValueError
        An unknown name, a level out of range, or a signal that is empty, silent or not mono; see each degradation.
    """
    one, level = check(condition), condition[1]
    signal = np.asarray(signal, np.float32)
    if signal.ndim != 1 or not signal.size or not signal.any():
        raise ValueError(
            f"The signal has the shape {signal.shape} and {np.count_nonzero(signal):,} samples that are not 0; give "
            "one channel with sound in it."
        )
    random = np.random.default_rng(zlib.crc32(f"{seed}/{condition[0]}".encode()))
    given = (voices,) if one.voices else ()
    return np.ascontiguousarray(one.apply(signal, sample_rate, level, random, *given), np.float32)


def check(condition: Condition) -> Degradation:
    """The degradation of a condition; ``ValueError`` where there is none of that name, or its level is out of range."""
    name, level = condition
    if name not in DEGRADATIONS:
        raise ValueError(unknown("degradation", name, DEGRADATIONS))
    one = DEGRADATIONS[name]
    low, high = one.span
    if not low <= level <= high:
        raise ValueError(f"The level of {name!r} is {level:g} {one.unit}; give one from {low:g} to {high:g}.")
    return one


def conditions(names: Iterable[str]) -> list[Condition]:
    """The conditions that settings name: ``"white"`` has all its levels, ``"white:10"`` one; all where none is named.

    Raises
    ------
    ValueError
        A name is unknown, or a level is no number or out of range.
    """
    listed: dict[Condition, None] = {}
    for text in tuple(names) or DEGRADATIONS:
        name, colon, level = text.partition(":")
        known = DEGRADATIONS.get(name)
        try:
            levels = (float(level),) if colon else known.levels if known else (0.0,)
        except ValueError:
            raise ValueError(f"The level in {text!r} is no number; write it as 'white:10'.") from None
        for one in levels:
            check((name, one))
            listed[(name, one)] = None
    return list(listed)
