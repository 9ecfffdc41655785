"""CAM++ in Keras 3: a network that knows speakers, whose middle layers know emotions too.

Wang et al. 2023, CAM++: a fast and efficient network for speaker verification using context-aware masking
(arXiv 2303.00332). A 2-D convolutional head looks at the filterbank; three blocks of densely connected time-delay
layers follow, each masking its channels by their mean over the clip and over the 100 frames around; mean and
standard deviation over time and one linear layer end in the speaker embedding. Every layer bears the name
of its weights in the published state dict. Outputs can be taken behind any block, and what lies behind the last
one asked for is not built.

Shapes: filterbank (batch, t, 80) → ``block1`` (batch, t/2, 512), ``block2`` and ``block3`` (batch, t/2, 1024), after
the batch normalisation and ReLU of the transition behind each block; ``embedding`` (batch, 192), and the same before
its ReLU as ``signed_embedding``: the paper's network ends without one, the package that the weights come in adds it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from ser_study.download import weights
from ser_study.download.state_dict import read_state_dict

N_MELS = 80
BLOCKS = {"block1": (12, 1), "block2": (24, 2), "block3": (16, 2)}  # name → dense layers, dilation
WIDTHS = {"block1": 512, "block2": 1024, "block3": 1024, "embedding": 192, "signed_embedding": 192}  # → channels
GROWTH, BOTTLENECK, HEAD = 32, 128, 32  # channels
SEGMENT = 100  # frames that share a local context
RANDOM_SEED = 0  # of the untrained control
EPSILON = 1e-5  # of every batch normalisation


def network(outputs: Sequence[str] = ("block2",)):
    """CAM++ with random weights, up to the last output asked for.

    Parameters
    ----------
    outputs : keys of ``WIDTHS``

    Returns
    -------
    keras.Model, filterbank (batch, t, 80) with any t → the output, or a list of them in the order asked for.

    Raises
    ------
    ValueError
        An unknown output.
    """
    unknown = [name for name in outputs if name not in WIDTHS]
    if unknown or not outputs:
        raise ValueError(f"CAM++ has no output {', '.join(unknown) or '(none asked for)'}; known: {', '.join(WIDTHS)}.")
    import keras

    entry = keras.Input((None, N_MELS), name="filterbank")
    x, values = stem(keras, entry), {}
    places = segments(keras.ops, x)
    for block in BLOCKS:
        values[block] = x = dense_block(keras, x, block, places)
        if values.keys() >= set(outputs):
            break
        x = narrowed(keras, x, block)
    else:
        values["signed_embedding"] = _pooled(keras, _normed(keras, x, "xvector.out_nonlinear"))
        values["embedding"] = keras.ops.relu(values["signed_embedding"])
    wanted = [values[name] for name in outputs]
    return keras.Model(entry, wanted if len(wanted) > 1 else wanted[0], name="campplus")


def stem(keras, entry):
    """The layers in front of the blocks, which halve time."""
    x = _padded(keras, _head(keras, entry), 2)
    x = keras.layers.Conv1D(BOTTLENECK, 5, strides=2, use_bias=False, name="xvector.tdnn.linear")(x)
    return _normed(keras, x, "xvector.tdnn.nonlinear")


def dense_block(keras, x, block: str, places):
    """Densely connected layers, and the normalisation and ReLU of the transition behind them."""
    depth, dilation = BLOCKS[block]
    for layer in range(1, depth + 1):
        x = keras.layers.Concatenate()([x, _dense_layer(keras, x, f"xvector.{block}.tdnnd{layer}", dilation, *places)])
    return _normed(keras, x, f"xvector.{_transition(block)}.nonlinear")


def narrowed(keras, x, block: str):
    """The linear layer of the transition behind a block."""
    return keras.layers.Dense(WIDTHS[block] // 2, use_bias=False, name=f"xvector.{_transition(block)}.linear")(x)


def _transition(block: str) -> str:
    return f"transit{list(BLOCKS).index(block) + 1}"


def _normed(keras, x, name: str, *, relu: bool = True):
    """Batch normalisation and ReLU."""
    x = keras.layers.BatchNormalization(momentum=0.9, epsilon=EPSILON, name=f"{name}.batchnorm")(x)
    return keras.ops.relu(x) if relu else x


def _padded(keras, x, margin: int):
    """Zeros on both sides in time; "same" would put them on one side where the stride is 2."""
    return keras.layers.ZeroPadding1D(margin)(x)


def _head(keras, x):
    """Two-dimensional front end, (batch, t, 80) → (batch, t, 320): bands are halved three times, time is kept."""
    x = keras.ops.expand_dims(x, -1)
    x = _conv2d(keras, x, "head.conv1", "head.bn1")
    for layer in (1, 2):
        for part, stride in enumerate((2, 1)):
            name = f"head.layer{layer}.{part}"
            y = _conv2d(keras, x, f"{name}.conv1", f"{name}.bn1", stride=stride)
            y = _conv2d(keras, y, f"{name}.conv2", f"{name}.bn2", relu=False)
            if stride > 1:
                x = _conv2d(keras, x, f"{name}.shortcut.0", f"{name}.shortcut.1", stride=stride, size=1, relu=False)
            x = keras.ops.relu(x + y)
    x = _conv2d(keras, x, "head.conv2", "head.bn2", stride=2)
    x = keras.layers.Permute((1, 3, 2))(x)  # the published weights count bands within channels
    return keras.layers.Reshape((-1, HEAD * N_MELS // 8))(x)


def _conv2d(keras, x, name: str, norm: str, *, stride: int = 1, size: int = 3, relu: bool = True):
    """Convolution over time and bands, strided over bands only; zeros around, as many on each side."""
    if size > 1:
        x = keras.layers.ZeroPadding2D(size // 2)(x)
    x = keras.layers.Conv2D(HEAD, size, strides=(1, stride), use_bias=False, name=name)(x)
    x = keras.layers.BatchNormalization(momentum=0.9, epsilon=EPSILON, name=norm)(x)
    return keras.ops.relu(x) if relu else x


def segments(ops, x):
    """Segment of each frame, (t,), and how far each segment is filled, (1, segments, 1).

    The last segment may be short; its mean is over the frames there are.
    """
    ones = ops.ones_like(x[:1, :, :1])
    places = ops.cast(ops.floor((ops.cumsum(ones[0, :, 0]) - 1) / SEGMENT), "int32")
    return places, _segment_means(ops, ones)


def _segment_means(ops, x):
    """Sums over segments, divided by the length of a full one: (batch, t, d) → (batch, segments, d)."""
    x = ops.pad(x, ((0, 0), (0, SEGMENT - 1), (0, 0)))
    return ops.average_pool(x, SEGMENT, strides=SEGMENT, padding="valid", data_format="channels_last")


def _dense_layer(keras, x, name: str, dilation: int, places, filled):
    """One dense time-delay layer with context-aware masking, (batch, t, d) → (batch, t, 32).

    The context is the same throughout a segment, so the mask is computed once a segment, then handed out.
    """
    x = _normed(keras, x, f"{name}.nonlinear1")
    x = keras.layers.Dense(BOTTLENECK, use_bias=False, name=f"{name}.linear1")(x)
    x = _normed(keras, x, f"{name}.nonlinear2")
    cam = f"{name}.cam_layer"
    local = _padded(keras, x, dilation)
    local = keras.layers.Conv1D(GROWTH, 3, dilation_rate=dilation, use_bias=False, name=f"{cam}.linear_local")(local)
    context = keras.ops.mean(x, axis=1, keepdims=True) + _segment_means(keras.ops, x) / filled
    context = keras.layers.Dense(BOTTLENECK // 2, activation="relu", name=f"{cam}.linear1")(context)
    mask = keras.layers.Dense(GROWTH, activation="sigmoid", name=f"{cam}.linear2")(context)
    return local * keras.ops.take(mask, places, axis=1)


def _pooled(keras, x):
    """Mean and (unbiased) standard deviation over time, then the embedding."""
    ops = keras.ops
    mean = ops.mean(x, axis=1)
    n = ops.sum(ops.ones_like(x[:, :, 0]), axis=1, keepdims=True)
    variance = ops.sum(ops.square(x - mean[:, None]), axis=1) / ops.maximum(n - 1, 1)
    x = ops.concatenate([mean, ops.sqrt(variance)], axis=-1)
    x = keras.layers.Dense(WIDTHS["embedding"], use_bias=False, name="xvector.dense.linear")(x)
    return keras.layers.BatchNormalization(
        epsilon=EPSILON, center=False, scale=False, name="xvector.dense.nonlinear.batchnorm"
    )(x)


def set_weights(model, state: Mapping[str, np.ndarray]) -> None:
    """Give a network of ``network`` the weights of a state dict; names it does not use are left.

    Parameters
    ----------
    model : keras.Model
    state : name → array, as PyTorch shapes it

    Raises
    ------
    ValueError
        A weight is missing, or has another shape than the network's.
    """
    for layer in model.layers:
        arrays = []
        for weight in layer.weights:
            name = f"{layer.name}.{_STATE_NAMES[weight.name]}"
            if name not in state:
                raise ValueError(f"The CAM++ weights lack {name!r}; the file holds {len(state)} arrays.")
            array = _turned(state[name], len(weight.shape))
            if array.shape != tuple(weight.shape):
                raise ValueError(f"{name!r} gives an array of shape {array.shape}; CAM++ has {tuple(weight.shape)}.")
            arrays.append(array)
        if arrays:
            layer.set_weights(arrays)


_STATE_NAMES = {  # Keras's word for a weight → PyTorch's
    "kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


def _turned(array: np.ndarray, rank: int) -> np.ndarray:
    """PyTorch's (out, in, …) as Keras's (…, in, out); a convolution of width 1 is a dense layer."""
    return array[..., 0].T if array.ndim == rank + 1 and array.shape[-1] == 1 else array.T


def set_random(model, seed: int = RANDOM_SEED) -> None:
    """Give a network of ``network`` the weights of ``random_state``."""
    set_weights(model, random_state(seed))


def random_state(seed: int = RANDOM_SEED) -> dict[str, np.ndarray]:
    """Weights that know nothing, the same at every call: kernels from N(0, 2 / fan in), all else at rest.

    Returns
    -------
    A state dict of the whole network: published name → float32 array, as PyTorch shapes it.
    """
    rng = np.random.default_rng(seed)
    state = {}
    for name, shape in _shapes():
        if len(shape) > 1:
            drawn = rng.normal(0.0, np.sqrt(2 / np.prod(shape[1:])), shape[::-1])
            state[name] = drawn.T.astype(np.float32)
        else:
            state[name] = np.full(shape, name.endswith((".weight", ".running_var")), dtype=np.float32)
    return state


def _shapes() -> Iterator[tuple[str, tuple[int, ...]]]:
    """Name and shape of every array of the state dict, from the input to the embedding."""
    yield from _head_shapes()
    yield "xvector.tdnn.linear.weight", (BOTTLENECK, HEAD * N_MELS // 8, 5)
    yield from _norm_shapes("xvector.tdnn.nonlinear.batchnorm", BOTTLENECK)
    width = BOTTLENECK
    for number, (block, (depth, _)) in enumerate(BLOCKS.items(), start=1):
        for layer in range(1, depth + 1):
            yield from _dense_shapes(f"xvector.{block}.tdnnd{layer}", width)
            width += GROWTH
        yield from _norm_shapes(f"xvector.transit{number}.nonlinear.batchnorm", width)
        yield f"xvector.transit{number}.linear.weight", (WIDTHS[block] // 2, width, 1)
        width = WIDTHS[block] // 2
    yield from _norm_shapes("xvector.out_nonlinear.batchnorm", width)
    yield "xvector.dense.linear.weight", (WIDTHS["embedding"], 2 * width, 1)
    yield from _norm_shapes("xvector.dense.nonlinear.batchnorm", WIDTHS["embedding"], affine=False)


def _head_shapes() -> Iterator[tuple[str, tuple[int, ...]]]:
    yield "head.conv1.weight", (HEAD, 1, 3, 3)
    yield from _norm_shapes("head.bn1", HEAD)
    for name in ("layer1.0", "layer1.1", "layer2.0", "layer2.1"):
        parts = (("conv1", "bn1", 3), ("shortcut.0", "shortcut.1", 1), ("conv2", "bn2", 3))
        for conv, norm, size in parts if name.endswith("0") else (parts[0], parts[2]):
            yield f"head.{name}.{conv}.weight", (HEAD, HEAD, size, size)
            yield from _norm_shapes(f"head.{name}.{norm}", HEAD)
    yield "head.conv2.weight", (HEAD, HEAD, 3, 3)
    yield from _norm_shapes("head.bn2", HEAD)


def _dense_shapes(name: str, width: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield from _norm_shapes(f"{name}.nonlinear1.batchnorm", width)
    yield f"{name}.linear1.weight", (BOTTLENECK, width, 1)
    yield from _norm_shapes(f"{name}.nonlinear2.batchnorm", BOTTLENECK)
    yield f"{name}.cam_layer.linear1.weight", (BOTTLENECK // 2, BOTTLENECK, 1)
    yield f"{name}.cam_layer.linear1.bias", (BOTTLENECK // 2,)
    yield f"{name}.cam_layer.linear2.weight", (GROWTH, BOTTLENECK // 2, 1)
    yield f"{name}.cam_layer.linear2.bias", (GROWTH,)
    yield f"{name}.cam_layer.linear_local.weight", (GROWTH, BOTTLENECK, 3)


def _norm_shapes(name: str, width: int, *, affine: bool = True) -> Iterator[tuple[str, tuple[int, ...]]]:
    for what in (("weight", "bias") if affine else ()) + ("running_mean", "running_var"):
        yield f"{name}.{what}", (width,)


def pretrained(outputs: Sequence[str] = ("block2",)):
    """CAM++ with its published weights, which are fetched when they are not here; see ``network``.

    Raises
    ------
    ConnectionError, ValueError
        The weights cannot be had, or are not what was published.
    """
    state = read_state_dict(weights.path("campplus"))
    model = network(outputs)
    set_weights(model, state)
    return model
