"""Pictures of features: legible, small, each curve where it belongs; nothing where there is nothing to draw."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from figure_checks import check_overlap, check_size, check_svg, check_units
from matplotlib.text import Text

from ser_study.chapters.features import figures, tables, text
from ser_study.plotting.palette import svg_text


def random(*purpose: int) -> np.random.Generator:
    return np.random.default_rng([7, *purpose])


def frames_of_a_clip() -> dict:
    """Made-up frames of a tone in noise, as ``frames.frame_by_frame`` gives them."""
    signal = 0.3 * np.sin(np.arange(30_000) / 16_000 * 2 * np.pi * 220) + random(3).normal(0, 0.05, 30_000)
    time = np.arange(1 + len(signal) // 256) * 256 / 16_000
    t = len(time)
    curves = {name: random(10).uniform(0, 0.5, t) for name in ("rms", "zcr")}
    hertz = {name: random(11).uniform(500, 6000, t) for name in ("centroid_hz", "rolloff_hz")}
    images = {"mel_db": random(12).uniform(-80, 0, (t, 64)), "mel_hz": np.geomspace(60, 7800, 64),
              "chroma": random(13).random((t, 12)), "mfcc": random(14).normal(0, 20, (t, 20))}  # fmt: skip
    f0 = np.where(random(15).random(t) < 0.5, 200 + 20 * np.sin(9 * time), np.nan)
    pitch = {"f0_hz": f0, "is_voiced": np.isfinite(f0), "loudness_db": 20 * np.log10(curves["rms"] + 1e-3)}
    whole = {"signal": signal, "sample_rate": 16_000, "time": time, "envelope": np.full(t, np.abs(signal).max())}
    return {**whole, **curves, **hertz, **images, **pitch}


def shares_table(n: int = 180, corpora: tuple[str, ...] = ("emodb", "tess", "crema_d")) -> pd.DataFrame:
    rows = []
    for place, corpus in enumerate(corpora):
        x, y = random(20, place).beta(1, 3, (2, n))
        names = [("f0_p50", "rms_db_mean", "duration", "mfcc_03_delta2_sd")[i % 4] for i in range(n)]
        rows.append(pd.DataFrame({"corpus": corpus, "feature": names, "emotion": y, "speaker": x, "n_clips": 300,
                                  "n_emotions": 6, "n_speakers": 10}))  # fmt: skip
    table = pd.concat(rows, ignore_index=True)
    return table.assign(family=table["feature"].map(tables.family))


def correlation_table(n: int = 12) -> pd.DataFrame:
    names = [f"mfcc_{i:02d}_mean" for i in range(n)]
    values = pd.DataFrame(random(16).normal(size=(50, n)), columns=names)
    values[names[1]] = 0.1 * values[names[1]] - values[names[0]]
    return values.corr().rename_axis(index="ravdess-speech")


FIGURES = {
    "contours": lambda: (figures.contours(frames_of_a_clip()), text.contours_title(frames_of_a_clip())),
    "frame_features": lambda: (figures.frame_features(frames_of_a_clip()), text.frames_title(frames_of_a_clip())),
    "variance": lambda: (figures.variance(shares_table()), text.variance_title(shares_table())),
    "variance_one": lambda: (
        figures.variance(shares_table(corpora=("emodb",))),
        text.variance_title(shares_table(corpora=("emodb",))),
    ),
    "variance_seven": lambda: (
        figures.variance(shares_table(340, tuple("abcdefg"))),
        text.variance_title(shares_table(340, tuple("abcdefg"))),
    ),
    "correlations": lambda: (figures.correlations(correlation_table()), text.correlations_title(correlation_table())),
}


@pytest.mark.parametrize("name", FIGURES)
def test_figures_are_small_and_legible(name):
    figure, title = FIGURES[name]()
    svg = svg_text(figure)
    if not name.startswith("variance"):  # the extent of its names holds their leaders; see below
        check_overlap(figure)
    check_size(figure, svg)
    check_svg(svg)
    check_units(figure)
    assert "".join(figure.get_suptitle().split()) == "".join(title.split())


def test_every_frame_feature_has_its_panel_on_one_time_axis():
    frames = frames_of_a_clip()
    axes = figures.frame_features(frames).axes[:7]
    axes[0].figure.draw_without_rendering()
    assert [len(ax.lines) for ax in axes] == [1, 1, 1, 2, 0, 0, 0]
    assert [len(ax.images) for ax in axes] == [0, 0, 0, 0, 1, 1, 1]
    assert {ax.get_xlim() for ax in axes} == {(0, 30_000 / 16_000)}
    assert np.allclose(axes[2].lines[0].get_ydata(), 100 * frames["zcr"])
    assert {line.get_label(): line.get_ydata().max() for line in axes[3].lines} == pytest.approx(
        {"roll-off": frames["rolloff_hz"].max() / 1000, "centroid": frames["centroid_hz"].max() / 1000}
    )
    assert np.allclose(axes[5].images[0].get_array(), frames["chroma"].T, atol=0.5 / 24 + 1e-9)
    assert axes[6].images[0].get_array().shape == (19, len(frames["time"]))
    assert axes[6].get_position().x1 == pytest.approx(axes[0].get_position().x1)


def test_contours_show_each_curve_and_say_where_nothing_is_voiced():
    frames = frames_of_a_clip()
    axes = figures.contours(frames).axes
    assert np.array_equal(axes[2].lines[0].get_ydata(), frames["f0_hz"], equal_nan=True)
    mute = {**frames, "f0_hz": np.full_like(frames["f0_hz"], np.nan)}
    assert any(t.get_text() == "no frame is voiced" for t in figures.contours(mute).findobj(Text))


def test_clouds_of_many_dots_are_images():
    many, few = figures.variance(shares_table(340, tuple("abcdefg"))), figures.variance(shares_table(90))
    assert len([ax for ax in many.axes if ax.get_visible()]) == 7
    assert all(line.get_rasterized() for line in many.axes[0].lines if line.get_markersize() == 4)
    assert not any(line.get_rasterized() for line in few.axes[0].lines)


def test_variance_plot_names_the_features_with_most_emotion():
    shares = shares_table(20, ("emodb",)).assign(feature=[f"f0_{i}" for i in range(20)])
    figure = figures.variance(shares)
    figure.draw_without_rendering()
    names = figure.axes[0].texts
    assert {name.get_text() for name in names} == set(shares.nlargest(3, "emotion")["feature"])
    boxes = sorted((Text.get_window_extent(name) for name in names), key=lambda box: box.y0)
    assert all(lower.y1 < upper.y0 for lower, upper in pairwise(boxes)), "names stand over each other"


def test_correlations_are_written_with_their_sign():
    table = correlation_table(5)
    written = [text.get_text() for text in figures.correlations(table).axes[0].texts]
    assert len(written) == 25
    assert written.count("1.0") == 5
    assert written[1].startswith("−0.9") or written[1] == "−1.0"
    image = figures.correlations(table).axes[0].collections[0]
    assert np.allclose(np.ravel(image.get_array()), table.abs().to_numpy().ravel())


def test_nothing_to_draw_is_no_figure():
    assert figures.contours({}) is None
    assert figures.frame_features({}) is None
    assert figures.variance(shares_table().iloc[:0]) is None
    assert figures.correlations(pd.DataFrame()) is None


def test_bad_input_is_refused_with_advice():
    with pytest.raises(ValueError, match="family 'smell'"):
        figures.variance(shares_table().assign(family="smell"))
    with pytest.raises(ValueError, match="lacks speaker"):
        figures.variance(shares_table().drop(columns="speaker"))
    with pytest.raises(ValueError, match="'rms' with one value a frame"):
        figures.frame_features({**frames_of_a_clip(), "rms": np.ones(2)})
    with pytest.raises(ValueError, match="'f0_hz' with one value a frame"):
        figures.contours({name: values for name, values in frames_of_a_clip().items() if name != "f0_hz"})
    with pytest.raises(ValueError, match="same names on both sides"):
        figures.correlations(correlation_table().iloc[:2])
