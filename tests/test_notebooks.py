"""The notebooks, executed as a user executes them, on a small built-in corpus; once more; and a crawl over pages."""

from __future__ import annotations

import json
import os
import re
import struct
import subprocess
import sys
import time
from pathlib import Path

import crawler
import explorer_views
import nbformat
import pandas as pd
import prose_numbers
import pytest
from nbclient import NotebookClient
from visits import visit

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
        assert len(text.encode()) < 1_000_000


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
    predictions = explorer_views.published(report).dropna(subset="clip")
    clips = pd.read_parquet(report / "clips.parquet")
    assert "path" not in clips
    predictions["clip_id"] = clips["clip_id"].to_numpy()[predictions["clip"].astype(int)]
    test = predictions[(predictions["role"] == "test") & (predictions["variant"] == 0)]
    scored = {name for name, metric in scores.index if metric == "uar"}  # chapter 06b predicts more
    assert len(scored & set(test["experiment"])) > 2 * 6 * 2
    for name, rows in test[test["experiment"].isin(scored)].groupby("experiment"):
        if rows["clip_id"].is_unique:
            right = (rows["truth"].astype(str) == rows["prediction"].astype(str)).groupby(rows["truth"]).mean()
            assert scores[(name, "uar")] == pytest.approx(right.mean(), abs=1e-5)


@pytest.mark.browser
def test_fifty_random_views_of_the_explorer_are_what_python_computes(study, browser):
    report, _, _ = study
    assert 'href="explorer.html"' in (report / "index.html").read_text("utf-8")
    assert 'href="../explorer.html"' in (report / "pages" / "04_traditional_ml.html").read_text("utf-8")
    explorer_views.opened(browser, report / "explorer.html")
    seen = explorer_views.compare(browser, report, views=50)
    assert seen["milliseconds"].max() < explorer_views.SLOWEST
    browser.find_element("css selector", "#explorer-errors button").click()
    length = "const done = arguments[0]; setTimeout(() => done(document.querySelector('audio').duration), 500)"
    assert browser.execute_async_script(length) > 0.3, "the built-in voices can be played"
    assert browser.get_log("browser") == []


def test_run_json_says_where_numbers_come_from(study):
    report, _, _ = study
    facts = json.loads((report / "run.json").read_text())
    assert facts["preset"] == "demo"
    assert facts["overrides"]["synthetic.n_speakers"] == 4
    assert {"numpy", "scikit-learn", "lightgbm", "librosa"} <= set(facts["versions"])


LEGIBLE = """
const figures = [...document.querySelectorAll(".ser-figure")].map((figure) => {
  const shown = [...figure.querySelectorAll("svg")].filter((svg) => svg.getClientRects().length);
  const sizes = shown.flatMap((svg) => [...svg.querySelectorAll("text")].map((text) => {
    const { a, b } = text.getScreenCTM();
    return parseFloat(getComputedStyle(text).fontSize) * Math.hypot(a, b);
  }));
  const box = figure.querySelector(".ser-drawing"), hint = figure.querySelector(".ser-hint");
  return {
    name: figure.id, drawings: shown.length, least: Math.min(...sizes),
    scrolls: box.scrollWidth > box.clientWidth + 1, cue: !!hint && hint.getClientRects().length > 0,
    reachable: box.tabIndex === 0, saves: figure.querySelectorAll(".ser-saves button").length,
    rows: figure.querySelectorAll(".ser-data tbody tr").length,
    csv: figure.querySelector(".ser-data a[download]")?.getAttribute("href") ?? "",
    alt: shown[0]?.getAttribute("aria-label") ?? "",
  };
});
return { figures, fits: document.documentElement.scrollWidth <= innerWidth };
"""


@pytest.mark.browser
def test_figures_can_be_read_on_a_telephone_and_have_their_data(study, browser):
    report, _, _ = study
    restacked, names = 0, []
    for page in [report / "index.html", *sorted((report / "pages").glob("*.html"))]:
        visit(browser, page, width=390)
        seen = browser.execute_script(LEGIBLE)
        assert seen["fits"], page.name
        for one in seen["figures"]:
            assert one["drawings"] == 1, one
            assert one["least"] >= 11 - 0.05, one
            assert not one["scrolls"] or (one["cue"] and one["reachable"]), one
            assert one["alt"].endswith("Its numbers are in the table below the figure."), one
            assert one["rows"] >= 1, one
            assert one["saves"] == 2, one
            assert one["csv"].startswith("data:text/csv") or (page.parent / one["csv"]).is_file(), one
            restacked += not one["scrolls"]
            names.append(one["name"])
    assert restacked > len(names) / 2 > 10, (restacked, names)


@pytest.mark.browser
def test_a_figure_is_saved_as_svg_and_png(study, browser, tmp_path):
    report, _, _ = study
    visit(browser, report / "pages" / "06b_systems.html")
    browser.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    browser.execute_script("""
      const figure = document.querySelector("#figure-systems");
      figure.querySelector(".ser-data").open = true;
      figure.querySelectorAll(".ser-saves button").forEach((button) => button.click());
    """)
    files = [tmp_path / "systems.svg", tmp_path / "systems.png"]
    for _ in range(100):
        if all(file.is_file() and file.stat().st_size for file in files):
            break
        time.sleep(0.1)
    drawing = files[0].read_text("utf-8")
    assert drawing.startswith("<svg")
    assert "UAR (0–1)" in drawing
    width, height = struct.unpack(">II", files[1].read_bytes()[16:24])
    assert files[1].read_bytes().startswith(b"\x89PNG")
    assert width == pytest.approx(float(re.search(r' width="([\d.]+)"', drawing)[1]) * 2, abs=2)
    assert height > 200


def test_numbers_in_sentences_follow_from_the_tables(study):
    """What a chapter says is traced to the tables of its section; of numbers that are off, most are noticed."""
    report, _, _ = study
    files = {path.stem.lower().replace("_", "-"): path for path in (report / "tables").glob("*.csv")}

    def known(page, exhibits):
        wanted = {name.lower().replace("_", "-") for name in exhibits} | {"corpora"}
        paths = [files[name] for name in sorted(wanted & set(files)) if files[name].stat().st_size > 2]
        return prose_numbers.pool(map(pd.read_csv, paths), prose_numbers.DECLARED.get(page, ""))

    untraced, traced, noticed = [], 0, []
    for page, facts in json.loads((report / "run.json").read_text())["chapters"].items():
        sections = prose_numbers.sections(report.parent / "derived" / "notebooks" / facts["notebook"])
        whole = set().union(*(section.exhibits for section in sections))
        for section in (section for section in sections if section.sentences):
            summary = section.heading in prose_numbers.SUMMARIES.get(page, ())
            numbers = known(page, whole if summary else section.exhibits)
            for sentence in section.sentences:
                for text, value, decimals in prose_numbers.numbers(sentence):
                    if prose_numbers.is_traced(value, decimals, numbers):
                        traced += 1
                        if len(text.strip("−+.,")) > 2:
                            noticed.append(not prose_numbers.is_traced(value * 1.137, decimals, numbers))
                    elif text not in prose_numbers.CONSTANTS.get(page, {}):
                        untraced.append((page, section.heading, text, sentence[:120]))
    assert untraced == []
    assert traced > 250
    assert sum(noticed) / len(noticed) > 0.55, "a table that holds many numbers may hold a wrong one, too"


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
<svg role="img" aria-label="A drawing with a faint word" viewBox="0 0 99 9" fill="#777"><rect width="99" height="9"/>
<text y="7" fill="#333">faint</text></svg><div id="cut" style="overflow: hidden"><div style="width: 900px">x</div></div>
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
    (other / "tables").symlink_to(report / "tables")
    about = json.loads((report / "run.json").read_text("utf-8"))
    chapters = {"06_voting": about["chapters"]["06_voting"]}
    write_json(other / "run.json", about | {"chapters": chapters, "overrides": {"seed": 1}})
    return site.build(reports, reports / "site", project=PROJECT)


def test_no_link_or_anchor_is_broken_and_ids_are_unique(web, tmp_path):
    assert len(web.pages) == 13 + 1 + 3 + 3, (
        "chapters, explorer, appendix, and the front page, chapter and provenance of the other run"
    )
    assert crawler.broken_links(web.folder) == []
    assert crawler.repeated_ids(web.folder) == []
    (tmp_path / "faulty.html").write_text(FAULTY)
    assert crawler.broken_links(tmp_path) == ["faulty.html: #nowhere", "faulty.html: gone.html"]
    assert crawler.repeated_ids(tmp_path) == ["faulty.html: twice"]


@pytest.mark.browser
def test_pages_fit_every_width_and_nothing_complains_or_is_fetched(web, browser):
    wrong = [fault for file in [*web.pages, "404.html"] for fault in crawler.faults(browser, web.folder / file)]
    assert wrong == []


@pytest.mark.browser
def test_the_crawl_sees_what_is_wrong(browser, tmp_path):
    (tmp_path / "faulty.html").write_text(FAULTY)
    wrong = "\n".join(crawler.faults(browser, tmp_path / "faulty.html"))
    for words in (
        *("console: ", "complaint", "asks for http://127.0.0.1:9/x.png", "no words for <img", "0 main landmarks"),
        *(
            "navigation: a, a",
            "390 px: body > div: reaches 600 px over body",
            "#keyless: scrolls, but no key reaches it",
        ),
        *("#keyless: scrolls, but nothing says so", "div#cut: cut, 900 in 300 px", "390 px: the page is 9"),
        'light: A drawing with a faint word: "faint" has a contrast of 2.8',
    ):
        assert words in wrong
