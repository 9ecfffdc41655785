"""The report: what notebooks show, which files they leave, when they run again, and the pages."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import signal
import sys
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
import soundfile
from hostile_runs import in_process
from report_sample import PARAMETERS, SETUP, drawing, notebook, project, report, scores

from ser_study.config import load
from ser_study.features import Feature
from ser_study.report import articles, chapters, clean, exhibits, pages, provenance, runner, table_html
from ser_study.report.exhibits import Exhibits
from ser_study.store import Store
from ser_study.study import Study
from ser_study.wording import Caption, duration, minus, number, percent, share, signed


@pytest.fixture
def show(store, monkeypatch) -> Exhibits:
    """Exhibits as in the pages."""
    monkeypatch.setenv(exhibits.PAGES, "1")
    return Exhibits(Study(load("demo"), store, {}))


def html_of(exhibit) -> str:
    """HTML of the first output."""
    return exhibit.outputs[0][0]["text/html"]


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [(13229, 0, "13,229"), (0.71249, 3, "0.712"), (-0.5, 2, "−0.50"), (0.00002, 3, "<0.001"), (-1e-5, 2, ">−0.01")],
)
def test_number_is_written_for_people(value, decimals, text):
    assert number(value, decimals) == text


def test_other_numbers_are_written_for_people():
    nothing = float("nan")
    assert [share(v) for v in (0.5713, 1.0, -0.0312, -1e-9, nothing)] == [".571", "1.000", "−.031", ".000", "–"]
    assert share(0.4649, 2) == ".46"
    assert [minus(v) for v in (-9.71, -0.01, 12.34, nothing)] == ["−9.7", "0.0", "12.3", "–"]
    assert [signed(v) for v in (9.71, -9.71, -0.01)] == ["+9.7", "−9.7", "0.0"]
    assert [percent(v) for v in (0.384, -0.5, 1.0)] == ["38 %", "−50 %", "100 %"]
    assert [duration(s) for s in (48.2, 185, 6000)] == ["48 s", "3 min 05 s", "1 h 40 min"]


def test_table_writes_the_csv_and_shows_real_rows(store, show):
    html = html_of(show.table(scores(), Caption("scores", "All & some.", labels={"uar": "UAR"})))
    written = pd.read_csv(store.run / "tables" / "scores.csv")
    pd.testing.assert_frame_equal(written, scores(), check_dtype=False, rtol=1e-9)
    assert html.count("<tr>") == 41
    assert ">UAR</th>" in html
    assert ">training rows</th>" in html
    assert "All &amp; some." in html
    assert "model-00 &lt;b&gt;&amp;" in html
    assert '<td class="n" data-order="">–</td>' in html
    assert "<script" not in html, "in the pages the library is there once a page, not once a table"
    assert re.search(r">yes</td>", html)
    assert "float64" not in html


def test_scores_and_p_values_are_written_as_in_sentences(store, show):
    frame = pd.DataFrame(
        {"value": [0.58, -0.0312], "p_holm": [0.0006, 0.047], "fit_s": [0.025, 0.5], "length (s)": [0.75, 0.5]}
    )
    html = html_of(show.table(frame, Caption("style", "Style.")))
    for shown in (">.580<", ">−.031<", ">&lt; .001<", ">.047<", ">0.025<", ">0.750<"):
        assert shown in html
    assert 'data-order="0.58"' in html
    assert "0.58" in (store.run / "tables" / "style.csv").read_text()


def test_registry_names_and_hyperparameters_are_in_words_on_the_page_and_not_in_the_csv(store, show):
    chosen = '{"max_depth": 4, "alpha": 0.376851, "trees": 12310, "warm": true, "penalty": null}'
    frame = pd.DataFrame({"ranking": ["anova"], "params": [chosen]})
    html = html_of(show.table(frame, Caption("search", "Search.")))
    written = pd.read_csv(store.run / "tables" / "search.csv")
    assert "max_depth = 4, alpha = 0.3769, trees = 12310, warm = yes, penalty = none<" in html
    assert ">F test of each feature<" in html
    assert written.iloc[0].tolist() == ["anova", chosen]


def test_empty_frame_and_no_figure_give_the_sentence_for_that_case(store, show):
    nothing = Caption("none", "Nothing.", alt="Nothing.", empty="No corpus has *listeners*.", finding="Not said.")
    for exhibit in (show.table(pd.DataFrame({"corpus": []}), nothing), show.figure(None, nothing)):
        assert [data for data, _ in exhibit.outputs] == [dict.fromkeys(("text/markdown", "text/plain"), nothing.empty)]
    assert show.figure(None, Caption("none", "Nothing.")).outputs == []
    assert (store.run / "tables" / "none.csv").read_text() == "corpus\n", "what reads the table finds no row"
    assert not (store.run / "figures").exists()


def test_a_finding_follows_its_exhibit(show):
    caption = Caption("rise", "It rises.", alt="A line.", finding="By **.500**.")
    assert show.figure(drawing(), caption).outputs[1][0]["text/markdown"] == "By **.500**."
    assert show.table(scores(2), caption).outputs[1][0]["text/markdown"] == "By **.500**."
    assert len(show.all([(drawing(), caption), (scores(2), caption), (None, Caption("none", "…"))]).outputs) == 4


def test_exploring_changes_nothing_that_is_published(store, monkeypatch):
    monkeypatch.delenv(exhibits.PAGES, raising=False)
    show = Exhibits(Study(load("demo"), store, {}))
    show.table(scores(2), Caption("t", "T."))
    show.figure(drawing(), Caption("f", "F.", alt="A line."))
    assert not store.run.exists()
    explored = store.derived / "explored" / store.run.name
    assert sorted(path.name for path in explored.rglob("*.*")) == ["f.png", "f.svg", "t.csv"]


def test_outside_the_pages_the_library_comes_once(store, monkeypatch):
    shown: list = []
    monkeypatch.setattr("IPython.display.display", lambda data, raw, metadata: shown.append(data["text/html"]))
    monkeypatch.delenv(exhibits.PAGES, raising=False)
    show = Exhibits(Study(load("demo"), store, {}))
    for name in ("one", "two", "three"):
        show.table(scores(3), Caption(name, "Few."))._ipython_display_()
    assert [html.count("DecompressionStream(") for html in shown] == [1, 0, 0, 0]
    scripts = [script for html in shown for script in re.findall(r"<script>.*?</script>", html, flags=re.DOTALL)]
    assert sum(map(len, scripts)) < 300_000


def test_large_table_shows_a_part_and_links_the_whole(show):
    html = html_of(show.table(pd.concat([scores()] * 100), Caption("large", "Large.")))
    assert html.count("<tr>") == table_html.MAX_ROWS + 1
    assert 'href="run:tables/large.csv"' in html
    assert "first 250 of 4,000 rows" in html


def test_index_becomes_columns():
    grouped = scores().groupby("honest").agg(low=("uar", "min"), high=("uar", "max"))
    assert list(table_html.flat(grouped).columns) == ["honest", "low", "high"]
    assert list(table_html.flat(grouped.T).columns) == ["index", "False", "True"]


def test_figure_is_the_same_every_time_and_follows_the_theme(store, show):
    files = [store.run / "figures" / f"rise.{kind}" for kind in ("svg", "png")]
    contents = []
    for _ in range(2):
        html = html_of(show.figure(drawing(), Caption("rise", "It rises.", alt='Rises "steadily"')))
        contents.append([html, *(path.read_bytes() for path in files)])
    assert contents[0] == contents[1]
    assert 'role="img" aria-label="Rises &quot;steadily&quot;"' in html
    assert "currentColor" in html
    assert "var(--paper, transparent)" in html
    assert "#1b1b1f" not in html
    assert "#fffffe" not in html
    assert set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', html)), "the sample has references"
    for plain, clip in re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', html):
        assert f'id="{plain or clip}"' in html
        assert (plain or clip).startswith("rise-")


def test_figure_without_words_is_refused(show):
    with pytest.raises(ValueError, match="no alternative text"):
        show.figure(drawing(), Caption("mute", "…", alt=" "))


def test_only_free_audio_enters_the_pages(tmp_path, show, monkeypatch):
    clip = tmp_path / "03-01.wav"
    clip.write_bytes(b"RIFF")
    both = show.sounds([(clip, "synthetic", "angry"), (clip, "ravdess", "sad")])
    (free, about_free), (closed, about_closed) = both.outputs
    assert "data:audio" in free["text/html"]
    assert "data:audio" not in closed["text/html"]
    assert "03-01.wav" in closed["text/html"]
    corpora = [about["ser_study"]["audio"]["corpus"] for about in (about_free, about_closed)]
    assert corpora == ["synthetic", "ravdess"], "each player says which corpus it is from"
    monkeypatch.delenv(exhibits.PAGES)
    assert "data:audio" in html_of(show.sound(clip, "ravdess", "sad")), "in JupyterLab everything is audible"
    with pytest.raises(FileNotFoundError, match="absent.wav"):
        show.sound(tmp_path / "absent.wav", "ravdess", "sad")


def test_cleaning_takes_out_paths_audio_and_noise(store):
    data = {"text/html": '<p><audio src="data:audio/wav;base64,AAAA"></audio></p>'}
    dirty = notebook("1")
    dirty.metadata["papermill"] = {"input_path": str(store.project)}
    dirty.cells[1].outputs = [
        nbformat.v4.new_output("stream", name="stdout", text=f"{store.raw}/ravdess 1%\r2%\n{Path.home()}/x"),
        nbformat.v4.new_output("stream", name="stderr", text="noise"),
        nbformat.v4.new_output("display_data", data=data, metadata={"ser_study": {"audio": {"corpus": "ravdess"}}}),
        nbformat.v4.new_output(
            "error", ename="E", evalue=f"{sys.prefix}/a", traceback=["\x1b[31m/opt/secret/b.py\x1b[0m"]
        ),
    ]
    text = json.dumps(clean.cleaned(dirty, scrub=clean.scrubber(store), parameters={}), ensure_ascii=False)
    for word in (
        str(store.raw),
        str(Path.home()) + "/",
        sys.prefix,
        "/opt/secret",
        "data:audio",
        "papermill",
        "noise",
        "\\u001b",
    ):
        assert word not in text
    assert "…/b.py" in text
    assert "1%" not in text


@pytest.mark.parametrize("text", ["and/or", "1/2", "see https://doi.org/10.5281/zenodo.1", "a / b", "data/raw/x"])
def test_shortening_leaves_other_slashes(text):
    assert clean.shorten(text) == text


def test_chapters_are_found_expanded_and_selected(tmp_path):
    with_corpus = notebook("# A", parameters=f"{PARAMETERS}\ncorpus = ''")
    store = project(tmp_path, n01_corpus=with_corpus, n04_models=notebook("# B"), n09_findings=notebook("# C"))
    nbformat.write(notebook("# D"), store.project / "notebooks" / "04b_ablations.ipynb")
    for other in ("04_models-Copy1", "Untitled", "4 notes"):
        nbformat.write(notebook("# E"), store.project / "notebooks" / f"{other}.ipynb")
    story = chapters.chapters(store.project / "notebooks", ["emodb", "tess"])
    names = ["01_corpus_emodb", "01_corpus_tess", "04_models", "04b_ablations", "09_findings"]
    assert [c.page for c in story] == names
    assert [pages._number(c) for c in story] == ["1a", "1b", "4", "4b", ""]
    one = chapters.chapters(store.project / "notebooks", ["tess"])
    assert pages._number(one[0]) == "1"  # a corpus alone needs no letter
    pages_of = {
        "4": ["04_models"],
        "4b": ["04b_ablations"],
        "04b": ["04b_ablations"],
        "01": ["01_corpus_emodb", "01_corpus_tess"],
        "01_corpus_tess": ["01_corpus_tess"],
        "04_models.ipynb": ["04_models"],
    }
    for word, expected in pages_of.items():
        assert [c.page for c in chapters.select(story, only=[word])] == expected
    assert [c.page for c in chapters.select(story, start="04")] == names[2:]
    assert [c.page for c in chapters.select(story, start="4b")] == names[3:]
    with pytest.raises(ValueError, match="No notebook '7'; known: 01_corpus, 04_models, 04b_ablations, 09_findings"):
        chapters.select(story, only=["7"])


def test_notebook_without_a_parameter_is_refused(tmp_path):
    store = project(tmp_path, n04_models=notebook("# B", parameters="preset = ''\noverrides = {}"))
    with pytest.raises(ValueError, match="04_models.ipynb has no parameter data"):
        chapters.chapters(store.project / "notebooks", [])
    (tmp_path / "notebooks" / "04_models.ipynb").write_text("{")
    with pytest.raises(ValueError, match="no readable notebook"):
        chapters.chapters(store.project / "notebooks", [])


def test_fingerprint_follows_what_matters_only(tmp_path):
    store = project(tmp_path, n04_models=notebook("# B"))
    (store.raw / "emodb").mkdir()
    (store.raw / "emodb" / "a.wav").write_bytes(b"1")
    chapter = chapters.chapters(store.project / "notebooks", [])[0]

    def where(**overrides):
        named = {name.replace("__", "."): value for name, value in overrides.items()}
        return chapters.cached_path(chapter, load("quick", named), store, ["emodb"])

    first = where()
    assert where(run__jobs=3, run__force=True) == first
    assert where(seed=1) != first
    (store.raw / "emodb" / "b.wav").write_bytes(b"1")
    assert where() != first
    (store.raw / "emodb" / "b.wav").unlink()
    assert where() == first
    (store.project / "data" / "published.csv").write_text("corpus,value\n")
    assert where() != first, "a committed table"
    (store.project / "data" / "published.csv").unlink()
    nbformat.write(notebook("# B", "2"), chapter.notebook)
    assert where() != first


def test_link_loop_in_the_data_ends(tmp_path):
    (tmp_path / "tess").mkdir()
    (tmp_path / "tess" / "again").symlink_to(tmp_path / "tess")
    assert chapters.listing([tmp_path / "tess"]) == chapters.listing([tmp_path / "tess"])


def test_run_json_names_no_machine_or_user(tmp_path):
    about = provenance.about_run(load("demo", {"run.jobs": 2}), project=tmp_path, corpora=[], chapters={})
    text = json.dumps(about)
    for word in (str(Path.home()), str(tmp_path), f'"{platform.node()}"'):
        assert word not in text
    assert about["machine"]["cores"] == 2
    assert about["commit"] == ""
    assert about["versions"]["numpy"]


@pytest.mark.parametrize("content", ["", "[]", '{"chapters": 3}', "\x00"])
def test_damaged_run_json_is_as_none(tmp_path, content):
    (tmp_path / "run.json").write_text(content)
    assert provenance.read_run(tmp_path) == {}


def test_anchors_are_unique_and_readable():
    body, headings = articles.anchored("<h2>Σ of <em>two</em></h2><h2>Σ of two</h2><h3>!</h3>")
    assert [h["anchor"] for h in headings] == ["σ-of-two", "σ-of-two-2", "section"]
    assert body.count('id="σ-of-two"') == 1
    assert headings[0]["text"] == "Σ of two"


def test_tags_decide_what_a_page_shows_of_a_cell(tmp_path):
    sample = notebook("# A", "# B\n\nStays.", "looking(1)", "# C", "looking(2)", "teaching(2)", "plain(3)")
    sample.cells[4].source = "Leads to a look."
    for place, tag in ((3, "explore"), (5, "explore"), (6, "teach")):
        sample.cells[place].metadata["tags"] = [tag]
    nbformat.write(sample, tmp_path / "a.ipynb")
    body = articles.article(tmp_path / "a.ipynb", prefix="4b")["body"]
    assert "Stays." in body
    assert "looking" not in body
    assert "Leads to a look" not in body
    assert body.count("<details") == 2
    assert body.count('<details class="code" open>') == 1
    assert body.index("open>") < body.index("teaching") < body.index("plain")


def test_plain_frames_and_estimators_are_shown_without_their_style_sheets(tmp_path):
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    sample = notebook("# A", "frame", "model")
    for cell, thing in (
        (sample.cells[2], scores(3)),
        (sample.cells[3], make_pipeline(StandardScaler(), LogisticRegression())),
    ):
        data = {"text/html": thing._repr_html_(), "text/plain": repr(thing)}
        cell.outputs = [nbformat.v4.new_output("execute_result", data=data)]
    nbformat.write(sample, tmp_path / "a.ipynb")
    body = articles.article(tmp_path / "a.ipynb", prefix="4b")["body"]
    assert re.search(r'<div class="scroll pandas"[^>]*><table border="1" class="dataframe">', body)
    assert "StandardScaler" in body
    assert body.count("<div") == body.count("</div")
    for word in ("<style", "<script", "sk-container", "https://"):
        assert word not in body


@pytest.mark.parametrize("standalone", [False, True])
def test_pages_are_whole_and_load_only_what_lies_beside_them(tmp_path, monkeypatch, standalone):
    run = report(tmp_path / "{odd} ü", monkeypatch, standalone=standalone)
    assert (run / "assets").exists() == (not standalone)
    for name in ("index.html", "pages/01_corpus.html", "pages/04_models.html"):
        page = (run / name).read_text(encoding="utf-8")
        assert len(page.encode()) < 1_500_000
        assert page.count("DecompressionStream(") == standalone, "the table library is there once"
        loaded = re.findall(r'<(?:script src|link rel="stylesheet" href)="([^"]+)"', page)
        assert len(loaded) == (0 if standalone else 3)
        assert all(((run / name).parent / address).is_file() for address in loaded)
        saved = re.findall(r'download="\w+\.csv" href="([^"]+)"', page)
        assert all(link.startswith("data:") if standalone else ((run / name).parent / link).is_file() for link in saved)
        assert not re.search(r'(?:src|href)="(?:https?:)?//', page)
        assert "@import" not in page
        assert "url(http" not in page
        assert 'href="run:' not in page
        ids = re.findall(r'\bid="([^"]+)"', page)
        assert len(ids) == len(set(ids)), "every anchor is unique"
        for anchor in re.findall(r'href="#([^"]+)"', page):
            assert anchor in ids
        for link in re.findall(r'href="((?:\.\./)?(?:pages/)?[\w]+\.html)"', page):
            assert ((run / name).parent / link).is_file()
        assert str(tmp_path) not in page
        assert str(Path.home()) + "/" not in page
    assert ">Table 4.2</a></b>" in page
    assert ">Figure 4.1</a></b>" in page
    assert "This is a demonstration." in page
    assert "&#39;a result&#39;" in page
    assert '<a rel="next"' not in page
    assert re.search("<h1[^>]*>The chapter</h1>", page)
    assert '<b class="ser-number"><a href="#table-scores">Table 1</a></b>' in (run / "index.html").read_text(
        encoding="utf-8"
    )


def test_colours_are_readable_in_both_themes():
    css = (pages.TEMPLATE / "style.css").read_text("utf-8")
    blocks = re.findall(r"--paper: #\w+;.*?--bad-soft: #\w+;", css, re.DOTALL)
    assert len(blocks) == 3, "light, dark by system, dark by choice"
    assert re.sub(r"\s", "", blocks[1]) == re.sub(r"\s", "", blocks[2])
    for block in blocks:
        colour = dict(re.findall(r"--([\w-]+): (#\w{6})", block))
        pairs = [(text, ground) for text in ("ink", "muted", "accent") for ground in ("paper", "raised")]
        pairs += [
            ("ink", "accent-soft"),
            ("ink", "warn-soft"),
            ("ink", "bad-soft"),
            ("bad", "bad-soft"),
            ("warn", "raised"),
        ]
        for text, ground in pairs:
            assert _contrast(colour[text], colour[ground]) >= 4.5, (text, ground)


def _contrast(first: str, second: str) -> float:
    """Contrast of WCAG 2.2."""

    def luminance(colour: str) -> float:
        shares = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def test_a_study_runs_fails_in_one_chapter_and_continues(tmp_path, monkeypatch, capsys):
    """One run through real kernels: cold, warm, damaged, repaired."""
    good = notebook(
        "# Good",
        SETUP,
        "import pandas as pd\nprint(study.store.raw, study.store.project)",
        "show.table(pd.DataFrame({'a': [1.5, 2.0]}), Caption(f'a_{corpus}', 'A.'))",
        "import sys\nprint(sys.executable, '10%\\r20%', file=sys.stderr)",
        parameters=f"{PARAMETERS}\ncorpus = ''",
    )
    bad = notebook("# Bad", SETUP, "open(study.store.raw / 'absent.csv')", "print('never')")
    store = project(tmp_path / "{study} one", n01_corpus=good, n04_models=bad)
    monkeypatch.chdir(store.project)
    monkeypatch.setattr(chapters, "_sources", lambda: "sources that nobody edits meanwhile")
    config = load("demo", {"run.jobs": 1})

    def run(**options):
        code = runner.run_study(config, store, corpora=["synthetic"], data=str(store.raw), **options)
        return code, capsys.readouterr()

    code, printed = run()
    assert code == 1
    assert "01_corpus_synthetic" in printed.out
    assert "FAILED after" in printed.out
    assert "absent.csv" in printed.err
    assert "logs/04_models.log" in printed.err
    log = (store.run / "logs" / "01_corpus_synthetic.log").read_text(encoding="utf-8")
    assert sys.executable not in log
    assert "20%" in log
    assert "10%" not in log, "of a progress bar only the last state is logged"
    page = (store.run / "pages" / "04_models.html").read_text(encoding="utf-8")
    assert "This chapter failed." in page
    assert "FileNotFoundError" in page
    assert ">Good: synthetic corpus</h1>" in (store.run / "pages" / "01_corpus_synthetic.html").read_text("utf-8")
    assert "(failed)" in (store.run / "index.html").read_text(encoding="utf-8")
    executed = next((store.derived / "notebooks").glob("01_*.ipynb")).read_text(encoding="utf-8")
    assert "'preset'" not in executed
    assert "preset = 'demo'" in executed
    assert "run.jobs" not in executed
    _nothing_of_this_machine(store, tmp_path)
    before = (store.run / "tables" / "a_synthetic.csv").stat().st_mtime_ns

    good_again = notebook("# Mended", SETUP)
    nbformat.write(good_again, store.project / "notebooks" / "04_models.ipynb")
    code, printed = run()
    assert code == 0
    assert re.search(r"01_corpus_synthetic +up to date", printed.out)
    assert (store.run / "tables" / "a_synthetic.csv").stat().st_mtime_ns == before
    assert len(list((store.derived / "notebooks").glob("04_*.ipynb"))) == 1, "the outdated notebook goes"
    shutil.rmtree(store.run / "tables")
    assert "to run" in runner.plan(config, store, corpora=["synthetic"], only=["01"])
    assert "up to date" in runner.plan(config, store, corpora=["synthetic"], only=["04"])
    assert "earlier run" not in (store.run / "index.html").read_text(encoding="utf-8")
    there = {path.name: path.read_text("utf-8") for path in (store.run / "pages").glob("*.html")}
    shutil.move(store.derived / "notebooks", store.derived / "elsewhere")  # as in a fresh checkout
    code, printed = run(execute_any=False)
    assert code == 0
    assert {path.name: path.read_text("utf-8") for path in (store.run / "pages").glob("*.html")} == there
    shutil.move(store.derived / "elsewhere", store.derived / "notebooks")
    nbformat.write(notebook("# Changed", SETUP), store.project / "notebooks" / "04_models.ipynb")
    (store.run / "pages" / "07_gone.html").write_text("old")
    code, printed = run(execute_any=False)
    assert code == 0
    assert not (store.run / "pages" / "07_gone.html").exists()
    page = (store.run / "index.html").read_text(encoding="utf-8")
    assert "Some chapters are from an earlier run." in page
    assert "Run again: 4." in page.replace("again: 1, ", "again: ")


def _chapter(store: Store, number: str, die: bool = False) -> None:
    """Run one chapter in a process of its own, as ``run_all.py --only`` does; it may die when the notebook is done."""
    os.chdir(store.project)
    chapters._sources = lambda: "sources that nobody edits meanwhile"
    if die:
        runner._merge = lambda *words: os.kill(os.getpid(), signal.SIGKILL) if len(words) > 3 else {}
    sys.exit(runner.run_study(load("demo", {"run.jobs": 1}), store, corpora=["synthetic"], only=[number]))


def test_two_chapters_at_once_end_with_both_pages_and_one_whole_run_json(tmp_path):
    show_table = "import pandas as pd\nshow.table(pd.DataFrame({'a': [1.5]}), Caption('t%s', 'T.'))"
    cells = {f"n{which}_x": notebook(f"# {which}", SETUP, show_table % which) for which in ("03", "04")}
    store = project(tmp_path / "study", **cells)
    killed = in_process(_chapter, store, "03", True)
    killed.join()
    assert killed.exitcode == -signal.SIGKILL
    both = [in_process(_chapter, store, which) for which in ("03", "04")]
    for process in both:
        process.join()
    assert [process.exitcode for process in both] == [0, 0]
    facts = json.loads((store.run / "run.json").read_text(encoding="utf-8"))["chapters"]
    assert {page: (one["status"], one["current"], list(one["files"])) for page, one in facts.items()} == {
        f"{which}_x": ("done", True, [f"tables/t{which}.csv"]) for which in ("03", "04")
    }
    assert sorted(path.name for path in (store.run / "pages").glob("*.html")) == [
        *("03_x.html", "04_x.html"),
        *("glossary.html", "provenance.html", "references.html"),
    ]
    for which in ("03", "04"):
        assert f"pages/{which}_x.html" in (store.run / "index.html").read_text(encoding="utf-8")


def test_a_page_made_without_a_feature_is_made_again_when_it_arrives(tmp_path, monkeypatch):
    lacking = "from ser_study.store import ABSENT, note\nnote(f'{ABSENT}moonshine')"
    store = project(tmp_path / "study", n04_models=notebook("# Models", SETUP, lacking), n05_more=notebook("# More"))
    monkeypatch.chdir(store.project)
    monkeypatch.setattr(chapters, "_sources", lambda: "sources that nobody edits meanwhile")
    config = load("demo", {"run.jobs": 1})
    monkeypatch.setattr(Feature, "is_here", lambda feature: False)
    assert runner.run_study(config, store, corpora=["synthetic"]) == 0
    assert provenance.read_run(store.run)["chapters"]["04_models"]["absent"] == ["moonshine"]
    listed, listing = [], runner.listing
    with monkeypatch.context() as patch:
        patch.setattr(runner, "listing", lambda folders: listed.append(folders) or listing(folders))
        assert runner.plan(config, store, corpora=["synthetic"]).count("up to date") == 2
        assert len(listed) == 1, "the audio is looked through once for both chapters"
        assert runner.run_study(config, store, corpora=["synthetic"]) == 0
        assert len(listed) == 3, "and in a run once before and once after"
    monkeypatch.setattr(Feature, "is_here", lambda feature: feature.name == "moonshine")
    plan = runner.plan(config, store, corpora=["synthetic"])
    assert re.search("04_models +to run", plan)
    assert re.search("05_more +up to date", plan)
    runner.run_study(config, store, corpora=["synthetic"], execute_any=False)
    assert "Some chapters are from an earlier run." in (store.run / "index.html").read_text(encoding="utf-8")


def _nothing_of_this_machine(store, tmp_path) -> None:
    """No path, user's folder or host name in anything that is published."""
    words = [str(tmp_path), str(Path.home()) + os.sep, sys.prefix]
    words += [platform.node()] if len(platform.node()) > 4 else []
    files = [path for path in store.run.rglob("*") if path.suffix in (".html", ".json", ".csv", ".log", ".svg")]
    files += list((store.derived / "notebooks").glob("*.ipynb"))
    assert len(files) >= 7
    for path in files:
        text = path.read_text(encoding="utf-8")
        for word in words:
            assert word not in text, f"{path.name} holds {word}"


def test_the_time_announced_follows_the_clips_or_is_not_given(tmp_path):
    store = project(tmp_path, n04_traditional_ml=notebook("# B"))
    chapter = chapters.chapters(store.project / "notebooks", [])[0]
    quick, measured = load("quick"), chapters.MEASURED_ON["quick"]
    last = {"seconds": 30.0, "clips": 480}
    assert chapters.expectation(chapter, quick, last, 480) == " (last time 30 s)"
    whole = chapters.expectation(chapter, quick, last, measured)
    assert whole == f" (about {duration(chapters.EXPECTED['quick']['04_traditional_ml'])})"
    assert chapters.expectation(chapter, quick, last, 2 * measured) != whole
    assert chapters.expectation(chapter, load("quick", {"ladder.draws": 9}), {}, 480) == ""


def test_clips_of_a_run_are_counted(store):
    (store.raw / "own" / "sad").mkdir(parents=True)
    for name in ("a.wav", "b.wav"):
        soundfile.write(store.raw / "own" / "sad" / name, np.zeros(100), 16_000)
    config = load("demo")
    assert chapters.n_clips(["own"], config, store) == 2
    assert chapters.n_clips(["own", "synthetic"], config, store) == 482


def test_names_of_the_registries_are_words_in_every_column():
    rows = {"step_from": ["random", "sentence_independent"], "own": ["a_b", "take_disjoint"]}
    cells = re.findall(
        "<td [^>]*>([^<]*)</td>", table_html.table_html(pd.DataFrame(rows), Caption("t", "Text."), "", in_pages=True)
    )
    assert cells == ["random", "a_b", "new sentences", "takes kept together"]


def test_what_every_row_says_goes_to_the_caption():
    rows = {"corpus": ["tess"] * 3, "protocol": ["speaker_independent"] * 3, "uar": [0.5, 0.6, 0.6], "note": [""] * 3}
    rows |= {"system": ["lda", "lda", "knn"], "classes": [7] * 3, "fixed": [True] * 3, "best": [None] * 3}
    table, caption = pd.DataFrame(rows), Caption("t", "Scores.", labels={"fixed": "settings fixed"})
    short = table_html.table_html(table, caption, "", in_pages=True)
    assert re.findall("<th [^>]*>([^<]*)</th>", short) == ["corpus", "UAR", "system", "classes"]
    assert "</b> Scores. Protocol: new speakers. Settings fixed: yes.</figcaption>" in short
    assert '<th scope="col">protocol</th>' in table_html.table_html(table.head(2), caption, "", in_pages=True)


def test_an_interval_stands_below_its_score_where_columns_are_many():
    row = {"corpus": "tess", "uar": ".504 [.490, .517]", "note": "see [Cao]"}
    narrow = table_html.table_html(pd.DataFrame([row]), Caption("t", "text"), "", in_pages=True)
    assert ".504 [.490, .517]" in narrow
    many = pd.DataFrame([row | {f"c{i}": ".1" for i in range(4)}])
    crowded = table_html.table_html(many, Caption("t", "text"), "", in_pages=True)
    assert ".504<br>[.490, .517]" in crowded
    assert "see [Cao]" in crowded


def test_a_wide_table_says_in_its_caption_what_its_intervals_are():
    rows = pd.DataFrame({"corpus": ["tess", "emodb"], "uar": [0.5, 0.9], "low": [0.4, 0.8], "high": [0.6, 1.0]})
    rows = rows.assign(interval=["clips, these voices only", "speaker jackknife"], n=[2800, 535])
    narrow = table_html.table_html(rows, Caption("t", "Scores."), "", in_pages=True)
    assert "<td>speaker jackknife</td>" in narrow.replace(' class="s"', "")
    wide = rows.assign(**dict.fromkeys("abc", 0.5))
    shown = table_html.table_html(wide, Caption("t", "Scores."), "", in_pages=True)
    assert "</b> Scores. Intervals: clips, these voices only; speaker jackknife.</figcaption>" in shown
    limits = wide.drop(columns=["low", "high"]).assign(interval=["[.400, .600]", "[.800, 1.000]"])
    limits = limits[["corpus", "uar", "interval", *limits.columns[3:]]].assign(d=0.5, e=0.5)
    as_text = table_html.table_html(limits, Caption("t", "Scores."), "", in_pages=True)
    assert "</b> Scores.</figcaption>" in as_text, "limits are no kind of interval"
    assert "[.800, 1.000]" in as_text
    assert "[.400, .600] (these voices only)" in " ".join(re.sub("<[^>]+>", " ", shown).split())
    assert "[.800, 1.000]</td>" in shown


def test_a_caption_keeps_columns_for_the_csv_and_says_whose_limits_they_are():
    rows = pd.DataFrame({"id": ["E000"], "ours": [0.9], "n_seeds": [5], "wilson_low": [0.8], "wilson_high": [0.95]})
    caption = Caption("t", "Scores.", only_csv=("n_seeds",), interval_of={"ours": "wilson"})
    shown = table_html.table_html(rows, caption, "", in_pages=True)
    assert re.findall("<th [^>]*>([^<]*)</th>", shown) == ["id", "ours"]
    assert ".900 [.800, .950]" in shown
    plain = table_html.table_html(rows, Caption("t", "Scores."), "", in_pages=True)
    assert len(re.findall("<th ", plain)) == 5, "limits of another name belong to no column"


def test_a_caption_that_keeps_unknown_columns_for_the_csv_is_refused(show):
    with pytest.raises(ValueError, match="names columns that are not in it: seeds"):
        show.table(scores(), Caption("t", "Scores.", only_csv=("seeds",)))


def test_the_limits_of_a_score_stand_in_its_cell():
    rows = pd.DataFrame({"corpus": ["tess", "own"], "uar": [0.5042, 0.25], "low": [0.49, None], "high": [0.517, None]})
    rows = rows.assign(difference=[-0.1, None], difference_low=[-0.2, None], difference_high=[0.05, None])
    shown = table_html.table_html(rows, Caption("t", "text"), "", in_pages=True)
    assert '<td class="n" data-order="0.5042">.504 [.490, .517]</td>' in shown
    assert '<td class="n" data-order="0.25">.250</td>' in shown
    assert "−.100 [−.200, .050]" in shown
    assert shown.count("<th ") == 3
    texts = rows[["corpus", "uar"]].assign(interval=["[.490, .517] (these voices only)", None])
    many = texts.assign(**{f"c{i}": ".1" for i in range(4)})
    assert ">.504 [.490, .517] (these voices only)<" in table_html.table_html(
        texts, Caption("t", "t"), "", in_pages=True
    )
    crowded = table_html.table_html(many, Caption("t", "text"), "", in_pages=True)
    assert '>.504<br>[.490, .517]<small class="ser-kind">(these voices only)</small><' in crowded
    kinds = rows[["uar"]].assign(interval=["speakers", "clips"])
    assert table_html.table_html(kinds, Caption("t", "text"), "", in_pages=True).count("<th ") == 2
