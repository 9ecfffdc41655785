"""All pages of a run, in order, as one PDF: a headless Chromium prints each, and they are bound with bookmarks.

Conventions
-----------
A link from page to page leads to the place inside the PDF; one to a file beside the pages is dropped, as it would name
a folder of this machine.
"""

from __future__ import annotations

import html
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from ser_study.report.articles import published_article
from ser_study.report.pages import STUDY
from ser_study.report.runs import Run
from ser_study.store import replacing

BROWSERS = (
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge", "microsoft-edge"),
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
OPTIONS = ("--headless", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--no-pdf-header-footer")
SCRIPTS = 20_000  # ms, of the page's own clock, in which its tables are made; it does not wait for them to pass
LONGEST = 300  # s for a page
_CONTENTS = re.compile(r'<nav class="contents".*?</nav>', re.DOTALL)
_ENTRY = re.compile(
    r'<li[^>]*>\s*<a href="([^"#]+)"[^>]*>\s*<span class="no">(.*?)</span><span>(.*?)</span>', re.DOTALL
)


@dataclass(frozen=True)
class Part:
    """A page of the report and where its print is."""

    page: Path
    label: str  # for its bookmark
    sections: Sequence[Mapping[str, Any]]  # level, anchor, text
    pdf: Path


def browser() -> str:
    """The command of a Chromium.

    Raises
    ------
    FileNotFoundError
        There is none.
    """
    command = next(filter(None, map(shutil.which, BROWSERS)), None)
    if command is None:
        raise FileNotFoundError(
            "No Chromium on the path, which prints the pages. Install chromium (Debian: apt-get install chromium; "
            "macOS: brew install --cask google-chrome) or Google Chrome, then run again."
        )
    return command


def write(run: Run, to: Path) -> int:
    """Print a run.

    Parameters
    ----------
    to : the PDF

    Returns
    -------
    Number of its pages.
    """
    command = browser()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        parts = [
            Part(page, label, published_article(page, "").get("sections", []), Path(scratch) / f"{place}.pdf")
            for place, (page, label) in enumerate(contents(run.folder))
        ]
        for part in parts:
            _print(command, part, Path(scratch) / "profile")
        return bind(parts, to, title=f"{STUDY}: run {run.name}")


def contents(folder: Path) -> list[tuple[Path, str]]:
    """Pages of a run in the order of its contents, with their labels; what is no text is left out."""
    nav = _CONTENTS.search((folder / "index.html").read_text(encoding="utf-8"))
    listed = []
    for address, number, label in _ENTRY.findall(nav[0] if nav else ""):
        page, words = folder / unquote(address), re.sub(r"<[^>]+>", "", label)
        is_text = page.parent.name == "pages" or page.name == "index.html"  # the explorer is no text
        if is_text and page.is_file():
            listed.append((page, html.unescape(f"{number} {words}").strip()))
    return listed or [(folder / "index.html", "Overview")]


def _print(command: str, part: Part, profile: Path) -> None:
    """Have a page printed.

    Raises
    ------
    RuntimeError
        Chromium failed or took too long.
    """
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0  # whom Chromium refuses its sandbox
    options = [*OPTIONS, f"--user-data-dir={profile}", f"--virtual-time-budget={SCRIPTS}"]
    options += ["--no-sandbox"] * is_root + [f"--print-to-pdf={part.pdf}", part.page.absolute().as_uri()]
    try:
        done = subprocess.run([command, *options], capture_output=True, text=True, timeout=LONGEST, check=False)
        why = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    except subprocess.TimeoutExpired:
        why = f"it took more than {LONGEST} s"
    if not part.pdf.is_file():
        raise RuntimeError(f"Chromium ({Path(command).name}) did not print {part.page.name}: {why}")


def bind(parts: Sequence[Part], to: Path, *, title: str) -> int:
    """Put prints together, with a bookmark for each part and its sections; the number of pages."""
    from pypdf import PdfReader, PdfWriter
    from pypdf.generic import Fit

    writer, readers = PdfWriter(), [PdfReader(part.pdf) for part in parts]
    places = _places(parts, readers)
    links = []
    for part, reader in zip(parts, readers):
        first, _ = places[part.page.resolve(), ""]
        links += _links(part, reader, first, places)
        writer.append(reader, import_outline=False)
        chapter = writer.add_outline_item(part.label, first)
        for section in part.sections:
            number, top = places.get((part.page.resolve(), section["anchor"]), (first, None))
            if section["level"] == 2:
                writer.add_outline_item(section["text"], number, parent=chapter, fit=Fit.xyz(top=top))
    for page in writer.pages:
        page.pop("/Annots", None)
    for number, link in links:
        writer.add_annotation(number, link)
    writer.add_metadata({"/Title": title})
    writer.compress_identical_objects()
    with replacing(to) as temporary:
        writer.write(temporary)
    return len(writer.pages)


def _places(parts: Sequence[Part], readers: Sequence[Any]) -> dict[tuple[Path, str], tuple[int, float | None]]:
    """Page of the report and anchor → page of the PDF and height on it; an empty anchor is the beginning."""
    places, first = {}, 0
    for part, reader in zip(parts, readers):
        places[part.page.resolve(), ""] = first, None
        for name, target in reader.named_destinations.items():
            number = first + reader.get_destination_page_number(target)
            places[part.page.resolve(), name.lstrip("/")] = number, float(target.top or 0) or None
        first += len(reader.pages)
    return places


def _links(part: Part, reader: Any, first: int, places: Mapping[tuple[Path, str], tuple]) -> list[tuple[int, Any]]:
    """The links of a print as annotations of the PDF, each with its page."""
    from pypdf.annotations import Link
    from pypdf.generic import Fit

    links = []
    for number, page in enumerate(reader.pages):
        for annotation in (one.get_object() for one in page.get("/Annots") or ()):
            address = (
                str(annotation.get("/A", {}).get("/URI", "")) or f"#{str(annotation.get('/Dest', '')).lstrip('/')}"
            )
            rectangle = tuple(map(float, annotation["/Rect"]))
            if urlsplit(address).scheme in ("http", "https"):
                links.append((first + number, Link(rect=rectangle, url=address)))
            elif place := _target(address, part, places):
                link = Link(rect=rectangle, target_page_index=place[0], fit=Fit.xyz(top=place[1]))
                links.append((first + number, link))
    return links


def _target(address: str, part: Part, places: Mapping[tuple[Path, str], tuple]) -> tuple | None:
    """Where an address on this machine is in the PDF; None where it is not."""
    parts = urlsplit(address)
    if parts.scheme not in ("", "file"):
        return None
    page = Path(unquote(parts.path)).resolve() if parts.path else part.page.resolve()
    anchor = unquote(parts.fragment)
    return places.get((page, anchor)) or places.get((page, ""))
