"""Enrolling a few clips of a new speaker: what is scored, what it is compared with, and that it does what it says."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

from ser_study.experiments import enrolment, execute, ledger
from ser_study.experiments.experiment import Experiment
from ser_study.schema import FeatureSet

ONE = Experiment("synthetic", "speaker_independent", "summary", "lda")


@pytest.fixture(scope="module")
def table(small_study):
    return enrolment.curves([ONE], small_study.selections, config=small_study.config, store=small_study.store)


def test_enrolled_clips_are_not_scored_unless_all_are(table, small_study):
    clips = small_study.clips("synthetic")
    n, people = len(clips), clips["speaker"].nunique()
    whole = table[table["enrolled"] == enrolment.ALL]
    assert whole["n"].tolist() == [n]
    some = table[table["enrolled"] != enrolment.ALL]
    assert (some["n"] == n - people * some["enrolled"]).all()
    assert some[some["enrolled"] > 0].groupby(["mode", "enrolled"]).size().eq(enrolment.DRAWS).all()
    assert table["uar"].between(0, 1).all()
    assert (table["corpus"] == "synthetic").all()


def test_what_a_speaker_has_too_few_clips_for_is_left_out(table, small_study):
    clips = small_study.clips("synthetic")
    neutral = clips[clips["emotion"] == "neutral"].groupby("speaker").size().min()
    most = table.loc[table["mode"] == "neutral_clips", "enrolled"].max()
    assert most == max(count for count in enrolment.COUNTS if count <= neutral)
    assert table.loc[table["mode"] == "any_clips", "enrolled"].max() == max(enrolment.COUNTS)


def test_all_clips_enrolled_is_the_same_as_features_centred_by_speaker(small_study, monkeypatch):
    """With no drawing towards the common mean, the closed form equals fitting and scoring centred features."""
    study = small_study
    job = execute.make(ONE, study.selections, None, study.config, study.store)
    sets, truth = execute.features_and_classes(job, study.config, study.store)
    ids = truth.index.to_numpy()
    speakers = study.clips("synthetic").set_index("clip_id")["speaker"].loc[ids].to_numpy(str)
    values = sets.rows(ids).astype(float)
    centred = values - enrolment._speaker_means(values, speakers)
    folds = study.folds("synthetic", "speaker_independent")
    test = np.isin(ids, folds.loc[(folds["fold"] == 1) & (folds["role"] == "test"), "clip_id"])
    classes, pairs = truth.to_numpy(str), execute.inner_folds(job, truth, study.config)(ids[~test])
    fold = enrolment._fold(values, classes, speakers, ~test, test, pairs, study.config)
    shifted = dataclasses.replace(fold, strength=0.0)
    scored, guess = enrolment._answers([shifted], np.flatnonzero(test), speakers, np.unique(classes), keep=True)
    again = enrolment._fold(centred, classes, speakers, ~test, test, pairs, study.config)
    plain = again.projections + again.offset
    expected = dict(zip(np.flatnonzero(test), np.unique(classes)[plain.argmax(axis=1)]))
    assert [expected[place] for place in scored] == guess.tolist()


def test_speakers_whose_voices_differ_by_a_constant_are_mended_by_their_own_clips(small_study, monkeypatch):
    """Where a speaker adds a constant to every feature, one clip helps and all clips mend it wholly."""
    study, random = small_study, np.random.default_rng(0)
    clips = study.clips("synthetic")
    emotions = sorted(clips["emotion"].unique())
    centre = {name: random.normal(size=6) * 2 for name in emotions}
    voice = {name: random.normal(size=6) * 6 for name in clips["speaker"].unique()}
    values = np.stack([
        centre[row.emotion] + voice[row.speaker] + random.normal(size=6) * 0.5 for row in clips.itertuples()
    ])  # fmt: skip
    made = FeatureSet("made", clips["clip_id"].to_numpy(object), np.zeros(len(clips), int), values.astype(np.float32))
    truth = clips.set_index("clip_id")["emotion"]
    monkeypatch.setattr(execute, "features_and_classes", lambda *_: (made, truth))
    job = execute.make(ONE, study.selections, None, study.config, study.store)
    table = enrolment._computed(job, study.config, study.store)
    mean = table[table["mode"] == "any_clips"].groupby("enrolled")["uar"].mean()
    assert mean[0] + 0.1 < mean[5] < mean[20]
    assert mean[enrolment.ALL] > 0.95


def test_two_speakers_cannot_be_compared_in_training(small_study):
    part = small_study.selections["synthetic"]
    two = part.clips[part.clips["speaker"].isin(sorted(part.clips["speaker"].unique())[:2])]
    few = {"synthetic": dataclasses.replace(part, clips=two)}
    with pytest.raises(ValueError, match="2 speakers"):
        enrolment.curves([ONE], few, config=small_study.config, store=small_study.store)


def test_speakers_of_one_emotion_have_no_curve(small_study):
    part = small_study.selections["synthetic"]
    said = dict(zip(part.clips["speaker"].unique(), itertools.cycle(part.clips["emotion"].unique())))
    clips = part.clips[part.clips["emotion"] == part.clips["speaker"].map(said)]
    assert clips["speaker"].nunique() > 2
    assert not enrolment.able(dataclasses.replace(part, clips=clips))


def test_the_curve_is_logged_as_a_test_set_evaluation(small_study, monkeypatch):
    logged = []
    monkeypatch.setattr(ledger, "log_test_evaluations", lambda names, rows, store: logged.append((names, rows)))
    table = enrolment.curves([ONE], small_study.selections, config=small_study.config, store=small_study.store)
    ((names, rows),) = logged
    assert list(names) == list(rows["experiment"]) == [f"{ONE.name}/transductive"]
    assert rows["value"].iloc[0] == table.loc[table["enrolled"] == enrolment.ALL, "uar"].iloc[0]
