"""Classical models, each a scikit-learn estimator with its own preparation of the values.

A model is a name, a way to build the estimator and the values its search may try. What prepares the
values (scaling) is fitted by ``training`` on the training rows of the fold and on nothing else; it does
not depend on the hyperparameters, so a search prepares once.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from ser_study.config import Models, unknown
from ser_study.models import gram_svm
from ser_study.models.model import Model, Params

UNSCALED = ("baseline", "trees")  # families for which the scale of a column means nothing


class SharesOnly(ClassifierMixin, BaseEstimator):
    """Answers with the shares of the classes in training, whatever it is given.

    Classes whose numbers differ by no more than chance (the spread of their difference) have the same share: of a
    balanced corpus the commonest class of a training part is the rarest of its test part, and answering that one would
    score far below chance.
    """

    def fit(self, values: np.ndarray, truth: np.ndarray) -> SharesOnly:
        """Count the class names (n,)."""
        self.classes_, counts = np.unique(truth, return_counts=True)
        common = counts >= counts.max() - np.sqrt(2 * counts.max())
        self.shares_ = np.where(common, counts[common].mean(), counts) / len(truth)
        return self

    def predict_proba(self, values: np.ndarray) -> np.ndarray:
        """The shares for each row, shape (n, C)."""
        return np.tile(self.shares_, (len(values), 1))

    def predict(self, values: np.ndarray) -> np.ndarray:
        """The commonest class for each row, the first of equals, shape (n,)."""
        return self.classes_[self.predict_proba(values).argmax(axis=1)]


def _weight(models: Models) -> str | None:
    return models.class_weight or None


def _dummy(models: Models, params: Params, seed: int) -> BaseEstimator:
    return SharesOnly()


def _logistic(models: Models, params: Params, seed: int) -> BaseEstimator:
    return LogisticRegression(C=params["C"], max_iter=300, tol=1e-3, class_weight=_weight(models))


def _forest(models: Models, params: Params, seed: int) -> BaseEstimator:
    return RandomForestClassifier(
        n_estimators=models.forest_trees, random_state=seed, n_jobs=1, class_weight=_weight(models)
    )


def _lightgbm(models: Models, params: Params, seed: int) -> BaseEstimator:
    from lightgbm import LGBMClassifier

    return LGBMClassifier(
        n_estimators=models.boosting_rounds,
        num_leaves=models.boosting_leaves,
        learning_rate=models.boosting_rate,
        max_bin=models.boosting_bins,
        colsample_bytree=0.5,
        class_weight=_weight(models),
        random_state=seed,
        deterministic=True,
        force_row_wise=True,
        n_jobs=1,
        verbose=-1,
    )


_BOOSTING = ("boosting_rounds", "boosting_leaves", "boosting_rate", "boosting_bins", "class_weight")
REGISTRY: Mapping[str, Model] = {
    model.name: model
    for model in (
        Model("dummy", "class shares only", "baseline", _dummy),
        Model(
            "logistic",
            "logistic regression",
            "linear",
            _logistic,
            lambda models: [{"C": c} for c in models.logistic_c],
            lambda models: {"C": models.logistic_c_fixed},
            ("logistic_c", "logistic_c_fixed", "class_weight"),
        ),
        Model(
            "linear_svm",
            "linear SVM",
            "linear",
            gram_svm.build,
            lambda models: [{"C": c} for c in models.svm_c],
            gram_svm.fixed,
            ("svm_c", "svm_c_fixed", "class_weight"),
            margins=True,
            shared=gram_svm.decisions,
            version=1,
        ),
        Model("forest", "random forest", "trees", _forest, uses=("forest_trees", "class_weight")),
        Model("lightgbm", "LightGBM", "trees", _lightgbm, uses=_BOOSTING, libraries=("lightgbm",)),
    )
}


class SpanRotation(TransformerMixin, BaseEstimator):
    """Rotate values into the span of the training rows, where there are more features than rows.

    The solution of a linear model with a quadratic penalty lies in that span (representer theorem), so
    the model is the same and its fit costs (rows / features) of what it did. The axes are the left
    singular vectors, found from the Gram matrix.
    """

    def fit(self, values: np.ndarray, truth=None) -> SpanRotation:
        """Find the axes; values (n, d) are centred already."""
        n, d = values.shape
        self.axes_ = None
        if n < d:
            variance, vectors = np.linalg.eigh(values @ values.T)
            kept = variance > variance[-1] * 1e-10
            self.axes_ = values.T @ (vectors[:, kept] / np.sqrt(variance[kept]))  # (d, ≤ n)
        return self

    def transform(self, values: np.ndarray) -> np.ndarray:
        """Coordinates in the span, or the values as they are."""
        return values if self.axes_ is None else values @ self.axes_


def preparation(model: Model) -> Pipeline:
    """Unfitted preparation of the values, which are flattened to (n, d): scaling where the family needs it.

    The span rotation leaves linear models with a quadratic penalty as they are; distances and shrunken
    covariances it would change, so the other families are only scaled.
    """
    if model.family in UNSCALED and not model.standardised:
        return make_pipeline(FunctionTransformer(_flat))
    steps = [FunctionTransformer(_flat_double), StandardScaler(copy=False)]  # the first has made a copy
    return make_pipeline(*steps, SpanRotation()) if model.family == "linear" else make_pipeline(*steps)


def prepared(model: Model, train: np.ndarray, values: np.ndarray, *, leak: str = "") -> tuple[np.ndarray, np.ndarray]:
    """Training values (m, …) and others (n, …) as the model reads them, prepared by what the former say.

    With the declared leak ``scale_on_all`` the scaler is fitted on both; a model that needs none has nothing to leak.
    """
    prepare = preparation(model)
    if leak != "scale_on_all" or "standardscaler" not in prepare.named_steps:
        return prepare.fit_transform(train), prepare.transform(values)
    scaler = StandardScaler().fit(_flat_double(np.concatenate([train, values])))
    inside, outside = scaler.transform(_flat_double(train)), scaler.transform(_flat_double(values))
    if model.family != "linear":
        return inside, outside
    rotation = SpanRotation().fit(inside)
    return rotation.transform(inside), rotation.transform(outside)


def _flat(values: np.ndarray) -> np.ndarray:
    return values.reshape(len(values), -1)


def _flat_double(values: np.ndarray) -> np.ndarray:
    return _flat(values).astype(np.float64)


def get(name: str) -> Model:
    """A registered model; ``ValueError`` with the known names otherwise."""
    if name not in REGISTRY:
        raise ValueError(unknown("model", name, REGISTRY))
    return REGISTRY[name]
