"""The shared chart kinds: legible, in colours that hold on white and on black, with the numbers they are given."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from figure_checks import check_overlap, check_size, check_svg, check_units, texts_of
from matplotlib import rcParams
from matplotlib.figure import Figure

from ser_study.plotting import dots, matrices, palette
from ser_study.plotting.palette import svg_text
from ser_study.schema import EMOTIONS

CORPORA = ("ravdess-speech", "tess", "crema_d", "a_corpus_of_my_own_with_a_long_name")
MODELS = ("logistic", "linear_svm", "forest", "lightgbm")
EIGHT = ("angry", "calm", "disgust", "fearful", "happy", "neutral", "sad", "surprised")
SIXTEEN = tuple(f"{name}_{gender}" for name in EIGHT for gender in ("female", "male"))
CHANCE = {"ravdess-speech": 0.125, "tess": 1 / 7, "crema_d": 1 / 6}
LISTENERS = {"ravdess-speech": 0.62, "crema_d": 0.41}
TITLE = "A finding that says in so many words what a reader should see here, and so takes more than a single line"


def scored(columns: dict, value: float) -> dict:
    return {**columns, "value": value, "low": value - 0.04, "high": min(value + 0.04, 1.0)}


def inflation_table() -> pd.DataFrame:
    rows = []
    for corpus in CORPORA:
        for i, model in enumerate(MODELS):
            rows.append(scored({"corpus": corpus, "model": model, "protocol": "random"}, 0.97 - 0.1 * i))
            rows.append(scored({"corpus": corpus, "model": model, "protocol": "speaker_independent"}, 0.5 - 0.05 * i))
    table = pd.DataFrame(rows).assign(feature="summary")
    without = (table["corpus"] == "tess") & (table["protocol"] == "speaker_independent")
    table.loc[without, ["low", "high"]] = np.nan
    return table


def ladder_table() -> pd.DataFrame:
    rows = []
    for corpus in CORPORA:
        for i, protocol in enumerate(palette.PROTOCOLS):
            if not (corpus == "tess" and protocol == "take_disjoint"):
                rows.append(scored({"corpus": corpus, "protocol": protocol, "size": "full"}, 0.9 - 0.08 * i))
            if protocol in palette.LADDER:
                rows.append(scored({"corpus": corpus, "protocol": protocol, "size": "equal"}, 0.86 - 0.08 * i))
    return pd.DataFrame(rows)


def counts_of(classes: tuple[str, ...]) -> np.ndarray:
    k, random = len(classes), np.random.default_rng(len(classes))
    return random.integers(0, 900, (k, k)) * (random.random((k, k)) > 0.2) + np.eye(k, dtype=int)


FIGURES = {
    "inflation": lambda: dots.inflation(
        inflation_table(), title=TITLE, chance=CHANCE, human=LISTENERS, notes={"tess": "2 speakers, 7 emotions"}
    ),
    "ladder": lambda: dots.ladder(ladder_table(), title=TITLE, chance=CHANCE, human=LISTENERS),
    "confusion_6": lambda: matrices.confusions([("a", counts_of(EIGHT[:6]), EIGHT[:6])], title=TITLE),
    "confusion_8": lambda: matrices.confusions([("a", counts_of(EIGHT), EIGHT)], title=TITLE),
    "confusion_16": lambda: matrices.confusions([("a", counts_of(SIXTEEN), SIXTEEN)], title=TITLE),
    "confusions": lambda: matrices.confusions([(m, counts_of(EIGHT), EIGHT) for m in MODELS], title=TITLE),
}


@pytest.fixture(scope="module")
def drawn() -> dict[str, Figure]:
    """Every figure once."""
    return {name: make() for name, make in FIGURES.items()}


@pytest.mark.parametrize("name", FIGURES)
def test_figures_keep_the_rules(drawn, name):
    figure = drawn[name]
    drawing = svg_text(figure)
    check_overlap(figure)
    check_size(figure, drawing)
    check_svg(drawing)
    check_units(figure)
    assert "".join(figure.get_suptitle().split()) == "".join(TITLE.split())


@pytest.mark.parametrize("name", ["ladder", "confusion_6"])
def test_svg_is_the_same_bytes_each_time(name):
    assert svg_text(FIGURES[name]()) == svg_text(FIGURES[name]())


@pytest.mark.parametrize(
    "colour",
    sorted(
        {*palette.EMOTION_COLOURS.values(), *palette.STUDY_COLOURS.values(), *palette.CYCLE, *palette.SPARE_COLOURS}
    ),
)
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
    assert len({palette.STUDY_COLOURS[name] for name in palette.PROTOCOLS}) == len(palette.PROTOCOLS)
    assert palette.colours(["angry", "forest", "new_net"])["forest"] == palette.STUDY_COLOURS["forest"]
    assert palette.class_colour("angry_female") == palette.EMOTION_COLOURS["angry"]


def test_seaborn_draws_in_our_style_and_leaves_the_callers_alone():
    import seaborn

    before = dict(rcParams)
    table = pd.DataFrame({"x": [0.1, 0.3, 0.4, 0.9], "y": ["a", "a", "b", "b"]})
    with palette.theme():
        figure, axes = palette.canvas(1, 1, height=3, title="Boxes")
        seaborn.boxplot(table, x="x", y="y", hue="y", ax=axes[0, 0], legend=False, **palette.BOXES)
    drawing = svg_text(figure)
    assert palette.CYCLE[0] in drawing
    assert palette.INK in drawing
    assert dict(rcParams) == before


def test_inflation_writes_scores_and_their_change(drawn):
    texts = [t.get_text() for t in texts_of(drawn["inflation"])]
    assert texts.count("−47.0") == len(CORPORA)  # .97 → .50
    assert {"chance .125", "listeners .620", "RAVDESS speech", "2 speakers, 7 emotions"} <= set(texts)


def test_title_of_inflation_has_the_medians():
    pairs = inflation_table()
    pairs.loc[(pairs["corpus"] == "tess") & (pairs["protocol"] == "random"), "value"] += 0.1
    title = dots.inflation_title(pairs)
    assert re.findall(r"\d+", title) == ["40", "50"], "medians of .47 .42 .37 .32, on TESS .10 more"
    assert title.endswith("TESS")
    assert "32 to 47" in dots.inflation_title(pairs[pairs["corpus"] == "crema_d"])
    assert "summaries" in dots.inflation_caption(pairs)


def test_ladder_steps_over_missing_protocols_and_forks():
    every = set(dots.LESS_STRICT)
    assert dots._steps_before("speaker_independent", every) == ["take_disjoint"]
    assert dots._steps_before("speaker_independent", every - {"take_disjoint"}) == ["random"]
    assert dots._steps_before("speaker_and_sentence", every) == ["sentence_independent", "speaker_independent"]


def test_confusion_keeps_the_order_of_classes_and_shows_shares():
    counts = np.array([[3, 1], [0, 0]])
    figure = matrices.confusions([("a", counts, ("sad", "angry"))], title="")
    ax = figure.axes[0]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["sad (4)", "angry (0)"]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["sad", "angry"]
    assert [t.get_text() for t in ax.texts] == ["75\n3", "25\n1"], "a class without clips stays empty"


def test_confusions_side_by_side_show_counts_and_what_they_count():
    counts, classes = np.array([[3, 1], [0, 4]]), ("sad", "angry")
    figure = matrices.confusions([("a", counts, classes), ("b", counts, classes)], title="", unit="answers")
    for ax in figure.axes:
        assert [t.get_text() for t in ax.get_yticklabels()] == ["sad (4)", "angry (4)"]
        assert [t.get_text() for t in ax.texts] == ["75\n3", "25\n1", "100\n4"]
        assert ax.get_ylabel() == "true class (answers)"
        assert "answers below" in ax.get_xlabel()


def test_title_of_a_confusion_has_its_best_class_and_its_commonest_mistake():
    counts = np.array([[8, 2, 0], [1, 6, 3], [4, 1, 5]])
    title = matrices.confusion_title("tess", counts, ["sad", "angry", "calm"])
    assert "sad is recognised best (80 %)" in title
    assert "calm is taken for sad in 40 %" in title


def test_tile_text_is_readable_on_every_tone():
    figure = matrices.confusions([("a", counts_of(EIGHT) + 9000 * np.eye(8, dtype=int), EIGHT)], title="")
    assert {t.get_color() for t in figure.axes[0].texts if t.get_text()} == {"#010101", "#ffffff"}


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: dots.inflation(inflation_table().iloc[:0], title="", chance={}), "no rows"),
        (lambda: dots.inflation(inflation_table().iloc[:-1], title="", chance={}), "one row each"),
        (lambda: dots.inflation(inflation_table().drop(columns="low"), title="", chance={}), "lacks low"),
        (lambda: dots.ladder(ladder_table().assign(protocol="easy"), title="", chance={}), "easy"),
        (lambda: matrices.confusions([("a", np.ones((2, 3)), ("a", "b"))], title=""), r"shape \(2, 3\)"),
        (lambda: matrices.confusions([], title=""), "at least one"),
    ],
)
def test_bad_input_is_refused_with_advice(draw, message):
    with pytest.raises(ValueError, match=message):
        draw()
