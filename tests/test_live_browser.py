"""The live page in a real browser whose microphone is a wav file: bars move, uploads work, nothing goes elsewhere."""

from __future__ import annotations

import base64
import json
import math
import shutil
import time
from collections import Counter
from contextlib import contextmanager
from urllib.parse import urlsplit

import axe
import numpy as np
import pytest
import soundfile
from live_server import clip_paths, fitted, served, until
from visits import resize

from ser_study import cli
from ser_study.audio import reading
from ser_study.plotting import palette
from ser_study.recognizer import shipped
from ser_study.recognizer.files import predict_file
from ser_study.schema import probability_columns

pytestmark = pytest.mark.browser
pytest.importorskip("starlette", reason="the extra 'live' is not installed")
pytest.importorskip("selenium", reason="selenium is not installed (extra: dev)")
NAMES = ("chromium", "chromium-browser", "google-chrome")
LEAST_MOVES = 4  # of the bars in 6 s; there are 12 unless the machine is busy with other things
FAKE = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")


@pytest.fixture(scope="module")
def recogniser(small_study):
    return fitted(small_study)


@pytest.fixture(scope="module")
def sounds(small_study, tmp_path_factory):
    """Files: a voice again and again for the microphone, another one, and a call whose second side is silent."""
    folder = tmp_path_factory.mktemp("sounds")
    paths = clip_paths(small_study)
    for name, path in (("one", paths[0]), ("two", paths[-1])):
        samples, rate = reading.read(path)
        soundfile.write(folder / f"{name}.wav", samples, rate, subtype="PCM_16")
    samples = np.concatenate([reading.read(path)[0][:, 0] for path in paths[:3]])
    soundfile.write(folder / "call.wav", np.stack([samples, 0 * samples], axis=1), 16_000, subtype="PCM_16")
    (folder / "text.wav").write_text("no sound at all, but words")
    return folder


@pytest.fixture(scope="module")
def bundle(recogniser, tmp_path_factory):
    return recogniser.save(tmp_path_factory.mktemp("bundle") / "small.npz")


@pytest.fixture(scope="module")
def server(bundle):
    with served(bundle) as (address, _):
        yield address


@contextmanager
def browsing(microphone="", *options):
    """Headless Chromium; without one the tests are skipped."""
    from selenium import webdriver

    chromium, driver = next(filter(None, map(shutil.which, NAMES)), None), shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("no chromium and chromedriver on the path: apt-get install chromium chromium-driver")
    chosen = webdriver.ChromeOptions()
    chosen.binary_location = chromium
    words = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", *options]
    words += [*FAKE, f"--use-file-for-fake-audio-capture={microphone}"] if microphone else []
    for word in words:
        chosen.add_argument(word)
    chosen.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = webdriver.Chrome(options=chosen, service=webdriver.ChromeService(driver))
    try:
        yield chrome
    finally:
        chrome.quit()


@pytest.fixture(scope="module")
def browser(sounds):
    with browsing(sounds / "one.wav") as chrome:
        yield chrome


def visit(browser, address, *, width=1280, theme="light"):
    """The page at a width and in a theme, ready."""
    resize(browser, width)
    media = {"features": [{"name": "prefers-color-scheme", "value": theme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    browser.get_log("browser"), browser.get_log("performance")
    browser.get(address)
    until(lambda: browser.execute_script("return document.documentElement.dataset.ready === 'yes'"), 30)


def events(browser):
    """What went over the network since the last look, as Chromium logs it: (name, facts)."""
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    return [(one["method"], one["params"]) for one in messages]


def addresses(logged):
    """Where requests and connections of a log went, data that is in the page itself left out."""
    called = [facts["request"]["url"] for name, facts in logged if name == "Network.requestWillBeSent"]
    called += [facts["url"] for name, facts in logged if name == "Network.webSocketCreated"]
    return [one for one in called if not one.startswith("data:")]


def session(logged):
    """The samples of the microphone that were sent, their rate in Hz, and the windows that came back."""
    sent = [facts["response"] for name, facts in logged if name == "Network.webSocketFrameSent"]
    came = [facts["response"] for name, facts in logged if name == "Network.webSocketFrameReceived"]
    rate = json.loads(next(one["payloadData"] for one in sent if one["opcode"] == 1))["sample_rate"]
    sound = b"".join(base64.b64decode(one["payloadData"]) for one in sent if one["opcode"] == 2)
    rows = [json.loads(one["payloadData"]) for one in came]
    return np.frombuffer(sound, "<f4"), rate, [row for row in rows if row["type"] == "window"]


def predicted(path, model, capsys):
    """What ``ser-study predict`` prints of a file, with a window every half second; the channel of a mono file."""
    capsys.readouterr()
    options = ["--model", str(model), "--every", "0.5", "--timeline", "--format", "json"]
    assert cli.main(["predict", str(path), *options]) == 0
    return json.loads(capsys.readouterr().out)["channels"][0]


def assert_same_answers(windows, timeline, classes):
    """Every window of a session is that of the command on the same samples."""
    wanted = {round(row["end"], 3): row for row in timeline}
    assert len(windows) >= LEAST_MOVES
    for window in windows:
        row = wanted[window["end"]]
        assert window["emotion"] == row["emotion"]
        own = [np.nan if window["probabilities"] is None else window["probabilities"][name] for name in classes]
        known = [np.nan if row[name] is None else row[name] for name in probability_columns(classes)]
        np.testing.assert_allclose(own, known, atol=2e-6, rtol=0)


def text(browser, name):
    return browser.find_element("id", name).text


def press(browser):
    browser.find_element("id", "start").click()


def values(browser):
    """The percentages beside the bars, and how wide the bars are."""
    script = "return [...document.querySelectorAll('#bars li')].map(row => [row.dataset.class, "
    return browser.execute_script(
        script + "row.querySelector('.value').innerText, row.querySelector('.fill').style.transform])"
    )


def test_bars_move_and_the_answers_are_those_of_the_command(browser, server, bundle, recogniser, tmp_path, capsys):
    visit(browser, server)
    assert [name for name, _, _ in values(browser)] == list(recogniser.classes)
    press(browser)
    until(lambda: text(browser, "state").startswith("Listening"), 30)
    script = """const done = arguments[0], seen = [], label = document.getElementById("label");
        const watch = new MutationObserver(() => seen.push([performance.now(), label.textContent]));
        watch.observe(document.getElementById("bars"), {subtree: true, attributes: true, attributeFilter: ["style"]});
        setTimeout(() => { watch.disconnect(); done(seen); }, 6000);"""
    browser.set_script_timeout(20)
    seen = browser.execute_async_script(script)
    moments = {round(when / 100) for when, _ in seen}
    assert len(moments) >= LEAST_MOVES
    labels = {label.lower() for _, label in seen}
    assert labels & {*recogniser.classes, "unsure"}
    drawn = "return [...document.getElementById(arguments[0]).getContext('2d').getImageData(60, 10, 60, 60).data]"
    assert any(browser.execute_script(drawn, "wave"))
    assert any(browser.execute_script(drawn, "history"))
    assert "newest is" in browser.find_element("id", "history").get_attribute("aria-label")
    press(browser)
    assert text(browser, "state").startswith("Off")
    assert text(browser, "label") == "Not listening"
    assert browser.get_log("browser") == []
    logged = events(browser)
    assert {urlsplit(one).netloc for one in addresses(logged)} == {urlsplit(server).netloc}
    samples, rate, windows = session(logged)
    assert {label.lower() for _, label in seen} <= {row["emotion"] for row in windows}
    soundfile.write(tmp_path / "sent.wav", samples, rate, subtype="FLOAT")
    made = predicted(tmp_path / "sent.wav", bundle, capsys)
    assert_same_answers(windows, made["timeline"], recogniser.classes)


@pytest.mark.corpus
def test_a_real_voice_gets_the_label_of_the_command(corpora_dir, tmp_path, capsys):
    """A clip again and again into the microphone: the label of most windows is that of ``ser-study predict``."""
    model, path = shipped.FOLDER / "hand-crafted.npz", tmp_path / "voice.wav"
    clips = sorted((corpora_dir / "emodb").rglob("*.ogg"))[::60]
    surest = max(clips, key=lambda clip: predict_file(shipped.named("hand-crafted"), clip).channels[0].confidence)
    samples, clip_rate = reading.read(surest)
    soundfile.write(path, np.tile(samples[:, 0], 8), clip_rate, subtype="PCM_16")
    wanted = predicted(path, model, capsys)["emotion"]
    assert wanted in shipped.named("hand-crafted").classes
    with served(model) as (address, _), browsing(path) as chrome:
        visit(chrome, address)
        press(chrome)
        until(lambda: "newest" in chrome.find_element("id", "history").get_attribute("aria-label"), 40)
        time.sleep(6)
        shown = text(chrome, "label").lower()
        press(chrome)
        samples, rate, windows = session(events(chrome))
    whole = Counter(row["emotion"] for row in windows if row["end"] >= 3)
    assert whole.most_common(1)[0][0] == wanted
    assert shown in whole
    soundfile.write(tmp_path / "sent.wav", samples, rate, subtype="FLOAT")
    timeline = predicted(tmp_path / "sent.wav", model, capsys)["timeline"]
    assert_same_answers(windows, timeline, shipped.named("hand-crafted").classes)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_axe_has_nothing_serious_to_say(browser, server, sounds, theme, width):
    """Of the page at rest, while it listens, with an answer and with its panel."""
    visit(browser, server, theme=theme, width=width)
    assert axe.findings(browser) == []
    browser.find_element("id", "file").send_keys(str(sounds / "call.wav"))
    until(lambda: len(browser.find_elements("css selector", "#result .channel")) == 2, 60)
    browser.find_element("css selector", "#result summary").click()
    press(browser)
    until(lambda: "newest" in browser.find_element("id", "history").get_attribute("aria-label"), 30)
    assert axe.findings(browser) == []
    press(browser)
    browser.find_element("id", "quality-open").click()
    assert axe.findings(browser) == []
    browser.execute_script("document.getElementById('quality-text').append(document.createElement('img'))")
    assert [one.split(": ")[1] for one in axe.findings(browser)] == ["image-alt"], "axe itself works"


@pytest.mark.parametrize(("theme", "width"), [("light", 1440), ("dark", 1440), ("light", 390), ("dark", 390)])
def test_nothing_is_asked_elsewhere_and_nothing_complains(browser, server, theme, width):
    visit(browser, server, theme=theme, width=width)
    called = addresses(events(browser))
    assert len(called) > 5
    assert {urlsplit(one).netloc for one in called} == {urlsplit(server).netloc}
    assert browser.get_log("browser") == []
    assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    ground = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert ground == {"light": "rgb(253, 253, 251)", "dark": "rgb(22, 23, 27)"}[theme]


def test_a_call_gets_a_timeline_a_channel(browser, server, sounds):
    visit(browser, server)
    browser.find_element("id", "file").send_keys(str(sounds / "call.wav"))
    until(lambda: len(browser.find_elements("css selector", "#result .channel")) == 2, 60)
    labels = [label.text for label in browser.find_elements("css selector", "#result .label")]
    assert labels[1] == "No speech"
    assert labels[0] != "No speech"
    said = [one.get_attribute("aria-label") for one in browser.find_elements("css selector", "canvas.timeline")]
    assert said[1].startswith("Timeline of channel 2, changes: no speech")
    browser.find_element("css selector", "#result summary").click()
    assert browser.find_elements("css selector", "#result details[open] tbody tr")
    assert "call.wav" in text(browser, "progress")
    assert browser.get_log("browser") == []
    assert {urlsplit(one).netloc for one in addresses(events(browser))} == {urlsplit(server).netloc}


def test_a_file_that_is_no_sound_gets_words_and_the_page_goes_on(browser, server, sounds, recogniser):
    visit(browser, server)
    field = browser.find_element("id", "file")
    field.send_keys(str(sounds / "text.wav"))
    until(lambda: "not audio" in text(browser, "upload-notice"), 30)
    field.send_keys(str(sounds / "two.wav"))
    until(lambda: len(browser.find_elements("css selector", "#result .channel")) == 1, 60)
    assert not browser.find_element("id", "upload-notice").is_displayed()
    wanted = predict_file(recogniser, sounds / "two.wav").channels[0]
    assert browser.find_element("css selector", "#result .label").text.lower() == wanted.emotion
    shares = [value.text for value in browser.find_elements("css selector", "#result .value")]
    assert shares == [f"{math.floor(100 * value + 0.5)} %" for value in wanted.probabilities]


def test_how_good_it_is_stands_one_click_away(browser, server, recogniser):
    from selenium.webdriver.common.keys import Keys

    visit(browser, server, width=390)
    opener = browser.find_element("id", "quality-open")
    opener.send_keys(Keys.ENTER)
    panel = browser.find_element("id", "quality")
    assert panel.get_attribute("open") is not None
    score = recogniser.card["scores"]["uar"]
    assert f"{100 * score['value']:.0f} %" in panel.text
    assert recogniser.card["limits"] in panel.text
    assert recogniser.card["corpora"][0]["licence"] in panel.text
    browser.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert panel.get_attribute("open") is None
    assert browser.switch_to.active_element == opener


def test_two_windows_do_not_mix(server, sounds):
    """Two browsers with two voices at once; each shows the pitch of its own."""
    from selenium.webdriver.support.ui import WebDriverWait

    def pitch(chrome):
        WebDriverWait(chrome, 40).until(lambda _: "Hz" in text(chrome, "voice"))
        return [int(word) for word in text(chrome, "voice").split() if word.isdigit()][0]

    with browsing(sounds / "one.wav") as one, browsing(sounds / "two.wav") as two:
        for chrome in (one, two):
            visit(chrome, server)
            press(chrome)
        together = pitch(one), pitch(two)
        press(two)
        until(lambda: text(two, "label") == "Not listening", 10)
        until(lambda: text(one, "label") not in ("Not listening", "…"), 10)
        later = pitch(one)
        assert abs(later - together[0]) < abs(later - together[1]), "its own pitch, not the other's"
    assert abs(together[0] - together[1]) > 25, "the clips must be of voices that differ"


def test_without_permission_or_microphone_it_says_so(server):
    with browsing("", "--deny-permission-prompts") as chrome:
        visit(chrome, server)
        press(chrome)
        until(lambda: chrome.find_element("id", "notice").is_displayed(), 20)
        assert "microphone" in text(chrome, "notice")
        assert text(chrome, "start") == "Try again"


def test_a_lost_connection_is_opened_again(browser, recogniser, tmp_path):
    bundle = recogniser.save(tmp_path / "small.npz")
    with served(bundle) as (address, process):
        visit(browser, address)
        press(browser)
        until(lambda: text(browser, "state").startswith("Listening"), 30)
        process.terminate()
        process.wait(timeout=30)
        until(lambda: "connection" in text(browser, "notice"), 20)
        assert text(browser, "label") == "Not listening"
    press(browser)
    assert not browser.find_element("id", "notice").is_displayed()


def test_everything_is_reached_by_the_keyboard(browser, server):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    visit(browser, server)
    reached = []
    for _ in range(4):
        ActionChains(browser).send_keys(Keys.TAB).perform()
        reached.append(browser.switch_to.active_element.get_attribute("id") or browser.switch_to.active_element.text)
    assert reached == ["Skip to the microphone", "quality-open", "start", "file"]


def test_colours_are_those_of_the_figures(browser, server):
    visit(browser, server)
    script = "const done = arguments[0]; import('./words.js').then(words => done(%s.map(words.colourOf)));"
    names = list(palette.EMOTION_COLOURS)
    assert browser.execute_async_script(script % json.dumps(names)) == list(palette.EMOTION_COLOURS.values())
