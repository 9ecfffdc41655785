"""Calibration and abstention of chapter 07: values worked by hand, and what thresholds and temperatures may see."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ser_study.chapters.testing import calibration, calibration_figures, calibration_text
from ser_study.evaluation import abstention, intervals, probabilities
from ser_study.schema import probability_columns

CLASSES = ("angry", "sad")
FACTS = {
    **{"experiment": "x", "scheme": "native", "protocol": "speaker_independent", "repeat": 0, "seed": 0, "draw": 0},
    **{"model": "lda", "feature": "summary", "leak": "", "corpus": "emodb", "variant": 0, "n_train": 8, "params": "{}"},
}


def rows_of(fold: int, role: str, speaker: str, sure: list[float], right: list[bool]) -> pd.DataFrame:
    """Rows that predict "angry" with the given probabilities, rightly or not."""
    ids = [f"emodb/{speaker}-{place}" for place in range(len(sure))]
    truth = np.where(right, *CLASSES)
    proba = {"p_angry": sure, "p_sad": 1 - np.array(sure)}
    head = FACTS | {"fold": fold, "role": role, "clip_id": ids, "truth": truth, "prediction": "angry"}
    return pd.DataFrame(head | proba)


@pytest.fixture
def predictions() -> pd.DataFrame:
    """Two folds; the validation rows of each call for another threshold and another temperature."""
    return pd.concat(
        [
            rows_of(0, "validation", "b", [0.9] * 4, [True, True, True, False]),
            rows_of(0, "test", "a", [0.95, 0.9, 0.8, 0.7], [True, False, False, True]),
            rows_of(1, "validation", "a", [0.9, 0.7, 0.7, 0.6], [True, True, True, False]),
            rows_of(1, "test", "b", [0.95, 0.7, 0.6, 0.55], [True, True, False, False]),
        ],
        ignore_index=True,
    )


@pytest.fixture
def clips(predictions) -> pd.DataFrame:
    ids = predictions["clip_id"].drop_duplicates()
    return pd.DataFrame({"clip_id": ids, "speaker": ids.str.slice(0, 7)})


def spoilt(table: pd.DataFrame, role: str) -> pd.DataFrame:
    """The same predictions with the truth of one role exchanged."""
    other = table["truth"].map(dict(zip(CLASSES, reversed(CLASSES))))
    return table.assign(truth=table["truth"].where(table["role"] != role, other))


def test_brier_parts_by_hand():
    """Of each class: reliability .5 · .2² + .5 · .3² = .065, resolution .0625, uncertainty ¼ · ¾."""
    proba, truth = np.array([[0.8, 0.2], [0.8, 0.2], [0.2, 0.8], [0.2, 0.8]]), np.array([0, 1, 1, 1])
    parts = probabilities.brier_parts(truth, proba, bins=2)
    assert (parts.reliability, parts.resolution, parts.uncertainty) == pytest.approx((0.13, 0.125, 0.375))
    assert parts.within == pytest.approx(0)
    assert probabilities.clip_brier(truth, proba).mean() == pytest.approx(0.38)


def test_a_temperature_by_hand(predictions):
    """Sure to .9 and right three times in four: ln 9 / T = ln 3."""
    learned = calibration.temperatures(predictions)
    assert learned[0, 0] == pytest.approx(2, abs=1e-3)
    assert probabilities.tempered(np.array([[0.9, 0.1]]), 1 / 2) == pytest.approx(np.array([[0.75, 0.25]]))
    after = calibration.tempered(predictions, learned)
    assert set(after["role"]) == {"test"}
    assert after["p_angry"].iloc[1] == pytest.approx(0.75, abs=1e-4)
    assert after[probability_columns(CLASSES)].sum(axis=1).to_numpy() == pytest.approx(1)


def test_temperatures_and_thresholds_never_see_a_test_row(predictions):
    before = calibration.temperatures(predictions), abstention.fold_thresholds(predictions, 0.8)
    other = spoilt(predictions, "test")
    after = calibration.temperatures(other), abstention.fold_thresholds(other, 0.8)
    for one, two in zip(before, after):
        pd.testing.assert_series_equal(one, two)
    learned = spoilt(predictions, "validation")
    assert (calibration.temperatures(learned) != before[0]).all()
    assert (abstention.fold_thresholds(learned, 0.8) != before[1]).any()


def test_each_fold_has_its_own_threshold(predictions):
    levels = abstention.fold_thresholds(predictions, 0.8)
    assert levels.to_dict() == {(0, 0): np.inf, (0, 1): 0.7}
    test = predictions[predictions["role"] == "test"]
    assert abstention.levels_of(test, levels).tolist() == [np.inf] * 4 + [0.7] * 4


def test_coverage_and_accuracy_by_hand(predictions, clips, small_study):
    """Fold 0 never answers; of fold 1 two clips of four are answered, both rightly: 2 of 8 clips in all."""
    reached = calibration.answered(predictions, clips, 0.8, small_study)
    assert (reached["coverage"], reached["accuracy"], reached["n_answered"]) == (0.25, 1, 2)
    assert reached["accuracy_of_all"] == 0.5
    assert reached["note"] == "these voices only"
    assert calibration.answered(predictions, clips, 0.99, small_study)["coverage"] == 0.25
    none = predictions.assign(p_angry=0.5, p_sad=0.5)
    reached = calibration.answered(none, clips, 0.9, small_study)
    assert (reached["coverage"], reached["note"]) == (0, calibration.NEVER)
    assert np.isnan(reached["accuracy"])


def test_a_share_has_a_jackknife_interval_by_hand():
    """Shares without each of four speakers: 1/3 and 0 …; the middle is the share itself."""
    unit = np.array([0, 1, 2, 3])
    drawn = intervals.Resamples(unit, 1.0 - np.eye(4), intervals.JACKKNIFE)
    hits, every = np.array([True, False, False, False]), np.ones(4, bool)
    value, span = intervals.share(hits, every, drawn, level=0.95)
    left_out = np.array([0, 1 / 3, 1 / 3, 1 / 3])
    reach = 3.182446 * np.sqrt(3 * np.mean((left_out - left_out.mean()) ** 2))
    assert (value, span.low, span.high) == pytest.approx((0.25, 0, min(1, 0.25 + reach)), abs=1e-5)
    nothing, span = intervals.share(hits, ~every, drawn)
    assert np.isnan([nothing, span.low, span.high]).all()


def test_a_share_of_one_speaker_has_no_jackknife_limits():
    """Without the only speaker who is answered there is no share; a bootstrap has resamples with that speaker."""
    unit, weights = np.array([0, 0, 1, 2, 3]), 1.0 - np.eye(4)
    hits, among = np.array([True, False, True, True, True]), np.array([True, True, False, False, False])
    for kind in (intervals.JACKKNIFE, intervals.CLIPS):
        value, span = intervals.share(hits, among, intervals.Resamples(unit, weights, kind))
        assert value == 0.5
        assert np.isnan([span.low, span.high]).all()
    _, span = intervals.share(hits, among, intervals.Resamples(unit, weights, intervals.BOOTSTRAP))
    assert (span.low, span.high) == (0.5, 0.5)


def test_answers_without_limits_have_sentences_and_a_figure():
    head = {"corpus": "emodb", "system": "one encoder", "aim": 0.9, "coverage": 0.2, "accuracy": 0.8, "note": ""}
    answers = pd.DataFrame([head | {"low": np.nan, "high": np.nan}])
    curves = pd.DataFrame({"corpus": "emodb", "system": "one encoder", "coverage": [0.2, 1], "accuracy": [0.8, 0.6]})
    finding = calibration_text.coverage(answers).finding
    assert "0 miss it by more than the interval allows" in finding
    assert "nan" not in finding
    assert calibration_figures.coverage(curves, answers) is not None
    bins = curves.rename(columns={"coverage": "confidence"}).assign(low=np.nan, high=np.nan)
    scores = pd.DataFrame([head | {"ece": 0.1, "ece_if_calibrated": 0.05, "overconfidence": 0.1}])
    assert calibration_figures.reliability(bins, scores) is not None


def test_bins_start_where_the_confidence_changes():
    """Three bins of two clips: the second would begin among equal confidences, so it joins the first."""
    proba = np.array([0.9, 0.6, 0.7, 0.6, 0.8, 0.6])
    bin_of = probabilities.confidence_bins(np.stack([proba, 1 - proba], axis=1), bins=3)
    assert bin_of.tolist() == [1, 0, 0, 0, 1, 0]


def test_two_speakers_have_none_to_learn_from(predictions):
    assert calibration.learns(predictions, 3)
    assert not calibration.learns(predictions, 2)
    assert not calibration.learns(predictions[predictions["fold"].eq(1) | predictions["role"].eq("test")], 3)


def test_the_section_on_a_small_study(small_study):
    tables = calibration.predictions(small_study)
    scores, brier = calibration.scores(small_study, tables)
    curves, answers = calibration.curves(small_study, tables), calibration.answers(small_study, tables)
    bins = calibration.reliability(small_study, tables)
    row = brier.iloc[0]
    parts = row["reliability"] - row["resolution"] + row["uncertainty"] + row["within"]
    assert row["brier"] == pytest.approx(parts)
    weights = bins["n"] / bins["n"].sum()
    assert ((bins["confidence"] - bins["accuracy"]).abs() * weights).sum() == pytest.approx(scores["ece"].iloc[0])
    assert ((bins["confidence"] - bins["accuracy"]) * weights).sum() == pytest.approx(scores["overconfidence"].iloc[0])
    assert curves["coverage"].iloc[-1] == 1
    assert curves["accuracy"].iloc[-1] == pytest.approx(answers["accuracy_of_all"].iloc[0])
    assert answers["coverage"].is_monotonic_decreasing
    for figure, caption in (
        (calibration_figures.reliability(bins, scores), calibration_text.reliability(bins, scores)),
        (calibration_figures.coverage(curves, answers), calibration_text.coverage(answers)),
    ):
        assert len([ax for ax in figure.axes if ax.get_visible()]) == 1
        assert caption.alt
        assert caption.finding


def test_without_a_selection_there_is_a_sentence(small_study):
    nothing = small_study.only([])
    tables = calibration.predictions(nothing)
    assert tables == {}
    scores, brier = calibration.scores(nothing, tables)
    curves, answers = calibration.curves(nothing, tables), calibration.answers(nothing, tables)
    assert calibration_figures.coverage(curves, answers) is None
    assert len(scores) == len(brier) == len(answers) == 0
    for caption in (calibration_text.scores(scores), calibration_text.coverage(answers)):
        assert caption.empty
        assert not caption.finding


def test_findings_count_what_the_tables_hold():
    answers = pd.DataFrame(
        {
            **{"corpus": ["emodb", "emodb", "tess"], "system": "two encoders", "aim": [0.8, 0.9, 0.8]},
            **{"coverage": [0.6, 0.0, np.nan], "accuracy": [0.7, np.nan, np.nan], "high": [0.75, np.nan, np.nan]},
            "note": ["", calibration.NEVER, calibration.NO_VALIDATION],
        }
    )
    finding = calibration_text.coverage(answers).finding
    assert finding.startswith("0 of 2 thresholds reach their aim on test speakers; 1 miss it by more")
    assert "and 1 let nothing be answered" in finding
    assert "nothing to leave out" not in finding
    whole = pd.concat([answers, answers.head(1).assign(accuracy=0.81, high=0.9, coverage=1.0)], ignore_index=True)
    finding = calibration_text.coverage(whole).finding
    assert finding.startswith("1 of 3 thresholds reach their aim on test speakers (1 of these answer every clip")
    assert "80 %, 90 % and 95 % right answers" in calibration_text.coverage(whole).text
    assert "shortfall is 10.0 points. TESS: no validation speaker, so no threshold." in finding
    assert calibration_text.coverage_title(answers).startswith("No system is ever sure enough")
    sure = answers.assign(aim=0.9, accuracy=0.9, corpus=["emodb", "emodb", "tess"], coverage=[0.2, 0.6, 0.3])
    assert calibration_text.coverage_title(sure).endswith("the largest system answers 30 % to 60 % of the clips")


def test_systems_without_a_scale_are_named_apart():
    """Of TESS nothing is learned: 30 clips at .99 and 10 at .95 are .98 on average, and 20 of 40 are right."""
    scores = pd.DataFrame(
        {
            **{"corpus": ["tess", "emodb", "crema_d"], "system": "two encoders", "ece": [0.48, 0.1, 0.05]},
            **{"ece_if_calibrated": 0.02, "overconfidence": [0.48, -0.1, 0.02], "temperature": [np.nan, 1.0, 1.2]},
            **{"log_loss": [9, 0.5, 0.7], "log_loss_after": [np.nan, 0.5, 0.721]},
        }
    )
    bins = pd.DataFrame({"corpus": "tess", "system": "two encoders", "n": [30, 10], "confidence": [0.99, 0.95]})
    bins = bins.assign(accuracy=[0.6, 0.2])
    finding = calibration_text.reliability(bins, scores).finding
    assert finding.startswith("TESS has no validation speaker to learn a scale of the probabilities from: mean")
    assert (
        "confidence is .980 there, accuracy .500. Of the other 2 systems, 1 is overconfident and 1 is underconfident."
        in finding
    )
    assert "furthest from calibrated is two encoders on EMO-DB: ECE .100" in finding
    known = calibration_text.reliability(bins, scores.iloc[1:]).finding
    assert known.startswith("Of 2 systems, 1 is overconfident")
    shy = calibration_text.reliability(bins, scores.iloc[1:].assign(overconfidence=-0.1)).finding
    assert shy.startswith("Of 2 systems, none is overconfident and all 2 are underconfident.")
    assert calibration_text.reliability(bins, scores.iloc[:1]).finding.endswith("accuracy .500.")
    change = calibration_text.scores(scores).finding
    assert "The largest change is 0.021 for the worse (two encoders, CREMA-D). TESS: no" in change
    better = scores.assign(log_loss_after=[np.nan, 0.45, 0.7])
    assert "is 0.050 for the better (two encoders, EMO-DB)" in calibration_text.scores(better).finding
