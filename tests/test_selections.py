"""Selections: which clips a study holds, and what is said where there are none."""

from __future__ import annotations

import dataclasses

import pandas as pd
import pytest

from ser_study import config as settings
from ser_study.experiments import selections
from ser_study.store import Store


def loaded(study, monkeypatch, **tables) -> dict:
    """Selections of a study whose corpora hold these clips."""
    names = list(tables)
    monkeypatch.setattr(selections.corpora, "chosen", lambda *_: names)
    monkeypatch.setattr(selections.corpora, "load", lambda name, **_: tables[name].assign(silent=False))
    return selections.load_selections(study.config, study.store)


def of_corpus(clips: pd.DataFrame, name: str) -> pd.DataFrame:
    """The same clips, sound by sound, as those of another corpus."""
    renamed = {
        column: clips[column].str.replace("synthetic/", f"{name}/") for column in ("clip_id", "speaker", "statement")
    }
    return clips.assign(corpus=name, take=None, **renamed)


def test_clips_without_a_class_are_dropped(small_study, monkeypatch):
    clips = of_corpus(small_study.clips("synthetic"), "iemocap").assign(script="script01")
    clips.loc[:9, "emotion"], clips.loc[10:14, "emotion"] = None, "other"
    part = loaded(small_study, monkeypatch, iemocap=clips)["iemocap"]
    assert part.dropped["reason"].value_counts().to_dict() == {"unlabelled": 15}
    assert len(part.clips) == len(clips) - 15
    assert selections.chance_levels({"iemocap": part}) == {"iemocap": 1 / 6}  # "other" is no class


def test_a_copy_in_another_corpus_is_dropped_and_both_are_named(small_study, monkeypatch):
    clips = small_study.clips("synthetic")
    theirs, mine = of_corpus(clips, "emodb"), of_corpus(clips.iloc[:8], "own")
    mine.loc[0, "emotion"] = "bored"
    parts = loaded(small_study, monkeypatch, own=mine, emodb=theirs)
    assert parts["own"].clips.empty
    assert parts["own"].dropped["reason"].tolist() == ["conflict", *["duplicate"] * 7]
    assert f"the same sound and label as {theirs['clip_id'][1]}" in parts["own"].dropped["detail"][1]
    assert parts["emodb"].dropped["clip_id"].tolist() == [theirs["clip_id"][0]]  # two labels: both go
    usable, reasons = selections.usable(parts, small_study.config)
    assert list(usable) == ["emodb"]
    assert reasons["own"].startswith("No clip of own may be studied (7 duplicate and 1 conflict)")


def test_unnamed_clips_go_where_most_are_named_and_stay_where_few_are(small_study, monkeypatch):
    clips = of_corpus(small_study.clips("synthetic"), "own")
    some = clips.assign(speaker=clips["speaker"].where(clips.index >= 20))
    part = loaded(small_study, monkeypatch, own=some)["own"]
    assert (len(part.clips), part.dropped["reason"].unique().tolist()) == (len(clips) - 20, ["no speaker"])
    few = clips.assign(speaker=clips["speaker"].where(clips.index < 20))
    part = loaded(small_study, monkeypatch, own=few)["own"]
    assert (len(part.clips), len(part.dropped)) == (len(clips), 0)


def test_one_emotion_is_refused_with_who_says_what(small_study, monkeypatch):
    clips = of_corpus(small_study.clips("synthetic"), "own").assign(emotion="sad")
    parts = loaded(small_study, monkeypatch, own=clips)
    with pytest.raises(
        ValueError, match=r"nothing to tell apart. own holds one emotion \(own/01: \d+ sad; .*second emotion"
    ):
        selections.usable(parts, small_study.config)


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


def test_digest_is_computed_once_a_selection(small_study, monkeypatch):
    part = dataclasses.replace(small_study.selections["synthetic"])
    made = []
    real = settings.fingerprint
    monkeypatch.setattr(settings, "fingerprint", lambda content: made.append(1) or real(content))
    assert part.digest == part.digest == small_study.selections["synthetic"].digest
    assert len(made) <= 2, "once for each of the two selections at most"


def test_chance_is_one_over_the_number_of_classes(small_study):
    assert selections.chance_levels(small_study.selections) == {"synthetic": 1 / 6}
