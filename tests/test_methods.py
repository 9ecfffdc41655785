"""The methods chapter: its tables say what the registries and settings hold, whatever these are."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from ser_study import config as settings
from ser_study.chapters.methods import tables, text
from ser_study.evaluation import significance
from ser_study.experiments import ledger
from ser_study.models import registry
from ser_study.splits import PROTOCOLS
from ser_study.study import Study

PROJECT = Path(__file__).resolve().parents[1]


def test_protocols_count_the_folds_that_the_study_uses(small_study):
    table = tables.protocols(small_study)
    assert list(table.columns) == ["protocol", "separates", "synthetic"]
    assert len(table) == len(small_study.possible["synthetic"])
    counted = table.set_index("protocol")["synthetic"]
    assert counted["new speakers"] == small_study.folds("synthetic", "speaker_independent")["fold"].nunique()
    units = table.set_index("protocol")["separates"]
    assert units["random split"] == "duplicate"
    assert units["new speakers"] == "duplicate, take and speaker"
    assert text.protocols(table).labels["synthetic"] == "synthetic corpus"
    order = [one.name for one in PROTOCOLS.values()]
    assert order.index("random") < order.index("speaker_independent") < order.index("speaker_and_sentence")


def test_searches_are_the_grids_of_the_settings():
    config = settings.load("quick", {"models.logistic_c": [0.5, 2.0], "benchmark.models": "dummy,logistic"})
    table = tables.searches(config)
    rows = table.set_index("model")
    assert json.loads(rows.loc["logistic regression", "params"]) == {"C": [0.5, 2.0]}
    assert rows.loc["logistic regression", "n_candidates"] == 2
    assert rows.loc["majority class", "n_candidates"] == len(registry.get("dummy").grid(config.models)) == 1
    assert f"which {config.tuning.inner_folds} inner folds" in text.searches(table, config).text
    assert text.searches(table, config).finding.startswith("2 of 3 models have something to choose")


def test_the_class_map_is_that_of_the_corpora_of_the_run(small_study):
    store = replace(small_study.store, project=PROJECT)
    assert tables.class_map(Study(small_study.config, store)).empty
    two = dict.fromkeys(("emodb", "tess"), small_study.selections["synthetic"])
    table = tables.class_map(Study(small_study.config, store, two))
    assert set(table["corpus"]) == {"emodb", "tess"}
    assert table.set_index("label").loc["Ärger", "emotion"] == "angry"
    assert set(text.class_map(table).labels) <= set(table.columns)


def test_every_selection_has_one_kind_of_interval(small_study):
    table = tables.uncertainty(small_study)
    assert table["selections"].tolist() == ["none", "synthetic corpus", "none"]  # it has six speakers
    assert table["speakers"].tolist() == ["20 or more", "4 to 19", "3 or fewer"]
    assert "200 resamples" in table.loc[0, "made"]
    assert text.uncertainty(table, small_study.config).finding == ""
    few = table.assign(selections=["none", "none", "TESS"])
    assert text.uncertainty(few, small_study.config).finding.startswith("On TESS nothing can be said")


def test_the_smallest_p_is_that_of_one_pattern_and_its_mirror(small_study):
    row = tables.smallest_p(small_study).iloc[0]
    assert (row["n_speakers"], row["patterns"]) == (6, 32)
    assert row["smallest"] == pytest.approx(1 / 32)
    assert row["smallest"] == significance.sign_flip([1.0] * 6).p
    few = pd.DataFrame({"selection": ["TESS"], "n_speakers": [2], "patterns": [2], "smallest": [0.5]})
    assert text.smallest_p(few).finding == "On TESS no difference can reach .05, however large."


def test_evaluations_are_those_of_the_ledger(store, tmp_path):
    lines = pd.DataFrame([["2026-01-01", "abc", "tess/random/a/b", name, "tess", "uar", 0.5, 9]
                          for name in ("development", "0123", "undeclared-45")], columns=ledger.COLUMNS)  # fmt: skip
    store.run.parent.mkdir(parents=True, exist_ok=True)
    lines.to_csv(ledger.path_of(store), index=False)
    table = tables.test_evaluations(Study(settings.load("demo"), store, {}))
    assert table[["declared", "undeclared", "development"]].iloc[0].tolist() == [1, 1, 1]
    assert text.test_evaluations(table).finding.startswith("3 evaluations are in the ledger")
