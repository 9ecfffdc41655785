"""The students' searches replayed, and searches inside every outer fold."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from search_worker import CONFIG

from ser_study import config as settings
from ser_study import features as registered
from ser_study import splits
from ser_study.chapters.ablations import nested_searches, searches
from ser_study.experiments.selections import Selection
from ser_study.schema import CLIP_COLUMNS, FeatureSet, check_predictions
from ser_study.study import Study
from ser_study.tuning import get


def ravdess():
    """The names of all 2,452 RAVDESS recordings, speech and song, with what the names say."""
    emotions = ["neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised"]
    rows = []
    for song in (0, 1):
        for actor in range(1, 25):
            for code, emotion in enumerate(emotions[: 6 if song else 8], start=1):
                for strong, statement, repetition in np.ndindex(1 if code == 1 else 2, 2, 2):
                    if song and actor == 18:
                        continue
                    parts = (3, 1 + song, code, 1 + strong, 1 + statement, 1 + repetition, actor)
                    name = "ravdess/" + "-".join(f"{part:02d}" for part in parts)
                    gender = "male" if actor % 2 else "female"
                    take = f"{actor}/{emotion}/{strong}/{statement}/{song}"
                    rows.append((name, emotion, f"ravdess/{actor:02d}", f"ravdess/{statement}", gender, take, song))
    table = pd.DataFrame({column: pd.Series([None] * len(rows), dtype=object) for column in CLIP_COLUMNS})
    names = ["clip_id", "emotion", "speaker", "statement", "gender", "take", "channel"]
    table[names] = pd.DataFrame(rows)
    table["channel"] = table["channel"].map({0: "speech", 1: "song"})
    return table.assign(corpus="ravdess", sha256=table["clip_id"])


def replace_clips(monkeypatch, part: Selection | None) -> None:
    """Let both modules load these clips, whatever project is wanted."""
    for module in (searches, nested_searches):
        monkeypatch.setattr(module, "load_baseline_selection", lambda name, config, store: part)


@pytest.fixture
def generated(monkeypatch):
    """Generated clips and features in place of audio, and the list of clips whose features were loaded."""
    clips, loaded = ravdess(), []
    random = np.random.default_rng(0)
    known = clips["emotion"] + clips["gender"]
    codes = np.unique(known, return_inverse=True)[1]
    values = random.standard_normal((len(clips), 16)) + 1.5 * np.eye(16)[codes]
    values = pd.DataFrame(values.astype(np.float32), index=clips["clip_id"])

    def load(name, part, *, config, store, variant=0):
        loaded.append(set(part["clip_id"]))
        ids = part["clip_id"].to_numpy(object)
        return FeatureSet(name, ids, np.full(len(ids), variant), values.loc[ids].to_numpy(), ())

    replace_clips(monkeypatch, Selection("baseline-002a", clips, clips.iloc[:0]))
    monkeypatch.setattr(registered, "load", load)
    return clips, loaded


def test_a_replay_sees_the_training_part_alone_and_is_cached(store, generated):
    clips, loaded = generated
    study = Study(settings.load("full", {"tuning.trials": 9, "tuning.startup": 2}), store)
    table = searches.replays(study, ["002-knn"])
    listed = set(splits.listed("002", folder=store.project / "data" / "folds")["clip_id"])
    assert len(listed) == 491
    assert loaded
    assert all(ids == set(clips["clip_id"]) - listed for ids in loaded), "no test clip's features were read"
    row = table.iloc[0]
    assert (row["n_clips"], row["published_score"], row["trials"]) == (1961, 0.5238, 9)
    assert row["pruned"] > 0
    assert row["complete"] + row["pruned"] == 9
    del loaded[:]
    again = searches.replays(study, ["002-knn"])
    assert not loaded
    pd.testing.assert_frame_equal(table, again)


def test_a_search_whose_trials_take_minutes_has_fewer():
    config = settings.load("full", {"tuning.trials": 12})
    assert [searches.budget(get(name), config) for name in ("002-knn", "001-mlp")] == [12, 6]
    assert searches.budget(get("001-mlp"), settings.load("full", {"tuning.trials": 4})) == 4
    assert searches.budget(get("001-mlp"), config, trials=9) == 9


def test_every_search_has_a_place(monkeypatch):
    assert [len(searches.names(system)) for system in ("000", "001", "002", "004")] == [1, 3, 7, 2]
    with pytest.raises(ValueError, match="Unknown search space '002-svm'.*Known: 000-lightgbm"):
        get("002-svm")
    replace_clips(monkeypatch, None)
    assert searches.replays(Study(CONFIG, None), ["002-knn"]).empty
    assert nested_searches.against_authors(Study(CONFIG, None), ["002-knn"]).empty


def test_a_nested_search_chooses_by_training_speakers_and_predicts_each_clip_once(store, generated, monkeypatch):
    clips, _ = generated
    speech = clips[clips["channel"] == "speech"].reset_index(drop=True)
    study = Study(settings.load("full", {"tuning.trials": 3, "tuning.inner_folds": 2}), store)
    search = nested_searches.NestedSearch(study, get("002-knn"), Selection("ravdess-speech", speech, speech.iloc[:0]))
    inner_folds, tune = [], nested_searches.tuning.tune

    def spy(space, features, truth, folds, **options):
        inner_folds.append(folds)
        return tune(space, features, truth, folds, **options)

    monkeypatch.setattr(nested_searches.tuning, "tune", spy)
    choices = search.choices()
    assert len(choices) == len(inner_folds) == 6
    assert (choices["inner"] == "speaker").all()
    assert ((choices["complete"] + choices["pruned"]) == 3).all()
    predictions = search.predictions()
    check_predictions(predictions)
    assert sorted(predictions["clip_id"]) == sorted(speech["clip_id"])
    assert (predictions["truth"] == predictions["prediction"]).mean() > 0.25, "chance is 0.07"
    speaker = speech.set_index("clip_id")["speaker"]
    for inner, (_, rows) in zip(inner_folds, predictions.groupby("fold")):
        tested = set(rows["clip_id"].map(speaker))
        assert not tested & set(inner["clip_id"].map(speaker)), "no test speaker is in the search"
        for _, fold in inner.groupby("fold"):
            speakers = fold.groupby("role")["clip_id"].agg(lambda ids: set(ids.map(speaker)))
            assert not speakers["train"] & speakers["validation"]


def test_nested_searches_stand_beside_the_authors_choice_and_are_logged(store, generated, monkeypatch):
    clips, _ = generated
    part = Selection("baseline-002a", clips.assign(silent=False), clips.iloc[:0])
    replace_clips(monkeypatch, part)
    changes = {"tuning.trials": 3, "tuning.inner_folds": 2, "evaluation.n_bootstrap": 200}
    study = Study(settings.load("full", changes), store)
    logged, predicted = [], []

    def predict(experiments, selections, **options):
        predicted.extend(experiments)
        right = nested_searches.NestedSearch(study, get("002-knn"), part, "baseline_speakers").predictions()
        return dict.fromkeys(experiments, right.assign(prediction=right["truth"]))

    monkeypatch.setattr(nested_searches.runner, "predict", predict)
    monkeypatch.setattr(nested_searches.ledger, "log_test_evaluations", lambda *entry: logged.append(entry))
    row = nested_searches.against_authors(study, ["002-knn"]).iloc[0]
    assert [(one.model, one.protocol, one.fixed) for one in predicted] == [("knn_002", "baseline_speakers", True)]
    assert (row["inner"], row["folds"], row["n"]) == ("speaker", 6, 2452)
    assert row["complete"] + row["pruned"] == 18
    assert row["authors"] == 1
    assert row["low"] < row["value"] < row["high"] < 1
    assert row["difference"] == pytest.approx(row["value"] - 1)
    ((declarations, uar, _),) = logged
    assert list(declarations) == ["baseline-002a/baseline_speakers/means180/tuned-002-knn/16"]
    assert uar["value"].iloc[0] == pytest.approx(row["value"])


def test_with_two_speakers_the_inner_folds_are_by_sentence(store, generated):
    clips, _ = generated
    few = clips[clips["speaker"].isin(["ravdess/01", "ravdess/02"])].reset_index(drop=True)
    study = Study(settings.load("full", {"tuning.trials": 2}), store)
    search = nested_searches.NestedSearch(study, get("002-knn"), Selection("own", few, few.iloc[:0]), scheme="8")
    assert search.experiment.name == "own/speaker_independent/means180/tuned-002-knn/8"
    assert set(search.choices()["inner"]) == {"sentence"}
