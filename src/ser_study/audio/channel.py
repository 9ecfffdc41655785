"""What lies between a mouth and a file: other sounds, a room, a telephone, a codec.

Every function takes a mono signal, shape (s,), its rate in Hz and a level, and gives as many samples at that rate.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import soundfile
from scipy.signal import butter, correlate, fftconvolve, sosfiltfilt

from ser_study.audio.prepare import resample
from ser_study.schema import Signal

CODED = 16_000  # Hz, at which codecs are given speech; MP3 knows few rates
BAND = (300.0, 3_400.0)  # Hz, that a telephone passes
DIRECT = 0.0  # dB, energy of the direct path over that of the reverberation
TAIL = 1.2  # length of an impulse response, in reverberation times: it ends 72 dB down
LOWEST = 20.0  # Hz; below it pink noise has no more power than there


def power(signal: np.ndarray) -> float:
    """Mean square of all samples."""
    return float(np.mean(np.square(signal, dtype=np.float64)))


def add_noise(signal: Signal, noise: np.ndarray, snr: float) -> Signal:
    """Signal with a noise of the same length, scaled so that the power of the clip is ``snr`` dB above the noise's.

    Raises
    ------
    ValueError
        The signal or the noise is silent, so that no ratio can be reached.
    """
    level, noise = power(signal), np.asarray(noise, np.float64)
    if not level or not (added := power(noise)):
        raise ValueError(
            f"A ratio of {snr:g} dB needs a signal and a noise that sound; of {len(signal):,} samples the signal has "
            f"the power {level:g}, the noise {power(noise):g}. Leave the clip out."
        )
    return (signal + noise * np.sqrt(level / added * 10 ** (-snr / 10))).astype(np.float32)


def white(signal: Signal, sample_rate: int, snr: float, random: np.random.Generator) -> Signal:
    """With noise of equal power at all frequencies."""
    return add_noise(signal, random.standard_normal(len(signal)), snr)


def pink(signal: Signal, sample_rate: int, snr: float, random: np.random.Generator) -> Signal:
    """With noise whose power falls by 3 dB an octave: white noise, weighted by frequency (Timmer and König 1995)."""
    spectrum = np.fft.rfft(random.standard_normal(len(signal)))
    frequency = np.fft.rfftfreq(len(signal), 1 / sample_rate)
    weighted = spectrum / np.sqrt(np.maximum(frequency, LOWEST))
    weighted[0] = 0 if len(weighted) > 1 else 1
    return add_noise(signal, np.fft.irfft(weighted, len(signal)), snr)


def babble(
    signal: Signal, sample_rate: int, snr: float, random: np.random.Generator, voices: Sequence[Signal]
) -> Signal:
    """With several voices at once, equally loud, each begun somewhere and repeated to the length of the clip.

    Parameters
    ----------
    voices : signals at the same rate, of other speakers than the clip's

    Raises
    ------
    ValueError
        There are no voices, or one is silent.
    """
    levels = [power(voice) if len(voice) else 0.0 for voice in voices]
    if not levels or not min(levels):
        raise ValueError(f"Babble needs voices that sound; the powers of the {len(levels)} given are {levels}.")
    total = np.zeros(len(signal))
    for voice, level in zip(voices, levels):
        start = random.integers(len(voice))
        total += np.resize(np.roll(voice, -start), len(signal)) / np.sqrt(level)
    return add_noise(signal, total, snr)


def room(rt60: float, sample_rate: int, random: np.random.Generator) -> np.ndarray:
    """Impulse response of a made-up room: the direct path, then Gaussian noise that decays by 60 dB in ``rt60`` s.

    The statistical model of late reverberation (Moorer 1979; Polack 1988), both parts of equal energy (``DIRECT``).

    Returns
    -------
    float64 array, shape (``TAIL`` · rt60 · sample_rate + 1,); the direct path is its first sample, 1.
    """
    n_samples = max(1, round(TAIL * rt60 * sample_rate))
    seconds = np.arange(1, n_samples + 1) / sample_rate
    tail = random.standard_normal(n_samples) * 10 ** (-3 * seconds / rt60)
    tail *= np.sqrt(10 ** (-DIRECT / 10) / np.square(tail).sum())
    return np.concatenate([[1.0], tail])


def reverberation(signal: Signal, sample_rate: int, rt60: float, random: np.random.Generator) -> Signal:
    """In a room of a reverberation time in s; the recording ends when it did, whatever still rings."""
    response = room(rt60, sample_rate, random)
    return fftconvolve(signal.astype(np.float64), response)[: len(signal)].astype(np.float32)


def telephone(signal: Signal, sample_rate: int, rate: float, random: np.random.Generator) -> Signal:
    """Through a telephone line: its band, 8 bits a sample by the µ-law of ITU-T G.711 (1988), and back.

    Parameters
    ----------
    rate : of the line, kHz
    """
    narrow = resample(signal, sample_rate=sample_rate, target=round(1000 * rate))
    sections = butter(4, BAND, btype="bandpass", fs=1000 * rate, output="sos")
    passed = sosfiltfilt(sections, narrow, padlen=min(len(narrow) - 1, 100))
    line = _coded(passed, round(1000 * rate), format="WAV", subtype="ULAW")
    return _fitted(resample(line, sample_rate=round(1000 * rate), target=sample_rate), len(signal))


def opus(signal: Signal, sample_rate: int, rate: float, random: np.random.Generator) -> Signal:
    """Through Opus (RFC 6716, 2012) at a bit rate in kbit/s, as voice messages and calls over the internet are."""
    return _through(signal, sample_rate, format="OGG", subtype="OPUS", compression_level=_share(rate, 6, 256))


def mp3(signal: Signal, sample_rate: int, rate: float, random: np.random.Generator) -> Signal:
    """Through MP3 (ISO/IEC 13818-3, 1998) at a constant bit rate in kbit/s."""
    options = {"format": "MP3", "subtype": "MPEG_LAYER_III", "bitrate_mode": "CONSTANT"}
    return _through(signal, sample_rate, **options, compression_level=_share(rate, 8, 160))


def vorbis(signal: Signal, sample_rate: int, quality: float, random: np.random.Generator) -> Signal:
    """Through Ogg Vorbis (2004) at a quality of 0 to 10."""
    return _through(signal, sample_rate, format="OGG", subtype="VORBIS", compression_level=1 - quality / 10)


def _share(rate: float, lowest: float, highest: float) -> float:
    """What libsndfile calls the compression level of a bit rate: 0 for the highest, 1 for the lowest."""
    return min((highest - rate) / (highest - lowest), 0.999)  # it refuses 1 for MP3


def _through(signal: Signal, sample_rate: int, **options) -> Signal:
    """A signal through an encoder and its decoder, at the rate of ``CODED``."""
    given = resample(signal, sample_rate=sample_rate, target=CODED)
    return _fitted(resample(_coded(given, CODED, **options), sample_rate=CODED, target=sample_rate), len(signal))


def _coded(signal: np.ndarray, sample_rate: int, **options) -> Signal:
    """What libsndfile writes in memory and reads back, with the encoder's delay taken off where it says none."""
    file = io.BytesIO()
    soundfile.write(file, np.clip(signal, -1, 1), sample_rate, **options)
    file.seek(0)
    decoded, _ = soundfile.read(file, dtype="float32")
    if len(decoded) != len(signal):  # MP3 frames too small for the note of the delay
        delay = int(correlate(decoded, signal, method="fft").argmax()) - (len(signal) - 1)
        decoded = decoded[max(delay, 0) :]
    return _fitted(decoded, len(signal))


def _fitted(signal: np.ndarray, n_samples: int) -> Signal:
    """Cut at the end, or padded there, to a number of samples."""
    short = max(0, n_samples - len(signal))
    return np.pad(signal[:n_samples], (0, short)).astype(np.float32)
