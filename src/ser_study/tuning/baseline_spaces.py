"""The search spaces of the student systems, as they published them, and what their searches found."""

from __future__ import annotations

from collections.abc import Mapping

from ser_study.config import unknown
from ser_study.tuning import builders
from ser_study.tuning.spaces import Choice, Dimensions, Published, Real, Space, Whole

_TINY = 1e-8
_TREES = ("booster", ("gbtree", "dart"))
_DART = ("booster", ("dart",))
_MLP: Dimensions = {
    "activation": Choice(("logistic", "tanh", "relu")),
    "solver": Choice(("lbfgs", "sgd", "adam")),
    "hidden": Whole(100, 1500),
    "alpha": Real(0.001, 0.99),
    "batch_size": Whole(150, 300),
    "learning_rate": Choice(("adaptive", "constant", "invscaling")),
}
_FOREST: Dimensions = {
    "criterion": Choice(("gini", "entropy")),
    "max_depth": Whole(5, 25),
    "n_estimators": Whole(15_000, 25_000),
    "min_samples_leaf": Whole(2, 5),
    "min_samples_split": Whole(2, 25),
    "max_leaf_nodes": Whole(50, 250),
}
_TREE: Dimensions = {
    "criterion": Choice(("gini", "entropy")),
    "max_depth": Whole(5, 100),
    "min_samples_leaf": Whole(2, 5),
    "min_samples_split": Whole(2, 25),
    "max_leaf_nodes": Whole(50, 250),
}
_LIGHTGBM: Dimensions = {
    "num_leaves": Whole(2, 150),
    "max_depth": Whole(2, 100),
    "n_estimators": Whole(10, 20_000),
    "subsample_for_bin": Whole(100_000, 500_000),
    "min_child_samples": Whole(10, 500),
    "reg_alpha": Real(0.0, 100.0),
    "colsample_bytree": Real(0.0, 1.0),
    "learning_rate": Real(1e-5, 1.0, log=True),
    "boosting": Choice(("goss", "gbdt", "dart")),
}
_XGBOOST: Dimensions = {
    "booster": Choice(("gbtree", "gblinear", "dart")),
    "reg_lambda": Real(_TINY, 1.0, log=True),
    "reg_alpha": Real(_TINY, 1.0, log=True),
    "max_depth": Whole(1, 9, when=_TREES),
    "learning_rate": Real(_TINY, 1.0, log=True, when=_TREES),
    "gamma": Real(_TINY, 1.0, log=True, when=_TREES),
    "grow_policy": Choice(("depthwise", "lossguide"), when=_TREES),
    "sample_type": Choice(("uniform", "weighted"), when=_DART),
    "normalize_type": Choice(("tree", "forest"), when=_DART),
    "rate_drop": Real(_TINY, 1.0, log=True, when=_DART),
    "skip_drop": Real(_TINY, 1.0, log=True, when=_DART),
}
_RANDOM_LIGHTGBM: Dimensions = {
    "max_depth": Choice((3, 4)),
    "min_child_samples": Choice((10, 20, 40)),
    "num_leaves": Choice((6, 15, 31, 62)),
    "reg_alpha": Choice((0.0, 0.5, 1.0)),
    "reg_lambda": Choice((0.0, 0.5, 1.0)),
}
_SHRINKAGE = (None, "auto", 0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
NETWORK_GRID: Dimensions = {  # E004: 384 points of two epochs each
    "lr": Choice((0.001, 0.01, 0.05, 0.1)),
    "momentum": Choice((0.8, 0.85, 0.9, 0.95)),
    "dropout": Choice((0.2, 0.3, 0.4, 0.5)),
    "hidden": Choice((64, 128, 256)),
    "layers": Choice((1, 2)),
}


def _of_002(name: str, title: str, dimensions: Dimensions, build, published: Published, *libraries: str) -> Space:
    full = f"002-{name}"
    return Space(full, title, "002a", "16", "means180", dimensions, build, published, libraries=libraries)


def _of_001(name: str, title: str, dimensions: Dimensions, build, published: Published, most: int = 0) -> Space:
    scheme, copies = "7_calm_dropped", (0, 1, 3)  # clean, noise, stretch and pitch
    return Space(
        f"001-{name}", title, "001", scheme, "means184", dimensions, build, published, variants=copies, most=most
    )  # the original let copies of a clip fall on both sides


SPACES: Mapping[str, Space] = {
    space.name: space
    for space in (
        Space(
            "000-lightgbm",
            "LightGBM, random search",
            "000",
            "7_calm_merged",
            "statistics51",
            _RANDOM_LIGHTGBM,
            builders.lightgbm,
            Published(
                10,
                0.8302,
                {"max_depth": 4, "num_leaves": 15, "min_child_samples": 20, "reg_alpha": 0.0, "reg_lambda": 0.0},
                "29 s",
            ),
            metric="macro_f1",
            n_folds=3,
            method="random",
            libraries=("lightgbm",),
        ),
        _of_001(
            "mlp",
            "MLP",
            _MLP,
            builders.mlp,
            Published(
                10,
                0.8531,
                {
                    "activation": "logistic",
                    "solver": "lbfgs",
                    "hidden": 880,
                    "alpha": 0.376851,
                    "batch_size": 300,
                    "learning_rate": "invscaling",
                },
                "2 h 30",
            ),
            most=6,  # up to 25 minutes each: 9,120 rows, as many as 1,500 units
        ),
        _of_001(
            "forest",
            "random forest",
            {
                "n_estimators": Choice((650, 700)),
                "max_depth": Choice((80, 85)),
                "criterion": Choice(("entropy",)),
            },
            builders.forest,
            Published(10, 0.8844, {"n_estimators": 650, "max_depth": 85, "criterion": "entropy"}, "1 h 09"),
        ),
        _of_001(
            "logistic",
            "logistic regression",
            {"penalty": Choice(("l1", "l2"))},
            builders.logistic,
            Published(10, 0.7637, {"penalty": "l1"}, "2 h 51"),
        ),
        _of_002(
            "lightgbm",
            "LightGBM",
            _LIGHTGBM,
            builders.lightgbm,
            Published(
                12,
                0.6527,
                {
                    "num_leaves": 22,
                    "max_depth": 37,
                    "n_estimators": 12_310,
                    "subsample_for_bin": 491_645,
                    "min_child_samples": 27,
                    "reg_alpha": 1.744,
                    "colsample_bytree": 0.6496,
                    "learning_rate": 0.858,
                    "boosting": "dart",
                },
                "3 h or more",
            ),
            "lightgbm",
        ),
        _of_002(
            "forest",
            "random forest",
            _FOREST,
            builders.forest,
            Published(
                5,
                0.6394,
                {
                    "criterion": "entropy",
                    "max_depth": 15,
                    "n_estimators": 22_984,
                    "min_samples_leaf": 3,
                    "min_samples_split": 9,
                    "max_leaf_nodes": 239,
                },
                "2 h 50",
            ),
        ),
        _of_002(
            "xgboost",
            "XGBoost",
            _XGBOOST,
            builders.xgboost,
            Published(
                10,
                0.6564,
                {"booster": "gbtree", "max_depth": 7, "gamma": 1.79e-5, "grow_policy": "lossguide"},
                "10 min",
            ),
            "xgboost",
        ),
        _of_002(
            "mlp",
            "MLP",
            _MLP,
            builders.mlp,
            Published(
                15, 0.7664, {"activation": "relu", "solver": "lbfgs", "hidden": 1283, "alpha": 0.38495}, "1 h 20"
            ),
        ),
        _of_002(
            "knn",
            "k nearest neighbours",
            {"weights": Choice(("uniform", "distance")), "n_neighbors": Whole(1, 200)},
            builders.knn,
            Published(10, 0.5238, {"weights": "distance", "n_neighbors": 32}, "11 s"),
        ),
        _of_002(
            "tree",
            "decision tree",
            _TREE,
            builders.tree,
            Published(
                5,
                0.4309,
                {
                    "criterion": "entropy",
                    "max_depth": 35,
                    "min_samples_leaf": 4,
                    "min_samples_split": 23,
                    "max_leaf_nodes": 169,
                },
                "11 s",
            ),
        ),
        _of_002(
            "logistic",
            "logistic regression",
            {
                "class_weight": Choice(("balanced", None)),
                "solver": Choice(("newton-cg", "lbfgs", "sag", "saga")),
            },
            builders.logistic,
            Published(10, 0.6430, {"solver": "saga"}, "23 min"),
        ),
        Space(
            "004-lda",
            "tuned LDA, random search",
            "004",
            "6",
            "log_mel87",
            {"solver": Choice(("lsqr", "eigen")), "shrinkage": Choice(_SHRINKAGE)},
            builders.pca_lda,
            Published(10, 0.4563),
            n_folds=10,
            method="random",
            prefix="lineardiscriminantanalysis__",
        ),
        Space(
            "004-network",
            "CNN–BiLSTM, grid of 384 points",
            "004",
            "6",
            "log_mel87",
            NETWORK_GRID,
            builders.network_004,
            Published(384, params={"lr": 0.1, "momentum": 0.9, "dropout": 0.2, "hidden": 256, "layers": 1}),
            n_folds=3,
            libraries=("keras",),
        ),
    )
}


def get(name: str) -> Space:
    """Space of that name; ``ValueError`` with the known names otherwise."""
    if name not in SPACES:
        raise ValueError(unknown("search space", name, SPACES))
    return SPACES[name]
