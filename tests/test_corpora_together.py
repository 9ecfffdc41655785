"""Corpora beside one another, and people who say little, through all chapters."""

from __future__ import annotations

import chapter_cells
import pytest
from small_corpora import EMOTIONS, PLAN

PAIRS = {  # name → loader, speakers, what they say, options of the loader; for each corpus
    "iemocap beside savee": [("iemocap", 5), ("savee", 2)],
    "own, nobody named, beside jl": [("own", 0, PLAN, {"n_unnamed": 3}), ("jl", 3)],
    "tess beside one speaker": [("tess", 2), ("own", 1)],
    "crema_d beside emodb": [("crema_d", 2), ("emodb", 3)],
}


@pytest.fixture(autouse=True)
def light(monkeypatch):
    chapter_cells.make_light(monkeypatch)


@pytest.mark.parametrize("parts", PAIRS.values(), ids=PAIRS)
def test_all_chapters_end_well_beside_another_corpus(parts, tmp_path):
    tables = chapter_cells.check(parts, tmp_path)
    crossing = tables["scores"][tables["scores"]["protocol"] == "cross_corpus"]
    assert set(crossing["corpus"]) == {loader for loader, *_ in parts}


def test_a_corpus_of_one_emotion_is_left_out_and_the_other_studied(tmp_path):
    tables = chapter_cells.check([("ravdess", 3), ("own", 2, {"angry": 4})], tmp_path)
    assert tables["corpora"]["corpus"].tolist() == ["ravdess-speech"]
    reason = tables["left_out"].set_index("corpus")["reason"]["own"]
    assert "own holds one emotion (own/person 0: 4 angry; own/person 1: 4 angry)" in reason


def test_models_that_few_clips_cannot_feed_are_left_out(tmp_path):
    few = ("emodb", 5, {"angry": 3, "sad": 3, "happy": 1})
    chapter_cells.check([few], tmp_path, {"benchmark.times": True})


def test_an_emotion_a_speaker_allows_no_new_speakers(tmp_path):
    tables = chapter_cells.check([("own", 4, [{emotion: 6} for emotion in EMOTIONS])], tmp_path)
    reason = tables["left_out"].set_index("protocol")["reason"]["new speakers"]
    assert "Each emotion comes from one speaker (angry: own/person 0, happy: own/person 1" in reason


@pytest.mark.parametrize("n_clips", [1, 2])
def test_speakers_who_say_one_thing_are_studied(n_clips, tmp_path):
    tables = chapter_cells.check([("own", 12, [{emotion: n_clips} for emotion in EMOTIONS])], tmp_path)
    assert "2 training speakers" in set(tables["left_out"]["protocol"])
