"""Figures for telephones: rearranged where that can be read, else left to scroll; and the tables behind figures."""

from __future__ import annotations

import base64
import re

import numpy as np
import pandas as pd
from figure_checks import check_overlap, texts_of

from ser_study.plotting import dots, matrices, narrow, palette
from ser_study.plotting.distributions import box_table
from ser_study.plotting.marks import row_axis
from ser_study.report import exhibits, figure_html
from ser_study.wording import Caption

PANELS = [
    ("tess", np.array([[9, 1], [2, 8]]), ["sad", "neutral"]),
    ("emodb", np.array([[5, 0], [3, 1]]), ["sad", "neutral"]),
]


def split_pairs() -> pd.DataFrame:
    rows = [
        {
            "corpus": corpus,
            "model": model,
            "protocol": protocol,
            "value": value,
            "low": value - 0.1,
            "high": value + 0.05,
        }
        for corpus in ("ravdess-speech", "tess")
        for model in ("logistic", "lightgbm")
        for protocol, value in (("random", 0.9), ("speaker_independent", 0.5))
    ]
    return pd.DataFrame(rows)


@palette.styled
def rows_and_image(*, picture: bool, columns: int):
    figure, axes = palette.canvas(1, columns, height=2.0, title="A title of several words, which has to be wrapped",
                                  sharey=True)  # fmt: skip
    for ax in axes.flat:
        ax.plot([0.2, 0.8], [0, 1], "o")
        if picture:
            ax.imshow(np.zeros((2, 2)), aspect="auto")
        row_axis(ax, ["angry", "sad"])
        ax.set_xlabel("UAR (0–1)")
    axes[0, 0].set_ylabel("emotion")
    return figure


def stacked(figure) -> bool:
    palette.svg_text(figure)  # settles the layout, as in a run
    return narrow.stack(figure)


def svg_width(figure) -> float:
    return float(re.search(r'width="([\d.]+)pt"', palette.svg_text(figure))[1]) * 4 / 3  # px


def test_columns_of_numbers_stay_and_names_stand_above_their_rows():
    figure = dots.inflation(split_pairs(), title="It falls", chance={"tess": 1 / 7}, human={"ravdess-speech": 0.62},
                            notes={"tess": "2 speakers, 7 emotions"})  # fmt: skip
    written = sorted(text.get_text() for text in texts_of(figure))
    assert stacked(figure)
    check_overlap(figure)
    assert sorted(text.get_text() for text in texts_of(figure)) == written
    smallest = min(text.get_fontsize() for text in texts_of(figure)) * 4 / 3
    assert smallest * narrow.SCREEN / svg_width(figure) >= narrow.LEAST
    ax = figure.axes[0]
    label, point = ax.get_yticklabels()[0], ax.get_yticks()[0]
    box = label.get_window_extent().transformed(ax.transData.inverted())
    assert max(box.y0, box.y1) < point, "above its row, on an axis that runs down"


def test_panels_come_one_under_the_other_with_the_labels_they_shared():
    figure = rows_and_image(picture=False, columns=3)
    assert stacked(figure)
    places = [ax.get_position() for ax in figure.axes]
    assert [place.y0 for place in places] == sorted((place.y0 for place in places), reverse=True)
    assert max(place.x0 for place in places) - min(place.x0 for place in places) < 0.01
    assert [ax.get_ylabel() for ax in figure.axes] == ["emotion"] * 3
    assert all(label.get_visible() for ax in figure.axes for label in ax.get_yticklabels())
    assert svg_width(figure) <= 391


@palette.styled
def map_of(columns: int):
    figure, axes = palette.canvas(1, 1, height=2.0, title="A map")
    matrices.heat_map(axes[0, 0], pd.DataFrame(np.ones((2, columns))), [[""] * columns] * 2, rotation=0)
    return figure


def test_pictures_and_maps_of_tiny_tiles_are_left_to_scroll():
    assert not stacked(rows_and_image(picture=True, columns=2))
    assert not stacked(map_of(60))
    assert stacked(map_of(6))


def test_confusions_have_their_counts_in_a_table_and_in_words_in_one_order_of_classes():
    figure = matrices.confusions(PANELS, title="Two matrices")
    expected = {
        "matrix": ["TESS", "TESS", "EMO-DB", "EMO-DB"],
        "true class": ["neutral", "sad"] * 2,
        "taken for neutral": [8, 1, 1, 0],
        "taken for sad": [2, 9, 3, 5],
    }
    assert figure.data.to_dict("list") == expected
    words = matrices.confusions_alt(PANELS)
    assert words == (
        "TESS: neutral 80 %, 20 % as sad; sad 90 %, 10 % as neutral. EMO-DB: neutral 25 %, 75 % as sad; sad 100 %."
    )


def test_the_table_of_boxes_holds_what_they_show():
    clips = pd.DataFrame({"emotion": ["sad"] * 5 + ["angry"], "pitch": [1.0, 2.0, 3.0, 4.0, 10.0, 7.0]})
    table = box_table(clips, ["pitch"], ["angry", "sad"])
    assert table["emotion"].tolist() == ["angry", "sad"]
    assert table.iloc[1][["n", "mean", "quartile 1", "median", "quartile 3"]].tolist() == [5, 4.0, 2.0, 3.0, 4.0]


def test_a_drawing_for_a_page_is_smaller_and_draws_the_same():
    text = (
        '<?xml?><svg width="72pt" height="9pt" viewBox="0 0 72 9" xmlns="x"><metadata>m</metadata><g id="unused">\n'
        '<g>\n<path id="p" d="M 1.23456 2\nL 3.99999 4.5\n"/></g><use href="#p"/></g>'
        "<text style=\"font-size: 9px; font-family: 'DejaVu Sans', sans-serif; fill: #1b1b1f\">a.b</text></svg>"
    )
    drawn = figure_html.inline_svg(text, "A b", 'x "y"')
    assert drawn.startswith('<svg viewBox="0 0 72 9" class="wide" role="img" aria-label="x &quot;y&quot;"')
    assert "--width:96px" in drawn
    assert '<path id="a-b-p" d="M 1.23 2 L 3.99 4.5' in drawn
    assert '<use href="#a-b-p"/>' in drawn
    assert drawn.count("<g") == drawn.count("</g>") == 0
    assert "DejaVu" not in drawn
    assert "font-size:9px;fill:currentColor" in drawn
    assert "metadata" not in drawn


def test_data_of_a_figure_is_a_table_and_a_file():
    data = pd.DataFrame({"corpus": ["tess"] * 3, "uar": [0.5, 0.25, 0.125]})
    content, csv = figure_html.data_html(data, "f", in_pages=False)
    assert csv == "corpus,uar\ntess,0.5\ntess,0.25\ntess,0.125\n"
    assert base64.b64decode(re.search(r'base64,([^"]+)"', content)[1]).decode() == csv
    assert content.count("<tr>") == 4
    assert ">TESS</td>" in content
    many, _ = figure_html.data_html(pd.concat([data] * 2000), "f", in_pages=True)
    assert 'href="run:tables/figure_f.csv"' in many
    assert "First 40 of 6,000 rows" in many
    caption = Caption("f", "F.", alt="It rises.")
    page = figure_html.figure_html('<svg width="9pt"></svg>', "", caption, data=content, title="A < B")
    assert 'aria-label="It rises. Its numbers are in the table below the figure."' in page
    hint = '<p class="ser-hint" aria-hidden="true"><b>A &lt; B</b><br>The figure'
    assert hint in page, "a figure with one drawing says that it scrolls, and its whole title"


@palette.styled
def five_tiles_and_a_colour_bar():
    figure, axes = palette.canvas(2, 3, height=3.0, title="Five corpora")
    for ax in axes.flat[:5]:
        tiles = ax.pcolormesh(np.arange(4.0).reshape(2, 2))
        ax.set_title("tess")
    axes.flat[5].set_visible(False)
    figure.colorbar(tiles, ax=list(axes.flat), label="UAR (0–1)")
    return figure


def test_panels_that_are_not_there_stand_in_no_ones_way():
    figure = five_tiles_and_a_colour_bar()
    assert stacked(figure)
    places = [ax.get_position() for ax in figure.axes if ax.get_visible() and ax.get_title(loc="left")]
    assert len(places) == 5
    assert all(above.y0 > below.y1 for above, below in zip(places, places[1:]))


def test_a_figure_that_cannot_be_rearranged_loses_no_chapter(monkeypatch, capsys):
    def broken(figure):
        raise IndexError("list index out of range")

    figure = five_tiles_and_a_colour_bar()
    assert exhibits._narrow(figure, "five").startswith("<")
    monkeypatch.setattr(exhibits, "stack", broken)
    assert exhibits._narrow(figure, "five") == ""
    assert capsys.readouterr().err == "Figure five cannot be rearranged: IndexError: list index out of range\n"
