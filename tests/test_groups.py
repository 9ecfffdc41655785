"""Gaps between groups: values worked by hand, tests that find a planted gap and no other, and what may be claimed."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from ser_study.chapters.testing import groups as section
from ser_study.chapters.testing import groups_figures, groups_text
from ser_study.evaluation import comparisons, groups, intervals
from ser_study.evaluation.groups import Answers

TRUTH = np.array([0, 0, 1, 1, 0, 0, 1, 1])
RIGHT = np.array([1.0, 0, 1, 1, 0, 0, 1, 0])
IN_A = np.array([True] * 4 + [False] * 4)


def answers(right=RIGHT, truth=TRUTH) -> Answers:
    return Answers(truth, np.asarray(right, float), np.ones(len(truth)))


def speakers(n: int, n_clips: int = 8) -> np.ndarray:
    return np.repeat([f"emodb/{number:02d}" for number in range(n)], n_clips)


def test_a_gap_by_hand():
    """Group a: recalls ½ and 1; group b: 0 and ½."""
    drawn = intervals.Resamples(np.array([0, 1, 2, 3] * 2), 1.0 - np.eye(4), intervals.JACKKNIFE)
    gap = groups.gap(answers(), IN_A, ~IN_A, drawn)
    assert (gap.value_a, gap.value_b, gap.difference) == pytest.approx((0.75, 0.25, -0.5))
    assert gap.interval.low <= gap.difference <= gap.interval.high
    nobody = groups.gap(answers(), IN_A, np.zeros(8, bool), drawn)
    assert np.isnan([nobody.value_b, nobody.difference, nobody.interval.low]).all()


def test_a_gap_from_a_group_of_one_speaker_has_no_jackknife_limits():
    unit = np.array([0, 0, 0, 0, 1, 2, 3, 3])
    gap = groups.gap(answers(), IN_A, ~IN_A, intervals.Resamples(unit, 1.0 - np.eye(4), intervals.JACKKNIFE))
    assert gap.difference == pytest.approx(-0.5)
    assert np.isnan([gap.interval.low, gap.interval.high]).all()


def test_a_gap_without_limits_has_a_sentence_and_a_mark(small_study):
    table = several_speakers(small_study, 24, gap=0.3).assign(corpus="emodb", system="two encoders")
    table = table.assign(low=np.nan, high=np.nan)
    finding = groups_text.gaps_finding(table)
    assert "points, p (Holm)" in finding
    assert groups_figures.gaps(table) is not None


def test_several_answers_a_clip_are_weighed():
    """Of one class, 3 of 4 and 1 of 4 answers are right: 4 of 8, and the other class 1 of 2."""
    given = Answers(np.array([0, 0, 1]), np.array([3.0, 1, 1]), np.array([4.0, 4, 2]))
    sums = groups.tally(given, np.ones(3, bool), np.zeros(3, int), 1)
    assert groups.uar(sums)[0] == 0.5
    assert groups.uar(np.array([[[3, 0, 1]], [[4, 0, 2]]]))[0] == 0.625  # a class without an answer is left out


def test_only_classes_and_sentences_of_both_sides_are_compared():
    truth = np.array(["angry", "angry", "neutral", "angry", "sad", "sad"])
    sentence = np.array(["x", "y", "x", "x", "x", "y"])
    in_a = np.array([True, True, True, False, False, False])
    a, b = groups.comparable(in_a, ~in_a, truth, sentence)
    assert (a | b).nonzero()[0].tolist() == [0, 3]  # sad and neutral first, then nobody is left to say y in b
    a, _ = groups.comparable(in_a, ~in_a, truth, np.array(["x", None, "x", "x", "x", "x"], object))
    assert a.nonzero()[0].tolist() == [0, 1]  # an unknown sentence cannot be matched


def test_groups_of_speakers_are_permuted():
    random, who = np.random.default_rng(3), speakers(24)
    truth, second = np.tile(TRUTH, 24), np.isin(who, np.unique(who)[:12])
    right = random.random(len(truth)) < np.where(second, 0.9, 0.4)
    options = {"n_permutations": 500, "rng": random}
    test = groups.permutation_test(answers(right, truth), ~second, second, who, **options)
    assert test.p == 1 / 501
    assert test.statistic > 0.3
    same = groups.permutation_test(answers(np.tile(RIGHT, 24), truth), ~second, second, who, **options)
    assert (same.statistic, same.p) == (0, 1)
    with pytest.raises(ValueError, match="in one of the two"):
        groups.permutation_test(answers(right, truth), ~second, np.ones(len(truth), bool), who, **options)


def test_without_a_gap_one_test_in_twenty_is_below_05():
    random, who = np.random.default_rng(5), speakers(20)
    truth, second = np.tile(TRUTH, 20), np.isin(who, np.unique(who)[:10])
    p = []
    for _ in range(200):
        level = np.repeat(random.uniform(0.3, 0.9, 20), 8)  # some speakers are harder than others
        right = random.random(len(truth)) < level
        options = {"n_permutations": 99, "rng": random}
        p.append(groups.permutation_test(answers(right, truth), ~second, second, who, **options).p)
    assert 0.015 <= np.mean(np.array(p) <= 0.05) <= 0.1


def test_speakers_own_gaps_take_the_classes_that_each_has_on_both_sides():
    who = np.array(["a"] * 4 + ["b"] * 4)
    inside = np.array([False, True] * 4)
    gaps = groups.speaker_gaps(answers(), ~inside, inside, who)
    assert gaps.tolist() == [-0.5, -0.5]  # a: 1 → 0 and 1 → 1; b: 0 → 0 and 1 → 0
    alone = groups.speaker_gaps(answers(), ~inside & (who == "a"), inside & (who == "b"), who)
    assert len(alone) == 0


def test_listeners_answers_clip_by_clip():
    clips = pd.DataFrame(
        {
            **{"clip_id": list("abcd"), "corpus": ["crema_d", "emodb", "emodb", "iemocap"], "emotion": "sad"},
            **{"human_votes": ['{"sad": 3, "angry": 1}', None, None, '{"sad": 3}']},
            "human_recognition": [0.75, 0.9, np.nan, 1.0],
        }
    )
    given = comparisons.listener_answers(clips)
    assert given.to_dict("index") == {0: {"hits": 3, "answers": 4}, 1: {"hits": 0.9, "answers": 1}}


def clips_of(**columns) -> pd.DataFrame:
    n = len(next(iter(columns.values())))
    empty = dict.fromkeys((*section.OF_SPEAKERS, *section.OF_CLIPS, "speaker"), pd.Series([None] * n, dtype="str"))
    return pd.DataFrame(empty | {name: pd.Series(values) for name, values in columns.items()})


def named(pairs) -> list[tuple[str, str]]:
    return [(pair.group, pair.against) for pair in pairs]


def test_which_groups_are_compared():
    who = ["a", "b", "c", "d"]
    assert named(section.compared(clips_of(speaker=who, gender=["male", "female"] * 2))) == [("male", "female")]
    assert section.compared(clips_of(speaker=["a"] * 4, gender=["male", "female"] * 2)) == []  # of one speaker
    graded = clips_of(speaker=who, intensity=["strong", "normal", "unspecified", "low"])
    assert named(section.compared(graded)) == [("normal", "low"), ("strong", "low")]
    ages = clips_of(speaker=who, age=[29.0, 30.0, 60.0, np.nan])
    assert named(section.compared(ages)) == [
        ("under 30", "others"), ("30 to 44", "others"), ("60 and over", "others"),
    ]  # fmt: skip
    assert [pair.outside.tolist() for pair in section.compared(ages)][0] == [False, True, True, False]
    many = clips_of(speaker=["a"] * 13, statement=[f"tess/{number:02d}" for number in range(13)])
    assert section.compared(many) == []
    assert named(section.compared(many.head(2))) == [("01", "00")]


def several_speakers(study, n: int, gap: float):
    """Clips of n speakers, half of them women, and which are predicted right; women less often by ``gap``."""
    random, who = np.random.default_rng(1), speakers(n, 24)
    sexes = np.where(pd.factorize(who)[0] % 2, "male", "female")
    truth = np.tile(np.repeat([0, 1, 2], 8), n)
    own = clips_of(speaker=who, gender=sexes, intensity=np.tile(["normal", "strong"], 12 * n))
    own = own.assign(corpus="emodb", clip_id=np.arange(len(who)).astype(str), human_recognition=0.8, human_votes=None)
    own = own.assign(emotion="sad")
    right = random.random(len(who)) < np.where(sexes == "female", 0.8 - gap, 0.8)
    return section._corrected(section._gaps(own, truth, right, section.compared(own), study))


def test_a_planted_gap_is_found_beside_the_listeners_who_have_none(small_study):
    table = several_speakers(small_study, 24, gap=0.3).set_index("attribute")
    assert table.loc["gender", "p_holm"] < 0.05
    assert 0.15 < table.loc["gender", "low"] < table.loc["gender", "difference"] < 0.45
    assert table.loc["intensity", "p"] > 0.05
    assert table["listeners_difference"].to_numpy() == pytest.approx(0)
    assert table.loc["gender", ["n", "n_speakers"]].tolist() == [288, 12]
    assert (table["p_holm"] >= table["p"]).all()


def test_few_speakers_are_shown_without_a_claim(small_study):
    table = several_speakers(small_study, 8, gap=0.6)
    assert table["p"].isna().all()
    assert set(table["note"]) == {section.NO_CLAIM}
    assert table["difference"].notna().all()
    table = table.assign(corpus="emodb", system="two encoders")
    assert "none has the 10 speakers" in groups_text.gaps_title(table)
    assert groups_text.gaps_finding(table) == ""
    (ax,) = groups_figures.gaps(table).axes
    assert all(text.get_fontweight() == "normal" for text in ax.texts if text.get_text().startswith(("+", "−")))


def test_the_section_on_a_small_study(small_study):
    table, spread = section.gaps(small_study), section.spread(small_study)
    assert list(table.columns) == list(section.COLUMNS)
    assert {"gender", "intensity", "statement"} == set(table["attribute"])
    row = spread.iloc[0]
    assert row["worst"] <= row["median"] <= row["best"]
    assert groups_text.spread(spread).finding
    drawn = groups_text.drawn_rows(table)
    assert "statement" not in set(drawn["attribute"])  # three sentences, each against the others
    assert groups_text.gaps_figure(table).alt.count(";") == len(drawn) - 1


def test_without_groups_there_is_a_sentence(small_study):
    nothing = small_study.only([])
    table, spread = section.gaps(nothing), section.spread(nothing)
    assert groups_figures.gaps(table) is None
    assert groups_text.gaps_figure(table).empty
    assert groups_text.spread(spread).finding == ""


def test_speech_and_song_are_compared_with_equal_options(small_study, monkeypatch):
    """The classes of both only, and of these the likeliest, whatever else a system would have answered."""
    rows = pd.DataFrame(
        {"truth": ["sad", "happy", "bored"], "prediction": ["bored"] * 3}
        | {"p_bored": 0.6, "p_happy": [0.1, 0.3, 0.1], "p_sad": [0.3, 0.1, 0.3]}
    )
    among = section._among(rows, ["happy", "sad"])
    assert among["prediction"].tolist() == ["sad", "happy"]
    part = small_study.selections["synthetic"]
    clips = part.clips.assign(corpus="ravdess")
    for column in ("clip_id", "speaker", "statement"):
        clips[column] = clips[column].str.replace("synthetic/", "ravdess/")
    sung = clips.assign(channel="song", clip_id=clips["clip_id"] + "-song", path=clips["path"])
    predictions = small_study.predictions(next(iter(section.declare.systems(small_study)["synthetic"].values())))
    spoken = predictions.assign(clip_id=predictions["clip_id"].str.replace("synthetic/", "ravdess/"))
    tables = {"ravdess-speech": spoken, "ravdess-song": spoken.assign(clip_id=spoken["clip_id"] + "-song")}
    parts = {
        "ravdess-speech": dataclasses.replace(part, name="ravdess-speech", clips=clips.assign(channel="speech")),
        "ravdess-song": dataclasses.replace(part, name="ravdess-song", clips=sung),
    }
    both = small_study._with(parts)
    monkeypatch.setattr(type(both), "predict", lambda self, chosen: {one: tables[one.selection] for one in chosen})
    table = section._channels(both)
    assert table[["corpus", "attribute", "group", "against"]].to_numpy().tolist() == [
        ["ravdess", "channel", "speech", "song"]
    ]
    assert table["difference"].iloc[0] == pytest.approx(0)  # the same predictions for both


def test_words_count_what_is_drawn_and_groups_of_speakers_first():
    """Two systems with a gap of gender each, one also of intensity; the title counts the larger one alone."""
    row = {"corpus": "crema_d", "attribute": "gender", "group": "male", "against": "female", "difference": -0.02}
    row |= {"low": -0.05, "high": 0.01, "p_holm": 0.4, "listeners_difference": np.nan, "system": "two encoders"}
    strong = {"attribute": "intensity", "group": "strong", "against": "normal", "difference": 0.1, "low": 0.05}
    table = pd.DataFrame([row, row | strong | {"high": 0.15, "p_holm": 0.01}, row | {"system": "one encoder"}])
    assert groups_text.gaps_title(table) == (
        "Two encoders: of 2 gaps tested here, 1 is beyond chance after Holm's correction"
    )
    first, second = groups_text.gaps_finding(table).splitlines()
    assert first == (
        "- **Groups of speakers** (gender): none of 2 gaps tested over all systems is beyond chance after Holm's "
        "correction."
    )
    assert second.startswith("- **CREMA-D**: 1 gap beyond chance; the largest is intensity strong − normal, two enc")
    few = pd.concat([table, table.iloc[[0, 0]].assign(p_holm=np.nan)])
    assert (
        groups_text.gaps_finding(few)
        .splitlines()[0]
        .endswith("beyond chance after Holm's correction (2 more are not tested: a side has fewer than 10 speakers).")
    )
    only = groups_text.gaps_finding(table.iloc[[0]])
    assert only.endswith("no tested gap is beyond chance after Holm's correction.")
    assert "of 1 gap tested here, none is beyond" in groups_text.gaps_title(table.iloc[[0]])


def test_the_widest_spread_is_by_the_sd_of_enough_speakers():
    rows = [
        ("savee", "two encoders", 0.1, 0.5, 1.0, 0.4, 4),
        ("emodb", "two encoders", 0.5, 0.8, 0.95, 0.11, 10),
        ("crema_d", "two encoders", 0.2, 0.6, 0.9, 0.09, 91),
        ("emodb", section.LISTENERS, 0.8, 0.9, 0.97, 0.04, 10),
    ]
    table = pd.DataFrame(rows, columns=list(section.SPREAD))
    assert groups_text.spread(table).finding == (
        "Of the selections with 10 speakers or more, the widest spread is that of two encoders on EMO-DB: .500 on the "
        "worst and .950 on the best speaker of 10, sd .110. Listeners on the same speakers: .800 on the worst and .970 "
        "on the best speaker."
    )
    assert "No selection has the 10 speakers" in groups_text.spread(table.iloc[:1]).finding
