"""Experiments from declaration to scores, on a small built-in corpus."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from ser_study import config as settings
from ser_study import store as stores
from ser_study.evaluation import intervals, summaries, tables
from ser_study.experiments import Experiment, benchmark, execute, folds, runner
from ser_study.experiments.selections import classes_of
from ser_study.study import Study


def unnamed(part):
    """The same clips as somebody's own recordings that name no speaker."""
    return dataclasses.replace(part, name="own", clips=part.clips.assign(speaker=None, take=None))


def declared(study: Study) -> list[Experiment]:
    return benchmark.benchmark(study.config, study.possible)


def leaking(study: Study) -> Experiment:
    """The step of the ladder that augments before it splits."""
    return next(one for one in benchmark.ladder(study.config, study.possible) if one.leak)


def make_folds(experiment: Experiment, study: Study) -> pd.DataFrame:
    part = study.selections["synthetic"]
    return folds.folds_of(experiment, part, classes_of(part, "native"), study.config, study.store, draw=0)


def test_names_are_unique_and_hold_only_what_differs(small_study):
    published = benchmark.published(small_study.config, small_study.possible, small_study.selections)
    names = [experiment.name for experiment in published]
    assert len(set(names)) == len(names) == len(set(published))
    assert Experiment("tess", "random", "egemaps", "logistic").name == "tess/random/egemaps/logistic"
    leak = Experiment("tess", "random", "egemaps", "logistic", fixed=True, leak="augment_before_split", size=9)
    assert leak.name == "tess/random/egemaps/logistic/fixed/n9/augment_before_split"


def test_clips_without_speakers_are_left_out_where_speakers_matter(small_study):
    config, part = small_study.config, small_study.selections["synthetic"]
    allowed = benchmark.possible({"synthetic": part, "own": unnamed(part)}, config)
    assert "speaker_independent" in allowed["synthetic"]
    assert "speaker_independent" not in allowed["own"]
    scored = {(one.selection, one.protocol) for one in benchmark.benchmark(config, allowed)}
    assert scored == {("synthetic", "random"), ("synthetic", "speaker_independent"), ("own", "random")}
    pair = {"crema_d": allowed["synthetic"], "own": allowed["own"]}
    matrix = {(one.selection, one.protocol, one.sources) for one in benchmark.cross_corpus(config, pair)}
    assert matrix == {
        ("crema_d", "speaker_independent", ()),
        ("crema_d", "cross_corpus", ("own",)),
        ("own", "cross_corpus", ("crema_d",)),
    }


def test_benchmark_scores_every_clip_once(small_study):
    clips = small_study.clips("synthetic")
    uar = summaries.uar(small_study.scores(declared(small_study)))
    assert len(uar) == 4
    assert (uar["n"] == len(clips)).all()
    chance = uar.loc[uar["model"] == "dummy"].set_index("protocol")["value"]
    assert chance["speaker_independent"] == pytest.approx(1 / 6)
    assert 0.12 < chance["random"] <= 1 / 6 + 1e-9  # stratified folds make the test's majority rarer in training
    table = small_study.predictions(Experiment("synthetic", "speaker_independent", "means184", "logistic"))
    test = table[table["role"] == "test"]
    assert sorted(test["clip_id"]) == sorted(clips["clip_id"])
    speaker = clips.set_index("clip_id")["speaker"]
    for _, fold in table.groupby("fold"):
        speakers = {role: set(speaker[rows["clip_id"]]) for role, rows in fold.groupby("role")}
        assert not speakers["test"] & speakers["validation"]


def test_second_run_computes_nothing(small_study, monkeypatch):
    first = small_study.scores(declared(small_study))
    monkeypatch.setattr(execute, "_computed", lambda *_: pytest.fail("a prediction was computed again"))
    pd.testing.assert_frame_equal(first, small_study.scores(declared(small_study)))


def test_second_run_reads_each_table_once(small_study, monkeypatch):
    some = declared(small_study)
    small_study.scores(some)
    read = []
    real = stores.read_table
    monkeypatch.setattr(stores, "read_table", lambda path: read.append(path) or real(path))
    small_study.scores(some)
    assert len(read) == len(set(read)) == len(set(some))


def test_augmenting_before_the_split_puts_copies_on_both_sides(small_study):
    table = make_folds(leaking(small_study), small_study)
    test = table[table["role"] == "test"]
    assert sorted(test["clip_id"]) == sorted(small_study.clips("synthetic")["clip_id"])
    assert set(test["variant"]) == {0}
    train = table[table["role"] == "train"].groupby("fold")["clip_id"].apply(set)
    share = np.mean([clip in train[fold] for clip, fold in zip(test["clip_id"], test["fold"])])
    assert share > 0.9


@pytest.mark.parametrize("leak", ["scale_on_all", "select_on_test"])
def test_a_leak_that_copies_nothing_is_scored_on_the_folds_of_its_protocol(small_study, leak):
    plain = Experiment("synthetic", "speaker_independent", "means184", "lda", fixed=leak == "scale_on_all")
    leaking = dataclasses.replace(plain, leak=leak)
    pd.testing.assert_frame_equal(make_folds(leaking, small_study), make_folds(plain, small_study))
    jobs = [
        execute.make(one, small_study.selections, None, small_study.config, small_study.store)
        for one in (plain, leaking)
    ]
    assert "leak" not in jobs[0].cache_key
    assert jobs[1].cache_key["leak"] == 2, "predictions of random folds are out of date"


def test_equal_size_counts_distinct_clips_with_all_their_copies(small_study):
    cut = make_folds(dataclasses.replace(leaking(small_study), size=60), small_study)
    train = cut[cut["role"] == "train"]
    assert (train.groupby("fold")["clip_id"].nunique() == 60).all()
    assert (train.groupby("fold").size() > 120).all()
    tested = cut.loc[cut["role"] == "test", "clip_id"]
    assert sorted(tested) == sorted(small_study.clips("synthetic")["clip_id"])


def test_fewer_training_speakers_leave_the_test_alone(small_study):
    whole = Experiment("synthetic", "speaker_independent", "means184", "logistic", fixed=True)
    few = dataclasses.replace(whole, train_speakers=2)
    made = {one: make_folds(one, small_study) for one in (whole, few)}
    speaker = small_study.clips("synthetic").set_index("clip_id")["speaker"]
    pairs = {one: made[one].groupby("role").apply(lambda rows: set(zip(rows["fold"], rows["clip_id"]))) for one in made}
    assert pairs[few]["test"] == pairs[whole]["test"]
    assert pairs[few]["train"] < pairs[whole]["train"]
    train = made[few][made[few]["role"] == "train"]
    assert (train.groupby("fold")["clip_id"].apply(lambda ids: speaker[ids].nunique()) == 2).all()


def test_shuffling_keeps_each_speakers_labels(small_study):
    part = small_study.selections["synthetic"]
    truth = classes_of(part, "native")
    mixed = folds.shuffled(truth, part.clips, "within_speaker", np.random.default_rng(0))
    speaker = part.clips.set_index("clip_id")["speaker"]
    assert not mixed.equals(truth)
    for _, ids in speaker.groupby(speaker).groups.items():
        assert sorted(mixed[ids]) == sorted(truth[ids])


def test_hyperparameters_of_two_speakers_are_transferred(small_study):
    config, store, part = small_study.config, small_study.store, small_study.selections["synthetic"]
    two = part.clips[part.clips["speaker"].isin(sorted(part.clips["speaker"].unique())[:2])].reset_index(drop=True)
    pair = dataclasses.replace(part, name="pair", clips=two)
    both = {"synthetic": part, "pair": pair}
    experiment = Experiment("pair", "speaker_independent", "means184", "logistic")
    other = dataclasses.replace(experiment, selection="synthetic")
    assert runner.needs_transfer(experiment, both)
    assert not runner.needs_transfer(other, both)
    one_out = dataclasses.replace(experiment, protocol="leave_one_speaker_out")  # the same folds by another name
    assert runner.needs_transfer(one_out, both)
    small_study.scores(declared(small_study))
    params = runner.transferred(experiment, both, config=config, store=store)
    table = runner.predictions(other, both, config=config, store=store)
    chosen = table[table["role"] == "test"].groupby("fold")["params"].first()
    chosen = sorted(float(text.split(":")[1][:-1]) for text in chosen)
    assert params == {"C": chosen[len(chosen) // 2]}
    assert runner.transferred(one_out, both, config=config, store=store) == params
    alone = runner.transferred(experiment, {"pair": pair}, config=config, store=store)
    assert alone == {"C": config.models.logistic_c_fixed}


@pytest.mark.parametrize(("size", "error"), [(31, ConnectionError), (33, ValueError)])
def test_missing_weights_cost_only_what_needs_them(size, error, small_study, monkeypatch, capsys):
    features = ("means184", "summary")
    wanted = [Experiment("synthetic", "random", feature, "dummy", size=size) for feature in features]
    extract = execute.features.extract_missing

    def offline(name, *args, **options):
        if name == "summary":
            raise error("no network")
        return extract(name, *args, **options)

    monkeypatch.setattr(execute.features, "extract_missing", offline)
    with pytest.raises(RuntimeError, match="1 of 2 experiments failed"):
        small_study.predict(wanted)
    assert "no network" in capsys.readouterr().err
    jobs = [execute.make(e, small_study.selections, None, small_study.config, small_study.store) for e in wanted]
    assert [execute.is_cached(job, small_study.store) for job in jobs] == [True, False]


def test_a_run_that_stops_between_draws_fits_the_finished_ones_no_more(small_study, monkeypatch):
    one = Experiment("synthetic", "random", "means184", "logistic", size=37, draws=3)
    job = execute.make(one, small_study.selections, None, small_study.config, small_study.store)
    fitted, run_folds = [], execute.training.run_folds

    def killed(*args, seed, **options):
        if len(fitted) == 2:
            raise KeyboardInterrupt
        return fitted.append(seed) or run_folds(*args, seed=seed, **options)

    options = {"config": small_study.config, "store": small_study.store}
    monkeypatch.setattr(execute.training, "run_folds", killed)
    with pytest.raises(KeyboardInterrupt):
        execute.exact(job, **options)
    monkeypatch.setattr(execute.training, "run_folds", lambda *a, **k: fitted.append(k["seed"]) or run_folds(*a, **k))
    resumed = execute.exact(job, **options)
    assert len(fitted) == len(set(fitted)) == 3
    pd.testing.assert_frame_equal(resumed, execute._computed(job, *options.values()))
    for artefact in (small_study.store.derived / "draws").glob("*n37*"):
        artefact.unlink()
    pd.testing.assert_frame_equal(resumed, execute._computed(job, *options.values()))
    assert len(fitted) == 6


def test_the_same_predictions_have_the_same_interval_wherever_they_are_scored(small_study):
    some = [one for one in declared(small_study) if one.protocol == "speaker_independent"]
    columns = ["metric", "value", "low", "high"]
    by_experiment = small_study.scores(some).set_index("experiment")
    clips, options = small_study.clips("synthetic"), {"evaluation": small_study.config.evaluation}
    for one, rows in small_study.predict(some).items():
        renamed = pd.concat([rows.assign(experiment=name) for name in ("first", "second")])
        random = settings.rng(small_study.config, settings.SCORES)
        again = tables.scores(renamed, clips, rng=random, **options).set_index("experiment").loc["second", columns]
        own = by_experiment.loc[one.name, columns]
        own = own[own["metric"] != "uar_validation"]
        pd.testing.assert_frame_equal(own.reset_index(drop=True), again.reset_index(drop=True))
        test = rows[rows["role"] == "test"].sort_values("clip_id")
        speakers = clips.set_index("clip_id")["speaker"].loc[test["clip_id"]].to_numpy()
        given = {"classes": sorted(set(test["truth"])), "n_bootstrap": options["evaluation"].n_bootstrap}
        stream = tables.stream(settings.rng(small_study.config, settings.SCORES))
        span = intervals.interval("uar", test["truth"], test["prediction"], speakers, rng=stream, **given)
        assert (span.low, span.high) == tuple(own.set_index("metric").loc["uar", ["low", "high"]])
