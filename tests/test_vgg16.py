"""VGG16 against ``keras.applications``, SciPy's correlation, and the published pickle."""

from __future__ import annotations

import pickle
import shutil

import h5py
import numpy as np
import pytest
from scipy.signal import correlate

from ser_study import config as settings
from ser_study import corpora, features
from ser_study.download import weights
from ser_study.features import images, registry, vgg16

RATE = 22_050


@pytest.fixture(scope="module")
def random_weights() -> list[tuple[np.ndarray, np.ndarray]]:
    """Kernel and bias of each of the thirteen convolutions, of a size that keeps the signal alive."""
    rng, before, made = np.random.default_rng(5), 3, []
    for channels in (64, 64, 128, 128, *[256] * 3, *[512] * 6):
        spread = np.float32(np.sqrt(2 / (9 * before)))
        kernel = rng.standard_normal((3, 3, before, channels), np.float32) * spread
        made.append((kernel, rng.normal(0, 0.1, channels).astype(np.float32)))
        before = channels
    return made


@pytest.fixture(scope="module")
def pickled(random_weights, tmp_path_factory):
    """A file of the form of the published one."""
    return _write_pickle(tmp_path_factory.mktemp("vgg16") / "vgg16.ckpt", random_weights)


def _write_pickle(path, pairs):
    layers = {f"Conv_{i}": {"kernel": kernel, "bias": bias} for i, (kernel, bias) in enumerate(pairs)}
    path.write_bytes(pickle.dumps({"VGG16_0": layers, "NetLinLayer_0": {}}, protocol=3))
    return path


def _grey(n: int, side: int) -> np.ndarray:
    return np.random.default_rng(9).integers(0, 256, (n, side, side, 1)).astype(np.float32)


def _keras_own(random_weights):
    """The network as ``keras.applications`` builds it."""
    import keras

    model = keras.applications.VGG16(include_top=False, weights=None, input_shape=(64, 64, 3))
    model.set_weights([part for pair in random_weights for part in pair])
    return model


def test_a_tiny_image_by_correlation(random_weights, pickled):
    """All thirteen layers on 32 × 32 pixels, channel by channel with SciPy in the first block, windows after it."""
    grey = _grey(1, 32)
    mean, sd = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    net = (grey[0] / 255 - mean) / sd  # red, green, blue
    block4 = None
    for number, (kernel, bias) in enumerate(random_weights):
        padded = np.pad(net, ((1, 1), (1, 1), (0, 0)))
        if number == 0:
            planes = [correlate(padded, kernel[..., c].astype(float), mode="valid")[..., 0] for c in range(len(bias))]
            net = np.stack(planes, axis=-1)
        else:
            windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (0, 1))
            net = np.tensordot(windows, kernel.astype(float), axes=([3, 4, 2], [0, 1, 2]))
        net = np.maximum(net + bias, 0)
        block4 = net if number == 9 else block4
        if number in (1, 3, 6, 9, 12):
            side, _, channels = net.shape
            net = net.reshape(side // 2, 2, side // 2, 2, channels).max(axis=(1, 3))
    ours4, ours5 = vgg16.activations(grey, pickled)
    assert ours4.shape == (1, 4, 4, 512)
    assert ours5.shape == (1, 1, 1, 512)
    assert net.std() > 0.1  # the comparison is not one of zeros
    np.testing.assert_allclose(ours4[0], block4, atol=1e-4 * block4.max())
    np.testing.assert_allclose(ours5[0], net, atol=1e-4 * net.max())


def test_network_and_names_are_those_of_keras(random_weights, pickled):
    """Equal names, parameters and outputs; the pickle's numbers land in Keras's own layers."""
    own, ours = _keras_own(random_weights), vgg16.load(pickled)
    assert ours.count_params() == own.count_params() == 14_714_688
    named = [layer.name for layer in own.layers if layer.weights]
    assert [layer.name for layer in ours.layers if layer.weights] == named
    image = vgg16.normalised(_grey(2, 64), pickled)
    block4, bottleneck = ours.predict_on_batch(image)
    np.testing.assert_allclose(bottleneck, own.predict_on_batch(image), rtol=1e-4, atol=1e-5)
    assert block4.shape == (2, 8, 8, 512)


@pytest.mark.parametrize("new", [False, True])
def test_weights_of_keras_are_read(new, random_weights, tmp_path):
    """The published ``.h5`` (a group a layer) and what Keras saves today, with Keras's own normalisation."""
    import keras

    own = _keras_own(random_weights)
    path = tmp_path / ("own.weights.h5" if new else "vgg16_notop.h5")
    own.save_weights(path) if new else _write_old(path, own)
    grey = _grey(1, 64)
    expected = own.predict_on_batch(keras.applications.vgg16.preprocess_input(np.repeat(grey, 3, axis=-1)))
    _, bottleneck = vgg16.activations(grey, path)
    np.testing.assert_allclose(bottleneck, expected, rtol=1e-3, atol=1e-4 * expected.max())


def _write_old(path, model) -> None:
    """Weights as Keras kept them before version 3, and still publishes them."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [layer.name.encode() for layer in model.layers]
        for layer in model.layers:
            group = file.create_group(layer.name)
            values = layer.get_weights()
            names = [f"{layer.name}_{kind}_1:0" for kind in "Wb"][: len(values)]
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, value in zip(names, values):
                group[name] = value


def test_other_files_are_refused(random_weights, tmp_path):
    with pytest.raises(FileNotFoundError, match="ser-study download vgg16"):
        vgg16.load(tmp_path / "absent.ckpt")
    (tmp_path / "other.ckpt").write_bytes(pickle.dumps({"AlexNet_0": {}}))
    with pytest.raises(ValueError, match="holds no VGG16_0"):
        vgg16.load(tmp_path / "other.ckpt")
    with pytest.raises(ValueError, match=r"Conv_12 should have a kernel and a bias .* found None and None"):
        vgg16.load(_write_pickle(tmp_path / "short.ckpt", random_weights[:12]))
    turned = [(kernel.transpose(3, 2, 0, 1), bias) for kernel, bias in random_weights]  # torch's order
    with pytest.raises(ValueError, match=r"Conv_0 .* found \(64, 3, 3, 3\)"):
        vgg16.load(_write_pickle(tmp_path / "turned.ckpt", turned))
    (tmp_path / "code.ckpt").write_bytes(pickle.dumps({"VGG16_0": print}))
    with pytest.raises(ValueError, match="builtins.print"):
        vgg16.load(tmp_path / "code.ckpt")
    (tmp_path / "page.h5").write_text("not found")
    with pytest.raises(ValueError, match="no weights of VGG16"):
        vgg16.load(tmp_path / "page.h5")


def test_features_pool_what_the_network_gives(pickled, monkeypatch):
    """Means and standard deviations over places, on a signal, against the activations themselves."""
    monkeypatch.setattr(weights, "path", lambda name: pickled if name == "vgg16" else None)
    frames = settings.load().librosa_frames
    t = np.arange(RATE) / RATE
    signal = (0.5 * np.sin(2 * np.pi * (200 + 900 * t) * t)).astype(np.float32)
    image = images.mel224(signal, RATE, frames)
    block4, bottleneck = vgg16.activations(image[None], pickled)
    assert block4.shape == (1, 28, 28, 512)
    values = vgg16.pooled(signal, RATE, frames)
    assert values.shape == (1536,) == (len(vgg16.pooled_columns(frames)),)
    assert values.dtype == np.float32
    flat = block4.reshape(784, 512).astype(np.float64)
    expected = np.concatenate([flat.mean(0), flat.std(0), bottleneck.reshape(49, 512).mean(0)])
    np.testing.assert_allclose(values, expected, rtol=1e-3, atol=1e-5)
    halved = vgg16.maps(signal, RATE, frames)
    assert halved.shape == (7, 7, 512)
    assert halved.dtype == np.float16
    np.testing.assert_array_equal(halved, bottleneck[0].astype(np.float16))
    assert len(vgg16.maps_columns(frames)) == 512


@pytest.mark.corpus
def test_real_clips_with_the_published_weights(corpora_dir, store):
    """Through the registry, a worker and the cache; skipped where nobody has fetched the weights."""
    if not weights.is_here("vgg16"):
        pytest.skip("no VGG16 weights: ser-study download vgg16")
    for path in sorted((corpora_dir / "ravdess").rglob("03-01-0[25]-02-01-01-0[12].*")):  # calm, angry; two actors
        place = store.raw / path.relative_to(corpora_dir)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)
    config = settings.load(overrides={"run.jobs": 1})
    clips = corpora.load("ravdess", config=config, store=store)
    loaded = features.load("vgg16", clips, config=config, store=store)
    assert loaded.values.shape == (4, 1536)
    assert loaded.columns == vgg16.pooled_columns(config.librosa_frames)
    assert np.isfinite(loaded.values).all()
    assert (loaded.values[:, :512].mean(axis=1) > 0.1).all()  # .25 in the mean over 20 clips
    assert np.corrcoef(loaded.values).min() < 0.999  # clips differ


def test_registered():
    for name, shape in (("vgg16", 1536), ("vgg16_maps", 512)):
        feature = registry.get(name)
        assert (feature.apart, feature.weights, feature.audio) == ("keras", "vgg16", "means180_audio")
        assert len(feature.columns(settings.load().librosa_frames)) == shape
