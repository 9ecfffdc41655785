"""Speed of the live server: clients that stream at once, and recordings sent one after another.

Run on a bundle and a recording with ``python tests/benchmarks/test_live_speed.py BUNDLE CLIP --clients 20``, or with
``pytest tests/benchmarks/test_live_speed.py -s`` on a synthetic recogniser. Clients stream in real time, in chunks of
100 ms; the latency of a window is the time from sending the chunk that completes it to its answer. Processor time is
that of the server and its worker alone, so it counts on a busy machine too. Times are printed, not asserted.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from live_server import clip_paths, fitted, served

CHUNK = 0.1  # s
SHORT = 3.0  # s of the recording that is sent as a file


async def client(address: str, samples: np.ndarray, rate: int, seconds: float, delay: float) -> dict:
    """One client that streams in real time; what it saw."""
    import websockets

    await asyncio.sleep(delay)
    facts, sent = {"latencies": [], "dropped": 0, "whole": False}, []
    async with websockets.connect(f"{address.replace('http', 'ws', 1)}v1/stream", open_timeout=60) as connection:
        await connection.send(json.dumps({"sample_rate": rate}))
        await connection.recv()

        async def read() -> None:
            async for text in connection:
                row = json.loads(text)
                if row["type"] == "window" and row["end"] <= len(sent) * CHUNK + 1e-6:
                    number = int(np.ceil(row["end"] / CHUNK - 1e-6)) - 1
                    facts["latencies"].append(time.perf_counter() - sent[number])
                facts["dropped"] = row.get("dropped", facts["dropped"])
                facts["whole"] = row["type"] == "end"

        reading = asyncio.create_task(read())
        start, size = time.perf_counter(), round(CHUNK * rate)
        for number in range(round(seconds / CHUNK)):
            await asyncio.sleep(max(0.0, start + (number + 1) * CHUNK - time.perf_counter()))
            chunk = np.take(samples, np.arange(number * size, (number + 1) * size), mode="wrap")
            sent.append(time.perf_counter())
            await connection.send(chunk.astype("<f4").tobytes())
        await connection.send('{"end": true}')
        await reading
    return facts


async def streams(address: str, samples: np.ndarray, rate: int, n_clients: int, seconds: float) -> list[dict]:
    """What some clients at once saw; their windows do not end at the same moment."""
    delays = np.linspace(0, 0.5, n_clients, endpoint=False)
    return await asyncio.gather(*[client(address, samples, rate, seconds, delay) for delay in delays])


def posts(address: str, samples: np.ndarray, rate: int, n_requests: int, folder: Path) -> np.ndarray:
    """Seconds of some requests with a file of ``SHORT`` seconds, one after another."""
    import soundfile

    path = folder / "short.wav"
    soundfile.write(path, np.resize(samples, round(SHORT * rate)), rate, subtype="PCM_16")
    content, taken = path.read_bytes(), []
    for _ in range(n_requests):
        request = urllib.request.Request(f"{address}v1/predict?timeline=false", content, method="POST")
        start = time.perf_counter()
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert json.load(answer)["channels"]
        taken.append(time.perf_counter() - start)
    return np.array(taken)


def processor_time(pid: int) -> float:
    """Seconds of a process and of the children that run."""
    total = 0.0
    for one in [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]:
        fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def measure(bundle: Path, clip: Path, folder: Path, *, clients: int, seconds: float, requests: int) -> dict[str, float]:
    """All figures of one recogniser."""
    from ser_study.audio import reading

    samples, rate = reading.read(clip)
    samples = samples[:, 0]
    with served(bundle, limits={"requests": 100_000, "streams": 64, "streams_per_client": 64}) as (address, process):
        posts(address, samples, rate, 2, folder)
        before = processor_time(process.pid)
        taken = posts(address, samples, rate, requests, folder)
        after = processor_time(process.pid)
        rows = asyncio.run(streams(address, samples, rate, clients, seconds))
        end = processor_time(process.pid)
    timed = np.concatenate([row["latencies"] for row in rows])
    latencies = timed if len(timed) else np.array([np.nan])  # a busy machine may drop all windows but the last ones
    dropped = sum(row["dropped"] for row in rows)
    return {
        "post_p50_ms": 1000 * np.median(taken),
        "post_best_ms": 1000 * taken.min(),
        "post_cpu_ms": 1000 * (after - before) / requests,
        "clients": clients,
        "clients_to_the_end": sum(row["whole"] for row in rows),
        "windows": len(timed),
        "dropped": dropped,
        "p50_ms": 1000 * np.percentile(latencies, 50),
        "p95_ms": 1000 * np.percentile(latencies, 95),
        "worst_ms": 1000 * latencies.max(),
        "cpu_ms_a_window": 1000 * (end - after) / (len(timed) + 1e-9),
        "cores_used": (end - after) / (seconds + 0.5),
    }


def shown(facts: dict[str, float]) -> str:
    """Figures as lines."""
    return "\n".join(f"{name:>20} {value:10.2f}" for name, value in facts.items())


def test_streams_and_files_are_answered(small_study, tmp_path, capsys, request):
    pytest.importorskip("starlette", reason="the extra 'live' is not installed")
    long = request.config.getoption("capture") == "no"
    options = {"clients": 20, "seconds": 60.0, "requests": 50} if long else {"clients": 3, "seconds": 3, "requests": 3}
    bundle = fitted(small_study).save(tmp_path / "small.npz")
    facts = measure(bundle, clip_paths(small_study)[0], tmp_path, **options)
    with capsys.disabled():
        print(f"\n{shown(facts)}")
    assert facts["clients_to_the_end"] == options["clients"]
    assert facts["windows"] + facts["dropped"] >= options["clients"] * (2 * options["seconds"] - 2)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--requests", type=int, default=100)
    chosen = vars(parser.parse_args())
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        print(shown(measure(chosen.pop("bundle"), chosen.pop("clip"), Path(folder), **chosen)))
