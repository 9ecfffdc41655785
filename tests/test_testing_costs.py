"""Time against performance: the front by hand, measurements of a real system in a process of its own, and the words."""

from __future__ import annotations

import dataclasses
import time

import numpy as np
import pandas as pd
import pytest

from ser_study.chapters.testing import cost_figures, cost_text, costs
from ser_study.experiments import Experiment, execute, timing
from ser_study.models import registry
from ser_study.study import Study


def measured() -> pd.DataFrame:
    """Three systems: fast, slow and good, slow and no better than the fast one."""
    row = dict.fromkeys(costs.COLUMNS, 1.0) | {
        "corpus": "emodb",
        "interval": "speaker jackknife",
        "processor": "Chip 1",
    }
    rows = [
        row
        | {"feature": "summary", "model": "lda", "uar": 0.7, "low": 0.65, "high": 0.75, "ms": 10.0, "extract_ms": 9.5},
        row
        | {
            "feature": "campplus",
            "model": "lda",
            "uar": 0.84,
            "low": 0.8,
            "high": 0.88,
            "ms": 60.0,
            "extract_ms": 59.5,
        },
        row | {"feature": "summary", "model": "mlp", "uar": 0.69, "low": 0.6, "high": 0.7, "ms": 12.0, "fit_s": 7.25},
    ]
    table = pd.DataFrame(rows, columns=costs.COLUMNS).assign(n_train=430)
    table.loc[2, "extract_ms"] = 9.5
    return table.assign(front=costs.on_front(table["ms"], table["uar"]))


def test_a_front_by_hand():
    cost = pd.Series([10.0, 60.0, 12.0, 10.2, 70.0])
    gain = pd.Series([0.70, 0.84, 0.69, 0.72, 0.84])
    # 10.2 is as fast as 10.0 within a twentieth and better; 70 is slower than 60 and no better
    assert costs.on_front(cost, gain).tolist() == [False, True, False, True, False]
    assert costs.on_front(cost[:1], gain[:1]).tolist() == [True]
    assert costs.on_front(pd.Series([5.0, 5.0]), pd.Series([0.5, 0.5])).tolist() == [True, True]
    assert costs.on_front(pd.Series([5.0, 9.0]), pd.Series([0.5, 0.5])).tolist() == [True, False]


def test_the_least_of_three_times_counts():
    pauses = iter([0.03, 0.0, 0.03])
    assert costs.least(lambda: time.sleep(next(pauses))) < 0.02
    with pytest.raises(StopIteration):
        next(pauses)


def test_peak_memory_grows_with_what_a_process_holds():
    before = costs.peak_memory()
    held = np.ones(int(before / 8) + 2**22)  # more than there has ever been
    assert costs.peak_memory() - before > 2**24
    assert held.nbytes > before


@pytest.fixture(scope="module")
def two_systems(small_study) -> Study:
    """The study with two systems to time, for each is measured in a process of its own."""
    testing = dataclasses.replace(small_study.config.testing, timed_models=("lda",), timed_clips=4)
    networks = dataclasses.replace(small_study.config.networks, by_speaker=("means184/mlp_head",))
    config = dataclasses.replace(small_study.config, testing=testing, networks=networks)
    return Study(config, small_study.store, small_study.selections)


def test_a_system_is_measured_apart_and_its_costs_are_kept(two_systems, monkeypatch):
    table = costs.table(two_systems)
    assert table["model"].tolist() == ["lda", "mlp_head"]
    assert table["extract_ms"].nunique() == 1  # one feature
    row, network = table.iloc[0], table.iloc[1]
    assert network["memory_mb"] > 1.5 * row["memory_mb"]  # a library for networks
    assert network["model_kb"] > 4 * 184 / 1000
    assert (row["corpus"], row["feature"], row["model"]) == ("synthetic", "means184", "lda")
    assert (table[["extract_ms", "predict_ms", "batch_ms", "fit_s"]] > 0).all(axis=None)
    assert row["ms"] == pytest.approx(row["extract_ms"] + row["predict_ms"])
    assert row["batch_ms"] < row["predict_ms"]
    assert 50 < row["memory_mb"] < 2000
    assert row["weights_mb"] == 0
    n_classes = two_systems.clips("synthetic")["emotion"].nunique()
    assert row["model_kb"] * 1000 > 8 * 184 * n_classes
    scores = two_systems.scores(costs.systems(two_systems))
    assert table["uar"].tolist() == scores.loc[scores["metric"] == "uar", "value"].tolist()
    monkeypatch.setattr(costs, "_costs", lambda job, study: pytest.fail("measured again"))
    pd.testing.assert_frame_equal(costs.table(two_systems), table)
    monkeypatch.setattr(costs, "cpu_model", lambda: "another processor")
    with pytest.raises(pytest.fail.Exception, match="measured again"):
        costs.table(two_systems)


def test_the_timed_fit_is_that_of_the_first_fold(small_study):
    """Fitted on all that is not test, with the hyperparameters chosen there: its margins rank the test clips alike."""
    one = Experiment("synthetic", "speaker_independent", "means184", "lda")
    table = small_study.predictions(one)
    fold = table[(table["fold"] == table["fold"].min()) & (table["role"] == "test")]
    job = execute.make(one, small_study.selections, None, small_study.config, small_study.store)
    values, truth = execute.features_and_classes(job, small_study.config, small_study.store)
    train = truth.index.difference(fold["clip_id"])
    params = costs._params(table, 0, table["fold"].min())
    options = {"config": small_study.config, "params": params}
    fitted, seconds = timing.fit_classical(
        registry.get("lda"), values.rows(train.to_numpy()), truth.loc[train].to_numpy(), **options
    )
    chosen = fitted(values.rows(fold["clip_id"].to_numpy())).argmax(axis=1)
    assert np.sort(truth.unique())[chosen].tolist() == fold["prediction"].tolist()
    assert seconds > 0


def test_clips_are_spread_over_the_corpus():
    clips = pd.DataFrame({"clip_id": range(95)})
    assert costs._some(clips, 20)["clip_id"].tolist() == list(range(0, 80, 4))
    assert len(costs._some(clips.head(3), 20)) == 3


def test_without_sound_nothing_is_timed(small_study, monkeypatch):
    monkeypatch.setattr(Study, "with_audio", lambda self: Study(self.config, self.store, {}))
    table = costs.table(small_study)
    assert table.empty
    assert list(table.columns) == costs.COLUMNS
    assert cost_figures.pareto(table) is None
    assert "nothing is timed" in cost_text.pareto(table).empty
    assert cost_text.costs(cost_text.readable(table)).empty


def test_words_name_the_front_and_the_processor():
    table = measured()
    assert table["front"].tolist() == [True, True, False]
    assert cost_text.title(table) == "CAM++, LDA: 14.0 points more than summaries, LDA, at 6.0 times the time"
    words = cost_text.finding(table)
    assert "summaries, LDA (.700 [.650, .750], 10 ms) and CAM++, LDA (.840 [.800, .880], 60 ms)" in words
    assert "training is that of summaries, MLP with 7.2 s" in words
    assert "79 % or more" in words
    assert "Chip 1" in cost_text.pareto(table).text
    assert "430 training clips" in cost_text.costs(table).text
    assert "from scratch" not in cost_text.costs(table).text
    assert ", but " not in words
    network = table.tail(1).assign(model="mlp_head")
    assert "Networks from scratch were trained on all cores." in cost_text.costs(network).text
    assert set(cost_text.costs(table).labels) <= set(cost_text.readable(table).columns)
    both = pd.concat([table, network.assign(extract_ms=3.0, n_train=400)], ignore_index=True)
    assert (
        "features take 79 % or more, except 25 % with a network from scratch (summaries, dense head); the longest"
        in (cost_text.finding(both))
    )
    assert "430 training clips (of which a network from scratch learns from 400 and stops by the others); one core" in (
        cost_text.costs(both).text
    )
    assert cost_text.title(table.iloc[:1]) == "summaries, LDA is both among the fastest and the best"


def test_the_figure_marks_the_front():
    figure = cost_figures.pareto(measured())
    (ax,) = figure.axes
    assert ax.get_xscale() == "log"
    faces = [line.get_markerfacecolor() for line in ax.get_lines() if line.get_marker() not in ("None", "")]
    assert [face == cost_figures.PAPER for face in faces] == [False, False, True]
    assert [text.get_text() for text in ax.get_legend().get_texts()][1] == "CAM++, LDA"


def test_a_failed_measurement_says_which(two_systems, monkeypatch):
    monkeypatch.setattr(costs, "cpu_model", lambda: "a third processor")
    monkeypatch.setattr(costs, "_some", lambda clips, number: clips.head(2).assign(path="lost.wav"))
    with pytest.raises(RuntimeError, match="costs of synthetic/speaker_independent/means184/lda could not be measured"):
        costs.table(two_systems)
