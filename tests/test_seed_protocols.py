"""One system under five protocols: what is declared, averaged, drawn and said."""

from __future__ import annotations

import numpy as np
import pytest
from test_rebuilt import made, names  # noqa: F401  (a fixture)
from test_seeds import CONFIG, row, told  # noqa: F401  (a fixture)

from ser_study import config as settings
from ser_study.experiments import run, seed_protocols, seed_results, seeds
from ser_study.report import seed_plots

SHARES = {"seed_sentences": 0.7, "seed_corpora": 0.2}


@pytest.fixture
def asked(monkeypatch, names):  # noqa: F811
    """Made-up answers: 70 % on new sentences, 20 % on another corpus; the list of what was asked for."""
    seen = []

    def answers(declared, gathered, **options):
        seen.extend(declared)
        return {one: told(made(one.protocol, "000", names)[0], SHARES[one.protocol]) for one in declared}

    monkeypatch.setattr(run, "answers", answers)
    return seen


def test_every_protocol_has_its_line_by_corpus_and_on_average(row, asked):  # noqa: F811
    table = seed_protocols.table([row], config=CONFIG, store=None)
    assert list(table.columns) == seed_protocols.COLUMNS
    assert {one.protocol for one in asked} == {"seed_sentences", "seed_corpora"}
    assert {one.model for one in asked} == {"logistic", "lightgbm_000"}
    ours = table[table["system"] == "ours"]
    assert ours["protocol"].drop_duplicates().tolist() == list(seed_protocols.PROTOCOLS)
    for _, part in ours.groupby("protocol"):
        assert part["corpus"].tolist() == ["ravdess", "tess", "mean"]
        assert part["value"].iloc[-1] == pytest.approx(part["value"].iloc[:-1].mean())
        assert part["n"].iloc[-1] == part["n"].iloc[:-1].sum()
    theirs = table[table["system"] == "lightgbm_000"]
    assert theirs["protocol"].drop_duplicates().tolist() == [
        "seed_list",
        "seed_sentences",
        "seed_speakers",
        "seed_corpora",
    ]
    line = ours[(ours["protocol"] == "seed_list") & (ours["corpus"] == "mean")].iloc[0]
    assert line["n"] == 848  # of one training seed, not of five
    assert np.isnan(line["low"])


def test_mean_on_new_speakers_is_the_honest_value_of_the_summary(row, asked):  # noqa: F811
    table = seed_protocols.whole(seed_protocols.table([row], config=CONFIG, store=None))
    line = table[(table["system"] == "ours") & (table["protocol"] == "seed_speakers")].iloc[0]
    assert line["value"] == pytest.approx(seed_results.summary(row, CONFIG)["honest"].iloc[0])


def test_sentences_and_figure_tell_the_steps(row, asked):  # noqa: F811
    table = seed_protocols.table([row], config=CONFIG, store=None)
    shown = seed_protocols.whole(table)
    by = shown[shown["system"] == "ours"].set_index("protocol")["value"]
    step = 100 * (by["seed_corpora"] - by["seed_list"])
    assert step < -60
    title = seed_protocols.title(table)
    assert f"−{abs(step):.1f} points on another corpus" in title
    by_actor = table.assign(id="E003")
    assert "−" not in seed_protocols.title(by_actor)  # its list shares no voices, so there is no step to tell
    assert "**E000**, trained on the other corpora" in seed_protocols.words(table)
    figure = seed_plots.protocols(shown, title=title)
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["E000, ours", "E000, LightGBM (seed 000)"]
    marked = {line.get_xdata()[0] for line in figure.axes[0].lines if len(line.get_xdata()) == 1}
    assert set(shown["value"]) == marked


def test_one_corpus_has_no_other_to_come_from():
    honest = seeds.honest_rebuilds(seeds.SYSTEMS["E002a"], CONFIG)["mlp_002"]
    assert set(seeds.elsewhere(honest, ["ravdess", "ravdess"])) == {"seed_sentences"}
    both = seeds.elsewhere(honest, ["ravdess", "tess"])
    assert [one.protocol for one in both.values()] == ["seed_sentences", "seed_corpora"]


def test_networks_meet_new_speakers_where_the_settings_ask():
    asked = settings.load("full", {"seeds.honest_networks": True})
    found = {name: set(seeds.honest_rebuilds(system, asked)) for name, system in seeds.SYSTEMS.items()}
    plain = {name: set(seeds.honest_rebuilds(system, CONFIG)) for name, system in seeds.SYSTEMS.items()}
    assert {name: found[name] - plain[name] for name in found} == {
        "E000": set(),
        "E001": {"conv1d_001"},
        "E002a": set(),
        "E002b": {"conv8_002", "vgg16_head_002"},
        "E003": {"bigru_003"},
        "E004": {"cnn_bilstm_004_seed"},
    }
    assert not seeds.honest_rebuilds(seeds.SYSTEMS["E001"], asked)["conv1d_001"].fixed  # stopped by valid speakers
