"""Speed of the 184-vector against the student projects' separate librosa calls, clip by clip on one core.

Run with ``pytest tests/benchmarks/test_features_speed.py -s``. Both ways are timed alternately on every clip and the
faster of two rounds counts, so that other load on the machine falls on both. Only agreement is asserted, times are
printed.
"""

from __future__ import annotations

import time

import librosa
import numpy as np
import psutil
import pytest
from threadpoolctl import threadpool_limits

from ser_study.audio import prepare
from ser_study.config import Config
from ser_study.features import vectors

N_CLIPS = 200
N_ROUNDS = 2
PARTS = {  # where each feature lies in the vector
    "rms": slice(0, 1),
    "centroid": slice(1, 2),
    "rolloff": slice(2, 3),
    "zcr": slice(3, 4),
    "chroma": slice(4, 16),
    "mfcc": slice(16, 56),
    "mel": slice(56, 184),
}
AUDIO, FRAMES = Config().means184_audio, Config().librosa_frames
RATE = AUDIO.sample_rate

pytestmark = pytest.mark.corpus


@pytest.fixture(scope="module")
def clips(corpora_dir):
    """200 RAVDESS speech clips spread over actors and emotions, and their decoded mono samples."""
    paths = sorted((corpora_dir / "ravdess").glob("speech/**/*-*-*-*-*-*-*.*"))
    if len(paths) < N_CLIPS:
        pytest.skip(f"needs {N_CLIPS} RAVDESS speech clips, found {len(paths)}")
    paths = [paths[i] for i in np.linspace(0, len(paths) - 1, N_CLIPS).astype(int)]
    return [(path, *librosa.load(path, sr=None)) for path in paths]


@pytest.fixture(autouse=True)
def one_core():
    """Hold the numerical libraries to one thread."""
    with threadpool_limits(1):
        yield


def _librosa_features(signal):
    trimmed, _ = librosa.effects.trim(signal)
    feature = librosa.feature
    parts = (
        feature.rms(y=trimmed),
        feature.spectral_centroid(y=trimmed, sr=RATE),
        feature.spectral_rolloff(y=trimmed, sr=RATE),
        feature.zero_crossing_rate(trimmed),
        feature.chroma_stft(S=np.abs(librosa.stft(trimmed)), sr=RATE),
        feature.mfcc(y=trimmed, sr=RATE, n_mfcc=40),
        feature.melspectrogram(y=trimmed, sr=RATE, n_fft=2048, hop_length=512),
    )
    return np.concatenate([part.mean(axis=1) for part in parts])


def librosa_from_file(clip):
    """Load, trim and describe a clip as E001 does."""
    return _librosa_features(librosa.load(clip[0], sr=RATE)[0])


def librosa_from_samples(clip):
    """The same from decoded samples."""
    return _librosa_features(librosa.resample(clip[1], orig_sr=clip[2], target_sr=RATE))


def ours_from_file(clip):
    """The 184-vector of a file."""
    return vectors.means184(prepare.load(clip[0], AUDIO), RATE, FRAMES)


def ours_from_samples(clip):
    """The 184-vector of decoded samples."""
    return vectors.means184(prepare.prepare(clip[1], clip[2], AUDIO), RATE, FRAMES)


WAYS = (librosa_from_file, ours_from_file, librosa_from_samples, ours_from_samples)


def _milliseconds(clips) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """Mean time of each way per clip, and its vectors."""
    best = np.full((len(WAYS), len(clips)), np.inf)
    found = {way.__name__: [None] * len(clips) for way in WAYS}
    for way in WAYS:
        way(clips[0])  # compilation and filter banks
    for i, clip in enumerate(clips):
        for _ in range(N_ROUNDS):
            for row, way in enumerate(WAYS):
                start = time.perf_counter()
                found[way.__name__][i] = way(clip)
                best[row, i] = min(best[row, i], time.perf_counter() - start)
    times = {way.__name__: 1000 * float(row.mean()) for way, row in zip(WAYS, best)}
    return times, {name: np.array(rows) for name, rows in found.items()}


def test_ratio_and_agreement(clips, capsys):
    before = psutil.Process().memory_info().rss
    times, found = _milliseconds(clips)
    grown = psutil.Process().memory_info().rss - before
    differences = {}
    for name, part in PARTS.items():
        pairs = [
            (found[f"librosa_from_{way}"][:, part], found[f"ours_from_{way}"][:, part]) for way in ("file", "samples")
        ]
        differences[name] = max(np.abs(theirs - ours).max() / np.abs(theirs).max() for theirs, ours in pairs)
    with capsys.disabled():
        print(
            f"\n184-vector, {len(clips)} RAVDESS clips, one core, ms per clip\n"
            f"{'':>20}{'librosa':>9}{'ours':>9}{'ratio':>8}"
        )
        for way, title in (("file", "with loading"), ("samples", "from samples")):
            theirs, ours = times[f"librosa_from_{way}"], times[f"ours_from_{way}"]
            print(f"{title:>20}{theirs:9.2f}{ours:9.2f}{theirs / ours:8.2f}")
        print("largest difference, share of each feature's largest value:")
        print("  " + ", ".join(f"{name} {value:.0e}" for name, value in differences.items()))
        print(f"memory grown by {grown / 2**20:.0f} MiB")
    assert max(differences.values()) <= 1e-4
    assert grown < 300 * 2**20


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_one_clip(benchmark, clips, way):
    benchmark.group = "184-vector of one clip"
    assert len(benchmark(way, clips[N_CLIPS // 2])) == 184


def test_summary_of_one_clip(benchmark, clips):
    config = Config()
    signal = prepare.prepare(clips[N_CLIPS // 2][1], clips[N_CLIPS // 2][2], config.audio)
    values = benchmark(vectors.summary, signal, config.audio.sample_rate, config.frames)
    assert len(values) == len(vectors.summary_columns(config.frames))
