"""Experiments from declaration to scores, on a small built-in corpus."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from ser_study import config as settings
from ser_study.experiments import Experiment, findings, jobs, ladder, ladder_tables, ledger, run, study
from ser_study.experiments import material as materials
from ser_study.store import Store

SMALL = {
    "study.corpora": "synthetic",
    "synthetic.n_speakers": 6,
    "synthetic.n_statements": 3,
    "study.features": "seed184",
    "study.models": "dummy,logistic",
    "study.ladder_feature": "seed184",
    "study.ladder_draws": 2,
    "study.shuffles": 3,
    "evaluation.n_bootstrap": 200,
    "run.jobs": 2,
}


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Settings, a store and the gathered material, shared by the tests of this module."""
    folder = tmp_path_factory.mktemp("study")
    config = settings.load("demo", SMALL)
    store = Store(folder / "raw", folder / "derived", folder / "run", folder)
    return config, store, materials.gather(config, store)


def test_names_are_unique_and_tell_only_what_differs(small):
    config, _, gathered = small
    declared = study.declared(gathered, config)
    names = [experiment.name for experiment in declared]
    assert len(set(names)) == len(names) == len(set(declared))
    assert Experiment("tess", "random", "egemaps", "logistic").name == "tess/random/egemaps/logistic"
    leaking = Experiment("tess", "random", "egemaps", "logistic", fixed=True, leak="augment_before_split", size=9)
    assert leaking.name == "tess/random/egemaps/logistic/fixed/n9/augment_before_split"


def unnamed(part):
    """The same clips as somebody's own recordings that tell no speaker."""
    clips = part.clips.assign(speaker=None, take=None)
    return dataclasses.replace(part, selection="own", clips=clips)


def test_clips_that_tell_no_speaker_are_left_out_where_speakers_matter(small):
    config, _, gathered = small
    both = {**gathered, "own": unnamed(gathered["synthetic"])}
    allowed = ladder.possible(both)
    assert "speaker_independent" in allowed["synthetic"]
    assert "speaker_independent" not in allowed["own"]
    league = {(one.selection, one.protocol) for one in ladder.league(config, allowed)}
    assert league == {("synthetic", "random"), ("synthetic", "speaker_independent"), ("own", "random")}
    beside = {"crema_d": allowed["synthetic"], "own": allowed["own"]}
    across = {(one.selection, one.protocol, one.sources) for one in ladder.across(config, beside)}
    assert across == {
        ("crema_d", "speaker_independent", ()),
        ("crema_d", "cross_corpus", ("own",)),
        ("own", "cross_corpus", ("crema_d",)),
    }
    shuffled = ladder.controls(config, {"own": 100}, allowed)
    assert {one.protocol for one in shuffled} == {"random"}


def test_ladder_is_told_without_what_a_selection_lacks():
    rows = [("tess", "random", 0.9), ("tess", "speaker_independent", 0.5), ("own", "random", 0.8)]
    scores = pd.DataFrame(rows, columns=["corpus", "rung", "value"]).assign(size="equal")
    table = scores.assign(metric="uar", protocol=scores["rung"], leak="", feature="summary", model="logistic")
    table = table.assign(low=0.0, high=1.0, interval="", n=9, n_train=9)
    title, told = ladder_tables.title(table), ladder_tables.words(table)
    assert title == "New speakers cost 40 points at equal training size"
    assert told == "UAR at equal training size. own recordings: random .800; TESS: random .900, new speakers .500."
    assert "nobody new" in ladder_tables.title(table[table["corpus"] == "own"])


def test_a_study_without_two_speakers_says_what_to_do(small, monkeypatch):
    config, store, gathered = small
    alone = unnamed(gathered["synthetic"]).clips.assign(silent=False)
    for clips in (alone, alone.assign(speaker="synthetic/me")):
        monkeypatch.setattr(materials.corpora, "load", lambda *_, found=clips, **__: found)
        with pytest.raises(ValueError, match="synthetic tells of two speakers.*column 'speaker'.*data/README.md"):
            materials.gather(config, store)


def test_league_scores_every_clip_once(small):
    config, store, gathered = small
    scores = study.league(gathered, config=config, store=store)
    uar = findings.uar(scores)
    assert len(uar) == 4
    assert (uar["n"] == len(gathered["synthetic"].clips)).all()
    chance = uar.loc[uar["model"] == "dummy"].set_index("protocol")["value"]
    assert chance["speaker_independent"] == pytest.approx(1 / 6)
    assert 0.12 < chance["random"] <= 1 / 6 + 1e-9  # stratified folds make the test's majority rarer in training
    told = run.predictions(
        Experiment("synthetic", "speaker_independent", "seed184", "logistic"), gathered, config=config, store=store
    )
    test = told[told["role"] == "test"]
    assert sorted(test["clip_id"]) == sorted(gathered["synthetic"].clips["clip_id"])
    speaker = gathered["synthetic"].clips.set_index("clip_id")["speaker"]
    for _, fold in told.groupby("fold"):
        both = {role: set(speaker[rows["clip_id"]]) for role, rows in fold.groupby("role")}
        assert not both["test"] & both["valid"]


def test_second_run_computes_nothing(small, monkeypatch):
    config, store, gathered = small
    first = study.league(gathered, config=config, store=store)
    monkeypatch.setattr(jobs, "_computed", lambda *_: pytest.fail("a prediction was computed again"))
    pd.testing.assert_frame_equal(first, study.league(gathered, config=config, store=store))


def test_ladder_has_its_rungs_at_one_size(small):
    config, store, gathered = small
    scores = study.climb(gathered, config=config, store=store)
    table = findings.uar(scores).assign(rung=findings.rung_of)
    equal = table[table["size"] == "equal"]
    assert equal.loc[equal["rung"] != "random_augmented", "n_train"].nunique() == 1
    assert set(equal["rung"]) >= {"random_augmented", "random", "take_disjoint", "speaker_independent"}
    value = equal.set_index("rung")["value"]
    assert value["random"] > value["speaker_independent"] > 1 / 6
    steps = findings.steps(gathered, config=config, store=store).set_index(["step_from", "step_to"])
    step = steps.loc[("random", "speaker_independent")]
    assert step["difference"] == pytest.approx(value["speaker_independent"] - value["random"], abs=1e-9)


def test_counted_leaks_follow_the_declaration(small):
    config, store, gathered = small
    shared = findings.shared_units(gathered, config=config, store=store).set_index("protocol")
    assert shared.loc["random", "speaker"] == 1
    assert shared.loc["random", "take"] > 0.3
    assert shared.loc["take_disjoint", "take"] == 0
    assert shared.loc["sentence_independent", "statement"] == 0
    assert shared.loc["speaker_independent", "speaker"] == 0
    assert (shared.loc["speaker_and_sentence", ["speaker", "statement", "take"]] == 0).all()


def test_augmenting_before_the_split_puts_copies_on_both_sides(small):
    config, store, gathered = small
    part = gathered["synthetic"]
    truth = materials.classes_of(part, "native")
    leaking = next(e for e in ladder.rungs(config, ladder.possible(gathered)) if e.leak)
    folds = materials.folds_of(leaking, part, truth, config, store, 0)
    test = folds[folds["role"] == "test"]
    assert sorted(test["clip_id"]) == sorted(truth.index)
    assert set(test["variant"]) == {0}
    train = folds[folds["role"] == "train"].groupby("fold")["clip_id"].apply(set)
    share = np.mean([clip in train[fold] for clip, fold in zip(test["clip_id"], test["fold"])])
    assert share > 0.9


def test_equal_size_counts_distinct_clips_with_all_their_copies(small):
    config, store, gathered = small
    part = gathered["synthetic"]
    truth = materials.classes_of(part, "native")
    leaking = next(e for e in ladder.rungs(config, ladder.possible(gathered)) if e.leak)
    cut = materials.folds_of(dataclasses.replace(leaking, size=60), part, truth, config, store, 0)
    train = cut[cut["role"] == "train"]
    assert (train.groupby("fold")["clip_id"].nunique() == 60).all()
    assert (train.groupby("fold").size() > 120).all()
    assert sorted(cut.loc[cut["role"] == "test", "clip_id"]) == sorted(truth.index)


def test_nested_choice_uses_only_the_valid_rows_of_its_fold():
    rows = []
    for fold in (1, 2):
        for name, valid, test in (("a", 1.0, 0.0), ("b", 0.0, 1.0)):
            better = {1: valid, 2: test}[fold]
            rows += [
                {"fold": fold, "experiment": name, "role": "valid", "truth": "x", "prediction": "x" if better else "y"},
                {"fold": fold, "experiment": name, "role": "test", "truth": "x", "prediction": name},
            ]
    told = pd.DataFrame(rows)
    chosen = pd.concat([findings._best_on_valid(fold) for _, fold in told.groupby("fold")])
    assert chosen["prediction"].tolist() == ["a", "b"]


def test_fewer_training_speakers_leave_the_test_alone(small):
    config, store, gathered = small
    part = gathered["synthetic"]
    truth = materials.classes_of(part, "native")
    whole = Experiment("synthetic", "speaker_independent", "seed184", "logistic", fixed=True)
    few = dataclasses.replace(whole, train_speakers=2)
    folds = {e: materials.folds_of(e, part, truth, config, store, 0) for e in (whole, few)}
    speaker = part.clips.set_index("clip_id")["speaker"]
    for role, expected in (("test", True), ("train", False)):
        ids = [set(f.loc[f["role"] == role, "clip_id"]) for f in folds.values()]
        assert (ids[0] == ids[1]) is expected
    train = folds[few][folds[few]["role"] == "train"]
    assert (train.groupby("fold")["clip_id"].apply(lambda ids: speaker[ids].nunique()) == 2).all()


def test_shuffling_keeps_each_speakers_labels(small):
    _, _, gathered = small
    part = gathered["synthetic"]
    truth = materials.classes_of(part, "native")
    mixed = materials.shuffled(truth, part.clips, "within_speaker", np.random.default_rng(0))
    speaker = part.clips.set_index("clip_id")["speaker"]
    assert not mixed.equals(truth)
    for _, ids in speaker.groupby(speaker).groups.items():
        assert sorted(mixed[ids]) == sorted(truth[ids])


def test_two_speakers_borrow_their_hyperparameters(small):
    config, store, gathered = small
    clips = gathered["synthetic"].clips
    two = clips[clips["speaker"].isin(sorted(clips["speaker"].unique())[:2])].reset_index(drop=True)
    pair = dataclasses.replace(gathered["synthetic"], selection="pair", clips=two)
    both = {**gathered, "pair": pair}
    experiment = Experiment("pair", "speaker_independent", "seed184", "logistic")
    assert run.borrows(experiment, both)
    assert not run.borrows(dataclasses.replace(experiment, selection="synthetic"), both)
    study.league(gathered, config=config, store=store)
    lent = run.borrowed(experiment, both, config=config, store=store)
    told = run.predictions(dataclasses.replace(experiment, selection="synthetic"), both, config=config, store=store)
    chosen = sorted(
        float(text.split(":")[1][:-1]) for text in told[told["role"] == "test"].groupby("fold")["params"].first()
    )
    assert lent == {"C": chosen[len(chosen) // 2]}
    alone = run.borrowed(experiment, {"pair": pair}, config=config, store=store)
    assert alone == {"C": config.models.logistic_c_fixed}


def test_ledger_logs_each_declaration_once_and_never_the_built_in_corpus(tmp_path):
    store = Store(tmp_path, tmp_path, tmp_path, tmp_path)
    scores = pd.DataFrame(
        {
            "experiment": ["tess/random/a/b", "tess/random/a/b", "synthetic/random/a/b"],
            "corpus": ["tess", "tess", "synthetic"],
            "metric": ["uar", "accuracy", "uar"],
            "value": [0.9, 0.8, 0.7],
            "n": [10, 10, 10],
        }
    )
    declared = {"tess/random/a/b": "aaa", "synthetic/random/a/b": "bbb"}
    assert ledger.record(declared, scores, store) == 1
    assert ledger.record(declared, scores, store) == 0
    assert ledger.record({**declared, "tess/random/a/b": "changed"}, scores, store) == 1
    assert ledger.record({}, scores, store) == 0
    kept = ledger.read(store)
    assert kept["declaration"].tolist() == ["aaa", "changed"]
    assert kept["value"].tolist() == [0.9, 0.9]
    assert ledger.looks(store).to_dict("records")[0]["declared"] == 2


def test_scoring_an_undeclared_name_suggests(small):
    config, store, _ = small
    with pytest.raises(ValueError, match="synthetic/random/seed184/logistic"):
        study.score(config, store, "synthetic/randm/seed184/logistic")
    said = study.score(config, store, "synthetic/random/seed184/logistic")
    assert said.startswith("synthetic/random/seed184/logistic: UAR ")


def test_asking_for_an_absent_corpus_says_how_to_get_it(tmp_path):
    config = settings.load("quick", {"study.corpora": "savee"})
    with pytest.raises(ValueError, match="ser-study download savee"):
        materials.gather(config, Store(tmp_path / "raw", tmp_path, tmp_path, tmp_path))


def test_headline_is_chosen_by_valid_speakers():
    rows = []
    for corpus, model, valid, test in (
        ("emodb", "logistic", 0.6, 0.50),
        ("emodb", "forest", 0.5, 0.90),
        ("tess", "logistic", 0.98, 0.40),
        ("tess", "forest", 0.99, 0.95),  # words of the same actress: no valid speakers
    ):
        facts = {"corpus": corpus, "protocol": "speaker_independent", "feature": "egemaps", "model": model}
        facts |= {"low": 0.0, "high": 1.0, "interval": "x", "n": 5, "n_train": 3}
        facts["n_speakers"] = 2 if corpus == "tess" else 10
        rows.append(facts | {"metric": "uar", "value": test})
        rows.append(facts | {"metric": "uar_valid", "value": valid})
    best = findings.headline(pd.DataFrame(rows)).set_index("corpus")
    assert best.loc["emodb", "value"] == 0.5
    assert best.loc["tess", "model"] == "logistic"
    assert best.loc["tess", "chosen_by"] == "the other corpora"


def test_variance_shares_by_hand():
    values = np.array([[1.0, 0.0], [1.0, 2.0], [3.0, 0.0], [3.0, 2.0]])
    assert findings.variance_shares(values, pd.Series(["a", "a", "b", "b"])).tolist() == [1.0, 0.0]


@pytest.mark.parametrize(("size", "error"), [(31, ConnectionError), (33, ValueError)])
def test_missing_weights_cost_only_what_needs_them(size, error, small, monkeypatch, capsys):
    config, store, gathered = small
    wanted = [Experiment("synthetic", "random", feature, "dummy") for feature in ("seed184", "summary")]
    load = jobs.features.load

    def offline(name, *args, **options):
        if name == "summary":
            raise error("no network")
        return load(name, *args, **options)

    monkeypatch.setattr(jobs.features, "load", offline)
    with pytest.raises(RuntimeError, match="1 of 2 experiments failed"):
        run.answers([dataclasses.replace(e, size=size) for e in wanted], gathered, config=config, store=store)
    assert "no network" in capsys.readouterr().err
    kept = [jobs.make(dataclasses.replace(e, size=size), gathered, None, config, store) for e in wanted]
    assert [jobs.is_kept(job, store) for job in kept] == [True, False]


def test_a_changed_network_is_another_declaration():
    parts = {"experiment": 1, "features": 2, "model": 3, "params": None, "seed": 5}
    plain = ledger.declaration_of(parts)
    assert ledger.declaration_of(parts | {"clips": "other"}) == plain
    deep = parts | {"network": {"lr": 1e-4}, "training": {"patience": 5}}
    hashes = {ledger.declaration_of(deep | change) for change in ({}, {"network": {"lr": 1e-2}}, {"training": {}})}
    assert len(hashes | {plain}) == 4
