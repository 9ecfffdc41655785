"""Few long pieces of work side by side, each in a process of its own that ends with this one."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

GRACE = 10  # s in which a process may leave by itself
# Processes are copies of one that has imported these: seconds less for each. (Not of this one: a copy of threads and
# locks may stand still. Nor with this package: another checkout of it may be the installed one.)
IMPORTED = ["pandas", "pyarrow.parquet", "scipy.stats", "sklearn.model_selection", "matplotlib.figure"]


def side_by_side(
    function: Callable[[Any], Any], items: Sequence[Any], *, at_once: int, begun: Callable[[Any], None]
) -> Iterator[tuple[Any, Any]]:
    """``(item, function(item))`` as each is done, for few items that take minutes and start processes of their own.

    Parameters
    ----------
    function : importable at top level, or a partial of one; what it raises is raised here
    at_once : items in work at a time, each in a process; 1 runs here
    begun : called here with each item when its turn comes

    Raises
    ------
    RuntimeError
        A process died.

    Notes
    -----
    The processes, and those that they started, end when the caller stops reading, fails or dies.
    """
    if min(at_once, len(items)) <= 1:
        for item in items:
            begun(item)
            yield item, function(item)
        return
    waiting, running = list(items), {}
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                begun(item := waiting.pop(0))
                connection, process = _started(function, item)
                running[connection] = item, process
            for connection in wait(list(running)):
                item, process = running.pop(connection)
                yield item, _received(connection, process)
    finally:
        _ended(process for _, process in running.values())


def _started(function: Callable, item: Any) -> tuple[Connection, BaseProcess]:
    """A process that works on an item, and where its answer arrives."""
    can_copy = "forkserver" in multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if can_copy else "spawn")
    if can_copy:
        context.set_forkserver_preload(IMPORTED)
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(function, item, there, dict(os.environ)))
    process.start()
    there.close()  # so that the end of the process is seen here
    return here, process


def _work(function: Callable, item: Any, answer: Connection, environment: Mapping[str, str]) -> None:
    if hasattr(os, "setsid"):
        os.setsid()  # what is typed at the terminal is for the parent alone
    signal.signal(signal.SIGTERM, _leave)
    _end_with_parent()
    os.environ.clear()  # it is that of the run's first process otherwise
    os.environ.update(environment)
    try:
        answer.send((function(item), None))
    except Exception as error:  # whatever it is, the parent raises it
        answer.send((None, error))


def _leave(*_: Any) -> None:
    sys.exit(1)  # runs what is to be cleaned up, such as the end of a kernel


def _received(answer: Connection, process: BaseProcess) -> Any:
    """What a process answers, which then ends."""
    try:
        value, error = answer.recv()
    except EOFError:
        raise RuntimeError(
            "A process that ran a notebook died, most often for want of memory; close other programs or use --jobs 1, "
            "then run again: what is finished is kept."
        ) from None
    finally:
        process.join()
    if error is not None:
        raise error
    return value


def _ended(processes: Iterable[BaseProcess]) -> None:
    """End some processes, by force where they do not leave by themselves."""
    processes = list(processes)
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(GRACE)
        process.kill()
        process.join()


def _end_with_parent() -> None:
    """Have this process end when its parent does, whatever ended that."""

    def watch() -> None:
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
