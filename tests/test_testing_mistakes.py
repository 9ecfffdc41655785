"""Mistakes beside those of listeners, the surest of them, and the two claims of the student projects."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from figure_checks import check_overlap, check_size, check_units
from scipy import stats

from ser_study import config as settings
from ser_study import schema
from ser_study.chapters.testing import claims, mistakes, mistakes_figures, mistakes_text
from ser_study.experiments.selections import Selection
from ser_study.plotting.palette import svg_text
from ser_study.study import Study

CLASSES = ("angry", "happy", "sad")
TAKEN = {  # true class → what each of ten clips is taken for
    "angry": ["angry"] * 6 + ["happy"] * 3 + ["sad"] * 1,
    "happy": ["happy"] * 5 + ["angry"] * 4 + ["sad"] * 1,
    "sad": ["sad"] * 8 + ["angry"] * 2,
}
SPEAKERS = 5


def made(store, *, corpus: str = "crema_d", votes=None) -> tuple[Study, pd.DataFrame]:
    """A study of 30 clips and the predictions of one system; listeners answer as it does, or as ``votes`` say."""
    rows = [(truth, taken, i) for truth, row in TAKEN.items() for i, taken in enumerate(row)]
    clips = pd.DataFrame({"clip_id": [f"{corpus}/{place:02d}" for place in range(len(rows))]})
    clips = clips.assign(corpus=corpus, path="x.wav", emotion=[truth for truth, _, _ in rows])
    clips["speaker"] = [f"{corpus}/{place % SPEAKERS}" for place in range(len(rows))]
    clips["intensity"] = ["normal" if place % 2 else "strong" for place in range(len(rows))]
    counts = [votes(place) if votes else {taken: 4} for place, (_, taken, _) in enumerate(rows)]
    clips["human_votes"] = [json.dumps(count) for count in counts]
    clips["human_recognition"] = [
        count.get(truth, 0) / sum(count.values()) for count, (truth, _, _) in zip(counts, rows)
    ]
    clips = clips.reindex(columns=list(schema.CLIP_COLUMNS))
    table = clips[["clip_id"]].assign(corpus=corpus, system="classical", truth=clips["emotion"])
    table["prediction"] = [taken for _, taken, _ in rows]
    for place, name in enumerate(CLASSES):
        table[f"p_{name}"] = np.where(table["prediction"] == name, 0.6 + np.arange(len(rows)) / 100, 0.05 + place / 100)
    options = settings.load("demo", {"evaluation.n_bootstrap": 50})
    return Study(options, store, {corpus: Selection(corpus, clips, clips.iloc[:0])}), table


@pytest.fixture
def alike(store):
    return made(store)


def test_listeners_who_answer_as_the_system_correlate_fully(alike):
    study, table = alike
    agreement = mistakes.agreement(mistakes.judged(table, study), study).set_index("measure")
    assert agreement.index.tolist() == list(mistakes.MEASURES.values())
    assert agreement["value"].tolist() == pytest.approx([1, 1, 1, 1])
    assert (agreement["low"] <= 1).all()
    assert agreement["n_speakers"].tolist() == [SPEAKERS] * 4
    assert "class pairs confused 1.000" in mistakes_text.agreement(agreement.reset_index()).finding


def test_correlations_are_spearmans(store):
    """Against SciPy, on votes drawn at random; favourite answers and hard emotions taken off by hand."""
    random = np.random.default_rng(5)
    study, table = made(store, votes=lambda _: dict(zip(CLASSES, (random.integers(0, 9, 3) + 1).tolist())))
    judged = mistakes.judged(table, study)
    value = mistakes.agreement(judged, study).set_index("measure")["value"]
    (who, people, classes), (_, system, _) = mistakes.confusions(judged, study)
    assert who == mistakes.LISTENERS
    assert classes == list(CLASSES)
    assert system.tolist() == [[6, 3, 1], [4, 5, 1], [2, 0, 8]]
    votes = pd.DataFrame([json.loads(text) for text in judged["human_votes"]]).groupby(judged["truth"]).sum()
    assert people.tolist() == votes[list(CLASSES)].to_numpy().tolist()
    off = ~np.eye(3, dtype=bool)
    rates = [counts / counts.sum(axis=1, keepdims=True) * off for counts in (people, system)]
    assert value["class pairs confused"] == pytest.approx(stats.spearmanr(rates[0][off], rates[1][off]).statistic)
    beyond = [(rate - rate.sum(axis=0) / 2)[off].round(12) for rate in rates]
    assert value[mistakes.MEASURES["pairs_beyond"]] == pytest.approx(stats.spearmanr(*beyond).statistic)
    missed, wrong = 1 - judged["listeners"], judged["prediction"] != judged["truth"]
    assert value["clips missed"] == pytest.approx(stats.spearmanr(wrong, missed).statistic)
    ranks = pd.DataFrame({"wrong": wrong, "missed": missed}).rank()
    inside = ranks - ranks.groupby(judged["truth"]).transform("mean")
    assert value[mistakes.MEASURES["clips_within"]] == pytest.approx(inside.corr().iloc[0, 1])


def test_listeners_who_all_agree_give_no_correlation(store):
    study, table = made(store, votes=lambda _: {"sad": 1, "happy": 1})
    agreement = mistakes.agreement(mistakes.judged(table, study), study).set_index("measure")
    assert np.isnan(agreement.loc[mistakes.MEASURES["clips_within"], ["value", "low", "high"]].astype(float)).all()
    assert "–" not in mistakes_text.agreement_finding(agreement.reset_index())


def test_votes_that_made_the_labels_are_no_reference(store):
    study, table = made(store, corpus="iemocap")
    judged = mistakes.judged(table, study)
    assert judged.empty
    assert mistakes.agreement(judged, study).empty
    assert claims.listening(judged, study).empty
    assert mistakes.confusions(judged, study) == []
    assert mistakes_figures.confusions([]) is None
    assert "no confusion matrix of people" in mistakes_text.confusions([], judged).empty


def test_listeners_on_right_and_wrong_clips(store):
    """Every second clip is missed by all: of the 19 right ones (places 0–5, 10–14, 20–27) and the 11 wrong ones."""
    study, table = made(store, votes=lambda place: {"neutral": 1} if place % 2 else dict.fromkeys(CLASSES, 1))
    row = claims.listening(mistakes.judged(table, study), study).iloc[0]
    assert (row["n_right"], row["n_wrong"]) == (19, 11)
    odd = [place % 2 for place in range(30)]
    right = [i for i in range(30) if i in {*range(6), *range(10, 15), *range(20, 28)}]
    missed = [1 if odd[i] else 2 / 3 for i in range(30)]
    assert row["missed_right"] == pytest.approx(np.mean([missed[i] for i in right]))
    assert row["missed_wrong"] == pytest.approx(np.mean([missed[i] for i in range(30) if i not in right]))
    assert row["difference"] == pytest.approx(row["missed_wrong"] - row["missed_right"])
    assert row["low"] <= row["difference"] <= row["high"]
    finding = mistakes_text.listening(pd.DataFrame([row])).finding
    assert f"{100 * row['missed_wrong']:.0f} % of the clips" in finding


def test_intensities_are_compared_on_classes_that_have_both(alike):
    study, table = alike
    row = claims.by_intensity(table, study).iloc[0]
    strong = table.index % 2 == 0
    recalls = [
        (rows["prediction"] == rows["truth"]).groupby(rows["truth"]).mean().mean()
        for rows in (table[~strong], table[strong])
    ]
    assert [row["uar_normal"], row["uar_strong"]] == pytest.approx(recalls)
    assert row["difference"] == pytest.approx(recalls[1] - recalls[0])
    assert row["p"] >= 2.0 ** (1 - SPEAKERS)
    clips = study.clips()
    calm = clips.assign(intensity=clips["intensity"].mask(clips["emotion"] == "sad", "normal"))
    other = Study(study.config, study.store, {"crema_d": Selection("crema_d", calm, calm.iloc[:0])})
    assert claims.by_intensity(table, other).iloc[0]["n"] == 20, "sad has one intensity only"
    none = clips.assign(intensity=None)
    without = Study(study.config, study.store, {"crema_d": Selection("crema_d", none, none.iloc[:0])})
    assert claims.by_intensity(table, without).empty
    assert mistakes_text.intensity_figure(claims.by_intensity(table, without)).empty


def test_the_surest_mistakes_say_what_listeners_answered(store):
    study, table = made(store, votes=lambda _: {"angry": 1, "happy": 2, "sad": 2})
    some = mistakes.surest(table, study, number=2)
    assert some["probability"].is_monotonic_decreasing
    assert (some["prediction"] != some["truth"]).all()
    assert some["clip"].tolist() == ["29", "28"], "probability rises with the place of a clip"
    assert some["guesses"].iloc[0].startswith("angry .890, ")
    assert some["listeners"].tolist() == ["2 happy, 2 sad and 1 angry"] * 2
    assert some["shared"].tolist() == [False, False]
    assert "0 of 2 with listeners' votes" in mistakes_text.surest(some, table).finding
    assert mistakes.recordings(some, study) == [], "no file is there"


def test_without_predictions_every_table_says_why(store):
    clips = pd.DataFrame(columns=list(schema.CLIP_COLUMNS))
    study = Study(settings.load("demo"), store, {"tess": Selection("tess", clips, clips)})
    study.possible = {"tess": []}
    table = mistakes.predictions(study)
    assert table.empty
    assert mistakes.judged(table, study).empty
    some = mistakes.surest(table, study)
    assert mistakes_text.surest(some, table).empty == mistakes_text.NOT_TESTED
    assert mistakes.pictures(some, study) == []
    assert mistakes_text.surest_figure([], some, study).empty
    assert claims.by_intensity(table, study).empty


def test_figures_of_a_small_study(small_study):
    table = mistakes.predictions(small_study)
    assert set(table["role"]) == {"test"}
    assert sorted(table["clip_id"]) == sorted(small_study.clips()["clip_id"]), "every clip once"
    some = mistakes.surest(table, small_study)
    pictures = mistakes.pictures(some, small_study)
    assert 0 < len(pictures) <= mistakes.PICTURES
    assert len(mistakes.recordings(some, small_study)) == len(some)
    assert mistakes_text.surest_figure(pictures, some, small_study).alt
    compared = claims.by_intensity(table, small_study)
    for figure in (mistakes_figures.surest(pictures), mistakes_figures.intensity(compared)):
        check_size(figure, svg_text(figure))
        check_overlap(figure)
        check_units(figure)


def test_confusions_are_drawn_beside_each_other(alike):
    study, table = alike
    other = table.assign(system="small", prediction="sad")
    judged = mistakes.judged(pd.concat([table, other], ignore_index=True), study)
    panels = mistakes.confusions(judged, study)
    assert [name for name, _, _ in panels] == ["listeners", "hand-crafted features", "one encoder"]
    figure = mistakes_figures.confusions(panels)
    assert len([ax for ax in figure.axes if ax.get_visible()]) == 3
    caption = mistakes_text.confusions(panels, judged)
    assert "CREMA-D" in caption.text
    assert "Listeners: happy taken for angry in 40 %" in caption.alt


def listening_row(**changes) -> pd.DataFrame:
    row = {"corpus": "emodb", "system": "small", "n_right": 400, "n_wrong": 100, "missed_right": 0.1}
    row |= {"missed_wrong": 0.2, "difference": 0.1, "low": 0.05, "high": 0.15, "interval": "speaker bootstrap"}
    return pd.DataFrame([row | changes])


def test_harder_for_people_is_said_of_people_only():
    finding = mistakes_text.listening_finding(listening_row())
    assert "They do find them harder, and still name 80 % of the wrong ones. Its clips were kept because" in finding
    assert "recall 93.0 %, against 84.9 % on all recordings." in finding
    assert "Emotions are not held equal here" in finding
    for changes in ({"interval": "clips of one speaker"}, {"low": -0.01}):
        assert "harder is not certain" in mistakes_text.listening_finding(listening_row(**changes))
    easier = listening_row(corpus="crema_d", missed_wrong=0.05, difference=-0.05, low=-0.08, high=-0.02)
    assert "They find them easier" in mistakes_text.listening_finding(easier)
    assert "kept" not in mistakes_text.listening_finding(easier)
    assert mistakes_text.listening_finding(listening_row(missed_wrong=np.nan)) == ""


def test_the_surest_mistakes_say_how_many_recognised_the_others():
    votes = pd.Series([True, None, None, None], dtype=object)
    judged = [SimpleNamespace(human_votes=None, listeners=share) for share in (0.95, 0.8, np.nan)]
    answers = ["9 sad", *map(mistakes._in_words, judged)]
    table = pd.DataFrame({"probability": [0.9, 0.99, 0.98, 0.97], "shared": votes, "listeners": answers})
    finding = mistakes_text.surest_finding(table)
    assert "In 1 of 1 with listeners' votes" in finding
    assert "listeners of the 2 others that were judged, 80 % to 95 % named the acted emotion." in finding


def test_intensity_is_named_for_each_selection():
    table = pd.DataFrame({"corpus": ["ravdess-speech"] * 2 + ["crema_d"], "difference": [0.05, -0.01, 0.2]})
    assert mistakes_text.intensity_title(table) == (
        "Change of UAR from normal to strong intensity, in points: RAVDESS speech −1.0 to +5.0 and CREMA-D +20.0"
    )
    assert "without correction" in mistakes_text.intensity_table(table).text
