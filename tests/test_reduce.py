"""Principal components before a model: how many, of what, and fitted on training rows alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from ser_study import config as settings
from ser_study import corpora, features, splits
from ser_study.models import reduce
from ser_study.store import Store

PROJECT = Path(__file__).resolve().parents[1]


def _correlated(n=300, d=12, rank=3):
    random = np.random.default_rng(0)
    return random.normal(size=(n, rank)) @ random.normal(size=(rank, d)) * np.geomspace(1, 1000, d)


def test_a_share_of_the_variance_decides_the_number():
    values = _correlated() + 0.01 * np.random.default_rng(1).normal(size=(300, 12))
    reduced = reduce.pca(0.999).fit_transform(values)
    scaled = (values - values.mean(axis=0)) / values.std(axis=0)
    strength = np.linalg.svd(scaled, compute_uv=False) ** 2
    needed = 1 + np.searchsorted(np.cumsum(strength) / strength.sum(), 0.999)
    assert reduced.shape == (300, needed)
    assert np.allclose((reduced**2).sum(axis=0), strength[:needed])


def test_without_scaling_the_largest_feature_leads():
    values = np.random.default_rng(2).normal(size=(200, 5)) * [1, 1, 1, 1, 100]
    assert reduce.pca(0.95, scale=False).fit_transform(values).shape[1] == 1
    assert reduce.pca(0.95).fit_transform(values).shape[1] == 5


def test_images_of_11136_pixels_become_435_components():
    random = np.random.default_rng(3)
    train, test = (random.normal(size=(n, 87, 128)).astype(np.float32) for n in (450, 10))
    with threadpool_limits(1):  # threads of a busy machine wait for each other
        fitted = reduce.pca(435).fit(train)
    assert fitted.transform(test).shape == (10, 435)


def test_the_randomised_solver_repeats_itself():
    values = np.random.default_rng(4).normal(size=(600, 520))
    first, again, other = (reduce.pca(10, seed=seed).fit_transform(values) for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_new_rows_change_nothing_that_was_fitted():
    values = _correlated()
    fitted = reduce.pca(0.95).fit(values[:200])
    assert np.allclose(fitted.transform(values)[:200], fitted.transform(values[:200]))


@pytest.mark.parametrize("wrong", [0, -1, 1.5, 0.0, 1.0, True, "66"])
def test_what_is_neither_share_nor_number_is_refused(wrong):
    with pytest.raises(ValueError, match=r"share of variance to keep \(0.95\)"):
        reduce.pca(wrong)


@pytest.mark.corpus
@pytest.mark.slow
def test_seed_002_keeps_about_66_of_180(corpora_dir, store):
    config = settings.load("full", {"run.jobs": 1})
    store = Store(corpora_dir, store.derived, store.run, PROJECT)
    clips = corpora.load("ravdess", config=config, store=store)
    try:
        folds = splits.fixed(clips, "002", folder=PROJECT / "data" / "folds")
    except ValueError as reason:
        pytest.skip(str(reason))
    training = folds.loc[folds["role"] == "train", "clip_id"].to_numpy()
    values = features.load("seed180", clips, config=config, store=store).rows(training)
    assert values.shape == (1961, 180)
    assert abs(reduce.pca(0.95).fit(values)[-1].n_components_ - 66) <= 2
