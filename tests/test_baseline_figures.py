"""Figures of the student projects: what they need, and how their titles count."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ser_study.plotting import baselines as plots

OVERVIEW = pd.DataFrame(
    {
        "id": ["E000", "E003", "E004"],
        "published": [0.84, 0.54, np.nan],
        "rebuild": [0.84, 0.77, 0.54],
        "ours": [0.95, 0.78, 0.81],
        "wilson_low": [0.94, 0.73, 0.80],
        "wilson_high": [0.97, 0.82, 0.83],
        "honest": [0.75, 0.72, 0.74],
        "list_uar": [0.90, 0.78, 0.85],
        "honest_low": [np.nan, 0.67, np.nan],
        "honest_high": [np.nan, 0.76, np.nan],
        "verdict": ["passed clearly", "missed", "passed"],
    }
)
PROTOCOLS = pd.DataFrame(
    [
        {"id": name, "system": system, "protocol": protocol, "value": value, "low": value - 0.1, "high": value + 0.1}
        for name, system in (("E000", "ours"), ("E000", "lightgbm_000"), ("E003", "ours"))
        for protocol, value in (("baseline_list", 0.8), ("baseline_speakers", 0.5))
    ]
)


def test_overview_writes_every_score_and_a_dash_for_what_is_unknown():
    ax = plots.overview(OVERVIEW, title="A title").axes[0]
    written = [note.get_text() for note in ax.texts]
    assert {".840", ".540", ".950", ".750", ".720", "–"} <= set(written)
    assert [label.get_text().split("\n")[0] for label in ax.get_yticklabels()] == ["E000", "E003", "E004"]


def test_overview_title_counts_bars_and_leaves_out_lists_that_share_no_speaker():
    assert "2 of 3" in plots.overview_title(OVERVIEW)
    assert "6 to 15 points" in plots.overview_title(OVERVIEW)
    assert "11 to 15 points" in plots.overview_title(OVERVIEW, speaker_disjoint=["E003"])
    assert "its UAR is 15 points lower" in plots.overview_title(OVERVIEW.iloc[:1])  # .90 − .75, not accuracy .95
    assert "points" not in plots.overview_title(OVERVIEW.iloc[1:2], speaker_disjoint=["E003"])


def test_scores_that_are_equal_to_three_decimals_are_written_alike():
    two = PROTOCOLS.iloc[:2].assign(value=[0.85499, 0.85501])
    written = [note.get_text() for note in plots.protocols(two, title="A title").axes[0].texts]
    assert written.count(".855") == 2


def test_models_with_fewer_trainings_are_named():
    table = OVERVIEW.assign(n_seeds=5, rebuild_seeds=[5, 1, 1])
    assert plots.seeds_note(table.iloc[:1]) == "Scores on the list: mean over 5 training seeds."
    assert plots.seeds_note(table).endswith("; of the rebuilt models of E003 and E004, one only.")


def test_protocols_stand_in_groups_with_a_dash_for_what_was_not_run():
    ax = plots.protocols(PROTOCOLS, title="A title").axes[0]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["ours", "LightGBM (E000)", "ours"]
    places = list(ax.get_yticks())
    assert places == sorted(places)
    assert places[2] - places[1] > 2  # room for the heading of the next project
    written = [note.get_text() for note in ax.texts]
    assert written.count("–") == 3 * 3
    assert sum(note.startswith(("E000, ", "E003, ")) for note in written) == 2


@pytest.mark.parametrize(("draw", "table"), [(plots.overview, OVERVIEW), (plots.protocols, PROTOCOLS)])
def test_incomplete_tables_are_refused(draw, table):
    with pytest.raises(ValueError, match="id"):
        draw(table.drop(columns="id"), title="")
    with pytest.raises(ValueError, match="no rows"):
        draw(table.iloc[:0], title="")
