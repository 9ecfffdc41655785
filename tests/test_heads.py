"""Linear heads on wide features: the same as scikit-learn's own, with weights, and with shared work over a grid."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.svm import SVC, LinearSVC

from ser_study.config import Models
from ser_study.models import discriminant, gram_svm, registry
from ser_study.models.discriminant import Moments, ShrinkageLDA
from ser_study.models.gram_svm import GramSVM
from ser_study.models.model import margins

WIDTHS = (12, 150)  # fewer columns than rows, and more


def made(n=90, d=12, n_classes=3, seed=0):
    random = np.random.default_rng(seed)
    codes = random.choice(n_classes, n, p=[0.5, *[0.5 / (n_classes - 1)] * (n_classes - 1)])
    values = random.normal(3, random.uniform(0.5, 2, d), (n, d))
    values[np.arange(n), codes] += 1.5
    return values, np.array(list("abcdef"))[codes]


def centred(decided):
    return decided - decided.mean(axis=1, keepdims=True)


@pytest.mark.parametrize("d", WIDTHS)
@pytest.mark.parametrize("shrinkage", [0.1, 0.5, 0.9])
def test_discriminant_is_scikit_learns(d, shrinkage):
    values, truth = made(d=d)
    fresh, _ = made(40, d=d, seed=1)
    theirs = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage).fit(values, truth)
    ours = ShrinkageLDA(shrinkage).fit(values, truth)
    expected = centred(theirs.decision_function(fresh))
    np.testing.assert_allclose(centred(ours.decision_function(fresh)), expected, atol=1e-6)
    assert (ours.predict(fresh) == theirs.predict(fresh)).all()


@pytest.mark.parametrize("d", WIDTHS)
@pytest.mark.parametrize("c", [0.001, 0.1])
def test_svm_on_products_is_scikit_learns(d, c):
    values, truth = made(d=d)
    fresh, _ = made(40, d=d, seed=1)
    theirs, ours = SVC(C=c, kernel="linear").fit(values, truth), GramSVM(c).fit(values, truth)
    np.testing.assert_allclose(ours.decision_function(fresh), theirs.decision_function(fresh), atol=1e-6)
    assert (ours.predict(fresh) == theirs.predict(fresh)).all()


@pytest.mark.parametrize("d", WIDTHS)
def test_fixed_strength_of_the_svm_is_shared_by_the_columns(d):
    values, truth = made(d=d)
    models = Models(svm_c_fixed=2.0)
    params = registry.get("linear_svm").fixed(models)
    ours, theirs = gram_svm.build(models, params, 0), SVC(C=2.0 / d, kernel="linear")
    expected = theirs.fit(values, truth).decision_function(values)
    np.testing.assert_allclose(ours.fit(values, truth).decision_function(values), expected, atol=1e-6)
    ((classes, decided),) = gram_svm.decisions(models, [params], values, truth, values)
    assert classes.tolist() == theirs.classes_.tolist()
    np.testing.assert_allclose(decided, expected, atol=1e-6)


@pytest.mark.parametrize("d", WIDTHS)
@pytest.mark.parametrize("estimator", [ShrinkageLDA(0.3), GramSVM(0.01)], ids=["lda", "svm"])
def test_a_weight_of_two_is_a_row_twice(d, estimator):
    values, truth = made(d=d)
    weight = np.random.default_rng(2).integers(1, 4, len(truth))
    doubled = estimator.fit(np.repeat(values, weight, axis=0), np.repeat(truth, weight)).decision_function(values)
    tolerance = 1e-6 if isinstance(estimator, ShrinkageLDA) else 2e-3  # libsvm stops at 1e-3
    weighted = estimator.fit(values, truth, sample_weight=weight).decision_function(values)
    np.testing.assert_allclose(centred(weighted), centred(doubled), atol=tolerance)


@pytest.mark.parametrize("d", WIDTHS)
@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize(("name", "precision"), [("lda", np.float64), ("lda", np.float32), ("linear_svm", np.float64)])
def test_points_of_a_grid_that_share_work_are_fitted_as_if_alone(name, precision, n_classes, d, monkeypatch):
    monkeypatch.setattr(discriminant, "precision_to_compare", lambda shrinkages, width: precision)
    values, truth = made(d=d, n_classes=n_classes)
    fresh, _ = made(30, d=d, n_classes=n_classes, seed=1)
    model, models = registry.get(name), Models()
    grid = model.grid(models)
    tolerance = 1e-7 if precision is np.float64 or d > len(values) else 1e-4  # the span of few rows is kept in double
    for params, (classes, decided) in zip(grid, model.decisions(models, grid, 0, values, truth, fresh), strict=True):
        alone = model.build(models, params, 0).fit(values, truth)
        assert list(classes) == list(alone.classes_)
        np.testing.assert_allclose(centred(decided), centred(margins(alone, fresh)), atol=tolerance)
        ((_, last),) = model.decisions(models, [params], 0, values, truth, fresh)
        np.testing.assert_allclose(centred(last), centred(margins(alone, fresh)), atol=1e-7)


def test_equal_priors_forget_how_many_clips_a_class_has():
    values, truth = made(n=300)
    counts, equal = (ShrinkageLDA(0.5, priors).fit(values, truth) for priors in discriminant.PRIORS)
    shares = np.log(np.unique(truth, return_counts=True)[1] / len(truth))
    expected = centred(counts.decision_function(values) - shares)
    np.testing.assert_allclose(centred(equal.decision_function(values)), expected, atol=1e-9)


def test_moments_add_and_standardise():
    values, truth = made(n=120)
    codes, half = np.searchsorted(["a", "b", "c"], truth), np.arange(120) < 50
    whole = Moments.of(values, codes, 3)
    parts = Moments.of(values[half], codes[half], 3) + Moments.of(values[~half], codes[~half], 3)
    np.testing.assert_allclose(parts.products, whole.products)
    mean, spread = whole.spread()[0], np.sqrt(whole.spread()[1])
    np.testing.assert_allclose([mean, spread], [values.mean(axis=0), values.std(axis=0)])
    (inside,) = discriminant.solved(whole, [0.4], standardise=True)
    before = ShrinkageLDA(0.4).fit((values - mean) / spread, truth)
    expected = before.decision_function((values - mean) / spread)
    np.testing.assert_allclose(centred(inside(values)), centred(expected), atol=1e-9)


def test_a_column_that_does_not_vary_and_an_empty_class_are_no_silent_wrong_answer():
    values, truth = made()
    values[:, 5] = 7.0
    moments = Moments.of(values, np.searchsorted(["a", "b", "c"], truth), 3)
    (one,) = discriminant.solved(moments, [0.5], standardise=True)
    assert np.isfinite(one(values)).all()
    with pytest.raises(ValueError, match="1 of 4 classes"):
        list(discriminant.solved(Moments.of(values, np.searchsorted(["a", "b", "c"], truth), 4), [0.5]))
    with pytest.raises(ValueError, match="singular at shrinkage 0"):
        ShrinkageLDA(0).fit(values, truth)


@pytest.mark.parametrize("d", [3, 30])
def test_with_one_row_a_class_the_nearest_mean_wins(d):
    values = np.random.default_rng(0).normal(3, 2, (5, d))
    names = np.array(list("abcde"))
    model = ShrinkageLDA(0.5).fit(np.vstack([values, values]), np.tile(names, 2))
    assert (model.predict(values + 0.01) == names).all()


def test_beyond_the_matrix_that_fits_memory_the_svm_is_fitted_on_its_columns(monkeypatch):
    values, truth = made()
    monkeypatch.setattr(gram_svm, "MAX_ROWS", 50)
    ours = GramSVM(0.01, seed=3).fit(values, truth)
    theirs = LinearSVC(C=0.01, max_iter=300, tol=1e-3, random_state=3).fit(values, truth)
    np.testing.assert_allclose(ours.decision_function(values), theirs.decision_function(values))
