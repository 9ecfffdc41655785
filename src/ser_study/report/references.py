"""The literature: links to it become footnotes of the page, and all of it stands on a page of its own.

A notebook cites as Markdown does, ``[Cao et al. 2014](https://doi.org/10.1109/TAFFC.2014.2336244)``, so that the link
works in JupyterLab too; ``registry/references.toml`` knows the rest.
"""

from __future__ import annotations

import html
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from ser_study.config import registry

PAGE = "pages/references.html"
_LINK = re.compile(r'<a href="(https?://[^"]+)"[^>]*>([^<]+)</a>(?!<sup)')


@dataclass(frozen=True)
class Reference:
    """A publication, by DOI or else by address; a few have neither."""

    key: str
    authors: str
    year: int
    title: str
    place: str
    doi: str = ""
    url: str = ""

    @property
    def address(self) -> str:
        """Where it can be read; empty where it is not on the web."""
        return f"https://doi.org/{self.doi}" if self.doi else self.url

    @property
    def entry(self) -> str:
        """Its line in a list, as HTML."""
        words = html.escape(f"{self.authors} ({self.year}). {self.title}. {self.place}.")
        label = f"doi:{self.doi}" if self.doi else self.url
        return f'{words} <a href="{html.escape(self.address)}">{html.escape(label)}</a>' if label else words


@cache
def references() -> Mapping[str, Reference]:
    """Key → publication, by authors and year."""
    table = tomllib.loads(registry("references.toml"))
    known = [Reference(key, **row) for key, row in table.items()]
    return {one.key: one for one in sorted(known, key=lambda one: (one.authors.lower(), one.year))}


def footnoted(body: str) -> str:
    """The body with a number after each link to the literature, and the publications in a list at its end."""
    by_address = {html.escape(one.address): one for one in references().values() if one.address}
    cited: list[Reference] = []

    def numbered(match: re.Match) -> str:
        one = by_address.get(match[1])
        if one is None:
            return match[0]
        if one not in cited:
            cited.append(one)
        number = cited.index(one) + 1
        return f'{match[0]}<sup><a href="#source-{number}" aria-label="Source {number}">{number}</a></sup>'

    body = _LINK.sub(numbered, body)
    if not cited:
        return body
    lines = "".join(f'<li id="source-{number}">{one.entry}</li>' for number, one in enumerate(cited, 1))
    heading = '<h2 id="sources">Sources</h2>'
    return f'{body}\n<section class="sources" aria-labelledby="sources">{heading}\n<ol>{lines}</ol></section>'
