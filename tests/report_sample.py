"""A small project and a small report for the tests of the report, its pages and the command line."""

from __future__ import annotations

from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure

from ser_study.config import load
from ser_study.plotting import palette
from ser_study.report import clean, exhibits, pages
from ser_study.report.chapters import chapters
from ser_study.report.exhibits import Exhibits
from ser_study.store import Store, write_json
from ser_study.study import Study
from ser_study.wording import Caption

PARAMETERS = "preset = 'demo'\noverrides = {}\ndata = ''"
SETUP = """from ser_study.report.exhibits import Exhibits
from ser_study.study import Study
from ser_study.wording import Caption
study = Study.open(preset, overrides, data)
show = Exhibits(study)"""


def notebook(*cells: str, parameters: str = PARAMETERS) -> nbformat.NotebookNode:
    """A notebook; a cell that begins with ``#`` is Markdown, any other is code."""
    first = nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]})
    make = {True: nbformat.v4.new_markdown_cell, False: nbformat.v4.new_code_cell}
    return nbformat.v4.new_notebook(cells=[first, *(make[text.startswith("#")](text) for text in cells)])


def project(folder: Path, **notebooks: nbformat.NotebookNode) -> Store:
    """A checkout with these notebooks (name → notebook), and its store."""
    (folder / "notebooks").mkdir(parents=True)
    (folder / "data" / "raw").mkdir(parents=True)
    (folder / "run_all.py").write_text("")
    for name, content in notebooks.items():
        nbformat.write(content, folder / "notebooks" / f"{name.removeprefix('n')}.ipynb")
    return Store(folder / "data" / "raw", folder / "data" / "derived", folder / "reports" / "demo", folder)


def scores(n: int = 40) -> pd.DataFrame:
    """A table with words, whole numbers, shares, a missing value and a truth value."""
    random = np.random.default_rng(1)
    table = pd.DataFrame(
        {
            "model": [f"model-{i:02d} <b>&" for i in range(n)],
            "uar": random.uniform(0.2, 0.9, n),
            "n_train": random.integers(900, 9000, n),
            "honest": random.uniform(size=n) > 0.5,
        }
    )
    return table.assign(low=table["uar"].where(table.index != 2))


def drawing() -> Figure:
    """A figure with text, a clipped line, and both sentinel colours."""
    with rc_context(palette.STYLE):
        figure = Figure(figsize=(6, 3))
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], "o-", markeredgecolor=palette.PAPER)
        axes.set_xlabel("UAR (0–1)")
    return figure


def outputs(show: Exhibits) -> list[nbformat.NotebookNode]:
    """What the cell of the sample shows: two tables, two figures, a sentence, a DataFrame and a text."""
    rise = Caption("rise", "It rises.", alt='A line that rises "steadily".', finding=f"The mean is **{0.5:.3f}**.")
    shown = [
        show.table(scores(), Caption("scores", "Scores & <limits>.")),
        show.table(scores(3), Caption("few", "Few rows.")),
        show.figure(drawing(), rise),
        show.figure(drawing(), Caption("again", "It rises again.", alt="The same line.")),
    ]
    made = [
        nbformat.v4.new_output("display_data", data=dict(data), metadata=metadata)
        for exhibit in shown
        for data, metadata in exhibit.outputs
    ]
    frame = scores(2)
    plain = {"text/html": frame._repr_html_(), "text/plain": repr(frame)}
    made.append(nbformat.v4.new_output("execute_result", data=plain))
    return [*made, nbformat.v4.new_output("execute_result", data={"text/plain": "'a result'"})]


def report(folder: Path, monkeypatch, *, standalone: bool = False) -> Path:
    """Pages of two chapters and the findings, made without running a kernel; the folder of the run."""
    cells = (
        "# The chapter\n\nWords first.",
        "## First\n\n| a | b |\n|---|---|\n| 1 | 2 |",
        "1",
        "### Inner",
        "## First",
    )
    store = project(folder, n01_corpus=notebook(*cells), n04_models=notebook(*cells), n09_findings=notebook(*cells))
    monkeypatch.setenv(exhibits.PAGES, "1")
    config = load("demo")
    story, facts = chapters(store.project / "notebooks", ["synthetic"]), {}
    for chapter in story:
        content = nbformat.read(chapter.notebook, as_version=4)
        content.cells[3].outputs = outputs(Exhibits(Study(config, store, {})))
        executed = store.derived / "notebooks" / f"{chapter.page}-0.ipynb"
        executed.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(clean.cleaned(content, scrub=clean.scrubber(store), parameters={}), executed)
        about = {"seconds": 1.0, "date": "today", "commit": "abc"}
        facts[chapter.page] = {"status": "done", "notebook": executed.name, **about}
    about = pages.provenance.about_run(config, project=store.project, corpora=[{"corpus": "synthetic"}], chapters=facts)
    write_json(store.run / "run.json", about)
    n_pages = pages.render(store, story=story, facts=facts, standalone=standalone)
    assert n_pages == 3 + 3  # and the appendix
    return store.run
