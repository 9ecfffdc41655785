"""The pages: ``index.html`` (the findings) and ``pages/*.html``.

A Jinja template puts an article (``report.articles``) in a page with contents, neighbours and provenance. A page loads
its style and scripts from ``assets/`` beside it, and nothing from anywhere else.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from ser_study.config import Config
from ser_study.report import appendix, clean, links, provenance
from ser_study.report.articles import TEMPLATE, article, published_article
from ser_study.report.chapters import FINDINGS, Chapter
from ser_study.report.exhibits import table_code
from ser_study.store import Store, replacing
from ser_study.wording import word

STUDY = "Speech emotion, honestly scored"
ASSETS: Mapping[str, Callable[[], str]] = {
    "style.css": lambda: (TEMPLATE / "style.css").read_text("utf-8"),
    "page.js": lambda: (TEMPLATE / "page.js").read_text("utf-8"),
    "tables.js": table_code,
}


def render(
    config: Config,
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
    standalone : each page holds its style and scripts, as a page that is mailed must; otherwise they are loaded from
        ``assets/``, once for all pages

    Returns
    -------
    Number of pages written, the front page included.
    """
    articles = _articles(story, facts, store)
    if not articles:
        return 0
    executed = [chapter for chapter in story if chapter.page in articles]
    run, scrub = provenance.read_run(store.run), clean.scrubber(store)
    entries = [_entry(chapter, articles[chapter.page], facts[chapter.page]) for chapter in executed]
    entries.sort(key=lambda entry: entry["file"] != "index.html")  # the findings come first
    if entries[0]["file"] != "index.html":
        entries.insert(0, _plain_index(entries))
        articles[""] = entries[0]["article"]
    for file, text in appendix.appendix(run, store.project, _filled).items():
        entries.append(_appended(file, text))
        articles[file] = text
    for place, entry in enumerate(entries):
        about = facts.get(entry["page"], {})
        page = _page(entry, articles[entry["page"]], entries, place, config, run, about, standalone)
        with replacing(store.run / entry["file"]) as temporary:
            temporary.write_text(scrub(page), encoding="utf-8")
    if not standalone:
        _write_assets(store.run / "assets")
    written = {entry["file"] for entry in entries}
    for old in (store.run / "pages").glob("*.html"):
        if f"pages/{old.name}" not in written:
            old.unlink()
    return len(entries)


def _articles(story: Sequence[Chapter], facts: Mapping[str, Mapping[str, Any]], store: Store) -> dict[str, Any]:
    """Page → its article, from the executed notebook or, where that is gone, from the published page."""
    articles = {}
    for chapter in (c for c in story if c.page in facts):
        notebook = store.derived / "notebooks" / facts[chapter.page].get("notebook", "")
        if notebook.is_file():
            articles[chapter.page] = article(notebook, prefix=_number(chapter))
        elif kept := published_article(store.run / _file(chapter), chapter.corpus and word(chapter.corpus)):
            articles[chapter.page] = kept
    return articles


@cache
def _templates():
    import jinja2

    templates = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATE), autoescape=True, trim_blocks=True)
    templates.filters["word"] = word
    return templates


def _filled(template: str, **values: Any) -> str:
    """A template with its values; ``autoescape`` looks at no suffix."""
    return _templates().get_template(template).render(**values)


def _entry(chapter: Chapter, text: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, Any]:
    """What contents and neighbours need to know of a page."""
    title = text["title"]
    label = f"{title}: {word(chapter.corpus)}" if chapter.corpus else title
    return {
        "page": chapter.page,
        "file": _file(chapter),
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


def _file(chapter: Chapter) -> str:
    return "index.html" if chapter.notebook.stem == FINDINGS else f"pages/{chapter.page}.html"


def _number(chapter: Chapter) -> str:
    return "" if chapter.notebook.stem == FINDINGS else chapter.number.lstrip("0") + chapter.part


def _plain_index(entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A front page for a run without the findings: the chapters there are."""
    items = "".join(f'<li><a href="{e["file"]}">{html.escape(e["label"])}</a></li>' for e in entries)
    text = {
        "title": STUDY,
        "opening": f"<h1>{STUDY}</h1>",
        "body": f"<p>This run has these chapters:</p><ol>{items}</ol>",
        "sections": [],
    }
    about = {"number": "", "label": "Overview", "opening": text["opening"], "failed": False, "appended": False}
    return {"page": "", "file": "index.html", **about, "article": text}


def _page(entry, text, entries, place, config, run, facts, standalone) -> str:
    """One whole page."""
    from markupsafe import Markup

    root = "../" * entry["file"].count("/")
    others = [dict(other, href=root + other["file"], current=other is entry) for other in entries]
    is_chapter = not entry["appended"]
    body = _linked(text["body"], entry, entries) if is_chapter else text["body"]
    return _filled(
        "page.html.j2",
        study=STUDY,
        title=entry["label"],
        root=root,
        run=run,
        facts=facts,
        kicker=f"Chapter {entry['number']}" if entry["number"] else "Findings" if entry["page"] and is_chapter else "",
        opening=Markup(entry["opening"]),
        notes=_notes(config, run, facts, entries) if is_chapter else [],
        body=Markup(body.replace('href="run:', f'href="{root}')),
        sections=text["sections"],
        chapters=others,
        before=others[place - 1] if place and is_chapter else None,
        after=next((other for other in others[place + 1 :] if not other["appended"]), None),
        command=appendix.command(run, entry["page"]) if entry["page"] and is_chapter else "",
        assets={name: Markup(text) for name, text in _assets(standalone).items()},
        has_tables="data-ser-table" in body,
    )


def _linked(body: str, entry: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]) -> str:
    """The body of a chapter with links to other chapters and to the glossary."""
    numbered = {other["number"]: other["file"] for other in entries if other["number"]}
    return links.linked(body, numbered, here=entry["file"], terms=links.glossary())


def _assets(standalone: bool) -> dict[str, str]:
    """Style and scripts of the pages: their text where each page holds its own, else empty, to be linked."""
    return {name: make() if standalone else "" for name, make in ASSETS.items()}


def _write_assets(folder: Path) -> None:
    """The same as files beside the pages, which load each once."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in ASSETS.items():
        with replacing(folder / name) as temporary:
            temporary.write_text(make(), encoding="utf-8")


def _notes(
    config: Config, run: Mapping[str, Any], facts: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]
) -> list[dict[str, str]]:
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
            "Real recordings; fewer student projects, networks, ablations, degradations and repeats than in the preset "
            "“full”."
        )
        notes.append({"kind": "quick", "title": "This is the quick run.", "text": text})
    old = {page for page, one in run["chapters"].items() if not one.get("current", True)}
    if stale := [entry["number"] or "the findings" for entry in entries if entry["page"] in old]:
        text = f"Since then the code, the settings or the data have changed. Run again: {', '.join(stale)}."
        notes.append({"kind": "stale", "title": "Some chapters are from an earlier run.", "text": text})
    return notes
