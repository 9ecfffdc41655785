"""Figures of chapters 05 and 06: every row is drawn, its number stands beside it, and nothing is drawn of nothing."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from ser_study.chapters.ensembles import figures as ensemble_figures
from ser_study.chapters.ensembles.gender import SYSTEMS
from ser_study.chapters.ensembles.votes import SINGLE
from ser_study.chapters.networks import figures
from ser_study.chapters.networks import text as networks_text


def texts_of(figure) -> list[str]:
    figure.draw_without_rendering()
    return [text.get_text() for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]


def curves(networks=("mlp_head", "bigru")) -> pd.DataFrame:
    rows = [
        {"experiment": name, "draw": draw, "network": name, "epoch": epoch, "loss": 2 / epoch,
         "validation_loss": 1 + abs(epoch - 3) / 4, "best": epoch == 3}
        for name in networks
        for draw in (0, 1)
        for epoch in range(1, 6)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_learning_curves_have_a_panel_a_network_and_mark_the_best_epoch():
    figure = figures.learning_curves(curves(("mlp_head", "bigru", "gru_stack", "lstm_stack", "rnn_stack")))
    shown = [ax for ax in figure.axes if ax.get_visible()]
    assert len(shown) == 5
    for ax in shown:
        loss, validation, best = ax.get_lines()
        assert len(loss.get_xdata()) == 5  # the first training alone
        assert (best.get_xdata().tolist(), best.get_ydata().tolist()) == ([3], [1.0])
        assert validation.get_ydata().min() == 1
    title = " ".join(figure.get_suptitle().split())
    assert title.endswith("validation loss is 1.5 times the training loss in the median of 10 trainings")
    with pytest.raises(ValueError, match="validation_loss"):
        figures.learning_curves(curves().drop(columns="validation_loss"))
    with pytest.raises(ValueError, match="no rows"):
        figures.learning_curves(curves().iloc[:0])


def test_regularisation_writes_both_accuracies_and_the_gap():
    table = pd.DataFrame(
        {"changed": ["as published", "no dropout"], "accuracy": [0.71, 0.95], "validation_accuracy": [0.5, 0.45],
         "gap": [0.21, 0.5], "uar": [0.34, 0.58], "difference": [np.nan, 0.24]}
    )  # fmt: skip
    texts = texts_of(figures.regularisation(table))
    title = "8-layer CNN of E002, best UAR on validation rows: "
    assert networks_text.regularisation_title(table) == f"{title}no dropout (.580; as published .340)"
    assert networks_text.regularisation_title(table.head(1)) == f"{title}as published (.340)"
    assert {".710", ".500", "21.0", ".950", ".450", "50.0", "no dropout"} <= set(texts)
    assert figures.regularisation(table.iloc[:0]) is None


def test_costs_place_every_system_by_time_and_accuracy():
    table = pd.DataFrame(
        {"feature": ["statistics51", "campplus"], "model": ["lightgbm_000", "logistic"], "accuracy": [0.84, 0.96],
         "extract_ms": [20.0, 90.0], "predict_ms": [1.0, 0.4]}
    )  # fmt: skip
    figure = figures.costs(table)
    (ax,) = figure.axes
    (marks,) = ax.collections
    assert np.allclose(marks.get_offsets(), [[21, 0.84], [90.4, 0.96]])
    assert ax.get_xscale() == "log"
    assert any("CAM++" in text for text in texts_of(figure))
    assert figures.costs(table.iloc[:0]) is None


def votes_table() -> pd.DataFrame:
    rows = [
        {"corpus": corpus, "system": system, "uar_validation": 0.5, "uar": 0.5 + gain, "difference": gain or np.nan,
         "low": gain - 0.01, "high": gain + 0.01, "p_holm": 0.01, "note": ""}
        for corpus in ("ravdess-speech", "emodb")
        for system, gain in ((SINGLE, 0.0), ("stack", 0.03), ("weighted vote", -0.02))
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_votes_write_their_change_and_score():
    figure = ensemble_figures.votes(votes_table())
    texts = texts_of(figure)
    assert texts.count("+3.0") == texts.count("−2.0") == 2
    assert texts.count(".530") == 2
    assert sum("best single system .50" in text for text in texts) == 2
    assert figure.get_suptitle().startswith("2 of 4 votes")
    assert ensemble_figures.votes(votes_table().query("system == @SINGLE")) is None


def test_gender_first_has_a_row_a_system():
    table = pd.DataFrame(
        {"corpus": "ravdess-speech", "system": list(SYSTEMS), "value": np.linspace(0.4, 0.5, 6), "low": 0.35,
         "high": 0.55, "difference": np.linspace(0, 0.1, 6)}
    )  # fmt: skip
    figure = ensemble_figures.emotions(table)
    assert set(SYSTEMS.values()) <= set(texts_of(figure))
    assert "+8.0" in figure.get_suptitle()  # with the true gender given it is no system
    assert "bound" not in " ".join(texts_of(figure)), "it is none: another system can score higher"
    assert ensemble_figures.emotions(table.iloc[:0]) is None
