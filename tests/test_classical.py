"""Scores of the benchmark, the chosen systems, the published tables, and the times of all models."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from ser_study import config as settings
from ser_study.chapters.classical import headline, publish, tables, text, times
from ser_study.evaluation import choice, metrics
from ser_study.experiments import Experiment, benchmark, folds
from ser_study.store import PAGES
from ser_study.study import Study


@pytest.fixture(scope="module")
def scores(small_study) -> pd.DataFrame:
    return tables.benchmark_scores(small_study)


@pytest.fixture(scope="module")
def published(small_study) -> pd.DataFrame:
    table = publish.all_scores(small_study)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(PAGES, "1")
        publish.publish(table, small_study)
    return table


def score_rows() -> pd.DataFrame:
    rows = []
    for corpus, model, validation, test in (
        ("emodb", "logistic", 0.6, 0.50),
        ("emodb", "forest", 0.5, 0.90),
        ("tess", "logistic", 0.98, 0.40),
        ("tess", "forest", 0.99, 0.95),  # words of the same actress: no validation speakers
    ):
        facts = {"corpus": corpus, "protocol": "speaker_independent", "feature": "egemaps", "model": model}
        facts |= {"low": 0.0, "high": 1.0, "interval": "x", "n": 5, "n_train": 3}
        facts["n_speakers"] = 2 if corpus == "tess" else 10
        rows.append(facts | {"metric": "uar", "value": test})
        rows.append(facts | {"metric": "uar_validation", "value": validation})
    return pd.DataFrame(rows)


def test_system_is_chosen_by_validation_speakers():
    best = headline.headline(score_rows()).set_index("corpus")
    assert best.loc["emodb", "value"] == 0.5
    assert best.loc["tess", "model"] == "logistic"
    assert best.loc["tess", "chosen_by"] == headline.OTHER_CORPORA
    finding = text.headline(best.reset_index()).finding
    assert "EMO-DB .500 [.000, 1.000]" in finding
    assert finding.index("TESS .400") < finding.rindex("TESS has no speaker")


def test_without_validation_speakers_no_system_is_chosen(small_study):
    rows = score_rows()
    lonely = rows[rows["corpus"] == "tess"]
    systems = headline.chosen_systems(small_study, lonely)
    assert systems.empty
    assert systems.columns.tolist() == [*headline.HEADLINE_COLUMNS, "nested"]
    assert headline.test_predictions(small_study, systems).empty
    assert headline.overall(lonely, systems).empty
    assert text.headline(systems).empty


def test_choice_in_each_fold_uses_only_its_validation_rows():
    rows = []
    for fold in (1, 2):
        for name, validation, test in (("a", 1.0, 0.0), ("b", 0.0, 1.0)):
            better = {1: validation, 2: test}[fold]
            row = {"fold": fold, "experiment": name, "truth": "x", "clip_id": "own/x", "variant": 0}
            rows.append(row | {"role": "validation", "prediction": "x" if better else "y"})
            rows.append(row | {"role": "test", "prediction": name})
    table = pd.DataFrame(rows)
    chosen = choice.nested_choice(dict(iter(table.groupby("experiment"))))
    assert chosen.loc[chosen["role"] == "test", "prediction"].tolist() == ["a", "b"]


def test_chosen_system_is_scored_on_every_clip_of_new_speakers(small_study, scores):
    systems = headline.chosen_systems(small_study, scores)
    assert systems["chosen_by"].tolist() == [headline.OWN_SPEAKERS]
    predictions = headline.test_predictions(small_study, systems)
    assert sorted(predictions["clip_id"]) == sorted(small_study.clips("synthetic")["clip_id"])
    assert set(predictions["role"]) == {"test"}
    assert metrics.uar_of(predictions) == pytest.approx(systems["value"].item())
    assert systems["nested"].item() == pytest.approx(systems["value"].item()), "one candidate besides chance"


def test_overall_holds_every_count_metric_of_the_chosen_systems():
    names = [*metrics.COUNT_METRICS, "auc", "log_loss"]
    rows = [
        {"corpus": "emodb", "protocol": protocol, "feature": "f", "model": model, "metric": name, "value": i + bonus}
        for i, name in enumerate(names)
        for protocol, model, bonus in (
            ("speaker_independent", "knn", 0.5), ("random", "knn", 0), ("speaker_independent", "lda", 0))
    ]  # fmt: skip
    best = pd.DataFrame({"corpus": ["emodb"], "feature": ["f"], "model": ["knn"]})
    table = headline.overall(pd.DataFrame(rows), best)
    assert table.columns.tolist() == ["corpus", "feature", "model", *metrics.COUNT_METRICS, "auc"]
    assert table.iloc[0, 3:].tolist() == [i + 0.5 for i in range(len(metrics.COUNT_METRICS) + 1)]
    probabilities = headline.probabilities(pd.DataFrame(rows), best)
    assert probabilities["log_loss"].tolist() == [names.index("log_loss") + 0.5]


def test_gaps_and_pairs_compare_the_two_splits(small_study, scores):
    gaps = tables.gaps(scores)
    assert gaps["model"].tolist() == ["logistic"]
    assert gaps["change"].item() == pytest.approx(gaps["speaker_independent"].item() - gaps["random"].item())
    pairs = tables.split_pairs(scores)
    assert pairs["protocol"].tolist() == ["random", "speaker_independent"]
    random = scores[scores["protocol"] == "random"]
    assert tables.split_pairs(random).empty
    assert tables.gaps(random)["change"].isna().all()
    levels = tables.levels(small_study)
    assert levels[["speakers", "emotions"]].to_numpy().tolist() == [[6, 6]]
    assert levels["chance"].item() == pytest.approx(1 / 6)
    assert levels["listener"].isna().all()


def test_introduction_counts_the_experiments(small_study, scores):
    sentence = text.introduction(scores, small_study.config)
    assert sentence.startswith("4 experiments on synthetic corpus.")
    assert "95 % intervals" in sentence


def test_published_scores_say_what_was_declared(small_study, published):
    full = benchmark.ladder(small_study.config, small_study.possible)
    store = small_study.store
    sizes = folds.smallest_training(full, small_study.selections, config=small_study.config, store=store)
    table = pd.read_csv(store.run / "tables" / "scores.csv", dtype={"size": str, "source": str})
    assert table.columns.tolist() == publish.SCORE_COLUMNS
    assert not table.duplicated(["experiment", "metric"]).any()
    first = table.groupby("experiment", sort=False)[["fixed", "size", "source"]].first()
    assert not first.loc["synthetic/random/means184/logistic", "fixed"]
    assert first.loc["synthetic/random/means184/lda/fixed", "fixed"]
    n = sizes["synthetic"]
    assert first.loc[f"synthetic/random/means184/lda/fixed/n{n}", "size"] == str(n)
    assert first.loc["synthetic/random/means184/lda/fixed", "size"] != str(n)
    assert first["source"].isna().all()
    assert len(publish.main_scores(published)) == 3 * len(first)


def test_published_columns_come_from_fields_and_not_from_names():
    transfer = Experiment("emodb", "cross_corpus", "f", "m", scheme="6_common", sources=("tess", "savee"), fixed=True)
    table = publish._declarations([transfer, dataclasses.replace(transfer, sources=(), size=40)])
    assert table["source"].tolist()[0] == "tess+savee"
    assert table["size"].tolist()[1] == "40"
    assert pd.isna(table["source"].tolist()[1])
    assert pd.isna(table["size"].tolist()[0])
    assert table["fixed"].tolist() == [True, True]


def test_model_times_are_computed_once(small_study, monkeypatch):
    config = dataclasses.replace(
        small_study.config,
        models=dataclasses.replace(small_study.config.models, forest_trees=10, boosting_rounds=5, mlp_iterations=20),
    )
    monkeypatch.setattr(times.registry, "CLASSICAL", {name: times.registry.get(name) for name in ("dummy", "lda")})
    study, compare = Study(config, small_study.store, small_study.selections), times.comparison.compare_models
    monkeypatch.setattr(times.comparison, "compare_models", lambda *a, **k: compare(*a, names=("dummy", "lda"), **k))
    first = times.model_times(study)
    assert first["model"].tolist() == ["lda", "dummy"]
    assert set(first["corpus"]) == {"synthetic"}
    assert first["n_folds"].tolist() == [5, 5]
    monkeypatch.setattr(times.comparison, "compare_models", lambda *a, **k: pytest.fail("computed again"))
    assert_frame_equal(first, times.model_times(study))
    off = settings.load("demo", {"benchmark.times": False})
    assert times.model_times(Study(off, small_study.store, small_study.selections)).empty
    assert times.model_times(Study(config, small_study.store, {})).empty


def test_times_name_the_best_and_the_fastest_near_it():
    table = pd.DataFrame(
        {"corpus": "emodb", "model": ["linear_svm", "lda", "knn"], "uar": [0.80, 0.79, 0.60], "fit_s": [2.0, 0.1, 0.01]}
    )
    sentence = text.times(table).finding
    assert sentence.index(".800") < sentence.index(".790")
    assert ".600" not in sentence
    assert ".790" not in text.times_sentence(table.assign(fit_s=np.arange(3)))
    assert text.times(table.iloc[:0]).empty
