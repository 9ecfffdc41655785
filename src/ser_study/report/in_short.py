"""What a page finds, in a few lines at its top: the titles of its leading figures, each with a link to its figure."""

from __future__ import annotations

import html
import re

MOST = 3  # lines
_LEADING = re.compile(
    r'<figure class="ser-figure" id="([^"]+)" data-lead="([^"]+)">.*?<b class="ser-number">(?:<a [^>]*>)?([^<]+)',
    re.DOTALL,
)


def lead(title: str) -> str:
    """The attribute of a figure whose title (text) is such a line."""
    return f' data-lead="{html.escape(title)}"' if title else ""


def in_short(body: str) -> str:
    """The lines of a body as HTML; empty where no figure of it leads.

    Parameters
    ----------
    body : HTML of an article whose figures have their numbers
    """
    lines = [
        f'<li>{title}{"" if title.endswith(".") else "."} <a href="#{anchor}">{number}</a></li>'
        for anchor, title, number in _LEADING.findall(body)[:MOST]
    ]
    return f'<div class="lead"><p><strong>In short</strong></p><ul>{"".join(lines)}</ul></div>' if lines else ""
