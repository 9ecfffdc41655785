"""Executed notebooks without a trace of the machine they ran on, or of audio that is not ours to give."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ser_study.report.exhibits import FREE_CORPORA
from ser_study.store import Store

ERROR_MARKER = "papermill-error-cell-tag"
_WIDGETS = "application/vnd.jupyter.widget-view+json"
_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_ABSOLUTE = re.compile(r"(?<![\w/.:~<])(?:[A-Za-z]:\\|/)(?:[\w.@+ -]+[/\\])+(?=[\w.@+-])")


def scrubber(store: Store) -> Callable[[str], str]:
    """A function that takes the paths and the host's name out of a text.

    What lies in the checkout or in the data folder keeps its path below it; any other path
    keeps its last part.
    """
    names = {
        store.raw: "data/raw",
        store.derived: "data/derived",
        store.run: f"reports/{store.run.name}",
        store.project: ".",
        Path(sys.prefix): "…",
        **({home: "~"} if (home := _home()) else {}),
    }
    known: dict[str, str] = {}
    for path, short in names.items():
        for form in {str(path), str(path.absolute()), str(path.resolve())}:
            known[form] = short
            if home and form.startswith(f"{home}{os.sep}"):
                known[f"~{form[len(str(home)) :]}"] = short  # as IPython writes it
    known = {form: short for form, short in known.items() if len(form) > 2}
    longest_first = "|".join(re.escape(form) for form in sorted(known, key=len, reverse=True))
    places = re.compile(f"(?<![\\w/])(?:{longest_first})(?=$|[^\\w.-])")
    host = platform.node()
    hosts = re.compile(rf"(?<![\w-]){re.escape(host)}(?![\w-])") if len(host) > 4 and host != "localhost" else None

    def scrub(text: str) -> str:
        text = places.sub(lambda match: known[match[0]], text)
        return hosts.sub("this-computer", text) if hosts else text

    return scrub


def _home() -> Path | None:
    """The user's folder; None where there is none, as in some containers."""
    try:
        return Path.home()
    except RuntimeError:
        return None


def shorten(text: str) -> str:
    """Any absolute path in a message or a traceback, cut to its last part."""
    return _ABSOLUTE.sub("…/", text)


def cleaned(notebook: Any, *, scrub: Callable[[str], str], parameters: Mapping[str, Any]) -> Any:
    """An executed notebook fit to be cached and published.

    Parameters
    ----------
    notebook : NotebookNode, changed in place
    scrub : see ``scrubber``
    parameters : what the cell of injected parameters shall say

    Returns
    -------
    The notebook: no papermill metadata or error banner, no standard error, no widgets, no path.
    """
    notebook.metadata.pop("papermill", None)
    notebook.metadata.pop("widgets", None)
    notebook.cells = [cell for cell in notebook.cells if ERROR_MARKER not in cell.metadata.get("tags", [])]
    for position, cell in enumerate(notebook.cells):
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        cell["id"] = f"cell-{position}"
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell.source = "\n".join(f"{name} = {value!r}" for name, value in parameters.items())
        cell.source = scrub(cell.source)
        if cell.cell_type == "code":
            cell.outputs = [clean for output in cell.outputs if (clean := _output(output, scrub)) is not None]
    return notebook


def _output(output: Any, scrub: Callable[[str], str]) -> Any | None:
    if output.output_type == "stream":
        output.text = scrub(_settled(output.text))
        return None if output.name == "stderr" else output  # warnings and progress are in the log
    if output.output_type == "error":
        output.evalue = shorten(scrub(_ANSI.sub("", output.evalue)))
        output.traceback = [shorten(scrub(_ANSI.sub("", line))) for line in output.traceback]
        return output
    if _WIDGETS in output.data:
        return None
    audio = output.metadata.get("ser_study", {}).get("audio", {})
    for kind, value in output.data.items():
        if isinstance(value, str):
            output.data[kind] = scrub(_silenced(value, audio))
    return output


def _silenced(text: str, audio: Mapping[str, str]) -> str:
    """The text without embedded audio, unless it comes from a corpus that may be published."""
    if "data:audio" not in text or audio.get("corpus") in FREE_CORPORA:
        return text
    name = f"<code>{audio['file']}</code>" if audio.get("file") else "<em>audio is not published</em>"
    return re.sub(r"<audio.*?</audio>", name, text, flags=re.DOTALL)


def _settled(text: str) -> str:
    """A text whose lines were drawn over with carriage returns, as it stood in the end."""
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))


def clean_log(text: str, scrub: Callable[[str], str]) -> str:
    """A log fit to be stored: progress bars in their last state, no colours, no paths."""
    return shorten(scrub(_ANSI.sub("", _settled(text))))
