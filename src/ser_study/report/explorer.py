"""The explorer: one page on which a reader cuts the published predictions by system, voice, sentence and emotion.

Conventions
-----------
The page computes in the browser (``template/explorer/*.js``, by the rules of ``evaluation``) from
``assets/explorer-data.js`` (see ``explorer_data``), which is written again only when the predictions have changed.
Charts are drawn by Vega and Vega-Lite (BSD 3-Clause licence), whose script the package vl-convert-python makes when a
run is rendered; it is kept in ``derived`` for the next one. ``explorer-audio.js`` beside the page says where the
recordings lie, seen from there: it is for this machine alone, and never published.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd

from ser_study import corpora
from ser_study.config import Config
from ser_study.corpora import published as published_clips
from ser_study.report import explorer_data, thumbnails
from ser_study.report.articles import TEMPLATE, article_of
from ser_study.store import Store, file_hash, locked, replacing

PAGE = "explorer.html"
AUDIO = "explorer-audio.js"
PARTS = ("data.js", "scores.js", "charts.js", "degraded.js", "page.js")
LIBRARY, SNIPPET = "vl-convert-python", "window.vegaEmbed = vegaEmbed;"


def article(
    store: Store, render: Callable[..., str], *, standalone: bool = False, source: Path | None = None
) -> dict[str, dict[str, Any]]:
    """File → article of the explorer, its data and scripts being in ``assets/`` now; empty where the run has published
    no prediction that it shows.

    Parameters
    ----------
    store : whose run gets the page
    render : fills the template of that name with values
    standalone : the page holds its data and scripts
    source : published run with the predictions; by default the run that gets the page
    """
    folder = store.run / "assets"
    texts = {"explorer.css": _style, "explorer.js": _script, "vega.js": lambda: _library(store)}
    if not _has_data(source or store.run, folder):
        (store.run / PAGE).unlink(missing_ok=True)
        return {}
    if standalone:
        text = {name: make() for name, make in texts.items()}
        text["explorer-data.js"] = (folder / "explorer-data.js").read_text("utf-8")
    else:
        text = {}
        for name, make in texts.items():
            _write(folder / name, make())
    values = {"text": text, "glossary": source is None}
    values["thumbnails"] = {} if standalone else _thumbnails(source or store.run, folder)
    return {PAGE: article_of("Explorer", render("explorer.html.j2", **values))}


def _thumbnails(run: Path, folder: Path) -> dict[str, str]:
    """Corpus → file in ``folder`` with its thumbnails, taken from the run that has published its clips."""
    thumbnails.remove_old(run, folder)
    files = thumbnails.there(run, run / "assets")
    for file in files.values():
        if not (folder / file).is_file():
            shutil.copyfile(run / "assets" / file, folder / file)
    return files


def _has_data(run: Path, folder: Path) -> bool:
    """Whether there are predictions to show; their script is then written, unless it was made from the same."""
    if not published_clips.is_run(run):
        return False
    tables = [path for path in [run / explorer_data.DEGRADED] if path.is_file()]
    sources = [explorer_data.VERSION, *map(file_hash, [*sorted(run.glob("*.parquet")), *tables])]
    opening = f"// made from {' '.join(map(str, sources))}\n"
    path = folder / "explorer-data.js"
    if path.is_file() and path.open(encoding="utf-8").readline() == opening:
        return True
    text = explorer_data.script(run)
    if text:
        _write(path, opening + text)
    return bool(text)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _style() -> str:
    return (TEMPLATE / "explorer.css").read_text("utf-8")


def _script() -> str:
    """The parts in one function, so that they share names with no other script."""
    parts = [(TEMPLATE / "explorer" / name).read_text("utf-8") for name in PARTS]
    return "(() => {\n" + "\n".join(parts) + "})();\n"


def _library(store: Store) -> str:
    """The script of Vega and Vega-Lite, with its licence; made once a version."""
    version = metadata.version(LIBRARY)
    path = store.derived / "explorer" / f"vega-{version}.js"
    with locked(path):
        if not path.is_file():
            _write(path, _bundle(version))
    return path.read_text("utf-8")


def _bundle(version: str) -> str:
    import vl_convert

    licences = [Path(file.locate()) for file in metadata.files(LIBRARY) or () if "licenses/" in str(file)]
    about = (
        f"Vega {vl_convert.get_vega_version()} and Vega-Lite {vl_convert.get_vegalite_versions()[-1]}, Copyright "
        "(c) 2015-2023, University of Washington Interactive Data Lab,\nBSD 3-Clause licence, with the modules of D3 "
        f"(Copyright 2010-2023 Mike Bostock, ISC licence). Bundled by {LIBRARY} {version}, under the licence:\n\n"
    )
    notice = about + "\n".join(path.read_text("utf-8").strip() for path in licences)
    return f"/*!\n{notice}\n*/\n{vl_convert.javascript_bundle(SNIPPET)}\n"


def note_recordings(config: Config, store: Store, *, names: Iterable[str]) -> None:
    """Write where the recordings of a run lie, seen from its explorer: of corpora whose clips may be named, and only
    files that are there.

    Parameters
    ----------
    names : corpora of the run
    """
    if not (store.run / PAGE).is_file() or store.published is not None:
        return
    public = [name for name in names if thumbnails.is_public(name)]
    places: dict[str, str] = {}
    for name in public:
        clips = corpora.load(name, config=config, store=store)
        places |= _places(clips, corpora.root_of(name, store), store.run)
    text = f"window.serRecordings = {json.dumps(places, ensure_ascii=False, separators=(',', ':'))};\n"
    _write(store.run / AUDIO, text)


def _places(clips: pd.DataFrame, root: Path, run: Path) -> dict[str, str]:
    """Clip id → address of its recording, relative to the page."""
    from urllib.parse import quote

    folder = Path(os.path.relpath(root, run))
    here = clips[[(root / path).is_file() for path in clips["path"]]]
    return {clip: quote((folder / path).as_posix()) for clip, path in zip(here["clip_id"], here["path"])}
