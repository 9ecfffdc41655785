"""Folds of the speakers of several corpora at once, for trainings on all of them.

As many trainings as there are folds give each corpus its predictions on new speakers: what a fold tests of any corpus
is in no training part of that fold, in whatever corpus or channel.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ser_study.config import Config
from ser_study.splits.makers import RAVDESS_FOLDS, Task, dealt_speakers, speaker_parts
from ser_study.splits.protocols import as_table, assert_disjoint
from ser_study.splits.units import MIN_POOL_SPEAKERS, known

PROTOCOL = "speaker_independent"
N_FOLDS = len(RAVDESS_FOLDS)


def joint_folds(clips: pd.DataFrame, *, config: Config, n: int = N_FOLDS) -> pd.DataFrame:
    """Speaker folds of several corpora.

    Each corpus deals its speakers over the folds, alike by gender; RAVDESS has its six published folds. A corpus with
    fewer speakers than folds is tested in the first ones and trained on in all others. Validation speakers of a corpus
    are those that it tests in the next of its folds, cyclic, where that leaves two others to train on. A corpus with a
    clip whose speaker is unknown is only trained on, for that speaker may be any of its others.

    Parameters
    ----------
    clips : clips table of all corpora, without duplicates; order does not matter
    config : settings; the seed decides how speakers are dealt
    n : folds at most

    Returns
    -------
    Folds table, sorted by fold and clip.

    Raises
    ------
    ValueError
        Fewer than two folds, no corpus names all its speakers, a fold has nothing to train on, or a clip or its copy
        lies on two sides.
    """
    if n < 2:
        raise ValueError(f"Speakers are split into two folds or more; found {n}. Set joint_finetuning.folds to 2 … 10.")
    clips = clips.sort_values("clip_id", ignore_index=True)
    part = np.full(len(clips), -1)  # fold that tests a clip; −1: none
    corpora = {name: np.asarray(rows) for name, rows in clips.groupby("corpus", sort=True).indices.items()}
    for rows in corpora.values():
        own = clips.iloc[rows].reset_index(drop=True)
        if known(own["speaker"]).all():
            part[rows] = _parts(Task(own, own["emotion"], config, 0), n)
    if (part < 0).all():
        raise ValueError(
            f"No corpus of {', '.join(corpora) or 'none'} names the speaker of each clip, so there is nothing to test "
            "on new speakers; fill in the column 'speaker', or add another corpus."
        )
    roles = [_roles(part, fold, corpora, clips["speaker"].to_numpy()) for fold in range(part.max() + 1)]
    folds = as_table(clips["clip_id"], roles, protocol=PROTOCOL)
    assert_disjoint(folds, clips, PROTOCOL)
    return folds


def _parts(task: Task, n: int) -> np.ndarray:
    """Fold that tests each clip of one corpus."""
    if n == N_FOLDS and task.clips["corpus"].iloc[0] == "ravdess":
        published = speaker_parts(task)
        if published.max() + 1 == n:
            return published
    return dealt_speakers(task, n)


def _roles(part: np.ndarray, fold: int, corpora: dict[str, np.ndarray], speaker: np.ndarray) -> np.ndarray:
    """Role of each clip in one fold."""
    role = np.where(part == fold, "test", "train").astype("<U10")
    for rows in corpora.values():
        remaining = rows[part[rows] != fold]
        if part[rows].min() < 0 or len(set(speaker[remaining])) < MIN_POOL_SPEAKERS:
            continue
        n_parts = part[rows].max() + 1
        after = next(one % n_parts for one in range(fold + 1, fold + 1 + n_parts) if one % n_parts != fold)
        spared = remaining[part[remaining] == after]
        if len(set(speaker[remaining])) - len(set(speaker[spared])) > 1:
            role[spared] = "validation"
    return role
