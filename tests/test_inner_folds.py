"""Inner folds by the rule of the outer protocol, and the choice that is made with them."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from ser_study import splits, training
from ser_study.config import Models
from ser_study.schema import CLIP_COLUMNS, FeatureSet


def table(n_speakers=8, n_sentences=4, n_emotions=3, corpus="own"):
    """Every speaker says every sentence in every emotion, twice."""
    rows = [
        {
            "clip_id": f"{corpus}/{s}-{t}-{e}-{r}",
            "corpus": corpus,
            "emotion": ("angry", "happy", "sad")[e],
            "speaker": f"{corpus}/{s}",
            "statement": f"{corpus}/s{t}",
            "take": f"{corpus}/{s}-{t}-{e}",
            "gender": ("female", "male")[s % 2],
            "sha256": f"{corpus}{s}{t}{e}{r}",
        }
        for s in range(n_speakers)
        for t in range(n_sentences)
        for e in range(n_emotions)
        for r in range(2)
    ]
    return pd.DataFrame(rows).reindex(columns=list(CLIP_COLUMNS))


def masks(clips, protocol, n=4):
    return splits.inner_masks(clips, clips["emotion"].to_numpy(), protocol, n=n, rng=np.random.default_rng(0))


@pytest.mark.parametrize(
    ("protocol", "apart"),
    [
        ("random", ["sha256"]),
        ("take_disjoint", ["take"]),
        ("sentence_independent", ["take", "statement"]),
        ("speaker_independent", ["take", "speaker"]),
        ("leave_one_speaker_out", ["speaker"]),
        ("speaker_and_sentence", ["speaker", "statement"]),
    ],
)
def test_inner_folds_separate_what_the_protocol_separates(protocol, apart):
    clips = table()
    done = masks(clips, protocol)
    assert len(done) == 4
    for train, validation in done:
        assert train.any()
        assert validation.any()
        assert not (train & validation).any()
        for column in apart:
            assert not set(clips.loc[train, column]) & set(clips.loc[validation, column]), column
    validated = np.sum([validation for _, validation in done], axis=0)
    assert validated.max() == 1
    assert (validated == 1).all() or protocol == "speaker_and_sentence"  # of the crossed one, only the diagonal


def test_speakers_are_dealt_alike_in_gender():
    clips = table()
    for _, validation in masks(clips, "speaker_independent"):
        assert clips.loc[validation].groupby("gender")["speaker"].nunique().to_dict() == {"female": 1, "male": 1}


def test_another_corpus_is_chosen_by_corpora_and_of_one_source_by_speakers():
    both = pd.concat([table(corpus="own"), table(corpus="jl")], ignore_index=True)
    for train, validation in masks(both, "cross_corpus"):
        assert not set(both.loc[train, "corpus"]) & set(both.loc[validation, "corpus"])
    one = table()
    for train, validation in masks(one, "cross_corpus"):
        assert not set(one.loc[train, "speaker"]) & set(one.loc[validation, "speaker"])


@pytest.mark.parametrize(
    ("clips", "protocol", "column"),
    [
        (table(n_speakers=1), "speaker_independent", "statement"),  # TESS: one actress is left to train on
        (table(n_sentences=1), "sentence_independent", "take"),  # RAVDESS: one statement
    ],
)
def test_where_the_unit_has_one_value_the_next_finer_one_is_dealt(clips, protocol, column):
    for train, validation in masks(clips, protocol):
        assert not set(clips.loc[train, column]) & set(clips.loc[validation, column])


def test_an_inner_fold_that_teaches_one_emotion_is_left_out():
    clips = table(n_speakers=2, n_emotions=2)
    lone = clips[(clips["emotion"] == "angry") | (clips["speaker"] == "own/0")].reset_index(drop=True)
    done = masks(lone, "speaker_independent")
    assert len(done) == 1
    train, _ = done[0]
    assert lone.loc[train, "emotion"].nunique() == 2


def features_of(clips, seed=0, signal=1.5):
    random = np.random.default_rng(seed)
    values = random.standard_normal((len(clips), 6)).astype(np.float32)
    values[np.arange(len(clips)), clips["emotion"].map({"angry": 0, "happy": 1, "sad": 2})] += signal
    return FeatureSet("made", clips["clip_id"].to_numpy(object), np.zeros(len(clips), int), values, tuple("abcdef"))


def folds_of(clips):
    place = clips["speaker"].str[-1].astype(int) // 2
    role = np.where(place == 0, "test", np.where(place == 1, "validation", "train"))
    return pd.DataFrame({"repeat": 0, "fold": 1, "clip_id": clips["clip_id"], "variant": 0, "role": role})


def run(clips, feature, folds, name="logistic", models=None, params=None):
    truth = clips.set_index("clip_id")["emotion"]

    def inner(ids):
        return masks(clips.set_index("clip_id", drop=False).loc[ids].reset_index(drop=True), "speaker_independent")

    task = training.Task(name, params)
    return training.run_folds(feature, truth, folds, task, models=models or Models(), seed=1, inner=inner)


@pytest.mark.parametrize("name", ["logistic", "linear_svm", "lda"])
def test_all_training_speakers_are_validated_in_turn_and_the_refit_has_them_all(name):
    clips = table()
    feature, folds = features_of(clips), folds_of(clips)
    done = run(clips, feature, folds, name)
    validation, test = (done[done["role"] == role] for role in ("validation", "test"))
    rest = folds.loc[folds["role"] != "test", "clip_id"]
    assert sorted(validation["clip_id"]) == sorted(rest)
    assert set(test["n_train"]) == {len(rest)}
    assert validation["n_train"].max() < len(rest)
    assert done["params"].nunique() == 1
    accuracy = (done["prediction"] == done["truth"]).groupby(done["role"]).mean()
    assert (accuracy > 0.6).all()


def test_the_choice_is_the_best_mean_recall_over_all_inner_validation_rows():
    clips = table()
    feature, folds = features_of(clips, signal=0.5), folds_of(clips)
    chosen = json.loads(run(clips, feature, folds)["params"].iloc[0])["C"]
    scores = {}
    for c in Models().logistic_c:
        rows = run(clips, feature, folds, params={"C": c}).query("role == 'validation'")
        right = rows["prediction"] == rows["truth"]
        scores[c] = right.groupby(rows["truth"]).mean().mean()
    assert chosen == max(scores, key=scores.get)


def test_test_rows_influence_neither_choice_nor_validation():
    clips = table()
    folds, feature = folds_of(clips), features_of(clips)
    spoiled = feature.values.copy()
    spoiled[(folds["role"] == "test").to_numpy()] = 1e6
    other = FeatureSet("made", feature.clip_id, feature.variant, spoiled, feature.columns)
    for name in ("logistic", "linear_svm", "lda"):
        one, two = (run(clips, some, folds, name).query("role == 'validation'") for some in (feature, other))
        pd.testing.assert_frame_equal(one, two)
