"""VGG16's convolutions (Simonyan & Zisserman, ICLR 2015), trained on ImageNet, looking at images of sound.

Thirteen 3 × 3 convolutions in five blocks, each block followed by a 2 × 2 maximum; the dense head is left out.
Two published sets of weights fit: torchvision's, as a pickle of arrays (``ser-study download vgg16``), and Keras's
own ``.h5`` without its top. They were trained on images normalised in different ways, so the file also decides
how an image is prepared.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from ser_study.config import Frames
from ser_study.download import weights
from ser_study.download.state_dict import read_arrays
from ser_study.features.images import mel224
from ser_study.schema import Signal

BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))  # channels, convolutions
_PICKLED = "VGG16_0"  # the network's name in the pickle
_TORCH_MEAN = np.array([0.485, 0.456, 0.406], np.float32)  # of red, green, blue, 0 to 1
_TORCH_SD = np.array([0.229, 0.224, 0.225], np.float32)
_KERAS_MEAN = np.array([103.939, 116.779, 123.68], np.float32)  # of blue, green, red, 0 to 255


def pooled(signal: Signal, sample_rate: int, frames: Frames, *, image: Callable = mel224) -> np.ndarray:
    """Pooled activations of one clip's image.

    Parameters
    ----------
    signal : float32 array, shape (s,)
    sample_rate : Hz
    frames : settings of the image, see ``images.mel224``
    image : what is looked at: ``images.mel224``, ``mfcc224`` or ``contrast224``

    Returns
    -------
    float32 array, shape (1536,): mean and standard deviation of the 512 channels of block 4 over its 28 × 28
    places, then the mean of the bottleneck's 512 over its 7 × 7.

    Raises
    ------
    ConnectionError, ValueError
        The weights cannot be had, or are not VGG16's.
    """
    block4, bottleneck = _of_image(image(signal, sample_rate, frames))
    return np.concatenate([block4.mean((0, 1)), block4.std((0, 1)), bottleneck.mean((0, 1))])


def pooled_columns(frames: Frames) -> tuple[str, ...]:
    """``block4_mean_0`` … ``block5_mean_511``."""
    return tuple(f"{part}_{i}" for part in ("block4_mean", "block4_sd", "block5_mean") for i in range(512))


def maps(signal: Signal, sample_rate: int, frames: Frames) -> np.ndarray:
    """The bottleneck of one clip's log-mel image, float16 (7, 7, 512), for a head of one's own; see :func:`pooled`."""
    return _of_image(mel224(signal, sample_rate, frames))[1].astype(np.float16)


def maps_columns(frames: Frames) -> tuple[str, ...]:
    """``block5_0`` … ``block5_511``."""
    return tuple(f"block5_{channel}" for channel in range(512))


def activations(images: np.ndarray, path: Path | str) -> tuple[np.ndarray, np.ndarray]:
    """What the network makes of grey images.

    Parameters
    ----------
    images : array, shape (n, height, width, 1), from 0 to 255
    path : weights, see :func:`load`; the network is kept in memory

    Returns
    -------
    float32 arrays: block 4 before its pooling, (n, height/8, width/8, 512), and the bottleneck,
    (n, height/32, width/32, 512)
    """
    block4, bottleneck = _ready(str(path)).predict_on_batch(normalised(images, path))
    return np.asarray(block4), np.asarray(bottleneck)


def normalised(images: np.ndarray, path: Path | str) -> np.ndarray:
    """Grey images as the weights in a file expect coloured ones.

    Parameters
    ----------
    images : array, shape (n, height, width, 1), from 0 to 255
    path : weights; Keras's want blue first and centred, torchvision's red first and standardised

    Returns
    -------
    float32 array, shape (n, height, width, 3)
    """
    coloured = np.repeat(np.asarray(images, np.float32), 3, axis=-1)
    return coloured - _KERAS_MEAN if _is_keras(path) else (coloured / 255 - _TORCH_MEAN) / _TORCH_SD


def network():
    """The convolutions without weights: a ``keras.Model`` of 14,714,688 parameters.

    Images (n, height, width, 3) → block 4 before its pooling and the bottleneck. Layers are named as in
    ``keras.applications``.
    """
    from keras import Input, Model, layers

    entry = net = Input((None, None, 3))
    unpooled = []
    for block, (channels, depth) in enumerate(BLOCKS, start=1):
        for layer in range(1, depth + 1):
            name = f"block{block}_conv{layer}"
            conv = layers.Conv2D(channels, 3, padding="same", activation="relu", data_format="channels_last", name=name)
            net = conv(net)
        unpooled.append(net)
        net = layers.MaxPooling2D(2, data_format="channels_last", name=f"block{block}_pool")(net)
    return Model(entry, [unpooled[3], net], name="vgg16")


def load(path: Path | str):
    """The network with published weights.

    Parameters
    ----------
    path : the pickle of arrays, or Keras's ``.h5`` without its top

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        It holds no VGG16.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"No VGG16 weights at {path}; fetch them with: ser-study download vgg16.")
    model = network()
    if not _is_keras(path):
        _set_pickled(model, path)
        return model
    try:
        model.load_weights(path)
    except (ValueError, OSError, KeyError) as error:
        raise ValueError(f"{path.name} holds no weights of VGG16 without its top: {error}") from error
    return model


def _set_pickled(model, path: Path) -> None:
    """Convolutions are numbered from 0 on through the blocks; kernels are (height, width, in, out) as in Keras."""
    again = "Remove it and fetch it again: ser-study download vgg16."
    arrays = read_arrays(path)
    arrays = arrays.get(_PICKLED) if isinstance(arrays, Mapping) else None
    if not isinstance(arrays, Mapping):
        raise ValueError(f"{path.name} holds no {_PICKLED}, so it is not VGG16. {again}")
    for number, layer in enumerate(layer for layer in model.layers if layer.weights):
        part = arrays.get(f"Conv_{number}", {})
        wanted = [tuple(weight.shape) for weight in layer.weights]
        shapes = [np.shape(part[name]) if name in part else None for name in ("kernel", "bias")]
        if shapes != wanted:
            raise ValueError(
                f"{path.name}: Conv_{number} should have a kernel and a bias of {wanted[0]} and {wanted[1]}, "
                f"found {shapes[0]} and {shapes[1]}. {again}"
            )
        layer.set_weights([part["kernel"], part["bias"]])


def _of_image(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    block4, bottleneck = activations(image[None], weights.path("vgg16"))
    return block4[0], bottleneck[0]


def _is_keras(path: Path | str) -> bool:
    return Path(path).suffix in (".h5", ".hdf5")


@functools.lru_cache(maxsize=1)
def _ready(path: str):
    """One network a process."""
    model = load(path)
    model.compile(jit_compile=False)  # XLA would spend longer on translating than the clips of a worker take
    return model
