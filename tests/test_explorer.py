"""The explorer: its data are the published predictions, and what it computes in a browser is what Python computes."""

from __future__ import annotations

import base64
import gzip
import json
import re
from pathlib import Path

import axe
import explorer_run
import explorer_views
import numpy as np
import pandas as pd
import pytest

from ser_study import schema
from ser_study.experiments import coding
from ser_study.report import explorer, explorer_data, explorer_systems, pages
from ser_study.store import Store, file_hash

PROJECT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    return explorer_run.published_run(tmp_path_factory.mktemp("explorer"))


@pytest.fixture(scope="module")
def page(run) -> Path:
    """The explorer of that run, which has no other page."""
    store = Store(run.parent / "raw", run.parent / "derived", run, PROJECT)
    assert pages.render_explorer(store, run) == "explorer.html"
    return run / "explorer.html"


@pytest.fixture(scope="module")
def data(run) -> tuple[dict, dict[str, np.ndarray]]:
    """What the script holds, unpacked: what it says of itself, and its arrays."""
    parts = json.loads(explorer_data.script(run).removeprefix("window.serPredictions = ").rstrip(";\n"))
    about, content = (gzip.decompress(base64.b64decode(parts[name])) for name in ("about", "arrays"))
    about = json.loads(about)
    arrays = {
        name: np.frombuffer(content, {1: "u1", 2: "<u2", 4: "<u4"}[width], size, start)
        for name, (start, size, width) in about["arrays"].items()
    }
    return about, arrays


# Data -----------------------------------------------------------------------------------------------------------------


def test_the_data_are_the_published_predictions(run, data):
    about, arrays = data
    whole, clips = explorer_views.published(run), pd.read_parquet(run / "clips.parquet")
    assert np.array_equal(about["weights"], coding.WEIGHTS)
    for number, one in enumerate(about["systems"]):
        rows = whole[(whole["experiment"] == one["name"]) & (whole["role"] == "test")].sort_values("clip")
        assert [about["clips"][place] for place in arrays[f"clips {one['rows']}"]] == clips["clip_id"][
            rows["clip"]
        ].tolist()
        codes = arrays[f"codes {number}"].reshape(len(one["classes"]), -1)
        assert np.array_equal(codes.T, rows[[f"c_{name}" for name in one["classes"]]].to_numpy())
        classes = np.array(one["classes"])
        assert classes[arrays[f"truth {one['rows']}"]].tolist() == rows["truth"].tolist()
        prediction = (coding.decode(codes.T).argmax(axis=1) + arrays[f"other {number}"]) % len(classes)
        assert classes[prediction].tolist() == rows["prediction"].tolist()


def test_clips_keep_their_columns_and_votes(run, data):
    about, arrays = data
    clips = pd.read_parquet(run / "clips.parquet").set_index("clip_id").loc[about["clips"]]
    assert {"gender", "intensity", "statement", "speaker", "age_group", "recognised"} <= {
        one["name"] for one in about["columns"]
    }
    for column in about["columns"]:
        levels = np.array([*column["levels"], "–"])
        codes = np.minimum(arrays[f"column {column['name']}"], len(levels) - 1)
        if column["name"] in clips:
            written = clips[column["name"]].map(lambda v, c=column["name"]: explorer_views.level(c, v), "ignore")
            assert levels[codes].tolist() == written.fillna("–").tolist()
    votes = arrays["votes"].reshape(len(clips), -1)
    for known, counted in zip(clips["human_votes"], votes):
        assert dict(zip(about["votes"], counted)) == (
            json.loads(known) if isinstance(known, str) else dict.fromkeys(about["votes"], 0)
        )
    assert about["votes"] == [name for name in schema.EMOTIONS if name in schema.COMMON_EMOTIONS]


def test_only_plain_experiments_are_there_and_licensed_clips_have_numbers(data):
    about, _ = data
    kept, left_out = explorer_run.experiments()
    assert {one["name"] for one in about["systems"]} == {one.name for one in kept}
    assert about["leftOut"] == len(left_out)
    assert about["public"] == ["crema_d", "emodb", "tess"]
    assert all(re.fullmatch(r"savee/\d{5}", name) for name in about["clips"] if name.startswith("savee"))


def test_of_too_many_systems_the_worst_on_validation_rows_go(run, monkeypatch):
    every, left_out = explorer_systems.systems(run)
    score = {one.experiment.name: one.validation_uar() for one in every}
    size = sum(one.size for one in every)
    monkeypatch.setattr(explorer_systems, "MAX_CODES", size - 1)
    fewer, more_left_out = explorer_systems.systems(run)
    gone = {one.experiment for one in every} - {one.experiment for one in fewer}
    assert more_left_out == left_out + len(gone)
    (lost,) = gone
    other = {"means184": "summary", "summary": "means184"}[lost.feature]
    row = f"{lost.selection}/speaker_independent/{{}}/lda"
    assert score[row.format(lost.feature)] < score[row.format(other)]
    monkeypatch.setattr(explorer_systems, "MAX_CODES", 0)
    assert {one.experiment.protocol for one in explorer_systems.systems(run)[0]} == {"cross_corpus"}


# Files ----------------------------------------------------------------------------------------------------------------


def test_the_page_is_light_and_its_data_are_written_once(run, page):
    assert page.stat().st_size < 100_000
    folder = run / "assets"
    assert {path.name for path in folder.iterdir()} >= {
        *("explorer.css", "explorer.js", "explorer-data.js", "vega.js", "style.css", "page.js")
    }
    assert "BSD 3-Clause" in (folder / "vega.js").read_text("utf-8")[:3000]
    before = (folder / "explorer-data.js").stat().st_mtime_ns
    store = Store(run.parent / "raw", run.parent / "derived", run, PROJECT)
    known = file_hash(page)
    pages.render_explorer(store, run)
    assert (folder / "explorer-data.js").stat().st_mtime_ns == before
    assert file_hash(page) == known


def test_a_run_without_predictions_has_no_explorer(tmp_path):
    store = Store(tmp_path / "raw", tmp_path / "derived", tmp_path / "run", PROJECT)
    assert explorer.article(store, lambda *_, **__: "") == {}


def test_recordings_are_noted_where_they_lie(tmp_path):
    (tmp_path / "raw" / "tess").mkdir(parents=True)
    (tmp_path / "raw" / "tess" / "a b#.wav").write_bytes(b"")
    clips = pd.DataFrame({"clip_id": ["tess/a", "tess/gone"], "path": ["tess/a b#.wav", "tess/gone.wav"]})
    places = explorer._places(clips, tmp_path / "raw", tmp_path / "reports" / "run")
    assert places == {"tess/a": "../../raw/tess/a%20b%23.wav"}


# In a browser ---------------------------------------------------------------------------------------------------------


@pytest.mark.browser
def test_fifty_random_views_are_what_python_computes(browser, page, run):
    explorer_views.opened(browser, page)
    seen = explorer_views.compare(browser, run, views=50)
    assert set(seen["kind"]) == set(explorer_views.KINDS.values())
    assert len(seen) > 60
    assert seen["milliseconds"].max() < explorer_views.SLOWEST


@pytest.mark.browser
@pytest.mark.parametrize(("theme", "width"), [("light", 1440), ("dark", 1440), ("light", 390), ("dark", 390)])
def test_nothing_complains_and_nothing_is_cut(browser, page, theme, width):
    four = "&".join(f"system=emodb/{name}/lda" for name in ("random/means184", "random/summary"))
    four += "&system=emodb/speaker_independent/means184/lda&system=emodb/speaker_independent/summary/lda"
    explorer_views.opened(
        browser, page, f"#corpus=emodb&{four}&gender=female&matrix=difference", theme=theme, width=width
    )
    assert axe.findings(browser) == []
    assert browser.get_log("browser") == []
    assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    assert browser.execute_script("return document.querySelectorAll('.chart svg[role=img][aria-label]').length") == 4
    sizes = browser.execute_script(
        "return [...document.querySelectorAll('.explorer :is(td, th, p, label, figcaption), .chart text')]"
        ".map(one => parseFloat(getComputedStyle(one).fontSize))"
    )
    assert min(sizes) >= 11
    if width == 1440:
        wide = (
            "return [...document.querySelectorAll('.results .scroll')].filter(one => one.scrollWidth > one.clientWidth)"
        )
        explorer_views.opened(browser, page, "#corpus=crema_d", theme=theme, width=width)
        assert browser.execute_script(wide + ".map(one => one.ariaLabel)") == []


@pytest.mark.browser
def test_what_degradations_leave_is_shown_for_the_corpora_that_have_it(browser, page):
    rows = "return [...document.querySelectorAll('#explorer-degraded tr')]"
    rows += ".map(row => row.innerText.replace(/\\s+/g, ' ').trim())"
    explorer_views.opened(browser, page, "#corpus=emodb")
    assert browser.execute_script(rows) == [
        "Recording one encoder two encoders",
        "as recorded .800 [.700, .900] .800 [.700, .900]",
        "white noise, 10 dB SNR .400 [.300, .500] −40.0 [−45.0, −35.0] .500 [.400, .600] −30.0 [−35.0, −25.0]",
    ]
    assert "60 clips" in browser.find_element("id", "explorer-degraded-part").text
    explorer_views.opened(browser, page, "#corpus=tess")
    assert not browser.find_element("id", "explorer-degraded-part").is_displayed()


@pytest.mark.browser
def test_the_address_holds_what_is_chosen(browser, page):
    from selenium.webdriver.support.ui import Select

    explorer_views.opened(browser, page, "#corpus=crema_d&gender=male&emotion=sad&nonsense=1&system=not/there")
    state = browser.execute_script("return explorer.state()")
    assert (state["selection"], state["filters"], state["emotion"]) == ("crema_d", {"gender": "male"}, "sad")
    assert [name.split("/")[1] for name in state["systems"]] == ["speaker_independent", "random"]
    Select(browser.find_element("id", "explorer-by-gender")).select_by_visible_text("female")
    Select(browser.find_element("id", "explorer-task-1")).select_by_index(2)
    address = browser.current_url
    assert "gender=female" in address
    assert "cross_corpus" in address
    state = browser.execute_script("return explorer.state()")
    explorer_views.opened(browser, page, address[address.index("#") :])
    assert browser.execute_script("return explorer.state()") == state
    Select(browser.find_element("id", "explorer-corpus")).select_by_value("tess")
    state = browser.execute_script("return explorer.state()")
    assert [name.split("/")[0] for name in state["systems"]] == ["tess", "tess"]
    assert state["filters"] == {}
    assert "2 speakers cannot stand for others" in browser.find_element("id", "explorer-intervals").text


@pytest.mark.browser
def test_the_numbers_on_the_page_are_those_of_the_view(browser, page, run):
    name = "crema_d/speaker_independent/means184/lda"
    explorer_views.opened(browser, page, f"#corpus=crema_d&system={name}&gender=female&matrix=counts")
    known = explorer_views.expected(
        run, name, {"filters": {"gender": "female"}, "emotion": ""}, resamples=2_000, draws=200
    )
    cells = [cell.text for cell in browser.find_elements("css selector", "#explorer-scores td")]
    three = [f"{value:.3f}".removeprefix("0") for value in known["uar"]]
    assert cells[0] == str(known["n"])
    assert cells[1] == f"{three[0]} [{three[1]}, {three[2]}]"
    order = [known["classes"].index(one) for one in schema.EMOTIONS if one in known["classes"]]
    numbers = [int(cell.text) for cell in browser.find_elements("css selector", ".matrix td")]
    assert numbers == known["counts"][np.ix_(order, order)].ravel().tolist()
    wrong = int(known["n"] - np.trace(known["counts"]))
    assert browser.find_element("id", "explorer-count").text.startswith(f"{wrong} of {known['n']} answers are wrong")
    first = browser.find_element("css selector", "#explorer-errors tbody tr").text
    assert "speaker" in first
    assert re.search(r"wrong \w+ [1.]", first)
    rows = len(browser.find_elements("css selector", "#explorer-errors tbody tr"))
    assert rows == min(wrong, 25)


@pytest.mark.browser
def test_the_keyboard_reaches_and_works_everything(browser, page):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    explorer_views.opened(browser, page, "#corpus=crema_d&system=crema_d/random/means184/lda", width=1440)
    browser.find_element("tag name", "body").send_keys(Keys.TAB, Keys.ENTER)  # skips to the text
    reached = []
    for _ in range(80):
        ActionChains(browser).send_keys(Keys.TAB).perform()
        one = browser.switch_to.active_element
        outline = browser.execute_script("return getComputedStyle(arguments[0]).outlineStyle", one)
        reached.append((one.get_attribute("id") or one.get_attribute("aria-label") or one.text, outline))
        if one.get_attribute("id") == "explorer-longer":
            break
    names = [name for name, _ in reached]
    assert all(outline != "none" for _, outline in reached)
    wanted = ["explorer-corpus", "explorer-task-0", "explorer-system-0", "explorer-add", "explorer-by-emotion"]
    wanted += ["explorer-by-gender", "explorer-reset", "Scores", "explorer-of", "Wrong answers", "explorer-longer"]
    assert [name for name in names if name in wanted] == wanted
    browser.find_element("id", "explorer-add").send_keys(Keys.ENTER)
    assert browser.switch_to.active_element.get_attribute("id") == "explorer-task-1"
    browser.find_element("css selector", "[name=matrix]:checked").send_keys(Keys.ARROW_RIGHT)
    assert browser.execute_script("return explorer.state().matrix") == "counts"
    browser.find_element("css selector", "[aria-label='Remove system B']").send_keys(Keys.ENTER)
    assert browser.switch_to.active_element.get_attribute("id") == "explorer-add"


@pytest.mark.browser
def test_a_recording_that_is_not_here_is_named_when_it_is_wanted(browser, page):
    explorer_views.opened(browser, page, "#corpus=crema_d")
    browser.find_element("css selector", "#explorer-errors button").click()
    wait = (
        "const done = arguments[0]; setTimeout(() => done(document.querySelector('#explorer-errors').innerText), 300)"
    )
    assert "not on this machine" in browser.execute_async_script(wait)
    browser.get_log("browser")  # it says that a file was not there
    explorer_views.opened(browser, page, "#corpus=savee")
    assert not browser.find_elements("css selector", "#explorer-errors button")
