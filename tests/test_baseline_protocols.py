"""One system under five protocols: what is declared, averaged, drawn and said."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from test_baselines import CONFIG, predicted, result, study_of  # noqa: F401  (a fixture)
from test_rebuilt import made, names  # noqa: F401  (a fixture)

from ser_study import config as settings
from ser_study.chapters.baselines import figures, protocols, tables, text
from ser_study.experiments import baselines, runner
from ser_study.experiments.baselines import BASELINES

SHARES = {"baseline_sentences": 0.7, "baseline_corpora": 0.2}


@pytest.fixture
def declared(monkeypatch, names):  # noqa: F811
    """Made-up predictions: 70 % on new sentences, 20 % on another corpus; the list of what was to be run."""
    seen = []

    def predict(experiments, selections, **options):
        seen.extend(experiments)
        return {one: predicted(made(one.protocol, "000", names)[0], SHARES[one.protocol]) for one in experiments}

    monkeypatch.setattr(runner, "predict", predict)
    return seen


def test_every_protocol_has_its_line_by_corpus_and_on_average(result, declared):  # noqa: F811
    table = protocols.table({"E000": result}, study_of(result))
    assert list(table.columns) == protocols.COLUMNS
    assert {one.protocol for one in declared} == {"baseline_sentences", "baseline_corpora"}
    assert {one.model for one in declared} == {"logistic", "lightgbm_000"}
    ours = table[table["system"] == "ours"]
    assert ours["protocol"].drop_duplicates().tolist() == list(protocols.PROTOCOLS)
    for _, part in ours.groupby("protocol"):
        assert part["corpus"].tolist() == ["ravdess", "tess", "mean"]
        assert part["value"].iloc[-1] == pytest.approx(part["value"].iloc[:-1].mean())
        assert part["n"].iloc[-1] == part["n"].iloc[:-1].sum()
    theirs = table[table["system"] == "lightgbm_000"]
    assert theirs["protocol"].drop_duplicates().tolist() == [
        "baseline_list",
        "baseline_sentences",
        "baseline_speakers",
        "baseline_corpora",
    ]
    line = ours[(ours["protocol"] == "baseline_list") & (ours["corpus"] == "mean")].iloc[0]
    assert line["n"] == 848  # of one training seed, not of five
    assert np.isnan(line["low"])


def test_mean_on_new_speakers_is_the_honest_value_of_the_summary(result, declared):  # noqa: F811
    table = protocols.means(protocols.table({"E000": result}, study_of(result)))
    line = table[(table["system"] == "ours") & (table["protocol"] == "baseline_speakers")].iloc[0]
    scores = tables.scores({"E000": result}, study_of(result)).iloc[0]
    assert line["value"] == pytest.approx(scores["honest"])
    on_list = table[(table["system"] == "ours") & (table["protocol"] == "baseline_list")].iloc[0]
    assert on_list["value"] == pytest.approx(scores["list_uar"])


def test_sentences_and_figure_hold_the_steps(result, declared):  # noqa: F811
    table = protocols.table({"E000": result}, study_of(result))
    means = protocols.means(table)
    by = means[means["system"] == "ours"].set_index("protocol")["value"]
    step = 100 * (by["baseline_corpora"] - by["baseline_list"])
    assert step < -60
    title = text.by_protocol_title(table)
    assert f"−{abs(step):.1f} points on another corpus" in title
    further = table.assign(id="E001", value=table["value"] - 0.1 * (table["protocol"] == "baseline_corpora"))
    both = text.by_protocol_title(pd.concat([table, further], ignore_index=True))
    assert f"−{abs(step):.1f} to −{abs(step) + 10:.1f} points on another corpus" in both
    by_actor = table.assign(id="E003")
    assert not re.search("[0-9]", text.by_protocol_title(by_actor))  # its list shares no speakers: no step to tell
    caption = text.by_protocol(table)
    assert caption.alt == title
    assert "E000, voice emotion classifier" in caption.finding
    ax = figures.by_protocol(table).axes[0]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["ours", "LightGBM (E000)"]
    assert "E000, voice emotion classifier" in {note.get_text() for note in ax.texts}
    marked = {line.get_xdata()[0] for line in ax.lines if len(line.get_xdata()) == 1}
    assert set(means["value"]) == marked


def test_one_corpus_has_no_other_to_come_from():
    honest = baselines.honest_rebuilds(BASELINES["E002a"], CONFIG)["mlp_002"]
    assert set(baselines.elsewhere(honest, ["ravdess", "ravdess"])) == {"baseline_sentences"}
    both = baselines.elsewhere(honest, ["ravdess", "tess"])
    assert [one.protocol for one in both.values()] == ["baseline_sentences", "baseline_corpora"]


def test_networks_meet_new_speakers_where_the_settings_ask():
    wanted = settings.load("full", {"baselines.honest_networks": True})
    with_networks = {name: set(baselines.honest_rebuilds(baseline, wanted)) for name, baseline in BASELINES.items()}
    plain = {name: set(baselines.honest_rebuilds(baseline, CONFIG)) for name, baseline in BASELINES.items()}
    assert {name: with_networks[name] - plain[name] for name in with_networks} == {
        "E000": set(),
        "E001": {"conv1d_001"},
        "E002a": set(),
        "E002b": {"conv8_002", "vgg16_head_002"},
        "E003": {"bigru_003"},
        "E004": {"cnn_bilstm_004"},
    }
    assert not baselines.honest_rebuilds(BASELINES["E001"], wanted)[
        "conv1d_001"
    ].fixed  # stopped by validation speakers
