"""The pages in a real browser: nothing fetched, nothing complained about, tables that work, every width and theme."""

from __future__ import annotations

import json

import axe
import pandas as pd
import pytest
from report_sample import report, scores
from visits import visit

from ser_study.config import load
from ser_study.report import exhibits
from ser_study.study import Study
from ser_study.wording import Caption

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        yield report(tmp_path_factory.mktemp("study"), patch)


@pytest.mark.parametrize("name", ["index.html", "pages/01_corpus.html"])
@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 1280), ("light", 390), ("dark", 390)])
def test_nothing_is_fetched_and_nothing_complains(browser, run, name, theme, width):
    visit(browser, run / name, theme=theme, width=width)
    assert browser.get_log("browser") == []
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
    assert asked, "the page itself was asked for"
    beside = [(run / "assets" / file).as_uri() for file in ("style.css", "page.js", "tables.js")]
    assert [url for url in asked if not url.startswith(("data:", "blob:"))] == [(run / name).as_uri(), *beside]
    assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    ground = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert ground == {"light": "rgb(253, 253, 251)", "dark": "rgb(22, 23, 27)"}[theme]


@pytest.mark.parametrize("name", ["index.html", "pages/04_models.html", "pages/glossary.html", "pages/provenance.html"])
@pytest.mark.parametrize(("theme", "width"), [("light", 1440), ("dark", 390)])
def test_axe_has_nothing_serious_to_say(browser, run, name, theme, width):
    visit(browser, run / name, theme=theme, width=width)
    assert axe.findings(browser) == []


def test_tables_sort_by_value_and_filter(browser, run):
    from selenium.webdriver.support.ui import WebDriverWait

    visit(browser, run / "index.html")
    table = browser.find_element("css selector", "#table-scores")

    def column(place):  # in one call: a table that is drawn again meanwhile has other cells
        cells = f"[...arguments[0].querySelectorAll('tbody tr td:nth-child({place})')].map(cell => cell.innerText)"
        return browser.execute_script(f"return {cells}", table)

    def numbers():
        return [int(text.replace(",", "")) for text in column(3)]

    def until(is_so, why=""):  # the page may take a moment on a busy machine
        WebDriverWait(browser, 10).until(lambda _: is_so(), why)

    until(lambda: len(column(1)) == 15, "one page of a long table")
    head = table.find_element("css selector", "th:nth-child(3)")
    head.click()
    until(lambda: numbers() == sorted(numbers()), "as numbers, not as text")
    head.click()
    until(lambda: numbers() == sorted(numbers(), reverse=True), "the other way round")
    table.find_element("css selector", ".dt-search input").send_keys("model-07")
    until(lambda: column(1) == ["model-07 <b>&"], "only what was typed")
    link = table.find_element("css selector", "a[download]")
    assert link.get_attribute("download") == "scores.csv"
    assert link.get_attribute("href") == (run / "tables" / "scores.csv").as_uri()


def test_the_theme_can_be_chosen_and_is_remembered(browser, run):
    from selenium.webdriver.support.ui import WebDriverWait

    def ground_of_the_next_page():
        visit(browser, run / "index.html", theme="light")
        button = browser.find_element("css selector", "button.theme")
        for _ in ("as system", "light", "dark"):
            if button.text != "Theme: dark":
                button.click()
        assert button.text == "Theme: dark"
        browser.find_element("css selector", "a[rel=next]").click()
        return browser.execute_script("return getComputedStyle(document.body).backgroundColor")

    # On a busy machine Chromium now and then gives a page opened from a file an empty local storage (not over HTTP).
    WebDriverWait(browser, 60).until(lambda _: ground_of_the_next_page() == "rgb(22, 23, 27)", "dark is remembered")
    browser.execute_script("localStorage.clear()")


def test_keyboard_contents_and_anchors(browser, run):
    from selenium.webdriver.common.keys import Keys

    visit(browser, run / "pages" / "04_models.html")
    browser.find_element("tag name", "body").send_keys(Keys.TAB)
    assert browser.switch_to.active_element.text == "Skip to the text"
    links = browser.find_elements("css selector", ".sections a")
    assert [link.text for link in links] == ["First", "Inner", "First"]
    links[2].click()
    assert browser.current_url.endswith("#first-2")
    here = browser.find_elements("css selector", ".chapters [aria-current=page]")
    assert len(here) == 1


def test_narrow_contents_fold_and_figures_have_a_drawing_of_their_own(browser, run):
    visit(browser, run / "index.html", width=390)
    details = browser.find_element("css selector", ".contents details")
    assert details.get_attribute("open") is None
    wide, narrow = (browser.find_element("css selector", f".ser-drawing .{kind}") for kind in ("wide", "narrow"))
    assert (wide.is_displayed(), narrow.is_displayed()) == (False, True)
    box = browser.find_element("css selector", ".ser-drawing")
    assert browser.execute_script("return arguments[0].scrollWidth <= arguments[0].clientWidth", box)
    visit(browser, run / "index.html", width=1280)
    wide, narrow = (browser.find_element("css selector", f".ser-drawing .{kind}") for kind in ("wide", "narrow"))
    assert (wide.is_displayed(), narrow.is_displayed()) == (True, False)
    assert browser.find_element("css selector", ".contents details").get_attribute("open") is not None


def test_without_scripts_everything_can_be_read(browser, run):
    try:
        visit(browser, run / "index.html", script=False)
        assert len(browser.find_elements("css selector", "#table-scores tbody tr")) == 40
        assert browser.find_element("css selector", "details.code summary").is_displayed()
        assert not browser.find_element("css selector", "button.theme").is_displayed()
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def lab(folder, store, monkeypatch, tables):
    """A page that shows tables (name → table) as JupyterLab does: the library comes with the first cell, and each
    table calls it."""
    shown = []
    monkeypatch.delenv(exhibits.PAGES, raising=False)
    monkeypatch.setattr("IPython.display.display", lambda data, raw, metadata: shown.append(data["text/html"]))
    show = exhibits.Exhibits(Study(load("demo"), store, {}))
    for name, table in tables.items():
        show.table(table, Caption(name, "Scores."))._ipython_display_()
    page = folder / "lab.html"
    head = "<meta charset='utf-8'><meta name='viewport' content='width=device-width'><link rel='icon' href='data:,'>"
    page.write_text(f"<!doctype html>{head}{''.join(shown)}")
    return page


@pytest.mark.parametrize("width", [1280, 390])
def test_on_a_phone_scores_stand_beside_what_a_row_is_about(browser, tmp_path, store, monkeypatch, width):
    from selenium.webdriver.support.ui import WebDriverWait

    claims = ["that a sentence in a cell is longer than any name of a system", "–", "none"]
    words = {"corpus": ["a", "b", "c"], "claim": claims, "feature": ["MFCC", "log-mel", None]}
    table = pd.DataFrame({**words, "value": [0.75, 0.5, 0.25], "clips": [7, 8, 9]})
    visit(browser, lab(tmp_path, store, monkeypatch, {"some": table}), width=width)
    read = "return [...document.querySelectorAll('#table-some tr')].map(row => [...row.cells].map(c => c.textContent))"
    head, *rows = browser.execute_script(read)
    if width == 390:
        assert head == ["corpus feature", "value", "clips", "claim"]
        assert rows == [
            ["a MFCC", ".750", "7", claims[0]],
            ["b log-mel", ".500", "8", "–"],
            ["c –", ".250", "9", "none"],
        ]
    else:
        assert head == [*words, "value", "clips"]
        assert rows[1] == ["b", "–", "log-mel", ".500", "8"]
    browser.find_element("css selector", "#table-some th.n").click()
    WebDriverWait(browser, 10).until(
        lambda _: [row[0][0] for row in browser.execute_script(read)[1:]] == ["c", "b", "a"], "by score, not by words"
    )


def test_table_works_outside_the_pages_too(browser, tmp_path, store, monkeypatch):
    page = lab(tmp_path, store, monkeypatch, {"one": scores(), "two": scores()})
    visit(browser, page)
    assert len(browser.find_elements("css selector", "#table-one .dt-search, #table-two .dt-search")) == 2
    assert browser.get_log("browser") == []
