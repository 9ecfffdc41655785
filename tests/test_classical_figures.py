"""Figures of the chapter on classical models: heat maps of scores, ROC curves, scores of speakers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from figure_checks import check_overlap, check_size, check_svg, check_units, texts_of
from matplotlib.figure import Figure

from ser_study.chapters.classical import class_text, classes, figures, text
from ser_study.config import load
from ser_study.plotting import marks, palette
from ser_study.plotting.palette import svg_text

CONFIG = load("full")
CORPORA = ("ravdess-speech", "tess", "crema_d", "a_corpus_of_my_own_with_a_long_name")
MODELS = ("dummy", "logistic", "linear_svm", "forest", "lightgbm")
EIGHT = ("angry", "calm", "disgust", "fearful", "happy", "neutral", "sad", "surprised")


def random(*purpose: int) -> np.random.Generator:
    return np.random.default_rng([7, *purpose])


def roc_points() -> pd.DataFrame:
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
    return classes.thinned(pd.concat(rows, ignore_index=True))


def speaker_scores() -> pd.DataFrame:
    rows = [
        {"corpus": corpus, "speaker": f"x/{i}", "uar": value, "gender": ("female", "male", None)[i % 3]}
        for corpus in CORPORA
        for i, value in enumerate(random(4).uniform(0.3, 0.8, 91))
    ]
    return pd.DataFrame(rows)


def systems() -> pd.DataFrame:
    return pd.DataFrame({"corpus": CORPORA, "value": 0.55, "low": 0.51, "high": 0.59})


def score_table() -> pd.DataFrame:
    names = [(c, f, m) for c in CORPORA for f in ("means184", "summary", "egemaps", "compare") for m in MODELS]
    table = pd.DataFrame(names, columns=["corpus", "feature", "model"])
    table["value"], table["n_speakers"] = random(5).uniform(0.2, 0.9, len(table)), 24
    return table[~((table["feature"] == "compare") & table["model"].isin(["forest", "lightgbm"]))]


def split_pairs() -> pd.DataFrame:
    rows = [
        {"corpus": corpus, "feature": "summary", "model": model, "protocol": protocol, "value": value}
        for corpus in CORPORA
        for model in MODELS[1:]
        for protocol, value in (("random", 0.9), ("speaker_independent", 0.5))
    ]
    return pd.DataFrame(rows).assign(low=lambda t: t["value"] - 0.05, high=lambda t: t["value"] + 0.05)


def levels() -> pd.DataFrame:
    listener = [0.62, np.nan, 0.41, np.nan]
    return pd.DataFrame({"corpus": CORPORA, "speakers": 24, "emotions": 8, "chance": 0.125, "listener": listener})


def panels() -> list:
    return [(name, random(6, i).integers(1, 900, (8, 8)), list(EIGHT)) for i, name in enumerate(CORPORA)]


FIGURES = {
    "inflation": lambda: figures.inflation(split_pairs(), levels()),
    "score_matrix": lambda: figures.score_matrix(score_table()),
    "confusions": lambda: figures.confusions(panels()),
    "roc": lambda: figures.roc(roc_points()),
    "roc_one": lambda: figures.roc(roc_points().query("corpus == 'tess'")),
    "speaker_scores": lambda: figures.speaker_scores(speaker_scores(), systems()),
}
TITLES = {
    "score_matrix": lambda: text.matrix_title(score_table()),
    "confusions": lambda: class_text.confusion_title(panels()),
    "roc": lambda: class_text.roc_title(roc_points()),
    "speaker_scores": lambda: class_text.speaker_title(speaker_scores()),
}


@pytest.fixture(scope="module")
def drawn() -> dict[str, tuple[Figure, str]]:
    """Every figure once, with its SVG."""
    made = {name: make() for name, make in FIGURES.items()}
    return {name: (figure, svg_text(figure)) for name, figure in made.items()}


@pytest.mark.parametrize("name", FIGURES)
def test_figures_are_legible(drawn, name):
    figure, svg = drawn[name]
    check_overlap(figure)
    check_size(figure, svg)
    check_svg(svg)
    check_units(figure)


@pytest.mark.parametrize("name", TITLES)
def test_titles_are_those_of_the_text(drawn, name):
    assert "".join(drawn[name][0].get_suptitle().split()) == "".join(TITLES[name]().split())


def test_same_table_gives_the_same_bytes(drawn):
    assert svg_text(FIGURES["score_matrix"]()) == drawn["score_matrix"][1]


def test_nothing_is_drawn_of_nothing():
    none = pd.DataFrame()
    assert figures.inflation(none, levels()) is None
    assert figures.score_matrix(none) is None
    assert figures.confusions([]) is None
    assert figures.roc(none) is None
    assert figures.speaker_scores(none, none) is None
    assert text.score_matrix(score_table().iloc[:0], CONFIG).empty
    empty = (text.inflation, class_text.confusions, class_text.roc, class_text.speaker_scores)
    assert all(caption(none if caption is not class_text.confusions else []).empty for caption in empty)


def test_the_matrix_says_what_was_not_run():
    scores = score_table()
    few = scores[(scores["feature"] != "compare") | (scores["corpus"] == "tess")]
    words = text.score_matrix(few, CONFIG).text
    assert words.endswith(
        "Dash: not run. ComParE was run with majority class, logistic regression and linear SVM only, on TESS only."
    )
    assert "Dash" not in text.score_matrix(scores[scores["feature"] == "summary"], CONFIG).text


def test_the_matrix_says_what_to_begin_with():
    names = [(c, f, m) for c in ("savee", "emodb") for f in ("summary", "campplus") for m in ("lda", "dummy")]
    scores = pd.DataFrame(names, columns=["corpus", "feature", "model"]).assign(value=[0.4, 1, 0.7, 1, 0.5, 1, 0.8, 1])
    scores["n_speakers"] = 10
    alone = {"corpus": ["emodb"], "feature": ["egemaps"], "model": ["lda"], "value": [0.9], "n_speakers": 10}
    scores = pd.concat([scores, pd.DataFrame(alone)])  # on one corpus only
    picked = "They are picked by their test scores, so these are slightly optimistic."
    assert text.score_matrix(scores, CONFIG).finding == (
        "**To begin with:** of hand-crafted features, summaries with LDA (mean UAR .450 over 2 corpora); of pretrained "
        f"encoders, CAM++ with LDA (mean UAR .750 over 2 corpora). {picked}"
    )
    near = scores[scores["model"] == "lda"].assign(model="logistic", value=lambda table: table["value"] - 0.004)
    two = scores[scores["corpus"] == "savee"].assign(corpus="tess", n_speakers=2, value=1.0)  # two voices do not count
    several = pd.concat([scores, near, two])
    where = "over 2 corpora of more than three speakers"
    assert text.begin_with(several, CONFIG) == (
        f"**To begin with:** of hand-crafted features, summaries with LDA (mean UAR .450 {where}), and hardly worse "
        "summaries with logistic regression (.446); of pretrained encoders, CAM++ with LDA (mean UAR .750 "
        f"{where}), and hardly worse CAM++ with logistic regression (.746). {picked}"
    )
    assert text.matrix_title(several).endswith(f"CAM++ with LDA scores highest on average: UAR .750 {where}")
    assert text.matrix_title(two.query("model == 'lda'")).endswith("UAR 1.000 on TESS")


def test_captions_describe_what_is_drawn():
    for caption in (
        text.inflation(split_pairs()),
        text.score_matrix(score_table(), CONFIG),
        class_text.confusions(panels()),
        class_text.roc(roc_points()),
        class_text.speaker_scores(speaker_scores()),
    ):
        assert len(caption.alt) > 60
        assert caption.text


def test_bad_tables_are_refused():
    with pytest.raises(ValueError, match="lacks value"):
        figures.score_matrix(score_table().drop(columns="value"))
    with pytest.raises(ValueError, match="lacks auc"):
        figures.roc(roc_points().drop(columns="auc"))


def test_inflation_draws_chance_listeners_and_notes(drawn):
    texts = [t.get_text() for t in texts_of(drawn["inflation"][0])]
    assert {"chance .125", "listeners .620", "24 speakers, 8 emotions"} <= set(texts)
    assert texts.count("−40.0") == len(CORPORA) * (len(MODELS) - 1)


def test_score_matrix_shows_every_score_in_its_tile(drawn):
    figure, _ = drawn["score_matrix"]
    table = score_table().set_index(["corpus", "feature", "model"])["value"]
    for ax, corpus in zip(figure.axes, CORPORA):
        labels = {t.get_position(): t.get_text() for t in ax.texts}
        for row, feature in enumerate(("means184", "summary", "egemaps", "compare")):
            for column, model in enumerate(MODELS):
                score = table.get((corpus, feature, model), np.nan)
                assert labels[(column + 0.5, row + 0.5)] == marks.score_text(score)
        assert {t.get_color() for t in ax.texts} <= {"#010101", "#ffffff", palette.INK}
    for ax in figure.axes[0:4:2]:  # the left ones
        assert [t.get_text() for t in ax.get_yticklabels()] == ["184 means", "summaries", "eGeMAPS", "ComParE"]
    assert figure.axes[0].collections[0].get_clim() == figure.axes[3].collections[0].get_clim()


def test_roc_colours_the_best_the_middle_and_the_worst_class(drawn):
    figure, _ = drawn["roc"]
    for ax, corpus in zip(figure.axes, CORPORA):
        areas = roc_points().set_index("corpus").loc[corpus].groupby("class")["auc"].first()
        labels = [label.get_text() for label in ax.get_legend().get_texts()]
        wanted = [areas.index[place] for place in (0, 3, 7)]  # power grows from class to class
        assert labels == [f"{name}, AUC {marks.score_text(areas[name])}" for name in wanted]
        chance, *curves = ax.lines
        assert chance.get_xydata().tolist() == [[0, 0], [1, 1]]
        assert len(curves) == len(EIGHT)
        assert [line.get_color() for line in curves[-3:]] == [palette.class_colour(name) for name in wanted]
        assert len({line.get_linestyle() for line in curves[-3:]}) == 3
        for line in curves:
            assert len(line.get_xdata()) <= classes.MAX_POINTS + 2
            assert line.get_xydata()[[0, -1]].tolist() == [[0, 0], [1, 1]]
    two = figures.roc(roc_points().query("corpus == 'tess' and `class` in ['sad', 'calm']"))
    assert [label.get_text().split(",")[0] for label in two.axes[0].get_legend().get_texts()] == ["calm", "sad"]


def test_thinning_a_curve_moves_it_by_no_more_than_a_line():
    steps = np.sort(random(11).uniform(size=(2, 5000)))
    one = pd.DataFrame({"corpus": "tess", "false_positive_rate": steps[0], "true_positive_rate": steps[1]})
    both = pd.concat([one.assign(**{"class": name}) for name in ("sad", "happy")], ignore_index=True)
    thin = classes.thinned(both)
    assert thin["class"].value_counts().to_dict() == dict.fromkeys(("sad", "happy"), len(thin) // 2)
    for _, curve in thin.groupby("class"):
        again = np.interp(steps[0], curve["false_positive_rate"], curve["true_positive_rate"])
        assert len(curve) <= classes.MAX_POINTS + 2
        assert curve.iloc[[0, -1]]["true_positive_rate"].tolist() == steps[1][[0, -1]].tolist()
        assert np.abs(again - steps[1]).max() < 0.02


def test_every_speaker_is_a_dot_and_every_system_a_square(drawn):
    ax = drawn["speaker_scores"][0].axes[0]
    dots = [line for line in ax.lines if line.get_marker() in ("o", "^", "D")]
    assert sum(len(line.get_xdata()) for line in dots) == len(speaker_scores())
    squares = [line for line in ax.lines if line.get_marker() == "s"]
    assert [line.get_xdata()[0] for line in squares] == systems()["value"].tolist()
