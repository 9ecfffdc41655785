"""Shared words: emotions, label schemes and the four contracts, each with its check.

Conventions
-----------
An unknown value is empty (``None``/NaN), never guessed. ``speaker`` and ``statement`` carry the
corpus as a prefix (``ravdess/07``), so that corpora never collide. ``clip_id`` is
``<corpus>/<stem>``; the file suffix is no part of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

Signal = np.ndarray  # float32, shape (s,): mono samples, full scale ±1

EMOTIONS = (
    "neutral",
    "calm",
    "happy",
    "sad",
    "angry",
    "fearful",
    "disgust",
    "surprised",
    "bored",
    "excited",
    "frustrated",
    "other",
)
COMMON_EMOTIONS = ("angry", "disgust", "fearful", "happy", "neutral", "sad")
ROLES = ("train", "validation", "test")

CLIP_COLUMNS: Mapping[str, str] = {  # column → pandas dtype
    "clip_id": "str",
    "corpus": "str",
    "path": "str",  # below the raw folder, with forward slashes
    "emotion": "str",
    "intensity": "str",
    "speaker": "str",
    "statement": "str",
    "take": "str",  # same speaker, emotion, intensity, statement and channel
    "gender": "str",  # female, male
    "age": "float64",  # years
    "race": "str",
    "ethnicity": "str",
    "session": "str",
    "script": "str",
    "channel": "str",  # speech, song
    "repetition": "str",
    "language": "str",  # ISO 639-1
    "duration": "float64",  # s
    "sample_rate": "float64",  # Hz
    "n_channels": "float64",
    "sha256": "str",  # of the decoded samples
    "human_votes": "str",  # JSON object, class → count
    "human_agreement": "float64",  # share of the winning vote
    "human_recognition": "float64",  # share choosing the intended label
}
FOLD_COLUMNS = ("protocol", "repeat", "fold", "clip_id", "variant", "role")
PREDICTION_COLUMNS = (
    "experiment",
    "scheme",
    "protocol",
    "repeat",
    "fold",
    "seed",
    "role",
    "model",
    "n_train",
    "clip_id",
    "variant",
    "truth",
    "prediction",
)


@dataclass(frozen=True)
class LabelScheme:
    """Which class each canonical emotion becomes; an emotion not listed is dropped.

    ``by_gender`` crosses the classes with the speaker's gender (``angry_female``).
    """

    name: str
    title: str
    classes: Mapping[str, str]  # canonical emotion → class
    by_gender: bool = False

    @property
    def drops(self) -> tuple[str, ...]:
        """Canonical emotions without a class here."""
        return tuple(emotion for emotion in EMOTIONS if emotion not in self.classes)


_SPOKEN = ("neutral", "happy", "sad", "angry", "fearful", "disgust", "surprised")
_SAME = {emotion: emotion for emotion in _SPOKEN}
_SIX = {emotion: emotion for emotion in COMMON_EMOTIONS}
_SUNG = {emotion: emotion for emotion in ("neutral", "calm", "happy", "sad", "angry", "fearful")}
SCHEMES: Mapping[str, LabelScheme] = {
    scheme.name: scheme
    for scheme in (
        LabelScheme("native", "the classes of the corpus", {e: e for e in EMOTIONS if e != "other"}),
        LabelScheme("8", "RAVDESS: eight emotions", {**_SAME, "calm": "calm"}),
        LabelScheme("7_calm_merged", "seven, calm counted as neutral", {**_SAME, "calm": "neutral"}),
        LabelScheme("7_calm_dropped", "seven, calm left out", _SAME),
        LabelScheme("6", "six, calm counted as neutral", {**_SIX, "calm": "neutral"}),
        LabelScheme("6_common", "the six classes that all corpora share", _SIX),
        LabelScheme("6_sung", "the six of RAVDESS that are both spoken and sung", _SUNG),
        LabelScheme(
            "4",
            "IEMOCAP's usual four, excited counted as happy",
            {"neutral": "neutral", "happy": "happy", "excited": "happy", "sad": "sad", "angry": "angry"},
        ),
        LabelScheme("16", "gender × eight emotions", {**_SAME, "calm": "calm"}, by_gender=True),
    )
}


def labels(clips: pd.DataFrame, scheme: str) -> pd.Series:
    """Class of each clip under a label scheme; empty where the scheme drops the clip.

    Parameters
    ----------
    clips : clips table
    scheme : a key of ``SCHEMES``

    Returns
    -------
    Series of str, indexed like ``clips``; NaN for a dropped emotion or an unknown gender.

    Raises
    ------
    ValueError
        The scheme is unknown.
    """
    if scheme not in SCHEMES:
        raise ValueError(f"Unknown label scheme {scheme!r}; known: {', '.join(SCHEMES)}.")
    chosen = SCHEMES[scheme]
    classes = clips["emotion"].map(dict(chosen.classes))
    return classes + "_" + clips["gender"].astype("str") if chosen.by_gender else classes


@dataclass(frozen=True)
class FeatureSet:
    """Features of some clips: row i belongs to ``clip_id[i]``, ``variant[i]`` (0 = clean, 1… = augmented).

    ``values`` is float32: vectors (n, d), sequences (n, t, d) or images (n, t, mels, 1);
    ``columns`` names the d values of a vector.
    """

    name: str
    clip_id: np.ndarray  # (n,) str
    variant: np.ndarray  # (n,) int
    values: np.ndarray  # float32, first axis n
    columns: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        n = len(self.clip_id)
        if not (len(self.variant) == len(self.values) == n):
            raise ValueError(
                f"Features {self.name!r}: {n} clip ids, {len(self.variant)} variants, {len(self.values)} rows; "
                "all three must be equal."
            )
        if self.columns and len(self.columns) != self.values.shape[-1]:
            raise ValueError(
                f"Features {self.name!r}: {len(self.columns)} column names for {self.values.shape[-1]} columns."
            )

    def rows(self, clip_ids: np.ndarray, *, variant: int = 0) -> np.ndarray:
        """Values of the given clips, in the given order, shape (len(clip_ids), …)."""
        here = np.flatnonzero(self.variant == variant)
        place = pd.Index(self.clip_id[here]).get_indexer(clip_ids)
        if (place < 0).any():
            missing = np.asarray(clip_ids)[place < 0]
            raise ValueError(
                f"Features {self.name!r} lack {len(missing)} of {len(clip_ids)} clips, first {missing[0]!r}; "
                "extract them."
            )
        return self.values[here[place]]


def side_by_side(parts: Sequence[FeatureSet]) -> FeatureSet:
    """Vectors of the same clips joined, (n, d₁ + d₂ + …); clips that one of them lacks are left out."""
    if len(parts) == 1:
        return parts[0]
    shared = set.intersection(*(set(part.clip_id) for part in parts))
    ids = np.array([clip for clip in parts[0].clip_id if clip in shared], dtype=object)
    variant = int(parts[0].variant[0])
    values = np.concatenate([part.rows(ids, variant=variant) for part in parts], axis=1)
    columns = tuple(f"{part.name}:{column}" for part in parts for column in part.columns)
    return FeatureSet("+".join(p.name for p in parts), ids, np.full(len(ids), variant), values, columns)


def probability_columns(classes) -> list[str]:
    """Names of the probability columns, in the order of the classes."""
    return [f"p_{name}" for name in classes]


def classes_in(predictions: pd.DataFrame) -> list[str]:
    """Classes of a predictions table, in the order of its probability columns."""
    return [column.removeprefix("p_") for column in predictions.columns if column.startswith("p_")]


def check_columns(table: pd.DataFrame, columns, *, what: str) -> None:
    """Raise ``ValueError`` naming the columns that a contract table lacks."""
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise ValueError(f"The {what} table lacks {', '.join(missing)}; it has {', '.join(map(str, table.columns))}.")


def check_clips(clips: pd.DataFrame) -> pd.DataFrame:
    """Check the clips contract and return the table with its columns and types in order.

    Raises
    ------
    ValueError
        A column is missing, a ``clip_id`` occurs twice, an emotion is not canonical,
        or a speaker or statement lacks its corpus prefix.
    """
    check_columns(clips, CLIP_COLUMNS, what="clips")
    clips = clips[list(CLIP_COLUMNS)].astype(dict(CLIP_COLUMNS))
    twice = clips["clip_id"][clips["clip_id"].duplicated()]
    if len(twice):
        raise ValueError(f"{len(twice)} clip ids occur twice, first {twice.iloc[0]!r}; rename one of the files.")
    unknown = set(clips["emotion"].dropna()) - set(EMOTIONS)
    if unknown:
        raise ValueError(f"Unknown emotions {sorted(unknown)}; use {', '.join(EMOTIONS)}.")
    for column in ("speaker", "statement", "clip_id"):
        wrong = clips[column].notna()
        for corpus in clips["corpus"].unique():
            wrong &= ~((clips["corpus"] == corpus) & clips[column].str.startswith(f"{corpus}/", na=False))
        if len(unprefixed := clips[wrong]):
            raise ValueError(
                f"{column} {unprefixed[column].iloc[0]!r} lacks the prefix {unprefixed['corpus'].iloc[0]!r}/."
            )
    return clips


def check_predictions(predictions: pd.DataFrame) -> pd.DataFrame:
    """Check the predictions contract: columns, roles, probabilities that sum to one."""
    check_columns(predictions, PREDICTION_COLUMNS, what="predictions")
    roles = set(predictions["role"].unique()) - {"validation", "test"}
    if roles:
        raise ValueError(f"Predictions hold roles {sorted(roles)}; only validation and test are allowed.")
    proba = predictions.filter(regex="^p_")
    total = proba.sum(axis=1)
    if proba.shape[1] and not np.allclose(total, 1, atol=1e-4):
        raise ValueError(f"Probabilities sum to between {total.min():.4f} and {total.max():.4f}; they must sum to 1.")
    return predictions
