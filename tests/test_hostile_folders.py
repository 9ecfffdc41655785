"""Data folders as nobody would make them on purpose, generated: validate answers each, and loses sight of no file."""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path

import hostile_inputs as hostile
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ser_study import cli, config, corpora
from ser_study.corpora import audit, files, folders
from ser_study.store import Store

N_EXAMPLES = 60
CONFIG = config.load("full", {"run.jobs": 1})
# fmt: off
CLIPS = (  # where a clip of a corpus lies, and what it is called
    ("ravdess/Actor_01", "03-01-05-01-02-01-18"), ("CREMA-D-master/AudioWAV", "1001_IEO_ANG_HI"),
    ("CREMA-D-master/AudioMP3", "1001_IEO_ANG_HI"), ("TESS Toronto emotional speech set data", "OAF_food_fear"),
    ("EmoDB/wav", "03a01Fa"), ("savee/DC", "a01"), ("savee", "DC_a01"), ("jl", "male1_angry_10a_1"), ("own/sad", "a"),
)
PLACES = (  # folder of any file
    "own/sad", "own/sad", "own/sad", "own/Anger", "own/Anger", "own/happy/deep/er", "own/grumpy", "own", "Own data/sad",
    "ravdess/Actor_01", "CREMA-D-master/AudioWAV", "CREMA-D-master/VideoFlash", "savee", "EmoDB/wav", "jl", "meld", "",
    "iemocap_full_release/Session1", "__MACOSX", ".git", "RAVDESS",
)
STEMS = (
    "03-01-05-01-02-01-18", "1001_IEO_ANG_HI", "OAF_food_fear", "03a01Fa", "a01", "DC_a01", "Ses01F_impro04_M003", "A",
    "male1_angry_10a_1", "a", "Zoë", "Zoe\u0308", "two words (2)", "{x}%s", "声 😀", "a$$<b>&|*", "x;y,z", "._a", "n.1",
)
SUFFIXES = (
    ".wav", ".wav", ".WAV", ".flac", ".mp3", ".ogg", ".oga", ".wave", ".sph", ".m4a", ".dat", "", ".txt", ".zip",
)
# fmt: on
SOUNDS = {  # content → channels, level, and how it is written
    "pcm": (1, 0.3, {}),
    "8 bit": (1, 0.3, {"subtype": "PCM_U8"}),
    "24 bit": (1, 0.3, {"subtype": "PCM_24"}),
    "float": (1, 0.3, {"subtype": "FLOAT"}),
    "whole numbers": (1, 9000, {"subtype": "FLOAT"}),
    "stereo": (2, 0.3, {}),
    "six channels": (6, 0.3, {}),
    "silent": (1, 0, {}),
    "flac": (1, 0.2, {"format": "FLAC"}),
    "ogg": (1, 0.2, {"format": "OGG"}),
    "mp3": (1, 0.2, {"format": "MP3"}),
    "nist": (1, 0.2, {"format": "NIST"}),
}
BYTES = {
    "empty": b"",
    "text": b"I am no sound.\n",
    "lfs": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
    "annex": b"/annex/objects/SHA256E-s1--0.wav\n",
    "m4a": b"\0\0\0\x20ftypM4A " + bytes(64),
    "zip": b"PK\3\4" + bytes(64),
    "random": np.random.default_rng(0).bytes(400),
}
CONTENTS = (*SOUNDS, *BYTES, "cut short", "no samples", "nan")
# fmt: off
HEADS = (
    "path,emotion", "Path;Emotion", "path\temotion", "sep=;\npath;emotion", ",path,emotion", "path,emotion,speaker",
    "path,emotion,speaker,Speaker", "path,label", "path,emotion,speeker", "path", "",
)
PATHS = (
    "sad/a.wav", "sad\\a.wav", "own/SAD/A.WAV", "/elsewhere/own/sad/a", "../own/sad/a.wav", "sad/Zoë",
    "nowhere.wav", "",
)
# fmt: on
LINKS = ("loop", "nowhere", "outside", "annex", "pipe")

trees = st.fixed_dictionaries(
    {
        "files": st.lists(
            st.one_of(
                st.tuples(*map(st.sampled_from, (CLIPS, SUFFIXES, CONTENTS))).map(lambda one: (*one[0], *one[1:])),
                st.tuples(*map(st.sampled_from, (PLACES, STEMS, SUFFIXES, CONTENTS))),
            ),
            min_size=1,
            max_size=7,
        ),
        "table": st.none()
        | st.none()
        | st.none()
        | st.tuples(st.sampled_from(HEADS), st.lists(st.sampled_from(PATHS), max_size=3)),
        "link": st.none() | st.sampled_from(LINKS),
        "inside": st.sampled_from(("", "", "", "", "", "", "", "", "RAVDESS", "EmoDB/wav", "own")),
    }
)


@cache
def content(name: str, scratch: Path) -> bytes:
    if name in BYTES:
        return BYTES[name]
    n_channels, level, how = SOUNDS.get(name, (1, 0.3, {}))
    samples = hostile.voice(0.4, rate=8000, level=level) if level else np.zeros(3200)
    if name == "no samples":
        samples = samples[:0]
    if name == "nan":
        samples, how = np.append(samples, np.nan), {"subtype": "FLOAT"}
    whole = hostile.wav_bytes(scratch, np.stack([samples] * n_channels, axis=1), rate=8000, **how)
    return whole[: len(whole) // 2] if name == "cut short" else whole


def plant(tree: dict, folder: Path) -> Path:
    """Make the tree; the folder that validate is given."""
    raw = folder / "raw"
    (raw / tree["inside"]).mkdir(parents=True)
    for place, stem, suffix, name in tree["files"]:
        (raw / place).mkdir(parents=True, exist_ok=True)
        (raw / place / f"{stem}{suffix}").write_bytes(content(name, folder))
    if tree["table"]:
        head, paths = tree["table"]
        (raw / "own").mkdir(exist_ok=True)
        mark = next((sign for sign in (";", "\t") if sign in head), ",")
        lines = [mark.join([path, "sad", *["x"] * (head.count(mark) - 1)]) for path in paths]
        (raw / "own" / "clips.csv").write_text("\n".join([head, *lines]) + "\n")
    if tree["link"]:
        link(tree["link"], raw / "own" / "sad", folder)
    return raw / tree["inside"]


def link(kind: str, place: Path, folder: Path) -> None:
    place.mkdir(parents=True, exist_ok=True)
    if kind == "loop":
        (place / "loop").symlink_to(place.parent)
    elif kind == "nowhere":
        (place / "gone.wav").symlink_to("nowhere.wav")
    elif kind == "annex":
        (place / "gone.flac").symlink_to("../.git/annex/objects/x/y.flac")
    elif kind == "pipe":
        os.mkfifo(place / "pipe.wav")
    else:
        (folder / "outside").mkdir()
        (folder / "outside" / "b.wav").write_bytes(content("pcm", folder))
        (place / "linked").symlink_to(folder / "outside")


def visible(folder: Path) -> list[str]:
    """Every file that is not hidden, by a walk of this test's own; a link back upwards is not followed."""
    found = []
    for where, subfolders, names in os.walk(folder, followlinks=True):
        subfolders[:] = [name for name in subfolders if name not in ("__MACOSX", ".git", "loop")]
        found += [os.path.join(where, name) for name in names if not name.startswith(".")]
    return found


def listed(details: pd.DataFrame) -> int:
    """Files that the lines of an audit name or count, which are no clips."""
    lines = details[details["issue"].isin(["unused", "not read"])]["detail"]
    counts = [re.match(r"([\d,]+) files?(,| is| are)", line) for line in lines]
    return sum(int(count[1].replace(",", "")) if count else 1 for count in counts)


def check_corpus(name: str, table: pd.DataFrame, details: pd.DataFrame, store: Store) -> None:
    """Every file of a corpus is a clip, a side file or in a line; "as expected" hides nothing."""
    issues, verdict = details[details["corpus"] == name], table.set_index("corpus")["verdict"][name]
    info = corpora.module(name).INFO
    side = {Path(file).name for file in (*info.side_files, *info.optional_files)}
    here = visible(folders.find(name, store.raw))
    if "labels" in set(issues[issues["clip_id"] == ""]["issue"]):
        assert verdict == "look", "whose labels cannot be read loads nothing, and says why"
        others = [file for file in map(Path, here) if not files.is_recording(file) and file.name not in side]
        assert listed(issues) == len(others)
        return
    n_side = sum(Path(file).name in side for file in here)
    scan = corpora.scanned(name, config=CONFIG, store=store) if table.set_index("corpus")["found"][name] else None
    n_clips = 0 if scan is None else len(scan)
    assert len(here) == n_clips + n_side + listed(issues), (name, here, issues["detail"].tolist())
    if verdict == "as expected":
        assert scan["sha256"].notna().all()
        assert scan["emotion"].notna().all()
        rest = {Path(file) for file in here} - {store.raw / path for path in scan["path"]}
        assert all(files.kind(file) == "text" for file in rest)


@given(tree=trees)
@settings(
    max_examples=N_EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
)
def test_validate_answers_every_folder_and_loses_sight_of_no_file(tree, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tree")
    given_folder = plant(tree, folder)
    audits = []
    with pytest.MonkeyPatch.context() as patch:
        whole = audit.validate
        patch.setattr(audit, "validate", lambda *given: audits.append(whole(*given)) or audits[-1])
        patch.setenv("SER_STUDY_DERIVED", str(folder / "derived"))
        out, code = asked(["--debug", "validate", "--data", str(given_folder), "--jobs", "1"], patch)
    assert not re.search(r"Traceback|(Type|Key|Attribute|Index|Unicode\w*)Error|\.py:\d+|\bnan\b", out), out
    store = Store(given_folder, folder / "derived", folder / "run", folder)
    here = visible(given_folder)
    if code == 2 and "all mean the corpus" in out:
        return
    if code == 2:
        assert "No corpus in the data folder" in out
        assert (f"It holds {files.counted(map(Path, here))}." if here else "It is empty.") in out
        return
    table, details, _ = audits[-1]
    assert code == int((~details["known"]).any())
    for name in table["corpus"]:
        check_corpus(name, table, details, store)
    inside = [folders.find(name, store.raw) for name in table["corpus"]]
    outside = [file for file in here if not any(Path(file).is_relative_to(one) for one in inside)]
    assert len(outside) == listed(details[details["corpus"] == "elsewhere"])


def asked(words: list[str], patch: pytest.MonkeyPatch) -> tuple[str, int]:
    """What the command line says, and its exit code; an error that has advice is said, any other ends the test."""
    said: list[str] = []
    patch.setattr("builtins.print", lambda *parts, **_: said.append(" ".join(map(str, parts))))
    try:
        code = cli.main(words)
    except (ValueError, OSError) as error:  # with --debug raised as it is
        said.append(str(error))
        code = 2 if isinstance(error, (ValueError, FileNotFoundError)) else 1
    return "\n".join(said), code
