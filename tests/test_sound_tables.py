"""Clips to look at closely and classic descriptors: what is chosen, what is measured, what is said of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ser_study import config as settings
from ser_study import corpora, features, schema
from ser_study.config import Frames
from ser_study.experiments import corpus_tables, sound_words
from ser_study.experiments import sound_tables as tables
from ser_study.store import Store

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


def tone(peak: float, seconds: float, **told) -> dict:
    signal = np.full(int(seconds * 16_000), peak)
    return {"speaker": "own/a", "statement": "own/s1", "signal": signal, "sample_rate": 16_000, **told}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    store = Store(folder / "raw", folder / "derived", folder / "run", folder)
    clips = corpora.load("synthetic", config=SMALL, store=store)
    vectors = features.load("summary", clips, config=SMALL, store=store)
    scan = corpora.scanned("synthetic", config=SMALL, store=store)
    return store, clips, vectors, corpus_tables.prosody(clips, vectors, scan)


@pytest.mark.parametrize("n_samples", [1, 255, 256, 257, 5000, 5120])
def test_envelope_bounds_the_signal_and_touches_it(n_samples):
    signal = (random(n_samples).normal(0, 1, n_samples) * np.hanning(n_samples + 2)[1:-1]).astype(np.float32)
    frames = Frames()
    found = tables.envelope(signal, frames)
    assert len(found) == 1 + n_samples // frames.hop_length
    between = np.interp(np.arange(n_samples), np.arange(len(found)) * frames.hop_length, found)
    assert (between >= np.abs(signal) - 1e-6).all()
    assert set(found[found > 0]) <= set(np.abs(signal))
    assert found.max() == np.abs(signal).max()


def test_each_emotion_is_heard_at_each_intensity_by_one_voice(made):
    store, clips, *_ = made
    items = tables.by_intensity(clips, config=SMALL, store=store)
    pairs = [(item["emotion"], item["intensity"]) for item in items]
    known = set(zip(clips["emotion"], clips["intensity"]))
    assert set(pairs) == known
    assert len(pairs) == len(known)
    assert pairs[:3] == [("neutral", "normal"), ("happy", "normal"), ("happy", "strong")]
    assert len({item["speaker"] for item in items}) == len({item["statement"] for item in items}) == 1
    assert all(len(item["envelope"]) == len(item["time"]) for item in items)
    assert "Speaker 01, one sentence: at strong intensity the voice peaks" in sound_words.intensity_title(items)


def test_the_fullest_speaker_and_sentence_are_chosen():
    clips = acted()
    gaps = (clips["speaker"] != "own/male2") & ((clips["intensity"] == "high") | (clips["statement"] == "own/s1"))
    chosen = tables._each_intensity(clips[~gaps])
    assert set(chosen["speaker"]) == {"own/male2"}
    assert chosen["emotion"].tolist() == ["neutral", "happy", "happy", "sad", "sad"]
    assert chosen["intensity"].fillna("").tolist() == ["", "low", "high", "low", "high"]
    both = pd.concat([clips, clips.assign(intensity=None, clip_id=clips["clip_id"] + "x")])
    assert len(tables._each_intensity(both)) == 5  # an unknown intensity only where no other is known


def test_without_intensities_or_shared_sentences_there_is_still_a_clip_an_emotion():
    flat = tables._each_intensity(acted(levels=(None,)))
    assert flat["emotion"].tolist() == ["neutral", "happy", "sad"]
    own = clips_of([{"speaker": "own/a", "statement": f"own/{i}", "emotion": name}
                    for i, name in enumerate(("sad", "happy", "neutral", "angry", "angry"))])  # fmt: skip
    assert tables._each_intensity(own)["emotion"].tolist() == ["neutral", "happy", "sad", "angry"]
    assert len(tables._each_intensity(own.assign(speaker=None, statement=None))) == 4
    sung = acted().assign(channel="song")
    sung.loc[sung["speaker"] == "own/male2", "channel"] = "speech"
    assert set(tables._each_intensity(sung)["speaker"]) == {"own/male2"}


def test_a_pair_is_a_woman_and_a_man_alike_in_all_but_voice(made):
    store, clips, _, prosody = made
    woman, man = tables.pair(clips, prosody, config=SMALL, store=store)
    assert (woman["gender"], man["gender"]) == ("female", "male")
    for name in ("emotion", "statement", "intensity"):
        assert woman[name] == man[name]
    assert (woman["emotion"], woman["intensity"]) == ("happy", "strong")
    for item in (woman, man):
        assert len(item["f0_hz"]) == len(item["time"]) == len(item["envelope"])
        told = prosody.set_index("clip_id").loc[f"synthetic/{item['name']}", "f0_hz"]
        assert np.nanmedian(item["f0_hz"]) == pytest.approx(told, rel=0.02)
    loud = clips.loc[clips["intensity"] == "strong", "clip_id"]
    here = prosody[prosody["clip_id"].isin(loud) & (prosody["emotion"] == "happy") & (prosody["gender"] == "female")]
    usual = here["f0_hz"].median()
    assert woman["usual_hz"] == pytest.approx(usual)
    assert f"({usual:.0f} Hz for women" in sound_words.pair_words([woman, man])
    apart = 12 * np.log2(np.nanmedian(woman["f0_hz"]) / np.nanmedian(man["f0_hz"]))
    assert f"{apart:.1f} semitones apart" in sound_words.pair_title([woman, man])


def test_the_pair_is_nearest_to_the_usual_pitch_of_its_sex():
    clips = acted()
    prosody = pitched(clips)
    chosen = tables._woman_and_man(clips, prosody)
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
    chosen = tables._woman_and_man(apart, pitched(apart))
    assert chosen["gender"].tolist() == ["female", "male"]
    assert chosen["statement"].nunique() == 2
    assert chosen["intensity"].nunique() == 1
    for few, said in (
        (acted(genders=("female",)), "Only 2 women can be heard here and no man, so"),
        (acted(genders=("male",)).query("speaker == 'own/male1'"), "Only 1 man can be heard here and no woman, so"),
        (acted().assign(gender=None), "The sex of the speakers is not known, so"),
        (acted().query("(gender == 'female') == (emotion == 'sad')"), "No emotion is acted"),
    ):
        assert tables._woman_and_man(few, pitched(few)).empty
        assert tables.pair(few, pitched(few), config=SMALL, store=None) == []
        assert sound_words.no_pair(few).startswith(said)


def test_words_about_intensity_count_what_they_say():
    items = [tone(0.1, 1.0, emotion="neutral", intensity=None)]
    for emotion, weak, strong, longer in (("happy", 0.1, 0.4, 1.5), ("sad", 0.1, 0.05, 0.5), ("angry", 0.1, 0.2, 1.5)):
        items += [tone(weak, 1.0, emotion=emotion, intensity="low"), tone(0.15, 1, emotion=emotion, intensity="medium")]
        items += [tone(strong, longer, emotion=emotion, intensity="high")]
    assert sound_words.intensity_title(items) == (
        "Speaker a, one sentence: at high intensity the voice peaks 6 dB higher than at low intensity "
        "(median of 3 emotions)"
    )
    assert sound_words.intensity_words(items) == (
        "From low to high intensity the peak rises in 2 of 3 emotions and the clip grows longer in 2. The peak changes "
        "most in happy: 12 dB higher. Neutral cannot be compared: not known at both."
    )
    flat = [{**item, "intensity": None} for item in items[:1]]
    assert "each has one waveform" in sound_words.intensity_words(flat)
    assert sound_words.intensity_title(flat) == "Speaker a in one emotion, neutral"


def test_words_about_a_pair_say_nothing_of_what_is_not_shared():
    told = {"emotion": "sad", "intensity": None, "time": np.zeros(3)}
    woman = tone(0.1, 1.0, **told, f0_hz=np.array([200, np.nan, 220]), usual_hz=205.0)
    man = tone(0.2, 1.0, **told, f0_hz=np.array([105, np.nan, 105]), usual_hz=104.0)
    text = sound_words.pair_words([woman, man])
    assert text.startswith("Both have the same sentence; of all")
    assert text.endswith("the woman peaks 6 dB lower and takes as long.")
    assert sound_words.pair_words([woman, {**man, "statement": "own/s2"}]).startswith("They share the emotion only")
    assert sound_words.pair_title([woman, man]).endswith("(median F0): 12.0 semitones apart")


def test_frame_features_are_those_of_one_analysis(made):
    store, clips, *_ = made
    clip = clips.iloc[3].to_dict()
    told = tables.frame_by_frame(clip, config=SMALL, store=store)
    found = tables.analysis_of(clip, config=SMALL, store=store)
    same = {"rms": "rms", "zcr": "zcr", "centroid_hz": "centroid", "rolloff_hz": "rolloff"}
    for name, feature in {**same, "mel_db": "mel_db", "chroma": "chroma", "mfcc": "mfcc"}.items():
        assert np.array_equal(told[name], getattr(found, feature))
        assert len(told[name]) == len(told["time"]) == len(told["envelope"])
    assert (np.diff(told["mel_hz"]) > 0).all()
    title = sound_words.frames_title(told)
    share = 100 * told["zcr"][~told["is_voiced"]].mean()
    assert f"unvoiced frames: {share:.0f} % of the samples cross zero" in title
    assert "unvoiced" not in sound_words.frames_title({**told, "is_voiced": np.ones(len(told["time"]), bool)})


def test_descriptors_are_means_of_features_that_the_study_has(made):
    store, clips, vectors, _ = made
    table = tables.descriptors(clips, vectors, config=SMALL, store=store)
    assert list(table.columns) == ["emotion", "speaker", *tables.DESCRIPTORS]
    assert len(table) == len(clips)
    found = tables.analysis_of(clips.iloc[0].to_dict(), config=SMALL, store=store)
    assert table["centroid_mean"].iloc[0] == pytest.approx(found.centroid.mean(), rel=1e-5)
    assert table["mfcc_02_mean"].iloc[0] == pytest.approx(found.mfcc[:, 2].mean(), rel=1e-4)
    poor = replace(SMALL, study=replace(SMALL.study, features=("summary",)))
    less = tables.descriptors(clips.assign(channel="speech"), vectors, config=poor, store=None)
    assert not [name for name in less if name.startswith("chroma")]
    sung = clips.assign(channel=["song"] + ["speech"] * (len(clips) - 1))
    assert len(tables.descriptors(sung, vectors, config=poor, store=None)) == len(clips) - 1


def test_scaling_leaves_no_speaker_and_shares_follow_the_definition(made):
    store, clips, vectors, _ = made
    table = tables.descriptors(clips, vectors, config=SMALL, store=store)
    scaled = tables.within_speakers(table)
    names = list(tables.DESCRIPTORS)
    by_speaker = scaled.groupby("speaker")[names]
    assert np.allclose(by_speaker.mean(), 0)
    assert np.allclose(by_speaker.std(ddof=0), 1)
    shares = tables.separation(table, scaled).set_index("column")
    for name in names:
        for values, column in ((table[name], "as_measured"), (scaled[name], "within_speakers")):
            between = values.groupby(table["emotion"]).transform("mean").var() / values.var()
            assert shares.loc[name, column] == pytest.approx(between, rel=1e-6)
    assert shares["within_speakers"].is_monotonic_decreasing
    top = scaled.groupby("emotion")[shares.index[0]].median()
    assert (shares["lowest"].iloc[0], shares["highest"].iloc[0]) == (top.idxmin(), top.idxmax())


def test_the_sentence_names_the_descriptor_with_the_largest_share():
    emotion = np.repeat(["sad", "happy"], 40)
    values = {name: random(2, i).normal(0, 1, 80) for i, name in enumerate(tables.DESCRIPTORS)}
    values["rolloff_mean"] = values["rolloff_mean"] + 3 * (emotion == "happy")
    table = pd.DataFrame({"emotion": emotion, "speaker": np.tile(["own/a", "own/b"], 40), **values})
    table["mfcc_03_mean"] = 1.0  # constant: it separates nothing and must not divide by zero
    shares = tables.separation(table, tables.within_speakers(table))
    assert shares["descriptor"].iloc[0] == "roll-off"
    best = 100 * shares["within_speakers"].max()
    assert sound_words.descriptors_title(shares) == (
        f"Roll-off separates the emotions most (η² {best:.0f} %), MFCC 3 least (0 %)"
    )
    text = sound_words.descriptors_words(shares, table)
    assert text.startswith("Roll-off is lowest in sad and highest in happy.")
    assert f"a share of {100 / 79:.1f} % would be expected of 80 clips" in text
    nameless = table.assign(speaker=None)
    alone = tables.separation(nameless, tables.within_speakers(nameless))
    assert np.allclose(alone["as_measured"], alone["within_speakers"])
    assert "No speaker is named" in sound_words.descriptors_words(alone, nameless)


def test_one_emotion_has_nothing_to_separate(made):
    store, clips, vectors, _ = made
    table = tables.descriptors(clips[clips["emotion"] == "sad"], vectors, config=SMALL, store=store)
    shares = tables.separation(table, tables.within_speakers(table))
    assert shares.empty
    assert sound_words.descriptors_words(shares, table).startswith("With fewer than two emotions there is nothing")
