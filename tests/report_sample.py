"""A small project and a small report for the tests of the report, its pages and the command line."""

from __future__ import annotations

from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure

from ser_study.config import load
from ser_study.report import clean, pages, palette, show
from ser_study.report.chapters import chapters
from ser_study.store import Store, write_json

PARAMETERS = "preset = 'demo'\noverrides = {}\ndata = ''"
SETUP = """from ser_study.store import open_study
from ser_study.report import show
config, store = open_study(preset, overrides, data)"""


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


def report(folder: Path, monkeypatch) -> Path:
    """Pages of two chapters and the findings, made without running a kernel; the folder of the run."""
    cells = (
        "# The chapter\n\nWords first.",
        "## First\n\n| a | b |\n|---|---|\n| 1 | 2 |",
        "1",
        "### Inner",
        "## First",
    )
    store = project(folder, n01_corpus=notebook(*cells), n04_models=notebook(*cells), n09_findings=notebook(*cells))
    shown: list = []
    monkeypatch.setenv(show.PAGES, "1")
    monkeypatch.setattr("IPython.display.display", lambda data, raw, metadata: shown.append((data, metadata)))
    story, facts = chapters(store.project / "notebooks", ["synthetic"]), {}
    for chapter in story:
        shown.clear()
        show.table(store, scores(), "scores", caption="Scores & <limits>.")
        show.table(store, scores(3), "few", caption="Few rows.")
        show.figure(store, drawing(), "rise", alt='A line that rises "steadily".', caption="It rises.")
        show.figure(store, drawing(), "again", alt="The same line.", caption="It rises again.")
        show.say(f"The mean is **{0.5:.3f}**.")
        content = nbformat.read(chapter.notebook, as_version=4)
        outputs = [nbformat.v4.new_output("display_data", data=data, metadata=about) for data, about in shown]
        outputs.append(nbformat.v4.new_output("execute_result", data={"text/plain": "'a result'"}))
        content.cells[3].outputs = outputs
        kept = store.derived / "notebooks" / f"{chapter.page}-0.ipynb"
        kept.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(clean.cleaned(content, scrub=clean.scrubber(store), parameters={}), kept)
        facts[chapter.page] = {"status": "done", "seconds": 1.0, "date": "today", "commit": "abc", "kept": kept.name}
    config = load("demo")
    about = pages.provenance.about_run(config, project=store.project, corpora=[{"corpus": "synthetic"}], chapters=facts)
    write_json(store.run / "run.json", about)
    assert pages.render(config, store, story=story, facts=facts) == 3
    return store.run
