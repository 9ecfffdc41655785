"""A figure as HTML: its drawing for wide and for narrow screens, and below it what it was drawn from.

Conventions
-----------
A drawing of a page takes the colours of the page and holds no fonts. The narrow one (``plotting.narrow``) is shown
below 40 rem; a figure without one scrolls in its box there, at a size at which its type can be read. SVG and PNG are
made from the drawing by the page's script; the CSV is in ``tables/``, beside the page.
"""

from __future__ import annotations

import html
import re

import pandas as pd

from ser_study.plotting.palette import INK, PAPER
from ser_study.report.drawings import small_svg
from ser_study.report.in_short import lead
from ser_study.report.table_html import cells, embedded, flat, is_numeric, slug
from ser_study.wording import Caption, heading

MOST_BYTES = 110_000  # of a drawing that has a second, narrow one
MOST_ROWS = 40  # of a figure's table in a page; the CSV holds all
MOST_CELLS = 400
SMALL_CSV = 12_000  # bytes, embedded in a notebook


def figure_html(wide: str, narrow: str, caption: Caption, *, data: str, title: str = "") -> str:
    """The figure with its caption.

    Parameters
    ----------
    wide, narrow : the drawings as matplotlib writes them; ``narrow`` may be empty
    data : HTML of ``data_html``, or empty
    title : of the drawing, said above one that scrolls, because its end may be out of sight, and on top of the page
        where the caption says that the figure leads
    """
    alt = caption.alt.strip() + (" Its numbers are in the table below the figure." if data else "")
    drawings = inline_svg(wide, caption.name, alt)
    if narrow:
        drawings += inline_svg(narrow, f"{caption.name}-narrow", alt, kind="narrow")
    scrolls = f"{f'<b>{html.escape(title)}</b><br>' if title else ''}The figure is wider than the screen: it scrolls."
    hint = "" if narrow else f'<p class="ser-hint" aria-hidden="true">{scrolls}</p>'
    return (
        f'<figure class="ser-figure" id="figure-{slug(caption.name)}"{lead(title) if caption.lead else ""}>\n'
        f'{hint}<div class="ser-drawing{" both" if narrow else ""}">{drawings}</div>\n'
        f'<figcaption><b class="ser-number">Figure</b> {html.escape(caption.text)}</figcaption>\n{data}</figure>'
    )


def data_html(data: pd.DataFrame, name: str, *, in_pages: bool) -> tuple[str, str]:
    """What a figure was drawn from, folded away: its table and its downloads; and the table as CSV.

    Parameters
    ----------
    data : any table; one without columns has no table in the page
    name : of the figure
    """
    tidy = flat(data)
    csv = tidy.to_csv(index=False, float_format="%.6g", lineterminator="\n")
    address = f"run:{csv_name(name)}" if in_pages else embedded(csv) if len(csv) <= SMALL_CSV else ""
    link = f'<a download="{html.escape(name)}.csv" href="{address}">CSV</a>' if address else f"CSV: {csv_name(name)}"
    content = (
        '<details class="ser-data"><summary>Data and downloads</summary>\n'
        f'<p class="ser-source"><span class="ser-saves" data-name="{html.escape(name)}"></span>{link}</p>\n'
        f"{_table(tidy, name)}</details>\n"
    )
    return content, csv


def csv_name(name: str) -> str:
    """The file of a figure's table below the folder of the run."""
    return f"tables/figure_{name}.csv"


def _table(tidy: pd.DataFrame, name: str) -> str:
    """The first rows; where rows are missing, how many."""
    rows = tidy.head(max(1, min(MOST_ROWS, MOST_CELLS // max(1, len(tidy.columns)))))
    heads = "".join(
        f'<th scope="col"{" class=n" if is_numeric(tidy[column]) else ""}>{html.escape(heading(column))}</th>'
        for column in tidy.columns
    )
    columns = [cells(values) for _, values in rows.items()]
    body = "\n".join(f"<tr>{''.join(row)}</tr>" for row in zip(*columns))
    more = f'<p class="ser-source">First {len(rows)} of {len(tidy):,} rows; the CSV has all.</p>\n'
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="Data of figure {html.escape(name)}">'
        f"<table><thead><tr>{heads}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>\n"
        f"{more if len(rows) < len(tidy) else ''}"
    )


def inline_svg(text: str, name: str, alt: str, *, kind: str = "wide") -> str:
    """The drawing for a page: ids of its own, colours and letters of the page, as wide as it likes to be."""
    svg = small_svg(text)
    svg = re.sub(r'( id="|href="#|url\(#)', rf"\g<1>{slug(name)}-", svg)
    svg = svg.replace(INK, "currentColor").replace(PAPER, "var(--paper, transparent)")
    opening, rest = svg.split(">", 1)
    width = float(re.search(r'width="([\d.]+)pt"', opening)[1]) * 4 / 3  # pt → px
    opening = re.sub(r' (width|height|version|xmlns(:xlink)?)="[^"]*"', "", opening)
    style = f"--width:{width:.0f}px;stroke-linejoin:round;stroke-linecap:butt;font-family:sans-serif"
    return f'{opening} class="{kind}" role="img" aria-label="{html.escape(alt)}" style="{style}">{rest}'
