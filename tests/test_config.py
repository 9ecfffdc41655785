"""Settings: presets, overrides, types, names."""

from __future__ import annotations

import dataclasses
import functools
import re

import numpy as np
import pytest

from ser_study import config


def test_every_setting_has_a_name_and_no_default_is_lost():
    names = config.setting_names()
    assert "audio.sample_rate" in names
    assert len(names) == len(set(names)) > 40


def test_presets_differ_from_the_defaults_only_in_what_they_name():
    for preset, changes in config.PRESETS.items():
        loaded = config.load(preset)
        for name in config.setting_names():
            section, _, inner = name.partition(".")
            same = getattr(loaded, section) == getattr(config.Config(), section)
            if not inner:
                assert same or name in changes
            elif name not in changes:
                assert getattr(getattr(loaded, section), inner) == getattr(getattr(config.Config(), section), inner)


@pytest.mark.parametrize("preset", ["quick", "complete"])
@pytest.mark.parametrize("section", ["seed", "audio", "frames", "models", "evaluation"])
def test_runs_on_real_corpora_fit_and_score_the_same_systems(preset, section):
    assert getattr(config.load(preset), section) == getattr(config.load("full"), section)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("audio.sample_rate", "22050", 22050),
        ("audio.sample_rate", 22050, 22050),
        ("audio.trim", "false", False),
        ("audio.trim_top_db", 30, 30.0),
        ("corpora", "tess, emodb", ("tess", "emodb")),
        ("models.svm_c", [0.1, 1], (0.1, 1.0)),
        ("seed", "3", 3),
    ],
)
def test_override_is_read_in_the_type_of_the_setting(name, value, expected):
    loaded = config.load("quick", {name: value})
    section, _, inner = name.partition(".")
    read = getattr(getattr(loaded, section), inner) if inner else getattr(loaded, section)
    assert read == expected
    assert type(read) is type(expected)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"audio.sample_rat": 1}, "did you mean 'audio.sample_rate'"),
        ({"audio": 1}, "Unknown setting 'audio'"),
        ({"audio.sample_rate": "fast"}, "takes int, found 'fast'"),
        ({"audio.sample_rate": 22050.5}, "found 22050.5"),
        ({"audio.trim": 3}, "takes bool, found 3"),
        ({"audio.trim_top_db": "nan"}, "found 'nan'"),
        ({"corpora": 7}, "found 7"),
        ({"models.class_weight": 7}, "found 7"),
        ("audio.trim", "must be a table"),
    ],
)
def test_wrong_override_says_what_was_found(overrides, message):
    with pytest.raises(ValueError, match=message):
        config.load("quick", overrides)


def test_unknown_preset_suggests():
    with pytest.raises(ValueError, match="did you mean 'quick'"):
        config.load("quik")


def test_toml_overrides(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text("seed = 5\n[audio]\nsample_rate = 8000\n")
    assert config.read_overrides(file) == {"seed": 5, "audio.sample_rate": 8000}
    file.write_text("[audio\n")
    with pytest.raises(ValueError, match="not valid TOML.*line 1"):
        config.read_overrides(file)
    with pytest.raises(FileNotFoundError, match="--set"):
        config.read_overrides(tmp_path / "absent.toml")


def test_set_needs_an_equals_sign():
    assert config.parse_set(["a.b=1=2"]) == {"a.b": "1=2"}
    with pytest.raises(ValueError, match="name=value"):
        config.parse_set(["audio.trim"])


def test_how_to_run_changes_no_folder_name():
    assert config.load("quick", {"run.jobs": 2, "run.force": True}).run_name == "quick"
    named = config.load("quick", {"seed": 1}).run_name
    assert named == "quick+seed=1"
    assert named == config.load("quick", {"seed": "1", "run.jobs": 3}).run_name
    assert named != config.load("quick", {"seed": 2}).run_name


def test_a_folder_names_few_changes_and_hides_many_behind_a_fingerprint():
    two = {"baselines.fresh_splits": 2, "seed": 1}
    assert config.load("full", two).run_name == "full+baselines.fresh_splits=2+seed=1"
    assert config.load("full", {"training.seeds": "5"}).run_name == "full+training.seeds=5"
    url = {"tuning.storage": "sqlite:///a/b.db"}
    for hidden in ({"benchmark.features": ["summary"]}, url, {**two, "audio.trim": False}):
        name = config.load("full", hidden).run_name
        assert re.fullmatch(r"full\+[0-9a-f]{8}", name), name


def test_fingerprint_of_a_list_that_comes_in_parts():
    rows = [[f"clip {number}", "ü", "", number] for number in range(10)]
    assert config.fingerprint_of_parts([rows[:3], [], rows[3:9], rows[9:]]) == config.fingerprint(rows)
    assert config.fingerprint_of_parts([]) == config.fingerprint([])


def test_fingerprint_sees_dataclasses_by_value():
    one, other = config.Audio(), dataclasses.replace(config.Audio(), sample_rate=8000)
    assert config.fingerprint({"a": one}) == config.fingerprint({"a": config.Audio()})
    assert config.fingerprint({"a": one}) != config.fingerprint({"a": other})


def test_each_purpose_has_its_own_stream():
    settings = config.load("demo")
    first = config.rng(settings, "folds").integers(0, 1 << 30, 5)
    assert np.array_equal(first, config.rng(settings, "folds").integers(0, 1 << 30, 5))
    assert not np.array_equal(first, config.rng(settings, "models").integers(0, 1 << 30, 5))
    other = config.load("demo", {"seed": 1})
    assert config.random_state(settings, "folds") != config.random_state(other, "folds")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("evaluation.n_bootstrap", "-2", "must be 1 or more, found '-2'"),
        ("audio.max_length", "0", "must be 0.1 or more, found '0'"),
        ("audio.trim_top_db", "-40", "must be 0 or more"),
        ("training.validation_share", "1.5", r"must lie between 0 and 1, such as 0\.1; found '1\.5'"),
        ("evaluation.calibration_bins", "0", "must be 1 or more"),
        ("baselines.inner_folds", "1", "must be 2 or more"),
    ],
)
def test_numbers_that_no_study_can_use_are_refused_with_what_can(name, value, words):
    with pytest.raises(ValueError, match=words):
        config.load("demo", {name: value})


def test_every_number_of_every_preset_is_in_its_range():
    for preset in config.PRESETS:
        chosen = config.load(preset)
        for name in config.setting_names():
            value = functools.reduce(getattr, name.split("."), chosen)
            assert config.load(preset, {name: value}).preset == preset
