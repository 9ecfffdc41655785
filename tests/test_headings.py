"""Headings of tables: every name in a caption is that of a column, and a score says which one it is."""

from __future__ import annotations

from types import SimpleNamespace

import pandas as pd
import pytest

from ser_study.chapters.ablations import automl, channels, descriptions, selection, signals
from ser_study.chapters.ablations import text as ablations_text
from ser_study.chapters.baselines import comparisons, gaps, protocols, section_text
from ser_study.chapters.baselines import tables as baseline_tables
from ser_study.chapters.baselines import text as baselines_text
from ser_study.chapters.classical import class_text, classes, mistakes
from ser_study.chapters.classical import text as classical_text
from ser_study.chapters.classical.headline import HEADLINE_COLUMNS
from ser_study.chapters.ensembles import gender, votes
from ser_study.chapters.ensembles import text as ensembles_text
from ser_study.chapters.networks import costs
from ser_study.chapters.networks import tables as network_tables
from ser_study.chapters.networks import text as networks_text
from ser_study.config import load
from ser_study.experiments.baseline_results import MODEL_COLUMNS
from ser_study.report.exhibits import Exhibits
from ser_study.wording import HEADINGS, Caption, heading

STUDY = SimpleNamespace(config=load("full"), selections={})
RESULT = SimpleNamespace(id="E000")
COLLAPSED = list(comparisons.collapsed(SimpleNamespace(
    id="E000", baseline=SimpleNamespace(scheme="7"), ours={"list": None, "honest": None}, best_rebuilt=None
)).columns)  # fmt: skip
GENDER = ["corpus", "title", "value", "low", "high", "interval", "n", "n_speakers", *gender.DIFFERENCE]


def empty(columns) -> pd.DataFrame:
    return pd.DataFrame(columns=list(columns))


TABLES = {  # the table's columns and its caption
    "headline": ([*HEADLINE_COLUMNS, "nested"], classical_text.headline(empty(HEADLINE_COLUMNS))),
    "per_class": (classes.CLASS_COLUMNS, class_text.by_class(empty(classes.CLASS_COLUMNS))),
    "mistakes": (mistakes.MISTAKE_COLUMNS, class_text.mistakes(empty(mistakes.MISTAKE_COLUMNS))),
    "by_listeners": (mistakes.LISTENER_COLUMNS, class_text.by_listeners(empty(mistakes.LISTENER_COLUMNS))),
    "costs": (costs.COLUMNS, networks_text.costs(empty(costs.COLUMNS))),
    "finetuning": (network_tables.STAGES, networks_text.stages(empty(network_tables.STAGES), {})),
    "regularisation": (("changed", "gap", *network_tables.CHANGE), networks_text.regularisation(empty(()))),
    "votes": (votes.COLUMNS, ensembles_text.votes(empty(votes.COLUMNS))),
    "baseline_votes": (votes.BASELINE_COLUMNS, ensembles_text.baseline_votes(empty(votes.BASELINE_COLUMNS))),
    "gender_first": ([*GENDER, "gender_accuracy"], ensembles_text.emotions(empty(GENDER))),
    "baselines": (baseline_tables.SUMMARY, baselines_text.summary()),
    "verdicts": (baseline_tables.VERDICT, baselines_text.verdicts(empty(baseline_tables.VERDICT))),
    "candidates": (baseline_tables.CANDIDATES, baselines_text.candidates()),
    "models": (MODEL_COLUMNS, baselines_text.models(empty(MODEL_COLUMNS), STUDY)),
    "gaps": (gaps.COLUMNS, baselines_text.gaps(empty(gaps.COLUMNS), STUDY)),
    "pairs": ([*comparisons.PAIRED, "p_holm"], baselines_text.paired(empty(comparisons.PAIRED))),
    "shared": (comparisons.SHARED, baselines_text.shared(empty(comparisons.SHARED))),
    "protocols": (protocols.COLUMNS, baselines_text.protocol_table()),
    "new_speakers": (["system", *protocols.COLUMNS[3:]], section_text.new_speakers(RESULT)),
    "slices": (["id", "clips", "n", "ours"], section_text.slices(RESULT)),
    "parts": (["id", "corpus", "by", "part", "n", "value"], section_text.parts(RESULT, empty(()))),
    "collapsed": (COLLAPSED, section_text.collapsed(RESULT)),
    "descriptions": (descriptions.COLUMNS, ablations_text.descriptions_table()),
    "automl": (automl.COLUMNS, ablations_text.automl_table()),
    "signal": (signals.SIGNAL_COLUMNS, ablations_text.signal_table(STUDY)),
    "augmentation": (signals.AUGMENTATION_COLUMNS, ablations_text.augmentation_table()),
    "channels": (channels.COLUMNS, ablations_text.channels_table()),
    "selection": (selection.TABLE_COLUMNS, ablations_text.selection_table()),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_caption_names_columns_of_its_table_and_says_what_its_values_are(name):
    columns, caption = TABLES[name]
    assert {*caption.labels, *caption.decimals} <= set(columns)
    assert caption.labels.get("value", "UAR" if "value" not in columns else "") == "UAR"
    assert [column for column, words in caption.labels.items() if HEADINGS.get(column) == words] == []


def test_a_heading_for_no_column_is_refused(store, monkeypatch):
    monkeypatch.setenv("SER_STUDY_PAGES", "1")
    show = Exhibits(SimpleNamespace(store=store))
    table = pd.DataFrame({"uar": [0.5], "n": [10]})
    with pytest.raises(ValueError, match="names columns that are not in it: value, mean. It has uar, n;"):
        show.table(table, Caption("t", "T.", labels={"value": "UAR", "n": "test clips"}, decimals={"mean": 2}))
    show.table(pd.DataFrame(), Caption("t", "T.", labels={"value": "UAR"}, empty="Nothing here."))


def test_columns_that_all_tables_have_are_in_words():
    assert [heading(name) for name in ("n", "n_speakers", "low", "high", "uar", "p_holm")] == [
        *("clips", "speakers", "from", "to", "UAR", "p (Holm)")
    ]
