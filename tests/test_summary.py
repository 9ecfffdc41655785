"""The opening of chapter 07: alarms counted by hand, and sentences from the tables."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from ser_study.chapters.testing import declare, summary, summary_text
from ser_study.study import Study

TRUTH = ["angry"] * 4 + ["happy"] * 4 + ["sad"] * 2
ANSWER = ["angry", "angry", "angry", "sad", "angry", "angry", "happy", "happy", "sad", "sad"]  # 5 alarms, 2 false
LARGE = declare.TITLES["large"]


def predictions(truth=TRUTH, answer=ANSWER, role="test") -> pd.DataFrame:
    table = pd.DataFrame({"clip_id": [f"c/{i}" for i in range(len(truth))], "truth": truth, "prediction": answer})
    columns = {f"p_{name}": (table["prediction"] == name).astype(float) for name in sorted(set(truth))}
    return table.assign(role=role, corpus="crema_d", **columns)


def test_alarms_are_counted():
    row = summary.alarms(predictions())
    assert row["prevalence"] == pytest.approx(0.4)
    assert row["recall"] == pytest.approx(3 / 4)
    assert row["false_alarms"] == pytest.approx(2 / 5)
    assert row["uar"] == pytest.approx((3 / 4 + 2 / 4 + 2 / 2) / 3)
    assert row["n"] == 10


def test_without_an_alarm_none_is_false_and_without_the_class_nothing_is_said():
    quiet = summary.alarms(predictions(answer=["happy"] * 10))
    assert quiet["recall"] == 0
    assert math.isnan(quiet["false_alarms"])
    assert set(summary.alarms(predictions(["happy", "sad"], ["happy", "sad"]))) == {"uar", "n"}


def test_the_largest_system_that_is_here_stands_for_all():
    keys = {("a", declare.TITLES["classical"]): None, ("b", declare.TITLES["small"]): None}
    assert summary.system(keys) == declare.TITLES["small"]
    assert summary.system({}) == ""


def test_the_row_of_a_selection_is_read_from_the_other_sections(small_study):
    study = Study(small_study.config, small_study.store, {"crema_d": small_study.selections["synthetic"]})
    answers = pd.DataFrame(
        {"corpus": "crema_d", "system": [LARGE] * 2, "aim": [0.8, 0.9], "coverage": [0.7, 0.4], "accuracy": [0.8, 0.9]}
    )
    degraded = pd.DataFrame(
        {
            "corpus": "crema_d",
            "system": ["classical", "large", "large"],
            "degradation": ["telephone", "telephone", "babble"],
            "level": [8.0, 8.0, 20.0],
            "change": [-0.5, -0.25, -0.1],
            "n": [60, 50, 60],
        }
    )
    both = pd.concat([predictions(), predictions(answer=["sad"] * 10, role="validation")])
    tables = {("crema_d", declare.TITLES["classical"]): predictions(answer=["sad"] * 10), ("crema_d", LARGE): both}
    (row,) = summary.table(study, tables, answers, degraded).to_dict("records")
    assert row["recall"] == pytest.approx(3 / 4), "validation rows and smaller systems do not count"
    assert (row["coverage"], row["accuracy"], row["telephone"]) == (0.4, 0.9, -0.25)
    assert math.isnan(row["babble"]), "babble was tried at another level"

    pairs = pd.DataFrame(
        {
            **{"system": LARGE, "source": ["a", "a", "b"], "corpus": ["a", "b", "a"], "uar": [0.9, 0.3, 0.5]},
            **{"uar_within": [0.9, 0.8, 0.9], "overconfidence": [0.0, 0.2, 0.4]},
        }
    )
    gaps = pd.DataFrame(
        {
            "corpus": "crema_d",
            "attribute": ["gender", "age", "statement"],
            "group": ["male", "over 44", "IEO"],
            "against": ["female", "others", "others"],
            "difference": [-0.1, 0.05, 0.5],
            "low": [-0.15, -0.02, 0.4],
            "high": [-0.05, 0.12, 0.6],
            "p_holm": [0.04, 0.3, 0.01],
        }
    )
    text = summary_text.finding(pd.DataFrame([row]), pairs, gaps)
    assert "1 of 2 gaps tested is beyond chance after Holm's correction" in text
    assert "correction; the widest of the tested is male − female on CREMA-D: −10.0 points [−15.0, −5.0]." in text
    half = summary_text.finding(pd.DataFrame([row]), pairs, gaps.assign(p_holm=[0.04, math.nan, 0.01]))
    assert "correction (1 more is not tested: a side has fewer than 10 speakers); the widest of the tested is" in half
    unproven = summary_text.finding(pd.DataFrame([row]), pairs, gaps.assign(p_holm=0.2))
    assert "−10.0 points [−15.0, −5.0]. That does not show that there is none." in unproven
    assert "of 100 angry clips 75 are found, and of 100 alarms 40 are false, where 40 % of the clips are angry" in text
    assert "it answers 40 % of the clips of CREMA-D and is right in 90 % of these" in text
    assert "UAR changes by −25.0 points on a telephone line, mean over corpora (50 clips each)" in text
    assert "talking" not in text
    assert "median UAR .400 (within a corpus .850), confidence 30 points above accuracy" in text
    few = summary_text.finding(pd.DataFrame([row]), pairs, gaps.assign(p_holm=math.nan))
    assert "Other voices" not in few, "without a test there is nothing to say"


NO_GAPS = pd.DataFrame(columns=["corpus", "attribute", "group", "against", "system", "difference", "p_holm"])


def test_a_run_without_new_speakers_says_so(small_study):
    empty = summary.table(small_study, {}, pd.DataFrame(), pd.DataFrame())
    caption = summary_text.in_short(empty, pd.DataFrame({"source": [], "corpus": [], "system": []}), NO_GAPS, "")
    assert summary_text.readable(empty).empty
    assert caption.empty == summary_text.EMPTY
    assert caption.finding == ""
    assert np.isnan(summary_text.readable(empty).to_numpy(float)).sum() == 0
