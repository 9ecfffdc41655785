"""Executed notebooks, or pages that are published already → articles: what a page holds between title and foot.

nbconvert turns the cells into HTML. Of a cell tagged ``teach`` the code is open; one tagged ``explore`` is for
JupyterLab alone.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from ser_study.report.drawings import compact
from ser_study.report.references import footnoted

TEMPLATE = Path(__file__).parent / "template"
NOT_PUBLISHED = {"parameters", "injected-parameters", "explore"}  # tags of cells for JupyterLab alone
_HEADING = re.compile(r"<h([1-4])\b[^>]*>(.*?)</h\1>", re.DOTALL)
_NUMBER = re.compile(r'<b class="ser-number">(Table|Figure)</b>')
_BODY = re.compile(r"(?P<opening><h1\b.*?</h1>).*<!-- body -->\n(?P<body>.*)\n<!-- /body -->", re.DOTALL)
_UNMARKED = re.compile(r"<article>.*?(?P<opening><h1\b.*?</h1>)(?P<body>.*)</article>", re.DOTALL)  # of older pages
_NOTE = re.compile(r'<aside class="note.*?</aside>', re.DOTALL)
_ANCHOR = re.compile(r'id="([^"]*)"')
_LINK = re.compile(r' <a class="anchor".*?</a>')
_TAG = re.compile(r"<[^>]+>")
_HAS_HEADING = re.compile(r"^#", re.MULTILINE)


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
    from ser_study.report.notebook_format import nbformat

    notebook = nbformat.read(path, as_version=4)
    notebook.cells = published_cells(notebook.cells)
    body, _ = _exporter().from_notebook_node(notebook)
    counts = {"Table": 0, "Figure": 0}

    def numbered(match: re.Match) -> str:
        counts[kind := match[1]] += 1
        number = f"{prefix}.{counts[kind]}" if prefix else str(counts[kind])
        return f'<b class="ser-number">{kind} {number}</b>'

    body, headings = anchored(_NUMBER.sub(numbered, body))
    body = compact(footnoted(body))
    first = re.search(r"<h1\b.*?</h1>", body, re.DOTALL)
    titles = [heading["text"] for heading in headings if heading["level"] == 1]
    return {
        "title": titles[0] if titles else path.stem,
        "opening": first[0] if first else "",
        "body": body.replace(first[0], "", 1) if first else body,
        "sections": [heading for heading in headings if heading["level"] in (2, 3)],
    }


def published_article(page: Path, corpus: str) -> dict[str, Any]:
    """What ``article`` gave when a page was written; empty where there is no such page.

    Parameters
    ----------
    page : written by ``pages.render``
    corpus : of a page about one corpus: its name in words, which stands in the heading of the page; else empty
    """
    text = page.read_text(encoding="utf-8") if page.is_file() else ""
    parts = _BODY.search(text) or _UNMARKED.search(text)
    if not parts:
        return {}
    opening = parts["opening"].replace(f"{html.escape(f': {corpus}')}</h1>", "</h1>") if corpus else parts["opening"]
    body = _NOTE.sub("", parts["body"]) if parts.re is _UNMARKED else parts["body"]
    headings = [match for match in _HEADING.finditer(body) if match[1] in "23" and _ANCHOR.search(match[0])]
    return {
        "title": _text(opening),
        "opening": opening,
        "body": body,
        "sections": [{"level": int(m[1]), "anchor": _ANCHOR.search(m[0])[1], "text": _text(_LINK.sub("", m[2]))}
                     for m in headings],
    }  # fmt: skip


def _text(content: str) -> str:
    return html.unescape(_TAG.sub("", content)).strip()


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
        text = _text(inner)
        base = re.sub(r"[^\w]+", "-", text.lower()).strip("-") or "section"
        same = sum(other["base"] == base for other in headings)
        anchor = base if not same else f"{base}-{same + 1}"
        headings.append({"level": level, "anchor": anchor, "text": text, "base": base})
        link = (
            f' <a class="anchor" href="#{anchor}" aria-label="Link to {html.escape(text)}">#</a>' if level > 1 else ""
        )
        return f'<h{level} id="{anchor}">{inner}{link}</h{level}>'

    return _HEADING.sub(heading, body), headings


def article_of(title: str, body: str) -> dict[str, Any]:
    """The article of a page that no notebook makes, as ``article`` gives it."""
    body, headings = anchored(body)
    opening = f"<h1>{html.escape(title)}</h1>"
    return {"title": title, "opening": opening, "body": body, "sections": [h for h in headings if h["level"] == 2]}


def plain_table(content: str) -> str:
    """HTML as pandas writes it without its style sheet, in a box that scrolls; any other HTML as it is."""
    if 'class="dataframe"' not in content or 'class="scroll pandas"' in content:
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
