"""Tables and sentences of a corpus: what they say is what the clips hold, also where little is known."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ser_study import config as settings
from ser_study import corpora, features, schema
from ser_study.chapters.corpus import sound_text, tables, text
from ser_study.corpora import own, synthetic
from ser_study.store import Store
from ser_study.study import Study

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


def numbers(sentence: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", sentence)]


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
    """The small synthetic corpus: study, clips, summary features, scan and prosody."""
    folder = tmp_path_factory.mktemp("made")
    study = Study(SMALL, Store(folder / "raw", folder / "derived", folder / "run", folder))
    clips = tables.load_clips(study, "synthetic")
    vectors = features.load("summary", clips, config=SMALL, store=study.store)
    scan = corpora.scanned("synthetic", config=SMALL, store=study.store)
    return study, clips, vectors, scan, tables.prosody(study, clips)


def test_speakers_are_those_named_with_what_is_known_of_them():
    speakers = tables.speakers(acted())
    assert speakers["speaker"].tolist() == ["own/a", "own/b", "own/c"]
    assert speakers["clips"].tolist() == [4, 4, 3]
    assert speakers["age"].tolist()[:2] == [30, 41]
    assert np.isnan(speakers["age"].iloc[2])
    assert tables.speakers(bare("sad", "sad")).empty


def test_prosody_reads_the_summary_features(made):
    _, clips, vectors, scan, table = made
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
    _, clips, vectors, scan, table = made
    silent = clips.assign(silent=clips["clip_id"] == table["clip_id"].iloc[0])
    assert len(tables.cues(silent, vectors, scan)) == len(table) - 1
    mute = vectors.values.copy()
    mute[:, vectors.columns.index("voiced_share")] = 0
    unvoiced = tables.cues(clips, replace(vectors, values=mute), scan)
    assert unvoiced[["f0_hz", "pitch_range"]].isna().all(axis=None)
    assert "pitch" not in sound_text.prosody_title(unvoiced)


def test_sung_clips_are_no_speech():
    table = pd.DataFrame({"channel": ["song", "speech", None], "emotion": "sad", "corpus": "own", "gender": None})
    table = table.assign(peak_db=-3.0, loudness_db=-20.0, f0_hz=200.0)
    spoken = tables.spoken(table)
    assert len(spoken) == 2
    assert "1 sung clip" in sound_text.prosody(table, spoken).text
    assert "sung" not in sound_text.prosody(spoken, spoken).text
    assert len(tables.spoken(table.iloc[:1])) == 1


def test_durations_of_emotions_are_those_of_speech_where_there_is_song_too():
    clips = acted().assign(channel="speech")
    longer = acted().assign(channel="song", duration=9.0)
    both = pd.concat([clips, longer[longer["emotion"] == "angry"]], ignore_index=True)
    assert text.durations_title(both) == "Spoken angry clips are shortest (median 1.0 s), sad clips longest (2.5 s)"
    caption = text.durations(both, both.assign(trimmed=both["duration"]))
    assert caption.finding.endswith(
        "left of the spoken clips is shortest in angry (1.00 s) and longest in sad (2.50 s)."
    )
    assert "speech and song together" in caption.text
    plain = text.durations(clips, clips.assign(trimmed=clips["duration"]))
    assert "spok" not in plain.finding + plain.alt
    assert "song" not in plain.text
    assert "Angry clips" in text.durations_title(longer.assign(duration=clips["duration"])), "all are sung"


def test_audit_counts_known_and_unexpected_issues_apart():
    details = pd.DataFrame(
        [("clipped", f"own/{i}", f"{i} samples", True) for i in range(5)]
        + [("silent", "own/9", "peak 0", False), ("unused", "", "strange.wav is no clip", False)],
        columns=["issue", "clip_id", "detail", "known"],
    )
    table = tables.by_issue(details)
    assert table["issue"].tolist() == ["silent", "unused", "clipped"]
    assert table.loc[2, "examples"] == "0, 1, 2 and 2 more"
    assert table.loc[1, "detail"] == "strange.wav is no clip"
    assert table["count"].sum() == len(details)
    forty = bare(*["sad"] * 40)
    caption = text.audit(table, forty).text
    assert numbers(caption) == [3, 40, 2], "kinds, clips, unexpected findings"
    assert "(silent and unused)" in caption
    assert numbers(text.audit(table[table["known"]], forty).text) == [1, 40]
    assert numbers(text.audit(tables.by_issue(details.iloc[:0]), forty).empty) == [40]


def test_audit_of_the_built_in_corpus_is_clean(made):
    assert tables.audit(made[0], "synthetic").empty


def test_sharing_counts_the_others_of_an_average_clip():
    sizes = acted()["speaker"].value_counts()
    others = [size - 1 for size in sizes for _ in range(size)]
    assert tables.others_sharing(acted(), "speaker") == pytest.approx(np.mean(others))
    assert np.isnan(tables.others_sharing(bare("sad"), "speaker"))


@pytest.mark.parametrize(
    ("emotions", "title"),
    [
        ({"sad": 3, "angry": 3}, "Balanced: each of 2 emotions has 3 clips"),
        ({"sad": 4}, "All 4 clips that have a label are sad"),
        ({"neutral": 2, "sad": 5, "angry": 5}, "Neutral has 2 clips, the other emotions 5 each"),
        ({"neutral": 2, "happy": 2, "angry": 5}, "The other emotions have 2 clips, angry 5"),
        ({"neutral": 2, "sad": 5, "angry": 7}, "Angry has most clips (7), neutral fewest (2)"),
        ({"neutral": 2, "sad": 2, "angry": 7, "happy": 3}, "Angry has most clips (7), neutral and sad fewest (2 each)"),
    ],
)
def test_counts_title_says_how_even_the_classes_are(emotions, title):
    assert text.counts_title(bare(*[name for name, n in emotions.items() for _ in range(n)])) == title


def test_numbers_in_sentences_are_those_of_the_clips(made):
    _, clips, _, _, table = made
    assert text.durations_title(acted()) == "Angry clips are shortest (median 1.0 s), sad clips longest (2.5 s)"
    assert numbers(text.speakers_title(acted())) == [3, 3, 4, 1, 6], "speakers, fewest, most, empty pairs of pairs"
    assert text.demographics_title(acted()) == "1 woman and 2 men, 30 and 41 years old (ages of 1 are unknown)"
    finding = text.durations(clips, table).finding
    assert f"{np.median(table['duration']):.2f} s as recorded and {np.median(table['trimmed']):.2f} s" in finding
    assert f"{100 * (1 - table['trimmed'].sum() / table['duration'].sum()):.0f} % of the sound" in finding
    introduction = text.introduction(synthetic.INFO, clips)
    assert f"{len(clips)} clips, 6 emotions, 2 speakers (1 woman, 1 man) and 2 sentences" in introduction


def test_the_loudest_and_the_highest_are_those_of_the_medians(made):
    table = made[4]
    loud = {e: np.median(table.loc[table["emotion"] == e, "loudness_db"]) for e in set(table["emotion"])}
    title = sound_text.prosody_title(table)
    assert f"{max(loud, key=loud.get)} loudest (−{-max(loud.values()):.0f} dB)" in title
    assert f"{min(loud, key=loud.get)} is quietest (−{-min(loud.values()):.0f} dB)" in title.lower().replace("db", "dB")
    women = table[table["gender"] == "female"].groupby("emotion")["f0_hz"].median()
    assert f"{women.idxmax()} for women ({women.max():.0f} Hz)" in title


def test_levelled_clips_make_no_claim_about_loudness(made):
    title = sound_text.prosody_title(made[4].assign(peak_db=-0.4))
    assert title.startswith("Nearly every clip peaks at 0 dB")
    assert "loudest" not in title


def test_agreement_title_takes_recognition_or_else_agreement():
    clips = acted().assign(human_recognition=lambda t: np.where(t["emotion"] == "sad", 0.25, 0.75))
    assert text.agreement_title(clips) == "Listeners recognise sad worst (25 %) and angry best (75 %); overall 66 %"
    agreed = clips.assign(human_agreement=clips["human_recognition"], human_recognition=np.nan)
    assert text.agreement_title(agreed).startswith("Listeners agree on sad worst")
    assert text.agreement_title(acted()) == "No listener judged these clips"
    assert text.agreement(own.INFO, acted()).empty


def test_sentences_hold_where_almost_nothing_is_known():
    clips = bare("sad", "sad", "sad")
    sentences = {
        "counts": text.counts_title(clips),
        "speakers": text.speakers(clips).empty,
        "people": text.demographics(clips).empty,
        "durations": text.durations_title(clips),
        "alt": text.counts(clips).alt,
        "introduction": text.introduction(own.INFO, clips),
        "summary": text.summary(Study(SMALL, None), clips, clips),
        "nothing": text.summary(Study(SMALL, None), clips, clips.iloc[:0]),
    }
    assert not any(re.search(r"\bnan\b|None\b(?! of)|inf\b", sentence) for sentence in sentences.values())
    assert numbers(sentences["speakers"]) == [3]
    assert sentences["durations"] == "The median clip lasts 1.0 s"
    assert "gender unknown 3" in sentences["alt"]
    assert "3 clips and 1 emotion, 3 seconds of sound.\n" in sentences["introduction"]
    assert "fewer than two emotions" in sentences["summary"]
    assert numbers(sentences["nothing"]) == [3]


def test_summary_counts_and_warns():
    lines = text.summary(Study(SMALL, None), acted(), acted().iloc[:8]).splitlines()
    assert "8 of 11 clips are analysed" in lines[0]
    assert "2 emotions" in lines[0]
    assert "UAR of .500." in lines[0]
    assert "its speaker with 3 other clips" in lines[1]
    assert "2 speakers" in lines[2]
    assert "takes kept together" not in lines[3], "nothing was said twice, so that protocol is never run"
    dropped = pd.DataFrame({"reason": ["silent", "conflict", "conflict"]})
    assert text.dropped(dropped, acted()).text == "Left out: 3 of 11 clips (conflict 2, silent 1)."
    assert numbers(text.dropped(dropped.iloc[:0], acted()).empty) == [11]
