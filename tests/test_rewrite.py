"""The pages of a published run, written anew from its predictions."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import crawler
import nbformat
import pandas as pd
import pytest
from report_sample import notebook

from ser_study.cli import main
from ser_study.report import execution, pages, publish, recompute, rewrite
from ser_study.report.chapters import Chapter
from ser_study.report.exhibits import Exhibit
from ser_study.store import PAGES, WRITTEN, write_json
from ser_study.study import Study

SETTINGS = {
    **{"synthetic.n_speakers": 4, "synthetic.n_statements": 2, "evaluation.n_bootstrap": 100, "run.jobs": 1},
    **{"benchmark.features": ["means184"], "benchmark.models": ["dummy", "lda"]},
}
SETUP = """from ser_study.chapters.classical import figures, publish, tables as classical
from ser_study.report.exhibits import Exhibits
from ser_study.study import Study
from ser_study.wording import Caption
study = Study.open(preset, overrides, data)
show = Exhibits(study)"""
CELLS = (  # words and code in turn
    "# A chapter",
    SETUP,
    "## Features",
    "shape = study.xy('synthetic', 'means184')[0].describe()\nshow.table(shape, Caption('shape', 'x'))",
    "## Scores",
    """scores = classical.benchmark_scores(study)
publish.publish(scores, study)
show.table(scores, Caption('every_score', 'All.'))""",
    "## Drawing",
    """pairs, levels = classical.split_pairs(scores), classical.levels(study)
show.figure(figures.inflation(pairs, levels), Caption('pairs', 'Two.', alt='Dots.'))""",
)


@pytest.fixture(scope="module")
def published_run(tmp_path_factory) -> Path:
    """A run of one notebook with its page, published; nothing else is left of it but the notebook."""
    folder = tmp_path_factory.mktemp("rewritten")
    path, listing = folder / "01_all.ipynb", folder / "listing"
    nbformat.write(_notebook(), path)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"DERIVED": folder / "derived", "REPORTS": folder / "reports"}.items():
            patch.setenv(f"SER_STUDY_{name}", str(value))
        patch.delenv("SER_STUDY_DATA", raising=False)
        patch.setenv(PAGES, "1")
        patch.setenv(WRITTEN, str(listing))
        made = recompute.replay(path, {"preset": "demo", "overrides": SETTINGS})
        assert made.failures == []
        study = Study.open("demo", SETTINGS)
        store, executed = study.store, _notebook()
        for place, values in made.values.items():
            displayed = [output for value in values if isinstance(value, Exhibit) for output in value.outputs]
            parts = [nbformat.v4.new_output("display_data", data=dict(data), metadata=more) for data, more in displayed]
            executed.cells[place].outputs = parts
        record = execution._noted(listing, store.run)
        facts = {"status": "done", "error": "", "seconds": 1.0, "date": "today", "commit": "abc", "dirty": False}
        facts |= {"notebook": "01_all.ipynb", "files": record["files"], "absent": []}
        write_json(store.derived / "notebooks" / "01_all.json", record)
        nbformat.write(executed, store.derived / "notebooks" / "01_all.ipynb")
        publish.publish(study.config, store, corpora=["synthetic"], notebooks=["01_all.ipynb"])
        about = {"run": study.config.run_name, "preset": "demo", "overrides": SETTINGS, "seed": 0, "date": "today"}
        about |= {"machine": {"cpu": "x", "cores": 1, "system": "y"}, "versions": {"python": "3"}, "corpora": []}
        write_json(store.run / "run.json", about | {"ser_study": "0", "commit": "abc", "chapters": {"01_all": facts}})
        pages.render(store, story=[Chapter(path)], facts={"01_all": facts})
    shutil.rmtree(folder / "derived")
    return store.run


def _notebook() -> nbformat.NotebookNode:
    made = notebook("")
    kinds = (nbformat.v4.new_markdown_cell, nbformat.v4.new_code_cell)
    made.cells = [kinds[place % 2](text) for place, text in enumerate(CELLS)]
    made.cells.insert(1, nbformat.v4.new_code_cell("preset, overrides, data = 'demo', {}, ''"))
    made.cells[1].metadata["tags"] = ["parameters"]
    return made


@pytest.fixture
def run(published_run, tmp_path, monkeypatch) -> Path:
    """A copy of that run, to be changed."""
    notebook_path = published_run.parents[1] / "01_all.ipynb"
    monkeypatch.setattr(rewrite, "chapters", lambda *_: [Chapter(notebook_path)])
    shutil.copytree(published_run, tmp_path / "reports" / published_run.name)
    return tmp_path / "reports" / published_run.name


def body(run: Path) -> str:
    """The page of the chapter, without what names the moment it was made."""
    return re.sub(r"<footer.*</footer>", "", (run / "pages" / "01_all.html").read_text("utf-8"), flags=re.DOTALL)


def test_what_is_published_is_not_computed_over(run):
    with pytest.raises(ValueError, match="in the place of the published ones"):
        recompute.recompute(run, run.parent)
    assert list((run / "tables").iterdir()), "nothing was removed"


def test_a_page_is_written_anew_where_predictions_suffice_and_kept_elsewhere(run, capsys):
    page, before = run / "pages" / "01_all.html", body(run)
    table = run / "tables" / "every_score.csv"
    known, text, alone = table.read_bytes(), page.read_text("utf-8"), run / "tables" / "scores.csv"
    on_no_page = alone.read_bytes()
    scores = re.search(r'<figure class="ser-table" id="table-every-score">.*?</figure>', text, re.DOTALL)[0]
    old = text.replace(scores, scores.replace(">All.<", ">Old words.<").replace("LDA", "lda"))
    old = old.replace('<th scope="col">index</th>', '<th scope="col">kept</th>')
    assert old.count("kept") == 1
    page.write_text(old.replace("Drawing", "Picture"), "utf-8")
    table.write_text("old\n")
    alone.write_text("old\n")
    assert main(["report", "--rewrite", str(run)]) == 0
    assert capsys.readouterr().out == "01_all: 2 steps made anew, 1 kept.\n"
    assert body(run) == before.replace('<th scope="col">index</th>', '<th scope="col">kept</th>')
    assert table.read_bytes() == known
    assert alone.read_bytes() == on_no_page, "a table that no page shows"
    assert json.loads((run / "run.json").read_text())["rewritten"]["date"]
    assert "Written anew from the predictions" in (run / "pages" / "provenance.html").read_text("utf-8")


def test_a_page_that_is_written_anew_twice_is_the_same_and_its_names_are_unique(run):
    rewrite.rewrite(run)
    once = body(run)
    rewrite.rewrite(run)
    assert body(run) == once
    assert crawler.repeated_ids(run) == []
    assert pd.read_csv(run / "tables" / "shape.csv").shape[0] == 8, "what needs features is left as it was"


def test_a_page_of_other_cells_is_refused_and_stays(run, monkeypatch, tmp_path):
    changed = _notebook()
    changed.cells.append(nbformat.v4.new_code_cell("show.text('more')"))
    nbformat.write(changed, tmp_path / "01_all.ipynb")
    monkeypatch.setattr(rewrite, "chapters", lambda *_: [Chapter(tmp_path / "01_all.ipynb")])
    before = (run / "pages" / "01_all.html").read_bytes()
    with pytest.raises(ValueError, match=r"pages/01_all\.html has 4 steps, 01_all\.ipynb 5: its cells have changed"):
        rewrite.rewrite(run)
    assert (run / "pages" / "01_all.html").read_bytes() == before


def test_a_folder_without_predictions_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="is no published run"):
        rewrite.rewrite(tmp_path)


def test_a_long_table_that_is_kept_gets_the_rows_of_today_and_a_link_to_its_file(tmp_path):
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "t.csv").write_text("a\n")
    rows = "".join(f"<tr><td>{number}</td></tr>\n" for number in range(400))
    link = '<a download="{0}.csv" href="data:text/csv;charset=utf-8;base64,YQo=">Download CSV</a>'
    table = f'<figure class="ser-table" id="table-t"><table data-ser-table="{{&quot;rows&quot;: 400}}"><tbody>\n{rows}'
    table += f'</tbody></table><p class="ser-source">first 400 of 1,965 rows shown; {link.format("t")}</p></figure>'
    short = rewrite._shortened(table, tmp_path)
    assert short.count("<tr>") == 250
    assert "&quot;rows&quot;: 250" in short
    assert 'first 250 of 1,965 rows shown; <a download="t.csv" href="run:tables/t.csv">Download CSV</a>' in short
    assert rewrite._shortened(short, tmp_path) == short
    elsewhere = table.replace(link.format("t"), link.format("gone"))
    assert "data:text/csv" in rewrite._shortened(elsewhere, tmp_path), "without a file the page keeps the table"
