"""What ``scaling.py`` makes and says: clips in shards, and the line through two sizes."""

from __future__ import annotations

import pandas as pd
import scaling

from ser_study import schema
from ser_study.config import Synthetic
from ser_study.corpora import scan, synthetic


def result(clips: int, **stage: float) -> dict:
    stage = {"seconds": 1.0, "cpu_client": 1.0, "cpu_scheduler": 1.0, "cpu_worker": 1.0, "client": 100} | stage
    stages = {name: stage | {"scheduler": 100, "worker": 100} for name in ("tables", "features", "experiment")}
    return {"clips": clips, "tables": clips / 1e4, "stages": stages}


def test_ten_times_as_many_are_predicted_from_the_last_two_sizes(monkeypatch):
    monkeypatch.setattr(scaling, "LARGE", 1_000_000)
    small, large = result(10_000, cpu_worker=20.0), result(100_000, cpu_worker=720.0, client=118)
    text = scaling.markdown([large, small, result(1_000, cpu_worker=7777.0)])
    (line,) = [line for line in text.splitlines() if line.startswith("| 1,000,000, predicted | features")]
    assert line.split(" | ")[2:6] == ["10 s", "7,200 s", "10 s", "10 s"]
    assert line.split(" | ")[7] == "298 MiB"  # 118 + 10 × 18
    assert "1 MiB at 10,000 clips and 10 MiB at 100,000. Beyond them it needs at most 99 and 108 MiB" in text
    assert "are made: +9.1%." in text
    assert "Features take 2 hours of one core" in text
    assert "more than about 720 workers" in text


def test_a_shard_is_made_once_and_is_what_its_table_says(tmp_path, monkeypatch):
    monkeypatch.setattr(scaling, "SHARD", 6)
    monkeypatch.setattr(scaling, "A_SPEAKER", 3)
    voices = synthetic.generate(tmp_path / "voices", Synthetic(n_speakers=1, n_statements=1, n_repetitions=1))
    scaling.shard(1, folder=tmp_path, voices=voices)
    clips = pd.read_parquet(scaling._shard_file(tmp_path, 1))
    schema.check_clips(clips)
    assert clips["speaker"].tolist() == ["own/00002"] * 3 + ["own/00003"] * 3
    assert clips["sha256"].is_unique
    measured = scan.measure(clips["path"][4], base=str(tmp_path / "raw"))
    assert (measured["sha256"], measured["duration"]) == (clips["sha256"][4], 0.5)
    (tmp_path / "raw" / clips["path"][4]).unlink()
    scaling.shard(1, folder=tmp_path, voices=voices)
    assert not (tmp_path / "raw" / clips["path"][4]).exists()
