"""The audit: every defect is seen and named, upstream's own are known, and only the others fail."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import soundfile

from ser_study import config as settings
from ser_study import corpora
from ser_study.corpora import audit, scan, tess

CONFIG = settings.load("demo", {"run.jobs": 1})
RATE = 16_000


def noise(seed: int, *, n_samples: int = RATE // 2, level: float = 0.1) -> np.ndarray:
    return level * np.random.default_rng(seed).uniform(-1, 1, n_samples)


@pytest.fixture
def put(store):
    """``put(file, samples)`` writes audio below the raw folder."""

    def write(file: str, samples: np.ndarray, *, sample_rate: int = RATE) -> None:
        path = store.raw / file
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = np.clip(np.rint(samples * 32768), -32768, 32767).astype(np.int16)  # containers round alike
        soundfile.write(path, whole, sample_rate)

    return write


@pytest.fixture
def issues(store):
    """``issues(corpus)`` audits one corpus: (issue, clip) → (detail, known)."""

    def audited(corpus: str) -> dict:
        _, details, _ = audit.validate(store, CONFIG, [corpus])
        return {(row.issue, row.clip_id): (row.detail, row.known) for row in details.itertuples()}

    return audited


def test_each_defect_is_found_with_its_figures(put, issues, store):
    put("own/sad/1.wav", noise(1))
    put("own/sad/copy.flac", noise(1))
    put("own/angry/conflict.wav", noise(1))
    put("own/happy/2.wav", noise(2))
    put("own/happy/2again.wav", noise(2))
    put("own/sad/silent.wav", np.zeros(RATE))
    put("own/sad/clipped.wav", np.clip(noise(3, level=8), -1, 1))
    put("own/sad/peak.wav", np.append(noise(4), [1, -1]))
    put("own/sad/stereo.wav", np.stack([noise(5), noise(6)], axis=1))
    put("own/sad/fast.wav", noise(7, n_samples=48_000), sample_rate=48_000)
    put("own/sad/short.wav", noise(8, n_samples=RATE // 20))
    put("own/sad/long.wav", noise(9, n_samples=61 * RATE))
    (store.raw / "own/sad/empty.wav").write_bytes(b"")
    defects = issues("own")
    clips = {(issue, clip.rpartition("/")[2]) for issue, clip in defects}
    assert clips == {
        ("conflict", "1"),
        ("conflict", "copy"),
        ("conflict", "conflict"),
        ("duplicate", "2again"),
        ("silent", "silent"),
        ("clipped", "clipped"),
        ("stereo", "stereo"),
        ("odd rate", "fast"),
        ("short", "short"),
        ("long", "long"),
        ("unreadable", "empty"),
        ("no speaker", ""),
    }
    assert "48000 Hz; most have 16000 Hz" in defects["odd rate", "own/sad/fast"][0]
    assert "0.050 s" in defects["short", "own/sad/short"][0]
    assert "own/happy/2," in defects["duplicate", "own/happy/2again"][0]
    assert "own/angry/conflict (angry)" in defects["conflict", "own/sad/1"][0]
    assert {issue for (issue, _), (_, known) in defects.items() if known} == {"no speaker"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"this is not sound", "cannot be decoded"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "Git LFS pointer"),
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", "cannot be decoded"),
    ],
)
def test_unreadable_files_say_why_and_name_no_folder(content, words, put, issues, store):
    put("own/sad/1.wav", noise(1))
    (store.raw / "own/sad/bad {0} ü.wav").write_bytes(content)
    detail, known = issues("own")["unreadable", "own/sad/bad {0} ü"]
    assert words in detail
    assert not known
    assert str(store.raw) not in detail


def test_samples_that_are_no_numbers_are_unreadable(put, issues, store):
    put("own/sad/1.wav", noise(1))
    soundfile.write(store.raw / "own/sad/nan.wav", np.array([0.1, np.nan] * 2000), RATE, subtype="FLOAT")
    assert ("unreadable", "own/sad/nan") in issues("own")


def test_link_that_leads_nowhere_is_unreadable(put, issues, store):
    put("own/sad/1.wav", noise(1))
    (store.raw / "own/sad/gone.wav").symlink_to(store.raw / "nowhere.wav")
    assert "leads nowhere" in issues("own")["unreadable", "own/sad/gone"][0]


def test_file_without_permission_is_unreadable_and_read_once_allowed(put, store, monkeypatch):
    put("own/sad/1.wav", noise(1))
    put("own/sad/2.wav", noise(2))

    def refuse(path):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(scan.reading, "header", refuse)
        patch.setattr(scan.os, "access", lambda path, mode: False)
        assert corpora.load("own", config=CONFIG, store=store)["sha256"].isna().all()
    assert corpora.load("own", config=CONFIG, store=store)["sha256"].notna().all()


def test_unreadable_clip_stays_in_load_and_leaves_the_analysis_with_a_reason(put, store):
    put("own/sad/1.wav", noise(1))
    (store.raw / "own/sad/2.wav").write_text("not sound")
    clips = corpora.load("own", config=CONFIG, store=store)
    kept, dropped = corpora.analysed(clips)
    assert (len(clips), len(kept)) == (2, 1)
    assert dropped["reason"].tolist() == ["unreadable"]


def test_known_defects_do_not_fail_and_the_same_defect_elsewhere_does(put, issues):
    known, other = "03-01-02-01-01-02-01", "03-01-04-01-01-01-01"
    put(f"ravdess/{known}.wav", np.stack([noise(1), noise(1)], axis=1))
    put(f"ravdess/{other}.wav", np.stack([noise(2), noise(2)], axis=1))
    defects = issues("ravdess")
    assert defects["stereo", f"ravdess/{known}"][1]
    assert not defects["stereo", f"ravdess/{other}"][1]


def test_another_defect_of_a_clip_with_a_known_one_fails(put, issues):
    put("ravdess/03-01-02-01-01-02-01.wav", np.zeros((RATE, 2)))
    defects = issues("ravdess")
    assert defects["stereo", "ravdess/03-01-02-01-01-02-01"][1]
    assert not defects["silent", "ravdess/03-01-02-01-01-02-01"][1]


def test_wrong_count_fails_and_an_absent_part_does_not(put, issues):
    put("ravdess/03-01-05-01-02-01-18.wav", noise(1))
    defects = issues("ravdess")
    assert "1 of 1440" in defects["count", ""][0]
    assert not defects["count", ""][1]
    assert defects["part absent", ""] == ("none of the 1012 clips of song is here", True)


def test_missing_side_files_fail(put, store):
    put("crema_d/1001_IEO_HAP_HI.wav", noise(1))
    _, details, code = audit.validate(store, CONFIG, ["crema_d"])
    missing = details[details["issue"] == "side file"]
    assert code == 1
    assert [detail.split(" ")[0] for detail in missing["detail"]] == [
        "crema_d/VideoDemographics.csv",
        "crema_d/ratings/tabulatedVotes.csv",
    ]
    assert not missing["known"].any()


def test_unused_audio_is_known_where_it_is_expected(put, store):
    put("ravdess/03-01-05-01-02-01-18.wav", noise(1))
    put("ravdess/01-01-05-01-02-01-18.wav", noise(2))
    put("ravdess/01-01-05-01-02-02-18.wav", noise(3))
    put("ravdess/my song.wav", noise(4))
    _, details, _ = audit.validate(store, CONFIG, ["ravdess"])
    unused = details[details["issue"] == "unused"]
    assert unused["known"].tolist() == [True, False]
    assert unused["detail"].iloc[0].startswith("2 files")
    assert "ravdess/my song.wav" in unused["detail"].iloc[1]


def test_copied_and_clashing_files_are_named(put, issues):
    put("tess/a/OAF_food_fear.wav", noise(1))
    put("tess/b/OAF_food_fear.wav", noise(1))
    put("tess/a/OAF_gap_fear.wav", noise(2))
    put("tess/b/OAF_gap_fear.wav", noise(3))
    defects = issues("tess")
    assert defects["copied", "tess/OAF_food_fear"][0].startswith(
        "tess/a/OAF_food_fear.wav and tess/b/OAF_food_fear.wav"
    )
    assert "rename or delete one" in defects["labels", "tess/OAF_gap_fear"][0]


def test_labels_that_cannot_be_read_are_an_issue_and_not_the_end(put, store):
    put("own/grumpy/1.wav", noise(1))
    put("tess/OAF_food_fear.wav", noise(2))
    table, details, code = audit.validate(store, CONFIG, ["own", "tess"])
    assert code == 1
    assert "grumpy" in details[details["corpus"] == "own"]["detail"].item()
    assert table["found"].tolist() == [0, 1]
    assert table["verdict"].tolist() == ["look", "look"]


def test_nothing_there_is_no_error(store):
    table, details, code = audit.validate(store, CONFIG)
    assert code == 0
    assert set(table["verdict"]) == {"absent"}
    assert details.empty
    assert list(details.columns) == ["corpus", *audit.COLUMNS]
    assert "synthetic" not in set(table["corpus"])


def test_unknown_name_is_an_error(store):
    with pytest.raises(ValueError, match="did you mean 'tess'"):
        audit.validate(store, CONFIG, ["tes"])


def test_summary_counts_what_may_be_analysed(put, store):
    for i, name in enumerate(("1", "2", "2again", "3")):
        put(f"own/sad/{name}.wav", noise(i if name != "2again" else 1))
    put("own/sad/quiet.wav", np.zeros(RATE))
    row = audit.validate(store, CONFIG, ["own"])[0].iloc[0]
    assert (row["found"], row["analysed"], row["duplicate"], row["silent"]) == (5, 3, 1, 1)
    assert pd.isna(row["expected"])
    assert row["unexpected"] == 2


def test_clean_synthetic_corpus_is_as_expected(store):
    config = settings.load("demo", {"synthetic.n_speakers": 2, "synthetic.n_statements": 2, "run.jobs": 1})
    table, details, code = audit.validate(store, config, ["synthetic"])
    assert code == 0, details.to_string()
    assert details.empty, "its settings file is a declared one"
    assert table["found"].item() == table["analysed"].item() > 20


def test_clips_that_users_complained_of_are_noted(put, issues):
    put("tess/OA_bite_neutral.wav", noise(1))
    assert issues("tess")["noted", "tess/OA_bite_neutral"] == (tess.INFO.known_defects["tess/OA_bite_neutral"], True)


def test_every_unexpected_line_says_what_to_do(put, store):
    put("own/sad/1.wav", noise(1))
    put("own/sad/silent.wav", np.zeros(RATE))
    put("own/sad/clipped.wav", np.clip(noise(3, level=8), -1, 1))
    put("own/sad/stereo.wav", np.stack([noise(5), noise(6)], axis=1))
    put("own/sad/fast.wav", noise(7, n_samples=48_000), sample_rate=48_000)
    put("own/sad/short.wav", noise(8, n_samples=RATE // 20))
    put("own/sad/long.wav", noise(9, n_samples=61 * RATE))
    put("own/sad/copy.wav", noise(1))
    _, details, _ = audit.validate(store, CONFIG, ["own"])
    printed = {line.split()[2]: line for line in audit.lines(details) if line.startswith("UNEXPECTED")}
    verbs = {"silent": "record or fetch", "clipped": "at a lower level", "stereo": "write the right channel"}
    verbs |= {"odd": "mend the rate", "short": "delete it", "long": "cut it", "duplicate": "delete one"}
    assert set(printed) == set(verbs)
    assert all(words in printed[issue] for issue, words in verbs.items())


def test_floats_at_integer_scale_are_named_as_such(put, issues, store):
    put("own/sad/1.wav", noise(1))
    soundfile.write(store.raw / "own/sad/loud.wav", noise(2) * 32768, RATE, subtype="FLOAT")
    found = issues("own")
    detail, known = found["scale", "own/sad/loud"]
    assert "where full scale is 1: floats written as whole numbers" in detail
    assert not known
    assert ("clipped", "own/sad/loud") not in found


def test_thousands_of_one_issue_are_counted_and_not_all_listed():
    details = pd.DataFrame(
        [("crema_d", "unreadable", f"crema_d/{i}", "a pointer", False) for i in range(7442)],
        columns=["corpus", *audit.COLUMNS],
    )
    printed = list(audit.lines(details))
    assert len(printed) == audit.MAX_LISTED + 1
    assert printed[-1].split() == ["UNEXPECTED", "crema_d", "unreadable", "…", "and", str(7442 - 100), "more"]


def test_the_report_names_a_corpus_whose_files_could_not_be_read(put, store):
    put("tess/OAF_food_fear.wav", noise(1))
    (store.raw / "own" / "sad").mkdir(parents=True)
    (store.raw / "own" / "sad" / "a.m4a").write_bytes(b"\0\0\0\x20ftypM4A ")
    rows = {row["corpus"]: row["verdict"] for row in audit.as_text(CONFIG, store, ["tess"])}
    assert rows == {"tess": "look", "own": "look"}
