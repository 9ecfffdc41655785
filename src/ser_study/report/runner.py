"""Run the study: execute its notebooks in order with papermill, cache them, and have the pages made."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, TextIO

from ser_study.config import Config
from ser_study.report import clean, pages, provenance
from ser_study.report.chapters import (
    Chapter,
    cached_path,
    chapters,
    expectation,
    is_complete,
    is_current,
    listing,
    n_clips,
    published,
    select,
)
from ser_study.store import ABSENT, PAGES, WRITTEN, Store, file_hash, locked, replacing, write_json
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
) -> int:
    """Execute what is not up to date, and render every page there is.

    Parameters
    ----------
    corpora : corpora of this run, in order
    audit : gives one row a corpus, for the provenance box; called at the end
    data : raw data folder for the notebooks; empty for their own default
    only, start : see ``chapters.select``; other pages stay
    execute_any : False executes nothing and renders what was executed earlier

    Returns
    -------
    0 when every selected notebook ended well, 1 when one failed (its page shows where).
    """
    story = chapters(store.project / "notebooks", corpora)
    chosen = select(story, only=only, start=start) if execute_any else []
    facts, n_files = _facts(provenance.read_run(store.run), story), n_clips(corpora, config, store) if chosen else 0
    list_audio = cache(listing)  # thousands of files, and the same ones for all chapters
    for place, chapter in enumerate(chosen, start=1):
        with locked(path := cached_path(chapter, config, store, corpora, list_audio)):
            line = f"[{place}/{len(chosen)}] {chapter.page:<28}"
            known = facts.get(chapter.page, {})
            done = _bring_up_to_date(chapter, config, store, data, path, known, line, n_files)
            if done["date"] != known.get("date"):  # executed, which may have taken hours
                list_audio.cache_clear()
            facts = _merge(config, store, story, {chapter.page: done})
            _remove_outdated(known, path)
    rows = audit()
    list_audio.cache_clear()
    with locked(store.run / "run.json"):  # of two runs that end at once, the second renders the pages of both
        facts = _facts(provenance.read_run(store.run), story)
        for chapter in (each for each in story if each.page in facts):
            path = cached_path(chapter, config, store, corpora, list_audio)
            current = facts[chapter.page].get("notebook") == path.name and is_complete(path)
            facts[chapter.page] = facts[chapter.page] | {"current": current}
        _write_run(config, store, rows, facts)
        n_pages = pages.render(config, store, story=story, facts=facts)
    return _outcome(n_pages, chosen, facts, store)


def _facts(run: Mapping[str, Any], story: Sequence[Chapter]) -> dict[str, dict[str, Any]]:
    """What ``run.json`` holds of each chapter that was executed, in order."""
    known = run.get("chapters", {})
    return {chapter.page: known[chapter.page] for chapter in story if chapter.page in known}


def _merge(config: Config, store: Store, story: Sequence[Chapter], done: Mapping[str, Any]) -> dict:
    """Add facts to ``run.json`` beside those that other runs have written there meanwhile; all of them."""
    with locked(store.run / "run.json"):
        run = provenance.read_run(store.run)
        facts = _facts({"chapters": run.get("chapters", {}) | done}, story)
        _write_run(config, store, run.get("corpora", []), facts)
    return facts


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


def execute(chapter: Chapter, config: Config, store: Store, *, data: str, path: Path, n_files: int) -> dict[str, Any]:
    """Execute one chapter and write it, cleaned, to ``path`` with a record beside it.

    Parameters
    ----------
    data : raw data folder as the notebook shall get it; empty for its own default
    n_files : clips of the run, by which the next one tells how long the chapter may take

    Returns
    -------
    The record: status ("done" or "failed"), error, seconds, date, clips, commit, the files of the run that the notebook
    wrote, with their hashes, and the features it had to do without.
    """
    import nbformat

    parameters = {"preset": config.preset, "overrides": dict(config.overrides), "data": data}
    parameters |= {"corpus": chapter.corpus} if chapter.corpus else {}
    scrub, began = clean.scrubber(store), time.monotonic()
    with tempfile.TemporaryDirectory() as folder, _log(store.run / "logs" / f"{chapter.page}.log", scrub) as log:
        draft, listing = Path(folder) / "draft.ipynb", Path(folder) / "written"
        error = _with_papermill(chapter, draft, parameters, listing, log)
        executed = nbformat.read(draft if draft.is_file() else chapter.notebook, as_version=4)
        seconds = round(time.monotonic() - began, 1)
        noted = _noted(listing, store.run)
        print(f"{chapter.page}: {'failed' if error else 'done'} after {seconds} s, {provenance.now()}", file=log)
    record = {
        "status": "failed" if error else "done",
        "error": clean.clean_log(error, scrub),
        "seconds": seconds,
        "date": provenance.now(),
        "clips": n_files,
        **provenance.commit(store.project),
        **noted,
    }
    clean.cleaned(executed, scrub=scrub, parameters=published(chapter, config))
    with replacing(path) as temporary:
        nbformat.write(executed, temporary)
    write_json(path.with_suffix(".json"), record)
    return record


def _bring_up_to_date(chapter, config, store, data, path, known, line, n_files) -> dict[str, Any]:
    """Execute the chapter unless its executed notebook is current; the facts that ``run.json`` holds of it."""
    if not config.run.force and is_current(path, store):
        print(f"{line} up to date", flush=True)
        return provenance.read_json(path.with_suffix(".json")) | {"notebook": path.name}
    with _clock(line + expectation(chapter, config, known, n_files)):
        record = execute(chapter, config, store, data=data, path=path, n_files=n_files)
    word = "done in" if record["status"] == "done" else "FAILED after"
    print(f" {word} {duration(record['seconds'])}", flush=True)
    if record["error"]:
        print(f"      {record['error'].splitlines()[0]}", file=sys.stderr, flush=True)
    return record | {"notebook": path.name}


def _remove_outdated(known: Mapping[str, Any], path: Path) -> None:
    """Delete the executed notebook that ``path`` takes the place of, and its record."""
    outdated = known.get("notebook", path.name)
    if outdated != path.name:
        for suffix in (".ipynb", ".json"):
            path.with_name(outdated).with_suffix(suffix).unlink(missing_ok=True)


def _with_papermill(chapter: Chapter, draft: Path, parameters: Mapping, listing: Path, log: TextIO) -> str:
    """Execute a notebook into ``draft``; what went wrong, empty when nothing did."""
    import nbformat
    import papermill
    from jupyter_core.utils import run_sync
    from nbclient.exceptions import DeadKernelError

    kernel = _kernel(listing, log)
    try:
        papermill.execute_notebook(
            nbformat.read(chapter.notebook, as_version=4),
            str(draft).replace("{", "{{").replace("}", "}}"),  # papermill formats its paths
            parameters=dict(parameters),
            kernel_name="python3",
            language="python",
            km=kernel,
            extra_arguments=["--log-level=ERROR"],
            cwd=str(chapter.notebook.parent),
            progress_bar=False,
            stdout_file=log,
            stderr_file=log,
        )
    except papermill.exceptions.PapermillExecutionError as failure:
        print(*failure.traceback, sep="\n", file=log)
        return f"{failure.ename}: {failure.evalue}"
    except DeadKernelError:
        return "The notebook's process died, most often for want of memory; close other programs or use --jobs 1."
    finally:
        run_sync(kernel.shutdown_kernel)(now=True)  # papermill leaves a kernel it was given running
    return ""


def _kernel(listing: Path, log: TextIO):
    """A kernel on this very interpreter, whatever kernels are registered, that can import this package.

    What libraries write past Python's own streams (TensorFlow describes the processor at once) goes to the log, not
    to the terminal.
    """
    import matplotlib
    from jupyter_client import AsyncKernelManager
    from jupyter_client.kernelspec import KernelSpecManager

    class Manager(AsyncKernelManager):
        async def start_kernel(self, **options):
            return await super().start_kernel(stderr=log, **options)

    manager = Manager(kernel_name="python3", kernel_spec_manager=KernelSpecManager(kernel_dirs=[]))
    sources = str(Path(__file__).resolve().parents[2])
    manager.kernel_spec.env = {
        PAGES: "1",
        WRITTEN: str(listing),
        "PYTHONPATH": os.pathsep.join(filter(None, [sources, os.environ.get("PYTHONPATH", "")])),
        "PYTHONHASHSEED": "0",
        "MATPLOTLIBRC": str(Path(matplotlib.get_data_path()) / "matplotlibrc"),  # not the user's own
    }
    return manager


def _write_run(config: Config, store: Store, rows: Sequence[Mapping], facts: Mapping[str, Mapping]) -> None:
    """Write ``run.json``; after each notebook, so that a run that is killed leaves its facts."""
    about = provenance.about_run(config, project=store.project, corpora=rows, chapters=facts)
    write_json(store.run / "run.json", about)


def _noted(listing: Path, folder: Path) -> dict[str, Any]:
    """What a notebook noted: ``files`` of the run that it wrote, with their hashes, and ``absent`` features."""
    lines = listing.read_text(encoding="utf-8").splitlines() if listing.is_file() else []
    absent = sorted({line.removeprefix(ABSENT) for line in lines if line.startswith(ABSENT)})
    paths = sorted({Path(line) for line in lines if Path(line).is_relative_to(folder.absolute())})
    files = {path.relative_to(folder.absolute()).as_posix(): file_hash(path) for path in paths if path.is_file()}
    return {"files": files, "absent": absent}


@contextmanager
def _log(path: Path, scrub) -> Iterator[TextIO]:
    """A log that can be followed while the notebook runs, and is cleaned when it ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as stream:
        yield stream
    text = clean.clean_log(path.read_bytes().decode("utf-8"), scrub)  # as bytes: carriage returns must survive
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextmanager
def _clock(line: str) -> Iterator[None]:
    """Show the line while the block runs; on a terminal with the time that has passed."""
    began, over = time.monotonic(), threading.Event()

    def tick() -> None:
        while not over.wait(1):
            print(f"\r{line} … {duration(time.monotonic() - began)} ", end="", flush=True)

    print(f"{line} …", end="", flush=True)
    ticking = threading.Thread(target=tick, daemon=True)
    if sys.stdout.isatty():
        ticking.start()
    try:
        yield
    finally:
        over.set()
        if ticking.is_alive():
            ticking.join()
            print(f"\r\x1b[K{line} …", end="", flush=True)
