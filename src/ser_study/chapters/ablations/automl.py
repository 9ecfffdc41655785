"""E004's automatic comparison of models, replayed without its test clips, and the same models on new speakers.

E004 compared its models by cross-validation on its *test* clips, and tuned and bagged the winner there. Here as
many clips are drawn from the training part of its list, so no test clip is used. As there, log-mel values are
reduced to 435 principal components of all these clips, without their labels, and no hyperparameter is chosen. Histogram
boosting stands for E004's gradient boosting.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from ser_study import config as settings
from ser_study import features, splits
from ser_study.config import Config
from ser_study.experiments.baselines import BASELINES
from ser_study.experiments.selections import Selection, classes_of, load_baseline_selection
from ser_study.models import classical, registry
from ser_study.models.baseline_models import COMPONENTS_004
from ser_study.models.zoo import CappedPCA
from ser_study.schema import FeatureSet
from ser_study.store import versions
from ser_study.study import Study
from ser_study.tuning import comparison

VERSION = 1  # rises when folds or scores give other numbers
BASELINE, FEATURE = BASELINES["E004"], "log_mel87"
N_CLIPS, N_FOLDS = 2529, 5  # clips that E004 compared its models on, and folds here
PUBLISHED_FOLDS = 10
CLIPS = "n_clips"  # in the ``attrs`` of the table: how many clips were drawn
PUBLISHED: Mapping[str, float] = {  # accuracy that E004 printed
    **{"lda": 0.4282, "ridge": 0.4274, "linear_svm": 0.4183, "lightgbm": 0.4183, "xgboost": 0.4176},
    **{"hist_boosting": 0.4092, "knn": 0.4001, "extra_trees": 0.3816, "forest": 0.3772, "logistic": 0.3673},
    **{"naive_bayes": 0.3124, "adaboost": 0.3037, "tree": 0.2914, "qda": 0.2376, "dummy": 0.2297},
}
COLUMNS = ["model", "published", "accuracy", "accuracy_sd", "new_speakers", "auc", "kappa", "mcc", "fit_s"]


def table(study: Study) -> pd.DataFrame:
    """Accuracy of every compared model, beside the published one; cached. Empty if off or without the recordings.

    Returns
    -------
    Columns ``COLUMNS``, best first; ``accuracy``, ``auc``, ``kappa`` and ``mcc`` in random folds like E004's,
    ``new_speakers`` the accuracy in folds that keep speakers whole, ``fit_s`` s a fit on one thread.
    ``attrs[CLIPS]``: the number of clips.
    """
    config, store, part = study.config, study.store, None
    if config.ablations.automl:
        part = load_baseline_selection(BASELINE.split, config, store)
    if part is None:
        return pd.DataFrame(columns=COLUMNS)
    truth, speaker = drawn(part, study)
    cache_key = {
        "clips": [part.digest, settings.fingerprint(list(truth.index))],
        "features": features.get(FEATURE).settings(config),
        "models": config.models,
        "settings": [BASELINE.scheme, COMPONENTS_004, list(PUBLISHED), N_FOLDS, config.seed],
        "version": VERSION,
        "libraries": features.get(FEATURE).made_with(config) | versions(_libraries()),
    }
    scores = store.cached("ablations/automl", cache_key, lambda: _compared(part, truth, speaker, study))
    compared = scores.assign(published=scores["model"].map(PUBLISHED))[COLUMNS]
    compared.attrs[CLIPS] = len(truth)
    return compared


def _libraries() -> list[str]:
    return ["scikit-learn"] + [name for model in PUBLISHED for name in registry.get(model).libraries]


def published_corpora() -> list[str]:
    """Corpora of E004's list."""
    return list(splits.LISTS[splits.RECIPES[BASELINE.split].published].corpora)


def drawn(part: Selection, study: Study) -> tuple[pd.Series, pd.Series]:
    """Classes and speakers of the drawn training clips, indexed by ``clip_id``; no test clip is among them."""
    published = splits.RECIPES[BASELINE.split].published
    folds = splits.fixed(part.clips, published, folder=study.store.project / "data" / "folds")
    train = folds.loc[folds["role"] == "train", "clip_id"]
    truth = classes_of(part, BASELINE.scheme)
    truth = truth[truth.index.isin(train)]
    random_state = settings.random_state(study.config, "automl")
    truth = truth.sample(min(N_CLIPS, len(truth)), random_state=random_state).sort_index()
    return truth, part.clips.set_index("clip_id")["speaker"].loc[truth.index]


def _compared(part: Selection, truth: pd.Series, speaker: pd.Series, study: Study) -> pd.DataFrame:
    clips = part.clips[part.clips["clip_id"].isin(truth.index)]
    config = study.config
    values = components(features.load(FEATURE, clips, config=config, store=study.store), config)
    truth = truth[truth.index.isin(values.clip_id)]
    seed = settings.random_state(config, "automl")
    options = {"models": config.models, "seed": seed, "names": tuple(PUBLISHED), "search": False}
    random, new_speakers = (
        comparison.compare_models(
            values, truth, comparison.cross_validation(truth, n_folds=N_FOLDS, seed=seed, groups=groups), **options
        ).set_index("model")
        for groups in (None, speaker.loc[truth.index])
    )
    both = random.assign(new_speakers=new_speakers["accuracy"]).reset_index()
    return both.sort_values("accuracy", ascending=False, kind="stable", ignore_index=True)


def components(maps: FeatureSet, config: Config) -> FeatureSet:
    """Principal components of the maps of all clips, (n, 435)."""
    scaled = classical.preparation(registry.get("lda")).fit_transform(maps.values)
    reduced = CappedPCA(COMPONENTS_004, settings.random_state(config, "automl")).fit(scaled).transform(scaled)
    return FeatureSet(f"{maps.name}_components", maps.clip_id, maps.variant, reduced.astype("float32"))
