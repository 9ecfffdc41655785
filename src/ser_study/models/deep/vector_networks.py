"""Networks on one vector a clip: convolutions along its columns, and dense heads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ser_study.models.deep.network import Network, Shape

_CONV1D = (256, 128, 64, 128, 256, 64)  # channels
_CONV8 = ((256, 256), (128, 128, 128, 128), (64, 64))  # channels; the first two groups end in normalisation and dropout
_KERNEL = 8  # columns


def _penalty(params: Mapping[str, Any]):
    """Penalty on the weights, or None."""
    from keras import regularizers

    l1, l2 = params.get("l1", 0.0), params.get("l2", 0.0)
    return regularizers.L1L2(l1=l1, l2=l2) if l1 or l2 else None


def conv1d(shape: Shape, n_classes: int, params: Mapping[str, Any]):
    """Six convolutions along the columns (E001); 813,575 parameters for 184 columns and 7 classes."""
    from keras import Input, Model, layers

    inputs = Input(shape)
    net = layers.Reshape((shape[0], 1))(inputs)
    for number, channels in enumerate(_CONV1D):
        net = layers.Conv1D(channels, _KERNEL, padding="same", kernel_regularizer=_penalty(params))(net)
        net = layers.ReLU()(layers.BatchNormalization()(net))
        if number == 0:
            net = layers.AveragePooling1D(2)(net)
    net = layers.AveragePooling1D(2)(net)
    net = layers.Flatten()(layers.Dropout(params["dropout"])(net))
    return Model(inputs, layers.Dense(n_classes)(net), name="conv1d")


def conv8(shape: Shape, n_classes: int, params: Mapping[str, Any]):
    """Eight convolutions and three dense layers (E002, deep half)."""
    from keras import Input, Model, layers

    inputs = Input(shape)
    net = layers.Reshape((shape[0], 1))(inputs)
    for group in _CONV8:
        for number, channels in enumerate(group):
            net = layers.Conv1D(channels, _KERNEL, padding="same", kernel_regularizer=_penalty(params))(net)
            last = number == len(group) - 1 and group is not _CONV8[-1]
            net = layers.ReLU()(layers.BatchNormalization()(net) if last else net)
        if group is not _CONV8[-1]:
            net = layers.Dropout(params["dropout"])(net)
    net = layers.Flatten()(net)
    for _ in range(2):
        net = layers.Dense(params["units"], activation="relu", kernel_regularizer=_penalty(params))(net)
    net = layers.Dropout(params["dropout"])(net)
    return Model(inputs, layers.Dense(n_classes)(net), name="conv8")


def columns_rnn(shape: Shape, n_classes: int, params: Mapping[str, Any]):
    """A simple recurrent layer that reads the columns one after the other (E002; it does not work)."""
    from keras import Input, Model, layers

    inputs = Input(shape)
    net = layers.SimpleRNN(params["hidden"])(layers.Reshape((shape[0], 1))(inputs))
    return Model(inputs, layers.Dense(n_classes)(net), name="columns_rnn")


def head(shape: Shape, n_classes: int, params: Mapping[str, Any]):
    """Dense layers with dropout on whatever comes in, flattened; ``units`` are their widths."""
    from keras import Input, Model, layers

    inputs = Input(shape)
    net = layers.Flatten()(inputs)
    for units in params["units"]:
        net = layers.Dense(units, activation="relu")(net)
    net = layers.Dropout(params["dropout"])(net)
    return Model(inputs, layers.Dense(n_classes)(net), name="head")


_SGD = {"optimizer": "sgd", "lr": 0.01, "momentum": 0.9}
CONV8 = Network(
    "conv8_002",
    "8-conv CNN on principal components (E002)",
    "vector",
    conv8,
    # E002 stopped by nothing: validation loss rises long before accuracy does, so only the last epochs are compared
    {**_SGD, "batch": 16, "epochs": 60, "unwatched": 50, "dropout": 0.6, "units": 4096, "l1": 0.0, "l2": 0.0},
    "pca95",
    published=True,  # 300 epochs there; the notebook's learning rate is .001, the README's .01
)
_SHORT = {"epochs": 8, "unwatched": 6, "units": 1024}  # of the regularisation study: a smaller net, fewer epochs
_LONG = {name: 4 * _SHORT[name] for name in ("epochs", "unwatched")}
STUDY = (
    CONV8.varied("short", "as published", **_SHORT),
    CONV8.varied("dropout0", "no dropout", **_SHORT, dropout=0.0),
    CONV8.varied("dropout2", "dropout .2", **_SHORT, dropout=0.2),
    CONV8.varied("dropout75", "dropout .75", **_SHORT, dropout=0.75),
    CONV8.varied("l1", "L1 penalty", **_SHORT, l1=1e-5),
    CONV8.varied("l2", "L2 penalty", **_SHORT, l2=1e-4),
    CONV8.varied("batch64", "batches of 64", **{**_SHORT, **_LONG}, batch=64),  # as many steps
)
NETWORKS = (
    Network(
        "conv1d_001",
        "Conv1D on 184 means (E001)",
        "vector",
        conv1d,
        # 50 epochs there, stopped by nothing; its accuracy goes on rising when its loss no longer falls
        {"lr": 5e-4, "batch": 128, "epochs": 25, "unwatched": 15, "dropout": 0.2, "l1": 0.0, "l2": 0.0},
        published=True,
    ),
    CONV8,
    *STUDY,
    Network("rnn_002", "simple RNN over columns (E002)", "vector", columns_rnn, {"hidden": 128, "epochs": 20}),
    Network(
        "vgg16_head_002",
        "dense head on VGG16's bottleneck (E002)",
        "any",
        head,
        {**_SGD, "batch": 64, "epochs": 30, "units": (4096, 4096), "dropout": 0.5},
        published=True,
    ),
    Network(
        "mlp_head",
        "dense head on a vector",
        "any",
        head,
        {"units": (256,), "dropout": 0.5, "epochs": 60},
    ),
)
