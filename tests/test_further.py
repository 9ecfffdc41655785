"""The further tables of chapter 04: what a run holds, and the sentences computed from them."""

from __future__ import annotations

import pandas as pd
import pytest

from ser_study import config as settings
from ser_study.experiments import further, searches


@pytest.fixture
def replayed(monkeypatch):
    """Names of the searches that are asked for, in place of their answers."""
    names: list[str] = []

    def replays(chosen, *, config, store):
        names.extend(chosen)
        return pd.DataFrame({"search": list(chosen)})

    monkeypatch.setattr(searches, "replays", replays)
    return names


@pytest.mark.parametrize(
    ("asked", "count"), [(("searches",), 5), (("long_searches",), 8), (("searches", "long_searches"), 13), ((), 0)]
)
def test_every_published_search_belongs_to_one_group(asked, count, replayed, store):
    config = settings.load("full", {"study.further": asked})
    further.searched(config=config, store=store)
    assert len(replayed) == count
    assert set(replayed) <= set(searches.names())
    assert set(further.SEARCHED) < set(searches.names())


def test_nothing_asked_is_nothing_computed(store):
    config = settings.load("full", {"study.further": ()})
    for table in (further.times, further.signals, further.copies, further.channels, further.selection):
        assert table({}, config=config, store=store).empty


def test_words_name_the_best_and_the_quickest_near_it():
    table = pd.DataFrame(
        {"corpus": "emodb", "model": ["linear_svm", "lda", "knn"], "uar": [0.80, 0.79, 0.60], "fit_s": [2.0, 0.1, 0.01]}
    )
    words = further.times_words(table)
    assert words.index(".800") < words.index(".790")
    assert ".600" not in words


def test_words_count_what_was_pruned():
    two = pd.DataFrame({"search": ["002-knn", "002-tree"], "trials": [10, 8], "pruned": [3, 2]})
    words = further.searched_words(two)
    assert "004-lda and 004-network (those" in words
    assert "Not replayed" not in further.searched_words(
        pd.DataFrame({"search": searches.names(), "trials": 1, "pruned": 0})
    )
    assert words.startswith("18 trials in all, 5 of them pruned")


def test_selection_words_compare_with_random():
    table = pd.DataFrame(
        {
            "ranking": ["gain", "permutation", "random"],
            "dropped": [100, 100, 0],
            "uar": [0.50, 0.52, 0.55],
            "folds_ahead": [4, 1, 0],
            "folds": [6, 6, 6],
        }
    )
    words = further.selection_words(table)
    assert ".550" in words
    assert ".520" in words
    assert words.rstrip(".").endswith("gain")


def test_nested_words_tell_what_a_search_by_speakers_changes():
    table = pd.DataFrame(
        {
            "search": ["002-knn", "002-tree"],
            "inner_score": [0.40, 0.42],
            "value": [0.30, 0.32],
            "difference": [-0.01, 0.02],
        }
    )
    words = further.nested_words(table)
    assert ".300 (−1.0 points" in words
    assert "2.0 points against" in words
    assert words.endswith("10.0 points from the score on speakers it never saw.")
    assert {"000-lightgbm"} < set(further.NESTED) <= set(searches.names())
