"""Published runs: the folders below ``reports/`` whose pages somebody can read, and which of them is the main one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ser_study.report import provenance

ORDER = ("full", "quick", "complete", "demo")  # the first of them that is there is the main run
LISTED = 6  # runs that a message names
NAMED = 2  # changed settings that the name of a run holds


@dataclass(frozen=True)
class Run:
    """A folder with ``run.json`` and pages."""

    folder: Path
    about: dict[str, Any] = field(repr=False)  # what ``run.json`` holds

    @property
    def name(self) -> str:
        """As readers say it: the preset, and the settings that differ from it."""
        changes = [f"{key} = {value}" for key, value in self.about.get("overrides", {}).items()]
        words = changes if len(changes) <= NAMED else [f"{len(changes)} settings changed"]
        return ", ".join([self.about["preset"], *words])

    @property
    def slug(self) -> str:
        """The name of its folder as a part of an address."""
        return re.sub(r"[^\w.-]+", "-", self.folder.name)

    @cached_property
    def has_findings(self) -> bool:
        """Whether its front page holds the findings, not the list of its chapters."""
        return any(page.partition("_")[2] == "findings" for page in self.about["chapters"])


def published(reports: Path) -> list[Run]:
    """The published runs of a folder, the main one first.

    Parameters
    ----------
    reports : holds one folder a run; what is no run is passed over
    """
    runs = [
        Run(path.parent, about)
        for path in sorted(reports.glob("*/run.json"))
        if (about := provenance.read_run(path.parent)) and (path.parent / "index.html").is_file()
    ]
    return sorted(runs, key=_place)


def main(runs: Sequence[Run]) -> Run | None:
    """The run whose findings count: the first with findings; else the first; None where there is no run."""
    return next((run for run in runs if run.has_findings), runs[0] if runs else None)


def _place(run: Run) -> tuple[int, str]:
    """Runs of unchanged presets come in their order, the others after them."""
    plain = run.folder.name == run.about.get("preset") and run.about["preset"] in ORDER
    return (ORDER.index(run.about["preset"]) if plain else len(ORDER), run.folder.name)


def listed(reports: Path) -> str:
    """The runs of a folder for a message, or that there is none."""
    names = [run.folder.name for run in published(reports)]
    if not names:
        return f"No run has been published in {reports.name}/; ser-study run makes one."
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return f"Published in {reports.name}/: {', '.join(names[:LISTED])}{more}."


def at(folder: Path | None, reports: Path) -> Run:
    """The run of a folder; without one the main run.

    Raises
    ------
    FileNotFoundError
        There is no published run.
    """
    if folder is None:
        if best := main(published(reports)):
            return best
        raise FileNotFoundError(listed(reports))
    if not (about := provenance.read_run(folder)) or not (folder / "index.html").is_file():
        raise FileNotFoundError(f"{folder.name} is no published run: it lacks run.json or pages. {listed(reports)}")
    return Run(folder, about)
