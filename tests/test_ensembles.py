"""Votes, stacks and collapsed classes, against hand computation and scikit-learn's own voting."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from ser_study import training
from ser_study.config import Models
from ser_study.models import ensembles, weights
from ser_study.schema import FeatureSet, check_predictions, probability_columns

CLASSES = ["angry", "happy", "sad"]


def rows_of(proba, truth, *, model="a", role="test", clip=None, classes=CLASSES, **facts):
    """A predictions table of the given probabilities (n, C)."""
    proba = np.asarray(proba, float)
    n = len(proba)
    head = {
        "experiment": f"own/random/f/{model}",
        "scheme": "native",
        "protocol": "random",
        "repeat": 0,
        "fold": 0,
        "seed": 5,
        "role": role,
        "model": model,
        "n_train": 30,
        "clip_id": [f"own/{i:03d}" for i in range(n)] if clip is None else clip,
        "variant": 0,
        "truth": truth,
        "prediction": np.array(classes)[proba.argmax(axis=1)],
        "feature": "f",
    } | facts
    return pd.concat([pd.DataFrame(head), pd.DataFrame(proba, columns=probability_columns(classes))], axis=1)


def members(n=90, n_folds=2, strengths=(1.0, 2.0), seed=0):
    """Tables of members that know the class more or less well; half of each fold is validation, half test."""
    random = np.random.default_rng(seed)
    code = np.arange(n) % 3
    tables = []
    for number, strength in enumerate(strengths):
        parts = []
        for fold in range(n_folds):
            for role in ("validation", "test"):
                logits = random.standard_normal((n, 3))
                logits[np.arange(n), code] += strength
                proba = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
                clip = [f"own/{fold}{role}{i:03d}" for i in range(n)]
                parts.append(
                    rows_of(proba, np.array(CLASSES)[code], model=f"m{number}", role=role, clip=clip, fold=fold)
                )
        tables.append(pd.concat(parts, ignore_index=True))
    return tables


def proba_of(table):
    return table.filter(regex="^p_").to_numpy(float)


def uar(table):
    return np.mean([(part["prediction"] == part["truth"]).mean() for _, part in table.groupby("truth")])


def test_vote_by_hand_whatever_the_order_of_rows():
    one = rows_of([[0.6, 0.3, 0.1], [0.2, 0.5, 0.3]], ["angry", "sad"])
    two = rows_of([[0.1, 0.1, 0.8], [0.1, 0.7, 0.2]], ["angry", "sad"], model="b")
    voted = check_predictions(ensembles.soft_vote([one, two.iloc[::-1]], name="v"))
    assert np.allclose(proba_of(voted), [[0.35, 0.2, 0.45], [0.15, 0.6, 0.25]])
    assert list(voted["prediction"]) == ["sad", "happy"]
    assert list(voted["clip_id"]) == list(one["clip_id"])
    assert set(voted["model"]) == {"v"}
    assert set(voted["experiment"]) == {"v"}
    assert json.loads(voted["params"].iloc[0]) == {"members": ["a", "b"], "weights": [0.5, 0.5]}
    weighted = ensembles.soft_vote([one, two], weights=(3, 2))
    assert np.allclose(proba_of(weighted)[0], [0.4, 0.22, 0.38])
    assert weighted["prediction"].iloc[0] == "angry"


def test_columns_of_classes_may_stand_in_another_order():
    one = rows_of([[0.6, 0.3, 0.1]], ["angry"])
    two = rows_of([[0.1, 0.2, 0.7]], ["angry"], classes=["sad", "happy", "angry"])
    assert np.allclose(proba_of(ensembles.soft_vote([one, two])), [[0.65, 0.25, 0.1]])


def test_vote_equals_scikit_learns_soft_vote():
    random = np.random.default_rng(0)
    truth = np.array(CLASSES)[np.arange(90) % 3]
    values = random.standard_normal((90, 5)).astype(np.float32)
    values[np.arange(90), np.arange(90) % 3] += 1
    ids = np.array([f"own/{i:03d}" for i in range(90)], dtype=object)
    role = np.where(np.arange(90) < 60, "train", "test")
    folds = pd.DataFrame({"repeat": 0, "fold": 0, "clip_id": ids, "variant": 0, "role": role})
    feature, labels = FeatureSet("made", ids, np.zeros(90, int), values), pd.Series(truth, index=ids)
    settings = Models(tree_leaf=(5,))
    tables = [
        training.run_folds(feature, labels, folds, training.Task(name, params), models=settings, seed=3)
        for name, params in (("naive_bayes", {"smoothing": 1e-9}), ("tree", {"leaf": 5}))
    ]
    voted = ensembles.soft_vote(tables)
    from sklearn.naive_bayes import GaussianNB

    tree = DecisionTreeClassifier(min_samples_leaf=5, random_state=3)
    theirs = VotingClassifier([("bayes", GaussianNB()), ("tree", tree)], voting="soft").fit(values[:60], truth[:60])
    assert np.allclose(proba_of(voted), theirs.predict_proba(values[60:]), atol=1e-5)
    assert list(voted["prediction"]) == list(theirs.predict(values[60:]))


def test_draws_are_matched_and_training_seeds_only_without_them():
    one = pd.concat(
        [
            rows_of([[0.9, 0.1, 0.0]], ["sad"], seed=1, draw=0),
            rows_of([[0.5, 0.5, 0.0]], ["sad"], seed=2, draw=1),
        ]
    )
    two = pd.concat(
        [
            rows_of([[0.1, 0.9, 0.0]], ["sad"], seed=8, draw=1),
            rows_of([[0.7, 0.3, 0.0]], ["sad"], seed=9, draw=0),
        ]
    )
    voted = ensembles.soft_vote([one, two])
    assert np.allclose(proba_of(voted)[:, 0], [0.8, 0.3])
    assert list(voted["seed"]) == [1, 2]
    assert "draw" not in ensembles.soft_vote([one.drop(columns="draw")] * 2)
    with pytest.raises(ValueError, match=r"2 of member 0 are not in member 1 and 2 of member 1"):
        ensembles.soft_vote([one.drop(columns="draw"), two.drop(columns="draw")])


def test_members_that_do_not_fit_are_refused_with_counts():
    one = rows_of(np.full((4, 3), 1 / 3), ["sad", "sad", "angry", "happy"])
    with pytest.raises(ValueError, match=r"1 of member 0 are not in member 1 and 0 of member 1 .*\(4 and 3 rows\)"):
        ensembles.soft_vote([one, one.iloc[:3]])
    with pytest.raises(ValueError, match="differ in the truth of 2 of 4 rows"):
        ensembles.soft_vote([one, one.assign(truth=["sad", "angry", "sad", "happy"])])
    with pytest.raises(ValueError, match="differ in 2 classes: calm, sad"):
        ensembles.soft_vote([one, one.rename(columns={"p_sad": "p_calm"})])
    with pytest.raises(ValueError, match="Member 1 has 4 rows twice"):
        ensembles.soft_vote([one, pd.concat([one, one])])
    with pytest.raises(ValueError, match="two members or more; found 1"):
        ensembles.soft_vote([one])
    with pytest.raises(ValueError, match="3 weights for 2 members"):
        ensembles.soft_vote([one, one], weights=(1, 1, 1))
    for bad in ((1, -1), (0, 0), (np.nan, 1)):
        with pytest.raises(ValueError, match="0 or more"):
            ensembles.soft_vote([one, one], weights=bad)
    with pytest.raises(ValueError, match="lacks.*truth"):
        ensembles.soft_vote([one, one.drop(columns="truth")])


def test_weights_are_chosen_on_validation_rows_of_each_fold():
    good, bad = members(strengths=(3.0, 0.0))
    swap = good["fold"] == 1  # in fold 1 the other member is the good one
    proba = probability_columns(CLASSES)
    one, two = good.copy(), bad.copy()
    one.loc[swap, proba], two.loc[swap, proba] = bad.loc[swap, proba].to_numpy(), good.loc[swap, proba].to_numpy()
    chosen = weights.weights_on_validation([one, two], steps=4)
    assert list(chosen["fold"]) == [0, 1]
    assert chosen["w_0"].iloc[0] > chosen["w_1"].iloc[0]
    assert chosen["w_0"].iloc[1] < chosen["w_1"].iloc[1]
    assert np.allclose(chosen["w_0"] + chosen["w_1"], 1)
    for fold, row in chosen.groupby("fold"):  # the claimed UAR is that of a vote, and no other weights do better
        validation = [t[(t["fold"] == fold) & (t["role"] == "validation")] for t in (one, two)]
        scores = [uar(ensembles.soft_vote(validation, weights=(k, 4 - k))) for k in range(5)]
        assert row["uar_validation"].iloc[0] == pytest.approx(max(scores))
    voted = check_predictions(ensembles.soft_vote([one, two], weights=chosen))
    by_hand = [
        ensembles.soft_vote(
            [t[t["fold"] == f] for t in (one, two)], weights=chosen.loc[f, ["w_0", "w_1"]].to_numpy(float)
        )
        for f in (0, 1)
    ]
    assert np.allclose(proba_of(voted), proba_of(pd.concat(by_hand)))
    blind = [t.assign(truth=t["truth"].where(t["role"] == "validation", "sad")) for t in (one, two)]
    pd.testing.assert_frame_equal(weights.weights_on_validation(blind), chosen)  # test truth plays no part
    with pytest.raises(ValueError, match=r"0 validation rows .*keep_validation"):
        weights.weights_on_validation([t[t["role"] == "test"] for t in (one, two)])
    with pytest.raises(ValueError, match="for every fold"):
        ensembles.soft_vote([one, two], weights=chosen.iloc[:1])


def test_a_weighted_vote_is_never_scored_on_the_rows_that_chose_its_weights():
    """Weights of a validation row do not change with the truth of its clip; those of the fold's test rows may."""
    one, two = members()
    groups = pd.Series(one["clip_id"].to_numpy(), one["clip_id"])
    voted = check_predictions(weights.weighted_vote([one, two], groups=groups))
    chosen = weights.weights_on_validation([one, two])
    test = (voted["role"] == "test").to_numpy()
    by_fold = ensembles.soft_vote([one, two], weights=chosen)
    assert np.allclose(proba_of(voted)[test], proba_of(by_fold)[(by_fold["role"] == "test").to_numpy()])
    for clip in one.loc[(one["fold"] == 0) & (one["role"] == "validation"), "clip_id"].unique()[:5]:
        turned = [table.assign(truth=table["truth"].mask(table["clip_id"] == clip, "sad")) for table in (one, two)]
        again = weights.weighted_vote(turned, groups=groups)
        mine = ((voted["clip_id"] == clip) & (voted["role"] == "validation")).to_numpy()
        assert mine.any()
        assert np.allclose(proba_of(voted)[mine], proba_of(again)[mine])
    nobody_else = pd.Series("one person", one["clip_id"].unique())
    alone = weights.weighted_vote([table[table["fold"] == 0] for table in (one, two)], groups=nobody_else)
    assert set(alone["role"]) == {"test"}, "with one person in one fold there is nobody to choose weights on"


def test_noise_gains_nothing_from_weights_on_validation_rows():
    """Forty members that guess: weights fitted and scored on the same rows would look far better than chance."""
    noise = members(strengths=(0.0,) * 4)
    fitted = weights.weights_on_validation(noise)["uar_validation"].mean()
    voted = weights.weighted_vote(noise)
    honest = uar(voted[voted["role"] == "validation"])
    assert fitted > honest + 0.03
    assert abs(honest - 1 / 3) < 0.08


def test_equal_weights_win_ties():
    (one,) = members(strengths=(2.0,))
    assert np.allclose(weights.weights_on_validation([one, one, one], steps=3)[["w_0", "w_1", "w_2"]], 1 / 3)


def test_stack_is_a_logistic_regression_on_the_validation_rows_of_the_fold():
    tables = members()
    stacked = check_predictions(ensembles.stack(tables, c=0.1, name="s"))
    assert set(stacked["role"]) == {"test"}
    everything = ensembles.stack(
        tables, c=0.1, name="s", groups=pd.Series((clips := tables[0]["clip_id"]).to_numpy(), clips)
    )
    assert np.array_equal(proba_of(everything[everything["role"] == "test"]), proba_of(stacked))
    stacked = everything
    for fold in (0, 1):
        place = {
            role: ((tables[0]["fold"] == fold) & (tables[0]["role"] == role)).to_numpy()
            for role in ("validation", "test")
        }
        evidence = np.log(np.clip(np.hstack([proba_of(table) for table in tables]), 0.01, None))
        learner = LogisticRegression(C=0.1, max_iter=1000, tol=1e-9)
        learner.fit(evidence[place["validation"]], tables[0]["truth"][place["validation"]])
        assert np.allclose(proba_of(stacked)[place["test"]], learner.predict_proba(evidence[place["test"]]), atol=1e-5)
    assert set(stacked.loc[stacked["role"] == "test", "n_train"]) == {90}
    assert set(stacked.loc[stacked["role"] == "validation", "n_train"]) == {72}
    blind = [t.assign(truth=t["truth"].where(t["role"] == "validation", "sad")) for t in tables]
    assert np.array_equal(proba_of(ensembles.stack(blind, c=0.1)), proba_of(stacked[stacked["role"] == "test"]))


def test_stack_mends_a_member_that_confuses_names():
    (good,) = members(strengths=(3.0,))
    wrong = good.rename(columns={"p_angry": "p_happy", "p_happy": "p_sad", "p_sad": "p_angry"})
    noise = members(strengths=(0.0,), seed=9)[0]
    test = good["role"] == "test"
    assert uar(ensembles.soft_vote([wrong, noise])[test]) < 0.4
    assert uar(ensembles.stack([wrong, noise])) > 0.85


def test_validation_rows_of_a_stack_are_predicted_unseen_with_their_group():
    tables = members(n_folds=1)
    clips = tables[0]["clip_id"]
    speaker = pd.Series(np.arange(len(clips)) % 9, index=clips)
    stacked = ensembles.stack(tables, groups=speaker, c=1.0)
    own = (clips.map(speaker) == 4) & (tables[0]["role"] == "validation")
    changed = [t.assign(truth=t["truth"].where(~own, "sad")) for t in tables]  # other labels of speaker 4 alone
    again = ensembles.stack(changed, groups=speaker, c=1.0)
    assert np.allclose(proba_of(again)[own], proba_of(stacked)[own])
    assert not np.allclose(proba_of(again)[tables[0]["role"] == "test"], proba_of(stacked)[tables[0]["role"] == "test"])
    one_class = [t.assign(truth="sad") for t in tables]
    with pytest.raises(ValueError, match="90 validation rows of 1 classes; 2 or more"):
        ensembles.stack(one_class)
    with pytest.raises(ValueError, match="of one group"):
        ensembles.stack(tables, groups=pd.Series(0, index=clips))


def test_stack_never_gives_a_class_that_its_rows_lack():
    tables = members(n_folds=1)
    kept = ~((tables[0]["role"] == "validation") & (tables[0]["truth"] == "happy"))
    stacked = ensembles.stack([t[kept] for t in tables])
    assert stacked["p_happy"].max() == 0
    check_predictions(stacked)


JOINT = ["angry_female", "angry_male", "sad_female", "sad_male"]


def test_collapse_both_ways():
    table = rows_of(
        [[0.4, 0.0, 0.35, 0.25], [0.1, 0.7, 0.1, 0.1]], ["sad_male", "angry_male"], classes=JOINT, scheme="16"
    )
    mapping = ensembles.emotions_of(JOINT)
    mapped = check_predictions(ensembles.collapse(table, mapping, scheme="8"))
    summed = check_predictions(ensembles.collapse(table, mapping, how="sum", scheme="8"))
    assert list(mapped["prediction"]) == ["angry", "angry"]  # angry_female was the likeliest of the four
    assert list(summed["prediction"]) == ["sad", "angry"]  # .35 + .25 against .4
    assert list(mapped["truth"]) == list(summed["truth"]) == ["sad", "angry"]
    for one in (mapped, summed):
        assert [c for c in one.columns if c.startswith("p_")] == ["p_angry", "p_sad"]
        assert np.allclose(proba_of(one), [[0.4, 0.6], [0.8, 0.2]])
        assert set(one["scheme"]) == {"8"}
    gender = ensembles.collapse(table, ensembles.genders_of(JOINT), how="sum")
    assert np.allclose(proba_of(gender), [[0.75, 0.25], [0.2, 0.8]])
    assert set(gender["scheme"]) == {"16"}
    with pytest.raises(ValueError, match="1 classes have no new class: sad_male"):
        ensembles.collapse(table, {name: mapping[name] for name in JOINT[:3]})
    with pytest.raises(ValueError, match=r"'mean'.*argmax, sum"):
        ensembles.collapse(table, mapping, how="mean")
