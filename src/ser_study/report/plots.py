"""Every figure of the study in one place: ``plots.inflation``, ``plots.confusion``, ``plots.counts``…

``headline_plots`` and ``score_plots`` draw scores, ``matrix_plots`` tables of tiles, ``corpus_plots`` and
``sound_plots`` the corpora themselves, ``feature_plots`` and ``frame_plots`` what is computed from sound;
``palette`` holds the two palettes (by emotion; by model, feature and protocol) and the style they share.
Each function returns a matplotlib ``Figure`` without touching pyplot; ``svg`` turns it into text for a page.
"""

from __future__ import annotations

from ser_study.report.corpus_plots import (
    agreement,
    counts,
    demographics,
    descriptors,
    durations,
    prosody,
    speakers,
)
from ser_study.report.feature_plots import contours, variance
from ser_study.report.frame_plots import frame_features
from ser_study.report.headline_plots import inflation, ladder
from ser_study.report.matrix_plots import confusion, confusions, cross_corpus, fold_map, score_matrix
from ser_study.report.palette import EMOTION_COLOURS, INK, PAPER, RUNGS, STUDY_COLOURS, STYLE, svg
from ser_study.report.score_plots import learning_curve, null, roc, speaker_scores
from ser_study.report.sound_plots import voices, waveforms_and_spectrograms, waveforms_by_intensity

__all__ = [
    "EMOTION_COLOURS",
    "INK",
    "PAPER",
    "RUNGS",
    "STUDY_COLOURS",
    "STYLE",
    "agreement",
    "confusion",
    "confusions",
    "contours",
    "counts",
    "cross_corpus",
    "demographics",
    "descriptors",
    "durations",
    "fold_map",
    "frame_features",
    "inflation",
    "ladder",
    "learning_curve",
    "null",
    "prosody",
    "roc",
    "score_matrix",
    "speaker_scores",
    "speakers",
    "svg",
    "variance",
    "voices",
    "waveforms_and_spectrograms",
    "waveforms_by_intensity",
]
