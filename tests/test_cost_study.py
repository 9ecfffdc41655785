"""What a score costs: fits, single answers and sizes are taken from real models; the sentence from the table."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ser_study import config as settings
from ser_study import corpora
from ser_study.experiments import cost_study
from ser_study.experiments import material as materials
from ser_study.experiments.declare import Experiment
from ser_study.models import registry
from ser_study.store import Store

CONFIG = settings.load("demo", {"training.max_epochs": 2})


@pytest.mark.parametrize(("name", "taken"), [("lightgbm_000", "_classical"), ("mlp_head", "_network")])
def test_fitted_models_answer_and_have_a_size(name, taken):
    random = np.random.default_rng(0)
    classes = np.repeat(np.array(["angry", "calm", "sad"], dtype=object), 40)
    rows = (random.standard_normal((120, 51)) + np.repeat([0, 1, 2], 40)[:, None]).astype(np.float32)
    answer, seconds, size = getattr(cost_study, taken)(registry.get(name), rows, classes, CONFIG)
    assert np.asarray(answer(rows[:1])).shape == (1, 3)
    assert (np.asarray(answer(rows)).argmax(axis=1) == np.repeat([0, 1, 2], 40)).mean() > 0.4
    assert seconds > 0
    assert size > 10_000


def test_features_side_by_side_are_taken_from_the_file(tmp_path):
    store = Store(tmp_path, tmp_path / "none", tmp_path / "derived", tmp_path / "run")
    part = materials.gather(CONFIG, store)["synthetic"]
    one = Experiment("synthetic", "random", "seed51+seed184", "logistic")
    found = cost_study._extracted(one, part.clips.iloc[0], CONFIG, store)
    assert [values.shape for values in found] == [(51,), (184,)]
    assert corpora.root_of("synthetic", store).is_dir()


def test_without_the_recordings_there_is_nothing_to_compare(store):
    shown = cost_study.table({}, config=CONFIG, store=store)
    assert shown.empty
    assert list(shown.columns) == cost_study.COLUMNS


def test_sentence_sets_the_trees_beside_the_network():
    shown = pd.DataFrame(
        {
            "feature": ["seed51", "log_mel", "campplus"],
            "model": ["lightgbm_000", "cnn_lstm_000", "logistic"],
            "accuracy": [0.837, 0.824, 0.956],
            "extract_ms": [20.0, 4.0, 90.0],
            "predict_ms": [1.0, 30.0, 0.4],
            "fit_s": [1.24, 40.0, 2.0],
        }
    )
    words = cost_study.words(shown)
    assert words.startswith("Highest accuracy: CAM++ with logistic regression (.956), 90 ms a clip")
    assert "LightGBM (seed 000) has .837 after 1.2 s of training and 21 ms a clip" in words
    assert "CNN-LSTM .824 after 40 s and 34 ms" in words
