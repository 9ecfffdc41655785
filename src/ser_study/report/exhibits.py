"""Exhibits: figures, tables, sounds and sentences that show themselves in JupyterLab and in the pages of the report.

>>> show = Exhibits(study)                                              # doctest: +SKIP
>>> show.figure(figures.counts(clips), text.counts(clips))              # doctest: +SKIP

Conventions
-----------
An exhibit is the last expression of a cell. Its ``Caption`` comes from the chapter's ``text.py`` and says what a page
needs: the file's name, caption, alternative text, and the sentence for the case that there is nothing to show.
Tables and figures are also files (``tables/<name>.csv``, ``figures/<name>.svg`` and ``.png``), of the run or, in
JupyterLab, of ``data/derived/explored``. The library that sorts tables is there once a page and once a notebook. Of a
figure's colours two follow the theme of the page: ``INK`` and ``PAPER`` of ``plotting.palette``. The table that a
figure was drawn from is ``figure.data``.
"""

from __future__ import annotations

import base64
import html
import mimetypes
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from ser_study.plotting.narrow import stack
from ser_study.plotting.palette import PAPER, svg_text
from ser_study.report import drawings
from ser_study.report.figure_html import MOST_BYTES, csv_name, data_html, figure_html
from ser_study.report.table_html import flat, packed, table_html
from ser_study.store import FILES, PAGES, replacing
from ser_study.study import Study
from ser_study.wording import Caption

FREE_CORPORA = ("synthetic",)  # audio that may be published
_TEMPLATE = Path(__file__).parent / "template"
_ENHANCE = "<script>setTimeout(() => window.serEnhance?.(), 50)</script>"  # in JupyterLab, for each table


@dataclass(frozen=True)
class Exhibit:
    """Something to show: the outputs of a cell in order, each as data by MIME type and metadata."""

    outputs: Sequence[tuple[Mapping[str, str], Mapping[str, Any]]]

    def _ipython_display_(self) -> None:
        from IPython.display import display

        for data, metadata in self.outputs:
            display(dict(data), raw=True, metadata=dict(metadata))


class Exhibits:
    """What a notebook shows things with; made once, in its first cell, where JupyterLab loads the tables' library.

    Parameters
    ----------
    study : whose run holds the tables and figures
    """

    def __init__(self, study: Study) -> None:
        self.outputs = study.store.outputs
        self._recomputes = os.environ.get(PAGES) == FILES  # tables and SVGs are compared, and no page is made
        if not _in_pages():
            library = {
                "text/html": f"<style>{_read('jupyter.css')}</style><script>\n{table_code()}</script>",
                "text/plain": "",
            }
            Exhibit([(library, {})])._ipython_display_()

    def table(self, frame: pd.DataFrame, caption: Caption) -> Exhibit:
        """A table that sorts, filters and downloads, written to ``tables/<name>.csv``.

        Parameters
        ----------
        frame : the table; a named or textual index becomes its first columns; empty: ``caption.empty`` is shown
        caption : name, caption, headings of columns (others show their name as ``wording.heading`` says it)

        Raises
        ------
        ValueError
            The caption speaks of a column that the table does not have.
        """
        tidy = flat(frame)
        _check_columns(tidy, caption)
        csv = tidy.to_csv(index=False, float_format="%.10g", lineterminator="\n")
        path = self.outputs / "tables" / f"{caption.name}.csv"
        if len(tidy.columns):  # without rows, too: other chapters read it, and an older run may have left one
            with replacing(path) as temporary:
                temporary.write_text(csv, encoding="utf-8", newline="")
        else:
            path.unlink(missing_ok=True)
        if not len(frame) and caption.empty:
            return self.text(caption.empty)
        content = table_html(tidy, caption, csv, in_pages=_in_pages()) + ("" if _in_pages() else _ENHANCE)
        plain = f"Table {caption.name}: {len(tidy)} rows. {caption.text}"
        return Exhibit([_html(content, plain), *_markdown(caption.finding)])

    def figure(self, fig: Any, caption: Caption) -> Exhibit:
        """A matplotlib figure, written to ``figures/<name>.svg`` and ``.png``, and closed.

        Parameters
        ----------
        fig : matplotlib Figure, or None where there is nothing to draw: ``caption.empty`` is shown
        caption : name, caption and ``alt``: what a reader who cannot see the figure needs to know

        Raises
        ------
        ValueError
            ``caption.alt`` is empty.
        """
        if fig is None:
            for suffix in (".svg", ".png"):  # of an older run
                (self.outputs / "figures" / f"{caption.name}{suffix}").unlink(missing_ok=True)
            (self.outputs / csv_name(caption.name)).unlink(missing_ok=True)
            return self.text(caption.empty)
        if not caption.alt.strip():
            raise ValueError(f"Figure {caption.name!r} has no alternative text; describe in alt= what it shows.")
        data, title = self._figure_data(fig, caption.name), " ".join(fig.get_suptitle().split())
        wide, narrow = _saved(fig, caption.name, self.outputs / "figures", alone=self._recomputes)
        content = figure_html(wide, narrow, caption, data=data, title=title)
        plain = f"Figure {caption.name}: {caption.alt}"
        return Exhibit([_html(content, plain), *_markdown(caption.finding)])

    def _figure_data(self, fig: Any, name: str) -> str:
        """HTML of what the figure was drawn from, which is written to ``tables/figure_<name>.csv``; empty for a figure
        without a table."""
        data = getattr(fig, "data", None)
        if data is None or not len(data):
            return ""
        content, csv = data_html(data, name, in_pages=_in_pages())
        with replacing(self.outputs / csv_name(name)) as temporary:
            temporary.write_text(csv, encoding="utf-8", newline="")
        return content

    def sound(self, clip_path: Path | str, corpus: str, name: str) -> Exhibit:
        """An audio player; in the pages only for a corpus whose audio is free, otherwise the file's name.

        Parameters
        ----------
        clip_path : the audio file
        corpus : corpus of the clip
        name : what the clip is, e.g. ``"angry, strong"``

        Raises
        ------
        FileNotFoundError
            There is no such file.
        """
        path, label = Path(clip_path), html.escape(name)
        if not path.is_file():
            raise FileNotFoundError(
                f"The clip {path.name} is not there; run 'ser-study validate' to see what is missing."
            )
        if _in_pages() and corpus not in FREE_CORPORA:
            sound = f"<code>{html.escape(path.name)}</code>"
        else:
            kind = mimetypes.guess_type(path.name)[0] or "audio/wav"
            data = base64.b64encode(path.read_bytes()).decode("ascii")
            sound = f'<audio controls preload="none" aria-label="{label}" src="data:{kind};base64,{data}"></audio>'
        content = f'<div class="ser-player"><span>{label}</span> {sound}</div>'
        about = {"audio": {"corpus": corpus, "name": name, "file": path.name}}
        return Exhibit([_html(content, f"{name}: {path.name}", {"ser_study": about})])

    def sounds(self, clips: Sequence[tuple[Path | str, str, str]]) -> Exhibit:
        """Several players, one under the other; each clip as ``sound`` takes it."""
        return Exhibit([output for clip in clips for output in self.sound(*clip).outputs])

    def text(self, markdown: str) -> Exhibit:
        """Markdown whose numbers were computed; nothing where it is empty."""
        return Exhibit(_markdown(markdown))

    def all(self, pairs: Iterable[tuple[Any, Caption]]) -> Exhibit:
        """Several figures and tables, one under the other: (figure, table or None, caption) each."""
        each = [
            self.table(thing, caption) if isinstance(thing, pd.DataFrame) else self.figure(thing, caption)
            for thing, caption in pairs
        ]
        return Exhibit([output for exhibit in each for output in exhibit.outputs])


def _check_columns(tidy: pd.DataFrame, caption: Caption) -> None:
    """Raise at a heading or a number of decimals for no column: another column would go without its own."""
    of_rows = (*caption.only_csv, *caption.interval_of) if len(tidy) else ()  # without rows there is no table
    named = dict.fromkeys([*caption.labels, *caption.decimals, *of_rows])
    unknown = [name for name in named if name not in tidy.columns]
    if unknown and len(tidy.columns):  # a table left out has none
        raise ValueError(
            f"The caption of table {caption.name!r} names columns that are not in it: {', '.join(unknown)}. It has "
            f"{', '.join(tidy.columns)}; correct or remove the names in labels=, decimals=, only_csv= and interval_of=."
        )


@cache
def table_code() -> str:
    """JavaScript, with the DataTables library of itables packed inside, that makes tables sort and filter."""
    from itables.utils import find_package_file

    library = Path(find_package_file("html/dt_bundle.js"))
    code = _read("tables.js")
    style = library.with_suffix(".css")
    return code.replace("@LIBRARY@", packed(library.read_bytes())).replace("@STYLE@", packed(style.read_bytes()))


def _html(content: str, plain: str, metadata: Mapping[str, Any] | None = None) -> tuple[dict[str, str], dict]:
    return {"text/html": content, "text/plain": plain}, dict(metadata or {})


def _markdown(text: str) -> list[tuple[dict[str, str], dict]]:
    return [({"text/markdown": text, "text/plain": text}, {})] if text else []


def _read(name: str) -> str:
    return (_TEMPLATE / name).read_text("utf-8")


def _in_pages() -> bool:
    return bool(os.environ.get(PAGES))


def _saved(fig: Any, name: str, folder: Path, *, alone: bool) -> tuple[str, str]:
    """Write a figure as SVG and PNG, close it, and return the SVG and, for a page, that for narrow screens or ''; where
    the SVG is all that is wanted, it alone."""
    from matplotlib import pyplot

    drawing = svg_text(fig, name)
    with replacing(folder / f"{name}.svg") as temporary:
        temporary.write_text(drawings.alone(drawing), "utf-8")
    options = {"format": "png", "dpi": 144, "bbox_inches": "tight", "facecolor": PAPER, "metadata": {"Software": None}}
    if not alone:
        with replacing(folder / f"{name}.png") as temporary:
            fig.savefig(temporary, **options)
    narrow = _narrow(fig, name) if _in_pages() and not alone and len(drawing) < MOST_BYTES else ""
    pyplot.close(fig)
    return drawing, narrow


def _narrow(fig: Any, name: str) -> str:
    """The figure rearranged for narrow screens; empty where that cannot be read or fails: then the page scrolls it."""
    try:
        return svg_text(fig, name) if stack(fig) else ""
    except Exception as error:  # no reason to lose the chapter
        print(f"Figure {name} cannot be rearranged: {type(error).__name__}: {error}", file=sys.stderr)
        return ""
