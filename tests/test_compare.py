"""What changed between two runs: scores by size, settings and versions, tables; the page, its CSV, what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from ser_study import cli
from ser_study.report import compare
from ser_study.store import write_json

PROJECT = Path(__file__).resolve().parents[1]
QUICK, COMPLETE, SEEDS = (PROJECT / "reports" / name for name in ("quick", "complete", "full+training.seeds=5"))
BEFORE = """experiment,metric,value
emodb/random/summary/lda,uar,0.8
emodb/random/summary/lda,log_loss,1.5
tess/random/summary/lda,uar,0.5
tess/random/summary/lda,uar_fold_mean,0.5
tess/random/summary/dummy,uar,0.1
gone/random/summary/lda,uar,0.3
"""
AFTER = """experiment,metric,value
emodb/random/summary/lda,uar,0.75
emodb/random/summary/lda,log_loss,1.1
tess/random/summary/lda,uar,0.52
tess/random/summary/lda,uar_fold_mean,0.5
tess/random/summary/dummy,uar,0.1
"""
ABOUT = {
    "preset": "quick",
    "overrides": {},
    "chapters": {},
    "commit": "a",
    "date": "Monday",
    "versions": {"numpy": "2.0"},
}


def run(folder: Path, scores: str, **about) -> Path:
    (folder / "tables").mkdir(parents=True)
    (folder / "tables" / "scores.csv").write_text(scores)
    (folder / "tables" / "same.csv").write_text("a\n1\n")
    if about:
        write_json(folder / "run.json", ABOUT | about)
    return folder


@pytest.fixture
def two(tmp_path):
    corpus = {"corpus": "tess", "found": "2800", "analysed": "2800"}
    first = run(
        tmp_path / "old" / "quick", BEFORE, settings={"seed": 1, "audio": {"rate": 8, "cut": "a"}}, corpora=[corpus]
    )
    settings, versions = {"seed": 1, "audio": {"rate": 16, "cut": "a"}}, {"numpy": "2.1", "scipy": "1"}
    corpora = [corpus | {"analysed": "2799"}]
    second = run(
        tmp_path / "new" / "quick", AFTER, date="Tuesday", settings=settings, versions=versions, corpora=corpora
    )
    (second / "tables" / "extra.csv").write_text("a\n")
    return compare.compare(first, second, reports=tmp_path)


def test_scores_in_both_are_sorted_by_the_size_of_their_change(two):
    rows = two.changed[["name", "metric", "difference"]].to_numpy().tolist()
    assert [row[:2] for row in rows] == [
        ["emodb/random/summary/lda", "log_loss"],
        ["emodb/random/summary/lda", "uar"],
        ["tess/random/summary/lda", "uar"],
    ]
    assert [row[2] for row in rows] == pytest.approx([-0.4, -0.05, 0.02])
    assert len(two.common) == 5
    assert two.alone["name"].tolist() == ["gone/random/summary/lda"]


def test_settings_versions_and_corpora_that_differ_are_listed(two):
    rows = two.facts[["what", "name", "before", "after"]].to_numpy().tolist()
    assert rows == [
        ["run", "date", "Monday", "Tuesday"],
        ["setting", "audio.rate", "8", "16"],
        ["version", "numpy", "2.0", "2.1"],
        ["corpus", "tess, analysed", "2800", "2799"],
        ["version", "scipy", "–", "1"],
    ]


def test_the_sentence_on_top_holds_the_numbers(two):
    assert two.names == ("quick (Monday)", "quick (Tuesday)")
    assert two.summary == (
        "Of 5 scores that both runs have, 3 differ, UAR most for EMO-DB, random split, summaries, LDA "
        "(.800 → .750, −5.0 points); 1 is only in quick (Monday). "
        "Different between them: 2 versions, 1 setting and 1 corpus fact."
    )


def test_the_page_and_the_csv_hold_all_of_it(two, tmp_path):
    page = compare.write(two, tmp_path / "out").read_text("utf-8")
    rows = pd.read_csv(tmp_path / "out" / "changes.csv")
    assert rows.columns.tolist() == compare.COLUMNS
    assert len(rows) == 5 + 1 + 5
    kept = rows[rows["what"] == "scores"].set_index(["name", "metric"])["difference"]
    assert kept["emodb/random/summary/lda", "uar"] == pytest.approx(-0.05)
    assert f"<p>{two.summary}</p>" in page
    assert "2 of 5 are equal" in page
    assert re.findall(r"<h2[^>]*>([^<]+?) <", page) == [
        "Scores in both runs", "Scores in one run only", "Settings, versions and corpora", "Tables",
    ]  # fmt: skip
    assert "<dt>Only in quick (Tuesday) (1)</dt><dd>extra</dd>" in page
    assert "<dt>Different (1)</dt><dd>scores</dd>" in page
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert 'href="run:' not in page
    assert not re.search(r'(?:src|href)="(?:https?:)?//', page)


def test_a_run_is_equal_to_itself(tmp_path):
    changes = compare.compare(QUICK, QUICK, reports=tmp_path)
    rows = {name: pd.read_csv(QUICK / "tables" / f"{name}.csv") for name in compare.SCORES}
    n = sum(int(rows[name][list(columns)].notna().sum().sum()) for name, (_, columns) in compare.SCORES.items())
    assert changes.summary == (
        f"All {n:,} scores that both runs have are equal. Settings, versions and corpora are the same."
    )
    assert set(changes.names) == {f"{name} ({letter})" for letter in "AB" for name in [changes.names[0][:-4]]}
    assert not changes.tables["different"]


def test_published_runs_of_different_ages_can_be_compared(tmp_path):
    changes = compare.compare(COMPLETE, QUICK, reports=tmp_path)
    before, after = (pd.read_csv(folder / "tables" / "scores.csv") for folder in (COMPLETE, QUICK))
    both = before.merge(after, on=["experiment", "metric"])
    assert len(changes.common) == len(both) > 100
    largest = (both["value_y"] - both["value_x"]).abs().max()
    assert abs(changes.common["difference"].iloc[0]) == pytest.approx(largest)
    page = compare.write(changes, tmp_path / "out").read_text("utf-8")
    assert ("first 250 of" in page) == (len(changes.alone) > 250), "a long table is cut"
    assert '<a download="changes.csv" href="changes.csv">Download CSV</a>' in page
    baselines = compare.compare(SEEDS, QUICK, reports=tmp_path).common
    assert set(baselines["what"]) == {"baselines"}
    assert {"uar, ours", "accuracy, new speakers"} <= set(baselines["metric"])


def test_without_run_json_scores_are_compared_alone(tmp_path):
    changes = compare.compare(run(tmp_path / "a", BEFORE), run(tmp_path / "b", AFTER), reports=tmp_path)
    assert changes.names == ("a", "b")
    assert changes.summary.endswith("a run.json is missing.")
    other = run(tmp_path / "c", "experiment,metric,value\nx/y,uar,0.1\n")
    none = compare.compare(tmp_path / "a", other, reports=tmp_path)
    assert none.summary.startswith("The two runs have no score in common; 6 are only in a; 1 is only in c.")
    compare.write(none, tmp_path / "out")


@pytest.mark.parametrize(("name", "words"), [("src", "has no tables/scores.csv"), ("nowhere", "is not there")])
def test_what_is_no_run_is_refused_with_the_runs_there_are(name, words, monkeypatch, capsys):
    monkeypatch.setenv("SER_STUDY_REPORTS", str(PROJECT / "reports"))
    assert cli.main(["report", "--compare", str(QUICK), str(PROJECT / name)]) == 2
    printed = capsys.readouterr().err
    assert words in printed
    assert "Published in reports/: quick, complete" in printed or "Published in reports/: full, quick" in printed


def test_the_command_prints_the_sentence_and_where_the_page_is(tmp_path, capsys):
    first, second = run(tmp_path / "a", BEFORE), run(tmp_path / "b", AFTER)
    assert cli.main(["report", "--compare", str(first), str(second), "--to", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    assert "Of 5 scores that both runs have, 3 differ" in printed
    assert (tmp_path / "out" / "index.html").is_file()
    assert "index.html; every score is in changes.csv" in printed
