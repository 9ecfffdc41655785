"""What a web site holds besides its pages: the social card, the page for lost readers, ``robots.txt``, the sitemap."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pandas as pd

from ser_study.report import pages
from ser_study.report.pages import Book
from ser_study.store import replacing
from ser_study.wording import listed, share, word

LOST = "404.html"
SITEMAP = "sitemap.xml"
LONGEST = 200  # letters of a description
SIZE = (1200, 630)  # px, as social networks show a card
DPI = 100
HERO = "front_headline.csv"  # what the first figure of the findings shows of the systems that were chosen
_COLUMNS = ("corpus", "random split", "new speakers", "chance")
_PARAGRAPH = re.compile(r"<p>(.*?)</p>", re.DOTALL)
_TAG = re.compile(r"<sup>.*?</sup>|<[^>]+>", re.DOTALL)


def description(body: str) -> str:
    """The first paragraph of a page as text, cut at a word where it is long."""
    for match in _PARAGRAPH.finditer(body):
        text = " ".join(html.unescape(_TAG.sub("", match[1])).split())
        if len(text) > LONGEST:
            text = f"{text[: LONGEST - 1].rpartition(' ')[0].rstrip(',;:')}…"
        if text.count(" ") > 2:  # not a label such as "In short:"
            return text
    return ""


def draw(run: Path, to: Path, *, study: str) -> str:
    """Draw the social card of a run as PNG: random split against new speakers, as the first figure of its findings.

    Parameters
    ----------
    run : folder of a published run; without the table of that figure the card holds the title alone
    to : the file
    study : title

    Returns
    -------
    What the card shows, for those who cannot see it.
    """
    from matplotlib import rc_context

    from ser_study.plotting import palette

    rows = _rows(run)
    with rc_context(palette.STYLE):
        figure = _card(rows, study)
        with replacing(to) as temporary:
            figure.savefig(temporary, format="png", dpi=DPI, facecolor="#fdfdfb", metadata={"Software": None})
    if rows.empty:
        return study
    pairs = zip(rows["corpus"], rows["random split"], rows["new speakers"])
    gaps = [f"{word(corpus)} {share(random)} and {share(new)}" for corpus, random, new in pairs]
    return f"UAR on a random split and on new speakers: {listed(gaps)}."


def _rows(run: Path) -> pd.DataFrame:
    """The table behind the card; empty where the run has none."""
    path = run / "tables" / HERO
    table = pd.read_csv(path) if path.is_file() else pd.DataFrame(columns=list(_COLUMNS))
    if not set(_COLUMNS) <= set(table.columns):
        return pd.DataFrame(columns=list(_COLUMNS))
    return table.dropna(subset=["random split", "new speakers"])


def _card(rows: pd.DataFrame, study: str) -> Any:
    """The drawing: a title, and of each corpus a hollow and a filled dot with a line between."""
    from matplotlib.figure import Figure

    ink, muted, random, new = "#1b1b1f", "#5b5b64", "#b3541e", "#0b5a88"
    figure = Figure(figsize=(SIZE[0] / DPI, SIZE[1] / DPI))
    middle = 0.5 if rows.empty else 0.885
    figure.text(0.055, middle, study, size=36, weight="bold", color=ink, va="center")
    if rows.empty:
        return figure
    figure.text(0.055, 0.785, "UAR:", size=20, color=muted, va="center")
    figure.text(0.135, 0.785, "○ random split", size=20, color=random, va="center", weight="bold")
    figure.text(0.36, 0.785, "● new speakers", size=20, color=new, va="center", weight="bold")
    figure.text(0.6, 0.785, "| chance", size=20, color=muted, va="center")
    axes = figure.add_axes((0.255, 0.13, 0.69, 0.58))
    for place, row in enumerate(rows.to_dict("records")):
        values = row["random split"], row["new speakers"]
        axes.plot(values, [place, place], color="#c9c8c1", linewidth=5, zorder=1, solid_capstyle="round")
        axes.plot(row["chance"], place, "|", color=muted, markersize=18, markeredgewidth=2)
        style = {"markersize": 17, "markeredgewidth": 4}
        axes.plot(values[0], place, "o", color=random, markerfacecolor="#fdfdfb", **style)
        axes.plot(values[1], place, "o", color=new, **style)
    axes.set_yticks(range(len(rows)), [word(corpus) for corpus in rows["corpus"]], size=20, color=ink)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", ".25", ".5", ".75", "1"], size=17, color=muted)
    axes.set(xlim=(0, 1.03), ylim=(len(rows) - 0.5, -0.5))
    axes.tick_params(length=0, pad=10)
    axes.grid(axis="x", color="#dddcd5", linewidth=1)
    axes.set_axisbelow(True)
    axes.spines[:].set_visible(False)
    return figure


def write_rest(to: Path, *, url: str, files: Sequence[str], book: Book) -> None:
    """Write ``404.html``, ``robots.txt`` and, where the address of the site is known, ``sitemap.xml``.

    Parameters
    ----------
    files : pages below ``to``
    book : of the main run, whose chapters a lost reader is offered
    """
    chapters = [dict(entry, href=url + entry["file"]) for entry in book.entries]
    lost = pages.filled("lost.html.j2", study=pages.STUDY, chapters=chapters, assets=pages.inlined(True), url=url)
    robots = "User-agent: *\nAllow: /\n" + (f"Sitemap: {url}{SITEMAP}\n" if url else "")
    texts = {LOST: lost, "robots.txt": robots}
    if url:
        places = [escape(url + file.removesuffix("index.html")) for file in files]
        lines = "\n".join(f"<url><loc>{place}</loc></url>" for place in places)
        about = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'
        texts[SITEMAP] = f'<?xml version="1.0" encoding="UTF-8"?>\n<urlset {about}>\n{lines}\n</urlset>\n'
    else:
        (to / SITEMAP).unlink(missing_ok=True)  # of an earlier site
    for name, text in texts.items():
        with replacing(to / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
