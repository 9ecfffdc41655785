"""Links inside the report: from a mention of a chapter to its page, from a term to the glossary, from an exhibit to
itself.

All work on the HTML of a body and may be applied again to their own result.
"""

from __future__ import annotations

import html
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from ser_study.config import registry

GLOSSARY = "pages/glossary.html"
_PIECES = re.compile(r"(<[^>]*>)")
_TAG = re.compile(r"</?([a-zA-Z][\w-]*)")
_UNTOUCHED = {  # elements in whose text nothing becomes a link; b: titles said again where nobody reads them aloud
    *("a", "audio", "b", "button", "code", "dt", "h1", "h2"),
    *("h3", "h4", "pre", "script", "style", "summary", "svg", "table"),
}
_CHAPTER = re.compile(r"\b([Cc]hapters?) 0?(\d+[a-z]?)\b")
_EXPLORER = re.compile(r"\b[Tt]he explorer\b")
_UNIT = re.compile(r"(?<=\d) (?=(?:%|k?Hz|dB|ms|s|kB|MB)(?!\w))")  # the space between a number and its unit
_CAPTION = re.compile(r'(<figure class="ser-(?:figure|table)" id="([^"]+)">.*?<b class="ser-number">)([^<]+)</b>', re.S)


@dataclass(frozen=True)
class Term:
    """A word of the field: its name, the forms it is met in, and what it means."""

    name: str
    text: str
    forms: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()  # keys of ``references``

    @property
    def anchor(self) -> str:
        """Of its entry in the glossary."""
        return re.sub(r"\W+", "-", self.name.lower()).strip("-")


@cache
def glossary() -> tuple[Term, ...]:
    """The terms of ``registry/glossary.toml``, by name."""
    table = tomllib.loads(registry("glossary.toml"))
    lists = ("forms", "sources")
    terms = [Term(row["name"], row["text"], *(tuple(row.get(name, ())) for name in lists)) for row in table["term"]]
    return tuple(sorted(terms, key=lambda term: term.name.lower()))


def linked(body: str, chapters: Mapping[str, str], *, here: str, terms: Sequence[Term]) -> str:
    """The body with its links, and no line that begins with a unit.

    Parameters
    ----------
    body : HTML of an article; addresses that begin with ``run:`` are relative to the folder of the run
    chapters : number of a chapter, such as ``4b``, or ``explorer`` → its page below the folder of the run
    here : the page of this body; it is not linked
    terms : of the glossary; the first mention of each is linked
    """
    body = _CAPTION.sub(r'\1<a href="#\2">\3</a></b>', body)
    body = _in_text(body, lambda text: _UNIT.sub("\N{NO-BREAK SPACE}", text))
    body = _in_text(body, lambda text: _CHAPTER.sub(lambda match: _to_chapter(match, chapters, here), text))
    if page := chapters.get("explorer"):
        body = _in_text(body, lambda text: _EXPLORER.sub(rf'<a href="run:{page}">\g<0></a>', text))
    return _with_terms(body, [term for term in terms if f'{GLOSSARY}#{term.anchor}"' not in body])


def _to_chapter(match: re.Match, chapters: Mapping[str, str], here: str) -> str:
    page = chapters.get(match[2]) or chapters.get(f"{match[2]}a")  # chapter 1 is a page a corpus
    if not page or page == here:
        return match[0]
    return f'<a href="run:{page}">{match[1]} {match[2]}</a>'


def _with_terms(body: str, terms: Sequence[Term]) -> str:
    """The first mention of each term as a link that shows what it means."""
    waiting = {form: term for term in terms for form in (term.name, *term.forms)}
    if not waiting:
        return body
    longest_first = sorted(waiting, key=len, reverse=True)
    mention = re.compile(rf"(?<![\w-])({'|'.join(map(re.escape, longest_first))})(?![\w-])")

    def link(match: re.Match) -> str:
        term = waiting.get(match[1])
        if term is None:
            return match[0]
        for form in (term.name, *term.forms):
            waiting.pop(form, None)
        meaning = html.escape(term.text)
        return f'<a class="term" href="run:{GLOSSARY}#{term.anchor}" data-meaning="{meaning}">{match[1]}</a>'

    return _in_text(body, lambda text: mention.sub(link, text))


def _in_text(body: str, change: Callable[[str], str]) -> str:
    """The body with its text changed, but not that of ``_UNTOUCHED`` elements."""
    pieces, inside = _PIECES.split(body), []
    for place, piece in enumerate(pieces):
        if not piece.startswith("<"):
            if piece.strip() and not inside:
                pieces[place] = change(piece)
            continue
        tag = _TAG.match(piece)
        name = tag[1].lower() if tag else ""
        if inside and inside[0] in ("script", "style") and piece.lower() != f"</{inside[0]}>":
            continue  # what looks like a tag in there is none
        if name not in _UNTOUCHED or piece.endswith("/>"):
            continue
        if not piece.startswith("</"):
            inside.append(name)
        elif name in inside:
            inside.remove(name)
    return "".join(pieces)
