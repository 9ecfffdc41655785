"""What the clips of the corpora measure, beside the limits of ``recognizer.conditions`` that warn of other recordings.

Run with ``pytest tests/benchmarks/test_conditions.py -s`` for ``N_CLIPS`` clips a corpus, without ``-s`` for a few.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ser_study.audio import activity, reading
from ser_study.corpora.files import audio_files
from ser_study.recognizer import conditions
from ser_study.recognizer.conditions import Survey

CORPORA = ("crema_d", "ravdess", "tess", "emodb")
N_CLIPS, FEW = 80, 10


def row_of(path):
    """Level of speech (dBFS), share of clipped samples, treble (dB), speech (s) and its level over noise (dB)."""
    samples, rate = reading.read(path)
    survey, levels = Survey(rate, samples.shape[1]), activity.Levels()
    survey.add(samples)
    measured = activity.measures(reading.to_mono(samples), rate)
    levels.add(measured[:, 0], activity.speech(measured))
    return levels.level, survey.clipped.max(), survey.treble.min(), levels.speech, levels.snr


@pytest.mark.corpus
def test_clips_of_the_corpora_lie_within_the_limits(corpora_dir, capsys, request):
    n_clips = N_CLIPS if request.config.getoption("capture") == "no" else FEW
    random, rows = np.random.default_rng(0), []
    for corpus in [name for name in CORPORA if (corpora_dir / name).is_dir()]:
        paths = sorted(audio_files(corpora_dir / corpus))
        rows += [(corpus, *row_of(paths[i])) for i in random.permutation(len(paths))[:n_clips]]
    table = pd.DataFrame(rows, columns=["corpus", "level", "clipped", "treble", "speech", "snr"]).dropna()
    with capsys.disabled():
        print(
            f"\n{table.groupby('corpus').size().to_dict()}\n{table.drop(columns='corpus').quantile([0, 0.05, 0.95, 1])}"
        )
    unlike = {
        "quiet": table["level"] < conditions.QUIET,
        "clipped": table["clipped"] > conditions.CLIPPED,
        "narrow": table["treble"] < conditions.NARROW,
        "short": table["speech"] < conditions.SHORT,
        "long": table["speech"] > conditions.LONG,
        "noisy": table["snr"] < conditions.NOISY,
    }
    shares = {name: float(where.mean()) for name, where in unlike.items()}
    assert shares.pop("noisy") <= 0.15, "that limit is what a twentieth of all clips is beyond"
    assert max(shares.values()) <= 0.02, shares
