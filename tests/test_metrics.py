"""Metrics against scikit-learn, hand-worked cases, and refusals."""

from __future__ import annotations

import time

import numpy as np
import pytest
from sklearn import metrics as sk

from ser_study.evaluation import metrics, probabilities

CLASSES = ("angry", "happy", "neutral", "sad")


def exact(expected):
    """As good as equal: within 1e-12, whatever the size of the numbers."""
    return pytest.approx(expected, abs=1e-12)


def made_up(n: int = 400, *, n_classes: int = 4, seed: int = 3):
    """Truth and prediction codes, and probabilities with many ties."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(n_classes, size=n, p=rng.dirichlet(np.full(n_classes, 3.0)))
    logit = rng.normal(size=(n, n_classes)) + 1.2 * np.eye(n_classes)[truth]
    proba = np.round(np.exp(logit) / np.exp(logit).sum(axis=1, keepdims=True), 2) + 0.01
    proba /= proba.sum(axis=1, keepdims=True)
    return truth, proba.argmax(axis=1), proba


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("n", [30, 400])
def test_equal_to_scikit_learn(n, seed):
    truth, prediction, proba = made_up(n, seed=seed)
    names = np.array(CLASSES)
    ours = metrics.evaluate(names[truth], names[prediction], proba, classes=CLASSES)
    theirs = {
        "accuracy": sk.accuracy_score(truth, prediction),
        "uar": sk.balanced_accuracy_score(truth, prediction),
        "macro_f1": sk.f1_score(truth, prediction, average="macro"),
        "weighted_f1": sk.f1_score(truth, prediction, average="weighted"),
        "macro_precision": sk.precision_score(truth, prediction, average="macro", zero_division=0),
        "weighted_precision": sk.precision_score(truth, prediction, average="weighted", zero_division=0),
        "kappa": sk.cohen_kappa_score(truth, prediction),
        "mcc": sk.matthews_corrcoef(truth, prediction),
        "auc": sk.roc_auc_score(truth, proba, multi_class="ovr", average="macro"),
        "log_loss": sk.log_loss(truth, proba),
        "brier": np.mean(np.sum((np.eye(4)[truth] - proba) ** 2, axis=1)),
    }
    theirs |= {f"recall_{CLASSES[k]}": v for k, v in enumerate(sk.recall_score(truth, prediction, average=None))}
    assert {name: ours[name] for name in theirs} == pytest.approx(theirs, abs=1e-12)
    assert metrics.confusion(truth, prediction, range(4)).tolist() == sk.confusion_matrix(truth, prediction).tolist()


def test_hand_worked():
    counts = np.array([[3, 1, 0], [2, 2, 0], [1, 0, 1]])
    assert metrics.accuracy(counts) == exact(6 / 10)
    assert metrics.uar(counts) == exact((3 / 4 + 2 / 4 + 1 / 2) / 3)
    assert metrics.macro_precision(counts) == exact((3 / 6 + 2 / 3 + 1) / 3)
    assert metrics.weighted_precision(counts) == exact((4 * 3 / 6 + 4 * 2 / 3 + 2 * 1) / 10)
    assert metrics.weighted_f1(counts) == exact((4 * 6 / 10 + 4 * 4 / 7 + 2 * 2 / 3) / 10)
    assert metrics.macro_f1(counts) == exact((6 / 10 + 4 / 7 + 2 / 3) / 3)
    assert metrics.kappa(counts) == exact((0.6 - 0.38) / (1 - 0.38))
    assert metrics.row_normalised(counts)[0].tolist() == [0.75, 0.25, 0.0]


def test_class_absent_from_truth_leaves_the_average():
    scores = metrics.evaluate(["a", "a", "b", "b"], ["a", "c", "b", "b"], classes=["a", "b", "c"])
    assert scores["uar"] == exact((1 / 2 + 1) / 2)
    assert scores["macro_precision"] == scores["weighted_precision"] == exact(1.0)
    assert scores["macro_f1"] == exact((2 / 3 + 1) / 2)
    assert np.isnan(scores["recall_c"])
    with_c = np.array([[0.6, 0.2, 0.2], [0.3, 0.2, 0.5], [0.1, 0.8, 0.1], [0.2, 0.7, 0.1]])
    assert metrics.evaluate(list("aabb"), list("acbb"), with_c, classes=list("abc"))["auc"] == 1.0


def test_constant_answers():
    scores = metrics.evaluate(["a", "b", "b"], ["b", "b", "b"], np.tile([1 / 3, 2 / 3], (3, 1)), classes=["a", "b"])
    assert scores["uar"] == 0.5
    assert (scores["mcc"], scores["kappa"], scores["auc"]) == (0.0, 0.0, 0.5)
    assert scores["ece"] == exact(0.0)
    assert np.isnan(metrics.evaluate(["a", "a"], ["a", "a"], classes=["a", "b"])["kappa"])
    assert np.isnan(probabilities.auc(np.zeros(2, int), np.full((2, 2), 0.5)))  # nothing to tell apart


def test_stack_equals_one_by_one_and_is_fast():
    rng = np.random.default_rng(0)
    stack = rng.integers(0, 9, size=(10_000, 8, 8)).astype(float)
    stack[:50, 2] = 0  # an absent class
    stack[50:99, :, 3] = 0  # a class never predicted
    begin = time.perf_counter()
    together = {name: metric(stack) for name, metric in metrics.COUNT_METRICS.items()}
    assert time.perf_counter() - begin < 1.0
    for name, metric in metrics.COUNT_METRICS.items():
        alone = [float(metric(stack[place])) for place in range(0, 200)]
        np.testing.assert_allclose(together[name][:200], alone, atol=1e-12, err_msg=name)


def test_order_of_classes_and_clips_changes_nothing():
    truth, prediction, proba = made_up()
    plain = metrics.evaluate(truth, prediction, proba, classes=range(4))
    turned = metrics.evaluate(truth[::-1], prediction[::-1], proba[::-1, ::-1], classes=[3, 2, 1, 0])
    assert turned == exact(plain)


@pytest.mark.parametrize(
    ("truth", "prediction", "proba", "message"),
    [
        (["a", "b", "a"], ["a", "b"], None, "differ in length: 3 and 2"),
        (["a", "x"], ["a", "b"], None, r"Truth holds 1 labels outside the classes \(x\)"),
        (["a", "b"], ["a", None], None, "Prediction holds 1 labels outside"),
        ([], [], None, "non-empty"),
        (["a", "b"], ["a", "b"], [[0.5, 0.5]], r"shape \(1, 2\)"),
        (["a", "b"], ["a", "b"], [[0.5, 0.5], [0.5, 0.6]], "sum to 1"),
        (["a", "b"], ["a", "b"], [[0.5, 0.5], [np.nan, 0.6]], "sum to 1"),
        (["a", "b"], ["a", "b"], [[1.5, -0.5], [0.5, 0.5]], "lie in 0"),
    ],
)
def test_refusals(truth, prediction, proba, message):
    with pytest.raises(ValueError, match=message):
        metrics.evaluate(truth, prediction, proba, classes=["a", "b"])


def test_repeated_class_is_refused():
    with pytest.raises(ValueError, match="occur twice: a"):
        metrics.confusion(["a"], ["a"], ["a", "a"])


def test_certain_and_wrong_costs_36_nats():
    assert probabilities.clip_log_loss(np.array([0]), np.array([[0.0, 1.0]])) == pytest.approx(36.04, abs=0.01)


def test_brier_parts_by_hand():
    # two bins a class: 0.8 stated, right 3 of 4 times; 0.4 stated, right 1 of 4 times
    stated = np.array([0.8] * 4 + [0.4] * 4)
    truth = np.array([0, 0, 0, 1, 0, 1, 1, 1])
    parts = probabilities.brier_parts(truth, np.stack([stated, 1 - stated], axis=1), bins=2)
    assert parts.reliability == exact(2 * (0.5 * 0.05**2 + 0.5 * 0.15**2))
    assert parts.resolution == exact(2 * 0.25**2)
    assert parts.uncertainty == exact(2 * 0.25)
    assert parts.within == pytest.approx(0.0, abs=1e-12)


def test_brier_parts_add_up():
    truth, _, proba = made_up(seed=8)
    parts = probabilities.brier_parts(truth, proba)
    whole = parts.reliability - parts.resolution + parts.uncertainty + parts.within
    assert whole == pytest.approx(probabilities.clip_brier(truth, proba).mean(), abs=1e-12)
    assert abs(parts.within) < 0.02


def test_ece_by_hand_and_against_a_plain_loop():
    proba = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.4, 0.6]])
    assert probabilities.ece(np.array([0, 1, 0, 1]), proba, bins=2) == exact(0.5 * 0.4 + 0.5 * 0.4)
    rng = np.random.default_rng(1)
    confidence = rng.uniform(0.5, 1, size=1000)  # no ties: ten bins of 100
    truth = (rng.random(1000) > 0.7).astype(int)
    order = np.argsort(confidence).reshape(10, 100)
    plain = np.mean([abs((truth[part] == 0).mean() - confidence[part].mean()) for part in order])
    assert probabilities.ece(truth, np.stack([confidence, 1 - confidence], axis=1)) == exact(plain)


def test_ece_of_a_calibrated_model_is_what_chance_shows():
    rng = np.random.default_rng(5)
    confidence = rng.uniform(0.5, 1, size=500)
    proba = np.stack([confidence, 1 - confidence], axis=1)
    seen = [probabilities.ece((rng.random(500) > confidence).astype(int), proba) for _ in range(200)]
    expected = probabilities.ece_if_calibrated(proba, rng=np.random.default_rng(0))
    assert expected == pytest.approx(np.mean(seen), rel=0.06)
    assert 0.01 < expected < 0.06
