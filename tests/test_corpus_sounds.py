"""Recordings to look at and classic descriptors: which are chosen, what is measured, what is said of it."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ser_study import config as settings
from ser_study import schema
from ser_study.audio import prepare
from ser_study.chapters.corpus import sound_text, sounds, tables
from ser_study.features.inspection import analysis_of
from ser_study.store import Store
from ser_study.study import Study

SMALL = replace(
    settings.load("demo", {"run.jobs": 1}), synthetic=settings.Synthetic(n_speakers=2, n_statements=2, n_repetitions=1)
)


def random(*purpose: int) -> np.random.Generator:
    return np.random.default_rng([13, *purpose])


def clips_of(rows: list[dict]) -> pd.DataFrame:
    table = pd.DataFrame(rows).reindex(columns=list(schema.CLIP_COLUMNS)).assign(corpus="own", duration=1.0)
    table["clip_id"] = [f"own/{i:03d}" for i in range(len(table))]
    table["path"] = table["sha256"] = table["clip_id"]
    return schema.check_clips(table)


def acted(*, genders: tuple = ("female", "male"), statements: tuple = ("own/s1", "own/s2"),
          levels: tuple = ("low", "high")) -> pd.DataFrame:  # fmt: skip
    """Two people a gender, two emotions at each level (neutral at none), each sentence said by everybody."""
    rows = [
        {"speaker": f"own/{gender}{i}", "gender": gender, "emotion": emotion, "statement": said, "intensity": level}
        for gender in genders
        for i in (1, 2)
        for said in statements
        for emotion in ("neutral", "happy", "sad")
        for level in (levels if emotion != "neutral" else (None,))
    ]
    return clips_of(rows)


def pitched(clips: pd.DataFrame) -> pd.DataFrame:
    """Prosody with an F0 a clip; women twice as high as men."""
    base = np.where(clips["gender"] == "female", 220.0, 110.0)
    return clips[["clip_id"]].assign(f0_hz=base * 2 ** random(1).normal(0, 0.2, len(clips)))


def tone(peak: float, seconds: float, **facts) -> dict:
    signal = np.full(int(seconds * 16_000), peak)
    known = {"corpus": "own", "speaker": "own/a", "statement": "own/s1", "intensity": None}
    return {**known, "signal": signal, "sample_rate": 16_000, **facts}


def numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"\b\d+\b", text)]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The small synthetic corpus: study, clips and prosody."""
    folder = tmp_path_factory.mktemp("made")
    study = Study(SMALL, Store(folder / "raw", folder / "derived", folder / "run", folder))
    clips = tables.load_clips(study, "synthetic")
    return study, clips, tables.prosody(study, clips)


def test_examples_are_one_voice_at_its_strongest(made):
    study, clips, _ = made
    items = sounds.examples(study, clips)
    assert [item["emotion"] for item in items] == tables.emotions_of(clips)
    assert len({item["speaker"] for item in items}) == 1
    assert len({item["statement"] for item in items}) == 1
    assert {item["intensity"] for item in items if item["emotion"] != "neutral"} == {"strong"}
    again = sounds.examples(study, clips.sample(frac=1, random_state=3))
    assert [item["name"] for item in again] == [item["name"] for item in items]
    title = sound_text.examples(items, "").alt
    assert f"Speaker {items[0]['speaker'][-2:]} in {len(items)} emotions, one sentence" in title


def test_recordings_are_the_clips_as_features_see_them(made):
    study, clips, _ = made
    for item in sounds.examples(study, clips):
        assert item["path"].is_absolute()
        assert item["path"].is_file()
        assert item["name"] == item["path"].stem
        assert np.array_equal(item["signal"], prepare.load(item["path"], SMALL.audio))
        n_frames = len(item["time"])
        assert item["mel_db"].shape == (n_frames, len(item["mel_hz"])) == (n_frames, SMALL.frames.n_mels)
        assert len(item["envelope"]) == len(item["f0_hz"]) == n_frames
        between = np.interp(np.arange(len(item["signal"])) / item["sample_rate"], item["time"], item["envelope"])
        assert (between >= np.abs(item["signal"]) - 1e-6).all()


def test_examples_prefer_the_speaker_with_most_emotions_and_the_strongest():
    clips = acted(levels=("low", "medium", "high"))
    lacking = (clips["speaker"] != "own/male2") & (clips["emotion"] == "sad")
    chosen = sounds._example_clips(clips[~lacking])
    assert chosen["emotion"].tolist() == ["neutral", "happy", "sad"]
    assert set(chosen["speaker"]) == {"own/male2"}
    assert chosen.loc[["happy", "sad"], "intensity"].tolist() == ["high", "high"]


def test_examples_without_speakers_or_of_sung_clips():
    bare = clips_of([{"emotion": "sad"}, {"emotion": "angry"}, {"emotion": "sad"}])
    assert sounds._example_clips(bare)["clip_id"].tolist() == ["own/000", "own/001"]
    sung = clips_of([{"emotion": "sad", "channel": "song"}, {"emotion": "sad", "channel": "speech"}])
    assert sounds._example_clips(sung)["clip_id"].tolist() == ["own/001"]


def test_each_emotion_is_shown_at_each_intensity_by_one_voice(made):
    study, clips, _ = made
    items = sounds.by_intensity(study, clips)
    pairs = [(item["emotion"], item["intensity"]) for item in items]
    known = set(zip(clips["emotion"], clips["intensity"]))
    assert set(pairs) == known
    assert len(pairs) == len(known)
    assert pairs[:3] == [("neutral", "normal"), ("happy", "normal"), ("happy", "strong")]
    assert len({item["speaker"] for item in items}) == len({item["statement"] for item in items}) == 1
    title = sound_text.by_intensity_title(items)
    assert title.startswith("Speaker 01, one sentence: at strong intensity")
    assert title in sound_text.by_intensity(items, "").alt


def test_the_fullest_speaker_and_sentence_are_chosen():
    clips = acted()
    gaps = (clips["speaker"] != "own/male2") & ((clips["intensity"] == "high") | (clips["statement"] == "own/s1"))
    chosen = sounds._each_intensity(clips[~gaps])
    assert set(chosen["speaker"]) == {"own/male2"}
    assert chosen["emotion"].tolist() == ["neutral", "happy", "happy", "sad", "sad"]
    assert chosen["intensity"].fillna("").tolist() == ["", "low", "high", "low", "high"]
    both = pd.concat([clips, clips.assign(intensity=None, clip_id=clips["clip_id"] + "x")])
    assert len(sounds._each_intensity(both)) == 5  # an unknown intensity only where no other is known


def test_without_intensities_or_shared_sentences_there_is_still_a_clip_an_emotion():
    flat = sounds._each_intensity(acted(levels=(None,)))
    assert flat["emotion"].tolist() == ["neutral", "happy", "sad"]
    own = clips_of([{"speaker": "own/a", "statement": f"own/{i}", "emotion": name}
                    for i, name in enumerate(("sad", "happy", "neutral", "angry", "angry"))])  # fmt: skip
    assert sounds._each_intensity(own)["emotion"].tolist() == ["neutral", "happy", "sad", "angry"]
    assert len(sounds._each_intensity(own.assign(speaker=None, statement=None))) == 4
    sung = acted().assign(channel="song")
    sung.loc[sung["speaker"] == "own/male2", "channel"] = "speech"
    assert set(sounds._each_intensity(sung)["speaker"]) == {"own/male2"}


def test_a_pair_is_a_woman_and_a_man_alike_in_all_but_voice(made):
    study, clips, prosody = made
    woman, man = sounds.pair(study, clips, prosody)
    assert (woman["gender"], man["gender"]) == ("female", "male")
    for name in ("emotion", "statement", "intensity"):
        assert woman[name] == man[name]
    assert (woman["emotion"], woman["intensity"]) == ("happy", "strong")
    for item in (woman, man):
        assert len(item["f0_hz"]) == len(item["time"]) == len(item["envelope"])
        hertz = prosody.set_index("clip_id").loc[f"synthetic/{item['name']}", "f0_hz"]
        assert np.nanmedian(item["f0_hz"]) == pytest.approx(hertz, rel=0.02)
    loud = clips.loc[clips["intensity"] == "strong", "clip_id"]
    here = prosody[prosody["clip_id"].isin(loud) & (prosody["emotion"] == "happy") & (prosody["gender"] == "female")]
    usual = here["f0_hz"].median()
    assert woman["usual_hz"] == pytest.approx(usual)
    caption = sound_text.pair([woman, man], clips, "")
    assert f"the median pitch of happy speech at the strongest intensity ({usual:.0f} Hz for women" in caption.finding
    apart = 12 * np.log2(np.nanmedian(woman["f0_hz"]) / np.nanmedian(man["f0_hz"]))
    assert f"{apart:.1f} semitones apart" in sound_text.pair_title([woman, man])


def test_the_pair_is_nearest_to_the_usual_pitch_of_its_sex():
    clips = acted()
    prosody = pitched(clips)
    chosen = sounds._woman_and_man(clips, prosody)
    happy = clips.merge(prosody, on="clip_id").query("emotion == 'happy'")
    strong = happy.query("intensity == 'high'")
    away = np.log2(strong["f0_hz"] / strong.groupby("gender")["f0_hz"].transform("median")).abs()
    strong = strong.assign(away=away)
    sums = strong.groupby(["statement", "gender"])["away"].min().groupby("statement").sum()
    assert chosen["away"].sum() == pytest.approx(sums.min())
    assert set(chosen["intensity"]) == {"high"}
    assert set(chosen["statement"]) == {sums.idxmin()}


def test_a_pair_without_a_shared_sentence_or_without_one_sex():
    clips = acted()
    apart = clips[(clips["gender"] == "female") == (clips["statement"] == "own/s1")]
    chosen = sounds._woman_and_man(apart, pitched(apart))
    assert chosen["gender"].tolist() == ["female", "male"]
    assert chosen["statement"].nunique() == 2
    assert chosen["intensity"].nunique() == 1
    for few, reason in (
        (acted(genders=("female",)), "no man here, only 2 women"),
        (acted(genders=("male",)).query("speaker == 'own/male1'"), "no woman here, only 1 man"),
        (acted().assign(gender=None), "sex of the speakers is not known"),
        (acted().query("(gender == 'female') == (emotion == 'sad')"), "No emotion is acted"),
    ):
        assert sounds._woman_and_man(few, pitched(few)).empty
        assert sounds.pair(Study(SMALL, None), few, pitched(few)) == []
        assert reason in sound_text.pair([], few, "").empty
    assert sound_text.pair([], few, "a pack only").empty == "a pack only"


def test_words_about_intensity_count_what_they_say():
    items = [tone(0.1, 1.0, emotion="neutral", intensity=None)]
    for emotion, weak, strong, longer in (("happy", 0.1, 0.4, 1.5), ("sad", 0.1, 0.05, 0.5), ("angry", 0.1, 0.2, 1.5)):
        items += [tone(weak, 1.0, emotion=emotion, intensity="low"), tone(0.15, 1, emotion=emotion, intensity="medium")]
        items += [tone(strong, longer, emotion=emotion, intensity="high")]
    title, finding = sound_text.by_intensity_title(items), sound_text.by_intensity(items, "").finding
    assert "6 dB higher than at low intensity" in title
    assert "median of 3 emotions" in title
    assert numbers(finding) == [2, 3, 2, 12], "peak rises in 2 of 3, longer in 2, most by 12 dB"
    assert "most in happy: 12 dB higher" in finding
    assert "Neutral cannot be compared" in finding
    flat = [{**item, "intensity": None} for item in items[:1]]
    assert not numbers(sound_text.by_intensity(flat, "").finding)
    assert sound_text.by_intensity_title(flat) == "Speaker a in one emotion, neutral"


def test_words_about_a_pair_say_nothing_of_what_is_not_shared():
    woman = tone(0.1, 1.0, emotion="sad", f0_hz=np.array([200, np.nan, 220]), usual_hz=205.0)
    man = tone(0.2, 1.0, emotion="sad", f0_hz=np.array([105, np.nan, 105]), usual_hz=104.0)
    finding = sound_text.pair([woman, man], acted(), "").finding
    assert "the same sentence; of all" in finding
    assert "peaks 6 dB lower and takes as long" in finding
    other = sound_text.pair([woman, {**man, "statement": "own/s2"}], acted(), "").finding
    assert "the same" not in other
    assert sound_text.pair_title([woman, man]).endswith("(median F0): 12.0 semitones apart")


def test_descriptors_are_means_of_features_that_the_study_has(made):
    study, clips, _ = made
    table = sounds.descriptors(study, clips)
    assert list(table.columns) == ["corpus", "emotion", "speaker", *sounds.DESCRIPTORS]
    assert len(table) == len(clips)
    analysis = analysis_of(clips.iloc[0].to_dict(), config=SMALL, store=study.store)
    assert table["centroid_mean"].iloc[0] == pytest.approx(analysis.centroid.mean(), rel=1e-5)
    assert table["mfcc_02_mean"].iloc[0] == pytest.approx(analysis.mfcc[:, 2].mean(), rel=1e-4)
    poor = Study(replace(SMALL, benchmark=replace(SMALL.benchmark, features=("summary",))), study.store)
    less = sounds.descriptors(poor, clips)
    assert not [name for name in less if name.startswith("chroma")]
    sung = clips.assign(channel=["song"] + ["speech"] * (len(clips) - 1))
    assert len(sounds.descriptors(poor, sung)) == len(clips) - 1


def test_scaling_leaves_no_speaker_and_shares_follow_the_definition(made):
    study, clips, _ = made
    table = sounds.descriptors(study, clips)
    scaled = sounds.within_speakers(table)
    names = list(sounds.DESCRIPTORS)
    by_speaker = scaled.groupby("speaker")[names]
    assert np.allclose(by_speaker.mean(), 0)
    assert np.allclose(by_speaker.std(ddof=0), 1)
    shares = sounds.separation(table, scaled).set_index("column")
    for name in names:
        for values, column in ((table[name], "as_measured"), (scaled[name], "within_speakers")):
            between = values.groupby(table["emotion"]).transform("mean").var() / values.var()
            assert shares.loc[name, column] == pytest.approx(between, rel=1e-6)
    assert shares["within_speakers"].is_monotonic_decreasing
    top = scaled.groupby("emotion")[shares.index[0]].median()
    assert (shares["lowest"].iloc[0], shares["highest"].iloc[0]) == (top.idxmin(), top.idxmax())


def test_the_sentence_names_the_descriptor_with_the_largest_share():
    emotion = np.repeat(["sad", "happy"], 40)
    values = {name: random(2, i).normal(0, 1, 80) for i, name in enumerate(sounds.DESCRIPTORS)}
    values["rolloff_mean"] = values["rolloff_mean"] + 3 * (emotion == "happy")
    table = pd.DataFrame({"corpus": "own", "emotion": emotion, "speaker": np.tile(["own/a", "own/b"], 40), **values})
    table["mfcc_03_mean"] = 1.0  # constant: it separates nothing and must not divide by zero
    shares = sounds.separation(table, sounds.within_speakers(table))
    assert shares["descriptor"].iloc[0] == "roll-off"
    best = 100 * shares["within_speakers"].max()
    assert f"Roll-off separates the emotions most (η² {best:.0f} %)" in sound_text.descriptors_title(shares)
    assert sound_text.descriptors_title(shares).endswith("MFCC 3 least (0 %)")
    finding = sound_text.descriptors(shares, table).finding
    assert finding.startswith("Roll-off is lowest in sad and highest in happy.")
    assert f"{100 / 79:.1f} % would be expected of 80 clips" in finding
    nameless = table.assign(speaker=None)
    alone = sounds.separation(nameless, sounds.within_speakers(nameless))
    assert np.allclose(alone["as_measured"], alone["within_speakers"])
    assert "No speaker is named" in sound_text.descriptors(alone, nameless).finding


def test_one_emotion_has_nothing_to_separate(made):
    study, clips, _ = made
    table = sounds.descriptors(study, clips[clips["emotion"] == "sad"])
    shares = sounds.separation(table, sounds.within_speakers(table))
    assert shares.empty
    assert "fewer than two emotions" in sound_text.descriptors(shares, table).empty
    assert sound_text.separation(table).empty
