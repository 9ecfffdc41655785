"""The chosen systems class by class: all scores, precision and recall of each class, ROC curves, sentences."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from ser_study import config as settings
from ser_study.config import Config
from ser_study.evaluation import metrics, tables
from ser_study.experiments import league_tables
from ser_study.experiments import material as materials
from ser_study.experiments.material import Material
from ser_study.words import share, word

COLUMNS = ["corpus", "class", "n", "precision", "recall", "low", "high", "interval", "f1", "auc"]
LABELS: Mapping[str, str] = {
    **{"uar": "UAR", "macro_f1": "macro F1", "weighted_f1": "weighted F1", "kappa": "κ", "mcc": "MCC", "auc": "AUC"},
    **{"n": "clips", "low": "recall, from", "high": "to", "interval": "over", "f1": "F1"},
}
ROC_CAPTION = (
    "Each class against all others on new speakers, answers of all folds together. In colour: the classes with the "
    "highest, the middle and the lowest AUC (0.5: chance)."
)


def overall(league: pd.DataFrame, best: pd.DataFrame) -> pd.DataFrame:
    """Every score of right and wrong answers of the chosen systems, and their mean AUC; one row a system."""
    return league_tables.chosen(league, best, (*metrics.COUNT_METRICS, "auc"))


def by_class(told: pd.DataFrame, gathered: Mapping[str, Material], config: Config) -> pd.DataFrame:
    """Precision, recall with its interval, F1 and AUC of every class (``COLUMNS``).

    Parameters
    ----------
    told : predictions of one system a corpus, ``league_tables.answers``
    """
    random = settings.rng(config, "classes")
    return tables.per_class(told, materials.all_clips(gathered), evaluation=config.evaluation, rng=random)[COLUMNS]


def curves(told: pd.DataFrame, gathered: Mapping[str, Material]) -> pd.DataFrame:
    """Points of the ROC curves of every class; no rows where the systems state no probabilities."""
    return tables.roc(told, materials.all_clips(gathered))


def words(table: pd.DataFrame) -> str:
    """Of every corpus the classes with the highest and lowest F1, and the one that is named too freely."""
    lines = []
    for name, part in table.groupby("corpus", sort=False):
        part = part.set_index("class")
        best, worst = part["f1"].idxmax(), part["f1"].idxmin()
        free = (part["recall"] - part["precision"]).idxmax()
        lines.append(
            f"- **{word(name)}**: F1 is highest for {word(best)} ({share(part.loc[best, 'f1'])}) and lowest for "
            f"{word(worst)} ({share(part.loc[worst, 'f1'])}). Named most freely: {word(free)} (recall "
            f"{share(part.loc[free, 'recall'])}, precision {share(part.loc[free, 'precision'])})."
        )
    return "\n".join(lines)


def roc_title(points: pd.DataFrame) -> str:
    """The easiest and the hardest class by their median AUC over the corpora, of the classes that all corpora have."""
    areas = points.groupby(["corpus", "class"], sort=False)["auc"].first().unstack()
    middle = areas.median()[areas.notna().all()]
    if len(middle) < 2:
        return "Each class told from all others, on new speakers"
    best, worst = middle.idxmax(), middle.idxmin()
    on, kind = ("Over the corpora", "median AUC") if len(areas) > 1 else (f"On {word(areas.index[0])}", "AUC")
    return (
        f"{on}, {word(best)} is the class most easily told from the others ({kind} {share(middle[best])}), "
        f"{word(worst)} the hardest ({share(middle[worst])})"
    )
