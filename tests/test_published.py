"""Published scores: the committed table, the lights, ours beside them, and what is said and drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from figure_checks import check_overlap, check_size, check_svg, check_units

from ser_study import corpora
from ser_study.chapters.systems import published, published_figures, published_text
from ser_study.plotting.palette import svg_text

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


def test_positions_follow_our_interval_or_without_one_our_score():
    rows = pd.DataFrame(
        {
            "value": [0.5, 0.71, 0.9, 0.6, 0.6, 0.4, 0.6, 0.6, 0.8],
            "low": [np.nan, np.nan, np.nan, np.nan, np.nan, np.nan, 0.54, 0.55, 0.74],
            "high": [np.nan, np.nan, np.nan, np.nan, np.nan, np.nan, 0.66, 0.64, 0.86],
            "ours": [0.7, 0.7, 0.7, 0.62, 0.58, np.nan, 0.7, 0.7, 0.7],
            "ours_low": [0.65, 0.65, 0.65, np.nan, np.nan, np.nan, 0.65, 0.65, 0.65],
            "ours_high": [0.75, 0.75, 0.75, np.nan, np.nan, np.nan, 0.75, 0.75, 0.75],
        }
    )
    alone, meeting = ["above", "level", "below", "above", "below"], ["level", "above", "level"]
    assert published_text.positions(rows).tolist() == [*alone, *meeting]


def test_captions_name_columns_of_the_table_and_count_green_scores(rows):
    caption = published_text.table(rows)
    assert {*caption.labels, *caption.decimals} <= set(rows.columns)
    green = published_text.systems(rows, "green")
    assert published.LISTENERS not in set(green["kind"])
    beside = green[green["ours"].notna()]
    first, _, *lines = caption.finding.split("\n")
    assert first.startswith(f"{len(green)} of {(rows['kind'] != 'listeners').sum()} published scores are green")
    above = int((beside["ours_low"] > beside["high"].fillna(beside["value"])).sum())
    below = int((beside["ours_high"] < beside["low"].fillna(beside["value"])).sum())
    assert f"above {above}, below {below} and within the intervals of {len(beside) - above - below}" in first
    higher = int((beside["value"] > beside["ours"]).sum())
    assert f"By the score alone {higher} are higher than ours. Sources: " in first
    assert f"above {above}" in published_text.title(rows)
    assert [line.split("**")[1] for line in lines] == ["RAVDESS speech", "CREMA-D", "TESS", "EMO-DB"]
    assert "UAR .819 [.778, .859] (XLS-R 300M" in lines[0]
    assert "ours is .730 [.680, .780], −8.9 points" in lines[0]
    assert "none is green; the best amber score is" in lines[2]
    assert "ours has no score by this protocol. By the same protocol as ours it is UAR .730" in lines[2]


def test_text_holds_without_scores_of_ours_and_without_rows(rows):
    nothing = published.table(OURS.iloc[:0], DATA)
    finding = published_text.finding(nothing)
    assert "This run has no score of the same corpus, protocol and metric" in finding
    assert "points" not in finding
    n = (rows["kind"] != published.LISTENERS).sum()
    assert f"of {n} published scores have the test speakers in training" in published_text.title(nothing)
    red = rows[rows["light"] == "red"]
    assert "TESS**: every published score has the test speakers in training" in published_text.finding(red)
    for caption in (published_text.table(rows.iloc[:0]), published_text.figure(rows.iloc[:0])):
        assert caption.empty == published_text.EMPTY
        assert caption.finding == ""
    assert published_figures.scores(rows.iloc[:0]) is None


def test_figure_keeps_the_rules(rows):
    figure = published_figures.scores(rows)
    drawing = svg_text(figure)
    check_overlap(figure)
    check_size(figure, drawing)
    check_svg(drawing)
    check_units(figure)
    assert len(figure.axes) == rows["corpus"].nunique()


def test_key_of_the_figure_names_what_is_in_it(rows):
    def key(table: pd.DataFrame) -> list[str]:
        return [text.get_text().split(":")[0] for text in published_figures.scores(table).legends[0].get_texts()]

    assert key(rows) == ["green", "amber", "red", "listeners", "ours", "95 % interval of ours"]
    tess = rows[rows["corpus"] == "tess"]
    assert key(tess.assign(ours=np.nan)) == ["amber", "red"]


def test_figure_marks_each_light_by_shape_and_colour_and_draws_ours_where_it_is_known(rows):
    assert len(set(published_figures.MARKS.values())) == 4
    ax = published_figures.scores(rows).axes[0]
    part = rows[rows["corpus"] == "ravdess-speech"]
    marks = [line.get_marker() for line in ax.lines if line.get_marker() not in ("None", None)]
    colours = {line.get_color() for line in ax.lines if line.get_marker() not in ("None", None)}
    people = part["kind"] == published.LISTENERS
    for light in published.LIGHTS:
        assert marks.count(published_figures.MARKS[light]) == ((part["light"] == light) & ~people).sum()
    assert marks[-1] == published_figures.MARKS[published.LISTENERS]
    assert len(colours) == 4
    upright = [
        line.get_xdata()[0] for line in ax.lines if len(set(line.get_xdata())) == 1 and len(line.get_xdata()) == 2
    ]
    assert upright == [0.73, 0.86, 0.86]  # between the last two stands a score in accuracy, which has none of ours
    assert len(ax.collections) == 3
