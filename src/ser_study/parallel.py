"""Map a function over clips: in order, with a progress bar, on local processes or a Dask cluster.

One bad clip never ends the run: its error comes back as a ``Failure`` in its place. Nor does a worker that dies: what
it was at, or held, is done again by another.
"""

from __future__ import annotations

import multiprocessing
import os
import platform
import re
import sys
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

BATCH = 8  # clips a task: large enough to hide the cost of sending, small enough to balance
MAX_NAMED = 5  # failures that a message names; the rest is counted
WINDOW = 256  # tasks that a cluster has at a time: enough for that many cores, few enough to keep memory flat


@dataclass(frozen=True)
class Failure:
    """What went wrong with one item."""

    reason: str
    kind: str = ""  # class of the error; empty where there was none, such as when the worker crashed


def named_failures(failures: Sequence[tuple[str, Failure]]) -> str:
    """What failed, each with its reason; the first ``MAX_NAMED``, and how many more."""
    named = "; ".join(f"{name}: {failure.reason}" for name, failure in failures[:MAX_NAMED])
    return named + (f"; and {len(failures) - MAX_NAMED} more" if len(failures) > MAX_NAMED else "")


def n_workers(jobs: int) -> int:
    """Worker processes for a ``jobs`` setting; 0 means one a core this process may use."""
    if jobs < 0:
        raise ValueError(f"The number of jobs is {jobs}; give 0 (one a core) or more.")
    if jobs:
        return jobs
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def parallel_map(
    function: Callable[[Any], Any],
    items: Sequence[Any],
    *,
    jobs: int = 0,
    cluster: str = "",
    label: str = "",
    unit: str = "clips",
    apart: str = "",
    batch: int = BATCH,
) -> Iterator[tuple[Any, Any]]:
    """``(item, function(item))`` for each item, in order.

    Parameters
    ----------
    function : importable at top level (it travels to other processes), or a partial of one
    items : what to map over
    jobs : worker processes, 0 = one a core; 1 runs here unless ``apart``
    cluster : address of a Dask scheduler (``tcp://host:8786``); the extra ``cluster`` must be installed
    label : word before the progress bar; empty for none
    unit : what is counted on the bar
    apart : a name for the worker processes; never run in this process, nor in workers of another name
        (openSMILE crashes where TensorFlow was imported first)
    batch : items sent to a worker at a time

    Yields
    ------
    (item, value or Failure). The number of workers changes no value.

    Raises
    ------
    ConnectionError
        No scheduler answers at ``cluster``, or it went away.
    """
    chunks = (items[start : start + batch] for start in range(0, len(items), batch))
    may_stay = not apart or multiprocessing.current_process().daemon  # such a worker of a cluster may start no process
    if cluster:
        results = _on_cluster(function, chunks, cluster, apart)
    elif may_stay and (n_workers(jobs) == 1 or len(items) <= 1 or apart):
        results = ((chunk, _apply(function, chunk)) for chunk in chunks)
    else:
        results = _in_processes(function, chunks, n_workers(jobs), apart)
    with _progress(len(items), label, unit) as bar:
        for chunk, values in results:
            bar.update(len(chunk))
            yield from zip(chunk, values)


def _apply(function: Callable, chunk: Sequence) -> list:
    """Values of one chunk; an exception becomes a Failure, so that the other clips go on."""
    values = []
    for item in chunk:
        try:
            values.append(function(item))
        except Exception as error:  # any error of one clip is reported with that clip, none ends the run
            values.append(Failure(_reason(error), type(error).__name__))
    return values


def _reason(error: Exception) -> str:
    """One line; a programming error also says where it happened."""
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if isinstance(error, (ValueError, OSError)):
        return str(error) or text
    where = traceback.extract_tb(error.__traceback__)[-1]
    return f"{text} ({os.path.basename(where.filename)}:{where.lineno})"


def _in_processes(
    function: Callable, chunks: Iterable, workers: int, name: str = ""
) -> Iterator[tuple[Sequence, list]]:
    """Local processes; each worker computes on one thread, so that results do not depend on their number.

    At most a few chunks are ahead of the reader, which keeps memory flat. A chunk whose worker
    crashes is tried once more, item by item, so that only the guilty clip fails. Workers of another name
    are replaced, with all that they have imported.
    """
    from joblib.externals.loky import get_reusable_executor
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    def executor():
        return get_reusable_executor(max_workers=workers, initializer=_one_thread, initargs=(name,), timeout=60)

    def submit(chunk):
        return executor().submit(_apply, function, chunk)

    for chunk, future, waiting in _ahead(submit, chunks, 3 * workers):
        try:
            yield chunk, future.result()
        except TerminatedWorkerError:
            yield chunk, [_alone(submit, item, TerminatedWorkerError) for item in chunk]
            for place, (later, _) in enumerate(waiting):
                waiting[place] = later, submit(later)


def _ahead(submit: Callable, chunks: Iterable, ahead: int) -> Iterator[tuple[Sequence, Any, deque]]:
    """Each chunk with its future, in order, and what waits behind it: at most ``ahead`` chunks are under way."""
    waiting: deque = deque()
    for chunk in chunks:
        waiting.append((chunk, submit(chunk)))
        if len(waiting) > ahead:
            yield *waiting.popleft(), waiting
    while waiting:
        yield *waiting.popleft(), waiting


def _alone(submit: Callable, item: Any, crash: type[Exception]) -> Any:
    """One item of a chunk whose worker crashed."""
    try:
        return submit([item]).result()[0]
    except crash:
        return Failure("The worker process crashed on this clip (a native library failed); leave the clip out.")


def _on_cluster(function: Callable, chunks: Iterable, address: str, name: str = "") -> Iterator[tuple[Sequence, list]]:
    """Workers of a Dask scheduler; it gives what a dead worker was at, or held, to another.

    A chunk that took several workers with it is tried once more, item by item, as in local processes. Results wait at
    the workers for their turn.
    """
    with _client(address) as client:
        from dask.distributed import CancelledError, KilledWorker

        def submit(chunk):
            return client.submit(_on_worker, function, chunk, name, pure=False)

        for chunk, future, _ in _ahead(submit, chunks, WINDOW):
            try:
                yield chunk, future.result()
            except KilledWorker:
                yield chunk, [_alone(submit, item, KilledWorker) for item in chunk]
            except CancelledError:
                raise ConnectionError(
                    f"The Dask scheduler at {address} went away. Start it and its workers again, then run again: what "
                    "was finished is kept."
                ) from None


@contextmanager
def _client(address: str) -> Iterator:
    """A connection to a Dask scheduler."""
    try:
        from dask.distributed import Client
    except ImportError:
        raise ConnectionError("--cluster needs Dask; install it with: pip install 'ser_study[cluster]'.") from None
    try:
        client = Client(address, timeout=10, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ConnectionError(
            f"No Dask scheduler answers at {address} ({error}). Start one with 'dask scheduler', "
            "workers with 'dask worker ADDRESS', or leave --cluster out."
        ) from None
    with client:
        yield client


def _on_worker(function: Callable, chunk: Sequence, name: str) -> list:
    """Values of one chunk on a worker of a cluster, computed on one thread, as in local processes.

    Networks that are trained there get the threads that the environment of the worker gives TensorFlow.
    """
    if name:
        _one_thread()
    single_threaded()  # for good: another thread of this worker may be computing when this chunk ends
    return _apply(function, chunk)


def single_threaded() -> AbstractContextManager:
    """Keep native thread pools to one thread, from now to the end of the ``with`` block, if this begins one.

    Sums over several threads round otherwise.
    """
    return _thread_pools(len(sys.modules)).limit(limits=1)


@lru_cache(maxsize=1)
def _thread_pools(_: int) -> Any:
    """The libraries that compute on several threads. Looking for them takes milliseconds, so they are looked for again
    only after an import."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def cpu_model() -> str:
    """Name of the processor as it calls itself."""
    try:
        match = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text("utf-8"), re.MULTILINE)
    except OSError:
        match = None
    return match[1].strip() if match else platform.processor() or platform.machine()


THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
TENSORFLOW_THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


def _one_thread(_: str = "") -> None:
    """Keep native thread pools to one thread in a worker; TensorFlow gets on without oneDNN and its greetings.

    On one thread oneDNN gains nothing, and keeps memory for every new length of clip.
    """
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    for variable in (*THREADS, *TENSORFLOW_THREADS):
        os.environ[variable] = "1"
    single_threaded()


def _progress(total: int, label: str, unit: str):
    from tqdm import tqdm

    return tqdm(
        total=total, desc=label, unit=f" {unit}", disable=not label, file=sys.stderr, smoothing=0.1, mininterval=1
    )
