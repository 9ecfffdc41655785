"""Seed 004's comparison of models: which clips it may see, how they become components, and what is said of it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from test_rebuilt import names, of  # noqa: F401  (names is a fixture)

from ser_study import config as settings
from ser_study import splits
from ser_study.experiments import automl_study
from ser_study.experiments.material import Material
from ser_study.models import registry
from ser_study.schema import FeatureSet
from ser_study.store import Store, project_root

CONFIG = settings.load("full")


def test_clips_are_drawn_from_the_training_part_alone(names, store):  # noqa: F811
    clips, _ = of("004", names)
    here = Store(store.raw, store.derived, store.run, project_root())
    truth, speaker = automl_study.drawn(Material("seed-004", clips, clips.iloc[:0]), CONFIG, here)
    folds = splits.fixed(clips, splits.RECIPES["004"].published, folder=here.project / "data" / "folds")
    assert len(truth) == automl_study.N_CLIPS == 2529
    assert not set(truth.index) & set(folds.loc[folds["role"] == "test", "clip_id"])
    assert truth.nunique() == 6
    assert list(speaker.index) == list(truth.index)


def test_maps_become_435_components():
    random = np.random.default_rng(0)
    maps = random.standard_normal((450, 20, 30)).astype(np.float32)
    ids = np.array([f"c{i}" for i in range(450)])
    found = automl_study._components(FeatureSet("seed87", ids, np.zeros(450, int), maps), CONFIG)
    assert found.values.shape == (450, 435)
    spread = found.values.std(axis=0)
    assert (np.diff(spread) < 1e-3).all(), "the strongest component first"


def test_every_compared_model_is_there_and_is_no_network():
    assert len(automl_study.PUBLISHED) == 15
    assert all(registry.get(name).family != "deep" for name in automl_study.PUBLISHED)


def test_sentence_tells_the_best_of_each_column():
    shown = pd.DataFrame(
        {
            "model": ["lda", "forest", "dummy"],
            "published": [0.43, 0.38, 0.23],
            "accuracy": [0.44, 0.46, 0.22],
            "new_speakers": [0.36, 0.34, 0.21],
        }
    )
    words = automl_study.words(shown, ["ravdess-speech", "tess", "crema_d"])
    assert "Best in the seed's table is LDA (.430), best here random forest (.460), on new speakers LDA (.360)" in words
    assert "flatter by 10.0 points" in words
    assert "partly the seed's (rank correlation .500)" in words
    assert words.endswith("Not in it: JL corpus and IEMOCAP.")


@pytest.mark.parametrize("asked", [(), ("automl",)])
def test_without_recordings_there_is_no_table(asked, store):
    from ser_study.experiments import further

    config = settings.load("full", {"study.further": asked})
    assert further.automl(config=config, store=store).empty
