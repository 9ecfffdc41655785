"""E004's comparison of models: its clips, their components, the table and its sentence."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from test_rebuilt import names, of  # noqa: F401  (names is a fixture)

from ser_study import config as settings
from ser_study import splits
from ser_study.chapters.ablations import automl, sentences
from ser_study.experiments.selections import Selection
from ser_study.models import registry
from ser_study.schema import FeatureSet
from ser_study.store import Store, project_root
from ser_study.study import Study

CONFIG = settings.load("full")


def test_clips_are_drawn_from_the_training_part_alone(names, store):  # noqa: F811
    clips, _ = of("004", names)
    here = Store(store.raw, store.derived, store.run, project_root())
    truth, speaker = automl.drawn(Selection("baseline-004", clips, clips.iloc[:0]), Study(CONFIG, here))
    folds = splits.fixed(clips, splits.RECIPES["004"].published, folder=here.project / "data" / "folds")
    assert len(truth) == automl.N_CLIPS == 2529
    assert not set(truth.index) & set(folds.loc[folds["role"] == "test", "clip_id"])
    assert truth.nunique() == 6
    assert list(speaker.index) == list(truth.index)


def test_maps_become_435_components():
    random = np.random.default_rng(0)
    maps = random.standard_normal((450, 20, 30)).astype(np.float32)
    ids = np.array([f"c{i}" for i in range(450)])
    values = automl.components(FeatureSet("log_mel87", ids, np.zeros(450, int), maps), CONFIG).values
    assert values.shape == (450, 435)
    spread = values.std(axis=0)
    assert (np.diff(spread) < 1e-3).all(), "the strongest component first"


def test_every_compared_model_is_there_and_is_no_network():
    assert len(automl.PUBLISHED) == 15
    assert all(registry.get(name).family != "deep" for name in automl.PUBLISHED)


def test_sentence_names_the_best_model_of_each_column():
    shown = pd.DataFrame(
        {
            "model": ["lda", "forest", "logistic", "knn", "dummy"],
            "published": [0.43, 0.38, 0.35, 0.30, 0.23],
            "accuracy": [0.44, 0.46, 0.42, 0.30, 0.22],
            "new_speakers": [0.36, 0.34, 0.33, 0.25, 0.21],
        }
    )
    said = sentences.automl(shown, ["ravdess-speech", "tess", "crema_d"])
    best = ("LDA in E004's own table (.430)", "random forest here (.460)", "LDA on new speakers (.360)")
    assert all(part in said for part in best)
    assert " 8.5 points" in said
    assert (
        "the order of the 4 models agrees with E004's no more than by chance (rank correlation .800, p = .200)" in said
    )
    assert said.endswith("JL corpus and IEMOCAP.")
    shown.attrs[automl.CLIPS] = 2529
    assert "random forest here on 2,529 clips (.460)" in sentences.automl(shown, [])


@pytest.mark.parametrize("is_on", [False, True])
def test_without_recordings_there_is_no_table(is_on, store):
    study = Study(settings.load("full", {"ablations.automl": is_on}), store)
    assert automl.table(study).empty
