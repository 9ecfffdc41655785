"""Selections: which clips a study holds, and what is said where there are none."""

from __future__ import annotations

import dataclasses

import pytest

from ser_study import config as settings
from ser_study.experiments import selections
from ser_study.store import Store


def test_a_study_without_two_speakers_says_what_to_do(small_study, monkeypatch):
    clips = small_study.clips("synthetic").assign(take=None, silent=False)
    for speaker in (None, "synthetic/me"):
        monkeypatch.setattr(selections.corpora, "load", lambda *_, who=speaker, **__: clips.assign(speaker=who))
        with pytest.raises(ValueError, match=r"synthetic .*two speakers.*column 'speaker'.*data/README\.md"):
            selections.load_selections(small_study.config, small_study.store)


def test_an_absent_corpus_says_how_to_get_it(tmp_path):
    config = settings.load("quick", {"corpora": "savee"})
    with pytest.raises(ValueError, match="ser-study download savee"):
        selections.load_selections(config, Store(tmp_path / "raw", tmp_path, tmp_path, tmp_path))


def test_joined_clips_keep_the_name_of_the_target_and_hold_each_clip_once(small_study):
    part = small_study.selections["synthetic"]
    other = dataclasses.replace(part, name="other", clips=part.clips.iloc[:10])
    joined = selections.joined(dataclasses.replace(part, clips=part.clips.iloc[5:]), [other])
    assert joined.name == "synthetic"
    assert sorted(joined.clips["clip_id"]) == sorted(part.clips["clip_id"])


def test_digest_sees_what_folds_are_made_from_and_nothing_else(small_study):
    part = small_study.selections["synthetic"]
    same = dataclasses.replace(part, clips=part.clips.assign(duration=1.0))
    moved = dataclasses.replace(part, clips=part.clips.assign(speaker="synthetic/01"))
    assert part.digest == same.digest != moved.digest


def test_chance_is_one_over_the_number_of_classes(small_study):
    assert selections.chance_levels(small_study.selections) == {"synthetic": 1 / 6}
