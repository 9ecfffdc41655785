"""Dropping features by rank: planted truth, fold hygiene, and the control."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import f_oneway

from ser_study.chapters.ablations import selection
from ser_study.config import Config
from ser_study.schema import FeatureSet

N_SPEAKERS, N_EACH, N_FEATURES, INFORMED = 8, 15, 12, (2, 5, 9)
CLASSES = ("angry", "neutral", "sad")
CONFIG = Config()


def _planted(seed=0):
    """Three informed features among nine of noise; features, classes, speakers and speaker-disjoint folds."""
    random = np.random.default_rng(seed)
    n = N_SPEAKERS * N_EACH
    ids = np.array([f"own/{i:03d}" for i in range(n)], dtype=object)
    label = np.arange(n) % 3
    values = random.normal(size=(n, N_FEATURES))
    for feature in INFORMED:
        values[:, feature] += 1.2 * random.permutation(3)[label]
    truth = pd.Series(np.array(CLASSES)[label], index=ids)
    speaker = pd.Series([f"own/s{i // N_EACH}" for i in range(n)], index=ids)
    names = sorted(speaker.unique())
    rows = []
    for fold in (1, 2):
        roles = dict.fromkeys(names, "train") | {names[fold]: "validation", names[-fold]: "test"}
        rows += [("speaker_independent", 0, fold, clip, 0, roles[speaker[clip]]) for clip in ids]
    folds = pd.DataFrame(rows, columns=["protocol", "repeat", "fold", "clip_id", "variant", "role"])
    columns = tuple(f"f{i}" for i in range(N_FEATURES))
    return FeatureSet("planted", ids, np.zeros(n, int), values.astype(np.float32), columns), truth, folds, speaker


@pytest.fixture(scope="module")
def table():
    features, truth, folds, speaker = _planted()
    return selection.curve(features, truth, folds, speaker, config=CONFIG, dropped=(0, 5, 9))


def _rows(features, truth, speaker):
    values = features.values.astype(float)
    return selection.Rows((values - values.mean(axis=0)) / values.std(axis=0), truth.to_numpy(), speaker.to_numpy())


@pytest.mark.parametrize("name", ["anova", "lightgbm", "lda", "permutation"])
def test_rankings_find_the_planted_features(name):
    features, truth, _, speaker = _planted()
    importance = selection.RANKINGS[name](_rows(features, truth, speaker), CONFIG.models, 0)
    assert set(np.argsort(importance)[-3:]) == set(INFORMED)


def test_anova_equals_scipy_and_takes_constants():
    features, truth, _, speaker = _planted()
    rows = _rows(features, truth, speaker)
    groups = [rows.values[rows.truth == name] for name in CLASSES]
    assert np.allclose(selection.anova(rows, CONFIG.models, 0), f_oneway(*groups).statistic)
    constant = selection.Rows(np.column_stack((rows.values, np.zeros(len(rows.truth)))), rows.truth, rows.speaker)
    assert selection.anova(constant, CONFIG.models, 0)[-1] == 0


def test_the_first_class_alone_misses_what_tells_the_others_apart():
    """The error of E004: a feature that separates only the second and third class looks worthless."""
    random = np.random.default_rng(1)
    label = np.arange(600) % 3
    values = random.normal(size=(600, 4))
    values[:, 0] += 2.0 * (label == 0)
    values[:, 1] += 2.0 * np.array([0, 1, -1])[label]
    rows = selection.Rows(values, np.array(CLASSES)[label], np.repeat("own/a", 600))
    assert (
        selection.lda_first_class(rows, CONFIG.models, 0)[1]
        < 0.2 * selection.lda_first_class(rows, CONFIG.models, 0)[0]
    )
    assert set(np.argsort(selection.lda(rows, CONFIG.models, 0))[-2:]) == {0, 1}


def test_curve_has_one_row_a_point(table):
    assert list(table.columns) == selection.COLUMNS
    counts = table.groupby("ranking").size()
    assert counts.to_dict() == {**dict.fromkeys(selection.RANKINGS, 2 * 3), "random": 2 * 3 * selection.DRAWS}
    whole = table[table["dropped"] == 0].groupby("fold")["uar"]
    assert (whole.nunique() == 1).all()


def test_good_rankings_keep_the_score_where_random_dropping_loses_it(table):
    summary = selection.against_random(table).set_index(["ranking", "dropped"])
    for name in ("anova", "lightgbm", "lda", "permutation"):
        assert summary.loc[(name, 9), "uar"] > summary.loc[(name, 0), "uar"] - 0.05
        assert summary.loc[(name, 9), "gain"] > 0.15
        assert summary.loc[(name, 9), "folds_ahead"] == summary.loc[(name, 9), "folds"] == 2
    assert "random" not in summary.index.get_level_values("ranking")
    assert summary.loc[("lda", 0), "gain"] == pytest.approx(0)


def test_rankings_read_training_rows_and_nothing_reads_test_rows():
    features, truth, folds, speaker = _planted()
    kwargs = {"config": CONFIG, "rankings": ("anova", "permutation"), "dropped": (0, 6), "draws": 1}
    expected = selection.curve(features, truth, folds, speaker, **kwargs)
    for fold in (1, 2):  # a fold at a time: a test clip of one fold trains the other
        here = folds[folds["fold"] == fold]
        tested = here.loc[here["role"] == "test", "clip_id"]
        spoilt = features.values.copy()
        spoilt[np.isin(features.clip_id, tested)] = np.nan
        changed = FeatureSet("planted", features.clip_id, features.variant, spoilt, features.columns)
        again = selection.curve(changed, truth, here, speaker, **kwargs)
        assert again.equals(expected[expected["fold"] == fold].reset_index(drop=True))


def test_rankings_see_training_rows_only(monkeypatch):
    features, truth, folds, speaker = _planted()
    seen = []
    monkeypatch.setitem(selection.RANKINGS, "spy", lambda rows, models, seed: seen.append(rows) or np.ones(N_FEATURES))
    here = folds[folds["fold"] == 1]
    selection.curve(features, truth, here, speaker, config=CONFIG, rankings=("spy",), dropped=(0,), draws=1)
    (rows,) = seen
    assert set(rows.speaker) == set(speaker) - set(speaker.loc[here.loc[here["role"] != "train", "clip_id"]])
    assert np.allclose(rows.values.mean(axis=0), 0, atol=1e-6)
    assert np.allclose(rows.values.std(axis=0), 1, atol=1e-6)


def test_what_cannot_be_done_is_said():
    features, truth, folds, speaker = _planted()
    with pytest.raises(ValueError, match="Unknown ranking 'relief'"):
        selection.curve(features, truth, folds, speaker, config=CONFIG, rankings=("relief",))
    with pytest.raises(ValueError, match="Of 12 features, 0 to 11 can be dropped"):
        selection.curve(features, truth, folds, speaker, config=CONFIG, dropped=(0, 12))
    bare = folds.assign(role=folds["role"].replace("validation", "train"))
    with pytest.raises(ValueError, match="Fold 1 has no validation rows"):
        selection.curve(features, truth, bare, speaker, config=CONFIG, dropped=(0,))
    alone = speaker.map(lambda name: "own/one")
    with pytest.raises(ValueError, match="there is one only"):
        selection.curve(features, truth, folds, alone, config=CONFIG, rankings=("permutation",), dropped=(0,))
