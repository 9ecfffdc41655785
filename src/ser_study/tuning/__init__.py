"""Hyperparameter search inside a training part: spaces, inner folds, and Optuna.

Conventions
-----------
A search sees train and validation rows of *inner* folds only; whoever calls it keeps the test rows away. Scores
are means over the inner folds, higher is better. A trial reports its running mean after every fold, so that
a poor one is stopped early ("pruned"). Optuna lives in ``studies`` and is imported when a search starts.
"""

from ser_study.tuning.baseline_spaces import SPACES, get
from ser_study.tuning.fitting import tune
from ser_study.tuning.spaces import Space
from ser_study.tuning.trials import Search

__all__ = [
    "SPACES",
    "Search",
    "Space",
    "get",
    "tune",
]
