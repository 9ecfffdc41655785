"""Write the pages of a published run anew from its clips and predictions, where there is neither audio nor a cache.

Conventions
-----------
A step of a page is a cell of its notebook: the code, and what it shows. The notebooks are replayed as ``recompute``
replays them. A step with tables or figures that follow from the predictions shows them as they are made now, and so do
the sentences of the front page, which rest on tables; any other keeps the code and the outputs that the page holds.
Words between the steps are those of the notebook. Tables and drawings of steps that were made anew replace their files
in the run; so do tables that no page shows.
"""

from __future__ import annotations

import html
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

from ser_study.corpora import published
from ser_study.report import articles, pages, provenance
from ser_study.report.chapters import FINDINGS, Chapter, chapters
from ser_study.report.exhibits import Exhibit
from ser_study.report.recompute import Replay, copy_facts, folders, read_published, reason, replay
from ser_study.report.site import unresolved
from ser_study.report.table_html import MAX_ROWS, slug
from ser_study.store import Store, file_hash, open_folders, project_root, write_json
from ser_study.wording import word

_DIV = re.compile(r'<div class="step">|<div\b|</div>')
_CODE = re.compile(r'<details class="code".*?<pre>(.*?)</pre>.*?</details>', re.DOTALL)
_NUMBER = re.compile(r'<b class="ser-number">(?:<a [^>]*>)?(Table|Figure) [^<]*(?:</a>)?</b>')
_DRAWING = re.compile(r"<svg .*?</svg>", re.DOTALL)
_OWN_NAMES = re.compile(r'[ {"#.]([dk]\d+)[.-]\d')  # of the styles and parts of a drawing that was written shorter
_EXHIBIT = re.compile(r'<figure class="ser-(?:table|figure)" id="(?:table|figure)-([^"]+)"')
_TABLE = re.compile(r'<figure class="ser-table".*?</figure>', re.DOTALL)
_SOURCE, _MORE = '<p class="ser-source">', re.compile(r"first [\d,]+ of ([\d,]+) rows shown; ")
_EMBEDDED = re.compile(r'(<a download="([^"]+)" href=")data:text/csv[^"]*"')
_TAG = re.compile(r"<[^>]+>")


@dataclass(frozen=True)
class Step:
    """A cell as a published page holds it."""

    code: str
    outputs: str  # HTML, as it was before its tables and figures got numbers


def rewrite(source: Path) -> dict[str, tuple[int, int]]:
    """Write the pages of a run anew.

    Parameters
    ----------
    source : folder of a published run, which is changed

    Returns
    -------
    Page → number of its steps with exhibits that were made anew, and of those that were kept.

    Raises
    ------
    FileNotFoundError
        The folder holds no published predictions.
    ValueError
        A page has not the steps of its notebook, whose cells have changed since; nothing is changed then.
    """
    about, project = read_published(source), project_root()
    story = [one for one in chapters(project / "notebooks", published.corpora(source)) if one.page in about["chapters"]]
    steps = {one.page: _steps(one, source) for one in story}
    with tempfile.TemporaryDirectory() as temporary, folders(source, Path(temporary), Path(temporary), pages="1"):
        run = Path(temporary) / about["run"]
        copy_facts(source, run)
        shutil.copytree(source / "tables", run / "tables")  # the findings read those of all chapters
        _, store = open_folders(about["preset"], about["overrides"], str(source))
        store, counts = replace(store, run=source), {}
        for one in story:
            parameters = {"preset": about["preset"], "overrides": about["overrides"], "data": "", "corpus": one.corpus}
            counts[one.page] = _fill(one, replay(one.notebook, parameters), steps[one.page], store, run)
        _publish(_on_no_page(steps, run), run, source)
        for facts in about["chapters"].values():
            facts["files"] = {name: file_hash(source / name) for name in facts["files"] if (source / name).is_file()}
        about["rewritten"] = {"date": provenance.now(), **provenance.commit(project)}
        write_json(source / "run.json", about)
        facts = {one.page: about["chapters"][one.page] | {"notebook": f"{one.page}.ipynb"} for one in story}
        pages.render(store, story=story, facts=facts)
    return counts


def _steps(chapter: Chapter, source: Path) -> list[Step]:
    """The steps of a published page; as many as its notebook has."""
    file = pages.file_of(chapter)
    text = articles.published_article(source / file, chapter.corpus and word(chapter.corpus))
    names, steps = count(1), []
    for content in _contents(unresolved(text.get("body", ""), "../" * file.count("/"))):
        code = _CODE.search(content)
        outputs = _NUMBER.sub(r'<b class="ser-number">\1</b>', content[code.end() :] if code else content)
        outputs = _TABLE.sub(lambda table: _shortened(table[0], source), outputs)
        outputs = _DRAWING.sub(lambda drawing: _renamed(drawing[0], f"k{next(names)}"), outputs)
        steps.append(Step(html.unescape(_TAG.sub("", code[1])).strip() if code else "", outputs.strip()))
    expected = len(_cells(chapter)[1])
    if len(steps) != expected:
        raise ValueError(
            f"{file} has {len(steps)} steps, {chapter.notebook.name} {expected}: its cells have changed since the run. "
            "Run the study again where the recordings are."
        )
    return steps


def _contents(body: str) -> Iterator[str]:
    """What the steps of a body hold."""
    start, depth = 0, 0
    for mark in _DIV.finditer(body):
        if not depth:
            start, depth = mark.end(), int(mark[0].endswith('"step">'))
        else:
            depth += -1 if mark[0] == "</div>" else 1
            if not depth:
                yield body[start : mark.start()]


def _shortened(table: str, source: Path) -> str:
    """A table with the rows that pages have today, and a link to its CSV in place of the CSV."""
    head, opening, rest = table.partition("<tbody>")
    rows, closing, foot = rest.partition("</tbody>")
    each = rows.split("<tr>")
    n_rows = len(each) - 1
    if n_rows > MAX_ROWS:
        total = _MORE.search(foot)[1] if _MORE.search(foot) else f"{n_rows:,}"
        head = head.replace(f"&quot;rows&quot;: {n_rows}", f"&quot;rows&quot;: {MAX_ROWS}")
        rows = "<tr>".join(each[: MAX_ROWS + 1])
        foot = _MORE.sub("", foot).replace(_SOURCE, f"{_SOURCE}first {MAX_ROWS:,} of {total} rows shown; ")
    foot = _EMBEDDED.sub(
        lambda link: f'{link[1]}run:tables/{link[2]}"' if (source / "tables" / link[2]).is_file() else link[0], foot
    )
    return f"{head}{opening}{rows}{closing}{foot}"


def _renamed(drawing: str, name: str) -> str:
    """A drawing whose parts have names that no drawing made anew has."""
    own = _OWN_NAMES.search(drawing)
    return re.sub(rf"\b{own[1]}(?=[.-]\d)", name, drawing) if own else drawing


def _cells(chapter: Chapter) -> tuple[object, list[tuple[int, object]]]:
    """A notebook, and those of its code cells that a page shows, with their places."""
    from ser_study.report.notebook_format import nbformat

    notebook = nbformat.read(chapter.notebook, as_version=4)
    places = {id(cell): place for place, cell in enumerate(notebook.cells)}
    displayed = [cell for cell in articles.published_cells(notebook.cells) if cell.cell_type == "code"]
    return notebook, [(places[id(cell)], cell) for cell in displayed]


def _fill(chapter: Chapter, made: Replay, steps: list[Step], store: Store, run: Path) -> tuple[int, int]:
    """Write the notebook with the outputs of its steps, and the files of ``run`` that those made anew wrote; how many
    were made anew, and how many were kept."""
    from ser_study.report.notebook_format import nbformat

    notebook, cells = _cells(chapter)
    anew = kept = 0
    for (place, cell), step in zip(cells, steps):
        values = [] if place in made.lost else made.values.get(place, [])
        outputs = [output for value in values if isinstance(value, Exhibit) for output in value.outputs]
        names = _names(outputs, run)
        if outputs and not any(map(reason, names)) and (names or chapter.notebook.stem == FINDINGS):
            _publish(names, run, store.run)
            anew += 1
        elif step.outputs:
            cell.source, outputs, kept = step.code, [({"text/html": step.outputs}, {})], kept + 1
        else:
            continue
        parts = [{"data": dict(data), "metadata": dict(metadata)} for data, metadata in outputs]
        cell.outputs = [nbformat.v4.new_output("display_data", **part) for part in parts]
    path = store.derived / "notebooks" / f"{chapter.page}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return anew, kept


def _names(outputs: Sequence[tuple[Mapping[str, str], Mapping[str, Any]]], run: Path) -> list[str]:
    """Names of the tables and figures among some outputs."""
    anchors = {anchor for data, _ in outputs for anchor in _EXHIBIT.findall(data.get("text/html", ""))}
    known = {path.stem.removeprefix("figure_") for path in (run / "tables").glob("*.csv")}
    known |= {path.stem for path in (run / "figures").glob("*.svg")}
    return [name for name in sorted(known) if slug(name) in anchors]


def _on_no_page(steps: Mapping[str, Sequence[Step]], run: Path) -> list[str]:
    """Names of the tables that follow from the predictions and are files only, such as ``scores.csv``."""
    anchors = {anchor for each in steps.values() for step in each for anchor in _EXHIBIT.findall(step.outputs)}
    names = [path.stem for path in sorted((run / "tables").glob("*.csv")) if not path.stem.startswith("figure_")]
    return [name for name in names if slug(name) not in anchors and not reason(name)]


def _publish(names: Iterable[str], run: Path, to: Path) -> None:
    """Copy the files of tables and figures."""
    for name in names:
        for file in (f"tables/{name}.csv", f"tables/figure_{name}.csv", f"figures/{name}.svg"):
            if (run / file).is_file():
                shutil.copyfile(run / file, to / file)
