"""The five notebooks, executed as a user executes them, on a small built-in corpus; then once more."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

PROJECT = Path(__file__).resolve().parents[1]
SMALL = ("synthetic.n_speakers=4", "synthetic.n_statements=3", "study.shuffles=2", "study.ladder_draws=2")
WITHOUT_FIGURE = ("06_voting", "08_seeds_revisited")  # on the built-in corpus: tables and sentences


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A finished demo run: its folder, what was printed, and a way to run again."""
    folder = tmp_path_factory.mktemp("demo")
    environment = os.environ | {"SER_STUDY_DERIVED": str(folder / "derived"), "SER_STUDY_REPORTS": str(folder)}
    environment.pop("SER_STUDY_DATA", None)
    command = [sys.executable, "run_all.py", "--preset", "demo", *(f"--set={change}" for change in SMALL)]

    def run(*more: str) -> subprocess.CompletedProcess:
        return subprocess.run([*command, *more], cwd=PROJECT, env=environment, capture_output=True, text=True)

    done = run()
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    (report,) = folder.glob("demo+*")
    return report, done.stdout, run


def test_every_chapter_has_a_page_without_an_error(study):
    report, said, _ = study
    pages = [report / "index.html", *sorted((report / "pages").glob("*.html"))]
    assert [page.stem for page in pages[1:]] == [
        "01_corpus_synthetic",
        "02_feature_extraction",
        "03_splits_and_leakage",
        "04_traditional_ml",
        "05_deep_learning",
        "06_voting",
        "08_seeds_revisited",
    ]
    assert said.strip().endswith("index.html.")
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert "Traceback" not in text
        assert "<svg" in text or page.stem in WITHOUT_FIGURE
        assert not re.search(r'(?:src|href)="https?://[^"]+\.(?:js|css)', text)
        assert str(PROJECT) not in text
        assert str(report.parent) not in text


def test_scores_are_tidy(study):
    report, _, _ = study
    scores = pd.read_csv(report / "tables" / "scores.csv")
    first = [
        "corpus",
        "protocol",
        "feature",
        "model",
        "metric",
        "value",
        "low",
        "high",
        "interval",
        "n",
        "n_speakers",
        "n_train",
    ]
    assert scores.columns.tolist()[: len(first)] == first
    assert not scores.duplicated(["experiment", "metric"]).any()
    league = scores[(scores["metric"] == "uar") & scores["size"].isna() & ~scores["fixed"]]
    assert len(league) == 2 * 5 * 2  # features × models × protocols
    honest = league[league["protocol"] == "speaker_independent"].set_index(["feature", "model"])["value"]
    random = league[league["protocol"] == "random"].set_index(["feature", "model"])["value"]
    assert (random - honest).drop("dummy", level="model").mean() > 0.05


def test_scores_follow_from_the_published_predictions(study):
    report, _, _ = study
    scores = pd.read_csv(report / "tables" / "scores.csv").set_index(["experiment", "metric"])["value"]
    told = pd.read_parquet(report / "predictions.parquet")
    test = told[(told["role"] == "test") & (told["variant"] == 0)]
    for name, rows in test.groupby("experiment"):
        if rows["clip_id"].is_unique:
            right = (rows["truth"] == rows["prediction"]).groupby(rows["truth"]).mean()
            assert scores[(name, "uar")] == pytest.approx(right.mean(), abs=1e-5)


def test_run_json_says_where_numbers_come_from(study):
    report, _, _ = study
    told = json.loads((report / "run.json").read_text())
    assert told["preset"] == "demo"
    assert told["overrides"]["synthetic.n_speakers"] == 4
    assert {"numpy", "scikit-learn", "lightgbm", "librosa"} <= set(told["versions"])


def test_second_run_executes_nothing_and_one_notebook_can_be_run_alone(study):
    report, _, run = study
    before = (report / "tables" / "scores.csv").read_bytes()
    again = run()
    assert again.returncode == 0
    assert again.stdout.count("up to date") == 8
    alone = run("--only", "09", "--force")
    assert alone.returncode == 0, alone.stdout + alone.stderr[-2000:]
    assert (report / "tables" / "scores.csv").read_bytes() == before
