"""Song and speech of the same voices: whose clips teach, and that no scored voice was heard in either channel."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ser_study import config as settings
from ser_study import schema
from ser_study.experiments import channel_study, run
from ser_study.experiments import material as materials
from ser_study.experiments.declare import Experiment
from ser_study.experiments.material import Material

CONFIG = settings.load("full", {"evaluation.n_bootstrap": 200, "evaluation.n_permutations": 200})
SPEECH, SONG = channel_study.CHANNELS
SUNG = ("neutral", "calm", "happy", "sad", "angry", "fearful")


def part(channel: str, emotions: tuple[str, ...], n_speakers: int = 12) -> Material:
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
    return Material(f"ravdess-{channel}", clips, clips.iloc[:0])


@pytest.fixture(scope="module")
def gathered() -> dict[str, Material]:
    return {SPEECH: part("speech", (*SUNG, "disgust", "surprised")), SONG: part("song", SUNG, n_speakers=11)}


def folds(one: Experiment, gathered, store) -> tuple[pd.DataFrame, pd.DataFrame]:
    both = materials.together(gathered[one.selection], [gathered[name] for name in one.sources])
    truth = materials.classes_of(both, one.scheme)
    return both.clips, materials.folds_of(one, both, truth, CONFIG, store, 0)


@pytest.mark.parametrize("sources", [(SPEECH,), (SONG,), (SPEECH, SONG)])
def test_training_voices_are_heard_in_the_named_channels_and_no_other_voice_is(sources, gathered, store):
    one = Experiment(SPEECH, "speaker_independent", "seed180", "logistic", channel_study.SCHEME, sources)
    clips, made = folds(one, gathered, store)
    of = clips.set_index("clip_id")
    speaker, channel = made["clip_id"].map(of["speaker"]), "ravdess-" + made["clip_id"].map(of["channel"])
    assert set(made["clip_id"].map(of["emotion"])) == set(SUNG)
    for _, rows in made.groupby("fold"):
        by_role = {role: set(speaker[part.index]) for role, part in rows.groupby("role")}
        assert not by_role["train"] & (by_role["test"] | by_role["valid"])
        assert set(channel[rows.index[rows["role"] == "train"]]) == set(sources)
        assert set(channel[rows.index[rows["role"] != "train"]]) == {SPEECH}
    tested = made[made["role"] == "test"]["clip_id"]
    assert tested.is_unique
    assert len(tested) == 12 * 6 * 2


def test_what_is_scored_does_not_depend_on_what_taught(gathered, store):
    scored = []
    for sources in ((SPEECH,), (SONG,), (SPEECH, SONG)):
        one = Experiment(SPEECH, "speaker_independent", "seed180", "logistic", channel_study.SCHEME, sources)
        made = folds(one, gathered, store)[1]
        scored.append(made[made["role"] != "train"].sort_values(["fold", "clip_id"]).to_numpy().tolist())
    assert scored[0] == scored[1] == scored[2]


def test_a_clip_given_twice_is_there_once(gathered):
    both = materials.together(gathered[SPEECH], [gathered[SPEECH], gathered[SONG]])
    assert len(both.clips) == len(gathered[SPEECH].clips) + len(gathered[SONG].clips)
    assert both.clips["clip_id"].is_unique


def test_without_song_there_is_nothing_to_compare(gathered):
    assert channel_study.declared({SPEECH: gathered[SPEECH]}) == []
    assert len(channel_study.declared(gathered, (("seed180", "logistic"),))) == 6


def test_table_and_sentence_come_from_the_valid_rows(gathered, store, monkeypatch):
    def answers(declared, gathered, *, config, store, look):
        assert look is False, "a comparison on valid speakers is no look at the test"
        return {one: told(one) for one in declared}

    def told(one: Experiment) -> pd.DataFrame:
        clips = gathered[one.selection].clips
        clips = clips[clips["emotion"].isin(SUNG)]
        share = 0.9 if len(one.sources) > 1 else 0.6 if one.sources == (one.selection,) else 0.2
        hit = np.arange(len(clips)) % 10 < 10 * share
        wrong = clips["emotion"].map(dict(zip(SUNG, (*SUNG[1:], SUNG[0]))))
        table = pd.DataFrame({"clip_id": clips["clip_id"], "truth": clips["emotion"], "role": "valid", "variant": 0})
        facts = {"experiment": one.name, "protocol": one.protocol, "scheme": one.scheme, "model": one.model}
        facts |= {"corpus": one.selection, "feature": one.feature, "repeat": 0, "fold": 1, "draw": 0, "seed": 0}
        table["prediction"] = np.where(hit, clips["emotion"], wrong)
        return table.assign(n_train=100, leak="", params="{}", **facts)

    monkeypatch.setattr(run, "answers", answers)
    shown = channel_study.table(
        channel_study.declared(gathered, (("seed180", "logistic"),)), gathered, config=CONFIG, store=store
    )
    assert list(shown.columns) == list(channel_study.COLUMNS)
    speech = shown[shown["corpus"] == SPEECH].set_index("trained_on")
    assert np.isnan(speech.loc["RAVDESS speech", "difference"])
    assert speech.loc["both", "difference"] == pytest.approx(0.3, abs=0.02)
    assert speech.loc["RAVDESS song", "difference"] == pytest.approx(-0.4, abs=0.02)
    assert (speech["n"] == 144).all()
    assert (speech["n_speakers"] == 12).all()
    told_points = f"{100 * speech.loc['both', 'difference']:.1f} points"
    assert f"RAVDESS speech with 180 means: .611 from its own clips, .903 from both ({told_points}" in (
        channel_study.words(shown)
    )
