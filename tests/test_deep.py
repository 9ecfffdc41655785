"""Networks: published sizes, what their estimator promises, what is fitted on which rows."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.metrics import log_loss
from sklearn.preprocessing import StandardScaler

from ser_study.config import Models, Training
from ser_study.models import deep, registry
from ser_study.models.deep import image_networks, preparation
from ser_study.models.deep.batches import batches

SHAPES = {"vector": (24,), "sequence": (6, 10), "image": (48, 64, 1), "any": (3, 3, 8)}
WITHOUT_TOP = {  # parameters as the authors of keras.applications state them, and values that leave the base
    "vgg16": (14_714_688, 7 * 7 * 512),
    "vgg19": (20_024_384, 7 * 7 * 512),
    "mobilenet": (3_228_864, 1024),
    "resnet50": (23_587_712, 2048),
    "inception": (21_802_784, 2048),
}


def made(shape=(24,), n=90, n_classes=3, seed=0, signal=2.0):
    """Values in which the class shifts a part of every clip."""
    random = np.random.default_rng(seed)
    codes = np.arange(n) % n_classes
    values = random.standard_normal((n, *shape)).astype(np.float32)
    width = shape[0] // n_classes
    for code in range(n_classes):
        values[codes == code, code * width : (code + 1) * width] += signal
    return values, np.array(["angry", "happy", "sad"])[codes]


@pytest.fixture(autouse=True)
def _memory():
    """Networks of one test do not stay for the next."""
    yield
    if "keras" in sys.modules:
        sys.modules["keras"].utils.clear_session()


def built(name, shape, n_classes, **changed):
    network = deep.get(name)
    return network.make(shape, n_classes, network.settings(changed))


def test_conv1d_has_the_published_size():
    model = built("conv1d_001", (184,), 7)
    assert model.count_params() == 813_575
    (flat,) = [layer for layer in model.layers if layer.name.startswith("flatten")]
    assert flat.output.shape[1] == 2944


def test_other_published_sizes():
    # sums by hand: kernels · inputs · channels + channels, four values a channel in a normalisation
    convolutions = [(1, 256), (256, 256), (256, 128), (128, 128), (128, 128), (128, 128), (128, 64), (64, 64)]
    by_hand = sum(8 * a * b + b for a, b in convolutions) + 4 * 256 + 4 * 128
    by_hand += 66 * 64 * 4096 + 4096 + 4096 * 4096 + 4096 + 4096 * 16 + 16
    assert built("conv8_002", (66,), 16).count_params() == by_hand
    gru = 2 * 3 * (128 * (128 + 128) + 2 * 128)
    assert built("bigru_003", (20, 128), 8).count_params() == 4 * 128 + gru + 4 * 256 + 256 * 8 + 8
    seed = built("cnn_bilstm_004", (87, 128, 1), 6)
    (steps,) = [layer for layer in seed.layers if layer.name.startswith("reshape")]
    assert steps.output.shape[1:] == (1, 512)  # their degenerate form: one step of 64 · 2 · 4
    real = built("cnn_bilstm", (87, 128, 1), 6)
    assert real.get_layer("attention_weights").output.shape[1:] == (21, 1)
    chunked = built("cnn_bilstm_chunks", (87, 128, 1), 6)
    assert chunked.get_layer("attention_weights").output.shape[1:] == (4, 1)  # 32 frames every 16, whole ones


def test_chunks_run_along_time_and_overlap():
    model = built("cnn_bilstm_chunks", (70, 32, 1), 3)
    keras = sys.modules["keras"]
    first = next(layer for layer in model.layers if layer.name.startswith("conv2d"))
    images = np.random.default_rng(0).random((2, 70, 32, 1)).astype(np.float32)
    found = np.asarray(keras.Model(model.input, first.input)(images))
    assert len(found) == 6, "three chunks an image"
    for place, piece in enumerate(found):
        start = 16 * (place % 3)
        np.testing.assert_array_equal(piece, images[place // 3, start : start + 32])
    short = built("cnn_bilstm_chunks", (40, 32, 1), 3, chunk=64)
    (steps,) = [layer for layer in short.layers if layer.name.startswith("bidirectional")]
    assert steps.output.shape[1] == 1, "all of a short image is one chunk"


@pytest.mark.parametrize("name", list(WITHOUT_TOP))
def test_image_networks_have_the_stated_size_and_train_one_batch(name):
    base, leaving = WITHOUT_TOP[name]
    dense = name.startswith("vgg")
    size = 75 if name == "inception" else 32
    if dense:
        leaving = 512  # one place is left of 32 × 32 pixels; the head at 224 pixels would take 0.5 GB here
    top = leaving * 4096 + 4096 + 4096 * 4096 + 4096 + 4096 * 3 + 3 if dense else leaving * 3 + 3
    model = built(name, (40, 30, 1), 3, size=size)
    assert model.count_params() == base + top
    keras = sys.modules["keras"]
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.001), loss, run_eagerly=True)
    before = [np.asarray(weights) for weights in model.trainable_variables]
    values = np.random.default_rng(0).random((3, 40, 30, 1)).astype(np.float32)
    assert np.isfinite(model.train_on_batch(values, np.arange(3)))
    moved = [not np.array_equal(old, np.asarray(new)) for old, new in zip(before, model.trainable_variables)]
    assert np.mean(moved) > 0.7


def test_image_network_behind_the_estimator():
    values, truth = made((40, 30, 1), n=6)
    settings = Training(max_epochs=1, validation_share=0)
    fitted = deep.classifier("mobilenet", {"size": 32, "batch": 6, "lr": 1e-4}, 1, settings).fit(values * 40, truth)
    assert len(fitted.history_) == 1
    assert np.allclose(fitted.predict_proba(values).sum(axis=1), 1)


def test_missing_weights_say_what_to_do(tmp_path):
    values, truth = made((40, 30, 1), n=3)
    given = {"size": 32, "weights": str(tmp_path / "none.h5"), "frozen": True}
    with pytest.raises(ValueError, match=r"none\.h5.*path of a \.h5 file"):
        deep.classifier("vgg16", given, 1).fit(values, truth)


@pytest.mark.parametrize("name", ["vgg19", "mobilenet"])
def test_weights_of_a_file_stay_and_the_head_alone_learns(name, tmp_path):
    keras, function = sys.modules["keras"], image_networks.LARGE[name][0]
    given = getattr(keras.applications, function)(include_top=False, weights=None, input_shape=(32, 32, 3))
    given.save_weights(tmp_path / "had.weights.h5")
    model = built(name, (40, 30, 1), 3, size=32, weights=str(tmp_path / "had.weights.h5"), frozen=True)
    (base,) = [layer for layer in model.layers if isinstance(layer, keras.Model)]
    assert not base.trainable_variables
    model.compile(keras.optimizers.SGD(0.1), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    head = [np.asarray(weights) for weights in model.trainable_variables]
    model.train_on_batch(np.random.default_rng(0).random((3, 40, 30, 1)).astype(np.float32), np.arange(3))
    for had, here in zip(given.weights, base.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(had), np.asarray(here))
    assert any(not np.array_equal(old, np.asarray(new)) for old, new in zip(head, model.trainable_variables))


@pytest.mark.parametrize("name", [n for n, row in deep.NETWORKS.items() if "base" not in row.params])
def test_every_network_gives_one_logit_a_class(name):
    shape = SHAPES[deep.get(name).kind]
    changed = {"units": 32} if name.startswith("conv8") else {}
    model = built(name, shape, 5, **changed)
    out = np.asarray(model(np.random.default_rng(0).standard_normal((2, *shape)).astype(np.float32)))
    assert out.shape == (2, 5)
    assert np.isfinite(out).all()
    assert np.ptp(out, axis=0).max() > 0  # the output depends on the input


@pytest.mark.parametrize(
    ("name", "shape", "params"),
    [
        ("conv1d_001", (24,), {"batch": 8, "epochs": 24}),  # its normalisation needs some hundred steps
        ("mlp_head", (24,), {"epochs": 12}),
        ("bigru", (6, 10), {"batch": 16, "epochs": 12}),
        ("attention_pool", (6, 10), {"batch": 16, "epochs": 12}),
        ("cnn_bilstm_004", (48, 64, 1), {"batch": 16, "lr": 0.01, "dropout": 0.0, "epochs": 12}),
    ],
)
def test_networks_learn_what_is_there(name, shape, params):
    values, truth = made(shape)
    if name == "attention_pool":  # blind to the order of the frames: the class must be seen in each of them
        values = np.swapaxes(made(shape[::-1])[0], 1, 2)
    fitted = deep.classifier(name, params, 3, Training(patience=24)).fit(
        values[:60], truth[:60], validation=(values[60:75], truth[60:75])
    )
    assert fitted.classes_.tolist() == ["angry", "happy", "sad"]
    assert np.mean(fitted.predict(values[75:]) == truth[75:]) > 0.7
    assert fitted.history_["loss"].iloc[-1] < fitted.history_["loss"].iloc[0]


def test_best_epoch_is_restored_and_training_stops_by_patience():
    values, truth = made(signal=0.7, n=150)
    validation = values[60:], truth[60:]
    fitted = deep.classifier("mlp_head", {"lr": 0.02}, 5, Training(patience=3)).fit(values[:60], truth[:60], validation)
    history = fitted.history_
    assert fitted.best_epoch_ == history["validation_loss"].idxmin() + 1
    assert len(history) == fitted.best_epoch_ + 3 < 60
    restored = log_loss(validation[1], fitted.predict_proba(validation[0]), labels=fitted.classes_)
    assert restored == pytest.approx(history["validation_loss"].min(), rel=1e-3)
    assert list(history.columns) == list(deep.HISTORY)
    assert (history["seconds"] > 0).all()
    assert fitted.seconds_per_epoch_ == pytest.approx(history["seconds"].iloc[1:].median())


def test_unwatched_epochs_stop_nothing():
    values, truth = made(signal=0.7, n=150)
    validation = values[60:], truth[60:]
    patient = {"lr": 0.02, "unwatched": 20}  # far beyond its best epoch
    fitted = deep.classifier("mlp_head", patient, 5, Training(patience=3)).fit(values[:60], truth[:60], validation)
    assert fitted.history_["validation_loss"].idxmin() < 20 <= fitted.best_epoch_ - 1
    assert fitted.best_epoch_ - 1 == fitted.history_["validation_loss"][20:].idxmin()
    short = deep.classifier("mlp_head", patient, 5, Training(max_epochs=2)).fit(values[:60], truth[:60], validation)
    assert short.best_epoch_ == len(short.history_) == 2


def test_two_trainings_agree_and_another_seed_differs():
    values, truth = made()
    settings = Training(max_epochs=3)
    runs = [
        deep.classifier("conv1d_001", {"batch": 32}, seed, settings).fit(values, truth).predict_proba(values)
        for seed in (1, 1, 2)
    ]
    assert np.abs(runs[0] - runs[1]).max() < 1e-4
    assert np.abs(runs[0] - runs[2]).max() > 1e-3


def test_preparation_and_weights_come_from_training_rows_alone():
    values, truth = made()
    settings = Training(max_epochs=2)
    spoiled = values.copy()
    spoiled[60:] = 1e6
    one, two = (
        deep.classifier("mlp_head", None, 1, settings).fit(v[:60], truth[:60], validation=(values[60:], truth[60:]))
        for v in (values, spoiled)
    )
    assert np.array_equal(one.predict_proba(values), two.predict_proba(values))
    assert np.allclose(one.preparation_.mean_, values[:60].mean(axis=0), atol=1e-5)


def test_watched_clips_stay_with_their_augmentation_and_every_class_is_trained():
    truth = np.repeat(np.array(["a", "b"]), (90, 30))
    groups = np.repeat(np.arange(40), 3)  # three rows of each clip
    out = deep.held_out(truth, groups, 0.1, seed=4)
    assert not set(groups[out]) & set(groups[~out])
    assert {name: int((truth[out] == name).sum()) for name in "ab"} == {"a": 9, "b": 3}
    assert not np.array_equal(out, deep.held_out(truth, groups, 0.1, seed=5))
    alone = deep.held_out(np.array(["a"]), np.array([7]), 0.9, seed=1)
    assert not alone.any()  # a class is never left without training


def test_watched_rows_are_not_trained_on():
    values, truth = made(n=40)
    groups = np.arange(40) // 2
    fitted = deep.classifier("mlp_head", None, 9, Training(max_epochs=1, validation_share=0.2))
    truth = truth[groups]
    fitted.fit(values, truth, groups=groups)
    out = deep.held_out(truth, groups, 0.2, 9)
    assert np.allclose(fitted.preparation_.mean_, values[~out].mean(axis=0), atol=1e-5)
    assert fitted.history_["validation_loss"].notna().all()


def test_standard_agrees_with_scikit_learn():
    values = np.random.default_rng(0).normal(3, 5, (50, 4, 6, 2)).astype(np.float32)
    values[:, 1, 2, 0] = 7.0  # a pixel that never changes
    pixel = preparation.make("pixel").fit_transform(values)
    flat = StandardScaler().fit_transform(values.reshape(50, -1).astype(float)).reshape(values.shape)
    assert np.allclose(pixel, flat, atol=1e-4)
    channel = preparation.make("channel").fit_transform(values)
    assert np.allclose(channel, StandardScaler().fit_transform(values.reshape(-1, 2)).reshape(values.shape), atol=1e-4)
    unit = preparation.make("unit").fit(values[:40])
    assert (unit.transform(values[:40]).min(), unit.transform(values[:40]).max()) == (0, 1)
    assert unit.transform(values * 100).max() == 1


def test_components_hold_the_variance_of_the_training_rows():
    random = np.random.default_rng(1)
    values = (random.standard_normal((80, 5)) @ random.standard_normal((5, 30)) * 50).astype(np.float32)
    inside = preparation.make("pca95").fit_transform(values)
    scaled = StandardScaler().fit_transform(values.astype(float))
    share = np.cumsum(PCA().fit(scaled).explained_variance_ratio_)
    assert inside.shape[1] == np.searchsorted(share, 0.95) + 1
    with pytest.raises(ValueError, match=r"'log'.*pca95"):
        preparation.make("log")


def test_class_weights_lift_the_rare_class():
    values, truth = made(n=120, n_classes=2, signal=0.4)
    kept = (truth == "angry") | (np.arange(120) < 24)
    plain, balanced = (
        registry.get("mlp_head").build(Models(class_weight=weight), {}, 1).set_params(
            training=Training(max_epochs=8, validation_share=0)
        ).fit(values[kept], truth[kept]).predict_proba(values)[:, 1].mean()
        for weight in ("", "balanced")
    )  # fmt: skip
    assert balanced > plain + 0.1


def test_errors_say_what_is_wrong():
    values, truth = made()
    with pytest.raises(ValueError, match=r"'transformer'.*conv1d_001"):
        deep.get("transformer")
    with pytest.raises(ValueError, match=r"no setting width.*dropout"):
        deep.classifier("conv1d_001", {"width": 3})
    with pytest.raises(ValueError, match=r"'bigru' reads sequences.*found values of shape \(n, 24\)"):
        deep.classifier("bigru").fit(values, truth)
    with pytest.raises(FloatingPointError, match=r"first epoch; lower its learning rate"):
        deep.classifier("mlp_head", {"lr": 1e30, "optimizer": "sgd"}, 1, Training(validation_share=0)).fit(
            values, truth
        )


def test_registry_imports_no_keras_and_declares_what_matters():
    code = "import sys; from ser_study.models import registry; print('keras' in sys.modules, len(registry.REGISTRY))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("False")
    assert deep.declaration("conv8_002_batch64")["params"]["batch"] == 64
    assert deep.declaration("conv8_002")["preparation"] == "pca95"
    assert {row.family for row in deep.REGISTRY.values()} == {"deep"}


def test_maps_without_a_channel_are_images():
    """log_mel87 gives (n, t, mels); E004's network must read it as it reads (n, t, mels, 1)."""
    random = np.random.default_rng(4)
    values, truth = random.normal(size=(24, 32, 32)).astype(np.float32), np.array(["a", "b"] * 12)
    quick, shared = Training(max_epochs=1), {"hidden": 4, "batch": 8}
    plain, image = (
        deep.classifier("cnn_bilstm_004", shared, 3, quick).fit(x, truth, (x[:6], truth[:6])).predict_proba(x)
        for x in (values, values[..., None])
    )
    assert plain == pytest.approx(image, abs=1e-5)


def visited_in_training(epochs, rows):
    """First value of every row in the order in which a model reads them, all epochs in one list."""
    import keras

    visited = []

    class Recorder(keras.layers.Layer):
        def call(self, x):
            visited.extend(np.asarray(x)[:, 0].astype(int).tolist())
            return x

    model = keras.Sequential([keras.Input((1,)), Recorder(), keras.layers.Dense(1)])
    model.compile("sgd", "mse", run_eagerly=True)
    visited.clear()
    model.fit(rows, verbose=0, epochs=epochs, shuffle=False)
    return visited


def test_every_epoch_visits_all_rows_in_an_order_of_its_own():
    values, codes = np.arange(21, dtype=np.float32)[:, None], np.zeros(21)

    def orders(seed):
        visited = visited_in_training(3, batches(values, codes, size=8, seed=seed))
        return np.reshape(visited[-63:], (3, 21)).tolist()

    first = orders(4)
    assert [sorted(epoch) for epoch in first] == [list(range(21))] * 3
    assert len({tuple(epoch) for epoch in first}) == 3
    assert orders(4) == first
    assert orders(5) != first
    assert orders(None) == [list(range(21))] * 3


def test_batches_are_not_tuned():
    # the tuner of tf.data sleeps up to as long as an epoch took before the next one may begin
    rows = batches(np.zeros((5, 2), dtype=np.float32), np.arange(5), size=2)
    assert rows.options().autotune.enabled is False
    assert [len(codes) for _, codes in rows] == [2, 2, 1]
