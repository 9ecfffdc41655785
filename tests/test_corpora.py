"""Corpora → clips: one contract over all corpora, golden rows for each, and data as people really have it."""

from __future__ import annotations

import dataclasses
import json
import os
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from ser_study import config as settings
from ser_study import corpora, schema
from ser_study.corpora import audit, scan
from ser_study.corpora.files import audio_files, side_file
from ser_study.corpora.info import canonical_emotion
from ser_study.store import Store

CONFIG = settings.load(
    "demo",
    {"synthetic.n_speakers": 2, "synthetic.n_statements": 2, "run.jobs": 1},
)
EVALUATION = """\
% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]

[6.2901 - 8.2357]\tSes01F_impro04_M003\tfru\t[2.5000, 2.5000, 2.5000]
C-E2:\tFrustration;\t()
C-E3:\tFrustration; Anger;\t()
C-E4:\tNeutral;\t(curious)
C-M1:\tSadness;\t()
A-E3:\tval 3; act 2; dom  2;\t()

[9.0 - 10.0]\tSes01F_script01_1b_F000\txxx\t[2.5000, 2.5000, 2.5000]
C-E2:\tSadness;\t()
C-E3:\tAnger;\t()

[11.0 - 12.0]\tSes01F_impro04_F009\thap\t[4.0000, 2.5000, 2.5000]
C-E2:\tHappiness;\t()
"""
VOTES = """\
"","A","D","F","H","N","S","fileName","agreement"
"100001",0,1,2,0,6,0,"1046_IWW_NEU_XX",0.6
"100002",1,0,0,0,0,0,"1046_IWW_NEU_XX",1
"200001",9,9,9,9,9,9,"1046_IWW_NEU_XX",0.1
"100003",1,0,0,6,2,0,"1001_IEO_HAP_HI",0.6
"""
ACTORS = """\
"ActorID","Age","Sex","Race","Ethnicity"
1001,51,"Male","Caucasian","Not Hispanic"
1046,22,"Female","Unknown","Hispanic"
"""
RECOGNITION = (
    "Nr.\tSatz\terkannt\tnatuerlich\r\n"
    "3\xa0\xa0\t03a01Fa.wav\t90,00\xa0\xa0\t75,00\xa0\r\n"
    "9\t16b10Wb.wav\t85,50\t1,00\r\n"
)
FILES = {  # corpus → file below its folder → its text; a tone where there is none
    "ravdess": {
        "Audio_Speech_Actors_01-24/Actor_18/03-01-05-01-02-01-18.wav": "",
        "song/03-02-06-02-01-02-07.flac": "",
    },
    "tess": {
        "TESS/YAF_pleasant_surprised/YAF_back_ps.wav": "",
        "OA_bite_neutral/OA_bite_neutral.wav": "",
        "OAF_Fear/OAF_food_fear.ogg": "",
    },
    "savee": {"AudioData/DC/sa01.wav": "", "KL_a15.wav": ""},
    "crema_d": {
        "AudioWAV/1001_IEO_HAP_HI.wav": "",
        "AudioWAV/1046_IWW_NEU_XX.wav": "",
        "processedResults/tabulatedVotes.csv": VOTES,
        "VideoDemographics.csv": ACTORS,
    },
    "iemocap": {
        "Session1/sentences/wav/Ses01F_impro04/Ses01F_impro04_M003.wav": "",
        "Session1/sentences/wav/Ses01F_script01_1b/Ses01F_script01_1b_F000.wav": "",
        "Session1/dialog/wav/Ses01F_impro04.wav": "",
        "Session1/dialog/EmoEvaluation/Ses01F_impro04.txt": EVALUATION,
    },
    "emodb": {"wav/03a01Fa.wav": "", "wav/16b10Wb.wav": "", "erkennung.txt": RECOGNITION},
    "jl": {
        "Raw JL corpus/JL(wav+txt)/male1_angry_10a_2.wav": "",
        "female2_excited_3b_1.wav": "",
        "male1_anxious_1a_1.wav": "",
    },
    "own": {
        "anna/1.wav": "",
        "ben {2}.wav": "",
        "spare.wav": "",
        "clips.csv": "path,emotion,speaker,gender,age\nanna/1.wav,Anger,anna,F,31\nben {2}.wav,joy,,,\n",
    },
    "synthetic": {},
}
GOLDEN = {  # corpus → what the row of one clip says
    "ravdess": {
        "clip_id": "ravdess/03-01-05-01-02-01-18",
        "path": "ravdess/Audio_Speech_Actors_01-24/Actor_18/03-01-05-01-02-01-18.wav",
        "emotion": "angry",
        "intensity": "normal",
        "speaker": "ravdess/18",
        "statement": "ravdess/02",
        "take": "ravdess|ravdess/18|angry|normal|ravdess/02|speech",
        "gender": "female",
        "channel": "speech",
        "repetition": "1",
        "language": "en",
    },
    "tess": {
        "clip_id": "tess/YAF_back_ps",
        "emotion": "surprised",
        "speaker": "tess/YAF",
        "statement": "tess/back",
        "gender": "female",
        "age": 26.0,
        "channel": "speech",
    },
    "savee": {
        "clip_id": "savee/DC_sa01",
        "emotion": "sad",
        "speaker": "savee/DC",
        "statement": None,
        "take": None,
        "gender": "male",
    },
    "crema_d": {
        "clip_id": "crema_d/1046_IWW_NEU_XX",
        "emotion": "neutral",
        "intensity": None,
        "speaker": "crema_d/1046",
        "statement": "crema_d/IWW",
        "gender": "female",
        "age": 22.0,
        "race": None,
        "ethnicity": "Hispanic",
        "human_votes": '{"angry": 1, "disgust": 1, "fearful": 2, "happy": 0, "neutral": 6, "sad": 0}',
        "human_agreement": 0.6,
        "human_recognition": 0.6,
    },
    "iemocap": {
        "clip_id": "iemocap/Ses01F_impro04_M003",
        "emotion": "frustrated",
        "speaker": "iemocap/Ses01M",
        "statement": "iemocap/impro04",
        "gender": "male",
        "session": "1",
        "script": "impro04",
        "human_votes": '{"angry": 1, "frustrated": 2, "neutral": 1}',
        "human_agreement": 0.5,
        "human_recognition": None,
    },
    "emodb": {
        "clip_id": "emodb/03a01Fa",
        "emotion": "happy",
        "speaker": "emodb/03",
        "statement": "emodb/a01",
        "take": "emodb|emodb/03|happy||emodb/a01|speech",
        "gender": "male",
        "age": 31.0,
        "repetition": "a",
        "language": "de",
        "human_recognition": 0.9,
    },
    "jl": {
        "clip_id": "jl/male1_angry_10a_2",
        "emotion": "angry",
        "speaker": "jl/male1",
        "statement": "jl/10",
        "gender": "male",
        "session": "a",
        "repetition": "2",
    },
    "own": {
        "clip_id": "own/anna/1",
        "emotion": "angry",
        "speaker": "own/anna",
        "statement": None,
        "gender": "female",
        "age": 31.0,
    },
    "synthetic": {
        "clip_id": "synthetic/f01-angry-strong-s2-t1",
        "emotion": "angry",
        "intensity": "strong",
        "speaker": "synthetic/01",
        "gender": "female",
    },
}


def tone(path: Path, *, sample_rate: int = 16_000, n_samples: int = 4_000, channels: int = 1) -> None:
    """A short tone; another path gives another sound."""
    random = np.random.default_rng(zlib.crc32(str(path.name).encode()))
    samples = 0.1 * random.standard_normal((n_samples, 1)).repeat(channels, axis=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, sample_rate)


def plant(name: str, root: Path) -> None:
    """A tiny tree of a corpus."""
    for file, text in FILES[name].items():
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        if text:
            path.write_bytes(text.encode("latin-1"))
        else:
            tone(path)


@pytest.fixture
def load(store):
    """``load(name)`` plants a corpus and loads it."""

    def loaded(name: str) -> pd.DataFrame:
        plant(name, store.raw / name)
        return corpora.load(name, config=CONFIG, store=store)

    return loaded


# The contract


def test_every_corpus_has_a_tree_and_a_golden_row():
    assert set(corpora.names()) == set(FILES) == set(GOLDEN)


@pytest.mark.parametrize("name", corpora.names())
def test_contract(name, load, store):
    clips = load(name)
    assert list(clips.columns) == [*schema.CLIP_COLUMNS, "silent"]
    pd.testing.assert_frame_equal(schema.check_clips(clips), clips.drop(columns="silent"))
    assert clips["clip_id"].is_monotonic_increasing
    assert set(clips["corpus"]) == {name}
    assert all((corpora.root_of(name, store) / path).is_file() for path in clips["path"])
    assert clips[["duration", "sample_rate", "n_channels", "sha256"]].notna().all().all()
    assert set(clips["gender"].dropna()) <= {"female", "male"}
    assert set(clips["channel"].dropna()) <= {"speech", "song"}
    assert clips["human_agreement"].dropna().between(0, 1).all()
    assert clips["human_recognition"].dropna().between(0, 1).all()
    votes = [json.loads(votes) for votes in clips["human_votes"].dropna()]
    assert all(set(vote) <= set(schema.EMOTIONS) for vote in votes)
    for emotion in set(clips["emotion"].dropna()):
        assert emotion in schema.EMOTIONS


@pytest.mark.parametrize("name", corpora.names())
def test_golden_row(name, load):
    clips = load(name).set_index("clip_id", drop=False)
    row = clips.loc[GOLDEN[name]["clip_id"]]
    for column, value in GOLDEN[name].items():
        assert pd.isna(row[column]) if value is None else row[column] == value, column


@pytest.mark.parametrize("name", corpora.names())
def test_facts_are_complete(name):
    info = corpora.module(name).INFO
    assert info.name == name
    assert all(getattr(info, item) for item in ("title", "description", "licence", "citation", "source", "how_to_get"))
    assert all(clip.startswith(f"{name}/") for clip in info.known_defects)
    assert all(0 < share < 1 for share in info.human_figures.values())
    assert not info.part or info.part in schema.CLIP_COLUMNS
    assert len(corpora.module(name).__doc__) > 300, "a corpus module describes its corpus"
    assert dataclasses.is_dataclass(info)


@pytest.mark.parametrize("name", corpora.names())
def test_load_twice_is_equal_and_scans_once(name, load, store, monkeypatch):
    first = load(name)
    monkeypatch.setattr(scan, "scan", None)  # a second scan would fail
    pd.testing.assert_frame_equal(corpora.load(name, config=CONFIG, store=store), first)


@pytest.mark.parametrize("name", [name for name in corpora.names() if name != "synthetic"])
def test_absent_corpus_says_how_to_get_it(name, store):
    with pytest.raises(FileNotFoundError, match="No clip of") as error:
        corpora.load(name, config=CONFIG, store=store)
    assert corpora.module(name).INFO.how_to_get in str(error.value)


def test_present_lists_those_with_audio(store):
    (store.raw / "tess").mkdir(parents=True)
    plant("emodb", store.raw / "emodb")
    plant("emodb", store.raw / "synthetic")
    assert corpora.present(store.raw) == ["emodb"]
    assert corpora.present(store.raw / "nowhere") == []


def test_unknown_corpus_is_answered_with_a_suggestion():
    with pytest.raises(ValueError, match="did you mean 'ravdess'"):
        corpora.module("ravdes")
    with pytest.raises(ValueError, match="did you mean 'ravdess-speech'"):
        corpora.corpus_of("ravdess-speach")


# What each corpus hides


def test_tess_actresses_are_women_and_the_misnamed_clip_is_the_older_ones(load):
    clips = load("tess").set_index("clip_id")
    assert set(clips["gender"]) == {"female"}
    assert clips.loc["tess/OA_bite_neutral", ["speaker", "statement", "age"]].tolist() == ["tess/OAF", "tess/bite", 64]


def test_ravdess_stem_decides_and_video_is_left_out(store, load):
    for stem in ("01-01-05-01-02-01-18", "02-01-05-01-02-01-18", "03-01-09-01-02-01-18", "03-01-05-01-02-01-25"):
        tone(store.raw / "ravdess" / f"{stem}.wav")
    clips = load("ravdess")
    assert clips["channel"].tolist() == ["speech", "song"]
    assert clips["gender"].tolist() == ["female", "male"]


def test_crema_d_keeps_intensity_only_where_it_is_acted(load):
    assert load("crema_d").set_index("statement")["intensity"].to_dict() == {
        "crema_d/IEO": "high",
        "crema_d/IWW": np.nan,
    }


def test_crema_d_without_side_files_is_loaded_without_their_columns(store):
    tone(store.raw / "crema_d/1001_IEO_HAP_HI.wav")
    clips = corpora.load("crema_d", config=CONFIG, store=store)
    assert clips[["gender", "age", "human_votes", "human_recognition"]].isna().all().all()


@pytest.mark.parametrize(
    ("corpus", "file", "text", "match"),
    [
        ("crema_d", "VideoDemographics.csv", "a,b\n1,2\n", "lacks the columns ActorID"),
        ("crema_d", "ratings/tabulatedVotes.csv", "", "cannot be read"),
        ("emodb", "erkennung.txt", "<html>not found</html>", "restore the original"),
        ("savee", "sentences.csv", "code,words\n", "needs file and sentence"),
        ("own", "clips.csv", "", "needs path,emotion"),
        ("own", "clips.csv", "path,emotion\nanna/1.wav,grumpy\nanna/1.wav,\n", r"line 2 'grumpy', line 3 ''"),
        ("own", "clips.csv", "path,emotion,sex\nanna/1.wav,sad,f\n", "unknown columns: sex"),
        ("own", "clips.csv", "path,emotion,speeker\nanna/1.wav,sad,f\n", "did you mean 'speaker'"),
        ("own", "clips.csv", "path,emotion,age\nanna/1.wav,sad,old\n", "line 2 'old'"),
        ("own", "clips.csv", "path,emotion,gender\nanna/1.wav,sad,x\n", "female or male"),
        ("own", "clips.csv", "path,emotion\nanna/1.wav,sad,x\n", "line 2 has not the 2 columns"),
        ("own", "clips.csv", "path,emotion\nanna/1.wav\n", "line 2 has not the 2 columns"),
        ("own", "clips.csv", "path,emotion\n\xe4.wav,sad\n", "save it as CSV UTF-8"),
        ("own", "second.csv", "path,emotion\n", "2 tables|name the one"),
    ],
)
def test_bad_side_file_is_a_clear_error(corpus, file, text, match, store):
    plant(corpus, store.raw / corpus)
    path = store.raw / corpus / file
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text.encode("latin-1"))
    if corpus == "crema_d" and "/" in file:
        (store.raw / "crema_d/processedResults/tabulatedVotes.csv").unlink()
    if file == "second.csv":
        (store.raw / "own/clips.csv").rename(store.raw / "own/first.csv")
    with pytest.raises(ValueError, match=match):
        corpora.load(corpus, config=CONFIG, store=store)


@pytest.mark.parametrize("path", ["nowhere.wav", "../emodb/wav/03a01Fa.wav", "/etc/hostname", ""])
def test_own_table_names_lines_of_files_that_are_not_there(path, store):
    plant("emodb", store.raw / "emodb")
    plant("own", store.raw / "own")
    (store.raw / "own/clips.csv").write_text(f"path,emotion\n{path},sad\n")
    with pytest.raises(FileNotFoundError, match=r"1 of 1 files that are not below own/: line 2"):
        corpora.load("own", config=CONFIG, store=store)


def test_own_folders_need_no_table(store):
    tone(store.raw / "own/Anger/trip to Köln/ä {x}.wav")
    tone(store.raw / "own/pleasant_surprise/1.flac")
    clips = corpora.load("own", config=CONFIG, store=store)
    assert clips["emotion"].tolist() == ["angry", "surprised"]
    assert clips["clip_id"].tolist() == ["own/Anger/trip to Köln/ä {x}", "own/pleasant_surprise/1"]
    assert clips["speaker"].isna().all()


def test_own_folders_refuse_unknown_words_and_loose_files(store):
    tone(store.raw / "own/grumpy/1.wav")
    with pytest.raises(ValueError, match="folder 'grumpy'"):
        corpora.load("own", config=CONFIG, store=store)
    tone(store.raw / "own/1.wav")
    with pytest.raises(ValueError, match=r"1 files lie directly in own/ \(first 1.wav\)"):
        corpora.load("own", config=CONFIG, store=store)


def test_own_table_may_use_semicolons(store):
    plant("own", store.raw / "own")
    (store.raw / "own/clips.csv").write_text("path;emotion;age\nanna/1.wav;Traurig;31,5\n".replace("Traurig", "sorrow"))
    assert corpora.load("own", config=CONFIG, store=store)["age"].tolist() == [31.5]


@pytest.mark.parametrize(
    "text",
    [
        "path\temotion\tspeaker\nanna/1.wav\tsad\tanna\n",
        "sep=;\npath;emotion;speaker\nanna/1.wav;sad;anna\n",
        "Path,Emotion,Speaker\nanna/1.wav,sad,anna\n",
        ",path,emotion,speaker\n0,anna/1.wav,sad,anna\n",
        "path,emotion,speaker\nanna\\1.wav,sad,anna\n",
        "path,emotion,speaker\nown/anna/1.wav,sad,anna\n",
        "path,emotion,speaker\nHERE/anna/1.wav,sad,anna\n",
    ],
)
def test_own_table_is_read_as_spreadsheets_and_scripts_write_it(store, text):
    tone(store.raw / "own/anna/1.wav")
    (store.raw / "own/clips.csv").write_text(text.replace("HERE", str((store.raw / "own").absolute())))
    clips = corpora.load("own", config=CONFIG, store=store)
    assert clips[["clip_id", "emotion", "speaker"]].to_numpy().tolist() == [["own/anna/1", "sad", "own/anna"]]


def test_own_speakers_are_people_and_no_words_for_unknown(store):
    """``NA`` and ``-`` are nobody; one name composed, decomposed and with an invisible sign is one person."""
    names = ["NA", "-", "unknown", "Zo\u00eb", "Zoe\u0308", "Zo\u00eb\u200b", " anna "]
    for number in range(len(names)):
        tone(store.raw / f"own/{number}.wav")
    lines = [f"{number}.wav,sad,{name}" for number, name in enumerate(names)]
    (store.raw / "own/clips.csv").write_text("\n".join(["path,emotion,speaker", *lines]), encoding="utf-8")
    speakers = corpora.load("own", config=CONFIG, store=store)["speaker"]
    assert speakers.isna().tolist() == [True] * 3 + [False] * 4
    assert speakers.dropna().tolist() == ["own/Zo\u00eb"] * 3 + ["own/anna"]


def test_own_table_with_a_heading_twice_is_refused(store):
    tone(store.raw / "own/1.wav")
    (store.raw / "own/clips.csv").write_text("path,emotion,speaker,Speaker\n1.wav,sad,anna,ben\n")
    with pytest.raises(ValueError, match="has the column 'speaker' more than once"):
        corpora.load("own", config=CONFIG, store=store)
    (store.raw / "own/clips.csv").write_text("file,label\n1.wav,sad\n")
    with pytest.raises(ValueError, match=r"lacks path and emotion \(found file, label\)"):
        corpora.load("own", config=CONFIG, store=store)


def test_savee_statement_comes_from_the_sentence_list_alone(store, load):
    assert load("savee")["statement"].isna().all()
    (store.raw / "savee/sentences.csv").write_text("file,sentence\nsa01,She had your suit.\nKL_a15,she HAD your suit\n")
    clips = corpora.load("savee", config=CONFIG, store=store)
    assert clips["statement"].tolist() == ["savee/she-had-your-suit"] * 2
    assert clips["take"].notna().all()


def test_iemocap_no_agreement_is_empty_and_unlabelled_audio_is_left_out(store, load):
    tone(store.raw / "iemocap/Session1/sentences/wav/Ses01F_impro04/Ses01F_impro04_F077.wav")
    clips = load("iemocap").set_index("clip_id")
    assert clips.index.tolist() == ["iemocap/Ses01F_impro04_M003", "iemocap/Ses01F_script01_1b_F000"]
    scripted = clips.loc["iemocap/Ses01F_script01_1b_F000"]
    assert pd.isna(scripted["emotion"])
    assert scripted["human_agreement"] == 0.5
    assert (scripted["script"], scripted["statement"]) == ("script01_1b", "iemocap/script01_1")
    assert len(corpora.select(clips.reset_index(), "iemocap-improvised")) == 1


def test_iemocap_without_label_files_says_what_to_copy(store):
    tone(store.raw / "iemocap/Ses01F_impro04_M003.wav")
    with pytest.raises(FileNotFoundError, match="EmoEvaluation"):
        corpora.load("iemocap", config=CONFIG, store=store)


def test_select_parts(load):
    clips = load("ravdess")
    assert corpora.select(clips, "ravdess-song")["clip_id"].tolist() == ["ravdess/03-02-06-02-01-02-07"]
    assert len(corpora.select(clips, "ravdess")) == 2
    assert corpora.select(clips, "tess").empty
    assert corpora.corpus_of("ravdess-song") == "ravdess"


@pytest.mark.parametrize(
    ("word", "emotion"),
    [
        ("Anger", "angry"),
        (" NEUTRAL ", "neutral"),
        ("pleasant-surprise", "surprised"),
        ("fear", "fearful"),
        ("x", None),
    ],
)
def test_words_for_emotions(word, emotion):
    assert canonical_emotion(word) == emotion


# Files as people have them


def test_walk_follows_links_but_no_loops_and_leaves_hidden_files(tmp_path):
    tone(tmp_path / "a/1.wav")
    tone(tmp_path / "a/._1.wav")
    tone(tmp_path / "__MACOSX/2.wav")
    tone(tmp_path / "elsewhere/3.WAV")
    (tmp_path / "a/notes.txt").write_text("no audio")
    (tmp_path / "a/up").symlink_to(tmp_path)
    (tmp_path / "a/self").symlink_to(tmp_path / "a")
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus/link").symlink_to(tmp_path / "elsewhere")
    assert [path.name for path in audio_files(tmp_path / "a")] == ["1.wav", "3.WAV"]
    assert [path.name for path in audio_files(tmp_path / "corpus")] == ["3.WAV"]


def test_whether_a_corpus_is_here_is_told_by_its_first_file(tmp_path, monkeypatch):
    for folder in ("tess/a", "tess/b"):
        tone(tmp_path / folder / "1.wav")
    looked = []
    real = os.walk

    def walk(*arguments, **options):
        for step in real(*arguments, **options):
            looked.append(Path(step[0]).name)
            yield step

    monkeypatch.setattr(os, "walk", walk)
    assert corpora.present(tmp_path) == ["tess"]
    assert set(looked) == {"tess", "a"}


def test_folder_that_cannot_be_read_is_an_error(tmp_path, monkeypatch):
    (tmp_path / "closed").mkdir()
    real = os.scandir

    def refusing(path):
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(OSError, match="cannot be read .*check its permissions"):
        audio_files(tmp_path)


def test_file_name_that_is_no_unicode_is_an_error(tmp_path):
    os.close(os.open(os.fsencode(tmp_path) + b"/\xff.wav", os.O_CREAT))
    with pytest.raises(ValueError, match="not valid Unicode; rename"):
        audio_files(tmp_path)


def test_side_file_is_found_by_name_anywhere(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b/x.csv").write_text("")
    assert side_file(tmp_path, "a/x.csv") == tmp_path / "b/x.csv"
    assert side_file(tmp_path, "y.csv") is None


def test_suffix_lies_and_content_decides(store):
    folder = store.raw / "emodb"
    tone(folder / "03a01Fa.aiff")
    (folder / "03a01Fa.aiff").rename(folder / "03a01Fa.wav")
    tone(folder / "03a01Nc.flac", sample_rate=96_000, channels=6)
    clips = corpora.load("emodb", config=CONFIG, store=store)
    assert clips["sample_rate"].tolist() == [16_000, 96_000]
    assert clips["n_channels"].tolist() == [1, 6]


def test_same_sound_in_another_container_has_the_same_hash(store):
    folder = store.raw / "emodb"
    tone(folder / "03a01Fa.wav")
    samples, sample_rate = soundfile.read(folder / "03a01Fa.wav")
    soundfile.write(folder / "03a02Fc.flac", samples, sample_rate)
    soundfile.write(folder / "03a04Fd.wav", np.stack([samples, samples], axis=1), sample_rate)
    assert corpora.load("emodb", config=CONFIG, store=store)["sha256"].nunique() == 1


def test_archive_unpacked_twice_counts_once(store, load):
    plant("tess", store.raw / "tess/again")
    with pytest.warns(UserWarning, match="3 files repeat another file"):
        assert len(load("tess")) == 3


def test_two_different_files_of_one_name_are_an_error(store):
    tone(store.raw / "emodb/a/03a01Fa.wav")
    tone(store.raw / "emodb/b/03a01Fa.wav", n_samples=5_000)
    with pytest.raises(ValueError, match=r"emodb/a/03a01Fa.wav and emodb/b/03a01Fa.wav"):
        corpora.load("emodb", config=CONFIG, store=store)


def test_changed_file_is_scanned_again(store, load):
    before = load("jl").set_index("clip_id")["duration"]
    tone(store.raw / "jl/female2_excited_3b_1.wav", n_samples=8_000)
    after = corpora.load("jl", config=CONFIG, store=store).set_index("clip_id")["duration"]
    assert (before["jl/female2_excited_3b_1"], after["jl/female2_excited_3b_1"]) == (0.25, 0.5)
    assert before["jl/male1_angry_10a_2"] == after["jl/male1_angry_10a_2"]


def test_number_of_workers_changes_nothing(tmp_path):
    for i in range(40):
        tone(tmp_path / f"{i:02d}.wav", n_samples=1_000 + i)
    (tmp_path / "20.wav").write_text("no sound")
    paths = sorted(path.name for path in tmp_path.iterdir())
    one, two = (scan.scan(paths, base=tmp_path, jobs=jobs) for jobs in (1, 2))
    pd.testing.assert_frame_equal(one, two)
    assert one["error"].notna().sum() == 1
    assert one["path"].tolist() == paths


# What may be studied


def made_up(*rows: tuple) -> pd.DataFrame:
    """Clips table from (clip_id, emotion, sha256, silent)."""
    table = pd.DataFrame(rows, columns=["clip_id", "emotion", "sha256", "silent"])
    table["corpus"] = table["clip_id"].str.split("/").str[0]
    return schema.check_clips(table.reindex(columns=list(schema.CLIP_COLUMNS))).assign(silent=table["silent"])


def test_analysed_keeps_the_first_copy_and_drops_conflicts_silence_and_damage():
    clips = made_up(
        ("a/4", "sad", "x", False),
        ("a/1", "sad", "x", False),
        ("a/2", "sad", "y", False),
        ("a/3", "angry", "y", False),
        ("a/5", "sad", "z", True),
        ("a/6", "sad", None, False),
        ("a/7", "sad", "w", False),
        ("b/1", "sad", "w", False),
        ("a/8", None, "v", False),
        ("a/9", "sad", "v", False),
        ("a/10", "other", "u", False),
    )
    analysed, dropped = corpora.analysed(clips)
    assert analysed["clip_id"].tolist() == ["a/1", "a/7", "a/9"]
    assert list(analysed.columns) == list(schema.CLIP_COLUMNS)
    assert dropped.set_index("clip_id")["reason"].to_dict() == {
        "a/4": "duplicate",
        "a/2": "conflict",
        "a/3": "conflict",
        "a/5": "silent",
        "a/6": "unreadable",
        "b/1": "duplicate",
        "a/8": "unlabelled",
        "a/10": "unlabelled",
    }
    assert "a/1" in dropped["detail"][0]


def test_of_copies_in_two_corpora_the_published_one_stays():
    clips = made_up(("own/1", "sad", "x", False), ("ravdess/1", "sad", "x", False), ("tess/1", "sad", "y", False))
    analysed, dropped = corpora.analysed(clips)
    assert analysed["clip_id"].tolist() == ["ravdess/1", "tess/1"]
    assert dropped["detail"].tolist() == ["the same sound and label as ravdess/1, which stays"]


def test_analysed_needs_to_know_what_is_silent():
    with pytest.raises(ValueError, match="lacks silent"):
        corpora.analysed(made_up(("a/1", "sad", "x", False)).drop(columns="silent"))


def test_take_joins_what_makes_a_take(load):
    clips = load("ravdess")
    row = clips.iloc[0].to_dict()
    assert corpora.take_of(row) == row["take"]
    assert corpora.take_of(row | {"repetition": "2", "path": "x"}) == row["take"]
    for column in ("speaker", "emotion", "intensity", "statement", "channel"):
        assert corpora.take_of(row | {column: "other"}) != row["take"]
    assert corpora.take_of(row | {"statement": np.nan}) is None


# The real corpora


@pytest.fixture(scope="module")
def real(real_store) -> tuple[Store, dict[str, pd.DataFrame]]:
    """Every real corpus that is here, loaded once."""
    config = settings.load("full")
    names = corpora.present(real_store.raw)
    return real_store, {name: corpora.load(name, config=config, store=real_store) for name in names}


EXPECTED = {  # selection → clips found, clips analysed, speakers, women, statements
    "ravdess-speech": (1440, 1439, 24, 12, 2),
    "ravdess-song": (1012, 1012, 23, 11, 2),
    "tess": (2800, 2800, 2, 2, 200),
    "crema_d": (7442, 7435, 91, 43, 12),
    "emodb": (535, 535, 10, 5, 10),
}


@pytest.mark.corpus
@pytest.mark.parametrize("selection", EXPECTED)
def test_real_counts(selection, real):
    _, loaded = real
    if corpora.corpus_of(selection) not in loaded:
        pytest.skip(f"{selection} is not here")
    clips = loaded[corpora.corpus_of(selection)]
    analysed, _ = corpora.analysed(clips)
    chosen = corpora.select(clips, selection)
    n_women = chosen[chosen["gender"] == "female"]["speaker"].nunique()
    counts = (chosen["speaker"].nunique(), n_women, chosen["statement"].nunique())
    assert (len(chosen), len(corpora.select(analysed, selection)), *counts) == EXPECTED[selection]
    assert chosen[["emotion", "take", "gender", "duration", "sha256"]].notna().all().all()


@pytest.mark.corpus
def test_real_corpora_validate_as_expected(real):
    store, loaded = real
    table, details, code = audit.validate(store, settings.load("full"))
    assert code == 0, details[~details["known"]].to_string()
    assert set(table.loc[table["verdict"] == "as expected", "corpus"]) == set(loaded)
    seen = set(zip(details["issue"], details["clip_id"]))
    if "crema_d" in loaded:
        assert ("silent", "crema_d/1076_MTI_SAD_XX") in seen
        pairs = ("1006_TIE_HAP", "1006_TIE_NEU", "1013_WSI_DIS", "1013_WSI_SAD", "1017_IWW_ANG", "1017_IWW_FEA")
        conflicts = {clip for issue, clip in seen if issue == "conflict"}
        assert conflicts == {f"crema_d/{pair}_XX" for pair in pairs}
    if "ravdess" in loaded:
        assert {clip for issue, clip in seen if issue == "duplicate"} == {"ravdess/03-01-03-01-02-02-07"}
        assert sum(issue == "stereo" for issue, _ in seen) == 6


@pytest.mark.corpus
def test_real_listeners_agree_with_the_published_figures(real):
    _, loaded = real
    if "crema_d" not in loaded or "emodb" not in loaded:
        pytest.skip("CREMA-D and EMO-DB are not both here")
    votes = pd.DataFrame([json.loads(vote) for vote in loaded["crema_d"]["human_votes"]])
    intended = loaded["crema_d"]["emotion"]
    right = sum(votes[emotion][intended == emotion].sum() for emotion in votes)
    assert votes.to_numpy().sum() == 68_568
    assert right / 68_568 == pytest.approx(0.400, abs=0.0005)
    emodb = loaded["emodb"].groupby("emotion")["human_recognition"].mean()
    assert emodb.mean() == pytest.approx(0.930, abs=0.0005)
