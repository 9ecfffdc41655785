"""Intervals and paired tests against SciPy, brute force, published values and simulation."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import integrate, stats

from ser_study.evaluation import intervals, metrics, significance


def exact(expected):
    """As good as equal: within 1e-12, whatever the size of the numbers."""
    return pytest.approx(expected, abs=1e-12)


def spoken(n_speakers: int, *, per_speaker: int = 30, n_classes: int = 3, seed: int = 0):
    """Clips of speakers who differ in how well they are understood."""
    rng = np.random.default_rng(seed)
    speaker = np.repeat(np.arange(n_speakers), per_speaker)
    truth = rng.integers(n_classes, size=len(speaker))
    skill = rng.normal(1.0, 0.7, size=n_speakers)[speaker]
    logit = rng.normal(size=(len(truth), n_classes)) + skill[:, None] * np.eye(n_classes)[truth]
    proba = np.exp(logit) / np.exp(logit).sum(axis=1, keepdims=True)
    return truth, proba.argmax(axis=1), np.array([f"made/{k}" for k in speaker]), proba


@pytest.mark.parametrize(
    ("n_speakers", "kind"),
    [(1, intervals.CLIPS), (3, intervals.CLIPS), (4, intervals.JACKKNIFE), (19, intervals.JACKKNIFE)]
    + [(20, intervals.BOOTSTRAP), (24, intervals.BOOTSTRAP)],
)
def test_kind_follows_the_number_of_speakers(n_speakers, kind):
    truth, prediction, speakers, proba = spoken(n_speakers)
    found = intervals.intervals(
        truth, prediction, speakers, proba, classes=range(3), n_bootstrap=500, rng=np.random.default_rng(1)
    )
    scores = metrics.evaluate(truth, prediction, proba, classes=range(3))
    assert list(found) == [*metrics.COUNT_METRICS, *metrics.PROBA_METRICS]
    for name, interval in found.items():
        assert interval.kind == kind
        assert interval.low < scores[name] < interval.high, name


def test_unknown_speakers_give_a_clip_interval():
    truth, prediction, speakers, _ = spoken(30)
    speakers = speakers.astype(object)
    speakers[5] = None
    found = intervals.interval(
        "uar", truth, prediction, speakers, classes=range(3), n_bootstrap=200, rng=np.random.default_rng(1)
    )
    assert found.kind == intervals.CLIPS


def test_jackknife_by_brute_force():
    truth, prediction, speakers, proba = spoken(7, seed=2)
    found = intervals.intervals(truth, prediction, speakers, proba, classes=range(3), rng=np.random.default_rng(0))
    whole = metrics.evaluate(truth, prediction, proba, classes=range(3))
    for name in ("uar", "kappa", "auc", "log_loss", "brier"):
        left_out = []
        for speaker in np.unique(speakers):
            kept = speakers != speaker
            left_out.append(metrics.evaluate(truth[kept], prediction[kept], proba[kept], classes=range(3))[name])
        error = np.sqrt(6 / 7 * np.sum((np.array(left_out) - np.mean(left_out)) ** 2))
        reach = stats.t.ppf(0.975, 6) * error
        top = 1.0 if name == "auc" else np.inf  # no interval leaves the metric's range
        expected = whole[name] - reach, min(top, whole[name] + reach)
        assert (found[name].low, found[name].high) == exact(expected)


def test_bootstrap_by_brute_force():
    truth, prediction, speakers, proba = spoken(20, seed=3)
    proba = np.round(proba, 1)  # ties
    proba /= proba.sum(axis=1, keepdims=True)
    drawn = intervals.resample(truth, speakers, n_bootstrap=30, rng=np.random.default_rng(4))
    assert (drawn.weights.sum(axis=1) == 20).all()
    resampled = intervals.resampled_scores(
        intervals.totals(truth, prediction, proba, drawn, n_classes=3), drawn.weights
    )
    for place, weights in enumerate(drawn.weights.astype(int)):
        rows = np.repeat(np.arange(len(truth)), weights[drawn.unit])
        plain = metrics.evaluate(truth[rows], prediction[rows], proba[rows], classes=range(3))
        assert {name: values[place] for name, values in resampled.items()} == exact(
            {name: plain[name] for name in resampled}
        )


def test_resamples_hold_every_class():
    truth, _, speakers, _ = spoken(24)
    truth[speakers == "made/3"] = 3  # only one speaker has the fourth class …
    truth[(speakers != "made/3") & (truth == 3)] = 0
    drawn = intervals.resample(truth, speakers, n_bootstrap=2000, rng=np.random.default_rng(0))
    assert drawn.kind == intervals.BOOTSTRAP
    assert (drawn.weights[:, 3] > 0).all()
    alone = np.repeat(np.arange(24), 30)  # … and here each has a class of their own
    assert intervals.resample(alone, speakers, rng=np.random.default_rng(0)).kind == intervals.JACKKNIFE


def test_limits_stay_in_range_and_one_clip_has_none():
    truth, speakers = np.tile([0, 1], 10), np.repeat(list("abcd"), 5)
    found = intervals.interval("uar", truth, truth, speakers, classes=range(2), rng=np.random.default_rng(0))
    assert (found.low, found.high) == (1.0, 1.0)
    alone = intervals.interval("accuracy", [0], [0], ["a"], classes=range(2), rng=np.random.default_rng(0))
    assert np.isnan(alone.low)
    assert np.isnan(alone.high)
    with pytest.raises(ValueError, match="No interval for 'ece'"):
        intervals.interval("ece", truth, truth, speakers, classes=range(2), rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="differ in length: 20 and 19"):
        intervals.interval("uar", truth, truth, speakers[1:], classes=range(2), rng=np.random.default_rng(0))


@pytest.mark.parametrize(("n_speakers", "least", "most"), [(10, 0.91, 0.985), (24, 0.90, 0.975)])
def test_coverage_over_new_speakers(n_speakers, least, most):
    """Jackknife and bootstrap intervals cover the population's accuracy about as often as they say."""
    rng = np.random.default_rng(11)
    speakers, covered = np.repeat(np.arange(n_speakers), 40), 0
    for _ in range(300):
        skill = rng.beta(6, 4, size=n_speakers)  # population mean .6
        right = (rng.random(len(speakers)) < skill[speakers]).astype(int)
        found = intervals.interval(
            "accuracy", np.ones(len(right), int), right, speakers, classes=range(2), n_bootstrap=400, rng=rng
        )
        covered += found.low <= 0.6 <= found.high
    assert least <= covered / 300 <= most


def test_sign_flip_against_scipy():
    rng = np.random.default_rng(0)
    for n_speakers in (1, 2, 5, 10, 13):
        gaps = np.round(rng.normal(0.3, 1, size=n_speakers), 1)  # rounded: ties and zeros
        ours = significance.sign_flip(gaps)
        if n_speakers > 1:
            theirs = stats.permutation_test(
                (gaps,),
                lambda x, axis: x.mean(axis=axis),
                permutation_type="samples",
                vectorized=True,
                n_resamples=np.inf,
            )
            assert ours.p == exact(theirs.pvalue)
        assert ours.statistic == exact(gaps.mean())


def test_sign_flip_extremes():
    assert significance.sign_flip(np.ones(20)).p == exact(2**-19)
    assert significance.sign_flip(np.zeros(6)).p == 1.0
    counted = significance.sign_flip([0.1 * k - 0.6 for k in range(20)])
    drawn = significance.sign_flip([0.1 * k - 0.6 for k in range(20)] + [0.0], rng=np.random.default_rng(0))
    assert drawn.p == pytest.approx(counted.p, abs=0.01)
    with pytest.raises(ValueError, match="21 speakers"):
        significance.sign_flip(np.ones(21))
    with pytest.raises(ValueError, match="finite"):
        significance.sign_flip([0.1, np.nan])


def test_smallest_p():
    assert [significance.smallest_p(k) for k in (1, 2, 5, 6)] == [1.0, 0.5, 0.0625, 0.03125]
    assert significance.smallest_p(91) == exact(1 / 10_001)
    assert significance.smallest_p(5) > 0.05 > significance.smallest_p(6)


def test_paired_difference_shares_its_resamples():
    truth, prediction, speakers, _ = spoken(24)
    options = {"classes": range(3), "n_bootstrap": 400}
    same = significance.paired_difference(
        truth, prediction, prediction, speakers, rng=np.random.default_rng(0), **options
    )
    assert (same[0], same[1].low, same[1].high) == (0.0, 0.0, 0.0)
    better = np.where(np.random.default_rng(1).random(len(truth)) < 0.3, truth, prediction)
    gap, found = significance.paired_difference(
        truth, prediction, better, speakers, rng=np.random.default_rng(0), **options
    )
    plain = [float(metrics.uar(metrics.confusion(truth, guess, range(3)))) for guess in (prediction, better)]
    assert gap == exact(plain[1] - plain[0])
    assert 0 < found.low < gap < found.high


def test_holm():
    assert significance.holm([0.01, 0.04, 0.03, 0.005]).tolist() == exact([0.03, 0.06, 0.06, 0.02])
    adjusted = significance.holm([0.02, np.nan, 0.04])
    assert adjusted[[0, 2]].tolist() == exact([0.04, 0.04])
    assert np.isnan(adjusted[1])
    assert significance.holm([0.9, 0.8]).max() == 1.0


def test_holm_is_closed_testing_by_bonferroni():
    """The adjusted p of a hypothesis is the largest Bonferroni p of all sets that hold it (Marcus et al. 1976)."""
    p = np.random.default_rng(3).uniform(0, 0.3, size=7).round(2)  # rounded: ties
    sets = [list(one) for size in range(1, 8) for one in itertools.combinations(range(7), size)]
    by_hand = [max(min(1.0, len(one) * p[one].min()) for one in sets if place in one) for place in range(7)]
    assert significance.holm(p).tolist() == exact(by_hand)


def test_sign_flip_counts_every_pattern():
    gaps = np.array([0.3, -0.1, 0.2, 0.0, 0.25, -0.05, 0.15])
    sums = [abs(np.dot(signs, gaps)) for signs in itertools.product((1, -1), repeat=7)]
    assert significance.sign_flip(gaps).p == exact(np.mean(np.array(sums) >= abs(gaps.sum()) - 1e-12))
    assert significance.sign_flip([1, 2, 3]).p == exact(2 / 8)  # all signs alike
    assert significance.sign_flip([3, 2, -1]).p == exact(4 / 8)  # ±4 or ±6, of ±0, ±2, ±4, ±6


def test_nemenyi_by_hand_and_by_the_distribution_of_the_range():
    scores = np.array([[0.9, 0.8, 0.7], [0.8, 0.9, 0.7], [0.9, 0.8, 0.8], [0.6, 0.5, 0.4]])
    found = significance.friedman_nemenyi(scores)
    assert found.ranks.tolist() == exact([5 / 4, 7.5 / 4, 11.5 / 4])  # the third block ties the last two
    ratio = found.critical_difference / np.sqrt(3 * 4 / (6 * 4)) * np.sqrt(2)

    def density(z: float) -> float:
        return 3 * stats.norm.pdf(z) * (stats.norm.cdf(z) - stats.norm.cdf(z - ratio)) ** 2

    assert integrate.quad(density, -12, 12, epsabs=1e-13)[0] == pytest.approx(0.95, abs=1e-9)


def test_mcnemar():
    truth = np.zeros(20, int)
    a, b = np.zeros(20, int), np.zeros(20, int)
    b[:2], a[2:12] = 1, 1  # only a right: 2, only b right: 10
    found = significance.mcnemar(truth, a, b)
    assert found.statistic == 10
    assert found.p == exact(0.03857421875)  # 2 · P(X ≤ 2 | 12, ½)
    assert significance.mcnemar(truth, a, a).p == 1.0
    with pytest.raises(ValueError, match="20, 20 and 19"):
        significance.mcnemar(truth, a, b[1:])


def test_nadeau_bengio():
    gaps = np.array([0.02, 0.01, 0.03, 0.00, 0.02])
    found = significance.nadeau_bengio(gaps, n_train=80, n_test=20)
    t = gaps.mean() / np.sqrt((1 / 5 + 0.25) * gaps.var(ddof=1))
    assert found.statistic == exact(t)
    assert found.p == exact(2 * stats.t.sf(t, 4))
    plain = stats.ttest_1samp(gaps, 0)
    assert significance.nadeau_bengio(gaps, n_train=1, n_test=1e-12).p == exact(plain.pvalue)
    assert significance.nadeau_bengio([0.1, 0.1], n_train=8, n_test=2).p == pytest.approx(0.0, abs=1e-9)
    with pytest.raises(ValueError, match="two splits"):
        significance.nadeau_bengio([0.1], n_train=8, n_test=2)


def test_friedman_nemenyi():
    scores = np.random.default_rng(0).normal(size=(10, 5)) + np.array([0, 0, 0, 0, 2.0])
    found = significance.friedman_nemenyi(scores)
    theirs = stats.friedmanchisquare(*scores.T)
    assert (found.statistic, found.p) == exact((theirs.statistic, theirs.pvalue))
    assert found.ranks.argmin() == 4
    assert found.critical_difference == exact(
        stats.studentized_range.ppf(0.95, 5, np.inf) / np.sqrt(2) * np.sqrt(5 * 6 / 60)
    )
    assert found.critical_difference == pytest.approx(2.728 * np.sqrt(5 * 6 / 60), abs=2e-3)  # Demšar 2006, table 5
    assert significance.friedman_nemenyi(np.ones((4, 3))).p == 1.0
    with pytest.raises(ValueError, match="three models"):
        significance.friedman_nemenyi(scores[:, :2])


@pytest.mark.parametrize(("hits", "n"), [(0, 10), (10, 10), (7, 10), (233, 288)])
def test_wilson_against_scipy(hits, n):
    found = significance.wilson(hits, n)
    theirs = stats.binomtest(hits, n).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)
    with pytest.raises(ValueError, match="11 of 10"):
        significance.wilson(11, 10)
