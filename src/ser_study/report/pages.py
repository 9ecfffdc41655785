"""Executed notebooks → self-contained pages: ``index.html`` (the findings) and ``pages/*.html``.

Conventions
-----------
nbconvert turns the cells into the body of an article; a Jinja template of ours puts it in a page with
contents, neighbours and provenance. Nothing on a page is fetched from anywhere. Of a cell tagged ``teach`` the code
is open; one tagged ``explore`` is for JupyterLab alone.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from ser_study.config import Config
from ser_study.report import clean, provenance
from ser_study.report.chapters import FINDINGS, Chapter
from ser_study.report.exhibits import table_script
from ser_study.store import Store, replacing
from ser_study.wording import word

STUDY = "Speech emotion, honestly scored"
TEMPLATE = Path(__file__).parent / "template"
NOT_PUBLISHED = {"parameters", "injected-parameters", "explore"}  # tags of cells for JupyterLab alone
_HEADING = re.compile(r"<h([1-4])\b[^>]*>(.*?)</h\1>", re.DOTALL)
_NUMBER = re.compile(r'<b class="ser-number">(Table|Figure)</b>')
_TAG = re.compile(r"<[^>]+>")
_HAS_HEADING = re.compile(r"^#", re.MULTILINE)


def render(config: Config, store: Store, *, story: Sequence[Chapter], facts: Mapping[str, Mapping[str, Any]]) -> int:
    """Write every page whose executed notebook is there; pages of chapters that are gone are deleted.

    Parameters
    ----------
    story : all chapters, in order
    facts : page → what ``run.json`` holds of its execution, ``notebook`` naming the executed notebook

    Returns
    -------
    Number of pages written, the front page included.
    """
    folder = store.derived / "notebooks"
    executed = [c for c in story if c.page in facts and (folder / facts[c.page].get("notebook", "")).is_file()]
    if not executed:
        return 0
    articles = {c.page: article(folder / facts[c.page]["notebook"], prefix=_number(c)) for c in executed}
    run, scrub = provenance.read_run(store.run), clean.scrubber(store)
    entries = [_entry(chapter, articles[chapter.page], facts[chapter.page]) for chapter in executed]
    entries.sort(key=lambda entry: entry["file"] != "index.html")  # the findings come first
    if entries[0]["file"] != "index.html":
        entries.insert(0, _plain_index(entries))
        articles[""] = entries[0]["article"]
    for place, entry in enumerate(entries):
        page = _page(entry, articles[entry["page"]], entries, place, config, run, facts.get(entry["page"], {}))
        with replacing(store.run / entry["file"]) as temporary:
            temporary.write_text(scrub(page), encoding="utf-8")
    written = {entry["file"] for entry in entries}
    for old in (store.run / "pages").glob("*.html"):
        if f"pages/{old.name}" not in written:
            old.unlink()
    return len(entries)


def article(path: Path, *, prefix: str) -> dict[str, Any]:
    """The body of a page.

    Parameters
    ----------
    path : an executed, cleaned notebook
    prefix : number of the chapter, such as ``4b``, for its tables and figures; empty on the front page

    Returns
    -------
    dict of ``title`` (text), ``opening`` (the HTML of the first heading), ``body`` (HTML) and ``sections``
    (level, anchor and text of the headings of levels 2 and 3).
    """
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    notebook.cells = published_cells(notebook.cells)
    body, _ = _exporter().from_notebook_node(notebook)
    counts = {"Table": 0, "Figure": 0}

    def numbered(match: re.Match) -> str:
        counts[kind := match[1]] += 1
        number = f"{prefix}.{counts[kind]}" if prefix else str(counts[kind])
        return f'<b class="ser-number">{kind} {number}</b>'

    body, headings = anchored(_NUMBER.sub(numbered, body))
    first = re.search(r"<h1\b.*?</h1>", body, re.DOTALL)
    titles = [heading["text"] for heading in headings if heading["level"] == 1]
    return {
        "title": titles[0] if titles else path.stem,
        "opening": first[0] if first else "",
        "body": body.replace(first[0], "", 1) if first else body,
        "sections": [heading for heading in headings if heading["level"] in (2, 3)],
    }


def published_cells(cells: Sequence[Any]) -> list[Any]:
    """Cells for the page: none tagged as one of ``NOT_PUBLISHED``, nor the words that lead to it alone.

    Those are a Markdown cell without a heading right before it.
    """
    published: list[Any] = []
    for cell in cells:
        if not NOT_PUBLISHED.intersection(cell.metadata.get("tags", [])):
            published.append(cell)
        elif published and published[-1].cell_type == "markdown" and not _HAS_HEADING.search(published[-1].source):
            published.pop()
    return published


def anchored(body: str) -> tuple[str, list[dict[str, Any]]]:
    """Give every heading an anchor of its own and a link to it; the headings as level, anchor, text."""
    headings: list[dict[str, Any]] = []

    def heading(match: re.Match) -> str:
        level, inner = int(match[1]), match[2].strip()
        text = html.unescape(_TAG.sub("", inner)).strip()
        base = re.sub(r"[^\w]+", "-", text.lower()).strip("-") or "section"
        same = sum(other["base"] == base for other in headings)
        anchor = base if not same else f"{base}-{same + 1}"
        headings.append({"level": level, "anchor": anchor, "text": text, "base": base})
        link = (
            f' <a class="anchor" href="#{anchor}" aria-label="Link to {html.escape(text)}">#</a>' if level > 1 else ""
        )
        return f'<h{level} id="{anchor}">{inner}{link}</h{level}>'

    return _HEADING.sub(heading, body), headings


def plain_table(content: str) -> str:
    """HTML as pandas writes it without its style sheet, in a box that scrolls; any other HTML as it is."""
    if 'class="dataframe"' not in content:
        return content
    bare = re.sub(r"<style scoped>.*?</style>|<div>|</div>", "", content, flags=re.DOTALL).strip()
    return f'<div class="scroll pandas" role="region" tabindex="0" aria-label="Table">{bare}</div>'


@cache
def _exporter():
    """nbconvert with our template; Markdown may hold HTML, and every wide table scrolls in its own box."""
    from nbconvert.exporters import TemplateExporter
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    def prose(text: str) -> str:
        written = MarkdownWithMath(renderer=IPythonRenderer(escape=False, exclude_anchor_links=True)).render(text)
        box = '<div class="scroll" role="region" tabindex="0" aria-label="Table"><table>'
        return written.replace("<table>", box).replace("</table>", "</table></div>")

    def code(text: str) -> str:
        return highlight(text, PythonLexer(), HtmlFormatter(cssclass="source"))

    exporter = TemplateExporter(
        template_name=TEMPLATE.name, extra_template_basedirs=[str(TEMPLATE.parent)], template_file="cells.html.j2"
    )
    exporter.register_filter("prose", prose)
    exporter.register_filter("code", code)
    exporter.register_filter("plain_table", plain_table)
    return exporter


@cache
def _shell():
    import jinja2

    loader = jinja2.FileSystemLoader(TEMPLATE)
    shell = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True)
    shell.filters["word"] = word
    return shell.get_template("page.html.j2")


def _entry(chapter: Chapter, text: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, Any]:
    """What contents and neighbours need to know of a page."""
    title = text["title"]
    label = f"{title}: {word(chapter.corpus)}" if chapter.corpus else title
    return {
        "page": chapter.page,
        "file": "index.html" if chapter.notebook.stem == FINDINGS else f"pages/{chapter.page}.html",
        "number": _number(chapter),
        "label": label,
        "opening": text["opening"].replace(f">{title}</h1>", f">{html.escape(label)}</h1>"),
        "failed": facts.get("status") == "failed",
    }


def _number(chapter: Chapter) -> str:
    return "" if chapter.notebook.stem == FINDINGS else chapter.number.lstrip("0")


def _plain_index(entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A front page for a run without the findings: the chapters there are."""
    items = "".join(f'<li><a href="{e["file"]}">{html.escape(e["label"])}</a></li>' for e in entries)
    text = {
        "title": STUDY,
        "opening": f"<h1>{STUDY}</h1>",
        "body": f"<p>The findings have not been written yet. These chapters are there:</p><ol>{items}</ol>",
        "sections": [],
    }
    about = {"number": "", "label": "Overview", "opening": text["opening"], "failed": False}
    return {"page": "", "file": "index.html", **about, "article": text}


def _page(entry, text, entries, place, config, run, facts) -> str:
    """One whole page."""
    from markupsafe import Markup

    root = "../" * entry["file"].count("/")
    links = [dict(other, href=root + other["file"], current=other is entry) for other in entries]
    return _shell().render(
        study=STUDY,
        title=entry["label"],
        this=entry["page"],
        root=root,
        run=run,
        kicker=f"Chapter {entry['number']}" if entry["number"] else "Findings" if entry["page"] else "",
        opening=Markup(entry["opening"]),
        notes=_notes(config, run, facts),
        body=Markup(text["body"].replace('href="run:', f'href="{root}')),
        sections=text["sections"],
        chapters=links,
        before=links[place - 1] if place else None,
        after=links[place + 1] if place + 1 < len(links) else None,
        style=Markup((TEMPLATE / "style.css").read_text("utf-8")),
        script=Markup(_scripts(text["body"])),
    )


def _scripts(body: str) -> str:
    page = f"<script>\n{(TEMPLATE / 'page.js').read_text('utf-8')}</script>"
    return f"{page}\n{table_script()}" if "data-ser-table" in body else page


def _notes(config: Config, run: Mapping[str, Any], facts: Mapping[str, Any]) -> list[dict[str, str]]:
    """What a reader must know before the numbers: failure, synthetic voices, light settings, old chapters."""
    notes = []
    if facts.get("status") == "failed":
        why = facts["error"].rstrip(".")
        text = f"The notebook stopped before its end: {why}. What comes after the failing step is missing."
        notes.append({"kind": "failed", "title": "This chapter failed.", "text": text})
    used = [row.get("corpus") for row in run.get("corpora", [])]
    if config.preset == "demo" or "synthetic" in used:
        text = (
            "It was made on the built-in synthetic corpus, whose voices are computed and whose emotions are known, "
            "so the numbers show that the method works; they say nothing about people."
        )
        notes.append({"kind": "demo", "title": "This is a demonstration.", "text": text})
    if config.preset == "quick":
        text = (
            "Real recordings; fewer student projects, networks, ablations and repeats than in the preset “full”, and "
            "no training times."
        )
        notes.append({"kind": "quick", "title": "This is the quick run.", "text": text})
    stale = [page for page, one in run["chapters"].items() if not one.get("current", True)]
    if stale:
        text = f"Since then the code, the settings or the data have changed: {', '.join(stale)}. Run them again."
        notes.append({"kind": "stale", "title": "Some chapters are from an earlier run.", "text": text})
    return notes
