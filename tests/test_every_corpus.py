"""Every loader's corpus, alone and beside another, with few speakers and few clips, through all chapters."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import chapter_cells
import pandas as pd
import pytest
import small_corpora
from small_corpora import EMOTIONS, PLAN

from ser_study.chapters.networks import declare
from ser_study.chapters.networks import tables as networks
from ser_study.models import deep
from ser_study.report import exhibits

ONE_OF = [{emotion: 1} for emotion in EMOTIONS]
CASES = {  # name → the corpora of the data folder: loader, speakers, what they say, options of the loader
    "ravdess": [("ravdess", 5)],
    "tess, one actress": [("tess", 1)],
    "tess": [("tess", 2)],
    "savee": [("savee", 4)],
    "crema_d, classes of one and two clips": [("crema_d", 5, {"angry": 3, "sad": 2, "happy": 1})],
    "iemocap": [("iemocap", 3)],
    "emodb, one clip of a class": [("emodb", 5, {"angry": 3, "sad": 3, "happy": 1})],
    "jl": [("jl", 3)],
    "own, nobody named": [("own", 0, PLAN, {"n_unnamed": 3})],
    "own, one speaker": [("own", 1)],
    "own, two speakers": [("own", 2)],
    "own, some named": [("own", 3, PLAN, {"n_unnamed": 2})],
    "own, one clip a speaker": [("own", 12, ONE_OF)],
    "own, speakers who say one thing": [("own", 20, [{emotion: 2} for emotion in EMOTIONS])],
    "own, an emotion a speaker": [("own", 4, [{emotion: 6} for emotion in EMOTIONS])],
    "iemocap beside savee": [("iemocap", 5), ("savee", 2)],
    "own, nobody named, beside jl": [("own", 0, PLAN, {"n_unnamed": 3}), ("jl", 3)],
    "tess beside one speaker": [("tess", 2), ("own", 1)],
    "crema_d beside emodb": [("crema_d", 2), ("emodb", 3)],
    "ravdess beside one emotion": [("ravdess", 3), ("own", 2, {"angry": 4})],
}


@pytest.fixture
def light(monkeypatch):
    """Networks of one layer, and figures that are composed but not drawn; other tests train and draw."""

    def one_layer(shape, n_classes, params):
        import keras

        return keras.Sequential([keras.Input(shape), keras.layers.Flatten(), keras.layers.Dense(n_classes)])

    for _, name in declare.SMALL:
        monkeypatch.setitem(deep.NETWORKS, name, dataclasses.replace(deep.get(name), make=one_layer))
    monkeypatch.setattr(networks, "_count", lambda name: 1)  # five large networks, built to be counted
    monkeypatch.setattr(exhibits, "_saved", lambda fig, name, folder: '<svg width="1pt"></svg>')


def tree(raw: Path, parts) -> Path:
    """The data folder of a case."""
    for loader, n_speakers, *rest in parts:
        plan, options = rest[0] if rest else PLAN, rest[1] if len(rest) > 1 else {}
        small_corpora.MAKERS[loader](raw / loader, n_speakers, plan, **options)
    return raw


@pytest.mark.parametrize("parts", CASES.values(), ids=CASES)
def test_all_chapters_end_well_and_say_what_is_left_out(parts, tmp_path, light):
    ends = chapter_cells.run(tree(tmp_path / "raw", parts), tmp_path)
    assert not {page: error for page, error in ends.items() if error}
    (run,) = (tmp_path / "reports").glob("quick*")
    counts = pd.read_csv(run / "tables" / "corpora.csv").set_index("corpus")
    left_out = pd.read_csv(run / "tables" / "left_out.csv").fillna("")
    scores = pd.read_csv(run / "tables" / "scores.csv")
    for selection in counts.index:  # what has no score on new speakers is listed with its reason
        own = scores[(scores["corpus"] == selection) & (scores["protocol"] == "speaker_independent")]
        reasons = left_out[(left_out["corpus"] == selection) & (left_out["protocol"] == "new speakers")]
        assert len(own) or len(reasons) == 1, selection
    assert left_out["reason"].str.len().gt(20).all()
