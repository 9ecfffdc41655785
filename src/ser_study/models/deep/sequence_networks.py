"""Networks on a sequence of frames: recurrent layers, attention, convolutions before a recurrent layer.

An image (t, mels, 1) is read as a sequence of t frames.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ser_study.models.deep.network import Network, Shape


def _frames(shape: Shape):
    """Input and its frames (n, t, d)."""
    from keras import Input, layers

    inputs = Input(shape)
    return inputs, layers.Reshape((shape[0], shape[1]))(inputs) if len(shape) == 3 else inputs


def pooled(frames, hidden: int, name: str = "attention"):
    """Self-attentive pooling: (n, t, d) → (n, d), a mean over time with learned weights.

    A single step has the weight 1 whatever is learned, so nothing is learned then.
    """
    from keras import layers

    if frames.shape[1] == 1:
        return layers.Flatten()(frames)
    scores = layers.Dense(1, name=f"{name}_score")(layers.Dense(hidden, activation="tanh")(frames))
    weights = layers.Softmax(axis=1, name=f"{name}_weights")(scores)
    return layers.Flatten()(layers.Dot(axes=1)([weights, frames]))


def bigru(shape: Shape, n_classes: int, params: Mapping[str, Any]):
    """Normalisation, dropout, one bidirectional GRU, dropout, normalisation, dense (E003)."""
    from keras import Model, layers

    inputs, net = _frames(shape)
    net = layers.Dropout(params["dropout"])(layers.BatchNormalization()(net))
    net = layers.Bidirectional(layers.GRU(params["hidden"]))(net)
    net = layers.BatchNormalization()(layers.Dropout(params["dropout"])(net))
    return Model(inputs, layers.Dense(n_classes)(net), name="bigru")


def stack(shape: Shape, n_classes: int, params: Mapping[str, Any]):
    """``layers`` recurrent layers of one ``cell`` (SimpleRNN, GRU or LSTM); the last state is classified."""
    from keras import Model, layers

    inputs, net = _frames(shape)
    for number in range(params["layers"]):
        cell = getattr(layers, params["cell"])
        net = cell(params["hidden"], return_sequences=number < params["layers"] - 1)(net)
        net = layers.Dropout(params["dropout"])(net)
    return Model(inputs, layers.Dense(n_classes)(net), name=f"{params['cell'].lower()}_stack")


def attention(shape: Shape, n_classes: int, params: Mapping[str, Any]):
    """A dense layer on each frame, self-attentive pooling, dense."""
    from keras import Model, layers

    inputs, net = _frames(shape)
    net = layers.Dense(params["hidden"], activation="relu")(layers.Dropout(params["dropout"])(net))
    net = layers.Dropout(params["dropout"])(pooled(net, params["hidden"] // 2))
    return Model(inputs, layers.Dense(n_classes)(net), name="attention")


def _convolved(net, params: Mapping[str, Any]):
    """Two convolutions over time, each with normalisation, ReLU, pooling and dropout."""
    from keras import layers

    for channels, pool in ((64, 2), (128, 4)):
        net = layers.BatchNormalization()(layers.Conv1D(channels, 5, padding="same")(net))
        net = layers.MaxPooling1D(pool, padding="same")(layers.ReLU()(net))
        net = layers.Dropout(params["dropout"])(net)
    return net


def cnn(shape: Shape, n_classes: int, params: Mapping[str, Any]):
    """Two convolutions over time, then the mean and the maximum of each channel over time."""
    from keras import Model, layers

    inputs, net = _frames(shape)
    net = _convolved(net, params)
    net = layers.Concatenate()([layers.GlobalAveragePooling1D()(net), layers.GlobalMaxPooling1D()(net)])
    return Model(inputs, layers.Dense(n_classes)(net), name="cnn")


def cnn_lstm(shape: Shape, n_classes: int, params: Mapping[str, Any]):
    """Two convolutions over time with pooling, then an LSTM (the future work of E000)."""
    from keras import Model, layers

    inputs, net = _frames(shape)
    net = layers.LSTM(params["hidden"])(_convolved(net, params))
    return Model(inputs, layers.Dense(n_classes)(layers.Dropout(params["dropout"])(net)), name="cnn_lstm")


_BIGRU = Network(
    "bigru_003",
    "BiGRU on embeddings (E003)",
    "sequence",
    bigru,
    {"lr": 1e-4, "batch": 128, "epochs": 160, "dropout": 0.6, "hidden": 128},
    published=True,  # scaled all the same: the running means of its first normalisation would lag behind for epochs
)
_STACK = {"hidden": 128, "layers": 2, "dropout": 0.3}
NETWORKS = (
    _BIGRU,
    Network("bigru", "BiGRU on embeddings, faster", "sequence", bigru, {**_BIGRU.params, "lr": 1e-3, "epochs": 60}),
    Network("rnn_stack", "two simple recurrent layers", "sequence", stack, {**_STACK, "cell": "SimpleRNN"}),
    Network("gru_stack", "two GRU layers", "sequence", stack, {**_STACK, "cell": "GRU"}),
    Network("lstm_stack", "two LSTM layers", "sequence", stack, {**_STACK, "cell": "LSTM"}),
    Network("attention_pool", "self-attentive pooling", "sequence", attention, {"hidden": 128, "dropout": 0.3}),
    Network("cnn", "CNN on log-mel frames", "sequence", cnn, {"batch": 32, "epochs": 20, "dropout": 0.3}),
    Network("cnn_lstm_000", "CNN + LSTM on log-mel frames", "sequence", cnn_lstm, {"hidden": 64, "dropout": 0.3}),
)
