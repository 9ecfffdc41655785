"""VGGish against TensorFlow's own writer, a forward pass in plain NumPy, and the published figures."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest
import requests

from ser_study import config as settings
from ser_study.audio import prepare
from ser_study.download import weights
from ser_study.features import registry, vggish

RATE = vggish.SAMPLE_RATE
N_PADDED = 259_431  # samples at 48 kHz, the length E003 pads to


@pytest.fixture(scope="module")
def random_weights() -> dict[str, np.ndarray]:
    """Random values under the official names, of a size that keeps the signal alive through nine layers."""
    rng = np.random.default_rng(3)
    return {
        name: (rng.standard_normal(shape, np.float32) * np.float32(np.sqrt(2 / np.prod(shape[:-1]))))
        if len(shape) > 1
        else rng.normal(0, 0.1, shape).astype(np.float32)
        for name, shape in vggish.variables().items()
    }


@pytest.fixture(scope="module")
def checkpoint(random_weights, tmp_path_factory):
    """The old format in one file, as the official checkpoint is."""
    return _write(tmp_path_factory.mktemp("vggish") / "vggish_model.ckpt", random_weights)


def _write(path, values, *, extra=True):
    """A checkpoint in TensorFlow's old format, with a variable of no concern beside the network's."""
    import tensorflow as tf

    values = {**values, "global_step": np.int64(7)} if extra else values
    tf.raw_ops.Save(filename=str(path), tensor_names=list(values), data=list(values.values()))
    return path


def _signal(seconds: float, rate: int = RATE) -> np.ndarray:
    rng = np.random.default_rng(11)
    t = np.arange(round(seconds * rate)) / rate
    return (0.3 * np.sin(2 * np.pi * (200 + 300 * t) * t) + 0.02 * rng.standard_normal(len(t))).astype(np.float32)


def test_log_mel_is_tensorflows_own():
    """``tf.signal`` draws its triangles on HTK's mel axis, as VGGish does; librosa's are drawn in Hz."""
    import tensorflow as tf

    signal = _signal(1.3)
    spectrum = tf.abs(tf.signal.stft(signal.astype(np.float64), 400, 160, 512))
    bank = tf.signal.linear_to_mel_weight_matrix(64, 257, RATE, 125.0, 7500.0, dtype=tf.float64)
    expected = np.log(tf.matmul(spectrum, bank).numpy() + 0.01)
    ours = vggish.log_mel(signal, RATE)
    assert ours.shape == (1 + (len(signal) - 400) // 160, 64)
    np.testing.assert_allclose(ours, expected, atol=1e-6)


def test_spectrogram_is_librosas():
    """Magnitudes through librosa, which centres the window in its 512 samples: shifted by 56."""
    import librosa

    signal = _signal(1.0).astype(np.float64)
    shifted = np.pad(signal, (56, 56))
    magnitude = np.abs(librosa.stft(shifted, n_fft=512, hop_length=160, win_length=400, center=False))
    expected = np.log(vggish._mel_bank().T @ magnitude + 0.01).T
    np.testing.assert_allclose(vggish.log_mel(signal, RATE), expected, atol=1e-9)


def test_a_tone_peaks_in_its_band():
    tone = np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE).astype(np.float32)
    edges = np.linspace(1127 * np.log(1 + 125 / 700), 1127 * np.log(1 + 7500 / 700), 66)
    centres = 700 * (np.exp(edges[1:-1] / 1127) - 1)
    assert (vggish.log_mel(tone, RATE).argmax(axis=1) == np.abs(centres - 1000).argmin()).all()


def test_seed_clip_gives_twenty_patches():
    """The published shape: 259,431 samples at 48 kHz, one patch every 0.23 s → 20 (specs §8.5)."""
    signal = prepare.resample(_signal(N_PADDED / 48_000, 48_000)[:N_PADDED], sample_rate=48_000, target=RATE)
    assert len(signal) == N_PADDED // 3
    patches = vggish.patches(signal, RATE)
    assert patches.shape == (20, 96, 64)
    assert patches.dtype == np.float32
    frames = vggish.log_mel(signal, RATE).astype(np.float32)
    np.testing.assert_array_equal(patches[7], frames[7 * 23 : 7 * 23 + 96])


def test_section_prepares_the_length_of_the_seed():
    audio = settings.load().vggish_audio
    short = prepare.prepare(_signal(2.0, 48_000), 48_000, audio)
    assert len(short) == N_PADDED // 3
    assert vggish.patches(short, audio.sample_rate).shape == (20, 96, 64)


def test_three_seconds_give_three_patches_without_overlap(monkeypatch):
    """As in the official smoke test: a patch every 0.96 s."""
    monkeypatch.setattr(vggish, "PATCH_HOP", 96)
    assert vggish.patches(_signal(3.0), RATE).shape == (3, 96, 64)


def test_too_short_or_another_rate_is_refused():
    with pytest.raises(ValueError, match=r"needs 0\.975 s of sound, found 0\.500 s"):
        vggish.patches(_signal(0.5), RATE)
    with pytest.raises(ValueError, match="16000 Hz, found 22050 Hz"):
        vggish.patches(_signal(2.0), 22_050)
    assert len(vggish.patches(_signal(15_600 / RATE), RATE)) == 1


def test_official_names_and_sizes():
    shapes = vggish.variables()
    assert len(shapes) == 18
    assert shapes["vggish/conv3/conv3_2/weights"] == (3, 3, 256, 256)
    assert shapes["vggish/fc1/fc1_1/weights"] == (6 * 4 * 512, 4096)
    assert shapes["vggish/fc2/biases"] == (128,)
    assert sum(int(np.prod(shape)) for shape in shapes.values()) == 72_141_184


def test_checkpoint_round_trip_is_exact(checkpoint, random_weights):
    model = vggish.load(checkpoint)
    assert model.count_params() == 72_141_184
    assert model.output_shape == (None, 128)
    for name, values in random_weights.items():
        _, *inner, kind = name.split("/")
        kernel, bias = model.get_layer(inner[-1]).get_weights()
        np.testing.assert_array_equal(kernel if kind == "weights" else bias, values)


def test_new_checkpoint_format_is_read(random_weights, tmp_path):
    import tensorflow as tf

    prefix = tmp_path / "vggish_model.ckpt"
    tf.raw_ops.SaveV2(
        prefix=str(prefix),
        tensor_names=list(random_weights),
        shape_and_slices=[""] * len(random_weights),
        tensors=list(random_weights.values()),
    )
    assert not prefix.exists()  # only .index and .data-…
    read = vggish.read_checkpoint(prefix)
    assert set(read) == set(random_weights)
    assert all((read[name] == values).all() for name, values in random_weights.items())


def _forward(patch: np.ndarray, weights: dict[str, np.ndarray]) -> np.ndarray:
    """One patch through the network in NumPy: windows times kernels, maxima of 2 × 2, products."""

    def conv(net, name):
        kernel, bias = weights[f"vggish/{name}/weights"], weights[f"vggish/{name}/biases"]
        windows = np.lib.stride_tricks.sliding_window_view(np.pad(net, ((1, 1), (1, 1), (0, 0))), (3, 3), (0, 1))
        return np.maximum(np.tensordot(windows, kernel, axes=([3, 4, 2], [0, 1, 2])) + bias, 0)

    def pool(net):
        t, f, c = net.shape
        return net.reshape(t // 2, 2, f // 2, 2, c).max(axis=(1, 3))

    net = pool(conv(patch[:, :, None], "conv1"))
    net = pool(conv(net, "conv2"))
    net = pool(conv(conv(net, "conv3/conv3_1"), "conv3/conv3_2"))
    net = pool(conv(conv(net, "conv4/conv4_1"), "conv4/conv4_2")).reshape(-1)
    for name in ("fc1/fc1_1", "fc1/fc1_2", "fc2"):
        net = np.maximum(net @ weights[f"vggish/{name}/weights"] + weights[f"vggish/{name}/biases"], 0)
    return net


def test_network_equals_numpy(checkpoint, random_weights):
    patches = vggish.patches(_signal(1.3), RATE)
    ours = vggish.embed(patches, checkpoint)
    assert ours.shape == (len(patches), 128)
    expected = np.stack([_forward(patch, random_weights) for patch in patches])
    assert expected.std() > 0.05  # the comparison is not one of zeros
    np.testing.assert_allclose(ours, expected, atol=1e-4 * expected.max())


def test_missing_and_misshapen_variables_are_named(random_weights, tmp_path):
    small = {name: values for name, values in random_weights.items() if "fc1" not in name}
    with pytest.raises(ValueError, match=r"lacks 4 of VGGish's 18 variables, first 'vggish/fc1/fc1_1/weights'"):
        vggish.read_checkpoint(_write(tmp_path / "small.ckpt", small))
    narrow = {name: np.zeros((2, 2), np.float32) for name in random_weights}
    with pytest.raises(ValueError, match=r"vggish/conv1/weights has shape \(2, 2\), VGGish's has \(3, 3, 1, 64\)"):
        vggish.read_checkpoint(_write(tmp_path / "narrow.ckpt", narrow))


def test_files_that_are_no_vggish(tmp_path):
    with pytest.raises(FileNotFoundError, match="ser-study download vggish"):
        vggish.read_checkpoint(tmp_path / "absent.ckpt")
    with pytest.raises(FileNotFoundError, match="ser-study download vggish"):
        vggish.read_pca(tmp_path / "absent.npz")
    (tmp_path / "pointer").write_text("version of a large file that was never fetched\n" * 40)
    with pytest.raises(ValueError, match="no TensorFlow checkpoint"):
        vggish.read_checkpoint(tmp_path / "pointer")
    with pytest.raises(ValueError, match="not VGGish's PCA file"):
        vggish.read_pca(tmp_path / "pointer")
    np.savez(tmp_path / "other.npz", pca_eigen_vectors=np.zeros((128, 64)), pca_means=np.zeros((128, 1)))
    with pytest.raises(ValueError, match=r"\(128, 64\)"):
        vggish.read_pca(tmp_path / "other.npz")


def test_postprocessing_by_hand(tmp_path):
    """A rotation of two components and a scale: whitened 0 → 127, ± beyond 2 → 0 and 255."""
    matrix = np.eye(128)
    matrix[:2, :2] = [[0, 1], [-2, 0]]
    np.savez(tmp_path / "pca.npz", pca_eigen_vectors=matrix, pca_means=np.full((128, 1), 0.5))
    embeddings = np.full((1, 128), 0.5)
    embeddings[0, :4] = [1.0, 1.5, 9.0, -9.0]
    values = vggish.postprocess(embeddings, *vggish.read_pca(tmp_path / "pca.npz"))
    # component 0 = 1.5 - 0.5 = 1 → 3 · 63.75 = 191.25; component 1 = -2 · 0.5 = -1 → 63.75
    assert values[0, :5].tolist() == [191, 63, 255, 0, 127]
    assert values.dtype == np.float32


def test_feature_from_end_to_end(checkpoint, random_weights, tmp_path, monkeypatch):
    """Registry, settings, network and PCA file together: twenty patches of whole numbers from 0 to 255."""
    rng = np.random.default_rng(1)
    matrix, means = rng.normal(0, 0.3, (128, 128)), rng.normal(0.5, 0.1, (128, 1))
    np.savez(tmp_path / "pca.npz", pca_eigen_vectors=matrix, pca_means=means)
    monkeypatch.setattr(weights, "path", {"vggish": checkpoint, "vggish_pca": tmp_path / "pca.npz"}.__getitem__)
    feature, audio = registry.get("vggish"), settings.load().vggish_audio
    signal = prepare.prepare(_signal(3.0, 48_000), 48_000, audio)
    values = feature.extract(signal, audio.sample_rate)
    assert values.shape == (20, len(feature.columns())) == (20, 128)
    assert values.dtype == np.float32
    raw = _forward(vggish.patches(signal, RATE)[10], random_weights).astype(np.float64)
    steps = (np.clip(matrix @ (raw - means[:, 0]), -2, 2) + 2) * 255 / 4
    near = np.abs(steps - np.rint(steps)) < 1e-2  # a rounding error may tip these over the edge of their step
    np.testing.assert_array_equal(values[10][~near], np.floor(steps)[~near])
    assert near.sum() < 100
    assert ((values > 0) & (values < 255)).any()


def test_weights_that_cannot_be_had_are_explained(monkeypatch, tmp_path):
    """Nothing in the cache and no network: which file, and from where."""
    monkeypatch.setenv("SER_STUDY_WEIGHTS", str(tmp_path))
    monkeypatch.setattr(requests.Session, "get", _no_network)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    feature = registry.get("vggish")
    assert (feature.apart, feature.audio, feature.weights) == ("keras", "vggish_audio", "vggish")
    with pytest.raises(ConnectionError, match=r"vggish.ckpt could not be fetched.*vggish_model.ckpt"):
        feature.extract(_signal(5.405), RATE)
    assert not list(tmp_path.glob("*.ckpt"))


def _no_network(*_, **__):
    raise requests.ConnectionError("no route to host")


@pytest.mark.skipif("SER_STUDY_VGGISH" not in os.environ, reason="SER_STUDY_VGGISH: folder with the official files")
@pytest.mark.parametrize(
    ("relu", "raw", "whitened"), [(True, (0.131, 0.238), (123.0, 75.0)), (False, (0.000657, 0.343), (126.0, 89.3))]
)
def test_official_smoke_test(relu, raw, whitened, monkeypatch):
    """Three seconds of 1 kHz through the official weights; figures of the two official releases."""
    folder = Path(os.environ["SER_STUDY_VGGISH"])
    monkeypatch.setattr(vggish, "PATCH_HOP", 96)
    patches = vggish.patches(np.sin(2 * np.pi * 1000 * np.arange(3 * RATE) / RATE), RATE)
    values = vggish.load(folder / "vggish_model.ckpt", relu=relu).predict_on_batch(patches[..., None])
    np.testing.assert_allclose([values.mean(), values.std()], raw, rtol=0.1)
    done = vggish.postprocess(values, *vggish.read_pca(folder / "vggish_pca_params.npz"))
    np.testing.assert_allclose([done.mean(), done.std()], whitened, rtol=0.1)
