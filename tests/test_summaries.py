"""Small tables read from scores, by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ser_study.evaluation import summaries


def test_variance_shares_by_hand():
    values = np.array([[1.0, 0.0], [1.0, 2.0], [3.0, 0.0], [3.0, 2.0]])
    assert summaries.variance_shares(values, pd.Series(["a", "a", "b", "b"])).tolist() == [1.0, 0.0]


def test_common_feature_is_the_best_on_average_of_those_that_ran_everywhere():
    row = {"protocol": "speaker_independent", "metric": "uar_validation", "n_speakers": 10}
    scores = [("a", "x", 0.6), ("a", "y", 0.5), ("a", "z", 0.9), ("b", "x", 0.4), ("b", "y", 0.55)]
    table = pd.DataFrame([row | {"corpus": c, "feature": f, "value": v} for c, f, v in scores])
    assert summaries.common_feature(table) == "y"
    assert summaries.common_feature(table.assign(n_speakers=2)) == "x", "without validation speakers: the first"
