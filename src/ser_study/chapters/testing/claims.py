"""Two claims of the student projects, tested: wrong predictions are hard for people too, and so is normal intensity.

Conventions
-----------
A system is compared with itself on two kinds of clips of the same speakers. Intervals resample speakers; the p value
flips signs over speakers.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from ser_study.chapters.testing.mistakes import by_unit, parts_of, resamples, span_of
from ser_study.config import rng
from ser_study.corpora import ravdess
from ser_study.evaluation import intervals, metrics, significance
from ser_study.evaluation.intervals import Resamples
from ser_study.schema import classes_in
from ser_study.study import Study

LISTENING = ["corpus", "system", "n_right", "n_wrong", "missed_right", "missed_wrong", "difference", "low", "high",
             "interval"]  # fmt: skip
LEVELS = ("normal", "strong")
INTENSITY = ["corpus", "system", "uar_normal", "uar_strong", "difference", "low", "high", "interval", "p", "n",
             "n_speakers"]  # fmt: skip
PEOPLE = {"ravdess-speech": tuple(ravdess.INFO.human_figures[f"speech, {level} intensity"] for level in LEVELS)}


def listening(table: pd.DataFrame, study: Study) -> pd.DataFrame:
    """How many listeners miss the clips that a system gets right, and those that it gets wrong (``LISTENING``).

    Parameters
    ----------
    table : of ``mistakes.judged``
    """
    rows = []
    for corpus, system, part in parts_of(table):
        drawn = resamples(part, f"listening/{corpus}", study)
        wrong, missed = (part["prediction"] != part["truth"]).to_numpy(float), 1 - part["listeners"].to_numpy(float)
        sums = by_unit(drawn, np.stack([1 - wrong, wrong, missed * (1 - wrong), missed * wrong], axis=1))
        right, other = _missed(sums.sum(axis=0, keepdims=True))
        facts = {"corpus": corpus, "system": system, "n_right": int((1 - wrong).sum()), "n_wrong": int(wrong.sum())}
        facts |= {"missed_right": float(right[0]), "missed_wrong": float(other[0])}
        rows.append(facts | span_of(sums, drawn, _more_missed, study, "difference"))
    return pd.DataFrame(rows, columns=LISTENING)


def _missed(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean share of listeners who miss the clips that are right, and those that are wrong; NaN where there are none."""
    return tuple(
        np.divide(sums[:, place + 2], sums[:, place], out=np.full(len(sums), np.nan), where=sums[:, place] > 0)
        for place in (0, 1)
    )


def _more_missed(sums: np.ndarray) -> np.ndarray:
    right, wrong = _missed(sums)
    return wrong - right


def by_intensity(table: pd.DataFrame, study: Study) -> pd.DataFrame:
    """UAR at normal and at strong intensity, over the classes that are acted at both (``INTENSITY``).

    Parameters
    ----------
    table : of ``mistakes.predictions``
    """
    if table.empty:
        return pd.DataFrame(columns=INTENSITY)
    known = table.join(study.clips().set_index("clip_id")[["speaker", "intensity"]], on="clip_id")
    rows = []
    for corpus, system, part in parts_of(known[known["intensity"].isin(LEVELS)]):
        acted = part.groupby("truth")["intensity"].nunique()
        part = part[part["truth"].isin(acted.index[acted == len(LEVELS)])].reset_index(drop=True)
        if part["truth"].nunique() > 1:
            rows.append({"corpus": corpus, "system": system} | _step(part, corpus, study))
    return pd.DataFrame(rows, columns=INTENSITY)


def _step(part: pd.DataFrame, corpus: str, study: Study) -> dict[str, float]:
    """Strong less normal, paired by speaker."""
    evaluation, drawn = study.config.evaluation, resamples(part, f"intensity/{corpus}", study)
    levels = [(part["intensity"] == level).to_numpy() for level in LEVELS]
    normal, strong = (_totals(part, drawn, rows) for rows in levels)
    value, span = significance.difference_interval([normal], [strong], drawn, level=evaluation.level)
    whole = np.ones((1, drawn.weights.shape[1]))
    scores = [float(intervals.mean_scores([one], whole, "uar")["uar"][0]) for one in (normal, strong)]
    facts = {"uar_normal": scores[0], "uar_strong": scores[1], "difference": value, "low": span.low, "high": span.high}
    return facts | {"interval": span.kind, "n": len(part)} | _by_speaker(part, levels, study)


def _totals(part: pd.DataFrame, drawn: Resamples, rows: np.ndarray) -> intervals.Totals:
    classes = classes_in(part)
    truth, prediction, _ = metrics.check(part["truth"][rows], part["prediction"][rows], classes=classes)
    return intervals.totals(truth, prediction, None, replace(drawn, unit=drawn.unit[rows]), n_classes=len(classes))


def _by_speaker(part: pd.DataFrame, levels: list[np.ndarray], study: Study) -> dict[str, float]:
    """Sign-flip test over the speakers' own differences; those who act one level only take no part."""
    unit, names = pd.factorize(part["speaker"] if "speaker" in part else pd.Series([None] * len(part)))
    if (unit < 0).any():
        return {"p": np.nan, "n_speakers": len(names)}
    speakers = Resamples(unit, np.eye(len(names)), "")
    normal, strong = (metrics.uar(_totals(part, speakers, rows).counts) for rows in levels)
    gaps = strong - normal
    gaps, options = gaps[np.isfinite(gaps)], {"n_permutations": study.config.evaluation.n_permutations}
    if not len(gaps):
        return {"p": np.nan, "n_speakers": len(names)}
    test = significance.sign_flip(gaps, rng=rng(study.config, "intensity"), **options)
    return {"p": test.p, "n_speakers": len(names)}
