"""VGGish (Hershey et al., ICASSP 2017): 128 numbers for every 0.96 s of sound, trained on AudioSet.

The network is pure Keras; the weights are the official TensorFlow checkpoint, read by its official variable
names, and the official PCA file. Both come with ``ser-study download vggish``. The steps, as published:

1. 16 kHz mono, full scale ±1;
2. magnitude spectrogram: 25 ms periodic Hann windows every 10 ms, 512-point FFT;
3. 64 mel bands from 125 to 7,500 Hz (HTK's scale, triangles drawn on the mel axis, no area normalisation),
   ``log(mel + 0.01)``;
4. patches of 96 frames (0.96 s), one every 0.23 s as in E003: 5.405 s give 20 of them;
5. the network; PCA with whitening, clipped to ±2, in 256 steps from 0 to 255.

The embedding layer ends in a ReLU, as in the release E003 used; later releases leave it out.
"""

from __future__ import annotations

import functools
import math
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ser_study.download import weights
from ser_study.features.filters import hann
from ser_study.schema import Signal

SAMPLE_RATE = 16_000  # Hz
WINDOW, HOP, N_FFT = 400, 160, 512  # samples
N_MELS, MEL_RANGE, OFFSET = 64, (125.0, 7500.0), 0.01  # bands, Hz, added before the logarithm
PATCH, PATCH_HOP = 96, 23  # frames of 10 ms
SIZE = 128  # of the embedding
CLIP = 2.0  # whitened values beyond ± this are cut
_CONVOLUTIONS = (("conv1",), ("conv2",), ("conv3/conv3_1", "conv3/conv3_2"), ("conv4/conv4_1", "conv4/conv4_2"))
_CHANNELS = (64, 128, 256, 512)
_DENSE = {"fc1/fc1_1": 4096, "fc1/fc1_2": 4096, "fc2": SIZE}


def embeddings(signal: Signal, sample_rate: int) -> np.ndarray:
    """Embeddings of one clip with the downloaded weights.

    Parameters
    ----------
    signal : float32 array, shape (s,)
    sample_rate : Hz, 16,000

    Returns
    -------
    float32 array, shape (patches, 128): whole numbers from 0 to 255.

    Raises
    ------
    ConnectionError
        The weights are not here and cannot be fetched.
    ValueError
        Another sample rate, a clip shorter than one patch, or files that are not VGGish.
    """
    examples = patches(signal, sample_rate)
    checkpoint, pca = weights.path("vggish"), weights.path("vggish_pca")
    return postprocess(embed(examples, checkpoint), *read_pca(pca))


def columns() -> tuple[str, ...]:
    """Names of the 128 components."""
    return tuple(f"vggish_{number}" for number in range(SIZE))


def log_mel(signal: Signal, sample_rate: int) -> np.ndarray:
    """Stabilised log-mel spectrogram.

    Parameters
    ----------
    signal : float32 array, shape (s,)
    sample_rate : Hz, 16,000

    Returns
    -------
    float64 array, shape (frames, 64); frames start every 160 samples and lie wholly inside the signal.
    """
    if sample_rate != SAMPLE_RATE:
        raise ValueError(f"VGGish takes {SAMPLE_RATE} Hz, found {sample_rate} Hz; set vggish_audio.sample_rate=16000.")
    if len(signal) < WINDOW:
        return np.zeros((0, N_MELS))
    frames = np.lib.stride_tricks.sliding_window_view(np.asarray(signal, np.float64), WINDOW)[::HOP]
    magnitude = np.abs(np.fft.rfft(frames * hann(WINDOW), N_FFT))
    return np.log(magnitude @ _mel_bank() + OFFSET)


def patches(signal: Signal, sample_rate: int) -> np.ndarray:
    """What the network looks at.

    Parameters
    ----------
    signal : float32 array, shape (s,)
    sample_rate : Hz, 16,000

    Returns
    -------
    float32 array, shape (patches, 96, 64): 0.96 s each, one every 0.23 s.

    Raises
    ------
    ValueError
        Another sample rate, or less than 0.975 s of sound.
    """
    frames = log_mel(signal, sample_rate)
    if len(frames) < PATCH:
        shortest = ((PATCH - 1) * HOP + WINDOW) / SAMPLE_RATE
        raise ValueError(
            f"VGGish needs {shortest:.3f} s of sound, found {len(signal) / SAMPLE_RATE:.3f} s; "
            "set vggish_audio.length to pad the clips."
        )
    windows = np.lib.stride_tricks.sliding_window_view(frames, PATCH, axis=0)[::PATCH_HOP]  # (n, 64, 96)
    return np.ascontiguousarray(windows.transpose(0, 2, 1), dtype=np.float32)


def embed(examples: np.ndarray, checkpoint: Path | str) -> np.ndarray:
    """Embeddings before PCA, (n, 96, 64) → float32 (n, 128); the network is kept in memory."""
    return np.asarray(_ready(str(checkpoint)).predict_on_batch(examples[..., None]))


def network(*, relu: bool = True):
    """The network without weights: a ``keras.Model``, (n, 96, 64, 1) → (n, 128), 72,141,184 parameters.

    Parameters
    ----------
    relu : end the embedding layer in a ReLU (releases up to 2020, E003); later ones do not
    """
    from keras import Input, Model, layers

    inputs = net = Input((PATCH, N_MELS, 1))
    for block, channels in zip(_CONVOLUTIONS, _CHANNELS):
        for name in block:
            net = layers.Conv2D(
                channels, 3, padding="same", activation="relu", data_format="channels_last", name=_layer(name)
            )(net)
        net = layers.MaxPooling2D(2, padding="same", data_format="channels_last")(net)
    net = layers.Flatten(data_format="channels_last")(net)
    for name, units in _DENSE.items():
        activation = "relu" if relu or units != SIZE else None
        net = layers.Dense(units, activation=activation, name=_layer(name))(net)
    return Model(inputs, net, name="vggish")


def variables() -> dict[str, tuple[int, ...]]:
    """Official name of each variable of the checkpoint → its shape."""
    shapes, before = {}, 1
    for block, channels in zip(_CONVOLUTIONS, _CHANNELS):
        for name in block:
            shapes |= {f"vggish/{name}/weights": (3, 3, before, channels), f"vggish/{name}/biases": (channels,)}
            before = channels
    before *= math.ceil(PATCH / 16) * math.ceil(N_MELS / 16)  # four poolings by two, then flattened
    for name, units in _DENSE.items():
        shapes |= {f"vggish/{name}/weights": (before, units), f"vggish/{name}/biases": (units,)}
        before = units
    return shapes


def read_checkpoint(path: Path | str) -> Mapping[str, np.ndarray]:
    """The network's variables from a TensorFlow checkpoint, in its old format (one file) or its new one.

    Parameters
    ----------
    path : the file, or in the new format the common start of its files' names

    Returns
    -------
    official name → float32 array. Other variables of the checkpoint are left alone.

    Raises
    ------
    FileNotFoundError
        There is no checkpoint.
    ValueError
        It cannot be read, lacks a variable, or holds one of another shape.
    """
    reader = _reader(Path(path))
    return {name: reader.get_tensor(name) for name in variables()}


def load(checkpoint: Path | str, *, relu: bool = True):
    """The network with the weights of a checkpoint; see :func:`read_checkpoint` for what is raised."""
    reader, model = _reader(Path(checkpoint)), network(relu=relu)
    for name in (*(name for block in _CONVOLUTIONS for name in block), *_DENSE):  # one at a time: they are 289 MB
        values = [reader.get_tensor(f"vggish/{name}/{kind}") for kind in ("weights", "biases")]
        model.get_layer(_layer(name)).set_weights(values)
    return model


def read_pca(path: Path | str) -> tuple[np.ndarray, np.ndarray]:
    """Whitening matrix (128, 128) and means (128,) from the official PCA file.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        It is not an ``.npz`` with ``pca_eigen_vectors`` (128, 128) and ``pca_means`` (128, 1).
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"No VGGish PCA file at {path}; fetch it with: ser-study download vggish.")
    try:
        with np.load(path, allow_pickle=False) as file:
            matrix, means = file["pca_eigen_vectors"], file["pca_means"].reshape(-1)
    except (KeyError, ValueError, OSError, EOFError, zipfile.BadZipFile, AttributeError, TypeError) as error:
        raise ValueError(
            f"{Path(path).name} is not VGGish's PCA file ({error}); remove it and fetch it again."
        ) from None
    if matrix.shape != (SIZE, SIZE) or means.shape != (SIZE,):
        raise ValueError(
            f"{Path(path).name} holds a matrix of {matrix.shape} and means of {means.shape}; "
            f"VGGish's has {(SIZE, SIZE)} and {(SIZE, 1)}. Remove the file and fetch it again."
        )
    return matrix, means


def postprocess(raw: np.ndarray, matrix: np.ndarray, means: np.ndarray) -> np.ndarray:
    """PCA, whitening, and 256 steps between -2 and 2, as AudioSet's embeddings were released.

    Parameters
    ----------
    raw : array, shape (n, 128), as the network gives it
    matrix : (128, 128), one component a row
    means : (128,)

    Returns
    -------
    float32 array, shape (n, 128): whole numbers from 0 to 255.
    """
    white = np.clip((raw - means) @ matrix.T, -CLIP, CLIP)
    return np.floor((white + CLIP) * (255 / (2 * CLIP))).astype(np.float32)


def _reader(path: Path):
    """TensorFlow's reader of a checkpoint that holds every variable in its shape."""
    if not path.is_file() and not path.with_name(path.name + ".index").is_file():
        raise FileNotFoundError(f"No VGGish checkpoint at {path}; fetch it with: ser-study download vggish.")
    from tensorflow import errors, train

    try:
        reader = train.load_checkpoint(str(path))
        shapes = reader.get_variable_to_shape_map()
    except (errors.OpError, ValueError, RuntimeError) as error:
        raise ValueError(f"{path.name} is no TensorFlow checkpoint ({error}); remove it and fetch it again.") from None
    _check_variables(variables(), shapes, path.name)
    return reader


def _check_variables(wanted: Mapping[str, tuple], shapes: Mapping[str, list], file: str) -> None:
    missing = [name for name in wanted if name not in shapes]
    if missing:
        raise ValueError(
            f"{file} lacks {len(missing)} of VGGish's {len(wanted)} variables, first {missing[0]!r}; it holds "
            f"{len(shapes)} ({', '.join(sorted(shapes)[:3])} …). Fetch the official one: ser-study download vggish."
        )
    for name, shape in wanted.items():
        if tuple(shapes[name]) != shape:
            raise ValueError(
                f"{file}: {name} has shape {tuple(shapes[name])}, VGGish's has {shape}. "
                "Fetch the official one: ser-study download vggish."
            )


def _layer(name: str) -> str:
    """Keras allows no slash in a layer's name."""
    return name.rpartition("/")[2]


@functools.lru_cache(maxsize=1)
def _ready(checkpoint: str):
    """One network a process."""
    model = load(checkpoint)
    model.compile(jit_compile=False)  # XLA would spend longer on translating than the clips of a worker take
    return model


@functools.lru_cache(maxsize=1)
def _mel_bank() -> np.ndarray:
    """Triangles on the mel axis, (257, 64); they do not read the bin at 0 Hz."""
    bins = _mel(np.arange(N_FFT // 2 + 1) * (SAMPLE_RATE / N_FFT))[:, None]
    edges = np.linspace(_mel(MEL_RANGE[0]), _mel(MEL_RANGE[1]), N_MELS + 2)
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    bank = np.maximum(0, np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre)))
    bank[0] = 0
    return bank


def _mel(frequency: float | np.ndarray) -> np.ndarray:
    """HTK's mel scale of a frequency in Hz."""
    return 1127.0 * np.log1p(np.asarray(frequency) / 700.0)
