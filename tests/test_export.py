"""A recogniser as an ONNX graph: it gives the same probabilities, and its example needs nothing of this package."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ser_study import config as settings
from ser_study import features, recognizer
from ser_study.audio import prepare
from ser_study.config import Config
from ser_study.download import weights
from ser_study.experiments import ledger
from ser_study.experiments.experiment import Experiment
from ser_study.experiments.selections import load_selections
from ser_study.features import fbank, fbank_onnx, feature_onnx, onnx_models
from ser_study.features.onnx_nodes import Nodes
from ser_study.models.linear_head import LinearHead
from ser_study.recognizer import Recognizer, checks, eight_bits, export_scores, graph
from ser_study.recognizer.export import export, sizes_and_speeds
from ser_study.store import Store

onnx = pytest.importorskip("onnx", reason="the extra 'encoders' is not installed")
pytest.importorskip("onnxruntime", reason="the extra 'encoders' is not installed")

CLOSE = 1e-4
RATE = graph.SAMPLE_RATE
CLASSES = ("angry", "happy", "neutral", "sad")
LIBRARIES = {"json", "sys", "wave", "pathlib", "numpy", "onnxruntime"}
REAL = (  # a clip of each corpus, one of them stereo
    "emodb/wav/03a01Fa.*",
    "crema_d/AudioWAV/1001_IEO_ANG_HI.*",
    "ravdess/speech/Actor_01/03-01-02-01-01-02-01.*",
    "ravdess/song/*/03-02-04-02-01-01-05.*",
    "tess/**/OAF_back_angry.*",
)


def _recognizer(*names: str, config: Config | None = None, threshold: float | None = 0.0) -> Recognizer:
    """One whose head is made up, and sure of itself."""
    config, rng = config or Config(), np.random.default_rng(4)
    d = sum(features.width(name, config=config) for name in names)
    arrays = rng.normal(0, 0.5, d), rng.uniform(0.5, 2, d), rng.normal(0, 0.1, (4, d)), rng.normal(0, 1, 4)
    described = [checks.described(name, config) for name in names]
    made_with = {
        library: version for name in names for library, version in features.get(name).made_with(config).items()
    }
    card = {"name": "made up/of+" + "+".join(names), "classes": list(CLASSES), "threshold": threshold}
    return Recognizer(LinearHead(CLASSES, *arrays, 0.7), card | {"features": described, "made_with": made_with})


def _made(*names: str) -> tuple[Recognizer, bytes]:
    for name in names:
        if not weights.is_here(features.get(name).weights):
            pytest.skip(f"needs the weights: ser-study download {features.get(name).weights}")
    one = _recognizer(*names)
    return one, graph.graph(one)


@pytest.fixture(scope="module")
def made():
    """A recogniser on CAM++ and its graph."""
    return _made("campplus")


@pytest.fixture(scope="module")
def folder(made, tmp_path_factory):
    """Its files, with eight bits."""
    place = tmp_path_factory.mktemp("exported")
    export(made[0], place, int8=True)
    return place


def _noise(n: int, level: float = 0.1) -> np.ndarray:
    return np.random.default_rng(n).normal(0, level, n).astype(np.float32)


SIGNALS = {
    "one sample": np.ones(1, np.float32),
    "less than a frame": _noise(399),
    "one frame": _noise(559),
    "the shortest": _noise(1_600),
    "silent": np.zeros(RATE, np.float32),
    "constant": np.full(RATE, 0.5, np.float32),
    "nearly silent": _noise(RATE, 1e-5),
    "beside a large offset": 0.5 + _noise(RATE, 1e-3),
    "far too loud": _noise(RATE, 30),
    "a minute": _noise(60 * RATE),
}


def _probabilities(model: bytes, signal: np.ndarray) -> np.ndarray:
    return onnx_models.opened(model).run(None, {graph.INPUT: signal})[0]


def _expected(one: Recognizer, signal: np.ndarray) -> np.ndarray:
    parts = [features.extract_signal(name, signal, config=one.config) for name in one.features]
    return one.probabilities(np.concatenate(parts)[None])[0]


def _real_clips(corpora_dir) -> list[Path]:
    return [next(corpora_dir.glob(pattern)) for pattern in REAL if any(corpora_dir.glob(pattern))]


# Parity


@pytest.mark.parametrize("name", SIGNALS)
def test_probabilities_are_those_of_the_features_and_the_head(made, name):
    one, model = made
    actual = _probabilities(model, SIGNALS[name])
    assert actual.dtype == np.float32
    assert actual.sum() == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(actual, _expected(one, SIGNALS[name]), atol=CLOSE)


def test_no_samples_give_numbers_too(made):
    assert np.isfinite(_probabilities(made[1], np.zeros(0, np.float32))).all()


def test_real_clips_get_the_probabilities_of_predict(made, corpora_dir):
    one, model = made
    paths = _real_clips(corpora_dir)
    assert paths
    wanted = one.predict(paths).filter(like="p_").to_numpy()
    actual = np.stack([_probabilities(model, prepare.load(path, one.config.audio)) for path in paths])
    assert np.ptp(wanted, axis=0).max() > 0.2, "nothing to compare"
    np.testing.assert_allclose(actual, wanted, atol=CLOSE)


@pytest.mark.parametrize("names", [("campplus", "moonshine"), ("campplus_block1", "moonshine_layer2")])
def test_encoders_side_by_side(names):
    one, model = _made(*names)
    for name in ("less than a frame", "nearly silent", "far too loud"):
        np.testing.assert_allclose(_probabilities(model, SIGNALS[name]), _expected(one, SIGNALS[name]), atol=CLOSE)


@pytest.mark.parametrize("name", SIGNALS)
def test_filterbank_is_kaldis(name):
    from onnx import TensorProto, helper

    body = Nodes()
    bank = fbank_onnx.nodes(body, "samples")
    inputs = [helper.make_tensor_value_info("samples", TensorProto.FLOAT, ["n"])]
    outputs = [helper.make_tensor_value_info(bank, TensorProto.FLOAT, ["t", 80])]
    whole = helper.make_graph(body.nodes, "bank", inputs, outputs, body.constants)
    opset = [helper.make_opsetid("", feature_onnx.OPSET)]
    model = helper.make_model(whole, opset_imports=opset, ir_version=feature_onnx.IR_VERSION).SerializeToString()
    actual = _probabilities(model, SIGNALS[name])
    np.testing.assert_allclose(actual, fbank.fbank(SIGNALS[name], RATE), atol=5e-3)


# The files


def test_the_same_recogniser_gives_the_same_bytes(made, folder, tmp_path):
    paths = export(made[0], tmp_path / "new" / "folder", int8=True)
    names = ["made-up-of+campplus.onnx", "made-up-of+campplus_int8.onnx", "card.json", "example.py"]
    assert [path.name for path in paths] == names
    assert all(path.read_bytes() == (folder / path.name).read_bytes() for path in paths)
    assert sorted(path.name for path in folder.iterdir()) == sorted(names), "nothing else is left there"


def test_without_int8_there_is_one_graph(made, tmp_path):
    paths = export(made[0], tmp_path)
    assert [path.suffix for path in paths] == [".onnx", ".json", ".py"]
    assert list(json.loads(paths[1].read_text("utf-8"))["export"]["files"]) == [paths[0].name]


def test_the_card_names_files_hashes_and_licences(made, folder):
    card = json.loads((folder / "card.json").read_text("utf-8"))
    assert card["classes"] == list(CLASSES)
    for name, facts in card["export"]["files"].items():
        content = (folder / name).read_bytes()
        assert facts == {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    assert card["export"]["weights"][0]["licence"] == "Apache-2.0"
    assert card["export"]["input"]["sample_rate"] == RATE


@pytest.mark.parametrize("names", [("campplus",), ("campplus", "moonshine")])
def test_the_graph_is_valid_and_old_enough(names):
    """ONNX Runtime 1.20 reads opset 21 and version 10 of the format."""
    _, content = _made(*names)
    for one in (content, eight_bits.quantised(content)):
        model = onnx.load_from_string(one)
        onnx.checker.check_model(model, full_check=names == ("campplus",))  # what Microsoft's nodes give is not known
        assert model.ir_version <= 10
        assert next(opset.version for opset in model.opset_import if not opset.domain) <= 21
        assert [entry.name for entry in model.graph.input] == [graph.INPUT]
        assert json.loads({entry.key: entry.value for entry in model.metadata_props}["classes"]) == list(CLASSES)


# Eight bits


def test_eight_bits_take_a_third_of_the_room_and_change_little(made, folder, corpora_dir):
    small, large = sorted(folder.glob("*.onnx"), key=lambda path: path.stat().st_size)
    assert small.stem.endswith("_int8")
    assert small.stat().st_size < 0.36 * large.stat().st_size
    signals = [prepare.load(path, made[0].config.audio) for path in _real_clips(corpora_dir)]
    one, other = (
        np.stack([_probabilities(path.read_bytes(), signal) for signal in signals]) for path in (large, small)
    )
    assert 0 < np.abs(one - other).max() < 0.1


@pytest.mark.parametrize("shape", [(20, 30), (20, 30, 3), (8, 1, 5, 5)])
def test_eight_bits_follow_every_input_and_output(shape):
    rng = np.random.default_rng(1)
    scales = [10.0 ** rng.integers(-4, 4, n) for n in shape[:2]]
    rest = [1] * (len(shape) - 2)
    weights_ = rng.normal(size=shape) * scales[0].reshape(-1, 1, *rest) * scales[1].reshape(1, -1, *rest)
    weights_[2] = 0
    numbers, second, first = eight_bits.split(weights_.astype(np.float32))
    assert numbers.dtype == np.int8
    assert np.abs(numbers).max() == 127
    assert not numbers[2].any()
    error = (numbers * second * first - weights_) / scales[0].reshape(-1, 1, *rest) / scales[1].reshape(1, -1, *rest)
    assert np.sqrt(np.square(error).mean()) < 0.015


def test_size_and_speed_of_each_graph(folder):
    costs = sizes_and_speeds(sorted(folder.iterdir()))
    assert costs["file"].tolist() == ["made-up-of+campplus.onnx", "made-up-of+campplus_int8.onnx"]
    assert costs["megabytes"].tolist() == [(folder / name).stat().st_size / 1e6 for name in costs["file"]]
    assert (costs["milliseconds"] > 0).all()


# The example


def _run(folder: Path, wav: Path) -> subprocess.CompletedProcess:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-I", str(folder / "example.py"), str(wav)]
    return subprocess.run(command, capture_output=True, env=environment, text=True, check=False)


def _as_wav(path: Path, to: Path) -> Path:
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono = prepare.resample(samples.mean(axis=1), sample_rate=rate, target=RATE)
    soundfile.write(to, np.clip(mono, -1, 1), RATE, subtype="PCM_16")
    return to


def test_the_example_is_short_and_imports_no_other_library(folder):
    text = (folder / "example.py").read_text("utf-8")
    assert text.count("\n") <= 30
    nodes = list(ast.walk(ast.parse(text)))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    assert names == LIBRARIES


def test_the_example_gives_the_label_of_the_recogniser(made, folder, corpora_dir, tmp_path):
    for i, path in enumerate(_real_clips(corpora_dir)):
        wav = _as_wav(path, tmp_path / f"{i}.wav")
        done = _run(folder, wav)
        assert done.returncode == 0, done.stderr
        row = made[0].predict([wav]).iloc[0]
        assert done.stdout.split()[0] == row["emotion"]
        shares = [float(word) for word in done.stdout.replace("[", " ").replace("]", " ").split()[1:]]
        np.testing.assert_allclose(shares, row.filter(like="p_").to_numpy(float), atol=1e-3)


@pytest.mark.parametrize(
    ("samples", "rate", "label"),
    [(_noise(300), RATE, ""), (np.zeros(RATE), RATE, "is silent"), (_noise(RATE), 8_000, "Give a WAV of 16 kHz")],
    ids=["very short", "silent", "another rate"],
)
def test_the_example_at_the_edges(made, folder, tmp_path, samples, rate, label):
    soundfile.write(tmp_path / "x.wav", samples, rate, subtype="PCM_16")
    done = _run(folder, tmp_path / "x.wav")
    assert (done.returncode == 0) == (not label)
    if label:
        assert label in done.stderr
        assert len(done.stderr.splitlines()) == 1
    else:
        assert done.stdout.split()[0] == made[0].predict([tmp_path / "x.wav"])["emotion"][0]


@pytest.mark.parametrize("threshold", [None, 1.0])
def test_the_example_abstains(made, folder, tmp_path, threshold):
    one = Recognizer(made[0].head, made[0].card | {"threshold": threshold})
    export(one, tmp_path)
    soundfile.write(tmp_path / "x.wav", _noise(RATE), RATE, subtype="PCM_16")
    assert _run(tmp_path, tmp_path / "x.wav").stdout.split()[0] == recognizer.UNSURE


# What is refused


def test_hand_crafted_features_are_refused(tmp_path):
    for names in (("summary",), ("summary", "campplus")) if weights.is_here("campplus") else (("summary",),):
        with pytest.raises(ValueError, match=r"on summary cannot be exported.*Export one on campplus"):
            export(_recognizer(*names), tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_clips_prepared_in_another_way_are_refused(made, tmp_path):
    other = _recognizer("campplus", config=settings.load("full", {"audio.length": 3.0, "audio.trim": False}))
    with pytest.raises(ValueError, match=r"audio.trim=False, audio.length=3.0"):
        export(other, tmp_path)


def test_a_missing_library_is_named(made, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r"needs onnx.*ser_study\[encoders\]"):
        export(made[0], tmp_path)


# Scores


def test_graphs_score_as_the_study_and_the_built_in_corpus_is_not_logged(made, tmp_path):
    few = {"corpora": "synthetic", "synthetic.n_speakers": 4, "synthetic.n_statements": 2, "synthetic.n_repetitions": 1}
    config = settings.load("demo", few | {"run.jobs": 1})
    store = Store(tmp_path / "raw", tmp_path / "derived", tmp_path / "run", tmp_path)
    one = Experiment("synthetic", "speaker_independent", "campplus_block1", "lda")
    predicted = export_scores.predictions(one, load_selections(config, store), config=config, store=store)
    table = export_scores.table(predicted).set_index("graph")
    assert table.index.tolist() == [export_scores.STUDY, export_scores.FULL, export_scores.INT8]
    assert table["n"].nunique() == 1
    assert table.loc[export_scores.FULL, "largest_difference"] < CLOSE
    assert table.loc[export_scores.FULL, "uar"] == table.loc[export_scores.STUDY, "uar"]
    assert table.loc[export_scores.INT8, "largest_difference"] > 0
    assert table.loc[export_scores.INT8, "agreement"] > 0.9
    assert ledger.read(store).empty
