"""Hostile inputs, numbered: each is answered by a clear message (what, found, what to do) or by the right answer."""

from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
import sys
import warnings
from functools import partial
from pathlib import Path

import hostile_inputs as hostile
import hostile_runs as runs
import numpy as np
import pandas as pd
import pytest
import soundfile

from ser_study import config as settings
from ser_study import corpora, features, splits
from ser_study.corpora import audit
from ser_study.parallel import parallel_map
from ser_study.report import clean
from ser_study.store import Store, open_folders, settle_paths

PROJECT = Path(__file__).resolve().parents[1]
CONFIG = settings.load("demo", {"run.jobs": 1})
RATE, voice, write = hostile.RATE, hostile.voice, hostile.write


def case(number: int, words: str, *values):
    """One numbered hostile input."""
    return pytest.param(*values, id=f"{number:02d} {words}")


def own(store: Store, name: str = "") -> Path:
    """A file of one's own recordings, all of them sad; without a name their folder."""
    folder = store.raw / "own" / "sad"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / name


def audited(store: Store, corpus: str = "own") -> tuple[dict, int]:
    """Issues as (issue, last part of the clip id) → detail, and the exit code of validate."""
    _, details, code = audit.validate(store, CONFIG, [corpus])
    return {(row.issue, row.clip_id.rpartition("/")[2]): row.detail for row in details.itertuples()}, code


def loaded(store: Store, corpus: str = "own") -> pd.DataFrame:
    return corpora.load(corpus, config=CONFIG, store=store)


def _truncated_header(folder: Path) -> bytes:
    return hostile.wav_bytes(folder)[:30]


def _truncated_data(folder: Path) -> bytes:
    return hostile.wav_bytes(folder)[:9000]


def _nan(folder: Path) -> bytes:
    return hostile.wav_bytes(folder, np.append(voice(), np.nan), subtype="FLOAT")


def _infinite(folder: Path) -> bytes:
    return hostile.wav_bytes(folder, np.append(voice(), -np.inf), subtype="FLOAT")


def _no_samples(folder: Path) -> bytes:
    return hostile.wav_bytes(folder, np.zeros(0))


def _absurd_rate(folder: Path) -> bytes:
    return hostile.patched(hostile.wav_bytes(folder), 24, 3)


def _git_lfs(_: Path) -> bytes:
    return b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"


UNREADABLE = [
    case(1, "empty file", lambda _: b"", ["empty (0 bytes)", "fetch it again"]),
    case(2, "text named wav", lambda _: b"I am no sound.", ["'I am no sound.'", "text", "fetch it again"]),
    case(3, "truncated header", _truncated_header, ["cannot be decoded", "Fetch it again", "(30 bytes)"]),
    case(4, "truncated data", _truncated_data, ["cut short: 8956 of 32000 bytes", "fetch it again"]),
    case(5, "NaN samples", _nan, ["1 of 16001 samples are NaN", "repair or leave out"]),
    case(6, "infinite samples", _infinite, ["1 of 16001 samples", "infinite", "repair or leave out"]),
    case(7, "header without samples", _no_samples, ["no samples in it", "fetch the clip again"]),
    case(8, "absurd sample rate", _absurd_rate, ["sample rate of 3 Hz", "header is damaged", "fetch it again"]),
    case(9, "Git LFS pointer", _git_lfs, ["Git LFS pointer", "git lfs pull"]),
    case(
        10, "random bytes", lambda _: np.random.default_rng(1).bytes(4000), ["cannot be decoded", "convert it to wav"]
    ),
]


@pytest.mark.parametrize(("content", "words"), UNREADABLE)
def test_what_is_no_sound_is_named_with_its_reason_and_left_out(content, words, store, tmp_path):
    write(own(store, "good.wav"), voice())
    own(store, "bad.wav").write_bytes(content(tmp_path))
    issues, code = audited(store)
    detail = issues["unreadable", "bad"]
    assert code == 1
    assert all(word in detail for word in words)
    assert str(store.raw) not in detail
    clips, dropped = corpora.analysed(loaded(store))
    assert clips["clip_id"].tolist() == ["own/sad/good"]
    assert dropped[["clip_id", "reason"]].to_numpy().tolist() == [["own/sad/bad", "unreadable"]]


@pytest.mark.parametrize(
    "target", [case(11, "dangling symlink", "nowhere.wav"), case(12, "symlink to itself", "link.wav")]
)
def test_a_link_that_leads_nowhere_is_named(target, store):
    write(own(store, "good.wav"), voice())
    own(store, "link.wav").symlink_to(target)
    issues, code = audited(store)
    assert "the link leads nowhere" in issues["unreadable", "link"]
    assert code == 1
    assert corpora.analysed(loaded(store))[1]["reason"].tolist() == ["unreadable"]


def test_13_symlink_loop_of_folders_gives_each_clip_once(store):
    write(own(store, "a.wav"), voice())
    own(store, "loop").symlink_to(store.raw / "own", target_is_directory=True)
    assert loaded(store)["clip_id"].tolist() == ["own/sad/a"]


def test_14_folder_named_like_a_file_is_a_folder(store):
    write(own(store, "x.wav") / "y.wav", voice())
    assert loaded(store)["clip_id"].tolist() == ["own/sad/x.wav/y"]


def _refuse(*_, **__):
    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def test_15_unreadable_file_injected(store, monkeypatch):
    write(own(store, "good.wav"), voice())
    whole = soundfile.SoundFile
    write(own(store, "secret.wav"), voice(seed=1))
    monkeypatch.setattr(soundfile, "SoundFile", lambda path: _refuse() if "secret" in str(path) else whole(path))
    issues, code = audited(store)
    assert code == 1
    assert "cannot be decoded" in issues["unreadable", "secret"]
    assert "Permission denied" in issues["unreadable", "secret"]


def test_16_file_without_permission(store):
    if os.geteuid() == 0:
        pytest.skip("the superuser may read every file, so permissions do not bind; number 15 injects the refusal")
    write(own(store, "good.wav"), voice())
    write(own(store, "secret.wav"), voice(seed=1)).chmod(0)
    issues, code = audited(store)
    assert code == 1
    assert "check its permissions" in issues["unreadable", "secret"]


def _strong(seconds: float = 1.0) -> np.ndarray:
    return np.clip(voice(seconds, level=8.0), -1, 1)


PLAIN = {"pitch": hostile.PITCH}
ODD = [  # name of the file, samples, rate (Hz), format, what must be found
    case(17, "8-bit", "eight.wav", voice(seed=1), RATE, {"subtype": "PCM_U8"}, PLAIN),
    case(18, "24-bit", "deep.wav", voice(seed=2), RATE, {"subtype": "PCM_24"}, PLAIN),
    case(19, "32-bit float", "float.wav", voice(seed=3), RATE, {"subtype": "FLOAT"}, PLAIN),
    case(20, "96 kHz", "fast.wav", voice(rate=96_000), 96_000, {}, PLAIN | {"issue": "odd rate", "says": "96000 Hz"}),
    case(21, "8 kHz", "slow.wav", voice(rate=8000), 8000, {}, PLAIN | {"issue": "odd rate", "says": "8000 Hz"}),
    case(
        22,
        "six channels",
        "six.wav",
        np.stack([voice(seed=10 + i) for i in range(6)], axis=1),
        RATE,
        {},
        PLAIN | {"issue": "stereo", "says": "6 channels; their mean is used"},
    ),
    case(
        23,
        "stereo with opposite phases",
        "cancel.wav",
        np.stack([voice(), -voice()], axis=1),
        RATE,
        {"subtype": "FLOAT"},
        {"issue": "silent", "says": "its channels cancel each other out", "also": "stereo"},
    ),
    case(24, "50 ms", "short.wav", voice(0.05), RATE, {}, {"issue": "short", "says": "0.050 s, less than 0.1 s"}),
    case(25, "one sample", "one.wav", np.array([0.5]), RATE, {}, {"issue": "silent", "says": "peak", "also": "short"}),
    case(
        26,
        "ten minutes",
        "long.wav",
        np.tile(voice(10, rate=8000), 60),
        8000,
        {},
        PLAIN | {"issue": "long", "says": "600.0 s, more than 60 s; the middle is used", "also": "odd rate"},
    ),
    case(27, "digital silence", "still.wav", np.zeros(RATE), RATE, {}, {"issue": "silent", "says": "peak 0.000000"}),
    case(28, "voice on a constant offset", "offset.wav", voice(seed=4) + 0.4, RATE, {}, PLAIN),
    case(
        29, "clipped", "clipped.wav", _strong(), RATE, {}, PLAIN | {"issue": "clipped", "says": "samples at full scale"}
    ),
    case(30, "mp3 named wav", "layer3.wav", voice(seed=5), RATE, {"format": "MP3"}, PLAIN),
    case(31, "ogg named wav", "vorbis.wav", voice(seed=6), RATE, {"format": "OGG"}, PLAIN),
    case(32, "opus named wav", "opus.wav", voice(seed=7), RATE, {"format": "OGG", "subtype": "OPUS"}, PLAIN),
    case(33, "flac named wav", "flac.wav", voice(seed=8), RATE, {"format": "FLAC"}, PLAIN),
    case(34, "AIFF named wav", "aiff.wav", voice(seed=9), RATE, {"format": "AIFF"}, PLAIN),
    case(35, "upper-case suffix", "UPPER.WAV", voice(seed=20), RATE, {}, PLAIN),
    case(36, "unicode, space, braces, quotes", "ü é {0} {} \"q\" 'p' 声 😀.wav", voice(seed=21), RATE, {}, PLAIN),
    case(37, "newline in the name", "two\nlines.wav", voice(seed=22), RATE, {}, PLAIN),
    case(38, "very long name", "n" * 251 + ".wav", voice(seed=23), RATE, {}, PLAIN),
    case(39, "percent, hash, backslash, comma", "100%s #1 \\n, a;b.wav", voice(seed=24), RATE, {}, PLAIN),
]


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """Every odd sound in one folder: clips, dropped, features and issues."""
    folder = tmp_path_factory.mktemp("odd")
    store = Store(folder / "raw", folder / "derived", folder / "run", PROJECT)
    for param in ODD:
        name, samples, rate, how, _ = param.values
        write(own(store, name), samples, rate=rate, **how)
    issues, _ = audited(store)
    clips, dropped = corpora.analysed(loaded(store))
    table = features.load("summary", clips, config=CONFIG, store=store)
    return clips.set_index("clip_id"), dropped.set_index("clip_id"), table, issues


@pytest.mark.parametrize(("name", "samples", "rate", "how", "expected"), ODD)
def test_every_kind_of_sound_is_measured_and_described(name, samples, rate, how, expected, odd):
    clips, dropped, table, issues = odd
    stem = name.rpartition(".")[0]
    found = {issue: detail for (issue, clip), detail in issues.items() if clip == stem}
    assert set(found) == {expected[key] for key in ("issue", "also") if key in expected}
    assert expected.get("says", "") in found.get(expected.get("issue"), "")
    clip = f"own/sad/{stem}"
    if expected.get("issue") == "silent":
        assert dropped.loc[clip, "reason"] == "silent"
        return
    assert clips.loc[clip, "duration"] == pytest.approx(len(samples) / rate, abs=0.1)
    assert clips.loc[clip, "n_channels"] == (samples.shape[1] if samples.ndim == 2 else 1)
    values = dict(zip(table.columns, table.rows(np.array([clip]))[0]))
    assert np.isfinite(list(values.values())).all()
    if "pitch" in expected:
        assert values["f0_p50"] == pytest.approx(12 * np.log2(hostile.PITCH / 27.5), abs=0.1)  # semitones above A0


def test_40_file_name_that_is_no_text(store):
    write(own(store, "good 😀.wav"), voice())
    Path(os.fsdecode(os.fsencode(own(store)) + "/caf\xe9 😀.wav".encode("latin-1", "ignore") + b"\xe9.wav")).touch()
    with pytest.raises(ValueError, match="not valid Unicode; rename the file"):
        loaded(store)
    issues, code = audited(store)
    assert code == 1
    assert "rename the file" in issues["labels", ""]


def test_41_two_sounds_of_one_name(store):
    write(own(store, "a.wav"), voice())
    write(own(store, "a.flac"), voice(seed=1), format="FLAC")
    with pytest.raises(ValueError, match=r"Two files claim.*a\.flac and .*a\.wav\. Rename or delete one"):
        loaded(store)


def test_42_one_sound_under_two_labels_is_dropped_and_said(store):
    write(own(store, "a.wav"), voice())
    write(store.raw / "own" / "happy" / "b.wav", voice())
    write(own(store, "c.wav"), voice(seed=1))
    clips, dropped = corpora.analysed(loaded(store))
    assert clips["clip_id"].tolist() == ["own/sad/c"]
    assert set(dropped["reason"]) == {"conflict"}
    assert "own/happy/b (happy), own/sad/a (sad)" in dropped["detail"].iloc[0]


def _own_table(store: Store, text: str | bytes) -> None:
    write(own(store, "a.wav"), voice())
    write(own(store, "b.wav"), voice(seed=1))
    (store.raw / "own" / "clips.csv").write_bytes(text if isinstance(text, bytes) else text.encode())


OWN_TABLES = [
    case(43, "missing column", "path,speaker\nsad/a.wav,x\n", "lacks emotion.*it needs path,emotion"),
    case(44, "unknown emotion word", "path,emotion\nsad/a.wav,grumpy\n", "line 2 'grumpy'.*use neutral, calm"),
    case(45, "missing file", "path,emotion\nsad/a.wav,sad\nsad/z.wav,sad\n", r"1 of 2 files.*line 3 \(sad/z\.wav\)"),
    case(46, "one path twice", "path,emotion\nsad/a.wav,sad\n./sad/a.wav,happy\n", r"lines 2, 3.*keep one line"),
    case(
        47, "Latin-1", "path,emotion,race\nsad/a.wav,sad,ü\n".encode("latin-1"), "not UTF-8 text.*save it as CSV UTF-8"
    ),
    case(48, "UTF-16", "path,emotion\nsad/a.wav,sad\n".encode("utf-16"), "not UTF-8 text.*save it as CSV UTF-8"),
    case(49, "empty table", "", "lacks path and emotion"),
    case(50, "heading alone", "path,emotion\n", "or has no line"),
    case(51, "open quote", 'path,emotion\n"sad/a.wav,sad\nsad/b.wav,sad\n', "not valid CSV near line 3.*open quote"),
    case(52, "ragged line", "path,emotion\nsad/a.wav,sad,sad\n", "line 2 has not the 2 columns.*double quotes"),
    case(53, "path out of the folder", "path,emotion\n../own/sad/a.wav,sad\n", "not below own/: line 2"),
    case(54, "path no file can have", f"path,emotion\n{'n' * 5000}.wav,sad\n", "not below own/: line 2"),
    case(55, "unknown column", "path,emotion,speeker\nsad/a.wav,sad,x\n", "did you mean 'speaker'"),
    case(56, "age that is no number", "path,emotion,age\nsad/a.wav,sad,old\n", "values of age.*'old'.*give a number"),
]


@pytest.mark.parametrize(("text", "words"), OWN_TABLES)
def test_a_wrong_table_says_line_and_remedy(text, words, store):
    _own_table(store, text)
    with pytest.raises((ValueError, FileNotFoundError), match=words):
        loaded(store)
    issues, code = audited(store)
    assert set(issues) == {("labels", "")}
    assert code == 1


def test_57_table_with_newlines_and_quotes_in_its_paths(store):
    name = 'two\nlines, "quoted".wav'
    write(own(store, name), voice())
    quoted = name.replace('"', '""')
    (store.raw / "own" / "clips.csv").write_text(f'path,emotion,speaker\n"sad/{quoted}",joy,A\n', newline="")
    row = loaded(store).iloc[0]
    assert row[["clip_id", "emotion", "speaker"]].tolist() == [f"own/sad/{name[:-4]}", "happy", "own/A"]


CREMA = "1001_IEO_ANG_HI"
VOTES, PEOPLE = "ratings/tabulatedVotes.csv", "VideoDemographics.csv"
SIDE_FILES = [
    case(58, "votes without columns", VOTES, "a,b\n1,2\n", "tabulatedVotes.csv lacks the columns A, D.*restore"),
    case(
        59,
        "votes that are words",
        VOTES,
        f",A,D,F,H,N,S,fileName\n100001,x,0,0,0,0,0,{CREMA}\n",
        "line 2 has 'x' where A",
    ),
    case(60, "votes that are no text", VOTES, b"\xff\xfe\x00\xd8", "tabulatedVotes.csv cannot be read.*restore"),
    case(
        61, "people of unknown sex", PEOPLE, "ActorID,Age,Sex,Race,Ethnicity\n1001,3,X,,\n", "has the sex 'X'; restore"
    ),
    case(
        62,
        "people of no age",
        PEOPLE,
        "ActorID,Age,Sex,Race,Ethnicity\n1001,old,Male,,\n",
        "line 2 has 'old' where Age",
    ),
]


@pytest.mark.parametrize(("file", "content", "words"), SIDE_FILES)
def test_a_broken_side_file_is_an_error_and_never_no_votes(file, content, words, store):
    write(store.raw / "crema_d" / f"{CREMA}.wav", voice())
    side = store.raw / "crema_d" / file
    side.parent.mkdir(exist_ok=True)
    side.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=words):
        loaded(store, "crema_d")
    issues, code = audited(store, "crema_d")
    assert set(issues) == {("labels", "")}
    assert code == 1


@pytest.mark.parametrize(
    ("clip", "side"),
    [
        case(63, "crema_d votes missing", f"crema_d/{CREMA}", "crema_d/ratings/tabulatedVotes.csv is missing"),
        case(64, "emodb erkennung missing", "emodb/03a01Fa", "emodb/erkennung.txt is missing"),
    ],
)
def test_a_missing_side_file_leaves_the_column_empty_and_is_an_issue(clip, side, store):
    write(store.raw / f"{clip}.wav", voice())
    corpus = clip.partition("/")[0]
    assert loaded(store, corpus)["human_recognition"].isna().all()
    _, details, code = audit.validate(store, CONFIG, [corpus])
    found = details[details["issue"] == "side file"]["detail"]
    assert any(side in detail and f"ser-study download {corpus}" in detail for detail in found)
    assert code == 1


def test_65_emodb_erkennung_broken(store):
    write(store.raw / "emodb" / "03a01Fa.wav", voice())
    (store.raw / "emodb" / "erkennung.txt").write_text("nothing of the kind")
    with pytest.raises(ValueError, match="holds no line like.*restore the original"):
        loaded(store, "emodb")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Path:
    """Derived folder of the small study, run without disturbance."""
    derived = tmp_path_factory.mktemp("undisturbed")
    process = runs.in_process(runs.study_small, derived)
    process.join()
    assert process.exitcode == 0
    return derived


@pytest.fixture
def derived(undisturbed, tmp_path) -> Path:
    """A copy of the undisturbed folder; times of files are kept."""
    return shutil.copytree(undisturbed, tmp_path / "derived")


def _study_again(derived: Path, monkeypatch) -> None:
    with monkeypatch.context() as patch, warnings.catch_warnings():
        for name in ("SER_STUDY_DERIVED", "SER_STUDY_REPORTS"):
            patch.setenv(name, "")
        warnings.simplefilter("ignore")
        runs.study_small(derived)


@pytest.mark.parametrize(
    ("pattern", "harm", "gone"),
    [
        case(
            66,
            "features cut short",
            "features/*/*/block.parquet",
            lambda path: os.truncate(path, 3000),
            ("scores", "predictions"),
        ),
        case(
            67,
            "features with a flipped byte",
            "features/*/*/block.parquet",
            lambda path: hostile.flipped(path, 0.3),
            ("scores", "predictions"),
        ),
        case(
            68,
            "features of another kind",
            "features/*/*/block.parquet",
            pd.DataFrame({"a": [1]}).to_parquet,
            ("scores", "predictions"),
        ),
        case(69, "scan replaced by text", "scan/*.parquet", lambda path: path.write_text("scan"), ()),
        case(
            70,
            "predictions cut short",
            "predictions/*logistic*.parquet",
            lambda path: os.truncate(path, 500),
            ("scores",),
        ),
        case(
            71,
            "predictions with a flipped byte",
            "predictions/*random_summary_logistic*.parquet",
            lambda path: hostile.flipped(path, 0.2),
            ("scores",),
        ),
    ],
)
def test_a_damaged_artefact_is_named_and_made_again(pattern, harm, gone, derived, undisturbed, monkeypatch, capsys):
    for path in derived.glob(pattern):
        harm(path)
    for later in gone:  # what depends on it, so that it is read
        shutil.rmtree(derived / later)
    _study_again(derived, monkeypatch)
    message = capsys.readouterr().err
    assert "is damaged" in message
    assert "again" in message
    for kind in ("features", "scan", "predictions"):
        assert hostile.hashes(derived / kind, "*.parquet") == hostile.hashes(undisturbed / kind, "*.parquet")


def test_72_fold_file_changed_by_hand(tmp_path):
    folder = shutil.copytree(PROJECT / "data" / "folds", tmp_path / "folds")
    path = folder / "emodb" / "speaker_independent.csv"
    path.write_text(path.read_text().replace("test", "train", 1))
    with pytest.raises(
        ValueError, match=r"speaker_independent\.csv was changed: SHA-256.*Restore it from the checkout"
    ):
        splits.read_folds("emodb", "speaker_independent", folder=folder)


def test_73_fold_file_without_its_hash(tmp_path):
    folder = shutil.copytree(PROJECT / "data" / "folds", tmp_path / "folds")
    (folder / "SHA256SUMS").unlink()
    with pytest.raises(FileNotFoundError, match="No SHA256SUMS in folds; restore it"):
        splits.read_folds("emodb", "random", folder=folder)


def _raise_full(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize(
    ("target", "fail", "words"),
    [
        case(
            74,
            "full disk, table",
            "pandas.DataFrame.to_parquet",
            _raise_full,
            "No space left on device. Free some space",
        ),
        case(
            75, "full disk, lock", "ser_study.store.FileLock.acquire", _raise_full, "No space left on device. Free some"
        ),
        case(76, "read-only output", "pathlib.Path.mkdir", _refuse, "Permission denied. .*choose a writable folder"),
    ],
)
def test_an_output_that_cannot_be_written_says_so(target, fail, words, store, monkeypatch):
    write(own(store, "a.wav"), voice())
    with monkeypatch.context() as patch:
        patch.setattr(target, fail)
        with pytest.raises(OSError, match=words):
            loaded(store)
        with pytest.raises(OSError, match=words):  # and validate does not call it a defect of the data
            audit.validate(store, CONFIG, ["own"])
    assert not list(store.derived.rglob("*.part"))
    assert len(loaded(store)) == 1


def test_77_output_folder_that_is_a_file(store):
    write(own(store, "a.wav"), voice())
    store.derived.write_text("")
    with pytest.raises(OSError, match="Could not write own-.*choose a writable folder"):
        loaded(store)


@pytest.mark.parametrize(
    ("limit", "keeps"),
    [
        case(78, "disk too small for a clip", 20_000, ()),
        case(79, "disk too small for features", 60_000, ("synthetic", "scan")),
    ],
)
def test_a_disk_that_fills_up_while_running(limit, keeps, tmp_path, undisturbed):
    derived, answer = tmp_path / "derived", tmp_path / "answer"
    for part in keeps:
        shutil.copytree(undisturbed / part, derived / part)
    process = runs.in_process(runs.on_a_small_disk, derived, answer, limit)
    process.join()
    assert process.exitcode == 0
    message = answer.read_text()
    assert "Could not write" in message
    assert "File too large. Free some space" in message
    assert not [path for path in derived.rglob(".*.part") if path.is_file()]
    again = runs.in_process(runs.extract_small, derived)
    again.join()
    assert hostile.hashes(derived / "features", "block.parquet") == hostile.hashes(
        undisturbed / "features", "block.parquet"
    )


MADE = ("synthetic", "scan")
KILLED = [  # what runs, at which rename it dies, what is there already
    case(80, "kill -9 while clips are made", runs.synthesise_small, 40, ()),
    case(81, "kill -9 at the third part of the features", runs.extract_small, 3, MADE),
    case(82, "kill -9 at the merging of the features", runs.extract_small, 7, MADE),
    case(83, "kill -9 between block and parts", runs.extract_small, 8, MADE),
    case(84, "kill -9 at the first predictions", runs.study_small, 1, (*MADE, "features")),
    case(85, "kill -9 at the third experiment", runs.study_small, 9, (*MADE, "features")),
]


@pytest.mark.parametrize(("work", "die_at", "there"), KILLED)
def test_a_killed_run_continues_to_the_same_bytes(work, die_at, there, tmp_path, undisturbed):
    for part in there:
        shutil.copytree(undisturbed / part, tmp_path / part)
    killed = runs.in_process(partial(work, tmp_path, die_at=die_at))
    killed.join()
    assert killed.exitcode == -9
    again = runs.in_process(work, tmp_path)
    again.join()
    assert again.exitcode == 0
    made = {
        runs.synthesise_small: ["synthetic/**/*.wav"],
        runs.extract_small: ["features/**/*.parquet"],
        runs.study_small: ["predictions/*.parquet", "scores/*.parquet"],
    }
    for pattern in made[work]:
        expected = hostile.hashes(undisturbed, pattern)
        assert expected
        assert hostile.hashes(tmp_path, pattern) == expected


def test_86_two_runs_at_once_in_one_folder(tmp_path, undisturbed):
    both = [runs.in_process(runs.study_small, tmp_path) for _ in range(2)]
    for process in both:
        process.join()
    assert [process.exitcode for process in both] == [0, 0]
    for pattern in ("synthetic/**/*.wav", "features/**/*.parquet", "predictions/*.parquet", "scores/*.parquet"):
        assert hostile.hashes(tmp_path, pattern) == hostile.hashes(undisturbed, pattern)
    assert not list(tmp_path.rglob("*.damaged"))


@pytest.fixture
def three(store):
    """Three clips of one's own, one of which carries the word crash."""
    for seed, name in enumerate(("a.wav", "crash.wav", "c.wav")):
        write(own(store, name), voice(seed=seed))
    return corpora.analysed(loaded(store))[0]


def test_87_clip_whose_extraction_crashes_the_worker(three, store, monkeypatch, capsys):
    monkeypatch.setattr(features, "_extract", hostile.crash_on_some)
    two = settings.load("demo", {"run.jobs": 2})
    table = features.load("summary", three, config=two, store=store)
    assert table.clip_id.tolist() == ["own/sad/a", "own/sad/c"]
    message = capsys.readouterr().err
    assert "1 of 3 clips of own gave no summary: own/sad/crash.wav: The worker process crashed on this clip" in message
    assert "leave the clip out" in message


def test_88_clip_that_changed_since_it_was_measured(three, store, capsys):
    own(store, "crash.wav").write_bytes(b"")
    table = features.load("summary", three, config=CONFIG, store=store)
    assert len(table.clip_id) == 2
    assert "own/sad/crash.wav: " in (message := capsys.readouterr().err)
    assert "is empty (0 bytes); fetch it again" in message


def test_89_every_clip_fails(three, store, capsys):
    for path in own(store).iterdir():
        path.write_bytes(b"")
    with pytest.raises(RuntimeError, match="Not one clip gave features"):
        features.load("summary", three, config=CONFIG, store=store)
    assert "3 of 3 clips of own gave no summary: own/sad/a.wav: " in capsys.readouterr().err


def test_90_cluster_without_scheduler(monkeypatch):
    distributed = pytest.importorskip("distributed", reason="the extra 'cluster' is not installed")
    patient = distributed.Client
    monkeypatch.setattr("dask.distributed.Client", lambda address, **how: patient(address, **how | {"timeout": 1}))
    with pytest.raises(
        ConnectionError, match=r"No Dask scheduler answers at tcp://127\.0\.0\.1:9.*leave --cluster out"
    ):
        list(parallel_map(len, ["a"], cluster="tcp://127.0.0.1:9"))


def test_91_cluster_address_that_is_none(store):
    pytest.importorskip("distributed", reason="the extra 'cluster' is not installed")
    write(own(store, "a.wav"), voice())
    config = settings.load("demo", {"run.cluster": "over there"})
    with pytest.raises(ConnectionError, match="No Dask scheduler answers at over there.*leave --cluster out"):
        audit.validate(store, config, ["own"])


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory) -> Path:
    """A folder with wrong and right things to point at, and room for output."""
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "empty").mkdir()
    (folder / "file").write_text("")
    (folder / "wrong.toml").write_text("[audio\nsample_rate = 1")
    (folder / "latin.toml").write_bytes(b"# caf\xe9\n")
    (folder / "unknown.toml").write_text("[audio]\nsampling = 3\n")
    write(folder / "data" / "own" / "sad" / "a.wav", voice())
    return folder


def asked(folder: Path, *words: str, **environment: str) -> tuple[int, str, str]:
    """Exit code, output and errors of the command line in a process of its own; it writes below ``folder``."""
    places = {"SER_STUDY_DERIVED": str(folder / "derived"), "SER_STUDY_REPORTS": str(folder / "reports")}
    answer, spoken = folder / "answer", [word.replace("HERE", str(folder)) for word in words]
    process = runs.in_process(runs.ask, spoken, places | environment, answer)
    process.join()
    return process.exitcode, answer.with_suffix(".out").read_text(), answer.with_suffix(".err").read_text()


QUESTIONS = [
    case(
        92,
        "wrong TOML",
        ["--preset", "demo", "--config", "HERE/wrong.toml", "--list"],
        ["not valid TOML", "line 1", "Example"],
    ),
    case(93, "TOML of wrong encoding", ["--config", "HERE/latin.toml", "--list"], ["not valid TOML", "Example"]),
    case(
        94,
        "TOML with unknown setting",
        ["--config", "HERE/unknown.toml", "--list"],
        ["Unknown setting 'audio.sampling'", "did you mean"],
    ),
    case(
        95, "missing settings file", ["--config", "HERE/none.toml", "--list"], ["No settings file", "--set name=value"]
    ),
    case(96, "unknown setting", ["--set", "models.forest_tree=3", "--list"], ["did you mean 'models.forest_trees'?"]),
    case(97, "wrong type", ["--set", "seed=many", "--list"], ["Setting 'seed' takes int, found 'many'"]),
    case(98, "unknown preset", ["--preset", "quik", "--list"], ["Unknown preset 'quik', did you mean 'quick'?"]),
    case(99, "unknown corpus", ["--corpora", "ravdes", "--list"], ["Unknown corpus 'ravdes', did you mean 'ravdess'?"]),
    case(
        100, "corpus that is not here", ["--corpora", "tess", "--list"], ["No audio of tess", "ser-study download tess"]
    ),
    case(101, "missing data folder", ["validate", "--data", "HERE/none"], ["is not there; give the folder that holds"]),
    case(
        102,
        "data folder that is a file",
        ["validate", "--data", "HERE/file"],
        ["is a file, not a folder; give the folder"],
    ),
    case(103, "no corpora found", ["folds", "--data", "HERE/empty"], ["No corpus in empty/", "--data DIR"]),
    case(
        104,
        "negative jobs, run",
        ["--preset", "demo", "--jobs", "-2", "--dry-run"],
        ["jobs is -2; give 0 (one a core) or more"],
    ),
    case(105, "negative jobs, validate", ["validate", "--jobs", "-2", "--data", "HERE/data"], ["jobs is -2; give 0"]),
    case(
        106, "rate of nothing", ["--set", "audio.sample_rate=0", "--list"], ["'audio.sample_rate' must be 1000 or more"]
    ),
    case(107, "negative seed", ["--set", "seed=-1", "--list"], ["Setting 'seed' must be 0 or more, found '-1'"]),
    case(108, "infinite number", ["--set", "audio.length=inf", "--list"], ["'audio.length' takes float, found 'inf'"]),
    case(109, "unknown notebook", ["--preset", "demo", "--only", "77", "--list"], ["No notebook '77'"]),
]


@pytest.mark.parametrize(("words", "expected"), QUESTIONS)
def test_a_wrong_question_ends_with_its_answer(words, expected, elsewhere):
    code, _, message = asked(elsewhere, *words)
    assert code == 2
    assert all(word in message for word in expected)
    assert "Traceback" not in message


def test_110_data_variable_that_leads_nowhere(elsewhere):
    code, _, message = asked(elsewhere, "--list", SER_STUDY_DATA=str(elsewhere / "none"))
    assert code == 2
    assert "(from SER_STUDY_DATA) is not there; give the folder" in message


def test_111_no_corpora_is_no_error_of_validate_and_no_demo_in_a_folder_that_was_named(elsewhere):
    code, table, _ = asked(elsewhere, "validate", "--data", "HERE/empty")
    assert code == 0
    assert table.count("absent") == len(corpora.names()) - 1  # the synthetic one is never absent
    for preset in ([], ["--preset", "quick"]):
        code, listed, errors = asked(elsewhere, *preset, "--data", "HERE/empty", "--list")
        assert (code, listed) == (2, "")
        assert "It is empty." in errors
    code, listed, _ = asked(elsewhere, "--preset", "demo", "--data", "HERE/empty", "--list")
    assert code == 0, "who asks for the demo gets it"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (["ravdess.zip"], "ravdess.zip is not unpacked; unpack it into ravdess/."),
        (["TESS Dataset.zip"], "unpack it into tess/."),
        (["own/sad/a.txt", "own/sad/b.doc", "own/sad/c.doc"], "It holds 2 .doc, 1 .txt."),
        (["own/sad/a.m4a", "own/sad/b.m4a"], "own/ is the right folder for own, but no recording is in it. To have"),
        (["own/sad/a.m4a"], "convert sound to wav, such as with 'ffmpeg -i NAME.m4a NAME.wav'."),
        (["x/Actor_01/03-01-01-01-01-01-01.wav"], "called like clips of ravdess. Put them into a folder ravdess/, and"),
    ],
)
def test_a_data_folder_without_a_corpus_says_what_was_seen(tmp_path, make, said):
    for name in make:
        (tmp_path / "raw" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "raw" / name).write_bytes(b"x")
    with pytest.raises(FileNotFoundError, match=re.escape(said)):
        corpora.check_given(tmp_path / "raw")


def test_a_folder_inside_a_corpus_is_recognised(tmp_path):
    inside = tmp_path / "RAVDESS" / "Actor_01"
    inside.mkdir(parents=True)
    (inside / "03-01-01-01-01-01-01.wav").write_bytes(b"x")
    with pytest.raises(FileNotFoundError, match=r"It holds 1 \.wav\. .* It lies inside RAVDESS/; give the folder that"):
        corpora.check_given(inside)
    with pytest.raises(
        FileNotFoundError, match=r"It is itself the folder of a corpus; give the folder that holds RAVD"
    ):
        corpora.check_given(inside.parent)


def test_112_output_folder_that_is_a_file_on_the_command_line(elsewhere):
    blocked = {"SER_STUDY_DERIVED": str(elsewhere / "file")}
    code, _, message = asked(elsewhere, "validate", "own", "--data", "HERE/data", **blocked)
    assert code == 2
    assert "Could not write own-" in message
    assert "choose a writable folder" in message
    assert "Traceback" not in message


def test_113_run_all_in_an_interpreter_of_its_own(elsewhere):
    command = [sys.executable, PROJECT / "run_all.py", "--config", elsewhere / "wrong.toml"]
    done = subprocess.run(command, cwd=elsewhere, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "wrong.toml is not valid TOML" in done.stderr
    assert "Traceback" not in done.stderr


# Where things are, and who is asking


def test_a_terminal_without_dashes_ends_no_command(tmp_path):
    (tmp_path / "raw").mkdir()
    environment = os.environ | {"PYTHONIOENCODING": "ascii", "SER_STUDY_DERIVED": str(tmp_path / "derived")}
    command = [sys.executable, "-m", "ser_study", "validate", "--data", str(tmp_path / "raw")]
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    assert done.returncode == 0
    command = [sys.executable, "run_all.py", "--dry-run", "--preset", "demo"]
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_project_is_where_run_all_is_and_paths_are_settled_once(tmp_path):
    """Started from the folder of another checkout, with a relative folder for the reports."""
    other = tmp_path / "other"
    (other / "notebooks").mkdir(parents=True)
    (other / "run_all.py").write_text("")
    (other / "notebooks" / "99_decoy.ipynb").write_text("{}")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SER_STUDY_")}
    environment |= {"SER_STUDY_REPORTS": "my reports"}
    command = [sys.executable, PROJECT / "run_all.py", "--list", "--preset", "demo"]
    done = subprocess.run(command, cwd=other, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "03_splits_and_leakage" in done.stdout
    assert "decoy" not in done.stdout
    assert sorted(path.name for path in other.rglob("*")) == ["99_decoy.ipynb", "notebooks", "run_all.py"]


def test_relative_folders_are_settled_before_a_notebook_starts_elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SER_STUDY_REPORTS", "my reports")
    monkeypatch.setenv("SER_STUDY_PROJECT", str(PROJECT))
    settle_paths()
    assert os.environ["SER_STUDY_REPORTS"] == str(tmp_path / "my reports")
    monkeypatch.chdir("/")
    assert open_folders("demo")[1].run == tmp_path / "my reports" / "demo"


def test_no_home_ends_no_run(tmp_path, monkeypatch):
    def nowhere():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nowhere)
    here = Store(tmp_path / "raw", tmp_path / "derived", tmp_path / "run", tmp_path)
    assert clean.scrubber(here)(f"{tmp_path / 'raw'}/a.wav") == "data/raw/a.wav"
