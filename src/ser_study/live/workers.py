"""The processes that decode uploads, seen from the server: started, fed one file at a time, ended, started again."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ser_study.live.limits import MIB, Limits
from ser_study.live.refusals import Refused
from ser_study.recognizer import Recognizer

PREFIX = "ser_study_live_"
START = 120.0  # s in which a worker must be ready
_LONGEST_LINE = 64 * MIB  # bytes of an answer
_DIED = "The process that decodes recordings ended on this one and is started again; the server goes on."
_ENDED = (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, json.JSONDecodeError)


class Workers:
    """A number of worker processes and the folder in which their files are.

    Parameters
    ----------
    recognizer : what they predict with
    limits : their time and memory
    n_workers : processes
    """

    def __init__(self, recognizer: Recognizer, limits: Limits, n_workers: int = 1):
        self.recognizer, self.limits, self.n_workers = recognizer, limits, n_workers
        self.folder = Path()
        self._free: asyncio.Queue[_Worker] = asyncio.Queue()
        self._all: list[_Worker] = []
        self._tasks: set[asyncio.Task] = set()

    @property
    def n_ready(self) -> int:
        """Processes that run and have the recogniser."""
        return sum(worker.ready for worker in self._all)

    async def start(self) -> None:
        """Make the folder and let the processes begin; they are ready some seconds later."""
        self.folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        bundle = await asyncio.to_thread(self.recognizer.save, self.folder / "recognizer.npz")
        for _ in range(self.n_workers):
            self._all.append(_Worker(bundle, self.folder, self.limits))
            self._begin(self._all[-1])

    async def stop(self) -> None:
        """End the processes and remove the folder with all that is in it."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for worker in self._all:
            await worker.end()
        if self.folder != Path():
            shutil.rmtree(self.folder, ignore_errors=True)

    async def predict(self, path: Path, every: float) -> dict[str, Any]:
        """The answer of a worker about a file; ``Refused`` with what it says is wrong, or when time is up."""
        until = time.monotonic() + self.limits.deadline
        try:
            worker = await asyncio.wait_for(self._free.get(), self.limits.deadline)
        except TimeoutError:
            raise Refused(503, "busy", "No process was free in time; try again soon.", wait=5) from None
        try:
            async with asyncio.timeout_at(asyncio.get_running_loop().time() + max(0.05, until - time.monotonic())):
                answer = await worker.ask({"path": str(path), "every": every})
        except TimeoutError:
            await self._again(worker)
            message = f"No answer within {self.limits.deadline:g} s; send a shorter recording or try again later."
            raise Refused(503, "too_slow", message, wait=5) from None
        except _ENDED:
            await self._again(worker)
            raise Refused(503, "worker_died", _DIED, wait=5) from None
        except BaseException:
            await self._again(worker)  # its answer would be taken for the next one's
            raise
        self._free.put_nowait(worker)
        if answer["status"] != 200:
            raise Refused(answer["status"], answer["code"], answer["message"])
        return answer["result"]

    async def _again(self, worker: _Worker) -> None:
        await worker.end()
        self._begin(worker)

    def _begin(self, worker: _Worker) -> None:
        task = asyncio.create_task(self._make_ready(worker))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _make_ready(self, worker: _Worker) -> None:
        """Start a worker, again and again where that fails, ever more slowly."""
        pause = 0.5
        while True:
            try:
                await worker.start()
                return self._free.put_nowait(worker)
            except (OSError, TimeoutError, *_ENDED):
                await worker.end()
                await asyncio.sleep(pause)
                pause = min(30.0, 2 * pause)


class _Worker:
    """One process."""

    def __init__(self, bundle: Path, folder: Path, limits: Limits):
        self.bundle, self.folder, self.limits = bundle, folder, limits
        self.process: asyncio.subprocess.Process | None = None
        self.ready = False

    async def start(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-W", "ignore", "-m", "ser_study.live.worker"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # libraries may print parts of what they read
            limit=_LONGEST_LINE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            start_new_session=True,
        )
        facts = {"bundle": str(self.bundle), "folder": str(self.folder)}
        limits = {name: getattr(self.limits, name) for name in ("memory", "deadline", "duration")}
        async with asyncio.timeout(START):
            await self.ask(facts | limits)
        self.ready = True

    async def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Send a line and wait for its answer."""
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        await self.process.stdin.drain()
        return json.loads(await self.process.stdout.readuntil(b"\n"))

    async def end(self) -> None:
        """End the process and what it started."""
        process, self.process, self.ready = self.process, None, False
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL) if hasattr(os, "killpg") else process.kill()
        await process.wait()
