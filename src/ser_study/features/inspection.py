"""One clip frame by frame, for figures: its analysis, the envelope of its waveform, and where its mel bands lie."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.ndimage import maximum_filter1d

from ser_study import corpora
from ser_study.audio import prepare
from ser_study.config import Config, Frames
from ser_study.features import column_names, frames
from ser_study.schema import Signal
from ser_study.store import Store


def analysis_of(clip: Mapping[str, Any], *, config: Config, store: Store) -> frames.Analysis | None:
    """Frame-wise features of one clip.

    Parameters
    ----------
    clip : a row of the clips table

    Returns
    -------
    The analysis of the clip as the study prepares it; None where its corpus is here as a pack only, without sound.
    """
    if corpora.pack_of(clip["corpus"], store) is not None:
        return None
    path = corpora.root_of(clip["corpus"], store) / clip["path"]
    return frames.analyse(prepare.load(path, config.audio), config.audio.sample_rate, config.frames)


def mel_centres(analysis: frames.Analysis) -> np.ndarray:
    """Mean frequency of each mel band in Hz, (n_mels,)."""
    return column_names.mel_centres(analysis.sample_rate, analysis.settings)


def envelope(signal: Signal, settings: Frames) -> np.ndarray:
    """Largest sample, regardless of sign, within a hop of each frame's centre, (s,) → (t,).

    So straight lines from centre to centre bound the signal, as closely as one value a frame can.
    """
    largest = maximum_filter1d(np.abs(np.pad(signal, (0, 1))), 2 * settings.hop_length + 1, mode="constant")
    return largest[:: settings.hop_length]
