"""Artefacts: found again, whole or absent, shared by two processes."""

from __future__ import annotations

import errno
import multiprocessing
import os
import time

import pandas as pd
import pytest

from ser_study import store as stores
from ser_study.store import Store


def table(n: int) -> pd.DataFrame:
    return pd.DataFrame({"n": [n]})


def test_second_call_makes_nothing(store):
    calls = []
    for _ in range(2):
        cached = store.cached("a/b", {"x": 1}, lambda: calls.append(1) or table(1))
    assert len(calls) == 1
    assert cached["n"].tolist() == [1]
    assert (store.path("a/b", {"x": 1}, ".json")).read_text().strip() == '{\n "x": 1\n}'


def test_table_from_the_cache_is_read_once(store, monkeypatch):
    store.cached("clips/a", {"version": 1}, lambda: pd.DataFrame({"x": [1]}))
    read = []
    real = pd.read_parquet
    monkeypatch.setattr(pd, "read_parquet", lambda path, **options: read.append(path) or real(path, **options))
    assert store.cached("clips/a", {"version": 1}, pytest.fail)["x"].tolist() == [1]
    assert len(read) == 1


def test_another_key_is_another_artefact(store):
    store.cached("a", {"x": 1}, lambda: table(1))
    assert store.cached("a", {"x": 2}, lambda: table(2))["n"].item() == 2
    assert store.cached("a", {"x": 1}, lambda: table(9))["n"].item() == 1


def test_force_makes_again(tmp_path):
    Store(tmp_path, tmp_path, tmp_path / "run", tmp_path).cached("a", {}, lambda: table(1))
    os.utime(Store(tmp_path, tmp_path, tmp_path / "run", tmp_path).path("a", {}, ".parquet"), (0, 0))
    forced = Store(tmp_path, tmp_path, tmp_path, tmp_path, fresh_since=time.time() - 60)
    assert forced.cached("a", {}, lambda: table(2))["n"].item() == 2
    assert forced.cached("a", {}, lambda: table(3))["n"].item() == 2, "once in a forced run is enough"


def test_damaged_file_is_set_aside_and_made_again(store, capsys):
    store.cached("a", {}, lambda: table(1))
    path = store.path("a", {}, ".parquet")
    path.write_bytes(path.read_bytes()[:40])
    assert store.cached("a", {}, lambda: table(2))["n"].item() == 2
    assert "damaged" in capsys.readouterr().err
    assert path.with_suffix(".damaged").is_file()


def test_failing_maker_leaves_nothing(store):
    with pytest.raises(ZeroDivisionError):
        store.cached("a", {}, lambda: 1 / 0)
    assert not store.path("a", {}, ".parquet").exists()


def test_full_disk_says_what_to_do_and_leaves_nothing_half_written(store, monkeypatch):
    def full(self, path, **options):
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(pd.DataFrame, "to_parquet", full)
    with pytest.raises(OSError, match="No space left on device.*Free some space") as caught:
        store.cached("a", {}, lambda: table(1))
    assert caught.value.errno == errno.ENOSPC
    assert not list(store.derived.rglob("*.parquet")) + list(store.derived.rglob("*.part"))


def test_folder_that_is_a_file_is_a_clear_error(tmp_path):
    (tmp_path / "derived").write_text("in the way")
    with pytest.raises(OSError, match="derived"):
        Store(tmp_path, tmp_path / "derived", tmp_path, tmp_path).cached("a", {}, lambda: table(1))


def _slow_maker(folder, results):
    shared = Store(folder, folder, folder, folder)

    def make():
        (folder / f"made-{os.getpid()}").touch()
        time.sleep(0.5)
        return table(os.getpid())

    results.put(int(shared.cached("a", {}, make)["n"].item()))


def test_two_processes_make_it_once_and_agree(tmp_path):
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    workers = [context.Process(target=_slow_maker, args=(tmp_path, results)) for _ in range(2)]
    for worker in workers:
        worker.start()
    found = [results.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join()
    assert found[0] == found[1]
    assert len(list(tmp_path.glob("made-*"))) == 1


def test_open_folders_places_things(tmp_path, monkeypatch):
    monkeypatch.delenv("SER_STUDY_DATA", raising=False)
    config, opened = stores.open_folders("demo", {"seed": 1})
    assert opened.run.name == config.run_name
    assert opened.raw == opened.project / "data" / "raw"
    assert stores.open_folders("demo", None, str(tmp_path))[1].raw == tmp_path
    with pytest.raises(FileNotFoundError, match="data folder"):
        stores.open_folders("demo", None, str(tmp_path / "absent"))
