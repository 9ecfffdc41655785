"""The feature registry and its cache: by content, resumable, equal however it was made."""

from __future__ import annotations

import dataclasses
import hashlib

import numpy as np
import pandas as pd
import pytest
import soundfile

import ser_study.store
from ser_study import config as settings
from ser_study import features
from ser_study.audio import augment, prepare, reading
from ser_study.experiments import Experiment, Selection, execute, ledger
from ser_study.features import cache
from ser_study.schema import CLIP_COLUMNS, FeatureSet
from ser_study.store import Store


@pytest.fixture
def voices(tmp_path):
    """A store with six short clips and their clips table."""
    return recorded(tmp_path, 6)


def recorded(tmp_path, n_clips: int):
    store = Store(tmp_path / "raw", tmp_path / "derived", tmp_path / "run", tmp_path)
    rows = []
    for number in range(n_clips):
        path = f"own/clip{number}.wav"
        time = np.arange(8000) / 16000
        signal = 0.3 * np.sin(2 * np.pi * (120 + 30 * number) * time) * np.hanning(len(time))
        (store.raw / "own").mkdir(parents=True, exist_ok=True)
        soundfile.write(store.raw / path, signal, 16000)
        sha = reading.sample_hash(prepare.read(store.raw / path)[0])
        rows.append({"clip_id": f"own/clip{number}", "corpus": "own", "path": path, "sha256": sha})
    return store, pd.DataFrame(rows)


def config(**run):
    return settings.load("demo", {f"run.{name}": value for name, value in run.items()})


@pytest.mark.parametrize("name", ["means184", "means180", "summary"])
def test_values_equal_the_extractor_called_directly(voices, name):
    store, clips = voices
    loaded = features.load(name, clips, config=config(jobs=1), store=store)
    feature = features.get(name)
    audio = getattr(config(), feature.audio)
    signal = prepare.load(store.raw / clips["path"][2], audio)
    expected = feature.extract(signal, audio.sample_rate, *[getattr(config(), option) for option in feature.options])
    assert loaded.clip_id.tolist() == clips["clip_id"].tolist()
    assert np.array_equal(loaded.values[2], expected)
    assert len(loaded.columns) == loaded.values.shape[1]


def test_image_feature_keeps_its_shape(voices):
    store, clips = voices
    loaded = features.load("log_mel", clips, config=config(jobs=1), store=store)
    assert loaded.values.shape == (6, 128, 128, 1)
    assert np.array_equal(loaded.values, features.load("log_mel", clips, config=config(), store=store).values)


def test_order_and_subset_follow_the_clips(voices):
    store, clips = voices
    everything = features.load("means184", clips, config=config(jobs=1), store=store)
    some = clips.iloc[[4, 1]]
    assert np.array_equal(
        features.load("means184", some, config=config(), store=store).values, everything.values[[4, 1]]
    )
    assert np.array_equal(everything.rows(np.array(["own/clip3"], dtype=object))[0], everything.values[3])
    with pytest.raises(ValueError, match="lack 1 of 1"):
        everything.rows(np.array(["own/absent"], dtype=object))


def test_new_clips_cost_only_themselves(voices, monkeypatch):
    store, clips = voices
    features.load("means184", clips.iloc[:4], config=config(jobs=1), store=store)
    seen = []
    original = features._extract
    monkeypatch.setattr(features, "_extract", lambda item, **rest: seen.append(item) or original(item, **rest))
    features.load("means184", clips, config=config(jobs=1), store=store)
    assert [path for _, path in seen] == ["own/clip4.wav", "own/clip5.wav"]
    features.load("means184", clips, config=config(jobs=1), store=store)
    assert len(seen) == 2


def block_bytes(store) -> str:
    (block,) = store.derived.glob("features/means184-*/own/block.parquet")
    return hashlib.sha256(block.read_bytes()).hexdigest()


def test_interrupted_extraction_ends_with_the_same_bytes(monkeypatch, tmp_path):
    store, clips = recorded(tmp_path, 12)
    features.load("means184", clips, config=config(jobs=1), store=store)
    whole = block_bytes(store)
    other = dataclasses.replace(store, derived=tmp_path / "second")
    monkeypatch.setattr(features, "GROUP", 2)
    original, calls = features._extract, []

    def dies(item, **rest):
        calls.append(item)
        if len(calls) == 10:  # in the second batch of eight
            raise KeyboardInterrupt
        return original(item, **rest)

    monkeypatch.setattr(features, "_extract", dies)
    with pytest.raises(KeyboardInterrupt):
        features.load("means184", clips, config=config(jobs=1), store=other)
    assert len(list(other.derived.rglob("part-*.parquet"))) == 4
    monkeypatch.setattr(features, "_extract", original)
    features.load("means184", clips, config=config(jobs=2), store=other)
    assert block_bytes(other) == whole


def test_damaged_block_is_made_again(voices, capsys):
    store, clips = voices
    expected = features.load("means184", clips, config=config(jobs=1), store=store).values
    (block,) = store.derived.glob("features/means184-*/own/block.parquet")
    block.write_bytes(block.read_bytes()[:200])
    assert np.array_equal(features.load("means184", clips, config=config(jobs=1), store=store).values, expected)


def test_failing_clip_is_named_and_the_others_stay(voices, capsys):
    store, clips = voices
    (store.raw / clips["path"][1]).write_text("not audio")
    loaded = features.load("means184", clips, config=config(jobs=1), store=store)
    assert loaded.clip_id.tolist() == [f"own/clip{n}" for n in (0, 2, 3, 4, 5)]
    said = capsys.readouterr().err
    assert "1 of 6 clips of own gave no means184" in said
    assert "clip1.wav" in said


def test_a_cluster_gives_the_same_bytes(voices, cluster):
    store, clips = voices
    features.load("summary", clips, config=config(jobs=1), store=store)
    far = dataclasses.replace(store, derived=store.derived / "far")
    features.load("summary", clips, config=config(cluster=cluster), store=far)
    near, remote = (next(s.derived.glob("features/summary-*/own/block.parquet")) for s in (store, far))
    assert near.read_bytes() == remote.read_bytes()


def test_settings_are_part_of_the_name_and_jobs_are_not(voices):
    store, clips = voices
    features.load("summary", clips, config=config(jobs=1), store=store)
    features.load("summary", clips, config=config(jobs=2), store=store)
    assert len(list(store.derived.glob("features/summary-*"))) == 1
    changed = settings.load("demo", {"frames.n_mels": 40, "run.jobs": 1})
    features.load("summary", clips, config=changed, store=store)
    assert len(list(store.derived.glob("features/summary-*"))) == 2


def test_variants_differ_from_the_clean_clip_and_repeat(voices):
    store, clips = voices
    clean = features.load("means184", clips, config=config(jobs=1), store=store)
    noisy = features.load("means184", clips, config=config(jobs=1), store=store, variant=1)
    assert noisy.variant.tolist() == [1] * 6
    assert not np.allclose(noisy.values, clean.values)
    signal = prepare.load(store.raw / clips["path"][0], config().audio)
    for number in (1, 2):
        one = augment.variant(signal, 16000, number, seed="a")
        assert np.array_equal(one, augment.variant(signal, 16000, number, seed="a"))
        assert not np.array_equal(one[:4000], augment.variant(signal, 16000, number, seed="b")[:4000])
    with pytest.raises(ValueError, match="variant 99"):
        augment.variant(signal, 16000, 99, seed="a")


def test_unknown_feature_lists_the_known():
    with pytest.raises(ValueError, match=r"nothing.*means184"):
        features.get("nothing")


def test_block_round_trip(tmp_path):
    block = cache.Block(
        np.array(["b", "a"], dtype=object), np.arange(12, dtype=np.float32).reshape(2, 2, 3), ("x",) * 3
    )
    cache.append(tmp_path, block)
    cache.consolidate(tmp_path, about={"feature": "test"})
    merged = cache.read(tmp_path)
    assert merged.keys.tolist() == ["a", "b"]
    assert np.array_equal(merged.values[1], block.values[0])
    assert [path.name for path in sorted(tmp_path.glob("*.parquet"))] == ["block.parquet"]


def test_parts_are_merged_some_rows_at_a_time(tmp_path, monkeypatch):
    """Whatever the parts, and a clip in two of them, the block is the same file; the first value of a clip stays."""
    keys = np.array([f"{number * 37 % 100:02d}" for number in range(100)], dtype=object)
    values = np.random.default_rng(0).normal(size=(100, 2, 3)).astype(np.float32)
    monkeypatch.setattr(cache, "AT_ONCE", 7 * values[0].nbytes)
    for name, cuts in (("one", [100]), ("many", [30, 31, 90, 100])):
        for start, end in zip([0, *cuts], cuts):
            cache.append(tmp_path / name, cache.Block(keys[start:end], values[start:end], ("x", "y", "z")))
    cache.append(tmp_path / "again", cache.Block(keys, values + 1, ("x", "y", "z")))
    (part,) = (tmp_path / "again").glob("part-*")
    part.rename(tmp_path / "many" / "part-later.parquet")
    for name in ("one", "many"):
        cache.consolidate(tmp_path / name, about={"feature": "test"})
    one, many = (tmp_path / name / cache.BLOCK for name in ("one", "many"))
    assert one.read_bytes() == many.read_bytes()
    merged = cache.read(tmp_path / "one")
    assert merged.keys.tolist() == sorted(keys)
    assert np.array_equal(merged.values, values[np.argsort(keys)])


def test_what_a_folder_lacks(tmp_path, capsys):
    block = cache.Block(np.array(["b", "a"], dtype=object), np.zeros((2, 5000), np.float32), ())
    wanted = pd.Series(["a", "c", "b"])
    assert cache.lacks(tmp_path, wanted).all()
    cache.append(tmp_path, block)
    for trusted in (True, False):
        assert cache.lacks(tmp_path, wanted, trusted=trusted).tolist() == [False, True, False]
    cache.consolidate(tmp_path, about={})
    content = (tmp_path / cache.BLOCK).read_bytes()
    (tmp_path / cache.BLOCK).write_bytes(content[: len(content) // 2])
    assert cache.lacks(tmp_path, wanted, trusted=True).all()
    assert (tmp_path / cache.BLOCK).is_file()  # whoever extracts removes it
    assert cache.lacks(tmp_path, wanted).all()
    assert not (tmp_path / cache.BLOCK).is_file()
    assert "extracted again" in capsys.readouterr().err


def test_extracting_for_later_reads_no_values(voices, monkeypatch):
    store, clips = voices
    options = {"config": config(jobs=1), "store": store}
    features.extract_missing("means184", clips.iloc[:4], **options)
    features.extract_missing("means184", clips, **options)
    monkeypatch.setattr(features, "_extract_all", None)
    features.extract_missing("means184", clips, **options)
    assert features.load("means184", clips, **options).clip_id.tolist() == clips["clip_id"].tolist()


def test_feature_set_checks_its_lengths():
    with pytest.raises(ValueError, match="2 clip ids, 1 variants"):
        FeatureSet("x", np.array(["a", "b"]), np.zeros(1), np.zeros((2, 3)))
    with pytest.raises(ValueError, match="2 column names for 3 columns"):
        FeatureSet("x", np.array(["a"]), np.zeros(1), np.zeros((1, 3)), ("p", "q"))


@pytest.mark.parametrize(("name", "width"), [("egemaps", 88), ("compare", 6373)])
def test_opensmile_runs_apart_and_stays_finite(voices, name, width):
    pytest.importorskip("opensmile", reason="the extra 'opensmile' is not installed")
    store, clips = voices
    soundfile.write(store.raw / clips["path"][0], np.zeros(800), 16000)  # 50 ms of silence
    loaded = features.load(name, clips, config=config(jobs=1), store=store)
    assert loaded.values.shape == (6, width)
    assert np.isfinite(loaded.values).all()
    assert len(set(loaded.columns)) == width
    again = dataclasses.replace(store, derived=store.derived / "two")
    assert np.array_equal(features.load(name, clips, config=config(jobs=2), store=again).values, loaded.values)


def test_values_made_with_another_version_of_a_library_are_made_again(monkeypatch, store):
    """openSMILE, onnxruntime and noisereduce are part of the key where they make the numbers, and only there."""
    config = settings.load("demo")
    made = {name: features.get(name).made_with(config) for name in ("summary", "egemaps", "moonshine", "campplus")}
    assert "opensmile" not in made["summary"]
    assert {"opensmile", "librosa", "soxr"} <= set(made["egemaps"])
    assert "onnxruntime" in made["moonshine"]
    assert "onnxruntime" in made["campplus"]
    assert not {"keras", "tensorflow"} & set(made["campplus"]), "the Keras network is for training"
    gated = settings.load("demo", {"audio.denoise": True})
    assert set(features.get("summary").made_with(gated)) - set(made["summary"]) == {"noisereduce"}
    old = execute_key(store, config)
    real = ser_study.store._version
    monkeypatch.setattr(ser_study.store, "_version", lambda name: "99" if name == "librosa" else real(name))
    assert features.get("summary").made_with(config)["librosa"] == "99"
    new = execute_key(store, config)
    assert old != new
    assert ledger.declaration_of(old) == ledger.declaration_of(new), "a new library is no new declaration"


def execute_key(store, config) -> dict:
    clips = pd.DataFrame({"clip_id": ["own/1"], "emotion": ["sad"]}).reindex(columns=list(CLIP_COLUMNS))
    part = Selection("own", clips, clips.iloc[:0])
    one = Experiment("own", "random", "summary", "logistic")
    return dict(execute.make(one, {"own": part}, None, config, store).cache_key)


def test_what_cannot_be_had_is_noted_for_the_page(monkeypatch, tmp_path):
    monkeypatch.setenv(ser_study.store.WRITTEN, str(tmp_path / "noted"))
    monkeypatch.setattr(features.Feature, "lacks", lambda feature: "no library")
    with pytest.raises(ImportError, match="no library"):
        features.get("moonshine").fetch()
    assert (tmp_path / "noted").read_text() == "absent moonshine\n"
    assert not features.get("moonshine").is_here()
