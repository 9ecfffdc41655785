"""Song and speech of the same actors: what is trained on, and that no scored actor is in training."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ser_study import config as settings
from ser_study import schema
from ser_study.chapters.ablations import channels, sentences
from ser_study.experiments.experiment import Experiment
from ser_study.experiments.folds import folds_of
from ser_study.experiments.selections import Selection, classes_of, joined
from ser_study.study import Study

CONFIG = settings.load("full", {"evaluation.n_bootstrap": 200, "evaluation.n_permutations": 200})
SPEECH, SONG = channels.CHANNELS
SUNG = ("neutral", "calm", "happy", "sad", "angry", "fearful")


def part(channel: str, emotions: tuple[str, ...], n_speakers: int = 12) -> Selection:
    rows = [
        {"speaker": f"ravdess/{who:02d}", "emotion": emotion, "statement": f"{channel}{i}", "channel": channel}
        for who in range(n_speakers)
        for emotion in emotions
        for i in range(2)
    ]
    clips = pd.DataFrame(rows).assign(corpus="ravdess", gender="female", session=None)
    clips["clip_id"] = [f"ravdess/{channel}_{number:03d}" for number in range(len(clips))]
    clips["take"] = clips["sha256"] = clips["clip_id"]
    clips = clips.reindex(columns=list(schema.CLIP_COLUMNS))
    return Selection(f"ravdess-{channel}", clips, clips.iloc[:0])


@pytest.fixture(scope="module")
def selections() -> dict[str, Selection]:
    return {SPEECH: part("speech", (*SUNG, "disgust", "surprised")), SONG: part("song", SUNG, n_speakers=11)}


def folds(one: Experiment, selections, store) -> tuple[pd.DataFrame, pd.DataFrame]:
    both = joined(selections[one.selection], [selections[name] for name in one.sources])
    truth = classes_of(both, one.scheme)
    return both.clips, folds_of(one, both, truth, CONFIG, store, 0)


@pytest.mark.parametrize("sources", [(SPEECH,), (SONG,), (SPEECH, SONG)])
def test_training_speakers_come_in_the_named_channels_and_no_other_speaker_does(sources, selections, store):
    one = Experiment(SPEECH, "speaker_independent", "means180", "logistic", channels.SCHEME, sources)
    clips, made = folds(one, selections, store)
    of = clips.set_index("clip_id")
    speaker, channel = made["clip_id"].map(of["speaker"]), "ravdess-" + made["clip_id"].map(of["channel"])
    assert set(made["clip_id"].map(of["emotion"])) == set(SUNG)
    for _, rows in made.groupby("fold"):
        by_role = {role: set(speaker[part.index]) for role, part in rows.groupby("role")}
        assert not by_role["train"] & (by_role["test"] | by_role["validation"])
        assert set(channel[rows.index[rows["role"] == "train"]]) == set(sources)
        assert set(channel[rows.index[rows["role"] != "train"]]) == {SPEECH}
    tested = made[made["role"] == "test"]["clip_id"]
    assert tested.is_unique
    assert len(tested) == 12 * 6 * 2


def test_what_is_scored_does_not_depend_on_the_training_channel(selections, store):
    scored = []
    for sources in ((SPEECH,), (SONG,), (SPEECH, SONG)):
        one = Experiment(SPEECH, "speaker_independent", "means180", "logistic", channels.SCHEME, sources)
        made = folds(one, selections, store)[1]
        scored.append(made[made["role"] != "train"].sort_values(["fold", "clip_id"]).to_numpy().tolist())
    assert scored[0] == scored[1] == scored[2]


def test_joined_selections_hold_each_clip_once(selections):
    both = joined(selections[SPEECH], [selections[SPEECH], selections[SONG]])
    assert len(both.clips) == len(selections[SPEECH].clips) + len(selections[SONG].clips)
    assert both.clips["clip_id"].is_unique


def test_without_song_there_is_nothing_to_compare(selections, store):
    system = (("means180", "logistic"),)
    alone = Study(CONFIG, store, {SPEECH: selections[SPEECH]})
    assert channels.declared(alone) == []
    assert channels.table(alone).empty
    assert len(channels.declared(Study(CONFIG, store, selections), system)) == 6


def test_switched_off_nothing_is_predicted(selections, store):
    study = Study(settings.load("full", {"ablations.channels": False}), store, selections)
    assert channels.table(study).empty


def predicted(one: Experiment, clips: pd.DataFrame) -> pd.DataFrame:
    """Validation rows; both channels are right on 90 % of the clips, the own one on 60, the other one on 20."""
    clips = clips[clips["emotion"].isin(SUNG)]
    share = 0.9 if len(one.sources) > 1 else 0.6 if one.sources == (one.selection,) else 0.2
    right = np.arange(len(clips)) % 10 < 10 * share
    wrong = clips["emotion"].map(dict(zip(SUNG, (*SUNG[1:], SUNG[0]))))
    table = pd.DataFrame({"clip_id": clips["clip_id"], "truth": clips["emotion"], "role": "validation", "variant": 0})
    facts = {"experiment": one.name, "protocol": one.protocol, "scheme": one.scheme, "model": one.model}
    facts |= {"corpus": one.selection, "feature": one.feature, "repeat": 0, "fold": 1, "draw": 0, "seed": 0}
    table["prediction"] = np.where(right, clips["emotion"], wrong)
    return table.assign(n_train=100, leak="", params="{}", **facts)


def test_table_and_sentence_come_from_the_validation_rows(selections, store, monkeypatch):
    study = Study(CONFIG, store, selections)
    monkeypatch.setattr(
        study,
        "predict_validation",  # a comparison on validation speakers is no test-set evaluation
        lambda experiments: {one: predicted(one, selections[one.selection].clips) for one in experiments},
    )
    table = channels.table(study, (("means180", "logistic"),))
    assert list(table.columns) == list(channels.COLUMNS)
    speech = table[table["corpus"] == SPEECH].set_index("trained_on")
    assert np.isnan(speech.loc["RAVDESS speech", "difference"])
    assert speech.loc["both", "difference"] == pytest.approx(0.3, abs=0.02)
    assert speech.loc["RAVDESS song", "difference"] == pytest.approx(-0.4, abs=0.02)
    assert (speech["n"] == 144).all()
    assert (speech["n_speakers"] == 12).all()
    said = sentences.channels(table)
    assert f"{100 * speech.loc['both', 'difference']:+.1f} points" in said
    assert ".611 from its own clips, .903 from both" in said
