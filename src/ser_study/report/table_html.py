"""A table as HTML: cells that sort by value, names as readers say them, and the whole table to download."""

from __future__ import annotations

import base64
import gzip
import html
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ser_study.wording import NAMES, Caption, heading, number, p_text, sentence, settings, voices, word

MAX_ROWS = 250  # rows shown, so that a page of many tables stays below 1 MB; the CSV always holds all
SHORT = 32  # letters; a column of longer texts may wrap
INTERVAL = re.compile(r" \[(?=[.−\d])")  # the space before an interval
CROWDED = 5  # columns beyond which an interval stands below its score
MANY = 7  # columns; a wider table is set smaller
NAMED = (  # columns of registry names
    *("id", "corpus", "selection", "protocol", "feature", "model", "network", "source"),
    *("metric", "against", "best_model", "trained_on", "ranking", "system", "like", "encoder", "kind"),
)
SETTINGS = ("params", "published_params")  # columns of hyperparameters, as JSON
P_VALUES = ("p", "p_holm", "p_mcnemar")
UNITS = ("_s", "_ms", "_hz", "_db", "_epoch", ")", " per s", "minutes", "seconds", "hours")  # ends of what is no share
FEWEST_ALIKE = 3  # rows of a table whose columns of one value go to the caption
NO_INTERVAL: tuple[list[str], list[str]] = ([], [])  # neither columns nor texts
KIND = "interval"  # column with the kinds of the intervals
MAX_CSV = 128_000  # bytes that a notebook embeds; of a larger CSV it names the file
_CSV_LINK = re.compile(r'href="((?:\.\./)?tables/[^"]+\.csv)"')


def flat(frame: pd.DataFrame) -> pd.DataFrame:
    """The table with its index as columns and its column names as text."""
    plain = frame.index.name is None and pd.api.types.is_integer_dtype(frame.index)  # places of rows, at most
    flat = frame.reset_index(drop=plain)
    joined = [" ".join(str(part) for part in (c if isinstance(c, tuple) else (c,)) if part != "") for c in flat.columns]
    return flat.set_axis(joined, axis=1)


def slug(text: str) -> str:
    """Text as an anchor."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def table_html(tidy: pd.DataFrame, caption: Caption, csv: str, *, in_pages: bool) -> str:
    """The table with its caption and a link to all of it; ``csv`` is what the link gives.

    A column that says the same in every row goes to the caption.
    """
    name, intervals = caption.name, _intervals(tidy.head(MAX_ROWS), caption)
    beside = [column for columns, _ in intervals.values() for column in columns]
    kinds = _kinds(tidy) if beside else []
    hidden = {*beside, *caption.only_csv, *([KIND] if kinds else [])}
    kept = tidy[[column for column in tidy.columns if column not in hidden]]
    alike = _alike(kept)
    kept = kept.drop(columns=list(alike))
    crowded = len(kept.columns) > CROWDED
    columns = [
        _cells(
            _worded(values.head(MAX_ROWS)), caption.decimals.get(column), crowded, intervals.get(column, NO_INTERVAL)[1]
        )
        for column, values in kept.items()
    ]
    numeric = [is_numeric(kept[column]) for column in kept.columns]
    headings = [html.escape(caption.labels.get(column) or heading(column)) for column in kept.columns]
    head = "".join(
        f'<th scope="col" class="n">{heading}</th>' if right else f'<th scope="col">{heading}</th>'
        for heading, right in zip(headings, numeric)
    )
    body = "\n".join(f"<tr>{''.join(row)}</tr>" for row in zip(*columns))
    wide = (" crowded" if crowded else "") + (" many" if len(kept.columns) > MANY else "")
    options = html.escape(json.dumps({"pageLength": caption.page_length, "rows": min(len(tidy), MAX_ROWS)}))
    constants = [
        f"{sentence(caption.labels.get(column) or heading(column))}: {text}." for column, text in alike.items() if text
    ]
    constants += [f"Intervals: {'; '.join(kinds)}."] if kinds else []
    words = html.escape(" ".join([caption.text, *constants]))
    return (
        f'<figure class="ser-table" id="table-{slug(name)}">\n'
        f'<figcaption><b class="ser-number">Table</b> {words}</figcaption>\n'
        f'<div class="ser-scroll{wide}" role="region" tabindex="0" aria-label="Table: {words}">'
        f'<table data-ser-table="{options}"><thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>\n'
        f'<p class="ser-source">{_download(name, csv, len(tidy), in_pages=in_pages)}</p>\n</figure>'
    )


def _kinds(table: pd.DataFrame) -> list[str]:
    """What the intervals of a wide table are made of, which its caption says instead of a column."""
    if KIND not in table or len(table.columns) <= MANY:
        return []
    return [kind for kind in table[KIND].dropna().unique() if kind and not kind.startswith("[")]  # no limits as text


def _alike(table: pd.DataFrame) -> dict[str, str]:
    """Columns of words, but for the first, that say the same in each of several rows, with what they say."""
    if len(table) < FEWEST_ALIKE:
        return {}
    words = [column for column in table.columns[1:] if not is_numeric(table[column])]
    alike = [column for column in words if table[column].astype(str).nunique(dropna=False) == 1]
    return {column: _texts(_worded(table[column].head(1)))[0].strip("–") for column in alike}


def _download(name: str, csv: str, n_rows: int, *, in_pages: bool) -> str:
    """Link to the whole table: beside a page, inside a notebook where it is small."""
    cut = f"first {MAX_ROWS:,} of {n_rows:,} rows shown; " if n_rows > MAX_ROWS else ""
    file = f"tables/{html.escape(name)}.csv"
    if not in_pages and len(csv.encode("utf-8")) > MAX_CSV:
        return f"{cut}all rows are in {file}"
    address = f"run:{file}" if in_pages else embedded(csv)
    return f'{cut}<a download="{html.escape(name)}.csv" href="{address}">Download CSV</a>'


def embedded(csv: str) -> str:
    """A CSV as an address that holds it."""
    return f"data:text/csv;charset=utf-8;base64,{base64.b64encode(csv.encode('utf-8')).decode('ascii')}"


def holding_csv(page: str, folder: Path) -> str:
    """A page that holds the CSV files which it links, as a page that is mailed must; ``folder`` is where it lies."""

    def held(link: re.Match[str]) -> str:
        path = folder / link[1]
        return f'href="{embedded(path.read_text("utf-8"))}"' if path.is_file() else link[0]

    return _CSV_LINK.sub(held, page)


def packed(content: bytes) -> str:
    """Bytes as base64 of gzip, for a script of a page; the same every time."""
    return base64.b64encode(gzip.compress(content, 9, mtime=0)).decode("ascii")


def is_numeric(values: pd.Series) -> bool:
    """Whether a column holds numbers, which stand to the right; truth values are words."""
    return pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)


def _worded(values: pd.Series) -> pd.Series:
    """Registry names and hyperparameters as readers say them; the CSV holds names and JSON."""
    as_words = word if values.name in NAMED else settings if values.name in SETTINGS else None
    return values.map(as_words, na_action="ignore") if as_words else values


def _intervals(tidy: pd.DataFrame, caption: Caption) -> dict[str, tuple[list[str], list[str]]]:
    """Column of scores → the columns of its interval, which follow it, and that interval as text for its cells.

    An interval is two columns of limits (``_limits``) or one of text (``…interval``).
    """
    intervals, names = {}, list(tidy.columns)
    numeric = {name for name in names if is_numeric(tidy[name])}
    for place, score in enumerate(names):
        one, two = names[place + 1 : place + 2], _limits(score, place, names, caption)
        if score not in numeric or not one:
            continue
        if two and numeric.issuperset(two):
            write, places = _text_of(tidy[score]), caption.decimals.get(score, _decimals(tidy[score]))
            limits = zip(tidy[two[0]], tidy[two[1]])
            texts = [f"[{write(low, places)}, {write(high, places)}]" if low == low else "" for low, high in limits]
            notes = tidy[KIND].fillna("").map(voices) if _kinds(tidy) else [""] * len(texts)
            intervals[score] = two, [text + note * bool(text) for text, note in zip(texts, notes)]
        elif one[0].endswith("interval") and tidy[one[0]].astype(str).str.startswith("[").any():
            intervals[score] = one, tidy[one[0]].fillna("").tolist()
    return intervals


def cells(values: pd.Series) -> list[str]:
    """The ``<td>`` of a column of a small table, names as readers say them."""
    return _cells(_worded(values), None, crowded=False)


def _cells(values: pd.Series, decimals: int | None, crowded: bool, intervals: Sequence[str] = ()) -> list[str]:
    """The ``<td>`` of one column; a number has its full value for sorting. In a crowded table an interval stands below
    its score."""
    if not is_numeric(values):
        texts = _texts(values)
        opening = "<td>" if max(map(len, texts), default=0) > SHORT else '<td class="s">'
        escaped = [INTERVAL.sub("<br>[", html.escape(text)) if crowded else html.escape(text) for text in texts]
        return [f"{opening}{text}</td>" for text in escaped]
    places = _decimals(values) if decimals is None else decimals
    as_text = _text_of(values)
    after = [_beside(text, crowded) for text in intervals] or [""] * len(values)
    return [
        '<td class="n" data-order="">–</td>'
        if missing
        else f'<td class="n" data-order="{value:.10g}">{html.escape(as_text(value, places))}{more}</td>'
        for value, missing, more in zip(values.tolist(), values.isna(), after)
    ]


def _texts(values: pd.Series) -> list[str]:
    """Cells that hold words; a registry name is said as in sentences, whatever the column."""
    words = {"True": "yes", "False": "no"}
    texts = ["–" if _is_missing(value) else words.get(str(value), str(value)) for value in values.tolist()]
    return [NAMES.get(text, text) if "_" in text else text for text in texts]


def _limits(score: str, place: int, names: Sequence[str], caption: Caption) -> list[str]:
    """The columns with the limits of a score: those that the caption names, ``…_low, …_high`` of its own name, or the
    next two, where these are called ``low, high`` or as the score is."""
    if score in caption.interval_of:
        return [f"{caption.interval_of[score]}_{end}" for end in ("low", "high")]
    after = names[place + 1 : place + 3]
    return list(after) if after in (["low", "high"], [f"{score}_low", f"{score}_high"]) else []


def _beside(interval: str, crowded: bool) -> str:
    """An interval in the cell of its score, in a crowded table on lines of its own."""
    if not interval:
        return ""
    limits, space, kind = html.escape(interval).partition(" (")
    if not crowded:
        return f" {limits}{space}{kind}"
    return f"<br>{limits}" + (f'<small class="ser-kind">({kind}</small>' if kind else "")


def _is_missing(value: Any) -> bool:
    return value is None or (pd.api.types.is_scalar(value) and bool(pd.isna(value)))


def _text_of(values: pd.Series) -> Callable[[float, int], str]:
    """How the numbers of a column are written; scores and p values as in sentences, without the leading zero."""
    known = values.dropna().abs()
    if str(values.name).endswith(UNITS) or not (known % 1 > 0).any() or known.max() > 1:
        return number
    return _p_value if values.name in P_VALUES else _share


def _share(value: float, decimals: int) -> str:
    text = number(value, decimals)
    return text.replace("0.", ".", 1) if abs(value) < 1 else text


def _p_value(value: float, decimals: int) -> str:
    return p_text(value).removeprefix("= ")


def _decimals(values: pd.Series) -> int:
    """Decimals for a column: none for whole numbers, else three, fewer where the numbers are large."""
    known = values.dropna().abs()
    if not len(known) or (known % 1 == 0).all():
        return 0
    largest = known.max()
    return 3 if largest < 10 else 2 if largest < 100 else 1 if largest < 1000 else 0
