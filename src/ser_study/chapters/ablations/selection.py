"""Which features are worth keeping: rank them, drop the least important, and score what is left.

E004 dropped 100 of 435 features and saw no loss, which it took for knowledge about its ranking; the ranking read
the coefficients of the first class only. Here every ranking is made anew in each fold from its training rows, the
model is fitted on those rows without the dropped features, and the fold's validation rows score it; test rows take no
part. The question a curve answers is whether a ranking does better than dropping features at random.

Rankings
--------
anova
    F of a one-way analysis of variance, each feature alone.
lightgbm
    Total gain of the splits of boosted trees.
lda
    Mean absolute coefficient over all classes of a linear discriminant analysis of scaled features.
lda_first_class
    The same of the first class alone: the error of E004, as a contrast.
permutation
    Loss of UAR when a feature is shuffled among clips of training speakers that the model was not fitted on. The fold's
    validation rows cannot be used for it, since they score the curve.
random
    The control, several draws.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_selection import f_classif
from sklearn.inspection import permutation_importance
from sklearn.model_selection import GroupShuffleSplit
from sklearn.preprocessing import StandardScaler

from ser_study import config as settings
from ser_study.chapters.ablations import validation
from ser_study.config import Config, Models
from ser_study.evaluation import metrics
from ser_study.models import classical
from ser_study.parallel import single_threaded
from ser_study.schema import FeatureSet
from ser_study.study import Study

FEATURE, N_FEATURES = "means184", 184  # of E001, and its columns
DROPPED = (0, 25, 50, 75, 100, 125, 150, 175)
DRAWS = 5  # of the random control
VERSION = 1  # rises when the curve gives other numbers
COLUMNS = ["ranking", "repeat", "fold", "draw", "dropped", "uar"]
TABLE_COLUMNS = ["ranking", "dropped", "uar", "gain", "folds", "folds_ahead", "corpus"]
_REPEATS = 5  # shuffles of each feature
_HELD_OUT = 0.25  # of the training speakers, for the permutations


@dataclass(frozen=True)
class Rows:
    """Training rows of one fold, scaled: all that a ranking may read."""

    values: np.ndarray  # (n, d), each column of mean 0 and sd 1
    truth: np.ndarray  # (n,)
    speaker: np.ndarray  # (n,)


def anova(rows: Rows, models: Models, seed: int) -> np.ndarray:
    """F of each feature, (d,); 0 for a feature that never varies."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", UserWarning)  # of features that never vary
        return np.nan_to_num(f_classif(rows.values, rows.truth)[0], nan=0.0)


def lightgbm_gain(rows: Rows, models: Models, seed: int) -> np.ndarray:
    """Total gain of the splits on each feature, (d,)."""
    trees = classical.get("lightgbm").build(models, {}, seed).set_params(importance_type="gain")
    return trees.fit(rows.values, rows.truth).feature_importances_


def lda(rows: Rows, models: Models, seed: int) -> np.ndarray:
    """Mean absolute coefficient over the classes, (d,)."""
    return np.abs(_discriminant(rows)).mean(axis=0)


def lda_first_class(rows: Rows, models: Models, seed: int) -> np.ndarray:
    """Absolute coefficient of the first class, (d,), as E004 ranked."""
    return np.abs(_discriminant(rows)[0])


def permutation(rows: Rows, models: Models, seed: int) -> np.ndarray:
    """Mean loss of UAR when each feature is shuffled, (d,), on a quarter of the training speakers.

    Raises
    ------
    ValueError
        There is one training speaker only.
    """
    if len(np.unique(rows.speaker)) < 2:
        raise ValueError(
            f"Permutation importance holds out training speakers; there is one only ({rows.speaker[0]!r}). "
            "Use a corpus with more, or leave 'permutation' out."
        )
    splitter = GroupShuffleSplit(1, test_size=_HELD_OUT, random_state=seed)
    inside, outside = next(splitter.split(rows.values, groups=rows.speaker))
    model = _fitted(rows.values[inside], rows.truth[inside], models, seed)
    options = {"scoring": _uar, "n_repeats": _REPEATS, "random_state": seed}
    return permutation_importance(model, rows.values[outside], rows.truth[outside], **options).importances_mean


RANKINGS: Mapping[str, Callable[[Rows, Models, int], np.ndarray]] = {
    "anova": anova,
    "lightgbm": lightgbm_gain,
    "lda": lda,
    "lda_first_class": lda_first_class,
    "permutation": permutation,
}


def table(study: Study) -> pd.DataFrame:
    """Every ranking beside the random control on the first compared selection, see ``against_random``; cached.

    Empty where it is switched off or no selection has four speakers.
    """
    given = validation.speaker_folds(study, FEATURE) if study.config.ablations.selection else None
    if given is None:
        return pd.DataFrame(columns=TABLE_COLUMNS)
    speaker = study.selections[given.selection].clips.set_index("clip_id")["speaker"]
    cache_key = validation.cache_key(study, given.selection, FEATURE)
    rankings = [name for name in RANKINGS if name != "permutation" or _can_hold_out(given, speaker)]
    cache_key |= {"points": [DROPPED, DRAWS, rankings], "version": VERSION}

    def make() -> pd.DataFrame:
        return curve(given.values, given.truth, given.folds, speaker, config=study.config, rankings=rankings)

    points = study.store.cached(f"ablations/selection_{given.selection}", cache_key, make)
    return against_random(points).assign(corpus=given.selection)


def _can_hold_out(given: validation.SpeakerFolds, speaker: pd.Series) -> bool:
    """Whether every fold trains on two speakers or more, each of whom says two emotions or more."""
    train = given.folds[given.folds["role"] == "train"]
    clips = train["clip_id"]
    n_emotions = given.truth.loc[clips].groupby([train["fold"].to_numpy(), speaker.loc[clips].to_numpy()]).nunique()
    n_speakers = n_emotions.groupby(level=0).size()
    return bool((n_emotions > 1).all() and (n_speakers > 1).all())


def curve(
    features: FeatureSet,
    truth: pd.Series,
    folds: pd.DataFrame,
    speaker: pd.Series,
    *,
    config: Config,
    rankings: Sequence[str] = tuple(RANKINGS),
    dropped: Sequence[int] = DROPPED,
    draws: int = DRAWS,
) -> pd.DataFrame:
    """UAR on the validation rows of every fold after the least important features are dropped.

    Parameters
    ----------
    features : vectors (n, d)
    truth, speaker : class and speaker of each clip, indexed by ``clip_id``
    folds : folds table with train and validation rows; its test rows are not read
    config : seed, and the settings of logistic regression and LightGBM
    rankings : keys of ``RANKINGS``; the random control is always there
    dropped : numbers of features to drop, each below d
    draws : of the random control

    Returns
    -------
    Columns ``COLUMNS``, one row a ranking, fold and number dropped (and draw, of the control).

    Raises
    ------
    ValueError
        A ranking is unknown, a fold has no validation rows, or not one feature would be left.
    """
    unknown = [name for name in rankings if name not in RANKINGS]
    if unknown:
        raise ValueError(f"Unknown ranking {unknown[0]!r}; known: {', '.join(RANKINGS)}.")
    n_features = features.values.shape[1]
    if min(dropped) < 0 or max(dropped) >= n_features:
        raise ValueError(f"Of {n_features} features, 0 to {n_features - 1} can be dropped; found {list(dropped)}.")
    tables = []
    with single_threaded():
        for (repeat, fold), rows in folds.groupby(["repeat", "fold"], sort=True):
            train, held_out = _train_and_validation(features, truth, speaker, rows, fold)
            seed = settings.random_state(config, f"selection/{repeat}/{fold}")
            orders = _orders(train, rankings, draws, config.models, seed)
            scored = [
                {"ranking": name, "draw": draw, "dropped": n,
                 "uar": _score(train, held_out, order[n:], config.models, seed)}
                for (name, draw), order in orders.items() for n in dropped
            ]  # fmt: skip
            tables.append(pd.DataFrame(scored).assign(repeat=repeat, fold=fold))
    return pd.concat(tables, ignore_index=True)[COLUMNS]


def against_random(points: pd.DataFrame) -> pd.DataFrame:
    """Each ranking beside the control: one row a ranking and number dropped.

    Parameters
    ----------
    points : from :func:`curve`

    Returns
    -------
    ``ranking, dropped, uar`` (mean over folds), ``gain`` over the control's mean in the same fold (mean over folds),
    ``folds`` and ``folds_ahead``, the number of folds in which the ranking beats the control's mean.
    """
    keys = ["repeat", "fold", "dropped"]
    control = points[points["ranking"] == "random"].groupby(keys)["uar"].mean().rename("control").reset_index()
    joined = points.merge(control, on=keys).assign(gain=lambda rows: rows["uar"] - rows["control"])
    joined = joined[joined["ranking"] != "random"].assign(ahead=lambda rows: rows["gain"] > 0)
    grouped = joined.groupby(["ranking", "dropped"], sort=False)
    aggregated = grouped.agg(
        uar=("uar", "mean"), gain=("gain", "mean"), folds=("gain", "size"), folds_ahead=("ahead", "sum")
    )
    return aggregated.reset_index()


def _train_and_validation(
    features: FeatureSet, truth: pd.Series, speaker: pd.Series, rows: pd.DataFrame, fold
) -> tuple[Rows, Rows]:
    """Training and validation rows of a fold, both scaled by the training rows."""
    ids = {role: part["clip_id"].to_numpy() for role, part in rows.groupby("role")}
    if "validation" not in ids:
        raise ValueError(f"Fold {fold} has no validation rows to score; use a protocol with validation rows.")
    scaler = StandardScaler().fit(features.rows(ids["train"]).astype(np.float64))
    train, held_out = (
        Rows(
            scaler.transform(features.rows(ids[role]).astype(np.float64)),
            truth.loc[ids[role]].to_numpy(),
            speaker.loc[ids[role]].to_numpy(),
        )
        for role in ("train", "validation")
    )
    return train, held_out


def _orders(train: Rows, rankings: Sequence[str], draws: int, models: Models, seed: int) -> dict:
    """(ranking, draw) → features from the least to the most important."""
    random = np.random.default_rng(seed)
    n_features = train.values.shape[1]
    orders = {(name, 0): np.argsort(RANKINGS[name](train, models, seed), kind="stable") for name in rankings}
    return orders | {("random", draw): random.permutation(n_features) for draw in range(draws)}


def _score(train: Rows, held_out: Rows, columns: np.ndarray, models: Models, seed: int) -> float:
    columns = np.sort(columns)  # the same features give the same score, in whatever order they were ranked
    model = _fitted(train.values[:, columns], train.truth, models, seed)
    return _uar(model, held_out.values[:, columns], held_out.truth)


def _fitted(values: np.ndarray, truth: np.ndarray, models: Models, seed: int):
    """Logistic regression with its fixed penalty, since a choice for every point would blur the comparison."""
    logistic = classical.get("logistic")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # iterations are capped on purpose
        return logistic.build(models, logistic.fixed(models), seed).fit(values, truth)


def _uar(model, values: np.ndarray, truth: np.ndarray) -> float:
    classes = np.union1d(model.classes_, truth)
    return float(metrics.uar(metrics.confusion(truth, model.predict(values), classes)))


def _discriminant(rows: Rows) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # features of one spectrum are nearly collinear
        return LinearDiscriminantAnalysis().fit(rows.values, rows.truth).coef_
