"""Mapping over clips: order, failures, and equal bytes on one worker, many, and a Dask cluster."""

from __future__ import annotations

import hashlib
import os
import time

import numpy as np
import pytest

from ser_study.parallel import Failure, n_workers, parallel_map


def spectrum(seed: int) -> np.ndarray:
    if seed == 5:
        raise ValueError("Clip 5 is silent; leave it out.")
    signal = np.random.default_rng(seed).standard_normal(4096).astype(np.float32)
    return np.abs(np.fft.rfft(signal)).astype(np.float32) @ np.ones((2049, 3), np.float32)


def crash(item: int) -> int:
    if item == 3:
        os._exit(9)
    return item


def digest(results) -> str:
    sums = hashlib.sha256()
    for item, value in results:
        sums.update(repr(item).encode())
        sums.update(value.reason.encode() if isinstance(value, Failure) else value.tobytes())
    return sums.hexdigest()


def test_in_order_with_failures_in_their_place():
    results = list(parallel_map(spectrum, list(range(20)), jobs=2, batch=3))
    assert [item for item, _ in results] == list(range(20))
    failed = [(item, value) for item, value in results if isinstance(value, Failure)]
    assert failed == [(5, Failure("Clip 5 is silent; leave it out.", "ValueError"))]


def test_one_worker_and_two_and_any_batch_give_equal_bytes():
    items = list(range(40))
    expected = digest(parallel_map(spectrum, items, jobs=1))
    assert digest(parallel_map(spectrum, items, jobs=2, batch=7)) == expected
    assert digest(parallel_map(spectrum, items, jobs=1, apart=True, batch=1)) == expected


def test_cluster_gives_the_same_bytes(cluster):
    items = list(range(40))
    assert digest(parallel_map(spectrum, items, cluster=cluster)) == digest(parallel_map(spectrum, items, jobs=1))


def test_absent_cluster_says_how_to_start_one():
    with pytest.raises(ConnectionError, match="dask scheduler"):
        list(parallel_map(spectrum, [1, 2], cluster="tcp://127.0.0.1:9"))


def test_a_crashing_clip_fails_alone():
    results = dict(parallel_map(crash, list(range(12)), jobs=2, batch=4))
    assert isinstance(results[3], Failure)
    assert "crashed" in results[3].reason
    assert results[3].kind == ""
    assert [results[item] for item in range(12) if item != 3] == [0, 1, 2, *range(4, 12)]


def test_apart_never_runs_here():
    ((_, pid),) = parallel_map(_pid, [0], jobs=1, apart=True)
    assert pid != os.getpid()


def _pid(_: int) -> int:
    return os.getpid()


def test_number_of_workers():
    assert n_workers(3) == 3
    assert n_workers(0) >= 1
    with pytest.raises(ValueError, match="-1"):
        n_workers(-1)


def test_results_stream_before_the_end():
    started = time.monotonic()
    first = next(iter(parallel_map(_nap, list(range(6)), jobs=1, batch=1)))
    assert first[0] == 0
    assert time.monotonic() - started < 0.9


def _nap(item: int) -> int:
    time.sleep(0.2)
    return item
