"""Seed 004's automatic comparison of models, replayed where it does no harm, and the same models on new speakers.

The seed compared its models by cross-validation on its *test* clips, and tuned and bagged the winner there. Here as
many clips are drawn from the training part of its list, so nothing of the test is seen. As there, log-mel values are
brought to 435 principal components of all these clips, without their labels, and no hyperparameter is chosen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import version

import pandas as pd

from ser_study import config as settings
from ser_study import corpora, features, splits
from ser_study.config import Config
from ser_study.experiments import league_times
from ser_study.experiments import material as materials
from ser_study.experiments.material import Material
from ser_study.models import classical, registry
from ser_study.models.seed_models import COMPONENTS_004
from ser_study.models.zoo import CappedPCA
from ser_study.schema import FeatureSet
from ser_study.store import Store
from ser_study.words import listed, share, word

VERSION = 1  # rises when folds or scores give other numbers
SYSTEM, FEATURE, SCHEME = "004", "seed87", "6"
N_CLIPS, N_FOLDS = 2529, 5  # clips that the seed compared its models on; it dealt them into ten folds
PUBLISHED: Mapping[str, float] = {  # accuracy that the seed printed; histogram boosting stands for gradient boosting
    **{"lda": 0.4282, "ridge": 0.4274, "linear_svm": 0.4183, "lightgbm": 0.4183, "xgboost": 0.4176},
    **{"hist_boosting": 0.4092, "knn": 0.4001, "extra_trees": 0.3816, "forest": 0.3772, "logistic": 0.3673},
    **{"naive_bayes": 0.3124, "adaboost": 0.3037, "tree": 0.2914, "qda": 0.2376, "dummy": 0.2297},
}
COLUMNS = ["model", "published", "accuracy", "accuracy_sd", "new_speakers", "auc", "kappa", "mcc", "fit_s"]
LABELS = {"accuracy_sd": "sd over folds", "new_speakers": "new speakers", "auc": "AUC", "mcc": "MCC", "fit_s": "fit, s"}


def table(*, config: Config, store: Store) -> pd.DataFrame:
    """Accuracy of every compared model, their published one beside it; kept. Empty without the recordings.

    Returns
    -------
    Columns ``COLUMNS``, best first; ``accuracy``, ``auc``, ``kappa`` and ``mcc`` in random folds as the seed's,
    ``new_speakers`` the accuracy in folds that keep speakers whole, ``fit_s`` s a fit on one thread.
    """
    material = materials.gather_seed(SYSTEM, config, store)
    if material is None:
        return pd.DataFrame(columns=COLUMNS)
    truth, speaker = drawn(material, config, store)
    parts = {
        "clips": [material.digest, settings.fingerprint(list(truth.index))],
        "features": features.get(FEATURE).settings(config),
        "models": config.models,
        "settings": [SCHEME, COMPONENTS_004, list(PUBLISHED), N_FOLDS, config.seed],
        "versions": [VERSION, *map(version, sorted({"scikit-learn", *_libraries()}))],
    }
    kept = store.cached("times/automl_004", parts, lambda: _compared(material, truth, speaker, config, store))
    return kept.assign(published=kept["model"].map(PUBLISHED))[COLUMNS]


def _libraries() -> list[str]:
    return [name for model in PUBLISHED for name in registry.get(model).libraries]


def words(shown: pd.DataFrame, selections: Iterable[str]) -> str:
    """The best model there, here and on new speakers, and what random folds flatter by.

    Parameters
    ----------
    shown : from :func:`table`
    selections : those of this run; the seed had five corpora
    """
    here = {corpora.corpus_of(name) for name in selections}
    listable = splits.LISTS[splits.RECIPES[SYSTEM].published].corpora
    # its list knows IEMOCAP's clips by a place in another list only, so they are never in this comparison
    missing = [word(name) for name in listable if name not in here] + [word("iemocap")]
    theirs, ours = shown.loc[shown["published"].idxmax()], shown.loc[shown["accuracy"].idxmax()]
    honest = shown.loc[shown["new_speakers"].idxmax()]
    able = shown[shown["model"] != "dummy"]
    gap = 100 * (able["accuracy"] - able["new_speakers"]).mean()
    agree = shown["published"].corr(shown["accuracy"], method="spearman")
    return (
        f"Best in the seed's table is {word(theirs['model'])} ({share(theirs['published'])}), best here "
        f"{word(ours['model'])} ({share(ours['accuracy'])}), on new speakers {word(honest['model'])} "
        f"({share(honest['new_speakers'])}). Random folds flatter by {gap:.1f} points on average; the order of the "
        f"models is {'much' if agree > 0.7 else 'partly' if agree > 0.3 else 'not'} the seed's (rank correlation "
        f"{share(agree)}). The components were found on all of these clips, as there, those of new speakers included."
        f" Not in it: {listed(missing)}."
    )


def drawn(material: Material, config: Config, store: Store) -> tuple[pd.Series, pd.Series]:
    """Classes and speakers of the drawn training clips, indexed by ``clip_id``; no test clip is among them."""
    published = splits.RECIPES[SYSTEM].published
    folds = splits.fixed(material.clips, published, folder=store.project / "data" / "folds")
    train = folds.loc[folds["role"] == "train", "clip_id"]
    truth = materials.classes_of(material, SCHEME)
    truth = truth[truth.index.isin(train)]
    truth = truth.sample(min(N_CLIPS, len(truth)), random_state=settings.random_state(config, "automl")).sort_index()
    return truth, material.clips.set_index("clip_id")["speaker"].loc[truth.index]


def _compared(material: Material, truth: pd.Series, speaker: pd.Series, config: Config, store: Store) -> pd.DataFrame:
    clips = material.clips[material.clips["clip_id"].isin(truth.index)]
    values = _components(features.load(FEATURE, clips, config=config, store=store), config)
    truth = truth[truth.index.isin(values.clip_id)]
    seed = settings.random_state(config, "automl")
    found = []
    for groups in (None, speaker.loc[truth.index]):
        folds = league_times.cross_validation(truth, n_folds=N_FOLDS, seed=seed, groups=groups)
        found.append(
            league_times.league_times(
                values, truth, folds, models=config.models, seed=seed, names=tuple(PUBLISHED), search=False
            ).set_index("model")
        )
    random, apart = found
    both = random.assign(new_speakers=apart["accuracy"]).reset_index()
    return both.sort_values("accuracy", ascending=False, kind="stable", ignore_index=True)


def _components(found: FeatureSet, config: Config) -> FeatureSet:
    """Principal components of all clips, (n, 435)."""
    scaled = classical.preparation(registry.get("lda")).fit_transform(found.values)
    reduced = CappedPCA(COMPONENTS_004, settings.random_state(config, "automl")).fit(scaled).transform(scaled)
    return FeatureSet(f"{found.name}_components", found.clip_id, found.variant, reduced.astype("float32"))
