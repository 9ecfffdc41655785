"""The most confident mistakes of the systems, and how their predictions go with what people recognise."""

from __future__ import annotations

import pandas as pd
import pytest

from ser_study import config as settings
from ser_study import schema
from ser_study.chapters.classical import class_text, mistakes
from ser_study.experiments.selections import Selection
from ser_study.study import Study

LISTENERS = [0.0, 0.1, 0.5, 0.9, 1.0, None]  # share who recognised the intended emotion, clip by clip


@pytest.fixture
def study(store) -> Study:
    selections = {}
    for name in ("emodb", "tess"):
        clips = pd.DataFrame({"clip_id": [f"{name}/{i}" for i in range(6)], "path": [f"{i}.wav" for i in range(6)]})
        clips = clips.assign(corpus=name, speaker=f"{name}/a", intensity="strong")
        clips["human_recognition"] = LISTENERS if name == "emodb" else None
        clips = clips.reindex(columns=list(schema.CLIP_COLUMNS))
        selections[name] = Selection(name, clips, clips.iloc[:0])
    return Study(settings.load("demo"), store, selections)


@pytest.fixture
def predictions() -> pd.DataFrame:
    parts = []
    for name, right in (("emodb", [0, 0, 1, 1, 1, 0]), ("tess", [0, 1, 1, 1, 1, 1])):
        probability = [0.9, 0.7, 0.6, 0.8, 0.99, 0.95]  # of the predicted class
        predicted = ["sad" if hit else "angry" for hit in right]
        part = pd.DataFrame({"clip_id": [f"{name}/{i}" for i in range(6)], "truth": "sad", "prediction": predicted})
        part["p_sad"] = [p if hit else 1 - p for p, hit in zip(probability, right)]
        parts.append(part.assign(corpus=name, p_angry=1 - part["p_sad"]))
    return pd.concat(parts, ignore_index=True)


def test_confident_mistakes_come_first_and_right_predictions_never(predictions, study):
    table = mistakes.most_confident(predictions, study, number=2)
    assert table.columns.tolist() == mistakes.MISTAKE_COLUMNS
    assert table["clip"].tolist() == ["5", "0", "0"]
    assert table["corpus"].tolist() == ["emodb", "emodb", "tess"]
    assert table["probability"].tolist() == pytest.approx([0.95, 0.9, 0.9])
    assert (table["prediction"] != table["truth"]).all()
    sentence = class_text.mistakes(table).finding
    assert "5 (EMO-DB), sad, is taken for angry with probability .950." in sentence
    assert "Of 1 such clips with listeners, 1" in sentence


def test_without_a_mistake_the_page_says_so(predictions, study):
    right = predictions[predictions["prediction"] == predictions["truth"]]
    for rows in (right, predictions.iloc[:0], pd.DataFrame(columns=["clip_id", "truth", "prediction", "corpus"])):
        table = mistakes.most_confident(rows, study)
        assert table.empty
        caption = class_text.mistakes(table)
        assert caption.empty
        assert not caption.finding
        assert mistakes.recordings(table, study) == []


def test_predictions_by_what_people_recognise(predictions, study):
    table = mistakes.by_listeners(predictions, study)
    assert table["corpus"].unique().tolist() == ["emodb"], "nobody judged the clips of TESS"
    assert table["n"].sum() == 5, "and one clip of EMO-DB"
    assert table["recognised_by"].tolist() == ["0 to 20 %", "40 to 60 %", "80 to 100 %"]
    assert table["accuracy"].tolist() == [0.0, 1.0, 1.0]
    sentence = class_text.by_listeners(table).finding
    assert (
        sentence.index(".000") < sentence.index("0 to 20 %") < sentence.index("1.000") < sentence.index("80 to 100 %")
    )
    assert sentence.index("100 % of the mistakes") < sentence.index("40 % of the clips")
    assert not class_text.listener_sentence(table.iloc[:0])
    assert "80 to 100 %" in class_text.listener_sentence(table.iloc[2:])


def test_recordings_are_named_where_the_audio_is_here(predictions, study, monkeypatch, tmp_path):
    (tmp_path / "0.wav").write_bytes(b"")
    monkeypatch.setattr(mistakes.corpora, "root_of", lambda corpus, store: tmp_path)
    sounds = mistakes.recordings(mistakes.most_confident(predictions, study), study)
    assert [(path.name, corpus) for path, corpus, _ in sounds] == [("0.wav", "emodb"), ("0.wav", "tess")]
    assert sounds[0][2] == "sad, taken for angry (.900)"
