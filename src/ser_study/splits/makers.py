"""How each protocol deals its clips: task → the role of every clip in every fold.

Conventions
-----------
A maker returns one array of roles a fold, shape (n,): "train", "validation", "test" or "" for a clip that the
fold does not use. ``repeat`` draws random parts anew; parts made of speakers or sentences stay as they
are, and what is held for validation rotates.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import pandas as pd

from ser_study.config import Config, rng
from ser_study.splits.units import codes, deal, groups, inner_unit, known, pool_is_large

RAVDESS_FOLDS = (  # six folds of four actors, as published by EmoBox
    ("01", "11", "20", "21"),
    ("04", "10", "12", "14"),
    ("08", "09", "19", "23"),
    ("03", "05", "07", "24"),
    ("02", "15", "16", "18"),
    ("06", "13", "17", "22"),
)
ONE_SPEAKER_A_FOLD = ("tess", "emodb", "savee", "jl")
N_FOLDS = 5  # where a corpus has no folds of its own
N_INNER = 5  # validation takes one such part of the training speakers where it cannot take a speaker
VALIDATION_SHARE = 6  # one speaker in six goes to validation where many are left out one by one
GRADED_SENTENCE = "crema_d/IEO"  # the only CREMA-D sentence spoken at three intensities: a fold of its own


@dataclass(frozen=True)
class Task:
    """What a maker sees: clips sorted by id, their classes, the settings and the repeat."""

    clips: pd.DataFrame
    classes: pd.Series
    config: Config
    repeat: int
    target: str = ""  # cross-corpus: test on this corpus only

    def part(self, rows: np.ndarray) -> Task:
        """The same task on some of its clips."""
        return replace(self, clips=self.clips.iloc[rows], classes=self.classes.iloc[rows])

    def stream(self, purpose: str) -> np.random.Generator:
        """Random stream of a purpose on these corpora; it depends on the repeat where the purpose says so."""
        corpora = "+".join(sorted(self.clips["corpus"].unique()))
        return rng(self.config, f"folds/{purpose}/{corpora}")


def speaker_parts(task: Task) -> np.ndarray:
    """Speaker fold of each clip, int from 0, shape (n,), by the rule of the corpus."""
    clips = task.clips
    corpus = clips["corpus"].iloc[0] if clips["corpus"].nunique() == 1 else "several"
    if corpus == "ravdess":
        home = {f"ravdess/{actor}": fold for fold, actors in enumerate(RAVDESS_FOLDS) for actor in actors}
        part = clips["speaker"].map(home)
        if part.notna().all() and part.nunique() == len(RAVDESS_FOLDS):
            return part.to_numpy(int)
    if corpus == "iemocap" and known(clips["session"]).all() and clips["session"].nunique() > 1:
        return codes(clips["session"])
    if corpus in ONE_SPEAKER_A_FOLD:
        return codes(clips["speaker"])
    return dealt_speakers(task, N_FOLDS)


def sentence_parts(task: Task) -> np.ndarray:
    """Sentence fold of each clip, int from 0, shape (n,): five, or one a sentence where there are fewer."""
    statement = task.clips["statement"]
    names = np.sort(statement.dropna().unique())
    graded = names == GRADED_SENTENCE
    n_parts = min(N_FOLDS, int((~graded).sum()))
    part = np.full(len(names), n_parts)
    part[~graded] = deal(np.zeros((~graded).sum()), n_parts=n_parts, rng=task.stream("sentences"))
    return part[np.searchsorted(names, statement.to_numpy(str))]


def dealt_speakers(task: Task, n_parts: int) -> np.ndarray:
    """Speakers dealt into parts of equal make-up by corpus and, where known, gender."""
    speakers = task.clips.groupby("speaker", sort=True)[["corpus", "gender"]].first()
    strata = (speakers["corpus"] + "/" + speakers["gender"].fillna("unknown")).to_numpy()
    part = deal(strata, n_parts=min(n_parts, len(speakers)), rng=task.stream("speakers"))
    return part[codes(task.clips["speaker"])]


def _dealt_clips(task: Task, rows: np.ndarray, units: tuple[str, ...], n_parts: int, purpose: str) -> np.ndarray:
    """Groups of clips dealt into parts, stratified by class; part of each of ``rows``."""
    group = groups(task.clips.iloc[rows], units)
    _, first, size = np.unique(group, return_index=True, return_counts=True)
    strata = task.classes.to_numpy()[rows][first]
    return deal(strata, n_parts=n_parts, rng=task.stream(f"{purpose}/{task.repeat}"), sizes=size)[group]


def _n_random_folds(task: Task) -> int:
    """As many random folds as the speaker protocol has; five where it cannot be made."""
    if not known(task.clips["speaker"]).all() or task.clips["speaker"].nunique() < 2:
        return N_FOLDS
    return int(speaker_parts(task).max()) + 1


def _next(part: int, n_parts: int, step: int = 0) -> int:
    """The part after this one, cyclic, ``step`` parts skipped, and never the part itself."""
    return (part + 1 + step % (n_parts - 1)) % n_parts


def _roles(test: np.ndarray, validation: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Masks → role of each clip, empty where unused, shape (n,)."""
    return np.select([test, validation, train], ["test", "validation", "train"], default="")


def _inner_validation(task: Task, pool: np.ndarray) -> np.ndarray:
    """One part in five of the pool, apart from the rest in the finest trustworthy unit; mask (n,)."""
    rows = np.flatnonzero(pool)
    unit = inner_unit(task.clips.iloc[rows])
    if unit == "sentence":
        part = sentence_parts(task.part(rows))
    else:
        part = _dealt_clips(task, rows, ("duplicate", unit), N_INNER, "inner")
    validation = np.zeros(len(pool), dtype=bool)
    validation[rows[part == task.repeat % (part.max() + 1)]] = True
    return validation


def _clip_folds(task: Task, units: tuple[str, ...], purpose: str) -> list[np.ndarray]:
    n_folds, everything = _n_random_folds(task), np.arange(len(task.clips))
    part = _dealt_clips(task, everything, units, n_folds, purpose)
    folds = []
    for fold in range(n_folds):
        test = part == fold
        validation = part == _next(fold, n_folds)
        if n_folds == 2:  # the other half is all there is to train on
            pool = np.flatnonzero(~test)
            validation = np.zeros(len(test), dtype=bool)
            validation[pool[_dealt_clips(task, pool, units, N_INNER, f"{purpose}/inner") == 0]] = True
        folds.append(_roles(test, validation, ~test))
    return folds


def random(task: Task) -> list[np.ndarray]:
    """Stratified by class; copies stay together."""
    return _clip_folds(task, ("duplicate",), "random")


def take_disjoint(task: Task) -> list[np.ndarray]:
    """Stratified by class; the takes of one thing stay together."""
    return _clip_folds(task, ("duplicate", "take"), "take_disjoint")


def sentence(task: Task) -> list[np.ndarray]:
    """Sentence folds; validation is the next one. With two sentences none is left for validation."""
    part = sentence_parts(task)
    n_folds = int(part.max()) + 1
    folds = []
    for fold in range(n_folds):
        validation = part == _next(fold, n_folds, task.repeat) if n_folds > 2 else np.zeros(len(part), dtype=bool)
        folds.append(_roles(part == fold, validation, part != fold))
    return folds


def speaker(task: Task) -> list[np.ndarray]:
    """Speaker folds by the rule of the corpus; validation is the next one."""
    return _speaker_folds(task, speaker_parts(task), n_validation=1)


def leave_one_out(task: Task) -> list[np.ndarray]:
    """One speaker a fold; a sixth of the speakers, at least one, is validation."""
    part = codes(task.clips["speaker"])
    return _speaker_folds(task, part, n_validation=max(1, (int(part.max()) + 1) // VALIDATION_SHARE))


def _speaker_folds(task: Task, part: np.ndarray, *, n_validation: int) -> list[np.ndarray]:
    n_folds = int(part.max()) + 1
    folds = []
    for fold in range(n_folds):
        test = part == fold
        if pool_is_large(task.clips[~test]):
            steps = range(task.repeat * n_validation, (task.repeat + 1) * n_validation)
            validation = np.isin(part, [_next(fold, n_folds, step) for step in steps])
        else:
            validation = _inner_validation(task, ~test)
        folds.append(_roles(test, validation, ~test))
    return folds


def speaker_and_sentence(task: Task) -> list[np.ndarray]:
    """Test: a speaker fold × a sentence fold. Train and validation: neither; the rest is unused."""
    speaker, sentence = speaker_parts(task), sentence_parts(task)
    n_speaker, n_sentence = int(speaker.max()) + 1, int(sentence.max()) + 1
    folds = []
    for one, two in product(range(n_speaker), range(n_sentence)):
        test = (speaker == one) & (sentence == two)
        pool = (speaker != one) & (sentence != two)
        validation, train = np.zeros(len(test), dtype=bool), pool
        if n_sentence > 2:
            held = sentence == _next(two, n_sentence)
            validation, train = pool & held, pool & ~held
            if pool_is_large(task.clips[pool]):
                spared = speaker == _next(one, n_speaker, task.repeat)
                validation, train = validation & spared, train & ~spared
        if test.any():
            folds.append(_roles(test, validation, train))
    return folds


def cross_corpus(task: Task) -> list[np.ndarray]:
    """Test on a corpus, train on all others; a sixth of their speakers is validation."""
    corpus = task.clips["corpus"].to_numpy(str)
    names = np.unique(corpus)
    spared = np.zeros(len(corpus), dtype=bool)
    for name in names:
        rows = np.flatnonzero(corpus == name)
        own = task.part(rows)
        if known(own.clips["speaker"]).all() and pool_is_large(own.clips):
            part = dealt_speakers(own, VALIDATION_SHARE)
            spared[rows] = part == task.repeat % (part.max() + 1)
    folds = []
    for name in [task.target] if task.target else names:
        test = corpus == name
        validation = spared & ~test
        folds.append(_roles(test, validation if validation.any() else _inner_validation(task, ~test), ~test))
    return folds
