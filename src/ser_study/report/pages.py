"""The pages: ``index.html`` (the findings) and ``pages/*.html``.

A Jinja template puts an article (``report.articles``) in a page with contents, neighbours and provenance. A page loads
its style and scripts from ``assets/`` beside it, and nothing from anywhere else.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ser_study.report import appendix, clean, explorer, links, provenance, runs
from ser_study.report.articles import TEMPLATE, article, published_article
from ser_study.report.chapters import FINDINGS, Chapter
from ser_study.report.exhibits import table_code
from ser_study.report.in_short import in_short
from ser_study.report.table_html import holding_csv
from ser_study.store import Store, replacing
from ser_study.wording import word

STUDY = "Speech emotion, honestly scored"
ASSETS: Mapping[str, Callable[[], str]] = {
    "style.css": lambda: (TEMPLATE / "style.css").read_text("utf-8"),
    "page.js": lambda: (TEMPLATE / "page.js").read_text("utf-8"),
    "tables.js": table_code,
}


def render(
    store: Store,
    *,
    story: Sequence[Chapter],
    facts: Mapping[str, Mapping[str, Any]],
    standalone: bool = False,
) -> int:
    """Write every page whose executed notebook is there, and anew those that are published without it, as in a fresh
    checkout; pages of chapters that are gone are deleted.

    Parameters
    ----------
    story : all chapters, in order
    facts : page → what ``run.json`` holds of its execution, ``notebook`` naming the executed notebook
    standalone : each page holds its style, scripts and CSVs, as a page that is mailed must; otherwise they lie beside
        it, style and scripts in ``assets/``, once for all pages

    Returns
    -------
    Number of pages written, the front page included.
    """
    articles = _articles(story, facts, store)
    if not articles:
        return 0
    about, scrub = provenance.read_run(store.run), clean.scrubber(store)
    executed = [chapter for chapter in story if chapter.page in articles]
    options = {"facts": facts, "project": store.project, "findings": _findings_beside(store.run)}
    more = explorer.article(store, filled, standalone=standalone)
    book = bound(about, executed, articles, more=more, **options)
    for place, entry in enumerate(book.entries):
        text, path = page(book, place, standalone=standalone), store.run / entry["file"]
        with replacing(path) as temporary:
            temporary.write_text(scrub(holding_csv(text, path.parent) if standalone else text), encoding="utf-8")
    if not standalone:
        write_assets(store.run / "assets")
    written = {entry["file"] for entry in book.entries}
    for old in (store.run / "pages").glob("*.html"):
        if f"pages/{old.name}" not in written:
            old.unlink()
    return len(book.entries)


@dataclass(frozen=True)
class Book:
    """The pages of a run, before they are written."""

    run: Mapping[str, Any]  # what ``run.json`` holds
    facts: Mapping[str, Mapping[str, Any]]  # page → what it holds of its execution
    entries: Sequence[Mapping[str, Any]]  # in order; what contents and neighbours need to know of each page
    articles: Mapping[str, Mapping[str, Any]]  # page → its article


def bound(
    run: Mapping[str, Any],
    executed: Sequence[Chapter],
    articles: Mapping[str, Mapping[str, Any]],
    *,
    facts: Mapping[str, Mapping[str, Any]],
    project: Path,
    more: Mapping[str, Mapping[str, Any]] | None = None,
    findings: str = "",
) -> Book:
    """The pages of a run in order: the findings, or a list of the chapters, then the chapters, then the appendix.

    Parameters
    ----------
    run : what ``run.json`` holds
    executed : chapters of which there is an article
    articles : page → its article, as ``articles.article`` gives it
    more : file → article of pages that are no chapters and come before the appendix
    findings : address of another run's findings, from the folder of this run, for a run that has none
    """
    articles = dict(articles)
    entries = [_entry(chapter, articles[chapter.page], facts[chapter.page]) for chapter in executed]
    entries.sort(key=lambda entry: entry["file"] != "index.html")  # the findings come first
    if entries[0]["file"] != "index.html":
        articles[""] = _chapter_list(run, entries, findings)
        entries.insert(0, _appended("index.html", articles[""]) | {"page": "", "label": "Overview", "appended": False})
    for file, text in {**(more or {}), **appendix.appendix(run, project, filled)}.items():
        entries.append(_appended(file, text))
        articles[file] = text
    return Book(run, facts, entries, articles)


def _findings_beside(folder: Path) -> str:
    """From the folder of a run to the findings of the main run beside it; empty where there are none."""
    others = [run for run in runs.published(folder.parent) if run.folder != folder]
    best = runs.main(others)
    return f"../{best.folder.name}/index.html" if best and best.has_findings else ""


def render_explorer(store: Store, source: Path) -> str:
    """Write the explorer of a published run into the folder of another, without other pages; its file's name, empty
    where there is nothing to explore."""
    for file, text in explorer.article(store, filled, source=source).items():
        book = Book(provenance.read_run(source), {}, [_appended(file, text)], {file: text})
        with replacing(store.run / file) as temporary:
            temporary.write_text(page(book, 0), encoding="utf-8")
        write_assets(store.run / "assets")
        return file
    return ""


def _articles(story: Sequence[Chapter], facts: Mapping[str, Mapping[str, Any]], store: Store) -> dict[str, Any]:
    """Page → its article, from the executed notebook or, where that is gone, from the published page."""
    articles = {}
    for chapter in (c for c in story if c.page in facts):
        notebook = store.derived / "notebooks" / facts[chapter.page].get("notebook", "")
        if notebook.is_file():
            articles[chapter.page] = article(notebook, prefix=_number(chapter))
        elif kept := published_article(store.run / file_of(chapter), chapter.corpus and word(chapter.corpus)):
            articles[chapter.page] = kept
    return articles


@cache
def _templates():
    import jinja2

    templates = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATE), autoescape=True, trim_blocks=True)
    templates.filters["word"] = word
    return templates


def filled(template: str, **values: Any) -> str:
    """A template with its values; ``autoescape`` looks at no suffix."""
    return _templates().get_template(template).render(**values)


def _entry(chapter: Chapter, text: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, Any]:
    """What contents and neighbours need to know of a page."""
    title = text["title"]
    label = f"{title}: {word(chapter.corpus)}" if chapter.corpus else title
    return {
        "page": chapter.page,
        "file": file_of(chapter),
        "number": _number(chapter),
        "label": label,
        "opening": text["opening"].replace(f">{title}</h1>", f">{html.escape(label)}</h1>"),
        "failed": facts.get("status") == "failed",
        "appended": False,
    }


def _appended(file: str, text: Mapping[str, Any]) -> dict[str, Any]:
    """The same of a page of the appendix."""
    about = {"page": file, "file": file, "number": "", "label": text["title"], "opening": text["opening"]}
    return about | {"failed": False, "appended": True}


def file_of(chapter: Chapter) -> str:
    """The page of a chapter, below the folder of its run."""
    return "index.html" if chapter.notebook.stem == FINDINGS else f"pages/{chapter.page}.html"


def _number(chapter: Chapter) -> str:
    return "" if chapter.notebook.stem == FINDINGS else chapter.number.lstrip("0") + chapter.part


def _chapter_list(run: Mapping[str, Any], entries: Sequence[Mapping[str, Any]], findings: str) -> dict[str, Any]:
    """A front page for a run without the findings: the chapters there are, and where the findings are."""
    items = "".join(f'<li><a href="run:{e["file"]}">{html.escape(_numbered(e))}</a></li>' for e in entries)
    where = f' The findings of the study are on <a href="run:{findings}">the front page</a>.' if findings else ""
    chapters = "One chapter" if len(entries) == 1 else f"{len(entries)} chapters"
    body = f"<p>{chapters} of the study, run with the preset “{run['preset']}”.{where}</p>\n<ul>{items}</ul>"
    return {"title": STUDY, "opening": f"<h1>{STUDY}</h1>", "body": body, "sections": []}


def _numbered(entry: Mapping[str, Any]) -> str:
    return f"Chapter {entry['number']}: {entry['label']}" if entry["number"] else entry["label"]


def page(book: Book, place: int, *, standalone: bool = False, site: Mapping[str, Any] | None = None) -> str:
    """One whole page.

    Parameters
    ----------
    place : of the page among the entries of the book
    standalone : see ``render``
    site : of a page in a web site of several runs: ``up`` (from the folder of the run to that of the site), ``runs``
        and what ``page.html.j2`` says of the page to others
    """
    from markupsafe import Markup

    entry, root = book.entries[place], "../" * book.entries[place]["file"].count("/")
    text, facts = book.articles[entry["page"]], book.facts.get(entry["page"], {})
    others = [dict(other, href=root + other["file"], current=other is entry) for other in book.entries]
    is_chapter = not entry["appended"]
    body = _linked(text["body"], entry, book.entries) if is_chapter else text["body"]
    return filled(
        "page.html.j2",
        study=STUDY,
        title=entry["label"],
        root=root,
        up=site["up"] if site else "",
        site=site,
        run=book.run,
        facts=facts,
        kicker=f"Chapter {entry['number']}" if entry["number"] else "Findings" if entry["page"] and is_chapter else "",
        opening=Markup(entry["opening"]),
        notes=_notes(book, facts) if is_chapter else [],
        in_short=Markup(in_short(body)) if entry["number"] else "",
        body=Markup(_resolved(body, root, book.entries)),
        sections=text["sections"],
        chapters=others,
        before=others[place - 1] if place and is_chapter else None,
        after=next((other for other in others[place + 1 :] if not other["appended"]), None),
        command=appendix.command(book.run, entry["page"]) if entry["page"] and is_chapter else "",
        assets=inlined(standalone),
        has_tables="data-ser-table" in body,
    )


def _resolved(body: str, root: str, entries: Sequence[Mapping[str, Any]]) -> str:
    """The body with its links from the folder of the run; a page that the run shares with others lies above it."""
    for file in (entry["file"] for entry in entries if entry["file"].startswith("../")):
        body = body.replace(f'href="run:{file.removeprefix("../")}', f'href="run:{file}')
    return body.replace('href="run:', f'href="{root}')


def _linked(body: str, entry: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]) -> str:
    """The body of a chapter with links to other chapters, to the explorer and to the glossary."""
    places = {other["number"]: other["file"] for other in entries if other["number"]}
    if any(other["file"] == explorer.PAGE for other in entries):
        places["explorer"] = explorer.PAGE
    return links.linked(body, places, here=entry["file"], terms=links.glossary())


def inlined(standalone: bool) -> dict[str, Any]:
    """Style and scripts of the pages: their text where each page holds its own, else empty, to be linked."""
    from markupsafe import Markup

    return {name: Markup(make() if standalone else "") for name, make in ASSETS.items()}


def write_assets(folder: Path) -> None:
    """The same as files beside the pages, which load each once."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in ASSETS.items():
        with replacing(folder / name) as temporary:
            temporary.write_text(make(), encoding="utf-8")


def _notes(book: Book, facts: Mapping[str, Any]) -> list[dict[str, str]]:
    """What a reader must know before the numbers: failure, synthetic voices, light settings, old chapters."""
    notes, run = [], book.run
    if facts.get("status") == "failed":
        why = facts["error"].rstrip(".")
        text = f"The notebook stopped before its end: {why}. What comes after the failing step is missing."
        notes.append({"kind": "failed", "title": "This chapter failed.", "text": text})
    used = [row.get("corpus") for row in run.get("corpora", [])]
    if run["preset"] == "demo" or "synthetic" in used:
        text = (
            "It was made on the built-in synthetic corpus, whose voices are computed and whose emotions are known, "
            "so the numbers show that the method works; they say nothing about people."
        )
        notes.append({"kind": "demo", "title": "This is a demonstration.", "text": text})
    if run["preset"] == "quick":
        text = (
            "Real recordings; fewer student projects, networks, ablations, degradations and repeats than in the preset "
            "“full”."
        )
        notes.append({"kind": "quick", "title": "This is the quick run.", "text": text})
    old = {page for page, one in run["chapters"].items() if not one.get("current", True)}
    if stale := [entry["number"] or "the findings" for entry in book.entries if entry["page"] in old]:
        text = f"Since then the code, the settings or the data have changed. Run again: {', '.join(stale)}."
        notes.append({"kind": "stale", "title": "Some chapters are from an earlier run.", "text": text})
    return notes
