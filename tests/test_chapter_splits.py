"""Chapter 03: tables, sentences and figures on splits and leakage."""

from __future__ import annotations

import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from figure_checks import check_figure

from ser_study import config as settings
from ser_study.chapters.splits import declare, figures, steps, tables, text
from ser_study.experiments import benchmark
from ser_study.plotting import palette
from ser_study.study import Study
from ser_study.wording import share

CORPORA = ("ravdess-speech", "tess", "crema_d", "a_corpus_of_my_own_with_a_long_name")
CHANCE = {"ravdess-speech": 0.125, "tess": 1 / 7, "crema_d": 1 / 6}
EIGHT = ("angry", "calm", "disgust", "fearful", "happy", "neutral", "sad", "surprised")


def random(*purpose: int) -> np.random.Generator:
    return np.random.default_rng([7, *purpose])


# Tables


def test_examples_name_their_speakers(small_study):
    part = small_study.selections["synthetic"]
    own = replace(part, name="emodb", clips=part.clips.assign(speaker=None, take=None))
    both = Study(small_study.config, small_study.store, {"emodb": own, "synthetic": part})
    assert both.example()[1] == "synthetic"
    nobody = both.only(["emodb"]).example()  # where no speaker is named, the built-in corpus stands in
    assert (nobody[1], list(nobody[0].selections)) == ("synthetic", ["synthetic"])
    protocols = set(tables.example_folds(both, "synthetic")["protocol"])
    assert protocols >= {"random", "take_disjoint", "speaker_independent", "speaker_and_sentence"}


def test_ladder_has_its_steps_at_one_size(small_study):
    scores = tables.ladder(small_study)
    equal = scores[scores["size"] == "equal"].set_index("protocol")
    assert equal.drop("random_augmented")["n_train"].nunique() == 1
    assert set(equal.index) >= {"random_augmented", "random", "take_disjoint", "speaker_independent"}
    value = equal["value"]
    assert value["random"] > value["speaker_independent"] > 1 / 6
    costs = steps.costs(small_study).set_index(["step_from", "step_to"])
    step = costs.loc[("random", "speaker_independent")]
    assert step["difference"] == pytest.approx(value["speaker_independent"] - value["random"], abs=1e-9)
    summary = tables.ladder_summary(scores).set_index("protocol")
    assert summary.loc["random", "equal size"].startswith(share(value["random"]))
    assert list(summary.index) == list(dict.fromkeys(scores["protocol"]))


def test_folds_of_the_ladder_are_measured_once_a_study(small_study, monkeypatch):
    measured, real = [], tables.folds.smallest_training
    monkeypatch.setattr(tables.folds, "smallest_training", lambda *a, **b: measured.append(1) or real(*a, **b))
    for study in (small_study.only(["synthetic"]), small_study.only(["synthetic"])):
        assert tables.equal_ladder(study) == tables.equal_ladder(study)
        assert set(tables.equal_sizes(study)) == {"synthetic"}
    assert len(measured) == 2


def test_single_speakers_stand_at_the_size_of_the_ladder(small_study):
    each = tables.ladder_speakers(small_study)
    speakers = small_study.clips("synthetic")["speaker"].unique()
    assert each["speaker"].tolist() == sorted(speakers)
    assert np.allclose(each["change"], each["speaker_independent"] - each["random"])
    equal = tables.ladder(small_study).set_index(["protocol", "size"])
    assert set(each["n_train"]) == {equal.loc[("random", "equal"), "n_train"]}
    assert each["change"].mean() < 0


def test_counted_leaks_follow_the_declaration(small_study):
    shared = steps.shared_units(small_study).set_index("protocol")
    assert shared.loc["random", "speaker"] == 1
    assert shared.loc["random", "take"] > 0.3
    assert shared.loc["take_disjoint", "take"] == 0
    assert shared.loc["sentence_independent", "statement"] == 0
    assert shared.loc["speaker_independent", "speaker"] == 0
    assert (shared.loc["speaker_and_sentence", ["speaker", "statement", "take"]] == 0).all()
    assert "n_train" not in shared, "training clips stand in the ladder's table, and only there"


def test_curve_ends_one_speaker_below_all_and_is_empty_without_speakers(small_study):
    assert {one.train_speakers for one in declare.curve(small_study)} == {2, 4}  # of 2, 4, 6: five are left to train on
    scores = tables.curve(small_study)
    assert scores["train_speakers"].tolist() == [2, 4]
    part = small_study.selections["synthetic"]
    one = replace(part, clips=part.clips.assign(speaker="synthetic/01"))
    alone = tables.curve(Study(small_study.config, small_study.store, {"synthetic": one}))
    assert alone.empty
    assert figures.curve(alone, {}) is None
    assert "speakers" in text.curve(alone).empty


def test_one_corpus_has_no_matrix(small_study):
    matrix = tables.cross_corpus(small_study)
    assert matrix.empty
    assert figures.cross_corpus(matrix) is None
    assert "only one corpus" in text.cross_corpus(matrix).empty


def test_the_part_that_stands_for_a_corpus_among_others_is_named(small_study):
    part = small_study.selections["synthetic"]
    several = {name: replace(part, name=name) for name in ("ravdess-speech", "ravdess-song", "emodb")}
    named = tables.left_out(Study(small_study.config, small_study.store, several))
    named = named[named["protocol"] == "another corpus"].set_index("corpus")["reason"]
    assert named.to_dict() == {
        "ravdess-song": "Where one corpus trains and another is tested, RAVDESS speech stands for its corpus."
    }
    assert tables.left_out(small_study).empty
    assert text.left_out().empty.startswith("Every corpus of this run allows every protocol. One that would repeat")


def replace_setting(config: settings.Config, name: str, value) -> settings.Config:
    section, _, inner = name.partition(".")
    return replace(config, **{section: replace(getattr(config, section), **{inner: value})})


# Sentences


def ladder_scores(rows: list[tuple[str, str, float]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["corpus", "protocol", "value"]).assign(size="equal")


def test_ladder_says_which_corpora_were_augmented_where_not_all_were():
    rows = [(name, "random", 0.6) for name in ("emodb", "tess")] + [("emodb", "random_augmented", 0.8)]
    assert text.ladder(ladder_scores(rows)).text.endswith(" Augmented before the split: EMO-DB only.")
    assert "Augmented" not in text.ladder(ladder_scores([*rows, ("tess", "random_augmented", 0.9)])).text
    config = settings.load("full", {"ladder.augmented": "emodb"})
    leaks = [one.selection for one in benchmark.ladder(config, {"emodb": ["random"], "tess": ["random"]}) if one.leak]
    assert leaks == ["emodb"]
    assert benchmark.augmented(config, ["tess", "own"]) == ["tess", "own"]


def test_a_corpus_of_one_protocol_has_no_step(small_study):
    part = small_study.selections["synthetic"]
    own = replace(part, name="own", clips=part.clips.assign(speaker=None, statement=None, take=None))
    config = replace_setting(small_study.config, "ladder.augmented", ("synthetic",))
    costs = steps.costs(Study(config, small_study.store, {"synthetic": part, "own": own}))
    assert set(costs["family"]) == {"synthetic"}
    none = steps.costs(Study(config, small_study.store, {}))
    assert none.empty
    assert text.costs(none).finding == ""


def test_ladder_text_leaves_out_what_a_selection_lacks():
    rows = [("tess", "random", 0.9), ("tess", "speaker_independent", 0.5), ("own", "random", 0.8)]
    scores = ladder_scores(rows)
    assert " 40 points" in text.ladder_title(scores)
    alt = text.ladder(scores).alt
    assert "own recordings: random .800;" in alt
    assert "TESS: random .900, new speakers .500." in alt
    several = ladder_scores([*rows, ("own", "speaker_independent", 0.7)])
    assert " 10 to 40 points" in text.ladder_title(several)
    assert not re.search(r"\d", text.ladder_title(scores[scores["corpus"] == "own"]))


def test_fold_scores_say_how_much_the_split_is_worth():
    scores = tables.fold_scores(np.array([0.9, 0.8]), np.array([0.5, 0.4]))
    assert scores["split"].value_counts().to_dict() == {"KFold": 2, "GroupKFold": 2}
    finding = text.fold_scores(scores, "synthetic").finding
    for number in (".850 ± .071", ".450 ± .071", "40 points", ".400 to .500"):
        assert number in finding


def test_costs_name_significant_steps_and_corpora_too_small_for_a_test():
    row = {"step_from": "random", "step_to": "speaker_independent", "difference": -0.123, "note": ""}
    table = pd.DataFrame(
        [
            row | {"family": "crema_d", "p_holm": 0.0004},
            row | {"family": "emodb", "p_holm": 0.3},
            row | {"family": "tess", "p_holm": 1.0, "note": "cannot reach .05"},
            row | {"family": "savee", "p_holm": 0.001, "step_to": "take_disjoint"},
        ]
    )
    finding = text.costs(table).finding
    assert "is significant on CREMA-D (−12.3 points, p (Holm) < .001); not significant on EMO-DB (−12.3" in finding
    assert "points, p (Holm) = .300); not tested, for too few speakers, on TESS (−12.3 points)." in finding
    assert "SAVEE" not in finding
    assert "is not significant on EMO-DB" in text.costs(table[table["family"] == "emodb"]).finding
    assert text.costs(table.iloc[:0]).finding == ""


def test_pairs_of_speakers_are_named():
    study = SimpleNamespace(selections={"tess": SimpleNamespace(n_speakers=2), "emodb": SimpleNamespace(n_speakers=10)})
    assert text.ladder_speakers(study).finding.startswith("On TESS,")
    study.selections.pop("tess")
    assert "TESS" not in text.ladder_speakers(study).finding


def test_curve_title_takes_the_corpus_that_gains_most():
    rows = [("tess", 2, 0.3), ("tess", 8, 0.4), ("emodb", 2, 0.3), ("emodb", 4, 0.55)]
    scores = pd.DataFrame(rows, columns=["corpus", "train_speakers", "value"]).assign(feature="summary", model="lda")
    scores = scores.assign(fewest=scores["train_speakers"], most=scores["train_speakers"])
    title = text.curve_title(scores)
    for part in ("From 2 to 4 ", "EMO-DB", " 25 points"):
        assert part in title
    assert ".300" in text.curve_title(scores.iloc[:1])
    assert "to 3–4 training speakers" in text.curve_title(
        scores.assign(fewest=scores["fewest"] - (scores["most"] == 4))
    )
    encoder = scores.assign(feature="campplus", value=scores["value"] ** 2)
    both = text.curve_title(pd.concat([scores, encoder]))
    assert both == title + " (summaries, LDA) and 21 (CAM++, LDA)"  # .55² − .3²


def test_points_of_the_curve_stand_at_the_speakers_really_trained_on(small_study):
    """Of 17 speakers in five folds three or four are in test: the point declared as 16 trains on 13 or 14."""
    part = small_study.selections["synthetic"]
    one = part.clips[part.clips["speaker"] == part.clips["speaker"].iloc[0]]
    names = [f"synthetic/{number:02d}" for number in range(17)]
    copies = [
        one.assign(speaker=name, clip_id=one["clip_id"] + f"-{name[-2:]}", sha256=one["sha256"] + name, take=None)
        for name in names
    ]
    many = replace(part, clips=pd.concat(copies, ignore_index=True))
    config = replace(small_study.config, ladder=replace(small_study.config.ladder, curve_speakers=(4, 16)))
    study = Study(config, small_study.store, {"synthetic": many})
    four, sixteen = (tables._trained_on(one, study) for one in declare.curve(study))
    assert four == (4.0, 4, 4)
    assert sixteen[1:] == (13, 14)
    assert 13 < sixteen[0] < 14


def test_cross_corpus_title_compares_between_and_within():
    matrix = pd.DataFrame([[0.7, 0.2], [0.4, np.nan]], index=["a", "b"], columns=["a", "b"])
    assert re.findall(r"\.\d+", text.cross_corpus_title(matrix)) == [".300", ".700"]
    matrix.loc["a", "a"] = np.nan
    assert re.findall(r"\.\d+", text.cross_corpus_title(matrix)) == [".300"]


# Figures


def clips_table(*, n_speakers: int = 24) -> pd.DataFrame:
    grid = [(s, e, t, i) for s in range(n_speakers) for e in EIGHT for t in ("a", "b", "c") for i in (0, 1)]
    clips = pd.DataFrame(grid, columns=["speaker", "emotion", "statement", "intensity"])
    clips["speaker"] = [f"x/{1001 + s}" for s in clips["speaker"]]
    return clips.assign(clip_id=[f"x/{i:05d}" for i in range(len(clips))])


def folds_table(clips: pd.DataFrame) -> pd.DataFrame:
    speaker = clips["speaker"].str[-1].astype(int)
    neither = np.where((speaker < 2) & (clips["statement"] == "c"), "test", "train").astype(object)
    neither[(speaker < 2) != (clips["statement"] == "c")] = "unused"
    roles = {
        "random": random(2).choice(["train", "validation", "test"], len(clips)),
        "speaker_independent": np.select([speaker < 2, speaker == 2], ["test", "validation"], "train"),
        "speaker_and_sentence": neither,
    }
    head = {"repeat": 0, "fold": 0, "clip_id": clips["clip_id"], "variant": 0}
    folds = pd.concat([pd.DataFrame({"protocol": name, **head, "role": role}) for name, role in roles.items()])
    return folds[folds["role"] != "unused"]


def curve_table() -> pd.DataFrame:
    rows = [(corpus, n, 0.3 + 0.05 * np.log2(n)) for corpus in CORPORA for n in (2, 4, 8, 16, 32, 64)]
    table = pd.DataFrame(rows, columns=["corpus", "train_speakers", "value"]).assign(feature="summary", model="lda")
    table = table.assign(fewest=table["train_speakers"] - (table["train_speakers"] > 8), most=table["train_speakers"])
    return table.assign(low=table["value"] - 0.04, high=table["value"] + 0.04)


def ladder_table() -> pd.DataFrame:
    rows = [(corpus, name, 0.9 - 0.08 * i) for corpus in CORPORA for i, name in enumerate(palette.PROTOCOLS)]
    full = pd.DataFrame(rows, columns=["corpus", "protocol", "value"]).assign(size="full")
    equal = full[~full["protocol"].isin(palette.BESIDE_LADDER)].assign(size="equal", value=lambda t: t["value"] - 0.04)
    table = pd.concat([full, equal], ignore_index=True)
    return table.assign(low=table["value"] - 0.04, high=table["value"] + 0.04)


def transfer() -> pd.DataFrame:
    matrix = pd.DataFrame(random(8).uniform(0.2, 0.6, (4, 4)), index=list(CORPORA), columns=list(CORPORA))
    matrix.iloc[3, 3] = np.nan
    return matrix


FIGURES = {
    "fold_scores": lambda: figures.fold_scores(
        tables.fold_scores(random(1).uniform(0.7, 0.9, 6), random(2).uniform(0.3, 0.6, 6)), "ravdess-speech"
    ),
    "fold_map": lambda: figures.fold_map(folds_table(clips_table()), clips_table(), "ravdess-speech"),
    "ladder": lambda: figures.ladder(ladder_table(), CHANCE, {"crema_d": 0.41}),
    "curve": lambda: figures.curve(curve_table(), CHANCE),
    "cross_corpus": lambda: figures.cross_corpus(transfer()),
}


@pytest.mark.parametrize("name", FIGURES)
def test_figures_keep_the_rules(name):
    check_figure(FIGURES[name])


def test_fold_map_paints_roles():
    clips = clips_table()
    figure = figures.fold_map(folds_table(clips), clips, "x")
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    assert titles == ["random split", "new speakers", "new speakers and sentences"]
    tones = [{tuple(np.round(t, 3)) for t in ax.images[0].get_array().reshape(-1, 4)} for ax in figure.axes]
    assert [len(some) for some in tones] == [3, 3, 3]  # train, validation, test; the last: train, test, unused
    first = figure.axes[1].images[0].get_array()
    assert all(len(np.unique(row, axis=0)) == 1 for row in first)  # one speaker, one role


def test_matrix_writes_every_score_and_outlines_the_diagonal():
    matrix = transfer()
    ax = figures.cross_corpus(matrix).axes[0]
    written = [t.get_text() for t in ax.texts]
    known = matrix.to_numpy()[~matrix.isna().to_numpy()]
    assert written[: known.size] == [share(value) for value in known]
    assert written[known.size :] == ["–"]
    assert len(ax.patches) == 4
    assert [t.get_text() for t in ax.get_yticklabels()][:2] == ["RAVDESS speech", "TESS"]


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: figures.curve(curve_table().drop(columns="low"), {}), "lacks low"),
        (lambda: figures.fold_map(folds_table(clips_table()).iloc[:0], clips_table(), "x"), "no rows"),
    ],
)
def test_bad_input_is_refused_with_advice(draw, message):
    with pytest.raises((ValueError, KeyError), match=message):
        draw()
