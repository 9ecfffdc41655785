"""``Recognizer``: a fitted system that hears a clip and says which emotion it holds, or that it is not sure.

>>> recognizer = Recognizer.load("small.npz")                           # doctest: +SKIP
>>> recognizer.predict(["clip.wav"])                                    # doctest: +SKIP

The signal is prepared and described by the study's own functions, so a clip gets the values, and the probabilities,
that it gets in the study.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ser_study import config as settings
from ser_study import features
from ser_study.config import Config
from ser_study.models.linear_head import LinearHead
from ser_study.recognizer import bundle
from ser_study.schema import probability_columns

ARRAYS = ("centre", "deviation", "coefficients", "intercepts", "scale")
UNSURE = "unsure"  # the answer below the threshold


class Recognizer:
    """A linear head on features of the study, with its card.

    Parameters
    ----------
    head : fitted
    card : what ``card.card_of`` writes: ``features`` (their settings), ``classes``, ``threshold``, and what
        readers need to know

    Raises
    ------
    ValueError
        The card does not fit the head, or this package does not make the features that it was fitted on.
    """

    def __init__(self, head: LinearHead, card: Mapping[str, Any]):
        self.head, self.card = head, dict(card)
        self.config = _restored(self.card)
        _check(self.head, self.card)

    @property
    def features(self) -> list[str]:
        """Names of the features that it hears by, side by side."""
        return [known["feature"] for known in self.card["features"]]

    @property
    def classes(self) -> tuple[str, ...]:
        """The emotions that it knows."""
        return self.head.classes

    def save(self, path: Path | str) -> Path:
        """Write the recogniser as one file; the same one gives the same bytes."""
        arrays = {name: np.asarray(getattr(self.head, name), np.float64) for name in ARRAYS}
        bundle.write(Path(path), arrays, self.card)
        return Path(path)

    @classmethod
    def load(cls, path: Path | str) -> Recognizer:
        """The recogniser of a file; see ``bundle.read`` for what is refused.

        Raises
        ------
        ValueError
            The file is damaged, changed or newer than this package, or its features cannot be made here.
        """
        arrays, card = bundle.read(Path(path))
        if sorted(arrays) != sorted(ARRAYS) or not _is_names(card.get("classes")):
            raise ValueError(f"{Path(path).name} holds no linear recogniser; export it again.")
        fields = {name: arrays[name] for name in ARRAYS[:-1]} | {"scale": float(arrays["scale"])}
        return cls(LinearHead(tuple(card["classes"]), **fields), card)

    def predict(self, paths: Iterable[Path | str]) -> pd.DataFrame:
        """What is heard in files, one row a file, in order.

        Parameters
        ----------
        paths : audio files that libsndfile reads; of a long one, the middle is heard

        Returns
        -------
        Table ``path, emotion, confidence, p_<class>…``; below the threshold the emotion is ``UNSURE``.

        Raises
        ------
        ValueError, OSError
            A file cannot be read, or holds no sound.
        """
        paths = [Path(path) for path in paths]
        rows = [[features.extract(name, path, config=self.config) for name in self.features] for path in paths]
        return self._table(rows).assign(path=[str(path) for path in paths])[["path", *self.columns]]

    def predict_samples(self, samples: np.ndarray, sample_rate: int) -> pd.DataFrame:
        """The same of samples (s,) or (s, channels) at a rate in Hz; one row."""
        hear = partial(features.extract_samples, samples=samples, sample_rate=sample_rate, config=self.config)
        return self._table([[hear(name) for name in self.features]])

    @property
    def columns(self) -> list[str]:
        """Columns of a prediction."""
        return ["emotion", "confidence", *probability_columns(self.classes)]

    def probabilities(self, values: np.ndarray) -> np.ndarray:
        """Probabilities (n, C), float32, of features (n, d) side by side in the order of the card."""
        return self.head.probabilities(values)

    def _table(self, rows: list[list[np.ndarray]]) -> pd.DataFrame:
        flat = [np.concatenate([np.ravel(part) for part in parts]) for parts in rows]
        values = np.stack(flat) if flat else np.empty((0, len(self.head.centre)))
        proba = self.probabilities(values)
        confidence, names = proba.max(axis=1, initial=0), np.asarray(self.classes, object)[proba.argmax(axis=1)]
        emotion = np.where(confidence >= self.card["threshold"], names, UNSURE)
        table = pd.DataFrame(proba, columns=probability_columns(self.classes))
        return table.assign(emotion=emotion, confidence=confidence)[self.columns]


def _is_names(classes: Any) -> bool:
    return isinstance(classes, list) and all(isinstance(name, str) for name in classes)


def _restored(card: Mapping[str, Any]) -> Config:
    """Settings with the sections that the features of a card were made with."""
    config, sections = Config(), {}
    try:
        for known in card["features"]:
            own = features.get(known["feature"])
            for section in {own.audio: "audio"} | dict(zip(own.options, own.options)):
                values = known["audio" if section == own.audio else section]
                made = type(getattr(config, section))(**{key: _plain(value) for key, value in values.items()})
                if sections.setdefault(section, made) != made:
                    raise ValueError(f"two of them need other settings of {section!r}")
        restored = dataclasses.replace(config, **sections)
        names = [known["feature"] for known in card["features"]]
        differing = [name for name, known in zip(names, card["features"]) if described(name, restored) != known]
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"This version of ser_study cannot make the recogniser's features ({error}).") from error
    if differing:
        raise ValueError(
            f"This version of ser_study makes {', '.join(differing)} with other settings, weights or code than the "
            "recogniser was fitted on; fit and export it again."
        )
    return restored


def described(name: str, config: Config) -> dict[str, Any]:
    """All that the values of a feature depend on, as plain values."""
    return settings.as_dict(features.get(name).settings(config))


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _check(head: LinearHead, card: Mapping[str, Any]) -> None:
    """Refuse a head whose shapes or classes do not go together, and features that cannot be had here."""
    names, shape = list(head.classes), np.shape(head.coefficients)
    shapes = [np.shape(array) for array in (head.centre, head.deviation, head.intercepts)]
    if len(set(names)) != len(names) or len(names) < 2 or [*shapes, shape] != _shapes(len(names), shape[-1:]):
        raise ValueError(
            f"The recogniser lists {len(names)} classes ({', '.join(names)}); its coefficients have shape {shape}, its "
            f"other arrays {shapes}. They do not go together."
        )
    if names != list(card["classes"]):
        raise ValueError(f"The card lists the classes {card['classes']}, the head {names}.")
    threshold = card.get("threshold")
    if not isinstance(threshold, (int, float)) or not 0 <= threshold <= 1:
        raise ValueError(f"The threshold of the recogniser is {threshold!r}; it must be between 0 and 1.")
    kept = [known["feature"] for known in card["features"]]
    if apart := [name for name in kept if features.get(name).apart]:
        raise ValueError(f"{', '.join(apart)} can be made in a process of its own only; choose another feature.")
    if reason := features.unavailable("+".join(kept)):
        raise ValueError(f"The recogniser's features cannot be had here: {reason}")


def _shapes(n_classes: int, width: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Of centre, deviation, intercepts and coefficients."""
    return [width, width, (n_classes,), (n_classes, *width)]
