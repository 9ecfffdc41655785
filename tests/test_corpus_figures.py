"""Figures of a corpus and of its sounds: legible, light, and true to their tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from figure_checks import check_overlap, check_size, check_svg, check_units, texts_of
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch

from ser_study.chapters.corpus import figures, sound_text, text
from ser_study.config import Frames
from ser_study.corpora import synthetic
from ser_study.features import frames
from ser_study.features.inspection import envelope, mel_centres
from ser_study.plotting import palette, spectrograms
from ser_study.plotting.palette import svg_text

EIGHT = ("angry", "calm", "disgust", "fearful", "happy", "neutral", "sad", "surprised")
TITLE = "A finding that says in so many words what a reader should see here, and so takes more than a single line"
RATE = 16_000


def random(*purpose: int) -> np.random.Generator:
    return np.random.default_rng([7, *purpose])


def clips_table(*, n_speakers: int = 24) -> pd.DataFrame:
    grid = [
        (s, e, t, i) for s in range(n_speakers) for e in EIGHT for t in ("a", "b", "c") for i in ("normal", "strong")
    ]
    clips = pd.DataFrame(grid, columns=["speaker", "emotion", "statement", "intensity"])
    clips["gender"] = np.where(clips["speaker"] % 2, "female", "male")
    clips["age"] = 20.0 + clips["speaker"] * 2
    clips["speaker"] = [f"x/{1001 + s}" for s in clips["speaker"]]
    clips["clip_id"] = [f"x/{i:05d}" for i in range(len(clips))]
    share = random(1).beta(3, 3, len(clips))
    return clips.assign(
        corpus="x", channel="speech", duration=1 + 3 * share, human_recognition=share, human_agreement=share**0.5
    )


def prosody_table(**columns) -> pd.DataFrame:
    clips = clips_table(n_speakers=6)
    measures = {name: random(6).normal(5, 1, len(clips)) for name in ("peak_db", *figures.PROSODY)}
    return clips[["corpus", "emotion", "gender"]].assign(**measures, **columns)


def descriptor_tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    clips = clips_table(n_speakers=6)
    names = [f"descriptor_{i}" for i in range(10)]
    values = {name: random(15, i).normal(0, 1, len(clips)) for i, name in enumerate(names)}
    shares = pd.DataFrame({"column": names, "descriptor": ["zero crossings"] * 10, "within_speakers": 0.31})
    return clips[["emotion"]].assign(**values), shares


def recording(signal: np.ndarray, **facts) -> dict:
    analysis = frames.analyse(signal.astype(np.float32), RATE, Frames())
    known = {"corpus": "x", "emotion": "sad", "intensity": None, "gender": "female", "name": "clip", "statement": "x/s",
             "speaker": "x/1", "signal": signal, "sample_rate": RATE, "time": analysis.times,
             "mel_db": analysis.mel_db, "mel_hz": mel_centres(analysis),
             "envelope": envelope(signal, Frames()), "f0_hz": 200 + 20 * np.sin(analysis.times * 9)}  # fmt: skip
    return known | facts


def recordings(*levels: str | None) -> list[dict]:
    """Every emotion at every level, but the first at none."""
    tone = 0.3 * np.sin(np.arange(30_000) / RATE * 2 * np.pi * 220) + random(3).normal(0, 0.05, 30_000)
    return [
        recording(tone * (step + 1) / len(levels), emotion=name, intensity=level,
                  name=f"{place:02d}-a-rather-long-clip-name", gender=("female", "male")[place % 2])
        for place, name in enumerate(EIGHT)
        for step, level in enumerate(levels if place else (None,))
    ]  # fmt: skip


FIGURES = {
    "counts": lambda: figures.counts(clips_table()),
    "durations": lambda: figures.durations(clips_table()),
    "prosody": lambda: figures.prosody(prosody_table()),
    "descriptors": lambda: figures.descriptors(*descriptor_tables()),
    "agreement": lambda: figures.agreement(clips_table()),
    "demographics": lambda: figures.demographics(clips_table(n_speakers=20)),
    "speakers": lambda: figures.speakers(clips_table(n_speakers=91)),
    "speakers_few": lambda: figures.speakers(clips_table(n_speakers=24)),
    "examples": lambda: spectrograms.waveforms_and_spectrograms(recordings("strong"), title=TITLE),
    "intensity": lambda: spectrograms.waveforms_by_intensity(recordings("low", "medium", "high"), title=TITLE),
    "intensity_none": lambda: spectrograms.waveforms_by_intensity(recordings(None), title=TITLE),
    "voices": lambda: spectrograms.voices(recordings("strong")[1:3], title=TITLE),
}


@pytest.fixture(scope="module")
def drawn() -> dict[str, tuple[Figure, str]]:
    """Every figure once, with its SVG (which also settles its layout)."""
    made = {name: make() for name, make in FIGURES.items()}
    return {name: (figure, svg_text(figure)) for name, figure in made.items()}


@pytest.mark.parametrize("name", FIGURES)
def test_no_text_overlaps_another(drawn, name):
    check_overlap(drawn[name][0])


@pytest.mark.parametrize("name", FIGURES)
def test_texts_are_large_enough_and_inside(drawn, name):
    check_size(*drawn[name])


@pytest.mark.parametrize("name", FIGURES)
def test_svg_is_small_and_keeps_its_letters(drawn, name):
    check_svg(drawn[name][1])


@pytest.mark.parametrize("name", FIGURES)
def test_axes_carry_units(drawn, name):
    check_units(drawn[name][0])


@pytest.mark.parametrize("name", ["counts", "durations"])
def test_svg_is_the_same_bytes_each_time(drawn, name):
    assert svg_text(FIGURES[name]()) == drawn[name][1]


def test_titles_and_alternative_texts_come_from_the_words_of_the_room(drawn):
    clips = clips_table()
    for name in ("counts", "durations", "agreement"):
        title = getattr(text, f"{name}_title")(clips)
        assert drawn[name][0].get_suptitle().split() == title.split()
    captions = [
        text.counts(clips),
        text.speakers(clips),
        text.demographics(clips),
        text.agreement(synthetic.INFO, clips),
    ]
    captions += [sound_text.prosody(prosody_table(channel="speech"), prosody_table(channel="speech"))]
    assert all(caption.alt and caption.text and caption.name.startswith("x_") for caption in captions)
    assert len({caption.name for caption in captions}) == len(captions)


def test_unknown_gender_and_intensity_are_drawn():
    clips = clips_table().assign(gender=None, intensity=np.nan)
    figure = figures.counts(clips)
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["unknown, 24 speakers"]
    assert {t.get_text() for t in figure.axes[0].texts} == {"144"}
    assert figures.demographics(clips.assign(age=np.nan)) is None, "dots on a counter would say no more than its number"
    assert text.demographics(clips.assign(age=np.nan)).empty.startswith("24 speakers")
    assert "women" not in {t.get_text() for t in texts_of(figures.prosody(prosody_table().assign(gender=None)))}


def test_boxes_stand_at_the_quartiles_in_the_colour_of_their_emotion(drawn):
    clips = clips_table()
    ax = drawn["durations"][0].axes[0]
    rows = [label.get_text().partition(" ")[0] for label in ax.get_yticklabels()]
    boxes = sorted(ax.patches, key=lambda box: box.get_path().get_extents().y0)
    quartiles = clips.groupby("emotion")["duration"].quantile([0.25, 0.75]).unstack()
    for emotion, box in zip(rows, boxes, strict=True):
        extents = box.get_path().get_extents()
        assert [extents.x0, extents.x1] == pytest.approx(quartiles.loc[emotion].tolist())
        assert to_hex(box.get_facecolor()) == palette.EMOTION_COLOURS[emotion]
    written = [t.get_text() for t in ax.texts if t.get_text().endswith(" s")]
    assert written == [f"{clips.loc[clips['emotion'] == name, 'duration'].median():.1f} s" for name in rows]


def test_an_emotion_without_a_value_keeps_its_row():
    clips = clips_table(n_speakers=4)
    clips["duration"] = clips["duration"].where(clips["emotion"] != "sad")
    ax = figures.durations(clips).axes[0]
    assert "sad (0)" in [label.get_text() for label in ax.get_yticklabels()]
    assert len(ax.patches) == len(EIGHT) - 1
    assert "–" in [t.get_text() for t in ax.texts]


def test_pitch_is_drawn_apart_for_women_and_men(drawn):
    axes = drawn["prosody"][0].axes
    boxes = [[patch for patch in ax.patches if isinstance(patch, PathPatch)] for ax in axes]
    assert [len(some) for some in boxes] == [8, 16, 8, 8]
    assert {to_hex(box.get_facecolor()) for box in boxes[1]} == {
        palette.STUDY_COLOURS[sex] for sex in ("female", "male")
    }


def test_the_heat_map_counts_and_leaves_out_what_is_not_there():
    clips = clips_table(n_speakers=3)
    gone = (clips["speaker"] == "x/1002") & (clips["emotion"] == "sad")
    ax = figures.speakers(clips[~gone]).axes[0]
    written = {(t.get_position()[0] - 0.5, t.get_position()[1] - 0.5): t.get_text() for t in ax.texts}
    row = [label.get_text() for label in ax.get_yticklabels()].index("sad")
    assert len(written) == 3 * len(EIGHT) - 1
    assert (1, row) not in written
    assert set(written.values()) == {"6"}
    assert [label.get_text() for label in ax.get_xticklabels()] == ["1001", "1002", "1003"]


def test_nothing_is_drawn_where_nothing_is_known():
    nameless = clips_table(n_speakers=2).assign(speaker=None, human_recognition=np.nan, human_agreement=np.nan)
    assert figures.speakers(nameless) is figures.demographics(nameless) is figures.agreement(nameless) is None
    assert figures.examples([]) is figures.by_intensity([]) is figures.pair([]) is None
    table, shares = descriptor_tables()
    assert figures.descriptors(table, shares.iloc[:0]) is None
    for caption in (text.speakers(nameless), text.demographics(nameless), text.agreement(synthetic.INFO, nameless),
                    sound_text.pair([], nameless.assign(gender=None), "")):  # fmt: skip
        assert caption.empty


def test_a_spectrogram_puts_a_tone_where_it_sounds():
    tone = np.sin(np.arange(RATE) * 2 * np.pi / 16)
    figure = spectrograms.waveforms_and_spectrograms([recording(tone)], title="")
    ax = figure.axes[1]
    image = ax.images[0]
    low, high = image.get_extent()[2:]
    rows = np.asarray(image.get_array()).mean(axis=1)
    loudest = low + (np.argmax(rows) + 0.5) / len(rows) * (high - low)
    tick = {label.get_text(): place for label, place in zip(ax.get_yticklabels(), ax.get_yticks())}["1"]
    assert loudest == pytest.approx(tick, abs=0.6)  # 1 kHz, within its band


def test_envelope_lines_bound_the_waveform_of_every_panel(drawn):
    figure, items = drawn["intensity"][0], recordings("low", "medium", "high")
    panels = [ax for ax in figure.axes if ax.lines]
    assert len(panels) == len(items) == 1 + 7 * 3
    assert len(figure.axes) == 8 * 3
    assert [ax.get_ylabel() for ax in figure.axes[::3]] == list(EIGHT), "a row keeps its name without its first panel"
    for ax, item in zip(panels, items):
        (line,) = ax.lines
        assert (np.interp(np.arange(30_000) / RATE, *line.get_data()) >= np.abs(item["signal"]) - 1e-12).all()
    rows = {tuple(np.round(ax.get_ylim(), 9)) for ax in figure.axes[3:6]}
    assert len(rows) == 1
    assert panels[0].get_title(loc="left") == "no intensity stated"
    assert panels[1].get_title(loc="left") == ""
    assert len(drawn["intensity_none"][0].axes) == len(EIGHT)
    assert not any(ax.get_title(loc="left") or ax.texts for ax in drawn["intensity_none"][0].axes)


def test_two_voices_share_their_scales(drawn):
    axes = drawn["voices"][0].axes[:6]
    assert len({ax.get_xlim() for ax in axes}) == 1
    assert all(one.get_ylim() == two.get_ylim() for one, two in zip(axes[::2], axes[1::2]))
    assert [ax.get_title(loc="left").partition(":")[0] for ax in axes[:2]] == ["man", "woman"]
    assert np.array_equal(axes[2].lines[0].get_ydata(), recordings("strong")[1]["f0_hz"])


def test_descriptors_are_drawn_in_the_order_given_with_their_share(drawn):
    table, shares = descriptor_tables()
    axes = drawn["descriptors"][0].axes
    assert len(axes) == len(shares)
    assert {ax.get_title(loc="left") for ax in axes} == {"zero crossings\nη² 31 %"}
    middles = table[table["emotion"] == "neutral"][shares["column"]].median()
    drawn_middles = [np.mean(ax.lines[4].get_xdata()) for ax in axes]  # of the first row: two whiskers, two caps
    assert np.allclose(drawn_middles, middles)


@pytest.mark.parametrize("n_samples", [1, 400])
def test_very_short_and_silent_clips_are_drawn(n_samples):
    figure = spectrograms.waveforms_and_spectrograms([recording(np.zeros(n_samples, np.float32))], title="")
    assert "<svg" in svg_text(figure)


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: figures.durations(clips_table().assign(emotion=None)), "no known emotion"),
        (lambda: figures.prosody(prosody_table()[["emotion", "gender"]]), "lacks peak_db"),
        (lambda: figures.descriptors(clips_table(), descriptor_tables()[1]), "lacks descriptor_0"),
        (lambda: spectrograms.waveforms_and_spectrograms([], title=""), "No recordings"),
        (lambda: spectrograms.waveforms_by_intensity([], title=""), "No recordings"),
        (lambda: spectrograms.voices([], title=""), "No voices"),
        (lambda: spectrograms.waveforms_and_spectrograms([{"name": "x", "signal": []}], title=""), "no samples"),
    ],
)
def test_bad_input_is_refused_with_advice(draw, message):
    with pytest.raises(ValueError, match=message):
        draw()


def test_style_leaves_the_caller_alone():
    from matplotlib import rcParams

    before = dict(rcParams)
    figures.durations(clips_table(n_speakers=2))
    assert dict(rcParams) == before


def test_names_of_speakers_are_text_and_no_formula():
    clips = clips_table(n_speakers=3).assign(speaker=lambda table: table["speaker"] + "$$1_{x}^")
    drawing = svg_text(figures.speakers(clips))
    assert drawing.count("$$1_{x}^") == 3
