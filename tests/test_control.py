"""The built-in corpus as a control: is what was planted found, and nothing where nothing was planted?"""

from __future__ import annotations

import dataclasses
import re
from functools import partial

import numpy as np
import pandas as pd
import pytest
import synthetic_control as control
from sklearn.inspection import permutation_importance
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from ser_study import config as settings
from ser_study.chapters.controls import shuffled as control_scores
from ser_study.corpora import synthetic
from ser_study.models import classical
from ser_study.store import Store
from ser_study.study import Study

SEEDS = range(1, 21)  # of the generator; the expectation comes from 101 to 125
ENOUGH = 18  # of 20
CHANCE = 1 / 6
FAMILIES = {  # columns of ``summary`` that measure a cue itself
    "pitch": ["f0_p50"],
    "pitch range": ["f0_slope", "f0_sd"],
    "loudness": ["rms_db_p95", "rms_db_p50"],
    "tempo": ["duration"],
    "tilt, breath": ["centroid_p50", "contrast_3_sd"],
    "pause": ["voicing_sd", "unvoiced_segment_sd"],
    "formants": ["mfcc_08_sd"],
}
NULL_FAMILIES = ["pause", "formants"]
MEASURED = {  # column → the cue it must measure, and the least correlation
    "f0_p50": ("pitch", 0.95),
    "f0_slope": ("pitch_range", 0.7),
    "f0_sd": ("pitch_range", 0.5),
    "rms_db_p95": ("level", 0.95),
    "rms_db_p50": ("level", 0.9),
    "duration": ("tempo", 0.9),
    "centroid_p50": ("tilt", 0.8),
    "contrast_3_sd": ("breath", 0.35),
    "voicing_sd": ("pause", 0.55),
    "unvoiced_segment_sd": ("pause", 0.5),
    "mfcc_08_sd": ("formants", 0.45),
}
SHUFFLES = 100


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    """A store that the tests of this module share."""
    folder = tmp_path_factory.mktemp("control")
    return Store(folder / "raw", folder / "derived", folder / "run", folder)


def corpus(store: Store, **changes) -> tuple[settings.Config, pd.DataFrame, pd.DataFrame]:
    """Settings, clips and ``summary`` values (one named column each) of a synthetic corpus."""
    config = settings.load("demo", {f"synthetic.{name}": value for name, value in changes.items()})
    study = Study(config, store)
    clips, values = study.clips("synthetic"), study.features("synthetic", "summary")
    assert list(values.clip_id) == list(clips["clip_id"])
    return config, clips, pd.DataFrame(values.values.astype(float), columns=values.columns)


def planted(clips: pd.DataFrame, config: settings.Config) -> pd.DataFrame:
    """Cues as planted, clip by clip, ratios as logarithms."""
    names = [synthetic.STEM.fullmatch(clip_id.split("/")[1]).groupdict() for clip_id in clips["clip_id"]]
    planned = [
        synthetic.Clip(int(n["speaker"]), n["emotion"], n["intensity"], int(n["statement"]), int(n["take"]))
        for n in names
    ]
    table = pd.DataFrame([synthetic.clip_cues(clip, config.synthetic) for clip in planned])
    return table.apply(lambda values: np.log2(values) if synthetic.CUES[values.name].is_ratio else values)


# The ladder


def test_expectation_is_committed_and_whole():
    table = control.read_expected()
    assert list(table.columns) == control.EXPECTED_COLUMNS
    default = settings.Synthetic().speaker_confound
    wide = table.pivot(index=["model", "speaker_confound"], columns="protocol", values="mean")
    assert set(wide.index) == {(model, confound) for model in control.MODELS for confound in (0.0, default)}
    assert (table["n_seeds"] == len(control.SEEDS)).all()
    assert np.allclose(wide["random"] - wide["speaker_independent"], wide["inflation"], atol=2e-5)
    assert (wide.xs(default, level="speaker_confound")["inflation"] > 0.1).all()
    assert (wide.xs(0.0, level="speaker_confound")["inflation"].abs() < 0.03).all()
    assert not set(control.SEEDS) & set(SEEDS)  # the expectation and what is held against it are different corpora


def test_unknown_expectation_is_refused():
    with pytest.raises(ValueError, match=re.escape("'dummy' at speaker confound 0.5")):
        control.expected_inflation("dummy", 0.5)


def test_corpora_are_scored_alike_and_removed(store):
    changes = {"n_speakers": 4, "n_statements": 2, "n_repetitions": 1}
    config = settings.load("demo", {f"synthetic.{k}": n for k, n in changes.items()} | {"run.jobs": 1})
    config = dataclasses.replace(config, models=dataclasses.replace(config.models, forest_trees=5))
    simulate = partial(control.simulate, Study(config, store), confounds=[1.0], models=["logistic"])
    one = simulate([3, 4])
    assert one[["seed", "speaker_confound", "model"]].to_numpy().tolist() == [
        [3, 1.0, "logistic"],
        [4, 1.0, "logistic"],
    ]
    assert np.allclose(one["inflation"], one["random"] - one["speaker_independent"])
    assert one[["low", "inflation", "high"]].apply(lambda row: row.is_monotonic_increasing, axis=1).all()
    pd.testing.assert_frame_equal(simulate([4]), one[1:].reset_index(drop=True))
    assert not list(store.derived.glob("control-*"))
    table = control.expected(Study(config, store), [3, 4])
    chosen = table[(table["model"] == "logistic") & (table["protocol"] == "random") & (table["speaker_confound"] == 1)]
    assert chosen[["mean", "sd", "n_seeds"]].iloc[0].tolist() == pytest.approx(
        [one["random"].mean(), one["random"].std(), 2]
    )


def test_failed_corpus_is_named(store):
    config = settings.load("demo", {"synthetic.n_speakers": 0, "run.jobs": 1})
    with pytest.raises(RuntimeError, match=r"seed 5, speaker confound 1: .*n_speakers.*found 0"):
        control.simulate(Study(config, store), [5], [1.0])


@pytest.fixture(scope="module")
def simulated(store) -> pd.DataFrame:
    """Twenty corpora with the confound and twenty without, scored by logistic regression."""
    return control.simulate(Study(settings.load("demo"), store), SEEDS, [1.0, 0.0], models=["logistic"])


def covering(rows: pd.DataFrame, value: float) -> int:
    """How many intervals of the inflation hold a value."""
    return int(((rows["low"] <= value) & (value <= rows["high"])).sum())


@pytest.mark.slow
def test_planted_inflation_is_recovered(simulated):
    rows = simulated[simulated["speaker_confound"] == 1]
    assert covering(rows, control.expected_inflation("logistic", 1.0)) >= ENOUGH
    assert (rows["low"] > 0).sum() >= ENOUGH


@pytest.mark.slow
def test_no_inflation_without_confound(simulated):
    rows = simulated[simulated["speaker_confound"] == 0]
    assert covering(rows, 0.0) >= ENOUGH
    assert (rows["low"] <= 0).all()  # nowhere is there inflation to claim
    assert abs(rows["inflation"].mean()) < 0.02
    # the check can fail: these intervals are narrow enough to refuse the inflation of the other world
    assert covering(rows, control.expected_inflation("logistic", 1.0)) <= len(rows) - ENOUGH


# Importance


def test_columns_measure_their_cues(store):
    """Where every cue varies on its own, each column follows its cue, and no other cue more."""
    config, clips, values = corpus(store, emotion_strength=0.0, speaker_confound=0.0, noise=5.0)
    assert {column for columns in FAMILIES.values() for column in columns} == set(MEASURED)
    group = (clips["speaker"] + clips["statement"]).to_numpy()  # voices and phrases differ in level and length
    joined = pd.concat([values[list(MEASURED)], planted(clips, config)], axis=1)
    inside = joined - joined.groupby(group).transform("mean")
    measured = inside.corr().loc[list(MEASURED), list(synthetic.CUES)].abs()
    for column, (cue, least) in MEASURED.items():
        assert measured.loc[column, cue] >= least, (column, cue)
        assert measured.loc[column].idxmax() == cue, column


def importance(values: pd.DataFrame, clips: pd.DataFrame, model: str, params: dict, config) -> pd.Series:
    """Loss of balanced accuracy on new speakers when a family's columns are permuted together."""
    columns = [column for family in FAMILIES.values() for column in family]
    family = [place for place, members in enumerate(FAMILIES.values()) for _ in members]
    x, truth = values[columns].to_numpy(), clips["emotion"].to_numpy()
    first_half = clips["speaker"].isin(sorted(clips["speaker"].unique())[:4]).to_numpy()
    registered, lost = classical.get(model), []
    for test in (first_half, ~first_half):
        estimator = make_pipeline(classical.preparation(registered), registered.build(config.models, params, 0))
        estimator.fit(x[~test], truth[~test])
        # one column a family that holds row numbers: permuting it moves all columns of the family together
        look_up = FunctionTransformer(lambda rows, own=x[test]: own[rows[:, family], np.arange(len(columns))])
        rows = np.tile(np.arange(test.sum())[:, None], (1, len(FAMILIES)))
        options = {"scoring": "balanced_accuracy", "n_repeats": 20, "random_state": 0}
        result = permutation_importance(make_pipeline(look_up, estimator), rows, truth[test], **options)
        lost.append(result.importances_mean)
    return pd.Series(np.mean(lost, axis=0), index=list(FAMILIES))


@pytest.mark.parametrize(("model", "params"), [("logistic", {"C": 1.0}), ("lightgbm", {})])
def test_importance_finds_the_planted_cues(store, model, params):
    config, clips, values = corpus(store, speaker_confound=0.0)
    loss = importance(values, clips, model, params, config)
    print(f"\n{model}: {loss.round(3).to_dict()}")
    assert loss.drop(NULL_FAMILIES).min() > loss[NULL_FAMILIES].max()
    assert loss["loudness"] > 5 * loss[NULL_FAMILIES].max()


def test_importance_misses_a_cue_that_was_not_planted(tmp_path, monkeypatch):
    """The check above can fail: with tempo taken out of the emotions, tempo ranks below what is left in."""
    place = list(synthetic.CUES).index("tempo")
    cues = {name: (*row[:place], 0.0, *row[place + 1 :]) for name, row in synthetic.EMOTION_CUES.items()}
    monkeypatch.setattr(synthetic, "EMOTION_CUES", cues)
    own = Store(tmp_path / "raw", tmp_path / "derived", tmp_path / "run", tmp_path)
    config, clips, values = corpus(own, n_statements=2, speaker_confound=0.0, sentence_confound=0.0)
    loss = importance(values, clips, "logistic", {"C": 1.0}, config)
    assert loss["tempo"] < loss.drop([*NULL_FAMILIES, "tempo"]).min()


# Shuffled labels


@pytest.fixture(scope="module")
def shuffled(store) -> pd.DataFrame:
    """UAR of every repeat with labels permuted within speakers, by protocol."""
    changes = {"controls.shuffles": SHUFFLES, "controls.protocols": "random,speaker_independent"}
    table = control_scores.scores(Study(settings.load("demo", changes), store))
    table = table[table["shuffle"] == "within_speaker"]
    print("\n", table.groupby("protocol")["value"].describe(percentiles=[0.025, 0.975]).round(4).to_string())
    return table


@pytest.mark.slow
def test_shuffled_labels_give_chance_on_new_speakers(shuffled):
    values = shuffled.loc[shuffled["protocol"] == "speaker_independent", "value"]
    assert len(values) == SHUFFLES
    assert abs(values.mean() - CHANCE) < 0.01


@pytest.mark.slow
def test_shuffled_labels_give_no_more_than_chance_on_known_speakers(shuffled):
    """One-sided, for the permutation keeps each speaker's count of every class: with 10 of 60, another clip of
    the same speaker has the same label with probability 9/59, not 1/6. What recognises the speaker is misled."""
    values = shuffled.loc[shuffled["protocol"] == "random", "value"]
    assert values.mean() < CHANCE + 0.01
    assert CHANCE - 0.03 < values.mean() < CHANCE  # no free pass: as low as that bias makes it, and not lower


@pytest.mark.slow
def test_leak_rises_above_chance_with_shuffled_labels(shuffled):
    values = shuffled.loc[shuffled["protocol"] == "random_augmented", "value"]
    honest = shuffled.loc[shuffled["protocol"] == "speaker_independent", "value"]
    twice = shuffled.loc[shuffled["protocol"] == "random_duplicated", "value"]
    assert min(values.mean(), twice.mean()) > CHANCE + 0.05
    assert min(values.min(), twice.min()) > honest.quantile(0.975)
