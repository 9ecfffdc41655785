"""Training, inner and test accuracy of the rebuilt models: what is fitted on what, and what is said of it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from test_rebuilt import made, names  # noqa: F401  (a fixture)
from test_seeds import row  # noqa: F401  (a fixture)

from ser_study import config as settings
from ser_study import features, schema, training
from ser_study.experiments import jobs, ledger, seed_gaps, seed_results, seeds

CONFIG = settings.load("full", {"run.jobs": 1})


def values_of(clips: pd.DataFrame, *, poisoned: frozenset = frozenset(), variant: int = 0) -> schema.FeatureSet:
    """Six numbers a clip that tell its class dimly; of the poisoned clips no number at all."""
    place = pd.factorize(clips["emotion"], sort=True)[0]
    noise = np.random.default_rng(5).normal(size=(len(clips), 6))
    values = (noise + 0.8 * np.eye(8)[place][:, :6]).astype(np.float32)
    values[clips["clip_id"].isin(poisoned).to_numpy()] = np.nan
    ids = clips["clip_id"].to_numpy(dtype=object)
    return schema.FeatureSet("seed51", ids, np.full(len(ids), variant), values, tuple("abcdef"))


@pytest.fixture
def heard(monkeypatch, names):  # noqa: F811
    """Made-up features in which every test clip of the list is poisoned; the folds that models were fitted on."""
    folds, _ = made("seed_list", "000", names)
    test = frozenset(folds.loc[folds["role"] == "test", "clip_id"])
    seen = []

    def load(name, clips, *, config, store, variant=0):
        return values_of(clips, poisoned=test, variant=variant)

    def run_folds(values, truth, folds, *args, **options):
        seen.append(folds)
        return plain(values, truth, folds, *args, **options)

    plain = training.run_folds
    monkeypatch.setattr(features, "load", load)
    monkeypatch.setattr(training, "run_folds", run_folds)
    return test, seen


def job_of(model: str, row, store, **changes) -> jobs.Job:  # noqa: F811
    experiment = dataclasses.replace(seed_gaps.classical(seeds.SYSTEMS["E000"], CONFIG)[0], model=model, **changes)
    return jobs.make(experiment, {"seed-000": row.material}, None, CONFIG, store)


def test_no_test_clip_is_fitted_or_scored(heard, row, store):  # noqa: F811
    """The table from end to end: every test clip is poisoned, so a look at one would raise or be seen."""
    test, seen = heard
    before = ledger.read(store)
    table = seed_gaps.table([row], config=CONFIG, store=store)
    assert table.columns.tolist() == seed_gaps.COLUMNS
    assert table["model"].tolist() == ["lightgbm_000", "logistic_000"]
    assert table["n_train"].tolist() == [3392, 3392]
    pd.testing.assert_frame_equal(before, ledger.read(store))
    assert len(seen) == 4
    assert not any(folds["clip_id"].isin(test).any() for folds in seen)
    for folds in seen[2:]:  # cross-validation: no clip is learned and asked in one fold
        for _, part in folds.groupby("fold"):
            asked = part.loc[part["role"] == "test", "clip_id"]
            assert not set(asked) & (set(part.loc[part["role"] == "train", "clip_id"]) | test)
    assert (table["train"] > table["inside"]).all()
    assert table["test"].tolist() == pytest.approx(
        [seed_results.by_draw(row.rebuilt[name], "accuracy").mean() for name in table["model"]]
    )
    assert table["new_speakers"].notna().tolist() == [True, False]
    again = seed_gaps.table([row], config=CONFIG, store=store)
    assert len(seen) == 4  # all of it was kept
    pd.testing.assert_frame_equal(table, again)


def test_a_memorising_model_knows_its_rows_by_heart(heard, row, store):  # noqa: F811
    near = job_of("knn_002", row, store)
    known = seed_gaps.fitted_rows(near, config=CONFIG, store=store).iloc[0]
    assert known["accuracy"] == 1.0  # weighted by distance, every row is its own nearest neighbour
    listed = jobs.predict(job_of("knn_002", row, store, protocol="seed_inner"), config=CONFIG, store=store)
    assert 0.2 < (listed["truth"] == listed["prediction"]).mean() < 0.9


def test_augmented_copies_are_among_the_rows(heard, row, store):  # noqa: F811
    near = job_of("knn_002", row, store, variants=(1, 3))
    assert seed_gaps.fitted_rows(near, config=CONFIG, store=store)["n_train"].item() == 3 * 3392
    taught = heard[1][0].query("role == 'train'")
    assert taught["variant"].value_counts().to_dict() == {0: 3392, 1: 3392, 3: 3392}


def test_refit_is_the_model_that_answered_the_list(heard, row, monkeypatch, store):  # noqa: F811
    """Same rows, hyperparameters and seed as the first training seed of the list's experiment."""
    listed = seeds.rebuilds(seeds.SYSTEMS["E000"], CONFIG)["lightgbm_000"]
    calls = []
    monkeypatch.setattr(training, "run_folds", lambda *args, **options: calls.append((args, options)) or {}["stop"])
    refit = job_of("lightgbm_000", row, store)
    whole = jobs.make(listed, {"seed-000": row.material}, None, CONFIG, store)
    for work in (
        lambda: seed_gaps.fitted_rows(refit, config=CONFIG, store=store),
        lambda: jobs.predict(whole, config=CONFIG, store=store),
    ):
        with pytest.raises(KeyError, match="stop"):
            work()
    (mine, mine_options), (theirs, their_options) = calls
    trained = [folds[folds["role"] == "train"].reset_index(drop=True) for folds in (mine[2], theirs[2])]
    pd.testing.assert_frame_equal(*trained)
    assert mine[3].model == theirs[3].model
    assert mine[3].params == theirs[3].params
    assert mine_options["seed"] == their_options["seed"]


def test_only_the_full_presets_ask_for_it(row, store):  # noqa: F811
    for preset, asked in (("demo", False), ("quick", False), ("full", True), ("complete", True)):
        assert ("gaps" in settings.load(preset).study.further) == asked
    quick = settings.load("quick")
    assert seed_gaps.table([row], config=quick, store=store).empty
    assert seed_gaps.table([], config=CONFIG, store=store).columns.tolist() == seed_gaps.COLUMNS


def test_what_takes_minutes_is_left_out():
    chosen = {e.model for system in seeds.SYSTEMS.values() for e in seed_gaps.classical(system, CONFIG)}
    rebuilt = {r.model for system in seeds.SYSTEMS.values() for r in system.rebuilt}
    assert set(seed_gaps.LEFT_OUT) <= rebuilt
    assert rebuilt - chosen == set(seed_gaps.LEFT_OUT) | {
        *("conv1d_001", "conv8_002", "vgg16_head_002", "bigru_003", "cnn_bilstm_004_seed")
    }
    assert all(e.fixed and e.draws == 1 for s in seeds.SYSTEMS.values() for e in seed_gaps.classical(s, CONFIG))


def test_sentences_tell_the_steps():
    table = pd.DataFrame(
        {
            "model": ["knn_002", "logistic_002"],
            "train": [1.0, 0.80],
            "inside": [0.50, 0.70],
            "test": [0.52, 0.71],
            "new_speakers": [np.nan, 0.41],
        }
    )
    words = seed_gaps.words(table)
    assert words.startswith("1 of 2 models have at least .990 of their own training rows right.")
    assert "lose 30.0 points on average, most of all nearest neighbours (seed 002) (1.000 to .500)" in words
    assert "On the published list they are 1.5 points above the score inside" in words
    assert words.endswith("new speakers cost the list's figure 30.0 points (models run there: 1).")
    assert "new speakers" not in seed_gaps.words(table.assign(new_speakers=np.nan))
    assert "in 3 folds" in seed_gaps.caption(CONFIG)
    assert seed_gaps.caption(CONFIG).endswith("MLP (seed 001) and random forest, Gini (seed 001).")
