"""Networks on images: the CNN–BiLSTM with attention of E004, and the large image networks of E002."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ser_study.models.deep.network import Network, Shape
from ser_study.models.deep.sequence_networks import pooled

_CAFFE = {"scale": 255.0, "offset": (-103.939, -116.779, -123.68)}  # blue, green, red less their means
_PLUS_MINUS = {"scale": 2.0, "offset": -1.0}
LARGE = {  # class of keras.applications, what its pixels look like, and whether E002 put a dense head on it
    "vgg16": ("VGG16", _CAFFE, True),
    "vgg19": ("VGG19", _CAFFE, True),
    "mobilenet": ("MobileNet", _PLUS_MINUS, False),
    "resnet50": ("ResNet50", _CAFFE, False),
    "inception": ("InceptionV3", _PLUS_MINUS, False),
}


def _block(net, channels: int, pool: tuple[int, int], dropout: float):
    """Convolution, normalisation, ReLU, maximum pooling, dropout; the ReLU after the pooling, which is the
    same function and costs less."""
    from keras import layers

    net = layers.BatchNormalization()(layers.Conv2D(channels, 3, padding="same")(net))
    return layers.Dropout(dropout)(layers.ReLU()(layers.MaxPooling2D(pool)(net)))


def _convolved(net, params: Mapping[str, Any], pools):
    """Three blocks of convolutions."""
    for channels, pool in zip((16, 32, 64), pools):
        net = _block(net, channels, pool, params["dropout"])
    return net


def _read(inputs, steps, n_classes: int, params: Mapping[str, Any], name: str):
    """BiLSTM and attention over steps (t, d), then the classes."""
    from keras import Model, layers

    net = steps
    for _ in range(params["layers"]):
        lstm = layers.LSTM(params["hidden"], return_sequences=True, unroll=net.shape[1] == 1)
        net = layers.Bidirectional(lstm)(net)
    net = layers.Dropout(params["lstm_dropout"])(net)
    return Model(inputs, layers.Dense(n_classes)(pooled(net, params["hidden"])), name=name)


def cnn_bilstm_one_step(shape: Shape, n_classes: int, params: Mapping[str, Any]):
    """As E004 runs: all of the image becomes one step, so recurrence and attention see nothing in time
    (the weight of that step is always 1)."""
    from keras import Input, layers

    inputs = Input(shape)
    net = _convolved(inputs, params, ((2, 2), (4, 4), (4, 4)))
    return _read(inputs, layers.Reshape((1, -1))(net), n_classes, params, "cnn_bilstm_one_step")


def cnn_bilstm(shape: Shape, n_classes: int, params: Mapping[str, Any]):
    """What E004 means: the same blocks, pooled less in time, then a BiLSTM and attention over time."""
    from keras import Input, layers

    inputs = Input(shape)
    net = _convolved(inputs, params, ((4, 2), (1, 4), (1, 4)))
    return _read(inputs, layers.Reshape((net.shape[1], -1))(net), n_classes, params, "cnn_bilstm")


def cnn_bilstm_chunks(shape: Shape, n_classes: int, params: Mapping[str, Any]):
    """Chunks as in E004, cut along time: each passes the same blocks and becomes one step.

    E004 cuts 128 rows every 64 along the mel axis, which gives one chunk. Here ``chunk`` frames every
    ``chunk_hop``; frames after the last whole chunk are left out.
    """
    from keras import Input, layers, ops

    inputs, size = Input(shape), min(params["chunk"], shape[0])
    starts = range(0, shape[0] - size + 1, params["chunk_hop"])
    chunks = ops.stack([inputs[:, start : start + size] for start in starts], axis=1)
    # all chunks as one batch, so that they share their normalisation
    pieces = ops.reshape(chunks, (-1, size, *shape[1:]))
    vectors = layers.Flatten()(_convolved(pieces, params, ((2, 2), (4, 4), (4, 4))))
    steps = ops.reshape(vectors, (-1, len(starts), vectors.shape[-1]))
    return _read(inputs, steps, n_classes, params, "cnn_bilstm_chunks")


def large(shape: Shape, n_classes: int, params: Mapping[str, Any]):
    """A network of ``keras.applications`` on grey images, brought to ``size`` × ``size`` pixels.

    ``weights`` is empty (from scratch), "imagenet" (downloaded by Keras) or the path of a ``.h5`` file
    without its top; ``frozen`` keeps them and trains the head alone.

    Raises
    ------
    ValueError
        The weights cannot be had or read.
    """
    from keras import Input, Model, applications, layers

    function, pixels, dense = LARGE[params["base"]]
    side = params["size"]
    inputs = Input(shape)
    net = inputs if shape[:2] == (side, side) else layers.Resizing(side, side)(inputs)
    net = layers.Rescaling(**pixels)(layers.Concatenate()([net] * 3))
    try:
        base = getattr(applications, function)(
            include_top=False, weights=params["weights"] or None, input_shape=(side, side, 3)
        )
    except (OSError, ValueError) as error:
        where = "give the path of a .h5 file without its top as weights, or train from scratch with weights=''"
        raise ValueError(f"No weights {params['weights']!r} for {function}: {error}; {where}.") from error
    base.trainable = not params["frozen"]
    net = base(net)
    net = layers.Flatten()(net) if dense else layers.GlobalAveragePooling2D()(net)
    for units in (4096, 4096) if dense else ():
        net = layers.Dense(units, activation="relu")(net)
    return Model(inputs, layers.Dense(n_classes)(layers.Dropout(params["dropout"])(net)), name=params["base"])


_LSTM = {"dropout": 0.2, "lstm_dropout": 0.4, "layers": 1, "batch": 128, "epochs": 25}
CNN_BILSTM_004 = Network(
    "cnn_bilstm_004",
    "CNN–BiLSTM–attention over one step (E004)",
    "image",
    cnn_bilstm_one_step,
    {**_LSTM, "optimizer": "sgd", "lr": 0.1, "momentum": 0.9, "hidden": 64},  # of the two published checkpoints
    "pixel",
    published=True,
)
_LARGE = {
    "optimizer": "sgd",
    "lr": 0.01,
    "batch": 16,
    "epochs": 30,
    "size": 224,  # pixels
    "weights": "",
    "frozen": False,
    "dropout": 0.5,
}
_IMAGES = {
    name: Network(name, f"{row[0]} on mel images", "image", large, {**_LARGE, "base": name}, "unit")
    for name, row in LARGE.items()
}
NETWORKS = (
    CNN_BILSTM_004,
    CNN_BILSTM_004.varied("h256", "hidden size 256", hidden=256),
    Network(
        "cnn_bilstm",
        "CNN–BiLSTM–attention over time",
        "image",
        cnn_bilstm,
        {**_LSTM, "lr": 1e-3, "hidden": 64, "epochs": 15},  # ten more lower its validation loss by .03 nats
        "pixel",
    ),
    Network(
        "cnn_bilstm_chunks",
        "CNN–BiLSTM–attention over chunks of time",
        "image",
        cnn_bilstm_chunks,
        {**_LSTM, "lr": 1e-3, "hidden": 64, "epochs": 15, "chunk": 32, "chunk_hop": 16},  # frames
        "pixel",
    ),
    *_IMAGES.values(),
    *(
        _IMAGES[name].varied("imagenet", "head alone trained", weights="imagenet", frozen=True)
        for name in ("vgg16", "vgg19")
    ),
)
