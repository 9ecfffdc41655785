"""A crawl over pages on disk: broken links, ids that are there twice, and what a browser measures and complains of."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

_LINK = re.compile(r'<(?:a|link|script|img|iframe|source)\b[^>]*?\b(?:href|src)="([^"]*)"')
_OWN = re.compile(r"<(?:script|style)\b(?![^>]*\bsrc=)[^>]*>.*?</(?:script|style)>", re.DOTALL)
_ID = re.compile(r'<[^>]*?\bid="([^"]+)"')
ELSEWHERE = ("http:", "https:", "mailto:", "data:", "blob:")


def pages_of(folder: Path) -> dict[Path, str]:
    """Pages below a folder, without the text of their own scripts and styles."""
    return {path.resolve(): _OWN.sub("", path.read_text("utf-8")) for path in sorted(folder.rglob("*.html"))}


def broken_links(folder: Path) -> list[str]:
    """Links and anchors of all pages that lead nowhere, or out of the folder."""
    pages, root = pages_of(folder), folder.resolve()
    ids = {path: set(_ID.findall(text)) for path, text in pages.items()}
    broken = []
    for path, text in pages.items():
        for address in set(_LINK.findall(text)):
            if address.startswith(ELSEWHERE):
                continue
            name, _, anchor = address.partition("#")
            target = (path.parent / unquote(name)).resolve() if name else path
            is_there = target.is_file() and target.is_relative_to(root)
            if not is_there or (anchor and unquote(anchor) not in ids.get(target, ())):
                broken.append(f"{path.relative_to(root)}: {address}")
    return sorted(broken)


def repeated_ids(folder: Path) -> list[str]:
    """Ids that a page has more than once."""
    repeated = []
    for path, text in pages_of(folder).items():
        ids = _ID.findall(text)
        repeated += [f"{path.name}: {name}" for name in sorted(set(ids)) if ids.count(name) > 1]
    return repeated
