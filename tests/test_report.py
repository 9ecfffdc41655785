"""The report: what notebooks show, what is kept of them, when they run again, and the pages."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import sys
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from report_sample import PARAMETERS, SETUP, drawing, notebook, project, report, scores

from ser_study.config import load
from ser_study.report import chapters, clean, notebooks, pages, provenance, show


@pytest.fixture
def shown(monkeypatch):
    """What the functions of ``show`` display, as (data, metadata)."""
    seen: list = []
    monkeypatch.setattr("IPython.display.display", lambda data, raw, metadata: seen.append((data, metadata)))
    monkeypatch.setenv(show.PAGES, "1")
    return seen


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [(13229, 0, "13,229"), (0.71249, 3, "0.712"), (-0.5, 2, "−0.50"), (0.00002, 3, "<0.001"), (-1e-5, 2, ">−0.01")],
)
def test_number_is_written_for_people(value, decimals, text):
    assert show.number(value, decimals) == text


def test_table_keeps_the_csv_and_shows_real_rows(store, shown):
    show.table(store, scores(), "scores", caption="All & some.", labels={"uar": "UAR"})
    html, kept = shown[0][0]["text/html"], pd.read_csv(store.run / "tables" / "scores.csv")
    pd.testing.assert_frame_equal(kept, scores(), check_dtype=False, rtol=1e-9)
    assert html.count("<tr>") == 41
    assert ">UAR</th>" in html
    assert ">n train</th>" in html
    assert "All &amp; some." in html
    assert "model-00 &lt;b&gt;&amp;" in html
    assert '<td class="n" data-order="">–</td>' in html
    assert "<script" not in html, "in the pages the library is there once a page, not once a table"
    assert re.search(r">yes</td>", html)
    assert "float64" not in html


def test_registry_names_and_hyperparameters_are_shown_in_words_and_kept_as_they_are(store, shown):
    chosen = '{"max_depth": 4, "alpha": 0.376851, "trees": 12310, "warm": true, "penalty": null}'
    show.table(store, pd.DataFrame({"ranking": ["anova"], "params": [chosen]}), "search", caption="Search.")
    html, kept = shown[0][0]["text/html"], pd.read_csv(store.run / "tables" / "search.csv")
    assert "max_depth = 4, alpha = 0.3769, trees = 12310, warm = yes, penalty = none<" in html
    assert ">F test of each feature<" in html
    assert kept.iloc[0].tolist() == ["anova", chosen]


def test_table_outside_the_pages_brings_its_library(store, shown, monkeypatch):
    monkeypatch.delenv(show.PAGES)
    show.table(store, scores(3), "few", caption="Few.")
    assert "DecompressionStream" in shown[0][0]["text/html"]


def test_large_table_shows_a_part_and_links_the_whole(store, shown):
    show.table(store, pd.concat([scores()] * 100), "large", caption="Large.")
    html = shown[0][0]["text/html"]
    assert html.count("<tr>") == show.MAX_ROWS + 1
    assert 'href="run:tables/large.csv"' in html
    assert "first 1,000 of 4,000 rows" in html


def test_index_becomes_columns():
    grouped = scores().groupby("honest").agg(low=("uar", "min"), high=("uar", "max"))
    assert list(show._flat(grouped).columns) == ["honest", "low", "high"]
    assert list(show._flat(grouped.T).columns) == ["index", "False", "True"]


def test_figure_is_the_same_every_time_and_follows_the_theme(store, shown):
    files = [store.run / "figures" / f"rise.{kind}" for kind in ("svg", "png")]
    contents = []
    for _ in range(2):
        show.figure(store, drawing(), "rise", alt='Rises "steadily"', caption="It rises.")
        contents.append([path.read_bytes() for path in files])
    assert contents[0] == contents[1]
    assert shown[0] == shown[1]
    html = shown[0][0]["text/html"]
    assert 'role="img" aria-label="Rises &quot;steadily&quot;"' in html
    assert "currentColor" in html
    assert "var(--paper, transparent)" in html
    assert "#1b1b1f" not in html
    assert "#fffffe" not in html
    assert set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', html)), "the sample has references"
    for plain, clip in re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', html):
        assert f'id="{plain or clip}"' in html
        assert (plain or clip).startswith("rise-")


def test_figure_without_words_is_refused(store, shown):
    with pytest.raises(ValueError, match="no alternative text"):
        show.figure(store, drawing(), "mute", alt=" ", caption="…")


def test_only_free_audio_enters_the_pages(tmp_path, shown, monkeypatch):
    clip = tmp_path / "03-01.wav"
    clip.write_bytes(b"RIFF")
    show.player(clip, "synthetic", "angry")
    show.player(clip, "ravdess", "sad")
    assert "data:audio" in shown[0][0]["text/html"]
    assert "data:audio" not in shown[1][0]["text/html"]
    assert "03-01.wav" in shown[1][0]["text/html"]
    monkeypatch.delenv(show.PAGES)
    show.player(clip, "ravdess", "sad")
    assert "data:audio" in shown[2][0]["text/html"], "in JupyterLab everything can be heard"
    with pytest.raises(FileNotFoundError, match="absent.wav"):
        show.player(tmp_path / "absent.wav", "ravdess", "sad")


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
    story = chapters.chapters(store.project / "notebooks", ["emodb", "tess"])
    assert [c.page for c in story] == ["01_corpus_emodb", "01_corpus_tess", "04_models", "09_findings"]
    pages_of = {
        "4": ["04_models"],
        "01": ["01_corpus_emodb", "01_corpus_tess"],
        "01_corpus_tess": ["01_corpus_tess"],
        "04_models.ipynb": ["04_models"],
    }
    for word, expected in pages_of.items():
        assert [c.page for c in chapters.select(story, only=[word])] == expected
    assert [c.page for c in chapters.select(story, start="04")] == ["04_models", "09_findings"]
    with pytest.raises(ValueError, match="No notebook '7'; known: 01_corpus, 04_models, 09_findings"):
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
        return chapters.kept(chapter, load("quick", named), store, ["emodb"])

    first = where()
    assert where(run__jobs=3, run__force=True) == first
    assert where(seed=1) != first
    (store.raw / "emodb" / "b.wav").write_bytes(b"1")
    assert where() != first
    (store.raw / "emodb" / "b.wav").unlink()
    assert where() == first
    nbformat.write(notebook("# B", "2"), chapter.notebook)
    assert where() != first


def test_link_loop_in_the_data_ends(tmp_path):
    (tmp_path / "tess").mkdir()
    (tmp_path / "tess" / "again").symlink_to(tmp_path / "tess")
    assert chapters._listing([tmp_path / "tess"]) == chapters._listing([tmp_path / "tess"])


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
    body, headings = pages.anchored("<h2>Σ of <em>two</em></h2><h2>Σ of two</h2><h3>!</h3>")
    assert [h["anchor"] for h in headings] == ["σ-of-two", "σ-of-two-2", "section"]
    assert body.count('id="σ-of-two"') == 1
    assert headings[0]["text"] == "Σ of two"


def test_pages_are_whole_and_self_contained(tmp_path, monkeypatch):
    run = report(tmp_path / "{odd} ü", monkeypatch)
    for name in ("index.html", "pages/01_corpus.html", "pages/04_models.html"):
        page = (run / name).read_text(encoding="utf-8")
        assert len(page.encode()) < 1_500_000
        assert page.count("DecompressionStream(") == 1, "the table library is there once"
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
    assert "Table 4.2</b>" in page
    assert "Figure 4.1</b>" in page
    assert "This is a demonstration." in page
    assert "&#39;a result&#39;" in page
    assert '<a rel="next"' not in page
    assert '<b class="ser-number">Table 1</b>' in (run / "index.html").read_text(encoding="utf-8")


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
        "import pandas as pd\nprint(store.raw, store.project)",
        "show.table(store, pd.DataFrame({'a': [1.5, 2.0]}), f'a_{corpus}', caption='A.')",
        "import sys\nprint(sys.executable, '10%\\r20%', file=sys.stderr)",
        parameters=f"{PARAMETERS}\ncorpus = ''",
    )
    bad = notebook("# Bad", SETUP, "open(store.raw / 'absent.csv')", "print('never')")
    store = project(tmp_path / "{study} one", n01_corpus=good, n04_models=bad)
    monkeypatch.chdir(store.project)
    monkeypatch.setattr(chapters, "_sources", lambda: "sources that nobody edits meanwhile")
    config = load("demo", {"run.jobs": 1})

    def run(**options):
        code = notebooks.run_study(config, store, corpora=["synthetic"], data=str(store.raw), **options)
        return code, capsys.readouterr()

    code, told = run()
    assert code == 1
    assert "01_corpus_synthetic" in told.out
    assert "FAILED after" in told.out
    assert "absent.csv" in told.err
    assert "logs/04_models.log" in told.err
    log = (store.run / "logs" / "01_corpus_synthetic.log").read_text(encoding="utf-8")
    assert sys.executable not in log
    assert "20%" in log
    assert "10%" not in log, "a progress bar is kept in its last state only"
    page = (store.run / "pages" / "04_models.html").read_text(encoding="utf-8")
    assert "This chapter failed." in page
    assert "FileNotFoundError" in page
    assert "(failed)" in (store.run / "index.html").read_text(encoding="utf-8")
    kept = next((store.derived / "notebooks").glob("01_*.ipynb")).read_text(encoding="utf-8")
    assert "'preset'" not in kept
    assert "preset = 'demo'" in kept
    assert "run.jobs" not in kept
    _nothing_of_this_machine(store, tmp_path)
    before = (store.run / "tables" / "a_synthetic.csv").stat().st_mtime_ns

    good_again = notebook("# Mended", SETUP)
    nbformat.write(good_again, store.project / "notebooks" / "04_models.ipynb")
    code, told = run()
    assert code == 0
    assert re.search(r"01_corpus_synthetic +up to date", told.out)
    assert (store.run / "tables" / "a_synthetic.csv").stat().st_mtime_ns == before
    assert len(list((store.derived / "notebooks").glob("04_*.ipynb"))) == 1, "the outdated notebook goes"
    shutil.rmtree(store.run / "tables")
    assert "to run" in notebooks.plan(config, store, corpora=["synthetic"], only=["01"])
    assert "up to date" in notebooks.plan(config, store, corpora=["synthetic"], only=["04"])
    assert "earlier run" not in (store.run / "index.html").read_text(encoding="utf-8")
    nbformat.write(notebook("# Changed", SETUP), store.project / "notebooks" / "04_models.ipynb")
    (store.run / "pages" / "07_gone.html").write_text("old")
    code, told = run(execute_any=False)
    assert code == 0
    assert not (store.run / "pages" / "07_gone.html").exists()
    page = (store.run / "index.html").read_text(encoding="utf-8")
    assert "Some chapters are from an earlier run." in page
    assert "04_models. Run them again" in page.replace("01_corpus_synthetic, ", "")


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
