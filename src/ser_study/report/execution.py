"""Execute one notebook with papermill, and cache it, cleaned, with a record of what it wrote."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from ser_study.config import Config
from ser_study.report import clean, provenance
from ser_study.report.chapters import Chapter, published
from ser_study.store import ABSENT, PAGES, PREDICTED, WRITTEN, Store, file_hash, replacing, write_json


def execute(chapter: Chapter, config: Config, store: Store, *, data: str, path: Path, n_files: int) -> dict[str, Any]:
    """Execute one chapter and write it, cleaned, to ``path`` with a record beside it.

    Parameters
    ----------
    data : raw data folder as the notebook shall get it; empty for its own default
    n_files : clips of the run, by which the next one tells how long the chapter may take

    Returns
    -------
    The record: status ("done" or "failed"), error, seconds, date, clips, commit, the files of the run that the notebook
    wrote, with their hashes, the features it had to do without, and what it read of cached predictions.
    """
    from ser_study.report.notebook_format import nbformat

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


def _with_papermill(chapter: Chapter, draft: Path, parameters: Mapping, listing: Path, log: TextIO) -> str:
    """Execute a notebook into ``draft``; what went wrong, empty when nothing did."""
    import papermill
    from jupyter_core.utils import run_sync
    from nbclient.exceptions import DeadKernelError

    from ser_study.report.notebook_format import nbformat

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


def _noted(listing: Path, folder: Path) -> dict[str, Any]:
    """What a notebook noted: ``files`` of the run that it wrote, with their hashes, ``absent`` features, and cached
    ``predictions`` (path below ``derived`` → what it read of them)."""
    lines = listing.read_text(encoding="utf-8").splitlines() if listing.is_file() else []
    absent = sorted({line.removeprefix(ABSENT) for line in lines if line.startswith(ABSENT)})
    paths = sorted({Path(line) for line in lines if Path(line).is_relative_to(folder.absolute())})
    files = {path.relative_to(folder.absolute()).as_posix(): file_hash(path) for path in paths if path.is_file()}
    read: dict[str, set[str]] = {}
    for line in lines:
        if line.startswith(PREDICTED):
            words, _, name = line.removeprefix(PREDICTED).partition(" ")
            read.setdefault(name, set()).update(words.split(","))
    return {"files": files, "absent": absent, "predictions": {name: sorted(read[name]) for name in sorted(read)}}


@contextmanager
def _log(path: Path, scrub) -> Iterator[TextIO]:
    """A log that can be followed while the notebook runs, and is cleaned when it ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as stream:
        yield stream
    text = clean.clean_log(path.read_bytes().decode("utf-8"), scrub)  # as bytes: carriage returns must survive
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
