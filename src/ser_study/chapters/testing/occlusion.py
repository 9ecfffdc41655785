"""What the small encoder listens to: parts of its input are hidden, and the true class loses or gains probability.

Conventions
-----------
The input of CAM++ is a filterbank whose bands have mean 0 over the clip (``features.campplus.filterbank``); a hidden
part is set to that mean (occlusion: Zeiler and Fergus 2014, Visualizing and understanding convolutional networks).
Bands are hidden over the whole clip, eighths of the clip over all bands. ``change`` is that of the natural logarithm
of the true class's probability: −0.7 halves it. Heads are those of the first ``FOLDS`` folds, clips their test clips,
emotions in turn.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
from scipy.special import log_softmax

from ser_study import corpora
from ser_study.audio import prepare
from ser_study.chapters.testing import declare
from ser_study.chapters.testing.heads import heads, key_of
from ser_study.config import rng
from ser_study.experiments.experiment import Experiment
from ser_study.experiments.selections import classes_of
from ser_study.features import campplus, fbank
from ser_study.models.linear_head import LinearHead
from ser_study.parallel import Failure, parallel_map
from ser_study.study import Study

VERSION = 1  # rises when the same settings give other numbers
SYSTEM = "small"  # whose feature is ``campplus.pooled`` as it stands
FOLDS = 3  # of each selection, whose heads are used
PARTS = 8  # bands, and stretches of time
KINDS = ("frequency", "time")
COLUMNS = ["corpus", "emotion", "kind", "place", "change", "n"]
CLIP_COLUMNS = ["clip_id", "emotion", "kind", "place", "change"]


def changes(study: Study) -> pd.DataFrame:
    """Mean change of every hidden part for each emotion of each selection whose sound is here (``COLUMNS``).

    Without the encoder there is no row; nor is there one for a selection that has no speaker to learn from how sure to
    be: its probabilities are 0 and 1, and their logarithms of any size.
    """
    here = study.with_audio().selections
    chosen = [
        kinds[SYSTEM]
        for name, kinds in declare.systems(study).items()
        if SYSTEM in kinds and name in here and here[name].n_speakers >= declare.MIN_SPEAKERS
    ]
    study.predict(chosen)  # logs that these test clips are looked at
    parts, jobs = [], study.config.run.jobs
    for one, table in parallel_map(partial(_of_selection, study=study), chosen, jobs=jobs, batch=1):
        if isinstance(table, Failure):
            raise RuntimeError(f"{one.name} could not be explained: {table.reason}")
        means = table.groupby(["emotion", "kind", "place"], sort=False)["change"].agg(["mean", "size"]).reset_index()
        parts.append(means.rename(columns={"mean": "change", "size": "n"}).assign(corpus=one.selection)[COLUMNS])
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=COLUMNS)


def average(table: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Mean over selections, each counting alike: one row an emotion, the most frequent first, one column a part.

    Parameters
    ----------
    table : of ``changes``
    kind : of ``KINDS``
    """
    here = table[table["kind"] == kind]
    means = here.groupby(["emotion", "place"], sort=False)["change"].mean().unstack()
    return means.loc[here.groupby("emotion")["corpus"].nunique().sort_values(ascending=False, kind="stable").index]


def names_of(kind: str) -> list[str]:
    """The parts in words: ``0.4 to 0.7 kHz``, or ``1`` to ``8`` for the eighths of the clip."""
    if kind == "time":
        return [str(place + 1) for place in range(PARTS)]
    edges = fbank.limits(campplus.SAMPLE_RATE, PARTS) / 1000
    return [f"{low:.1f}–{high:.1f}" for low, high in zip(edges, edges[1:])]


def _of_selection(one: Experiment, *, study: Study) -> pd.DataFrame:
    """Changes clip by clip, cached or computed now; runs in any process."""
    number = study.config.testing.occluded
    key = {"experiment": key_of(one, study), "version": VERSION, "clips": number, "parts": PARTS}
    return study.store.cached(f"testing/occluded_{one.selection}", key, lambda: _occluded(one, number, study))


def _occluded(one: Experiment, number: int, study: Study) -> pd.DataFrame:
    truth = classes_of(study.selections[one.selection], one.scheme)
    fitted = heads(one, study, number=FOLDS)
    head_of = {clip: head for head, clips in fitted for clip in clips}
    known = study.clips(one.selection).set_index("clip_id")
    rows = []
    for clip in choose(truth.loc[list(head_of)], number, rng(study.config, f"occlusion/{one.selection}")):
        path = corpora.root_of(known.loc[clip, "corpus"], study.store) / known.loc[clip, "path"]
        bands = campplus.filterbank(prepare.load(path, study.config.audio))
        for (kind, place), change in occluded(bands, head_of[clip], truth[clip]).items():
            rows.append((clip, truth[clip], kind, place, change))
    return pd.DataFrame(rows, columns=CLIP_COLUMNS)


def choose(truth: pd.Series, number: int, random: np.random.Generator) -> list[str]:
    """Names of at most ``number`` clips, drawn at random, one of each class in turn.

    Parameters
    ----------
    truth : class of each clip, indexed by ``clip_id``
    """
    drawn = truth.iloc[random.permutation(len(truth))]
    turn = drawn.groupby(drawn).cumcount()
    return turn.sort_values(kind="stable").index[:number].tolist()


def hidden(bands: np.ndarray) -> dict[tuple[str, int], np.ndarray]:
    """Copies of a filterbank (t, 80), each with one part set to 0, the mean of its bands: (kind, place) → copy."""
    copies = {}
    for kind, axis in zip(KINDS, (1, 0)):
        for place, part in enumerate(np.array_split(np.arange(bands.shape[axis]), PARTS)):
            copies[kind, place] = bands.copy()
            copies[kind, place][(slice(None), part) if axis else part] = 0
    return copies


def occluded(bands: np.ndarray, head: LinearHead, truth: str) -> dict[tuple[str, int], float]:
    """Change of the true class's log-probability for each hidden part of one clip.

    Parameters
    ----------
    bands : input of CAM++, float32 (t, 80)
    """
    copies = hidden(bands)
    values = np.stack([campplus.mean_and_sd(campplus.layer_of(one)) for one in (bands, *copies.values())])
    log_probability = log_softmax(head.margins(values), axis=1)[:, head.classes.index(truth)]
    return dict(zip(copies, (log_probability[1:] - log_probability[0]).tolist()))
