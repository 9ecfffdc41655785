"""Degradations do what they say: ratios and reverberation times are measured, codecs are real, seeds repeat."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile
from scipy.signal import correlate

from ser_study.audio import channel, degrade
from ser_study.audio.degrade import DEGRADATIONS, conditions, degraded

RATE = 16_000
ALL = conditions(())
KEEPS_LENGTH = [one for one in ALL if one[0] not in ("tempo", "wrong_rate", "silence", "length")]


def voice(seconds=1.5, pitch=140.0, seed=0, rate=RATE):
    """A rising buzz of falling harmonics in syllables, between two pauses with a little room noise."""
    random, time = np.random.default_rng(seed), np.arange(round(seconds * rate)) / rate
    turns = 2 * np.pi * pitch * (time + 0.15 * time**2)
    tones = sum(np.sin(k * turns) / k for k in range(1, 30))
    loud = np.clip(np.sin(2 * np.pi * 3 * time), 0, None) * (time > 0.2) * (time < seconds - 0.2)
    return (0.2 * tones * loud + 1e-4 * random.standard_normal(len(time))).astype(np.float32)


VOICES = [voice(pitch=90 + 20 * number, seed=number, seconds=0.5 + 0.2 * number) for number in range(6)]


def made(condition, signal=None, seed="a", rate=RATE):
    return degraded(voice() if signal is None else signal, rate, condition, seed=seed, voices=VOICES)


def decibels(power, other):
    return 10 * np.log10(power / other)


def share_of_band(signal, low, high, rate=RATE):
    """Share of the power between two frequencies."""
    spectrum = np.abs(np.fft.rfft(signal)) ** 2
    frequency = np.fft.rfftfreq(len(signal), 1 / rate)
    return spectrum[(frequency >= low) & (frequency <= high)].sum() / spectrum.sum()


@pytest.mark.parametrize("snr", [30, 17.5, 0, -5])
@pytest.mark.parametrize("kind", ["white", "pink", "babble"])
def test_the_ratio_of_signal_to_noise_is_reached(kind, snr):
    signal = voice()
    added = made((kind, snr)).astype(float) - signal
    assert decibels(np.mean(signal.astype(float) ** 2), np.mean(added**2)) == pytest.approx(snr, abs=0.1)


@pytest.mark.parametrize(("kind", "slope"), [("white", 0.0), ("pink", -3.01)])
def test_noise_has_the_slope_of_its_colour(kind, slope):
    signal = voice(8)
    noise = made((kind, 0), signal).astype(float) - signal
    octaves = [share_of_band(noise, low, 2 * low) / low for low in (250, 500, 1000, 2000)]
    assert np.diff(10 * np.log10(octaves)) == pytest.approx([slope] * 3, abs=0.4)


def test_babble_is_the_sum_of_equally_loud_voices():
    signal = voice()
    quiet = [VOICES[0], 0.01 * VOICES[1]]
    added = degraded(signal, RATE, ("babble", 0), seed="a", voices=quiet).astype(float) - signal
    again = degraded(signal, RATE, ("babble", 0), seed="a", voices=VOICES[:2]).astype(float) - signal
    assert added == pytest.approx(again, abs=1e-5)
    alone = degraded(signal, RATE, ("babble", 0), seed="a", voices=VOICES[:1]).astype(float) - signal
    whole = np.concatenate([VOICES[0], VOICES[0]]).astype(float)
    lags = np.correlate(whole, alone[: len(VOICES[0]) // 2], "valid")
    piece = whole[lags.argmax() :][: len(VOICES[0]) // 2]
    assert np.corrcoef(piece, alone[: len(piece)])[0, 1] > 0.999, "the voice itself, begun somewhere"


def reverberation_time(response, rate):
    """T30 by backward integration (Schroeder 1965): twice the time from −5 to −35 dB."""
    energy = np.cumsum(np.square(response)[::-1])[::-1]
    level = 10 * np.log10(energy / energy[0])
    start, end = (np.argmax(level <= limit) for limit in (-5, -35))
    slope, _ = np.polyfit(np.arange(start, end) / rate, level[start:end], 1)
    return -60 / slope


@pytest.mark.parametrize("rate", [16_000, 48_000])
@pytest.mark.parametrize("rt60", [0.2, 0.3, 0.6, 1.2])
def test_the_room_rings_as_long_as_asked(rt60, rate):
    for seed in range(5):
        response = channel.room(rt60, rate, np.random.default_rng(seed))
        assert reverberation_time(response, rate) == pytest.approx(rt60, rel=0.1)
        assert response[0] == 1
        assert np.square(response[1:]).sum() == pytest.approx(1)


def test_a_click_comes_back_as_the_room():
    click = np.zeros(RATE, np.float32)
    click[0] = 0.5
    rung = made(("reverberation", 0.6), click)
    assert rung[0] == pytest.approx(0.5, abs=1e-6)
    assert reverberation_time(rung, RATE) == pytest.approx(0.6, rel=0.1)


@pytest.mark.parametrize("rate", [16_000, 24_414, 48_000])
def test_a_telephone_passes_its_band_only(rate):
    noise = (0.1 * np.random.default_rng(0).standard_normal(2 * rate)).astype(np.float32)
    line = made(("telephone", 8), noise, rate=rate)
    assert share_of_band(line, 280, 3500, rate) > 0.97
    assert share_of_band(noise, 280, 3500, rate) < 0.5


def test_the_line_has_the_levels_of_g711():
    """Decoded µ-law: 0, then 8 (in 16 bits) on in the lowest segment, twice as coarse in each next one."""
    values = np.array([0, 0.5, 1, 300 / 32768, 10_000 / 32768, -10_000 / 32768], np.float32)
    decoded = channel._coded(values, 8_000, format="WAV", subtype="ULAW") * 32768
    # 300 + 132 lies in the segment from 256, whose steps are 16: 432 // 16 · 16 + 8 − 132; and so on to steps of 1024
    assert decoded.tolist() == [0, 16764, 32124, 308, 9852, -9852]
    assert len(np.unique(channel._coded(np.linspace(-1, 1, 9999), 8_000, format="WAV", subtype="ULAW"))) <= 255


CODECS = [("opus", 16.0), ("opus", 6.0), ("mp3", 64.0), ("mp3", 16.0), ("vorbis", 0.0)]


@pytest.mark.parametrize("rate", [16_000, 24_414, 44_100])
@pytest.mark.parametrize("condition", CODECS, ids=str)
def test_codecs_give_the_same_speech_in_other_samples(condition, rate):
    signal = voice(rate=rate)
    back = made(condition, signal, rate=rate)
    assert len(back) == len(signal)
    assert not np.allclose(back, signal, atol=1e-3)
    lag = int(correlate(back, signal, method="fft").argmax()) - (len(signal) - 1)
    assert abs(lag) <= rate // 2000, "no delay of half a millisecond or more"
    low, low_back = (share_of_band(one, 0, 4000, rate) for one in (signal, back))
    assert low_back == pytest.approx(low, abs=0.15)


def test_a_lower_bit_rate_makes_a_smaller_file_and_another_sound(monkeypatch):
    sizes, write = {}, soundfile.write

    def noted(file, *rest, **options):
        write(file, *rest, **options)
        assert isinstance(file, io.BytesIO)
        sizes[condition] = len(file.getvalue())

    monkeypatch.setattr(soundfile, "write", noted)
    back = {}
    for condition in [*CODECS, ("mp3", 32.0)]:
        back[condition] = made(condition, voice(4))
    seconds, signal = 4, voice(4).astype(float)
    for rate in (64.0, 32.0, 16.0):
        assert 8 * sizes["mp3", rate] / seconds / 1000 == pytest.approx(rate, rel=0.12)
    assert 8 * sizes["opus", 16.0] / seconds / 1000 == pytest.approx(16, rel=0.35)  # with the container's share
    errors = {one: np.mean((back[one] - signal) ** 2) for one in back}
    assert errors["mp3", 16.0] > errors["mp3", 32.0] > errors["mp3", 64.0]
    assert errors["opus", 6.0] > errors["opus", 16.0]


def test_levels_are_those_asked_for():
    signal = voice()
    assert made(("gain", 20)) == pytest.approx(10 * signal, rel=1e-6)
    cut = made(("clipping", 10))
    assert np.mean(np.abs(signal) > np.abs(cut).max()) == pytest.approx(0.1, abs=0.001)
    assert len(made(("tempo", 2))) == pytest.approx(len(signal) / 2, rel=0.02)
    assert len(made(("wrong_rate", 8))) == 2 * len(signal)
    assert made(("wrong_rate", 16)) == pytest.approx(signal, abs=1e-6)
    late = made(("silence", 2))
    assert not late[: 2 * RATE].any()
    assert np.array_equal(late[2 * RATE :], signal)
    assert np.array_equal(made(("length", 0.5)), signal[:8000])
    assert np.array_equal(made(("length", 3)), signal), "a shorter clip stays whole"


@pytest.mark.parametrize(("condition", "factor"), [(("pitch", 12), 2), (("wrong_rate", 24), 1.5), (("tempo", 1.4), 1)])
def test_pitch_moves_where_it_should(condition, factor):
    tone = (0.3 * np.sin(2 * np.pi * 440 * np.arange(2 * RATE) / RATE)).astype(np.float32)
    changed = made(condition, tone)
    peak = np.fft.rfftfreq(len(changed), 1 / RATE)[np.abs(np.fft.rfft(changed)).argmax()]
    assert peak == pytest.approx(440 * factor, rel=0.01)


@pytest.mark.parametrize("condition", ALL, ids=str)
def test_a_seed_gives_the_same_samples_again(condition):
    first, again = made(condition), made(condition)
    assert first.dtype == np.float32
    assert first.flags["C_CONTIGUOUS"]
    assert first.tobytes() == again.tobytes()
    is_random = condition[0] in ("white", "pink", "babble", "reverberation")
    assert np.array_equal(first, made(condition, seed="b")) != is_random
    if condition in KEEPS_LENGTH:
        assert len(first) == len(voice())


def test_levels_of_a_degradation_share_their_noise():
    signal = voice()
    one, other = (made(("white", snr)).astype(float) - signal for snr in (20, 0))
    assert np.corrcoef(one, other)[0, 1] > 0.999


@pytest.mark.parametrize("condition", ALL, ids=str)
def test_silence_and_nothing_are_refused_with_the_numbers(condition):
    with pytest.raises(ValueError, match=r"\(800,\) and 0 samples that are not 0"):
        made(condition, np.zeros(800, np.float32))
    with pytest.raises(ValueError, match=r"\(0,\) and 0 samples"):
        made(condition, np.zeros(0, np.float32))
    with pytest.raises(ValueError, match=r"\(2, 8\) and 16 samples"):
        made(condition, np.ones((2, 8), np.float32))


@pytest.mark.parametrize("condition", ALL, ids=str)
def test_a_clip_of_a_tenth_of_a_second_survives(condition):
    short = made(condition, voice()[4000:5600])
    assert len(short)
    assert np.isfinite(short).all()


def test_what_cannot_be_done_is_refused_with_the_numbers():
    with pytest.raises(ValueError, match="the noise 0"):
        channel.add_noise(voice(), np.zeros(24_000), 10)
    with pytest.raises(ValueError, match="powers of the 0 given"):
        degraded(voice(), RATE, ("babble", 10), seed="a")
    with pytest.raises(ValueError, match=r"powers of the 2 given are \[0.0"):
        degraded(voice(), RATE, ("babble", 10), seed="a", voices=[np.zeros(9), VOICES[0]])
    mostly_silent = np.zeros(1000, np.float32)
    mostly_silent[:50] = 1
    with pytest.raises(ValueError, match="95% are 0, so 30 % cannot be clipped"):
        made(("clipping", 30), mostly_silent)
    with pytest.raises(ValueError, match="'reverberation' is 0 s RT60; give one from 0.05 to 10"):
        made(("reverberation", 0))


def test_conditions_are_read_from_settings():
    assert conditions(["telephone", "white:10", "opus"]) == [
        *[("telephone", 8.0), ("white", 10.0), ("opus", 16.0), ("opus", 6.0)]
    ]
    assert [name for name, _ in dict(ALL).items()] == list(DEGRADATIONS)
    assert DEGRADATIONS["gain"].at(-20) == "−20 dB"
    for wrong, message in [("whit", "did you mean 'white'"), ("white:x", "'white:x' is no number"), ("mp3:2", "16 to")]:
        with pytest.raises(ValueError, match=message):
            conditions([wrong])


def test_neutral_levels_change_next_to_nothing():
    for name, one in DEGRADATIONS.items():
        if one.neutral is not None and name not in ("tempo", "pitch"):  # these go through a phase vocoder
            assert made((name, one.neutral)) == pytest.approx(voice(), abs=1e-5)
    assert degrade.CLEAN not in DEGRADATIONS
