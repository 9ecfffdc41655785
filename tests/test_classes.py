"""The chosen systems class by class and speaker by speaker, and the sentences computed from these tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from test_tables import made_clips, made_predictions

from ser_study import config as settings
from ser_study.chapters.classical import class_text, classes
from ser_study.experiments.selections import Selection
from ser_study.study import Study


@pytest.fixture
def study(store) -> Study:
    """Two corpora of the same clips."""
    clips = made_clips()
    other = clips.assign(clip_id=clips["clip_id"].str.replace("made", "more"), corpus="more")
    config = settings.load("full", {"evaluation.n_bootstrap": 100})
    selections = {"made": Selection("made", clips, clips[:0]), "more": Selection("more", other, clips[:0])}
    return Study(config, store, selections)


@pytest.fixture
def predictions(study) -> pd.DataFrame:
    """Test predictions of one system on each corpus."""
    tables = [
        made_predictions(study.clips("made"), "one"),
        made_predictions(study.clips("more"), "two", seed=1).assign(corpus="more"),
    ]
    return pd.concat(tables, ignore_index=True)


def test_every_class_of_every_corpus_has_a_line_and_a_curve(predictions, study):
    table = classes.by_class(predictions, study)
    assert table.columns.tolist() == classes.CLASS_COLUMNS
    assert table.groupby("corpus", sort=False)["n"].agg(["size", "sum"]).to_numpy().tolist() == [[4, 384], [4, 384]]
    points = classes.roc_points(predictions, study)
    areas = points.groupby(["corpus", "class"])["auc"].first()
    assert areas.to_dict() == pytest.approx(table.set_index(["corpus", "class"])["auc"].to_dict())


def test_confusions_count_every_clip_of_every_corpus(predictions, study):
    panels = classes.confusions(predictions, study)
    assert [(name, counts.shape, counts.sum()) for name, counts, _ in panels] == [
        ("made", (4, 4), 384),
        ("more", (4, 4), 384),
    ]
    recall = classes.by_class(predictions, study).groupby("corpus", sort=False)["recall"].mean().tolist()
    assert [np.mean(np.diag(counts) / counts.sum(axis=1)) for _, counts, _ in panels] == pytest.approx(recall)


def test_speakers_have_their_gender(predictions, study):
    speakers = classes.by_speaker(predictions, study)
    assert speakers.columns.tolist() == classes.SPEAKER_COLUMNS
    assert speakers.groupby("corpus").size().to_dict() == {"made": 24, "more": 24}
    low, high = speakers.loc[speakers["corpus"] == "made", "uar"].agg(["min", "max"])
    assert f"{low:.3f} to {high:.3f}".replace("0.", ".") in class_text.speaker_title(
        speakers[speakers["corpus"] == "made"]
    )


def test_without_a_system_there_is_nothing_to_show(study):
    none = pd.DataFrame(columns=["clip_id", "truth", "prediction", "corpus"])
    assert classes.confusions(none, study) == []
    assert classes.by_class(none, study).empty
    assert classes.roc_points(none, study).empty
    assert classes.by_speaker(none, study).empty
    for make in (class_text.by_class, class_text.roc, class_text.speaker_scores):
        assert make(none.assign(truth=none["truth"])).empty


def test_sentences_name_the_classes():
    table = pd.DataFrame(
        {
            "corpus": "emodb",
            "class": ["angry", "happy", "sad"],
            "precision": [0.5, 0.9, 0.8],
            "recall": [0.9, 0.3, 0.85],
            "f1": [0.643, 0.45, 0.824],
        }
    )
    sentence = class_text.class_sentences(table)
    for part in ("EMO-DB", "sad (.824)", "happy (.450)", "angry (recall .900, precision .500)"):
        assert part in sentence


def test_roc_title_takes_the_median_over_corpora_of_common_classes():
    areas = {("a", "sad"): 0.9, ("b", "sad"): 0.8, ("c", "sad"): 0.1, ("a", "calm"): 0.99}
    areas |= {(corpus, "angry"): 0.7 for corpus in "abc"}
    points = pd.DataFrame([{"corpus": c, "class": k, "auc": v} for (c, k), v in areas.items()])
    title = class_text.roc_title(points)
    assert title.index("sad") < title.index(".800") < title.index("angry") < title.index(".700")  # not moved by c
    alone = class_text.roc_title(points[points["corpus"] == "a"])
    assert alone.startswith("On a, calm is")
    assert alone.index("angry") < alone.index(".700")
    assert "new speakers" in class_text.roc_title(points[points["class"] == "calm"])
    nearly = points[points["corpus"] == "a"].replace({"auc": {0.9: 0.98997, 0.7: 0.99}})
    assert class_text.roc_title(nearly) == "On a, all classes are as easy to separate from the others (AUC .990)"
    two = pd.concat([nearly, nearly.head(1).assign(**{"class": "bored", "auc": 0.8})])
    assert class_text.roc_title(two) == (
        "On a, sad, calm and angry are the classes easiest to separate from the others (AUC .990), bored the hardest "
        "(.800)"
    )


def test_confusion_title_names_the_largest_confusion():
    panels = [
        ("emodb", np.array([[8, 2], [5, 5]]), ["angry", "sad"]),
        ("tess", np.array([[9, 1], [3, 7]]), ["sad", "calm"]),
    ]
    title = class_text.confusion_title(panels)
    assert "sad taken for angry" in title
    assert "50 %" in title
    assert "EMO-DB" in title
    caption = class_text.confusions(panels)
    assert "40 clips" in caption.text
    assert caption.finding.count("\n- ") == 1
