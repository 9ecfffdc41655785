"""Pages that no notebook makes: glossary, references, provenance."""

from __future__ import annotations

import html
import re
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ser_study.report.articles import article_of
from ser_study.report.links import GLOSSARY, glossary
from ser_study.report.references import PAGE as REFERENCES
from ser_study.report.references import references

PROVENANCE = "pages/provenance.html"


def appendix(run: Mapping[str, Any], project: Path, render: Callable[..., str]) -> dict[str, dict[str, Any]]:
    """File of each page below the folder of the run → its article, as ``articles.article`` gives it.

    Parameters
    ----------
    run : what ``run.json`` holds
    project : the checkout, with ``CITATION.cff``
    render : fills the template of that name with values
    """
    provenance = render("provenance.html.j2", run=run, command=command(run), citation=citation(project))
    return {
        GLOSSARY: article_of("Glossary", _glossary()),
        REFERENCES: article_of("References", _references()),
        PROVENANCE: article_of("Provenance and citation", provenance),
    }


def command(run: Mapping[str, Any], number: str = "") -> str:
    """The command that makes a run again, or one chapter of it."""
    changes = [f"--set {shlex.quote(f'{name}={_plain(value)}')}" for name, value in run["overrides"].items()]
    return " ".join(
        ["python run_all.py", f"--preset {run['preset']}", *changes, *([f"--only {number}"] * bool(number))]
    )


def _plain(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def citation(project: Path) -> str:
    """How to cite the study, by its ``CITATION.cff``."""
    text = (project / "CITATION.cff").read_text(encoding="utf-8") if (project / "CITATION.cff").is_file() else ""
    known = {key: value.strip('"') for key, value in re.findall(r"^(?:  - )?([\w-]+): (.+)$", text, re.MULTILINE)}
    if not {"name", "title", "version", "date-released"} <= set(known):
        return "See CITATION.cff in the repository."
    return f"{known['name']} ({known['date-released'][:4]}). {known['title']}. Version {known['version']}."


def _glossary() -> str:
    known = references()
    entries = []
    for term in glossary():
        also = f" <small>also: {html.escape(', '.join(term.forms))}</small>" if term.forms else ""
        sources = " ".join(_short(known[key]) for key in term.sources)
        meaning = html.escape(term.text) + (f" {sources}" if sources else "")
        entries.append(f'<dt id="{term.anchor}">{html.escape(term.name)}{also}</dt><dd>{meaning}</dd>')
    words = "<p>Words of the field, as the report uses them.</p>"
    return f'{words}\n<dl class="glossary">\n' + "\n".join(entries) + "\n</dl>"


def _short(one: Any) -> str:
    """A source in brackets: the first author, the year, and the way to the entry."""
    first = one.authors.split(",")[0].rpartition(" ")[0]
    return f'(<a href="run:{REFERENCES}#{one.key}">{html.escape(first)} {one.year}</a>)'


def _references() -> str:
    entries = "\n".join(f'<li id="{one.key}">{one.entry}</li>' for one in references().values())
    words = "<p>What the report builds on: corpora, features, networks, models and statistics.</p>"
    return f'{words}\n<ul class="references">\n{entries}\n</ul>'
