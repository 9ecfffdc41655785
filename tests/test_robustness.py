"""Degraded recordings: clean clips get the study's predictions, the clips are fairly chosen, and the exhibits hold."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from figure_checks import check_overlap, check_size, check_units

from ser_study import config as settings
from ser_study.audio import degrade
from ser_study.audio.degrade import CLEAN
from ser_study.chapters.testing import robustness, robustness_figures, robustness_text
from ser_study.evaluation import metrics
from ser_study.experiments import ledger
from ser_study.parallel import Failure
from ser_study.plotting.palette import svg_text
from ser_study.recognizer import degraded, stress
from ser_study.schema import probability_columns
from ser_study.study import Study

CONDITIONS = ["white:0", "babble:10", "gain", "length:0.5", "silence"]
N_CLIPS = 23


@pytest.fixture(scope="module")
def study(small_study):
    testing = dataclasses.replace(
        small_study.config.testing, clips=N_CLIPS, conditions=tuple(CONDITIONS), augmented=True
    )
    config = dataclasses.replace(small_study.config, testing=testing)
    return Study(config, small_study.store, small_study.selections)


@pytest.fixture(scope="module")
def predicted(study):
    return robustness.predictions(study)["synthetic"]


@pytest.fixture(scope="module")
def table(study):
    return robustness.table(study)


@pytest.fixture(scope="module")
def means(table):
    return robustness.means(table)


# What is predicted


def test_clean_clips_get_the_predictions_of_the_study_bit_for_bit(study, predicted, as_computed):
    kinds = robustness.systems(study)["synthetic"]
    assert list(kinds) == ["classical", "augmented"]
    for kind, one in kinds.items():
        own = predicted[(predicted["system"] == kind) & (predicted["degradation"] == CLEAN)]
        known = study.predictions(one)
        known = known[known["role"] == "test"].set_index("clip_id").loc[own["clip_id"]]
        assert len(own) == N_CLIPS
        names = probability_columns(sorted(known["truth"].unique()))
        assert own[names].to_numpy().tobytes() == known[names].to_numpy().tobytes()
        assert (own["prediction"].to_numpy() == known["prediction"].to_numpy()).all()
        noisy = predicted[(predicted["system"] == kind) & (predicted["degradation"] == "white")]
        assert not np.array_equal(noisy[names], known.loc[noisy["clip_id"], names])


def test_every_condition_has_the_same_clips_and_truths(study, predicted):
    wanted = degrade.conditions(CONDITIONS)
    for _, own in predicted.groupby("system"):
        there = own.groupby(["degradation", "level"], sort=False)
        assert [condition for condition, _ in there] == [stress.AS_READ, *wanted]
        sets = [rows.set_index("clip_id")["truth"].sort_index() for _, rows in there]
        assert all(one.equals(sets[0]) for one in sets)


def test_chosen_clips_are_test_rows_of_the_first_repeat_and_balanced(study, predicted):
    one = robustness.systems(study)["synthetic"]["classical"]
    known = study.predictions(one)
    test = known[(known["role"] == "test") & (known["repeat"] == 0)]
    clips = study.clips("synthetic").set_index("clip_id")
    for n_clips in (N_CLIPS, 60):
        ids = stress.chosen(test, clips.reset_index(), n_clips, np.random.default_rng(1))
        assert len(set(ids)) == n_clips
        assert set(ids) <= set(test["clip_id"])
        of_class = clips.loc[ids, "emotion"].value_counts()
        assert of_class.max() - of_class.min() <= 1
        assert len(of_class) == clips["emotion"].nunique()
        of_speaker = clips.loc[ids].groupby("speaker").size()
        assert len(of_speaker) == clips["speaker"].nunique()
        assert of_speaker.max() - of_speaker.min() <= 4
        within = clips.loc[ids].groupby(["emotion", "speaker"]).size().unstack(fill_value=0)
        assert (within.max(axis=1) - within.min(axis=1) <= 1).all()
    assert stress.chosen(test, clips.reset_index(), 10**6, np.random.default_rng(1)) == sorted(test["clip_id"])


def test_a_class_of_few_clips_leaves_its_share_to_the_others():
    truth = ["angry"] * 20 + ["sad"] * 2
    test = pd.DataFrame({"clip_id": [f"c/{i:02d}" for i in range(22)], "truth": truth})
    clips = test.assign(speaker=[f"c/{i % 3}" for i in range(22)])
    ids = stress.chosen(test, clips, 12, np.random.default_rng(0))
    counts = test.set_index("clip_id").loc[ids, "truth"].value_counts()
    assert counts.to_dict() == {"angry": 10, "sad": 2}


def test_the_seed_chooses_the_clips(study, predicted):
    one = robustness.systems(study)["synthetic"]["classical"]
    rows = study.predictions(one)
    test, clips = rows[rows["role"] == "test"], study.clips("synthetic")
    first, again, other = (stress.chosen(test, clips, 20, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    random = settings.rng(study.config, "degraded/synthetic")
    assert sorted(predicted["clip_id"].unique()) == stress.chosen(test, clips, N_CLIPS, random)


def test_babble_holds_no_clip_of_the_speaker(study):
    clips = study.clips("synthetic")
    for row in clips.iloc[::17].itertuples():
        voices = degraded.voices_of(clips, row.clip_id)
        assert len(voices) == degrade.N_VOICES
        assert row.speaker not in set(voices["speaker"])
        others = clips["speaker"].nunique() - 1
        assert voices["speaker"].nunique() == min(others, degrade.N_VOICES), "of as many speakers as there are"
        assert voices["clip_id"].tolist() == degraded.voices_of(clips, row.clip_id)["clip_id"].tolist()
    alone = clips[clips["speaker"] == clips["speaker"].iloc[0]]
    with pytest.raises(ValueError, match="there are 0"):
        degraded.voices_of(alone, alone["clip_id"].iloc[0])
    unnamed = clips.assign(speaker=clips["speaker"].where(clips.index > 0))
    with pytest.raises(ValueError, match="other speakers than nan"):
        degraded.voices_of(unnamed, unnamed["clip_id"].iloc[0])


def test_a_head_is_fitted_without_the_speakers_whom_it_predicts(study, monkeypatch):
    asked_for = []
    kinds = {"classical": robustness.systems(study)["synthetic"]["classical"]}
    clean = study.predict(kinds.values())
    plain = stress._head

    def noted(item, **options):
        asked_for.append(item)
        return plain(item, **options)

    monkeypatch.setattr(stress, "_head", noted)
    config = dataclasses.replace(study.config, run=dataclasses.replace(study.config.run, jobs=1))
    options = {"n_clips": 7, "config": config, "store": study.store}
    rows = stress.predictions(clean, study.selections, [("gain", 5.0)], **options)
    assert {fold for _, fold in asked_for} == set(rows["fold"])
    folds, speaker = study.folds("synthetic", "speaker_independent"), study.clips().set_index("clip_id")["speaker"]
    for fold, own in rows.groupby("fold"):
        fitted_on = folds[(folds["fold"] == fold) & (folds["role"] != "test")]["clip_id"]
        assert not set(speaker[own["clip_id"]]) & set(speaker[fitted_on])


def test_a_clip_that_cannot_be_degraded_is_left_out_and_named(study, monkeypatch, capsys):
    one = robustness.systems(study)["synthetic"]["classical"]
    clean, plain = study.predict([one]), degraded._values

    def failing(item, **options):
        (kind, _), row = item
        if kind == "gain" and row["clip_id"] == lost[0]:
            raise ValueError("nothing sounds")
        return plain(item, **options)

    monkeypatch.setattr(degraded, "_values", failing)
    config = dataclasses.replace(study.config, run=dataclasses.replace(study.config.run, jobs=1))
    options = {"n_clips": 6, "config": config, "store": study.store}
    test = clean[one][clean[one]["role"] == "test"]
    random = settings.rng(study.config, "degraded/synthetic")
    lost = stress.chosen(test, study.clips("synthetic"), 6, random)[:1]
    rows = stress.predictions(clean, study.selections, [("gain", 7.0)], **options)
    assert rows.groupby("degradation").size().to_dict() == {CLEAN: 6, "gain": 5}
    assert f"1 of 6 clips gave nothing in gain 7: {lost[0]}: nothing sounds" in capsys.readouterr().err
    scored = robustness.scores(
        rows.assign(system="classical"),
        study.clips("synthetic"),
        evaluation=study.config.evaluation,
        rng=np.random.default_rng(0),
    )
    assert [row["n"] for row in scored] == [6, 5]


@pytest.mark.parametrize("fault", [RuntimeError("no memory"), OSError("no such disk")])
def test_a_fault_that_is_not_of_the_clip_ends_the_run_and_is_not_kept(study, monkeypatch, fault):
    part, ids = study.selections["synthetic"], study.clips("synthetic")["clip_id"].iloc[:3].tolist()
    plain, faulty = degraded._values, [ids[1]]

    def failing(item, **options):
        if item[1]["clip_id"] in faulty:
            raise fault
        return plain(item, **options)

    monkeypatch.setattr(degraded, "_values", failing)
    config = dataclasses.replace(study.config, run=dataclasses.replace(study.config.run, jobs=1))
    conditions = [("gain", 8.0 + len(str(fault)))]
    with pytest.raises(RuntimeError, match=f"{ids[1]} in gain .*{fault}"):
        list(degraded.load(["means184"], part, ids, conditions, config=config, store=study.store))
    faulty.clear()
    ((_, values),) = degraded.load(["means184"], part, ids, conditions, config=config, store=study.store)
    assert values["means184"].clip_id.tolist() == ids


def test_a_crashed_worker_ends_the_run(study, monkeypatch):
    part, ids = study.selections["synthetic"], study.clips("synthetic")["clip_id"].iloc[:2].tolist()
    crashed = [((("gain", 9.0), {"clip_id": one}), Failure("The worker process crashed on this clip.")) for one in ids]
    monkeypatch.setattr(degraded, "parallel_map", lambda *given, **options: iter(crashed))
    with pytest.raises(RuntimeError, match=f"{ids[0]} in gain 9: The worker process crashed"):
        list(degraded.load(["means184"], part, ids, [("gain", 9.0)], config=study.config, store=study.store))


def test_another_libsndfile_makes_the_values_anew(study, monkeypatch):
    part = study.selections["synthetic"]
    given = ["means184"], part, part.clips.iloc[:2], ("opus", 16.0), study.config
    before = degraded._artefact(*given)
    monkeypatch.setattr("soundfile.__libsndfile_version__", "0.0.1")
    assert degraded._artefact(*given) != before


def test_a_clip_that_lacks_as_recorded_is_in_no_change(study, predicted):
    lost = predicted["clip_id"].iloc[0]
    rows = predicted[(predicted["clip_id"] != lost) | (predicted["degradation"] != CLEAN)]
    options = {"evaluation": study.config.evaluation, "rng": np.random.default_rng(0)}
    scored = robustness.scores(rows, study.clips("synthetic"), **options)
    assert {row["n"] for row in scored} == {N_CLIPS - 1}
    nothing = rows[rows["clip_id"].eq(lost) | rows["degradation"].eq(CLEAN)]
    scored = robustness.scores(nothing, study.clips("synthetic"), **options)
    assert {row["degradation"] for row in scored} == {CLEAN}


def test_a_stopped_run_goes_on_with_the_next_condition(study, monkeypatch):
    part, clips = study.selections["synthetic"], study.clips("synthetic")
    ids, names = clips["clip_id"].iloc[:3].tolist(), ["means184"]
    options = {"config": study.config, "store": study.store}
    conditions = [("gain", 1.0), ("gain", 2.0), ("gain", 3.0)]
    for condition, _ in degraded.load(names, part, ids, conditions, **options):
        if condition == ("gain", 2.0):
            break
    made = []
    plain = degraded._extracted
    monkeypatch.setattr(degraded, "_extracted", lambda *given: made.append(given[3]) or plain(*given))
    values = dict(degraded.load(names, part, ids, conditions, **options))
    assert made == [[("gain", 3.0)]]
    assert list(values) == conditions
    assert all(one["means184"].clip_id.tolist() == ids for one in values.values())


def test_a_damaged_table_is_made_again_alone(study, monkeypatch):
    part, ids = study.selections["synthetic"], study.clips("synthetic")["clip_id"].iloc[:3].tolist()
    clips = part.clips.set_index("clip_id", drop=False).loc[ids]
    options = {"config": study.config, "store": study.store}
    conditions = [("gain", 1.5), ("gain", 2.5), ("gain", 3.5)]
    whole = dict(degraded.load(["means184"], part, ids, conditions[:2], **options))
    artefact = degraded._artefact(["means184"], part, clips, conditions[1], study.config)
    study.store.path(*artefact).write_bytes(b"damaged")
    made = []
    plain = degraded._extracted
    monkeypatch.setattr(degraded, "_extracted", lambda *given: made.append(given[3]) or plain(*given))
    values = dict(degraded.load(["means184"], part, ids, conditions, **options))
    assert list(values) == conditions
    assert made == [[conditions[1]], [conditions[2]]]
    assert np.array_equal(values[conditions[1]]["means184"].values, whole[conditions[1]]["means184"].values)


def test_a_fold_without_a_class_in_training_makes_a_selection_unable(study):
    part, folds = study.selections["synthetic"], study.folds("synthetic", "speaker_independent")
    assert stress.able(part, folds)
    angry = part.clips[part.clips["emotion"] == "angry"]["clip_id"]
    lacking = folds[
        ~(folds["clip_id"].isin(angry) & (folds["fold"] == folds["fold"].iloc[0]) & (folds["role"] != "test"))
    ]
    assert not stress.able(part, lacking)


def test_one_line_a_system_is_logged(study, monkeypatch, predicted):
    logged = []
    monkeypatch.setattr(ledger, "log_test_evaluations", lambda names, rows, store: logged.append((names, rows)))
    robustness.predictions(study)
    degraded_rows = [(names, rows) for names, rows in logged if list(names)[0].endswith("/degraded")]
    assert len(degraded_rows) == 2
    own = predicted[predicted["system"] == "classical"]
    expected = np.mean([metrics.uar_of(rows) for _, rows in own.groupby(["degradation", "level"])])
    assert degraded_rows[0][1]["value"].iloc[0] == pytest.approx(expected)
    assert degraded_rows[0][1]["n"].iloc[0] == N_CLIPS


# Scores


def test_changes_are_differences_of_uars_and_as_recorded_changes_nothing(table, predicted):
    assert len(table) == 2 * (1 + len(degrade.conditions(CONDITIONS)))
    as_read = table[table["degradation"] == CLEAN].set_index("system")
    assert (as_read[["change", "change_low", "change_high"]] == 0).all(axis=None)
    for row in table.itertuples():
        own = predicted[
            (predicted["system"] == row.system)
            & (predicted["degradation"] == row.degradation)
            & (predicted["level"] == row.level)
        ]
        assert row.uar == pytest.approx(metrics.uar_of(own))
        assert row.change == pytest.approx(row.uar - as_read.loc[row.system, "uar"])
        assert row.low <= row.uar <= row.high
        assert row.change_low <= row.change <= row.change_high
    assert (table["n_speakers"] == 6).all()


def hand_made():
    """Two selections, two systems and augmented training; a condition that one selection lacks."""
    rows = []
    for corpus, shift in (("emodb", 0.0), ("tess", 0.2)):
        for system, clean in (("classical", 0.5), ("small", 0.6), ("augmented", 0.45)):
            for kind, level, fall in (
                *((CLEAN, 0.0, 0.0), ("white", 0.0, 0.3), ("telephone", 8.0, 0.1), ("gain", 20.0, 0.0)),
                *(("length", 1.0, 0.05), ("babble", 10.0, 0.2)),
            ):
                if (corpus, kind) == ("tess", "babble"):
                    continue
                fall = fall - 0.2 * (system == "augmented" and kind == "white")
                rows.append((corpus, kind, level, system, clean + shift - fall, -fall))
    return pd.DataFrame(rows, columns=["corpus", "degradation", "level", "system", "uar", "change"])


def test_means_and_sentences_say_what_was_computed():
    short = robustness.means(hand_made())
    assert "babble" not in set(short["degradation"]), "a mean over fewer selections is no mean of all"
    white = short[(short["degradation"] == "white") & (short["system"] == "small")].iloc[0]
    assert (white["uar"], white["change"]) == (pytest.approx(0.4), pytest.approx(-0.3))
    title = robustness_text.title(short)
    assert title.startswith("White noise, 0 dB SNR takes 30 points of UAR on average over the systems")
    harmless = short.assign(change=short["change"].abs())
    assert robustness_text.title(harmless) == (
        "No degradation that was tried costs 1 point of UAR on average over the systems"
    )
    assert robustness_text.finding(harmless, 0.2).startswith("The mean UAR of no system falls")
    assert robustness_text.curves(short, 0.2).text.endswith("unless the key says so.")
    plain = short[short["system"] != "augmented"]
    assert robustness_text.curves(plain, 0.2).text.endswith("trained on degraded clips.")
    finding = robustness_text.finding(short, 0.2)
    assert "hand-crafted features from .600 to .300 (white noise, 0 dB SNR)" in finding
    assert "one encoder from .700 to .400" in finding
    assert "telephone, µ-law, 8 kHz −10.0 / −10.0" in finding
    assert finding.endswith(
        "A mere change of level (gain, 20 dB) changes the mean UAR, in points: hand-crafted features 0.0; one encoder "
        "0.0."
    )
    quiet = short[short["degradation"] == "gain"].assign(level=-20.0, change=[-0.18, -0.02, 0.0])
    assert "(gain, 20 dB / gain, −20 dB) changes the mean UAR, in points: hand-crafted features 0.0 / −18.0; one" in (
        robustness_text.finding(pd.concat([short, quiet]), 0.2)
    )
    assert "change of level" not in robustness_text.finding(short[short["degradation"] != "gain"], 0.2)
    details = robustness_text.details(short, 0.2)
    assert "hand-crafted features 88 % and one encoder 90 %" in details  # .35 of .4, .45 of .5
    assert "either way for any system: gain, 20 dB." in details
    assert "by −5.0 points on clips as recorded and by 0.0 on average" in details
    assert "white noise, 0 dB SNR +15.0" in details


def test_a_system_that_answers_one_class_only_is_named():
    table = hand_made().assign(n=40)
    table = table.assign(low=table["uar"] - 0.05, high=table["uar"] + 0.05)
    means = robustness.means(table)
    caption = robustness_text.table(table, means, 0.2)
    assert caption.text.endswith("At most 40 test clips of a selection are degraded.")
    assert "one class only" not in caption.finding
    flat = (table["corpus"] == "tess") & (table["system"] == "small") & table["degradation"].isin(["white", "gain"])
    table.loc[flat, ["uar", "low", "high"]] = 0.2
    assert robustness_text.table(table, means, 0.2).finding.endswith(
        "At chance, because one class only is answered: one encoder on TESS (white noise, 0 dB SNR; gain, 20 dB)."
    )


# Exhibits


def test_figure_is_legible(table, means, study):
    chance = robustness.chance(study, table)
    assert chance == pytest.approx(1 / study.clips("synthetic")["emotion"].nunique())
    figure = robustness_figures.curves(means, chance)
    check_overlap(figure)
    check_units(figure)
    check_size(figure, svg_text(figure))
    panels = [ax for ax in figure.axes if ax.get_visible()]
    assert [ax.get_title(loc="left") for ax in panels] == [
        "White noise",
        "Babble",
        "Gain",
        "Silence before",
        "First part only",
    ]
    gain = next(ax for ax in panels if ax.get_title(loc="left") == "Gain")
    assert [tick.get_text() for tick in gain.get_xticklabels()] == ["−20", "clean", "20"]
    own = means[(means["system"] == "classical") & (means["degradation"] == "gain")]["uar"].tolist()
    as_read = means[(means["system"] == "classical") & (means["degradation"] == CLEAN)]["uar"].iloc[0]
    assert gain.lines[0].get_ydata().tolist() == [own[0], as_read, own[1]]


def test_all_degradations_fit_one_figure():
    rows = [
        (kind, level, system, 0.5)
        for kind, level in [stress.AS_READ, *degrade.conditions(())]
        for system in robustness.TITLES
    ]
    means = pd.DataFrame(rows, columns=["degradation", "level", "system", "uar"]).assign(change=0.0)
    figure = robustness_figures.curves(means, 0.125)
    check_overlap(figure)
    check_size(figure, svg_text(figure))
    assert len([ax for ax in figure.axes if ax.get_visible()]) == len(degrade.DEGRADATIONS)


def test_captions_fit_their_tables(study, table, means):
    chance = robustness.chance(study, table)
    words = robustness.in_words(table)
    caption = robustness_text.table(table, means, chance)
    assert f"At most {N_CLIPS} test clips" in caption.text
    assert set(caption.labels) <= set(words.columns)
    assert words["degradation"].iloc[0] == "as recorded"
    assert words["change"].to_numpy() == pytest.approx(100 * table["change"].to_numpy())
    figure = robustness_text.curves(means, chance, ["tess"])
    assert "TESS" in figure.text
    assert figure.alt
    assert figure.finding


def test_without_a_selection_there_is_a_sentence(study):
    empty = robustness.table(study.only([]))
    means = robustness.means(empty)
    assert empty.empty
    assert means.empty
    assert robustness_figures.curves(means, robustness.chance(study, empty)) is None
    for caption in (
        robustness_text.curves(means, np.nan, []),
        robustness_text.table(robustness.in_words(empty), means, np.nan),
    ):
        assert caption.empty
        assert not caption.finding


def test_the_number_of_workers_changes_nothing(study, predicted):
    ids, part = sorted(predicted["clip_id"].unique()), study.selections["synthetic"]
    rows = part.clips.set_index("clip_id", drop=False).loc[ids[:3]]
    for condition in degrade.conditions(["white:0", "babble:10"]):
        loaded = degraded.load(["means184"], part, ids, [condition], config=study.config, store=study.store)
        by_workers = dict(loaded)[condition]["means184"].rows(rows.index.to_numpy())
        options = {"names": ["means184"], "root": study.store.derived, "config": study.config}
        here = [degraded._values((condition, row), **options) for row in degraded._rows(part, rows, condition)]
        assert np.array_equal(by_workers, [one["means184"] for one in here])
