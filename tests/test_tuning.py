"""Searches: what may be tried, inner folds that keep groups whole, pruning, resuming, sharing."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from search_worker import CONFIG, hunt, valley, work
from sklearn import decomposition
from sklearn.model_selection import ParameterGrid, cross_val_score

from ser_study import config as settings
from ser_study.schema import CLIP_COLUMNS, FeatureSet
from ser_study.splits import inner_folds
from ser_study.store import Store
from ser_study.tuning import baseline_spaces, fitting, get, tune
from ser_study.tuning.spaces import Choice, Published, Space, n_points, points

WORKER = Path(__file__).with_name("search_worker.py")


# --- the search itself -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """A search of 20 trials, four folds each."""
    folder = tmp_path_factory.mktemp("found")
    return hunt(Store(folder, folder / "derived", folder, folder), trials=20)


def test_a_search_prunes_reports_means_and_finds_the_valley(found):
    assert found.count("complete") + found.count("pruned") == len(found.trials) == 20
    assert found.count("pruned") > 0
    assert found.count("complete") >= CONFIG.tuning.startup
    assert abs(found.params["x"] - 0.7) < 0.1
    assert found.value == pytest.approx(np.mean([valley(found.params, fold) for fold in range(4)]))
    for row in found.trials.itertuples():
        seen = [valley(json.loads(row.params), fold) for fold in range(row.folds)]
        assert row.value == pytest.approx(np.mean(seen)), "the mean of the folds seen"
        assert (row.folds == 4) == (row.state == "complete")
    assert (found.trials["state"].iloc[: CONFIG.tuning.startup] == "complete").all(), "nothing is pruned before"


def test_pruning_follows_the_median_of_the_complete_trials(found):
    table = found.trials
    for row in table[table["state"] == "pruned"].itertuples():
        before = table[(table["number"] < row.number) & (table["state"] == "complete")]
        there = [
            np.mean([valley(json.loads(params), fold) for fold in range(row.folds)]) for params in before["params"]
        ]
        assert row.value < np.median(there)


def test_a_second_call_computes_nothing_and_a_larger_budget_goes_on(store):
    first = hunt(store)
    calls = []

    def counting(params, fold):
        calls.append(fold)
        return valley(params, fold)

    again = hunt(store, score=counting)
    assert not calls
    pd.testing.assert_frame_equal(first.trials, again.trials)
    more = hunt(store, score=counting, trials=14)
    assert set(calls) == set(range(4))
    assert len(more.trials) == 14
    pd.testing.assert_frame_equal(more.trials.iloc[:10], first.trials)
    fewer = hunt(store, score=counting, trials=10)
    assert (fewer.params, fewer.value) == (first.params, first.value), "later trials change no smaller search"


def test_a_forced_run_searches_anew(store):
    hunt(store)
    calls = []

    def counting(params, fold):
        calls.append(fold)
        return valley(params, fold)

    forced = dataclasses.replace(store, fresh_since=time.time())
    again = hunt(forced, score=counting)
    assert calls
    assert len(again.trials) == 10
    done = len(calls)
    hunt(forced, score=counting)
    assert len(calls) == done, "one forced run computes once"


def test_the_seed_decides_the_draws(store):
    def drawn(folder, seed):
        config = settings.load("full", {"tuning.trials": 6, "seed": seed})
        here = dataclasses.replace(store, derived=store.derived / folder)
        return list(hunt(here, config=config).trials["params"])

    once = drawn("one", 5)
    assert once == drawn("two", 5)
    assert once != drawn("one", 6)
    assert len(set(once)) == 6, "the stream moves on from trial to trial"


def test_a_small_grid_is_gone_through_once(store):
    grid = {"a": Choice((1, 2, 3)), "b": Choice(("x", None))}
    found = hunt(store, dimensions=grid, score=lambda params, fold: params["a"] + (params["b"] is None))
    tried = [json.loads(params) for params in found.trials["params"]]
    assert sorted(map(str, tried)) == sorted(map(str, ParameterGrid({"a": [1, 2, 3], "b": ["x", None]})))
    assert found.params == {"a": 3, "b": None}


def test_a_failed_fit_is_noted_and_the_search_goes_on(store):
    def touchy(params, fold):
        if params["k"] == 3:
            raise ValueError("three is not to be had")
        return valley(params, fold) if params["k"] != 4 else math.nan

    found = hunt(store, score=touchy)
    reasons = set(found.trials.loc[found.trials["state"] == "failed", "reason"])
    assert any("three is not to be had" in reason for reason in reasons)
    assert found.count("complete") + found.count("pruned") == 10
    assert found.params["k"] not in (3, 4)


def test_a_search_that_only_fails_ends_with_the_reason(store):
    def broken(params, fold):
        raise ValueError("no data")

    with pytest.raises(RuntimeError, match="5 failed and 0 finished.*no data.*--force"):
        hunt(store, score=broken)


def test_bad_calls_are_refused(store):
    with pytest.raises(ValueError, match="no inner folds"):
        hunt(store, folds=())
    secret = settings.load("full", {"tuning.storage": "nosuchdatabase://user:hunter2@nowhere/x"})
    with pytest.raises(ValueError, match="storage of tuning.storage does not work") as refused:
        hunt(store, config=secret)
    assert "hunter2" not in str(refused.value)


# --- several processes, and processes that die -------------------------------------------------------


def start(folder, url="", pause=0.1):
    """``work`` in a process of its own."""
    folder.mkdir(exist_ok=True)
    command = [sys.executable, str(WORKER), str(folder), url, str(pause)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def outcome(process):
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err[-2000:]
    return json.loads(out.splitlines()[-1])


def killed_midway(folder, url="", after=7):
    """A search killed by the system after some folds; gives how many folds it had begun."""
    process = start(folder, url, pause=0.2)
    calls = folder / "calls"
    waited = time.monotonic() + 60
    while not calls.exists() or len(calls.read_text().split()) < after:
        assert process.poll() is None, process.communicate()[1][-2000:]
        assert time.monotonic() < waited
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    return len(calls.read_text().split())


def test_a_killed_search_resumes_and_ends_as_if_it_had_not_been(tmp_path):
    whole = work(tmp_path / "whole")
    assert killed_midway(tmp_path / "killed") == 7, "the third trial was under way"
    resumed = work(tmp_path / "killed")
    assert resumed["counts"]["lost"] == 1
    assert resumed["counts"]["complete"] + resumed["counts"]["pruned"] == 8
    kept = [row for row, state in enumerate(resumed["table"]["state"]) if state != "lost"]
    for column in ("params", "value", "state", "folds"):
        assert [resumed["table"][column][row] for row in kept] == whole["table"][column]
    assert (resumed["params"], resumed["value"]) == (whole["params"], whole["value"])
    calls = (tmp_path / "killed" / "calls").read_text().split()
    assert len(calls) == 7 + sum(whole["table"]["folds"]) - 6, "the two finished trials were not run again"


def test_two_processes_finish_one_search_together(tmp_path):
    pair = [start(tmp_path), start(tmp_path)]
    one, other = map(outcome, pair)
    assert one["table"] == other["table"]
    check_shared(one, tmp_path)
    assert one["counts"]["lost"] == 0


def check_shared(found, folder, n_processes=1):
    assert found["counts"]["complete"] + found["counts"]["pruned"] == 8
    assert found["counts"]["failed"] == 0
    table = pd.DataFrame(found["table"])
    assert table.loc[table["state"] != "lost", "params"].is_unique, "no point was tried by both"
    calls = (folder / "calls").read_text().split()
    unseen = found["counts"]["lost"] * 3  # what a killed process had begun is not all noted
    surplus = 3 * (n_processes - 1)  # of trials that were under way when enough were finished
    assert 0 <= len(calls) - sum(found["table"]["folds"]) <= unseen + surplus, "no trial was run twice"


def test_one_of_two_processes_on_a_database_dies_and_the_other_finishes(tmp_path):
    url = f"sqlite:///{tmp_path}/studies.sqlite3"
    pair = [start(tmp_path, url, pause=0.4), start(tmp_path, url, pause=0.4)]
    waited = time.monotonic() + 60
    while time.monotonic() < waited and not (tmp_path / "calls").exists():
        time.sleep(0.02)
    time.sleep(1)
    os.kill(pair[0].pid, signal.SIGKILL)
    pair[0].communicate()
    check_shared(outcome(pair[1]), tmp_path, n_processes=2)


@pytest.mark.parametrize("kind", ["file", "database"])
def test_many_hands_agree_on_the_wanted_number(tmp_path, kind):
    url = "" if kind == "file" else f"sqlite:///{tmp_path}/studies.sqlite3"
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: work(tmp_path, url, 0.02), range(4)))
    assert all(one["table"] == found[0]["table"] for one in found[1:])
    check_shared(found[0], tmp_path, n_processes=1 if kind == "file" else 4)


# --- inner folds --------------------------------------------------------------------------------------


def recorded(n_speakers=6, n_each=12, copies=True):
    """Clips of several speakers, three classes; every twelfth clip sounds like the one before it."""
    n = n_speakers * n_each
    number = np.arange(n)
    table = pd.DataFrame({column: pd.Series([None] * n, dtype=object) for column in CLIP_COLUMNS})
    table["clip_id"] = [f"own/{i:03d}" for i in number]
    table["corpus"] = "own"
    table["speaker"] = [f"own/{i // n_each}" for i in number]
    table["statement"] = [f"own/{i % 4}" for i in number]
    table["gender"] = np.where(number // n_each % 2, "female", "male")
    table["sha256"] = [str(i - (copies and i % 12 == 11)) for i in number]
    truth = pd.Series(np.array(["angry", "happy", "sad"])[number % 3], index=table["clip_id"])
    return table, truth


@pytest.mark.parametrize(("by", "n_groups", "n_folds"), [("speaker", 5, 5), ("clip", 55, 5), ("sentence", 4, 3)])
def test_inner_folds_keep_groups_whole_and_use_the_training_part_alone(by, n_groups, n_folds):
    clips, truth = recorded()
    train = clips["clip_id"][clips["speaker"] != "own/2"]
    folds = inner_folds(clips, truth, train, by=by, n=5, rng=np.random.default_rng(0), variants=(0, 1, 2))
    assert set(folds["clip_id"]) == set(train)
    assert set(folds["role"]) == {"train", "validation"}
    validation = folds[folds["role"] == "validation"]
    assert sorted(validation["clip_id"]) == sorted(train), "validation once"
    assert (validation["variant"] == 0).all(), "augmented copies are trained on only"
    assert set(folds.loc[folds["role"] == "train", "variant"]) == {0, 1, 2}
    unit = {"speaker": "speaker", "clip": "sha256", "sentence": "statement"}[by]
    value = folds["clip_id"].map(clips.set_index("clip_id")[unit])
    sound = folds["clip_id"].map(clips.set_index("clip_id")["sha256"])
    for column in (value, sound):
        crossing = folds.assign(value=column).groupby(["fold", "value"])["role"].nunique()
        assert (crossing == 1).all()
    assert value.nunique() == n_groups
    assert folds["fold"].nunique() == n_folds  # two sentences are tied by sounds that are equal


def test_inner_folds_by_clip_are_stratified():
    clips, truth = recorded(copies=False)
    folds = inner_folds(clips, truth, clips["clip_id"], by="clip", n=4, rng=np.random.default_rng(0))
    counts = folds[folds["role"] == "validation"].assign(truth=lambda t: t["clip_id"].map(truth))
    assert (counts.groupby(["fold", "truth"]).size() == 6).all()


def test_inner_folds_refuse_what_they_cannot_do():
    clips, truth = recorded()
    random = np.random.default_rng(0)
    one = clips["clip_id"][clips["speaker"] == "own/1"]
    with pytest.raises(ValueError, match="all 12 clips share one speaker"):
        inner_folds(clips, truth, one, by="speaker", n=5, rng=random)
    with pytest.raises(ValueError, match="Unknown unit 'voice'"):
        inner_folds(clips, truth, one, by="voice", n=5, rng=random)
    with pytest.raises(ValueError, match="1 training clips are not in the table|1 of 1 training clips"):
        inner_folds(clips, truth, ["own/none"], by="clip", n=5, rng=random)
    with pytest.raises(ValueError, match="72 of 72 clips have no take"):
        inner_folds(clips, truth, clips["clip_id"], by="take", n=5, rng=random)


# --- spaces and estimators -----------------------------------------------------------------------------


def described(seed=0):
    """Clips, truth and features in which the class is visible, with two augmented copies a clip."""
    clips, truth = recorded(n_speakers=8, n_each=15, copies=False)
    random = np.random.default_rng(seed)
    code = np.unique(truth.to_numpy(str), return_inverse=True)[1]
    values = random.standard_normal((3, len(clips), 6)) + 2.0 * np.eye(6)[code][None]
    ids = np.tile(clips["clip_id"].to_numpy(object), 3)
    features = FeatureSet(
        "made", ids, np.repeat(np.arange(3), len(clips)), values.reshape(-1, 6).astype(np.float32), tuple("abcdef")
    )
    folds = inner_folds(clips, truth, clips["clip_id"], by="clip", n=5, rng=random)
    return clips, truth, features, folds


def test_the_grid_of_004_has_384_points():
    grid = baseline_spaces.NETWORK_GRID
    assert n_points(grid) == len(points(grid)) == len({tuple(p.items()) for p in points(grid)}) == 384
    assert get("004-network").published.params in points(grid)
    assert n_points(get("002-knn").dimensions) is None


def test_what_was_published_lies_inside_its_space():
    for space in baseline_spaces.SPACES.values():
        for name, value in space.published.params.items():
            one = space.dimensions[name]
            inside = value in one.values if isinstance(one, Choice) else one.low <= value <= one.high
            assert inside, (space.name, name, value)


def test_only_the_parameters_whose_condition_holds_are_asked_for(store):
    space = get("002-xgboost")
    asked = {"gbtree": set(), "gblinear": set(), "dart": set()}

    def score(params, fold):
        asked[params["booster"]].add(frozenset(params))
        return 0.5

    hunt(store, dimensions=space.dimensions, score=score, folds=[0], trials=12)
    dart = {"sample_type", "normalize_type", "rate_drop", "skip_drop"}
    for booster, seen in asked.items():
        for names in seen:
            assert ("max_depth" in names) == (booster != "gblinear")
            assert dart <= names if booster == "dart" else not dart & names


@pytest.mark.parametrize("name", [n for n, s in baseline_spaces.SPACES.items() if not n.startswith("004")])
def test_every_space_builds_a_classifier_that_learns(name):
    space = get(name)
    clips, truth, features, _ = described()
    code = np.unique(truth.to_numpy(str), return_inverse=True)[1]
    small = {"n_neighbors": 9, "min_child_samples": 10, "reg_alpha": 0.1, "min_samples_split": 4, "hidden": 100}
    params = space.published.params | {k: v for k, v in small.items() if k in space.published.params}
    config = settings.load("full", {"models.tree_cap": 20, "tuning.max_iter": 100})
    estimator, present = fitting.fitted(space.build(params, 0, config), features.rows(truth.index.to_numpy()), code)
    again = features.rows(truth.index.to_numpy(), variant=1)
    assert (present[estimator.predict(again)] == code).mean() > 0.5
    trees = [getattr(step, "n_estimators", 20) for step in getattr(estimator, "named_steps", {"": estimator}).values()]
    assert max(trees) == 20, "capped"


def test_spaces_of_004_build_what_learns_maps():
    random = np.random.default_rng(0)
    code = np.repeat([0, 1, 2], 30)
    maps = random.standard_normal((90, 40, 32)).astype(np.float32) + code[:, None, None] * 0.8
    network = get("004-network").build(
        {"lr": 0.01, "momentum": 0.9, "dropout": 0.2, "hidden": 64, "layers": 2}, 0, CONFIG
    )
    network.fit(maps, code)
    learner = network.steps[-1][1]
    assert len(learner.history_) == 2, "two epochs, as the seed's grid"
    assert network.predict(maps).shape == (90,)
    lda = get("004-lda")
    code = np.repeat([0, 1, 2], 300)  # each half has more clips than its 435 components
    rows = random.standard_normal((900, 440)) + code[:, None] * 0.5
    tuned = lda.build({}, 0, CONFIG).set_params(**{f"{lda.prefix}solver": "lsqr", f"{lda.prefix}shrinkage": "auto"})
    assert (tuned.fit(rows[::2], code[::2]).predict(rows[1::2]) == code[1::2]).mean() > 0.9


def test_a_random_search_finds_components_once_a_fold(store, monkeypatch):
    fits, made = [], decomposition.PCA._fit
    monkeypatch.setattr(decomposition.PCA, "_fit", lambda self, values: fits.append(len(values)) or made(self, values))
    random, code = np.random.default_rng(0), np.repeat([0, 1, 2], 400)
    values = random.standard_normal((1200, 440)).astype(np.float32) + 0.2 * code[:, None]
    half = np.array_split(random.permutation(1200), 2)
    rows = fitting.Rows(values, ("a", "b", "c"), code, {0: (half[0], half[1]), 1: (half[1], half[0])})
    lda = get("004-lda")
    hunted = fitting.randomised(
        lda, rows, cache_key={}, seed=0, metric="accuracy", name="lda", trials=4, config=CONFIG, store=store
    )
    assert fits == [600, 600], "two folds, whatever the number of draws"
    assert len(hunted.trials) == 4
    again = lda.build(hunted.params, 0, CONFIG)
    scores = [(again.fit(values[t], code[t]).predict(values[v]) == code[v]).mean() for t, v in rows.places.values()]
    assert hunted.value == pytest.approx(np.mean(scores))


def test_the_score_of_a_trial_is_scikit_learns(store):
    _, truth, features, folds = described()
    found = tune("002-knn", features, truth, folds, config=CONFIG, store=store, trials=6)
    values, ids = features.rows(truth.index.to_numpy()), list(truth.index)
    cv = [
        [np.flatnonzero(np.isin(ids, rows["clip_id"][rows["role"] == role])) for role in ("train", "validation")]
        for _, rows in folds.groupby("fold")
    ]
    estimator = get("002-knn").build(found.params, 0, CONFIG)
    assert found.value == pytest.approx(cross_val_score(estimator, values, truth, cv=cv).mean())


def test_a_search_never_sees_a_test_row_and_learns_from_copies(store):
    clips, truth, features, folds = described()
    with pytest.raises(ValueError, match="hold roles \\['test'\\]"):
        tune("002-knn", features, truth, folds.assign(role="test"), config=CONFIG, store=store)
    with pytest.raises(ValueError, match="1 rows|have no class"):
        tune("002-knn", features, truth.iloc[1:], folds, config=CONFIG, store=store)
    seen = []

    class Spy:
        def fit(self, values, codes):
            seen.append(len(values))

        def predict(self, values):
            return np.zeros(len(values), int)

    space = Space("spy", "", "", "", "", {"a": Choice((1,))}, lambda *_: Spy(), Published(1))
    augmented = inner_folds(
        clips, truth, clips["clip_id"], by="speaker", n=4, rng=np.random.default_rng(0), variants=(0, 1, 2)
    )
    tune(space, features, truth, augmented, config=CONFIG, store=store)
    assert seen == [3 * 90] * 4, "three rows of each of the 90 training clips"


def test_random_search_draws_distinct_points_and_is_not_inert(store):
    _, truth, features, folds = described()
    found = tune("000-lightgbm", features, truth, folds[folds["fold"] < 4], config=CONFIG, store=store)
    assert len(found.trials) == found.trials["params"].nunique() == 10
    assert found.counts["pruned"] == 0
    assert (found.trials["folds"] == 3).all()
    assert found.trials["value"].nunique() > 1, "parameters reach the estimator (the seed's gender search tied)"
    assert found.value == found.trials["value"].max()
    again = tune("000-lightgbm", features, truth, folds[folds["fold"] < 4], config=CONFIG, store=store)
    pd.testing.assert_frame_equal(found.trials, again.trials)
