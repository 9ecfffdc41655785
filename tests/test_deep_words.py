"""Sentences of chapter 05."""

from __future__ import annotations

import pandas as pd
import pytest

from ser_study import config as settings
from ser_study.experiments import Experiment, deep_words
from ser_study.schema import probability_columns

CONFIG = settings.load("full", {"training.patience": 7})


def answered(selection: str, network: str, right: int, draw: int = 0) -> tuple[Experiment, pd.DataFrame]:
    one = Experiment(selection, "seed_list", "seed184", network, scheme="8")
    guess = ["sad"] * right + ["calm"] * (10 - right)
    table = pd.DataFrame({"clip_id": [f"c{i}" for i in range(10)], "truth": "sad", "prediction": guess, "draw": draw})
    return one, table.assign(role="test", **dict.fromkeys(probability_columns(["calm", "sad"]), 0.5))


def test_scores_are_means_over_training_seeds():
    one, first = answered("seed-003", "bigru", 4)
    _, second = answered("seed-003", "bigru", 8, draw=1)
    row = deep_words.results({one: pd.concat([first, second])}).iloc[0]
    assert (row["split"], row["n"], row["n_seeds"]) == ("E003", 10, 2)
    assert row["accuracy"] == pytest.approx(0.6)
    assert "E003" in deep_words.result_words(deep_words.results({one: first}))


def test_introduction_tells_how_many_and_what_stops_them():
    seed = dict([answered("seed-003", "bigru", 4)])
    told = deep_words.introduction(seed, CONFIG)
    assert told.startswith("One network is trained here, once:")
    assert "ends 7 epochs after" in told
    here = dict([answered("synthetic", "mlp_head", 4), answered("synthetic", "cnn_lstm_000", 5)])
    told = deep_words.introduction(here, CONFIG)
    assert told.startswith("The recordings of the projects are not in this run")
    assert "2 networks are trained here, each once" in told


def test_fine_tuning_is_left_out_where_no_folds_are_asked_for(store):
    config = settings.load("full", {"finetuning.folds": 0})
    assert deep_words.finetuned(config=config, store=store).empty


def test_regularisation_words_give_the_steps_and_what_chance_allows():
    table = pd.DataFrame({"changed": ["no dropout", "as published"], "valid_accuracy": [0.54, 0.36]})
    rows = pd.DataFrame({"role": ["valid"] * 400 + ["test"], "clip_id": range(401)})
    words = deep_words.regularised_words(table, {"one": rows, "two": rows})
    assert "(.360 on 400 clips), in points: no dropout: 18.0." in words
    assert "up to 7 points" in words  # 1.96 · √(2 · .36 · .64 / 400) = .067
