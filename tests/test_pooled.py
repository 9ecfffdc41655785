"""One system for all corpora: who trains it, what it scores, and the recognisers that come with the package."""

from __future__ import annotations

import dataclasses
import itertools
import json

import numpy as np
import pandas as pd
import pytest
from conftest import PROJECT

from ser_study import corpora, pooled_training
from ser_study.config import Models
from ser_study.download import weights
from ser_study.evaluation import metrics
from ser_study.experiments import pooled
from ser_study.models.discriminant import ShrinkageLDA
from ser_study.pooled_training import NEVER, Pool
from ser_study.recognizer import Recognizer, shipped
from ser_study.recognizer import pooled as pooled_recognizer
from ser_study.schema import probability_columns

MODELS = Models(covariance_shrinkage=(0.2, 0.6))
CLASSES = np.array(["angry", "happy", "sad"])


SIZES = {"one": 60, "two": 24}


def pool_of(sizes=SIZES, *, n_parts=4, seed=0):
    """Values (n, 6) of corpora with ``n_parts`` parts; three columns hold the class, each corpus has a level."""
    random, parts = np.random.default_rng(seed), []
    for number, (name, size) in enumerate(sizes.items()):
        codes = np.arange(size) % 3
        values = random.standard_normal((size, 6)) + number
        values[np.arange(size), codes] += 1.5
        rows = pd.DataFrame({"clip_id": [f"{name}/{i:03}" for i in range(size)], "variant": 0})
        parts.append((rows, values, CLASSES[codes], np.repeat(name, size), np.arange(size) // 3 % n_parts))
    rows, *arrays = zip(*parts)
    return Pool(pd.concat(rows, ignore_index=True), *map(np.concatenate, arrays))


def test_a_part_is_predicted_by_the_others_and_all_others_are_validated():
    pool = pool_of()
    table = pooled_training.predict(pool, models=MODELS)
    test = table[table["role"] == "test"]
    assert sorted(test["clip_id"]) == sorted(pool.rows["clip_id"])
    part_of = dict(zip(pool.rows["clip_id"], pool.part))
    assert (test["clip_id"].map(part_of) == test["fold"]).all()
    for fold, rows in table[table["role"] == "validation"].groupby("fold"):
        assert sorted(rows["clip_id"]) == sorted(pool.rows["clip_id"][pool.part != fold])
    assert (test["truth"] == test["prediction"]).mean() > 0.7


def test_what_a_part_holds_teaches_nothing_of_its_own_fold():
    pool = pool_of()
    before = pooled_training.fit(pool, models=MODELS, without=(1,))
    changed, away = pool.values.copy(), pool.part == 1
    changed[away] = 0  # labels change too
    truth = np.where(away, "sad", pool.truth)
    # the centre is no teaching: it is added again, so margins agree to rounding
    after = pooled_training.fit(Pool(pool.rows, changed, truth, pool.corpus, pool.part), models=MODELS, without=(1,))
    kept = pool.values[~away]
    assert before.params == after.params
    np.testing.assert_allclose(before.head.margins(kept), after.head.margins(kept), rtol=1e-6, atol=1e-9)


def test_validation_rows_are_predicted_without_their_part():
    pool = pool_of()
    fitted = pooled_training.fit(pool, models=MODELS)
    leaking = pool.values.copy()
    leaking[pool.part == 2] *= 5
    again = pooled_training.fit(Pool(pool.rows, leaking, pool.truth, pool.corpus, pool.part), models=MODELS)
    rows = fitted.validation.merge(again.validation, on="clip_id")
    inside = rows["clip_id"].isin(pool.rows["clip_id"][pool.part == 2])
    assert len(rows) == len(pool.rows)
    assert not np.allclose(rows.loc[inside, "p_angry_x"], rows.loc[inside, "p_angry_y"])


def test_it_is_the_discriminant_of_weighted_rows():
    pool = pool_of()
    fitted = pooled_training.fit(pool, models=MODELS)
    power, shrinkage = fitted.params["power"], fitted.params["shrinkage"]
    size = pd.Series(pool.corpus).map(pd.Series(pool.corpus).value_counts()).to_numpy()
    weights_of_rows = size ** (power - 1.0)
    total = weights_of_rows.sum()
    mean = (weights_of_rows[:, None] * pool.values).sum(axis=0) / total
    deviation = np.sqrt((weights_of_rows[:, None] * (pool.values - mean) ** 2).sum(axis=0) / total)
    scaled = (pool.values - mean) / deviation
    known = ShrinkageLDA(shrinkage, "equal").fit(scaled, pool.truth, sample_weight=weights_of_rows)
    own, expected = fitted.head.margins(pool.values) / fitted.head.scale, known.decision_function(scaled)
    np.testing.assert_allclose(own - own[:, :1], expected - expected[:, :1], rtol=1e-7, atol=1e-9)


def test_the_head_without_a_part_predicts_it_bit_for_bit():
    pool = pool_of()
    table = pooled_training.predict(pool, models=MODELS)
    names = probability_columns(CLASSES)
    for part in range(4):
        head = pooled_training.fit(pool, models=MODELS, without=(part,)).head
        rows = table[(table["role"] == "test") & (table["fold"] == part)]
        own = pool.values[pool.part == part]
        assert head.probabilities(own).tobytes() == rows[names].to_numpy(np.float32).tobytes()


def test_a_corpus_is_predicted_by_the_others():
    sizes = {"one": 60, "two": 24, "three": 36}
    pool = pool_of(sizes)
    table = pooled_training.elsewhere(pool, models=MODELS)
    table, validation = table[table["role"] == "test"], table[table["role"] == "validation"]
    assert table.groupby("corpus")["clip_id"].nunique().to_dict() == sizes
    ids = {name: set(rows["clip_id"]) for name, rows in table.groupby("corpus")}
    for name, rows in validation.groupby("corpus"):
        assert not set(rows["clip_id"]) & ids[name], "how sure to be is learned on the others alone"
        assert set(rows["clip_id"]) == set().union(*(others for other, others in ids.items() if other != name))
    alone = pool.of(pool.corpus != "two")
    head = pooled_training.fit(alone, models=MODELS).head
    expected = head.probabilities(pool.values[pool.corpus == "two"])
    own = table[table["corpus"] == "two"][probability_columns(CLASSES)].to_numpy(np.float32)
    assert own.tobytes() == expected.tobytes()


def test_a_large_corpus_does_not_decide_alone():
    """Of two corpora whose classes lie the other way round, equal weights serve both no worse than the large one's."""
    sizes = {"large": 240, "small": 24}
    pool = pool_of(sizes)
    table = pooled_training.predict(pool, models=MODELS)
    params = {json.loads(text)["power"] for text in table["params"]}
    assert params <= set(pooled_training.POWERS)
    scores = {name: metrics.uar_of(rows) for name, rows in table[table["role"] == "test"].groupby("corpus")}
    assert min(scores.values()) > 0.6


def test_clips_that_are_never_tested_train_only():
    pool = pool_of()
    never = pool.corpus == "two"
    part = np.where(never, NEVER, pool.part)
    table = pooled_training.predict(Pool(pool.rows, pool.values, pool.truth, pool.corpus, part), models=MODELS)
    assert set(table["corpus"]) == {"one"}
    assert table["n_train"].min() == 60 - 15 + 24


def test_too_few_parts_are_refused():
    with pytest.raises(ValueError, match="make 2 parts; three are needed"):
        pooled_training.predict(pool_of(n_parts=2), models=MODELS)


def test_a_recogniser_without_some_speakers_answers_as_the_study_does(small_study):
    """The variant that was fitted without the speakers of a fold, on their files."""
    store = dataclasses.replace(small_study.store, project=PROJECT)  # where the class map is
    options = {"config": small_study.config, "store": store}
    predictions = pooled.predict("summary", small_study.selections, **options)["synthetic"]
    fold = int(predictions["fold"].iloc[0])
    kept = pooled_recognizer.fit("hand-crafted", small_study.selections, **options, without=(fold,))
    rows = predictions[(predictions["role"] == "test") & (predictions["fold"] == fold)]
    clips = small_study.clips("synthetic").set_index("clip_id").loc[rows["clip_id"]]
    assert not set(clips["speaker"]) & set(
        small_study.clips("synthetic")
        .set_index("clip_id")
        .loc[predictions[(predictions["role"] == "validation") & (predictions["fold"] == fold)]["clip_id"], "speaker"]
    )
    root = corpora.root_of("synthetic", small_study.store)
    table = kept.predict([root / path for path in clips["path"]])
    names = probability_columns(kept.classes)
    assert table[names].to_numpy().tobytes() == rows[names].to_numpy().tobytes()


# The recognisers that come with the package


@pytest.mark.parametrize("name", shipped.FEATURES)
def test_the_recognisers_of_the_package_can_be_read_and_say_what_they_are(name):
    path = shipped.FOLDER / f"{name}.npz"
    if name == "campplus" and not weights.is_here("campplus"):
        pytest.skip("the weights of CAM++ are not here")
    card = Recognizer.load(path).card
    assert card["classes"] == ["angry", "disgust", "fearful", "happy", "neutral", "sad"]
    assert card["name"] == name
    assert 0 < card["threshold"] < 1
    assert {corpus["selection"] for corpus in card["corpora"]} == set(card["scores_by_corpus"])
    assert all(corpus["licence"] and corpus["citation"] for corpus in card["corpora"])
    for scores in card["scores_by_corpus"].values():
        assert scores["uar"]["low"] < scores["uar"]["value"] < scores["uar"]["high"]
    assert card["limits"]
    assert card["intended_use"]


def test_they_are_small():
    assert sum(path.stat().st_size for path in shipped.FOLDER.iterdir()) < 2**20


def test_scores_of_their_cards_are_in_the_ledger():
    """Every score on a card was logged when test rows were read."""
    logged = pd.read_csv(PROJECT / "reports" / "ledger.csv")
    names = logged[logged["metric"] == "uar"].set_index("experiment")["value"]
    for name, kind in itertools.product(shipped.FEATURES, ("scores_by_corpus", "scores_of_unknown_corpus")):
        if name == "campplus" and not weights.is_here("campplus"):
            continue
        card, protocol = Recognizer.load(shipped.FOLDER / f"{name}.npz").card, pooled.PROTOCOL
        protocol = protocol if kind == "scores_by_corpus" else pooled.ELSEWHERE
        for selection, scores in card[kind].items():
            start = f"{selection}/{protocol}/{shipped.FEATURES[name]}/{pooled.MODEL}/"
            values = names[[experiment.startswith(start) for experiment in names.index]]
            assert np.isclose(values.iloc[-1], scores["uar"]["value"], atol=1e-5)


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="hand-crafted"):
        Recognizer.default("handcrafted")


def test_without_weights_the_plain_one_answers(monkeypatch, tmp_path):
    monkeypatch.setenv(weights.VARIABLE, str(tmp_path))
    monkeypatch.setattr(weights, "_fetch", _refuse)
    with pytest.warns(UserWarning, match="the less accurate hand-crafted recogniser answers"):
        assert Recognizer.default().card["name"] == "hand-crafted"
    with pytest.raises(ConnectionError):
        Recognizer.default("campplus")


def _refuse(*_):
    raise ConnectionError("no connection")
