"""A small source–filter voice in NumPy and SciPy, for sounds whose truth is known.

The *source* is a train of glottal pulses, differentiated polynomial flow after Klatt and Klatt
(1990), with jitter, shimmer and aspiration noise that breathes with the pulses. The *filter* is a
cascade of five formant resonators that glides from phone to phone; fricatives and bursts are
band-passed noise beside it. Nothing is recorded, and no language is meant: a phrase is a row of
syllables such as ``"ma-DU-si-no"``, where capitals carry the stress.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.ndimage import convolve1d
from scipy.signal import butter, sosfilt

from ser_study.schema import Signal

FRAME = 0.005  # s between two settings of the vocal tract
OPEN_QUOTIENT = 0.6  # share of a glottal cycle with the folds apart
JITTER, SHIMMER = 0.007, 0.04  # relative sd from cycle to cycle
BANDWIDTHS = (70.0, 90.0, 130.0, 180.0, 250.0)  # Hz, of the five formants
UPPER_FORMANTS = (3500.0, 4500.0)  # Hz, the same for every phone
QUIET = -80.0  # dB, stands for "not at all"
ROOM = -78.0  # dBFS, the hiss of the room: no sample run is ever digitally silent
PEAK = 0.98  # full scale 1; a louder clip is turned down, never clipped


@dataclass(frozen=True)
class Voice:
    """What a speaker cannot change."""

    f0: float  # Hz, habitual
    formant_scale: float = 1.0  # 1 for a long (male) vocal tract, larger for a shorter one
    formant_tune: tuple[float, float, float] = (1.0, 1.0, 1.0)  # own colour of F1, F2, F3


@dataclass(frozen=True)
class Style:
    """How one clip is spoken."""

    pitch: float = 0.0  # semitones above the voice's own f0, mean of the voiced part
    pitch_range: float = 4.0  # semitones between the top of an accent and the end of the phrase
    level: float = -30.0  # dBFS, RMS of the spoken part
    tempo: float = 1.0  # times the usual speed
    breath: float = -24.0  # dB, aspiration noise against the pulses
    tilt: float = 0.0  # dB an octave, added to the pulses' spectrum; above 0 is pressed and bright
    pause: float = 0.06  # s, in the middle of the phrase


@dataclass(frozen=True)
class Phone:
    """One sound: its formants and how much voice and hiss it has."""

    duration: float  # s
    formants: tuple[float, float, float]  # Hz, F1 to F3 of a male voice
    voicing: float = 0.0  # dB
    hiss: float = QUIET  # dB
    band: tuple[float, float] = (1500.0, 6000.0)  # Hz, of the hiss


PHONES = {
    "a": Phone(0.125, (750.0, 1250.0, 2500.0)),
    "e": Phone(0.115, (480.0, 1850.0, 2550.0)),
    "i": Phone(0.105, (290.0, 2200.0, 2900.0)),
    "o": Phone(0.120, (450.0, 850.0, 2450.0)),
    "u": Phone(0.110, (320.0, 850.0, 2250.0)),
    "m": Phone(0.070, (250.0, 1050.0, 2250.0), voicing=-11.0),
    "n": Phone(0.065, (260.0, 1500.0, 2450.0), voicing=-11.0),
    "l": Phone(0.060, (360.0, 1150.0, 2700.0), voicing=-6.0),
    "b": Phone(0.060, (260.0, 850.0, 2200.0), voicing=-26.0),
    "d": Phone(0.055, (260.0, 1700.0, 2600.0), voicing=-26.0),
    "g": Phone(0.060, (260.0, 2050.0, 2300.0), voicing=-26.0),
    "s": Phone(0.095, (300.0, 1600.0, 2550.0), voicing=QUIET, hiss=-17.0, band=(4000.0, 7400.0)),
    "f": Phone(0.085, (300.0, 1100.0, 2300.0), voicing=QUIET, hiss=-25.0, band=(1400.0, 7400.0)),
    "z": Phone(0.075, (300.0, 1600.0, 2550.0), voicing=-14.0, hiss=-23.0, band=(4000.0, 7400.0)),
}
STOPS = {  # closure, then a burst in its own band
    "p": Phone(0.012, (300.0, 850.0, 2200.0), voicing=QUIET, hiss=-23.0, band=(500.0, 2500.0)),
    "t": Phone(0.018, (300.0, 1750.0, 2600.0), voicing=QUIET, hiss=-17.0, band=(3000.0, 7000.0)),
    "k": Phone(0.022, (300.0, 1950.0, 2350.0), voicing=QUIET, hiss=-18.0, band=(1500.0, 3500.0)),
}
CLOSURE = 0.05  # s, of p, t and k


def speak(phrase: str, *, voice: Voice, style: Style, sample_rate: int, random: np.random.Generator) -> Signal:
    """Speak a phrase.

    Parameters
    ----------
    phrase : syllables joined by hyphens, letters of ``PHONES`` and ``STOPS``; capitals are stressed
    voice, style : who speaks, and how
    sample_rate : Hz, at least 8000
    random : source of jitter, shimmer and noise; the same state gives the same samples

    Returns
    -------
    float32 array, shape (s,), within ±0.98; its spoken part has the RMS ``style.level``.

    Raises
    ------
    ValueError
        The phrase holds an unknown letter, or the sample rate is too low for the formants.
    """
    if sample_rate < 8000:
        raise ValueError(f"The voice needs a sample rate of 8000 Hz or more; found {sample_rate}.")
    phones, lengths, stresses = _score(phrase, style)
    hop = round(FRAME * sample_rate)
    frames = np.repeat(np.arange(len(phones)), lengths)  # phone of each frame, (t,)
    f0 = voice.f0 * 2 ** ((style.pitch + style.pitch_range * _intonation(phones, frames, stresses)) / 12)
    pulses, openness = _glottis(_to_samples(np.clip(f0, 50, 600), hop), sample_rate, random)
    gain = _smooth([phone.voicing for phone in phones], frames, width=5) + 2.5 * _smooth(stresses, frames, width=15)
    gain -= 3.0 * np.linspace(0, 1, len(frames))  # breath runs out towards the end of a phrase
    source = _tilted(pulses, style.tilt, sample_rate)
    source /= np.sqrt(np.mean(source**2))
    source += 10 ** (style.breath / 20) * (0.3 + openness) * random.standard_normal(len(source))
    voiced = _tract(source * _to_samples(10 ** (gain / 20), hop), _formants(phones, frames, voice), hop, sample_rate)
    spoken = voiced + _hiss(phones, frames, hop, sample_rate, random)
    return _recorded(spoken, style.level, sample_rate, random)


def _score(phrase: str, style: Style) -> tuple[list[Phone], np.ndarray, np.ndarray]:
    """Phones of a phrase, their lengths in frames and their stress (0 or 1)."""
    syllables = phrase.split("-")
    phones, stresses = [], []
    for place, syllable in enumerate(syllables):
        if place == (len(syllables) + 1) // 2:
            phones.append(_silence(style.pause * style.tempo, phones[-1]))  # the tempo below leaves it as set
            stresses.append(0.0)
        for letter in syllable.lower():
            if letter not in PHONES and letter not in STOPS:
                known = "".join(sorted([*PHONES, *STOPS]))
                raise ValueError(f"Phrase {phrase!r} holds {letter!r}; the voice knows the letters {known}.")
            sounds = [PHONES[letter]] if letter in PHONES else [_silence(CLOSURE, STOPS[letter]), STOPS[letter]]
            phones += sounds
            stresses += [float(syllable.isupper())] * len(sounds)
    stress = np.array(stresses)
    lengthening = 1 + 0.2 * stress
    lengthening[-1] *= 1.35  # the last sound of a phrase is drawn out
    seconds = np.array([phone.duration for phone in phones]) * lengthening / style.tempo
    return phones, np.maximum(np.rint(seconds / FRAME), 1).astype(int), stress


def _silence(duration: float, near: Phone) -> Phone:
    """A pause or closure; the tract stays where its neighbour has it."""
    return Phone(duration, near.formants, voicing=QUIET)


def _intonation(phones: list[Phone], frames: np.ndarray, stresses: np.ndarray) -> np.ndarray:
    """Pitch contour of shape (t,): falling line plus accents; its mean where there is voice is 0, the range 1."""
    accents = _smooth(stresses, frames, width=25)
    contour = 0.7 * accents - 0.8 * np.linspace(0, 1, len(frames))
    voicing = 10 ** (np.array([phone.voicing for phone in phones])[frames] / 20)
    return contour - np.average(contour, weights=voicing)


def _smooth(values, frames: np.ndarray, *, width: int) -> np.ndarray:
    """Values a phone (n,) or (n, d) as a track a frame, rounded by a Hann window of ``width`` frames."""
    window = np.hanning(width + 2)[1:-1]
    return convolve1d(np.asarray(values, dtype=float)[frames], window / window.sum(), axis=0, mode="nearest")


def _to_samples(track: np.ndarray, hop: int) -> np.ndarray:
    """A track a frame, shape (t,), drawn out to samples, shape (t · hop,)."""
    return np.interp(np.arange(len(track) * hop), (np.arange(len(track)) + 0.5) * hop, track)


def _glottis(f0: np.ndarray, sample_rate: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Differentiated glottal flow and the flow itself (0 to 1), both of shape (s,).

    The flow of a cycle is 27/4 · u² (1 − u) for the open part u ∈ [0, 1] and 0 when closed. The difference of
    the continuous flow, not the sampled derivative, is taken: that keeps the jump at closure from aliasing.
    """
    n_cycles = int(f0.sum() / sample_rate) + 2
    period = 1 + JITTER * random.standard_normal(n_cycles)
    strength = 1 + SHIMMER * random.standard_normal(n_cycles)
    smooth_phase = np.cumsum(f0) / sample_rate
    phase = np.cumsum(f0 * period[smooth_phase.astype(int)]) / sample_rate
    cycle = np.minimum(phase.astype(int), n_cycles - 1)
    opening = np.minimum((phase - phase.astype(int)) / OPEN_QUOTIENT, 1.0)
    flow = 6.75 * opening**2 * (1 - opening)
    return np.diff(flow * strength[cycle], prepend=0.0), flow


def _tilted(signal: np.ndarray, tilt: float, sample_rate: int) -> np.ndarray:
    """Tilt the spectrum by so many dB an octave, level at 500 Hz, flat below 125 Hz."""
    frequency = np.fft.rfftfreq(len(signal), 1 / sample_rate)
    octaves = np.log2(np.maximum(frequency, 125.0) / 500.0)
    return np.fft.irfft(np.fft.rfft(signal) * 10 ** (tilt * octaves / 20), len(signal))


def _formants(phones: list[Phone], frames: np.ndarray, voice: Voice) -> np.ndarray:
    """Five formant tracks of a voice in Hz, shape (t, 5)."""
    own = np.array([phone.formants for phone in phones]) * np.array(voice.formant_tune)
    upper = np.broadcast_to(UPPER_FORMANTS, (len(phones), len(UPPER_FORMANTS)))
    return _smooth(np.hstack([own, upper]) * voice.formant_scale, frames, width=9)


def _tract(source: np.ndarray, formants: np.ndarray, hop: int, sample_rate: int) -> np.ndarray:
    """Pass the source through resonators of gain 1 at 0 Hz, set anew every frame."""
    radius = np.exp(-np.pi * np.array(BANDWIDTHS) / sample_rate)  # (5,)
    middle = -2 * radius * np.cos(2 * np.pi * np.minimum(formants, 0.45 * sample_rate) / sample_rate)  # (t, 5)
    gain = 1 + middle + radius**2
    return _resonator()(source, gain, middle, np.broadcast_to(radius**2, middle.shape), hop)


@cache
def _resonator() -> Callable[..., np.ndarray]:
    """Resonators in a row whose coefficients change every ``hop`` samples, compiled; far faster than a call of
    ``scipy.signal.sosfilt`` a frame, and equal to it in every bit."""
    from numba import njit

    @njit
    def resonate(source, gain, middle, last, hop):  # (s,), then (t, sections) each
        spoken, state = source.copy(), np.zeros((gain.shape[1], 2))
        for place in range(len(source)):
            frame, value = place // hop, source[place]
            for section in range(gain.shape[1]):
                result = gain[frame, section] * value + state[section, 0]
                state[section, 0] = state[section, 1] - middle[frame, section] * result
                state[section, 1] = -last[frame, section] * result
                value = result
            spoken[place] = value
        return spoken

    return resonate


def _hiss(
    phones: list[Phone], frames: np.ndarray, hop: int, sample_rate: int, random: np.random.Generator
) -> np.ndarray:
    """Noise of the fricatives and bursts, shape (s,)."""
    noise = random.standard_normal(len(frames) * hop)
    total = np.zeros_like(noise)
    for band in sorted({phone.band for phone in phones if phone.hiss > QUIET}):
        level = [phone.hiss if phone.band == band else QUIET for phone in phones]
        loudness = _smooth(10 ** (np.array(level) / 20), frames, width=3)
        shaped = sosfilt(_bandpass(band, sample_rate), noise)
        total += shaped / shaped.std() * _to_samples(loudness, hop)
    return total


@cache
def _bandpass(band: tuple[float, float], sample_rate: int) -> np.ndarray:
    edges = np.minimum(band, (0.3 * sample_rate, 0.47 * sample_rate))  # what a low rate leaves of it
    return butter(2, edges, btype="bandpass", fs=sample_rate, output="sos")


def _recorded(spoken: np.ndarray, level: float, sample_rate: int, random: np.random.Generator) -> Signal:
    """Set the level, add a little room before, after and below."""
    fade = round(0.01 * sample_rate)
    ramp = 0.5 - 0.5 * np.cos(np.pi * np.arange(fade) / fade)
    spoken = spoken * 10 ** (level / 20) / np.sqrt(np.mean(spoken**2))
    spoken[:fade] *= ramp
    spoken[-fade:] *= ramp[::-1]
    before, after = (round(seconds * sample_rate) for seconds in random.uniform(0.03, 0.08, 2))
    signal = np.pad(spoken, (before, after))
    signal += 10 ** (ROOM / 20) * random.standard_normal(len(signal))
    return (signal * min(1.0, PEAK / np.abs(signal).max())).astype(np.float32)
