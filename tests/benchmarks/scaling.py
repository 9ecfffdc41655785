"""Thousands to a hundred thousand clips through features and one experiment on a Dask cluster: time and memory.

    python tests/benchmarks/scaling.py --folder DIR --write docs/scaling.md

Each size has a fresh scheduler, fresh worker processes and a fresh client. Clips are made in shards by the workers:
voices of the built-in corpus under noise, one file each, with speakers that are names only, so the score means nothing.
Memory is the highest resident set of a process during a stage, which Linux keeps and forgets when it is asked to.
What is finished is kept in the folder: shards, features, predictions, and a line a size in ``results.jsonl``. Run again
to continue; a size that is in ``results.jsonl`` is not measured again. Of a size that was interrupted only the rest is
measured: remove ``DIR/<clips>/derived`` for all of it.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.io import wavfile

from ser_study import config as settings
from ser_study import features, schema
from ser_study.config import Synthetic
from ser_study.corpora import scan, synthetic
from ser_study.experiments import Experiment, Selection
from ser_study.parallel import Failure, parallel_map
from ser_study.store import Store, locked, write_table
from ser_study.study import Study

SIZES, LARGE = (1_000, 10_000, 100_000), 10_000_000
SHARD, A_SPEAKER = 1_000, 100  # clips
RATE, SECONDS, LOUD = 16_000, 0.5, 0.003  # Hz, length of a clip, noise under it
VOICES = Synthetic(n_speakers=2, n_statements=2, n_repetitions=1)
EXPERIMENT = Experiment("own", "speaker_independent", "means180", "lda")
RESULTS = "results.jsonl"
TABLE = re.compile(r"(<!-- results[^\n]*-->\n).*?(<!-- /results -->)", re.DOTALL)


def shard(number: int, *, folder: Path, voices: Path) -> None:
    """Make one shard of clips and their table, unless it is there; runs on a worker."""
    if (done := _shard_file(folder, number)).is_file():
        return
    takes = [(synthetic.STEM.fullmatch(path.stem), wavfile.read(path)[1]) for path in sorted(voices.glob("*.wav"))]
    rows = []
    for clip in range(number * SHARD, (number + 1) * SHARD):
        who, (name, samples) = clip // A_SPEAKER, takes[clip % len(takes)]
        path = f"own/{who:05d}/{clip:08d}.wav"
        noise = LOUD * 32767 * np.random.default_rng(clip).standard_normal(round(SECONDS * RATE))
        (folder / "raw" / path).parent.mkdir(parents=True, exist_ok=True)
        wavfile.write(folder / "raw" / path, RATE, np.rint(np.resize(samples, len(noise)) * 0.9 + noise).astype("<i2"))
        row = {"clip_id": path.removesuffix(".wav"), "corpus": "own", "speaker": f"own/{who:05d}"}
        row |= {"emotion": name["emotion"], "statement": f"own/{name['statement']}"}
        rows.append(row | scan.measure(path, base=str(folder / "raw")))
    table = pd.DataFrame(rows).reindex(columns=list(schema.CLIP_COLUMNS))
    write_table(done, schema.check_clips(table), about={"shard": number})


def _shard_file(folder: Path, number: int) -> Path:
    return folder / "shards" / f"{number:05d}.parquet"


def usage() -> tuple[float, float]:
    """Highest resident memory of this process in MiB since this was last asked, and its seconds of processor time; runs
    in any process."""
    status = Path("/proc/self/status").read_text("utf-8")
    Path("/proc/self/clear_refs").write_text("5", "utf-8")
    return int(re.search(r"VmHWM:\s*(\d+)", status)[1]) / 1024, time.process_time()


@contextmanager
def cluster(n_workers: int):
    """A scheduler and workers on the loopback address."""
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0"]
    scheduler = subprocess.Popen([*command, "--no-dashboard"], stderr=subprocess.PIPE, text=True)
    address = next(line.split()[-1] for line in scheduler.stderr if "Scheduler at:" in line)
    command = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nworkers", str(n_workers)]
    command += ["--nthreads", "1", "--no-dashboard", "--host", "127.0.0.1"]
    workers = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        yield address
    finally:
        for process in (workers, scheduler):
            process.terminate()
            process.wait(timeout=60)


class Meter:
    """Seconds, seconds of processor time, and memory (MiB) of each stage."""

    def __init__(self, address: str, n_workers: int) -> None:
        self.address, self.n_workers, self.stages = address, n_workers, {}

    @contextmanager
    def stage(self, name: str):
        """Measure what is done inside."""
        _, before = self._usage()
        start = time.monotonic()
        yield
        seconds = round(time.monotonic() - start, 1)
        memory, after = self._usage()
        spent = {f"cpu_{who}": round(after[who] - before[who], 1) for who in after}
        self.stages[name] = {"seconds": seconds, **spent, **memory}
        print(name, self.stages[name], flush=True)

    def _usage(self) -> tuple[dict[str, int], dict[str, float]]:
        """Memory (of the largest worker) and processor time (of all workers) of each process."""
        from dask.distributed import Client

        mine = usage()
        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(self.n_workers)
            workers, scheduler = list(client.run(usage).values()), client.run_on_scheduler(usage)
        usage()  # what asking took is no part of the next stage
        memory, spent = zip(mine, scheduler, [max(m for m, _ in workers), sum(seconds for _, seconds in workers)])
        names = ("client", "scheduler", "worker")
        return dict(zip(names, map(round, memory))), dict(zip(names, spent))


def make_clips(n_clips: int, folder: Path, n_workers: int) -> None:
    """Make the shards of a size that are missing, on a cluster of their own."""
    todo = [number for number in range(n_clips // SHARD) if not _shard_file(folder, number).is_file()]
    if todo:
        make = partial(shard, folder=folder, voices=synthetic.generate(folder.parent / "voices", VOICES))
        with cluster(n_workers) as address:
            made = parallel_map(make, todo, cluster=address, label="clips", unit="shards", batch=1)
            if failed := [value.reason for _, value in made if isinstance(value, Failure)]:
                raise RuntimeError(failed[0])


def measured(n_clips: int, folder: Path, n_workers: int) -> dict:
    """One size: reading the clips' tables, features, the experiment."""
    store = Store(folder / "raw", folder / "derived", folder / "reports" / "run", folder)
    with cluster(n_workers) as address:
        config, meter = settings.load("demo", {"run.cluster": address, "corpora": "own"}), Meter(address, n_workers)
        with meter.stage("tables"):
            files = [_shard_file(folder, number) for number in range(n_clips // SHARD)]
            clips = pd.concat([pd.read_parquet(file) for file in files], ignore_index=True)
            study = Study(config, store, {"own": Selection("own", clips, clips.iloc[:0])})
        with meter.stage("features"):
            features.extract_missing(EXPERIMENT.feature, clips, config=config, store=store)
        with meter.stage("experiment"):
            uar = study.scores([EXPERIMENT]).set_index("metric").at["uar", "value"]
    about = {"clips": len(clips), "speakers": int(clips["speaker"].nunique()), "workers": n_workers, "uar": float(uar)}
    return about | {"tables": round(clips.memory_usage(deep=True).sum() / 2**20, 1), "stages": meter.stages}


def markdown(results: list[dict]) -> str:
    """The sizes, what they say of ``LARGE`` clips, and what the client needs beyond its tables."""
    results = sorted(results, key=lambda one: one["clips"])
    head = "| clips | stage | time | processor: workers | client | scheduler | memory: worker | client | scheduler |"
    lines = [head, "|---" * 9 + "|"]
    lines += [_line(f"{one['clips']:,}", name, stage) for one in results for name, stage in one["stages"].items()]
    if len(results) > 1:
        *_, small, large = results
        predicted = {name: _predicted(name, small, large) for name in large["stages"]}
        lines += [_line(f"{LARGE:,}, predicted", name, stage) for name, stage in predicted.items()]
        lines += ["", _flatness(small, large), "", _needs(predicted, large["tables"] * LARGE / large["clips"])]
    return "\n".join(lines) + "\n"


def _flatness(small: dict, large: dict) -> str:
    before, after = beyond_tables(small), beyond_tables(large)
    return (
        f"**Memory of the client.** Its tables take {small['tables']:.0f} MiB at {small['clips']:,} clips and "
        f"{large['tables']:.0f} MiB at {large['clips']:,}. Beyond them it needs at most {before:.0f} and {after:.0f} "
        f"MiB while features and the experiment are made: {after / before - 1:+.1%}."
    )


def _needs(predicted: dict[str, dict], tables: float) -> str:
    hours = {who: predicted["features"][f"cpu_{who}"] / 3600 for who in ("worker", "client", "scheduler")}
    fit, memory = predicted["experiment"], max(stage["client"] for stage in predicted.values())
    most = hours["worker"] / max(hours["client"], hours["scheduler"])
    return (
        f"**{LARGE:,} clips.** Features take {hours['worker']:.0f} hours of one core at the workers, and "
        f"{hours['client']:.1f} and {hours['scheduler']:.1f} hours at the client and the scheduler, each a process on "
        f"one core: more than about {most:.0f} workers would wait for these. The experiment takes "
        f"{fit['cpu_worker'] / 3600:.1f} hours and {fit['worker'] / 1024:.0f} GiB at one worker. The client needs "
        f"{memory / 1024:.1f} GiB, its tables alone {tables / 1024:.1f}; the scheduler {fit['scheduler']:,.0f} MiB."
    )


def beyond_tables(result: dict) -> float:
    """Highest memory of the client in MiB while features and the experiment are made, without its tables."""
    return max(result["stages"][name]["client"] for name in ("features", "experiment")) - result["tables"]


def _line(clips: str, name: str, stage: dict) -> str:
    spent = [f"{stage[f'cpu_{who}']:,.0f} s" for who in ("worker", "client", "scheduler")]
    memory = [f"{stage[who]:,.0f} MiB" for who in ("worker", "client", "scheduler")]
    seconds = f"{stage['seconds']:,.0f} s"
    return f"| {' | '.join([clips, name, seconds, *spent, *memory])} |"


def _predicted(name: str, small: dict, large: dict) -> dict[str, float]:
    """A stage of ``LARGE`` clips: times in proportion to the larger size, memory on the line through both."""
    one, two = small["stages"][name], large["stages"][name]
    steps = (LARGE - large["clips"]) / (large["clips"] - small["clips"])
    is_time = {key: key == "seconds" or key.startswith("cpu_") for key in two}
    return {
        key: two[key] * LARGE / large["clips"] if is_time[key] else two[key] + steps * max(0, two[key] - one[key])
        for key in two
    }


def read(folder: Path) -> list[dict]:
    """What was measured."""
    file = folder / RESULTS
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()] if file.is_file() else []


def main() -> None:
    """Measure the sizes that were not, each in a process of its own, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True, help="for clips (16 kB each), features and results")
    parser.add_argument("--clips", type=int, nargs="+", default=SIZES, help="sizes; whole thousands")
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--write", type=Path, help="a page whose table of results is replaced")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    folder = given.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    if given.here:
        (n_clips,) = given.clips
        result = measured(n_clips, folder / str(n_clips), given.workers)
        with (folder / RESULTS).open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(result) + "\n")
        return
    with locked(folder / RESULTS):  # two at a time would measure each other
        for n_clips in sorted(set(given.clips) - {one["clips"] for one in read(folder)}):
            make_clips(n_clips, folder / str(n_clips), given.workers)
            options = ["--folder", str(folder), "--clips", str(n_clips), "--workers", str(given.workers), "--here"]
            subprocess.run([sys.executable, os.path.abspath(__file__), *options], check=True)
    print(table := markdown(read(folder)))
    if given.write:
        page = given.write.read_text("utf-8")
        given.write.write_text(TABLE.sub(lambda match: match[1] + table + match[2], page), "utf-8")


if __name__ == "__main__":
    main()
