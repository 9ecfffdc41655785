"""Chapter 04b: what a run holds, the sentences computed from its tables, and its figures."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from ser_study import config as settings
from ser_study import features
from ser_study.chapters.ablations import descriptions, figures, nested_searches, searches, selection, sentences, text
from ser_study.experiments.selections import Selection
from ser_study.schema import CLIP_COLUMNS
from ser_study.study import Study

SWITCHES = [item.name for item in dataclasses.fields(settings.Ablations)]


@pytest.mark.parametrize(("short", "long", "count"), [(True, False, 5), (False, True, 8), (True, True, 13), (0, 0, 0)])
def test_every_published_search_belongs_to_one_group(short, long, count):
    config = settings.load("full", {"ablations.searches": bool(short), "ablations.long_searches": bool(long)})
    chosen = searches.chosen(config)
    assert len(set(chosen)) == len(chosen) == count
    assert set(chosen) <= set(searches.names())
    assert set(searches.SHORT) < set(searches.names())
    assert set(nested_searches.SEARCHES) < set(searches.names())


def test_switched_off_nothing_is_computed(store):
    study = Study(settings.load("full", {f"ablations.{name}": False for name in SWITCHES}), store, {})
    for module in (descriptions, selection, searches, nested_searches):
        assert module.table(study).empty


def test_without_clips_nothing_is_computed(store):
    study = Study(settings.load("full"), store, {})
    assert descriptions.table(study).empty
    assert selection.table(study).empty


@pytest.mark.parametrize("name", SWITCHES)
def test_absent_studies_name_their_switch_and_a_preset_that_has_it(name, store):
    off = Study(settings.load("quick", {f"ablations.{name}": False}), store, {})
    said = text.absent(off, name)
    assert f"ablations.{name}" in said
    assert "`complete`" in said
    assert text.NEEDS[name] in text.absent(Study(settings.load("complete"), store, {}), name)


def test_introduction_counts_the_switches(store):
    assert "1 of 9 ablations: selection of features." in text.introduction(Study(settings.load("quick"), store, {}))


def test_first_compared_selections_have_four_speakers(store):
    def part(name: str, n_speakers: int) -> Selection:
        clips = pd.DataFrame({"speaker": [f"{name}/{k}" for k in range(n_speakers)]}).reindex(columns=CLIP_COLUMNS)
        return Selection(name, clips, clips.iloc[:0])

    parts = {"tess": part("tess", 2), "savee": part("savee", 4), "emodb": part("emodb", 10)}
    from ser_study.chapters.ablations.validation import compared

    def chosen(*names: str, protocol: str = "speaker_independent") -> list[str]:
        study = Study(settings.load("full"), store, {name: parts[name] for name in names})
        study.possible = dict.fromkeys(names, [protocol])
        return compared(study)

    assert chosen("tess", "savee", "emodb") == ["emodb"]
    assert chosen("tess", "savee") == ["savee"]
    assert chosen("tess") == []
    assert chosen("emodb", protocol="random") == []  # its clips allow no speaker folds


def test_sentence_on_searches_counts_what_was_pruned():
    two = pd.DataFrame({"search": ["002-knn", "002-tree"], "trials": [10, 8], "pruned": [3, 2]})
    said = sentences.searches(two)
    assert said.startswith("18 trials in all, 5 of them pruned")
    assert sum(f"{sentences.search_title(name)}" in said for name in searches.names()) == 11
    whole = pd.DataFrame({"search": searches.names(), "trials": 1, "pruned": 0})
    assert "Not replayed" not in sentences.searches(whole)


def test_sentence_on_selection_compares_with_random():
    table = pd.DataFrame(
        {
            "ranking": ["gain", "permutation", "lda", "anova"],
            "dropped": [100, 100, 0, 150],
            "uar": [0.50, 0.52, 0.55, 0.40],
            "gain": [0.02, -0.01, 0.0, 0.097],
            "folds_ahead": [4, 1, 0, 5],
            "folds": [6, 6, 6, 6],
        }
    )
    said = sentences.selection(table)
    assert ".550" in said
    assert ".520" in said
    assert "in most folds: gain (4 of 6). The largest gain" in said
    assert "100 least important ones, 54 % of them" in said
    assert "E004's 100 were 23 % of 435" in said
    assert said.endswith("+9.7 points: F test of each feature, 150 features dropped, ahead in 5 of 6 folds.")


def test_a_ranking_drops_from_as_many_features_as_the_sentence_says():
    names = features.get(selection.FEATURE).columns(settings.load("full").librosa_frames)
    assert len(names) == selection.N_FEATURES


def test_sentence_on_descriptions_names_the_best_and_the_control():
    scores = {"campplus": 0.9, "compare": 0.8, "means184": 0.6, "campplus_random": 0.55}
    table = pd.DataFrame({"corpus": "emodb", "feature": list(scores), "uar_validation": list(scores.values())})
    table["title"] = [f"title of {name}" for name in scores]
    said = sentences.descriptions(table)
    assert "title of campplus (.900)" in said
    assert "(.800)" in said
    assert ".900 with its weights and .550 with random ones" in said
    assert ".600" not in said


@pytest.fixture
def nested() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "search": ["002-knn", "002-tree"],
            "inner_score": [0.40, 0.42],
            "value": [0.30, 0.32],
            "low": [0.25, np.nan],
            "high": [0.35, np.nan],
            "authors": [0.31, 0.30],
            "difference": [-0.01, 0.02],
        }
    )


def test_sentence_on_nested_searches_compares_with_the_authors(nested):
    said = sentences.nested(nested)
    assert ".300 (−1.0 points" in said
    assert "(+2.0 points" in said
    assert "differs from that on new speakers by +10.0 points." in said
    errors = nested.assign(inner_score=[0.283, 0.332])
    assert "by −1.7 to +1.2 points." in sentences.nested(errors)


def test_figures_have_a_mark_for_every_row(nested):
    models = {"model": ["lda", "knn"], "published": [0.4, 0.3], "accuracy": [0.45, 0.2], "new_speakers": [0.3, 0.1]}
    for figure in (figures.automl(pd.DataFrame(models)), figures.nested(nested)):
        assert len(figure.axes[0].get_yticks()) == 2
    changes = pd.DataFrame(
        {
            "corpus": ["emodb"] * 3 + ["savee"] * 2,
            "treatment": ["reference", "peak", "z-score", "reference", "peak"],
            "difference": [np.nan, 0.1, -0.2, np.nan, 0.0],
            "low": [np.nan, 0.0, -0.3, np.nan, -0.1],
            "high": [np.nan, 0.2, -0.1, np.nan, 0.1],
            "p_holm": [np.nan, 0.01, 0.2, np.nan, 1.0],
        }
    )
    shown = figures.signal(changes)
    assert [len(ax.get_yticks()) for ax in shown.axes] == [2, 1]
    assert "1 gain and 0 lose" in text.signal_title(changes)


def test_figure_of_selection_has_a_line_a_ranking_and_the_control():
    table = pd.DataFrame([(name, n, 0.5, 0.1, "emodb") for name in ("lda", "anova") for n in (0, 100)])
    table.columns = ["ranking", "dropped", "uar", "gain", "corpus"]
    lines = [line for line in figures.selection(table).axes[0].get_lines() if len(line.get_xdata())]
    assert sorted(tuple(line.get_ydata()) for line in lines) == [(0.4, 0.4), (0.5, 0.5), (0.5, 0.5)]


@pytest.mark.parametrize("draw", [figures.descriptions, figures.automl, figures.signal, figures.augmentation])
def test_no_row_no_figure(draw):
    columns = ["corpus", "treatment", "augmentation", "model", "feature", "difference", "p_holm"]
    assert draw(pd.DataFrame(columns=columns)) is None


def test_captions_of_empty_tables_say_why(store):
    study = Study(settings.load("demo"), store, {})
    tables = {
        text.descriptions: descriptions.table(study),
        text.selection: selection.table(study),
        text.searches: searches.table(study),
        text.nested: nested_searches.table(study),
    }
    assert all(caption(study, table).empty.startswith("Not in this run") for caption, table in tables.items())
    assert all(caption(study, table).finding == "" for caption, table in tables.items())
