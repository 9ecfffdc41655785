"""Labels from votes: shares, ties, fits on shares, and scores on both kinds of labels, against hand-worked values."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression

from ser_study import config as settings
from ser_study import training
from ser_study.chapters.testing import vote_figures, vote_scores, vote_text, votes
from ser_study.experiments.selections import Selection
from ser_study.models import discriminant, registry
from ser_study.models.discriminant import Moments, ShrinkageLDA
from ser_study.study import Study
from ser_study.wording import word

CLIPS = pd.DataFrame(
    {
        "clip_id": ["a", "b", "c", "d", "e"],
        "emotion": ["angry", "calm", "sad", "sad", "angry"],
        "human_votes": ['{"angry": 3, "calm": 1}', '{"calm": 2, "sad": 2}', '{"angry": 5}', None, '{"bored": 4}'],
    }
)
MODELS = settings.load("demo").models


def blobs(n_classes: int = 3, each: int = 40) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(1)
    codes = np.repeat(np.arange(n_classes), each)
    return random.standard_normal((len(codes), 5)) + codes[:, None], codes


def voted(study: Study, counts) -> Study:
    """The study with votes: ``counts(emotion, place)`` → emotion → votes of a clip."""
    part = study.selections["synthetic"]
    texts = [json.dumps(counts(emotion, place)) for place, emotion in enumerate(part.clips["emotion"])]
    clips = part.clips.assign(human_votes=texts)
    return Study(study.config, study.store, {"synthetic": Selection("synthetic", clips, part.dropped)})


def test_shares_of_votes_ties_and_clips_without():
    shares = votes.shares_of(CLIPS)
    assert list(shares.columns) == ["angry", "calm", "sad"]
    assert shares.loc["a"].tolist() == [0.75, 0.25, 0]
    assert shares.loc["b"].tolist() == [0, 0.5, 0.5]
    assert not shares.loc[["d", "e"]].to_numpy().any()  # no votes; votes for an emotion that no clip has
    assert votes.winners(shares).to_dict() == {"a": "angry", "c": "angry"}  # b is a tie


def test_three_kinds_of_labels():
    truth = CLIPS.set_index("clip_id")["emotion"]
    shares = votes.shares_of(CLIPS)
    intended, plurality = (votes.targets(name, truth, shares).to_numpy() for name in ("intended", "plurality"))
    assert intended.tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 1], [1, 0, 0]]
    assert plurality.tolist() == [[1, 0, 0], [0, 0, 0], [1, 0, 0], [0, 0, 0], [0, 0, 0]]
    assert votes.targets("votes", truth, shares).equals(shares)


def test_all_votes_on_one_class_equal_the_plain_fit():
    values, codes = blobs()
    shares = discriminant.members(codes, 3)
    plain = ShrinkageLDA(0.4).fit(values, codes.astype(str))
    (margin,) = discriminant.decisions_of_shares([{"shrinkage": 0.4, "priors": "counts"}], values, shares, values)
    assert np.abs(margin - plain.decision_function(values)).max() < 1e-9
    theirs = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.4).fit(values, codes).decision_function(values)
    apart = margin - margin[:, :1]
    assert np.abs(apart - (theirs - theirs[:, :1])).max() < 1e-9


def test_shares_equal_a_row_for_each_class_with_that_weight():
    values, codes = blobs()
    random = np.random.default_rng(2)
    shares = random.dirichlet(np.ones(3), len(codes)).T
    rows, names = np.tile(np.arange(len(codes)), 3), np.repeat(np.arange(3), len(codes))
    weights = shares.ravel()
    weighted = ShrinkageLDA(0.4).fit(values[rows], names, sample_weight=weights)
    (margin,) = discriminant.decisions_of_shares([{"shrinkage": 0.4, "priors": "counts"}], values, shares, values)
    assert np.abs(margin - weighted.decision_function(values)).max() < 1e-9
    one, other = Moments.of_shares(values, shares), Moments.of(values[rows], names, 3, weights)
    for field in ("weight", "sums", "products"):
        assert np.allclose(getattr(one, field), getattr(other, field), atol=1e-9)
    logistic = list(votes.decisions(registry.get("logistic"), MODELS, 0, [{"C": 0.1}], values, shares, values))[0]
    scaled = (values - values.mean(axis=0)) / values.std(axis=0)
    theirs = LogisticRegression(C=0.1, max_iter=300, tol=1e-3).fit(scaled[rows], names, sample_weight=weights)
    assert np.abs(np.exp(logistic) - theirs.predict_proba(scaled)).max() < 1e-3


def test_a_class_without_a_share_is_never_predicted():
    values, codes = blobs()
    shares = discriminant.members(codes, 4)  # the last class has none
    grid = discriminant.grid(MODELS)
    for margin in votes.decisions(registry.get("lda"), MODELS, 0, grid, values, shares, values):
        assert margin.shape == (len(codes), 4)
        assert set(margin.argmax(axis=1)) == {0, 1, 2}
    only = np.zeros((3, len(codes)))
    only[1, :2] = 1
    (margin,) = votes.decisions(registry.get("lda"), MODELS, 0, grid[:1], values, only, values)
    assert (margin.argmax(axis=1) == 1).all()
    (alike,) = votes.decisions(registry.get("lda"), MODELS, 0, grid[:1], values, 0 * only, values)
    assert not alike.any()


def test_a_score_counts_shares_and_the_temperature_is_that_of_whole_labels():
    margins = np.array([[2.0, 0.0], [0.0, 1.0], [3.0, 0.0]])
    whole = np.array([[1, 0, 0], [0, 1, 1]])
    assert votes.share_uar(whole, margins) == pytest.approx((1 + 0.5) / 2)
    shares = np.array([[0.75, 0.25, 0.5], [0.25, 0.75, 0.5]])
    assert votes.share_uar(shares, margins) == pytest.approx((1.25 / 1.5 + 0.75 / 1.5) / 2)
    values, codes = blobs()
    random = np.random.default_rng(3).standard_normal((len(codes), 3)) + 2 * np.eye(3)[codes]
    plain = training.temperature(random, codes.astype(str), ["0", "1", "2"])
    assert votes.temperature(random, discriminant.members(codes, 3)) == pytest.approx(plain, rel=1e-4)


def test_cross_entropy_by_hand():
    proba = np.array([[0.5, 0.5], [0.25, 0.75], [1.0, 0.0]])
    shares = np.array([[1.0, 0.0], [0.5, 0.5], [1.0, 0.0]])
    expected = [np.log(2), -0.5 * np.log(0.25) - 0.5 * np.log(0.75), 0]
    assert vote_scores.cross_entropy(proba, shares) == pytest.approx(expected)


def test_votes_for_the_intended_class_give_the_same_predictions(small_study):
    study = voted(small_study, lambda emotion, place: {emotion: 4})
    (tables,) = votes.predict(study).values()
    first = tables["intended"].set_index("clip_id").sort_index()
    columns = [name for name in first.columns if name.startswith("p_")]
    for labels in ("plurality", "votes"):
        other = tables[labels].set_index("clip_id").sort_index()
        assert other["experiment"].iloc[0].endswith(f"/{labels}-labels")
        assert (other["prediction"] == first["prediction"]).all()
        assert np.abs(other[columns].to_numpy() - first[columns].to_numpy()).max() < 1e-5  # kept in single precision
        assert (other["n_train"] == first["n_train"]).all()
    table = vote_scores.table(study).set_index(["measure", "labels"])
    assert table["difference"].dropna().abs().max() < 1e-5
    assert table.loc[("cross_entropy", "listener"), "value"] == 0  # all listeners agree
    assert table.loc[("uar_intended", "listener"), "value"] == 1
    uar = study.scores(votes.systems(study)).set_index("metric").loc["uar"]
    assert table.loc[("uar_intended", "intended"), "value"] == pytest.approx(uar["value"])
    assert table.loc[("uar_plurality", "votes"), "value"] == pytest.approx(uar["value"])


def test_listeners_who_mistake_one_emotion_are_learned_from(small_study):
    """Angry is always taken for happy: on the plurality the label source wins, on intentions it loses."""
    study = voted(small_study, lambda emotion, place: {"happy" if emotion == "angry" else emotion: 3})
    table = vote_scores.table(study).set_index(["measure", "labels"])["difference"]
    for labels in ("plurality", "votes"):
        assert table["uar_plurality", labels] > 0.02
        assert table["uar_intended", labels] < -0.02
        assert table["cross_entropy", labels] < -0.02


def test_ties_are_left_out_of_training_and_of_the_plurality_score(small_study):
    study = voted(small_study, lambda emotion, place: {"angry": 2, "sad": 2} if place % 3 == 0 else {emotion: 4})
    (one,), (tables,) = votes.systems(study), votes.predict(study).values()
    n = len(study.clips(one.selection))
    counts = {labels: rows.groupby("fold")["n_train"].first().sum() for labels, rows in tables.items()}
    assert counts["plurality"] < counts["votes"] == counts["intended"]
    rows = vote_scores.table(study).set_index(["measure", "labels"])["n"]
    assert rows["uar_plurality", "votes"] == n - len(range(0, n, 3))
    assert rows["uar_intended", "votes"] == rows["cross_entropy", "votes"] == n


def test_no_test_row_is_trained_on(small_study):
    """Marker: the votes of one fold's test clips say nonsense; its own predictions stay as they are."""
    plain = voted(small_study, lambda emotion, place: {emotion: 3, "sad": 1})
    (one,) = votes.systems(plain)
    folds = plain.folds(one.selection, one.protocol)
    fold = folds.loc[folds["role"] == "test", "fold"].iloc[0]
    tested = set(folds.loc[(folds["role"] == "test") & (folds["fold"] == fold), "clip_id"])
    ids = plain.clips(one.selection)["clip_id"].tolist()
    marked = voted(small_study, lambda emotion, place: {"happy": 9} if ids[place] in tested else {emotion: 3, "sad": 1})
    (before,), (after,) = votes.predict(plain).values(), votes.predict(marked).values()
    for labels in ("plurality", "votes"):
        first, other = (
            table[labels][table[labels]["fold"] == fold].reset_index(drop=True) for table in (before, after)
        )
        pd.testing.assert_frame_equal(first, other)
    other_folds = after["votes"]["fold"] != fold
    assert not before["votes"][other_folds].reset_index(drop=True).equals(after["votes"][other_folds])


def test_without_votes_there_is_no_system(small_study):
    assert votes.systems(small_study) == []
    table = vote_scores.table(small_study)
    assert table.empty
    assert list(table.columns) == vote_scores.COLUMNS


def test_more_models_are_trained_on_hand_crafted_features(small_study):
    study = voted(small_study, lambda emotion, place: {emotion: 4})
    models = dataclasses.replace(study.config.testing, vote_models=("lda", "logistic"))
    config = dataclasses.replace(study.config, testing=models)
    chosen = votes.systems(Study(config, study.store, study.selections))
    assert [(one.feature, one.model) for one in chosen] == [("means184", "lda"), ("means184", "logistic")]


def test_words_and_figure_set_the_labels_side_by_side():
    head = {"corpus": "crema_d", "feature": "summary", "model": "lda", "interval": "speaker bootstrap", "n": 7435}
    values = {"intended": (0.45, 0.40, 1.30), "plurality": (0.44, 0.43, 1.20), "votes": (0.43, 0.46, 1.05)}
    rows = []
    for labels, scores in values.items():
        for measure, value, base in zip(vote_scores.MEASURES, scores, values["intended"]):
            gap = value - base if labels != "intended" else np.nan
            change = {"difference": gap, "difference_low": gap - 0.01, "difference_high": gap + 0.01}
            rows.append(head | {"labels": labels, "measure": measure, "value": value} | change)
            rows[-1] |= {"low": value - 0.02, "high": value + 0.02}
    nobody = {"corpus": "crema_d", "feature": "", "model": "", "labels": vote_scores.LISTENER, "n": 7435}
    rows.append(nobody | {"measure": "cross_entropy", "value": 0.9})
    table = pd.DataFrame(rows, columns=vote_scores.COLUMNS)
    last = vote_text.finding(table).splitlines()[1]
    assert "shares of the votes** instead of intended labels: summaries with LDA, −2.0 [−3.0, −1.0] points" in last
    assert "+6.0 [5.0, 7.0] on the plurality and −0.25 [−0.26, −0.24] nats" in last
    assert vote_text.title(table) == (
        "Trained on shares of the votes, UAR changes by +6.0 points on the plurality and −2.0 points on intended labels"
    )
    people = table.tail(1)
    assert vote_text.readable(people)["labels"].tolist() == ["the votes themselves"]
    assert vote_text.readable(people.assign(measure="uar_intended"))["labels"].tolist() == ["one listener"]
    assert vote_text.readable(table)["labels"].tolist()[0] == "intended labels"
    assert set(vote_text.scores(table).labels) <= set(vote_text.readable(table).columns)
    figure = vote_figures.scores(table)
    assert [ax.get_title(loc="left") for ax in figure.axes] == list(map(word, vote_scores.MEASURES))
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == list(vote_text.LABELS.values())[:3]
    assert vote_figures.scores(table.iloc[:0]) is None
    assert "CREMA-D has" in vote_text.figure(table.iloc[:0]).empty
