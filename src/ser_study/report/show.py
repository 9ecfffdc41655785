"""What notebooks call to show things, in JupyterLab and in the pages of the report alike.

Conventions
-----------
Each function displays at once and returns nothing, so it also works inside a loop. Tables and figures are
kept as files of the run too (``tables/<name>.csv``, ``figures/<name>.svg`` and ``.png``). In the pages the
library that sorts and filters tables is there once a page; in JupyterLab it travels with each table.
Of a figure's colours two follow the theme of the page: ``INK`` and ``PAPER`` of ``palette``.
"""

from __future__ import annotations

import base64
import gzip
import html
import io
import json
import mimetypes
import os
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from ser_study.store import Store, replacing
from ser_study.words import settings, word

PAGES = "SER_STUDY_PAGES"  # environment variable, set while the report's notebooks run
FREE_CORPORA = ("synthetic",)  # audio that may be published
MAX_ROWS = 1000  # rows shown; the CSV always holds all
SHORT = 32  # letters; a column of longer texts may wrap
MANY = 8  # columns; a wider table is set smaller
NAMED = (  # columns of registry names
    *("corpus", "selection", "protocol", "feature", "model", "network", "rung", "source"),
    *("metric", "against", "best_member", "ranking"),
)
SETTINGS = ("params", "published_params")  # columns of hyperparameters, kept as JSON
MAX_CSV = 128_000  # bytes; a larger CSV is linked, not embedded
_TEMPLATE = Path(__file__).parent / "template"


def table(
    store: Store,
    frame: pd.DataFrame,
    name: str,
    *,
    caption: str,
    labels: Mapping[str, str] | None = None,
    decimals: Mapping[str, int] | None = None,
    page_length: int = 15,
) -> None:
    """Show a table that sorts, filters and downloads, and keep it as ``tables/<name>.csv``.

    Parameters
    ----------
    store : where the run keeps its tables
    frame : the table; a named or textual index becomes its first columns
    name : name of the file, and of the anchor on the page
    caption : what the table shows, in one or two sentences
    labels : column → heading; other columns show their name as ``words.word`` says it
    decimals : column → decimals; otherwise chosen from the size of the numbers
    page_length : rows on one page of the table
    """
    tidy = _flat(frame)
    csv = tidy.to_csv(index=False, float_format="%.10g", lineterminator="\n")
    with replacing(store.run / "tables" / f"{name}.csv") as temporary:
        temporary.write_text(csv, encoding="utf-8", newline="")
    content = _table_html(tidy, name, caption, labels or {}, decimals or {}, page_length, csv)
    if not _in_pages():
        content += f"<style>{(_TEMPLATE / 'jupyter.css').read_text('utf-8')}</style>{table_script()}"
    _display({"text/html": content, "text/plain": f"Table {name}: {len(tidy)} rows. {caption}"})


def figure(store: Store, fig: Any, name: str, *, alt: str, caption: str) -> None:
    """Show a Matplotlib figure, keep it as ``figures/<name>.svg`` and ``.png``, and close it.

    Parameters
    ----------
    store : where the run keeps its figures
    fig : matplotlib Figure; what is drawn in ``INK`` and ``PAPER`` follows the theme of the page
    name : name of the files, and of the anchor on the page
    alt : what a reader who cannot see the figure needs to know
    caption : what the figure shows, in one or two sentences

    Raises
    ------
    ValueError
        ``alt`` is empty.
    """
    from matplotlib import pyplot, rc_context

    from ser_study.report.palette import PAPER, STYLE

    if not alt.strip():
        raise ValueError(f"Figure {name!r} has no alternative text; describe in alt= what it shows.")
    drawing = io.BytesIO()
    with rc_context(STYLE | {"svg.hashsalt": name}):
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        fig.savefig(drawing, format="svg", bbox_inches="tight", metadata=nothing)
    with replacing(store.run / "figures" / f"{name}.svg") as temporary:
        temporary.write_bytes(drawing.getvalue())
    with replacing(store.run / "figures" / f"{name}.png") as temporary:
        fig.savefig(temporary, format="png", dpi=144, bbox_inches="tight", facecolor=PAPER, metadata={"Software": None})
    pyplot.close(fig)
    svg = _inline_svg(drawing.getvalue().decode("utf-8"), name, alt)
    content = (
        f'<figure class="ser-figure" id="figure-{_slug(name)}">\n<div class="ser-drawing">{svg}</div>\n'
        f'<figcaption><b class="ser-number">Figure</b> {html.escape(caption)}</figcaption>\n</figure>'
    )
    _display({"text/html": content, "text/plain": f"Figure {name}: {alt}"})


def player(clip_path: Path | str, corpus: str, name: str) -> None:
    """Show an audio player; in the pages only for a corpus whose audio is free, otherwise its name.

    Parameters
    ----------
    clip_path : the audio file
    corpus : corpus of the clip
    name : what is heard, e.g. ``"angry, strong"``

    Raises
    ------
    FileNotFoundError
        There is no such file.
    """
    path, label = Path(clip_path), html.escape(name)
    if not path.is_file():
        raise FileNotFoundError(f"The clip {path.name} is not there; run 'ser-study validate' to see what is missing.")
    if _in_pages() and corpus not in FREE_CORPORA:
        sound = f"<code>{html.escape(path.name)}</code>"
    else:
        kind = mimetypes.guess_type(path.name)[0] or "audio/wav"
        data = base64.b64encode(path.read_bytes()).decode("ascii")
        sound = f'<audio controls preload="none" aria-label="{label}" src="data:{kind};base64,{data}"></audio>'
    content = f'<div class="ser-player"><span>{label}</span> {sound}</div>'
    about = {"audio": {"corpus": corpus, "name": name, "file": path.name}}
    _display({"text/html": content, "text/plain": f"{name}: {path.name}"}, about)


def say(text: str) -> None:
    """Show Markdown whose numbers were computed: ``say(f"Random UAR is {value:.3f}.")``."""
    _display({"text/markdown": text, "text/plain": text})


@cache
def table_script() -> str:
    """The script, with the DataTables library of itables packed inside, that makes tables sort and filter."""
    from itables.utils import find_package_file

    library = Path(find_package_file("html/dt_bundle.js"))
    code = (_TEMPLATE / "tables.js").read_text("utf-8")
    code = code.replace("@LIBRARY@", _packed(library)).replace("@STYLE@", _packed(library.with_suffix(".css")))
    return f"<script>\n{code}</script>"


def _display(bundle: Mapping[str, str], about: Mapping[str, Any] | None = None) -> None:
    from IPython.display import display

    display(dict(bundle), raw=True, metadata={"ser_study": dict(about)} if about else {})


def _in_pages() -> bool:
    return bool(os.environ.get(PAGES))


def _packed(path: Path) -> str:
    """A text file as base64 of gzip, the same bytes every time."""
    return base64.b64encode(gzip.compress(path.read_bytes(), 9, mtime=0)).decode("ascii")


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _flat(frame: pd.DataFrame) -> pd.DataFrame:
    """The table with its index as columns and its column names as text."""
    plain = frame.index.name is None and pd.api.types.is_integer_dtype(frame.index)  # places of rows, at most
    flat = frame.reset_index(drop=plain)
    joined = [" ".join(str(part) for part in (c if isinstance(c, tuple) else (c,)) if part != "") for c in flat.columns]
    return flat.set_axis(joined, axis=1)


def _table_html(tidy, name, caption, labels, decimals, page_length, csv) -> str:
    columns = [_cells(_worded(tidy[column].head(MAX_ROWS)), decimals.get(column)) for column in tidy.columns]
    numeric = [_is_numeric(tidy[column]) for column in tidy.columns]
    headings = [html.escape(labels.get(column, word(column))) for column in tidy.columns]
    head = "".join(
        f'<th scope="col" class="n">{heading}</th>' if right else f'<th scope="col">{heading}</th>'
        for heading, right in zip(headings, numeric)
    )
    body = "\n".join(f"<tr>{''.join(row)}</tr>" for row in zip(*columns))
    wide = " many" if len(tidy.columns) > MANY else ""
    options = html.escape(json.dumps({"pageLength": page_length, "rows": min(len(tidy), MAX_ROWS)}))
    words = html.escape(caption)
    return (
        f'<figure class="ser-table" id="table-{_slug(name)}">\n'
        f'<figcaption><b class="ser-number">Table</b> {words}</figcaption>\n'
        f'<div class="ser-scroll{wide}" role="region" tabindex="0" aria-label="Table: {words}">'
        f'<table data-ser-table="{options}"><thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>\n'
        f'<p class="ser-source">{_download(name, csv, len(tidy))}</p>\n</figure>'
    )


def _download(name: str, csv: str, n_rows: int) -> str:
    """Link to the whole table: inside the page when it is small, beside it otherwise."""
    data, cut = csv.encode("utf-8"), f"first {MAX_ROWS:,} of {n_rows:,} rows shown; " if n_rows > MAX_ROWS else ""
    if len(data) <= MAX_CSV:
        address = f"data:text/csv;charset=utf-8;base64,{base64.b64encode(data).decode('ascii')}"
        return f'{cut}<a download="{html.escape(name)}.csv" href="{address}">Download CSV</a>'
    if _in_pages():
        return f'{cut}<a href="run:tables/{html.escape(name)}.csv">CSV beside the report</a>'
    return f"{cut}all rows are in tables/{html.escape(name)}.csv"


def _is_numeric(values: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)


def _worded(values: pd.Series) -> pd.Series:
    """Registry names and hyperparameters as readers say them; the CSV keeps names and JSON."""
    say = word if values.name in NAMED else settings if values.name in SETTINGS else None
    return values.map(say, na_action="ignore") if say else values


def _cells(values: pd.Series, decimals: int | None) -> list[str]:
    """The ``<td>`` of one column; a number keeps its full value for sorting."""
    if not _is_numeric(values):
        words = {True: "yes", False: "no"} if pd.api.types.is_bool_dtype(values) else {}
        texts = ["–" if _is_missing(value) else str(words.get(value, value)) for value in values.tolist()]
        opening = "<td>" if max(map(len, texts), default=0) > SHORT else '<td class="s">'
        return [f"{opening}{html.escape(text)}</td>" for text in texts]
    places = _decimals(values) if decimals is None else decimals
    return [
        '<td class="n" data-order="">–</td>'
        if missing
        else f'<td class="n" data-order="{value:.10g}">{html.escape(number(value, places))}</td>'
        for value, missing in zip(values.tolist(), values.isna())
    ]


def _is_missing(value: Any) -> bool:
    return value is None or (pd.api.types.is_scalar(value) and bool(pd.isna(value)))


def _decimals(values: pd.Series) -> int:
    """Decimals for a column: none for whole numbers, else three, fewer where the numbers are large."""
    known = values.dropna().abs()
    if not len(known) or (known % 1 == 0).all():
        return 0
    largest = known.max()
    return 3 if largest < 10 else 2 if largest < 100 else 1 if largest < 1000 else 0


def number(value: float, decimals: int) -> str:
    """A number for people: thousands apart, a true minus, and never a zero that is none.

    >>> number(13229, 0), number(0.71249, 3), number(-0.5, 2), number(0.00002, 3)
    ('13,229', '0.712', '−0.50', '<0.001')
    """
    smallest = 10.0**-decimals
    if 0 < abs(value) < smallest / 2:
        return f"<{smallest:.{decimals}f}" if value > 0 else f">−{smallest:.{decimals}f}"
    return f"{value:,.{decimals}f}".replace("-", "−")


def _inline_svg(text: str, name: str, alt: str) -> str:
    """The drawing for a page: ids of its own, colours of the page, as wide as it likes to be."""
    from ser_study.report.palette import INK, PAPER

    svg = text[text.index("<svg") :].strip()
    svg = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->|<style[^>]*>.*?</style>", "", svg, flags=re.DOTALL)
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', svg))
    svg = re.sub(r' id="([^"]+)"', lambda found: found[0] if found[1] in used else "", svg)
    svg = re.sub(r'( id="|href="#|url\(#)', rf"\g<1>{_slug(name)}-", svg)
    svg = svg.replace(INK, "currentColor").replace(PAPER, "var(--paper, transparent)")
    opening, rest = svg.split(">", 1)
    width = float(re.search(r'width="([\d.]+)pt"', opening)[1]) * 4 / 3  # pt → px
    opening = re.sub(r' (width|height|version|xmlns(:xlink)?)="[^"]*"', "", opening)
    style = f"--width:{width:.0f}px;stroke-linejoin:round;stroke-linecap:butt"
    return f'{opening} role="img" aria-label="{html.escape(alt)}" style="{style}">{rest}'
