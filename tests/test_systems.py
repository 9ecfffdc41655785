"""The best system of every corpus: what is chosen from, how it is chosen, and what is shown."""

from __future__ import annotations

import dataclasses
import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from ser_study import config as settings
from ser_study.chapters.systems import declare, figures, protocols, tables, text
from ser_study.evaluation import choice, metrics
from ser_study.experiments import Experiment, Selection, ledger
from ser_study.study import Study
from ser_study.wording import share

CLASSES = ("angry", "happy", "sad")


def predictions(right, n_speakers=6, seed=0, speakers_first=0):
    """A system that is right with probability ``right(fold, role)``; every speaker is tested once, others validated."""
    random, rows = np.random.default_rng(seed), []
    for fold in range(n_speakers):
        for speaker in range(n_speakers):
            role = "test" if speaker == fold else "validation"
            for clip in range(15):
                truth = CLASSES[clip % 3]
                good = random.random() < right(fold, role)
                guess = truth if good else CLASSES[(clip + 1) % 3]
                row = {"fold": fold, "role": role, "clip_id": f"emodb/{speaker}-{clip}", "truth": truth}
                rows.append(
                    row | {"prediction": guess} | {f"p_{name}": 0.8 if name == guess else 0.1 for name in CLASSES}
                )
    head = {"experiment": "x", "scheme": "native", "protocol": "speaker_independent", "repeat": 0, "seed": 1, "draw": 0}
    head |= {
        "model": "lda",
        "feature": "summary",
        "leak": "",
        "corpus": "emodb",
        "variant": 0,
        "n_train": 75,
        "params": "{}",
    }
    return pd.DataFrame(rows).assign(**head)


def test_each_fold_takes_the_candidate_that_does_best_on_its_validation_rows():
    odd = predictions(lambda fold, role: 0.9 if fold % 2 else 0.4)
    even = predictions(lambda fold, role: 0.4 if fold % 2 else 0.9, seed=1)
    chosen = choice.nested_choice({"odd": odd, "even": even})
    names = chosen.drop_duplicates("fold").set_index("fold")["params"].map(lambda text: json.loads(text)["chosen"])
    assert names.to_dict() == {fold: "odd" if fold % 2 else "even" for fold in range(6)}
    for fold, rows in chosen.groupby("fold"):
        source = odd if fold % 2 else even
        expected = source[source["fold"] == fold].reset_index(drop=True)
        assert rows["prediction"].tolist() == expected["prediction"].tolist()


def test_test_rows_take_no_part_in_the_choice():
    good_on_test = predictions(lambda fold, role: 1.0 if role == "test" else 0.3)
    plain = predictions(lambda fold, role: 0.6, seed=1)
    chosen = choice.nested_choice({"good on test": good_on_test, "plain": plain})
    assert {json.loads(text)["chosen"] for text in chosen["params"]} == {"plain"}


def test_candidates_are_compared_on_the_validation_rows_that_all_have():
    whole = predictions(lambda fold, role: 0.7)
    few = predictions(lambda fold, role: 0.8, seed=1)
    kept = (few["role"] == "test") | few["clip_id"].str.startswith("emodb/0-") | (few["fold"] == 0)
    scores = choice.validation_scores({"whole": whole, "few": few[kept]})
    one = whole[(whole["fold"] == 3) & (whole["role"] == "validation") & whole["clip_id"].str.startswith("emodb/0-")]
    assert scores["whole"].iloc[3] == metrics.uar_of(one)


def test_candidates_with_other_folds_or_without_validation_rows_are_refused():
    whole = predictions(lambda fold, role: 0.7)
    with pytest.raises(ValueError, match="differ in folds"):
        choice.nested_choice({"a": whole, "b": whole[whole["fold"] < 4]})
    with pytest.raises(ValueError, match="no validation rows"):
        choice.nested_choice({"a": whole[whole["role"] == "test"]})
    with pytest.raises(ValueError, match="No candidates"):
        choice.nested_choice({})


def test_the_best_of_all_is_chosen_on_all_inner_folds_whatever_a_network_was_judged_on():
    odd = predictions(lambda fold, role: 0.9 if fold % 2 else 0.4)
    even = predictions(lambda fold, role: 0.4 if fold % 2 else 0.9, seed=1)
    network = predictions(lambda fold, role: 0.3 if role == "test" else 1.0, seed=2)
    one_speaker = network["clip_id"].str.split("-").str[0] == "emodb/" + ((network["fold"] + 1) % 6).astype(str)
    network = network[(network["role"] == "test") | one_speaker]
    groups = {"hand_crafted": {"odd": odd}, "scratch_network": {"network": network}, "encoder_head": {"even": even}}
    done = tables._by_own_speakers(groups)
    assert list(done) == [*groups, "best_system"]
    names = done["best_system"].predictions.drop_duplicates("fold").set_index("fold")["params"]
    chosen = names.map(lambda text: json.loads(text)["chosen"].split(": ")[1])
    assert chosen.to_dict() == {fold: "odd" if fold % 2 else "even" for fold in range(6)}
    assert done["best_system"].uar_validation > max(
        done[kind].uar_validation for kind in ("hand_crafted", "encoder_head")
    )


@pytest.fixture(scope="module")
def systems(small_study):
    changes = {"benchmark.models": ["dummy", "logistic", "lda"], "benchmark.features": ["means184", "summary"]}
    study = Study(settings.load("demo", small_study.config.overrides | changes), small_study.store)
    return study, tables.systems(study)


def test_every_kind_of_system_is_there_and_the_best_is_chosen_among_them(systems):
    study, done = systems
    assert list(done) == ["synthetic"]
    assert list(done["synthetic"]) == ["dummy", "hand_crafted", "feature_vote", "best_system"]
    scores = tables.scores(study, done)
    assert list(scores.columns) == tables.COLUMNS
    for row in scores.itertuples():
        test = done["synthetic"][row.system].predictions.query("role == 'test'")
        assert sorted(test["clip_id"]) == sorted(study.clips("synthetic")["clip_id"])
        assert row.uar == pytest.approx(metrics.uar_of(test))
        assert row.uar_low <= row.uar <= row.uar_high
    assert scores.set_index("system").loc["dummy", "uar"] == pytest.approx(1 / study.clips()["emotion"].nunique())


def test_kinds_follow_from_feature_model_and_corpora():
    base = Experiment("emodb", "speaker_independent", "summary", "lda")
    kinds = {
        "hand_crafted": base,
        "dummy": dataclasses.replace(base, model="dummy"),
        "encoder_head": dataclasses.replace(base, feature="summary+moonshine"),
        "joint_corpora": dataclasses.replace(base, feature="campplus", others=("tess",)),
        "scratch_network": dataclasses.replace(base, feature="log_mel", model="cnn_lstm_000"),
    }
    assert {kind: declare.kind_of(one) for kind, one in kinds.items()} == {kind: kind for kind in kinds}


def test_two_speakers_take_what_is_best_on_the_other_corpora():
    weak, strong = (predictions(lambda fold, role, p=p: p, seed=int(10 * p)) for p in (0.5, 0.9))
    of_two = {"hand_crafted": {"a": weak, "b": strong}, "joint_corpora": {"c": weak}}
    other = {
        "hand_crafted": {"a": strong, "b": weak},
        "joint_corpora": {"c": strong.assign(prediction=strong["truth"])},
    }
    done = tables._by_other_corpora(of_two, {"emodb": other})
    assert done["hand_crafted"].chosen == "a"
    assert done["best_system"].chosen == "encoder, other corpora in training"
    assert done["best_system"].predictions is done["joint_corpora"].predictions
    assert {one.chosen_by for one in done.values()} == {tables.OTHERS}


def test_choices_and_votes_are_logged_as_test_evaluations(small_study, store, monkeypatch):
    logged = {}
    monkeypatch.setattr(ledger, "log_test_evaluations", lambda known, scores, store: logged.update(known))
    one = tables.System(predictions(lambda fold, role: 0.7), "summaries, LDA", tables.OWN, 0.7)
    tables._log("emodb", "speaker_independent", {"dummy": one, "best_system": one}, small_study)
    assert list(logged) == ["emodb/speaker_independent/best_system"]


def test_text_and_figure_hold_the_scores_and_the_gain(systems):
    study, done = systems
    scores = tables.scores(study, done)
    better = scores.assign(uar=scores["uar"].where(scores["system"] != "best_system", scores["uar"] + 0.1))
    best = better[better["system"] == "best_system"].iloc[0]
    finding = text.finding(better)
    assert share(best["uar"]) in finding
    assert best["chosen"] in finding
    gain = 100 * (best["uar"] - better.set_index("system").loc["hand_crafted", "uar"])
    assert f"{gain:.0f} points (synthetic corpus) above" in text.systems_title(better)
    two = pd.concat([better, better.assign(corpus="tess", uar=0.5)])
    assert f"scores 0 (TESS) to {gain:.0f} points (synthetic corpus) above" in text.systems_title(two)
    figure = figures.systems(better, tables.levels(study))
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["hand-crafted features", "vote over hand-crafted features", "best of all"]
    assert figures.systems(better.iloc[:0], tables.levels(study)) is None
    assert text.systems_figure(better.iloc[:0]).empty == text.NO_SYSTEM


def test_without_new_speakers_there_is_nothing_to_choose(small_study):
    nobody = small_study.clips("synthetic").assign(speaker=None)
    study = Study(small_study.config, small_study.store, {"synthetic": Selection("synthetic", nobody, nobody.iloc[:0])})
    assert tables.systems(study) == {}
    assert tables.scores(study, {}).empty
    assert tables.comparable(study, tables.scores(study, {})).empty


def test_encoders_that_cannot_be_had_are_named_with_the_reason(monkeypatch):
    config = settings.load("quick")
    monkeypatch.setattr(text.features, "unavailable", lambda name, *_: "No network." if name == "moonshine" else "")
    assert "Encoders: CAM++, second block." in text.introduction(config)
    assert "Moonshine, layer 3 is left out: No network." in text.introduction(config)
    assert "No pretrained encoder" in text.introduction(settings.load("demo"))


def test_one_recipe_of_each_kind_is_scored_on_every_protocol(systems):
    study, done = systems
    long = protocols.scores(study, tables.scores(study, done), protocols.recipes(study))
    recipe = protocols.recipes(study)["synthetic"]["hand_crafted"]
    inner = {one: tables.validation_uar(rows) for one, rows in study.predict_validation(
        declare.candidates(study, "synthetic")["hand_crafted"]).items()}  # fmt: skip
    assert inner[recipe] == max(inner.values())
    own = long[long["system"] == "hand_crafted"].set_index("protocol")
    assert set(own.index) == {"random", "sentence_independent", "speaker_independent", "speaker_and_sentence"}
    for protocol, row in own.iterrows():
        test = study.predictions(dataclasses.replace(recipe, protocol=protocol)).query("role == 'test'")
        assert row["uar"] == pytest.approx(metrics.uar_of(test))
    assert own.loc["random", "uar"] > own.loc["speaker_independent", "uar"]
    wide = protocols.wide(long).set_index("system")
    assert wide.loc["hand_crafted", "random"].startswith(share(own.loc["random", "uar"]))
    assert wide.loc["feature_vote", "random"] == "" != wide.loc["feature_vote", "speaker_independent"]
    assert f"{100 * (own.loc['speaker_independent', 'uar'] - own.loc['random', 'uar']):.1f}".replace("-", "−") in (
        text.protocol_costs(long)
    )


def test_protocols_of_the_settings_are_known_ones():
    with pytest.raises(ValueError, match="benchmark.protocols: .*speaker_independent"):
        Study.open("demo", {"benchmark.protocols": ["speaker_independant"]})


def test_another_corpus_is_tested_with_features_that_every_corpus_has(monkeypatch):
    def recipes(study, *, everywhere=False):
        feature = "summary" if everywhere else "compare"
        names = ("emodb", "ravdess-speech", "ravdess-song", "tess")
        return {
            name: {
                "hand_crafted": Experiment(name, "speaker_independent", feature, "lda"),
                "joint_corpora": Experiment(name, "speaker_independent", "campplus", "lda", others=("jl",)),
            }
            for name in names
        }

    monkeypatch.setattr(protocols, "recipes", recipes)
    possible = dict.fromkeys(recipes(None), ["random", "speaker_independent"])
    study = SimpleNamespace(config=settings.load("full"), possible=possible)
    made = protocols.declared(study, recipes(study))
    crossing = {key[0]: one for key, one in made.items() if key[2] == "cross_corpus"}
    assert set(crossing) == {"emodb", "ravdess-speech", "tess"}, "song is the voices of speech"
    assert crossing["emodb"].sources == ("ravdess-speech", "tess")
    assert {(one.feature, one.scheme) for one in crossing.values()} == {("summary", "6_common")}
    assert made["emodb", "hand_crafted", "random"].feature == "compare"
    assert {key[2] for key in made if key[1] == "joint_corpora"} == {"speaker_independent"}


def test_what_published_scores_are_compared_with(systems):
    study, done = systems
    scores = tables.scores(study, done)
    ours = tables.comparable(study, scores).set_index(["protocol", "metric"])
    best = scores.set_index("system").loc["best_system"]
    assert ours.loc[("speaker_independent", "uar"), "value"] == best["uar"]
    assert ours.loc[("speaker_independent", "accuracy"), "value"] == best["accuracy"]
    recipes = protocols.recipes(study)["synthetic"]
    of_all = max((one for kind, one in recipes.items() if kind != "dummy"), key=lambda one: tables.validation_uar(
        study.predict_validation([one])[one]))  # fmt: skip
    test = study.predictions(dataclasses.replace(of_all, protocol="random")).query("role == 'test'")
    assert ours.loc[("random", "uar"), "value"] == pytest.approx(metrics.uar_of(test))
