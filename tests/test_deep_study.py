"""Chapter 05: its declarations, and the tables made of what trainings told."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from ser_study import config as settings
from ser_study import features
from ser_study.experiments import deep_study, seeds
from ser_study.models import deep

CONFIG = settings.load("full")


def told(network, *, valid=(1.5, 1.1, 1.3), fold=0, seconds=2.0):
    """Predictions of one fold, two clips, with what a training of three epochs told."""
    history = {
        "loss": [1.4, 0.9, 0.5],
        "accuracy": [0.4, 0.6, 0.9],
        "valid_loss": list(valid),
        "valid_accuracy": [0.3, 0.5, 0.4],
        "seconds": [5.0, seconds, seconds],
    }
    best = int(np.argmin([np.inf if v is None else v for v in valid])) + 1
    text = {"network": network, "params": {}, "epochs": 3, "best_epoch": best, "n_parameters": 1000}
    text |= {"seconds_per_epoch": seconds, "history": history}
    row = {"experiment": f"e/{network}", "draw": 0, "repeat": 0, "fold": fold, "params": json.dumps(text)}
    return pd.DataFrame([row, row]).assign(role=["valid", "test"])


def test_declarations_share_the_seeds_rows_and_know_their_networks(monkeypatch):
    monkeypatch.setattr(
        features, "names", lambda: ["seed184", "seed180", "seed87", "campplus_frames", "vgg16_maps", "log_mel"]
    )
    selections = [system.selection for system in seeds.SYSTEMS.values()]
    declared = deep_study.networks(CONFIG, selections)
    assert len({e.name for e in declared}) == len(declared) >= 12
    assert all(e.model in deep.NETWORKS for e in declared)
    shared = {e for s in seeds.SYSTEMS.values() for e in seeds.rebuilds(s, CONFIG).values() if e.model in deep.NETWORKS}
    assert shared < set(declared)
    studied = deep_study.regularisation(CONFIG, selections)
    assert [e.model for e in studied] == [n for n in deep.NETWORKS if n.startswith("conv8_002_")]
    lengths = [deep.get(e.model).settings() for e in studied]
    assert len({one["epochs"] / one["batch"] for one in lengths}) == 1  # equally many steps, whatever the batch
    monkeypatch.setattr(features, "names", lambda: ["seed184"])
    assert {e.feature for e in deep_study.networks(CONFIG, selections)} == {"seed184"}


def test_without_the_seeds_clips_small_networks_meet_new_speakers():
    declared = deep_study.networks(CONFIG, ["synthetic"])
    assert {(e.selection, e.protocol) for e in declared} == {("synthetic", "speaker_independent")}
    assert deep_study.regularisation(CONFIG, ["synthetic"]) == []


def test_learning_curves_are_tidy_and_mark_the_kept_epoch():
    curves = deep_study.learning_curves(pd.concat([told("conv8_002"), told("conv8_002", fold=1, valid=(1, 2, None))]))
    assert list(curves.columns[:6]) == ["experiment", "draw", "repeat", "fold", "network", "epoch"]
    assert len(curves) == 6
    assert curves.loc[curves["best"], ["fold", "epoch"]].to_numpy().tolist() == [[0, 2], [1, 1]]
    assert np.isnan(curves["valid_loss"].iloc[-1])
    assert curves["valid_loss"].dtype == float
    with pytest.raises(ValueError, match="no network"):
        deep_study.learning_curves(told("conv8_002").assign(params='{"C": 1}'))


def test_sizes_add_up_the_time():
    sizes = deep_study.sizes(pd.concat([told("conv8_002"), told("conv8_002", fold=1), told("mlp_head", seconds=4.0)]))
    assert sizes["network"].tolist() == ["conv8_002", "mlp_head"]
    assert sizes["trainings"].tolist() == [2, 1]
    assert sizes["minutes"].tolist() == [round(18 / 60, 1), round(13 / 60, 1)]
    assert sizes["title"].tolist() == [deep.get("conv8_002").title, deep.get("mlp_head").title]


def test_regularisation_is_compared_on_valid_rows():
    table = deep_study.regularised(pd.concat([told("conv8_002_l2", valid=(1, 2, 3)), told("conv8_002_short")]))
    assert table["network"].tolist() == ["conv8_002_short", "conv8_002_l2"]
    assert table["valid_accuracy"].tolist() == [0.5, 0.3]
    assert table["gap"].tolist() == pytest.approx([0.1, 0.1])
    assert table["changed"].tolist() == ["as published", "L2 penalty"]
