"""The rebuilt student projects: declarations, and the tables and sentences computed from predictions."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest
from test_rebuilt import made, names, of  # noqa: F401  (names is a fixture)

from ser_study import config as settings
from ser_study import features, schema, splits
from ser_study.chapters.baselines import comparisons, figures, results, section_text, sections, tables, text
from ser_study.chapters.baselines.results import Result
from ser_study.experiments import baseline_results, baselines, ledger, runner, selections
from ser_study.experiments.baseline_results import by_draw
from ser_study.experiments.baselines import BASELINES
from ser_study.experiments.selections import Selection
from ser_study.models import registry
from ser_study.store import Store, project_root
from ser_study.study import Study
from ser_study.wording import share

CONFIG = settings.load("full", {"evaluation.n_bootstrap": 200, "evaluation.n_permutations": 200})
E000 = BASELINES["E000"]
PROJECT = project_root()
FOLDS = PROJECT / "data" / "folds"


def study_of(*known: Result, config: settings.Config = CONFIG, store: Store | None = None) -> Study:
    """A study that holds the clips of these results."""
    store = store or Store(PROJECT, PROJECT, PROJECT, PROJECT)
    return Study(config, store, {}, {one.selection.name: one.selection for one in known})


def predicted(folds: pd.DataFrame, right: float, *, draws: int = 1, name: str = "x") -> pd.DataFrame:
    """Predictions in which a share of about ``right`` of the clips are right, by the clip's own fixed luck."""
    rows = folds[folds["role"] != "train"].reset_index(drop=True)
    classes = sorted(folds["truth"].unique())
    parts = []
    for draw in range(draws):
        luck = np.random.default_rng([7, draw]).uniform(size=len(rows))
        truth = np.searchsorted(classes, rows["truth"])
        guess = np.where(luck < right, truth, (truth + 1) % len(classes))
        proba = np.full((len(rows), len(classes)), 0.1 / (len(classes) - 1))
        proba[np.arange(len(rows)), guess] = 0.9
        table = rows[["repeat", "fold", "role", "clip_id", "variant", "truth"]].assign(
            prediction=np.array(classes, dtype=object)[guess], draw=draw, seed=draw, n_train=10, params="{}"
        )
        named = {"experiment": name, "scheme": "x", "protocol": "x", "model": name, "feature": "f", "corpus": "c"}
        parts.append(
            pd.concat([table.assign(**named), pd.DataFrame(proba, columns=schema.probability_columns(classes))], axis=1)
        )
    return schema.check_predictions(pd.concat(parts, ignore_index=True))


@pytest.fixture(scope="module")
def result(names) -> Result:  # noqa: F811
    """E000 with made-up predictions: theirs 60 %, ours 90 % on the list and 50 % on new speakers."""
    folds, clips = made("baseline_list", "000", names)
    honest, _ = made("baseline_speakers", "000", names)
    fresh = pd.concat([predicted(made("baseline_fresh", "000", names, draw=d)[0], 0.8).assign(draw=d) for d in (0, 1)])
    choice = pd.DataFrame(
        {"feature": ["campplus"], "model": ["logistic"], "accuracy": [0.9], "n": [1], "chosen": [True]}
    )
    return Result(
        E000,
        Selection("baseline-000", clips.assign(gender="female"), clips.iloc[:0]),
        choice,
        {"lightgbm_000": predicted(folds, 0.6, draws=5, name="a"), "logistic_000": predicted(folds, 0.5, name="b")},
        {"lightgbm_000": predicted(honest, 0.3, name="c")},
        {
            "list": predicted(folds, 0.9, draws=5, name="d"),
            "fresh": fresh.reset_index(drop=True),
            "honest": predicted(honest, 0.5, name="e"),
        },
    )


def test_declarations_are_consistent():
    ids = set()
    for baseline in BASELINES.values():
        assert baseline.split in splits.RECIPES
        known = {rebuilt.model for rebuilt in baseline.rebuilt}
        assert known <= set(registry.REGISTRY)
        assert all(set(vote.members) <= known for vote in baseline.votes)
        assert baseline.bar_model in known | {vote.name for vote in baseline.votes}
        declared = [
            *baselines.rebuilds(baseline, CONFIG).values(),
            *baselines.honest_rebuilds(baseline, CONFIG).values(),
            *baselines.candidates(baseline),
            *baselines.ours(baseline, "campplus", "logistic", CONFIG).values(),
        ]
        assert len({one.name for one in declared}) == len(declared)
        ids |= {one.name for one in declared}
        assert all(one.protocol == "baseline_inner" for one in baselines.candidates(baseline))
    assert ids
    assert {name: baseline.bars.get("accuracy") for name, baseline in BASELINES.items()} == {
        "E000": 0.8408, "E001": 0.8993, "E002a": 0.8391, "E002b": 0.78, "E003": 170 / 312, "E004": None,
    }  # fmt: skip


def test_votes_weigh_their_members_as_their_authors_did():
    weights = {vote.name: vote.weights for baseline in BASELINES.values() for vote in baseline.votes}
    assert {name for name, given in weights.items() if given is None} == set(weights) - {"vote_3_2"}
    (deep,) = [vote for vote in BASELINES["E002b"].votes if vote.name == "vote_3_2"]
    assert (deep.members, deep.weights) == (("conv8_002", "vgg16_head_002"), (3.0, 2.0))


def test_classical_rows_have_five_training_seeds_and_networks_the_setting():
    config = settings.load("full", {"training.seeds": 3})
    rebuilt = baselines.rebuilds(BASELINES["E001"], config)
    assert {name: one.draws for name, one in rebuilt.items() if name in ("mlp_001", "conv1d_001")} == {
        "mlp_001": 5,
        "conv1d_001": 3,
    }
    assert all(one.fixed and one.variants == (1, 3) for one in rebuilt.values())
    assert not baselines.rebuilds(BASELINES["E003"], config)["bigru_003"].fixed  # stopped by the dev actors
    ours = baselines.ours(BASELINES["E001"], "campplus", "logistic", config)
    assert not any(one.fixed or one.variants for one in ours.values())


def test_summary_is_the_mean_over_seeds_with_a_wilson_interval(result):
    scored = tables.scores({"E000": result}, study_of(result))
    assert tables.summary(scored).columns.tolist() == tables.SUMMARY
    assert tables.verdicts(scored).columns.tolist() == tables.VERDICT
    table = scored.set_index("metric")
    each = by_draw(result.ours["list"], "accuracy")
    assert len(each) == 5
    line = table.loc["accuracy"]
    assert line["ours"] == pytest.approx(each.mean())
    assert line["ours_sd"] == pytest.approx(each.std(ddof=1))
    assert line["n"] == 848
    wilson = binomtest(round(each.mean() * 848), 848).proportion_ci(method="wilson")
    assert (line["wilson_low"], line["wilson_high"]) == pytest.approx((wilson.low, wilson.high))
    assert line["rebuild"] == pytest.approx(0.6, abs=0.04)
    assert line["fresh_mean"] == pytest.approx(0.8, abs=0.04)
    assert np.isnan(table.loc["uar", "wilson_low"])

    assert set(tables.SUMMARY) | set(tables.VERDICT) == set(scored.columns)
    assert line["verdict"] == "passed clearly"
    assert tables.verdict(0.84, 0.81, 0.8408) == "missed"
    assert tables.verdict(0.85, 0.82, 0.8408) == "passed"


def test_honest_value_is_the_mean_over_corpora(result):
    parts = baseline_results.by_corpus(result.ours["honest"], result.selection, CONFIG)
    assert parts["corpus"].tolist() == ["ravdess", "tess"]
    assert parts["n"].tolist() == [1440, 2800]
    assert parts["interval"].tolist() == ["speaker bootstrap", "clips, these voices only"]
    honest = baseline_results.honest_score(result.ours["honest"], result.selection, CONFIG)
    assert honest["honest"] == pytest.approx(parts["value"].mean())
    assert np.isnan(honest["honest_low"])  # two voices say nothing of other people
    assert np.isnan(honest["honest_high"])


def test_speakers_are_drawn_where_every_corpus_has_some():
    many = pd.DataFrame({"corpus": "ravdess", "speaker": [f"ravdess/{i % 4}" for i in range(8)]})
    few = pd.DataFrame({"corpus": "tess", "speaker": ["tess/OAF", "tess/YAF"]})
    assert comparisons._voices(many).tolist() == many["speaker"].tolist()
    assert set(comparisons._voices(pd.concat([many, few]))) == {None}


def test_paired_difference_shares_its_clips(result):
    both = comparisons.paired({"E000": result}, study_of(result))
    assert both["metric"].tolist() == ["accuracy", "uar"]
    means = [by_draw(table, "accuracy").mean() for table in (result.ours["list"], result.rebuilt["lightgbm_000"])]
    assert both["difference"].iloc[0] == pytest.approx(means[0] - means[1])
    table = both.iloc[0]
    assert table["against"] == "lightgbm_000"
    assert table["n"] == 848
    assert table["n_speakers"] == 26
    assert table["interval"] == "clips, these voices only"  # half of the list is spoken by the two women of TESS
    assert 0.2 < table["difference"] < 0.4
    assert table["low"] < table["difference"] < table["high"]
    assert table["p"] <= 0.05
    assert table["p_holm"] == table["p"]
    sentences = text.paired(both).finding.splitlines()
    assert len(sentences) == 2
    assert f"{100 * table['difference']:.1f} points" in sentences[0]
    assert "trained once" not in sentences[0]
    assert "over LightGBM (E000) (trained once); " in text.paired(both.assign(against_seeds=1)).finding
    assert "too few speakers to test" in text.paired(both.assign(p_holm=np.nan)).finding


def test_shared_units_are_those_the_specification_counts(result):
    """Specification §4: every speaker is on both sides; 249 of 303 RAVDESS test clips have their other take there."""
    table = comparisons.shared({"E000": result}, study_of(result))
    line = table.iloc[0]
    assert table.columns.tolist() == comparisons.SHARED
    assert line["n"] == line["speaker"] == 848
    clips, test = result.selection.clips, result.ours["list"].query("role == 'test'")["clip_id"]
    inside = clips[clips["clip_id"].isin(test)]
    assert inside["corpus"].value_counts().to_dict() == {"tess": 545, "ravdess": 303}
    ravdess = inside[inside["corpus"] == "ravdess"]
    train = clips[~clips["clip_id"].isin(test)]
    assert ravdess["take"].isin(train["take"]).sum() == 249
    assert line["take"] >= 249
    assert line["duplicate"] == 0
    assert f"{line['take']} of 848" in text.shared(table).finding
    assert "trained without them" not in text.shared(table).finding
    assert "exact copies 0 (in training as published; both" in text.shared(table.assign(id="E004")).finding


def test_second_listings_of_a_doubled_corpus_count_as_copies(names):  # noqa: F811
    """Specification §4, 004: of 458 RAVDESS clips in the test 407 are listed once, so their twin is in training."""
    folds, clips = made("baseline_list", "004", names)
    one = Result(BASELINES["E004"], Selection("baseline-004", clips, clips.iloc[:0]), pd.DataFrame(), {}, {},
                 {"list": predicted(folds, 0.5)})  # fmt: skip
    line = comparisons.shared_of(one, FOLDS)
    assert line["duplicate"] >= 407
    assert line["take"] >= line["duplicate"]


def test_slices_cover_the_list(result):
    table = comparisons.slices(result).set_index("clips")
    assert table.loc["RAVDESS", "n"] + table.loc["TESS", "n"] == 848
    assert table.loc["without TESS", "n"] == table.loc["RAVDESS", "n"]
    assert (table["ours"] > table["lightgbm_000"]).all()


def test_rebuilt_models_stand_beside_their_band(result):
    table = tables.models({"E000": result})
    by_model = table.set_index("model")
    assert by_model.loc["lightgbm_000", "n_seeds"] == 5
    assert not by_model.loc["lightgbm_000", "inside"]
    assert by_model.loc["logistic_000", "inside"] is None
    finding = text.models(table, study_of(result)).finding
    assert finding.startswith("0 rebuilt models")
    assert share(by_model.loc["lightgbm_000", "rebuilt"]) in finding
    assert ".810 to .870" in finding  # the band of E000's LightGBM


def test_sentences_hold_the_numbers(result):
    known, study = {"E000": result}, study_of(result)
    scored = tables.scores(known, study)
    accuracy = scored.set_index("metric").loc["accuracy"]
    first = text.verdicts(scored).finding.splitlines()[0]
    assert "E000, voice emotion classifier" in first
    assert "passed clearly" in first
    assert share(accuracy["ours"]) in first
    assert share(accuracy["honest"]) in first
    assert "missed" in text.verdicts(scored.assign(verdict="missed")).finding
    assert "not clearly above" not in first
    tied = scored.assign(rebuild=scored["ours"] - 1e-4, bar=0.1, verdict="passed clearly")
    assert "passed clearly**, but not clearly above their model as rebuilt here (" in text.verdicts(tied).finding
    assert "E000" in text.introduction(known, {}, study)
    assert "ser-study download ravdess" in text.introduction({}, {}, study)


def test_overview_counts_the_bars_and_the_drop(result):
    scored = tables.scores({"E000": result}, study_of(result))
    accuracy = scored.set_index("metric").loc["accuracy"]
    title = text.overview_title(scored)
    assert "1 of 1" in title
    assert f"{100 * (accuracy['list_uar'] - accuracy['honest']):.0f} points" in title  # UAR and UAR
    assert not re.search("[0-9] points", text.overview_title(scored.assign(id="E003")))  # its list shares no speaker
    figure = figures.overview(scored)
    labels = [label.get_text().replace("\n", " ") for label in figure.axes[0].get_yticklabels()]
    assert labels == ["E000 voice emotion classifier"]
    assert text.overview(scored, {"E000": result}, study_of(result)).alt == title


def test_bar_is_the_published_number_or_what_stands_for_it():
    first, without, last = (BASELINES[name] for name in ("E000", "E001", "E004"))
    assert first.bar("accuracy", 0.99, ["ravdess", "tess"]) == 0.8408
    assert without.bar("accuracy", 0.90, ["ravdess", "tess", "savee"]) == 0.8993
    assert without.bar("accuracy", 0.90, ["ravdess", "tess"]) == 0.922
    assert without.bar("accuracy", 0.95, ["ravdess", "tess"]) == 0.95
    assert without.bar("accuracy", 0.75, ["ravdess", "savee"]) == 0.75  # TESS is what lifts .8993
    assert first.bar("accuracy", 0.61, ["ravdess"]) == 0.61
    assert last.bar("mcc", 0.41, ["ravdess", "tess", "crema_d"]) == 0.41


def test_nothing_here_gives_empty_tables_not_errors():
    study = study_of()
    scored = tables.scores({}, study)
    for table in (
        tables.summary(scored),
        tables.verdicts(scored),
        tables.candidates({}),
        tables.models({}),
        comparisons.paired({}, study),
        comparisons.shared({}, study),
    ):
        assert table.empty
        assert len(table.columns) > 3
    assert figures.overview(scored) is None
    captions = [
        text.overview(scored, {}, study),
        text.summary(),
        text.verdicts(scored),
        text.candidates(),
        text.models(tables.models({}), study),
        text.paired(comparisons.paired({}, study)),
        text.shared(comparisons.shared({}, study)),
        *(caption for _, caption in sections.exhibits("E000", {}, study)),
        *(caption for _, caption in sections.confusion_matrices({})),
    ]
    assert all(caption.empty for caption in captions)


def test_sections_show_what_fits_the_project(result):
    pairs = sections.exhibits("E000", {"E000": result}, study_of(result))
    assert [caption.name for _, caption in pairs] == ["E000", "e000_new_speakers", "e000_slices", "e000_parts"]
    sentence = pairs[0][1].empty
    assert ".841" in sentence  # published
    assert share(by_draw(result.ours["list"], "accuracy").mean()) in sentence
    table = pairs[1][0]
    assert table["system"].drop_duplicates().tolist() == ["ours", "LightGBM (E000)"]
    assert (table["low"] <= table["value"]).all()
    ((figure, caption),) = sections.confusion_matrices({"E000": result})
    assert len(figure.axes) == 2
    assert caption.name == "e000_confusion"
    assert "E000, voice emotion classifier" in caption.text


def test_confusions_count_every_answer(result):
    (_, listed, classes), (_, honest, _) = comparisons.confusions(result)
    assert listed.sum() == 5 * 848
    assert honest.sum() == 4240
    accuracy = by_draw(result.ours["list"], "accuracy").mean()
    assert np.trace(listed) / listed.sum() == pytest.approx(accuracy, abs=1e-9)
    assert len(classes) == 7


def test_unknown_project_is_refused(store):
    config = settings.load("full", {"baselines.systems": "E009"})
    with pytest.raises(ValueError, match="Unknown student project 'E009'.*Known: E000"):
        Study(config, store, {}).baselines  # noqa: B018


def test_a_list_that_is_not_whole_leaves_its_project_out_and_says_what_is_missing(names, monkeypatch):  # noqa: F811
    """One unreadable file among the listed clips of E000: E003, whose test is by actor, stays."""
    gone = splits.listed("000", folder=FOLDS)["clip_id"].iloc[3]

    def clips_of(name, config, store):
        clips, _ = of(name, names[names["clip_id"] != gone])
        return Selection(f"baseline-{name}", clips, clips.iloc[:0])

    monkeypatch.setattr(selections, "_baseline_clips", clips_of)
    config = settings.load("full", {"baselines.systems": "E000,E003"})
    study = Study(config, Store(PROJECT, PROJECT, PROJECT, PROJECT), {})
    assert list(study.baselines) == ["baseline-003"]
    said = text.introduction({}, {}, study)
    assert f"1 of 848 listed test clips of '000' are missing: {gone};" in said
    assert said.startswith("**E000")
    assert "left out" in said.splitlines()[0]


def test_ledger_lines_are_those_of_the_projects(result, tmp_path):
    store = Store(tmp_path, tmp_path, tmp_path / "run", tmp_path)
    for name in ("d", "e", "another"):
        table = result.ours["list"].assign(experiment=name, corpus="ravdess")
        ledger.log_test_evaluations({name: "0123"}, ledger.test_uar(table), store)
    table = tables.test_evaluations({"E000": result}, study_of(result, store=store))
    assert table.columns.tolist() == ["id", "experiment", "evaluations", "first", "last"]
    assert table["experiment"].tolist() == ["d", "e"]
    assert table["evaluations"].tolist() == [1, 1]


def test_sixteen_classes_collapse_both_ways(names):  # noqa: F811
    folds, clips = made("baseline_list", "002a", names)
    honest, _ = made("baseline_speakers", "002a", names)
    choice = pd.DataFrame(
        {"feature": ["campplus"], "model": ["logistic"], "accuracy": [0.9], "n": [1], "chosen": [True]}
    )
    one = Result(
        BASELINES["E002a"],
        Selection("baseline-002a", clips, clips.iloc[:0]),
        choice,
        {"v4_002": predicted(folds, 0.7)},
        {},
        {"list": predicted(folds, 0.8), "fresh": predicted(folds, 0.8), "honest": predicted(honest, 0.5)},
    )
    table = comparisons.collapsed(one)
    mine = table[(table["system"] == "ours") & (table["protocol"] == "published list")].set_index(["classes", "how"])[
        "accuracy"
    ]
    right = one.ours["list"].query("role == 'test'")
    assert mine["gender", "winning class"] == pytest.approx(
        (right["truth"].str.split("_").str[1] == right["prediction"].str.split("_").str[1]).mean()
    )
    assert mine["emotion", "winning class"] >= (right["truth"] == right["prediction"]).mean()
    assert {caption.name for _, caption in sections.exhibits("E002a", {"E002a": one}, study_of(one))} >= {
        "e002a_collapsed"
    }
    parts = comparisons.parts(one, study_of(one))
    assert {"channel", "intensity"} <= set(parts["by"])
    strong = parts[parts["by"] == "intensity"].set_index("part")["n"]
    assert strong.sum() < len(one.ours["honest"])  # neutral is not strong, so it is left out
    clips = pd.DataFrame(
        {"clip_emotion": ["neutral", "calm", "calm", "sad", "sad"], "truth": ["neutral"] * 3 + ["sad"] * 2}
    )
    levels = clips.assign(clip_intensity=["normal", "normal", "strong", "normal", "strong"]).groupby("clip_intensity")
    compared = comparisons._comparable([part for _, part in levels], "intensity")
    assert [len(part) for part in compared] == [2, 2], "neutral goes, though calm counts as neutral in both parts"


def test_one_project_is_run_with_the_candidate_that_was_best_inside(monkeypatch, result):
    """Validation rows name our system; only then are test rows predicted, by the rebuilt models and by that system."""
    inside = {"means184": 0.5, "campplus": 0.6, "campplus+moonshine": 0.7}
    steps = []

    def predict_validation(experiments, selections, **options):
        steps.append("choose")
        share_of = {one: inside[one.feature] - 0.1 * (one.model == "pca_lda") for one in experiments}
        rows = result.ours["list"].query("role == 'test' and draw == 0")
        right = np.random.default_rng(3).uniform(size=len(rows))
        wrong = np.roll(rows["truth"], 1)
        return {one: rows.assign(prediction=np.where(right < s, rows["truth"], wrong)) for one, s in share_of.items()}

    def predict(experiments, selections, **options):
        steps.append("predict")
        return {one: result.ours["list"].assign(experiment=one.name) for one in experiments}

    monkeypatch.setattr(features, "unavailable", lambda name, *_: "")
    monkeypatch.setattr(runner, "predict_validation", predict_validation)
    monkeypatch.setattr(runner, "predict", predict)
    done, failed = results.run(study_of(result))
    one = done["E000"]
    assert (steps, failed) == (["choose", "predict", "predict"], {})
    assert (one.chosen["feature"], one.chosen["model"]) == ("campplus+moonshine", "logistic")
    assert set(one.rebuilt) == {"lightgbm_000", "logistic_000"}
    assert set(one.rebuilt_honest) == {"lightgbm_000"}
    assert {kind: table["experiment"].iloc[0].split("/")[1:4] for kind, table in one.ours.items()} == {
        "list": ["baseline_list", "campplus+moonshine", "logistic"],
        "fresh": ["baseline_fresh", "campplus+moonshine", "logistic"],
        "honest": ["baseline_speakers", "campplus+moonshine", "logistic"],
    }


def test_a_project_without_its_weights_leaves_the_others(monkeypatch, result):
    """Offline: the candidates that need weights are left out with the reason, and what fails is named at the end."""
    reason = "The weights of CAM++ cannot be had: no network."
    monkeypatch.setattr(features, "unavailable", lambda name, *_: reason if "camp" in name or "moon" in name else "")
    monkeypatch.setattr(
        runner, "predict_validation", lambda declared, *args, **options: dict.fromkeys(declared, result.ours["list"])
    )
    choice = baseline_results.choose(E000, {}, config=CONFIG, store=None)
    assert choice["feature"].tolist() == ["means184"]
    assert baseline_results.unavailable_candidates([E000]) == [reason]

    def run_one(baseline, study):
        if baseline.id == "E003":
            raise RuntimeError("1 of 2 experiments failed")
        return result

    monkeypatch.setattr(results, "run_one", run_one)
    third = dataclasses.replace(result, selection=dataclasses.replace(result.selection, name="baseline-003"))
    study = study_of(result, third)
    done, failed = results.run(study)
    assert (list(done), failed) == (["E000"], {"E003": "1 of 2 experiments failed"})
    assert "1 of 2 experiments failed" in text.introduction(done, failed, study)
    with pytest.raises(RuntimeError, match="1 of the projects could not be run, first E003"):
        results.require_complete(failed)
    results.require_complete({})


def test_intensities_stand_beside_what_people_recognise():
    parts = pd.DataFrame(
        {"corpus": "ravdess", "by": "intensity", "part": ["normal", "strong"], "value": [0.685, 0.808]}
    )
    sentence = section_text.intensities(parts)
    assert "rises by 12.3 points, to .808" in sentence
    assert "67 % against 58 % of the trials" in sentence
    assert section_text.intensities(parts.iloc[:1]) == ""
    assert section_text.intensities(parts.assign(corpus="crema_d")) == ""
