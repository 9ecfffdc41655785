"""Moonshine's middle layers against its own published output, and what happens where ONNX Runtime is missing."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from ser_study.download import weights
from ser_study.features import encoders, onnx_models
from ser_study.features.registry import REGISTRY

RATE = encoders.SAMPLE_RATE


@pytest.fixture(scope="module")
def moonshine_file():
    """The published encoder; fetched when it is not here, else the test is skipped with the reason."""
    for library in onnx_models.LIBRARIES:
        pytest.importorskip(library, reason="the extra 'encoders' is not installed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIP_RETRIES", "0")
        patch.setenv("PIP_DEFAULT_TIMEOUT", "20")
        try:
            return weights.path("moonshine")
        except (ConnectionError, RuntimeError, OSError) as error:
            pytest.skip(f"the weights of Moonshine are not here: {error}")


def _signal(seconds: float) -> np.ndarray:
    t = np.arange(round(seconds * RATE)) / RATE
    return (0.2 * np.sin(2 * np.pi * (150 + 40 * t) * t) + np.random.default_rng(1).normal(0, 0.01, len(t))).astype(
        "f4"
    )


def _value(moonshine_file, signal, name: str = "") -> np.ndarray:
    """Any value inside the graph, (t, 288); by default the published output."""
    import onnxruntime

    model = moonshine_file.read_bytes()
    session = onnxruntime.InferenceSession(encoders.graph(model, name) if name else model)
    return session.run(None, {"input_values": signal[None], "attention_mask": np.ones((1, len(signal)), np.int64)})[0][
        0
    ]


def _scaled_to(frames: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Each frame brought to mean 0 and variance 1, then one weight a channel, fitted: layer normalisation."""
    normed = (frames - frames.mean(axis=1, keepdims=True)) / np.sqrt(frames.var(axis=1, keepdims=True) + 1e-5)
    return normed * (normed * target).sum(axis=0) / (normed**2).sum(axis=0)


def test_values_inside_lead_to_the_published_output(moonshine_file):
    """The last layer is the sum of two inner values, and its normalisation is what the file gives unchanged."""
    signal = _signal(1.0)
    published = _value(moonshine_file, signal)
    parts = [_value(moonshine_file, signal, f"/layers.5/{part}Add_output_0") for part in ("", "mlp/fc2/")]
    np.testing.assert_allclose(_scaled_to(sum(parts), published), published, atol=1e-3)


def test_layer_is_what_the_next_one_starts_from(moonshine_file):
    signal = _signal(1.0)
    frames = encoders.moonshine_frames(signal, RATE, layer=3)
    parts = [_value(moonshine_file, signal, f"/layers.2/{part}Add_output_0") for part in ("", "mlp/fc2/")]
    np.testing.assert_allclose(frames, sum(parts), rtol=1e-5, atol=1e-5)
    entry = _value(moonshine_file, signal, "/layers.3/input_layernorm/LayerNormalization_output_0")
    np.testing.assert_allclose(_scaled_to(frames, entry), entry, atol=1e-3)


def test_feature(moonshine_file):
    signal = _signal(2.0)
    frames = encoders.moonshine_frames(signal, RATE)
    assert frames.shape[1] == encoders.WIDTH
    assert 35 <= len(frames) / 2.0 <= 45
    vector = REGISTRY["moonshine"].extract(signal, RATE)
    assert vector.dtype == np.float32
    np.testing.assert_allclose(vector, np.concatenate([frames.mean(axis=0), frames.std(axis=0)]), rtol=1e-5)
    assert len(set(REGISTRY["moonshine"].columns())) == len(vector) == 576
    assert not np.allclose(vector, REGISTRY["moonshine_layer2"].extract(signal, RATE))
    assert np.isfinite(encoders.moonshine(np.zeros(100, np.float32), RATE)).all()


def test_wrong_questions(moonshine_file):
    with pytest.raises(ValueError, match="16000 Hz, the clip has 8000 Hz"):
        encoders.moonshine(_signal(1), 8000)
    with pytest.raises(ValueError, match="no layer 6 to be had; choose 1 to 5"):
        encoders.moonshine(_signal(1), RATE, layer=6)
    with pytest.raises(ValueError, match="computes no value '/layers"):
        encoders.graph(moonshine_file.read_bytes(), "/layers.9/Add_1_output_0")
    with pytest.raises(ValueError, match="no model in ONNX Runtime's format"):
        encoders.graph(b"something else", "x")


def test_cut_graph_holds_nothing_behind_its_output_and_gives_the_same(moonshine_file):
    """Against the whole model, written as ONNX by ONNX Runtime, with the layer as one more output."""
    import onnx
    import onnxruntime

    signal = _signal(1.5)
    cut = onnx.load_from_string(encoders.graph(moonshine_file.read_bytes(), "/layers.2/Add_1_output_0"))
    whole = onnx_models.converted(moonshine_file.read_bytes())
    assert len(cut.graph.node) < 0.7 * len(whole.graph.node)
    assert not any("/layers.3/" in name for node in cut.graph.node for name in node.output)
    assert cut.ByteSize() < 0.8 * whole.ByteSize()
    whole.graph.output.append(
        onnx.helper.make_tensor_value_info("/layers.2/Add_1_output_0", onnx.TensorProto.FLOAT, None)
    )
    session = onnxruntime.InferenceSession(whole.SerializeToString())
    inputs = {"input_values": signal[None], "attention_mask": np.ones((1, len(signal)), np.int64)}
    published, layer = (values[0] for values in session.run(None, inputs))
    np.testing.assert_allclose(encoders.moonshine_frames(signal, RATE, layer=3), layer, atol=1e-4)
    np.testing.assert_allclose(published, _value(moonshine_file, signal), atol=1e-4)


def test_graph_is_made_once(moonshine_file, monkeypatch, tmp_path):
    (tmp_path / moonshine_file.name).symlink_to(moonshine_file)
    monkeypatch.setenv(weights.VARIABLE, str(tmp_path))
    made = []
    graph = encoders.graph
    monkeypatch.setattr(encoders, "graph", lambda *a: made.append(a[1]) or graph(*a))
    for layer in (2, 2, 3):
        encoders._session.cache_clear()
        encoders._session(layer)
    assert made == ["/layers.1/Add_1_output_0", "/layers.2/Add_1_output_0"]
    known = weights.get("moonshine").sha256[:16]
    names = sorted(path.name for path in tmp_path.glob("*.onnx"))
    assert names == [f"moonshine-{known}-layer{layer}-{encoders.VERSION}.onnx" for layer in (2, 3)]


def test_control_holds_the_published_numbers_in_another_order(moonshine_file):
    import onnx

    published = encoders.graph(moonshine_file.read_bytes(), "/layers.0/Add_1_output_0")
    mixed, again, other = (onnx_models.shuffled(published, seed) for seed in (0, 0, 1))
    assert mixed == again != other
    arrays = [
        {one.name: onnx.numpy_helper.to_array(one) for one in onnx.load_from_string(model).graph.initializer}
        for model in (published, mixed)
    ]
    moved = {name for name, array in arrays[0].items() if not np.array_equal(array, arrays[1][name])}
    assert {"conv1.weight_add_tensor", "layers.0.mlp.fc1.bias"} <= moved
    assert not [name for name in moved if arrays[0][name].dtype == np.int64]  # shapes and places stay
    assert not [name for name in arrays[0] if not np.array_equal(*(np.sort(some[name], axis=None) for some in arrays))]
    signal = _signal(1.0)
    names = ("moonshine", "moonshine_random0", "moonshine_random1")
    vectors = [REGISTRY[name].extract(signal, RATE) for name in names]
    assert all(np.isfinite(vector).all() for vector in vectors)
    assert not np.allclose(vectors[0], vectors[1])
    assert not np.allclose(vectors[1], vectors[2])


def test_without_onnxruntime_the_reason_is_given(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *_: None if name == "onnxruntime" else find(name))
    feature = REGISTRY["moonshine"]
    assert (
        feature.lacks() == "Moonshine, layer 3 needs onnxruntime; install it with: pip install 'ser_study[encoders]'."
    )
    with pytest.raises(ImportError, match=r"ser_study\[encoders\]"):
        feature.fetch()
    assert REGISTRY["summary"].lacks() == ""
