"""Fixtures shared by all tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ser_study import config as settings
from ser_study.experiments import coding
from ser_study.store import Store
from ser_study.study import Study

PROJECT = Path(__file__).resolve().parents[1]
LONGEST_FIRST = (  # files of minutes: begun first, so that no worker is left with one of them at the end
    *("test_control.py", "test_corpora_together.py", "test_every_corpus.py", "test_notebooks.py"),
    *("test_published_run.py", "test_joint_finetuning.py", "test_corpora.py", "test_features_speed.py"),
    *("test_finetuning.py", "test_deep.py"),
)
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
DATA = Path(os.environ.get("SER_STUDY_DATA") or PROJECT / "data" / "raw")  # read once: tests change the environment


def pytest_configure(config: pytest.Config) -> None:
    """pytest-xdist would begin with the files of most tests, and those of minutes have few."""
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, all others as they were."""
    place = {name: at for at, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: place.get(item.path.name, len(place)))


@pytest.fixture(scope="session")
def corpora_dir() -> Path:
    """Folder with real audio; without one the test is skipped with its reason."""
    folder = DATA
    if not any(folder.glob("*/**/*.ogg")) and not any(folder.glob("*/**/*.wav")):
        pytest.skip(f"no audio below {folder.name}/: set SER_STUDY_DATA or fill data/raw")
    return folder


@pytest.fixture(scope="session")
def real_store(corpora_dir, tmp_path_factory) -> Store:
    """A store over the real audio, in a temporary folder that tests share, so that a corpus is scanned once."""
    folder = tmp_path_factory.mktemp("real")
    return Store(corpora_dir, folder / "derived", folder / "run", folder)


@pytest.fixture
def store(tmp_path) -> Store:
    """A store in a temporary folder."""
    return Store(tmp_path / "raw", tmp_path / "derived", tmp_path / "run", PROJECT)


@pytest.fixture
def as_computed(monkeypatch) -> None:
    """Predictions with the probabilities that were computed, not those that are published of them."""
    monkeypatch.setattr(coding, "rounded", lambda predictions: predictions)


@pytest.fixture(scope="session")
def small_study(tmp_path_factory) -> Study:
    """A study of the built-in corpus (six speakers, three sentences), in a temporary folder that tests share."""
    changes = {
        **{"corpora": "synthetic", "synthetic.n_speakers": 6, "synthetic.n_statements": 3},
        **{"benchmark.features": "means184", "benchmark.models": "dummy,logistic", "ladder.feature": "means184"},
        **{"ladder.draws": 2, "controls.shuffles": 3, "evaluation.n_bootstrap": 200, "run.jobs": 2},
    }
    folder = tmp_path_factory.mktemp("study")
    return Study(settings.load("demo", changes), Store(folder / "raw", folder / "derived", folder / "run", folder))


@pytest.fixture(scope="module")
def browser():
    """Headless Chromium from Debian; without one the tests are skipped."""
    pytest.importorskip("selenium", reason="selenium is not installed (extra: dev)")
    from selenium import webdriver

    chromium, driver = next(filter(None, map(shutil.which, CHROMIUM)), None), shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("no chromium and chromedriver on the path: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield chrome
    chrome.quit()


@pytest.fixture(scope="session")
def cluster():
    """A real scheduler and three worker processes on the loopback address; one that is killed is started again."""
    pytest.importorskip("distributed", reason="the extra 'cluster' is not installed")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0"]
    command += ["--dashboard-address", "127.0.0.1:0"]
    scheduler = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    address = next(line.split()[-1] for line in scheduler.stderr if "Scheduler at:" in line)
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nworkers", "3", "--nthreads", "1"]
    worker += ["--no-dashboard", "--host", "127.0.0.1"]
    workers = subprocess.Popen(worker, stderr=subprocess.DEVNULL, env=environment)
    yield address
    for process in (workers, scheduler):
        process.terminate()
        process.wait(timeout=30)
