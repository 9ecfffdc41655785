"""Run the study: execute its notebooks, two at a time, keep what is up to date, and have the pages made."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from ser_study.config import Config
from ser_study.parallel import n_workers
from ser_study.report import explorer, pages, provenance, publish, thumbnails, turns
from ser_study.report.chapters import (
    Chapter,
    cached_path,
    chapters,
    expectation,
    is_complete,
    is_current,
    listing,
    n_clips,
    select,
)
from ser_study.report.execution import execute
from ser_study.report.side_by_side import side_by_side
from ser_study.store import Store, locked, write_json
from ser_study.wording import duration


def run_study(
    config: Config,
    store: Store,
    *,
    corpora: Sequence[str],
    audit: Callable[[], Sequence[Mapping[str, Any]]] = list,
    data: str = "",
    only: Sequence[str] = (),
    start: str = "",
    execute_any: bool = True,
    standalone: bool = False,
) -> int:
    """Execute what is not up to date, and render every page there is.

    Parameters
    ----------
    corpora : corpora of this run, in order
    audit : gives one row a corpus, for the provenance box; called at the end
    data : raw data folder for the notebooks; empty for their own default
    only, start : see ``chapters.select``; other pages stay
    execute_any : False executes nothing and renders what was executed earlier
    standalone : see ``pages.render``

    Returns
    -------
    0 when every selected notebook ended well, 1 when one failed (its page shows where).
    """
    story = chapters(store.project / "notebooks", corpora)
    chosen = select(story, only=only, start=start) if execute_any else []
    n_files = n_clips(corpora, config, store) if chosen else 0
    _execute(run := _Run(config, store, tuple(story), tuple(corpora), data, n_files), chosen)
    rows, list_audio = audit(), cache(listing)
    with locked(store.run / "run.json"):  # of two runs that end at once, the second renders the pages of both
        facts = run.facts()
        for chapter in (each for each in story if each.page in facts):
            path = run.path(chapter, list_audio)
            current = facts[chapter.page].get("notebook") == path.name and is_complete(path)
            facts[chapter.page] = facts[chapter.page] | {"current": current}
        _write_run(config, store, rows, facts)
        publish.publish(config, store, corpora=corpora, notebooks=[known["notebook"] for known in facts.values()])
        thumbnails.write(config, store, names=corpora)
        n_pages = pages.render(store, story=story, facts=facts, standalone=standalone)
        explorer.note_recordings(config, store, names=corpora)
        if reason := publish.too_large(store.run):
            print(reason, file=sys.stderr)
    return _outcome(n_pages, chosen, facts, store)


def _execute(run: _Run, chosen: Sequence[Chapter]) -> None:
    """Execute the chapters that are not up to date, in their turns, and say so."""
    list_audio = cache(listing)  # thousands of files, and the same ones for all chapters
    at_once = min(turns.AT_ONCE, n_workers(run.config.run.jobs))
    with turns.Progress(len(chosen)) as progress:
        for stage in turns.stages(chosen):
            current = [chapter for chapter in stage if run.note_if_current(chapter, list_audio)]
            for chapter in current:
                progress.ended(chapter.page, "up to date")
            todo = {chapter: run.expectation(chapter) for chapter in stage if chapter not in current}
            begun = partial(_begun, progress, todo)
            for chapter, record in side_by_side(run.bring_up_to_date, list(todo), at_once=at_once, begun=begun):
                word = "done in" if record["status"] == "done" else "FAILED after"
                progress.ended(chapter.page, f"{word} {duration(record['seconds'])}")
                if record["error"]:
                    print(f"      {record['error'].splitlines()[0]}", file=sys.stderr, flush=True)
                list_audio.cache_clear()  # hours may have passed


def _begun(progress: turns.Progress, expected: Mapping[Chapter, str], chapter: Chapter) -> None:
    progress.began(chapter.page, expected[chapter])


@dataclass(frozen=True)
class _Run:
    """What a chapter needs to be executed, in whatever process."""

    config: Config
    store: Store
    story: tuple[Chapter, ...]
    corpora: tuple[str, ...]
    data: str
    n_files: int  # clips of the run

    def path(self, chapter: Chapter, list_audio: Callable | None = None) -> Path:
        """Where the executed chapter is, or will be."""
        return cached_path(chapter, self.config, self.store, self.corpora, list_audio)

    def facts(self) -> dict[str, dict[str, Any]]:
        """What ``run.json`` holds of the chapters that were executed."""
        return _facts(provenance.read_run(self.store.run), self.story)

    def expectation(self, chapter: Chapter) -> str:
        """How long it may take, in brackets."""
        return expectation(chapter, self.config, self.facts().get(chapter.page, {}), self.n_files)

    def note_if_current(self, chapter: Chapter, list_audio: Callable | None = None) -> dict[str, Any]:
        """The record of a chapter that need not be executed, which is then in ``run.json``; else empty."""
        path = self.path(chapter, list_audio)
        if self.config.run.force or not is_current(path, self.store):
            return {}
        return self._noted(chapter, path, provenance.read_json(path.with_suffix(".json")))

    def bring_up_to_date(self, chapter: Chapter) -> dict[str, Any]:
        """Execute a chapter, unless another run has just done so; its record, which is then in ``run.json``."""
        path = self.path(chapter)
        with locked(path):
            if record := self.note_if_current(chapter):
                return record
            record = execute(chapter, self.config, self.store, data=self.data, path=path, n_files=self.n_files)
            return self._noted(chapter, path, record)

    def _noted(self, chapter: Chapter, path: Path, record: dict[str, Any]) -> dict[str, Any]:
        """The record, which is now in ``run.json``; the executed notebook that ``path`` takes the place of goes."""
        outdated = self.facts().get(chapter.page, {}).get("notebook", path.name)
        facts = {name: value for name, value in record.items() if name != "predictions"}  # long, and for ``publish``
        _merge(self.config, self.store, self.story, {chapter.page: facts | {"notebook": path.name}})
        if outdated != path.name:
            for suffix in (".ipynb", ".json"):
                path.with_name(outdated).with_suffix(suffix).unlink(missing_ok=True)
        return record


def _facts(run: Mapping[str, Any], story: Sequence[Chapter]) -> dict[str, dict[str, Any]]:
    """What ``run.json`` holds of each chapter that was executed, in order."""
    known = run.get("chapters", {})
    return {chapter.page: known[chapter.page] for chapter in story if chapter.page in known}


def _merge(config: Config, store: Store, story: Sequence[Chapter], done: Mapping[str, Any]) -> None:
    """Add facts to ``run.json`` beside those that other chapters and runs have written there meanwhile."""
    with locked(store.run / "run.json"):
        run = provenance.read_run(store.run)
        facts = _facts({"chapters": run.get("chapters", {}) | done}, story)
        _write_run(config, store, run.get("corpora", []), facts)


def _outcome(n_pages: int, chosen: Sequence[Chapter], facts: Mapping[str, Mapping], store: Store) -> int:
    """Print how it ended; the exit code."""
    failed = [chapter.page for chapter in chosen if facts[chapter.page]["status"] == "failed"]
    print(
        f"{n_pages} pages; open reports/{store.run.name}/index.html." if n_pages else "There is no page to render yet."
    )
    if failed:
        logs = ", ".join(f"logs/{page}.log" for page in failed)
        print(f"{len(failed)} of {len(chosen)} notebooks failed; see their pages and {logs}.", file=sys.stderr)
    return 1 if failed else 0


def plan(config: Config, store: Store, *, corpora: Sequence[str], only: Sequence[str] = (), start: str = "") -> str:
    """What ``run_study`` would do now, one line a notebook, without doing it."""
    known = provenance.read_run(store.run).get("chapters", {})
    lines, n_files = [], n_clips(corpora, config, store)
    list_audio = cache(listing)
    for chapter in select(chapters(store.project / "notebooks", corpora), only=only, start=start):
        if not config.run.force and is_current(cached_path(chapter, config, store, corpora, list_audio), store):
            lines.append(f"{chapter.page:<32} up to date")
        else:
            expected = expectation(chapter, config, known.get(chapter.page, {}), n_files)
            lines.append(f"{chapter.page:<32} to run{expected}")
    return "\n".join([*lines, f"Pages go to reports/{store.run.name}/."])


def _write_run(config: Config, store: Store, rows: Sequence[Mapping], facts: Mapping[str, Mapping]) -> None:
    """Write ``run.json``; after each notebook, so that a run that is killed leaves its facts."""
    about = provenance.about_run(config, project=store.project, corpora=rows, chapters=facts)
    write_json(store.run / "run.json", about)
