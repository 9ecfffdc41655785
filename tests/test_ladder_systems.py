"""Several systems on the ladder: declarations, leaks, the encoder's leads, ranks, sentences and figures."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from figure_checks import check_figure
from scipy import stats
from sklearn.preprocessing import StandardScaler

from ser_study import config as settings
from ser_study import training
from ser_study.chapters.splits import declare, figures, systems, systems_figures, systems_text, tables
from ser_study.evaluation import intervals, metrics, significance, step_gaps
from ser_study.experiments import benchmark, checks, execute
from ser_study.experiments.experiment import Experiment
from ser_study.models import classical, registry
from ser_study.schema import EMOTIONS, FeatureSet
from ser_study.study import Study

ALL = ["random", "take_disjoint", "sentence_independent", "speaker_independent", "speaker_and_sentence"]
ALL += ["leave_one_speaker_out"]


# What is declared


def test_a_system_names_its_selections():
    everywhere, some, others = map(benchmark.system, ("a/b", "a+c/b@tess+emodb", "a/b@-tess+emodb"))
    assert (some.feature, some.model) == ("a+c", "b")
    assert [everywhere.serves(name) for name in ("tess", "own")] == [True, True]
    assert [some.serves(name) for name in ("tess", "own")] == [True, False]
    assert [others.serves(name) for name in ("tess", "own")] == [False, True]
    with pytest.raises(ValueError, match="FEATURE/MODEL.*got 'egemaps'"):
        benchmark.system("egemaps")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("egemap/lda", "did you mean 'egemaps'"),
        ("egemaps/ldaa", "did you mean 'lda'"),
        ("egemaps/lda@tes", "did you mean 'tess'"),
    ],
)
def test_unknown_names_of_systems_are_refused(given, message):
    with pytest.raises(ValueError, match=rf"ladder\.systems.*{message}"):
        checks.check_names(settings.load("demo", {"ladder.systems": given}))


def test_systems_of_full_are_those_meant_for_each_selection():
    config = settings.load("full", {"training.seeds": 3})
    declared = benchmark.ladder_systems(config, {"emodb": ALL, "tess": ["random", "speaker_independent"]})
    names = {
        selection: {(e.feature, e.model) for e in declared if e.selection == selection}
        for selection in ("emodb", "tess")
    }
    both = {("means184", "logistic"), ("summary", "lightgbm")}
    assert names["emodb"] - {("campplus", "lda")} == both | {("compare", "linear_svm"), ("log_mel", "cnn")}
    assert names["tess"] - {("campplus", "lda")} == both | {("egemaps", "linear_svm")}
    assert all(one.fixed and not one.leak and benchmark.is_step(one) for one in declared)
    assert {one.draws for one in declared if one.model == "cnn"} == {3}  # training seeds
    assert {one.draws for one in declared if one.model != "cnn"} == {1}
    cut = benchmark.equal_size(config, declared, {"emodb": 100})
    assert {one.selection for one in cut} == {"emodb"}
    draws = {one.model: one.draws for one in cut}
    assert {"logistic": 5, "linear_svm": 5, "lightgbm": 1, "cnn": 1}.items() <= draws.items()
    quick = settings.load("quick")
    assert {benchmark.draws_of(quick, *pair) for pair in (("summary", "lda"), ("campplus", "lda"))} == {5, 1}


def test_leaks_stand_beside_the_same_experiment_without_them():
    config = settings.load("full")
    pairs = benchmark.leaks(config, {"emodb": ALL})
    assert [one.leak for one in pairs] == ["augment_before_split", "scale_on_all", "select_on_test"]
    for leaking, plain in pairs.items():
        assert replace(leaking, leak="") == plain
    assert [one.fixed for one in pairs] == [True, True, False]
    assert [one.protocol for one in pairs] == ["random", "speaker_independent", "speaker_independent"]
    assert not execute.keeps_validation(list(pairs)[2])


def test_a_fixed_network_runs_to_its_last_epoch():
    config = settings.load("full")
    fixed = Experiment("emodb", "random", "log_mel", "cnn", fixed=True)
    assert execute.training_of(fixed, config) == replace(config.training, validation_share=0.0)
    assert execute.training_of(replace(fixed, fixed=False), config) == config.training


# Leaks


@pytest.mark.parametrize("name", ["lda", "logistic"])
def test_the_leaking_scaler_is_fitted_on_both_parts(name):
    random = np.random.default_rng(1)
    train, test = random.normal(size=(30, 5)), random.normal(3, 2, size=(20, 5))
    model = registry.get(name)
    inside, outside = classical.prepared(model, train, test)
    scaler = StandardScaler().fit(train)
    assert np.allclose(inside, scaler.transform(train))
    assert np.allclose(outside, scaler.transform(test))
    inside, outside = classical.prepared(model, train, test, leak="scale_on_all")
    both = np.concatenate([train, test])
    assert np.allclose(inside, (train - both.mean(axis=0)) / both.std(axis=0))
    assert np.allclose(outside, (test - both.mean(axis=0)) / both.std(axis=0))


def test_the_leaking_scaler_keeps_the_span_of_wide_training_rows():
    random = np.random.default_rng(2)
    train, test = random.normal(size=(10, 40)), random.normal(3, 2, size=(5, 40))
    inside, outside = classical.prepared(registry.get("logistic"), train, test, leak="scale_on_all")
    scaler = StandardScaler().fit(np.concatenate([train, test]))
    assert np.allclose(inside @ inside.T, scaler.transform(train) @ scaler.transform(train).T)
    assert np.allclose(outside @ inside.T, scaler.transform(test) @ scaler.transform(train).T)
    trees = classical.prepared(registry.get("lightgbm"), train, test, leak="scale_on_all")
    assert np.array_equal(trees[0], train)


def test_selection_on_test_takes_the_best_score_on_test():
    random, models = np.random.default_rng(3), settings.Models()
    ids = np.array([f"x/{i:03d}" for i in range(120)], dtype=object)
    truth = pd.Series(np.repeat(EMOTIONS[:3], 40), index=ids)
    shift = np.eye(3)[np.repeat([0, 1, 2], 40)] @ random.normal(size=(3, 20))
    values = FeatureSet("x", ids, np.zeros(120, int), (shift + random.normal(0, 3, (120, 20))).astype(np.float32))
    test = random.permutation(120) < 40
    role = np.where(test, "test", "train")
    folds = pd.DataFrame({"repeat": 0, "fold": 1, "clip_id": ids, "variant": 0, "role": role})

    def uar(**task) -> float:
        made = training.run_folds(values, truth, folds, training.Task("lda", **task), models=models, seed=0)
        assert set(made["role"]) == {"test"}
        return metrics.uar_of(made)

    each = [uar(params=params, keep_validation=False) for params in registry.get("lda").grid(models)]
    assert max(each) > min(each)
    assert uar(leak="select_on_test", keep_validation=False) == max(each)


# The encoder's leads


def made_up(hits: dict[str, list[int]], n: int = 10) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Predictions of some experiments on n clips of each of two classes and speaker; ``hits`` of each are right."""
    speakers = [f"x/{i}" for i in range(len(next(iter(hits.values()))))]
    rows = [(s, label, i) for s in speakers for label in ("angry", "sad") for i in range(n)]
    clips = pd.DataFrame(rows, columns=["speaker", "emotion", "place"])
    clips = clips.assign(clip_id=[f"x/{i}" for i in range(len(clips))])
    frames = []
    for name, right in hits.items():
        good = clips["place"] < clips["speaker"].map(dict(zip(speakers, right)))
        other = clips["emotion"].map({"angry": "sad", "sad": "angry"})
        frames.append(
            pd.DataFrame(
                {
                    **{"experiment": name, "scheme": "native", "protocol": "random", "repeat": 0, "fold": 1, "seed": 0},
                    **{"role": "test", "model": "lda", "n_train": 8, "clip_id": clips["clip_id"], "variant": 0},
                    **{"truth": clips["emotion"], "prediction": clips["emotion"].where(good, other), "corpus": "x"},
                    **{"feature": "summary", "draw": 0, "leak": "", "params": "{}"},
                }
            )
        )
    return pd.concat(frames, ignore_index=True), clips


def test_step_gaps_are_differences_of_differences():
    hits = {
        "encoder random": [9, 10, 9, 8, 10, 9],
        "encoder new": [8, 8, 7, 7, 9, 6],
        "old random": [9, 8, 8, 9, 9, 8],
        "old new": [3, 5, 4, 2, 5, 4],
        "flat random": [5, 5, 5, 5, 5, 5],
        "flat new": [5, 4, 5, 5, 5, 5],
    }
    predictions, clips = made_up(hits)
    evaluation = settings.Evaluation(n_bootstrap=50)
    steps = [("old random", "old new"), ("flat random", "flat new")]
    options = {"family": "x", "evaluation": evaluation, "rng": np.random.default_rng(1)}
    table = step_gaps.step_gaps(predictions, clips, ("encoder random", "encoder new"), steps, **options)
    own = {name: np.array(right) / 10 for name, right in hits.items()}
    for row, (before, after) in zip(table.itertuples(), steps):
        gaps = (own["encoder new"] - own[after]) - (own["encoder random"] - own[before])
        assert row.lead_before == pytest.approx(np.mean(own["encoder random"] - own[before]), abs=1e-12)
        assert row.lead_after == pytest.approx(np.mean(own["encoder new"] - own[after]), abs=1e-12)
        assert row.difference == pytest.approx(gaps.mean(), abs=1e-12)
        signs = np.array(list(itertools.product([-1, 1], repeat=6)))
        assert row.p == pytest.approx(np.mean(np.abs(signs @ gaps) >= abs(gaps.sum()) - 1e-9), abs=1e-12)
        # of equal numbers of clips, the jackknife over speakers is the t interval of their mean
        low, high = stats.t.interval(0.95, 5, gaps.mean(), gaps.std(ddof=1) / np.sqrt(6))
        assert (row.low, row.high) == pytest.approx((low, high), abs=1e-9)
    assert table["p_holm"].tolist() == pytest.approx([2 / 32, 2 / 32])  # 1/32 is the smallest p of six
    assert (table["n_speakers"] == 6).all()
    with pytest.raises(ValueError, match="No predictions of nobody"):
        step_gaps.step_gaps(predictions, clips, ("encoder random", "nobody"), steps, **options)


# Tables, on the built-in corpus


def test_every_system_stands_on_every_step_at_both_sizes(small_study):
    scores = systems.ladder(small_study)
    assert list(scores.columns) == systems.LADDER_COLUMNS
    assert not scores.duplicated([*systems.SYSTEM, "protocol", "size"]).any()
    assert set(scores["model"]) == {"lda", "logistic"}
    assert scores.groupby(["model", "size"])["protocol"].nunique().eq(5).all()
    assert scores.loc[scores["size"] == "equal", "n_train"].nunique() == 1
    reference = tables.ladder(small_study).query("protocol == 'random'").set_index("size")["value"]
    own = scores.query("protocol == 'random' and model == 'lda'").set_index("size")["value"]
    assert own.to_dict() == reference.to_dict()
    costs = systems.costs(small_study)
    assert set(costs["model"]) == {"logistic"}  # the reference has a table of its own
    value = scores.query("size == 'equal' and model == 'logistic'").set_index("protocol")["value"]
    for row in costs.itertuples():
        assert row.difference == pytest.approx(value[row.step_to] - value[row.step_from], abs=1e-9)


def test_steps_of_all_systems_are_one_family(small_study):
    config = replace(
        small_study.config, ladder=replace(small_study.config.ladder, systems=("means184/logistic", "means184/dummy"))
    )
    costs = systems.costs(Study(config, small_study.store, small_study.selections))
    assert costs["model"].nunique() == 2
    assert costs["p_holm"].tolist() == significance.holm(costs["p"]).tolist()


def test_leads_follow_from_the_ladder(small_study, monkeypatch):
    assert systems.leads(small_study).empty
    assert "No pretrained encoder" in systems_text.leads().empty
    monkeypatch.setattr("ser_study.features.is_pretrained", lambda name: True)
    (lead,) = systems.leads(small_study).itertuples()
    value = systems.ladder(small_study).query("size == 'equal'").set_index(["model", "protocol"])["value"]
    ahead = [value["lda", name] - value["logistic", name] for name in systems.SPEAKER_STEP]
    assert (lead.model, lead.lead_before, lead.lead_after) == ("logistic", *map(pytest.approx, ahead))
    assert lead.difference == pytest.approx(ahead[1] - ahead[0], abs=1e-9)


def test_ranks_agree_with_scipy(small_study):
    config = replace(
        small_study.config, ladder=replace(small_study.config.ladder, systems=("means184/logistic", "means184/dummy"))
    )
    study = Study(config, small_study.store, small_study.selections)
    ranks = systems.ranks(study)
    assert ranks["rank"].is_monotonic_increasing
    assert ranks["rank"].sum() == pytest.approx(6)
    assert ranks["model"].iloc[-1] == "dummy"
    uar = []
    for model in ("lda", "logistic", "dummy"):
        rows = study.predictions(Experiment("synthetic", "speaker_independent", "means184", model, fixed=True))
        rows = rows.merge(study.clips("synthetic")[["clip_id", "speaker"]], on="clip_id")
        right = (rows["prediction"] == rows["truth"]).groupby([rows["speaker"], rows["truth"]]).mean()
        uar.append(right.groupby("speaker").mean())
    assert ranks["statistic"].iloc[0] == pytest.approx(stats.friedmanchisquare(*uar).statistic)
    quantile = stats.studentized_range.ppf(0.95, 3, np.inf) / np.sqrt(2)
    assert ranks["critical_difference"].iloc[0] == pytest.approx(quantile * np.sqrt(3 * 4 / (6 * 6)))
    assert systems.ranks(small_study).empty  # two systems


def test_leaks_are_paired_with_the_score_without_them(small_study):
    table = systems.leaks(small_study).set_index("leak")
    assert list(table.index) == ["augment_before_split", "scale_on_all", "select_on_test"]
    assert np.allclose(table["difference"], table["with"] - table["without"])
    assert table.loc["augment_before_split", "difference"] > 0
    full = systems.ladder(small_study).query("size == 'full' and model == 'lda'").set_index("protocol")["value"]
    assert table.loc["scale_on_all", "without"] == pytest.approx(full["speaker_independent"])


def test_the_built_in_corpus_joins_where_it_is_not_studied(small_study):
    config = replace(small_study.config, ladder=replace(small_study.config.ladder, built_in=True))
    part = small_study.selections["synthetic"]
    own = replace(part, name="own", clips=part.clips.assign(corpus="own"))
    alone = Study(config, small_study.store, {"own": own})
    assert list(systems.with_built_in(alone).selections) == ["own", "synthetic"]
    assert systems.with_built_in(small_study) is small_study
    without = Study(replace(config, ladder=replace(config.ladder, built_in=False)), small_study.store, {"own": own})
    assert systems.with_built_in(without) is without


def test_the_curve_has_the_encoder_beside_the_reference(small_study, monkeypatch):
    assert declare.curve_systems(small_study, "synthetic") == [("means184", "lda")]
    monkeypatch.setattr("ser_study.features.is_pretrained", lambda name: True)
    assert declare.curve_systems(small_study, "synthetic") == [("means184", "lda"), ("means184", "logistic")]


# Sentences and figures, on made-up tables

CORPORA = ("ravdess-speech", "tess", "emodb")
LEAKS = ("augment_before_split", "scale_on_all", "select_on_test")
SYSTEMS = (("summary", "lda"), ("means184", "logistic"), ("compare", "linear_svm"), ("campplus", "lda"))
STEPS = ("random", "sentence_independent", "speaker_independent", "speaker_and_sentence")


def ladder_table() -> pd.DataFrame:
    """The encoder loses 10 points and is best on new speakers, by 20; the others lose 20."""
    rows = []
    for corpus, (feature, model), size in itertools.product(CORPORA, SYSTEMS, ("equal", "full")):
        fall = 0.10 if feature == "campplus" else 0.20
        first = {"summary": 0.8, "means184": 0.7, "compare": 0.75, "campplus": 0.9}[feature]
        values = (first, first - 0.05, first - fall, first - fall - 0.05)
        rows += [(corpus, feature, model, step, size, value) for step, value in zip(STEPS, values)]
    table = pd.DataFrame(rows, columns=[*systems.SYSTEM, "protocol", "size", "value"])
    table = table.assign(low=table["value"] - 0.04, high=table["value"] + 0.04, interval="", sd=np.nan)
    return table.assign(n=100, n_train=50)


def costs_table() -> pd.DataFrame:
    rows = [(c, *s, "random", "speaker_independent", -0.2, "cannot reach .05" if c == "tess" else "")
            for c in CORPORA for s in SYSTEMS[1:]]  # fmt: skip
    names = [*systems.SYSTEM, "step_from", "step_to", "difference", "note"]
    return pd.DataFrame(rows, columns=names).assign(p_holm=lambda t: np.where(t["corpus"] == "emodb", 0.2, 0.004))


def leads_table() -> pd.DataFrame:
    rows = [(c, *s, 0.1, 0.2, 0.1, 0.01) for c in CORPORA for s in SYSTEMS[:3]]
    columns = [*systems.SYSTEM, "lead_before", "lead_after", "difference", "p_holm"]
    return pd.DataFrame(rows, columns=columns)


def ranks_table() -> pd.DataFrame:
    rows = [(c, *s, rank) for c in ("ravdess-speech", "emodb", "synthetic") for rank, s in enumerate(SYSTEMS[::-1], 1)]
    table = pd.DataFrame(rows, columns=[*systems.SYSTEM, "rank"])
    return table.assign(uar=0.5, critical_difference=1.5, statistic=9.0, p=0.0004, n_speakers=10)


def leaks_table() -> pd.DataFrame:
    rows = [(c, leak, 0.6, 0.6 + add) for c in CORPORA for leak, add in zip(LEAKS, (0.1, 0.001, 0.02))]
    table = pd.DataFrame(rows, columns=["corpus", "leak", "without", "with"])
    return table.assign(difference=table["with"] - table["without"])


def test_the_ladder_is_read_aloud_in_five_sentences():
    words = systems_text.reading(ladder_table(), costs_table(), leads_table()).splitlines()
    assert [line[:3] for line in words] == ["1. ", "2. ", "3. ", "4. ", "5. "]
    for line, parts in zip(
        words,
        (
            (".700 to .900", "12 of 12 scores are lower", "20 points are lost in the median (10 to 20 points)"),
            ("CAM++, LDA is best on 3 of 3 corpora: ", "ahead by 20 points in the median"),
            ("does not escape the leak", "costs it 10 points", "in 9 of 9", "in 9) and more in 0 (in 0)", "+10 points"),
            ("5 points on new sentences (5)", "20 on new speakers (10 to 20)", "and 25 on both at once (15 to 25)"),
            ("Of 6 tested steps", "3 are significant", "= .200", "steps on TESS cannot reach .05"),
        ),
    ):
        for part in parts:
            assert part in line
        assert line.count(". ") == 1, "one sentence each"
    assert systems_text.ladder_title(ladder_table()) == (
        "The encoder leaks too: new speakers cost it 10 points on recorded corpora of more than three speakers, in 0 "
        "of 9 comparisons more than the other system"
    )


def test_two_voices_and_synthetic_ones_do_not_speak_for_other_people():
    scores, leads = ladder_table().replace({"corpus": {"emodb": "synthetic"}}), leads_table()
    scores.loc[scores["corpus"] == "tess", "interval"] = intervals.CLIPS
    scores.loc[(scores["feature"] == "campplus") & (scores["protocol"] == "speaker_independent"), "value"] -= 0.15
    leads = leads.replace({"corpus": {"emodb": "synthetic"}})
    assert systems_text.ladder_title(scores).endswith("in 3 of 3 comparisons more than the other system")
    words = systems_text.reading(scores, costs_table(), leads.assign(difference=-0.05)).splitlines()
    assert "on 3 of 3 corpora, the synthetic corpus among them: against" in words[1]
    assert "on recorded corpora of more than three speakers the same step costs it 25 points, less than" in words[2]
    assert "in 0 of 3 comparisons" in words[2]
    assert "more in 3 (in 3)" in words[2]
    alone = scores[scores["corpus"] == "synthetic"]
    assert systems_text.ladder_title(alone) == (
        "The encoder leaks too: new speakers cost it 25 points, in 3 of 3 comparisons more than the other system"
    )


def test_leaks_are_counted_where_they_can_be_tested():
    table = leaks_table().assign(note="", p_holm=0.01)
    table.loc[table["corpus"] == "tess", ["note", "p_holm"]] = ["cannot reach .05", 1.0]
    finding = systems_text.leaks_table(table).finding
    assert "before the split: RAVDESS speech (+10.0 points) and EMO-DB (+10.0 points), of 2 tested." in finding
    assert "leak and augmentation together" in finding
    assert "augmentation" not in systems_text.leaks_table(table[table["leak"] != LEAKS[0]]).finding


def test_sentences_without_an_encoder_and_without_new_speakers():
    scores = ladder_table().query("feature != 'campplus'")
    none = leads_table().iloc[:0]
    words = systems_text.reading(scores, costs_table().iloc[:0], none)
    assert "No pretrained encoder ran here; best on new speakers are summaries, LDA on RAVDESS speech (.600)" in words
    assert "No step to new speakers can be tested here, for no system stands beside the first." in words
    assert "New speakers cost 20 points" in systems_text.ladder_title(scores)
    random = scores[scores["protocol"] == "random"]
    assert systems_text.reading(random, costs_table(), none) == ""
    assert not re.search(r"\d", systems_text.ladder_title(random))


def test_ranks_say_which_systems_the_best_is_not_different_from():
    finding = systems_text.ranks(ranks_table()).finding
    assert (
        "EMO-DB: LDA on CAM++ (Friedman p < .001, critical difference 1.50 ranks over 10 speakers; not different"
        in finding
    )
    assert "from linear SVM on ComParE)" in finding
    assert systems_text.ranks_title(ranks_table()) == "CAM++, LDA ranks best on new speakers on 3 of 3 corpora"
    assert systems_text.leaks_title(leaks_table()).endswith("(hyperparameters chosen on test)")


def curve_table() -> pd.DataFrame:
    rows = [(c, *s, n, n, n, 0.3 + 0.05 * np.log2(n) + (s[0] == "campplus") * (0.02 if c == "tess" else 0.2))
            for c in CORPORA for s in (SYSTEMS[0], SYSTEMS[3]) for n in (2, 4, 8)]  # fmt: skip
    table = pd.DataFrame(rows, columns=[*systems.SYSTEM, "train_speakers", "fewest", "most", "value"])
    return table.assign(low=table["value"] - 0.04, high=table["value"] + 0.04)


FIGURES = {
    "ladder": lambda: systems_figures.ladder(ladder_table(), dict.fromkeys(CORPORA, 0.125), {"tess": 0.4}),
    "ranks": lambda: systems_figures.ranks(ranks_table()),
    "leaks": lambda: systems_figures.leaks(leaks_table()),
    "curve": lambda: figures.curve(curve_table(), dict.fromkeys(CORPORA, 0.125)),
}


@pytest.mark.parametrize("name", FIGURES)
def test_figures_keep_the_rules(name):
    check_figure(FIGURES[name])


def test_nothing_is_drawn_of_nothing():
    for draw, table in (
        (systems_figures.ranks, ranks_table()),
        (systems_figures.leaks, leaks_table()),
        (lambda scores: systems_figures.ladder(scores, {}, {}), ladder_table()),
    ):
        assert draw(table.iloc[:0]) is None
    with pytest.raises(ValueError, match="lacks rank"):
        systems_figures.ranks(ranks_table().drop(columns="rank"))
