"""Tables and sentences of a corpus: what they say is what the clips hold, also where little is known."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ser_study import config as settings
from ser_study import corpora, features, schema
from ser_study.corpora import own, synthetic
from ser_study.experiments import corpus_tables as tables
from ser_study.experiments import corpus_words as words
from ser_study.experiments import sound_words

SMALL = replace(
    settings.load("demo", {"run.jobs": 1}), synthetic=settings.Synthetic(n_speakers=2, n_statements=2, n_repetitions=1)
)


def clips_of(rows: list[dict], corpus: str = "own") -> pd.DataFrame:
    table = pd.DataFrame(rows).reindex(columns=list(schema.CLIP_COLUMNS)).assign(corpus=corpus)
    table["clip_id"] = [f"{corpus}/{i:03d}" for i in range(len(table))]
    table["path"] = table["clip_id"] + ".wav"
    table["sha256"] = table["clip_id"]
    table["duration"] = table["duration"].fillna(1.0)
    return schema.check_clips(table).assign(silent=False)


def bare(*emotions: str) -> pd.DataFrame:
    """Clips of which only the emotion is known."""
    return clips_of([{"emotion": emotion} for emotion in emotions])


def acted() -> pd.DataFrame:
    """Three speakers, two emotions, one of them at three intensities; one speaker lacks an emotion."""
    rows = []
    for speaker, gender, age in (("a", "female", 30), ("b", "male", 41), ("c", "male", np.nan)):
        who = {"speaker": f"own/{speaker}", "gender": gender, "age": age, "statement": "own/s1"}
        rows += [{**who, "emotion": "angry", "intensity": level} for level in ("low", "medium", "high")]
        rows += [{**who, "emotion": "sad", "duration": 2.5}] * (speaker != "c")
    return clips_of(rows)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The small synthetic corpus: store, clips, its scan and its prosody."""
    from ser_study.store import Store

    folder = tmp_path_factory.mktemp("made")
    store = Store(folder / "raw", folder / "derived", folder / "run", folder)
    clips = corpora.load("synthetic", config=SMALL, store=store)
    scan = corpora.scanned("synthetic", config=SMALL, store=store)
    vectors = features.load("summary", clips, config=SMALL, store=store)
    return store, clips, scan, tables.prosody(clips, vectors, scan)


def test_people_are_the_named_speakers_with_what_is_known_of_them():
    found = tables.people(acted())
    assert found["speaker"].tolist() == ["own/a", "own/b", "own/c"]
    assert found["clips"].tolist() == [4, 4, 3]
    assert found["age"].tolist()[:2] == [30, 41]
    assert np.isnan(found["age"].iloc[2])
    assert tables.people(bare("sad", "sad")).empty


def test_examples_are_one_voice_at_its_strongest_and_sound_as_features_hear_them(made):
    store, clips, _, _ = made
    found = tables.examples(clips, config=SMALL, store=store)
    assert [item["emotion"] for item in found] == tables.emotions_of(clips)
    assert len({item["speaker"] for item in found}) == 1
    assert len({item["statement"] for item in found}) == 1
    assert {item["intensity"] for item in found if item["emotion"] != "neutral"} == {"strong"}
    assert all(item["path"].is_absolute() and item["path"].is_file() for item in found)
    assert all(item["name"] == item["path"].stem and len(item["signal"]) > 1000 for item in found)
    again = tables.examples(clips.sample(frac=1, random_state=3), config=SMALL, store=store)
    assert [item["name"] for item in again] == [item["name"] for item in found]
    title = sound_words.examples_title(found)
    assert f"Speaker {found[0]['speaker'][-2:]} in {len(found)} emotions, one sentence" in title


def test_examples_prefer_the_speaker_with_most_emotions_and_the_strongest():
    chosen = tables._choose(acted())
    assert chosen["emotion"].tolist() == ["sad", "angry"]
    assert set(chosen["speaker"]) == {"own/a"}
    assert chosen.loc["angry", "intensity"] == "high"


def test_examples_without_speakers_or_of_sung_clips():
    assert tables._choose(bare("sad", "angry", "sad"))["clip_id"].tolist() == ["own/000", "own/001"]
    sung = clips_of([{"emotion": "sad", "channel": "song"}, {"emotion": "sad", "channel": "speech"}])
    assert tables._choose(sung)["clip_id"].tolist() == ["own/001"]
    with pytest.raises(ValueError, match="None of the 1 clips"):
        tables.examples(bare("sad").assign(silent=True), config=SMALL, store=None)


def test_prosody_reads_the_summary_features(made):
    store, clips, scan, table = made
    vectors = features.load("summary", clips, config=SMALL, store=store)
    column = dict(zip(vectors.columns, vectors.values.T.astype(float)))
    place = pd.Index(vectors.clip_id).get_indexer(table["clip_id"])
    assert np.allclose(table["pitch_range"], (column["f0_p95"] - column["f0_p05"])[place])
    assert np.allclose(12 * np.log2(table["f0_hz"] / 27.5), column["f0_p50"][place], atol=1e-4)
    assert np.allclose(10 ** (table["peak_db"] / 20), scan.set_index("clip_id").loc[table["clip_id"], "peak"])
    medians = tables.prosody_medians(table).set_index("emotion")
    women = table[(table["emotion"] == "sad") & (table["gender"] == "female")]
    assert medians.loc["sad", "F0 women (Hz)"] == pytest.approx(np.median(women["f0_hz"]))
    assert "F0 (Hz)" in tables.prosody_medians(table.assign(gender=None)).columns


def test_prosody_leaves_out_silent_clips_and_pitch_without_voice(made):
    store, clips, scan, table = made
    vectors = features.load("summary", clips, config=SMALL, store=store)
    silent = clips.assign(silent=clips["clip_id"] == table["clip_id"].iloc[0])
    assert len(tables.prosody(silent, vectors, scan)) == len(table) - 1
    mute = vectors.values.copy()
    mute[:, vectors.columns.index("voiced_share")] = 0
    unvoiced = tables.prosody(clips, replace(vectors, values=mute), scan)
    assert unvoiced[["f0_hz", "pitch_range"]].isna().all(axis=None)
    assert "pitch" not in words.prosody_title(unvoiced)


def test_sung_clips_are_no_speech():
    table = pd.DataFrame({"channel": ["song", "speech", None], "emotion": "sad"})
    assert len(tables.spoken(table)) == 2
    assert "Without 1 sung clip," in words.prosody_caption(table, tables.spoken(table))
    assert len(tables.spoken(table.iloc[:1])) == 1


def test_audit_counts_known_and_unexpected_issues_apart():
    details = pd.DataFrame(
        [("clipped", f"own/{i}", f"{i} samples", True) for i in range(5)]
        + [("silent", "own/9", "peak 0", False), ("unused", "", "strange.wav is no clip", False)],
        columns=["issue", "clip_id", "detail", "known"],
    )
    table = tables.grouped(details)
    assert table["issue"].tolist() == ["silent", "unused", "clipped"]
    assert table.loc[2, "examples"] == "0, 1, 2 and 2 more"
    assert table.loc[1, "detail"] == "strange.wav is no clip"
    assert table["count"].sum() == len(details)
    caption = words.audit_caption(table, 40)
    assert caption == "3 kinds of issue in 40 clips; 2 findings unexpected (silent and unused)."
    assert words.audit_caption(table[table["known"]], 40) == "1 kind of issue in 40 clips, all known of this corpus."
    assert "all 40 files passed" in words.audit_caption(tables.grouped(details.iloc[:0]), 40)


def test_audit_of_the_built_in_corpus_is_clean(made):
    assert tables.audit("synthetic", config=SMALL, store=made[0]).empty


def test_shared_counts_the_others_of_an_average_clip():
    sizes = acted()["speaker"].value_counts()
    others = [size - 1 for size in sizes for _ in range(size)]
    assert tables.shared(acted(), "speaker") == pytest.approx(np.mean(others))
    assert np.isnan(tables.shared(bare("sad"), "speaker"))


@pytest.mark.parametrize(
    ("emotions", "title"),
    [
        ({"sad": 3, "angry": 3}, "Evenly dealt: each of 2 emotions has 3 clips"),
        ({"sad": 4}, "All 4 clips that have a label are sad"),
        ({"neutral": 2, "sad": 5, "angry": 5}, "Neutral has 2 clips, the other emotions 5 each"),
        ({"neutral": 2, "happy": 2, "angry": 5}, "The other emotions have 2 clips, angry 5"),
        ({"neutral": 2, "sad": 5, "angry": 7}, "Angry has most clips (7), neutral fewest (2)"),
        ({"neutral": 2, "sad": 2, "angry": 7, "happy": 3}, "Angry has most clips (7), neutral and sad fewest (2 each)"),
    ],
)
def test_counts_title_says_how_even_the_classes_are(emotions, title):
    assert words.counts_title(bare(*[name for name, n in emotions.items() for _ in range(n)])) == title


def test_numbers_in_sentences_are_those_of_the_clips(made):
    _, clips, _, table = made
    assert words.durations_title(acted()) == "Angry clips are shortest (median 1.0 s), sad clips longest (2.5 s)"
    assert words.speakers_title(acted()) == "3 speakers gave 3 to 4 clips each; 1 of 6 speaker–emotion pairs is empty"
    assert words.people_title(acted()) == "1 woman and 2 men, 30 and 41 years old (ages of 1 are unknown)"
    loud = {e: np.median(table.loc[table["emotion"] == e, "loudness_db"]) for e in set(table["emotion"])}
    title = words.prosody_title(table)
    assert f"{max(loud, key=loud.get)} loudest (−{-max(loud.values()):.0f} dB)" in title
    women = table[table["gender"] == "female"].groupby("emotion")["f0_hz"].median()
    assert f"{women.idxmax()} for women ({women.max():.0f} Hz)" in title
    trimmed = words.trimmed_words(table)
    assert f"{np.median(table['duration']):.2f} s as recorded and {np.median(table['trimmed']):.2f} s" in trimmed
    assert re.search(rf"{len(clips)} clips, 6 emotions, 2 speakers \(1 woman, 1 man\) and 2 sentences",
                     words.introduction(synthetic.INFO, clips))  # fmt: skip


def test_levelled_clips_make_no_claim_about_loudness(made):
    table = made[3].assign(peak_db=-0.4)
    assert words.prosody_title(table).startswith("Nearly every clip peaks at 0 dB, so loudness here tells little")


def test_agreement_title_takes_recognition_or_else_agreement():
    clips = acted().assign(human_recognition=lambda t: np.where(t["emotion"] == "sad", 0.25, 0.75))
    assert words.agreement_title(clips) == "Listeners recognise sad worst (25 %) and angry best (75 %); overall 66 %"
    agreed = clips.assign(human_agreement=clips["human_recognition"], human_recognition=np.nan)
    assert words.agreement_title(agreed).startswith("Listeners agree on sad worst")
    assert words.agreement_title(acted()) == "No listener judged these clips"


def test_sentences_hold_where_almost_nothing_is_known():
    clips = bare("sad", "sad", "sad")
    told = [words.counts_title(clips), words.speakers_title(clips), words.people_title(clips),
            words.durations_title(clips), words.counts_words(clips), words.introduction(own.INFO, clips),
            words.summary(clips, clips), words.summary(clips, clips.iloc[:0])]  # fmt: skip
    assert not any(re.search(r"\bnan\b|None\b(?! of)|inf\b", text) for text in told)
    assert told[1] == "No speaker is named in any of the 3 clips"
    assert told[3] == "The median clip lasts 1.0 s"
    assert "gender unknown 3" in told[4]
    assert "3 clips and 1 emotion, 3 seconds of sound.\n" in told[5]
    assert "fewer than two emotions" in told[6]
    assert told[7] == "None of the 3 clips can be studied."


def test_summary_counts_and_warns():
    text = words.summary(acted(), acted().iloc[:8])
    assert "8 of 11 clips are analysed. Guessing among 2 emotions scores a UAR of .500." in text
    assert "its speaker with 3 other clips" in text
    assert "With 2 speakers, scores tell of these voices only" in text
    dropped = pd.DataFrame({"reason": ["silent", "conflict", "conflict"]})
    assert words.dropped_words(acted(), dropped) == "Left out: 3 of 11 clips (conflict 2, silent 1)."
