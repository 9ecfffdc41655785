"""Training, inner and test accuracy of the rebuilt models: what is fitted on what, and what is said of it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from test_baselines import result, study_of  # noqa: F401  (a fixture)
from test_rebuilt import made, names  # noqa: F401  (a fixture)

from ser_study import config as settings
from ser_study import features, schema, splits, training
from ser_study.chapters.baselines import gaps, text
from ser_study.experiments import baselines, execute, ledger
from ser_study.experiments.baseline_results import by_draw
from ser_study.experiments.baselines import BASELINES

CONFIG = settings.load("full", {"run.jobs": 1})


def values_of(clips: pd.DataFrame, *, poisoned: frozenset = frozenset(), variant: int = 0) -> schema.FeatureSet:
    """Six numbers a clip that depend weakly on its class; of the poisoned clips no number at all."""
    place = pd.factorize(clips["emotion"], sort=True)[0]
    noise = np.random.default_rng(5).normal(size=(len(clips), 6))
    values = (noise + 0.8 * np.eye(8)[place][:, :6]).astype(np.float32)
    values[clips["clip_id"].isin(poisoned).to_numpy()] = np.nan
    ids = clips["clip_id"].to_numpy(dtype=object)
    return schema.FeatureSet("statistics51", ids, np.full(len(ids), variant), values, tuple("abcdef"))


@pytest.fixture
def fitted(monkeypatch, names):  # noqa: F811
    """Made-up features in which every test clip of the list is poisoned; the folds that models were fitted on."""
    folds, _ = made("baseline_list", "000", names)
    test = frozenset(folds.loc[folds["role"] == "test", "clip_id"])
    seen = []

    def load(name, clips, *, config, store, variant=0):
        return values_of(clips, poisoned=test, variant=variant)

    def run_folds(values, truth, folds, *args, **options):
        seen.append(folds)
        return plain(values, truth, folds, *args, **options)

    plain = training.run_folds
    monkeypatch.setattr(features, "load", load)
    monkeypatch.setattr(features, "extract_missing", lambda *_args, **_options: None)
    monkeypatch.setattr(training, "run_folds", run_folds)
    return test, seen


def job_of(model: str, result, store, **changes) -> execute.Job:  # noqa: F811
    experiment = dataclasses.replace(gaps.classical(BASELINES["E000"], CONFIG)[0], model=model, **changes)
    return execute.make(experiment, {"baseline-000": result.selection}, None, CONFIG, store)


def test_no_test_clip_is_fitted_or_scored(fitted, result, store):  # noqa: F811
    """The table from end to end: every test clip is poisoned, so a use of one would raise or be seen."""
    test, seen = fitted
    before = ledger.read(store)
    table = gaps.table({"E000": result}, study_of(result, config=CONFIG, store=store))
    assert table.columns.tolist() == gaps.COLUMNS
    assert table["model"].tolist() == ["lightgbm_000", "logistic_000"]
    assert table["n_train"].tolist() == [3392, 3392]
    pd.testing.assert_frame_equal(before, ledger.read(store))
    assert len(seen) == 4
    assert not any(folds["clip_id"].isin(test).any() for folds in seen)
    for folds in seen[2:]:  # cross-validation: no clip is fitted and scored in one fold
        for _, part in folds.groupby("fold"):
            scored = part.loc[part["role"] == "test", "clip_id"]
            assert not set(scored) & (set(part.loc[part["role"] == "train", "clip_id"]) | test)
    assert (table["train"] > table["inside"]).all()
    assert table["test"].tolist() == pytest.approx(
        [by_draw(result.rebuilt[name], "accuracy").mean() for name in table["model"]]
    )
    assert table["new_speakers"].notna().tolist() == [True, False]
    again = gaps.table({"E000": result}, study_of(result, config=CONFIG, store=store))
    assert len(seen) == 4  # all of it was cached
    pd.testing.assert_frame_equal(table, again)


def test_a_memorising_model_knows_its_rows_by_heart(fitted, result, store):  # noqa: F811
    near = job_of("knn_002", result, store)
    known = gaps.training_accuracy(near, config=CONFIG, store=store).iloc[0]
    assert known["accuracy"] == 1.0  # weighted by distance, every result is its own nearest neighbour
    listed = execute.predict(job_of("knn_002", result, store, protocol="baseline_inner"), config=CONFIG, store=store)
    assert 0.2 < (listed["truth"] == listed["prediction"]).mean() < 0.9


def test_augmented_copies_are_among_the_rows(fitted, result, store):  # noqa: F811
    near = job_of("knn_002", result, store, variants=(1, 3))
    assert gaps.training_accuracy(near, config=CONFIG, store=store)["n_train"].item() == 3 * 3392
    trained = fitted[1][0].query("role == 'train'")
    assert trained["variant"].value_counts().to_dict() == {0: 3392, 1: 3392, 3: 3392}


def test_refit_is_the_model_of_the_list(fitted, result, monkeypatch, store):  # noqa: F811
    """Same rows, hyperparameters and seed as the first training seed of the list's experiment."""
    listed = baselines.rebuilds(BASELINES["E000"], CONFIG)["lightgbm_000"]
    calls = []
    monkeypatch.setattr(training, "run_folds", lambda *args, **options: calls.append((args, options)) or {}["stop"])
    refit = job_of("lightgbm_000", result, store)
    whole = execute.make(listed, {"baseline-000": result.selection}, None, CONFIG, store)
    assert whole.cache_key["list"] == splits.list_hash("000", store.project / "data" / "folds") != ""
    for work in (
        lambda: gaps.training_accuracy(refit, config=CONFIG, store=store),
        lambda: execute.predict(whole, config=CONFIG, store=store),
    ):
        with pytest.raises(KeyError, match="stop"):
            work()
    (mine, mine_options), (theirs, their_options) = calls
    trained = [folds[folds["role"] == "train"].reset_index(drop=True) for folds in (mine[2], theirs[2])]
    pd.testing.assert_frame_equal(*trained)
    assert mine[3].model == theirs[3].model
    assert mine[3].params == theirs[3].params
    assert mine_options["seed"] == their_options["seed"]


def test_only_the_full_presets_compute_it(result, store):  # noqa: F811
    for preset, on in (("demo", False), ("quick", False), ("full", True), ("complete", True)):
        assert settings.load(preset).baselines.gaps == on
    quick = study_of(result, config=settings.load("quick"), store=store)
    table = gaps.table({"E000": result}, quick)
    assert table.empty
    assert "baselines.gaps" in text.gaps(table, quick).empty
    assert gaps.table({}, study_of(config=CONFIG, store=store)).columns.tolist() == gaps.COLUMNS


def test_what_takes_minutes_is_left_out():
    chosen = {e.model for baseline in BASELINES.values() for e in gaps.classical(baseline, CONFIG)}
    rebuilt = {r.model for baseline in BASELINES.values() for r in baseline.rebuilt}
    assert set(gaps.LEFT_OUT) <= rebuilt
    assert rebuilt - chosen == set(gaps.LEFT_OUT) | {
        *("conv1d_001", "conv8_002", "vgg16_head_002", "bigru_003", "cnn_bilstm_004")
    }
    assert all(e.fixed and e.draws == 1 for s in BASELINES.values() for e in gaps.classical(s, CONFIG))


def test_sentences_hold_the_steps():
    table = pd.DataFrame(
        {
            "model": ["knn_002", "logistic_002"],
            "train": [1.0, 0.80],
            "inside": [0.50, 0.70],
            "test": [0.52, 0.71],
            "new_speakers": [np.nan, 0.41],
        }
    )
    caption = text.gaps(table, study_of(config=CONFIG))
    assert caption.finding.startswith("1 of 2 models have at least 99 %")
    assert "lose 30.0 points on average, most of all nearest neighbours (E002) (1.000 to .500)" in caption.finding
    assert "1.5 points above the score inside" in caption.finding
    assert "−30.0 points" in caption.finding  # from the list to new speakers
    assert "new speakers" not in text.gaps_finding(table.assign(new_speakers=np.nan))
    assert "in 3 folds" in caption.text
    assert caption.text.endswith("MLP (E001) and random forest, Gini (E001).")
