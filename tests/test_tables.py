"""Tables against plain recomputation on made-up predictions, and the listeners of the real corpora."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from ser_study.config import Evaluation
from ser_study.evaluation import comparisons, intervals, metrics, tables
from ser_study.schema import CLIP_COLUMNS

EVALUATION = Evaluation(n_bootstrap=200, n_permutations=500)
CLASSES = ["angry", "happy", "neutral", "sad"]


def made_clips(*, n_speakers: int = 24, per_speaker: int = 16) -> pd.DataFrame:
    """Clips of speakers who say every class equally often."""
    n = n_speakers * per_speaker
    clips = pd.DataFrame(index=range(n), columns=list(CLIP_COLUMNS))
    clips["clip_id"] = [f"made/{k}" for k in range(n)]
    clips["corpus"] = "made"
    clips["emotion"] = np.tile(CLASSES, n // 4)
    clips["speaker"] = [f"made/{k // per_speaker:02d}" for k in range(n)]
    return clips


def made_predictions(clips: pd.DataFrame, experiment: str = "one", *, skill: float = 1.0, draw: int = 0, seed: int = 0):
    """Every clip once, in four folds by speaker, with validation rows that a score must not touch."""
    rng = np.random.default_rng([seed, draw])
    place = clips["emotion"].map(CLASSES.index).to_numpy()
    logit = rng.normal(size=(len(clips), 4)) + skill * np.eye(4)[place]
    proba = np.exp(logit) / np.exp(logit).sum(axis=1, keepdims=True)
    fixed = {"experiment": experiment, "scheme": "native", "protocol": "speaker", "repeat": 0, "seed": 0}
    table = pd.DataFrame(fixed | {"model": "logistic", "variant": 0, "role": "test"}, index=range(len(clips)))
    table = table.assign(
        clip_id=clips["clip_id"].array,
        fold=np.unique(clips["speaker"], return_inverse=True)[1] % 4,
        n_train=300,
        truth=clips["emotion"].array,
        prediction=np.array(CLASSES)[proba.argmax(axis=1)],
        corpus="made",
        feature="egemaps",
        draw=draw,
        leak="",
        **{f"p_{name}": proba[:, k].astype(np.float32) for k, name in enumerate(CLASSES)},
    )
    wrong = table.assign(role="validation", prediction="sad", fold=(table["fold"] + 1) % 4)
    return pd.concat([table, wrong], ignore_index=True)


def rng() -> np.random.Generator:
    return np.random.default_rng(9)


def value(table: pd.DataFrame, metric: str, experiment: str = "one") -> float:
    return table[(table["metric"] == metric) & (table["experiment"] == experiment)]["value"].item()


def test_scores_equal_plain_metrics():
    clips = made_clips()
    predictions = made_predictions(clips).sample(frac=1, random_state=0)
    table = tables.scores(predictions, clips, evaluation=EVALUATION, rng=rng())
    test = predictions[predictions["role"] == "test"]
    plain = metrics.evaluate(test["truth"], test["prediction"], test.filter(regex="^p_").to_numpy(), classes=CLASSES)
    for name in table["metric"]:
        if name not in ("uar_fold_mean", "ece_if_calibrated"):
            assert value(table, name) == pytest.approx(plain[name], abs=1e-6), name
    folds = [metrics.uar(metrics.confusion(f["truth"], f["prediction"], CLASSES)) for _, f in test.groupby("fold")]
    assert value(table, "uar_fold_mean") == pytest.approx(np.mean(folds))
    assert " ".join(table.columns[:12]) == (
        "corpus protocol feature model metric value low high interval n n_speakers n_train"
    )
    assert table["metric"].is_unique
    facts = table[["corpus", "protocol", "feature", "model", "n", "n_speakers", "n_train"]].drop_duplicates()
    assert facts.to_numpy().tolist() == [["made", "speaker", "egemaps", "logistic", 384, 24, 300]]
    spread = table[table["interval"] != ""]
    assert set(spread["interval"]) == {intervals.BOOTSTRAP}
    assert ((spread["low"] < spread["value"]) & (spread["value"] < spread["high"])).all()


def test_interval_does_not_depend_on_the_company():
    clips = made_clips()
    one, two = made_predictions(clips), made_predictions(clips, "two", skill=0.5, seed=1)
    alone = tables.scores(two, clips, evaluation=EVALUATION, rng=rng())
    both = tables.scores(pd.concat([one, two], ignore_index=True), clips, evaluation=EVALUATION, rng=rng())
    pd.testing.assert_frame_equal(alone, both[both["experiment"] == "two"].reset_index(drop=True))


def test_experiments_of_other_classes_and_without_probabilities():
    clips = made_clips()
    three = clips[clips["emotion"] != "sad"]
    bare = made_predictions(clips, "bare", seed=2).drop(columns=[f"p_{name}" for name in CLASSES])
    fewer = made_predictions(clips, "fewer", seed=3)
    fewer = fewer[fewer["clip_id"].isin(three["clip_id"])].drop(columns="p_sad")
    stated = fewer.filter(regex="^p_")
    fewer[stated.columns] = stated.div(stated.sum(axis=1), axis=0)
    fewer["prediction"] = stated.idxmax(axis=1).str.removeprefix("p_")
    table = tables.scores(pd.concat([bare, fewer, made_predictions(clips)]), clips, evaluation=EVALUATION, rng=rng())
    assert not {"auc", "log_loss", "ece"} & set(table[table["experiment"] == "bare"]["metric"])
    for name, metric in metrics.COUNT_METRICS.items():
        own = fewer[fewer["role"] == "test"]
        plain = metric(metrics.confusion(own["truth"], own["prediction"], CLASSES[:3]))
        assert value(table, name, "fewer") == pytest.approx(float(plain)), name
    counts = tables.confusion_table(pd.concat([bare, fewer]), clips).groupby("experiment")["count"].agg(["sum", "size"])
    assert counts.loc["bare"].tolist() == [384, 16]
    assert counts.loc["fewer"].tolist() == [288, 9]


def test_draws_are_averaged_before_or_after_scoring():
    clips = made_clips()
    draws = [made_predictions(clips, draw=k, skill=0.6) for k in range(3)]
    every = pd.concat(draws, ignore_index=True)
    pooled = tables.scores(every, clips, evaluation=EVALUATION, rng=rng())
    by_draw = tables.scores_by_draw(every, clips, evaluation=EVALUATION, rng=rng())
    each = [tables.scores(one, clips, evaluation=EVALUATION, rng=rng()) for one in draws]
    for name in ("uar", "log_loss", "auc", "ece", "brier_resolution"):
        assert value(by_draw, name) == pytest.approx(np.mean([value(one, name) for one in each])), name
    mean = np.mean([one[one["role"] == "test"].filter(regex="^p_").to_numpy() for one in draws], axis=0)
    truth = clips["emotion"].map(CLASSES.index).to_numpy()
    expected = float(metrics.uar(metrics.confusion(truth, mean.argmax(axis=1), range(4))))
    assert value(pooled, "uar") == pytest.approx(expected)
    assert value(pooled, "uar") > value(by_draw, "uar")
    assert set(pooled["n"]) == set(by_draw["n"]) == {384}
    with pytest.raises(ValueError, match="in one draw"):
        tables.scores_by_draw(every.iloc[:-500], clips, evaluation=EVALUATION, rng=rng())


def test_augmented_and_valid_rows_never_count():
    clips = made_clips()
    clean = made_predictions(clips)
    augmented = clean.assign(variant=1, prediction=clean["truth"])
    with_both = tables.scores(pd.concat([clean, augmented]), clips, evaluation=EVALUATION, rng=rng())
    pd.testing.assert_frame_equal(with_both, tables.scores(clean, clips, evaluation=EVALUATION, rng=rng()))
    with pytest.raises(ValueError, match="1 of 1 experiments have no clean test row, first 'one'"):
        tables.scores(augmented, clips, evaluation=EVALUATION, rng=rng())


def test_refusals():
    clips, sound = made_clips(), made_predictions(made_clips())
    options = {"evaluation": EVALUATION, "rng": rng()}
    with pytest.raises(ValueError, match="lacks leak"):
        tables.scores(sound.drop(columns="leak"), clips, **options)
    with pytest.raises(ValueError, match="1 predicted clips are not in the clips table, first 'made/0'"):
        tables.scores(sound, clips.iloc[1:], **options)
    mixed = sound.assign(model=np.where(sound.index % 2, "a", "b"))
    with pytest.raises(ValueError, match="2 values of model"):
        tables.scores(mixed, clips, **options)
    twice = pd.concat([sound, sound.assign(truth="sad")])
    with pytest.raises(ValueError, match="two truths"):
        tables.scores(twice, clips, **options)
    with pytest.raises(ValueError, match="bored without a p_ column"):
        tables.scores(sound.assign(truth="bored"), clips, **options)
    with pytest.raises(ValueError, match="sum to 1"):
        tables.scores(sound.assign(p_sad=0.9), clips, **options)


def test_classes_equal_scikit_learn():
    """Every class of the answers pooled over folds, as scikit-learn's report and its areas have them."""
    clips, predictions = made_clips(), made_predictions(made_clips())
    table = tables.per_class(predictions, clips, evaluation=EVALUATION, rng=rng())
    test = predictions[predictions["role"] == "test"]
    theirs = sk.classification_report(test["truth"], test["prediction"], output_dict=True)
    stated = test.filter(regex="^p_").to_numpy(float)
    assert table["class"].tolist() == CLASSES
    for place, row in enumerate(table.itertuples()):
        own = theirs[CLASSES[place]]
        assert (row.precision, row.recall, row.f1, row.n) == pytest.approx(
            (own["precision"], own["recall"], own["f1-score"], own["support"])
        )
        assert row.auc == pytest.approx(sk.roc_auc_score(test["truth"] == CLASSES[place], stated[:, place]))
    scores = tables.scores(predictions, clips, evaluation=EVALUATION, rng=rng())
    assert table[["precision", "recall", "f1", "auc"]].mean().tolist() == pytest.approx(
        [value(scores, name) for name in ("macro_precision", "uar", "macro_f1", "auc")]
    )
    pairs = tables.confusion_table(predictions, clips)
    own = pairs[pairs["truth"] == pairs["prediction"]]
    assert table["recall"].tolist() == pytest.approx(own["share"].tolist())
    assert ((table["low"] < table["recall"]) & (table["recall"] < table["high"])).all()
    assert set(table["interval"]) == {intervals.BOOTSTRAP}


def four_answers(**stated: list[float]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Truth angry, angry, happy, happy; answers angry, happy, happy, sad."""
    clips = made_clips(n_speakers=4, per_speaker=4).iloc[[0, 4, 8, 12]].reset_index(drop=True)
    clips["emotion"] = ["angry", "angry", "happy", "happy"]
    rows = made_predictions(clips).iloc[:4].assign(prediction=["angry", "happy", "happy", "sad"])
    return rows.drop(columns=[f"p_{name}" for name in CLASSES]).assign(**stated), clips


def test_classes_by_hand():
    rows, clips = four_answers(p_angry=[0.8, 0.2, 0.3, 0.1], p_happy=[0.1, 0.7, 0.6, 0.4], p_sad=[0.1, 0.1, 0.1, 0.5])
    table = tables.per_class(rows, clips, evaluation=EVALUATION, rng=rng()).set_index("class")
    assert table.index.tolist() == ["angry", "happy"]  # nobody is sad, so sad has no line
    assert table.loc["angry", ["n", "precision", "recall", "f1"]].tolist() == pytest.approx([2, 1, 1 / 2, 2 / 3])
    assert table.loc["happy", ["n", "precision", "recall", "f1"]].tolist() == pytest.approx([2, 1 / 2, 1 / 2, 1 / 2])
    assert table["auc"].tolist() == pytest.approx([3 / 4, 1 / 2])  # pairs won, of four
    bare = tables.per_class(*four_answers(), evaluation=EVALUATION, rng=rng())
    assert bare["auc"].isna().all()
    assert bare["recall"].tolist() == table["recall"].tolist()
    assert tables.roc(*four_answers()).columns.tolist() == list(tables.ROC_COLUMNS)


def test_roc_curves_are_those_of_scikit_learn():
    clips = made_clips()
    draws = pd.concat([made_predictions(clips, draw=k, skill=0.6) for k in range(2)], ignore_index=True)
    curves = tables.roc(draws, clips)
    assert tuple(curves.columns) == tables.ROC_COLUMNS
    told = draws[draws["role"] == "test"].groupby("clip_id", sort=False).mean(numeric_only=True)
    truth = clips.set_index("clip_id")["emotion"].loc[told.index]
    for name, curve in curves.groupby("class"):
        false_rate, true_rate, _ = sk.roc_curve(truth == name, told[f"p_{name}"])
        np.testing.assert_allclose(curve["false_positive_rate"], false_rate)
        np.testing.assert_allclose(curve["true_positive_rate"], true_rate)
        area = sk.auc(curve["false_positive_rate"], curve["true_positive_rate"])
        assert curve["auc"].unique() == pytest.approx([area])
    by_class = tables.per_class(draws, clips, evaluation=EVALUATION, rng=rng()).set_index("class")["auc"]
    assert curves.groupby("class")["auc"].first().to_dict() == pytest.approx(by_class.to_dict())


def test_speaker_scores_use_the_classes_a_speaker_has():
    clips = made_clips(n_speakers=3)
    gone = (clips["speaker"] == "made/01") & (clips["emotion"] == "sad")
    clips = clips[~gone].reset_index(drop=True)
    predictions = made_predictions(clips)
    table = tables.speaker_scores(predictions, clips).set_index("speaker")
    assert table["n_classes"].to_dict() == {"made/00": 4, "made/01": 3, "made/02": 4}
    for speaker, own in predictions[predictions["role"] == "test"].groupby(
        clips.set_index("clip_id")["speaker"].reindex(predictions["clip_id"]).to_numpy()[predictions["role"] == "test"]
    ):
        recalls = (own["truth"] == own["prediction"]).groupby(own["truth"]).mean()
        assert table.loc[speaker, "uar"] == pytest.approx(recalls.mean())


def test_steps():
    clips = made_clips()
    every = [made_predictions(clips, "a", skill=0.5, draw=k) for k in range(2)]
    every += [made_predictions(clips, "b", skill=2.0, seed=4), made_predictions(clips, "c", skill=0.5, seed=5)]
    every = pd.concat(every, ignore_index=True)
    table = comparisons.steps(every, clips, [("a", "b"), ("a", "c")], family="ladder", evaluation=EVALUATION, rng=rng())
    assert tuple(table.columns) == comparisons.STEP_COLUMNS
    by_draw = tables.scores_by_draw(every, clips, evaluation=EVALUATION, rng=rng())
    for side, experiment in (("a", "a"), ("b", "b")):
        assert table[f"value_{side}"][0] == pytest.approx(value(by_draw, "uar", experiment))
    assert table["difference"].tolist() == pytest.approx((table["value_b"] - table["value_a"]).tolist())
    assert table["low"][0] > 0 > table["low"][1]
    assert table["p"][0] == pytest.approx(1 / 501)
    assert table["p_holm"][0] == pytest.approx(2 / 501)
    assert table["p"][1] > 0.05
    assert table["note"].tolist() == ["", ""]
    assert table["n"].tolist() == [384, 384]


def test_steps_of_validation_rows_do_not_read_test_rows():
    clips = made_clips()
    a, b = made_predictions(clips, "a"), made_predictions(clips, "b", skill=2.0, seed=1)
    pair = pd.concat([a, b], ignore_index=True)
    swapped = pair.assign(role=pair["role"].map({"test": "validation", "validation": "test"}))
    options = {"family": "x", "evaluation": EVALUATION}
    test = comparisons.steps(pair, clips, [("a", "b")], rng=rng(), **options)
    validation = comparisons.steps(swapped, clips, [("a", "b")], role="validation", rng=rng(), **options)
    pd.testing.assert_frame_equal(test, validation)
    only_test = pair[pair["role"] == "test"]
    with pytest.raises(ValueError, match="no clean validation row"):
        comparisons.steps(only_test, clips, [("a", "b")], role="validation", rng=rng(), **options)


def test_steps_with_few_speakers_cannot_reach_05():
    clips = made_clips(n_speakers=5)
    every = pd.concat([made_predictions(clips, "a", skill=0), made_predictions(clips, "b", skill=9)])
    table = comparisons.steps(every, clips, [("a", "b")], family="ladder", evaluation=EVALUATION, rng=rng())
    assert table[["p", "smallest_p", "note"]].to_numpy().tolist() == [[0.0625, 0.0625, "cannot reach .05"]]
    assert table["interval"].item() == intervals.JACKKNIFE


def test_steps_pair_common_clips_only():
    clips = made_clips()
    a, b = made_predictions(clips, "a"), made_predictions(clips, "b", seed=1)
    b = b[~b["clip_id"].isin(clips["clip_id"][:10])]
    options = {"family": "x", "evaluation": EVALUATION, "rng": rng()}
    table = comparisons.steps(pd.concat([a, b]), clips, [("a", "b")], **options)
    assert table[["n", "n_only_a", "n_only_b"]].to_numpy().tolist() == [[374, 10, 0]]
    with pytest.raises(ValueError, match="No predictions of z"):
        comparisons.steps(a, clips, [("a", "z")], **options)
    turned = b.assign(truth=b["truth"].map({"sad": "happy", "happy": "sad"}).fillna(b["truth"]))
    with pytest.raises(ValueError, match="disagree on the truth of 187"):
        comparisons.steps(pd.concat([a, turned]), clips, [("a", "b")], **options)


def test_human_reference_by_hand():
    clips = made_clips(n_speakers=1, per_speaker=4)  # angry, happy, neutral, sad
    votes = [{"angry": 3, "sad": 1}, {"happy": 2, "sad": 2}, {"sad": 4}, {"sad": 2, "other": 2, "happy": 1}]
    clips["human_votes"] = [json.dumps(vote) for vote in votes]
    table = comparisons.human_reference(clips, CLASSES).set_index("reference")
    assert table["accuracy"].to_dict() == pytest.approx({"one listener": 7 / 17, "plurality": 1 / 4})
    assert table.loc["one listener", "uar"] == pytest.approx((3 / 4 + 1 / 2 + 0 + 2 / 5) / 4)
    assert table.loc["plurality", "ties"] == 2
    two = comparisons.human_reference(clips, ["angry", "happy"])
    assert two["n"].tolist() == [2, 2]
    assert comparisons.human_reference(clips.assign(corpus="iemocap"), CLASSES).empty
    with pytest.raises(ValueError, match="Votes of made/0 are '3:1'"):
        comparisons.human_reference(clips.assign(human_votes="3:1"), CLASSES)
    told = clips.assign(human_votes=None, human_recognition=[0.9, 0.8, 1.0, 0.7])
    assert comparisons.human_reference(told, CLASSES)["accuracy"].item() == pytest.approx(0.85)


@pytest.mark.corpus
def test_listeners_of_crema_d(corpora_dir):
    """The published voice-only figures: votes .400 (UAR .407), plurality .416 (UAR .429), 644 ties."""
    path = corpora_dir / "crema_d" / "ratings" / "tabulatedVotes.csv"
    if not path.is_file():
        pytest.skip("CREMA-D's ratings are not among the corpora")
    voted = pd.read_csv(path, dtype={0: str})
    voted = voted[voted.iloc[:, 0].str.startswith("1")].reset_index(drop=True)
    full = {"A": "angry", "D": "disgust", "F": "fearful", "H": "happy", "N": "neutral", "S": "sad"}
    clips = pd.DataFrame(index=voted.index, columns=list(CLIP_COLUMNS))
    clips["clip_id"] = "crema_d/" + voted["fileName"]
    clips["corpus"] = "crema_d"
    clips["emotion"] = voted["fileName"].str.split("_").str[2].str[0].map(full)
    clips["human_votes"] = [json.dumps(row) for row in voted[list(full)].rename(columns=full).to_dict("records")]
    table = comparisons.human_reference(clips, list(full.values())).set_index("reference")
    found = table[["accuracy", "uar"]].astype(float).round(3)
    assert found.loc["one listener"].tolist() == [0.400, 0.407]
    assert found.loc["plurality"].tolist() == [0.416, 0.429]
    assert table.loc["plurality", "ties"] == 644
    assert table.loc["one listener", ["n", "n_votes"]].tolist() == [7442, 68568]
