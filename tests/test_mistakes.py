"""Mistakes the systems are surest of, and how their answers go with what people hear."""

from __future__ import annotations

import pandas as pd
import pytest

from ser_study import schema
from ser_study.experiments import mistakes
from ser_study.experiments.material import Material

LISTENERS = [0.0, 0.1, 0.5, 0.9, 1.0, None]  # share who heard the intended emotion, clip by clip


@pytest.fixture
def gathered() -> dict[str, Material]:
    found = {}
    for name in ("emodb", "tess"):
        clips = pd.DataFrame({"clip_id": [f"{name}/{i}" for i in range(6)], "path": [f"{i}.wav" for i in range(6)]})
        clips = clips.assign(corpus=name, speaker=f"{name}/a", intensity="strong")
        clips["human_recognition"] = LISTENERS if name == "emodb" else None
        clips = clips.reindex(columns=list(schema.CLIP_COLUMNS))
        found[name] = Material(name, clips, clips.iloc[:0])
    return found


@pytest.fixture
def told() -> pd.DataFrame:
    parts = []
    for name, right in (("emodb", [0, 0, 1, 1, 1, 0]), ("tess", [0, 1, 1, 1, 1, 1])):
        stated = [0.9, 0.7, 0.6, 0.8, 0.99, 0.95]  # of the answer given
        said = ["sad" if hit else "angry" for hit in right]
        part = pd.DataFrame({"clip_id": [f"{name}/{i}" for i in range(6)], "truth": "sad", "prediction": said})
        part["p_sad"] = [p if hit else 1 - p for p, hit in zip(stated, right)]
        parts.append(part.assign(corpus=name, p_angry=1 - part["p_sad"]))
    return pd.concat(parts, ignore_index=True)


def test_surest_mistakes_come_first_and_right_answers_never(told, gathered):
    shown = mistakes.surest(told, gathered, number=2)
    assert shown["clip"].tolist() == ["5", "0", "0"]
    assert shown["corpus"].tolist() == ["emodb", "emodb", "tess"]
    assert shown["probability"].tolist() == pytest.approx([0.95, 0.9, 0.9])
    assert (shown["prediction"] != shown["truth"]).all()
    words = mistakes.surest_words(shown)
    assert words.startswith("The surest mistake: 5 (EMO-DB), sad, is taken for angry with probability .950.")
    assert "Of 1 such clips with listeners, 1" in words


def test_no_mistake_is_said_so(told, gathered):
    right = told[told["prediction"] == told["truth"]]
    assert mistakes.surest_words(mistakes.surest(right, gathered)) == "No clip is taken for another emotion."


def test_answers_by_what_people_recognise(told, gathered):
    table = mistakes.by_listeners(told, gathered)
    assert table["corpus"].unique().tolist() == ["emodb"], "nobody judged the clips of TESS"
    assert table["n"].sum() == 5, "and one clip of EMO-DB"
    assert table["recognised_by"].tolist() == ["0 to 20 %", "40 to 60 %", "80 to 100 %"]
    assert table["accuracy"].tolist() == [0.0, 1.0, 1.0]
    words = mistakes.listener_words(table)
    assert "right on .000 of the clips recognised by 0 to 20 % of the listeners, on 1.000" in words
    assert "100 % of its mistakes, and 40 % of all clips" in words
    assert "Nobody judged" in mistakes.listener_words(table.iloc[:0])
    assert "all its clips were recognised by 80 to 100 %" in mistakes.listener_words(table.iloc[2:])


def test_recordings_are_named_where_the_audio_is_here(told, gathered, store, monkeypatch, tmp_path):
    (tmp_path / "0.wav").write_bytes(b"")
    monkeypatch.setattr(mistakes.corpora, "root_of", lambda corpus, store: tmp_path)
    found = mistakes.recordings(mistakes.surest(told, gathered), gathered, store)
    assert [(path.name, corpus) for path, corpus, _ in found] == [("0.wav", "emodb"), ("0.wav", "tess")]
    assert found[0][2] == "sad, taken for angry (.900)"
