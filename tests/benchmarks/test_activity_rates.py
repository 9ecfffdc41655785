"""How well voice activity tells speech from silence and noise, on real clips.

Run with ``pytest tests/benchmarks/test_activity_rates.py -s`` for ``N_CLIPS`` clips a corpus, without ``-s`` for a
few. Speech is what the study's trimming keeps (40 dB below the loudest frame), so it holds the pauses too; *loud* is
what lies within 25 dB of the loudest frame. A clip is missed where less speech is noticed than a window needs.
"""

from __future__ import annotations

import numpy as np
import pytest

from ser_study.audio import activity, degrade, reading
from ser_study.audio.degrade import CLEAN
from ser_study.audio.prepare import resample
from ser_study.corpora.files import audio_files
from ser_study.recognizer.stream import LEAST_SPEECH

CORPORA = ("crema_d", "ravdess", "tess", "emodb")
N_CLIPS, FEW = 200, 8
CONDITIONS = ((CLEAN, 0.0), *((name, level) for name in ("white", "pink", "babble") for level in (20.0, 10.0)))
RATE, FRAME, HOP = 16_000, 2048, 512  # of the reference
KEPT, LOUD = 40.0, 25.0  # dB below the loudest frame


def clips_of(folder, n_clips, random):
    paths = sorted(audio_files(folder))
    read = [(path, *reading.read(path)) for path in (paths[i] for i in random.permutation(len(paths))[:n_clips])]
    return [(path, reading.to_mono(samples), rate) for path, samples, rate in read if samples.any()]


def reference(signal, rate, n_frames):
    """Which frames lie in what trimming keeps, and which of those are loud."""
    padded = np.pad(resample(signal, sample_rate=rate, target=RATE), FRAME // 2)
    power = np.square(np.lib.stride_tricks.sliding_window_view(padded, FRAME)[::HOP]).mean(axis=1)
    level = 10 * np.log10(np.maximum(power, 1e-10))
    kept = np.flatnonzero(level - level.max() > -KEPT)
    seconds = np.arange(n_frames) * activity.HOP + activity.FRAME / 2
    inside = (seconds >= kept[0] * HOP / RATE) & (seconds < (kept[-1] + 1) * HOP / RATE)
    nearest = np.minimum((seconds * RATE / HOP).astype(int), len(level) - 1)
    return inside, inside & (level - level.max() > -LOUD)[nearest]


def row_of(signal, rate, degraded):
    spoken = activity.speech(activity.measures(np.asarray(degraded, np.float32), rate))
    inside, loud = reference(signal, rate, len(spoken))
    shares = [spoken[which].mean() if which.any() else np.nan for which in (inside, loud, ~inside)]
    return [*shares, spoken.sum() * activity.HOP < LEAST_SPEECH]


@pytest.mark.corpus
@pytest.mark.filterwarnings("ignore:Mean of empty slice")
def test_speech_of_the_corpora(corpora_dir, capsys, request):
    n_clips = N_CLIPS if request.config.getoption("capture") == "no" else FEW
    random = np.random.default_rng(0)
    missed = {}
    for corpus in [name for name in CORPORA if (corpora_dir / name).is_dir()]:
        clips = clips_of(corpora_dir / corpus, n_clips, random)
        for condition in CONDITIONS:
            rows = []
            for i, (path, signal, rate) in enumerate(clips):
                voices = [other for _, other, same in (clips[j] for j in range(i - 6, i)) if same == rate]
                as_given = condition[0] == CLEAN
                changed = (
                    signal if as_given else degrade.degraded(signal, rate, condition, seed=path.name, voices=voices)
                )
                rows.append(row_of(signal, rate, changed))
            inside, loud, ends, lost = np.nanmean(np.array(rows, float), axis=0)
            missed[corpus, condition] = lost
            with capsys.disabled():
                print(
                    f"{corpus:>9} {condition[0]:>7} {condition[1]:4.0f} dB: {inside:.3f} of speech, {loud:.3f} of loud "
                    f"speech, {ends:.3f} of the ends; missed {lost:.3f} of {len(rows)} clips"
                )
    assert max(missed.values()) <= 0.05
