"""What a score costs: fits, single predictions and sizes are taken from real models; the sentence from the table."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ser_study import config as settings
from ser_study import corpora
from ser_study.chapters.networks import costs, text
from ser_study.experiments import Experiment, timing
from ser_study.models import registry
from ser_study.store import Store
from ser_study.study import Study

CONFIG = settings.load("demo", {"training.max_epochs": 2})


def classical(*args):
    fitted, seconds = timing.fit_classical(*args)
    return fitted, seconds, timing.size_of(fitted)


@pytest.mark.parametrize(("name", "fit"), [("lightgbm_000", classical), ("mlp_head", costs.fit_network)])
def test_fitted_models_predict_and_have_a_size(name, fit):
    random = np.random.default_rng(0)
    classes = np.repeat(np.array(["angry", "calm", "sad"], dtype=object), 40)
    rows = (random.standard_normal((120, 51)) + np.repeat([0, 1, 2], 40)[:, None]).astype(np.float32)
    predict, seconds, size = fit(registry.get(name), rows, classes, CONFIG)
    assert np.asarray(predict(rows[:1])).shape == (1, 3)
    assert (np.asarray(predict(rows)).argmax(axis=1) == np.repeat([0, 1, 2], 40)).mean() > 0.4
    assert seconds > 0
    assert size > 10_000


def test_features_side_by_side_are_taken_from_the_file(tmp_path):
    store = Store(tmp_path, tmp_path / "none", tmp_path / "derived", tmp_path / "run")
    clip = Study(CONFIG, store).clips("synthetic").iloc[0]
    one = Experiment("synthetic", "random", "statistics51+means184", "logistic")
    assert [values.shape for values in timing.extracted(one, clip, CONFIG, store)] == [(51,), (184,)]
    assert corpora.root_of("synthetic", store).is_dir()


def test_without_the_recordings_there_is_nothing_to_compare(store):
    shown = costs.table(Study(CONFIG, store, {}, {}))
    assert shown.empty
    assert list(shown.columns) == costs.COLUMNS
    assert "E000" in text.costs(shown).empty


def test_sentences_set_the_trees_beside_the_network():
    shown = pd.DataFrame(
        {
            "feature": ["statistics51", "log_mel", "campplus"],
            "model": ["lightgbm_000", "cnn_lstm_000", "logistic"],
            "accuracy": [0.837, 0.824, 0.956],
            "extract_ms": [20.0, 4.0, 90.0],
            "predict_ms": [1.0, 30.0, 0.4],
            "fit_s": [1.24, 40.0, 2.0],
        }
    )
    best, rest = text.costs(shown).finding.split(". ", 1)
    for figure in (".956", "90 ms"):
        assert figure in best
    for figure in ("(E000)", ".837", "1.2 s", "21 ms", ".824", "40 s", "34 ms"):
        assert figure in rest
    assert "90 ms" in text.costs_title(shown)
    assert "21 ms" in text.costs_title(shown)  # the fastest
    assert text.costs_figure(shown).alt.count(" ms") == 3
