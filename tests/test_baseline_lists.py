"""The committed test lists of the student projects, derived again from names, listing orders and split seeds.

Specification §4: the list of E001 depends on a table of files that is not at hand, and that of E003 on its own lists of
names, so those two are read and not derived.
"""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import pytest
from sklearn.model_selection import train_test_split
from test_splits import FOLDS, crema_d, ravdess, tess

from ser_study import splits

CASTAGNOLI = 0x82F63B78  # CRC-32C, bits reversed
EMOTIONS_004 = ("angry", "disgust", "fear", "happy", "neutral", "sad")


def read(name: str) -> list[str]:
    return json.loads(Path(FOLDS, "baselines", f"{name}_test.json").read_text("utf-8"))


def files(clips) -> list[str]:
    return [f"{clip_id.partition('/')[2]}.wav" for clip_id in clips["clip_id"]]


def by_actor(names: list[str]) -> list[str]:
    return sorted(names, key=lambda name: (name[-6:-4], name))


def crc32c(content: bytes) -> int:
    """CRC-32C without its last complement."""
    code = 0xFFFFFFFF
    for byte in content:
        code ^= byte
        for _ in range(8):
            code = (code >> 1) ^ (CASTAGNOLI if code & 1 else 0)
    return code


def apfs(name: str) -> tuple[int, str]:
    """Where the Mac file system lists a name: by 22 bits of a hash of its lower-case letters, then by name."""
    return crc32c(name.lower().encode("utf-32-le")) & 0x3FFFFF, name


def test_the_hash_has_the_check_value_of_its_standard():
    assert crc32c(b"123456789") ^ 0xFFFFFFFF == 0xE3069283, "RFC 3720"


def drawn(names: list[str], share: float, seed: int) -> list[str]:
    """Test names as scikit-learn deals them without strata."""
    return train_test_split(names, test_size=share, random_state=seed)[1]


def test_list_of_000_follows_the_order_of_its_file_system():
    speech = files(ravdess(channels=("speech",)))
    folders = sorted((f"Actor_{actor:02d}" for actor in range(1, 25)), key=apfs)
    order = [name for folder in folders for name in sorted((n for n in speech if n[-6:-4] == folder[-2:]), key=apfs)]
    order += sorted(files(tess()), key=apfs)
    assert len(order) == 4240
    assert drawn(order, 0.2, 209) == read("000")


def test_list_of_002_follows_sorted_paths():
    order = by_actor(files(ravdess()))
    assert len(order) == 2452
    assert drawn(order, 0.2, 9) == read("002")


def test_list_of_004_follows_its_five_corpora_one_of_them_twice():
    order = [f"TESS/{name}" for name in sorted(files(tess()), key=_folder_of_tess) if "_ps." not in name]
    order += [f"CREMA-D/{name}" for name in sorted(files(crema_d()))]
    speech = [name for name in by_actor(files(ravdess(channels=("speech",)))) if name[6:8] != "08"]
    order += [f"RAVDESS/copy{number}/{name}" for number in (1, 2) for name in speech]
    order += [f"JL/{name}" for name in sorted(_jl())]
    order += [f"IEMOCAP/ordinal_{number:04d}" for number in range(4532)]
    assert len(order) == 18_070
    assert drawn(order, 0.2, 42) == read("004")


def _folder_of_tess(name: str) -> tuple[str, int, str]:
    actress, _, emotion = name.removesuffix(".wav").split("_")
    kinds = (*EMOTIONS_004, "ps")
    return ("OAF" if actress.startswith("O") else "YAF", kinds.index(emotion), name)


def _jl() -> list[str]:
    """Four speakers, five emotions, 15 sentences in two halves, twice."""
    speakers, emotions = ("female1", "female2", "male1", "male2"), ("angry", "excited", "happy", "neutral", "sad")
    parts = product(speakers, emotions, range(1, 16), "ab", (1, 2))
    return [f"{who}_{emotion}_{number}{half}_{again}.wav" for who, emotion, number, half, again in parts]


def test_held_out_actors_of_003_have_the_published_supports():
    """Specification §3.003: each held-out set has 180 spoken and 132 sung clips."""
    clips = ravdess()
    actors = json.loads(Path(FOLDS, "baselines", "003_actors.json").read_text("utf-8"))
    for part in ("dev", "test"):
        held = clips[clips["speaker"].isin([f"ravdess/{actor:02d}" for actor in actors[part]])]
        assert held["channel"].value_counts().to_dict() == {"speech": 180, "song": 132}
        rare = dict.fromkeys(("neutral", "disgust", "surprised"), 24)
        assert held["emotion"].value_counts().to_dict() == {
            **dict.fromkeys(("calm", "happy", "sad", "angry", "fearful"), 48),
            **rare,
        }
        assert held["intensity"].value_counts().to_dict() == {"normal": 168, "strong": 144}


@pytest.mark.parametrize(("corpus", "n"), [("tess", 466), ("crema_d", 1511), ("ravdess", 509), ("jl", 262)])
def test_list_of_004_has_the_published_clips_of_each_corpus(corpus, n):
    counted = splits.listed("004", folder=FOLDS).groupby("corpus")["times"].sum()
    assert counted[corpus] == n
