"""Folds of the rebuilt student projects: their counts, their supports, and what never crosses."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from test_splits import FOLDS, crema_d, ravdess, table, tess

from ser_study import schema, splits
from ser_study.config import Config
from ser_study.experiments import baselines
from ser_study.experiments.folds import with_variants
from ser_study.splits import units

CONFIG = Config()
# Test supports as the authors' own notebooks print them (E000 in alphabetical order of its seven classes).
SUPPORTS_000 = {
    "test": {"angry": 129, "disgust": 120, "fearful": 116, "happy": 112, "neutral": 147, "sad": 110, "surprised": 114},
    "train": {"angry": 463, "disgust": 472, "fearful": 476, "happy": 480, "neutral": 541, "sad": 482, "surprised": 478},
}
SUPPORTS_002 = (
    "angry 30/34, calm 34/44, disgust 20/13, fearful 40/40, happy 42/37, neutral 13/22, sad 39/41, surprised 20/22"
)


def savee() -> pd.DataFrame:
    """480 names of the form the corpus has."""
    counts = {"a": 15, "d": 15, "f": 15, "h": 15, "n": 30, "sa": 15, "su": 15}
    words = {"a": "angry", "d": "disgust", "f": "fearful", "h": "happy", "n": "neutral", "sa": "sad", "su": "surprised"}
    rows = [
        {
            "clip_id": f"savee/{who}_{code}{number:02d}",
            "corpus": "savee",
            "emotion": words[code],
            "speaker": f"savee/{who}",
            "gender": "male",
            "channel": "speech",
        }
        for who in ("DC", "JE", "JK", "KL")
        for code, n in counts.items()
        for number in range(1, n + 1)
    ]
    return table(rows)


@pytest.fixture(scope="module")
def names() -> pd.DataFrame:
    """All names of RAVDESS, TESS, CREMA-D and SAVEE; every clip sounds different."""
    clips = pd.concat([ravdess(), tess(), crema_d(), savee()], ignore_index=True)
    return clips.assign(sha256=clips["clip_id"], silent=False)


def of(name: str, names: pd.DataFrame, *, without: tuple[str, ...] = ()) -> tuple[pd.DataFrame, pd.Series]:
    """Clips and classes of a project, as ``selections.load_baseline_selection`` picks them."""
    project = next(one for one in baselines.BASELINES.values() if one.split == name)
    listed = splits.LISTS[splits.RECIPES[name].published]
    clips = names[names["corpus"].isin(set(listed.corpora) - set(without)) & ~names["emotion"].isin(listed.drops)]
    if listed.speech_only:
        clips = clips[clips["channel"] != "song"]
    return clips.reset_index(drop=True), schema.labels(clips.reset_index(drop=True), project.scheme)


def made(kind: str, name: str, names: pd.DataFrame, *, without=(), **options) -> tuple[pd.DataFrame, pd.DataFrame]:
    clips, classes = of(name, names, without=without)
    folds = splits.rebuilt(kind, name, clips, classes, config=CONFIG, folder=FOLDS, **options)
    return folds.merge(clips.assign(truth=classes), on="clip_id"), clips


def test_corpora_have_the_published_counts(names):
    """Specification §8.1; IEMOCAP's and JL's share of 18,070 is in the list itself."""
    assert len(of("000", names)[0]) == 4240
    assert len(of("001", names)[0]) == 4528
    calm = names[names["corpus"].isin(["ravdess", "tess", "savee"]) & (names["channel"] != "song")]
    assert len(calm) == 4720
    assert len(of("002a", names)[0]) == len(of("003", names)[0]) == 2452
    sizes = of("004", names)[0].groupby("corpus").size().to_dict()
    assert sizes == {"crema_d": 7442, "ravdess": 1248, "tess": 2400}
    assert 2400 + 7442 + 2 * 1248 + 1200 + 4532 == 18_070  # with RAVDESS twice, JL and IEMOCAP
    listed = splits.listed("004", folder=FOLDS)["times"].sum()
    assert listed == 18_070 - 14_456


@pytest.mark.parametrize(
    ("name", "train", "test"),
    [("000", 3392, 848), ("001", 3396, 1132), ("002a", 1961, 491), ("002b", 1961, 491), ("004", 11_090 - 2435, 2435)],
)
def test_list_gives_the_published_sizes_and_a_fifth_of_training_is_validation(names, name, train, test):
    folds, _ = made("baseline_list", name, names)
    sizes = Counter(folds["role"])
    assert sizes["test"] == test
    assert sizes["train"] + sizes["validation"] == train
    assert abs(sizes["validation"] / train - 0.2) < 0.002
    assert folds["clip_id"].is_unique


def test_training_rows_of_001_triple(names):
    """Specification §8.4: 10,188 = 3 × 3,396 rows, when nothing is held for validation."""
    folds, _ = made("baseline_list", "001", names)
    folds = folds.assign(role=folds["role"].replace("validation", "train"))[list(schema.FOLD_COLUMNS)]
    rows = with_variants(folds, (1, 3))
    assert (rows["role"] == "train").sum() == 10_188
    assert set(rows.loc[rows["role"] == "test", "variant"]) == {0}


def test_supports_are_those_the_authors_printed(names):
    folds, _ = made("baseline_list", "000", names)
    merged = folds.assign(role=folds["role"].replace("validation", "train"))
    assert {role: part["truth"].value_counts().to_dict() for role, part in merged.groupby("role")} == SUPPORTS_000
    folds, _ = made("baseline_list", "002a", names)
    counts = folds.loc[folds["role"] == "test", "truth"].value_counts()
    for entry in SUPPORTS_002.split(", "):
        emotion, _, both = entry.partition(" ")
        assert f"{counts[f'{emotion}_female']}/{counts[f'{emotion}_male']}" == both


def test_stratified_quarter_of_001_has_163_of_each_class(names):
    folds, _ = made("baseline_list", "001", names)
    counts = folds.loc[folds["role"] == "test", "truth"].value_counts().to_dict()
    assert counts == {**dict.fromkeys(set(SUPPORTS_000["test"]) - {"neutral"}, 163), "neutral": 154}


def test_003_holds_whole_actors(names):
    folds, _ = made("baseline_list", "003", names)
    assert Counter(folds["role"]) == {"train": 1828, "validation": 312, "test": 312}
    actors = {role: sorted(part["speaker"].unique()) for role, part in folds.groupby("role")}
    assert actors["test"] == ["ravdess/11", "ravdess/14", "ravdess/15"]
    assert actors["validation"] == ["ravdess/08", "ravdess/19", "ravdess/24"]
    inner, _ = made("baseline_inner", "003", names)
    assert {role: sorted(part["speaker"].unique()) for role, part in inner.groupby("role")} == {
        "train": actors["train"],
        "test": actors["validation"],
    }


@pytest.mark.parametrize("name", list(splits.RECIPES))
def test_inner_folds_never_touch_the_test_part(names, name):
    listed, _ = made("baseline_list", name, names)
    inner, _ = made("baseline_inner", name, names)
    tested_by_list = set(listed.loc[listed["role"] == "test", "clip_id"])
    assert tested_by_list
    assert not tested_by_list & set(inner["clip_id"])
    tested = inner[inner["role"] == "test"]
    assert tested["clip_id"].is_unique
    if name != "003":
        assert set(tested["clip_id"]) == set(listed["clip_id"]) - tested_by_list


@pytest.mark.parametrize("name", list(splits.RECIPES))
@pytest.mark.parametrize("without", [(), ("savee",)])
def test_nobody_is_on_both_sides_of_the_leak_free_folds(names, name, without):
    """Specification §8.7: speaker, take and copy, in every fold; and everyone is tested once."""
    folds, clips = made("baseline_speakers", name, names, without=without)
    for _, fold in folds.groupby("fold"):
        for unit in ("speaker", "take", "duplicate"):
            parts = [set(part[units.UNITS[unit]]) for _, part in fold.groupby("role")]
            assert sum(map(len, parts)) == len(set.union(*parts)), unit
    tested = folds[folds["role"] == "test"]
    assert tested["clip_id"].is_unique
    assert set(tested["clip_id"]) == set(clips.loc[of(name, names, without=without)[1].notna(), "clip_id"])


@pytest.mark.parametrize("name", list(splits.RECIPES))
def test_no_sentence_is_on_both_sides_and_voices_are(names, name):
    """Specification §7: word- and sentence-disjoint; SAVEE's sentences are unknown, so its clips take no part."""
    folds, clips = made("baseline_sentences", name, names)
    assert "savee" not in set(folds["corpus"])
    for _, fold in folds.groupby("fold"):
        parts = [set(part["statement"]) for _, part in fold.groupby("role")]
        assert sum(map(len, parts)) == len(set.union(*parts))
        test, train = (set(fold.loc[fold["role"] == role, "speaker"]) for role in ("test", "train"))
        assert test <= train
    tested = folds.loc[folds["role"] == "test", "clip_id"]
    truth = of(name, names)[1]
    assert tested.is_unique
    assert set(tested) == set(clips.loc[(truth.notna() & (clips["corpus"] != "savee")).to_numpy(), "clip_id"])


@pytest.mark.parametrize("name", ["000", "001", "004"])
def test_every_corpus_is_tested_by_a_model_of_the_others(names, name):
    folds, clips = made("baseline_corpora", name, names)
    assert folds["fold"].nunique() == clips["corpus"].nunique()
    for _, fold in folds.groupby("fold"):
        corpora = {role: set(part["corpus"]) for role, part in fold.groupby("role")}
        assert len(corpora["test"]) == 1
        assert not corpora["test"] & (corpora["train"] | corpora["validation"])
        assert set(clips["corpus"]) == corpora["test"] | corpora["train"] | corpora["validation"]
    assert set(folds.loc[folds["role"] == "test", "clip_id"]) == set(folds["clip_id"])


def test_one_corpus_cannot_be_tested_by_others(names):
    with pytest.raises(ValueError, match="Only ravdess is here; another corpus is needed"):
        made("baseline_corpora", "002a", names)


def test_rotation_tests_the_published_actors_first_and_everyone_once(names):
    folds, _ = made("baseline_speakers", "003", names)
    parts = [sorted(part["speaker"].unique()) for _, part in folds[folds["role"] == "test"].groupby("fold")]
    assert len(parts) == 8
    assert all(len(part) == 3 for part in parts)
    assert parts[0] == ["ravdess/11", "ravdess/14", "ravdess/15"]
    assert len(set(sum(parts, []))) == 24


def test_copies_of_a_listed_clip_leave_training(names):
    listed, _ = made("baseline_list", "000", names)
    test = listed.loc[listed["role"] == "test", "clip_id"].iloc[0]
    train = listed.loc[listed["role"] == "train", "clip_id"].iloc[0]
    copied = names.assign(sha256=names["sha256"].where(names["clip_id"] != train, test))
    for kind in ("baseline_list", "baseline_fresh", "baseline_inner"):
        folds, _ = made(kind, "000", copied)
        roles = folds.loc[folds["clip_id"].isin([test, train])].groupby("fold")["role"].agg(set)
        assert roles.map(lambda role: len(role) == 1).all(), kind
    clean, _ = made("baseline_speakers", "000", copied)
    assert {test, train} & set(clean["clip_id"]) == {min(test, train)}


def test_fresh_splits_differ_and_keep_the_recipe(names):
    drawn = [made("baseline_fresh", "001", names, draw=draw)[0] for draw in (0, 1, 0)]
    tests = [set(folds.loc[folds["role"] == "test", "clip_id"]) for folds in drawn]
    assert tests[0] == tests[2] != tests[1]
    assert len(tests[0]) == len(tests[1]) == 1132
    counts = drawn[1].loc[drawn[1]["role"] == "test", "truth"].value_counts()
    assert set(counts) == {154, 163}
    actors, _ = made("baseline_fresh", "003", names, draw=4)
    assert actors.loc[actors["role"] == "test", "speaker"].nunique() == 3


def test_remade_list_is_the_last_of_two_stratified_shuffles(names):
    from sklearn.model_selection import StratifiedShuffleSplit

    clips, classes = of("002b", names)
    order = np.argsort(clips["clip_id"].to_numpy(str))
    parts = StratifiedShuffleSplit(2, test_size=0.2, random_state=11).split(order, classes.to_numpy()[order])
    wanted = set(clips["clip_id"].to_numpy()[order][list(parts)[-1][1]])
    folds, _ = made("baseline_list", "002b", names)
    assert set(folds.loc[folds["role"] == "test", "clip_id"]) == wanted


def test_unknown_names_are_refused(names):
    clips, classes = of("000", names)
    with pytest.raises(ValueError, match="No split 'baseline_list' of '007'; known: baseline_list"):
        splits.rebuilt("baseline_list", "007", clips, classes, config=CONFIG, folder=Path())
