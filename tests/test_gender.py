"""Gender first and then emotion: the estimator, what follows from its probabilities, and the comparison."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, balanced_accuracy_score, recall_score
from sklearn.svm import LinearSVC

from ser_study import config as settings
from ser_study import corpora, features, schema, training
from ser_study.chapters.ensembles import gender, text
from ser_study.config import Models
from ser_study.experiments import Selection, benchmark, runner
from ser_study.experiments.folds import folds_of
from ser_study.experiments.selections import classes_of, joined
from ser_study.models import ensembles, registry
from ser_study.models.hierarchical import LEAST, GenderFirst, given_gender
from ser_study.store import Store
from ser_study.study import Study
from ser_study.wording import share, signed

EMOTIONS = ("angry", "calm", "sad")
CONFIG = settings.load("full", {"evaluation.n_bootstrap": 200, "run.jobs": 1})


def voices(n=240, seed=0, *, spread=3.0, twisted=0.0):
    """Values (n, 8) that hold gender and emotion, and crossed classes.

    ``spread``: how far the genders lie apart;
    ``twisted``: how far men express the emotions in other columns than women do.
    """
    random = np.random.default_rng(seed)
    emotion, woman = np.arange(n) % 3, (np.arange(n) // 3) % 2 == 0
    values = random.standard_normal((n, 8))
    values[:, 7] += spread * woman
    places = np.where(woman | (random.random(n) >= twisted), emotion, (emotion + 1) % 3)
    values[np.arange(n), places] += 2.5
    return values, np.array([f"{EMOTIONS[e]}_{'female' if w else 'male'}" for e, w in zip(emotion, woman)])


def test_probabilities_are_the_product_of_two_steps():
    values, truth = voices()
    fresh, _ = voices(30, seed=1)
    fitted = GenderFirst(LogisticRegression()).fit(values, truth)
    genders = np.array([name.split("_")[1] for name in truth])
    emotion = np.array([name.split("_")[0] for name in truth])
    first = LogisticRegression().fit(values, genders).predict_proba(fresh)
    first = np.clip(first, LEAST, None)
    first /= first.sum(axis=1, keepdims=True)
    for place, name in enumerate(fitted.classes_):
        one, who = name.split("_")
        mine = genders == who
        second = LogisticRegression().fit(values[mine], emotion[mine])
        expected = first[:, ["female", "male"].index(who)] * second.predict_proba(fresh)[:, EMOTIONS.index(one)]
        np.testing.assert_allclose(fitted.predict_proba(fresh)[:, place], expected, rtol=1e-12)
    np.testing.assert_allclose(fitted.predict_proba(fresh).sum(axis=1), 1)
    assert list(fitted.predict(fresh)) == list(fitted.classes_[fitted.predict_proba(fresh).argmax(axis=1)])


def test_hard_gives_the_likelier_gender_everything():
    values, truth = voices(spread=0.5)
    soft, hard = (
        GenderFirst(LogisticRegression(), soft=soft).fit(values, truth).predict_proba(values) for soft in (1, 0)
    )
    women = np.array([name.endswith("_female") for name in np.unique(truth)])
    female = soft[:, women].sum(axis=1) > 0.5
    np.testing.assert_allclose(hard[:, women].sum(axis=1), female)
    expected = np.where(female[:, None] == women, soft, 0)
    np.testing.assert_allclose(hard, expected / expected.sum(axis=1, keepdims=True))


def test_a_gender_may_lack_an_emotion():
    values, truth = voices()
    kept = truth != "sad_male"
    fitted = GenderFirst(LogisticRegression()).fit(values[kept], truth[kept])
    assert "sad_male" not in fitted.classes_
    np.testing.assert_allclose(fitted.predict_proba(values).sum(axis=1), 1)


@pytest.mark.parametrize(
    ("base", "classes", "words"),
    [
        (LogisticRegression(), ["angry", "calm", "sad"], "names no gender"),
        (LogisticRegression(), ["angry_female", "calm_female", "sad_female"], "Two genders of two emotions"),
        (LogisticRegression(), ["angry_female", "calm_female", "sad_male"], "'male': 1"),
        (LinearSVC(), ["angry_female", "calm_female", "sad_male"], "gives no probabilities"),
    ],
)
def test_what_cannot_be_fitted_is_refused(base, classes, words):
    with pytest.raises(ValueError, match=words):
        GenderFirst(base).fit(np.eye(3), classes)


def table(proba, truth, classes):
    likeliest = np.asarray(classes)[np.argmax(proba, axis=1)]
    probabilities = pd.DataFrame(proba, columns=schema.probability_columns(classes))
    return pd.concat([pd.DataFrame({"truth": truth, "prediction": likeliest}), probabilities], axis=1)


def test_given_gender_is_conditional_probability():
    classes = ["angry_female", "angry_male", "sad_female", "sad_male"]
    made = table([[0.30, 0.10, 0.25, 0.35], [0.1, 0.5, 0.3, 0.1]], ["sad_female", "angry_male"], classes)
    known = given_gender(made, ["female", "male"])
    np.testing.assert_allclose(known.filter(regex="^p_"), [[6 / 11, 0, 5 / 11, 0], [0, 5 / 6, 0, 1 / 6]], rtol=1e-6)
    assert list(known["prediction"]) == ["angry_female", "angry_male"]
    decided = given_gender(made)  # .55 against .45 and .4 against .6: both decided as they were given
    pd.testing.assert_frame_equal(decided, known)
    assert list(made["prediction"]) == ["sad_male", "angry_male"]  # the table that was passed is left alone
    with pytest.raises(ValueError, match="give one a row"):
        given_gender(made, ["female"])
    with pytest.raises(ValueError, match=r"2 genders \(nan\)"):
        given_gender(made, [np.nan, np.nan])
    with pytest.raises(ValueError, match="1 rows leave their gender no probability"):
        given_gender(given_gender(made, ["female", "male"]), ["male", "male"])


def made_selection(selection, *, n_speakers=8, seed=0, shift=0.0, twisted=0.0, women_only=False):
    """Clips of one selection and a vector for each that holds emotion and gender."""
    corpus = corpora.corpus_of(selection)
    values, truth = voices(n_speakers * 12, seed, twisted=twisted)
    emotion, genders = zip(*(name.split("_") for name in truth))
    n = len(truth)
    who = (np.arange(n) // 3) % n_speakers  # even speakers are women, as in ``voices``
    if women_only:
        genders = ["female"] * n
    clips = pd.DataFrame(index=range(n), columns=list(schema.CLIP_COLUMNS)).assign(
        clip_id=[f"{corpus}/{selection}-{i:03d}" for i in range(n)],
        corpus=corpus,
        emotion=emotion,
        gender=genders,
        speaker=[f"{corpus}/{('OAF', 'YAF')[w % 2] if corpus == 'tess' else f'{w:02d}'}" for w in who],
        sha256=[f"{selection}{i}" for i in range(n)],
        statement=f"{corpus}/a",
        take=[f"{selection}{i}" for i in range(n)],
    )
    values[:, 6] += shift
    return Selection(selection, schema.check_clips(clips), clips.iloc[:0]), values


@pytest.fixture
def study(monkeypatch, tmp_path):
    """RAVDESS speech, TESS and EMO-DB made of numbers; experiments run on them without audio or a ledger."""
    made = {
        "ravdess-speech": made_selection("ravdess-speech", n_speakers=12),
        "tess": made_selection("tess", n_speakers=2, seed=1, women_only=True, shift=1.0),
        "emodb": made_selection("emodb", n_speakers=10, seed=2),
    }
    made["tess"][1][:, 7] = 3 + np.random.default_rng(3).standard_normal(len(made["tess"][1]))
    selections = {name: part for name, (part, _) in made.items()}
    ids = np.concatenate([part.clips["clip_id"].to_numpy(dtype=object) for part, _ in made.values()])
    values = np.concatenate([vectors for _, vectors in made.values()]).astype(np.float32)
    values_of_all = schema.FeatureSet("summary", ids, np.zeros(len(ids), int), values)
    store = Store(tmp_path, tmp_path, tmp_path / "run", tmp_path)

    def predicted(experiment, everything):
        part = everything[experiment.selection]
        if experiment.sources:
            part = joined(part, [everything[name] for name in experiment.sources])
        truth = classes_of(part, experiment.scheme)
        folds = folds_of(experiment, part, truth, CONFIG, store, 0)
        task = training.Task(experiment.model, {"C": 1.0} if experiment.fixed else None)
        models = Models(logistic_c=(0.1, 1.0))
        rows = training.run_folds(values_of_all, truth, folds, task, models=models, seed=1)
        facts = {"experiment": experiment.name, "corpus": experiment.selection, "scheme": experiment.scheme}
        return rows.assign(
            **facts, protocol=experiment.protocol, feature="summary", model=experiment.model, leak="", draw=0, seed=1
        )

    monkeypatch.setattr(
        runner, "predict", lambda some, everything, **_: {one: predicted(one, everything) for one in some}
    )
    return Study(CONFIG, store, selections)


def test_declarations_share_speaker_folds(study):
    wanted = gender.declared_emotions(study)
    assert [(e.selection, e.model, e.scheme) for e in wanted] == [
        ("ravdess-speech", "logistic", "8"),
        ("ravdess-speech", "logistic", "16"),
        ("ravdess-speech", "gender_first", "16"),
    ]
    assert not set(wanted) & set(benchmark.benchmark(CONFIG, study.possible))
    assert len({e.name for e in wanted}) == 3
    assert registry.get("gender_first").family == "linear"  # so that its values are scaled
    assert gender.declared_emotions(study.only(["emodb"])) == []


def test_comparison_is_computed_from_predictions(study):
    predictions = study.predict(gender.declared_emotions(study)).values()
    clips = study.clips("ravdess-speech")
    rows = gender.emotions(study)
    assert list(rows["system"]) == list(gender.SYSTEMS)
    assert (rows["corpus"] == "ravdess-speech").all()
    rows = rows.set_index("system")
    assert (rows["n"] == len(clips)).all()
    assert (rows["n_speakers"] == 12).all()
    flat, joint, two = (t[t["role"] == "test"].set_index("clip_id").sort_index() for t in predictions)
    emotion, genders = (clips.set_index("clip_id").sort_index()[name] for name in ("emotion", "gender"))

    def best(table, group):
        proba = table.filter(regex="^p_")
        names = [name.removeprefix("p_").split("_")[group] for name in proba.columns]
        return proba.T.groupby(names).sum().T.idxmax(axis=1)

    def within(table, given):
        proba = table.filter(regex="^p_")
        names = np.array([name.split("_")[-1] for name in proba.columns])
        return proba.where(names[None, :] == given.to_numpy()[:, None], 0).idxmax(axis=1).str.split("_").str[1]

    expected = {
        "flat": flat["prediction"],
        "joint_sum": best(joint, 0),
        "joint_argmax": joint["prediction"].str.split("_").str[0],
        "two_step_soft": best(two, 0),
        "two_step_hard": within(two, best(two, 1)),
        "oracle": within(two, genders),
    }
    for name, prediction in expected.items():
        assert rows.loc[name, "value"] == pytest.approx(balanced_accuracy_score(emotion, prediction)), name
        assert rows.loc[name, "low"] <= rows.loc[name, "value"] <= rows.loc[name, "high"]
        if name != "flat":
            assert rows.loc[name, "difference"] == pytest.approx(rows.loc[name, "value"] - rows.loc["flat", "value"])
    right = accuracy_score(genders, best(two, 1))
    assert 0.8 < right < 1
    assert rows.loc["two_step_soft", "gender_accuracy"] == rows.loc["two_step_hard", "gender_accuracy"] == right
    joint_gender = joint["prediction"].str.split("_").str[1]
    assert rows.loc["joint_argmax", "gender_accuracy"] == accuracy_score(genders, joint_gender)
    assert np.isnan(rows.loc["flat", "gender_accuracy"])
    assert rows.loc["oracle", "gender_accuracy"] == 1
    finding = text.emotions_finding(rows.reset_index())
    assert share(rows.loc["flat", "value"]) in finding
    assert signed(100 * rows.loc[list(gender.RIVALS), "difference"].max()) in finding
    assert signed(100 * rows.loc["oracle", "difference"]) in finding
    assert "bound" not in " ".join([finding, *rows["title"]]), "another system can score higher"


def test_validation_rows_can_be_compared_alone(study):
    predictions = study.predict(gender.declared_emotions(study)).values()
    clips, random = study.clips("ravdess-speech"), np.random.default_rng(0)
    validation = [table[table["role"] == "validation"] for table in predictions]
    options = {"role": "validation", "evaluation": CONFIG.evaluation, "rng": random}
    rows = gender.compare(*validation, clips, **options)
    scored = balanced_accuracy_score(validation[0]["truth"], validation[0]["prediction"])
    assert rows.set_index("system").loc["flat", "value"] == pytest.approx(scored)
    with pytest.raises(ValueError, match="No test rows in 3 of 3 tables"):
        gender.compare(*validation, clips, evaluation=CONFIG.evaluation, rng=random)
    with pytest.raises(ValueError, match="hold different clips"):
        gender.compare(validation[0].iloc[5:], *validation[1:], clips, **options)


def test_two_steps_win_where_men_and_women_differ():
    values, truth = voices(1200, twisted=1.0)
    emotion = np.array([name.split("_")[0] for name in truth])
    seen, fresh = np.arange(1200) < 600, np.arange(1200) >= 600
    flat = LogisticRegression().fit(values[seen], emotion[seen]).score(values[fresh], emotion[fresh])
    two = GenderFirst(LogisticRegression()).fit(values[seen], truth[seen])
    made = table(two.predict_proba(values[fresh]), truth[fresh], two.classes_)
    soft = ensembles.collapse(made, ensembles.emotions_of(two.classes_), how="sum")
    assert (soft["prediction"] == emotion[fresh]).mean() > flat + 0.1
    bound = given_gender(made, [name.split("_")[1] for name in truth[fresh]])
    bound = ensembles.collapse(bound, ensembles.emotions_of(two.classes_), how="sum")
    assert (bound["prediction"] == bound["truth"]).mean() > (soft["prediction"] == soft["truth"]).mean()


def test_labels_of_e000_make_a_woman_a_man(study):
    wrong = gender.as_e000(study.selections["tess"]).clips
    assert wrong.groupby("speaker")["gender"].unique().map(list).to_dict() == {
        "tess/OAF": ["male"],
        "tess/YAF": ["female"],
    }
    assert (study.clips("tess")["gender"] == "female").all()
    wanted = gender.declared_genders(study)
    assert [(e.selection, e.sources) for e in wanted] == [
        ("tess", ("ravdess-speech",)),
        ("emodb", ("ravdess-speech", "tess")),
        ("emodb", ("ravdess-speech", "tess-as-E000")),
    ]
    frame = gender.genders(study)
    rows = frame.set_index(["corpus", "labels"])
    scored_right, scored_wrong = rows.loc[("tess", "true")], rows.loc[("tess", "as E000")]
    assert scored_right["accuracy"] > 0.85
    assert scored_wrong["accuracy"] == pytest.approx(0.5, abs=0.12)  # every right prediction of OAF counts as wrong
    assert np.isnan(scored_right["recall_male"])
    assert scored_wrong["recall_male"] == pytest.approx(1 - recall_of_oaf(study, wanted[0]))
    assert rows.loc[("emodb", "true"), "recall_female"] > rows.loc[("emodb", "as E000"), "recall_female"] + 0.1
    assert (rows.loc["emodb", "n_speakers"] == 10).all()
    assert gender.genders(study.only(["emodb"])).empty
    assert frame.attrs[gender.SYSTEM] == (study.config.ladder.feature, "logistic")
    caption = text.genders(frame)
    assert caption.text.startswith(
        "Gender recognition with true labels and with those of E000, summaries under logistic"
    )
    assert f"E000: TESS {share(scored_right['accuracy'])} (1.000) and " in caption.finding
    own = study.clips("tess")["speaker"].eq(gender.MISLABELLED).mean()
    assert f"{share(scored_wrong['accuracy'])} ({share(max(own, 1 - own))}). A model trained with" in caption.finding
    assert text.genders(pd.DataFrame(frame.to_dict("list"))).text.startswith(
        "Gender recognition with true labels and with those of E000. Clips"
    )


def recall_of_oaf(study, experiment):
    """Share of the older actress's clips that are taken for a woman's."""
    rows, tess = study.predict([experiment])[experiment], study.clips("tess")
    own = rows["clip_id"].isin(tess.loc[tess["speaker"] == "tess/OAF", "clip_id"])
    p_female = rows[own & (rows["role"] == "test")].filter(regex="^p_.*_female$").sum(axis=1)
    predicted = np.where(p_female > 0.5, "female", "male")
    return recall_score(np.full(len(predicted), "female"), predicted, pos_label="female")


@pytest.mark.corpus
def test_the_gender_of_real_voices_is_predicted(corpora_dir, tmp_path):
    if not (corpora_dir / "ravdess" / "song").is_dir():
        pytest.skip("RAVDESS song is not in the data folder")
    store = Store(tmp_path / "raw", tmp_path / "derived", tmp_path / "run", tmp_path)
    kept = sorted(p for p in (corpora_dir / "ravdess" / "song").rglob("03-02-0[2-5]-01-01-01-*") if p.is_file())
    for path in kept:
        place = store.raw / "ravdess" / path.parent.name / path.name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(path)
    study = Study(dataclasses.replace(CONFIG, corpora=("ravdess",)), store)
    clips, song = study.clips("ravdess-song"), study.selections["ravdess-song"]
    assert len(clips) == 92  # 23 actors × calm, happy, sad, angry
    vectors = features.load("summary", clips, config=CONFIG, store=store)
    truth = {scheme: classes_of(song, scheme) for scheme in ("8", "16")}
    experiment = dataclasses.replace(gender.declared_emotions(study.only(["ravdess-song"]))[2], fixed=True)
    folds = {
        scheme: folds_of(dataclasses.replace(experiment, scheme=scheme), song, labels, CONFIG, store, 0)
        for scheme, labels in truth.items()
    }
    pd.testing.assert_frame_equal(folds["8"], folds["16"])  # the label scheme moves no speaker
    task = training.Task("gender_first", {"C": 0.01})
    rows = training.run_folds(vectors, truth["16"], folds["16"], task, models=Models(), seed=1)
    row = gender.gender_row(rows, clips)
    assert row["accuracy"] > 0.9
    assert row["n"] == 92
