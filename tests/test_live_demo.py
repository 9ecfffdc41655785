"""The notebook for a recording of one's own runs as it stands."""

from __future__ import annotations

import nbformat
from conftest import PROJECT
from nbclient import NotebookClient

from ser_study import corpora


def test_the_notebook_shows_an_answer_a_player_and_a_timeline(small_study):
    clip = small_study.clips("synthetic").iloc[0]
    path = corpora.root_of("synthetic", small_study.store) / clip["path"]
    notebook = nbformat.read(PROJECT / "notebooks" / "live_demo.ipynb", as_version=4)
    (cell,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    cell.source += f"\nrecording = {str(path)!r}"
    NotebookClient(notebook, kernel_name="python3").execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    data = [output.data for output in outputs if "data" in output]
    assert any("<audio" in one.get("text/html", "") for one in data)
    assert any("image/png" in one or "image/svg+xml" in one for one in data)
    assert any(">mono<" in one.get("text/html", "") for one in data)
    assert any("acted speech" in one.get("text/plain", "") for one in data)
    assert any("application/vnd.jupyter.widget-view+json" in one for one in data)
