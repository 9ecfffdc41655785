"""One clip as an example, and every frame-wise feature of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ser_study.features.inspection import analysis_of, envelope, mel_centres
from ser_study.study import Study

EMOTION = "happy"  # of the example, where there is such a clip: the pitch of joy moves
_QUIETEST = 1e-5  # RMS; −100 dB


def example(study: Study) -> dict[str, Any]:
    """Clip to look at closely, a row of the clips table: of the first selection, happy, of median duration."""
    clips = next(iter(study.selections.values())).clips
    chosen = clips[clips["emotion"] == EMOTION]
    chosen = chosen if len(chosen) else clips
    chosen = chosen.assign(away=(chosen["duration"] - chosen["duration"].median()).abs())
    return chosen.sort_values(["away", "clip_id"]).iloc[0].drop("away").to_dict()


def frame_by_frame(study: Study, clip: Mapping[str, Any]) -> dict[str, Any]:
    """Every frame-wise feature of one clip; nothing where the corpus is here as a pack only.

    Parameters
    ----------
    clip : a row of the clips table

    Returns
    -------
    ``signal`` (s,) and ``sample_rate`` (Hz); ``time`` (s), ``envelope``, ``rms``, ``loudness_db`` (re full scale),
    ``zcr`` (share of samples), ``centroid_hz``, ``rolloff_hz``, ``f0_hz`` (NaN where unvoiced) and ``is_voiced``,
    all (t,); ``mel_db`` (t, n_mels) with ``mel_hz``, the mean frequency of each band, (n_mels,); ``chroma`` (t, 12)
    and ``mfcc`` (t, n_mfcc).
    """
    analysis = analysis_of(clip, config=study.config, store=study.store)
    if analysis is None:
        return {}
    return {
        "signal": analysis.signal,
        "sample_rate": analysis.sample_rate,
        "time": analysis.times,
        "envelope": envelope(analysis.signal, study.config.frames),
        "rms": analysis.rms,
        "loudness_db": 20 * np.log10(np.maximum(analysis.rms, _QUIETEST)),
        "zcr": analysis.zcr,
        "centroid_hz": analysis.centroid,
        "rolloff_hz": analysis.rolloff,
        "f0_hz": np.where(analysis.is_voiced, analysis.f0, np.nan),
        "is_voiced": analysis.is_voiced,
        "mel_db": analysis.mel_db,
        "mel_hz": mel_centres(analysis),
        "chroma": analysis.chroma,
        "mfcc": analysis.mfcc,
    }
