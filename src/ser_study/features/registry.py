"""Every feature of the study, one line each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from ser_study.config import unknown
from ser_study.features import (
    campplus,
    campplus_input,
    clip_statistics,
    encoders,
    images,
    onnx_models,
    opensmile,
    smart_turn,
    spectra,
    vectors,
    vgg16,
    vggish,
)
from ser_study.features.feature import Feature


def _openname(name: str) -> Callable[[], tuple[str, ...]]:
    return partial(opensmile.column_names, name)


def _campplus(name: str, title: str, extract: Callable, columns: tuple[str, ...], weights: str = "campplus") -> Feature:
    return _encoder(name, title, extract, lambda: columns, weights)


def _encoder(
    name: str, title: str, extract: Callable, columns: Callable[..., tuple[str, ...]], weights: str
) -> Feature:
    return Feature(name, title, extract, columns, weights=weights, modules=onnx_models.LIBRARIES, extra="encoders")


def _grey_image(name: str, title: str, extract: Callable[..., np.ndarray]) -> Feature:
    return Feature(name, title, extract, images.grey_columns, "means180_audio", ("librosa_frames",))


def _vgg16(name: str, title: str, extract: Callable, columns: Callable[..., tuple[str, ...]]) -> Feature:
    return Feature(name, title, extract, columns, "means180_audio", ("librosa_frames",), apart="keras", weights="vgg16")


def _moonshine(name: str, layer: int, seed: int | None = None) -> Feature:
    order = "" if seed is None else f", weights in random order, draw {seed + 1}"
    options = {"layer": layer} if seed is None else {"layer": layer, "seed": seed}
    return _encoder(
        name,
        f"Moonshine, layer {layer}{order}",
        partial(encoders.moonshine, **options),
        partial(encoders.moonshine_columns, layer=layer),
        "moonshine",
    )


REGISTRY: Mapping[str, Feature] = {
    feature.name: feature
    for feature in (
        Feature(
            "means184",
            "184 means (E001)",
            vectors.means184,
            vectors.means184_columns,
            "means184_audio",
            ("librosa_frames",),
        ),
        Feature(
            "means180",
            "180 means (E002)",
            vectors.means180,
            vectors.means180_columns,
            "means180_audio",
            ("librosa_frames",),
        ),
        Feature("summary", "frame statistics (ours)", vectors.summary, vectors.summary_columns, "audio", ("frames",)),
        Feature("log_mel", "log-mel image", images.log_mel, images.log_mel_columns, "audio", ("images",)),
        Feature(
            "statistics51",
            "51 statistics (E000)",
            clip_statistics.statistics51,
            clip_statistics.statistics51_columns,
            "statistics51_audio",
            ("librosa_frames",),
        ),
        Feature(
            "statistics51_raw",
            "51 statistics, pitch without autocorrelation",
            partial(clip_statistics.statistics51, cleaned=False),
            clip_statistics.statistics51_columns,
            "statistics51_audio",
            ("librosa_frames",),
        ),
        Feature(
            "statistics32",
            "32 statistics (E000, web page)",
            clip_statistics.statistics32,
            clip_statistics.statistics32_columns,
            "statistics51_audio",
            ("librosa_frames",),
        ),
        Feature(
            "means186",
            "180 means and tonal centroids (E002)",
            spectra.means186,
            spectra.means186_columns,
            "means180_audio",
            ("librosa_frames",),
        ),
        Feature(
            "contrast",
            "spectral contrast",
            spectra.contrast,
            spectra.contrast_columns,
            "means180_audio",
            ("librosa_frames",),
        ),
        Feature(
            "plp", "perceptual linear prediction", spectra.plp_statistics, spectra.plp_columns, "audio", ("frames",)
        ),
        Feature("fbank", "log filterbank", spectra.log_fbank, spectra.log_fbank_columns),
        Feature(
            "spectral_shapes",
            "spectral shapes, tonal centroids, onsets",
            spectra.spectral_shapes,
            spectra.spectral_shapes_columns,
            "means184_audio",
            ("librosa_frames",),
        ),
        Feature(
            "log_mel87",
            "log-mel, first second (E004)",
            images.log_mel87,
            images.log_mel87_columns,
            "log_mel87_audio",
            ("librosa_frames",),
        ),
        _grey_image("mel224", "log-mel picture", images.mel224),
        _grey_image("mfcc224", "MFCC picture", images.mfcc224),
        _grey_image("contrast224", "spectral contrast picture", images.contrast224),
        Feature(
            "egemaps",
            "eGeMAPSv02",
            partial(opensmile.functionals, name="egemaps"),
            _openname("egemaps"),
            apart="opensmile",
        ),
        Feature(
            "compare",
            "ComParE 2016",
            partial(opensmile.functionals, name="compare"),
            _openname("compare"),
            apart="opensmile",
        ),
        _campplus("campplus", "CAM++, second block", campplus.pooled, campplus.pooled_columns()),
        _campplus(
            "campplus_block1",
            "CAM++, first block",
            partial(campplus.pooled, output="block1"),
            campplus.pooled_columns(output="block1"),
        ),
        _campplus(
            "campplus_block3",
            "CAM++, third block",
            partial(campplus.pooled, output="block3"),
            campplus.pooled_columns(output="block3"),
        ),
        _campplus(
            "campplus_embedding",
            "CAM++, speaker embedding",
            partial(campplus.layer, output="embedding"),
            campplus.columns(output="embedding"),
        ),
        _campplus("campplus_frames", "CAM++, second block in 20 steps", campplus.steps, campplus.columns()),
        Feature("campplus_fbank", "input of CAM++, three seconds", campplus_input.filterbank, campplus_input.columns),
        _campplus(
            "campplus_random",
            "CAM++, second block, random weights",
            partial(campplus.pooled, untrained=True),
            campplus.pooled_columns(),
            weights="",
        ),
        *(
            _campplus(
                f"campplus_random{seed}",
                f"CAM++, second block, random weights, draw {seed + 1}",
                partial(campplus.pooled, untrained=True, seed=seed),
                campplus.pooled_columns(),
                weights="",
            )
            for seed in (1, 2)
        ),
        Feature(
            "campplus_filterbank",
            "filterbank of CAM++, mean and sd",
            campplus.pooled_filterbank,
            campplus.filterbank_columns,
        ),
        _moonshine("moonshine", 3),
        *(_moonshine(f"moonshine_random{seed}", 3, seed=seed) for seed in (0, 1, 2)),
        _moonshine("moonshine_layer2", 2),
        _encoder("smart_turn", "smart-turn, layer 2", smart_turn.pooled, smart_turn.columns, "smart_turn"),
        Feature(
            "vggish",
            "VGGish, a patch every 0.23 s (E003)",
            vggish.embeddings,
            vggish.columns,
            "vggish_audio",
            apart="keras",
            weights="vggish",
        ),
        _vgg16("vgg16", "VGG16, blocks 4 and 5, log-mel picture", vgg16.pooled, vgg16.pooled_columns),
        _vgg16("vgg16_mfcc", "VGG16, MFCC picture", partial(vgg16.pooled, image=images.mfcc224), vgg16.pooled_columns),
        _vgg16(
            "vgg16_contrast",
            "VGG16, spectral contrast picture",
            partial(vgg16.pooled, image=images.contrast224),
            vgg16.pooled_columns,
        ),
        _vgg16("vgg16_maps", "VGG16, bottleneck", vgg16.maps, vgg16.maps_columns),
    )
}


def names() -> list[str]:
    """Every registered feature."""
    return list(REGISTRY)


def get(name: str) -> Feature:
    """A registered feature; ``ValueError`` with the known names otherwise."""
    if name not in REGISTRY:
        raise ValueError(unknown("feature", name, REGISTRY))
    return REGISTRY[name]
