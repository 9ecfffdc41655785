"""Files as people have them: links, pointers, suffixes that lie, and what was not read is said."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ser_study import cli, corpora
from ser_study import config as settings
from ser_study.corpora import audit, files, folders
from ser_study.report import chapters
from ser_study.store import Store

CONFIG = settings.load("demo", {"run.jobs": 1})
RATE = 16_000
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
ANNEX = b"/annex/objects/SHA256E-s1--0.wav\n"
STEM = "1001_IEO_ANG_HI"
ACTORS = "ActorID,Age,Sex,Race,Ethnicity\n1001,51,Male,Caucasian,Hispanic\n"
VOTES = f",A,D,F,H,N,S,fileName\n100001,3,0,0,0,1,0,{STEM}\n"
EVALUATION = "[6.2 - 8.2]\tSes01F_impro04_M003\tfru\t[2.5, 2.5, 2.5]\nC-E2:\tFrustration;\t()\n"


def put(path: Path, content: bytes | str = "", *, seed: int = 0, **how: str) -> Path:
    """Write bytes, text, or half a second of noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if content:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    else:
        noise = np.random.default_rng(seed).uniform(-0.1, 0.1, RATE // 2)
        soundfile.write(path, noise, RATE, **({"format": "WAV"} | how))
    return path


def load(store: Store, corpus: str = "own"):
    return corpora.load(corpus, config=CONFIG, store=store).set_index("clip_id")


def audited(store: Store, corpus: str = "own") -> tuple[dict, str]:
    """Issues as (issue, last part of the clip id) → (detail, known), and the verdict."""
    table, details, _ = audit.validate(store, CONFIG, [corpus])
    issues = {(row.issue, row.clip_id.rpartition("/")[2]): (row.detail, row.known) for row in details.itertuples()}
    return issues, table["verdict"].item()


# Links


def test_side_files_are_found_behind_links_like_the_clips(store, tmp_path):
    put(tmp_path / "clone" / "AudioWAV" / f"{STEM}.wav")
    put(tmp_path / "clone" / "VideoDemographics.csv", ACTORS)
    put(tmp_path / "clone" / "processedResults" / "tabulatedVotes.csv", VOTES)
    (store.raw / "crema_d").mkdir(parents=True)
    (store.raw / "crema_d" / "CREMA-D-master").symlink_to(tmp_path / "clone")
    clip = load(store, "crema_d").loc[f"crema_d/{STEM}"]
    assert (clip["gender"], clip["age"], clip["human_recognition"]) == ("male", 51, 0.75)
    assert not any(issue == "side file" for issue, _ in audited(store, "crema_d")[0])


def test_iemocap_sessions_may_be_links(store, tmp_path):
    session = tmp_path / "release" / "Session1"
    put(session / "sentences" / "wav" / "Ses01F_impro04" / "Ses01F_impro04_M003.wav")
    put(session / "dialog" / "EmoEvaluation" / "Ses01F_impro04.txt", EVALUATION)
    (store.raw / "iemocap").mkdir(parents=True)
    (store.raw / "iemocap" / "Session1").symlink_to(session)
    assert load(store, "iemocap")["emotion"].tolist() == ["frustrated"]


def test_a_list_of_sentences_may_lie_anywhere(store):
    put(store.raw / "savee" / "AudioData" / "DC" / "a01.wav")
    put(store.raw / "savee" / "AudioData" / "sentences.csv", "file,sentence\na01,Oh well.\n")
    assert load(store, "savee")["statement"].tolist() == ["savee/oh-well"]


def test_what_is_up_to_date_looks_behind_links(tmp_path):
    """An annexed file is a link; when its content changes, the link does not."""
    content = put(tmp_path / "content.wav")
    link = tmp_path / "tess" / "a.wav"
    link.parent.mkdir()
    link.symlink_to(content)
    before = chapters.listing([tmp_path / "tess"])
    assert chapters.listing([tmp_path / "tess"]) == before
    put(content, b"other")
    os.utime(content, (1, 1))
    changed = chapters.listing([tmp_path / "tess"])
    assert changed != before
    content.unlink()
    assert chapters.listing([tmp_path / "tess"]) not in (before, changed)


# Content decides


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("a.oga", {"format": "OGG"}),
        ("a.wave", {"format": "WAV"}),
        ("a.sph", {"format": "NIST"}),
        ("a.voc", {"format": "VOC"}),
        ("a.dat", {"format": "FLAC"}),
        ("a.m4a", {"format": "MP3"}),
        ("a.OGG", {"format": "OGG"}),
        ("no suffix", {"format": "W64"}),
    ],
)
def test_what_libsndfile_reads_is_read_whatever_its_suffix(name, how, store):
    put(store.raw / "own" / "sad" / name, **how)
    assert corpora.present(store.raw) == ["own"]
    clips = load(store)
    assert clips.index.tolist() == [f"own/sad/{Path(name).stem}"]
    assert clips["sha256"].notna().all()


def test_text_tables_and_matrices_are_no_sound(tmp_path):
    put(tmp_path / "a.txt", "NIST is an institute")
    put(tmp_path / "b.csv", "path,emotion\n")
    put(tmp_path / "c.mat", format="MAT5")
    put(tmp_path / "d.raw", b"\x01\x02" * 100)
    os.mkfifo(tmp_path / "e")
    assert files.audio_files(tmp_path) == []


# Pointers


@pytest.mark.parametrize(("content", "command"), [(LFS, "git lfs pull"), (ANNEX, "git annex get .")])
def test_a_clip_that_was_not_fetched_is_named_with_the_command(content, command, store):
    put(store.raw / "own" / "sad" / "good.wav")
    put(store.raw / "own" / "sad" / "bad.wav", content)
    detail, known = audited(store)[0]["unreadable", "bad"]
    assert "pointer" in detail
    assert command in detail
    assert not known


def test_a_link_into_an_annex_without_the_content_is_a_pointer(store):
    put(store.raw / "own" / "sad" / "good.wav")
    (store.raw / "own" / "sad" / "bad.wav").symlink_to("../.git/annex/objects/x/SHA256E-s1--0/SHA256E-s1--0.wav")
    assert "git annex get ." in audited(store)[0]["unreadable", "bad"][0]


@pytest.mark.parametrize(
    ("corpus", "clip", "side"),
    [
        ("crema_d", f"{STEM}.wav", "VideoDemographics.csv"),
        ("crema_d", f"{STEM}.wav", "ratings/tabulatedVotes.csv"),
        ("emodb", "wav/03a01Fa.wav", "erkennung.txt"),
        ("savee", "DC/a01.wav", "sentences.csv"),
        ("iemocap", "Ses01F_impro04_M003.wav", "dialog/EmoEvaluation/Ses01F_impro04.txt"),
        ("own", "sad/a.wav", "clips.csv"),
    ],
)
def test_a_side_file_that_was_not_fetched_is_named_with_the_command(corpus, clip, side, store):
    put(store.raw / corpus / clip)
    put(store.raw / corpus / side, LFS)
    with pytest.raises(ValueError, match=rf"{Path(side).name} is a Git LFS pointer .*run 'git lfs pull'"):
        load(store, corpus)
    issues, verdict = audited(store, corpus)
    assert "git lfs pull" in issues["labels", ""][0]
    assert verdict == "look"


# One clip in several files


def crema(store: Store) -> Path:
    """The folder of CREMA-D with its side files."""
    put(store.raw / "crema_d" / "VideoDemographics.csv", ACTORS)
    put(store.raw / "crema_d" / "processedResults" / "tabulatedVotes.csv", VOTES)
    return store.raw / "crema_d"


def test_crema_d_as_upstream_lays_it_out_uses_the_lossless_files(store):
    put(crema(store) / "AudioWAV" / f"{STEM}.wav")
    put(crema(store) / "AudioMP3" / f"{STEM}.mp3", format="MP3")
    with pytest.warns(UserWarning, match=rf"1 files hold a clip in another format .*AudioMP3/{STEM}\.mp3"):
        clips = load(store, "crema_d")
    assert clips["path"].tolist() == [f"crema_d/AudioWAV/{STEM}.wav"]
    issues, _ = audited(store, "crema_d")
    assert issues["format", ""][1], "known: it makes no failure"
    assert {issue for (issue, _), (_, known) in issues.items() if not known} == {"count"}


def test_a_lossy_file_of_another_length_is_another_sound(store):
    put(store.raw / "own" / "sad" / "a.wav")
    soundfile.write(store.raw / "own" / "sad" / "a.mp3", np.random.default_rng(1).uniform(-0.1, 0.1, RATE), RATE)
    with pytest.raises(ValueError, match=r"differ: own/sad/a\.wav and own/sad/a\.mp3"):
        load(store)


def test_the_file_that_can_be_read_is_used(store):
    put(store.raw / "own" / "sad" / "a.wav", LFS)
    put(store.raw / "own" / "sad" / "a.mp3", format="MP3")
    assert load(store)["path"].tolist() == ["own/sad/a.mp3"]
    issues, verdict = audited(store)
    assert "own/sad/a.wav: the file is a Git LFS pointer" in issues["unreadable", "a"][0]
    assert verdict == "look"


@pytest.mark.parametrize("content", [LFS, b"RIFF\x24\0\0\0WAVEfmt "])
def test_files_that_cannot_be_read_are_equal_to_nothing(content, store):
    """Two pointers, or two files cut short, are no copies of each other, within a clip and between clips."""
    for name in ("a.wav", "a.mp3", "a.ogg", "b.flac"):
        put(store.raw / "own" / "sad" / name, content)
    put(store.raw / "own" / "sad" / "good.wav")
    _, details, _ = audit.validate(store, CONFIG, ["own"])
    found = details[details["issue"] != "no speaker"]
    assert found["issue"].tolist() == ["unreadable"] * 4
    assert sorted(found["detail"].str.partition(":")[0]) == [
        f"own/sad/{name}" for name in ("a.mp3", "a.ogg", "a.wav", "b.flac")
    ]
    clips, dropped = corpora.analysed(load(store).reset_index())
    assert clips["clip_id"].tolist() == ["own/sad/good"]
    assert set(dropped["reason"]) == {"unreadable"}


# Folders


@pytest.mark.parametrize(
    ("name", "corpus"),
    [
        ("RAVDESS", "ravdess"),
        ("RAVDESS_v1.0", "ravdess"),
        ("CREMA-D", "crema_d"),
        ("Crema", "crema_d"),
        ("CREMA-D-master", "crema_d"),
        ("EmoDB", "emodb"),
        ("Emo-DB", "emodb"),
        ("TESS Toronto emotional speech set data", "tess"),
        ("iemocap_full_release", "iemocap"),
        ("JL corpus", "jl"),
        ("Own", "own"),
        ("tess_ravdess", ""),
        ("emotional speech data", ""),
        ("Actor_01", ""),
        ("tessa", ""),
    ],
)
def test_common_spellings_of_a_folder_mean_one_corpus(name, corpus):
    assert folders.meant(name, corpora.names()) == corpus


def test_a_folder_of_another_spelling_is_loaded(store):
    put(store.raw / "EmoDB" / "wav" / "03a01Fa.wav")
    put(store.raw / "EmoDB" / "erkennung.txt", "3\t03a01Fa.wav\t90,00\n")
    assert corpora.present(store.raw) == ["emodb"]
    clips = load(store, "emodb")
    assert clips.index.tolist() == ["emodb/03a01Fa"]
    assert clips["path"].tolist() == ["EmoDB/wav/03a01Fa.wav"]
    assert clips["human_recognition"].tolist() == [0.9]
    issues, _ = audited(store, "emodb")
    assert {issue for issue, _ in issues} == {"count"}


def test_two_folders_that_mean_one_corpus_are_refused(store):
    put(store.raw / "ravdess" / "03-01-05-01-02-01-18.wav")
    put(store.raw / "RAVDESS_song" / "03-02-05-01-02-01-18.wav")
    with pytest.raises(ValueError, match=r"RAVDESS_song/ and ravdess/ .* mean the corpus ravdess; move"):
        load(store, "ravdess")
    table, details, code = audit.validate(store, CONFIG)
    assert code == 1
    assert "RAVDESS_song/ and ravdess/" in details["detail"].item()


def test_a_link_or_an_empty_folder_is_no_second_folder(store):
    put(store.raw / "tess" / "OAF_food_fear.wav")
    (store.raw / "TESS").symlink_to(store.raw / "tess")
    (store.raw / "Tess data").mkdir()
    assert len(load(store, "tess")) == 1


def test_a_download_does_not_lay_a_second_folder_beside_a_corpus(tmp_path, capsys):
    put(tmp_path / "RAVDESS" / "03-01-05-01-02-01-18.wav")
    assert cli.main(["download", "ravdess", "--data", str(tmp_path)]) == 2
    assert "RAVDESS/ in the data folder is ravdess already; rename it to ravdess/" in capsys.readouterr().err


# What was not read


def test_files_that_nothing_reads_are_listed_by_kind(store):
    put(store.raw / "own" / "sad" / "a.wav")
    put(store.raw / "own" / "sad" / "b.oga", seed=1, format="OGG")
    for name in ("a.m4a", "b.m4a", "c.amr", "d.zip"):
        put(store.raw / "own" / "angry" / name, b"\0\1\2")
    put(store.raw / "own" / "sad" / "notes.txt", "said in the kitchen")
    issues, verdict = audited(store)
    _, details, code = audit.validate(store, CONFIG, ["own"])
    missed, beside = (
        details[(details["issue"] == "not read") & (details["known"] == known)] for known in (False, True)
    )
    assert missed["detail"].item().startswith("4 files are not read (2 .m4a, 1 .amr, 1 .zip; first own/angry/a.m4a); ")
    assert "convert sound to wav" in missed["detail"].item()
    assert "unpack archives" in missed["detail"].item()
    assert beside["detail"].item().startswith("1 file is beside the recordings and left alone (1 .txt;")
    assert (verdict, code) == ("look", 1)


def test_a_corpus_of_files_that_nothing_reads_is_not_absent(store):
    put(store.raw / "own" / "sad" / "a.m4a", b"\0\1\2")
    put(store.raw / "emodb" / "03a01Fa.wav")
    _, verdict = audited(store)
    assert verdict == "look"


def test_videos_beside_a_published_corpus_are_known_and_foreign_sound_is_not(store):
    put(crema(store) / f"{STEM}.wav")
    put(crema(store) / "VideoFlash" / f"{STEM}.flv", b"FLV\1")
    assert audited(store, "crema_d")[0]["not read", ""][1]
    put(crema(store) / f"{STEM}.m4a", b"\0\1\2")
    _, details, _ = audit.validate(store, CONFIG, ["crema_d"])
    assert details[details["issue"] == "not read"]["known"].tolist() == [False, True]


def test_what_lies_outside_the_corpora_is_listed(store):
    put(store.raw / "tess" / "OAF_food_fear.wav")
    put(store.raw / "meld" / "a.wav")
    put(store.raw / "README.md", "mine")
    put(store.raw / "tess.zip", b"PK\3\4")
    _, details, _ = audit.validate(store, CONFIG)
    details = details[details["corpus"] == "elsewhere"].set_index(["issue", "known"])["detail"]
    assert details["unused", False].startswith("1 file is in no folder of a corpus (1 .wav; first meld/a.wav)")
    assert details["not read", False].startswith("1 file is not read (1 .zip; first tess.zip); unpack archives")
    assert details["not read", True].startswith("1 file is beside the recordings")


def test_names_that_no_loader_knows_are_answered_with_what_it_expects(store):
    for name in ("f10.wav", "f10 (2).wav"):
        put(store.raw / "savee" / name)
    with pytest.raises(FileNotFoundError, match=r"none of the 2 recordings in savee/ \(first f10 \(2\)\.wav\).*DC_a01"):
        load(store, "savee")


def test_validate_ends_with_what_was_seen_where_a_named_folder_holds_no_corpus(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SER_STUDY_DERIVED", str(tmp_path / "derived"))
    put(tmp_path / "raw" / "ravdess" / "Actor_01" / "03-01-05-01-02-01-18.wav")
    assert cli.main(["validate", "--data", str(tmp_path / "raw" / "ravdess" / "Actor_01")]) == 2
    assert "It lies inside ravdess/; give the folder that holds ravdess/" in capsys.readouterr().err


# Tables of one's own


@pytest.mark.parametrize(
    "text",
    [
        "sad/Zoë.ogg",
        "sad/Zoë.OGG",
        "SAD/zoë.ogg",
        "sad/Zoë.wav",
        "sad/Zoë",
        "sad\\Zoe\u0308.ogg",
        "own\\sad\\Zoë.ogg",
        "data/raw/own/sad/Zoë.ogg",
        "/home/them/raw/own/sad/Zoë.ogg",
        "C:\\data\\own\\sad\\Zoë.ogg",
        "HERE/sad/Zoë.ogg",
    ],
)
def test_a_path_may_be_written_in_every_way_that_means_one_file(text, store):
    put(store.raw / "own" / "sad" / "Zoë.ogg", format="OGG")
    put(store.raw / "own" / "clips.csv", f"path,emotion\n{text},sad\n".replace("HERE", str(store.raw / "own")))
    assert load(store)["path"].tolist() == ["own/sad/Zoë.ogg"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("sad/A.flac", r"line 2 \(sad/A\.flac: sad/A\.wav or sad/a\.wav\?\)"),
        ("A.wav", r"line 2 \(A\.wav\)"),
        ("b.wav", r"line 2 \(b\.wav; there is happy/b\.wav\)"),
        ("../own/happy/b.wav", r"line 2 \(\.\./own/happy/b\.wav; there is happy/b\.wav\)"),
        ("happy/b\x00.wav", r"not below own/"),
    ],
)
def test_a_path_that_means_two_files_or_none_is_refused_with_what_is_there(text, why, store):
    for name in ("sad/A.wav", "sad/a.wav", "happy/b.wav"):
        put(store.raw / "own" / name)
    put(store.raw / "own" / "clips.csv", f"path,emotion\n{text},sad\n")
    with pytest.raises(FileNotFoundError, match=why):
        load(store)


def test_one_file_named_in_two_ways_is_named_twice(store):
    put(store.raw / "own" / "sad" / "a.wav")
    put(store.raw / "own" / "clips.csv", "path,emotion\nsad/a.wav,sad\nown\\SAD\\a,happy\n")
    with pytest.raises(ValueError, match=r"more than once: sad/a\.wav \(lines 2, 3\)"):
        load(store)


def test_a_list_of_features_is_not_taken_for_the_table(store):
    put(store.raw / "own" / "sad" / "a.wav")
    put(store.raw / "own" / "features.csv", "file,f0,loudness\na.wav,1,2\n")
    assert load(store)["emotion"].tolist() == ["sad"]
    assert "1 .csv; first own/features.csv" in audited(store)[0]["not read", ""][0]
    put(store.raw / "own" / "labels.csv", "Path;Emotion\nsad/a.wav;happy\n")
    assert load(store)["emotion"].tolist() == ["happy"]


def test_a_table_with_other_headings_says_so_where_no_folder_gives_the_emotion(store):
    put(store.raw / "own" / "a.wav")
    put(store.raw / "own" / "labels.csv", "file,label\na.wav,sad\n")
    with pytest.raises(ValueError, match=r"labels\.csv lacks path and emotion \(found file, label\)"):
        load(store)


def test_recordings_that_the_table_does_not_list_are_not_as_expected(store):
    put(store.raw / "own" / "a.wav")
    put(store.raw / "own" / "b.wav", seed=1)
    put(store.raw / "own" / "clips.csv", "path,emotion\na.wav,sad\n")
    issues, verdict = audited(store)
    assert issues["unused", ""][0].startswith("1 files, first b.wav: not listed in the table; add a line")
    assert verdict == "look"


# Two corpora


def test_a_sound_in_two_corpora_is_named_with_both_files(store):
    one, two = "03-01-05-01-01-01-01", "03-01-04-01-01-01-02"  # angry, sad
    put(store.raw / "ravdess" / f"{one}.wav", seed=1)
    put(store.raw / "ravdess" / f"{two}.wav", seed=2)
    put(store.raw / "own" / "angry" / "copy.wav", seed=1)
    put(store.raw / "own" / "happy" / "other.wav", seed=2)
    put(store.raw / "own" / "sad" / "new.wav", seed=3)
    table, details, code = audit.validate(store, CONFIG)
    told = details[details["issue"].isin(["duplicate", "conflict"])].set_index("clip_id")["detail"].to_dict()
    assert told == {
        "own/angry/copy": f"own/angry/copy.wav (angry) is the same sound as ravdess/{one}.wav (angry), which is used",
        "own/happy/other": f"own/happy/other.wav (happy) is the same sound as ravdess/{two}.wav (sad), "
        "and with different labels none is used",
    }
    assert (code, table.set_index("corpus")["verdict"]["own"]) == (1, "look")
