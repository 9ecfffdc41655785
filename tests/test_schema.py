"""The shared words: label schemes and the checks of the contracts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ser_study import schema
from ser_study.wording import interval, listed, p_text, share, signed, word


def clips(**changes) -> pd.DataFrame:
    row = dict.fromkeys(schema.CLIP_COLUMNS)
    row |= {"clip_id": "own/a", "corpus": "own", "emotion": "calm", "speaker": "own/1", "gender": "female"}
    return pd.DataFrame([row | changes])


@pytest.mark.parametrize(
    ("scheme", "n_classes", "calm"),
    [
        ("8", 8, "calm"),
        ("7_calm_merged", 7, "neutral"),
        ("7_calm_dropped", 7, None),
        ("6", 6, "neutral"),
        ("6_common", 6, None),
        ("4", 4, None),
        ("16", 16, "calm_female"),
    ],
)
def test_schemes_have_their_classes_and_say_what_they_drop(scheme, n_classes, calm):
    chosen = schema.SCHEMES[scheme]
    n = len(set(chosen.classes.values())) * (2 if chosen.by_gender else 1)
    assert n == n_classes
    found = schema.labels(clips(), scheme).iloc[0]
    assert found == calm if calm else pd.isna(found)
    assert set(chosen.drops) == set(schema.EMOTIONS) - set(chosen.classes)


def test_excited_counts_as_happy_in_four_classes_only():
    excited = clips(emotion="excited")
    assert schema.labels(excited, "4").iloc[0] == "happy"
    assert pd.isna(schema.labels(excited, "6").iloc[0])
    with pytest.raises(ValueError, match="Unknown label scheme '5'"):
        schema.labels(excited, "5")


def test_unknown_gender_has_no_class_among_sixteen():
    assert pd.isna(schema.labels(clips(gender=None), "16").iloc[0])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"emotion": "cross"}, "Unknown emotions.*cross"),
        ({"speaker": "1"}, "speaker '1' lacks the prefix"),
        ({"clip_id": "a"}, "clip_id 'a' lacks the prefix"),
    ],
)
def test_clips_check(changes, message):
    assert schema.check_clips(clips()).columns.tolist() == list(schema.CLIP_COLUMNS)
    with pytest.raises(ValueError, match=message):
        schema.check_clips(clips(**changes))


def test_clip_ids_are_unique():
    with pytest.raises(ValueError, match="own/a"):
        schema.check_clips(pd.concat([clips(), clips()]))
    with pytest.raises(ValueError, match="lacks take"):
        schema.check_clips(clips().drop(columns="take"))


def test_predictions_check():
    table = pd.DataFrame([dict.fromkeys(schema.PREDICTION_COLUMNS, "x") | {"role": "test", "p_a": 0.4, "p_b": 0.6}])
    schema.check_predictions(table)
    with pytest.raises(ValueError, match="sum to between 0.9000"):
        schema.check_predictions(table.assign(p_b=0.5))
    with pytest.raises(ValueError, match="train"):
        schema.check_predictions(table.assign(role="train"))
    with pytest.raises(ValueError, match="lacks truth"):
        schema.check_predictions(table.drop(columns="truth"))


def test_words():
    assert word("linear_svm") == "linear SVM"
    assert word("new_thing") == "new thing"
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert share(0.5713) == ".571"
    assert share(-0.02) == "−.020"
    assert share(1.0) == "1.000"
    assert interval(0.5, 0.4, 0.6) == ".500 [.400, .600]"
    assert interval(0.5, np.nan, np.nan) == ".500"
    assert p_text(0.0004) == "< .001"
    assert p_text(0.047) == "= .047"


def test_a_number_half_way_does_not_hang_on_its_last_bits():
    near = [-18.75, np.nextafter(-18.75, 0), np.nextafter(-18.75, -20)]
    assert {signed(value) for value in near} == {"−18.8"}
    assert {share(value / 100) for value in near} == {"−.188"}
