"""Answering only when sure, against values worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from ser_study.evaluation import abstention

RIGHT = np.array([True, True, False, True, False])
CONFIDENCE = np.array([0.9, 0.8, 0.8, 0.6, 0.5])


def test_risk_and_coverage_by_hand():
    levels, coverage, accuracy = abstention.risk_coverage(RIGHT, CONFIDENCE)
    assert levels.tolist() == [0.9, 0.8, 0.6, 0.5]
    assert coverage.tolist() == [0.2, 0.6, 0.8, 1.0]
    assert accuracy == pytest.approx([1, 2 / 3, 3 / 4, 3 / 5])
    order = [4, 2, 0, 3, 1]
    again = abstention.risk_coverage(RIGHT[order], CONFIDENCE[order])
    assert all(np.array_equal(a, b) for a, b in zip((levels, coverage, accuracy), again))


def test_a_threshold_answers_as_many_as_can_be():
    assert abstention.threshold(RIGHT, CONFIDENCE, 0.7) == 0.6
    assert abstention.threshold(RIGHT, CONFIDENCE, 0.9) == 0.9
    assert abstention.threshold(RIGHT, CONFIDENCE, 0.6) == 0.5
    assert abstention.threshold(~RIGHT, CONFIDENCE, 0.9) == np.inf
    with pytest.raises(ValueError, match="No validation clip"):
        abstention.threshold(RIGHT[:0], CONFIDENCE[:0], 0.9)


def test_what_a_threshold_brings():
    assert abstention.answered(RIGHT, CONFIDENCE, 0.8) == pytest.approx((0.6, 2 / 3))
    coverage, accuracy = abstention.answered(RIGHT, CONFIDENCE, np.inf)
    assert coverage == 0
    assert np.isnan(accuracy)
