"""A recogniser of the synthetic corpus behind the live application, for tests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

from ser_study import corpora, recognizer
from ser_study.experiments.experiment import Experiment

HOME = "http://127.0.0.1"
STREAM = "ws://127.0.0.1/v1/stream"
START = 90  # s that a worker may take on a busy machine


def fitted(study):
    """A recogniser of the synthetic clips."""
    one = Experiment("synthetic", "speaker_independent", "means184", "lda")
    return recognizer.made(one, study.selections, config=study.config, store=study.store)


def clip_paths(study) -> list[Path]:
    """Its clips."""
    root = corpora.root_of("synthetic", study.store)
    return [root / path for path in study.clips("synthetic")["path"]]


def until(is_so, seconds: float = START, why: str = "") -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, why or f"not within {seconds} s"
        time.sleep(0.05)


@contextmanager
def running(recogniser, *, wait=True, **options):
    """A client of the application, and where that is waited for, a worker that is ready."""
    from starlette.testclient import TestClient

    from ser_study.live.app import create_app

    with TestClient(create_app(recogniser, **options), base_url=HOME) as client:
        if wait:
            until(lambda: client.get("/health").json()["workers"] > 0, why="no worker")
        yield client


@contextmanager
def served(bundle: Path, **options):
    """The address of a server that runs in a process of its own, and that process; it is ended as by Ctrl+C."""
    code = "import json, sys; from ser_study.live import serve; from ser_study.live.limits import Limits; "
    code += "options = json.loads(sys.argv[2]); limits = Limits(**options.pop('limits', {})); "
    code += "serve(sys.argv[1], port=0, limits=limits, **options)"
    command = [sys.executable, "-W", "ignore", "-c", code, str(bundle), json.dumps(options)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        line = process.stderr.readline()
        assert line.startswith("Listening at http://"), line + process.stderr.read()
        address = line.split()[2]
        reader = threading.Thread(target=process.stderr.read, daemon=True)  # a full pipe would stop the server
        reader.start()
        until(lambda: _is_ready(address), why="the server is not ready")
        yield address, process
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)


def _is_ready(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address.partition('?')[0]}health", timeout=5) as answer:
            return json.load(answer)["workers"] > 0
    except OSError:
        return False


def children_of(pid: int | str = "self") -> set[int]:
    """Processes that one started and that still run."""
    listing = Path(f"/proc/{pid}/task").glob("*/children")
    return {int(number) for path in listing for number in path.read_text().split()}


def is_running(pid: int) -> bool:
    """Whether a process is there and no mere entry of one that ended."""
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


def kill(pid: int) -> None:
    """End a process at once."""
    os.kill(pid, signal.SIGKILL)
