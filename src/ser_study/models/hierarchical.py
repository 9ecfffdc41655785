"""Gender first, then emotion: a two-step model, and what its probabilities say when the gender is decided or known.

Conventions
-----------
Classes are crossed, ``<emotion>_<gender>`` (label scheme "16"). A two-step model gives p(gender) · p(emotion | gender),
so it is a model of the crossed classes like any other, and soft combination (summed over genders), hard
combination (the likelier gender decides) and the bound (the true gender decides) all follow from its
predictions: see ``ensembles.collapse`` and ``given_gender``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, clone

from ser_study.config import Models
from ser_study.models import classical, ensembles
from ser_study.models.model import Model, Params
from ser_study.schema import classes_in, probability_columns

LEAST = 1e-4  # probability of a gender; so that probabilities given the unlikely one survive rounding


class GenderFirst(ClassifierMixin, BaseEstimator):
    """One classifier for the gender, and one for each gender for the emotion.

    Parameters
    ----------
    base : unfitted classifier with ``predict_proba``; a copy is fitted to the genders and to each gender's emotions
    soft : whether both genders keep their probability; else the likelier one has all of it
    """

    def __init__(self, base: BaseEstimator, soft: bool = True):
        self.base = base
        self.soft = soft

    def fit(self, values: np.ndarray, truth: Sequence[str]) -> GenderFirst:
        """Fit on values (n, d) and crossed classes (n,), such as ``angry_female``.

        Raises
        ------
        ValueError
            A class is not crossed, there is one gender only, or a gender has one emotion only.
        """
        if not hasattr(self.base, "predict_proba"):
            raise ValueError(f"{type(self.base).__name__} gives no probabilities to multiply; choose another base.")
        truth = np.asarray(truth, dtype=str)
        emotion, _, gender = (np.array(part) for part in zip(*(name.rpartition("_") for name in truth), strict=True))
        if (emotion == "").any():
            raise ValueError(f"Class {truth[emotion == ''][0]!r} names no gender; use the label scheme '16'.")
        n_emotions = {str(one): len(np.unique(emotion[gender == one])) for one in np.unique(gender)}
        if len(n_emotions) < 2 or min(n_emotions.values()) < 2:
            raise ValueError(f"Two genders of two emotions or more are needed to fit; found {n_emotions}.")
        self.classes_ = np.unique(truth)
        self.gender_ = clone(self.base).fit(values, gender)
        self.emotion_ = {
            one: clone(self.base).fit(values[gender == one], emotion[gender == one]) for one in self.gender_.classes_
        }
        return self

    def predict_proba(self, values: np.ndarray) -> np.ndarray:
        """p(gender) · p(emotion | gender), shape (n, C), columns in the order of ``classes_``."""
        share = self.gender_.predict_proba(values)
        if self.soft:
            share = np.clip(share, LEAST, None)
            share /= share.sum(axis=1, keepdims=True)
        else:
            share = np.eye(share.shape[1])[share.argmax(axis=1)]
        proba = np.zeros((len(values), len(self.classes_)))
        for column, (gender, model) in enumerate(self.emotion_.items()):
            place = np.searchsorted(self.classes_, [f"{emotion}_{gender}" for emotion in model.classes_])
            proba[:, place] = share[:, [column]] * model.predict_proba(values)
        return proba

    def predict(self, values: np.ndarray) -> np.ndarray:
        """Crossed classes, shape (n,)."""
        return self.classes_[self.predict_proba(values).argmax(axis=1)]


def given_gender(predictions: pd.DataFrame, genders: Sequence[str] | None = None) -> pd.DataFrame:
    """Crossed-class predictions as they would be if the gender of each clip were decided.

    Parameters
    ----------
    predictions : predictions table with crossed classes
    genders : gender of each row, e.g. the true one; None: the likelier one of each row

    Returns
    -------
    The table with the probabilities of the other gender 0, those of this one summing to 1, and the likeliest class.

    Raises
    ------
    ValueError
        A gender is none of the classes', or has no probability left in a row.
    """
    classes = classes_in(predictions)
    of_class = ensembles.genders_of(classes)
    if genders is None:
        genders = ensembles.collapse(predictions, of_class, how="sum")["prediction"]
    genders = np.asarray(genders, dtype=object)
    if len(genders) != len(predictions) or not set(genders) <= set(of_class.values()):
        given, known = (", ".join(sorted(map(str, set(some)))) for some in (genders, of_class.values()))
        raise ValueError(f"{len(genders)} genders ({given}) for {len(predictions)} rows of {known}; give one a row.")
    proba = predictions[probability_columns(classes)].to_numpy(float)
    proba = proba * (genders[:, None] == np.array([of_class[name] for name in classes], dtype=object))
    total = proba.sum(axis=1, keepdims=True)
    if not (total > 0).all():
        raise ValueError(f"{int((total <= 0).sum())} rows leave their gender no probability; use soft=True.")
    proba /= total
    columns = dict(zip(probability_columns(classes), proba.T.astype(np.float32), strict=True))
    return predictions.assign(prediction=np.asarray(classes, dtype=object)[proba.argmax(axis=1)], **columns)


def _gender_first(models: Models, params: Params, seed: int) -> BaseEstimator:
    return GenderFirst(classical.get("logistic").build(models, params, seed))


_LOGISTIC = classical.get("logistic")
REGISTRY: Mapping[str, Model] = {
    model.name: model
    for model in (
        Model(
            "gender_first",
            "gender first, then emotion (logistic regressions)",
            "linear",
            _gender_first,
            _LOGISTIC.grid,
            _LOGISTIC.fixed,
            _LOGISTIC.uses,
        ),
    )
}
