"""Packs: the study runs from clips and features alone, and nothing stale or damaged is used."""

from __future__ import annotations

import hashlib
import json
import zipfile

import numpy as np
import pandas as pd
import pytest
import soundfile

from ser_study import cli, corpora, features, packs
from ser_study import config as settings
from ser_study.chapters.corpus import sounds
from ser_study.chapters.features import frames
from ser_study.corpora import audit, packed
from ser_study.experiments import folds, selections
from ser_study.experiments.experiment import Experiment
from ser_study.store import Store
from ser_study.study import Study

ONE = {"run.jobs": 1, "benchmark.features": "summary", "benchmark.large_features": ""}
ONE |= {"benchmark.wide_features": "", "benchmark.encoders": "", "benchmark.joint_features": ""}
RATE = 16_000  # Hz


def a_store(folder, project=None) -> Store:
    (folder / "raw").mkdir(parents=True, exist_ok=True)
    return Store(folder / "raw", folder / "derived", folder / "run", project or folder)


@pytest.fixture(scope="module")
def config():
    return settings.load("full", ONE)


@pytest.fixture(scope="module")
def origin(tmp_path_factory):
    """A data folder with a few made-up clips under EMO-DB's names; one is silent, one a duplicate."""
    store = a_store(tmp_path_factory.mktemp("origin"))
    folder, random = store.raw / "emodb" / "wav", np.random.default_rng(0)
    folder.mkdir(parents=True)
    time = np.arange(RATE // 2) / RATE
    for number, stem in enumerate(["03a01Fa", "03a01Wa", "08a01Fa", "08a01Wa", "09a02Na", "09a02Ta"]):
        tone = 0.3 * np.sin(2 * np.pi * (120 + 30 * number) * time) + 0.01 * random.standard_normal(len(time))
        soundfile.write(folder / f"{stem}.wav", 0 * tone if stem == "09a02Ta" else tone, RATE)
    (folder / "10a02Na.wav").write_bytes((folder / "09a02Na.wav").read_bytes())
    (store.raw / "emodb" / "erkennung.txt").write_text("1 03a01Fa.wav 90,00\n2 03a01Wa.wav 70,00\n")
    return store


@pytest.fixture(scope="module")
def made(origin, config):
    """The pack of those clips: summary with two augmented variants, means184 plain."""
    return packs.write("emodb", config=config, store=origin, names=["summary", "means184"])


@pytest.fixture
def away(tmp_path, made):
    """A data folder without audio that holds the pack."""
    store = a_store(tmp_path / "away")
    (store.raw / "emodb.pack.zip").write_bytes(made.read_bytes())
    return store


def rewrite(path, member, change):
    """The pack with one member changed, its zip checksums valid again."""
    with zipfile.ZipFile(path) as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    held[member] = change(held[member])
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in held.items():
            if content is not None:
                archive.writestr(name, content)


def forged(change):
    """A changed manifest that claims to be unchanged, as another version of this package would write it."""

    def apply(content):
        manifest = json.loads(content)
        change(manifest)
        del manifest["check"]
        return json.dumps(manifest | {"check": settings.fingerprint(manifest)}).encode()

    return apply


def test_a_pack_holds_hashed_tables_and_no_audio(made):
    with zipfile.ZipFile(made) as archive:
        names = archive.namelist()
        assert sorted(names) == [
            "clips.parquet",
            "features/means184.parquet",
            "features/summary-variant1.parquet",
            "features/summary-variant2.parquet",
            "features/summary.parquet",
            "manifest.json",
        ]
        manifest = json.loads(archive.read("manifest.json"))
        for about in (manifest["clips"], *manifest["features"]):
            assert hashlib.sha256(archive.read(about["member"])).hexdigest() == about["sha256"]
        assert not any(b"RIFF" in archive.read(name) or b"OggS" in archive.read(name) for name in names)
    assert manifest["clips"]["n"] == 7
    assert {about["n"] for about in manifest["features"]} == {5}  # one clip is silent, one a copy
    assert "CC BY 4.0" in manifest["notice"]


def test_equal_content_gives_equal_bytes(made, origin, config, tmp_path):
    again = packs.write(
        "emodb", config=config, store=origin, names=["summary", "means184"], target=tmp_path / "again.zip"
    )
    assert again.read_bytes() == made.read_bytes()


def test_clips_audit_and_every_feature_come_from_the_pack(origin, away, config):
    assert corpora.present(away.raw) == ["emodb"]
    assert corpora.state("emodb", away) == "pack"
    assert corpora.state("emodb", origin) == "here"
    there, here = (corpora.load("emodb", config=config, store=store) for store in (origin, away))
    pd.testing.assert_frame_equal(there, here)
    assert here.set_index("clip_id").loc["emodb/03a01Wa", "human_recognition"] == pytest.approx(0.7)
    pd.testing.assert_frame_equal(
        *(corpora.scanned("emodb", config=config, store=store).astype(object) for store in (origin, away))
    )
    audits = [audit.validate(store, config, ["emodb"]) for store in (origin, away)]
    pd.testing.assert_frame_equal(audits[0][0], audits[1][0])
    pd.testing.assert_frame_equal(audits[0][1], audits[1][1])
    clips, _ = corpora.analysed(here)
    for name, variant in (("summary", 0), ("summary", 1), ("summary", 2), ("means184", 0)):
        one, two = (features.load(name, clips, config=config, store=store, variant=variant) for store in (origin, away))
        assert np.array_equal(one.values, two.values)
        assert (one.clip_id == two.clip_id).all()
        assert one.columns == two.columns
    first = features.load("summary", clips, config=config, store=away).values
    assert not np.array_equal(first, features.load("summary", clips, config=config, store=away, variant=1).values)


def test_what_needs_the_sound_says_so(away, config):
    study = Study(config, away, selections.load_selections(config, away))
    clips = corpora.load("emodb", config=config, store=away)
    clip = frames.example(study)
    assert frames.frame_by_frame(study, clip) == {}
    assert sounds.examples(study, clips) == sounds.by_intensity(study, clips) == []
    assert study.with_audio().selections == {}
    assert "no waveforms" in study.without_audio("emodb")
    with pytest.raises(FileNotFoundError, match="pack only; packs are made where the audio is"):
        packs.write("emodb", config=config, store=away)


def test_audio_beside_a_pack_wins(origin, config, tmp_path):
    store = a_store(tmp_path)
    (store.raw / "emodb.pack.zip").write_bytes(b"never opened")
    (store.raw / "emodb").mkdir()
    assert corpora.state("emodb", store) == "pack"  # an empty folder is no audio
    wav = origin.raw / "emodb" / "wav" / "03a01Fa.wav"
    (store.raw / "emodb" / wav.name).write_bytes(wav.read_bytes())
    clips = corpora.load("emodb", config=config, store=store)
    assert list(clips["clip_id"]) == ["emodb/03a01Fa"]
    assert features.load("summary", clips, config=config, store=store).values.shape[0] == 1
    assert corpora.without_audio("emodb", store) == ""


@pytest.mark.parametrize(
    ("overrides", "name", "variant", "words"),
    [
        ({"means184_audio.trim_top_db": 40.0}, "means184", 0, "with audio.trim_top_db=60.0, this run asks .*=40.0;"),
        ({"audio.trim": False, "frames.n_mels": 40}, "summary", 0, "this run asks audio.trim=False, frames.n_mels=40;"),
        ({}, "egemaps", 0, r"holds no feature egemaps \(it holds summary, means184\)"),
        ({}, "means184", 1, r"no augmented variant 1 of means184; .* pack emodb --features means184 --variants 2"),
        ({}, "summary", 3, r"no augmented variant 3 of summary; .* --variants 3"),
    ],
)  # fmt: skip
def test_features_made_otherwise_are_refused(away, overrides, name, variant, words):
    config = settings.load("full", ONE | overrides)
    clips, _ = corpora.analysed(corpora.load("emodb", config=config, store=away))
    with pytest.raises(ValueError, match=words):
        features.load(name, clips, config=config, store=away, variant=variant)


def test_another_version_of_a_feature_is_refused(away, config):
    def older(manifest):
        for entry in manifest["features"]:
            entry["settings"]["version"] -= 1
            entry["fingerprint"] = settings.fingerprint(entry["settings"])

    rewrite(away.raw / "emodb.pack.zip", "manifest.json", forged(older))
    clips, _ = corpora.analysed(corpora.load("emodb", config=config, store=away))
    now = features.get("summary").version
    with pytest.raises(ValueError, match=f"made with version={now - 1}, this run asks version={now}"):
        features.load("summary", clips, config=config, store=away)


@pytest.mark.parametrize(
    ("member", "change", "words"),
    [
        ("manifest.json", lambda content: content.replace(b"emodb", b"emodc", 1), r"\(manifest.json: it was changed"),
        ("manifest.json", lambda content: None, "damaged .manifest.json: There is no item"),
        ("manifest.json", lambda content: b"[]", "not the list of a pack"),
        (
            "manifest.json",
            forged(lambda manifest: manifest.update(pack=99)),
            "version 99, this package reads version 1",
        ),
        ("manifest.json", forged(lambda manifest: manifest.update(corpus="savee")), "holds savee, not emodb"),
        ("manifest.json", forged(lambda manifest: manifest["clips"].update(scan=-1)), "version -1 of the scan"),
        ("clips.parquet", lambda content: content[:-1] + b"?", r"damaged \(clips.parquet: SHA-256 .* the list says"),
    ],
)
def test_a_damaged_or_strange_pack_is_refused(away, config, member, change, words):
    rewrite(away.raw / "emodb.pack.zip", member, change)
    with pytest.raises(ValueError, match=words):
        corpora.load("emodb", config=config, store=away)


def test_a_damaged_block_is_refused_and_leaves_nothing(away, config):
    rewrite(away.raw / "emodb.pack.zip", "features/summary.parquet", lambda content: content + b"more")
    clips, _ = corpora.analysed(corpora.load("emodb", config=config, store=away))
    with pytest.raises(ValueError, match=r"damaged \(features/summary.parquet: SHA-256"):
        features.load("summary", clips, config=config, store=away)
    assert not list(away.derived.rglob("features/**/*.parquet"))


def test_a_cut_pack_is_refused(away, config):
    path = away.raw / "emodb.pack.zip"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"emodb.pack.zip is damaged .*copy it again"):
        corpora.load("emodb", config=config, store=away)


def test_command_packs_and_prints_the_licence(origin, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("SER_STUDY_DERIVED", str(tmp_path / "derived"))
    given = ["pack", "emodb", "--data", str(origin.raw), "--set", "run.jobs=1"]
    assert cli.main([*given, "--features", "summary", "--variants", "0", "--to", str(tmp_path / "one.zip")]) == 0
    printed = capsys.readouterr().out
    assert "7 clips; summary;" in printed
    assert "CC BY 4.0" in printed
    assert "No audio is in the pack" in printed
    assert packed.read(tmp_path / "one.zip", "emodb").manifest["corpus"] == "emodb"
    assert cli.main([*given, "--features", "sumary"]) == 2
    assert cli.main(["pack", "synthetic", "--set", "run.jobs=1"]) == 2
    assert cli.main(["pack", "tess", "--data", str(origin.raw)]) == 2
    assert "No clip of TESS" in capsys.readouterr().err
    assert cli.main(["pack", "emodb", "tess", "--to", str(tmp_path / "one.zip"), "--data", str(origin.raw)]) == 2
    assert "names one file for 2 corpora" in capsys.readouterr().err


def test_licensed_corpora_state_their_terms():
    assert "not to be passed on" in packs.notice("iemocap")
    assert "not to be passed on" in packs.notice("savee")
    assert "yours" in packs.notice("own")


def test_augmentation_before_the_split_finds_its_variants(config):
    assert packs.N_VARIANTS == folds.N_VARIANTS
    plain = settings.load("full", {"benchmark.encoders": []})
    assert packs.study_features("emodb", plain) == ["means184", "summary", "egemaps", "compare"]
    assert "compare" not in packs.study_features("crema_d", plain)


@pytest.mark.parametrize("here", [True, False])
def test_encoders_are_packed_where_their_weights_are(here, monkeypatch):
    monkeypatch.setattr(features.registry.Feature, "is_here", lambda feature: here)
    names = packs.study_features("emodb", settings.load("full"))
    assert {"campplus", "moonshine"} <= set(names) if here else not {"campplus", "moonshine"} & set(names)


@pytest.mark.corpus
def test_an_experiment_on_real_clips_is_the_same_from_the_pack(corpora_dir, tmp_path, config):
    if not (corpora_dir / "emodb").is_dir():
        pytest.skip("EMO-DB is not in the data folder")
    there, here = a_store(tmp_path / "there"), a_store(tmp_path / "here")
    (there.raw / "emodb").symlink_to(corpora_dir / "emodb")
    made = packs.write("emodb", config=config, store=there, names=["summary"], variants=0)
    (here.raw / "emodb.pack.zip").write_bytes(made.read_bytes())
    experiment = Experiment("emodb", "speaker_independent", "summary", "logistic", fixed=True)
    tables = []
    for store in (there, here):
        study = Study(config, store)
        assert len(study.clips("emodb")) == 535
        tables.append(study.predictions(experiment))
    assert len(tables[1]) == 535
    pd.testing.assert_frame_equal(*tables)
