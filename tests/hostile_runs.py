"""A study of seconds, in processes that can be killed, starved of disk, or asked at their command line."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ser_study import cli, features, store
from ser_study.corpora import synthetic
from ser_study.experiments import runner, selections
from ser_study.experiments.experiment import Experiment

SMALL = {  # 96 clips, four speakers; a study of seconds
    "run.jobs": 1,
    "synthetic.n_speakers": 4,
    "synthetic.n_statements": 2,
    "synthetic.n_repetitions": 1,
}
EXPERIMENTS = tuple(
    Experiment("synthetic", protocol, "summary", name)
    for protocol in ("random", "speaker_independent")
    for name in ("dummy", "logistic")
)


def in_process(function: Callable, *arguments: Any) -> multiprocessing.Process:
    """A started process of its own, forked from a clean server that has the heavy imports done."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["ser_study.experiments.runner", "ser_study.report.runner", "hostile_runs"])
    process = context.Process(target=function, args=arguments)
    process.start()
    return process


def extract_small(derived: Path, *, die_at: int = 0) -> None:
    """Extract the small corpus's features in many parts; killed at the n-th file that is renamed into place."""
    config, here = open_small(derived)
    clips = selections.load_selections(config, here)["synthetic"].clips
    features.GROUP = 16
    _die_at_rename(die_at)
    features.load("summary", clips, config=config, store=here)


def study_small(derived: Path, *, die_at: int = 0) -> None:
    """Run the small study; killed at the n-th file that is renamed into place after the features are there."""
    config, here = open_small(derived)
    loaded = selections.load_selections(config, here)
    features.load("summary", loaded["synthetic"].clips, config=config, store=here)
    _die_at_rename(die_at)
    runner.scores(EXPERIMENTS, loaded, config=config, store=here)


def synthesise_small(derived: Path, *, die_at: int = 0) -> None:
    """Make the small corpus; killed at the n-th clip."""
    config, here = open_small(derived)
    _die_at_rename(die_at)
    synthetic.generate(here.derived / "synthetic", config.synthetic)


def on_a_small_disk(derived: Path, answer: Path, limit: int) -> None:
    """Extract features where no file may pass so many bytes, and write down what was said."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        extract_small(derived)
    except OSError as error:
        answer.write_text(f"{type(error).__name__}: {error.strerror}", encoding="utf-8")


def ask(words: list[str], environment: dict[str, str], answer: Path) -> None:
    """The command line, as a person meets it; what it prints goes to ``answer`` with .out and .err."""
    for stream, suffix in ((1, ".out"), (2, ".err")):
        os.dup2(os.open(answer.with_suffix(suffix), os.O_WRONLY | os.O_CREAT | os.O_TRUNC), stream)
    os.environ.pop("SER_STUDY_DATA", None)
    os.environ |= environment
    sys.exit(cli.run_all(words) if words[0].startswith("--") else cli.main(words))


def open_small(derived: Path):
    """Settings and store of the small study."""
    os.environ |= {"SER_STUDY_DERIVED": str(derived), "SER_STUDY_REPORTS": str(derived / "reports")}
    os.environ.pop("SER_STUDY_DATA", None)
    return store.open_folders("demo", SMALL)


def _die_at_rename(n: int) -> None:
    """kill -9 of this very process just before the n-th rename: what was written lies there under another name."""
    replace, count = os.replace, iter(range(1, n + 1))

    def fatal(*names: Any) -> None:
        if next(count, 0) == n:
            os.kill(os.getpid(), signal.SIGKILL)
        replace(*names)

    if n:
        os.replace = fatal
