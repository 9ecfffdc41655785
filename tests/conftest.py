"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ser_study.store import Store

PROJECT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def corpora_dir() -> Path:
    """Folder with real audio; without one the test is skipped with its reason."""
    folder = Path(os.environ.get("SER_STUDY_DATA") or PROJECT / "data" / "raw")
    if not any(folder.glob("*/**/*.ogg")) and not any(folder.glob("*/**/*.wav")):
        pytest.skip(f"no audio below {folder.name}/: set SER_STUDY_DATA or fill data/raw")
    return folder


@pytest.fixture
def store(tmp_path) -> Store:
    """A store in a temporary folder."""
    return Store(tmp_path / "raw", tmp_path / "derived", tmp_path / "run", PROJECT)
