"""The built-in corpus: the same bytes every time, the promised design, and cues that are really there."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.fft import dct
from scipy.io import wavfile
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import recall_score
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ser_study.audio import voice
from ser_study.config import Synthetic
from ser_study.corpora import synthetic
from ser_study.corpora.synthetic import Clip

SMALL = Synthetic(n_speakers=2, n_statements=1)
PLAIN = Synthetic(speaker_confound=0.0, sentence_confound=0.0, noise=0.0)


def hashes(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.wav")}


def frames_of(signal: np.ndarray) -> np.ndarray:
    """Frames of 64 ms within 40 dB of the loudest, shape (t, 1024)."""
    frames = np.lib.stride_tricks.sliding_window_view(signal, 1024)[::256]
    rms = np.sqrt((frames**2).mean(axis=1))
    return frames[rms > 0.01 * rms.max()]


def pitch_of(frames: np.ndarray, *, sample_rate: int) -> np.ndarray:
    """F0 in Hz of the clearly voiced frames: the highest peak of the autocorrelation."""
    power = np.abs(np.fft.rfft(frames * np.hanning(1024), 2048)) ** 2
    window = np.fft.irfft(np.abs(np.fft.rfft(np.hanning(1024), 2048)) ** 2)[:400]
    correlation = np.fft.irfft(power)[:, :400] / window  # the window's own slope would favour short lags
    lags = np.arange(sample_rate // 500, sample_rate // 60)
    best = correlation[:, lags].argmax(axis=1)
    voiced = correlation[np.arange(len(best)), lags[best]] > 0.7 * correlation[:, 0]
    return sample_rate / lags[best][voiced]


def describe(signal: np.ndarray) -> np.ndarray:
    """Means and sds that a student would start with: cepstra, pitch, loudness, length."""
    frames = frames_of(signal)
    power = np.abs(np.fft.rfft(frames * np.hanning(1024)))[:, 4:484] ** 2
    bands = np.log(power.reshape(len(frames), 24, 20).mean(axis=2) + 1e-8)
    cepstra = dct(bands, axis=1, norm="ortho")[:, :14]
    pitch = 12 * np.log2(pitch_of(frames, sample_rate=16_000) / 100)
    spread = [pitch.mean(), pitch.std()] if len(pitch) else [0.0, 0.0]
    return np.r_[bands.mean(0), cepstra.std(0), spread, len(frames)]


def uar(settings: Synthetic) -> tuple[float, float]:
    """Pooled UAR of logistic regression on random and on speaker-independent folds (a woman and a man each)."""
    clips = synthetic.layout(settings)
    values = np.array([describe(synthetic.synthesise(clip, settings)) for clip in clips])
    truth = np.array([clip.emotion for clip in clips])
    pair = np.array([(clip.speaker - 1) // 2 for clip in clips])
    random = StratifiedKFold(4, shuffle=True, random_state=0).split(values, truth)
    by_speaker = [(np.flatnonzero(pair != one), np.flatnonzero(pair == one)) for one in range(4)]
    scores = []
    for folds in (random, by_speaker):
        prediction = np.empty(len(truth), dtype=object)
        for train, test in folds:
            model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=300))
            prediction[test] = model.fit(values[train], truth[train]).predict(values[test])
        scores.append(recall_score(truth, prediction, average="macro"))
    return scores[0], scores[1]


def test_two_generations_are_equal_byte_for_byte(tmp_path):
    first = hashes(synthetic.generate(tmp_path / "a", SMALL))
    second = hashes(synthetic.generate(tmp_path / "b", SMALL))
    assert len(first) == 36
    assert first == second
    assert len(set(first.values())) == len(first)


def test_a_larger_corpus_keeps_the_clips_of_a_smaller_one():
    large = dataclasses.replace(SMALL, n_speakers=200, n_statements=8, n_repetitions=5)
    small_clips = synthetic.layout(SMALL)
    assert set(small_clips) < set(synthetic.layout(large))
    for clip in small_clips[::9]:
        assert np.array_equal(synthetic.synthesise(clip, SMALL), synthetic.synthesise(clip, large))


def test_another_seed_gives_another_corpus():
    clip = Clip(1, "angry", "strong", 1, 1)
    assert synthetic.clip_cues(clip, SMALL) != synthetic.clip_cues(clip, dataclasses.replace(SMALL, seed=8))


def test_layout_is_balanced_and_has_every_unit():
    clips = pd.DataFrame([dataclasses.asdict(clip) for clip in synthetic.layout(Synthetic())])
    assert len(clips) == 480
    assert clips.groupby(["speaker", "emotion"]).size().eq(10).all()
    assert clips["speaker"].nunique() == 8
    assert clips["statement"].nunique() == 4
    assert clips["emotion"].nunique() == 6
    assert set(clips.loc[clips["emotion"] == "neutral", "intensity"]) == {"normal"}
    assert set(clips.loc[clips["emotion"] == "sad", "intensity"]) == {"normal", "strong"}
    takes = clips.groupby(["speaker", "emotion", "intensity", "statement"]).size()
    assert takes.value_counts().to_dict() == {1: 8 * 4 * 5 + 8 * 2 * 5, 2: 8 * 2 * 5 + 8 * 2, 3: 8 * 2}


@pytest.mark.parametrize("change", [{"n_speakers": 0}, {"n_statements": 9}, {"n_repetitions": 0}])
def test_impossible_sizes_are_refused(change, tmp_path):
    name, value = next(iter(change.items()))
    with pytest.raises(ValueError, match=rf"synthetic\.{name}.*between 1 and \d+; found {value}"):
        synthetic.generate(tmp_path, dataclasses.replace(SMALL, **change))
    assert list(tmp_path.iterdir()) == []


def test_rows_say_what_the_names_say(tmp_path):
    folder = synthetic.generate(tmp_path, SMALL)
    (folder / "notes.wav").touch()
    rows = synthetic.rows(folder)
    assert len(rows) == 36
    assert rows[0] == {
        "clip_id": "synthetic/f01-angry-normal-s1-t1",
        "path": folder / "f01-angry-normal-s1-t1.wav",
        "emotion": "angry",
        "intensity": "normal",
        "speaker": "synthetic/01",
        "statement": "synthetic/1",
        "gender": "female",
        "channel": "speech",
        "repetition": "1",
    }
    assert {(row["speaker"], row["gender"]) for row in rows} == {("synthetic/01", "female"), ("synthetic/02", "male")}
    assert {Path(row["path"]).stem for row in rows} == {clip.stem for clip in synthetic.layout(SMALL)}


def test_files_are_short_16_bit_mono_and_never_clip(tmp_path):
    settings = Synthetic(n_speakers=4, n_statements=2, n_repetitions=1)
    for path in synthetic.generate(tmp_path, settings).glob("*.wav"):
        sample_rate, samples = wavfile.read(path)
        assert sample_rate == 16_000
        assert samples.dtype == np.int16
        assert samples.ndim == 1
        assert 0.8 <= len(samples) / sample_rate <= 1.6
        assert 500 < np.abs(samples.astype(int)).max() <= round(voice.PEAK * 32767)


def test_a_complete_corpus_is_left_alone_and_a_damaged_one_made_again(tmp_path):
    folder = synthetic.generate(tmp_path, SMALL)
    before, stamps = hashes(folder), {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert synthetic.generate(tmp_path, SMALL) == folder
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == stamps
    lost = folder / "m02-sad-strong-s1-t2.wav"
    lost.unlink()
    (tmp_path / f".{folder.name}.part").mkdir()  # as a run that was killed leaves it
    assert synthetic.generate(tmp_path, SMALL) == folder
    assert hashes(folder) == before
    assert [path for path in tmp_path.iterdir() if path.is_dir()] == [folder]


def test_a_corpus_appears_only_when_it_is_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(synthetic.wavfile, "write", full_disk)
    with pytest.raises(OSError, match=r"f01-angry-normal-s1-t1\.wav.*No space left.*again"):
        synthetic.generate(tmp_path, SMALL)
    assert not any(path.is_dir() and not path.name.startswith(".") for path in tmp_path.iterdir())


def full_disk(*_):
    raise OSError(28, os.strerror(28))


def test_other_settings_live_beside_each_other(tmp_path):
    one = synthetic.generate(tmp_path, SMALL)
    other = synthetic.generate(tmp_path, dataclasses.replace(SMALL, noise=0.5))
    assert one != other
    assert one.is_dir()
    assert other.is_dir()


@pytest.mark.parametrize("emotion", synthetic.EMOTION_CUES)
@pytest.mark.parametrize(("speaker", "usual"), [(1, 200.0), (2, 115.0)])
def test_pitch_is_the_planted_one(emotion, speaker, usual):
    settings = dataclasses.replace(PLAIN, noise=1.0)
    clip = Clip(speaker, emotion, "normal", 1, 1)
    planted = usual * 2 ** (synthetic.clip_cues(clip, settings)["pitch"] / 12)
    measured = pitch_of(frames_of(synthetic.synthesise(clip, settings)), sample_rate=16_000)
    away = 12 * np.log2(measured / planted)  # semitones
    same_octave = np.abs(away) < 9
    assert len(away) > 20
    assert same_octave.mean() > 0.75
    assert away[same_octave].mean() == pytest.approx(0, abs=0.6)


def test_cues_move_the_sound_as_declared():
    truth = synthetic.truth(PLAIN)
    angry, sad = (synthetic.synthesise(Clip(2, name, "strong", 1, 1), PLAIN) for name in ("angry", "sad"))
    level = 20 * np.log10(frames_of(angry).std() / frames_of(sad).std())
    assert level == pytest.approx(truth.loc["angry", "level"] - truth.loc["sad", "level"], abs=1.0)
    tempo = truth.loc["angry", "tempo"] - truth.loc["sad", "tempo"]
    assert np.log2(len(frames_of(sad)) / len(frames_of(angry))) == pytest.approx(tempo, abs=0.07)
    spread = [12 * np.log2(pitch_of(frames_of(signal), sample_rate=16_000)).std() for signal in (angry, sad)]
    assert spread[0] > 1.5 * spread[1]
    power = [np.mean(np.abs(np.fft.rfft(frames_of(signal))) ** 2, axis=0) for signal in (angry, sad)]
    bright = [10 * np.log10(one[64:192].sum() / one[:64].sum()) for one in power]  # 1–3 kHz against below 1 kHz
    assert bright[0] > bright[1] + 3


def test_truth_follows_the_settings_and_null_cues_say_nothing():
    truth = synthetic.truth(PLAIN)
    assert (truth.loc["neutral"] == 0).all()
    assert (truth[list(synthetic.NULL_CUES)] == 0).all(axis=None)
    assert (truth.drop(columns=list(synthetic.NULL_CUES)).drop(index="neutral") != 0).all(axis=None)
    half = synthetic.truth(dataclasses.replace(PLAIN, emotion_strength=0.5))
    pd.testing.assert_frame_equal(half, truth / 2)
    cues = synthetic.clip_cues(Clip(1, "happy", "strong", 1, 1), PLAIN)
    assert cues["pitch"] == pytest.approx(truth.loc["happy", "pitch"])
    assert np.log2(cues["tempo"]) == pytest.approx(truth.loc["happy", "tempo"])
    normal = synthetic.clip_cues(Clip(1, "happy", "normal", 1, 1), PLAIN)
    assert normal["pitch"] == pytest.approx(synthetic.GAIN["normal"] * cues["pitch"])


def test_each_confound_reaches_its_own_unit_only():
    def pitch(clip, **change):
        return synthetic.clip_cues(clip, dataclasses.replace(PLAIN, **change))["pitch"]

    clip = Clip(1, "happy", "strong", 1, 1)
    other_speaker, other_sentence = dataclasses.replace(clip, speaker=3), dataclasses.replace(clip, statement=2)
    other_take = dataclasses.replace(clip, take=2)
    assert pitch(clip, speaker_confound=1.0) != pitch(other_speaker, speaker_confound=1.0)
    assert pitch(clip, speaker_confound=1.0) == pitch(other_sentence, speaker_confound=1.0)
    assert pitch(clip, sentence_confound=1.0) != pitch(other_sentence, sentence_confound=1.0)
    assert pitch(clip, sentence_confound=1.0) == pitch(other_speaker, sentence_confound=1.0)
    assert pitch(clip, noise=1.0) != pitch(other_take, noise=1.0)
    assert pitch(clip) == pitch(other_take) == pitch(other_speaker) == pitch(other_sentence)


def test_random_folds_are_inflated_by_the_speakers_own_ways():
    random, by_speaker = uar(Synthetic())
    assert 0.65 < random < 0.95
    assert 0.45 < by_speaker < 0.70
    assert random - by_speaker > 0.10


def test_nothing_is_inflated_without_the_confound():
    random, by_speaker = uar(Synthetic(speaker_confound=0.0))
    assert random > 0.85
    assert random - by_speaker == pytest.approx(0, abs=0.03)


def test_labels_that_mean_nothing_give_chance():
    random, by_speaker = uar(Synthetic(emotion_strength=0.0))
    assert by_speaker == pytest.approx(1 / 6, abs=0.035)  # two binomial sd at 480 clips
    assert random < 1 / 6 + 0.035  # below chance rather than above: see the module's docstring


def test_the_voice_refuses_what_it_cannot_speak():
    random = np.random.default_rng(0)
    options = {"voice": voice.Voice(115.0), "style": voice.Style(), "random": random}
    with pytest.raises(ValueError, match="'x'.*knows the letters abdefgiklmnopstuz"):
        voice.speak("ma-xu", sample_rate=16_000, **options)
    with pytest.raises(ValueError, match="8000 Hz or more; found 4000"):
        voice.speak("ma-nu", sample_rate=4000, **options)


@pytest.mark.parametrize("sample_rate", [8000, 22_050, 48_000])
def test_the_voice_speaks_at_other_sample_rates(sample_rate):
    style = voice.Style(level=-20.0)
    signal = voice.speak(
        "sa-TI", voice=voice.Voice(115.0), style=style, sample_rate=sample_rate, random=np.random.default_rng(0)
    )
    assert signal.dtype == np.float32
    assert np.isfinite(signal).all()
    assert 0.4 < len(signal) / sample_rate < 0.9
    assert np.abs(signal).max() <= voice.PEAK + 1e-6
