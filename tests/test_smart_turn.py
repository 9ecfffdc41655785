"""smart-turn: its input against Whisper's, and the graph that is made against the published one."""

from __future__ import annotations

import numpy as np
import pytest

from ser_study.download import weights
from ser_study.features import onnx_models, smart_turn, smart_turn_onnx
from ser_study.features.registry import REGISTRY

pytest.importorskip("onnxruntime", reason="the extra 'encoders' is not installed")
onnx = pytest.importorskip("onnx", reason="the extra 'encoders' is not installed")

RATE = smart_turn.SAMPLE_RATE


@pytest.fixture(scope="module")
def published():
    """Content of the published file; fetched when it is not here, else the test is skipped with the reason."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIP_RETRIES", "0")
        patch.setenv("PIP_DEFAULT_TIMEOUT", "20")
        try:
            return weights.path("smart_turn").read_bytes()
        except (ConnectionError, RuntimeError, OSError) as error:
            pytest.skip(f"the weights of smart-turn are not here: {error}")


def _signal(seconds: float) -> np.ndarray:
    t = np.arange(round(seconds * RATE)) / RATE
    voiced = np.sin(2 * np.pi * (150 + 40 * t) * t) * (0.1 + 0.1 * np.sin(2 * np.pi * 3 * t) ** 2)
    return (voiced + np.random.default_rng(1).normal(0, 0.01, len(t))).astype(np.float32)


def _run(model: bytes, mel: np.ndarray) -> np.ndarray:
    return onnx_models.opened(model).run(None, {smart_turn_onnx.INPUT: mel[None]})[0]


def _cut(published: bytes, value: str, *, single: bool) -> bytes:
    """The published graph up to a value, of 8 s, with its roundings or without."""
    whole = onnx.load_from_string(published)
    if single:
        smart_turn_onnx._in_single_precision(whole.graph)
    return onnx_models.cut(whole, value)


def _rounded_model() -> bytes:
    """8-bit weights with a scale a column, added to a table of positions, with the published names; no network."""
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(2)
    constants = {
        "w": rng.integers(-128, 128, (80, 384), dtype=np.int8),
        "w_scale": rng.uniform(0.001, 0.01, 384).astype(np.float32),
        "w_zero": rng.integers(-3, 4, 384, dtype=np.int8),
        "x_scale": np.float32(0.02),
        "x_zero": np.uint8(128),
        smart_turn_onnx._POSITIONS: rng.normal(size=(400, 384)).astype(np.float32),
        "axes": np.array([1]),
        smart_turn_onnx._N_FRAMES: np.array([400]),
        "d": np.array([384]),
        "one": np.array([1]),
    }
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "w_scale", "w_zero"], ["w_real"], axis=1),
        helper.make_node("QuantizeLinear", [smart_turn_onnx.INPUT, "x_scale", "x_zero"], ["x_whole"]),
        helper.make_node("DequantizeLinear", ["x_whole", "x_scale", "x_zero"], ["x_real"]),
        helper.make_node("AveragePool", ["x_real"], ["halved"], kernel_shape=[2], strides=[2]),
        helper.make_node("Transpose", ["halved"], ["turned"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["turned", "w_real"], [smart_turn_onnx._BEFORE_POSITIONS]),
        helper.make_node("Add", [smart_turn_onnx._BEFORE_POSITIONS, smart_turn_onnx._POSITIONS], ["sum"]),
        helper.make_node("Concat", ["one", smart_turn_onnx._N_FRAMES, "d"], ["shape"], axis=0),
        helper.make_node("Reshape", ["sum", "shape"], [smart_turn_onnx.LAYERS[1]]),
        helper.make_node("Neg", [smart_turn_onnx.LAYERS[1]], ["behind"]),
    ]
    made = helper.make_graph(
        nodes,
        "rounded",
        [helper.make_tensor_value_info(smart_turn_onnx.INPUT, TensorProto.FLOAT, [1, 80, 800])],
        [helper.make_tensor_value_info("behind", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


def test_a_rounded_model_is_given_its_numbers_and_any_length():
    model = _rounded_model()
    constants = {c.name: onnx.numpy_helper.to_array(c) for c in onnx.load_from_string(model).graph.initializer}
    made = smart_turn_onnx.graph(model, 1)
    kinds = {node.op_type for node in onnx.load_from_string(made).graph.node}
    assert not kinds & {"QuantizeLinear", "DequantizeLinear"}
    assert "behind" not in {name for node in onnx.load_from_string(made).graph.node for name in node.output}
    weights_ = (constants["w"].astype(float) - constants["w_zero"]) * constants["w_scale"]
    for n_frames in (2, 60, 800):
        mel = np.random.default_rng(n_frames).normal(size=(80, n_frames)).astype(np.float32)
        halved = mel.reshape(80, -1, 2).mean(axis=2).T
        expected = halved @ weights_ + constants[smart_turn_onnx._POSITIONS][-n_frames // 2 :]
        np.testing.assert_allclose(_run(made, mel)[0], expected, atol=1e-4)


def test_another_model_is_refused():
    whole = onnx.load_from_string(_rounded_model())
    whole.graph.node[6].input[1] = "d"
    with pytest.raises(ValueError, match=r"not the published model of smart-turn: it adds no inner\.encoder"):
        smart_turn_onnx.graph(whole.SerializeToString(), 1)


def test_input_is_whispers():
    """Against librosa, by Whisper's formula; its mirrored edges reach into the first and the last two frames alone."""
    import librosa

    signal = _signal(1.5)
    wave = (signal - signal.mean()) / np.sqrt(signal.var() + 1e-7)
    power = np.abs(librosa.stft(wave, n_fft=400, hop_length=160, pad_mode="reflect")) ** 2
    level = np.log10(np.maximum(librosa.filters.mel(sr=RATE, n_fft=400, n_mels=80) @ power, 1e-10))[:, :-1]
    expected = (np.maximum(level, level.max() - 8) + 4) / 4
    mel = smart_turn.log_mel(signal)
    assert mel.dtype == np.float32
    assert mel.shape == expected.shape == (80, 150)
    np.testing.assert_allclose(mel[:, 2:-2], expected[:, 2:-2], atol=1e-4)
    np.testing.assert_allclose(smart_turn.log_mel(0.1 * signal), mel, atol=1e-3)  # loudness is taken out
    assert np.isfinite(smart_turn.log_mel(np.zeros(100, np.float32))).all()


def test_layer_is_the_published_one(published):
    """At 8 s nothing of the table is cut: the layer is the whole network's, and near to what the roundings leave."""
    mel = smart_turn.log_mel(_signal(8))
    layer = _run(smart_turn_onnx.graph(published, 2), mel)
    value = smart_turn_onnx.LAYERS[2]
    assert layer.shape == (1, 400, smart_turn_onnx.WIDTH)
    np.testing.assert_allclose(layer, _run(_cut(published, value, single=True), mel), atol=1e-4)
    rounded = _run(_cut(published, value, single=False), mel)
    assert np.corrcoef(layer.ravel(), rounded.ravel())[0, 1] > 0.9


def test_graph_holds_nothing_behind_its_layer(published):
    for layer, parts in ((2, {"0"}), (4, {"0", "1"}), (5, {"0", "1", "2"})):
        cut = onnx.load_from_string(smart_turn_onnx.graph(published, layer))
        names = [constant.name.split(".") for constant in cut.graph.initializer]
        assert {name[3] for name in names if name[:3] == ["inner", "encoder", "layers"]} == parts


def test_feature(published):
    signal = _signal(2.2)
    frames = smart_turn.layer_frames(signal, RATE)
    assert frames.shape == (110, smart_turn_onnx.WIDTH)
    feature = REGISTRY["smart_turn"]
    vector = feature.extract(signal, RATE)
    assert vector.dtype == np.float32
    np.testing.assert_allclose(vector, np.concatenate([frames.mean(axis=0), frames.std(axis=0)]), rtol=1e-5)
    assert len(set(feature.columns())) == len(vector) == 768
    assert np.isfinite(feature.extract(np.zeros(100, np.float32), RATE)).all()


def test_long_clip_is_taken_in_equal_parts(published):
    signal = _signal(9.0)
    frames = smart_turn.layer_frames(signal, RATE)
    halves = [smart_turn.layer_frames(part, RATE) for part in np.split(signal, 2)]
    assert len(frames) == 450
    np.testing.assert_allclose(frames, np.concatenate(halves), atol=1e-5)


def test_wrong_questions():
    with pytest.raises(ValueError, match="16000 Hz, the clip has 8000 Hz"):
        smart_turn.pooled(_signal(1), 8000)
    with pytest.raises(ValueError, match="no layer 9; choose 1 to 8"):
        smart_turn.pooled(_signal(1), RATE, layer=9)
