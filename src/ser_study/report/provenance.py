"""Where a report comes from: commit, settings, versions, machine, corpora and times, written to ``run.json``."""

from __future__ import annotations

import datetime
import json
import platform
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import ser_study
from ser_study import config as settings
from ser_study.config import Config
from ser_study.parallel import cpu_model, n_workers
from ser_study.store import git

LIBRARIES = (  # the libraries whose version may change a number
    "numpy",
    "scipy",
    "pandas",
    "scikit-learn",
    "lightgbm",
    "xgboost",
    "xgboost-cpu",
    "librosa",
    "noisereduce",
    "onnx",
    "numba",
    "soxr",
    "soundfile",
    "opensmile",
    "tensorflow",
    "tensorflow-cpu",
    "keras",
    "optuna",
    "onnxruntime",
    "matplotlib",
    "seaborn",
    "papermill",
    "nbconvert",
    "itables",
    "vl-convert-python",
)


def about_run(
    config: Config,
    *,
    project: Path,
    corpora: Sequence[Mapping[str, Any]],
    chapters: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """Everything that ``run.json`` says; no path, user or host name.

    Parameters
    ----------
    config : settings of the run
    project : the checkout, asked for its commit
    corpora : one row a corpus: at least ``corpus``, and results of its audit
    chapters : page → status, seconds, date and commit of its execution
    """
    overrides = {name: value for name, value in config.overrides.items() if not name.startswith("run.")}
    return {
        "ser_study": ser_study.__version__,
        "run": config.run_name,
        "preset": config.preset,
        "overrides": overrides,
        "seed": config.seed,
        "date": now(),
        **commit(project),
        "machine": machine(config),
        "versions": versions(),
        "corpora": [dict(row) for row in corpora],
        "chapters": {page: dict(facts) for page, facts in chapters.items()},
        "settings": {k: v for k, v in settings.as_dict(config).items() if k not in ("run", "preset", "overrides")},
    }


def read_run(folder: Path) -> dict[str, Any]:
    """``run.json`` of an earlier run; empty when there is none or it cannot be read."""
    content = read_json(folder / "run.json")
    return content if isinstance(content.get("chapters"), dict) else {}


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object; empty when the file is absent or damaged, as after a crash."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def now() -> str:
    """Date and time in UTC, to the minute."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")


def commit(project: Path) -> dict[str, Any]:
    """Commit of the checkout and whether files differ from it; both empty without git.

    The reports themselves do not make a checkout dirty.
    """
    head = git(project, "rev-parse", "--short=12", "HEAD")
    if not head:
        return {"commit": "", "dirty": None}
    return {"commit": head, "dirty": bool(git(project, "status", "--porcelain", "--", ".", ":!reports"))}


def versions() -> dict[str, str]:
    """Installed versions of the libraries that matter, and of Python."""
    installed = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            installed[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return installed


def machine(config: Config) -> dict[str, Any]:
    """Processor, cores used and operating system."""
    return {
        "cpu": cpu_model(),
        "cores": n_workers(config.run.jobs),
        "system": f"{platform.system()} {platform.machine()}".strip(),
    }
