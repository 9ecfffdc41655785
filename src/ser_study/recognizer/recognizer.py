"""``Recognizer``: a fitted system that hears a clip and says which emotion it holds, or that it is not sure.

>>> recognizer = Recognizer.default()                                   # doctest: +SKIP
>>> recognizer.predict(["clip.wav"])                                    # doctest: +SKIP

The signal is prepared and described by the study's own functions, so a clip gets the values, and the probabilities,
that it gets in the study.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ser_study import features
from ser_study.audio import prepare
from ser_study.config import Audio
from ser_study.models.linear_head import LinearHead
from ser_study.recognizer import bundle, checks
from ser_study.recognizer.checks import UNSURE
from ser_study.schema import Signal, probability_columns

ARRAYS = ("centre", "deviation", "coefficients", "intercepts", "scale")


class Recognizer:
    """A linear head on features of the study, with its card.

    Parameters
    ----------
    head : fitted
    card : what ``card.card_of`` writes: ``features`` (their settings), ``classes``, ``threshold`` (None: never sure),
        ``made_with``, and what readers need to know

    Raises
    ------
    ValueError
        The card does not fit the head, or this package does not make the features that it was fitted on.
    """

    def __init__(self, head: LinearHead, card: Mapping[str, Any]):
        self.head, self.card = head, dict(card)
        self.config = checks.restored(self.card)
        checks.check(self.head, self.card, self.config)

    @property
    def features(self) -> list[str]:
        """Names of the features that it hears by, side by side."""
        return [known["feature"] for known in self.card["features"]]

    @property
    def classes(self) -> tuple[str, ...]:
        """The emotions that it knows."""
        return self.head.classes

    @property
    def columns(self) -> list[str]:
        """Columns of a prediction."""
        return ["emotion", "confidence", *probability_columns(self.classes)]

    def save(self, path: Path | str) -> Path:
        """Write the recogniser as one file; the same one gives the same bytes."""
        bundle.write(Path(path), {name: getattr(self.head, name) for name in ARRAYS}, self.card)
        return Path(path)

    @classmethod
    def load(cls, path: Path | str) -> Recognizer:
        """The recogniser of a file; see ``bundle.read`` for what is refused. No weights are fetched.

        Raises
        ------
        ValueError
            The file is damaged, changed or newer than this package, or its features cannot be made here.
        """
        arrays, card = bundle.read(Path(path))
        if sorted(arrays) != sorted(ARRAYS) or arrays["scale"].shape or not checks.is_names(card.get("classes")):
            raise ValueError(f"{Path(path).name} holds no linear recogniser; export it again.")
        fields = {name: arrays[name] for name in ARRAYS[:-1]} | {"scale": float(arrays["scale"])}
        return cls(LinearHead(tuple(card["classes"]), **fields), card)

    @classmethod
    def default(cls, name: str = "") -> Recognizer:
        """The recogniser that comes with the package, or another one of its, by name; see ``shipped.default``."""
        from ser_study.recognizer import shipped  # which loads recognisers

        return shipped.default(name)

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
            A file cannot be read, or is silent.
        """
        if isinstance(paths, (str, Path)):
            raise ValueError(f"Give a list of files; found {str(paths)!r} alone. One file is [{str(paths)!r}].")
        paths = [str(path) for path in paths]
        rows = [self._values(lambda audio, path=path: prepare.load(path, audio), path) for path in paths]
        return self._table(rows).assign(path=paths)[["path", *self.columns]]

    def predict_samples(self, samples: np.ndarray, sample_rate: int) -> pd.DataFrame:
        """The same of samples, as decoded; one row.

        Parameters
        ----------
        samples : floats between −1 and 1, shape (s,) or (s, channels)
        sample_rate : Hz
        """
        return self._table([self.values_of(samples, sample_rate)])

    def values_of(self, samples: np.ndarray, sample_rate: int) -> np.ndarray:
        """Features (d,) of samples, side by side in the order of the card; see ``predict_samples``.

        Raises
        ------
        ValueError
            They are no floats, have a shape that cannot be, are silent or not finite.
        """
        samples = np.asarray(samples)
        if samples.dtype.kind != "f" or (samples.ndim == 2 and samples.shape[1] > samples.shape[0]):
            raise ValueError(
                f"Samples are {samples.dtype} of shape {samples.shape}; give floats between -1 and 1, (samples,) or "
                "(samples, channels)."
            )
        return self._values(lambda audio: prepare.prepare(samples, sample_rate, audio), "the recording")

    def probabilities(self, values: np.ndarray) -> np.ndarray:
        """Probabilities (n, C), float32, of features (n, d) side by side in the order of the card.

        Raises
        ------
        ValueError
            The values have another number of columns than the head, or so large ones that none comes out.
        """
        proba = self.head.probabilities(values)
        if not np.isfinite(proba).all():
            raise ValueError("The values give no probabilities; the bundle or the recording is damaged.")
        return proba

    def _values(self, signal_of: Callable[[Audio], Signal], what: str) -> np.ndarray:
        """The features of one recording, side by side, flat."""
        sections = {name: features.get(name).audio for name in self.features}
        signals = {section: signal_of(getattr(self.config, section)) for section in set(sections.values())}
        if any(np.ptp(signal) == 0 for signal in signals.values()):
            raise ValueError(f"{what} is silent; there is nothing to hear.")
        parts = [features.extract_signal(name, signals[sections[name]], config=self.config) for name in self.features]
        return np.concatenate([np.ravel(part) for part in parts])

    def _table(self, rows: list[np.ndarray]) -> pd.DataFrame:
        values = np.stack(rows) if rows else np.empty((0, len(self.head.centre)))
        proba = self.probabilities(values)
        confidence, names = proba.max(axis=1, initial=0), np.asarray(self.classes, object)[proba.argmax(axis=1)]
        threshold = self.card["threshold"]
        sure = np.zeros(len(values), bool) if threshold is None else confidence >= threshold
        table = pd.DataFrame(proba, columns=probability_columns(self.classes))
        return table.assign(emotion=np.where(sure, names, UNSURE), confidence=confidence)[self.columns]
