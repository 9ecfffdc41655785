"""Folds of the speakers of several corpora at once."""

from __future__ import annotations

import pandas as pd
import pytest
from joint_clips import clips_of

from ser_study import schema, splits
from ser_study.config import Config, load
from ser_study.splits.makers import RAVDESS_FOLDS

CONFIG = Config()
SPEAKERS = {"crema_d": 91, "emodb": 10, "jl": 4, "ravdess": 24, "tess": 2}


CLIPS = clips_of(SPEAKERS)


@pytest.fixture(scope="module")
def speakers():
    """Speakers in each role of each fold, ``speakers[fold, role, corpus]``; empty where there are none."""
    folds = splits.joint_folds(CLIPS, config=CONFIG).merge(CLIPS[["clip_id", "corpus", "speaker"]], on="clip_id")
    named = folds.groupby(["fold", "role", "corpus"])["speaker"].agg(set).to_dict()
    return {
        key: named.get(key, set()) for key in [(f, r, c) for f in range(1, 7) for r in schema.ROLES for c in SPEAKERS]
    }


def test_every_speaker_is_tested_once(speakers):
    for corpus, n in SPEAKERS.items():
        tested = [name for fold in range(1, 7) for name in speakers[fold, "test", corpus]]
        assert len(tested) == len(set(tested)) == n


def test_no_speaker_of_any_corpus_has_two_roles(speakers):
    for fold in range(1, 7):
        by_role = [set().union(*(speakers[fold, role, corpus] for corpus in SPEAKERS)) for role in schema.ROLES]
        assert sum(map(len, by_role)) == len(set().union(*by_role)) == sum(SPEAKERS.values())


def test_ravdess_has_its_published_folds_and_song_goes_with_speech(speakers):
    for fold, actors in enumerate(RAVDESS_FOLDS, start=1):
        assert speakers[fold, "test", "ravdess"] == {f"ravdess/{actor}" for actor in actors}
    folds = splits.joint_folds(CLIPS, config=CONFIG)
    role = folds.set_index(["fold", "clip_id"])["role"]
    for speech in CLIPS.loc[(CLIPS["corpus"] == "ravdess") & (CLIPS["channel"] == "speech"), "clip_id"]:
        assert all(role[fold, speech] == role[fold, speech.replace("speech", "song")] for fold in range(1, 7))


def test_speakers_are_dealt_evenly_and_alike_by_gender(speakers):
    sizes = {corpus: sorted(len(speakers[f, "test", corpus]) for f in range(1, 7)) for corpus in SPEAKERS}
    assert sizes["emodb"] == [1, 1, 2, 2, 2, 2]
    assert sizes["crema_d"] == [15, 15, 15, 15, 15, 16]
    assert sizes["tess"] == [0, 0, 0, 0, 1, 1]
    for fold in range(1, 7):
        men = sum(int(name[-2:]) % 2 for name in speakers[fold, "test", "crema_d"])
        assert 7 <= men <= 8


def test_validation_has_the_next_speakers_of_each_corpus_that_can_spare_them(speakers):
    for fold in range(1, 7):
        for corpus in ("crema_d", "emodb", "ravdess"):
            assert speakers[fold, "validation", corpus] == speakers[fold % 6 + 1, "test", corpus]
        assert not speakers[fold, "validation", "tess"]
    for fold in range(1, 5):  # of four speakers one is tested, the one after it is validated
        assert speakers[fold, "validation", "jl"] == speakers[fold % 4 + 1, "test", "jl"]
    assert all(len(speakers[fold, "train", corpus]) >= 1 for fold in range(1, 7) for corpus in SPEAKERS)


def test_folds_do_not_depend_on_the_order_of_the_clips_and_follow_the_seed():
    folds = splits.joint_folds(CLIPS, config=CONFIG)
    pd.testing.assert_frame_equal(folds, splits.joint_folds(CLIPS.iloc[::-1], config=CONFIG))
    assert not folds.equals(splits.joint_folds(CLIPS, config=load("full", {"seed": 7})))


def test_a_corpus_that_hides_a_speaker_is_only_trained_on():
    hidden = CLIPS.copy()
    hidden.loc[hidden["clip_id"] == "emodb/speech-03-sad", "speaker"] = None
    folds = splits.joint_folds(hidden, config=CONFIG)
    assert set(folds.loc[folds["clip_id"].str.startswith("emodb/"), "role"]) == {"train"}
    with pytest.raises(ValueError, match="No corpus of emodb names the speaker of each clip"):
        splits.joint_folds(hidden[hidden["corpus"] == "emodb"], config=CONFIG)


def test_a_copy_in_another_corpus_is_refused():
    copied = CLIPS.copy()
    copied.loc[copied["clip_id"] == "emodb/speech-01-happy", "sha256"] = "ravdess/song-02-sad"
    with pytest.raises(ValueError, match="has duplicate ravdess/song-02-sad in"):
        splits.joint_folds(copied, config=CONFIG)


def test_other_numbers_of_folds():
    folds = splits.joint_folds(CLIPS, config=CONFIG, n=4)
    assert folds["fold"].max() == 4
    tested = folds[folds["role"] == "test"]
    assert sorted(tested["clip_id"]) == sorted(CLIPS["clip_id"])
    for n in (0, 1):
        with pytest.raises(ValueError, match=f"two folds or more; found {n}"):
            splits.joint_folds(CLIPS, config=CONFIG, n=n)
