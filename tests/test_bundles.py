"""The recognisers of a run: chosen without a test row, written alike every time, and described by their own cards."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ser_study.chapters.testing import bundles, bundles_text
from ser_study.experiments import Experiment, execute
from ser_study.recognizer import Recognizer
from ser_study.report.exhibits import Exhibits
from ser_study.store import PAGES, WRITTEN
from ser_study.study import Study


def rows(prediction, truth=("angry", "calm", "sad", "happy"), role="validation") -> pd.DataFrame:
    return pd.DataFrame({"truth": list(truth), "prediction": list(prediction), "role": role})


def test_a_score_counts_from_guessing_to_always_right():
    truth = ["angry", "angry", "calm", "calm"]
    assert bundles.above_guessing(rows(truth, truth)) == 1.0
    assert bundles.above_guessing(rows(["angry"] * 4, truth)) == 0.0  # recalls 1 and 0: chance
    assert bundles.above_guessing(rows(["angry", "angry", "calm", "angry"], truth)) == pytest.approx(0.5)  # .75 of 2
    four = rows(["angry", "calm", "angry", "angry"])  # recalls 1, 1, 0, 0
    assert bundles.above_guessing(four) == pytest.approx((0.5 - 0.25) / 0.75)


def test_the_feature_is_best_on_average_and_the_corpus_the_one_it_does_best_on(small_study, monkeypatch):
    uar = {("one", "a"): 0.6, ("two", "a"): 0.7, ("one", "b"): 0.95, ("two", "b"): 0.3}
    systems = {key: Experiment(key[0], "speaker_independent", key[1], "lda") for key in uar}
    by_feature = {name: [one for key, one in systems.items() if key[1] == name] for name in "ab"}
    monkeypatch.setattr(bundles, "candidates", lambda study: {"small": by_feature, "large": {}})
    truth = np.repeat(["angry", "calm"], 100)

    def tables(self, experiments):
        scored = {one: uar[one.selection, one.feature] for one in experiments}
        return {
            one: rows(np.where(np.arange(200) % 100 < 100 * value, truth, "other"), truth)
            for one, value in scored.items()
        }

    monkeypatch.setattr(Study, "predict_validation", tables)
    chosen = bundles.choose(small_study)
    assert chosen == {"small": (systems["two", "a"], pytest.approx(0.7))}  # b is better on one, worse on average


def test_the_choice_reads_no_test_row(small_study, monkeypatch):
    """Marker: test rows say that the worse candidate is always right, and the better one always wrong."""
    several = [Experiment("synthetic", "speaker_independent", name, "lda") for name in ("means184", "statistics51")]
    monkeypatch.setattr(bundles, "candidates", lambda study: {"small": {one.feature: [one] for one in several}})
    plain, real = bundles.choose(small_study), execute.predict
    best = plain["small"][0]

    def marked(job, **options):
        table = real(job, **options)
        wrong = np.where(table["truth"] == "angry", "sad", "angry")
        marker = wrong if job.experiment == best else table["truth"]
        return table.assign(prediction=table["prediction"].where(table["role"] != "test", marker))

    monkeypatch.setattr(execute, "predict", marked)
    table = small_study.predict([best])[best]
    test = table[table["role"] == "test"]
    assert (test["truth"] != test["prediction"]).all()  # the marker is in what a test row would show
    assert bundles.choose(small_study) == plain


def test_exported_twice_the_bytes_are_the_same_and_the_file_hears(small_study, tmp_path, monkeypatch):
    listing = tmp_path / "written"
    monkeypatch.setenv(PAGES, "1")
    monkeypatch.setenv(WRITTEN, str(listing))
    table = bundles.export(small_study)
    path = small_study.store.run / "models" / "small.npz"
    assert str(path.absolute()) in listing.read_text().splitlines()  # so that the run knows its file
    first = path.read_bytes()
    (one, validation) = bundles.choose(small_study)["small"]
    job = execute.make(one, small_study.selections, None, small_study.config, small_study.store)
    for kept in (small_study.store.derived / "recognisers").glob("*.parquet"):
        kept.unlink()  # fitted anew
    again = bundles.export(small_study)
    assert path.read_bytes() == first
    pd.testing.assert_frame_equal(table, again)
    row = table.iloc[0]
    assert (row["file"], row["feature"], row["corpora"]) == ("small.npz", "means184", "synthetic")
    assert row["kilobytes"] == len(first) / 1000
    scores = small_study.scores([one])
    assert row["uar"] == scores.loc[scores["metric"] == "uar", "value"].item()
    assert row["uar_validation"] == validation
    known = Recognizer.load(path)
    values, _ = execute.features_and_classes(job, small_study.config, small_study.store)
    assert known.probabilities(values.values[:3]).shape == (3, len(row["classes"].split(", ")))


def test_exploring_writes_nothing_to_the_run(small_study, monkeypatch):
    monkeypatch.delenv(PAGES, raising=False)
    published = small_study.store.run / "models" / "small.npz"
    before = published.stat().st_mtime_ns if published.is_file() else None
    bundles.export(small_study)
    assert (published.stat().st_mtime_ns if published.is_file() else None) == before
    assert (small_study.store.outputs / "models" / "small.npz").is_file()


def test_without_candidates_older_files_go_and_the_section_says_why(small_study, monkeypatch):
    monkeypatch.setattr(bundles, "candidates", lambda study: {"small": {}, "large": {}})
    old = small_study.store.outputs / "models" / "large.npz"
    old.parent.mkdir(parents=True, exist_ok=True)
    old.write_bytes(b"old")
    table = bundles.export(small_study)
    assert table.empty
    assert list(table.columns) == bundles.COLUMNS
    assert not old.exists()
    shown = Exhibits(small_study).table(bundles_text.cards(table), bundles_text.bundles(table))
    assert "four or more" in shown.outputs[0][0]["text/plain"]


def test_several_encoders_join_other_corpora_where_that_is_declared(monkeypatch, small_study):
    joint = Experiment("synthetic", "speaker_independent", "means184+summary", "lda", others=("emodb",))
    monkeypatch.setattr(
        bundles.benchmark, "available_encoders", lambda config: ["summary", "means184+summary", "egemaps"]
    )
    monkeypatch.setattr(bundles.benchmark, "joint", lambda config, possible: [joint])
    known = bundles.candidates(small_study)
    assert known["large"] == {"means184+summary": [joint]}
    assert known["small"] == {
        "summary": [Experiment("synthetic", "speaker_independent", "summary", "lda")]
    }  # openSMILE
    monkeypatch.setattr(bundles.benchmark, "joint", lambda config, possible: [])
    (alone,) = bundles.candidates(small_study)["large"]["means184+summary"]
    assert alone.others == ()


def test_cards_stand_side_by_side():
    row = dict.fromkeys(bundles.COLUMNS, "x") | {
        **{
            "file": "small.npz",
            "kilobytes": 41.3,
            "feature": "campplus",
            "selection": "emodb",
            "corpora": "emodb, tess",
        },
        **{
            "n_train": 3335,
            "uar": 0.8512,
            "low": 0.81,
            "high": 0.89,
            "interval": "speaker jackknife",
            "n_speakers": 10,
        },
        **{"uar_validation": 0.84, "threshold": np.nan, "aim": 0.8, "coverage": 0.912, "accuracy": 0.874},
    }
    table = pd.DataFrame([row])
    card = bundles_text.cards(table).set_index("fact")["small.npz"]
    assert card["size"] == "41 kB"
    assert card["fitted on"] == "EMO-DB and TESS, 3,335 clips"
    assert card["UAR on new speakers"] == ".851 [.810, .890], 10 speakers of EMO-DB"
    assert card["answers from a confidence of"] == "none: it always says unsure"
    assert card["then, on new speakers"] == "91 % of the clips answered, 87 % of these right (aim 80 %)"
    words = bundles_text.finding(table)
    assert "`small.npz` (41 kB) reads CAM++ (published weights needed besides: `campplus`, 28.0 MB) and scores" in words
    assert "and scores .851 [.810, .890] on new speakers of EMO-DB" in words
    assert "so it is the easiest one here" in words
    both = bundles_text.finding(table.assign(feature="campplus+moonshine"))
    assert "(published weights needed besides: `campplus`, 28.0 MB; `moonshine`, 13.3 MB)" in both
    assert "weights" not in bundles_text.finding(table.assign(feature="means184"))
    assert "fitted beside other corpora on 3,335 clips" in words
    assert "no large one" in words
