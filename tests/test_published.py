"""Published scores: the committed table, the lights and ours beside them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ser_study import corpora
from ser_study.chapters.systems import published

DATA = Path(__file__).resolve().parents[1] / "data"
CLASSES = {"ravdess-speech": 8, "crema_d": 6, "tess": 7, "emodb": 7}
GREEN = {"speakers_disjoint": "yes", "normalisation": "train only", "selection": "nested", "kind": "from scratch"}


def ours_of(*rows: tuple) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(published.OURS))


OURS = ours_of(
    ("ravdess-speech", "leave_one_speaker_out", "uar", 0.73, 0.68, 0.78),
    ("ravdess-speech", "random", "uar", 0.86, 0.84, 0.88),
    ("crema_d", "speaker_independent", "accuracy", 0.708, 0.69, 0.73),
    ("tess", "speaker_independent", "uar", 0.62, np.nan, np.nan),
    ("emodb", "speaker_independent", "uar", 0.88, 0.83, 0.93),
)


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return published.table(OURS, DATA)


@pytest.fixture
def written(tmp_path):
    """Write the committed rows with some cells changed, and give the folder."""

    def write(line: int | None = None, **cells) -> Path:
        known = pd.read_csv(DATA / published.FILE, keep_default_na=False, dtype=str)
        for column, value in cells.items():
            known.loc[line - 2, column] = value
        known.to_csv(tmp_path / published.FILE, index=False)
        return tmp_path

    return write


def test_committed_rows_are_of_our_selections_classes_and_protocols(rows):
    known = {name for corpus in corpora.names() for name in corpora.selections_of(corpus)}
    assert set(rows["corpus"]) == set(published.CORPORA) == set(CLASSES)
    assert set(rows["corpus"]) <= known
    compared = rows[rows["ours"].notna() | (rows["protocol"] != "other")]
    assert (compared["classes"] == compared["corpus"].map(CLASSES)).all()
    assert len(rows) >= 35
    assert rows.groupby("corpus")["light"].nunique().min() >= 2
    assert not rows.duplicated(["corpus", "system", "metric", "protocol", "source", "normalisation"]).any()
    assert rows["link"].dropna().str.match(r"https?://\S+$").all()


def test_listeners_and_only_they_are_outside_the_protocols_that_train(rows):
    people = rows[rows["kind"] == published.LISTENERS]
    assert len(people) == 3
    assert (people["protocol"] == "other").all()
    assert people["ours"].isna().all()


def test_rows_stand_by_corpus_from_the_highest_score_down(rows):
    assert list(dict.fromkeys(rows["corpus"])) == list(published.CORPORA)
    for _, part in rows.groupby("corpus"):
        assert part["value"].is_monotonic_decreasing
    assert list(rows.columns) == list(published.COLUMNS)


@pytest.mark.parametrize(
    ("change", "light", "reason"),
    [
        ({}, "green", "new speakers; scaled on training clips; chosen by inner folds"),
        ({"normalisation": "none", "selection": "validation"}, "green", "chosen on validation clips"),
        ({"normalisation": "per speaker, with test clips"}, "amber", "scaled by speaker, with the test clips"),
        ({"normalisation": "all clips"}, "amber", "scaled on all clips, those of the test too"),
        ({"selection": "best on test"}, "amber", "chosen on the test clips"),
        ({"normalisation": "unknown", "selection": "unknown"}, "amber", "scaling not stated; choice not stated"),
        ({"speakers_disjoint": "unknown"}, "amber", "speakers not stated"),
        ({"speakers_disjoint": "no"}, "red", "the test speakers are in training"),
        ({"kind": "listeners", "normalisation": "none", "selection": "none"}, "green", "people"),
    ],
)
def test_lights_follow_from_the_columns_and_say_why(change, light, reason):
    row = GREEN | change
    assert published.light(row) == light
    assert reason in published.why(row)


def test_every_closed_value_has_a_place_among_the_reasons():
    for column in ("normalisation", "selection"):
        for value in published.ALLOWED[column]:
            said = published.why(GREEN | {column: value})
            assert (published.light(GREEN | {column: value}) == "green") == said.startswith("new speakers")


def test_ours_stands_beside_the_same_corpus_protocol_and_metric_only(rows):
    beside = rows[rows["ours"].notna()]
    ravdess = beside[beside["corpus"] == "ravdess-speech"]
    assert set(ravdess["protocol"]) == {"leave_one_speaker_out", "random"}
    assert set(ravdess["metric"]) == {"uar"}
    best = ravdess[ravdess["system"].str.startswith("XLS-R") & (ravdess["light"] == "green")].iloc[0]
    assert best[["ours", "ours_low", "ours_high"]].tolist() == [0.73, 0.68, 0.78]
    assert best["difference"] == pytest.approx(0.73 - 0.819)
    assert (beside.loc[beside["corpus"] == "crema_d", "metric"] == "accuracy").all()


def test_where_each_speaker_is_a_fold_both_speaker_protocols_are_one(rows):
    emodb = rows[(rows["corpus"] == "emodb") & rows["ours"].notna()]
    assert set(emodb["protocol"]) == {"leave_one_speaker_out"}
    assert (emodb["ours"] == 0.88).all()
    tess = rows[(rows["corpus"] == "tess") & (rows["protocol"] == "leave_one_speaker_out")]
    assert (tess["ours"] == 0.62).all()
    six_folds = ours_of(("ravdess-speech", "speaker_independent", "uar", 0.7, 0.6, 0.8))
    beside = published.table(six_folds, DATA).query("ours.notna()")
    assert set(beside["protocol"]) == {"speaker_independent"}


def test_two_systems_of_ours_for_one_corpus_are_refused():
    with pytest.raises(ValueError, match="hold tess, speaker_independent, uar twice; give one system a corpus"):
        published.table(pd.concat([OURS, OURS.iloc[[3]]]), DATA)
    with pytest.raises(ValueError, match="The ours table lacks low"):
        published.table(OURS.drop(columns="low"), DATA)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ({"normalisation": "train-only"}, "Unknown normalisation 'train-only', did you mean 'train only'"),
        ({"corpus": "ravdess"}, "Unknown corpus 'ravdess', did you mean 'ravdess-speech'.*Known: ravdess-speech, cre"),
        ({"protocol": ""}, "Unknown protocol ''.*Known: random"),
        ({"value": "81.9"}, "value is 81.9; give a share between 0 and 1"),
        ({"value": ""}, "value is nan; give a share"),
        ({"n": "many"}, "n is 'many'; give a number, or leave it empty"),
        ({"low": "0.9", "high": "0.95"}, "interval 0.9 to 0.95 does not hold the value"),
        ({"low": "0.1", "high": ""}, "give both ends or none"),
        ({"classes": ""}, "classes is nan; give their number"),
        ({"source": ""}, "the source is empty"),
    ],
)
def test_a_wrong_row_is_named_with_its_line_and_what_is_known(written, cells, message):
    with pytest.raises(ValueError, match=rf"^Line 5 of published\.csv \(.*\): .*{message}"):
        published.table(OURS, written(5, **cells))


def test_a_table_that_is_missing_or_lacks_a_column_is_refused(tmp_path, written):
    with pytest.raises(FileNotFoundError, match=r"No published\.csv in .*restore it with git"):
        published.table(OURS, tmp_path)
    path = written() / published.FILE
    pd.read_csv(path).drop(columns="selection").to_csv(path, index=False)
    with pytest.raises(ValueError, match="The published table lacks selection"):
        published.table(OURS, tmp_path)
