"""The notebooks, executed as a user executes them, on a small built-in corpus; once more; and a crawl over pages."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import crawler
import nbformat
import pandas as pd
import pytest
from nbclient import NotebookClient

from ser_study.report import site
from ser_study.store import PAGES, write_json

PROJECT = Path(__file__).resolve().parents[1]
SMALL = ("synthetic.n_speakers=4", "synthetic.n_statements=3", "controls.shuffles=2", "ladder.draws=2")
APPENDIX = ("glossary", "provenance", "references")
WITHOUT_FIGURE = (
    "04b_ablations",
    "06_voting",
    "08_baselines",
    "10_methods",
)  # on the built-in corpus: tables and sentences


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A finished demo run: its folder, what was printed, and a way to run again."""
    folder = tmp_path_factory.mktemp("demo")
    environment = os.environ | {"SER_STUDY_DERIVED": str(folder / "derived"), "SER_STUDY_REPORTS": str(folder)}
    environment.pop("SER_STUDY_DATA", None)
    command = [
        sys.executable,
        "run_all.py",
        "--preset",
        "demo",
        "--jobs",
        "1",
        *(f"--set={change}" for change in SMALL),
    ]

    def run(*more: str) -> subprocess.CompletedProcess:
        return subprocess.run([*command, *more], cwd=PROJECT, env=environment, capture_output=True, text=True)

    done = run()
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    (report,) = folder.glob("demo+*")
    return report, done.stdout, run


def test_every_chapter_has_a_page_without_an_error(study):
    report, printed, _ = study
    pages = [report / "index.html", *sorted((report / "pages").glob("*.html"))]
    assert [page.stem for page in pages[1:]] == [
        "01_corpus_synthetic",
        "02_feature_extraction",
        "03_splits_and_leakage",
        "03b_controls",
        "04_traditional_ml",
        "04b_ablations",
        "05_deep_learning",
        "06_voting",
        "06b_systems",
        "07_post_model_testing",
        "08_baselines",
        "10_methods",
        "glossary",
        "provenance",
        "references",
    ]
    assert printed.strip().endswith("index.html.")
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert "Traceback" not in text
        assert "<svg" in text or page.stem in WITHOUT_FIGURE or page.stem in APPENDIX
        assert not re.search(r'(?:src|href)="https?://[^"]+\.(?:js|css)"', text)
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
    benchmark = scores[(scores["metric"] == "uar") & scores["size"].isna() & ~scores["fixed"] & scores["leak"].isna()]
    assert len(benchmark) == 2 * 6 * 2  # features × models × protocols
    honest = benchmark[benchmark["protocol"] == "speaker_independent"].set_index(["feature", "model"])["value"]
    random = benchmark[benchmark["protocol"] == "random"].set_index(["feature", "model"])["value"]
    assert (random - honest).drop("dummy", level="model").mean() > 0.05


def test_scores_follow_from_the_published_predictions(study):
    report, _, _ = study
    scores = pd.read_csv(report / "tables" / "scores.csv").set_index(["experiment", "metric"])["value"]
    predictions = pd.read_parquet(report / "predictions.parquet")
    clips = pd.read_parquet(report / "clips.parquet")
    assert "path" not in clips
    predictions["clip_id"] = clips["clip_id"].to_numpy()[predictions["clip"]]
    test = predictions[(predictions["role"] == "test") & (predictions["variant"] == 0)]
    scored = {name for name, metric in scores.index if metric == "uar"}  # chapter 06b predicts more
    assert len(scored & set(test["experiment"])) > 2 * 6 * 2
    for name, rows in test[test["experiment"].isin(scored)].groupby("experiment"):
        if rows["clip_id"].is_unique:
            right = (rows["truth"].astype(str) == rows["prediction"].astype(str)).groupby(rows["truth"]).mean()
            assert scores[(name, "uar")] == pytest.approx(right.mean(), abs=1e-5)


def test_run_json_says_where_numbers_come_from(study):
    report, _, _ = study
    facts = json.loads((report / "run.json").read_text())
    assert facts["preset"] == "demo"
    assert facts["overrides"]["synthetic.n_speakers"] == 4
    assert {"numpy", "scikit-learn", "lightgbm", "librosa"} <= set(facts["versions"])


def test_second_run_executes_nothing_and_one_notebook_can_be_run_alone(study):
    report, _, run = study
    before = (report / "tables" / "scores.csv").read_bytes()
    again = run()
    assert again.returncode == 0
    assert again.stdout.count("up to date") == 13
    alone = run("--only", "09", "--force")
    assert alone.returncode == 0, alone.stdout + alone.stderr[-2000:]
    assert (report / "tables" / "scores.csv").read_bytes() == before


@pytest.mark.parametrize("name", ["04_traditional_ml", "09_findings"])
def test_in_jupyterlab_a_notebook_holds_the_library_once(study, name):
    """Executed outside the pages, as in JupyterLab, on what the run has computed."""
    report, _, _ = study
    notebook = nbformat.read(PROJECT / "notebooks" / f"{name}.ipynb", as_version=4)
    (cell,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    changes = {key: int(value) for key, _, value in (change.partition("=") for change in SMALL)}
    cell.source += f"\npreset, overrides = 'demo', {changes!r}"
    places = {"SER_STUDY_DERIVED": str(report.parent / "derived"), "SER_STUDY_REPORTS": str(report.parent)}
    environment = {key: value for key, value in os.environ.items() if key not in ("SER_STUDY_DATA", PAGES)} | places
    executed = NotebookClient(notebook, kernel_name="python3", resources={"metadata": {"path": str(PROJECT)}})
    executed.execute(env=environment)
    outputs = [output.data for cell in notebook.cells for output in cell.get("outputs", []) if "data" in output]
    html = "".join(data.get("text/html", "") for data in outputs)
    assert html.count("DecompressionStream(") == 1
    assert html.count("data-ser-table") > 1
    assert sum(map(len, re.findall(r"<script.*?</script>", html, flags=re.DOTALL))) <= 300_000


# The crawl ------------------------------------------------------------------------------------------------------------

FAULTY = """<!doctype html><title>x</title><meta name="viewport" content="width=device-width">
<link rel="icon" href="data:,"><style>body { width: 300px }</style>
<nav aria-label="a"></nav><nav aria-label="a"></nav><p id="twice"><a href="#nowhere">a</a> <a href="gone.html">b</a></p>
<h1 id="twice">x</h1><img src="data:," alt="few"><div style="width: 900px; height: 9px"></div>
<div id="keyless" style="overflow-x: auto"><div style="width: 900px">x</div></div>
<div id="cut" style="overflow: hidden"><div style="width: 900px">x</div></div>
<script>console.error("complaint"); new Image().src = "http://127.0.0.1:9/x.png";</script>"""


@pytest.fixture(scope="module")
def web(study, tmp_path_factory):
    """A web site of that run and of one that has a single chapter and no findings."""
    report, _, _ = study
    reports = tmp_path_factory.mktemp("published")
    (reports / "demo").symlink_to(report)
    other = reports / "demo+seed=1"
    (other / "pages").mkdir(parents=True)
    for name in ("index.html", "pages/06_voting.html"):
        (other / name).write_bytes((report / name).read_bytes())
    about = json.loads((report / "run.json").read_text("utf-8"))
    chapters = {"06_voting": about["chapters"]["06_voting"]}
    write_json(other / "run.json", about | {"chapters": chapters, "overrides": {"seed": 1}})
    return site.build(reports, reports / "site", project=PROJECT)


@pytest.fixture(scope="module")
def chromium():
    with crawler.browsing() as browser:
        yield browser


def test_no_link_or_anchor_is_broken_and_ids_are_unique(web, tmp_path):
    assert len(web.pages) == 13 + 3 + 3, (
        "chapters, appendix, and the front page, chapter and provenance of the other run"
    )
    assert crawler.broken_links(web.folder) == []
    assert crawler.repeated_ids(web.folder) == []
    (tmp_path / "faulty.html").write_text(FAULTY)
    assert crawler.broken_links(tmp_path) == ["faulty.html: #nowhere", "faulty.html: gone.html"]
    assert crawler.repeated_ids(tmp_path) == ["faulty.html: twice"]


@pytest.mark.browser
def test_pages_fit_every_width_and_nothing_complains_or_is_fetched(web, chromium):
    wrong = [fault for file in [*web.pages, "404.html"] for fault in crawler.faults(chromium, web.folder / file)]
    assert wrong == []


@pytest.mark.browser
def test_the_crawl_sees_what_is_wrong(chromium, tmp_path):
    (tmp_path / "faulty.html").write_text(FAULTY)
    wrong = "\n".join(crawler.faults(chromium, tmp_path / "faulty.html"))
    for words in (
        *("console: ", "complaint", "asks for http://127.0.0.1:9/x.png", "no words for <img", "0 main landmarks"),
        *(
            "navigation: a, a",
            "390 px: body > div: reaches 600 px over body",
            "#keyless: scrolls, but no key reaches it",
        ),
        *("#keyless: scrolls, but nothing says so", "div#cut: cut, 900 in 300 px", "390 px: the page is 9"),
    ):
        assert words in wrong
