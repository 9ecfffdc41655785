"""Figures say what they show, in colours that hold on white and on black, with no word over another."""

from __future__ import annotations

import re
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from ser_study.report import corpus_plots, headline_plots, marks, palette, plots, score_plots
from ser_study.schema import EMOTIONS

CORPORA = ("ravdess-speech", "tess", "crema_d", "a_corpus_of_my_own_with_a_long_name")
MODELS = ("dummy", "logistic", "linear_svm", "forest", "lightgbm")
EIGHT = ("angry", "calm", "disgust", "fearful", "happy", "neutral", "sad", "surprised")
SIXTEEN = tuple(f"{name}_{gender}" for name in EIGHT for gender in ("female", "male"))
CHANCE = {"ravdess-speech": 0.125, "tess": 1 / 7, "crema_d": 1 / 6}
HUMAN = {"ravdess-speech": 0.62, "crema_d": 0.41}
TITLE = "A finding that says in so many words what a reader should see here, and so takes more than a single line"


def random(*purpose: int) -> np.random.Generator:
    return np.random.default_rng([7, *purpose])


def scored(columns: dict, value: float) -> dict:
    return {**columns, "value": value, "low": value - 0.04, "high": min(value + 0.04, 1.0)}


def inflation_table() -> pd.DataFrame:
    rows = []
    for corpus in CORPORA:
        for i, model in enumerate(MODELS[1:]):
            rows.append(scored({"corpus": corpus, "model": model, "protocol": "random"}, 0.97 - 0.1 * i))
            rows.append(scored({"corpus": corpus, "model": model, "protocol": "speaker_independent"}, 0.5 - 0.05 * i))
    table = pd.DataFrame(rows)
    lonely = (table["corpus"] == "tess") & (table["protocol"] == "speaker_independent")
    table.loc[lonely, ["low", "high"]] = np.nan
    return table


def ladder_table() -> pd.DataFrame:
    rows = []
    for corpus in CORPORA:
        for i, rung in enumerate(plots.RUNGS):
            if not (corpus == "tess" and rung == "take_disjoint"):
                rows.append(scored({"corpus": corpus, "rung": rung, "size": "full"}, 0.9 - 0.08 * i))
            if rung not in palette.SIDE_RUNGS:
                rows.append(scored({"corpus": corpus, "rung": rung, "size": "equal"}, 0.86 - 0.08 * i))
    return pd.DataFrame(rows)


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
    return clips.assign(corpus="x", duration=1 + 3 * share, human_recognition=share, human_agreement=share**0.5)


def folds_table(clips: pd.DataFrame) -> pd.DataFrame:
    speaker = clips["speaker"].str[-1].astype(int)
    both = np.where((speaker < 2) & (clips["statement"] == "c"), "test", "train").astype(object)
    both[(speaker < 2) != (clips["statement"] == "c")] = "unused"
    roles = {
        "random": random(2).choice(["train", "valid", "test"], len(clips)),
        "speaker_independent": np.select([speaker < 2, speaker == 2], ["test", "valid"], "train"),
        "speaker_and_sentence": both,
    }
    parts = [
        pd.DataFrame(
            {"protocol": name, "repeat": 0, "fold": 0, "clip_id": clips["clip_id"], "variant": 0, "role": role}
        )
        for name, role in roles.items()
    ]
    folds = pd.concat(parts)
    return folds[folds["role"] != "unused"]


def counts_of(classes: tuple[str, ...]) -> np.ndarray:
    k = len(classes)
    return random(k).integers(0, 900, (k, k)) * (random(k, 1).random((k, k)) > 0.2) + np.eye(k, dtype=int)


def examples() -> list[dict]:
    tone = np.sin(np.arange(30_000) / 16_000 * 2 * np.pi * 220)
    noise = random(3).normal(0, 0.05, 30_000)
    return [
        {
            "emotion": name,
            "name": f"{i:02d}-a-rather-long-clip-name",
            "signal": tone * 0.3 + noise,
            "sample_rate": 16_000,
        }
        for i, name in enumerate(EIGHT)
    ]


def roc_table() -> pd.DataFrame:
    """Curves y = x^a, whose area is 1 / (a + 1); on the last corpus below chance."""
    grid = np.linspace(0, 1, 400)
    rows = []
    for i, corpus in enumerate(CORPORA):
        for k, name in enumerate(EIGHT):
            power = 0.05 + 0.1 * k + 0.2 * i
            rows.append(
                pd.DataFrame({"corpus": corpus, "class": name, "auc": 1 / (power + 1), "false_positive_rate": grid,
                              "true_positive_rate": grid**power})
            )  # fmt: skip
    return pd.concat(rows, ignore_index=True)


def speaker_tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    rows = [
        {"group": model, "speaker": f"x/{i}", "value": v, "gender": ("female", "male")[i % 2]}
        for model in MODELS
        for i, v in enumerate(random(4).uniform(0.3, 0.8, 91))
    ]
    return pd.DataFrame(rows), pd.DataFrame([scored({"group": model}, 0.55) for model in MODELS])


def curve_table() -> pd.DataFrame:
    rows = [
        scored({"corpus": corpus, "model": model, "n_speakers": n}, 0.3 + 0.05 * np.log2(n))
        for corpus in CORPORA
        for model in MODELS
        for n in (2, 4, 8, 16, 32, 64)
    ]
    return pd.DataFrame(rows)


def score_table() -> pd.DataFrame:
    names = [(c, f, m) for c in CORPORA for f in ("seed184", "summary", "egemaps", "compare") for m in MODELS]
    table = pd.DataFrame(names, columns=["corpus", "feature", "model"])
    table["value"] = random(5).uniform(0.2, 0.9, len(table))
    return table[~((table["feature"] == "compare") & table["model"].isin(["forest", "lightgbm"]))]


def prosody_table() -> pd.DataFrame:
    clips = clips_table(n_speakers=6)
    measures = {name: random(6).normal(5, 1, len(clips)) for name in ("loudness_db", "f0_hz", "tempo", "pitch_range")}
    return clips[["emotion", "gender"]].assign(**measures)


def heard(*levels: str | None) -> list[dict]:
    """Clips with an envelope and F0: every emotion at every level, but the first at none."""
    items = []
    for place, item in enumerate(examples()):
        for step, level in enumerate(levels if place else (None,)):
            signal = item["signal"] * (step + 1) / len(levels)
            envelope = np.abs(signal).max() * np.ones(1 + len(signal) // 256)
            time = np.arange(len(envelope)) * 256 / 16_000
            more = {"intensity": level, "gender": ("female", "male")[place % 2], "f0_hz": 200 + 20 * np.sin(time * 9)}
            items.append({**item, **more, "signal": signal, "envelope": envelope, "time": time})
    return items


def frames_told() -> dict:
    item = heard(None)[0]
    t = len(item["time"])
    curves = {name: random(10).uniform(0, 0.5, t) for name in ("rms", "zcr")}
    hertz = {name: random(11).uniform(500, 6000, t) for name in ("centroid_hz", "rolloff_hz")}
    images = {"mel_db": random(12).uniform(-80, 0, (t, 64)), "mel_hz": np.geomspace(60, 7800, 64),
              "chroma": random(13).random((t, 12)), "mfcc": random(14).normal(0, 20, (t, 20))}  # fmt: skip
    return {**item, **curves, **hertz, **images}


def descriptor_tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    clips = clips_table(n_speakers=6)
    names = [f"descriptor_{i}" for i in range(10)]
    values = {name: random(15, i).normal(0, 1, len(clips)) for i, name in enumerate(names)}
    shares = pd.DataFrame({"column": names, "descriptor": ["zero crossings"] * 10, "within_speakers": 0.31})
    return clips[["emotion"]].assign(**values), shares


def transfer() -> pd.DataFrame:
    return pd.DataFrame(random(8).uniform(0.2, 0.6, (4, 4)), index=list(CORPORA), columns=list(CORPORA))


FIGURES = {
    "inflation": lambda: plots.inflation(
        inflation_table(), title=TITLE, chance=CHANCE, human=HUMAN, notes={"tess": "2 speakers, 7 emotions"}
    ),
    "ladder": lambda: plots.ladder(ladder_table(), title=TITLE, chance=CHANCE, human=HUMAN),
    "confusion_6": lambda: plots.confusion(counts_of(EIGHT[:6]), EIGHT[:6], title=TITLE),
    "confusion_8": lambda: plots.confusion(counts_of(EIGHT), EIGHT, title=TITLE),
    "confusion_16": lambda: plots.confusion(counts_of(SIXTEEN), SIXTEEN, title=TITLE),
    "confusions": lambda: plots.confusions([(m, counts_of(EIGHT), EIGHT) for m in MODELS[1:]], title=TITLE),
    "roc": lambda: plots.roc(roc_table(), title=TITLE),
    "roc_one": lambda: plots.roc(roc_table().query("corpus == 'tess'"), title=TITLE),
    "speaker_scores": lambda: plots.speaker_scores(*speaker_tables(), title=TITLE, chance=0.125),
    "learning_curve": lambda: plots.learning_curve(curve_table(), title=TITLE, chance=CHANCE),
    "fold_map": lambda: plots.fold_map(folds_table(clips_table()), clips_table(), title=TITLE),
    "score_matrix": lambda: plots.score_matrix(score_table(), title=TITLE),
    "cross_corpus": lambda: plots.cross_corpus(transfer(), title=TITLE),
    "null": lambda: plots.null(
        {name: random(9).normal(0.125, 0.01, 20) for name in plots.RUNGS}, {"random": 0.7}, title=TITLE, chance=0.125
    ),
    "counts": lambda: plots.counts(clips_table(), title=TITLE),
    "durations": lambda: plots.durations(clips_table(), title=TITLE),
    "waveforms": lambda: plots.waveforms_and_spectrograms(examples(), title=TITLE),
    "intensity": lambda: plots.waveforms_by_intensity(heard("low", "medium", "high"), title=TITLE),
    "intensity_none": lambda: plots.waveforms_by_intensity(heard(None), title=TITLE),
    "voices": lambda: plots.voices(heard("strong")[1:3], title=TITLE),
    "frame_features": lambda: plots.frame_features(frames_told(), title=TITLE),
    "descriptors": lambda: plots.descriptors(*descriptor_tables(), title=TITLE),
    "prosody": lambda: plots.prosody(prosody_table(), title=TITLE),
    "agreement": lambda: plots.agreement(clips_table(), title=TITLE),
    "demographics": lambda: plots.demographics(clips_table(n_speakers=20), title=TITLE),
    "speakers": lambda: plots.speakers(clips_table(n_speakers=91), title=TITLE),
}


@pytest.fixture(scope="module")
def drawn() -> dict[str, tuple[Figure, str]]:
    """Every figure once, with its SVG (which also settles its layout)."""
    figures = {name: make() for name, make in FIGURES.items()}
    return {name: (figure, plots.svg(figure)) for name, figure in figures.items()}


def texts_of(figure: Figure) -> list[Text]:
    """Every text that shows; none of a hidden panel or of a switched-off tick label."""
    figure.draw_without_rendering()
    hidden = {id(t) for ax in figure.axes if not ax.get_visible() for t in ax.findobj(Text)}
    for axis in (axis for ax in figure.axes for axis in (ax.xaxis, ax.yaxis)):
        low, high = sorted(axis.get_view_interval())
        outside = [tick for tick in axis.get_major_ticks() if not low - 1e-9 <= tick.get_loc() <= high + 1e-9]
        hidden |= {id(label) for tick in outside for label in (tick.label1, tick.label2)}
    return [t for t in figure.findobj(Text) if t.get_visible() and t.get_text().strip() and id(t) not in hidden]


@pytest.mark.parametrize("name", FIGURES)
def test_no_text_overlaps_another(drawn, name):
    figure, _ = drawn[name]
    level = [t for t in texts_of(figure) if t.get_rotation() == 0]
    boxes = [(t.get_text(), t.get_window_extent()) for t in level]
    clashes = []
    for (one, a), (two, b) in combinations(boxes, 2):
        wide, high = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
        if wide > 2 and high > 0.25 * min(a.height, b.height):
            clashes.append((one, two))
    assert not clashes


@pytest.mark.parametrize("name", FIGURES)
def test_texts_are_large_enough_and_inside(drawn, name):
    figure, svg = drawn[name]
    assert min(t.get_fontsize() for t in texts_of(figure)) >= palette.SMALL
    width = float(re.search(r'width="([\d.]+)pt"', svg)[1])
    assert width <= 72 * palette.WIDTH + 15  # a text that sticks out would widen the tight drawing


@pytest.mark.parametrize("name", FIGURES)
def test_svg_is_small_and_keeps_its_letters(drawn, name):
    figure, svg = drawn[name]
    assert len(svg.encode()) < 300_000
    assert svg.startswith("<svg")
    assert "<text" in svg
    assert "".join(figure.get_suptitle().split()) == "".join(TITLE.split())
    assert "sans-serif" in svg
    assert palette.INK in svg
    assert all("fill: " in style for style in re.findall(r"<text style=\"([^\"]*)\"", svg))  # none left to the browser


@pytest.mark.parametrize("name", ["null", "counts", "fold_map"])
def test_svg_is_the_same_bytes_each_time(drawn, name):
    assert plots.svg(FIGURES[name]()) == drawn[name][1]


@pytest.mark.parametrize("name", FIGURES)
def test_axes_carry_units(drawn, name):
    labels = " | ".join(f"{ax.get_xlabel()} {ax.get_ylabel()}" for ax in drawn[name][0].axes)
    labels += drawn[name][0].get_supxlabel()
    assert re.search(
        r"\((0–1|%.*|number|standard deviations|s|Hz|kHz|clips|years.*)\)|\d+ (speakers|sentences)", labels
    ), labels


@pytest.mark.parametrize("colour", {*palette.EMOTION_COLOURS.values(), *palette.STUDY_COLOURS.values()})
def test_colours_stand_out_on_white_and_on_dark(colour):
    def luminance(tone):
        parts = np.array([int(tone[i : i + 2], 16) / 255 for i in (1, 3, 5)])
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    own = luminance(colour) + 0.05
    assert 1.05 / own >= 3
    assert own / (luminance("#16181d") + 0.05) >= 3


def test_palettes_cover_all_emotions_and_stay_apart():
    assert tuple(palette.EMOTION_COLOURS) == EMOTIONS
    assert len(set(palette.EMOTION_COLOURS.values())) == len(EMOTIONS)
    assert len({palette.STUDY_COLOURS[rung] for rung in plots.RUNGS}) == len(plots.RUNGS)
    assert palette.colours(["angry", "forest", "new_net"])["forest"] == palette.STUDY_COLOURS["forest"]
    assert palette.class_colour("angry_female") == palette.EMOTION_COLOURS["angry"]


def test_inflation_writes_scores_and_their_change(drawn):
    texts = [t.get_text() for t in texts_of(drawn["inflation"][0])]
    assert texts.count("−47.0") == len(CORPORA)  # .97 → .50
    assert {"chance .125", "listeners .62", "RAVDESS speech", "2 speakers, 7 emotions"} <= set(texts)


def test_ladder_steps_over_missing_rungs_and_forks():
    every = set(headline_plots.PARENTS)
    assert headline_plots._above("speaker_independent", every) == ["take_disjoint"]
    assert headline_plots._above("speaker_independent", every - {"take_disjoint"}) == ["random"]
    assert headline_plots._above("speaker_and_sentence", every) == ["sentence_independent", "speaker_independent"]


def test_confusion_keeps_the_order_of_classes_and_shows_shares():
    counts = np.array([[3, 1], [0, 0]])
    figure = plots.confusion(counts, ("sad", "angry"), title="")
    ax = figure.axes[0]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["sad (4)", "angry (0)"]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["sad", "angry"]
    assert [t.get_text() for t in ax.texts] == ["75", "3", "25", "1"]  # a class without clips stays empty


def test_confusions_side_by_side_show_counts_and_what_they_count():
    counts = np.array([[3, 1], [0, 4]])
    figure = plots.confusions(
        [("a", counts, ("sad", "angry")), ("b", counts, ("sad", "angry"))], title="", unit="answers"
    )
    for ax in figure.axes:
        assert [t.get_text() for t in ax.get_yticklabels()] == ["sad (4)", "angry (4)"]
        assert [t.get_text() for t in ax.texts] == ["75", "3", "25", "1", "", "", "100", "4"]
        assert ax.get_ylabel() == "true class (answers)"
        assert "answers below" in ax.get_xlabel()


def test_roc_tells_the_best_the_middle_and_the_worst_class(drawn):
    figure, _ = drawn["roc"]
    for ax, corpus in zip(figure.axes, CORPORA):
        areas = roc_table().set_index("corpus").loc[corpus].groupby("class")["auc"].first()
        told = [text.get_text() for text in ax.get_legend().get_texts()]
        wanted = [areas.index[place] for place in (0, 3, 7)]  # power grows from class to class
        assert told == [f"{name}, AUC {marks.score_text(areas[name])}" for name in wanted]
        chance, *curves = ax.lines
        assert chance.get_xydata().tolist() == [[0, 0], [1, 1]]
        assert len(curves) == len(EIGHT)
        assert [line.get_color() for line in curves[-3:]] == [palette.class_colour(name) for name in wanted]
        assert len({line.get_linestyle() for line in curves[-3:]}) == 3
        for line in curves:
            assert len(line.get_xdata()) <= 202
            assert line.get_xydata()[[0, -1]].tolist() == [[0, 0], [1, 1]]
    lone = plots.roc(roc_table().query("corpus == 'tess' and `class` in ['sad', 'calm']"), title="")
    assert [text.get_text().split(",")[0] for text in lone.axes[0].get_legend().get_texts()] == ["calm", "sad"]


def test_thinning_a_curve_moves_it_by_no_more_than_a_line():
    steps = np.sort(random(11).uniform(size=(2, 5000)))
    curve = pd.DataFrame({"false_positive_rate": steps[0], "true_positive_rate": steps[1]})
    thin = score_plots._thinned(curve)
    again = np.interp(steps[0], thin["false_positive_rate"], thin["true_positive_rate"])
    assert len(thin) <= 202
    assert np.abs(again - steps[1]).max() < 0.02


def test_tile_text_is_readable_on_every_tone():
    figure = plots.confusion(counts_of(EIGHT), EIGHT, title="")
    assert {t.get_color() for t in figure.axes[0].texts} == {"#0a0a0a", "#ffffff"}


def test_fold_map_paints_roles():
    clips = clips_table()
    figure = plots.fold_map(folds_table(clips), clips, title="")
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    assert titles == ["random split", "new speakers", "new speakers and sentences"]
    tones = [{tuple(np.round(t, 3)) for t in ax.images[0].get_array().reshape(-1, 4)} for ax in figure.axes]
    assert [len(some) for some in tones] == [3, 3, 3]  # train, valid, test; the last: train, test, unused
    first = figure.axes[1].images[0].get_array()
    assert all(len(np.unique(row, axis=0)) == 1 for row in first)  # one speaker, one role


def test_unknown_gender_and_intensity_are_drawn():
    clips = clips_table().assign(gender=np.nan, intensity=np.nan)
    figure = plots.counts(clips, title="")
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["unknown, 24 speakers"]
    assert {t.get_text() for t in figure.axes[0].texts} == {"144"}
    assert len(plots.demographics(clips.assign(age=np.nan), title="").axes) == 1


def test_spectrogram_puts_a_tone_where_it_sounds():
    figure = plots.waveforms_and_spectrograms(
        [
            {
                "emotion": "sad",
                "name": "tone",
                "signal": np.sin(np.arange(16_000) * 2 * np.pi / 16),
                "sample_rate": 16_000,
            }
        ],
        title="",
    )
    image = figure.axes[1].images[0]
    low, high = image.get_extent()[2:]
    loudest = np.argmax(np.asarray(image.get_array()).mean(axis=1))
    mel = low + (loudest + 0.5) / image.get_array().shape[0] * (high - low)
    assert 700 * (10 ** (mel / 2595) - 1) == pytest.approx(1000, rel=0.05)


def test_envelope_lines_bound_the_waveform_of_every_panel(drawn):
    figure, items = drawn["intensity"][0], heard("low", "medium", "high")
    panels = [ax for ax in figure.axes if ax.lines]
    assert len(panels) == len(items) == 1 + 7 * 3
    assert len(figure.axes) == 8 * 3
    assert [ax.get_ylabel() for ax in figure.axes[::3]] == list(EIGHT), "a row keeps its name without its first panel"
    for ax, item in zip(panels, items):
        (envelope,) = ax.lines
        assert (np.interp(np.arange(30_000) / 16_000, *envelope.get_data()) >= np.abs(item["signal"]) - 1e-12).all()
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
    assert np.array_equal(axes[2].lines[0].get_ydata(), heard("strong")[1]["f0_hz"])


def test_every_frame_feature_has_its_panel_on_one_time_axis(drawn):
    told, axes = frames_told(), drawn["frame_features"][0].axes[:7]
    assert [len(ax.lines) for ax in axes] == [1, 1, 1, 2, 0, 0, 0]
    assert [len(ax.images) for ax in axes] == [0, 0, 0, 0, 1, 1, 1]
    assert {ax.get_xlim() for ax in axes} == {(0, 30_000 / 16_000)}
    assert np.allclose(axes[2].lines[0].get_ydata(), 100 * told["zcr"])
    assert {line.get_label(): line.get_ydata().max() for line in axes[3].lines} == pytest.approx(
        {"roll-off": told["rolloff_hz"].max() / 1000, "centroid": told["centroid_hz"].max() / 1000}
    )
    assert np.allclose(axes[5].images[0].get_array(), told["chroma"].T, atol=0.5 / 24 + 1e-9)
    assert axes[6].images[0].get_array().shape == (19, len(told["time"]))
    assert axes[6].get_position().x1 == pytest.approx(axes[0].get_position().x1)


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
    clip = {"emotion": "sad", "name": "short", "signal": np.zeros(n_samples, np.float32), "sample_rate": 16_000}
    assert "<svg" in plots.svg(plots.waveforms_and_spectrograms([clip], title=""))


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: plots.inflation(inflation_table().iloc[:0], title="", chance={}), "no rows"),
        (lambda: plots.inflation(inflation_table().iloc[:-1], title="", chance={}), "one row each"),
        (lambda: plots.inflation(inflation_table().drop(columns="low"), title="", chance={}), "lacks low"),
        (lambda: plots.ladder(ladder_table().assign(rung="easy"), title="", chance={}), "easy"),
        (lambda: plots.confusion(np.ones((2, 3)), ("a", "b"), title=""), r"shape \(2, 3\)"),
        (lambda: plots.confusions([], title=""), "at least one"),
        (lambda: plots.roc(roc_table().iloc[:0], title=""), "no rows"),
        (lambda: plots.null({"random": []}, {}, title="", chance=0.5), "run the control"),
        (
            lambda: plots.agreement(clips_table().assign(human_recognition=np.nan, human_agreement=np.nan), title=""),
            "vote",
        ),
        (lambda: plots.prosody(prosody_table()[["emotion", "gender"]], title=""), "no measure"),
        (lambda: plots.durations(clips_table().assign(emotion=None), title=""), "no known emotion"),
        (lambda: plots.waveforms_and_spectrograms([], title=""), "No clips"),
        (lambda: plots.waveforms_by_intensity([], title=""), "No clips"),
        (lambda: plots.voices([], title=""), "No voices"),
        (lambda: plots.frame_features({**frames_told(), "rms": np.ones(2)}, title=""), "'rms' with one value a frame"),
        (lambda: plots.descriptors(clips_table(), descriptor_tables()[1], title=""), "lacks descriptor_0"),
        (lambda: plots.waveforms_and_spectrograms([{**examples()[0], "signal": []}], title=""), "no samples"),
    ],
)
def test_bad_input_is_refused_with_advice(draw, message):
    with pytest.raises(ValueError, match=message):
        draw()


def test_spread_keeps_order_and_distance():
    placed = marks.spread([0.5, 0.51, 0.1, 0.505], gap=0.05)
    assert np.diff(np.sort(placed)).min() >= 0.05 - 1e-6
    assert list(np.argsort(placed)) == [2, 0, 3, 1]


def test_style_leaves_the_caller_alone():
    from matplotlib import rcParams

    before = dict(rcParams)
    corpus_plots.durations(clips_table(n_speakers=2), title="")
    assert dict(rcParams) == before
