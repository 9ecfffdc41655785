"""The lines on top of a page: titles of its leading figures, each with a link to its figure."""

from __future__ import annotations

from ser_study.report.figure_html import figure_html
from ser_study.report.in_short import in_short
from ser_study.wording import Caption


def figure(name: str, title: str, *, leads: bool = True) -> str:
    made = figure_html('<svg width="9pt"></svg>', "", Caption(name, "F.", alt="A.", lead=leads), data="", title=title)
    return made.replace(">Figure</b>", f'><a href="#figure-{name}">Figure 3.{name}</a></b>')


def test_leading_figures_say_what_a_page_finds():
    page = figure("1", "A < B") + figure("2", "Not told", leads=False) + figure("3", "Two of three.") + figure("4", "")
    assert in_short(page) == (
        '<div class="lead"><p><strong>In short</strong></p><ul>'
        '<li>A &lt; B. <a href="#figure-1">Figure 3.1</a></li>'
        '<li>Two of three. <a href="#figure-3">Figure 3.3</a></li></ul></div>'
    )


def test_three_lines_at_most_and_none_without_a_leading_figure():
    assert in_short("".join(figure(str(n), f"Title {n}") for n in range(5))).count("<li>") == 3
    assert in_short(figure("1", "A", leads=False)) == ""
