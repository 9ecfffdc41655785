"""The three linear heads on features as wide as an encoder's, beside scikit-learn's own.

Run with ``pytest tests/benchmarks/test_heads_speed.py -s``. Rows and columns are as many as in a fold of RAVDESS speech
with CAM++; all fits are timed in one process on one thread, turn about. Times are printed; asserted is only that all
heads learn. Without ``-s`` nobody reads times, so there are few rows.
"""

from __future__ import annotations

import time
import warnings

import numpy as np
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC, LinearSVC

from ser_study.models.discriminant import ShrinkageLDA
from ser_study.models.gram_svm import GramSVM
from ser_study.parallel import single_threaded

HEADS = {  # head → how it is made
    "LDA, ours": lambda: ShrinkageLDA(0.5),
    "LDA, scikit-learn (lsqr)": lambda: LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.5),
    "SVM on products, ours": lambda: GramSVM(1e-2),
    "SVM, scikit-learn (SVC, linear)": lambda: SVC(C=1e-2, kernel="linear"),
    "SVM, scikit-learn (LinearSVC)": lambda: LinearSVC(C=1e-2),
    "logistic regression, scikit-learn": lambda: LogisticRegression(C=1e-2, max_iter=1000),
}
N_ROUNDS = 3


def seconds_of(head, values, truth) -> tuple[float, float]:
    """Seconds of one fit, and the share of its own rows that it gets right."""
    start = time.perf_counter()
    fitted = head().fit(values, truth)
    return time.perf_counter() - start, float((fitted.predict(values) == truth).mean())


def test_heads_on_wide_features(request, capsys):
    long = request.config.getoption("capture") == "no"
    n, width = (1199, 2048) if long else (160, 64)
    random = np.random.default_rng(0)
    truth = random.integers(0, 8, n)
    values = random.standard_normal((n, width))
    values[np.arange(n), truth] += 12
    taken = {name: [] for name in HEADS}
    with single_threaded(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(N_ROUNDS if long else 1):
            for name, head in HEADS.items():
                taken[name].append(seconds_of(head, values, truth))
    first = min(seconds for seconds, _ in taken["LDA, ours"])
    with capsys.disabled():
        for name, rounds in taken.items():
            best = min(seconds for seconds, _ in rounds)
            print(f"\n{name:>34}: {best:8.3f} s a fit, {best / first:6.1f} × ours of LDA", end="")
    assert all(right > 0.5 for rounds in taken.values() for _, right in rounds)
