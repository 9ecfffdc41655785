"""Other corpora in chapter 07: what is declared, where thresholds come from, and what is shown."""

from __future__ import annotations

import dataclasses

import chapter_cells
import numpy as np
import pandas as pd
import pytest
import small_corpora

from ser_study import config as settings
from ser_study.chapters.testing import calibration, transfer, transfer_figures, transfer_text
from ser_study.evaluation import abstention
from ser_study.experiments import benchmark, execute
from ser_study.experiments.experiment import Experiment
from ser_study.experiments.selections import Selection
from ser_study.schema import COMMON_EMOTIONS
from ser_study.store import Store
from ser_study.study import Study

POSSIBLE = {name: ["speaker_independent"] for name in ("ravdess-speech", "ravdess-song", "emodb")} | {"own": []}


def selections(**lacking: tuple[str, ...]) -> dict[str, Selection]:
    """Selections of one clip a common class, without those that are given."""
    parts = {}
    for name in (*POSSIBLE, "jl"):
        clips = pd.DataFrame({"emotion": [one for one in COMMON_EMOTIONS if one not in lacking.get(name, ())]})
        parts[name] = Selection(name, clips, clips.iloc[:0])
    return parts


@pytest.fixture(scope="module")
def two_corpora(tmp_path_factory) -> Study:
    """CREMA-D and EMO-DB of made-up voices, three speakers each."""
    folder = tmp_path_factory.mktemp("transfer")
    for name in ("crema_d", "emodb"):
        small_corpora.MAKERS[name](folder / "raw" / name, 3, dict.fromkeys(COMMON_EMOTIONS, 4))
    config = settings.load("quick", chapter_cells.FEW)
    return Study(config, Store(folder / "raw", folder / "derived", folder / "reports" / "run", folder))


def test_every_corpus_is_paired_with_every_other_and_with_itself_where_it_can_be():
    config = settings.load("quick")
    pairs = [
        (one.sources or (one.selection,), one.selection) for one in benchmark.transfer(config, POSSIBLE, selections())
    ]
    tested = ["ravdess-speech", "emodb", "own"]
    wanted = {((a,), b) for a in tested for b in tested if a != b or a != "own"}
    assert len(pairs) == len(set(pairs)) == 8
    assert set(pairs) == wanted
    assert set(benchmark.transfer(config, POSSIBLE, selections())) <= set(
        benchmark.published(config, POSSIBLE, selections())
    )
    assert benchmark.transfer(config, {"emodb": ["speaker_independent"]}, selections()) == []


def test_a_selection_without_one_of_the_common_classes_is_in_no_pair():
    config, possible = settings.load("quick"), POSSIBLE | {"jl": ["speaker_independent"]}
    given = possible, selections(jl=("disgust", "fearful"))
    names = {name for one in benchmark.transfer(config, *given) for name in (one.selection, *one.sources)}
    assert names == {"ravdess-speech", "emodb", "own"}
    assert "jl" in {one.selection for one in benchmark.cross_corpus(config, possible)}
    two = {name: possible[name] for name in ("jl", "emodb")}
    assert benchmark.transfer(config, two, given[1]) == []


def test_validation_rows_of_one_other_corpus_are_kept():
    one = Experiment("emodb", "cross_corpus", "summary", "lda", scheme="6_common", sources=("tess",))
    assert execute.keeps_validation(one)
    assert not execute.keeps_validation(dataclasses.replace(one, fixed=True))
    assert not execute.keeps_validation(dataclasses.replace(one, sources=("tess", "own")))
    assert not execute.keeps_validation(Experiment("emodb", "random", "summary", "lda"))


def test_thresholds_come_from_speakers_of_the_source(two_corpora):
    one = Experiment("emodb", "cross_corpus", "means184", "lda", scheme="6_common", sources=("crema_d",))
    rows = two_corpora.predictions(one)
    corpus = rows["clip_id"].str.partition("/")[0]
    assert set(zip(rows["role"], corpus)) == {("validation", "crema_d"), ("test", "emodb")}
    assert transfer.learns(one, rows, two_corpora)
    other = rows.assign(truth=rows["truth"].where(rows["role"] == "validation", "sad"))
    wrong = rows.assign(truth=rows["truth"].where(rows["role"] == "test", "nothing"))
    before = abstention.fold_thresholds(rows, 0.1)
    pd.testing.assert_series_equal(abstention.fold_thresholds(other, 0.1), before)
    assert abstention.fold_thresholds(wrong, 0.1).tolist() == [np.inf]
    assert np.isfinite(before).all()


def test_the_section_on_two_corpora(two_corpora):
    frame = transfer.table(two_corpora)
    assert list(zip(frame["source"], frame["corpus"])) == [
        ("crema_d", "crema_d"), ("emodb", "crema_d"), ("crema_d", "emodb"), ("emodb", "emodb"),
    ]  # fmt: skip
    assert frame["languages"].tolist() == ["en", "de → en", "en → de", "de"]
    assert transfer.crosses_language(frame).tolist() == [False, True, True, False]
    within = frame[frame["source"] == frame["corpus"]].set_index("corpus")["uar"]
    assert frame["uar_within"].tolist() == within[frame["corpus"]].tolist()
    assert frame["coverage"].between(0, 1).all()
    figure, caption = transfer_figures.matrices(frame, two_corpora), transfer_text.figure(frame)
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["CREMA-D (en)", "EMO-DB (de)"]
    assert caption.alt == transfer_text.title(frame)
    assert "between languages" in caption.finding
    assert "mean confidence minus accuracy" in transfer_text.table(frame).finding


def test_every_feature_has_a_title_of_its_own(two_corpora):
    features = (two_corpora.config.ladder.feature, "campplus", "campplus+moonshine", "smart_turn")
    titles = [transfer.title(Experiment("emodb", "cross_corpus", one, "lda"), two_corpora) for one in features]
    assert titles == ["hand-crafted features", "one encoder", "two encoders", "smart-turn"]
    rows = [{"system": one, "source": "emodb", "corpus": "emodb", "uar": place} for place, one in enumerate(titles)]
    frame = pd.DataFrame(rows)
    assert [transfer.matrix(frame, one, "uar").loc["emodb", "emodb"] for one in titles] == [0, 1, 2, 3]


def test_a_source_without_named_speakers_has_no_threshold(two_corpora):
    one = Experiment("emodb", "cross_corpus", "means184", "lda", scheme="6_common", sources=("crema_d",))
    rows, part = two_corpora.predictions(one), two_corpora.selections["crema_d"]
    unnamed = dataclasses.replace(part, clips=part.clips.assign(speaker=None))
    study = two_corpora._with({**two_corpora.selections, "crema_d": unnamed})
    assert not transfer.learns(one, rows, study)
    assert not transfer.learns(one, rows[rows["role"] == "test"], two_corpora)


def test_one_corpus_gives_a_sentence(small_study):
    frame = transfer.table(small_study)
    assert list(frame.columns) == list(transfer.COLUMNS)
    assert transfer_figures.matrices(frame, small_study) is None
    assert transfer_text.figure(frame).empty == transfer_text.table(frame).empty
    assert not transfer_text.table(frame).finding


def test_the_finding_says_how_far_the_threshold_helps():
    row = {"system": "two encoders", "languages": "en", "uar": 0.4, "uar_within": 0.6, "overconfidence": 0.2}
    row |= {"coverage": 0.5, "accuracy": 0.85, "accuracy_of_all": 0.4, "note": ""}
    frame = pd.DataFrame([
        row | {"source": "tess", "corpus": "emodb", "languages": "en → de"},
        row | {"source": "emodb", "corpus": "tess", "uar": 0.5, "accuracy": 0.75, "languages": "de → en"},
        row | {"source": "own", "corpus": "tess", "coverage": np.nan, "accuracy": np.nan,
               "note": calibration.NO_VALIDATION},
    ])  # fmt: skip
    assert "two encoders: −20.0 points within a language and −15.0 points between languages" in (
        transfer_text.figure(frame).finding
    )
    finding = transfer_text.table(frame).finding
    assert "two encoders +20.0 points in the median" in finding
    assert "two encoders: 50 % of the clips answered, 80 % of these right" in finding
    assert finding.endswith("1 of 2 cases (each a pair of corpora and a system) reach the aim.")


def test_each_system_has_numbers_of_its_own():
    row = {"source": "tess", "corpus": "emodb", "languages": "en → de", "uar_within": 0.7, "note": ""}
    known = {"coverage": 0.9, "accuracy": 0.4, "accuracy_of_all": 0.4}
    frame = pd.DataFrame([
        row | known | {"system": "one encoder", "uar": 0.4, "overconfidence": 0.2},
        row | {"system": "one encoder", "uar": 0.7, "source": "emodb"},
        row | known | {"system": "two encoders", "uar": 0.5, "overconfidence": 0.1, "coverage": 0.0,
                       "accuracy": np.nan},
        row | {"system": "two encoders", "uar": 0.8, "source": "emodb"},
    ])  # fmt: skip
    assert transfer_text.title(frame) == (
        "Median UAR of this run's systems on another corpus and on new speakers of their own: one encoder .400 and "
        ".700; two encoders .500 and .800"
    )
    finding = transfer_text.table(frame).finding
    assert "one encoder +20.0 points in the median and +20.0 at most; two encoders +10.0 points" in finding
    assert "one encoder: 90 % of the clips answered, 40 % of these right (40 % of all clips)" in finding
    assert "two encoders: nothing answered. 0 of 2 cases" in finding


def test_words_name_systems_chance_and_the_one_corpus_of_another_language():
    names = ("crema_d", "tess", "emodb")
    rows = []
    for source in names:
        for corpus in names:
            spoken = ["de" if name == "emodb" else "en" for name in (source, corpus)]
            uar = 0.5175 if source != corpus else 0.7
            rows.append({"system": "two encoders", "source": source, "corpus": corpus, "uar": uar, "uar_within": 0.7,
                         "languages": " → ".join(dict.fromkeys(spoken))})  # fmt: skip
    frame = pd.DataFrame(rows)
    title = transfer_text.title(frame)
    assert title.startswith("Median UAR of this run's systems on another corpus and on new speakers of their own: ")
    assert title.endswith(": two encoders .517 and .700"), "as the tables round"
    finding = transfer_text.figure(frame).finding
    assert "At chance" not in finding
    assert finding.endswith("EMO-DB is the only one in another language, so corpus and language cannot be told apart.")
    low = frame.assign(uar=frame["uar"].where((frame["source"] != "tess") | (frame["corpus"] == "tess"), 0.16))
    assert "reaches too: two encoders on TESS → CREMA-D and TESS → EMO-DB." in transfer_text.figure(low).finding
    english = frame.assign(languages="en")
    assert "told apart" not in transfer_text.figure(english).finding
